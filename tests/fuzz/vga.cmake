doppel_fuzzer(vga_fuzz SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/vga_fuzz.c" MODULES devices ui SMOKE 40)

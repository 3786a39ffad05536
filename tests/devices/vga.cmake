foreach(subject graphics direct memory register text vbe)
    doppel_test(vga_${subject}_test
        SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/vga_${subject}_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/vga_bench.c"
        MODULES devices ui)
endforeach()

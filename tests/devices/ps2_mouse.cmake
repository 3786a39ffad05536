doppel_test(ps2_mouse_test SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/ps2_mouse_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c" MODULES devices)

doppel_test(debug_console_test SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/debug_console_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c" MODULES devices)

doppel_test(isa_debug_exit_test SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/isa_debug_exit_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c" MODULES devices)

doppel_test(i440fx_test SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/i440fx_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c" MODULES devices)

doppel_test(i8254_test SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/i8254_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c" MODULES devices)

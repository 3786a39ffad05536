doppel_test(i8237_test SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/i8237_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c" MODULES devices)

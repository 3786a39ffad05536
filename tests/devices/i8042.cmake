doppel_test(i8042_test SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/i8042_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c" MODULES devices)

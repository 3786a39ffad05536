doppel_test(mc146818_test SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/mc146818_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c" MODULES devices)

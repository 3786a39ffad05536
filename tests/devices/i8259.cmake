doppel_test(i8259_test SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/i8259_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c" MODULES devices)

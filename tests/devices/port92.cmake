doppel_test(port92_test SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/port92_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c" MODULES devices)

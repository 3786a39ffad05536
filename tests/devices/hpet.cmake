doppel_test(hpet_test SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/hpet_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c" MODULES devices)

doppel_test(piix4_pm_test SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/piix4_pm_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c" MODULES devices)

doppel_test(ioapic_test SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/ioapic_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c" MODULES devices)

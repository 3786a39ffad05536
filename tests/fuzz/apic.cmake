doppel_fuzzer(apic_fuzz
    SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/apic_fuzz.c" "${CMAKE_CURRENT_SOURCE_DIR}/../devices/device_bench.c"
    MODULES devices)

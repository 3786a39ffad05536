doppel_fuzzer(ports_fuzz
    SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/ports_fuzz.c" "${CMAKE_CURRENT_SOURCE_DIR}/../devices/device_bench.c"
    MODULES devices ui)

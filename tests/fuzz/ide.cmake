doppel_fuzzer(ide_fuzz
    SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/ide_fuzz.c" "${CMAKE_CURRENT_SOURCE_DIR}/../devices/device_bench.c"
    MODULES devices storage)

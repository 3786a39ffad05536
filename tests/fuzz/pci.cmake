doppel_fuzzer(pci_fuzz
    SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/pci_fuzz.c" "${CMAKE_CURRENT_SOURCE_DIR}/../devices/device_bench.c"
    MODULES devices storage ui)

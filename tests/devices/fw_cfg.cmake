doppel_test(fw_cfg_test SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/fw_cfg_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c" MODULES devices)

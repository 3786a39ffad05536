doppel_test(ns16550_test SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/ns16550_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c" MODULES devices)

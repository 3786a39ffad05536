doppel_test(pc_speaker_test SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/pc_speaker_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c" MODULES devices)

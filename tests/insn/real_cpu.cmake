# Single-instruction tests captured from real processors; the data is used when it is there.
find_package(ZLIB REQUIRED)
set(DOPPEL_CPU_TESTS "${CMAKE_SOURCE_DIR}/../shared/cputests" CACHE PATH "Where the captured single-step tests are")

add_executable(real-cpu-tests real_cpu_tests.c)
target_link_libraries(real-cpu-tests PRIVATE cpu_bench ZLIB::ZLIB)
foreach(pair "80286 80286-real" "8086 8086")
    separate_arguments(pair)
    list(GET pair 0 model)
    list(GET pair 1 folder)
    doppel_instruction_test(real-cpu-${model} LABELS insn
        COMMAND real-cpu-tests ${model} "${DOPPEL_CPU_TESTS}/${folder}")
endforeach()

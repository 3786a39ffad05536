# What instruction tests, here and in tests/unit, run snippets on.
add_library(cpu_bench STATIC cpu_bench.c)
target_include_directories(cpu_bench PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
target_link_libraries(cpu_bench PUBLIC doppel_flags doppel_engines doppel_interpreter doppel_mmu doppel_cpu doppel_bus)

add_library(fpu_values STATIC fpu_values.c)
target_include_directories(fpu_values PUBLIC "${CMAKE_CURRENT_SOURCE_DIR}")
target_link_libraries(fpu_values PUBLIC doppel_flags doppel_cpu)
doppel_test(fpu_host_test SOURCES fpu_host_test.c LIBRARIES cpu_bench fpu_values)

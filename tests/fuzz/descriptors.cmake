doppel_fuzzer(descriptors_fuzz SOURCES descriptors_fuzz.c MODULES base SMOKE 2000 LIBRARIES cpu_bench)

doppel_fuzzer(paging_fuzz SOURCES paging_fuzz.c MODULES base SMOKE 500 LIBRARIES cpu_bench)

doppel_test(fault_signal_test SOURCES fault_signal_test.c MODULES base host)
doppel_test(gs_base_test SOURCES gs_base_test.c MODULES base host)
doppel_test(host_memory_test SOURCES host_memory_test.c MODULES base host)

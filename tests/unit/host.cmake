doppel_test(fault_signal_test SOURCES fault_signal_test.c MODULES base host)
doppel_test(gs_base_test SOURCES gs_base_test.c MODULES base host)

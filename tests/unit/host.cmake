doppel_test(fault_signal_test SOURCES fault_signal_test.c MODULES base host)

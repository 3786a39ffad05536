doppel_test(base_test SOURCES base_test.c MODULES base)

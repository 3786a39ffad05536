doppel_test(kernel_loader_test SOURCES kernel_loader_test.c MODULES machine base)

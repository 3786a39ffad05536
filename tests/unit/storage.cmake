doppel_test(storage_test SOURCES storage_test.c MODULES base storage)

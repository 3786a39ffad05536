doppel_test(floppy_test SOURCES floppy_test.c MODULES base bus storage devices)

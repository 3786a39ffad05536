doppel_fuzzer(floppy_fuzz SOURCES floppy_fuzz.c MODULES base bus storage devices SMOKE 200)

doppel_test(floppy_test SOURCES floppy_test.c floppy_rig.c MODULES base bus storage devices)
doppel_test(floppy_transfer_test SOURCES floppy_transfer_test.c floppy_rig.c MODULES base bus storage devices)

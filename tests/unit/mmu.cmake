doppel_test(mmu_test SOURCES mmu_test.c recording_region.c MODULES base bus cpu mmu)

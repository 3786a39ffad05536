doppel_test(mmu_test SOURCES mmu_test.c recording_region.c MODULES base bus cpu mmu)
doppel_test(mmu_fast_tlb_test SOURCES mmu_fast_tlb_test.c MODULES base bus cpu mmu)
doppel_test(mmu_view_test SOURCES mmu_view_test.c view_rig.c MODULES base host bus cpu mmu)
doppel_test(mmu_view_paging_test SOURCES mmu_view_paging_test.c view_rig.c MODULES base host bus cpu mmu)

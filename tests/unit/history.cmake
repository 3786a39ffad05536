doppel_test(undo_journal_test SOURCES undo_journal_test.c MODULES storage base)
doppel_test(page_store_test SOURCES page_store_test.c MODULES machine host base)
doppel_test(machine_history_test SOURCES machine_history_test.c history_rig.c MODULES machine chardev cpu bus base
    ARGS "${CMAKE_SOURCE_DIR}/roms/demo/demo.img" interp)
if(TARGET doppel_translator)
    foreach(mmu adaptive softtlb)
        add_test(NAME machine_history_${mmu}_test
            COMMAND machine_history_test "${CMAKE_SOURCE_DIR}/roms/demo/demo.img" dbt ${mmu})
    endforeach()
endif()
doppel_test(history_outside_test SOURCES history_outside_test.c history_rig.c MODULES machine chardev cpu bus base
    ARGS "" interp)
if(TARGET doppel_translator)
    add_test(NAME history_outside_dbt_test COMMAND history_outside_test "" dbt adaptive)
endif()
doppel_test(history_hidden_test SOURCES history_hidden_test.c history_rig.c MODULES machine chardev cpu bus base
    ARGS "" interp)
if(TARGET doppel_translator)
    foreach(mmu adaptive softtlb shadow)
        add_test(NAME history_hidden_${mmu}_test COMMAND history_hidden_test "" dbt ${mmu})
    endforeach()
endif()

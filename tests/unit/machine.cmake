doppel_test(two_machines_test SOURCES two_machines_test.c MODULES machine cpu bus base
    ARGS "${CMAKE_SOURCE_DIR}/roms/demo/demo.img")
if(TARGET doppel_translator)
    add_test(NAME two_machines_dbt_test COMMAND two_machines_test "${CMAKE_SOURCE_DIR}/roms/demo/demo.img" dbt)
endif()
doppel_test(machine_interrupts_test SOURCES machine_interrupts_test.c MODULES machine cpu bus base)
doppel_test(machine_probe_test SOURCES machine_probe_test.c MODULES machine cpu mmu bus base
    ARGS "${CMAKE_SOURCE_DIR}/roms/demo/demo.img")
doppel_test(input_log_test SOURCES input_log_test.c MODULES machine base)
doppel_test(machine_replay_test SOURCES machine_replay_test.c MODULES machine chardev cpu bus base
    ARGS "${CMAKE_SOURCE_DIR}/roms/demo/demo.img")
if(TARGET doppel_translator)
    add_test(NAME machine_replay_dbt_test
        COMMAND machine_replay_test "${CMAKE_SOURCE_DIR}/roms/demo/demo.img" dbt)
endif()

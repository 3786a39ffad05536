doppel_fuzzer(gdb_fuzz SOURCES gdb_fuzz.c "${CMAKE_SOURCE_DIR}/tests/gdb/gdb_bench.c" ${fake_machine}
    MODULES debugger ui mmu cpu bus base SMOKE 3000)

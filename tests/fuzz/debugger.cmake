set(fake_machine "${CMAKE_SOURCE_DIR}/tests/unit/fake_machine.c")
doppel_fuzzer(expression_fuzz SOURCES expression_fuzz.c ${fake_machine} MODULES debugger ui mmu cpu bus base SMOKE 5000)
doppel_fuzzer(symbols_fuzz SOURCES symbols_fuzz.c MODULES debugger base SMOKE 5000)
doppel_fuzzer(monitor_line_fuzz SOURCES monitor_line_fuzz.c ${fake_machine} MODULES debugger ui mmu cpu bus base
    SMOKE 2000)

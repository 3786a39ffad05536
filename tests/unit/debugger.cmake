doppel_test(expression_test SOURCES expression_test.c fake_machine.c MODULES debugger ui mmu cpu bus base)
doppel_test(run_control_test SOURCES run_control_test.c fake_machine.c MODULES debugger ui mmu cpu bus base)
doppel_test(reverse_test SOURCES reverse_test.c fake_machine.c MODULES debugger ui mmu cpu bus base)
doppel_test(trace_test SOURCES trace_test.c fake_machine.c MODULES debugger ui mmu cpu bus base)
doppel_test(symbols_test SOURCES symbols_test.c MODULES debugger base)
doppel_test(examine_test SOURCES examine_test.c monitor_bench.c fake_machine.c MODULES debugger ui mmu cpu bus base)
doppel_test(examine_state_test SOURCES examine_state_test.c monitor_bench.c fake_machine.c
    MODULES debugger ui mmu cpu bus base)
doppel_test(completion_test SOURCES completion_test.c monitor_bench.c fake_machine.c MODULES debugger ui mmu cpu bus base)
set_tests_properties(completion_test PROPERTIES
    ENVIRONMENT "LSAN_OPTIONS=suppressions=${CMAKE_CURRENT_SOURCE_DIR}/libraries.supp")
doppel_test(tui_test SOURCES tui_test.c monitor_bench.c fake_machine.c MODULES debugger ui mmu cpu bus base)

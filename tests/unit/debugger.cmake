doppel_test(expression_test SOURCES expression_test.c fake_machine.c MODULES debugger ui mmu cpu bus base)
doppel_test(symbols_test SOURCES symbols_test.c MODULES debugger base)

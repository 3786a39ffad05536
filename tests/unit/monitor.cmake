doppel_test(monitor_test SOURCES monitor_test.c monitor_bench.c fake_machine.c MODULES debugger ui mmu cpu bus base)

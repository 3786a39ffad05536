doppel_test(base_test SOURCES base_test.c MODULES base)
doppel_test(option_parser_test SOURCES option_parser_test.c MODULES base)

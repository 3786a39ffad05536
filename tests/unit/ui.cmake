doppel_test(input_test SOURCES input_test.c MODULES ui base)
doppel_test(display_test SOURCES display_test.c MODULES ui base)

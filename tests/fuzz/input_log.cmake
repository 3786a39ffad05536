doppel_fuzzer(input_log_fuzz SOURCES input_log_fuzz.c MODULES base machine)

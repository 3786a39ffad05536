doppel_fuzzer(decoder_fuzz SOURCES decoder_fuzz.c MODULES decoder)

doppel_fuzzer(kernel_image_fuzz SOURCES kernel_image_fuzz.c MODULES base machine)

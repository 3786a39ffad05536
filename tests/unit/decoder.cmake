# Not a test: prints how fast the decoder is over a real program.
add_executable(decoder-speed decoder_speed.c)
target_link_libraries(decoder-speed PRIVATE doppel_flags doppel_decoder)

doppel_test(decoder_test SOURCES decoder_test.c decoder_cases.c MODULES decoder)
doppel_test(decoder_tables_test SOURCES decoder_tables_test.c decoder_cases.c MODULES decoder)

if(DOPPEL_CAPSTONE)
    find_library(CAPSTONE_LIBRARY capstone)
    if(CAPSTONE_LIBRARY)
        doppel_test(decoder_capstone_test
            SOURCES decoder_capstone_test.c decoder_oracle.c decoder_quirks.c decoder_cases.c
            MODULES decoder
            LIBRARIES ${CAPSTONE_LIBRARY})
    else()
        message(STATUS "capstone not found: the decoder is not compared with it")
    endif()
endif()

# Not a test: prints how fast the decoder is over a real program.
add_executable(decoder-speed decoder_speed.c)
target_link_libraries(decoder-speed PRIVATE doppel_flags doppel_decoder)

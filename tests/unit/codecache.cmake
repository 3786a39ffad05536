if(TARGET doppel_codecache)
    doppel_test(code_cache_test SOURCES code_cache_test.c MODULES base host codecache)
endif()

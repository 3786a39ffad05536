foreach(subject code debug event fault model port)
    doppel_test(interpreter_${subject}_test SOURCES interpreter_${subject}_test.c LIBRARIES cpu_bench)
endforeach()

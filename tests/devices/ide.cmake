foreach(subject cdrom disk dma)
    doppel_test(ide_${subject}_test
        SOURCES "${CMAKE_CURRENT_SOURCE_DIR}/ide_${subject}_test.c" "${CMAKE_CURRENT_SOURCE_DIR}/ide_rig.c"
            "${CMAKE_CURRENT_SOURCE_DIR}/device_bench.c"
        MODULES devices storage)
endforeach()

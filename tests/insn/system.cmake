# System-level tests: small ROMs (system/*.S), each of which prints one line per check. Their expected texts are in the
# repository; the same ROMs run under QEMU and Bochs where these are installed (they are not among the packages that
# scripts/test asks for: 200 MB to confirm what the expected texts already say), except where a program that relies on
# something they do not have would be lost.
set(system_roms segments limits gates tasks v86 vme paging control debug alignment faults strings)
set(system_not_qemu limits vme control debug alignment)
doppel_program(doppel doppel)

function(doppel_system_test emulator program rom)
    add_test(NAME system-${emulator}-${rom}
        COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/system/run_rom.sh" ${emulator} "${program}"
                "${CMAKE_CURRENT_SOURCE_DIR}/system" ${rom})
    set_tests_properties(system-${emulator}-${rom} PROPERTIES SKIP_RETURN_CODE 77 LABELS "insn;system")
endfunction()

foreach(rom ${system_roms})
    doppel_system_test(doppel "${doppel}" ${rom})
    doppel_system_test(bochs bochs ${rom})
    if(NOT rom IN_LIST system_not_qemu)
        doppel_system_test(qemu qemu-system-i386 ${rom})
    endif()
endforeach()

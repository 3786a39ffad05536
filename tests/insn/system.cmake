# System-level tests: small ROMs (system/*.S), each of which prints one line per check. Their expected texts are in the
# repository; the same ROMs run under QEMU and Bochs where these are installed. They are not among the packages that
# scripts/test asks for: 200 MB to confirm what the expected texts already say. QEMU is not asked where it lacks what
# the ROM is about.
set(system_roms segments limits gates tasks v86 vme paging control debug alignment faults strings real interrupts habits)
set(system_roms_for_qemu segments gates tasks v86 paging faults strings interrupts habits)
doppel_program(doppel doppel)

# doppel_system_test(name emulator program rom...)
function(doppel_system_test name emulator program)
    add_test(NAME ${name}
        COMMAND sh "${CMAKE_CURRENT_SOURCE_DIR}/system/run_roms.sh" ${emulator} "${program}"
                "${CMAKE_CURRENT_SOURCE_DIR}/system" ${ARGN})
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 LABELS insn)
endfunction()

# Little in a ROM is executed often enough to be translated by itself.
set(system_options_interp "-engine interp")
set(system_options_dbt "-engine dbt -tb-warm 0")
foreach(engine IN LISTS DOPPEL_TEST_ENGINES)
    foreach(rom ${system_roms})
        doppel_system_test(system-${rom}${suffix_${engine}} doppel "${doppel}" ${rom})
        set_tests_properties(system-${rom}${suffix_${engine}} PROPERTIES
            ENVIRONMENT "DOPPEL_TEST_OPTIONS=${system_options_${engine}}")
    endforeach()
endforeach()
doppel_system_test(system-qemu qemu qemu-system-i386 ${system_roms_for_qemu})
doppel_system_test(system-bochs bochs bochs ${system_roms})

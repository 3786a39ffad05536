# Helpers every module and test directory uses, so that flags are said once.

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")

add_library(doppel_flags INTERFACE)
target_include_directories(doppel_flags INTERFACE "${CMAKE_SOURCE_DIR}/src")
target_compile_definitions(doppel_flags INTERFACE _GNU_SOURCE _FILE_OFFSET_BITS=64)
target_compile_options(doppel_flags INTERFACE
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -fno-common)
if(DOPPEL_WERROR)
    target_compile_options(doppel_flags INTERFACE -Werror)
endif()
if(DOPPEL_SANITIZE)
    # gcc's checks hide value ranges from its own warnings about conversions: those are for the builds without.
    target_compile_options(doppel_flags INTERFACE
        -fsanitize=${DOPPEL_SANITIZE} -fno-sanitize-recover=all -fno-omit-frame-pointer -Wno-conversion
        -Wno-sign-conversion)
    target_link_options(doppel_flags INTERFACE -fsanitize=${DOPPEL_SANITIZE})
endif()

if(DOPPEL_FUZZ)
    # Coverage feedback from the modules, not only from the fuzz target itself.
    target_compile_options(doppel_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()

# doppel_module(name SOURCES a.c b.c DEPENDS base bus LIBRARIES ZLIB::ZLIB)
# One static library per module, named doppel_<name>.
function(doppel_module name)
    cmake_parse_arguments(ARG "" "" "SOURCES;DEPENDS;LIBRARIES" ${ARGN})
    add_library(doppel_${name} STATIC ${ARG_SOURCES})
    set_property(GLOBAL APPEND PROPERTY DOPPEL_MODULES ${name})
    target_link_libraries(doppel_${name} PUBLIC doppel_flags)
    foreach(dependency ${ARG_DEPENDS})
        target_link_libraries(doppel_${name} PUBLIC doppel_${dependency})
    endforeach()
    if(ARG_LIBRARIES)
        target_link_libraries(doppel_${name} PUBLIC ${ARG_LIBRARIES})
    endif()
endfunction()

# doppel_test(name SOURCES t.c MODULES base bus [LIBRARIES …] [ARGS …] [LABELS …])
# One cmocka executable, run by ctest. Exit status 77 is a named skip.
function(doppel_test name)
    cmake_parse_arguments(ARG "" "" "SOURCES;MODULES;LIBRARIES;ARGS;LABELS" ${ARGN})
    add_executable(${name} ${ARG_SOURCES})
    target_link_libraries(${name} PRIVATE doppel_flags cmocka ${ARG_LIBRARIES})
    foreach(module ${ARG_MODULES})
        target_link_libraries(${name} PRIVATE doppel_${module})
    endforeach()
    add_test(NAME ${name} COMMAND ${name} ${ARG_ARGS} WORKING_DIRECTORY "${CMAKE_SOURCE_DIR}")
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77)
    if(ARG_LABELS)
        set_tests_properties(${name} PROPERTIES LABELS "${ARG_LABELS}")
    endif()
endfunction()

# doppel_program(variable target): the file that a script can start as that target: itself, or what starts the emulator
# where the target was built for another machine.
function(doppel_program variable target)
    if(CMAKE_CROSSCOMPILING_EMULATOR)
        list(JOIN CMAKE_CROSSCOMPILING_EMULATOR " " emulator)
        set(wrapper "${CMAKE_CURRENT_BINARY_DIR}/${target}-emulated")
        file(GENERATE OUTPUT "${wrapper}" CONTENT "#!/bin/sh\nexec ${emulator} $<TARGET_FILE:${target}> \"$@\"\n"
            FILE_PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
        set(${variable} "${wrapper}" PARENT_SCOPE)
    else()
        set(${variable} $<TARGET_FILE:${target}> PARENT_SCOPE)
    endif()
endfunction()

# doppel_fuzzer(name SOURCES f.c MODULES … [LIBRARIES …] [SMOKE count]): a libFuzzer target with -DDOPPEL_FUZZ=ON (clang).
# In every build a test runs it on `count` random inputs (500).
function(doppel_fuzzer name)
    cmake_parse_arguments(ARG "" "SMOKE" "SOURCES;MODULES;LIBRARIES" ${ARGN})
    list(TRANSFORM ARG_MODULES PREPEND doppel_)
    if(DOPPEL_FUZZ)
        add_executable(${name} ${ARG_SOURCES})
        target_compile_options(${name} PRIVATE -fsanitize=fuzzer)
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
        target_link_libraries(${name} PRIVATE doppel_flags ${ARG_LIBRARIES} ${ARG_MODULES})
        if(NOT TARGET fuzzers)
            add_custom_target(fuzzers)
        endif()
        add_dependencies(fuzzers ${name})
        set_property(GLOBAL APPEND_STRING PROPERTY DOPPEL_FUZZERS "${name}\n")
    else()
        if(NOT ARG_SMOKE)
            set(ARG_SMOKE 500)
        endif()
        add_executable(${name}_smoke ${ARG_SOURCES} "${CMAKE_SOURCE_DIR}/tests/fuzz/smoke_driver.c")
        target_link_libraries(${name}_smoke PRIVATE doppel_flags ${ARG_LIBRARIES} ${ARG_MODULES})
        add_test(NAME ${name}_smoke COMMAND ${name}_smoke ${ARG_SMOKE})
        set_tests_properties(${name}_smoke PROPERTIES LABELS fuzz)
    endif()
endfunction()

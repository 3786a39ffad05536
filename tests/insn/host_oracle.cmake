# The host's own CPU as the oracle of each engine for user-mode instructions: a 32-bit process of ours runs the same
# snippets.
# Where the compiler cannot make 32-bit x86 programs, or the host cannot run them, the test says so and is skipped.
include(CheckCSourceCompiles)
set(DOPPEL_ORACLE_COUNT 1000000 CACHE STRING "Snippets the host-CPU oracle compares")
set(DOPPEL_ORACLE_SEED 1 CACHE STRING "Which snippets the host-CPU oracle compares")

set(helper_flags -m32 -ffreestanding -fno-pie -fno-stack-protector -fno-asynchronous-unwind-tables -mno-mmx -mno-sse)
set(helper_link_flags -m32 -nostdlib -static -Wl,-Ttext-segment=0x60000000 -Wl,--build-id=none)
if(CMAKE_CROSSCOMPILING AND CMAKE_HOST_SYSTEM_PROCESSOR STREQUAL "x86_64")
    # The CPU of the machine that builds is as good an oracle: the helper is built for it, the test runs emulated.
    find_program(DOPPEL_HOST_CC NAMES gcc cc clang)
endif()
string(JOIN " " CMAKE_REQUIRED_FLAGS ${helper_flags})
set(CMAKE_REQUIRED_LINK_OPTIONS ${helper_link_flags})
set(CMAKE_TRY_COMPILE_CONFIGURATION Release)
check_c_source_compiles("void _start(void) { __asm__ volatile(\"int $0x80\" : : \"a\"(1), \"b\"(0)); } int main(void) { return 0; }"
    DOPPEL_CAN_BUILD_32_BIT)
unset(CMAKE_REQUIRED_FLAGS)
unset(CMAKE_REQUIRED_LINK_OPTIONS)
unset(CMAKE_TRY_COMPILE_CONFIGURATION)

add_executable(host-oracle host_oracle.c host_oracle_float.c host_oracle_guest.c host_oracle_snippet.c
    host_oracle_ways.c)
target_link_libraries(host-oracle PRIVATE cpu_bench doppel_decoder)
find_library(CAPSTONE_LIBRARY capstone)
if(DOPPEL_CAPSTONE AND CAPSTONE_LIBRARY)
    target_compile_definitions(host-oracle PRIVATE DOPPEL_HAVE_CAPSTONE)
    target_link_libraries(host-oracle PRIVATE ${CAPSTONE_LIBRARY})
endif()
if(DOPPEL_HOST_CC)
    set(helper "${CMAKE_CURRENT_BINARY_DIR}/native-oracle-helper")
    set(helper_source "${CMAKE_CURRENT_SOURCE_DIR}/host_oracle_helper.c")
    add_custom_command(OUTPUT "${helper}"
        COMMAND ${DOPPEL_HOST_CC} ${helper_flags} -O2 ${helper_link_flags} -o "${helper}" "${helper_source}"
        DEPENDS "${helper_source}" "${CMAKE_CURRENT_SOURCE_DIR}/host_oracle_shared.h"
        VERBATIM)
    add_custom_target(host-oracle-helper ALL DEPENDS "${helper}")
elseif(DOPPEL_CAN_BUILD_32_BIT)
    add_executable(host-oracle-helper host_oracle_helper.c)
    target_compile_options(host-oracle-helper PRIVATE ${helper_flags} -O2 -Wall -Wextra -Wshadow -Wconversion)
    target_link_options(host-oracle-helper PRIVATE ${helper_link_flags})
    set(helper $<TARGET_FILE:host-oracle-helper>)
else()
    set(helper "32-bit-programs-cannot-be-built")
endif()
foreach(engine interp dbt)
    set(name host-oracle)
    if(NOT engine STREQUAL "interp")
        set(name host-oracle-${engine})
    endif()
    add_test(NAME ${name} COMMAND host-oracle ${helper} ${DOPPEL_ORACLE_COUNT} ${DOPPEL_ORACLE_SEED} ${engine})
    set_tests_properties(${name} PROPERTIES SKIP_RETURN_CODE 77 LABELS insn)
endforeach()

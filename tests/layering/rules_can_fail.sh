#!/bin/sh
# rules_can_fail.sh CC OBJDUMP
#
# Proves that the rules of this directory are enforced: plants each kind of violation in a scratch tree and
# expects the rule that forbids it to fail there, and to pass without it.
set -eu

cc=$1
objdump=$2
here=$(cd "$(dirname "$0")" && pwd)
scratch=$(mktemp -d)
trap 'rm -rf "$scratch"' EXIT
failures=0

# A tree without violations.
plant_clean_tree()
{
    rm -rf "$scratch/tree"
    mkdir -p "$scratch/tree/src/base" "$scratch/tree/src/cpu" "$scratch/tree/src/devices" "$scratch/tree/tests"
    printf '/* Bits. */\n' >"$scratch/tree/src/base/bits.h"
    printf '/* A CPU. */\n#include "base/bits.h"\n' >"$scratch/tree/src/cpu/cpu.c"
    printf '/* A timer. */\n#include "bus/irq_line.h"\n#include "devices/device.h"\n#include "ui/input.h"\n' \
        >"$scratch/tree/src/devices/timer.c"
    printf '/* Part of a chip. */\n#include "devices/vga_internal.h"\n' >"$scratch/tree/src/devices/vga_dac.c"
}

# expect pass|fail WHAT COMMAND...
expect()
{
    wanted=$1
    what=$2
    shift 2
    if "$@" >"$scratch/output" 2>&1; then found=pass; else found=fail; fi
    if [ "$found" != "$wanted" ]; then
        echo "FAILED: $what: expected the rule to $wanted, it did $found:"
        cat "$scratch/output"
        failures=$((failures + 1))
    fi
}

# forbidden_include FILE INCLUDED
forbidden_include()
{
    plant_clean_tree
    mkdir -p "$(dirname "$scratch/tree/src/$1")"
    printf '/* Why. */\n#include "%s"\n' "$2" >"$scratch/tree/src/$1"
    expect fail "$1 includes $2" sh "$here/include_rules.sh" "$scratch/tree"
}

plant_clean_tree
expect pass "clean tree" sh "$here/include_rules.sh" "$scratch/tree"
expect pass "clean tree" sh "$here/source_rules.sh" "$scratch/tree"
forbidden_include base/low.c bus/irq_line.h
forbidden_include decoder/decoder.c cpu/cpu.h
forbidden_include interpreter/alu.c translator/emit.h
forbidden_include translator/emit.c interpreter/uop.h
forbidden_include codecache/cache.c cpu/cpu.h
forbidden_include machine/machine.c debugger/monitor.h
forbidden_include devices/timer.c cpu/cpu.h
forbidden_include devices/timer.c machine/machine.h
forbidden_include devices/timer.c ui/sdl_window.h
forbidden_include devices/timer.c devices/i8259.h
forbidden_include devices/vga_dac.c devices/floppy.h
forbidden_include cpu/cpu.c cpu/stack.c
forbidden_include cpu/cpu.c stack.h
forbidden_include cpu/cpu.c base/../mmu/mmu.h
forbidden_include unheard_of/file.c base/bits.h

plant_clean_tree
printf '#include "base/bits.h"\n' >"$scratch/tree/src/cpu/cpu.c"
expect fail "no header comment" sh "$here/source_rules.sh" "$scratch/tree"
plant_clean_tree
awk 'BEGIN { print "/* Why. */"; for (i = 0; i < 1000; i++) print "" }' >"$scratch/tree/src/cpu/cpu.c"
expect fail "1001 lines" sh "$here/source_rules.sh" "$scratch/tree"

# object_in MODULE OBJECT WANTED WHAT DECLARATION
object_in()
{
    printf '%s\n' "$5" >"$scratch/object.c"
    rm -f "$scratch/libdoppel_$1.a"
    "$cc" -O2 -fno-common -c "$scratch/object.c" -o "$scratch/$2"
    ar rcs "$scratch/libdoppel_$1.a" "$scratch/$2"
    expect "$3" "$4" sh "$here/object_rules.sh" "$objdump" "$scratch/libdoppel_$1.a"
}

# object_with WANTED WHAT DECLARATION
object_with()
{
    object_in cpu object.o "$@"
}

object_with pass "constants" 'int f(int); static const int t[3] = {1, 2, 3}; int f(int i) { return t[i]; }
static int (*const table[])(int) = {f}; int g(int); int g(int i) { return table[i](i); }
const char *const names[] = {"a", "b"};'
object_with fail "an initialised variable" 'int count = 1;'
object_with fail "a zero variable" 'int count;'
object_with fail "a static variable in a function" 'int f(void); int f(void) { static int n; return n++; }'
object_with fail "a pointer to a constant" 'const char *name = "a";'
object_with fail "a thread-local variable" '_Thread_local int count;'
table='static int fault_table[2]; int f(int); int f(int i) { return fault_table[i]++; }'
object_in host fault_signal.c.o pass "the table of threads for signal handlers" "$table"
object_in host host_memory.c.o fail "the table of threads elsewhere in its module" "$table"
object_in cpu fault_signal.c.o fail "the table of threads in another module" "$table"
object_in host fault_signal.c.o fail "another variable beside the table of threads" 'int fault_count; int *fault_tables;'
object_in host fault_signal.c.o fail "the table of threads for everyone" 'int fault_table[2];'
object_with fail "the host clock" 'long time(long *); long f(void); long f(void) { return time(0); }'

exit $((failures != 0))

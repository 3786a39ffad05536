#!/bin/sh
# session.sh DOPPEL SCRIPT ENGINES GDBINIT [-reverse] (IMAGE | -kernel SOURCES): a session of gdb with doppel, which waits at reset.
#
# gdb carries out GDBINIT and SCRIPT with each of the ENGINES ("interp dbt"). What it prints must have the texts of SCRIPT's
# lines "#expect TEXT", in this order, and be the same with every engine: guest time is counted. The script ends doppel
# (kill), or lets the guest do it (detach). With -kernel the guest is the multiboot kernel in SOURCES, built here as "elf".
# Skipped (77) without a gdb for x86.
set -eu
. "$(dirname "$0")/../common.sh"

doppel=$1
script=$2
engines=$3
gdbinit=$4
shift 4
reverse=
if [ "$1" = -reverse ]; then
    reverse=$1
    shift
fi
linker_script=$(dirname "$0")/../boot/multiboot/kernel.ld

gdb -nx -batch -ex 'set architecture i386' 2>/dev/null | grep -q i386 || skip "there is no gdb for x86"
make_work_directory
case $1 in
-kernel)
    find_x86_compiler
    "$compiler" -m32 -march=i386 -std=c11 -Og -g -ffreestanding -fno-pic -fno-pie -mgeneral-regs-only -fno-stack-protector \
        -fcf-protection=none -fno-asynchronous-unwind-tables -nostdlib -static -no-pie -Wl,--build-id=none \
        -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,-T,"$linker_script" -o "$work/elf" "$2/kernel.c"
    set -- -kernel elf -append 'words of its own' -serial file:serial
    ;;
*) set -- -snapshot "$1" ;;
esac
cd "$work"
{
    echo 'set pagination off'
    echo 'target remote gdb.socket'
    cat "$script"
    printf '%s\n' 'echo the session is over\n'
} >session.gdb

for engine in $engines; do
    rm -f gdb.socket
    : >messages
    "$doppel" -S -gdb unix:gdb.socket -engine "$engine" --icount shift=6 -display none $reverse "$@" 2>messages &
    process=$!
    until grep -q 'gdb: listening' messages; do
        kill -0 "$process" || { cat messages; exit 1; }
        sleep 0.1
    done
    # Nobody is asked anything: gdb's input is empty.
    gdb -nx -batch -x "$gdbinit" -x session.gdb >"$engine.out" 2>&1 </dev/null || true
    if ! grep -q '^the session is over' "$engine.out"; then
        kill "$process" 2>/dev/null || true
        cat "$engine.out"
        echo "FAILED: -engine $engine: the session did not come to its end"
        exit 1
    fi
    status=0
    wait "$process" || status=$?
    if [ "$status" -ne 0 ]; then
        cat messages
        echo "FAILED: doppel -engine $engine ended with status $status"
        exit 1
    fi
    sed -n 's/^#expect //p' "$script" >expected
    awk '
        FILENAME == ARGV[1] { expected[++count] = $0; next }
        next_one < count && index($0, expected[next_one + 1]) { next_one++ }
        END {
            if (count == 0 || next_one < count) {
                print "FAILED: this was not printed, or not in its turn: " expected[next_one + 1]
                exit 1
            }
        }' expected "$engine.out" || {
        cat "$engine.out"
        exit 1
    }
done

first=${engines%% *}
for engine in $engines; do
    if ! cmp "$first.out" "$engine.out"; then
        diff "$first.out" "$engine.out" || true
        echo "FAILED: the session with -engine $engine differs from that with -engine $first"
        exit 1
    fi
done

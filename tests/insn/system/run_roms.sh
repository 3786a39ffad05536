#!/bin/sh
# run_roms.sh EMULATOR PROGRAM SOURCES ROM...: builds each system test ROM, runs it and compares what it prints with
# SOURCES/ROM.expected. EMULATOR is doppel, qemu or bochs, PROGRAM how to start it. Lines in which another emulator is
# known to differ from the manual are left out of its comparison: SOURCES/known_differences. doppel gets the options in
# $DOPPEL_TEST_OPTIONS and those for $DOPPEL_TEST_STRATEGIES as well. Skipped (77) without an x86 GCC or the emulator.
set -eu
. "$(dirname "$0")/../../common.sh"

emulator=$1
program=$2
sources=$3
shift 3
limit=120                           # seconds that another emulator may take before it counts as lost
strategies=$(strategy_options)
make_work_directory
cd "$work"

find_x86_compiler
if ! command -v "$program" >/dev/null; then
    skip "$program is not installed"
fi

# build ROM
build()
{
    "$compiler" -m32 -march=pentium4 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--no-warn-rwx-segments \
        -Wl,-z,noexecstack -Wl,-T,"$sources/rom.ld" -Wl,--oformat=binary -o image "$sources/startup.S" "$sources/$1.S"
    if [ "$(wc -c <image)" -ne 65536 ]; then
        echo "FAILED: the image of $1 has $(wc -c <image) bytes"
        exit 1
    fi
}

# The guest ends itself: exit status 1 from isa-debug-exit.
run_doppel()
{
    status=0
    # shellcheck disable=SC2086 # options are words
    "$program" -bios image -cpu max -m 16 -display none -debugcon file:text -device isa-debug-exit,iobase=0xf4,iosize=4 \
        ${DOPPEL_TEST_OPTIONS:-} $strategies >host 2>&1 || status=$?
    if [ "$status" -ne 1 ]; then
        echo "FAILED: exit status $status"
        cat host
        tail -n 3 text
        exit 1
    fi
}

run_qemu()
{
    timeout "$limit" "$program" -bios image -cpu max -m 16 -display none -net none -debugcon file:text \
        -device isa-debug-exit,iobase=0xf4,iosize=4 >host 2>&1 || true
}

# Bochs prints the guest's text between its own, and stops at a reset for another command.
run_bochs()
{
    cat >rc <<END
megs: 16
romimage: file=$work/image
cpu: model=p4_prescott_celeron_336, ips=50000000, reset_on_triple_fault=1, ignore_bad_msrs=0
display_library: sdl2
sound: driver=dummy
port_e9_hack: enabled=1
log: $work/log
panic: action=report
END
    printf 'c\nc\n' >commands
    SDL_VIDEODRIVER=dummy timeout "$limit" "$program" -q -f rc -rc commands >host 2>&1 || true
    sed -e '1,/^Next at/d' -e 's/^<bochs:[0-9]*> //' host |
        sed -e '/^====/,$d' -e '/^(0)/d' -e '/^Next at/d' -e '/^$/d' >text
}

# comparable ROM TEXT: drops the lines known to differ; what a line is about stands before its first ": ".
comparable()
{
    awk -v emulator="$emulator" -v rom="$1" '
        FILENAME == ARGV[1] {
            if (split($0, field, "|") >= 4 && field[1] == emulator && field[2] == rom)
                known[field[3]] = 1
            next
        }
        {
            subject = $0
            sub(/: .*/, "", subject)
            if (!(subject in known))
                print
        }' "$sources/known_differences" "$2"
}

failed=0
for rom in "$@"; do
    build "$rom"
    rm -f text
    case $emulator in
        doppel) run_doppel ;;
        qemu) run_qemu ;;
        bochs) run_bochs ;;
    esac
    comparable "$rom" "$sources/$rom.expected" >expected
    comparable "$rom" text >got
    if ! cmp -s expected got; then
        echo "FAILED: $rom under $emulator (> expected, < did):"
        diff -a got expected | head -n 100 | cut -c 1-200 || true
        failed=1
    fi
done
exit "$failed"

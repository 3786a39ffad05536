#!/usr/bin/env bash
# bench/integer_loop/run.sh [DOPPEL [ROUNDS]]
#
# Guest MIPS of the integer loop on doppel, Bochs and QEMU TCG (those that are installed), side by side: the same floppy image, ROUNDS (3)
# interleaved runs each. The time is the guest's own, between the marks that it writes to port E9h. A wrong checksum is
# a failure, not a time.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
doppel=${1:-$here/../../build/release/doppel}
rounds=${2:-3}
iterations=20000000
instructions=$((iterations * 37 / 2)) # 18.5 a round
checksum=DA9F590F

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
gcc -m32 -c -DITERATIONS=$iterations -o "$work/loop.o" "$here/loop.S"
ld -m elf_i386 -Ttext=0x7c00 --oformat=binary -e _start -o "$work/loop.img" "$work/loop.o"
truncate -s 1474560 "$work/loop.img"

cat > "$work/bochsrc" <<RC
megs: 32
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
floppya: 1_44=$work/loop.img, status=inserted
boot: floppy
port_e9_hack: enabled=1
log: $work/bochs.log
clock: sync=none
sound: driver=dummy
display_library: sdl2
RC
echo c > "$work/continue" # Debian's Bochs starts in its debugger

run_doppel() { "$doppel" -fda "$work/loop.img" -snapshot -display none -debugcon stdio; }
run_bochs() { SDL_VIDEODRIVER=dummy bochs -q -f "$work/bochsrc" -rc "$work/continue"; }
run_qemu() { qemu-system-i386 -drive "file=$work/loop.img,format=raw,if=floppy" -snapshot -display none -debugcon stdio; }

# Prints the seconds between the marks; ends the emulator after the checksum.
measure()
{
    local start='' end='' line
    # shellcheck disable=SC2034
    coproc emulator { "run_$1" 2>/dev/null </dev/null; }
    local pid=$emulator_PID
    while IFS= read -r line <&"${emulator[0]}"; do
        case $line in
        *S) start=$EPOCHREALTIME ;;
        *E) end=$EPOCHREALTIME ;;
        "$checksum") break ;;
        esac
    done
    pkill -P "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
    [ "$line" = "$checksum" ] || { echo "$1: wrong checksum '$line'" >&2; return 1; }
    awk -v s="$start" -v e="$end" 'BEGIN { printf "%.3f\n", e - s }'
}

emulators=(doppel)
command -v bochs >/dev/null && emulators+=(bochs)
command -v qemu-system-i386 >/dev/null && emulators+=(qemu)
for ((round = 0; round < rounds; round++)); do
    for emulator in "${emulators[@]}"; do
        seconds=$(measure "$emulator")
        echo "$seconds" >> "$work/$emulator.times"
    done
done
for emulator in "${emulators[@]}"; do
    sort -n "$work/$emulator.times" | awk -v name="$emulator" -v n="$instructions" '
        { t[NR] = $1 }
        END { m = t[int((NR + 1) / 2)]; printf "%-8s %7.1f MIPS   median %.3f s   (%.3f to %.3f)\n", name, n / m / 1e6, m, t[1], t[NR] }'
done

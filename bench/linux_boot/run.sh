#!/usr/bin/env bash
# bench/linux_boot/run.sh [DOPPEL [ROUNDS]]
#
# Seconds from the start of doppel, Bochs and QEMU TCG (those that are installed) to the last line of Linux's init on
# the serial port: the same CD-ROM with GRUB, Debian's Linux for i686 and a busybox initramfs (tests/boot/linux) for
# each, the same processor model, ROUNDS (3) interleaved runs. Time of the wall and of the CPU (user); ratios are of the
# latter, which a busy computer disturbs less. Needs xorriso and mtools; packages are kept in build/downloads.
set -euo pipefail
export LC_ALL=C # decimal points

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
doppel=${1:-$here/../../build/release/doppel}
rounds=${2:-3}
downloads=${DOPPEL_DOWNLOADS:-$here/../../build/downloads}
patience=1200 # seconds a run may take

work=$(mktemp -d)
pid=
trap '[ -z "$pid" ] || kill -KILL "$pid" 2>/dev/null; rm -rf "$work"' EXIT

"$here/make_cd.sh" "$downloads" "$work/linux.iso"

cat > "$work/bochsrc" <<RC
megs: 128
cpu: model=p3_katmai, ips=50000000
romimage: file=/usr/share/bochs/BIOS-bochs-latest
vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest
ata0-master: type=cdrom, path=$work/linux.iso, status=inserted
boot: cdrom
com1: enabled=1, mode=file, dev=$work/serial
log: $work/bochs.log
clock: sync=none
sound: driver=dummy
display_library: sdl2
RC
echo c > "$work/continue" # Debian's Bochs starts in its debugger

run_doppel()
{
    exec "$doppel" -cpu pentium3 -m 128 -cdrom "$work/linux.iso" -boot d -display none -serial "file:$work/serial"
}
run_bochs() { SDL_VIDEODRIVER=dummy exec bochs -q -f "$work/bochsrc" -rc "$work/continue"; }
run_qemu()
{
    exec qemu-system-i386 -accel tcg -cpu pentium3 -m 128 -cdrom "$work/linux.iso" -boot d -display none -vga std \
        -net none -serial "file:$work/serial"
}

# Prints the seconds of the wall and of the CPU until the mark; ends the emulator then.
measure()
{
    : > "$work/serial"
    local start=$EPOCHREALTIME end cpu
    "run_$1" </dev/null >"$work/output" 2>&1 &
    pid=$!
    until grep -aqs "INIT DONE" "$work/serial"; do
        if ! kill -0 "$pid" 2>/dev/null || ((${EPOCHREALTIME%.*} - ${start%.*} > patience)); then
            echo "$1: Linux did not get to its mark" >&2
            tail -n 5 "$work/output" "$work/serial" >&2
            return 1
        fi
        sleep 0.1
    done
    end=$EPOCHREALTIME
    cpu=$(cut -d ' ' -f 14 "/proc/$pid/stat")
    kill -KILL "$pid"
    wait "$pid" 2>/dev/null || true
    pid=
    awk -v s="$start" -v e="$end" -v c="$cpu" -v hz="$(getconf CLK_TCK)" \
        'BEGIN { printf "%.2f %.2f\n", e - s, c / hz }' >> "$work/$1.times"
}

emulators=(doppel)
command -v bochs >/dev/null && emulators+=(bochs)
command -v qemu-system-i386 >/dev/null && emulators+=(qemu)
for ((round = 0; round < rounds; round++)); do
    for emulator in "${emulators[@]}"; do
        measure "$emulator"
    done
done

# Prints the median of a column of an emulator's times.
median()
{
    cut -d ' ' -f "$2" "$work/$1.times" | sort -n |
        awk '{ t[NR] = $1 } END { print t[int((NR + 1) / 2)] }'
}

own=$(median doppel 2)
for emulator in "${emulators[@]}"; do
    printf '%-8s %8.2f s wall %8.2f s user   %5.2f times as long as doppel   (user:%s)\n' "$emulator" \
        "$(median "$emulator" 1)" "$(median "$emulator" 2)" \
        "$(awk -v own="$own" -v other="$(median "$emulator" 2)" 'BEGIN { print other / own }')" \
        "$(cut -d ' ' -f 2 "$work/$emulator.times" | sort -n | tr '\n' ' ' | sed 's/^/ /; s/ $//')"
done

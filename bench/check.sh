#!/bin/sh
# bench/check.sh DOPPEL IMAGES [REGEX]
#
# Proves that every workload of workloads.def (whose group/name REGEX matches) computes the checksum that its row says: as
# a process of the host, and on doppel as a kernel. The programs and images are those in the folder IMAGES.
# None is run more often than once: with 0 rounds there is only the run that comes before the clock.
set -eu

here=$(dirname "$0")
doppel=$1
images=$2
wanted=${3:-.}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

sed -nE 's/^WORKLOAD\((\w+), *(\w+),.*, *0x([0-9a-f]+), *([A-Z0-9_| ]+)\)$/\1 \2 \3 \4/p' "$here/workloads/workloads.def" |
    grep -E "^[a-z0-9_]+ [a-z0-9_]+" > "$work/rows"
rows=$(grep -c '^WORKLOAD(' "$here/workloads/workloads.def")
[ "$(wc -l < "$work/rows")" -eq "$rows" ] || { echo "workloads.def has rows that are not understood"; exit 1; }

# expect WHERE GROUP/NAME CHECKSUM: compares the last line of $work/output.
expect()
{
    checked=$((checked + 1))
    last=$(tail -n 1 "$work/output" | tr -d '\r\0')
    if [ "$last" != "end $3 0" ]; then
        echo "$2 on $1: expected \"end $3 0\", got \"$last\""
        failed=$((failed + 1))
    fi
}

checked=0
failed=0
native=yes
while read -r group name checksum properties; do
    echo "$group/$name" | grep -Eq "$wanted" || continue
    case $properties in
    *NATIVE*)
        status=0
        "$images/$name" 0 > "$work/output" 2> "$work/errors" || status=$?
        if [ "$status" -eq 126 ] && [ "$native" = yes ]; then
            echo "the host runs no 32-bit programs: only doppel is checked"
            native=no
        fi
        [ "$status" -eq 126 ] || expect host "$group/$name" "$checksum"
        ;;
    esac
    cp "$images/$name.img" "$work/image"
    printf '\0\0\0\0' | dd of="$work/image" bs=1 seek=556 conv=notrunc 2> "$work/errors" # the rounds
    "$doppel" -cpu pentium4 -m 256 -kernel "$work/image" -display none -debugcon stdio \
        -device isa-debug-exit,iobase=0xf4,iosize=4 > "$work/output" 2> "$work/errors" < /dev/null || true
    expect doppel "$group/$name" "$checksum"
done < "$work/rows"

[ "$checked" -gt 0 ] || { echo "no workload is called like $wanted"; exit 1; }
echo "$checked checksums, $failed wrong"
[ "$failed" -eq 0 ]

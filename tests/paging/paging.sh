#!/bin/sh
# tests/paging/paging.sh DOPPEL IMAGE SEED OPERATIONS SPIN [OPTION...]
#
# Runs the guest that does to its page tables whatever it may (paging_guest.c), with these parameters, on doppel with
# these options. It checks itself; -check lockstep compares it with the interpreter as well. WANTED, in the environment,
# names counters, each of which must not be 0 afterwards. The checksum and these counters are printed. Also from the
# environment: GLOBAL is 0 when CR4.PGE is to stay off; NOTICE must be in one line of what doppel says; PRELOAD is a
# library that it is started with; ADDRESSES is how many KiB of them it may have.
set -eu

doppel=$1 image=$2 seed=$3 operations=$4 spin=$5
shift 5

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

# word NUMBER: as four bytes
word()
{
    printf "\\$(printf %o $(($1 & 255)))\\$(printf %o $(($1 >> 8 & 255)))\\$(printf %o $(($1 >> 16 & 255)))\\$(printf %o $(($1 >> 24 & 255)))"
}

cp "$image" "$work/image"
printf '\0\0\0\0' | dd of="$work/image" bs=1 seek=556 conv=notrunc 2> "$work/errors" # rounds of the bench
at=$(grep -abo PAGINGST "$image" | head -n 1 | cut -d : -f 1)
{ word "$seed"; word "$operations"; word "$spin"; word "${GLOBAL:-1}"; } |
    dd of="$work/image" bs=1 seek=$((at + 8)) conv=notrunc 2> "$work/errors"

run_doppel()
{
    [ -z "${ADDRESSES:-}" ] || ulimit -v "$ADDRESSES"
    LD_PRELOAD=${PRELOAD:-} exec "$doppel" "$@"
}

status=0
(run_doppel -cpu pentium3 -m 64 -kernel "$work/image" -display none -debugcon "file:$work/output" -no-reboot \
    -device isa-debug-exit,iobase=0xf4,iosize=4 -counters "$work/counters" "$@") > "$work/log" 2>&1 || status=$?
cat "$work/log"
last=$(tail -n 1 "$work/output" | tr -d '\r\0')
echo "seed $seed, $operations operations: $last"
case $last in
"end "*" 0") ;;
*) echo "the guest has found something wrong (exit status $status)"; exit 1 ;;
esac
case $status in
0 | 1) ;; # what a guest's exit by the debug port gives
*) echo "exit status $status"; exit 1 ;;
esac
if [ "${NOTICE:-}" ] && [ "$(grep -c "$NOTICE" "$work/log")" -ne 1 ]; then
    echo "not said once: $NOTICE"
    exit 1
fi
for counter in ${WANTED:-}; do
    grep "^$counter " "$work/counters" || echo "$counter 0"
    grep -q "^$counter [1-9]" "$work/counters" || { echo "$counter must not be 0"; exit 1; }
done

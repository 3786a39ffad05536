#!/bin/sh
# determinism.sh DOPPEL IMAGE: the same counted run twice ends with the same memory and registers, bit for bit.
set -eu
. "$(dirname "$0")/../common.sh"
doppel=$1
image=$2
make_work_directory
require_image "$image"
cat >"$work/script" <<'END'
run-instructions 9000000
memory-hash
cont
wait-screen "doppel>" 60
memory-hash
type "help\n"
run-instructions 123456
memory-hash
quit
END
for run in 1 2; do
    "$doppel" --icount -fda "$image,readonly" -display none -script "$work/script" >"$work/$run"
done
grep -q '^ram crc32' "$work/1"
if ! cmp "$work/1" "$work/2"; then
    diff "$work/1" "$work/2" || true
    echo "FAILED: two runs differ"
    exit 1
fi
cat "$work/1"

#!/bin/sh
# finds_fault.sh RANDOM-STREAM: a broken instruction is found and left alone in the report, and a sound engine passes.
set -eu

random_stream=$1
status=0
output=$("$random_stream" --fault bswap --instructions 200000) || status=$?
if [ "$status" -ne 1 ]; then
    echo "FAILED: exit status $status for an engine whose BSWAP is broken"
    exit 1
fi
if ! echo "$output" | grep -q "^1 items are left" || ! echo "$output" | grep -q "^> .*bswap"; then
    echo "FAILED: the broken instruction is not alone in:"
    echo "$output"
    exit 1
fi
"$random_stream" --instructions 200000

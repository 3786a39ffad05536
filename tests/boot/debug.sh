#!/bin/sh
# debug.sh DOPPEL SCRIPT ENGINES OPTION...
#
# Carries out SCRIPT with each of the ENGINES ("interp dbt"), the machine being paused at reset, and looks in what doppel
# prints for the texts of the lines "#expect-output TEXT", which must come in this order. Guest time is counted, so what is
# printed must be the same with every engine. In OPTIONs, "image:FILE" is FILE, without which the test is skipped.
set -eu
. "$(dirname "$0")/../common.sh"

doppel=$1
script=$2
engines=$3
shift 3

for option; do
    shift
    case $option in
    image:*)
        option=${option#image:}
        require_image "$option"
        ;;
    esac
    set -- "$@" "$option"
done

make_work_directory

for engine in $engines; do
    status=0
    (cd "$work" && exec "$doppel" -S -engine "$engine" --icount shift=6 -display none -snapshot -script "$script" "$@") \
        >"$work/$engine.out" || status=$?
    if [ "$status" -ne 0 ]; then
        cat "$work/$engine.out"
        echo "FAILED: doppel -engine $engine ended with status $status"
        exit 1
    fi
done

first=${engines%% *}
for engine in $engines; do
    if ! cmp "$work/$first.out" "$work/$engine.out"; then
        diff "$work/$first.out" "$work/$engine.out" || true
        echo "FAILED: -engine $engine stops elsewhere than -engine $first"
        exit 1
    fi
done

sed -n 's/^#expect-output //p' "$script" >"$work/expected"
awk '
    FILENAME == ARGV[1] { expected[++count] = $0; next }
    next_one < count && index($0, expected[next_one + 1]) { next_one++ }
    END {
        if (count == 0 || next_one < count) {
            print "FAILED: this was not printed, or not in its turn: " expected[next_one + 1]
            exit 1
        }
    }' "$work/expected" "$work/$first.out" || {
    cat "$work/$first.out"
    exit 1
}

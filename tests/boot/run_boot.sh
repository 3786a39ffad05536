#!/bin/sh
# run_boot.sh DOPPEL SCRIPT IMAGE [OPTION...]
#
# Boots a copy of IMAGE (IMAGE,readonly: write-protected) in a directory of its own, where another copy is second.img,
# and carries out SCRIPT (monitor commands, see `help` there), which looks at what the guest does and ends with `quit`.
# Guest time is counted in instructions, so that the result does not depend on how fast the host is; an instruction is
# worth 64 ns, so that guests which poll while they wait do not take long. IMAGE "none" is a machine without a disk. An
# IMAGE that is not there is a skip (77). $DOPPEL_TEST_STRATEGIES adds to the OPTIONs.
#
# Lines of SCRIPT that begin with "#expect FILE" name files that must exist afterwards and not be empty, "#expect-text FILE
# TEXT" what must stand in one. What was sent to serial.log is shown after a failure.
set -eu
. "$(dirname "$0")/../common.sh"

doppel=$1
script=$2
image=$3
shift 3

make_work_directory

suffix=
case $image in
*,readonly)
    suffix=,readonly
    image=${image%,readonly}
    ;;
esac

if [ "$image" != none ]; then
    require_image "$image"
    cp "$image" "$work/disk.img"
    cp "$image" "$work/second.img"
    chmod u+w "$work/disk.img" "$work/second.img"
    set -- -fda "disk.img$suffix" "$@"
fi

status=0
show_serial()
{
    if [ -s "$work/serial.log" ]; then
        echo "---- failures among what the guest said, and its last lines:"
        grep -a FAIL "$work/serial.log" || true
        tail -n 20 "$work/serial.log"
    fi
}
strategies=$(strategy_options)
# shellcheck disable=SC2086 # options are words
(cd "$work" && exec "$doppel" --icount shift=6 -display none -script "$script" "$@" $strategies) || status=$?
if [ "$status" -ne 0 ]; then
    echo "FAILED: doppel ended with status $status"
    show_serial
    exit 1
fi
if [ -n "$suffix" ] && ! cmp "$image" "$work/disk.img"; then
    echo "FAILED: the write-protected image was changed"
    exit 1
fi
sed -n 's/^#expect //p' "$script" | while read -r file; do
    if [ ! -s "$work/$file" ]; then
        echo "FAILED: $file was not written"
        exit 1
    fi
done
sed -n 's/^#expect-text //p' "$script" | while read -r file text; do
    if ! grep -aqF -- "$text" "$work/$file"; then
        echo "FAILED: \"$text\" is not in $file"
        show_serial
        exit 1
    fi
done

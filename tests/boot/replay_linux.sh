#!/bin/sh
# replay_linux.sh DOPPEL CACHE
#
# Records the distribution's Linux with an initramfs (linux.sh) from start to power-off, with input at its serial console,
# on the translator, and replays it three times, and once with other strategies: each with the recorded checksums and the
# same output. Skipped (77) where that guest cannot be had.
set -eu
. "$(dirname "$0")/../common.sh"

here=$(cd "$(dirname "$0")" && pwd)
doppel=$1
cache=$2
make_work_directory
sh "$here/linux/make_guest.sh" "$cache" "$work"
cd "$work"

fail()
{
    echo "FAILED: $*"
    exit 1
}

# machine OPTION...
machine()
{
    "$doppel" -display none -m 128 -kernel vmlinuz -initrd initrd.gz \
        -append "console=ttyS0 quiet panic=-1 memory=128 task=bench cryptomgr.notests" "$@"
}

: >recorded.out
{
    while echo "a line" 2>/dev/null; do
        sleep 0.3
    done
} | machine -engine dbt -icount shift=6 -record log -serial stdio >recorded.out || fail "recording ended with status $?"
[ -s recorded.out ] || fail "Linux said nothing"
grep -qF 'a line' recorded.out || fail "the console has echoed nothing"

# replay NAME OPTION...
replay()
{
    name=$1
    shift
    machine -replay log -serial "file:$name.out" "$@" 2>"$name.err" || {
        cat "$name.err"
        fail "the replay \"$name\" ended with status $?"
    }
    grep '^doppel: the recording has ended' "$name.err" >"$name.end" || fail "\"$name\" did not come to the end"
    cmp recorded.out "$name.out" || fail "in the replay \"$name\" Linux says something else"
    [ -e first.end ] || cp "$name.end" first.end
    cmp first.end "$name.end" || fail "\"$name\" ended otherwise than the first replay"
}

for run in 1 2 3; do
    replay "$run" -engine dbt
done
replay callout -engine dbt -mmu softtlb -sensitive callout
cat first.end

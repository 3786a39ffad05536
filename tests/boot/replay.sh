#!/bin/sh
# replay.sh DOPPEL SCRIPT IMAGE ENGINES: records what SCRIPT types into a guest, and replays it.
#
# The recording is made with the first of the ENGINES ("interp dbt") and replayed three times with the last, once with
# each other one and with other strategies: always with the same checksums. Then what goes wrong must be one clear line:
# logs that are damaged, machines and images that are others, runs that go another way. IMAGE is copied, so that it can be
# changed; second.img is another copy, for SCRIPT to put in. Skipped (77) without IMAGE.
set -eu
. "$(dirname "$0")/../common.sh"

doppel=$1
script=$(cd "$(dirname "$2")" && pwd)/$(basename "$2")
image=$3
engines=$4
require_image "$image"
make_work_directory
cp "$image" "$work/disk.img"
cp "$image" "$work/second.img"
chmod u+w "$work/disk.img" "$work/second.img"
cd "$work"

fail()
{
    echo "FAILED: $*"
    exit 1
}

first=${engines%% *}
last=${engines##* }

"$doppel" -engine "$first" -record log -icount shift=6 -rtc base=2001-02-03 -fda disk.img -display none \
    -script "$script" >recorded || fail "recording ended with status $?"
cmp "$image" disk.img || fail "recording has written to the image"

# replay NAME OPTION...
replay()
{
    name=$1
    shift
    "$doppel" -replay log -fda disk.img -display none "$@" >"$name.out" 2>"$name.err" || {
        cat "$name.err"
        fail "the replay \"$name\" ended with status $?"
    }
    grep '^doppel: the recording has ended' "$name.err" >"$name.end" || fail "\"$name\" did not come to the end"
    [ -s first.end ] || cp "$name.end" first.end
    cmp first.end "$name.end" || fail "\"$name\" ended otherwise than the first replay"
}

rm -f first.end
for run in 1 2 3; do
    replay "$last-$run" -engine "$last"
done
for engine in $engines; do
    [ "$engine" = "$last" ] || replay "$engine" -engine "$engine"
done
if [ "$last" = dbt ]; then
    replay callout -engine dbt -mmu softtlb -sensitive callout
    replay shadow -engine dbt -mmu shadow -chain off
fi
cat first.end

# Going back on the way, and forward again, changes nothing of where it ends.
cat >back <<'END'
tbreak 0x7c00
cont
wait-stop
reverse-step 100000
step 100000
cont
sleep 3
stop
goto retired - 5000000
watch /d 0x46c
reverse-continue
reverse-continue
delete
goto retired - 3000
goto retired + 3000000
cont
sleep 100
END
for engine in $engines; do
    replay "back-$engine" -engine "$engine" -S -reverse -script back
done

# With a monitor, the machine pauses where the recording ended.
: >monitor.err
{
    until grep -q 'recording has ended\|differs' monitor.err; do
        sleep 0.2
    done
    echo memory-hash
    echo quit
} | "$doppel" -engine "$last" -replay log -fda disk.img -display none -monitor stdio >monitor.out 2>monitor.err ||
    fail "the replay with a monitor ended with status $?"
ram=$(sed -n 's/.*checksums are \([0-9a-f]*\) .*/\1/p' first.end)
grep -q "ram crc32 $ram" monitor.out || fail "with a monitor the memory was another one at the end"

# The same where the replay goes another way; then the exit status is the monitor's.
: >astray.err
{
    echo 'write 0x2000000 1'
    echo cont
    until grep -q 'recording has ended\|differs' astray.err; do
        sleep 0.2
    done
    echo info status
    echo quit 7
} | {
    status=0
    "$doppel" -engine "$last" -replay log -fda disk.img -display none -S -monitor stdio >astray.out 2>astray.err ||
        status=$?
    [ "$status" -eq 7 ] || fail "the replay that went another way ended with status $status"
}
grep -q 'differs from the recording' astray.err || fail "a changed guest replayed as if nothing had happened"
grep -q 'machine: paused' astray.out || fail "a replay that went another way did not pause for the monitor"

# refused STATUS TEXT OPTION...: ends with STATUS and a line that has TEXT
refused()
{
    expected=$1
    text=$2
    shift 2
    status=0
    "$doppel" -display none "$@" >out 2>err || status=$?
    grep -v '^doppel: replaying' err >lines || true
    if [ "$status" -ne "$expected" ] || [ "$(wc -l <lines)" -ne 1 ] || ! grep -qF -- "$text" lines; then
        cat err
        fail "expected status $expected and \"$text\" from $*; the status was $status"
    fi
}

refused 1 'memory: 65536 KiB' -replay log -fda disk.img -m 8
refused 1 'processor: pentium3' -replay log -fda disk.img -cpu pentium
refused 1 'pentium3,+rdrand' -replay log -fda disk.img -cpu pentium3,+rdrand
refused 1 'boot order' -replay log -fda disk.img -boot c
refused 1 'clock at power-on' -replay log -fda disk.img -rtc base=2001-02-04
refused 1 'time of an instruction' -replay log -fda disk.img -icount shift=5
refused 1 'floppy drive A' -replay log
refused 1 'serial port 0' -replay log -fda disk.img -serial file:serial
refused 1 'cannot read the recording' -replay none -fda disk.img
refused 1 'is no recording' -replay disk.img -fda disk.img
refused 2 'exclude' -replay log -record log2 -fda disk.img
refused 2 'exclude' -replay log -check lockstep -fda disk.img
head -c 1000 log >short
refused 1 'cut off' -replay short -fda disk.img
cp log wrong
printf 'x' | dd of=wrong bs=1 seek=1500 conv=notrunc 2>dd.err
refused 1 'damaged' -replay wrong -fda disk.img
printf 'run-instructions 1000\nwrite 0x2000000 1\ncont\n' >poke
refused 1 'differs from the recording' -replay log -fda disk.img -script poke
printf 'x' | dd of=disk.img bs=1 seek=100000 conv=notrunc 2>dd.err
refused 1 'floppy drive A' -replay log -fda disk.img
cp "$image" disk.img
printf 'x' | dd of=second.img bs=1 seek=100000 conv=notrunc 2>dd.err
refused 1 'second.img' -replay log -fda disk.img

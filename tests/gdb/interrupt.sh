#!/bin/sh
# interrupt.sh DOPPEL IMAGE: gdb's Ctrl+C while doppel searches the past, and while the guest runs. The answer is a stop by it, and after a
# search the machine is as it was where that began. gdb is this script: packets through pipes.
#
# IMAGE is the demo disk. The search would be a long one, for a store to code of which nothing is wanted.
set -eu
. "$(dirname "$0")/../common.sh"

doppel=$1
image=$2
make_work_directory
cd "$work"

# send DATA: as a packet
send()
{
    sum=$(printf %s "$1" | od -An -v -tu1 | awk '{ for (i = 1; i <= NF; i++) sum += $i } END { printf "%02x", sum % 256 }')
    printf '$%s#%s' "$1" "$sum" >&3
}

# wait_for COUNT: until so many packets have come
wait_for()
{
    until [ "$(tr -cd '#' <out | wc -c)" -ge "$1" ]; do
        kill -0 "$process" || fail "doppel has ended"
        sleep 0.05
    done
}

# packet N: the data of the N-th
packet()
{
    tr '$' '\n' <out | sed -n "$(($1 + 1))s/#..*//p"
}

fail()
{
    echo "FAILED: $*"
    cat out
    exit 1
}

monitor()
{
    send "qRcmd,$(printf %s "$1" | od -An -v -tx1 | tr -d ' \n')"
}

mkfifo in
: >out
"$doppel" -S -gdb stdio -reverse -display none -snapshot -fda "$image" <in >out 2>messages &
process=$!
exec 3>in
send QStartNoAckMode
send Z1,7c00,1
send c
wait_for 3
monitor 'step 20000000'
wait_for 5
monitor 'catch smc if 0'
wait_for 7
monitor memory-hash
wait_for 9
send g
wait_for 10
send bc
sleep 0.5
printf '\003' >&3
wait_for 11
monitor memory-hash
wait_for 13
send g
wait_for 14
case $(packet 11) in
T02*) ;;
*) fail "the search has ended by something else: $(packet 11)" ;;
esac
[ "$(packet 8)" = "$(packet 12)" ] || fail "the machine is not what it was"
[ "$(packet 10)" = "$(packet 14)" ] || fail "registers are not what they were"
send c
sleep 0.2
printf '\003' >&3
wait_for 15
case $(packet 15) in
T02*) ;;
*) fail "the running guest has stopped by something else: $(packet 15)" ;;
esac
send k
wait "$process" || fail "doppel ended with status $?"

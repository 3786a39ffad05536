#!/bin/sh
# reverse.sh DOPPEL IMAGE ENGINES: going back and forth leads to the same states, across changes of mode, interrupts and
# keys: by steps, one by one, and by long ways; and what stops the machine forwards stops it backwards, in turn.
#
# IMAGE is the demo disk. What a script prints between the lines "print 0xaNN" is section NN; sections in which the machine
# must be in the same state are compared, and everything with each of the ENGINES ("interp dbt").
set -eu
. "$(dirname "$0")/../common.sh"

doppel=$1
image=$2
engines=$3
make_work_directory
cd "$work"

fail()
{
    echo "FAILED: $*"
    exit 1
}

# section NN: what memory-hash says here
section()
{
    printf 'print 0xa%s\nmemory-hash\nprint 0xaff\n' "$1"
}

# back_and_forth N STEPS: sections N0 to N4, around here
back_and_forth()
{
    section "${1}0"
    echo "reverse-step $2"
    section "${1}1"
    echo "step $2"
    section "${1}2"
    yes reverse-step | head -n "$2"
    section "${1}3"
    echo "step $2"
    section "${1}4"
}

{
    printf 'tbreak 0x7c00\ncont\nwait-stop\ncatch mode protected\ncont\nwait-stop\ndelete\nstep 700\n'
    back_and_forth 1 1000
    printf 'cont\nwait-serial "> " 60\ntype "help\\n"\nsleep 1\ncatch irq\ncont\nwait-stop\ndelete\nstep 100\n'
    back_and_forth 2 250
    section 30
    echo 'goto retired - 3000000'
    section 31
    echo 'goto retired + 3000000'
    section 32
    echo 'goto 10000000'
    section 33
    echo 'step 2000000'
    section 34
    echo 'goto 12000000'
    section 35
    echo quit
} >script

# stops KEYS COMMAND...: stops of the machine where the commands have it stop, forwards and then backwards
stops()
{
    printf 'tbreak 0x7c00\ncont\nwait-stop\n'
    [ -z "$1" ] || printf 'cont\nwait-serial "> " 60\ntype "%s"\nsleep 0.5\nstop\n' "$1"
    shift
    printf '%s\n' "$@"
    echo 'print 0xf01'
    yes 'cont
wait-stop' | head -n 60
    echo 'print 0xf02'
    yes reverse-continue | head -n 29
    echo quit
}

stops '' 'catch irq' 'catch int 0x13' 'catch mode' 'watch /d 0x46c' 'watch /p 0x10100' 'rwatch /dp 0x46c' 'iobreak 0x20 w' >stops-1
stops 'help\n' 'catch irq' 'iobreak 0x60 r' 'break cs.base+eip' 'catch cr3' >stops-2
for script in stops-1 stops-2; do
    for engine in $engines; do
        "$doppel" -S -engine "$engine" -reverse -icount shift=6 -display none -snapshot -fda "$image" -script $script \
            >$script.out || fail "doppel -engine $engine ended with status $?"
        awk '
            /^0xf0/ { way = $1; next }
            !/^breakpoint/ { next }
            way == "0xf01" { forwards[++count] = $0 }
            way == "0xf02" { # an access is ahead, which is one instruction earlier
                if (sub(/ahead is a /, "")) {
                    sub(/ will be /, " now ")
                    instructions = $0
                    sub(/^.* after /, "", instructions)
                    sub(/ after [0-9]* instructions$/, "")
                    $0 = $0 " after " (instructions + 1) " instructions"
                }
                # From behind an access, the first way back leads to it.
                if (++back == 1 && forwards[count] ~ /: (read|write) of/) {
                    count++
                }
                if ($0 != forwards[count - back]) {
                    print "backwards: " $0 "\nforwards:  " forwards[count - back]
                    failed = 1
                }
            }
            END { exit failed || count < 30 || back != 29 }' $script.out || fail "$script: -engine $engine stops elsewhere"
    done
done

for engine in $engines; do
    "$doppel" -S -engine "$engine" -reverse -icount shift=6 -display none -snapshot -fda "$image" -script script \
        >"$engine.out" || fail "doppel -engine $engine ended with status $?"
    rm -f ./*.section
    awk '/^0xa[0-9a-f][0-9a-f] / { name = substr($1, 4) ".section"; next } name != "ff.section" && name != "" { print > name }' \
        "$engine.out"
    for pair in 10:12 10:14 11:13 20:22 20:24 21:23 30:32 34:35; do
        cmp "${pair%:*}.section" "${pair#*:}.section" || fail "-engine $engine: the states ${pair%:*} and ${pair#*:} differ"
    done
    for pair in 10:11 20:21 30:31 33:34; do
        ! cmp -s "${pair%:*}.section" "${pair#*:}.section" || fail "-engine $engine: ${pair%:*} is ${pair#*:}"
    done
    cmp "${engines%% *}.out" "$engine.out" || fail "-engine $engine goes elsewhere"
done

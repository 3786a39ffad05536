#!/bin/sh
# trace.sh DOPPEL IMAGE: what -d writes is what happened, in the lines that can be compared with QEMU's, and -D, -dfilter,
# -singlestep and -counters do what they say. On the interpreter, whose blocks are executed to their end: trace_engines.sh
# compares the others with it.
set -eu
. "$(dirname "$0")/../common.sh"

doppel=$1
image=$2
make_work_directory
cd "$work"
failures=0

# trace INSTRUCTIONS OPTION...: leaves the log of the first instructions in `log`.
trace()
{
    printf 'run-instructions %s 1000\nquit\n' "$1" >script
    shift
    "$doppel" -engine interp -icount shift=6 -display none -cpu pentium3 -fda "$image,readonly" -script script -D log "$@"
}

# has NAME FILE EXPRESSION: FILE has a line that matches the whole basic regular expression.
has()
{
    if ! grep -qx -- "$3" "$2"; then
        echo "FAILED: $1: no line is $3; the first ones are"
        head -n 5 "$2" | sed 's/^/    /'
        failures=$((failures + 1))
    fi
}

# is NAME HAVE WANT
is()
{
    if [ "$2" != "$3" ]; then
        echo "FAILED: $1: $2, expected $3"
        failures=$((failures + 1))
    fi
}

trace 1000 -d exec,cpu -singlestep
is "one line for each instruction" "$(grep -c '^Trace 0: ' log)" 1000
is "registers with each of them" "$(grep -c '^EAX=' log)" 1000
is "where a PC starts" "$(sed -n 1p log)" "Trace 0: 0x0000fffffff0 [ffff0000/fffffff0/00000000/1] "
is "registers after reset" "$(sed -n 2,4p log)" "EAX=00000000 EBX=00000000 ECX=00000000 EDX=00000686
ESI=00000000 EDI=00000000 EBP=00000000 ESP=00000000
EIP=0000fff0 EFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0"
has "a data segment in protected mode" log "DS =0010 00000000 ffffffff 00cf9300 DPL=0 DS   \[-WA\]"
has "a code segment in protected mode" log "CS =0008 00000000 ffffffff 00cf9b00 DPL=0 CS32 \[-RA\]"
sed -n 's/^Trace.*\[.*\/\(.*\)\/.*\/.*/\1/p' log >addresses
is "the second instruction" "$(sed -n 2p addresses)" 000fe05b

trace 1000 -d exec
is "blocks hold the same instructions" \
    "$(sed -n 's/^Trace.*\/\([0-9a-f]*\)\] $/\1/p' log | while read -r count; do echo $((0x$count)); done |
        awk '{ sum += $1 } END { print sum }')" 1000
is "nothing but blocks" "$(grep -vc '^Trace' log)" 0

trace 1000 -d exec -singlestep -dfilter 0xfe05b+0x10,0xffff0000..0xffffffff
is "no address outside the filter" "$(grep -vc '\[ffff0000/fffffff0/\|\[000f0000/000fe0[56]' log)" 0
is "first address of the filter" "$(grep -c '/fffffff0/' log)" 1

trace 1000 -d in_asm
has "bytes of the first instruction" log "0xfffffff0:  ea 5b e0 00 f0.*"
is "code is shown once" "$(grep -c '^0x000fe05b: ' log)" 1

trace 10000000 -d io,mmu,reset,post
has "paging is off, protection on" log "CR0 update: CR0=0x00000011"
has "reading the clock chip" log "io: in  0071/1 = [0-9a-f]*  rtc"
has "PCI configuration" log "io: out 0cf8/4 = 80000000  pci-address"
has "a port that nobody has" log "io: in  .*  (nothing)"
has "memory of a device" log "io: mmio write 000b8[0-9a-f]*/[124] = .*  vga-window"

trace 10000000 -d int
has "software interrupt in real mode" log " *[0-9]*: v=13 e=0000 i=1 cpl=0 IP=[0-9a-f]*:[0-9a-f]* pc=.* SP=.* env->.*"
has "hardware interrupt" log "Servicing hardware INT=0x20"
has "the same in protected mode" log " *[0-9]*: v=20 e=0000 i=0 cpl=0 IP=0008:[0-9a-f]* pc=[0-9a-f]* SP=0010:.*"

cat >script <<'END'
wait-screen "doppel>" 60
log int,mmu
type "fault page\n"
wait-screen "page fault" 20
log none
quit
END
"$doppel" -engine interp -icount shift=6 -display none -fda "$image,readonly" -script script -D log >out
has "page fault" log " *[0-9]*: v=0e e=000[0-7] i=0 cpl=0 IP=0008:[0-9a-f]* pc=[0-9a-f]* SP=.* CR2=[0-9a-f]*"
has "failed walk" log "mmu: walk [0-9a-f]* for a supervisor [a-z]*: page fault, error code 000[0-7]"
has "successful walk" log "mmu: walk [0-9a-f]* for a supervisor fetch: [0-9a-f]* writable.*"
has "paging is on" log "CR0 update: CR0=0x800000[0-9a-f]*"

trace 1000
is "nothing was asked for" "$(wc -c <log | tr -d ' ')" 0

trace 12345 -counters counters
has "the counters say how many instructions were retired" counters 'instructions 12345'
has "the counters have what the machine counts, by name" counters 'port-writes [1-9][0-9]*'
is "the counters are a name and a number each" "$(grep -cvE '^[a-z-]+ [0-9]+$' counters || true)" 0

[ "$failures" -eq 0 ]

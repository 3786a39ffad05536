#!/bin/sh
# trace_engines.sh DOPPEL IMAGE: -d shows the same of a guest whichever engine runs it, and of the translator its host code.
set -eu
. "$(dirname "$0")/../common.sh"

doppel=$1
image=$2
make_work_directory
cd "$work"

"$doppel" -engine help | grep -q '^dbt' || skip "this doppel has no translator"

# trace LOG INSTRUCTIONS OPTION...
trace()
{
    log=$1
    printf 'run-instructions %s 1000\nquit\n' "$2" >script
    shift 2
    "$doppel" -icount shift=6 -display none -cpu pentium3 -fda "$image,readonly" -script script -D "$log" "$@"
}

fail()
{
    echo "FAILED: $*"
    exit 1
}

for engine in interp dbt; do
    trace $engine 300000 -engine $engine -d exec,cpu -singlestep
done
cmp interp dbt || fail "the engines show different registers or instructions"
[ "$(grep -c '^Trace 0: ' dbt)" = 300000 ] || fail "not one line for each instruction"

# Switched on while the guest runs: blocks that are linked to each other show up too.
cat >script <<'END'
run-instructions 3000000 1000
log exec
run-instructions 1000 1000
log none
run-instructions 1000 1000
quit
END
"$doppel" -engine dbt -icount shift=6 -display none -fda "$image,readonly" -script script -D log
shown=$(sed -n 's/^Trace.*\/\([0-9a-f]*\)\] $/\1/p' log | while read -r count; do echo $((0x$count)); done |
    awk '{ sum += $1 } END { print sum }')
# A jump in the middle of a block leaves it, so that fewer instructions than it has may have run.
[ "$shown" -ge 1000 ] && [ "$shown" -lt 3000 ] || fail "blocks of $shown instructions were shown, 1000 ran"

# Code that is not warm yet is shown as well.
trace log 1000 -engine dbt -d in_asm
grep -q '^0x000fe05b:  2e 66 83 3e c8 61 00' log || fail "what the fallback executes is not in in_asm"

trace log 1000 -engine dbt -tb-warm 0 -d in_asm,out_asm
for line in '0x000fe05b:  2e 66 83 3e c8 61 00.*' 'OUT: \[size=[1-9][0-9]*\]' \
    '  -- guest addr 0x000[0-9a-f]* + tb prologue' '  -- guest addr 0x000[0-9a-f]*' '  -- tb slow paths + alignment' \
    '  data: \[size=[1-9][0-9]*\]' '0x[0-9a-f]*:  \.quad  0x[0-9a-f]*'; do
    grep -qx -- "$line" log || fail "no line is $line"
done

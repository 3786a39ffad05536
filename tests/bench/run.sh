#!/bin/sh
# run.sh DOPPEL-BENCH DOPPEL: one workload, measured on doppel and natively, from the command line to the files; a run that is
# interrupted, and goes on; what wrong options get.
set -eu
. "$(dirname "$0")/../common.sh"

bench=$1
doppel=$2
make_work_directory
cd "$work"
mkdir tmp
TMPDIR=$work/tmp
export TMPDIR
failures=0

fail()
{
    echo "FAILED: $1"
    failures=$((failures + 1))
}

# expect NAME FILE TEXT
expect()
{
    if [ -n "$3" ] && ! grep -qF -- "$3" "$2"; then
        fail "$1: \"$3\" is not in:"
        head -n 20 "$2" | sed 's/^/    /'
    fi
}

# check NAME STATUS TEXT OPTION...: exit status, and text on standard error.
check()
{
    name=$1
    expected=$2
    text=$3
    shift 3
    status=0
    "$bench" "$@" >out 2>err || status=$?
    [ "$status" -eq "$expected" ] || fail "$name: exit status $status, expected $expected"
    expect "$name" err "$text"
}

check "a measured run" 0 "" --doppel "$doppel" --peers native --filter integer/sort --repeat 2 --time 0.05 --json one.json
expect "the table has the workload" out "sort"
expect "the table has the mean" out "interp against native"
expect "the file says it is complete" one.json '"complete": true'
expect "doppel's counters are there" one.json '"instructions"'
if grep -q '"state": "[a-np-z]' one.json; then
    fail "a cell has no times:"
    cat one.json
fi

"$bench" compare one.json one.json >out || fail "compare found a difference between a file and itself"
expect "compare has a summary" out "0 slower, 0 broken"

# Interrupted in the middle: the file is there, nothing else is left, and the rest can be run later.
"$bench" --doppel "$doppel" --peers native --filter 'integer/*' --repeat 1 --time 0.05 --json two.json >out 2>err &
pid=$!
while ! grep -q 'calibration: [2-9]' err; do
    kill -0 "$pid" || break
    sleep 0.1
done
kill -TERM "$pid" 2>/dev/null || true # a shell has its background jobs ignore SIGINT
status=0
wait "$pid" || status=$?
[ "$status" -eq 130 ] || fail "an interrupted run ended with $status"
expect "an interrupted run says so in its file" two.json '"complete": false'
[ -z "$(ls tmp)" ] || fail "an interrupted run left files: $(ls tmp)"
check "resuming" 0 "" --resume two.json
expect "the resumed run is complete" two.json '"complete": true'

check "unknown option" 2 "unknown option --fast" --fast
check "unknown workload" 2 "no workload matches" --filter nothing/such
check "unknown strategy" 2 "no value of --mmu" --mmu magic
check "missing file" 2 "cannot read" compare one.json missing.json
check "unwritable results" 1 "cannot write" --doppel "$doppel" --peers none --filter integer/sort --repeat 1 --time 0.01 \
    --json /nonexistent/results.json
check "missing doppel" 0 "" --doppel /nonexistent/doppel --peers none --filter integer/sort --repeat 1
expect "a missing doppel is a column that says so" out "/nonexistent/doppel was not found"
printf '#!/bin/sh\n"%s" "$@" | grep -v adaptive\n' "$doppel" >older-doppel
chmod +x older-doppel
"$bench" --doppel "$PWD/older-doppel" --list >out || fail "--list ended badly"
grep 'adaptive .*not built yet' out >/dev/null || fail "--list does not name what is not built"
"$bench" --doppel "$doppel" --list >out || fail "--list ended badly"
grep -q 'engine *interp' out || fail "--list has no interpreter"
if grep 'interp\|softtlb' out | grep 'not built yet'; then
    fail "--list does not know what doppel has"
fi

[ "$failures" -eq 0 ]

#!/bin/sh
# html.sh DOPPEL-BENCH: a report from a file of results, with and without gnuplot; xmllint agrees that it is well-formed,
# where there is one.
set -eu
. "$(dirname "$0")/../common.sh"

bench=$1
make_work_directory
failures=0

fail()
{
    echo "FAILED: $1"
    failures=$((failures + 1))
}

cat >"$work/results.json" <<'END'
{"schema": 1, "program": "doppel-bench", "version": "1", "commit": "", "date": "2026-01-02T03:04:05Z", "complete": true,
 "elapsed_seconds": 12.5,
 "host": {"cpu": "A & B", "cores": 2, "memory_kib": 1048576, "kernel": "k", "system": "s", "load_before": 0.5, "load_after": 1},
 "settings": {"quick": true, "repeat": 3, "filter": "", "selections": "--quick\n"},
 "configurations": [
  {"id": "qemu", "kind": "qemu", "program": "q", "version": "7", "available": true, "note": ""},
  {"id": "interp", "kind": "doppel", "program": "d", "version": "1", "available": true, "note": ""}],
 "workloads": [{"group": "user", "name": "<img src=x>", "text": "mine", "checksum": null}],
 "cells": [
  {"group": "user", "workload": "<img src=x>", "configuration": "qemu", "state": "ok", "note": "", "counters": {}, "samples": [
   {"seconds": 0.5, "rounds": 5, "start_seconds": 0.1, "cpu_seconds": 0.6, "peak_rss_kib": 2048}]},
  {"group": "user", "workload": "<img src=x>", "configuration": "interp", "state": "ok", "note": "", "counters": {}, "samples": [
   {"seconds": 1.5, "rounds": 5, "start_seconds": 0.1, "cpu_seconds": 1.6, "peak_rss_kib": 2048}]}]}
END

# report NAME: exit status 0; what is in every report.
report()
{
    status=0
    "$bench" html "$work/results.json" "$work/report.html" 2>"$work/err" || status=$?
    [ "$status" -eq 0 ] || fail "$1: exit status $status"
    for text in "3.00×" "300 ms" "&lt;img src=x&gt;" "A &amp; B"; do
        grep -qF -- "$text" "$work/report.html" || fail "$1: no \"$text\""
    done
    if command -v xmllint >/dev/null && ! xmllint --noout "$work/report.html"; then
        fail "$1: not well-formed"
    fi
}

report "as the machine is"

mkdir "$work/empty"
whole=$PATH
bench=$(command -v "$bench")
tools=$work/empty
for tool in grep xmllint; do
    path=$(command -v $tool) && ln -s "$path" "$tools/$tool"
done
PATH=$tools
report "without gnuplot"
PATH=$whole
grep -q "gnuplot" "$work/err" || fail "without gnuplot: no warning"

check()
{
    status=0
    "$bench" html "$2" "$3" 2>/dev/null || status=$?
    [ "$status" -eq "$4" ] || fail "$1: exit status $status, expected $4"
}

check "no results" "$work/none.json" "$work/report.html" 2
check "no place for the report" "$work/results.json" "$work/none/report.html" 1
status=0
"$bench" html "$work/results.json" 2>"$work/err" || status=$?
[ "$status" -eq 2 ] || fail "one file: exit status $status, expected 2"
grep -q "two files" "$work/err" || fail "one file: no reason"

[ "$failures" -eq 0 ]

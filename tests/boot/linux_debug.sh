#!/bin/sh
# linux_debug.sh DOPPEL CACHE ENGINES
#
# The debugger on the distribution's Linux (see linux.sh). Its package has no System.map, and the kernel's own table has
# functions only: it is booted once to tell where a function is, and a variable by its value; then again under the
# debugger, with each of the ENGINES.
set -eu
. "$(dirname "$0")/../common.sh"

here=$(cd "$(dirname "$0")" && pwd)
doppel=$1
cache=$2
engines=$3

make_work_directory
sh "$here/linux/make_guest.sh" "$cache" "$work"
append="console=ttyS0 quiet panic=-1 nokaslr cryptomgr.notests"

set -- -m 128 -kernel "$work/vmlinuz" -initrd "$work/initrd.gz" -serial file:serial.log
(cd "$work" && "$doppel" --icount shift=6 -display none -script "$here/scripts/linux-symbols" "$@" \
    -append "$append task=symbols symbols=do_sys_openat2" >found)
tr -d '\r' <"$work/serial.log" | grep -E '^[0-9a-f]{8} [A-Za-z] ' >"$work/symbols"
sed -n 's/^\([0-9a-f]\{8\}\).*/\1 D panic_timeout/p' "$work/found" >>"$work/symbols"
cat "$work/symbols"
sed "s|^symbols load symbols|symbols load $work/symbols|" "$here/scripts/linux-debug" >"$work/linux-debug"
sh "$here/debug.sh" "$doppel" "$work/linux-debug" "$engines" "$@" -append "$append task=files"

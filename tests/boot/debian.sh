#!/bin/sh
# debian.sh login|bench DOPPEL IMAGE [OPTION...]
#
# A whole Debian on an IDE disk, in real time. By hand only: it takes minutes, and somebody has to make the image.
#
# IMAGE is a raw disk with a DOS partition table, whose first partition (at 1 MiB) is the ext4 root file system, with a boot
# loader that needs no key and "console=ttyS0,115200" last on the kernel's command line. `debootstrap --arch=i386` with
# linux-image-686 and systemd-sysv makes the contents. It is copied first and never written to.
#
#   login   Root's password is "root". Boots to the login prompt on ttyS0, logs in, writes a file, powers off; doppel's
#           exit status has to be 0. Boots again: the file is there. Then e2fsck finds nothing to correct.
#   bench   The guest prints "TIME name start end" on ttyS0 for each of its programs, then "DONE", and powers off.
#
# OPTIONs go to doppel (default -m 512). Everything the guest says stands in debian-MODE.log in the current directory. Times
# are printed in seconds of the host. Needs e2fsprogs for `login`. Exit status: 0 all of it happened, 1 it did not,
# 77 the image is not there.
set -eu
. "$(dirname "$0")/../common.sh"

if [ $# -lt 3 ]; then
    sed -n '2,17s/^# \{0,1\}//p' "$0"
    exit 2
fi
mode=$1
doppel=$2
image=$3
shift 3
[ $# -gt 0 ] || set -- -m 512

# Seconds without what is waited for.
patience=${DEBIAN_PATIENCE:-1200}

require_image "$image"
log=$PWD/debian-$mode.log
work=$(mktemp -d)
pid=
clean_up() {
    [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    rm -rf "$work"
}
trap clean_up EXIT
trap 'exit 1' HUP INT TERM
cp --sparse=always "$image" "$work/disk.img"
chmod u+w "$work/disk.img"
mkfifo "$work/keys"
: >"$log"

fail() {
    tail -n 20 "$log"
    echo "FAILED: $*; all the guest said is in $log"
    exit 1
}

seconds() {
    date +%s
}

note() {
    echo "$(($(seconds) - started)) s: $*"
}

switch_on() {
    started=$(seconds)
    seen=$(wc -c <"$log") # what the log held before this boot or the last match
    "$doppel" -hda "$work/disk.img" -display none -serial stdio "$@" <"$work/keys" >>"$log" &
    pid=$!
    exec 3>"$work/keys"
}

is_running() {
    kill -0 "$pid" 2>/dev/null
}

# wait_for TEXT [OTHER]: until the guest has said TEXT since the last match, or OTHER; `match` is which.
wait_for() {
    waited=0
    while :; do
        end=$(wc -c <"$log")
        tail -c "+$((seen + 1))" "$log" | head -c "$((end - seen))" >"$work/news"
        for match; do
            if grep -aqF -- "$match" "$work/news"; then
                note "$match"
                seen=$end
                return
            fi
        done
        is_running || fail "doppel has ended, waiting for \"$1\""
        [ "$waited" -lt "$patience" ] || fail "no \"$1\" in $patience s"
        sleep 1
        waited=$((waited + 1))
    done
}

wait_for_power_off() {
    waited=0
    while is_running; do
        [ "$waited" -lt "$patience" ] || fail "not powered off after $patience s"
        sleep 1
        waited=$((waited + 1))
    done
    status=0
    wait "$pid" || status=$?
    pid=
    exec 3>&-
    note "powered off, exit status $status"
    [ "$status" -eq 0 ] || fail "doppel's exit status is $status"
}

say() {
    printf '%s\n' "$1" >&3
}

# Markers are computed by the guest's shell, so that its echo of the command does not match.
# A guest on a busy host may check the password for longer than its login program waits, and then asks again.
log_in() {
    match=
    while [ "$match" != ":~# " ]; do
        wait_for "login: "
        say root
        wait_for "Password: "
        say root
        wait_for ":~# " "Login timed out"
    done
    say 'uname -a; echo uname-$((20 + 22))'
    wait_for uname-42
}

case $mode in
login)
    switch_on "$@"
    log_in
    say 'seq 100000 >/root/kept; sync; md5sum /root/kept; echo sync-$((20 + 22)); poweroff'
    wait_for sync-42
    wait_for_power_off
    switch_on "$@"
    log_in
    say 'echo "kept: $(md5sum </root/kept)"; systemctl --failed --no-legend; echo again-$((20 + 22)); poweroff'
    wait_for again-42
    wait_for_power_off
    grep -aqF "kept: $(seq 100000 | md5sum)" "$log" || fail "the file is not what was written"
    e2fsck -f -n "$work/disk.img?offset=1048576" || fail "e2fsck found damage"
    ;;
bench)
    switch_on "$@"
    wait_for BOOTED
    wait_for DONE
    wait_for_power_off
    # To the guest's own seconds and the sum.
    tr -d '\r' <"$log" | awk '$1 == "BOOTED" { print }
        $1 == "TIME" { printf "%-10s %8.2f s\n", $2, $4 - $3; sum += $4 - $3 }
        END { printf "%-10s %8.2f s\n", "all", sum }'
    ;;
*)
    echo "debian.sh: there is no '$mode'"
    exit 2
    ;;
esac

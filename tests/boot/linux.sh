#!/bin/sh
# linux.sh DOPPEL CACHE SCRIPT kernel|start|disk [OPTION...]
#
# Boots the distribution's Linux for i686 with an initramfs that checks the machine from inside (linux/init), either
# without a disk (-kernel) or by GRUB from an IDE disk, whose file system is then checked too. Packages are fetched into
# CACHE once. SCRIPT and OPTIONs as for run_boot.sh. Skipped (77) with the reason where that cannot be done.
set -eu
. "$(dirname "$0")/../common.sh"

here=$(cd "$(dirname "$0")" && pwd)
doppel=$1
cache=$2
script=$3
from=$4
shift 4

make_work_directory
guest=$work
sh "$here/linux/make_guest.sh" "$cache" "$guest"
append="console=ttyS0 quiet panic=-1 memory=128"
case $from in
kernel | start)
    [ "$from" = kernel ] || append="$append cryptomgr.notests"
    sh "$here/run_boot.sh" "$doppel" "$script" none -serial file:serial.log -m 128 -kernel "$guest/vmlinuz" \
        -initrd "$guest/initrd.gz" -append "$append" "$@"
    ;;
disk)
    sh "$here/linux/make_disk.sh" "$guest" "console=ttyS0 quiet panic=-1 memory=96 disk=1 cryptomgr.notests"
    sh "$here/run_boot.sh" "$doppel" "$script" none -serial file:serial.log -m 96 -hda "$guest/disk.img" "$@"
    ;;
esac

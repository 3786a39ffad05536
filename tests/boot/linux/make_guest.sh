#!/bin/sh
# make_guest.sh CACHE DIRECTORY: makes DIRECTORY/vmlinuz, the distribution's Linux for i686, and DIRECTORY/initrd.gz,
# an initramfs with busybox, the program of checks, the drivers for IDE disks and ext2, and `init`. Needs neither root
# nor cpio. Status 77 if something cannot be had.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
cache=$1
directory=$2

# In the order in which they can be loaded.
modules="crct10dif_common crc-t10dif crc64 crc64-rocksoft t10-pi scsi_common scsi_mod libata ata_piix sd_mod crc16
    mbcache jbd2 crc32c_generic ext4"

set -f # the patterns are tar's
patterns=
for module in $modules; do
    patterns="$patterns */$module.ko"
done
# shellcheck disable=SC2086
sh "$here/../debian_package.sh" "$cache" linux '^linux-image-[0-9.]+-[0-9]+-686$' './boot/vmlinuz-*' $patterns
set +f
sh "$here/../debian_package.sh" "$cache" busybox busybox-static ./bin/busybox
sh "$here/build_checks.sh" "$cache" "$directory/checks"

# Archives of the format "newc" are concatenated headers in ASCII, names and contents, padded to 4 bytes.
pad()
{
    head -c $(((4 - $1 % 4) % 4)) /dev/zero
}

inode=0
# add NAME MODE [FILE [MAJOR MINOR]]
add()
{
    inode=$((inode + 1))
    size=0
    [ -z "${3-}" ] || size=$(wc -c <"$3")
    printf '070701%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%08X%s\0' \
        $inode $((0$2)) 0 0 1 0 "$size" 0 0 "${4-0}" "${5-0}" $((${#1} + 1)) 0 "$1"
    pad $((110 + ${#1} + 1))
    [ "$size" -eq 0 ] || cat "$3"
    pad "$size"
}

cp "$cache"/linux/boot/vmlinuz-* "$directory/vmlinuz"
for module in $modules; do
    echo "$module.ko"
done >"$directory/list"
{
    for name in bin dev proc sys tmp modules; do
        add $name 40755
    done
    add dev/console 20600 '' 5 1
    add init 100755 "$here/init"
    add checks 100755 "$directory/checks"
    add bin/busybox 100755 "$cache/busybox/bin/busybox"
    add modules/list 100644 "$directory/list"
    for module in $modules; do
        add "modules/$module.ko" 100644 "$(find "$cache/linux/lib" -name "$module.ko")"
    done
    add TRAILER!!! 0
} | gzip -n >"$directory/initrd.gz"

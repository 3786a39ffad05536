#!/bin/sh
# cdrom.sh DOPPEL CACHE SCRIPT memtest|grub|FLOPPY [OPTION...]
#
# Boots a CD-ROM: the distribution's of memtest86+ or of GRUB (fetched into CACHE once), or one made here whose El Torito
# boot image is the 1440 KB floppy image FLOPPY. SCRIPT and OPTIONs as for run_boot.sh. Skipped (77) where there is none.
set -eu
. "$(dirname "$0")/../common.sh"

here=$(cd "$(dirname "$0")" && pwd)
doppel=$1
cache=$2
script=$3
guest=$4
shift 4

case $guest in
memtest)
    sh "$here/debian_package.sh" "$cache" memtest86+ memtest86+
    disc=$cache/memtest86+/usr/lib/memtest86+/memtest86+ia32.iso
    ;;
grub)
    sh "$here/debian_package.sh" "$cache" grub-rescue-pc grub-rescue-pc
    disc=$cache/grub-rescue-pc/usr/lib/grub-rescue/grub-rescue-cdrom.iso
    ;;
*)
    require_image "$guest"
    disc=$(mktemp)
    trap 'rm -f "$disc"' EXIT
    trap 'exit 1' HUP INT TERM
    # What firmware looks at (El Torito 1.0): the boot record in sector 17, which names the catalog's sector, 19; there
    # the validation entry and the default entry: bootable, a floppy of 1440 KB, one 512-byte sector, from sector 20.
    {
        head -c $((17 * 2048)) /dev/zero
        printf '\000CD001\001EL TORITO SPECIFICATION'
        head -c $((0x47 - 30)) /dev/zero
        printf '\023\000\000\000'
        head -c $((2048 - 0x4b)) /dev/zero
        printf '\377CD001\001'
        head -c $((2048 - 7)) /dev/zero
        printf '\001\000\000\000'
        head -c 24 /dev/zero
        printf '\252\125\125\252' # the checksum makes the entry's 16-bit words add up to 0
        printf '\210\002\000\000\000\000\001\000\024\000\000\000'
        head -c $((2048 - 44)) /dev/zero
        cat "$guest"
    } >"$disc"
    ;;
esac
sh "$here/run_boot.sh" "$doppel" "$script" none -cdrom "$disc" "$@"

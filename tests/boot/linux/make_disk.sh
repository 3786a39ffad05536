#!/bin/sh
# make_disk.sh DIRECTORY ARGUMENTS: makes DIRECTORY/disk.img, an IDE disk that boots DIRECTORY/vmlinuz and initrd.gz with
# these kernel arguments: GRUB in the master boot record and the sectors behind it, one partition with ext2. Needs no
# root. Status 77 without GRUB or mke2fs.
set -eu
. "$(dirname "$0")/../../common.sh"

directory=$1
arguments=$2
PATH=$PATH:/sbin:/usr/sbin
grub=/usr/lib/grub/i386-pc
start=2048   # first sector of the partition
sectors=65536 # 32 MiB

for tool in grub-mkimage mke2fs; do
    if ! command -v $tool >/dev/null; then
        skip "there is no $tool to make a disk with"
    fi
done
if [ ! -r "$grub/boot.img" ]; then
    skip "GRUB for PC BIOS (grub-pc-bin) is not there"
fi

# Prints NUMBER as COUNT bytes, the lowest first.
little()
{
    number=$1
    count=$2
    while [ "$count" -gt 0 ]; do
        # shellcheck disable=SC2059
        printf "\\$(printf %o $((number & 255)))"
        number=$((number >> 8))
        count=$((count - 1))
    done
}

# Puts its input at byte OFFSET of FILE.
patch()
{
    dd of="$1" bs=1 seek="$2" conv=notrunc 2>/dev/null
}

root=$directory/root
image=$directory/disk.img
core=$directory/core.img
mkdir -p "$root/boot/grub"
cp "$directory/vmlinuz" "$directory/initrd.gz" "$root"
(cd "$root" && md5sum vmlinuz initrd.gz >sums)
cat >"$root/boot/grub/grub.cfg" <<END
set timeout=0
serial --unit=0 --speed=115200
terminal_output console serial
menuentry Linux {
    echo "GRUB loads Linux"
    linux /vmlinuz $arguments
    initrd /initrd.gz
}
END
grub-mkimage -O i386-pc -o "$core" -p '(hd0,msdos1)/boot/grub' biosdisk part_msdos ext2 linux normal boot echo serial \
    terminal

rm -f "$image"
truncate -s $(((start + sectors) * 512)) "$image"
mke2fs -q -F -t ext2 -E offset=$((start * 512)) -d "$root" "$image" $((sectors / 2))k

# The boot sector: code up to 1B8h, where the core is (5Ch), and no forced drive (66h); then the partition table.
head -c 440 "$grub/boot.img" | patch "$image" 0
little 1 8 | patch "$image" 92
printf '\220\220' | patch "$image" 102
{
    little 0x80 1
    little 0xfffffe 3
    little 0x83 1
    little 0xfffffe 3
    little $start 4
    little $sectors 4
} | patch "$image" 446
little 0xaa55 2 | patch "$image" 510
# The core's first sector loads the rest: from sector 2, so many sectors, to segment 820h.
little 2 8 | patch "$core" 500
little $(($(wc -c <"$core") / 512 + ($(wc -c <"$core") % 512 > 0) - 1)) 2 | patch "$core" 508
little 0x820 2 | patch "$core" 510
dd if="$core" of="$image" bs=512 seek=1 conv=notrunc 2>/dev/null

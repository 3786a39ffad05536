#!/usr/bin/env bash
# bench/boots/make_linux_cd.sh [DOWNLOADS [IMAGE]]
#
# Makes the CD-ROM that boots Linux everywhere: GRUB, Debian's Linux for i686 and a busybox initramfs (tests/boot/linux)
# that says INIT DONE on the serial port. Packages are kept in DOWNLOADS (build/downloads); IMAGE is DOWNLOADS/bench-linux.iso
# unless it is named. Needs grub-mkrescue, xorriso and mtools.
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
downloads=${1:-${DOPPEL_DOWNLOADS:-$here/../../build/downloads}}
image=${2:-$downloads/bench-linux.iso}

for tool in grub-mkrescue xorriso mformat; do
    command -v $tool >/dev/null || {
        echo "There is no $tool to make the CD-ROM with: see the packages grub-common, grub-pc-bin, xorriso, mtools" >&2
        exit 1
    }
done

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$downloads" "$work/guest" "$work/cd/boot/grub"
sh "$here/../../tests/boot/linux/make_guest.sh" "$downloads" "$work/guest"
cp "$work/guest/vmlinuz" "$work/guest/initrd.gz" "$work/cd"
cat > "$work/cd/boot/grub/grub.cfg" <<CFG
set timeout=0
menuentry Linux {
    linux /vmlinuz console=ttyS0 quiet panic=-1 task=bench
    initrd /initrd.gz
}
CFG
grub-mkrescue -o "$work/linux.iso" "$work/cd" >/dev/null 2>"$work/grub.log" || {
    cat "$work/grub.log" >&2
    exit 1
}
mv "$work/linux.iso" "$image"

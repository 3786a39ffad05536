#!/bin/sh
# installer.sh DOPPEL CACHE [PICTURE]
#
# By hand only, as it takes minutes: Debian's installer for i386 (fetched into CACHE once) boots by -kernel with 512 MiB
# and comes to its menu of languages on the framebuffer console, of which PICTURE is made. It also talks on the serial
# port, so that a script can see how far it is. Skipped (77) where the installer cannot be had.
set -eu

here=$(cd "$(dirname "$0")" && pwd)
sh "$here/debian_package.sh" "$2" installer debian-installer-12-netboot-i386 './usr/lib/*/text/*/linux' \
    './usr/lib/*/text/*/initrd.gz'
images=$(dirname "$(find "$2/installer" -name initrd.gz)")

script=$(mktemp)
trap 'rm -f "$script"' EXIT
trap 'exit 1' HUP INT TERM
cat >"$script" <<END
wait-serial "Select a language" 2000
sleep 120
screendump ${3:-installer.png}
info counters
quit
END
"$1" --icount shift=5 -display none -serial file:/dev/null -script "$script" -m 512 -kernel "$images/linux" \
    -initrd "$images/initrd.gz" -append "vga=788 console=ttyS0 console=tty0 --- quiet"

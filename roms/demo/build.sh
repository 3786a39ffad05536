#!/bin/sh
# Builds the demo guest's floppy image: build.sh [output file] (default: demo.img next to this script).
#
# The image depends on the sources and the compiler only, byte for byte: no dates, paths or build numbers go in.
# CC names an x86 GCC with -m32 (on other hosts a cross compiler, for example x86_64-linux-gnu-gcc); no C library
# is needed.
set -eu

image=${1:-}
case $image in
'' | /*) ;;
*) image=$PWD/$image ;;
esac
cd "$(dirname "$0")"
image=${image:-$PWD/demo.img}
cc=${CC:-gcc}

objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT

flags="-m32 -march=i386 -mtune=i386 -ffreestanding -fno-pic -fno-pie"
cflags="$flags -std=c11 -Os -mno-80387 -mgeneral-regs-only -mpreferred-stack-boundary=2
    -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fno-ident -fno-common
    -fno-tree-loop-distribute-patterns -fno-strict-aliasing -g0
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror"

# One order on every host: the linker puts sections in the order of its arguments.
LC_ALL=C
export LC_ALL
list=
for source in *.S *.c; do
    object=$objects/${source%.*}.o
    # shellcheck disable=SC2086
    case $source in
    *.S) $cc $flags -Ui386 -Wa,--fatal-warnings -c -o "$object" "$source" ;;
    *.c) $cc $cflags -c -o "$object" "$source" ;;
    esac
    list="$list $object"
done
# shellcheck disable=SC2086
$cc -m32 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--oformat=binary -Wl,--fatal-warnings \
    -Wl,-T,kernel.ld -o "$objects/image" $list

# A 1.44 MB floppy: 80 cylinders, 2 heads, 18 sectors.
dd if=/dev/null of="$objects/image" bs=512 seek=2880 2>/dev/null
mv "$objects/image" "$image"
chmod 644 "$image"

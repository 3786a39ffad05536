#!/bin/sh
# Builds the demo guest's floppy image.
#
#   build.sh              rewrites demo.img, and COMPILER with what it was built by
#   build.sh FILE         builds into FILE and leaves the repository alone
#   build.sh --compiler   says what would build it, as COMPILER does
#
# The image depends on the sources, the compiler and binutils only, byte for byte: no dates, paths or build numbers
# go in. CC names an x86 GCC with -m32 (on other hosts a cross compiler, for example x86_64-linux-gnu-gcc); no C
# library is needed.
set -eu
LC_ALL=C
export LC_ALL

cc=${CC:-gcc}
describe_compiler()
{
    $cc --version | sed -n '1s/^[^(]*/gcc /p' # a cross compiler's name is not part of it
    $($cc -print-prog-name=ld) --version | head -n 1
    $cc -dumpmachine
}

image=${1:-}
case $image in
--compiler)
    describe_compiler
    exit
    ;;
'' | /*) ;;
*) image=$PWD/$image ;;
esac
cd "$(dirname "$0")"

objects=$(mktemp -d)
trap 'rm -rf "$objects"' EXIT

# The assembler refuses what an 80386 does not have; GCC defines i386 as a macro, which would spoil ".arch i386".
flags="-m32 -march=i386 -mtune=i386 -Wa,-march=i386 -Wa,--fatal-warnings -ffreestanding -fno-pic -fno-pie"
asflags="$flags -Ui386"
cflags="$flags -std=c11 -Os -mno-80387 -mgeneral-regs-only -mpreferred-stack-boundary=2
    -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fno-ident -fno-common
    -fno-tree-loop-distribute-patterns -fno-strict-aliasing -g0
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror"
ldflags="-m32 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--oformat=binary -Wl,--fatal-warnings"

# The C locale's order of names on every host: the linker keeps the order of its arguments.
list=
for source in *.S *.c; do
    object=$objects/${source%.*}.o
    # shellcheck disable=SC2086 # flags are words
    case $source in
    *.S) $cc $asflags -c -o "$object" "$source" ;;
    *.c) $cc $cflags -c -o "$object" "$source" ;;
    esac
    list="$list $object"
done
# shellcheck disable=SC2086
$cc $ldflags -Wl,-T,kernel.ld -o "$objects/image" $list

# A 1.44 MB floppy: 80 cylinders, 2 heads, 18 sectors.
dd if=/dev/null of="$objects/image" bs=512 seek=2880 2>/dev/null
if [ -z "$image" ]; then
    describe_compiler >COMPILER
    image=demo.img
fi
cat "$objects/image" >"$image"

#!/bin/sh
# Builds the kernel loader's option ROM.
#
#   build.sh              rewrites kernel-loader.bin, and COMPILER with what it was built by
#   build.sh FILE         builds into FILE and leaves the repository alone
#   build.sh --compiler   says what would build it, as COMPILER does
#
# The image depends on the sources, the compiler and binutils only, byte for byte. CC names an x86 GCC with -m32; no C
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

flags="-m32 -march=i386 -mtune=i386 -Wa,-march=i386 -Wa,--fatal-warnings -ffreestanding -fno-pic -fno-pie"
asflags="$flags -Ui386"
cflags="$flags -std=c11 -Os -mno-80387 -mgeneral-regs-only -mpreferred-stack-boundary=2 -masm=intel
    -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -fno-ident -fno-common
    -fno-tree-loop-distribute-patterns -fno-strict-aliasing -g0
    -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes -Wmissing-prototypes -Wvla -Werror"
ldflags="-m32 -nostdlib -static -no-pie -Wl,--build-id=none -Wl,--oformat=binary -Wl,--fatal-warnings"

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
$cc $ldflags -Wl,-T,loader.ld -o "$objects/image" $list

# fix_checksum START LENGTH AT: sets byte AT, which is 0, so that the bytes from START on sum up to 0.
fix_checksum()
{
    byte=$(od -A n -v -t u1 -j "$1" -N "$2" "$objects/image" |
        awk '{ for (i = 1; i <= NF; i++) sum += $i } END { printf "%03o", (256 - sum % 256) % 256 }')
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\$byte" | dd of="$objects/image" bs=1 seek="$3" conv=notrunc 2>/dev/null
}
size=$(wc -c <"$objects/image")
fix_checksum 32 32 41
fix_checksum 0 "$size" $((size - 1))

if [ -z "$image" ]; then
    describe_compiler >COMPILER
    image=kernel-loader.bin
fi
cat "$objects/image" >"$image"

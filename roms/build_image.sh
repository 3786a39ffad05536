#!/bin/sh
# What the images in the directories beside this file have in common; each directory's build.sh reads it.
#
#   build.sh              rewrites the image, and COMPILER with what it was built by
#   build.sh FILE         builds into FILE and leaves the repository alone
#   build.sh --compiler   says what would build it, as COMPILER does
#
# An image depends on the sources, the compiler and binutils only, byte for byte: no dates, paths or build numbers go in.
# CC names an x86 GCC with -m32 (on other hosts a cross compiler, for example x86_64-linux-gnu-gcc); no C library is
# needed.
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

# begin_image DIRECTORY [ARGUMENT]: takes build.sh's argument and goes to its directory.
begin_image()
{
    destination=${2:-}
    case $destination in
    --compiler)
        describe_compiler
        exit
        ;;
    '' | /*) ;;
    *) destination=$PWD/$destination ;;
    esac
    cd "$1"
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
}

# link_image SCRIPT [OPTION...]: compiles all sources and links them by the linker script, into $work/image.
link_image()
{
    script=$1
    shift
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
        object=$work/${source%.*}.o
        # shellcheck disable=SC2086 # flags are words
        case $source in
        *.S) $cc $asflags -c -o "$object" "$source" ;;
        *.c) $cc $cflags "$@" -c -o "$object" "$source" ;;
        esac
        list="$list $object"
    done
    # shellcheck disable=SC2086
    $cc $ldflags -Wl,-T,"$script" -o "$work/image" $list
}

# end_image NAME: puts $work/image where it belongs: to NAME, unless build.sh was told another place.
end_image()
{
    if [ -z "$destination" ]; then
        describe_compiler >COMPILER
        destination=$1
    fi
    cat "$work/image" >"$destination"
}

#!/bin/sh
# build_checks.sh CACHE OUTPUT: compiles the program of checks for i686 Linux, statically, with the C library of the
# distribution's i386 packages (debian_package.sh), so that the compiler needs -m32 but no 32-bit library. Status 77
# where that cannot be done.
set -eu
. "$(dirname "$0")/../../common.sh"

here=$(cd "$(dirname "$0")" && pwd)
cache=$1
output=$2

find_x86_compiler

sh "$here/../debian_package.sh" "$cache" libc6-dev libc6-dev
sh "$here/../debian_package.sh" "$cache" linux-libc-dev linux-libc-dev
sh "$here/../debian_package.sh" "$cache" libgcc '^libgcc-[0-9]+-dev$'

headers=/usr/include
libraries=$cache/libc6-dev/usr/lib/i386-linux-gnu
for gcc in "$cache"/libgcc/usr/lib/gcc/i686-linux-gnu/*; do :; done
"$compiler" -m32 -march=i686 -std=gnu11 -D_GNU_SOURCE -O1 -Wall -Wextra -Werror -fno-pie -no-pie -static -nostdlib -nostdinc -o "$output" \
    -isystem "$("$compiler" -print-file-name=include)" \
    -isystem "$cache/libc6-dev$headers" -isystem "$cache/libc6-dev$headers/i386-linux-gnu" \
    -isystem "$cache/linux-libc-dev$headers" -isystem "$cache/linux-libc-dev$headers/i386-linux-gnu" \
    "$libraries/crt1.o" "$libraries/crti.o" "$gcc/crtbeginT.o" "$here"/*.c \
    -L "$libraries" -L "$gcc" -lm -Wl,--start-group -lgcc -lgcc_eh -lc -Wl,--end-group \
    "$gcc/crtend.o" "$libraries/crtn.o"

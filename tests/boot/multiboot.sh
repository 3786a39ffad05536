#!/bin/sh
# multiboot.sh DOPPEL SOURCES: multiboot kernels, as ELF file and as flat binary with addresses in its header, get what
# Multiboot 0.6.96 promises: machine state, memory map, command line, modules. Skipped (77) without an x86 GCC.
set -eu
. "$(dirname "$0")/../common.sh"

doppel=$1
sources=$2
make_work_directory
cd "$work"

find_x86_compiler

# build NAME OPTION...
build()
{
    name=$1
    shift
    "$compiler" -m32 -march=i386 -std=c11 -O1 -ffreestanding -fno-pic -fno-pie -mgeneral-regs-only -fno-stack-protector \
        -fcf-protection=none -fno-asynchronous-unwind-tables -nostdlib -static -no-pie -Wl,--build-id=none \
        -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,-T,"$sources/kernel.ld" -o "$name" "$@" "$sources/kernel.c"
}
build elf
build flat -DFLAT -Wl,--oformat=binary

printf 'first module\n\0' >one.mod
printf 'second module\n\0' >two,mod
dd if=/dev/zero of=two,mod bs=1 count=1 seek=5001 2>/dev/null
cat >script <<'END'
wait-power-off 60
quit
END

# check KERNEL MIB
check()
{
    "$doppel" --icount -display none -m "$2" -serial file:serial -script script -kernel "$1" -append 'one "two" three' \
        -initrd 'one.mod with arguments,two,,mod'
    cat >expected <<END
magic: right
protected mode: 1
paging: 0
interrupts: 0
bss cleared: 1
A20 open: 1
lower KiB: 639
upper MiB: $(($2 - 1))
command line: $1 one "two" three
loader: doppel
map has ranges: 1
map MiB: $2
module: one.mod with arguments
  bytes: 14
  page offset: 0
  behind the kernel: 1
  begins: first module
module: two,mod
  bytes: 5002
  page offset: 0
  behind the kernel: 1
  begins: second module
END
    if ! cmp -s expected serial; then
        echo "FAILED: $1 with $2 MiB printed (> expected, < did):"
        diff -a serial expected | cut -c 1-100 || true
        exit 1
    fi
}
check elf 64
check flat 16

#!/bin/sh
# examine.sh DOPPEL SOURCES FREEDOS OPTION...: the monitor looks into running systems: a kernel whose symbols came with it, in
# protected mode, and FreeDOS. What it says of them must be so. A part whose guest is not there is left out; without any, the
# test is skipped (77).
set -eu
. "$(dirname "$0")/../common.sh"

doppel=$1
sources=$2
freedos=$3
shift 3
make_work_directory
cd "$work"

# expect PATTERN: a line of the output matches.
expect()
{
    if ! grep -qE -- "$1" output; then
        echo "FAILED: nothing matches \"$1\" in:"
        cat output
        exit 1
    fi
}

# Without capstone there is no disassembly to ask for.
printf 'x/1i 0\nquit\n' >script
if "$doppel" -display none -m 2 -S -script script >/dev/null 2>&1; then
    code=u
else
    code='# no u'
fi

# expect_code PATTERN: the same, where there is disassembly.
expect_code()
{
    [ "$code" != u ] || expect "$1"
}

parts=0
if (find_x86_compiler) >/dev/null; then
    find_x86_compiler
    parts=$((parts + 1))
    "$compiler" -m32 -march=i386 -std=c11 -O1 -fno-omit-frame-pointer -ffreestanding -fno-pic -fno-pie -mgeneral-regs-only \
        -fno-stack-protector -fcf-protection=none -fno-asynchronous-unwind-tables -nostdlib -static -no-pie \
        -Wl,--build-id=none -Wl,-z,noexecstack -Wl,--no-warn-rwx-segments -Wl,-T,"$sources/kernel.ld" -o kernel \
        "$sources/kernel.c"
    cat >script <<END
wait-serial "protected mode" 60
stop
symbols
print kernel_main
backtrace
$code kernel_main 2
info segments
info gdt cs
info page eip
find kernel_main 0x8000 "protected mode: "
set disassembly att
$code kernel_main 1
quit
END
    "$doppel" --icount -display none -m 16 -serial file:serial -script script -kernel kernel "$@" >output
    expect '^ +[0-9]+ symbols  offset 0x0  kernel$'
    expect '^0x10[0-9a-f]+ \([0-9]+\)$'
    expect '^#0   0008:0010[0-9a-f]{4}  [a-z_]+\+0x[0-9a-f]+$'
    expect '^#[0-9]+ +0008:0010[0-9a-f]{4}  kernel_main\+0x[0-9a-f]+'
    expect '^#[0-9]+ +0008:0010[0-9a-f]{4}  _start\+0x[0-9a-f]+$'
    expect_code '^kernel_main:$'
    expect_code '^  0010[0-9a-f]{4}: 55  +push ebp$'
    expect '^cs   0008  base 00000000 limit ffffffff ring 0 code32'
    expect 'paging is off'
    expect '^0010[0-9a-f]{4}'
    expect_code 'push[l]? +%ebp'
fi
if [ -r "$freedos" ]; then
    parts=$((parts + 1))
    cp "$freedos" disk.img
    chmod u+w disk.img
    cat >script <<END
wait-screen "A:\\>" 60
stop
info dos
info ivt 0x21
info bda
info page 0x1234
find 0 0x10000 "AUTOEXEC.BAT"
strings 0 0x20000 11
print u8(40:49)
print str(40:0) == "no"
$code f000:fff0 1
set u8(40:17) = u8(40:17) | 0x20
print u8(40:17) & 0x20
write/p 0x7e000 "something to be found"
find 0x70000 0x10000 "to be found"
set flags.if = 0
print 0xabc0000 + ip
write cs:eip 0xeb 0xfe
run-instructions 100000
print 0xabc0000 + ip
set cs = 0x7000
set ip = 0x10
write cs:ip 0x40 0xeb 0xfd
set eax = 0x10000
run-instructions 10000
print 0xdef0000 + ax
quit
END
    "$doppel" --icount shift=6 -display none -fda disk.img -script script "$@" >output
    expect '^[0-9a-f]{4}  0008 +[0-9]+  DOS'
    expect '^[0-9a-f]{4}  [0-9a-f]{4} +[0-9]+  COMMAND \(program\)$'
    expect '^21  [0-9a-f]{4}:[0-9a-f]{4}  DOS functions$'
    expect '^40:49  video mode +03$'
    expect 'paging is off$'
    expect '^[0-9a-f]{8}: .*AUTOEXEC.BAT'
    expect '^0x3 \(3\)$'
    expect '^0x0 \(0\)$'
    expect_code 'f000:fff0|000ffff0: ea 5b e0 00 f0'
    expect '^0x20 \(32\)$'
    expect '^0007e00a$'
    # code that was written, over what had been translated and elsewhere, is what is executed
    if [ "$(grep -c '^0xabc' output)" -ne 2 ] || [ "$(grep '^0xabc' output | sort -u | wc -l)" -ne 1 ]; then
        echo "FAILED: an endless loop that was written was left:"
        cat output
        exit 1
    fi
    expect '^0xdef1388 '
fi
[ "$parts" -gt 0 ] || skip "neither an x86 compiler nor $freedos is there"

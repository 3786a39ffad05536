# From reset through the boot sector to protected mode.
printf "reset: pc %x cs %x offset %x\n", $pc, $cs, $raw_eip
#expect reset: pc fffffff0 cs f000 offset fff0
show architecture
#expect "i8086"
x/i $pc
#expect ljmp   $0xf000,$0xe05b

break *0x7c00
continue
#expect Breakpoint 1, 0x00007c00 in ?? ()
x/2xb 0x7dfe
#expect 0x55	0xaa
sn
#expect => 0x7c3e:	cli
info registers eflags cr0
#expect [ ET ]

# The first word that the boot sector pushes: the return address of its first call.
watch *(unsigned short *)0x7bfe
continue
#expect Hardware watchpoint 2
#expect New value = 31833
printf "stack: %x, top %x, raw %x\n", $esp, *(unsigned short *)$esp, $raw_esp
#expect stack: 7bfe, top 7c59, raw 7bfe
delete 2
out
#expect => 0x7c59:
over
monitor info registers
#expect CS =0000 00000000 0000ffff

# A segment with a base: addresses stay linear, offsets are small.
tbreak *0x10000
continue
#expect Temporary breakpoint 3, 0x00010000 in ?? ()
printf "kernel: pc %x cs %x offset %x base %x\n", $pc, $cs, $raw_eip, $cs_base
#expect kernel: pc 10000 cs 1000 offset 0 base 10000
x/i $pc
#expect mov    %cs,%ax
stepi
printf "ax %x, then pc %x offset %x\n", $ax, $pc, $raw_eip
#expect ax 1000, then pc 10002 offset 2
set $eip = 0x10000
printf "back: pc %x offset %x\n", $pc, $raw_eip
#expect back: pc 10000 offset 0
set $eax = 0x12345678
set {unsigned int}0x600 = $eax
x/xw 0x600
#expect 0x12345678

# A stop that the monitor has asked for is one for gdb as well, and gdbinit follows the CPU.
monitor catch mode
continue
#expect received signal SIGTRAP
printf "protected mode: %d, code %d\n", $cr0 & 1, $code_size
#expect protected mode: 1, code 2
stepi 
stepi
while $code_size == 2
  stepi
end
show architecture
#expect "i386"
printf "flat: %x\n", $pc - $raw_eip
#expect flat: 0
kill

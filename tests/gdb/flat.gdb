# A 32-bit kernel with symbols: functions, variables, the way out, watchpoints, and to the end without gdb.
file elf
break kernel_main
continue
#expect Breakpoint 1, kernel_main (magic=732803074
show architecture
#expect "i386"
printf "%s\n", information->command_line
#expect elf words of its own

watch *(int *)0x680000
continue
#expect Hardware watchpoint 2
#expect Old value = 0
#expect New value = 2
#expect in check_machine_state
delete 2
rwatch *(int *)0x680000
continue
#expect Hardware read watchpoint 3
#expect Value = 2
delete 3

break print_map
continue
#expect Breakpoint 4, print_map
backtrace
#expect in kernel_main
finish
#expect kernel_main (magic=732803074
monitor info registers
#expect CR0=00000011
set $xmm1.v4_int32[1] = 7
set $st3 = 1.5
printf "xmm1 %d, st3 %.1f\n", $xmm1.v4_int32[1], $st3
#expect xmm1 7, st3 1.5
detach
#expect [Inferior 1 (Remote target) detached]

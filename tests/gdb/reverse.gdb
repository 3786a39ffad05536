# A variable that somebody has overwritten: from where it is noticed back to who did it, and forward again.
file elf
break notice_fault
continue
#expect Breakpoint 1,
print sum
#expect = 123
watch account.balance
#expect Hardware watchpoint 2: account.balance
reverse-continue
#expect Hardware watchpoint 2: account.balance
#expect earn (amount=3) at
reverse-continue
#expect Hardware watchpoint 2: account.balance
#expect copy_name (to=
backtrace
#expect in kernel_main ()
print account.name
#expect Wilhelmi
reverse-continue
#expect copy_name (to=
print account.balance
#expect = 120
delete 2
reverse-finish
#expect kernel_main ()
stepi
reverse-stepi
#expect kernel_main ()
continue
#expect Breakpoint 1,
print account.balance != sum
#expect = 1
stepi
stepi
reverse-stepi
reverse-stepi
#expect Breakpoint 1,
delete
reverse-continue
#expect No more reverse-execution history.
kill

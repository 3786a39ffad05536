/*
 * Hardware task switching with 32- and 16-bit TSSs, nested tasks, faults of the new task, the T bit, the I/O permission
 * bitmap (SDM 3A chapter 7, SDM 1 §19.5).
 */
#include "system.inc"

    .set    T32, FREE               /* selectors of TSSs */
    .set    T16, FREE + 8
    .set    GATE, FREE + 16
    .set    ONE, FREE + 24          /* the segment under test */
    .set    TASK_LDT, FREE + 32
    .set    HANDLER_TS, FREE + 40   /* tasks that catch exceptions 10 to 13 */
    .set    HANDLER_NP, FREE + 48
    .set    HANDLER_SS, FREE + 56
    .set    HANDLER_GP, FREE + 64

    .set    TSS_32, 0x50000
    .set    TSS_16, 0x51000
    .set    TSS_HANDLERS, 0x52000   /* 100h bytes each */
    .set    TASK_STACK, 0x58000
    .set    HANDLER_STACK, 0x5c000

    /* Fields. */
    .set    EIP32, 0x20
    .set    EFLAGS32, 0x24
    .set    EAX32, 0x28
    .set    ESP32, 0x38
    .set    ES32, 0x48
    .set    CS32, 0x4c
    .set    SS32, 0x50
    .set    DS32, 0x54
    .set    LDT32, 0x60
    .set    TRAP32, 0x64
    .set    IO_BASE, 0x66

    .text
    .code32
    .globl  run
run:
    call    switches
    call    nesting
    call    refusals
    call    narrow
    call    new_task_faults
    call    trap_bit
    call    io_bitmap
    ret

/* All tasks as they are at the beginning, and the main one current. */
reset_tasks:
    pushad
    clts
    DESCRIPTOR T32, TSS_32, 0x67, TSS32, 0
    DESCRIPTOR T16, TSS_16, 0x2b, TSS16, 0
    DESCRIPTOR TASK, tss, 0x3ff, TSS32, 0
    mov     eax, TASK
    ltr     ax
    mov     eax, LDT
    lldt    ax
    mov     edi, TSS_32
    call    make_task
    mov     edi, TSS_16
    xor     eax, eax
    mov     ecx, 0x2c / 4
    rep     stosd
    mov     word ptr [TSS_16 + 0x0e], 0x100
    mov     word ptr [TSS_16 + 0x10], 2
    mov     word ptr [TSS_16 + 0x12], 0x1111
    mov     word ptr [TSS_16 + 0x1a], 0x2000
    mov     word ptr [TSS_16 + 0x22], DATA0
    mov     word ptr [TSS_16 + 0x24], ONE
    mov     word ptr [TSS_16 + 0x26], DATA0
    mov     word ptr [TSS_16 + 0x28], DATA0
    mov     word ptr [TSS_16 + 2], 0x3000
    mov     word ptr [TSS_16 + 4], DATA0
    popad
    ret

/* A 32-bit TSS at EDI: flat, CPL 0, begins at `arrive`. */
make_task:
    pushad
    mov     ebx, edi
    xor     eax, eax
    mov     ecx, 0x68 / 4
    rep     stosd
    mov     dword ptr [ebx + 4], STACK0
    mov     dword ptr [ebx + 8], DATA0
    mov     dword ptr [ebx + EIP32], offset arrive
    mov     dword ptr [ebx + EFLAGS32], 2
    mov     dword ptr [ebx + EAX32], 0x12345678
    mov     dword ptr [ebx + ESP32], TASK_STACK
    mov     dword ptr [ebx + ES32], DATA0
    mov     dword ptr [ebx + CS32], CODE0
    mov     dword ptr [ebx + SS32], DATA0
    mov     dword ptr [ebx + DS32], DATA0
    mov     dword ptr [ebx + LDT32], LDT
    mov     word ptr [ebx + IO_BASE], 0xffff
    popad
    ret

arrive:
    int3

/* Busy bits, TR, NT, TS after a switch. */
.macro SHOW_TASKS
    push    ebx
    str     bx
    movzx   ebx, bx
    SHOW    "tr", ebx
    movzx   ebx, byte ptr [gdt + TASK + 5]
    SHOW    "main", ebx
    movzx   ebx, byte ptr [gdt + T32 + 5]
    SHOW    "t32", ebx
    movzx   ebx, byte ptr [gdt + T16 + 5]
    SHOW    "t16", ebx
    and     dword ptr [saved_eflags], ~RF
    SHOW    "eflags", [saved_eflags]
    SHOW    "cr0", cr0
    pop     ebx
.endm

switches:
    SAY     "-- JMP, CALL, INT to a task"
    call    reset_tasks
    TRY     "JMP to a TSS"
    mov     ebx, 0x22222222
    ljmp    T32:0
    END
    SHOW_TASKS
    SHOW    "link", [TSS_32]
    SHOW    "eax", [saved_eax]
    SHOW    "ebx", [saved_ebx]
    NEXT
    SAY     "what was saved:"
    mov     eax, [tss + EIP32]
    sub     eax, [try_start]
    SHOW    " eip", eax
    SHOW    "eflags", [tss + EFLAGS32]
    SHOW    "ebx", [tss + 0x34]
    SHOW    "cs", [tss + CS32]
    SHOW    "ss", [tss + SS32]
    SHOW    "ds", [tss + DS32]
    NEXT
    call    reset_tasks
    TRY     "CALL to a TSS"
    lcall   T32:0
    END
    SHOW_TASKS
    SHOW    "link", [TSS_32]
    NEXT
    call    reset_tasks
    GATE    gdt + GATE, TASK_GATE, T32, 0
    TRY     "JMP to a task gate"
    ljmp    GATE:0x1234
    END
    SHOW_TASKS
    NEXT
    call    reset_tasks
    .set    VECTOR_GATE, idt + 32 * 8
    GATE    VECTOR_GATE, TASK_GATE, T32, 0
    TRY     "INT to a task gate"
    int     32
    END
    SHOW_TASKS
    SHOW    "link", [TSS_32]
    NEXT
    call    reset_tasks
    TRY_USER "CPL 3 to a TSS of DPL 0"
    ljmp    T32:0
    DONE
    GATE    gdt + GATE, TASK_GATE | DPL3, T32, 0
    TRY_USER "CPL 3 to a task gate of DPL 3"
    ljmp    GATE:0
    END
    SHOW_TASKS
    SHOW    "saved cs", [tss + CS32]
    NEXT
    call    reset_tasks
    mov     dword ptr [TSS_32 + CS32], CODE3
    mov     dword ptr [TSS_32 + SS32], DATA3
    mov     dword ptr [TSS_32 + DS32], DATA3
    mov     dword ptr [TSS_32 + ES32], 0
    mov     dword ptr [TSS_32 + 4], STACK1
    TRY     "to a task of CPL 3, and its own stack of CPL 0"
    ljmp    T32:0
    END
    SHOW    "cs", [saved_cs]
    SHOW    "ss", [saved_ss]
    SHOW    "esp", [saved_stack]
    SHOW    "ds", [saved_ds]
    NEXT
    call    reset_tasks
    mov     dword ptr [TSS_32 + EFLAGS32], VM | 2
    mov     dword ptr [TSS_32 + CS32], IMAGE >> 4
    mov     dword ptr [TSS_32 + EIP32], offset arrive - IMAGE
    mov     dword ptr [TSS_32 + SS32], 0x8000
    mov     dword ptr [TSS_32 + DS32], 0x1234
    TRY     "to a virtual-8086 task"
    ljmp    T32:0
    END
    SHOW    "cs", [saved_cs]
    SHOW    "eflags", [saved_eflags]
    NEXT
    call    reset_tasks
    ret

nesting:
    SAY     "-- nested tasks"
    mov     dword ptr [TSS_32 + EIP32], offset nested
    TRY     "CALL and IRET, twice"
    lcall   T32:0
    lcall   T32:0
    mov     eax, [TSS_32 + EAX32]
    END
    SHOW_TASKS
    SHOW    "its eax", [saved_eax]
    SHOW    "its eflags", [TSS_32 + EFLAGS32]
    NEXT
    call    reset_tasks
    mov     dword ptr [TSS_32 + EIP32], offset nested
    GATE    VECTOR_GATE, TASK_GATE, T32, 0
    TRY     "INT and IRET"
    int     32
    mov     eax, [TSS_32 + EAX32]
    END
    SHOW_TASKS
    SHOW    "its eax", [saved_eax]
    NEXT
    call    reset_tasks
    TRY     "IRET to a TSS that is not busy"
    mov     word ptr [tss], T32
    push    NT | 2
    popfd
    iretd
    END
    SHOW_TASKS
    NEXT
    TRY     "IRET to null"
    mov     word ptr [tss], 0
    push    NT | 2
    popfd
    iretd
    DONE
    TRY     "IRET to a selector of the LDT"
    mov     word ptr [tss], T32 | 4
    push    NT | 2
    popfd
    iretd
    DONE
    TRY     "IRET to data"
    mov     word ptr [tss], DATA0
    push    NT | 2
    popfd
    iretd
    DONE
    call    reset_tasks
    ret

/* Counts and goes back, for ever. */
nested:
    inc     eax
    iretd
    jmp     nested

refusals:
    SAY     "-- what is refused in the outgoing task"
    TRY     "JMP to the current TSS"
    ljmp    TASK:0
    DONE
    DESCRIPTOR T32, TSS_32, 0x67, TSS32-ABSENT, 0
    TRY     "an absent TSS"
    ljmp    T32:0
    DONE
    DESCRIPTOR T32, TSS_32, 0x66, TSS32, 0
    TRY     "a TSS too small"
    ljmp    T32:0
    DONE
    DESCRIPTOR T16, TSS_16, 0x2a, TSS16, 0
    TRY     "a 16-bit TSS too small"
    ljmp    T16:0
    DONE
    call    reset_tasks
    TRY     "RPL above the TSS's DPL"
    ljmp    (T32 | 3):0
    DONE
    GATE    gdt + GATE, TASK_GATE, 0, 0
    TRY     "a task gate to null"
    ljmp    GATE:0
    DONE
    GATE    gdt + GATE, TASK_GATE, T32 | 4, 0
    TRY     "a task gate to the LDT"
    ljmp    GATE:0
    DONE
    GATE    gdt + GATE, TASK_GATE, DATA0, 0
    TRY     "a task gate to data"
    ljmp    GATE:0
    DONE
    GATE    gdt + GATE, TASK_GATE, TASK, 0
    TRY     "a task gate to a busy TSS"
    ljmp    GATE:0
    DONE
    GATE    gdt + GATE, TASK_GATE-ABSENT, T32, 0
    TRY     "an absent task gate"
    ljmp    GATE:0
    DONE
    GATE    VECTOR_GATE, TASK_GATE, TASK, 0
    TRY     "INT to a busy TSS"
    int     32
    DONE
    GATE    VECTOR_GATE, TASK_GATE, 0, 0
    TRY     "INT to a null TSS"
    int     32
    DONE
    call    fill_idt
    ret

narrow:
    SAY     "-- 16-bit TSS"
    DESCRIPTOR ONE, IMAGE, 0xffff, CODE_XR, 0
    call    reset_tasks
    mov     eax, offset arrive_16 - IMAGE
    mov     [TSS_16 + 0x0e], ax
    TRY     "JMP"
    mov     ax, DATA0
    mov     fs, ax
    mov     eax, 0xaaaaaaaa
    ljmp    T16:0
    END
    SHOW_TASKS
    movzx   eax, word ptr [saved_eax]
    SHOW    "ax", eax
    SHOW    "sp", [saved_stack]
    SHOW    "fs", [saved_fs]
    NEXT
    call    reset_tasks
    mov     eax, offset nested_16 - IMAGE
    mov     [TSS_16 + 0x0e], ax
    TRY     "CALL and IRET"
    lcall   T16:0
    END
    SHOW_TASKS
    movzx   ebx, word ptr [TSS_16 + 0x12]
    SHOW    "its ax", ebx
    movzx   ebx, word ptr [TSS_16]
    SHOW    "link", ebx
    NEXT
    call    reset_tasks
    mov     eax, T16
    ltr     ax
    GATE    gdt + GATE, CALL_GATE32 | DPL3, CODE0, arrive
    TRY_USER "the stack of CPL 0 of a 16-bit TSS"
    lcall   GATE:0
    END
    SHOW    "esp", [saved_stack]
    SHOW    "ss", [saved_ss]
    NEXT
    TRY_USER "IN with a 16-bit TSS"
    in      al, 0x80
    DONE
    call    reset_tasks
    ret
    .code16
arrive_16:                          /* the upper halves of registers are not defined */
    movzx   esp, sp
    int3
nested_16:
    inc     ax
    iret
    jmp     nested_16
    .code32

/* Vector 10 + n becomes a task with EAX = 10 + n. */
.macro CATCH number, selector
    DESCRIPTOR \selector, TSS_HANDLERS+0x100*\number, 0x67, TSS32, 0
    mov     edi, TSS_HANDLERS + 0x100 * \number
    call    make_task
    mov     dword ptr [edi + EAX32], 10 + \number
    mov     dword ptr [edi + ESP32], HANDLER_STACK
    mov     dword ptr [edi + EIP32], offset caught
    GATE    idt+80+8*\number, TASK_GATE, \selector, 0
.endm

prepare_fault:
    call    reset_tasks
    CATCH   0, HANDLER_TS
    CATCH   1, HANDLER_NP
    CATCH   2, HANDLER_SS
    CATCH   3, HANDLER_GP
    ret

caught:
    pop     ebx
    movzx   ecx, sp
    int3

/* The switch happens and then the new task faults: the handler's back link names it, and its TSS holds where. */
.macro FAULT text
    TRY     "\text"
    ljmp    T32:0
    END
    SHOW    "vector", [saved_eax]
    SHOW    "error", [saved_ebx]
    SHOW    "sp", [saved_ecx]
    imul    eax, dword ptr [saved_eax], 0x100
    SHOW    "link", [TSS_HANDLERS + eax - 0xa00]
    mov     eax, [TSS_32 + EIP32]
    sub     eax, offset arrive
    SHOW    "at", eax
    SHOW    "cs", [TSS_32 + CS32]
    NEXT
    call    prepare_fault
.endm

new_task_faults:
    SAY     "-- faults of the new task"
    call    prepare_fault
    mov     dword ptr [TSS_32 + LDT32], DATA0
    FAULT   "LDT is data"
    DESCRIPTOR TASK_LDT, ldt, 0xff, LDT_TYPE-ABSENT, 0
    mov     dword ptr [TSS_32 + LDT32], TASK_LDT
    FAULT   "LDT absent"
    mov     dword ptr [TSS_32 + LDT32], 0
    mov     dword ptr [TSS_32 + DS32], 0x0c
    FAULT   "DS in a missing LDT"
    mov     dword ptr [TSS_32 + CS32], 0
    FAULT   "CS null"
    mov     dword ptr [TSS_32 + CS32], DATA0
    FAULT   "CS is data"
    mov     dword ptr [TSS_32 + CS32], CODE0 | 3
    FAULT   "CS of DPL 0 with RPL 3"
    DESCRIPTOR ONE, 0, 0xfffff, CODE_XR-ABSENT, WIDE
    mov     dword ptr [TSS_32 + CS32], ONE
    FAULT   "CS absent"
    mov     dword ptr [TSS_32 + SS32], 0
    FAULT   "SS null"
    mov     dword ptr [TSS_32 + SS32], DATA3
    FAULT   "SS of another level"
    DESCRIPTOR ONE, 0, 0xfffff, DATA_RW-ABSENT, WIDE
    mov     dword ptr [TSS_32 + SS32], ONE
    FAULT   "SS absent"
    mov     dword ptr [TSS_32 + DS32], 0x7ff8
    FAULT   "DS beyond the GDT"
    mov     dword ptr [TSS_32 + ES32], ONE
    FAULT   "ES absent"
    mov     dword ptr [TSS_32 + DS32], TASK
    FAULT   "DS is a TSS"
    DESCRIPTOR ONE, 0, 0xff, CODE_XR, BIG
    mov     dword ptr [TSS_32 + CS32], ONE
    FAULT   "EIP beyond the limit"
    call    prepare_fault
    TRY     "an exception through a task gate: its error code"
    mov     eax, 0x7ff8
    mov     ds, ax
    END
    SHOW    "vector", [saved_eax]
    SHOW    "error", [saved_ebx]
    SHOW    "sp", [saved_ecx]
    mov     eax, [tss + EIP32]
    sub     eax, [try_start]
    SHOW    "at", eax
    SHOW    "link", [TSS_HANDLERS + 0x300]
    NEXT
    call    reset_tasks
    call    fill_idt
    ret

trap_bit:
    SAY     "-- the T bit"
    call    reset_tasks
    xor     eax, eax
    mov     dr6, eax
    mov     dword ptr [TSS_32 + EIP32], offset trapped
    mov     word ptr [TSS_32 + TRAP32], 1
    TRY     "before the first instruction"
    ljmp    T32:0
    END
    mov     eax, [saved_eip]
    sub     eax, offset trapped
    SHOW    "at", eax
    mov     eax, dr6
    and     eax, 0xe00f
    SHOW    "dr6", eax
    NEXT
    call    reset_tasks
    ret
trapped:
    nop
    int3

io_bitmap:
    SAY     "-- the I/O permission bitmap"
    call    reset_tasks
    mov     word ptr [tss + IO_BASE], 0x100
    mov     edi, tss + 0x100
    mov     eax, 0xffffffff
    mov     ecx, 0x20
    rep     stosd
    and     byte ptr [tss + 0x100 + 0x80 / 8], 0xe0     /* 80h to 84h */
    and     byte ptr [tss + 0x100 + 0x88 / 8], 0x7f     /* 8fh */
    and     byte ptr [tss + 0x100 + 0x90 / 8], 0xfe     /* 90h */
    TRY_USER "a port that is allowed"
    in      al, 0x80
    DONE
    TRY_USER "four ports that are allowed"
    in      eax, 0x80
    DONE
    TRY_USER "one of four is not"
    in      eax, 0x82
    DONE
    TRY_USER "a port that is not"
    in      al, 0x85
    DONE
    TRY_USER "across two bytes of the map"
    in      ax, 0x8f
    DONE
    TRY_USER "OUT"
    out     0x86, al
    DONE
    TRY_USER "IOPL 3 asks nobody", IOPL3
    in      al, 0x85
    DONE
    DESCRIPTOR TASK, tss, 0x110, TSS32, 0
    mov     eax, TASK
    ltr     ax
    TRY_USER "the map ends behind the port's byte"
    in      al, 0x80
    DONE
    mov     byte ptr [gdt + TASK], 0x0f
    and     byte ptr [gdt + TASK + 5], ~2
    ltr     ax
    /* 80h lies in the map's byte 10h, and the processor always reads two */
    TRY_USER "the map ends before it"
    in      al, 0x80
    DONE
    mov     byte ptr [gdt + TASK], 0x11
    and     byte ptr [gdt + TASK + 5], ~2
    ltr     ax
    TRY_USER "the map has the byte behind it"
    in      al, 0x80
    DONE
    mov     word ptr [tss + IO_BASE], 0x200
    TRY_USER "the map begins behind the TSS"
    in      al, 0x80
    DONE
    call    reset_tasks
    ret

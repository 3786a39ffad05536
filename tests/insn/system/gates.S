/*
 * Call, interrupt and trap gates, far jumps and returns, changes of privilege, SYSENTER and SYSEXIT (SDM 3A §5.8, §6.12;
 * SDM 2 CALL, JMP, RET, INT n, IRET).
 */
#include "system.inc"

    .set    ONE, FREE               /* the gate under test */
    .set    TWO, FREE + 8           /* the segment it leads to */
    .set    THREE, FREE + 16
    .set    AREA, 0x40000
    .set    STACK16, 0x2000

    .text
    .code32
    .globl  run
run:
    call    direct
    call    call_gates
    call    far_returns
    call    interrupts
    call    interrupt_returns
    call    fast_calls
    ret

/* Where transfers under test arrive: the stack shows what was pushed. */
arrive:
    int3

.macro STACK_ITEMS
    SHOW    "esp", [saved_stack]
    SHOW    "pushed cs", [saved_items + 4]
.endm

direct:
    SAY     "-- direct transfers"
    TRY     "JMP null"
    ljmp    0:arrive
    DONE
    TRY     "JMP beyond the GDT"
    ljmp    0xfff8:arrive
    DONE
    TRY     "JMP data"
    ljmp    DATA0:arrive
    DONE
    TRY     "JMP to DPL 3"
    ljmp    CODE3:arrive
    DONE
    TRY     "JMP with RPL 3"
    ljmp    (CODE0 | 3):arrive
    DONE
    TRY_USER "JMP to DPL 0"
    ljmp    CODE0:arrive
    DONE
    TRY_USER "JMP to conforming code of DPL 0"
    ljmp    CONFORMING:arrive
    END
    SHOW    "cs", [saved_cs]
    NEXT
    DESCRIPTOR TWO, 0, 0xfffff, CODE_CONFORMING | DPL3, WIDE
    TRY     "JMP from CPL 0 to conforming code of DPL 3"
    ljmp    TWO:arrive
    DONE
    DESCRIPTOR TWO, 0, 0xfffff, CODE_XR-ABSENT, WIDE
    TRY     "JMP to absent code"
    ljmp    TWO:arrive
    DONE
    DESCRIPTOR TWO, 0, 0xfffff, (CODE_XR | DPL3)-ABSENT, WIDE
    TRY     "JMP to absent code of DPL 3"
    ljmp    TWO:arrive
    DONE
    DESCRIPTOR TWO, 0, 0xfffff, CODE_XO, WIDE
    TRY     "the accessed bit of code"
    ljmp    TWO:arrive
    END
    SHOW    "cs", [saved_cs]
    SHOW    "descriptor", [gdt + TWO + 4]
    NEXT
    TRY     "CALL pushes CS and EIP"
    lcall   TWO:arrive
    END
    STACK_ITEMS
    NEXT
    TRY     "JMP to an interrupt gate"
    GATE    gdt + ONE, INT_GATE32, CODE0, arrive
    ljmp    ONE:0
    DONE
    TRY     "JMP to the LDT"
    ljmp    LDT:0
    DONE
    ret

call_gates:
    SAY     "-- call gates"
    GATE    gdt + ONE, CALL_GATE32, CODE0, arrive, 3
    TRY     "CALL, same level: no parameters are copied"
    push    0x111
    push    0x222
    push    0x333
    lcall   ONE:0x12345678
    END
    STACK_ITEMS
    NEXT
    TRY     "JMP, same level"
    ljmp    ONE:0
    END
    SHOW    "cs", [saved_cs]
    NEXT
    TRY_USER "CALL from CPL 3 through a gate of DPL 0"
    lcall   ONE:0
    DONE
    GATE    gdt + ONE, (CALL_GATE32 | DPL3), CODE0, arrive, 3
    TRY_USER "CALL from CPL 3 copies parameters"
    push    0x111
    push    0x222
    push    0x333
    lcall   ONE:0
    END
    SHOW    "esp", [saved_stack]
    SHOW    "cs", [saved_items + 4]
    SHOW    "", [saved_items + 8]
    SHOW    "", [saved_items + 12]
    SHOW    "", [saved_items + 16]
    SHOW    "sp", [saved_items + 20]
    SHOW    "ss", [saved_items + 24]
    SHOW    "new cs", [saved_cs]
    SHOW    "new ss", [saved_ss]
    NEXT
    TRY_USER "JMP from CPL 3 to DPL 0"
    ljmp    ONE:0
    DONE
    TRY_USER "an RPL above the gate's DPL"
    lcall   (ONE | 3):0
    END
    SHOW    "new cs", [saved_cs]
    NEXT
    GATE    gdt + ONE, (CALL_GATE32 | DPL3)-ABSENT, CODE0, arrive
    TRY_USER "an absent gate"
    lcall   ONE:0
    DONE
    GATE    gdt + ONE, (CALL_GATE32 | DPL3), 0, arrive
    TRY_USER "a gate to null"
    lcall   ONE:0
    DONE
    GATE    gdt + ONE, (CALL_GATE32 | DPL3), DATA0, arrive
    TRY_USER "a gate to data"
    lcall   ONE:0
    DONE
    DESCRIPTOR TWO, 0, 0xfffff, CODE_XR-ABSENT, WIDE
    GATE    gdt + ONE, (CALL_GATE32 | DPL3), TWO, arrive
    TRY_USER "a gate to absent code"
    lcall   ONE:0
    DONE
    GATE    gdt + ONE, CALL_GATE32, CODE3, arrive
    TRY     "a gate to an outer level"
    lcall   ONE:0
    DONE
    GATE    gdt + ONE, (CALL_GATE32 | DPL3), CONFORMING, arrive
    TRY_USER "a gate to conforming code"
    lcall   ONE:0
    END
    SHOW    "cs", [saved_cs]
    NEXT
    GATE    gdt + ONE, (CALL_GATE32 | DPL3), CODE1 & ~3, arrive
    TRY_USER "a gate to CPL 1"
    lcall   ONE:0
    END
    SHOW    "cs", [saved_cs]
    SHOW    "ss", [saved_ss]
    NEXT
    DESCRIPTOR TWO, 0, 0xff, CODE_XR, BIG
    GATE    gdt + ONE, (CALL_GATE32 | DPL3), TWO, arrive
    TRY_USER "a gate beyond its segment's limit"
    lcall   ONE:0
    DONE
    DESCRIPTOR TWO, IMAGE, 0xffff, CODE_XR, BIG
    GATE    gdt + ONE, (CALL_GATE16 | DPL3), TWO, arrive, 1
    mov     word ptr [gdt + ONE + 6], 0
    TRY_USER "a 16-bit gate pushes words"
    push    0x11112222
    lcall   ONE:0
    END
    SHOW    "esp", [saved_stack]
    SHOW    "cs, parameter", [saved_items + 2]
    SHOW    "sp, ss", [saved_items + 6]
    NEXT

    SAY     "-- the stack of the inner level"
    GATE    gdt + ONE, (CALL_GATE32 | DPL3), CODE1 & ~3, arrive
    mov     dword ptr [tss + 16], 0
    TRY_USER "SS null"
    lcall   ONE:0
    DONE
    mov     dword ptr [tss + 16], DATA0
    TRY_USER "SS of another DPL"
    lcall   ONE:0
    DONE
    mov     dword ptr [tss + 16], DATA1 & ~3
    TRY_USER "SS with RPL 0"
    lcall   ONE:0
    DONE
    mov     dword ptr [tss + 16], CODE1
    TRY_USER "SS is code"
    lcall   ONE:0
    DONE
    mov     dword ptr [tss + 16], 0x7ff1
    TRY_USER "SS beyond the GDT"
    lcall   ONE:0
    DONE
    DESCRIPTOR TWO, 0, 0xfffff, (DATA_RW | 0x20)-ABSENT, WIDE
    mov     dword ptr [tss + 16], TWO | 1
    TRY_USER "SS absent"
    lcall   ONE:0
    DONE
    mov     dword ptr [tss + 16], DATA1
    DESCRIPTOR TASK, tss, 0x0f, TSS32 | 2, 0
    mov     byte ptr [gdt + TASK + 5], TSS32
    mov     ax, TASK
    ltr     ax
    TRY_USER "the TSS ends before ESP1 and SS1"
    lcall   ONE:0
    DONE
    mov     byte ptr [gdt + TASK + 5], TSS32
    mov     word ptr [gdt + TASK], 0x3ff
    ltr     ax
    ret

/* RETF from CPL 0 with a frame on the stack. */
.macro RETURN text, cs, ss=DATA3, release=0
    TRY     "\text"
    push    \ss
    push    STACK3
    .if     \release
    push    0
    .endif
    push    \cs
    push    offset arrive
    .if     \release
    retf    \release
    .else
    retf
    .endif
    END
    SHOW    "cs", [saved_cs]
    SHOW    "ss", [saved_ss]
    SHOW    "esp", [saved_stack]
    SHOW    "ds", [saved_ds]
    NEXT
.endm

far_returns:
    SAY     "-- RETF"
    RETURN  "to CPL 3", CODE3
    RETURN  "to CPL 3 with parameters", CODE3, DATA3, 4
    RETURN  "to the same level", CODE0
    RETURN  "to null", 0
    RETURN  "to data", DATA0
    RETURN  "to beyond the GDT", 0x7ff8
    RETURN  "to code of DPL 0 with RPL 3", CODE0 | 3
    RETURN  "to conforming code with RPL 3", CONFORMING | 3
    RETURN  "SS null", CODE3, 0
    RETURN  "SS of DPL 0", CODE3, DATA0 | 3
    RETURN  "SS with RPL 0", CODE3, DATA3 & ~3
    DESCRIPTOR TWO, 0, 0xfffff, (DATA_RW | DPL3)-ABSENT, WIDE
    RETURN  "SS absent", CODE3, TWO | 3
    DESCRIPTOR TWO, 0, 0xfffff, (CODE_XR | DPL3)-ABSENT, WIDE
    RETURN  "CS absent", TWO | 3
    TRY_USER "to an inner level"
    push    CODE0
    push    offset arrive
    retf
    DONE
    TRY     "segments of inner levels become null"
    mov     ax, DATA0
    mov     fs, ax
    mov     ax, DATA3
    mov     gs, ax
    mov     ax, CONFORMING
    mov     es, ax
    push    DATA3
    push    STACK3
    push    CODE3
    push    offset arrive
    retf
    END
    SHOW    "ds", [saved_ds]
    SHOW    "es", [saved_es]
    SHOW    "fs", [saved_fs]
    SHOW    "gs", [saved_gs]
    NEXT
    ret

/* INT n through the gate at vector 32. */
    .set    VECTOR, 32
    .set    VECTOR_GATE, idt + 8 * VECTOR

interrupts:
    SAY     "-- INT n"
    TRY     "an interrupt gate clears IF, TF, NT, RF"
    GATE    VECTOR_GATE, INT_GATE32, CODE0, flags_in_eax
    push    NT | IF | 2
    popfd
    int     VECTOR
    END
    SHOW    "eflags", [saved_eax]
    SHOW    "pushed", [saved_ecx]
    NEXT
    TRY     "a trap gate leaves IF"
    GATE    VECTOR_GATE, TRAP_GATE32, CODE0, flags_in_eax
    push    NT | IF | 2
    popfd
    int     VECTOR
    END
    SHOW    "eflags", [saved_eax]
    SHOW    "pushed", [saved_ecx]
    NEXT
    TRY_USER "from CPL 3 through DPL 0"
    int     VECTOR
    DONE
    GATE    VECTOR_GATE, (TRAP_GATE32 | DPL3), CODE0, arrive
    TRY_USER "from CPL 3 to CPL 0"
    int     VECTOR
    END
    SHOW    "cs", [saved_items + 4]
    SHOW    "eflags", [saved_items + 8]
    SHOW    "esp", [saved_items + 12]
    SHOW    "ss", [saved_items + 16]
    NEXT
    GATE    VECTOR_GATE, (TRAP_GATE32 | DPL3), CODE3, arrive
    TRY_USER "from CPL 3 to CPL 3"
    int     VECTOR
    END
    SHOW    "esp", [saved_stack]
    NEXT
    TRY     "from CPL 0 to CPL 3"
    int     VECTOR
    DONE
    GATE    VECTOR_GATE, (TRAP_GATE32 | DPL3)-ABSENT, CODE0, arrive
    TRY     "an absent gate"
    int     VECTOR
    DONE
    GATE    VECTOR_GATE, CALL_GATE32 | DPL3, CODE0, arrive
    TRY     "a call gate in the IDT"
    int     VECTOR
    DONE
    GATE    VECTOR_GATE, TRAP_GATE32 | DPL3, 0, arrive
    TRY     "a gate to null"
    int     VECTOR
    DONE
    GATE    VECTOR_GATE, TRAP_GATE32 | DPL3, DATA0, arrive
    TRY     "a gate to data"
    int     VECTOR
    DONE
    DESCRIPTOR TWO, 0, 0xfffff, CODE_XR-ABSENT, WIDE
    GATE    VECTOR_GATE, TRAP_GATE32 | DPL3, TWO, arrive
    TRY     "a gate to absent code"
    int     VECTOR
    DONE
    TRY     "a vector beyond the IDT"
    int     0xff
    DONE
    GATE    VECTOR_GATE, TRAP_GATE32 | DPL3, CODE1 & ~3, arrive
    mov     dword ptr [tss + 16], 0
    TRY_USER "SS1 null"
    int     VECTOR
    DONE
    mov     dword ptr [tss + 16], DATA1
    TRY_USER "INTO through DPL 0"
    mov     al, 0x7f
    inc     al
    into
    DONE
    TRY     "INTO without overflow"
    xor     eax, eax
    into
    DONE
    TRY     "BOUND"
    mov     dword ptr [AREA], 1
    mov     dword ptr [AREA + 4], 5
    mov     eax, 6
    bound   eax, [AREA]
    DONE
    TRY     "UD2"
    ud2
    DONE
    TRY     "a fault pushes RF, a trap does not"
    ud2
    END
    SHOW    "fault", [saved_eflags]
    TRY     ""
    int     VECTOR + 1
    END
    SHOW    "trap", [saved_eflags]
    NEXT
    DESCRIPTOR TWO, IMAGE, 0xffff, CODE_XR, BIG
    GATE    VECTOR_GATE, INT_GATE16, TWO, arrive
    mov     word ptr [VECTOR_GATE + 6], 0
    TRY     "a 16-bit gate pushes words"
    push    0x55555555
    int     VECTOR
    END
    SHOW    "esp", [saved_stack]
    SHOW    "cs, flags", [saved_items + 2]
    NEXT
    ret

/* After INT n: EFLAGS in EAX, the pushed image in ECX. */
flags_in_eax:
    pushfd
    pop     eax
    mov     ecx, [esp + 8]
    int3

.macro IRET_TO text, cs, ss=DATA3, eflags=2
    TRY     "\text"
    push    \ss
    push    STACK3
    push    \eflags
    push    \cs
    push    offset arrive
    iretd
    END
    and     dword ptr [saved_eflags], ~RF
    SHOW    "cs", [saved_cs]
    SHOW    "eflags", [saved_eflags]
    NEXT
.endm

interrupt_returns:
    SAY     "-- IRET"
    IRET_TO "to CPL 3", CODE3
    IRET_TO "to CPL 0", CODE0
    IRET_TO "to null", 0
    IRET_TO "to code of DPL 0 with RPL 3", CODE0 | 3
    IRET_TO "to SS null", CODE3, 0
    IRET_TO "CPL 0 changes IOPL, IF, VIF and AC", CODE3, DATA3, IOPL3 | IF | VIF | AC | 2
    TRY_USER "CPL 3 changes neither IOPL nor IF nor VM"
    push    DATA3
    push    STACK3
    push    IOPL3 | IF | VM | NT | 2
    push    CODE3
    push    offset arrive
    iretd
    END
    SHOW    "eflags", [saved_eflags]
    NEXT
    TRY     "a 16-bit IRET keeps the upper half of EFLAGS"
    push    AC | 2
    popfd
    .byte   0x66
    push    0x0002
    .byte   0x66
    push    TWO
    mov     eax, offset arrive - IMAGE
    push    ax
    iretw
    END
    SHOW    "eflags", [saved_eflags]
    NEXT
    TRY     "NT without a previous task"
    push    NT | 2
    popfd
    iretd
    DONE
    ret

fast_calls:
    SAY     "-- SYSENTER, SYSEXIT"
    TRY     "SYSENTER with a null CS"
    mov     ecx, 0x174
    xor     eax, eax
    xor     edx, edx
    wrmsr
    sysenter
    DONE
    TRY     "SYSEXIT with a null CS"
    sysexit
    DONE
    TRY_USER "SYSEXIT at CPL 3"
    sysexit
    DONE
    /* CODE0, DATA0, CODE3, DATA3 stand in the order it wants */
    mov     ecx, 0x174
    mov     eax, CODE0
    xor     edx, edx
    wrmsr
    mov     ecx, 0x175
    mov     eax, STACK1
    wrmsr
    mov     ecx, 0x176
    mov     eax, offset arrive
    wrmsr
    TRY_USER "SYSENTER from CPL 3", IOPL3 | IF
    sysenter
    END
    SHOW    "cs", [saved_cs]
    SHOW    "ss", [saved_ss]
    SHOW    "esp", [saved_stack]
    SHOW    "eflags", [saved_eflags]
    NEXT
    TRY     "SYSEXIT"
    mov     ecx, STACK3
    mov     edx, offset arrive
    sysexit
    END
    SHOW    "cs", [saved_cs]
    SHOW    "ss", [saved_ss]
    SHOW    "esp", [saved_stack]
    NEXT
    ret

/*
 * When an external interrupt is taken, and how (SDM 3A §6.8, table 6-2; SDM 2 STI, POPF, IRET, HLT).
 *
 * The 8254's counter 0 raises IRQ 0 once while interrupts are off; the 8259 then shows it in its IRR and waits.
 */
#include "system.inc"

    .set    VECTOR, 0x20
    .set    VECTOR_GATE, idt + 8 * VECTOR
    .set    T32, FREE
    .set    TSS_32, 0x50000

    .text
    .code32
    .globl  run
run:
    call    set_up
    call    windows
    call    levels
    call    gates
    call    nonmaskable
    ret

set_up:
    mov     dword ptr [0xfee000f0], 0x10f   /* the local APIC on, and its LINT0 for the 8259 ("virtual wire") */
    mov     dword ptr [0xfee00350], 0x700
    mov     al, 0x11                /* ICW1 to ICW4 */
    out     0x20, al
    mov     al, VECTOR
    out     0x21, al
    mov     al, 4
    out     0x21, al
    mov     al, 1
    out     0x21, al
    mov     al, 0xfe
    out     0x21, al
    ret

/* IRQ 0 waits when this returns. */
request:
    push    eax
    mov     al, 0x30                /* mode 0 */
    out     0x43, al
    mov     al, 0x20
    out     0x40, al
    mov     al, 0
    out     0x40, al
1:  mov     al, 0x0a                /* the IRR */
    out     0x20, al
    in      al, 0x20
    test    al, 1
    jz      1b
    pop     eax
    ret

/* Takes the interrupt if it still waits. */
settle:
    push    eax
    HOOK    VECTOR, serve
    sti
    nop
    nop
    cli
    UNHOOK  VECTOR
    mov     al, 0x20
    out     0x20, al
    pop     eax
    ret
serve:
    push    eax
    mov     al, 0x20
    out     0x20, al
    pop     eax
    add     esp, 4
    iretd

.macro SERVED
    END
    call    settle
    NEXT
.endm

windows:
    SAY     "-- when"
    call    request
    TRY     "STI holds it off for one instruction"
    sti
    nop
    nop
    SERVED
    call    request
    TRY     "STI and CLI let nothing through"
    sti
    cli
    nop
    nop
    SERVED
    call    request
    TRY     "POPF holds nothing off"
    push    IF | 2
    popfd
    nop
    nop
    SERVED
    call    request
    TRY     "nor does IRET"
    push    IF | 2
    push    CODE0
    push    offset 1f
    iretd
    nop
1:  nop
    nop
    SERVED
    call    request
    TRY     "STI and HLT"
    sti
    hlt
    nop
    nop
    SERVED
    TRY     "HLT until it comes"
    mov     al, 0x30
    out     0x43, al
    mov     al, 0x00
    out     0x40, al
    mov     al, 0x10
    out     0x40, al
    sti
    hlt
    nop
    nop
    SERVED
    call    request
    TRY     "STI and RET"
    push    offset 1f
    sti
    ret
    nop
1:  nop
    nop
    SERVED
    call    request
    TRY     "the task priority is the 8259's business"
    mov     al, 0xff
    out     0x21, al
    sti
    nop
    nop
    cli
    mov     al, 0xfe
    out     0x21, al
    SERVED
    ret

levels:
    SAY     "-- from where"
    call    request
    TRY_USER "CPL 3", IF | 2
    nop
    nop
    END
    SHOW    "esp", [saved_stack]
    SHOW    "ss", [saved_ss]
    SHOW    "eflags", [saved_eflags]
    call    settle
    NEXT
    call    request
    TRY_USER "CPL 3 with STI", IOPL3 | 2
    sti
    nop
    nop
    SERVED
    call    request
    TRY_V86 "virtual-8086 mode", IF | 2
    nop
    nop
    END
    SHOW    "cs", [saved_cs]
    SHOW    "ds", [saved_items + 4]
    SHOW    "eflags", [saved_eflags]
    call    settle
    NEXT
    call    request
    TRY_V86 "virtual-8086 mode with STI", IOPL3 | 2
    sti
    nop
    nop
    SERVED
    ret

gates:
    SAY     "-- through what"
    GATE    VECTOR_GATE, INT_GATE32-ABSENT, CODE0, 0
    call    request
    TRY     "an absent gate"
    sti
    nop
    nop
    END
    call    fill_idt
    call    settle
    NEXT
    GATE    VECTOR_GATE, INT_GATE32, DATA0, 0
    call    request
    TRY     "a gate to data"
    sti
    nop
    nop
    END
    call    fill_idt
    call    settle
    NEXT
    mov     word ptr [other_idt_pointer], 8 * VECTOR - 1
    mov     dword ptr [other_idt_pointer + 2], idt
    call    request
    TRY     "no gate"
    lidt    [other_idt_pointer]
    sti
    nop
    nop
    END
    lidt    [idt_pointer]
    call    settle
    NEXT
    GATE    VECTOR_GATE, TRAP_GATE32, CODE0, flags_in_eax
    call    request
    TRY     "a trap gate leaves IF"
    sti
    nop
    nop
    END
    SHOW    "eflags", [saved_eax]
    call    fill_idt
    call    settle
    NEXT
    DESCRIPTOR T32, TSS_32, 0x67, TSS32, 0
    mov     edi, TSS_32
    xor     eax, eax
    mov     ecx, 26
    rep     stosd
    mov     dword ptr [TSS_32 + 0x20], offset task
    mov     dword ptr [TSS_32 + 0x24], 2
    mov     dword ptr [TSS_32 + 0x38], 0x58000
    mov     dword ptr [TSS_32 + 0x48], DATA0
    mov     dword ptr [TSS_32 + 0x4c], CODE0
    mov     dword ptr [TSS_32 + 0x50], DATA0
    mov     dword ptr [TSS_32 + 0x54], DATA0
    GATE    VECTOR_GATE, TASK_GATE, T32, 0
    call    request
    TRY     "a task, and back"
    mov     ebx, 0
    sti
    nop
    nop
    cli
    END
    SHOW    "ran", [task_runs]
    SHOW    "link", [TSS_32]
    mov     eax, [tss + 0x20]
    sub     eax, [try_start]
    SHOW    "at", eax
    call    fill_idt
    NEXT
    ret
task:
    inc     dword ptr [task_runs]
    mov     al, 0x20
    out     0x20, al
    iretd
    jmp     task

/* The local APIC sends an NMI to its own processor; it arrives within a few instructions. */
send_nmi:
    push    eax
    push    ecx
    mov     eax, [0xfee00020]       /* the APIC's number is the destination */
    mov     [0xfee00310], eax
    mov     dword ptr [0xfee00300], 0x4400
    mov     ecx, 100
1:  loop    1b
    pop     ecx
    pop     eax
    ret

/* The first NMI asks for another one, which has to wait for IRET. */
nested_nmi:
    inc     dword ptr [nmis]
    cmp     dword ptr [nmis], 1
    jne     1f
    call    send_nmi
    push    eax
    mov     eax, [nmis]
    mov     [nmis_inside], eax
    pop     eax
1:  add     esp, 4
    iretd

nonmaskable:
    SAY     "-- NMI"
    HOOK    2, nested_nmi
    TRY     "another one waits for IRET"
    call    send_nmi
    END
    SHOW    "inside", [nmis_inside]
    SHOW    "all", [nmis]
    NEXT
    mov     dword ptr [nmis], 0
    TRY     "INT 2 holds off nothing"
    int     2
    END
    SHOW    "inside", [nmis_inside]
    SHOW    "all", [nmis]
    NEXT
    UNHOOK  2
    ret

flags_in_eax:
    pushfd
    pop     eax
    int3

    .data
task_runs:
    .long   0
nmis:
    .long   0
nmis_inside:
    .long   0
other_idt_pointer:
    .word   0
    .long   0

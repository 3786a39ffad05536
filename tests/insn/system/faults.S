/*
 * Which exception comes when there is a choice, exceptions while another is delivered, double and triple faults (SDM 3A
 * §6.9 table 6-2, §6.15 interrupt 8).
 */
#include "system.inc"

    .set    DIRECTORY, 0x20000
    .set    TABLE, 0x21000
    .set    AREA, 0x40000
    .set    ABSENT_PAGE, 0x60000
    .set    OTHER_IDT, 0x62f90      /* vectors 0 to 13 on one page, 14 to 31 on the next */
    .set    SMALL, FREE
    .set    DOUBLE, FREE + 8
    .set    READ_ONLY, FREE + 16
    .set    TSS_DOUBLE, 0x50000

    .text
    .code32
    .globl  run
run:
    call    paging_on
    DESCRIPTOR SMALL, ABSENT_PAGE, 0xff, DATA_RW, BIG
    DESCRIPTOR READ_ONLY, ABSENT_PAGE, 0xff, DATA_RO, BIG
    call    priorities
    call    undefined
    call    floating_point
    call    double_faults
    call    other_idt
    call    triple_fault
    ret

paging_on:
    mov     edi, DIRECTORY
    xor     eax, eax
    mov     ecx, 1024
    rep     stosd
    mov     dword ptr [DIRECTORY], TABLE | 7
    mov     edi, TABLE
    mov     eax, 7
    mov     ecx, 1024
1:  stosd
    add     eax, 0x1000
    loop    1b
    mov     dword ptr [TABLE + (ABSENT_PAGE >> 12) * 4], 0
    mov     eax, DIRECTORY
    mov     cr3, eax
    SET_CR0 CR0_PG
    ret

.macro ONE text, insn:vararg
    TRY     "\text"
    \insn
    DONE
.endm
.macro ONE_USER text, insn:vararg
    TRY_USER "\text"
    \insn
    DONE
.endm

priorities:
    SAY     "-- priorities"
    TRY     "type before page"
    mov     eax, READ_ONLY
    mov     ds, ax
    mov     [0], eax
    DONE
    TRY     "limit before page"
    mov     eax, SMALL
    mov     ds, ax
    mov     al, [0x100]
    DONE
    ONE_USER "privilege before operand", lgdt [ABSENT_PAGE]
    ONE_USER "privilege before selector", ltr [ABSENT_PAGE]
    ONE     "operand before division", div dword ptr [ABSENT_PAGE]
    ONE     "LOCK before operand", .byte 0xf0, 0x8b, 0x05, 0x00, 0x00, 0x06, 0x00
    ONE     "the second part of a far pointer", lds eax, [ABSENT_PAGE - 4]
    ONE     "MOV SS from an absent page", mov ss, [ABSENT_PAGE]
    ONE     "LAR from an absent page", lar eax, [ABSENT_PAGE]
    TRY     "MOVS: source before destination"
    mov     esi, ABSENT_PAGE + 0x10
    mov     edi, ABSENT_PAGE + 0x20
    movsb
    DONE
    ONE     "PUSH [absent]", push dword ptr [ABSENT_PAGE]
    TRY     "POP [absent] leaves ESP"
    mov     ebx, esp
    push    eax
    pop     dword ptr [ABSENT_PAGE]
    END
    mov     eax, [saved_ebx]
    sub     eax, [saved_stack]
    SHOW    "below", eax
    NEXT
    ONE     "INVLPG faults on nothing", invlpg [ABSENT_PAGE]
    ONE     "LEA neither", lea eax, [ABSENT_PAGE]
    ONE     "a multi-byte NOP neither", .byte 0x0f, 0x1f, 0x05, 0x00, 0x00, 0x06, 0x00
    ONE     "PREFETCH neither", prefetcht0 [ABSENT_PAGE]
    TRY     "CMOV reads even when it does not move"
    xor     ebx, ebx
    cmovnz  eax, [ABSENT_PAGE]
    DONE
    TRY     "a shift by 0 reads"
    xor     ecx, ecx
    shl     dword ptr [ABSENT_PAGE], cl
    DONE
    ret

undefined:
    SAY     "-- #UD and length"
    ONE     "LEA with a register", .byte 0x8d, 0xc0
    ONE     "LES with a register", .byte 0xc4, 0xc0
    ONE     "BOUND with a register", .byte 0x62, 0xc0
    ONE     "CALL far with a register", .byte 0xff, 0xd8
    ONE     "CMPXCHG8B with a register", .byte 0x0f, 0xc7, 0xc8
    ONE     "INVLPG with a register", .byte 0x0f, 0x01, 0xf8
    ONE     "LGDT with a register", .byte 0x0f, 0x01, 0xd0
    ONE     "RSM", rsm
    ONE     "MOV from segment 6", .byte 0x8c, 0xf0
    ONE     "MOV to segment 7", .byte 0x8e, 0xf8
    ONE     "MOV from CR5", .byte 0x0f, 0x20, 0xe8
    ONE_USER "MOV from CR5 at CPL 3", .byte 0x0f, 0x20, 0xe8
    SET_CR4 CR4_DE
    ONE_USER "MOV from DR4 at CPL 3 with CR4.DE", .byte 0x0f, 0x21, 0xe0
    CLEAR_CR4 CR4_DE
    ONE_USER "RSM at CPL 3", rsm
    ONE_USER "LOCK HLT at CPL 3", .byte 0xf0, 0xf4
    ONE_USER "LLDT of 16 bytes at CPL 3", .byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0f, 0x00, 0xd0
    ONE     "LOCK NOP", .byte 0xf0, 0x90
    ONE     "LOCK ADD of registers", .byte 0xf0, 0x01, 0xc0
    ONE     "LOCK CMP", .byte 0xf0, 0x39, 0x03
    ONE     "group 5, 7", .byte 0xff, 0xf8
    ONE     "SSE without CR4.OSFXSR", xorps xmm0, xmm0
    ONE     "15 bytes", .byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
    ONE     "16 bytes", .byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x90
    ONE     "UD2 of 16 bytes", .byte 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x66, 0x0f, 0x0b
    ret

floating_point:
    SAY     "-- #NM, #MF, #XM"
    SET_CR4 CR4_OSFXSR
    SET_CR0 CR0_TS
    ONE     "TS before operand", fld dword ptr [ABSENT_PAGE]
    ONE     "FWAIT with TS alone", fwait
    SET_CR0 CR0_MP
    ONE     "FWAIT with TS and MP", fwait
    ONE     "SSE with TS", xorps xmm0, xmm0
    CLEAR_CR0 CR0_TS | CR0_MP
    SET_CR0 CR0_EM
    ONE     "x87 with EM", fld1
    ONE     "SSE with EM", xorps xmm0, xmm0
    ONE     "MMX with EM", emms
    CLEAR_CR0 CR0_EM
    SET_CR0 CR0_NE
    TRY     "an unmasked error waits for the next instruction"
    fninit
    fldz
    push    0x33b                   /* divide by zero is not masked */
    fldcw   [esp]
    pop     eax
    fld1
    fdiv    st, st(1)
    nop
    fwait
    DONE
    TRY     "and does not wait for FNSTSW"
    fnstsw  ax
    fnclex
    fwait
    DONE
    TRY     "#MF before operand"
    fninit
    push    0x33b
    fldcw   [esp]
    pop     eax
    fldz
    fld1
    fdiv    st, st(1)
    fld     dword ptr [ABSENT_PAGE]
    DONE
    fninit
    CLEAR_CR0 CR0_NE
    TRY     "MOVAPS: alignment"
    movaps  xmm0, [AREA + 4]
    DONE
    TRY     "MOVAPS: alignment before page"
    movaps  xmm0, [ABSENT_PAGE + 4]
    DONE
    TRY     "an unmasked SSE error without OSXMMEXCPT"
    push    0x1d80                  /* divide by zero is not masked */
    ldmxcsr [esp]
    pop     eax
    xorps   xmm0, xmm0
    mov     eax, 1
    cvtsi2ss xmm1, eax
    divss   xmm1, xmm0
    DONE
    SET_CR4 0x400
    TRY     "and with it"
    xorps   xmm0, xmm0
    mov     eax, 1
    cvtsi2ss xmm1, eax
    divss   xmm1, xmm0
    DONE
    TRY     "a reserved bit of MXCSR"
    push    0x10000
    ldmxcsr [esp]
    DONE
    push    0x1f80
    ldmxcsr [esp]
    pop     eax
    ret

/* Makes the gate of a vector absent, or present again. */
.macro HIDE vector
    and     byte ptr [idt + 8 * \vector + 5], 0x7f
.endm
.macro UNHIDE vector
    or      byte ptr [idt + 8 * \vector + 5], 0x80
.endm

double_faults:
    SAY     "-- faults while delivering"
    HIDE    6
    ONE     "#UD without a gate", ud2
    UNHIDE  6
    HIDE    13
    TRY     "#GP without a gate"
    mov     eax, 0x7ff8
    mov     fs, ax
    END
    NEXT
    UNHIDE  13
    HIDE    14
    ONE     "#PF without a gate", mov eax, [ABSENT_PAGE]
    UNHIDE  14
    HIDE    0
    TRY     "#DE without a gate"
    xor     ecx, ecx
    div     ecx
    DONE
    UNHIDE  0
    HIDE    1
    TRY     "INT n without a gate is no double fault"
    int     1
    DONE
    UNHIDE  1
    mov     word ptr [idt + 8 * 6 + 2], DATA0
    ONE     "#UD to data", ud2
    mov     word ptr [idt + 8 * 6 + 2], CODE0
    HIDE    11
    HIDE    6
    ONE     "#UD, #NP, #NP", ud2
    UNHIDE  6
    UNHIDE  11
    mov     dword ptr [tss + 4], ABSENT_PAGE + 0x800
    GATE    idt+8*14, INT_GATE32, CODE0, bad_stack
    call    double_task
    TRY_USER "#GP on an absent stack"
    cli
    END
    SHOW    "task", [saved_eax]
    SHOW    "error", [saved_ebx]
    SHOW    "cr2", cr2
    NEXT
    call    task_again
    mov     dword ptr [tss + 4], STACK0
    call    fill_idt
    ret
bad_stack:
    int3

/* #DF becomes a task. */
double_task:
    pushad
    DESCRIPTOR DOUBLE, TSS_DOUBLE, 0x67, TSS32, 0
    mov     edi, TSS_DOUBLE
    xor     eax, eax
    mov     ecx, 26
    rep     stosd
    mov     dword ptr [TSS_DOUBLE + 0x1c], DIRECTORY
    mov     dword ptr [TSS_DOUBLE + 0x20], offset double_handler
    mov     dword ptr [TSS_DOUBLE + 0x24], 2
    mov     dword ptr [TSS_DOUBLE + 0x28], 0xdf
    mov     dword ptr [TSS_DOUBLE + 0x38], 0x58000
    mov     dword ptr [TSS_DOUBLE + 0x48], DATA0
    mov     dword ptr [TSS_DOUBLE + 0x4c], CODE0
    mov     dword ptr [TSS_DOUBLE + 0x50], DATA0
    mov     dword ptr [TSS_DOUBLE + 0x54], DATA0
    GATE    idt+8*8, TASK_GATE, DOUBLE, 0
    popad
    ret
double_handler:
    pop     ebx
    int3

task_again:
    push    eax
    clts
    mov     byte ptr [gdt + TASK + 5], TSS32
    mov     eax, TASK
    ltr     ax
    pop     eax
    ret

/* The gates of vectors 0 to 13 become absent together. */
other_idt:
    SAY     "-- a page of the IDT is absent"
    mov     esi, idt
    mov     edi, OTHER_IDT
    mov     ecx, 64 * 2
    rep     movsd
    mov     dword ptr [other_idt_pointer + 2], OTHER_IDT
    mov     word ptr [other_idt_pointer], 64 * 8 - 1
    lidt    [other_idt_pointer]
    call    hide_idt
    ONE     "#UD", ud2
    call    hide_idt
    TRY     "#GP: its page fault is served"
    mov     eax, 0x7ff8
    mov     fs, ax
    DONE
    call    hide_idt
    ONE     "INT 3", int3
    mov     dword ptr [TABLE + (OTHER_IDT >> 12) * 4], (OTHER_IDT & 0xfffff000) | 7
    lidt    [idt_pointer]
    ret
hide_idt:
    mov     dword ptr [TABLE + (OTHER_IDT >> 12) * 4], 0
    invlpg  [OTHER_IDT]
    ret

triple_fault:
    SAY     "-- triple fault"
    mov     dword ptr [RESTART], RESTART_MAGIC
    mov     dword ptr [RESTART + 4], offset restarted
    mov     word ptr [other_idt_pointer], 0
    lidt    [other_idt_pointer]
    ud2
restarted:
    SAY     "reset"
    SHOW    "cr0", cr0
    SHOW    "cr3", cr3
    SHOW    "cr4", cr4
    mov     eax, dr7
    SHOW    "dr7", eax
    NEXT
    SAY     "end"
    jmp     finish

    .data
other_idt_pointer:
    .word   0
    .long   0

/*
 * Breakpoints of the debug registers, single steps, and the resume flag (SDM 3B chapter 17).
 *
 * QEMU does not survive the breakpoint in virtual-8086 mode: it is not asked.
 *
 * #DB keeps a log: where (from TRY on), DR6, and "rf" when the pushed EFLAGS had it; then it goes on with RF set.
 */
#include "system.inc"

    .set    AREA, 0x40000
    .set    T32, FREE
    .set    TSS_32, 0x50000
    .set    LOG_SIZE, 16

    /* DR7 */
    .set    L0, 1
    .set    G0, 2
    .set    G1, 8
    .set    GD, 0x2000
    .set    EXECUTE, 0              /* kinds of breakpoint 0; shifted by 4 for 1 */
    .set    WRITE, 0x10000
    .set    IO, 0x20000
    .set    ACCESS, 0x30000
    .set    TWO_BYTES, 0x40000
    .set    FOUR_BYTES, 0xc0000

    .text
    .code32
    .globl  run
run:
    HOOK    1, log_entry
    call    registers
    call    execution
    call    data
    call    io
    call    steps
    call    stack_switches
    call    task
    ret

log_entry:
    push    eax
    push    ebx
    mov     ebx, [log_count]
    cmp     ebx, LOG_SIZE
    jae     1f
    mov     eax, [esp + 12]
    sub     ax, [try_start]
    movzx   eax, ax
    mov     [log + ebx * 8], eax
    mov     eax, [esp + 20]
    and     eax, RF
    push    eax
    mov     eax, dr6
    and     eax, 0xe00f
    or      eax, [esp]
    add     esp, 4
    mov     [log + ebx * 8 + 4], eax
    inc     dword ptr [log_count]
1:  xor     eax, eax
    mov     dr6, eax
    or      dword ptr [esp + 20], RF
    pop     ebx
    pop     eax
    add     esp, 4
    iretd

/* Ends a check: what was logged, and all breakpoints off. */
show_log:
    pushad
    xor     eax, eax
    mov     dr7, eax
    mov     dr6, eax
    xor     ebx, ebx
1:  cmp     ebx, [log_count]
    jae     2f
    SHOW    "at", [log + ebx * 8]
    mov     eax, [log + ebx * 8 + 4]
    movzx   ecx, ax
    SHOW    "dr6", ecx
    inc     ebx
    test    eax, RF
    jz      1b
    STRING  " rf"
    call    print
    jmp     1b
2:  mov     dword ptr [log_count], 0
    popad
    ret

.macro LOGGED
    END
    call    show_log
    NEXT
.endm

/* DR0 and DR7. */
.macro BREAK address, control
    mov     eax, \address
    mov     dr0, eax
    mov     eax, \control
    mov     dr7, eax
.endm

.macro BREAK_AT label, control
    mov     eax, offset \label
    mov     dr0, eax
    mov     eax, \control
    mov     dr7, eax
.endm

registers:
    SAY     "-- registers"
    TRY     "DR6 and DR7 at first"
    mov     ebx, dr6
    mov     ecx, dr7
    END
    SHOW    "dr6", [saved_ebx]
    SHOW    "dr7", [saved_ecx]
    NEXT
    TRY     "their fixed bits"
    xor     eax, eax
    mov     dr6, eax
    mov     ebx, dr6
    mov     eax, 0xffff1bff         /* no GD, breakpoints on nothing */
    mov     edx, 0xffff0000
    mov     dr0, edx
    mov     dr1, edx
    mov     dr2, edx
    mov     dr3, edx
    mov     dr7, eax
    mov     ecx, dr7
    xor     eax, eax
    mov     dr7, eax
    mov     edx, dr7
    END
    SHOW    "dr6", [saved_ebx]
    and     dword ptr [saved_ecx], 0xfffff7ff
    SHOW    "dr7", [saved_ecx]
    SHOW    "dr7", [saved_edx]
    NEXT
    TRY     "DR4 is DR6, DR5 is DR7"
    .byte   0x0f, 0x21, 0xe3        /* mov ebx, dr4 */
    .byte   0x0f, 0x21, 0xe9        /* mov ecx, dr5 */
    END
    SHOW    "dr4", [saved_ebx]
    SHOW    "dr5", [saved_ecx]
    NEXT
    SET_CR4 CR4_DE
    TRY     "DR4 with CR4.DE"
    .byte   0x0f, 0x21, 0xe3
    DONE
    CLEAR_CR4 CR4_DE
    TRY     "general detect"
    mov     eax, GD
    mov     dr7, eax
    mov     ebx, dr0
    mov     ecx, dr7
    LOGGED
    TRY     "and it is off again"
    mov     eax, GD
    mov     dr7, eax
    mov     ebx, dr0
    mov     ecx, dr7
    END
    SHOW    "dr7", [saved_ecx]
    call    show_log
    NEXT
    TRY     "INT1 leaves DR6"
    .byte   0xf1
    nop
    LOGGED
    ret

execution:
    SAY     "-- instruction breakpoints"
    TRY     "before the instruction"
    BREAK_AT 1f, G0
    xor     ebx, ebx
1:  inc     ebx
    cmp     ebx, 3
    jne     1b
    LOGGED
    TRY     "L0 does as G0"
    BREAK_AT 1f, L0
1:  nop
    LOGGED
    TRY     "not enabled"
    BREAK_AT 1f, G1
1:  nop
    LOGGED
    TRY     "not the first byte"
    BREAK_AT 1f+1, G0
1:  mov     ebx, 5
    LOGGED
    TRY     "two on one instruction"
    BREAK_AT 1f, G0 | G1
    mov     ebx, offset 1f
    mov     dr1, ebx
1:  nop
    LOGGED
    TRY     "before what it would raise"
    BREAK_AT 1f, G0
1:  ud2
    END
    call    show_log
    NEXT
    TRY     "after STI"
    BREAK_AT 1f, G0
    push    2
    popfd
    sti
1:  nop
    cli
    LOGGED
    TRY     "a jump's target"
    BREAK_AT 1f, G0
    jmp     1f
    nop
1:  nop
    LOGGED
    TRY     "a repeated instruction stops once"
    mov     ecx, 5
    mov     edi, AREA
    BREAK_AT 1f, G0
1:  rep     stosb
    LOGGED
    mov     eax, offset 2f
    mov     dr0, eax
    mov     eax, G0
    mov     dr7, eax
    TRY_USER "at CPL 3"
    nop
2:  nop
    LOGGED
    mov     eax, offset 3f
    mov     dr0, eax
    mov     eax, G0
    mov     dr7, eax
    TRY_V86 "in virtual-8086 mode"
    nop
3:  nop
    LOGGED
    ret

.macro WATCH text, control, insn:vararg
    TRY     "\text"
    BREAK   AREA, \control
    \insn
    nop
    LOGGED
.endm

data:
    SAY     "-- data breakpoints"
    WATCH   "write, by a store", G0 | WRITE | FOUR_BYTES, mov [AREA], ebx
    WATCH   "write, by a load", G0 | WRITE | FOUR_BYTES, mov ebx, [AREA]
    WATCH   "access, by a load", G0 | ACCESS | FOUR_BYTES, mov ebx, [AREA]
    WATCH   "access, by an update", G0 | ACCESS | FOUR_BYTES, inc dword ptr [AREA]
    WATCH   "last byte", G0 | ACCESS | FOUR_BYTES, mov bl, [AREA + 3]
    WATCH   "byte behind", G0 | ACCESS | FOUR_BYTES, mov bl, [AREA + 4]
    WATCH   "byte behind two", G0 | ACCESS | TWO_BYTES, mov bl, [AREA + 2]
    WATCH   "byte behind one", G0 | ACCESS, mov bl, [AREA + 1]
    WATCH   "overlapping from below", G0 | ACCESS, mov ebx, [AREA - 3]
    WATCH   "just below", G0 | ACCESS, mov ebx, [AREA - 4]
    TRY     "an unaligned address"
    BREAK   AREA + 3, G0 | ACCESS | FOUR_BYTES
    mov     bl, [AREA]
    mov     bl, [AREA + 4]
    nop
    LOGGED
    WATCH   "80 bits", G0 | WRITE, fnstenv [AREA - 20]
    BREAK   STACK3-0x100, G0 | ACCESS | FOUR_BYTES
    TRY_USER "PUSH and POP"
    mov     esp, STACK3 - 0x0fc
    push    eax
    pop     eax
    nop
    LOGGED
    BREAK   STACK3-0x100, G0 | WRITE | FOUR_BYTES
    TRY_USER "CALL"
    mov     esp, STACK3 - 0x0fc
    call    1f
    nop
1:  nop
    LOGGED
    TRY     "a repeated instruction, after the iteration"
    mov     ecx, 4
    mov     esi, AREA - 4
    BREAK   AREA, G0 | ACCESS | FOUR_BYTES
    rep     lodsd
    nop
    LOGGED
    TRY     "its last iteration"
    mov     ecx, 2
    mov     esi, AREA - 4
    BREAK   AREA, G0 | ACCESS | FOUR_BYTES
    rep     lodsd
    nop
    LOGGED
    TRY     "two at once"
    mov     ebx, AREA + 2
    mov     dr1, ebx
    BREAK   AREA, G0 | G1 | WRITE | 0x100000
    mov     [AREA], ebx
    nop
    LOGGED
    mov     eax, AREA
    mov     dr0, eax
    mov     eax, G0 | WRITE
    mov     dr7, eax
    TRY_USER "at CPL 3"
    mov     [AREA], al
    nop
    LOGGED
    TRY     "not when the instruction faults"
    BREAK   AREA, G0 | ACCESS
    mov     ecx, [AREA]
    mov     ebx, 0x7ff8
    mov     fs, bx
    END
    call    show_log
    NEXT
    ret

io:
    SAY     "-- I/O breakpoints"
    TRY     "without CR4.DE"
    BREAK   0x80, G0 | IO
    in      al, 0x80
    nop
    LOGGED
    SET_CR4 CR4_DE
    TRY     "IN and OUT"
    BREAK   0x80, G0 | IO
    in      al, 0x80
    out     0x80, al
    in      al, 0x84
    nop
    LOGGED
    TRY     "part of a wide one"
    BREAK   0x81, G0 | IO
    in      eax, 0x80
    nop
    LOGGED
    CLEAR_CR4 CR4_DE
    ret

steps:
    SAY     "-- single steps"
    TRY     "some instructions"
    push    TF | 2
    popfd
    nop
    mov     eax, 1
    jmp     1f
    nop
1:  push    2
    popfd
    nop
    LOGGED
    TRY     "a repeated instruction, every iteration"
    mov     ecx, 3
    mov     edi, AREA
    push    TF | 2
    popfd
    rep     stosb
    push    2
    popfd
    LOGGED
    GATE    idt+32*8, INT_GATE32, CODE0, return
    TRY     "not inside INT n, but after it"
    push    TF | 2
    popfd
    int     32
    nop
    push    2
    popfd
    LOGGED
    TRY     "not when the instruction faults"
    push    TF | 2
    popfd
    ud2
    END
    call    show_log
    NEXT
    TRY     "with a breakpoint"
    BREAK   AREA, G0 | WRITE
    push    TF | 2
    popfd
    mov     [AREA], eax
    push    2
    popfd
    LOGGED
    TRY_USER "from CPL 3"
    push    TF | 2
    popfd
    nop
    push    2
    popfd
    nop
    LOGGED
    ret
return:
    iretd

stack_switches:
    SAY     "-- behind MOV SS and POP SS"
    TRY     "no step behind MOV SS"
    push    TF | 2
    popfd
    mov     eax, ss
    mov     ss, ax
    nop
    push    2
    popfd
    LOGGED
    TRY     "no step behind POP SS"
    push    ss
    push    TF | 2
    popfd
    pop     ss
    nop
    push    2
    popfd
    LOGGED
    TRY     "no instruction breakpoint"
    BREAK_AT 1f, G0
    mov     eax, ss
    mov     ss, ax
1:  nop
    LOGGED
    TRY     "a data breakpoint waits"
    mov     word ptr [AREA], DATA0
    BREAK   AREA, G0 | ACCESS
    mov     ss, [AREA]
    nop
    nop
    LOGGED
    GATE    idt+32*8, INT_GATE32, CODE0, return
    TRY     "and is seen in the handler of an INT n"
    BREAK   AREA, G0 | ACCESS
    mov     ss, [AREA]
    int     32
    nop
    END
    mov     eax, offset return
    sub     eax, [try_start]
    movzx   eax, ax
    sub     [log], eax
    call    show_log
    NEXT
    ret

task:
    SAY     "-- a task switch"
    DESCRIPTOR T32, TSS_32, 0x67, TSS32, 0
    mov     edi, TSS_32
    xor     eax, eax
    mov     ecx, 26
    rep     stosd
    mov     dword ptr [TSS_32 + 0x20], offset arrive
    mov     dword ptr [TSS_32 + 0x24], 2
    mov     dword ptr [TSS_32 + 0x38], 0x58000
    mov     dword ptr [TSS_32 + 0x4c], CODE0
    mov     dword ptr [TSS_32 + 0x50], DATA0
    TRY     "clears the local enables"
    xor     eax, eax
    mov     dr0, eax
    mov     eax, 0x3ff
    mov     dr7, eax
    ljmp    T32:0
    END
    mov     eax, dr7
    SHOW    "dr7", eax
    call    show_log
    NEXT
    ret
arrive:
    int3

    .data
log_count:
    .long   0
log:
    .fill   LOG_SIZE, 8, 0

/*
 * Virtual-8086 mode: what is sensitive to IOPL, interrupts to protected mode, (SDM 3B chapter 20). Its
 * extensions are in vme.S, its limits in limits.S.
 */
#include "system.inc"

    .set    IO_BASE, 0x66
    .set    GATE_40, idt + 0x20 * 8
    .set    TWO, FREE

    .text
    .code32
    .globl  run
run:
    call    plain
    call    interrupts
    ret

.macro V86_ONE text, eflags, insn:vararg
    TRY_V86 "\text", \eflags
    \insn
    DONE
.endm

plain:
    SAY     "-- IOPL 0"
    V86_ONE "CLI", 2, cli
    V86_ONE "STI", 2, sti
    V86_ONE "PUSHF", 2, pushf
    V86_ONE "PUSHFD", 2, pushfd
    V86_ONE "POPF", 2, popf
    V86_ONE "INT n", 2, int 0x20
    V86_ONE "IRET", 2, iret
    V86_ONE "IN without a bitmap", 2, in al, 0x80
    V86_ONE "HLT", 2, hlt
    SAY     "-- IOPL 3"
    V86_ONE "CLI", IOPL3 | 2, cli
    V86_ONE "HLT", IOPL3 | 2, hlt
    V86_ONE "IN without a bitmap", IOPL3 | 2, in al, 0x80
    V86_ONE "MOV from CR0", IOPL3 | 2, mov eax, cr0
    V86_ONE "MOV to DR7", IOPL3 | 2, mov dr7, eax
    V86_ONE "CLTS", IOPL3 | 2, clts
    V86_ONE "LGDT", IOPL3 | 2, lgdt [0]
    V86_ONE "LMSW", IOPL3 | 2, lmsw ax
    V86_ONE "SMSW", IOPL3 | 2, smsw ax
    V86_ONE "SGDT", IOPL3 | 2, sgdt [0]
    V86_ONE "SLDT", IOPL3 | 2, sldt ax
    V86_ONE "STR", IOPL3 | 2, str ax
    V86_ONE "LLDT", IOPL3 | 2, lldt ax
    V86_ONE "LTR", IOPL3 | 2, ltr ax
    V86_ONE "LAR", IOPL3 | 2, lar ax, cx
    V86_ONE "VERR", IOPL3 | 2, verr ax
    V86_ONE "ARPL", IOPL3 | 2, .byte 0x63, 0xc0
    V86_ONE "RDMSR", IOPL3 | 2, rdmsr
    V86_ONE "UD2", IOPL3 | 2, ud2
    TRY_V86 "PUSHF shows IOPL and not VM", IOPL3 | IF | 2
    pushfd
    pop     eax
    END
    SHOW    "eflags", [saved_eax]
    NEXT
    TRY_V86 "POPFD keeps VM, IOPL, RF, VIF", IOPL3 | 2
    push    dword ptr VIF | AC | RF | IF | 2
    popfd
    END
    and     dword ptr [saved_eflags], ~RF
    SHOW    "eflags", [saved_eflags]
    NEXT
    TRY_V86 "IRET keeps IOPL", IOPL3 | 2
    mov     eax, offset 1f - IMAGE
    push    word ptr 2
    push    word ptr IMAGE >> 4
    push    ax
    iret
1:
    END
    SHOW    "eflags", [saved_eflags]
    NEXT
    TRY_V86 "the bitmap counts at IOPL 3, too", IOPL3 | 2
    in      al, 0x80
    DONE
    mov     word ptr [tss + IO_BASE], 0x88
    V86_ONE "IN with a bitmap that allows", 2, in al, 0x80
    mov     word ptr [tss + IO_BASE], 0xffff
    ret

interrupts:
    SAY     "-- interrupts"
    GATE    GATE_40, INT_GATE32 | DPL3, CODE0, arrive
    TRY_V86 "INT n to CPL 0", IOPL3 | 2
    mov     ax, 0x1234
    mov     fs, ax
    int     0x20
    END
    SHOW    "cs", [saved_cs]
    SHOW    "ds", [saved_ds]
    SHOW    "esp", [saved_stack]
    SHOW    "es", [arrival + 20]
    SHOW    "frame ds", [arrival + 24]
    SHOW    "fs", [arrival + 28]
    SHOW    "gs", [arrival + 32]
    SHOW    "cs", [arrival + 4]
    SHOW    "eflags", [arrival + 8]
    SHOW    "sp", [arrival + 12]
    SHOW    "ss", [arrival + 16]
    NEXT
    GATE    GATE_40, INT_GATE32, CODE0, arrive
    V86_ONE "INT n through DPL 0", IOPL3 | 2, int 0x20
    GATE    GATE_40, INT_GATE32 | DPL3, CODE3, arrive
    V86_ONE "a gate to CPL 3", IOPL3 | 2, int 0x20
    GATE    GATE_40, INT_GATE32 | DPL3, CODE1 & ~3, arrive
    V86_ONE "a gate to CPL 1", IOPL3 | 2, int 0x20
    GATE    GATE_40, INT_GATE32 | DPL3, CONFORMING, arrive
    V86_ONE "a gate to conforming code", IOPL3 | 2, int 0x20
    V86_ONE "INT3 with IOPL 0", 2, int3
    TRY_V86 "INTO with IOPL 0", 2
    mov     al, 0x7f
    inc     al
    into
    DONE
    call    fill_idt
    TRY     "IRET to virtual-8086 mode beyond 64 KiB"
    push    0
    push    0
    push    0
    push    0
    push    0x8000
    push    0x1000
    push    VM | 2
    push    0x1000
    push    0x10000
    iretd
    END
    and     dword ptr [saved_eflags], ~RF
    SHOW    "eflags", [saved_eflags]
    NEXT
    TRY     "a 16-bit IRET does not see VM"
    DESCRIPTOR TWO, IMAGE, 0xffff, CODE_XR, BIG
    mov     eax, offset arrive - IMAGE
    push    VM | 2
    .byte   0x66
    push    TWO
    push    ax
    iretw
    END
    SHOW    "cs", [saved_cs]
    SHOW    "eflags", [saved_eflags]
    NEXT
    ret

/* Keeps the frame. */
arrive:
    mov     eax, ss
    cmp     ax, DATA0
    jne     1f
    mov     ax, ds
    mov     bx, DATA0
    mov     ds, bx
    mov     es, bx
    mov     esi, esp
    mov     edi, offset arrival
    mov     ecx, 9
    rep     movsd
    mov     ds, ax
1:  int3

    .data
arrival:
    .fill   9, 4, 0

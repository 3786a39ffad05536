/*
 * The extensions of virtual-8086 mode (CR4.VME): virtual interrupts, the redirection of INT n; protected-mode virtual
 * interrupts (CR4.PVI) (SDM 3B §20.3, §20.4).
 *
 * QEMU has neither: it is not asked.
 */
#include "system.inc"

    .set    VECTOR, 0x60            /* of the 8086 program's own handlers */
    .set    IO_BASE, 0x66
    .set    REDIRECTION, tss + 0x68
    .set    STACK_LINEAR, 0x80000

    .text
    .code32
    .globl  run
run:
    call    extensions
    call    virtual_interrupts
    ret

.macro V86_ONE text, eflags, insn:vararg
    TRY_V86 "\text", \eflags
    \insn
    DONE
.endm

.macro VME_ONE text, eflags, insn:vararg
    TRY_V86 "\text", \eflags
    \insn
    END
    and     dword ptr [saved_eflags], ~RF
    SHOW    "eflags", [saved_eflags]
    NEXT
.endm

extensions:
    SAY     "-- VME, IOPL 0"
    SET_CR4 CR4_VME
    mov     word ptr [tss + IO_BASE], 0x88
    mov     eax, offset own_handler - IMAGE
    mov     [VECTOR * 4], ax
    mov     word ptr [VECTOR * 4 + 2], IMAGE >> 4
    VME_ONE "CLI", VIF | 2, cli
    VME_ONE "STI", 2, sti
    VME_ONE "STI with VIP", VIP | 2, sti
    VME_ONE "CLI with VIP", VIP | 2, cli
    TRY_V86 "PUSHF with VIF", VIF | 2
    pushf
    pop     ax
    END
    movzx   eax, word ptr [saved_eax]
    SHOW    "flags", eax
    NEXT
    TRY_V86 "PUSHF without VIF", IF | 2
    pushf
    pop     ax
    END
    movzx   eax, word ptr [saved_eax]
    SHOW    "flags", eax
    NEXT
    V86_ONE "PUSHFD", 2, pushfd
    V86_ONE "POPFD", 2, popfd
    V86_ONE "IRETD", 2, iretd
    TRY_V86 "POPF sets VIF, not IF or IOPL", 2
    push    word ptr IOPL3 | IF | 2
    popf
    END
    SHOW    "eflags", [saved_eflags]
    NEXT
    TRY_V86 "POPF clears VIF", VIF | IF | 2
    push    word ptr 2
    popf
    END
    SHOW    "eflags", [saved_eflags]
    NEXT
    TRY_V86 "POPF with TF", 2
    push    word ptr TF | 2
    popf
    DONE
    TRY_V86 "POPF of IF with VIP", VIP | 2
    push    word ptr IF | 2
    popf
    DONE
    TRY_V86 "IRET sets VIF", 2
    mov     eax, offset 1f - IMAGE
    push    word ptr IF | 2
    push    word ptr IMAGE >> 4
    push    ax
    iret
1:
    END
    SHOW    "eflags", [saved_eflags]
    NEXT
    TRY_V86 "INT n redirected", VIF | IF | 2
    int     VECTOR
    END
    mov     eax, [saved_eip]
    sub     eax, offset own_handler - IMAGE
    SHOW    "at", eax
    SHOW    "eflags", [saved_eflags]
    SHOW    "sp", [saved_stack]
    movzx   eax, word ptr [STACK_LINEAR + V86_STACK - 2]
    SHOW    "pushed flags", eax
    NEXT
    or      byte ptr [REDIRECTION + VECTOR / 8], 1
    V86_ONE "INT n not redirected", 2, int VECTOR
    SAY     "-- VME, IOPL 3"
    V86_ONE "INT n not redirected", IOPL3 | 2, int VECTOR
    and     byte ptr [REDIRECTION + VECTOR / 8], ~1
    TRY_V86 "INT n redirected", IOPL3 | IF | 2
    int     VECTOR
    END
    SHOW    "eflags", [saved_eflags]
    movzx   eax, word ptr [STACK_LINEAR + V86_STACK - 2]
    SHOW    "pushed flags", eax
    NEXT
    VME_ONE "CLI is real", IOPL3 | VIF | IF | 2, cli
    V86_ONE "PUSHFD", IOPL3 | 2, pushfd
    SAY     "-- the interrupt redirection bitmap"
    mov     word ptr [tss + IO_BASE], 0x10
    V86_ONE "an I/O base below 20h", 2, int VECTOR
    mov     word ptr [tss + IO_BASE], 0xffff
    V86_ONE "a bitmap behind the TSS", 2, int VECTOR
    CLEAR_CR4 CR4_VME
    ret

own_handler:
    int3

virtual_interrupts:
    SAY     "-- PVI"
    TRY_USER "STI without PVI"
    sti
    DONE
    SET_CR4 CR4_PVI
    TRY_USER "STI"
    sti
    END
    SHOW    "eflags", [saved_eflags]
    NEXT
    TRY_USER "CLI", VIF | IF | 2
    cli
    END
    SHOW    "eflags", [saved_eflags]
    NEXT
    TRY_USER "STI with VIP", VIP | 2
    sti
    DONE
    TRY_USER "PUSHFD shows IF itself", VIF | 2
    pushfd
    pop     eax
    END
    SHOW    "eflags", [saved_eax]
    NEXT
    CLEAR_CR4 CR4_PVI
    ret

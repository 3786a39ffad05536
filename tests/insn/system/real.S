/*
 * Real mode: its exceptions through the vector table, limits of 64 KiB and what protected mode leaves behind in segment
 * registers (SDM 3B chapter 20, SDM 3A §9.9).
 *
 * QEMU checks no limits: it is not asked.
 */
#include "system.inc"

    .set    CODE16, FREE            /* this image as a 16-bit segment */
    .set    KEPT, FREE + 8          /* a limit that real mode keeps */
    .set    AREA, 0x40000
    .set    VECTORS, 32
    .set    VECTOR_SIZE, 8          /* of a real-mode stub */
    .set    STACK_LINEAR, 0x80000

    /* State of the code that was interrupted, where real mode reaches it with DS = 0. */
    .set    R_eax, 0x3e00
    .set    R_ebx, 0x3e04
    .set    R_ecx, 0x3e08
    .set    R_edx, 0x3e0c
    .set    R_esi, 0x3e10
    .set    R_edi, 0x3e14
    .set    R_ebp, 0x3e18
    .set    R_ESP, 0x3e1c
    .set    R_DS, 0x3e20
    .set    R_ES, 0x3e22
    .set    R_SS, 0x3e24
    .set    R_VECTOR, 0x3e26
    .set    R_IP, 0x3e28
    .set    R_CS, 0x3e2a
    .set    R_FLAGS, 0x3e2c
    .set    R_IDT, 0x3e30           /* pointers to the two tables */
    .set    R_IVT, 0x3e38

    .text
    .code32
    .globl  run
run:
    DESCRIPTOR CODE16, IMAGE, 0xffff, CODE_XR, 0
    DESCRIPTOR KEPT, AREA, 0xfffff, DATA_RW, WIDE
    mov     word ptr [R_IDT], 64 * 8 - 1
    mov     dword ptr [R_IDT + 2], idt
    mov     word ptr [R_IVT], 0x3ff
    mov     dword ptr [R_IVT + 2], 0
    xor     edi, edi
    mov     eax, offset real_stubs - IMAGE
    mov     ecx, VECTORS
1:  mov     [edi], ax
    mov     word ptr [edi + 2], IMAGE >> 4
    add     edi, 4
    add     eax, VECTOR_SIZE
    loop    1b
    call    limits
    call    undefined
    call    interrupts
    call    leftovers
    ret

/* In real mode: CS 1000h, DS and ES 4000h, SS:SP 8000h:1000h. */
.macro TRY_REAL text
    BEGIN   "\text"
    mov     dword ptr [user_eip], offset 76f - IMAGE
    jmp     enter_real
    .code16
76:
.endm

.macro REAL_ONE text, insn:vararg
    TRY_REAL "\text"
    \insn
    DONE
.endm


    .code32
enter_real:
    mov     ebp, [user_eip]
    mov     ax, DATA0_16
    mov     ds, ax
    mov     es, ax
    mov     fs, ax
    mov     gs, ax
    mov     ss, ax
    .globl  leave_protected_mode    /* segments may be prepared differently */
leave_protected_mode:
    ljmp    CODE16:1f - IMAGE
    .code16
1:  mov     eax, cr0
    and     al, ~CR0_PE
    mov     cr0, eax
    .byte   0x66, 0xea
    .long   1f - IMAGE
    .word   IMAGE >> 4
1:  xor     ax, ax
    mov     ds, ax
    lidt    [R_IVT]
    mov     ax, DATA >> 4
    mov     ds, ax
    mov     es, ax
    mov     ax, 0x8000
    mov     ss, ax
    mov     esp, V86_STACK
    xor     eax, eax
    push    ax
    popf
    push    cs
    push    bp
    retf

    .balign VECTOR_SIZE
real_stubs:
    .set    vector, 0
    .rept   VECTORS
    .balign VECTOR_SIZE
    push    word ptr vector
    jmp     real_common
    .set    vector, vector + 1
    .endr

/* On the stack: vector, IP, CS, FLAGS. */
real_common:
    push    ds
    push    word ptr 0
    pop     ds
    mov     [R_eax], eax
    mov     [R_ebx], ebx
    mov     [R_ecx], ecx
    mov     [R_edx], edx
    mov     [R_esi], esi
    mov     [R_edi], edi
    mov     [R_ebp], ebp
    mov     [R_ES], es
    mov     [R_SS], ss
    pop     word ptr [R_DS]
    pop     word ptr [R_VECTOR]
    pop     word ptr [R_IP]
    pop     word ptr [R_CS]
    pop     word ptr [R_FLAGS]
    mov     [R_ESP], esp
    lidt    [R_IDT]
    mov     eax, cr0
    or      al, CR0_PE
    mov     cr0, eax
    .byte   0x66, 0xea
    .long   from_real
    .word   CODE0
    .code32
from_real:
    mov     ax, DATA0
    mov     ds, ax
    mov     es, ax
    mov     ss, ax
    mov     esp, [try_esp]
    cld
    xor     eax, eax
    mov     fs, ax
    mov     gs, ax
    .irp    register, eax, ebx, ecx, edx, esi, edi, ebp
    mov     eax, [R_\register]
    mov     [saved_\register], eax
    .endr
    mov     eax, [R_ESP]
    mov     [saved_stack], eax
    movzx   eax, word ptr [R_VECTOR]
    mov     [saved_vector], eax
    movzx   eax, word ptr [R_IP]
    mov     [saved_eip], eax
    movzx   eax, word ptr [R_CS]
    mov     [saved_cs], eax
    movzx   eax, word ptr [R_FLAGS]
    mov     [saved_eflags], eax
    movzx   eax, word ptr [R_DS]
    mov     [saved_ds], eax
    movzx   eax, word ptr [R_SS]
    mov     [saved_ss], eax
    mov     dword ptr [saved_error], 0
    jmp     [try_resume]

limits:
    SAY     "-- limits"
    REAL_ONE "a word at FFFF", mov ax, [0xffff]
    REAL_ONE "the last word", mov ax, [0xfffe]
    REAL_ONE "a doubleword at FFFD", mov eax, [0xfffd]
    REAL_ONE "a store at FFFF", mov [0xffff], ax
    TRY_REAL "a 32-bit address beyond"
    mov     ebx, 0x10000
    mov     al, [ebx]
    DONE
    TRY_REAL "the stack at FFFF"
    mov     bp, 0xffff
    mov     ax, [bp]
    DONE
    TRY_REAL "PUSH at SP = 0"
    mov     sp, 0
    push    ax
    END
    SHOW    "sp", [saved_stack]
    NEXT
    TRY_REAL "LODSW at FFFF"
    mov     si, 0xffff
    lodsw
    END
    SHOW    "esi", [saved_esi]
    NEXT
    TRY_REAL "running off the end of CS"
    mov     byte ptr [0xffff], 0x90
    ljmp    (DATA >> 4):0xffff
    END
    SHOW    "cs", [saved_cs]
    SHOW    "eip", [saved_eip]
    NEXT
    TRY_REAL "a 32-bit jump beyond"
    mov     eax, 0x10000
    jmp     eax
    DONE
    TRY_REAL "FFFF:FFFF with A20"
    mov     ax, 0xffff
    mov     ds, ax
    mov     al, [0xffff]
    DONE
    TRY_REAL "a write through CS"
    mov     cs:[0xf000], al
    DONE
    ret

undefined:
    SAY     "-- what is not there"
    REAL_ONE "SLDT", sldt ax
    REAL_ONE "LTR", ltr ax
    REAL_ONE "LAR", lar ax, cx
    REAL_ONE "VERW", verw ax
    REAL_ONE "ARPL", .byte 0x63, 0xc0
    REAL_ONE "SYSENTER", sysenter
    REAL_ONE "SYSEXIT", sysexit
    REAL_ONE "UD2", ud2
    REAL_ONE "LOCK NOP", .byte 0xf0, 0x90
    TRY_REAL "LMSW, CLTS, SMSW"
    smsw    ax
    lmsw    ax
    clts
    DONE
    REAL_ONE "any selector", mov ds, ax
    REAL_ONE "IN", in al, 0x80
    TRY_REAL "CR0.PG without PE"
    mov     eax, cr0
    or      eax, CR0_PG
    mov     cr0, eax
    DONE
    ret

interrupts:
    SAY     "-- interrupts"
    TRY_REAL "INT n clears IF, TF and AC"
    push    dword ptr AC | IF | 2
    popfd
    int     31
    END
    SHOW    "flags", [saved_eflags]
    NEXT
    TRY_REAL "DIV"
    xor     cx, cx
    div     cx
    DONE
    TRY_REAL "BOUND"
    mov     dword ptr [0], 0x00020001
    mov     ax, 3
    bound   ax, [0]
    DONE
    TRY_REAL "single step"
    push    word ptr TF | 2
    popf
    nop
    nop
    END
    SHOW    "flags", [saved_eflags]
    NEXT
    TRY_REAL "a vector beyond the limit"
    push    ds
    push    word ptr 0
    pop     ds
    mov     word ptr [R_IVT], 4 * 16 - 1
    lidt    [R_IVT]
    mov     word ptr [R_IVT], 0x3ff
    int     20
    DONE
    TRY_REAL "POPFD changes AC and ID, not VM or RF"
    push    dword ptr AC | VM | RF | 0x200000 | IOPL3 | 2
    popfd
    pushfd
    pop     eax
    push    dword ptr 2
    popfd
    END
    SHOW    "eflags", [saved_eax]
    NEXT
    TRY_REAL "IRETD"
    push    dword ptr IOPL3 | NT | 2
    push    dword ptr IMAGE >> 4
    mov     eax, offset 1f - IMAGE
    push    eax
    iretd
1:
    END
    SHOW    "flags", [saved_eflags]
    NEXT
    TRY_REAL "IRET beyond the limit"
    push    dword ptr 2
    push    dword ptr IMAGE >> 4
    push    dword ptr 0x10000
    iretd
    DONE
    ret

/* ES keeps a limit of 4 GiB, whatever selector comes later. */
leftovers:
    SAY     "-- after protected mode"
    BEGIN   "a limit of 4 GiB stays"
    mov     dword ptr [AREA + 0x20000], 0x5aa5a55a
    mov     ebp, offset 76f - IMAGE
    mov     ax, DATA0_16
    mov     ds, ax
    mov     fs, ax
    mov     gs, ax
    mov     ss, ax
    mov     ax, KEPT
    mov     es, ax
    jmp     leave_protected_mode
    .code16
76: mov     ebx, 0x20000
    mov     eax, es:[ebx]
    END
    SHOW    "eax", [saved_eax]
    NEXT
    BEGIN   "and so does the base until a load"
    mov     ebp, offset 76f - IMAGE
    mov     ax, DATA0_16
    mov     ds, ax
    mov     es, ax
    mov     ss, ax
    mov     ax, KEPT
    mov     fs, ax
    mov     gs, ax
    jmp     leave_protected_mode
    .code16
76: mov     ebx, 0x20000
    mov     eax, fs:[ebx]
    mov     dx, gs
    xor     cx, cx
    mov     gs, cx
    mov     cl, gs:[ebx + AREA]
    END
    SHOW    "eax", [saved_eax]
    SHOW    "ecx", [saved_ecx]
    movzx   eax, word ptr [saved_edx]
    SHOW    "gs", eax
    NEXT
    BEGIN   "a read-only segment stays read-only"
    DESCRIPTOR KEPT, AREA, 0xffff, DATA_RO, 0
    mov     ebp, offset 76f - IMAGE
    mov     ax, DATA0_16
    mov     ds, ax
    mov     es, ax
    mov     ss, ax
    mov     ax, KEPT
    mov     fs, ax
    jmp     leave_protected_mode
    .code16
76: mov     fs:[0x10], al
    DONE
    BEGIN   "an expand-down segment stays one"
    DESCRIPTOR KEPT, AREA, 0xff, DATA_DOWN, 0
    mov     ebp, offset 76f - IMAGE
    mov     ax, DATA0_16
    mov     ds, ax
    mov     es, ax
    mov     ss, ax
    mov     ax, KEPT
    mov     fs, ax
    jmp     leave_protected_mode
    .code16
76: mov     al, fs:[0x10]
    mov     al, fs:[0x100]
    DONE
    BEGIN   "a null segment stays unusable"
    mov     ebp, offset 76f - IMAGE
    mov     ax, DATA0_16
    mov     ds, ax
    mov     es, ax
    mov     ss, ax
    xor     ax, ax
    mov     fs, ax
    jmp     leave_protected_mode
    .code16
76: mov     al, fs:[0x10]
    DONE
    ret

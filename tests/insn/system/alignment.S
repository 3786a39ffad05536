/*
 * Alignment checks: CR0.AM, EFLAGS.AC and CPL 3 (SDM 3A §6.15 interrupt 17, table 6-7).
 *
 * QEMU has none: it is not asked.
 */
#include "system.inc"

    .set    AREA, 0x40000
    .set    GATE_20, idt + 0x20 * 8

    .text
    .code32
    .globl  run
run:
    SET_CR4 CR4_OSFXSR
    fninit
    SAY     "-- off"
    TRY_USER "without CR0.AM", AC | 2
    mov     eax, [AREA + 1]
    DONE
    SET_CR0 CR0_AM
    TRY_USER "without EFLAGS.AC", 2
    mov     eax, [AREA + 1]
    DONE
    TRY     "at CPL 0"
    push    AC | 2
    popfd
    mov     eax, [AREA + 1]
    DONE
    call    types
    call    stacks
    call    others
    ret

/* At offsets 1, 2, 4 and 8: which are bad. EBX and ESI point there. */
.macro TYPE text, insn:vararg
    mov     byte ptr [bad], 0
    .irp    offset, 1, 2, 4, 8
    BEGIN   "\text"
    mov     dword ptr [user_eflags], AC | 2
    mov     dword ptr [user_eip], offset 76f
    mov     ebx, AREA + \offset
    mov     esi, ebx
    mov     edi, AREA
    jmp     enter_user
76: \insn
    int3
77: cmp     dword ptr [saved_vector], 17
    jne     1f
    or      byte ptr [bad], \offset
1:
    .endr
    call    report
    movzx   eax, byte ptr [bad]
    SHOW    "bad", eax
    NEXT
    fninit
.endm

types:
    SAY     "-- types"
    TYPE    "byte", mov al, [ebx]
    TYPE    "word", mov ax, [ebx]
    TYPE    "doubleword", mov eax, [ebx]
    TYPE    "doubleword store", mov [ebx], eax
    TYPE    "doubleword update", not dword ptr [ebx]
    TYPE    "XCHG", xchg [ebx], eax
    TYPE    "CMPXCHG8B", cmpxchg8b [ebx]
    TYPE    "PUSH", push dword ptr [ebx]
    TYPE    "POP", pop dword ptr [ebx]
    TYPE    "BT", bt [ebx], eax
    TYPE    "BOUND", bound eax, [ebx]
    TYPE    "LODSD", lodsd
    TYPE    "MOVSW", movsw
    TYPE    "FILD 16", fild word ptr [ebx]
    TYPE    "FLD 32", fld dword ptr [ebx]
    TYPE    "FLD 64", fld qword ptr [ebx]
    TYPE    "FLD 80", fld tbyte ptr [ebx]
    TYPE    "FSTP 80", fstp tbyte ptr [ebx]
    TYPE    "FNSTCW", fnstcw [ebx]
    TYPE    "FNSTENV", fnstenv [ebx]
    TYPE    "FNSAVE", fnsave [ebx]
    TYPE    "MOVD", movd mm0, [ebx]
    TYPE    "MOVQ", movq mm0, [ebx]
    TYPE    "MOVSS", movss xmm0, [ebx]
    TYPE    "MOVLPS", movlps xmm0, [ebx]
    TYPE    "STMXCSR", stmxcsr [ebx]
    ret

stacks:
    SAY     "-- stacks"
    TRY_USER "PUSH", AC | 2
    dec     esp
    push    eax
    END
    SHOW    "esp", [saved_stack]
    NEXT
    TRY_USER "CALL", AC | 2
    dec     esp
    call    run
    DONE
    TRY_USER "PUSHA", AC | 2
    dec     esp
    pushad
    DONE
    TRY_USER "ENTER", AC | 2
    dec     esp
    enter   4, 0
    DONE
    TRY_USER "RET", AC | 2
    sub     esp, 7
    ret
    DONE
    GATE    GATE_20, INT_GATE32 | DPL3, CODE3, arrive
    TRY_USER "INT to the same level", AC | 2
    dec     esp
    int     0x20
    DONE
    GATE    GATE_20, INT_GATE32 | DPL3, CODE0, arrive
    TRY_USER "INT to CPL 0 does not touch it", AC | 2
    dec     esp
    int     0x20
    END
    SHOW    "pushed", [saved_items + 12]
    NEXT
    ret
arrive:
    int3

others:
    SAY     "-- when"
    TRY_USER "POPF turns it on", 2
    mov     eax, [AREA + 1]
    push    AC | 2
    popfd
    mov     eax, [AREA + 1]
    DONE
    TRY_USER "and off", AC | 2
    mov     eax, [AREA]
    push    2
    popfd
    mov     eax, [AREA + 1]
    DONE
    DESCRIPTOR FREE, AREA, 0xf, DATA_RW | DPL3, BIG
    TRY_USER "a limit comes first", AC | 2
    mov     ax, FREE | 3
    mov     ds, ax
    mov     eax, [0xd]
    DONE
    TRY_V86 "in virtual-8086 mode", AC | IOPL3 | 2
    mov     ax, [1]
    DONE
    TRY_USER "a segment load reads the GDT as supervisor", AC | 2
    mov     ax, DATA3
    mov     ds, ax
    DONE
    CLEAR_CR0 CR0_AM
    ret

    .data
bad:
    .byte   0

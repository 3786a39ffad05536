/*
 * The first 32-bit code, the interrupt entry points, and the two halves of recovery (a small setjmp and longjmp):
 * what C cannot express.
 *
 * Every vector pushes the same struct interrupt_frame (interrupts.h), with a zero where the processor pushes no
 * error code (SDM 3A §6.13), and calls interrupt_dispatch with its address.
 */
    .intel_syntax noprefix
    .arch i386
    .code32

#include "selectors.h"

#define STACK_SIZE       16384
#define VECTORS          48             /* 32 exceptions, 16 IRQs */

    .text
    .globl entry_protected
entry_protected:
    mov     eax, SELECTOR_DATA
    mov     ds, eax
    mov     es, eax
    mov     fs, eax
    mov     gs, eax
    mov     ss, eax
    mov     esp, offset stack_top
    cld
    xor     eax, eax
    mov     edi, offset bss_start
    mov     ecx, offset bss_end
    sub     ecx, edi
    shr     ecx, 2
    rep stosd
    push    eax
    popfd
    xor     ebp, ebp
    call    kernel_main
1:  cli
    hlt
    jmp     1b

    .macro  vector_entry number
    .balign 16
    .if     (\number == 8) || (\number >= 10 && \number <= 14) || (\number == 17)
    .else
    push    0
    .endif
    push    \number
    jmp     interrupt_common
    .endm

/* 16 bytes an entry: interrupts_init computes the addresses. */
    .globl interrupt_entries
    .balign 16
interrupt_entries:
    .altmacro
    .set    vector, 0
    .rept   VECTORS
    vector_entry %vector
    .set    vector, vector + 1
    .endr
    .noaltmacro

    .balign 16
interrupt_common:
    pushad
    push    ds
    push    es
    mov     eax, SELECTOR_DATA
    mov     ds, eax
    mov     es, eax
    cld
    push    esp
    call    interrupt_dispatch
    add     esp, 4
    pop     es
    pop     ds
    popad
    add     esp, 8
    iretd

/*
 * int recovery_save(struct recovery_point *point)
 * Returns 0, and 1 once more for every recovery_resume(point) while its caller has not returned.
 */
    .globl recovery_save
recovery_save:
    mov     eax, [esp + 4]
    mov     edx, [esp]
    mov     [eax], ebx
    mov     [eax + 4], esi
    mov     [eax + 8], edi
    mov     [eax + 12], ebp
    mov     [eax + 16], esp
    mov     [eax + 20], edx
    xor     eax, eax
    ret

/* void recovery_resume(const struct recovery_point *point): interrupts are on afterwards, TF, NT and DF are off. */
    .globl recovery_resume
recovery_resume:
    mov     edx, [esp + 4]
    mov     eax, SELECTOR_DATA
    mov     ds, eax
    mov     es, eax
    mov     fs, eax
    mov     gs, eax
    mov     ss, eax
    mov     ebx, [edx]
    mov     esi, [edx + 4]
    mov     edi, [edx + 8]
    mov     ebp, [edx + 12]
    mov     esp, [edx + 16]
    mov     eax, [edx + 20]
    mov     [esp], eax
    push    0x202
    popfd
    mov     eax, 1
    ret

    .bss
    .balign 16
    .skip   STACK_SIZE
stack_top:

    .section .note.GNU-stack, "", @progbits

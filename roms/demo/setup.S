/*
 * The kernel's first code, still in real mode at 1000:0000: asks the BIOS everything that protected mode cannot
 * ask any more, leaves the answers in struct boot_info (boot_info.h) at 0800:0000, opens A20, and switches to
 * 32-bit protected mode with flat segments.
 *
 * Follows SDM 3A §9.9.1 (switching to protected mode) and the ACPI specification §15 (INT 15h E820h).
 * The kernel stays below 640 KiB, so a machine whose A20 gate will not open still runs: it is only reported.
 */
    .intel_syntax noprefix
    .arch i8086
    .code16

#include "boot_info.h"
#include "selectors.h"

#define E820_SIGNATURE   0x534d4150     /* "SMAP" */
#define E820_SIZE        24

    .section .setup, "ax"
    .globl setup_start
setup_start:
    mov     ax, cs
    mov     ds, ax

    /* FLAGS bits 12 to 15: always 1 on an 8086, always 0 on a 80286 in real mode, ours to set on an 80386. */
    pushf
    pop     ax
    mov     cx, ax
    and     ax, 0x0fff
    push    ax
    popf
    pushf
    pop     ax
    and     ax, 0xf000
    cmp     ax, 0xf000
    je      too_old
    mov     ax, cx
    or      ax, 0x7000
    push    ax
    popf
    pushf
    pop     ax
    test    ax, 0x7000
    jnz     is_80386

too_old:
    mov     si, offset message_too_old - setup_start
1:  lodsb
    test    al, al
    jz      2f
    mov     ah, 0x0e
    mov     bx, 7
    int     0x10
    jmp     1b
2:  hlt
    jmp     2b

    .arch i386
is_80386:
    push    cx                          /* the flags as they were: IOPL and NT back to 0 */
    popf
    cld

    mov     ax, BOOT_INFO_ADDRESS >> 4
    mov     es, ax
    xor     di, di
    xor     ax, ax
    mov     cx, BOOT_INFO_SIZE / 2
    rep stosw
    mov     es:[BOOT_INFO_DRIVE], dl

    /* A known text mode, and whether the adapter is a VGA (display combination code). */
    mov     ax, 0x0003
    int     0x10
    mov     ax, 0x1a00
    int     0x10
    cmp     al, 0x1a
    jne     1f
    cmp     bl, 7
    jb      1f
    mov     byte ptr es:[BOOT_INFO_VGA], 1
1:
    int     0x12
    mov     es:[BOOT_INFO_BASE_KB], ax

    /* E820h: one range a call, EBX says where to go on. */
    xor     ebx, ebx
    mov     di, BOOT_INFO_RANGES
e820_next:
    mov     dword ptr es:[di + 20], 1   /* ACPI 3 attributes: valid, unless the BIOS says otherwise */
    mov     eax, 0xe820
    mov     edx, E820_SIGNATURE
    mov     ecx, E820_SIZE
    int     0x15
    jc      e820_done
    cmp     eax, E820_SIGNATURE
    jne     e820_done
    mov     eax, es:[di + 8]
    or      eax, es:[di + 12]
    jz      1f                          /* empty ranges are not worth a row */
    test    byte ptr es:[di + 20], 1
    jz      1f
    inc     word ptr es:[BOOT_INFO_COUNT]
    add     di, E820_SIZE
    cmp     word ptr es:[BOOT_INFO_COUNT], BOOT_INFO_RANGES_MAX
    jae     e820_done
1:  test    ebx, ebx
    jnz     e820_next
e820_done:

    /* E801h: KiB from 1 to 16 MiB, and 64 KiB units above. Some BIOSes answer in CX and DX only. */
    xor     cx, cx
    xor     dx, dx
    mov     ax, 0xe801
    int     0x15
    jc      1f
    test    cx, cx
    jz      2f
    mov     ax, cx
    mov     bx, dx
2:  mov     es:[BOOT_INFO_E801_KB], ax
    mov     es:[BOOT_INFO_E801_64KB], bx
1:
    mov     ah, 0x88
    int     0x15
    jc      1f
    mov     es:[BOOT_INFO_88_KB], ax
1:
    /* A20: perhaps open already, then by the BIOS, by the keyboard controller, by the system control port. */
    mov     bp, A20_OPEN_ALREADY
    call    a20_test
    jnz     a20_done
    mov     bp, A20_BY_BIOS
    mov     ax, 0x2401
    int     0x15
    call    a20_test
    jnz     a20_done
    mov     bp, A20_BY_8042
    call    a20_by_8042
    call    a20_test
    jnz     a20_done
    mov     bp, A20_BY_PORT_92
    in      al, 0x92
    or      al, 2
    and     al, 0xfe                    /* bit 0 is a reset */
    out     0x92, al
    call    a20_test
    jnz     a20_done
    mov     bp, A20_CLOSED
a20_done:
    mov     ax, bp
    mov     es:[BOOT_INFO_A20], al

    /* The floppy's motor: the BIOS would stop it from its timer tick, which ends here. */
    mov     dx, 0x3f2
    mov     al, 0x0c
    out     dx, al

    cli
    lgdt    [gdt_pointer - setup_start]
    mov     eax, cr0
    or      al, 1
    mov     cr0, eax
    .byte   0x66, 0xea                  /* jmp far ptr16:32 */
    .long   entry_protected
    .word   SELECTOR_CODE

/* ZF clear: A20 is open, FFFF:0510 is not 0000:0500. Tried often enough for a slow gate. Changes ax, cx. */
a20_test:
    push    ds
    push    es
    xor     ax, ax
    mov     ds, ax
    not     ax
    mov     es, ax
    mov     cx, 64
    push    word ptr [0x500]
1:  inc     word ptr [0x500]
    mov     ax, es:[0x510]
    out     0xed, al                    /* about a microsecond */
    cmp     ax, [0x500]
    loope   1b
    pop     word ptr [0x500]
    pop     es
    pop     ds
    ret

/* Output port of the keyboard controller, bit 1. */
a20_by_8042:
    call    wait_8042
    mov     al, 0xd1
    out     0x64, al
    call    wait_8042
    mov     al, 0xdf
    out     0x60, al
wait_8042:
    xor     cx, cx
1:  in      al, 0x64
    test    al, 2
    loopnz  1b
    ret

    .balign 8
gdt:
    .quad   0
    .quad   0x00cf9a000000ffff          /* code: base 0, limit 4 GiB, readable */
    .quad   0x00cf92000000ffff          /* data: base 0, limit 4 GiB, writable */
    .quad   0x00cf12000000ffff          /* data, not present: for the fault command */
gdt_end:
gdt_pointer:
    .word   gdt_end - gdt - 1
    .long   gdt

message_too_old: .asciz "\r\nThe doppel demo needs an 80386 or later.\r\n"

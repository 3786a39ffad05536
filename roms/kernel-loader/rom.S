/*
 * The head of the option ROM: what the BIOS looks at (Plug and Play BIOS specification 1.0A §3) and how the loader gets
 * from the ROM into RAM.
 *
 * The BIOS finds a bootstrap entry vector (BEV) in the expansion header and calls it as a boot device. The ROM may be
 * at any 2 KiB boundary from C0000h on and read-only by then, so the BEV copies the loader to where it was linked for
 * and goes on there.
 *
 * The ROM's checksum and the expansion header's are filled in by build.sh.
 */
    .intel_syntax noprefix
    .arch i386
    .code16

    .section .rom, "ax"
    .globl rom_start
rom_start:
    .byte   0x55, 0xaa
    .byte   rom_blocks                  /* in units of 512 bytes */
    lret                                /* initialization: there is nothing to initialize */

    .org    0x18
    .word   0                           /* no PCI data structure */
    .word   expansion_header - rom_start

    .org    0x20
expansion_header:
    .ascii  "$PnP"
    .byte   1                           /* revision */
    .byte   2                           /* length in units of 16 bytes */
    .word   0                           /* no other header */
    .byte   0
    .byte   0                           /* checksum */
    .long   0                           /* device identifier */
    .word   0                           /* no manufacturer */
    .word   product - rom_start
    .byte   0, 0, 0                     /* device type */
    .byte   0x64                        /* may be shadowed, may be cached, an initial program load device */
    .word   0                           /* boot connection vector */
    .word   0                           /* disconnect vector */
    .word   bootstrap - rom_start
    .word   0
    .word   0                           /* no static resource information */
    .org    0x40
product:
    .asciz  "doppel kernel loader"

bootstrap:
    cld
    push    cs
    pop     ds
    xor     ax, ax
    mov     es, ax
    mov     si, offset loader_in_rom
    mov     di, offset loader_start
    mov     cx, offset loader_words
    rep movsw
    ljmp    0, offset loader_entry

    .section .note.GNU-stack, "", @progbits

/*
 * The demo guest's boot sector: sector 0 of the floppy, run by the BIOS at 0000:7C00 with the boot drive in DL.
 *
 * It does one thing: read the kernel, which follows in sectors 1 to kernel_sectors, to 1000:0000 and jump there.
 * Everything else that needs the BIOS happens in setup.S, where 512 bytes are not a limit.
 *
 * Reads go through INT 13h AH=02h by cylinder, head and sector, never past the end of a track (older BIOSes do not
 * switch heads) and never across a 64 KiB boundary (the 8237's page register does not carry). A read that fails is
 * tried again, one sector at a time, after a reset of the controller: on real drives the first tries fail while
 * the motor spins up.
 *
 * Only 8086 instructions: the check for an 80386 is in setup.S and has to be reachable on less.
 *
 * NOT IMPLEMENTED: LBA reads (AH=42h), a FAT file system around the kernel.
 */
    .intel_syntax noprefix
    .arch i8086
    .code16

#define KERNEL_SEGMENT   0x1000
#define READ_TRIES       6
#define BPB_END          0x3e

    .section .boot, "ax"
    .globl boot_start
boot_start:
    jmp     boot_main
    .org    3
    .ascii  "doppel  "
    /* Some BIOSes write to where a BPB would be: nothing of ours lives there. */
    .org    BPB_END

boot_main:
    cli
    xor     ax, ax
    mov     ss, ax
    mov     sp, offset boot_start
    mov     ds, ax
    sti
    cld
    ljmp    0, offset 1f                /* some BIOSes enter at 07C0:0000 */
1:
    mov     [boot_drive], dl
    mov     si, offset message_loading
    call    print

    /* A floppy is one of ours, 18 sectors and 2 heads. Anything else (a USB stick seen as a disk) is asked. */
    cmp     dl, 0x80
    jb      geometry_known
    mov     ah, 0x08
    xor     di, di
    mov     es, di
    int     0x13
    jc      geometry_known
    and     cx, 0x3f
    jz      geometry_known
    mov     [sectors_per_track], cx
    mov     dl, dh
    xor     dh, dh
    inc     dx
    mov     [heads], dx
geometry_known:

    mov     ax, KERNEL_SEGMENT
    mov     es, ax                      /* es:0 = where the next sector goes */
    mov     si, 1                       /* si   = its number on the disk */
    mov     di, offset kernel_sectors   /* di   = how many are left */

read_next:
    mov     ax, si
    xor     dx, dx
    div     word ptr [sectors_per_track]
    mov     cx, dx
    inc     cx                          /* cl = sector in the track, from 1 */
    mov     bx, [sectors_per_track]
    sub     bx, dx                      /* bx = sectors to the end of the track */
    xor     dx, dx
    div     word ptr [heads]
    mov     ch, al                      /* ch = cylinder, its bits 8 and 9 in cl */
    ror     ah, 1
    ror     ah, 1
    or      cl, ah
    mov     dh, dl                      /* dh = head */
    mov     dl, [boot_drive]

    cmp     bx, di
    jbe     1f
    mov     bx, di
1:
    push    cx
    mov     ax, es                      /* sectors to the next 64 KiB boundary: 32 paragraphs each */
    and     ax, 0x0fff
    neg     ax
    add     ax, 0x1000
    mov     cl, 5
    shr     ax, cl
    pop     cx
    cmp     bx, ax
    jbe     1f
    mov     bx, ax
1:
    mov     bp, READ_TRIES
read_try:
    push    bx
    mov     ah, 0x02
    mov     al, bl
    xor     bx, bx
    int     0x13
    pop     bx
    jnc     read_done
    xor     ah, ah
    int     0x13
    mov     bx, 1
    dec     bp
    jnz     read_try

read_failed:
    mov     si, offset message_failed
    call    print
    xor     ah, ah
    int     0x16
    int     0x19

read_done:
    sub     di, bx
    add     si, bx
    mov     cl, 5
    shl     bx, cl
    mov     ax, es
    add     ax, bx
    mov     es, ax
    mov     ax, 0x0e00 + '.'
    call    print_character
    test    di, di
    jnz     read_next

    mov     ax, es                      /* es:0 is the kernel's end: a truncated image can read as zeros */
    dec     ax
    mov     es, ax
    cmp     word ptr es:[14], offset KERNEL_MARK
    jne     read_failed

    mov     dl, [boot_drive]
    ljmp    KERNEL_SEGMENT, 0

/* Prints the zero-terminated text at ds:si. Changes ax, si. */
print:
    lodsb
    test    al, al
    jz      1f
    mov     ah, 0x0e
    call    print_character
    jmp     print
1:  ret

/* INT 10h AH=0Eh, keeping what some BIOSes destroy. */
print_character:
    push    bx
    push    bp
    mov     bx, 7
    int     0x10
    pop     bp
    pop     bx
    ret

sectors_per_track: .word 18
heads:             .word 2
boot_drive:        .byte 0
message_loading:   .asciz "Loading the doppel demo "
message_failed:    .asciz "\r\nThe disk cannot be read. Press a key to try again.\r\n"

    .org    510
    .word   0xaa55

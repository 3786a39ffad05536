/* The boot sector of the FAT partition. It reads FreeDOS's kernel, which lies in consecutive sectors from the start of the
 * data area, with the geometry of its own parameter block: when the BIOS counts heads and sectors differently, other
 * sectors come and nothing boots. The kernel is entered at 0060:0000 with the drive in BL. */
        .code16
        .globl  _start

        .set    away, 0x9000            /* segment this sector moves to: the kernel will cover 7C00h */
        .set    kernel, 0x0060

_start:
        jmp     start
        nop
        .org    0x18
sectors:        .word 0
heads:          .word 0
        .org    0x3e
kernel_sector:  .long 0                 /* on the disk; filled in with the parameter block */
kernel_count:   .word 0
start:
        cli
        xorw    %ax, %ax
        movw    %ax, %ds
        movw    $away, %ax
        movw    %ax, %es
        movw    %ax, %ss
        movw    $0xfff0, %sp
        sti
        cld
        movw    $0x7c00, %si
        xorw    %di, %di
        movw    $256, %cx
        rep movsw
        ljmp    $away, $(moved - _start)
moved:
        movw    %cs, %ax
        movw    %ax, %ds
        movw    $kernel, %ax
        movw    %ax, %es
next:
        movw    kernel_sector - _start, %ax
        movw    kernel_sector - _start + 2, %dx
        divw    sectors - _start        /* AX track, DX sector from 0 */
        movb    %dl, %cl
        incb    %cl
        xorw    %dx, %dx
        divw    heads - _start          /* AX cylinder, DX head */
        movb    %al, %ch
        shlb    $6, %ah
        orb     %ah, %cl
        movb    %dl, %dh
        movb    $0x80, %dl
        xorw    %bx, %bx
        movw    $0x0201, %ax
        int     $0x13
        jc      failed
        movw    %es, %ax
        addw    $32, %ax
        movw    %ax, %es
        addw    $1, kernel_sector - _start
        adcw    $0, kernel_sector - _start + 2
        decw    kernel_count - _start
        jnz     next
        movb    $0x80, %bl
        ljmp    $kernel, $0
failed:
        int     $0x18

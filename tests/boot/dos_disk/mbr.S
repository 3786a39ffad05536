/* A master boot record as DOS's FDISK writes it: it moves away, finds the active partition, reads its first sector by
 * cylinder, head and sector, and jumps there. */
        .code16
        .globl  _start
_start:
        cli
        xorw    %ax, %ax
        movw    %ax, %ss
        movw    $0x7c00, %sp
        movw    %ax, %ds
        movw    %ax, %es
        sti
        cld
        movw    $0x7c00, %si
        movw    $0x0600, %di
        movw    $256, %cx
        rep movsw
        ljmp    $0, $0x0600 + (moved - _start)
moved:
        movw    $0x0600 + 0x1be, %si
        movw    $4, %cx
find:
        testb   $0x80, (%si)
        jnz     found
        addw    $16, %si
        loop    find
stop:
        int     $0x18
found:
        movb    $0x80, %dl
        movb    1(%si), %dh
        movw    2(%si), %cx
        movw    $0x7c00, %bx
        movw    $0x0201, %ax
        int     $0x13
        jc      stop
        cmpw    $0xaa55, 0x7dfe
        jne     stop
        ljmp    $0, $0x7c00

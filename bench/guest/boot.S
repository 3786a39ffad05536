/* The first sector of a workload's image: loads the rest from the floppy to 1 MiB and enters it in flat 32-bit
 * protected mode. The second sector starts with a multiboot header, so that the same file is a kernel for
 * -kernel. See image.ld for the layout.
 *
 * Sectors are read one track at a time into a buffer below 1 MiB and moved up in "unreal mode", entered anew
 * for every move because the BIOS may go through protected mode itself. */

    .intel_syntax noprefix
    .set BUFFER_SEGMENT, 0x1000
    .set TRACK_SECTORS, 18

    .section .boot, "ax"
    .code16
    .globl boot_start
boot_start:
    cli
    cld
    xor ax, ax
    mov ds, ax
    mov ss, ax
    mov sp, 0x7c00
    ljmp 0, offset boot_here
boot_here:
    sti
    mov [boot_drive], dl
    in al, 0x92                 /* A20 */
    or al, 2
    and al, 0xfe
    out 0x92, al

/* SI: sectors of this track from CL on; BX: sectors still to come. */
next_track:
    mov ax, [track_sector]
    mov si, TRACK_SECTORS + 1
    sub si, ax
    cmp si, [sectors_left]
    jbe 1f
    mov si, [sectors_left]
1:  mov di, 5                   /* tries: a drive may need time to spin up */
2:  mov ax, BUFFER_SEGMENT
    mov es, ax
    xor bx, bx
    mov cl, [track_sector]
    mov ch, [cylinder]
    mov dh, [head]
    mov dl, [boot_drive]
    mov ax, si
    mov ah, 2
    int 0x13
    jnc move_up
    xor ah, ah
    mov dl, [boot_drive]
    int 0x13
    dec di
    jnz 2b
    mov si, offset read_error
3:  lodsb
    out 0xe9, al
    test al, al
    jnz 3b
4:  hlt
    jmp 4b

move_up:
    cli
    push ds
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    mov bx, 16
    mov ds, bx
    mov es, bx
    and al, 0xfe
    mov cr0, eax
    pop ds                      /* base 0 again; its limit stays 4 GB, and so does that of ES */
    movzx ecx, si
    shl ecx, 7
    mov edi, [load_address]
    push esi
    mov esi, BUFFER_SEGMENT * 16
    rep movsd es:[edi], ds:[esi]
    pop esi
    mov [load_address], edi
    sti

    mov word ptr [track_sector], 1
    xor byte ptr [head], 1
    jnz 1f
    inc byte ptr [cylinder]
1:  sub [sectors_left], si
    jnz next_track

    cli
    mov dx, 0x3f2               /* the motor off: nobody comes back to do it */
    xor al, al
    out dx, al
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    ljmp 8, offset enter_payload
    .code32
enter_payload:
    mov ax, 16
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov eax, offset guest_start
    jmp eax

boot_drive:   .byte 0
cylinder:     .byte 0
head:         .byte 0
    .balign 4
track_sector: .word 2           /* the boot sector itself is number 1 */
sectors_left: .word payload_sectors
load_address: .long payload_start
read_error:   .asciz "failed the floppy cannot be read\n"
    .balign 8
gdt:
    .quad 0
    .quad 0x00cf9a000000ffff    /* flat code */
    .quad 0x00cf92000000ffff    /* flat data */
gdt_pointer:
    .word . - gdt - 1
    .long gdt
    .org 510
    .word 0xaa55

/* ---- the multiboot header, and the parameters that the harness writes into a copy of the image */

    .set MULTIBOOT_MAGIC, 0x1badb002
    .set MULTIBOOT_FLAGS, 0x00010000    /* the address fields are valid */

    .section .header, "a"
    .long MULTIBOOT_MAGIC
    .long MULTIBOOT_FLAGS
    .long -(MULTIBOOT_MAGIC + MULTIBOOT_FLAGS)
    .long payload_start         /* of this header */
    .long payload_start
    .long payload_end
    .long bss_end
    .long guest_start
    .globl bench_parameters
bench_parameters:
    .ascii "DPLBENCH"
    .long 1                     /* version */
    .long 1                     /* rounds */

/* ---- where both loaders enter */

    .section .text.start, "ax"
    .globl guest_start
guest_start:
    cli
    cld
    mov esp, offset stack_top
    lgdt [guest_gdt_pointer]
    mov eax, offset guest_flat
    push 8
    push eax
    retf
guest_flat:
    mov ax, 16
    mov ds, ax
    mov es, ax
    mov fs, ax
    mov gs, ax
    mov ss, ax
    mov edi, offset bss_start
    mov ecx, offset bss_end
    sub ecx, edi
    xor eax, eax
    rep stosb
    call guest_main
1:  hlt
    jmp 1b

    .section .bss.stack, "aw", @nobits
    .balign 16
    .space 65536
stack_top:

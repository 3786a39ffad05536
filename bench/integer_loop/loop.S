/* A bootable integer loop, for comparing emulators: the same floppy image runs on each.
 *
 * The boot sector enters flat 32-bit protected mode, writes "S\n" to the debug port E9h, runs ITERATIONS rounds of mixed integer
 * instructions (loads, stores, ALU, a conditional branch, CALL and RET), writes "E\n", the checksum in hexadecimal and a
 * newline, and switches the emulator off (port 8900h, then the ACPI port of a PIIX4). Interrupts stay off. */
#ifndef ITERATIONS
#define ITERATIONS 20000000
#endif

    .intel_syntax noprefix
    .code16
    .globl _start
_start:
    cli
    xor ax, ax
    mov ds, ax
    lgdt [gdt_pointer]
    mov eax, cr0
    or al, 1
    mov cr0, eax
    .byte 0xea                  /* jmp far 8:protected */
    .word protected, 8

    .code32
protected:
    mov ax, 16
    mov ds, ax
    mov es, ax
    mov ss, ax
    mov esp, 0x80000
    mov dx, 0xe9
    mov al, 'S'
    out dx, al
    mov al, 10
    out dx, al
    mov ecx, ITERATIONS
    mov esi, 0x100000
    xor ebx, ebx
    xor edi, edi

/* 18 or 19 instructions a round: the SUB is skipped in about half of them. */
round:
    mov eax, [esi + ebx * 4]
    add eax, ecx
    xor edi, eax
    rol edi, 5
    mov [esi + ebx * 4], edi
    inc ebx
    and ebx, 1023
    cmp eax, edi
    jb 1f
    sub edi, 7
1:  lea edx, [eax + edi * 2]
    push edx
    call add_argument
    pop edx
    dec ecx
    jnz round

    mov dx, 0xe9
    mov al, 'E'
    out dx, al
    mov al, 10
    out dx, al
    mov ebp, 8
2:  rol edi, 4
    mov eax, edi
    and al, 15
    add al, '0'
    cmp al, '9'
    jbe 3f
    add al, 7
3:  out dx, al
    dec ebp
    jnz 2b
    mov al, 10
    out dx, al
    mov dx, 0x8900
    mov esi, offset shutdown
4:  lodsb
    out dx, al
    test al, al
    jnz 4b
    mov dx, 0x604
    mov ax, 0x2000
    out dx, ax
5:  hlt
    jmp 5b

add_argument:
    add edi, [esp + 4]
    ret

shutdown:
    .asciz "Shutdown"

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

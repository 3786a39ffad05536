/*
 * The loader's 16-bit half, at 0000:8000 and on: asks the BIOS what only the BIOS knows, lets loader.c fetch everything in
 * 32-bit protected mode, and then either enters a Linux kernel's real-mode setup or prints what went wrong.
 *
 * Follows SDM 3A §9.9 (switching modes), the ACPI specification §15 (INT 15h E820h) and the Linux boot protocol
 * ("Running the kernel": DS = ES = FS = GS = SS = the setup's segment, CS = that + 20h, interrupts off).
 * Interrupts stay off and the BIOS's IDT stays loaded while in protected mode.
 */
    .intel_syntax noprefix
    .arch i386
    .code16

#include "layout.h"

#define E820_SIGNATURE   0x534d4150     /* "SMAP" */

#define SELECTOR_CODE32  0x08
#define SELECTOR_DATA32  0x10
#define SELECTOR_CODE16  0x18
#define SELECTOR_DATA16  0x20

#define PORT_DEBUG_CONSOLE 0x402

    .section .entry, "ax"
    .globl loader_entry
loader_entry:
    cli
    xor     ax, ax
    mov     ds, ax
    mov     ss, ax
    mov     sp, offset stack_top
    sti
    mov     di, offset bss_start
    mov     cx, offset bss_words
    rep stosw

    int     0x12
    mov     [base_memory_kb], ax

    /* Entries as the multiboot information wants them: their size, and then what the BIOS says. */
    xor     ebx, ebx
    mov     di, offset memory_map
e820_next:
    mov     eax, 0xe820
    mov     edx, E820_SIGNATURE
    mov     ecx, MEMORY_RANGE_SIZE - 4
    mov     dword ptr [di], MEMORY_RANGE_SIZE - 4
    add     di, 4
    int     0x15
    jc      e820_done
    cmp     eax, E820_SIGNATURE
    jne     e820_done
    add     di, MEMORY_RANGE_SIZE - 4
    inc     word ptr [memory_range_count]
    test    ebx, ebx
    jz      e820_done
    cmp     word ptr [memory_range_count], MEMORY_RANGES
    jb      e820_next
e820_done:

    cli
    lgdt    [gdt_register]
    mov     eax, cr0
    or      al, 1
    mov     cr0, eax
    ljmp    SELECTOR_CODE32, offset protected_mode

    .code32
protected_mode:
    mov     ax, SELECTOR_DATA32
    mov     ds, ax
    mov     es, ax
    mov     fs, ax
    mov     gs, ax
    mov     ss, ax
    movzx   esp, sp
    call    loader_run
    ljmp    SELECTOR_CODE16, offset leave_protected_mode

    .code16
leave_protected_mode:
    mov     cx, SELECTOR_DATA16
    mov     ds, cx
    mov     es, cx
    mov     fs, cx
    mov     gs, cx
    mov     ss, cx
    mov     ecx, cr0
    and     cl, 0xfe
    mov     cr0, ecx
    ljmp    0, offset real_mode
real_mode:
    xor     cx, cx
    mov     ds, cx
    mov     es, cx
    mov     ss, cx
    test    eax, eax
    jnz     failed

    mov     ax, [linux_segment]
    mov     bx, ax
    add     bx, 0x20
    movzx   esp, word ptr [linux_stack]
    mov     ds, ax
    mov     es, ax
    mov     fs, ax
    mov     gs, ax
    mov     ss, ax
    push    bx
    push    0
    xor     ebx, ebx
    xor     ecx, ecx
    xor     edx, edx
    xor     esi, esi
    xor     edi, edi
    xor     ebp, ebp
    lret

/* The text at DS:AX goes to the screen and the debug console. There is nothing to go on with: the next boot device is not
 * what was asked for. */
failed:
    sti
    push    ax
    mov     si, offset message_prefix
    call    print
    pop     si
    call    print
    mov     si, offset message_end
    call    print
1:  hlt
    jmp     1b

print:
    lodsb
    test    al, al
    jz      1f
    mov     dx, PORT_DEBUG_CONSOLE
    out     dx, al
    mov     ah, 0x0e
    mov     bx, 7
    int     0x10
    jmp     print
1:  ret

message_prefix: .asciz "\r\nkernel loader: "
message_end:    .asciz "\r\n"

    .balign 8
gdt:
    .quad   0
    .quad   0x00cf9b000000ffff          /* flat 32-bit code */
    .quad   0x00cf93000000ffff          /* flat data */
    .quad   0x00009b000000ffff          /* 64 KiB at 0, 16-bit code */
    .quad   0x000093000000ffff          /* 64 KiB at 0, data */
gdt_end:
gdt_register:
    .word   gdt_end - gdt - 1
    .long   gdt

/*
 * void multiboot_start(uint32_t entry, const struct multiboot_info *info)
 * The machine state of Multiboot 0.6.96 §3.2; does not return.
 */
    .code32
    .text
    .globl multiboot_start
multiboot_start:
    mov     ecx, [esp + 4]
    mov     ebx, [esp + 8]
    mov     eax, MULTIBOOT_BOOTED
    jmp     ecx

    .bss
    .balign 16
    .skip   STACK_SIZE
stack_top:

    .section .note.GNU-stack, "", @progbits

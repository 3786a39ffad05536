/*
 * What every system test begins with: from the reset vector to 32-bit protected mode in RAM, tables, the handler that
 * catches every exception, and output.
 *
 * Text goes to port E9h. The end is announced to isa-debug-exit at F4h (doppel, QEMU: exit status 1) and to Bochs's
 * shutdown port 8900h.
 */
#include "system.inc"

    .set    CONSOLE, 0xe9
    .set    DEBUG_EXIT, 0xf4
    .set    BOCHS_SHUTDOWN, 0x8900
    .set    STUBS, 64
    .set    STUB_SIZE, 16

/* ---- from reset: CS has base FFFF0000h, where this image ends */

    .section .reset, "ax"
    .code16
reset_16:
    cli
    cld
    mov     ax, IMAGE >> 4
    mov     es, ax
    xor     si, si
    xor     di, di
    mov     cx, 0x4000
    rep     movsd es:[di], cs:[si]
    mov     al, 2                   /* port 92h: A20 open */
    out     0x92, al
    lgdt    cs:[0xff00 + first_gdt_pointer - reset_16]
    mov     eax, cr0
    or      al, CR0_PE
    mov     cr0, eax
    .byte   0x66, 0xea              /* jmp CODE0:start */
    .long   start
    .word   CODE0
    .balign 4
first_gdt_pointer:
    .word   TABLE_LIMIT
    .long   first_gdt
    .org    0xf0
    jmp     reset_16
    .org    0x100

    .text
    .code32
    .globl  start
start:
    mov     ax, DATA0
    mov     ds, ax
    mov     es, ax
    mov     fs, ax
    mov     gs, ax
    mov     ss, ax
    mov     esp, STACK
    cmp     dword ptr [RESTART], RESTART_MAGIC
    jne     1f
    mov     dword ptr [RESTART], 0
    jmp     [RESTART + 4]
1:  fninit
    mov     esi, offset first_gdt
    mov     edi, gdt
    mov     ecx, (TABLE_LIMIT + 1) / 4
    rep     movsd
    lgdt    [gdt_pointer]
    lidt    [idt_pointer]
    call    fill_idt
    call    fill_tss
    mov     ax, LDT
    lldt    ax
    mov     ax, TASK
    ltr     ax
    xor     eax, eax
    mov     fs, ax
    mov     gs, ax
    call    run
    STRING  "end"
    call    print
    call    print_newline
    .globl  finish
finish:
    xor     eax, eax
    mov     edx, DEBUG_EXIT
    out     dx, eax
    mov     edx, BOCHS_SHUTDOWN
    mov     esi, offset shutdown_word
    mov     ecx, 8
    rep     outsb
1:  cli
    hlt
    jmp     1b

/* Interrupt gates for the processor's exceptions and what tests use; vector 3 ends checks at every level. */
    .globl  fill_idt
fill_idt:
    pushad
    mov     edi, idt
    mov     ecx, STUBS
    mov     eax, offset stubs
1:  mov     [edi], ax
    mov     word ptr [edi + 2], CODE0
    mov     word ptr [edi + 4], INT_GATE32 << 8
    mov     edx, eax
    shr     edx, 16
    mov     [edi + 6], dx
    add     edi, 8
    add     eax, STUB_SIZE
    loop    1b
    or      byte ptr [idt + 3 * 8 + 5], DPL3
    mov     edi, offset hooks
    xor     eax, eax
    mov     ecx, STUBS
    rep     stosd
    popad
    ret

/* The TSS: stacks, no I/O. */
    .globl  fill_tss
fill_tss:
    pushad
    mov     edi, tss
    xor     eax, eax
    mov     ecx, 0x400 / 4
    rep     stosd
    mov     dword ptr [tss + 4], STACK0
    mov     dword ptr [tss + 8], DATA0
    mov     dword ptr [tss + 12], STACK1
    mov     dword ptr [tss + 16], DATA1
    mov     dword ptr [tss + 20], STACK2
    mov     dword ptr [tss + 24], DATA2
    mov     word ptr [tss + 0x66], 0xffff
    popad
    ret

/* ---- other levels: see TRY_USER and TRY_V86 */

    .globl  enter_user
enter_user:
    push    DATA3
    push    STACK3
    push    dword ptr [user_eflags]
    push    CODE3
    push    dword ptr [user_eip]
    push    eax
    mov     ax, DATA3
    mov     ds, ax
    mov     es, ax
    pop     eax
    iretd

    .globl  enter_v86
enter_v86:
    push    0
    push    0
    push    DATA >> 4
    push    DATA >> 4
    push    0x8000
    push    V86_STACK
    push    dword ptr [user_eflags]
    push    IMAGE >> 4
    push    dword ptr [user_eip]
    iretd

/* ---- exceptions */

    .balign STUB_SIZE
stubs:
    .set    vector, 0
    .rept   STUBS
    .balign STUB_SIZE
    .if     !(vector == 8 || (vector >= 10 && vector <= 14) || vector == 17)
    push    0
    .endif
    push    vector
    jmp     common
    .set    vector, vector + 1
    .endr

/* On the stack: vector, error code, EIP, CS, EFLAGS, … */
common:
    cld
    push    eax
    mov     eax, ds
    push    eax
    mov     ax, DATA0
    mov     ds, ax
    pop     dword ptr [saved_ds]
    mov     eax, es
    mov     [saved_es], eax
    mov     eax, fs
    mov     [saved_fs], eax
    mov     eax, gs
    mov     [saved_gs], eax
    mov     ax, DATA0
    mov     es, ax
    mov     eax, [esp + 4]
    cmp     dword ptr [hooks + eax * 4], 0
    je      1f
    mov     eax, [hooks + eax * 4]
    mov     [hook_target], eax
    pop     eax
    add     esp, 4
    jmp     [hook_target]
1:  pop     eax

    .globl  record
record:
    pushad
    mov     esi, esp
    mov     edi, offset saved_edi
    mov     ecx, 13
1:  mov     eax, ss:[esi]
    add     esi, 4
    stosd
    loop    1b
    mov     eax, cr2
    mov     [saved_cr2], eax
    test    dword ptr [saved_eflags], VM
    jnz     2f
    test    byte ptr [saved_cs], 3
    jnz     2f
    mov     [saved_stack], esi      /* the same level: the stack as it was */
    mov     eax, ss
    mov     [saved_ss], eax
    mov     edi, offset saved_items
    mov     ecx, 8
6:  mov     eax, ss:[esi]
    add     esi, 4
    stosd
    loop    6b
    jmp     3f
2:  mov     eax, ss:[esi]
    mov     [saved_stack], eax
    mov     eax, ss:[esi + 4]
    mov     [saved_ss], eax
    mov     edi, offset saved_items
    add     esi, 8
    mov     ecx, 4
7:  mov     eax, ss:[esi]
    add     esi, 4
    stosd
    loop    7b
3:  mov     ax, DATA0
    mov     ss, ax
    mov     esp, [try_esp]
    push    2
    popfd
    xor     eax, eax
    mov     fs, ax
    mov     gs, ax
    mov     eax, [try_resume]
    mov     dword ptr [try_resume], offset unexpected
    mov     [hook_target], eax
    mov     edi, [saved_edi]
    mov     esi, [saved_esi]
    mov     ebp, [saved_ebp]
    mov     ebx, [saved_ebx]
    mov     edx, [saved_edx]
    mov     ecx, [saved_ecx]
    mov     eax, [saved_eax]
    jmp     [hook_target]

/* An exception outside of any check. */
unexpected:
    mov     dword ptr [try_name], offset unexpected_name
    call    report
    SHOW    "cs", [saved_cs]
    SHOW    "eip", [saved_eip]
    call    print_newline
    jmp     finish

/* ---- output; all registers are kept */

    .globl  report
report:
    pushad
    mov     eax, [try_name]
    call    print
    STRING  ": "
    call    print
    mov     ebx, [saved_vector]
    cmp     ebx, 3
    jne     1f
    STRING  "ok"
    call    print
    jmp     5f
1:  cmp     ebx, 20
    jae     2f
    lea     eax, [exception_names + ebx * 4]
    call    print
    jmp     3f
2:  STRING  "vector "
    call    print
    mov     eax, ebx
    mov     ecx, 2
    call    print_digits
3:  mov     ecx, 0x00027d00         /* those with an error code */
    bt      ecx, ebx
    jnc     4f
    STRING  "("
    call    print
    mov     eax, [saved_error]
    mov     ecx, 4
    call    print_digits
    STRING  ")"
    call    print
4:  mov     edx, [saved_eip]        /* the same in 32-bit code and in virtual-8086 mode */
    sub     dx, [try_start]
    movzx   edx, dx
    cmp     edx, 0x100
    jae     8f
    STRING  " +"
    call    print
    mov     eax, edx
    mov     ecx, 2
    call    print_digits
    jmp     9f
8:  STRING  " elsewhere"
    call    print
9:
    test    dword ptr [saved_eflags], VM
    jnz     6f
    mov     eax, [saved_cs]
    and     eax, 3
    jz      7f
    STRING  " cpl "
    call    print
    mov     eax, [saved_cs]
    and     eax, 3
    mov     ecx, 1
    call    print_digits
    jmp     7f
6:  STRING  " v86"
    call    print
7:  cmp     ebx, 14
    jne     5f
    STRING  " cr2="
    call    print
    mov     eax, [saved_cr2]
    call    print_hex
5:  popad
    ret

    .globl  print
print:
    pushad
    mov     esi, eax
1:  lodsb
    test    al, al
    jz      2f
    out     CONSOLE, al
    jmp     1b
2:  popad
    ret

    .globl  print_newline
print_newline:
    push    eax
    mov     al, 10
    out     CONSOLE, al
    pop     eax
    ret

    .globl  print_hex
print_hex:
    push    ecx
    mov     ecx, 8
    call    print_digits
    pop     ecx
    ret

/* ECX lowest hexadecimal digits of EAX. */
print_digits:
    pushad
    mov     ebx, eax
1:  dec     ecx
    js      2f
    shl     ecx, 2
    mov     eax, ebx
    shr     eax, cl
    shr     ecx, 2
    and     eax, 15
    mov     al, [digits + eax]
    out     CONSOLE, al
    jmp     1b
2:  popad
    ret

    .section .rodata
digits:
    .ascii  "0123456789abcdef"
shutdown_word:
    .ascii  "Shutdown"
unexpected_name:
    .asciz  "unexpected exception"
exception_names:
    .asciz  "#DE", "#DB", "NMI", "#BP", "#OF", "#BR", "#UD", "#NM", "#DF", "int", "#TS", "#NP", "#SS", "#GP", "#PF"
    .asciz  "int", "#MF", "#AC", "#MC", "#XM"

    .data
    .balign 8
first_gdt:
    .quad   0
    .quad   0x00cf9b000000ffff      /* CODE0 */
    .quad   0x00cf93000000ffff      /* DATA0 */
    .quad   0x00cffb000000ffff      /* CODE3 */
    .quad   0x00cff3000000ffff      /* DATA3 */
    .word   0x3ff, tss, 0x8900, 0   /* TASK */
    .word   TABLE_LIMIT, ldt, 0x8200, 0
    .quad   0x00cfbb000000ffff      /* CODE1 */
    .quad   0x00cfb3000000ffff      /* DATA1 */
    .quad   0x00cf9f000000ffff      /* CONFORMING */
    .quad   0x00009b000000ffff      /* CODE0_16: not this image's addresses */
    .quad   0x000093000000ffff      /* DATA0_16 */
    .quad   0x00cfd3000000ffff      /* DATA2 */
    .fill   TABLE_LIMIT + 1 - (. - first_gdt), 1, 0
    .globl  gdt_pointer, idt_pointer
gdt_pointer:
    .word   TABLE_LIMIT
    .long   gdt
    .word   0
idt_pointer:
    .word   STUBS * 8 - 1
    .long   idt
    .word   0

    .globl  try_name, try_start, try_resume, try_esp, user_eflags, user_eip, hooks
try_name:       .long 0
try_start:      .long 0
try_resume:     .long unexpected
try_esp:        .long STACK - 0x1000
user_eflags:    .long 0
user_eip:       .long 0
hook_target:    .long 0
hooks:          .fill STUBS, 4, 0

    .globl  saved_edi, saved_esi, saved_ebp, saved_ebx, saved_edx, saved_ecx, saved_eax, saved_vector, saved_error
    .globl  saved_eip, saved_cs, saved_eflags, saved_stack, saved_ss, saved_ds, saved_es, saved_fs, saved_gs, saved_cr2
    .globl  saved_items
saved_edi:      .long 0             /* in the order of PUSHAD and of the frame */
saved_esi:      .long 0
saved_ebp:      .long 0
                .long 0
saved_ebx:      .long 0
saved_edx:      .long 0
saved_ecx:      .long 0
saved_eax:      .long 0
saved_vector:   .long 0
saved_error:    .long 0
saved_eip:      .long 0
saved_cs:       .long 0
saved_eflags:   .long 0
saved_stack:    .long 0             /* ESP and SS of the code that was interrupted */
saved_ss:       .long 0
saved_ds:       .long 0
saved_es:       .long 0
saved_fs:       .long 0
saved_gs:       .long 0
saved_cr2:      .long 0
saved_items:    .fill 8, 4, 0       /* the top of the stack, when the level did not change; from V86: ES DS FS GS */

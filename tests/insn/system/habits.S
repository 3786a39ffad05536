/*
 * What has been done many times, and then is not what it was: descriptors, MSRs, privileges and flags that change
 * between two executions of the same instruction (SDM 3A §3.4.3, §5.8; SDM 2 SYSENTER, SYSEXIT, LAR, LSL, VERR, IRET).
 * An emulator that remembers what they gave must notice.
 */
#include "system.inc"

    .set    ONE, FREE               /* the descriptor under test, and its like */
    .set    TWO, FREE + 8
    .set    WORLD, FREE + 0x20      /* code and data of ring 0, code and data of ring 3: as SYSENTER wants them */
    .set    ROUNDS, 120
    .set    CHANGE, 60              /* ECX, or EBP, when the change comes */
    .set    AREA, 0x40000
    .set    POINTER, AREA + 0x100
    .set    REQUEST, AREA + 0x200   /* what the kernel is to change at CHANGE */
    .set    BEFORE, AREA + 0x300    /* the descriptor ONE, EAX and EBX up to the change */
    .set    AFTER, BEFORE + 16

/* A loop of ROUNDS rounds, each of which begins with the same code, whether the change comes or not. */
.macro ROUNDS_BEGIN
    mov     ecx, ROUNDS
78: call    begin_round
.endm

.macro ROUNDS_END
    dec     ecx
    jnz     78b
.endm

/* What rounds begin with; `make` and `change` are functions that set ONE, EAX and EBX. */
.macro PREPARE make, change
    call    \make
    mov     edi, BEFORE
    call    note_choice
    call    \change
    mov     edi, AFTER
    call    note_choice
    call    \make
.endm

    .text
    .code32
    .globl  run
run:
    call    loads
    call    queries
    call    transfers
    call    returns
    call    fast_calls
    call    faults
    ret

note_choice:
    mov     [edi + 8], eax
    mov     [edi + 12], ebx
    mov     edx, [gdt + ONE]
    mov     [edi], edx
    mov     edx, [gdt + ONE + 4]
    mov     [edi + 4], edx
    ret

/* Changes EAX, EBX, EDX. */
begin_round:
    xor     edx, edx
    cmp     ecx, CHANGE
    setbe   dl
    shl     edx, 4
    mov     eax, [BEFORE + edx]
    mov     [gdt + ONE], eax
    mov     eax, [BEFORE + edx + 4]
    mov     [gdt + ONE + 4], eax
    mov     eax, [BEFORE + edx + 8]
    mov     ebx, [BEFORE + edx + 12]
    ret

/* ---- segment loads */

make_one:
    DESCRIPTOR ONE, 0, 0xfffff, DATA_RW+1+DPL3, WIDE
    mov     eax, ONE
    ret

make_one_for_user:
    DESCRIPTOR ONE, 0, 0xfffff, DATA_RW+1+DPL3, WIDE
    mov     eax, ONE | 3
    ret

shrink_one:
    DESCRIPTOR ONE, 0, 0xf, DATA_RW+1+DPL3, BIG
    ret

remove_one:
    DESCRIPTOR ONE, 0, 0xfffff, DATA_RW+1+DPL3-ABSENT, WIDE
    ret

protect_one:
    DESCRIPTOR ONE, 0, 0xfffff, DATA_RW+1, WIDE
    ret

choose_null:
    xor     eax, eax
    ret

choose_two:
    DESCRIPTOR TWO, 0x10, 0xfffff, DATA_RW+1+DPL3, WIDE
    mov     eax, TWO
    ret

nothing:
    ret

.macro LOAD_ROUNDS text, change
    PREPARE make_one, \change
    mov     dword ptr [AREA], 0x11111111
    mov     dword ptr [AREA + 0x10], 0x22222222
    TRY     "\text"
    ROUNDS_BEGIN
    mov     gs, ax
    mov     edx, gs:[AREA]
    ROUNDS_END
    END
    SHOW    "ecx", [saved_ecx]
    SHOW    "edx", [saved_edx]
    NEXT
.endm

.macro LOAD_ROUNDS_USER text, change
    PREPARE make_one_for_user, \change
    TRY_USER "\text"
    ROUNDS_BEGIN
    push    eax
    pop     fs
    mov     edx, fs:[AREA]
    ROUNDS_END
    END
    SHOW    "ecx", [saved_ecx]
    NEXT
.endm

loads:
    SAY     "-- segment loads"
    LOAD_ROUNDS "the same each time", nothing
    LOAD_ROUNDS "another limit", shrink_one
    LOAD_ROUNDS "absent", remove_one
    LOAD_ROUNDS "null", choose_null
    LOAD_ROUNDS "another selector", choose_two
    LOAD_ROUNDS_USER "the same each time at CPL 3", nothing
    LOAD_ROUNDS_USER "another limit at CPL 3", shrink_one
    LOAD_ROUNDS_USER "another privilege at CPL 3", protect_one

    call    choose_two
    mov     ebx, TWO
    PREPARE make_one, shrink_one
    TRY     "a register that lost its limit, then another selector and back"
    ROUNDS_BEGIN
    mov     gs, bx
    mov     gs, ax
    mov     edx, gs:[AREA]
    ROUNDS_END
    END
    SHOW    "ecx", [saved_ecx]
    NEXT
    ret

/* ---- LAR, LSL, VERR, VERW */

.macro QUERY_ROUNDS text, change, try=TRY
    PREPARE make_one, \change
    \try    "\text"
    xor     esi, esi
    xor     edi, edi
    xor     ebp, ebp
    ROUNDS_BEGIN
    mov     edx, 0x55
    mov     ebx, 0x77
    lar     edx, eax
    and     edx, 0xf0ff55           /* what is defined */
    lsl     ebx, eax
    add     esi, edx
    add     edi, ebx
    verr    ax
    jnz     1f
    inc     ebp
1:  verw    ax
    jnz     1f
    add     ebp, 0x100
1:  stc                             /* only ZF changes */
    verw    ax
    adc     ebp, 0
    mov     dl, 0x7f
    inc     dl
    lar     edx, eax
    jno     1f
    add     ebp, 0x10000
1:  ROUNDS_END
    END
    SHOW    "lar", [saved_esi]
    SHOW    "lsl", [saved_edi]
    SHOW    "verr and verw", [saved_ebp]
    NEXT
.endm

read_one:
    DESCRIPTOR ONE, 0, 0x1234, DATA_RO+1+DPL3, BIG
    ret

queries:
    SAY     "-- LAR, LSL, VERR, VERW"
    QUERY_ROUNDS "the same each time", nothing
    QUERY_ROUNDS "another limit", shrink_one
    QUERY_ROUNDS "read only", read_one
    QUERY_ROUNDS "absent", remove_one
    QUERY_ROUNDS "null", choose_null
    QUERY_ROUNDS "another privilege", protect_one
    QUERY_ROUNDS "the same each time at CPL 3", nothing, TRY_USER
    QUERY_ROUNDS "another privilege at CPL 3", protect_one, TRY_USER
    ret

/* ---- far transfers within one segment */

make_code:
    DESCRIPTOR ONE, 0, 0xfffff, CODE_XR+1, WIDE
    ret

remove_code:
    DESCRIPTOR ONE, 0, 0xfffff, CODE_XR+1-ABSENT, WIDE
    ret

shrink_code:
    DESCRIPTOR ONE, 0, 0xff, CODE_XR+1, BIG
    ret

raise_code:
    DESCRIPTOR ONE, 0, 0xfffff, CODE_XR+1+DPL3, WIDE
    ret

.macro IN_ONE text, change
    PREPARE make_code, \change
    TRY     "\text"
    push    ONE
    push    offset 1f
    retf
1:
.endm

.macro JUMP_ROUNDS text, change
    IN_ONE  "\text", \change
    mov     word ptr [POINTER + 4], ONE
    mov     dword ptr [POINTER], offset 2f
    ROUNDS_BEGIN
    jmp     fword ptr [POINTER]
2:  ROUNDS_END
    END
    SHOW    "ecx", [saved_ecx]
    SHOW    "cs", [saved_cs]
    NEXT
.endm

.macro CALL_ROUNDS text, change
    IN_ONE  "\text", \change
    mov     word ptr [POINTER + 4], ONE
    mov     dword ptr [POINTER], offset far_function
    ROUNDS_BEGIN
    call    fword ptr [POINTER]
    .byte   0x9a                    /* call ONE:far_function */
    .long   far_function
    .word   ONE
    ROUNDS_END
    END
    SHOW    "ecx", [saved_ecx]
    SHOW    "eax", [saved_eax]
    NEXT
.endm

.macro RETURN_ROUNDS text, change
    IN_ONE  "\text", \change
    ROUNDS_BEGIN
    push    ebx
    push    ONE
    push    offset 2f
    retf    4
2:  ROUNDS_END
    END
    SHOW    "ecx", [saved_ecx]
    NEXT
.endm

far_function:
    movzx   eax, word ptr [esp + 4]
    retf

transfers:
    SAY     "-- far jumps, calls, returns"
    JUMP_ROUNDS "jumps", nothing
    JUMP_ROUNDS "jumps to an absent segment", remove_code
    JUMP_ROUNDS "jumps to another privilege", raise_code
    JUMP_ROUNDS "jumps beyond the limit", shrink_code
    CALL_ROUNDS "calls", nothing
    CALL_ROUNDS "calls to an absent segment", remove_code
    RETURN_ROUNDS "returns", nothing
    RETURN_ROUNDS "returns to an absent segment", remove_code
    RETURN_ROUNDS "returns beyond the limit", shrink_code

    PREPARE choose_code, choose_conforming
    mov     dword ptr [POINTER], offset 2f
    TRY     "a jump through a pointer that changes"
    ROUNDS_BEGIN
    mov     [POINTER + 4], ax
    jmp     fword ptr [POINTER]
2:  ROUNDS_END
    END
    SHOW    "cs", [saved_cs]
    NEXT
    ret

choose_code:
    mov     eax, CODE0
    ret

choose_conforming:
    mov     eax, CONFORMING
    ret

/* ---- IRET on one level */

no_flags:
    mov     ebx, 2
    ret

set_cf:
    mov     ebx, 2 | CF
    ret

set_if:
    mov     ebx, 2 | IF
    ret

set_df:
    mov     ebx, 2 | DF
    ret

set_iopl:
    mov     ebx, 2 | IOPL3
    ret

set_nt:
    mov     eax, NT | 2
    ret

/* EAX: flags before IRET; EBX: those it loads. */
.macro IRET_ROUNDS text, make, change, try=TRY_PLAIN, eflags=2
    mov     eax, \eflags
    PREPARE \make, \change
    \try    "\text", \eflags
    mov     esi, AREA + 0x800
    ROUNDS_BEGIN
    push    ebx
    push    cs
    push    offset 2f
    push    eax
    popfd
    iretd
2:  lodsb
    ROUNDS_END
    END
    SHOW    "ecx", [saved_ecx]
    SHOW    "esi", [saved_esi]
    SHOW    "eflags", [saved_eflags]
    NEXT
.endm

.macro TRY_PLAIN text, eflags
    TRY     "\text"
.endm

returns:
    SAY     "-- IRET"
    IRET_ROUNDS "the same flags", set_cf, nothing
    IRET_ROUNDS "IF set", no_flags, set_if
    IRET_ROUNDS "IF cleared", set_if, no_flags
    IRET_ROUNDS "DF set", no_flags, set_df
    IRET_ROUNDS "IOPL 3", no_flags, set_iopl
    IRET_ROUNDS "NT set", no_flags, set_nt
    IRET_ROUNDS "IF set at CPL 3", no_flags, set_if, TRY_USER
    IRET_ROUNDS "IF cleared at CPL 3 with IOPL 3", set_if, no_flags, TRY_USER, IOPL3|IF
    ret

/* ---- SYSENTER, SYSEXIT */

/* EDX, ECX: as SYSEXIT wants them; EAX: the round. The kernel calls and returns, as its user does. */
kernel:
    mov     esi, TWO
    mov     gs, si
    mov     esi, esp
    call    kernel_function
    sysexit

kernel_function:
    pushfd
    pop     edi
    cmp     eax, CHANGE
    jne     1f
    mov     eax, [REQUEST]
    jmp     [requests + 4 * eax]
1:  ret

kernel_done:
    mov     eax, CHANGE
    ret

other_stack:
    push    ecx
    push    edx
    mov     ecx, 0x175
    mov     eax, STACK2
    xor     edx, edx
    wrmsr
    pop     edx
    pop     ecx
    jmp     kernel_done

other_world:
    push    ecx
    push    edx
    mov     ecx, 0x174
    mov     eax, WORLD
    xor     edx, edx
    wrmsr
    pop     edx
    pop     ecx
    jmp     kernel_done

other_entry:
    push    ecx
    push    edx
    mov     ecx, 0x176
    mov     eax, offset other_kernel
    xor     edx, edx
    wrmsr
    pop     edx
    pop     ecx
    jmp     kernel_done

other_kernel:
    mov     esi, 0x1234
    sysexit

no_world:
    push    ecx
    push    edx
    mov     ecx, 0x174
    xor     eax, eax
    xor     edx, edx
    wrmsr
    pop     edx
    pop     ecx
    jmp     kernel_done

allow_io:
    pushfd
    or      dword ptr [esp], IOPL3
    popfd
    jmp     kernel_done

deny_io:
    pushfd
    and     dword ptr [esp], ~IOPL3
    popfd
    jmp     kernel_done

    .pushsection .rodata
requests:
    .long   kernel_done, other_stack, other_world, other_entry, no_world, allow_io, deny_io
    .popsection

prepare_fast_calls:
    mov     ecx, 0x174
    mov     eax, CODE0
    xor     edx, edx
    wrmsr
    mov     ecx, 0x175
    mov     eax, STACK1
    wrmsr
    mov     ecx, 0x176
    mov     eax, offset kernel
    wrmsr
    DESCRIPTOR WORLD, 0, 0xfffff, CODE_XR+1, WIDE
    DESCRIPTOR WORLD+8, 0, 0xfffff, DATA_RW+1, WIDE
    DESCRIPTOR WORLD+16, 0, 0xfffff, CODE_XO+1+DPL3, WIDE
    DESCRIPTOR WORLD+24, 0, 0xfffff, DATA_RW+1+DPL3, WIDE
    call    choose_two
    jmp     make_one

.macro FAST_ROUNDS text, request, eflags=2
    call    prepare_fast_calls
    mov     dword ptr [REQUEST], \request
    TRY_USER "\text", \eflags
    mov     ebp, ROUNDS
1:  call    system_call
.endm

.macro FAST_ROUNDS_END
    dec     ebp
    jnz     1b
    END
    SHOW    "ebp", [saved_ebp]
    SHOW    "cs", [saved_cs]
    SHOW    "ss", [saved_ss]
    SHOW    "esi", [saved_esi]
    SHOW    "edi", [saved_edi]
    SHOW    "eflags", [saved_eflags]
    NEXT
.endm

system_call:
    mov     eax, ebp
    mov     ecx, esp
    mov     edx, offset 1f
    sysenter
1:  ret

fast_calls:
    SAY     "-- SYSENTER, SYSEXIT"
    FAST_ROUNDS "the same each time", 0
    FAST_ROUNDS_END
    FAST_ROUNDS "another stack", 1
    FAST_ROUNDS_END
    FAST_ROUNDS "other selectors", 2
    FAST_ROUNDS_END
    FAST_ROUNDS "another entry", 3
    FAST_ROUNDS_END
    FAST_ROUNDS "a null CS", 4
    FAST_ROUNDS_END
    FAST_ROUNDS "with IF, which is lost", 0, IF
    FAST_ROUNDS_END
    FAST_ROUNDS "IOPL 3 from now on", 5
    cmp     ebp, CHANGE
    ja      2f
    cli
2:
    FAST_ROUNDS_END
    FAST_ROUNDS "IOPL 0 from now on", 6, IOPL3
    cli
    FAST_ROUNDS_END
    mov     dword ptr [AREA + 0x20], 0
    FAST_ROUNDS "the kernel loads what its user has loaded", 0
    mov     eax, ONE | 3
    mov     gs, ax
    mov     eax, gs:[AREA]
    add     [AREA + 0x20], eax
    mov     esi, [AREA + 0x20]
    FAST_ROUNDS_END
    FAST_ROUNDS "and jumps into the segment that the table has", 2
    cmp     ebp, CHANGE - 1
    ja      4f
    mov     ax, cs
    mov     [POINTER + 4], ax       /* it may not be read; what SYSEXIT loads may */
    mov     dword ptr [POINTER], offset 2f
    jmp     fword ptr [POINTER]
2:  mov     dword ptr [POINTER], offset 3f
    jmp     fword ptr [POINTER]
3:  cmp     ebp, 1
    jne     5f
    mov     al, cs:[AREA]
5:  mov     eax, ebp
    mov     ecx, esp
    mov     edx, offset 4f
    sysenter
4:
    FAST_ROUNDS_END
    ret

/* ---- faults */

interrupt_gate:
    mov     eax, INT_GATE32
    mov     ebx, STACK0
    ret

trap_gate:
    mov     eax, TRAP_GATE32
    ret

other_inner_stack:
    mov     ebx, STACK1
    ret

/* The frame: the error code, EIP, CS, EFLAGS. ESI: IF in the handler, summed up; EDI: its stack. */
skip_division:
    pushfd
    and     dword ptr [esp], IF
    add     esi, [esp]
    mov     edi, esp
    mov     ebx, DATA3              /* IRET takes those of ring 0 away */
    mov     ds, ebx
    mov     es, ebx
    xor     ebx, ebx
    add     esp, 8
    add     dword ptr [esp], 2
    iretd

.macro FAULT_ROUNDS text, change, try=TRY
    PREPARE interrupt_gate, \change
    HOOK    0, skip_division
    \try    "\text", IF
    xor     esi, esi
    ROUNDS_BEGIN
    mov     [idt + 5], al           /* the gate's type */
    mov     [tss + 4], ebx          /* ESP0 */
    xor     ebx, ebx
    stc
    div     ebx
    adc     ebx, 0
    add     ebp, ebx
    ROUNDS_END
    END
    SHOW    "ecx", [saved_ecx]
    SHOW    "IF", [saved_esi]
    SHOW    "esp", [saved_edi]
    SHOW    "eflags", [saved_eflags]
    NEXT
.endm

.macro TRY_IF text, eflags
    TRY     "\text"
    push    2 | IF
    popfd
.endm

faults:
    SAY     "-- divide errors"
    FAULT_ROUNDS "through an interrupt gate", nothing, TRY_IF
    FAULT_ROUNDS "through a trap gate from now on", trap_gate, TRY_IF
    FAULT_ROUNDS "from CPL 3", nothing, TRY_USER
    FAULT_ROUNDS "to another stack from now on", other_inner_stack, TRY_USER
    UNHOOK  0
    mov     dword ptr [tss + 4], STACK0
    mov     byte ptr [idt + 5], INT_GATE32
    ret

/*
 * Limits and types of segments at every access (SDM 3A §5.3, §5.5): byte and page granular, expand-down, code, stack.
 *
 * QEMU checks neither and may leave the program altogether: it is not asked.
 */
#include "system.inc"

    .set    ONE, FREE               /* the descriptor under test */
    .set    AREA, 0x40000           /* where it begins */

/* DS = `ONE`, then one access. */
.macro ACCESS text, insn:vararg
    TRY     "\text"
    mov     eax, ONE
    mov     ds, ax
    \insn
    DONE
.endm

    .text
    .code32
    .globl  run
run:
    SET_CR4 CR4_OSFXSR
    call    stacks
    call    limits
    call    expand_down
    call    types
    call    strings
    call    v86
    ret

stacks:
    SAY     "-- the stack"
    DESCRIPTOR ONE, AREA, 0xff, DATA_RW | DPL3, BIG
    TRY_USER "push across the limit"
    mov     eax, ONE | 3
    mov     ss, ax
    mov     esp, 0x102
    push    eax
    END
    SHOW    "esp", [saved_stack]
    NEXT
    TRY_USER "pop across the limit"
    mov     eax, ONE | 3
    mov     ss, ax
    mov     esp, 0xfe
    pop     eax
    END
    SHOW    "esp", [saved_stack]
    NEXT
    TRY_USER "a call across the limit leaves EIP"
    mov     eax, ONE | 3
    mov     ss, ax
    mov     esp, 0x102
    call    run
    DONE
    TRY_USER "[ebp] across the limit"
    mov     eax, ONE | 3
    mov     ss, ax
    mov     ebp, 0x100
    mov     eax, [ebp]
    DONE
    TRY_USER "PUSHA across the lower end leaves ESP"
    mov     eax, ONE | 3
    mov     ss, ax
    mov     esp, 0x10
    pushad
    END
    SHOW    "esp", [saved_stack]
    NEXT
    ret

limits:
    SAY     "-- limits"
    DESCRIPTOR ONE, AREA, 0xff, DATA_RW, BIG
    ACCESS  "byte at the limit", mov al, [0xff]
    ACCESS  "byte behind it", mov al, [0x100]
    ACCESS  "word across it", mov ax, [0xff]
    ACCESS  "doubleword up to it", mov eax, [0xfc]
    ACCESS  "doubleword across it", mov [0xfd], eax
    ACCESS  "quadword across it", movq mm0, [0xf9]
    ACCESS  "ten bytes across it", fld tbyte ptr [0xf7]
    ACCESS  "ten bytes up to it", fld tbyte ptr [0xf6]
    ACCESS  "16 bytes across it", movups xmm0, [0xf1]
    ACCESS  "update across it", inc dword ptr [0xfe]
    ACCESS  "doubleword at ffffffff", mov eax, [0xffffffff]
    emms
    DESCRIPTOR ONE, AREA, 0, DATA_RW, PAGES | BIG
    ACCESS  "last byte of one page", mov al, [0xfff]
    ACCESS  "first byte of the next", mov al, [0x1000]
    DESCRIPTOR ONE, 0xffffff00, 0xfffff, DATA_RW, WIDE
    mov     dword ptr [AREA], 0x12345678
    TRY     "base + offset wraps at 4 GiB"
    mov     eax, ONE
    mov     ds, ax
    mov     ebx, [AREA + 0x100]
    END
    SHOW    "ebx", [saved_ebx]
    NEXT
    DESCRIPTOR ONE, AREA, 0xff, DATA_RW, BIG
    TRY     "ENTER across the limit leaves EBP and ESP"
    mov     ebp, 0x77
    enter   0x200, 0
    leave
    DONE
    DESCRIPTOR ONE, AREA, 0xff, CODE_XR, BIG
    mov     byte ptr [AREA + 0xfe], 0x90
    mov     byte ptr [AREA + 0xff], 0x40
    mov     byte ptr [AREA + 0x100], 0x90
    TRY     "running over the limit of CS"
    ljmp    ONE:0xfe
    END
    SHOW    "eip", [saved_eip]
    SHOW    "cs", [saved_cs]
    NEXT
    mov     byte ptr [AREA + 0xff], 0xb8
    TRY     "an instruction across the limit of CS"
    ljmp    ONE:0xfe
    END
    SHOW    "eip", [saved_eip]
    NEXT
    TRY     "a far jump beyond the limit of CS"
    ljmp    ONE:0x100
    END
    SHOW    "cs", [saved_cs]
    NEXT
    mov     word ptr [AREA + 0xf0], 0x10eb
    TRY     "a short jump beyond the limit of CS"
    ljmp    ONE:0xf0
    END
    SHOW    "eip", [saved_eip]
    NEXT
    ret

expand_down:
    SAY     "-- expand-down segments"
    DESCRIPTOR ONE, AREA, 0xff, DATA_DOWN, BIG
    ACCESS  "at the limit", mov al, [0xff]
    ACCESS  "above the limit", mov al, [0x100]
    ACCESS  "across the limit", mov ax, [0xff]
    ACCESS  "above 64 KiB", mov al, [0x10000]
    DESCRIPTOR ONE, AREA, 0xff, DATA_DOWN, 0
    ACCESS  "16-bit: last byte", mov al, [0xffff]
    ACCESS  "16-bit: across 64 KiB", mov ax, [0xffff]
    ACCESS  "16-bit: above 64 KiB", mov al, [0x10000]
    DESCRIPTOR ONE, AREA, 0xf, DATA_DOWN, PAGES
    ACCESS  "pages: nothing is left", mov al, [0xffff]
    DESCRIPTOR ONE, AREA, 0xff, DATA_DOWN_RO, BIG
    ACCESS  "read-only: write", mov [0x100], al
    ret

types:
    SAY     "-- types"
    DESCRIPTOR ONE, AREA, 0xff, DATA_RO, BIG
    ACCESS  "read of read-only data", mov eax, [0]
    ACCESS  "write to read-only data", mov [0], eax
    ACCESS  "update of read-only data", inc dword ptr [0]
    ACCESS  "XCHG with read-only data", xchg [0], eax
    ACCESS  "CMPXCHG that does not store", cmpxchg [0], ecx
    DESCRIPTOR ONE, AREA, 0xff, CODE_XR, BIG
    ACCESS  "read of code", mov eax, [0]
    ACCESS  "write to code", mov [0], eax
    TRY     "write through CS"
    mov     cs:[AREA], eax
    DONE
    ret

strings:
    SAY     "-- string instructions"
    DESCRIPTOR ONE, AREA, 0xff, DATA_RW, BIG
    TRY     "REP LODSB over the limit"
    mov     eax, ONE
    mov     ds, ax
    mov     esi, 0xf0
    mov     ecx, 0x20
    rep     lodsb
    END
    SHOW    "ecx", [saved_ecx]
    SHOW    "esi", [saved_esi]
    NEXT
    TRY     "REP STOSD across the limit"
    mov     eax, ONE
    mov     es, ax
    mov     edi, 0xf2
    mov     ecx, 0x20
    rep     stosd
    END
    SHOW    "ecx", [saved_ecx]
    SHOW    "edi", [saved_edi]
    NEXT
    TRY     "REP MOVSB from within to without"
    mov     eax, ONE
    mov     es, ax
    mov     esi, AREA
    mov     edi, 0xf8
    mov     ecx, 0x20
    rep     movsb
    END
    SHOW    "ecx", [saved_ecx]
    SHOW    "esi", [saved_esi]
    SHOW    "edi", [saved_edi]
    NEXT
    TRY     "backwards below 0"
    mov     eax, ONE
    mov     es, ax
    mov     edi, 2
    mov     ecx, 0x20
    std
    rep     stosb
    END
    SHOW    "ecx", [saved_ecx]
    SHOW    "edi", [saved_edi]
    NEXT
    DESCRIPTOR ONE, AREA, 0xff, DATA_RO, BIG
    TRY     "REP STOSB to read-only data"
    mov     eax, ONE
    mov     es, ax
    mov     edi, 2
    mov     ecx, 0x20
    rep     stosb
    END
    SHOW    "ecx", [saved_ecx]
    SHOW    "edi", [saved_edi]
    NEXT
    ret

.macro V86_ONE text, eflags, insn:vararg
    TRY_V86 "\text", \eflags
    \insn
    DONE
.endm

v86:
    SAY     "-- virtual-8086 mode"
    V86_ONE "a word at the limit", 2, mov ax, [0xffff]
    V86_ONE "the last word", 2, mov ax, [0xfffe]
    TRY_V86 "a doubleword on the stack across the limit"
    mov     bp, 0xfffd
    mov     eax, [bp]
    DONE
    TRY_V86 "32-bit addresses beyond 64 KiB"
    mov     ebx, 0x10000
    mov     al, [ebx]
    DONE
    TRY_V86 "PUSH at SP = 1"
    mov     sp, 1
    push    ax
    END
    SHOW    "sp", [saved_stack]
    NEXT
    TRY_V86 "PUSH at SP = 0"
    mov     sp, 0
    push    ax
    END
    SHOW    "sp", [saved_stack]
    NEXT
    mov     byte ptr [0x10ffef], 0x5a
    TRY_V86 "beyond 1 MiB"
    mov     ax, 0xffff
    mov     ds, ax
    mov     al, [0xffff]
    END
    SHOW    "al", [saved_eax]
    NEXT
    TRY_V86 "running off the end of CS"
    mov     ax, 0x4000
    mov     ds, ax
    mov     byte ptr [0xffff], 0x90
    ljmp    0x4000:0xffff
    END
    SHOW    "cs", [saved_cs]
    SHOW    "eip", [saved_eip]
    NEXT
    TRY_V86 "a 32-bit jump beyond 64 KiB"
    mov     eax, 0x10000
    jmp     eax
    DONE
    TRY_V86 "far transfers load any selector"
    push    cs
    mov     eax, offset 1f - IMAGE
    push    ax
    retf
1:  mov     cx, cs
    END
    movzx   eax, word ptr [saved_ecx]
    SHOW    "cs", eax
    NEXT
    V86_ONE "LOCK without a store", 2, .byte 0xf0, 0x90
    ret

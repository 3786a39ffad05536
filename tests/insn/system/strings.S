/*
 * String instructions that fault in the middle and go on, at page and segment ends (SDM 2 REP, MOVS, …; SDM 1 §7.3.9).
 */
#include "system.inc"

    .set    DIRECTORY, 0x20000
    .set    TABLE, 0x21000
    .set    AREA, 0x40000
    .set    PAGE_A, 0x60000         /* present, the page behind it is not */
    .set    PAGE_B, 0x61000

    .text
    .code32
    .globl  run
run:
    call    paging_on
    call    stopping
    call    restarting
    call    conditions
    call    wrapping
    call    ports
    ret

paging_on:
    mov     edi, DIRECTORY
    xor     eax, eax
    mov     ecx, 1024
    rep     stosd
    mov     dword ptr [DIRECTORY], TABLE | 7
    mov     edi, TABLE
    mov     eax, 7
    mov     ecx, 1024
1:  stosd
    add     eax, 0x1000
    loop    1b
    call    hide
    mov     eax, DIRECTORY
    mov     cr3, eax
    SET_CR0 CR0_PG
    ret

hide:
    mov     dword ptr [TABLE + (PAGE_B >> 12) * 4], 0
    invlpg  [PAGE_B]
    ret

show:
    mov     dword ptr [TABLE + (PAGE_B >> 12) * 4], PAGE_B | 7
    invlpg  [PAGE_B]
    ret

clear:
    pushad
    mov     edi, PAGE_A
    xor     eax, eax
    mov     ecx, 0x400
    rep     stosd
    popad
    ret

/* The #PF handler of the restarts: counts, lets the page in and goes on. */
let_in:
    inc     dword ptr [faults]
    call    show
    add     esp, 4
    iretd

.macro INDEXES
    SHOW    "ecx", [saved_ecx]
    SHOW    "esi", [saved_esi]
    SHOW    "edi", [saved_edi]
.endm

/* ECX, ESI and EDI at the fault, or at the end. */
.macro REPEAT text, count, source, destination, insn:vararg
    TRY     "\text"
    mov     ecx, \count
    mov     esi, \source
    mov     edi, \destination
    \insn
    END
    INDEXES
    NEXT
.endm

stopping:
    call    clear
    SAY     "-- where a page fault leaves the registers"
    REPEAT  "MOVSB to the absent page", 0x100, AREA, PAGE_B-0x10, rep movsb
    REPEAT  "MOVSD to the absent page", 0x100, AREA, PAGE_B-0x10, rep movsd
    REPEAT  "MOVSD across the boundary", 0x100, AREA, PAGE_B-0x12, rep movsd
    SHOW    "left", [PAGE_B - 4]
    NEXT
    REPEAT  "MOVSB from the absent page", 0x100, PAGE_B-0x10, AREA, rep movsb
    REPEAT  "STOSW", 0x100, 0, PAGE_B-0x10, rep stosw
    REPEAT  "LODSD", 0x100, PAGE_B-0x10, 0, rep lodsd
    REPEAT  "CMPSB", 0x100, PAGE_B-0x10, PAGE_B-0x10, repe cmpsb
    call    clear
    xor     eax, eax
    REPEAT  "SCASB", 0x100, 0, PAGE_B-0x10, repe scasb
    TRY     "MOVSD backwards"
    call    show
    mov     dword ptr [TABLE + (PAGE_A >> 12) * 4], 0
    invlpg  [PAGE_A]
    std
    mov     ecx, 0x100
    mov     esi, AREA + 0x800
    mov     edi, PAGE_B + 0x10
    rep     movsd
    END
    INDEXES
    mov     dword ptr [TABLE + (PAGE_A >> 12) * 4], PAGE_A | 7
    invlpg  [PAGE_A]
    call    hide
    NEXT
    TRY     "once, without REP"
    mov     esi, AREA
    mov     edi, PAGE_B
    movsd
    END
    SHOW    "esi", [saved_esi]
    SHOW    "edi", [saved_edi]
    NEXT
    REPEAT  "no iteration touches nothing", 0, PAGE_B, PAGE_B, rep movsd
    TRY     "nor segments"
    xor     eax, eax
    mov     es, ax
    xor     ecx, ecx
    mov     edi, 0x100
    rep     stosd
    DONE
    TRY     "flags of an interrupted comparison are those before it"
    mov     ecx, 0x100
    mov     esi, PAGE_B - 0x10
    mov     edi, esi
    push    0x897                   /* all but ZF */
    popfd
    repe    cmpsb
    END
    and     dword ptr [saved_eflags], 0x8d5
    SHOW    "ecx", [saved_ecx]
    SHOW    "eflags", [saved_eflags]
    NEXT
    ret

restarting:
    SAY     "-- going on"
    HOOK    14, let_in
    mov     dword ptr [faults], 0
    mov     edi, AREA
    mov     eax, 0x03020100
    mov     ecx, 0x100
1:  stosd
    add     eax, 0x04040404
    loop    1b
    REPEAT  "MOVSB", 0x100, AREA, PAGE_B-0x81, rep movsb
    call    check
    call    hide
    REPEAT  "MOVSD across the boundary", 0x40, AREA, PAGE_B-0x81, rep movsd
    call    check
    call    hide
    mov     byte ptr [PAGE_B - 0x81], 0x5a
    REPEAT  "overlapping by one repeats the byte", 0xff, PAGE_B-0x81, PAGE_B-0x80, rep movsb
    SHOW    "first", [PAGE_B - 0x81]
    SHOW    "last", [PAGE_B + 0x7b]
    NEXT
    call    hide
    REPEAT  "STOSD", 0x40, 0, PAGE_B-0x80, rep stosd
    call    hide
    TRY     "ENTER with nested frames"
    mov     ebx, esp
    mov     ebp, PAGE_B + 0x10
    enter   0x10, 3
    mov     ecx, ebp
    sub     ecx, ebx
    mov     edx, esp
    sub     edx, ebx
    mov     esp, ebx
    END
    SHOW    "ebp", [saved_ecx]
    SHOW    "esp", [saved_edx]
    NEXT
    SAY     "page faults:"
    SHOW    " n", [faults]
    NEXT
    UNHOOK  14
    call    hide
    ret

/* The 256 bytes from AREA on against those around PAGE_B. */
check:
    pushad
    mov     esi, AREA
    mov     edi, PAGE_B - 0x81
    mov     ecx, 0x100
    repe    cmpsb
    setz    al
    movzx   eax, al
    SAY     " copied:"
    SHOW    " right", eax
    NEXT
    popad
    ret

conditions:
    SAY     "-- conditions"
    mov     dword ptr [AREA], 0x04030201
    mov     dword ptr [AREA + 4], 0x08070605
    mov     dword ptr [AREA + 0x10], 0x04030201
    mov     dword ptr [AREA + 0x14], 0x08ff0605
    REPEAT  "REPE CMPSB", 8, AREA, AREA+0x10, repe cmpsb
    REPEAT  "REPE CMPSW", 4, AREA, AREA+0x10, repe cmpsw
    REPEAT  "REPNE CMPSB", 8, AREA, AREA+0x10, repne cmpsb
    TRY     "REPNE SCASB"
    mov     al, 4
    mov     ecx, 8
    mov     edi, AREA
    repne   scasb
    END
    INDEXES
    NEXT
    TRY     "REPE SCASB"
    mov     al, 1
    mov     ecx, 8
    mov     edi, AREA
    repe    scasb
    END
    INDEXES
    NEXT
    ret

wrapping:
    SAY     "-- 16-bit addresses"
    mov     edi, 0x80000
    mov     ecx, 0x4000
    xor     eax, eax
    rep     stosd
    mov     byte ptr [AREA + 0xffff], 0x11
    mov     byte ptr [AREA], 0x22
    TRY_V86 "LODSB wraps from FFFF to 0"
    mov     esi, 0x1234ffff
    mov     ecx, 0x56780002
    rep     lodsb
    END
    SHOW    "ecx", [saved_ecx]
    SHOW    "esi", [saved_esi]
    movzx   eax, byte ptr [saved_eax]
    SHOW    "al", eax
    NEXT
    TRY_V86 "STOSB"
    mov     edi, 0xfffe
    mov     ecx, 4
    mov     al, 0x77
    rep     stosb
    END
    SHOW    "ecx", [saved_ecx]
    SHOW    "edi", [saved_edi]
    SHOW    "first", [AREA]
    SHOW    "last", [AREA + 0xfffc]
    NEXT
    TRY_V86 "backwards from 0"
    std
    mov     edi, 1
    mov     ecx, 4
    mov     al, 0x66
    rep     stosb
    END
    SHOW    "edi", [saved_edi]
    SHOW    "first", [AREA]
    SHOW    "last", [AREA + 0xfffc]
    NEXT
    TRY     "ECX counts with 32-bit addresses, CX with 16-bit ones"
    mov     ecx, 0x10003
    mov     esi, 0x40
    addr16 rep lodsb
    END
    SHOW    "ecx", [saved_ecx]
    SHOW    "esi", [saved_esi]
    NEXT
    ret

ports:
    SAY     "-- ports"
    TRY     "INSB to the absent page"
    mov     ecx, 0x20
    mov     edi, PAGE_B - 8
    mov     edx, 0x80
    rep     insb
    END
    SHOW    "ecx", [saved_ecx]
    SHOW    "edi", [saved_edi]
    NEXT
    TRY     "OUTSB from the absent page"
    mov     ecx, 0x20
    mov     esi, PAGE_B - 8
    mov     edx, 0x80
    rep     outsb
    END
    SHOW    "ecx", [saved_ecx]
    SHOW    "esi", [saved_esi]
    NEXT
    TRY_USER "permission before memory"
    mov     ecx, 0x20
    mov     edi, PAGE_B
    mov     edx, 0x80
    rep     insb
    DONE
    ret

    .data
faults:
    .long   0

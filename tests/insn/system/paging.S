/*
 * Paging: rights, error codes, accessed and dirty bits, large pages, page crossings, PAE and execute-disable (SDM 3A
 * chapter 4, §6.15 interrupt 14).
 *
 * The first 4 MiB are mapped one to one and open to everybody; two pages from LINEAR on are tested.
 */
#include "system.inc"

    .set    DIRECTORY, 0x20000
    .set    TABLE, 0x21000
    .set    TEST_TABLE, 0x22000
    .set    POINTERS, 0x23000
    .set    PAE_DIRECTORY, 0x24000
    .set    PAE_TABLE, 0x25000      /* and 26000h */
    .set    PAE_TEST_TABLE, 0x27000
    .set    OTHER_DIRECTORY, 0x28000
    .set    OTHER_TABLE, 0x29000
    .set    TSS_32, 0x50000
    .set    T32, FREE
    .set    LINEAR, 0x400000
    .set    FRAME_A, 0x60000
    .set    FRAME_B, 0x70000
    .set    LARGE, 0x800000         /* the third 4 MiB */

    .set    P, 1
    .set    W, 2
    .set    U, 4
    .set    A, 0x20
    .set    D, 0x40
    .set    PS, 0x80
    .set    G, 0x100
    .set    PW, 3
    .set    PU, 5
    .set    PWU, 7
    .set    NX, 0x80000000          /* of the upper half */

    .set    EFER, 0xc0000080
    .set    EFER_NXE, 0x800

    .text
    .code32
    .globl  run
run:
    call    make_tables
    mov     eax, DIRECTORY
    mov     cr3, eax
    SET_CR0 CR0_PG
    call    rights
    call    accessed_dirty
    call    crossings
    call    large_pages
    call    implicit
    call    tasks
    CLEAR_CR0 CR0_PG | CR0_WP
    call    pae_pointers
    call    pae
    CLEAR_CR0 CR0_PG | CR0_WP
    CLEAR_CR4 CR4_PAE | CR4_PSE
    ret

make_tables:
    pushad
    mov     edi, DIRECTORY
    xor     eax, eax
    mov     ecx, 0x8000 / 4
    rep     stosd
    mov     dword ptr [DIRECTORY], TABLE | PWU
    mov     dword ptr [DIRECTORY + 4], TEST_TABLE | PWU
    mov     edi, TABLE
    mov     eax, PWU
    mov     ecx, 1024
1:  stosd
    add     eax, 0x1000
    loop    1b
    mov     dword ptr [POINTERS], PAE_DIRECTORY | P
    mov     dword ptr [PAE_DIRECTORY], PAE_TABLE | PWU
    mov     dword ptr [PAE_DIRECTORY + 8], (PAE_TABLE + 0x1000) | PWU
    mov     dword ptr [PAE_DIRECTORY + 16], PAE_TEST_TABLE | PWU
    mov     edi, PAE_TABLE
    mov     eax, PWU
    mov     ecx, 1024
2:  mov     [edi], eax
    add     eax, 0x1000
    add     edi, 8
    loop    2b
    mov     edi, FRAME_A
    mov     eax, 0x90909090
    mov     ecx, 0x400
    rep     stosd
    mov     edi, FRAME_B
    mov     eax, 0xc3909090
    mov     ecx, 0x400
    rep     stosd
    mov     dword ptr [FRAME_A + 0x10], 0xccccccc3
    popad
    ret

flush:
    push    eax
    mov     eax, cr3
    mov     cr3, eax
    pop     eax
    ret

/* The first tested page's entry, and that of the directory. */
.macro PAGE flags, directory=PWU
    mov     dword ptr [TEST_TABLE], FRAME_A | (\flags)
    mov     dword ptr [TEST_TABLE + 4], FRAME_B | PWU
    mov     dword ptr [DIRECTORY + 4], TEST_TABLE | (\directory)
    call    flush
.endm

.macro SIX_WAYS text
    TRY     "\text: read"
    mov     eax, [LINEAR]
    DONE
    TRY     "\text: write"
    mov     [LINEAR], eax
    DONE
    TRY     "\text: fetch"
    mov     eax, LINEAR + 0x10
    call    eax
    DONE
    TRY_USER "\text: user reads"
    mov     eax, [LINEAR]
    DONE
    TRY_USER "\text: user writes"
    mov     [LINEAR], eax
    DONE
    TRY_USER "\text: user fetches"
    mov     eax, LINEAR + 0x10
    call    eax
    DONE
.endm

rights:
    SAY     "-- rights"
    PAGE    0
    SIX_WAYS "absent"
    PAGE    PWU, 0
    SIX_WAYS "absent table"
    PAGE    PW
    SIX_WAYS "supervisor"
    PAGE    PU
    SIX_WAYS "read-only"
    PAGE    PWU, PW
    SIX_WAYS "supervisor's table"
    PAGE    PWU, PU
    SIX_WAYS "read-only table"
    SET_CR0 CR0_WP
    PAGE    PU
    SIX_WAYS "read-only, WP"
    PAGE    PWU, PU
    TRY     "read-only table, WP: write"
    mov     [LINEAR], eax
    DONE
    CLEAR_CR0 CR0_WP
    PAGE    PU
    TRY_USER "a read-modify-write is a write"
    inc     dword ptr [LINEAR]
    DONE
    TRY_USER "CMPXCHG that does not store is a write"
    mov     eax, 0x12345678
    cmpxchg [LINEAR], ecx
    DONE
    TRY_USER "a bit test is a read"
    bt      dword ptr [LINEAR], 5
    DONE
    PAGE    PW
    TRY_USER "PUSH to a supervisor's page leaves ESP"
    mov     esp, LINEAR + 0x1000
    push    eax
    END
    SHOW    "esp", [saved_stack]
    NEXT
    ret

accessed_dirty:
    SAY     "-- accessed and dirty"
    PAGE    PWU
    TRY     "nothing"
    END
    SHOW    "table", [DIRECTORY + 4]
    SHOW    "page", [TEST_TABLE]
    NEXT
    TRY     "read"
    mov     eax, [LINEAR]
    END
    SHOW    "table", [DIRECTORY + 4]
    SHOW    "page", [TEST_TABLE]
    NEXT
    TRY     "write"
    mov     [LINEAR], eax
    END
    SHOW    "table", [DIRECTORY + 4]
    SHOW    "page", [TEST_TABLE]
    NEXT
    PAGE    PWU
    TRY     "fetch"
    mov     eax, LINEAR + 0x10
    call    eax
    END
    SHOW    "table", [DIRECTORY + 4]
    SHOW    "page", [TEST_TABLE]
    NEXT
    PAGE    PWU
    TRY     "update"
    and     dword ptr [LINEAR], 0x90909090
    END
    SHOW    "page", [TEST_TABLE]
    NEXT
    PAGE    PU
    TRY_USER "a refused write"
    mov     [LINEAR], eax
    END
    SHOW    "page", [TEST_TABLE]
    NEXT
    PAGE    PWU
    TRY     "a write after INVLPG and a cleared bit"
    mov     [LINEAR], eax
    and     dword ptr [TEST_TABLE], ~D
    invlpg  [LINEAR]
    mov     [LINEAR], eax
    END
    SHOW    "page", [TEST_TABLE]
    NEXT
    ret

crossings:
    SAY     "-- across pages"
    PAGE    PWU
    mov     dword ptr [TEST_TABLE + 4], 0
    call    flush
    mov     dword ptr [FRAME_A + 0xffc], 0x11111111
    TRY     "read"
    mov     eax, [LINEAR + 0xffe]
    DONE
    TRY     "write changes nothing"
    mov     dword ptr [LINEAR + 0xffe], 0x22222222
    END
    SHOW    "left", [FRAME_A + 0xffc]
    NEXT
    TRY     "update"
    inc     dword ptr [LINEAR + 0xffd]
    END
    SHOW    "left", [FRAME_A + 0xffc]
    NEXT
    TRY     "ten bytes"
    fld1
    fstp    tbyte ptr [LINEAR + 0xffa]
    END
    SHOW    "left", [FRAME_A + 0xffc]
    NEXT
    TRY_USER "PUSHA leaves ESP"
    mov     esp, LINEAR + 0x1010
    pushad
    END
    SHOW    "esp", [saved_stack]
    SHOW    "left", [FRAME_A + 0xffc]
    NEXT
    mov     dword ptr [FRAME_A + 0xffc], 0xb8909090     /* nop, nop, nop, mov eax, … */
    TRY     "an instruction"
    mov     eax, LINEAR + 0xffc
    call    eax
    END
    SHOW    "eip", [saved_eip]
    NEXT
    mov     dword ptr [FRAME_A + 0xffc], 0xcc909090
    TRY     "the end of a page is no crossing"
    mov     eax, LINEAR + 0xffc
    call    eax
    END
    SHOW    "eip", [saved_eip]
    NEXT
    mov     dword ptr [TEST_TABLE + 4], FRAME_B | PWU
    mov     dword ptr [FRAME_A + 0xffc], 0xb8909090
    mov     dword ptr [FRAME_B], 0x12345678
    mov     byte ptr [FRAME_B + 4], 0xc3
    TRY     "an instruction on two frames"
    mov     eax, LINEAR + 0xffc
    call    eax
    END
    SHOW    "eax", [saved_eax]
    NEXT
    mov     dword ptr [FRAME_B], 0x87654321
    TRY     "after its second part changed"
    mov     eax, LINEAR + 0xffc
    call    eax
    END
    SHOW    "eax", [saved_eax]
    NEXT
    TRY     "a write on two frames"
    mov     dword ptr [LINEAR + 0xffe], 0x44332211
    END
    SHOW    "a", [FRAME_A + 0xffc]
    SHOW    "b", [FRAME_B]
    NEXT
    PAGE    PWU
    mov     dword ptr [TEST_TABLE + 4], FRAME_B | PW
    call    flush
    TRY_USER "a user's read that ends on a supervisor's page"
    mov     eax, [LINEAR + 0xfff]
    DONE
    ret

large_pages:
    SAY     "-- pages of 4 MiB"
    mov     dword ptr [0x60100], 0x1234abcd
    mov     dword ptr [DIRECTORY + 8], TEST_TABLE | PS | PWU
    mov     dword ptr [TEST_TABLE], FRAME_A | PWU
    call    flush
    TRY     "without PSE the bit says nothing"
    mov     eax, [LARGE + 0x100]
    END
    SHOW    "eax", [saved_eax]
    NEXT
    SET_CR4 CR4_PSE
    mov     dword ptr [DIRECTORY + 8], PS | PWU
    call    flush
    TRY     "read"
    mov     eax, [LARGE + 0x60100]
    END
    SHOW    "eax", [saved_eax]
    SHOW    "entry", [DIRECTORY + 8]
    NEXT
    TRY     "write"
    mov     [LARGE + 0x60100], eax
    END
    SHOW    "entry", [DIRECTORY + 8]
    NEXT
    mov     dword ptr [DIRECTORY + 8], PS | PW
    call    flush
    TRY_USER "supervisor: user reads"
    mov     eax, [LARGE + 0x60100]
    DONE
    mov     dword ptr [DIRECTORY + 8], PS | PU
    call    flush
    TRY_USER "read-only: user writes"
    mov     [LARGE + 0x60100], eax
    DONE
    mov     dword ptr [DIRECTORY + 8], PS | PWU | 0x200000
    call    flush
    TRY     "a reserved bit"
    mov     eax, [LARGE + 0x60100]
    DONE
    mov     dword ptr [DIRECTORY + 8], PS | U | 0x200000
    call    flush
    TRY     "a reserved bit of an absent page"
    mov     eax, [LARGE + 0x60100]
    DONE
    TRY     "INVLPG of any part takes away all"
    mov     dword ptr [DIRECTORY + 8], PS | PWU
    mov     eax, [LARGE + 0x60100]
    mov     dword ptr [DIRECTORY + 8], 0
    invlpg  [LARGE + 0x200000]
    mov     eax, [LARGE + 0x60100]
    DONE
    mov     dword ptr [DIRECTORY + 8], 0
    call    flush
    ret

/* The processor's own accesses are the supervisor's, whoever caused them. */
implicit:
    SAY     "-- implicit accesses"
    DESCRIPTOR 0x0c, 0, 0xfffff, DATA_RW | DPL3, WIDE
    mov     dword ptr [TABLE + 6 * 4], 0x6000 | W       /* the LDT's page */
    call    flush
    TRY_USER "an absent LDT"
    mov     eax, 0x0f
    mov     ds, ax
    DONE
    TRY_USER "LAR from an absent LDT"
    mov     ecx, 0x0f
    lar     eax, ecx
    DONE
    SET_CR0 CR0_WP
    mov     dword ptr [TABLE + 6 * 4], 0x6000 | P
    call    flush
    TRY_USER "the accessed bit of a read-only LDT"
    mov     eax, 0x0f
    mov     ds, ax
    DONE
    mov     dword ptr [TABLE + 6 * 4], 0x6000 | PW
    call    flush
    TRY_USER "a supervisor's LDT"
    mov     eax, 0x0f
    mov     ds, ax
    END
    SHOW    "descriptor", [ldt + 0x0c]
    NEXT
    mov     word ptr [tss + 0x66], 0x100
    mov     dword ptr [tss + 0x100 + 0x80 / 8], 0
    TRY_USER "an I/O bitmap"
    in      al, 0x80
    DONE
    mov     word ptr [tss + 0x66], 0xffff
    mov     dword ptr [TABLE + 6 * 4], 0x6000 | PWU
    call    flush
    CLEAR_CR0 CR0_WP
    ret

/* A task with an address space of its own: LINEAR is FRAME_B there. */
tasks:
    SAY     "-- task switches"
    DESCRIPTOR T32, TSS_32, 0x67, TSS32, 0
    PAGE    PWU
    mov     esi, DIRECTORY
    mov     edi, OTHER_DIRECTORY
    mov     ecx, 1024
    rep     movsd
    mov     dword ptr [OTHER_DIRECTORY + 4], OTHER_TABLE | PWU
    mov     dword ptr [OTHER_TABLE], FRAME_B | PWU
    mov     dword ptr [FRAME_A], 0xaaaaaaaa
    mov     dword ptr [FRAME_B], 0xbbbbbbbb
    mov     edi, TSS_32
    xor     eax, eax
    mov     ecx, 26
    rep     stosd
    mov     dword ptr [TSS_32 + 0x1c], OTHER_DIRECTORY
    mov     dword ptr [TSS_32 + 0x20], offset task
    mov     dword ptr [TSS_32 + 0x24], 2
    mov     dword ptr [TSS_32 + 0x38], 0x58000
    mov     dword ptr [TSS_32 + 0x48], DATA0
    mov     dword ptr [TSS_32 + 0x4c], CODE0
    mov     dword ptr [TSS_32 + 0x50], DATA0
    mov     dword ptr [TSS_32 + 0x54], DATA0
    mov     dword ptr [tss + 0x1c], DIRECTORY
    TRY     "CALL and IRET change CR3"
    mov     ebx, [LINEAR]
    lcall   T32:0
    mov     ecx, [LINEAR]
    END
    SHOW    "before", [saved_ebx]
    SHOW    "in it", [TSS_32 + 0x28]
    SHOW    "after", [saved_ecx]
    SHOW    "cr3", cr3
    SHOW    "saved cr3", [tss + 0x1c]
    NEXT
    clts
    mov     dword ptr [TABLE + (TSS_32 >> 12) * 4], 0
    call    flush
    TRY     "a TSS on an absent page"
    ljmp    T32:0
    END
    str     bx
    movzx   ebx, bx
    SHOW    "tr", ebx
    NEXT
    mov     dword ptr [TABLE + (TSS_32 >> 12) * 4], TSS_32 | PWU
    SET_CR0 CR0_WP
    mov     dword ptr [TABLE + (tss >> 12) * 4], tss | P
    call    flush
    TRY     "an outgoing TSS that cannot be written"
    ljmp    T32:0
    END
    str     bx
    movzx   ebx, bx
    SHOW    "tr", ebx
    NEXT
    mov     dword ptr [TABLE + (tss >> 12) * 4], tss | PWU
    CLEAR_CR0 CR0_WP
    call    flush
    ret
task:
    mov     eax, [LINEAR]
    iretd

/* ---- PAE */

pae_pointers:
    SAY     "-- PAE: pointers"
    call    make_tables
    SET_CR4 CR4_PAE
    mov     dword ptr [POINTERS + 8], P | W
    mov     eax, POINTERS
    mov     cr3, eax
    TRY     "CR0.PG with a reserved bit in a pointer"
    SET_CR0 CR0_PG
    DONE
    mov     dword ptr [POINTERS + 8], W
    TRY     "CR0.PG with a reserved bit in an absent pointer"
    SET_CR0 CR0_PG
    DONE
    mov     dword ptr [POINTERS + 24], P | U
    TRY     "MOV to CR3 with a reserved bit in a pointer"
    mov     eax, POINTERS
    mov     cr3, eax
    DONE
    mov     dword ptr [POINTERS + 24], 0
    mov     dword ptr [POINTERS + 16], PAE_DIRECTORY | P
    TRY     "a pointer counts when CR3 is loaded"
    mov     eax, [0x80000000 + 0x60100]
    DONE
    TRY     "then it does"
    mov     eax, cr3
    mov     cr3, eax
    mov     dword ptr [POINTERS + 16], 0
    mov     dword ptr [FRAME_A + 0x100], 0x1234abcd
    mov     eax, [0x80000000 + 0x60100]
    END
    SHOW    "eax", [saved_eax]
    NEXT
    ret

.macro PAE_PAGE flags, upper=0
    mov     dword ptr [PAE_TEST_TABLE], FRAME_A | (\flags)
    mov     dword ptr [PAE_TEST_TABLE + 4], \upper
    mov     dword ptr [PAE_TEST_TABLE + 8], FRAME_B | PWU
    mov     dword ptr [PAE_DIRECTORY + 16], PAE_TEST_TABLE | PWU
    mov     dword ptr [PAE_DIRECTORY + 20], 0
    call    flush
.endm

pae:
    SAY     "-- PAE: pages"
    PAE_PAGE 0
    SIX_WAYS "absent"
    PAE_PAGE PW
    SIX_WAYS "supervisor"
    PAE_PAGE PU
    SIX_WAYS "read-only"
    PAE_PAGE PWU
    TRY     "accessed and dirty"
    mov     [LINEAR], eax
    END
    SHOW    "table", [PAE_DIRECTORY + 16]
    SHOW    "page", [PAE_TEST_TABLE]
    SHOW    "pointer", [POINTERS]
    NEXT
    PAE_PAGE PWU, 0x40000000
    TRY     "a reserved bit"
    mov     eax, [LINEAR]
    DONE
    PAE_PAGE PWU, NX
    TRY     "NX is reserved without NXE"
    mov     eax, [LINEAR]
    DONE
    PAE_PAGE PWU
    mov     dword ptr [PAE_DIRECTORY + 16], PS | PWU
    call    flush
    TRY     "a page of 2 MiB"
    mov     eax, [LINEAR + 0x60100]
    END
    SHOW    "eax", [saved_eax]
    SHOW    "entry", [PAE_DIRECTORY + 16]
    NEXT
    mov     dword ptr [PAE_DIRECTORY + 16], PS | PWU | 0x2000
    call    flush
    TRY     "a reserved bit of it"
    mov     eax, [LINEAR + 0x60100]
    DONE
    SAY     "-- execute-disable"
    mov     ecx, EFER
    rdmsr
    or      eax, EFER_NXE
    wrmsr
    PAE_PAGE PWU, NX
    SIX_WAYS "NX"
    mov     dword ptr [PAE_TEST_TABLE + 4], 0
    mov     dword ptr [PAE_DIRECTORY + 20], NX
    call    flush
    TRY_USER "NX of the table: user fetches"
    mov     eax, LINEAR + 0x10
    call    eax
    DONE
    PAE_PAGE 0
    TRY     "absent: fetch"
    mov     eax, LINEAR + 0x10
    call    eax
    DONE
    PAE_PAGE PWU
    mov     dword ptr [FRAME_A + 0xffc], 0xb8909090
    mov     dword ptr [PAE_TEST_TABLE + 12], NX
    call    flush
    TRY     "an instruction that ends on a page with NX"
    mov     eax, LINEAR + 0xffc
    call    eax
    END
    SHOW    "eip", [saved_eip]
    NEXT
    mov     dword ptr [PAE_TEST_TABLE + 12], 0
    TRY     "a reserved bit of EFER"
    mov     ecx, EFER
    mov     eax, 0x2
    xor     edx, edx
    wrmsr
    DONE
    ret

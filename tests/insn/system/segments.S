/*
 * Segment loads and the instructions that look at selectors (SDM 3A §3.4, §5.4-§5.6; SDM 2 MOV, LAR, LSL, VERR, ARPL),
 * and what CPL 3 may not do.
 */
#include "system.inc"

    .set    ONE, FREE               /* the descriptor under test */
    .set    ONE_LDT, 0x0c
    .set    AREA, 0x40000

/* Loads `register` with `selector` at CPL 0. */
.macro LOAD text, register, selector
    TRY     "\text"
    mov     eax, \selector
    mov     \register, ax
    DONE
.endm

/* The same at CPL 3. */
.macro LOAD_USER text, register, selector
    TRY_USER "\text"
    mov     eax, \selector
    mov     \register, ax
    DONE
.endm

    .text
    .code32
    .globl  run
run:
    call    loads
    call    user_loads
    call    stack_loads
    call    queries
    ret

loads:
    SAY     "-- loads at CPL 0"
    LOAD    "null into DS", ds, 0
    LOAD    "null with RPL 3 into ES", es, 3
    LOAD    "beyond the GDT", ds, TABLE_LIMIT + 1
    LOAD    "beyond the LDT", ds, 0x8004
    DESCRIPTOR ONE, 0, 0xfffff, DATA_RW-ABSENT, WIDE
    LOAD    "absent data into DS", ds, ONE
    DESCRIPTOR ONE, 0, 0xfffff, CODE_XO, WIDE
    LOAD    "execute-only code into DS", ds, ONE
    DESCRIPTOR ONE, 0, 0xfffff, CODE_XO-ABSENT, WIDE
    LOAD    "absent execute-only code into DS", ds, ONE
    DESCRIPTOR ONE, 0, 0xfffff, CODE_XR, WIDE
    LOAD    "readable code into FS", fs, ONE
    LOAD    "TSS into GS", gs, TASK
    DESCRIPTOR ONE_LDT, 0, 0xfffff, DATA_RW, WIDE
    LOAD    "data of the LDT", ds, ONE_LDT
    LOAD    "DPL 0 with RPL 3", ds, DATA0 | 3
    LOAD    "DPL 3 with RPL 0", ds, DATA3 & ~3
    DESCRIPTOR ONE, 0, 0xfffff, DATA_RW, WIDE
    LOAD    "the accessed bit", ds, ONE
    SHOW    "descriptor", [gdt + ONE + 4]
    NEXT
    DESCRIPTOR ONE, 0, 0xfffff, DATA_RW-ABSENT, WIDE
    LOAD    "the accessed bit of what cannot be loaded", ds, ONE
    SHOW    "descriptor", [gdt + ONE + 4]
    NEXT
    TRY     "through DS = null"
    xor     eax, eax
    mov     ds, ax
    mov     eax, [AREA]
    DONE
    TRY     "LDS keeps the register when the selector is bad"
    mov     dword ptr [AREA], 0x11223344
    mov     word ptr [AREA + 4], TASK
    mov     esi, 0x55
    lds     esi, [AREA]
    END
    SHOW    "esi", [saved_esi]
    NEXT
    ret

user_loads:
    SAY     "-- loads at CPL 3"
    DESCRIPTOR ONE, 0, 0xfffff, DATA_RW, WIDE
    LOAD_USER "DPL 0", ds, ONE
    LOAD_USER "DPL 0 with RPL 3", ds, ONE | 3
    DESCRIPTOR ONE, 0, 0xfffff, DATA_RW | DPL3, WIDE
    LOAD_USER "DPL 3 with RPL 0", ds, ONE
    DESCRIPTOR ONE, 0, 0xfffff, CODE_CONFORMING, WIDE
    LOAD_USER "conforming code of DPL 0", ds, ONE | 3
    DESCRIPTOR ONE, 0, 0xfffff, DATA_RW-ABSENT, WIDE
    LOAD_USER "privilege comes before presence", ds, ONE
    LOAD_USER "SS of DPL 3 with RPL 0", ss, DATA3 & ~3
    LOAD_USER "SS null", ss, 3
    TRY_USER "LLDT"
    lldt    ax
    DONE
    TRY_USER "LGDT"
    lgdt    [gdt_pointer]
    DONE
    TRY_USER "CLTS"
    clts
    DONE
    TRY_USER "HLT"
    hlt
    DONE
    TRY_USER "MOV from CR0"
    mov     eax, cr0
    DONE
    TRY_USER "MOV to DR0"
    mov     dr0, eax
    DONE
    TRY_USER "RDMSR"
    rdmsr
    DONE
    TRY_USER "INVLPG"
    invlpg  [eax]
    DONE
    TRY_USER "CLI with IOPL 0"
    cli
    DONE
    TRY_USER "CLI with IOPL 3", IOPL3
    cli
    DONE
    TRY_USER "POPF keeps IOPL and IF", IF
    push    0x3000
    popfd
    pushfd
    pop     eax
    END
    SHOW    "eflags", [saved_eax]
    NEXT
    TRY_USER "IN"
    in      al, 0x80
    DONE
    TRY_USER "SMSW, SGDT, SIDT, SLDT, STR"
    smsw    ax
    sgdt    [AREA]
    sidt    [AREA]
    sldt    ax
    str     bx
    END
    SHOW    "ldt", [saved_eax]
    SHOW    "tr", [saved_ebx]
    NEXT
    ret

stack_loads:
    SAY     "-- the stack segment"
    LOAD    "null", ss, 0
    LOAD    "RPL 3", ss, DATA0 | 3
    LOAD    "DPL 3", ss, DATA3 & ~3
    DESCRIPTOR ONE, 0, 0xfffff, DATA_RO, WIDE
    LOAD    "read-only", ss, ONE
    DESCRIPTOR ONE, 0, 0xfffff, CODE_XR, WIDE
    LOAD    "code", ss, ONE
    DESCRIPTOR ONE, 0, 0xfffff, DATA_RW-ABSENT, WIDE
    LOAD    "absent", ss, ONE
    TRY     "MOV to CS"
    .byte   0x8e, 0xc8
    DONE
    DESCRIPTOR ONE, 0x30000, 0xffff, DATA_RW, 0
    TRY     "a 16-bit stack wraps within 64 KiB"
    mov     ebx, ss
    mov     ecx, esp
    mov     eax, ONE
    mov     ss, ax
    mov     esp, 0x12340000
    push    eax
    mov     edx, esp
    mov     ss, bx
    mov     esp, ecx
    END
    SHOW    "esp", [saved_edx]
    SHOW    "pushed", [0x3fffc]
    NEXT
    ret

.macro QUERY text, insn, selector
    TRY     "\text"
    mov     ecx, \selector
    mov     eax, 0x55555555
    \insn   eax, ecx
    pushfd
    pop     ebx
    and     ebx, 0x40
    and     eax, 0xfff0ffff         /* LAR leaves them undefined */
    END
    SHOW    "zf", [saved_ebx]
    SHOW    "eax", [saved_eax]
    NEXT
.endm

.macro VERIFY text, insn, selector
    TRY     "\text"
    mov     ecx, \selector
    \insn   cx
    pushfd
    pop     ebx
    and     ebx, 0x40
    END
    SHOW    "zf", [saved_ebx]
    NEXT
.endm

queries:
    SAY     "-- LAR, LSL, VERR, VERW, ARPL"
    DESCRIPTOR ONE, AREA, 0x12345, DATA_RO, WIDE
    QUERY   "LAR of data", lar, ONE
    QUERY   "LSL of data in pages", lsl, ONE
    QUERY   "LAR of null", lar, 0
    QUERY   "LAR beyond the table", lar, TABLE_LIMIT + 1
    QUERY   "LAR of DPL 0 with RPL 3", lar, ONE | 3
    QUERY   "LSL of DPL 0 with RPL 3", lsl, ONE | 3
    QUERY   "LAR of the TSS", lar, TASK
    QUERY   "LSL of the TSS", lsl, TASK
    QUERY   "LSL of the LDT", lsl, LDT
    GATE    gdt + ONE, CALL_GATE32, CODE0, run
    QUERY   "LAR of a call gate", lar, ONE
    QUERY   "LSL of a call gate", lsl, ONE
    GATE    gdt + ONE, INT_GATE32, CODE0, run
    QUERY   "LAR of an interrupt gate", lar, ONE
    DESCRIPTOR ONE, AREA, 0xff, DATA_RO-ABSENT, BIG
    QUERY   "LAR of an absent segment", lar, ONE
    VERIFY  "VERR of an absent segment", verr, ONE
    DESCRIPTOR ONE, AREA, 0xff, DATA_RO, BIG
    VERIFY  "VERR of read-only data", verr, ONE
    VERIFY  "VERW of read-only data", verw, ONE
    VERIFY  "VERW of data", verw, DATA0
    VERIFY  "VERW of data of DPL 0 with RPL 1", verw, DATA0 | 1
    DESCRIPTOR ONE, AREA, 0xff, CODE_XO, BIG
    VERIFY  "VERR of execute-only code", verr, ONE
    VERIFY  "VERR of conforming code with RPL 3", verr, CONFORMING | 3
    VERIFY  "VERW of code", verw, CODE0
    VERIFY  "VERR of the TSS", verr, TASK
    VERIFY  "VERR of null", verr, 0
    TRY     "ARPL raises"
    mov     eax, 0x10
    mov     ecx, 3
    arpl    ax, cx
    pushfd
    pop     ebx
    and     ebx, 0x40
    END
    SHOW    "zf", [saved_ebx]
    SHOW    "eax", [saved_eax]
    NEXT
    TRY     "ARPL leaves"
    mov     eax, 0x13
    mov     ecx, 1
    arpl    ax, cx
    pushfd
    pop     ebx
    and     ebx, 0x40
    END
    SHOW    "zf", [saved_ebx]
    SHOW    "eax", [saved_eax]
    NEXT
    TRY     "LLDT of data"
    mov     eax, DATA0
    lldt    ax
    DONE
    TRY     "LTR of a busy TSS"
    mov     eax, TASK
    ltr     ax
    DONE
    TRY     "LTR of null"
    xor     eax, eax
    ltr     ax
    DONE
    DESCRIPTOR ONE, AREA, 0xff, LDT_TYPE-ABSENT, 0
    TRY     "LLDT of an absent LDT"
    mov     eax, ONE
    lldt    ax
    DONE
    TRY     "a selector of the LDT when there is none"
    xor     eax, eax
    lldt    ax
    mov     eax, ONE_LDT
    mov     ds, ax
    DONE
    mov     ax, LDT
    lldt    ax
    ret

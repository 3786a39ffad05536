/*
 * What the control registers and MSRs refuse (SDM 3A §2.5, SDM 2 MOV CR, LMSW, WRMSR).
 *
 * QEMU goes on without paging's prerequisites and is lost: it is not asked.
 */
#include "system.inc"

    .text
    .code32
    .globl  run
run:
    call    registers
    call    model_specific
    ret

registers:
    SAY     "-- control registers"
    TRY     "CR0.PG without PE"
    mov     eax, cr0
    and     al, ~CR0_PE
    or      eax, CR0_PG
    mov     cr0, eax
    DONE
    TRY     "CR0.NW without CD"
    mov     eax, cr0
    and     eax, 0xbfffffff
    or      eax, 0x20000000
    mov     cr0, eax
    DONE
    TRY     "a reserved bit of CR4"
    mov     eax, 0x80000000
    mov     cr4, eax
    DONE
    TRY     "MOV to CR1"
    .byte   0x0f, 0x22, 0xc8
    DONE
    TRY     "LMSW cannot clear PE"
    smsw    ax
    and     al, 0xfe
    lmsw    ax
    smsw    ax
    and     eax, 1
    END
    SHOW    "pe", [saved_eax]
    NEXT
    ret

model_specific:
    SAY     "-- MSRs"
    TRY     "RDMSR of one that does not exist"
    mov     ecx, 0x12345678
    rdmsr
    DONE
    TRY     "WRMSR of one that does not exist"
    mov     ecx, 0x12345678
    wrmsr
    DONE
    TRY     "an impossible memory type in an MTRR"
    mov     ecx, 0x2ff
    mov     eax, 2
    xor     edx, edx
    wrmsr
    DONE
    TRY     "an impossible memory type in the PAT"
    mov     ecx, 0x277
    mov     eax, 2
    xor     edx, edx
    wrmsr
    DONE
    SET_CR4 CR4_TSD
    TRY_USER "RDTSC with CR4.TSD"
    rdtsc
    DONE
    CLEAR_CR4 CR4_TSD
    TRY_USER "RDTSC without"
    rdtsc
    DONE
    TRY_USER "RDPMC without CR4.PCE"
    xor     ecx, ecx
    rdpmc
    DONE
    ret

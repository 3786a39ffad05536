/* The guest CPU's architectural state, shared by every engine.
 *
 * Registers are 64 bits wide from the start; outside long mode the upper halves are zero. Hot, therefore not
 * opaque: engines read and write the fields, but everything with rules attached (segment loads, control
 * registers, exceptions, far transfers) goes through the functions of this module, which keep the derived
 * fields true.
 *
 * Convention for all functions of this module that may fault: cpu->rip is the address of the instruction
 * being executed; they raise with cpu_raise*() (exception.h), which does not return, and change no
 * architectural state before the last point that can raise, except where the SDM says otherwise. On success
 * functions that transfer control set cpu->rip to the target. */
#ifndef DOPPEL_CPU_CPU_STATE_H
#define DOPPEL_CPU_CPU_STATE_H

#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bits.h"
#include "base/counters.h"
#include "base/log.h"

/* EFLAGS bits (SDM 1 §3.4.3). */
enum eflags_bit {
    EFLAGS_CF = 1u << 0,
    EFLAGS_FIXED = 1u << 1,
    EFLAGS_PF = 1u << 2,
    EFLAGS_AF = 1u << 4,
    EFLAGS_ZF = 1u << 6,
    EFLAGS_SF = 1u << 7,
    EFLAGS_TF = 1u << 8,
    EFLAGS_IF = 1u << 9,
    EFLAGS_DF = 1u << 10,
    EFLAGS_OF = 1u << 11,
    EFLAGS_IOPL = 3u << 12,
    EFLAGS_NT = 1u << 14,
    EFLAGS_RF = 1u << 16,
    EFLAGS_VM = 1u << 17,
    EFLAGS_AC = 1u << 18,
    EFLAGS_VIF = 1u << 19,
    EFLAGS_VIP = 1u << 20,
    EFLAGS_ID = 1u << 21
};
#define EFLAGS_ARITHMETIC ((uint32_t)EFLAGS_CF | EFLAGS_PF | EFLAGS_AF | EFLAGS_ZF | EFLAGS_SF | EFLAGS_OF)
#define EFLAGS_IOPL_SHIFT 12

enum cr0_bit {
    CR0_PE = 1u << 0,
    CR0_MP = 1u << 1,
    CR0_EM = 1u << 2,
    CR0_TS = 1u << 3,
    CR0_ET = 1u << 4,
    CR0_NE = 1u << 5,
    CR0_WP = 1u << 16,
    CR0_AM = 1u << 18,
    CR0_NW = 1u << 29,
    CR0_CD = 1u << 30,
    CR0_PG = 1u << 31
};

enum cr4_bit {
    CR4_VME = 1u << 0,
    CR4_PVI = 1u << 1,
    CR4_TSD = 1u << 2,
    CR4_DE = 1u << 3,
    CR4_PSE = 1u << 4,
    CR4_PAE = 1u << 5,
    CR4_MCE = 1u << 6,
    CR4_PGE = 1u << 7,
    CR4_PCE = 1u << 8,
    CR4_OSFXSR = 1u << 9,
    CR4_OSXMMEXCPT = 1u << 10
};

enum efer_bit { EFER_NXE = 1u << 11 };

/* General register numbers are those of the encoding: AX CX DX BX SP BP SI DI R8…R15. */
enum cpu_register {
    CPU_AX,
    CPU_CX,
    CPU_DX,
    CPU_BX,
    CPU_SP,
    CPU_BP,
    CPU_SI,
    CPU_DI,
    CPU_ZERO = 16,
    CPU_GPR_SLOTS
};

enum cpu_segment { CPU_ES, CPU_CS, CPU_SS, CPU_DS, CPU_FS, CPU_GS, CPU_SEGMENTS };

/* Descriptor attribute bits: bytes 5 and 6 of a descriptor as they stand, limit bits 16-19 cleared (SDM 3A
 * §3.4.5). */
enum segment_attribute {
    SEGMENT_TYPE = 0x0f,
    SEGMENT_ACCESSED = 1u << 0,
    SEGMENT_WRITABLE = 1u << 1,    /* data */
    SEGMENT_READABLE = 1u << 1,    /* code */
    SEGMENT_EXPAND_DOWN = 1u << 2, /* data */
    SEGMENT_CONFORMING = 1u << 2,  /* code */
    SEGMENT_CODE = 1u << 3,
    SEGMENT_S = 1u << 4, /* code or data, not a system descriptor */
    SEGMENT_DPL = 3u << 5,
    SEGMENT_PRESENT = 1u << 7,
    SEGMENT_AVAILABLE = 1u << 12,
    SEGMENT_LONG = 1u << 13,
    SEGMENT_BIG = 1u << 14, /* D/B */
    SEGMENT_GRANULARITY = 1u << 15
};
#define SEGMENT_DPL_SHIFT 5

/* A segment register with its hidden part. */
struct segment {
    uint16_t selector;
    uint16_t attributes; /* enum segment_attribute; 0 with a null selector in protected mode: unusable */
    uint32_t limit;      /* of the last byte (expand-down: below the first), granularity applied */
    uint64_t base;
    /* Derived by segment_update_bounds(): offsets [first, last] may be read or written; first > last: none.
     */
    uint32_t read_first, read_last;
    uint32_t write_first, write_last;
};

struct descriptor_table {
    uint64_t base;
    uint16_t limit;
};

/* Lazy arithmetic flags: see flags.h. */
struct lazy_flags {
    uint64_t result; /* sign-extended to 64 bits: ZF, SF, PF */
    uint64_t aux;    /* carries and corrections: CF, OF, AF */
};

union gpr {
    uint64_t q;
#if HOST_BIG_ENDIAN
    struct {
        uint32_t upper, d;
    };
    struct {
        uint16_t upper_w[3], w;
    };
    struct {
        uint8_t upper_b[6], h, l;
    };
#else
    uint32_t d;
    uint16_t w;
    struct {
        uint8_t l, h;
    };
#endif
};

/* An x87 register: double extended precision (SDM 1 §4.2.2), the integer bit explicit. MMX registers are the
 * significands. The layout in memory is that of the 80-bit format on a little-endian host. */
struct float80 {
    uint64_t significand;
    uint16_t sign_exponent; /* bit 15: sign; exponent biased by 16383 */
};

/* The floating-point unit; bits and rules in x87.h. */
struct x87_state {
    struct float80 reg[8]; /* physical R0..R7; ST(i) is R[(TOP + i) mod 8] */
    uint16_t control;
    uint16_t status; /* TOP included; ES and B follow from the flags and the masks */
    uint8_t full;    /* bit n: R[n] is not empty */
    bool ignne;      /* IGNNE#: errors do not stop the coprocessor (CR0.NE = 0) */
    uint16_t opcode; /* 11 bits, of the last instruction that was not a control instruction */
    uint16_t instruction_selector, data_selector;
    uint32_t instruction_offset, data_offset;
};

/* An XMM register, bytes in guest order. */
struct xmm_register {
    uint8_t b[16];
};
#define CPU_XMM_SLOTS 16

/* What an engine should know before it looks at the next instruction; see cpu_needs_attention(). */
enum cpu_pending {
    CPU_PENDING_INTERRUPT =
        1u << 9, /* INTR is asserted; the place of EFLAGS.IF, so that one AND tells whether it counts */
    CPU_PENDING_NMI = 1u << 1,
    CPU_PENDING_RESET = 1u << 2, /* the machine resets the CPU at the next boundary */
    CPU_PENDING_STOP = 1u << 3,  /* someone wants the engine to return */
    CPU_PENDING_TRAP =
        1u << 4, /* a #DB trap (TF, task switch T bit, data breakpoint) is due: bits in pending_dr6 */
    CPU_PENDING_SHADOW = 1u << 5, /* interrupts are held off for one instruction (STI, MOV SS, POP SS) */
    CPU_PENDING_ENGINE =
        1u << 6, /* the engine's own reminder: HLT was executed, mappings or the running code changed */
    CPU_PENDING_DEBUG = 1u << 7,       /* DR7 enables a breakpoint: stays set as long (debug_registers.h) */
    CPU_PENDING_STACK_SHADOW = 1u << 8 /* with SHADOW, after MOV SS and POP SS: debug traps and instruction
                                          breakpoints are held off as well */
};

/* An exception that is being raised, as cpu_raise*() left it for the engine. */
struct cpu_exception {
    uint8_t vector;
    bool has_error_code;
    bool between; /* #DB raised between instructions (a trap, an instruction breakpoint): RF is pushed as it
                     is */
    uint32_t error_code;
};

enum cpu_mode { CPU_MODE_REAL, CPU_MODE_V86, CPU_MODE_PROTECTED };

struct cpu_model;
struct cpu_probe;
struct cpu_state;

/* How the CPU reaches memory and the outside; filled in by mmu (linear memory) and by the machine (pins).
 * Slow paths: engines have fast paths of their own. `user` accesses are checked as CPL 3, others as
 * supervisor (descriptor tables, TSS, gates' stacks). They raise #PF; an access may cross pages and is all or
 * nothing. `width` is 1, 2, 4 or 8. */
struct cpu_memory_ops {
    uint64_t (*read)(struct cpu_state *cpu, uint64_t linear, unsigned width, bool user);
    void (*write)(struct cpu_state *cpu, uint64_t linear, unsigned width, uint64_t value, bool user);
    /* Raises #PF unless [linear, linear + length) could be written; changes nothing else but accessed/dirty
     * bits. */
    void (*probe_write)(struct cpu_state *cpu, uint64_t linear, unsigned length, bool user);
    void (*flush_tlb)(struct cpu_state *cpu, bool including_global); /* CR3 load, CR0/CR4 paging bits */
    void (*flush_page)(struct cpu_state *cpu, uint64_t linear);      /* INVLPG */
    /* Eight bytes of physical memory: PAE page-directory pointers. Raises nothing. */
    uint64_t (*read_physical)(struct cpu_state *cpu, uint64_t phys);
};

struct cpu_pins {
    uint32_t (*port_read)(void *opaque, uint16_t port, unsigned width);
    void (*port_write)(void *opaque, uint16_t port, unsigned width, uint32_t value);
    /* A repeated INS or OUTS: moves as many of `count` elements as go at once, in memory order; returns how
     * many. Both may be NULL. */
    uint32_t (*port_read_block)(void *opaque, uint16_t port, unsigned width, void *to, uint32_t count);
    uint32_t (*port_write_block)(void *opaque, uint16_t port, unsigned width, const void *from,
                                 uint32_t count);
    int (*interrupt_acknowledge)(void *opaque); /* vector from the PIC; INTR was asserted */
    uint64_t (*time_stamp)(void *opaque);       /* TSC value, in cycles since reset */
    void (*ferr)(void *opaque, bool level);     /* FERR#: x87 error to IRQ13, when CR0.NE is 0 */
    void (*apic_base)(void *opaque);            /* IA32_APIC_BASE was written: cpu_apic_page() */
    bool (*a20)(void *opaque);                  /* A20M#, for descriptions; NULL: open */
    void *opaque;
};

/* A generator of random numbers (random.c). */
struct cpu_random {
    uint32_t seed[8];
    uint32_t block[16]; /* the numbers from `drawn` rounded down to 16 on, if that is not `drawn` */
    uint64_t drawn;     /* numbers so far */
};

struct cpu_state {
    union gpr gpr[CPU_GPR_SLOTS]; /* [CPU_ZERO] is always zero: "no register" in address arithmetic */
    uint64_t rip;
    struct lazy_flags flags;
    uint32_t eflags_other; /* every EFLAGS bit that is not arithmetic; bit 1 set */
    uint32_t pending;      /* enum cpu_pending; engines test it at instruction boundaries */

    struct segment segment[CPU_SEGMENTS];
    /* Derived by cpu_update_mode(). */
    uint8_t mode;        /* enum cpu_mode */
    uint8_t cpl;         /* 0..3; real mode 0, V86 3 */
    uint8_t code_size;   /* 2, 4 (8 in long mode) */
    uint8_t stack_size;  /* 2, 4: width of SP used by implicit stack accesses */
    uint64_t stack_mask; /* 0xffff or 0xffffffff */
    /* CR0.AM and EFLAGS.AC, by cpu_update_alignment_checks(): accesses with CPL 3 must be aligned, and take
     * engines' slow paths. */
    bool alignment_checks;

    struct segment ldtr, tr; /* attributes hold the system descriptor's */
    struct descriptor_table gdtr, idtr;
    uint64_t cr0, cr2, cr3, cr4;
    uint64_t pdpte[4]; /* PAE paging: as CR3's load found them */
    struct x87_state x87;
    bool ignores_x87_pointers; /* instructions do not change x87's opcode, selectors and offsets */
    uint32_t mxcsr;
    struct xmm_register xmm[CPU_XMM_SLOTS];
    uint64_t dr[8];
    uint64_t efer;
    uint64_t pending_dr6; /* DR6 bits for CPU_PENDING_TRAP */

    bool halted;
    bool shutdown;    /* triple fault: the machine resets */
    bool nmi_blocked; /* until IRET */

    uint64_t retired; /* instructions since power-on; up to date whenever a pin or memory op is called */
    uint64_t taken; /* interrupts, debug traps and resets between instructions since power-on: with `retired`,
                       where the CPU is */
    uint64_t idle_hints; /* times DOS said that it waits for the user (INT 28h, INT 2Fh AX=1680h) */
    uint64_t tsc_offset;
    struct cpu_random random;
    uint64_t sysenter_cs, sysenter_esp, sysenter_eip;
    bool has_local_apic; /* the machine wires one; otherwise it is disabled for good, and CPUID does not tell
                            of it */
    uint64_t apic_base;
    uint64_t pat;
    uint64_t mtrr_cap, mtrr_def_type, mtrr_fixed[11], mtrr_physical[16];

    const struct cpu_model *model;
    uint32_t habits; /* enum cpu_habit: what the model does where it is undefined */
    const struct cpu_memory_ops *memory_ops;
    void *memory; /* the mmu's own state */
    struct cpu_pins pins;
    const struct log *log;
    struct counters *counters;
    const struct cpu_probe *probe; /* probe.h; NULL: nobody asks */

    struct cpu_exception exception; /* valid when `unwind` was jumped to */
    jmp_buf *unwind;                /* where cpu_raise*() goes; set by the engine while it runs */
};

#endif

/* CPU models: what `-cpu NAME` means.
 *
 * Behaviour that differs between generations hangs on named capabilities here, not on comparisons of model
 * names. Sources: the processors' own manuals and SDM 3B chapter 22 ("Architecture compatibility"). */
#ifndef DOPPEL_CPU_MODEL_H
#define DOPPEL_CPU_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cpu_generation {
    CPU_8086,
    CPU_80186,
    CPU_80286,
    CPU_80386,
    CPU_80486,
    CPU_PENTIUM,
    CPU_P6,
    CPU_NETBURST
};

/* CPUID feature bits are used as feature flags inside the emulator too (leaf 1 EDX in the low word, ECX in
 * the high word). */
enum cpu_feature {
    FEATURE_FPU,
    FEATURE_VME,
    FEATURE_DE,
    FEATURE_PSE,
    FEATURE_TSC,
    FEATURE_MSR,
    FEATURE_PAE,
    FEATURE_MCE,
    FEATURE_CX8,
    FEATURE_APIC,
    FEATURE_SEP = 11,
    FEATURE_MTRR,
    FEATURE_PGE,
    FEATURE_MCA,
    FEATURE_CMOV,
    FEATURE_PAT,
    FEATURE_PSE36,
    FEATURE_CLFSH = 19,
    FEATURE_MMX = 23,
    FEATURE_FXSR,
    FEATURE_SSE,
    FEATURE_SSE2,
    FEATURE_SSE3 = 32,
    FEATURE_MONITOR = 35,
    FEATURE_SSSE3 = 41,
    FEATURE_CX16 = 45,
    FEATURE_SSE41 = 51,
    FEATURE_SSE42 = 52,
    FEATURE_MOVBE = 54,
    FEATURE_POPCNT = 55,
    FEATURE_RDRAND = 62
};

/* Bits of CPUID leaf 80000001h EDX. */
enum cpu_extended_feature { EXTENDED_FEATURE_NX = 1u << 20 };

struct cpu_model {
    const char *name;        /* what -cpu takes */
    const char *description; /* one line for -cpu help */
    enum cpu_generation generation;
    uint8_t address_bits;             /* physical: 20, 24, 32, 36 */
    uint8_t max_insn_length;          /* 15; 80286: 10; 8086: 0 = no limit. Longer: #GP(0) */
    bool push_sp_new_value;           /* 8086/80186: PUSH SP stores the decremented SP */
    bool shift_count_unmasked;        /* 8086: counts are not taken modulo 32 */
    bool shift_overflow_of_last_step; /* 8086 to 80386: OF of shifts by more than 1, which the SDM leaves
                                         undefined */
    bool divide_error_after;          /* 8086: #DE pushes the address after the DIV */
    bool idiv_rejects_minimum;        /* 8086/80186: quotient 80h/8000h is #DE */
    bool offset_wraps; /* 8086: word accesses at FFFF wrap within the segment; no segment limit faults */
    bool has_cpuid;    /* EFLAGS.ID can be changed and CPUID works */
    uint32_t eflags_writable;   /* bits POPF/IRET can change at CPL 0; others are fixed */
    uint32_t eflags_forced;     /* bits that always read as one (8086: 12-15) */
    uint32_t reset_edx;         /* component and stepping id in DX/EDX at reset */
    uint32_t cr0_writable;      /* 80286: PE MP EM TS */
    uint32_t cr4_writable;      /* 0: no CR4 */
    uint64_t features;          /* bit n: enum cpu_feature n */
    uint32_t extended_features; /* CPUID leaf 80000001h EDX: enum cpu_extended_feature */
    uint32_t cpuid_max_leaf;
    uint32_t cpuid_signature; /* leaf 1 EAX */
    const char *cpuid_vendor; /* 12 characters */
    const char *cpuid_brand;  /* up to 47 characters, NULL: no extended leaves */
};

static inline bool cpu_model_has(const struct cpu_model *model, enum cpu_feature feature)
{
    return (model->features >> feature) & 1;
}

/* The model named `name`, NULL when there is none. */
const struct cpu_model *cpu_model_find(const char *name);
extern const char *const cpu_model_default_name;

/* All models, oldest first; NULL past the end. */
const struct cpu_model *cpu_model_at(size_t index);

#endif

/* CPU models: what `-cpu NAME` means.
 *
 * Behaviour that differs between generations hangs on named capabilities here, not on comparisons of model
 * names. Sources: the processors' own manuals and SDM 3B chapter 22 ("Architecture compatibility"). */
#ifndef DOPPEL_CPU_MODEL_H
#define DOPPEL_CPU_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

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

/* The registers in which CPUID tells of features. */
enum cpu_feature_word { FEATURE_WORD_1_EDX, FEATURE_WORD_1_ECX, FEATURE_WORD_80000001_EDX, FEATURE_WORDS };

/* The rows of feature.def: 32 * word + bit. */
enum cpu_feature {
#define CPU_FEATURE(symbol, word, bit, ...) FEATURE_##symbol = 32 * FEATURE_WORD_##word + (bit),
#include "cpu/feature.def"
#undef CPU_FEATURE
    FEATURE_NONE
};

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
    uint32_t eflags_writable; /* bits POPF/IRET can change at CPL 0; others are fixed */
    uint32_t eflags_forced;   /* bits that always read as one (8086: 12-15) */
    uint32_t reset_edx;       /* component and stepping id in DX/EDX at reset */
    uint32_t cr0_writable;    /* 80286: PE MP EM TS */
    uint32_t features[FEATURE_WORDS];
    uint32_t cpuid_max_leaf;
    uint32_t cpuid_signature;  /* leaf 1 EAX */
    uint8_t cpuid_brand_index; /* leaf 1 EBX */
    struct {
        uint32_t eax, edx;
    } cpuid_caches;           /* leaf 2 */
    const char *cpuid_vendor; /* 12 characters */
    const char *cpuid_brand;  /* up to 47 characters, NULL: none */
};

static inline bool cpu_model_has(const struct cpu_model *model, enum cpu_feature feature)
{
    return (model->features[feature / 32] >> feature % 32) & 1;
}

/* The bits of CR4 that can be set. */
uint32_t cpu_model_cr4_writable(const struct cpu_model *model);

/* The model named `name`, NULL when there is none. */
const struct cpu_model *cpu_model_find(const char *name);
extern const char *const cpu_model_default_name;

/* All models, oldest first; NULL past the end. */
const struct cpu_model *cpu_model_at(size_t index);

/* ---- a model with features of choice (model_features.c) */

/* Reads what -cpu takes: MODEL[,+FEATURE|,-FEATURE|,FEATURE=on|off]... Errors are unknown names, features
 * that the model cannot have, and those that need others. */
struct status cpu_model_parse(const char *text, struct cpu_model *model) STATUS_MUST_CHECK;

/* Enough for cpu_model_print(). */
#define CPU_MODEL_TEXT 256

/* Writes the same in a standard form: the name, and how `model` differs from the model of that name. */
void cpu_model_print(const struct cpu_model *model, char *text, size_t size);

/* The names of all features, in CPUID's order; NULL past the end. */
const char *cpu_feature_name(size_t index);

#endif

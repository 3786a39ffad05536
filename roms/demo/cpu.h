/*
 * Which processor this is, as far as it can be told: an 80386 and an 80486 by what EFLAGS holds, everything
 * later by CPUID.
 */
#ifndef DEMO_CPU_H
#define DEMO_CPU_H

#include <stdbool.h>
#include <stdint.h>

struct cpu_features {
    uint32_t leaf1_edx, leaf1_ecx;
    uint32_t extended_edx, extended_ecx; /* leaf 8000_0001h */
};

struct cpu_description {
    bool has_cpuid;
    bool has_fpu;
    unsigned family, model, stepping; /* family 3 or 4 without CPUID, then model and stepping are 0 */
    uint32_t max_leaf, max_extended_leaf;
    char vendor[13];
    char brand[49];   /* empty if it has none */
    char summary[28]; /* "GenuineIntel family 6", "80486" */
    struct cpu_features features;
};

/* Looks once, at boot. */
void cpu_init(void);

const struct cpu_description *cpu_describe(void);

#endif

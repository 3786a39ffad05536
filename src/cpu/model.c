/* The CPU models as data.
 *
 * Rows hold what the processors' manuals and data sheets document: identification at reset, the EFLAGS, CR0
 * and CR4 bits that exist, CPUID leaves, and the named differences that model.h lists. Signatures and
 * features follow Intel's application note 485 ("Intel Processor Identification and the CPUID Instruction").
 *
 * NOT IMPLEMENTED: processor serial number (leaf 3), Hyper-Threading, thermal and debug-store features; they
 * are left out of the feature words. */
#include "cpu/model.h"

#include <string.h>

#include "base/bits.h"
#include "cpu/cpu_state.h"

#define BIT(feature) ((uint32_t)1 << (feature) % 32)

#define FEATURES_PENTIUM                                                                                     \
    (BIT(FEATURE_FPU) | BIT(FEATURE_VME) | BIT(FEATURE_DE) | BIT(FEATURE_PSE) | BIT(FEATURE_TSC) |           \
     BIT(FEATURE_MSR) | BIT(FEATURE_MCE) | BIT(FEATURE_CX8) | BIT(FEATURE_APIC))
#define FEATURES_PENTIUM2                                                                                    \
    (FEATURES_PENTIUM | BIT(FEATURE_PAE) | BIT(FEATURE_SEP) | BIT(FEATURE_MTRR) | BIT(FEATURE_PGE) |         \
     BIT(FEATURE_MCA) | BIT(FEATURE_CMOV) | BIT(FEATURE_PAT) | BIT(FEATURE_PSE36) | BIT(FEATURE_MMX) |       \
     BIT(FEATURE_FXSR))
#define FEATURES_PENTIUM3 (FEATURES_PENTIUM2 | BIT(FEATURE_SSE))
#define FEATURES_PENTIUM4 (FEATURES_PENTIUM3 | BIT(FEATURE_CLFSH) | BIT(FEATURE_SSE2))

/* In ECX. */
#define FEATURES_MAX                                                                                         \
    (BIT(FEATURE_SSE3) | BIT(FEATURE_SSSE3) | BIT(FEATURE_MOVBE) | BIT(FEATURE_POPCNT) | BIT(FEATURE_RDRAND))

#define FLAGS_8086    (EFLAGS_ARITHMETIC | (uint32_t)EFLAGS_TF | (uint32_t)EFLAGS_IF | (uint32_t)EFLAGS_DF)
#define FLAGS_80286   (FLAGS_8086 | (uint32_t)EFLAGS_IOPL | (uint32_t)EFLAGS_NT)
#define FLAGS_80386   (FLAGS_80286 | (uint32_t)EFLAGS_RF)
#define FLAGS_80486   (FLAGS_80386 | (uint32_t)EFLAGS_AC)
#define FLAGS_PENTIUM (FLAGS_80486 | (uint32_t)EFLAGS_VIF | (uint32_t)EFLAGS_VIP | (uint32_t)EFLAGS_ID)

#define CR0_BITS_80286 ((uint32_t)CR0_PE | CR0_MP | CR0_EM | CR0_TS)
#define CR0_BITS_80386 (CR0_BITS_80286 | (uint32_t)CR0_ET | CR0_PG)
#define CR0_BITS_80486                                                                                       \
    (CR0_BITS_80286 | (uint32_t)CR0_PG | (uint32_t)CR0_NE | (uint32_t)CR0_WP | (uint32_t)CR0_AM |            \
     (uint32_t)CR0_NW | (uint32_t)CR0_CD)

/* Leaf 2: caches and TLBs. 01-04: 4 KiB and 4 MiB page TLBs; 08, 0C: 16 KiB L1 code and data; 43, 82: L2 of
 * 512 and 256 KiB; 50, 5B, 66, 70, 7B: Netburst's TLBs, L1 data, trace cache and 512 KiB L2; 40: no L3. */
#define CACHES_PENTIUM2                                                                                      \
    {                                                                                                        \
        .eax = 0x03020101, .edx = 0x0c040843                                                                 \
    }
#define CACHES_PENTIUM3                                                                                      \
    {                                                                                                        \
        .eax = 0x03020101, .edx = 0x0c040882                                                                 \
    }
#define CACHES_PENTIUM4                                                                                      \
    {                                                                                                        \
        .eax = 0x665b5001, .edx = 0x007b7040                                                                 \
    }

const char *const cpu_model_default_name = "pentium3";

static const struct cpu_model models[] = {
    {
        .name = "8086",
        .description = "Intel 8086 (1978): real mode only, 1 MiB",
        .generation = CPU_8086,
        .address_bits = 20,
        .push_sp_new_value = true,
        .shift_count_unmasked = true,
        .divide_error_after = true,
        .idiv_rejects_minimum = true,
        .offset_wraps = true,
        .shift_overflow_of_last_step = true,
        .eflags_writable = FLAGS_8086,
        .eflags_forced = 0xf000,
    },
    {
        .name = "80186",
        .description = "Intel 80186 (1982): the 8086 with PUSHA, ENTER, BOUND and immediate shifts",
        .generation = CPU_80186,
        .address_bits = 20,
        .push_sp_new_value = true,
        .idiv_rejects_minimum = true,
        .offset_wraps = true,
        .shift_overflow_of_last_step = true,
        .eflags_writable = FLAGS_8086,
        .eflags_forced = 0xf000,
    },
    {
        .name = "80286",
        .description = "Intel 80286 (1982): 16-bit protected mode, 16 MiB",
        .generation = CPU_80286,
        .address_bits = 24,
        .max_insn_length = 10,
        .shift_overflow_of_last_step = true,
        .eflags_writable = FLAGS_80286,
        .cr0_writable = CR0_BITS_80286,
    },
    {
        .name = "80386",
        .description = "Intel 80386DX with 80387 (1985): 32 bits, paging, virtual-8086 mode",
        .generation = CPU_80386,
        .address_bits = 32,
        .max_insn_length = 15,
        .shift_overflow_of_last_step = true,
        .eflags_writable = FLAGS_80386,
        .reset_edx = 0x0308,
        .cr0_writable = CR0_BITS_80386,
        .features = {BIT(FEATURE_FPU)},
    },
    {
        .name = "80486",
        .description = "Intel 80486DX2 (1992): on-chip FPU and cache, no CPUID",
        .generation = CPU_80486,
        .address_bits = 32,
        .max_insn_length = 15,
        .eflags_writable = FLAGS_80486,
        .reset_edx = 0x0432,
        .cr0_writable = CR0_BITS_80486,
        .features = {BIT(FEATURE_FPU)},
    },
    {
        .name = "pentium",
        .description = "Intel Pentium (P54C, 1994): CPUID, TSC, VME, 4 MiB pages",
        .generation = CPU_PENTIUM,
        .address_bits = 32,
        .max_insn_length = 15,
        .has_cpuid = true,
        .eflags_writable = FLAGS_PENTIUM,
        .reset_edx = 0x0525,
        .cr0_writable = CR0_BITS_80486,
        .features = {FEATURES_PENTIUM},
        .cpuid_max_leaf = 1,
        .cpuid_signature = 0x0525,
        .cpuid_vendor = "GenuineIntel",
    },
    {
        .name = "pentium-mmx",
        .description = "Intel Pentium with MMX technology (P55C, 1997)",
        .generation = CPU_PENTIUM,
        .address_bits = 32,
        .max_insn_length = 15,
        .has_cpuid = true,
        .eflags_writable = FLAGS_PENTIUM,
        .reset_edx = 0x0543,
        .cr0_writable = CR0_BITS_80486,
        .features = {FEATURES_PENTIUM | BIT(FEATURE_MMX)},
        .cpuid_max_leaf = 1,
        .cpuid_signature = 0x0543,
        .cpuid_vendor = "GenuineIntel",
    },
    {
        .name = "pentium2",
        .description = "Intel Pentium II (Deschutes, 1998): CMOV, PAE, SYSENTER, FXSAVE",
        .generation = CPU_P6,
        .address_bits = 36,
        .max_insn_length = 15,
        .has_cpuid = true,
        .eflags_writable = FLAGS_PENTIUM,
        .reset_edx = 0x0652,
        .cr0_writable = CR0_BITS_80486,
        .features = {FEATURES_PENTIUM2},
        .cpuid_max_leaf = 2,
        .cpuid_signature = 0x0652,
        .cpuid_caches = CACHES_PENTIUM2,
        .cpuid_vendor = "GenuineIntel",
    },
    {
        .name = "pentium3",
        .description = "Intel Pentium III (Coppermine, 1999): SSE",
        .generation = CPU_P6,
        .address_bits = 36,
        .max_insn_length = 15,
        .has_cpuid = true,
        .eflags_writable = FLAGS_PENTIUM,
        .reset_edx = 0x0686,
        .cr0_writable = CR0_BITS_80486,
        .features = {FEATURES_PENTIUM3},
        .cpuid_max_leaf = 2,
        .cpuid_signature = 0x0686,
        .cpuid_brand_index = 2,
        .cpuid_caches = CACHES_PENTIUM3,
        .cpuid_vendor = "GenuineIntel",
    },
    {
        .name = "pentium4",
        .description = "Intel Pentium 4 (Northwood, 2002): SSE2",
        .generation = CPU_NETBURST,
        .address_bits = 36,
        .max_insn_length = 15,
        .has_cpuid = true,
        .eflags_writable = FLAGS_PENTIUM,
        .reset_edx = 0x0f29,
        .cr0_writable = CR0_BITS_80486,
        .features = {FEATURES_PENTIUM4},
        .cpuid_max_leaf = 2,
        .cpuid_signature = 0x0f29,
        .cpuid_brand_index = 9,
        .cpuid_caches = CACHES_PENTIUM4,
        .cpuid_vendor = "GenuineIntel",
        .cpuid_brand = "              Intel(R) Pentium(R) 4 CPU 2.80GHz",
    },
    {
        .name = "max",
        .description = "every 32-bit feature there is here: SSE3, SSSE3, POPCNT, MOVBE, RDRAND, NX; "
                       "otherwise a Pentium 4",
        .generation = CPU_NETBURST,
        .address_bits = 36,
        .max_insn_length = 15,
        .has_cpuid = true,
        .eflags_writable = FLAGS_PENTIUM,
        .reset_edx = 0x0f4a,
        .cr0_writable = CR0_BITS_80486,
        .features = {[FEATURE_WORD_1_EDX] = FEATURES_PENTIUM4,
                     [FEATURE_WORD_1_ECX] = FEATURES_MAX,
                     [FEATURE_WORD_80000001_EDX] = BIT(FEATURE_NX)},
        .cpuid_max_leaf = 2,
        .cpuid_signature = 0x0f4a,
        .cpuid_brand_index = 9,
        .cpuid_caches = CACHES_PENTIUM4,
        .cpuid_vendor = "GenuineIntel",
        .cpuid_brand = "doppel 32-bit CPU",
    },
};

const struct cpu_model *cpu_model_find(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(models); i++) {
        if (strcmp(models[i].name, name) == 0) {
            return &models[i];
        }
    }
    return NULL;
}

const struct cpu_model *cpu_model_at(size_t index)
{
    return index < ARRAY_COUNT(models) ? &models[index] : NULL;
}

uint32_t cpu_model_cr4_writable(const struct cpu_model *model)
{
    uint32_t bits = model->generation >= CPU_P6 ? CR4_PCE : 0;
#define CPU_FEATURE(symbol, word, bit, name, alias, needs, needs_too, cr4)                                   \
    bits |= cpu_model_has(model, FEATURE_##symbol) ? (uint32_t)(cr4) : 0;
#include "cpu/feature.def"
#undef CPU_FEATURE
    return bits;
}

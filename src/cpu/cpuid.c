/* CPUID from the model's row (SDM 2 CPUID, Intel AP-485).
 *
 * A leaf beyond the model's last basic one, extended leaves of models without them included, returns the last
 * basic leaf's data, as Intel's processors do. */
#include "cpu/descriptor.h"
#include "cpu/msr.h"

#define LEAF_EXTENDED_BASE     0x80000000u
#define LEAF_EXTENDED_FEATURES 0x80000001u
#define LEAF_EXTENDED_BRAND    0x80000004u /* the last third of the string */

struct cpuid_result {
    uint32_t eax, ebx, ecx, edx;
};

static uint32_t four_characters(const char *text, size_t offset)
{
    char padded[48] = {0};
    memcpy(padded, text, strlen(text));
    return load_le32(padded + offset);
}

static struct cpuid_result features(const struct cpu_state *cpu)
{
    const struct cpu_model *model = cpu->model;
    struct cpuid_result result = {.eax = model->cpuid_signature,
                                  .ebx = model->cpuid_brand_index,
                                  .ecx = model->features[FEATURE_WORD_1_ECX],
                                  .edx = model->features[FEATURE_WORD_1_EDX]};
    if (!cpu_apic_is_enabled(cpu)) {
        result.edx &= ~(1u << FEATURE_APIC);
    }
    if (cpu_model_has(model, FEATURE_CLFSH)) {
        result.ebx |= 8u << 8; /* CLFLUSH line: 8 quadwords */
    }
    return result;
}

static struct cpuid_result basic_leaf(const struct cpu_state *cpu, uint32_t leaf)
{
    const struct cpu_model *model = cpu->model;
    switch (leaf) {
    case 0:
        return (struct cpuid_result){.eax = model->cpuid_max_leaf,
                                     .ebx = four_characters(model->cpuid_vendor, 0),
                                     .edx = four_characters(model->cpuid_vendor, 4),
                                     .ecx = four_characters(model->cpuid_vendor, 8)};
    case 1: return features(cpu);
    default: return (struct cpuid_result){.eax = model->cpuid_caches.eax, .edx = model->cpuid_caches.edx};
    }
}

/* The last extended leaf; 0: there are none. */
static uint32_t last_extended_leaf(const struct cpu_model *model)
{
    if (model->cpuid_brand != NULL) {
        return LEAF_EXTENDED_BRAND;
    }
    return model->features[FEATURE_WORD_80000001_EDX] != 0 ? LEAF_EXTENDED_FEATURES : 0;
}

static struct cpuid_result extended_leaf(const struct cpu_model *model, uint32_t leaf)
{
    if (leaf == LEAF_EXTENDED_BASE) {
        return (struct cpuid_result){.eax = last_extended_leaf(model)};
    }
    if (leaf == LEAF_EXTENDED_FEATURES) {
        return (struct cpuid_result){.edx = model->features[FEATURE_WORD_80000001_EDX]};
    }
    size_t at = (size_t)(leaf - LEAF_EXTENDED_FEATURES - 1) * 16;
    return (struct cpuid_result){.eax = four_characters(model->cpuid_brand, at),
                                 .ebx = four_characters(model->cpuid_brand, at + 4),
                                 .ecx = four_characters(model->cpuid_brand, at + 8),
                                 .edx = four_characters(model->cpuid_brand, at + 12)};
}

void cpu_identify(struct cpu_state *cpu)
{
    const struct cpu_model *model = cpu->model;
    uint32_t leaf = cpu->gpr[CPU_AX].d;
    struct cpuid_result result;
    if (!model->has_cpuid) {
        cpu_raise(cpu, VECTOR_UD);
    }
    if (leaf >= LEAF_EXTENDED_BASE && leaf <= last_extended_leaf(model)) {
        result = extended_leaf(model, leaf);
    } else {
        result = basic_leaf(cpu, leaf < model->cpuid_max_leaf ? leaf : model->cpuid_max_leaf);
    }
    cpu->gpr[CPU_AX].q = result.eax;
    cpu->gpr[CPU_BX].q = result.ebx;
    cpu->gpr[CPU_CX].q = result.ecx;
    cpu->gpr[CPU_DX].q = result.edx;
}

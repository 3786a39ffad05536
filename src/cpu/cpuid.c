/* CPUID from the model's row (SDM 2 CPUID, Intel AP-485).
 *
 * A leaf beyond the model's last basic one, extended leaves of models without them included, returns the last
 * basic leaf's data, as Intel's processors do. */
#include "cpu/descriptor.h"
#include "cpu/msr.h"

#define LEAF_EXTENDED_BASE 0x80000000u
#define LEAF_EXTENDED_LAST 0x80000004u

struct cpuid_result {
    uint32_t eax, ebx, ecx, edx;
};

static uint32_t four_characters(const char *text, size_t offset)
{
    char padded[48] = {0};
    memcpy(padded, text, strlen(text));
    return load_le32(padded + offset);
}

/* Leaf 2: caches and TLBs. 01-04: 4 KiB and 4 MiB page TLBs; 08, 0C: 16 KiB L1 code and data; 43, 82: L2 of
 * 512 and 256 KiB; 50, 5B, 66, 70, 7B: Netburst's TLBs, L1 data, trace cache and 512 KiB L2; 40: no L3. */
static struct cpuid_result cache_descriptors(const struct cpu_model *model)
{
    if (model->generation == CPU_NETBURST) {
        return (struct cpuid_result){.eax = 0x665b5001, .edx = 0x007b7040};
    }
    return (struct cpuid_result){.eax = 0x03020101,
                                 .edx = cpu_model_has(model, FEATURE_SSE) ? 0x0c040882 : 0x0c040843};
}

static struct cpuid_result features(const struct cpu_state *cpu)
{
    const struct cpu_model *model = cpu->model;
    struct cpuid_result result = {.eax = model->cpuid_signature,
                                  .ecx = (uint32_t)(model->features >> 32),
                                  .edx = (uint32_t)model->features};
    if (!cpu_apic_is_enabled(cpu)) {
        result.edx &= ~(1u << FEATURE_APIC);
    }
    if (cpu_model_has(model, FEATURE_CLFSH)) {
        result.ebx = 8u << 8; /* CLFLUSH line: 8 quadwords */
    }
    if (model->generation == CPU_NETBURST) {
        result.ebx |= 0x09; /* brand index: Pentium 4 */
    } else if (cpu_model_has(model, FEATURE_SSE)) {
        result.ebx |= 0x02; /* brand index: Pentium III */
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
    default: return cache_descriptors(model);
    }
}

static struct cpuid_result extended_leaf(const struct cpu_model *model, uint32_t leaf)
{
    if (leaf == LEAF_EXTENDED_BASE) {
        return (struct cpuid_result){.eax = LEAF_EXTENDED_LAST};
    }
    if (leaf == LEAF_EXTENDED_BASE + 1) {
        return (struct cpuid_result){.edx = model->extended_features};
    }
    size_t at = (size_t)(leaf - LEAF_EXTENDED_BASE - 2) * 16;
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
    if (model->cpuid_brand != NULL && leaf >= LEAF_EXTENDED_BASE && leaf <= LEAF_EXTENDED_LAST) {
        result = extended_leaf(model, leaf);
    } else {
        result = basic_leaf(cpu, leaf < model->cpuid_max_leaf ? leaf : model->cpuid_max_leaf);
    }
    cpu->gpr[CPU_AX].q = result.eax;
    cpu->gpr[CPU_BX].q = result.ebx;
    cpu->gpr[CPU_CX].q = result.ecx;
    cpu->gpr[CPU_DX].q = result.edx;
}

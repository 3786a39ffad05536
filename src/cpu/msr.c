/* Model-specific registers and the time-stamp counter.
 *
 * SDM 4 (lists per family), SDM 3A §10.4.4 (APIC base), §11.11-§11.12 (MTRRs, PAT). A register that the model
 * does not have, and a value that a register cannot take, raise #GP(0).
 *
 * NOT IMPLEMENTED: performance counters, last-branch records, machine-check banks, microcode updates, thermal
 * control: these registers read as zero and ignore writes. MTRRs and PAT are kept but have no effect: memory
 * has no cache types here. */
#include "cpu/msr.h"

enum msr_number {
    MSR_TSC = 0x10,
    MSR_APIC_BASE = 0x1b,
    MSR_MTRR_CAP = 0xfe,
    MSR_SYSENTER_CS = 0x174,
    MSR_SYSENTER_ESP = 0x175,
    MSR_SYSENTER_EIP = 0x176,
    MSR_MCG_CAP = 0x179,
    MSR_MCG_STATUS = 0x17a,
    MSR_MCG_CTL = 0x17b,
    MSR_MTRR_PHYSICAL = 0x200, /* base and mask pairs */
    MSR_MTRR_FIXED_64K = 0x250,
    MSR_MTRR_FIXED_16K = 0x258, /* and 259 */
    MSR_MTRR_FIXED_4K = 0x268,  /* to 26f */
    MSR_PAT = 0x277,
    MSR_MTRR_DEF_TYPE = 0x2ff,
    MSR_MC0_CTL = 0x400
};
#define MSR_EFER 0xc0000080u

#define MCG_CTL_PRESENT     0x100u
#define MTRR_PHYSICAL_COUNT 8
#define PAT_RESET           UINT64_C(0x0007040600070406)

struct msr_range {
    uint16_t first, last;
};

/* Registers that exist without a function here. */
static const struct msr_range inert_pentium[] = {{0x00, 0x02}, {0x04, 0x09}, {0x0b, 0x0e}, {0x11, 0x13}};
static const struct msr_range inert_p6[] = {
    {0x00, 0x01},   {0x17, 0x17},   {0x2a, 0x2a},   {0x79, 0x79},   {0x88, 0x8b},
    {0xc1, 0xc2},   {0x116, 0x116}, {0x118, 0x11b}, {0x11e, 0x11e}, {0x186, 0x187},
    {0x1d9, 0x1d9}, {0x1db, 0x1de}, {0x1e0, 0x1e0},
};
static const struct msr_range inert_netburst[] = {
    {0x00, 0x01},   {0x17, 0x17},   {0x2a, 0x2c},   {0x79, 0x79},   {0x8b, 0x8b},   {0x19a, 0x19c},
    {0x1a0, 0x1a0}, {0x1d7, 0x1de}, {0x300, 0x311}, {0x340, 0x371}, {0x3a0, 0x3f2},
};

static unsigned machine_check_banks(const struct cpu_model *model)
{
    return model->generation == CPU_P6 ? 5 : 4;
}

static bool ranges_contain(const struct msr_range *ranges, size_t count, uint32_t number)
{
    for (size_t i = 0; i < count; i++) {
        if (number >= ranges[i].first && number <= ranges[i].last) {
            return true;
        }
    }
    return false;
}

/* MCG_STATUS, MCG_CTL, and four registers for each bank. */
static bool is_machine_check(const struct cpu_model *model, uint32_t number)
{
    return number == MSR_MCG_STATUS || number == MSR_MCG_CTL ||
           (number >= MSR_MC0_CTL && number < MSR_MC0_CTL + 4 * machine_check_banks(model));
}

static bool msr_is_inert(const struct cpu_model *model, uint32_t number)
{
    if (cpu_model_has(model, FEATURE_MCA) && is_machine_check(model, number)) {
        return true;
    }
    switch (model->generation) {
    case CPU_PENTIUM: return ranges_contain(inert_pentium, ARRAY_COUNT(inert_pentium), number);
    case CPU_P6: return ranges_contain(inert_p6, ARRAY_COUNT(inert_p6), number);
    case CPU_NETBURST: return ranges_contain(inert_netburst, ARRAY_COUNT(inert_netburst), number);
    default: return false;
    }
}

void msr_reset(struct cpu_state *cpu)
{
    const struct cpu_model *model = cpu->model;
    cpu->sysenter_cs = cpu->sysenter_esp = cpu->sysenter_eip = 0;
    cpu->apic_base = cpu_model_has(model, FEATURE_APIC) ? 0xfee00000u | APIC_BASE_BSP : 0;
    cpu->apic_base |= cpu_model_has(model, FEATURE_APIC) && cpu->has_local_apic ? APIC_BASE_ENABLE : 0;
    cpu->pat = PAT_RESET;
    cpu->mtrr_cap = cpu_model_has(model, FEATURE_MTRR) ? 0x500 | MTRR_PHYSICAL_COUNT : 0;
    cpu->mtrr_def_type = 0;
    memset(cpu->mtrr_fixed, 0, sizeof cpu->mtrr_fixed);
    memset(cpu->mtrr_physical, 0, sizeof cpu->mtrr_physical);
}

uint64_t cpu_apic_page(const struct cpu_state *cpu)
{
    return cpu->apic_base & ~UINT64_C(0xfff);
}

bool cpu_apic_is_enabled(const struct cpu_state *cpu)
{
    return cpu->has_local_apic && (cpu->apic_base & APIC_BASE_ENABLE);
}

uint64_t cpu_read_time_stamp(struct cpu_state *cpu)
{
    uint64_t now = cpu->pins.time_stamp != NULL ? cpu->pins.time_stamp(cpu->pins.opaque) : cpu->retired;
    return now + cpu->tsc_offset;
}

/* The kept 64-bit register `number`, NULL when the model has no such one. */
static uint64_t *msr_slot(struct cpu_state *cpu, uint32_t number)
{
    if (cpu_model_has(cpu->model, FEATURE_SEP)) {
        switch (number) {
        case MSR_SYSENTER_CS: return &cpu->sysenter_cs;
        case MSR_SYSENTER_ESP: return &cpu->sysenter_esp;
        case MSR_SYSENTER_EIP: return &cpu->sysenter_eip;
        default: break;
        }
    }
    if (number == MSR_APIC_BASE) {
        bool exists = cpu_model_has(cpu->model, FEATURE_APIC) && cpu->model->generation >= CPU_P6;
        return exists ? &cpu->apic_base : NULL;
    }
    if (number == MSR_EFER) {
        return cpu_model_has(cpu->model, FEATURE_NX) ? &cpu->efer : NULL;
    }
    if (number == MSR_PAT) {
        return cpu_model_has(cpu->model, FEATURE_PAT) ? &cpu->pat : NULL;
    }
    if (!cpu_model_has(cpu->model, FEATURE_MTRR)) {
        return NULL;
    }
    if (number >= MSR_MTRR_PHYSICAL && number < MSR_MTRR_PHYSICAL + 2 * MTRR_PHYSICAL_COUNT) {
        return &cpu->mtrr_physical[number - MSR_MTRR_PHYSICAL];
    }
    if (number >= MSR_MTRR_FIXED_4K && number < MSR_MTRR_FIXED_4K + 8) {
        return &cpu->mtrr_fixed[number - MSR_MTRR_FIXED_4K + 3];
    }
    switch (number) {
    case MSR_MTRR_CAP: return &cpu->mtrr_cap;
    case MSR_MTRR_FIXED_64K: return &cpu->mtrr_fixed[0];
    case MSR_MTRR_FIXED_16K: return &cpu->mtrr_fixed[1];
    case MSR_MTRR_FIXED_16K + 1: return &cpu->mtrr_fixed[2];
    case MSR_MTRR_DEF_TYPE: return &cpu->mtrr_def_type;
    default: return NULL;
    }
}

static void check_model_has_msrs(struct cpu_state *cpu)
{
    if (!cpu_model_has(cpu->model, FEATURE_MSR)) {
        cpu_raise(cpu, VECTOR_UD);
    }
}

uint64_t cpu_read_msr(struct cpu_state *cpu, uint32_t number)
{
    check_model_has_msrs(cpu);
    const uint64_t *slot = msr_slot(cpu, number);
    if (slot != NULL) {
        return *slot;
    }
    if (number == MSR_TSC && cpu_model_has(cpu->model, FEATURE_TSC)) {
        return cpu_read_time_stamp(cpu);
    }
    if (number == MSR_MCG_CAP && cpu_model_has(cpu->model, FEATURE_MCA)) {
        return MCG_CTL_PRESENT | machine_check_banks(cpu->model);
    }
    if (!msr_is_inert(cpu->model, number)) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    return 0;
}

/* SDM 3A table 11-8: uncacheable, write-combining, write-through, write-protected, write-back. */
static bool memory_type_is_valid(uint64_t type)
{
    return type == 0 || type == 1 || (type >= 4 && type <= 6);
}

static bool every_byte_is_memory_type(uint64_t value, bool pat)
{
    for (unsigned i = 0; i < 8; i++) {
        uint64_t type = bits_extract(value, 8 * i, 8);
        if (!memory_type_is_valid(type) && !(pat && type == 7)) {
            return false;
        }
    }
    return true;
}

static bool msr_value_is_valid(const struct cpu_state *cpu, uint32_t number, uint64_t value)
{
    const uint64_t frame = bits_mask(cpu->model->address_bits) & ~(uint64_t)0xfff;
    if (number >= MSR_MTRR_PHYSICAL && number < MSR_MTRR_PHYSICAL + 2 * MTRR_PHYSICAL_COUNT) {
        bool mask = number & 1;
        return mask ? !(value & ~(frame | 0x800))
                    : !(value & ~(frame | 0xff)) && memory_type_is_valid(value & 0xff);
    }
    switch (number) {
    case MSR_MTRR_CAP: return false;
    case MSR_EFER: return !(value & ~(uint64_t)EFER_NXE);
    case MSR_APIC_BASE: return !(value & ~(frame | APIC_BASE_BSP | APIC_BASE_ENABLE));
    case MSR_PAT: return every_byte_is_memory_type(value, true);
    case MSR_MTRR_DEF_TYPE: return !(value & ~(uint64_t)0xcff) && memory_type_is_valid(value & 0xff);
    case MSR_SYSENTER_CS:
    case MSR_SYSENTER_ESP:
    case MSR_SYSENTER_EIP: return true;
    default: return every_byte_is_memory_type(value, false);
    }
}

void cpu_write_msr(struct cpu_state *cpu, uint32_t number, uint64_t value)
{
    check_model_has_msrs(cpu);
    uint64_t *slot = msr_slot(cpu, number);
    if (slot != NULL) {
        if (!msr_value_is_valid(cpu, number, value)) {
            cpu_raise_error(cpu, VECTOR_GP, 0);
        }
        *slot = number >= MSR_SYSENTER_CS && number <= MSR_SYSENTER_EIP ? value & UINT32_MAX : value;
        if (number == MSR_APIC_BASE && cpu->pins.apic_base != NULL) {
            cpu->pins.apic_base(cpu->pins.opaque);
        }
        if (number == MSR_EFER) {
            cpu->memory_ops->flush_tlb(cpu, true);
        }
    } else if (number == MSR_TSC && cpu_model_has(cpu->model, FEATURE_TSC)) {
        /* Before the Pentium 4, WRMSR clears the upper half (SDM 3B §17.17.3). */
        value = cpu->model->generation < CPU_NETBURST ? value & UINT32_MAX : value;
        cpu->tsc_offset += value - cpu_read_time_stamp(cpu);
    } else if (!msr_is_inert(cpu->model, number)) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
}

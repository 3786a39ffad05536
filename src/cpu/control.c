/* Control and debug registers (SDM 3A §2.5, SDM 3B §17.2, SDM 2 MOV CR, MOV DR, LMSW).
 *
 * Setting or clearing CR0.PE leaves the hidden parts of segment registers alone, as the processors do: what
 * was unusable in protected mode is so in real mode until it is loaded (SDM 3A §9.9.2). Reserved bits of CR0
 * and DRn are ignored, those of CR4 raise #GP(0).
 *
 * PAE paging works with copies of the four page-directory-pointer entries, read when CR3 or a bit that
 * matters to them is loaded (SDM 3A §4.4.1). */
#include "cpu/control.h"
#include "cpu/descriptor.h"
#include "cpu/probe.h"

#define CR4_PAGING ((uint64_t)CR4_PSE | CR4_PAE | CR4_PGE)
#define CR0_PAGING ((uint64_t)CR0_PG | CR0_WP)
#define CR0_PDPTES ((uint64_t)CR0_PG | CR0_CD | CR0_NW)
#define MSW_BITS   0xfu

#define PDPTE_PRESENT  1u
#define PDPTE_RESERVED 0x1e6u

void cpu_update_alignment_checks(struct cpu_state *cpu)
{
    bool checks = (cpu->cr0 & CR0_AM) && (cpu->eflags_other & EFLAGS_AC);
    if (checks != cpu->alignment_checks) {
        cpu->alignment_checks = checks;
        cpu->memory_ops->flush_tlb(cpu, true);
    }
}

void control_read_pointers(struct cpu_state *cpu, uint64_t cr0, uint64_t cr3, uint64_t cr4,
                           struct pae_pointers *pointers)
{
    const uint64_t reserved = PDPTE_RESERVED | ~bits_mask(cpu->model->address_bits);
    *pointers = (struct pae_pointers){.in_use = (cr0 & CR0_PG) && (cr4 & CR4_PAE)};
    if (!pointers->in_use) {
        return;
    }
    for (unsigned i = 0; i < ARRAY_COUNT(pointers->entry); i++) {
        uint64_t entry = cpu->memory_ops->read_physical(cpu, (cr3 & 0xffffffe0u) + 8 * i);
        if ((entry & PDPTE_PRESENT) && (entry & reserved)) {
            cpu_raise_error(cpu, VECTOR_GP, 0);
        }
        pointers->entry[i] = entry;
    }
}

static void use_pointers(struct cpu_state *cpu, const struct pae_pointers *pointers)
{
    if (pointers->in_use) {
        memcpy(cpu->pdpte, pointers->entry, sizeof cpu->pdpte);
    }
}

void control_load_cr3(struct cpu_state *cpu, uint64_t cr3, const struct pae_pointers *pointers)
{
    log_line(cpu->log, LOG_MMU, "CR3 update: CR3=%08x", (unsigned)cr3);
    cpu->cr3 = cr3;
    use_pointers(cpu, pointers);
    cpu->memory_ops->flush_tlb(cpu, false);
}

/* CR0 and CR4 are about to become these: a bad pointer leaves everything as it was. */
static void reload_pointers(struct cpu_state *cpu, uint64_t cr0, uint64_t cr4)
{
    struct pae_pointers pointers;
    if (((cpu->cr0 ^ cr0) & CR0_PDPTES) || ((cpu->cr4 ^ cr4) & CR4_PAGING)) {
        control_read_pointers(cpu, cr0, cpu->cr3, cr4, &pointers);
        use_pointers(cpu, &pointers);
    }
}

static void set_cr0(struct cpu_state *cpu, uint64_t value)
{
    uint64_t changed = cpu->cr0 ^ value;
    bool had_paging = cpu->cr0 & CR0_PG;
    cpu->cr0 = value;
    cpu_update_mode(cpu);
    if ((changed & CR0_PAGING) && (had_paging || (value & CR0_PG))) {
        cpu->memory_ops->flush_tlb(cpu, true);
    }
    cpu_update_alignment_checks(cpu);
}

static void log_control(const struct cpu_state *cpu, unsigned number, uint64_t value)
{
    log_line(cpu->log, LOG_MMU, "CR%u update: CR%u=0x%08x", number, number, (unsigned)value);
}

static void write_cr0(struct cpu_state *cpu, uint64_t value)
{
    if ((value & CR0_PG) && !(value & CR0_PE)) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    if ((value & CR0_NW) && !(value & CR0_CD) && (cpu->model->cr0_writable & CR0_NW)) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    uint64_t writable = cpu->model->cr0_writable;
    value = (cpu->cr0 & ~writable) | (value & writable);
    reload_pointers(cpu, value, cpu->cr4);
    log_control(cpu, 0, value);
    set_cr0(cpu, value);
}

static void write_cr4(struct cpu_state *cpu, uint64_t value)
{
    if (value & ~(uint64_t)cpu_model_cr4_writable(cpu->model)) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    uint64_t changed = cpu->cr4 ^ value;
    reload_pointers(cpu, cpu->cr0, value);
    log_control(cpu, 4, value);
    cpu->cr4 = value;
    if (changed & CR4_PAGING) {
        cpu->memory_ops->flush_tlb(cpu, true);
    }
}

static bool control_exists(const struct cpu_state *cpu, unsigned number)
{
    switch (number) {
    case 0:
    case 2:
    case 3: return true;
    case 4: return cpu->model->has_cpuid; /* the Pentium brought both */
    default: return false;
    }
}

void cpu_write_control(struct cpu_state *cpu, unsigned number, uint64_t value)
{
    struct pae_pointers pointers;
    if (!control_exists(cpu, number)) {
        cpu_raise(cpu, VECTOR_UD);
    }
    value &= UINT32_MAX;
    switch (number) {
    case 0: write_cr0(cpu, value); break;
    case 2: cpu->cr2 = value; break;
    case 3:
        control_read_pointers(cpu, cpu->cr0, value, cpu->cr4, &pointers);
        control_load_cr3(cpu, value, &pointers);
        break;
    default: write_cr4(cpu, value); break;
    }
    cpu_probe_note_event(cpu, CPU_EVENT_CONTROL, number, 0);
}

uint64_t cpu_read_control(struct cpu_state *cpu, unsigned number)
{
    if (!control_exists(cpu, number)) {
        cpu_raise(cpu, VECTOR_UD);
    }
    switch (number) {
    case 0: return cpu->model->generation == CPU_80286 ? cpu->cr0 | 0xfff0 : cpu->cr0;
    case 2: return cpu->cr2;
    case 3: return cpu->cr3;
    default: return cpu->cr4;
    }
}

void cpu_load_machine_status_word(struct cpu_state *cpu, uint16_t value)
{
    uint64_t bits = (value & MSW_BITS) | (cpu->cr0 & CR0_PE);
    log_control(cpu, 0, (cpu->cr0 & ~(uint64_t)MSW_BITS) | bits);
    set_cr0(cpu, (cpu->cr0 & ~(uint64_t)MSW_BITS) | bits);
    cpu_probe_note_event(cpu, CPU_EVENT_CONTROL, 0, 0);
}

/* Control and debug registers (SDM 3A §2.5, SDM 3B §17.2, SDM 2 MOV CR, MOV DR, LMSW).
 *
 * Setting or clearing CR0.PE leaves the hidden parts of segment registers alone, as the processors do: only
 * what may be accessed through them is derived anew. Reserved bits of CR0 and DRn are ignored, those of CR4
 * raise #GP(0).
 *
 * NOT IMPLEMENTED: the check of the four PAE page-directory pointers when CR3 or CR0 is loaded; the page walk
 * sees reserved bits. */
#include "cpu/debug_registers.h"
#include "cpu/descriptor.h"

#define CR4_PAGING ((uint64_t)CR4_PSE | CR4_PAE | CR4_PGE)
#define CR0_PAGING ((uint64_t)CR0_PE | CR0_PG | CR0_WP)
#define MSW_BITS   0xfu

static void set_cr0(struct cpu_state *cpu, uint64_t value)
{
    uint64_t changed = cpu->cr0 ^ value;
    cpu->cr0 = value;
    cpu_update_mode(cpu);
    if (changed & CR0_PE) {
        for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
            segment_update_bounds(&cpu->segment[i], value & CR0_PE);
        }
    }
    if (changed & CR0_PAGING) {
        cpu->memory_ops->flush_tlb(cpu, true);
    }
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
    set_cr0(cpu, (cpu->cr0 & ~writable) | (value & writable));
}

static void write_cr4(struct cpu_state *cpu, uint64_t value)
{
    if (value & ~(uint64_t)cpu->model->cr4_writable) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    uint64_t changed = cpu->cr4 ^ value;
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
    case 4: return cpu->model->cr4_writable != 0;
    default: return false;
    }
}

void cpu_write_control(struct cpu_state *cpu, unsigned number, uint64_t value)
{
    if (!control_exists(cpu, number)) {
        cpu_raise(cpu, VECTOR_UD);
    }
    value &= UINT32_MAX;
    switch (number) {
    case 0: write_cr0(cpu, value); break;
    case 2: cpu->cr2 = value; break;
    case 3:
        cpu->cr3 = value;
        cpu->memory_ops->flush_tlb(cpu, false);
        break;
    default: write_cr4(cpu, value); break;
    }
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
    set_cr0(cpu, (cpu->cr0 & ~(uint64_t)MSW_BITS) | bits);
}

/* DR4 and DR5 are DR6 and DR7 unless CR4.DE is set; general detect guards all of them. */
static unsigned debug_select(struct cpu_state *cpu, unsigned number)
{
    if (number > 7 || ((number == 4 || number == 5) && (cpu->cr4 & CR4_DE))) {
        cpu_raise(cpu, VECTOR_UD);
    }
    if (cpu->dr[7] & DR7_GD) {
        cpu->dr[6] |= DR6_BD;
        cpu_raise(cpu, VECTOR_DB);
    }
    return number == 4 || number == 5 ? number + 2 : number;
}

void cpu_write_debug(struct cpu_state *cpu, unsigned number, uint64_t value)
{
    number = debug_select(cpu, number);
    value &= UINT32_MAX;
    if (number == 6) {
        value = (value & (DR6_BREAKPOINTS | DR6_BD | DR6_BS | DR6_BT)) | DR6_ONES;
    } else if (number == 7) {
        value = (value & ~(uint64_t)DR7_ZEROS) | DR7_ONES;
    }
    cpu->dr[number] = value;
}

uint64_t cpu_read_debug(struct cpu_state *cpu, unsigned number)
{
    return cpu->dr[debug_select(cpu, number)];
}

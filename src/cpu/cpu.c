/* Life cycle of the CPU: reset state per model (SDM 3A table 9-1, the 8086, 80286 and 80386 manuals), and
 * the fields derived from mode bits.
 *
 * The privilege level in protected mode is kept as the DPL of SS's hidden part, where the processors keep it:
 * a selector's low bits mean nothing between setting CR0.PE and the first far transfer. */
#include "cpu/cpu.h"

#include "cpu/descriptor.h"
#include "cpu/habits.h"
#include "cpu/msr.h"
#include "cpu/probe.h"
#include "cpu/x87.h"

static void reset_segments(struct cpu_state *cpu)
{
    const struct cpu_model *model = cpu->model;
    const uint16_t data = SEGMENT_PRESENT | SEGMENT_S | SEGMENT_WRITABLE | SEGMENT_ACCESSED;
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        cpu->segment[i] = (struct segment){.attributes = data, .limit = 0xffff};
        segment_update_bounds(&cpu->segment[i]);
    }
    struct segment *cs = &cpu->segment[CPU_CS];
    if (model->generation < CPU_80286) {
        cs->selector = 0xffff;
        cs->base = 0xffff0;
        cpu->rip = 0;
    } else {
        cs->selector = 0xf000;
        cs->base = model->generation == CPU_80286 ? 0xff0000 : 0xffff0000;
        cpu->rip = 0xfff0;
    }
    bool wide = model->generation >= CPU_80386;
    cpu->ldtr = (struct segment){.attributes = SEGMENT_PRESENT | SYSTEM_LDT, .limit = 0xffff};
    cpu->tr = (struct segment){
        .attributes = (uint16_t)(SEGMENT_PRESENT | (wide ? SYSTEM_TSS32_BUSY : SYSTEM_TSS16_BUSY)),
        .limit = 0xffff};
    cpu->gdtr = (struct descriptor_table){.base = 0, .limit = 0xffff};
    cpu->idtr =
        (struct descriptor_table){.base = 0, .limit = model->generation >= CPU_PENTIUM ? 0xffff : 0x3ff};
}

static void reset_registers(struct cpu_state *cpu)
{
    const struct cpu_model *model = cpu->model;
    for (unsigned i = 0; i < CPU_GPR_SLOTS; i++) {
        cpu->gpr[i].q = 0;
    }
    cpu->gpr[CPU_DX].q = model->reset_edx;
    cpu_set_eflags(cpu, model->eflags_forced);
    cpu->alignment_checks = false;
    cpu->cr0 &= (uint64_t)CR0_CD | CR0_NW;
    if (model->generation >= CPU_80486 || cpu_model_has(model, FEATURE_FPU)) {
        cpu->cr0 |= CR0_ET;
    }
    cpu->cr2 = cpu->cr3 = cpu->cr4 = 0;
    for (unsigned i = 0; i < ARRAY_COUNT(cpu->dr); i++) {
        cpu->dr[i] = 0;
    }
    cpu->dr[6] = 0xffff0ff0;
    cpu->dr[7] = 0x400;
    cpu->pending &= ~(uint32_t)(CPU_PENDING_NMI | CPU_PENDING_RESET | CPU_PENDING_TRAP | CPU_PENDING_SHADOW |
                                CPU_PENDING_STACK_SHADOW | CPU_PENDING_DEBUG);
    cpu->pending_dr6 = 0;
    cpu->halted = cpu->shutdown = cpu->nmi_blocked = false;
    reset_segments(cpu);
    cpu_update_mode(cpu);
}

/* What INIT leaves alone. */
static void power_up(struct cpu_state *cpu)
{
    cpu->cr0 = cpu->model->generation >= CPU_80486 ? (uint64_t)CR0_CD | CR0_NW : 0;
    cpu->efer = 0;
    cpu_reset_floating_point(cpu);
    msr_reset(cpu);
    reset_registers(cpu);
}

void cpu_init(struct cpu_state *cpu, const struct cpu_model *model)
{
    cpu->model = model;
    cpu->habits = cpu_habits_of(model);
    cpu->pending = 0;
    cpu->retired = 0;
    cpu->taken = 0;
    cpu->tsc_offset = 0;
    cpu_seed_random(cpu, (const uint8_t[CPU_RANDOM_SEED]){0});
    cpu->unwind = NULL;
    cpu->exception = (struct cpu_exception){0};
    power_up(cpu);
}

void cpu_reset(struct cpu_state *cpu)
{
    power_up(cpu);
    if (cpu->memory_ops != NULL) {
        cpu->memory_ops->flush_tlb(cpu, true);
    }
}

void cpu_initialize(struct cpu_state *cpu)
{
    reset_registers(cpu);
    cpu->memory_ops->flush_tlb(cpu, true);
}

void cpu_update_mode(struct cpu_state *cpu)
{
    const struct segment *cs = &cpu->segment[CPU_CS];
    const struct segment *ss = &cpu->segment[CPU_SS];
    const uint8_t mode_before = cpu->mode;
    if (!(cpu->cr0 & CR0_PE)) {
        cpu->mode = CPU_MODE_REAL;
        cpu->cpl = 0;
    } else if (cpu->eflags_other & EFLAGS_VM) {
        cpu->mode = CPU_MODE_V86;
        cpu->cpl = 3;
    } else {
        cpu->mode = CPU_MODE_PROTECTED;
        cpu->cpl = (uint8_t)attributes_dpl(ss->attributes);
    }
    cpu->code_size = cs->attributes & SEGMENT_BIG ? 4 : 2;
    cpu->stack_size = ss->attributes & SEGMENT_BIG ? 4 : 2;
    cpu->stack_mask = bits_mask(cpu->stack_size * 8u);
    if (cpu->mode != mode_before) {
        cpu_probe_note_event(cpu, CPU_EVENT_MODE, cpu->mode, 0);
    }
}

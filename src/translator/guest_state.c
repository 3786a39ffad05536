/* The guest's registers between translated code and cpu_state; see guest_state.h. */
#include "translator/guest_state.h"

#include "mmu/view.h"
#include "translator/float.h"

/* ---- registers */

void guest_store_integers(struct translator *t)
{
    struct cpu_state *cpu = t->cpu;
    for (unsigned i = 0; i < 8; i++) {
        cpu->gpr[i].d = t->gpr[i];
    }
    uint32_t eflags = (t->flags >> 8 & 0xd5) | (t->flags & 1 ? (uint32_t)EFLAGS_OF : 0);
    flags_from_eflags(&cpu->flags, eflags);
}

void guest_store(struct translator *t)
{
    translator_store_float(t);
    guest_store_integers(t);
}

void guest_load(struct translator *t)
{
    const struct cpu_state *cpu = t->cpu;
    for (unsigned i = 0; i < 8; i++) {
        t->gpr[i] = cpu->gpr[i].d;
    }
    t->flags = translator_host_flags(flags_to_eflags(&cpu->flags));
    t->string_step = cpu->eflags_other & EFLAGS_DF ? -1 : 1;
    t->machine_status = (uint32_t)cpu->cr0;
    t->ldt_selector = cpu->ldtr.selector;
    t->task_selector = cpu->tr.selector;
}

void guest_set_budget(struct translator *t)
{
    uint64_t left = t->stop_at > t->cpu->retired ? t->stop_at - t->cpu->retired : 0;
    t->budget = (int32_t)(left < BUDGET_MAX ? left : BUDGET_MAX);
    t->budget_end = t->cpu->retired + (uint64_t)t->budget;
}
/* ---- what blocks assume */

/* Bounds as one number each: the last offset above the first one. */
static uint64_t bounds(uint32_t first, uint32_t last)
{
    return (uint64_t)last << 32 | first;
}

/* Code segments of protected mode can be read at most; of CS it is known without looking. */
static enum segment_class classify(const struct cpu_state *cpu, enum cpu_segment number)
{
    const struct segment *segment = &cpu->segment[number];
    bool protected = cpu->mode == CPU_MODE_PROTECTED;
    bool is_code = protected && number == CPU_CS;
    uint64_t readable = bounds(segment->read_first, segment->read_last);
    uint64_t writable = bounds(segment->write_first, segment->write_last);
    if (segment->read_first != 0 || (!is_code && readable != writable)) {
        return SEGMENT_OTHER;
    }
    if (segment->read_last != UINT32_MAX) {
        return segment->read_last == 0xffff && !protected ? SEGMENT_64K : SEGMENT_LIMITED;
    }
    return segment->base == 0 && protected ? SEGMENT_FLAT : SEGMENT_BASED;
}

uint32_t guest_segment_bits(const struct cpu_state *cpu, enum cpu_segment number)
{
    return guest_class_bits(number, classify(cpu, number));
}

/* Whether another selector in CS would change its base alone: what is loaded in real and V86 mode has these
 * attributes, keeps its limit, and its upper attributes in real mode. */
static bool code_is_paragraph(const struct cpu_state *cpu)
{
    const struct segment *cs = &cpu->segment[CPU_CS];
    const uint16_t data = SEGMENT_PRESENT | SEGMENT_S | SEGMENT_WRITABLE | SEGMENT_ACCESSED;
    bool v86 = cpu->mode == CPU_MODE_V86;
    return cpu->mode != CPU_MODE_PROTECTED && cpu->code_size == 2 && cs->limit >= 0xffff &&
           cs->base == (uint64_t)cs->selector << 4 &&
           (v86 ? cs->attributes == (data | SEGMENT_DPL) && cs->limit == 0xffff
                : (cs->attributes & 0xfff) == data);
}

uint32_t guest_control_mode(struct translator *t)
{
    const struct cpu_state *cpu = t->cpu;
    uint32_t mode = mmu_window(t->mmu, cpu->cpl == 3) != NULL ? MODE_DIRECT : 0;
    mode |= cpu->code_size == 4 ? MODE_CODE32 : 0;
    mode |= cpu->stack_size == 4 ? MODE_STACK32 : 0;
    mode |= cpu->cpl == 3 ? MODE_USER : 0;
    mode |= cpu->mode == CPU_MODE_V86 ? MODE_V86 : 0;
    mode |= cpu->mode == CPU_MODE_PROTECTED ? MODE_PROTECTED : 0;
    mode |= cpu->mode == CPU_MODE_PROTECTED && cpu->segment[CPU_CS].base == 0 ? MODE_CODE_FLAT : 0;
    mode |= cpu->cpl <= cpu_iopl(cpu) ? MODE_IOPL : 0;
    mode |= cpu->segment[CPU_CS].limit >= (cpu->code_size == 4 ? UINT32_MAX : 0xffffu) ? MODE_CODE_OPEN : 0;
    mode |= code_is_paragraph(cpu) ? MODE_PARAGRAPH : 0;
    return mode | guest_segment_bits(cpu, CPU_CS) | guest_segment_bits(cpu, CPU_SS);
}

uint32_t guest_block_mode(struct translator *t)
{
    const struct cpu_state *cpu = t->cpu;
    return guest_control_mode(t) | guest_segment_bits(cpu, CPU_ES) | guest_segment_bits(cpu, CPU_DS) |
           guest_segment_bits(cpu, CPU_FS) | guest_segment_bits(cpu, CPU_GS);
}

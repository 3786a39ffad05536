/* Stack instructions (SDM 2: PUSH POP PUSHA POPA ENTER LEAVE PUSHF POPF).
 *
 * SP changes last, after every access that can fault. */
#include "interpreter/operand.h"
#include "interpreter/select.h"

/* ---- PUSH */

ALWAYS_INLINE void push(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                        uop_handler *slow, unsigned width, bool immediate)
{
    uint64_t value = immediate ? uop->immediate : register_read(cpu, uop->destination, width);
    if (!try_push(cpu, in, slow, width, value)) {
        slow(cpu, uop, in);
        return;
    }
    uop_next(cpu, uop, in);
}

#define PUSH_HANDLERS(width)                                                                                 \
    UOP_PAIR(push_r_##width, push, width, false)                                                             \
    UOP_PAIR(push_i_##width, push, width, true)                                                              \
    static void push_m_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)         \
    {                                                                                                        \
        stack_push(cpu, in, width, memory_load(cpu, uop, in, width));                                        \
        uop_next(cpu, uop, in);                                                                              \
    }                                                                                                        \
    static void push_segment_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)   \
    {                                                                                                        \
        stack_push(cpu, in, width, cpu->segment[uop->number].selector);                                      \
        uop_next(cpu, uop, in);                                                                              \
    }

PUSH_HANDLERS(2)
PUSH_HANDLERS(4)

/* 8086 and 80186: the value pushed is SP after the decrement. */
static void push_new_sp(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    stack_push(cpu, in, 2, cpu->gpr[CPU_SP].w - 2u);
    uop_next(cpu, uop, in);
}

uop_handler *select_push(const struct insn *insn, const struct cpu_model *model)
{
    bool wide = insn->operand_size == 4;
    if (insn->id == INSN_PUSH_SEG) {
        return wide ? push_segment_4 : push_segment_2;
    }
    const struct operand *operand = &insn->operand[0];
    if (operand->kind == OPERAND_IMMEDIATE) {
        return wide ? push_i_4 : push_i_2;
    }
    if (operand->kind == OPERAND_MEMORY) {
        return wide ? push_m_4 : push_m_2;
    }
    if (model->push_sp_new_value && operand->reg == CPU_SP) {
        return push_new_sp;
    }
    return wide ? push_r_4 : push_r_2;
}

/* ---- POP */

ALWAYS_INLINE void drop_from_stack(struct cpu_state *cpu, unsigned width)
{
    cpu_set_sp(cpu, cpu->gpr[CPU_SP].d + width);
}

ALWAYS_INLINE void pop_to_register(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                   uop_handler *slow, unsigned width)
{
    uint64_t value;
    if (!try_stack_top(cpu, in, slow, width, &value)) {
        slow(cpu, uop, in);
        return;
    }
    drop_from_stack(cpu, width);
    register_write(cpu, uop->destination, width, value);
    uop_next(cpu, uop, in);
}

#define POP_HANDLERS(width)                                                                                  \
    UOP_PAIR(pop_r_##width, pop_to_register, width)                                                          \
    static void pop_m_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)          \
    {                                                                                                        \
        pop_to_memory(cpu, uop, in, width);                                                                  \
    }

/* An address based on ESP is computed with ESP as it is after the POP (SDM 2, POP). */
ALWAYS_INLINE void pop_to_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                 unsigned width)
{
    uint64_t value = stack_top(cpu, in, width);
    uint32_t offset = effective_address(cpu, uop) + (uop->base == CPU_SP ? width : 0);
    segment_store(cpu, in, uop->segment, offset & uop_address_mask(uop), width, value);
    drop_from_stack(cpu, width);
    uop_next(cpu, uop, in);
}

POP_HANDLERS(2)
POP_HANDLERS(4)

/* POP to ES, DS, FS, GS, SS; CS on the 8086. Ends the block: what was decoded does not depend on it, but SS
 * holds interrupts off. */
static void pop_segment(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_sync(cpu, in);
    uint64_t value = stack_top(cpu, in, uop->operand_size == 4 ? 4 : 2);
    uint64_t old_mask = cpu->stack_mask;
    cpu_load_segment(cpu, (enum cpu_segment)uop->number, (uint16_t)value);
    uint64_t sp = (cpu->gpr[CPU_SP].d + uop->operand_size) & old_mask;
    cpu->gpr[CPU_SP].q = (cpu->gpr[CPU_SP].q & ~old_mask) | sp;
    if (uop->number == CPU_SS) {
        cpu->pending |= CPU_PENDING_SHADOW | CPU_PENDING_STACK_SHADOW;
    }
    uop_leave_to_next(cpu, uop, in);
}

uop_handler *select_pop(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    bool wide = insn->operand_size == 4;
    if (insn->id == INSN_POP_SEG) {
        return pop_segment;
    }
    if (operand_in_memory(insn, 0)) {
        return wide ? pop_m_4 : pop_m_2;
    }
    return wide ? pop_r_4 : pop_r_2;
}

/* ---- PUSHA, POPA */

static void push_all(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    unsigned width = uop->operand_size;
    uint32_t sp = cpu->gpr[CPU_SP].d;
    for (unsigned number = CPU_AX; number <= CPU_DI; number++) {
        sp = (uint32_t)((sp - width) & cpu->stack_mask);
        segment_store(cpu, in, CPU_SS, sp, width, gpr_read(cpu, number, width));
    }
    cpu_set_sp(cpu, sp);
    uop_next(cpu, uop, in);
}

static void pop_all(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    unsigned width = uop->operand_size;
    uint32_t sp = cpu->gpr[CPU_SP].d;
    uint32_t values[8];
    for (int number = CPU_DI; number >= CPU_AX; number--) {
        values[number] = (uint32_t)segment_load(cpu, in, CPU_SS, (uint32_t)(sp & cpu->stack_mask), width);
        sp += width;
    }
    for (unsigned number = CPU_AX; number <= CPU_DI; number++) {
        if (number != CPU_SP) {
            gpr_write(cpu, number, width, values[number]);
        }
    }
    cpu_set_sp(cpu, sp);
    uop_next(cpu, uop, in);
}

uop_handler *select_push_all(const struct insn *insn, const struct cpu_model *model)
{
    (void)insn;
    (void)model;
    return push_all;
}

uop_handler *select_pop_all(const struct insn *insn, const struct cpu_model *model)
{
    (void)insn;
    (void)model;
    return pop_all;
}

/* ---- ENTER, LEAVE */

static void enter(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    unsigned width = uop->operand_size;
    unsigned level = uop->number & 31;
    uint32_t sp = (uint32_t)((cpu->gpr[CPU_SP].d - width) & cpu->stack_mask);
    uint32_t bp = cpu->gpr[CPU_BP].d;
    segment_store(cpu, in, CPU_SS, sp, width, gpr_read(cpu, CPU_BP, width));
    uint32_t frame = sp;
    for (unsigned i = 1; i < level; i++) {
        bp -= width;
        uint64_t pointer = segment_load(cpu, in, CPU_SS, (uint32_t)(bp & cpu->stack_mask), width);
        sp = (uint32_t)((sp - width) & cpu->stack_mask);
        segment_store(cpu, in, CPU_SS, sp, width, pointer);
    }
    if (level > 0) {
        sp = (uint32_t)((sp - width) & cpu->stack_mask);
        segment_store(cpu, in, CPU_SS, sp, width, frame);
    }
    sp = (uint32_t)((sp - (uint16_t)uop->immediate) & cpu->stack_mask);
    if (cpu->model->generation >= CPU_80386) {
        /* The new top must be writable: a page fault here leaves everything as it was. */
        uop_sync(cpu, in);
        cpu->memory_ops->probe_write(cpu, cpu_segment_to_linear(cpu, CPU_SS, sp, width, true), width,
                                     cpu->cpl == 3);
    }
    gpr_write(cpu, CPU_BP, width, frame);
    cpu_set_sp(cpu, sp);
    uop_next(cpu, uop, in);
}

uop_handler *select_enter(const struct insn *insn, const struct cpu_model *model)
{
    (void)insn;
    (void)model;
    return enter;
}

static void leave(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    unsigned width = uop->operand_size;
    uint32_t bp = cpu->gpr[CPU_BP].d;
    uint64_t value = segment_load(cpu, in, CPU_SS, (uint32_t)(bp & cpu->stack_mask), width);
    cpu_set_sp(cpu, bp + width);
    gpr_write(cpu, CPU_BP, width, (uint32_t)value);
    uop_next(cpu, uop, in);
}

uop_handler *select_leave(const struct insn *insn, const struct cpu_model *model)
{
    (void)insn;
    (void)model;
    return leave;
}

/* ---- PUSHF, POPF */

static void push_flags(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_sync(cpu, in);
    cpu_push_flags(cpu, uop->operand_size);
    heed_device(cpu, in);
    uop_next(cpu, uop, in);
}

/* Ends the block: IF and TF may have changed. */
static void pop_flags(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_sync(cpu, in);
    cpu_pop_flags(cpu, uop->operand_size);
    uop_leave_to_next(cpu, uop, in);
}

uop_handler *select_push_flags(const struct insn *insn, const struct cpu_model *model)
{
    (void)insn;
    (void)model;
    return push_flags;
}

uop_handler *select_pop_flags(const struct insn *insn, const struct cpu_model *model)
{
    (void)insn;
    (void)model;
    return pop_flags;
}

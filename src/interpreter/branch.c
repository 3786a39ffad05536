/* Control transfers (SDM 2: JMP Jcc JCXZ LOOP CALL RET INT IRET BOUND SYSENTER SYSEXIT).
 *
 * Near transfers are here; everything that may change CS calls cpu/. Every handler ends its block; after near
 * transfers the chain goes on. */
#include "interpreter/jump_cache.h"
#include "interpreter/select.h"

_Noreturn static void raise_beyond_limit(struct cpu_state *cpu, struct interpreter *in)
{
    uop_sync(cpu, in);
    cpu_raise_error(cpu, VECTOR_GP, 0);
}

/* A near target cut to the operand size, which must lie within CS's limit. */
ALWAYS_INLINE uint64_t near_target(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                   uint64_t target)
{
    target &= uop->operand_size == 2 ? 0xffffu : 0xffffffffu;
    if (UNLIKELY(target > cpu->segment[CPU_CS].limit)) {
        raise_beyond_limit(cpu, in);
    }
    return target;
}

ALWAYS_INLINE void go_to(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                         uint64_t target)
{
    chain_to(cpu, uop + 1, in, near_target(cpu, uop, in, target));
}

ALWAYS_INLINE uint64_t relative_target(const struct uop *uop, const struct interpreter *in)
{
    return in->block_rip + uop[1].offset + (uint64_t)(int32_t)uop->immediate;
}

/* ---- JMP, Jcc, JCXZ, LOOP */

static void jump_relative(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    go_to(cpu, uop, in, relative_target(uop, in));
}

static void jump_register(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    go_to(cpu, uop, in, register_read(cpu, uop->destination, uop->operand_size));
}

static void jump_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    go_to(cpu, uop, in, memory_load(cpu, uop, in, uop->operand_size));
}

uop_handler *select_jump(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    switch (insn->operand[0].kind) {
    case OPERAND_RELATIVE: return jump_relative;
    case OPERAND_MEMORY: return jump_memory;
    default: return jump_register;
    }
}

/* Where a conditional jump leads. */
ALWAYS_INLINE uint64_t conditional_target(struct cpu_state *cpu, const struct uop *uop,
                                          struct interpreter *in, bool condition)
{
    return condition ? near_target(cpu, uop, in, relative_target(uop, in)) : uop_next_rip(uop, in);
}

ALWAYS_INLINE void jump_if(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                           bool condition)
{
    if (condition) {
        go_to(cpu, uop, in, relative_target(uop, in));
    } else {
        chain_to(cpu, uop + 1, in, uop_next_rip(uop, in));
    }
}

#define JCC_HANDLER(condition)                                                                               \
    static void jcc_##condition(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)        \
    {                                                                                                        \
        jump_if(cpu, uop, in, flags_condition(&cpu->flags, condition));                                      \
    }

JCC_HANDLER(0)
JCC_HANDLER(1)
JCC_HANDLER(2)
JCC_HANDLER(3)
JCC_HANDLER(4)
JCC_HANDLER(5)
JCC_HANDLER(6)
JCC_HANDLER(7)
JCC_HANDLER(8)
JCC_HANDLER(9)
JCC_HANDLER(10)
JCC_HANDLER(11)
JCC_HANDLER(12)
JCC_HANDLER(13)
JCC_HANDLER(14)
JCC_HANDLER(15)

uop_handler *select_jcc(const struct insn *insn, const struct cpu_model *model)
{
    static uop_handler *const handlers[16] = {jcc_0, jcc_1, jcc_2,  jcc_3,  jcc_4,  jcc_5,  jcc_6,  jcc_7,
                                              jcc_8, jcc_9, jcc_10, jcc_11, jcc_12, jcc_13, jcc_14, jcc_15};
    (void)model;
    return handlers[insn->condition & 15];
}

/* CX or ECX by address size. Its decrement waits until the target was found good. */
static void loop(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    unsigned width = uop_address_mask(uop) == 0xffff ? 2 : 4;
    uint32_t count = (gpr_read(cpu, CPU_CX, width) - 1) & uop_address_mask(uop);
    bool taken = count != 0;
    taken = taken && (uop->insn != INSN_LOOPE || flags_zf(&cpu->flags));
    taken = taken && (uop->insn != INSN_LOOPNE || !flags_zf(&cpu->flags));
    uint64_t target = conditional_target(cpu, uop, in, taken);
    gpr_write(cpu, CPU_CX, width, count);
    chain_to(cpu, uop + 1, in, target);
}

static void jcxz(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    unsigned width = uop_address_mask(uop) == 0xffff ? 2 : 4;
    jump_if(cpu, uop, in, gpr_read(cpu, CPU_CX, width) == 0);
}

uop_handler *select_loop(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return insn->id == INSN_JCXZ ? jcxz : loop;
}

/* ---- CALL, RET */

ALWAYS_INLINE void call_near(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                             uop_handler *slow, unsigned width, uint64_t target)
{
    target = near_target(cpu, uop, in, target);
    if (!try_push(cpu, in, slow, width, uop_next_rip(uop, in))) {
        slow(cpu, uop, in);
        return;
    }
    chain_to(cpu, uop + 1, in, target);
}

ALWAYS_INLINE void call_relative(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                 uop_handler *slow, unsigned width)
{
    call_near(cpu, uop, in, slow, width, relative_target(uop, in));
}

ALWAYS_INLINE void call_register(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                 uop_handler *slow, unsigned width)
{
    call_near(cpu, uop, in, slow, width, register_read(cpu, uop->destination, width));
}

UOP_PAIR(call_relative_2, call_relative, 2)
UOP_PAIR(call_relative_4, call_relative, 4)
UOP_PAIR(call_register_2, call_register, 2)
UOP_PAIR(call_register_4, call_register, 4)

static void call_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    call_near(cpu, uop, in, NULL, uop->operand_size, memory_load(cpu, uop, in, uop->operand_size));
}

uop_handler *select_call(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    bool wide = insn->operand_size != 2;
    switch (insn->operand[0].kind) {
    case OPERAND_RELATIVE: return wide ? call_relative_4 : call_relative_2;
    case OPERAND_MEMORY: return call_memory;
    default: return wide ? call_register_4 : call_register_2;
    }
}

ALWAYS_INLINE void return_near(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                               uop_handler *slow, unsigned width)
{
    uint64_t target;
    if (!try_stack_top(cpu, in, slow, width, &target)) {
        slow(cpu, uop, in);
        return;
    }
    target = near_target(cpu, uop, in, target);
    cpu_set_sp(cpu, cpu->gpr[CPU_SP].d + width + (uint16_t)uop->immediate);
    chain_to(cpu, uop + 1, in, target);
}

UOP_PAIR(return_2, return_near, 2)
UOP_PAIR(return_4, return_near, 4)

uop_handler *select_return(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return insn->operand_size == 2 ? return_2 : return_4;
}

/* ---- far transfers */

struct far_pointer {
    uint16_t selector;
    uint32_t offset;
};

static struct far_pointer far_pointer_in_memory(struct cpu_state *cpu, const struct uop *uop,
                                                struct interpreter *in)
{
    uint32_t at = effective_address(cpu, uop);
    uint32_t offset = (uint32_t)segment_load(cpu, in, uop->segment, at, uop->operand_size);
    uint32_t selector_at = (at + uop->operand_size) & uop_address_mask(uop);
    return (struct far_pointer){(uint16_t)segment_load(cpu, in, uop->segment, selector_at, 2), offset};
}

static struct far_pointer far_pointer_immediate(const struct uop *uop)
{
    return (struct far_pointer){(uint16_t)uop->displacement, (uint32_t)uop->immediate};
}

static void jump_far(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                     struct far_pointer to)
{
    uop_sync(cpu, in);
    cpu_jump_far(cpu, to.selector, to.offset, uop->operand_size, uop_next_rip(uop, in));
    uop_leave(uop, in);
}

static void jump_far_immediate(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    jump_far(cpu, uop, in, far_pointer_immediate(uop));
}

static void jump_far_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    jump_far(cpu, uop, in, far_pointer_in_memory(cpu, uop, in));
}

uop_handler *select_far_jump(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return operand_in_memory(insn, 0) ? jump_far_memory : jump_far_immediate;
}

static void call_far(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                     struct far_pointer to)
{
    uop_sync(cpu, in);
    cpu_call_far(cpu, to.selector, to.offset, uop->operand_size, uop_next_rip(uop, in));
    uop_leave(uop, in);
}

static void call_far_immediate(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    call_far(cpu, uop, in, far_pointer_immediate(uop));
}

static void call_far_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    call_far(cpu, uop, in, far_pointer_in_memory(cpu, uop, in));
}

uop_handler *select_far_call(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return operand_in_memory(insn, 0) ? call_far_memory : call_far_immediate;
}

static void return_far(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_sync(cpu, in);
    cpu_return_far(cpu, uop->operand_size, (uint16_t)uop->immediate);
    uop_leave(uop, in);
}

uop_handler *select_far_return(const struct insn *insn, const struct cpu_model *model)
{
    (void)insn;
    (void)model;
    return return_far;
}

static void iret(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_sync(cpu, in);
    cpu_return_from_interrupt(cpu, uop->operand_size, uop_next_rip(uop, in));
    uop_leave(uop, in);
}

uop_handler *select_iret(const struct insn *insn, const struct cpu_model *model)
{
    (void)insn;
    (void)model;
    return iret;
}

/* ---- INT n, INT3, INTO, INT1, BOUND */

static void software_interrupt(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                               uint8_t vector, enum cpu_software_interrupt kind)
{
    uop_sync(cpu, in);
    cpu_software_interrupt(cpu, vector, kind, uop_next_rip(uop, in));
    uop_leave(uop, in);
}

static void int_n(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    software_interrupt(cpu, uop, in, (uint8_t)uop->immediate, SOFTWARE_INT_N);
}

static void int3(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    software_interrupt(cpu, uop, in, VECTOR_BP, SOFTWARE_INT3);
}

static void int1(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    software_interrupt(cpu, uop, in, VECTOR_DB, SOFTWARE_INT1);
}

static void into(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    if (flags_of(&cpu->flags)) {
        software_interrupt(cpu, uop, in, VECTOR_OF, SOFTWARE_INTO);
    } else {
        uop_leave_to_next(cpu, uop, in);
    }
}

uop_handler *select_interrupt(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    switch (insn->id) {
    case INSN_INT: return int_n;
    case INSN_INT3: return int3;
    case INSN_INTO: return into;
    default: return int1;
    }
}

static void bound_exceeded(struct cpu_state *cpu, struct interpreter *in)
{
    uop_sync(cpu, in);
    cpu_raise(cpu, VECTOR_BR);
}

/* The upper bound is not read when the index is below the lower one. */
static void bound(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    unsigned width = uop->operand_size;
    unsigned bits = width * 8;
    uint32_t at = effective_address(cpu, uop);
    int64_t index = (int64_t)bits_sign_extend(register_read(cpu, uop->destination, width), bits);
    if (index < (int64_t)bits_sign_extend(segment_load(cpu, in, uop->segment, at, width), bits)) {
        bound_exceeded(cpu, in);
    }
    at = (at + width) & uop_address_mask(uop);
    if (index > (int64_t)bits_sign_extend(segment_load(cpu, in, uop->segment, at, width), bits)) {
        bound_exceeded(cpu, in);
    }
    uop_next(cpu, uop, in);
}

uop_handler *select_bound(const struct insn *insn, const struct cpu_model *model)
{
    (void)insn;
    (void)model;
    return bound;
}

/* ---- SYSENTER, SYSEXIT */

static void sysenter(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_sync(cpu, in);
    cpu_sysenter(cpu);
    uop_leave(uop, in);
}

static void sysexit(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_sync(cpu, in);
    cpu_sysexit(cpu);
    uop_leave(uop, in);
}

uop_handler *select_fast_call(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return insn->id == INSN_SYSENTER ? sysenter : sysexit;
}

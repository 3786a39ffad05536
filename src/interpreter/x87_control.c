/* x87 control instructions and the images of its state (SDM 2: FWAIT, FNINIT, FNCLEX, FLDCW, FNSTCW, FNSTSW,
 * FNSTENV, FLDENV, FNSAVE, FRSTOR, FXSAVE, FXRSTOR, FINCSTP, FDECSTP, FFREE, FXAM, FNOP).
 *
 * FNENI, FNDISI and FNSETPM did something on the 8087 and the 80287; coprocessors here ignore them. */
#include "interpreter/select.h"
#include "interpreter/x87_internal.h"

/* ---- waiting, initializing, clearing
 * -------------------------------------------------------------------------------------------- */

/* WAIT heeds TS only when CR0.MP says that a coprocessor is monitored, and EM not at all. */
static void wait(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    const uint64_t monitored = CR0_MP | CR0_TS;
    if ((cpu->cr0 & monitored) == monitored) {
        uop_sync(cpu, in);
        cpu_raise(cpu, VECTOR_NM);
    }
    if (!(cpu->x87.status & X87_ES) || x87_pending_error(cpu, uop, in)) {
        uop_next(cpu, uop, in);
    }
}

static void no_operation(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    if (x87_enter(cpu, uop, in)) {
        x87_note(cpu, uop, in);
        uop_next(cpu, uop, in);
    }
}

static void ignored(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    x87_require(cpu, in);
    uop_next(cpu, uop, in);
}

static void initialize(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    x87_require(cpu, in);
    x87_initialize(&cpu->x87);
    uop_next(cpu, uop, in);
}

static void clear_exceptions(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    x87_require(cpu, in);
    cpu->x87.status &= (uint16_t) ~(unsigned)(X87_EXCEPTIONS | X87_SF);
    x87_update_summary(&cpu->x87);
    uop_next(cpu, uop, in);
}

/* ---- control and status words
 * --------------------------------------------------------------------------------------------------- */

static void load_control(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    x87_set_control(&cpu->x87, (unsigned)memory_load(cpu, uop, in, 2));
    uop_next(cpu, uop, in);
}

static void store_control(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    x87_require(cpu, in);
    memory_store(cpu, uop, in, 2, cpu->x87.control);
    uop_next(cpu, uop, in);
}

static void store_status(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    x87_require(cpu, in);
    memory_store(cpu, uop, in, 2, cpu->x87.status);
    uop_next(cpu, uop, in);
}

static void store_status_ax(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    x87_require(cpu, in);
    cpu->gpr[CPU_AX].w = cpu->x87.status;
    uop_next(cpu, uop, in);
}

/* ---- environment, whole state
 * ---------------------------------------------------------------------------------------------------- */

static bool has_real_format(const struct cpu_state *cpu)
{
    return cpu->mode != CPU_MODE_PROTECTED;
}

static unsigned environment_size(const struct uop *uop)
{
    return uop->operand_size == 2 ? X87_ENVIRONMENT_16 : X87_ENVIRONMENT_32;
}

static void store_environment(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint8_t image[X87_ENVIRONMENT_32];
    x87_require(cpu, in);
    x87_store_environment(&cpu->x87, uop->operand_size, has_real_format(cpu), image);
    operand_store_block(cpu, uop, in, image, environment_size(uop));
    x87_set_control(&cpu->x87, cpu->x87.control | X87_EXCEPTIONS);
    uop_next(cpu, uop, in);
}

static void load_environment(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint8_t image[X87_ENVIRONMENT_32];
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    operand_load_block(cpu, uop, in, image, environment_size(uop));
    x87_load_environment(&cpu->x87, uop->operand_size, has_real_format(cpu), image);
    uop_next(cpu, uop, in);
}

static void save_all(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint8_t image[X87_ENVIRONMENT_32 + X87_REGISTERS];
    unsigned environment = environment_size(uop);
    x87_require(cpu, in);
    x87_store_environment(&cpu->x87, uop->operand_size, has_real_format(cpu), image);
    x87_store_registers(&cpu->x87, image + environment);
    operand_store_block(cpu, uop, in, image, environment + X87_REGISTERS);
    x87_initialize(&cpu->x87);
    uop_next(cpu, uop, in);
}

static void restore_all(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint8_t image[X87_ENVIRONMENT_32 + X87_REGISTERS];
    unsigned environment = environment_size(uop);
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    operand_load_block(cpu, uop, in, image, environment + X87_REGISTERS);
    x87_load_environment(&cpu->x87, uop->operand_size, has_real_format(cpu), image);
    x87_load_registers(&cpu->x87, image + environment);
    uop_next(cpu, uop, in);
}

static void require_fxsave(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    x87_require(cpu, in);
    if ((cpu->segment[uop->segment].base + effective_address(cpu, uop)) & 15) {
        uop_sync(cpu, in);
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
}

static void fxsave(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint8_t image[FXSAVE_SIZE];
    require_fxsave(cpu, uop, in);
    operand_load_block(cpu, uop, in, image, FXSAVE_SIZE);
    cpu_store_fxsave(cpu, (cpu->cr4 & CR4_OSFXSR) != 0, image);
    operand_store_block(cpu, uop, in, image, FXSAVE_SIZE);
    uop_next(cpu, uop, in);
}

static void fxrstor(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint8_t image[FXSAVE_SIZE];
    require_fxsave(cpu, uop, in);
    operand_load_block(cpu, uop, in, image, FXSAVE_SIZE);
    if (!cpu_load_fxsave(cpu, (cpu->cr4 & CR4_OSFXSR) != 0, image)) {
        uop_sync(cpu, in);
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    uop_next(cpu, uop, in);
}

/* ---- the stack itself
 * -----------------------------------------------------------------------------------------------------------
 */

static inline void rotate(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, unsigned by)
{
    if (x87_enter(cpu, uop, in)) {
        x87_note(cpu, uop, in);
        x87_move_top(&cpu->x87, by);
        x87_set_codes(&cpu->x87, X87_C1, 0);
        uop_next(cpu, uop, in);
    }
}

static void increment_top(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    rotate(cpu, uop, in, 1);
}

static void decrement_top(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    rotate(cpu, uop, in, 7);
}

static inline void free_register(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                 bool pop)
{
    struct x87_state *x87 = &cpu->x87;
    if (x87_enter(cpu, uop, in)) {
        x87_note(cpu, uop, in);
        x87->full &= (uint8_t) ~(1u << x87_register(x87, uop->number));
        x87_set_codes(x87, X87_C1, 0);
        if (pop) {
            x87_pop(x87);
        }
        uop_next(cpu, uop, in);
    }
}

static void free_only(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    free_register(cpu, uop, in, false);
}

static void free_and_pop(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    free_register(cpu, uop, in, true);
}

static unsigned examine_codes(const struct x87_state *x87)
{
    if (!x87_is_full(x87, 0)) {
        return X87_C3 | X87_C0;
    }
    switch (float80_classify(x87_get(x87, 0))) {
    case FLOAT_UNSUPPORTED: return 0;
    case FLOAT_ZERO: return X87_C3;
    case FLOAT_DENORMAL: return X87_C3 | X87_C2;
    case FLOAT_NORMAL: return X87_C2;
    case FLOAT_INFINITY: return X87_C2 | X87_C0;
    default: return X87_C0;
    }
}

static void examine(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    struct x87_state *x87 = &cpu->x87;
    if (x87_enter(cpu, uop, in)) {
        x87_note(cpu, uop, in);
        unsigned sign = float80_sign(x87_get(x87, 0)) ? X87_C1 : 0;
        x87_set_codes(x87, X87_CODES, examine_codes(x87) | sign);
        uop_next(cpu, uop, in);
    }
}

uop_handler *select_x87_control(const struct insn *insn, const struct cpu_model *model)
{
    if (!cpu_model_has(model, FEATURE_FPU)) {
        return select_escape(insn, model);
    }
    switch (insn->id) {
    case INSN_FWAIT: return wait;
    case INSN_FNOP: return no_operation;
    case INSN_FNINIT: return initialize;
    case INSN_FNCLEX: return clear_exceptions;
    case INSN_FLDCW: return load_control;
    case INSN_FNSTCW: return store_control;
    case INSN_FNSTSW: return operand_in_memory(insn, 0) ? store_status : store_status_ax;
    case INSN_FNSTENV: return store_environment;
    case INSN_FLDENV: return load_environment;
    case INSN_FNSAVE: return save_all;
    case INSN_FRSTOR: return restore_all;
    case INSN_FINCSTP: return increment_top;
    case INSN_FDECSTP: return decrement_top;
    case INSN_FFREE: return free_only;
    case INSN_FFREEP: return free_and_pop;
    case INSN_FXAM: return examine;
    default: return ignored;
    }
}

uop_handler *select_fxsave(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return insn->id == INSN_FXSAVE ? fxsave : fxrstor;
}

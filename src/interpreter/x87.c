/* x87 loads, stores, arithmetic and comparisons (SDM 1 chapter 8, SDM 2 F*).
 *
 * The masked response to a stack fault is the indefinite; an unmasked exception found before the operation
 * leaves operands, stack and memory as they were. */
#include "interpreter/select.h"
#include "interpreter/x87_internal.h"

bool x87_pending_error(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_sync(cpu, in);
    if (cpu->cr0 & CR0_NE) {
        cpu_raise(cpu, VECTOR_MF);
    }
    if (cpu->x87.ignne) {
        return true;
    }
    x87_unmasked_error(cpu);
    uop_leave(uop, in);
    return false;
}

void x87_unmasked_error(struct cpu_state *cpu)
{
    x87_update_summary(&cpu->x87);
    if (!(cpu->cr0 & CR0_NE) && cpu->pins.ferr != NULL) {
        cpu->pins.ferr(cpu->pins.opaque, true);
    }
}

/* ---- source operands
 * -----------------------------------------------------------------------------------------------------------
 */

enum source_form {
    SOURCE_REGISTER,
    SOURCE_FLOAT32,
    SOURCE_FLOAT64,
    SOURCE_INT16,
    SOURCE_INT32,
    SOURCE_FORMS
};

struct source {
    struct float80 value;
    unsigned flags; /* X87_DE: a denormal in the format it came from */
    bool empty;
};

static inline struct source fetch_source(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                         enum source_form form)
{
    struct source source = {.flags = 0};
    switch (form) {
    case SOURCE_REGISTER:
        source.value = x87_get(&cpu->x87, uop->number);
        source.empty = !x87_is_full(&cpu->x87, uop->number);
        x87_note(cpu, uop, in);
        return source;
    case SOURCE_FLOAT32:
        source.flags = x87_widen_float32((uint32_t)memory_load(cpu, uop, in, 4), &source.value);
        break;
    case SOURCE_FLOAT64: source.flags = x87_widen_float64(memory_load(cpu, uop, in, 8), &source.value); break;
    case SOURCE_INT16: source.value = x87_from_integer((int16_t)memory_load(cpu, uop, in, 2)); break;
    default: source.value = x87_from_integer((int32_t)memory_load(cpu, uop, in, 4)); break;
    }
    x87_note_memory(cpu, uop, in);
    return source;
}

/* Adds the #D of a source that was a denormal only in its own format. */
static inline unsigned with_source_flags(const struct cpu_state *cpu, const struct source *source,
                                         struct float80 other, unsigned flags)
{
    if (source->flags == 0 || (flags & (X87_IE | X87_ZE)) || float_class_is_nan(float80_classify(other))) {
        return flags;
    }
    flags |= source->flags;
    return x87_is_blocked(X87_DE, cpu->x87.control) ? flags & (X87_DE | X87_CODES) & ~(unsigned)X87_C1
                                                    : flags;
}

static enum source_form source_form(const struct insn *insn, bool integer)
{
    if (!insn->has_modrm || insn->modrm >= 0xc0) {
        return SOURCE_REGISTER;
    }
    unsigned size = insn->operand[0].size;
    if (integer) {
        return size == 2 ? SOURCE_INT16 : SOURCE_INT32;
    }
    return size == 4 ? SOURCE_FLOAT32 : SOURCE_FLOAT64;
}

/* ---- FADD FSUB FSUBR FMUL FDIV FDIVR
 * -------------------------------------------------------------------------------------------- */

enum arithmetic {
    ARITHMETIC_ADD,
    ARITHMETIC_MUL,
    ARITHMETIC_SUB,
    ARITHMETIC_SUBR,
    ARITHMETIC_DIV,
    ARITHMETIC_DIVR
};

static inline unsigned arithmetic_result(const struct x87_state *x87, enum arithmetic operation,
                                         struct float80 destination, struct float80 source,
                                         struct float80 *result)
{
    switch (operation) {
    case ARITHMETIC_ADD: return x87_add(x87, destination, source, result);
    case ARITHMETIC_MUL: return x87_multiply(x87, destination, source, result);
    case ARITHMETIC_SUB: return x87_subtract(x87, destination, source, result);
    case ARITHMETIC_SUBR: return x87_subtract(x87, source, destination, result);
    case ARITHMETIC_DIV: return x87_divide(x87, destination, source, result);
    default: return x87_divide(x87, source, destination, result);
    }
}

/* ST(0) = ST(0) op source. */
static inline void arithmetic_to_top(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                     enum arithmetic operation, enum source_form form)
{
    struct x87_state *x87 = &cpu->x87;
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    struct source source = fetch_source(cpu, uop, in, form);
    struct float80 result = float80_indefinite();
    bool done;
    if (UNLIKELY(source.empty || !x87_is_full(x87, 0))) {
        done = x87_underflow(cpu);
    } else {
        struct float80 top = x87_get(x87, 0);
        unsigned flags = arithmetic_result(x87, operation, top, source.value, &result);
        done = x87_signal(cpu, with_source_flags(cpu, &source, top, flags), X87_BEFORE);
    }
    if (done) {
        x87_put(x87, 0, result);
    }
    uop_next(cpu, uop, in);
}

/* ST(i) = ST(i) op ST(0), perhaps followed by a pop. */
static inline void arithmetic_from_top(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                       enum arithmetic operation, bool pop)
{
    struct x87_state *x87 = &cpu->x87;
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    struct source destination = fetch_source(cpu, uop, in, SOURCE_REGISTER);
    struct float80 result = float80_indefinite();
    bool done;
    if (UNLIKELY(destination.empty || !x87_is_full(x87, 0))) {
        done = x87_underflow(cpu);
    } else {
        unsigned flags = arithmetic_result(x87, operation, destination.value, x87_get(x87, 0), &result);
        done = x87_signal(cpu, flags, X87_BEFORE);
    }
    if (done) {
        x87_put(x87, uop->number, result);
        if (pop) {
            x87_pop(x87);
        }
    }
    uop_next(cpu, uop, in);
}

#define TO_TOP_HANDLER(operation, form)                                                                      \
    static void operation##_##form(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)     \
    {                                                                                                        \
        arithmetic_to_top(cpu, uop, in, ARITHMETIC_##operation, SOURCE_##form);                              \
    }
#define ARITHMETIC_HANDLERS(operation)                                                                       \
    TO_TOP_HANDLER(operation, REGISTER)                                                                      \
    TO_TOP_HANDLER(operation, FLOAT32)                                                                       \
    TO_TOP_HANDLER(operation, FLOAT64)                                                                       \
    TO_TOP_HANDLER(operation, INT16)                                                                         \
    TO_TOP_HANDLER(operation, INT32)                                                                         \
    static void operation##_from_top(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)   \
    {                                                                                                        \
        arithmetic_from_top(cpu, uop, in, ARITHMETIC_##operation, false);                                    \
    }                                                                                                        \
    static void operation##_and_pop(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)    \
    {                                                                                                        \
        arithmetic_from_top(cpu, uop, in, ARITHMETIC_##operation, true);                                     \
    }
#define ARITHMETIC_ROW(operation)                                                                            \
    [ARITHMETIC_##operation] = {operation##_REGISTER, operation##_FLOAT32, operation##_FLOAT64,              \
                                operation##_INT16,    operation##_INT32,   operation##_from_top,             \
                                operation##_and_pop}

ARITHMETIC_HANDLERS(ADD)
ARITHMETIC_HANDLERS(MUL)
ARITHMETIC_HANDLERS(SUB)
ARITHMETIC_HANDLERS(SUBR)
ARITHMETIC_HANDLERS(DIV)
ARITHMETIC_HANDLERS(DIVR)

enum { FORM_FROM_TOP = SOURCE_FORMS, FORM_AND_POP, ARITHMETIC_FORMS };

static enum arithmetic arithmetic_operation(enum insn_id id)
{
    switch (id) {
    case INSN_FADD:
    case INSN_FADDP:
    case INSN_FIADD: return ARITHMETIC_ADD;
    case INSN_FMUL:
    case INSN_FMULP:
    case INSN_FIMUL: return ARITHMETIC_MUL;
    case INSN_FSUB:
    case INSN_FSUBP:
    case INSN_FISUB: return ARITHMETIC_SUB;
    case INSN_FSUBR:
    case INSN_FSUBRP:
    case INSN_FISUBR: return ARITHMETIC_SUBR;
    case INSN_FDIV:
    case INSN_FDIVP:
    case INSN_FIDIV: return ARITHMETIC_DIV;
    default: return ARITHMETIC_DIVR;
    }
}

uop_handler *select_x87_arithmetic(const struct insn *insn, const struct cpu_model *model)
{
    static uop_handler *const handlers[][ARITHMETIC_FORMS] = {ARITHMETIC_ROW(ADD), ARITHMETIC_ROW(MUL),
                                                              ARITHMETIC_ROW(SUB), ARITHMETIC_ROW(SUBR),
                                                              ARITHMETIC_ROW(DIV), ARITHMETIC_ROW(DIVR)};
    if (!cpu_model_has(model, FEATURE_FPU)) {
        return select_escape(insn, model);
    }
    unsigned form;
    if (insn->modrm < 0xc0) {
        form = source_form(insn, insn->opcode == 0xda || insn->opcode == 0xde);
    } else {
        form = insn->opcode == 0xd8 ? SOURCE_REGISTER : insn->opcode == 0xdc ? FORM_FROM_TOP : FORM_AND_POP;
    }
    return handlers[arithmetic_operation((enum insn_id)insn->id)][form];
}

/* ---- comparisons
 * ---------------------------------------------------------------------------------------------------------------
 */

static void set_compare_flags(struct cpu_state *cpu, unsigned codes)
{
    flags_from_eflags(&cpu->flags, (codes & X87_C0 ? EFLAGS_CF : 0u) | (codes & X87_C2 ? EFLAGS_PF : 0u) |
                                       (codes & X87_C3 ? EFLAGS_ZF : 0u));
}

static inline void compare(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                           enum source_form form, bool quiet, bool to_eflags, unsigned pops)
{
    const unsigned unordered = X87_C0 | X87_C2 | X87_C3;
    struct x87_state *x87 = &cpu->x87;
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    struct source source = fetch_source(cpu, uop, in, form);
    unsigned codes = unordered;
    bool done;
    if (UNLIKELY(source.empty || !x87_is_full(x87, 0))) {
        done = x87_underflow(cpu);
    } else {
        struct float80 top = x87_get(x87, 0);
        codes = x87_compare(top, source.value, quiet);
        codes |= to_eflags ? x87->status & X87_C1 : 0; /* FCOMI leaves C1 alone */
        done = x87_signal(cpu, with_source_flags(cpu, &source, top, codes), X87_BEFORE);
    }
    if (to_eflags) {
        set_compare_flags(cpu, codes);
    } else {
        x87_set_codes(x87, unordered, codes);
    }
    for (unsigned i = 0; done && i < pops; i++) {
        x87_pop(x87);
    }
    uop_next(cpu, uop, in);
}

#define COMPARE_HANDLER(name, form, quiet, to_eflags, pops)                                                  \
    static void name(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)                   \
    {                                                                                                        \
        compare(cpu, uop, in, SOURCE_##form, quiet, to_eflags, pops);                                        \
    }
#define COMPARE_HANDLERS(form)                                                                               \
    COMPARE_HANDLER(compare_##form, form, false, false, 0)                                                   \
    COMPARE_HANDLER(compare_pop_##form, form, false, false, 1)
COMPARE_HANDLERS(REGISTER)
COMPARE_HANDLERS(FLOAT32)
COMPARE_HANDLERS(FLOAT64)
COMPARE_HANDLERS(INT16)
COMPARE_HANDLERS(INT32)
COMPARE_HANDLER(compare_pop_pop, REGISTER, false, false, 2)
COMPARE_HANDLER(compare_quiet, REGISTER, true, false, 0)
COMPARE_HANDLER(compare_quiet_pop, REGISTER, true, false, 1)
COMPARE_HANDLER(compare_quiet_pop_pop, REGISTER, true, false, 2)
COMPARE_HANDLER(compare_eflags, REGISTER, false, true, 0)
COMPARE_HANDLER(compare_eflags_pop, REGISTER, false, true, 1)
COMPARE_HANDLER(compare_quiet_eflags, REGISTER, true, true, 0)
COMPARE_HANDLER(compare_quiet_eflags_pop, REGISTER, true, true, 1)

static void test_zero(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    struct x87_state *x87 = &cpu->x87;
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    x87_note(cpu, uop, in);
    unsigned codes = X87_C0 | X87_C2 | X87_C3;
    if (!x87_is_full(x87, 0)) {
        x87_underflow(cpu);
    } else {
        codes = x87_compare(x87_get(x87, 0), float80_zero(false), false);
        x87_signal(cpu, codes, X87_BEFORE);
    }
    x87_set_codes(x87, X87_C0 | X87_C2 | X87_C3, codes);
    uop_next(cpu, uop, in);
}

uop_handler *select_x87_compare(const struct insn *insn, const struct cpu_model *model)
{
    static uop_handler *const handlers[SOURCE_FORMS][2] = {{compare_REGISTER, compare_pop_REGISTER},
                                                           {compare_FLOAT32, compare_pop_FLOAT32},
                                                           {compare_FLOAT64, compare_pop_FLOAT64},
                                                           {compare_INT16, compare_pop_INT16},
                                                           {compare_INT32, compare_pop_INT32}};
    if (!cpu_model_has(model, FEATURE_FPU)) {
        return select_escape(insn, model);
    }
    switch (insn->id) {
    case INSN_FCOM: return handlers[source_form(insn, false)][0];
    case INSN_FCOMP: return handlers[source_form(insn, false)][1];
    case INSN_FICOM: return handlers[source_form(insn, true)][0];
    case INSN_FICOMP: return handlers[source_form(insn, true)][1];
    case INSN_FCOMPP: return compare_pop_pop;
    case INSN_FUCOM: return compare_quiet;
    case INSN_FUCOMP: return compare_quiet_pop;
    case INSN_FUCOMPP: return compare_quiet_pop_pop;
    case INSN_FCOMI: return compare_eflags;
    case INSN_FCOMIP: return compare_eflags_pop;
    case INSN_FUCOMI: return compare_quiet_eflags;
    case INSN_FUCOMIP: return compare_quiet_eflags_pop;
    default: return test_zero;
    }
}

/* ---- operations on ST(0), and on ST(0) and ST(1)
 * ------------------------------------------------------------------------------- */

static inline void unary(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                         x87_unary *operation, unsigned codes)
{
    struct x87_state *x87 = &cpu->x87;
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    x87_note(cpu, uop, in);
    struct float80 result = float80_indefinite();
    unsigned flags = 0;
    bool done;
    if (UNLIKELY(!x87_is_full(x87, 0))) {
        done = x87_underflow(cpu);
    } else {
        flags = operation(x87, x87_get(x87, 0), &result);
        done = x87_signal(cpu, flags, X87_BEFORE);
    }
    x87_set_codes(x87, codes, flags);
    if (done) {
        x87_put(x87, 0, result);
    }
    uop_next(cpu, uop, in);
}

/* The result goes to ST(0), or to ST(1) followed by a pop. */
static inline void binary(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                          x87_binary *operation, bool pop)
{
    struct x87_state *x87 = &cpu->x87;
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    x87_note(cpu, uop, in);
    struct float80 result = float80_indefinite();
    bool done;
    if (UNLIKELY(!x87_is_full(x87, 0) || !x87_is_full(x87, 1))) {
        done = x87_underflow(cpu);
    } else {
        unsigned flags = operation(x87, x87_get(x87, 0), x87_get(x87, 1), &result);
        done = x87_signal(cpu, flags, X87_BEFORE);
    }
    if (done) {
        x87_put(x87, pop ? 1 : 0, result);
        if (pop) {
            x87_pop(x87);
        }
    }
    uop_next(cpu, uop, in);
}

/* FPREM, FPREM1: the quotient's low bits are in C0, C3 and C1, which stay as they were when there is no
 * quotient. */
static inline void partial_remainder(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                     x87_binary *operation)
{
    struct x87_state *x87 = &cpu->x87;
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    x87_note(cpu, uop, in);
    struct float80 result = float80_indefinite();
    unsigned flags = 0;
    unsigned codes = X87_C2;
    bool done;
    if (UNLIKELY(!x87_is_full(x87, 0) || !x87_is_full(x87, 1))) {
        done = x87_underflow(cpu);
    } else {
        flags = operation(x87, x87_get(x87, 0), x87_get(x87, 1), &result);
        done = x87_signal(cpu, flags, X87_BEFORE);
        bool quotient = done && !(flags & X87_IE) && !float_class_is_nan(float80_classify(result));
        codes = quotient ? X87_CODES : X87_C2;
    }
    x87_set_codes(x87, codes, flags);
    if (done) {
        x87_put(x87, 0, result);
    }
    uop_next(cpu, uop, in);
}

/* FXTRACT, FPTAN, FSINCOS: ST(0) is replaced and another value pushed. */
static inline void pair(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                        x87_pair *operation, unsigned codes)
{
    struct x87_state *x87 = &cpu->x87;
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    x87_note(cpu, uop, in);
    struct float80 result = float80_indefinite();
    struct float80 pushed = result;
    unsigned flags = 0;
    bool done;
    if (UNLIKELY(!x87_is_full(x87, 0))) {
        done = x87_underflow(cpu);
    } else if (UNLIKELY(x87_is_full(x87, 7))) {
        done = x87_overflow(cpu);
    } else {
        flags = operation(x87, x87_get(x87, 0), &result, &pushed);
        done = x87_signal(cpu, flags, X87_BEFORE);
    }
    x87_set_codes(x87, codes, flags);
    if (done && !(flags & codes & X87_C2)) {
        x87_put(x87, 0, result);
        x87_move_top(x87, 7);
        x87_put(x87, 0, pushed);
    }
    uop_next(cpu, uop, in);
}

static unsigned change_sign(const struct x87_state *x87, struct float80 a, struct float80 *result)
{
    (void)x87;
    a.sign_exponent ^= FLOAT80_SIGN;
    *result = a;
    return 0;
}

static unsigned absolute(const struct x87_state *x87, struct float80 a, struct float80 *result)
{
    (void)x87;
    a.sign_exponent &= FLOAT80_EXPONENT;
    *result = a;
    return 0;
}

static unsigned extract(const struct x87_state *x87, struct float80 a, struct float80 *result,
                        struct float80 *pushed)
{
    (void)x87;
    return x87_extract(a, result, pushed);
}

#define OPERATION_HANDLER(name, shape, ...)                                                                  \
    static void name(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)                   \
    {                                                                                                        \
        shape(cpu, uop, in, __VA_ARGS__);                                                                    \
    }
OPERATION_HANDLER(fchs, unary, change_sign, 0)
OPERATION_HANDLER(fabs_top, unary, absolute, 0)
OPERATION_HANDLER(fsqrt, unary, x87_square_root, 0)
OPERATION_HANDLER(frndint, unary, x87_round_to_integer, 0)
OPERATION_HANDLER(f2xm1, unary, x87_exponential, 0)
OPERATION_HANDLER(fsin, unary, x87_sine, X87_C2)
OPERATION_HANDLER(fcos, unary, x87_cosine, X87_C2)
OPERATION_HANDLER(fscale, binary, x87_scale, false)
OPERATION_HANDLER(fprem, partial_remainder, x87_remainder_truncated)
OPERATION_HANDLER(fprem1, partial_remainder, x87_remainder_nearest)
OPERATION_HANDLER(fyl2x, binary, x87_logarithm, true)
OPERATION_HANDLER(fyl2xp1, binary, x87_logarithm_plus_one, true)
OPERATION_HANDLER(fpatan, binary, x87_arc_tangent, true)
OPERATION_HANDLER(fxtract, pair, extract, 0)
OPERATION_HANDLER(fptan, pair, x87_tangent, X87_C2)
OPERATION_HANDLER(fsincos, pair, x87_sine_cosine, X87_C2)

uop_handler *select_x87_operation(const struct insn *insn, const struct cpu_model *model)
{
    if (!cpu_model_has(model, FEATURE_FPU)) {
        return select_escape(insn, model);
    }
    switch (insn->id) {
    case INSN_FCHS: return fchs;
    case INSN_FABS: return fabs_top;
    case INSN_FSQRT: return fsqrt;
    case INSN_FRNDINT: return frndint;
    case INSN_F2XM1: return f2xm1;
    case INSN_FSIN: return fsin;
    case INSN_FCOS: return fcos;
    case INSN_FSCALE: return fscale;
    case INSN_FPREM: return fprem;
    case INSN_FPREM1: return fprem1;
    case INSN_FYL2X: return fyl2x;
    case INSN_FYL2XP1: return fyl2xp1;
    case INSN_FPATAN: return fpatan;
    case INSN_FXTRACT: return fxtract;
    case INSN_FPTAN: return fptan;
    case INSN_FSINCOS: return fsincos;
    default: return NULL;
    }
}

/* x87 loads, stores, exchanges and conditional moves (SDM 2 FLD, FST, FILD, FIST, FISTTP, FBLD, FBSTP, FXCH,
 * FCMOVcc, FLDconst, FXAM). */
#include "interpreter/select.h"
#include "interpreter/x87_internal.h"

#define FLOAT80_BYTES 10

/* ---- loads
 * ---------------------------------------------------------------------------------------------------------------------
 */

static void load_float32(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    struct float80 value;
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    unsigned flags = x87_from_float32((uint32_t)memory_load(cpu, uop, in, 4), &value);
    x87_note_memory(cpu, uop, in);
    x87_push(cpu, value, flags);
    uop_next(cpu, uop, in);
}

static void load_float64(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    struct float80 value;
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    unsigned flags = x87_from_float64(memory_load(cpu, uop, in, 8), &value);
    x87_note_memory(cpu, uop, in);
    x87_push(cpu, value, flags);
    uop_next(cpu, uop, in);
}

static void load_float80(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint8_t bytes[FLOAT80_BYTES];
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    operand_load_block(cpu, uop, in, bytes, FLOAT80_BYTES);
    x87_note_memory(cpu, uop, in);
    x87_push(cpu, (struct float80){.significand = load_le64(bytes), .sign_exponent = load_le16(bytes + 8)},
             0);
    uop_next(cpu, uop, in);
}

static void load_decimal(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint8_t bytes[FLOAT80_BYTES];
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    operand_load_block(cpu, uop, in, bytes, FLOAT80_BYTES);
    x87_note_memory(cpu, uop, in);
    x87_push(cpu, x87_from_decimal(bytes), 0);
    uop_next(cpu, uop, in);
}

static inline void load_integer(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                unsigned width)
{
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    int64_t value = (int64_t)bits_sign_extend(memory_load(cpu, uop, in, width), width * 8);
    x87_note_memory(cpu, uop, in);
    x87_push(cpu, x87_from_integer(value), 0);
    uop_next(cpu, uop, in);
}

static void load_int16(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    load_integer(cpu, uop, in, 2);
}

static void load_int32(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    load_integer(cpu, uop, in, 4);
}

static void load_int64(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    load_integer(cpu, uop, in, 8);
}

static void load_register(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    struct x87_state *x87 = &cpu->x87;
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    x87_note(cpu, uop, in);
    if (UNLIKELY(!x87_is_full(x87, uop->number))) {
        if (x87_underflow(cpu)) {
            x87_move_top(x87, 7);
            x87_put(x87, 0, float80_indefinite());
        }
    } else {
        x87_push(cpu, x87_get(x87, uop->number), 0);
    }
    uop_next(cpu, uop, in);
}

static inline void load_value(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                              struct float80 value)
{
    if (x87_enter(cpu, uop, in)) {
        x87_note(cpu, uop, in);
        x87_push(cpu, value, 0);
        uop_next(cpu, uop, in);
    }
}

static void load_one(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    load_value(cpu, uop, in, float80_one());
}

static void load_zero(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    load_value(cpu, uop, in, float80_zero(false));
}

#define CONSTANT_HANDLER(name, constant)                                                                     \
    static void name(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)                   \
    {                                                                                                        \
        load_value(cpu, uop, in, x87_constant(&cpu->x87, constant));                                         \
    }
CONSTANT_HANDLER(load_log2_10, X87_LOG2_10)
CONSTANT_HANDLER(load_log2_e, X87_LOG2_E)
CONSTANT_HANDLER(load_pi, X87_PI)
CONSTANT_HANDLER(load_log10_2, X87_LOG10_2)
CONSTANT_HANDLER(load_ln_2, X87_LN_2)

uop_handler *select_x87_load(const struct insn *insn, const struct cpu_model *model)
{
    unsigned size = insn->operand[0].size;
    if (!cpu_model_has(model, FEATURE_FPU)) {
        return select_escape(insn, model);
    }
    switch (insn->id) {
    case INSN_FLD:
        if (!operand_in_memory(insn, 0)) {
            return load_register;
        }
        return size == 4 ? load_float32 : size == 8 ? load_float64 : load_float80;
    case INSN_FILD: return size == 2 ? load_int16 : size == 4 ? load_int32 : load_int64;
    case INSN_FBLD: return load_decimal;
    case INSN_FLD1: return load_one;
    case INSN_FLDZ: return load_zero;
    case INSN_FLDL2T: return load_log2_10;
    case INSN_FLDL2E: return load_log2_e;
    case INSN_FLDPI: return load_pi;
    case INSN_FLDLG2: return load_log10_2;
    default: return load_ln_2;
    }
}

/* ---- stores
 * --------------------------------------------------------------------------------------------------------------------
 */

/* An unmasked overflow or underflow keeps a store to memory from being done, as an invalid operation does. */
#define STORE_BLOCKING (X87_IE | X87_OE | X87_UE)

static inline bool store_is_blocked(const struct x87_state *x87, unsigned flags)
{
    return (flags & ~(unsigned)x87->control & STORE_BLOCKING) != 0;
}

/* Writes `value` unless an exception in `flags` forbids it, then signals and pops. */
static inline void store_value(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                               unsigned width, uint64_t value, unsigned flags, bool pop)
{
    struct x87_state *x87 = &cpu->x87;
    if (!store_is_blocked(x87, flags)) {
        memory_store(cpu, uop, in, width, value);
    }
    x87_note_memory(cpu, uop, in);
    if (x87_signal(cpu, flags, STORE_BLOCKING) && pop) {
        x87_pop(x87);
    }
    uop_next(cpu, uop, in);
}

static inline void store_float(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                               unsigned width, bool pop)
{
    struct x87_state *x87 = &cpu->x87;
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    uint64_t value = width == 4 ? 0xffc00000u : UINT64_C(0xfff8000000000000);
    unsigned flags = X87_IE | X87_SF;
    if (x87_is_full(x87, 0) && width == 4) {
        uint32_t bits;
        flags = x87_to_float32(x87, x87_get(x87, 0), &bits);
        value = bits;
    } else if (x87_is_full(x87, 0)) {
        flags = x87_to_float64(x87, x87_get(x87, 0), &value);
    }
    store_value(cpu, uop, in, width, value, flags, pop);
}

static inline void store_integer(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                 unsigned width, bool truncate, bool pop)
{
    struct x87_state *x87 = &cpu->x87;
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    int64_t value = (int64_t) - ((uint64_t)1 << (width * 8 - 1));
    unsigned flags = X87_IE | X87_SF;
    if (x87_is_full(x87, 0)) {
        flags = x87_to_integer(x87, x87_get(x87, 0), width, truncate, &value);
    }
    store_value(cpu, uop, in, width, (uint64_t)value & bits_mask(width * 8), flags, pop);
}

#define STORE_HANDLER(name, shape, ...)                                                                      \
    static void name(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)                   \
    {                                                                                                        \
        shape(cpu, uop, in, __VA_ARGS__);                                                                    \
    }
STORE_HANDLER(store_float32, store_float, 4, false)
STORE_HANDLER(store_float64, store_float, 8, false)
STORE_HANDLER(store_float32_pop, store_float, 4, true)
STORE_HANDLER(store_float64_pop, store_float, 8, true)
STORE_HANDLER(store_int16, store_integer, 2, false, false)
STORE_HANDLER(store_int32, store_integer, 4, false, false)
STORE_HANDLER(store_int16_pop, store_integer, 2, false, true)
STORE_HANDLER(store_int32_pop, store_integer, 4, false, true)
STORE_HANDLER(store_int64_pop, store_integer, 8, false, true)
STORE_HANDLER(truncate_int16_pop, store_integer, 2, true, true)
STORE_HANDLER(truncate_int32_pop, store_integer, 4, true, true)
STORE_HANDLER(truncate_int64_pop, store_integer, 8, true, true)

static inline void store_block(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                               const uint8_t *bytes, unsigned flags)
{
    if (!store_is_blocked(&cpu->x87, flags)) {
        operand_store_block(cpu, uop, in, bytes, FLOAT80_BYTES);
    }
    x87_note_memory(cpu, uop, in);
    if (x87_signal(cpu, flags, STORE_BLOCKING)) {
        x87_pop(&cpu->x87);
    }
    uop_next(cpu, uop, in);
}

static void store_float80_pop(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint8_t bytes[FLOAT80_BYTES];
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    bool full = x87_is_full(&cpu->x87, 0);
    struct float80 value = full ? x87_get(&cpu->x87, 0) : float80_indefinite();
    store_le64(bytes, value.significand);
    store_le16(bytes + 8, value.sign_exponent);
    store_block(cpu, uop, in, bytes, full ? 0 : X87_IE | X87_SF);
}

static void store_decimal_pop(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint8_t bytes[FLOAT80_BYTES];
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    bool full = x87_is_full(&cpu->x87, 0);
    unsigned flags = x87_to_decimal(&cpu->x87, full ? x87_get(&cpu->x87, 0) : float80_indefinite(), bytes);
    store_block(cpu, uop, in, bytes, full ? flags : X87_IE | X87_SF);
}

static inline void store_to_register(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                     bool pop)
{
    struct x87_state *x87 = &cpu->x87;
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    x87_note(cpu, uop, in);
    struct float80 value = x87_get(x87, 0);
    bool done = true;
    if (UNLIKELY(!x87_is_full(x87, 0))) {
        done = x87_underflow(cpu);
        value = float80_indefinite();
    } else {
        x87_set_codes(x87, X87_C1, 0);
    }
    if (done) {
        x87_put(x87, uop->number, value);
        if (pop) {
            x87_pop(x87);
        }
    }
    uop_next(cpu, uop, in);
}

/* D9 D8+i, an undocumented FSTP: without a stack underflow, ST(i) stays as it is when ST(0) is empty. */
static void store_register_unchecked_pop(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    struct x87_state *x87 = &cpu->x87;
    if (x87_enter(cpu, uop, in)) {
        x87_note(cpu, uop, in);
        if (x87_is_full(x87, 0)) {
            x87_put(x87, uop->number, x87_get(x87, 0));
        }
        x87_set_codes(x87, X87_C1, 0);
        x87_pop(x87);
        uop_next(cpu, uop, in);
    }
}

STORE_HANDLER(store_register, store_to_register, false)
STORE_HANDLER(store_register_pop, store_to_register, true)

uop_handler *select_x87_store(const struct insn *insn, const struct cpu_model *model)
{
    unsigned size = insn->operand[0].size;
    bool memory = operand_in_memory(insn, 0);
    if (!cpu_model_has(model, FEATURE_FPU)) {
        return select_escape(insn, model);
    }
    switch (insn->id) {
    case INSN_FST: return !memory ? store_register : size == 4 ? store_float32 : store_float64;
    case INSN_FSTP:
        if (!memory) {
            return insn->opcode == 0xd9 ? store_register_unchecked_pop : store_register_pop;
        }
        return size == 4 ? store_float32_pop : size == 8 ? store_float64_pop : store_float80_pop;
    case INSN_FIST: return size == 2 ? store_int16 : store_int32;
    case INSN_FISTP: return size == 2 ? store_int16_pop : size == 4 ? store_int32_pop : store_int64_pop;
    case INSN_FISTTP:
        return size == 2 ? truncate_int16_pop : size == 4 ? truncate_int32_pop : truncate_int64_pop;
    default: return store_decimal_pop;
    }
}

/* ---- between registers
 * ---------------------------------------------------------------------------------------------------------
 */

static void exchange(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    struct x87_state *x87 = &cpu->x87;
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    x87_note(cpu, uop, in);
    struct float80 top = x87_get(x87, 0);
    struct float80 other = x87_get(x87, uop->number);
    bool done = true;
    x87_set_codes(x87, X87_C1, 0);
    if (UNLIKELY(!x87_is_full(x87, 0) || !x87_is_full(x87, uop->number))) {
        done = x87_underflow(cpu);
        top = x87_is_full(x87, 0) ? top : float80_indefinite();
        other = x87_is_full(x87, uop->number) ? other : float80_indefinite();
    }
    if (done) {
        x87_put(x87, uop->number, top);
        x87_put(x87, 0, other);
    }
    uop_next(cpu, uop, in);
}

/* Conditions B, E, BE, U as Jcc numbers them. */
static inline void conditional_move(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                    unsigned condition)
{
    struct x87_state *x87 = &cpu->x87;
    if (!x87_enter(cpu, uop, in)) {
        return;
    }
    x87_note(cpu, uop, in);
    if (UNLIKELY(!x87_is_full(x87, 0) || !x87_is_full(x87, uop->number))) {
        if (x87_underflow(cpu)) {
            x87_put(x87, 0, float80_indefinite());
        }
    } else if (flags_condition(&cpu->flags, condition)) {
        x87_put(x87, 0, x87_get(x87, uop->number));
    }
    uop_next(cpu, uop, in);
}

STORE_HANDLER(move_below, conditional_move, 2)
STORE_HANDLER(move_not_below, conditional_move, 3)
STORE_HANDLER(move_equal, conditional_move, 4)
STORE_HANDLER(move_not_equal, conditional_move, 5)
STORE_HANDLER(move_below_equal, conditional_move, 6)
STORE_HANDLER(move_not_below_equal, conditional_move, 7)
STORE_HANDLER(move_unordered, conditional_move, 10)
STORE_HANDLER(move_ordered, conditional_move, 11)

uop_handler *select_x87_move(const struct insn *insn, const struct cpu_model *model)
{
    if (!cpu_model_has(model, FEATURE_FPU)) {
        return select_escape(insn, model);
    }
    switch (insn->id) {
    case INSN_FXCH: return exchange;
    case INSN_FCMOVB: return move_below;
    case INSN_FCMOVNB: return move_not_below;
    case INSN_FCMOVE: return move_equal;
    case INSN_FCMOVNE: return move_not_equal;
    case INSN_FCMOVBE: return move_below_equal;
    case INSN_FCMOVNBE: return move_not_below_equal;
    case INSN_FCMOVU: return move_unordered;
    default: return move_ordered;
    }
}

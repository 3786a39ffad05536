/* Shifts and rotates (SDM 2: ROL ROR RCL RCR SHL SHR SAR SHLD SHRD; 8086: SETMO).
 *
 * A count of zero (after masking) changes nothing, flags included. What the SDM leaves undefined is as the
 * processor's habits say (cpu/habits.h): OF for counts above 1 is what the last of so many steps by 1 would
 * leave (captured from an 80286), or what the first one would (measured on a Xeon of the fourth generation).
 */
#include "cpu/habits.h"
#include "interpreter/operand.h"
#include "interpreter/select.h"

static inline bool top_bit(uint64_t value, unsigned bits)
{
    return (value >> (bits - 1)) & 1;
}

/* Sets CF and OF, the result flags of a shift, and AF by habit. */
static inline void set_shift_flags(uint32_t habits, struct lazy_flags *flags, uint64_t r, unsigned bits,
                                   bool cf, bool of)
{
    flags_set_logic(flags, r, bits);
    flags_put_cf_of(flags, cf, of);
    flags->aux |= habits & HABIT_SHIFT_SETS_AF;
}

static inline uint64_t rotate(enum insn_id id, uint64_t a, unsigned count, unsigned bits,
                              struct lazy_flags *flags)
{
    uint64_t mask = bits_mask(bits);
    uint64_t r = a;
    unsigned by = count % bits;
    if (id == INSN_ROL) {
        r = by == 0 ? a : ((a << by) | (a >> (bits - by))) & mask;
        flags_put_cf_of(flags, r & 1, (r & 1) != top_bit(r, bits));
    } else {
        r = by == 0 ? a : ((a >> by) | (a << (bits - by))) & mask;
        flags_put_cf_of(flags, top_bit(r, bits), top_bit(r, bits) != top_bit(r, bits - 1));
    }
    return r;
}

static inline uint64_t rotate_through_carry(enum insn_id id, uint64_t a, unsigned count, unsigned bits,
                                            struct lazy_flags *flags)
{
    unsigned by = count % (bits + 1);
    bool carry = flags_cf(flags);
    uint64_t mask = bits_mask(bits);
    uint64_t r = a;
    if (id == INSN_RCL) {
        for (unsigned i = 0; i < by; i++) {
            bool out = top_bit(r, bits);
            r = ((r << 1) | carry) & mask;
            carry = out;
        }
        flags_put_cf_of(flags, carry, top_bit(r, bits) != carry);
    } else {
        for (unsigned i = 0; i < by; i++) {
            bool out = r & 1;
            r = (r >> 1) | ((uint64_t)carry << (bits - 1));
            carry = out;
        }
        flags_put_cf_of(flags, carry, top_bit(r, bits) != top_bit(r, bits - 1));
    }
    return r;
}

static inline uint64_t shift(uint32_t habits, enum insn_id id, uint64_t a, unsigned count, unsigned bits,
                             struct lazy_flags *flags)
{
    uint64_t mask = bits_mask(bits);
    uint64_t r;
    bool cf;
    if (id == INSN_SHL) {
        r = count >= bits ? 0 : (a << count) & mask;
        cf = count <= bits && ((a >> (bits - count)) & 1);
        set_shift_flags(habits, flags, r, bits, cf, top_bit(r, bits) != cf);
    } else if (id == INSN_SHR) {
        r = count >= bits ? 0 : a >> count;
        cf = count <= bits && ((a >> (count - 1)) & 1);
        set_shift_flags(habits, flags, r, bits, cf, top_bit(r, bits) != top_bit(r, bits - 1));
    } else {
        int64_t wide = (int64_t)bits_sign_extend(a, bits);
        unsigned by = count > 63 ? 63 : count;
        r = (uint64_t)(wide >> by) & mask;
        cf = (wide >> (by - 1)) & 1;
        set_shift_flags(habits, flags, r, bits, cf, false);
    }
    return r;
}

/* The 8086's undocumented /6: all ones. */
static inline uint64_t set_minus_one(unsigned bits, struct lazy_flags *flags)
{
    flags_set_logic(flags, bits_mask(bits), bits);
    return bits_mask(bits);
}

/* OF of a shift of `a` by 1. */
static inline bool first_overflow(enum insn_id id, uint64_t a, unsigned bits, bool carry)
{
    bool top = top_bit(a, bits);
    switch (id) {
    case INSN_ROL:
    case INSN_RCL:
    case INSN_SHL: return top != top_bit(a, bits - 1);
    case INSN_ROR: return top != (a & 1);
    case INSN_RCR: return top != carry;
    case INSN_SHR: return top;
    default: return false;
    }
}

/* Rotations that leave OF alone: those of a register by an immediate, and whole ones through CF. */
static inline bool keeps_overflow(enum insn_id id, unsigned count, unsigned bits, bool immediate)
{
    switch (id) {
    case INSN_ROL:
    case INSN_ROR: return immediate;
    case INSN_RCL:
    case INSN_RCR: return count % (bits + 1) == 0;
    default: return false;
    }
}

/* count > 0 */
static inline uint64_t shift_by_steps(uint32_t habits, enum insn_id id, uint64_t a, unsigned count,
                                      unsigned bits, struct lazy_flags *flags)
{
    switch (id) {
    case INSN_ROL:
    case INSN_ROR: return rotate(id, a, count, bits, flags);
    case INSN_RCL:
    case INSN_RCR: return rotate_through_carry(id, a, count, bits, flags);
    case INSN_SETMO: return set_minus_one(bits, flags);
    default: return shift(habits, id, a, count, bits, flags);
    }
}

/* `immediate`: a register is shifted by an immediate. */
static inline uint64_t shift_result(uint32_t habits, enum insn_id id, uint64_t a, unsigned count,
                                    unsigned width, bool immediate, struct lazy_flags *flags)
{
    unsigned bits = width * 8;
    const struct lazy_flags before = *flags;
    uint64_t r = shift_by_steps(habits, id, a, count, bits, flags);
    if (count > 1 && id != INSN_SETMO && !(habits & HABIT_SHIFT_OVERFLOW_OF_LAST_STEP)) {
        bool of = keeps_overflow(id, count, bits, immediate) ? flags_of(&before)
                                                             : first_overflow(id, a, bits, flags_cf(&before));
        flags_put_cf_of(flags, flags_cf(flags), of);
    }
    return r;
}

static inline void shift_register(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                  enum insn_id id, unsigned count, unsigned width, bool immediate)
{
    if (count != 0) {
        uint64_t a = register_read(cpu, uop->destination, width);
        register_write(cpu, uop->destination, width,
                       shift_result(cpu->habits, id, a, count, width, immediate, &cpu->flags));
    }
    uop_next(cpu, uop, in);
}

static inline void shift_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                enum insn_id id, unsigned count, unsigned width)
{
    uint64_t a = memory_load_for_update(cpu, uop, in, width);
    if (count != 0) {
        struct lazy_flags flags = cpu->flags;
        uint64_t r = shift_result(cpu->habits, id, a, count, width, false, &flags);
        memory_store(cpu, uop, in, width, r);
        cpu->flags = flags;
    }
    uop_next(cpu, uop, in);
}

/* The count in CL as the model masks it; an immediate was masked at decode. */
static inline unsigned count_in_cl(const struct cpu_state *cpu)
{
    unsigned count = cpu->gpr[CPU_CX].l;
    return cpu->model->shift_count_unmasked ? count : count & 31;
}

#define SHIFT_HANDLERS(ID, width)                                                                            \
    static void ID##_ri_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)        \
    {                                                                                                        \
        shift_register(cpu, uop, in, INSN_##ID, uop->number, width, true);                                   \
    }                                                                                                        \
    static void ID##_rc_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)        \
    {                                                                                                        \
        shift_register(cpu, uop, in, INSN_##ID, count_in_cl(cpu), width, false);                             \
    }                                                                                                        \
    static void ID##_mi_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)        \
    {                                                                                                        \
        shift_memory(cpu, uop, in, INSN_##ID, uop->number, width);                                           \
    }                                                                                                        \
    static void ID##_mc_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)        \
    {                                                                                                        \
        shift_memory(cpu, uop, in, INSN_##ID, count_in_cl(cpu), width);                                      \
    }
#define SHIFT_OPERATION(ID) SHIFT_HANDLERS(ID, 1) SHIFT_HANDLERS(ID, 2) SHIFT_HANDLERS(ID, 4)

SHIFT_OPERATION(ROL)
SHIFT_OPERATION(ROR)
SHIFT_OPERATION(RCL)
SHIFT_OPERATION(RCR)
SHIFT_OPERATION(SHL)
SHIFT_OPERATION(SHR)
SHIFT_OPERATION(SAR)
SHIFT_OPERATION(SETMO)

#define SHIFT_ROW(ID, form)                                                                                  \
    {                                                                                                        \
        ID##_##form##_1, ID##_##form##_2, ID##_##form##_4                                                    \
    }
#define SHIFT_ROWS(ID)                                                                                       \
    [INSN_##ID] = {SHIFT_ROW(ID, ri), SHIFT_ROW(ID, rc), SHIFT_ROW(ID, mi), SHIFT_ROW(ID, mc)}

/* [memory * 2 + count in CL][width] */
static uop_handler *const shift_handlers[INSN_COUNT][4][3] = {
    SHIFT_ROWS(ROL), SHIFT_ROWS(ROR), SHIFT_ROWS(RCL), SHIFT_ROWS(RCR),
    SHIFT_ROWS(SHL), SHIFT_ROWS(SHR), SHIFT_ROWS(SAR), SHIFT_ROWS(SETMO),
};

uop_handler *select_shift(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    bool by_cl = insn->operand[1].kind == OPERAND_REGISTER;
    return shift_handlers[insn->id][2 * operand_in_memory(insn, 0) + by_cl]
                         [width_index(insn->operand[0].size)];
}

/* ---- SHLD, SHRD */

/* A 16-bit operand with a count above 16 is undefined: processors go on with the bits of one of the two. */
static uint64_t double_shift_result(uint32_t habits, enum insn_id id, uint64_t a, uint64_t b, unsigned count,
                                    unsigned width, struct lazy_flags *flags)
{
    unsigned bits = width * 8;
    bool repeats_source = bits == 16 && (habits & HABIT_DOUBLE_SHIFT_REPEATS_SOURCE);
    uint64_t beyond = repeats_source ? b : a;
    uint64_t r;
    bool cf, first_of, last_of;
    if (id == INSN_SHLD) {
        uint64_t wide = bits == 16 ? a << 32 | b << 16 | beyond : a << 32 | b;
        r = (wide << count >> 32) & bits_mask(bits);
        cf = (bits == 32 || repeats_source ? a << count >> bits : wide << count >> 48) & 1;
        first_of = top_bit(a, bits) != top_bit(a, bits - 1);
        last_of = top_bit(a << count, bits) != cf;
    } else {
        uint64_t wide = bits == 16 ? beyond << 32 | b << 16 | a : b << 32 | a;
        r = (wide >> count) & bits_mask(bits);
        cf = (repeats_source ? a : wide) >> (count - 1) & 1;
        first_of = top_bit(a, bits) != (b & 1);
        last_of = top_bit(r, bits) != top_bit(r, bits - 1);
    }
    set_shift_flags(habits, flags, r, bits, cf,
                    habits & HABIT_DOUBLE_SHIFT_OVERFLOW_OF_LAST_STEP ? last_of : first_of);
    return r;
}

static void double_shift(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, bool memory,
                         bool by_cl)
{
    unsigned width = uop->operand_size;
    unsigned count = (by_cl ? cpu->gpr[CPU_CX].l : (unsigned)uop->immediate) & 31;
    uint64_t a = operand_read_for_update(cpu, uop, in, memory, uop->destination, width);
    if (count != 0) {
        uint64_t b = register_read(cpu, uop->source, width);
        struct lazy_flags flags = cpu->flags;
        uint64_t r = double_shift_result(cpu->habits, (enum insn_id)uop->insn, a, b, count, width, &flags);
        operand_write(cpu, uop, in, memory, uop->destination, width, r);
        cpu->flags = flags;
    }
    uop_next(cpu, uop, in);
}

static void double_shift_ri(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    double_shift(cpu, uop, in, false, false);
}

static void double_shift_rc(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    double_shift(cpu, uop, in, false, true);
}

static void double_shift_mi(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    double_shift(cpu, uop, in, true, false);
}

static void double_shift_mc(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    double_shift(cpu, uop, in, true, true);
}

uop_handler *select_double_shift(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    bool by_cl = insn->operand[2].kind == OPERAND_REGISTER;
    if (operand_in_memory(insn, 0)) {
        return by_cl ? double_shift_mc : double_shift_mi;
    }
    return by_cl ? double_shift_rc : double_shift_ri;
}

/* Multiplication, division and decimal adjustment (SDM 2: MUL IMUL DIV IDIV AAA AAS AAD AAM DAA DAS). */
#include "cpu/habits.h"
#include "interpreter/operand.h"
#include "interpreter/select.h"

/* ---- MUL, IMUL */

/* CF = OF = the upper half is significant. SF, ZF, AF and PF are undefined: SF and PF follow the low half and
 * the others are 0, unless the processor is in the habit of leaving them alone. */
static inline void set_multiply_flags(struct cpu_state *cpu, uint64_t low, unsigned width, bool significant)
{
    if (!(cpu->habits & HABIT_MULTIPLY_KEEPS_FLAGS)) {
        flags_set_logic(&cpu->flags, low, width * 8);
        cpu->flags.result |= (uint64_t)(cpu->flags.result == 0) << 8;
    }
    flags_put_cf_of(&cpu->flags, significant, significant);
}

/* AX = AL * b, DX:AX = AX * b, EDX:EAX = EAX * b. */
static void multiply_accumulator(struct cpu_state *cpu, uint64_t b, unsigned width, bool is_signed)
{
    unsigned bits = width * 8;
    uint64_t a = cpu->gpr[CPU_AX].d & bits_mask(bits);
    uint64_t product = is_signed ? bits_sign_extend(a, bits) * bits_sign_extend(b, bits) : a * b;
    uint64_t low = product & bits_mask(bits);
    uint64_t high = (product >> bits) & bits_mask(bits);
    uint64_t insignificant = is_signed && (low >> (bits - 1)) ? bits_mask(bits) : 0;
    if (width == 1) {
        cpu->gpr[CPU_AX].w = (uint16_t)product;
    } else {
        gpr_write(cpu, CPU_AX, width, (uint32_t)low);
        gpr_write(cpu, CPU_DX, width, (uint32_t)high);
    }
    set_multiply_flags(cpu, low, width, high != insignificant);
}

static inline uint32_t multiply_signed(struct cpu_state *cpu, uint64_t a, uint64_t b, unsigned width)
{
    unsigned bits = width * 8;
    uint64_t product = bits_sign_extend(a, bits) * bits_sign_extend(b, bits);
    set_multiply_flags(cpu, product, width, bits_sign_extend(product, bits) != product);
    return (uint32_t)product;
}

#define MULTIPLY_HANDLERS(width)                                                                             \
    static void mul_r_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)          \
    {                                                                                                        \
        multiply_accumulator(cpu, register_read(cpu, uop->destination, width), width, false);                \
        uop_next(cpu, uop, in);                                                                              \
    }                                                                                                        \
    static void mul_m_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)          \
    {                                                                                                        \
        multiply_accumulator(cpu, memory_load(cpu, uop, in, width), width, false);                           \
        uop_next(cpu, uop, in);                                                                              \
    }                                                                                                        \
    static void imul_r_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)         \
    {                                                                                                        \
        multiply_accumulator(cpu, register_read(cpu, uop->destination, width), width, true);                 \
        uop_next(cpu, uop, in);                                                                              \
    }                                                                                                        \
    static void imul_m_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)         \
    {                                                                                                        \
        multiply_accumulator(cpu, memory_load(cpu, uop, in, width), width, true);                            \
        uop_next(cpu, uop, in);                                                                              \
    }

MULTIPLY_HANDLERS(1)
MULTIPLY_HANDLERS(2)
MULTIPLY_HANDLERS(4)

#define MULTIPLY_TO_REGISTER(width)                                                                          \
    static void imul_rr_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)        \
    {                                                                                                        \
        uint64_t a = register_read(cpu, uop->destination, width);                                            \
        uint64_t b = register_read(cpu, uop->source, width);                                                 \
        register_write(cpu, uop->destination, width, multiply_signed(cpu, a, b, width));                     \
        uop_next(cpu, uop, in);                                                                              \
    }                                                                                                        \
    static void imul_rm_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)        \
    {                                                                                                        \
        uint64_t a = register_read(cpu, uop->destination, width);                                            \
        uint64_t b = memory_load(cpu, uop, in, width);                                                       \
        register_write(cpu, uop->destination, width, multiply_signed(cpu, a, b, width));                     \
        uop_next(cpu, uop, in);                                                                              \
    }                                                                                                        \
    static void imul_rri_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)       \
    {                                                                                                        \
        uint64_t a = register_read(cpu, uop->source, width);                                                 \
        register_write(cpu, uop->destination, width, multiply_signed(cpu, a, uop->immediate, width));        \
        uop_next(cpu, uop, in);                                                                              \
    }                                                                                                        \
    static void imul_rmi_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)       \
    {                                                                                                        \
        uint64_t a = memory_load(cpu, uop, in, width);                                                       \
        register_write(cpu, uop->destination, width, multiply_signed(cpu, a, uop->immediate, width));        \
        uop_next(cpu, uop, in);                                                                              \
    }

MULTIPLY_TO_REGISTER(2)
MULTIPLY_TO_REGISTER(4)

uop_handler *select_multiply(const struct insn *insn, const struct cpu_model *model)
{
    static uop_handler *const accumulator[2][2][3] = {
        {{mul_r_1, mul_r_2, mul_r_4}, {mul_m_1, mul_m_2, mul_m_4}},
        {{imul_r_1, imul_r_2, imul_r_4}, {imul_m_1, imul_m_2, imul_m_4}},
    };
    (void)model;
    unsigned width = width_index(insn->operand[0].size);
    bool wide = insn->operand_size == 4;
    switch (insn->operand_count) {
    case 1: return accumulator[insn->id == INSN_IMUL][operand_in_memory(insn, 0)][width];
    case 2:
        if (operand_in_memory(insn, 1)) {
            return wide ? imul_rm_4 : imul_rm_2;
        }
        return wide ? imul_rr_4 : imul_rr_2;
    default:
        if (operand_in_memory(insn, 1)) {
            return wide ? imul_rmi_4 : imul_rmi_2;
        }
        return wide ? imul_rri_4 : imul_rri_2;
    }
}

/* ---- DIV, IDIV */

static _Noreturn void divide_error(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_sync(cpu, in);
    if (cpu->model->divide_error_after) {
        /* The 8086 returns from a divide error to the next instruction. */
        cpu->rip = uop_next_rip(uop, in);
        in->block_rip = cpu->rip - uop->offset;
    }
    cpu_raise(cpu, VECTOR_DE);
}

/* The flags, which are all undefined. */
static inline void set_divide_flags(struct cpu_state *cpu)
{
    if (cpu->habits & HABIT_DIVIDE_SETS_FLAGS) {
        cpu->flags.result = 1; /* positive, not zero, odd parity */
        cpu->flags.aux = (cpu->flags.aux & (LAZY_CF | LAZY_OF_CARRY)) | LAZY_AF;
    }
}

struct quotient {
    bool overflow;
    uint64_t quotient;
    uint64_t remainder;
};

static inline struct quotient divide_unsigned(uint64_t dividend, uint64_t divisor, unsigned bits)
{
    if (divisor == 0 || dividend / divisor > bits_mask(bits)) {
        return (struct quotient){.overflow = true};
    }
    return (struct quotient){false, dividend / divisor, dividend % divisor};
}

static inline struct quotient divide_signed(int64_t dividend, int64_t divisor, unsigned bits,
                                            bool reject_minimum)
{
    if (divisor == 0 || (dividend == INT64_MIN && divisor == -1)) {
        return (struct quotient){.overflow = true};
    }
    int64_t quotient = dividend / divisor;
    int64_t highest = (int64_t)bits_mask(bits - 1);
    int64_t lowest = reject_minimum ? -highest : -highest - 1;
    if (quotient > highest || quotient < lowest) {
        return (struct quotient){.overflow = true};
    }
    return (struct quotient){false, (uint64_t)quotient, (uint64_t)(dividend % divisor)};
}

static void divide(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, uint64_t divisor,
                   unsigned width, bool is_signed)
{
    unsigned bits = width * 8;
    uint64_t dividend = width == 1
                            ? cpu->gpr[CPU_AX].w
                            : (uint64_t)gpr_read(cpu, CPU_DX, width) << bits | gpr_read(cpu, CPU_AX, width);
    struct quotient result;
    if (is_signed) {
        result =
            divide_signed((int64_t)bits_sign_extend(dividend, 2 * bits),
                          (int64_t)bits_sign_extend(divisor, bits), bits, cpu->model->idiv_rejects_minimum);
    } else {
        result = divide_unsigned(dividend, divisor, bits);
    }
    if (result.overflow) {
        divide_error(cpu, uop, in);
    }
    if (is_signed && width <= 2 && cpu->model->generation <= CPU_80186 && uop->number != 0) {
        /* A repeat prefix sets the microcode flag that IDIV uses for the sign of the quotient. */
        result.quotient = 0 - result.quotient;
    }
    if (width == 1) {
        cpu->gpr[CPU_AX].l = (uint8_t)result.quotient;
        cpu->gpr[CPU_AX].h = (uint8_t)result.remainder;
    } else {
        gpr_write(cpu, CPU_AX, width, (uint32_t)result.quotient);
        gpr_write(cpu, CPU_DX, width, (uint32_t)result.remainder);
    }
    set_divide_flags(cpu);
    uop_next(cpu, uop, in);
}

#define DIVIDE_HANDLERS(width)                                                                               \
    static void div_r_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)          \
    {                                                                                                        \
        divide(cpu, uop, in, register_read(cpu, uop->destination, width), width, false);                     \
    }                                                                                                        \
    static void div_m_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)          \
    {                                                                                                        \
        divide(cpu, uop, in, memory_load(cpu, uop, in, width), width, false);                                \
    }                                                                                                        \
    static void idiv_r_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)         \
    {                                                                                                        \
        divide(cpu, uop, in, register_read(cpu, uop->destination, width), width, true);                      \
    }                                                                                                        \
    static void idiv_m_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)         \
    {                                                                                                        \
        divide(cpu, uop, in, memory_load(cpu, uop, in, width), width, true);                                 \
    }

DIVIDE_HANDLERS(1)
DIVIDE_HANDLERS(2)
DIVIDE_HANDLERS(4)

uop_handler *select_divide(const struct insn *insn, const struct cpu_model *model)
{
    static uop_handler *const handlers[2][2][3] = {
        {{div_r_1, div_r_2, div_r_4}, {div_m_1, div_m_2, div_m_4}},
        {{idiv_r_1, idiv_r_2, idiv_r_4}, {idiv_m_1, idiv_m_2, idiv_m_4}},
    };
    (void)model;
    return handlers[insn->id == INSN_IDIV][operand_in_memory(insn, 0)][width_index(insn->operand[0].size)];
}

/* ---- decimal and ASCII adjustment */

static void set_carry_and_adjust(struct cpu_state *cpu, uint8_t result, bool cf, bool af)
{
    flags_set_logic(&cpu->flags, result, 8);
    flags_put_cf_of(&cpu->flags, cf, false);
    cpu->flags.aux |= af ? LAZY_AF : 0;
}

static void aaa_aas(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, int sign)
{
    bool adjust = (cpu->gpr[CPU_AX].l & 0xf) > 9 || flags_af(&cpu->flags);
    if (adjust) {
        if (cpu->model->generation >= CPU_80286) {
            cpu->gpr[CPU_AX].w = (uint16_t)(cpu->gpr[CPU_AX].w + sign * 0x106);
        } else {
            /* no carry from AL into AH */
            cpu->gpr[CPU_AX].l = (uint8_t)(cpu->gpr[CPU_AX].l + sign * 6);
            cpu->gpr[CPU_AX].h = (uint8_t)(cpu->gpr[CPU_AX].h + sign);
        }
    }
    cpu->gpr[CPU_AX].l &= 0xf;
    set_carry_and_adjust(cpu, cpu->gpr[CPU_AX].l, adjust, adjust);
    uop_next(cpu, uop, in);
}

static void aaa(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    aaa_aas(cpu, uop, in, 1);
}

static void aas(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    aaa_aas(cpu, uop, in, -1);
}

static void aad(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint8_t product = (uint8_t)(cpu->gpr[CPU_AX].h * (uint8_t)uop->immediate);
    uint8_t al = cpu->gpr[CPU_AX].l;
    uint8_t sum = (uint8_t)(al + product);
    cpu->gpr[CPU_AX].w = sum;
    flags_set_add(&cpu->flags, al, product, sum, 8);
    uop_next(cpu, uop, in);
}

static void aam(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint8_t base = (uint8_t)uop->immediate;
    if (base == 0) {
        flags_set_logic(&cpu->flags, 0, 8);
        divide_error(cpu, uop, in);
    }
    uint8_t al = cpu->gpr[CPU_AX].l;
    cpu->gpr[CPU_AX].h = al / base;
    cpu->gpr[CPU_AX].l = al % base;
    flags_set_logic(&cpu->flags, cpu->gpr[CPU_AX].l, 8);
    uop_next(cpu, uop, in);
}

static void daa_das(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, int sign)
{
    uint8_t al = cpu->gpr[CPU_AX].l;
    bool af = flags_af(&cpu->flags);
    bool cf = flags_cf(&cpu->flags);
    bool low = (al & 0xf) > 9 || af;
    /* The 8086 lets an auxiliary carry raise the limit (as its manuals do not say). */
    uint8_t limit = cpu->model->generation < CPU_80286 && af ? 0x9f : 0x99;
    bool high = al > limit || cf;
    uint8_t r = al;
    bool borrow = false;
    if (low) {
        borrow = sign < 0 && al < 6;
        r = (uint8_t)(r + sign * 6);
    }
    if (high) {
        r = (uint8_t)(r + sign * 0x60);
    }
    bool carry = high || (borrow && cpu->model->generation >= CPU_80286);
    cpu->gpr[CPU_AX].l = r;
    set_carry_and_adjust(cpu, r, carry, low);
    uop_next(cpu, uop, in);
}

static void daa(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    daa_das(cpu, uop, in, 1);
}

static void das(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    daa_das(cpu, uop, in, -1);
}

uop_handler *select_decimal(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    switch (insn->id) {
    case INSN_AAA: return aaa;
    case INSN_AAS: return aas;
    case INSN_AAD: return aad;
    case INSN_AAM: return aam;
    case INSN_DAA: return daa;
    default: return das;
    }
}

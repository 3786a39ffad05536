/* Bit tests and scans, exchange-and-add, flag bits (SDM 2: BT BTS BTR BTC BSF BSR POPCNT XADD CMPXCHG
 * CMPXCHG8B CLC STC CMC CLD STD LAHF SAHF SALC). */
#include "interpreter/operand.h"
#include "interpreter/select.h"

/* ---- BT, BTS, BTR, BTC */

static uint64_t changed_bit(enum insn_id id, uint64_t value, uint64_t bit)
{
    switch (id) {
    case INSN_BTS: return value | bit;
    case INSN_BTR: return value & ~bit;
    case INSN_BTC: return value ^ bit;
    default: return value;
    }
}

static void bit_test_register(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                              uint64_t index)
{
    unsigned width = uop->operand_size;
    uint64_t bit = (uint64_t)1 << (index & (width * 8 - 1));
    uint64_t value = register_read(cpu, uop->destination, width);
    if (uop->insn != INSN_BT) {
        register_write(cpu, uop->destination, width, changed_bit((enum insn_id)uop->insn, value, bit));
    }
    flags_put_cf(&cpu->flags, (value & bit) != 0);
    uop_next(cpu, uop, in);
}

/* A register index reaches beyond the operand: it is a signed bit offset from the effective address. */
static void bit_test_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                            int64_t index, bool string)
{
    unsigned width = uop->operand_size;
    unsigned bits = width * 8;
    int64_t units = string ? index >> (width == 2 ? 4 : 5) : 0;
    uint32_t offset =
        (uint32_t)(effective_address(cpu, uop) + (uint64_t)(units * (int64_t)width)) & uop_address_mask(uop);
    uint64_t bit = (uint64_t)1 << ((uint64_t)index & (bits - 1));
    uint64_t value = uop->insn == INSN_BT ? segment_load(cpu, in, uop->segment, offset, width)
                                          : segment_load_for_update(cpu, in, uop->segment, offset, width);
    if (uop->insn != INSN_BT) {
        segment_store(cpu, in, uop->segment, offset, width, changed_bit((enum insn_id)uop->insn, value, bit));
    }
    flags_put_cf(&cpu->flags, (value & bit) != 0);
    uop_next(cpu, uop, in);
}

static void bit_test_rr(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    bit_test_register(cpu, uop, in, register_read(cpu, uop->source, uop->operand_size));
}

static void bit_test_ri(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    bit_test_register(cpu, uop, in, uop->immediate);
}

static void bit_test_mr(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    unsigned width = uop->operand_size;
    uint64_t index = bits_sign_extend(register_read(cpu, uop->source, width), width * 8);
    bit_test_memory(cpu, uop, in, (int64_t)index, true);
}

static void bit_test_mi(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    bit_test_memory(cpu, uop, in, (int64_t)(uop->immediate & 0xff), false);
}

uop_handler *select_bit_test(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    bool immediate = insn->operand[1].kind == OPERAND_IMMEDIATE;
    if (operand_in_memory(insn, 0)) {
        return immediate ? bit_test_mi : bit_test_mr;
    }
    return immediate ? bit_test_ri : bit_test_rr;
}

/* ---- BSF, BSR, TZCNT, LZCNT, POPCNT */

/* A zero source leaves the destination as it was (undefined by the SDM; processors do this). Only ZF is
 * defined; as on Intel's processors PF is that of the index, and the others are 0. */
static void bit_scan(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, bool memory)
{
    unsigned width = uop->operand_size;
    uint32_t value = (uint32_t)operand_read(cpu, uop, in, memory, uop->source, width);
    bool reverse = uop->insn == INSN_BSR || uop->insn == INSN_LZCNT;
    cpu->flags = (struct lazy_flags){0};
    if (value != 0) {
        unsigned index = (unsigned)(reverse ? 31 - __builtin_clz(value) : __builtin_ctz(value));
        register_write(cpu, uop->destination, width, index);
        cpu->flags.result = index | 0x100;
    }
    uop_next(cpu, uop, in);
}

static void bit_scan_r(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    bit_scan(cpu, uop, in, false);
}

static void bit_scan_m(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    bit_scan(cpu, uop, in, true);
}

/* TZCNT and LZCNT come here too: no model has them, and the encodings then run as BSF and BSR. */
uop_handler *select_bit_scan(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return operand_in_memory(insn, 1) ? bit_scan_m : bit_scan_r;
}

static void popcnt(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, bool memory)
{
    unsigned width = uop->operand_size;
    uint32_t value = (uint32_t)operand_read(cpu, uop, in, memory, uop->source, width);
    register_write(cpu, uop->destination, width, (uint64_t)__builtin_popcount(value));
    flags_from_eflags(&cpu->flags, value == 0 ? EFLAGS_ZF : 0);
    uop_next(cpu, uop, in);
}

static void popcnt_r(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    popcnt(cpu, uop, in, false);
}

static void popcnt_m(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    popcnt(cpu, uop, in, true);
}

uop_handler *select_popcnt(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return operand_in_memory(insn, 1) ? popcnt_m : popcnt_r;
}

/* ---- XADD, CMPXCHG, CMPXCHG8B */

static inline void exchange_add(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                bool memory, unsigned width)
{
    uint64_t a = operand_read_for_update(cpu, uop, in, memory, uop->destination, width);
    uint64_t b = register_read(cpu, uop->source, width);
    uint64_t r = a + b;
    if (memory) {
        memory_store(cpu, uop, in, width, r);
        register_write(cpu, uop->source, width, a);
    } else {
        register_write(cpu, uop->source, width, a);
        register_write(cpu, uop->destination, width, r);
    }
    flags_set_add(&cpu->flags, a, b, r, width * 8);
    uop_next(cpu, uop, in);
}

/* The destination is written in either case (SDM 2, CMPXCHG). */
static inline void compare_exchange(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                    bool memory, unsigned width)
{
    uint64_t old = operand_read_for_update(cpu, uop, in, memory, uop->destination, width);
    uint64_t accumulator = width == 1 ? cpu->gpr[CPU_AX].l : gpr_read(cpu, CPU_AX, width);
    bool equal = old == accumulator;
    uint64_t new_value = equal ? register_read(cpu, uop->source, width) : old;
    operand_write(cpu, uop, in, memory, uop->destination, width, new_value);
    if (!equal && width == 1) {
        cpu->gpr[CPU_AX].l = (uint8_t)old;
    } else if (!equal) {
        gpr_write(cpu, CPU_AX, width, (uint32_t)old);
    }
    flags_set_sub(&cpu->flags, accumulator, old, accumulator - old, width * 8);
    uop_next(cpu, uop, in);
}

static void compare_exchange_8b(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint64_t old = memory_load_for_update(cpu, uop, in, 8);
    uint64_t expected = (uint64_t)cpu->gpr[CPU_DX].d << 32 | cpu->gpr[CPU_AX].d;
    uint64_t replacement = (uint64_t)cpu->gpr[CPU_CX].d << 32 | cpu->gpr[CPU_BX].d;
    bool equal = old == expected;
    memory_store(cpu, uop, in, 8, equal ? replacement : old);
    if (!equal) {
        cpu->gpr[CPU_AX].d = (uint32_t)old;
        cpu->gpr[CPU_DX].d = (uint32_t)(old >> 32);
    }
    uint32_t eflags = flags_to_eflags(&cpu->flags) & ~(uint32_t)EFLAGS_ZF;
    flags_from_eflags(&cpu->flags, eflags | (equal ? EFLAGS_ZF : 0));
    uop_next(cpu, uop, in);
}

#define EXCHANGE_HANDLERS(name, width)                                                                       \
    static void name##_r_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)       \
    {                                                                                                        \
        name(cpu, uop, in, false, width);                                                                    \
    }                                                                                                        \
    static void name##_m_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)       \
    {                                                                                                        \
        name(cpu, uop, in, true, width);                                                                     \
    }

EXCHANGE_HANDLERS(exchange_add, 1)
EXCHANGE_HANDLERS(exchange_add, 2)
EXCHANGE_HANDLERS(exchange_add, 4)
EXCHANGE_HANDLERS(compare_exchange, 1)
EXCHANGE_HANDLERS(compare_exchange, 2)
EXCHANGE_HANDLERS(compare_exchange, 4)

uop_handler *select_exchange_add(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    static uop_handler *const handlers[2][2][3] = {
        {{exchange_add_r_1, exchange_add_r_2, exchange_add_r_4},
         {exchange_add_m_1, exchange_add_m_2, exchange_add_m_4}},
        {{compare_exchange_r_1, compare_exchange_r_2, compare_exchange_r_4},
         {compare_exchange_m_1, compare_exchange_m_2, compare_exchange_m_4}},
    };
    if (insn->id == INSN_CMPXCHG8B) {
        return compare_exchange_8b;
    }
    return handlers[insn->id == INSN_CMPXCHG][operand_in_memory(insn, 0)][width_index(insn->operand[0].size)];
}

/* ---- flags as such */

static void clc(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    flags_put_cf(&cpu->flags, false);
    uop_next(cpu, uop, in);
}

static void stc(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    flags_put_cf(&cpu->flags, true);
    uop_next(cpu, uop, in);
}

static void cmc(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    flags_put_cf(&cpu->flags, !flags_cf(&cpu->flags));
    uop_next(cpu, uop, in);
}

static void cld(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    cpu->eflags_other &= ~(uint32_t)EFLAGS_DF;
    uop_next(cpu, uop, in);
}

static void std_(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    cpu->eflags_other |= EFLAGS_DF;
    uop_next(cpu, uop, in);
}

static void lahf(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    cpu->gpr[CPU_AX].h = (uint8_t)(flags_to_eflags(&cpu->flags) | EFLAGS_FIXED);
    uop_next(cpu, uop, in);
}

static void sahf(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint32_t overflow = flags_of(&cpu->flags) ? EFLAGS_OF : 0;
    flags_from_eflags(&cpu->flags, overflow | (cpu->gpr[CPU_AX].h & EFLAGS_ARITHMETIC));
    uop_next(cpu, uop, in);
}

static void salc(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    cpu->gpr[CPU_AX].l = flags_cf(&cpu->flags) ? 0xff : 0;
    uop_next(cpu, uop, in);
}

uop_handler *select_flag(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    switch (insn->id) {
    case INSN_CLC: return clc;
    case INSN_STC: return stc;
    case INSN_CMC: return cmc;
    case INSN_CLD: return cld;
    case INSN_STD: return std_;
    case INSN_LAHF: return lahf;
    case INSN_SAHF: return sahf;
    default: return salc;
    }
}

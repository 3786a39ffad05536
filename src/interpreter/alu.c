/* Two-operand and one-operand integer arithmetic and logic (SDM 2: ADD ADC SUB SBB CMP AND OR XOR TEST INC
 * DEC NEG NOT).
 *
 * One handler per operation, width and operand form; the operation is a compile-time constant inside each. A
 * store to memory comes before the flags change, because it may fault. */
#include "interpreter/operand.h"
#include "interpreter/select.h"

/* The result of `a OP b`; *flags are set accordingly (`carry` is CF before). */
ALWAYS_INLINE uint64_t binary_result(enum insn_id id, uint64_t a, uint64_t b, unsigned width, bool carry,
                                     struct lazy_flags *flags)
{
    unsigned bits = width * 8;
    uint64_t r = 0;
    switch (id) {
    case INSN_ADD:
    case INSN_ADC:
        r = a + b + (id == INSN_ADC && carry);
        flags_set_add(flags, a, b, r, bits);
        break;
    case INSN_SUB:
    case INSN_CMP:
    case INSN_SBB:
        r = a - b - (id == INSN_SBB && carry);
        flags_set_sub(flags, a, b, r, bits);
        break;
    case INSN_AND:
    case INSN_TEST:
        r = a & b;
        flags_set_logic(flags, r, bits);
        break;
    case INSN_OR:
        r = a | b;
        flags_set_logic(flags, r, bits);
        break;
    default:
        r = a ^ b;
        flags_set_logic(flags, r, bits);
        break;
    }
    return r;
}

ALWAYS_INLINE bool stores_result(enum insn_id id)
{
    return id != INSN_CMP && id != INSN_TEST;
}

ALWAYS_INLINE void binary_to_register(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                      enum insn_id id, uint64_t b, unsigned width)
{
    uint64_t a = register_read(cpu, uop->destination, width);
    uint64_t r = binary_result(id, a, b, width, flags_cf(&cpu->flags), &cpu->flags);
    if (stores_result(id)) {
        register_write(cpu, uop->destination, width, r);
    }
    uop_next(cpu, uop, in);
}

ALWAYS_INLINE void binary_from_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                      uop_handler *slow, enum insn_id id, unsigned width)
{
    uint64_t b;
    if (!try_load(cpu, uop, in, slow, width, &b)) {
        slow(cpu, uop, in);
        return;
    }
    binary_to_register(cpu, uop, in, id, b, width);
}

/* CMP and TEST: nothing is stored. */
ALWAYS_INLINE void compare_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                  uop_handler *slow, enum insn_id id, unsigned width, uint64_t b)
{
    uint64_t a;
    if (!try_load(cpu, uop, in, slow, width, &a)) {
        slow(cpu, uop, in);
        return;
    }
    binary_result(id, a, b, width, false, &cpu->flags);
    uop_next(cpu, uop, in);
}

ALWAYS_INLINE void update_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                 uop_handler *slow, enum insn_id id, unsigned width, uint64_t b)
{
    bool carry = flags_cf(&cpu->flags);
    uint32_t offset = effective_address(cpu, uop);
    if (slow != NULL) {
        uint8_t *host = host_for_store(cpu, in, uop->segment, offset, width);
        if (UNLIKELY(host == NULL)) {
            slow(cpu, uop, in);
            return;
        }
        store_le(host, width, binary_result(id, load_le(host, width), b, width, carry, &cpu->flags));
    } else {
        struct lazy_flags flags;
        uint64_t a = segment_load_for_update(cpu, in, uop->segment, offset, width);
        uint64_t r = binary_result(id, a, b, width, carry, &flags);
        segment_store(cpu, in, uop->segment, offset, width, r);
        cpu->flags = flags;
    }
    uop_next(cpu, uop, in);
}

ALWAYS_INLINE void binary_to_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                    uop_handler *slow, enum insn_id id, unsigned width, bool immediate)
{
    uint64_t b = immediate ? uop->immediate : register_read(cpu, uop->source, width);
    if (stores_result(id)) {
        update_memory(cpu, uop, in, slow, id, width, b);
    } else {
        compare_memory(cpu, uop, in, slow, id, width, b);
    }
}

/* Suffixes: destination then source; r register, m memory, i immediate. */
#define BINARY_HANDLERS(ID, width)                                                                           \
    static void ID##_rr_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)        \
    {                                                                                                        \
        binary_to_register(cpu, uop, in, INSN_##ID, register_read(cpu, uop->source, width), width);          \
    }                                                                                                        \
    static void ID##_ri_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)        \
    {                                                                                                        \
        binary_to_register(cpu, uop, in, INSN_##ID, uop->immediate, width);                                  \
    }                                                                                                        \
    UOP_PAIR(ID##_rm_##width, binary_from_memory, INSN_##ID, width)                                          \
    UOP_PAIR(ID##_mr_##width, binary_to_memory, INSN_##ID, width, false)                                     \
    UOP_PAIR(ID##_mi_##width, binary_to_memory, INSN_##ID, width, true)
#define BINARY_OPERATION(ID) BINARY_HANDLERS(ID, 1) BINARY_HANDLERS(ID, 2) BINARY_HANDLERS(ID, 4)

BINARY_OPERATION(ADD)
BINARY_OPERATION(OR)
BINARY_OPERATION(ADC)
BINARY_OPERATION(SBB)
BINARY_OPERATION(AND)
BINARY_OPERATION(SUB)
BINARY_OPERATION(XOR)
BINARY_OPERATION(CMP)
BINARY_OPERATION(TEST)

enum binary_form { FORM_RR, FORM_RI, FORM_RM, FORM_MR, FORM_MI, FORM_COUNT };

#define BINARY_ROW(ID, form)                                                                                 \
    {                                                                                                        \
        ID##_##form##_1, ID##_##form##_2, ID##_##form##_4                                                    \
    }
#define BINARY_ROWS(ID)                                                                                      \
    [INSN_##ID] = {BINARY_ROW(ID, rr), BINARY_ROW(ID, ri), BINARY_ROW(ID, rm), BINARY_ROW(ID, mr),           \
                   BINARY_ROW(ID, mi)}

static uop_handler *const binary_handlers[INSN_COUNT][FORM_COUNT][3] = {
    BINARY_ROWS(ADD), BINARY_ROWS(OR),  BINARY_ROWS(ADC), BINARY_ROWS(SBB),  BINARY_ROWS(AND),
    BINARY_ROWS(SUB), BINARY_ROWS(XOR), BINARY_ROWS(CMP), BINARY_ROWS(TEST),
};

static enum binary_form binary_form(const struct insn *insn)
{
    bool immediate = insn->operand[1].kind == OPERAND_IMMEDIATE;
    if (insn->operand[0].kind == OPERAND_MEMORY) {
        return immediate ? FORM_MI : FORM_MR;
    }
    return immediate ? FORM_RI : insn->operand[1].kind == OPERAND_MEMORY ? FORM_RM : FORM_RR;
}

uop_handler *select_binary(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return binary_handlers[insn->id][binary_form(insn)][width_index(insn->operand[0].size)];
}

/* ---- one operand */

ALWAYS_INLINE uint64_t unary_result(enum insn_id id, uint64_t a, unsigned width, struct lazy_flags *flags)
{
    unsigned bits = width * 8;
    uint64_t r;
    bool carry = flags_cf(flags);
    switch (id) {
    case INSN_INC:
        r = a + 1;
        flags_set_add(flags, a, 1, r, bits);
        flags_put_cf(flags, carry);
        break;
    case INSN_DEC:
        r = a - 1;
        flags_set_sub(flags, a, 1, r, bits);
        flags_put_cf(flags, carry);
        break;
    case INSN_NEG:
        r = 0 - a;
        flags_set_sub(flags, 0, a, r, bits);
        break;
    default: r = ~a; break;
    }
    return r;
}

ALWAYS_INLINE void unary_register(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                  enum insn_id id, unsigned width)
{
    uint64_t a = register_read(cpu, uop->destination, width);
    register_write(cpu, uop->destination, width, unary_result(id, a, width, &cpu->flags));
    uop_next(cpu, uop, in);
}

ALWAYS_INLINE void unary_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                uop_handler *slow, enum insn_id id, unsigned width)
{
    uint32_t offset = effective_address(cpu, uop);
    if (slow != NULL) {
        uint8_t *host = host_for_store(cpu, in, uop->segment, offset, width);
        if (UNLIKELY(host == NULL)) {
            slow(cpu, uop, in);
            return;
        }
        store_le(host, width, unary_result(id, load_le(host, width), width, &cpu->flags));
    } else {
        uint64_t a = segment_load_for_update(cpu, in, uop->segment, offset, width);
        struct lazy_flags flags = cpu->flags;
        uint64_t r = unary_result(id, a, width, &flags);
        segment_store(cpu, in, uop->segment, offset, width, r);
        cpu->flags = flags;
    }
    uop_next(cpu, uop, in);
}

#define UNARY_HANDLERS(ID, width)                                                                            \
    static void ID##_r_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)         \
    {                                                                                                        \
        unary_register(cpu, uop, in, INSN_##ID, width);                                                      \
    }                                                                                                        \
    UOP_PAIR(ID##_m_##width, unary_memory, INSN_##ID, width)
#define UNARY_OPERATION(ID) UNARY_HANDLERS(ID, 1) UNARY_HANDLERS(ID, 2) UNARY_HANDLERS(ID, 4)

UNARY_OPERATION(INC)
UNARY_OPERATION(DEC)
UNARY_OPERATION(NEG)
UNARY_OPERATION(NOT)

#define UNARY_ROWS(ID) [INSN_##ID] = {{ID##_r_1, ID##_r_2, ID##_r_4}, {ID##_m_1, ID##_m_2, ID##_m_4}}

static uop_handler *const unary_handlers[INSN_COUNT][2][3] = {UNARY_ROWS(INC), UNARY_ROWS(DEC),
                                                              UNARY_ROWS(NEG), UNARY_ROWS(NOT)};

uop_handler *select_unary(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    bool memory = insn->operand[0].kind == OPERAND_MEMORY;
    return unary_handlers[insn->id][memory][width_index(insn->operand[0].size)];
}

/* Data movement without arithmetic (SDM 2: MOV MOVSX MOVZX LEA XCHG XLAT BSWAP CBW CWD CMOVcc SETcc NOP
 * MOVBE). */
#include "interpreter/operand.h"
#include "interpreter/select.h"

/* ---- MOV */

ALWAYS_INLINE void mov_from_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                   uop_handler *slow, unsigned width)
{
    uint64_t value;
    if (!try_load(cpu, uop, in, slow, width, &value)) {
        slow(cpu, uop, in);
        return;
    }
    register_write(cpu, uop->destination, width, value);
    uop_next(cpu, uop, in);
}

ALWAYS_INLINE void mov_to_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                 uop_handler *slow, unsigned width, bool immediate)
{
    uint64_t value = immediate ? uop->immediate : register_read(cpu, uop->source, width);
    if (!try_store(cpu, uop, in, slow, width, value)) {
        slow(cpu, uop, in);
        return;
    }
    uop_next(cpu, uop, in);
}

#define MOV_HANDLERS(width)                                                                                  \
    static void mov_rr_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)         \
    {                                                                                                        \
        register_write(cpu, uop->destination, width, register_read(cpu, uop->source, width));                \
        uop_next(cpu, uop, in);                                                                              \
    }                                                                                                        \
    static void mov_ri_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)         \
    {                                                                                                        \
        register_write(cpu, uop->destination, width, uop->immediate);                                        \
        uop_next(cpu, uop, in);                                                                              \
    }                                                                                                        \
    UOP_PAIR(mov_rm_##width, mov_from_memory, width)                                                         \
    UOP_PAIR(mov_mr_##width, mov_to_memory, width, false)                                                    \
    UOP_PAIR(mov_mi_##width, mov_to_memory, width, true)

MOV_HANDLERS(1)
MOV_HANDLERS(2)
MOV_HANDLERS(4)

uop_handler *select_mov(const struct insn *insn, const struct cpu_model *model)
{
    static uop_handler *const to_register[3][3] = {
        {mov_rr_1, mov_rr_2, mov_rr_4}, {mov_rm_1, mov_rm_2, mov_rm_4}, {mov_ri_1, mov_ri_2, mov_ri_4}};
    static uop_handler *const to_memory[2][3] = {{mov_mr_1, mov_mr_2, mov_mr_4},
                                                 {mov_mi_1, mov_mi_2, mov_mi_4}};
    (void)model;
    unsigned width = width_index(insn->operand[0].size);
    bool immediate = insn->operand[1].kind == OPERAND_IMMEDIATE;
    if (operand_in_memory(insn, 0)) {
        return to_memory[immediate][width];
    }
    return to_register[immediate ? 2 : operand_in_memory(insn, 1)][width];
}

/* ---- MOVZX, MOVSX */

#define EXTEND_HANDLERS(name, extend, from, to)                                                              \
    static void name##_r_##from##_##to(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in) \
    {                                                                                                        \
        register_write(cpu, uop->destination, to, extend(register_read(cpu, uop->source, from), from * 8));  \
        uop_next(cpu, uop, in);                                                                              \
    }                                                                                                        \
    UOP_PAIR(name##_m_##from##_##to, extend_from_memory, extend, from, to)

ALWAYS_INLINE uint64_t zero_extend(uint64_t value, unsigned bits)
{
    return value & bits_mask(bits);
}

ALWAYS_INLINE void extend_from_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                      uop_handler *slow, uint64_t (*extend)(uint64_t value, unsigned bits),
                                      unsigned from, unsigned to)
{
    uint64_t value;
    if (!try_load(cpu, uop, in, slow, from, &value)) {
        slow(cpu, uop, in);
        return;
    }
    register_write(cpu, uop->destination, to, extend(value, from * 8));
    uop_next(cpu, uop, in);
}

EXTEND_HANDLERS(movzx, zero_extend, 1, 2)
EXTEND_HANDLERS(movzx, zero_extend, 1, 4)
EXTEND_HANDLERS(movzx, zero_extend, 2, 2)
EXTEND_HANDLERS(movzx, zero_extend, 2, 4)
EXTEND_HANDLERS(movsx, bits_sign_extend, 1, 2)
EXTEND_HANDLERS(movsx, bits_sign_extend, 1, 4)
EXTEND_HANDLERS(movsx, bits_sign_extend, 2, 2)
EXTEND_HANDLERS(movsx, bits_sign_extend, 2, 4)

uop_handler *select_movx(const struct insn *insn, const struct cpu_model *model)
{
    /* [signed][from a word][to a doubleword][memory] */
    static uop_handler *const handlers[2][2][2][2] = {
        {{{movzx_r_1_2, movzx_m_1_2}, {movzx_r_1_4, movzx_m_1_4}},
         {{movzx_r_2_2, movzx_m_2_2}, {movzx_r_2_4, movzx_m_2_4}}},
        {{{movsx_r_1_2, movsx_m_1_2}, {movsx_r_1_4, movsx_m_1_4}},
         {{movsx_r_2_2, movsx_m_2_2}, {movsx_r_2_4, movsx_m_2_4}}},
    };
    (void)model;
    return handlers[insn->id == INSN_MOVSX][insn->operand[1].size == 2][insn->operand[0].size == 4]
                   [operand_in_memory(insn, 1)];
}

/* ---- LEA */

static void lea_2(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    register_write(cpu, uop->destination, 2, effective_address(cpu, uop));
    uop_next(cpu, uop, in);
}

static void lea_4(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    register_write(cpu, uop->destination, 4, effective_address(cpu, uop));
    uop_next(cpu, uop, in);
}

uop_handler *select_lea(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return insn->operand[0].size == 2 ? lea_2 : lea_4;
}

/* ---- XCHG */

#define XCHG_HANDLERS(width)                                                                                 \
    static void xchg_rr_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)        \
    {                                                                                                        \
        uint64_t a = register_read(cpu, uop->destination, width);                                            \
        register_write(cpu, uop->destination, width, register_read(cpu, uop->source, width));                \
        register_write(cpu, uop->source, width, a);                                                          \
        uop_next(cpu, uop, in);                                                                              \
    }                                                                                                        \
    static void xchg_mr_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)        \
    {                                                                                                        \
        uint64_t a = memory_load_for_update(cpu, uop, in, width);                                            \
        memory_store(cpu, uop, in, width, register_read(cpu, uop->source, width));                           \
        register_write(cpu, uop->source, width, a);                                                          \
        uop_next(cpu, uop, in);                                                                              \
    }                                                                                                        \
    static void xchg_rm_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)        \
    {                                                                                                        \
        uint64_t a = memory_load_for_update(cpu, uop, in, width);                                            \
        memory_store(cpu, uop, in, width, register_read(cpu, uop->destination, width));                      \
        register_write(cpu, uop->destination, width, a);                                                     \
        uop_next(cpu, uop, in);                                                                              \
    }

XCHG_HANDLERS(1)
XCHG_HANDLERS(2)
XCHG_HANDLERS(4)

uop_handler *select_xchg(const struct insn *insn, const struct cpu_model *model)
{
    static uop_handler *const handlers[3][3] = {{xchg_rr_1, xchg_rr_2, xchg_rr_4},
                                                {xchg_mr_1, xchg_mr_2, xchg_mr_4},
                                                {xchg_rm_1, xchg_rm_2, xchg_rm_4}};
    (void)model;
    unsigned form = operand_in_memory(insn, 0) ? 1 : operand_in_memory(insn, 1) ? 2 : 0;
    return handlers[form][width_index(insn->operand[0].size)];
}

/* ---- XLAT, BSWAP, CBW, CWD */

static void xlat(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint32_t offset = (cpu->gpr[CPU_BX].d + cpu->gpr[CPU_AX].l) & uop_address_mask(uop);
    cpu->gpr[CPU_AX].l = (uint8_t)segment_load(cpu, in, uop->segment, offset, 1);
    uop_next(cpu, uop, in);
}

uop_handler *select_xlat(const struct insn *insn, const struct cpu_model *model)
{
    (void)insn;
    (void)model;
    return xlat;
}

static void bswap_4(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint32_t value = (uint32_t)register_read(cpu, uop->destination, 4);
    register_write(cpu, uop->destination, 4, __builtin_bswap32(value));
    uop_next(cpu, uop, in);
}

/* Undefined by the SDM; processors clear the register's low word. */
static void bswap_2(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    register_write(cpu, uop->destination, 2, 0);
    uop_next(cpu, uop, in);
}

uop_handler *select_bswap(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return insn->operand[0].size == 2 ? bswap_2 : bswap_4;
}

static void cbw_2(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    cpu->gpr[CPU_AX].w = (uint16_t)bits_sign_extend(cpu->gpr[CPU_AX].l, 8);
    uop_next(cpu, uop, in);
}

static void cbw_4(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    cpu->gpr[CPU_AX].d = (uint32_t)bits_sign_extend(cpu->gpr[CPU_AX].w, 16);
    uop_next(cpu, uop, in);
}

static void cwd_2(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    cpu->gpr[CPU_DX].w = cpu->gpr[CPU_AX].w & 0x8000 ? 0xffff : 0;
    uop_next(cpu, uop, in);
}

static void cwd_4(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    cpu->gpr[CPU_DX].d = cpu->gpr[CPU_AX].d & 0x80000000u ? 0xffffffffu : 0;
    uop_next(cpu, uop, in);
}

uop_handler *select_convert(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    if (insn->id == INSN_CBW) {
        return insn->operand_size == 2 ? cbw_2 : cbw_4;
    }
    return insn->operand_size == 2 ? cwd_2 : cwd_4;
}

/* ---- CMOVcc, SETcc */

/* The memory operand is read whether or not the condition holds. */
static void cmov(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, bool memory)
{
    unsigned width = uop->operand_size;
    uint64_t value = operand_read(cpu, uop, in, memory, uop->source, width);
    if (flags_condition(&cpu->flags, uop->number)) {
        register_write(cpu, uop->destination, width, value);
    }
    uop_next(cpu, uop, in);
}

static void cmov_r(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    cmov(cpu, uop, in, false);
}

static void cmov_m(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    cmov(cpu, uop, in, true);
}

uop_handler *select_cmov(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return operand_in_memory(insn, 1) ? cmov_m : cmov_r;
}

static void set_r(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    register_write(cpu, uop->destination, 1, flags_condition(&cpu->flags, uop->number));
    uop_next(cpu, uop, in);
}

static void set_m(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    memory_store(cpu, uop, in, 1, flags_condition(&cpu->flags, uop->number));
    uop_next(cpu, uop, in);
}

uop_handler *select_set(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return operand_in_memory(insn, 0) ? set_m : set_r;
}

/* ---- NOP, MOVBE */

static void nop(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_next(cpu, uop, in);
}

uop_handler *select_nop(const struct insn *insn, const struct cpu_model *model)
{
    (void)insn;
    (void)model;
    return nop;
}

static uint64_t swap_bytes(uint64_t value, unsigned width)
{
    return width == 2 ? __builtin_bswap16((uint16_t)value) : __builtin_bswap32((uint32_t)value);
}

static void movbe_load(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    unsigned width = uop->operand_size;
    register_write(cpu, uop->destination, width, swap_bytes(memory_load(cpu, uop, in, width), width));
    uop_next(cpu, uop, in);
}

static void movbe_store(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    unsigned width = uop->operand_size;
    memory_store(cpu, uop, in, width, swap_bytes(register_read(cpu, uop->source, width), width));
    uop_next(cpu, uop, in);
}

uop_handler *select_movbe(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return operand_in_memory(insn, 0) ? movbe_store : movbe_load;
}

/* MOVNTI is a MOV with a caching hint. */
uop_handler *select_movnti(const struct insn *insn, const struct cpu_model *model)
{
    return select_mov(insn, model);
}

/* The encoder against capstone: every form, with every register and addressing mode, reads back as what was
 * meant, and what is promised to leave the flags alone does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <capstone/capstone.h>
#include <cmocka.h>

#include "base/bits.h"
#include "translator/emit.h"

#define HERE ((const uint8_t *)0x10000000)

struct bench {
    csh capstone;
    struct emitter e;
    uint8_t bytes[256];
};

/* An instruction as it should read back. */
struct expected {
    unsigned id;
    unsigned operands;
    cs_x86_op operand[3];
};

static const uint16_t names64[16] = {
    X86_REG_RAX, X86_REG_RCX, X86_REG_RDX, X86_REG_RBX, X86_REG_RSP, X86_REG_RBP, X86_REG_RSI, X86_REG_RDI,
    X86_REG_R8,  X86_REG_R9,  X86_REG_R10, X86_REG_R11, X86_REG_R12, X86_REG_R13, X86_REG_R14, X86_REG_R15};
static const uint16_t names32[16] = {X86_REG_EAX,  X86_REG_ECX,  X86_REG_EDX,  X86_REG_EBX,
                                     X86_REG_ESP,  X86_REG_EBP,  X86_REG_ESI,  X86_REG_EDI,
                                     X86_REG_R8D,  X86_REG_R9D,  X86_REG_R10D, X86_REG_R11D,
                                     X86_REG_R12D, X86_REG_R13D, X86_REG_R14D, X86_REG_R15D};
static const uint16_t names16[16] = {X86_REG_AX,   X86_REG_CX,   X86_REG_DX,   X86_REG_BX,
                                     X86_REG_SP,   X86_REG_BP,   X86_REG_SI,   X86_REG_DI,
                                     X86_REG_R8W,  X86_REG_R9W,  X86_REG_R10W, X86_REG_R11W,
                                     X86_REG_R12W, X86_REG_R13W, X86_REG_R14W, X86_REG_R15W};
/* Without a REX prefix 4 to 7 are AH to BH, which is what identity encodings want. */
static const uint16_t names8[16] = {X86_REG_AL,   X86_REG_CL,   X86_REG_DL,   X86_REG_BL,
                                    X86_REG_AH,   X86_REG_CH,   X86_REG_DH,   X86_REG_BH,
                                    X86_REG_R8B,  X86_REG_R9B,  X86_REG_R10B, X86_REG_R11B,
                                    X86_REG_R12B, X86_REG_R13B, X86_REG_R14B, X86_REG_R15B};

static uint16_t name_of(unsigned width, unsigned reg)
{
    switch (width) {
    case 1: return names8[reg];
    case 2: return names16[reg];
    case 4: return names32[reg];
    default: return names64[reg];
    }
}

static cs_x86_op reg_operand(unsigned width, unsigned reg)
{
    return (cs_x86_op){.type = X86_OP_REG, .reg = (x86_reg)name_of(width, reg), .size = (uint8_t)width};
}

static cs_x86_op immediate_operand(int64_t value)
{
    return (cs_x86_op){.type = X86_OP_IMM, .imm = value};
}

static cs_x86_op memory_operand(unsigned width, struct host_address address)
{
    return (cs_x86_op){
        .type = X86_OP_MEM,
        .size = (uint8_t)width,
        .mem = {.base = address.base == HOST_NONE ? X86_REG_INVALID : (x86_reg)names64[address.base],
                .index = address.index == HOST_NONE ? X86_REG_INVALID : (x86_reg)names64[address.index],
                .scale = 1 << address.scale,
                .disp = address.displacement}};
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    assert_int_equal(cs_open(CS_ARCH_X86, CS_MODE_64, &bench->capstone), CS_ERR_OK);
    cs_option(bench->capstone, CS_OPT_DETAIL, CS_OPT_ON);
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    cs_close(&bench->capstone);
    free(bench);
    return 0;
}

static struct emitter *begin(struct bench *bench)
{
    bench->e = (struct emitter){
        .at = bench->bytes, .begin = bench->bytes, .end = bench->bytes + sizeof bench->bytes, .exec = HERE};
    return &bench->e;
}

static bool same_operand(const cs_x86_op *have, const cs_x86_op *want)
{
    if (have->type != want->type) {
        return false;
    }
    switch (want->type) {
    case X86_OP_REG: return have->reg == want->reg;
    case X86_OP_IMM: return have->imm == want->imm;
    default: break;
    }
    bool same_scale = want->mem.index == X86_REG_INVALID || have->mem.scale == want->mem.scale;
    return have->mem.base == want->mem.base && have->mem.index == want->mem.index && same_scale &&
           have->mem.disp == want->mem.disp && (want->size == 0 || have->size == want->size);
}

/* Whether an instruction may change any of the arithmetic flags. */
static bool writes_flags(const cs_insn *insn)
{
    return (insn->detail->x86.eflags &
            ~(uint64_t)(X86_EFLAGS_TEST_OF | X86_EFLAGS_TEST_SF | X86_EFLAGS_TEST_ZF | X86_EFLAGS_TEST_PF |
                        X86_EFLAGS_TEST_CF | X86_EFLAGS_TEST_NT | X86_EFLAGS_TEST_DF | X86_EFLAGS_TEST_RF |
                        X86_EFLAGS_TEST_IF | X86_EFLAGS_TEST_TF | X86_EFLAGS_TEST_AF | X86_EFLAGS_PRIOR_OF |
                        X86_EFLAGS_PRIOR_SF | X86_EFLAGS_PRIOR_ZF | X86_EFLAGS_PRIOR_AF |
                        X86_EFLAGS_PRIOR_PF | X86_EFLAGS_PRIOR_CF | X86_EFLAGS_PRIOR_TF |
                        X86_EFLAGS_PRIOR_IF | X86_EFLAGS_PRIOR_DF | X86_EFLAGS_PRIOR_NT)) != 0;
}

/* What was emitted since begin() is this instruction and no more. */
static void check(struct bench *bench, const struct expected *want, bool keeps_flags)
{
    size_t length = (size_t)(bench->e.at - bench->e.begin);
    cs_insn *insn = NULL;
    size_t count = cs_disasm(bench->capstone, bench->bytes, length, (uintptr_t)HERE, 0, &insn);
    char hex[3 * sizeof bench->bytes + 1] = "";
    for (size_t i = 0; i < length; i++) {
        snprintf(hex + 3 * i, sizeof hex - 3 * i, "%02x ", bench->bytes[i]);
    }
    if (count != 1 || insn->size != length) {
        fail_msg("%s is not one instruction", hex);
    }
    const cs_x86 *x86 = &insn->detail->x86;
    bool same = insn->id == want->id && x86->op_count == want->operands;
    for (unsigned i = 0; i < want->operands && same; i++) {
        same = same_operand(&x86->operands[i], &want->operand[i]);
    }
    if (!same) {
        fail_msg("%s is %s %s, expected %s with %u operands", hex, insn->mnemonic, insn->op_str,
                 cs_insn_name(bench->capstone, want->id), want->operands);
    }
    if (keeps_flags && writes_flags(insn)) {
        fail_msg("%s: %s %s changes flags", hex, insn->mnemonic, insn->op_str);
    }
    cs_free(insn, 1);
}

/* ---- every address */

typedef void address_function(struct bench *bench, struct host_address address);

static void for_each_address(struct bench *bench, address_function *run)
{
    static const int32_t displacements[] = {0, 127, 128, -128, -129, INT32_MIN};
    for (unsigned d = 0; d < ARRAY_COUNT(displacements); d++) {
        for (unsigned base = HOST_RAX; base <= HOST_NONE; base++) {
            for (unsigned index = HOST_RAX; index <= HOST_NONE; index++) {
                for (unsigned scale = 0; scale < (index == HOST_NONE ? 1u : 4u); scale++) {
                    if (index != HOST_RSP) {
                        run(bench, (struct host_address){.base = (uint8_t)base,
                                                         .index = (uint8_t)index,
                                                         .scale = (uint8_t)scale,
                                                         .displacement = displacements[d]});
                    }
                }
            }
        }
    }
}

/* ---- named instructions */

static void load_store_and_lea(struct bench *bench, struct host_address address)
{
    for (unsigned reg = HOST_RAX; reg <= HOST_R15; reg++) {
        const struct {
            void (*emit)(struct emitter *, unsigned, struct host_address);
            unsigned id, width, memory_width;
        } loads[] = {{emit_load, X86_INS_MOV, 4, 4},
                     {emit_load64, X86_INS_MOV, 8, 8},
                     {emit_lea, X86_INS_LEA, 4, 0},
                     {emit_lea64, X86_INS_LEA, 8, 0}};
        for (unsigned i = 0; i < ARRAY_COUNT(loads); i++) {
            loads[i].emit(begin(bench), reg, address);
            check(bench,
                  &(struct expected){
                      loads[i].id,
                      2,
                      {reg_operand(loads[i].width, reg), memory_operand(loads[i].memory_width, address)}},
                  true);
        }
        emit_store(begin(bench), address, reg);
        check(bench, &(struct expected){X86_INS_MOV, 2, {memory_operand(4, address), reg_operand(4, reg)}},
              true);
        emit_store64(begin(bench), address, reg);
        check(bench, &(struct expected){X86_INS_MOV, 2, {memory_operand(8, address), reg_operand(8, reg)}},
              true);
        for (unsigned width = 1; width <= 4; width *= 2) {
            emit_load_width(begin(bench), reg, address, width);
            check(bench,
                  &(struct expected){width == 4 ? X86_INS_MOV : X86_INS_MOVZX,
                                     2,
                                     {reg_operand(4, reg), memory_operand(width, address)}},
                  true);
        }
    }
}

static void loads_stores_and_addresses_read_back(void **state)
{
    for_each_address(*state, load_store_and_lea);
}

static void jump_through(struct bench *bench, struct host_address address)
{
    emit_jmp_memory(begin(bench), address);
    check(bench, &(struct expected){X86_INS_JMP, 1, {memory_operand(8, address)}}, true);
}

static void indirect_jumps_read_back(void **state)
{
    struct bench *bench = *state;
    for_each_address(bench, jump_through);
    for (unsigned reg = HOST_RAX; reg <= HOST_R15; reg++) {
        emit_jmp_register(begin(bench), reg);
        check(bench, &(struct expected){X86_INS_JMP, 1, {reg_operand(8, reg)}}, true);
    }
}

static void check_pair(struct bench *bench, unsigned id, unsigned to_width, unsigned to, unsigned from_width,
                       unsigned from)
{
    check(bench, &(struct expected){id, 2, {reg_operand(to_width, to), reg_operand(from_width, from)}}, true);
}

static void register_moves_read_back(void **state)
{
    struct bench *bench = *state;
    for (unsigned to = HOST_RAX; to <= HOST_R15; to++) {
        for (unsigned from = HOST_RAX; from <= HOST_R15; from++) {
            emit_mov(begin(bench), to, from);
            check_pair(bench, X86_INS_MOV, 4, to, 4, from);
            emit_mov64(begin(bench), to, from);
            check_pair(bench, X86_INS_MOV, 8, to, 8, from);
            emit_zero_extend16(begin(bench), to, from);
            check_pair(bench, X86_INS_MOVZX, 4, to, 2, from);
            emit_sign_extend32(begin(bench), to, from);
            check_pair(bench, X86_INS_MOVSXD, 8, to, 4, from);
            if (from < HOST_RSP || from >= HOST_R8) {
                emit_zero_extend8(begin(bench), to, from);
                check_pair(bench, X86_INS_MOVZX, 4, to, 1, from);
            }
        }
    }
}

static void shifts_and_gathers_without_flags_read_back(void **state)
{
    struct bench *bench = *state;
    for (unsigned to = HOST_RAX; to <= HOST_R15; to++) {
        for (unsigned from = HOST_RAX; from <= HOST_R15; from++) {
            for (unsigned count = 0; count < 64; count += 9) {
                emit_rorx(begin(bench), to, from, count);
                check(
                    bench,
                    &(struct expected){X86_INS_RORX,
                                       3,
                                       {reg_operand(4, to), reg_operand(4, from), immediate_operand(count)}},
                    true);
                emit_rorx64(begin(bench), to, from, count);
                check(
                    bench,
                    &(struct expected){X86_INS_RORX,
                                       3,
                                       {reg_operand(8, to), reg_operand(8, from), immediate_operand(count)}},
                    true);
            }
            for (unsigned by = HOST_RAX; by <= HOST_R15; by++) {
                emit_shrx(begin(bench), to, from, by);
                check(bench,
                      &(struct expected){
                          X86_INS_SHRX, 3, {reg_operand(4, to), reg_operand(4, from), reg_operand(4, by)}},
                      true);
                emit_pext(begin(bench), to, from, by);
                check(bench,
                      &(struct expected){
                          X86_INS_PEXT, 3, {reg_operand(4, to), reg_operand(4, from), reg_operand(4, by)}},
                      true);
                emit_pdep(begin(bench), to, from, by);
                check(bench,
                      &(struct expected){
                          X86_INS_PDEP, 3, {reg_operand(4, to), reg_operand(4, from), reg_operand(4, by)}},
                      true);
            }
        }
    }
}

static void immediates_read_back(void **state)
{
    struct bench *bench = *state;
    for (unsigned reg = HOST_RAX; reg <= HOST_R15; reg++) {
        emit_mov_immediate(begin(bench), reg, 0xfedcba98);
        check(bench, &(struct expected){X86_INS_MOV, 2, {reg_operand(4, reg), immediate_operand(0xfedcba98)}},
              true);
        emit_mov_immediate64(begin(bench), reg, 0x123456789abcdef0);
        check(bench,
              &(struct expected){
                  X86_INS_MOVABS, 2, {reg_operand(8, reg), immediate_operand(0x123456789abcdef0)}},
              true);
        emit_not64(begin(bench), reg);
        check(bench, &(struct expected){X86_INS_NOT, 1, {reg_operand(8, reg)}}, true);
    }
}

/* ---- jumps and what is bound later */

static void check_target(struct bench *bench, unsigned id, const uint8_t *target)
{
    check(bench, &(struct expected){id, 1, {immediate_operand((int64_t)(uintptr_t)target)}}, true);
}

static void jumps_lead_where_they_were_bound(void **state)
{
    struct bench *bench = *state;
    static const unsigned conditions[16] = {
        X86_INS_JO, X86_INS_JNO, X86_INS_JB, X86_INS_JAE, X86_INS_JE, X86_INS_JNE, X86_INS_JBE, X86_INS_JA,
        X86_INS_JS, X86_INS_JNS, X86_INS_JP, X86_INS_JNP, X86_INS_JL, X86_INS_JGE, X86_INS_JLE, X86_INS_JG};
    for (unsigned condition = 0; condition < 16; condition++) {
        emit_bind32(&bench->e, emit_jcc(begin(bench), condition));
        check_target(bench, conditions[condition], HERE + 6);
        emit_bind8(&bench->e, emit_jcc_short(begin(bench), condition));
        check_target(bench, conditions[condition], HERE + 2);
    }
    emit_bind8(&bench->e, emit_jrcxz(begin(bench)));
    check_target(bench, X86_INS_JRCXZ, HERE + 2);
    emit_bind32(&bench->e, emit_jmp(begin(bench)));
    check_target(bench, X86_INS_JMP, HERE + 5);
    emit_bind32(&bench->e, emit_call(begin(bench)));
    check_target(bench, X86_INS_CALL, HERE + 5);
    emit_ret(begin(bench));
    check(bench, &(struct expected){X86_INS_RET, 0, {{0}}}, true);
    for (ptrdiff_t distance = -0x1000000; distance <= 0x1000000; distance += 0x7fffff) {
        emit_jmp_to(begin(bench), HERE + distance);
        check_target(bench, X86_INS_JMP, HERE + distance);
    }
    emit_u64(begin(bench), 0);
    emit_jrcxz_to(&bench->e, bench->e.begin + 3);
    assert_int_equal((int8_t)bench->bytes[9], 3 - 10);
    for (unsigned distance = 120; distance < 140; distance++) {
        uint8_t *at = begin(bench)->begin + distance;
        bench->e.at = at;
        emit_jmp_back(&bench->e, bench->e.begin);
        bool is_short = distance <= 126;
        int32_t displacement;
        memcpy(&displacement, at + 1, sizeof displacement);
        assert_int_equal(*at, is_short ? 0xeb : 0xe9);
        assert_int_equal(is_short ? (int8_t)at[1] : displacement, bench->e.begin - bench->e.at);
    }
    uint8_t *short_jump = emit_jrcxz(begin(bench));
    uint8_t *long_jump = emit_jmp(&bench->e);
    emit_u64(&bench->e, 0);
    emit_bind8(&bench->e, short_jump);
    emit_u32(&bench->e, 0);
    emit_bind32(&bench->e, long_jump);
    assert_int_equal(bench->bytes[1], 5 + 8);
    assert_int_equal(bench->bytes[3], 8 + 4);
}

/* ---- the guest's own encodings */

/* op reg, rm with these prefixes: registers `reg_width` and `rm_width` wide. */
static const struct form {
    unsigned op;
    unsigned id;
    uint8_t reg_width, rm_width;
    bool rm_first; /* in the disassembly */
} forms[] = {
    {0x00, X86_INS_ADD, 1, 1, true},
    {0x01, X86_INS_ADD, 4, 4, true},
    {0x03, X86_INS_ADD, 4, 4, false},
    {HOST_66 | 0x03, X86_INS_ADD, 2, 2, false},
    {HOST_W | 0x03, X86_INS_ADD, 8, 8, false},
    {0x12, X86_INS_ADC, 1, 1, false},
    {0x39, X86_INS_CMP, 4, 4, true},
    {HOST_66 | 0x85, X86_INS_TEST, 2, 2, true},
    {0x88, X86_INS_MOV, 1, 1, true},
    {HOST_0F | 0xaf, X86_INS_IMUL, 4, 4, false},
    {HOST_66 | HOST_0F | 0xaf, X86_INS_IMUL, 2, 2, false},
    {HOST_0F | 0x44, X86_INS_CMOVE, 4, 4, false},
    {HOST_0F | 0xb7, X86_INS_MOVZX, 4, 2, false},
    {HOST_0F | 0xa3, X86_INS_BT, 4, 4, true},
    {HOST_0F | 0xc1, X86_INS_XADD, 4, 4, true},
    {HOST_F3 | HOST_0F | 0xb8, X86_INS_POPCNT, 4, 4, false},
    {HOST_F3 | HOST_W | HOST_0F | 0xb8, X86_INS_POPCNT, 8, 8, false},
    {HOST_F2 | HOST_0F38 | 0xf1, X86_INS_CRC32, 4, 4, false},
    {HOST_66 | HOST_0F38 | 0xf6, X86_INS_ADCX, 4, 4, false},
};

static void check_form(struct bench *bench, const struct form *form, cs_x86_op reg, cs_x86_op rm)
{
    check(bench, &(struct expected){form->id, 2, {form->rm_first ? rm : reg, form->rm_first ? reg : rm}},
          false);
}

/* Whether a byte register is another one beside a REX prefix: AH, CH, DH, BH. */
static bool clashes(const struct form *form, unsigned reg, bool rex)
{
    return form->reg_width == 1 && rex && reg >= HOST_RSP && reg <= HOST_RDI;
}

static void register_forms_read_back(void **state)
{
    struct bench *bench = *state;
    for (unsigned i = 0; i < ARRAY_COUNT(forms); i++) {
        const struct form *form = &forms[i];
        for (unsigned reg = HOST_RAX; reg <= HOST_R15; reg++) {
            for (unsigned rm = HOST_RAX; rm <= HOST_R15; rm++) {
                bool rex = reg >= HOST_R8 || rm >= HOST_R8;
                if (clashes(form, reg, rex) || clashes(form, rm, rex)) {
                    continue;
                }
                emit_reg(begin(bench), form->op, reg, rm);
                check_form(bench, form, reg_operand(form->reg_width, reg), reg_operand(form->rm_width, rm));
            }
        }
    }
}

static bool is_extended(unsigned reg)
{
    return reg >= HOST_R8 && reg <= HOST_R15;
}

static void memory_forms(struct bench *bench, struct host_address address)
{
    for (unsigned i = 0; i < ARRAY_COUNT(forms); i++) {
        const struct form *form = &forms[i];
        for (unsigned reg = HOST_RAX; reg <= HOST_R15; reg++) {
            bool rex = is_extended(reg) || is_extended(address.base) || is_extended(address.index);
            if (!clashes(form, reg, rex)) {
                emit_mem(begin(bench), form->op, reg, address);
                check_form(bench, form, reg_operand(form->reg_width, reg),
                           memory_operand(form->rm_width, address));
            }
        }
    }
}

static void memory_forms_read_back(void **state)
{
    for_each_address(*state, memory_forms);
}

static void short_forms_read_back(void **state)
{
    struct bench *bench = *state;
    for (unsigned reg = HOST_RAX; reg <= HOST_R15; reg++) {
        emit_short(begin(bench), 0x50, reg);
        check(bench, &(struct expected){X86_INS_PUSH, 1, {reg_operand(8, reg)}}, false);
        emit_short(begin(bench), HOST_0F | 0xc8, reg);
        check(bench, &(struct expected){X86_INS_BSWAP, 1, {reg_operand(4, reg)}}, false);
        emit_short(begin(bench), HOST_66 | 0xb8, reg);
        emit_u16(&bench->e, 0x1234);
        check(bench, &(struct expected){X86_INS_MOV, 2, {reg_operand(2, reg), immediate_operand(0x1234)}},
              false);
    }
}

#define EMIT_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        EMIT_TEST(loads_stores_and_addresses_read_back),
        EMIT_TEST(indirect_jumps_read_back),
        EMIT_TEST(register_moves_read_back),
        EMIT_TEST(shifts_and_gathers_without_flags_read_back),
        EMIT_TEST(immediates_read_back),
        EMIT_TEST(jumps_lead_where_they_were_bound),
        EMIT_TEST(register_forms_read_back),
        EMIT_TEST(memory_forms_read_back),
        EMIT_TEST(short_forms_read_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

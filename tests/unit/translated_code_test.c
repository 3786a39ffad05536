/* The convention of translator/context.h, kept by every block that is made of random guest code, as capstone
 * reads the host code:
 *
 *  - rsp, r12, r14 and r15 stay as they are (but for guest calls and returns, which are the host's), r13 is
 * only counted with;
 *  - what may change flags is the guest's instruction itself, or puts back what it has changed;
 *  - a guest register changes only where the guest's instruction writes it;
 *  - memory is reached through addresses that were looked up, never through a guest register;
 *  - instructions that are emulated (sensitive ones, repeated strings) may do as they like with guest
 *    registers and flags on their way, but not with the rest;
 *  - the notes say where each guest instruction's host code begins. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <capstone/capstone.h>
#include <cmocka.h>

#include "base/bits.h"
#include "cpu/engine_block.h"
#include "cpu_bench.h"
#include "decoder/decoder.h"
#include "host_oracle_random.h"

#define STREAMS      2000u /* for each mode */
#define STREAM_INSNS 12u
#define STREAM_RUN   500u /* instructions; a few are left to the fallback altogether */

#define NO_REGISTER 16u

struct checker {
    struct cpu_bench *bench;
    csh host, guest16, guest32;
    uint64_t random;
    const uint8_t *newest; /* blocks up to here have been checked */
    const uint8_t *highest;
    unsigned blocks, loops, pieces, callouts, traps;
};

static csh open_capstone(cs_mode mode)
{
    csh handle;
    assert_int_equal(cs_open(CS_ARCH_X86, mode, &handle), CS_ERR_OK);
    cs_option(handle, CS_OPT_DETAIL, CS_OPT_ON);
    return handle;
}

/* Not in a fixture: cmocka takes the host's faults for itself when a test begins, the translator when it is
 * made. */
static struct checker *create_checker(enum sensitive_strategy sensitive)
{
    const struct engine_config config = {.kind = ENGINE_DBT, .sensitive = sensitive};
    struct checker *checker = calloc(1, sizeof *checker);
    assert_non_null(checker);
    checker->bench = cpu_bench_create_with(cpu_model_find("pentium4"), 4 * MIB, &config);
    checker->host = open_capstone(CS_MODE_64);
    checker->guest16 = open_capstone(CS_MODE_16);
    checker->guest32 = open_capstone(CS_MODE_32);
    checker->random = 0x243f6a8885a308d3;
    return checker;
}

static void destroy_checker(struct checker *checker)
{
    cs_close(&checker->host);
    cs_close(&checker->guest16);
    cs_close(&checker->guest32);
    cpu_bench_destroy(checker->bench);
    free(checker);
}

/* ---- registers and flags, as capstone names them */

/* The number of the general register that this one is or is part of; NO_REGISTER: none. */
static unsigned register_number(csh handle, unsigned reg)
{
    static const char *const names[16] = {"ax", "cx", "dx", "bx", "sp", "bp", "si", "di"};
    const char *name = reg != X86_REG_INVALID ? cs_reg_name(handle, reg) : NULL;
    if (name == NULL) {
        return NO_REGISTER;
    }
    if (name[0] == 'r' && name[1] >= '0' && name[1] <= '9') {
        return (unsigned)strtoul(name + 1, NULL, 10);
    }
    const char *bare = (name[0] == 'e' || name[0] == 'r') && name[2] != '\0' ? name + 1 : name;
    for (unsigned i = 0; i < 8; i++) {
        bool whole = strcmp(bare, names[i]) == 0;
        bool byte = bare[0] == names[i][0] && (i < 4 ? (bare[1] == 'l' || bare[1] == 'h') && bare[2] == '\0'
                                                     : bare[1] == names[i][1] && bare[2] == 'l');
        if (whole || byte) {
            return i;
        }
    }
    return NO_REGISTER;
}

/* The general registers that an instruction writes, one bit each. */
static unsigned written_registers(csh handle, const cs_insn *insn)
{
    cs_regs reads, writes;
    uint8_t read_count = 0, write_count = 0;
    unsigned set = 0;
    assert_int_equal(cs_regs_access(handle, insn, reads, &read_count, writes, &write_count), CS_ERR_OK);
    for (unsigned i = 0; i < write_count; i++) {
        unsigned number = register_number(handle, writes[i]);
        set |= number != NO_REGISTER ? 1u << number : 0;
    }
    return set;
}

static bool writes_flags(const cs_insn *insn)
{
    static const uint64_t writing =
        X86_EFLAGS_MODIFY_AF | X86_EFLAGS_MODIFY_CF | X86_EFLAGS_MODIFY_SF | X86_EFLAGS_MODIFY_ZF |
        X86_EFLAGS_MODIFY_PF | X86_EFLAGS_MODIFY_OF | X86_EFLAGS_RESET_OF | X86_EFLAGS_RESET_CF |
        X86_EFLAGS_RESET_SF | X86_EFLAGS_RESET_AF | X86_EFLAGS_RESET_ZF | X86_EFLAGS_RESET_PF |
        X86_EFLAGS_SET_CF | X86_EFLAGS_SET_OF | X86_EFLAGS_SET_SF | X86_EFLAGS_SET_ZF | X86_EFLAGS_SET_AF |
        X86_EFLAGS_SET_PF | X86_EFLAGS_UNDEFINED_OF | X86_EFLAGS_UNDEFINED_SF | X86_EFLAGS_UNDEFINED_ZF |
        X86_EFLAGS_UNDEFINED_PF | X86_EFLAGS_UNDEFINED_AF | X86_EFLAGS_UNDEFINED_CF;
    return (insn->detail->x86.eflags & writing) != 0;
}

/* ---- one host instruction */

/* What the piece that is being checked belongs to. */
struct piece_context {
    struct checker *checker;
    const struct engine_block *block;
    const cs_insn *guest;     /* NULL: no guest instruction, or capstone does not know it */
    const char *part;         /* "prologue", … */
    unsigned guest_registers; /* host registers that the guest's instruction may change, one bit each */
    bool emulated;            /* with guest registers and flags put aside */
    bool repeats;             /* on host memory, with the host's REP */
    bool goes_far;            /* in a mode where the jump cache's context has the selector */
    bool traps;
    bool switches; /* to another context, with an empty return stack */
};

static void complain(const struct piece_context *context, const cs_insn *insn, const char *what)
{
    const cs_insn *guest = context->guest;
    fail_msg("%s: %s %s, in the %s of %s %s (%s)", what, insn->mnemonic, insn->op_str, context->part,
             guest != NULL ? guest->mnemonic : "?", guest != NULL ? guest->op_str : "",
             context->block->assumes);
}

enum {
    SCRATCH = 1u << 1 | 1u << 10 | 1u << 11, /* rcx, r10, r11 */
    COUNTED = 1u << 13,
    TABLES = 1u << 14 | 1u << 15,
    CONTEXT = 1u << 12,
    UNTOUCHABLE = 1u << 4 | CONTEXT | TABLES,
    SWITCHED = 1u << 4 | CONTEXT | 1u << 15, /* return stack, jump cache's context, TLB */
    GUEST_ECX = 9,
    GUEST_ESP = 8
};

static unsigned host_register_of(unsigned guest)
{
    return guest == 1 ? (unsigned)GUEST_ECX : guest == 4 ? (unsigned)GUEST_ESP : guest;
}

/* The guest's instruction, what does its work, or undoes it. */
static bool is_own(const struct piece_context *context, const cs_insn *insn)
{
    const cs_insn *guest = context->guest;
    if (guest == NULL) {
        return false;
    }
    bool helps = false;
    switch (guest->id) {
    case X86_INS_CMPSB:
    case X86_INS_CMPSW:
    case X86_INS_CMPSD:
    case X86_INS_SCASB:
    case X86_INS_SCASW:
    case X86_INS_SCASD: helps = insn->id == X86_INS_CMP; break;
    case X86_INS_IDIV: helps = insn->id == X86_INS_SAHF; break; /* in front of a #DE */
    default: break;
    }
    return helps || insn->id == guest->id;
}

static void check_memory(const struct piece_context *context, const cs_insn *insn)
{
    const cs_x86 *x86 = &insn->detail->x86;
    if (insn->id == X86_INS_LEA || insn->id == X86_INS_NOP || context->repeats) {
        return;
    }
    for (unsigned i = 0; i < x86->op_count; i++) {
        const cs_x86_op *operand = &x86->operands[i];
        if (operand->type != X86_OP_MEM) {
            continue;
        }
        unsigned base = register_number(context->checker->host, operand->mem.base);
        unsigned index = register_number(context->checker->host, operand->mem.index);
        unsigned used = (base != NO_REGISTER ? 1u << base : 0) | (index != NO_REGISTER ? 1u << index : 0);
        if (base == NO_REGISTER || (used & ~(unsigned)(SCRATCH | TABLES)) != 0 ||
            operand->mem.segment != X86_REG_INVALID) {
            complain(context, insn, "memory through an address that was not looked up");
        }
    }
}

/* Instructions with CH, which cannot be encoded beside r8 to r15, work on a copy of ECX in rcx. */
static bool puts_ecx_back(const cs_insn *insn)
{
    const cs_x86_op *operand = insn->detail->x86.operands;
    return (insn->id == X86_INS_MOV || insn->id == X86_INS_RORX) && operand[0].type == X86_OP_REG &&
           operand[0].reg == X86_REG_R9D && operand[1].type == X86_OP_REG && operand[1].reg == X86_REG_ECX;
}

static void check_registers(const struct piece_context *context, const cs_insn *insn)
{
    unsigned written = written_registers(context->checker->host, insn);
    bool counts = insn->id == X86_INS_LEA && written == COUNTED &&
                  insn->detail->x86.operands[1].mem.base == X86_REG_R13 &&
                  insn->detail->x86.operands[1].mem.index == X86_REG_INVALID;
    unsigned forbidden = ~(SCRATCH | context->guest_registers);
    if (context->emulated) {
        forbidden = UNTOUCHABLE;
    }
    if (context->switches) {
        forbidden &= ~(unsigned)SWITCHED;
    }
    forbidden &= ~(context->goes_far ? (unsigned)CONTEXT : 0u);
    if ((written & forbidden) != 0 && !counts && !puts_ecx_back(insn)) {
        complain(context, insn, "changes a register that is not its own");
    }
}

/* Guest calls and returns are the host's, on the return stack. */
static bool is_on_return_stack(const struct piece_context *context, const cs_insn *insn)
{
    bool call = insn->id == X86_INS_CALL && insn->detail->x86.operands[0].type == X86_OP_IMM;
    bool near = context->guest != NULL && ((call && context->guest->id == X86_INS_CALL) ||
                                           (insn->id == X86_INS_RET && context->guest->id == X86_INS_RET));
    return near || (context->goes_far && (call || insn->id == X86_INS_RET));
}

static void check_host_insn(const struct piece_context *context, const cs_insn *insn)
{
    csh handle = context->checker->host;
    if (is_on_return_stack(context, insn)) {
        return;
    }
    if (cs_insn_group(handle, insn, X86_GRP_CALL) || cs_insn_group(handle, insn, X86_GRP_RET) ||
        cs_insn_group(handle, insn, X86_GRP_INT) || cs_insn_group(handle, insn, X86_GRP_PRIVILEGE)) {
        complain(context, insn, "not for translated code");
    }
    if (insn->id == X86_INS_UD2 && !context->traps) {
        complain(context, insn, "not by this strategy");
    }
    if (writes_flags(insn) && !is_own(context, insn) && !context->emulated) {
        complain(context, insn, "changes flags");
    }
    check_registers(context, insn);
    check_memory(context, insn);
}

/* The host code from `at` on, `size` bytes of whole instructions. */
static void check_host_code(const struct piece_context *context, const uint8_t *at, size_t size)
{
    csh handle = context->checker->host;
    cs_insn *insn = cs_malloc(handle);
    uint64_t address = (uintptr_t)at;
    while (size > 0) {
        if (!cs_disasm_iter(handle, &at, &size, &address, insn)) {
            fail_msg("the %s ends within an instruction, or has bytes that are none: %02x %02x %02x",
                     context->part, at[0], at[1], at[2]);
        }
        check_host_insn(context, insn);
    }
    cs_free(insn, 1);
}

/* ---- one block */

/* The same for a guest's instruction, with what capstone forgets. */
static unsigned written_by_guest(csh handle, const cs_insn *insn)
{
    enum { AX = 0, SP = 4, BP = 5 };
    unsigned set = written_registers(handle, insn);
    switch (insn->id) {
    case X86_INS_ENTER: return set | 1u << SP | 1u << BP;
    case X86_INS_XLATB: return set | 1u << AX;
    case X86_INS_SYSENTER:
    case X86_INS_SYSEXIT: return set | 1u << SP;
    default: return set;
    }
}

/* What the translator may do for a guest's instruction. */
static void set_licence(struct piece_context *context, const uint8_t *guest, const struct engine_piece *piece)
{
    const struct decode_mode mode = {.code_size = (uint8_t)(context->block->code_bits / 8)};
    struct insn insn;
    assert_int_equal(decoder_decode(&mode, guest, piece->guest_size, &insn), DECODE_OK);
    uint32_t properties = insn_info((enum insn_id)insn.id)->properties;
    context->repeats = (properties & INSN_STRING) && (insn.prefixes & (PREFIX_REP | PREFIX_REPNE)) != 0;
    context->emulated = context->repeats || (properties & (INSN_SENSITIVE | INSN_IO_SENSITIVE)) != 0;
    context->traps = piece->kind == PIECE_TRAP;
    context->switches = insn.id == INSN_SYSENTER || insn.id == INSN_SYSEXIT;
    context->goes_far = piece->kind == PIECE_TRANSLATED &&
                        (insn.id == INSN_JMP_FAR || insn.id == INSN_CALL_FAR || insn.id == INSN_RETF);
}

static void check_piece(struct piece_context *context, const uint8_t *guest, uint32_t eip,
                        const struct engine_piece *piece, const uint8_t *host)
{
    struct checker *checker = context->checker;
    csh handle = context->block->code_bits == 32 ? checker->guest32 : checker->guest16;
    cs_insn *insn = NULL;
    bool known = cs_disasm(handle, guest, piece->guest_size, eip, 1, &insn) == 1;
    context->part = "code";
    context->guest = known ? insn : NULL;
    context->guest_registers = 0;
    if (known) {
        set_licence(context, guest, piece);
        unsigned written = written_by_guest(handle, insn);
        for (unsigned i = 0; i < 8; i++) {
            context->guest_registers |= written & 1u << i ? 1u << host_register_of(i) : 0;
        }
        check_host_code(context, host, piece->host_size);
    }
    checker->pieces++;
    checker->callouts += piece->kind == PIECE_CALLOUT;
    checker->traps += piece->kind == PIECE_TRAP;
    *context = (struct piece_context){.checker = checker, .block = context->block};
    if (known) {
        cs_free(insn, 1);
    }
}

static bool check_block(void *opaque, const struct engine_block *block)
{
    struct checker *checker = opaque;
    if (block->host <= checker->newest) {
        return true;
    }
    checker->highest = block->host > checker->highest ? block->host : checker->highest;
    checker->blocks++;
    const uint8_t *guest = checker->bench->ram + block->phys;
    const uint8_t *host = block->host;
    unsigned offset = 0;
    struct piece_context context = {.checker = checker, .block = block, .part = "prologue"};
    check_host_code(&context, host, block->notes->prologue);
    host += block->notes->prologue;
    for (unsigned i = 0; i < block->insn_count; i++) {
        const struct engine_piece piece = engine_block_piece(block, i);
        offset = i % block->notes->round == 0 ? 0 : offset;
        check_piece(&context, guest + offset, block->eip + offset, &piece, host);
        offset += piece.guest_size;
        host += piece.host_size;
    }
    checker->loops += block->insn_count > block->notes->round;
    assert_int_equal(block->insn_count % block->notes->round, 0);
    assert_int_equal(offset, block->guest_size);
    assert_true(host <= block->host + block->host_size);
    context.part = "code out of line";
    check_host_code(&context, host, (size_t)(block->host + block->host_size - host));
    return true;
}

/* ---- streams */

/* An instruction that exists, and does not end its block unless it may. */
static unsigned draw_instruction(struct checker *checker, unsigned code_size, bool may_end, uint8_t *bytes)
{
    const struct decode_mode mode = {.code_size = (uint8_t)code_size};
    for (;;) {
        struct insn insn;
        for (unsigned i = 0; i < INSN_MAX_LENGTH; i++) {
            bytes[i] = (uint8_t)random_draw(&checker->random, 256);
        }
        if (random_chance(&checker->random, 35)) {
            bytes[0] = 0x0f;
        }
        if (decoder_decode(&mode, bytes, INSN_MAX_LENGTH, &insn) == DECODE_OK &&
            (may_end || !(insn_info((enum insn_id)insn.id)->properties & INSN_ENDS_BLOCK))) {
            return insn.length;
        }
    }
}

/* Two instructions and a conditional jump to the first; returns its bytes, with a NOP in front. */
static unsigned draw_loop(struct checker *checker, unsigned code_size, uint8_t *bytes)
{
    unsigned length = 1;
    for (unsigned i = 0; i < 2; i++) {
        length += draw_instruction(checker, code_size, false, bytes + length);
    }
    bytes[length] = (uint8_t)(0x70 + random_draw(&checker->random, 16));
    bytes[length + 1] = (uint8_t)(1 - (length + 2));
    return length + 2;
}

static void run_streams(enum sensitive_strategy sensitive, unsigned code_size,
                        void (*enter)(struct cpu_bench *bench, unsigned code_size))
{
    struct checker *checker = create_checker(sensitive);
    struct cpu_bench *bench = checker->bench;
    for (unsigned stream = 0; stream < STREAMS; stream++) {
        uint8_t bytes[(STREAM_INSNS + 1) * INSN_MAX_LENGTH];
        unsigned length = 1;
        bytes[0] = 0x90; /* nop: the first instruction of a page is executed by the fallback */
        for (unsigned i = 0; i < STREAM_INSNS; i++) {
            length += draw_instruction(checker, code_size, i + 1 == STREAM_INSNS, bytes + length);
        }
        if (random_chance(&checker->random, 10)) {
            length = draw_loop(checker, code_size, bytes);
        }
        bytes[length++] = 0xf4; /* hlt */
        enter(bench, code_size);
        for (unsigned i = 0; i < 8; i++) {
            bench->cpu.gpr[i].d =
                i == CPU_SP ? (uint32_t)BENCH_STACK : BENCH_DATA + random_draw(&checker->random, 512);
        }
        cpu_bench_load(bench, BENCH_CODE, bytes, length);
        cpu_bench_run(bench, STREAM_RUN);
        bench->engine->ops->for_each_block(bench->engine, check_block, checker);
        checker->newest = checker->highest;
    }
    assert_true(checker->blocks >= STREAMS);
    assert_true(checker->loops >= STREAMS / 50);
    assert_true(checker->pieces > 2 * checker->callouts);
    assert_true((checker->traps != 0) == (sensitive == SENSITIVE_TRAP));
    destroy_checker(checker);
}

static void enter_real(struct cpu_bench *bench, unsigned code_size)
{
    (void)code_size;
    cpu_bench_enter_real(bench);
}

static void enter_kernel(struct cpu_bench *bench, unsigned code_size)
{
    cpu_bench_enter_flat(bench, code_size, 0);
}

static void enter_user(struct cpu_bench *bench, unsigned code_size)
{
    cpu_bench_enter_flat(bench, code_size, 3);
}

static void real_mode_code_keeps_the_convention(void **state)
{
    (void)state;
    run_streams(SENSITIVE_INLINE, 2, enter_real);
}

static void kernel_code_of_32_bits_keeps_the_convention(void **state)
{
    (void)state;
    run_streams(SENSITIVE_INLINE, 4, enter_kernel);
}

static void user_code_of_32_bits_keeps_the_convention(void **state)
{
    (void)state;
    run_streams(SENSITIVE_INLINE, 4, enter_user);
}

static void protected_code_of_16_bits_keeps_the_convention(void **state)
{
    (void)state;
    run_streams(SENSITIVE_INLINE, 2, enter_user);
}

static void code_with_callouts_keeps_the_convention(void **state)
{
    (void)state;
    run_streams(SENSITIVE_CALLOUT, 4, enter_kernel);
}

static void code_with_traps_keeps_the_convention(void **state)
{
    (void)state;
    run_streams(SENSITIVE_TRAP, 4, enter_user);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_mode_code_keeps_the_convention),
        cmocka_unit_test(kernel_code_of_32_bits_keeps_the_convention),
        cmocka_unit_test(user_code_of_32_bits_keeps_the_convention),
        cmocka_unit_test(protected_code_of_16_bits_keeps_the_convention),
        cmocka_unit_test(code_with_callouts_keeps_the_convention),
        cmocka_unit_test(code_with_traps_keeps_the_convention),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Proves that insn.def, the opcode rows and the decoder agree with each other. (Two rows for one encoding do
 * not compile.) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "decoder/decoder.h"
#include "decoder_cases.h"

/* How often each instruction came out of the decoder. */
struct seen {
    uint64_t count[INSN_COUNT];
    uint64_t with_mmx[INSN_COUNT];
    uint64_t with_xmm[INSN_COUNT];
};

static enum case_outcome note_instruction(void *context, const struct decoder_case *c)
{
    struct seen *seen = context;
    struct insn insn;
    if (decoder_decode(&c->mode, c->bytes, CASE_BYTES, &insn) != DECODE_OK) {
        return CASE_HAS_MODRM;
    }
    assert_in_range(insn.id, INSN_INVALID + 1, INSN_COUNT - 1);
    seen->count[insn.id]++;
    for (unsigned i = 0; i < insn.operand_count; i++) {
        seen->with_mmx[insn.id] += insn.operand[i].register_class == REGISTER_MMX;
        seen->with_xmm[insn.id] += insn.operand[i].register_class == REGISTER_XMM;
    }
    return insn.has_modrm ? CASE_HAS_MODRM : CASE_HAS_NO_MODRM;
}

static void note_everything(struct seen *seen)
{
    memset(seen, 0, sizeof *seen);
    for (unsigned code_size = 2; code_size <= 8; code_size *= 2) {
        cases_exhaustive(code_size, 3, note_instruction, seen);
    }
    struct decoder_case c = {.mode = {.code_size = 2, .is_8086 = true}};
    for (unsigned word = 0; word < 0x10000; word++) {
        c.bytes[0] = (uint8_t)word;
        c.bytes[1] = (uint8_t)(word >> 8);
        note_instruction(seen, &c);
    }
}

static void every_instruction_has_an_encoding(void **state)
{
    (void)state;
    static struct seen seen;
    note_everything(&seen);
    for (unsigned id = INSN_INVALID + 1; id < INSN_COUNT; id++) {
        if (seen.count[id] == 0) {
            print_error("nothing decodes to %s (id %u)\n", insn_info(id)->mnemonic, id);
        }
        assert_true(seen.count[id] > 0);
    }
}

static void register_operands_match_the_properties(void **state)
{
    (void)state;
    static struct seen seen;
    note_everything(&seen);
    for (unsigned id = INSN_INVALID + 1; id < INSN_COUNT; id++) {
        uint32_t properties = insn_info(id)->properties;
        if ((seen.with_mmx[id] && !(properties & INSN_MMX)) ||
            (seen.with_xmm[id] && !(properties & INSN_SSE))) {
            print_error("%s lacks INSN_MMX or INSN_SSE\n", insn_info(id)->mnemonic);
            fail();
        }
    }
}

static void flag_columns_hold_flags(void **state)
{
    (void)state;
    const unsigned known = INSN_FLAG_CF | INSN_FLAG_PF | INSN_FLAG_AF | INSN_FLAG_ZF | INSN_FLAG_SF |
                           INSN_FLAG_DF | INSN_FLAG_OF;
    for (unsigned id = 0; id < INSN_COUNT; id++) {
        const struct insn_info *info = insn_info(id);
        assert_non_null(info->mnemonic);
        assert_true(strlen(info->mnemonic) > 0);
        assert_int_equal((info->flags_read | info->flags_written | info->flags_undefined) & ~known, 0);
        /* Only the overflow flag of shifts is both: it depends on the count. */
        unsigned both = info->flags_written & info->flags_undefined;
        assert_int_equal(both & ~(unsigned)INSN_FLAG_OF, 0);
        assert_true(both == 0 || (info->properties & INSN_FLAGS_BY_COUNT));
    }
}

static void branches_end_blocks(void **state)
{
    (void)state;
    for (unsigned id = 0; id < INSN_COUNT; id++) {
        uint32_t properties = insn_info(id)->properties;
        assert_true(!(properties & INSN_BRANCH) || (properties & INSN_ENDS_BLOCK));
    }
}

static void the_sensitive_unprivileged_instructions_are_marked(void **state)
{
    (void)state;
    static const uint16_t ids[] = {
        INSN_SGDT,    INSN_SIDT, INSN_SLDT,     INSN_SMSW,    INSN_PUSHF, INSN_POPF, INSN_LAR,
        INSN_LSL,     INSN_VERR, INSN_VERW,     INSN_POP_SEG, INSN_INT,   INSN_STR,  INSN_PUSH_SEG,
        INSN_MOV_SEG, INSN_RETF, INSN_CALL_FAR, INSN_JMP_FAR, INSN_IRET,
    };
    for (size_t i = 0; i < ARRAY_COUNT(ids); i++) {
        assert_true(insn_info(ids[i])->properties & INSN_SENSITIVE);
        assert_false(insn_info(ids[i])->properties & INSN_PRIVILEGED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_instruction_has_an_encoding),
        cmocka_unit_test(register_operands_match_the_properties),
        cmocka_unit_test(flag_columns_hold_flags),
        cmocka_unit_test(branches_end_blocks),
        cmocka_unit_test(the_sensitive_unprivileged_instructions_are_marked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Proves what no oracle can: prefix rules, length limits, truncation, purity, implied addresses, the 8086's
 * aliases. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "decoder/decoder.h"
#include "decoder_cases.h"

static const struct decode_mode mode_16 = {.code_size = 2};
static const struct decode_mode mode_32 = {.code_size = 4};
static const struct decode_mode mode_64 = {.code_size = 8};
static const struct decode_mode mode_8086 = {.code_size = 2, .is_8086 = true};
static const struct decode_mode mode_80286 = {.code_size = 2, .max_length = 10};

/* Decodes the hexadecimal `text`; bytes after it are 0xcc, so that reading them would show. */
static enum decode_result decode_text(const struct decode_mode *mode, const char *text, struct insn *insn)
{
    uint8_t bytes[48];
    memset(bytes, 0xcc, sizeof bytes);
    size_t count = 0;
    char *end;
    for (const char *at = text; *at; at = end) {
        bytes[count++] = (uint8_t)strtoul(at, &end, 16);
    }
    memset(insn, 0, sizeof *insn);
    return decoder_decode(mode, bytes, sizeof bytes, insn);
}

static struct insn decode_ok(const struct decode_mode *mode, const char *text)
{
    struct insn insn;
    enum decode_result result = decode_text(mode, text, &insn);
    if (result != DECODE_OK) {
        print_error("%s: result %d\n", text, (int)result);
    }
    assert_int_equal(result, DECODE_OK);
    return insn;
}

static void assert_result(const struct decode_mode *mode, const char *text, enum decode_result expected)
{
    struct insn insn;
    enum decode_result result = decode_text(mode, text, &insn);
    if (result != expected) {
        print_error("%s: result %d, expected %d\n", text, (int)result, (int)expected);
    }
    assert_int_equal(result, expected);
}

static void assert_memory(const struct insn *insn, unsigned segment, unsigned base, unsigned index,
                          unsigned scale, int64_t displacement)
{
    assert_int_equal(insn->memory.segment, segment);
    assert_int_equal(insn->memory.base, base);
    assert_int_equal(insn->memory.index, index);
    assert_int_equal(insn->memory.scale, scale);
    assert_int_equal(insn->displacement, displacement);
}

static void assert_operand(const struct insn *insn, unsigned i, unsigned kind, unsigned register_class,
                           unsigned reg, unsigned size)
{
    assert_true(i < insn->operand_count);
    assert_int_equal(insn->operand[i].kind, kind);
    assert_int_equal(insn->operand[i].register_class, register_class);
    assert_int_equal(insn->operand[i].reg, reg);
    assert_int_equal(insn->operand[i].size, size);
}

static void the_last_segment_override_counts(void **state)
{
    (void)state;
    struct insn insn = decode_ok(&mode_32, "26 64 8b 45 08");
    assert_memory(&insn, SEGMENT_FS, GPR_BP, GPR_NONE, 0, 8);
    insn = decode_ok(&mode_32, "64 26 8b 45 08");
    assert_memory(&insn, SEGMENT_ES, GPR_BP, GPR_NONE, 0, 8);
    assert_int_equal(insn.prefixes, PREFIX_SEGMENT);
    assert_int_equal(insn.prefix_length, 2);
}

static void overrides_of_flat_segments_are_ignored_in_64_bit_mode(void **state)
{
    (void)state;
    struct insn insn = decode_ok(&mode_64, "64 2e 8b 45 08");
    assert_memory(&insn, SEGMENT_FS, GPR_BP, GPR_NONE, 0, 8);
    insn = decode_ok(&mode_64, "26 8b 45 08");
    assert_memory(&insn, SEGMENT_SS, GPR_BP, GPR_NONE, 0, 8);
    assert_int_equal(insn.prefixes, PREFIX_SEGMENT);
}

static void the_last_of_rep_and_repne_counts(void **state)
{
    (void)state;
    assert_int_equal(decode_ok(&mode_32, "f2 f3 a4").prefixes, PREFIX_REP);
    assert_int_equal(decode_ok(&mode_32, "f3 f2 a4").prefixes, PREFIX_REPNE);
    assert_int_equal(decode_ok(&mode_32, "f2 f3 0f 58 c1").id, INSN_ADDSS);
    assert_int_equal(decode_ok(&mode_32, "f3 f2 0f 58 c1").id, INSN_ADDSD);
}

static void rep_goes_before_66_in_an_opcode(void **state)
{
    (void)state;
    assert_int_equal(decode_ok(&mode_32, "f3 66 0f 58 c1").id, INSN_ADDSS);
    assert_int_equal(decode_ok(&mode_32, "66 f3 0f 58 c1").id, INSN_ADDSS);
    struct insn insn = decode_ok(&mode_32, "66 f2 0f 38 f1 c1");
    assert_int_equal(insn.id, INSN_CRC32);
    assert_operand(&insn, 1, OPERAND_REGISTER, REGISTER_GPR16, GPR_CX, 2);
    assert_int_equal(insn.prefixes, PREFIX_OPERAND_SIZE);
}

static void repeated_prefixes_count_once(void **state)
{
    (void)state;
    struct insn insn = decode_ok(&mode_32, "66 66 b8 34 12");
    assert_int_equal(insn.operand_size, 2);
    assert_int_equal(insn.immediate, 0x1234);
    insn = decode_ok(&mode_32, "67 67 8b 07");
    assert_memory(&insn, SEGMENT_DS, GPR_BX, GPR_NONE, 0, 0);
}

static void lock_is_reported_whether_allowed_or_not(void **state)
{
    (void)state;
    assert_int_equal(decode_ok(&mode_32, "f0 01 08").prefixes, PREFIX_LOCK);
    assert_int_equal(decode_ok(&mode_32, "f0 90").prefixes, PREFIX_LOCK);
}

static void rex_counts_only_directly_before_the_opcode(void **state)
{
    (void)state;
    struct insn insn = decode_ok(&mode_64, "48 66 89 c8");
    assert_int_equal(insn.operand_size, 2);
    assert_int_equal(insn.prefixes, PREFIX_OPERAND_SIZE);
    insn = decode_ok(&mode_64, "66 48 89 c8");
    assert_int_equal(insn.operand_size, 8);
    insn = decode_ok(&mode_64, "4f 40 89 c8");
    assert_operand(&insn, 0, OPERAND_REGISTER, REGISTER_GPR32, GPR_AX, 4);
    assert_int_equal(decode_ok(&mode_32, "48").id, INSN_DEC);
}

static void rex_turns_high_byte_registers_into_low_ones(void **state)
{
    (void)state;
    struct insn insn = decode_ok(&mode_64, "88 e5");
    assert_operand(&insn, 0, OPERAND_REGISTER, REGISTER_GPR8_HIGH, 1, 1);
    assert_operand(&insn, 1, OPERAND_REGISTER, REGISTER_GPR8_HIGH, 0, 1);
    insn = decode_ok(&mode_64, "40 88 e5");
    assert_operand(&insn, 0, OPERAND_REGISTER, REGISTER_GPR8, GPR_BP, 1);
    assert_operand(&insn, 1, OPERAND_REGISTER, REGISTER_GPR8, GPR_SP, 1);
    insn = decode_ok(&mode_64, "45 88 e5");
    assert_operand(&insn, 0, OPERAND_REGISTER, REGISTER_GPR8, 13, 1);
    assert_operand(&insn, 1, OPERAND_REGISTER, REGISTER_GPR8, 12, 1);
}

static void rip_relative_is_of_64_bit_mode_only(void **state)
{
    (void)state;
    struct insn insn = decode_ok(&mode_64, "8b 05 fc ff ff ff");
    assert_true(insn.memory.rip_relative);
    assert_memory(&insn, SEGMENT_DS, GPR_NONE, GPR_NONE, 0, -4);
    insn = decode_ok(&mode_64, "41 8b 05 fc ff ff ff"); /* REX.B does not make it R13 */
    assert_true(insn.memory.rip_relative);
    insn = decode_ok(&mode_64, "8b 04 25 fc ff ff ff");
    assert_false(insn.memory.rip_relative);
    assert_memory(&insn, SEGMENT_DS, GPR_NONE, GPR_NONE, 0, -4);
    insn = decode_ok(&mode_32, "8b 05 fc ff ff ff");
    assert_false(insn.memory.rip_relative);
}

static void sib_bases_and_indexes_have_their_exceptions(void **state)
{
    (void)state;
    struct insn insn = decode_ok(&mode_32, "8b 04 e4"); /* index 4: none, its scale has no meaning */
    assert_memory(&insn, SEGMENT_SS, GPR_SP, GPR_NONE, 0, 0);
    insn = decode_ok(&mode_64, "42 8b 04 a4"); /* REX.X makes it R12 */
    assert_memory(&insn, SEGMENT_SS, GPR_SP, 12, 2, 0);
    insn = decode_ok(&mode_32, "8b 04 8d 10 00 00 00"); /* base 5 with mod 0: none */
    assert_memory(&insn, SEGMENT_DS, GPR_NONE, GPR_CX, 2, 16);
    insn = decode_ok(&mode_32, "8b 44 8d 10");
    assert_memory(&insn, SEGMENT_SS, GPR_BP, GPR_CX, 2, 16);
    insn = decode_ok(&mode_64, "41 8b 04 24"); /* R12 is no stack pointer */
    assert_memory(&insn, SEGMENT_DS, 12, GPR_NONE, 0, 0);
    insn = decode_ok(&mode_16, "8b 42 fe");
    assert_memory(&insn, SEGMENT_SS, GPR_BP, GPR_SI, 0, -2);
    insn = decode_ok(&mode_16, "8b 06 fe ff");
    assert_memory(&insn, SEGMENT_DS, GPR_NONE, GPR_NONE, 0, -2);
}

static void moffs_is_as_wide_as_an_address(void **state)
{
    (void)state;
    struct insn insn = decode_ok(&mode_64, "a1 88 77 66 55 44 33 22 f1");
    assert_int_equal(insn.displacement, (int64_t)0xf122334455667788u);
    assert_int_equal(insn.operand_size, 4);
    insn = decode_ok(&mode_64, "67 a1 88 77 66 f5");
    assert_int_equal(insn.displacement, 0xf5667788);
    insn = decode_ok(&mode_16, "2e a0 fe ff");
    assert_int_equal(insn.displacement, 0xfffe);
    assert_int_equal(insn.memory.segment, SEGMENT_CS);
    assert_operand(&insn, 0, OPERAND_REGISTER, REGISTER_GPR8, GPR_AX, 1);
    assert_operand(&insn, 1, OPERAND_MEMORY, 0, OPERAND_STRING_NONE, 1);
}

static void immediates_are_extended_as_the_manual_says(void **state)
{
    (void)state;
    assert_int_equal(decode_ok(&mode_32, "83 c0 ff").immediate, UINT64_MAX);
    assert_int_equal(decode_ok(&mode_16, "6a 80").immediate, (uint64_t)-128);
    assert_int_equal(decode_ok(&mode_32, "6b c0 fe").immediate, (uint64_t)-2);
    assert_int_equal(decode_ok(&mode_32, "cd ff").immediate, 0xff);
    assert_int_equal(decode_ok(&mode_32, "05 fe ff ff ff").immediate, 0xfffffffe);
    assert_int_equal(decode_ok(&mode_64, "48 05 fe ff ff ff").immediate, (uint64_t)-2);
    assert_int_equal(decode_ok(&mode_64, "68 fe ff ff ff").immediate, (uint64_t)-2);
    assert_int_equal(decode_ok(&mode_64, "48 b8 88 77 66 55 44 33 22 f1").immediate, 0xf122334455667788u);
    struct insn insn = decode_ok(&mode_32, "c8 34 12 05");
    assert_int_equal(insn.immediate, 0x1234);
    assert_int_equal(insn.immediate2, 5);
    assert_operand(&insn, 1, OPERAND_IMMEDIATE, 0, 1, 1);
    insn = decode_ok(&mode_16, "ea 34 12 78 56");
    assert_int_equal(insn.immediate, 0x1234);
    assert_int_equal(insn.immediate2, 0x5678);
    assert_operand(&insn, 0, OPERAND_FAR, 0, 0, 4);
}

static void sixty_four_bit_mode_promotes_operand_sizes(void **state)
{
    (void)state;
    assert_int_equal(decode_ok(&mode_64, "50").operand_size, 8);
    assert_int_equal(decode_ok(&mode_64, "66 50").operand_size, 2);
    assert_int_equal(decode_ok(&mode_64, "66 e8 00 00 00 00").operand_size, 8);
    assert_int_equal(decode_ok(&mode_64, "c3").operand_size, 8);
    assert_int_equal(decode_ok(&mode_64, "cb").operand_size, 4);
    assert_int_equal(decode_ok(&mode_64, "0f 20 c0").operand[0].size, 8);
    assert_int_equal(decode_ok(&mode_16, "0f 20 c0").operand[0].size, 4);
    assert_int_equal(decode_ok(&mode_64, "0f 01 10").operand[0].size, 10);
    assert_int_equal(decode_ok(&mode_32, "0f 01 10").operand[0].size, 6);
    assert_int_equal(decode_ok(&mode_64, "63 c1").id, INSN_MOVSXD);
    assert_int_equal(decode_ok(&mode_32, "63 c1").id, INSN_ARPL);
}

static void instructions_of_legacy_modes_are_invalid_in_64_bit_mode(void **state)
{
    (void)state;
    static const char *const texts[] = {"06", "07", "0e", "16", "17", "1e", "1f",    "27",
                                        "2f", "37", "3f", "60", "61", "62", "82 c0", "9a",
                                        "ce", "d4", "d5", "d6", "ea", "c4", "c5"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_result(&mode_64, texts[i], DECODE_INVALID);
    }
    assert_result(&mode_32, "0f 01 f8", DECODE_INVALID); /* SWAPGS */
    assert_result(&mode_64, "0f 24 c0", DECODE_INVALID); /* MOV TR */
}

static void modrm_forms_that_do_not_exist_are_invalid(void **state)
{
    (void)state;
    static const char *const texts[] = {"8d c0",    "c4 c0", "c5 c0", "62 c0",    "0f b2 c0", "0f 01 d8",
                                        "0f c7 c8", "ff d8", "ff e8", "ff f8",    "fe d0",    "8f c8",
                                        "c6 c8",    "8e c8", "8e f0", "8c f8",    "0f 50 00", "0f ba c0",
                                        "d9 08",    "d9 d1", "dd 28", "0f 20 c8", "0f 71 10", "0f 00 f0"};
    for (size_t i = 0; i < ARRAY_COUNT(texts); i++) {
        assert_result(&mode_32, texts[i], DECODE_INVALID);
    }
}

static void control_and_debug_moves_ignore_mod(void **state)
{
    (void)state;
    struct insn insn = decode_ok(&mode_32, "0f 22 58");
    assert_int_equal(insn.length, 3);
    assert_operand(&insn, 0, OPERAND_REGISTER, REGISTER_CONTROL, 3, 4);
    assert_operand(&insn, 1, OPERAND_REGISTER, REGISTER_GPR32, GPR_AX, 4);
    insn = decode_ok(&mode_32, "0f 21 3c");
    assert_int_equal(insn.length, 3);
    assert_operand(&insn, 0, OPERAND_REGISTER, REGISTER_GPR32, GPR_SP, 4);
    assert_operand(&insn, 1, OPERAND_REGISTER, REGISTER_DEBUG, 7, 4);
}

static void implied_registers_are_operands(void **state)
{
    (void)state;
    struct insn insn = decode_ok(&mode_32, "d3 e0");
    assert_operand(&insn, 1, OPERAND_REGISTER, REGISTER_GPR8, GPR_CX, 1);
    insn = decode_ok(&mode_32, "d1 e0");
    assert_operand(&insn, 1, OPERAND_CONSTANT, 0, 1, 1);
    insn = decode_ok(&mode_32, "66 ef");
    assert_operand(&insn, 0, OPERAND_REGISTER, REGISTER_GPR16, GPR_DX, 2);
    assert_operand(&insn, 1, OPERAND_REGISTER, REGISTER_GPR16, GPR_AX, 2);
    insn = decode_ok(&mode_32, "66 0f 38 14 ca");
    assert_int_equal(insn.operand_count, 3);
    assert_operand(&insn, 2, OPERAND_REGISTER, REGISTER_XMM, 0, 16);
    insn = decode_ok(&mode_32, "cc");
    assert_operand(&insn, 0, OPERAND_CONSTANT, 0, 3, 1);
}

static void string_operands_tell_source_from_destination(void **state)
{
    (void)state;
    struct insn insn = decode_ok(&mode_32, "64 66 a5");
    assert_operand(&insn, 0, OPERAND_MEMORY, 0, OPERAND_STRING_DESTINATION, 2);
    assert_operand(&insn, 1, OPERAND_MEMORY, 0, OPERAND_STRING_SOURCE, 2);
    assert_memory(&insn, SEGMENT_FS, GPR_SI, GPR_NONE, 0, 0);
    insn = decode_ok(&mode_16, "26 a6");
    assert_operand(&insn, 0, OPERAND_MEMORY, 0, OPERAND_STRING_SOURCE, 1);
    assert_operand(&insn, 1, OPERAND_MEMORY, 0, OPERAND_STRING_DESTINATION, 1);
    assert_memory(&insn, SEGMENT_ES, GPR_SI, GPR_NONE, 0, 0);
    insn = decode_ok(&mode_32, "2e ab"); /* no override for the destination */
    assert_memory(&insn, SEGMENT_ES, GPR_DI, GPR_NONE, 0, 0);
    insn = decode_ok(&mode_64, "48 ad");
    assert_operand(&insn, 1, OPERAND_MEMORY, 0, OPERAND_STRING_SOURCE, 8);
    assert_memory(&insn, SEGMENT_DS, GPR_SI, GPR_NONE, 0, 0);
    insn = decode_ok(&mode_64, "48 6f"); /* there is no 64-bit I/O */
    assert_operand(&insn, 1, OPERAND_MEMORY, 0, OPERAND_STRING_SOURCE, 4);
    insn = decode_ok(&mode_16, "2e d7");
    assert_memory(&insn, SEGMENT_CS, GPR_BX, GPR_NONE, 0, 0);
}

static void ninety_is_nop_pause_or_exchange(void **state)
{
    (void)state;
    assert_int_equal(decode_ok(&mode_32, "90").id, INSN_NOP);
    struct insn insn = decode_ok(&mode_32, "f3 90");
    assert_int_equal(insn.id, INSN_PAUSE);
    assert_int_equal(insn.prefixes, 0);
    assert_int_equal(decode_ok(&mode_64, "48 90").id, INSN_NOP);
    insn = decode_ok(&mode_64, "41 90");
    assert_int_equal(insn.id, INSN_XCHG);
    assert_operand(&insn, 0, OPERAND_REGISTER, REGISTER_GPR32, 8, 4);
    assert_operand(&insn, 1, OPERAND_REGISTER, REGISTER_GPR32, GPR_AX, 4);
}

static void hints_decode_whatever_modrm_says(void **state)
{
    (void)state;
    static const uint8_t opcodes[] = {0x0d, 0x18, 0x19, 0x1a, 0x1b, 0x1c, 0x1d, 0x1e, 0x1f};
    for (unsigned i = 0; i < sizeof opcodes * 256; i++) {
        uint8_t bytes[CASE_BYTES] = {0x0f, opcodes[i / 256], (uint8_t)i};
        struct insn insn;
        assert_int_equal(decoder_decode(&mode_32, bytes, sizeof bytes, &insn), DECODE_OK);
        assert_true(insn.id == INSN_NOP || (insn.id >= INSN_PREFETCH && insn.id <= INSN_PREFETCHT2));
        assert_true(insn.has_modrm);
        assert_int_equal(insn.operand_count, 1);
        assert_int_equal(insn.operand[0].kind, insn.modrm >= 0xc0 ? OPERAND_REGISTER : OPERAND_MEMORY);
    }
    assert_int_equal(decode_ok(&mode_32, "0f 18 10").id, INSN_PREFETCHT1);
    assert_int_equal(decode_ok(&mode_32, "0f 0d 08").id, INSN_PREFETCHW);
}

static void conditions_are_numbered(void **state)
{
    (void)state;
    struct insn insn = decode_ok(&mode_32, "7f fe");
    assert_int_equal(insn.id, INSN_J);
    assert_int_equal(insn.condition, 15);
    assert_int_equal(insn.immediate, (uint64_t)-2);
    assert_int_equal(decode_ok(&mode_32, "0f 94 c0").condition, 4);
    assert_int_equal(decode_ok(&mode_32, "0f 4c c1").condition, 12);
    assert_int_equal(decode_ok(&mode_32, "8f c0").condition, 0);
}

static void sixteen_bytes_are_too_long(void **state)
{
    (void)state;
    assert_int_equal(decode_ok(&mode_32, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 90").length, 15);
    assert_result(&mode_32, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 66 90", DECODE_TOO_LONG);
    assert_result(&mode_32, "2e 2e 2e 2e 2e c7 84 88 78 56 34 12 78 56 34 12", DECODE_TOO_LONG);
    assert_result(&mode_32, "2e 2e 2e 2e c7 84 88 78 56 34 12 78 56 34 12", DECODE_OK);
    assert_result(&mode_32, "66 66 66 66 66 66 66 66 66 66 66 66 66 66 0f ff", DECODE_TOO_LONG);
}

static void the_80286_takes_ten_bytes(void **state)
{
    (void)state;
    assert_int_equal(decode_ok(&mode_80286, "26 26 26 26 26 26 26 26 26 90").length, 10);
    assert_result(&mode_80286, "26 26 26 26 26 26 26 26 26 26 90", DECODE_TOO_LONG);
    assert_result(&mode_80286, "26 26 26 26 26 c7 06 34 12 78 56", DECODE_TOO_LONG);
}

static void too_few_bytes_go_before_too_many(void **state)
{
    (void)state;
    uint8_t prefixes[20];
    memset(prefixes, 0x66, sizeof prefixes);
    struct insn insn;
    for (size_t available = 0; available < 15; available++) {
        assert_int_equal(decoder_decode(&mode_32, prefixes, available, &insn), DECODE_TRUNCATED);
    }
    assert_int_equal(decoder_decode(&mode_32, prefixes, 15, &insn), DECODE_TOO_LONG);
    assert_int_equal(decoder_decode(&mode_80286, prefixes, 9, &insn), DECODE_TRUNCATED);
}

/* Fewer bytes than the length must truncate; bytes beyond the length must not matter. */
static enum case_outcome check_length(void *context, const struct decoder_case *c)
{
    uint64_t *checked = context;
    struct insn insn;
    memset(&insn, 0, sizeof insn);
    enum decode_result result = decoder_decode(&c->mode, c->bytes, CASE_BYTES, &insn);
    if (result == DECODE_TOO_LONG) {
        return CASE_HAS_MODRM;
    }
    assert_in_range(insn.length, 1, INSN_MAX_LENGTH);
    for (size_t available = 0; available <= insn.length; available++) {
        struct insn partial;
        enum decode_result expected = available < insn.length ? DECODE_TRUNCATED : result;
        if (decoder_decode(&c->mode, c->bytes, available, &partial) != expected) {
            print_error("%02x %02x %02x %02x %02x, %zu of %u bytes\n", c->bytes[0], c->bytes[1], c->bytes[2],
                        c->bytes[3], c->bytes[4], available, insn.length);
            fail();
        }
    }
    struct decoder_case other = *c;
    for (size_t i = insn.length; i < CASE_BYTES; i++) {
        other.bytes[i] = (uint8_t)~other.bytes[i];
    }
    struct insn again;
    memset(&again, 0, sizeof again);
    assert_int_equal(decoder_decode(&other.mode, other.bytes, CASE_BYTES, &again), result);
    if (result == DECODE_OK) {
        assert_memory_equal(&again, &insn, sizeof insn);
    } else {
        assert_int_equal(again.length, insn.length);
    }
    ++*checked;
    return result == DECODE_OK && !insn.has_modrm ? CASE_HAS_NO_MODRM : CASE_HAS_MODRM;
}

static void any_shorter_input_is_truncated_and_later_bytes_do_not_matter(void **state)
{
    (void)state;
    for (unsigned code_size = 2; code_size <= 8; code_size *= 2) {
        uint64_t checked = 0;
        cases_exhaustive(code_size, cases_environment("DOPPEL_DECODER_SEED", 7), check_length, &checked);
        assert_true(checked > 100000);
    }
}

/* Puts the prefixes of `from` into random order, REX last. */
static void shuffle_prefixes(uint64_t *seed, uint8_t *bytes, size_t count)
{
    for (size_t i = count; i > 1; i--) {
        size_t k = (size_t)(cases_random(seed) % i);
        uint8_t byte = bytes[k];
        bytes[k] = bytes[i - 1];
        bytes[i - 1] = byte;
    }
}

static void the_order_of_different_prefixes_does_not_matter(void **state)
{
    (void)state;
    static const uint8_t prefixes[5] = {0xf0, 0x64, 0x66, 0x67, 0xf3};
    uint64_t seed = cases_environment("DOPPEL_DECODER_SEED", 11);
    uint64_t valid = 0;
    for (unsigned i = 0; i < 100000; i++) {
        const struct decode_mode *mode = i % 3 == 0 ? &mode_16 : i % 3 == 1 ? &mode_32 : &mode_64;
        uint8_t random[CASE_BYTES];
        cases_random_bytes(&seed, random, 4);
        uint8_t bytes[2][40];
        memset(bytes, 0, sizeof bytes);
        memcpy(bytes[0], prefixes, sizeof prefixes);
        memcpy(bytes[0] + sizeof prefixes, random, CASE_BYTES);
        memcpy(bytes[1], bytes[0], sizeof bytes[0]);
        shuffle_prefixes(&seed, bytes[1], sizeof prefixes);
        struct insn insns[2];
        memset(insns, 0, sizeof insns);
        enum decode_result result = decoder_decode(mode, bytes[0], sizeof bytes[0], &insns[0]);
        assert_int_equal(decoder_decode(mode, bytes[1], sizeof bytes[1], &insns[1]), result);
        if (result == DECODE_OK) {
            assert_memory_equal(&insns[0], &insns[1], sizeof insns[0]);
            valid++;
        }
    }
    assert_true(valid > 1000);
}

static void the_8086_has_aliases(void **state)
{
    (void)state;
    struct insn insn = decode_ok(&mode_8086, "0f");
    assert_int_equal(insn.id, INSN_POP_SEG);
    assert_operand(&insn, 0, OPERAND_REGISTER, REGISTER_SEGMENT, SEGMENT_CS, 2);
    for (unsigned opcode = 0x60; opcode < 0x70; opcode++) {
        char text[16];
        snprintf(text, sizeof text, "%x fe", opcode);
        insn = decode_ok(&mode_8086, text);
        assert_int_equal(insn.id, INSN_J);
        assert_int_equal(insn.condition, opcode & 15);
        assert_int_equal(insn.length, 2);
    }
    assert_int_equal(decode_ok(&mode_8086, "c0 04 00").id, INSN_RET);
    assert_int_equal(decode_ok(&mode_8086, "c1").id, INSN_RET);
    assert_int_equal(decode_ok(&mode_8086, "c8 04 00").id, INSN_RETF);
    assert_int_equal(decode_ok(&mode_8086, "c9").id, INSN_RETF);
    insn = decode_ok(&mode_8086, "f1 01 07");
    assert_int_equal(insn.id, INSN_ADD);
    assert_int_equal(insn.prefixes, PREFIX_LOCK);
    assert_int_equal(decode_ok(&mode_8086, "d1 f0").id, INSN_SETMO);
    assert_int_equal(decode_ok(&mode_8086, "d3 f0").id, INSN_SETMO);
    assert_int_equal(decode_ok(&mode_80286, "d1 f0").id, INSN_SHL);
    assert_int_equal(decode_ok(&mode_8086, "f7 c8 34 12").id, INSN_TEST);
    assert_int_equal(decode_ok(&mode_8086, "82 c0 01").id, INSN_ADD);
    assert_int_equal(decode_ok(&mode_8086, "d6").id, INSN_SALC);
    insn = decode_ok(&mode_8086, "8e f0");
    assert_operand(&insn, 0, OPERAND_REGISTER, REGISTER_SEGMENT, SEGMENT_SS, 2);
    assert_int_equal(decode_ok(&mode_8086, "8e c8").id, INSN_MOV_SEG);
    assert_int_equal(decode_ok(&mode_8086, "ff f8").id, INSN_PUSH);
    assert_int_equal(decode_ok(&mode_8086, "fe f0").id, INSN_PUSH);
    assert_int_equal(decode_ok(&mode_8086, "c7 f8 34 12").id, INSN_MOV);
    assert_int_equal(decode_ok(&mode_8086, "8f f8").id, INSN_POP);
}

/* Opcodes that mean something else on the 8086, or more. */
static bool is_8086_alias(const uint8_t *bytes)
{
    unsigned reg = bytes[1] >> 3 & 7u;
    return bytes[0] == 0x0f || (bytes[0] & 0xf0) == 0x60 || (bytes[0] & 0xf6) == 0xc0 || bytes[0] == 0xf1 ||
           ((bytes[0] & 0xfc) == 0xd0 && reg == 6) || bytes[0] == 0x8c || bytes[0] == 0x8e ||
           bytes[0] == 0xfe;
}

static void the_8086_agrees_with_16_bit_code_elsewhere(void **state)
{
    (void)state;
    unsigned compared = 0;
    for (unsigned word = 0; word < 0x10000; word++) {
        uint8_t bytes[CASE_BYTES] = {(uint8_t)word, (uint8_t)(word >> 8), 0x12, 0x34, 0x56, 0x78};
        struct insn insns[2];
        memset(insns, 0, sizeof insns);
        if (is_8086_alias(bytes) || decoder_decode(&mode_16, bytes, sizeof bytes, &insns[0]) != DECODE_OK) {
            continue;
        }
        if (insns[0].level == INSN_LEVEL_8086 && insns[0].prefix_length == 0) {
            assert_int_equal(decoder_decode(&mode_8086, bytes, sizeof bytes, &insns[1]), DECODE_OK);
            assert_memory_equal(&insns[0], &insns[1], sizeof insns[0]);
            compared++;
        }
    }
    assert_true(compared > 40000);
}

static void fe_on_the_8086_is_ff_with_byte_operands(void **state)
{
    (void)state;
    static const uint16_t ids[8] = {INSN_INC,      INSN_DEC,     INSN_CALL_NEAR, INSN_CALL_FAR,
                                    INSN_JMP_NEAR, INSN_JMP_FAR, INSN_PUSH,      INSN_PUSH};
    for (unsigned reg = 0; reg < 8; reg++) {
        bool is_far = reg == 3 || reg == 5;
        for (uint8_t opcode = 0xfe; opcode != 0; opcode++) {
            uint8_t bytes[CASE_BYTES] = {opcode, (uint8_t)(reg << 3 | 7)};
            struct insn insn;
            assert_int_equal(decoder_decode(&mode_8086, bytes, sizeof bytes, &insn), DECODE_OK);
            assert_int_equal(insn.id, ids[reg]);
            assert_int_equal(insn.operand_count, 1);
            assert_operand(&insn, 0, OPERAND_MEMORY, 0, OPERAND_STRING_NONE,
                           is_far           ? 4
                           : opcode == 0xfe ? 1
                                            : 2);
        }
    }
}

static void escapes_without_meaning_are_errors_from_the_80386_on(void **state)
{
    (void)state;
    struct insn insn = decode_ok(&mode_8086, "d9 4a 01");
    assert_int_equal(insn.id, INSN_ESC);
    assert_int_equal(insn.length, 3);
    assert_operand(&insn, 0, OPERAND_MEMORY, 0, OPERAND_STRING_NONE, 2);
    assert_int_equal(decode_ok(&mode_80286, "d9 d1").id, INSN_ESC);
    assert_int_equal(decode_ok(&mode_8086, "d8 c1").id, INSN_FADD);
    assert_result(&mode_16, "d9 4a 01", DECODE_INVALID);
}

static void every_8086_opcode_decodes(void **state)
{
    (void)state;
    for (unsigned word = 0; word < 0x10000; word++) {
        uint8_t bytes[CASE_BYTES] = {(uint8_t)word, (uint8_t)(word >> 8)};
        struct insn insn;
        enum decode_result result = decoder_decode(&mode_8086, bytes, sizeof bytes, &insn);
        unsigned opcode = bytes[0];
        unsigned reg = bytes[1] >> 3 & 7u;
        bool is_register = bytes[1] >= 0xc0;
        bool needs_memory = opcode == 0x8d || opcode == 0xc4 || opcode == 0xc5 ||
                            ((opcode & 0xfe) == 0xfe && (reg == 3 || reg == 5));
        bool is_prefix =
            (opcode & 0xe7) == 0x26 || opcode == 0xf0 || opcode == 0xf1 || opcode == 0xf2 || opcode == 0xf3;
        if (!is_prefix) {
            assert_int_equal(result, needs_memory && is_register ? DECODE_INVALID : DECODE_OK);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_last_segment_override_counts),
        cmocka_unit_test(overrides_of_flat_segments_are_ignored_in_64_bit_mode),
        cmocka_unit_test(the_last_of_rep_and_repne_counts),
        cmocka_unit_test(rep_goes_before_66_in_an_opcode),
        cmocka_unit_test(repeated_prefixes_count_once),
        cmocka_unit_test(lock_is_reported_whether_allowed_or_not),
        cmocka_unit_test(rex_counts_only_directly_before_the_opcode),
        cmocka_unit_test(rex_turns_high_byte_registers_into_low_ones),
        cmocka_unit_test(rip_relative_is_of_64_bit_mode_only),
        cmocka_unit_test(sib_bases_and_indexes_have_their_exceptions),
        cmocka_unit_test(moffs_is_as_wide_as_an_address),
        cmocka_unit_test(immediates_are_extended_as_the_manual_says),
        cmocka_unit_test(sixty_four_bit_mode_promotes_operand_sizes),
        cmocka_unit_test(instructions_of_legacy_modes_are_invalid_in_64_bit_mode),
        cmocka_unit_test(modrm_forms_that_do_not_exist_are_invalid),
        cmocka_unit_test(control_and_debug_moves_ignore_mod),
        cmocka_unit_test(implied_registers_are_operands),
        cmocka_unit_test(string_operands_tell_source_from_destination),
        cmocka_unit_test(ninety_is_nop_pause_or_exchange),
        cmocka_unit_test(hints_decode_whatever_modrm_says),
        cmocka_unit_test(conditions_are_numbered),
        cmocka_unit_test(sixteen_bytes_are_too_long),
        cmocka_unit_test(the_80286_takes_ten_bytes),
        cmocka_unit_test(too_few_bytes_go_before_too_many),
        cmocka_unit_test(any_shorter_input_is_truncated_and_later_bytes_do_not_matter),
        cmocka_unit_test(the_order_of_different_prefixes_does_not_matter),
        cmocka_unit_test(the_8086_has_aliases),
        cmocka_unit_test(the_8086_agrees_with_16_bit_code_elsewhere),
        cmocka_unit_test(fe_on_the_8086_is_ff_with_byte_operands),
        cmocka_unit_test(escapes_without_meaning_are_errors_from_the_80386_on),
        cmocka_unit_test(every_8086_opcode_decodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

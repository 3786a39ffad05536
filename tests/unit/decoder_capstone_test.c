/* Proves that the decoder and capstone agree, but for the documented disagreements (decoder_oracle.c).
 *
 * Exhaustive over opcodes and ModRM in 16-, 32- and 64-bit code, then random byte strings.
 * DOPPEL_DECODER_SEED and DOPPEL_DECODER_COUNT (random strings per code size) override the built-in values. A
 * failure prints one example per kind of disagreement. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "decoder_cases.h"
#include "decoder_oracle.h"

#define MAX_KINDS 400

/* One kind of disagreement: the first example stands for all. */
struct disagreement {
    enum oracle_verdict verdict;
    char ours[32];
    char theirs[32];
    uint64_t count;
    struct decoder_case example;
};

struct comparison {
    struct oracle oracle;
    uint64_t compared;
    uint64_t valid;
    uint64_t documented;
    unsigned kinds;
    struct disagreement kind[MAX_KINDS];
};

static void record(struct comparison *comparison, const struct decoder_case *c, enum oracle_verdict verdict,
                   const char *ours, const char *theirs)
{
    for (unsigned i = 0; i < comparison->kinds; i++) {
        struct disagreement *known = &comparison->kind[i];
        if (known->verdict == verdict && strcmp(known->ours, ours) == 0 &&
            strcmp(known->theirs, theirs) == 0) {
            known->count++;
            return;
        }
    }
    if (comparison->kinds < MAX_KINDS) {
        struct disagreement *new = &comparison->kind[comparison->kinds++];
        *new = (struct disagreement){.verdict = verdict, .count = 1, .example = *c};
        snprintf(new->ours, sizeof new->ours, "%s", ours);
        snprintf(new->theirs, sizeof new->theirs, "%s", theirs);
    }
}

static enum case_outcome compare_case(void *context, const struct decoder_case *c)
{
    struct comparison *comparison = context;
    struct insn ours = {0};
    enum decode_result result = decoder_decode(&c->mode, c->bytes, INSN_MAX_LENGTH, &ours);
    struct insn in_place;
    memset(&in_place, 0, sizeof in_place);
    assert_int_equal(decoder_decode(&c->mode, c->bytes, CASE_BYTES, &in_place), result);
    assert_int_equal(in_place.id, ours.id);

    if (result == DECODE_TOO_LONG) {
        return CASE_HAS_MODRM; /* capstone has the limit too, but is shown fewer prefixes */
    }
    enum oracle_verdict verdict = oracle_compare(&comparison->oracle, c, result, &ours);
    comparison->compared++;
    comparison->valid += result == DECODE_OK;
    comparison->documented += verdict == ORACLE_DOCUMENTED;
    if (verdict > ORACLE_DOCUMENTED) {
        char name[32] = "(invalid)";
        if (result == DECODE_OK) {
            oracle_mnemonic(&ours, name);
        }
        const cs_insn *theirs = oracle_decode(&comparison->oracle, c);
        record(comparison, c, verdict, name, theirs ? theirs->mnemonic : "(invalid)");
    }
    return result == DECODE_OK && !ours.has_modrm ? CASE_HAS_NO_MODRM : CASE_HAS_MODRM;
}

static const char *verdict_text(enum oracle_verdict verdict)
{
    static const char *const texts[] = {"agree",    "documented",    "validity", "length",
                                        "mnemonic", "operand count", "operand"};
    return texts[verdict];
}

static void print_disagreements(struct comparison *comparison)
{
    for (unsigned i = 0; i < comparison->kinds; i++) {
        const struct disagreement *d = &comparison->kind[i];
        print_message("%-13s %8llu × ours %-12s capstone %-14s %u-bit", verdict_text(d->verdict),
                      (unsigned long long)d->count, d->ours, d->theirs, d->example.mode.code_size * 8u);
        for (unsigned k = 0; k < INSN_MAX_LENGTH; k++) {
            print_message(" %02x", d->example.bytes[k]);
        }
        const cs_insn *theirs = oracle_decode(&comparison->oracle, &d->example);
        if (theirs) {
            print_message(" [%s %s]", theirs->mnemonic, theirs->op_str);
        }
        print_message("\n");
    }
}

static void begin(struct comparison *comparison, unsigned code_size)
{
    memset(comparison, 0, sizeof *comparison);
    assert_true(oracle_open(&comparison->oracle, code_size));
}

static void end(struct comparison *comparison, const char *what)
{
    print_message("%s: %llu strings, %llu instructions, %llu documented disagreements\n", what,
                  (unsigned long long)comparison->compared, (unsigned long long)comparison->valid,
                  (unsigned long long)comparison->documented);
    print_disagreements(comparison);
    oracle_close(&comparison->oracle);
    assert_int_equal(comparison->kinds, 0);
    assert_true(comparison->valid > 1000);
}

static void compare_exhaustively(unsigned code_size)
{
    static struct comparison comparison;
    begin(&comparison, code_size);
    cases_exhaustive(code_size, cases_environment("DOPPEL_DECODER_SEED", 1), compare_case, &comparison);
    end(&comparison, "every opcode and ModRM");
}

static void every_opcode_and_modrm_agrees_in_16_bit_code(void **state)
{
    (void)state;
    compare_exhaustively(2);
}

static void every_opcode_and_modrm_agrees_in_32_bit_code(void **state)
{
    (void)state;
    compare_exhaustively(4);
}

static void every_opcode_and_modrm_agrees_in_64_bit_code(void **state)
{
    (void)state;
    compare_exhaustively(8);
}

static void compare_randomly(unsigned code_size)
{
    static struct comparison comparison;
    uint64_t seed = cases_environment("DOPPEL_DECODER_SEED", 20240229 + code_size);
    uint64_t count = cases_environment("DOPPEL_DECODER_COUNT", 1000000);
    print_message("DOPPEL_DECODER_SEED=%llu DOPPEL_DECODER_COUNT=%llu\n", (unsigned long long)seed,
                  (unsigned long long)count);
    begin(&comparison, code_size);
    struct decoder_case c = {.mode = {.code_size = (uint8_t)code_size}};
    for (uint64_t i = 0; i < count; i++) {
        cases_random_bytes(&seed, c.bytes, code_size);
        compare_case(&comparison, &c);
    }
    end(&comparison, "random strings");
}

static void random_bytes_agree_in_16_bit_code(void **state)
{
    (void)state;
    compare_randomly(2);
}

static void random_bytes_agree_in_32_bit_code(void **state)
{
    (void)state;
    compare_randomly(4);
}

static void random_bytes_agree_in_64_bit_code(void **state)
{
    (void)state;
    compare_randomly(8);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_opcode_and_modrm_agrees_in_16_bit_code),
        cmocka_unit_test(every_opcode_and_modrm_agrees_in_32_bit_code),
        cmocka_unit_test(every_opcode_and_modrm_agrees_in_64_bit_code),
        cmocka_unit_test(random_bytes_agree_in_16_bit_code),
        cmocka_unit_test(random_bytes_agree_in_32_bit_code),
        cmocka_unit_test(random_bytes_agree_in_64_bit_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

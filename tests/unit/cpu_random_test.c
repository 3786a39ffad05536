/* The numbers of RDRAND are those of ChaCha20: test vectors of RFC 8439 (appendix A.1) whose nonce is 0. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bits.h"
#include "cpu/cpu.h"

static struct cpu_state *create(void)
{
    struct cpu_state *cpu = calloc(1, sizeof *cpu);
    assert_non_null(cpu);
    cpu_init(cpu, cpu_model_find("max"));
    return cpu;
}

static void a_cpu_begins_with_a_seed_of_zeros(void **state)
{
    static const uint32_t words[] = {
        0xade0b876, 0x903df1a0, 0xe56a5d40, 0x28bd8653, 0xb819d2bd, 0x1aed8da0, 0xccef36a8, 0xc70d778b,
        0x7c5941da, 0x8d485751, 0x3fe02477, 0x374ad8b8, 0xf4b8436a, 0x1ca11815, 0x69b687c3, 0x8665eeb2,
        0xbee7079f, 0x7a385155, 0x7c97ba98, 0x0d082d73, 0xa0290fcb, 0x6965e348, 0x3e53c612, 0xed7aee32,
        0x7621b729, 0x434ee69c, 0xb03371d5, 0xd539d874, 0x281fed31, 0x45fb0a51, 0x1f0ae1ac, 0x6f4d794b};
    struct cpu_state *cpu = create();
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(words); i++) {
        assert_int_equal(cpu_draw_random(cpu), words[i]);
    }
    free(cpu);
}

static void other_seeds_have_other_numbers(void **state)
{
    static const uint8_t seed[CPU_RANDOM_SEED] = {[CPU_RANDOM_SEED - 1] = 1};
    static const uint32_t second_block[] = {0x2452eb3a, 0x9249f8ec, 0x8d829d9b, 0xddd4ceb1,
                                            0xe8252083, 0x60818b01, 0xf38422b8, 0x5aaa49c9};
    struct cpu_state *cpu = create();
    (void)state;
    (void)cpu_draw_random(cpu);
    cpu_seed_random(cpu, seed);
    for (unsigned i = 0; i < 16; i++) {
        (void)cpu_draw_random(cpu);
    }
    for (size_t i = 0; i < ARRAY_COUNT(second_block); i++) {
        assert_int_equal(cpu_draw_random(cpu), second_block[i]);
    }
    free(cpu);
}

static void a_copy_goes_on_with_the_same_numbers(void **state)
{
    struct cpu_state *cpu = create();
    struct cpu_state *copy = create();
    (void)state;
    for (unsigned drawn = 0; drawn < 40; drawn++) {
        *copy = *cpu;
        for (unsigned i = 0; i < 20; i++) {
            (void)cpu_draw_random(copy);
        }
        copy->random = cpu->random;
        assert_int_equal(cpu_draw_random(copy), cpu_draw_random(cpu));
    }
    free(copy);
    free(cpu);
}

static void a_reset_does_not_begin_again(void **state)
{
    struct cpu_state *cpu = create();
    (void)state;
    assert_int_equal(cpu_draw_random(cpu), 0xade0b876);
    cpu_reset(cpu);
    assert_int_equal(cpu_draw_random(cpu), 0x903df1a0);
    free(cpu);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_cpu_begins_with_a_seed_of_zeros),
        cmocka_unit_test(other_seeds_have_other_numbers),
        cmocka_unit_test(a_copy_goes_on_with_the_same_numbers),
        cmocka_unit_test(a_reset_does_not_begin_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

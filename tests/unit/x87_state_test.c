/* What surrounds floating-point arithmetic: availability checks, pending errors, the images of the x87's
 * state, faults in the middle of operands, and which model has what. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpu/x87.h"
#include "cpu_bench.h"

#define RAM_SIZE MIB
#define DATA     BENCH_DATA

static struct cpu_bench *bench_on(const char *model)
{
    struct cpu_bench *bench = cpu_bench_create(cpu_model_find(model), RAM_SIZE);
    cpu_bench_enter_flat(bench, 4, 0);
    bench->cpu.cr0 |= CR0_NE;
    if (cpu_model_has(bench->cpu.model, FEATURE_SSE)) {
        bench->cpu.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    }
    x87_initialize(&bench->cpu.x87);
    bench->cpu.gpr[CPU_BX].q = DATA;
    return bench;
}

/* Runs `count` instructions of `bytes`; the vector taken, -1 for none. */
static int run_code(struct cpu_bench *bench, const uint8_t *bytes, size_t size, unsigned count)
{
    cpu_bench_load(bench, BENCH_CODE, bytes, size);
    bench->cpu.rip = BENCH_CODE;
    bench->cpu.gpr[CPU_SP].q = BENCH_STACK;
    cpu_bench_run(bench, count);
    uint64_t rip = bench->cpu.rip;
    bool in_handler = rip >= BENCH_HANDLERS && rip < BENCH_HANDLERS + 8 * 256;
    return in_handler ? (int)(rip - BENCH_HANDLERS) / 8 : -1;
}

#define RUN(bench, count, ...) run_code(bench, BENCH_BYTES(__VA_ARGS__), count)

static void availability_follows_cr0_and_cr4(void **state)
{
    struct cpu_bench *bench = bench_on("pentium3");
    const uint64_t cr0 = bench->cpu.cr0;
    (void)state;
    bench->cpu.cr0 = cr0 | CR0_TS;
    assert_int_equal(RUN(bench, 1, 0xd9, 0xe8), VECTOR_NM);       /* fld1 */
    assert_int_equal(RUN(bench, 1, 0x0f, 0xeb, 0xc0), VECTOR_NM); /* por mm0, mm0 */
    assert_int_equal(RUN(bench, 1, 0x0f, 0x57, 0xc0), VECTOR_NM); /* xorps xmm0, xmm0 */
    assert_int_equal(RUN(bench, 1, 0x9b), -1);                    /* wait heeds TS only with MP */
    bench->cpu.cr0 = cr0 | CR0_TS | CR0_MP;
    assert_int_equal(RUN(bench, 1, 0x9b), VECTOR_NM);
    bench->cpu.cr0 = cr0 | CR0_EM;
    assert_int_equal(RUN(bench, 1, 0xdb, 0xe3), VECTOR_NM); /* fninit */
    assert_int_equal(RUN(bench, 1, 0x0f, 0xeb, 0xc0), VECTOR_UD);
    assert_int_equal(RUN(bench, 1, 0x0f, 0x57, 0xc0), VECTOR_UD);
    assert_int_equal(RUN(bench, 1, 0x9b), -1);
    bench->cpu.cr0 = cr0;
    bench->cpu.cr4 &= ~(uint64_t)CR4_OSFXSR;
    assert_int_equal(RUN(bench, 1, 0x0f, 0x57, 0xc0), VECTOR_UD);
    assert_int_equal(RUN(bench, 1, 0x0f, 0xeb, 0xc0), -1);
    cpu_bench_destroy(bench);
}

static void pending_error_is_mf_at_the_next_waiting_instruction(void **state)
{
    struct cpu_bench *bench = bench_on("80486");
    (void)state;
    x87_set_control(&bench->cpu.x87, 0x037b); /* #Z unmasked */
    /* fld1; fldz; fdivp; fnstsw ax; fnclex */
    assert_int_equal(RUN(bench, 5, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0xdf, 0xe0, 0xdb, 0xe2), -1);
    assert_int_equal(bench->cpu.gpr[CPU_AX].w & (X87_ZE | X87_ES | X87_B), X87_ZE | X87_ES | X87_B);
    assert_int_equal(bench->cpu.x87.status & (X87_ZE | X87_ES | X87_B), 0);
    assert_int_equal(RUN(bench, 2, 0xde, 0xf9, 0xd9, 0xe8), VECTOR_MF);
    assert_int_equal(cpu_bench_read(bench, BENCH_STACK - 12, 4), BENCH_CODE + 2);
    assert_int_equal(RUN(bench, 1, 0x9b), VECTOR_MF);
    cpu_bench_destroy(bench);
}

static void count_ferr(void *opaque, bool level)
{
    struct cpu_bench *bench = opaque;
    bench->interrupts_taken += level;
}

static void without_ne_an_error_asks_for_an_interrupt_and_stops_the_coprocessor(void **state)
{
    struct cpu_bench *bench = bench_on("80486");
    (void)state;
    bench->cpu.cr0 &= ~(uint64_t)CR0_NE;
    bench->cpu.pins.ferr = count_ferr;
    bench->cpu.pins.opaque = bench;
    x87_set_control(&bench->cpu.x87, 0x037b);
    /* fld1; fldz; fdivp; fld1 */
    assert_int_equal(RUN(bench, 3, 0xd9, 0xe8, 0xd9, 0xee, 0xde, 0xf9, 0xd9, 0xe8), -1);
    assert_int_equal(bench->interrupts_taken, 1);
    cpu_bench_run(bench, 10);
    assert_int_equal(bench->cpu.rip, BENCH_CODE + 6);
    cpu_assert_ignne(&bench->cpu);
    cpu_bench_run(bench, 1);
    assert_int_equal(bench->cpu.rip, BENCH_CODE + 8);
    assert_int_equal(RUN(bench, 1, 0xdb, 0xe2), -1); /* fnclex ends IGNNE# */
    assert_false(bench->cpu.x87.ignne);
    cpu_bench_destroy(bench);
}

/* fld1 at BENCH_CODE, then fst qword [ebx]: FIP and FDP are known. */
static struct cpu_bench *bench_with_pointers(void)
{
    struct cpu_bench *bench = bench_on("pentium3");
    assert_int_equal(RUN(bench, 2, 0xd9, 0xe8, 0xdd, 0x13), -1);
    return bench;
}

static void environment_has_four_formats(void **state)
{
    const uint32_t tags = 0x3fff; /* R7 is valid */
    struct cpu_bench *bench = bench_with_pointers();
    uint8_t image[X87_ENVIRONMENT_32];
    (void)state;
    x87_store_environment(&bench->cpu.x87, 4, false, image);
    assert_int_equal(load_le32(image), 0xffff037f);
    assert_int_equal(load_le32(image + 4), 0xffff3800);
    assert_int_equal(load_le32(image + 8), 0xffff0000 | tags);
    assert_int_equal(load_le32(image + 12), BENCH_CODE + 2);
    assert_int_equal(load_le32(image + 16), 0x05130000 | BENCH_CODE0);
    assert_int_equal(load_le32(image + 20), DATA);
    assert_int_equal(load_le32(image + 24), 0xffff0000 | BENCH_DATA0);
    x87_store_environment(&bench->cpu.x87, 2, false, image);
    assert_int_equal(load_le16(image), 0x037f);
    assert_int_equal(load_le16(image + 2), 0x3800);
    assert_int_equal(load_le16(image + 4), tags);
    assert_int_equal(load_le16(image + 6), BENCH_CODE + 2);
    assert_int_equal(load_le16(image + 8), BENCH_CODE0);
    assert_int_equal(load_le16(image + 10), DATA);
    assert_int_equal(load_le16(image + 12), BENCH_DATA0);
    bench->cpu.x87.instruction_selector = 0x1234;
    bench->cpu.x87.instruction_offset = 0x5678;
    bench->cpu.x87.data_selector = 0xabcd;
    bench->cpu.x87.data_offset = 0xef01;
    x87_store_environment(&bench->cpu.x87, 2, true, image);
    assert_int_equal(load_le16(image + 6), (0x12340 + 0x5678) & 0xffff);
    assert_int_equal(load_le16(image + 8), 0x1000 | 0x513);
    assert_int_equal(load_le16(image + 10), (0xabcd0 + 0xef01) & 0xffff);
    assert_int_equal(load_le16(image + 12), 0xb000);
    x87_store_environment(&bench->cpu.x87, 4, true, image);
    assert_int_equal(load_le16(image + 12), (0x12340 + 0x5678) & 0xffff);
    assert_int_equal(load_le32(image + 16), 0x1 << 12 | 0x513);
    assert_int_equal(load_le32(image + 24), 0xb << 12);
    cpu_bench_destroy(bench);
}

static void fnsave_initializes_and_frstor_brings_back(void **state)
{
    struct cpu_bench *bench = bench_on("pentium3");
    (void)state;
    /* fldpi; fld1; fnsave [ebx]; frstor [ebx] */
    assert_int_equal(RUN(bench, 3, 0xd9, 0xeb, 0xd9, 0xe8, 0xdd, 0x33, 0xdd, 0x23), -1);
    assert_int_equal(bench->cpu.x87.full, 0);
    assert_int_equal(bench->cpu.x87.control, X87_CONTROL_INIT);
    assert_int_equal(cpu_bench_read(bench, DATA + X87_ENVIRONMENT_32 + 8, 2), FLOAT80_BIAS);
    cpu_bench_run(bench, 1);
    assert_int_equal(bench->cpu.x87.full, 0xc0);
    assert_int_equal(x87_top(&bench->cpu.x87), 6);
    assert_true(bench->cpu.x87.reg[7].significand == UINT64_C(0xc90fdaa22168c235));
    cpu_bench_destroy(bench);
}

static void fxsave_needs_alignment_and_keeps_unused_bytes(void **state)
{
    struct cpu_bench *bench = bench_on("pentium3");
    (void)state;
    cpu_bench_write(bench, DATA + 508, 4, 0x12345678);
    assert_int_equal(RUN(bench, 1, 0x0f, 0xae, 0x43, 0x08), VECTOR_GP); /* fxsave [ebx + 8] */
    assert_int_equal(RUN(bench, 2, 0xd9, 0xe8, 0x0f, 0xae, 0x03), -1);
    assert_int_equal(cpu_bench_read(bench, DATA + 4, 1), 0x80);
    assert_int_equal(cpu_bench_read(bench, DATA + 24, 4), MXCSR_INIT);
    assert_int_equal(cpu_bench_read(bench, DATA + 508, 4), 0x12345678);
    cpu_bench_write(bench, DATA + 24, 4, 0x10000);
    assert_int_equal(RUN(bench, 1, 0x0f, 0xae, 0x0b), VECTOR_GP);       /* fxrstor of a bad MXCSR */
    assert_int_equal(RUN(bench, 1, 0x0f, 0xae, 0x53, 0x18), VECTOR_GP); /* ldmxcsr of it */
    cpu_bench_destroy(bench);
}

static void an_unmasked_simd_exception_is_xm_or_ud(void **state)
{
    struct cpu_bench *bench = bench_on("pentium3");
    (void)state;
    bench->cpu.mxcsr = 0x1d80; /* #Z unmasked */
    store_le32(bench->cpu.xmm[0].b, 0x3f800000);
    assert_int_equal(RUN(bench, 1, 0xf3, 0x0f, 0x5e, 0xc1), VECTOR_XM); /* divss xmm0, xmm1 */
    assert_int_equal(bench->cpu.mxcsr, 0x1d80 | X87_ZE);
    assert_int_equal(load_le32(bench->cpu.xmm[0].b), 0x3f800000);
    bench->cpu.cr4 &= ~(uint64_t)CR4_OSXMMEXCPT;
    assert_int_equal(RUN(bench, 1, 0xf3, 0x0f, 0x5e, 0xc1), VECTOR_UD);
    cpu_bench_destroy(bench);
}

static void sixteen_byte_operands_must_be_aligned(void **state)
{
    struct cpu_bench *bench = bench_on("pentium4");
    (void)state;
    assert_int_equal(RUN(bench, 1, 0x0f, 0x28, 0x43, 0x04), VECTOR_GP);       /* movaps xmm0, [ebx + 4] */
    assert_int_equal(RUN(bench, 1, 0x0f, 0x10, 0x43, 0x04), -1);              /* movups */
    assert_int_equal(RUN(bench, 1, 0x66, 0x0f, 0xfe, 0x43, 0x04), VECTOR_GP); /* paddd xmm0, [ebx + 4] */
    assert_int_equal(RUN(bench, 1, 0x66, 0x0f, 0xe7, 0x43, 0x04), VECTOR_GP); /* movntdq [ebx + 4], xmm0 */
    assert_int_equal(RUN(bench, 1, 0xf3, 0x0f, 0x58, 0x43, 0x01), -1);        /* addss xmm0, [ebx + 1] */
    cpu_bench_destroy(bench);
}

static void mmx_takes_over_the_register_stack(void **state)
{
    struct cpu_bench *bench = bench_on("pentium-mmx");
    (void)state;
    bench->cpu.gpr[CPU_AX].q = 0x89abcdef;
    /* fld1; movd mm2, eax; emms */
    assert_int_equal(RUN(bench, 2, 0xd9, 0xe8, 0x0f, 0x6e, 0xd0, 0x0f, 0x77), -1);
    assert_int_equal(bench->cpu.x87.full, 0xff);
    assert_int_equal(x87_top(&bench->cpu.x87), 0);
    assert_true(bench->cpu.x87.reg[2].significand == 0x89abcdef);
    assert_int_equal(bench->cpu.x87.reg[2].sign_exponent, 0xffff);
    cpu_bench_run(bench, 1);
    assert_int_equal(bench->cpu.x87.full, 0);
    cpu_bench_destroy(bench);
}

static void masked_stores_write_only_selected_bytes(void **state)
{
    struct cpu_bench *bench = bench_on("pentium4");
    (void)state;
    bench->cpu.gpr[CPU_DI].q = DATA;
    for (unsigned i = 0; i < 16; i++) {
        bench->cpu.xmm[0].b[i] = (uint8_t)(0x40 + i);
        bench->cpu.xmm[1].b[i] = i % 3 == 0 ? 0x80 : 0x7f;
        cpu_bench_write(bench, DATA + i, 1, 0xee);
    }
    assert_int_equal(RUN(bench, 1, 0x66, 0x0f, 0xf7, 0xc1), -1); /* maskmovdqu xmm0, xmm1 */
    for (unsigned i = 0; i < 16; i++) {
        assert_int_equal(cpu_bench_read(bench, DATA + i, 1), i % 3 == 0 ? 0x40 + i : 0xee);
    }
    cpu_bench_destroy(bench);
}

static void a_store_that_faults_in_its_second_page_changes_nothing(void **state)
{
    struct cpu_bench *bench = bench_on("pentium4");
    const uint32_t border = 0x20000;
    (void)state;
    cpu_bench_enable_paging(bench);
    cpu_bench_map(bench, border, 0, 0);
    cpu_bench_write(bench, border - 8, 4, 0xaaaaaaaa);
    cpu_bench_write(bench, border - 4, 4, 0xaaaaaaaa);
    bench->cpu.gpr[CPU_BX].q = border - 8;
    /* fld1; fstp tbyte [ebx] */
    assert_int_equal(RUN(bench, 2, 0xd9, 0xe8, 0xdb, 0x3b), VECTOR_PF);
    assert_int_equal(bench->cpu.cr2, border);
    assert_int_equal(cpu_bench_read(bench, border - 8, 4), 0xaaaaaaaa);
    assert_int_equal(bench->cpu.x87.full, 0x80);
    assert_int_equal(RUN(bench, 1, 0x0f, 0x11, 0x03), VECTOR_PF); /* movups [ebx], xmm0 */
    assert_int_equal(cpu_bench_read(bench, border - 8, 4), 0xaaaaaaaa);
    cpu_bench_destroy(bench);
}

struct availability {
    const char *what;
    uint8_t bytes[8];
    const char *lacks, *has;
};

static void instructions_exist_from_their_model_on(void **state)
{
    static const struct availability rows[] = {
        {"fcmovb", {0xda, 0xc0}, "pentium-mmx", "pentium2"},
        {"fcomi", {0xdb, 0xf0}, "pentium", "pentium2"},
        {"movq mm0, mm1", {0x0f, 0x6f, 0xc1}, "pentium", "pentium-mmx"},
        {"fxsave", {0x0f, 0xae, 0x03}, "pentium-mmx", "pentium2"},
        {"pavgb mm0, mm1", {0x0f, 0xe0, 0xc1}, "pentium2", "pentium3"},
        {"addps", {0x0f, 0x58, 0xc1}, "pentium2", "pentium3"},
        {"addpd", {0x66, 0x0f, 0x58, 0xc1}, "pentium3", "pentium4"},
        {"paddq mm0, mm1", {0x0f, 0xd4, 0xc1}, "pentium3", "pentium4"},
        {"haddps", {0xf2, 0x0f, 0x7c, 0xc1}, "pentium4", "max"},
        {"fisttp", {0xdb, 0x0b}, "pentium4", "max"},
        {"pshufb", {0x66, 0x0f, 0x38, 0x00, 0xc1}, "pentium4", "max"},
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        struct cpu_bench *without = bench_on(rows[i].lacks);
        struct cpu_bench *with = bench_on(rows[i].has);
        if (run_code(without, rows[i].bytes, sizeof rows[i].bytes, 1) != VECTOR_UD ||
            run_code(with, rows[i].bytes, sizeof rows[i].bytes, 1) != -1) {
            fail_msg("%s: must be missing on %s and there on %s", rows[i].what, rows[i].lacks, rows[i].has);
        }
        cpu_bench_destroy(without);
        cpu_bench_destroy(with);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(availability_follows_cr0_and_cr4),
        cmocka_unit_test(pending_error_is_mf_at_the_next_waiting_instruction),
        cmocka_unit_test(without_ne_an_error_asks_for_an_interrupt_and_stops_the_coprocessor),
        cmocka_unit_test(environment_has_four_formats),
        cmocka_unit_test(fnsave_initializes_and_frstor_brings_back),
        cmocka_unit_test(fxsave_needs_alignment_and_keeps_unused_bytes),
        cmocka_unit_test(an_unmasked_simd_exception_is_xm_or_ud),
        cmocka_unit_test(sixteen_byte_operands_must_be_aligned),
        cmocka_unit_test(mmx_takes_over_the_register_stack),
        cmocka_unit_test(masked_stores_write_only_selected_bytes),
        cmocka_unit_test(a_store_that_faults_in_its_second_page_changes_nothing),
        cmocka_unit_test(instructions_exist_from_their_model_on),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Instructions that cross the end of a page: every kind, at every split, in several modes and by several
 * strategies, against the interpreter; and what becomes of them when the second page is mapped elsewhere,
 * goes away, or is written to.
 *
 * The two pages are the linear PAGE_1 and PAGE_2. With paging, the second one is in memory far from the
 * first. A row is a few bytes that mean the same in 16- and 32-bit code (modrm 47 is [bx + disp8] in the one
 * and [edi + disp8] in the other), the first instruction of which crosses. Around it is a loop, counted by
 * BP. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/engine_block.h"
#include "cpu_bench.h"
#include "decoder/decoder.h"
#include "machine/cpu_compare.h"

#define RAM_SIZE   ((uint64_t)192 * KIB)
#define PAGE_1     ((uint32_t)BENCH_CODE)
#define PAGE_2     (PAGE_1 + 0x1000)
#define SECOND     0x20000u /* where PAGE_2 is with paging, */
#define THIRD      0x22000u /* and where it may be then */
#define ROUTINE    (PAGE_1 + 0x80)
#define POINTER    (BENCH_DATA + 0x10)
#define INT_VECTOR 0x80
#define ROUNDS     6u
#define STEPS      40u
#define NO_TAIL    UINT64_MAX

enum row_flags {
    ROW_WIDENS = 1, /* two bytes more, 0, in 32-bit code */
    ROW_JUMPS = 2,  /* through POINTER, to what follows; otherwise that leads to a RET */
    ROW_CALLED = 4  /* the row is a routine that the loop calls */
};

static const struct row {
    const char *name;
    unsigned flags; /* enum row_flags */
    uint8_t length;
    uint8_t bytes[16];
} rows[] = {
#define ROW(name, flags, ...)                                                                                \
    {                                                                                                        \
        name, flags, sizeof((uint8_t[]){__VA_ARGS__}),                                                       \
        {                                                                                                    \
            __VA_ARGS__                                                                                      \
        }                                                                                                    \
    }
    ROW("mov ax, [bx+10h]", 0, 0x8b, 0x47, 0x10),
    ROW("mov [bx+10h], ax", 0, 0x89, 0x47, 0x10),
    ROW("add [bx+10h], al", 0, 0x00, 0x47, 0x10),
    ROW("lock add [bx+10h], ax", 0, 0xf0, 0x01, 0x47, 0x10),
    ROW("add ax, imm", ROW_WIDENS, 0x05, 0x78, 0x56),
    ROW("imul ax, [bx+10h], 7", 0, 0x6b, 0x47, 0x10, 0x07),
    ROW("test byte [bx], 55h", 0, 0xf6, 0x07, 0x55),
    ROW("shl byte [bx+10h], 3", 0, 0xc0, 0x67, 0x10, 0x03),
    ROW("bts [bx], 7", 0, 0x0f, 0xba, 0x2f, 0x07),
    ROW("movzx ax, byte [bx+3]", 0, 0x0f, 0xb6, 0x47, 0x03),
    ROW("cmpxchg [bx], cx", 0, 0x0f, 0xb1, 0x0f),
    ROW("div cl", 0, 0xf6, 0xf1),
    ROW("idiv byte [bx+10h]", 0, 0xf6, 0x7f, 0x10),
    ROW("lea ax, [bx+7]", 0, 0x8d, 0x47, 0x07),
    ROW("push 55h", 0, 0x6a, 0x55),
    ROW("push [bx+10h]", 0, 0xff, 0x77, 0x10),
    ROW("pop [bx+10h]", 0, 0x8f, 0x47, 0x10),
    ROW("enter 10h, 1", 0, 0xc8, 0x10, 0x00, 0x01),
    ROW("jmp short", 0, 0xeb, 0x01, 0x40),
    ROW("jmp short to itself plus 2", 0, 0xeb, 0x00),
    ROW("jnz short, forwards", 0, 0x75, 0x01, 0x40),
    ROW("jz short, forwards", 0, 0x74, 0x01, 0x40),
    ROW("jz short, backwards", 0, 0x74, 0xfd),
    ROW("jnz near", ROW_WIDENS, 0x0f, 0x85, 0x00, 0x00),
    ROW("jmp near", ROW_WIDENS, 0xe9, 0x00, 0x00),
    ROW("call near", ROW_WIDENS, 0xe8, 0x00, 0x00),
    ROW("call [bx+10h]", 0, 0xff, 0x57, 0x10),
    ROW("jmp [bx+10h]", ROW_JUMPS, 0xff, 0x67, 0x10),
    ROW("ret 4", ROW_CALLED, 0xc2, 0x04, 0x00),
    ROW("66 ret", ROW_CALLED, 0x66, 0xc3),
    ROW("loop", 0, 0xe2, 0x00),
    ROW("loop to itself", 0, 0xe2, 0xfe),
    ROW("jcxz", 0, 0xe3, 0x00),
    ROW("rep movsb", 0, 0xf3, 0xa4),
    ROW("rep stosd", 0, 0x66, 0xf3, 0xab),
    ROW("repne scasb", 0, 0xf2, 0xae),
    ROW("repe cmpsw", 0, 0xf3, 0xa7),
    ROW("fs lodsb", 0, 0x64, 0xac),
    ROW("fld dword [bx+10h]", 0, 0xd9, 0x47, 0x10),
    ROW("fninit", 0, 0xdb, 0xe3),
    ROW("paddb mm0, [bx+10h]", 0, 0x0f, 0xfc, 0x47, 0x10),
    ROW("addps xmm0, xmm1", 0, 0x0f, 0x58, 0xc1),
    ROW("movups xmm0, [bx+11h]", 0, 0x0f, 0x10, 0x47, 0x11),
    ROW("movaps [bx], xmm0", 0, 0x0f, 0x29, 0x07),
    ROW("movaps [bx+1], xmm0", 0, 0x0f, 0x29, 0x47, 0x01),
    ROW("paddd xmm0, xmm1", 0, 0x66, 0x0f, 0xfe, 0xc1),
    ROW("smsw ax", 0, 0x0f, 0x01, 0xe0),
    ROW("sgdt [bx]", 0, 0x0f, 0x01, 0x07),
    ROW("66 pushf", 0, 0x66, 0x9c),
    ROW("int n", 0, 0xcd, INT_VECTOR),
    ROW("push fs", 0, 0x0f, 0xa0),
    ROW("mov es, dx", 0, 0x8e, 0xc2),
    ROW("mov ss, dx", 0, 0x8e, 0xd2),
    ROW("les ax, [bx+10h]", 0, 0xc4, 0x47, 0x10),
    ROW("jmp far [bx+10h]", ROW_JUMPS, 0xff, 0x6f, 0x10),
    ROW("mov ax, cr0", 0, 0x0f, 0x20, 0xc0),
    ROW("mov cr3, ax", 0, 0x0f, 0x22, 0xd8),
    ROW("invlpg [bx]", 0, 0x0f, 0x01, 0x3f),
    ROW("cpuid", 0, 0x0f, 0xa2),
    ROW("rdrand ax", 0, 0x0f, 0xc7, 0xf0),
    ROW("in ax, 10h", 0, 0xe5, 0x10),
    ROW("out 10h, ax", 0, 0xe7, 0x10),
    ROW("ud2", 0, 0x0f, 0x0b),
    ROW("15 bytes", 0, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x8b, 0x47,
        0x10),
    ROW("16 bytes", 0, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x2e, 0x8b,
        0x47, 0x10),
#undef ROW
};

/* ---- what is tested */

static const struct engine {
    const char *name;
    struct engine_config config;
    bool translates;
} engines[] = {
    {"interp", {.kind = ENGINE_INTERP}, false},
    {"dbt", {.kind = ENGINE_DBT}, true},
    {"dbt, warm", {.kind = ENGINE_DBT, .tb_warm = 3}, true},
    {"dbt, walk", {.kind = ENGINE_DBT, .mmu = MMU_WALK}, true},
    {"dbt, unchained", {.kind = ENGINE_DBT, .unchained = true}, true},
    {"dbt, trap", {.kind = ENGINE_DBT, .sensitive = SENSITIVE_TRAP}, true},
    {"dbt, callout", {.kind = ENGINE_DBT, .sensitive = SENSITIVE_CALLOUT}, true},
};

static struct cpu_bench *create(const struct engine_config *config)
{
    return cpu_bench_create_with(cpu_model_find("max"), RAM_SIZE, config);
}

/* The number of blocks of two pages at `phys` (NO_TAIL: anywhere). */
struct block_count {
    uint64_t phys;
    unsigned blocks;
};

static bool count_block(void *opaque, const struct engine_block *block)
{
    struct block_count *count = opaque;
    if (block->tail != NO_TAIL && (count->phys == NO_TAIL || count->phys == block->phys)) {
        assert_true(block->guest_size > PAGE_SIZE - (block->phys & PAGE_MASK));
        count->blocks++;
    }
    return true;
}

static unsigned blocks_of_two_pages(const struct cpu_bench *bench, uint64_t phys)
{
    struct block_count count = {.phys = phys};
    bench->engine->ops->for_each_block(bench->engine, count_block, &count);
    return count.blocks;
}

/* ---- the rows */

enum environment { REAL_MODE, REAL_MODE_ODD_BASE, RING_0, RING_3, RING_0_NARROW, ENVIRONMENTS };

#define ODD_BASE (PAGE_1 - 0x130)

static void enter(struct cpu_bench *bench, enum environment environment)
{
    struct cpu_state *cpu = &bench->cpu;
    switch (environment) {
    case REAL_MODE: cpu_bench_enter_real(bench); break;
    case REAL_MODE_ODD_BASE:
        cpu_bench_enter_real(bench);
        cpu->segment[CPU_CS].selector = ODD_BASE >> 4;
        cpu->segment[CPU_CS].base = ODD_BASE;
        break;
    case RING_0: cpu_bench_enter_flat(bench, 4, 0); break;
    case RING_3: cpu_bench_enter_flat(bench, 4, 3); break;
    default: cpu_bench_enter_flat(bench, 2, 0); break;
    }
    cpu->memory_ops->flush_tlb(cpu, true);
    if (environment >= RING_0) {
        cpu_bench_enable_paging(bench);
        cpu_bench_map(bench, PAGE_2, SECOND, PAGE_ALL);
    }
    cpu_write_control(cpu, 4, cpu->cr4 | CR4_OSFXSR);
}

struct program {
    uint8_t bytes[64];
    unsigned length;
};

static void put(struct program *program, const uint8_t *bytes, size_t count)
{
    memcpy(program->bytes + program->length, bytes, count);
    program->length += (unsigned)count;
}

static void put_row(struct program *program, const struct row *row, bool wide)
{
    static const uint8_t zeros[2];
    put(program, row->bytes, row->length);
    put(program, zeros, wide && (row->flags & ROW_WIDENS) ? sizeof zeros : 0);
}

static unsigned row_length(const struct row *row, bool wide)
{
    return row->length + (wide && (row->flags & ROW_WIDENS) ? 2u : 0);
}

/* Bytes at linear addresses of PAGE_1 and PAGE_2. */
static void load_linear(struct cpu_bench *bench, uint32_t linear, const uint8_t *bytes, size_t count)
{
    bool paging = (bench->cpu.cr0 & CR0_PG) != 0;
    for (size_t i = 0; i < count; i++) {
        uint32_t at = linear + (uint32_t)i;
        uint32_t phys = paging && at >= PAGE_2 ? at - PAGE_2 + SECOND : at;
        cpu_bench_load(bench, phys, bytes + i, 1);
    }
}

/* loop: inc ax; mov cl, 3; the row; dec bp; jnz loop; hlt. Sets RIP to the loop. */
static void write_loop(struct cpu_bench *bench, const struct row *row, unsigned split)
{
    static const uint8_t head[] = {0x40, 0xb1, 0x03};
    bool wide = bench->cpu.code_size == 4;
    struct program program = {.length = 0};
    put(&program, head, sizeof head);
    put_row(&program, row, wide);
    uint8_t tail[] = {0x4d, 0x75, (uint8_t)(0 - (program.length + 3)), 0xf4};
    put(&program, tail, sizeof tail);
    uint32_t start = PAGE_2 - split - (uint32_t)sizeof head;
    load_linear(bench, start, program.bytes, program.length);
    bench->cpu.rip = start - (uint32_t)bench->cpu.segment[CPU_CS].base;
}

/* The same with `push ax; push ax; call row` in place of the row, on the first page. */
static void write_caller(struct cpu_bench *bench, const struct row *row, unsigned split)
{
    static const uint8_t head[] = {0x40, 0xb1, 0x03, 0x50, 0x50, 0xe8};
    const uint32_t start = PAGE_1 + 0x200;
    bool wide = bench->cpu.code_size == 4;
    unsigned width = wide ? 4 : 2;
    struct program program = {.length = 0};
    put(&program, head, sizeof head);
    uint32_t relative = PAGE_2 - split - (start + program.length + width);
    uint8_t bytes[4];
    store_le32(bytes, relative);
    put(&program, bytes, width);
    uint8_t tail[] = {0x4d, 0x75, (uint8_t)(0 - (program.length + 3)), 0xf4};
    put(&program, tail, sizeof tail);
    load_linear(bench, start, program.bytes, program.length);
    load_linear(bench, PAGE_2 - split, row->bytes, row->length);
    bench->cpu.rip = start - (uint32_t)bench->cpu.segment[CPU_CS].base;
}

static unsigned first_instruction_length(const struct row *row, bool wide)
{
    const struct decode_mode mode = {.code_size = wide ? 4 : 2};
    uint8_t bytes[INSN_MAX_LENGTH + 2] = {0};
    struct insn insn;
    memcpy(bytes, row->bytes, row->length);
    bool fits = decoder_decode(&mode, bytes, INSN_MAX_LENGTH, &insn) == DECODE_OK;
    return fits ? insn.length : row->length;
}

static void prepare(struct cpu_bench *bench, enum environment environment, const struct row *row,
                    unsigned split)
{
    struct cpu_state *cpu = &bench->cpu;
    enter(bench, environment);
    bool wide = cpu->code_size == 4;
    if (row->flags & ROW_CALLED) {
        write_caller(bench, row, split);
    } else {
        write_loop(bench, row, split);
    }
    uint32_t target = row->flags & ROW_JUMPS ? PAGE_2 - split + row_length(row, wide) : ROUTINE;
    target -= (uint32_t)cpu->segment[CPU_CS].base;
    cpu_bench_write(bench, ROUTINE, 1, 0xc3);
    cpu_bench_write(bench, BENCH_HANDLERS + 8 * INT_VECTOR, 1, 0xcf);
    cpu_bench_write(bench, POINTER, 4, target);
    cpu_bench_write(bench, POINTER + (wide ? 4 : 2), 2, cpu->segment[CPU_CS].selector);
    cpu->retired = 0;
    cpu->gpr[CPU_AX].q = BENCH_DIRECTORY; /* for CR3, whose low bits are ignored */
    cpu->gpr[CPU_DX].q = cpu->segment[CPU_DS].selector;
    cpu->gpr[CPU_BX].q = cpu->gpr[CPU_DI].q = BENCH_DATA;
    cpu->gpr[CPU_SI].q = BENCH_DATA + 0x100;
    cpu->gpr[CPU_BP].q = ROUNDS;
}

static void compare(const struct cpu_bench *reference, const struct cpu_bench *tested, const char *engine,
                    const struct row *row, enum environment environment, unsigned split)
{
    if (!cpu_states_equal(&reference->cpu, &tested->cpu) ||
        memcmp(reference->ram, tested->ram, RAM_SIZE) != 0 ||
        reference->last_port_written != tested->last_port_written) {
        cpu_print_difference(stderr, "interpreter", &reference->cpu, engine, &tested->cpu);
        fail_msg("%s, %u bytes of it on the first page, environment %d: %s differs from the interpreter",
                 row->name, split, (int)environment, engine);
    }
}

/* Returns whether the loop was run to its end. */
static bool run_row(struct cpu_bench *reference, struct cpu_bench *tested, const struct engine *engine,
                    enum environment environment, const struct row *row, unsigned split, uint64_t step)
{
    prepare(reference, environment, row, split);
    prepare(tested, environment, row, split);
    for (unsigned i = 0; i < STEPS && !reference->cpu.halted && !reference->cpu.shutdown; i++) {
        enum stop_reason wanted = cpu_bench_run(reference, step);
        enum stop_reason got = cpu_bench_run(tested, step);
        compare(reference, tested, engine->name, row, environment, split);
        assert_int_equal(wanted, got);
    }
    return reference->cpu.gpr[CPU_BP].d == 0;
}

static void run_engine(const struct engine *engine, enum environment environment)
{
    static const uint64_t steps[] = {1000, 7, 1};
    struct cpu_bench *reference = create(&engines[0].config);
    struct cpu_bench *tested = create(&engine->config);
    unsigned finished = 0;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        const struct row *row = &rows[i];
        bool wide = environment == RING_0 || environment == RING_3;
        unsigned length = first_instruction_length(row, wide);
        for (unsigned split = 1; split < length; split++) {
            bool ended = run_row(reference, tested, engine, environment, row, split, steps[0]);
            if (ended && engine->translates && blocks_of_two_pages(tested, PAGE_2 - split) == 0) {
                fail_msg("%s was not translated by %s", row->name, engine->name);
            }
            finished += ended;
            for (size_t k = 1; k < ARRAY_COUNT(steps); k++) {
                run_row(reference, tested, engine, environment, row, split, steps[k]);
            }
        }
    }
    assert_true(finished > ARRAY_COUNT(rows));
    cpu_bench_destroy(tested);
    cpu_bench_destroy(reference);
}

static void run_environment(enum environment environment)
{
    for (size_t i = 1; i < ARRAY_COUNT(engines); i++) {
        run_engine(&engines[i], environment);
    }
}

static void real_mode_equals_the_interpreter(void **state)
{
    (void)state;
    run_environment(REAL_MODE);
}

static void real_mode_with_pages_that_are_not_offsets_equals_the_interpreter(void **state)
{
    (void)state;
    run_environment(REAL_MODE_ODD_BASE);
}

static void ring_0_equals_the_interpreter(void **state)
{
    (void)state;
    run_environment(RING_0);
}

static void ring_3_equals_the_interpreter(void **state)
{
    (void)state;
    run_environment(RING_3);
}

static void narrow_protected_code_equals_the_interpreter(void **state)
{
    (void)state;
    run_environment(RING_0_NARROW);
}

/* ---- the second page changes: 32-bit code, ring 0. The crossing instruction is ADD EAX, imm32 */

#define ADD_LENGTH 5u
#define BUDGET     1000000u

/* How a loop goes on behind the instruction that crosses. */
struct loop {
    uint8_t bytes[32];
    size_t length;
};

#define LOOP(...) ((struct loop){{__VA_ARGS__}, sizeof((uint8_t[]){__VA_ARGS__})})

#define BYTES_OF(value)                                                                                      \
    (uint8_t)(value), (uint8_t)((value) >> 8), (uint8_t)((value) >> 16), (uint8_t)((value) >> 24)

/* nop; add eax, immediate; what `loop` says; dec ebp; jnz; hlt. PAGE_2's part goes to the page at `second`.
 * The NOP is a block that is linked to the one that crosses. */
static void write_add_loop(struct cpu_bench *bench, unsigned split, uint32_t immediate,
                           const struct loop *loop, uint32_t second)
{
    struct program program = {.length = 0};
    uint8_t add[ADD_LENGTH] = {0x05, BYTES_OF(immediate)};
    put(&program, (const uint8_t[]){0x90}, 1);
    put(&program, add, sizeof add);
    put(&program, loop->bytes, loop->length);
    uint32_t back = 0 - (program.length + 7);
    uint8_t tail[] = {0x4d, 0x0f, 0x85, BYTES_OF(back), 0xf4};
    put(&program, tail, sizeof tail);
    cpu_bench_load(bench, PAGE_2 - split - 1, program.bytes, split + 1);
    cpu_bench_load(bench, second, program.bytes + split + 1, program.length - split - 1);
}

/* `before`: how many bytes are on the first page. */
static void stand_before_loop(struct cpu_bench *bench, unsigned before, uint32_t rounds)
{
    bench->cpu.halted = false;
    bench->cpu.rip = PAGE_2 - before;
    bench->cpu.gpr[CPU_AX].q = 0;
    bench->cpu.gpr[CPU_BP].q = rounds;
}

static void run_to_halt(struct cpu_bench *bench, uint64_t step)
{
    for (unsigned i = 0; i < BUDGET && !bench->cpu.halted; i++) {
        cpu_bench_run(bench, step);
    }
    assert_int_equal(bench->cpu.gpr[CPU_BP].d, 0);
}

/* test ebp, 3; jnz over what follows, which has `length` bytes more; xor dword [PAGE_2's entry of the page
 * table], SECOND ^ THIRD: every fourth round, since a page that was just flushed is the interpreter's. */
#define SWAP(length)                                                                                         \
    0xf7, 0xc5, BYTES_OF(3), 0x75, 10 + (length), 0x81, 0x35,                                                \
        BYTES_OF(BENCH_TABLE + 4 * (PAGE_2 >> PAGE_SHIFT)), BYTES_OF(SECOND ^ THIRD)

static void check_alternation(const struct engine *engine, const struct loop *loop, unsigned split)
{
    struct cpu_bench *bench = create(&engine->config);
    enter(bench, RING_0);
    write_add_loop(bench, split, 0x00000001, loop, SECOND);
    write_add_loop(bench, split, 0x01000001, loop, THIRD);
    stand_before_loop(bench, split + 1, 200);
    run_to_halt(bench, BUDGET);
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, 200 + (100u << 24));
    uint64_t made = bench->counters.value[COUNTER_BLOCKS_TRANSLATED];
    stand_before_loop(bench, split + 1, 200);
    run_to_halt(bench, 13);
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, 200 + (100u << 24));
    if (engine->translates) {
        assert_int_equal(blocks_of_two_pages(bench, PAGE_2 - split), 2);
        assert_in_range(bench->counters.value[COUNTER_BLOCKS_TRANSLATED], made, made + 8);
        assert_int_equal(bench->counters.value[COUNTER_BLOCKS_INVALIDATED], 0);
    }
    cpu_bench_destroy(bench);
}

static void a_second_page_that_alternates_has_two_blocks_and_both_are_used(void **state)
{
    (void)state;
    const struct loop by_invlpg = LOOP(SWAP(7), 0x0f, 0x01, 0x3d, BYTES_OF(PAGE_2));
    const struct loop by_cr3 = LOOP(SWAP(6), 0x0f, 0x20, 0xd9, 0x0f, 0x22, 0xd9); /* through ECX */
    for (size_t i = 0; i < ARRAY_COUNT(engines); i++) {
        for (unsigned split = 1; split < ADD_LENGTH; split++) {
            check_alternation(&engines[i], &by_invlpg, split);
            check_alternation(&engines[i], &by_cr3, split);
        }
    }
}

static void a_second_page_that_went_away_is_a_page_fault(void **state)
{
    (void)state;
    const struct loop loop = LOOP(0x90);
    for (size_t i = 0; i < ARRAY_COUNT(engines); i++) {
        for (unsigned split = 1; split < ADD_LENGTH; split++) {
            struct cpu_bench *bench = create(&engines[i].config);
            enter(bench, RING_0);
            write_add_loop(bench, split, 1, &loop, SECOND);
            stand_before_loop(bench, split + 1, 1000);
            cpu_bench_run(bench, 500); /* whole rounds of five instructions */
            assert_int_equal(bench->cpu.rip, PAGE_2 - split - 1);
            cpu_bench_map(bench, PAGE_2, SECOND, 0);
            cpu_bench_run(bench, 100);
            struct cpu_bench_frame frame = cpu_bench_frame(bench);
            assert_int_equal(frame.vector, VECTOR_PF);
            assert_int_equal(frame.rip, PAGE_2 - split);
            assert_int_equal(bench->cpu.cr2, PAGE_2);
            assert_int_equal(bench->cpu.gpr[CPU_AX].d, 100);
            cpu_bench_map(bench, PAGE_2, SECOND, PAGE_ALL);
            stand_before_loop(bench, split + 1, 1000);
            run_to_halt(bench, BUDGET);
            assert_int_equal(bench->cpu.gpr[CPU_AX].d, 1000);
            cpu_bench_destroy(bench);
        }
    }
}

/* Also where both linear pages are the same physical one. */
static const uint32_t second_pages[] = {SECOND, PAGE_1};

static void stores_to_the_second_page_are_seen(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(engines) * ARRAY_COUNT(second_pages); i++) {
        const struct engine *engine = &engines[i / ARRAY_COUNT(second_pages)];
        uint32_t second = second_pages[i % ARRAY_COUNT(second_pages)];
        for (unsigned split = 1; split < ADD_LENGTH; split++) {
            uint32_t last = ADD_LENGTH - 1 - split; /* the immediate's last byte, on the second page */
            const struct loop loop = LOOP(0xfe, 0x05, BYTES_OF(PAGE_2 + last)); /* inc byte [it] */
            struct cpu_bench *bench = create(&engine->config);
            enter(bench, RING_0);
            cpu_bench_map(bench, PAGE_2, second, PAGE_ALL);
            write_add_loop(bench, split, 0, &loop, second);
            stand_before_loop(bench, split + 1, 20);
            run_to_halt(bench, BUDGET);
            assert_int_equal(bench->cpu.gpr[CPU_AX].d, 190u << 24);
            cpu_bench_load(bench, second + last, BENCH_BYTES(5)); /* by DMA */
            stand_before_loop(bench, split + 1, 1);
            run_to_halt(bench, BUDGET);
            assert_int_equal(bench->cpu.gpr[CPU_AX].d, 5u << 24);
            cpu_bench_destroy(bench);
        }
    }
}

static void an_instruction_that_changes_itself_is_executed_as_it_is_each_time(void **state)
{
    (void)state;
    enum { LENGTH = 7, LOOP_ROUNDS = 6 };
    for (size_t i = 0; i < ARRAY_COUNT(engines) * ARRAY_COUNT(second_pages); i++) {
        const struct engine *engine = &engines[i / ARRAY_COUNT(second_pages)];
        uint32_t second = second_pages[i % ARRAY_COUNT(second_pages)];
        for (unsigned split = 1; split < LENGTH; split++) {
            uint32_t own = PAGE_2 + LENGTH - 1 - split;
            /* add byte [own], 1; dec ebp; jnz; hlt */
            const uint8_t code[] = {0x80, 0x05, BYTES_OF(own), 1, 0x4d, 0x75, 0xf6, 0xf4};
            struct cpu_bench *bench = create(&engine->config);
            enter(bench, RING_0);
            cpu_bench_map(bench, PAGE_2, second, PAGE_ALL);
            cpu_bench_load(bench, PAGE_2 - split, code, split);
            cpu_bench_load(bench, second, code + split, sizeof code - split);
            stand_before_loop(bench, split, LOOP_ROUNDS);
            run_to_halt(bench, BUDGET);
            assert_int_equal(cpu_bench_read(bench, second + LENGTH - 1 - split, 1), 1 << LOOP_ROUNDS);
            cpu_bench_destroy(bench);
        }
    }
}

static void an_invalid_instruction_at_the_end_of_a_page_leaves_the_next_one_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(engines); i++) {
        struct cpu_bench *bench = create(&engines[i].config);
        enter(bench, RING_0);
        cpu_bench_load(bench, PAGE_2 - 2, BENCH_BYTES(0x0f, 0x0a));
        for (unsigned k = 0; k < 8; k++) {
            bench->cpu.halted = false;
            bench->cpu.rip = PAGE_2 - 2;
            cpu_bench_run(bench, 10);
            assert_int_equal(cpu_bench_frame(bench).vector, VECTOR_UD);
            assert_false(cpu_bench_page_entry(bench, PAGE_2) & PAGE_ACCESSED);
        }
        cpu_bench_destroy(bench);
    }
}

/* ---- the segment ends */

static void an_instruction_beyond_the_limit_faults_however_often_it_was_executed(void **state)
{
    (void)state;
    const struct loop loop = LOOP(0x90);
    for (size_t i = 0; i < ARRAY_COUNT(engines); i++) {
        for (unsigned split = 1; split < ADD_LENGTH; split++) {
            struct cpu_bench *bench = create(&engines[i].config);
            struct segment *cs = &bench->cpu.segment[CPU_CS];
            enter(bench, RING_0);
            write_add_loop(bench, split, 1, &loop, SECOND);
            stand_before_loop(bench, split + 1, 100);
            run_to_halt(bench, BUDGET);
            assert_int_equal(bench->cpu.gpr[CPU_AX].d, 100);
            cs->limit = PAGE_2 + 0x100;
            segment_update_bounds(cs);
            stand_before_loop(bench, split + 1, 100);
            run_to_halt(bench, BUDGET);
            assert_int_equal(bench->cpu.gpr[CPU_AX].d, 100);
            cs->limit = PAGE_2 + ADD_LENGTH - 2 - split;
            segment_update_bounds(cs);
            stand_before_loop(bench, split + 1, 100);
            cpu_bench_run(bench, 100);
            struct cpu_bench_frame frame = cpu_bench_frame(bench);
            assert_int_equal(frame.vector, VECTOR_GP);
            assert_int_equal(frame.rip, PAGE_2 - split);
            assert_int_equal(bench->cpu.gpr[CPU_AX].d, 0);
            cpu_bench_destroy(bench);
        }
    }
}

static void a_block_that_follows_another_faults_beyond_the_limit(void **state)
{
    (void)state;
    enum { NOPS = 100, WITHIN = 80 };
    uint8_t code[NOPS + 1];
    memset(code, 0x90, NOPS);
    code[NOPS] = 0xf4;
    for (size_t i = 0; i < ARRAY_COUNT(engines); i++) {
        struct cpu_bench *bench = create(&engines[i].config);
        struct segment *cs = &bench->cpu.segment[CPU_CS];
        enter(bench, RING_0);
        cpu_bench_load(bench, PAGE_1, code, sizeof code);
        cs->limit = PAGE_1 + NOPS;
        segment_update_bounds(cs);
        for (unsigned k = 0; k < 10; k++) {
            bench->cpu.halted = false;
            bench->cpu.rip = PAGE_1;
            assert_int_equal(cpu_bench_run(bench, 2 * NOPS), STOP_HALTED);
            assert_int_equal(bench->cpu.rip, PAGE_1 + NOPS + 1);
        }
        cs->limit = PAGE_1 + WITHIN - 1;
        segment_update_bounds(cs);
        bench->cpu.halted = false;
        bench->cpu.rip = PAGE_1;
        cpu_bench_run(bench, 2 * NOPS);
        struct cpu_bench_frame frame = cpu_bench_frame(bench);
        assert_int_equal(frame.vector, VECTOR_GP);
        assert_int_equal(frame.rip, PAGE_1 + WITHIN);
        cpu_bench_destroy(bench);
    }
}

/* 16-bit code in a large segment goes on beyond 64 KiB; in a small one of the same base it does not. */
static void narrow_code_faults_beyond_the_limit_that_its_segment_has_now(void **state)
{
    (void)state;
    enum { BASE = 0x14000, FIRST = 0xfff8, END = 0x10000 };
    for (size_t i = 0; i < ARRAY_COUNT(engines); i++) {
        for (unsigned before = 0; before < 2; before++) { /* of INC ECX, at the end of 64 KiB or across it */
            struct cpu_bench *bench = create(&engines[i].config);
            struct segment *cs = &bench->cpu.segment[CPU_CS];
            cpu_bench_enter_flat(bench, 2, 0);
            cs->base = BASE;
            cpu_bench_load(bench, BASE + FIRST, BENCH_BYTES(0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43, 0x43));
            cpu_bench_load(bench, BASE + END - before, BENCH_BYTES(0x66, 0x41, 0xf4));
            for (unsigned k = 0; k < 12; k++) {
                bool fits = k < 8;
                cs->limit = fits ? 0x1ffff : 0xffff;
                segment_update_bounds(cs);
                cpu_update_mode(&bench->cpu);
                bench->cpu.halted = false;
                bench->cpu.rip = FIRST;
                bench->cpu.gpr[CPU_CX].q = 0;
                assert_int_equal(cpu_bench_run(bench, 50), STOP_HALTED);
                assert_int_equal(bench->cpu.gpr[CPU_CX].d, fits);
                if (!fits) {
                    assert_int_equal(cpu_bench_frame(bench).vector, VECTOR_GP);
                    assert_int_equal(cpu_bench_frame(bench).rip, END - before);
                    k = 12;
                }
            }
            cpu_bench_destroy(bench);
        }
    }
}

static void an_instruction_across_the_end_of_64_kib_faults_in_real_mode(void **state)
{
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(engines); i++) {
        struct cpu_bench *bench = create(&engines[i].config);
        cpu_bench_enter_real(bench);
        cpu_bench_load(bench, 0xfffe, BENCH_BYTES(0x05, 0x01, 0x01)); /* add ax, 101h */
        for (unsigned k = 0; k < 5; k++) {
            bench->cpu.halted = false;
            bench->cpu.rip = 0xfffe;
            bench->cpu.gpr[CPU_AX].q = 7;
            cpu_bench_run(bench, 10);
            struct cpu_bench_frame frame = cpu_bench_frame(bench);
            assert_int_equal(frame.vector, VECTOR_GP);
            assert_int_equal(frame.rip, 0xfffe);
            assert_int_equal(bench->cpu.gpr[CPU_AX].d, 7);
        }
        cpu_bench_destroy(bench);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_mode_equals_the_interpreter),
        cmocka_unit_test(real_mode_with_pages_that_are_not_offsets_equals_the_interpreter),
        cmocka_unit_test(ring_0_equals_the_interpreter),
        cmocka_unit_test(ring_3_equals_the_interpreter),
        cmocka_unit_test(narrow_protected_code_equals_the_interpreter),
        cmocka_unit_test(a_second_page_that_alternates_has_two_blocks_and_both_are_used),
        cmocka_unit_test(a_second_page_that_went_away_is_a_page_fault),
        cmocka_unit_test(stores_to_the_second_page_are_seen),
        cmocka_unit_test(an_instruction_that_changes_itself_is_executed_as_it_is_each_time),
        cmocka_unit_test(an_invalid_instruction_at_the_end_of_a_page_leaves_the_next_one_alone),
        cmocka_unit_test(an_instruction_beyond_the_limit_faults_however_often_it_was_executed),
        cmocka_unit_test(a_block_that_follows_another_faults_beyond_the_limit),
        cmocka_unit_test(narrow_code_faults_beyond_the_limit_that_its_segment_has_now),
        cmocka_unit_test(an_instruction_across_the_end_of_64_kib_faults_in_real_mode),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

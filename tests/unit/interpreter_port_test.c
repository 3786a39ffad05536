/* Repeated INS and OUTS through a device that moves many elements at once: the same as one by one. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/debug_registers.h"
#include "cpu_bench.h"

#define RAM_SIZE MIB
#define PORT     0x1f0
#define PAGE_END 0xb000 /* data begins a little below */

/* A port that gives and takes the words 0, 1, 2, ...; of a block at most `at_once`. */
struct stream {
    uint16_t next;
    uint32_t at_once;
    unsigned blocks, singles;
};

static uint32_t read_single(void *opaque, uint16_t port, unsigned width)
{
    struct stream *stream = opaque;
    assert_int_equal(port, PORT);
    assert_int_equal(width, 2);
    stream->singles++;
    return stream->next++;
}

static void write_single(void *opaque, uint16_t port, unsigned width, uint32_t value)
{
    assert_int_equal(value, read_single(opaque, port, width));
}

static uint32_t block_length(const struct stream *stream, uint16_t port, unsigned width, uint32_t count)
{
    assert_int_equal(port, PORT);
    assert_int_equal(width, 2);
    return count < stream->at_once ? count : stream->at_once;
}

static uint32_t read_block(void *opaque, uint16_t port, unsigned width, void *to, uint32_t count)
{
    struct stream *stream = opaque;
    uint32_t length = block_length(stream, port, width, count);
    for (uint32_t i = 0; i < length; i++) {
        store_le16((uint8_t *)to + 2 * i, stream->next++);
    }
    stream->blocks += length != 0;
    return length;
}

static uint32_t write_block(void *opaque, uint16_t port, unsigned width, const void *from, uint32_t count)
{
    struct stream *stream = opaque;
    uint32_t length = block_length(stream, port, width, count);
    for (uint32_t i = 0; i < length; i++) {
        assert_int_equal(load_le16((const uint8_t *)from + 2 * i), stream->next++);
    }
    stream->blocks += length != 0;
    return length;
}

/* Before `rep insw` (or outsw) and a HLT, flat, with DX, ECX and both indexes set. */
static struct cpu_bench *create(struct stream *stream, uint8_t opcode, uint32_t index, uint32_t count)
{
    struct cpu_bench *bench = cpu_bench_create(cpu_model_find("pentium3"), RAM_SIZE);
    cpu_bench_enter_flat(bench, 4, 0);
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x66, 0xf3, opcode, 0xf4));
    bench->cpu.pins.port_read = read_single;
    bench->cpu.pins.port_write = write_single;
    bench->cpu.pins.port_read_block = read_block;
    bench->cpu.pins.port_write_block = write_block;
    bench->cpu.pins.opaque = stream;
    bench->cpu.gpr[CPU_DX].q = PORT;
    bench->cpu.gpr[CPU_CX].q = count;
    bench->cpu.gpr[CPU_DI].q = index;
    bench->cpu.gpr[CPU_SI].q = index;
    return bench;
}

static void run_to_halt(struct cpu_bench *bench)
{
    assert_int_equal(cpu_bench_run(bench, 100000), STOP_HALTED);
    assert_int_equal(cpu_bench_frame(bench).vector, -1);
}

/* Blocks are for pages in a TLB. */
static bool finds_pages(const struct cpu_bench *bench)
{
    return bench->mmu->strategy != MMU_WALK;
}

static void ins_takes_blocks_across_pages(void **state)
{
    (void)state;
    struct stream stream = {.at_once = 100};
    struct cpu_bench *bench = create(&stream, 0x6d, PAGE_END - 31, 256);
    uint64_t before = bench->cpu.retired;
    run_to_halt(bench);
    for (uint32_t i = 0; i < 256; i++) {
        assert_int_equal(cpu_bench_read(bench, PAGE_END - 31 + 2 * i, 2), i);
    }
    assert_int_equal(cpu_bench_read(bench, PAGE_END - 31 + 512, 4), 0);
    assert_int_equal(stream.next, 256);
    if (finds_pages(bench)) {
        assert_true(stream.blocks >= 3);
        assert_true(stream.singles <=
                    2); /* the element across the pages, and the first: its page is not known yet */
    }
    assert_int_equal(bench->cpu.gpr[CPU_CX].d, 0);
    assert_int_equal(bench->cpu.gpr[CPU_DI].d, PAGE_END - 31 + 512);
    assert_int_equal(bench->cpu.retired - before, 256 + 1);
    cpu_bench_destroy(bench);
}

static void outs_gives_blocks(void **state)
{
    (void)state;
    struct stream stream = {.at_once = 1000};
    struct cpu_bench *bench = create(&stream, 0x6f, PAGE_END - 30, 256);
    for (uint32_t i = 0; i < 256; i++) {
        cpu_bench_write(bench, PAGE_END - 30 + 2 * i, 2, i);
    }
    run_to_halt(bench);
    assert_int_equal(stream.next, 256);
    assert_true(stream.blocks >= 2 || !finds_pages(bench));
    assert_int_equal(bench->cpu.gpr[CPU_CX].d, 0);
    assert_int_equal(bench->cpu.gpr[CPU_SI].d, PAGE_END - 30 + 512);
    cpu_bench_destroy(bench);
}

static void a_device_that_takes_no_blocks_is_asked_one_by_one(void **state)
{
    (void)state;
    struct stream stream = {.at_once = 0};
    struct cpu_bench *bench = create(&stream, 0x6d, PAGE_END - 32, 64);
    run_to_halt(bench);
    assert_int_equal(stream.singles, 64);
    assert_int_equal(cpu_bench_read(bench, PAGE_END + 94, 2), 63);
    cpu_bench_destroy(bench);
}

static void downward_strings_go_one_by_one(void **state)
{
    (void)state;
    struct stream stream = {.at_once = 100};
    struct cpu_bench *bench = create(&stream, 0x6d, PAGE_END, 16);
    cpu_set_eflags(&bench->cpu, cpu_eflags(&bench->cpu) | EFLAGS_DF);
    run_to_halt(bench);
    assert_int_equal(stream.singles, 16);
    assert_int_equal(cpu_bench_read(bench, PAGE_END - 30, 2), 15);
    assert_int_equal(bench->cpu.gpr[CPU_DI].d, PAGE_END - 32);
    cpu_bench_destroy(bench);
}

static void blocks_end_with_the_budget(void **state)
{
    (void)state;
    struct stream stream = {.at_once = 1000};
    struct cpu_bench *bench = create(&stream, 0x6d, PAGE_END - 2048, 256);
    uint64_t before = bench->cpu.retired;
    assert_int_equal(cpu_bench_run(bench, 100), STOP_BUDGET);
    assert_int_equal(bench->cpu.retired - before, 100);
    assert_int_equal(stream.next, 100);
    assert_int_equal(bench->cpu.gpr[CPU_CX].d, 156);
    assert_int_equal(bench->cpu.rip, BENCH_CODE);
    run_to_halt(bench);
    assert_int_equal(stream.next, 256);
    cpu_bench_destroy(bench);
}

static void blocks_need_permission_too(void **state)
{
    (void)state;
    static const uint8_t opcodes[] = {0x6d, 0x6f};
    for (size_t i = 0; i < ARRAY_COUNT(opcodes); i++) {
        struct stream stream = {.at_once = 1000};
        struct cpu_bench *bench = create(&stream, opcodes[i], PAGE_END - 1024, 16);
        cpu_bench_enter_flat(bench, 4, 3);
        bench->cpu.gpr[CPU_DX].q = PORT;
        bench->cpu.gpr[CPU_CX].q = 16;
        assert_int_equal(cpu_bench_run(bench, 100), STOP_HALTED);
        assert_int_equal(cpu_bench_frame(bench).vector, VECTOR_GP);
        assert_int_equal(stream.next, 0);
        cpu_bench_destroy(bench);
    }
}

static void an_io_breakpoint_sees_each_iteration(void **state)
{
    (void)state;
    struct stream stream = {.at_once = 1000};
    struct cpu_bench *bench = create(&stream, 0x6d, PAGE_END - 1024, 16);
    bench->cpu.cr4 |= CR4_DE;
    bench->cpu.dr[0] = PORT;
    debug_set_control(&bench->cpu, 0x00060001); /* I/O at DR0, two bytes */
    assert_int_equal(cpu_bench_run(bench, 100), STOP_HALTED);
    assert_int_equal(cpu_bench_frame(bench).vector, VECTOR_DB);
    assert_int_equal(stream.next, 1);
    cpu_bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ins_takes_blocks_across_pages),
        cmocka_unit_test(outs_gives_blocks),
        cmocka_unit_test(a_device_that_takes_no_blocks_is_asked_one_by_one),
        cmocka_unit_test(downward_strings_go_one_by_one),
        cmocka_unit_test(blocks_end_with_the_budget),
        cmocka_unit_test(blocks_need_permission_too),
        cmocka_unit_test(an_io_breakpoint_sees_each_iteration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

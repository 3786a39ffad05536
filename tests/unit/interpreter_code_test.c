/* Where the interpreter's cached code meets the world: code that is written to by every path there is, that
 * crosses pages, stands at a segment's limit, in ROM, in a device or nowhere, and more of it than the cache
 * holds.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "cpu_bench.h"

#define RAM_SIZE (2 * MIB)

static struct cpu_bench *create_flat(void)
{
    struct cpu_bench *bench = cpu_bench_create(cpu_model_find("pentium3"), RAM_SIZE);
    cpu_bench_enter_flat(bench, 4, 0);
    return bench;
}

static struct cpu_bench *create_real(const char *model)
{
    const struct cpu_model *found = cpu_model_find(model);
    assert_non_null(found);
    struct cpu_bench *bench = cpu_bench_create(found, found->address_bits == 20 ? 1 * MIB : RAM_SIZE);
    cpu_bench_enter_real(bench);
    return bench;
}

/* Runs from `rip` to the snippet's HLT, which must not be that of a handler. */
static void run_to_halt(struct cpu_bench *bench, uint32_t rip)
{
    bench->cpu.rip = rip;
    bench->cpu.halted = false;
    assert_int_equal(cpu_bench_run(bench, 1000000), STOP_HALTED);
    assert_int_equal(cpu_bench_frame(bench).vector, -1);
}

static void assert_fault(struct cpu_bench *bench, int vector, uint32_t rip)
{
    assert_int_equal(cpu_bench_run(bench, 1000), STOP_HALTED);
    struct cpu_bench_frame frame = cpu_bench_frame(bench);
    assert_int_equal(frame.vector, vector);
    assert_int_equal(frame.rip, rip);
}

/* ---- writes to code */

static void store_into_next_instruction_of_the_block_is_seen(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xc6, 0x05, 0x08, 0x80, 0, 0, 0x42, /* mov byte [8008h], 42h */
                               0xb0, 0x00,                         /* mov al, 0 */
                               0xf4));
    run_to_halt(bench, BENCH_CODE);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 0x42);
    cpu_bench_write(bench, BENCH_CODE + 6, 1, 0x43);
    run_to_halt(bench, BENCH_CODE);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 0x43);
    cpu_bench_destroy(bench);
}

static void push_onto_the_next_instruction_is_seen(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    bench->cpu.gpr[CPU_SP].q = BENCH_CODE + 10;
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0x68, 0x78, 0x56, 0x34, 0x12, /* push 12345678h: onto 8006h */
                               0xb8, 0, 0, 0, 0,             /* mov eax, 0 */
                               0xf4));
    run_to_halt(bench, BENCH_CODE);
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, 0x12345678);
    cpu_bench_destroy(bench);
}

static void string_store_over_the_following_code_is_seen(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xbf, 0x11, 0x80, 0, 0, /* mov edi, 8011h */
                               0xb9, 0x03, 0, 0, 0,    /* mov ecx, 3 */
                               0xb8, 0x40, 0, 0, 0,    /* mov eax, 40h (inc eax) */
                               0xf3, 0xaa,             /* rep stosb */
                               0x90, 0x90, 0x90,       /* at 8011h */
                               0xf4));
    for (unsigned pass = 0; pass < 2; pass++) {
        run_to_halt(bench, BENCH_CODE);
        assert_int_equal(bench->cpu.gpr[CPU_AX].d, 0x43);
        cpu_bench_load(bench, BENCH_CODE + 0x11, BENCH_BYTES(0x90, 0x90, 0x90));
    }
    cpu_bench_destroy(bench);
}

static void string_store_over_itself_ends_between_two_iterations(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xbf, 0x0f, 0x80, 0, 0, /* mov edi, 800fh */
                               0xb9, 0x03, 0, 0, 0,    /* mov ecx, 3 */
                               0xb8, 0xf4, 0, 0, 0,    /* mov eax, f4h (hlt) */
                               0xf3, 0xaa));           /* at 800fh: rep stosb */
    run_to_halt(bench, BENCH_CODE);
    assert_int_equal(bench->cpu.gpr[CPU_CX].d, 2);
    assert_int_equal(bench->cpu.rip, 0x8010);
    cpu_bench_destroy(bench);
}

static void store_into_an_earlier_block_is_seen(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    bench->cpu.gpr[CPU_CX].q = 5;
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xb0, 0x00,                   /* mov al, 0 */
                               0xfe, 0x05, 0x01, 0x80, 0, 0, /* inc byte [8001h] */
                               0xe2, 0xf6,                   /* loop 8000h */
                               0xf4));
    run_to_halt(bench, BENCH_CODE);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 4);
    cpu_bench_destroy(bench);
}

static void store_across_code_lines_is_seen(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, 0x803e, BENCH_BYTES(0xb8, 0, 0, 0, 0, 0xf4)); /* mov eax, 0: 803Eh to 8042h */
    run_to_halt(bench, 0x803e);
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, 0);
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xc7, 0x05, 0x3f, 0x80, 0, 0, 0x78, 0x56, 0x34, 0x12, /* mov [803Fh], … */
                               0xeb, 0x32));                                         /* jmp 803Eh */
    run_to_halt(bench, BENCH_CODE);
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, 0x12345678);
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xc6, 0x05, 0x42, 0x80, 0, 0, 0x99, /* mov byte [8042h], 99h */
                               0xeb, 0x35));                       /* jmp 803Eh */
    run_to_halt(bench, BENCH_CODE);
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, 0x99345678);
    cpu_bench_destroy(bench);
}

static void store_beside_code_keeps_the_block(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xff, 0x05, 0x20, 0x80, 0, 0, /* inc dword [8020h] */
                               0xf4));
    run_to_halt(bench, BENCH_CODE);
    uint64_t decoded = bench->counters.value[COUNTER_BLOCKS_DECODED];
    run_to_halt(bench, BENCH_CODE);
    assert_int_equal(cpu_bench_read(bench, 0x8020, 4), 2);
    assert_int_equal(bench->counters.value[COUNTER_BLOCKS_DECODED], decoded);
    cpu_bench_destroy(bench);
}

static void page_crossing_instruction_is_read_anew(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, 0x8ffe, BENCH_BYTES(0xb8, 1, 2, 3, 4, 0xf4)); /* mov eax, 04030201h */
    run_to_halt(bench, 0x8ffe);
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, 0x04030201);
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xc6, 0x05, 0xff, 0x8f, 0, 0, 0x55, /* mov byte [8FFFh] */
                               0xc6, 0x05, 0x01, 0x90, 0, 0, 0x66, /* mov byte [9001h] */
                               0xe9, 0xeb, 0x0f, 0, 0));           /* jmp 8FFEh */
    run_to_halt(bench, BENCH_CODE);
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, 0x04660255);
    cpu_bench_destroy(bench);
}

static void store_through_another_linear_address_is_seen(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_enable_paging(bench);
    cpu_bench_map(bench, 0x100000, BENCH_CODE, PAGE_ALL);
    cpu_bench_write(bench, 0x100008, 1, 0x77); /* what an unmapped store would hit */
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xc6, 0x05, 0x08, 0x00, 0x10, 0, 0x42, /* mov byte [100008h], 42h */
                               0xb0, 0x00,                            /* mov al, 0 */
                               0xf4));
    run_to_halt(bench, BENCH_CODE);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 0x42);
    assert_int_equal(cpu_bench_read(bench, 0x100008, 1), 0x77);
    /* and code run at the alias, written at its own address */
    run_to_halt(bench, 0x100007);
    cpu_bench_load(bench, 0x8100,
                   BENCH_BYTES(0xc6, 0x05, 0x08, 0x80, 0, 0, 0x24, /* mov byte [8008h], 24h */
                               0xe9, 0xfb, 0x7e, 0x0f, 0));        /* jmp 100007h */
    run_to_halt(bench, 0x8100);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 0x24);
    cpu_bench_destroy(bench);
}

static void remapping_a_page_changes_the_code_there(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_enable_paging(bench);
    cpu_bench_load(bench, 0x9000, BENCH_BYTES(0xb0, 1, 0xf4));
    cpu_bench_load(bench, 0xb000, BENCH_BYTES(0xb0, 2, 0xf4));
    run_to_halt(bench, 0x9000);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 1);
    cpu_bench_map(bench, 0x9000, 0xb000, PAGE_ALL);
    run_to_halt(bench, 0x9000);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 2);
    cpu_bench_destroy(bench);
}

static void dma_into_code_is_seen(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xb0, 1, 0xf4));
    run_to_halt(bench, BENCH_CODE);
    cpu_bench_write(bench, BENCH_CODE + 1, 1, 2);
    run_to_halt(bench, BENCH_CODE);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 2);
    cpu_bench_load(bench, BENCH_CODE - 1, BENCH_BYTES(0xff, 0xb0, 3));
    run_to_halt(bench, BENCH_CODE);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 3);
    cpu_bench_destroy(bench);
}

static void a20_gate_moves_code_and_its_aliases(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    memory_bus_set_a20(bench->bus, false);
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xc6, 0x05, 0x08, 0x80, 0x10, 0, 0x42, /* mov byte [108008h], 42h */
                               0xb0, 0x00,                            /* mov al, 0 */
                               0xf4));
    run_to_halt(bench, BENCH_CODE);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 0x42);
    run_to_halt(bench, 0x108007);
    memory_bus_set_a20(bench->bus, true);
    cpu_bench_load(bench, 0x108007, BENCH_BYTES(0xb0, 0x24, 0xf4));
    run_to_halt(bench, 0x108007);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 0x24);
    memory_bus_set_a20(bench->bus, false);
    run_to_halt(bench, 0x108007);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 0x42);
    cpu_bench_destroy(bench);
}

static void same_bytes_are_decoded_for_each_code_size(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    /* 32-bit: mov eax, 0F4332211h; hlt. 16-bit: mov ax, 2211h; xor si, sp; hlt */
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xb8, 0x11, 0x22, 0x33, 0xf4, 0xf4));
    run_to_halt(bench, BENCH_CODE);
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, 0xf4332211);
    cpu_bench_enter_flat(bench, 2, 0);
    run_to_halt(bench, BENCH_CODE);
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, 0x2211);
    assert_int_equal(bench->cpu.gpr[CPU_SI].d, BENCH_STACK);
    cpu_bench_destroy(bench);
}

/* ---- limits and pages */

static void code_up_to_the_limit_runs_and_beyond_it_faults(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x40, 0x40, 0x40, 0x40, 0x40)); /* inc eax */
    bench->cpu.segment[CPU_CS].limit = BENCH_CODE + 3;
    assert_fault(bench, VECTOR_GP, BENCH_CODE + 4);
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, 4);
    cpu_bench_destroy(bench);
}

static void instruction_across_the_limit_faults_before_it_acts(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x40, 0xb8, 1, 2, 3, 4)); /* inc eax; mov eax, … */
    bench->cpu.segment[CPU_CS].limit = BENCH_CODE + 4;
    assert_fault(bench, VECTOR_GP, BENCH_CODE + 1);
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, 1);
    assert_int_equal(cpu_bench_frame(bench).error_code, 0);
    cpu_bench_destroy(bench);
}

static void branch_beyond_the_limit_faults_at_the_branch(void **state)
{
    static const struct {
        uint8_t bytes[6];
    } branches[] = {
        {{0xe9, 0xfb, 0x7f, 0x00, 0x00}},       /* jmp 10000h */
        {{0xe8, 0xfb, 0x7f, 0x00, 0x00}},       /* call 10000h */
        {{0x0f, 0x85, 0xfa, 0x7f, 0x00, 0x00}}, /* jnz 10000h */
        {{0xff, 0xe3}},                         /* jmp ebx */
        {{0xff, 0xd3}},                         /* call ebx */
        {{0xc3}},                               /* ret */
        {{0xc2, 0x04, 0x00}},                   /* ret 4 */
    };
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(branches); i++) {
        struct cpu_bench *bench = create_flat();
        cpu_bench_load(bench, BENCH_CODE, branches[i].bytes, sizeof branches[i].bytes);
        bench->cpu.segment[CPU_CS].limit = 0xffff;
        bench->cpu.gpr[CPU_BX].q = 0x10000;
        cpu_bench_write(bench, BENCH_STACK, 4, 0x10000);
        assert_fault(bench, VECTOR_GP, BENCH_CODE);
        assert_int_equal(bench->cpu.gpr[CPU_SP].d, BENCH_STACK - 16); /* the frame, nothing else */
        cpu_bench_destroy(bench);
    }
}

static void loop_beyond_the_limit_does_not_count(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xe2, 0x10)); /* loop 8012h */
    bench->cpu.segment[CPU_CS].limit = 0x8010;
    bench->cpu.gpr[CPU_CX].q = 5;
    assert_fault(bench, VECTOR_GP, BENCH_CODE);
    assert_int_equal(bench->cpu.gpr[CPU_CX].d, 5);
    cpu_bench_destroy(bench);
}

static void real_mode_code_does_not_run_over_64k_since_the_80386(void **state)
{
    static const char *const models[] = {"80386", "80486", "pentium3"};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(models); i++) {
        struct cpu_bench *bench = create_real(models[i]);
        cpu_bench_load(bench, 0xfffe, BENCH_BYTES(0x90, 0x90, 0xf4));
        bench->cpu.rip = 0xfffe;
        assert_fault(bench, VECTOR_GP, 0);
        cpu_bench_destroy(bench);
    }
}

static void instruction_across_64k_faults_since_the_80286_and_wraps_before(void **state)
{
    static const struct {
        const char *model;
        bool wraps;
    } cases[] = {{"8086", true}, {"80286", false}, {"80386", false}, {"pentium3", false}};
    (void)state;
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        struct cpu_bench *bench = create_real(cases[i].model);
        cpu_bench_write(bench, 0xffff, 1, 0xb0); /* mov al, [0000h] */
        cpu_bench_write(bench, 0x10000, 1, 0x11);
        bench->cpu.rip = 0xffff;
        if (cases[i].wraps) {
            cpu_bench_load(bench, 0, BENCH_BYTES(0x22, 0xf4));
            run_to_halt(bench, 0xffff);
            assert_int_equal(bench->cpu.gpr[CPU_AX].l, 0x22);
        } else {
            assert_fault(bench, VECTOR_GP, 0xffff);
        }
        cpu_bench_destroy(bench);
    }
}

static void sixteen_bit_segments_may_be_longer_than_64k(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_enter_flat(bench, 2, 0);
    cpu_bench_load(bench, 0x1fffe, BENCH_BYTES(0x40, 0x40, 0x40, 0xf4)); /* inc ax */
    run_to_halt(bench, 0x1fffe);
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, 3);
    assert_int_equal(bench->cpu.rip, 0x20002);
    cpu_bench_destroy(bench);
}

static void fetch_from_a_missing_second_page_faults_there(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_enable_paging(bench);
    cpu_bench_load(bench, 0x8ffd, BENCH_BYTES(0x43, 0xb8, 1, 2, 3, 4, 0xf4)); /* inc ebx; mov eax, … */
    cpu_bench_map(bench, 0x9000, 0x9000, 0);
    bench->cpu.rip = 0x8ffd;
    assert_fault(bench, VECTOR_PF, 0x8ffe);
    assert_int_equal(bench->cpu.cr2, 0x9000);
    assert_int_equal(cpu_bench_frame(bench).error_code, 0);
    assert_int_equal(bench->cpu.gpr[CPU_BX].d, 1);
    cpu_bench_map(bench, 0x9000, 0x9000, PAGE_ALL);
    run_to_halt(bench, 0x8ffe);
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, 0x04030201);
    cpu_bench_destroy(bench);
}

static void user_fetch_from_a_supervisor_page_faults(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_enter_flat(bench, 4, 3);
    cpu_bench_enable_paging(bench);
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xe9, 0xfb, 0x0f, 0, 0)); /* jmp 9000h */
    cpu_bench_map(bench, 0x9000, 0x9000, PAGE_PRESENT | PAGE_WRITABLE);
    assert_fault(bench, VECTOR_PF, 0x9000);
    assert_int_equal(cpu_bench_frame(bench).error_code, 5);
    cpu_bench_destroy(bench);
}

/* ---- places other than RAM */

static void code_in_rom_runs_and_cannot_be_written(void **state)
{
    static uint8_t rom[PAGE_SIZE] = {0xc6, 0x05, 0x08, 0x00, 0x0c, 0, 0x42, /* mov byte [0C0008h], 42h */
                                     0xb0, 0x17,                            /* mov al, 17h */
                                     0xf4};
    (void)state;
    struct cpu_bench *bench = create_flat();
    memory_bus_map_rom(bench->bus, 0xc0000, sizeof rom, rom);
    for (unsigned pass = 0; pass < 2; pass++) {
        run_to_halt(bench, 0xc0000);
        assert_int_equal(bench->cpu.gpr[CPU_AX].l, 0x17);
        assert_int_equal(rom[8], 0x17);
    }
    cpu_bench_destroy(bench);
}

static void mapping_ram_over_rom_replaces_the_code(void **state)
{
    static uint8_t rom[PAGE_SIZE] = {0xb0, 0x17, 0xf4};
    (void)state;
    struct cpu_bench *bench = create_flat();
    cpu_bench_load(bench, 0xc0000, BENCH_BYTES(0xb0, 0x71, 0xf4));
    memory_bus_map_rom(bench->bus, 0xc0000, sizeof rom, rom);
    run_to_halt(bench, 0xc0000);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 0x17);
    memory_bus_map_ram(bench->bus, 0xc0000, sizeof rom, 0xc0000);
    run_to_halt(bench, 0xc0000);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 0x71);
    cpu_bench_destroy(bench);
}

/* A device whose every byte of code is another one at the next reading. */
struct code_device {
    uint8_t value;
    unsigned reads;
};

static uint64_t read_code_device(void *opaque, uint64_t offset, unsigned width)
{
    static const uint8_t code[] = {0xb0, 0x00, 0xf4};
    struct code_device *device = opaque;
    assert_int_equal(width, 1);
    assert_true(offset < sizeof code);
    device->reads++;
    return offset == 1 ? device->value++ : code[offset];
}

static void code_in_a_device_is_fetched_each_time(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    struct code_device device = {.value = 0x30};
    struct io_region region = {
        .name = "code", .base = 0xd0000, .length = PAGE_SIZE, .read = read_code_device, .opaque = &device};
    struct status status = memory_bus_claim(bench->bus, &region);
    assert_true(status_is_ok(&status));
    run_to_halt(bench, 0xd0000);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 0x30);
    run_to_halt(bench, 0xd0000);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 0x31);
    assert_int_equal(device.reads, 6);
    cpu_bench_destroy(bench);
}

static void code_nowhere_is_an_invalid_opcode(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_flat();
    bench->cpu.rip = 0x80000000; /* all ones: FF /7 */
    assert_fault(bench, VECTOR_UD, 0x80000000);
    cpu_bench_destroy(bench);
}

/* ---- more code than the cache holds */

static void more_blocks_than_the_cache_holds_run_and_stay_coherent(void **state)
{
    enum { BLOCKS = 450000, START = 0x20000 };
    (void)state;
    struct cpu_bench *bench = create_flat();
    for (uint32_t i = 0; i < BLOCKS; i++) {
        bench->ram[START + 2 * i] = 0xeb; /* jmp to the next one */
    }
    bench->ram[START + 2 * BLOCKS] = 0xf4;
    uint64_t retired = bench->cpu.retired;
    run_to_halt(bench, START);
    assert_int_equal(bench->cpu.retired - retired, BLOCKS + 1);
    assert_true(bench->counters.value[COUNTER_BLOCKS_DECODED] >= BLOCKS);
    assert_true(bench->counters.value[COUNTER_BLOCKS_EVICTED] >= 80000);
    /* what was dropped can be written and comes back as it is now */
    cpu_bench_load(bench, START, BENCH_BYTES(0xb0, 0x66, 0xf4));
    run_to_halt(bench, START);
    assert_int_equal(bench->cpu.gpr[CPU_AX].l, 0x66);
    cpu_bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(store_into_next_instruction_of_the_block_is_seen),
        cmocka_unit_test(push_onto_the_next_instruction_is_seen),
        cmocka_unit_test(string_store_over_the_following_code_is_seen),
        cmocka_unit_test(string_store_over_itself_ends_between_two_iterations),
        cmocka_unit_test(store_into_an_earlier_block_is_seen),
        cmocka_unit_test(store_across_code_lines_is_seen),
        cmocka_unit_test(store_beside_code_keeps_the_block),
        cmocka_unit_test(page_crossing_instruction_is_read_anew),
        cmocka_unit_test(store_through_another_linear_address_is_seen),
        cmocka_unit_test(remapping_a_page_changes_the_code_there),
        cmocka_unit_test(dma_into_code_is_seen),
        cmocka_unit_test(a20_gate_moves_code_and_its_aliases),
        cmocka_unit_test(same_bytes_are_decoded_for_each_code_size),
        cmocka_unit_test(code_up_to_the_limit_runs_and_beyond_it_faults),
        cmocka_unit_test(instruction_across_the_limit_faults_before_it_acts),
        cmocka_unit_test(branch_beyond_the_limit_faults_at_the_branch),
        cmocka_unit_test(loop_beyond_the_limit_does_not_count),
        cmocka_unit_test(real_mode_code_does_not_run_over_64k_since_the_80386),
        cmocka_unit_test(instruction_across_64k_faults_since_the_80286_and_wraps_before),
        cmocka_unit_test(sixteen_bit_segments_may_be_longer_than_64k),
        cmocka_unit_test(fetch_from_a_missing_second_page_faults_there),
        cmocka_unit_test(user_fetch_from_a_supervisor_page_faults),
        cmocka_unit_test(code_in_rom_runs_and_cannot_be_written),
        cmocka_unit_test(mapping_ram_over_rom_replaces_the_code),
        cmocka_unit_test(code_in_a_device_is_fetched_each_time),
        cmocka_unit_test(code_nowhere_is_an_invalid_opcode),
        cmocka_unit_test(more_blocks_than_the_cache_holds_run_and_stay_coherent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

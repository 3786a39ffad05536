/* Which code the translator translates, and how often. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/probe.h"
#include "cpu_bench.h"

#define RAM_SIZE (8 * MIB)

static struct cpu_bench *create_bench(uint8_t tb_warm)
{
    const struct engine_config config = {.kind = ENGINE_DBT, .tb_warm = tb_warm};
    struct cpu_bench *bench = cpu_bench_create_with(cpu_model_find("pentium3"), RAM_SIZE, &config);
    cpu_bench_enter_flat(bench, 4, 0);
    return bench;
}

static uint64_t count(const struct cpu_bench *bench, enum counter counter)
{
    return bench->counters.value[counter];
}

/* ---- -tb-warm */

/* Blocks translated when a loop of one block has been executed `times`, up to the HLT behind it. The jump in
 * front of it is the fallback's, to whom a CPU that has just been set up goes first. */
static uint64_t translated_after(uint8_t tb_warm, uint32_t times)
{
    struct cpu_bench *bench = create_bench(tb_warm);
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xeb, 0x00, 0x49, 0x75, 0xfd, 0xf4)); /* jmp 0; dec ecx; jnz -3; hlt */
    bench->cpu.gpr[CPU_CX].d = times;
    assert_int_equal(cpu_bench_run(bench, 10000), STOP_HALTED);
    assert_int_equal(bench->cpu.gpr[CPU_CX].d, 0);
    uint64_t translated = count(bench, COUNTER_BLOCKS_TRANSLATED);
    cpu_bench_destroy(bench);
    return translated;
}

static void cold_code_is_left_to_the_interpreter_as_often_as_tb_warm_says(void **state)
{
    (void)state;
    static const uint8_t warm[] = {1, 2, 7, 16, 255};
    for (unsigned i = 0; i < ARRAY_COUNT(warm); i++) {
        assert_int_equal(translated_after(warm[i], warm[i]), 0);
        assert_int_equal(translated_after(warm[i], warm[i] + 1u), 1);
        assert_int_equal(translated_after(warm[i], 1000), 1);
    }
}

static void nothing_is_left_to_the_interpreter_with_a_tb_warm_of_0(void **state)
{
    (void)state;
    assert_int_equal(translated_after(0, 1), 2); /* the HLT is a block, too */
}

/* ---- loops */

#define LOOP_TIMES_MAX 70u /* more passes than a block has */

/* Runs `loop` with ECX = `times`, up to the HLT behind it. */
static void run_loop(enum engine_kind kind, const uint8_t *loop, size_t size, uint32_t times,
                     struct cpu_state *end)
{
    const struct engine_config config = {.kind = kind};
    struct cpu_bench *bench = cpu_bench_create_with(cpu_model_find("pentium3"), RAM_SIZE, &config);
    cpu_bench_enter_flat(bench, 4, 0);
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xeb, 0x00));
    cpu_bench_load(bench, BENCH_CODE + 2, loop, size);
    cpu_bench_load(bench, BENCH_CODE + 2 + size, BENCH_BYTES(0xf4));
    bench->cpu.gpr[CPU_CX].d = times;
    bench->cpu.gpr[CPU_AX].d = bench->cpu.gpr[CPU_DX].d = 0;
    assert_int_equal(cpu_bench_run(bench, 100000), STOP_HALTED);
    *end = bench->cpu;
    assert_int_equal(count(bench, COUNTER_INSNS_TRANSLATED) > LOOP_TIMES_MAX / 4, kind == ENGINE_DBT);
    cpu_bench_destroy(bench);
}

/* The loop ends at every pass of the block, and behind several blocks. */
static void check_loop(const uint8_t *loop, size_t size)
{
    for (uint32_t times = 1; times <= LOOP_TIMES_MAX; times++) {
        struct cpu_state translated, interpreted;
        run_loop(ENGINE_DBT, loop, size, times, &translated);
        run_loop(ENGINE_INTERP, loop, size, times, &interpreted);
        assert_int_equal(translated.retired, interpreted.retired);
        for (unsigned i = 0; i < 8; i++) {
            assert_int_equal(translated.gpr[i].d, interpreted.gpr[i].d);
        }
        assert_int_equal(flags_to_eflags(&translated.flags), flags_to_eflags(&interpreted.flags));
        assert_int_equal(translated.rip, interpreted.rip);
    }
}

static void a_loop_ends_where_its_condition_says(void **state)
{
    (void)state;
    check_loop(
        BENCH_BYTES(0x8d, 0x44, 0x08, 0x03, 0x49, 0x75, 0xf9)); /* lea eax, [eax+ecx+3]; dec ecx; jnz */
}

static void a_loop_ends_in_its_middle(void **state)
{
    (void)state;
    /* dec ecx; jz out; lea eax, [eax+ecx+3]; jmp */
    check_loop(BENCH_BYTES(0x49, 0x74, 0x06, 0x8d, 0x44, 0x08, 0x03, 0xeb, 0xf7));
}

static void a_loop_ends_as_its_counter_and_the_zero_flag_say(void **state)
{
    (void)state;
    check_loop(BENCH_BYTES(0x8d, 0x44, 0x08, 0x03, 0xe2, 0xfa));             /* lea; loop */
    check_loop(BENCH_BYTES(0x8d, 0x44, 0x08, 0x03, 0xa8, 0x40, 0xe1, 0xf8)); /* lea; test al, 40h; loope */
    check_loop(BENCH_BYTES(0x8d, 0x44, 0x08, 0x03, 0xa8, 0x40, 0xe0, 0xf8)); /* lea; test al, 40h; loopne */
}

/* ---- the software TLB is the interpreter's */

static void data_that_shares_a_slot_of_the_tlb_with_code_does_not_keep_it_from_being_translated(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_bench(16);
    const uint32_t data = BENCH_CODE + TLB_ENTRIES * (uint32_t)PAGE_SIZE;
    /* jmp 0; inc dword [data]; jmp [data + 4] */
    cpu_bench_load(
        bench, BENCH_CODE,
        BENCH_BYTES(0xeb, 0x00, 0xff, 0x05, 0x00, 0x80, 0x40, 0x00, 0xff, 0x25, 0x04, 0x80, 0x40, 0x00));
    cpu_bench_write(bench, data + 4, 4, BENCH_CODE + 2);
    assert_int_equal(cpu_bench_run(bench, 1001), STOP_BUDGET);
    assert_int_equal(cpu_bench_read(bench, data, 4), 500);
    assert_int_equal(count(bench, COUNTER_BLOCKS_TRANSLATED), 1);
    cpu_bench_destroy(bench);
}

/* ---- code that is written to */

#define FUNCTION       BENCH_DATA
#define FUNCTION_SIZE  32u
#define OTHER_FUNCTION (BENCH_DATA + 0x800)

/* Runs code that calls FUNCTION and OTHER_FUNCTION, on one page, and then makes `stores` of a byte each from
 * `at` on. */
static struct cpu_bench *run_and_store(uint32_t at, uint32_t stores)
{
    struct cpu_bench *bench = create_bench(0);
    uint8_t function[FUNCTION_SIZE];
    memset(function, 0x40, sizeof function); /* inc eax */
    function[FUNCTION_SIZE - 1] = 0xc3;
    cpu_bench_load(bench, FUNCTION, function, sizeof function);
    cpu_bench_load(bench, OTHER_FUNCTION, function, sizeof function);
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xeb, 0x00, 0xff, 0xd6, 0xff, 0xd2,               /* call esi; call edx */
                               0xc6, 0x07, 0x90, 0x47, 0x49, 0x75, 0xf9, 0xf4)); /* mov byte [edi], 90h … */
    bench->cpu.gpr[CPU_SI].d = FUNCTION;
    bench->cpu.gpr[CPU_DX].d = OTHER_FUNCTION;
    bench->cpu.gpr[CPU_DI].d = at;
    bench->cpu.gpr[CPU_CX].d = stores;
    assert_int_equal(cpu_bench_run(bench, 10000), STOP_HALTED);
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, 2 * (FUNCTION_SIZE - 1));
    for (uint32_t i = 0; i < stores; i++) {
        assert_int_equal(cpu_bench_read(bench, at + i, 1), 0x90);
    }
    return bench;
}

static void code_that_is_overwritten_byte_by_byte_is_dropped_by_the_first(void **state)
{
    (void)state;
    struct cpu_bench *bench = run_and_store(FUNCTION, FUNCTION_SIZE);
    assert_int_equal(count(bench, COUNTER_CODE_WRITES), 1);
    assert_int_equal(count(bench, COUNTER_BLOCKS_INVALIDATED), 1);
    cpu_bench_destroy(bench);
}

static void stores_beside_code_drop_nothing_and_are_not_the_interpreters(void **state)
{
    (void)state;
    static const uint32_t places[] = {FUNCTION + FUNCTION_SIZE, OTHER_FUNCTION - 40,
                                      OTHER_FUNCTION + FUNCTION_SIZE};
    for (unsigned i = 0; i < ARRAY_COUNT(places); i++) {
        struct cpu_bench *bench = run_and_store(places[i], 40);
        assert_int_equal(count(bench, COUNTER_CODE_WRITES), 0);
        assert_int_equal(count(bench, COUNTER_BLOCKS_INVALIDATED), 0);
        cpu_bench_destroy(bench);
    }
}

/* Stores of `width` bytes that begin up to 8 bytes in front of marked code, and behind it. */
static void a_store_that_reaches_one_byte_of_code_drops_it(void **state)
{
    (void)state;
    for (unsigned log2 = 0; log2 < 3; log2++) {
        uint32_t width = 1u << log2;
        for (uint32_t at = FUNCTION + 56; at < FUNCTION + 68; at++) {
            struct cpu_bench *bench = create_bench(0);
            /* FUNCTION + 61 to 63: nop; nop; ret */
            cpu_bench_load(bench, FUNCTION + 61, BENCH_BYTES(0x90, 0x90, 0xc3));
            const uint8_t store[3][2] = {{0x90, 0x88}, {0x66, 0x89}, {0x90, 0x89}};
            cpu_bench_load(bench, BENCH_CODE,
                           BENCH_BYTES(0xeb, 0x00, 0xff, 0xd6,               /* call esi */
                                       0x88, 0x05, 0x00, 0xae, 0x00, 0x00,   /* mov [FUNCTION + E00h], al */
                                       store[log2][0], store[log2][1], 0x07, /* mov [edi], eax */
                                       0xf4));
            bench->cpu.gpr[CPU_SI].d = FUNCTION + 61;
            bench->cpu.gpr[CPU_DI].d = at;
            assert_int_equal(cpu_bench_run(bench, 100), STOP_HALTED);
            bool hits = at <= FUNCTION + 63 && at + width > FUNCTION + 61;
            assert_int_equal(count(bench, COUNTER_BLOCKS_INVALIDATED), hits);
            cpu_bench_destroy(bench);
        }
    }
}

/* ---- shadow page tables */

/* A loop of 10,000 stores into its own page, beside its code. `real`: with CS based at 64 KiB. */
static void store_beside_code_in_a_window(bool real)
{
    const struct engine_config config = {.kind = ENGINE_DBT, .mmu = MMU_SHADOW};
    struct cpu_bench *bench = cpu_bench_create_with(cpu_model_find("pentium3"), RAM_SIZE, &config);
    struct cpu_state *cpu = &bench->cpu;
    uint32_t base = 0;
    if (real) {
        base = 0x10000;
        cpu_bench_enter_real(bench);
        cpu->segment[CPU_CS].selector = (uint16_t)(base >> 4);
        cpu->segment[CPU_CS].base = base;
    } else {
        cpu_bench_enter_flat(bench, 4, 0);
    }
    /* 1: push ax; pop ax; dec cx; jnz 1b; hlt */
    cpu_bench_load(bench, base + BENCH_CODE, BENCH_BYTES(0x50, 0x58, 0x49, 0x75, 0xfb, 0xf4));
    cpu->segment[CPU_SS].selector = (uint16_t)(real ? base >> 4 : cpu->segment[CPU_SS].selector);
    cpu->segment[CPU_SS].base = base;
    cpu->gpr[CPU_SP].d = BENCH_CODE + 0x800;
    cpu->gpr[CPU_CX].d = 10000;
    assert_int_equal(cpu_bench_run(bench, 100000), STOP_HALTED);
    assert_int_equal(cpu->gpr[CPU_CX].d & 0xffff, 0);
    assert_in_range(count(bench, COUNTER_VIEW_REFUSALS), 1, 100);
    assert_int_equal(count(bench, COUNTER_INSNS_DEMOTED), 1);
    cpu_bench_destroy(bench);
}

static void a_store_beside_code_is_soon_made_with_a_check(void **state)
{
    (void)state;
    store_beside_code_in_a_window(false);
}

static void a_store_beside_code_is_soon_made_with_a_check_in_real_mode(void **state)
{
    (void)state;
    store_beside_code_in_a_window(true);
}

/* A function is called once; then 64 instructions on another page store beside it again and again. Calls it
 * again at the end, changes the number it returns, and calls it once more. */
static void code_that_is_not_executed_gives_way_to_stores(void **state)
{
    (void)state;
    const struct engine_config config = {.kind = ENGINE_DBT, .mmu = MMU_SHADOW};
    struct cpu_bench *bench = cpu_bench_create_with(cpu_model_find("pentium3"), RAM_SIZE, &config);
    cpu_bench_enter_flat(bench, 4, 0);
    cpu_bench_load(bench, FUNCTION, BENCH_BYTES(0xb8, 0x01, 0x00, 0x00, 0x00, 0xc3)); /* mov eax, 1; ret */
    uint32_t at = BENCH_CODE;
    cpu_bench_load(bench, at, BENCH_BYTES(0xeb, 0x00, 0xff, 0xd6)); /* jmp 0; call esi */
    at += 4;
    for (uint8_t i = 0; i < 64; i++, at += 3) {
        cpu_bench_load(bench, at, BENCH_BYTES(0x89, 0x5f, i)); /* mov [edi + i], ebx */
    }
    /* dec ecx; jnz to the first store; call esi; mov [esi + 1], edx; mov ebx, eax; call esi; hlt */
    cpu_bench_load(bench, at,
                   BENCH_BYTES(0x49, 0x0f, 0x85, 0x39, 0xff, 0xff, 0xff, 0xff, 0xd6, 0x89, 0x56, 0x01, 0x89,
                               0xc3, 0xff, 0xd6, 0xf4));
    struct cpu_state *cpu = &bench->cpu;
    cpu->gpr[CPU_SI].d = FUNCTION;
    cpu->gpr[CPU_DI].d = FUNCTION + 0x400;
    cpu->gpr[CPU_DX].d = 77;
    cpu->gpr[CPU_CX].d = 1000;
    assert_int_equal(cpu_bench_run(bench, 100000), STOP_HALTED);
    assert_int_equal(cpu->gpr[CPU_BX].d, 1);
    assert_int_equal(cpu->gpr[CPU_AX].d, 77);
    assert_int_equal(count(bench, COUNTER_CODE_PAGES_DROPPED), 1);
    assert_in_range(count(bench, COUNTER_VIEW_REFUSALS), 1, 100);
    assert_int_equal(count(bench, COUNTER_INSNS_DEMOTED), 0);
    cpu_bench_destroy(bench);
}

/* ---- exceptions */

/* A handler at the EIP of the instruction behind the one that faults, in another segment. */
static void a_handler_is_not_taken_for_the_next_instruction(void **state)
{
    (void)state;
    const uint32_t base = 0x10000, handler = 0x30000;
    const uint32_t next = BENCH_CODE + 6;
    struct cpu_bench *bench = create_bench(0);
    struct cpu_state *cpu = &bench->cpu;
    cpu_bench_enter_real(bench);
    cpu->segment[CPU_CS].selector = (uint16_t)(base >> 4);
    cpu->segment[CPU_CS].base = base;
    cpu->gpr[CPU_SP].d = BENCH_CODE;
    cpu->gpr[CPU_AX].d = 5;
    cpu->gpr[CPU_BX].d = 0;
    /* jmp 0; bound ax, [BENCH_CODE + 100h], where both bounds are 0; inc bx; hlt */
    const uint32_t bounds = BENCH_CODE + 0x100;
    cpu_bench_load(bench, base + BENCH_CODE,
                   BENCH_BYTES(0xeb, 0x00, 0x62, 0x06, bounds & 0xff, bounds >> 8, 0x43, 0xf4));
    cpu_bench_load(bench, handler + next, BENCH_BYTES(0xf4));
    cpu_bench_write(bench, 4 * 5, 4, (handler >> 4) << 16 | next);
    assert_int_equal(cpu_bench_run(bench, 100), STOP_HALTED);
    assert_int_equal(cpu->segment[CPU_CS].selector, handler >> 4);
    assert_int_equal(cpu->gpr[CPU_BX].d, 0);
    cpu_bench_destroy(bench);
}

/* Two entries of the page table are executed: the first ends with an instruction that reads the page of the
 * second, whose A bit makes a DAA of its POP ES. `retired`: all that is executed, iterations one by one. */
static void execute_page_table(const uint8_t code[4], uint64_t retired)
{
    const uint32_t page = 0x200000, entry = BENCH_TABLE + 4 * (page >> PAGE_SHIFT);
    struct cpu_bench *bench = create_bench(0);
    cpu_bench_enable_paging(bench);
    cpu_bench_load(bench, entry - 4, code, 4);
    cpu_bench_load(bench, entry, BENCH_BYTES(0x07, 0xf4, 0x00, 0x00)); /* pop es; hlt */
    bench->cpu.memory_ops->flush_tlb(&bench->cpu, true);
    /* pop eax; push eax; jmp to the entries: the stack is in the TLB then */
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0x58, 0x50, 0xe9));
    cpu_bench_write(bench, BENCH_CODE + 3, 4, entry - 4 - (BENCH_CODE + 7));
    bench->cpu.gpr[CPU_SI].d = page;
    bench->cpu.gpr[CPU_DI].d = BENCH_DATA;
    bench->cpu.gpr[CPU_CX].d = 2;
    uint64_t before = bench->cpu.retired;
    assert_int_equal(cpu_bench_run(bench, 100), STOP_HALTED);
    assert_int_equal(bench->cpu.gpr[CPU_SP].d, BENCH_STACK);
    assert_int_equal(bench->cpu.rip, entry + 2);
    assert_int_equal(bench->cpu.retired - before, retired);
    assert_int_not_equal(count(bench, COUNTER_BLOCKS_TRANSLATED), 0);
    cpu_bench_destroy(bench);
}

static void code_that_the_walk_of_page_tables_changes_is_executed_as_changed(void **state)
{
    (void)state;
    execute_page_table((const uint8_t[]){0x90, 0x90, 0x8a, 0x06}, 8); /* nop; nop; mov al, [esi] */
    execute_page_table((const uint8_t[]){0x90, 0x90, 0xf3, 0xa4}, 9); /* nop; nop; rep movsb */
}

/* ---- the same code at several addresses */

#define ALIASES 5u

static uint32_t alias(uint32_t number)
{
    return 0x00200000 + number * 0x00040000;
}

/* Calls the function at BENCH_DATA `times` in all, at one of its addresses after the other. On its own page
 * it calls another one on the next, which finds out where it was called from; EBX is the sum. */
static void call_aliases(struct cpu_bench *bench, uint32_t times)
{
    const uint32_t table = BENCH_DATA + 0x2000;
    cpu_bench_enable_paging(bench);
    for (uint32_t i = 0; i < ALIASES; i++) {
        cpu_bench_map(bench, alias(i), BENCH_DATA, PAGE_ALL);
        cpu_bench_map(bench, alias(i) + 0x1000, BENCH_DATA + 0x1000, PAGE_ALL);
        cpu_bench_write(bench, table + 4 * i, 4, alias(i));
    }
    /* call +0ffbh; add ebx, eax; jc 0; ret; and on the next page: mov eax, [esp]; ret */
    cpu_bench_load(bench, BENCH_DATA,
                   BENCH_BYTES(0xe8, 0xfb, 0x0f, 0x00, 0x00, 0x01, 0xc3, 0x72, 0x00, 0xc3));
    cpu_bench_load(bench, BENCH_DATA + 0x1000, BENCH_BYTES(0x8b, 0x04, 0x24, 0xc3));
    /* jmp 0; again: call [edx*4 + table]; inc edx; cmp edx, ALIASES; sbb eax, eax; and edx, eax; dec ecx;
     * jnz again; hlt */
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xeb, 0x00, 0xff, 0x14, 0x95, table & 0xff, table >> 8 & 0xff, table >> 16,
                               0x00, 0x42, 0x83, 0xfa, ALIASES, 0x19, 0xc0, 0x21, 0xc2, 0x49, 0x75, 0xee,
                               0xf4));
    bench->cpu.gpr[CPU_BX].d = bench->cpu.gpr[CPU_DX].d = 0;
    bench->cpu.gpr[CPU_CX].d = times;
    assert_int_equal(cpu_bench_run(bench, 100000), STOP_HALTED);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < times; i++) {
        sum += alias(i % ALIASES) + 5;
    }
    assert_int_equal(bench->cpu.gpr[CPU_BX].d, sum);
}

static void code_at_many_addresses_is_translated_a_few_times_and_then_moved(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_bench(0);
    call_aliases(bench, 1000);
    uint64_t translated = count(bench, COUNTER_BLOCKS_TRANSLATED);
    uint64_t moved = count(bench, COUNTER_BLOCKS_MOVED);
    assert_true(moved > 1000);
    assert_true(translated < 3 * 6 + 10);
    cpu_bench_destroy(bench);
}

/* Each address of the page jumps to the next one, and the last to the first by way of another page. */
static void a_jump_to_the_same_page_at_another_address_leads_there_however_it_was_moved(void **state)
{
    (void)state;
    const uint32_t times = 1000;
    struct cpu_bench *bench = create_bench(0);
    cpu_bench_enable_paging(bench);
    for (uint32_t i = 0; i <= ALIASES; i++) {
        cpu_bench_map(bench, alias(i), i < ALIASES ? BENCH_DATA : BENCH_DATA + 0x1000, PAGE_ALL);
    }
    /* dec ecx; jz out; call next; next: pop eax; add ebx, eax; jmp to the next alias; out: hlt */
    cpu_bench_load(bench, BENCH_DATA,
                   BENCH_BYTES(0x49, 0x74, 0x0d, 0xe8, 0, 0, 0, 0, 0x58, 0x01, 0xc3, 0xe9, 0, 0, 0, 0, 0xf4));
    cpu_bench_write(bench, BENCH_DATA + 12, 4, alias(1) - alias(0) - 16);
    cpu_bench_load(bench, BENCH_DATA + 0x1000, BENCH_BYTES(0xe9));
    cpu_bench_write(bench, BENCH_DATA + 0x1001, 4, alias(0) - alias(ALIASES) - 5);
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xe9));
    cpu_bench_write(bench, BENCH_CODE + 1, 4, alias(0) - BENCH_CODE - 5);
    bench->cpu.gpr[CPU_BX].d = 0;
    bench->cpu.gpr[CPU_CX].d = times;
    assert_int_equal(cpu_bench_run(bench, 100000), STOP_HALTED);
    uint32_t sum = 0;
    for (uint32_t i = 0; i < times - 1; i++) {
        sum += alias(i % ALIASES) + 8;
    }
    assert_int_equal(bench->cpu.gpr[CPU_BX].d, sum);
    assert_true(count(bench, COUNTER_BLOCKS_MOVED) > times / ALIASES);
    cpu_bench_destroy(bench);
}

/* ---- places that a debugger asks about */

struct visits {
    const struct cpu_state *cpu;
    uint32_t place;
    unsigned count;
};

static bool note_visit(void *opaque)
{
    struct visits *visits = opaque;
    visits->count += visits->cpu->segment[CPU_CS].base + visits->cpu->rip == visits->place;
    return false;
}

static void ask_at(struct cpu_bench *bench, struct cpu_probe *probe, struct visits *visits, uint32_t linear)
{
    *visits = (struct visits){.cpu = &bench->cpu, .place = linear};
    *probe = (struct cpu_probe){.at_code = note_visit, .opaque = visits};
    cpu_probe_add_place(probe, linear);
    bench->cpu.probe = probe;
}

static void a_place_in_code_that_is_moved_to_it_is_asked_about(void **state)
{
    (void)state;
    for (uint32_t i = 0; i < ALIASES; i++) {
        struct cpu_bench *bench = create_bench(0);
        struct cpu_probe probe;
        struct visits visits;
        ask_at(bench, &probe, &visits, alias(i) + 7); /* the jc, which follows an instruction of its block */
        call_aliases(bench, 1000);
        assert_int_equal(visits.count, 1000 / ALIASES);
        assert_true(count(bench, COUNTER_BLOCKS_MOVED) > 500);
        cpu_bench_destroy(bench);
    }
}

/* Blocks translated of a loop of four instructions, in real mode or flat, when a debugger asks
 * about a place. */
static uint64_t translated_with_place(bool real, uint32_t place)
{
    struct cpu_bench *bench = create_bench(0);
    struct cpu_probe probe;
    struct visits visits;
    if (real) {
        cpu_bench_enter_real(bench);
    }
    ask_at(bench, &probe, &visits, place);
    /* jmp 0; again: inc bx; inc dx; dec cx; jnz again; hlt */
    cpu_bench_load(bench, BENCH_CODE, BENCH_BYTES(0xeb, 0x00, 0x43, 0x42, 0x49, 0x75, 0xfb, 0xf4));
    bench->cpu.gpr[CPU_CX].d = 100;
    assert_int_equal(cpu_bench_run(bench, 10000), STOP_HALTED);
    assert_int_equal(visits.count, place == BENCH_CODE + 3 ? 100 : 0);
    uint64_t translated = count(bench, COUNTER_BLOCKS_TRANSLATED);
    cpu_bench_destroy(bench);
    return translated;
}

static void a_place_on_another_page_leaves_code_whole(void **state)
{
    (void)state;
    for (unsigned real = 0; real < 2; real++) {
        const uint64_t whole = translated_with_place(real, BENCH_CODE + 0x40);
        assert_true(translated_with_place(real, BENCH_CODE + 3) > whole);
        assert_int_equal(translated_with_place(real, BENCH_CODE + 0x5003), whole);
    }
}

/* ---- code whose bytes come back */

/* Calls `add eax, 1; ret` at FUNCTION, whose 1 becomes a 2 before the first call, a 1 before the second, … */
static void call_patched(struct cpu_bench *bench, uint32_t times)
{
    cpu_bench_load(bench, FUNCTION, BENCH_BYTES(0x05, 0x01, 0x00, 0x00, 0x00, 0xc3));
    /* jmp 0; again: xor byte [esi + 1], 3; call esi; dec ecx; jnz again; hlt */
    cpu_bench_load(bench, BENCH_CODE,
                   BENCH_BYTES(0xeb, 0x00, 0x80, 0x76, 0x01, 0x03, 0xff, 0xd6, 0x49, 0x75, 0xf7, 0xf4));
    cpu_bench_enter_flat(bench, 4, 0);
    bench->cpu.gpr[CPU_SI].d = FUNCTION;
    bench->cpu.gpr[CPU_AX].d = 0;
    bench->cpu.gpr[CPU_CX].d = times;
    assert_int_equal(cpu_bench_run(bench, 10000), STOP_HALTED);
    assert_int_equal(bench->cpu.gpr[CPU_AX].d, times / 2 * 3);
}

static void code_whose_bytes_come_back_is_revived(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_bench(0);
    call_patched(bench, 1000);
    assert_in_range(count(bench, COUNTER_BLOCKS_REVIVED), 900, 1000);
    assert_in_range(count(bench, COUNTER_BLOCKS_TRANSLATED), 3, 20);
    cpu_bench_destroy(bench);
}

static void code_whose_bytes_come_back_is_not_revived_when_a_probe_has_changed_meanwhile(void **state)
{
    (void)state;
    struct cpu_bench *bench = create_bench(16);
    call_patched(bench, 100);
    static const uint8_t other[12] = {0};
    uint64_t revived = count(bench, COUNTER_BLOCKS_REVIVED);
    cpu_bench_load(bench, FUNCTION, other, sizeof other);
    cpu_bench_load(bench, BENCH_CODE, other, sizeof other);
    bench->engine->ops->cut(bench->engine, 0x123); /* where there is no code */
    call_patched(bench, 10);
    assert_int_equal(count(bench, COUNTER_BLOCKS_REVIVED), revived);
    cpu_bench_destroy(bench);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cold_code_is_left_to_the_interpreter_as_often_as_tb_warm_says),
        cmocka_unit_test(nothing_is_left_to_the_interpreter_with_a_tb_warm_of_0),
        cmocka_unit_test(a_loop_ends_where_its_condition_says),
        cmocka_unit_test(a_loop_ends_in_its_middle),
        cmocka_unit_test(a_loop_ends_as_its_counter_and_the_zero_flag_say),
        cmocka_unit_test(data_that_shares_a_slot_of_the_tlb_with_code_does_not_keep_it_from_being_translated),
        cmocka_unit_test(code_that_is_overwritten_byte_by_byte_is_dropped_by_the_first),
        cmocka_unit_test(stores_beside_code_drop_nothing_and_are_not_the_interpreters),
        cmocka_unit_test(a_store_that_reaches_one_byte_of_code_drops_it),
        cmocka_unit_test(a_store_beside_code_is_soon_made_with_a_check),
        cmocka_unit_test(a_store_beside_code_is_soon_made_with_a_check_in_real_mode),
        cmocka_unit_test(code_that_is_not_executed_gives_way_to_stores),
        cmocka_unit_test(a_handler_is_not_taken_for_the_next_instruction),
        cmocka_unit_test(code_that_the_walk_of_page_tables_changes_is_executed_as_changed),
        cmocka_unit_test(code_at_many_addresses_is_translated_a_few_times_and_then_moved),
        cmocka_unit_test(a_jump_to_the_same_page_at_another_address_leads_there_however_it_was_moved),
        cmocka_unit_test(a_place_in_code_that_is_moved_to_it_is_asked_about),
        cmocka_unit_test(a_place_on_another_page_leaves_code_whole),
        cmocka_unit_test(code_whose_bytes_come_back_is_revived),
        cmocka_unit_test(code_whose_bytes_come_back_is_not_revived_when_a_probe_has_changed_meanwhile),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

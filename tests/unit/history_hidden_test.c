/* A machine that goes back in time gets back what nothing shows until later: lines that are connected to
 * nothing at the moment, and no translation of what its page tables were to become.
 *
 * The guest is code put into memory, in protected mode, without interrupts. argv[2] and argv[3] name the
 * engine and how it translates addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "bus/port_bus.h"
#include "cpu/cpu.h"
#include "history_rig.h"

#define CODE      0x1000u
#define RESULTS   0x3000u
#define DIRECTORY 0x10000u
#define TABLE     0x11000u
#define FIRST     0x20000u /* the pages that LINEAR leads to */
#define SECOND    0x21000u
#define LINEAR    0x200000u
#define HPET      0xfed00000u

#define FLAT                                                                                                 \
    (SEGMENT_PRESENT | SEGMENT_S | SEGMENT_WRITABLE | SEGMENT_ACCESSED | SEGMENT_BIG | SEGMENT_GRANULARITY)

static void store(struct history_rig *rig, uint32_t address, uint32_t value)
{
    memory_bus_write(machine_memory(rig->machine), address, 4, value);
}

static uint32_t result(struct history_rig *rig, unsigned n)
{
    return (uint32_t)memory_bus_read(machine_memory(rig->machine), RESULTS + 4 * n, 4);
}

static void out(struct history_rig *rig, uint16_t port, uint8_t value)
{
    port_bus_write(machine_ports(rig->machine), port, 1, value);
}

/* A machine whose next instruction is the first of `code`: flat segments, no interrupts. */
static void power_on(struct history_rig *rig, const uint8_t *code, size_t length)
{
    history_rig_power_on(rig);
    struct cpu_state *cpu = machine_cpu(rig->machine);
    cpu->cr0 |= CR0_PE;
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        struct segment *segment = &cpu->segment[i];
        *segment = (struct segment){.selector = 8,
                                    .attributes = (uint16_t)(FLAT | (i == CPU_CS ? SEGMENT_CODE : 0u)),
                                    .limit = UINT32_MAX};
        segment_update_bounds(segment);
    }
    cpu_update_mode(cpu);
    cpu->rip = CODE;
    memory_bus_write_block(machine_memory(rig->machine), CODE, code, length);
}

static void step_to(struct history_rig *rig, uint64_t retired)
{
    machine_set_step_limit(rig->machine, retired);
    while (machine_run(rig->machine, HISTORY_RIG_SLICE_NS) != MACHINE_BREAK) {
    }
    machine_set_step_limit(rig->machine, 0);
    assert_int_equal(machine_retired(rig->machine), retired);
}

/* Executes the code up to `later`, goes back to its beginning, and executes so many `instructions` again. */
static void live_and_begin_again(struct history_rig *rig, uint64_t instructions, uint64_t later)
{
    history_rig_start(rig, HISTORY_RIG_BUDGET);
    const uint64_t begin = machine_retired(rig->machine);
    step_to(rig, begin + instructions);
    const struct history_mark mark = history_rig_mark(rig);
    step_to(rig, begin + later);
    const struct machine_place first = machine_history_first(rig->machine);
    struct status status = machine_history_restore(rig->machine, &first);
    assert_string_equal(status.message, "");
    assert_int_equal(machine_retired(rig->machine), begin);
    step_to(rig, begin + instructions);
    history_rig_check(rig, &mark);
}

enum { LATER = 1000000 }; /* instructions of 8 ns: the 8254's count is over */

/* The HPET has IRQ0, and the 8254's output is low for 0.86 ms. Port 20h has the 8259's requests. */
static void start_timers(struct history_rig *rig)
{
    out(rig, 0x20, 0x11); /* ICW1: nothing is requested */
    out(rig, 0x21, 0x08);
    out(rig, 0x21, 0x04);
    out(rig, 0x21, 0x01);
    out(rig, 0x20, 0x0A); /* OCW3 */
    out(rig, 0x43, 0x30); /* counter 0, mode 0 */
    out(rig, 0x40, 0);
    out(rig, 0x40, 4); /* 400h */
    store(rig, HPET + 0x10, 2);
}

/* Runs `code` beside the timers, back and on again: the 8254's output is low. */
static void check_output(struct history_rig *rig, const uint8_t *code, size_t length, uint64_t back_at)
{
    power_on(rig, code, length);
    start_timers(rig);
    live_and_begin_again(rig, back_at, LATER);
    assert_int_equal(result(rig, 0) & 1, 0);
}

/* The 8254's output rises when it has IRQ0; it was low before it got that. */
static void lines_that_lead_nowhere_at_the_moment_go_back(void **state)
{
    static const uint8_t code[] = {
        0xC7, 0x05, 0x10, 0x00, 0xD0, 0xFE, 0, 0, 0, 0, /* mov dword [HPET + 10h], 0: the 8254 has IRQ0 */
        0xE4, 0x20,                                     /* in al, 20h */
        0xA2, 0x00, 0x30, 0x00, 0x00,                   /* mov [RESULTS], al */
        0xEB, 0xFE,                                     /* jmp $ */
    };
    check_output(*state, code, sizeof code, 3);
}

/* The 8254's output rises before it gets IRQ0. */
static void what_the_board_had_connected_goes_back(void **state)
{
    static const uint8_t code[] = {
        0xB9, 0x40, 0x0D, 0x03, 0x00,                   /* mov ecx, 200000 */
        0xE2, 0xFE,                                     /* loop $ */
        0xE4, 0x20,                                     /* in al, 20h */
        0xA2, 0x00, 0x30, 0x00, 0x00,                   /* mov [RESULTS], al */
        0xC7, 0x05, 0x10, 0x00, 0xD0, 0xFE, 0, 0, 0, 0, /* mov dword [HPET + 10h], 0 */
        0xEB, 0xFE,                                     /* jmp $ */
    };
    check_output(*state, code, sizeof code, 200003);
}

/* Also not if it is a global one. */
static void translations_that_are_made_later_go(void **state)
{
    static const uint8_t code[] = {
        0xA1, 0x00, 0x00, 0x20, 0x00,                         /* mov eax, [LINEAR] */
        0xA3, 0x00, 0x30, 0x00, 0x00,                         /* mov [RESULTS], eax */
        0xC7, 0x05, 0x00, 0x18, 0x01, 0x00, 0x03, 0x11, 2, 0, /* mov dword [TABLE + 800h], SECOND + global */
        0x0F, 0x01, 0x3D, 0x00, 0x00, 0x20, 0x00,             /* invlpg [LINEAR] */
        0xA1, 0x00, 0x00, 0x20, 0x00,                         /* mov eax, [LINEAR] */
        0xA3, 0x04, 0x30, 0x00, 0x00,                         /* mov [RESULTS + 4], eax */
        0xEB, 0xFE,                                           /* jmp $ */
    };
    struct history_rig *rig = *state;
    power_on(rig, code, sizeof code);
    store(rig, DIRECTORY, TABLE | 3);
    for (uint32_t page = 0; page < 1024; page++) {
        store(rig, TABLE + 4 * page, page << 12 | 3);
    }
    store(rig, TABLE + (LINEAR >> 12) * 4, FIRST | 0x103);
    store(rig, FIRST, 0x11111111);
    store(rig, SECOND, 0x22222222);
    struct cpu_state *cpu = machine_cpu(rig->machine);
    cpu_write_control(cpu, 4, CR4_PGE);
    cpu_write_control(cpu, 3, DIRECTORY);
    cpu_write_control(cpu, 0, cpu->cr0 | CR0_PG);
    live_and_begin_again(rig, 2, 1000);
    assert_int_equal(result(rig, 0), 0x11111111);
    step_to(rig, machine_retired(rig->machine) + 4);
    assert_int_equal(result(rig, 1), 0x22222222);
}

int main(int argc, char **argv)
{
    struct history_rig rig;
    if (!history_rig_parse(&rig, argc, argv)) {
        return 1;
    }
    rig.floppy = NULL;
#define RIG_TEST(name)                                                                                       \
    cmocka_unit_test_prestate_setup_teardown(name, history_rig_set_up, history_rig_tear_down, &rig)
    const struct CMUnitTest tests[] = {
        RIG_TEST(lines_that_lead_nowhere_at_the_moment_go_back),
        RIG_TEST(what_the_board_had_connected_goes_back),
        RIG_TEST(translations_that_are_made_later_go),
    };
#undef RIG_TEST
    return cmocka_run_group_tests_name("history_hidden", tests, NULL, NULL);
}

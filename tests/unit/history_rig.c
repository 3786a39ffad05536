/* See history_rig.h. */
#include "history_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "base/crc32.h"
#include "machine/machine_probe.h"

bool history_rig_parse(struct history_rig *rig, int argc, char **argv)
{
    unsigned engine = ENGINE_INTERP, mmu = MMU_SOFTTLB;
    if ((argc > 2 && !engine_choice_find(ENGINE_AXIS_ENGINE, argv[2], &engine)) ||
        (argc > 3 && !engine_choice_find(ENGINE_AXIS_MMU, argv[3], &mmu))) {
        fprintf(stderr, "there is no such engine\n");
        return false;
    }
    *rig = (struct history_rig){
        .floppy = argc > 1 ? argv[1] : NULL,
        .engine = {.kind = (enum engine_kind)engine, .mmu = (enum mmu_strategy)mmu, .tb_size_mib = 1}};
    return true;
}

int history_rig_set_up(void **state)
{
    struct history_rig *rig = *state;
    rig->serial = char_device_create_memory();
    rig->machine = NULL;
    return rig->serial == NULL;
}

int history_rig_tear_down(void **state)
{
    struct history_rig *rig = *state;
    machine_destroy(rig->machine);
    char_device_close(rig->serial);
    return 0;
}

void history_rig_power_on(struct history_rig *rig)
{
    const struct machine_config config = {.ram_size = 4 * MIB,
                                          .engine = rig->engine,
                                          .floppy[0] = {.path = rig->floppy},
                                          .ide[0] = {.path = rig->hard_disk, .raw = true},
                                          .ide[2] = {.cdrom = true},
                                          .snapshot = !rig->writes_files,
                                          .counted = true,
                                          .ns_per_instruction = 8,
                                          .serial[0] = rig->serial,
                                          .rtc_epoch = 946684800};
    struct status status = machine_create(&config, &rig->machine);
    assert_string_equal(status.message, "");
    rig->mark_count = 0;
    rig->random = 1;
}

void history_rig_start(struct history_rig *rig, uint64_t bytes)
{
    struct status status = machine_start_history(rig->machine, bytes);
    assert_string_equal(status.message, "");
}

uint32_t history_rig_random(struct history_rig *rig, uint32_t limit)
{
    rig->random = rig->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(rig->random >> 33) % limit;
}

static uint32_t crc_of_file(const char *path)
{
    uint8_t bytes[4096];
    size_t length;
    uint32_t crc = 0;
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    while ((length = fread(bytes, 1, sizeof bytes, file)) > 0) {
        crc = crc32_append(crc, bytes, length);
    }
    fclose(file);
    return crc;
}

struct history_mark history_rig_mark(struct history_rig *rig)
{
    struct history_mark mark = {.place = machine_place(rig->machine), .sums = machine_checksum(rig->machine)};
    if (rig->writes_files) {
        mark.disks = crc_of_file(rig->floppy) ^ crc_of_file(rig->hard_disk);
    }
    return mark;
}

void history_rig_check(struct history_rig *rig, const struct history_mark *mark)
{
    const struct history_mark here = history_rig_mark(rig);
    assert_int_equal(here.place.retired, mark->place.retired);
    assert_int_equal(here.place.taken, mark->place.taken);
    assert_int_equal(here.place.time, mark->place.time);
    assert_int_equal(here.sums.ram, mark->sums.ram);
    assert_int_equal(here.sums.rest, mark->sums.rest);
    assert_int_equal(here.disks, mark->disks);
}

void history_rig_seek(struct history_rig *rig, const struct history_mark *mark)
{
    struct status status = machine_history_seek(rig->machine, &mark->place);
    assert_string_equal(status.message, "");
    history_rig_check(rig, mark);
}

/* Something of everything, now and then. */
static void disturb(struct history_rig *rig, unsigned step)
{
    static const enum key keys[] = {KEY_H, KEY_E, KEY_L, KEY_P, KEY_ENTER};
    const struct input_sink *input = machine_input(rig->machine);
    if (step % 3 == 0) {
        input->key(input->opaque, keys[step / 6 % ARRAY_COUNT(keys)], step % 6 == 0);
    }
    if (step % 7 == 0) {
        input->mouse(input->opaque, (int)step - 40, 3, 0, 1 + (step & 1));
        assert_true(char_device_memory_inject(rig->serial, (const uint8_t *)"serial input", 12));
    }
    char_device_poll(rig->serial);
    switch (step) {
    case 30: machine_press_power_button(rig->machine); break;
    case 75: machine_reset(rig->machine); break;
    default: break;
    }
}

static void stop_at_interrupt(void *opaque, const struct cpu_event_info *info)
{
    (void)info;
    machine_request_break(opaque);
}

/* In front of the first instruction of the next interrupt's handler. */
static void run_to_interrupt(struct history_rig *rig)
{
    struct machine_probe *probe = calloc(1, sizeof *probe);
    assert_non_null(probe);
    probe->cpu.events = 1u << CPU_EVENT_INTERRUPT;
    probe->cpu.at_event = stop_at_interrupt;
    probe->cpu.opaque = rig->machine;
    machine_set_probe(rig->machine, probe);
    for (unsigned i = 0; i < 100 && machine_run(rig->machine, HISTORY_RIG_SLICE_NS) != MACHINE_BREAK; i++) {
    }
    machine_set_probe(rig->machine, NULL);
    free(probe);
}

/* The end of a step within the next instructions. */
static void run_a_step(struct history_rig *rig)
{
    machine_set_step_limit(rig->machine, machine_retired(rig->machine) + 1 + history_rig_random(rig, 70000));
    for (unsigned i = 0; i < 1000 && machine_run(rig->machine, HISTORY_RIG_SLICE_NS) != MACHINE_BREAK; i++) {
    }
    machine_set_step_limit(rig->machine, 0);
}

void history_rig_live(struct history_rig *rig, unsigned steps)
{
    for (unsigned step = 0; step < steps; step++) {
        disturb(rig, step);
        (void)machine_run(rig->machine, HISTORY_RIG_SLICE_NS);
        switch (step % 9) {
        case 0: run_to_interrupt(rig); break;
        case 3: run_a_step(rig); break;
        default: break;
        }
        if (step % 3 == 0) {
            assert_true(rig->mark_count < HISTORY_RIG_MARKS);
            rig->marks[rig->mark_count++] = history_rig_mark(rig);
        }
    }
}

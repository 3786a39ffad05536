/* What is outside a machine that goes back in time: disks and their files go back with it, what it has sent
 * is not sent twice, what comes in is ignored until it is where it was, recordings and replays are what they
 * would have been.
 *
 * The guest is a boot sector that does nothing but disturb: it writes to both disks, changes its own code,
 * switches A20 and a part of PAM, sends bytes and halts. argv[2] and argv[3] name the engine and how it
 * translates addresses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/bits.h"
#include "bus/event_clock.h"
#include "history_rig.h"

#define FLOPPY_BYTES (1440 * KIB)
#define DISK_BYTES   (1 * MIB)
#define STEPS        (3 * HISTORY_RIG_MARKS)
/* SeaBIOS looks for disks before it boots. */
#define BOOT_NS (3000 * NS_PER_MILLISECOND)

static const uint8_t boot_sector[] = {
    0x31, 0xC0,                         /* xor ax, ax */
    0x8E, 0xD8,                         /* mov ds, ax */
    0x8E, 0xD0,                         /* mov ss, ax */
    0xBC, 0x00, 0x7C,                   /* mov sp, 7C00h */
    0xB0, 0xD1,                         /* mov al, 0D1h: the keyboard controller's */
    0xE6, 0x64,                         /* out 64h, al */
    0xB0, 0xDD,                         /* mov al, 0DDh: A20 is left to port 92h */
    0xE6, 0x60,                         /* out 60h, al */
    0xFB,                               /* sti */
    0xB0, 0x00,                         /* again: mov al, 0: a number that changes */
    0xA2, 0x10, 0x7E,                   /* mov [7E10h], al */
    0xB8, 0xFF, 0xFF,                   /* mov ax, 0FFFFh */
    0x8E, 0xC0,                         /* mov es, ax */
    0x26, 0xFF, 0x06, 0x30, 0x7E,       /* inc word es:[7E30h]: at 7E20h without A20 */
    0x31, 0xC0,                         /* xor ax, ax */
    0x8E, 0xC0,                         /* mov es, ax */
    0xFF, 0x06, 0x00, 0x7E,             /* inc word [7E00h] */
    0xB8, 0x04, 0x03,                   /* mov ax, 0304h: write 4 sectors */
    0xBB, 0x00, 0x7E,                   /* mov bx, 7E00h */
    0xB9, 0x02, 0x00,                   /* mov cx, 2 */
    0xBA, 0x80, 0x00,                   /* mov dx, 80h: the hard disk */
    0xCD, 0x13,                         /* int 13h */
    0xB8, 0x01, 0x03,                   /* mov ax, 0301h */
    0xB9, 0x03, 0x00,                   /* mov cx, 3 */
    0xBA, 0x00, 0x00,                   /* mov dx, 0: drive A */
    0xCD, 0x13,                         /* int 13h */
    0xFE, 0x06, 0x13, 0x7C,             /* inc byte [again + 1] */
    0xE4, 0x92,                         /* in al, 92h */
    0x34, 0x02,                         /* xor al, 2 */
    0xE6, 0x92,                         /* out 92h, al: A20 */
    0x66, 0xB8, 0x5C, 0x00, 0x00, 0x80, /* mov eax, 8000005Ch */
    0xBA, 0xF8, 0x0C,                   /* mov dx, 0CF8h */
    0x66, 0xEF,                         /* out dx, eax */
    0xBA, 0xFC, 0x0C,                   /* mov dx, 0CFCh */
    0xEC,                               /* in al, dx */
    0x34, 0x03,                         /* xor al, 3 */
    0xEE,                               /* out dx, al: D0000h-D3FFFh */
    0x68, 0x00, 0xD0,                   /* push 0D000h */
    0x07,                               /* pop es */
    0x26, 0xFF, 0x06, 0x00, 0x00,       /* inc word es:[0] */
    0xBA, 0xF8, 0x03,                   /* mov dx, 3F8h */
    0xA0, 0x00, 0x7E,                   /* mov al, [7E00h] */
    0xEE,                               /* out dx, al */
    0xF4,                               /* hlt */
    0xEB, 0xA1,                         /* jmp again */
};

struct images {
    struct history_rig rig;
    char floppy[40], hard_disk[40], recording[40];
};

static void make_file(char path[40], const char *name, size_t size, const void *begin, size_t length)
{
    snprintf(path, 40, "/tmp/doppel-%s-XXXXXX", name);
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    uint8_t *bytes = calloc(1, size > 0 ? size : 1);
    assert_non_null(bytes);
    if (length > 0) {
        memcpy(bytes, begin, length);
        bytes[510] = 0x55;
        bytes[511] = 0xAA;
    }
    assert_int_equal(write(descriptor, bytes, size), size);
    free(bytes);
    close(descriptor);
}

static int set_up(void **state)
{
    struct images *images = *state;
    make_file(images->floppy, "floppy", FLOPPY_BYTES, boot_sector, sizeof boot_sector);
    make_file(images->hard_disk, "disk", DISK_BYTES, NULL, 0);
    make_file(images->recording, "recording", 0, NULL, 0);
    images->rig.floppy = images->floppy;
    images->rig.hard_disk = images->hard_disk;
    images->rig.writes_files = true;
    return history_rig_set_up(state);
}

static int tear_down(void **state)
{
    struct images *images = *state;
    history_rig_tear_down(state);
    unlink(images->floppy);
    unlink(images->hard_disk);
    unlink(images->recording);
    return 0;
}

/* The boot sector runs. */
static void boot(struct history_rig *rig)
{
    history_rig_power_on(rig);
    for (unsigned i = 0; i < 1000 && machine_now(rig->machine) < BOOT_NS; i++) {
        (void)machine_run(rig->machine, BOOT_NS / 100);
    }
    assert_int_not_equal(memory_bus_read(machine_memory(rig->machine), 0x7E00, 2), 0);
}

static size_t sent(const struct history_rig *rig)
{
    size_t length;
    (void)char_device_memory_written(rig->serial, &length);
    return length;
}

static void disks_and_their_files_go_back(void **state)
{
    struct history_rig *rig = *state;
    boot(rig);
    history_rig_start(rig, HISTORY_RIG_BUDGET);
    history_rig_live(rig, 60);
    const struct history_mark end = history_rig_mark(rig);
    assert_int_not_equal(rig->marks[0].disks, end.disks);
    for (unsigned i = 0; i < 30; i++) {
        history_rig_seek(rig, &rig->marks[history_rig_random(rig, rig->mark_count)]);
    }
    history_rig_seek(rig, &end);
}

static void nothing_is_sent_twice(void **state)
{
    struct history_rig *rig = *state;
    boot(rig);
    const size_t before = sent(rig);
    history_rig_start(rig, HISTORY_RIG_BUDGET);
    history_rig_live(rig, 60);
    const struct history_mark end = history_rig_mark(rig);
    const size_t length = sent(rig);
    assert_true(length > before);
    history_rig_seek(rig, &rig->marks[3]);
    assert_int_equal(sent(rig), length);
    history_rig_seek(rig, &end);
    assert_int_equal(sent(rig), length);
    (void)machine_run(rig->machine, 300 * NS_PER_MILLISECOND);
    assert_true(sent(rig) > length);
    size_t all;
    const uint8_t *bytes = char_device_memory_written(rig->serial, &all);
    uint8_t kept[4096];
    uint64_t from = 0;
    assert_int_equal(machine_serial_output(rig->machine, 0, &from, kept, sizeof kept), all);
    assert_memory_equal(bytes, kept, all);
}

static void input_is_ignored_until_the_machine_is_where_it_was(void **state)
{
    struct history_rig *rig = *state;
    boot(rig);
    history_rig_start(rig, HISTORY_RIG_BUDGET);
    history_rig_live(rig, 60);
    const struct history_mark end = history_rig_mark(rig);
    const struct input_sink *input = machine_input(rig->machine);
    history_rig_seek(rig, &rig->marks[3]);
    input->key(input->opaque, KEY_Z, true);
    input->mouse(input->opaque, 1, 2, 3, 0);
    machine_reset(rig->machine);
    assert_true(char_device_memory_inject(rig->serial, (const uint8_t *)"later", 5));
    char_device_poll(rig->serial);
    history_rig_seek(rig, &rig->marks[8]);
    history_rig_seek(rig, &end);
    input->key(input->opaque, KEY_Z, true);
    (void)machine_run(rig->machine, HISTORY_RIG_SLICE_NS);
    const struct history_mark later = history_rig_mark(rig);
    history_rig_seek(rig, &end);
    history_rig_seek(rig, &later);
}

static void changed_media_begin_a_new_history(void **state)
{
    struct history_rig *rig = *state;
    boot(rig);
    history_rig_start(rig, HISTORY_RIG_BUDGET);
    history_rig_live(rig, 60);
    const struct machine_place before = machine_place(rig->machine);
    machine_eject_floppy(rig->machine, 0);
    struct machine_place first = machine_history_first(rig->machine);
    assert_int_equal(machine_place_compare(&first, &before), 0);
    (void)machine_run(rig->machine, HISTORY_RIG_SLICE_NS);
    struct status status = machine_change_floppy(rig->machine, 0, rig->floppy, false);
    assert_string_equal(status.message, "");
    const struct history_mark changed = history_rig_mark(rig);
    (void)machine_run(rig->machine, 50 * HISTORY_RIG_SLICE_NS);
    history_rig_seek(rig, &changed);
    status = machine_history_seek(rig->machine, &before);
    assert_int_equal(status.code, STATUS_NOT_FOUND);
}

static void old_contents_of_disks_take_no_more_memory_than_allowed(void **state)
{
    struct history_rig *rig = *state;
    boot(rig);
    history_rig_start(rig, 2 * MIB);
    const struct machine_place begin = machine_place(rig->machine);
    for (unsigned i = 0; i < 40000; i++) {
        (void)machine_run(rig->machine, 20 * HISTORY_RIG_SLICE_NS);
        const struct machine_place first = machine_history_first(rig->machine);
        if (machine_place_compare(&first, &begin) > 0) {
            break;
        }
    }
    const struct machine_place first = machine_history_first(rig->machine);
    assert_true(machine_place_compare(&first, &begin) > 0);
    struct machine_history_info info = machine_history_info(rig->machine);
    assert_true(info.disk_bytes <= info.bytes_allowed);
    const struct history_mark end = history_rig_mark(rig);
    struct status status = machine_history_seek(rig->machine, &first);
    assert_string_equal(status.message, "");
    history_rig_seek(rig, &end);
}

/* A machine that is being recorded has lived for a while, and is in its past. */
static void record_and_go_back(struct images *images)
{
    struct history_rig *rig = &images->rig;
    rig->writes_files = false;
    history_rig_power_on(rig);
    struct status status = machine_start_recording(rig->machine, images->recording);
    assert_string_equal(status.message, "");
    history_rig_start(rig, HISTORY_RIG_BUDGET);
    history_rig_live(rig, 60);
    history_rig_seek(rig, &rig->marks[3]);
}

static void a_recording_does_not_know_of_it(void **state)
{
    struct images *images = *state;
    struct history_rig *rig = &images->rig;
    record_and_go_back(images);
    history_rig_seek(rig, &rig->marks[18]);
    (void)machine_run(rig->machine, 50 * HISTORY_RIG_SLICE_NS);
    rig->mark_count = 0;
    history_rig_live(rig, 30);
    history_rig_seek(rig, &rig->marks[4]);
    struct status status = machine_finish_recording(rig->machine);
    assert_string_equal(status.message, "");
    machine_destroy(rig->machine);

    struct input_log *log;
    status = input_log_open(images->recording, &log);
    assert_string_equal(status.message, "");
    history_rig_power_on(rig);
    status = machine_start_replay(rig->machine, log);
    assert_string_equal(status.message, "");
    history_rig_start(rig, HISTORY_RIG_BUDGET);
    (void)machine_run(rig->machine, 30 * HISTORY_RIG_SLICE_NS);
    const struct history_mark early = history_rig_mark(rig);
    for (unsigned i = 0; machine_replay_state(rig->machine) == MACHINE_REPLAY_RUNNING; i++) {
        (void)machine_run(rig->machine, 3 * HISTORY_RIG_SLICE_NS);
        if (i == 5 || i == 17) {
            history_rig_seek(rig, &early);
        }
    }
    status = machine_replay_failure(rig->machine);
    assert_string_equal(status.message, "");
    assert_int_equal(machine_replay_state(rig->machine), MACHINE_REPLAY_ENDED);
    const struct history_mark end = history_rig_mark(rig);
    history_rig_seek(rig, &early);
    history_rig_seek(rig, &end);
}

static void a_recording_of_a_changed_past_is_an_error(void **state)
{
    struct images *images = *state;
    struct history_rig *rig = &images->rig;
    record_and_go_back(images);
    machine_history_forget(rig->machine);
    (void)machine_run(rig->machine, HISTORY_RIG_SLICE_NS);
    struct status status = machine_finish_recording(rig->machine);
    assert_int_equal(status.code, STATUS_CONFLICT);
}

int main(int argc, char **argv)
{
    struct images images;
    if (!history_rig_parse(&images.rig, argc, argv)) {
        return 1;
    }
#define IMAGES_TEST(name) cmocka_unit_test_prestate_setup_teardown(name, set_up, tear_down, &images)
    const struct CMUnitTest tests[] = {
        IMAGES_TEST(disks_and_their_files_go_back),
        IMAGES_TEST(nothing_is_sent_twice),
        IMAGES_TEST(input_is_ignored_until_the_machine_is_where_it_was),
        IMAGES_TEST(changed_media_begin_a_new_history),
        IMAGES_TEST(old_contents_of_disks_take_no_more_memory_than_allowed),
        IMAGES_TEST(a_recording_does_not_know_of_it),
        IMAGES_TEST(a_recording_of_a_changed_past_is_an_error),
    };
#undef IMAGES_TEST
    return cmocka_run_group_tests_name("history_outside", tests, NULL, NULL);
}

/* Disks go back to what they contained, and forth again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "storage/block_device.h"
#include "storage/undo_journal.h"

#define SECTORS 64u

struct bench {
    struct undo_journal *journal;
    struct block_device *disks[2];
};

static struct block_device *create_disk(void)
{
    struct block_device *disk = NULL;
    struct status status = block_device_create_memory(SECTORS, &disk);
    assert_string_equal(status.message, "");
    return disk;
}

static void add(struct bench *bench, struct block_device *disk)
{
    struct status status = undo_journal_add(bench->journal, disk);
    assert_string_equal(status.message, "");
}

static int set_up(void **state)
{
    struct bench *bench = calloc(1, sizeof *bench);
    assert_non_null(bench);
    bench->journal = undo_journal_create();
    assert_non_null(bench->journal);
    for (unsigned i = 0; i < 2; i++) {
        bench->disks[i] = create_disk();
        add(bench, bench->disks[i]);
    }
    *state = bench;
    return 0;
}

static int tear_down(void **state)
{
    struct bench *bench = *state;
    undo_journal_destroy(bench->journal);
    block_device_close(bench->disks[0]);
    block_device_close(bench->disks[1]);
    free(bench);
    return 0;
}

/* Fills `count` sectors from `sector` on. */
static void fill(struct block_device *disk, uint64_t sector, uint32_t count, uint8_t value)
{
    uint8_t bytes[8 * BLOCK_SECTOR_SIZE];
    assert_true(count <= 8);
    memset(bytes, value, sizeof bytes);
    struct status status = block_device_write(disk, sector, count, bytes);
    assert_string_equal(status.message, "");
}

static uint8_t first_byte(struct block_device *disk, uint64_t sector)
{
    uint8_t bytes[BLOCK_SECTOR_SIZE];
    struct status status = block_device_read(disk, sector, 1, bytes);
    assert_string_equal(status.message, "");
    for (unsigned i = 1; i < sizeof bytes; i++) {
        assert_int_equal(bytes[i], bytes[0]);
    }
    return bytes[0];
}

static void seek(struct bench *bench, uint64_t position)
{
    struct status status = undo_journal_seek(bench->journal, position);
    assert_string_equal(status.message, "");
    assert_int_equal(undo_journal_position(bench->journal), position);
}

static void writes_to_several_disks_are_undone_and_done_again(void **state)
{
    struct bench *bench = *state;
    uint64_t positions[4];
    positions[0] = undo_journal_position(bench->journal);
    fill(bench->disks[0], 3, 4, 1);
    positions[1] = undo_journal_position(bench->journal);
    fill(bench->disks[1], 5, 1, 2);
    fill(bench->disks[0], 5, 8, 3);
    positions[2] = undo_journal_position(bench->journal);
    fill(bench->disks[0], 0, 8, 4);
    positions[3] = undo_journal_position(bench->journal);

    static const struct {
        unsigned position;
        uint8_t third, fifth, other; /* sectors 3 and 5 of the first disk, 5 of the second */
    } rows[] = {{1, 1, 1, 0}, {0, 0, 0, 0}, {3, 4, 4, 2}, {2, 1, 3, 2},
                {0, 0, 0, 0}, {1, 1, 1, 0}, {3, 4, 4, 2}};
    for (unsigned i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        seek(bench, positions[rows[i].position]);
        assert_int_equal(first_byte(bench->disks[0], 3), rows[i].third);
        assert_int_equal(first_byte(bench->disks[0], 5), rows[i].fifth);
        assert_int_equal(first_byte(bench->disks[1], 5), rows[i].other);
    }
}

static void the_same_writes_again_lead_to_the_same_positions(void **state)
{
    struct bench *bench = *state;
    uint64_t positions[3];
    for (unsigned round = 0; round < 2; round++) {
        for (unsigned i = 0; i < 3; i++) {
            if (round == 0) {
                positions[i] = undo_journal_position(bench->journal);
            }
            assert_int_equal(undo_journal_position(bench->journal), positions[i]);
            fill(bench->disks[0], i, 2, (uint8_t)(i + 1));
        }
        uint64_t bytes = undo_journal_bytes(bench->journal);
        seek(bench, positions[0]);
        assert_int_equal(undo_journal_bytes(bench->journal), bytes);
    }
    seek(bench, positions[2]);
    assert_int_equal(first_byte(bench->disks[0], 1), 2);
    assert_int_equal(first_byte(bench->disks[0], 2), 2);
}

static void other_writes_end_what_was_ahead(void **state)
{
    struct bench *bench = *state;
    uint64_t start = undo_journal_position(bench->journal);
    fill(bench->disks[0], 1, 1, 1);
    fill(bench->disks[0], 2, 1, 2);
    seek(bench, start);
    fill(bench->disks[0], 7, 1, 7);
    uint64_t after = undo_journal_position(bench->journal);
    assert_int_equal(after, start + 1);
    seek(bench, start);
    assert_int_equal(first_byte(bench->disks[0], 7), 0);
    seek(bench, after);
    assert_int_equal(first_byte(bench->disks[0], 7), 7);
    assert_int_equal(first_byte(bench->disks[0], 1), 0);
}

static void what_is_dropped_takes_no_memory_and_the_rest_stays(void **state)
{
    struct bench *bench = *state;
    uint64_t empty = undo_journal_bytes(bench->journal);
    fill(bench->disks[0], 1, 8, 1);
    uint64_t middle = undo_journal_position(bench->journal);
    fill(bench->disks[0], 1, 1, 2);
    uint64_t before = undo_journal_bytes(bench->journal);
    undo_journal_drop_before(bench->journal, middle);
    assert_true(undo_journal_bytes(bench->journal) + 8 * BLOCK_SECTOR_SIZE <= before);
    seek(bench, middle);
    assert_int_equal(first_byte(bench->disks[0], 1), 1);
    undo_journal_clear(bench->journal);
    assert_true(undo_journal_bytes(bench->journal) < empty + 8 * BLOCK_SECTOR_SIZE);
}

static void a_disk_that_is_closed_is_a_failure_until_it_is_forgotten(void **state)
{
    struct bench *bench = *state;
    fill(bench->disks[1], 1, 1, 1);
    block_device_close(bench->disks[1]);
    bench->disks[1] = NULL;
    struct status status = undo_journal_seek(bench->journal, 0);
    assert_int_equal(status.code, STATUS_CONFLICT);
    status = undo_journal_failure(bench->journal);
    assert_int_equal(status.code, STATUS_CONFLICT);
    undo_journal_clear(bench->journal);
    status = undo_journal_failure(bench->journal);
    assert_string_equal(status.message, "");
    fill(bench->disks[0], 1, 1, 1); /* by nobody noted */
    assert_int_equal(undo_journal_position(bench->journal), 0);
    add(bench, bench->disks[0]);
    fill(bench->disks[0], 1, 1, 2);
    seek(bench, 0);
    assert_int_equal(first_byte(bench->disks[0], 1), 1);
}

static struct block_device *open_image(const char *path, bool snapshot)
{
    struct block_device *disk = NULL;
    struct status status =
        block_device_open(path, &(struct block_open_options){.raw = true, .snapshot = snapshot}, &disk);
    assert_string_equal(status.message, "");
    return disk;
}

static void files_are_put_back_and_snapshots_leave_them_alone(void **state)
{
    struct bench *bench = *state;
    char path[] = "/tmp/doppel-journal-XXXXXX";
    int descriptor = mkstemp(path);
    assert_true(descriptor >= 0);
    assert_int_equal(ftruncate(descriptor, SECTORS * BLOCK_SECTOR_SIZE), 0);
    close(descriptor);
    for (unsigned snapshot = 0; snapshot < 2; snapshot++) {
        struct block_device *disk = open_image(path, snapshot != 0);
        undo_journal_clear(bench->journal);
        add(bench, disk);
        fill(disk, 9, 2, 1);
        uint64_t position = undo_journal_position(bench->journal);
        fill(disk, 10, 2, 2);
        seek(bench, position);
        assert_int_equal(first_byte(disk, 10), 1);
        assert_int_equal(first_byte(disk, 11), 0);
        seek(bench, 0);
        assert_int_equal(first_byte(disk, 9), 0);
        block_device_close(disk);
    }
    struct block_device *disk = open_image(path, false);
    for (uint64_t sector = 0; sector < SECTORS; sector++) {
        assert_int_equal(first_byte(disk, sector), 0);
    }
    block_device_close(disk);
    unlink(path);
}

int main(void)
{
#define BENCH_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        BENCH_TEST(writes_to_several_disks_are_undone_and_done_again),
        BENCH_TEST(the_same_writes_again_lead_to_the_same_positions),
        BENCH_TEST(other_writes_end_what_was_ahead),
        BENCH_TEST(what_is_dropped_takes_no_memory_and_the_rest_stays),
        BENCH_TEST(a_disk_that_is_closed_is_a_failure_until_it_is_forgotten),
        BENCH_TEST(files_are_put_back_and_snapshots_leave_them_alone),
    };
#undef BENCH_TEST
    return cmocka_run_group_tests_name("undo_journal", tests, NULL, NULL);
}

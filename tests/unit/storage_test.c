/* The block interface over its backends (raw file, memory, snapshot), the errors a user sees, locking, and
 * the table of floppy formats. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "storage/block_backend.h"
#include "storage/block_device.h"
#include "storage/floppy_geometry.h"

static const struct block_open_options writable = {.read_only = false, .snapshot = false};
static const struct block_open_options read_only = {.read_only = true, .snapshot = false};
static const struct block_open_options snapshot = {.read_only = false, .snapshot = true};

struct scratch {
    char directory[64];
    char path[96];
};

static int make_scratch(void **state)
{
    struct scratch *scratch = malloc(sizeof *scratch);
    strcpy(scratch->directory, "/tmp/doppel-storage-XXXXXX");
    assert_non_null(mkdtemp(scratch->directory));
    snprintf(scratch->path, sizeof scratch->path, "%s/disk.img", scratch->directory);
    *state = scratch;
    return 0;
}

static int remove_scratch(void **state)
{
    struct scratch *scratch = *state;
    unlink(scratch->path);
    rmdir(scratch->directory);
    free(scratch);
    return 0;
}

/* A file of `size` bytes in which each byte of sector n is n + 1. */
static void write_file(const char *path, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    for (size_t i = 0; i < size; i++) {
        fputc((int)((i / BLOCK_SECTOR_SIZE + 1) & 0xff), file);
    }
    assert_int_equal(fclose(file), 0);
}

static void check_ok(struct status status)
{
    if (!status_is_ok(&status)) {
        fail_msg("unexpected error: %s", status.message);
    }
}

static void check_error(struct status status, enum status_code code, const char *part)
{
    if (status.code != code || strstr(status.message, part) == NULL) {
        fail_msg("expected error %d naming '%s', got %d: %s", code, part, status.code, status.message);
    }
}

/* Every byte of the sector has the value. */
static void check_sector(struct block_device *device, uint64_t sector, uint8_t value)
{
    uint8_t bytes[BLOCK_SECTOR_SIZE];
    check_ok(block_device_read(device, sector, 1, bytes));
    for (size_t i = 0; i < sizeof bytes; i++) {
        if (bytes[i] != value) {
            fail_msg("sector %u byte %zu: %02x, expected %02x", (unsigned)sector, i, bytes[i], value);
        }
    }
}

static void fill_sectors(struct block_device *device, uint64_t sector, uint32_t count, uint8_t value)
{
    uint8_t *bytes = malloc((size_t)count * BLOCK_SECTOR_SIZE);
    memset(bytes, value, (size_t)count * BLOCK_SECTOR_SIZE);
    check_ok(block_device_write(device, sector, count, bytes));
    free(bytes);
}

static void raw_image_keeps_what_is_written(void **state)
{
    struct scratch *scratch = *state;
    write_file(scratch->path, 20 * BLOCK_SECTOR_SIZE);
    struct block_device *device;
    check_ok(block_device_open(scratch->path, &writable, &device));
    assert_int_equal(block_device_sectors(device), 20);
    assert_false(block_device_is_read_only(device));
    assert_string_equal(block_device_path(device), scratch->path);
    assert_string_equal(block_device_format(device), "raw");
    fill_sectors(device, 5, 3, 0xaa);
    check_ok(block_device_flush(device));
    block_device_close(device);

    check_ok(block_device_open(scratch->path, &read_only, &device));
    check_sector(device, 4, 5);
    check_sector(device, 5, 0xaa);
    check_sector(device, 7, 0xaa);
    check_sector(device, 8, 9);
    check_sector(device, 19, 20);
    block_device_close(device);
    block_device_close(NULL);
}

static void transfers_past_the_end_move_nothing(void **state)
{
    struct scratch *scratch = *state;
    write_file(scratch->path, 4 * BLOCK_SECTOR_SIZE);
    struct block_device *device;
    check_ok(block_device_open(scratch->path, &writable, &device));
    uint8_t bytes[2 * BLOCK_SECTOR_SIZE];
    memset(bytes, 0x77, sizeof bytes);
    check_error(block_device_write(device, 3, 2, bytes), STATUS_INVALID_ARGUMENT, "4 sectors");
    check_error(block_device_read(device, 3, 2, bytes), STATUS_INVALID_ARGUMENT, "beyond the end");
    check_error(block_device_read(device, UINT64_MAX, 1, bytes), STATUS_INVALID_ARGUMENT, "beyond the end");
    check_error(block_device_read(device, 0, UINT32_MAX, bytes), STATUS_INVALID_ARGUMENT, "beyond the end");
    assert_int_equal(bytes[0], 0x77);
    check_ok(block_device_read(device, 4, 0, bytes));
    check_sector(device, 3, 4);
    block_device_close(device);
}

static void read_only_image_refuses_writes(void **state)
{
    struct scratch *scratch = *state;
    write_file(scratch->path, 4 * BLOCK_SECTOR_SIZE);
    struct block_device *device;
    check_ok(block_device_open(scratch->path, &read_only, &device));
    assert_true(block_device_is_read_only(device));
    uint8_t bytes[BLOCK_SECTOR_SIZE] = {0};
    check_error(block_device_write(device, 0, 1, bytes), STATUS_READ_ONLY, scratch->path);
    check_sector(device, 0, 1);
    block_device_close(device);
}

static void image_without_write_permission_is_opened_read_only(void **state)
{
    struct scratch *scratch = *state;
    write_file(scratch->path, 4 * BLOCK_SECTOR_SIZE);
    assert_int_equal(chmod(scratch->path, 0444), 0);
    assert_int_equal(chmod(scratch->directory, 0755), 0);
    uid_t user = geteuid();
    if (user == 0) {
        assert_int_equal(seteuid(65534), 0); /* permissions do not bind root */
    }
    struct block_device *device;
    struct status status = block_device_open(scratch->path, &writable, &device);
    assert_int_equal(seteuid(user), 0);
    check_ok(status);
    assert_true(block_device_is_read_only(device));
    block_device_close(device);
}

static void unusable_files_are_refused_with_the_reason(void **state)
{
    struct scratch *scratch = *state;
    struct block_device *device;
    check_error(block_device_open(scratch->path, &writable, &device), STATUS_NOT_FOUND, scratch->path);
    assert_null(device);
    check_error(block_device_open(scratch->directory, &writable, &device), STATUS_INVALID_ARGUMENT,
                "is a directory");
    check_error(block_device_open(scratch->directory, &read_only, &device), STATUS_INVALID_ARGUMENT,
                "is a directory");
    check_error(block_device_open("/dev/null", &read_only, &device), STATUS_INVALID_ARGUMENT,
                "neither a file");
    write_file(scratch->path, 0);
    check_error(block_device_open(scratch->path, &writable, &device), STATUS_INVALID_ARGUMENT, "is empty");
    unlink(scratch->path);
    assert_int_equal(mkfifo(scratch->path, 0600), 0);
    check_error(block_device_open(scratch->path, &read_only, &device), STATUS_INVALID_ARGUMENT,
                "neither a file");
}

static void image_that_shrinks_gives_a_read_error(void **state)
{
    struct scratch *scratch = *state;
    write_file(scratch->path, 4 * BLOCK_SECTOR_SIZE);
    struct block_device *device;
    check_ok(block_device_open(scratch->path, &writable, &device));
    assert_int_equal(truncate(scratch->path, BLOCK_SECTOR_SIZE), 0);
    uint8_t bytes[BLOCK_SECTOR_SIZE];
    check_ok(block_device_read(device, 0, 1, bytes));
    check_error(block_device_read(device, 2, 1, bytes), STATUS_IO_ERROR, "shorter");
    block_device_close(device);
}

static void first_failure_of_the_host_is_kept(void **state)
{
    struct scratch *scratch = *state;
    write_file(scratch->path, 4 * BLOCK_SECTOR_SIZE);
    struct status failure = status_ok();
    struct block_device *device;
    check_ok(block_device_open(scratch->path, &writable, &device));
    block_device_keep_failure(device, &failure);
    uint8_t bytes[BLOCK_SECTOR_SIZE];
    check_error(block_device_read(device, 4, 1, bytes), STATUS_INVALID_ARGUMENT, "beyond"); /* the guest's */
    check_ok(failure);
    assert_int_equal(truncate(scratch->path, BLOCK_SECTOR_SIZE), 0);
    check_error(block_device_read(device, 2, 1, bytes), STATUS_IO_ERROR, "shorter");
    check_error(failure, STATUS_IO_ERROR, "shorter");
    failure.message[0] = 'C';
    check_error(block_device_read(device, 3, 1, bytes), STATUS_IO_ERROR, "shorter");
    assert_int_equal(failure.message[0], 'C');
    block_device_close(device);
}

static void image_being_written_is_not_opened_twice(void **state)
{
    struct scratch *scratch = *state;
    write_file(scratch->path, 4 * BLOCK_SECTOR_SIZE);
    struct block_device *writer;
    struct block_device *second;
    check_ok(block_device_open(scratch->path, &writable, &writer));
    check_error(block_device_open(scratch->path, &writable, &second), STATUS_CONFLICT, "in use");
    check_error(block_device_open(scratch->path, &read_only, &second), STATUS_CONFLICT, "in use");
    check_error(block_device_open(scratch->path, &snapshot, &second), STATUS_CONFLICT, "in use");
    block_device_close(writer);
    check_ok(block_device_open(scratch->path, &writable, &second));
    block_device_close(second);
}

static void readers_share_an_image_and_keep_writers_out(void **state)
{
    struct scratch *scratch = *state;
    write_file(scratch->path, 4 * BLOCK_SECTOR_SIZE);
    struct block_device *first;
    struct block_device *second;
    struct block_device *writer;
    check_ok(block_device_open(scratch->path, &read_only, &first));
    check_ok(block_device_open(scratch->path, &snapshot, &second));
    check_error(block_device_open(scratch->path, &writable, &writer), STATUS_CONFLICT, "snapshot");
    block_device_close(first);
    block_device_close(second);
}

static void snapshot_keeps_writes_and_leaves_the_file_alone(void **state)
{
    struct scratch *scratch = *state;
    write_file(scratch->path, 300 * BLOCK_SECTOR_SIZE);
    struct block_device *device;
    check_ok(block_device_open(scratch->path, &snapshot, &device));
    assert_false(block_device_is_read_only(device));
    assert_string_equal(block_device_path(device), scratch->path);
    fill_sectors(device, 62, 70, 0xee); /* over two cluster boundaries */
    fill_sectors(device, 64, 1, 0xdd);
    check_sector(device, 61, 62);
    check_sector(device, 62, 0xee);
    check_sector(device, 63, 0xee);
    check_sector(device, 64, 0xdd);
    check_sector(device, 131, 0xee);
    check_sector(device, 132, 133);
    uint8_t mixed[3 * BLOCK_SECTOR_SIZE];
    check_ok(block_device_read(device, 130, 3, mixed));
    assert_int_equal(mixed[0], 0xee);
    assert_int_equal(mixed[2 * BLOCK_SECTOR_SIZE - 1], 0xee);
    assert_int_equal(mixed[2 * BLOCK_SECTOR_SIZE], 133);
    check_ok(block_device_flush(device));
    block_device_close(device);

    check_ok(block_device_open(scratch->path, &read_only, &device));
    for (uint32_t sector = 0; sector < 300; sector++) {
        check_sector(device, sector, (uint8_t)(sector + 1));
    }
    block_device_close(device);
}

/* A plain array is the model: the same random writes go to both. */
static void snapshot_agrees_with_a_plain_array(void **state)
{
    (void)state;
    enum { SECTORS = 64 * 400 };
    struct block_device *base;
    struct block_device *device;
    check_ok(block_device_create_memory(SECTORS, &base));
    check_ok(snapshot_overlay_create(base, &device));
    uint8_t *model = calloc(SECTORS, 1);
    uint32_t seed = 12345;
    for (unsigned round = 0; round < 3000; round++) {
        seed = seed * 1664525u + 1013904223u;
        uint32_t sector = (seed >> 8) % SECTORS;
        uint32_t count = 1 + (seed >> 3) % 5;
        count = count > SECTORS - sector ? SECTORS - sector : count;
        uint8_t value = (uint8_t)(round % 255 + 1);
        fill_sectors(device, sector, count, value);
        memset(model + sector, value, count);
    }
    for (uint32_t sector = 0; sector < SECTORS; sector++) {
        check_sector(device, sector, model[sector]);
        check_sector(base, sector, 0);
    }
    free(model);
    block_device_close(device);
}

static void read_only_snapshot_refuses_writes(void **state)
{
    struct scratch *scratch = *state;
    write_file(scratch->path, 4 * BLOCK_SECTOR_SIZE);
    struct block_device *device;
    struct block_open_options both = {.read_only = true, .snapshot = true};
    check_ok(block_device_open(scratch->path, &both, &device));
    uint8_t bytes[BLOCK_SECTOR_SIZE] = {0};
    check_error(block_device_write(device, 0, 1, bytes), STATUS_READ_ONLY, "read-only");
    block_device_close(device);
}

static void memory_device_starts_as_zeros_and_has_no_path(void **state)
{
    (void)state;
    struct block_device *device;
    check_ok(block_device_create_memory(9, &device));
    assert_int_equal(block_device_sectors(device), 9);
    assert_string_equal(block_device_path(device), "");
    check_sector(device, 8, 0);
    fill_sectors(device, 8, 1, 3);
    check_sector(device, 7, 0);
    check_sector(device, 8, 3);
    block_device_close(device);
    check_error(block_device_create_memory(0, &device), STATUS_INVALID_ARGUMENT, "0 sectors");
    check_error(block_device_create_memory(UINT64_MAX, &device), STATUS_INVALID_ARGUMENT, "not possible");
}

static void every_standard_floppy_size_is_recognised(void **state)
{
    (void)state;
    // clang-format off
    static const struct {
        unsigned kib;
        enum floppy_drive_type drive;
        enum floppy_data_rate rate;
        unsigned tracks, heads, sectors;
    } expected[] = {
        {160, FLOPPY_DRIVE_360K, FLOPPY_RATE_250K, 40, 1, 8},    {180, FLOPPY_DRIVE_360K, FLOPPY_RATE_250K, 40, 1, 9},
        {320, FLOPPY_DRIVE_360K, FLOPPY_RATE_250K, 40, 2, 8},    {360, FLOPPY_DRIVE_360K, FLOPPY_RATE_250K, 40, 2, 9},
        {720, FLOPPY_DRIVE_720K, FLOPPY_RATE_250K, 80, 2, 9},    {1200, FLOPPY_DRIVE_1200K, FLOPPY_RATE_500K, 80, 2, 15},
        {1440, FLOPPY_DRIVE_1440K, FLOPPY_RATE_500K, 80, 2, 18}, {1680, FLOPPY_DRIVE_1440K, FLOPPY_RATE_500K, 80, 2, 21},
        {1722, FLOPPY_DRIVE_1440K, FLOPPY_RATE_500K, 82, 2, 21}, {2880, FLOPPY_DRIVE_2880K, FLOPPY_RATE_1M, 80, 2, 36},
    };
    // clang-format on
    for (unsigned i = 0; i < ARRAY_COUNT(expected); i++) {
        struct floppy_geometry geometry;
        check_ok(floppy_geometry_detect("a.img", expected[i].kib * 2, &geometry));
        assert_int_equal(geometry.drive, expected[i].drive);
        assert_int_equal(geometry.rate, expected[i].rate);
        assert_int_equal(geometry.tracks, expected[i].tracks);
        assert_int_equal(geometry.heads, expected[i].heads);
        assert_int_equal(geometry.sectors_per_track, expected[i].sectors);
        assert_true(floppy_drive_type_reads(geometry.drive, &geometry));
    }
    assert_non_null(floppy_geometry_standard(9));
    assert_null(floppy_geometry_standard(10));
}

static void odd_floppy_size_names_the_accepted_ones(void **state)
{
    (void)state;
    struct floppy_geometry geometry;
    struct status status = floppy_geometry_detect("odd.img", 2881, &geometry);
    check_error(status, STATUS_UNSUPPORTED, "odd.img");
    check_error(status, STATUS_UNSUPPORTED, "1475072 bytes");
    check_error(status, STATUS_UNSUPPORTED, "160, 180, 320, 360, 720, 1200, 1440, 1680, 1722, 2880 KiB");
    check_error(floppy_geometry_detect("", 0, &geometry), STATUS_UNSUPPORTED, "0 bytes");
}

static void drives_read_what_fits_and_is_not_too_dense(void **state)
{
    (void)state;
    struct floppy_geometry dd5;
    struct floppy_geometry hd5;
    struct floppy_geometry hd3;
    check_ok(floppy_geometry_detect("", 720, &dd5));
    check_ok(floppy_geometry_detect("", 2400, &hd5));
    check_ok(floppy_geometry_detect("", 2880, &hd3));
    assert_true(floppy_drive_type_reads(FLOPPY_DRIVE_1200K, &dd5));
    assert_true(floppy_drive_type_fits(FLOPPY_DRIVE_360K, &hd5));
    assert_false(floppy_drive_type_reads(FLOPPY_DRIVE_360K, &hd5));
    assert_false(floppy_drive_type_fits(FLOPPY_DRIVE_1200K, &hd3));
    assert_true(floppy_drive_type_reads(FLOPPY_DRIVE_2880K, &hd3));
    assert_false(floppy_drive_type_reads(FLOPPY_DRIVE_720K, &hd3));
    assert_false(floppy_drive_type_fits(FLOPPY_DRIVE_NONE, &dd5));
}

#define IN_SCRATCH(test) cmocka_unit_test_setup_teardown(test, make_scratch, remove_scratch)

static long file_size(const char *path)
{
    struct stat info;
    assert_int_equal(stat(path, &info), 0);
    return (long)info.st_size;
}

static void incomplete_sector_is_filled_up(void **state)
{
    struct scratch *scratch = *state;
    write_file(scratch->path, 1000);
    struct block_device *device;
    check_ok(block_device_open(scratch->path, &writable, &device));
    assert_int_equal(block_device_sectors(device), 2);
    uint8_t bytes[BLOCK_SECTOR_SIZE];
    check_ok(block_device_read(device, 1, 1, bytes));
    for (size_t i = 0; i < sizeof bytes; i++) {
        assert_int_equal(bytes[i], i < 488 ? 2 : 0);
    }
    assert_int_equal(file_size(scratch->path), 1000);
    fill_sectors(device, 1, 1, 0x33);
    block_device_close(device);
    assert_int_equal(file_size(scratch->path), 1024);
}

static void extended_device_has_zeros_until_they_are_written(void **state)
{
    struct scratch *scratch = *state;
    write_file(scratch->path, 3 * BLOCK_SECTOR_SIZE);
    struct block_device *device;
    check_ok(block_device_open(scratch->path, &writable, &device));
    block_device_extend(device, 10);
    block_device_extend(device, 5);
    assert_int_equal(block_device_sectors(device), 10);
    check_sector(device, 2, 3);
    check_sector(device, 3, 0);
    check_sector(device, 9, 0);
    check_error(block_device_read(device, 10, 1, NULL), STATUS_INVALID_ARGUMENT, "beyond the end");
    fill_sectors(device, 6, 1, 0x44);
    check_sector(device, 5, 0);
    check_sector(device, 6, 0x44);
    block_device_close(device);
    assert_int_equal(file_size(scratch->path), 7 * BLOCK_SECTOR_SIZE);
}

static void extended_snapshot_leaves_the_file_alone(void **state)
{
    struct scratch *scratch = *state;
    write_file(scratch->path, 3 * BLOCK_SECTOR_SIZE);
    struct block_device *device;
    check_ok(block_device_open(scratch->path, &snapshot, &device));
    block_device_extend(device, 100);
    check_sector(device, 99, 0);
    fill_sectors(device, 98, 1, 0x55);
    check_sector(device, 97, 0);
    check_sector(device, 98, 0x55);
    block_device_close(device);
    assert_int_equal(file_size(scratch->path), 3 * BLOCK_SECTOR_SIZE);
}

static void begin_file(const char *path, size_t at, const char *bytes, size_t length)
{
    FILE *file = fopen(path, "r+b");
    assert_non_null(file);
    assert_int_equal(fseek(file, (long)at, SEEK_SET), 0);
    assert_int_equal(fwrite(bytes, 1, length, file), length);
    fclose(file);
}

static void other_formats_are_named_and_refused(void **state)
{
    struct scratch *scratch = *state;
    static const struct {
        size_t at, length;
        const char *bytes, *name;
    } cases[] = {
        {0, 4, "QFI\xfb", "qcow2"},        {0, 4, "KDMV", "VMDK"},     {64, 4, "\x7f\x10\xda\xbe", "VDI"},
        {0, 8, "conectix", "VHD"},         {0, 8, "vhdxfile", "VHDX"}, {0, 3, "\x1f\x8b\x08", "gzip"},
        {0, 6, "\xfd\x37zXZ\0", "xz"},     {0, 3, "BZh", "bzip2"},     {0, 4, "PK\3\4", "zip"},
        {0, 4, "\x28\xb5\x2f\xfd", "zstd"}};
    struct block_device *device;
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        write_file(scratch->path, 2 * BLOCK_SECTOR_SIZE);
        begin_file(scratch->path, cases[i].at, cases[i].bytes, cases[i].length);
        struct status status = block_device_open(scratch->path, &writable, &device);
        check_error(status, STATUS_UNSUPPORTED, cases[i].name);
        check_error(status, STATUS_UNSUPPORTED, "format=raw");
        const struct block_open_options raw = {.raw = true};
        check_ok(block_device_open(scratch->path, &raw, &device));
        block_device_close(device);
    }
}

static void check_guess(uint64_t sectors, const uint8_t *boot, unsigned tracks, unsigned heads,
                        unsigned sectors_per_track)
{
    struct floppy_geometry geometry;
    check_ok(floppy_geometry_guess("a.img", sectors, boot, &geometry));
    assert_int_equal(geometry.tracks, tracks);
    assert_int_equal(geometry.heads, heads);
    assert_int_equal(geometry.sectors_per_track, sectors_per_track);
}

static void short_floppies_are_what_their_file_system_says_or_the_usual_ones(void **state)
{
    (void)state;
    static const uint8_t nothing[BLOCK_SECTOR_SIZE] = {0};
    static const uint8_t boot_720k[BLOCK_SECTOR_SIZE] = {
        [0x0B] = 0x00, 0x02, [0x13] = 0xA0, 0x05, [0x18] = 9, 0, [0x1A] = 2, 0};
    struct floppy_geometry geometry;
    check_guess(720, nothing, 40, 2, 9);
    check_guess(1, nothing, 80, 2, 18);
    check_guess(719, nothing, 80, 2, 18);
    check_guess(2881, nothing, 80, 2, 36);
    check_guess(100, boot_720k, 80, 2, 9);
    check_guess(2000, boot_720k, 80, 2, 18); /* more than it says */
    check_error(floppy_geometry_guess("a.img", 5761, nothing, &geometry), STATUS_UNSUPPORTED, "-hda");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_SCRATCH(raw_image_keeps_what_is_written),
        IN_SCRATCH(transfers_past_the_end_move_nothing),
        IN_SCRATCH(read_only_image_refuses_writes),
        IN_SCRATCH(image_without_write_permission_is_opened_read_only),
        IN_SCRATCH(unusable_files_are_refused_with_the_reason),
        IN_SCRATCH(image_that_shrinks_gives_a_read_error),
        IN_SCRATCH(first_failure_of_the_host_is_kept),
        IN_SCRATCH(incomplete_sector_is_filled_up),
        IN_SCRATCH(extended_device_has_zeros_until_they_are_written),
        IN_SCRATCH(extended_snapshot_leaves_the_file_alone),
        IN_SCRATCH(other_formats_are_named_and_refused),
        cmocka_unit_test(short_floppies_are_what_their_file_system_says_or_the_usual_ones),
        IN_SCRATCH(image_being_written_is_not_opened_twice),
        IN_SCRATCH(readers_share_an_image_and_keep_writers_out),
        IN_SCRATCH(snapshot_keeps_writes_and_leaves_the_file_alone),
        cmocka_unit_test(snapshot_agrees_with_a_plain_array),
        IN_SCRATCH(read_only_snapshot_refuses_writes),
        cmocka_unit_test(memory_device_starts_as_zeros_and_has_no_path),
        cmocka_unit_test(every_standard_floppy_size_is_recognised),
        cmocka_unit_test(odd_floppy_size_names_the_accepted_ones),
        cmocka_unit_test(drives_read_what_fits_and_is_not_too_dense),
    };
    return cmocka_run_group_tests_name("storage", tests, NULL, NULL);
}

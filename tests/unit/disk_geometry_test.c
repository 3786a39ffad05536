/* The geometry that a partition table was written with. */
#include "machine/disk_geometry.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"

#define SECTOR 512

struct place {
    uint32_t cylinder, head, sector;
};

static void put_place(uint8_t *to, const struct place *place)
{
    to[0] = (uint8_t)place->head;
    to[1] = (uint8_t)(place->sector | (place->cylinder >> 2 & 0xC0));
    to[2] = (uint8_t)(place->cylinder & 0xFF);
}

static void put_partition(uint8_t *mbr, unsigned index, struct place start, struct place end, uint32_t first,
                          uint32_t count)
{
    uint8_t *entry = mbr + 0x1BE + (size_t)(16 * index);
    put_place(entry + 1, &start);
    entry[4] = 0x06;
    put_place(entry + 5, &end);
    store_le32(entry + 8, first);
    store_le32(entry + 12, count);
    store_le16(mbr + 0x1FE, 0xAA55);
}

static void assert_geometry(const uint8_t *mbr, uint64_t disk_sectors, uint32_t cylinders, unsigned heads,
                            unsigned sectors)
{
    struct disk_geometry geometry = {0};
    assert_true(disk_geometry_from_mbr(mbr, disk_sectors, &geometry));
    assert_int_equal(geometry.cylinders, cylinders);
    assert_int_equal(geometry.heads, heads);
    assert_int_equal(geometry.sectors, sectors);
}

static void assert_none(const uint8_t *mbr, uint64_t disk_sectors)
{
    struct disk_geometry geometry;
    assert_false(disk_geometry_from_mbr(mbr, disk_sectors, &geometry));
}

static void end_of_a_partition_is_the_geometry(void **state)
{
    (void)state;
    uint8_t mbr[SECTOR] = {0};
    put_partition(mbr, 0, (struct place){0, 1, 1}, (struct place){613, 3, 17}, 17, 614 * 68 - 17);
    assert_geometry(mbr, 615 * 68, 615, 4, 17);
}

static void logical_geometry_has_more_heads(void **state)
{
    (void)state;
    uint8_t mbr[SECTOR] = {0};
    put_partition(mbr, 1, (struct place){1, 0, 1}, (struct place){99, 254, 63}, 255 * 63, 99 * 255 * 63);
    assert_geometry(mbr, 100 * 255 * 63 + 5, 100, 255, 63);
}

static void partition_beyond_the_last_cylinder_counts(void **state)
{
    (void)state;
    uint8_t mbr[SECTOR] = {0};
    put_partition(mbr, 0, (struct place){0, 1, 1}, (struct place){1023, 15, 63}, 63, 2000 * 1008 - 63);
    assert_geometry(mbr, 2000 * 1008, 2000, 16, 63);
}

static void later_partition_is_taken_when_the_first_does_not_fit(void **state)
{
    (void)state;
    uint8_t mbr[SECTOR] = {0};
    put_partition(mbr, 0, (struct place){0, 32, 33}, (struct place){8, 9, 23}, 2048, 1000);
    put_partition(mbr, 3, (struct place){0, 1, 1}, (struct place){613, 3, 17}, 17, 614 * 68 - 17);
    assert_geometry(mbr, 615 * 68, 615, 4, 17);
}

static void partition_aligned_to_a_megabyte_says_nothing(void **state)
{
    (void)state;
    uint8_t mbr[SECTOR] = {0};
    put_partition(mbr, 0, (struct place){0, 32, 33}, (struct place){8, 9, 23}, 2048, 128000);
    assert_none(mbr, 131072);
}

static void absurd_tables_say_nothing(void **state)
{
    (void)state;
    uint8_t mbr[SECTOR] = {0};
    assert_none(mbr, 100000); /* no signature */
    put_partition(mbr, 0, (struct place){0, 1, 1}, (struct place){613, 3, 17}, 17, 614 * 68 - 17);
    assert_none(mbr, 100); /* larger than the disk */
    put_partition(mbr, 0, (struct place){0, 1, 1}, (struct place){613, 3, 0}, 17,
                  614 * 68 - 17); /* sector 0 */
    assert_none(mbr, 615 * 68);
    put_partition(mbr, 0, (struct place){0, 1, 1}, (struct place){1023, 255, 63}, 63, 100); /* 256 heads */
    assert_none(mbr, 615 * 68);
    put_partition(mbr, 0, (struct place){0, 0, 0}, (struct place){0, 0, 0}, 1, 0xFFFFFFFF);
    assert_none(mbr, 0xFFFFFFFF);
    memset(mbr, 0xFF, sizeof mbr);
    store_le16(mbr + 0x1FE, 0xAA55);
    assert_none(mbr, UINT64_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(end_of_a_partition_is_the_geometry),
        cmocka_unit_test(logical_geometry_has_more_heads),
        cmocka_unit_test(partition_beyond_the_last_cylinder_counts),
        cmocka_unit_test(later_partition_is_taken_when_the_first_does_not_fit),
        cmocka_unit_test(partition_aligned_to_a_megabyte_says_nothing),
        cmocka_unit_test(absurd_tables_say_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* The guest-physical address space: what backs a page, how accesses are split, A20 and the address pins, and
 * who is told when code is overwritten or the map changes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "bus/memory_bus.h"
#include "recording_region.h"

#define RAM_SIZE ((uint64_t)0x400000)

struct rig {
    struct log log;
    struct counters counters;
    struct memory_bus *bus;
    uint8_t *ram;
    uint8_t *bytes; /* two pages of ROM or of device memory */
    struct recording a, b;
    char told[512]; /* "c<address>+<length> " for code_written, "m " for map_changed, "w..." for watched,
                       "s<offset> " for stored, "p..." for a store watch */
    uint8_t seen;   /* what was at the address when code_written was called */
};

static void note_code_written(void *opaque, uint64_t phys, unsigned length)
{
    struct rig *rig = opaque;
    size_t used = strlen(rig->told);
    snprintf(rig->told + used, sizeof rig->told - used, "c%llx+%x ", (unsigned long long)phys, length);
    rig->seen = phys < RAM_SIZE ? rig->ram[phys] : 0;
}

static void note_watched(void *opaque, uint64_t phys, uint64_t length)
{
    struct rig *rig = opaque;
    size_t used = strlen(rig->told);
    snprintf(rig->told + used, sizeof rig->told - used, "w%llx+%llx ", (unsigned long long)phys,
             (unsigned long long)length);
}

static void note_stored(void *opaque, uint64_t offset)
{
    struct rig *rig = opaque;
    size_t used = strlen(rig->told);
    snprintf(rig->told + used, sizeof rig->told - used, "s%llx ", (unsigned long long)offset);
}

static void note_watched_access(void *opaque, uint64_t phys, unsigned length)
{
    struct rig *rig = opaque;
    size_t used = strlen(rig->told);
    snprintf(rig->told + used, sizeof rig->told - used, "p%llx+%x ", (unsigned long long)phys, length);
}

static void note_map_changed(void *opaque)
{
    struct rig *rig = opaque;
    strncat(rig->told, "m ", sizeof rig->told - strlen(rig->told) - 1);
}

static void expect_told(struct rig *rig, const char *expected)
{
    assert_string_equal(rig->told, expected);
    rig->told[0] = '\0';
}

static struct rig *rig_create(unsigned address_bits)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rig->ram = calloc(1, RAM_SIZE);
    rig->bytes = malloc(2 * PAGE_SIZE);
    memset(rig->bytes, 0x5a, 2 * PAGE_SIZE);
    rig->bus = memory_bus_create(rig->ram, RAM_SIZE, address_bits, &rig->log, &rig->counters);
    assert_non_null(rig->bus);
    struct memory_listener listener = {.code_written = note_code_written,
                                       .map_changed = note_map_changed,
                                       .watched = note_watched,
                                       .opaque = rig};
    memory_bus_set_listener(rig->bus, &listener);
    return rig;
}

static void rig_destroy(struct rig *rig)
{
    memory_bus_destroy(rig->bus);
    free(rig->bytes);
    free(rig->ram);
    free(rig);
}

/* 36 address pins; RAM one to one. */
static int set_up(void **state)
{
    struct rig *rig = rig_create(36);
    memory_bus_map_ram(rig->bus, 0, RAM_SIZE, 0);
    rig->told[0] = '\0';
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    rig_destroy(*state);
    return 0;
}

static void claim(struct rig *rig, const struct io_region *region)
{
    struct status status = memory_bus_claim(rig->bus, region);
    if (!status_is_ok(&status)) {
        fail_msg("unexpected error: %s", status.message);
    }
}

static void expect_refusal(struct status status, enum status_code code, const char *part)
{
    if (status.code != code || strstr(status.message, part) == NULL) {
        fail_msg("expected error %d naming '%s', got %d: %s", code, part, status.code, status.message);
    }
}

static void nothing_mapped_reads_ones_and_ignores_writes(void **state)
{
    struct rig *rig = *state;
    memory_bus_write(rig->bus, RAM_SIZE, 4, 0);
    assert_int_equal(memory_bus_read(rig->bus, RAM_SIZE, 1), 0xff);
    assert_int_equal(memory_bus_read(rig->bus, 0xfffffffff, 1), 0xff);
    assert_true(memory_bus_read(rig->bus, 0xf00000000, 8) == UINT64_MAX);
    struct memory_page *page = memory_bus_page(rig->bus, 0xf00000000);
    assert_non_null(page);
    assert_true(page->read == NULL && page->write == NULL && page->region == NULL);
}

static void ram_is_little_endian_at_every_width(void **state)
{
    struct rig *rig = *state;
    memory_bus_write(rig->bus, 0x1003, 8, 0x8877665544332211);
    assert_memory_equal(rig->ram + 0x1002, "\0\x11\x22\x33\x44\x55\x66\x77\x88\0", 10);
    assert_int_equal(memory_bus_read(rig->bus, 0x1003, 1), 0x11);
    assert_int_equal(memory_bus_read(rig->bus, 0x1004, 2), 0x3322);
    assert_int_equal(memory_bus_read(rig->bus, 0x1005, 4), 0x66554433);
    assert_true(memory_bus_read(rig->bus, 0x1003, 8) == 0x8877665544332211);
    memory_bus_write(rig->bus, 0x1004, 2, 0xffffeeee);
    assert_memory_equal(rig->ram + 0x1003, "\x11\xee\xee\x44", 4);
}

static void ram_may_appear_twice(void **state)
{
    struct rig *rig = *state;
    memory_bus_map_ram(rig->bus, 0x100000000, 0x2000, 0x5000);
    memory_bus_write(rig->bus, 0x100001004, 4, 0xcafe);
    assert_int_equal(memory_bus_read(rig->bus, 0x6004, 4), 0xcafe);
    assert_ptr_equal(memory_bus_page(rig->bus, 0x100001004)->read, rig->ram + 0x6000);
}

static void rom_ignores_stores(void **state)
{
    struct rig *rig = *state;
    memory_bus_map_rom(rig->bus, 0xfffff000, PAGE_SIZE, rig->bytes);
    expect_told(rig, "m ");
    memory_bus_write(rig->bus, 0xfffff010, 4, 0);
    assert_int_equal(memory_bus_read(rig->bus, 0xfffff010, 4), 0x5a5a5a5a);
    assert_int_equal(rig->bytes[0x10], 0x5a);
}

static void split_pages_load_here_and_store_there(void **state)
{
    struct rig *rig = *state;
    memory_bus_map_split(rig->bus, 0xc0000, PAGE_SIZE, rig->bytes, rig->ram + 0xc0000);
    memory_bus_write(rig->bus, 0xc0000, 4, 0x11223344);
    assert_int_equal(memory_bus_read(rig->bus, 0xc0000, 4), 0x5a5a5a5a);
    assert_int_equal(load_le32(rig->ram + 0xc0000), 0x11223344);
    memory_bus_map_split(rig->bus, 0xc0000, PAGE_SIZE, NULL, rig->ram + 0xc0000);
    memory_bus_write(rig->bus, 0xc0000, 4, 0x55667788);
    assert_int_equal(memory_bus_read(rig->bus, 0xc0000, 4), 0xffffffff);
    assert_int_equal(load_le32(rig->ram + 0xc0000), 0x55667788);
}

static void devices_see_offsets_and_no_wider_than_they_take(void **state)
{
    struct rig *rig = *state;
    struct io_region wide = recording_region(&rig->a, "a", 0xa0000, 0x2000, 4);
    struct io_region narrow = recording_region(&rig->b, "b", 0xfee00000, 0x1000, 0); /* 0: one byte */
    claim(rig, &wide);
    claim(rig, &narrow);
    expect_told(rig, "m m ");
    rig->a.answer = 0x11220000;
    assert_int_equal(memory_bus_read(rig->bus, 0xa1ffc, 4), 0x11221ffc);
    assert_int_equal(memory_bus_read(rig->bus, 0xa0003, 1), 0x03);
    assert_true(memory_bus_read(rig->bus, 0xa0000, 8) == 0x1122000411220000);
    memory_bus_write(rig->bus, 0xa0010, 8, 0x8877665544332211);
    recording_expect(&rig->a, "r1ffc/4 r3/1 r0/4 r4/4 w10/4=44332211 w14/4=88776655 ");
    memory_bus_write(rig->bus, 0xfee00010, 2, 0x1234);
    recording_expect(&rig->b, "w10/1=34 w11/1=12 ");
    assert_int_equal(rig->counters.value[COUNTER_MMIO_READS], 4);
    assert_int_equal(rig->counters.value[COUNTER_MMIO_WRITES], 4);
    assert_int_equal(load_le32(rig->ram + 0xa0010), 0);
}

static void accesses_across_pages_reach_both(void **state)
{
    struct rig *rig = *state;
    struct io_region region = recording_region(&rig->a, "a", 0x9000, PAGE_SIZE, 8);
    claim(rig, &region);
    memory_bus_write(rig->bus, 0x8ffe, 4, 0x44332211); /* RAM, then the device */
    assert_int_equal(load_le16(rig->ram + 0x8ffe), 0x2211);
    recording_expect(&rig->a, "w0/2=4433 ");
    rig->a.answer = 0x66;
    memory_bus_write(rig->bus, 0xa000, 1, 0x77);
    assert_int_equal(memory_bus_read(rig->bus, 0x9fff, 2), 0x7765); /* 66h + FFFh, then RAM */
    recording_expect(&rig->a, "rfff/1 ");
    memory_bus_write(rig->bus, 0x4ffd, 8, 0x8877665544332211);
    assert_true(memory_bus_read(rig->bus, 0x4ffd, 8) == 0x8877665544332211);
}

static void releasing_a_device_brings_back_what_it_hid(void **state)
{
    struct rig *rig = *state;
    memory_bus_write(rig->bus, 0xa0000, 4, 0xcafe);
    struct io_region region = recording_region(&rig->a, "a", 0xa0000, 0x2000, 4);
    claim(rig, &region);
    memory_bus_map_rom(rig->bus, 0xa1000, PAGE_SIZE,
                       rig->bytes); /* mapped while hidden: takes effect below */
    memory_bus_read(rig->bus, 0xa1000, 4);
    recording_expect(&rig->a, "r1000/4 ");
    memory_bus_release(rig->bus, 0xa0000, &rig->b); /* somebody else's */
    memory_bus_read(rig->bus, 0xa0000, 4);
    recording_expect(&rig->a, "r0/4 ");
    memory_bus_release(rig->bus, 0xa0000, &rig->a);
    assert_int_equal(memory_bus_read(rig->bus, 0xa0000, 4), 0xcafe);
    assert_int_equal(memory_bus_read(rig->bus, 0xa1000, 4), 0x5a5a5a5a);
    recording_expect(&rig->a, "");
    claim(rig, &region);
}

static void overlapping_claims_are_refused_by_name(void **state)
{
    struct rig *rig = *state;
    struct io_region old = recording_region(&rig->a, "video", 0xa0000, 0x3000, 4);
    claim(rig, &old);
    static const struct {
        uint64_t base, length;
    } overlaps[] = {{0xa0000, 0x3000}, {0x9f000, 0x2000}, {0xa2000, 0x1000}, {0, 0x1000000}};
    for (size_t i = 0; i < ARRAY_COUNT(overlaps); i++) {
        struct io_region new = recording_region(&rig->b, "card", overlaps[i].base, overlaps[i].length, 4);
        expect_refusal(memory_bus_claim(rig->bus, &new), STATUS_CONFLICT, "video");
        expect_refusal(memory_bus_claim(rig->bus, &new), STATUS_CONFLICT, "card");
    }
    expect_refusal(memory_bus_map_device_memory(rig->bus, "card", 0xa1000, PAGE_SIZE, rig->bytes, NULL),
                   STATUS_CONFLICT, "video");
    struct io_region below = recording_region(&rig->b, "card", 0x9f000, 0x1000, 4);
    struct io_region above = recording_region(&rig->b, "card", 0xa3000, 0x1000, 4);
    claim(rig, &below);
    claim(rig, &above);
}

static void claims_beyond_the_address_space_are_refused(void **state)
{
    struct rig *rig = *state;
    struct io_region region = recording_region(&rig->a, "a", 0x1000000000, 0x1000, 4);
    expect_refusal(memory_bus_claim(rig->bus, &region), STATUS_INVALID_ARGUMENT, "beyond");
    region = recording_region(&rig->a, "a", 0xffffff000, 0x2000, 4);
    expect_refusal(memory_bus_claim(rig->bus, &region), STATUS_INVALID_ARGUMENT, "beyond");
    region = recording_region(&rig->a, "a", 0xffffff000, 0x1000, 4);
    claim(rig, &region);
}

static void moving_a_device_for_ever_does_not_use_up_slots(void **state)
{
    struct rig *rig = *state;
    for (uint64_t i = 0; i < 500; i++) {
        struct io_region region = recording_region(&rig->a, "a", 0xe0000000 + i * 0x1000, 0x1000, 4);
        claim(rig, &region);
        memory_bus_release(rig->bus, region.base, &rig->a);
        rig->told[0] = '\0';
    }
}

static void device_memory_is_reached_without_the_device(void **state)
{
    struct rig *rig = *state;
    struct status status =
        memory_bus_map_device_memory(rig->bus, "framebuffer", 0xe0000000, 2 * PAGE_SIZE, rig->bytes, NULL);
    assert_true(status_is_ok(&status));
    memory_bus_write(rig->bus, 0xe0000ffe, 4, 0x44332211);
    assert_memory_equal(rig->bytes + 0xffe, "\x11\x22\x33\x44", 4);
    assert_ptr_equal(memory_bus_page(rig->bus, 0xe0001234)->write, rig->bytes + PAGE_SIZE);
    status = memory_bus_map_device_memory(rig->bus, "another", 0xe8000000, PAGE_SIZE, rig->bytes, NULL);
    assert_true(status_is_ok(&status));
    memory_bus_unmap_device_memory(rig->bus, 0xe8000000, PAGE_SIZE);
    assert_int_equal(memory_bus_read(rig->bus, 0xe8000000, 1), 0xff);
    memory_bus_unmap_device_memory(rig->bus, 0xe0000000, 2 * PAGE_SIZE);
    assert_int_equal(memory_bus_read(rig->bus, 0xe0000000, 4), 0xffffffff);
}

static void the_first_store_to_a_watched_page_is_told(void **state)
{
    struct rig *rig = *state;
    const struct memory_watcher watcher = {.stored = note_stored, .opaque = rig};
    struct status status = memory_bus_map_device_memory(rig->bus, "framebuffer", 0xe0000000, 2 * PAGE_SIZE,
                                                        rig->bytes, &watcher);
    assert_true(status_is_ok(&status));
    rig->told[0] = '\0';
    memory_bus_write(rig->bus, 0xe0000010, 4, 1);
    expect_told(rig, "");
    memory_bus_watch(rig->bus, 0xe0000000, 2 * PAGE_SIZE);
    expect_told(rig, "we0000000+2000 ");
    assert_true(memory_page_holds_code(memory_bus_page(rig->bus, 0xe0001000), 0xffc, 4));
    memory_bus_unmark_code(rig->bus, 0xe0001000, PAGE_SIZE); /* as when blocks are dropped */
    memory_bus_write(rig->bus, 0xe0001ffc, 4, 2);
    expect_told(rig, "ce0001000+1000 s1000 ");
    memory_bus_write(rig->bus, 0xe0001ff8, 4, 3);
    expect_told(rig, "");
    memory_bus_write_block(rig->bus, 0xe0000800, "abc", 3);
    expect_told(rig, "ce0000000+1000 s0 ");
    memory_bus_watch(rig->bus, 0xe0000000, PAGE_SIZE);
    memory_bus_unwatch(rig->bus, 0xe0000000, 2 * PAGE_SIZE);
    rig->told[0] = '\0';
    memory_bus_write(rig->bus, 0xe0000000, 1, 4);
    expect_told(rig, "");
    assert_int_equal(memory_bus_page(rig->bus, 0xe0000000)->code_lines, 0);
}

static void watch_stores(struct rig *rig, uint64_t first, uint64_t last)
{
    const struct memory_watches watches = {
        .range = {{first, last}}, .count = 1, .accessed = note_watched_access, .opaque = rig};
    memory_bus_set_store_watches(rig->bus, &watches);
}

static void every_store_to_watched_bytes_is_told(void **state)
{
    struct rig *rig = *state;
    watch_stores(rig, 0x1ffe, 0x2001);
    expect_told(rig, "w1000+2000 ");
    for (unsigned i = 0; i < 3; i++) {
        rig->told[0] = '\0';
        memory_bus_write(rig->bus, 0x1ffa, 4, i);
        expect_told(rig, "");
        memory_bus_write(rig->bus, 0x1ffc, 4, i);
        expect_told(rig, "p1ffc+4 c1ffc+4 ");
        memory_bus_write(rig->bus, 0x1fff, 2, i);
        expect_told(rig, "p1fff+1 c1fff+1 p2000+1 c2000+1 ");
        memory_bus_write_block(rig->bus, 0x2001, "ab", 2);
        expect_told(rig, "p2001+2 c2001+2 ");
        memory_bus_unmark_code(rig->bus, 0x2000, PAGE_SIZE); /* as when blocks are dropped */
        memory_bus_map_ram(rig->bus, 0x1000, PAGE_SIZE, 0x1000);
    }
    watch_stores(rig, 0x5000, 0x5000);
    memory_bus_write(rig->bus, 0x2000, 1, 0); /* marks that are left */
    rig->told[0] = '\0';
    memory_bus_write(rig->bus, 0x2000, 1, 0);
    expect_told(rig, "");
}

static void block_loads_of_watched_bytes_are_told_page_by_page(void **state)
{
    struct rig *rig = *state;
    const struct memory_watches watches = {
        .range = {{0x1ffe, 0x2001}}, .count = 1, .accessed = note_watched_access, .opaque = rig};
    uint8_t bytes[64];
    memory_bus_set_load_watches(rig->bus, &watches);
    memory_bus_read_block(rig->bus, 0x1ff0, bytes, 14);
    memory_bus_read_block(rig->bus, 0x2002, bytes, 14);
    memory_bus_write(rig->bus, 0x1ffe, 4, 0);
    expect_told(rig, "");
    memory_bus_read_block(rig->bus, 0x1ff0, bytes, 32);
    expect_told(rig, "p1ff0+10 p2000+10 ");
    memory_bus_set_load_watches(rig->bus, &(struct memory_watches){.count = 0});
    memory_bus_read_block(rig->bus, 0x1ff0, bytes, 32);
    expect_told(rig, "");
}

static void watched_stores_to_devices_and_watched_pages_are_told(void **state)
{
    struct rig *rig = *state;
    const struct io_region region = recording_region(&rig->a, "a", 0xa0000, PAGE_SIZE, 4);
    claim(rig, &region);
    watch_stores(rig, 0xa0010, 0xa0010);
    rig->told[0] = '\0';
    memory_bus_write(rig->bus, 0xa0010, 1, 1);
    memory_bus_write(rig->bus, 0xa0011, 1, 1);
    expect_told(rig, "pa0010+1 ");
    const struct memory_watcher watcher = {.stored = note_stored, .opaque = rig};
    struct status status = memory_bus_map_device_memory(rig->bus, "framebuffer", 0xe0000000, 2 * PAGE_SIZE,
                                                        rig->bytes, &watcher);
    assert_true(status_is_ok(&status));
    memory_bus_watch(rig->bus, 0xe0000000, PAGE_SIZE);
    watch_stores(rig, 0xe0000004, 0xe0000007);
    rig->told[0] = '\0';
    memory_bus_write(rig->bus, 0xe0000004, 4, 2);
    expect_told(rig, "pe0000004+4 ce0000000+1000 s0 ");
    memory_bus_write(rig->bus, 0xe0000007, 1, 2);
    expect_told(rig, "pe0000007+1 ce0000007+1 ");
}

static void a20_off_forces_address_bit_20_to_zero(void **state)
{
    struct rig *rig = *state;
    assert_true(memory_bus_a20(rig->bus));
    memory_bus_write(rig->bus, 0x100010, 1, 0x99);
    memory_bus_set_a20(rig->bus, false);
    assert_false(memory_bus_a20(rig->bus));
    expect_told(rig, "m ");
    memory_bus_set_a20(rig->bus, false);
    expect_told(rig, ""); /* nothing changed */
    assert_int_equal(memory_bus_effective(rig->bus, 0x7ffffff), 0x7efffff);
    memory_bus_write(rig->bus, 0x100010, 1, 0x11);
    assert_int_equal(rig->ram[0x10], 0x11);
    assert_int_equal(memory_bus_read(rig->bus, 0x300010, 1), memory_bus_read(rig->bus, 0x200010, 1));
    memory_bus_write(rig->bus, 0xfffff, 2, 0x3322); /* runs over the end of the first megabyte */
    assert_int_equal(rig->ram[0xfffff], 0x22);
    assert_int_equal(rig->ram[0], 0x33);
    memory_bus_set_a20(rig->bus, true);
    expect_told(rig, "m ");
    assert_int_equal(memory_bus_read(rig->bus, 0x100010, 1), 0x99);
}

static void addresses_wrap_at_the_address_pins(void **state)
{
    (void)state;
    static const unsigned pins[] = {20, 24, 32, 36};
    for (size_t i = 0; i < ARRAY_COUNT(pins); i++) {
        struct rig *rig = rig_create(pins[i]);
        memory_bus_map_ram(rig->bus, 0, 0x100000, 0);
        uint64_t end = (uint64_t)1 << pins[i];
        assert_int_equal(memory_bus_effective(rig->bus, end + 0x123), 0x123);
        memory_bus_write(rig->bus, end + 0x123, 1, 0x77);
        assert_int_equal(rig->ram[0x123], 0x77);
        memory_bus_write(rig->bus, end - 1, 2, 0x2211); /* the second byte wraps to zero */
        assert_int_equal(rig->ram[0], 0x22);
        rig_destroy(rig);
    }
}

static void block_transfers_cross_pages_devices_and_rom(void **state)
{
    struct rig *rig = *state;
    struct io_region region = recording_region(&rig->a, "a", 0x9000, PAGE_SIZE, 8);
    claim(rig, &region);
    memory_bus_map_rom(rig->bus, 0xb000, PAGE_SIZE, rig->bytes);
    uint8_t *in = malloc(0x4000);
    uint8_t *out = malloc(0x4000);
    for (unsigned i = 0; i < 0x4000; i++) {
        in[i] = (uint8_t)(i * 7 + i / 256);
    }
    memory_bus_write_block(rig->bus, 0x8ffe, in, 4);
    recording_expect(&rig->a, "w0/1=e w1/1=15 "); /* device regions go byte by byte */
    memory_bus_release(rig->bus, 0x9000, &rig->a);
    memory_bus_write_block(rig->bus, 0x8800, in, 0x4000);
    memory_bus_read_block(rig->bus, 0x8800, out, 0x4000);
    assert_memory_equal(out, in, 0xb000 - 0x8800);
    assert_int_equal(out[0xb000 - 0x8800], 0x5a);
    assert_memory_equal(out + 0xc000 - 0x8800, in + 0xc000 - 0x8800, 0xc800 - 0xc000);
    memset(out, 0, 16);
    memory_bus_read_block(rig->bus, RAM_SIZE - 8, out, 16);
    assert_int_equal(out[7], rig->ram[RAM_SIZE - 1]);
    assert_int_equal(out[8], 0xff);
    free(in);
    free(out);
}

static void stores_to_marked_code_are_told_once(void **state)
{
    struct rig *rig = *state;
    memory_bus_mark_code(rig->bus, 0x7c00, 16);
    assert_int_equal(memory_bus_page(rig->bus, 0x7c00)->code_lines, (uint64_t)1 << 48);
    memory_bus_write(rig->bus, 0x7b00, 4, 1); /* the same page, far from the code */
    memory_bus_write(rig->bus, 0x6c00, 4, 1); /* another page */
    expect_told(rig, "");
    memory_bus_write(rig->bus, 0x7c00, 4, 0);
    expect_told(rig, "c7c00+4 ");
    memory_bus_write(rig->bus, 0x7c00, 4, 0);
    expect_told(rig, "");
    memory_bus_mark_code(rig->bus, 0x7c00, 4);
    memory_bus_write(rig->bus, 0x7c00, 8, 0);
    assert_true(rig->counters.value[COUNTER_CODE_WRITES] >= 3);
    memory_bus_write_block(rig->bus, 0x7c00, rig->bytes, 64);
    assert_int_equal(memory_bus_page(rig->bus, 0x7c00)->code_lines, 0);
}

static void a_write_over_part_of_code_is_told_whatever_its_size(void **state)
{
    struct rig *rig = *state;
    memory_bus_mark_code(rig->bus, 0x1080, 8);
    memory_bus_note_write(rig->bus, 0x1000, PAGE_SIZE);
    expect_told(rig, "c1000+1000 ");
    memory_bus_mark_code(rig->bus, 0x1ffc, 4);
    memory_bus_mark_code(rig->bus, 0x2000, 4);
    memory_bus_write(rig->bus, 0x1ffe, 4, 0); /* crosses pages: each is told of its part */
    expect_told(rig, "c1ffe+2 c2000+2 ");
    memory_bus_mark_code(rig->bus, 0x1000, PAGE_SIZE);
    assert_true(memory_bus_page(rig->bus, 0x1000)->code_lines == UINT64_MAX);
    memory_bus_write(rig->bus, 0x1fff, 1, 0);
    expect_told(rig, "c1fff+1 ");
}

static void any_range_of_a_page_knows_whether_code_is_in_it(void **state)
{
    static const struct {
        unsigned offset, length;
    } code[] = {{0, 1}, {63, 1}, {64, 1}, {700, 3}, {1023, 2}, {2000, 500}, {4095, 1}};
    struct rig *rig = *state;
    const struct memory_page *page = memory_bus_page(rig->bus, 0x5000);
    for (size_t i = 0; i < ARRAY_COUNT(code); i++) {
        unsigned end = code[i].offset + code[i].length;
        memory_bus_mark_code(rig->bus, 0x5000 + code[i].offset, code[i].length);
        for (unsigned offset = 0; offset < PAGE_SIZE; offset += 1 + offset % 5) {
            for (unsigned width = 1; offset + width <= PAGE_SIZE; width += 1 + width / 8) {
                bool wanted = offset < end && code[i].offset < offset + width;
                assert_int_equal(memory_page_holds_code(page, offset, width), wanted);
            }
        }
        memory_bus_unmark_code(rig->bus, 0x5000 + code[i].offset, code[i].length);
    }
}

static void dma_invalidates_code_too(void **state)
{
    struct rig *rig = *state;
    memory_bus_mark_code(rig->bus, 0x2010, 4);
    uint8_t zeros[0x1800] = {0};
    memory_bus_write_block(rig->bus, 0x1800, zeros, sizeof zeros);
    expect_told(rig, "c2000+1000 ");
}

static void code_is_told_before_the_bytes_change(void **state)
{
    struct rig *rig = *state;
    rig->ram[0x3000] = 0x90;
    memory_bus_mark_code(rig->bus, 0x3000, 4);
    memory_bus_write(rig->bus, 0x3000, 4, 0xcc);
    assert_int_equal(rig->seen, 0x90);
    memory_bus_mark_code(rig->bus, 0x3000, 4);
    memory_bus_write_block(rig->bus, 0x3000, "\xf4", 1);
    assert_int_equal(rig->seen, 0xcc);
    expect_told(rig, "c3000+4 c3000+1 ");
}

static void remapping_a_page_drops_its_code(void **state)
{
    struct rig *rig = *state;
    memory_bus_mark_code(rig->bus, 0xf0000, 4);
    memory_bus_map_rom(rig->bus, 0xf0000, PAGE_SIZE, rig->bytes);
    expect_told(rig, "cf0000+1000 m ");
    memory_bus_mark_code(rig->bus, 0xf0000, 4);
    struct io_region region = recording_region(&rig->a, "a", 0xf0000, PAGE_SIZE, 4);
    claim(rig, &region);
    expect_told(rig, "cf0000+1000 m ");
    memory_bus_release(rig->bus, 0xf0000, &rig->a);
    assert_int_equal(memory_bus_page(rig->bus, 0xf0000)->code_lines, 0);
}

static void code_marks_follow_a20(void **state)
{
    struct rig *rig = *state;
    memory_bus_set_a20(rig->bus, false);
    memory_bus_mark_code(rig->bus, 0x100040, 4); /* is page 0 */
    rig->told[0] = '\0';
    memory_bus_write(rig->bus, 0x40, 1, 0);
    expect_told(rig, "c40+1 ");
}

static void add_run(void *opaque, uint64_t first, uint64_t last, const char *kind)
{
    char *text = opaque;
    size_t used = strlen(text);
    snprintf(text + used, 512 - used, "%llx-%llx %s; ", (unsigned long long)first, (unsigned long long)last,
             kind);
}

static void the_map_is_told_in_runs(void **state)
{
    struct rig *rig = *state;
    struct io_region region = recording_region(&rig->a, "vga", 0xa0000, 0x20000, 4);
    claim(rig, &region);
    memory_bus_map_rom(rig->bus, 0xfffff000, PAGE_SIZE, rig->bytes);
    memory_bus_map_split(rig->bus, 0xc0000, PAGE_SIZE, rig->bytes, rig->ram + 0xc0000);
    memory_bus_map_rom(rig->bus, 0xd0000, PAGE_SIZE, rig->ram + 0xd0000);
    char text[512] = "";
    memory_bus_for_each(rig->bus, add_run, text);
    assert_string_equal(text, "0-9ffff ram; a0000-bffff vga; c0000-c0fff split; c1000-cffff ram; "
                              "d0000-d0fff ram, read-only; d1000-3fffff ram; fffff000-ffffffff rom; ");
}

/* What memory_map_host() may take for granted, and what it says of every page. */
static void check_map(struct rig *rig)
{
    struct memory_map *map = memory_bus_pages(rig->bus);
    for (uint64_t phys = 0; phys < RAM_SIZE + 4 * PAGE_SIZE; phys += PAGE_SIZE) {
        const struct memory_page *page = memory_bus_page(rig->bus, phys);
        assert_ptr_equal(memory_map_page(map, phys), page);
        assert_ptr_equal(memory_map_host(map, phys + 5), page->read != NULL ? page->read + 5 : NULL);
    }
    memory_bus_set_a20(rig->bus, true);
    for (uint64_t offset = 0; offset < map->run.length; offset += PAGE_SIZE) {
        const struct memory_page *page = memory_bus_page(rig->bus, map->run.first + offset);
        assert_ptr_equal(page->read, map->run.host + offset);
        assert_true(page->write == page->read && page->region == NULL);
    }
}

static uint64_t pick(uint64_t *random, uint64_t count)
{
    *random = *random * 6364136223846793005u + 1442695040888963407u;
    return (*random >> 33) % count;
}

static void loads_through_the_map_are_those_of_the_page(void **state)
{
    struct rig *rig = *state;
    uint64_t random = 1;
    uint64_t longest = 0;
    struct memory_listener nobody = {.opaque = NULL};
    memory_bus_set_listener(rig->bus, &nobody);
    for (unsigned round = 0; round < 3000; round++) {
        uint64_t length = (1 + pick(&random, 2)) * PAGE_SIZE;
        uint64_t phys = pick(&random, RAM_SIZE / PAGE_SIZE) * PAGE_SIZE;
        struct io_region region = recording_region(&rig->a, "device", phys, length, 4);
        switch (pick(&random, 6)) {
        case 0: memory_bus_map_rom(rig->bus, phys, length, rig->bytes); break;
        case 1: memory_bus_map_split(rig->bus, phys, length, rig->bytes, rig->ram + phys); break;
        case 2: memory_bus_map_ram(rig->bus, 0, RAM_SIZE, 0); break;
        case 3: memory_bus_map_ram(rig->bus, phys / 8192 * PAGE_SIZE, RAM_SIZE / 4, RAM_SIZE / 2); break;
        case 4: memory_bus_set_a20(rig->bus, pick(&random, 2)); break;
        default:
            claim(rig, &region);
            check_map(rig);
            memory_bus_release(rig->bus, phys, region.opaque);
        }
        check_map(rig);
        uint64_t run = memory_bus_pages(rig->bus)->run.length;
        longest = run > longest ? run : longest;
    }
    assert_int_equal(longest, RAM_SIZE);
}

#define WITH_BUS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BUS(nothing_mapped_reads_ones_and_ignores_writes),
        WITH_BUS(ram_is_little_endian_at_every_width),
        WITH_BUS(ram_may_appear_twice),
        WITH_BUS(the_first_store_to_a_watched_page_is_told),
        WITH_BUS(every_store_to_watched_bytes_is_told),
        WITH_BUS(block_loads_of_watched_bytes_are_told_page_by_page),
        WITH_BUS(watched_stores_to_devices_and_watched_pages_are_told),
        WITH_BUS(rom_ignores_stores),
        WITH_BUS(split_pages_load_here_and_store_there),
        WITH_BUS(devices_see_offsets_and_no_wider_than_they_take),
        WITH_BUS(accesses_across_pages_reach_both),
        WITH_BUS(releasing_a_device_brings_back_what_it_hid),
        WITH_BUS(overlapping_claims_are_refused_by_name),
        WITH_BUS(claims_beyond_the_address_space_are_refused),
        WITH_BUS(moving_a_device_for_ever_does_not_use_up_slots),
        WITH_BUS(device_memory_is_reached_without_the_device),
        WITH_BUS(a20_off_forces_address_bit_20_to_zero),
        cmocka_unit_test(addresses_wrap_at_the_address_pins),
        WITH_BUS(block_transfers_cross_pages_devices_and_rom),
        WITH_BUS(stores_to_marked_code_are_told_once),
        WITH_BUS(a_write_over_part_of_code_is_told_whatever_its_size),
        WITH_BUS(any_range_of_a_page_knows_whether_code_is_in_it),
        WITH_BUS(dma_invalidates_code_too),
        WITH_BUS(code_is_told_before_the_bytes_change),
        WITH_BUS(remapping_a_page_drops_its_code),
        WITH_BUS(code_marks_follow_a20),
        WITH_BUS(the_map_is_told_in_runs),
        WITH_BUS(loads_through_the_map_are_those_of_the_page),
    };
    return cmocka_run_group_tests_name("memory_bus", tests, NULL, NULL);
}

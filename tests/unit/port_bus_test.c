/* The port space: who answers, how wide accesses are split, what claims are refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "bus/port_bus.h"
#include "recording_region.h"

struct rig {
    struct log log;
    struct counters counters;
    struct port_bus *bus;
    struct recording a, b;
};

static int set_up(void **state)
{
    struct rig *rig = calloc(1, sizeof *rig);
    rig->bus = port_bus_create(&rig->log, &rig->counters);
    assert_non_null(rig->bus);
    *state = rig;
    return 0;
}

static int tear_down(void **state)
{
    struct rig *rig = *state;
    port_bus_destroy(rig->bus);
    free(rig);
    return 0;
}

static void claim(struct rig *rig, const struct io_region *region)
{
    struct status status = port_bus_claim(rig->bus, region);
    if (!status_is_ok(&status)) {
        fail_msg("unexpected error: %s", status.message);
    }
}

static void expect_refusal(struct rig *rig, const struct io_region *region, enum status_code code,
                           const char *part)
{
    struct status status = port_bus_claim(rig->bus, region);
    if (status.code != code || strstr(status.message, part) == NULL) {
        fail_msg("expected error %d naming '%s', got %d: %s", code, part, status.code, status.message);
    }
}

static void unclaimed_ports_float(void **state)
{
    struct rig *rig = *state;
    assert_int_equal(port_bus_read(rig->bus, 0x80, 1), 0xff);
    assert_int_equal(port_bus_read(rig->bus, 0x80, 2), 0xffff);
    assert_int_equal(port_bus_read(rig->bus, 0xffff, 4), 0xffffffff);
    port_bus_write(rig->bus, 0xffff, 4, 0);
}

static void devices_see_offsets_and_whole_supported_widths(void **state)
{
    struct rig *rig = *state;
    struct io_region region = recording_region(&rig->a, "a", 0x100, 8, 4);
    claim(rig, &region);
    rig->a.answer = 0x11223300;
    assert_int_equal(port_bus_read(rig->bus, 0x104, 4), 0x11223304);
    assert_int_equal(port_bus_read(rig->bus, 0x103, 2), 0x3303);
    assert_int_equal(port_bus_read(rig->bus, 0x107, 1), 0x07);
    port_bus_write(rig->bus, 0x100, 1, 0xaabbccdd);
    port_bus_write(rig->bus, 0x102, 2, 0xaabbccdd);
    port_bus_write(rig->bus, 0x104, 4, 0xaabbccdd);
    recording_expect(&rig->a, "r4/4 r3/2 r7/1 w0/1=dd w2/2=ccdd w4/4=aabbccdd ");
    assert_int_equal(port_bus_read(rig->bus, 0xff, 1), 0xff);
    assert_int_equal(port_bus_read(rig->bus, 0x108, 1), 0xff);
    recording_expect(&rig->a, "");
}

static void wide_accesses_to_narrow_devices_are_split_upwards(void **state)
{
    struct rig *rig = *state;
    struct io_region bytes = recording_region(&rig->a, "a", 0x100, 8, 0); /* 0: one byte */
    struct io_region words = recording_region(&rig->b, "b", 0x200, 8, 2);
    claim(rig, &bytes);
    claim(rig, &words);
    rig->a.answer = 0x40;
    rig->b.answer = 0x5000;
    assert_int_equal(port_bus_read(rig->bus, 0x101, 4), 0x44434241);
    port_bus_write(rig->bus, 0x102, 2, 0x1234);
    recording_expect(&rig->a, "r1/1 r2/1 r3/1 r4/1 w2/1=34 w3/1=12 ");
    assert_int_equal(port_bus_read(rig->bus, 0x202, 4), 0x50045002);
    port_bus_write(rig->bus, 0x200, 4, 0x12345678);
    recording_expect(&rig->b, "r2/2 r4/2 w0/2=5678 w2/2=1234 ");
}

static void parts_may_fall_into_different_regions_and_holes(void **state)
{
    struct rig *rig = *state;
    struct io_region first = recording_region(&rig->a, "a", 0x100, 1, 4);
    struct io_region third = recording_region(&rig->b, "b", 0x102, 2, 4);
    claim(rig, &first);
    claim(rig, &third);
    rig->a.answer = 0x11;
    rig->b.answer = 0x3322;
    assert_int_equal(port_bus_read(rig->bus, 0x100, 4), 0x3322ff11);
    port_bus_write(rig->bus, 0x100, 4, 0xddccbbaa);
    recording_expect(&rig->a, "r0/1 w0/1=aa ");
    recording_expect(&rig->b, "r0/2 w0/2=ddcc ");
    assert_int_equal(port_bus_read(rig->bus, 0x103, 2), 0xff23); /* the second half is past the region */
}

static void accesses_wrap_at_the_end_of_the_port_space(void **state)
{
    struct rig *rig = *state;
    struct io_region last = recording_region(&rig->a, "a", 0xffff, 1, 1);
    struct io_region first = recording_region(&rig->b, "b", 0, 2, 1);
    claim(rig, &last);
    claim(rig, &first);
    port_bus_write(rig->bus, 0xffff, 4, 0x44332211);
    recording_expect(&rig->a, "w0/1=11 ");
    recording_expect(&rig->b, "w0/1=22 w1/1=33 ");
}

static void regions_without_handlers_float(void **state)
{
    struct rig *rig = *state;
    struct io_region region = {.name = "mute", .base = 0x100, .length = 4, .max_width = 4};
    claim(rig, &region);
    port_bus_write(rig->bus, 0x100, 4, 1);
    assert_int_equal(port_bus_read(rig->bus, 0x100, 2), 0xffff);
}

static void overlapping_claims_are_refused_by_name(void **state)
{
    struct rig *rig = *state;
    struct io_region old = recording_region(&rig->a, "timer", 0x40, 4, 1);
    claim(rig, &old);
    static const struct {
        uint64_t base, length;
    } overlaps[] = {{0x40, 4}, {0x3e, 3}, {0x43, 1}, {0x41, 2}, {0, 0x10000}};
    for (size_t i = 0; i < ARRAY_COUNT(overlaps); i++) {
        struct io_region new = recording_region(&rig->b, "sound", overlaps[i].base, overlaps[i].length, 1);
        expect_refusal(rig, &new, STATUS_CONFLICT, "timer");
        expect_refusal(rig, &new, STATUS_CONFLICT, "sound");
    }
    struct io_region below = recording_region(&rig->b, "sound", 0x3c, 4, 1);
    struct io_region above = recording_region(&rig->b, "sound", 0x44, 4, 1);
    claim(rig, &below);
    claim(rig, &above);
    port_bus_read(rig->bus, 0x40, 1);
    recording_expect(&rig->a, "r0/1 "); /* refused claims changed nothing */
    recording_expect(&rig->b, "");
}

static void claims_beyond_the_port_space_are_refused(void **state)
{
    struct rig *rig = *state;
    struct io_region region = recording_region(&rig->a, "a", 0x10000, 1, 1);
    expect_refusal(rig, &region, STATUS_INVALID_ARGUMENT, "beyond");
    region = recording_region(&rig->a, "a", 0xfffe, 3, 1);
    expect_refusal(rig, &region, STATUS_INVALID_ARGUMENT, "beyond");
    region = recording_region(&rig->a, "a", 0x10, UINT64_MAX, 1);
    expect_refusal(rig, &region, STATUS_INVALID_ARGUMENT, "beyond");
}

static void released_ports_can_be_claimed_again(void **state)
{
    struct rig *rig = *state;
    struct io_region region = recording_region(&rig->a, "a", 0xc000, 16, 4);
    claim(rig, &region);
    port_bus_release(rig->bus, 0xc000, &rig->b); /* somebody else's */
    port_bus_release(rig->bus, 0xc001, &rig->a); /* not its base */
    port_bus_read(rig->bus, 0xc000, 1);
    recording_expect(&rig->a, "r0/1 ");
    port_bus_release(rig->bus, 0xc000, &rig->a);
    assert_int_equal(port_bus_read(rig->bus, 0xc000, 1), 0xff);
    recording_expect(&rig->a, "");
    struct io_region other = recording_region(&rig->b, "b", 0xc008, 16, 4);
    claim(rig, &other);
    port_bus_read(rig->bus, 0xc00f, 1);
    recording_expect(&rig->b, "r7/1 ");
}

/* PCI BARs are moved about as often as the guest likes: slots must be used again. */
static void moving_a_region_for_ever_does_not_use_up_slots(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < 1000; i++) {
        struct io_region region = recording_region(&rig->a, "a", i, 4, 4);
        claim(rig, &region);
        port_bus_release(rig->bus, i, &rig->a);
    }
}

static void too_many_regions_are_refused(void **state)
{
    struct rig *rig = *state;
    for (unsigned i = 0; i < 255; i++) {
        struct io_region region = recording_region(&rig->a, "a", i * 4, 4, 4);
        claim(rig, &region);
    }
    struct io_region region = recording_region(&rig->a, "straw", 0x8000, 4, 4);
    expect_refusal(rig, &region, STATUS_CONFLICT, "straw");
}

static void add_name(void *opaque, const struct io_region *region)
{
    char *names = opaque;
    strcat(names, region->name);
    strcat(names, " ");
}

static void visits_go_by_port_once_per_region(void **state)
{
    struct rig *rig = *state;
    struct io_region high = recording_region(&rig->a, "high", 0xfff8, 8, 1);
    struct io_region low = recording_region(&rig->a, "low", 0, 8, 1);
    struct io_region next = recording_region(&rig->a, "next", 8, 8, 1);
    claim(rig, &high);
    claim(rig, &low);
    claim(rig, &next);
    char names[64] = "";
    port_bus_for_each(rig->bus, add_name, names);
    assert_string_equal(names, "low next high ");
}

static void accesses_are_counted_and_logged_once_each(void **state)
{
    struct rig *rig = *state;
    char *text = NULL;
    size_t size = 0;
    rig->log = (struct log){.enabled = 1u << LOG_IO, .sink = open_memstream(&text, &size)};
    struct io_region region = recording_region(&rig->a, "a", 0x100, 4, 1);
    claim(rig, &region);
    rig->a.answer = 0x10;
    port_bus_read(rig->bus, 0x100, 4);
    port_bus_write(rig->bus, 0x100, 2, 0xffff1234);
    fclose(rig->log.sink);
    assert_string_equal(text, "io: in  0100/4 = 13121110  a\nio: out 0100/2 = 1234  a\n");
    free(text);
    assert_int_equal(rig->counters.value[COUNTER_PORT_READS], 1);
    assert_int_equal(rig->counters.value[COUNTER_PORT_WRITES], 1);
}

static uint32_t give_block(void *opaque, uint64_t offset, unsigned width, void *to, uint32_t count)
{
    (void)opaque;
    memset(to, (int)(offset + 1), width * count);
    return count - 1;
}

static uint32_t take_block(void *opaque, uint64_t offset, unsigned width, const void *from, uint32_t count)
{
    struct recording *recording = opaque;
    recording->answer = offset << 16 | width << 8 | ((const uint8_t *)from)[width * count - 1];
    return count;
}

static void blocks_go_to_regions_that_stream_in_that_width(void **state)
{
    struct rig *rig = *state;
    uint8_t bytes[16] = {[15] = 0x99};
    struct io_region region = recording_region(&rig->a, "a", 0x100, 4, 2);
    claim(rig, &region);
    assert_int_equal(port_bus_read_block(rig->bus, 0x100, 2, bytes, 4), 0);
    assert_int_equal(port_bus_write_block(rig->bus, 0x100, 2, bytes, 4), 0);
    struct io_region streaming = recording_region(&rig->b, "b", 0x200, 4, 2);
    streaming.read_block = give_block;
    streaming.write_block = take_block;
    claim(rig, &streaming);
    assert_int_equal(port_bus_read_block(rig->bus, 0x201, 2, bytes, 4), 3);
    assert_int_equal(bytes[7], 2);
    assert_int_equal(bytes[8], 0);
    assert_int_equal(port_bus_write_block(rig->bus, 0x202, 2, bytes, 8), 8);
    assert_int_equal(rig->b.answer, 0x20299);
    assert_int_equal(port_bus_read_block(rig->bus, 0x200, 4, bytes, 2), 0); /* would be split */
    assert_int_equal(port_bus_read_block(rig->bus, 0x203, 2, bytes, 2), 0);
    assert_int_equal(port_bus_read_block(rig->bus, 0x300, 2, bytes, 2), 0);
    assert_int_equal(rig->counters.value[COUNTER_PORT_READS], 3);
    assert_int_equal(rig->counters.value[COUNTER_PORT_WRITES], 8);
    rig->log = (struct log){.enabled = 1u << LOG_IO, .sink = stderr};
    assert_int_equal(port_bus_read_block(rig->bus, 0x200, 2, bytes, 4), 0); /* each is to be seen */
    assert_int_equal(port_bus_write_block(rig->bus, 0x200, 2, bytes, 4), 0);
    recording_expect(&rig->a, "");
    recording_expect(&rig->b, "");
}

#define WITH_BUS(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_BUS(unclaimed_ports_float),
        WITH_BUS(devices_see_offsets_and_whole_supported_widths),
        WITH_BUS(wide_accesses_to_narrow_devices_are_split_upwards),
        WITH_BUS(parts_may_fall_into_different_regions_and_holes),
        WITH_BUS(accesses_wrap_at_the_end_of_the_port_space),
        WITH_BUS(regions_without_handlers_float),
        WITH_BUS(overlapping_claims_are_refused_by_name),
        WITH_BUS(claims_beyond_the_port_space_are_refused),
        WITH_BUS(released_ports_can_be_claimed_again),
        WITH_BUS(moving_a_region_for_ever_does_not_use_up_slots),
        WITH_BUS(too_many_regions_are_refused),
        WITH_BUS(visits_go_by_port_once_per_region),
        WITH_BUS(accesses_are_counted_and_logged_once_each),
        WITH_BUS(blocks_go_to_regions_that_stream_in_that_width),
    };
    return cmocka_run_group_tests_name("port_bus", tests, NULL, NULL);
}

/* The CPU's accesses to display memory, against a model that works bit by bit as the manual words it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "vga_bench.h"

/* IBM PS/2 Technical Reference, sequencer and graphics controller registers, for an adapter of four 64 KiB
 * planes. */
struct model {
    uint8_t plane[4][0x10000];
    uint8_t latch[4];
    uint8_t map_mask, memory_mode;
    uint8_t graphics[9];
};

static bool bit_of(unsigned value, unsigned bit)
{
    return (value >> bit & 1) != 0;
}

static bool model_chain4(const struct model *model)
{
    return bit_of(model->memory_mode, 3);
}

static uint32_t model_offset(const struct model *model, uint32_t address)
{
    if (model_chain4(model)) {
        return (address & 0xfffcu) | (address >> 14 & 3);
    }
    if (bit_of(model->graphics[6], 1)) {
        return (address & 0xfffeu) | (address >> 16 & 1);
    }
    return address & 0xffffu;
}

static bool model_plane_is_written(const struct model *model, unsigned plane, uint32_t address)
{
    bool chosen = true;
    if (model_chain4(model)) {
        chosen = plane == (address & 3);
    } else if (!bit_of(model->memory_mode, 2)) {
        chosen = (plane & 1) == (address & 1);
    }
    return chosen && bit_of(model->map_mask, plane);
}

static bool model_logic(const struct model *model, bool data, bool latch)
{
    switch (model->graphics[3] >> 3) {
    case 0: return data;
    case 1: return data && latch;
    case 2: return data || latch;
    default: return data != latch;
    }
}

/* What bit `bit` of plane `plane` becomes when the CPU stores `value`. */
static bool model_written_bit(const struct model *model, unsigned plane, unsigned bit, uint8_t value)
{
    bool latch = bit_of(model->latch[plane], bit);
    bool masked_in = bit_of(model->graphics[8], bit);
    bool rotated = bit_of(value, (bit + (model->graphics[3] & 7)) & 7);
    bool set_reset = bit_of(model->graphics[0], plane);
    switch (model->graphics[5] & 3) {
    case 0: {
        bool data = bit_of(model->graphics[1], plane) ? set_reset : rotated;
        return masked_in ? model_logic(model, data, latch) : latch;
    }
    case 1: return latch;
    case 2: return masked_in ? model_logic(model, bit_of(value, plane), latch) : latch;
    default: return masked_in && rotated ? model_logic(model, set_reset, latch) : latch;
    }
}

static void model_write(struct model *model, uint32_t address, uint8_t value)
{
    uint32_t offset = model_offset(model, address);
    for (unsigned plane = 0; plane < 4; plane++) {
        if (model_plane_is_written(model, plane, address)) {
            unsigned byte = 0;
            for (unsigned bit = 0; bit < 8; bit++) {
                byte |= (unsigned)model_written_bit(model, plane, bit, value) << bit;
            }
            model->plane[plane][offset] = (uint8_t)byte;
        }
    }
}

static uint8_t model_read(struct model *model, uint32_t address)
{
    uint32_t offset = model_offset(model, address);
    for (unsigned plane = 0; plane < 4; plane++) {
        model->latch[plane] = model->plane[plane][offset];
    }
    if (bit_of(model->graphics[5], 3)) {
        unsigned result = 0;
        for (unsigned bit = 0; bit < 8; bit++) {
            bool equal = true;
            for (unsigned plane = 0; plane < 4; plane++) {
                bool cares = bit_of(model->graphics[7], plane);
                bool same = bit_of(model->latch[plane], bit) == bit_of(model->graphics[2], plane);
                equal = equal && (!cares || same);
            }
            result |= (unsigned)equal << bit;
        }
        return (uint8_t)result;
    }
    unsigned plane = model->graphics[4] & 3u;
    if (model_chain4(model)) {
        plane = address & 3;
    } else if (bit_of(model->graphics[5], 4)) {
        plane = (plane & 2) | (address & 1);
    }
    return model->latch[plane];
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void set_graphics(struct vga_bench *bench, struct model *model, uint8_t index, uint8_t value)
{
    model->graphics[index] = value;
    vga_bench_graphics(bench, index, value);
}

static void set_memory_mode(struct vga_bench *bench, struct model *model, uint8_t map_mask,
                            uint8_t memory_mode)
{
    model->map_mask = map_mask;
    model->memory_mode = memory_mode;
    vga_bench_sequencer(bench, 2, map_mask);
    vga_bench_sequencer(bench, 4, memory_mode);
}

/* Random registers; every write mode, memory mode and read mode comes often, and plain values more often than
 * others. */
static void randomize_registers(struct vga_bench *bench, struct model *model, uint32_t *seed)
{
    static const uint8_t memory_modes[] = {0x02, 0x06, 0x0e, 0x0a};
    static const uint8_t maps[] = {0x05, 0x07, 0x01, 0x03};
    uint32_t plain = next_random(seed);
    uint32_t mode = next_random(seed);
    set_memory_mode(bench, model, (plain & 1) != 0 ? 0xf : next_random(seed) & 0xf, memory_modes[mode & 3]);
    set_graphics(bench, model, 0, next_random(seed) & 0xf);
    set_graphics(bench, model, 1, (plain & 2) != 0 ? 0 : next_random(seed) & 0xf);
    set_graphics(bench, model, 2, next_random(seed) & 0xf);
    set_graphics(bench, model, 3, (plain & 4) != 0 ? 0 : next_random(seed) & 0x1f);
    set_graphics(bench, model, 4, next_random(seed) & 3);
    set_graphics(bench, model, 5, (uint8_t)((mode >> 2 & 3) | (mode >> 4 & 1) << 3 | (mode >> 5 & 1) << 4));
    set_graphics(bench, model, 6, maps[mode >> 6 & 3]);
    set_graphics(bench, model, 7, next_random(seed) & 0xf);
    set_graphics(bench, model, 8, (plain & 8) != 0 ? 0xff : (uint8_t)next_random(seed));
}

static void expect_equal_planes(struct vga_bench *bench, struct model *model, unsigned round)
{
    set_memory_mode(bench, model, 0xf, 0x06);
    set_graphics(bench, model, 5, 0);
    set_graphics(bench, model, 6, 0x05);
    for (uint8_t plane = 0; plane < 4; plane++) {
        set_graphics(bench, model, 4, plane);
        for (uint32_t address = 0; address < 0x10000; address++) {
            uint8_t expected = model_read(model, address);
            uint8_t found = vga_bench_peek(bench, 0xa0000 + address);
            if (found != expected) {
                fail_msg("round %u: plane %u offset %04x is %02x, expected %02x", round, plane, address,
                         found, expected);
            }
        }
    }
}

static void random_accesses_do_what_the_manual_says(void **state)
{
    struct vga_bench *bench = *state;
    static struct model model;
    uint32_t seed = 1;
    memset(&model, 0, sizeof model);
    vga_bench_set_mode(bench, MODE_12);
    for (unsigned round = 0; round < 2000; round++) {
        randomize_registers(bench, &model, &seed);
        uint32_t window = bit_of(model.graphics[6], 2) ? 0x10000 : 0x20000;
        for (unsigned i = 0; i < 100; i++) {
            uint32_t address = (next_random(&seed) & 0x1c01f) & (window - 1);
            uint8_t value = (uint8_t)next_random(&seed);
            if (next_random(&seed) % 3 != 0) {
                model_write(&model, address, value);
                vga_bench_poke(bench, 0xa0000 + address, value);
                continue;
            }
            uint8_t expected = model_read(&model, address);
            uint8_t found = vga_bench_peek(bench, 0xa0000 + address);
            if (found != expected) {
                fail_msg(
                    "round %u: address %05x reads %02x, expected %02x (graphics mode %02x, memory mode %02x)",
                    round, address, found, expected, model.graphics[5], model.memory_mode);
            }
        }
        if (round % 100 == 0) {
            expect_equal_planes(bench, &model, round);
        }
    }
    expect_equal_planes(bench, &model, 2000);
}

static void wide_accesses_are_byte_accesses_in_order(void **state)
{
    struct vga_bench *bench = *state;
    static struct model model;
    uint32_t seed = 99;
    memset(&model, 0, sizeof model);
    vga_bench_set_mode(bench, MODE_12);
    for (unsigned round = 0; round < 2000; round++) {
        randomize_registers(bench, &model, &seed);
        for (unsigned i = 0; i < 20; i++) {
            unsigned width = 1u << (next_random(&seed) & 3);
            uint32_t address = next_random(&seed) & 0xff;
            uint64_t value = (uint64_t)next_random(&seed) << 40 ^ (uint64_t)next_random(&seed) << 20 ^ round;
            if ((next_random(&seed) & 1) != 0) {
                for (unsigned byte = 0; byte < width; byte++) {
                    model_write(&model, address + byte, (uint8_t)(value >> byte * 8));
                }
                memory_bus_write(bench->memory, 0xa0000 + address, width, value);
                continue;
            }
            uint64_t expected = 0;
            for (unsigned byte = 0; byte < width; byte++) {
                expected |= (uint64_t)model_read(&model, address + byte) << byte * 8;
            }
            uint64_t found = memory_bus_read(bench->memory, 0xa0000 + address, width);
            if (found != expected) {
                fail_msg("round %u: %u bytes at %05x read %llx, expected %llx", round, width, address,
                         (unsigned long long)found, (unsigned long long)expected);
            }
        }
    }
    expect_equal_planes(bench, &model, 0);
}

static void memory_map_chooses_the_window(void **state)
{
    struct vga_bench *bench = *state;
    static const struct {
        uint8_t misc;
        uint32_t first, last;
    } maps[] = {{0x01, 0xa0000, 0xbffff},
                {0x05, 0xa0000, 0xaffff},
                {0x09, 0xb0000, 0xb7fff},
                {0x0d, 0xb8000, 0xbffff}};
    vga_bench_set_mode(bench, MODE_12);
    for (size_t i = 0; i < ARRAY_COUNT(maps); i++) {
        vga_bench_graphics(bench, 6, maps[i].misc);
        for (uint32_t phys = 0xa0000; phys < 0xc0000; phys += 0x4000) {
            bool inside = phys >= maps[i].first && phys <= maps[i].last;
            vga_bench_poke(bench, phys, 0x5a);
            assert_int_equal(vga_bench_peek(bench, phys), inside ? 0x5a : 0xff);
        }
        vga_bench_poke(bench, maps[i].last, 0x77);
        assert_int_equal(memory_bus_read(bench->memory, maps[i].last, 1), 0x77);
        if (maps[i].first > 0xa0000) {
            assert_int_equal(memory_bus_read(bench->memory, maps[i].first - 1, 2) & 0xff, 0xff);
        }
    }
}

static void misc_output_and_subsystem_enable_close_the_window(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_13);
    vga_bench_poke(bench, 0xa0000, 0x12);
    vga_bench_out(bench, 0x3c2, 0x61);
    assert_int_equal(vga_bench_peek(bench, 0xa0000), 0xff);
    vga_bench_poke(bench, 0xa0000, 0x34);
    vga_bench_out(bench, 0x3c2, 0x63);
    assert_int_equal(vga_bench_peek(bench, 0xa0000), 0x12);
    vga_bench_out(bench, 0x3c3, 0);
    assert_int_equal(vga_bench_peek(bench, 0xa0000), 0xff);
    assert_int_equal(vga_bench_in(bench, 0x3cc), 0xff);
    vga_bench_out(bench, 0x3c3, 1);
    assert_int_equal(vga_bench_in(bench, 0x3cc), 0x63);
    assert_int_equal(vga_bench_peek(bench, 0xa0000), 0x12);
}

static void latches_copy_four_planes_at_once(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_12);
    for (uint8_t plane = 0; plane < 4; plane++) {
        vga_bench_sequencer(bench, 2, (uint8_t)(1 << plane));
        vga_bench_poke(bench, 0xa0010, (uint8_t)(0x11 * (plane + 1)));
    }
    vga_bench_sequencer(bench, 2, 0xf);
    vga_bench_graphics(bench, 5, 1);
    vga_bench_peek(bench, 0xa0010);
    vga_bench_poke(bench, 0xa0020, 0);
    vga_bench_graphics(bench, 5, 0);
    for (uint8_t plane = 0; plane < 4; plane++) {
        vga_bench_graphics(bench, 4, plane);
        assert_int_equal(vga_bench_peek(bench, 0xa0020), 0x11 * (plane + 1));
        assert_int_equal(vga_bench_crtc_read(bench, 0x22), 0x11 * (plane + 1));
    }
}

static void text_stores_go_to_two_planes(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    memory_bus_write(bench->memory, 0xb8000, 4, 0x1742174d);
    assert_int_equal(memory_bus_read(bench->memory, 0xb8000, 4), 0x1742174d);
    vga_bench_sequencer(bench, 4, 0x06);
    vga_bench_graphics(bench, 5, 0);
    vga_bench_graphics(bench, 6, 0x04);
    static const uint8_t expected[2][4] = {{0x4d, 0x00, 0x42, 0x00}, {0x17, 0x00, 0x17, 0x00}};
    for (uint8_t plane = 0; plane < 2; plane++) {
        vga_bench_graphics(bench, 4, plane);
        for (unsigned i = 0; i < 4; i++) {
            assert_int_equal(vga_bench_peek(bench, 0xa0000 + i), expected[plane][i]);
        }
    }
}

#define VGA_TEST(function) cmocka_unit_test_setup_teardown(function, vga_bench_setup, vga_bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VGA_TEST(random_accesses_do_what_the_manual_says),
        VGA_TEST(wide_accesses_are_byte_accesses_in_order),
        VGA_TEST(memory_map_chooses_the_window),
        VGA_TEST(misc_output_and_subsystem_enable_close_the_window),
        VGA_TEST(latches_copy_four_planes_at_once),
        VGA_TEST(text_stores_go_to_two_planes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

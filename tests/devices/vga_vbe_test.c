/* The Bochs VBE extension: DISPI registers, depths, banks, the linear framebuffer, and hostile values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "base/bits.h"
#include "vga_bench.h"

#define LFB  0xe0000000u
#define MMIO 0xf0000000u

enum { ID, XRES, YRES, BPP, ENABLE, BANK, VIRT_WIDTH, VIRT_HEIGHT, X_OFFSET, Y_OFFSET, MEMORY_64K };
enum {
    ENABLED = 0x01,
    GETCAPS = 0x02,
    BANK_32K = 0x10,
    DAC_8BIT = 0x20,
    LFB_ENABLED = 0x40,
    NOCLEARMEM = 0x80
};

static void set_dispi_mode(struct vga_bench *bench, uint16_t width, uint16_t height, uint16_t bpp)
{
    vga_bench_dispi(bench, ENABLE, 0);
    vga_bench_dispi(bench, BPP, bpp);
    vga_bench_dispi(bench, XRES, width);
    vga_bench_dispi(bench, YRES, height);
    vga_bench_dispi(bench, ENABLE, ENABLED | LFB_ENABLED);
}

static void map_lfb(struct vga_bench *bench)
{
    struct status status = vga_set_lfb_base(bench->vga, LFB);
    assert_int_equal(status.code, STATUS_OK);
}

static void identification_is_negotiated(void **state)
{
    struct vga_bench *bench = *state;
    assert_int_equal(vga_bench_dispi_read(bench, ID), 0xb0c5);
    for (uint16_t id = 0xb0c0; id <= 0xb0c5; id++) {
        vga_bench_dispi(bench, ID, id);
        assert_int_equal(vga_bench_dispi_read(bench, ID), id);
    }
    vga_bench_dispi(bench, ID, 0xb0c6);
    assert_int_equal(vga_bench_dispi_read(bench, ID), 0xb0c5);
    assert_int_equal(vga_bench_dispi_read(bench, MEMORY_64K), vga_lfb_size(bench->vga) / 0x10000);
    assert_int_equal(vga_bench_dispi_read(bench, 0x1234), 0);
}

static void data_port_has_an_aligned_twin_and_no_bytes(void **state)
{
    struct vga_bench *bench = *state;
    port_bus_write(bench->ports, 0x1ce, 2, XRES);
    port_bus_write(bench->ports, 0x1d0, 2, 800);
    assert_int_equal(port_bus_read(bench->ports, 0x1cf, 2), 800);
    assert_int_equal(port_bus_read(bench->ports, 0x1d0, 2), 800);
    assert_int_equal(port_bus_read(bench->ports, 0x1ce, 2), XRES);
    port_bus_write(bench->ports, 0x1cf, 1, 0x20);
    assert_int_equal(port_bus_read(bench->ports, 0x1cf, 2), 800);
    assert_int_equal(port_bus_read(bench->ports, 0x1cf, 1), 0xff);
    port_bus_write(bench->ports, 0x1ce, 4, 480u << 16 | YRES);
    assert_int_equal(vga_bench_dispi_read(bench, YRES), 480);
}

static void capabilities_are_the_limits(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_dispi(bench, XRES, 640);
    vga_bench_dispi(bench, ENABLE, GETCAPS);
    assert_true(vga_bench_dispi_read(bench, XRES) >= 2560);
    assert_true(vga_bench_dispi_read(bench, YRES) >= 1600);
    assert_int_equal(vga_bench_dispi_read(bench, BPP), 32);
    vga_bench_dispi(bench, ENABLE, 0);
    assert_int_equal(vga_bench_dispi_read(bench, XRES), 640);
}

/* A pixel of the framebuffer that has `index` in its bits, and the colour it means at this depth. */
static uint32_t stored_pixel(unsigned bpp, unsigned x, unsigned y)
{
    uint32_t pixel = (x * 2654435761u) ^ (y * 40503u);
    return bpp == 32 ? pixel : pixel & (uint32_t)bits_mask(bpp == 15 ? 16 : bpp);
}

static uint32_t widen(uint32_t value, unsigned bits)
{
    return value << (8 - bits) | value >> (2 * bits - 8);
}

static uint32_t shown_colour(unsigned bpp, uint32_t pixel)
{
    switch (bpp) {
    case 8: return vga_bench_colour((uint8_t)pixel);
    case 15: return widen(pixel >> 10 & 31, 5) << 16 | widen(pixel >> 5 & 31, 5) << 8 | widen(pixel & 31, 5);
    case 16: return widen(pixel >> 11 & 31, 5) << 16 | widen(pixel >> 5 & 63, 6) << 8 | widen(pixel & 31, 5);
    default: return pixel & 0xffffff;
    }
}

static void every_depth_shows_the_linear_framebuffer(void **state)
{
    struct vga_bench *bench = *state;
    static const unsigned depths[] = {8, 15, 16, 24, 32};
    vga_bench_set_mode(bench, MODE_3);
    map_lfb(bench);
    for (size_t i = 0; i < ARRAY_COUNT(depths); i++) {
        unsigned bpp = depths[i], bytes = (bpp + 7) / 8;
        set_dispi_mode(bench, 800, 600, (uint16_t)bpp);
        for (unsigned y = 0; y < 600; y += 37) {
            for (unsigned x = 0; x < 800; x++) {
                uint32_t pixel = stored_pixel(bpp, x, y);
                for (unsigned byte = 0; byte < bytes; byte++) {
                    vga_bench_poke(bench, LFB + (y * 800 + x) * bytes + byte, (uint8_t)(pixel >> byte * 8));
                }
            }
        }
        vga_bench_render(bench);
        vga_bench_expect_size(bench, 800, 600);
        assert_false(bench->frame->text.active);
        for (unsigned y = 0; y < 600; y += 37) {
            for (unsigned x = 0; x < 800; x++) {
                vga_bench_expect_pixel(bench, x, y, shown_colour(bpp, stored_pixel(bpp, x, y)));
            }
        }
        vga_bench_expect_pixel(bench, 0, 1, shown_colour(bpp, 0));
    }
}

/* A store that the bus does not see, as the guest's own are while a part of the picture is open for them. */
static void poke_unseen(struct vga_bench *bench, uint64_t phys, uint8_t value)
{
    memory_bus_page(bench->memory, phys)->write[phys % PAGE_SIZE] = value;
}

static void only_what_was_stored_to_is_looked_at_again(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    map_lfb(bench);
    set_dispi_mode(bench, 640, 480, 32);
    poke_unseen(bench, LFB, 0x11);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 0, 0x11);
    assert_true(memory_bus_page(bench->memory, LFB)->watched);
    assert_false(memory_bus_page(bench->memory, LFB + 8 * MIB)->watched);
    poke_unseen(bench, LFB, 0x22);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 0, 0x11); /* nothing was told: nothing was drawn */
    vga_bench_poke(bench, LFB + 4, 0x33);
    assert_false(memory_bus_page(bench->memory, LFB + 0xf000)->watched); /* 64 KiB together */
    assert_true(memory_bus_page(bench->memory, LFB + 0x10000)->watched);
    poke_unseen(bench, LFB + 8, 0x44);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 0, 0x22);
    vga_bench_expect_pixel(bench, 1, 0, 0x33);
    vga_bench_expect_pixel(bench, 2, 0, 0x44);
    vga_bench_dispi(bench, Y_OFFSET, 480); /* what was never shown was never watched */
    poke_unseen(bench, LFB + 480 * 640 * 4, 0x55);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 0, 0x55);
}

static void framebuffer_stores_change_the_generation(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    map_lfb(bench);
    set_dispi_mode(bench, 640, 480, 32);
    vga_bench_render(bench);
    uint64_t generation = bench->frame->generation;
    vga_bench_render(bench);
    assert_int_equal(bench->frame->generation, generation);
    memory_bus_write(bench->memory, LFB + 640 * 479 * 4, 4, 0x123456);
    vga_bench_render(bench);
    assert_int_not_equal(bench->frame->generation, generation);
    vga_bench_expect_pixel(bench, 0, 479, 0x123456);
}

static void enabling_clears_memory_unless_told_not_to(void **state)
{
    struct vga_bench *bench = *state;
    map_lfb(bench);
    vga_bench_poke(bench, LFB + 5, 0xaa);
    vga_bench_dispi(bench, ENABLE, ENABLED | NOCLEARMEM);
    assert_int_equal(vga_bench_peek(bench, LFB + 5), 0xaa);
    vga_bench_dispi(bench, ENABLE, ENABLED); /* was enabled already */
    assert_int_equal(vga_bench_peek(bench, LFB + 5), 0xaa);
    vga_bench_dispi(bench, ENABLE, 0);
    vga_bench_dispi(bench, ENABLE, ENABLED);
    assert_int_equal(vga_bench_peek(bench, LFB + 5), 0);
}

static void banks_move_the_window_at_a0000(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    map_lfb(bench);
    set_dispi_mode(bench, 1024, 768, 32);
    for (uint16_t bank = 0; bank < 256; bank += 15) {
        vga_bench_dispi(bench, BANK, bank);
        assert_int_equal(vga_bench_dispi_read(bench, BANK), bank);
        memory_bus_write(bench->memory, 0xafffc, 4, 0x01020300u + bank);
        assert_int_equal(memory_bus_read(bench->memory, LFB + bank * 0x10000u + 0xfffc, 4),
                         0x01020300u + bank);
        vga_bench_poke(bench, LFB + bank * 0x10000u, (uint8_t)~bank);
        assert_int_equal(vga_bench_peek(bench, 0xa0000), (uint8_t)~bank);
    }
    vga_bench_dispi(bench, BANK, 256); /* beyond 16 MiB */
    assert_int_equal(vga_bench_dispi_read(bench, BANK), 255);
    vga_bench_dispi(bench, BANK, 0x4000 | 3); /* the write window only */
    vga_bench_dispi(bench, BANK, 0x8000 | 5); /* the read window only */
    vga_bench_poke(bench, 0xa0010, 0x3c);
    assert_int_equal(vga_bench_peek(bench, LFB + 0x30010), 0x3c);
    vga_bench_poke(bench, LFB + 0x50010, 0xc3);
    assert_int_equal(vga_bench_peek(bench, 0xa0010), 0xc3);
    vga_bench_dispi(bench, ENABLE, ENABLED | BANK_32K);
    vga_bench_dispi(bench, BANK, 3);
    vga_bench_poke(bench, 0xa0000, 0x5d);
    assert_int_equal(vga_bench_peek(bench, LFB + 0x18000), 0x5d);
    vga_bench_poke(bench, 0xb8000, 0x11); /* only A0000h-AFFFFh answers */
    assert_int_equal(vga_bench_peek(bench, 0xb8000), 0xff);
}

static void virtual_screen_scrolls_in_both_directions(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    map_lfb(bench);
    set_dispi_mode(bench, 640, 480, 8);
    vga_bench_dispi(bench, VIRT_WIDTH, 1024);
    assert_int_equal(vga_bench_dispi_read(bench, VIRT_WIDTH), 1024);
    assert_int_equal(vga_bench_dispi_read(bench, VIRT_HEIGHT), 16 * MIB / 1024);
    vga_bench_poke(bench, LFB + 500 * 1024 + 300, 0x99);
    vga_bench_dispi(bench, X_OFFSET, 290);
    vga_bench_dispi(bench, Y_OFFSET, 480);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 10, 20, vga_bench_colour(0x99));
    vga_bench_dispi(bench, VIRT_WIDTH, 100); /* narrower than the screen */
    assert_int_equal(vga_bench_dispi_read(bench, VIRT_WIDTH), 640);
    vga_bench_dispi(bench, Y_OFFSET, 0xffff);
    assert_int_equal(vga_bench_dispi_read(bench, Y_OFFSET), 16 * MIB / 640 - 480);
}

static void planar_depth_uses_planes_and_banks(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_12);
    set_dispi_mode(bench, 1280, 1024, 4);
    vga_bench_sequencer(bench, 2, 0x0a);
    uint32_t offset = 1000 * 160 + 7;
    vga_bench_dispi(bench, BANK, (uint16_t)(offset >> 16));
    vga_bench_poke(bench, 0xa0000 + (offset & 0xffff), 0x81);
    vga_bench_render(bench);
    vga_bench_expect_size(bench, 1280, 1024);
    const uint8_t *palette = vga_modes[MODE_12].attribute;
    vga_bench_expect_pixel(bench, 56, 1000, vga_bench_colour(palette[0x0a]));
    vga_bench_expect_pixel(bench, 57, 1000, vga_bench_colour(palette[0]));
    vga_bench_expect_pixel(bench, 63, 1000, vga_bench_colour(palette[0x0a]));
    vga_bench_dispi(bench, X_OFFSET, 51);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 5, 1000, vga_bench_colour(palette[0x0a]));
    vga_bench_expect_pixel(bench, 6, 1000, vga_bench_colour(palette[0]));
    vga_bench_expect_pixel(bench, 12, 1000, vga_bench_colour(palette[0x0a]));
}

static void dac_has_eight_bits_when_asked(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    map_lfb(bench);
    set_dispi_mode(bench, 640, 480, 8);
    vga_bench_dac(bench, 1, 0x3f, 0x20, 0x01);
    vga_bench_dispi(bench, ENABLE, ENABLED | DAC_8BIT);
    vga_bench_out(bench, 0x3c7, 1);
    assert_int_equal(vga_bench_in(bench, 0x3c9), 0xfc);
    assert_int_equal(vga_bench_in(bench, 0x3c9), 0x80);
    assert_int_equal(vga_bench_in(bench, 0x3c9), 0x04);
    vga_bench_dac(bench, 2, 0x12, 0x34, 0xf7);
    vga_bench_poke(bench, LFB, 2);
    vga_bench_render(bench);
    vga_bench_expect_pixel(bench, 0, 0, 0x1234f7);
    vga_bench_dispi(bench, ENABLE, 0);
    vga_bench_out(bench, 0x3c7, 2);
    assert_int_equal(vga_bench_in(bench, 0x3c9), 0x12 >> 2);
}

static void disabling_returns_to_the_standard_mode(void **state)
{
    struct vga_bench *bench = *state;
    vga_bench_set_mode(bench, MODE_3);
    vga_bench_render(bench);
    vga_bench_expect_size(bench, 720, 400);
    set_dispi_mode(bench, 1024, 768, 16);
    vga_bench_render(bench);
    vga_bench_expect_size(bench, 1024, 768);
    vga_bench_dispi(bench, ENABLE, 0);
    vga_bench_render(bench);
    vga_bench_expect_size(bench, 720, 400);
    assert_true(bench->frame->text.active);
}

static void framebuffer_and_register_windows_move(void **state)
{
    struct vga_bench *bench = *state;
    map_lfb(bench);
    vga_bench_poke(bench, LFB, 0x42);
    struct status status = vga_set_lfb_base(bench->vga, 0xd0000000u);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(vga_bench_peek(bench, LFB), 0xff);
    assert_int_equal(vga_bench_peek(bench, 0xd0000000u), 0x42);
    status = vga_set_mmio_base(bench->vga, 0xd0000000u);
    assert_int_equal(status.code, STATUS_CONFLICT);
    status = vga_set_mmio_base(bench->vga, MMIO);
    assert_int_equal(status.code, STATUS_OK);
    memory_bus_write(bench->memory, MMIO + 0x500 + 2 * XRES, 2, 1152);
    assert_int_equal(vga_bench_dispi_read(bench, XRES), 1152);
    assert_int_equal(memory_bus_read(bench->memory, MMIO + 0x500, 2), 0xb0c5);
    memory_bus_write(bench->memory, MMIO + 0x400 + 2, 1, 0x63);
    assert_int_equal(vga_bench_in(bench, 0x3cc), 0x63);
    memory_bus_write(bench->memory, MMIO + 0x400 + 0x14, 2, 0x5a0f);
    assert_int_equal(vga_bench_crtc_read(bench, 0x0f), 0x5a);
    status = vga_set_mmio_base(bench->vga, VGA_UNMAPPED);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(memory_bus_read(bench->memory, MMIO + 0x500, 2), 0xffff);
    status = vga_set_lfb_base(bench->vga, VGA_UNMAPPED);
    assert_int_equal(status.code, STATUS_OK);
    assert_int_equal(vga_bench_peek(bench, 0xd0000000u), 0xff);
}

static void geometry_is_cut_to_the_memory(void **state)
{
    struct vga_bench *bench = *state;
    static const uint16_t values[] = {0, 1, 7, 8, 640, 1023, 4095, 4096, 4097, 0x7fff, 0xffff};
    static const uint16_t depths[] = {4, 8, 15, 16, 24, 32};
    vga_bench_set_mode(bench, MODE_3);
    map_lfb(bench);
    for (size_t d = 0; d < ARRAY_COUNT(depths); d++) {
        for (size_t i = 0; i < ARRAY_COUNT(values) * ARRAY_COUNT(values); i++) {
            uint16_t first = values[i % ARRAY_COUNT(values)], second = values[i / ARRAY_COUNT(values)];
            set_dispi_mode(bench, first, second, depths[d]);
            vga_bench_dispi(bench, VIRT_WIDTH, second);
            vga_bench_dispi(bench, X_OFFSET, first);
            vga_bench_dispi(bench, Y_OFFSET, second);
            uint32_t width = vga_bench_dispi_read(bench, XRES), height = vga_bench_dispi_read(bench, YRES);
            uint64_t bits = depths[d] == 15 ? 16 : depths[d];
            uint64_t bytes = vga_bench_dispi_read(bench, VIRT_WIDTH) * bits / 8;
            assert_true(width >= 1 && height >= 1);
            assert_true((vga_bench_dispi_read(bench, Y_OFFSET) + height) * bytes <= vga_lfb_size(bench->vga));
            if (i % 5 == 0) {
                vga_bench_render(bench);
                vga_bench_expect_size(bench, width, height);
            }
        }
    }
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525 + 1013904223;
    return *seed >> 8;
}

static void random_register_values_stay_inside_memory(void **state)
{
    struct vga_bench *bench = *state;
    uint32_t seed = 7;
    map_lfb(bench);
    for (unsigned round = 0; round < 300; round++) {
        vga_bench_set_mode(bench, (enum vga_mode_index)(next_random(&seed) % MODE_COUNT));
        vga_bench_crtc(bench, 0x11, 0x0e);
        for (unsigned i = 0; i < 12; i++) {
            uint8_t value = (uint8_t)next_random(&seed);
            switch (next_random(&seed) % 6) {
            case 0: vga_bench_sequencer(bench, next_random(&seed) & 7, value); break;
            case 1: vga_bench_graphics(bench, next_random(&seed) & 15, value); break;
            case 2: vga_bench_attribute(bench, next_random(&seed) & 31, value); break;
            case 3:
                if (next_random(&seed) % 8 == 0) {
                    vga_bench_dispi(bench, (uint16_t)(next_random(&seed) % 11), (uint16_t)next_random(&seed));
                }
                break;
            default: vga_bench_crtc(bench, (uint8_t)(next_random(&seed) % 25), value); break;
            }
        }
        for (unsigned i = 0; i < 50; i++) {
            uint32_t phys = 0xa0000 + (next_random(&seed) & 0x1ffff);
            memory_bus_write(bench->memory, phys, 8, next_random(&seed));
            memory_bus_read(bench->memory, phys, 8);
        }
        vga_bench_advance(bench, NS_PER_SECOND / 30);
        vga_bench_render(bench);
        assert_true(bench->frame->width <= 8192 && bench->frame->height <= 8192);
    }
}

#define VGA_TEST(function) cmocka_unit_test_setup_teardown(function, vga_bench_setup, vga_bench_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        VGA_TEST(identification_is_negotiated),
        VGA_TEST(data_port_has_an_aligned_twin_and_no_bytes),
        VGA_TEST(capabilities_are_the_limits),
        VGA_TEST(every_depth_shows_the_linear_framebuffer),
        VGA_TEST(only_what_was_stored_to_is_looked_at_again),
        VGA_TEST(framebuffer_stores_change_the_generation),
        VGA_TEST(enabling_clears_memory_unless_told_not_to),
        VGA_TEST(banks_move_the_window_at_a0000),
        VGA_TEST(virtual_screen_scrolls_in_both_directions),
        VGA_TEST(planar_depth_uses_planes_and_banks),
        VGA_TEST(dac_has_eight_bits_when_asked),
        VGA_TEST(disabling_returns_to_the_standard_mode),
        VGA_TEST(framebuffer_and_register_windows_move),
        VGA_TEST(geometry_is_cut_to_the_memory),
        VGA_TEST(random_register_values_stay_inside_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

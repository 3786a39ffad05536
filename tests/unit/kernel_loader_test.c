/* Kernel files: those that are right are laid out as their protocol says, those that are not are refused by a
 * message, and no bytes whatsoever make the parser look outside the file (the buffers are as long as the
 * file: ASan sees it). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bits.h"
#include "machine/kernel_image.h"
#include "machine/kernel_loader.h"

#define RAM        (64 * MIB)
#define SETUP_SIZE (5 * 512u)
#define FILE_SIZE  (SETUP_SIZE + 10000u)

#define MULTIBOOT_MAGIC 0x1BADB002u
#define ADDRESSES       0x10000u

/* A file of `size` bytes. */
static uint8_t *blank(size_t size)
{
    uint8_t *bytes = test_calloc(size, 1);
    return bytes;
}

/* A bzImage of protocol 2.15 with 4 setup sectors. */
static uint8_t *linux_file(void)
{
    uint8_t *bytes = blank(FILE_SIZE);
    bytes[0x1F1] = 4;
    store_le16(bytes + 0x1FE, 0xAA55);
    memcpy(bytes + 0x202, "HdrS", 4);
    store_le16(bytes + 0x206, 0x20F);
    bytes[0x211] = 1;
    store_le32(bytes + 0x22C, 0x37FFFFFF);
    store_le32(bytes + 0x238, 2047);
    store_le64(bytes + 0x258, 16 * MIB);
    store_le32(bytes + 0x260, 8 * MIB);
    return bytes;
}

static void put_multiboot(uint8_t *at, uint32_t flags)
{
    store_le32(at, MULTIBOOT_MAGIC);
    store_le32(at + 4, flags);
    store_le32(at + 8, 0u - MULTIBOOT_MAGIC - flags);
}

static void put_segment(uint8_t *at, uint32_t offset, uint32_t virtual_address, uint32_t address,
                        uint32_t file_size, uint32_t memory_size)
{
    const uint32_t fields[] = {1, offset, virtual_address, address, file_size, memory_size, 7, 4096};
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        store_le32(at + 4 * i, fields[i]);
    }
}

/* An ELF file with a segment at 1 MiB, linked for 3 GiB above that, and one that is only cleared. */
static uint8_t *elf_file(void)
{
    uint8_t *bytes = blank(FILE_SIZE);
    memcpy(bytes, "\177ELF\1\1\1", 7);
    store_le16(bytes + 16, 2);
    store_le16(bytes + 18, 3);
    store_le32(bytes + 24, 0xC0100010);
    store_le32(bytes + 28, 52);
    store_le16(bytes + 42, 32);
    store_le16(bytes + 44, 2);
    put_segment(bytes + 52, 4096, 0xC0100000, 0x100000, 3000, 5000);
    put_segment(bytes + 84, 0, 0xC0200000, 0x200000, 0, 0x1234);
    put_multiboot(bytes + 4096, 3);
    return bytes;
}

/* A flat file with the address fields in its header at 40h. */
static uint8_t *flat_file(void)
{
    uint8_t *bytes = blank(FILE_SIZE);
    put_multiboot(bytes + 0x40, ADDRESSES | 1);
    store_le32(bytes + 0x4C, 0x100040); /* the header's own address */
    store_le32(bytes + 0x50, 0x100000);
    store_le32(bytes + 0x54, 0x101000);
    store_le32(bytes + 0x58, 0x108000);
    store_le32(bytes + 0x5C, 0x100100);
    return bytes;
}

static struct status parse_with(const uint8_t *bytes, size_t size, uint64_t ram, struct kernel_image *image)
{
    return kernel_image_parse(bytes, size, "file", ram, image);
}

static void expect_parsed(const uint8_t *bytes, struct kernel_image *image)
{
    struct status status = parse_with(bytes, FILE_SIZE, RAM, image);
    if (!status_is_ok(&status)) {
        fail_msg("%s", status.message);
    }
}

/* Refused, with these words in the message; frees the file. */
static void expect_refused(uint8_t *bytes, size_t size, uint64_t ram, const char *words)
{
    uint8_t *exact = blank(size);
    memcpy(exact, bytes, size);
    struct kernel_image image;
    struct status status = parse_with(exact, size, ram, &image);
    if (status_is_ok(&status) || strstr(status.message, words) == NULL) {
        fail_msg("expected \"%s\", got \"%s\"", words, status.message);
    }
    test_free(exact);
    test_free(bytes);
}

/* ---- Linux */

static void a_bzimage_is_laid_out_as_its_header_says(void **state)
{
    (void)state;
    uint8_t *bytes = linux_file();
    struct kernel_image image;
    expect_parsed(bytes, &image);
    assert_int_equal(image.protocol, KERNEL_LINUX);
    assert_int_equal(image.load_count, 2);
    assert_int_equal(image.loads[0].offset, 0);
    assert_int_equal(image.loads[0].size, SETUP_SIZE);
    assert_int_equal(image.loads[0].address, 0x10000);
    assert_int_equal(image.loads[1].offset, SETUP_SIZE);
    assert_int_equal(image.loads[1].size, FILE_SIZE - SETUP_SIZE);
    assert_int_equal(image.loads[1].address, 0x100000);
    assert_int_equal(image.kernel_end, 24 * MIB);
    assert_int_equal(image.initrd_max, 0x37FFFFFF);
    assert_int_equal(image.command_line_max, 2047);
    test_free(bytes);
}

static void a_zimage_and_its_command_line_stay_below_640k(void **state)
{
    (void)state;
    uint8_t *bytes = linux_file();
    bytes[0x211] = 0;
    store_le16(bytes + 0x206, 0x201);
    struct kernel_image image;
    expect_parsed(bytes, &image);
    assert_int_equal(image.loads[0].address, 0x90000);
    assert_int_equal(image.loads[1].address, 0x10000);
    assert_int_equal(image.command_line_max, 255);
    struct kernel_linux_start start = kernel_image_prepare_setup(&image, bytes, "root=/dev/fd0", 0);
    assert_int_equal(start.command_line, 0x99FF0);
    assert_int_equal(start.stack, 0x9FF0);
    assert_int_equal(load_le16(bytes + 0x20), 0xA33F);
    assert_int_equal(load_le16(bytes + 0x22), 0x9FF0);
    test_free(bytes);
}

static void the_setup_header_is_filled_in(void **state)
{
    (void)state;
    uint8_t *bytes = linux_file();
    struct kernel_image image;
    expect_parsed(bytes, &image);
    store_le16(bytes + 0x1FA, 0x1234);
    struct kernel_linux_start start = kernel_image_prepare_setup(&image, bytes, "nvga=7 quiet", 4711);
    assert_int_equal(bytes[0x210], 0xFF);
    assert_int_equal(bytes[0x211], 0x81);
    assert_int_equal(load_le16(bytes + 0x224), 0xDE00);
    assert_int_equal(load_le32(bytes + 0x228), start.command_line);
    assert_int_equal(start.command_line, 0x20000);
    assert_int_equal(start.stack, 0xE000);
    assert_int_equal(load_le32(bytes + 0x21C), 4711);
    assert_int_equal(load_le16(bytes + 0x1FA), 0x1234);
    test_free(bytes);
}

static void vga_in_the_command_line_is_the_setups_video_mode(void **state)
{
    (void)state;
    static const struct {
        const char *command_line;
        uint16_t mode;
    } cases[] = {{"vga=0x317", 0x317},          {"quiet vga=791 ro", 791}, {"vga=ask", 0xFFFD},
                 {"vga=1 vga=ext", 0xFFFE},     {"vga=normal", 0xFFFF},    {"vga=", 0x1234},
                 {"vga=3x video=vga=5", 0x1234}};
    for (size_t i = 0; i < ARRAY_COUNT(cases); i++) {
        uint8_t *bytes = linux_file();
        struct kernel_image image;
        expect_parsed(bytes, &image);
        store_le16(bytes + 0x1FA, 0x1234);
        kernel_image_prepare_setup(&image, bytes, cases[i].command_line, 0);
        assert_int_equal(load_le16(bytes + 0x1FA), cases[i].mode);
        test_free(bytes);
    }
}

static void linux_files_that_cannot_be_started_are_refused(void **state)
{
    (void)state;
    expect_refused(linux_file(), 0x203, RAM, "not a kernel");
    expect_refused(linux_file(), 0x230, RAM, "ends in the setup code");
    expect_refused(linux_file(), SETUP_SIZE, RAM, "ends in the setup code");
    expect_refused(linux_file(), FILE_SIZE, 20 * MIB, "needs 24 MiB");
    uint8_t *bytes = linux_file();
    bytes[0x1F1] = 64;
    expect_refused(bytes, FILE_SIZE, RAM, "larger than 32 KiB");
    bytes = linux_file();
    store_le16(bytes + 0x206, 0x1FF);
    expect_refused(bytes, FILE_SIZE, RAM, "protocol");
    bytes = linux_file();
    store_le64(bytes + 0x258, UINT64_MAX - 5);
    expect_refused(bytes, FILE_SIZE, RAM, "MiB of memory");
}

/* ---- multiboot */

static void an_elf_kernels_segments_are_loaded_and_its_entry_is_physical(void **state)
{
    (void)state;
    uint8_t *bytes = elf_file();
    struct kernel_image image;
    expect_parsed(bytes, &image);
    assert_int_equal(image.protocol, KERNEL_MULTIBOOT);
    assert_int_equal(image.entry, 0x100010);
    assert_int_equal(image.load_count, 2);
    assert_int_equal(image.loads[0].offset, 4096);
    assert_int_equal(image.loads[0].size, 3000);
    assert_int_equal(image.loads[0].zeros, 2000);
    assert_int_equal(image.loads[1].address, 0x200000);
    assert_int_equal(image.loads[1].zeros, 0x1234);
    assert_int_equal(image.kernel_end, 0x201234);
    test_free(bytes);
}

static void address_fields_in_the_header_place_a_flat_kernel(void **state)
{
    (void)state;
    uint8_t *bytes = flat_file();
    struct kernel_image image;
    expect_parsed(bytes, &image);
    assert_int_equal(image.entry, 0x100100);
    assert_int_equal(image.load_count, 1);
    assert_int_equal(image.loads[0].offset, 0);
    assert_int_equal(image.loads[0].size, 0x1000);
    assert_int_equal(image.loads[0].zeros, 0x7000);
    assert_int_equal(image.kernel_end, 0x108000);
    store_le32(bytes + 0x54, 0); /* all of the file */
    expect_parsed(bytes, &image);
    assert_int_equal(image.loads[0].size, FILE_SIZE);
    test_free(bytes);
}

static void multiboot_files_that_cannot_be_started_are_refused(void **state)
{
    (void)state;
    uint8_t *bytes = blank(FILE_SIZE);
    put_multiboot(bytes + 8184, 3); /* its end is beyond the first 8192 bytes */
    expect_refused(bytes, FILE_SIZE, RAM, "not a kernel");
    bytes = blank(FILE_SIZE);
    put_multiboot(bytes, 3);
    expect_refused(bytes, FILE_SIZE, RAM, "neither addresses");
    bytes = blank(FILE_SIZE);
    put_multiboot(bytes, 0x13);
    expect_refused(bytes, FILE_SIZE, RAM, "flags 0010h");
    expect_refused(flat_file(), 0x50, RAM, "ends in the multiboot header");
    expect_refused(flat_file(), 0x200, RAM, "shorter than its multiboot header");
    expect_refused(flat_file(), FILE_SIZE, 1 * MIB, "needs 2 MiB");
    bytes = flat_file();
    store_le32(bytes + 0x4C, 0x0FFFFF);
    expect_refused(bytes, FILE_SIZE, RAM, "contradicts itself");
    bytes = flat_file();
    store_le32(bytes + 0x58, 0x100800);
    expect_refused(bytes, FILE_SIZE, RAM, "contradicts itself");
    bytes = flat_file();
    store_le32(bytes + 0x4C, 0x8040);
    store_le32(bytes + 0x50, 0x8000);
    store_le32(bytes + 0x54, 0x9000);
    expect_refused(bytes, FILE_SIZE, RAM, "wants to be at 00008000h");
}

static void elf_files_that_cannot_be_started_are_refused(void **state)
{
    (void)state;
    uint8_t *bytes = elf_file();
    bytes[4] = 2;
    expect_refused(bytes, FILE_SIZE, RAM, "32-bit x86 ELF");
    bytes = elf_file();
    store_le16(bytes + 44, 0xFFFF);
    expect_refused(bytes, FILE_SIZE, RAM, "program headers");
    bytes = elf_file();
    store_le16(bytes + 44, 0);
    expect_refused(bytes, FILE_SIZE, RAM, "no segments");
    bytes = elf_file();
    put_segment(bytes + 52, FILE_SIZE - 10, 0x100000, 0x100000, 11, 11);
    expect_refused(bytes, FILE_SIZE, RAM, "a segment is not in it");
    bytes = elf_file();
    put_segment(bytes + 52, 0, 0x100000, 0x100000, 11, 10);
    expect_refused(bytes, FILE_SIZE, RAM, "a segment is not in it");
    bytes = elf_file();
    put_segment(bytes + 52, 0, 0x100000, 0xFFFFF000, 0, 0xFFFFFFFF);
    expect_refused(bytes, FILE_SIZE, RAM, "MiB of memory");
    bytes = elf_file();
    store_le32(bytes + 4096, 0);
    expect_refused(bytes, FILE_SIZE, RAM, "the file to give is the bzImage");
}

/* ---- hostile files */

static uint32_t next_random(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

/* What the rest of the machine relies on. */
static void check_invariants(const struct kernel_image *image, size_t size)
{
    assert_in_range(image->load_count, 1, KERNEL_LOADS_MAX);
    assert_true(image->kernel_end <= RAM);
    for (unsigned i = 0; i < image->load_count; i++) {
        const struct kernel_load *load = &image->loads[i];
        assert_true((uint64_t)load->offset + load->size <= size);
        assert_true((uint64_t)load->address + load->size + load->zeros <= RAM);
        assert_true(load->address >= 0x10000);
    }
}

static void spoilt_headers_stay_inside_file_and_memory(void **state)
{
    (void)state;
    static uint8_t *(*const makers[])(void) = {linux_file, elf_file, flat_file};
    static const struct {
        size_t start, length;
    } headers[] = {{0x1F0, 0x80}, {0, 0x80}, {0x40, 0x20}};
    static const uint32_t values[] = {0, 1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, 0x100000, 0xFFFFF000, RAM};
    uint32_t seed = 0x1234567;
    unsigned accepted = 0;
    for (unsigned round = 0; round < 30000; round++) {
        unsigned kind = round % 3;
        uint8_t *bytes = makers[kind]();
        size_t size = next_random(&seed) % 2 ? FILE_SIZE : next_random(&seed) % FILE_SIZE;
        for (unsigned change = 0; change < 1 + round % 4; change++) {
            size_t at = headers[kind].start + next_random(&seed) % headers[kind].length;
            uint32_t random = next_random(&seed);
            store_le32(bytes + at, random % 2 ? random : values[random / 2 % ARRAY_COUNT(values)]);
        }
        uint8_t *exact = blank(size + (size == 0));
        memcpy(exact, bytes, size);
        struct kernel_image image;
        struct status status = parse_with(exact, size, RAM, &image);
        if (status_is_ok(&status)) {
            accepted++;
            check_invariants(&image, size);
            if (image.protocol == KERNEL_LINUX) {
                uint8_t *setup = blank(image.loads[0].size);
                memcpy(setup, exact, image.loads[0].size);
                kernel_image_prepare_setup(&image, setup, "vga=1", 0);
                test_free(setup);
            }
        } else {
            assert_int_not_equal(status.message[0], '\0');
        }
        test_free(exact);
        test_free(bytes);
    }
    assert_true(accepted > 1000); /* or the test would look at refusals only */
}

static void initrd_and_command_line_need_a_kernel(void **state)
{
    (void)state;
    struct status status = kernel_loader_check(&(struct machine_kernel_config){.initrd = "x"});
    assert_non_null(strstr(status.message, "-initrd needs"));
    status = kernel_loader_check(&(struct machine_kernel_config){.command_line = "x"});
    assert_non_null(strstr(status.message, "-append needs"));
    status =
        kernel_loader_check(&(struct machine_kernel_config){.path = "k", .initrd = "x", .command_line = "y"});
    assert_true(status_is_ok(&status));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_bzimage_is_laid_out_as_its_header_says),
        cmocka_unit_test(a_zimage_and_its_command_line_stay_below_640k),
        cmocka_unit_test(the_setup_header_is_filled_in),
        cmocka_unit_test(vga_in_the_command_line_is_the_setups_video_mode),
        cmocka_unit_test(linux_files_that_cannot_be_started_are_refused),
        cmocka_unit_test(an_elf_kernels_segments_are_loaded_and_its_entry_is_physical),
        cmocka_unit_test(address_fields_in_the_header_place_a_flat_kernel),
        cmocka_unit_test(multiboot_files_that_cannot_be_started_are_refused),
        cmocka_unit_test(elf_files_that_cannot_be_started_are_refused),
        cmocka_unit_test(spoilt_headers_stay_inside_file_and_memory),
        cmocka_unit_test(initrd_and_command_line_need_a_kernel),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

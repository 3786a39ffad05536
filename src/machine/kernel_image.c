/* See kernel_image.h. Linux first; a file that is both is started as Linux, whose header is at a fixed place.
 */
#include "machine/kernel_image.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

#define EXTENDED_MEMORY (1 * MIB)

/* The loader itself works below the first of these; the BIOS's data may begin at the second. */
#define LOW_MEMORY_START 0x10000u
#define LOW_MEMORY_END   0x9A000u

/* ---- Linux: fields of the setup header */

#define SECTOR 512u

#define LINUX_SETUP_SECTORS   0x1F1
#define LINUX_SYSTEM_SIZE     0x1F4 /* 16-byte paragraphs */
#define LINUX_VIDEO_MODE      0x1FA
#define LINUX_BOOT_FLAG       0x1FE
#define LINUX_MAGIC           0x202
#define LINUX_VERSION         0x206
#define LINUX_LOADER          0x210
#define LINUX_LOAD_FLAGS      0x211
#define LINUX_RAMDISK_IMAGE   0x218
#define LINUX_RAMDISK_SIZE    0x21C
#define LINUX_HEAP_END        0x224
#define LINUX_COMMAND_LINE    0x228
#define LINUX_INITRD_MAX      0x22C
#define LINUX_COMMAND_MAX     0x238
#define LINUX_PREFERRED       0x258
#define LINUX_INIT_SIZE       0x260
#define LINUX_HEADER_END      0x264
#define LINUX_OLD_COMMAND     0x20 /* a magic number and an offset, before protocol 2.02 */
#define LINUX_OLD_COMMAND_KEY 0xA33F

#define LOADED_HIGH  0x01
#define CAN_USE_HEAP 0x80

#define LOADER_UNDEFINED 0xFF /* no number is assigned to this one */

#define SETUP_DEFAULT_SECTORS 4
#define SETUP_MAX             0x8000u
#define SETUP_HIGH            0x90000u /* where old kernels have to have it */
#define SETUP_LOW             0x10000u
#define SETUP_STACK           0xE000
#define SETUP_OLD_COMMAND_END 0xA000u /* old kernels: the command line ends here in the setup's segment */
#define SETUP_HEAP_GAP        0x200
#define SETUP_COMMAND_LINE    0x20000u

#define INITRD_MAX_DEFAULT  0x37FFFFFFu
#define COMMAND_MAX_DEFAULT 255
#define COMMAND_MAX_LIMIT   0x10000u

/* ---- multiboot header and ELF */

#define MULTIBOOT_MAGIC       0x1BADB002u
#define MULTIBOOT_SEARCH      8192
#define MULTIBOOT_HEADER      12
#define MULTIBOOT_ADDRESSES   32         /* header length with the address fields */
#define MULTIBOOT_UNDERSTOOD  0x00000007 /* page alignment, memory, video */
#define MULTIBOOT_MUST        0x0000FFFF
#define MULTIBOOT_HAS_ADDRESS 0x00010000

#define ELF_HEADER         52
#define ELF_PROGRAM_HEADER 32
#define ELF_CLASS          4
#define ELF_DATA           5
#define ELF_MACHINE        18
#define ELF_ENTRY          24
#define ELF_PROGRAM_OFFSET 28
#define ELF_PROGRAM_SIZE   42
#define ELF_PROGRAM_COUNT  44
#define ELF_CLASS_32       1
#define ELF_LITTLE_ENDIAN  1
#define ELF_386            3
#define ELF_LOAD           1

static struct status damaged(const char *name, const char *what)
{
    return status_error(STATUS_CORRUPT, "the kernel %.120s is damaged: %s", name, what);
}

static struct status check_memory(const char *name, uint64_t end, uint64_t ram_size)
{
    if (end <= ram_size) {
        return status_ok();
    }
    return status_error(STATUS_INVALID_ARGUMENT,
                        "the kernel %.120s needs %llu MiB of memory, the machine has %llu (-m)", name,
                        (unsigned long long)((end + MIB - 1) / MIB), (unsigned long long)(ram_size / MIB));
}

/* ---- Linux */

static bool is_linux(const uint8_t *bytes, size_t size)
{
    return size >= LINUX_LOADER && load_le16(bytes + LINUX_BOOT_FLAG) == 0xAA55 &&
           memcmp(bytes + LINUX_MAGIC, "HdrS", 4) == 0;
}

/* Where a bzImage's memory ends while it starts: behind the file, or, where it says so, behind what it
 * unpacks to. */
static uint64_t linux_end(const uint8_t *bytes, uint16_t version, uint32_t size)
{
    uint64_t end = EXTENDED_MEMORY + size;
    if (version >= 0x20A) {
        uint64_t preferred = load_le64(bytes + LINUX_PREFERRED);
        uint64_t unpacked = preferred + load_le32(bytes + LINUX_INIT_SIZE);
        unpacked = unpacked < preferred ? UINT64_MAX - MIB : unpacked;
        end = unpacked > end ? unpacked : end;
    }
    return end;
}

static struct status parse_linux(const uint8_t *bytes, size_t size, const char *name, uint64_t ram_size,
                                 struct kernel_image *image)
{
    uint16_t version = load_le16(bytes + LINUX_VERSION);
    if (version < 0x200) {
        return status_error(STATUS_UNSUPPORTED,
                            "the kernel %.120s has boot protocol %u.%02u; 2.00 is the oldest known", name,
                            version >> 8, version & 0xFFu);
    }
    uint32_t sectors = bytes[LINUX_SETUP_SECTORS] != 0 ? bytes[LINUX_SETUP_SECTORS] : SETUP_DEFAULT_SECTORS;
    uint32_t setup_size = (sectors + 1) * SECTOR;
    if (setup_size > SETUP_MAX) {
        return damaged(name, "its setup is larger than 32 KiB");
    }
    if (size <= setup_size || size < LINUX_HEADER_END) {
        return damaged(name, "it ends in the setup code");
    }
    uint32_t kernel_size = (uint32_t)(size - setup_size);
    if (version >= 0x204 &&
        (uint64_t)load_le32(bytes + LINUX_SYSTEM_SIZE) * 16 > (uint64_t)kernel_size + 15) {
        return damaged(name, "it is shorter than its header says");
    }
    bool high = (bytes[LINUX_LOAD_FLAGS] & LOADED_HIGH) != 0;
    bool old = !high || version < 0x202;
    if (!high && kernel_size > SETUP_HIGH - LOW_MEMORY_START) {
        return damaged(name, "a zImage is at most 512 KiB long");
    }
    uint64_t end = high ? linux_end(bytes, version, kernel_size) : EXTENDED_MEMORY;
    struct status status = check_memory(name, end, ram_size);
    if (!status_is_ok(&status)) {
        return status;
    }
    uint32_t command_max = version >= 0x206 ? load_le32(bytes + LINUX_COMMAND_MAX) : COMMAND_MAX_DEFAULT;
    image->protocol = KERNEL_LINUX;
    image->version = version;
    image->entry = old ? SETUP_HIGH : SETUP_LOW;
    image->kernel_end = (uint32_t)end;
    image->initrd_max = version >= 0x203 ? load_le32(bytes + LINUX_INITRD_MAX) : INITRD_MAX_DEFAULT;
    image->command_line_max = command_max < COMMAND_MAX_LIMIT ? command_max : COMMAND_MAX_LIMIT - 1;
    if (old && image->command_line_max > COMMAND_MAX_DEFAULT) {
        image->command_line_max = COMMAND_MAX_DEFAULT; /* it has to share the setup's segment */
    }
    image->loads[0] = (struct kernel_load){.size = setup_size, .address = image->entry};
    image->loads[1] = (struct kernel_load){.offset = setup_size,
                                           .size = kernel_size,
                                           .address = high ? (uint32_t)EXTENDED_MEMORY : LOW_MEMORY_START};
    image->load_count = 2;
    return status_ok();
}

/* The last vga= of the command line as the setup's number: "normal", "ext", "ask" or a mode. False: there is
 * none. */
static bool find_video_mode(const char *command_line, uint16_t *mode)
{
    static const struct {
        const char *name;
        uint16_t mode;
    } names[] = {{"normal", 0xFFFF}, {"ext", 0xFFFE}, {"ask", 0xFFFD}};
    bool found = false;
    for (const char *at = command_line; (at = strstr(at, "vga=")) != NULL; at++) {
        if (at != command_line && at[-1] != ' ') {
            continue;
        }
        const char *value = at + 4;
        size_t length = strcspn(value, " ");
        char *end;
        unsigned long number = strtoul(value, &end, 0);
        if (length > 0 && end == value + length && number <= 0xFFFF) {
            *mode = (uint16_t)number;
            found = true;
        }
        for (size_t i = 0; i < ARRAY_COUNT(names); i++) {
            if (strlen(names[i].name) == length && strncmp(value, names[i].name, length) == 0) {
                *mode = names[i].mode;
                found = true;
            }
        }
    }
    return found;
}

struct kernel_linux_start kernel_image_prepare_setup(const struct kernel_image *image, uint8_t *setup,
                                                     const char *command_line, uint32_t initrd_size)
{
    bool old = image->entry == SETUP_HIGH;
    uint32_t old_offset = SETUP_OLD_COMMAND_END - (uint32_t)bits_align_up(strlen(command_line) + 1, 16);
    struct kernel_linux_start start = {.command_line = old ? SETUP_HIGH + old_offset : SETUP_COMMAND_LINE,
                                       .stack = old ? (uint16_t)old_offset : SETUP_STACK};
    setup[LINUX_LOADER] = LOADER_UNDEFINED;
    if (image->version >= 0x201) {
        setup[LINUX_LOAD_FLAGS] |= CAN_USE_HEAP;
        store_le16(setup + LINUX_HEAP_END, (uint16_t)(start.stack - SETUP_HEAP_GAP));
    }
    if (image->version >= 0x202) {
        store_le32(setup + LINUX_COMMAND_LINE, start.command_line);
    } else {
        store_le16(setup + LINUX_OLD_COMMAND, LINUX_OLD_COMMAND_KEY);
        store_le16(setup + LINUX_OLD_COMMAND + 2, (uint16_t)old_offset);
    }
    uint16_t mode;
    if (find_video_mode(command_line, &mode)) {
        store_le16(setup + LINUX_VIDEO_MODE, mode);
    }
    store_le32(setup + LINUX_RAMDISK_IMAGE, 0);
    store_le32(setup + LINUX_RAMDISK_SIZE, initrd_size);
    return start;
}

/* ---- multiboot */

/* Offset of the header; false: there is none. */
static bool find_multiboot(const uint8_t *bytes, size_t size, size_t *offset)
{
    for (size_t at = 0; at + MULTIBOOT_HEADER <= size && at + MULTIBOOT_HEADER <= MULTIBOOT_SEARCH; at += 4) {
        if (load_le32(bytes + at) == MULTIBOOT_MAGIC &&
            MULTIBOOT_MAGIC + load_le32(bytes + at + 4) + load_le32(bytes + at + 8) == 0) {
            *offset = at;
            return true;
        }
    }
    return false;
}

/* Takes `load` up when it is inside RAM that is free to load to. */
static struct status add_load(const char *name, uint64_t ram_size, const struct kernel_load *load,
                              struct kernel_image *image)
{
    uint64_t end = (uint64_t)load->address + load->size + load->zeros;
    if (image->load_count == KERNEL_LOADS_MAX) {
        return status_error(STATUS_UNSUPPORTED, "the kernel %.120s has more than %d segments", name,
                            KERNEL_LOADS_MAX);
    }
    bool is_low = load->address >= LOW_MEMORY_START && end <= LOW_MEMORY_END;
    if (!is_low && load->address < EXTENDED_MEMORY) {
        return status_error(
            STATUS_UNSUPPORTED,
            "the kernel %.100s wants to be at %08Xh, which is neither in %Xh-%Xh nor above 1 MiB", name,
            load->address, LOW_MEMORY_START, LOW_MEMORY_END - 1);
    }
    struct status status = check_memory(name, end, ram_size);
    if (status_is_ok(&status)) {
        image->loads[image->load_count++] = *load;
        image->kernel_end = end > image->kernel_end ? (uint32_t)end : image->kernel_end;
    }
    return status;
}

/* The address fields: one piece, and cleared memory behind it. */
static struct status parse_addresses(const uint8_t *bytes, size_t size, const char *name, uint64_t ram_size,
                                     size_t header, struct kernel_image *image)
{
    if (size - header < MULTIBOOT_ADDRESSES) {
        return damaged(name, "it ends in the multiboot header");
    }
    uint32_t header_address = load_le32(bytes + header + 12);
    uint32_t load_address = load_le32(bytes + header + 16);
    uint32_t load_end = load_le32(bytes + header + 20);
    uint32_t bss_end = load_le32(bytes + header + 24);
    if (header_address < load_address || header_address - load_address > header) {
        return damaged(name, "its multiboot header contradicts itself");
    }
    size_t offset = header - (header_address - load_address);
    size_t available = size - offset;
    if (load_end == 0) {
        if (available > UINT32_MAX - load_address) {
            return damaged(name, "it would end above 4 GiB");
        }
        load_end = load_address + (uint32_t)available;
    }
    if (load_end < load_address || (bss_end != 0 && bss_end < load_end)) {
        return damaged(name, "its multiboot header contradicts itself");
    }
    if (load_end - load_address > available) {
        return damaged(name, "it is shorter than its multiboot header says");
    }
    image->entry = load_le32(bytes + header + 28);
    const struct kernel_load load = {.offset = (uint32_t)offset,
                                     .size = load_end - load_address,
                                     .address = load_address,
                                     .zeros = bss_end != 0 ? bss_end - load_end : 0};
    return add_load(name, ram_size, &load, image);
}

static bool is_elf(const uint8_t *bytes, size_t size)
{
    return size >= ELF_HEADER && memcmp(bytes, "\177ELF", 4) == 0;
}

static struct status parse_elf(const uint8_t *bytes, size_t size, const char *name, uint64_t ram_size,
                               struct kernel_image *image)
{
    if (bytes[ELF_CLASS] != ELF_CLASS_32 || bytes[ELF_DATA] != ELF_LITTLE_ENDIAN ||
        load_le16(bytes + ELF_MACHINE) != ELF_386) {
        return status_error(STATUS_UNSUPPORTED,
                            "the kernel %.120s is not a 32-bit x86 ELF file, as multiboot asks for", name);
    }
    uint32_t table = load_le32(bytes + ELF_PROGRAM_OFFSET);
    uint32_t stride = load_le16(bytes + ELF_PROGRAM_SIZE);
    uint32_t count = load_le16(bytes + ELF_PROGRAM_COUNT);
    if (stride < ELF_PROGRAM_HEADER || table > size || (uint64_t)stride * count > size - table) {
        return damaged(name, "its program headers are not in it");
    }
    uint32_t entry = load_le32(bytes + ELF_ENTRY);
    image->entry = entry;
    for (uint32_t i = 0; i < count; i++) {
        const uint8_t *program = bytes + table + (size_t)stride * i;
        uint32_t offset = load_le32(program + 4);
        uint32_t virtual_address = load_le32(program + 8);
        uint32_t file_size = load_le32(program + 16);
        uint32_t memory_size = load_le32(program + 20);
        if (load_le32(program) != ELF_LOAD || memory_size == 0) {
            continue;
        }
        if (file_size > memory_size || offset > size || file_size > size - offset) {
            return damaged(name, "a segment is not in it");
        }
        const struct kernel_load load = {.offset = offset,
                                         .size = file_size,
                                         .address = load_le32(program + 12),
                                         .zeros = memory_size - file_size};
        struct status status = add_load(name, ram_size, &load, image);
        if (!status_is_ok(&status)) {
            return status;
        }
        if (entry >= virtual_address && entry - virtual_address < memory_size) {
            image->entry = entry - virtual_address + load.address;
        }
    }
    return image->load_count > 0 ? status_ok() : damaged(name, "it has no segments");
}

static struct status parse_multiboot(const uint8_t *bytes, size_t size, const char *name, uint64_t ram_size,
                                     size_t header, struct kernel_image *image)
{
    uint32_t flags = load_le32(bytes + header + 4);
    uint32_t unknown = flags & MULTIBOOT_MUST & ~(uint32_t)MULTIBOOT_UNDERSTOOD;
    if (unknown != 0) {
        return status_error(STATUS_UNSUPPORTED,
                            "the kernel %.120s asks for unknown multiboot features (flags %04Xh)", name,
                            unknown);
    }
    image->protocol = KERNEL_MULTIBOOT;
    image->kernel_end = (uint32_t)EXTENDED_MEMORY;
    if (flags & MULTIBOOT_HAS_ADDRESS) {
        return parse_addresses(bytes, size, name, ram_size, header, image);
    }
    return is_elf(bytes, size)
               ? parse_elf(bytes, size, name, ram_size, image)
               : damaged(name, "it has a multiboot header, but neither addresses in it nor the ELF format");
}

struct status kernel_image_parse(const uint8_t *bytes, size_t size, const char *name, uint64_t ram_size,
                                 struct kernel_image *image)
{
    *image = (struct kernel_image){0};
    if (size > UINT32_MAX) {
        return status_error(STATUS_UNSUPPORTED, "the kernel %.120s is larger than 4 GiB", name);
    }
    if (is_linux(bytes, size)) {
        return parse_linux(bytes, size, name, ram_size, image);
    }
    size_t header;
    if (find_multiboot(bytes, size, &header)) {
        return parse_multiboot(bytes, size, name, ram_size, header, image);
    }
    return status_error(STATUS_UNSUPPORTED,
                        "%.120s is not a kernel: it has neither a Linux nor a multiboot header%s", name,
                        is_elf(bytes, size) ? " (of Linux, the file to give is the bzImage)" : "");
}

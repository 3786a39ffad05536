/* The loader's 32-bit half: carries out the plan. Runs on flat segments without paging, with interrupts off.
 *
 * The RAM disk of Linux goes as high as it may, as its boot protocol recommends; modules of multiboot kernels
 * go right behind the kernel. Both stay inside the range of RAM, by the BIOS's map, that holds the first
 * megabyte's end: what the BIOS has reserved at the top (ACPI tables) is outside of it. */
#include <stddef.h>

#include "fw_cfg.h"
#include "layout.h"
#include "plan.h"

#define PAGE        4096u
#define EXTENDED    0x100000u
#define RANGE_RAM   1
#define MAX_LOADS   32
#define MAX_MODULES 32
#define MAX_STRINGS 8192

/* Linux boot protocol: ramdisk_image */
#define SETUP_RAMDISK_IMAGE 0x218

/* Multiboot 0.6.96 §3.3 */
#define INFO_MEMORY       0x0001
#define INFO_COMMAND_LINE 0x0004
#define INFO_MODULES      0x0008
#define INFO_MEMORY_MAP   0x0040
#define INFO_LOADER_NAME  0x0200
#define INFO_FRAMEBUFFER  0x1000

#define TEXT_FRAMEBUFFER 2

struct memory_range {
    uint32_t size;
    uint32_t base, base_high;
    uint32_t length, length_high;
    uint32_t type;
};

struct multiboot_info {
    uint32_t flags;
    uint32_t memory_lower, memory_upper; /* KiB below 640 KiB, and from 1 MiB on */
    uint32_t boot_device;
    uint32_t command_line;
    uint32_t module_count, modules;
    uint32_t symbols[4];
    uint32_t memory_map_size, memory_map;
    uint32_t drives_size, drives;
    uint32_t configuration_table;
    uint32_t loader_name;
    uint32_t apm_table;
    uint32_t vbe[4];
    uint32_t framebuffer, framebuffer_high;
    uint32_t framebuffer_pitch, framebuffer_width, framebuffer_height;
    uint8_t framebuffer_bits, framebuffer_type;
    uint8_t color_info[6];
};

struct multiboot_module {
    uint32_t start, end;
    uint32_t string;
    uint32_t reserved;
};

/* entry.S fills these in. */
extern struct memory_range memory_map[MEMORY_RANGES];
extern uint16_t memory_range_count, base_memory_kb;
/* And reads these. */
extern uint16_t linux_segment, linux_stack;

struct memory_range memory_map[MEMORY_RANGES];
uint16_t memory_range_count, base_memory_kb;
uint16_t linux_segment, linux_stack;

static struct plan plan;
static struct plan_load loads[MAX_LOADS];
static struct plan_module planned_modules[MAX_MODULES];
static struct multiboot_module modules[MAX_MODULES];
static struct multiboot_info info;
static char strings[MAX_STRINGS];
static const char loader_name[] = "doppel";

_Noreturn void multiboot_start(uint32_t entry, const struct multiboot_info *information);
const char *loader_run(void);

static const char transfer_failed[] = "the machine refused a transfer";

/* End of the RAM that begins at or below 1 MiB, at most the last page below 4 GiB; 0: there is none. */
static uint32_t end_of_memory(void)
{
    for (uint32_t i = 0; i < memory_range_count; i++) {
        const struct memory_range *range = &memory_map[i];
        uint32_t end = range->base + range->length;
        bool is_large = range->length_high != 0 || end < range->base;
        end = is_large ? 0u - PAGE : end;
        if (range->type == RANGE_RAM && range->base_high == 0 && range->base <= EXTENDED && end > EXTENDED) {
            return end;
        }
    }
    return 0;
}

static const char *read_plan(void)
{
    uint16_t key = fw_cfg_find(PLAN_FILE);
    if (key == 0 || !fw_cfg_read(key, 0, (uint32_t)&plan, sizeof plan)) {
        return "the machine has no plan for it";
    }
    if (plan.magic != PLAN_MAGIC || plan.load_count > MAX_LOADS || plan.module_count > MAX_MODULES ||
        plan.strings_size > MAX_STRINGS) {
        return "the machine's plan is not one of this loader's";
    }
    uint32_t offset = sizeof plan;
    if (!fw_cfg_read(key, offset, (uint32_t)loads, plan.load_count * sizeof loads[0])) {
        return transfer_failed;
    }
    offset += plan.load_count * sizeof loads[0];
    if (!fw_cfg_read(key, offset, (uint32_t)planned_modules, plan.module_count * sizeof planned_modules[0])) {
        return transfer_failed;
    }
    return NULL;
}

static const char *load_kernel(void)
{
    for (uint32_t i = 0; i < plan.load_count; i++) {
        const struct plan_load *load = &loads[i];
        if (!fw_cfg_read((uint16_t)load->key, load->offset, load->address, load->size)) {
            return transfer_failed;
        }
        __builtin_memset((void *)(load->address + load->size), 0, load->zeros);
    }
    return NULL;
}

static const char *prepare_linux(uint32_t memory_end)
{
    uint32_t end = plan.initrd_max < memory_end ? plan.initrd_max + 1 : memory_end;
    if (plan.initrd_size != 0) {
        uint32_t start = (end - plan.initrd_size) & ~(PAGE - 1);
        if (plan.initrd_size > end || start < plan.kernel_end) {
            return "the initial RAM disk does not fit between the kernel and the end of memory";
        }
        if (!fw_cfg_read(FW_CFG_INITRD, 0, start, plan.initrd_size)) {
            return transfer_failed;
        }
        *(uint32_t *)(plan.entry + SETUP_RAMDISK_IMAGE) = start;
    }
    linux_segment = (uint16_t)(plan.entry >> 4);
    linux_stack = (uint16_t)plan.stack;
    return NULL;
}

static const char *start_multiboot(uint32_t memory_end)
{
    uint32_t start = (plan.kernel_end + PAGE - 1) & ~(PAGE - 1);
    if (start > memory_end || plan.initrd_size > memory_end - start) {
        return "the modules do not fit between the kernel and the end of memory";
    }
    if (!fw_cfg_read(FW_CFG_INITRD, 0, start, plan.initrd_size) ||
        !fw_cfg_read(FW_CFG_COMMAND_LINE, 0, (uint32_t)strings, plan.strings_size)) {
        return transfer_failed;
    }
    for (uint32_t i = 0; i < plan.module_count; i++) {
        modules[i].start = start + planned_modules[i].offset;
        modules[i].end = modules[i].start + planned_modules[i].size;
        modules[i].string = (uint32_t)strings + planned_modules[i].string;
    }
    info = (struct multiboot_info){
        .flags = INFO_MEMORY | INFO_COMMAND_LINE | INFO_MODULES | INFO_MEMORY_MAP | INFO_LOADER_NAME |
                 INFO_FRAMEBUFFER,
        .memory_lower = base_memory_kb,
        .memory_upper = (memory_end - EXTENDED) / 1024,
        .command_line = (uint32_t)strings,
        .module_count = plan.module_count,
        .modules = (uint32_t)modules,
        .memory_map_size = memory_range_count * sizeof memory_map[0],
        .memory_map = (uint32_t)memory_map,
        .loader_name = (uint32_t)loader_name,
        .framebuffer = 0xb8000,
        .framebuffer_pitch = 160,
        .framebuffer_width = 80,
        .framebuffer_height = 25,
        .framebuffer_bits = 16,
        .framebuffer_type = TEXT_FRAMEBUFFER,
    };
    multiboot_start(plan.entry, &info);
}

/* Loads everything. Returns NULL when a Linux kernel's setup is to be entered, or what went wrong, for the
 * screen; a multiboot kernel is started right away. */
const char *loader_run(void)
{
    uint32_t memory_end = end_of_memory();
    if (memory_end == 0) {
        return "the BIOS knows of no memory above 1 MiB";
    }
    const char *failure = read_plan();
    if (failure == NULL && plan.kernel_end > memory_end) {
        failure = "the kernel needs more memory than there is";
    }
    if (failure == NULL) {
        failure = load_kernel();
    }
    if (failure == NULL) {
        failure = plan.protocol == PLAN_LINUX ? prepare_linux(memory_end) : start_multiboot(memory_end);
    }
    return failure;
}

/* See kernel_loader.h. */
#include "machine/kernel_loader.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "devices/fw_cfg.h"
#include "machine/input_file.h"
#include "machine/kernel_image.h"
#include "machine/kernel_rom.h"

/* roms/kernel-loader/plan.h and loader.c */
#define PLAN_FILE        "doppel/kernel-plan"
#define PLAN_MAGIC       0x314E4C50
#define PLAN_NUMBERS     10
#define PLAN_LOADS_MAX   32
#define PLAN_MODULES_MAX 32
#define PLAN_STRINGS_MAX 8192

#define ROM_FILE "genroms/kernel-loader.bin"

struct blob {
    uint8_t *bytes; /* owned */
    size_t size;
};

/* A 32-bit little-endian list that grows to a fixed size. */
struct plan {
    uint8_t bytes[4 * (PLAN_NUMBERS + 5 * PLAN_LOADS_MAX + 3 * PLAN_MODULES_MAX)];
    size_t size;
};

struct modules {
    struct blob data; /* each from a page's start on */
    char strings[PLAN_STRINGS_MAX];
    size_t strings_size;
    unsigned count;
    struct {
        uint32_t offset, size, string;
    } list[PLAN_MODULES_MAX];
};

struct status kernel_loader_check(const struct machine_kernel_config *config)
{
    if (config->path == NULL && config->initrd != NULL) {
        return status_error(STATUS_INVALID_ARGUMENT, "-initrd needs a kernel: give it with -kernel FILE");
    }
    if (config->path == NULL && config->command_line != NULL) {
        return status_error(STATUS_INVALID_ARGUMENT, "-append needs a kernel: give it with -kernel FILE");
    }
    return status_ok();
}

/* Appends the file to the blob, from the next page's start on; *offset is where that is. */
static struct status append_file(const char *path, const char *what, struct blob *blob, size_t *offset)
{
    FILE *file;
    uint64_t size;
    struct status status = input_file_open(path, what, &file, &size);
    if (!status_is_ok(&status)) {
        return status;
    }
    *offset = (size_t)bits_align_up(blob->size, PAGE_SIZE);
    uint8_t *bytes = NULL;
    if (size > UINT32_MAX - *offset) {
        status = status_error(STATUS_INVALID_ARGUMENT, "the %s %.150s is larger than 4 GiB", what, path);
    } else {
        bytes = realloc(blob->bytes, *offset + (size_t)size);
        status = bytes != NULL
                     ? status_ok()
                     : status_error(STATUS_NO_MEMORY, "out of memory for the %s %.150s", what, path);
    }
    if (bytes != NULL) {
        memset(bytes + blob->size, 0, *offset - blob->size);
        blob->bytes = bytes;
        if (fread(bytes + *offset, 1, (size_t)size, file) == size) {
            blob->size = *offset + (size_t)size;
        } else {
            status = status_error(STATUS_IO_ERROR, "cannot read the %s %.150s", what, path);
        }
    }
    fclose(file);
    return status;
}

/* ---- the plan */

static void plan_add(struct plan *plan, uint32_t number)
{
    store_le32(plan->bytes + plan->size, number);
    plan->size += 4;
}

static void plan_add_load(struct plan *plan, uint32_t key, const struct kernel_load *load)
{
    plan_add(plan, key);
    plan_add(plan, load->offset);
    plan_add(plan, load->size);
    plan_add(plan, load->address);
    plan_add(plan, load->zeros);
}

struct plan_head {
    uint32_t stack, initrd_size, strings_size, load_count, module_count;
};

static void plan_begin(struct plan *plan, const struct kernel_image *image, const struct plan_head *head)
{
    plan->size = 0;
    plan_add(plan, PLAN_MAGIC);
    plan_add(plan, image->protocol);
    plan_add(plan, image->entry);
    plan_add(plan, head->stack);
    plan_add(plan, image->kernel_end);
    plan_add(plan, image->initrd_max);
    plan_add(plan, head->initrd_size);
    plan_add(plan, head->strings_size);
    plan_add(plan, head->load_count);
    plan_add(plan, head->module_count);
}

struct number_item {
    uint16_t key;
    uint32_t value;
};

struct bytes_item {
    uint16_t key;
    const void *bytes;
    size_t size;
};

static struct status add_items(struct fw_cfg *fw_cfg, const struct number_item *numbers, size_t number_count,
                               const struct bytes_item *items, size_t item_count)
{
    struct status status = status_ok();
    for (size_t i = 0; i < number_count && status_is_ok(&status); i++) {
        status = fw_cfg_add_number(fw_cfg, numbers[i].key, numbers[i].value, 4);
    }
    for (size_t i = 0; i < item_count && status_is_ok(&status); i++) {
        status = fw_cfg_add_bytes(fw_cfg, items[i].key, items[i].bytes, items[i].size);
    }
    return status;
}

static struct status add_files(struct fw_cfg *fw_cfg, const struct plan *plan)
{
    struct status status = fw_cfg_add_file(fw_cfg, PLAN_FILE, plan->bytes, plan->size);
    return status_is_ok(&status) ? fw_cfg_add_file(fw_cfg, ROM_FILE, kernel_rom, kernel_rom_size) : status;
}

/* Memory between the kernel and `end` has to take `size` bytes. */
static struct status check_room(const char *what, const char *path, uint64_t size,
                                const struct kernel_image *image, uint64_t end)
{
    uint64_t start = bits_align_up(image->kernel_end, PAGE_SIZE);
    if (start <= end && size <= end - start) {
        return status_ok();
    }
    return status_error(
        STATUS_INVALID_ARGUMENT,
        "the %s %.100s (%llu KiB) does not fit between the kernel, which ends at %llu KiB, and %llu KiB (-m)",
        what, path, (unsigned long long)(size / KIB), (unsigned long long)(start / KIB),
        (unsigned long long)(end / KIB));
}

/* ---- Linux */

static struct status install_linux(struct fw_cfg *fw_cfg, const struct machine_kernel_config *config,
                                   uint64_t ram_size, const struct kernel_image *image, struct blob *kernel,
                                   struct blob *initrd)
{
    const char *command_line = config->command_line != NULL ? config->command_line : "";
    size_t length = strlen(command_line);
    if (length > image->command_line_max) {
        return status_error(STATUS_INVALID_ARGUMENT, "the command line has %zu bytes; this kernel takes %u",
                            length, image->command_line_max);
    }
    if (config->initrd != NULL) {
        size_t offset;
        struct status status = append_file(config->initrd, "initial RAM disk", initrd, &offset);
        if (status_is_ok(&status)) {
            uint64_t end = (uint64_t)image->initrd_max + 1;
            status = check_room("initial RAM disk", config->initrd, initrd->size, image,
                                end < ram_size ? end : ram_size);
        }
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    const struct kernel_load *setup = &image->loads[0];
    const struct kernel_load *proper = &image->loads[1];
    struct kernel_linux_start start =
        kernel_image_prepare_setup(image, kernel->bytes, command_line, (uint32_t)initrd->size);
    const struct plan_head head = {
        .stack = start.stack, .initrd_size = (uint32_t)initrd->size, .load_count = 3};
    struct plan plan;
    plan_begin(&plan, image, &head);
    plan_add_load(&plan, FW_CFG_SETUP_DATA, setup);
    plan_add_load(&plan, FW_CFG_KERNEL_DATA,
                  &(struct kernel_load){.size = proper->size, .address = proper->address});
    plan_add_load(&plan, FW_CFG_COMMAND_LINE_DATA,
                  &(struct kernel_load){.size = (uint32_t)length + 1, .address = start.command_line});
    const struct number_item numbers[] = {{FW_CFG_SETUP_ADDRESS, setup->address},
                                          {FW_CFG_SETUP_SIZE, setup->size},
                                          {FW_CFG_KERNEL_ADDRESS, proper->address},
                                          {FW_CFG_KERNEL_SIZE, proper->size},
                                          {FW_CFG_COMMAND_LINE_ADDRESS, start.command_line},
                                          {FW_CFG_COMMAND_LINE_SIZE, (uint32_t)length + 1},
                                          {FW_CFG_INITRD_SIZE, (uint32_t)initrd->size}};
    const struct bytes_item items[] = {{FW_CFG_SETUP_DATA, kernel->bytes, setup->size},
                                       {FW_CFG_KERNEL_DATA, kernel->bytes + proper->offset, proper->size},
                                       {FW_CFG_COMMAND_LINE_DATA, command_line, length + 1},
                                       {FW_CFG_INITRD_DATA, initrd->bytes, initrd->size}};
    struct status status =
        add_items(fw_cfg, numbers, ARRAY_COUNT(numbers), items, config->initrd != NULL ? 4 : 3);
    return status_is_ok(&status) ? add_files(fw_cfg, &plan) : status;
}

/* ---- multiboot */

static struct status add_string(struct modules *modules, const char *text, size_t length, uint32_t *offset)
{
    if (length >= sizeof modules->strings - modules->strings_size) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "the command lines of kernel and modules are longer than %d bytes",
                            PLAN_STRINGS_MAX - 1);
    }
    *offset = (uint32_t)modules->strings_size;
    memcpy(modules->strings + *offset, text, length);
    modules->strings[*offset + length] = '\0';
    modules->strings_size += length + 1;
    return status_ok();
}

/* Copies one module's text from the list at *at and moves on behind it. */
static void next_module_text(const char **at, char *text)
{
    const char *from = *at;
    while (*from != '\0' && (*from != ',' || from[1] == ',')) {
        from += *from == ',';
        *text++ = *from++;
    }
    *text = '\0';
    *at = *from == ',' ? from + 1 : from;
}

static struct status add_module(struct modules *modules, char *text)
{
    if (modules->count == PLAN_MODULES_MAX) {
        return status_error(STATUS_INVALID_ARGUMENT, "there are more than %d modules", PLAN_MODULES_MAX);
    }
    uint32_t string = 0;
    struct status status = add_string(modules, text, strlen(text), &string);
    if (status_is_ok(&status)) {
        size_t offset;
        text[strcspn(text, " ")] = '\0';
        status = append_file(text, "module", &modules->data, &offset);
        if (status_is_ok(&status)) {
            modules->list[modules->count].offset = (uint32_t)offset;
            modules->list[modules->count].size = (uint32_t)(modules->data.size - offset);
            modules->list[modules->count].string = string;
            modules->count++;
        }
    }
    return status;
}

/* The kernel's file name and command line, and all modules. */
static struct status read_modules(const struct machine_kernel_config *config, struct modules *modules)
{
    const char *list = config->initrd != NULL ? config->initrd : "";
    const char *arguments = config->command_line != NULL ? config->command_line : "";
    size_t path_length = strlen(config->path);
    size_t argument_length = strlen(arguments);
    size_t list_length = strlen(list);
    size_t size = path_length + argument_length + list_length + 2;
    char *text = malloc(size);
    if (text == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    uint32_t string;
    int length = snprintf(text, size, "%s%s%s", config->path, argument_length > 0 ? " " : "", arguments);
    struct status status = add_string(modules, text, (size_t)length, &string);
    while (*list != '\0' && status_is_ok(&status)) {
        next_module_text(&list, text);
        status = add_module(modules, text);
    }
    free(text);
    return status;
}

static struct status install_multiboot(struct fw_cfg *fw_cfg, const struct machine_kernel_config *config,
                                       uint64_t ram_size, const struct kernel_image *image,
                                       const struct blob *kernel, struct modules *modules)
{
    struct status status = read_modules(config, modules);
    if (status_is_ok(&status) && modules->count > 0) {
        status = check_room("modules", config->initrd, modules->data.size, image, ram_size);
    }
    if (!status_is_ok(&status)) {
        return status;
    }
    const struct plan_head head = {.initrd_size = (uint32_t)modules->data.size,
                                   .strings_size = (uint32_t)modules->strings_size,
                                   .load_count = image->load_count,
                                   .module_count = modules->count};
    struct plan plan;
    plan_begin(&plan, image, &head);
    for (unsigned i = 0; i < image->load_count; i++) {
        plan_add_load(&plan, FW_CFG_KERNEL_DATA, &image->loads[i]);
    }
    for (unsigned i = 0; i < modules->count; i++) {
        plan_add(&plan, modules->list[i].offset);
        plan_add(&plan, modules->list[i].size);
        plan_add(&plan, modules->list[i].string);
    }
    const struct number_item numbers[] = {{FW_CFG_KERNEL_ENTRY, image->entry},
                                          {FW_CFG_KERNEL_SIZE, (uint32_t)kernel->size},
                                          {FW_CFG_COMMAND_LINE_SIZE, (uint32_t)modules->strings_size},
                                          {FW_CFG_INITRD_SIZE, (uint32_t)modules->data.size}};
    const struct bytes_item items[] = {{FW_CFG_KERNEL_DATA, kernel->bytes, kernel->size},
                                       {FW_CFG_COMMAND_LINE_DATA, modules->strings, modules->strings_size},
                                       {FW_CFG_INITRD_DATA, modules->data.bytes, modules->data.size}};
    status = add_items(fw_cfg, numbers, ARRAY_COUNT(numbers), items, modules->count > 0 ? 3 : 2);
    return status_is_ok(&status) ? add_files(fw_cfg, &plan) : status;
}

struct status kernel_loader_install(struct fw_cfg *fw_cfg, const struct machine_kernel_config *config,
                                    uint64_t ram_size)
{
    if (config->path == NULL) {
        return status_ok();
    }
    struct blob kernel = {0};
    struct kernel_image image;
    size_t offset;
    struct status status = append_file(config->path, "kernel", &kernel, &offset);
    if (status_is_ok(&status)) {
        status = kernel_image_parse(kernel.bytes, kernel.size, config->path, ram_size, &image);
    }
    if (status_is_ok(&status) && image.protocol == KERNEL_LINUX) {
        struct blob initrd = {0};
        status = install_linux(fw_cfg, config, ram_size, &image, &kernel, &initrd);
        free(initrd.bytes);
    } else if (status_is_ok(&status)) {
        struct modules *modules = calloc(1, sizeof *modules);
        status = modules != NULL ? install_multiboot(fw_cfg, config, ram_size, &image, &kernel, modules)
                                 : status_error(STATUS_NO_MEMORY, "out of memory");
        if (modules != NULL) {
            free(modules->data.bytes);
        }
        free(modules);
    }
    free(kernel.bytes);
    return status;
}

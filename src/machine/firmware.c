/* ROM files; see firmware.h. */
#include "machine/firmware.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "machine/input_file.h"

#define ROM_PAGE        (4 * KIB)
#define SYSTEM_MAX      (1 * MIB)
#define VGA_ROM_MAX     (128 * KIB)
#define OPTION_ROM_UNIT 512u
#define SEARCH_PATHS    "/usr/share/seabios:/usr/share/qemu"

/* Reads a whole file of at most `limit` bytes, a multiple of `granularity`; rounded up to pages with FFh. */
static struct status read_rom(const char *path, uint64_t limit, uint64_t granularity,
                              struct firmware *firmware)
{
    FILE *file;
    uint64_t size;
    struct status status = input_file_open(path, "ROM", &file, &size);
    if (!status_is_ok(&status)) {
        return status;
    }
    if (size > limit || size % granularity != 0) {
        fclose(file);
        return status_error(STATUS_INVALID_ARGUMENT,
                            "the ROM %.100s has %llu bytes; it must be a multiple of %llu up to %llu KiB",
                            path, (unsigned long long)size, (unsigned long long)granularity,
                            (unsigned long long)(limit / KIB));
    }
    firmware->size = (size_t)bits_align_up(size, ROM_PAGE);
    firmware->bytes = malloc(firmware->size);
    if (firmware->bytes == NULL) {
        status = status_error(STATUS_NO_MEMORY, "out of memory for the ROM %.150s", path);
    } else {
        memset(firmware->bytes, 0xFF, firmware->size);
        if (fread(firmware->bytes, 1, (size_t)size, file) != size) {
            status = status_error(STATUS_IO_ERROR, "cannot read the ROM %.150s", path);
        }
    }
    fclose(file);
    if (status_is_ok(&status)) {
        snprintf(firmware->path, sizeof firmware->path, "%s", path);
    } else {
        firmware_release(firmware);
    }
    return status;
}

/* Looks for `name` in a list of directories separated by colons. */
static bool find_in(const char *directories, const char *name, char path[FIRMWARE_PATH_MAX])
{
    for (const char *at = directories; at != NULL && *at != '\0';) {
        size_t length = strcspn(at, ":");
        int written = snprintf(path, FIRMWARE_PATH_MAX, "%.*s/%s", (int)length, at, name);
        if (length > 0 && written < FIRMWARE_PATH_MAX && access(path, R_OK) == 0) {
            return true;
        }
        at = at[length] == ':' ? at + length + 1 : NULL;
    }
    return false;
}

static struct status find_rom(const char *const names[], const char *option, char path[FIRMWARE_PATH_MAX])
{
    const char *own = getenv("DOPPEL_ROMS");
    for (size_t i = 0; names[i] != NULL; i++) {
        if (find_in(own, names[i], path) || find_in(SEARCH_PATHS, names[i], path)) {
            return status_ok();
        }
    }
    return status_error(
        STATUS_NOT_FOUND,
        "%s was not found in %s%s%s: install the package seabios (Debian, Ubuntu: apt install seabios) or "
        "name a file with %s",
        names[0], own != NULL ? own : "", own != NULL ? ":" : "", SEARCH_PATHS, option);
}

struct status firmware_load_system(const char *path, struct firmware *firmware)
{
    static const char *const names[] = {"bios-256k.bin", "bios.bin", NULL};
    char found[FIRMWARE_PATH_MAX];
    if (path == NULL) {
        struct status status = find_rom(names, "-bios", found);
        if (!status_is_ok(&status)) {
            return status;
        }
        path = found;
    }
    return read_rom(path, SYSTEM_MAX, ROM_PAGE, firmware);
}

struct status firmware_load_vga(const char *path, struct firmware *firmware)
{
    static const char *const names[] = {"vgabios-stdvga.bin", "vgabios.bin", NULL};
    char found[FIRMWARE_PATH_MAX];
    if (path == NULL) {
        struct status status = find_rom(names, "-vgabios", found);
        if (!status_is_ok(&status)) {
            return status;
        }
        path = found;
    }
    struct status status = read_rom(path, VGA_ROM_MAX, OPTION_ROM_UNIT, firmware);
    if (status_is_ok(&status) && (firmware->bytes[0] != 0x55 || firmware->bytes[1] != 0xAA)) {
        firmware_release(firmware);
        return status_error(STATUS_INVALID_ARGUMENT, "%s is not an option ROM: it does not begin with 55 AA",
                            path);
    }
    return status;
}

void firmware_release(struct firmware *firmware)
{
    free(firmware->bytes);
    *firmware = (struct firmware){0};
}

/* What two machines must have in common for the same inputs to lead to the same run: lines "NAME: VALUE". The
 * first line that differs is the message for the user, so what people choose comes before what follows from
 * it.
 *
 * Not among them: the engine and how it translates, which no guest can see, and where output goes. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "cpu/habits.h"
#include "devices/floppy.h"
#include "devices/fw_cfg.h"
#include "devices/ide.h"
#include "devices/mc146818.h"
#include "machine/machine_internal.h"

#define CMOS_FIRST 0x0E  /* below are the clock's registers */
#define PIECE      2048u /* sectors */

struct status machine_image_crc(struct block_device *image, uint32_t *crc)
{
    *crc = 0;
    uint8_t *bytes = malloc((size_t)PIECE * BLOCK_SECTOR_SIZE);
    if (bytes == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    struct status status = status_ok();
    uint64_t sectors = block_device_sectors(image);
    for (uint64_t sector = 0; sector < sectors && status_is_ok(&status);) {
        uint32_t count = sectors - sector < PIECE ? (uint32_t)(sectors - sector) : PIECE;
        status = block_device_read(image, sector, count, bytes);
        if (status_is_ok(&status)) {
            *crc = crc32_append(*crc, bytes, (size_t)count * BLOCK_SECTOR_SIZE);
        }
        sector += count;
    }
    free(bytes);
    return status;
}

struct status machine_image_check(struct block_device *image, uint32_t crc)
{
    uint32_t present;
    struct status status = machine_image_crc(image, &present);
    if (status_is_ok(&status) && present != crc) {
        status = status_error(STATUS_CORRUPT, "the image '%.150s' is not what it was when it was recorded",
                              block_device_path(image));
    }
    return status;
}

static struct status describe_image(FILE *out, struct block_device *image)
{
    if (image == NULL) {
        fputs("empty\n", out);
        return status_ok();
    }
    uint32_t crc;
    struct status status = machine_image_crc(image, &crc);
    fprintf(out, "%s%" PRIu64 " sectors with CRC-32 %08" PRIx32 "\n",
            block_device_is_read_only(image) ? "read-only, " : "", block_device_sectors(image), crc);
    return status;
}

static struct status describe_floppies(struct machine *machine, FILE *out)
{
    struct status status = status_ok();
    for (unsigned i = 0; i < MACHINE_FLOPPIES && status_is_ok(&status); i++) {
        enum floppy_drive_type type = floppy_type(machine->chips.floppy, i);
        fprintf(out, "floppy drive %c: ", 'A' + (int)i);
        if (type == FLOPPY_DRIVE_NONE) {
            fputs("none\n", out);
        } else {
            fprintf(out, "%s, ", floppy_drive_type_name(type));
            status = describe_image(out, floppy_image(machine->chips.floppy, i));
        }
    }
    return status;
}

static struct status describe_ide(struct machine *machine, FILE *out)
{
    struct status status = status_ok();
    for (unsigned i = 0; i < MACHINE_IDE_DRIVES && status_is_ok(&status); i++) {
        unsigned channel = i / IDE_CHANNEL_DRIVES;
        unsigned unit = i % IDE_CHANNEL_DRIVES;
        enum ide_kind kind = ide_drive_kind(machine->chips.ide, channel, unit);
        fprintf(out, "hd%c: ", 'a' + (int)i);
        if (kind == IDE_NONE) {
            fputs("none\n", out);
            continue;
        }
        if (kind == IDE_DISK) {
            struct ide_geometry geometry = ide_disk_geometry(machine->chips.ide, channel, unit);
            fprintf(out, "disk of %u/%u/%u, ", geometry.cylinders, geometry.heads, geometry.sectors);
        } else {
            fputs("CD-ROM drive, ", out);
        }
        status = describe_image(out, ide_image(machine->chips.ide, channel, unit));
    }
    return status;
}

static void describe_rom(FILE *out, const char *name, const struct firmware *rom)
{
    fprintf(out, "%s: %zu bytes with CRC-32 %08" PRIx32 "\n", name, rom->size,
            crc32_append(0, rom->bytes, rom->size));
}

/* By its name, and by what the name stands for here. */
static void describe_processor(FILE *out, const struct cpu_model *model)
{
    char text[CPU_MODEL_TEXT];
    cpu_model_print(model, text, sizeof text);
    fprintf(out, "processor: %s\n", text);
    fputs("processor's features:", out);
    for (unsigned i = 0; i < FEATURE_WORDS; i++) {
        fprintf(out, " %08" PRIx32, model->features[i]);
    }
    fputc('\n', out);
}

static uint32_t settings_crc(struct machine *machine)
{
    uint8_t cmos[256] = {0};
    for (unsigned i = CMOS_FIRST; i < sizeof cmos; i++) {
        if (i != MC146818_CENTURY) {
            cmos[i] = mc146818_cmos(machine->chips.rtc, (uint8_t)i);
        }
    }
    return crc32_append(fw_cfg_crc(machine->chips.fw_cfg), cmos, sizeof cmos);
}

static struct status describe(struct machine *machine, FILE *out)
{
    const struct machine_debug_exit_config *exit_port = &machine->debug_exit;
    fprintf(out, "memory: %" PRIu64 " KiB\n", memory_bus_ram_size(machine->memory) / KIB);
    describe_processor(out, &machine->model);
    fprintf(out, "results that are the host processor's: CRC-32 %08" PRIx32 "\n",
            cpu_habits_crc(&machine->model));
    fprintf(out, "time of an instruction: %" PRIu64 " ns\n", machine->ns_per_instruction);
    fprintf(out, "clock at power-on: %" PRIu64 " s\n", machine->rtc_epoch);
    describe_rom(out, "system ROM", &machine->system_rom);
    describe_rom(out, "VGA ROM", &machine->vga_rom);
    struct status status = describe_floppies(machine, out);
    if (status_is_ok(&status)) {
        status = describe_ide(machine, out);
    }
    for (unsigned i = 0; i < MACHINE_SERIALS; i++) {
        fprintf(out, "serial port %u: %s\n", i,
                machine->serial[i].stream != NULL ? "connected" : "not connected");
    }
    fprintf(out, "debug exit: %u ports at %x\n", exit_port->length, exit_port->base);
    fprintf(out, "resets by the guest: %s\n", machine->no_reboot ? "the end" : "allowed");
    fprintf(out, "boot order, kernel and other settings: CRC-32 %08" PRIx32 "\n", settings_crc(machine));
    return status;
}

struct status machine_identity(struct machine *machine, char **text)
{
    size_t length;
    *text = NULL;
    FILE *out = open_memstream(text, &length);
    if (out == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    struct status status = describe(machine, out);
    if (fclose(out) != 0 && status_is_ok(&status)) {
        status = status_error(STATUS_NO_MEMORY, "out of memory");
    }
    if (!status_is_ok(&status)) {
        free(*text);
        *text = NULL;
    }
    return status;
}

struct status machine_identity_compare(const char *recorded, const char *present)
{
    while (*recorded != '\0' || *present != '\0') {
        size_t lengths[2] = {strcspn(recorded, "\n"), strcspn(present, "\n")};
        if (lengths[0] != lengths[1] || memcmp(recorded, present, lengths[0]) != 0) {
            return status_error(STATUS_CONFLICT,
                                "the recording was made with \"%.*s\", this machine has \"%.*s\"",
                                (int)(lengths[0] < 90 ? lengths[0] : 90), recorded,
                                (int)(lengths[1] < 90 ? lengths[1] : 90), present);
        }
        recorded += lengths[0] + (recorded[lengths[0]] == '\n');
        present += lengths[1] + (present[lengths[1]] == '\n');
    }
    return status_ok();
}

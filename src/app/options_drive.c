/* Parsing -hda, -cdrom, -drive and -device; see options_drive.h. */
#include "app/options_drive.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

#define CDROM_DRIVE 2 /* hdc */

/* Cuts the next item off a list, at a comma; two of them stand for one in a file name. NULL at the end. */
static char *next_item(char **rest)
{
    char *item = *rest;
    if (item == NULL) {
        return NULL;
    }
    char *to = item;
    for (char *from = item; *from != '\0'; from++) {
        if (*from == ',') {
            if (from[1] != ',') {
                *to = '\0';
                *rest = from + 1;
                return item;
            }
            from++;
        }
        *to++ = *from;
    }
    *to = '\0';
    *rest = NULL;
    return item;
}

static bool is_taken(const struct machine_ide_config *drive)
{
    return drive->path != NULL || drive->cdrom;
}

static struct status set_ide(struct machine_config *machine, unsigned drive,
                             const struct machine_ide_config *config)
{
    if (is_taken(&machine->ide[drive])) {
        return status_error(STATUS_INVALID_ARGUMENT, "hd%c is described twice", 'a' + (int)drive);
    }
    machine->ide[drive] = *config;
    return status_ok();
}

struct status options_set_disk(struct machine_config *machine, unsigned drive, char *value)
{
    struct machine_ide_config config = {.path = value};
    char *comma = strrchr(value, ',');
    if (comma != NULL && strcmp(comma, ",readonly") == 0) {
        *comma = '\0';
        config.read_only = true;
    }
    return set_ide(machine, drive, &config);
}

struct status options_set_cdrom(struct machine_config *machine, char *value)
{
    const struct machine_ide_config config = {
        .path = strcmp(value, "none") == 0 ? NULL : value, .cdrom = true, .read_only = true};
    return set_ide(machine, CDROM_DRIVE, &config);
}

/* ---- -drive */

struct drive_words {
    const char *file;
    const char *interface; /* "ide" or "floppy" */
    bool cdrom;
    bool read_only;
    unsigned long index;
    bool has_index;
};

static struct status bad_value(const char *key, const char *value, const char *known)
{
    return status_error(STATUS_INVALID_ARGUMENT, "-drive %s=%s: known are %s", key, value, known);
}

static bool parse_number(const char *word, int base, unsigned long limit, unsigned long *value)
{
    char *end = NULL;
    errno = 0;
    *value = strtoul(word, &end, base);
    return word[0] >= '0' && word[0] <= '9' && *end == '\0' && errno == 0 && *value <= limit;
}

static bool parse_switch(const char *word, bool *value)
{
    *value = strcmp(word, "on") == 0;
    return *value || strcmp(word, "off") == 0;
}

static struct status take_drive_word(struct drive_words *words, const char *key, const char *value)
{
    if (strcmp(key, "file") == 0) {
        words->file = value;
    } else if (strcmp(key, "format") == 0) {
        return strcmp(value, "raw") == 0 ? status_ok() : bad_value(key, value, "raw");
    } else if (strcmp(key, "if") == 0) {
        words->interface = value;
        bool known = strcmp(value, "ide") == 0 || strcmp(value, "floppy") == 0;
        return known ? status_ok() : bad_value(key, value, "ide and floppy");
    } else if (strcmp(key, "media") == 0) {
        words->cdrom = strcmp(value, "cdrom") == 0;
        return words->cdrom || strcmp(value, "disk") == 0 ? status_ok()
                                                          : bad_value(key, value, "disk and cdrom");
    } else if (strcmp(key, "readonly") == 0) {
        return parse_switch(value, &words->read_only) ? status_ok() : bad_value(key, value, "on and off");
    } else if (strcmp(key, "index") == 0) {
        words->has_index = true;
        return parse_number(value, 10, MACHINE_IDE_DRIVES - 1, &words->index)
                   ? status_ok()
                   : bad_value(key, value, "0 to 3");
    } else {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "-drive does not know \"%s\" (file, if, index, media, format, readonly)", key);
    }
    return status_ok();
}

static struct status add_floppy(struct machine_config *machine, const struct drive_words *words)
{
    unsigned long drive = words->has_index ? words->index : machine->floppy[0].path != NULL;
    if (drive >= MACHINE_FLOPPIES || machine->floppy[drive].path != NULL) {
        return status_error(STATUS_INVALID_ARGUMENT, "-drive: there is no place for floppy %s", words->file);
    }
    machine->floppy[drive] =
        (struct machine_floppy_config){.path = words->file, .read_only = words->read_only};
    return status_ok();
}

static struct status add_ide(struct machine_config *machine, const struct drive_words *words)
{
    const struct machine_ide_config config = {
        .path = words->file, .cdrom = words->cdrom, .read_only = words->read_only};
    unsigned long drive = words->has_index ? words->index : words->cdrom ? CDROM_DRIVE : 0;
    while (!words->has_index && drive < MACHINE_IDE_DRIVES && is_taken(&machine->ide[drive])) {
        drive++;
    }
    if (drive >= MACHINE_IDE_DRIVES) {
        return status_error(STATUS_INVALID_ARGUMENT, "-drive: all places for IDE drives are taken");
    }
    return set_ide(machine, (unsigned)drive, &config);
}

struct status options_add_drive(struct machine_config *machine, char *value)
{
    struct drive_words words = {.interface = "ide"};
    for (char *item; (item = next_item(&value)) != NULL;) {
        char *equals = strchr(item, '=');
        if (equals == NULL) {
            return status_error(STATUS_INVALID_ARGUMENT, "-drive: \"%s\" is not key=value", item);
        }
        *equals = '\0';
        struct status status = take_drive_word(&words, item, equals + 1);
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    if (words.file == NULL && !words.cdrom) {
        return status_error(STATUS_INVALID_ARGUMENT, "-drive needs file=FILE");
    }
    return strcmp(words.interface, "floppy") == 0 ? add_floppy(machine, &words) : add_ide(machine, &words);
}

/* ---- -device */

struct status options_add_device(struct machine_config *machine, char *value)
{
    unsigned long base = 0xF4;
    unsigned long length = 4;
    const char *name = next_item(&value);
    if (strcmp(name, "isa-debug-exit") != 0) {
        return status_error(STATUS_INVALID_ARGUMENT, "unknown device \"%s\" (isa-debug-exit)", name);
    }
    for (const char *item; (item = next_item(&value)) != NULL;) {
        bool good = strncmp(item, "iobase=", 7) == 0   ? parse_number(item + 7, 0, 0xFFFF, &base)
                    : strncmp(item, "iosize=", 7) == 0 ? parse_number(item + 7, 0, 4, &length) && length > 0
                                                       : false;
        if (!good) {
            return status_error(STATUS_INVALID_ARGUMENT,
                                "isa-debug-exit: \"%s\" is neither iobase=PORT nor iosize=1..4", item);
        }
    }
    machine->debug_exit =
        (struct machine_debug_exit_config){.base = (uint16_t)base, .length = (uint16_t)length};
    return status_ok();
}

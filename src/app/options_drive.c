/* Parsing -hda, -cdrom, -drive and -device; see options_drive.h. */
#include "app/options_drive.h"

#include <stddef.h>
#include <string.h>

#include "app/options_words.h"
#include "base/bits.h"

#define CDROM_DRIVE 2 /* hdc */

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
    bool read_only, snapshot, raw;
    bool has_index, has_boot_index;
    uint64_t index, boot_index;
    uint64_t cylinders, heads, sectors; /* 0: not given */
    enum machine_translation translation;
    bool has_translation;
};

static struct status bad_value(const char *key, const char *value, const char *known)
{
    return status_error(STATUS_INVALID_ARGUMENT, "-drive %s=%.64s: known are %s", key, value, known);
}

/* The words whose values are numbers. */
static const struct number_word {
    const char *key, *known;
    uint64_t first, last;
    size_t value;
    size_t given; /* offset of a flag, 0: none */
} number_words[] = {
    {"index", "0 to 3", 0, MACHINE_IDE_DRIVES - 1, offsetof(struct drive_words, index),
     offsetof(struct drive_words, has_index)},
    {"bootindex", "0 to 99", 0, MACHINE_BOOT_INDEX_MAX, offsetof(struct drive_words, boot_index),
     offsetof(struct drive_words, has_boot_index)},
    {"cyls", "1 to 16383", 1, 16383, offsetof(struct drive_words, cylinders), 0},
    {"heads", "1 to 16", 1, 16, offsetof(struct drive_words, heads), 0},
    {"secs", "1 to 63", 1, 63, offsetof(struct drive_words, sectors), 0},
};

/* The words whose values are on or off. */
static const struct switch_word {
    const char *key;
    size_t value;
} switch_words[] = {
    {"readonly", offsetof(struct drive_words, read_only)},
    {"snapshot", offsetof(struct drive_words, snapshot)},
};

static struct status take_number(struct drive_words *words, const struct number_word *word, const char *value)
{
    uint64_t number;
    if (!options_parse_number(value, 10, word->last, &number) || number < word->first) {
        return bad_value(word->key, value, word->known);
    }
    memcpy((char *)words + word->value, &number, sizeof number);
    if (word->given != 0) {
        *(bool *)(void *)((char *)words + word->given) = true;
    }
    return status_ok();
}

static struct status take_translation(struct drive_words *words, const char *value)
{
    static const char *const names[] = {[TRANSLATION_AUTO] = "auto",
                                        [TRANSLATION_NONE] = "none",
                                        [TRANSLATION_LBA] = "lba",
                                        [TRANSLATION_LARGE] = "large",
                                        [TRANSLATION_RECHS] = "rechs"};
    for (unsigned i = 0; i < ARRAY_COUNT(names); i++) {
        if (strcmp(value, names[i]) == 0) {
            words->translation = (enum machine_translation)i;
            words->has_translation = true;
            return status_ok();
        }
    }
    return bad_value("trans", value, "auto, none, lba, large and rechs");
}

static struct status take_drive_word(struct drive_words *words, const char *key, const char *value)
{
    for (size_t i = 0; i < ARRAY_COUNT(number_words); i++) {
        if (strcmp(key, number_words[i].key) == 0) {
            return take_number(words, &number_words[i], value);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(switch_words); i++) {
        if (strcmp(key, switch_words[i].key) == 0) {
            return options_parse_switch(value, (bool *)(void *)((char *)words + switch_words[i].value))
                       ? status_ok()
                       : bad_value(key, value, "on and off");
        }
    }
    if (strcmp(key, "file") == 0) {
        words->file = value;
        return status_ok();
    }
    if (strcmp(key, "format") == 0) {
        words->raw = strcmp(value, "raw") == 0;
        return words->raw ? status_ok() : bad_value(key, value, "raw");
    }
    if (strcmp(key, "if") == 0) {
        words->interface = value;
        bool known = strcmp(value, "ide") == 0 || strcmp(value, "floppy") == 0;
        return known ? status_ok() : bad_value(key, value, "ide and floppy");
    }
    if (strcmp(key, "media") == 0) {
        words->cdrom = strcmp(value, "cdrom") == 0;
        bool known = words->cdrom || strcmp(value, "disk") == 0;
        return known ? status_ok() : bad_value(key, value, "disk and cdrom");
    }
    if (strcmp(key, "trans") == 0) {
        return take_translation(words, value);
    }
    return status_error(STATUS_INVALID_ARGUMENT,
                        "-drive does not know \"%.64s\" (file, if, index, media, format, readonly, snapshot, "
                        "bootindex, cyls, heads, secs, trans)",
                        key);
}

/* Whether the words go together. */
static struct status check_drive_words(const struct drive_words *words)
{
    int numbers = (words->cylinders != 0) + (words->heads != 0) + (words->sectors != 0);
    bool floppy = strcmp(words->interface, "floppy") == 0;
    if (numbers != 0 && numbers != 3) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "-drive: a geometry is cyls=, heads= and secs= together");
    }
    if (floppy && words->cdrom) {
        return status_error(STATUS_INVALID_ARGUMENT, "-drive: a floppy drive takes no media=cdrom");
    }
    if ((floppy || words->cdrom) && (numbers != 0 || words->has_translation)) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "-drive: cyls, heads, secs and trans are for IDE disks only");
    }
    if (words->file == NULL && !words->cdrom) {
        return status_error(STATUS_INVALID_ARGUMENT, "-drive needs file=FILE");
    }
    if (words->file != NULL && words->file[0] == '\0') {
        return status_error(STATUS_INVALID_ARGUMENT, "-drive: the name after file= is empty");
    }
    return status_ok();
}

static uint8_t boot_place(const struct drive_words *words)
{
    return words->has_boot_index ? (uint8_t)(words->boot_index + 1) : 0;
}

static struct status add_floppy(struct machine_config *machine, const struct drive_words *words)
{
    uint64_t drive = words->has_index ? words->index : machine->floppy[0].path != NULL;
    if (drive >= MACHINE_FLOPPIES || machine->floppy[drive].path != NULL) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "-drive: there is no place for floppy %.200s (two drives, index 0 and 1)",
                            words->file);
    }
    machine->floppy[drive] = (struct machine_floppy_config){.path = words->file,
                                                            .read_only = words->read_only,
                                                            .raw = words->raw,
                                                            .snapshot = words->snapshot,
                                                            .boot_place = boot_place(words)};
    return status_ok();
}

static struct status add_ide(struct machine_config *machine, const struct drive_words *words)
{
    const struct machine_ide_config config = {.path = words->file,
                                              .cdrom = words->cdrom,
                                              .read_only = words->read_only,
                                              .raw = words->raw,
                                              .snapshot = words->snapshot,
                                              .boot_place = boot_place(words),
                                              .cylinders = (uint16_t)words->cylinders,
                                              .heads = (uint8_t)words->heads,
                                              .sectors = (uint8_t)words->sectors,
                                              .translation = words->translation};
    uint64_t drive = words->has_index ? words->index : words->cdrom ? CDROM_DRIVE : 0;
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
    for (char *item; (item = options_next_item(&value)) != NULL;) {
        const char *word = options_cut_value(item);
        if (word == NULL) {
            return status_error(STATUS_INVALID_ARGUMENT, "-drive: \"%.64s\" is not key=value", item);
        }
        struct status status = take_drive_word(&words, item, word);
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    struct status status = check_drive_words(&words);
    if (!status_is_ok(&status)) {
        return status;
    }
    return strcmp(words.interface, "floppy") == 0 ? add_floppy(machine, &words) : add_ide(machine, &words);
}

/* ---- -device */

struct status options_add_device(struct machine_config *machine, char *value)
{
    uint64_t base = 0xF4;
    uint64_t length = 4;
    const char *name = options_next_item(&value);
    if (strcmp(name, "isa-debug-exit") != 0) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "unknown device \"%.64s\"; known is isa-debug-exit[,iobase=PORT][,iosize=N]",
                            name);
    }
    for (const char *item; (item = options_next_item(&value)) != NULL;) {
        bool good = strncmp(item, "iobase=", 7) == 0 ? options_parse_number(item + 7, 0, 0xFFFF, &base)
                    : strncmp(item, "iosize=", 7) == 0
                        ? options_parse_number(item + 7, 0, 4, &length) && length > 0
                        : false;
        if (!good) {
            return status_error(STATUS_INVALID_ARGUMENT,
                                "isa-debug-exit: \"%.64s\" is neither iobase=PORT nor iosize=1..4", item);
        }
    }
    machine->debug_exit =
        (struct machine_debug_exit_config){.base = (uint16_t)base, .length = (uint16_t)length};
    return status_ok();
}

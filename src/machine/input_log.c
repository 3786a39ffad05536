/* Reading and writing recordings; see input_log.h. */
#include "machine/input_log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/crc32.h"
#include "machine/input_file.h"
#include "machine/machine.h"

#define VERSION      1u
#define MAGIC_SIZE   16u
#define HEADER_SIZE  40u /* without the text and the CRC */
#define RECORD_SIZE  37u /* without the bytes and the CRC */
#define CRC_SIZE     4u
#define LOG_SIZE_MAX (256 * MIB)

static const char magic[MAGIC_SIZE + 1] = "doppel recording";

struct input_log {
    char name[160];
    uint8_t *bytes;
    size_t size;
    size_t position; /* of the next record */
    struct input_log_header header;
    char text[INPUT_LOG_TEXT_MAX + 1];
};

/* ---- what a record may say */

static bool has_numbers_up_to(const struct input_record *record, const uint32_t limits[4])
{
    for (unsigned i = 0; i < 4; i++) {
        if (record->numbers[i] > limits[i]) {
            return false;
        }
    }
    return true;
}

static bool bytes_are_text(const struct input_record *record)
{
    return record->length == 0 || memchr(record->bytes, '\0', record->length) == NULL;
}

enum key input_record_key(const struct input_record *record)
{
    char name[32];
    if (record->length >= sizeof name) {
        return KEY_NONE;
    }
    memcpy(name, record->bytes, record->length);
    name[record->length] = '\0';
    return bytes_are_text(record) ? key_from_name(name) : KEY_NONE;
}

static bool is_good(const struct input_record *record)
{
    static const uint32_t limits[INPUT_KIND_COUNT][4] = {
        [INPUT_KEY] = {1},
        [INPUT_MOUSE] = {UINT32_MAX, UINT32_MAX, UINT32_MAX, INPUT_LOG_MOUSE_BUTTONS},
        [INPUT_SERIAL] = {MACHINE_SERIALS - 1},
        [INPUT_FLOPPY] = {MACHINE_FLOPPIES - 1, 1, UINT32_MAX},
        [INPUT_DISC] = {MACHINE_IDE_DRIVES - 1, 1, UINT32_MAX},
        [INPUT_END] = {UINT32_MAX, UINT32_MAX, 1},
    };
    if (record->kind >= INPUT_KIND_COUNT || !has_numbers_up_to(record, limits[record->kind])) {
        return false;
    }
    switch (record->kind) {
    case INPUT_KEY: return input_record_key(record) != KEY_NONE;
    case INPUT_SERIAL: return record->length > 0;
    case INPUT_FLOPPY:
    case INPUT_DISC: return bytes_are_text(record);
    default: return record->length == 0;
    }
}

/* ---- reading */

static struct status damaged(const struct input_log *log, const char *how)
{
    return status_error(STATUS_CORRUPT, "the recording %s %s", log->name, how);
}

static bool crc_is_right(const uint8_t *from, size_t length)
{
    return load_le32(from + length) == crc32_append(0, from, length);
}

static struct status parse_header(struct input_log *log)
{
    const uint8_t *at = log->bytes;
    if (log->size < MAGIC_SIZE || memcmp(at, magic, MAGIC_SIZE) != 0) {
        return status_error(STATUS_UNSUPPORTED, "%s is no recording of doppel's", log->name);
    }
    if (log->size < HEADER_SIZE) {
        return damaged(log, "is cut off");
    }
    if (load_le32(at + MAGIC_SIZE) != VERSION) {
        return status_error(STATUS_UNSUPPORTED, "the recording %s has format %u; this doppel knows %u",
                            log->name, (unsigned)load_le32(at + MAGIC_SIZE), VERSION);
    }
    uint32_t length = load_le32(at + 20);
    if (length > INPUT_LOG_TEXT_MAX) {
        return damaged(log, "is damaged in its header");
    }
    if (log->size < HEADER_SIZE + length + CRC_SIZE) {
        return damaged(log, "is cut off");
    }
    log->header =
        (struct input_log_header){.rtc_epoch = load_le64(at + 24), .ns_per_instruction = load_le64(at + 32)};
    memcpy(log->text, at + HEADER_SIZE, length);
    log->header.text = log->text;
    /* A clock that no command line could set is no doppel's. */
    bool good = crc_is_right(at, HEADER_SIZE + length) && strlen(log->text) == length &&
                log->header.ns_per_instruction > 0 && log->header.ns_per_instruction <= MIB &&
                log->header.rtc_epoch <= INT64_MAX / 2;
    log->position = HEADER_SIZE + length + CRC_SIZE;
    return good ? status_ok() : damaged(log, "is damaged in its header");
}

/* What a record at log->position says, with its size in the file; 0: it is not all there. */
static size_t take_apart(const struct input_log *log, struct input_record *record)
{
    const uint8_t *at = log->bytes + log->position;
    size_t left = log->size - log->position;
    uint32_t length = left < RECORD_SIZE ? 0 : load_le32(at);
    if (left < RECORD_SIZE + CRC_SIZE || length > left - RECORD_SIZE - CRC_SIZE) {
        return 0;
    }
    *record = (struct input_record){.kind = at[4],
                                    .time = load_le64(at + 5),
                                    .retired = load_le64(at + 13),
                                    .bytes = at + RECORD_SIZE,
                                    .length = length};
    for (unsigned i = 0; i < 4; i++) {
        record->numbers[i] = load_le32(at + 21 + (size_t)4 * i);
    }
    return RECORD_SIZE + length + CRC_SIZE;
}

/* Looks at every record, so that a replay does not end in the middle. */
static struct status check_records(struct input_log *log)
{
    struct input_record record, last = {.kind = INPUT_RESET};
    size_t first = log->position;
    while (log->position < log->size) {
        size_t size = take_apart(log, &record);
        if (size == 0) {
            return damaged(log, "is cut off");
        }
        bool good = record.length <= INPUT_LOG_BYTES_MAX &&
                    crc_is_right(log->bytes + log->position, size - CRC_SIZE) && is_good(&record) &&
                    record.time <= INT64_MAX && record.time >= last.time && record.retired >= last.retired &&
                    last.kind != INPUT_END;
        if (!good) {
            char where[64];
            snprintf(where, sizeof where, "is damaged at byte %zu", log->position);
            return damaged(log, where);
        }
        last = record;
        log->position += size;
    }
    log->position = first;
    return last.kind == INPUT_END ? status_ok() : damaged(log, "is cut off: it has no end");
}

static struct status check_log(struct input_log *log)
{
    struct status status = parse_header(log);
    return status_is_ok(&status) ? check_records(log) : status;
}

/* An empty log with room for `size` bytes. */
static struct input_log *allocate(const char *name, size_t size)
{
    struct input_log *log = calloc(1, sizeof *log);
    if (log != NULL) {
        snprintf(log->name, sizeof log->name, "%s", name);
        log->size = size;
        log->bytes = malloc(size > 0 ? size : 1);
        if (log->bytes == NULL) {
            free(log);
            log = NULL;
        }
    }
    return log;
}

static struct status finish_reading(struct status status, struct input_log *filled, struct input_log **log)
{
    if (status_is_ok(&status)) {
        status = check_log(filled);
    }
    if (!status_is_ok(&status)) {
        input_log_close(filled);
        filled = NULL;
    }
    *log = filled;
    return status;
}

struct status input_log_parse(const char *name, const void *bytes, size_t size, struct input_log **log)
{
    *log = NULL;
    struct input_log *filled = allocate(name, size);
    if (filled == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the recording %s", name);
    }
    if (size > 0) {
        memcpy(filled->bytes, bytes, size);
    }
    return finish_reading(status_ok(), filled, log);
}

struct status input_log_open(const char *path, struct input_log **log)
{
    *log = NULL;
    FILE *file;
    uint64_t size;
    struct status status = input_file_open(path, "recording", &file, &size);
    if (!status_is_ok(&status)) {
        return status;
    }
    struct input_log *filled = size <= LOG_SIZE_MAX ? allocate(path, (size_t)size) : NULL;
    if (size > LOG_SIZE_MAX) {
        status = status_error(STATUS_UNSUPPORTED, "the recording %.150s is larger than %llu MiB", path,
                              (unsigned long long)(LOG_SIZE_MAX / MIB));
    } else if (filled == NULL) {
        status = status_error(STATUS_NO_MEMORY, "out of memory for the recording %.150s", path);
    } else if (fread(filled->bytes, 1, filled->size, file) != filled->size) {
        status = status_error(STATUS_IO_ERROR, "cannot read the recording %.150s", path);
    }
    fclose(file);
    return finish_reading(status, filled, log);
}

void input_log_close(struct input_log *log)
{
    if (log != NULL) {
        free(log->bytes);
        free(log);
    }
}

const struct input_log_header *input_log_header(const struct input_log *log)
{
    return &log->header;
}

bool input_log_next(struct input_log *log, struct input_record *record)
{
    if (log->position == log->size) {
        return false;
    }
    log->position += take_apart(log, record);
    return true;
}

/* ---- writing */

struct input_log_writer {
    FILE *file;
    char path[160];
    int error; /* errno; 0: none */
};

static void put(struct input_log_writer *writer, uint8_t *bytes, size_t length)
{
    store_le32(bytes + length, crc32_append(0, bytes, length));
    errno = 0;
    if (fwrite(bytes, 1, length + CRC_SIZE, writer->file) != length + CRC_SIZE && writer->error == 0) {
        writer->error = errno != 0 ? errno : EIO;
    }
}

struct status input_log_create(const char *path, const struct input_log_header *header,
                               struct input_log_writer **writer)
{
    *writer = NULL;
    size_t length = strlen(header->text);
    if (length > INPUT_LOG_TEXT_MAX) {
        return status_error(STATUS_UNSUPPORTED, "this machine's description is too long for a recording");
    }
    struct input_log_writer *created = calloc(1, sizeof *created);
    if (created == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for a recording");
    }
    snprintf(created->path, sizeof created->path, "%s", path);
    created->file = fopen(path, "wbe");
    if (created->file == NULL) {
        struct status status = status_from_errno(errno, "cannot write the recording %.150s", path);
        free(created);
        return status;
    }
    uint8_t bytes[HEADER_SIZE + INPUT_LOG_TEXT_MAX + CRC_SIZE];
    memcpy(bytes, magic, MAGIC_SIZE);
    store_le32(bytes + MAGIC_SIZE, VERSION);
    store_le32(bytes + 20, (uint32_t)length);
    store_le64(bytes + 24, header->rtc_epoch);
    store_le64(bytes + 32, header->ns_per_instruction);
    memcpy(bytes + HEADER_SIZE, header->text, length);
    put(created, bytes, HEADER_SIZE + length);
    *writer = created;
    return status_ok();
}

void input_log_write(struct input_log_writer *writer, const struct input_record *record)
{
    uint8_t bytes[RECORD_SIZE + INPUT_LOG_BYTES_MAX + CRC_SIZE];
    store_le32(bytes, (uint32_t)record->length);
    bytes[4] = (uint8_t)record->kind;
    store_le64(bytes + 5, record->time);
    store_le64(bytes + 13, record->retired);
    for (unsigned i = 0; i < 4; i++) {
        store_le32(bytes + 21 + (size_t)4 * i, record->numbers[i]);
    }
    if (record->length > 0) {
        memcpy(bytes + RECORD_SIZE, record->bytes, record->length);
    }
    put(writer, bytes, RECORD_SIZE + record->length);
}

struct status input_log_finish(struct input_log_writer *writer)
{
    if (writer == NULL) {
        return status_ok();
    }
    errno = 0;
    if (fclose(writer->file) != 0 && writer->error == 0) {
        writer->error = errno != 0 ? errno : EIO;
    }
    struct status status =
        writer->error == 0 ? status_ok()
                           : status_from_errno(writer->error, "cannot write the recording %s", writer->path);
    free(writer);
    return status;
}

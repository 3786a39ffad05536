/* The file in which a recording keeps what came into a counted machine from outside, and when.
 *
 * Little-endian:
 *   16 bytes   "doppel recording"
 *   u32        version: 1
 *   u32        length of the text that follows the two numbers, at most INPUT_LOG_TEXT_MAX
 *   u64        seconds since 1970-01-01 at power-on
 *   u64        virtual nanoseconds of an instruction
 *   text       what must be the same for the recording to be of use: lines "NAME: VALUE"
 *   u32        CRC-32 of all that
 * and then records, the last of which, and no other, is INPUT_END:
 *   u32        length of `bytes`, at most INPUT_LOG_BYTES_MAX
 *   u8         enum input_kind
 *   u64        virtual time
 *   u64        retired instructions at that time; neither of the two decreases
 *   u32 * 4    numbers
 *   bytes
 *   u32        CRC-32 of the record
 * A log without its INPUT_END was cut off. Nothing else is accepted, whatever the file holds: what a log
 * gives out is in range. */
#ifndef DOPPEL_MACHINE_INPUT_LOG_H
#define DOPPEL_MACHINE_INPUT_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "ui/input.h"

#define INPUT_LOG_TEXT_MAX  8192u
#define INPUT_LOG_BYTES_MAX 4096u

#define INPUT_LOG_MOUSE_BUTTONS 0x1fu /* the bits that there may be */

enum input_kind {
    INPUT_KEY,          /* bytes: its name; numbers: pressed */
    INPUT_MOUSE,        /* numbers: dx, dy, wheel (signed), buttons */
    INPUT_SERIAL,       /* numbers: port; bytes: what arrived */
    INPUT_FLOPPY,       /* numbers: drive, read-only, CRC-32 of the image; bytes: its path, none: taken out */
    INPUT_DISC,         /* numbers: drive, forced, CRC-32 of the image; bytes: its path, none: taken out */
    INPUT_RESET,        /* the reset button */
    INPUT_POWER_BUTTON, /* the power button */
    INPUT_END,          /* numbers: CRC-32 of RAM, of the rest (machine_replay.h), switched off */
    INPUT_KIND_COUNT
};

struct input_record {
    enum input_kind kind;
    uint64_t time, retired;
    uint32_t numbers[4];
    const void *bytes; /* borrowed */
    size_t length;
};

struct input_log_header {
    uint64_t rtc_epoch;
    uint64_t ns_per_instruction; /* not 0 */
    const char *text;            /* borrowed */
};

/* ---- reading */

struct input_log;

/* Reads and checks all of a file. Errors: it cannot be read, it is no log, it is damaged or cut off. The
 * caller owns *log. */
struct status input_log_open(const char *path, struct input_log **log) STATUS_MUST_CHECK;

/* The same with `size` bytes, which are copied; `name` is for messages. */
struct status input_log_parse(const char *name, const void *bytes, size_t size,
                              struct input_log **log) STATUS_MUST_CHECK;
void input_log_close(struct input_log *log); /* NULL is allowed */

const struct input_log_header *input_log_header(const struct input_log *log);

/* The next record; false behind the last. What it borrows lives as long as the log. */
bool input_log_next(struct input_log *log, struct input_record *record);

/* The key of an INPUT_KEY. */
enum key input_record_key(const struct input_record *record);

/* ---- writing */

struct input_log_writer;

/* Creates or empties the file and writes the header. */
struct status input_log_create(const char *path, const struct input_log_header *header,
                               struct input_log_writer **writer) STATUS_MUST_CHECK;

/* A failure is kept for input_log_finish(). */
void input_log_write(struct input_log_writer *writer, const struct input_record *record);

/* Closes the file; the first failure there was. NULL is allowed. */
struct status input_log_finish(struct input_log_writer *writer) STATUS_MUST_CHECK;

#endif

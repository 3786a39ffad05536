/* Fuzzes the parser of recordings: what it accepts is in range, in order, and ends. Checksums would keep
 * nearly every input out, so each is tried as it is and with the right ones. */
#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "base/crc32.h"
#include "fuzz_input.h"
#include "machine/input_log.h"
#include "machine/machine.h"

#define HEADER 40u
#define RECORD 37u

static void read_all(struct input_log *log)
{
    struct input_record record = {.kind = INPUT_KIND_COUNT};
    uint64_t time = 0, retired = 0;
    while (input_log_next(log, &record)) {
        assert(record.time >= time && record.retired >= retired && record.length <= INPUT_LOG_BYTES_MAX);
        assert(record.kind != INPUT_KEY || input_record_key(&record) != KEY_NONE);
        assert(record.kind != INPUT_SERIAL || record.numbers[0] < MACHINE_SERIALS);
        assert(record.kind != INPUT_FLOPPY || record.numbers[0] < MACHINE_FLOPPIES);
        assert(record.kind != INPUT_DISC || record.numbers[0] < MACHINE_IDE_DRIVES);
        time = record.time;
        retired = record.retired;
    }
    assert(record.kind == INPUT_END);
}

static void parse(const uint8_t *bytes, size_t size)
{
    struct input_log *log;
    struct status status = input_log_parse("file", bytes, size, &log);
    assert(status_is_ok(&status) == (log != NULL));
    assert(log != NULL || status.message[0] != '\0');
    if (log != NULL) {
        read_all(log);
        input_log_close(log);
    }
}

/* Puts the CRC behind the bytes from `from` to `to`; where the next part begins. */
static size_t seal(uint8_t *bytes, size_t size, size_t from, size_t to)
{
    if (to < from || to > size || size - to < 4) {
        return size;
    }
    store_le32(bytes + to, crc32_append(0, bytes + from, to - from));
    return to + 4;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char magic[] = "doppel recording\1\0\0";
    parse(data, size);
    if (size < HEADER) {
        return 0;
    }
    uint8_t *bytes = malloc(size);
    assert(bytes != NULL);
    memcpy(bytes, data, size);
    memcpy(bytes, magic, 20);
    store_le32(bytes + 20, load_le32(bytes + 20) & 0xFF);
    size_t at = seal(bytes, size, 0, HEADER + load_le32(bytes + 20));
    while (size - at >= RECORD) {
        store_le32(bytes + at, load_le32(bytes + at) & 0x1F);
        at = seal(bytes, size, at, at + RECORD + load_le32(bytes + at));
    }
    parse(bytes, size);
    free(bytes);
    return 0;
}

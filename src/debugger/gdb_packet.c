/* See gdb_packet.h. */
#include "debugger/gdb_packet.h"

#include <string.h>

#define ESCAPE   '}'
#define INVERTED 0x20 /* of an escaped byte */

static int digit_value(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* ---- reading packets */

static void begin_packet(struct gdb_packet_reader *reader)
{
    reader->state = GDB_READER_DATA;
    reader->sum = 0;
    reader->too_long = false;
    reader->sum_digits = 0;
    reader->length = 0;
}

static void keep(struct gdb_packet_reader *reader, uint8_t byte)
{
    if (reader->length == GDB_PACKET_MAX) {
        reader->too_long = true;
        return;
    }
    reader->data[reader->length++] = (char)byte;
}

static enum gdb_packet_event finish_packet(struct gdb_packet_reader *reader)
{
    const int high = digit_value(reader->sum_text[0]), low = digit_value(reader->sum_text[1]);
    reader->state = GDB_READER_OUTSIDE;
    reader->data[reader->length] = '\0';
    if (high < 0 || low < 0 || high * 16 + low != reader->sum) {
        return GDB_PACKET_DAMAGED;
    }
    return reader->too_long ? GDB_PACKET_TOO_LONG : GDB_PACKET_COMPLETE;
}

static enum gdb_packet_event read_outside(struct gdb_packet_reader *reader, uint8_t byte)
{
    switch (byte) {
    case '$': begin_packet(reader); return GDB_PACKET_NOTHING;
    case '+': return GDB_PACKET_ACK;
    case '-': return GDB_PACKET_NAK;
    case 0x03: return GDB_PACKET_INTERRUPT;
    default: return GDB_PACKET_NOTHING;
    }
}

static void read_data(struct gdb_packet_reader *reader, uint8_t byte)
{
    if (byte == '$') {
        begin_packet(reader);
        return;
    }
    if (byte == '#') {
        reader->state = GDB_READER_SUM;
        return;
    }
    reader->sum = (uint8_t)(reader->sum + byte);
    if (reader->state == GDB_READER_ESCAPE) {
        reader->state = GDB_READER_DATA;
        keep(reader, byte ^ INVERTED);
    } else if (byte == ESCAPE) {
        reader->state = GDB_READER_ESCAPE;
    } else {
        keep(reader, byte);
    }
}

enum gdb_packet_event gdb_packet_read(struct gdb_packet_reader *reader, uint8_t byte)
{
    switch (reader->state) {
    case GDB_READER_OUTSIDE: return read_outside(reader, byte);
    case GDB_READER_DATA:
    case GDB_READER_ESCAPE: read_data(reader, byte); return GDB_PACKET_NOTHING;
    case GDB_READER_SUM: break;
    }
    reader->sum_text[reader->sum_digits++] = (char)byte;
    return reader->sum_digits == 2 ? finish_packet(reader) : GDB_PACKET_NOTHING;
}

/* ---- writing them */

static const char digits[] = "0123456789abcdef";

size_t gdb_packet_frame(const char *data, size_t length, uint8_t *to)
{
    uint8_t sum = 0;
    to[0] = '$';
    for (size_t i = 0; i < length; i++) {
        to[1 + i] = (uint8_t)data[i];
        sum = (uint8_t)(sum + to[1 + i]);
    }
    to[length + 1] = '#';
    to[length + 2] = (uint8_t)digits[sum >> 4];
    to[length + 3] = (uint8_t)digits[sum & 15];
    return length + 4;
}

static bool add_bytes(struct gdb_text *text, const char *bytes, size_t length)
{
    if (text->size - text->length < length) {
        text->full = true;
        return false;
    }
    memcpy(text->data + text->length, bytes, length);
    text->length += length;
    return true;
}

void gdb_text_add(struct gdb_text *text, const char *words)
{
    (void)add_bytes(text, words, strlen(words));
}

void gdb_text_add_hex(struct gdb_text *text, const void *bytes, size_t length)
{
    const uint8_t *byte = bytes;
    for (size_t i = 0; i < length; i++) {
        const char pair[] = {digits[byte[i] >> 4], digits[byte[i] & 15]};
        if (!add_bytes(text, pair, sizeof pair)) {
            return;
        }
    }
}

void gdb_text_add_number(struct gdb_text *text, uint64_t value)
{
    char number[16];
    size_t from = sizeof number;
    do {
        number[--from] = digits[value & 15];
        value >>= 4;
    } while (value != 0);
    (void)add_bytes(text, number + from, sizeof number - from);
}

size_t gdb_text_add_escaped(struct gdb_text *text, const char *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        const bool special = memchr("#$}*", bytes[i], 4) != NULL;
        const char pair[] = {ESCAPE, (char)(bytes[i] ^ INVERTED)};
        if (!add_bytes(text, special ? pair : bytes + i, special ? sizeof pair : 1)) {
            return i;
        }
    }
    return length;
}

/* ---- what stands in them */

bool gdb_words_take(struct gdb_words *words, const char *word)
{
    const size_t length = strlen(word);
    if (gdb_words_left(words) < length || memcmp(words->at, word, length) != 0) {
        return false;
    }
    words->at += length;
    return true;
}

bool gdb_words_take_number(struct gdb_words *words, uint64_t *value)
{
    const char *at = words->at;
    uint64_t number = 0;
    while (at < words->end && digit_value(*at) >= 0) {
        if (at - words->at == 16) {
            return false;
        }
        number = number << 4 | (uint64_t)digit_value(*at++);
    }
    if (at == words->at) {
        return false;
    }
    words->at = at;
    *value = number;
    return true;
}

bool gdb_words_take_hex(struct gdb_words *words, void *bytes, size_t length)
{
    uint8_t *byte = bytes;
    if (gdb_words_left(words) / 2 < length) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        const int high = digit_value(words->at[2 * i]), low = digit_value(words->at[2 * i + 1]);
        if (high < 0 || low < 0) {
            return false;
        }
        byte[i] = (uint8_t)(high * 16 + low);
    }
    words->at += 2 * length;
    return true;
}

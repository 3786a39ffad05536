/* The framing of gdb's remote serial protocol ("Debugging with GDB", appendix E.1): packets $DATA#CC with a
 * checksum, acknowledgements, the interrupt byte, hexadecimal numbers and escaped bytes.
 *
 * Nothing here knows what packets mean. A reader takes any bytes whatever and finds packets in them; what
 * lies between packets and is none of '+', '-', 03h is passed over. A '$' within a packet begins another one,
 * since it cannot stand there. A packet that is too long is read to its end, so that the next one is
 * understood.
 *
 * NOT IMPLEMENTED: run-length encoding (optional, and only the debugged side may use it). */
#ifndef DOPPEL_DEBUGGER_GDB_PACKET_H
#define DOPPEL_DEBUGGER_GDB_PACKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GDB_PACKET_MAX 16384u /* bytes of a packet's data, either way */

enum gdb_packet_event {
    GDB_PACKET_NOTHING,   /* more bytes are needed */
    GDB_PACKET_ACK,       /* '+' */
    GDB_PACKET_NAK,       /* '-': send the last packet again */
    GDB_PACKET_INTERRUPT, /* 03h: stop the guest */
    GDB_PACKET_COMPLETE,  /* data[0 .. length - 1] is a packet's, unescaped; data[length] is 0 */
    GDB_PACKET_TOO_LONG,  /* one with more than GDB_PACKET_MAX bytes */
    GDB_PACKET_DAMAGED    /* the checksum is wrong */
};

enum gdb_packet_state { GDB_READER_OUTSIDE, GDB_READER_DATA, GDB_READER_ESCAPE, GDB_READER_SUM };

/* All zero: ready to read. */
struct gdb_packet_reader {
    enum gdb_packet_state state;
    uint8_t sum;
    bool too_long;
    unsigned sum_digits;
    char sum_text[2];
    size_t length;
    char data[GDB_PACKET_MAX + 1];
};

enum gdb_packet_event gdb_packet_read(struct gdb_packet_reader *reader, uint8_t byte);

/* The packet around `data` (<= GDB_PACKET_MAX bytes that need no more escapes) into `to`, which has room for
 * length + 4 bytes. Returns how many these are. */
size_t gdb_packet_frame(const char *data, size_t length, uint8_t *to);

/* A text that is being written into a buffer; what does not fit is left out, and `full` says so. */
struct gdb_text {
    char *data;
    size_t length, size;
    bool full;
};

void gdb_text_add(struct gdb_text *text, const char *words);
void gdb_text_add_hex(struct gdb_text *text, const void *bytes, size_t length);
/* Without leading zeros. */
void gdb_text_add_number(struct gdb_text *text, uint64_t value);
/* Bytes with those escaped that have a meaning in packets. Returns how many had room. */
size_t gdb_text_add_escaped(struct gdb_text *text, const char *bytes, size_t length);

/* Where a packet's data is being read. */
struct gdb_words {
    const char *at, *end;
};

/* Takes `word` off the front. False, and nothing is taken: something else is there. */
bool gdb_words_take(struct gdb_words *words, const char *word);
/* A hexadecimal number of 1 to 16 digits. */
bool gdb_words_take_number(struct gdb_words *words, uint64_t *value);
/* Exactly `length` bytes as pairs of digits. */
bool gdb_words_take_hex(struct gdb_words *words, void *bytes, size_t length);

static inline size_t gdb_words_left(const struct gdb_words *words)
{
    return (size_t)(words->end - words->at);
}

#endif

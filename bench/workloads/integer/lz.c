/* LZ77 compression with a hash table of recent positions, and decompression that must give the text back:
 * byte accesses, table look-ups, short copies, data-dependent branches.
 *
 * The compressed form: a byte that says how many literals come (high nibble) and how long the match behind
 * them is (low nibble, minus 4); 15 in either is continued in bytes to add up, ending with one below 255; the
 * literals; the match's distance, 16 bits. The text's last bytes are literals without a match: distance 0. */
#include "workload.h"

#define TEXT_BYTES    (1u << 20)
#define PACKED_BYTES  (TEXT_BYTES + TEXT_BYTES / 64)
#define TABLE_BITS    13
#define SHORTEST      4u
#define LAST_LITERALS 8u /* so that a match may be compared and hashed 4 bytes at a time */
#define FARTHEST      65535u

static uint8_t text[TEXT_BYTES];
static uint8_t unpacked[TEXT_BYTES];
static uint8_t packed[PACKED_BYTES];
static uint32_t table[1u << TABLE_BITS];

static uint32_t load(const uint8_t *at)
{
    return at[0] | (uint32_t)at[1] << 8 | (uint32_t)at[2] << 16 | (uint32_t)at[3] << 24;
}

static uint8_t *put_length(uint8_t *to, uint32_t length)
{
    if (length < 15) {
        return to;
    }
    for (length -= 15; length >= 255; length -= 255) {
        *to++ = 255;
    }
    *to++ = (uint8_t)length;
    return to;
}

static const uint8_t *get_length(const uint8_t *from, uint32_t *length)
{
    if (*length < 15) {
        return from;
    }
    uint8_t more;
    do {
        more = *from++;
        *length += more;
    } while (more == 255);
    return from;
}

static uint8_t *put_sequence(uint8_t *to, const uint8_t *literals, uint32_t count, uint32_t length,
                             uint32_t distance)
{
    uint32_t coded = length - (length != 0 ? SHORTEST : 0);
    *to++ = (uint8_t)((count < 15 ? count : 15) << 4 | (coded < 15 ? coded : 15));
    to = put_length(to, count);
    for (uint32_t i = 0; i < count; i++) {
        *to++ = literals[i];
    }
    *to++ = (uint8_t)distance;
    *to++ = (uint8_t)(distance >> 8);
    return put_length(to, coded);
}

static uint32_t compress(uint8_t *to, const uint8_t *from, uint32_t count)
{
    uint8_t *const start = to;
    const uint32_t end = count - LAST_LITERALS;
    uint32_t literals = 0;
    memset(table, 0, sizeof table);
    for (uint32_t at = 1; at < end;) {
        uint32_t word = load(from + at);
        uint32_t *slot = &table[word * 0x9e3779b1u >> (32 - TABLE_BITS)];
        uint32_t candidate = *slot;
        *slot = at;
        if (load(from + candidate) != word || at - candidate > FARTHEST) {
            at++;
            continue;
        }
        uint32_t length = SHORTEST;
        while (at + length < end && from[candidate + length] == from[at + length]) {
            length++;
        }
        to = put_sequence(to, from + literals, at - literals, length, at - candidate);
        at += length;
        literals = at;
    }
    to = put_sequence(to, from + literals, count - literals, 0, 0);
    return (uint32_t)(to - start);
}

static uint32_t decompress(uint8_t *to, const uint8_t *from)
{
    uint8_t *const start = to;
    for (;;) {
        uint32_t count = *from >> 4;
        uint32_t length = *from++ & 15;
        from = get_length(from, &count);
        for (; count > 0; count--) {
            *to++ = *from++;
        }
        uint32_t distance = from[0] | (uint32_t)from[1] << 8;
        from += 2;
        if (distance == 0) {
            return (uint32_t)(to - start);
        }
        from = get_length(from, &length);
        for (length += SHORTEST; length > 0; length--, to++) {
            *to = *(to - distance);
        }
    }
}

/* Words of a small vocabulary, the frequent ones more often, with some numbers between them. */
void workload_prepare(void)
{
    static const char *const words[16] = {
        "the ",   "and ", "of ",    "a ",        "page ",   "table ",    "is ",      "segment, ",
        "limit ", "to ",  "entry ", "present. ", "memory ", "reserved ", "register", "privilege "};
    uint32_t random = 99;
    for (uint32_t at = 0; at < TEXT_BYTES;) {
        uint32_t value = workload_random(&random);
        if ((value & 0x700) == 0) {
            for (uint32_t digits = 0; digits < 5 && at < TEXT_BYTES; digits++, at++) {
                text[at] = (uint8_t)('0' + (value >> (12 + 3 * digits) & 7));
            }
            continue;
        }
        for (const char *word = words[value >> 4 & value & 15]; *word != '\0' && at < TEXT_BYTES;
             word++, at++) {
            text[at] = (uint8_t)*word;
        }
    }
}

uint32_t workload_run(void)
{
    uint32_t size = compress(packed, text, TEXT_BYTES);
    uint32_t hash = workload_hash(WORKLOAD_HASH_START, size);
    for (uint32_t i = 0; i + 4 <= size; i += 64) {
        hash = workload_hash(hash, load(packed + i));
    }
    memset(unpacked, 0, sizeof unpacked);
    if (decompress(unpacked, packed) != TEXT_BYTES || memcmp(unpacked, text, TEXT_BYTES) != 0) {
        workload_fail("the decompressed text differs");
    }
    return hash;
}

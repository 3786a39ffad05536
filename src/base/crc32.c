/* Eight bytes at a time, by a table for each of them; see crc32.h. */
#include "base/crc32.h"

#include "base/bits.h"

#define POLYNOMIAL 0xEDB88320u
#define STEP       8u

static void make_tables(uint32_t tables[STEP][256])
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (unsigned bit = 0; bit < 8; bit++) {
            value = (value >> 1) ^ ((value & 1) != 0 ? POLYNOMIAL : 0);
        }
        tables[0][i] = value;
    }
    for (unsigned table = 1; table < STEP; table++) {
        for (unsigned i = 0; i < 256; i++) {
            uint32_t before = tables[table - 1][i];
            tables[table][i] = (before >> 8) ^ tables[0][before & 0xFF];
        }
    }
}

uint32_t crc32_append(uint32_t crc, const void *bytes, size_t length)
{
    uint32_t tables[STEP][256];
    make_tables(tables);
    const uint8_t *at = bytes;
    crc = ~crc;
    for (; length >= STEP; length -= STEP, at += STEP) {
        uint32_t low = crc ^ load_le32(at);
        crc = tables[7][low & 0xFF] ^ tables[6][low >> 8 & 0xFF] ^ tables[5][low >> 16 & 0xFF] ^
              tables[4][low >> 24] ^ tables[3][at[4]] ^ tables[2][at[5]] ^ tables[1][at[6]] ^
              tables[0][at[7]];
    }
    for (; length > 0; length--) {
        crc = (crc >> 8) ^ tables[0][(crc ^ *at++) & 0xFF];
    }
    return ~crc;
}

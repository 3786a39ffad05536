/* Byte strings to try the decoder on (decoder_cases.h). */
#include "decoder_cases.h"

#include <stdlib.h>
#include <string.h>

uint64_t cases_random(uint64_t *state)
{
    uint64_t x = *state ? *state : 0x9e3779b97f4a7c15u;
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *state = x;
    return x * 0x2545f4914f6cdd1du;
}

uint64_t cases_environment(const char *name, uint64_t fallback)
{
    const char *text = getenv(name);
    return text && *text ? strtoull(text, NULL, 0) : fallback;
}

static void fill_random(uint64_t *state, uint8_t *bytes, size_t count)
{
    for (size_t i = 0; i < count; i += 8) {
        uint64_t word = cases_random(state);
        memcpy(bytes + i, &word, count - i < 8 ? count - i : 8);
    }
}

/* Appends the escape bytes of a map. Returns how many. */
static size_t put_escape(uint8_t *bytes, unsigned map)
{
    static const uint8_t escapes[4][2] = {{0}, {0x0f}, {0x0f, 0x38}, {0x0f, 0x3a}};
    size_t count = map == 0 ? 0 : map == 1 ? 1 : 2;
    memcpy(bytes, escapes[map], count);
    return count;
}

static void try_modrm_bytes(struct decoder_case *c, size_t at, uint64_t *state, case_function *function,
                            void *context)
{
    static const uint8_t few[] = {0x00, 0x45, 0x94, 0xff};
    bool has_modrm = true;
    for (unsigned modrm = 0; modrm < 256; modrm++) {
        if (!has_modrm && !memchr(few, (int)modrm, sizeof few)) {
            continue;
        }
        fill_random(state, c->bytes + at, CASE_BYTES - at);
        c->bytes[at] = (uint8_t)modrm;
        has_modrm = function(context, c) == CASE_HAS_MODRM;
    }
}

void cases_exhaustive(unsigned code_size, uint64_t seed, case_function *function, void *context)
{
    static const uint8_t prefixes[4] = {0, 0x66, 0xf2, 0xf3};
    uint64_t state = seed;
    struct decoder_case c = {.mode = {.code_size = (uint8_t)code_size}};
    for (unsigned map = 0; map < 4; map++) {
        for (unsigned opcode = 0; opcode < 256; opcode++) {
            for (unsigned variant = 0; variant < (code_size == 8 ? 16 : 8); variant++) {
                size_t at = 0;
                if (prefixes[variant & 3]) {
                    c.bytes[at++] = prefixes[variant & 3];
                }
                if (variant & 4) {
                    c.bytes[at++] = 0x67;
                }
                if (variant & 8) {
                    c.bytes[at++] = (uint8_t)(0x48 | (cases_random(&state) & 7));
                }
                at += put_escape(c.bytes + at, map);
                c.bytes[at++] = (uint8_t)opcode;
                try_modrm_bytes(&c, at, &state, function, context);
            }
        }
    }
}

void cases_random_bytes(uint64_t *state, uint8_t *bytes, unsigned code_size)
{
    static const uint8_t prefixes[16] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65, 0x66, 0x67,
                                         0xf0, 0xf2, 0xf3, 0x66, 0x66, 0xf2, 0xf3, 0x64};
    fill_random(state, bytes, CASE_BYTES);
    uint64_t dice = cases_random(state);
    size_t at = 0;
    for (unsigned count = (dice & 0xf) < 5 ? (unsigned)(dice & 0xf) : 0; count > 0; count--) {
        bytes[at++] = prefixes[cases_random(state) & 15];
    }
    if (code_size == 8 && (dice & 0x10)) {
        bytes[at] = (uint8_t)(0x40 | (bytes[at] & 15));
        at++;
    }
    put_escape(bytes + at, (dice & 0x60) == 0x60 ? (unsigned)(dice >> 8 & 3) : (unsigned)(dice >> 6 & 1));
}

/* SHA-256 (FIPS 180-4) of a 2 MiB message, after a check of the standard's example: rotations, logic and
 * additions in long dependent chains. */
#include "workload.h"

#define MESSAGE_BYTES (2u << 20)

struct sha256 {
    uint32_t state[8];
};

static const uint32_t round_constants[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5,
    0xd807aa98, 0x12835b01, 0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174,
    0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc, 0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da,
    0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147, 0x06ca6351, 0x14292967,
    0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070,
    0x19a4c116, 0x1e376c08, 0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3,
    0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208, 0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint8_t message[MESSAGE_BYTES];

static uint32_t rotate(uint32_t value, unsigned by)
{
    return value >> by | value << (32 - by);
}

static void add_block(struct sha256 *sha, const uint8_t *block)
{
    uint32_t schedule[64];
    for (unsigned i = 0; i < 16; i++) {
        const uint8_t *bytes = block + 4 * i;
        schedule[i] =
            (uint32_t)bytes[0] << 24 | (uint32_t)bytes[1] << 16 | (uint32_t)bytes[2] << 8 | bytes[3];
    }
    for (unsigned i = 16; i < 64; i++) {
        uint32_t x = schedule[i - 15];
        uint32_t y = schedule[i - 2];
        schedule[i] = schedule[i - 16] + (rotate(x, 7) ^ rotate(x, 18) ^ x >> 3) + schedule[i - 7] +
                      (rotate(y, 17) ^ rotate(y, 19) ^ y >> 10);
    }
    uint32_t s[8];
    memcpy(s, sha->state, sizeof s);
    for (unsigned i = 0; i < 64; i++) {
        uint32_t choice = (s[4] & s[5]) ^ (~s[4] & s[6]);
        uint32_t majority = (s[0] & s[1]) ^ (s[0] & s[2]) ^ (s[1] & s[2]);
        uint32_t one = s[7] + (rotate(s[4], 6) ^ rotate(s[4], 11) ^ rotate(s[4], 25)) + choice +
                       round_constants[i] + schedule[i];
        uint32_t two = (rotate(s[0], 2) ^ rotate(s[0], 13) ^ rotate(s[0], 22)) + majority;
        s[7] = s[6];
        s[6] = s[5];
        s[5] = s[4];
        s[4] = s[3] + one;
        s[3] = s[2];
        s[2] = s[1];
        s[1] = s[0];
        s[0] = one + two;
    }
    for (unsigned i = 0; i < 8; i++) {
        sha->state[i] += s[i];
    }
}

static struct sha256 digest(const uint8_t *bytes, uint32_t count)
{
    struct sha256 sha = {
        {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19}};
    uint32_t at = 0;
    for (; count - at >= 64; at += 64) {
        add_block(&sha, bytes + at);
    }
    uint8_t last[128] = {0};
    uint32_t rest = count - at;
    uint32_t padded = rest < 56 ? 64 : 128;
    memcpy(last, bytes + at, rest);
    last[rest] = 0x80;
    for (unsigned i = 0; i < 4; i++) {
        last[padded - 1 - i] = (uint8_t)(count << 3 >> 8 * i);
    }
    for (at = 0; at < padded; at += 64) {
        add_block(&sha, last + at);
    }
    return sha;
}

void workload_prepare(void)
{
    static const uint32_t expected[8] = {0xba7816bf, 0x8f01cfea, 0x414140de, 0x5dae2223,
                                         0xb00361a3, 0x96177a9c, 0xb410ff61, 0xf20015ad};
    struct sha256 sha = digest((const uint8_t *)"abc", 3);
    if (memcmp(sha.state, expected, sizeof expected) != 0) {
        workload_fail("the digest of \"abc\" is wrong");
    }
    uint32_t random = 7;
    for (uint32_t i = 0; i < MESSAGE_BYTES; i++) {
        message[i] = (uint8_t)workload_random(&random);
    }
}

uint32_t workload_run(void)
{
    struct sha256 sha = digest(message, MESSAGE_BYTES);
    uint32_t hash = WORKLOAD_HASH_START;
    for (unsigned i = 0; i < 8; i++) {
        hash = workload_hash(hash, sha.state[i]);
    }
    return hash;
}

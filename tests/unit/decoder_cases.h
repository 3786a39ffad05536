/* Byte strings to try the decoder on: every opcode of every map in every form, and random ones. Shared by the
 * decoder's tests. */
#ifndef DOPPEL_TESTS_DECODER_CASES_H
#define DOPPEL_TESTS_DECODER_CASES_H

#include "decoder/decoder.h"

#define CASE_BYTES 32 /* enough for the decoder to read in place */

/* One byte string and the mode to read it in. */
struct decoder_case {
    struct decode_mode mode;
    uint8_t bytes[CASE_BYTES];
};

/* Called per case; returns what it saw, so that an iteration can skip ModRM bytes of instructions that have
 * none. */
enum case_outcome { CASE_HAS_MODRM, CASE_HAS_NO_MODRM };
typedef enum case_outcome case_function(void *context, const struct decoder_case *decoder_case);

/* A small deterministic generator (xorshift64*); a state of 0 is replaced. */
uint64_t cases_random(uint64_t *state);

/* Every opcode of the four maps × ModRM × no prefix, 66, F2, F3 × 67 × REX.W (64-bit code), in code of
 * `code_size`. Bytes after ModRM are random from `seed`. Instructions without ModRM are tried with a few
 * following bytes. */
void cases_exhaustive(unsigned code_size, uint64_t seed, case_function *function, void *context);

/* Fills in a random byte string: up to four random prefixes, an opcode of any map, random bytes. */
void cases_random_bytes(uint64_t *state, uint8_t *bytes, unsigned code_size);

/* A number from the environment (any C base), or `fallback`. */
uint64_t cases_environment(const char *name, uint64_t fallback);

#endif

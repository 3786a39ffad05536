/* The input of a fuzz target as a sequence of numbers, zeros behind its end. */
#ifndef DOPPEL_TESTS_FUZZ_INPUT_H
#define DOPPEL_TESTS_FUZZ_INPUT_H

#include <stddef.h>
#include <stdint.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct fuzz_input {
    const uint8_t *bytes;
    size_t left;
};

static inline uint8_t fuzz_byte(struct fuzz_input *input)
{
    if (input->left == 0) {
        return 0;
    }
    input->left--;
    return *input->bytes++;
}

/* Little-endian, `width` bytes (0..8). */
static inline uint64_t fuzz_word(struct fuzz_input *input, unsigned width)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        value |= (uint64_t)fuzz_byte(input) << 8 * i;
    }
    return value;
}

/* The same, for `width` of 0..4. */
static inline uint32_t fuzz_word32(struct fuzz_input *input, unsigned width)
{
    return (uint32_t)fuzz_word(input, width);
}

#endif

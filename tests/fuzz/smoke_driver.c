/* Runs a fuzz target on a fixed sequence of random inputs, without libFuzzer: every build's tests see that
 * the target works and that nothing breaks at once. scripts/fuzz is the real thing.
 *
 * usage: TARGET-smoke COUNT [FILE...]: COUNT inputs, or the files (to reproduce a finding with any compiler).
 */
#include <stdio.h>
#include <stdlib.h>

#include "fuzz_input.h"

#define LONGEST 2048u

static uint64_t next_random(uint64_t *state)
{
    uint64_t x = *state;
    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return *state = x;
}

static int run_file(const char *path)
{
    static const size_t largest = (size_t)1 << 20;
    FILE *file = fopen(path, "rb");
    uint8_t *bytes = malloc(largest);
    if (file == NULL || bytes == NULL) {
        perror(path);
        return EXIT_FAILURE;
    }
    size_t size = fread(bytes, 1, largest, file);
    fclose(file);
    LLVMFuzzerTestOneInput(bytes, size);
    free(bytes);
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    int status = EXIT_SUCCESS;
    for (int i = 2; i < argc; i++) {
        status |= run_file(argv[i]);
    }
    if (argc != 2) {
        return argc > 2 ? status : EXIT_FAILURE;
    }
    uint64_t state = UINT64_C(0x2545f4914f6cdd1d);
    for (unsigned long left = strtoul(argv[1], NULL, 10); left > 0; left--) {
        uint8_t bytes[LONGEST];
        size_t size = (size_t)(next_random(&state) >> 16) % LONGEST;
        /* Every fourth input has mostly small numbers, so that the sparse first choices are met. */
        uint8_t mask = left % 4 == 0 ? 0x1f : 0xff;
        for (size_t i = 0; i < size; i++) {
            bytes[i] = (uint8_t)(next_random(&state) >> 24) & mask;
        }
        LLVMFuzzerTestOneInput(bytes, size);
    }
    return EXIT_SUCCESS;
}

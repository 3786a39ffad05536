/* A device region that writes down every access, as text, for the tests of the buses. */
#ifndef DOPPEL_TESTS_RECORDING_REGION_H
#define DOPPEL_TESTS_RECORDING_REGION_H

#include "bus/io_region.h"

struct recording {
    char text[1024]; /* "r<offset>/<width> " and "w<offset>/<width>=<value> ", hexadecimal */
    uint64_t answer; /* reads return this plus the offset, whole, whatever the width */
};

/* Ports or addresses [base, base + length) answered by `recording`, in accesses of up to max_width bytes. */
struct io_region recording_region(struct recording *recording, const char *name, uint64_t base,
                                  uint64_t length, uint8_t max_width);

/* Fails unless exactly the accesses in `expected` were made since the last call. */
void recording_expect(struct recording *recording, const char *expected);

#endif

/*
 * See scratch.h.
 */
#include "scratch.h"

uint8_t scratch_a[SCRATCH_SIZE] __attribute__((aligned(4096)));
uint8_t scratch_b[SCRATCH_SIZE] __attribute__((aligned(4096)));

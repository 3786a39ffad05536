/*
 * Memory that commands share because only one runs at a time: nothing in it survives a command.
 */
#ifndef DEMO_SCRATCH_H
#define DEMO_SCRATCH_H

#include <stdint.h>

#define SCRATCH_SIZE 65536

/* Two areas of SCRATCH_SIZE bytes, aligned to a page. */
extern uint8_t scratch_a[SCRATCH_SIZE];
extern uint8_t scratch_b[SCRATCH_SIZE];

#endif

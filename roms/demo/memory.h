/*
 * How much memory the machine has, by the best answer its BIOS gave.
 */
#ifndef DEMO_MEMORY_H
#define DEMO_MEMORY_H

#include <stdint.h>

/* Usable KiB; 4 TiB at most. */
uint32_t memory_total_kb(void);

#endif

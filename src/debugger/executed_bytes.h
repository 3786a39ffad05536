/* A set of physical bytes: those of instructions that have been executed, by which a store that changes code
 * is known for what it is. The same on every engine, since it does not depend on what an engine keeps. */
#ifndef DOPPEL_DEBUGGER_EXECUTED_BYTES_H
#define DOPPEL_DEBUGGER_EXECUTED_BYTES_H

#include <stdbool.h>
#include <stdint.h>

struct executed_bytes;

/* Empty. NULL when out of memory. */
struct executed_bytes *executed_bytes_create(void);
void executed_bytes_destroy(struct executed_bytes *set);

/* [phys, phys + length) lies within one page below 4 GiB. Out of memory leaves it out. */
void executed_bytes_add(struct executed_bytes *set, uint64_t phys, unsigned length);

/* Takes these bytes out, also within one page; true when one of them was in the set. */
bool executed_bytes_take(struct executed_bytes *set, uint64_t phys, unsigned length);

void executed_bytes_clear(struct executed_bytes *set);

#endif

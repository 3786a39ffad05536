/* Calls and returns of functions that do nothing, direct and through pointers (Adams & Agesen, "call/ret").
 */
#include "workload.h"

#define CALLS 1000000u

typedef uint32_t leaf(uint32_t value);

static __attribute__((noinline)) uint32_t add_one(uint32_t value)
{
    __asm__ volatile("");
    return value + 1;
}

static __attribute__((noinline)) uint32_t add_two(uint32_t value)
{
    __asm__ volatile("");
    return value + 2;
}

static leaf *volatile const leaves[4] = {add_one, add_two, add_one, add_two};

uint32_t workload_run(void)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < CALLS; i++) {
        value = add_one(value);
        value = leaves[i & 3](value);
    }
    return value;
}

/* Named event counters of one machine, listed once in counter.def and printed by `info counters` and the
 * bench. */
#ifndef DOPPEL_BASE_COUNTERS_H
#define DOPPEL_BASE_COUNTERS_H

#include <stdint.h>

enum counter {
#define COUNTER(symbol, name, text) COUNTER_##symbol,
#include "base/counter.def"
#undef COUNTER
    COUNTER_COUNT
};

struct counters {
    uint64_t value[COUNTER_COUNT];
};

static inline void counter_add(struct counters *counters, enum counter counter, uint64_t amount)
{
    counters->value[counter] += amount;
}

const char *counter_name(enum counter counter);
const char *counter_text(enum counter counter);

#endif

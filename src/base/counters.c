/* Names of the counters; see counters.h. */
#include "base/counters.h"

static const struct {
    const char *name;
    const char *text;
} counter_descriptions[COUNTER_COUNT] = {
#define COUNTER(symbol, name, text) {name, text},
#include "base/counter.def"
#undef COUNTER
};

const char *counter_name(enum counter counter)
{
    return counter_descriptions[counter].name;
}

const char *counter_text(enum counter counter)
{
    return counter_descriptions[counter].text;
}

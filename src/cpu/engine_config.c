/* Names of engines and strategies; see engine_config.h. */
#include "cpu/engine_config.h"

#include <string.h>

struct choice {
    const char *name, *text;
};

static const struct choice engines[] = {
#define ENGINE_CHOICE(symbol, name, text) {name, text},
#include "cpu/engine_choice.def"
};

static const struct choice mmu_strategies[] = {
#define MMU_CHOICE(symbol, name, text) {name, text},
#include "cpu/engine_choice.def"
};

static const struct choice sensitive_strategies[] = {
#define SENSITIVE_CHOICE(symbol, name, text) {name, text},
#include "cpu/engine_choice.def"
};

static const struct {
    const char *name;
    const struct choice *choices;
    unsigned count;
} axes[ENGINE_AXIS_COUNT] = {
    [ENGINE_AXIS_ENGINE] = {"engine", engines, ENGINE_KIND_COUNT},
    [ENGINE_AXIS_MMU] = {"mmu", mmu_strategies, MMU_STRATEGY_COUNT},
    [ENGINE_AXIS_SENSITIVE] = {"sensitive", sensitive_strategies, SENSITIVE_STRATEGY_COUNT},
};

const char *engine_axis_name(enum engine_axis axis)
{
    return axes[axis].name;
}

const char *engine_choice_name(enum engine_axis axis, unsigned value)
{
    return value < axes[axis].count ? axes[axis].choices[value].name : NULL;
}

const char *engine_choice_text(enum engine_axis axis, unsigned value)
{
    return value < axes[axis].count ? axes[axis].choices[value].text : NULL;
}

bool engine_choice_find(enum engine_axis axis, const char *name, unsigned *value)
{
    for (unsigned i = 0; i < axes[axis].count; i++) {
        if (strcmp(axes[axis].choices[i].name, name) == 0) {
            *value = i;
            return true;
        }
    }
    return false;
}

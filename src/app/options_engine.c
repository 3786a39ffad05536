/* See options_engine.h. The words are those of cpu/engine_choice.def. */
#include "app/options_engine.h"

#include <stdio.h>
#include <string.h>

#include "app/options_words.h"
#include "machine/engine_factory.h"

#define DEFAULT_LOCKSTEP_STEP 5000

static struct status choose(enum engine_axis axis, const char *name, unsigned *value)
{
    if (engine_choice_find(axis, name, value)) {
        return status_ok();
    }
    char known[160] = "";
    const char *choice;
    for (unsigned i = 0; (choice = engine_choice_name(axis, i)) != NULL; i++) {
        size_t length = strlen(known);
        snprintf(known + length, sizeof known - length, "%s%s", i == 0 ? "" : ", ", choice);
    }
    return status_error(STATUS_INVALID_ARGUMENT, "unknown value \"%.32s\" of -%s; known are: %s", name,
                        engine_axis_name(axis), known);
}

struct status options_set_engine(struct engine_config *config, const char *value)
{
    unsigned choice = config->kind;
    struct status status = choose(ENGINE_AXIS_ENGINE, value, &choice);
    config->kind = (enum engine_kind)choice;
    return status;
}

struct status options_set_mmu(struct engine_config *config, const char *value)
{
    unsigned choice = config->mmu;
    struct status status = choose(ENGINE_AXIS_MMU, value, &choice);
    config->mmu = (enum mmu_strategy)choice;
    return status;
}

struct status options_set_sensitive(struct engine_config *config, const char *value)
{
    unsigned choice = config->sensitive;
    struct status status = choose(ENGINE_AXIS_SENSITIVE, value, &choice);
    config->sensitive = (enum sensitive_strategy)choice;
    return status;
}

struct status options_set_chain(struct engine_config *config, const char *value)
{
    bool chained;
    if (!options_parse_switch(value, &chained)) {
        return status_error(STATUS_INVALID_ARGUMENT, "unknown value \"%.32s\" of -chain; known are: on, off",
                            value);
    }
    config->unchained = !chained;
    return status_ok();
}

struct status options_set_tb_size(struct engine_config *config, const char *value)
{
    uint64_t size;
    if (!options_parse_number(value, 10, ENGINE_TB_SIZE_MAX, &size) || size == 0) {
        return status_error(STATUS_INVALID_ARGUMENT, "\"%.32s\" is not a size of 1 to %u MiB for -tb-size",
                            value, ENGINE_TB_SIZE_MAX);
    }
    config->tb_size_mib = (unsigned)size;
    return status_ok();
}

struct status options_set_tb_warm(struct engine_config *config, const char *value)
{
    uint64_t times;
    if (!options_parse_number(value, 10, ENGINE_TB_WARM_MAX, &times)) {
        return status_error(STATUS_INVALID_ARGUMENT, "\"%.32s\" is not a number of 0 to %u for -tb-warm",
                            value, ENGINE_TB_WARM_MAX);
    }
    config->tb_warm = (uint8_t)times;
    return status_ok();
}

struct status options_set_check(struct options_check *check, char *value)
{
    char *rest = value;
    char *item = options_next_item(&rest);
    if (strcmp(item, "lockstep") != 0) {
        return status_error(STATUS_INVALID_ARGUMENT, "unknown value \"%.32s\" of -check; known are: lockstep",
                            item);
    }
    *check = (struct options_check){
        .lockstep = true, .seed = 1, .longest_step = DEFAULT_LOCKSTEP_STEP, .instructions = UINT64_MAX};
    while ((item = options_next_item(&rest)) != NULL) {
        uint64_t number = 0;
        char *text = options_cut_value(item);
        bool good = text != NULL && options_parse_number(text, 10, UINT64_MAX, &number);
        if (good && strcmp(item, "seed") == 0) {
            check->seed = number;
        } else if (good && strcmp(item, "step") == 0 && number > 0 && number <= UINT32_MAX) {
            check->longest_step = (uint32_t)number;
        } else if (good && strcmp(item, "instructions") == 0) {
            check->instructions = number;
        } else {
            return status_error(STATUS_INVALID_ARGUMENT,
                                "\"%.32s%s%.32s\" is none of seed=N, step=N from 1 on and instructions=N for "
                                "-check lockstep",
                                item, text != NULL ? "=" : "", text != NULL ? text : "");
        }
    }
    return status_ok();
}

void options_print_choices(enum engine_axis axis, FILE *out)
{
    if (axis == ENGINE_AXIS_COUNT) {
        fputs("on           translated blocks jump to each other (default)\n"
              "off          every translated block returns to the dispatcher\n",
              out);
        return;
    }
    const struct engine_config config = machine_engine_default();
    const unsigned defaults[] = {[ENGINE_AXIS_ENGINE] = config.kind,
                                 [ENGINE_AXIS_MMU] = config.mmu,
                                 [ENGINE_AXIS_SENSITIVE] = config.sensitive};
    for (unsigned i = 0; engine_choice_name(axis, i) != NULL; i++) {
        if (axis != ENGINE_AXIS_ENGINE || machine_engine_is_built((enum engine_kind)i)) {
            fprintf(out, "%-12s %s%s\n", engine_choice_name(axis, i), engine_choice_text(axis, i),
                    i == defaults[axis] ? " (default)" : "");
        }
    }
}

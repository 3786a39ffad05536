/* Combinations of strategies, and finding the programs; see configuration.h. */
#include "harness/configuration.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "harness/memory.h"
#include "harness/process.h"

static const struct strategy strategies[] = {
#define STRATEGY(axis, name, text) {STRATEGY_##axis, name, text},
#include "harness/strategy.def"
#undef STRATEGY
};

static const char *const axis_names[STRATEGY_AXIS_COUNT] = {"engine", "mmu", "sensitive", "chain"};

static const struct {
    const char *name;
    enum configuration_kind kind;
} peers[] = {{"native", CONFIGURATION_NATIVE}, {"qemu", CONFIGURATION_QEMU}, {"bochs", CONFIGURATION_BOCHS}};

const char *strategy_axis_name(enum strategy_axis axis)
{
    return axis_names[axis];
}

const struct strategy *strategy_table(size_t *count)
{
    *count = ARRAY_COUNT(strategies);
    return strategies;
}

/* ---- finding programs */

/* The path of an executable: `name` itself when it has a slash, otherwise by PATH. NULL: there is none. */
static char *find_program(const char *name)
{
    char resolved[PATH_MAX];
    if (strchr(name, '/') != NULL) {
        return access(name, X_OK) == 0 && realpath(name, resolved) != NULL ? memory_text(resolved) : NULL;
    }
    const char *path = getenv("PATH");
    char *copy = memory_text(path != NULL ? path : "/usr/bin:/bin");
    char *rest = copy;
    char *found = NULL;
    for (char *directory = strsep(&rest, ":"); directory != NULL && found == NULL;
         directory = strsep(&rest, ":")) {
        char *candidate = memory_format("%s/%s", directory[0] != '\0' ? directory : ".", name);
        if (access(candidate, X_OK) == 0 && realpath(candidate, resolved) != NULL) {
            found = memory_text(candidate);
        }
        free(candidate);
    }
    free(copy);
    return found;
}

struct version_search {
    const char *beginning;
    char *found;
};

static bool look_for_version(void *opaque, const char *line, struct process_moment moment)
{
    struct version_search *search = opaque;
    (void)moment;
    const char *at = strstr(line, search->beginning);
    if (at == NULL) {
        return true;
    }
    free(search->found);
    search->found = memory_text(at);
    return false;
}

/* The first line of what the program prints for `option` that has `beginning` in it, from there on; "" when
 * there is none. The caller owns it. */
static char *ask_version(const char *program, const char *option, const char *beginning)
{
    struct version_search search = {.beginning = beginning};
    const char *argv[] = {program, option, NULL};
    struct process_request request = {.argv = argv,
                                      .join_errors = true,
                                      .timeout_seconds = 10,
                                      .grace_seconds = 0.2,
                                      .line = look_for_version,
                                      .opaque = &search};
    struct process_result result;
    struct status status = process_run(&request, &result);
    if (!status_is_ok(&status) || search.found == NULL) {
        free(search.found);
        return memory_text("");
    }
    return search.found;
}

/* ---- what doppel has */

struct built_search {
    enum strategy_axis axis;
    bool *built;
};

/* The first word of each line is a value that doppel has. */
static bool note_built(void *opaque, const char *line, struct process_moment moment)
{
    const struct built_search *search = opaque;
    size_t length = strcspn(line, " ");
    (void)moment;
    for (size_t i = 0; i < ARRAY_COUNT(strategies); i++) {
        if (strategies[i].axis == search->axis && strlen(strategies[i].name) == length &&
            strncmp(strategies[i].name, line, length) == 0) {
            search->built[i] = true;
        }
    }
    return true;
}

static bool has_translator(const bool *built)
{
    for (size_t i = 0; i < ARRAY_COUNT(strategies); i++) {
        if (built[i] && strategies[i].axis == STRATEGY_ENGINE && strcmp(strategies[i].name, "interp") != 0) {
            return true;
        }
    }
    return false;
}

/* A doppel that does not answer has none; one without a translator needs no ways to translate. */
static bool *ask_built(const char *program)
{
    bool *built = memory_allocate(ARRAY_COUNT(strategies), sizeof *built);
    for (size_t i = 0; program != NULL && i < STRATEGY_AXIS_COUNT; i++) {
        if (i > STRATEGY_MMU && !has_translator(built)) {
            break;
        }
        char option[16];
        snprintf(option, sizeof option, "-%s", axis_names[i]);
        struct built_search search = {.axis = (enum strategy_axis)i, .built = built};
        const char *argv[] = {program, option, "help", NULL};
        struct process_request request = {
            .argv = argv, .timeout_seconds = 10, .grace_seconds = 1, .line = note_built, .opaque = &search};
        struct process_result result;
        struct status status = process_run(&request, &result);
        if (!status_is_ok(&status)) {
            break;
        }
    }
    return built;
}

/* ---- building the list */

static struct configuration *append(struct configuration_list *list, const char *id,
                                    enum configuration_kind kind)
{
    list->items = memory_resize(list->items, list->count + 1, sizeof *list->items);
    struct configuration *configuration = &list->items[list->count++];
    *configuration =
        (struct configuration){.kind = kind, .built = true, .available = true, .note = memory_text("")};
    snprintf(configuration->id, sizeof configuration->id, "%s", id);
    return configuration;
}

static void be_unavailable(struct configuration *configuration, char *note)
{
    configuration->available = false;
    free(configuration->note);
    configuration->note = note;
}

static void look_for(struct configuration *configuration, const char *name, const char *option,
                     const char *beginning)
{
    configuration->program = find_program(name);
    if (configuration->program == NULL) {
        configuration->version = memory_text("");
        be_unavailable(configuration, memory_format("%s was not found", name));
    } else {
        configuration->version = ask_version(configuration->program, option, beginning);
    }
}

static void add_peer(struct configuration_list *list, size_t peer, const char *programs)
{
    struct configuration *configuration = append(list, peers[peer].name, peers[peer].kind);
    switch (configuration->kind) {
    case CONFIGURATION_QEMU: look_for(configuration, "qemu-system-i386", "--version", "QEMU emulator"); break;
    case CONFIGURATION_BOCHS: look_for(configuration, "bochs", "--help", "Bochs x86 Emulator"); break;
    default:
        configuration->version = memory_text("");
        if (access(programs, X_OK) != 0) {
            be_unavailable(configuration, memory_format("%s is not there", programs));
        }
        break;
    }
}

static bool is_peer_wanted(const char *list, const char *name)
{
    if (list == NULL) {
        return true;
    }
    size_t length = strlen(name);
    for (const char *at = list; at != NULL; at = strchr(at, ',')) {
        at += *at == ',';
        if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0')) {
            return true;
        }
    }
    return false;
}

static struct status check_peers(const char *list)
{
    if (list == NULL || strcmp(list, "none") == 0) {
        return status_ok();
    }
    char *copy = memory_text(list);
    char *rest = copy;
    struct status status = status_ok();
    for (char *word = strsep(&rest, ","); word != NULL && status_is_ok(&status); word = strsep(&rest, ",")) {
        bool known = false;
        for (size_t i = 0; i < ARRAY_COUNT(peers); i++) {
            known |= strcmp(peers[i].name, word) == 0;
        }
        if (!known) {
            status = status_error(STATUS_INVALID_ARGUMENT,
                                  "\"%s\" is not a peer (native, qemu, bochs; or none alone)", word);
        }
    }
    free(copy);
    return status;
}

struct axis_values {
    const struct strategy *values[ARRAY_COUNT(strategies)];
    size_t count;
};

static const struct strategy *find_strategy(enum strategy_axis axis, const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(strategies); i++) {
        if (strategies[i].axis == axis && strcmp(strategies[i].name, name) == 0) {
            return &strategies[i];
        }
    }
    return NULL;
}

static struct status unknown_value(enum strategy_axis axis, const char *word)
{
    char known[160] = "";
    for (size_t i = 0; i < ARRAY_COUNT(strategies); i++) {
        if (strategies[i].axis == axis) {
            size_t length = strlen(known);
            snprintf(known + length, sizeof known - length, "%s%s", length > 0 ? ", " : "",
                     strategies[i].name);
        }
    }
    return status_error(STATUS_INVALID_ARGUMENT, "\"%s\" is no value of --%s (%s)", word, axis_names[axis],
                        known);
}

/* Without a list: every engine that is built, or the first when none is; the default, NULL, of the other
 * axes. */
static struct status parse_axis(enum strategy_axis axis, const char *list, const bool *built,
                                struct axis_values *values)
{
    *values = (struct axis_values){0};
    if (list == NULL) {
        for (size_t i = 0; axis == STRATEGY_ENGINE && i < ARRAY_COUNT(strategies); i++) {
            if (strategies[i].axis == axis && built[i]) {
                values->values[values->count++] = &strategies[i];
            }
        }
        if (values->count == 0) {
            values->values[values->count++] = axis == STRATEGY_ENGINE ? &strategies[0] : NULL;
        }
        return status_ok();
    }
    char *copy = memory_text(list);
    char *rest = copy;
    struct status status = status_ok();
    for (char *word = strsep(&rest, ","); word != NULL && status_is_ok(&status); word = strsep(&rest, ",")) {
        const struct strategy *strategy = find_strategy(axis, word);
        bool twice = false;
        for (size_t i = 0; i < values->count; i++) {
            twice |= values->values[i] == strategy;
        }
        if (strategy == NULL) {
            status = unknown_value(axis, word);
        } else if (twice) {
            status = status_error(STATUS_INVALID_ARGUMENT, "--%s names \"%s\" twice", axis_names[axis], word);
        } else {
            values->values[values->count++] = strategy;
        }
    }
    free(copy);
    return status;
}

/* The interpreter translates nothing: it has no ways to do that. */
static bool engine_has_axis(const struct strategy *engine, enum strategy_axis axis)
{
    return axis == STRATEGY_MMU || strcmp(engine->name, "interp") != 0;
}

static void add_doppel(struct configuration_list *list, const struct strategy *const *combination,
                       const struct configuration *found)
{
    char id[CONFIGURATION_ID_SIZE] = "";
    const struct strategy *missing = NULL;
    for (size_t i = 0; i < STRATEGY_AXIS_COUNT; i++) {
        if (combination[i] != NULL) {
            size_t length = strlen(id);
            snprintf(id + length, sizeof id - length, "%s%s%s", i > 0 ? "/" : "",
                     i == STRATEGY_CHAIN ? "chain-" : "", combination[i]->name);
            missing = missing == NULL && !list->built[combination[i] - strategies] ? combination[i] : missing;
        }
    }
    for (size_t i = 0; i < list->count; i++) {
        if (strcmp(list->items[i].id, id) == 0) {
            return; /* engines without an axis are there once, however many values it has */
        }
    }
    struct configuration *configuration = append(list, id, CONFIGURATION_DOPPEL);
    memcpy(configuration->strategies, combination, sizeof configuration->strategies);
    configuration->program = found->program != NULL ? memory_text(found->program) : NULL;
    configuration->version = memory_text(found->version);
    if (!found->available) {
        be_unavailable(configuration, memory_text(found->note));
    } else if (missing != NULL) {
        configuration->built = false;
        be_unavailable(configuration,
                       memory_format("%s %s is not built yet", axis_names[missing->axis], missing->name));
    }
}

static void add_combinations(struct configuration_list *list, const struct axis_values *axes,
                             const struct configuration *found)
{
    size_t total = 1;
    for (size_t i = 0; i < STRATEGY_AXIS_COUNT; i++) {
        total *= axes[i].count;
    }
    for (size_t number = 0; number < total; number++) {
        const struct strategy *combination[STRATEGY_AXIS_COUNT];
        size_t rest = number;
        for (size_t i = STRATEGY_AXIS_COUNT; i-- > 0;) {
            combination[i] = axes[i].values[rest % axes[i].count];
            rest /= axes[i].count;
        }
        for (size_t i = STRATEGY_MMU; i < STRATEGY_AXIS_COUNT; i++) {
            if (!engine_has_axis(combination[STRATEGY_ENGINE], (enum strategy_axis)i)) {
                combination[i] = NULL;
            }
        }
        add_doppel(list, combination, found);
    }
}

static void free_configuration(struct configuration *configuration)
{
    free(configuration->program);
    free(configuration->version);
    free(configuration->note);
}

struct status configuration_list_create(const struct configuration_choice *choice,
                                        struct configuration_list *list)
{
    *list = (struct configuration_list){0};
    struct axis_values axes[STRATEGY_AXIS_COUNT];
    struct configuration found = {.available = true, .note = memory_text("")};
    look_for(&found, choice->doppel, "--version", "doppel");
    list->built = ask_built(found.program);
    struct status status = check_peers(choice->peers);
    for (size_t i = 0; i < STRATEGY_AXIS_COUNT && status_is_ok(&status); i++) {
        status = parse_axis((enum strategy_axis)i, choice->axes[i], list->built, &axes[i]);
    }
    for (size_t i = 0; i < ARRAY_COUNT(peers) && status_is_ok(&status); i++) {
        if (is_peer_wanted(choice->peers, peers[i].name)) {
            add_peer(list, i, choice->programs);
        }
    }
    if (status_is_ok(&status)) {
        add_combinations(list, axes, &found);
    }
    free_configuration(&found);
    return status;
}

void configuration_list_destroy(struct configuration_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        free_configuration(&list->items[i]);
    }
    free(list->items);
    free(list->built);
    *list = (struct configuration_list){0};
}

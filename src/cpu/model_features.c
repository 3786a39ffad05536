/* A model with features of choice: reading and printing MODEL[,+FEATURE|,-FEATURE|,FEATURE=on|off]...; see
 * model.h.
 *
 * Software finds features by CPUID, so that a model without it can lack what it has, but gets nothing more.
 * Features that need others are refused without them, since no processor is like that, and nobody has said
 * what its instructions would do. */
#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "cpu/cpu_state.h"
#include "cpu/model.h"

struct feature_row {
    enum cpu_feature feature, needs[2];
    const char *name, *alias;
};

static const struct feature_row rows[] = {
#define CPU_FEATURE(symbol, word, bit, name, alias, needs, needs_too, cr4)                                   \
    {FEATURE_##symbol, {FEATURE_##needs, FEATURE_##needs_too}, name, alias},
#include "cpu/feature.def"
#undef CPU_FEATURE
};

_Static_assert(ARRAY_COUNT(rows) <= 32, "a set of rows is a uint32_t");

/* What the text asks for, as sets of rows. */
struct wishes {
    uint32_t on, off;
};

const char *cpu_feature_name(size_t index)
{
    return index < ARRAY_COUNT(rows) ? rows[index].name : NULL;
}

/* ---- sets of rows */

static uint32_t features_of(const struct cpu_model *model)
{
    uint32_t set = 0;
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        set |= (uint32_t)cpu_model_has(model, rows[i].feature) << i;
    }
    return set;
}

static void set_features(struct cpu_model *model, uint32_t set)
{
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        uint32_t bit = (uint32_t)1 << rows[i].feature % 32;
        uint32_t *word = &model->features[rows[i].feature / 32];
        *word = set >> i & 1 ? *word | bit : *word & ~bit;
    }
    if (!cpu_model_has(model, FEATURE_VME)) {
        model->eflags_writable &= ~(uint32_t)(EFLAGS_VIF | EFLAGS_VIP);
    }
}

/* What row `of` needs, what that needs, and so on: all of it lies in front of it. */
static uint32_t needs_of(size_t of)
{
    uint32_t set = (uint32_t)1 << of;
    for (size_t i = of + 1; i-- > 0;) {
        for (size_t n = 0; set >> i & 1 && n < ARRAY_COUNT(rows[i].needs); n++) {
            for (size_t j = 0; j < i; j++) {
                set |= (uint32_t)(rows[j].feature == rows[i].needs[n]) << j;
            }
        }
    }
    return set & ~((uint32_t)1 << of);
}

/* The rows of `set` with `before` in front of each and `between` them. */
static void print_set(uint32_t set, const char *before, const char *between, char *text, size_t size)
{
    text[0] = '\0';
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if (set >> i & 1) {
            size_t length = strlen(text);
            snprintf(text + length, size - length, "%s%s%s", length > 0 ? between : "", before, rows[i].name);
        }
    }
}

/* ---- reading */

static bool is_named(const char *name, const char *word, size_t length)
{
    return name != NULL && strlen(name) == length && memcmp(name, word, length) == 0;
}

static const struct cpu_model *find_model(const char *name, size_t length)
{
    const struct cpu_model *model = NULL;
    for (size_t i = 0; (model = cpu_model_at(i)) != NULL && !is_named(model->name, name, length); i++) {
    }
    return model;
}

static struct status unknown_model(const char *name, size_t length)
{
    char known[160] = "";
    const struct cpu_model *model;
    for (size_t i = 0; (model = cpu_model_at(i)) != NULL; i++) {
        size_t written = strlen(known);
        snprintf(known + written, sizeof known - written, "%s%s", i == 0 ? "" : ", ", model->name);
    }
    return status_error(STATUS_INVALID_ARGUMENT, "unknown CPU model \"%.*s\"; known are: %s",
                        (int)(length < 32 ? length : 32), name, known);
}

static struct status find_feature(const char *name, size_t length, size_t *row)
{
    for (*row = 0; *row < ARRAY_COUNT(rows); ++*row) {
        if (is_named(rows[*row].name, name, length) || is_named(rows[*row].alias, name, length)) {
            return status_ok();
        }
    }
    char known[200];
    print_set(UINT32_MAX >> (32 - ARRAY_COUNT(rows)), "", " ", known, sizeof known);
    return status_error(STATUS_INVALID_ARGUMENT, "unknown CPU feature \"%.*s\"; known are: %s",
                        (int)(length < 20 ? length : 20), name, known);
}

/* One of the words behind the model. */
static struct status add_wish(const char *word, size_t length, struct wishes *wishes)
{
    const char *equals = memchr(word, '=', length);
    size_t row, name_length = equals != NULL ? (size_t)(equals - word) : length;
    bool sign = length > 0 && (word[0] == '+' || word[0] == '-');
    bool on = sign ? word[0] == '+' : equals != NULL && is_named("on", equals + 1, length - name_length - 1);
    bool off = sign ? !on : equals != NULL && is_named("off", equals + 1, length - name_length - 1);
    if ((!on && !off) || (sign && equals != NULL)) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "\"%.*s\" is none of +FEATURE, -FEATURE, FEATURE=on and FEATURE=off",
                            (int)(length < 32 ? length : 32), word);
    }
    struct status status = find_feature(word + sign, name_length - sign, &row);
    if (status_is_ok(&status)) {
        *(on ? &wishes->on : &wishes->off) |= (uint32_t)1 << row;
        if (wishes->on & wishes->off) {
            return status_error(STATUS_INVALID_ARGUMENT, "the CPU is asked for with and without \"%s\"",
                                rows[row].name);
        }
    }
    return status;
}

static struct status check_age(const struct cpu_model *model, uint32_t added)
{
    char names[CPU_MODEL_TEXT];
    if (model->has_cpuid || added == 0) {
        return status_ok();
    }
    print_set(added, "", ", ", names, sizeof names);
    return status_error(STATUS_INVALID_ARGUMENT,
                        "the %s cannot have %.100s: software finds features by CPUID, which models have from "
                        "the pentium on",
                        model->name, names);
}

static struct status check_needs(const struct cpu_model *model, uint32_t set, const struct wishes *wishes)
{
    char names[CPU_MODEL_TEXT];
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        uint32_t missing = set >> i & 1 ? needs_of(i) & ~set : 0;
        if (missing == 0) {
            continue;
        }
        if (!(missing & wishes->off)) {
            print_set(missing, "+", ",", names, sizeof names);
            return status_error(STATUS_INVALID_ARGUMENT,
                                "\"%s\" needs what the %s does not have: add %.150s as well", rows[i].name,
                                model->name, names);
        }
        unsigned lacks = (unsigned)__builtin_ctz(missing & wishes->off);
        uint32_t dependent = 0;
        for (size_t j = 0; j < ARRAY_COUNT(rows); j++) {
            dependent |= set & ((needs_of(j) >> lacks & 1) << j);
        }
        print_set(dependent, "-", ",", names, sizeof names);
        return status_error(STATUS_INVALID_ARGUMENT, "what needs \"%s\" has to go with it: add %.150s",
                            rows[lacks].name, names);
    }
    return status_ok();
}

struct status cpu_model_parse(const char *text, struct cpu_model *model)
{
    size_t length = strcspn(text, ",");
    const struct cpu_model *named = find_model(text, length);
    struct wishes wishes = {0};
    struct status status = named != NULL ? status_ok() : unknown_model(text, length);
    for (text += length; *text == ',' && status_is_ok(&status); text += length) {
        text++;
        length = strcspn(text, ",");
        status = add_wish(text, length, &wishes);
    }
    if (!status_is_ok(&status)) {
        return status;
    }
    uint32_t set = (features_of(named) | wishes.on) & ~wishes.off;
    status = check_age(named, set & ~features_of(named));
    if (status_is_ok(&status)) {
        status = check_needs(named, set, &wishes);
    }
    *model = *named;
    set_features(model, set);
    return status;
}

/* ---- printing */

void cpu_model_print(const struct cpu_model *model, char *text, size_t size)
{
    const uint32_t has = features_of(model);
    const uint32_t usual = features_of(cpu_model_find(model->name));
    snprintf(text, size, "%s", model->name);
    for (size_t i = 0; i < ARRAY_COUNT(rows); i++) {
        if ((has ^ usual) >> i & 1) {
            size_t length = strlen(text);
            snprintf(text + length, size - length, ",%c%s", has >> i & 1 ? '+' : '-', rows[i].name);
        }
    }
}

/* Expressions whose values are shown wherever the machine stops: below what is printed of a stop, and in a
 * pane of the debugger's screen. They keep their numbers.
 *
 * Names of symbols mean what they meant when the expression was added. */
#ifndef DOPPEL_DEBUGGER_DISPLAYS_H
#define DOPPEL_DEBUGGER_DISPLAYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

#define DISPLAYS_MAX 32u

struct displays;
struct expression_scope;
struct machine;

struct display_value {
    unsigned number;
    const char *text; /* the expression as it was written; borrowed */
    uint64_t value;
    bool is_changed;      /* since the machine stood elsewhere; never while it runs */
    struct status status; /* why there is no value */
};

/* `machine` is borrowed. NULL when out of memory. */
struct displays *displays_create(struct machine *machine);
void displays_destroy(struct displays *displays); /* NULL is allowed */

/* Errors: `text` is no expression, there are DISPLAYS_MAX, out of memory. */
struct status displays_add(struct displays *displays, const char *text, const struct expression_scope *scope,
                           unsigned *number) STATUS_MUST_CHECK;

/* False: there is none of this number. */
bool displays_remove(struct displays *displays, unsigned number);

size_t displays_count(const struct displays *displays);

/* Evaluates the n-th, in the order of their numbers. */
struct display_value displays_evaluate(struct displays *displays, size_t n);

/* "1: eax + 4 = 0x10 (16)", with a * behind the number for what has changed. */
void displays_describe(const struct display_value *value, char *to, size_t size);

#endif

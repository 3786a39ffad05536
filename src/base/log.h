/* Log categories and the sink they go to (-d LIST, -D FILE).
 *
 * One `struct log` belongs to one machine; modules get a pointer. A disabled category costs one load and a
 * branch. */
#ifndef DOPPEL_BASE_LOG_H
#define DOPPEL_BASE_LOG_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

enum log_category {
#define LOG_CATEGORY(symbol, name, text) LOG_##symbol,
#include "base/log_category.def"
#undef LOG_CATEGORY
    LOG_CATEGORY_COUNT
};

struct log {
    uint32_t enabled; /* bit n: category n is on */
    FILE *sink;       /* borrowed; NULL means stderr */
};

static inline bool log_is_enabled(const struct log *log, enum log_category category)
{
    return (log->enabled >> category) & 1u;
}

/* Writes "category: text\n" when the category is on. */
void log_printf(const struct log *log, enum log_category category, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Parses a comma-separated list of category names ("int,exec") and turns those on. An unknown name is an
 * error that lists the known ones. */
struct status log_enable_list(struct log *log, const char *list) STATUS_MUST_CHECK;

/* Name and description of a category, for --help. */
const char *log_category_name(enum log_category category);
const char *log_category_text(enum log_category category);

#endif

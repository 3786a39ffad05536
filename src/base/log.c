/* Log sink and category names; see log.h. */
#include "base/log.h"

#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

static const struct {
    const char *name;
    const char *text;
} log_categories[LOG_CATEGORY_COUNT] = {
#define LOG_CATEGORY(symbol, name, text) {name, text},
#include "base/log_category.def"
#undef LOG_CATEGORY
};

void log_printf(const struct log *log, enum log_category category, const char *format, ...)
{
    if (!log_is_enabled(log, category)) {
        return;
    }
    FILE *sink = log_sink(log);
    va_list arguments;
    va_start(arguments, format);
    fprintf(sink, "%s: ", log_categories[category].name);
    vfprintf(sink, format, arguments);
    fputc('\n', sink);
    va_end(arguments);
}

void log_line(const struct log *log, enum log_category category, const char *format, ...)
{
    if (!log_is_enabled(log, category)) {
        return;
    }
    FILE *sink = log_sink(log);
    va_list arguments;
    va_start(arguments, format);
    vfprintf(sink, format, arguments);
    fputc('\n', sink);
    va_end(arguments);
}

bool log_wants_address(const struct log *log, uint64_t address)
{
    for (unsigned i = 0; i < log->range_count; i++) {
        if (address >= log->ranges[i].first && address <= log->ranges[i].last) {
            return true;
        }
    }
    return log->range_count == 0;
}

static struct status unknown_category(const char *name, size_t length)
{
    char known[200] = "";
    for (unsigned i = 0; i < LOG_CATEGORY_COUNT; i++) {
        size_t used = strlen(known);
        snprintf(known + used, sizeof known - used, "%s%s", i ? ", " : "", log_categories[i].name);
    }
    return status_error(STATUS_INVALID_ARGUMENT, "unknown log category '%.*s'; known are: %s", (int)length,
                        name, known);
}

struct status log_enable_list(struct log *log, const char *list)
{
    const char *at = list;
    for (;;) {
        size_t length = strcspn(at, ",");
        unsigned found = LOG_CATEGORY_COUNT;
        for (unsigned i = 0; i < LOG_CATEGORY_COUNT; i++) {
            if (strlen(log_categories[i].name) == length && memcmp(log_categories[i].name, at, length) == 0) {
                found = i;
            }
        }
        if (found == LOG_CATEGORY_COUNT) {
            return unknown_category(at, length);
        }
        log->enabled |= 1u << found;
        if (at[length] == '\0') {
            return status_ok();
        }
        at += length + 1;
    }
}

/* Reads a number and moves *at behind it. */
static bool take_number(const char **at, uint64_t *number)
{
    char *end = NULL;
    errno = 0;
    *number = strtoull(*at, &end, 0);
    bool good = isdigit((unsigned char)**at) && errno == 0;
    *at = end;
    return good;
}

/* One range of a filter; *at moves behind it. */
static bool take_range(const char **at, struct log_range *range)
{
    uint64_t start;
    uint64_t second;
    if (!take_number(at, &start)) {
        return false;
    }
    char kind = **at;
    bool dots = kind == '.' && (*at)[1] == '.';
    if (!dots && kind != '+' && kind != '-') {
        return false;
    }
    *at += dots ? 2 : 1;
    if (!take_number(at, &second)) {
        return false;
    }
    switch (kind) {
    case '+': *range = (struct log_range){start, start + second - 1}; break;
    case '-': *range = (struct log_range){start - second + 1, start}; break;
    default: *range = (struct log_range){start, second}; break;
    }
    return range->first <= range->last && (kind == '.' || second != 0) && (**at == ',' || **at == '\0');
}

struct status log_set_filter(struct log *log, const char *list)
{
    log->range_count = 0;
    for (const char *at = list;;) {
        if (log->range_count == LOG_RANGES_MAX) {
            return status_error(STATUS_INVALID_ARGUMENT, "a filter has at most %d ranges", LOG_RANGES_MAX);
        }
        if (!take_range(&at, &log->ranges[log->range_count])) {
            return status_error(STATUS_INVALID_ARGUMENT,
                                "\"%.64s\" is not a list of address ranges: FIRST..LAST, START+LENGTH or "
                                "END-LENGTH (for example 0x7c00+0x200,0xf0000..0xfffff)",
                                list);
        }
        log->range_count++;
        if (*at == '\0') {
            return status_ok();
        }
        at++;
    }
}

const char *log_category_name(enum log_category category)
{
    return log_categories[category].name;
}

const char *log_category_text(enum log_category category)
{
    return log_categories[category].text;
}

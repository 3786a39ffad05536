/* Log sink and category names; see log.h. */
#include "base/log.h"

#include <stdarg.h>
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
    FILE *sink = log->sink ? log->sink : stderr;
    va_list arguments;
    va_start(arguments, format);
    fprintf(sink, "%s: ", log_categories[category].name);
    vfprintf(sink, format, arguments);
    fputc('\n', sink);
    va_end(arguments);
}

static struct status unknown_category(const char *name, size_t length)
{
    char known[160] = "";
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

const char *log_category_name(enum log_category category)
{
    return log_categories[category].name;
}

const char *log_category_text(enum log_category category)
{
    return log_categories[category].text;
}

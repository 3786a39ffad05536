/* Log categories and the sink they go to (-d LIST, -D FILE, -dfilter RANGES).
 *
 * One `struct log` belongs to one machine; modules get a pointer. A disabled category costs one load and a
 * branch.
 *
 * Most lines begin with their category's name. Those of exec, cpu, in_asm, out_asm, int and mmu that QEMU 7.2
 * has too look as they do there, so that two traces can be compared by diff. */
#ifndef DOPPEL_BASE_LOG_H
#define DOPPEL_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

enum log_category {
#define LOG_CATEGORY(symbol, name, text) LOG_##symbol,
#include "base/log_category.def"
#undef LOG_CATEGORY
    LOG_CATEGORY_COUNT
};

#define LOG_RANGES_MAX 8

/* Linear addresses, both included. */
struct log_range {
    uint64_t first, last;
};

/* Prints the instructions in `length` bytes of code that begin at `address`; `bits` is 16, 32 or
 * 64. */
typedef void log_disassembler(FILE *sink, uint64_t address, const uint8_t *bytes, size_t length,
                              unsigned bits);

struct log {
    uint32_t enabled; /* bit n: category n is on */
    FILE *sink;       /* borrowed; NULL means stderr */
    struct log_range ranges[LOG_RANGES_MAX];
    unsigned range_count;           /* 0: exec, cpu, in_asm and out_asm show code everywhere */
    bool each_instruction;          /* run instruction by instruction, so that exec and cpu show every one */
    log_disassembler *disassembler; /* for in_asm and out_asm; NULL: there is none */
};

static inline bool log_is_enabled(const struct log *log, enum log_category category)
{
    return (log->enabled >> category) & 1u;
}

static inline FILE *log_sink(const struct log *log)
{
    return log->sink != NULL ? log->sink : stderr;
}

/* Whether exec, cpu, in_asm and out_asm are to show code at this linear address. */
bool log_wants_address(const struct log *log, uint64_t address);

/* Writes "category: text\n" when the category is on. */
void log_printf(const struct log *log, enum log_category category, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same without "category: ". */
void log_line(const struct log *log, enum log_category category, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Parses a comma-separated list of category names ("int,exec") and turns those on. An unknown name is an
 * error that lists the known ones. */
struct status log_enable_list(struct log *log, const char *list) STATUS_MUST_CHECK;

/* Parses a comma-separated list of ranges, FIRST..LAST, START+LENGTH or END-LENGTH, numbers in C notation. */
struct status log_set_filter(struct log *log, const char *list) STATUS_MUST_CHECK;

/* Name and description of a category, for --help. */
const char *log_category_name(enum log_category category);
const char *log_category_text(enum log_category category);

#endif

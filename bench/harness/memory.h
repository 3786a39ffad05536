/* Memory that is there: the harness has nothing to go on with where there is none, so that running out ends
 * the program with a message. */
#ifndef DOPPEL_BENCH_HARNESS_MEMORY_H
#define DOPPEL_BENCH_HARNESS_MEMORY_H

#include <stddef.h>

/* `count` objects of `size` bytes, zero. */
void *memory_allocate(size_t count, size_t size);

/* Like realloc() to `count` objects. */
void *memory_resize(void *old, size_t count, size_t size);

/* A copy of `text`; of the empty string for NULL. */
char *memory_text(const char *text);

/* Like sprintf() to a string of its own. */
char *memory_format(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif

/* See recording_region.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "recording_region.h"

static uint64_t record_read(void *opaque, uint64_t offset, unsigned width)
{
    struct recording *recording = opaque;
    size_t used = strlen(recording->text);
    snprintf(recording->text + used, sizeof recording->text - used, "r%llx/%u ", (unsigned long long)offset,
             width);
    return recording->answer + offset;
}

static void record_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct recording *recording = opaque;
    size_t used = strlen(recording->text);
    snprintf(recording->text + used, sizeof recording->text - used, "w%llx/%u=%llx ",
             (unsigned long long)offset, width, (unsigned long long)value);
}

struct io_region recording_region(struct recording *recording, const char *name, uint64_t base,
                                  uint64_t length, uint8_t max_width)
{
    return (struct io_region){.name = name,
                              .base = base,
                              .length = length,
                              .max_width = max_width,
                              .read = record_read,
                              .write = record_write,
                              .opaque = recording};
}

void recording_expect(struct recording *recording, const char *expected)
{
    assert_string_equal(recording->text, expected);
    recording->text[0] = '\0';
}

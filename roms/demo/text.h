/*
 * Strings and number formatting: the part of a C library this kernel needs, and the four functions GCC
 * requires of every freestanding program.
 */
#ifndef DEMO_TEXT_H
#define DEMO_TEXT_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *to, const void *from, size_t size);
void *memmove(void *to, const void *from, size_t size);
void *memset(void *to, int value, size_t size);
int memcmp(const void *a, const void *b, size_t size);

size_t text_length(const char *text);
bool text_equal(const char *a, const char *b);
bool text_starts_with(const char *text, const char *prefix);

/* Reads a decimal or 0x hexadecimal number that is the whole text; false if it is not one. */
bool text_parse_number(const char *text, uint32_t *value);

/*
 * A subset of printf: %c %s %u %d %x %X %%, with '-', '0', a width (or '*'), and a precision for %s.
 * Every integer is 32 bits wide. put receives the characters in order.
 */
void text_format(void (*put)(void *opaque, char character), void *opaque, const char *format,
                 va_list arguments);

/* text_format into a buffer of size > 0, cut and terminated. Returns the characters stored. */
size_t text_format_buffer(char *buffer, size_t size, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

#endif

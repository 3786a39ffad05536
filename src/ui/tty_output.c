/* A growing byte buffer; see tty_output.h. */
#include "ui/tty_output.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void tty_output_put(struct tty_output *output, const char *bytes, size_t length)
{
    if (output->capacity - output->length < length) {
        size_t wanted = 2 * output->capacity + length + 1024;
        char *grown = realloc(output->bytes, wanted);
        if (!grown) {
            output->failed = true;
            return;
        }
        output->bytes = grown;
        output->capacity = wanted;
    }
    memcpy(output->bytes + output->length, bytes, length);
    output->length += length;
}

void tty_output_print(struct tty_output *output, const char *format, ...)
{
    char text[128];
    va_list arguments;
    va_start(arguments, format);
    int length = vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    if (length > 0) {
        tty_output_put(output, text, (size_t)length < sizeof text ? (size_t)length : sizeof text - 1);
    }
}

void tty_output_consume(struct tty_output *output, size_t length)
{
    memmove(output->bytes, output->bytes + length, output->length - length);
    output->length -= length;
}

void tty_output_release(struct tty_output *output)
{
    free(output->bytes);
    *output = (struct tty_output){0};
}

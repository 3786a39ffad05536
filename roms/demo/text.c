/*
 * See text.h. The mem* functions are string instructions: small, and a fair exercise for an emulator.
 */
#include "text.h"

void *memcpy(void *to, const void *from, size_t size)
{
    void *destination = to;
    size_t words = size / 4;
    size_t rest = size % 4;
    __asm__ volatile("rep movsl\n\tmovl %3, %%ecx\n\trep movsb"
                     : "+D"(destination), "+S"(from), "+c"(words)
                     : "r"(rest)
                     : "memory");
    return to;
}

void *memmove(void *to, const void *from, size_t size)
{
    if ((uintptr_t)to - (uintptr_t)from >= size)
        return memcpy(to, from, size);
    uint8_t *destination = (uint8_t *)to + size - 1;
    const uint8_t *source = (const uint8_t *)from + size - 1;
    __asm__ volatile("std\n\trep movsb\n\tcld" : "+D"(destination), "+S"(source), "+c"(size) : : "memory");
    return to;
}

void *memset(void *to, int value, size_t size)
{
    void *destination = to;
    __asm__ volatile("rep stosb" : "+D"(destination), "+c"(size) : "a"(value) : "memory");
    return to;
}

int memcmp(const void *a, const void *b, size_t size)
{
    const uint8_t *left = a;
    const uint8_t *right = b;
    for (size_t i = 0; i < size; i++) {
        if (left[i] != right[i])
            return left[i] - right[i];
    }
    return 0;
}

size_t text_length(const char *text)
{
    size_t length = 0;
    while (text[length] != '\0')
        length++;
    return length;
}

bool text_equal(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

bool text_starts_with(const char *text, const char *prefix)
{
    while (*prefix != '\0') {
        if (*text++ != *prefix++)
            return false;
    }
    return true;
}

static int digit_value(char character)
{
    if (character >= '0' && character <= '9')
        return character - '0';
    if (character >= 'a' && character <= 'f')
        return character - 'a' + 10;
    if (character >= 'A' && character <= 'F')
        return character - 'A' + 10;
    return 16;
}

bool text_parse_number(const char *text, uint32_t *value)
{
    uint32_t base = 10;
    uint32_t result = 0;
    if (text[0] == '0' && (text[1] == 'x' || text[1] == 'X')) {
        base = 16;
        text += 2;
    }
    if (*text == '\0')
        return false;
    for (; *text != '\0'; text++) {
        uint32_t digit = (uint32_t)digit_value(*text);
        if (digit >= base || result > (UINT32_MAX - digit) / base)
            return false;
        result = result * base + digit;
    }
    *value = result;
    return true;
}

struct conversion {
    bool left;
    char fill;
    int width;
    int precision; /* -1: none */
};

static void put_padded(void (*put)(void *, char), void *opaque, const struct conversion *conversion,
                       const char *text, int length)
{
    int padding = conversion->width - length;
    for (; !conversion->left && padding > 0; padding--)
        put(opaque, conversion->fill);
    for (int i = 0; i < length; i++)
        put(opaque, text[i]);
    for (; padding > 0; padding--)
        put(opaque, ' ');
}

static void put_number(void (*put)(void *, char), void *opaque, const struct conversion *conversion,
                       uint32_t value, uint32_t base, bool negative, bool capitals)
{
    char digits[12];
    int at = (int)sizeof(digits);
    const char *alphabet = capitals ? "0123456789ABCDEF" : "0123456789abcdef";
    do {
        digits[--at] = alphabet[value % base];
        value /= base;
    } while (value != 0);
    if (negative)
        digits[--at] = '-';
    put_padded(put, opaque, conversion, digits + at, (int)sizeof(digits) - at);
}

static const char *parse_conversion(const char *format, struct conversion *conversion, va_list *arguments)
{
    *conversion = (struct conversion){.left = false, .fill = ' ', .width = 0, .precision = -1};
    for (; *format == '-' || *format == '0'; format++) {
        if (*format == '-')
            conversion->left = true;
        else
            conversion->fill = '0';
    }
    if (*format == '*') {
        conversion->width = va_arg(*arguments, int);
        format++;
    }
    for (; *format >= '0' && *format <= '9'; format++)
        conversion->width = conversion->width * 10 + (*format - '0');
    if (*format == '.') {
        conversion->precision = 0;
        for (format++; *format >= '0' && *format <= '9'; format++)
            conversion->precision = conversion->precision * 10 + (*format - '0');
    }
    return format;
}

void text_format(void (*put)(void *opaque, char character), void *opaque, const char *format,
                 va_list arguments)
{
    va_list remaining;
    va_copy(remaining, arguments);
    for (; *format != '\0'; format++) {
        if (*format != '%') {
            put(opaque, *format);
            continue;
        }
        struct conversion conversion;
        format = parse_conversion(format + 1, &conversion, &remaining);
        switch (*format) {
        case 'c': {
            char character = (char)va_arg(remaining, int);
            put_padded(put, opaque, &conversion, &character, 1);
            break;
        }
        case 's': {
            const char *text = va_arg(remaining, const char *);
            int length = (int)text_length(text);
            if (conversion.precision >= 0 && length > conversion.precision)
                length = conversion.precision;
            put_padded(put, opaque, &conversion, text, length);
            break;
        }
        case 'd': {
            int value = va_arg(remaining, int);
            uint32_t magnitude = value < 0 ? 0u - (uint32_t)value : (uint32_t)value;
            put_number(put, opaque, &conversion, magnitude, 10, value < 0, false);
            break;
        }
        case 'u': put_number(put, opaque, &conversion, va_arg(remaining, uint32_t), 10, false, false); break;
        case 'x': put_number(put, opaque, &conversion, va_arg(remaining, uint32_t), 16, false, false); break;
        case 'X': put_number(put, opaque, &conversion, va_arg(remaining, uint32_t), 16, false, true); break;
        case '\0': va_end(remaining); return;
        default: put(opaque, *format); break;
        }
    }
    va_end(remaining);
}

struct format_buffer {
    char *at;
    char *last;
};

static void put_in_buffer(void *opaque, char character)
{
    struct format_buffer *buffer = opaque;
    if (buffer->at < buffer->last)
        *buffer->at++ = character;
}

size_t text_format_buffer(char *buffer, size_t size, const char *format, ...)
{
    struct format_buffer target = {buffer, buffer + size - 1};
    va_list arguments;
    va_start(arguments, format);
    text_format(put_in_buffer, &target, format, arguments);
    va_end(arguments);
    *target.at = '\0';
    return (size_t)(target.at - buffer);
}

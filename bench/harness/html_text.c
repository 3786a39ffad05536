/* Text into HTML; see html_text.h. Follows RFC 3629 (UTF-8) and XML 1.0 §2.2 (characters). */
#include "harness/html_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#define REPLACEMENT "\xEF\xBF\xBD"

/* The character at `at` and its length in bytes; 0 when there is none that is well-formed. */
static size_t decode(const unsigned char *at, size_t left, uint32_t *character)
{
    static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t length = at[0] < 0x80 ? 1 : at[0] < 0xC0 ? 0 : at[0] < 0xE0 ? 2 : at[0] < 0xF0 ? 3 : 4;
    if (length == 0 || length > left || at[0] > 0xF4) {
        return 0;
    }
    *character = length == 1 ? at[0] : at[0] & (0x7FU >> length);
    for (size_t i = 1; i < length; i++) {
        if ((at[i] & 0xC0) != 0x80) {
            return 0;
        }
        *character = *character << 6 | (at[i] & 0x3F);
    }
    return *character >= least[length] ? length : 0;
}

static bool is_allowed(uint32_t character)
{
    if (character < 0x20) {
        return character == '\t' || character == '\n' || character == '\r';
    }
    return !(character >= 0x7F && character < 0xA0) && !(character >= 0xD800 && character < 0xE000) &&
           (character & 0xFFFE) != 0xFFFE && character <= 0x10FFFF;
}

void html_put_part(const char *text, size_t length, FILE *out)
{
    const unsigned char *at = (const unsigned char *)text;
    while (length > 0) {
        uint32_t character = 0;
        size_t size = decode(at, length, &character);
        if (size == 0 || !is_allowed(character)) {
            fputs(REPLACEMENT, out);
            size = size == 0 ? 1 : size;
        } else {
            switch (character) {
            case '&': fputs("&amp;", out); break;
            case '<': fputs("&lt;", out); break;
            case '>': fputs("&gt;", out); break;
            case '"': fputs("&quot;", out); break;
            case '\'': fputs("&#39;", out); break;
            default: fwrite(at, 1, size, out); break;
            }
        }
        at += size;
        length -= size;
    }
}

void html_put(const char *text, FILE *out)
{
    html_put_part(text, strlen(text), out);
}

/* UTF-8 encoding of one code point: the text screen, the terminal and file names of screenshots all speak it.
 */
#ifndef DOPPEL_UI_UTF8_H
#define DOPPEL_UI_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define UTF8_MAX 4

/* Encodes `codepoint` (<= 10FFFFh) into `to` (UTF8_MAX bytes, not terminated); returns the length (RFC 3629
 * §3). */
static inline size_t utf8_encode(uint32_t codepoint, char *to)
{
    if (codepoint < 0x80) {
        to[0] = (char)codepoint;
        return 1;
    }
    size_t length = codepoint < 0x800 ? 2 : codepoint < 0x10000 ? 3 : 4;
    static const uint8_t lead[5] = {0, 0, 0xC0, 0xE0, 0xF0};
    for (size_t i = length - 1; i > 0; i--) {
        to[i] = (char)(0x80 | (codepoint & 0x3F));
        codepoint >>= 6;
    }
    to[0] = (char)(lead[length] | codepoint);
    return length;
}

#endif

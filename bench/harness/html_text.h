/* Text into HTML that is also XML: whatever bytes a name or a message of a program has, they are text there.
 */
#ifndef DOPPEL_BENCH_HARNESS_HTML_TEXT_H
#define DOPPEL_BENCH_HARNESS_HTML_TEXT_H

#include <stddef.h>
#include <stdio.h>

/* Writes the text for a place between tags or inside the quotes of an attribute. What is no UTF-8, and
 * characters that XML does not allow, become U+FFFD. */
void html_put(const char *text, FILE *out);

/* The same with the first `length` bytes of it. */
void html_put_part(const char *text, size_t length, FILE *out);

#endif

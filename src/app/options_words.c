/* See options_words.h. */
#include "app/options_words.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

char *options_next_item(char **rest)
{
    char *item = *rest;
    if (item == NULL) {
        return NULL;
    }
    char *to = item;
    for (char *from = item; *from != '\0'; from++) {
        if (*from == ',') {
            if (from[1] != ',') {
                *to = '\0';
                *rest = from + 1;
                return item;
            }
            from++;
        }
        *to++ = *from;
    }
    *to = '\0';
    *rest = NULL;
    return item;
}

char *options_cut_value(char *item)
{
    char *equals = strchr(item, '=');
    if (equals == NULL) {
        return NULL;
    }
    *equals = '\0';
    return equals + 1;
}

bool options_parse_number(const char *word, int base, uint64_t limit, uint64_t *value)
{
    char *end = NULL;
    errno = 0;
    *value = strtoull(word, &end, base);
    return isdigit((unsigned char)word[0]) && *end == '\0' && errno == 0 && *value <= limit;
}

bool options_parse_switch(const char *word, bool *value)
{
    *value = strcmp(word, "on") == 0;
    return *value || strcmp(word, "off") == 0;
}

/* The pieces of option values: lists of KEY=VALUE, numbers, switches. */
#ifndef DOPPEL_APP_OPTIONS_WORDS_H
#define DOPPEL_APP_OPTIONS_WORDS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/* Cuts the next item off a list, at a comma; two of them stand for one in a file name. NULL at the end. */
char *options_next_item(char **rest);

/* Cuts "key=value" in two. Returns the value, NULL when there is no `=`. */
char *options_cut_value(char *item);

/* A number without sign, up to `limit`; base 0: 0x for hexadecimal. */
bool options_parse_number(const char *word, int base, uint64_t limit, uint64_t *value);

/* "on" or "off". */
bool options_parse_switch(const char *word, bool *value);

#endif

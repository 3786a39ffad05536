/* Command lines as tables: a program lists its options once, in a .def file, and gets parsing, messages and
 * the help text from here.
 *
 * `-name` and `--name` are the same. An option's value is the next word, or follows a `=` after `--name`.
 * What an option does is its handler's business; words that are no options are the caller's. */
#ifndef DOPPEL_BASE_OPTION_PARSER_H
#define DOPPEL_BASE_OPTION_PARSER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/status.h"

/* What a program's options fill; each program has its own. */
struct options;

/* `value` is NULL for options without an argument, and for one whose argument was left away. */
typedef struct status option_handler(struct options *options, char *value);

struct option_row {
    const char *name;
    const char
        *argument; /* what the help calls it; NULL: takes none; all of it in brackets: may be left away */
    const char *section;
    const char *help; /* lines are separated by \n */
    option_handler *parse;
};

struct option_parser {
    const struct option_row *rows;
    size_t count;
    const char *dashes; /* how help and messages write options: "-" or "--" */
    /* Whether a word is the value of an option whose argument may be left away. NULL: there are none. */
    bool (*is_value)(const struct option_row *row, const char *word);
    /* What to say about an unknown option; NULL when there is nothing special. May be NULL itself. */
    const char *(*advise)(const char *name);
};

/* An option as it was found, with its value. */
struct option_found {
    const struct option_row *row;
    char *value;
};

/* Whether a word is meant as an option: a dash alone is none. */
bool option_parser_is_option(const char *word);

/* Splits the option at argv[*index] from its value and moves *index behind both. Unknown ones, and values
 * that are missing or too many, are errors. */
struct status option_parser_next(const struct option_parser *parser, int argc, char *const *argv, int *index,
                                 struct option_found *found) STATUS_MUST_CHECK;

/* The options by sections, in two columns. */
void option_parser_print_help(const struct option_parser *parser, FILE *out);

#endif

/* Command lines as tables; see option_parser.h. */
#include "base/option_parser.h"

#include <stdint.h>
#include <string.h>

#define HELP_COLUMN  24
#define LONGEST_NAME 64

/* ---- options nobody knows */

static size_t smallest(size_t a, size_t b)
{
    return a < b ? a : b;
}

/* Levenshtein's distance: how many characters must be changed, added or dropped. */
static size_t word_distance(const char *a, const char *b)
{
    size_t row[LONGEST_NAME];
    size_t width = strlen(b);
    if (width >= LONGEST_NAME) {
        return SIZE_MAX;
    }
    for (size_t j = 0; j <= width; j++) {
        row[j] = j;
    }
    for (size_t i = 1; a[i - 1] != '\0'; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= width; j++) {
            size_t above = row[j];
            size_t changed = diagonal + (a[i - 1] != b[j - 1]);
            row[j] = smallest(changed, smallest(above, row[j - 1]) + 1);
            diagonal = above;
        }
    }
    return row[width];
}

static struct status unknown_option(const struct option_parser *parser, const char *word, const char *name)
{
    const char *advice = parser->advise != NULL ? parser->advise(name) : NULL;
    if (advice != NULL) {
        return status_error(STATUS_INVALID_ARGUMENT, "there is no option %s: %s", word, advice);
    }
    const char *nearest = NULL;
    size_t nearest_distance = strlen(name) / 3 + 1;
    for (size_t i = 0; i < parser->count; i++) {
        size_t distance = word_distance(name, parser->rows[i].name);
        if (distance < nearest_distance && distance < strlen(name)) {
            nearest = parser->rows[i].name;
            nearest_distance = distance;
        }
    }
    if (nearest != NULL) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "unknown option %s; did you mean %s%s? (--help lists all)", word, parser->dashes,
                            nearest);
    }
    return status_error(STATUS_INVALID_ARGUMENT, "unknown option %s (--help lists all)", word);
}

/* ---- options and their values */

bool option_parser_is_option(const char *word)
{
    return word[0] == '-' && word[1] != '\0';
}

static const struct option_row *find_row(const struct option_parser *parser, const char *name, size_t length)
{
    for (size_t i = 0; i < parser->count; i++) {
        if (strlen(parser->rows[i].name) == length && strncmp(parser->rows[i].name, name, length) == 0) {
            return &parser->rows[i];
        }
    }
    return NULL;
}

/* "[ARGUMENT]", but not "[first=]ARGUMENT[,more]". */
static bool may_be_left_away(const struct option_row *row)
{
    return row->argument[0] == '[' && strcspn(row->argument, "]") + 1 == strlen(row->argument);
}

struct status option_parser_next(const struct option_parser *parser, int argc, char *const *argv, int *index,
                                 struct option_found *found)
{
    char *word = argv[(*index)++];
    const char *name = word + (word[1] == '-' ? 2 : 1);
    char *equals = word[1] == '-' ? strchr(word, '=') : NULL;
    const struct option_row *row =
        find_row(parser, name, equals != NULL ? (size_t)(equals - name) : strlen(name));
    *found = (struct option_found){.row = row, .value = equals != NULL ? equals + 1 : NULL};
    if (row == NULL) {
        return unknown_option(parser, word, name);
    }
    if (row->argument == NULL) {
        return found->value == NULL ? status_ok()
                                    : status_error(STATUS_INVALID_ARGUMENT, "option %s%s takes no value",
                                                   parser->dashes, row->name);
    }
    bool optional = may_be_left_away(row);
    if (found->value == NULL && *index < argc && (!optional || parser->is_value(row, argv[*index]))) {
        found->value = argv[(*index)++];
    }
    if (!optional && (found->value == NULL || found->value[0] == '\0')) {
        return status_error(STATUS_INVALID_ARGUMENT, "option %s%s needs a value: %s%s %s", parser->dashes,
                            row->name, parser->dashes, row->name, row->argument);
    }
    return status_ok();
}

/* ---- help */

static void print_row(const struct option_parser *parser, const struct option_row *row, FILE *out)
{
    char left[LONGEST_NAME];
    snprintf(left, sizeof left, "%s%s%s%s", row->name[1] == '\0' ? "-" : parser->dashes, row->name,
             row->argument != NULL ? " " : "", row->argument != NULL ? row->argument : "");
    bool fits = strlen(left) <= HELP_COLUMN;
    fprintf(out, fits ? "  %-*s " : "  %*s\n", fits ? HELP_COLUMN : 0, left);
    for (const char *line = row->help; line != NULL;) {
        size_t length = strcspn(line, "\n");
        bool beside = fits && line == row->help;
        fprintf(out, "%*s%.*s\n", beside ? 0 : HELP_COLUMN + 3, "", (int)length, line);
        line = line[length] == '\n' ? line + length + 1 : NULL;
    }
}

void option_parser_print_help(const struct option_parser *parser, FILE *out)
{
    const char *section = "";
    for (size_t i = 0; i < parser->count; i++) {
        const struct option_row *row = &parser->rows[i];
        if (strcmp(section, row->section) != 0) {
            section = row->section;
            fprintf(out, "\n%s\n", section);
        }
        print_row(parser, row, out);
    }
}

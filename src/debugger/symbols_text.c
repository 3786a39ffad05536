/* Symbols of text files: `nm`, System.map, /proc/kallsyms, MAP files of real-mode linkers. See symbols.h. */
#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "debugger/symbols_internal.h"

#define WORDS 4 /* of a line that are looked at */

struct line {
    char *word[WORDS];
    unsigned words;
};

static bool is_blank(char c)
{
    return c == ' ' || c == '\t' || c == '\r';
}

/* Cuts the line at `at` into words, in place; returns where the next one begins. */
static char *cut_line(char *at, const char *end, struct line *line)
{
    line->words = 0;
    while (at < end && *at != '\n') {
        while (at < end && is_blank(*at)) {
            at++;
        }
        char *start = at;
        while (at < end && *at != '\n' && !is_blank(*at)) {
            at++;
        }
        if (at > start && line->words < WORDS) {
            line->word[line->words++] = start;
        }
        if (at < end && *at != '\n') {
            *at++ = '\0';
        }
    }
    if (at < end) {
        *at++ = '\0';
    }
    return at;
}

/* All of `word`, or what stands before `stop`, in hexadecimal. Returns what follows; NULL: it is none. */
static const char *parse_hex(const char *word, char stop, uint64_t *value)
{
    unsigned digits = 0;
    *value = 0;
    if (word[0] == '0' && (word[1] | 0x20) == 'x') {
        word += 2;
    }
    for (; isxdigit((unsigned char)*word); word++, digits++) {
        unsigned digit =
            isdigit((unsigned char)*word) ? (unsigned)*word - '0' : ((unsigned)*word | 0x20) - 'a' + 10;
        *value = *value << 4 | digit;
    }
    return digits >= 1 && digits <= 16 && *word == stop ? word : NULL;
}

static bool is_name(const char *word)
{
    if (isdigit((unsigned char)*word)) {
        return false;
    }
    for (const char *at = word; *at != '\0'; at++) {
        if (!isgraph((unsigned char)*at)) {
            return false;
        }
    }
    return true;
}

/* The letters of nm(1): text, data, the rest; capitals are global. False: the symbol has no address. */
static bool rank_of(const char *type, uint8_t *rank)
{
    const char c = (char)tolower((unsigned char)*type);
    if (type[1] != '\0' || !isalpha((unsigned char)c) || c == 'u') {
        return false;
    }
    *rank = (uint8_t)((c == 't'                     ? 0
                       : strchr("bdrgs", c) != NULL ? 2
                                                    : 4) +
                      (islower((unsigned char)*type) ? 1 : 0));
    return true;
}

static void read_line(const struct line *line, struct symbol_list *list)
{
    struct symbol symbol = {0};
    uint64_t number = 0;
    unsigned words = line->words;
    char *const *word = line->word;
    const char *rest = words >= 2 ? parse_hex(word[0], ':', &number) : NULL;
    if (rest != NULL) {
        const char *name = words >= 3 && strcmp(word[1], "Abs") == 0 ? word[2] : word[1];
        if (parse_hex(rest + 1, '\0', &symbol.address) != NULL && number <= 0xFFFF && is_name(name)) {
            symbol.address += number << 4;
            symbol.name = name;
            symbol_list_add(list, symbol);
        }
        return;
    }
    if (words < 2 || parse_hex(word[0], '\0', &symbol.address) == NULL) {
        return;
    }
    if (words >= 3 && rank_of(word[1], &symbol.rank)) {
        symbol.name = word[2];
    } else if (words >= 4 && parse_hex(word[1], '\0', &number) != NULL && rank_of(word[2], &symbol.rank)) {
        symbol.size = number <= UINT32_MAX ? (uint32_t)number : 0;
        symbol.name = word[3];
    } else if (words == 2) {
        symbol.name = word[1];
    }
    if (symbol.name != NULL && is_name(symbol.name)) {
        symbol_list_add(list, symbol);
    }
}

void symbols_read_text(const uint8_t *bytes, size_t length, struct symbol_list *list)
{
    list->text = malloc(length + 1);
    if (list->text == NULL) {
        list->out_of_memory = true;
        return;
    }
    memcpy(list->text, bytes, length);
    list->text[length] = '\0';
    const char *end = list->text + length;
    for (char *at = list->text; at < end && !list->out_of_memory;) {
        struct line line;
        at = cut_line(at, end, &line);
        read_line(&line, list);
    }
}

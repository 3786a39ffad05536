/* See completion.h. */
#include "debugger/completion.h"

#include <ctype.h>
#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "debugger/monitor_internal.h"
#include "debugger/registers.h"

#define PATH_LENGTH 1024

struct search {
    struct monitor *monitor;
    struct completion *found;
    char word[MONITOR_LINE_MAX]; /* what candidates begin with */
};

static void add(struct search *search, const char *candidate)
{
    struct completion *found = search->found;
    if (strncmp(candidate, search->word, strlen(search->word)) != 0) {
        return;
    }
    for (size_t i = 0; i < found->count; i++) {
        if (strcmp(found->words[i], candidate) == 0) {
            return;
        }
    }
    char *copy = found->count < COMPLETION_MAX ? strdup(candidate) : NULL;
    if (copy == NULL) {
        found->left_out++;
        return;
    }
    found->words[found->count++] = copy;
}

/* ---- where candidates come from */

static void add_commands(struct search *search)
{
    for (size_t i = 0; i < monitor_command_count; i++) {
        add(search, monitor_commands[i].name);
    }
}

static void add_topics(struct search *search)
{
    const char *name;
    for (size_t i = 0; (name = monitor_topic_name(i)) != NULL; i++) {
        add(search, name);
    }
    for (size_t i = 0; (name = machine_device_name(search->monitor->machine, i)) != NULL; i++) {
        add(search, name);
    }
}

static void add_names(struct search *search)
{
    static const char *const functions[] = {"u8(",   "u16(",  "u32(",  "u64(", "i8(",
                                            "i16(",  "i32(",  "i64(",  "pu8(", "pu16(",
                                            "pu32(", "pu64(", "phys(", "msr(", "str("};
    const struct symbols *symbols = search->monitor->symbols;
    const char *name;
    for (size_t i = 0; (name = register_name(i)) != NULL; i++) {
        add(search, name);
    }
    for (size_t i = 0; i < ARRAY_COUNT(functions); i++) {
        add(search, functions[i]);
    }
    size_t from = symbols_first_by_name(symbols, search->word);
    for (size_t n = from; n < symbols_count(symbols); n++) {
        const char *symbol = symbols_by_name(symbols, n)->name;
        if (strncmp(symbol, search->word, strlen(search->word)) != 0) {
            break;
        }
        add(search, symbol);
    }
}

/* Files and directories whose path begins with the word. */
static void add_files(struct search *search)
{
    char directory[PATH_LENGTH], path[2 * PATH_LENGTH];
    const char *slash = strrchr(search->word, '/');
    const size_t length = slash != NULL ? (size_t)(slash + 1 - search->word) : 0;
    if (length >= sizeof directory) {
        return;
    }
    memcpy(directory, search->word, length);
    directory[length] = '\0';
    DIR *open = opendir(length != 0 ? directory : ".");
    if (open == NULL) {
        return;
    }
    const struct dirent *entry;
    while ((entry = readdir(open)) != NULL) {
        const bool hidden = entry->d_name[0] == '.' && (slash != NULL ? slash[1] : search->word[0]) != '.';
        struct stat about;
        snprintf(path, sizeof path, "%s%.*s", directory, PATH_LENGTH, entry->d_name);
        if (!hidden && strpbrk(path, " \t\"#") == NULL) { /* these would need quotation marks */
            bool is_directory = stat(path, &about) == 0 && S_ISDIR(about.st_mode);
            strcat(path, is_directory ? "/" : "");
            add(search, path);
        }
    }
    closedir(open);
}

/* ---- which of them fit */

static bool is_literal(const char *word)
{
    for (; *word != '\0'; word++) {
        if (!islower((unsigned char)*word) && *word != '-' && !isdigit((unsigned char)*word)) {
            return false;
        }
    }
    return true;
}

/* What a command's or topic's arguments may be, by the words that name them. */
struct offer {
    bool files, commands, topics, names;
};

static struct offer read_arguments(struct search *search, const char *arguments, bool literals)
{
    static const char *const expressions[] = {"ADDRESS",  "EXPRESSION", "VALUE", "LENGTH", "PLACE",
                                              "SELECTOR", "VECTOR",     "PORT",  "OFFSET", "CONDITION"};
    char copy[MONITOR_LINE_MAX];
    struct offer offer = {0};
    char *rest = copy;
    snprintf(copy, sizeof copy, "%s", arguments);
    for (char *word = strsep(&rest, "[]|. "); word != NULL; word = strsep(&rest, "[]|. ")) {
        offer.files |= strcmp(word, "FILE") == 0;
        offer.commands |= strcmp(word, "COMMAND") == 0;
        offer.topics |= strcmp(word, "TOPIC") == 0;
        for (size_t i = 0; i < ARRAY_COUNT(expressions); i++) {
            offer.names |= strcmp(word, expressions[i]) == 0;
        }
        if (literals && *word != '\0' && is_literal(word)) {
            add(search, word);
        }
    }
    return offer;
}

/* The words before the one at the cursor, in place; how many. */
static int split_before(char *line, char *words[MONITOR_WORDS])
{
    int count = 0;
    char *rest = line;
    for (char *word = strsep(&rest, " \t"); word != NULL && count < MONITOR_WORDS;
         word = strsep(&rest, " \t")) {
        if (*word != '\0') {
            words[count++] = word;
        }
    }
    return count;
}

static bool is_name_character(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.' || c == '@';
}

static void aim(struct search *search, const char *line, size_t cursor, size_t start)
{
    search->found->start = start;
    snprintf(search->word, sizeof search->word, "%.*s", (int)(cursor - start), line + start);
}

static void find_arguments(struct search *search, const char *line, size_t cursor, size_t start)
{
    char before[MONITOR_LINE_MAX];
    char *words[MONITOR_WORDS];
    snprintf(before, sizeof before, "%.*s", (int)start, line);
    const int count = split_before(before, words);
    char *slash = count > 0 ? strchr(words[0], '/') : NULL;
    if (slash != NULL) {
        *slash = '\0';
    }
    const struct monitor_command *command = count > 0 ? monitor_find_command(words[0]) : NULL;
    if (command == NULL) {
        return;
    }
    const char *arguments = command->arguments;
    const bool of_topic = strcmp(command->name, "info") == 0 && count > 1;
    if (of_topic) {
        arguments = monitor_topic_arguments(words[1]);
    }
    const struct offer offer = read_arguments(search, arguments, count == 1 || !of_topic);
    if (offer.commands && count == 1) {
        add_commands(search);
        add(search, "expressions");
    }
    if (offer.topics && count == 1) {
        add_topics(search);
    }
    if (offer.files) {
        add_files(search);
    }
    if (search->found->count == 0 && (offer.names && !offer.topics)) {
        while (cursor > start && !is_name_character(line[start])) {
            start++;
        }
        for (size_t at = start; at < cursor; at++) {
            start = is_name_character(line[at]) ? start : at + 1;
        }
        aim(search, line, cursor, start);
        add_names(search);
    }
}

static int compare_words(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

static size_t common_length(const struct completion *found)
{
    size_t length = found->count > 0 ? strlen(found->words[0]) : 0;
    for (size_t i = 1; i < found->count; i++) {
        size_t at = 0;
        while (at < length && found->words[i][at] == found->words[0][at]) {
            at++;
        }
        length = at;
    }
    return length;
}

void completion_find(struct monitor *monitor, const char *line, size_t cursor, struct completion *completion)
{
    struct search search = {.monitor = monitor, .found = completion};
    size_t start = cursor;
    *completion = (struct completion){.start = cursor};
    if (cursor >= MONITOR_LINE_MAX) {
        return;
    }
    while (start > 0 && !isspace((unsigned char)line[start - 1])) {
        start--;
    }
    aim(&search, line, cursor, start);
    if (strspn(line, " \t") >= start) {
        add_commands(&search);
    } else {
        find_arguments(&search, line, cursor, start);
    }
    qsort(completion->words, completion->count, sizeof completion->words[0], compare_words);
    completion->common = common_length(completion);
    if (completion->count == 1 && completion->left_out == 0) {
        const char last = completion->words[0][completion->common - 1];
        completion->closes_word = last != '/' && last != '(';
    }
}

void completion_release(struct completion *completion)
{
    for (size_t i = 0; i < completion->count; i++) {
        free(completion->words[i]);
    }
    completion->count = 0;
}

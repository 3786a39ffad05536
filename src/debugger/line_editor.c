/* See line_editor.h. */
#include "debugger/line_editor.h"

#ifdef DOPPEL_HAVE_LIBEDIT

#include <histedit.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "debugger/completion.h"

#define HISTORY_LINES 1000
#define PATH_LENGTH   1024
#define CTRL_D        0x04
#define PROMPT_SIZE   32

struct line_editor {
    struct monitor *monitor;
    EditLine *edit;
    History *history;
    FILE *out;
    char prompt[PROMPT_SIZE]; /* not constant for libedit's types only */
    char *typed;              /* not yet worked on */
    size_t typed_length, typed_capacity;
    char *line;  /* the last whole one */
    bool asking; /* the prompt is there */
    bool aside;  /* somebody else has written since */
    char history_path[PATH_LENGTH];
};

static struct line_editor *editor_of(EditLine *edit)
{
    void *editor = NULL;
    el_get(edit, EL_CLIENTDATA, &editor);
    return editor;
}

static char *get_prompt(EditLine *edit)
{
    return editor_of(edit)->prompt;
}

/* The next typed byte; end of file means that there is none yet. */
static int get_character(EditLine *edit, wchar_t *character)
{
    struct line_editor *editor = editor_of(edit);
    while (editor->typed_length > 0) {
        const unsigned char byte = (unsigned char)editor->typed[0];
        editor->typed_length--;
        memmove(editor->typed, editor->typed + 1, editor->typed_length);
        if (byte < 0x80) {
            *character = (wchar_t)byte;
            return 1;
        }
    }
    return 0;
}

/* ---- completion */

/* In columns below the line. */
static void list_candidates(struct line_editor *editor, const struct completion *completion)
{
    size_t longest = 0;
    for (size_t i = 0; i < completion->count; i++) {
        size_t length = strlen(completion->words[i]);
        longest = length > longest ? length : longest;
    }
    const size_t columns = longest + 2 < 80 ? 80 / (longest + 2) : 1;
    for (size_t i = 0; i < completion->count; i++) {
        fprintf(editor->out, "%s%-*s", i % columns == 0 ? "\n" : "", (int)longest + 2, completion->words[i]);
    }
    if (completion->left_out != 0) {
        fprintf(editor->out, "\n(and %zu more)", completion->left_out);
    }
    fputc('\n', editor->out);
    fflush(editor->out);
}

static unsigned char complete(EditLine *edit, int key)
{
    (void)key;
    struct line_editor *editor = editor_of(edit);
    const LineInfo *info = el_line(edit);
    const size_t cursor = (size_t)(info->cursor - info->buffer);
    unsigned char result = CC_ERROR;
    struct completion completion;
    char insertion[PATH_LENGTH];
    char *line = strndup(info->buffer, cursor);
    if (line == NULL) {
        return CC_ERROR;
    }
    completion_find(editor->monitor, line, cursor, &completion);
    const size_t there = cursor - completion.start;
    if (completion.count > 0 && (completion.common > there || completion.closes_word)) {
        snprintf(insertion, sizeof insertion, "%.*s%s", (int)(completion.common - there),
                 completion.words[0] + there, completion.closes_word ? " " : "");
        result = el_insertstr(edit, insertion) == 0 ? CC_REFRESH : CC_ERROR;
    } else if (completion.count > 1) {
        list_candidates(editor, &completion);
        result = CC_REDISPLAY;
    }
    completion_release(&completion);
    free(line);
    return result;
}

/* ---- history */

/* Makes the directories of `path`, which is cut and put together again on the way. */
static void make_directories(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        *slash = '\0';
        mkdir(path, 0700);
        *slash = '/';
    }
}

/* "" when there is no home. */
static void find_history(char path[PATH_LENGTH])
{
    const char *state = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int length = 0;
    path[0] = '\0';
    if (state != NULL && state[0] == '/') {
        length = snprintf(path, PATH_LENGTH, "%s/doppel/history", state);
    } else if (home != NULL && home[0] == '/') {
        length = snprintf(path, PATH_LENGTH, "%s/.local/state/doppel/history", home);
    }
    if (length >= PATH_LENGTH) {
        path[0] = '\0';
    }
}

static bool open_history(struct line_editor *editor)
{
    HistEvent event;
    editor->history = history_init();
    if (editor->history == NULL) {
        return false;
    }
    history(editor->history, &event, H_SETSIZE, HISTORY_LINES);
    history(editor->history, &event, H_SETUNIQUE, 1);
    find_history(editor->history_path);
    if (editor->history_path[0] != '\0') {
        history(editor->history, &event, H_LOAD, editor->history_path);
    }
    el_set(editor->edit, EL_HIST, history, editor->history);
    return true;
}

static void close_history(struct line_editor *editor)
{
    HistEvent event;
    if (editor->history_path[0] != '\0') {
        make_directories(editor->history_path);
        history(editor->history, &event, H_SAVE, editor->history_path);
    }
    history_end(editor->history);
}

/* ---- life */

struct line_editor *line_editor_open(struct monitor *monitor, FILE *in, FILE *out, const char *prompt)
{
    const char *terminal = getenv("TERM");
    if (!isatty(fileno(in)) || !isatty(fileno(out)) || terminal == NULL || strcmp(terminal, "dumb") == 0) {
        return NULL;
    }
    struct line_editor *editor = calloc(1, sizeof *editor);
    if (editor == NULL) {
        return NULL;
    }
    *editor = (struct line_editor){.monitor = monitor, .out = out};
    snprintf(editor->prompt, sizeof editor->prompt, "%s", prompt);
    editor->edit = el_init("doppel", in, out, stderr);
    if (editor->edit == NULL) {
        free(editor);
        return NULL;
    }
    el_set(editor->edit, EL_CLIENTDATA, editor);
    el_set(editor->edit, EL_GETCFN, get_character);
    el_set(editor->edit, EL_PROMPT, get_prompt);
    el_set(editor->edit, EL_EDITOR, "emacs");
    /* The wide form keeps the pointers, the other one copies that are never freed. */
    el_wset(editor->edit, EL_ADDFN, L"doppel-complete", L"complete the word", complete);
    el_set(editor->edit, EL_BIND, "^I", "doppel-complete", NULL);
    el_source(editor->edit, NULL);
    if (!open_history(editor)) {
        el_end(editor->edit);
        free(editor);
        return NULL;
    }
    return editor;
}

void line_editor_close(struct line_editor *editor)
{
    if (editor == NULL) {
        return;
    }
    if (editor->asking) {
        el_set(editor->edit, EL_UNBUFFERED, 0);
    }
    el_end(editor->edit); /* gives the terminal back */
    close_history(editor);
    free(editor->typed);
    free(editor->line);
    free(editor);
}

void line_editor_feed(struct line_editor *editor, const char *bytes, size_t length)
{
    if (editor->typed_length + length > editor->typed_capacity) {
        size_t capacity = 2 * (editor->typed_length + length);
        char *typed = realloc(editor->typed, capacity);
        if (typed == NULL) {
            return;
        }
        editor->typed = typed;
        editor->typed_capacity = capacity;
    }
    memcpy(editor->typed + editor->typed_length, bytes, length);
    editor->typed_length += length;
}

/* ---- a line */

static bool line_is_empty(struct line_editor *editor)
{
    const LineInfo *info = el_line(editor->edit);
    return info->lastchar == info->buffer;
}

static void ask(struct line_editor *editor)
{
    if (!editor->asking) {
        fflush(editor->out);
        el_set(editor->edit, EL_UNBUFFERED, 1);
        editor->asking = true;
    } else if (editor->aside) {
        el_set(editor->edit, EL_REFRESH);
    }
    editor->aside = false;
}

static bool keep_line(struct line_editor *editor, const char *text, size_t length)
{
    HistEvent event;
    free(editor->line);
    editor->line = strndup(text, length);
    if (editor->line != NULL && length > 0) {
        history(editor->history, &event, H_ENTER, editor->line);
    }
    el_set(editor->edit, EL_UNBUFFERED, 0);
    editor->asking = false;
    return editor->line != NULL;
}

enum line_editor_result line_editor_edit(struct line_editor *editor, const char **line)
{
    ask(editor);
    while (editor->typed_length > 0) {
        if (editor->typed[0] == CTRL_D && line_is_empty(editor)) {
            return LINE_EDITOR_END;
        }
        const size_t before = editor->typed_length;
        int count = 0;
        const char *text = el_gets(editor->edit, &count);
        if (editor->typed_length == before) {
            break; /* the terminal is gone */
        }
        if (text == NULL || count <= 0) {
            continue;
        }
        if (text[count - 1] == '\n' || text[count - 1] == '\r') {
            if (!keep_line(editor, text, (size_t)count - 1)) {
                continue;
            }
            *line = editor->line;
            return LINE_EDITOR_LINE;
        }
    }
    return LINE_EDITOR_WAITS;
}

void line_editor_step_aside(struct line_editor *editor)
{
    if (editor->asking && !editor->aside) {
        fputc('\n', editor->out);
        editor->aside = true;
    }
}

#else

struct line_editor *line_editor_open(struct monitor *monitor, FILE *in, FILE *out, const char *prompt)
{
    (void)monitor, (void)in, (void)out, (void)prompt;
    return NULL;
}

void line_editor_close(struct line_editor *editor)
{
    (void)editor;
}

void line_editor_feed(struct line_editor *editor, const char *bytes, size_t length)
{
    (void)editor, (void)bytes, (void)length;
}

enum line_editor_result line_editor_edit(struct line_editor *editor, const char **line)
{
    (void)editor, (void)line;
    return LINE_EDITOR_END;
}

void line_editor_step_aside(struct line_editor *editor)
{
    (void)editor;
}

#endif

/*
 * See line_editor.h. The control keys are those of every shell: A and E to the ends, U and K to delete to
 * them, C to give up, L to clear the screen.
 */
#include "line_editor.h"

#include "console.h"
#include "text.h"

#define HISTORY_LINES 16

static struct {
    char text[LINE_SIZE];
    unsigned length;
    unsigned cursor;
    char history[HISTORY_LINES][LINE_SIZE];
    unsigned history_count; /* ever stored; the last HISTORY_LINES are kept */
    unsigned back;          /* how many lines back the text is from, 0: it is new */
    char unfinished[LINE_SIZE];
} line;

static void set_text(const char *text)
{
    line.length = (unsigned)text_format_buffer(line.text, sizeof(line.text), "%s", text);
    line.cursor = line.length;
}

static void insert(char character)
{
    if (line.length + 1 >= LINE_SIZE)
        return;
    memmove(line.text + line.cursor + 1, line.text + line.cursor, line.length - line.cursor + 1);
    line.text[line.cursor++] = character;
    line.length++;
}

static void delete_range(unsigned first, unsigned end)
{
    memmove(line.text + first, line.text + end, line.length - end + 1);
    line.length -= end - first;
    line.cursor = first;
}

static void recall(unsigned back)
{
    unsigned kept = line.history_count < HISTORY_LINES ? line.history_count : HISTORY_LINES;
    if (back > kept)
        return;
    if (line.back == 0)
        memcpy(line.unfinished, line.text, sizeof(line.text));
    line.back = back;
    set_text(back == 0 ? line.unfinished : line.history[(line.history_count - back) % HISTORY_LINES]);
}

static void remember(void)
{
    const char *last = line.history[(line.history_count - 1) % HISTORY_LINES];
    if (line.length == 0 || (line.history_count > 0 && text_equal(last, line.text)))
        return;
    memcpy(line.history[line.history_count % HISTORY_LINES], line.text, sizeof(line.text));
    line.history_count++;
}

static void complete_word(const char *(*complete)(const char *prefix))
{
    const char *word =
        complete != NULL && line.length > 0 && line.cursor == line.length ? complete(line.text) : NULL;
    if (word != NULL) {
        set_text(word);
        insert(' ');
    }
}

static void edit(int key)
{
    switch (key) {
    case KEY_LEFT: line.cursor -= line.cursor > 0; break;
    case KEY_RIGHT: line.cursor += line.cursor < line.length; break;
    case KEY_HOME:
    case KEY_CONTROL('A'): line.cursor = 0; break;
    case KEY_END:
    case KEY_CONTROL('E'): line.cursor = line.length; break;
    case KEY_UP: recall(line.back + 1); break;
    case KEY_DOWN:
        if (line.back > 0)
            recall(line.back - 1);
        break;
    case KEY_BACKSPACE:
        if (line.cursor > 0)
            delete_range(line.cursor - 1, line.cursor);
        break;
    case KEY_DELETE:
        if (line.cursor < line.length)
            delete_range(line.cursor, line.cursor + 1);
        break;
    case KEY_CONTROL('U'): delete_range(0, line.cursor); break;
    case KEY_CONTROL('K'): delete_range(line.cursor, line.length); break;
    default:
        if (key >= ' ' && key <= '~')
            insert((char)key);
        break;
    }
}

const char *line_editor_read(const char *(*complete)(const char *prefix))
{
    set_text("");
    line.back = 0;
    console_begin_line();
    for (;;) {
        int key = console_read_key(CONSOLE_FOREVER);
        switch (key) {
        case KEY_ENTER:
            console_put('\n');
            remember();
            return line.text;
        case KEY_CONTROL('C'):
            console_print("^C\n");
            set_text("");
            return line.text;
        case KEY_CONTROL('L'):
            console_put('\n');
            set_text("clear");
            return line.text;
        case KEY_F1: set_text("help"); break;
        case KEY_TAB: complete_word(complete); break;
        default: edit(key); break;
        }
        console_show_line(line.text, line.cursor);
    }
}

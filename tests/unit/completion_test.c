/* The console's help for typing: what words can be completed to, and the line editor on a terminal of our
 * own. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <termios.h>
#include <unistd.h>

#include <cmocka.h>

#include "debugger/completion.h"
#include "debugger/line_editor.h"
#include "debugger/monitor_internal.h"
#include "debugger/style.h"
#include "monitor_bench.h"

/* The candidates for the end of `line`, separated by blanks, must be these. */
static void expect_words(struct bench *bench, const char *line, const char *expected)
{
    char words[4096] = "";
    struct completion completion;
    completion_find(bench->monitor, line, strlen(line), &completion);
    for (size_t i = 0; i < completion.count; i++) {
        strcat(strcat(words, i == 0 ? "" : " "), completion.words[i]);
    }
    completion_release(&completion);
    if (strcmp(words, expected) != 0) {
        fail_msg("\"%s\" can become \"%s\", not \"%s\"", line, words, expected);
    }
}

static void load_symbols(struct bench *bench)
{
    static const char map[] = "7c00 T start\n7c10 T start_again\n8000 D eager\n";
    size_t count;
    struct status status =
        symbols_parse(bench->monitor->symbols, "map", (const uint8_t *)map, sizeof map - 1, 0, &count);
    assert_true(status_is_ok(&status));
}

static void first_words_are_commands(void **state)
{
    expect_words(*state, "system_", "system_powerdown system_reset");
    expect_words(*state, "  system_r", "system_reset");
    expect_words(*state, "zzz", "");
}

static void arguments_are_what_the_command_takes(void **state)
{
    struct bench *bench = *state;
    load_symbols(bench);
    expect_words(bench, "help screend", "screendump");
    expect_words(bench, "info seg", "segments");
    expect_words(bench, "info pi", "pic"); /* a device */
    expect_words(bench, "symbols u", "unload");
    expect_words(bench, "set disassembly in", "intel");
    expect_words(bench, "print sta", "start start_again");
    expect_words(bench, "print u8(start+ea", "eager eax");
    expect_words(bench, "x/4xb start_", "start_again");
    expect_words(bench, "info page start_", "start_again");
    expect_words(bench, "info segments sta", "");
    expect_words(bench, "stop sta", "");
    expect_words(bench, "nonsense sta", "");
}

static void unambiguous_words_are_closed(void **state)
{
    struct completion completion;
    struct bench *bench = *state;
    completion_find(bench->monitor, "print pu1", 9, &completion);
    assert_int_equal(completion.start, 6);
    assert_int_equal(completion.common, 5);
    assert_false(completion.closes_word); /* pu16( */
    completion_release(&completion);
    completion_find(bench->monitor, "scr", 3, &completion);
    assert_true(completion.closes_word);
    completion_release(&completion);
    completion_find(bench->monitor, "system_", 7, &completion);
    assert_false(completion.closes_word);
    assert_int_equal(completion.count, 2);
    assert_int_equal(completion.common, 7);
    completion_release(&completion);
}

static void files_are_found(void **state)
{
    struct bench *bench = *state;
    char directory[] = "/tmp/doppel-completion-XXXXXX", path[64], line[96], expected[128];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/kernel", directory);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/kernel.map", directory);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    snprintf(line, sizeof line, "symbols load %s/k", directory);
    snprintf(expected, sizeof expected, "%s/kernel.map %s/kernel/", directory, directory);
    expect_words(bench, line, expected);
    unlink(path);
    path[strlen(path) - strlen(".map")] = '\0';
    rmdir(path);
    rmdir(directory);
    expect_words(bench, line, "");
}

/* ---- the editor */

struct terminal {
    int master;
    FILE *slave;
    char home[40];
};

static void open_terminal(struct terminal *terminal)
{
    strcpy(terminal->home, "/tmp/doppel-editor-XXXXXX");
    assert_non_null(mkdtemp(terminal->home));
    setenv("XDG_STATE_HOME", terminal->home, 1);
    setenv("HOME", terminal->home, 1);
    setenv("TERM", "vt100", 1);
    terminal->master = posix_openpt(O_RDWR | O_NOCTTY);
    assert_true(terminal->master >= 0 && grantpt(terminal->master) == 0 && unlockpt(terminal->master) == 0);
    terminal->slave = fopen(ptsname(terminal->master), "r+");
    assert_non_null(terminal->slave);
}

static void close_terminal(struct terminal *terminal)
{
    char path[96];
    fclose(terminal->slave);
    close(terminal->master);
    snprintf(path, sizeof path, "%s/doppel/history", terminal->home);
    unlink(path);
    snprintf(path, sizeof path, "%s/doppel", terminal->home);
    rmdir(path);
    rmdir(terminal->home);
}

#define MARK '\001' /* nothing else writes it */

/* What has been shown since the last call: all of it, since a mark is sent behind it. */
static const char *shown(const struct terminal *terminal, char *text, size_t size)
{
    size_t length = 0;
    const char mark = MARK;
    fflush(terminal->slave);
    assert_int_equal(write(fileno(terminal->slave), &mark, 1), 1);
    while (length == 0 || text[length - 1] != MARK) {
        assert_true(length < size && read(terminal->master, text + length, 1) == 1);
        length++;
    }
    text[length - 1] = '\0';
    return text;
}

static struct line_editor *open_editor(struct bench *bench, const struct terminal *terminal)
{
    return line_editor_open(bench->monitor, terminal->slave, terminal->slave, "> ");
}

static void expect_line(struct line_editor *editor, const char *typed, const char *expected)
{
    const char *line = NULL;
    line_editor_feed(editor, typed, strlen(typed));
    assert_int_equal(line_editor_edit(editor, &line), LINE_EDITOR_LINE);
    assert_string_equal(line, expected);
}

static void lines_are_edited_remembered_and_completed(void **state)
{
    struct bench *bench = *state;
    struct terminal terminal;
    char text[4096];
    const char *line;
    open_terminal(&terminal);
    struct line_editor *editor = open_editor(bench, &terminal);
    if (editor == NULL) { /* built without libedit */
        close_terminal(&terminal);
        skip();
    }
    assert_int_equal(line_editor_edit(editor, &line), LINE_EDITOR_WAITS);
    assert_contains(shown(&terminal, text, sizeof text), "> ");
    expect_line(editor, "prnt\x02\x02i\r", "print"); /* twice to the left */
    line_editor_feed(editor, "two\nthree\n", 10);
    expect_line(editor, "", "two");
    expect_line(editor, "", "three");
    expect_line(editor, "\033[A\033[A\n", "two");
    expect_line(editor, "system_p\tx\n", "system_powerdown x");
    shown(&terminal, text, sizeof text);
    line_editor_feed(editor, "wait-s\t", 7);
    assert_int_equal(line_editor_edit(editor, &line), LINE_EDITOR_WAITS);
    assert_contains(shown(&terminal, text, sizeof text), "wait-screen  wait-serial");
    line_editor_step_aside(editor);
    expect_line(editor, "c\t\"x\"\n", "wait-screen \"x\"");
    line_editor_feed(editor, "\x04", 1);
    assert_int_equal(line_editor_edit(editor, &line), LINE_EDITOR_END);
    line_editor_close(editor);
    editor = open_editor(bench, &terminal); /* the history was kept */
    expect_line(editor, "\033[A\033[A\n", "system_powerdown x");
    line_editor_close(editor);
    close_terminal(&terminal);
}

static void the_terminal_is_given_back_as_it_was(void **state)
{
    struct bench *bench = *state;
    struct terminal terminal;
    struct termios before, after;
    const char *line;
    open_terminal(&terminal);
    tcgetattr(fileno(terminal.slave), &before);
    struct line_editor *editor = open_editor(bench, &terminal);
    if (editor == NULL) {
        close_terminal(&terminal);
        skip();
    }
    line_editor_feed(editor, "half a li", 9);
    assert_int_equal(line_editor_edit(editor, &line), LINE_EDITOR_WAITS);
    tcgetattr(fileno(terminal.slave), &after);
    assert_int_equal(after.c_lflag & (ICANON | ECHO), 0);
    line_editor_close(editor);
    tcgetattr(fileno(terminal.slave), &after);
    assert_int_equal(after.c_lflag, before.c_lflag);
    assert_int_equal(after.c_iflag, before.c_iflag);
    assert_int_equal(after.c_oflag, before.c_oflag);
    close_terminal(&terminal);
}

static void what_is_no_terminal_has_no_editor(void **state)
{
    struct bench *bench = *state;
    FILE *file = tmpfile();
    assert_null(line_editor_open(bench->monitor, file, file, "> "));
    fclose(file);
}

static void colours_are_for_terminals(void **state)
{
    struct bench *bench = *state;
    struct terminal terminal;
    char text[4096];
    open_terminal(&terminal);
    unsetenv("NO_COLOR");
    assert_string_equal(style_of(bench->out, STYLE_ERROR), "");
    struct monitor_session *session = monitor_open_terminal(bench->monitor, terminal.slave, terminal.slave);
    monitor_feed(session, "print 1 / 0\n", 12);
    monitor_poll(bench->monitor);
    assert_contains(shown(&terminal, text, sizeof text), "\033[31mprint: division by zero\033[0m");
    setenv("NO_COLOR", "1", 1);
    monitor_feed(session, "print 1 / 0\n", 12);
    monitor_poll(bench->monitor);
    assert_null(strstr(shown(&terminal, text, sizeof text), "\033[31m"));
    unsetenv("NO_COLOR");
    monitor_close(session);
    close_terminal(&terminal);
}

/* A session at a terminal: typed through the editor, carried out by the monitor. */
static void sessions_take_their_lines_from_the_editor(void **state)
{
    struct bench *bench = *state;
    struct terminal terminal;
    char text[4096];
    open_terminal(&terminal);
    struct monitor_session *session = monitor_open_terminal(bench->monitor, terminal.slave, terminal.slave);
    monitor_poll(bench->monitor);
    monitor_feed(session, "print 6 * 7\n", 12);
    monitor_poll(bench->monitor);
    assert_contains(shown(&terminal, text, sizeof text), "0x2a (42)");
    monitor_interrupt_prompt(session);
    monitor_poll(bench->monitor);
    assert_contains(shown(&terminal, text, sizeof text), "(doppel) ");
    monitor_feed(session, "quit 3\n", 7);
    monitor_poll(bench->monitor);
    assert_quits_with(bench, 3);
    monitor_close(session);
    close_terminal(&terminal);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(first_words_are_commands),
        BENCH_TEST(arguments_are_what_the_command_takes),
        BENCH_TEST(unambiguous_words_are_closed),
        BENCH_TEST(files_are_found),
        BENCH_TEST(lines_are_edited_remembered_and_completed),
        BENCH_TEST(the_terminal_is_given_back_as_it_was),
        BENCH_TEST(what_is_no_terminal_has_no_editor),
        BENCH_TEST(colours_are_for_terminals),
        BENCH_TEST(sessions_take_their_lines_from_the_editor),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

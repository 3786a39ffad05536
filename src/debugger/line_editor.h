/* A command line on a terminal: editing, history, completion, by libedit's own interface (editline(3)), which
 * keeps its state in objects; without libedit there is none (line_editor_open() returns NULL).
 *
 * The main loop owns standard input: what it read is fed here and consumed as far as a line needs, so nothing
 * blocks. While no line is being asked for, the terminal is as it was, and what is typed waits.
 *
 * The history is kept in $XDG_STATE_HOME/doppel/history (~/.local/state/doppel/history).
 *
 * NOT IMPLEMENTED: characters beyond ASCII are passed over. */
#ifndef DOPPEL_DEBUGGER_LINE_EDITOR_H
#define DOPPEL_DEBUGGER_LINE_EDITOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct line_editor;
struct monitor;

/* An editor for the terminal that `in` and `out` (borrowed) are. NULL when they are none, out of memory, or
 * doppel is built without. */
struct line_editor *line_editor_open(struct monitor *monitor, FILE *in, FILE *out, const char *prompt);
void line_editor_close(struct line_editor *editor);

/* Bytes that were typed. Out of memory loses them. */
void line_editor_feed(struct line_editor *editor, const char *bytes, size_t length);

enum line_editor_result { LINE_EDITOR_WAITS, LINE_EDITOR_LINE, LINE_EDITOR_END };

/* Shows the prompt, unless it is there, and works on what was fed. LINE_EDITOR_LINE: *line is a whole one
 * without its end, valid until the next call; LINE_EDITOR_END: Ctrl-D on an empty line. */
enum line_editor_result line_editor_edit(struct line_editor *editor, const char **line);

/* Something else is about to write to the terminal: leaves the line that is being edited, which is shown
 * again by the next line_editor_edit(). */
void line_editor_step_aside(struct line_editor *editor);

#endif

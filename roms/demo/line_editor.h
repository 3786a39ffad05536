/*
 * Typing a line: moving in it, changing it, and getting earlier ones back with the arrow keys.
 */
#ifndef DEMO_LINE_EDITOR_H
#define DEMO_LINE_EDITOR_H

/* With the prompt it fits in one row. */
#define LINE_SIZE 68

/*
 * Reads one line after the prompt that is already printed; the cursor is on a new line afterwards. The result
 * is valid until the next call. complete, if not NULL, returns the one word that begins with its argument, or
 * NULL.
 */
const char *line_editor_read(const char *(*complete)(const char *prefix));

#endif

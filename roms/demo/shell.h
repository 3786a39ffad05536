/*
 * The prompt, and the table of commands behind it.
 */
#ifndef DEMO_SHELL_H
#define DEMO_SHELL_H

/* Reads and runs commands for ever. */
void shell_run(void) __attribute__((noreturn));

#endif

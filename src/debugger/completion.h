/* What the word at the cursor of a command line could become, for line editors.
 *
 * What a command takes is read off its arguments in command.def and info_topic.def: words in small letters
 * stand for themselves, FILE for the names of files, COMMAND and TOPIC for these, and what is an expression
 * (ADDRESS, EXPRESSION, VALUE, …) for registers, functions and symbols. */
#ifndef DOPPEL_DEBUGGER_COMPLETION_H
#define DOPPEL_DEBUGGER_COMPLETION_H

#include <stdbool.h>
#include <stddef.h>

#define COMPLETION_MAX 200 /* candidates; more are counted only */

struct monitor;

struct completion {
    size_t start;                /* where in the line the word begins */
    char *words[COMPLETION_MAX]; /* sorted, without doubles; each begins with what is there */
    size_t count;
    size_t left_out;  /* how many more there are, about */
    size_t common;    /* so many characters all of them share */
    bool closes_word; /* a blank fits behind a single one (a directory's name goes on) */
};

/* Finds the candidates for the word that ends at `cursor`. *completion is to be released. */
void completion_find(struct monitor *monitor, const char *line, size_t cursor, struct completion *completion);
void completion_release(struct completion *completion);

#endif

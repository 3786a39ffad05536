/* Results for the terminal. */
#ifndef DOPPEL_BENCH_HARNESS_TABLE_H
#define DOPPEL_BENCH_HARNESS_TABLE_H

#include <stddef.h>
#include <stdio.h>

#include "harness/results.h"

/* Prints the host, the times with their ratios, the geometric means and what there is to be said about single
 * cells. No line is longer than `width` columns as long as that is at least 50: columns that have no room get
 * a table of their own below. */
void table_print(const struct results *results, FILE *out, unsigned width);

/* The width of the terminal behind `out`; $COLUMNS, or 120, where it is none. */
unsigned table_width(FILE *out);

/* "12.3 ms": three digits and a unit. Returns `text`. */
char *table_format_seconds(double seconds, char *text, size_t size);

/* "6.52x": three digits. Returns `text`. */
char *table_format_ratio(double ratio, char *text, size_t size);

#endif

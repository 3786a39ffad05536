/* Bar charts on a logarithmic scale, for the HTML report: drawn by gnuplot, and made fit to stand in the
 * page.
 *
 * Every bar begins at 1 and ends at its value: values are ratios. gnuplot is a program that is looked for
 * when a chart is wanted; no text of a chart is given to it (it would run commands in them): it places
 * numbered labels, and the texts come into the finished picture. Colours are CSS variables of the page:
 * --line, --text,
 * --muted, --bad, and --series-0 ... for the bars. */
#ifndef DOPPEL_BENCH_HARNESS_CHART_H
#define DOPPEL_BENCH_HARNESS_CHART_H

#include <stddef.h>
#include <stdio.h>

#include "base/status.h"

/* A bar. */
struct chart_value {
    double value;     /* not above 0, or not finite: no bar, but the text */
    double low, high; /* the ends of a line across the bar's end; no line where they are the same */
    const char *text; /* beside the bar; NULL: nothing */
};

/* `rows` groups of `columns` bars. */
struct chart {
    const char *title; /* for those who hear the page */
    size_t rows, columns;
    const char *const *labels;        /* of the rows */
    const unsigned *colors;           /* of the columns */
    const struct chart_value *values; /* row by row */
};

/* The chart as an SVG element; on success *svg is the caller's. The pixels' number grows with the bars'.
 * STATUS_NOT_FOUND: there is no gnuplot. */
struct status chart_draw(const struct chart *chart, char **svg) STATUS_MUST_CHECK;

/* Whether there is a bar to draw. */
bool chart_has_bars(const struct chart *chart);

#endif

/* What the parts of the HTML report share. */
#ifndef DOPPEL_BENCH_HARNESS_HTML_PAGE_H
#define DOPPEL_BENCH_HARNESS_HTML_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "harness/chart.h"
#include "harness/results.h"

#define HTML_NUMBER_SIZE 32

/* The page while it is written. Charts that cannot be drawn are left out from the first failure on. */
struct html_page {
    FILE *out;
    const struct results *results;
    bool without_charts;
    struct status chart_status; /* what the failure was */
};

/* The style sheet, an element of the page's head. */
void html_put_style(FILE *out);

/* "12.3 ms", "6.52×"; digits as in the terminal's table, and more of small ratios. They return `text`. */
char *html_format_seconds(double seconds, char text[HTML_NUMBER_SIZE]);
char *html_format_ratio(double ratio, char text[HTML_NUMBER_SIZE]);

/* The number of the column's colour: one per kind of peer, the rest for doppel's columns in turn. */
unsigned html_series_color(const struct results *results, size_t column);

/* Which colour is which column. */
void html_put_legend(const struct html_page *page, const size_t *columns, size_t count);

/* The chart, or nothing where it cannot be drawn or has no bars. */
void html_put_chart(struct html_page *page, const struct chart *chart);

/* The row behind the last one of the group that `row` is in. */
size_t html_group_end(const struct results *results, size_t row);

/* Whether the column has any time in these rows. */
bool html_has_times(const struct results *results, size_t first, size_t end, size_t column);

/* Sections. */
void html_put_groups(struct html_page *page);
void html_put_problems(const struct html_page *page);
void html_put_counters(const struct html_page *page);

#endif

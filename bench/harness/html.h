/* The HTML report: one self-contained file with charts. */
#ifndef DOPPEL_BENCH_HARNESS_HTML_H
#define DOPPEL_BENCH_HARNESS_HTML_H

#include "base/status.h"
#include "harness/results.h"

/* Writes the report of `results` to the file `path`. Where charts cannot be drawn, most likely because there
 * is no gnuplot, the report is written without them and says so, and *warning is one line about it, which the
 * caller frees; otherwise *warning is NULL. */
struct status html_write(const struct results *results, const char *path, char **warning) STATUS_MUST_CHECK;

#endif

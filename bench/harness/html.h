/* The HTML report: one self-contained file with charts. */
#ifndef DOPPEL_BENCH_HARNESS_HTML_H
#define DOPPEL_BENCH_HARNESS_HTML_H

#include "base/status.h"
#include "harness/results.h"

/* Writes the report of `results` to the file `path`. */
struct status html_write(const struct results *results, const char *path) STATUS_MUST_CHECK;

#endif

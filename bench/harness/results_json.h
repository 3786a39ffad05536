/* Results as a JSON file: everything that is known, every single time; bench/README.md describes the format.
 */
#ifndef DOPPEL_BENCH_HARNESS_RESULTS_JSON_H
#define DOPPEL_BENCH_HARNESS_RESULTS_JSON_H

#include "base/status.h"
#include "harness/results.h"

/* Writes the file at once or not at all: an older one is replaced when the new one is complete. */
struct status results_write_json(const struct results *results, const char *path) STATUS_MUST_CHECK;

/* Reads what results_write_json() wrote; on success the caller owns *results. A file of another schema, or
 * one that contradicts itself, is an error that names the file. */
struct status results_read_json(const char *path, struct results **results) STATUS_MUST_CHECK;

#endif

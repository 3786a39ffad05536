/* What --list prints. */
#ifndef DOPPEL_BENCH_HARNESS_LIST_H
#define DOPPEL_BENCH_HARNESS_LIST_H

#include <stdio.h>

#include "harness/selection.h"

void list_print(const struct selection *selection, FILE *out);

#endif

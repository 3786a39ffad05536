/* The machine that the bench runs on, as the results name it. */
#ifndef DOPPEL_BENCH_HARNESS_HOST_INFO_H
#define DOPPEL_BENCH_HARNESS_HOST_INFO_H

#include "harness/results.h"

/* Fills in everything but load_after. What the host does not tell stays empty. */
void host_info_read(struct results_host *host);

/* The load average over the last minute; negative: not known. */
double host_info_load(void);

#endif

/* The few statistics that the bench needs. */
#ifndef DOPPEL_BENCH_HARNESS_STATISTICS_H
#define DOPPEL_BENCH_HARNESS_STATISTICS_H

#include <stdbool.h>
#include <stddef.h>

/* From this spread on, times are called noisy. */
#define STATISTICS_NOISE 0.10

struct statistics {
    size_t count;
    double median, min, max;
};

/* Of `count` values, in any order; they stay as they are. All zero when there are none. */
struct statistics statistics_of(const double *values, size_t count);

/* How far the values lie apart, as a fraction of the median: that of the middle half of them when there are
 * four or more, so that one disturbed run does not count; otherwise max - min. */
double statistics_spread(const double *values, size_t count);

/* What a fraction of the values (0..1) does not exceed; 0 when there are none. */
double statistics_quantile(const double *values, size_t count, double fraction);

/* NaN when there are none. The values must be positive. */
double statistics_geometric_mean(const double *values, size_t count);

#endif

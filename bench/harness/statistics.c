/* The few statistics that the bench needs; see statistics.h. */
#include "harness/statistics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int compare_values(const void *a, const void *b)
{
    double left = *(const double *)a;
    double right = *(const double *)b;
    return (left > right) - (left < right);
}

/* A sorted copy, which the caller frees; NULL for none. */
static double *sorted(const double *values, size_t count)
{
    double *copy = count > 0 ? malloc(count * sizeof *copy) : NULL;
    if (copy != NULL) {
        memcpy(copy, values, count * sizeof *copy);
        qsort(copy, count, sizeof *copy, compare_values);
    }
    return copy;
}

static double median_of_sorted(const double *values, size_t count)
{
    return count % 2 == 1 ? values[count / 2] : (values[count / 2 - 1] + values[count / 2]) / 2;
}

struct statistics statistics_of(const double *values, size_t count)
{
    struct statistics result = {0};
    double *copy = sorted(values, count);
    if (copy != NULL) {
        result = (struct statistics){
            .count = count, .median = median_of_sorted(copy, count), .min = copy[0], .max = copy[count - 1]};
        free(copy);
    }
    return result;
}

double statistics_spread(const double *values, size_t count)
{
    double *copy = sorted(values, count);
    if (copy == NULL) {
        return 0;
    }
    size_t cut = count / 4;
    double median = median_of_sorted(copy, count);
    double spread = median > 0 ? (copy[count - 1 - cut] - copy[cut]) / median : 0;
    free(copy);
    return spread;
}

double statistics_quantile(const double *values, size_t count, double fraction)
{
    double *copy = sorted(values, count);
    if (copy == NULL) {
        return 0;
    }
    size_t index = (size_t)(fraction * (double)count);
    double quantile = copy[index < count ? index : count - 1];
    free(copy);
    return quantile;
}

double statistics_geometric_mean(const double *values, size_t count)
{
    double sum = 0;
    for (size_t i = 0; i < count; i++) {
        sum += log(values[i]);
    }
    return count > 0 ? exp(sum / (double)count) : (double)NAN;
}

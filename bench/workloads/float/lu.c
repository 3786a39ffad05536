/* A system of linear equations in double precision on the x87: LU decomposition with partial pivoting,
 * forward and backward substitution, and a look at whether the solution is one. */
#include "x87.h"

#define SIZE    100u
#define SYSTEMS 4u

static double matrix[SIZE][SIZE];
static double factors[SIZE][SIZE];
static double right_side[SIZE];
static double solution[SIZE];
static uint32_t order[SIZE];

static double magnitude(double x)
{
    return x < 0 ? -x : x;
}

/* Numbers from -1 to 1, with 20 bits. */
static double random_number(uint32_t *random)
{
    return (double)((int32_t)workload_random(random) >> 11) * (1.0 / 1048576.0);
}

static void decompose(void)
{
    for (uint32_t k = 0; k < SIZE; k++) {
        uint32_t pivot = k;
        for (uint32_t i = k + 1; i < SIZE; i++) {
            if (magnitude(factors[i][k]) > magnitude(factors[pivot][k])) {
                pivot = i;
            }
        }
        uint32_t row = order[k];
        order[k] = order[pivot];
        order[pivot] = row;
        for (uint32_t j = 0; j < SIZE && pivot != k; j++) {
            double value = factors[k][j];
            factors[k][j] = factors[pivot][j];
            factors[pivot][j] = value;
        }
        for (uint32_t i = k + 1; i < SIZE; i++) {
            double factor = factors[i][k] / factors[k][k];
            factors[i][k] = factor;
            for (uint32_t j = k + 1; j < SIZE; j++) {
                factors[i][j] -= factor * factors[k][j];
            }
        }
    }
}

static void substitute(void)
{
    for (uint32_t i = 0; i < SIZE; i++) {
        double sum = right_side[order[i]];
        for (uint32_t j = 0; j < i; j++) {
            sum -= factors[i][j] * solution[j];
        }
        solution[i] = sum;
    }
    for (uint32_t i = SIZE; i-- > 0;) {
        double sum = solution[i];
        for (uint32_t j = i + 1; j < SIZE; j++) {
            sum -= factors[i][j] * solution[j];
        }
        solution[i] = sum / factors[i][i];
    }
}

static double find_error(void)
{
    double greatest = 0;
    for (uint32_t i = 0; i < SIZE; i++) {
        double sum = -right_side[i];
        for (uint32_t j = 0; j < SIZE; j++) {
            sum += matrix[i][j] * solution[j];
        }
        greatest = magnitude(sum) > greatest ? magnitude(sum) : greatest;
    }
    return greatest;
}

void workload_prepare(void)
{
    x87_set_control(X87_DOUBLE);
}

uint32_t workload_run(void)
{
    uint32_t random = 271828;
    uint32_t hash = WORKLOAD_HASH_START;
    for (uint32_t system = 0; system < SYSTEMS; system++) {
        for (uint32_t i = 0; i < SIZE; i++) {
            order[i] = i;
            right_side[i] = random_number(&random);
            for (uint32_t j = 0; j < SIZE; j++) {
                matrix[i][j] = random_number(&random);
            }
        }
        memcpy(factors, matrix, sizeof factors);
        decompose();
        substitute();
        if (!(find_error() < 1e-9)) {
            workload_fail("the solution is none");
        }
        for (uint32_t i = 0; i < SIZE; i++) {
            hash = x87_hash_double(hash, solution[i]);
        }
    }
    return hash;
}

/* The transcendental instructions of the x87: FSIN, FCOS, FSINCOS, FPTAN, FPATAN, F2XM1, FYL2X, FYL2XP1.
 *
 * Processors differ in the last bit of their results, and emulators may compute them in double precision.
 * Therefore the checksum is of sums, rounded to 2^-10: deviations of single results stay far below that. */
#include "x87.h"

#define BATCHES 8u
#define BATCH   3000u

/* Adds what the eight instructions make of `x`, which is in (0, 1). */
static long double evaluate(long double x)
{
    const long double one = 1;
    long double angle = 3 * x;
    long double sine = angle;
    long double cosine = angle;
    long double both_sine;
    long double both_cosine;
    long double tangent;
    long double pushed;
    long double arc;
    long double power = x;
    long double logarithm;
    long double logarithm_near_one;
    __asm__("fsin" : "+t"(sine));
    __asm__("fcos" : "+t"(cosine));
    __asm__("fsincos" : "=t"(both_cosine), "=u"(both_sine) : "0"(-angle));
    __asm__("fptan" : "=t"(pushed), "=u"(tangent) : "0"(x));
    __asm__("fpatan" : "=t"(arc) : "0"(x), "u"(one) : "st(1)");
    __asm__("f2xm1" : "+t"(power));
    __asm__("fyl2x" : "=t"(logarithm) : "0"(x + 1), "u"(x) : "st(1)");
    __asm__("fyl2xp1" : "=t"(logarithm_near_one) : "0"(x / 4), "u"(one) : "st(1)");
    return sine * cosine + both_sine - both_cosine + tangent * pushed + arc + power + logarithm +
           logarithm_near_one;
}

void workload_prepare(void)
{
    x87_set_control(X87_EXTENDED);
}

uint32_t workload_run(void)
{
    uint32_t random = 314159;
    uint32_t hash = WORKLOAD_HASH_START;
    for (uint32_t batch = 0; batch < BATCHES; batch++) {
        long double sum = 0;
        for (uint32_t i = 0; i < BATCH; i++) {
            int32_t numerator = (int32_t)(workload_random(&random) >> 8 | 1);
            sum += evaluate((long double)numerator * (1.0L / 16777216));
        }
        int32_t rounded;
        __asm__("fistpl %0" : "=m"(rounded) : "t"(sum * 1024) : "st");
        hash = workload_hash(hash, (uint32_t)rounded);
    }
    return hash;
}

/* Floating point through the C library: numbers to text and back, rounding modes, exceptions, and the
 * functions of libm, whose true values are well known. The x87 computes what is compiled here; single and
 * double precision of SSE are tried where CPUID has them. */
#include "checks.h"

#include <fenv.h>
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void check_text(const char *name, const char *actual, const char *expected)
{
    check(strcmp(actual, expected) == 0, name, "\"%s\" instead of \"%s\"", actual, expected);
}

static void check_printing(void)
{
    static const struct {
        const char *format;
        double value;
        const char *text;
    } doubles[] = {
        {"%.17g", 0.1, "0.10000000000000001"},
        {"%.55g", 0.1, "0.1000000000000000055511151231257827021181583404541015625"},
        {"%.20e", 3.14159265358979323846, "3.14159265358979311600e+00"},
        {"%.17g", DBL_MAX, "1.7976931348623157e+308"},
        {"%.17g", 0x1p-1074, "4.9406564584124654e-324"},
        {"%.1f", 1e22, "10000000000000000000000.0"},
        {"%.0f", 0.5, "0"},
        {"%.0f", 1.5, "2"},
        {"%.0f", 2.5, "2"},
        {"%.3f", 2.0005, "2.001"},
        {"%a", 0.1, "0x1.999999999999ap-4"},
        {"%g", -0.0, "-0"},
        {"%f", HUGE_VAL, "inf"},
    };
    char text[128];
    for (size_t i = 0; i < sizeof(doubles) / sizeof(doubles[0]); i++) {
        char name[32];
        snprintf(text, sizeof(text), doubles[i].format, doubles[i].value);
        snprintf(name, sizeof(name), "printf, double %zu", i);
        check_text(name, text, doubles[i].text);
    }
    volatile long double one = 1;
    snprintf(text, sizeof(text), "%.20Lg", one / 3);
    check_text("printf, a third", text, "0.33333333333333333334");
    snprintf(text, sizeof(text), "%.21Lg", LDBL_MAX * one);
    check_text("printf, the largest long double", text, "1.18973149535723176502e+4932");
    snprintf(text, sizeof(text), "%.21Lg", 0x1p-16445L * one);
    check_text("printf, the smallest long double", text, "3.64519953188247460253e-4951");
    snprintf(text, sizeof(text), "%La", 4 * atanl(one));
    check_text("printf, pi in hexadecimal", text, "0xc.90fdaa22168c235p-2");

    int wrong = 0;
    uint64_t random = 1;
    for (int i = 0; i < 300; i++) {
        random = random * 6364136223846793005u + 1442695040888963407u;
        double value;
        memcpy(&value, &random, sizeof(value));
        if (isfinite(value)) {
            snprintf(text, sizeof(text), "%.17g", value);
            wrong += strtod(text, NULL) != value;
        }
    }
    check_equal("300 numbers become text and the same numbers again", wrong, 0);
    check(strtod("2.2250738585072011e-308", NULL) == 0x0.fffffffffffffp-1022,
          "strtod, just below the normal numbers", "%a", strtod("2.2250738585072011e-308", NULL));
}

static void check_close(const char *name, long double actual, long double expected, long double epsilon)
{
    long double error = fabsl((actual - expected) / expected);
    check(error <= epsilon, name, "%.21Lg instead of %.21Lg", actual, expected);
}

#define FUNCTION(name, argument, expected)                                                                   \
    do {                                                                                                     \
        volatile double d = argument;                                                                        \
        volatile long double l = argument;                                                                   \
        check_close(#name, name(d), expected, 2 * (long double)DBL_EPSILON);                                 \
        check_close(#name "l", name##l(l), expected, 4 * LDBL_EPSILON);                                      \
    } while (0)

static void check_functions(void)
{
    FUNCTION(sin, 1, 0.841470984807896506652502321630L);
    FUNCTION(cos, 1, 0.540302305868139717400936607443L);
    FUNCTION(tan, 1, 1.557407724654902230506974807458L);
    FUNCTION(sin, 1e22, -0.852200849767188801772705893753L);
    FUNCTION(asin, 0.5, 0.523598775598298873077107230547L);
    FUNCTION(acos, 0.5, 1.047197551196597746154214461093L);
    FUNCTION(atan, 1, 0.785398163397448309615660845820L);
    FUNCTION(exp, 1, 2.718281828459045235360287471353L);
    FUNCTION(exp2, 0.5, 1.414213562373095048801688724210L);
    FUNCTION(expm1, 1, 1.718281828459045235360287471353L);
    FUNCTION(log, 2, 0.693147180559945309417232121458L);
    FUNCTION(log2, 10, 3.321928094887362347870319429489L);
    FUNCTION(log10, 2, 0.301029995663981195213738894724L);
    FUNCTION(log1p, 1, 0.693147180559945309417232121458L);
    FUNCTION(sqrt, 2, 1.414213562373095048801688724210L);
    FUNCTION(cbrt, 2, 1.259921049894873164767210607278L);
    FUNCTION(sinh, 1, 1.175201193643801456882381850596L);
    FUNCTION(cosh, 1, 1.543080634815243778477905620757L);
    FUNCTION(tanh, 1, 0.761594155955764888119458282605L);
    FUNCTION(tgamma, 0.5, 1.772453850905516027298167483341L);
    FUNCTION(lgamma, 10, 12.801827480081469611207717874567L);
    FUNCTION(erf, 1, 0.842700792949714869341220635083L);
    volatile double tenth = 0.125;
    check_close("pow", pow(2, tenth), 1.090507732665257659207010655760L, 2 * (long double)DBL_EPSILON);
    check_close("powl", powl(2, tenth), 1.090507732665257659207010655760L, 4 * LDBL_EPSILON);
    check_close("atan2", atan2(-tenth, -tenth), -2.356194490192344928846982537459L,
                2 * (long double)DBL_EPSILON);
    volatile double large = 1e300;
    check(fmod(large, 7) == 1.0, "fmod of numbers far apart", "%g", fmod(large, 7));
    check(remainder(large, 7) == 1.0, "remainder of numbers far apart", "%g", remainder(large, 7));
    int exponent;
    double fraction = frexp(large, &exponent);
    check(ldexp(fraction, exponent) == large && exponent == 997, "frexp and ldexp", "%g, %d", fraction,
          exponent);
}

static void check_rounding(void)
{
    static const struct {
        int mode;
        long rounded[4];
    } modes[] = {
        {FE_TONEAREST, {2, 4, -2, -3}},
        {FE_DOWNWARD, {2, 3, -3, -3}},
        {FE_UPWARD, {3, 4, -2, -2}},
        {FE_TOWARDZERO, {2, 3, -2, -2}},
    };
    static volatile double values[4] = {2.5, 3.5, -2.5, -2.75};
    int wrong = 0;
    volatile double one = 1;
    volatile double three = 3;
    volatile double thirds[4];
    for (size_t i = 0; i < 4; i++) {
        fesetround(modes[i].mode);
        for (size_t j = 0; j < 4; j++) {
            wrong +=
                lrint(values[j]) != modes[i].rounded[j] || rint(values[j]) != (double)modes[i].rounded[j];
        }
        thirds[i] = one / three;
    }
    fesetround(FE_TONEAREST);
    check_equal("rounding to integers in four modes", wrong, 0);
    check(thirds[1] == thirds[3] && thirds[0] == thirds[1] && thirds[2] > thirds[1], "a third in four modes",
          "%a %a %a %a", thirds[0], thirds[1], thirds[2], thirds[3]);
    check_equal("truncation", (long)(values[1] * -1e6), -3500000);
    check_equal("to 64 bits", (long long)(values[0] * 1e18), 2500000000000000000LL);
    feclearexcept(FE_ALL_EXCEPT);
    volatile double result = one / three;
    check_equal("an inexact result is noted", fetestexcept(FE_ALL_EXCEPT), FE_INEXACT);
    volatile double zero = 0;
    result = one / zero;
    check_equal("and a division by zero", fetestexcept(FE_ALL_EXCEPT), FE_INEXACT | FE_DIVBYZERO);
    feclearexcept(FE_ALL_EXCEPT);
    result = zero / zero;
    check(isnan(result) && fetestexcept(FE_ALL_EXCEPT) == FE_INVALID, "0/0 is invalid", "%g, %x", result,
          (unsigned)fetestexcept(FE_ALL_EXCEPT));
    volatile long double smallest = LDBL_MIN;
    feclearexcept(FE_ALL_EXCEPT);
    volatile long double tiny = smallest / 3;
    check_equal("a denormal result is noted", fetestexcept(FE_ALL_EXCEPT), FE_INEXACT | FE_UNDERFLOW);
    check(tiny > 0 && fpclassify((long double)tiny) == FP_SUBNORMAL, "and it is one", "%Lg",
          (long double)tiny);
}

static void check_sums(void)
{
    volatile long double sum = 0;
    for (int i = 1; i <= 1000; i++) {
        sum = sum + 1.0L / i;
    }
    char text[64];
    snprintf(text, sizeof(text), "%.21Lg", (long double)sum);
    check_text("a sum in extended precision", text, "7.48547086055034491432");
}

__attribute__((target("sse,fpmath=sse"))) static void check_single(void)
{
    volatile float sum = 0;
    for (int i = 1; i <= 10000; i++) {
        sum = sum + 1.0f / (float)i;
    }
    check(sum == 0x1.39342p+3f, "a sum in SSE's single precision", "%a", (double)sum);
}

__attribute__((target("sse2,fpmath=sse"))) static void check_double(void)
{
    volatile double sum = 0;
    for (int i = 1; i <= 10000; i++) {
        sum = sum + 1.0 / i;
    }
    check(sum == 0x1.39341192de2a6p+3, "a sum in SSE2's double precision", "%a", sum);
}

void check_floats(void)
{
    check_printing();
    check_functions();
    check_rounding();
    check_sums();
    if (__builtin_cpu_supports("sse")) {
        check_single();
    }
    if (__builtin_cpu_supports("sse2")) {
        check_double();
    }
}

/* SSE arithmetic on the host's own SSE; see sse_arithmetic.h and, for the idea, x87_host_x86.c.
 *
 * The operation runs with all exceptions masked. Where an unmasked one would have been raised, and always
 * where underflow is unmasked (the masked flag means something else), integer arithmetic gives the answer. */
#include "cpu/sse_arithmetic.h"

#if (defined(__i386__) || defined(__x86_64__)) && defined(__SSE2__)

#include <emmintrin.h>

#define HOST_MXCSR 0x1f80u

/* a = a op b under *mxcsr, which gets the flags. */
typedef void host_vector(__m128 *a, const __m128 *b, uint32_t *mxcsr);

#define HOST_VECTOR(name, instruction)                                                                       \
    static void name(__m128 *a, const __m128 *b, uint32_t *mxcsr)                                            \
    {                                                                                                        \
        static const uint32_t host_mxcsr = HOST_MXCSR;                                                       \
        __m128 value = *a;                                                                                   \
        __m128 other = *b;                                                                                   \
        __asm__ volatile("ldmxcsr %1\n\t" instruction " %2, %0\n\tstmxcsr %1\n\tldmxcsr %3"                  \
                         : "+x"(value), "+m"(*mxcsr)                                                         \
                         : "x"(other), "m"(host_mxcsr));                                                     \
        *a = value;                                                                                          \
    }
#define HOST_VECTORS(name)                                                                                   \
    HOST_VECTOR(host_##name##ps, #name "ps")                                                                 \
    HOST_VECTOR(host_##name##pd, #name "pd")                                                                 \
    HOST_VECTOR(host_##name##ss, #name "ss")                                                                 \
    HOST_VECTOR(host_##name##sd, #name "sd")
#define HOST_ROW(name)                                                                                       \
    {                                                                                                        \
        host_##name##ps, host_##name##pd, host_##name##ss, host_##name##sd                                   \
    }

HOST_VECTORS(add)
HOST_VECTORS(sub)
HOST_VECTORS(mul)
HOST_VECTORS(div)
HOST_VECTORS(min)
HOST_VECTORS(max)
HOST_VECTORS(sqrt)

static host_vector *const host_operations[SSE_OPERATIONS][4] = {
    [SSE_ADD] = HOST_ROW(add),         [SSE_SUBTRACT] = HOST_ROW(sub), [SSE_MULTIPLY] = HOST_ROW(mul),
    [SSE_DIVIDE] = HOST_ROW(div),      [SSE_MINIMUM] = HOST_ROW(min),  [SSE_MAXIMUM] = HOST_ROW(max),
    [SSE_SQUARE_ROOT] = HOST_ROW(sqrt)};

unsigned sse_host_operate(uint32_t mxcsr, enum sse_operation operation, enum sse_format format,
                          const struct xmm_register *a, const struct xmm_register *b,
                          struct xmm_register *result)
{
    unsigned masks = mxcsr >> MXCSR_MASK_SHIFT & X87_EXCEPTIONS;
    uint32_t host = (mxcsr & ~(uint32_t)X87_EXCEPTIONS) | MXCSR_MASKS;
    __m128 x, y;
    if (!(masks & X87_UE)) {
        return sse_soft_operate(mxcsr, operation, format, a, b, result);
    }
    memcpy(&x, a, sizeof x);
    memcpy(&y, b, sizeof y);
    host_operations[operation][format](&x, &y, &host);
    unsigned flags = host & X87_EXCEPTIONS;
    if (flags & ~masks) {
        return sse_soft_operate(mxcsr, operation, format, a, b, result);
    }
    memcpy(result, &x, sse_vector_size(format));
    return flags;
}

uint32_t sse_host_reciprocal(uint32_t a)
{
    float value;
    memcpy(&value, &a, sizeof value);
    value = _mm_cvtss_f32(_mm_rcp_ss(_mm_set_ss(value)));
    memcpy(&a, &value, sizeof value);
    return a;
}

uint32_t sse_host_reciprocal_root(uint32_t a)
{
    float value;
    memcpy(&value, &a, sizeof value);
    value = _mm_cvtss_f32(_mm_rsqrt_ss(_mm_set_ss(value)));
    memcpy(&a, &value, sizeof value);
    return a;
}

#endif

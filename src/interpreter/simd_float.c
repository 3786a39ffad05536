/* SSE floating-point arithmetic, comparisons and conversions (SDM 1 chapters 10 and 11, SDM 2).
 *
 * MXCSR's flags are set before #XM is raised; nothing else changes then. */
#include "interpreter/select.h"
#include "interpreter/simd_internal.h"

/* ---- arithmetic
 * ----------------------------------------------------------------------------------------------------------------
 */

static inline void arithmetic(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                              enum sse_operation operation, enum sse_format format)
{
    sse_enter(cpu, in);
    struct xmm_register *destination = xmm_at(cpu, uop->destination);
    struct xmm_register source = xmm_source(cpu, uop, in, sse_vector_size(format));
    struct xmm_register result;
    unsigned flags = sse_operate(cpu->mxcsr, operation, format, destination, &source, &result);
    sse_signal(cpu, in, flags);
    memcpy(destination->b, result.b, sse_vector_size(format));
    uop_next(cpu, uop, in);
}

#define ARITHMETIC_HANDLER(name, suffix, operation, format)                                                  \
    static void name##suffix(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)           \
    {                                                                                                        \
        arithmetic(cpu, uop, in, operation, format);                                                         \
    }
#define ARITHMETIC_HANDLERS(name, operation)                                                                 \
    ARITHMETIC_HANDLER(name, ps, operation, SSE_PACKED_32)                                                   \
    ARITHMETIC_HANDLER(name, pd, operation, SSE_PACKED_64)                                                   \
    ARITHMETIC_HANDLER(name, ss, operation, SSE_SCALAR_32)                                                   \
    ARITHMETIC_HANDLER(name, sd, operation, SSE_SCALAR_64)

ARITHMETIC_HANDLERS(add, SSE_ADD)
ARITHMETIC_HANDLERS(sub, SSE_SUBTRACT)
ARITHMETIC_HANDLERS(mul, SSE_MULTIPLY)
ARITHMETIC_HANDLERS(div, SSE_DIVIDE)
ARITHMETIC_HANDLERS(min, SSE_MINIMUM)
ARITHMETIC_HANDLERS(max, SSE_MAXIMUM)
ARITHMETIC_HANDLERS(sqrt, SSE_SQUARE_ROOT)

/* RCPPS, RSQRTPS: `size` 4 or 16. */
static inline void approximate(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                               unsigned size, uint32_t (*operation)(uint32_t))
{
    sse_enter(cpu, in);
    struct xmm_register source = xmm_source(cpu, uop, in, size);
    struct xmm_register *destination = xmm_at(cpu, uop->destination);
    for (unsigned i = 0; i < size; i += 4) {
        store_le32(destination->b + i, operation(load_le32(source.b + i)));
    }
    uop_next(cpu, uop, in);
}

#define APPROXIMATION_HANDLER(name, size, operation)                                                         \
    static void name(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)                   \
    {                                                                                                        \
        approximate(cpu, uop, in, size, operation);                                                          \
    }
APPROXIMATION_HANDLER(rcpps, 16, sse_reciprocal)
APPROXIMATION_HANDLER(rcpss, 4, sse_reciprocal)
APPROXIMATION_HANDLER(rsqrtps, 16, sse_reciprocal_root)
APPROXIMATION_HANDLER(rsqrtss, 4, sse_reciprocal_root)

#define ARITHMETIC_ROW(ID, name)                                                                             \
    [INSN_##ID##PS] = name##ps, [INSN_##ID##PD] = name##pd, [INSN_##ID##SS] = name##ss,                      \
    [INSN_##ID##SD] = name##sd

uop_handler *select_simd_arithmetic(const struct insn *insn, const struct cpu_model *model)
{
    static uop_handler *const handlers[INSN_COUNT] = {
        ARITHMETIC_ROW(ADD, add),   ARITHMETIC_ROW(SUB, sub), ARITHMETIC_ROW(MUL, mul),
        ARITHMETIC_ROW(DIV, div),   ARITHMETIC_ROW(MIN, min), ARITHMETIC_ROW(MAX, max),
        ARITHMETIC_ROW(SQRT, sqrt), [INSN_RCPPS] = rcpps,     [INSN_RCPSS] = rcpss,
        [INSN_RSQRTPS] = rsqrtps,   [INSN_RSQRTSS] = rsqrtss,
    };
    (void)model;
    return handlers[insn->id];
}

/* ---- SSE3's horizontal operations: the elements are brought into place for an ordinary one
 * ------------------------------------- */

static inline void horizontal(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                              enum sse_operation operation, enum sse_format format)
{
    sse_enter(cpu, in);
    struct xmm_register *destination = xmm_at(cpu, uop->destination);
    struct xmm_register source = xmm_source(cpu, uop, in, XMM_SIZE);
    struct xmm_register first, second, result;
    unsigned step = sse_element_size(format);
    for (unsigned i = 0; i < XMM_SIZE / 2; i += step) {
        memcpy(first.b + i, destination->b + 2 * i, step);
        memcpy(second.b + i, destination->b + 2 * i + step, step);
        memcpy(first.b + XMM_SIZE / 2 + i, source.b + 2 * i, step);
        memcpy(second.b + XMM_SIZE / 2 + i, source.b + 2 * i + step, step);
    }
    sse_signal(cpu, in, sse_operate(cpu->mxcsr, operation, format, &first, &second, &result));
    *destination = result;
    uop_next(cpu, uop, in);
}

/* Even elements are subtracted, odd ones added; zeros in the other places raise nothing. */
static inline void add_subtract(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                enum sse_format format)
{
    sse_enter(cpu, in);
    struct xmm_register *destination = xmm_at(cpu, uop->destination);
    struct xmm_register source = xmm_source(cpu, uop, in, XMM_SIZE);
    struct xmm_register even[2] = {*destination, source};
    struct xmm_register odd[2] = {*destination, source};
    struct xmm_register difference, sum;
    unsigned step = sse_element_size(format);
    for (unsigned i = 0; i < XMM_SIZE; i += 2 * step) {
        for (unsigned operand = 0; operand < 2; operand++) {
            memset(even[operand].b + i + step, 0, step);
            memset(odd[operand].b + i, 0, step);
        }
    }
    unsigned flags = sse_operate(cpu->mxcsr, SSE_SUBTRACT, format, &even[0], &even[1], &difference) |
                     sse_operate(cpu->mxcsr, SSE_ADD, format, &odd[0], &odd[1], &sum);
    unsigned masks = cpu->mxcsr >> MXCSR_MASK_SHIFT;
    sse_signal(cpu, in, x87_is_blocked(flags, masks) ? flags & X87_BEFORE : flags);
    for (unsigned i = 0; i < XMM_SIZE; i += 2 * step) {
        memcpy(destination->b + i, difference.b + i, step);
        memcpy(destination->b + i + step, sum.b + i + step, step);
    }
    uop_next(cpu, uop, in);
}

#define SHAPED_HANDLER(name, shape, ...)                                                                     \
    static void name(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)                   \
    {                                                                                                        \
        shape(cpu, uop, in, __VA_ARGS__);                                                                    \
    }
SHAPED_HANDLER(haddps, horizontal, SSE_ADD, SSE_PACKED_32)
SHAPED_HANDLER(haddpd, horizontal, SSE_ADD, SSE_PACKED_64)
SHAPED_HANDLER(hsubps, horizontal, SSE_SUBTRACT, SSE_PACKED_32)
SHAPED_HANDLER(hsubpd, horizontal, SSE_SUBTRACT, SSE_PACKED_64)
SHAPED_HANDLER(addsubps, add_subtract, SSE_PACKED_32)
SHAPED_HANDLER(addsubpd, add_subtract, SSE_PACKED_64)

uop_handler *select_simd_horizontal(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    switch (insn->id) {
    case INSN_HADDPS: return haddps;
    case INSN_HADDPD: return haddpd;
    case INSN_HSUBPS: return hsubps;
    case INSN_HSUBPD: return hsubpd;
    case INSN_ADDSUBPS: return addsubps;
    default: return addsubpd;
    }
}

/* ---- comparisons
 * ---------------------------------------------------------------------------------------------------------------
 */

static inline void compare(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                           enum sse_format format)
{
    sse_enter(cpu, in);
    struct xmm_register *destination = xmm_at(cpu, uop->destination);
    struct xmm_register source = xmm_source(cpu, uop, in, sse_vector_size(format));
    struct xmm_register result;
    sse_signal(cpu, in,
               sse_compare(cpu->mxcsr, (unsigned)uop->immediate, format, destination, &source, &result));
    memcpy(destination->b, result.b, sse_vector_size(format));
    uop_next(cpu, uop, in);
}

static inline void compare_scalar(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                  unsigned size, bool quiet)
{
    sse_enter(cpu, in);
    struct xmm_register source = xmm_source(cpu, uop, in, size);
    uint32_t eflags;
    sse_signal(cpu, in,
               sse_compare_scalar(cpu->mxcsr, quiet, size, load_le(xmm_at(cpu, uop->destination)->b, size),
                                  load_le(source.b, size), &eflags));
    flags_from_eflags(&cpu->flags, eflags);
    uop_next(cpu, uop, in);
}

SHAPED_HANDLER(cmpps, compare, SSE_PACKED_32)
SHAPED_HANDLER(cmppd, compare, SSE_PACKED_64)
SHAPED_HANDLER(cmpss, compare, SSE_SCALAR_32)
SHAPED_HANDLER(cmpsd, compare, SSE_SCALAR_64)
SHAPED_HANDLER(comiss, compare_scalar, 4, false)
SHAPED_HANDLER(comisd, compare_scalar, 8, false)
SHAPED_HANDLER(ucomiss, compare_scalar, 4, true)
SHAPED_HANDLER(ucomisd, compare_scalar, 8, true)

uop_handler *select_simd_compare(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    switch (insn->id) {
    case INSN_CMPPS: return cmpps;
    case INSN_CMPPD: return cmppd;
    case INSN_CMPSS: return cmpss;
    case INSN_CMPSD: return cmpsd;
    case INSN_COMISS: return comiss;
    case INSN_COMISD: return comisd;
    case INSN_UCOMISS: return ucomiss;
    default: return ucomisd;
    }
}

/* ---- conversions
 * ---------------------------------------------------------------------------------------------------------------
 */

/* One element from `from` to `to`; returns flags. */
typedef unsigned element_conversion(uint32_t mxcsr, const uint8_t *from, uint8_t *to);

static inline unsigned int32_to_float32(uint32_t mxcsr, const uint8_t *from, uint8_t *to)
{
    uint32_t result;
    unsigned flags = sse_int32_to_float32(mxcsr, load_le32(from), &result);
    store_le32(to, result);
    return flags;
}

static inline unsigned int32_to_float64(uint32_t mxcsr, const uint8_t *from, uint8_t *to)
{
    (void)mxcsr;
    store_le64(to, sse_int32_to_float64(load_le32(from)));
    return 0;
}

static inline unsigned float32_to_float64(uint32_t mxcsr, const uint8_t *from, uint8_t *to)
{
    uint64_t result;
    unsigned flags = sse_float32_to_float64(mxcsr, load_le32(from), &result);
    store_le64(to, result);
    return flags;
}

static inline unsigned float64_to_float32(uint32_t mxcsr, const uint8_t *from, uint8_t *to)
{
    uint32_t result;
    unsigned flags = sse_float64_to_float32(mxcsr, load_le64(from), &result);
    store_le32(to, result);
    return flags;
}

static inline unsigned float_to_int32(uint32_t mxcsr, const uint8_t *from, uint8_t *to, unsigned size,
                                      bool truncate)
{
    uint32_t result;
    unsigned flags = sse_float_to_int32(mxcsr, load_le(from, size), size, truncate, &result);
    store_le32(to, result);
    return flags;
}

static inline unsigned float32_to_int32(uint32_t mxcsr, const uint8_t *from, uint8_t *to)
{
    return float_to_int32(mxcsr, from, to, 4, false);
}

static inline unsigned float32_truncated(uint32_t mxcsr, const uint8_t *from, uint8_t *to)
{
    return float_to_int32(mxcsr, from, to, 4, true);
}

static inline unsigned float64_to_int32(uint32_t mxcsr, const uint8_t *from, uint8_t *to)
{
    return float_to_int32(mxcsr, from, to, 8, false);
}

static inline unsigned float64_truncated(uint32_t mxcsr, const uint8_t *from, uint8_t *to)
{
    return float_to_int32(mxcsr, from, to, 8, true);
}

/* `count` elements of `from_size` bytes to as many of `to_size`. */
static inline unsigned convert_elements(uint32_t mxcsr, const uint8_t *from, uint8_t *to, unsigned count,
                                        unsigned from_size, unsigned to_size, element_conversion *conversion)
{
    unsigned flags = 0;
    for (unsigned i = 0; i < count; i++) {
        flags |= conversion(mxcsr, from + i * from_size, to + i * to_size);
    }
    return x87_is_blocked(flags, mxcsr >> MXCSR_MASK_SHIFT) ? flags & X87_BEFORE : flags;
}

/* XMM or memory to XMM; bytes beyond the result become zero when `clear`, otherwise they stay. */
static inline void xmm_to_xmm(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                              unsigned count, unsigned from_size, unsigned to_size, bool clear,
                              element_conversion *conversion)
{
    sse_enter(cpu, in);
    struct xmm_register source = xmm_source(cpu, uop, in, count * from_size);
    struct xmm_register result = {{0}};
    sse_signal(cpu, in,
               convert_elements(cpu->mxcsr, source.b, result.b, count, from_size, to_size, conversion));
    memcpy(xmm_at(cpu, uop->destination)->b, result.b, clear ? XMM_SIZE : count * to_size);
    uop_next(cpu, uop, in);
}

SHAPED_HANDLER(cvtdq2ps, xmm_to_xmm, 4, 4, 4, true, int32_to_float32)
SHAPED_HANDLER(cvtps2dq, xmm_to_xmm, 4, 4, 4, true, float32_to_int32)
SHAPED_HANDLER(cvttps2dq, xmm_to_xmm, 4, 4, 4, true, float32_truncated)
SHAPED_HANDLER(cvtdq2pd, xmm_to_xmm, 2, 4, 8, true, int32_to_float64)
SHAPED_HANDLER(cvtpd2dq, xmm_to_xmm, 2, 8, 4, true, float64_to_int32)
SHAPED_HANDLER(cvttpd2dq, xmm_to_xmm, 2, 8, 4, true, float64_truncated)
SHAPED_HANDLER(cvtps2pd, xmm_to_xmm, 2, 4, 8, true, float32_to_float64)
SHAPED_HANDLER(cvtpd2ps, xmm_to_xmm, 2, 8, 4, true, float64_to_float32)
SHAPED_HANDLER(cvtss2sd, xmm_to_xmm, 1, 4, 8, false, float32_to_float64)
SHAPED_HANDLER(cvtsd2ss, xmm_to_xmm, 1, 8, 4, false, float64_to_float32)

/* MMX or memory to XMM. From memory, the x87's state is not touched. */
static inline void mmx_to_xmm(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                              unsigned to_size, bool clear, element_conversion *conversion)
{
    uint8_t from[MMX_SIZE];
    struct xmm_register result;
    bool transition = uop->source != 0;
    sse_enter(cpu, in);
    if (transition && !mmx_enter(cpu, uop, in)) {
        return;
    }
    store_le64(from, mmx_source(cpu, uop, in));
    unsigned flags = convert_elements(cpu->mxcsr, from, result.b, 2, 4, to_size, conversion);
    if (transition) {
        mmx_commit(cpu);
    }
    sse_signal(cpu, in, flags);
    memcpy(xmm_at(cpu, uop->destination)->b, result.b, clear ? XMM_SIZE : 2 * to_size);
    uop_next(cpu, uop, in);
}

SHAPED_HANDLER(cvtpi2ps, mmx_to_xmm, 4, false, int32_to_float32)
SHAPED_HANDLER(cvtpi2pd, mmx_to_xmm, 8, true, int32_to_float64)

/* XMM or memory to MMX. */
static inline void xmm_to_mmx(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                              unsigned from_size, element_conversion *conversion)
{
    uint8_t to[MMX_SIZE];
    sse_enter(cpu, in);
    if (!mmx_enter(cpu, uop, in)) {
        return;
    }
    struct xmm_register source = xmm_source(cpu, uop, in, 2 * from_size);
    unsigned flags = convert_elements(cpu->mxcsr, source.b, to, 2, from_size, 4, conversion);
    mmx_commit(cpu);
    sse_signal(cpu, in, flags);
    mmx_write(cpu, uop->destination, load_le64(to));
    uop_next(cpu, uop, in);
}

SHAPED_HANDLER(cvtps2pi, xmm_to_mmx, 4, float32_to_int32)
SHAPED_HANDLER(cvttps2pi, xmm_to_mmx, 4, float32_truncated)
SHAPED_HANDLER(cvtpd2pi, xmm_to_mmx, 8, float64_to_int32)
SHAPED_HANDLER(cvttpd2pi, xmm_to_mmx, 8, float64_truncated)

/* A general register or memory to the low element. */
static inline void general_to_xmm(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                  bool memory, unsigned to_size, element_conversion *conversion)
{
    uint8_t from[4], to[8];
    sse_enter(cpu, in);
    store_le32(from, (uint32_t)operand_read(cpu, uop, in, memory, uop->source, 4));
    sse_signal(cpu, in, conversion(cpu->mxcsr, from, to));
    memcpy(xmm_at(cpu, uop->destination)->b, to, to_size);
    uop_next(cpu, uop, in);
}

SHAPED_HANDLER(cvtsi2ss_r, general_to_xmm, false, 4, int32_to_float32)
SHAPED_HANDLER(cvtsi2ss_m, general_to_xmm, true, 4, int32_to_float32)
SHAPED_HANDLER(cvtsi2sd_r, general_to_xmm, false, 8, int32_to_float64)
SHAPED_HANDLER(cvtsi2sd_m, general_to_xmm, true, 8, int32_to_float64)

static inline void xmm_to_general(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                  unsigned from_size, element_conversion *conversion)
{
    uint8_t to[4];
    sse_enter(cpu, in);
    struct xmm_register source = xmm_source(cpu, uop, in, from_size);
    sse_signal(cpu, in, conversion(cpu->mxcsr, source.b, to));
    register_write(cpu, uop->destination, 4, load_le32(to));
    uop_next(cpu, uop, in);
}

SHAPED_HANDLER(cvtss2si, xmm_to_general, 4, float32_to_int32)
SHAPED_HANDLER(cvttss2si, xmm_to_general, 4, float32_truncated)
SHAPED_HANDLER(cvtsd2si, xmm_to_general, 8, float64_to_int32)
SHAPED_HANDLER(cvttsd2si, xmm_to_general, 8, float64_truncated)

uop_handler *select_simd_convert(const struct insn *insn, const struct cpu_model *model)
{
    static uop_handler *const handlers[INSN_COUNT] = {
        [INSN_CVTDQ2PS] = cvtdq2ps,   [INSN_CVTPS2DQ] = cvtps2dq,   [INSN_CVTTPS2DQ] = cvttps2dq,
        [INSN_CVTDQ2PD] = cvtdq2pd,   [INSN_CVTPD2DQ] = cvtpd2dq,   [INSN_CVTTPD2DQ] = cvttpd2dq,
        [INSN_CVTPS2PD] = cvtps2pd,   [INSN_CVTPD2PS] = cvtpd2ps,   [INSN_CVTSS2SD] = cvtss2sd,
        [INSN_CVTSD2SS] = cvtsd2ss,   [INSN_CVTPI2PS] = cvtpi2ps,   [INSN_CVTPI2PD] = cvtpi2pd,
        [INSN_CVTPS2PI] = cvtps2pi,   [INSN_CVTTPS2PI] = cvttps2pi, [INSN_CVTPD2PI] = cvtpd2pi,
        [INSN_CVTTPD2PI] = cvttpd2pi, [INSN_CVTSS2SI] = cvtss2si,   [INSN_CVTTSS2SI] = cvttss2si,
        [INSN_CVTSD2SI] = cvtsd2si,   [INSN_CVTTSD2SI] = cvttsd2si,
    };
    (void)model;
    bool memory = operand_in_memory(insn, 1);
    switch (insn->id) {
    case INSN_CVTSI2SS: return memory ? cvtsi2ss_m : cvtsi2ss_r;
    case INSN_CVTSI2SD: return memory ? cvtsi2sd_m : cvtsi2sd_r;
    default: return handlers[insn->id];
    }
}

/* Packed integer arithmetic, logic, shifts, packing and shuffling on MMX and XMM registers (SDM 1 §9.4,
 * §11.4.2, §12.6; SDM 2 P*), and the SSE instructions that move bits about without looking at them as numbers
 * (ANDPS, UNPCKLPS, SHUFPS…).
 *
 * An operation is a function of two vectors of `size` bytes and the immediate operand; its handlers for the
 * two register files are made from it by a table. */
#include "interpreter/select.h"
#include "interpreter/simd_internal.h"

/* d = d op s; s is a copy and never d itself. */
typedef void vector_operation(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate);

/* ---- element by element
 * -------------------------------------------------------------------------------------------------------- */

static inline void each8(uint8_t *d, const uint8_t *s, unsigned size, uint8_t (*operation)(uint8_t, uint8_t))
{
    for (unsigned i = 0; i < size; i++) {
        d[i] = operation(d[i], s[i]);
    }
}

static inline void each16(uint8_t *d, const uint8_t *s, unsigned size,
                          uint16_t (*operation)(uint16_t, uint16_t))
{
    for (unsigned i = 0; i < size; i += 2) {
        store_le16(d + i, operation(load_le16(d + i), load_le16(s + i)));
    }
}

static inline void each32(uint8_t *d, const uint8_t *s, unsigned size,
                          uint32_t (*operation)(uint32_t, uint32_t))
{
    for (unsigned i = 0; i < size; i += 4) {
        store_le32(d + i, operation(load_le32(d + i), load_le32(s + i)));
    }
}

static inline void each64(uint8_t *d, const uint8_t *s, unsigned size,
                          uint64_t (*operation)(uint64_t, uint64_t))
{
    for (unsigned i = 0; i < size; i += 8) {
        store_le64(d + i, operation(load_le64(d + i), load_le64(s + i)));
    }
}

static inline int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

static inline uint8_t signed_byte(int value)
{
    return (uint8_t)clamp(value, INT8_MIN, INT8_MAX);
}

static inline uint8_t unsigned_byte(int value)
{
    return (uint8_t)clamp(value, 0, UINT8_MAX);
}

static inline uint16_t signed_word(int value)
{
    return (uint16_t)clamp(value, INT16_MIN, INT16_MAX);
}

static inline uint16_t unsigned_word(int value)
{
    return (uint16_t)clamp(value, 0, UINT16_MAX);
}

#define EACH(bits, name, expression)                                                                         \
    static inline uint##bits##_t name##_one(uint##bits##_t a, uint##bits##_t b)                              \
    {                                                                                                        \
        (void)a;                                                                                             \
        return (uint##bits##_t)(expression);                                                                 \
    }                                                                                                        \
    static inline void name(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)                 \
    {                                                                                                        \
        (void)immediate;                                                                                     \
        each##bits(d, s, size, name##_one);                                                                  \
    }

EACH(8, paddb, a + b)
EACH(16, paddw, a + b)
EACH(32, paddd, a + b)
EACH(64, paddq, a + b)
EACH(8, psubb, a - b)
EACH(16, psubw, a - b)
EACH(32, psubd, a - b)
EACH(64, psubq, a - b)
EACH(8, paddsb, signed_byte((int8_t)a + (int8_t)b))
EACH(16, paddsw, signed_word((int16_t)a + (int16_t)b))
EACH(8, paddusb, unsigned_byte(a + b))
EACH(16, paddusw, unsigned_word(a + b))
EACH(8, psubsb, signed_byte((int8_t)a - (int8_t)b))
EACH(16, psubsw, signed_word((int16_t)a - (int16_t)b))
EACH(8, psubusb, unsigned_byte(a - b))
EACH(16, psubusw, unsigned_word(a - b))
EACH(64, pand, (a) & (b))
EACH(64, pandn, (~a) & (b))
EACH(64, por, a | b)
EACH(64, pxor, a ^ b)
EACH(8, pavgb, (a + b + 1) >> 1)
EACH(16, pavgw, (a + b + 1) >> 1)
EACH(8, pcmpeqb, a == b ? 0xff : 0)
EACH(16, pcmpeqw, a == b ? 0xffff : 0)
EACH(32, pcmpeqd, a == b ? 0xffffffffu : 0)
EACH(8, pcmpgtb, (int8_t)a > (int8_t)b ? 0xff : 0)
EACH(16, pcmpgtw, (int16_t)a > (int16_t)b ? 0xffff : 0)
EACH(32, pcmpgtd, (int32_t)a > (int32_t)b ? 0xffffffffu : 0)
EACH(16, pmaxsw, (int16_t)a > (int16_t)b ? a : b)
EACH(16, pminsw, (int16_t)a < (int16_t)b ? a : b)
EACH(8, pmaxub, a > b ? a : b)
EACH(8, pminub, a < b ? a : b)
EACH(16, pmullw, (uint32_t)(a) * (b))
EACH(16, pmulhw, ((int16_t)a * (int16_t)b) >> 16)
EACH(16, pmulhuw, ((uint32_t)a * b) >> 16)
EACH(16, pmulhrsw, ((((int16_t)a * (int16_t)b) >> 14) + 1) >> 1)
EACH(64, pmuludq, (a & 0xffffffffu) * (b & 0xffffffffu))
EACH(8, pabsb, (int8_t)b < 0 ? -b : b)
EACH(16, pabsw, (int16_t)b < 0 ? -b : b)
EACH(32, pabsd, (int32_t)b < 0 ? -b : b)
EACH(8, psignb, (int8_t)b < 0 ? -a : b == 0 ? 0 : a)
EACH(16, psignw, (int16_t)b < 0 ? -a : b == 0 ? 0 : a)
EACH(32, psignd, (int32_t)b < 0 ? -a : b == 0 ? 0 : a)

/* ---- pairs of elements
 * ---------------------------------------------------------------------------------------------------------
 */

static inline int word_at(const uint8_t *from)
{
    return (int16_t)load_le16(from);
}

static inline void pmaddwd(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)
{
    (void)immediate;
    for (unsigned i = 0; i < size; i += 4) {
        uint32_t low = (uint32_t)(word_at(d + i) * word_at(s + i));
        uint32_t high = (uint32_t)(word_at(d + i + 2) * word_at(s + i + 2));
        store_le32(d + i, low + high);
    }
}

static inline void pmaddubsw(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)
{
    (void)immediate;
    for (unsigned i = 0; i < size; i += 2) {
        store_le16(d + i, signed_word(d[i] * (int8_t)s[i] + d[i + 1] * (int8_t)s[i + 1]));
    }
}

static inline void psadbw(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)
{
    (void)immediate;
    for (unsigned i = 0; i < size; i += 8) {
        unsigned sum = 0;
        for (unsigned j = i; j < i + 8; j++) {
            sum += d[j] > s[j] ? (unsigned)(d[j] - s[j]) : (unsigned)(s[j] - d[j]);
        }
        store_le64(d + i, sum);
    }
}

/* Applies `operation` to neighbours of d, then of s. */
static inline void horizontal16(uint8_t *d, const uint8_t *s, unsigned size, uint16_t (*operation)(int, int))
{
    uint8_t result[XMM_SIZE];
    for (unsigned i = 0; i < size / 2; i += 2) {
        store_le16(result + i, operation(word_at(d + 2 * i), word_at(d + 2 * i + 2)));
        store_le16(result + size / 2 + i, operation(word_at(s + 2 * i), word_at(s + 2 * i + 2)));
    }
    memcpy(d, result, size);
}

static inline void horizontal32(uint8_t *d, const uint8_t *s, unsigned size, bool subtract)
{
    uint8_t result[XMM_SIZE];
    for (unsigned i = 0; i < size / 2; i += 4) {
        uint32_t from_d = load_le32(d + 2 * i + 4);
        uint32_t from_s = load_le32(s + 2 * i + 4);
        store_le32(result + i, load_le32(d + 2 * i) + (subtract ? -from_d : from_d));
        store_le32(result + size / 2 + i, load_le32(s + 2 * i) + (subtract ? -from_s : from_s));
    }
    memcpy(d, result, size);
}

static inline uint16_t sum_word(int a, int b)
{
    return (uint16_t)(a + b);
}

static inline uint16_t difference_word(int a, int b)
{
    return (uint16_t)(a - b);
}

static inline uint16_t saturated_sum(int a, int b)
{
    return signed_word(a + b);
}

static inline uint16_t saturated_difference(int a, int b)
{
    return signed_word(a - b);
}

#define HORIZONTAL(name, shape, how)                                                                         \
    static inline void name(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)                 \
    {                                                                                                        \
        (void)immediate;                                                                                     \
        shape(d, s, size, how);                                                                              \
    }
HORIZONTAL(phaddw, horizontal16, sum_word)
HORIZONTAL(phsubw, horizontal16, difference_word)
HORIZONTAL(phaddsw, horizontal16, saturated_sum)
HORIZONTAL(phsubsw, horizontal16, saturated_difference)
HORIZONTAL(phaddd, horizontal32, false)
HORIZONTAL(phsubd, horizontal32, true)

/* ---- packing, unpacking, shuffling
 * --------------------------------------------------------------------------------------------- */

static inline void pack16(uint8_t *d, const uint8_t *s, unsigned size, uint8_t (*convert)(int))
{
    uint8_t result[XMM_SIZE];
    for (unsigned i = 0; i < size / 2; i++) {
        result[i] = convert(word_at(d + 2 * i));
        result[size / 2 + i] = convert(word_at(s + 2 * i));
    }
    memcpy(d, result, size);
}
HORIZONTAL(packsswb, pack16, signed_byte)
HORIZONTAL(packuswb, pack16, unsigned_byte)

static inline void packssdw(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)
{
    uint8_t result[XMM_SIZE];
    (void)immediate;
    for (unsigned i = 0; i < size / 2; i += 2) {
        store_le16(result + i, signed_word((int)load_le32(d + 2 * i)));
        store_le16(result + size / 2 + i, signed_word((int)load_le32(s + 2 * i)));
    }
    memcpy(d, result, size);
}

/* Interleaves elements of `width` bytes from the half of both vectors that starts at `from`. */
static inline void interleave(uint8_t *d, const uint8_t *s, unsigned size, unsigned width, bool high)
{
    uint8_t result[XMM_SIZE];
    unsigned from = high ? size / 2 : 0;
    for (unsigned i = 0; i < size / 2; i += width) {
        memcpy(result + 2 * i, d + from + i, width);
        memcpy(result + 2 * i + width, s + from + i, width);
    }
    memcpy(d, result, size);
}

#define INTERLEAVE(name, width, high)                                                                        \
    static inline void name(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)                 \
    {                                                                                                        \
        (void)immediate;                                                                                     \
        interleave(d, s, size, width, high);                                                                 \
    }
INTERLEAVE(punpcklbw, 1, false)
INTERLEAVE(punpcklwd, 2, false)
INTERLEAVE(punpckldq, 4, false)
INTERLEAVE(punpcklqdq, 8, false)
INTERLEAVE(punpckhbw, 1, true)
INTERLEAVE(punpckhwd, 2, true)
INTERLEAVE(punpckhdq, 4, true)
INTERLEAVE(punpckhqdq, 8, true)

static inline void pshufb(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)
{
    uint8_t result[XMM_SIZE];
    (void)immediate;
    for (unsigned i = 0; i < size; i++) {
        result[i] = s[i] & 0x80 ? 0 : d[s[i] & (size - 1)];
    }
    memcpy(d, result, size);
}

static inline void palignr(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)
{
    uint8_t result[XMM_SIZE];
    for (unsigned i = 0; i < size; i++) {
        unsigned from = i + (immediate & 0xff);
        result[i] = from < size ? s[from] : from < 2 * size ? d[from - size] : 0;
    }
    memcpy(d, result, size);
}

/* Four words at d from those at s, two bits of the immediate each. */
static inline void shuffle_words(uint8_t *d, const uint8_t *s, unsigned immediate)
{
    for (unsigned i = 0; i < 4; i++) {
        memcpy(d + 2 * i, s + 2 * (immediate >> (2 * i) & 3), 2);
    }
}

static inline void pshufw(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)
{
    (void)size;
    shuffle_words(d, s, immediate);
}

static inline void pshuflw(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)
{
    memcpy(d, s, size);
    shuffle_words(d, s, immediate);
}

static inline void pshufhw(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)
{
    memcpy(d, s, size);
    shuffle_words(d + 8, s + 8, immediate);
}

static inline void pshufd(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)
{
    (void)size;
    for (unsigned i = 0; i < 4; i++) {
        memcpy(d + 4 * i, s + 4 * (immediate >> (2 * i) & 3), 4);
    }
}

static inline void shufps(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)
{
    uint8_t result[XMM_SIZE];
    for (unsigned i = 0; i < 4; i++) {
        memcpy(result + 4 * i, (i < 2 ? d : s) + 4 * (immediate >> (2 * i) & 3), 4);
    }
    memcpy(d, result, size);
}

static inline void shufpd(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)
{
    uint8_t result[XMM_SIZE];
    memcpy(result, d + 8 * (immediate & 1), 8);
    memcpy(result + 8, s + 8 * (immediate >> 1 & 1), 8);
    memcpy(d, result, size);
}

/* ---- shifts: by the source's low quadword, or by an immediate laid out like one
 * ---------------------------------------------- */

enum shift_kind { SHIFT_LEFT, SHIFT_RIGHT, SHIFT_ARITHMETIC };

static inline void shift(uint8_t *d, const uint8_t *s, unsigned size, unsigned width, enum shift_kind kind)
{
    uint64_t count = load_le64(s);
    unsigned bits = width * 8;
    bool all = count >= bits;
    for (unsigned i = 0; i < size; i += width) {
        uint64_t value = load_le(d + i, width);
        if (kind == SHIFT_ARITHMETIC) {
            value = bits_sign_extend(value, bits);
            value = (uint64_t)((int64_t)value >> (all ? bits - 1 : count));
        } else if (all) {
            value = 0;
        } else {
            value = kind == SHIFT_LEFT ? value << count : value >> count;
        }
        store_le(d + i, width, value);
    }
}

#define SHIFT(name, width, kind)                                                                             \
    static inline void name(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)                 \
    {                                                                                                        \
        (void)immediate;                                                                                     \
        shift(d, s, size, width, kind);                                                                      \
    }
SHIFT(psllw, 2, SHIFT_LEFT)
SHIFT(pslld, 4, SHIFT_LEFT)
SHIFT(psllq, 8, SHIFT_LEFT)
SHIFT(psrlw, 2, SHIFT_RIGHT)
SHIFT(psrld, 4, SHIFT_RIGHT)
SHIFT(psrlq, 8, SHIFT_RIGHT)
SHIFT(psraw, 2, SHIFT_ARITHMETIC)
SHIFT(psrad, 4, SHIFT_ARITHMETIC)

static inline void pslldq(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)
{
    unsigned count = s[0] > size ? size : s[0];
    (void)immediate;
    memmove(d + count, d, size - count);
    memset(d, 0, count);
}

static inline void psrldq(uint8_t *d, const uint8_t *s, unsigned size, unsigned immediate)
{
    unsigned count = s[0] > size ? size : s[0];
    (void)immediate;
    memmove(d, d + count, size - count);
    memset(d + size - count, 0, count);
}

/* ---- handlers
 * ------------------------------------------------------------------------------------------------------------------
 */

static inline void mmx_operation(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                 vector_operation *operation, unsigned source_size)
{
    uint8_t d[MMX_SIZE], s[MMX_SIZE] = {0};
    if (!mmx_enter(cpu, uop, in)) {
        return;
    }
    if (uop->source != 0) {
        store_le64(s, mmx_read(cpu, uop->source));
    } else {
        store_le(s, source_size, memory_load(cpu, uop, in, source_size));
    }
    store_le64(d, mmx_read(cpu, uop->destination));
    operation(d, s, MMX_SIZE, (unsigned)uop->immediate);
    mmx_commit(cpu);
    mmx_write(cpu, uop->destination, load_le64(d));
    uop_next(cpu, uop, in);
}

static inline void xmm_operation(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                 vector_operation *operation)
{
    sse_enter(cpu, in);
    struct xmm_register source = xmm_source(cpu, uop, in, XMM_SIZE);
    operation(xmm_at(cpu, uop->destination)->b, source.b, XMM_SIZE, (unsigned)uop->immediate);
    uop_next(cpu, uop, in);
}

static inline void mmx_shift_immediate(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                       vector_operation *operation)
{
    uint8_t d[MMX_SIZE], s[MMX_SIZE];
    if (!mmx_enter(cpu, uop, in)) {
        return;
    }
    store_le64(s, uop->immediate & 0xff);
    store_le64(d, mmx_read(cpu, uop->destination));
    operation(d, s, MMX_SIZE, 0);
    mmx_commit(cpu);
    mmx_write(cpu, uop->destination, load_le64(d));
    uop_next(cpu, uop, in);
}

static inline void xmm_shift_immediate(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                       vector_operation *operation)
{
    uint8_t s[MMX_SIZE];
    sse_enter(cpu, in);
    store_le64(s, uop->immediate & 0xff);
    operation(xmm_at(cpu, uop->destination)->b, s, XMM_SIZE, 0);
    uop_next(cpu, uop, in);
}

/* Every operation, the SDM's mnemonic, and the bytes an MMX form reads from memory (PUNPCKL: 4). */
// clang-format off
#define VECTOR_OPERATIONS(ROW) \
    ROW(PADDB, paddb, 8) ROW(PADDW, paddw, 8) ROW(PADDD, paddd, 8) ROW(PADDQ, paddq, 8) \
    ROW(PSUBB, psubb, 8) ROW(PSUBW, psubw, 8) ROW(PSUBD, psubd, 8) ROW(PSUBQ, psubq, 8) \
    ROW(PADDSB, paddsb, 8) ROW(PADDSW, paddsw, 8) ROW(PADDUSB, paddusb, 8) ROW(PADDUSW, paddusw, 8) \
    ROW(PSUBSB, psubsb, 8) ROW(PSUBSW, psubsw, 8) ROW(PSUBUSB, psubusb, 8) ROW(PSUBUSW, psubusw, 8) \
    ROW(PAND, pand, 8) ROW(PANDN, pandn, 8) ROW(POR, por, 8) ROW(PXOR, pxor, 8) \
    ROW(PAVGB, pavgb, 8) ROW(PAVGW, pavgw, 8) \
    ROW(PCMPEQB, pcmpeqb, 8) ROW(PCMPEQW, pcmpeqw, 8) ROW(PCMPEQD, pcmpeqd, 8) \
    ROW(PCMPGTB, pcmpgtb, 8) ROW(PCMPGTW, pcmpgtw, 8) ROW(PCMPGTD, pcmpgtd, 8) \
    ROW(PMAXSW, pmaxsw, 8) ROW(PMINSW, pminsw, 8) ROW(PMAXUB, pmaxub, 8) ROW(PMINUB, pminub, 8) \
    ROW(PMULLW, pmullw, 8) ROW(PMULHW, pmulhw, 8) ROW(PMULHUW, pmulhuw, 8) ROW(PMULHRSW, pmulhrsw, 8) \
    ROW(PMULUDQ, pmuludq, 8) ROW(PMADDWD, pmaddwd, 8) ROW(PMADDUBSW, pmaddubsw, 8) ROW(PSADBW, psadbw, 8) \
    ROW(PABSB, pabsb, 8) ROW(PABSW, pabsw, 8) ROW(PABSD, pabsd, 8) \
    ROW(PSIGNB, psignb, 8) ROW(PSIGNW, psignw, 8) ROW(PSIGND, psignd, 8) \
    ROW(PHADDW, phaddw, 8) ROW(PHADDD, phaddd, 8) ROW(PHADDSW, phaddsw, 8) \
    ROW(PHSUBW, phsubw, 8) ROW(PHSUBD, phsubd, 8) ROW(PHSUBSW, phsubsw, 8) \
    ROW(PACKSSWB, packsswb, 8) ROW(PACKUSWB, packuswb, 8) ROW(PACKSSDW, packssdw, 8) \
    ROW(PUNPCKLBW, punpcklbw, 4) ROW(PUNPCKLWD, punpcklwd, 4) ROW(PUNPCKLDQ, punpckldq, 4) \
    ROW(PUNPCKHBW, punpckhbw, 8) ROW(PUNPCKHWD, punpckhwd, 8) ROW(PUNPCKHDQ, punpckhdq, 8) \
    ROW(PSHUFB, pshufb, 8) ROW(PALIGNR, palignr, 8) ROW(PSHUFW, pshufw, 8)

/* XMM registers only. */
#define XMM_OPERATIONS(ROW) \
    ROW(PUNPCKLQDQ, punpcklqdq) ROW(PUNPCKHQDQ, punpckhqdq) \
    ROW(PSHUFD, pshufd) ROW(PSHUFHW, pshufhw) ROW(PSHUFLW, pshuflw) ROW(SHUFPS, shufps) ROW(SHUFPD, shufpd)
#define SHIFT_OPERATIONS(ROW) \
    ROW(PSLLW, psllw, 8) ROW(PSLLD, pslld, 8) ROW(PSLLQ, psllq, 8) ROW(PSRLW, psrlw, 8) ROW(PSRLD, psrld, 8) \
    ROW(PSRLQ, psrlq, 8) ROW(PSRAW, psraw, 8) ROW(PSRAD, psrad, 8) ROW(PSLLDQ, pslldq, 8) ROW(PSRLDQ, psrldq, 8)
// clang-format on

#define XMM_HANDLER(ID, name)                                                                                \
    static void name##_xmm(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)             \
    {                                                                                                        \
        xmm_operation(cpu, uop, in, name);                                                                   \
    }
#define VECTOR_HANDLERS(ID, name, source_size)                                                               \
    static void name##_mmx(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)             \
    {                                                                                                        \
        mmx_operation(cpu, uop, in, name, source_size);                                                      \
    }                                                                                                        \
    XMM_HANDLER(ID, name)
#define SHIFT_HANDLERS(ID, name, source_size)                                                                \
    VECTOR_HANDLERS(ID, name, source_size)                                                                   \
    static void name##_mmx_immediate(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)   \
    {                                                                                                        \
        mmx_shift_immediate(cpu, uop, in, name);                                                             \
    }                                                                                                        \
    static void name##_xmm_immediate(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)   \
    {                                                                                                        \
        xmm_shift_immediate(cpu, uop, in, name);                                                             \
    }
#define VECTOR_ROW(ID, name, source_size) [INSN_##ID] = {name##_mmx, name##_xmm},
#define XMM_ROW(ID, name)                 [INSN_##ID] = {NULL, name##_xmm},
#define SHIFT_ROW(ID, name, source_size)                                                                     \
    [INSN_##ID] = {name##_mmx, name##_xmm, name##_mmx_immediate, name##_xmm_immediate},

VECTOR_OPERATIONS(VECTOR_HANDLERS)
XMM_OPERATIONS(XMM_HANDLER)
SHIFT_OPERATIONS(SHIFT_HANDLERS)

/* [insn][by an immediate][XMM] */
static uop_handler *const vector_handlers[INSN_COUNT][4] = {
    VECTOR_OPERATIONS(VECTOR_ROW) XMM_OPERATIONS(XMM_ROW)
        SHIFT_OPERATIONS(SHIFT_ROW)[INSN_ANDPS] = {NULL, pand_xmm},
    [INSN_ANDPD] = {NULL, pand_xmm},
    [INSN_ANDNPS] = {NULL, pandn_xmm},
    [INSN_ANDNPD] = {NULL, pandn_xmm},
    [INSN_ORPS] = {NULL, por_xmm},
    [INSN_ORPD] = {NULL, por_xmm},
    [INSN_XORPS] = {NULL, pxor_xmm},
    [INSN_XORPD] = {NULL, pxor_xmm},
    [INSN_UNPCKLPS] = {NULL, punpckldq_xmm},
    [INSN_UNPCKHPS] = {NULL, punpckhdq_xmm},
    [INSN_UNPCKLPD] = {NULL, punpcklqdq_xmm},
    [INSN_UNPCKHPD] = {NULL, punpckhqdq_xmm},
};

uop_handler *select_vector(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    bool xmm = insn->operand[0].register_class == REGISTER_XMM;
    bool immediate = insn->operand[1].kind == OPERAND_IMMEDIATE;
    return vector_handlers[insn->id][2 * immediate + xmm];
}

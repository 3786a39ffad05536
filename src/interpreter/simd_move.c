/* Moves between MMX registers, XMM registers, general registers and memory; MXCSR; EMMS (SDM 2).
 *
 * A load or store of 16 bytes must be aligned except for MOVUPS, MOVUPD, MOVDQU and LDDQU; non-temporal
 * stores are stores. */
#include "interpreter/select.h"
#include "interpreter/simd_internal.h"

_Noreturn void simd_raise_unavailable(struct cpu_state *cpu, struct interpreter *in)
{
    uop_sync(cpu, in);
    bool undefined = (cpu->cr0 & CR0_EM) || !(cpu->cr4 & CR4_OSFXSR);
    cpu_raise(cpu, undefined ? VECTOR_UD : VECTOR_NM);
}

_Noreturn void simd_raise_exception(struct cpu_state *cpu, struct interpreter *in)
{
    uop_sync(cpu, in);
    cpu_raise(cpu, cpu->cr4 & CR4_OSXMMEXCPT ? VECTOR_XM : VECTOR_UD);
}

_Noreturn void simd_raise_misaligned(struct cpu_state *cpu, struct interpreter *in)
{
    uop_sync(cpu, in);
    cpu_raise_error(cpu, VECTOR_GP, 0);
}

/* ---- 16 bytes
 * ------------------------------------------------------------------------------------------------------------------
 */

static void move_load_aligned(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    sse_enter(cpu, in);
    *xmm_at(cpu, uop->destination) = xmm_source(cpu, uop, in, XMM_SIZE);
    uop_next(cpu, uop, in);
}

static void move_load_unaligned(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    sse_enter(cpu, in);
    if (uop->source != 0) {
        *xmm_at(cpu, uop->destination) = *xmm_at(cpu, uop->source);
    } else {
        struct xmm_register value;
        operand_load_block(cpu, uop, in, value.b, XMM_SIZE);
        *xmm_at(cpu, uop->destination) = value;
    }
    uop_next(cpu, uop, in);
}

static void move_store_unaligned(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    sse_enter(cpu, in);
    operand_store_block(cpu, uop, in, xmm_at(cpu, uop->source)->b, XMM_SIZE);
    uop_next(cpu, uop, in);
}

static void move_store_aligned(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    sse_enter(cpu, in);
    simd_require_aligned(cpu, uop, in);
    operand_store_block(cpu, uop, in, xmm_at(cpu, uop->source)->b, XMM_SIZE);
    uop_next(cpu, uop, in);
}

uop_handler *select_simd_move(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    bool store = operand_in_memory(insn, 0);
    switch (insn->id) {
    case INSN_MOVUPS:
    case INSN_MOVUPD:
    case INSN_MOVDQU:
    case INSN_LDDQU: return store ? move_store_unaligned : move_load_unaligned;
    default: return store ? move_store_aligned : move_load_aligned;
    }
}

/* ---- MOVD, MOVQ, MOVNTQ, MOVDQ2Q, MOVQ2DQ
 * --------------------------------------------------------------------------------------- */

static inline void to_mmx(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                          unsigned width)
{
    if (!mmx_enter(cpu, uop, in)) {
        return;
    }
    uint64_t value = uop->source == 0 ? memory_load(cpu, uop, in, width) : mmx_read(cpu, uop->source);
    mmx_commit(cpu);
    mmx_write(cpu, uop->destination, value);
    uop_next(cpu, uop, in);
}

static inline void mmx_to_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                 unsigned width)
{
    if (mmx_enter(cpu, uop, in)) {
        mmx_begin_store(cpu);
        memory_store(cpu, uop, in, width, mmx_read(cpu, uop->source) & bits_mask(width * 8));
        mmx_commit(cpu);
        uop_next(cpu, uop, in);
    }
}

static inline void to_xmm(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                          unsigned width)
{
    sse_enter(cpu, in);
    struct xmm_register value = xmm_source(cpu, uop, in, width);
    memset(value.b + 8, 0, 8);
    *xmm_at(cpu, uop->destination) = value;
    uop_next(cpu, uop, in);
}

static void movd_to_mmx(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    to_mmx(cpu, uop, in, 4);
}

/* General registers and memory cannot be told apart by uop->source: AX is at offset 0. */
static void movd_register_to_mmx(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    if (mmx_enter(cpu, uop, in)) {
        mmx_commit(cpu);
        mmx_write(cpu, uop->destination, register_read(cpu, uop->source, 4));
        uop_next(cpu, uop, in);
    }
}

static void movd_mmx_to_register(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    if (mmx_enter(cpu, uop, in)) {
        mmx_commit(cpu);
        register_write(cpu, uop->destination, 4, mmx_read(cpu, uop->source));
        uop_next(cpu, uop, in);
    }
}

static void movd_mmx_to_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    mmx_to_memory(cpu, uop, in, 4);
}

static void movd_memory_to_xmm(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    to_xmm(cpu, uop, in, 4);
}

static void movd_register_to_xmm(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    sse_enter(cpu, in);
    struct xmm_register *to = xmm_at(cpu, uop->destination);
    store_le64(to->b, register_read(cpu, uop->source, 4));
    memset(to->b + 8, 0, 8);
    uop_next(cpu, uop, in);
}

static void movd_xmm_to_register(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    sse_enter(cpu, in);
    register_write(cpu, uop->destination, 4, load_le32(xmm_at(cpu, uop->source)->b));
    uop_next(cpu, uop, in);
}

/* `width` low bytes of an XMM register to memory; `from`: the half they start at. */
static inline void store_part(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                              unsigned width, unsigned from)
{
    sse_enter(cpu, in);
    memory_store(cpu, uop, in, width, load_le(xmm_at(cpu, uop->source)->b + from, width));
    uop_next(cpu, uop, in);
}

static void store_low_4(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    store_part(cpu, uop, in, 4, 0);
}

static void store_low_8(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    store_part(cpu, uop, in, 8, 0);
}

static void store_high_8(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    store_part(cpu, uop, in, 8, 8);
}

static void movq_to_mmx(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    to_mmx(cpu, uop, in, 8);
}

static void movq_mmx_to_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    mmx_to_memory(cpu, uop, in, 8);
}

static void movq_to_xmm(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    to_xmm(cpu, uop, in, 8);
}

static void movdq2q(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    sse_enter(cpu, in);
    if (mmx_enter(cpu, uop, in)) {
        mmx_commit(cpu);
        mmx_write(cpu, uop->destination, load_le64(xmm_at(cpu, uop->source)->b));
        uop_next(cpu, uop, in);
    }
}

static void movq2dq(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    sse_enter(cpu, in);
    if (mmx_enter(cpu, uop, in)) {
        mmx_commit(cpu);
        struct xmm_register *to = xmm_at(cpu, uop->destination);
        store_le64(to->b, mmx_read(cpu, uop->source));
        memset(to->b + 8, 0, 8);
        uop_next(cpu, uop, in);
    }
}

static bool is_class(const struct insn *insn, unsigned operand, enum register_class class)
{
    return insn->operand[operand].kind == OPERAND_REGISTER && insn->operand[operand].register_class == class;
}

uop_handler *select_simd_move_low(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    bool to_memory = operand_in_memory(insn, 0);
    bool from_memory = operand_in_memory(insn, 1);
    switch (insn->id) {
    case INSN_MOVD:
        if (is_class(insn, 0, REGISTER_MMX)) {
            return from_memory ? movd_to_mmx : movd_register_to_mmx;
        }
        if (is_class(insn, 0, REGISTER_XMM)) {
            return from_memory ? movd_memory_to_xmm : movd_register_to_xmm;
        }
        if (is_class(insn, 1, REGISTER_MMX)) {
            return to_memory ? movd_mmx_to_memory : movd_mmx_to_register;
        }
        return to_memory ? store_low_4 : movd_xmm_to_register;
    case INSN_MOVQ:
        if (is_class(insn, 0, REGISTER_MMX)) {
            return movq_to_mmx;
        }
        if (is_class(insn, 0, REGISTER_XMM)) {
            return movq_to_xmm;
        }
        return is_class(insn, 1, REGISTER_MMX) ? movq_mmx_to_memory : store_low_8;
    case INSN_MOVNTQ: return movq_mmx_to_memory;
    case INSN_MOVDQ2Q: return movdq2q;
    default: return movq2dq;
    }
}

/* ---- parts of XMM registers: MOVSS, MOVSD, MOVLPS, MOVHPS, MOVHLPS, MOVLHPS, MOVDDUP, MOVSHDUP, MOVSLDUP
 * ----------------------- */

/* A register's low bytes replace the destination's; memory's clear the rest as well. */
static inline void move_scalar(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                               unsigned width)
{
    sse_enter(cpu, in);
    struct xmm_register value = xmm_source(cpu, uop, in, width);
    memcpy(xmm_at(cpu, uop->destination)->b, value.b, uop->source != 0 ? width : XMM_SIZE);
    uop_next(cpu, uop, in);
}

static void movss(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    move_scalar(cpu, uop, in, 4);
}

static void movsd(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    move_scalar(cpu, uop, in, 8);
}

/* Bytes [from, from + 8) of the source, or 8 of memory, to bytes [to, to + 8). */
static inline void move_half(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                             unsigned to, unsigned from)
{
    sse_enter(cpu, in);
    struct xmm_register value = xmm_source(cpu, uop, in, 8);
    memcpy(xmm_at(cpu, uop->destination)->b + to, value.b + (uop->source != 0 ? from : 0), 8);
    uop_next(cpu, uop, in);
}

static void load_low(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    move_half(cpu, uop, in, 0, 8); /* MOVLPS from memory, MOVHLPS */
}

static void load_high(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    move_half(cpu, uop, in, 8, 0); /* MOVHPS from memory, MOVLHPS */
}

static void movddup(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    sse_enter(cpu, in);
    struct xmm_register value = xmm_source(cpu, uop, in, 8);
    memcpy(value.b + 8, value.b, 8);
    *xmm_at(cpu, uop->destination) = value;
    uop_next(cpu, uop, in);
}

static inline void duplicate(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, bool odd)
{
    sse_enter(cpu, in);
    struct xmm_register value = xmm_source(cpu, uop, in, XMM_SIZE);
    for (unsigned i = 0; i < XMM_SIZE; i += 8) {
        memcpy(value.b + i + (odd ? 0 : 4), value.b + i + (odd ? 4 : 0), 4);
    }
    *xmm_at(cpu, uop->destination) = value;
    uop_next(cpu, uop, in);
}

static void movshdup(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    duplicate(cpu, uop, in, true);
}

static void movsldup(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    duplicate(cpu, uop, in, false);
}

uop_handler *select_simd_move_part(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    bool store = operand_in_memory(insn, 0);
    switch (insn->id) {
    case INSN_MOVSS: return store ? store_low_4 : movss;
    case INSN_MOVSD: return store ? store_low_8 : movsd;
    case INSN_MOVLPS:
    case INSN_MOVLPD: return store ? store_low_8 : load_low;
    case INSN_MOVHPS:
    case INSN_MOVHPD: return store ? store_high_8 : load_high;
    case INSN_MOVHLPS: return load_low;
    case INSN_MOVLHPS: return load_high;
    case INSN_MOVDDUP: return movddup;
    case INSN_MOVSHDUP: return movshdup;
    default: return movsldup;
    }
}

/* ---- sign masks, single words, masked stores
 * ------------------------------------------------------------------------------------- */

/* The top bits of elements of `width` bytes. */
static inline uint32_t sign_mask(const uint8_t *bytes, unsigned size, unsigned width)
{
    uint32_t mask = 0;
    for (unsigned i = 0; i < size / width; i++) {
        mask |= (uint32_t)(bytes[i * width + width - 1] >> 7) << i;
    }
    return mask;
}

static inline void xmm_mask(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                            unsigned width)
{
    sse_enter(cpu, in);
    register_write(cpu, uop->destination, 4, sign_mask(xmm_at(cpu, uop->source)->b, XMM_SIZE, width));
    uop_next(cpu, uop, in);
}

static void movmskps(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    xmm_mask(cpu, uop, in, 4);
}

static void movmskpd(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    xmm_mask(cpu, uop, in, 8);
}

static void pmovmskb_xmm(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    xmm_mask(cpu, uop, in, 1);
}

static void pmovmskb_mmx(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint8_t bytes[MMX_SIZE];
    if (mmx_enter(cpu, uop, in)) {
        mmx_commit(cpu);
        store_le64(bytes, mmx_read(cpu, uop->source));
        register_write(cpu, uop->destination, 4, sign_mask(bytes, MMX_SIZE, 1));
        uop_next(cpu, uop, in);
    }
}

static void pextrw_xmm(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    sse_enter(cpu, in);
    register_write(cpu, uop->destination, 4,
                   load_le16(xmm_at(cpu, uop->source)->b + 2 * (uop->immediate & 7)));
    uop_next(cpu, uop, in);
}

static void pextrw_mmx(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    if (mmx_enter(cpu, uop, in)) {
        mmx_commit(cpu);
        register_write(cpu, uop->destination, 4,
                       mmx_read(cpu, uop->source) >> (16 * (uop->immediate & 3)) & 0xffff);
        uop_next(cpu, uop, in);
    }
}

static inline void insert_word_xmm(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                   bool memory)
{
    sse_enter(cpu, in);
    uint16_t value = (uint16_t)operand_read(cpu, uop, in, memory, uop->source, memory ? 2 : 4);
    store_le16(xmm_at(cpu, uop->destination)->b + 2 * (uop->immediate & 7), value);
    uop_next(cpu, uop, in);
}

static inline void insert_word_mmx(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                   bool memory)
{
    if (mmx_enter(cpu, uop, in)) {
        unsigned shift = 16 * (uop->immediate & 3);
        uint64_t value = (uint16_t)operand_read(cpu, uop, in, memory, uop->source, memory ? 2 : 4);
        uint64_t rest = mmx_read(cpu, uop->destination) & ~((uint64_t)0xffff << shift);
        mmx_commit(cpu);
        mmx_write(cpu, uop->destination, rest | value << shift);
        uop_next(cpu, uop, in);
    }
}

static void pinsrw_xmm_r(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    insert_word_xmm(cpu, uop, in, false);
}

static void pinsrw_xmm_m(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    insert_word_xmm(cpu, uop, in, true);
}

static void pinsrw_mmx_r(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    insert_word_mmx(cpu, uop, in, false);
}

static void pinsrw_mmx_m(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    insert_word_mmx(cpu, uop, in, true);
}

/* Bytes whose mask byte has its top bit set go to DS:(E)DI; all of them are known to be writable before the
 * first is. */
static void store_masked(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                         const uint8_t *bytes, const uint8_t *mask, unsigned size)
{
    uint32_t offset = effective_address(cpu, uop);
    uop_sync(cpu, in);
    (void)cpu_segment_to_linear(cpu, (enum cpu_segment)uop->segment, offset, size, true); /* mask or not */
    for (unsigned i = 0; i < size; i++) {
        if (mask[i] & 0x80) {
            uint64_t linear = cpu_segment_to_linear(cpu, (enum cpu_segment)uop->segment,
                                                    (offset + i) & uop_address_mask(uop), 1, true);
            cpu->memory_ops->probe_write(cpu, linear, 1, cpu->cpl == 3);
        }
    }
    for (unsigned i = 0; i < size; i++) {
        if (mask[i] & 0x80) {
            segment_store(cpu, in, uop->segment, (offset + i) & uop_address_mask(uop), 1, bytes[i]);
        }
    }
}

static void maskmovdqu(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    sse_enter(cpu, in);
    store_masked(cpu, uop, in, xmm_at(cpu, uop->destination)->b, xmm_at(cpu, uop->source)->b, XMM_SIZE);
    uop_next(cpu, uop, in);
}

static void maskmovq(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint8_t bytes[MMX_SIZE], mask[MMX_SIZE];
    if (mmx_enter(cpu, uop, in)) {
        store_le64(bytes, mmx_read(cpu, uop->destination));
        store_le64(mask, mmx_read(cpu, uop->source));
        mmx_commit(cpu); /* by then, also when the store faults, as processors do */
        store_masked(cpu, uop, in, bytes, mask, MMX_SIZE);
        uop_next(cpu, uop, in);
    }
}

uop_handler *select_simd_bits(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    bool mmx = is_class(insn, insn->id == INSN_PINSRW ? 0 : 1, REGISTER_MMX);
    switch (insn->id) {
    case INSN_MOVMSKPS: return movmskps;
    case INSN_MOVMSKPD: return movmskpd;
    case INSN_PMOVMSKB: return mmx ? pmovmskb_mmx : pmovmskb_xmm;
    case INSN_PEXTRW: return mmx ? pextrw_mmx : pextrw_xmm;
    case INSN_PINSRW:
        if (operand_in_memory(insn, 1)) {
            return mmx ? pinsrw_mmx_m : pinsrw_xmm_m;
        }
        return mmx ? pinsrw_mmx_r : pinsrw_xmm_r;
    case INSN_MASKMOVQ: return maskmovq;
    default: return maskmovdqu;
    }
}

/* ---- EMMS, MXCSR
 * ---------------------------------------------------------------------------------------------------------------
 */

static void emms(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    if (mmx_enter(cpu, uop, in)) {
        mmx_commit(cpu);
        cpu->x87.full = 0;
        uop_next(cpu, uop, in);
    }
}

static void ldmxcsr(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    sse_enter(cpu, in);
    uint32_t value = (uint32_t)memory_load(cpu, uop, in, 4);
    if (value & ~cpu_mxcsr_mask(cpu)) {
        uop_sync(cpu, in);
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    cpu->mxcsr = value;
    uop_next(cpu, uop, in);
}

static void stmxcsr(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    sse_enter(cpu, in);
    memory_store(cpu, uop, in, 4, cpu->mxcsr);
    uop_next(cpu, uop, in);
}

uop_handler *select_simd_state(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return insn->id == INSN_EMMS ? emms : insn->id == INSN_LDMXCSR ? ldmxcsr : stmxcsr;
}

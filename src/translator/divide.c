/* DIV and IDIV on the host's own divider (SDM 2: DIV, IDIV).
 *
 * The host must not raise #DE, so that the quotient is known to fit before it divides: for DIV when the
 * dividend's upper half is below the divisor, for IDIV when the dividend is no wider than the divisor, which
 * is neither 0 nor -1. Wider dividends of 32-bit IDIV are divided in 64 bits. Other signed divisions are done
 * in C (SITE_DIVIDE), which leaves the flags that the host's divider would (cpu/habits.h); what does not fit
 * is #DE (SITE_DIVIDE_ERROR). */
#include <stddef.h>

#include "cpu/habits.h"
#include "translator/builder.h"

enum { AH_NUMBER = 4, OPCODE_SAHF = 0x9e, OPCODE_LAHF = 0x9f };

/* The divisor in r11, zero-extended. */
static bool emit_divisor(struct builder *b, const struct insn *insn, unsigned width)
{
    struct emitter *e = &b->e;
    unsigned rm = insn->modrm & 7;
    if (insn->modrm < 0xc0) {
        struct guest_operand memory = guest_operand_of(insn);
        if (!access_is_possible(b, &memory, ACCESS_LOAD)) {
            return false;
        }
        struct host_address at = emit_access(b, &memory, width, ACCESS_LOAD, HOST_RCX);
        emit_load_width(e, HOST_R11, at, width);
    } else if (width == 4) {
        emit_mov(e, HOST_R11, host_gpr(rm));
    } else if (width == 2) {
        emit_zero_extend16(e, HOST_R11, host_gpr(rm));
    } else if (rm >= AH_NUMBER) {
        emit_rorx(e, HOST_R11, host_gpr(rm - AH_NUMBER), 8);
        emit_zero_extend8(e, HOST_R11, HOST_R11);
    } else {
        emit_zero_extend8(e, HOST_R11, host_gpr(rm));
    }
    return true;
}

static void emit_divide(struct builder *b, unsigned width, unsigned extension)
{
    emit_reg(&b->e, host_width(width) | (width == 1 ? 0xf6 : 0xf7), extension, HOST_R11);
}

/* The dividend's upper half, zero-extended. */
static void emit_upper_half(struct builder *b, unsigned to, unsigned width)
{
    struct emitter *e = &b->e;
    if (width == 4) {
        emit_mov(e, to, HOST_RDX);
    } else if (width == 2) {
        emit_zero_extend16(e, to, HOST_RDX);
    } else {
        emit_rorx(e, to, HOST_RAX, 8);
        emit_zero_extend8(e, to, to);
    }
}

bool translate_div(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    unsigned width = insn->operand[0].size;
    if (!emit_divisor(b, insn, width)) {
        return false;
    }
    /* divisor - upper - 1 = divisor + ~upper: its own upper half is 0 unless it is negative */
    emit_upper_half(b, HOST_R10, width);
    emit_not64(e, HOST_R10);
    emit_lea64(e, HOST_RCX, host_sum(HOST_R11, HOST_R10, 0, 0));
    emit_rorx64(e, HOST_RCX, HOST_RCX, 32);
    emit_mov(e, HOST_RCX, HOST_RCX);
    uint8_t *fits = emit_jrcxz(e);
    builder_add_site(b, SITE_DIVIDE_ERROR, emit_jmp(e));
    emit_bind8(e, fits);
    emit_divide(b, width, 6);
    return true;
}

/* Sign-extends r11 from `width` bytes to 32 bits. */
static void emit_sign_extend(struct builder *b, unsigned reg, unsigned width)
{
    if (width < 4) {
        emit_reg(&b->e, HOST_0F | (width == 2 ? 0xbf : 0xbe), reg, reg);
    }
}

/* ecx: 0 when the dividend's upper half holds nothing but its lower half's sign. Changes r10. */
static void emit_wide_dividend(struct builder *b, unsigned width)
{
    struct emitter *e = &b->e;
    if (width == 4) {
        emit_sign_extend32(e, HOST_R10, HOST_RAX);
        emit_rorx64(e, HOST_RCX, HOST_R10, 32);
    } else {
        emit_mov(e, HOST_R10, HOST_RAX);
        emit_sign_extend(b, HOST_R10, width);
        emit_rorx(e, HOST_RCX, HOST_R10, 8 * width);
    }
    emit_upper_half(b, HOST_R10, width);
    emit_not64(e, HOST_R10);
    emit_lea(e, HOST_RCX, host_sum(HOST_RCX, HOST_R10, 0, 1));
    if (width == 2) {
        emit_zero_extend16(e, HOST_RCX, HOST_RCX);
    } else if (width == 1) {
        emit_zero_extend8(e, HOST_RCX, HOST_RCX);
    }
}

/* Goes to `elsewhere` when the divisor is 0 or -1. */
static void emit_divisor_check(struct builder *b, const uint8_t *elsewhere)
{
    struct emitter *e = &b->e;
    emit_mov(e, HOST_RCX, HOST_R11);
    emit_jrcxz_to(e, elsewhere);
    emit_not64(e, HOST_RCX);
    emit_mov(e, HOST_RCX, HOST_RCX);
    emit_jrcxz_to(e, elsewhere);
}

/* EDX:EAX by r11d, in 64 bits: what does not fit 32 is put back, and #DE raised, which changes no flags. */
static void emit_divide_64(struct builder *b, const uint8_t *elsewhere)
{
    const struct host_address dividend = host_at(HOST_R14, (int32_t)offsetof(struct translator, temporary));
    const struct host_address flags = host_at(HOST_R14, (int32_t)offsetof(struct translator, far_offset));
    bool sets_flags = b->t->cpu->habits & HABIT_DIVIDE_SETS_FLAGS;
    struct emitter *e = &b->e;
    emit_divisor_check(b, elsewhere);
    emit_rorx64(e, HOST_R10, HOST_RDX, 32);
    emit_lea64(e, HOST_RAX, host_sum(HOST_RAX, HOST_R10, 0, 0));
    emit_store64(e, dividend, HOST_RAX);
    if (sets_flags) {
        emit_u8(e, OPCODE_LAHF);
        emit_store(e, flags, HOST_RAX);
        emit_load64(e, HOST_RAX, dividend);
    }
    emit_sign_extend32(e, HOST_R11, HOST_R11);
    emit_u8(e, 0x48); /* cqo */
    emit_u8(e, 0x99);
    emit_reg(e, HOST_W | 0xf7, 7, HOST_R11);
    emit_sign_extend32(e, HOST_RCX, HOST_RAX);
    emit_not64(e, HOST_RCX);
    emit_lea64(e, HOST_RCX, host_sum(HOST_RCX, HOST_RAX, 0, 1));
    uint8_t *fits = emit_jrcxz(e);
    if (sets_flags) {
        emit_load(e, HOST_RAX, flags);
        emit_u8(e, OPCODE_SAHF);
    }
    emit_load64(e, HOST_RAX, dividend);
    emit_rorx64(e, HOST_RDX, HOST_RAX, 32);
    emit_mov(e, HOST_RAX, HOST_RAX);
    emit_mov(e, HOST_RDX, HOST_RDX);
    builder_add_site(b, SITE_DIVIDE_ERROR, emit_jmp(e));
    emit_bind8(e, fits);
    emit_mov(e, HOST_RAX, HOST_RAX);
    emit_mov(e, HOST_RDX, HOST_RDX);
}

bool translate_idiv(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    unsigned width = insn->operand[0].size;
    if (!emit_divisor(b, insn, width)) {
        return false;
    }
    emit_sign_extend(b, HOST_R11, width);
    emit_wide_dividend(b, width);
    uint8_t *narrow = emit_jrcxz(e);
    uint8_t *wide = width == 4 ? emit_jmp(e) : NULL;
    const uint8_t *elsewhere = e->at;
    emit_mov(e, HOST_R10, HOST_R11);
    struct translator_site *site = builder_add_site(b, SITE_DIVIDE, emit_jmp(e));
    site->width = (uint8_t)width;
    emit_bind8(e, narrow);
    emit_divisor_check(b, elsewhere);
    emit_divide(b, width, 7);
    if (wide != NULL) {
        uint8_t *done = emit_jmp(e);
        emit_bind32(e, wide);
        emit_divide_64(b, elsewhere);
        emit_bind32(e, done);
    }
    return true;
}

/* ---- in C */

/* The dividend: EDX:EAX, DX:AX or AX. */
static int64_t dividend_of(const struct translator *t, unsigned width)
{
    uint32_t low = t->gpr[CPU_AX];
    uint32_t high = t->gpr[CPU_DX];
    switch (width) {
    case 1: return (int16_t)low;
    case 2: return (int32_t)(high << 16 | (low & 0xffff));
    default: return (int64_t)((uint64_t)high << 32 | low);
    }
}

static void set_low(uint32_t *reg, unsigned bits, uint32_t value)
{
    uint32_t mask = (uint32_t)bits_mask(bits);
    *reg = (*reg & ~mask) | (value & mask);
}

bool translator_divide(struct translator *t, unsigned width)
{
    unsigned bits = 8 * width;
    int64_t dividend = dividend_of(t, width);
    int32_t divisor = (int32_t)(uint32_t)t->address;
    if (divisor == 0 || (divisor == -1 && dividend == INT64_MIN)) {
        return false;
    }
    int64_t quotient = dividend / divisor;
    int64_t limit = (int64_t)1 << (bits - 1);
    if (quotient < -limit || quotient >= limit) {
        return false;
    }
    uint32_t remainder = (uint32_t)(dividend % divisor);
    if (width == 1) {
        set_low(&t->gpr[CPU_AX], 16, (uint32_t)quotient << 24 >> 24 | remainder << 8);
    } else {
        set_low(&t->gpr[CPU_AX], bits, (uint32_t)quotient);
        set_low(&t->gpr[CPU_DX], bits, remainder);
    }
    if (t->cpu->habits & HABIT_DIVIDE_SETS_FLAGS) {
        t->flags =
            (t->flags & translator_host_flags(EFLAGS_CF | EFLAGS_OF)) | translator_host_flags(EFLAGS_AF);
    }
    return true;
}

/* Arithmetic flags, computed only when somebody looks.
 *
 * An operation stores its sign-extended result and its carry vector; the six flags follow from the two words:
 *
 *   result  ZF = (result == 0), SF = bit 63, PF = parity of bits 0-7
 *   aux     bit 63: carry out of the operand's top bit (CF)
 *           bit 62: carry into the top bit (OF = bit 63 ^ bit 62)
 *           bit 3:  carry out of bit 3 (AF)
 *           bit 0:  inverts SF           } only when flags were loaded (POPF, SAHF, …) in a combination
 *           bits 8-15: inverts PF's byte } no result can have
 *
 * For a + b = r the vector of carries out of each bit is (a & b) | ((a | b) & ~r); for a - b = r that of
 * borrows is
 * (~a & b) | ((~a | b) & r). */
#ifndef DOPPEL_CPU_FLAGS_H
#define DOPPEL_CPU_FLAGS_H

#include "cpu/cpu_state.h"

#define LAZY_CF       ((uint64_t)1 << 63)
#define LAZY_OF_CARRY ((uint64_t)1 << 62)
#define LAZY_AF       ((uint64_t)1 << 3)
#define LAZY_SF_FLIP  ((uint64_t)1)
#define LAZY_PF_SHIFT 8

static inline bool flags_cf(const struct lazy_flags *flags)
{
    return flags->aux >> 63;
}

static inline bool flags_zf(const struct lazy_flags *flags)
{
    return flags->result == 0;
}

static inline bool flags_sf(const struct lazy_flags *flags)
{
    return ((flags->result >> 63) ^ flags->aux) & 1;
}

static inline bool flags_of(const struct lazy_flags *flags)
{
    return (flags->aux ^ (flags->aux << 1)) >> 63;
}

static inline bool flags_af(const struct lazy_flags *flags)
{
    return (flags->aux >> 3) & 1;
}

static inline bool flags_pf(const struct lazy_flags *flags)
{
    return !__builtin_parity((unsigned)((flags->result ^ (flags->aux >> LAZY_PF_SHIFT)) & 0xff));
}

/* CF PF AF ZF SF OF as EFLAGS bits. */
static inline uint32_t flags_to_eflags(const struct lazy_flags *flags)
{
    return (flags_cf(flags) ? EFLAGS_CF : 0u) | (flags_pf(flags) ? EFLAGS_PF : 0u) |
           (flags_af(flags) ? EFLAGS_AF : 0u) | (flags_zf(flags) ? EFLAGS_ZF : 0u) |
           (flags_sf(flags) ? EFLAGS_SF : 0u) | (flags_of(flags) ? EFLAGS_OF : 0u);
}

/* Any combination of the six flags. */
static inline void flags_from_eflags(struct lazy_flags *flags, uint32_t eflags)
{
    uint64_t aux = 0;
    aux |= eflags & EFLAGS_CF ? LAZY_CF : 0;
    aux |= !(eflags & EFLAGS_OF) != !(eflags & EFLAGS_CF) ? LAZY_OF_CARRY : 0;
    aux |= eflags & EFLAGS_AF ? LAZY_AF : 0;
    /* result is 0 (even parity, positive) or 0x100 (the same, but not zero) */
    aux |= eflags & EFLAGS_SF ? LAZY_SF_FLIP : 0;
    aux |= eflags & EFLAGS_PF ? 0 : (uint64_t)1 << LAZY_PF_SHIFT;
    flags->result = eflags & EFLAGS_ZF ? 0 : 0x100;
    flags->aux = aux;
}

/* Aligns a carry vector of an operand `bits` wide. */
static inline uint64_t flags_align_carries(uint64_t carries, unsigned bits)
{
    return ((carries << (64 - bits)) & (LAZY_CF | LAZY_OF_CARRY)) | (carries & LAZY_AF);
}

/* After a + b (+ carry) = r in `bits` bits; upper bits of the arguments are ignored. */
static inline void flags_set_add(struct lazy_flags *flags, uint64_t a, uint64_t b, uint64_t r, unsigned bits)
{
    flags->result = bits_sign_extend(r, bits);
    flags->aux = flags_align_carries((a & b) | ((a | b) & ~r), bits);
}

/* After a - b (- borrow) = r in `bits` bits. */
static inline void flags_set_sub(struct lazy_flags *flags, uint64_t a, uint64_t b, uint64_t r, unsigned bits)
{
    flags->result = bits_sign_extend(r, bits);
    flags->aux = flags_align_carries((~a & b) | ((~a | b) & r), bits);
}

/* After AND, OR, XOR, TEST: CF = OF = 0 (AF is undefined; here 0). */
static inline void flags_set_logic(struct lazy_flags *flags, uint64_t r, unsigned bits)
{
    flags->result = bits_sign_extend(r, bits);
    flags->aux = 0;
}

/* Replaces CF alone; OF stays. */
static inline void flags_put_cf(struct lazy_flags *flags, bool cf)
{
    uint64_t flip = (uint64_t)(cf != flags_cf(flags)) * (LAZY_CF | LAZY_OF_CARRY);
    flags->aux ^= flip;
}

/* Replaces CF and OF; the other flags stay. */
static inline void flags_put_cf_of(struct lazy_flags *flags, bool cf, bool of)
{
    flags->aux =
        (flags->aux & ~(LAZY_CF | LAZY_OF_CARRY)) | (cf ? LAZY_CF : 0) | (cf != of ? LAZY_OF_CARRY : 0);
}

/* Condition code 0..15 of Jcc, SETcc, CMOVcc (SDM 1 appendix B). */
static inline bool flags_condition(const struct lazy_flags *flags, unsigned condition)
{
    bool holds;
    switch (condition >> 1) {
    case 0: holds = flags_of(flags); break;
    case 1: holds = flags_cf(flags); break;
    case 2: holds = flags_zf(flags); break;
    case 3: holds = flags_cf(flags) || flags_zf(flags); break;
    case 4: holds = flags_sf(flags); break;
    case 5: holds = flags_pf(flags); break;
    case 6: holds = flags_sf(flags) != flags_of(flags); break;
    default: holds = flags_zf(flags) || flags_sf(flags) != flags_of(flags); break;
    }
    return holds != (condition & 1);
}

/* The whole EFLAGS register. */
static inline uint32_t cpu_eflags(const struct cpu_state *cpu)
{
    return cpu->eflags_other | flags_to_eflags(&cpu->flags);
}

/* Loads the whole EFLAGS register; no privilege checks, and VM does not change the mode by itself
 * (cpu_update_mode()). */
static inline void cpu_set_eflags(struct cpu_state *cpu, uint32_t eflags)
{
    flags_from_eflags(&cpu->flags, eflags);
    cpu->eflags_other = (eflags & ~EFLAGS_ARITHMETIC) | EFLAGS_FIXED;
}

/* Whether anything but the next instruction is due at an instruction boundary. INTR counts only with IF set.
 */
static inline bool cpu_needs_attention(const struct cpu_state *cpu)
{
    uint32_t pending = cpu->pending & (cpu->eflags_other | ~(uint32_t)EFLAGS_IF);
    return (pending | (cpu->eflags_other & (EFLAGS_TF | EFLAGS_RF))) != 0;
}

static inline unsigned cpu_iopl(const struct cpu_state *cpu)
{
    return (cpu->eflags_other & EFLAGS_IOPL) >> EFLAGS_IOPL_SHIFT;
}

#endif

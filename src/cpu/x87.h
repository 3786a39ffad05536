/* The x87's registers: bits of the control and status words, tags, the images of FSAVE and FXSAVE (SDM 1
 * chapter 8, SDM 2 FXSAVE).
 *
 * What every generation here has in common is the 80387's arithmetic (IEEE 754, affine infinities, FPREM1,
 * FSIN...): the infinity control bit is stored and ignored. The 8087's and 80287's arithmetic is NOT
 * IMPLEMENTED: models before the 80386 have no coprocessor. Of the differences between later generations
 * those that follow from the CPU model exist: FCMOV and FCOMI (P6), FXSAVE, FISTTP (SSE3), which exceptions
 * exist. */
#ifndef DOPPEL_CPU_X87_H
#define DOPPEL_CPU_X87_H

#include <stdio.h>

#include "cpu/cpu_state.h"

/* Exception flags in the status word, masks in the control word. MXCSR has the same six. */
enum x87_exception {
    X87_IE = 1u << 0, /* invalid operation */
    X87_DE = 1u << 1, /* denormal operand */
    X87_ZE = 1u << 2, /* division by zero */
    X87_OE = 1u << 3, /* overflow */
    X87_UE = 1u << 4, /* underflow */
    X87_PE = 1u << 5, /* inexact result */
    X87_EXCEPTIONS = 0x3f,
    X87_BEFORE = X87_IE | X87_DE | X87_ZE /* found before the operation: unmasked, it is not done */
};

enum x87_status {
    X87_SF = 1u << 6, /* stack fault, with X87_IE */
    X87_ES = 1u << 7, /* an unmasked exception is pending */
    X87_C0 = 1u << 8,
    X87_C1 = 1u << 9,
    X87_C2 = 1u << 10,
    X87_TOP = 7u << 11,
    X87_C3 = 1u << 14,
    X87_B = 1u << 15,
    X87_CODES = X87_C0 | X87_C1 | X87_C2 | X87_C3
};
#define X87_TOP_SHIFT 11

/* Rounding control; the same order in MXCSR. */
enum x87_rounding { ROUND_NEAREST, ROUND_DOWN, ROUND_UP, ROUND_ZERO };
#define X87_PRECISION_SHIFT 8
#define X87_ROUNDING_SHIFT  10
#define X87_CONTROL_INIT    0x037fu
#define X87_CONTROL_BITS    0x1f3fu /* those that can be written */
#define X87_CONTROL_ONE     0x0040u /* always reads as one */

enum mxcsr_bit { MXCSR_DAZ = 1u << 6, MXCSR_MASKS = 0x3fu << 7, MXCSR_FZ = 1u << 15 };
#define MXCSR_MASK_SHIFT     7
#define MXCSR_ROUNDING_SHIFT 13
#define MXCSR_INIT           0x1f80u

#define FLOAT80_SIGN     0x8000u
#define FLOAT80_EXPONENT 0x7fffu
#define FLOAT80_BIAS     16383
#define FLOAT80_INTEGER  ((uint64_t)1 << 63)
#define FLOAT80_QUIET    ((uint64_t)1 << 62)

/* The QNaN that masked invalid operations give ("real indefinite"). */
static inline struct float80 float80_indefinite(void)
{
    return (struct float80){.significand = FLOAT80_INTEGER | FLOAT80_QUIET, .sign_exponent = 0xffff};
}

static inline struct float80 float80_zero(bool sign)
{
    return (struct float80){.sign_exponent = sign ? FLOAT80_SIGN : 0};
}

static inline struct float80 float80_infinity(bool sign)
{
    return (struct float80){.significand = FLOAT80_INTEGER, .sign_exponent = sign ? 0xffff : 0x7fff};
}

static inline struct float80 float80_one(void)
{
    return (struct float80){.significand = FLOAT80_INTEGER, .sign_exponent = FLOAT80_BIAS};
}

enum float_class {
    FLOAT_UNSUPPORTED, /* unnormals, pseudo-NaNs, pseudo-infinities */
    FLOAT_ZERO,
    FLOAT_DENORMAL, /* and pseudo-denormals */
    FLOAT_NORMAL,
    FLOAT_INFINITY,
    FLOAT_QUIET_NAN,
    FLOAT_SIGNALLING_NAN
};

static inline enum float_class float80_classify(struct float80 a)
{
    unsigned exponent = a.sign_exponent & FLOAT80_EXPONENT;
    if (exponent == 0) {
        return a.significand == 0 ? FLOAT_ZERO : FLOAT_DENORMAL;
    }
    if (!(a.significand & FLOAT80_INTEGER)) {
        return FLOAT_UNSUPPORTED;
    }
    if (exponent != FLOAT80_EXPONENT) {
        return FLOAT_NORMAL;
    }
    if (a.significand == FLOAT80_INTEGER) {
        return FLOAT_INFINITY;
    }
    return a.significand & FLOAT80_QUIET ? FLOAT_QUIET_NAN : FLOAT_SIGNALLING_NAN;
}

static inline bool float_class_is_nan(enum float_class class)
{
    return class >= FLOAT_QUIET_NAN;
}

static inline bool float80_sign(struct float80 a)
{
    return (a.sign_exponent & FLOAT80_SIGN) != 0;
}

static inline unsigned x87_top(const struct x87_state *x87)
{
    return x87->status >> X87_TOP_SHIFT & 7;
}

/* The physical register behind ST(i). */
static inline unsigned x87_register(const struct x87_state *x87, unsigned i)
{
    return (x87_top(x87) + i) & 7;
}

/* Whether `flags`, raised under `control`, kept an operation from being done. */
static inline bool x87_is_blocked(unsigned flags, unsigned control)
{
    return (flags & ~control & X87_BEFORE) != 0;
}

/* FNINIT. Registers keep their contents. */
void x87_initialize(struct x87_state *x87);

/* Recomputes ES and B from the flags and masks. */
static inline void x87_update_summary(struct x87_state *x87)
{
    unsigned status = x87->status & ~(unsigned)(X87_ES | X87_B);
    if (status & ~(unsigned)x87->control & X87_EXCEPTIONS) {
        status |= X87_ES | X87_B;
    } else {
        x87->ignne = false;
    }
    x87->status = (uint16_t)status;
}

static inline void x87_set_control(struct x87_state *x87, unsigned control)
{
    x87->control = (uint16_t)((control & X87_CONTROL_BITS) | X87_CONTROL_ONE);
    x87_update_summary(x87);
}

/* The 16-bit tag word: 0 valid, 1 zero, 2 special, 3 empty, for R7 (top bits) to R0. */
uint16_t x87_tag_word(const struct x87_state *x87);

/* FSTENV, FLDENV: 14 (16-bit) or 28 bytes; `real`: as in real and virtual-8086 mode. Loading follows with
 * x87_update_summary(). */
enum x87_image_size {
    X87_ENVIRONMENT_16 = 14,
    X87_ENVIRONMENT_32 = 28,
    X87_REGISTERS = 80,
    FXSAVE_SIZE = 512
};
void x87_store_environment(const struct x87_state *x87, unsigned operand_size, bool real, uint8_t *image);
void x87_load_environment(struct x87_state *x87, unsigned operand_size, bool real, const uint8_t *image);
/* The 80 bytes that follow in FSAVE and FRSTOR. */
void x87_store_registers(const struct x87_state *x87, uint8_t *image);
void x87_load_registers(struct x87_state *x87, const uint8_t *image);

/* FXSAVE: changes only the bytes of the image that the instruction writes. `xmm`: CR4.OSFXSR. */
void cpu_store_fxsave(const struct cpu_state *cpu, bool xmm, uint8_t *image);
/* FXRSTOR; false (#GP) when MXCSR's image has reserved bits set, and nothing is loaded then. */
bool cpu_load_fxsave(struct cpu_state *cpu, bool xmm, const uint8_t *image);
/* The MXCSR bits the model has. */
uint32_t cpu_mxcsr_mask(const struct cpu_state *cpu);

/* The state after RESET, SDM 3A table 9-1. */
void cpu_reset_floating_point(struct cpu_state *cpu);

/* IGNNE#: the board's answer to FERR# (a write to port F0h); lasts until no error is pending. */
void cpu_assert_ignne(struct cpu_state *cpu);

/* FPU, MMX and SSE registers as text, as far as the model has them. */
void cpu_describe_floating_point(const struct cpu_state *cpu, FILE *out);

#endif

/* What the files of the software x87 share. Internal to this module. */
#ifndef DOPPEL_CPU_SOFT_X87_H
#define DOPPEL_CPU_SOFT_X87_H

#include "cpu/soft_number.h"
#include "cpu/x87_arithmetic.h"

/* Operands that decide the result alone, NaNs and unsupported formats: true, with *result and *flags set.
 * Otherwise *flags tells of denormals. */
bool soft_x87_special_unary(struct float80 a, struct float80 *result, unsigned *flags);
bool soft_x87_special_binary(struct float80 a, struct float80 b, struct float80 *result, unsigned *flags);

/* A number rounded to 64 bits of precision, as all operations but the basic five do. */
unsigned soft_x87_store(const struct x87_state *x87, const struct number *a, struct float80 *result);

/* The masked response to an invalid operation; returns X87_IE. */
unsigned soft_x87_invalid(struct float80 *result);

/* Joins the flags found in the operands (#D) with those of the operation: an invalid operation and a division
 * by zero hide the former, an unmasked #D keeps the latter from happening. */
static inline unsigned soft_x87_combine(const struct x87_state *x87, unsigned before, unsigned operation)
{
    if (operation & (X87_IE | X87_ZE)) {
        return operation;
    }
    return x87_is_blocked(before, x87->control) ? before : before | operation;
}

#endif

/* Expressions over the guest's state: parsed once, evaluated as often as a breakpoint's condition needs it.
 *
 * Values are 64-bit two's complement numbers; arithmetic wraps, comparisons, division and >> are signed, and
 * registers and memory count as unsigned: so eax > 0x80000000 and -1 < 0 both mean what they say.
 *
 *   numbers      16, 0x10, 020, 0o20, 0b10000, 'A', '\n'
 *   registers    eax, $eax, flags.zf, cs.base, … (registers.h); msr(N)
 *   symbols      by name, as their address; &name where a register is called the same
 *   memory       u8(A) u16(A) u32(A) u64(A), signed i8(A) …, *A is u32(A); pu8(A) … at a physical address
 *   addresses    SEGMENT:OFFSET, without blanks around the colon: as linear address. The segment is a
 *                segment register, another register or a number; the offset a register, a number, a symbol or
 * an expression in parentheses. Numbers there are hexadecimal, as people write f000:fff0. In real and
 * virtual-8086 mode a segment number stands for 16 times itself, in protected mode for the base that its
 * descriptor gives. functions    phys(A), the physical address behind a linear one; str(A) == "text", str(A)
 * != "text" compare a zero-terminated string in memory operators    as in C, with its precedence:  - ~ ! * &
 * * / %  + -  << >>  < <= > >=  == !=  &  ^  |  &&  ||  ?:
 *                (&&, || and ?: leave out what they need not know; the colon of ?: has a blank beside it)
 *
 * Nothing a guest could notice happens. Memory is read as guest_memory.h does it. */
#ifndef DOPPEL_DEBUGGER_EXPRESSION_H
#define DOPPEL_DEBUGGER_EXPRESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct expression;
struct machine;
struct symbols;

/* What names may mean besides registers. */
struct expression_scope {
    const struct symbols *symbols; /* looked at while parsing only; NULL: none */
};

/* Parses all of `text`; `scope` may be NULL. Errors, each one line that names the place: what is no
 * expression, unknown names, numbers beyond 64 bits, too deep a nesting. *out is NULL then; otherwise it is
 * the caller's. */
struct status expression_parse(const char *text, const struct expression_scope *scope,
                               struct expression **out) STATUS_MUST_CHECK;

/* Errors: division by zero, memory that cannot be read, a selector or an MSR that does not exist. *value is 0
 * then. */
struct status expression_evaluate(const struct expression *expression, struct machine *machine,
                                  uint64_t *value) STATUS_MUST_CHECK;

/* Whether expression_assign() can be tried: a register, an MSR or memory. */
bool expression_is_place(const struct expression *expression);

/* Stores `value` there: registers as registers.h says, memory as guest_memory.h. */
struct status expression_assign(const struct expression *expression, struct machine *machine,
                                uint64_t value) STATUS_MUST_CHECK;

/* NULL is allowed. */
void expression_destroy(struct expression *expression);

/* Parses, evaluates and forgets. */
struct status expression_compute(const char *text, const struct expression_scope *scope,
                                 struct machine *machine, uint64_t *value) STATUS_MUST_CHECK;

#endif

/* What the parser of expressions hands to their evaluation: a program for a stack machine. Private to
 * expression*.c. */
#ifndef DOPPEL_DEBUGGER_EXPRESSION_INTERNAL_H
#define DOPPEL_DEBUGGER_EXPRESSION_INTERNAL_H

#include "debugger/expression.h"
#include "debugger/registers.h"

#define EXPRESSION_STACK 64 /* values; deeper expressions are refused by the parser */

/* In each comment: what is taken from the stack → what is put there. */
enum expression_op {
    EXPRESSION_NUMBER,   /* → value */
    EXPRESSION_REGISTER, /* → the register's value */
    EXPRESSION_MEMORY,   /* address → `width` bytes there, sign-extended if `sign`, of `physical` memory */
    EXPRESSION_PHYS,     /* linear address → physical */
    EXPRESSION_MSR,      /* number → its value */
    EXPRESSION_IN_SEGMENT,  /* offset → linear, in the segment register `value` */
    EXPRESSION_IN_SELECTOR, /* selector, offset → linear */
    EXPRESSION_TEXT_IS,     /* address → whether the string at `value` in `text` stands there */
    EXPRESSION_NEGATE,      /* a → -a, and so on */
    EXPRESSION_INVERT,
    EXPRESSION_NOT,
    EXPRESSION_TRUTH,    /* a → a != 0 */
    EXPRESSION_MULTIPLY, /* a, b → a * b, and so on */
    EXPRESSION_DIVIDE,
    EXPRESSION_REMAINDER,
    EXPRESSION_ADD,
    EXPRESSION_SUBTRACT,
    EXPRESSION_SHIFT_LEFT,
    EXPRESSION_SHIFT_RIGHT,
    EXPRESSION_LESS,
    EXPRESSION_LESS_EQUAL,
    EXPRESSION_GREATER,
    EXPRESSION_GREATER_EQUAL,
    EXPRESSION_EQUAL,
    EXPRESSION_NOT_EQUAL,
    EXPRESSION_AND,
    EXPRESSION_XOR,
    EXPRESSION_OR,
    EXPRESSION_JUMP,            /* to step `value`, which lies ahead */
    EXPRESSION_JUMP_IF_ZERO,    /* a → ; jumps when a is 0 */
    EXPRESSION_KEEP_IF_ZERO,    /* a → ; jumps and keeps a when a is 0 */
    EXPRESSION_KEEP_UNLESS_ZERO /* a → ; jumps and keeps a when a is not 0 */
};

struct expression_step {
    uint8_t op; /* enum expression_op */
    uint8_t width;
    bool sign, physical;
    struct register_ref reg;
    uint64_t value;
};

struct expression {
    struct expression_step *steps;
    size_t count, capacity;
    char *text; /* of string literals, zero-terminated each */
    size_t text_length;
};

#endif

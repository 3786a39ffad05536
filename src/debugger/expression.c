/* Evaluation; see expression.h. */
#include "debugger/expression.h"

#include <stdlib.h>

#include "debugger/descriptor_table.h"
#include "debugger/expression_internal.h"
#include "debugger/guest_memory.h"
#include "machine/machine.h"

/* False: division by zero. */
static bool divide(enum expression_op op, int64_t a, int64_t b, uint64_t *result)
{
    if (b == 0) {
        return false;
    }
    if (b == -1) { /* the most negative number has no opposite */
        *result = op == EXPRESSION_DIVIDE ? -(uint64_t)a : 0;
    } else {
        *result = (uint64_t)(op == EXPRESSION_DIVIDE ? a / b : a % b);
    }
    return true;
}

/* By 64 and more, nothing is left but the sign. */
static uint64_t shift(enum expression_op op, uint64_t a, uint64_t by)
{
    if (op == EXPRESSION_SHIFT_LEFT) {
        return by < 64 ? a << by : 0;
    }
    uint64_t sign = (int64_t)a < 0 ? UINT64_MAX : 0;
    return by == 0 ? a : by < 64 ? a >> by | sign << (64 - by) : sign;
}

/* False: division by zero. */
static bool combine(enum expression_op op, uint64_t a, uint64_t b, uint64_t *result)
{
    const int64_t x = (int64_t)a, y = (int64_t)b;
    switch (op) {
    case EXPRESSION_MULTIPLY: *result = a * b; break;
    case EXPRESSION_DIVIDE:
    case EXPRESSION_REMAINDER: return divide(op, x, y, result);
    case EXPRESSION_ADD: *result = a + b; break;
    case EXPRESSION_SUBTRACT: *result = a - b; break;
    case EXPRESSION_SHIFT_LEFT:
    case EXPRESSION_SHIFT_RIGHT: *result = shift(op, a, b); break;
    case EXPRESSION_LESS: *result = x < y; break;
    case EXPRESSION_LESS_EQUAL: *result = x <= y; break;
    case EXPRESSION_GREATER: *result = x > y; break;
    case EXPRESSION_GREATER_EQUAL: *result = x >= y; break;
    case EXPRESSION_EQUAL: *result = a == b; break;
    case EXPRESSION_NOT_EQUAL: *result = a != b; break;
    case EXPRESSION_AND: *result = a & b; break;
    case EXPRESSION_XOR: *result = a ^ b; break;
    default: *result = a | b; break;
    }
    return true;
}

static struct status selector_to_linear(struct machine *machine, uint64_t selector, uint64_t offset,
                                        uint64_t *linear)
{
    uint64_t base = 0;
    if (selector > 0xFFFF) {
        return status_error(STATUS_INVALID_ARGUMENT, "0x%llx is not a selector",
                            (unsigned long long)selector);
    }
    if (machine_cpu(machine)->mode != CPU_MODE_PROTECTED) {
        base = selector << 4;
    } else {
        struct status status = descriptor_table_segment_base(machine, (uint16_t)selector, &base);
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    *linear = (base + offset) & UINT32_MAX;
    return status_ok();
}

/* *same: whether the zero-terminated string `text` stands at linear `address`. */
static struct status compare_text(struct machine *machine, uint64_t address, const char *text, uint64_t *same)
{
    for (size_t i = 0;; i++) {
        uint64_t byte = 0;
        struct status status = guest_memory_load(machine, GUEST_LINEAR, address + i, 1, &byte);
        if (!status_is_ok(&status) || (char)byte != text[i] || text[i] == '\0') {
            *same = status_is_ok(&status) && (char)byte == text[i];
            return status;
        }
    }
}

/* What replaces the uppermost value by something that it leads to. */
static struct status look_up(const struct expression *expression, const struct expression_step *step,
                             struct machine *machine, uint64_t *top)
{
    const uint64_t address = *top;
    struct status status = status_ok();
    switch ((enum expression_op)step->op) {
    case EXPRESSION_MEMORY:
        status = guest_memory_load(machine, step->physical ? GUEST_PHYSICAL : GUEST_LINEAR, address,
                                   step->width, top);
        *top = step->sign ? bits_sign_extend(*top, 8u * step->width) : *top;
        break;
    case EXPRESSION_PHYS:
        if (!guest_memory_translate(machine, address, top)) {
            status = guest_memory_unreadable(machine, GUEST_LINEAR, address);
        }
        break;
    case EXPRESSION_MSR:
        status = *top > UINT32_MAX ? status_error(STATUS_INVALID_ARGUMENT, "MSR numbers have 32 bits")
                                   : register_read_msr(machine_cpu(machine), (uint32_t)*top, top);
        break;
    default: status = compare_text(machine, address, expression->text + step->value, top); break;
    }
    return status;
}

static struct status run(const struct expression *expression, struct machine *machine, size_t count,
                         uint64_t *result)
{
    uint64_t stack[EXPRESSION_STACK + 1]; /* the first one lies below all values */
    uint64_t *top = stack;                /* the uppermost value */
    const struct cpu_state *cpu = machine_cpu(machine);
    struct status status = status_ok();
    stack[0] = 0;
    for (size_t at = 0; at < count && status_is_ok(&status); at++) {
        const struct expression_step *step = &expression->steps[at];
        switch ((enum expression_op)step->op) {
        case EXPRESSION_NUMBER: *++top = step->value; break;
        case EXPRESSION_REGISTER: *++top = register_read(cpu, step->reg); break;
        case EXPRESSION_IN_SELECTOR:
            top--;
            status = selector_to_linear(machine, top[0], top[1], top);
            break;
        case EXPRESSION_JUMP: at = (size_t)step->value - 1; break;
        case EXPRESSION_JUMP_IF_ZERO: at = *top-- == 0 ? (size_t)step->value - 1 : at; break;
        case EXPRESSION_KEEP_IF_ZERO:
        case EXPRESSION_KEEP_UNLESS_ZERO:
            if ((*top == 0) == (step->op == EXPRESSION_KEEP_IF_ZERO)) {
                at = (size_t)step->value - 1;
            } else {
                top--;
            }
            break;
        case EXPRESSION_IN_SEGMENT: *top = (cpu->segment[step->value].base + *top) & UINT32_MAX; break;
        case EXPRESSION_NEGATE: *top = -*top; break;
        case EXPRESSION_INVERT: *top = ~*top; break;
        case EXPRESSION_NOT: *top = *top == 0; break;
        case EXPRESSION_TRUTH: *top = *top != 0; break;
        case EXPRESSION_MEMORY:
        case EXPRESSION_PHYS:
        case EXPRESSION_MSR:
        case EXPRESSION_TEXT_IS: status = look_up(expression, step, machine, top); break;
        default:
            top--;
            if (!combine((enum expression_op)step->op, top[0], top[1], top)) {
                status = status_error(STATUS_INVALID_ARGUMENT, "division by zero");
            }
            break;
        }
    }
    *result = status_is_ok(&status) ? *top : 0;
    return status;
}

struct status expression_evaluate(const struct expression *expression, struct machine *machine,
                                  uint64_t *value)
{
    return run(expression, machine, expression->count, value);
}

static const struct expression_step *last_step(const struct expression *expression)
{
    return &expression->steps[expression->count - 1];
}

bool expression_is_place(const struct expression *expression)
{
    const uint8_t op = last_step(expression)->op;
    for (size_t i = 0; i < expression->count; i++) {
        if (expression->steps[i].op >= EXPRESSION_JUMP && expression->steps[i].value == expression->count) {
            return false; /* one of two places */
        }
    }
    return op == EXPRESSION_MEMORY || op == EXPRESSION_MSR ||
           (op == EXPRESSION_REGISTER && expression->count == 1);
}

struct status expression_assign(const struct expression *expression, struct machine *machine, uint64_t value)
{
    const struct expression_step *last = last_step(expression);
    if (!expression_is_place(expression)) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "only a register, msr(N) and memory, such as u16(0x46c), can be set");
    }
    if (last->op == EXPRESSION_REGISTER) {
        return register_write(machine_cpu(machine), last->reg, value);
    }
    uint64_t where = 0;
    struct status status = run(expression, machine, expression->count - 1, &where);
    if (!status_is_ok(&status)) {
        return status;
    }
    if (last->op == EXPRESSION_MSR) {
        return where > UINT32_MAX ? status_error(STATUS_INVALID_ARGUMENT, "MSR numbers have 32 bits")
                                  : register_write_msr(machine_cpu(machine), (uint32_t)where, value);
    }
    return guest_memory_store(machine, last->physical ? GUEST_PHYSICAL : GUEST_LINEAR, where, last->width,
                              value);
}

void expression_destroy(struct expression *expression)
{
    if (expression != NULL) {
        free(expression->steps);
        free(expression->text);
        free(expression);
    }
}

struct status expression_compute(const char *text, const struct expression_scope *scope,
                                 struct machine *machine, uint64_t *value)
{
    struct expression *expression;
    *value = 0;
    struct status status = expression_parse(text, scope, &expression);
    if (status_is_ok(&status)) {
        status = expression_evaluate(expression, machine, value);
        expression_destroy(expression);
    }
    return status;
}

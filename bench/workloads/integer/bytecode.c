/* An interpreter of a stack machine's bytecode, one indirect jump for every operation, that runs two
 * programs: the sieve of Eratosthenes, and the search for ever longer sequences of Collatz's. */
#include "workload.h"

#define CELLS      20000
#define COLLATZ_TO 4000

/* Operations; those with an operand have it in the next element of the program. SUBTRACT and the like have
 * their right operand on the top of the stack. */
enum operation {
    PUSH,         /* operand: the value */
    GET,          /* operand: the variable */
    SET,          /* operand: the variable; pops */
    LOAD,         /* index -> value of the cell */
    STORE,        /* value index -> */
    ADD,          /* a b -> a + b */
    MULTIPLY,     /* a b -> a * b */
    AND,          /* a b -> a & b */
    SHIFT_RIGHT,  /* a b -> a >> b */
    LESS,         /* a b -> a < b */
    JUMP,         /* operand: the target, an index into the program */
    JUMP_IF_ZERO, /* operand: the target; pops */
    HASH,         /* value -> ; goes into the result */
    STOP,
};

enum variable { I, J, LENGTH, BEST, VARIABLES };

// clang-format off
static const int32_t sieve[] = {
    /*  0 */ PUSH, 2, SET, I,
    /*  4 */ GET, I, PUSH, CELLS, LESS, JUMP_IF_ZERO, 58,
    /* 11 */ GET, I, LOAD, JUMP_IF_ZERO, 18,
    /* 16 */ JUMP, 49,
    /* 18 */ GET, I, HASH,
    /* 21 */ GET, I, GET, I, ADD, SET, J,
    /* 28 */ GET, J, PUSH, CELLS, LESS, JUMP_IF_ZERO, 49,
    /* 35 */ PUSH, 1, GET, J, STORE,
    /* 40 */ GET, J, GET, I, ADD, SET, J,
    /* 47 */ JUMP, 28,
    /* 49 */ GET, I, PUSH, 1, ADD, SET, I,
    /* 56 */ JUMP, 4,
    /* 58 */ STOP,
};

static const int32_t collatz[] = {
    /*  0 */ PUSH, 1, SET, I,
    /*  4 */ GET, I, PUSH, COLLATZ_TO, LESS, JUMP_IF_ZERO, 84,
    /* 11 */ GET, I, SET, J, PUSH, 0, SET, LENGTH,
    /* 19 */ PUSH, 1, GET, J, LESS, JUMP_IF_ZERO, 61,
    /* 26 */ GET, LENGTH, PUSH, 1, ADD, SET, LENGTH,
    /* 33 */ GET, J, PUSH, 1, AND, JUMP_IF_ZERO, 52,
    /* 40 */ GET, J, PUSH, 3, MULTIPLY, PUSH, 1, ADD, SET, J,
    /* 50 */ JUMP, 19,
    /* 52 */ GET, J, PUSH, 1, SHIFT_RIGHT, SET, J,
    /* 59 */ JUMP, 19,
    /* 61 */ GET, BEST, GET, LENGTH, LESS, JUMP_IF_ZERO, 75,
    /* 68 */ GET, LENGTH, SET, BEST, GET, I, HASH,
    /* 75 */ GET, I, PUSH, 1, ADD, SET, I,
    /* 82 */ JUMP, 4,
    /* 84 */ STOP,
};
// clang-format on

static int32_t cells[CELLS];

static uint32_t run(const int32_t *program, uint32_t hash)
{
    static const void *const labels[] = {
        [PUSH] = &&push,   [GET] = &&get,
        [SET] = &&set,     [LOAD] = &&load,
        [STORE] = &&store, [ADD] = &&add,
        [AND] = &&and,     [MULTIPLY] = &&multiply,
        [LESS] = &&less,   [SHIFT_RIGHT] = &&shift_right,
        [JUMP] = &&jump,   [JUMP_IF_ZERO] = &&jump_if_zero,
        [HASH] = &&hash,   [STOP] = &&stop,
    };
    int32_t stack[16];
    int32_t variables[VARIABLES] = {0};
    int32_t *top = stack; /* behind the topmost value */
    const int32_t *at = program;
    memset(cells, 0, sizeof cells);
    goto *labels[*at++];

push:
    *top++ = *at++;
    goto *labels[*at++];
get:
    *top++ = variables[*at++];
    goto *labels[*at++];
set:
    variables[*at++] = *--top;
    goto *labels[*at++];
load:
    top[-1] = cells[top[-1]];
    goto *labels[*at++];
store:
    cells[top[-1]] = top[-2];
    top -= 2;
    goto *labels[*at++];
add:
    top[-2] += top[-1];
    top--;
    goto *labels[*at++];
multiply:
    top[-2] *= top[-1];
    top--;
    goto *labels[*at++];
    and : top[-2] &= top[-1];
    top--;
    goto *labels[*at++];
shift_right:
    top[-2] >>= top[-1];
    top--;
    goto *labels[*at++];
less:
    top[-2] = top[-2] < top[-1];
    top--;
    goto *labels[*at++];
jump:
    at = program + *at;
    goto *labels[*at++];
jump_if_zero:
    at = *--top == 0 ? program + *at : at + 1;
    goto *labels[*at++];
hash:
    hash = workload_hash(hash, (uint32_t) * --top);
    goto *labels[*at++];
stop:
    return hash;
}

uint32_t workload_run(void)
{
    return run(collatz, run(sieve, WORKLOAD_HASH_START));
}

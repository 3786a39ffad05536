/* A guest that makes code and runs it: each round writes a small function anew, with other constants, and
 * calls it a few times, as just-in-time compilers do. */
#include "workload.h"

#define FUNCTIONS    400u
#define CALLS        50u
#define BUFFER_BYTES 65536u

static uint8_t *buffer;
static uint8_t *next;

static void emit(uint8_t byte)
{
    *next++ = byte;
}

static void emit_long(uint32_t value)
{
    for (unsigned i = 0; i < 4; i++) {
        emit((uint8_t)(value >> (8 * i)));
    }
}

/* uint32_t f(uint32_t x) { 8 times: x = (x ^ a) + b, rotated by c; return x; } */
static void emit_function(uint32_t *seed)
{
    emit(0x8b); /* mov eax, [esp + 4] */
    emit(0x44);
    emit(0x24);
    emit(0x04);
    for (unsigned i = 0; i < 8; i++) {
        emit(0x35); /* xor eax, imm32 */
        emit_long(workload_random(seed));
        emit(0x05); /* add eax, imm32 */
        emit_long(workload_random(seed));
        emit(0xc1); /* rol eax, imm8 */
        emit(0xc0);
        emit((uint8_t)(workload_random(seed) & 31));
    }
    emit(0xc3); /* ret */
}

/* On the host, memory from workload_memory() is executable. */
void workload_prepare(void)
{
    buffer = workload_memory(BUFFER_BYTES);
}

uint32_t workload_run(void)
{
    uint32_t seed = 1;
    uint32_t value = 0;
    next = buffer;
    for (uint32_t i = 0; i < FUNCTIONS; i++) {
        if ((uint32_t)(next - buffer) > BUFFER_BYTES - 256) {
            next = buffer;
        }
        uint32_t (*function)(uint32_t) = (uint32_t(*)(uint32_t))(uintptr_t)next;
        emit_function(&seed);
        for (uint32_t call = 0; call < CALLS; call++) {
            value = function(value);
        }
    }
    return value;
}

/* The runtime of a workload as a process of the host: 32-bit Linux without a C library, so that the code is
 * the same as on the bare machine. Usage: bench-native-NAME [ROUNDS] */
#include "platform.h"
#include "workload.h"

enum system_call { CALL_EXIT = 1, CALL_WRITE = 4, CALL_MMAP2 = 192 };

#define PROTECTION_ALL        7u /* a workload may make code */
#define MAP_PRIVATE_ANONYMOUS 0x22u

void native_main(const uint32_t *stack);

__asm__(".text\n"
        ".globl _start\n"
        "_start:\n"
        "    movl %esp, %eax\n"
        "    andl $-16, %esp\n"
        "    subl $12, %esp\n"
        "    pushl %eax\n"
        "    call native_main\n");

static uint32_t system_call(uint32_t number, uint32_t a, uint32_t b, uint32_t c)
{
    uint32_t result;
    __asm__ volatile("int $0x80" : "=a"(result) : "a"(number), "b"(a), "c"(b), "d"(c) : "memory");
    return result;
}

/* The sixth argument is in EBP: the offset, 0. */
static uint32_t map_memory(uint32_t bytes)
{
    uint32_t result;
    __asm__ volatile("pushl %%ebp\n\t"
                     "xorl %%ebp, %%ebp\n\t"
                     "int $0x80\n\t"
                     "popl %%ebp"
                     : "=a"(result)
                     : "a"(CALL_MMAP2), "b"(0), "c"(bytes), "d"(PROTECTION_ALL), "S"(MAP_PRIVATE_ANONYMOUS),
                       "D"(UINT32_MAX)
                     : "memory");
    return result;
}

void platform_write(const char *text)
{
    uint32_t length = 0;
    while (text[length] != '\0') {
        length++;
    }
    system_call(CALL_WRITE, 1, (uint32_t)text, length);
}

void platform_exit(int status)
{
    for (;;) {
        system_call(CALL_EXIT, (uint32_t)status, 0, 0);
    }
}

void *workload_memory(uint32_t bytes)
{
    uint32_t address = map_memory(bytes);
    if (address > UINT32_MAX - 4095) {
        workload_fail("the host gives no memory");
    }
    return (void *)address;
}

static uint32_t parse_decimal(const char *text)
{
    uint32_t value = 0;
    for (; *text >= '0' && *text <= '9'; text++) {
        value = value * 10 + (uint32_t)(*text - '0');
    }
    return value;
}

/* `stack` as the kernel left it: the count of arguments, and the arguments. */
void native_main(const uint32_t *stack)
{
    bench_main(stack[0] > 1 ? parse_decimal((const char *)stack[2]) : 1);
}

/* Divide errors: the fault, its handler in the same ring, and the return behind the instruction (Adams &
 * Agesen, "divzero"). */
#include "guest.h"

#define FAULTS 20000u

/* Skips the DIV, which is two bytes long; EAX + 1. */
void divide_handler(void);
__asm__(".text\n"
        "divide_handler:\n"
        "    incl %eax\n"
        "    addl $2, (%esp)\n"
        "    iret\n");

void workload_prepare(void)
{
    guest_set_gate(0, divide_handler, 0);
}

uint32_t workload_run(void)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < FAULTS; i++) {
        __asm__ volatile("divl %%ecx" : "+a"(value) : "c"(0), "d"(0) : "cc");
    }
    return value;
}

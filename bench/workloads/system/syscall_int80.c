/* A system call by INT 80h: from ring 3 to ring 0 and back (Adams & Agesen, ASPLOS 2006, "syscall"). */
#include "guest.h"

#define CALLS 40000u

/* EAX + 1. */
void system_call_entry(void);
__asm__(".text\n"
        "system_call_entry:\n"
        "    incl %eax\n"
        "    iret\n");

static uint32_t call_repeatedly(uint32_t count)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < count; i++) {
        __asm__ volatile("int $0x80" : "+a"(value) : : "memory");
    }
    return value;
}

void workload_prepare(void)
{
    guest_set_gate(0x80, system_call_entry, 3);
}

uint32_t workload_run(void)
{
    return guest_run_user(call_repeatedly, CALLS, 0);
}

/* A system call by SYSENTER and SYSEXIT: from ring 3 to ring 0 and back. */
#include "guest.h"

#define CALLS 40000u

#define MSR_SYSENTER_CS  0x174u
#define MSR_SYSENTER_ESP 0x175u
#define MSR_SYSENTER_EIP 0x176u

static uint8_t entry_stack[4096] __attribute__((aligned(16)));

/* SYSENTER takes its selectors from one that is followed by kernel data, user code and user data: as they are
 * in the GDT. EAX + 1; SYSEXIT returns to EDX, with the stack pointer from ECX. */
void system_call_entry(void);
__asm__(".text\n"
        "system_call_entry:\n"
        "    incl %eax\n"
        "    sysexit\n");

static uint32_t call_repeatedly(uint32_t count)
{
    uint32_t value = 0;
    for (uint32_t i = 0; i < count; i++) {
        __asm__ volatile("movl %%esp, %%ecx; movl $1f, %%edx; sysenter; 1:"
                         : "+a"(value)
                         :
                         : "ecx", "edx", "memory");
    }
    return value;
}

static void write_msr(uint32_t msr, uint32_t value)
{
    __asm__ volatile("wrmsr" : : "c"(msr), "a"(value), "d"(0));
}

void workload_prepare(void)
{
    write_msr(MSR_SYSENTER_CS, GUEST_CODE);
    write_msr(MSR_SYSENTER_ESP, (uint32_t)(entry_stack + sizeof entry_stack));
    write_msr(MSR_SYSENTER_EIP, (uint32_t)system_call_entry);
}

uint32_t workload_run(void)
{
    return guest_run_user(call_repeatedly, CALLS, 0);
}

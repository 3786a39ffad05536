/* The guest runtime, for workloads that need the bare machine. */
#ifndef DOPPEL_BENCH_GUEST_H
#define DOPPEL_BENCH_GUEST_H

#include "workload.h"

/* Selectors of the GDT: flat segments of ring 0 and 3, and the TSS. */
#define GUEST_CODE      0x08u
#define GUEST_DATA      0x10u
#define GUEST_USER_CODE 0x1bu
#define GUEST_USER_DATA 0x23u
#define GUEST_TSS       0x28u
#define GUEST_FREE      0x30u /* four entries for workloads to use: 30h, 38h, 40h, 48h */

struct guest_tss {
    uint32_t link, esp0, ss0, esp1, ss1, esp2, ss2, cr3, eip, eflags;
    uint32_t eax, ecx, edx, ebx, esp, ebp, esi, edi;
    uint32_t es, cs, ss, ds, fs, gs, ldt;
    uint16_t trap, io_map;
    uint8_t no_ports; /* end of the I/O permission bitmap: no port is allowed */
};

extern uint64_t guest_gdt[10];
extern struct guest_tss guest_tss;

/* Points vector `vector` at `handler`, through an interrupt gate that code of ring `ring` and below may use.
 * Vectors without a handler of their own end the program with "failed exception ...". */
void guest_set_gate(unsigned vector, void (*handler)(void), unsigned ring);

/* Runs function(argument) in ring 3, on a stack of its own, with these flags (EFLAGS.IF as it should be
 * there), and returns what it returned. Without paging user code may touch everything. Vector 81h is the way
 * back. Not to be nested. */
uint32_t guest_run_user(uint32_t (*function)(uint32_t), uint32_t argument, uint32_t eflags);

static inline uint8_t guest_port_read(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline void guest_port_write(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

#endif

/*
 * The processor and its port space: the instructions C has no words for, one inline function each.
 */
#ifndef DEMO_X86_H
#define DEMO_X86_H

#include <stdbool.h>
#include <stdint.h>

#define EFLAGS_TF (1u << 8)
#define EFLAGS_IF (1u << 9)
#define EFLAGS_AC (1u << 18)
#define EFLAGS_ID (1u << 21)

#define CR0_EM (1u << 2)
#define CR0_PG (1u << 31)

static inline void port_write8(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "Nd"(port));
}

static inline void port_write16(uint16_t port, uint16_t value)
{
    __asm__ volatile("outw %0, %1" : : "a"(value), "Nd"(port));
}

static inline void port_write32(uint16_t port, uint32_t value)
{
    __asm__ volatile("outl %0, %1" : : "a"(value), "Nd"(port));
}

static inline uint8_t port_read8(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "Nd"(port));
    return value;
}

static inline uint32_t eflags_read(void)
{
    uint32_t flags;
    __asm__ volatile("pushfl\n\tpopl %0" : "=r"(flags) : : "memory");
    return flags;
}

static inline void eflags_write(uint32_t flags)
{
    __asm__ volatile("pushl %0\n\tpopfl" : : "r"(flags) : "memory", "cc");
}

/* Interrupts off; the flags to hand to interrupts_restore. */
static inline uint32_t interrupts_save(void)
{
    uint32_t flags = eflags_read();
    __asm__ volatile("cli" : : : "memory");
    return flags;
}

static inline void interrupts_restore(uint32_t flags)
{
    eflags_write(flags);
}

/* With interrupts off: sleeps until the next one. STI's shadow makes the pair atomic (SDM 2B, STI). */
static inline void cpu_sleep(void)
{
    __asm__ volatile("sti\n\thlt" : : : "memory");
}

/* Forever. */
static inline void cpu_stop(void)
{
    for (;;)
        __asm__ volatile("cli\n\thlt" : : : "memory");
}

static inline uint32_t cr0_read(void)
{
    uint32_t value;
    __asm__ volatile("movl %%cr0, %0" : "=r"(value));
    return value;
}

static inline void cr0_write(uint32_t value)
{
    __asm__ volatile("movl %0, %%cr0\n\tjmp 1f\n1:" : : "r"(value) : "memory");
}

static inline uint32_t cr2_read(void)
{
    uint32_t value;
    __asm__ volatile("movl %%cr2, %0" : "=r"(value));
    return value;
}

static inline void cr3_write(uint32_t value)
{
    __asm__ volatile("movl %0, %%cr3" : : "r"(value) : "memory");
}

#endif

/*
 * The fault command: makes the processor raise an exception on purpose. The report and the way back are in
 * exceptions.c.
 */
#include "commands.h"
#include "console.h"
#include "exceptions.h"
#include "scratch.h"
#include "selectors.h"
#include "text.h"
#include "x86.h"

#define SELECTOR_BEYOND 0x1230 /* far past the GDT's limit */
#define PAGE_SIZE       4096
#define PAGE_PRESENT    1u
#define PAGE_WRITABLE   2u
#define PAGE_COUNT      1024

static void raise_divide(void)
{
    __asm__ volatile("divb %b0" : : "q"(0), "a"(1) : "cc");
}

static void raise_debug(void)
{
    eflags_write(eflags_read() | EFLAGS_TF);
    __asm__ volatile("nop");
}

static void raise_breakpoint(void)
{
    __asm__ volatile("int3");
}

static void raise_overflow(void)
{
    __asm__ volatile("movb $0x7f, %%al\n\taddb $1, %%al\n\tinto" : : : "eax", "cc");
}

static void raise_bound(void)
{
    static const int32_t limits[2] = {0, 9};
    __asm__ volatile("boundl %0, %1" : : "r"(10), "m"(limits));
}

static void raise_invalid_opcode(void)
{
    __asm__ volatile(".byte 0x0f, 0x0b"); /* ud2 */
}

static void raise_device_not_available(void)
{
    cr0_write(cr0_read() | CR0_EM);
    __asm__ volatile(".byte 0xdb, 0xe3"); /* fninit */
}

/* The divide error finds its gate absent: that is a fault while delivering a fault, and both are of the kind
 * that makes a double one (SDM 3A §6.15, table 6-5). */
static void raise_double_fault(void)
{
    interrupts_set_present(0, false);
    raise_divide();
}

static void raise_not_present(void)
{
    __asm__ volatile("movl %0, %%es" : : "r"(SELECTOR_NOT_PRESENT));
}

static void raise_stack(void)
{
    __asm__ volatile("movl %0, %%ss" : : "r"(SELECTOR_NOT_PRESENT));
}

static void raise_protection(void)
{
    __asm__ volatile("movl %0, %%es" : : "r"(SELECTOR_BEYOND));
}

/* Maps the first 4 MiB onto themselves and nothing else, then writes to the first byte after them. */
static void raise_page_fault(void)
{
    uint32_t *directory = (uint32_t *)(void *)scratch_a;
    uint32_t *table = (uint32_t *)(void *)scratch_b;
    for (uint32_t i = 0; i < PAGE_COUNT; i++) {
        directory[i] = 0;
        table[i] = i * PAGE_SIZE | PAGE_PRESENT | PAGE_WRITABLE;
    }
    directory[0] = (uint32_t)table | PAGE_PRESENT | PAGE_WRITABLE;
    cr3_write((uint32_t)directory);
    cr0_write(cr0_read() | CR0_PG);
    *(volatile uint8_t *)(PAGE_COUNT * PAGE_SIZE) = 1;
}

struct fault {
    const char *name;
    uint32_t vector;
    void (*raise)(void);
};

static const struct fault faults[] = {
    {"divide", 0, raise_divide},
    {"debug", 1, raise_debug},
    {"breakpoint", 3, raise_breakpoint},
    {"overflow", 4, raise_overflow},
    {"bound", 5, raise_bound},
    {"ud", 6, raise_invalid_opcode},
    {"nm", 7, raise_device_not_available},
    {"double", 8, raise_double_fault},
    {"np", 11, raise_not_present},
    {"stack", 12, raise_stack},
    {"gp", 13, raise_protection},
    {"page", 14, raise_page_fault},
};

#define FAULT_COUNT (sizeof(faults) / sizeof(faults[0]))

static const struct fault *find_fault(const char *word)
{
    uint32_t vector;
    bool is_number = text_parse_number(word, &vector);
    for (unsigned i = 0; i < FAULT_COUNT; i++) {
        if (is_number ? faults[i].vector == vector : text_equal(faults[i].name, word))
            return &faults[i];
    }
    return NULL;
}

static void raise_it(void *argument)
{
    const struct fault *fault = argument;
    fault->raise();
}

void command_fault(int count, char **words)
{
    const struct fault *fault = count > 1 ? find_fault(words[1]) : NULL;
    if (fault == NULL) {
        for (unsigned i = 0; i < FAULT_COUNT; i++) {
            console_print_in(VGA_LIGHT_CYAN, "  %-11s", faults[i].name);
            console_print_in(VGA_LIGHT_BLUE, "%3u", faults[i].vector);
            console_print("   %s %s\n", exceptions_mnemonic(faults[i].vector),
                          exceptions_name(faults[i].vector));
        }
        return;
    }
    if (exceptions_guard(raise_it, (void *)(uintptr_t)fault))
        console_print_in(VGA_LIGHT_RED, "Nothing happened: the processor should have raised %s.\n",
                         exceptions_mnemonic(fault->vector));
    else
        console_print("Came back from %s, %s.\n", exceptions_mnemonic(fault->vector),
                      exceptions_name(fault->vector));
}

/* The runtime of a workload on the bare machine: descriptor tables, a handler for every exception, output on
 * the debug port and the first serial port, power-off on every emulator. */
#include "guest.h"

#include "platform.h"

#define PORT_DEBUG      0xe9
#define PORT_SERIAL     0x3f8
#define PORT_DEBUG_EXIT 0xf4   /* QEMU's isa-debug-exit */
#define PORT_SHUTDOWN   0x8900 /* Bochs: writing "Shutdown" here */
#define SERIAL_READY    0x20

#define MEMORY_START 0x01000000u /* 16 MiB: far behind the image */

extern const struct {
    char magic[8];
    uint32_t version, rounds;
} bench_parameters;

void guest_main(void);
void guest_report_exception(uint32_t vector, uint32_t eip);

uint64_t guest_gdt[10] = {0, 0x00cf9a000000ffffull, 0x00cf92000000ffffull, 0x00cffa000000ffffull,
                          0x00cff2000000ffffull};
struct guest_tss guest_tss = {
    .ss0 = GUEST_DATA, .io_map = offsetof(struct guest_tss, no_ports), .no_ports = 0xff};

const struct {
    uint16_t limit;
    const void *base;
} __attribute__((packed)) guest_gdt_pointer = {sizeof guest_gdt - 1, guest_gdt};

static uint64_t idt[256];
static uint8_t exception_stack[4096] __attribute__((aligned(16)));
static uint32_t memory_used;

/* A stub of 8 bytes for each vector: PUSH vector, JMP common. The error code, where there is one, is left
 * alone: only EIP is looked for, behind it or not. */
__asm__(".text\n"
        "guest_stubs:\n"
        ".set vector, 0\n"
        ".rept 32\n"
        ".balign 8\n"
        "    pushl $vector\n"
        "    jmp guest_common\n"
        ".set vector, vector + 1\n"
        ".endr\n"
        ".balign 8\n"
        "guest_common:\n"
        "    popl %eax\n"
        "    popl %edx\n"
        "    cmpl $8, %eax\n"
        "    je 1f\n"
        "    cmpl $10, %eax\n"
        "    jb 2f\n"
        "    cmpl $14, %eax\n"
        "    jbe 1f\n"
        "    cmpl $17, %eax\n"
        "    jne 2f\n"
        "1:  popl %edx\n"
        "2:  movl $guest_exception_stack_top, %esp\n"
        "    movw $0x10, %cx\n"
        "    movw %cx, %ds\n"
        "    movw %cx, %es\n"
        "    pushl %edx\n"
        "    pushl %eax\n"
        "    call guest_report_exception\n"
        ".set guest_exception_stack_top, exception_stack + 4096\n");
extern const uint8_t guest_stubs[];

/* ---- output */

static void write_byte(char byte)
{
    guest_port_write(PORT_DEBUG, (uint8_t)byte);
    while (!(guest_port_read(PORT_SERIAL + 5) & SERIAL_READY)) {
    }
    guest_port_write(PORT_SERIAL, (uint8_t)byte);
}

void platform_write(const char *text)
{
    for (; *text != '\0'; text++) {
        write_byte(*text);
    }
}

void platform_exit(int status)
{
    guest_port_write(PORT_DEBUG_EXIT, (uint8_t)status);
    for (const char *text = "Shutdown"; *text != '\0'; text++) {
        guest_port_write((uint16_t)PORT_SHUTDOWN, (uint8_t)*text);
    }
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

void guest_report_exception(uint32_t vector, uint32_t eip)
{
    char text[] = "exception .. at ........";
    const char *digits = "0123456789abcdef";
    text[10] = digits[vector >> 4 & 15];
    text[11] = digits[vector & 15];
    for (unsigned i = 0; i < 8; i++) {
        text[16 + i] = digits[eip >> (28 - 4 * i) & 15];
    }
    workload_fail(text);
}

/* ---- the machine */

void guest_set_gate(unsigned vector, void (*handler)(void), unsigned ring)
{
    uint32_t address = (uint32_t)handler;
    idt[vector] = (address & 0xffffu) | (uint64_t)GUEST_CODE << 16 | (uint64_t)(0x8e00u | ring << 13) << 32 |
                  (uint64_t)(address >> 16) << 48;
}

static void set_tables(void)
{
    uint32_t tss = (uint32_t)&guest_tss;
    guest_tss.esp0 = (uint32_t)exception_stack + sizeof exception_stack;
    guest_gdt[GUEST_TSS / 8] = (sizeof guest_tss - 1) | (uint64_t)(tss & 0xffffff) << 16 |
                               (uint64_t)0x89 << 40 | (uint64_t)(tss >> 24) << 56;
    for (unsigned vector = 0; vector < 32; vector++) {
        guest_set_gate(vector, (void (*)(void))(uintptr_t)(guest_stubs + 8 * vector), 0);
    }
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) idt_pointer = {sizeof idt - 1, (uint32_t)idt};
    __asm__ volatile("lidt %0; ltr %w1" : : "m"(idt_pointer), "r"(GUEST_TSS));
}

/* Interrupts masked at the 8259s; the FPU, and SSE where the processor has it, switched on. */
static void set_processor(void)
{
    uint32_t eax = 1;
    uint32_t ebx;
    uint32_t ecx;
    uint32_t edx;
    guest_port_write(0x21, 0xff);
    guest_port_write(0xa1, 0xff);
    __asm__ volatile("cpuid" : "+a"(eax), "=b"(ebx), "=c"(ecx), "=d"(edx));
    __asm__ volatile("mov %%cr0, %0; and $~0xc, %0; or $0x22, %0; mov %0, %%cr0; fninit" : "=&r"(eax));
    if (edx >> 25 & 1) {
        __asm__ volatile("mov %%cr4, %0; or $0x600, %0; mov %0, %%cr4" : "=&r"(eax));
    }
}

void *workload_memory(uint32_t bytes)
{
    void *memory = (void *)(MEMORY_START + memory_used);
    memory_used += (bytes + 4095) & ~4095u;
    if (memory_used > WORKLOAD_MEMORY) {
        workload_fail("more memory asked for than there is");
    }
    return memory;
}

void guest_main(void)
{
    set_tables();
    set_processor();
    bench_main(bench_parameters.rounds);
}

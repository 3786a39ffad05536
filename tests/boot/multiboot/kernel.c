/* A multiboot kernel that prints on the first serial port what its loader has told it, and switches the
 * machine off by the shutdown port. With FLAT defined its header has the address fields, so that it can be a
 * flat binary. */
#include <stdint.h>

#define HEADER_MAGIC  0x1badb002u
#define BOOTED        0x2badb002u
#define PORT_SERIAL   0x3f8
#define PORT_SHUTDOWN 0x8900

#ifdef FLAT
#define HEADER_FLAGS 0x00010003u
#else
#define HEADER_FLAGS 0x00000003u
#endif

struct module {
    uint32_t start, end;
    const char *string;
    uint32_t reserved;
};

struct information {
    uint32_t flags;
    uint32_t memory_lower, memory_upper;
    uint32_t boot_device;
    const char *command_line;
    uint32_t module_count;
    const struct module *modules;
    uint32_t symbols[4];
    uint32_t map_size;
    const uint8_t *map;
    uint32_t drives[2];
    uint32_t configuration_table;
    const char *loader_name;
};

extern const char kernel_start[], data_end[], bss_end[];
void _start(void);
void kernel_main(uint32_t magic, const struct information *information);

struct header {
    uint32_t magic, flags, checksum;
    const void *addresses[5];
};

static const struct header header
    __attribute__((section(".header"), used)) = {HEADER_MAGIC,
                                                 HEADER_FLAGS,
                                                 0u - HEADER_MAGIC - HEADER_FLAGS,
                                                 {&header, kernel_start, data_end, bss_end, _start}};

static char stack[4096] __attribute__((used));
static uint32_t cleared[4096]; /* .bss: the loader's work */

__asm__(".text\n"
        ".globl _start\n"
        "_start:\n"
        "    lea stack + 4096, %esp\n"
        "    push %ebx\n"
        "    push %eax\n"
        "    call kernel_main\n");

static void write_port(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "d"(port));
}

static uint8_t read_port(uint16_t port)
{
    uint8_t value;
    __asm__ volatile("inb %1, %0" : "=a"(value) : "d"(port));
    return value;
}

static void print(const char *text)
{
    for (; *text != '\0'; text++) {
        while ((read_port(PORT_SERIAL + 5) & 0x20) == 0) {
        }
        write_port(PORT_SERIAL, (uint8_t)*text);
    }
}

static void print_number(const char *name, uint32_t number)
{
    char digits[12] = "";
    char *at = digits + sizeof digits - 1;
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number != 0);
    print(name);
    print(at);
    print("\n");
}

static void print_text(const char *name, const char *text)
{
    print(name);
    print(text);
    print("\n");
}

static void check_machine_state(void)
{
    uint32_t cr0, flags, is_cleared = 1;
    __asm__ volatile("mov %%cr0, %0" : "=r"(cr0));
    __asm__ volatile("pushf; pop %0" : "=r"(flags));
    print_number("protected mode: ", cr0 & 1);
    print_number("paging: ", cr0 >> 31);
    print_number("interrupts: ", flags >> 9 & 1);
    for (uint32_t i = 0; i < sizeof cleared / sizeof cleared[0]; i++) {
        is_cleared &= cleared[i] == 0;
    }
    print_number("bss cleared: ", is_cleared);
    volatile uint32_t *low = (volatile uint32_t *)0x80000;
    volatile uint32_t *high = (volatile uint32_t *)0x780000;
    volatile uint32_t *odd = (volatile uint32_t *)0x680000; /* high without address bit 20 */
    *low = 1, *odd = 2, *high = 3;
    print_number("A20 open: ", *odd == 2 && *low == 1);
}

/* Bytes of RAM by the memory map, its ranges, and whether one of them holds `address`. */
static void print_map(const struct information *information)
{
    uint32_t ranges = 0, kilobytes = 0;
    for (const uint8_t *at = information->map; at < information->map + information->map_size;) {
        const uint32_t *range = (const uint32_t *)at;
        if (range[5] == 1) {
            kilobytes += range[3] / 1024;
        }
        ranges++;
        at += range[0] + 4;
    }
    print_number("map has ranges: ", ranges > 2);
    print_number("map MiB: ", (kilobytes + 1023) / 1024);
}

void kernel_main(uint32_t magic, const struct information *information)
{
    write_port(PORT_SERIAL + 3, 0x83);
    write_port(PORT_SERIAL, 1); /* 115200 bits per second, 8 a character */
    write_port(PORT_SERIAL + 1, 0);
    write_port(PORT_SERIAL + 3, 3);
    print_text("magic: ", magic == BOOTED ? "right" : "wrong");
    check_machine_state();
    print_number("lower KiB: ", information->memory_lower);
    print_number("upper MiB: ", (information->memory_upper + 1023) / 1024);
    print_text("command line: ", information->command_line);
    print_text("loader: ", information->loader_name);
    print_map(information);
    for (uint32_t i = 0; i < information->module_count; i++) {
        const struct module *module = &information->modules[i];
        print_text("module: ", module->string);
        print_number("  bytes: ", module->end - module->start);
        print_number("  page offset: ", module->start & 4095);
        print_number("  behind the kernel: ", module->start >= (uint32_t)bss_end);
        print("  begins: ");
        print((const char *)module->start); /* the test's modules have a line and a zero byte */
    }
    while ((read_port(PORT_SERIAL + 5) & 0x40) == 0) { /* the last byte is still on its way */
    }
    for (const char *at = "Shutdown"; *at != '\0'; at++) {
        write_port(PORT_SHUTDOWN, (uint8_t)*at);
    }
    for (;;) {
        __asm__ volatile("cli; hlt");
    }
}

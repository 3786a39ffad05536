/* A multiboot kernel with a mistake to look for: a copy that writes past its buffer into a balance, which is
 * found to be wrong much later. */
#include <stdint.h>

#define HEADER_MAGIC  0x1badb002u
#define HEADER_FLAGS  0x00000003u
#define PORT_SHUTDOWN 0x8900

void _start(void);
void kernel_main(void);
void copy_name(char *to, const char *from);
void earn(uint32_t amount);
void work(void);
void check(void);
void notice_fault(void);

struct header {
    uint32_t magic, flags, checksum;
};

static const struct header header __attribute__((section(".header"), used)) = {
    HEADER_MAGIC, HEADER_FLAGS, 0u - HEADER_MAGIC - HEADER_FLAGS};

static char stack[4096] __attribute__((used));

__asm__(".text\n"
        ".globl _start\n"
        "_start:\n"
        "    lea stack + 4096, %esp\n"
        "    call kernel_main\n");

struct account {
    char name[8];
    uint32_t balance;
};

struct account account;
uint32_t sum;
volatile uint32_t noise[64];

static void write_port(uint16_t port, uint8_t value)
{
    __asm__ volatile("outb %0, %1" : : "a"(value), "d"(port));
}

__attribute__((noinline)) void copy_name(char *to, const char *from)
{
    while ((*to = *from) != '\0') {
        to++;
        from++;
    }
}

__attribute__((noinline)) void earn(uint32_t amount)
{
    account.balance += amount;
    sum += amount;
}

/* A million instructions or so that have nothing to do with it. */
__attribute__((noinline)) void work(void)
{
    for (uint32_t i = 0; i < 200000; i++) {
        noise[i % 64] += i;
    }
}

__attribute__((noinline)) void notice_fault(void)
{
    __asm__ volatile("");
}

__attribute__((noinline)) void check(void)
{
    if (account.balance != sum) {
        notice_fault();
    }
}

void kernel_main(void)
{
    earn(100);
    work();
    earn(20);
    work();
    copy_name(account.name, "Wilhelmina"); /* too long by three */
    work();
    earn(3);
    work();
    check();
    for (const char *at = "Shutdown"; *at != '\0'; at++) {
        write_port(PORT_SHUTDOWN, (uint8_t)*at);
    }
    for (;;) {
    }
}

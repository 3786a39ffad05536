/* The main program of every workload, on the guest's bare machine and on the host; bench/README.md has the
 * protocol. */
#include "platform.h"
#include "workload.h"

__attribute__((weak)) void workload_prepare(void)
{
}

static void write_hexadecimal(uint32_t value)
{
    char text[9];
    for (unsigned i = 0; i < 8; i++) {
        text[i] = "0123456789abcdef"[value >> (28 - 4 * i) & 15];
    }
    text[8] = '\0';
    platform_write(text);
}

static void write_decimal(uint32_t value)
{
    char text[11];
    unsigned at = sizeof text - 1;
    text[at] = '\0';
    do {
        text[--at] = (char)('0' + value % 10);
        value /= 10;
    } while (value != 0);
    platform_write(text + at);
}

void workload_fail(const char *text)
{
    platform_write("failed ");
    platform_write(text);
    platform_write("\n");
    platform_exit(1);
}

void bench_main(uint32_t rounds)
{
    platform_write("workload ");
    platform_write(workload_name);
    platform_write("\n");
    workload_prepare();
    uint32_t checksum = workload_run(); /* untimed: caches, and the emulator's translations, get warm */
    platform_write("start\n");
    for (uint32_t i = 0; i < rounds; i++) {
        if (workload_run() != checksum) {
            workload_fail("the checksum changed from one round to the next");
        }
    }
    platform_write("end ");
    write_hexadecimal(checksum);
    platform_write(" ");
    write_decimal(rounds);
    platform_write("\n");
    platform_exit(0);
}

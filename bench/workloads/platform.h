/* What the two runtimes (bench/guest, bench/native) provide to the common main program. */
#ifndef DOPPEL_BENCH_PLATFORM_H
#define DOPPEL_BENCH_PLATFORM_H

#include <stdint.h>

/* Writes text to whoever measures. */
void platform_write(const char *text);

/* Switches the machine off, or ends the process. */
_Noreturn void platform_exit(int status);

/* Runs the workload `rounds` times between the marks, and ends. See bench/README.md for what it prints. */
_Noreturn void bench_main(uint32_t rounds);

#endif

/* What the checks that run inside a booted Linux share: reporting. Each subject is one file with one
 * function, which the main program runs in a process of its own, so that a subject that dies is one failure
 * and the rest goes on. */
#ifndef DOPPEL_TESTS_BOOT_LINUX_CHECKS_H
#define DOPPEL_TESTS_BOOT_LINUX_CHECKS_H

#include <stdbool.h>

/* Prints "PASS name", or "FAIL name: " and the rest as by printf. Safe in several processes at once. */
void check(bool ok, const char *name, const char *format, ...) __attribute__((format(printf, 3, 4)));

/* The same with two integers that must be equal. */
void check_equal(const char *name, long long actual, long long expected);

/* The monotonic clock in microseconds. */
long long microseconds(void);

void check_threads(void);
void check_signals(void);
void check_protection(void);
void check_processes(void);
void check_memory(void);
void check_floats(void);
void check_proc(void);

#endif

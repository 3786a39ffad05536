/* The program that the Linux boot test's init runs: exercises what user programs need of a processor and a
 * PC, as seen through an unmodified kernel and C library. Prints PASS and FAIL lines; the exit status says
 * whether there was a failure. Started with an argument it is one of the short-lived children of the checks
 * of processes. */
#include "checks.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static int *failures; /* in memory shared with all children */

void check(bool ok, const char *name, const char *format, ...)
{
    char line[512];
    int length = snprintf(line, sizeof(line), ok ? "PASS %s\n" : "FAIL %s: ", name);
    if (!ok) {
        __atomic_fetch_add(failures, 1, __ATOMIC_SEQ_CST);
        va_list arguments;
        va_start(arguments, format);
        length += vsnprintf(line + length, sizeof(line) - (size_t)length - 1, format, arguments);
        va_end(arguments);
        length = length < (int)sizeof(line) - 2 ? length : (int)sizeof(line) - 2;
        line[length++] = '\n';
    }
    if (write(STDOUT_FILENO, line, (size_t)length) != length) {
        _exit(3);
    }
}

void check_equal(const char *name, long long actual, long long expected)
{
    check(actual == expected, name, "%lld instead of %lld", actual, expected);
}

long long microseconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * 1000000LL + now.tv_nsec / 1000;
}

int main(int argc, char **argv)
{
    if (argc > 1) {
        return atoi(argv[1]);
    }
    static const struct {
        const char *name;
        void (*run)(void);
    } subjects[] = {
        {"proc", check_proc},           {"floats", check_floats},         {"threads", check_threads},
        {"signals", check_signals},     {"protection", check_protection}, {"memory", check_memory},
        {"processes", check_processes},
    };
    failures = mmap(NULL, sizeof(*failures), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < sizeof(subjects) / sizeof(subjects[0]); i++) {
        pid_t child = fork();
        if (child == 0) {
            subjects[i].run();
            _exit(0);
        }
        int status = -1;
        waitpid(child, &status, 0);
        check(status == 0, subjects[i].name, "the process ended with wait status %x", (unsigned)status);
    }
    return *failures == 0 ? 0 : 1;
}

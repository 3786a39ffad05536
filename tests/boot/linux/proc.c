/* What the kernel tells about the machine: the processor against CPUID, memory, this process, and clocks that
 * run. */
#include "checks.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include <cpuid.h>

static char text[65536];

static const char *read_file(const char *path)
{
    FILE *file = fopen(path, "r");
    size_t length = file != NULL ? fread(text, 1, sizeof(text) - 1, file) : 0;
    text[length] = '\0';
    if (file != NULL) {
        fclose(file);
    }
    return text;
}

/* Whether the line of /proc/cpuinfo that lists features has this one. */
static bool has_flag(const char *name)
{
    char padded[32];
    snprintf(padded, sizeof(padded), " %s ", name);
    const char *flags = strstr(text, "flags\t\t:");
    char *end = flags != NULL ? strchr(flags, '\n') : NULL;
    if (end == NULL) {
        return false;
    }
    *end = ' ';
    char after = end[1];
    end[1] = '\0';
    bool found = strstr(flags, padded) != NULL;
    end[0] = '\n';
    end[1] = after;
    return found;
}

static void check_random_numbers(void)
{
    unsigned numbers[4];
    bool given = true;
    for (size_t i = 0; i < 4; i++) {
        unsigned char carry;
        __asm__ volatile("rdrand %0\n\tsetc %1" : "=r"(numbers[i]), "=qm"(carry) : : "cc");
        given = given && carry == 1;
    }
    check(given && (numbers[0] != numbers[1] || numbers[2] != numbers[3]), "RDRAND has numbers",
          "%x, %x, %x, %x", numbers[0], numbers[1], numbers[2], numbers[3]);
}

static void check_cpuinfo(void)
{
    unsigned eax = 0;
    unsigned ebx = 0;
    unsigned ecx = 0;
    unsigned edx = 0;
    char vendor[13] = "";
    __get_cpuid(0, &eax, &ebx, &ecx, &edx);
    memcpy(vendor, &ebx, 4);
    memcpy(vendor + 4, &edx, 4);
    memcpy(vendor + 8, &ecx, 4);
    __get_cpuid(1, &eax, &ebx, &ecx, &edx);
    read_file("/proc/cpuinfo");
    char line[64];
    snprintf(line, sizeof(line), "vendor_id\t: %s\n", vendor);
    check(strstr(text, line) != NULL, "cpuinfo names CPUID's vendor", "no line %s", line);
    snprintf(line, sizeof(line), "stepping\t: %u\n", eax & 15);
    check(strstr(text, line) != NULL, "cpuinfo has CPUID's stepping", "no line %s", line);
    static const struct {
        const char *name;
        unsigned bit;
    } features[] = {{"fpu", 0},   {"tsc", 4},  {"cx8", 8},   {"cmov", 15},  {"mmx", 23},
                    {"fxsr", 24}, {"sse", 25}, {"sse2", 26}, {"rdrand", 62}};
    for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
        snprintf(line, sizeof(line), "cpuinfo and CPUID agree on %s", features[i].name);
        check_equal(line, has_flag(features[i].name),
                    ((unsigned long long)ecx << 32 | edx) >> features[i].bit & 1);
    }
    if (ecx >> 30 & 1) {
        check_random_numbers();
    }
    const char *bugs = strstr(text, "bugs\t\t:");
    check(bugs != NULL && strstr(bugs, "f00f") == NULL, "the kernel found neither F00F nor other old bugs",
          "%.60s", bugs != NULL ? bugs : "no such line");
    const char *speed = strstr(text, "cpu MHz\t\t: ");
    double mhz = speed != NULL ? atof(speed + 11) : 0;
    check(mhz > 900 && mhz < 1100, "the time stamp counter was measured as 1 GHz", "%g MHz", mhz);
}

static void check_maps(void)
{
    unsigned long here = (unsigned long)check_maps;
    unsigned long stack = (unsigned long)&here;
    bool code = false;
    bool data = false;
    read_file("/proc/self/maps");
    for (char *line = strtok(text, "\n"); line != NULL; line = strtok(NULL, "\n")) {
        unsigned long start;
        unsigned long end;
        char access[8];
        if (sscanf(line, "%lx-%lx %7s", &start, &end, access) == 3) {
            code |= here >= start && here < end && strcmp(access, "r-xp") == 0;
            data |= stack >= start && stack < end && strstr(line, "[stack]") != NULL;
        }
    }
    check(code, "maps has the running code", "%lx is in no executable range", here);
    check(data, "maps has the stack", "%lx is not in it", stack);
}

static unsigned long timer_interrupts(void)
{
    read_file("/proc/interrupts");
    unsigned long sum = 0;
    const char *line = strstr(text, "  0:");
    if (line != NULL) {
        sum += strtoul(line + 4, NULL, 10);
    }
    line = strstr(text, "LOC:");
    if (line != NULL) {
        sum += strtoul(line + 4, NULL, 10);
    }
    return sum;
}

static void check_clocks(void)
{
    unsigned long interrupts = timer_interrupts();
    double uptime = atof(read_file("/proc/uptime"));
    long long before = microseconds();
    unsigned long long tsc = __builtin_ia32_rdtsc();
    struct timespec pause = {.tv_nsec = 200 * 1000 * 1000};
    nanosleep(&pause, NULL);
    double ticks = (double)(__builtin_ia32_rdtsc() - tsc);
    double slept = (double)(microseconds() - before);
    double grown = atof(read_file("/proc/uptime")) - uptime;
    interrupts = timer_interrupts() - interrupts;
    check(slept >= 200000 && slept < 400000, "nanosleep takes its time", "%g us instead of 200000", slept);
    check(grown > 0.17 && grown < 0.45, "uptime goes on", "by %g s during 0.2 s", grown);
    check(interrupts > 0, "the timer interrupts", "no interrupt in 0.2 s");
    check(ticks / slept > 900 && ticks / slept < 1100, "the time stamp counter agrees with the clock",
          "%g per us", ticks / slept);
    time_t now = time(NULL);
    int year = gmtime(&now)->tm_year + 1900;
    check(year >= 2000 && year < 2100, "the real-time clock's year", "%d", year);
}

void check_proc(void)
{
    struct utsname name;
    uname(&name);
    check(strcmp(name.machine, "i686") == 0, "uname says i686", "%s", name.machine);
    struct sysinfo info;
    sysinfo(&info);
    unsigned long mib = info.totalram / 1024 * info.mem_unit / 1024;
    const char *expected = getenv("memory"); /* MiB, from the kernel's command line */
    unsigned long all = expected != NULL ? strtoul(expected, NULL, 10) : 0;
    check(all == 0 || (mib < all && mib + 40 > all), "the kernel has the machine's memory", "%lu of %lu MiB",
          mib, all);
    check_cpuinfo();
    check_maps();
    check_clocks();
}

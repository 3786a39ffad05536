/*
 * Commands that only look: memory, processor, clocks.
 */
#include <stddef.h>

#include "boot_info.h"
#include "commands.h"
#include "console.h"
#include "cpu.h"
#include "memory.h"
#include "rtc.h"
#include "timer.h"
#include "x86.h"

#define FEATURE_COLUMN 14

static const char *range_type_name(uint32_t type)
{
    static const char *const names[] = {"?", "usable", "reserved", "ACPI tables", "ACPI NVS", "bad"};
    return type < sizeof(names) / sizeof(names[0]) ? names[type] : names[0];
}

static void print_kb(uint32_t kb)
{
    if (kb >= 10240)
        console_print("%6u MiB", kb / 1024);
    else
        console_print("%6u KiB", kb);
}

static void print_range(uint64_t base, uint64_t length, uint32_t type)
{
    uint64_t last = base + length - 1;
    console_print("  %08x%08x  %08x%08x  ", (uint32_t)(base >> 32), (uint32_t)base, (uint32_t)(last >> 32),
                  (uint32_t)last);
    print_kb((uint32_t)(length >> 10));
    console_print_in(type == 1 ? VGA_LIGHT_GREEN : VGA_LIGHT_GRAY, "  %s\n", range_type_name(type));
}

void command_mem(int count, char **words)
{
    (void)count;
    (void)words;
    const struct boot_info *info = boot_info();
    static const char *const a20[] = {"closed", "open already", "opened by the BIOS",
                                      "opened by the keyboard controller", "opened by port 92h"};
    const char *source = info->range_count != 0 ? "E820h" : info->e801_kb != 0 ? "E801h" : "88h";
    console_print_in(VGA_WHITE, "  first             last                    size  INT 15h %s\n", source);
    for (unsigned i = 0; i < info->range_count; i++)
        print_range(info->ranges[i].base, info->ranges[i].length, info->ranges[i].type);
    if (info->range_count == 0) {
        uint32_t extended_kb = info->e801_kb != 0 ? info->e801_kb : info->ext88_kb;
        print_range(0, (uint64_t)info->base_kb << 10, 1);
        if (extended_kb != 0)
            print_range(0x100000, (uint64_t)extended_kb << 10, 1);
        if (info->e801_kb != 0 && info->e801_64kb != 0)
            print_range(0x1000000, (uint64_t)info->e801_64kb << 16, 1);
    }
    console_print("  total usable %u KiB, of which INT 12h gives %u; A20 %s\n", memory_total_kb(),
                  info->base_kb, a20[info->a20]);
}

struct feature_word {
    const char *title;
    const char *names[32]; /* by bit; NULL or missing: not worth a name */
};

// clang-format off
static const struct feature_word feature_words[] = {
    {"features", {"fpu", "vme", "de", "pse", "tsc", "msr", "pae", "mce", "cx8", "apic", NULL, "sep", "mtrr", "pge",
                  "mca", "cmov", "pat", "pse36", "psn", "clfsh", NULL, "ds", "acpi", "mmx", "fxsr", "sse", "sse2",
                  "ss", "htt", "tm", "ia64", "pbe"}},
    {"",         {"sse3", "pclmul", "dtes64", "monitor", "ds-cpl", "vmx", "smx", "est", "tm2", "ssse3", "cid",
                  "sdbg", "fma", "cx16", "xtpr", "pdcm", NULL, "pcid", "dca", "sse4.1", "sse4.2", "x2apic", "movbe",
                  "popcnt", "tscdl", "aes", "xsave", "osxsave", "avx", "f16c", "rdrand", "guest"}},
    {"extended", {[11] = "syscall", [19] = "mp", [20] = "nx", [22] = "mmxext", [25] = "fxsr-opt", [26] = "1gpages",
                  [27] = "rdtscp", [29] = "lm", [30] = "3dnowext", [31] = "3dnow"}},
    {"",         {[0] = "lahf64", [1] = "cmp-legacy", [2] = "svm", [5] = "abm", [6] = "sse4a", [7] = "misalign",
                  [8] = "prefetchw"}},
};

static const struct feature_word cr0_bits =
    {"cr0",      {[0] = "pe", [1] = "mp", [2] = "em", [3] = "ts", [4] = "et", [5] = "ne", [16] = "wp", [18] = "am",
                  [29] = "nw", [30] = "cd", [31] = "pg"}};
// clang-format on

/* column: where the row stands already; 0 for a new one. Returns where it ends. */
static unsigned print_bits(const struct feature_word *word, uint32_t bits, unsigned column)
{
    for (unsigned i = 0; i < 32; i++) {
        const char *name = word->names[i];
        if ((bits >> i & 1) == 0 || name == NULL)
            continue;
        unsigned length = 1;
        while (name[length] != '\0')
            length++;
        if (column == 0 || column + length + 1 > VGA_COLUMNS - 2) {
            console_fresh_line();
            console_print_in(VGA_LIGHT_CYAN, "  %-*s", FEATURE_COLUMN - 3, column == 0 ? word->title : "");
            column = FEATURE_COLUMN - 1;
        }
        console_print(" %s", name);
        column += length + 1;
    }
    return column;
}

static void print_label(const char *label)
{
    console_print_in(VGA_LIGHT_CYAN, "  %-*s ", FEATURE_COLUMN - 3, label);
}

void command_cpu(int count, char **words)
{
    (void)count;
    (void)words;
    const struct cpu_description *cpu = cpu_describe();
    print_label("processor");
    if (cpu->has_cpuid) {
        console_print("%s, family %u model %u stepping %u\n", cpu->vendor, cpu->family, cpu->model,
                      cpu->stepping);
        if (cpu->brand[0] != '\0') {
            print_label("brand");
            console_print("%s\n", cpu->brand);
        }
        print_label("cpuid");
        console_print("leaves up to %x, extended up to %x\n", cpu->max_leaf, cpu->max_extended_leaf);
        unsigned column = print_bits(&feature_words[0], cpu->features.leaf1_edx, 0);
        print_bits(&feature_words[1], cpu->features.leaf1_ecx, column);
        column = print_bits(&feature_words[2], cpu->features.extended_edx, 0);
        print_bits(&feature_words[3], cpu->features.extended_ecx, column);
    } else {
        console_print("80%u86: EFLAGS.AC %s, EFLAGS.ID fixed, so no CPUID", cpu->family,
                      cpu->family == 4 ? "can be set" : "fixed");
    }
    console_fresh_line();
    print_label("coprocessor");
    console_print("%s\n", cpu->has_fpu ? "present" : "none");
    print_bits(&cr0_bits, cr0_read(), 0);
    console_print_in(VGA_DARK_GRAY, "  %08x\n", cr0_read());
}

void command_time(int count, char **words)
{
    (void)count;
    (void)words;
    struct rtc_time now;
    rtc_read(&now);
    uint32_t seconds = timer_ticks() / TIMER_HZ;
    console_print("%02u:%02u:%02u, up %u:%02u:%02u\n", now.hour, now.minute, now.second, seconds / 3600,
                  seconds / 60 % 60, seconds % 60);
}

void command_date(int count, char **words)
{
    (void)count;
    (void)words;
    struct rtc_time now;
    rtc_read(&now);
    console_print("%s, %u %s %u\n", rtc_weekday_name(rtc_weekday(&now)), now.day, rtc_month_name(now.month),
                  now.year);
}

void command_ticks(int count, char **words)
{
    (void)count;
    (void)words;
    uint32_t start = timer_ticks();
    struct rtc_time now;
    rtc_read(&now);
    uint8_t second = now.second;
    console_print("%u ticks of %u ms since boot", start, 1000 / TIMER_HZ);
    /* Two edges of the clock's seconds, but no longer than three of ours: it may be standing still. */
    uint32_t edges = 0;
    while (edges < 2 && timer_ticks() - start < 3 * TIMER_HZ) {
        timer_sleep_until(timer_ticks() + 1);
        rtc_read(&now);
        if (now.second == second)
            continue;
        second = now.second;
        edges++;
        if (edges == 1)
            start = timer_ticks();
    }
    if (edges == 2)
        console_print("; one second of the real-time clock was %u ticks\n", timer_ticks() - start);
    else
        console_print("; the real-time clock stands still\n");
}

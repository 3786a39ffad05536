/* Fuzzes the monitor's command lines: lines of any bytes, and of words that commands take, typed or in a file
 * that is carried out. On a console nothing that is typed ends the session, and completion finds something
 * or nothing. Half of the machines have a past. Commands that write files are left out. */
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "../unit/fake_machine.h"
#include "debugger/completion.h"
#include "debugger/monitor_internal.h"
#include "fuzz_input.h"

#define LINE_SIZE 300

static const char *const words[] = {
    "0",      "1",         "0x7c00",  "0x1000",   "0xffffff00", "eax",         "cs:eip",    "start",
    "=",      "+",         "==",      "\"text\"", "\"",         "#",           "/b",        "/wp",
    "/4xb",   "/9i",       "/32",     "/l",       "load",       "list",        "unload",    "gdt",
    "idt",    "ldt",       "tss",     "tlb",      "map",        "page",        "segments",  "fpu",
    "sse",    "msr",       "control", "debug",    "ivt",        "bda",         "dos",       "mem",
    "blocks", "registers", "float",   "intel",    "att",        "disassembly", "u8(0x500)", "(",
    ")",      "/dev/null", "-1",      "a",        "force",      "read",        "write",     "if",
    "on",     "off",       "show",    "branches", "interrupts", "io",          "retired",   "/p",
    "smc",    "$",         "int",     "cr3",      "/bp",        "\"rc\"",      "history",   "disassembly",
    "0x500"};

/* What a machine with a past has executed. */
static const struct fake_moment moments[] = {
    {.eip = 0x7c00, .sp = 0x1000}, {.eip = 0x7c02, .sp = 0xffe, .stored = 0x500},
    {.eip = 0x1000, .sp = 0xffc},  {.eip = 0x1000, .sp = 0xffc, .stored = 0x7c00},
    {.eip = 0x7c04, .sp = 0xffe},  {.eip = 0x7c00, .sp = 0x1000}};

static bool writes_files(const char *line)
{
    return strstr(line, "dump") != NULL || strstr(line, "save") != NULL;
}

static void make_line(struct fuzz_input *input, char line[LINE_SIZE + 64])
{
    size_t length = 0;
    if (fuzz_byte(input) & 1) {
        size_t n = fuzz_byte(input) % monitor_command_count;
        length = (size_t)sprintf(line, "%s", monitor_commands[n].name);
        for (unsigned count = fuzz_byte(input) % 8; count > 0 && length < LINE_SIZE; count--) {
            length += (size_t)sprintf(line + length, "%s%s", fuzz_byte(input) & 15 ? " " : "",
                                      words[fuzz_byte(input) % ARRAY_COUNT(words)]);
        }
    } else {
        for (unsigned count = fuzz_byte(input); count > 0; count--) {
            line[length++] = (char)fuzz_byte(input);
        }
    }
    line[length] = '\0';
}

/* A protected mode with paging, or real mode, made of whatever the input says. */
static void make_state(struct fuzz_input *input, struct machine *machine)
{
    struct cpu_state *cpu = &machine->cpu;
    for (unsigned i = fuzz_byte(input) % 64; i > 0; i--) {
        machine->ram[fuzz_word32(input, 2) & 0x3fff] = fuzz_byte(input);
    }
    const uint8_t choice = fuzz_byte(input);
    machine->has_history = choice & 8;
    if (machine->has_history) {
        machine->moments = moments;
        machine->moment_count = ARRAY_COUNT(moments);
        machine->checkpoint_interval = fuzz_byte(input) % 4;
        machine->cpu.retired = fuzz_byte(input) % ARRAY_COUNT(moments);
    }
    machine->paused = choice & 16;
    cpu->gdtr =
        (struct descriptor_table){.base = fuzz_word32(input, 2), .limit = (uint16_t)fuzz_word(input, 2)};
    cpu->ldtr = (struct segment){
        .selector = 8, .base = fuzz_word32(input, 4), .limit = UINT32_MAX, .attributes = 0x82};
    cpu->gpr[CPU_SP].d = fuzz_word32(input, 4);
    cpu->gpr[CPU_BP].d = fuzz_word32(input, 2);
    cpu->rip = fuzz_word32(input, 4);
    cpu->cr3 = fuzz_word(input, 2);
    cpu->cr4 = choice & 4 ? CR4_PAE : CR4_PSE;
    cpu->cr0 |= (choice & 1 ? CR0_PE : 0) | ((choice & 3) == 3 ? CR0_PG : 0);
    cpu->pdpte[0] = fuzz_word(input, 2);
    cpu_update_mode(cpu);
}

/* Some lines as a file that `source` carries out. */
static void run_file(struct fuzz_input *input, struct monitor *monitor, struct monitor_session *session)
{
    char text[8 * (LINE_SIZE + 64)] = "", line[LINE_SIZE + 64], command[64];
    for (unsigned lines = fuzz_byte(input) % 8; lines > 0; lines--) {
        make_line(input, line);
        strcat(text, line);
        strcat(text, "\n");
    }
    const int fd = memfd_create("script", MFD_CLOEXEC);
    if (fd < 0 || writes_files(text) || write(fd, text, strlen(text)) != (ssize_t)strlen(text)) {
        close(fd);
        return;
    }
    snprintf(command, sizeof command, "source /proc/self/fd/%d\n", fd);
    monitor_feed(session, command, strlen(command));
    monitor_poll(monitor);
    close(fd);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct fuzz_input input = {.bytes = data, .left = size};
    char line[LINE_SIZE + 64];
    struct completion completion;
    FILE *out = fopen("/dev/null", "w");
    assert(out != NULL);
    struct machine *machine = fake_machine_create();
    struct monitor *monitor = monitor_create(machine);
    struct monitor_session *session = monitor_open_console(monitor, out);
    make_state(&input, machine);
    if (fuzz_byte(&input) % 4 == 0) {
        run_file(&input, monitor, session);
    }
    for (unsigned lines = 0; lines < 4 && input.left > 0; lines++) {
        make_line(&input, line);
        if (!writes_files(line)) {
            completion_find(monitor, line, strlen(line), &completion);
            assert(completion.start <= strlen(line) && completion.count <= COMPLETION_MAX);
            completion_release(&completion);
            monitor_feed(session, line, strlen(line));
            monitor_feed(session, "\n", 1);
            monitor_poll(monitor);
            assert(!monitor_session_is_over(session));
        }
    }
    monitor_destroy(monitor);
    fake_machine_destroy(machine);
    fclose(out);
    return 0;
}

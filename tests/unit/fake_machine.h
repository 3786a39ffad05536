/* A machine that only remembers what the monitor did to it: defines machine.h's functions in place of the
 * real ones.
 *
 * It executes a list of moments, whose history is the list itself. Time stands where the test puts it; the
 * screen, the serial output and readiness for keys are plain fields. CPU, memory and ports are the real
 * modules, so that looking at them can be tested. */
#ifndef DOPPEL_TESTS_FAKE_MACHINE_H
#define DOPPEL_TESTS_FAKE_MACHINE_H

#include "cpu/engine_block.h"
#include "machine/machine.h"
#include "machine/machine_history.h"
#include "machine/machine_probe.h"

#define FAKE_EVENTS 256
#define FAKE_RAM    (1024 * 1024)

struct fake_key {
    enum key key;
    bool pressed;
    uint64_t when;
};

struct fake_mouse {
    int dx, dy, wheel;
    unsigned buttons;
};

/* What the CPU is about to do after so many instructions. */
struct fake_moment {
    uint32_t eip, sp;
    uint32_t stored; /* an address that the instruction writes to; 0: none */
    uint32_t count;  /* ECX, from which EDI follows */
};

struct machine {
    uint64_t now;
    const struct fake_moment *moments; /* what machine_run() executes, by instructions; NULL: nothing */
    size_t moment_count;
    uint64_t checkpoint_interval; /* instructions between checkpoints of its history */
    bool paused;
    bool input_ready;
    unsigned resets;
    unsigned power_presses;
    uint64_t instruction_limit, step_limit;
    bool has_probe;
    struct machine_probe probe;
    bool break_requested;
    const char *screen; /* shown from row 0 on, '\n' between rows */
    const char *serial[MACHINE_SERIALS];
    struct fake_key keys[FAKE_EVENTS];
    size_t key_count;
    struct fake_mouse mice[FAKE_EVENTS];
    size_t mouse_count;
    char changed[64]; /* "0 FILE rw", what machine_change_floppy() was last told; "0 eject"; the
                         same with "cd" before it for CD-ROM drives */
    struct display_source display;
    struct input_sink input;
    struct cpu_state cpu;
    struct engine_config engine;
    const struct engine_block *blocks; /* of translated code; none: the engine makes none */
    size_t block_count;
    const uint64_t *insn_counts[3]; /* by enum engine_count; NULL: not counted */
    struct memory_bus *memory;
    struct port_bus *ports;
    struct mmu *mmu;
    bool has_history, in_past;
    unsigned forgotten; /* calls of machine_history_forget() */
    struct log log;
    struct counters counters;
    uint8_t *ram;
};

/* A running pentium3 in real mode with FAKE_RAM bytes at 0. Owned by the caller. */
struct machine *fake_machine_create(void);
void fake_machine_destroy(struct machine *machine);

#endif

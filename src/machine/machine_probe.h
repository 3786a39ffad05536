/* What a debugger has the machine stop for, and the ports among it: cpu/probe.h on the machine's level. */
#ifndef DOPPEL_MACHINE_MACHINE_PROBE_H
#define DOPPEL_MACHINE_MACHINE_PROBE_H

#include "cpu/probe.h"
#include "machine/machine.h"

struct machine_probe {
    struct cpu_probe cpu; /* .loads: those of devices are told as well, by parts of any length */
    struct cpu_watch stores[MEMORY_WATCHES]; /* physical addresses; stores of devices count, too */
    unsigned store_count;
    uint64_t ports[65536 / 64]; /* a bit for each port whose accesses are told */
    /* A port is about to be written, or has just been read; `value` is what. A repeated string instruction
     * may tell of its first element only. */
    void (*at_port)(void *opaque, uint16_t port, unsigned width, bool write, uint32_t value);
    /* A part of a store to one of `stores` is about to be made. */
    void (*at_store)(void *opaque, uint32_t phys, unsigned length);
    void *opaque;
};

/* Has the machine ask `probe` from now on, which is copied; NULL: nobody. Not while it runs. */
void machine_set_probe(struct machine *machine, const struct machine_probe *probe);

/* For the probe's functions: machine_run() returns MACHINE_BREAK at the next boundary between instructions;
 * when at_code() asks and returns true, in front of that instruction. */
void machine_request_break(struct machine *machine);

/* Takes that back, between runs. */
void machine_cancel_break(struct machine *machine);

#endif

/* See gdb_bench.h. */
#include "gdb_bench.h"

#include <stdlib.h>
#include <string.h>

#include "debugger/gdb_packet.h"

static void keep(void *opaque, const uint8_t *bytes, size_t length)
{
    struct gdb_bench *bench = opaque;
    const size_t room = GDB_BENCH_SENT - 1 - bench->length;
    const size_t kept = length < room ? length : room;
    memcpy(bench->sent + bench->length, bytes, kept);
    bench->length += kept;
    bench->sent[bench->length] = '\0';
}

static bool keeps_up(void *opaque)
{
    struct gdb_bench *bench = opaque;
    return !bench->busy;
}

struct gdb_bench *gdb_bench_create(void)
{
    struct gdb_bench *bench = calloc(1, sizeof *bench);
    bench->machine = fake_machine_create();
    bench->machine->paused = true;
    bench->machine->cpu.segment[CPU_CS].selector = 0;
    bench->machine->cpu.segment[CPU_CS].base = 0;
    bench->machine->cpu.rip = 0x7c00;
    bench->monitor = monitor_create(bench->machine);
    const struct gdb_server_host host = {.machine = bench->machine,
                                         .debugger = monitor_debugger(bench->monitor),
                                         .monitor = bench->monitor,
                                         .send = keep,
                                         .keeps_up = keeps_up,
                                         .opaque = bench};
    bench->server = gdb_server_create(&host);
    gdb_server_connect(bench->server);
    return bench;
}

void gdb_bench_destroy(struct gdb_bench *bench)
{
    gdb_server_destroy(bench->server);
    monitor_destroy(bench->monitor);
    fake_machine_destroy(bench->machine);
    free(bench);
}

void gdb_bench_send(struct gdb_bench *bench, const char *data, size_t length)
{
    uint8_t *packet = malloc(length + 4);
    gdb_server_receive(bench->server, packet, gdb_packet_frame(data, length, packet));
    free(packet);
}

static bool is_asked(struct machine *machine)
{
    const struct cpu_state *cpu = &machine->cpu;
    const uint64_t linear = cpu->segment[CPU_CS].base + cpu->rip;
    const struct cpu_probe *probe = &machine->probe.cpu;
    return machine->has_probe && (probe->offsets[linear % CPU_PROBE_PAGE / 64] >> linear % 64 & 1) != 0;
}

void gdb_bench_run(struct gdb_bench *bench)
{
    struct machine *machine = bench->machine;
    if (machine->paused) {
        return;
    }
    machine->break_requested = false;
    if (!is_asked(machine) || !machine->probe.cpu.at_code(machine->probe.cpu.opaque)) {
        machine->cpu.rip = (machine->cpu.rip + 1) & 0xffff;
        machine->cpu.retired++;
    }
    const bool limit = machine->step_limit != 0 && machine->cpu.retired >= machine->step_limit;
    (void)monitor_note_run(bench->monitor, machine->break_requested || limit ? MACHINE_BREAK : MACHINE_SLICE);
}

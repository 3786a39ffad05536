/* The bench the chip tests share; see device_bench.h. */
#include "device_bench.h"

#include <stdio.h>
#include <stdlib.h>

void bench_check(struct status status)
{
    if (!status_is_ok(&status)) {
        fprintf(stderr, "%s\n", status.message);
        abort();
    }
}

struct bench *bench_create(void)
{
    struct bench *bench = calloc(1, sizeof *bench);
    if (bench == NULL) {
        abort();
    }
    bench->ram = calloc(1, BENCH_RAM_SIZE);
    bench->host.log = &bench->log;
    bench->host.ports = port_bus_create(&bench->log, &bench->counters);
    bench->host.clock = event_clock_create_counted(&bench->host_ns, 1);
    if (bench->ram == NULL || bench->host.ports == NULL || bench->host.clock == NULL) {
        abort();
    }
    bench->host.memory = memory_bus_create(bench->ram, BENCH_RAM_SIZE, 32, &bench->log, &bench->counters);
    if (bench->host.memory == NULL) {
        abort();
    }
    memory_bus_map_ram(bench->host.memory, 0, BENCH_RAM_SIZE, 0);
    memory_bus_set_a20(bench->host.memory, true);
    return bench;
}

void bench_destroy(struct bench *bench)
{
    memory_bus_destroy(bench->host.memory);
    port_bus_destroy(bench->host.ports);
    event_clock_destroy(bench->host.clock);
    free(bench->ram);
    free(bench);
}

void bench_run_until(struct bench *bench, uint64_t ns)
{
    for (;;) {
        uint64_t deadline = event_clock_next_deadline(bench->host.clock);
        if (deadline > ns) {
            break;
        }
        bench->host_ns = deadline > bench->host_ns ? deadline : bench->host_ns;
        event_clock_run_due(bench->host.clock);
    }
    bench->host_ns = ns > bench->host_ns ? ns : bench->host_ns;
}

void bench_run_for(struct bench *bench, uint64_t ns)
{
    bench_run_until(bench, bench->host_ns + ns);
}

void bench_jump_to(struct bench *bench, uint64_t ns)
{
    bench->host_ns = ns;
    event_clock_run_due(bench->host.clock);
}

static void bench_line_set(void *opaque, unsigned number, bool level)
{
    struct bench_line *line = opaque;
    (void)number;
    if (level && !line->level) {
        line->rises++;
    }
    line->level = level;
}

struct irq_line bench_line_connect(struct bench_line *line)
{
    return (struct irq_line){.set = bench_line_set, .opaque = line, .number = 0};
}

uint8_t bench_in(struct bench *bench, uint16_t port)
{
    return (uint8_t)port_bus_read(bench->host.ports, port, 1);
}

void bench_out(struct bench *bench, uint16_t port, uint8_t value)
{
    port_bus_write(bench->host.ports, port, 1, value);
}

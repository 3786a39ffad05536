/* A gdb server on a fake machine (fake_machine.h), with what it sends kept.
 *
 * The machine executes nothing: gdb_bench_run() moves EIP and the count of instructions by one, and lets the
 * debugger look at what the probe says about that. */
#ifndef DOPPEL_TESTS_GDB_BENCH_H
#define DOPPEL_TESTS_GDB_BENCH_H

#include "../unit/fake_machine.h"
#include "debugger/gdb_server.h"
#include "debugger/monitor.h"

#define GDB_BENCH_SENT 262144u

struct gdb_bench {
    struct machine *machine;
    struct monitor *monitor;
    struct gdb_server *server;
    bool busy; /* what the server is told when it asks whether it may send more */
    size_t length;
    char sent[GDB_BENCH_SENT]; /* and a zero byte behind */
};

/* A machine in real mode at 0000:7C00, paused; a gdb has connected. */
struct gdb_bench *gdb_bench_create(void);
void gdb_bench_destroy(struct gdb_bench *bench);

/* Sends the packet with this data. */
void gdb_bench_send(struct gdb_bench *bench, const char *data, size_t length);

/* One instruction, if the machine is running. */
void gdb_bench_run(struct gdb_bench *bench);

#endif

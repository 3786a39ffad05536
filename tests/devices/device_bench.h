/* A bench for one chip: buses, a clock whose host time the test sets, and recorded output lines. */
#ifndef DOPPEL_TESTS_DEVICES_DEVICE_BENCH_H
#define DOPPEL_TESTS_DEVICES_DEVICE_BENCH_H

#include "devices/device.h"

#define BENCH_RAM_SIZE (4u << 20)

/* An output line of the chip under test. */
struct bench_line {
    bool level;
    unsigned rises;
};

struct bench {
    uint64_t host_ns; /* the clock: a counted one, which goes wherever it is put */
    struct counters counters;
    struct log log;
    uint8_t *ram; /* BENCH_RAM_SIZE bytes at physical 0 */
    struct device_host host;
};

/* Ends the process when it cannot be built. */
struct bench *bench_create(void);
void bench_destroy(struct bench *bench);

/* Host time goes on to `ns` since power-on; every event on the way fires at its own time. */
void bench_run_until(struct bench *bench, uint64_t ns);
void bench_run_for(struct bench *bench, uint64_t ns);

/* Host time jumps to `ns` and the events that are due fire late, as when the host was busy. */
void bench_jump_to(struct bench *bench, uint64_t ns);

struct irq_line bench_line_connect(struct bench_line *line);

uint8_t bench_in(struct bench *bench, uint16_t port);
void bench_out(struct bench *bench, uint16_t port, uint8_t value);

/* Fails the test with the status' message when it is not ok. */
void bench_check(struct status status);

#endif

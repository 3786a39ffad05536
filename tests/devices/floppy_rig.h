/* A floppy controller on a port bus with everything around it in the test's hands: a clock that the test
 * moves, a DMA channel that it programs, and the interrupt pin observed. Shared by the floppy tests. */
#ifndef DOPPEL_TESTS_DEVICES_FLOPPY_RIG_H
#define DOPPEL_TESTS_DEVICES_FLOPPY_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "devices/floppy.h"

enum { DOR = 0x3f2, TDR = 0x3f3, MSR = 0x3f4, DSR = 0x3f4, FIFO = 0x3f5, DIR = 0x3f7, CCR = 0x3f7 };

#define SECTOR 512u

struct rig {
    struct log log;
    struct counters counters;
    uint64_t retired; /* one instruction is one nanosecond */
    struct event_clock *clock;
    struct port_bus *ports;
    struct device *floppy;
    bool irq;
    unsigned edges; /* low to high */
    /* the DMA channel */
    uint8_t memory[64 * SECTOR];
    size_t position;
    size_t count; /* bytes until the terminal count */
    bool masked;
    unsigned requests;
    uint8_t result[10];
};

struct rig *rig_create(enum floppy_drive_type a, enum floppy_drive_type b);

/* Also checks that the controller leaves no event and no port behind. */
void rig_destroy(struct rig *rig);

/* cmocka fixtures: a rig with two 1.44 MB drives, a patterned disk in the first, and rig_start() done. */
int rig_set_up_1440(void **state);
int rig_tear_down(void **state);

/* As firmware does: reset, four senses, DMA mode, motor of drive 0 on, recalibrate, the disk's rate. */
void rig_start(struct rig *rig, enum floppy_data_rate rate);

/* Fails the test with the status's message. */
void rig_check_ok(struct status status);

void rig_out(struct rig *rig, uint16_t port, uint8_t value);
uint8_t rig_in(struct rig *rig, uint16_t port);

/* Lets time pass, event by event. */
void rig_advance(struct rig *rig, uint64_t ns);

/* Lets time pass until the next interrupt; fails when none comes within a second. */
void rig_wait_interrupt(struct rig *rig);

/* The channel starts at memory[0] and gives its terminal count with byte number `count`. */
void rig_dma_program(struct rig *rig, size_t count);

/* Writes a command, checking before every byte that the controller wants it. Use SEND. */
void rig_send(struct rig *rig, unsigned length, const uint8_t *bytes);

/* Reads `length` result bytes into rig->result, and checks that there are just as many. */
void rig_receive(struct rig *rig, unsigned length);

/* Receives and compares. Use CHECK_RESULT. */
void rig_check_result(struct rig *rig, unsigned length, const uint8_t *expected, int line);

/* SENSE INTERRUPT STATUS with its expected result. */
void rig_sense(struct rig *rig, uint8_t st0, uint8_t pcn);

/* SEEK, its interrupt and its SENSE INTERRUPT STATUS. */
void rig_seek(struct rig *rig, uint8_t drive, uint8_t cylinder);

/* A nine-byte command on drive 0 with the DMA channel set to `bytes`, up to its interrupt. */
void rig_read_sectors(struct rig *rig, uint8_t command, uint8_t c, uint8_t h, uint8_t r, uint8_t eot,
                      size_t bytes);
void rig_write_sectors(struct rig *rig, uint8_t command, uint8_t c, uint8_t h, uint8_t r, uint8_t eot,
                       size_t bytes);

/* A byte that depends on where in the image it lies. */
uint8_t rig_pattern(uint32_t sector, uint32_t byte);

/* An image that holds the pattern; the caller owns it. */
struct block_device *rig_patterned_image(uint32_t sectors);

/* Puts a patterned disk of a standard size into the drive, which owns it. */
struct block_device *rig_insert(struct rig *rig, unsigned drive, unsigned kib);

/* The 512 bytes are those of the pattern's sector. */
void rig_check_pattern(const uint8_t *bytes, uint32_t sector);

struct floppy_geometry rig_geometry_of(unsigned kib);

#define SEND(rig, ...) rig_send(rig, (unsigned)sizeof(uint8_t[]){__VA_ARGS__}, (const uint8_t[]){__VA_ARGS__})

#define CHECK_RESULT(rig, ...)                                                                               \
    rig_check_result(rig, (unsigned)sizeof(uint8_t[]){__VA_ARGS__}, (const uint8_t[]){__VA_ARGS__}, __LINE__)

#define ON_1440(test) cmocka_unit_test_setup_teardown(test, rig_set_up_1440, rig_tear_down)

#endif

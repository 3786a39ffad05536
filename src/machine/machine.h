/* The PC as one object: configuration in, a running machine out.
 *
 * machine_pc.c is the schematic (which chip, which wire); machine.c is the life cycle and the run loop;
 * firmware.c finds ROMs. All functions are called on the machine's thread, except where noted. */
#ifndef DOPPEL_MACHINE_MACHINE_H
#define DOPPEL_MACHINE_MACHINE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/counters.h"
#include "base/log.h"
#include "base/status.h"
#include "bus/memory_bus.h"
#include "bus/port_bus.h"
#include "chardev/char_device.h"
#include "cpu/cpu.h"
#include "cpu/engine.h"
#include "cpu/engine_config.h"
#include "machine/kernel_loader.h"
#include "mmu/mmu.h"
#include "ui/display.h"
#include "ui/input.h"

#define MACHINE_FLOPPIES   2
#define MACHINE_SERIALS    2
#define MACHINE_IDE_DRIVES 4 /* hda to hdd */

#define MACHINE_SERIAL_HISTORY 65536u /* bytes */

#define MACHINE_BOOT_INDEX_MAX 99

struct machine_floppy_config {
    const char *path; /* NULL: empty drive */
    bool read_only;
    bool raw;           /* the image is taken as it is, whatever it looks like */
    bool snapshot;      /* as for all drives, for this one */
    uint8_t boot_place; /* bootindex + 1; 0: none */
};

/* How the firmware makes the numbers of INT 13h fit a disk of more than 1024 cylinders. */
enum machine_translation {
    TRANSLATION_AUTO, /* none for up to 1024 cylinders, otherwise LBA */
    TRANSLATION_NONE,
    TRANSLATION_LBA,
    TRANSLATION_LARGE,
    TRANSLATION_RECHS
};

/* An IDE drive. A disk without a path is none. */
struct machine_ide_config {
    const char *path; /* NULL: no drive, or an empty CD-ROM drive */
    bool cdrom;
    bool read_only;
    bool raw;
    bool snapshot;
    uint8_t boot_place;
    /* A disk's geometry; 0 cylinders: what its partition table was made with, or computed from its size. */
    uint16_t cylinders;
    uint8_t heads, sectors;
    enum machine_translation translation;
};

/* -boot. Orders are QEMU's letters: a floppy, c disk, d CD-ROM, n network; NULL: a when there is a
 * disk in drive A, then c and d. Drives with a bootindex come before. */
struct machine_boot_config {
    const char *order;
    const char *once; /* instead of `order` until the first reset; NULL: nothing else */
    bool strict;      /* boot from nothing that was not asked for */
    bool menu;        /* the firmware offers a menu */
    bool menu_wait_given;
    uint16_t menu_wait_ms;
    bool retry_given;
    uint32_t retry_ms; /* reboot so long after nothing could be booted; UINT32_MAX: never */
};

/* A port by which a test program ends the machine (isa-debug-exit). */
struct machine_debug_exit_config {
    uint16_t base;
    uint16_t length; /* 0: no such port */
};

struct machine_config {
    uint64_t ram_size; /* bytes, 1 MiB to 3 GiB, multiple of 4 KiB (8086: 1 MiB at most is visible) */
    const char *cpu;   /* what cpu_model_parse() reads, NULL: default */
    struct engine_config engine;
    /* What makes the engine; NULL: machine_engine_create(). Tests put engines of their own in. */
    struct status (*create_engine)(const struct engine_config *config, struct cpu_state *cpu, struct mmu *mmu,
                                   struct cpu_engine **engine);
    const char *bios;     /* system ROM file, NULL: SeaBIOS from the usual places */
    const char *vga_bios; /* NULL: SeaVGABIOS from the usual places */
    struct machine_floppy_config floppy[MACHINE_FLOPPIES];
    struct machine_ide_config ide[MACHINE_IDE_DRIVES];
    struct machine_debug_exit_config debug_exit;
    struct machine_kernel_config kernel;
    struct machine_boot_config boot;
    bool snapshot;                               /* writes to images are dropped at the end */
    bool counted;                                /* --icount */
    uint64_t ns_per_instruction;                 /* counted mode */
    uint64_t rtc_epoch;                          /* seconds since 1970-01-01 at power-on */
    bool no_reboot;                              /* a guest that resets the machine switches it off instead */
    struct char_device *serial[MACHINE_SERIALS]; /* borrowed; NULL: nothing plugged in */
    struct char_device *debug_console;           /* borrowed; NULL: output is dropped */
    struct log log;
};

struct machine;

/* Whether such a machine can be: memory size, CPU model, boot order. Files are not looked at.
 * machine_create() asks as well. */
struct status machine_config_check(const struct machine_config *config) STATUS_MUST_CHECK;

/* Builds and powers on a machine. On failure *machine is NULL and everything is released. */
struct status machine_create(const struct machine_config *config, struct machine **machine) STATUS_MUST_CHECK;
void machine_destroy(struct machine *machine);

/* Why machine_run() came back. */
enum machine_stop {
    MACHINE_SLICE, /* ran for about the time it was given */
    MACHINE_IDLE, /* the CPU is halted or DOS waits for a key: sleep until machine_idle_ns() from now or until
                     input arrives */
    MACHINE_POWER_OFF,   /* the guest switched itself off, or reset with no_reboot: machine_stop_reason() */
    MACHINE_GUEST_RESET, /* reset was requested (triple fault, keyboard controller, port 92h, CF9h) and has
                            been carried out */
    MACHINE_BREAK        /* the instruction limit was reached, or machine_request_break() */
};

/* Runs up to `host_ns` nanoseconds of host time (realtime) or that much virtual time (counted). */
enum machine_stop machine_run(struct machine *machine, uint64_t slice_ns);

/* Why the last MACHINE_POWER_OFF or MACHINE_GUEST_RESET happened, for a message: "triple fault". */
const char *machine_stop_reason(const struct machine *machine);

/* What the exit status of the program should be after MACHINE_POWER_OFF: 0, or value * 2 + 1 when the guest
 * wrote `value` to its debug exit port. */
int machine_exit_status(const struct machine *machine);

/* The first failure of the host to read or write a disk image, of which the guest has only seen that its disk
 * failed. */
struct status machine_image_failure(const struct machine *machine);

/* Nanoseconds of virtual time until the next device event; UINT64_MAX when nothing is due. */
uint64_t machine_idle_ns(struct machine *machine);

/* Makes machine_run() return MACHINE_BREAK exactly after the CPU has retired `count` instructions since
 * power-on; 0: no limit. */
void machine_set_instruction_limit(struct machine *machine, uint64_t count);

/* The same once more, for whoever goes in steps: both limits hold. */
void machine_set_step_limit(struct machine *machine, uint64_t count);

/* RESET line of the whole machine. */
void machine_reset(struct machine *machine);

/* Pause and resume virtual time (the monitor's stop/cont). Idempotent. machine_run() may be called only while
 * the machine is not paused. */
void machine_pause(struct machine *machine);
void machine_resume(struct machine *machine);
bool machine_is_paused(const struct machine *machine);

/* What front ends, monitor and tests look at. Borrowed; live as long as the machine. */
struct cpu_state *machine_cpu(struct machine *machine);
struct mmu *machine_mmu(struct machine *machine);
struct memory_bus *machine_memory(struct machine *machine);
struct port_bus *machine_ports(struct machine *machine);
const struct engine_config *machine_engine_config(const struct machine *machine);
/* Shows every block of host code that the engine has made (cpu/engine_block.h). False: it makes none. */
bool machine_for_each_block(struct machine *machine, engine_block_visitor *visit, void *opaque);
/* How often the engine took which instruction's long way (cpu/engine.h), by enum insn_id. NULL: it has none.
 */
const uint64_t *machine_insn_counts(const struct machine *machine, enum engine_count what);

struct log *machine_log(struct machine *machine);
struct counters *machine_counters(struct machine *machine);
const struct display_source *machine_display(struct machine *machine);
const struct input_sink *machine_input(struct machine *machine);
uint64_t machine_now(struct machine *machine);           /* virtual ns */
uint64_t machine_retired(const struct machine *machine); /* instructions since power-on */

/* True while the guest can take another key press without losing it. */
bool machine_input_ready(struct machine *machine);

/* What serial port `port` (0, 1) has sent. Bytes are numbered from power-on and the last
 * MACHINE_SERIAL_HISTORY are kept. Copies up to `size` bytes from number *from on to `to` and returns how
 * many; when byte *from is gone already, *from moves up to the oldest that is kept. */
size_t machine_serial_output(struct machine *machine, unsigned port, uint64_t *from, uint8_t *to,
                             size_t size);

/* Prints the device called `name` ("pic", "floppy", "vga", …). False: no such device. */
bool machine_describe_device(struct machine *machine, const char *name, FILE *out);
/* Name of the n-th device, NULL past the end. */
const char *machine_device_name(const struct machine *machine, size_t index);

/* CD-ROM drives (0 to 3 for hda to hdd): put a disc in, or take it out. STATUS_CONFLICT while the guest has
 * locked the drive, unless forced. */
bool machine_has_cdrom(const struct machine *machine, unsigned drive);
struct status machine_change_cdrom(struct machine *machine, unsigned drive, const char *path,
                                   bool force) STATUS_MUST_CHECK;
struct status machine_eject_cdrom(struct machine *machine, unsigned drive, bool force) STATUS_MUST_CHECK;
void machine_describe_ide(struct machine *machine, FILE *out); /* `info block` */

/* The last codes that were written to port 80h, oldest first (`info post`). */
void machine_describe_post_codes(struct machine *machine, FILE *out);

/* The power button: a guest with ACPI switched on shuts itself down; others do not notice. */
void machine_press_power_button(struct machine *machine);

/* Floppy drives: put in (replacing what is there) or take out. */
struct status machine_change_floppy(struct machine *machine, unsigned drive, const char *path,
                                    bool read_only) STATUS_MUST_CHECK;
void machine_eject_floppy(struct machine *machine, unsigned drive);
void machine_describe_floppies(struct machine *machine, FILE *out); /* `info block` */

#endif

/* What the machine's files share. Private to this module. */
#ifndef DOPPEL_MACHINE_MACHINE_INTERNAL_H
#define DOPPEL_MACHINE_MACHINE_INTERNAL_H

#include "base/bits.h"
#include "bus/event_clock.h"
#include "cpu/engine.h"
#include "devices/device.h"
#include "devices/pci_bus.h"
#include "host/host_memory.h"
#include "machine/disk_geometry.h"
#include "machine/firmware.h"
#include "machine/input_log.h"
#include "machine/machine.h"
#include "machine/machine_probe.h"
#include "machine/serial_history.h"

#define MACHINE_DEVICES 32

/* The window below 1 MiB that the chipset maps to ROM or RAM (PAM). */
#define SHADOW_BASE 0xC0000u
#define SHADOW_SIZE 0x40000u

/* From weak to strong. */
enum machine_reset_request { MACHINE_RESET_NONE, MACHINE_RESET_CPU, MACHINE_RESET_ALL };

struct block_device;
struct machine_history;
struct machine_replay;
struct ns16550;
struct local_apic;
struct ioapic;

struct machine_serial {
    struct machine *machine;
    struct ns16550 *uart;
    struct char_device *stream; /* borrowed, may be NULL */
    struct serial_history history;
    uint64_t delivered; /* bytes that the stream got: in the past, the machine has sent fewer */
};

/* What is booted, for as long as it may change. */
struct machine_boot {
    char order[8];
    bool once; /* the order in force is another one, until a reset */
    bool strict;
    bool kernel;
    uint8_t floppy_place[MACHINE_FLOPPIES]; /* bootindex + 1; 0: none */
    uint8_t ide_place[MACHINE_IDE_DRIVES];
};

/* What the controller does not know about its drives. */
struct machine_ide_drive {
    bool snapshot; /* what is written is dropped */
    bool raw;      /* images are taken as they are */
    enum machine_translation translation;
    struct disk_geometry logical; /* the BIOS's geometry; 0 cylinders: it finds its own */
};

/* The chips that are talked to after they were built; every chip is in machine->devices as well. */
struct machine_chips {
    struct i8259_pair *pic;
    struct local_apic *local_apic; /* NULL: the CPU has none; the next: its board has none */
    struct ioapic *ioapic;
    struct i8254 *pit;
    struct mc146818 *rtc;
    struct i8237_pair *dma;
    struct i8042 *keyboard_controller;
    struct port92 *port92;
    struct pc_speaker *speaker;
    struct debug_console *debug_console;
    struct ps2_keyboard *keyboard;
    struct ps2_mouse *mouse;
    struct vga *vga;
    struct pci_bus *pci;
    struct piix3 *isa_bridge;
    struct i440fx *host_bridge;
    struct fw_cfg *fw_cfg;
    struct device *floppy;
    struct ide *ide;
    struct piix4_pm *pm;
    struct isa_debug_exit *debug_exit;
};

struct machine {
    struct cpu_state cpu;
    struct cpu_model model; /* the processor's */
    struct log log;
    struct counters counters;
    struct host_memory ram;
    struct memory_bus *memory;
    struct port_bus *ports;
    struct event_clock *clock;
    struct mmu *mmu;
    struct cpu_engine *engine;
    struct engine_config engine_config;

    struct machine_chips chips;
    struct machine_boot boot;
    struct device *devices[MACHINE_DEVICES]; /* in the order they were built */
    size_t device_count;
    struct firmware system_rom, vga_rom;
    uint8_t shadow_rom[SHADOW_SIZE]; /* what C0000h-FFFFFh reads while it is ROM */
    bool a20_keyboard, a20_port92;
    bool timer_lines[2], clock_lines[2]; /* what drives IRQ0 and IRQ8: the chip of the AT, the HPET */
    bool legacy_replacement;             /* which of them counts */
    unsigned shutdown_letters;           /* of the word at the shutdown port so far */
    struct pci_function vga_function;    /* the VGA's face on the PCI bus */
    struct display_source display;
    struct input_sink input;
    struct machine_serial serial[MACHINE_SERIALS];
    struct char_device *debug_stream;     /* borrowed, may be NULL */
    uint64_t debug_sent, debug_delivered; /* bytes, as for serial ports */

    struct clock_event slice_event;         /* counted mode: the end of a machine_run() */
    uint64_t instruction_limit, step_limit; /* values of cpu.retired; 0: none */
    struct machine_probe *probe;            /* NULL: nobody asks; otherwise &probe_copy */
    struct machine_probe probe_copy;
    bool break_requested;
    bool paused;
    bool powered_off;
    bool idle;                           /* the last machine_run() ended with nothing to do */
    bool napping;                        /* idle because DOS says so, not halted */
    uint64_t chunk;                      /* realtime: instructions between looks at the clock */
    uint64_t chunk_end;                  /* virtual time at which the engine is to come back */
    bool event_is_near;                  /* its time may come before the chunk after this is over */
    uint32_t polls;                      /* reads of ports */
    uint64_t gathered;                   /* value of cpu.retired at the last look for large pages */
    uint64_t window_start, window_hints; /* retired instructions and idle hints at the last look for idling */
    struct machine_history *history;     /* NULL: none is kept */
    uint64_t wanted_taken,
        wanted_time;               /* a limit counts only when `taken` and the clock have come to these */
    struct machine_replay *replay; /* NULL: nothing is or was recorded or replayed */
    struct machine_debug_exit_config debug_exit;
    uint64_t rtc_epoch, ns_per_instruction; /* as configured */
    bool no_reboot;
    bool was_on;                            /* the next reset is not the one at power-on */
    bool floppy_snapshot[MACHINE_FLOPPIES]; /* what is written in the drive is dropped */
    bool floppy_raw[MACHINE_FLOPPIES];
    struct machine_ide_drive ide[MACHINE_IDE_DRIVES];
    struct status image_failure; /* the first of the host's, with any image */
    enum machine_reset_request reset_request;
    const char *stop_reason;
    int exit_status;
};

/* ---- machine_probe.c */

/* Whether machine_request_break() was called, which then is done with. */
bool machine_take_break(struct machine *machine);

/* The CPU accesses a port. */
void machine_note_port(struct machine *machine, uint16_t port, unsigned width, bool write, uint32_t value);

/* ---- machine.c */

/* The reset itself. */
void machine_reset_now(struct machine *machine);

/* Has the CPU, or everything, reset at the next instruction boundary. */
void machine_request_reset(struct machine *machine, enum machine_reset_request request, const char *reason);
/* Ends machine_run() with MACHINE_POWER_OFF at the next instruction boundary. `reason`: a static string. */
void machine_request_power_off(struct machine *machine, const char *reason);

/* ---- machine_config.c */

/* The processor that is asked for. */
struct status machine_config_model(const struct machine_config *config,
                                   struct cpu_model *model) STATUS_MUST_CHECK;

/* ---- machine_pc.c: the board */

/* Builds all chips and maps memory. On failure machine_pc_destroy() clears away what was built. */
struct status machine_pc_create(struct machine *machine,
                                const struct machine_config *config) STATUS_MUST_CHECK;
void machine_pc_destroy(struct machine *machine);
void machine_pc_reset(struct machine *machine);
void machine_pc_set_ferr(struct machine *machine, bool level);

/* The CMOS shutdown byte says that a reset of the CPU alone is a way out of protected mode, not a reboot. */
bool machine_pc_resumes_after_reset(const struct machine *machine);

/* Keeps `device` for reset, `info` and destruction. */
void machine_add_device(struct machine *machine, struct device *device);

/* What chips are created with. */
struct device_host machine_device_host(struct machine *machine);

/* ---- groups of chips, each in a file of its own */

/* machine_interrupts.c: interrupt controllers and HPET. */
struct status machine_interrupts_create(struct machine *machine) STATUS_MUST_CHECK;
struct status machine_interrupts_describe_to_firmware(struct machine *machine) STATUS_MUST_CHECK;
/* A chip's line to ISA IRQ `irq`, 0..15, to be driven by one chip. */
struct irq_line machine_isa_irq(struct machine *machine, unsigned irq);
/* The CPU's INTA cycle: the vector. */
int machine_interrupts_acknowledge(struct machine *machine);
/* The CPU's IA32_APIC_BASE has changed. */
void machine_interrupts_set_apic_base(struct machine *machine);
/* The CPU was initialised, not reset. */
void machine_interrupts_initialize(struct machine *machine);

/* machine_floppy.c */
struct status machine_floppy_create(struct machine *machine,
                                    const struct machine_config *config) STATUS_MUST_CHECK;
/* Whether machine_insert_floppy() would do, and the CRC-32 of the image. */
struct status machine_check_floppy(struct machine *machine, unsigned drive, const char *path, bool read_only,
                                   uint32_t *crc) STATUS_MUST_CHECK;
/* `crc`: what the image's CRC-32 must be; NULL: anything. */
struct status machine_insert_floppy(struct machine *machine, unsigned drive, const char *path, bool read_only,
                                    const uint32_t *crc) STATUS_MUST_CHECK;

/* machine_ide.c */
struct status machine_ide_create(struct machine *machine,
                                 const struct machine_config *config) STATUS_MUST_CHECK;
/* The same as for floppy disks. */
struct status machine_check_disc(struct machine *machine, unsigned drive, const char *path,
                                 uint32_t *crc) STATUS_MUST_CHECK;
struct status machine_insert_disc(struct machine *machine, unsigned drive, const char *path, bool force,
                                  const uint32_t *crc) STATUS_MUST_CHECK;
struct status machine_remove_disc(struct machine *machine, unsigned drive, bool force) STATUS_MUST_CHECK;
bool machine_disc_is_locked(const struct machine *machine, unsigned drive);
/* CMOS memory and the file "bios-geometry". */
struct status machine_ide_describe_to_firmware(struct machine *machine) STATUS_MUST_CHECK;

/* machine_serial.c: the serial ports and the debug console, connected to their streams. */
struct status machine_serial_create(struct machine *machine,
                                    const struct machine_config *config) STATUS_MUST_CHECK;
void machine_serial_disconnect(struct machine *machine);

/* The bytes go to port `port`, now. */
void machine_serial_deliver(struct machine *machine, unsigned port, const uint8_t *bytes, size_t length);

/* machine_vga.c: the VGA as a PCI card with its ROM. */
struct status machine_vga_create(struct machine *machine) STATUS_MUST_CHECK;
void machine_vga_destroy(struct machine *machine);

/* machine_boot.c: tells the firmware what to boot from; after all drives and fw_cfg. */
struct status machine_boot_create(struct machine *machine,
                                  const struct machine_config *config) STATUS_MUST_CHECK;
/* The machine is being reset: -boot once= does not hold any longer. */
void machine_boot_forget_once(struct machine *machine);

#define MACHINE_BOOT_PATH_MAX 48

/* The firmware's name of IDE drive 0 to 3. */
void machine_boot_ide_path(unsigned drive, char path[MACHINE_BOOT_PATH_MAX]);

/* machine_setup.c: what firmware finds in CMOS memory and fw_cfg. */
struct status machine_describe_to_firmware(struct machine *machine,
                                           const struct machine_config *config) STATUS_MUST_CHECK;

/* ---- machine_input.c: what comes from outside */

/* Connects machine_input(). */
void machine_input_create(struct machine *machine);
/* Does what the record says, now. Errors: an image cannot be read or is another one than it was. */
struct status machine_apply_input(struct machine *machine,
                                  const struct input_record *record) STATUS_MUST_CHECK;
/* Something comes in, `kind`, `numbers` and `bytes` of it: does it now, or when the recording says. */
void machine_submit_input(struct machine *machine, const struct input_record *record);

/* ---- machine_replay.c */

void machine_replay_destroy(struct machine *machine);
/* Inputs have to wait for their time; and they do not count at all. */
bool machine_queues_inputs(const struct machine *machine);
bool machine_is_replaying(const struct machine *machine);
/* They wait since they are written down. */
bool machine_is_recording(const struct machine *machine);
/* While inputs wait. */
void machine_replay_queue(struct machine *machine, const struct input_record *record);
/* Bytes for serial port `port` that wait for their time. */
size_t machine_replay_serial_waiting(const struct machine *machine, unsigned port);
/* Between two instructions, behind the events that were due: applies the inputs whose time has come. True:
 * the recording or the replay is over. */
bool machine_replay_take_inputs(struct machine *machine);
void machine_replay_note_power_off(struct machine *machine);

/* For history: applied inputs are kept from now on, those that come in wait. */
struct status machine_replay_keep(struct machine *machine) STATUS_MUST_CHECK;
/* Nothing of what was applied is applied again, nor, when this is the past, what came in behind. */
void machine_replay_forget_kept(struct machine *machine, bool in_past);
/* How many were applied. To be set to what it was when the machine was there: the others will be applied
 * again at their times. */
size_t machine_replay_position(const struct machine *machine);
void machine_replay_set_position(struct machine *machine, size_t position);
void machine_replay_visit_state(struct machine *machine, const struct state_visitor *visitor);

/* ---- machine_history.c */

void machine_history_destroy(struct machine *machine);
/* The machine goes on. */
void machine_history_begin_run(struct machine *machine);
/* In machine_run()'s loop, between two instructions. */
void machine_history_note(struct machine *machine);
/* The machine has not done what it did before. */
void machine_history_note_difference(struct machine *machine);

/* ---- machine_identity.c */

/* The text is the caller's. */
struct status machine_identity(struct machine *machine, char **text) STATUS_MUST_CHECK;
struct status machine_identity_compare(const char *recorded, const char *present) STATUS_MUST_CHECK;
/* Of all sectors. */
struct status machine_image_crc(struct block_device *image, uint32_t *crc) STATUS_MUST_CHECK;
/* STATUS_CORRUPT: it is not what it was. */
struct status machine_image_check(struct block_device *image, uint32_t crc) STATUS_MUST_CHECK;

#endif

/* QEMU's isa-debug-exit: a port by which a test program ends the machine and says how it went. The board, or
 * the command line, decides what a value means (QEMU: exit status value * 2 + 1). Reads give zeros. */
#ifndef DOPPEL_DEVICES_ISA_DEBUG_EXIT_H
#define DOPPEL_DEVICES_ISA_DEBUG_EXIT_H

#include "devices/device.h"

#define ISA_DEBUG_EXIT_PORT  0xF4u
#define ISA_DEBUG_EXIT_PORTS 4u

struct isa_debug_exit;

struct isa_debug_exit_config {
    uint16_t base;   /* first port */
    uint16_t length; /* 1 to 4 ports */
    /* The guest wrote `value`, from within its OUT instruction. */
    void (*exit)(void *opaque, uint32_t value);
    void *opaque;
};

/* Errors: STATUS_INVALID_ARGUMENT for another length, ports taken, out of memory. */
struct status isa_debug_exit_create(const struct device_host *host,
                                    const struct isa_debug_exit_config *config,
                                    struct isa_debug_exit **device) STATUS_MUST_CHECK;

struct device *isa_debug_exit_device(struct isa_debug_exit *exit_device);

#endif

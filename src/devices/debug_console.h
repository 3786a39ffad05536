/* The emulators' debug console: a byte written to port E9h (Bochs) or 402h (SeaBIOS in QEMU mode) goes to the
 * host; both ports read E9h, by which guests recognise them. */
#ifndef DOPPEL_DEVICES_DEBUG_CONSOLE_H
#define DOPPEL_DEVICES_DEBUG_CONSOLE_H

#include "devices/device.h"

struct debug_console;

struct debug_console_config {
    void (*write)(void *opaque, uint8_t byte); /* NULL: bytes are dropped */
    void *opaque;
};

/* Errors: ports taken, out of memory. */
struct status debug_console_create(const struct device_host *host, const struct debug_console_config *config,
                                   struct debug_console **console) STATUS_MUST_CHECK;

struct device *debug_console_device(struct debug_console *console);

#endif

/* -boot, as QEMU spells it. */
#ifndef DOPPEL_APP_OPTIONS_BOOT_H
#define DOPPEL_APP_OPTIONS_BOOT_H

#include "base/status.h"
#include "machine/machine.h"

/* ORDER or order=ORDER, once=ORDER, menu=on|off, splash-time=MS, reboot-timeout=MS|-1, strict=on|off. The
 * value is cut up and kept. Which letters an order may have is machine_config_check()'s business. */
struct status options_set_boot(struct machine_boot_config *boot, char *value) STATUS_MUST_CHECK;

#endif

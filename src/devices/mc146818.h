/* The MC146818 real-time clock with 256 bytes of CMOS memory (Motorola MC146818A datasheet; the second bank
 * and the NMI mask: 82371SB PIIX3 datasheet §2.5.4).
 *
 * Ports: 70h index (bit 7: NMI disabled), 71h data, 72h-73h the upper 128 bytes. The index ports are
 * write-only and read as FFh.
 *
 * The time of day is a start time plus the virtual clock; the once-a-second update happens at the end of its
 * second and UIP is set for the 2228 microseconds before it (244 + 1984, as with a 32768 Hz crystal). The
 * periodic interrupt counts that crystal exactly and is caught up with like the 8254's lines (i8254.h): late
 * ones follow each other at a quarter of their period, a backlog of more than a second is dropped.
 *
 * NOT IMPLEMENTED: daylight saving (DSE has no effect), the square wave output pin, crystals other than 32768
 * Hz (register A's divider bits only stop the clock when they say reset). */
#ifndef DOPPEL_DEVICES_MC146818_H
#define DOPPEL_DEVICES_MC146818_H

#include "devices/device.h"

#define MC146818_CENTURY 0x32 /* the CMOS byte in which the PC keeps the century */

struct mc146818;

struct mc146818_config {
    int64_t start_seconds; /* what the clock shows at virtual time 0, in seconds since 1970-01-01 00:00:00 */
    struct irq_line irq;
    struct irq_line nmi_disabled; /* bit 7 of port 70h */
};

/* Errors: ports taken, out of memory. */
struct status mc146818_create(const struct device_host *host, const struct mc146818_config *config,
                              struct mc146818 **rtc) STATUS_MUST_CHECK;

struct device *mc146818_device(struct mc146818 *rtc);

/* Battery-backed memory, for the machine to fill: `index` 0Eh..FFh (80h and up is the second bank). The
 * century byte belongs to the clock and cannot be set. */
void mc146818_set_cmos(struct mc146818 *rtc, uint8_t index, uint8_t value);
uint8_t mc146818_cmos(const struct mc146818 *rtc, uint8_t index);

/* Stores the AT's checksum of 10h..2Dh in 2Eh-2Fh. */
void mc146818_update_checksum(struct mc146818 *rtc);

/* What the clock shows now, in seconds since 1970. */
int64_t mc146818_seconds(struct mc146818 *rtc);

#endif

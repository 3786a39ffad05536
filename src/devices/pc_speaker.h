/* Port 61h, the PC's system control port B: NMI status and control, the speaker and the gate of timer 2 (IBM
 * PC/AT Technical Reference; 82371SB PIIX3 datasheet §2.5.5, NMISC).
 *
 * Bit 0 gate of timer 2, bit 1 speaker data, bits 2-3 disable SERR#/IOCHK# NMIs, bit 4 refresh cycle toggle,
 * bit 5 OUT of timer 2, bits 6-7 the NMI sources (always 0: nothing asserts them).
 *
 * NOT IMPLEMENTED: NMI sources. */
#ifndef DOPPEL_DEVICES_PC_SPEAKER_H
#define DOPPEL_DEVICES_PC_SPEAKER_H

#include "devices/device.h"
#include "devices/signal_probe.h"

struct pc_speaker;

struct pc_speaker_config {
    struct irq_line timer2_gate;
    struct signal_probe timer2_out;
    struct signal_probe refresh_toggle;
};

/* Errors: port taken, out of memory. */
struct status pc_speaker_create(const struct device_host *host, const struct pc_speaker_config *config,
                                struct pc_speaker **speaker) STATUS_MUST_CHECK;

struct device *pc_speaker_device(struct pc_speaker *speaker);

/* The level at the speaker's cone now: timer 2's OUT while speaker data is on, else low. */
bool pc_speaker_level(const struct pc_speaker *speaker);

/* Speaker data (bit 1): whether timer 2's wave reaches the speaker. */
bool pc_speaker_is_on(const struct pc_speaker *speaker);

#endif

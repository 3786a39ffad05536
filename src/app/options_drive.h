/* The options that describe drives and devices by lists of key=value, in QEMU's words. */
#ifndef DOPPEL_APP_OPTIONS_DRIVE_H
#define DOPPEL_APP_OPTIONS_DRIVE_H

#include "machine/machine.h"

/* -hda to -hdd: FILE[,readonly]. `value` is cut up and stays referred to. */
struct status options_set_disk(struct machine_config *machine, unsigned drive, char *value) STATUS_MUST_CHECK;

/* -cdrom FILE. */
struct status options_set_cdrom(struct machine_config *machine, char *value) STATUS_MUST_CHECK;

/* -drive key=value,... */
struct status options_add_drive(struct machine_config *machine, char *value) STATUS_MUST_CHECK;

/* -device NAME[,key=value,...] */
struct status options_add_device(struct machine_config *machine, char *value) STATUS_MUST_CHECK;

#endif

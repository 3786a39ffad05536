/* The reading end of a wire: an output pin of one chip that another chip samples when the guest reads a port,
 * as a value.
 *
 * The counterpart of an irq_line for levels that change too often to be announced. A zeroed probe reads low.
 */
#ifndef DOPPEL_DEVICES_SIGNAL_PROBE_H
#define DOPPEL_DEVICES_SIGNAL_PROBE_H

#include <stdbool.h>
#include <stddef.h>

struct signal_probe {
    bool (*level)(void *opaque, unsigned number);
    void *opaque;
    unsigned number;
};

static inline bool signal_probe_read(const struct signal_probe *probe)
{
    return probe->level != NULL && probe->level(probe->opaque, probe->number);
}

#endif

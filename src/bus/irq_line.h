/* A wire between two chips, as a value.
 *
 * The chip that drives the wire does not know what is at the other end; machine_pc.c connects the two. A
 * zeroed line is not connected: raising it does nothing. */
#ifndef DOPPEL_BUS_IRQ_LINE_H
#define DOPPEL_BUS_IRQ_LINE_H

#include <stdbool.h>
#include <stddef.h>

struct irq_line {
    void (*set)(void *opaque, unsigned number, bool level);
    void *opaque;
    unsigned number; /* which input of the receiving chip */
};

static inline void irq_line_set(const struct irq_line *line, bool level)
{
    if (line->set != NULL) {
        line->set(line->opaque, line->number, level);
    }
}

static inline void irq_line_raise(const struct irq_line *line)
{
    irq_line_set(line, true);
}

static inline void irq_line_lower(const struct irq_line *line)
{
    irq_line_set(line, false);
}

/* A low-to-high edge for edge-triggered inputs. */
static inline void irq_line_pulse(const struct irq_line *line)
{
    irq_line_set(line, true);
    irq_line_set(line, false);
}

#endif

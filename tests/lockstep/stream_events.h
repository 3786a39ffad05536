/* What devices do to a stream while it runs: a store to a device, or an OUT, is an event now and then.
 *
 * DMA writes over code and data; pages of memory become ROM, get other memory behind them, or load from one
 * and store to another; A20 opens and closes; entries of page tables change, and the processor is told in the
 * same instant, so that what is remembered of the old ones never shows. There are two address spaces, of
 * 32-bit paging or PAE, whose tables differ; in some streams the code's pages are global, or the pages of one
 * space are the supervisor's alone. The code is at STREAM_ALIASES as well, so that versions of its pages are
 * made and moved. The stream's own instructions go from one space to the other, by CR3 or by a task switch,
 * and change CR0.WP, CR0.PG, CR0.TS and CR4.PGE; functions do so between a call and its return.
 *
 * Code and data, 64 KiB of each from STREAM_CODE on, have two shadows, other bytes for the same pages: one is
 * at STREAM_HIGH, which is another name for the memory itself while A20 is off; the other one is what pages
 * get behind them.
 *
 * A stream that runs on other tables than its own (a CR3 that it made up) ends: what it sees would depend on
 * how long global pages are remembered.
 *
 * NOT IMPLEMENTED: events by what is read from devices; changes of which the processor is told later
 * (tests/paging). */
#ifndef DOPPEL_TESTS_STREAM_EVENTS_H
#define DOPPEL_TESTS_STREAM_EVENTS_H

#include "stream_guest.h"

/* Once, before the first stream. */
void stream_events_begin(struct stream_guest *guest);

/* Memory as it is at the beginning of a stream, whatever was mapped before. */
void stream_events_reset(struct stream_guest *guest);

/* Fills the shadows, once code and data are where they belong. */
void stream_events_write_shadows(struct stream_guest *guest, const struct stream *stream);

/* What streams without events never have: checks of alignment, virtual interrupts. */
void stream_events_set_up(struct cpu_state *cpu, const struct stream *stream);

/* Makes the tables of both address spaces, and turns paging on in the first. */
void stream_events_enable_paging(struct stream_guest *guest, const struct stream *stream);

/* Perhaps an event, drawn from `value` and what came before. */
void stream_events_happen(struct stream_guest *guest, uint32_t value);

#endif

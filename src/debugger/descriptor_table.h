/* The GDT, LDT and IDT as the guest has them in memory, read without any effect (SDM 3A §3.5, §6.11). */
#ifndef DOPPEL_DEBUGGER_DESCRIPTOR_TABLE_H
#define DOPPEL_DEBUGGER_DESCRIPTOR_TABLE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/status.h"

struct machine;

enum descriptor_table_kind { DESCRIPTOR_GDT, DESCRIPTOR_LDT, DESCRIPTOR_IDT };

/* One entry; what it means depends on whether it describes a segment or is a gate. */
struct descriptor_view {
    uint16_t attributes;  /* enum segment_attribute */
    uint32_t base, limit; /* of a segment; granularity applied */
    uint16_t gate_selector;
    uint32_t gate_offset;
    uint8_t gate_parameters;
};

/* Linear address and length in bytes of a table as it is now. False: there is none (no LDT; the IDT of real
 * mode holds no descriptors). */
bool descriptor_table_place(struct machine *machine, enum descriptor_table_kind kind, uint64_t *base,
                            uint32_t *length);

/* Entry `number`. Errors: beyond the table, or its memory cannot be read. */
struct status descriptor_table_read(struct machine *machine, enum descriptor_table_kind kind, uint32_t number,
                                    struct descriptor_view *view) STATUS_MUST_CHECK;

/* The base of the segment that `selector` names. Errors: null, beyond its table, a gate. */
struct status descriptor_table_segment_base(struct machine *machine, uint16_t selector,
                                            uint64_t *base) STATUS_MUST_CHECK;

bool descriptor_view_is_gate(const struct descriptor_view *view);

/* One line without its end: "base 00000000 limit ffffffff ring 0 code32 readable accessed". */
void descriptor_view_print(const struct descriptor_view *view, FILE *out);

/* The same for a segment register's hidden part. */
void descriptor_print_segment(uint64_t base, uint32_t limit, uint16_t attributes, FILE *out);

#endif

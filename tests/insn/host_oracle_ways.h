/* What processors do differently beside results: the order of checks, what is left behind a fault, where a
 * trap points. The engines do as Intel's, whose names the CPU models bear. The oracle asks the host's
 * processor about each, by a snippet in the helper, and leaves out what a host that does otherwise cannot
 * tell. */
#ifndef DOPPEL_TESTS_HOST_ORACLE_WAYS_H
#define DOPPEL_TESTS_HOST_ORACLE_WAYS_H

#include "host_oracle_snippet.h"

#define ORACLE_WAYS 9u

/* Writes the questions: the `before` parts of the first ORACLE_WAYS slots, and their code. */
void oracle_ways_ask(uint32_t end_address, struct oracle_slot *slots, uint8_t *code);

/* From the slots as the helper leaves them: bit n is set when the host has way n. */
uint32_t oracle_ways_of(const struct oracle_slot *slots);

/* Changes instructions of a snippet after which a host with these ways would go on elsewhere than the
 * engines: what both sides then leave in memory could not be compared. */
void oracle_ways_avoid(uint32_t ways_of_host, struct snippet *snippet);

/* The first of `ways` that a snippet at `address` met which the host left as in *slot; ORACLE_WAYS: none. */
unsigned oracle_way_met(uint32_t ways, const struct snippet *snippet, uint32_t address,
                        const struct oracle_slot *slot);

/* What the host does, for the report. */
const char *oracle_way_text(unsigned way);

#endif

/* The emulated twin of the oracle's helper process: user code in flat 32-bit protected mode with paging,
 * where the same pages lie at the same linear addresses. */
#ifndef DOPPEL_TESTS_HOST_ORACLE_GUEST_H
#define DOPPEL_TESTS_HOST_ORACLE_GUEST_H

#include "cpu_bench.h"
#include "host_oracle_shared.h"

struct oracle_guest {
    struct cpu_bench *bench;
    struct segment segment[CPU_SEGMENTS]; /* as user code finds them */
    uint32_t end_address;
};

/* Selectors as Linux gives them to a 32-bit process. */
enum oracle_selector { ORACLE_CODE_SELECTOR = 0x23, ORACLE_DATA_SELECTOR = 0x2b };

struct oracle_guest oracle_guest_create(const struct oracle_header *header,
                                        const struct engine_config *engine);
void oracle_guest_destroy(struct oracle_guest *guest);

/* Replaces the code of all snippets. */
void oracle_guest_load_code(struct oracle_guest *guest, const uint8_t *code);

/* The data pages as the guest has them now. */
uint8_t *oracle_guest_data(struct oracle_guest *guest);

/* Runs one snippet from slot->before and the window; the result goes to *after and window_after. */
void oracle_guest_run(struct oracle_guest *guest, const struct oracle_slot *slot,
                      struct oracle_registers *after, uint8_t *float_after, uint8_t *window_after);

#endif

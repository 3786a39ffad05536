/* Random snippets of user-mode code for the host-CPU oracle.
 *
 * Bytes are drawn at random and kept when the decoder finds an instruction in them that both sides define;
 * then its operands are moved to where something can be seen: addresses into the windows, targets into the
 * padding. */
#ifndef DOPPEL_TESTS_HOST_ORACLE_SNIPPET_H
#define DOPPEL_TESTS_HOST_ORACLE_SNIPPET_H

#include "decoder/decoder.h"
#include "host_oracle_shared.h"

#define SNIPPET_MAX_INSNS 5u

struct snippet {
    uint8_t bytes[ORACLE_CODE_BYTES];
    unsigned length; /* without the jump to the end and the padding */
    unsigned count;  /* instructions */
    uint8_t start[SNIPPET_MAX_INSNS];
    uint16_t id[SNIPPET_MAX_INSNS]; /* enum insn_id */
    /* Flags that the SDM leaves undefined in front of instruction n (after it: n + 1). */
    uint32_t undefined_flags[SNIPPET_MAX_INSNS + 1];
};

/* Whether the generator may choose this instruction. */
bool snippet_allows(const struct insn *insn);

/* Snippet `number` of the sequence `seed`: its bytes, and in the slot's `before` parts the state
 * it starts from. `address` is where it will stand. */
void snippet_generate(uint64_t seed, uint64_t number, uint32_t address, uint32_t end_address,
                      struct snippet *snippet, struct oracle_slot *slot);

/* Puts a jump to `end_address` and padding behind the instructions of a snippet at `address`. */
void snippet_finish(struct snippet *snippet, uint32_t address, uint32_t end_address);

/* The EFLAGS bits that are defined when a snippet stops at `eip` with `vector`. */
uint32_t snippet_defined_flags(const struct snippet *snippet, uint32_t address, uint32_t eip,
                               uint32_t vector);

#endif

/* The floating-point and vector part of the oracle's snippets: which instructions, and the values they find.
 */
#ifndef DOPPEL_TESTS_HOST_ORACLE_FLOAT_H
#define DOPPEL_TESTS_HOST_ORACLE_FLOAT_H

#include "decoder/decoder.h"
#include "host_oracle_shared.h"

/* Offsets in an FXSAVE image (SDM 2, FXSAVE). */
enum fxsave_offset {
    FX_CONTROL = 0,
    FX_STATUS = 2,
    FX_TAGS = 4,
    FX_MXCSR = 24,
    FX_MXCSR_MASK = 28,
    FX_REGISTERS = 32,
    FX_XMM = 160
};

/* Whether x87, MMX or SSE instruction `insn` may be chosen: its outcome is the same on all processors. */
bool float_allows(const struct insn *insn);

/* Bytes that are likely to be an x87, MMX or SSE instruction; `bytes` has room for 16. */
void float_draw_bytes(uint64_t *random, uint8_t *bytes);

/* An FXSAVE image: registers of every class of numbers, all rounding modes, exceptions masked or not. */
void float_draw_state(uint64_t *random, uint8_t *image);

/* Numbers of all formats over `size` bytes of memory. */
void float_draw_memory(uint64_t *random, uint8_t *bytes, unsigned size);

/* Whether two FXSAVE images agree in everything that is defined; the instruction and data pointers are not.
 */
bool float_same_state(const uint8_t *one, const uint8_t *other);

/* Prints what differs. */
void float_print_difference(const uint8_t *before, const uint8_t *host, const uint8_t *ours);

#endif

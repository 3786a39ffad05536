/* What the host-CPU oracle shares with the 32-bit process that runs its snippets natively.
 *
 * One memfd holds everything: the header, the code of a batch, the data pages, and a slot for each snippet
 * with the state before and after. The helper maps its parts at the fixed linear addresses below; the
 * emulated machine has the same bytes at the same addresses. Only fixed-width types: the two sides are
 * compiled for different word sizes. */
#ifndef DOPPEL_TESTS_HOST_ORACLE_SHARED_H
#define DOPPEL_TESTS_HOST_ORACLE_SHARED_H

#include <stdint.h>

#define ORACLE_SLOTS      4096u
#define ORACLE_CODE_BYTES 64u /* of one snippet, padding included */

/* Linear addresses. Of the data pages the first two are writable, the third is read-only, and the fourth is
 * not there; they are seen at ORACLE_LOW too, where 16-bit addresses reach. Data is not executable. */
#define ORACLE_CODE 0x10000000u
#define ORACLE_DATA 0x10100000u
#define ORACLE_LOW  0x00008000u

#define ORACLE_PAGE       4096u
#define ORACLE_DATA_PAGES 3u

/* The bytes that each snippet finds set and that are looked at afterwards: around the border of the two
 * writable pages, and before the read-only one. Offsets from ORACLE_DATA. */
#define ORACLE_WINDOW1       0xf00u
#define ORACLE_WINDOW1_BYTES 0x200u
#define ORACLE_WINDOW2       0x1f80u
#define ORACLE_WINDOW2_BYTES 0x80u
#define ORACLE_WINDOW_BYTES  (ORACLE_WINDOW1_BYTES + ORACLE_WINDOW2_BYTES)

/* What a register set's vector says when the snippet ran to its end. */
#define ORACLE_NO_VECTOR 0xffffffffu

struct oracle_registers {
    uint32_t gpr[8]; /* AX CX DX BX SP BP SI DI */
    uint32_t eip;
    uint32_t eflags;
    uint32_t vector; /* of the exception, or ORACLE_NO_VECTOR */
    uint32_t error_code;
    uint32_t cr2;
};

#define ORACLE_FXSAVE_BYTES 512u

struct oracle_slot {
    struct oracle_registers before;
    struct oracle_registers after;
    uint8_t float_before[ORACLE_FXSAVE_BYTES]; /* FXSAVE images */
    uint8_t float_after[ORACLE_FXSAVE_BYTES];
    uint8_t window_before[ORACLE_WINDOW_BYTES];
    uint8_t window_after[ORACLE_WINDOW_BYTES];
};

struct oracle_header {
    uint32_t end_address; /* set by the helper: snippets end with a jump here */
    uint32_t low_pages;   /* set by the helper: the pages at ORACLE_LOW could be mapped */
    uint32_t count;       /* slots in use */
    uint32_t current;     /* slot that is being run */
};

/* Offsets in the memfd. */
#define ORACLE_CODE_OFFSET 0x1000u
#define ORACLE_DATA_OFFSET (ORACLE_CODE_OFFSET + ORACLE_SLOTS * ORACLE_CODE_BYTES)
#define ORACLE_SLOT_OFFSET (ORACLE_DATA_OFFSET + ORACLE_DATA_PAGES * ORACLE_PAGE)
#define ORACLE_FILE_BYTES                                                                                    \
    (ORACLE_SLOT_OFFSET + ORACLE_SLOTS * (uint32_t)sizeof(struct oracle_slot) + ORACLE_PAGE)

/* File descriptors of the helper. */
#define ORACLE_FD_MEMORY   3 /* the memfd */
#define ORACLE_FD_COMMANDS 4 /* one byte read per batch; the end of the stream ends the helper */
#define ORACLE_FD_ANSWERS  5 /* one byte written when ready, and per batch */

#endif

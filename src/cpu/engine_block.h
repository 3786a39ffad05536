/* Host code that an engine made from guest code, as debuggers see it.
 *
 * A block has host code in this order: a prologue; a piece for each guest instruction; what is out of line.
 * Its tables are elsewhere. Where the pieces end is in a table of its own, two bytes for an instruction. A
 * loop may have several *rounds*: pieces of the same guest instructions again. */
#ifndef DOPPEL_CPU_ENGINE_BLOCK_H
#define DOPPEL_CPU_ENGINE_BLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define ENGINE_PIECE_HOST_MAX 1023u /* bytes */

/* What became of a guest instruction. */
enum engine_piece_kind {
    PIECE_TRANSLATED, /* host code does its work */
    PIECE_CALLOUT,    /* another engine is called to execute it */
    PIECE_TRAP        /* host code traps, and what answers the trap emulates it */
};

/* The table: its head, and pieces in the order of the instructions, as engine_piece_pack() makes them. */
struct engine_block_notes {
    uint16_t prologue; /* bytes of host code */
    uint16_t round;    /* instructions in one pass through the guest's bytes */
    uint16_t piece[];
};

struct engine_piece {
    unsigned guest_size; /* bytes, 1 to 15 */
    unsigned host_size;  /* bytes, up to ENGINE_PIECE_HOST_MAX */
    enum engine_piece_kind kind;
};

struct engine_block {
    uint64_t phys; /* effective guest-physical address of the first guest byte */
    uint64_t tail; /* likewise of the page that has the bytes beyond the first one's end; none: UINT64_MAX */
    uint32_t eip;
    unsigned guest_size; /* bytes */
    unsigned insn_count; /* with every round */
    unsigned code_bits;  /* 16, 32: how the guest bytes were decoded */
    const uint8_t *host;
    unsigned host_size; /* bytes */
    const void *tables;
    unsigned tables_size; /* bytes */
    const struct engine_block_notes *notes;
    unsigned links;    /* jumps that go directly to another block */
    unsigned samples;  /* how often a budget ended here: where the guest spends its time */
    char assumes[128]; /* about the CPU, in words */
};

static inline uint16_t engine_piece_pack(struct engine_piece piece)
{
    return (uint16_t)((unsigned)piece.kind << 14 | piece.host_size << 4 | piece.guest_size);
}

static inline struct engine_piece engine_block_piece(const struct engine_block *block, unsigned index)
{
    unsigned packed = block->notes->piece[index];
    return (struct engine_piece){.guest_size = packed & 15,
                                 .host_size = packed >> 4 & ENGINE_PIECE_HOST_MAX,
                                 .kind = (enum engine_piece_kind)(packed >> 14)};
}

#endif

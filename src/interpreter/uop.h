/* What decoded instructions become: micro-operations in blocks, and the state of a running interpreter.
 *
 * A block is a run of instructions on one physical page, ended by a control transfer, a change of something
 * later instructions were decoded under, the page's end, or MAX_BLOCK_UOPS. Each instruction is one uop: a
 * handler and its operands, resolved as far as they can be. Handlers call the next one as a tail call
 * ("threaded dispatch"). The last uop of a block goes on with the next block when the jump cache knows it and
 * nothing is due (jump_cache.h: a *chain* of blocks), or returns to the run loop. Chains have a maximum
 * length, so that the host stack stays bounded even where the compiler makes no tail calls.
 *
 * While a block runs, cpu->rip is stale: the instruction's address is block_rip + uop->offset. in->current
 * points at the uop being executed, from which the run loop and the slow paths recover RIP and the count of
 * retired instructions; therefore a handler that faults (by longjmp) must not have changed guest state yet.
 */
#ifndef DOPPEL_INTERPRETER_UOP_H
#define DOPPEL_INTERPRETER_UOP_H

#include <setjmp.h>

#include "cpu/cpu.h"
#include "cpu/engine.h"
#include "decoder/decoder.h"
#include "mmu/mmu.h"

#define MAX_BLOCK_UOPS 32u

struct interpreter;
struct uop;

/* The three arguments stay in registers from one handler to the next. */
typedef void uop_handler(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in);

/* Half a line of the host's cache: cold code is most of all that is decoded. The instruction ends where the
 * next uop's begins. */
struct uop {
    uop_handler *run;
    uint32_t immediate;    /* sign-extended as the encoding says; handlers use the low operand-size bytes */
    uint32_t displacement; /* added to the effective address */
    uint16_t offset;       /* of the instruction from the block's first byte */
    uint16_t insn;         /* enum insn_id */
    uint16_t destination;  /* byte offset in cpu_state of the first operand, when it is a general register */
    uint16_t source;       /* the same for the second operand */
    uint8_t operand_size;  /* 2, 4 */
    uint8_t address_cut;   /* upper bits that the effective address has not: 16, 0 */
    uint8_t segment;       /* of the memory operand */
    uint8_t base, index;   /* general register slots, CPU_ZERO for none */
    uint8_t scale;
    uint8_t position; /* in the block */
    uint8_t number;   /* register number (segment, control, debug), ENTER's level, the repeat prefixes of enum
                         insn_prefix, or another small number */
};

struct block {
    uint64_t phys;      /* effective guest-physical address of the first byte */
    uint8_t code_size;  /* 2 or 4: together with phys the key */
    uint8_t count;      /* instructions */
    uint16_t length;    /* bytes */
    uint16_t jump_slot; /* the one jump cache entry that may lead here */
    uint8_t visits;     /* executions by run_cold(); UINT8_MAX: or more */
    bool dead;          /* not found any more */
    struct block *hash_next;
    struct block *page_next; /* other blocks of the same page bucket */
    struct block **page_back;
    struct uop uops[]; /* count, and one that leaves the block */
};

#define JUMP_CACHE_BITS    14
#define JUMP_CACHE_ENTRIES (1u << JUMP_CACHE_BITS)

/* Maps a linear address under one mapping generation to a block; see jump_cache.h for the tag. */
struct jump_cache_entry {
    uint64_t tag;
    struct block *block;
};

#define BLOCK_HASH_BITS 18
#define PAGE_HASH_BITS  16

#define BLOCK_SEGMENTS 16u

/* Memory that blocks lie in, one behind the other. */
struct block_segment {
    uint8_t *bytes; /* NULL: not allocated yet */
    size_t used;
};

struct block_cache {
    struct block *by_address[1u << BLOCK_HASH_BITS];
    struct block *by_page[1u << PAGE_HASH_BITS];
    struct block_segment segments[BLOCK_SEGMENTS];
    unsigned current; /* segment */
};

#define CROSSING_BITS 10

struct crossing_insn {
    struct block *block; /* one instruction; NULL: none */
    uint8_t bytes[INSN_MAX_LENGTH];
};

struct interpreter {
    struct cpu_engine engine;
    struct cpu_state *cpu;
    struct mmu *mmu;
    struct tlb_entry *tlb; /* of the privilege that the current chain runs at */

    const struct uop *current; /* being executed */
    struct block *block;       /* being executed */
    uint64_t block_rip;        /* RIP of its first instruction */
    uint64_t block_retired;    /* instructions retired before it */
    uint64_t stop_at;          /* value of cpu->retired at which run() returns */
    uint64_t chain_until;      /* value of cpu->retired up to which blocks follow each other directly */
    uint64_t jump_context;     /* upper part of jump cache tags in the current chain */
    uint64_t
        rip_mask; /* width of the instruction pointer: since the 80386, 16-bit code does not wrap either */
    uint32_t repeat_limit; /* iterations a repeated string instruction may do before it leaves the block */
    uint64_t held_dr6;     /* debug traps that were pending before the instruction run alone */
    unsigned warm;         /* of run_cold() */
    bool tracing;          /* -d exec or -d cpu is on, as of the start of run() */
    bool quiet;            /* who asked for one instruction has shown it already */
    bool one_by_one;       /* blocks are run instruction by instruction, for traces */
    struct uop *cut_uop;   /* of the running block, replaced by an exit; NULL: none */
    struct uop cut_original;

    struct jump_cache_entry jump_cache[JUMP_CACHE_ENTRIES];
    struct block_cache cache;
    struct crossing_insn crossing[1u << CROSSING_BITS];
    struct block
        *scratch; /* one instruction outside any cached block: page-crossing, at a limit, in a device */
    jmp_buf unwind;
};

/* Goes on with the next instruction of the block. */
static inline void uop_next(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    in->current = uop + 1;
    uop[1].run(cpu, uop + 1, in);
}

/* RIP of the instruction after `uop`. */
static inline uint64_t uop_next_rip(const struct uop *uop, const struct interpreter *in)
{
    return (in->block_rip + uop[1].offset) & in->rip_mask;
}

/* Which bits of an offset in a segment the instruction can tell. */
static inline uint32_t uop_address_mask(const struct uop *uop)
{
    return UINT32_MAX >> uop->address_cut;
}

/* Ends the block and the chain after `uop`, which set cpu->rip. Handlers return after this. */
static inline void uop_leave(const struct uop *uop, struct interpreter *in)
{
    in->current = uop + 1;
}

/* Ends the block and the chain after `uop`; execution goes on at the next instruction. */
static inline void uop_leave_to_next(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    cpu->rip = uop_next_rip(uop, in);
    uop_leave(uop, in);
}

/* Makes cpu->rip and cpu->retired true for the instruction at in->current: before anything that looks at
 * them. */
static inline void uop_sync(struct cpu_state *cpu, struct interpreter *in)
{
    cpu->rip = in->block_rip + in->current->offset;
    cpu->retired = in->block_retired + in->current->position;
}

/* Ends the block and the chain after the current instruction. Without effect when that does so anyway. */
void interpreter_stop_after_current(struct interpreter *in);

/* Fills *uop from *insn and picks the handler for this CPU model. `offset`: from the block's first byte.
 * Never fails: what does not exist becomes #UD. Returns true when the block must end here. */
bool interpreter_lower(const struct cpu_model *model, const struct insn *insn, unsigned offset,
                       struct uop *uop);

/* Leaves the block, and the chain, in front of the instruction at uop->offset. */
void interpreter_lower_exit(unsigned offset, struct uop *uop);

/* Goes on with the block at uop->offset, where this one ended without a control transfer. */
void interpreter_lower_continue(unsigned offset, struct uop *uop);

/* The handler that raises an exception the decoder found: #UD, or #GP(0) for too long an instruction. */
void interpreter_lower_invalid(bool too_long, unsigned offset, struct uop *uop);

/* ---- block_cache.c */

/* The block that starts at effective physical address `phys`, decoded now if need be. `bytes` is the host
 * address of phys, of which `available` bytes are on the page. NULL when not even one instruction fits or
 * memory is short. */
struct block *block_cache_get(struct interpreter *in, uint64_t phys, const uint8_t *bytes,
                              unsigned available);

/* The same when it was decoded before, NULL otherwise. */
struct block *block_cache_find(const struct interpreter *in, uint64_t phys);

/* As cpu_engine_ops.invalidate. The running block is told to stop after the current instruction. */
struct engine_range block_cache_invalidate(struct interpreter *in, struct engine_range range);

/* Drops all blocks. */
void block_cache_clear(struct interpreter *in);

/* Gives the memory back. */
void block_cache_release(struct interpreter *in);

/* ---- crossing.c */

/* The block of an instruction at `phys` that crossed its page's end when it was executed last; NULL: there is
 * none. It may have other bytes by now. */
const struct block *crossing_find(struct interpreter *in, uint64_t phys);

/* The block of the instruction at CS:RIP, whose `bytes` are cut off by the page's end, if it is remembered
 * and what memory holds; NULL otherwise. May raise the fault that fetching the rest meets. */
struct block *crossing_recall(struct interpreter *in, uint64_t phys, uint32_t linear, const uint8_t *bytes);

/* Keeps the instruction in in->scratch, if it crosses a page's end. */
void crossing_remember(struct interpreter *in, const uint8_t *bytes);
void crossing_clear(struct interpreter *in);

/* Removes `block` from the jump cache. */
void interpreter_forget_jumps_to(struct interpreter *in, struct block *block);

#endif

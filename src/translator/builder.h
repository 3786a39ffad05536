/* A block in the making: what the files that translate instructions share.
 *
 * translator_make_block() decodes the guest's bytes and calls one function of translate.def for each
 * instruction. That function writes host code, or returns false before it has changed anything that matters:
 * then the instruction becomes a callout. What an access needs when it misses, and every exit, is a site: its
 * out-of-line code, if any, follows the block's own, and its struct is in the tables. */
#ifndef DOPPEL_TRANSLATOR_BUILDER_H
#define DOPPEL_TRANSLATOR_BUILDER_H

#include "cpu/engine_block.h"
#include "decoder/decoder.h"
#include "translator/context.h"
#include "translator/emit.h"
#include "translator/groups.h"

#define MAX_BLOCK_INSNS 64u
/* How long a loop that is a block by itself becomes by repetition, at most. */
#define MAX_LOOP_INSNS 32u
#define MAX_INSN_SITES 8u
/* Those of the instructions, one for each side exit, and those of the block's beginning and end. */
#define MAX_BLOCK_SITES ((MAX_INSN_SITES + 1) * MAX_BLOCK_INSNS + 4)

/* The number of the guest register's host register; GPR_NONE: HOST_NONE. */
static inline unsigned host_gpr(unsigned guest)
{
    static const uint8_t host[] = {0, 9, 2, 3, 8, 5, 6, 7, [GPR_NONE] = HOST_NONE};
    return host[guest];
}

/* Where a guest operand is found: [base + index << scale + displacement] in `segment`; guest register
 * numbers, GPR_NONE for none. */
struct guest_operand {
    uint8_t segment, base, index, scale;
    uint8_t address_size; /* 2, 4 */
    uint8_t added;        /* enum added_offset */
    uint8_t bit_number;   /* ADDED_BITS: which register */
    int32_t displacement;
};

enum added_offset {
    ADDED_NOTHING,
    ADDED_AL,
    ADDED_BITS16, /* to the word or doubleword that has a bit of a bit string (SDM 2: BT) */
    ADDED_BITS32
};

/* The target of a Jcc in the middle of the block. */
struct side_exit {
    uint8_t *jump;
    uint32_t target;
    int32_t refund; /* instructions that were counted and are not executed */
};

/* Something in host code that depends on the block's EIP; see relocate.c. */
enum fixup_kind {
    FIXUP_EIP,    /* 32 bits that grow with it */
    FIXUP_RETURN, /* 32 bits that grow when it falls */
    FIXUP_JUMP    /* likewise as EIP, in the middle of emit_jump_cache_look() */
};

struct fixup {
    uint16_t position;
    uint16_t kind; /* enum fixup_kind */
};
#define MAX_BLOCK_FIXUPS (4 * MAX_BLOCK_INSNS)

/* What is known of an instruction before any host code is written. */
struct insn_plan {
    bool exists;       /* the CPU model has it */
    bool is_last;      /* the block cannot go on behind it: control, or what the block assumes, may change */
    bool begins_round; /* it jumps to the block's beginning, behind which the block goes on with another pass
                        */
    bool direct;       /* its accesses go to the window */
};

struct builder {
    struct translator *t;
    struct emitter e;
    uint32_t mode;
    uint32_t place; /* of EIP 0 (the jump cache) */
    uint32_t eip;   /* of the instruction that is being translated */
    uint32_t next_eip;
    uint32_t first_eip;
    unsigned page_offset;  /* of first_eip */
    unsigned body;         /* bytes of host code in front of the budget's check */
    bool has_tail;         /* the block's one instruction ends on the next page */
    unsigned index;        /* its number in the block */
    unsigned most;         /* instructions this block may have */
    unsigned count;        /* of instructions in the block */
    unsigned round;        /* of these, how many are one pass through the guest's bytes */
    bool ended;            /* nothing that follows is reached from here */
    bool has_checks;       /* some accesses may not go to the window */
    uint64_t phys;         /* of first_eip */
    const uint8_t *bytes;  /* the guest's, at first_eip */
    unsigned loaded_float; /* enum float_part set: loaded at this point of the block */
    unsigned site_count;
    unsigned insn_sites;              /* sites when this instruction began: their `next` is not known yet */
    enum engine_piece_kind kind;      /* of the instruction that is being translated */
    unsigned prologue;                /* bytes of host code in front of the first instruction */
    uint16_t pieces[MAX_BLOCK_INSNS]; /* as in struct engine_block_notes */
    struct insn insns[MAX_BLOCK_INSNS];
    struct insn_plan plans[MAX_BLOCK_INSNS];
    struct translator_site *sites;        /* in the block's tables */
    uint8_t *site_jumps[MAX_BLOCK_SITES]; /* 32-bit displacements to be bound to the sites' code out of line;
                                              NULL: there is none, a fault (window.c) or the budget leads to
                                              the site */
    struct group_state groups;
    bool movable; /* all that depends on EIP is in `fixups` or in sites */
    unsigned fixup_count;
    unsigned insn_fixups; /* fixups when this instruction began */
    struct fixup fixups[MAX_BLOCK_FIXUPS];
    unsigned side_exit_count;
    struct side_exit side_exits[MAX_BLOCK_INSNS];
};

typedef bool translate_function(struct builder *b, const struct insn *insn);

/* Whether each access walks the guest's page tables. */
static inline bool builder_walks(const struct builder *b)
{
    return b->t->mmu->strategy == MMU_WALK;
}

/* What is known of the instruction that is being translated. */
static inline const struct insn_plan *builder_plan(const struct builder *b)
{
    return &b->plans[b->index];
}

/* ---- sites (block.c) */

/* A site of the present instruction, reached by the jump whose displacement is at `jump`. */
struct translator_site *builder_add_site(struct builder *b, enum site_kind kind, uint8_t *jump);

/* Leaves the present instruction to the fallback unless rcx is 0. */
void emit_callout_unless_zero(struct builder *b);

static inline int32_t builder_position(const struct builder *b)
{
    return (int32_t)(b->e.at - b->e.begin);
}

/* ---- EIP in host code (relocate.c) */

/* The last four bytes written are `value`, which depends on EIP as `kind` says. */
void builder_note_eip(struct builder *b, enum fixup_kind kind, uint32_t value);

/* Whether blocks of this mode can be made movable at all. */
bool relocation_is_possible(uint32_t mode);

/* Copies what translator_move_version() needs to know of a movable block; returns how many bytes. */
size_t copy_fixups(const struct builder *b, uint8_t *to);

/* ---- guest memory (access.c) */

enum access_kind { ACCESS_LOAD, ACCESS_STORE }; /* what is read and then written is a STORE */

static inline struct guest_operand guest_operand_of(const struct insn *insn)
{
    struct guest_operand operand = {.segment = insn->memory.segment,
                                    .base = insn->memory.base,
                                    .index = insn->memory.index,
                                    .scale = insn->memory.scale,
                                    .address_size = insn->address_size,
                                    .displacement = (int32_t)(uint32_t)insn->displacement};
    return operand;
}

/* Whether accesses to this segment can be translated at all. */
static inline bool access_is_possible(const struct builder *b, const struct guest_operand *operand,
                                      enum access_kind kind)
{
    bool read_only = operand->segment == CPU_CS && (b->mode & MODE_PROTECTED);
    return mode_segment_class(b->mode, operand->segment) != SEGMENT_OTHER &&
           !(kind == ACCESS_STORE && read_only);
}

/* Writes the code that finds `width` bytes of the operand in host memory. Afterwards they are at the address
 * returned, [rcx + r10] or [r11 + r10] (`pointer`), until either register is written. */
struct host_address emit_access(struct builder *b, const struct guest_operand *operand, unsigned width,
                                enum access_kind kind, enum host_register pointer);

/* The same for 16 bytes at a multiple of 16, in r11; elsewhere the instruction is a callout, which raises
 * #GP.
 */
struct host_address emit_aligned_access(struct builder *b, const struct guest_operand *operand,
                                        enum access_kind kind);

/* The offset (not the linear address) of an operand in r10. */
void emit_offset(struct builder *b, const struct guest_operand *operand, unsigned to);

/* ---- the stack (stack.c) */

bool stack_is_possible(const struct builder *b);

/* The place below the top that a push writes, and the top itself; `width` 2 or 4. */
struct host_address emit_push_access(struct builder *b, unsigned width);
struct host_address emit_top_access(struct builder *b, unsigned width);

/* `size` bytes in one piece below the top, to be written, or from the top on; where a 16-bit stack wraps
 * within them this is a callout. */
struct host_address emit_frame_access(struct builder *b, unsigned size, bool push);

/* SP or ESP, as the stack is wide. Changes rcx. */
void emit_stack_adjust(struct builder *b, int32_t displacement);

/* ---- jumps (control.c) */

/* Whether this near transfer can be translated: no target is beyond CS's limit. */
bool control_is_possible(const struct builder *b, const struct insn *insn);

/* Whether this jump, the last instruction that was decoded, can lead to the block's first one. */
bool control_goes_to_first(const struct builder *b, const struct insn *insn);

/* Writes the exits of conditional jumps in the middle of the block. */
void emit_side_exits(struct builder *b);

/* Leaves the block for `target`, a constant: linked directly, or through the jump cache on another page.
 * `jump`: the displacement of a jump already written that leads there, NULL: execution arrives here. */
void emit_exit(struct builder *b, uint32_t target);
void emit_exit_from(struct builder *b, uint8_t *jump, uint32_t target);

/* The same when CS is another one, with the place `place` for its EIP 0. Only in MODE_PARAGRAPH. */
void emit_far_exit_from(struct builder *b, uint8_t *jump, uint32_t place, uint32_t target);

/* Goes to the constant EIP `target` by the jump cache. Returns the jump that is taken when it does not know.
 */
uint8_t *emit_jump_cache_look(struct builder *b, uint32_t place, uint32_t target);

/* Goes to the EIP in r10, sign-extended, by the jump cache. Returns the jump that is taken when it does not
 * know. `mode`: what the code there is executed in, NULL: what the struct translator says. */
uint8_t *emit_jump_cache_exit(struct emitter *e, const uint32_t *mode);

/* Leaves the block for the EIP in r10, sign-extended. `mode`: likewise. */
void emit_indirect_exit(struct builder *b, const uint32_t *mode);

/* The EIP that a call pushes, and the host's call with its landing (returns.c): returns the call's
 * displacement, to be bound to the way to the target. NULL: blocks are not chained. */
uint32_t return_eip(const struct builder *b, const struct insn *insn);
uint8_t *emit_call_and_landing(struct builder *b, const struct insn *insn);

/* Goes to the landing of the call that pushed the EIP in r10d. */
void emit_return(struct builder *b);

/* Where the operand of a wide transfer in 16-bit code, in r10d, is beyond 64 KiB, this is a callout. */
void emit_target_check(struct builder *b, const struct insn *insn);

/* ---- in stubs (stubs.c) */

/* The guest's arithmetic flags from the host's into t->flags, and back. Changes eax. */
void emit_save_flags(struct emitter *e);
void emit_restore_flags(struct emitter *e);

/* The site of number cl in the tables at r11 into rcx. */
void emit_site_address(struct emitter *e);

/* The functions of translate.def. */
#define TRANSLATOR(function, accesses) translate_function function;
#define TRANSLATE(id, function)
#include "translator/translate.def"
#undef TRANSLATOR
#undef TRANSLATE

#endif

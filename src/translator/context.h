/* The state of a running translator, as translated code and its C helpers share it.
 *
 * Convention of translated code. Guest registers stay in host registers:
 *
 *     EAX rax   EDX rdx   EBX rbx   EBP rbp   ESI rsi   EDI rdi   ECX r9   ESP r8     upper halves zero
 *
 * and the guest's arithmetic flags in the host's. rcx, r10, r11 are free between guest instructions; r12 is
 * the jump cache's context, r13 the complement of the budget, r14 the struct translator, r15 the fast TLB of
 * the privilege plus 12: its low six bits serve as the shift count PAGE_SHIFT. rsp is on the return stack,
 * where only guest calls push anything (returns.c). What is added to the guest's instructions must not change
 * flags, so that every point of a block has the exact architectural state: lea, mov, movzx, not, rorx, shrx
 * and jrcxz do not.
 *
 * Helpers. Code that needs C loads cl with the number of a struct translator_site, the block's description of
 * the place, r11 with the address of the block's tables, and jumps to the service stub (stubs.c), which
 * stores the registers in the struct translator, calls translator_service() on the stack of C, loads the
 * registers again and jumps where that says: back into the block, to another block, or out of translated
 * code. Guest memory that is not in the fast TLB, and instructions that are not translated, are the main
 * customers. Floating-point registers: float.h. */
#ifndef DOPPEL_TRANSLATOR_CONTEXT_H
#define DOPPEL_TRANSLATOR_CONTEXT_H

#include <stddef.h>

#include "codecache/code_cache.h"
#include "cpu/cpu.h"
#include "cpu/engine.h"
#include "cpu/engine_block.h"
#include "cpu/probe.h"
#include "decoder/insn.h"
#include "host/fault_signal.h"
#include "host/host_memory.h"
#include "mmu/mmu.h"
#include "translator/groups.h"
#include "translator/quick.h"
#include "translator/translator.h"

/* What a block assumes about the CPU: the upper half of its key, EIP being the lower. */
enum block_mode {
    MODE_CODE32 = 1u << 0,
    MODE_STACK32 = 1u << 1,
    MODE_USER = 1u << 2, /* CPL 3 */
    MODE_V86 = 1u << 3,
    MODE_PROTECTED = 1u << 4, /* neither real nor V86 */
    MODE_IOPL = 1u << 5,      /* CPL <= IOPL */
    MODE_CODE_OPEN = 1u << 6, /* no branch target of this code size is beyond CS's limit */
    MODE_PARAGRAPH =
        1u << 19, /* real and V86 mode, 16-bit code: far transfers change nothing but CS's base */
    MODE_CODE_FLAT = 1u << 20, /* protected mode with CS's base 0: EIP is the linear address */
    MODE_DIRECT = 1u << 30,    /* GS is based at the window of a view (mmu/view.h) */
    MODE_SINGLE = 1u << 31,    /* nothing about the CPU: the block has no groups of accesses (groups.h) */
    MODE_SEGMENTS_SHIFT = 7    /* enum segment_class of ES CS SS DS FS GS, two bits each */
};

/* Whether a block of this mode is at one linear address only. */
static inline bool mode_tells_linear(uint32_t mode)
{
    return (mode & (MODE_CODE_FLAT | MODE_PARAGRAPH)) != 0;
}

/* The last EIP of code that is translated. MODE_CODE_OPEN says that CS's limit is no less, and not by how
 * much it is more: beyond 64 KiB in 16-bit code the fallback looks each time. */
static inline uint32_t mode_last_eip(uint32_t mode)
{
    return mode & MODE_CODE32 ? UINT32_MAX : 0xffff;
}

/* How an offset in a data segment becomes a linear address. */
enum segment_class {
    SEGMENT_FLAT,  /* base 0, limit 4 GiB, readable and (unless it is CS) writable; in protected mode only */
    SEGMENT_BASED, /* the same with another base; in real mode with any */
    SEGMENT_LIMITED, /* offsets 0 to a limit: 16-bit programs */
    SEGMENT_OTHER,   /* expand-down, read-only, unusable */
    SEGMENT_64K      /* offsets 0 to FFFFh, readable and writable: real and V86 mode, in the place of FLAT */
};

static inline enum segment_class mode_segment_class(uint32_t mode, unsigned segment)
{
    uint32_t class = mode >> ((unsigned)MODE_SEGMENTS_SHIFT + 2 * segment) & 3;
    return class == SEGMENT_FLAT && !(mode & MODE_PROTECTED) ? SEGMENT_64K : (enum segment_class) class;
}

enum site_kind {
    SITE_LOAD, /* an access missed the fast TLB */
    SITE_STORE,
    SITE_GROUP,     /* the first access of a group found no page for its span */
    SITE_CALLOUT,   /* the fallback is to execute the instruction */
    SITE_SENSITIVE, /* sensitive.c emulates it */
    SITE_SEGMENT,   /* the same of a load that known_load.c may know; t->temporary describes it */
    SITE_DIVIDE,    /* an IDIV of any numbers: the divisor is in r10 */
    SITE_DIVIDE_ERROR,
    SITE_STRING,   /* a repeated string instruction */
    SITE_FLOAT,    /* floating-point registers are not loaded: float.h */
    SITE_JUMP,     /* a jump to `target` that is not linked */
    SITE_INDIRECT, /* a jump to r10d that the jump cache does not know */
    SITE_BUDGET    /* the budget does not suffice for the block that begins here */
};

#define OPERAND_SEGMENT_NONE 7u

/* SITE_SENSITIVE: the operands of an instruction. */
struct site_operand {
    uint16_t immediate;  /* a far pointer's selector; its offset, and other immediates, are `target` */
    uint8_t segment : 3; /* of an operand in memory, the offset in r10; OPERAND_SEGMENT_NONE: it has none */
    bool address16 : 1;  /* that has 16 bits */
    bool variant : 1;    /* MOV: to a segment or control register; IN, OUT: the port is in DX */
    uint8_t rm : 4;      /* a general register */
    uint8_t reg : 4;     /* the other register: general, segment or control */
};

/* SITE_LOAD, SITE_STORE with `window`: how the host's instruction addresses the operand, with `target` for a
 * displacement. */
struct site_address {
    uint16_t from;     /* the host instructions of the access begin here */
    uint8_t base : 5;  /* HOST_NONE: none */
    bool computes : 1; /* otherwise the linear address is in r10 */
    uint8_t index : 5;
    uint8_t scale : 2;
};

/* What the C side has to know of a place in translated code. Host code positions are relative to the block's
 * entry. */
struct translator_site {
    uint32_t target; /* SITE_JUMP: its distance from the block's EIP */
    union {
        struct {
            uint16_t retry;  /* SITE_LOAD, SITE_STORE: before the check */
            uint16_t direct; /* likewise: behind the check, the address in rcx (and r11) + r10. SITE_FLOAT:
                                behind the check */
        };
        struct site_address address; /* with `window` */
        struct site_operand operand; /* SITE_SENSITIVE */
    };
    uint16_t next; /* the next instruction; SITE_JUMP: the jump's displacement, 0 when it cannot be linked */
    uint16_t offset;      /* of the instruction, from the block's first byte */
    uint16_t insn;        /* enum insn_id */
    uint16_t number : 10; /* in the block */
    bool last : 1;        /* the instruction ends the block */
    bool grouped : 1;     /* slots are in use: the block must not go on when the fallback was asked */
    bool store : 1;       /* SITE_GROUP: the access writes */
    bool stores : 1;      /* SITE_GROUP: some access of the group writes */
    bool window : 1;      /* SITE_LOAD, SITE_STORE: there is no check, the access itself faults (window.c) */
    uint8_t
        remaining; /* instructions of the block, from this one on, that were counted and not yet executed */
    uint8_t width; /* of the access or the operand; SITE_FLOAT: enum float_part */
    uint8_t kind : 4;   /* enum site_kind */
    uint8_t length : 4; /* of the instruction */
    uint8_t detail : 5; /* SITE_STRING: enum string_detail; SITE_LOAD, SITE_STORE, SITE_GROUP: address bits
                           that must be 0 */
    uint8_t float_parts : 2; /* enum float_part set: what must be loaded at `next` */
};
_Static_assert(sizeof(struct translator_site) == 20, "as many as there are of them, they are small");

/* A block's tables begin with this. A struct engine_block_notes follows the sites, then the guest's bytes,
 * and what relocate.c needs. */
struct block_tables {
    struct code_block *block;
    const uint8_t *entry; /* the block's */
    uint32_t eip;         /* likewise */
    uint16_t site_count;
    struct translator_site sites[];
};

enum string_detail {
    STRING_SEGMENT = 7, /* of the source */
    STRING_ADDRESS16 = 1u << 3,
    STRING_REPNE = 1u << 4
};

/* What is loaded together into the host's registers; see float.h. */
enum float_part { FLOAT_X87 = 1u << 0, FLOAT_SSE = 1u << 1 };

/* The modes of the code at an address have their slots JUMP_CACHE_APART apart at most. */
#define JUMP_CACHE_APART 4096u
#define JUMP_CACHE_SLOTS (65536u + JUMP_CACHE_APART)

/* What one stay in translated code may retire: r13 is not negative any more in a block that does not fit, and
 * less than a page. */
#define BUDGET_MAX (1u << 16)

/* What an entry of the jump cache depends on, besides EIP. */
struct jump_context {
    uint64_t generation; /* of the mmu: the global one for a supervisor with global pages */
    uint64_t code_base;  /* MODE_PARAGRAPH: 0 */
    uint64_t last_use;   /* of t->context_clock */
    uint32_t mode;
    uint32_t id; /* never used twice; 0: none */
};
#define JUMP_CONTEXTS 8u

#define SPACE_JUMPS 64u

/* What the jump cache knows of pages that are not global, in contexts that outlast a load of CR3. */
struct space_jumps {
    uint64_t generation; /* of the mmu, in which they are true */
    uint64_t forgotten;  /* the generation before which nothing is true any more, global or not */
    unsigned count;      /* beyond SPACE_JUMPS, not all are in the list */
    uint32_t slot[SPACE_JUMPS];
};

/* Where SYSENTER or SYSEXIT leads from one context; see fast_call.c. */
struct fast_call {
    uint64_t from; /* negated; 0: nothing is known */
    uint64_t to;
    uint64_t code, code_bounds, stack; /* parts of struct segment */
    uint8_t *tlb;
    const uint8_t *window;    /* NULL: GS stays based where it is */
    uint32_t mode, jump_salt; /* as in struct translator */
    uint32_t esp, eip;        /* SYSENTER */
};

/* A load of a data segment register, and what it gave in one context; see known_load.c. */
struct known_load {
    uint64_t key;              /* of the context and the load; 0: nothing is known */
    uint64_t epoch;            /* value of t->load_epoch */
    const uint8_t *descriptor; /* in host memory; of a null selector: some zeros */
    uint64_t raw;              /* its bytes */
    struct segment segment;
    struct segment *destination;
    struct known_selector *known; /* of the supervisor; the user's is the next but KNOWN_KINDS */
    uint64_t context;             /* behind the load */
    uint32_t mode, jump_salt;     /* likewise */
};
#define KNOWN_LOADS 64u

/* How often an instruction faulted lately in the window; see window.c. An instruction has a place in one of
 * the sets of a table, by hash of its physical address. */
struct window_heat {
    uint64_t phys;  /* of the instruction */
    uint64_t since; /* value of cpu->retired up to which `level` has cooled down */
    uint32_t level;
};
/* A page with code, to which stores in the window are refused. */
struct window_page {
    uint64_t page; /* its effective address */
    uint32_t refusals, limit;
};

#define WINDOW_PAGES 1024u

#define WINDOW_SETS 4096u
#define WINDOW_WAYS 4u /* places in a set */

#define CHECKED_PAGES 4096u

struct translator {
    /* What the stubs access: offsets within 127 bytes first. */
    uint32_t gpr[8];
    uint32_t flags;        /* as LAHF and SETO left them: AH, and OF in AL */
    int32_t budget;        /* the complement of r13 */
    uint64_t address;      /* r10: the linear address of an access, or an indirect jump's target */
    uint64_t addend;       /* rcx and r11 at a site's `direct` */
    uint64_t context;      /* r12 */
    uint64_t context_base; /* the same with a lower half of 0 */
    uint8_t *tlb;          /* r15 */
    uint8_t *code_sp;      /* rsp in translated code (returns.c) */
    uint8_t *c_sp;         /* rsp in C */
    const struct translator_site *site;
    const uint8_t *resume;
    struct cpu_state *cpu;
    uint64_t temporary;      /* within one instruction */
    uint32_t far_offset;     /* likewise: a second one */
    int64_t string_step;     /* 1, or -1 with DF set */
    uint32_t machine_status; /* CR0, and the selectors of LDTR and TR: copies for SMSW, SLDT, STR */
    uint16_t ldt_selector, task_selector;
    uint32_t x87_absent, sse_absent; /* 0: the host's registers are the guest's, see float.h */
    uint32_t host_mxcsr;
    uint64_t slots[GROUP_SLOTS];
    struct known_selector known[2][KNOWN_KINDS]; /* [user] */
    uint64_t known_epoch;                        /* times KNOWN_EPOCH; not 0 */
    uint64_t no_descriptor;                      /* 0 */
    struct fast_call fast_calls[2];              /* SYSENTER, SYSEXIT */
    struct known_load known_loads[KNOWN_LOADS];
    uint64_t load_epoch;
    const struct block_tables *tables; /* of a SITE_STORE or SITE_SEGMENT, within a stub */

    struct cpu_engine engine;
    struct cpu_engine *fallback;
    struct mmu *mmu;
    struct code_cache *cache;
    struct builder *builder;
    struct engine_config config;
    void (*enter)(struct translator *t, const uint8_t *code); /* runs translated code until it leaves */
    const uint8_t *leave;                                     /* its way out */
    const uint8_t *service;              /* r11: the block's tables, cl: a site's number */
    const uint8_t *service_of_site;      /* rcx: the site */
    const uint8_t *store_beside_code[5]; /* [log2 of the width] `service` for a SITE_STORE whose page
                                            holds code: goes on without C when the bytes hold none */
    const uint8_t *load_segment;         /* `service` for a SITE_SEGMENT: does without C what is known */
    /* [user][store], called under MMU_WALK: looks for the access in ecx (plain_walk.h) to the linear address
     * in r10d. Changes rcx and r11. When rcx is 0, r11 + r10 is where it is; otherwise it takes the service.
     */
    const uint8_t *walk[2][2];
    struct translator_site no_block; /* the SITE_INDIRECT of code that is no block's */
    const uint8_t *indirect;         /* goes to the guest EIP in r10d, as SITE_INDIRECT does */
    struct host_memory return_stack;
    uint8_t *return_bottom;                /* rsp when nothing has been pushed */
    uint64_t return_context, return_epoch; /* under which return addresses were pushed */
    uint64_t stop_at;                      /* value of cpu->retired at which run() returns */
    uint64_t budget_end;                   /* value of cpu->retired at which r13 is 0 */
    uint32_t mode;                         /* of the running code */
    uint32_t jump_salt;                    /* jump_slot_salt() of it */
    uint32_t last_context_id;
    uint64_t context_clock;
    unsigned recent_context[2]; /* [user] */
    bool usable;                /* this CPU model can be translated */
    bool tracing;               /* every block that is entered is shown (-d exec, cpu) */
    bool one_by_one;            /* blocks have one instruction */
    bool unchained;             /* blocks return to the dispatcher: as configured, or for tracing */
    bool cold;                  /* find_block() left a block to the fallback, because it is not warm yet */
    bool stuck; /* translated code was left because the fallback must execute an instruction first */
    struct jump_context contexts[JUMP_CONTEXTS];
    uint64_t callouts[INSN_COUNT]; /* instructions left to the fallback, by name */
    uint64_t emulated[INSN_COUNT]; /* instructions emulated at a SITE_SENSITIVE */
    uint64_t inlined[INSN_COUNT];  /* places where one became host code */
    struct load_memo memos[LOAD_KINDS][LOAD_MEMOS];
    struct query_memo queries[LOAD_MEMOS];
    struct fault_thread *faults; /* the strategy `trap` */
    /* The jump cache: where EIP leads in one context (struct jump_context). The tag is negated so that adding
     * context and sign-extended EIP gives 0. The context as a number is its id in the upper half, and in the
     * lower one what goes before EIP: in MODE_PARAGRAPH, where EIP has 16 bits, CS's selector in bits 16 to
     * 31; otherwise 0. So far transfers stay in one context there. Lower half plus EIP is the `place`. */
    uint64_t jump_tags[JUMP_CACHE_SLOTS];
    const uint8_t *jump_codes[JUMP_CACHE_SLOTS];
    struct space_jumps space_jumps;
    const uint8_t *window; /* the base of GS while translated code runs with MODE_DIRECT */
    uint64_t noted;        /* value of cpu->retired when the mmu was last told what was executed */
    bool cheap_gs_base;    /* host_gs_base_is_cheap() */
    struct window_heat window_heat[WINDOW_SETS][WINDOW_WAYS];
    uint64_t checked[WINDOW_SETS]
                    [WINDOW_WAYS]; /* physical addresses + 1 of instructions that do not use it */
    uint64_t checked_pages[CHECKED_PAGES / 64]; /* pages that had one of these, modulo CHECKED_PAGES */
    struct window_page window_pages[WINDOW_PAGES];
    unsigned next_checked; /* the way that goes when there is no room */
};

/* What is added to a slot's index for a mode: a kernel may execute the same code with different segments in
 * turn, and would lose one's slots to the other. */
static inline uint32_t jump_slot_salt(uint32_t mode)
{
    return (mode & ~(uint32_t)MODE_SINGLE) * 0x9E3779B1u / (UINT32_MAX / JUMP_CACHE_APART + 1);
}

static inline uint32_t jump_slot_index(uint32_t mode, uint32_t place)
{
    return (uint16_t)((place >> 15 | place << 17) + place) + jump_slot_salt(mode);
}

/* Where in the struct translator the tag of `place` is, and where the code. */
static inline int32_t jump_tag_position(uint32_t mode, uint32_t place)
{
    return (int32_t)(offsetof(struct translator, jump_tags) +
                     jump_slot_index(mode, place) * sizeof(uint64_t));
}

static inline int32_t jump_code_position(uint32_t mode, uint32_t place)
{
    return (int32_t)(offsetof(struct translator, jump_codes) +
                     jump_slot_index(mode, place) * sizeof(uint8_t *));
}

/* The place of CS:eip in the present context. */
static inline uint32_t translator_place(const struct translator *t, uint32_t eip)
{
    return (uint32_t)t->context + eip;
}

/* The lower half of a block's key is its place. */
static inline uint64_t translator_block_key(const struct translator *t, uint32_t eip, uint32_t mode)
{
    return (uint64_t)mode << 32 | translator_place(t, eip);
}

static inline uint32_t translator_block_eip(const struct code_block *block)
{
    bool paragraph = block->key >> 32 & MODE_PARAGRAPH;
    return (uint32_t)block->key & (paragraph ? 0xffff : UINT32_MAX);
}

static inline const struct block_tables *tables_of_site(const struct translator_site *site)
{
    const uint8_t *first = (const uint8_t *)(site - site->number);
    return (const struct block_tables *)(const void *)(first - offsetof(struct block_tables, sites));
}

static inline const struct code_block *block_of_site(const struct translator_site *site)
{
    return tables_of_site(site)->block;
}

/* EIP of the instruction at a site, and of the one after it. */
static inline uint32_t site_eip(const struct translator_site *site)
{
    return tables_of_site(site)->eip + site->offset;
}

static inline uint32_t site_next_eip(const struct translator_site *site)
{
    return site_eip(site) + site->length;
}

/* The notes of a block. */
static inline const struct engine_block_notes *translator_notes(const struct code_block *block)
{
    const struct block_tables *tables = block->tables;
    return (const void *)&tables->sites[tables->site_count];
}

/* The guest's bytes that a block was made of. */
static inline const uint8_t *translator_guest_bytes(const struct code_block *block)
{
    return (const uint8_t *)&translator_notes(block)->piece[block->insn_count];
}

/* EFLAGS' arithmetic flags as LAHF and SETO leave them. */
static inline uint32_t translator_host_flags(uint32_t eflags)
{
    return (eflags & 0xd5) << 8 | (eflags & EFLAGS_OF ? 1u : 0);
}

/* Whether anything is due that only the fallback does. RF alone is not: without breakpoints, which are
 * something due themselves, it only waits to be cleared by the next instruction. */
static inline bool translator_needs_fallback(const struct cpu_state *cpu)
{
    uint32_t pending = cpu->pending & (cpu->eflags_other | ~(uint32_t)EFLAGS_IF);
    return (pending | (cpu->eflags_other & EFLAGS_TF)) != 0;
}

/* ---- stubs.c */

/* Writes the code that all blocks share (a few hundred bytes of CODE_FIXED_MAX). */
struct status translator_make_stubs(struct translator *t) STATUS_MUST_CHECK;

/* ---- returns.c */

/* Allocates the return stack, at whose bottom `underflow` stands. */
struct status translator_make_return_stack(struct translator *t, const uint8_t *underflow) STATUS_MUST_CHECK;

/* Before translated code runs on: forgets return addresses that are not good any more, or all when they are
 * many. */
void translator_check_return_stack(struct translator *t);

/* ---- service.c */

/* Called by the service stub: does what `t->site` asks for; returns where to go on. */
const uint8_t *translator_service(struct translator *t);

/* The address of `width` bytes of guest memory within one page, through the fast TLB of the running code;
 * false: only the fallback can make this access. Good until the next one. */
bool translator_host_memory(struct translator *t, uint32_t linear, unsigned width, bool store,
                            uint8_t **host);

/* ---- window.c */

/* GS becomes the base of the present address space's window for user or supervisor. */
void translator_take_window(struct translator *t, bool user);

/* Before translated code runs on this thread. */
void translator_set_window_base(const struct translator *t);

/* An access at a site with `window` has faulted. True: it will not do so again. */
bool translator_fill_window(struct translator *t, const struct translator_site *site);

/* Whether the instruction at `phys` may access the window without a check. */
bool translator_may_use_window(const struct translator *t, uint64_t phys);

/* What decides about a fault of the host in translated code: fault_handler.handle. */
bool translator_handle_fault(void *opaque, struct fault_context *context);

/* ---- divide.c */

/* IDIV of t->gpr by t->address; false: #DE. */
bool translator_divide(struct translator *t, unsigned width);

/* ---- string_run.c */

struct string_progress {
    uint32_t iterations;
    bool finished; /* by the count or the condition; CMPS and SCAS have then set t->flags */
};

/* Does what can be done here of the repeated string instruction at `site`, on t->gpr: whole iterations, and
 * no more than the budget has beside the last. CX is not 0. */
struct string_progress translator_repeat_string(struct translator *t, const struct translator_site *site);

/* How many iterations the fallback should do before it is worth while to look again. */
uint32_t translator_string_portion(const struct translator *t, const struct translator_site *site);

/* ---- block.c */

/* Guest code to be translated: up to the end of the page at `phys`, with `tail` CODE_NO_TAIL; or what begins
 * there with what follows it on the page at `tail`, for one instruction that has bytes of both, in a mode
 * with MODE_CODE_OPEN. */
struct guest_code {
    uint64_t phys, tail;
    const uint8_t *bytes;
    unsigned available;
};

/* The block of `code` for `mode`; NULL when not even one instruction can be translated there. */
struct code_block *translator_make_block(struct translator *t, const struct guest_code *code, uint32_t eip,
                                         uint32_t mode);

/* A block that died and was made of the bytes that are there again; NULL: there is none. */
struct code_block *translator_revive_block(struct translator *t, const struct code_version *version,
                                           uint64_t phys, const uint8_t *bytes);

/* ---- relocate.c */

/* Makes the version for `phys` and `key`, which is not there, of one of the same page at another EIP, where
 * that is not used just now; NULL: there is none. */
struct code_version *translator_move_version(struct translator *t, uint64_t phys, uint64_t key);

/* ---- block.c */

/* Where a block is entered when it is known that its tail, if it has one, is what the present context has
 * there: behind the check at block->entry. */
static inline const uint8_t *translator_block_body(const struct code_block *block)
{
    return block->entry + block->body;
}

/* ---- introspection.c */

/* Shows what became of a block's `bytes`: -d in_asm and out_asm. */
void translator_log_block(const struct translator *t, const struct code_block *block, const uint8_t *bytes);

/* A budget ended at this block. */
void translator_count_sample(struct translator *t, struct code_block *block);

/* cpu_engine_ops.for_each_block, insn_counts */
void translator_for_each_block(struct cpu_engine *engine, engine_block_visitor *visit, void *opaque);
const uint64_t *translator_insn_counts(struct cpu_engine *engine, enum engine_count what);

/* ---- dispatch.c */

/* Runs translated code from cpu->rip until something is due that only the run loop can do. False: there is
 * nothing to run here, the fallback must execute an instruction first. */
bool translator_run_blocks(struct translator *t);

/* A block is no longer to be entered. */
void translator_forget_block(void *opaque, struct code_block *block);

#endif

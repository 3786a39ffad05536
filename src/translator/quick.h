/* The common cases of system instructions in protected mode; see quick.c. */
#ifndef DOPPEL_TRANSLATOR_QUICK_H
#define DOPPEL_TRANSLATOR_QUICK_H

#include "cpu/cpu_state.h"
#include "decoder/insn.h"

#define LOAD_MEMOS 8u

/* What is loaded from a descriptor, and by which rules. */
enum load_kind {
    LOAD_DATA,         /* MOV, POP: ES, DS, FS, GS */
    LOAD_CODE_DIRECT,  /* JMP, CALL */
    LOAD_CODE_RETURN,  /* RET, IRET */
    LOAD_CODE_HANDLER, /* INT n, through a gate */
    LOAD_STACK,        /* SS for another level; `cpl` is that level */
    LOAD_KINDS
};

/* `selector`, naming a descriptor of these bytes and loaded at `cpl`, gives `segment`. */
struct load_memo {
    uint64_t raw;
    struct segment segment;
    uint16_t selector;
    uint8_t cpl;
};

/* What LAR, LSL, VERR and VERW said. */
struct query_memo {
    uint64_t raw;
    uint32_t result;
    uint16_t selector;
    uint16_t insn;
    uint8_t width, cpl;
    bool valid;
};

/* The instructions whose outcome inline code may know from a selector; those that load a data segment
 * register by its number. */
enum known_kind {
    KNOWN_JUMP = CPU_SEGMENTS, /* JMP, CALL: CS stays as it is */
    KNOWN_RETURN,              /* RET, IRET: likewise */
    KNOWN_LAR,
    KNOWN_LSL,
    KNOWN_VERR,
    KNOWN_VERW,
    KNOWN_KINDS
};

/* While `key` plus t->known_epoch plus a selector is 0, and the descriptor's bytes plus `negated` are, an
 * instruction with that selector gives what it gave when this was learned: a segment register keeps what it
 * holds, a query answers the same. Forgotten whenever anything but translator_quick() and inline code may
 * have changed segment registers, tables or what is mapped there; each privilege knows for itself. */
struct known_selector {
    uint64_t key;
    const uint8_t *descriptor; /* in host memory; of a null selector: some zeros */
    uint64_t negated;
    uint32_t result; /* LAR, LSL */
    uint32_t zf;     /* as LAHF gives it: EFLAGS_ZF or 0 */
};

/* What t->known_epoch advances by: selectors are smaller. */
#define KNOWN_EPOCH ((uint64_t)1 << 16)

enum quick_result {
    QUICK_NOT,             /* nothing has happened */
    QUICK_STAYS,           /* done; nothing that the block assumes has changed */
    QUICK_CHANGED_SEGMENT, /* done; the segment register site->operand.reg has changed */
    QUICK_ASKED_DEVICE,    /* done; anything may be pending or mapped elsewhere */
    QUICK_OTHER_MODE,      /* done; cpu->rip is the target, anything that blocks assume may have changed */
    QUICK_OTHER_PARAGRAPH, /* done; cpu->rip is the target, CS has another selector under MODE_PARAGRAPH */
    QUICK_JUMPED,          /* done; cpu->rip is the target, nothing that blocks assume has changed */
    QUICK_TRANSFERRED      /* done; cpu->rip is the target, CS, SS and the privilege may have changed */
};

struct translator;
struct translator_site;

/* Executes the instruction at SITE_SENSITIVE if it is one of the common cases. General registers and
 * arithmetic flags are in the struct translator, cpu->rip is stale, cpu->retired true. */
enum quick_result translator_quick(struct translator *t, const struct translator_site *site);

/* The same for a fault that the instruction at `site` raises: delivers it; CR2 is the caller's. */
enum quick_result translator_quick_fault(struct translator *t, const struct translator_site *site,
                                         const struct cpu_exception *fault);

/* EFLAGS, while the arithmetic ones are in t->flags. */
uint32_t translator_image_of_flags(const struct translator *t);

/* A handler in ring 0, with room for its frame. */
struct ring0_handler {
    const struct segment *code, *stack;
    uint32_t eip, esp;
    uint8_t *frame; /* below esp */
    bool masks_interrupts;
};

/* What a 32-bit interrupt or trap gate leads to from outside ring 0, where its stack takes `size` bytes
 * without further ado. `is_software`: the gate's privilege counts. */
bool translator_find_ring0_handler(struct translator *t, uint32_t vector, bool is_software, unsigned size,
                                   struct ring0_handler *to);

/* ---- quick_v86.c: what translator_quick() does in virtual-8086 mode, and of IRET to there */

enum quick_result quick_v86(struct translator *t, const struct translator_site *site);
enum quick_result quick_return_to_v86(struct translator *t);

/* ---- quick_real.c: what translator_quick() does of INT n, INT3 and IRET under MODE_PARAGRAPH */

enum quick_result quick_real_interrupt(struct translator *t, uint32_t vector, uint32_t next_ip);
enum quick_result quick_real_return(struct translator *t, const struct translator_site *site);

/* That of LAR, LSL, VERR or VERW. */
enum known_kind translator_known_query(enum insn_id id);

/* No selector is known any more. */
void translator_forget_selectors(struct translator *t);

/* What is known of selectors after SYSENTER or SYSEXIT, which came from `from_mode`: data segments are as
 * they were. */
void translator_forget_by_transfer(struct translator *t, uint32_t from_mode);

/* Whether all descriptors are where they were in another address space. */
bool translator_descriptors_stay(const struct translator *t);

/* The emulation has executed the instruction at `site`, which began at `cpl`, or delivered its fault (not
 * `done`): cpu_state is true, the registers in the struct translator are those from before. */
void translator_remember(struct translator *t, const struct translator_site *site, unsigned cpl, bool done);

/* The fallback has delivered a fault, if CS:RIP is where `vector` leads, of an instruction at `cpl`. */
void translator_remember_fault(struct translator *t, uint8_t vector, unsigned cpl);

#endif

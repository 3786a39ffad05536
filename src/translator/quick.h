/* The common cases of system instructions in protected mode; see quick.c. */
#ifndef DOPPEL_TRANSLATOR_QUICK_H
#define DOPPEL_TRANSLATOR_QUICK_H

#include "cpu/cpu_state.h"

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

/* What a data segment register was last loaded from in protected mode: inline code may skip a load of the
 * same selector while the descriptor's bytes plus `negated` are 0. Forgotten whenever anything but
 * translator_quick() may have changed the register, the privilege, the tables or what is mapped there. */
struct loaded_selector {
    const uint8_t *descriptor; /* in host memory */
    uint64_t negated;
};

enum quick_result {
    QUICK_NOT,             /* nothing has happened */
    QUICK_STAYS,           /* done; nothing that the block assumes has changed */
    QUICK_CHANGED_SEGMENT, /* done; the segment register site->operand.reg has changed */
    QUICK_ASKED_DEVICE,    /* done; anything may be pending or mapped elsewhere */
    QUICK_JUMPED,          /* done; cpu->rip is the target, nothing that blocks assume has changed */
    QUICK_TRANSFERRED      /* done; cpu->rip is the target, CS, SS and the privilege may have changed */
};

struct translator;
struct translator_site;

/* Executes the instruction at SITE_SENSITIVE if it is one of the common cases. General registers and
 * arithmetic flags are in the struct translator, cpu->rip is stale, cpu->retired true. */
enum quick_result translator_quick(struct translator *t, const struct translator_site *site);

void translator_forget_loads(struct translator *t);

/* The emulation has executed the instruction at `site`, which began at `cpl`, without a fault: cpu_state is
 * true, the registers in the struct translator are those from before. */
void translator_remember(struct translator *t, const struct translator_site *site, unsigned cpl);

#endif

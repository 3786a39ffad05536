/* From a decoded instruction to a uop: resolves operands, picks the handler, decides what exists on this CPU
 * model. */
#include "interpreter/select.h"

#include <stddef.h>

#include "interpreter/jump_cache.h"
#include "isa/isa.h"

uop_handler *select_undefined(const struct insn *insn, const struct cpu_model *model)
{
    (void)insn;
    (void)model;
    return NULL;
}

static uop_selector *const selectors[INSN_COUNT] = {
#define SELECT(id, selector) [INSN_##id] = selector,
#include "interpreter/select.def"
#undef SELECT
};

enum {
    SELECTOR_ROWS = 0
#define SELECT(id, selector) +1
#include "interpreter/select.def"
#undef SELECT
};
_Static_assert((int)SELECTOR_ROWS == (int)INSN_COUNT, "every row of insn.def needs a row in select.def");

/* ---- handlers that leave the block or raise */

static void exit_block(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    cpu->rip = (in->block_rip + uop->offset) & in->rip_mask;
}

static void continue_to_next_block(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    chain_to(cpu, uop, in, (in->block_rip + uop->offset) & in->rip_mask);
}

static void undefined(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    (void)uop;
    uop_sync(cpu, in);
    cpu_raise(cpu, VECTOR_UD);
}

static void too_long(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    (void)uop;
    uop_sync(cpu, in);
    cpu_raise_error(cpu, VECTOR_GP, 0);
}

void interpreter_lower_exit(unsigned offset, struct uop *uop)
{
    *uop = (struct uop){.run = exit_block, .offset = (uint16_t)offset, .base = CPU_ZERO, .index = CPU_ZERO};
}

void interpreter_lower_continue(unsigned offset, struct uop *uop)
{
    interpreter_lower_exit(offset, uop);
    uop->run = continue_to_next_block;
}

void interpreter_lower_invalid(bool is_too_long, unsigned offset, struct uop *uop)
{
    interpreter_lower_exit(offset, uop);
    uop->run = is_too_long ? too_long : undefined;
}

/* ---- operands */

/* Where the registers of a class are in cpu_state; elsewhere 0. */
static const struct register_slots {
    uint16_t first, size;
} register_slots[] = {
    [REGISTER_GPR8] = {offsetof(struct cpu_state, gpr) + offsetof(union gpr, l), sizeof(union gpr)},
    [REGISTER_GPR8_HIGH] = {offsetof(struct cpu_state, gpr) + offsetof(union gpr, h), sizeof(union gpr)},
    [REGISTER_GPR16] = {offsetof(struct cpu_state, gpr) + offsetof(union gpr, w), sizeof(union gpr)},
    [REGISTER_GPR32] = {offsetof(struct cpu_state, gpr) + offsetof(union gpr, d), sizeof(union gpr)},
    [REGISTER_MMX] = {offsetof(struct cpu_state, x87.reg), sizeof(struct float80)},
    [REGISTER_XMM] = {offsetof(struct cpu_state, xmm), sizeof(struct xmm_register)},
};

/* Byte offset of a general, MMX or XMM register (or part of one) in cpu_state; 0 for anything else. */
static uint16_t register_offset(const struct operand *operand)
{
    if (operand->kind != OPERAND_REGISTER) {
        return 0;
    }
    const struct register_slots *slots = &register_slots[operand->register_class];
    return (uint16_t)(slots->first + operand->reg * slots->size);
}

/* The small number a handler needs beside its operands. */
static uint8_t special_number(const struct insn *insn)
{
    switch (insn->id) {
    case INSN_J:
    case INSN_SET:
    case INSN_CMOV: return insn->condition;
    case INSN_ENTER: return (uint8_t)insn->immediate2;
    case INSN_IN: return insn->operand[0].size;
    case INSN_OUT: return insn->operand[1].size;
    case INSN_LES: return SEGMENT_ES;
    case INSN_LDS: return SEGMENT_DS;
    case INSN_LSS: return SEGMENT_SS;
    case INSN_LFS: return SEGMENT_FS;
    case INSN_LGS: return SEGMENT_GS;
    case INSN_IDIV: return insn->prefixes & (PREFIX_REP | PREFIX_REPNE);
    default: break;
    }
    if (insn_info((enum insn_id)insn->id)->properties & INSN_STRING) {
        return insn->prefixes & (PREFIX_REP | PREFIX_REPNE);
    }
    for (unsigned i = 0; i < insn->operand_count; i++) {
        const struct operand *operand = &insn->operand[i];
        if (operand->kind == OPERAND_CONSTANT) {
            return operand->reg;
        }
        if (operand->kind == OPERAND_REGISTER &&
            (operand->register_class == REGISTER_SEGMENT || operand->register_class == REGISTER_CONTROL ||
             operand->register_class == REGISTER_DEBUG)) {
            return operand->reg;
        }
    }
    return 0;
}

static bool is_shift(enum insn_id id)
{
    return selectors[id] == select_shift;
}

static void lower_operands(const struct cpu_model *model, const struct insn *insn, struct uop *uop)
{
    uop->immediate = (uint32_t)insn->immediate;
    uop->displacement = (uint32_t)insn->displacement;
    uop->address_cut = insn->address_size == 2 ? 16 : 0;
    uop->destination = register_offset(&insn->operand[0]);
    uop->source = register_offset(&insn->operand[1]);
    uop->segment = insn->memory.segment;
    uop->base = insn->memory.base == GPR_NONE ? CPU_ZERO : insn->memory.base;
    uop->index = insn->memory.index == GPR_NONE ? CPU_ZERO : insn->memory.index;
    uop->scale = insn->memory.scale;
    uop->number = special_number(insn);
    if (insn->operand[0].kind == OPERAND_FAR) {
        uop->displacement = insn->immediate2; /* the selector: a direct far transfer has no memory operand */
    }
    if (insn_info((enum insn_id)insn->id)->properties & INSN_X87) {
        uop->number = insn->modrm & 7;                           /* ST(i) */
        uop->immediate = (insn->opcode & 7u) << 8 | insn->modrm; /* FOP */
    }
    if (is_shift((enum insn_id)insn->id) && insn->operand[1].kind == OPERAND_IMMEDIATE) {
        uop->number = (uint8_t)(model->shift_count_unmasked ? insn->immediate & 0xff : insn->immediate & 31);
    }
}

/* ---- the whole instruction */

static bool ends_block(const struct insn *insn)
{
    uint32_t properties = insn_info((enum insn_id)insn->id)->properties;
    if ((properties & INSN_STRING) && (insn->prefixes & (PREFIX_REP | PREFIX_REPNE))) {
        return true; /* it retires any number of iterations */
    }
    switch (insn->id) {
    case INSN_IN:
    case INSN_OUT:
    case INSN_INS:
    case INSN_OUTS: return true;
    case INSN_MOV_SEG:
        return insn->operand[0].kind == OPERAND_REGISTER &&
               insn->operand[0].register_class == REGISTER_SEGMENT &&
               (insn->operand[0].reg == SEGMENT_SS || insn->operand[0].reg == SEGMENT_CS);
    default: return (properties & INSN_ENDS_BLOCK) != 0;
    }
}

bool interpreter_lower(const struct cpu_model *model, const struct insn *insn, unsigned offset,
                       struct uop *uop)
{
    uop_handler *handler = NULL;
    if (isa_has(model, insn)) {
        handler = selectors[insn->id](insn, model);
    }
    *uop = (struct uop){
        .run = handler == NULL ? undefined : handler,
        .offset = (uint16_t)offset,
        .insn = insn->id,
        .operand_size = insn->operand_size,
    };
    lower_operands(model, insn, uop);
    return handler == NULL || ends_block(insn);
}

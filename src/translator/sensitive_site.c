/* Which way a sensitive or system instruction goes, and the site that its emulation finds it by. */
#include "translator/sensitive.h"

/* Which registers are operands, by instruction. */
static void set_registers(struct site_operand *to, const struct insn *insn)
{
    const struct operand *first = &insn->operand[0];
    const struct operand *second = &insn->operand[1];
    switch (insn->id) {
    case INSN_MOV_SEG:
    case INSN_MOV_CR:
        to->variant = first->kind == OPERAND_REGISTER && first->register_class != REGISTER_GPR32 &&
                      first->register_class != REGISTER_GPR16;
        to->reg = (to->variant ? first->reg : second->reg) & 15u;
        to->rm = (to->variant ? second->reg : first->reg) & 15u;
        break;
    case INSN_LAR:
    case INSN_LSL:
        to->reg = first->reg & 15u;
        to->rm = second->reg & 15u;
        break;
    case INSN_LDS:
    case INSN_LES:
    case INSN_LFS:
    case INSN_LGS:
    case INSN_LSS:
        to->reg = sensitive_far_segment((enum insn_id)insn->id) & 15u;
        to->rm = first->reg & 15u;
        break;
    case INSN_IN: to->variant = second->kind == OPERAND_REGISTER; break;
    case INSN_OUT: to->variant = first->kind == OPERAND_REGISTER; break;
    default:
        to->reg = first->reg & 15u;
        to->rm = first->reg & 15u;
        break;
    }
}

static bool has_memory_operand(const struct insn *insn)
{
    return insn->operand[0].kind == OPERAND_MEMORY || insn->operand[1].kind == OPERAND_MEMORY;
}

/* Ports have accesses of one byte as well. */
static uint8_t width_of(const struct insn *insn)
{
    switch (insn->id) {
    case INSN_IN: return insn->operand[0].size;
    case INSN_OUT: return insn->operand[1].size;
    default: return insn->operand_size;
    }
}

unsigned sensitive_far_segment(enum insn_id id)
{
    switch (id) {
    case INSN_LDS: return SEGMENT_DS;
    case INSN_LES: return SEGMENT_ES;
    case INSN_LFS: return SEGMENT_FS;
    case INSN_LGS: return SEGMENT_GS;
    default: return SEGMENT_SS;
    }
}

bool sensitive_loads_segment(const struct insn *insn)
{
    return insn->operand[0].kind == OPERAND_REGISTER && insn->operand[0].register_class == REGISTER_SEGMENT;
}

struct translator_site *sensitive_add_site(struct builder *b, const struct insn *insn, uint8_t *jump)
{
    struct translator_site *site = builder_add_site(b, SITE_SENSITIVE, jump);
    site->width = width_of(insn);
    site->target = (uint32_t)insn->immediate;
    site->last = sensitive_is_transfer((enum insn_id)insn->id);
    site->operand = (struct site_operand){
        .segment = (has_memory_operand(insn) ? insn->memory.segment : OPERAND_SEGMENT_NONE) & 7u,
        .address16 = insn->address_size == 2,
        .immediate = (uint16_t)insn->immediate2};
    set_registers(&site->operand, insn);
    return site;
}

static bool is_rewritten_as_trap(const struct builder *b, const struct insn *insn)
{
    return b->t->config.sensitive == SENSITIVE_TRAP &&
           (insn_info((enum insn_id)insn->id)->properties & INSN_SENSITIVE) != 0;
}

/* The instruction leaves translated code for its emulation. */
static void emit_emulation(struct builder *b, const struct insn *insn)
{
    if (has_memory_operand(insn)) {
        struct guest_operand memory = guest_operand_of(insn);
        emit_offset(b, &memory, HOST_R10);
    }
    groups_forget(b);
    bool trap = is_rewritten_as_trap(b, insn);
    uint8_t *jump = trap ? sensitive_emit_trap(&b->e) : emit_jmp(&b->e);
    sensitive_add_site(b, insn, jump);
    b->kind = trap ? PIECE_TRAP : PIECE_CALLOUT;
    b->ended = sensitive_is_transfer((enum insn_id)insn->id);
}

static translate_function *inline_function(const struct builder *b, enum insn_id id)
{
    bool paragraph = (b->mode & MODE_PARAGRAPH) != 0;
    switch (id) {
    case INSN_PUSHF: return inline_push_flags;
    case INSN_POPF: return inline_pop_flags;
    case INSN_CLI:
    case INSN_STI: return inline_interrupt_flag;
    case INSN_SMSW: return inline_machine_status;
    case INSN_MOV_CR: return inline_control_read;
    case INSN_SGDT:
    case INSN_SIDT: return inline_table;
    case INSN_SLDT:
    case INSN_STR: return inline_selector_register;
    case INSN_MOV_SEG: return inline_segment_move;
    case INSN_PUSH_SEG: return inline_push_segment;
    case INSN_POP_SEG: return inline_pop_segment;
    case INSN_LDS:
    case INSN_LES:
    case INSN_LFS:
    case INSN_LGS:
    case INSN_LSS: return inline_far_pointer;
    case INSN_LAR:
    case INSN_LSL:
    case INSN_VERR:
    case INSN_VERW: return inline_query;
    case INSN_JMP_FAR:
    case INSN_CALL_FAR: return paragraph ? inline_paragraph_jump : inline_jump_far;
    case INSN_RETF: return paragraph ? inline_paragraph_return : inline_return_far;
    case INSN_IRET: return inline_interrupt_return;
    case INSN_SYSENTER:
    case INSN_SYSEXIT: return inline_fast_call;
    default: return NULL;
    }
}

bool translate_sensitive(struct builder *b, const struct insn *insn)
{
    translate_function *function = inline_function(b, (enum insn_id)insn->id);
    if (insn->id == INSN_MOV_SEG && sensitive_loads_segment(insn) && insn->operand[0].reg == SEGMENT_CS) {
        return false;
    }
    if (b->t->config.sensitive == SENSITIVE_INLINE && function != NULL && function(b, insn)) {
        b->t->inlined[insn->id]++;
        return true;
    }
    emit_emulation(b, insn);
    return true;
}

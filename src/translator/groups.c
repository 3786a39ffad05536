/* Values of registers across a block, and who shares a page; see groups.h. */
#include "translator/groups.h"

#include "translator/float.h"

/* Fields of tracked_value.unknown. */
enum { ROOT_BITS = 16, ROOT_NONE = (1 << ROOT_BITS) - 1 };

/* ---- values */

static void renew(struct group_state *g, unsigned reg)
{
    g->gpr[reg] = (struct tracked_value){.unknown = g->next_root++};
}

static void renew_all(struct group_state *g)
{
    for (unsigned i = 0; i < 8; i++) {
        renew(g, i);
    }
}

static bool is_gpr32(const struct operand *operand)
{
    return operand->kind == OPERAND_REGISTER && operand->register_class == REGISTER_GPR32;
}

/* An operand is written that may be a general register, or part of one. */
static void renew_operand(struct group_state *g, const struct operand *operand)
{
    if (operand->kind == OPERAND_REGISTER && operand->register_class <= REGISTER_GPR32) {
        renew(g, operand->register_class == REGISTER_GPR8_HIGH ? operand->reg & 3 : operand->reg);
    }
}

static void copy(struct group_state *g, unsigned to, unsigned from)
{
    g->gpr[to].unknown = g->gpr[from].unknown;
    g->gpr[to].offset = g->gpr[from].offset;
}

static void add_constant(struct group_state *g, unsigned reg, uint32_t value)
{
    g->gpr[reg].offset = (int32_t)((uint32_t)g->gpr[reg].offset + value);
}

static void advance_stack(struct builder *b, const struct insn *insn)
{
    struct group_state *g = &b->groups;
    if (!(b->mode & MODE_STACK32)) {
        renew(g, GPR_SP);
    } else {
        add_constant(g, GPR_SP, insn->id == INSN_PUSH ? -(uint32_t)insn->operand_size : insn->operand_size);
    }
    if (insn->id == INSN_POP) {
        renew_operand(g, &insn->operand[0]);
    }
}

static void advance_leave(struct builder *b, const struct insn *insn)
{
    struct group_state *g = &b->groups;
    if (!(b->mode & MODE_STACK32)) {
        renew(g, GPR_SP);
    } else {
        copy(g, GPR_SP, GPR_BP);
        add_constant(g, GPR_SP, insn->operand_size);
    }
    renew(g, GPR_BP);
}

/* Sums and copies: whether the destination's new value is known by the old ones. */
static bool advance_sum(struct group_state *g, const struct insn *insn)
{
    unsigned to = insn->operand[0].reg;
    const struct insn_memory *memory = &insn->memory;
    if (!is_gpr32(&insn->operand[0])) {
        return false;
    }
    switch (insn->id) {
    case INSN_INC: add_constant(g, to, 1); return true;
    case INSN_DEC: add_constant(g, to, UINT32_MAX); return true;
    case INSN_ADD:
    case INSN_SUB:
        if (insn->operand[1].kind != OPERAND_IMMEDIATE) {
            return false;
        }
        add_constant(g, to, insn->id == INSN_ADD ? (uint32_t)insn->immediate : -(uint32_t)insn->immediate);
        return true;
    case INSN_MOV:
        if (!is_gpr32(&insn->operand[1])) {
            return false;
        }
        copy(g, to, insn->operand[1].reg);
        return true;
    default: /* LEA */
        if (memory->base == GPR_NONE || memory->index != GPR_NONE || insn->address_size != 4) {
            return false;
        }
        copy(g, to, memory->base);
        add_constant(g, to, (uint32_t)insn->displacement);
        return true;
    }
}

/* The registers that a string instruction may write. */
static void advance_string(struct group_state *g)
{
    renew(g, GPR_SI);
    renew(g, GPR_DI);
    renew(g, GPR_CX);
    renew(g, GPR_AX);
}

/* EDX:EAX, or one of them. */
static void advance_pair(struct group_state *g)
{
    renew(g, GPR_AX);
    renew(g, GPR_DX);
}

/* Behind the instruction. */
static void advance(struct builder *b, const struct insn *insn)
{
    struct group_state *g = &b->groups;
    switch (insn->id) {
    case INSN_CMP:
    case INSN_TEST:
    case INSN_BT:
    case INSN_NOP:
    case INSN_J:
    case INSN_JMP_NEAR: break;
    case INSN_PUSH:
    case INSN_POP: advance_stack(b, insn); break;
    case INSN_LEAVE: advance_leave(b, insn); break;
    case INSN_INC:
    case INSN_DEC:
    case INSN_ADD:
    case INSN_SUB:
    case INSN_MOV:
    case INSN_LEA:
        if (!advance_sum(g, insn)) {
            renew_operand(g, &insn->operand[0]);
        }
        break;
    case INSN_OR:
    case INSN_ADC:
    case INSN_SBB:
    case INSN_AND:
    case INSN_XOR:
    case INSN_NOT:
    case INSN_NEG:
    case INSN_MOVZX:
    case INSN_MOVSX:
    case INSN_CMOV:
    case INSN_SET:
    case INSN_ROL:
    case INSN_ROR:
    case INSN_RCL:
    case INSN_RCR:
    case INSN_SHL:
    case INSN_SHR:
    case INSN_SAR:
    case INSN_SHLD:
    case INSN_SHRD:
    case INSN_BSF:
    case INSN_BSR:
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC:
    case INSN_BSWAP: renew_operand(g, &insn->operand[0]); break;
    case INSN_IMUL:
        if (insn->operand_count > 1) {
            renew_operand(g, &insn->operand[0]);
        } else {
            advance_pair(g);
        }
        break;
    case INSN_CBW:
    case INSN_CWD:
    case INSN_MUL:
    case INSN_DIV:
    case INSN_IDIV: advance_pair(g); break;
    case INSN_XCHG:
        renew_operand(g, &insn->operand[0]);
        renew_operand(g, &insn->operand[1]);
        break;
    case INSN_MOVS:
    case INSN_STOS:
    case INSN_LODS:
    case INSN_CMPS:
    case INSN_SCAS: advance_string(g); break;
    default:
        if (insn_info((enum insn_id)insn->id)->properties & (INSN_X87 | INSN_MMX | INSN_SSE)) {
            renew_operand(g, &insn->operand[0]); /* where it is a general register */
        } else {
            renew_all(g);
        }
        break;
    }
}

/* ---- groups */

/* The operand's address. */
static bool value_of(const struct builder *b, const struct guest_operand *operand,
                     struct tracked_value *value)
{
    const struct tracked_value *gpr = b->groups.gpr;
    if (operand->address_size != 4 || operand->added != ADDED_NOTHING ||
        mode_segment_class(b->mode, operand->segment) != SEGMENT_FLAT) {
        return false;
    }
    uint64_t base = ROOT_NONE;
    uint64_t index = ROOT_NONE;
    uint32_t offset = (uint32_t)operand->displacement;
    if (operand->base != GPR_NONE) {
        base = gpr[operand->base].unknown;
        offset += (uint32_t)gpr[operand->base].offset;
    }
    if (operand->index != GPR_NONE) {
        index = gpr[operand->index].unknown | (uint64_t)operand->scale << ROOT_BITS;
        offset += (uint32_t)gpr[operand->index].offset << operand->scale;
    }
    *value = (struct tracked_value){.unknown = index << ROOT_BITS | base, .offset = (int32_t)offset};
    return true;
}

static int32_t smaller(int32_t a, int32_t b)
{
    return a < b ? a : b;
}

static int32_t larger(int32_t a, int32_t b)
{
    return a > b ? a : b;
}

/* Offsets so far from the root that sums could overflow take no part. */
static bool offset_is_moderate(int32_t offset)
{
    return offset > INT32_MIN / 2 && offset < INT32_MAX / 2;
}

static void plan_access(struct builder *b, const struct guest_operand *operand, unsigned width, bool store)
{
    struct group_state *g = &b->groups;
    struct tracked_value value;
    if (width == 0 || width > 16 || !value_of(b, operand, &value) || !offset_is_moderate(value.offset)) {
        return;
    }
    int32_t end = value.offset + (int32_t)width;
    for (unsigned i = 0; i < g->count; i++) {
        struct access_group *group = &g->groups[i];
        if (group->unknown != value.unknown) {
            continue;
        }
        int32_t low = smaller(group->low, value.offset);
        int32_t high = larger(group->high, end);
        if (high - low <= GROUP_SPAN) {
            group->low = low;
            group->high = high;
            group->store |= store;
            group->members++;
            return;
        }
    }
    if (g->count < GROUP_SLOTS) {
        g->groups[g->count++] = (struct access_group){
            .unknown = value.unknown, .members = 1, .low = value.offset, .high = end, .store = store};
    }
}

static bool is_bit_string(const struct insn *insn)
{
    return insn->opcode != 0xba &&
           (insn->id == INSN_BT || insn->id == INSN_BTS || insn->id == INSN_BTR || insn->id == INSN_BTC);
}

/* Whether the first operand, in memory, is written. */
static bool writes_first_operand(const struct insn *insn)
{
    switch (insn->id) {
    case INSN_CMP:
    case INSN_TEST:
    case INSN_PUSH:
    case INSN_JMP_NEAR:
    case INSN_CALL_NEAR:
    case INSN_JMP_FAR:
    case INSN_CALL_FAR:
    case INSN_BT:
    case INSN_VERR:
    case INSN_VERW:
    case INSN_LDMXCSR: return false;
    default:
        return !(insn_info((enum insn_id)insn->id)->properties & INSN_X87) || translator_x87_is_store(insn);
    }
}

static void plan_memory_operand(struct builder *b, const struct insn *insn)
{
    if (!insn->has_modrm || insn->modrm >= 0xc0 || insn->id == INSN_LEA || is_bit_string(insn)) {
        return;
    }
    for (unsigned i = 0; i < insn->operand_count; i++) {
        if (insn->operand[i].kind == OPERAND_MEMORY) {
            bool store = i == 0 && writes_first_operand(insn);
            struct guest_operand operand = guest_operand_of(insn);
            plan_access(b, &operand, insn->operand[i].size, store);
        }
    }
}

static void plan_stack_access(struct builder *b, const struct insn *insn)
{
    struct guest_operand top = {
        .segment = CPU_SS, .base = GPR_SP, .index = GPR_NONE, .address_size = b->mode & MODE_STACK32 ? 4 : 2};
    switch (insn->id) {
    case INSN_PUSH:
    case INSN_CALL_NEAR:
        top.displacement = -(int32_t)insn->operand_size;
        plan_access(b, &top, insn->operand_size, true);
        break;
    case INSN_LEAVE:
        top.base = GPR_BP;
        plan_access(b, &top, insn->operand_size, false);
        break;
    case INSN_POP:
    case INSN_RET: plan_access(b, &top, insn->operand_size, false); break;
    default: break;
    }
}

void groups_begin(struct builder *b)
{
    b->groups.next_root = 0;
    renew_all(&b->groups);
}

void groups_plan(struct builder *b)
{
    struct group_state *g = &b->groups;
    g->count = g->established = 0;
    if ((b->mode & MODE_SINGLE) || builder_walks(b) || !b->has_checks) {
        return;
    }
    groups_begin(b);
    for (unsigned i = 0; i < b->count; i++) {
        plan_memory_operand(b, &b->insns[i]);
        plan_stack_access(b, &b->insns[i]);
        advance(b, &b->insns[i]);
    }
    while (g->count > 0 && g->groups[g->count - 1].members == 1) {
        g->count--; /* nobody shares that one */
    }
}

void groups_advance(struct builder *b, const struct insn *insn)
{
    if (b->groups.count != 0) {
        advance(b, insn);
    }
}

void groups_forget(struct builder *b)
{
    b->groups.established = 0;
}

struct access_group *groups_find(struct builder *b, const struct guest_operand *operand, unsigned width,
                                 bool store, int32_t *offset, int32_t *register_offset)
{
    struct tracked_value value;
    if (!value_of(b, operand, &value) || !offset_is_moderate(value.offset)) {
        return NULL;
    }
    for (unsigned i = 0; i < b->groups.count; i++) {
        struct access_group *group = &b->groups.groups[i];
        if (group->unknown == value.unknown && group->members > 1 && group->low <= value.offset &&
            value.offset + (int32_t)width <= group->high && (group->store || !store)) {
            *offset = value.offset - group->low;
            *register_offset = operand->displacement - *offset;
            return group;
        }
    }
    return NULL;
}

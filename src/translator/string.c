/* MOVS STOS LODS CMPS SCAS, once and repeated (SDM 2: REP; SDM 1 §7.3.9).
 *
 * Once: one or two accesses, then the index registers move by the direction that t->string_step holds. A
 * value that waits for the second access is in t->temporary, so that nothing has changed when that faults.
 *
 * Repeated: MOVS and STOS upwards, within a page, as themselves on host addresses; SITE_STRING for everything
 * else, see string_run.c. INS and OUTS take that way too, where the fallback does every iteration. */
#include <stddef.h>

#include "translator/builder.h"

/* ES:DI. */
static struct guest_operand destination_of(const struct insn *insn)
{
    return (struct guest_operand){
        .segment = CPU_ES, .base = GPR_DI, .index = GPR_NONE, .address_size = insn->address_size};
}

static unsigned element_width(const struct insn *insn)
{
    return insn->operand[insn->operand[0].kind == OPERAND_MEMORY ? 0 : 1].size;
}

static struct host_address temporary(void)
{
    return host_at(HOST_R14, (int32_t)offsetof(struct translator, temporary));
}

/* `opcode` is the form for bytes. */
static unsigned opcode_of_width(unsigned opcode, unsigned width)
{
    return host_width(width) | (width == 1 ? opcode : opcode | 1);
}

enum { OPCODE_CMP = 0x3a, OPCODE_LOAD = 0x8a, OPCODE_STORE = 0x88 };

/* SI or DI moves on by one element. Changes rcx and r11. */
static void emit_advance(struct builder *b, const struct insn *insn, unsigned index)
{
    struct emitter *e = &b->e;
    unsigned scale = (unsigned)__builtin_ctz(element_width(insn));
    emit_load64(e, HOST_RCX, host_at(HOST_R14, (int32_t)offsetof(struct translator, string_step)));
    if (insn->address_size == 4) {
        emit_lea(e, host_gpr(index), host_sum(host_gpr(index), HOST_RCX, scale, 0));
    } else {
        emit_lea(e, HOST_R11, host_sum(host_gpr(index), HOST_RCX, scale, 0));
        emit_reg(e, HOST_66 | 0x8b, host_gpr(index), HOST_R11);
    }
}

static void emit_string_once(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    unsigned width = element_width(insn);
    struct guest_operand source = guest_operand_of(insn);
    struct guest_operand destination = destination_of(insn);
    switch (insn->id) {
    case INSN_MOVS:
        emit_load_width(e, HOST_R11, emit_access(b, &source, width, ACCESS_LOAD, HOST_RCX), width);
        emit_store(e, temporary(), HOST_R11);
        {
            struct host_address at = emit_access(b, &destination, width, ACCESS_STORE, HOST_RCX);
            emit_load(e, HOST_R11, temporary());
            emit_mem(e, opcode_of_width(OPCODE_STORE, width), HOST_R11, at);
        }
        break;
    case INSN_STOS:
        emit_mem(e, opcode_of_width(OPCODE_STORE, width), HOST_RAX,
                 emit_access(b, &destination, width, ACCESS_STORE, HOST_RCX));
        break;
    case INSN_LODS:
        emit_mem(e, opcode_of_width(OPCODE_LOAD, width), HOST_RAX,
                 emit_access(b, &source, width, ACCESS_LOAD, HOST_RCX));
        break;
    case INSN_CMPS:
        emit_load_width(e, HOST_R11, emit_access(b, &destination, width, ACCESS_LOAD, HOST_RCX), width);
        emit_store(e, temporary(), HOST_R11);
        emit_load_width(e, HOST_R11, emit_access(b, &source, width, ACCESS_LOAD, HOST_RCX), width);
        emit_mem(e, opcode_of_width(OPCODE_CMP, width), HOST_R11, temporary());
        break;
    default:
        emit_mem(e, opcode_of_width(OPCODE_CMP, width), HOST_RAX,
                 emit_access(b, &destination, width, ACCESS_LOAD, HOST_RCX));
        break;
    }
}

static bool has_source(const struct insn *insn)
{
    return insn->id == INSN_MOVS || insn->id == INSN_CMPS || insn->id == INSN_LODS;
}

static bool has_destination(const struct insn *insn)
{
    return insn->id != INSN_LODS;
}

static bool is_repeated(const struct insn *insn)
{
    return (insn->prefixes & (PREFIX_REP | PREFIX_REPNE)) != 0;
}

static void emit_string_site(struct builder *b, const struct insn *insn)
{
    struct translator_site *site = builder_add_site(b, SITE_STRING, emit_jmp(&b->e));
    site->width = (uint8_t)element_width(insn);
    site->detail = (insn->memory.segment | (insn->address_size == 2 ? STRING_ADDRESS16 : 0u) |
                    (insn->prefixes & PREFIX_REP ? 0 : STRING_REPNE)) &
                   31;
}

/* ---- MOVS and STOS of one page's memory by the host's own */

/* Goes to `slow` unless the elements from `index` on, as many as ECX says, lie in one page of the fast TLB;
 * their host address in rcx. Changes r11. */
static void emit_run_access(struct builder *b, unsigned index, unsigned scale, enum access_kind kind,
                            const uint8_t *slow)
{
    struct emitter *e = &b->e;
    size_t tags = kind == ACCESS_STORE ? offsetof(struct fast_tlb, store) : offsetof(struct fast_tlb, load);
    emit_rorx(e, HOST_R11, index, PAGE_SHIFT);
    emit_zero_extend16(e, HOST_R11, HOST_R11);
    emit_load(e, HOST_RCX, host_sum(HOST_R15, HOST_R11, 2, (int32_t)tags - PAGE_SHIFT));
    emit_lea(e, HOST_RCX, host_sum(HOST_RCX, index, 0, 0)); /* less than a page when it is the right one */
    emit_lea64(e, HOST_RCX, host_sum(HOST_RCX, HOST_R9, scale, -1));
    emit_shrx64(e, HOST_RCX, HOST_RCX, HOST_R15);
    uint8_t *hit = emit_jrcxz(e);
    emit_jmp_back(e, slow);
    emit_bind8(e, hit);
    emit_load64(e, HOST_RCX,
                host_sum(HOST_R15, HOST_R11, 3, (int32_t)offsetof(struct fast_tlb, addend) - PAGE_SHIFT));
    emit_lea64(e, HOST_RCX, host_sum(HOST_RCX, index, 0, 0));
}

/* The budget for all iterations but the one that is counted, or `slow`. Changes rcx and r11. */
static void emit_run_budget(struct builder *b, const uint8_t *slow)
{
    struct emitter *e = &b->e;
    emit_lea64(e, HOST_R11, host_sum(HOST_R13, HOST_R9, 0, -1));
    emit_rorx64(e, HOST_RCX, HOST_R11, 32);
    emit_not64(e, HOST_RCX);
    emit_mov(e, HOST_RCX, HOST_RCX);
    uint8_t *suffices = emit_jrcxz(e);
    emit_jmp_back(e, slow);
    emit_bind8(e, suffices);
    emit_mov64(e, HOST_R13, HOST_R11);
}

static void emit_run(struct builder *b, const struct insn *insn, const uint8_t *slow)
{
    struct emitter *e = &b->e;
    bool copy = insn->id == INSN_MOVS;
    unsigned width = element_width(insn);
    unsigned scale = (unsigned)__builtin_ctz(width);
    emit_load64(e, HOST_RCX, host_at(HOST_R14, (int32_t)offsetof(struct translator, string_step)));
    emit_lea64(e, HOST_RCX, host_at(HOST_RCX, -1));
    uint8_t *upwards = emit_jrcxz(e);
    emit_jmp_back(e, slow);
    emit_bind8(e, upwards);
    if (copy) {
        emit_run_access(b, HOST_RSI, scale, ACCESS_LOAD, slow);
        emit_store64(e, temporary(), HOST_RCX);
    }
    emit_run_access(b, HOST_RDI, scale, ACCESS_STORE, slow);
    emit_mov64(e, HOST_R10, HOST_RCX);
    emit_run_budget(b, slow);
    emit_lea(e, HOST_R11, host_sum(HOST_RDI, HOST_R9, scale, 0));
    emit_mov64(e, HOST_RDI, HOST_R10);
    if (copy) {
        emit_lea(e, HOST_R10, host_sum(HOST_RSI, HOST_R9, scale, 0));
        emit_load64(e, HOST_RSI, temporary());
    }
    emit_mov(e, HOST_RCX, HOST_R9);
    emit_u8(e, 0xf3);
    if (width == 2) {
        emit_u8(e, 0x66);
    }
    emit_u8(e, insn->opcode);
    emit_mov(e, HOST_RDI, HOST_R11);
    if (copy) {
        emit_mov(e, HOST_RSI, HOST_R10);
    }
    emit_mov(e, HOST_R9, HOST_RCX);
}

static bool can_run(const struct builder *b, const struct insn *insn)
{
    return !builder_walks(b) &&
           (insn->id == INSN_STOS ||
            (insn->id == INSN_MOVS && mode_segment_class(b->mode, insn->memory.segment) == SEGMENT_FLAT)) &&
           mode_segment_class(b->mode, CPU_ES) == SEGMENT_FLAT && insn->address_size == 4;
}

static bool translate_repeated(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    if (insn->address_size == 2) {
        emit_zero_extend16(e, HOST_RCX, HOST_R9);
    } else {
        emit_mov(e, HOST_RCX, HOST_R9);
    }
    uint8_t *nothing_to_do = emit_jrcxz(e);
    if (!can_run(b, insn)) {
        emit_string_site(b, insn);
        emit_bind8(e, nothing_to_do);
        return true;
    }
    uint8_t *something = emit_jmp(e);
    emit_bind8(e, nothing_to_do);
    uint8_t *behind = emit_jmp(e);
    const uint8_t *slow = e->at;
    emit_string_site(b, insn);
    emit_bind32(e, something);
    emit_run(b, insn, slow);
    emit_bind32(e, behind);
    return true;
}

bool translate_string(struct builder *b, const struct insn *insn)
{
    struct guest_operand source = guest_operand_of(insn);
    struct guest_operand destination = destination_of(insn);
    if (is_repeated(insn)) {
        return translate_repeated(b, insn);
    }
    if ((has_source(insn) && !access_is_possible(b, &source, ACCESS_LOAD)) ||
        (has_destination(insn) && !access_is_possible(b, &destination, ACCESS_STORE))) {
        return false;
    }
    emit_string_once(b, insn);
    if (has_source(insn)) {
        emit_advance(b, insn, GPR_SI);
    }
    if (has_destination(insn)) {
        emit_advance(b, insn, GPR_DI);
    }
    return true;
}

/* INS, OUTS. A count of zero checks the port all the same. */
bool translate_string_of_port(struct builder *b, const struct insn *insn)
{
    if (!is_repeated(insn)) {
        return false;
    }
    emit_string_site(b, insn);
    return true;
}

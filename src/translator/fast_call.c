/* SYSENTER and SYSEXIT as host code (SDM 2; SDM 3A §5.8.7).
 *
 * Both lead from one flat 32-bit world to the other: code and stack segments are flat before and after, only
 * selectors and privilege change. translator_quick() executes the first, and what it has found is kept for
 * the next from the same context (struct fast_call): the context of the jump cache that it led to, the
 * segments, the TLB. Inline code compares contexts and copies. Whatever could make this wrong (a MSR written,
 * mappings changed, a context replaced) makes it be forgotten.
 *
 * Return addresses on the return stack belong to the context that is left (returns.c), so it is emptied. */
#include <stddef.h>

#include "translator/sensitive.h"

_Static_assert(offsetof(struct translator, jump_salt) == offsetof(struct translator, mode) + 4 &&
                   offsetof(struct fast_call, jump_salt) == offsetof(struct fast_call, mode) + 4,
               "mode and salt are one quadword");
_Static_assert(offsetof(struct segment, limit) == 4 && offsetof(struct segment, base) == 8,
               "selector, attributes and limit are one quadword");
_Static_assert(offsetof(struct segment, read_last) == offsetof(struct segment, read_first) + 4,
               "the bounds for reading are one quadword");

static uint64_t quadword_of(const struct segment *segment, size_t offset)
{
    uint64_t value;
    memcpy(&value, (const uint8_t *)segment + offset, sizeof value);
    return value;
}

void fast_call_learn(struct translator *t, const struct translator_site *site, uint64_t from_context,
                     uint32_t from_mode, uint64_t from_base, const uint8_t *from_window)
{
    const uint32_t flat = MODE_PROTECTED | MODE_CODE32 | MODE_STACK32;
    const struct cpu_state *cpu = t->cpu;
    bool possible =
        (from_mode & flat) == flat && mode_segment_class(from_mode, CPU_SS) == SEGMENT_FLAT && from_base == 0;
    /* When only one of the two has a window, or both have the same, GS stays there. */
    bool other_window = (from_mode & t->mode & MODE_DIRECT) != 0 && t->window != from_window;
    if (possible && (!other_window || t->cheap_gs_base)) {
        t->fast_calls[site->insn == INSN_SYSEXIT] = (struct fast_call){
            .from = 0 - from_context,
            .to = t->context,
            .code = quadword_of(&cpu->segment[CPU_CS], 0),
            .code_bounds = quadword_of(&cpu->segment[CPU_CS], offsetof(struct segment, read_first)),
            .stack = quadword_of(&cpu->segment[CPU_SS], 0),
            .tlb = t->tlb,
            .window = other_window ? t->window : NULL,
            .mode = t->mode,
            .jump_salt = t->jump_salt,
            .esp = (uint32_t)cpu->sysenter_esp,
            .eip = (uint32_t)cpu->sysenter_eip};
    }
}

void fast_call_forget(struct translator *t)
{
    t->fast_calls[0].from = t->fast_calls[1].from = 0; /* no context */
}

static struct host_address field(size_t offset)
{
    return host_at(HOST_R14, (int32_t)offset);
}

static struct host_address call_field(const struct insn *insn, size_t offset)
{
    bool exit = insn->id == INSN_SYSEXIT;
    return field(offsetof(struct translator, fast_calls) + exit * sizeof(struct fast_call) + offset);
}

/* r11: the CPU's state. */
static struct host_address segment_field(unsigned number, size_t offset)
{
    return host_at(HOST_R11,
                   (int32_t)(offsetof(struct cpu_state, segment) + number * sizeof(struct segment) + offset));
}

static void emit_copy64(struct builder *b, struct host_address to, struct host_address from)
{
    emit_load64(&b->e, HOST_RCX, from);
    emit_store64(&b->e, to, HOST_RCX);
}

/* Leaves for the emulation unless it is known what comes. */
static void emit_checks(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    emit_load64(e, HOST_RCX, call_field(insn, offsetof(struct fast_call, from)));
    emit_lea64(e, HOST_RCX, host_sum(HOST_RCX, HOST_R12, 0, 0));
    uint8_t *known = emit_jrcxz(e);
    const uint8_t *unknown = e->at;
    sensitive_add_site(b, insn, emit_jmp(e));
    emit_bind8(e, known);
    emit_load64(e, HOST_R11, field(offsetof(struct translator, cpu)));
    if (insn->id == INSN_SYSEXIT) { /* the context does not tell rings 0 to 2 apart */
        emit_load_width(e, HOST_RCX, host_at(HOST_R11, (int32_t)offsetof(struct cpu_state, cpl)), 1);
        uint8_t *ring_0 = emit_jrcxz(e);
        emit_jmp_back(e, unknown);
        emit_bind8(e, ring_0);
    }
}

static void emit_segments(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    emit_copy64(b, segment_field(CPU_CS, 0), call_field(insn, offsetof(struct fast_call, code)));
    emit_copy64(b, segment_field(CPU_CS, offsetof(struct segment, read_first)),
                call_field(insn, offsetof(struct fast_call, code_bounds)));
    emit_copy64(b, segment_field(CPU_SS, 0), call_field(insn, offsetof(struct fast_call, stack)));
    emit_mem(e, 0xc6, 0, host_at(HOST_R11, (int32_t)offsetof(struct cpu_state, cpl)));
    emit_u8(e, insn->id == INSN_SYSEXIT ? 3 : 0);
}

static void emit_clear_interrupt_flag(struct builder *b)
{
    struct emitter *e = &b->e;
    struct host_address flags = host_at(HOST_R11, (int32_t)offsetof(struct cpu_state, eflags_other));
    emit_load(e, HOST_RCX, flags);
    emit_mov_immediate(e, HOST_R10, ~((uint32_t)EFLAGS_VM | EFLAGS_IF | EFLAGS_RF));
    emit_pext(e, HOST_RCX, HOST_RCX, HOST_R10);
    emit_pdep(e, HOST_RCX, HOST_RCX, HOST_R10);
    emit_store(e, flags, HOST_RCX);
}

/* WRGSBASE where there is a window to be at. */
static void emit_window(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    emit_load64(e, HOST_RCX, call_field(insn, offsetof(struct fast_call, window)));
    uint8_t *none = emit_jrcxz(e);
    emit_reg(e, HOST_F3 | HOST_W | HOST_0F | 0xae, 3, HOST_RCX);
    emit_store64(e, field(offsetof(struct translator, window)), HOST_RCX);
    emit_bind8(e, none);
}

static void emit_context(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    unsigned user = insn->id == INSN_SYSEXIT;
    emit_load64(e, HOST_R12, call_field(insn, offsetof(struct fast_call, to)));
    emit_store64(e, field(offsetof(struct translator, context)), HOST_R12);
    emit_store64(e, field(offsetof(struct translator, context_base)), HOST_R12);
    emit_store64(e, field(offsetof(struct translator, return_context)), HOST_R12);
    emit_load64(e, HOST_R15, call_field(insn, offsetof(struct fast_call, tlb)));
    emit_store64(e, field(offsetof(struct translator, tlb)), HOST_R15);
    emit_copy64(b, field(offsetof(struct translator, mode)),
                call_field(insn, offsetof(struct fast_call, mode)));
    emit_load64(e, HOST_RSP, field(offsetof(struct translator, return_bottom)));
    for (unsigned kind = KNOWN_JUMP; kind <= KNOWN_RETURN; kind++) { /* CS is another one */
        size_t known = user * sizeof(struct known_selector[KNOWN_KINDS]) +
                       kind * sizeof(struct known_selector) + offsetof(struct known_selector, key);
        emit_mem(e, HOST_W | 0xc7, 0, field(offsetof(struct translator, known) + known));
        emit_u32(e, 0);
    }
}

bool inline_fast_call(struct builder *b, const struct insn *insn)
{
    struct emitter *e = &b->e;
    if (!(b->mode & MODE_PROTECTED)) {
        return false;
    }
    emit_checks(b, insn);
    emit_segments(b, insn);
    if (insn->id == INSN_SYSENTER) {
        emit_clear_interrupt_flag(b);
        emit_load(e, HOST_R8, call_field(insn, offsetof(struct fast_call, esp)));
        emit_load_sign_extend32(e, HOST_R10, call_field(insn, offsetof(struct fast_call, eip)));
    } else {
        emit_mov(e, HOST_R8, HOST_R9);
        emit_sign_extend32(e, HOST_R10, HOST_RDX);
    }
    emit_context(b, insn);
    if (b->t->cheap_gs_base) {
        emit_window(b, insn);
    }
    emit_indirect_exit(b, NULL);
    return true;
}

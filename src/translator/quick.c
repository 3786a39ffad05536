/* The common cases of system instructions in protected mode, without a detour through struct cpu_state.
 *
 * Selector loads, far transfers on one level, INT n and IRET between flat 32-bit segments, SYSENTER, SYSEXIT
 * and ports are done here while the general registers stay where the service stub has put them. A function
 * answers QUICK_NOT before it has changed anything whenever something is out of the ordinary: then the
 * emulation proper (sensitive.c) does all of it, with every check.
 *
 * What a selector gives depends on the bytes of its descriptor, on the privilege and on the kind of load. The
 * emulation's results are remembered with these; a load of the same is a copy. The descriptor's bytes are
 * read and compared every time, through the TLB of translated code: nothing has to be told when the guest
 * changes its tables. Limits of tables and of offsets are checked here each time. */
#include "translator/quick.h"

#include <string.h>

#include "translator/float.h"
#include "translator/sensitive.h"

#define DESCRIPTOR_IS_SEGMENT ((uint64_t)SEGMENT_S << 40)

/* ---- guest memory */

/* Where `width` bytes of guest memory are; NULL when that takes more than a look at the TLB. */
static uint8_t *host_memory(struct translator *t, uint32_t linear, unsigned width, bool store, bool user)
{
    const struct fast_tlb *fast = t->mmu->fast[user];
    uint8_t *host = NULL;
    if (!fast_tlb_hits(store ? fast->store : fast->load, linear, width) &&
        mmu_fast_fill(t->mmu, linear, width, store, user, &host) != MMU_FAST_FILLED) {
        return NULL;
    }
    uint64_t address = fast->addend[fast_tlb_slot(linear)] + linear;
    return (uint8_t *)(uintptr_t)address;
}

/* The top of a 32-bit stack without limits, `width` bytes up from esp + offset. */
static uint8_t *stack_memory(struct translator *t, int32_t offset, unsigned width, bool store)
{
    if (!(t->mode & MODE_STACK32) || mode_segment_class(t->mode, CPU_SS) != SEGMENT_FLAT) {
        return NULL;
    }
    return host_memory(t, t->gpr[CPU_SP] + (uint32_t)offset, width, store, (t->mode & MODE_USER) != 0);
}

/* Where the descriptor is; NULL: out of the ordinary. */
static const uint8_t *find_descriptor(struct translator *t, uint16_t selector)
{
    const struct cpu_state *cpu = t->cpu;
    bool local = selector & 4;
    uint32_t index = selector & 0xfff8u;
    uint64_t base = local ? cpu->ldtr.base : cpu->gdtr.base;
    uint32_t limit = local ? cpu->ldtr.limit : cpu->gdtr.limit;
    if ((selector & 0xfffc) == 0 || index + 7 > limit || (local && cpu->ldtr.attributes == 0)) {
        return NULL;
    }
    return host_memory(t, (uint32_t)(base + index), 8, false, false);
}

static bool read_descriptor(struct translator *t, uint16_t selector, uint64_t *raw)
{
    const uint8_t *host = find_descriptor(t, selector);
    if (host != NULL) {
        *raw = load_le64(host);
    }
    return host != NULL;
}

/* ---- what loads have given */

static struct load_memo *memo_slot(struct translator *t, enum load_kind kind, uint16_t selector)
{
    return &t->memos[kind][(selector >> 3) % LOAD_MEMOS];
}

static const struct segment *recall(struct translator *t, enum load_kind kind, uint16_t selector,
                                    unsigned cpl)
{
    const struct load_memo *memo = memo_slot(t, kind, selector);
    uint64_t raw;
    if (memo->selector != selector || memo->cpl != cpl || !read_descriptor(t, selector, &raw) ||
        memo->raw != raw) {
        return NULL;
    }
    return &memo->segment;
}

/* `selector`, loaded at `cpl` by the emulation, gave what is in `number` now. */
static void remember(struct translator *t, enum load_kind kind, uint16_t selector, unsigned cpl,
                     enum cpu_segment number)
{
    uint64_t raw;
    if (read_descriptor(t, selector, &raw) && (raw & DESCRIPTOR_IS_SEGMENT)) {
        *memo_slot(t, kind, selector) = (struct load_memo){
            .raw = raw, .segment = t->cpu->segment[number], .selector = selector, .cpl = (uint8_t)cpl};
    }
}

/* ---- what inline code knows */

void translator_forget_selectors(struct translator *t)
{
    t->known_epoch += KNOWN_EPOCH;
}

/* CS is another one, and the privilege was or is the user's. */
static void forget_transfers(struct translator *t)
{
    for (unsigned kind = KNOWN_JUMP; kind <= KNOWN_RETURN; kind++) {
        t->known[0][kind].key = t->known[1][kind].key = 0;
    }
}

void translator_forget_by_transfer(struct translator *t, uint32_t from_mode)
{
    if ((from_mode ^ t->mode) & MODE_USER) {
        forget_transfers(t);
    } else {
        translator_forget_selectors(t);
    }
}

bool translator_descriptors_stay(const struct translator *t)
{
    const struct cpu_state *cpu = t->cpu;
    const struct descriptor_table *table = &cpu->gdtr;
    bool in_a_page = (table->base & PAGE_MASK) + table->limit < PAGE_SIZE;
    return cpu->ldtr.attributes == 0 && in_a_page && mmu_load_is_global(t->mmu, table->base);
}

/* `selector`, in its present descriptor, gave what inline code may take for granted. */
static struct known_selector *learn(struct translator *t, enum known_kind kind, uint16_t selector)
{
    bool null = (selector & 0xfffc) == 0;
    const uint8_t *descriptor = null ? (const uint8_t *)&t->no_descriptor : find_descriptor(t, selector);
    struct known_selector *known = &t->known[(t->mode & MODE_USER) != 0][kind];
    *known = (struct known_selector){.key = 0 - (t->known_epoch + selector),
                                     .descriptor = descriptor,
                                     .negated = 0 - load_le64(descriptor)};
    return known;
}

/* ---- segment loads */

/* The selector that is loaded or asked about, in a register or in memory; false: out of the ordinary. */
static bool selector_operand(struct translator *t, const struct translator_site *site, uint16_t *selector)
{
    if (site->operand.segment == OPERAND_SEGMENT_NONE) {
        *selector = (uint16_t)t->gpr[site->operand.rm];
        return true;
    }
    const struct segment *segment = &t->cpu->segment[site->operand.segment];
    uint32_t offset = (uint32_t)t->address;
    if (offset < segment->read_first || offset >= segment->read_last) {
        return false;
    }
    const uint8_t *host =
        host_memory(t, (uint32_t)segment->base + offset, 2, false, (t->mode & MODE_USER) != 0);
    if (host != NULL) {
        *selector = load_le16(host);
    }
    return host != NULL;
}

static enum quick_result load_segment(struct translator *t, enum cpu_segment number, uint16_t selector,
                                      unsigned pop)
{
    struct cpu_state *cpu = t->cpu;
    const struct segment null = {.selector = selector, .limit = 0xffff, .read_first = 1, .write_first = 1};
    if (!(t->mode & MODE_PROTECTED) || number == CPU_SS) {
        return QUICK_NOT;
    }
    const struct segment *segment =
        (selector & 0xfffc) == 0 ? &null : recall(t, LOAD_DATA, selector, cpu->cpl);
    if (segment == NULL) {
        return QUICK_NOT;
    }
    cpu->segment[number] = *segment;
    t->gpr[CPU_SP] += pop;
    t->known[(t->mode & MODE_USER) == 0][number].key = 0; /* the other privilege's */
    learn(t, (enum known_kind)number, selector);
    return QUICK_CHANGED_SEGMENT;
}

static enum quick_result move_segment(struct translator *t, const struct translator_site *site)
{
    uint16_t selector;
    if (!site->operand.variant || !selector_operand(t, site, &selector)) {
        return QUICK_NOT;
    }
    return load_segment(t, (enum cpu_segment)site->operand.reg, selector, 0);
}

static enum quick_result pop_segment(struct translator *t, const struct translator_site *site)
{
    const uint8_t *top = stack_memory(t, 0, site->width, false);
    if (top == NULL) {
        return QUICK_NOT;
    }
    return load_segment(t, (enum cpu_segment)site->operand.reg, load_le16(top), site->width);
}

/* ---- LAR, LSL, VERR, VERW */

static struct query_memo *query_slot(struct translator *t, const struct translator_site *site,
                                     uint16_t selector)
{
    return &t->queries[(site->insn + (selector >> 3)) % LOAD_MEMOS];
}

enum known_kind translator_known_query(enum insn_id id)
{
    switch (id) {
    case INSN_LAR: return KNOWN_LAR;
    case INSN_LSL: return KNOWN_LSL;
    case INSN_VERR: return KNOWN_VERR;
    default: return KNOWN_VERW;
    }
}

static enum quick_result query(struct translator *t, const struct translator_site *site)
{
    uint16_t selector;
    if (!(t->mode & MODE_PROTECTED) || !selector_operand(t, site, &selector)) {
        return QUICK_NOT;
    }
    const struct query_memo *memo = query_slot(t, site, selector);
    uint64_t raw;
    if (memo->insn != site->insn || memo->selector != selector || memo->cpl != t->cpu->cpl ||
        memo->width != site->width || !read_descriptor(t, selector, &raw) || memo->raw != raw) {
        return QUICK_NOT;
    }
    const uint32_t zf = (uint32_t)EFLAGS_ZF << 8;
    bool has_result = site->insn == INSN_LAR || site->insn == INSN_LSL;
    t->flags = memo->valid ? t->flags | zf : t->flags & ~zf;
    if (memo->valid || !has_result) {
        struct known_selector *known = learn(t, translator_known_query((enum insn_id)site->insn), selector);
        known->result = memo->result;
        known->zf = memo->valid ? EFLAGS_ZF : 0;
    }
    if (memo->valid && has_result) {
        uint32_t mask = site->width == 2 ? 0xffff : UINT32_MAX;
        uint32_t *to = &t->gpr[site->operand.reg];
        *to = (*to & ~mask) | (memo->result & mask);
    }
    return QUICK_STAYS;
}

static void remember_query(struct translator *t, const struct translator_site *site)
{
    const struct cpu_state *cpu = t->cpu;
    uint16_t selector;
    uint64_t raw;
    if (selector_operand(t, site, &selector) && read_descriptor(t, selector, &raw)) {
        *query_slot(t, site, selector) = (struct query_memo){.raw = raw,
                                                             .result = cpu->gpr[site->operand.reg].d,
                                                             .selector = selector,
                                                             .insn = site->insn,
                                                             .width = site->width,
                                                             .cpl = cpu->cpl,
                                                             .valid = flags_zf(&cpu->flags)};
    }
}

/* ---- far transfers on one level */

static enum quick_result transfer(struct translator *t, const struct segment *code, uint32_t eip)
{
    t->cpu->segment[CPU_CS] = *code;
    t->cpu->rip = eip;
    cpu_update_mode(t->cpu);
    return QUICK_TRANSFERRED;
}

/* The same on one level: often into the segment that is there, by a selector that inline code then knows. */
static enum quick_result transfer_on_level(struct translator *t, const struct segment *code, uint32_t eip,
                                           enum known_kind kind)
{
    if (memcmp(&t->cpu->segment[CPU_CS], code, sizeof *code) != 0) {
        return transfer(t, code, eip);
    }
    if (kind != KNOWN_KINDS) {
        learn(t, kind, code->selector);
    }
    t->cpu->rip = eip;
    return QUICK_JUMPED;
}

/* The far pointer of JMP and CALL, in flat memory or in the instruction. */
static bool far_operand(struct translator *t, const struct translator_site *site, uint16_t *selector,
                        uint32_t *offset)
{
    if (site->operand.segment == OPERAND_SEGMENT_NONE) {
        *selector = site->operand.immediate;
        *offset = site->target;
        return true;
    }
    if (mode_segment_class(t->mode, site->operand.segment) != SEGMENT_FLAT || site->operand.address16) {
        return false;
    }
    const uint8_t *host = host_memory(t, (uint32_t)t->address, 6, false, (t->mode & MODE_USER) != 0);
    if (host != NULL) {
        *offset = load_le32(host);
        *selector = load_le16(host + 4);
    }
    return host != NULL;
}

static enum quick_result jump_far(struct translator *t, const struct translator_site *site)
{
    uint16_t selector;
    uint32_t eip;
    if (!(t->mode & MODE_PROTECTED) || site->width != 4 || !far_operand(t, site, &selector, &eip)) {
        return QUICK_NOT;
    }
    const struct segment *code = recall(t, LOAD_CODE_DIRECT, selector, t->cpu->cpl);
    if (code == NULL || eip > code->limit) {
        return QUICK_NOT;
    }
    if (site->insn == INSN_CALL_FAR) {
        uint8_t *frame = stack_memory(t, -8, 8, true);
        if (frame == NULL) {
            return QUICK_NOT;
        }
        store_le32(frame, site_next_eip(site));
        store_le32(frame + 4, t->cpu->segment[CPU_CS].selector);
        t->gpr[CPU_SP] -= 8;
    }
    return transfer_on_level(t, code, eip, KNOWN_JUMP);
}

static enum quick_result return_far(struct translator *t, const struct translator_site *site)
{
    const uint8_t *frame = stack_memory(t, 0, 8, false);
    if (!(t->mode & MODE_PROTECTED) || site->width != 4 || frame == NULL) {
        return QUICK_NOT;
    }
    uint32_t eip = load_le32(frame);
    uint16_t selector = load_le16(frame + 4);
    const struct segment *code = recall(t, LOAD_CODE_RETURN, selector, t->cpu->cpl);
    if (code == NULL || eip > code->limit || (selector & 3) != t->cpu->cpl) {
        return QUICK_NOT;
    }
    t->gpr[CPU_SP] += 8 + (uint16_t)site->target;
    return transfer_on_level(t, code, eip, KNOWN_RETURN);
}

/* ---- IRET, INT n */

#define FLAGS_UNUSUAL                                                                                        \
    ((uint32_t)EFLAGS_TF | EFLAGS_IOPL | EFLAGS_NT | EFLAGS_VM | EFLAGS_AC | EFLAGS_VIF | EFLAGS_VIP |       \
     EFLAGS_ID)

uint32_t translator_image_of_flags(const struct translator *t)
{
    uint32_t arithmetic = (t->flags >> 8 & 0xd5) | (t->flags & 1 ? (uint32_t)EFLAGS_OF : 0);
    return t->cpu->eflags_other | arithmetic;
}

/* Whether a data segment may stay when control goes to ring 3. */
static bool is_for_ring_3(const struct segment *segment)
{
    return (segment->attributes & SEGMENT_DPL) == SEGMENT_DPL ||
           (segment->attributes == 0 && segment->selector == 0);
}

static bool segments_are_for_ring_3(const struct cpu_state *cpu)
{
    return is_for_ring_3(&cpu->segment[CPU_ES]) && is_for_ring_3(&cpu->segment[CPU_DS]) &&
           is_for_ring_3(&cpu->segment[CPU_FS]) && is_for_ring_3(&cpu->segment[CPU_GS]);
}

static enum quick_result interrupt_return(struct translator *t, const struct translator_site *site)
{
    struct cpu_state *cpu = t->cpu;
    const uint8_t *frame = stack_memory(t, 0, 20, false);
    if (!(t->mode & MODE_PROTECTED) || site->width != 4 || frame == NULL || (cpu->eflags_other & EFLAGS_NT)) {
        return QUICK_NOT;
    }
    uint32_t eip = load_le32(frame);
    uint16_t selector = load_le16(frame + 4);
    uint32_t eflags = load_le32(frame + 8);
    if (eflags & EFLAGS_VM) {
        return quick_return_to_v86(t);
    }
    unsigned rpl = selector & 3;
    bool outer = rpl != cpu->cpl;
    uint32_t fixed = cpu->cpl <= cpu_iopl(cpu) ? 0 : (uint32_t)EFLAGS_IF;
    const struct segment *code = recall(t, LOAD_CODE_RETURN, selector, cpu->cpl);
    if (code == NULL || eip > code->limit || ((eflags ^ cpu->eflags_other) & FLAGS_UNUSUAL)) {
        return QUICK_NOT;
    }
    if (outer) {
        uint16_t ss = load_le16(frame + 16);
        const struct segment *stack = recall(t, LOAD_STACK, ss, rpl);
        if (rpl != 3 || stack == NULL || !(stack->attributes & SEGMENT_BIG) ||
            !segments_are_for_ring_3(cpu)) {
            return QUICK_NOT;
        }
        cpu->segment[CPU_SS] = *stack;
        t->gpr[CPU_SP] = load_le32(frame + 12);
    } else {
        t->gpr[CPU_SP] += 12;
    }
    uint32_t mask = ((uint32_t)EFLAGS_IF | EFLAGS_DF | (cpu->model->eflags_writable & EFLAGS_RF)) & ~fixed;
    cpu->eflags_other = (cpu->eflags_other & ~mask) | (eflags & mask);
    t->flags = translator_host_flags(eflags & EFLAGS_ARITHMETIC);
    t->string_step = cpu->eflags_other & EFLAGS_DF ? -1 : 1;
    cpu->nmi_blocked = false;
    return outer ? transfer(t, code, eip) : transfer_on_level(t, code, eip, KNOWN_RETURN);
}

/* Where the handler's frame of `size` bytes goes, SS and ESP beneath it; NULL: out of the ordinary. */
static uint8_t *inner_stack(struct translator *t, unsigned size, const struct segment **stack, uint32_t *esp)
{
    const struct cpu_state *cpu = t->cpu;
    const unsigned tss32_busy = 11;
    if ((cpu->tr.attributes & SEGMENT_TYPE) != tss32_busy || cpu->tr.limit < 11) {
        return NULL;
    }
    const uint8_t *ring0 = host_memory(t, (uint32_t)cpu->tr.base + 4, 6, false, false);
    if (ring0 == NULL) {
        return NULL;
    }
    *esp = load_le32(ring0);
    *stack = recall(t, LOAD_STACK, load_le16(ring0 + 4), 0);
    bool flat = *stack != NULL && ((*stack)->attributes & SEGMENT_BIG) && (*stack)->base == 0 &&
                (*stack)->write_first == 0 && (*stack)->write_last == UINT32_MAX;
    return flat ? host_memory(t, *esp - size, size, true, false) : NULL;
}

bool translator_find_ring0_handler(struct translator *t, uint32_t vector, bool is_software, unsigned size,
                                   struct ring0_handler *to)
{
    const struct cpu_state *cpu = t->cpu;
    const uint8_t *gate = vector * 8 + 7 <= cpu->idtr.limit
                              ? host_memory(t, (uint32_t)cpu->idtr.base + vector * 8, 8, false, false)
                              : NULL;
    if (gate == NULL) {
        return false;
    }
    const unsigned access = gate[5]; /* P, DPL, 0, type: 14 interrupt, 15 trap */
    to->eip = load_le16(gate) | (uint32_t)load_le16(gate + 6) << 16;
    to->masks_interrupts = !(access & 1);
    to->code = recall(t, LOAD_CODE_HANDLER, load_le16(gate + 2), cpu->cpl);
    if ((access & 0x9e) != 0x8e || (is_software && (access >> 5 & 3) < cpu->cpl) || to->code == NULL ||
        (to->code->selector & 3) != 0 || to->eip > to->code->limit) {
        return false;
    }
    to->frame = inner_stack(t, size, &to->stack, &to->esp);
    return to->frame != NULL;
}

/* What goes through a gate, besides its vector. */
struct gate_event {
    uint32_t eip, eflags; /* as they are pushed */
    bool software;        /* INT n: the gate's DPL counts */
    bool has_error_code;
    uint32_t error_code;
};

static void push_event(uint8_t *frame, const struct cpu_state *cpu, const struct gate_event *event)
{
    if (event->has_error_code) {
        store_le32(frame, event->error_code);
        frame += 4;
    }
    store_le32(frame, event->eip);
    store_le32(frame + 4, cpu->segment[CPU_CS].selector);
    store_le32(frame + 8, event->eflags);
}

static enum quick_result through_gate(struct translator *t, uint8_t vector, const struct gate_event *event)
{
    struct cpu_state *cpu = t->cpu;
    uint32_t slot = vector * 8u;
    if (!(t->mode & MODE_PROTECTED) || slot + 7 > cpu->idtr.limit || cpu_events_are_seen(cpu)) {
        return QUICK_NOT;
    }
    const uint8_t *gate = host_memory(t, (uint32_t)cpu->idtr.base + slot, 8, false, false);
    if (gate == NULL) {
        return QUICK_NOT;
    }
    uint32_t eip = load_le16(gate) | (uint32_t)load_le16(gate + 6) << 16;
    uint16_t selector = load_le16(gate + 2);
    unsigned access = gate[5]; /* P, DPL, 0, type: 14 interrupt, 15 trap */
    const struct segment *code = recall(t, LOAD_CODE_HANDLER, selector, cpu->cpl);
    if ((access & 0x9e) != 0x8e || (event->software && (access >> 5 & 3) < cpu->cpl) || code == NULL ||
        eip > code->limit) {
        return QUICK_NOT;
    }
    bool inner = (code->selector & 3) != cpu->cpl;
    unsigned size = event->has_error_code ? 16 : 12;
    if (!inner) {
        uint8_t *frame = stack_memory(t, -(int32_t)size, size, true);
        if (frame == NULL) {
            return QUICK_NOT;
        }
        push_event(frame, cpu, event);
        t->gpr[CPU_SP] -= size;
    } else {
        const struct segment *stack = NULL;
        uint32_t esp = 0;
        uint8_t *frame = (code->selector & 3) == 0 ? inner_stack(t, size + 8, &stack, &esp) : NULL;
        if (frame == NULL) {
            return QUICK_NOT;
        }
        push_event(frame, cpu, event);
        store_le32(frame + size, t->gpr[CPU_SP]);
        store_le32(frame + size + 4, cpu->segment[CPU_SS].selector);
        cpu->segment[CPU_SS] = *stack;
        t->gpr[CPU_SP] = esp - size - 8;
    }
    uint32_t cleared = EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | EFLAGS_VM | (access & 1 ? 0 : (uint32_t)EFLAGS_IF);
    cpu->eflags_other &= ~cleared;
    return inner ? transfer(t, code, eip) : transfer_on_level(t, code, eip, KNOWN_KINDS);
}

static enum quick_result interrupt(struct translator *t, const struct translator_site *site)
{
    const struct gate_event event = {
        .eip = site_next_eip(site), .eflags = translator_image_of_flags(t), .software = true};
    return through_gate(t, (uint8_t)site->target, &event);
}

enum quick_result translator_quick_fault(struct translator *t, const struct translator_site *site,
                                         const struct cpu_exception *fault)
{
    const struct gate_event event = {.eip = site_eip(site),
                                     .eflags = translator_image_of_flags(t) |
                                               (t->cpu->model->eflags_writable & EFLAGS_RF),
                                     .has_error_code = fault->has_error_code,
                                     .error_code = fault->error_code};
    return through_gate(t, fault->vector, &event);
}

/* ---- SYSENTER, SYSEXIT */

static enum quick_result fast_call(struct translator *t, const struct translator_site *site)
{
    struct cpu_state *cpu = t->cpu;
    if (!(t->mode & MODE_PROTECTED) || (cpu->sysenter_cs & 0xfffc) == 0) {
        return QUICK_NOT;
    }
    if (site->insn == INSN_SYSENTER) {
        cpu_sysenter(cpu);
    } else if (cpu->cpl == 0) {
        cpu->gpr[CPU_CX].d = t->gpr[CPU_CX];
        cpu->gpr[CPU_DX].d = t->gpr[CPU_DX];
        cpu_sysexit(cpu);
    } else {
        return QUICK_NOT;
    }
    t->gpr[CPU_SP] = cpu->gpr[CPU_SP].d;
    return QUICK_TRANSFERRED;
}

/* ---- IN, OUT */

static enum quick_result port_access(struct translator *t, const struct translator_site *site)
{
    struct cpu_state *cpu = t->cpu;
    if (!(t->mode & MODE_IOPL) || (t->mode & MODE_V86) || t->x87_absent == 0) {
        return QUICK_NOT;
    }
    uint16_t port = (uint16_t)(site->operand.variant ? t->gpr[CPU_DX] : site->target);
    uint32_t mask = (uint32_t)bits_mask(site->width * 8u);
    cpu->rip = site_eip(site); /* for a probe that traces ports */
    if (site->insn == INSN_IN) {
        uint32_t value = cpu->pins.port_read(cpu->pins.opaque, port, site->width);
        t->gpr[CPU_AX] = (t->gpr[CPU_AX] & ~mask) | (value & mask);
    } else {
        cpu->pins.port_write(cpu->pins.opaque, port, site->width, t->gpr[CPU_AX] & mask);
    }
    return QUICK_ASKED_DEVICE;
}

/* ---- INVLPG, MOV from CRn, RDTSC */

/* Tables may be elsewhere now. */
static enum quick_result invalidate_page(struct translator *t, const struct translator_site *site)
{
    struct cpu_state *cpu = t->cpu;
    if (cpu->cpl != 0) {
        return QUICK_NOT;
    }
    uint64_t linear = cpu->segment[site->operand.segment].base + (uint32_t)t->address;
    cpu->memory_ops->flush_page(cpu, linear & UINT32_MAX);
    translator_forget_selectors(t);
    known_load_forget(t);
    return QUICK_ASKED_DEVICE;
}

/* Reads of CR0, CR2 and CR3. */
static enum quick_result move_control(struct translator *t, const struct translator_site *site)
{
    const unsigned plain = 1u << 0 | 1u << 2 | 1u << 3;
    if (site->operand.variant || t->cpu->cpl != 0 || site->operand.reg > 3 ||
        !(plain >> site->operand.reg & 1)) {
        return QUICK_NOT;
    }
    t->gpr[site->operand.rm] = (uint32_t)cpu_read_control(t->cpu, site->operand.reg);
    return QUICK_STAYS;
}

static enum quick_result read_time_stamp(struct translator *t)
{
    struct cpu_state *cpu = t->cpu;
    if ((cpu->cr4 & CR4_TSD) && cpu->cpl != 0) {
        return QUICK_NOT;
    }
    uint64_t value = cpu_read_time_stamp(cpu);
    t->gpr[CPU_AX] = (uint32_t)value;
    t->gpr[CPU_DX] = (uint32_t)(value >> 32);
    return QUICK_STAYS;
}

/* ---- dispatch */

static enum quick_result quick_paragraph(struct translator *t, const struct translator_site *site)
{
    if (t->mode & MODE_V86) {
        return quick_v86(t, site);
    }
    switch (site->insn) {
    case INSN_INT: return quick_real_interrupt(t, site->target & 0xff, site_next_eip(site));
    case INSN_INT3: return quick_real_interrupt(t, VECTOR_BP, site_next_eip(site));
    case INSN_IRET: return quick_real_return(t, site);
    case INSN_IN:
    case INSN_OUT: return port_access(t, site);
    case INSN_RDTSC: return read_time_stamp(t);
    default: return QUICK_NOT;
    }
}

enum quick_result translator_quick(struct translator *t, const struct translator_site *site)
{
    if (t->mode & MODE_PARAGRAPH) {
        return quick_paragraph(t, site);
    }
    switch (site->insn) {
    case INSN_MOV_SEG: return move_segment(t, site);
    case INSN_POP_SEG: return pop_segment(t, site);
    case INSN_LAR:
    case INSN_LSL:
    case INSN_VERR:
    case INSN_VERW: return query(t, site);
    case INSN_JMP_FAR:
    case INSN_CALL_FAR: return jump_far(t, site);
    case INSN_RETF: return return_far(t, site);
    case INSN_IRET: return interrupt_return(t, site);
    case INSN_INT: return interrupt(t, site);
    case INSN_SYSENTER:
    case INSN_SYSEXIT: return fast_call(t, site);
    case INSN_IN:
    case INSN_OUT: return port_access(t, site);
    case INSN_INVLPG: return invalidate_page(t, site);
    case INSN_MOV_CR: return move_control(t, site);
    case INSN_RDTSC: return read_time_stamp(t);
    default: return QUICK_NOT;
    }
}

/* The gate of `vector` has just been gone through; a task gate leads elsewhere. */
static void remember_handler(struct translator *t, uint8_t vector, unsigned cpl)
{
    const struct cpu_state *cpu = t->cpu;
    const uint8_t *gate = host_memory(t, (uint32_t)cpu->idtr.base + vector * 8u, 8, false, false);
    uint16_t selector = gate != NULL ? load_le16(gate + 2) : 0;
    if (cpu->cpl <= cpl && ((selector ^ cpu->segment[CPU_CS].selector) & 0xfffc) == 0) {
        remember(t, LOAD_CODE_HANDLER, selector, cpl, CPU_CS);
    }
}

/* Virtual-8086 mode was left for a handler in ring 0: that of an interrupt, or of the fault that came of it.
 */
static void remember_monitor(struct translator *t, const struct translator_site *site, unsigned cpl,
                             bool done)
{
    const struct cpu_state *cpu = t->cpu;
    uint8_t software = site->insn == INSN_INT3 ? VECTOR_BP : (uint8_t)site->target;
    if (cpu->mode == CPU_MODE_PROTECTED && cpu->cpl == 0) {
        remember(t, LOAD_STACK, cpu->segment[CPU_SS].selector, 0, CPU_SS);
        remember_handler(t, done ? software : cpu->exception.vector, cpl);
    }
}

void translator_remember_fault(struct translator *t, uint8_t vector, unsigned cpl)
{
    const struct cpu_state *cpu = t->cpu;
    const uint8_t *gate = host_memory(t, (uint32_t)cpu->idtr.base + vector * 8u, 8, false, false);
    if (cpu->mode != CPU_MODE_PROTECTED || !(t->mode & MODE_PROTECTED) || gate == NULL ||
        cpu->rip != (load_le16(gate) | (uint32_t)load_le16(gate + 6) << 16)) {
        return;
    }
    if (cpu->cpl < cpl) {
        remember(t, LOAD_STACK, cpu->segment[CPU_SS].selector, cpu->cpl, CPU_SS);
    }
    remember_handler(t, vector, cpl);
}

void translator_remember(struct translator *t, const struct translator_site *site, unsigned cpl, bool done)
{
    const struct cpu_state *cpu = t->cpu;
    const uint16_t cs = cpu->segment[CPU_CS].selector;
    if (t->mode & MODE_V86) {
        remember_monitor(t, site, cpl, done);
        return;
    }
    if (!done || cpu->mode != CPU_MODE_PROTECTED || !(t->mode & MODE_PROTECTED)) {
        return;
    }
    switch (site->insn) {
    case INSN_MOV_SEG:
    case INSN_POP_SEG:
        if (site->operand.reg != CPU_SS && (site->insn == INSN_POP_SEG || site->operand.variant)) {
            enum cpu_segment number = (enum cpu_segment)site->operand.reg;
            remember(t, LOAD_DATA, cpu->segment[number].selector, cpl, number);
        }
        break;
    case INSN_LAR:
    case INSN_LSL:
    case INSN_VERR:
    case INSN_VERW: remember_query(t, site); break;
    case INSN_JMP_FAR:
    case INSN_CALL_FAR:
        if (cpu->cpl == cpl) {
            remember(t, LOAD_CODE_DIRECT, cs, cpl, CPU_CS);
        }
        break;
    case INSN_RETF:
    case INSN_IRET:
        if (cpu->cpl >= cpl) {
            remember(t, LOAD_CODE_RETURN, cs, cpl, CPU_CS);
        }
        if (cpu->cpl > cpl) {
            remember(t, LOAD_STACK, cpu->segment[CPU_SS].selector, cpu->cpl, CPU_SS);
        }
        break;
    case INSN_INT:
        if (cpu->cpl < cpl) {
            remember(t, LOAD_STACK, cpu->segment[CPU_SS].selector, cpu->cpl, CPU_SS);
        }
        remember_handler(t, (uint8_t)site->target, cpl);
        break;
    default: break;
    }
}

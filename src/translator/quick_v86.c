/* From virtual-8086 mode to its monitor and back, without a detour through struct cpu_state: INT n and INT3
 * through gates to ring 0, the #GP of what is trapped with IOPL < 3, and IRET to virtual-8086 mode (SDM 3B
 * §20.2; SDM 2: IRET).
 *
 * Like quick.c: the general registers and arithmetic flags stay where the service stub has put them, and
 * QUICK_NOT, before anything has changed, is the answer to whatever is out of the ordinary.
 *
 * NOT IMPLEMENTED: 16-bit gates, and everything with CR4.VME, which are the emulation's. */
#include "translator/quick.h"

#include "translator/context.h"

#define FRAME_BYTES 36u

/* What ring 0 gets besides CS, EIP, SS, ESP and the flags without VM. */
struct entry {
    uint32_t vector, return_eip, eflags;
    bool is_software, has_error_code;
};

static void make_null(struct segment *segment)
{
    *segment = (struct segment){.limit = 0xffff, .read_first = 1, .write_first = 1};
}

static enum quick_result enter_ring_0(struct translator *t, const struct entry *entry)
{
    static const enum cpu_segment data[] = {CPU_ES, CPU_DS, CPU_FS, CPU_GS}; /* upwards */
    struct cpu_state *cpu = t->cpu;
    struct ring0_handler to;
    const unsigned size = FRAME_BYTES + (entry->has_error_code ? 4 : 0);
    if (!translator_find_ring0_handler(t, entry->vector, entry->is_software, size, &to)) {
        return QUICK_NOT;
    }
    uint8_t *at = to.frame;
    if (entry->has_error_code) {
        store_le32(at, 0);
        at += 4;
    }
    store_le32(at, entry->return_eip);
    store_le32(at + 4, cpu->segment[CPU_CS].selector);
    store_le32(at + 8, entry->eflags);
    store_le32(at + 12, t->gpr[CPU_SP]);
    store_le32(at + 16, cpu->segment[CPU_SS].selector);
    for (unsigned i = 0; i < ARRAY_COUNT(data); i++) {
        store_le32(at + 20 + 4 * (size_t)i, cpu->segment[data[i]].selector);
        make_null(&cpu->segment[data[i]]);
    }
    t->gpr[CPU_SP] = to.esp - size;
    cpu->segment[CPU_SS] = *to.stack;
    cpu->segment[CPU_CS] = *to.code;
    cpu->rip = to.eip;
    cpu->eflags_other &= ~((uint32_t)EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | EFLAGS_VM);
    cpu->eflags_other &= ~(to.masks_interrupts ? (uint32_t)EFLAGS_IF : 0);
    cpu_update_mode(cpu);
    return QUICK_OTHER_MODE;
}

static enum quick_result software_interrupt(struct translator *t, const struct translator_site *site,
                                            uint32_t vector)
{
    const struct entry entry = {.vector = vector,
                                .return_eip = site_next_eip(site),
                                .eflags = translator_image_of_flags(t),
                                .is_software = true};
    return enter_ring_0(t, &entry);
}

static enum quick_result general_protection(struct translator *t, const struct translator_site *site)
{
    struct cpu_state *cpu = t->cpu;
    const struct entry entry = {.vector = VECTOR_GP,
                                .return_eip = site_eip(site),
                                .eflags =
                                    translator_image_of_flags(t) | (cpu->model->eflags_writable & EFLAGS_RF),
                                .has_error_code = true};
    enum quick_result result = enter_ring_0(t, &entry);
    if (result != QUICK_NOT) {
        counter_add(cpu->counters, COUNTER_EXCEPTIONS, 1);
    }
    return result;
}

static enum quick_result interrupt(struct translator *t, const struct translator_site *site)
{
    uint32_t vector = site->target & 0xff;
    if (vector == 0x28 || vector == 0x2f) { /* cpu_state.idle_hints */
        return QUICK_NOT;
    }
    return t->mode & MODE_IOPL ? software_interrupt(t, site, vector) : general_protection(t, site);
}

enum quick_result quick_v86(struct translator *t, const struct translator_site *site)
{
    const struct cpu_state *cpu = t->cpu;
    bool is_trapped = !(t->mode & MODE_IOPL);
    if ((cpu->cr4 & CR4_VME) || cpu_events_are_seen(cpu) || cpu_needs_attention(cpu)) {
        return QUICK_NOT;
    }
    switch (site->insn) {
    case INSN_INT: return interrupt(t, site);
    case INSN_INT3: return software_interrupt(t, site, VECTOR_BP);
    case INSN_IRET: return is_trapped ? general_protection(t, site) : quick_real_return(t, site);
    case INSN_PUSHF:
    case INSN_POPF:
    case INSN_CLI:
    case INSN_STI: return is_trapped ? general_protection(t, site) : QUICK_NOT;
    default: return QUICK_NOT;
    }
}

/* ---- back */

static void install(struct segment *segment, uint16_t selector)
{
    *segment = (struct segment){.selector = selector,
                                .attributes = SEGMENT_PRESENT | SEGMENT_S | SEGMENT_WRITABLE |
                                              SEGMENT_ACCESSED | SEGMENT_DPL,
                                .limit = 0xffff,
                                .base = (uint64_t)selector << 4,
                                .read_last = 0xffff,
                                .write_last = 0xffff};
}

enum quick_result quick_return_to_v86(struct translator *t)
{
    static const enum cpu_segment order[] = {CPU_SS, CPU_ES, CPU_DS, CPU_FS, CPU_GS};
    const uint32_t fixed = EFLAGS_TF | EFLAGS_AC | EFLAGS_VIF | EFLAGS_VIP;
    struct cpu_state *cpu = t->cpu;
    uint8_t *frame = NULL;
    if (cpu->cpl != 0 || (cpu->eflags_other & EFLAGS_NT) || !(t->mode & MODE_STACK32) ||
        mode_segment_class(t->mode, CPU_SS) != SEGMENT_FLAT ||
        !translator_host_memory(t, t->gpr[CPU_SP], FRAME_BYTES, false, &frame)) {
        return QUICK_NOT;
    }
    uint32_t eip = load_le32(frame);
    uint16_t code = load_le16(frame + 4);
    uint32_t eflags = load_le32(frame + 8);
    if (eip > 0xffff || !(eflags & EFLAGS_VM) || ((eflags ^ cpu->eflags_other) & fixed)) {
        return QUICK_NOT;
    }
    const uint32_t mask = (cpu->model->eflags_writable | EFLAGS_VM) & ~EFLAGS_ARITHMETIC;
    cpu->eflags_other = (cpu->eflags_other & ~mask) | (eflags & mask);
    t->flags = translator_host_flags(eflags & EFLAGS_ARITHMETIC);
    t->string_step = cpu->eflags_other & EFLAGS_DF ? -1 : 1;
    for (unsigned i = 0; i < ARRAY_COUNT(order); i++) {
        install(&cpu->segment[order[i]], load_le16(frame + 16 + 4 * (size_t)i));
    }
    t->gpr[CPU_SP] = load_le32(frame + 12);
    install(&cpu->segment[CPU_CS], code);
    cpu->rip = eip;
    cpu->nmi_blocked = false;
    cpu_update_mode(cpu);
    return QUICK_OTHER_MODE;
}

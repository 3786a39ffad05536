/* INT n, INT3 and IRET of real mode, and IRET of virtual-8086 mode with IOPL 3, without a detour through
 * struct cpu_state (SDM 2: INT n, IRET; SDM 3B §20.1.4).
 *
 * Like quick.c: the general registers and arithmetic flags stay where the service stub has put them, and
 * QUICK_NOT, before anything has changed, is the answer to whatever is out of the ordinary. Under
 * MODE_PARAGRAPH another selector in CS changes nothing that blocks assume.
 *
 * NOT IMPLEMENTED: frames of 32 bits; INT n in virtual-8086 mode, which is the emulation's. */
#include "translator/quick.h"

#include "translator/context.h"

#define FRAME_BYTES 6u

/* Flags that may not change here. IOPL is not IRET's to change in virtual-8086 mode. */
static uint32_t fixed_flags(const struct translator *t)
{
    return EFLAGS_TF | EFLAGS_NT | (t->mode & MODE_V86 ? 0 : (uint32_t)EFLAGS_IOPL);
}

/* The frame at SP + displacement, for loads or stores; NULL: out of the ordinary. Good until the next look at
 * memory. */
static uint8_t *frame_memory(struct translator *t, int32_t displacement, bool store)
{
    const struct segment *stack = &t->cpu->segment[CPU_SS];
    const uint32_t mask = (uint32_t)t->cpu->stack_mask;
    const uint32_t offset = (t->gpr[CPU_SP] + (uint32_t)displacement) & mask;
    const uint32_t first = store ? stack->write_first : stack->read_first;
    uint32_t last = store ? stack->write_last : stack->read_last;
    uint8_t *host = NULL;
    last = last < mask ? last : mask;
    if (offset < first || offset > last || last - offset < FRAME_BYTES - 1 ||
        !translator_host_memory(t, (uint32_t)(stack->base + offset), FRAME_BYTES, store, &host)) {
        return NULL;
    }
    return host;
}

static void move_stack_pointer(struct translator *t, int32_t by)
{
    uint32_t mask = (uint32_t)t->cpu->stack_mask;
    uint32_t *sp = &t->gpr[CPU_SP];
    *sp = (*sp & ~mask) | ((*sp + (uint32_t)by) & mask);
}

static enum quick_result go_to(struct translator *t, uint16_t selector, uint16_t ip)
{
    struct segment *code = &t->cpu->segment[CPU_CS];
    code->selector = selector;
    code->base = (uint64_t)selector << 4;
    t->cpu->rip = ip;
    return QUICK_OTHER_PARAGRAPH;
}

/* Calls by which DOS says that it waits are counted by the CPU (cpu_state.idle_hints). */
static bool is_unusual(const struct cpu_state *cpu, uint32_t vector)
{
    return vector == 0x28 || vector == 0x2f || cpu_events_are_seen(cpu) || (cpu->eflags_other & EFLAGS_AC) ||
           cpu_needs_attention(cpu);
}

enum quick_result quick_real_interrupt(struct translator *t, uint32_t vector, uint32_t next_ip)
{
    struct cpu_state *cpu = t->cpu;
    uint8_t *host = NULL;
    if ((t->mode & MODE_V86) || vector * 4 + 3 > cpu->idtr.limit || is_unusual(cpu, vector) ||
        !translator_host_memory(t, (uint32_t)(cpu->idtr.base + vector * 4), 4, false, &host)) {
        return QUICK_NOT;
    }
    uint16_t ip = load_le16(host);
    uint16_t selector = load_le16(host + 2);
    uint8_t *frame = frame_memory(t, -(int32_t)FRAME_BYTES, true);
    if (frame == NULL) {
        return QUICK_NOT;
    }
    store_le16(frame, (uint16_t)next_ip);
    store_le16(frame + 2, cpu->segment[CPU_CS].selector);
    store_le16(frame + 4, (uint16_t)translator_image_of_flags(t));
    move_stack_pointer(t, -(int32_t)FRAME_BYTES);
    cpu->eflags_other &= ~((uint32_t)EFLAGS_IF | EFLAGS_TF | EFLAGS_RF);
    return go_to(t, selector, ip);
}

enum quick_result quick_real_return(struct translator *t, const struct translator_site *site)
{
    struct cpu_state *cpu = t->cpu;
    if (site->width != 2 || !(t->mode & MODE_IOPL)) {
        return QUICK_NOT;
    }
    const uint8_t *frame = frame_memory(t, 0, false);
    if (frame == NULL) {
        return QUICK_NOT;
    }
    const uint32_t changed = (uint32_t)EFLAGS_IF | EFLAGS_DF;
    uint16_t ip = load_le16(frame);
    uint16_t selector = load_le16(frame + 2);
    uint32_t eflags = load_le16(frame + 4);
    if ((eflags ^ cpu->eflags_other) & fixed_flags(t)) {
        return QUICK_NOT;
    }
    move_stack_pointer(t, (int32_t)FRAME_BYTES);
    cpu->eflags_other = (cpu->eflags_other & ~changed) | (eflags & changed);
    t->flags = translator_host_flags(eflags & EFLAGS_ARITHMETIC);
    t->string_step = cpu->eflags_other & EFLAGS_DF ? -1 : 1;
    cpu->nmi_blocked = false;
    return go_to(t, selector, ip);
}

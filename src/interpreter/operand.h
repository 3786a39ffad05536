/* How handlers reach registers and memory: small inline functions with the operand width as a compile-time
 * constant.
 *
 * Fast paths only; limit violations, TLB misses, devices and the 8086's offset wrap-around are in operand.c.
 */
#ifndef DOPPEL_INTERPRETER_OPERAND_H
#define DOPPEL_INTERPRETER_OPERAND_H

#include "interpreter/uop.h"

/* ---- registers */

static inline uint64_t register_read(const struct cpu_state *cpu, unsigned offset, unsigned width)
{
    const char *at = (const char *)cpu + offset;
    uint8_t b;
    uint16_t w;
    uint32_t d;
    switch (width) {
    case 1: memcpy(&b, at, 1); return b;
    case 2: memcpy(&w, at, 2); return w;
    default: memcpy(&d, at, 4); return d;
    }
}

static inline void register_write(struct cpu_state *cpu, unsigned offset, unsigned width, uint64_t value)
{
    char *at = (char *)cpu + offset;
    uint8_t b = (uint8_t)value;
    uint16_t w = (uint16_t)value;
    uint32_t d = (uint32_t)value;
    switch (width) {
    case 1: memcpy(at, &b, 1); break;
    case 2: memcpy(at, &w, 2); break;
    default: memcpy(at, &d, 4); break;
    }
}

/* A numbered register (AX CX DX …) as a word or doubleword. */
static inline uint32_t gpr_read(const struct cpu_state *cpu, unsigned number, unsigned width)
{
    return width == 2 ? cpu->gpr[number].w : cpu->gpr[number].d;
}

static inline void gpr_write(struct cpu_state *cpu, unsigned number, unsigned width, uint32_t value)
{
    if (width == 2) {
        cpu->gpr[number].w = (uint16_t)value;
    } else {
        cpu->gpr[number].d = value;
    }
}

/* ---- memory */

uint64_t operand_load_slow(struct cpu_state *cpu, struct interpreter *in, unsigned segment, uint32_t offset,
                           unsigned width);
uint64_t operand_load_for_update_slow(struct cpu_state *cpu, struct interpreter *in, unsigned segment,
                                      uint32_t offset, unsigned width);
void operand_store_slow(struct cpu_state *cpu, struct interpreter *in, unsigned segment, uint32_t offset,
                        unsigned width, uint64_t value);

/* The uop's memory operand when it is a block of `size` bytes (6, 10, 16 and more): all or nothing. */
void operand_load_block(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, uint8_t *bytes,
                        unsigned size);
void operand_store_block(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                         const uint8_t *bytes, unsigned size);

/* After an access that may have met a device: what is due now has to wait for the end of the instruction, and
 * no longer, so that it makes no difference how code is cut into blocks. */
static inline void heed_device(const struct cpu_state *cpu, struct interpreter *in)
{
    if (UNLIKELY(cpu_needs_attention(cpu))) {
        interpreter_stop_after_current(in);
    }
}

static inline uint32_t effective_address(const struct cpu_state *cpu, const struct uop *uop)
{
    uint32_t base = cpu->gpr[uop->base].d;
    uint32_t index = cpu->gpr[uop->index].d << uop->scale;
    return (base + index + uop->displacement) & uop_address_mask(uop);
}

/* The host address of `width` guest bytes that may be loaded (stored) at once: within the segment, in the
 * TLB, on one page, without anybody to tell. NULL: take the slow path. */
ALWAYS_INLINE uint8_t *host_for_load(const struct cpu_state *cpu, struct interpreter *in, unsigned segment,
                                     uint32_t offset, unsigned width)
{
    const struct segment *s = &cpu->segment[segment];
    uint32_t linear = (uint32_t)(s->base + offset);
    const struct tlb_entry *entry = tlb_entry_for(in->tlb, linear);
    if (UNLIKELY(offset < s->read_first || (uint64_t)offset + (width - 1) > s->read_last ||
                 entry->load_tag != (((uint64_t)linear + (width - 1)) & ~PAGE_MASK))) {
        return NULL;
    }
    return entry->host + (linear & PAGE_MASK);
}

ALWAYS_INLINE uint8_t *host_for_store(const struct cpu_state *cpu, struct interpreter *in, unsigned segment,
                                      uint32_t offset, unsigned width)
{
    const struct segment *s = &cpu->segment[segment];
    uint32_t linear = (uint32_t)(s->base + offset);
    const struct tlb_entry *entry = tlb_entry_for(in->tlb, linear);
    if (UNLIKELY(offset < s->write_first || (uint64_t)offset + (width - 1) > s->write_last ||
                 entry->store_tag != (((uint64_t)linear + (width - 1)) & ~PAGE_MASK))) {
        return NULL;
    }
    return entry->host + (linear & PAGE_MASK);
}

static inline uint64_t segment_load(struct cpu_state *cpu, struct interpreter *in, unsigned segment,
                                    uint32_t offset, unsigned width)
{
    const uint8_t *host = host_for_load(cpu, in, segment, offset, width);
    return host == NULL ? operand_load_slow(cpu, in, segment, offset, width) : load_le(host, width);
}

/* The load of an instruction that stores there next: what the store would raise is raised here, so that a
 * page fault says "write" as processors do. */
static inline uint64_t segment_load_for_update(struct cpu_state *cpu, struct interpreter *in,
                                               unsigned segment, uint32_t offset, unsigned width)
{
    const uint8_t *host = host_for_store(cpu, in, segment, offset, width);
    return host == NULL ? operand_load_for_update_slow(cpu, in, segment, offset, width)
                        : load_le(host, width);
}

static inline void segment_store(struct cpu_state *cpu, struct interpreter *in, unsigned segment,
                                 uint32_t offset, unsigned width, uint64_t value)
{
    uint8_t *host = host_for_store(cpu, in, segment, offset, width);
    if (host == NULL) {
        operand_store_slow(cpu, in, segment, offset, width, value);
    } else {
        store_le(host, width, value);
    }
}

/* The uop's memory operand. */
static inline uint64_t memory_load(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                   unsigned width)
{
    return segment_load(cpu, in, uop->segment, effective_address(cpu, uop), width);
}

static inline uint64_t memory_load_for_update(struct cpu_state *cpu, const struct uop *uop,
                                              struct interpreter *in, unsigned width)
{
    return segment_load_for_update(cpu, in, uop->segment, effective_address(cpu, uop), width);
}

static inline void memory_store(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                unsigned width, uint64_t value)
{
    segment_store(cpu, in, uop->segment, effective_address(cpu, uop), width, value);
}

/* ---- hot handlers in two versions
 *
 * A call in the middle of a handler makes the compiler save registers at its beginning, which costs more than
 * the handler's own work. Hot handlers with a memory operand therefore exist twice, made from one inline body
 * by UOP_PAIR: the first version has only the fast path and jumps to the second, `slow`, when that does not
 * do. In the second version itself `slow` is NULL. */

#define UOP_PAIR(name, body, ...)                                                                            \
    __attribute__((noinline)) static void name##_slow(struct cpu_state *cpu, const struct uop *uop,          \
                                                      struct interpreter *in)                                \
    {                                                                                                        \
        body(cpu, uop, in, NULL, __VA_ARGS__);                                                               \
    }                                                                                                        \
    static void name(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)                   \
    {                                                                                                        \
        body(cpu, uop, in, name##_slow, __VA_ARGS__);                                                        \
    }

/* Loads into *value. False: not possible here, go on with `slow`. */
ALWAYS_INLINE bool try_segment_load(struct cpu_state *cpu, struct interpreter *in, uop_handler *slow,
                                    unsigned segment, uint32_t offset, unsigned width, uint64_t *value)
{
    if (slow == NULL) {
        *value = segment_load(cpu, in, segment, offset, width);
        return true;
    }
    const uint8_t *host = host_for_load(cpu, in, segment, offset, width);
    if (UNLIKELY(host == NULL)) {
        return false;
    }
    *value = load_le(host, width);
    return true;
}

/* Stores `value`, likewise. */
ALWAYS_INLINE bool try_segment_store(struct cpu_state *cpu, struct interpreter *in, uop_handler *slow,
                                     unsigned segment, uint32_t offset, unsigned width, uint64_t value)
{
    if (slow == NULL) {
        segment_store(cpu, in, segment, offset, width, value);
        return true;
    }
    uint8_t *host = host_for_store(cpu, in, segment, offset, width);
    if (UNLIKELY(host == NULL)) {
        return false;
    }
    store_le(host, width, value);
    return true;
}

ALWAYS_INLINE bool try_load(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                            uop_handler *slow, unsigned width, uint64_t *value)
{
    return try_segment_load(cpu, in, slow, uop->segment, effective_address(cpu, uop), width, value);
}

ALWAYS_INLINE bool try_store(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                             uop_handler *slow, unsigned width, uint64_t value)
{
    return try_segment_store(cpu, in, slow, uop->segment, effective_address(cpu, uop), width, value);
}

/* ---- stack */

/* SP after a push of `width` bytes. */
static inline uint32_t stack_next(const struct cpu_state *cpu, unsigned width)
{
    return (uint32_t)((cpu->gpr[CPU_SP].d - width) & cpu->stack_mask);
}

ALWAYS_INLINE bool try_push(struct cpu_state *cpu, struct interpreter *in, uop_handler *slow, unsigned width,
                            uint64_t value)
{
    uint32_t sp = stack_next(cpu, width);
    if (!try_segment_store(cpu, in, slow, CPU_SS, sp, width, value)) {
        return false;
    }
    cpu_set_sp(cpu, sp);
    return true;
}

static inline void stack_push(struct cpu_state *cpu, struct interpreter *in, unsigned width, uint64_t value)
{
    (void)try_push(cpu, in, NULL, width, value);
}

/* The value on top of the stack, which stays there. */
ALWAYS_INLINE bool try_stack_top(struct cpu_state *cpu, struct interpreter *in, uop_handler *slow,
                                 unsigned width, uint64_t *value)
{
    uint32_t sp = (uint32_t)(cpu->gpr[CPU_SP].d & cpu->stack_mask);
    return try_segment_load(cpu, in, slow, CPU_SS, sp, width, value);
}

static inline uint64_t stack_top(struct cpu_state *cpu, struct interpreter *in, unsigned width)
{
    return segment_load(cpu, in, CPU_SS, (uint32_t)(cpu->gpr[CPU_SP].d & cpu->stack_mask), width);
}

/* ---- generic operands for rare instructions: decided at run time */

/* Whether the first/second operand is in memory is part of the handler's choice, hence two families of
 * handlers; rare instructions use these instead. A register is read as wide as it was decoded: where its
 * low word lies is the host's byte order's business. */
static inline uint64_t operand_read(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                    bool memory, unsigned register_offset, unsigned width)
{
    return memory ? memory_load(cpu, uop, in, width) : register_read(cpu, register_offset, width);
}

static inline uint64_t operand_read_for_update(struct cpu_state *cpu, const struct uop *uop,
                                               struct interpreter *in, bool memory, unsigned register_offset,
                                               unsigned width)
{
    return memory ? memory_load_for_update(cpu, uop, in, width) : register_read(cpu, register_offset, width);
}

static inline void operand_write(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                 bool memory, unsigned register_offset, unsigned width, uint64_t value)
{
    if (memory) {
        memory_store(cpu, uop, in, width, value);
    } else {
        register_write(cpu, register_offset, width, value);
    }
}

#endif

/* Guest memory operands: from registers to a host address, by the fast TLB (mmu/fast_tlb.h).
 *
 * The check changes no flags and takes ten instructions with the access itself:
 *
 *     lea r10d, [offset]; rorx r11d, r10d, 12; movzx r11d, r11w; mov ecx, [r15 + r11*4 + tags]
 *     lea ecx, [rcx + r10 + width-1]; shrx ecx, ecx, r15d; jrcxz hit; jmp miss
 * hit: mov rcx, [r15 + r11*8 + addend]; op [rcx + r10]
 *
 * An access that must be aligned to 16 bytes leaves width-1 out and puts `rorx rcx, rcx, 4` in front of a
 * 64-bit shrx, which then drops bits 4 to 15 and keeps the four low ones: bits 12 to 15 need no check, they
 * are part of the slot's number.
 *
 * With -mmu walk there is nothing to check: a stub (stubs.c) has C walk the guest's page tables.
 *
 *     mov ecx, access; call walk; jrcxz hit; jmp miss
 * hit: op [r11 + r10]
 *
 * Segments with a base have it added, those with a limit are checked first: real mode's as well as those of
 * 16-bit programs (SDM 3A §5.3). */
#include <assert.h>
#include <stddef.h>

#include "mmu/plain_walk.h"
#include "translator/builder.h"

#define ALIGNED_WIDTH 16u

/* What XLAT and BT add to the offset in `to`. A number of bits becomes one of words by a rotation: what that
 * brings to the top does not reach the sum. Changes r11. */
static void emit_added_offset(struct builder *b, const struct guest_operand *operand, unsigned to)
{
    struct emitter *e = &b->e;
    switch ((enum added_offset)operand->added) {
    case ADDED_NOTHING: break;
    case ADDED_AL:
        emit_zero_extend8(e, HOST_R11, HOST_RAX);
        emit_lea(e, to, host_sum(to, HOST_R11, 0, 0));
        break;
    case ADDED_BITS16:
        emit_reg(e, HOST_W | HOST_0F | 0xbf, HOST_R11,
                 host_gpr(operand->bit_number)); /* movsx r11, 16 bits */
        emit_rorx64(e, HOST_R11, HOST_R11, 4);
        emit_lea(e, to, host_sum(to, HOST_R11, 1, 0));
        break;
    case ADDED_BITS32:
        emit_sign_extend32(e, HOST_R11, host_gpr(operand->bit_number));
        emit_rorx64(e, HOST_R11, HOST_R11, 5);
        emit_lea(e, to, host_sum(to, HOST_R11, 2, 0));
        break;
    }
}

/* The operand's own sum, in host registers. */
static struct host_address operand_address(const struct guest_operand *operand)
{
    return host_sum(host_gpr(operand->base), host_gpr(operand->index), operand->scale, operand->displacement);
}

void emit_offset(struct builder *b, const struct guest_operand *operand, unsigned to)
{
    struct host_address at = operand_address(operand);
    if (at.base == HOST_NONE && at.index == HOST_NONE) {
        uint32_t mask = operand->address_size == 2 ? 0xffffu : UINT32_MAX;
        emit_mov_immediate(&b->e, to, (uint32_t)operand->displacement & mask);
        if (operand->added == ADDED_NOTHING) {
            return;
        }
    } else {
        emit_lea(&b->e, to, at);
    }
    emit_added_offset(b, operand, to);
    if (operand->address_size == 2) {
        emit_zero_extend16(&b->e, to, to);
    }
}

static struct host_address segment_field(unsigned segment, size_t field)
{
    return host_at(HOST_R11,
                   (int32_t)(offsetof(struct cpu_state, segment) + segment * sizeof(struct segment) + field));
}

/* Goes to the callout unless the `width` bytes at offset r10d are within the limit. */
static void emit_limit_check(struct builder *b, unsigned segment, unsigned width)
{
    struct emitter *e = &b->e;
    /* limit - offset - (width - 1) = ~offset + limit + 1 - (width - 1): the upper half is 0 unless it is
     * negative */
    emit_load(e, HOST_RCX, segment_field(segment, offsetof(struct segment, read_last)));
    emit_lea64(e, HOST_RCX, host_at(HOST_RCX, 2 - (int32_t)width));
    emit_not64(e, HOST_R10);
    emit_lea64(e, HOST_RCX, host_sum(HOST_RCX, HOST_R10, 0, 0));
    emit_not64(e, HOST_R10);
    emit_rorx64(e, HOST_RCX, HOST_RCX, 32);
    emit_mov(e, HOST_RCX, HOST_RCX);
    emit_callout_unless_zero(b);
}

/* Goes to the callout when the operand's last byte is beyond offset `last`, FFFFFFFFh or, with 16-bit
 * addresses, FFFFh. */
static void emit_end_check(struct builder *b, const struct guest_operand *operand, unsigned width,
                           uint32_t last)
{
    struct emitter *e = &b->e;
    bool known = operand->base == GPR_NONE && operand->index == GPR_NONE && operand->added == ADDED_NOTHING;
    if (width == 1 || (known && ((uint32_t)operand->displacement & last) <= last - (width - 1))) {
        return;
    }
    if (last == 0xffff) {
        emit_lea(e, HOST_RCX, host_at(HOST_R10, (int32_t)width - 1));
        emit_rorx(e, HOST_RCX, HOST_RCX, 16);
        emit_zero_extend16(e, HOST_RCX, HOST_RCX);
    } else {
        emit_lea64(e, HOST_RCX, host_at(HOST_R10, (int32_t)width - 1));
        emit_rorx64(e, HOST_RCX, HOST_RCX, 32);
        emit_mov(e, HOST_RCX, HOST_RCX);
    }
    emit_callout_unless_zero(b);
}

/* Whether the class says that the operand is within its segment, but for its last bytes. */
static bool last_bytes_matter(enum segment_class class, const struct guest_operand *operand)
{
    return class == SEGMENT_BASED ? operand->address_size == 4
                                  : class == SEGMENT_64K && operand->address_size == 2;
}

static void emit_linear_address(struct builder *b, const struct guest_operand *operand, unsigned width)
{
    struct emitter *e = &b->e;
    enum segment_class class = mode_segment_class(b->mode, operand->segment);
    emit_offset(b, operand, HOST_R10);
    if (class == SEGMENT_FLAT) {
        return;
    }
    emit_load64(e, HOST_R11, host_at(HOST_R14, (int32_t)offsetof(struct translator, cpu)));
    if (last_bytes_matter(class, operand)) {
        emit_end_check(b, operand, width, class == SEGMENT_64K ? 0xffff : UINT32_MAX);
    } else if (class != SEGMENT_BASED) {
        emit_limit_check(b, operand->segment, width);
    }
    emit_load(e, HOST_R11, segment_field(operand->segment, offsetof(struct segment, base)));
    emit_lea(e, HOST_R10, host_sum(HOST_R10, HOST_R11, 0, 0));
}

/* rcx becomes 0 when the tag in rcx allows an access to the linear address in r10. */
static void emit_tag_check(struct emitter *e, unsigned width, bool aligned)
{
    if (aligned) {
        emit_lea(e, HOST_RCX, host_sum(HOST_RCX, HOST_R10, 0, 0));
        emit_rorx64(e, HOST_RCX, HOST_RCX, 4);
        emit_shrx64(e, HOST_RCX, HOST_RCX, HOST_R15);
    } else {
        emit_lea(e, HOST_RCX, host_sum(HOST_RCX, HOST_R10, 0, (int32_t)width - 1));
        emit_shrx(e, HOST_RCX, HOST_RCX, HOST_R15);
    }
}

/* The same as emit_check() by the guest's page tables. */
static void emit_walk(struct builder *b, unsigned width, bool aligned, bool store, enum host_register pointer,
                      uint8_t **missed)
{
    struct emitter *e = &b->e;
    emit_mov_immediate(e, HOST_RCX, plain_walk_access(width, aligned ? width - 1 : 0));
    emit_call_to(e, b->t->walk[(b->mode & MODE_USER) != 0][store]);
    uint8_t *found = emit_jrcxz(e);
    *missed = emit_jmp(e);
    emit_bind8(e, found);
    if (pointer != HOST_R11) {
        emit_mov64(e, pointer, HOST_R11);
    }
}

/* The fast TLB's part: leaves the addend in `pointer`, the linear address in r10. */
static void emit_check(struct builder *b, unsigned width, bool aligned, bool store,
                       enum host_register pointer, uint8_t **missed)
{
    struct emitter *e = &b->e;
    size_t tags = store ? offsetof(struct fast_tlb, store) : offsetof(struct fast_tlb, load);
    emit_rorx(e, HOST_R11, HOST_R10, PAGE_SHIFT);
    emit_zero_extend16(e, HOST_R11, HOST_R11);
    emit_load(e, HOST_RCX, host_sum(HOST_R15, HOST_R11, 2, (int32_t)tags - PAGE_SHIFT));
    emit_tag_check(e, width, aligned);
    uint8_t *hit = emit_jrcxz(e);
    *missed = emit_jmp(e);
    emit_bind8(e, hit);
    emit_load64(e, pointer,
                host_sum(HOST_R15, HOST_R11, 3, (int32_t)offsetof(struct fast_tlb, addend) - PAGE_SHIFT));
}

static void emit_single_access(struct builder *b, const struct guest_operand *operand, unsigned width,
                               bool aligned, bool store, enum host_register pointer, int32_t retry)
{
    uint8_t *missed;
    emit_linear_address(b, operand, width);
    if (builder_walks(b)) {
        emit_walk(b, width, aligned, store, pointer, &missed);
    } else {
        emit_check(b, width, aligned, store, pointer, &missed);
    }
    struct translator_site *site = builder_add_site(b, store ? SITE_STORE : SITE_LOAD, missed);
    site->retry = (uint16_t)retry;
    site->direct = (uint16_t)builder_position(b);
    site->width = (uint8_t)width;
    site->detail = aligned ? ALIGNED_WIDTH - 1 : 0;
}

/* ---- groups */

static struct host_address slot_field(unsigned slot)
{
    return host_at(HOST_R14, (int32_t)(offsetof(struct translator, slots) + slot * sizeof(uint64_t)));
}

/* Looks up the span of the whole group; the host address of its low end goes into the slot and `pointer`. */
static void emit_establish(struct builder *b, const struct access_group *group, unsigned slot,
                           const struct guest_operand *operand, unsigned width, bool aligned, bool store,
                           int32_t register_offset, enum host_register pointer)
{
    struct emitter *e = &b->e;
    struct guest_operand low = *operand;
    int32_t retry = builder_position(b);
    uint8_t *missed;
    low.displacement = register_offset;
    emit_offset(b, &low, HOST_R10);
    emit_check(b, (unsigned)(group->high - group->low), false, group->store, pointer, &missed);
    struct translator_site *site = builder_add_site(b, SITE_GROUP, missed);
    site->retry = (uint16_t)retry;
    site->target = (uint32_t)(operand->displacement - register_offset);
    site->store = store;
    site->stores = group->store;
    site->width = (uint8_t)width;
    site->detail = aligned ? ALIGNED_WIDTH - 1 : 0;
    site->last |= aligned; /* its callout does not fill the slot */
    emit_lea64(e, pointer, host_sum(pointer, HOST_R10, 0, 0));
    emit_store64(e, slot_field(slot), pointer);
}

static struct host_address emit_group_access(struct builder *b, struct access_group *group,
                                             const struct guest_operand *operand, unsigned width,
                                             bool aligned, bool store, enum host_register pointer,
                                             int32_t offset, int32_t register_offset)
{
    unsigned slot = (unsigned)(group - b->groups.groups);
    if (b->groups.established >> slot & 1) {
        emit_load64(&b->e, pointer, slot_field(slot));
    } else {
        emit_establish(b, group, slot, operand, width, aligned, store, register_offset, pointer);
        b->groups.established |= 1u << slot;
    }
    return host_at(pointer, offset);
}

/* Goes to the callout unless the host address `offset` from r11, and so the linear address, is a multiple of
 * 16. */
static void emit_alignment_check(struct builder *b, int32_t offset)
{
    struct emitter *e = &b->e;
    emit_lea64(e, HOST_RCX, host_at(HOST_R11, offset));
    emit_zero_extend8(e, HOST_RCX, HOST_RCX);
    emit_rorx(e, HOST_RCX, HOST_RCX, 4);
    emit_shrx(e, HOST_RCX, HOST_RCX, HOST_R15); /* by 12 */
    emit_callout_unless_zero(b);
}

/* ---- the window */

/* The operand at the base of GS (window.c). Where the address needs no work it becomes the instruction's
 * own. */
static struct host_address emit_direct_access(struct builder *b, const struct guest_operand *operand,
                                              unsigned width, bool aligned, bool store)
{
    int32_t from = builder_position(b);
    bool plain = mode_segment_class(b->mode, operand->segment) == SEGMENT_FLAT &&
                 operand->address_size == 4 && operand->added == ADDED_NOTHING;
    if (!plain) {
        emit_linear_address(b, operand, width);
    }
    struct translator_site *site = builder_add_site(b, store ? SITE_STORE : SITE_LOAD, NULL);
    struct host_address at = plain ? operand_address(operand) : host_at(HOST_R10, 0);
    site->window = true;
    site->address = (struct site_address){.from = (uint16_t)from,
                                          .computes = plain,
                                          .base = at.base & 31u,
                                          .index = at.index & 31u,
                                          .scale = at.scale & 3u};
    site->target = (uint32_t)at.displacement;
    site->width = (uint8_t)width;
    site->detail = aligned ? ALIGNED_WIDTH - 1 : 0;
    at.window = true;
    return at;
}

/* ---- one access */

struct host_address emit_access(struct builder *b, const struct guest_operand *operand, unsigned width,
                                enum access_kind kind, enum host_register pointer)
{
    int32_t offset = 0;
    int32_t register_offset = 0;
    bool store = kind == ACCESS_STORE;
    assert(access_is_possible(b, operand, kind) && width >= 1 && width <= 32);
    if (builder_plan(b)->direct) {
        return emit_direct_access(b, operand, width, false, store);
    }
    struct access_group *group = groups_find(b, operand, width, store, &offset, &register_offset);
    if (group != NULL) {
        return emit_group_access(b, group, operand, width, false, store, pointer, offset, register_offset);
    }
    emit_single_access(b, operand, width, false, store, pointer, builder_position(b));
    return host_sum(pointer, HOST_R10, 0, 0);
}

struct host_address emit_aligned_access(struct builder *b, const struct guest_operand *operand,
                                        enum access_kind kind)
{
    int32_t offset = 0;
    int32_t register_offset = 0;
    bool store = kind == ACCESS_STORE;
    assert(access_is_possible(b, operand, kind));
    if (builder_plan(b)->direct) {
        return emit_direct_access(b, operand, ALIGNED_WIDTH, true, store);
    }
    struct access_group *group = groups_find(b, operand, ALIGNED_WIDTH, store, &offset, &register_offset);
    if (group == NULL) {
        emit_single_access(b, operand, ALIGNED_WIDTH, true, store, HOST_R11, builder_position(b));
        return host_sum(HOST_R11, HOST_R10, 0, 0);
    }
    struct host_address at =
        emit_group_access(b, group, operand, ALIGNED_WIDTH, true, store, HOST_R11, offset, register_offset);
    unsigned residue = 1u << (offset & (int32_t)(ALIGNED_WIDTH - 1));
    if (!(group->aligned & residue)) {
        emit_alignment_check(b, offset);
        group->aligned |= (uint16_t)residue;
    }
    return at;
}

/* Blocks that are moved to another EIP instead of being translated again.
 *
 * The same library is at another address in each process of a guest with address space layout randomization:
 * the same bytes at the same physical address, with another EIP. Little of a block depends on EIP: return
 * addresses that calls push and their landings compare, targets and slots in the jump cache; what sites tell
 * C is relative to it. Where all of that is known (builder.movable), a struct fixup for each follows the
 * block's notes, and the block can be changed in place. That costs a tenth of translating, and no memory.
 *
 * A block that is moved is lost at its old EIP, and processes that run in turn would take it from each other.
 * So VERSIONS_MAX of them are made by translation first, unless what there is has not been found for
 * VERSION_AGE generations of mappings (a load of CR3 begins one); then the one not found for the longest time
 * is moved.
 *
 * NOT IMPLEMENTED: 16-bit code and code segments with a limit, where EIP wraps; blocks with a tail. */
#include <assert.h>

#include "translator/builder.h"

#define VERSIONS_MAX 3u
#define VERSION_AGE  16u

/* Bytes from the displacement that is noted in emit_jump_cache_look() to those of the slot's fields. */
enum { TO_SLOT_TAG = -8, TO_SLOT_CODE = 14 };

/* ---- what is noted */

bool relocation_is_possible(uint32_t mode)
{
    return (mode & MODE_CODE32) && (mode & MODE_CODE_OPEN) && !(mode & MODE_PARAGRAPH);
}

void builder_note_eip(struct builder *b, enum fixup_kind kind, uint32_t value)
{
    uint32_t written;
    memcpy(&written, b->e.at - sizeof written, sizeof written);
    bool is_short = value == (uint32_t)(int8_t)value; /* a displacement that needs fewer bytes */
    b->movable &= !is_short && b->fixup_count < MAX_BLOCK_FIXUPS;
    if (b->movable) {
        assert(written == value);
        b->fixups[b->fixup_count++] = (struct fixup){
            .position = (uint16_t)(builder_position(b) - (int32_t)sizeof value), .kind = (uint16_t)kind};
    }
}

size_t copy_fixups(const struct builder *b, uint8_t *to)
{
    size_t size = b->movable ? b->fixup_count * sizeof b->fixups[0] : 0;
    memcpy(to, b->fixups, size);
    return size;
}

/* ---- moving */

static uint32_t get(const uint8_t *at)
{
    uint32_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static void put(uint8_t *at, uint32_t value)
{
    memcpy(at, &value, sizeof value);
}

static void change_code(uint8_t *at, enum fixup_kind kind, uint32_t distance)
{
    switch (kind) {
    case FIXUP_RETURN: put(at, get(at) - distance); break;
    case FIXUP_EIP: put(at, get(at) + distance); break;
    case FIXUP_JUMP: {
        uint32_t target = get(at) + distance;
        put(at, target);
        put(at + TO_SLOT_TAG, (uint32_t)jump_tag_position(target));
        put(at + TO_SLOT_CODE, (uint32_t)jump_code_position(target));
        break;
    }
    }
}

static void change_block(const struct code_block *block, uint8_t *code, uint32_t distance)
{
    struct block_tables *tables = block->tables;
    tables->eip += distance;
    const uint8_t *at = translator_guest_bytes(block) + block->length;
    const uint8_t *end = (const uint8_t *)block->tables + block->tables_size;
    for (; at < end; at += sizeof(struct fixup)) {
        struct fixup fixup;
        memcpy(&fixup, at, sizeof fixup);
        change_code(code + fixup.position, (enum fixup_kind)fixup.kind, distance);
    }
}

/* Whether the probe is to be asked about an instruction within the block at its new EIP, and was not at the
 * old one. Elsewhere than in flat code that is the same for both. */
static bool has_probe_within(const struct translator *t, const struct code_block *block, uint32_t eip,
                             uint32_t mode)
{
    return (mode & MODE_CODE_FLAT) && cpu_probe_room_at_linear(t->cpu, eip) < block->length;
}

struct code_block *translator_move_version(struct translator *t, uint64_t phys, uint32_t eip, uint32_t mode)
{
    if (!relocation_is_possible(mode)) {
        return NULL;
    }
    uint64_t key = translator_block_key(t, eip, mode);
    uint32_t now = (uint32_t)t->mmu->generation;
    unsigned versions = 0;
    struct code_block *oldest = NULL;
    for (struct code_block *block = code_cache_first_version(t->cache, phys, key); block != NULL;
         block = code_cache_next_version(block)) {
        versions++;
        if (oldest == NULL || now - block->used > now - oldest->used) {
            oldest = block;
        }
    }
    if (oldest == NULL || (versions < VERSIONS_MAX && now - oldest->used < VERSION_AGE) ||
        has_probe_within(t, oldest, eip, mode)) {
        return NULL;
    }
    uint32_t distance = eip - translator_block_eip(oldest);
    code_cache_move(t->cache, oldest, key);
    change_block(oldest, code_cache_writable(t->cache, oldest), distance);
    oldest->used = now;
    return oldest;
}

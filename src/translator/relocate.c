/* Pages whose blocks are moved to another EIP instead of being translated again.
 *
 * The same library is at another address in each process of a guest with address space layout randomization:
 * the same bytes at the same physical address, with another EIP. Little of a block depends on EIP: return
 * addresses that calls push and their landings compare, targets and slots in the jump cache; what sites tell
 * C is relative to it. Where all of that is known (builder.movable), a struct fixup for each follows the
 * block's notes, and the block can be changed in place. That costs a tenth of translating, and no memory.
 *
 * All blocks of a page are moved at once, so that the links among them stay: where one is executed others
 * will be. They are lost at their old EIP, and processes that run in turn would take them from each other. So
 * up to VERSIONS_MAX versions of a page are made by translation first, unless what there is has not been
 * found for VERSION_AGE generations of mappings (a load of CR3 begins one); then the one not found for the
 * longest time is moved.
 *
 * NOT IMPLEMENTED: 16-bit code, code segments with a limit, and pages within which EIP wraps; blocks with a
 * tail: they die when their page is moved. */
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

struct relocation {
    struct code_cache *cache;
    uint32_t distance;
};

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

static void change_code(uint8_t *at, enum fixup_kind kind, uint32_t mode, uint32_t distance)
{
    switch (kind) {
    case FIXUP_RETURN: put(at, get(at) - distance); break;
    case FIXUP_EIP: put(at, get(at) + distance); break;
    case FIXUP_JUMP: {
        uint32_t target = get(at) + distance;
        put(at, target);
        put(at + TO_SLOT_TAG, (uint32_t)jump_tag_position(mode, target));
        put(at + TO_SLOT_CODE, (uint32_t)jump_code_position(mode, target));
        break;
    }
    }
}

static void change_block(void *opaque, struct code_block *block)
{
    const struct relocation *relocation = opaque;
    uint8_t *code = code_cache_writable(relocation->cache, block);
    struct block_tables *tables = block->tables;
    tables->eip += relocation->distance;
    const uint8_t *at = translator_guest_bytes(block) + block->length;
    const uint8_t *end = (const uint8_t *)block->tables + block->tables_size;
    for (; at < end; at += sizeof(struct fixup)) {
        struct fixup fixup;
        memcpy(&fixup, at, sizeof fixup);
        change_code(code + fixup.position, (enum fixup_kind)fixup.kind, (uint32_t)(block->key >> 32),
                    relocation->distance);
    }
}

/* Whether the probe is to be asked about an instruction on the page that begins at `eip`. Elsewhere than in
 * flat code it was asked at the old place as well. */
static bool has_probe_within(const struct translator *t, uint32_t eip, uint32_t mode)
{
    return (mode & MODE_CODE_FLAT) && cpu_probe_room_at_linear(t->cpu, eip) < PAGE_SIZE;
}

struct code_version *translator_move_version(struct translator *t, uint64_t phys, uint64_t key)
{
    uint32_t mode = (uint32_t)(key >> 32);
    uint64_t origin = code_origin(phys, key);
    if (!relocation_is_possible(mode) || (uint32_t)origin > UINT32_MAX - PAGE_MASK) {
        return NULL;
    }
    uint32_t now = (uint32_t)t->mmu->generations;
    unsigned versions = 0;
    struct code_version *oldest = NULL;
    for (struct code_version *version = code_cache_first_sibling(t->cache, phys, key); version != NULL;
         version = code_cache_next_sibling(version)) {
        versions++;
        if (oldest == NULL || now - version->used > now - oldest->used) {
            oldest = version;
        }
    }
    if (oldest == NULL || (versions < VERSIONS_MAX && now - oldest->used < VERSION_AGE) ||
        has_probe_within(t, (uint32_t)origin, mode)) {
        return NULL;
    }
    struct relocation relocation = {.cache = t->cache, .distance = (uint32_t)(origin - oldest->origin)};
    if (!code_cache_move(t->cache, oldest, origin)) {
        return NULL;
    }
    code_version_for_each(oldest, change_block, &relocation);
    return oldest;
}

/* The cache of translated code: that it is never wrong about which blocks live, by comparing every death with
 * a simple model over random histories; that dead code stays intact until its memory is reused; and that
 * what is committed runs, linked and unlinked. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "codecache/code_cache.h"
#include "host/executable_memory.h"

#define SITES       2u
#define HOST_MIN    16u
#define MODEL_MAX   40000u
#define NOT_LINKED  UINT32_MAX
#define GUEST_PAGES 6u
#define KEYS        3u

static const uint32_t site_offset[SITES] = {3, 9};
static const uint64_t guest_page[GUEST_PAGES] = {0x0, 0x7000, 0x8000, 0x2007000, 0xfffff000, 0x123456789a000};

/* A block as it should be. */
struct model_block {
    struct code_block *block;
    uint64_t phys;
    uint64_t tail;
    uint64_t key;
    unsigned length;
    uint32_t host_size;
    const uint8_t *entry;
    uint8_t *write;
    bool alive;
    bool died; /* what the listener was told */
    uint32_t link[SITES];
};

struct rig {
    struct code_cache *cache;
    struct counters counters;
    struct model_block *model; /* in the order of their commits */
    uint32_t count;
    uint32_t oldest; /* the first whose memory has not been reused */
    uint64_t deaths;
    uint64_t moves; /* of which the listener was told */
    uint64_t revivals;
    uint64_t random;
};

static uint32_t random_below(struct rig *rig, uint32_t limit)
{
    rig->random = rig->random * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((rig->random >> 33) % limit);
}

/* A block's tables: its number as often as it says itself. */
static uint32_t index_of(const struct code_block *block)
{
    uint32_t index;
    memcpy(&index, block->tables, sizeof index);
    return index;
}

static uint32_t tables_of(uint32_t index)
{
    return (uint32_t)sizeof index * (1 + index % 7);
}

static void check_tables(const struct code_block *block, uint32_t index)
{
    assert_int_equal(block->tables_size, tables_of(index));
    for (uint32_t i = 0; i < block->tables_size; i += (uint32_t)sizeof index) {
        assert_memory_equal((const uint8_t *)block->tables + i, &index, sizeof index);
    }
}

static void note_death(void *opaque, struct code_block *block)
{
    struct rig *rig = opaque;
    struct model_block *model = &rig->model[index_of(block)];
    assert_ptr_equal(model->block, block);
    assert_false(model->died);
    assert_int_equal(block->key, model->key);
    if (!block->dead) {
        rig->moves++;
        return;
    }
    model->died = true;
    rig->deaths++;
}

static void create(struct rig *rig, uint64_t size)
{
    *rig = (struct rig){.random = 0x5eed};
    struct code_cache_listener listener = {.block_died = note_death, .opaque = rig};
    struct status status = code_cache_create(size, &listener, &rig->counters, &rig->cache);
    if (!status_is_ok(&status)) {
        print_message("SKIPPED: %s\n", status.message);
        exit(77);
    }
    rig->model = calloc(MODEL_MAX, sizeof *rig->model);
    assert_non_null(rig->model);
}

static struct code_block *find_with_tail(struct rig *rig, uint64_t phys, uint64_t tail, uint64_t key)
{
    struct code_version *version = code_cache_find_version(rig->cache, phys, key);
    return version != NULL ? code_version_find_with_tail(version, phys, tail) : NULL;
}

static struct code_block *find(struct rig *rig, uint64_t phys, uint64_t key)
{
    struct code_version *version = code_cache_find_version(rig->cache, phys, key);
    return version != NULL ? code_version_find(version, phys) : NULL;
}

static struct code_block *first_resting(struct rig *rig, uint64_t phys, uint64_t key)
{
    struct code_version *version = code_cache_find_version(rig->cache, phys, key);
    return version != NULL ? code_version_first_resting(version, phys) : NULL;
}

static void destroy(struct rig *rig)
{
    code_cache_destroy(rig->cache);
    free(rig->model);
}

/* The byte at `offset` of block number `index`, where no jump was patched. */
static uint8_t pattern(uint32_t index, uint32_t offset)
{
    return (uint8_t)(index * 31 + offset * 7 + (offset >> 8));
}

static void expect_no_links(struct rig *rig, uint32_t index)
{
    for (unsigned site = 0; site < SITES; site++) {
        rig->model[index].link[site] = NOT_LINKED;
    }
    for (uint32_t i = rig->oldest; i < rig->count; i++) {
        for (unsigned site = 0; site < SITES; site++) {
            if (rig->model[i].link[site] == index) {
                rig->model[i].link[site] = NOT_LINKED;
            }
        }
    }
}

static void expect_death(struct rig *rig, uint32_t index)
{
    rig->model[index].alive = false;
    expect_no_links(rig, index);
}

/* Everything the cache says of a block whose memory has not been reused, and its host code byte by byte. */
static void check_block(struct rig *rig, uint32_t index)
{
    const struct model_block *model = &rig->model[index];
    const struct code_block *block = model->block;
    assert_int_equal(model->died, !model->alive);
    assert_int_equal(block->dead, !model->alive);
    assert_int_equal(block->phys, model->phys);
    assert_int_equal(block->key, model->key);
    assert_int_equal(block->tail, model->tail);
    assert_int_equal(block->length, model->length);
    assert_ptr_equal(block->entry, model->entry);
    struct code_block *found = find_with_tail(rig, model->phys, model->tail, model->key);
    if (model->alive) {
        assert_ptr_equal(found, block);
        assert_non_null(find(rig, model->phys, model->key));
    } else {
        assert_ptr_not_equal(found, block);
    }
    assert_ptr_equal(code_cache_at(rig->cache, model->entry), block);
    assert_ptr_equal(code_cache_at(rig->cache, model->entry + model->host_size - 1), block);
    assert_ptr_not_equal(code_cache_at(rig->cache, model->entry + model->host_size), block);
    assert_ptr_not_equal(code_cache_at(rig->cache, model->entry - 1), block);
    uint8_t *wanted = malloc(model->host_size);
    assert_non_null(wanted);
    for (uint32_t i = 0; i < model->host_size; i++) {
        wanted[i] = pattern(index, i);
    }
    for (unsigned site = 0; site < SITES; site++) {
        if (model->link[site] != NOT_LINKED) {
            const uint8_t *next = model->entry + site_offset[site] + 4;
            int32_t displacement = (int32_t)(rig->model[model->link[site]].entry - next);
            memcpy(wanted + site_offset[site], &displacement, sizeof displacement);
        }
    }
    assert_memory_equal(model->write, wanted, model->host_size);
    assert_memory_equal(model->entry, wanted, model->host_size);
    for (uint32_t i = 0; i < CODE_BLOCK_LEAD; i++) {
        assert_int_equal(model->entry[(int32_t)i - (int32_t)CODE_BLOCK_LEAD], pattern(index, i));
    }
    check_tables(block, index);
    free(wanted);
}

/* No more and no fewer deaths than the model expects. */
static void check_deaths(struct rig *rig)
{
    uint64_t dead = rig->oldest;
    for (uint32_t i = rig->oldest; i < rig->count; i++) {
        assert_int_equal(rig->model[i].died, !rig->model[i].alive);
        dead += !rig->model[i].alive;
    }
    assert_int_equal(rig->deaths, dead + rig->revivals);
    assert_int_equal(code_cache_epoch(rig->cache), rig->deaths);
}

/* Eviction takes the oldest blocks only, and all whose memory is given away. */
static struct code_space reserve(struct rig *rig)
{
    uint64_t deaths = rig->deaths;
    uint64_t evicted = rig->counters.value[COUNTER_BLOCKS_EVICTED];
    struct code_space space = code_cache_reserve(rig->cache);
    assert_true(space.size >= CODE_BLOCK_MAX);
    assert_int_equal((uintptr_t)space.exec % CODE_BLOCK_ALIGN, 0);
    for (uint32_t i = rig->oldest; i < rig->count; i++) {
        struct model_block *model = &rig->model[i];
        if (model->entry < space.exec + space.size && space.exec < model->entry + model->host_size) {
            assert_int_equal(i, rig->oldest);
            if (model->alive) {
                deaths++;
                evicted++;
                expect_death(rig, i);
            }
            rig->oldest = i + 1;
        }
    }
    assert_int_equal(rig->deaths, deaths);
    assert_int_equal(rig->counters.value[COUNTER_BLOCKS_EVICTED], evicted);
    return space;
}

/* Commits block number rig->count with its pattern. */
static void commit_with_tail(struct rig *rig, uint64_t phys, uint64_t tail, uint64_t key, unsigned length,
                             uint32_t host_size)
{
    struct code_space space = reserve(rig);
    uint32_t index = rig->count++;
    assert_true(index < MODEL_MAX);
    for (uint32_t i = 0; i < host_size; i++) {
        space.write[i] = pattern(index, i);
    }
    for (uint32_t i = 0; i < CODE_BLOCK_LEAD; i++) {
        space.write[(int32_t)i - (int32_t)CODE_BLOCK_LEAD] = pattern(index, i);
    }
    assert_true(space.tables_size >= CODE_TABLES_MAX);
    for (uint32_t i = 0; i < tables_of(index); i += (uint32_t)sizeof index) {
        memcpy((uint8_t *)space.tables + i, &index, sizeof index);
    }
    struct code_block *block =
        code_cache_commit(rig->cache, phys, tail, key, length, 1, host_size, tables_of(index));
    assert_non_null(block);
    assert_ptr_equal(block->entry, space.exec);
    assert_ptr_equal(code_cache_writable(rig->cache, block), space.write);
    block->movable = tail == CODE_NO_TAIL && index % 5 != 0;
    rig->model[index] = (struct model_block){.block = block,
                                             .phys = phys,
                                             .tail = tail,
                                             .key = key,
                                             .length = length,
                                             .host_size = host_size,
                                             .entry = space.exec,
                                             .write = space.write,
                                             .alive = true,
                                             .link = {NOT_LINKED, NOT_LINKED}};
}

static void commit(struct rig *rig, uint64_t phys, uint64_t key, unsigned length, uint32_t host_size)
{
    commit_with_tail(rig, phys, CODE_NO_TAIL, key, length, host_size);
}

/* A key of the version number `place` (0 to 3) of any page. */
static uint64_t key_at(uint64_t upper, uint32_t place, uint64_t phys)
{
    return upper << 32 | (uint32_t)(place * 0x12345 + (uint32_t)(phys & 0xfff));
}

static uint64_t random_key(struct rig *rig, uint64_t phys)
{
    uint64_t upper = (uint64_t)random_below(rig, KEYS) << 8;
    return key_at(upper, random_below(rig, 4), phys);
}

/* Either page may be any, also both the same one. */
static void commit_random_with_tail(struct rig *rig)
{
    uint32_t first = random_below(rig, 8) == 0 ? 1 + random_below(rig, 4095) : 1 + random_below(rig, 14);
    uint64_t phys = guest_page[random_below(rig, GUEST_PAGES)] + 4096 - first;
    uint64_t tail = guest_page[random_below(rig, GUEST_PAGES)];
    uint64_t key = random_key(rig, phys);
    unsigned length = first + 1 + random_below(rig, random_below(rig, 8) == 0 ? 4096 : 14);
    if (find_with_tail(rig, phys, tail, key) == NULL) {
        commit_with_tail(rig, phys, tail, key, length, HOST_MIN + random_below(rig, 3000));
    }
}

static void commit_random(struct rig *rig)
{
    uint32_t offset = random_below(rig, 4096);
    uint64_t phys = guest_page[random_below(rig, GUEST_PAGES)] + offset;
    uint64_t key = random_key(rig, phys);
    unsigned longest = random_below(rig, 8) == 0 ? 4096 : 100;
    unsigned length = 1 + random_below(rig, longest < 4096 - offset ? longest : 4096 - offset);
    if (find_with_tail(rig, phys, CODE_NO_TAIL, key) == NULL) {
        commit(rig, phys, key, length, HOST_MIN + random_below(rig, 3000));
    }
}

/* A living block, or NOT_LINKED after a few tries. */
static uint32_t pick_living(struct rig *rig)
{
    for (unsigned tries = 0; rig->oldest < rig->count && tries < 20; tries++) {
        uint32_t index = rig->oldest + random_below(rig, rig->count - rig->oldest);
        if (rig->model[index].alive) {
            return index;
        }
    }
    return NOT_LINKED;
}

static void link_random(struct rig *rig)
{
    uint32_t from = pick_living(rig);
    uint32_t to = random_below(rig, 10) == 0 ? from : pick_living(rig);
    if (from != NOT_LINKED && to != NOT_LINKED) {
        unsigned site = random_below(rig, SITES);
        code_cache_link(rig->cache, rig->model[from].block, site_offset[site], rig->model[to].block);
        rig->model[from].link[site] = to;
    }
}

/* Each version of the page is found once, and nothing else is. */
static void check_versions(struct rig *rig, uint32_t index)
{
    const struct model_block *model = &rig->model[index];
    unsigned blocks = 0;
    for (uint32_t i = rig->oldest; i < rig->count; i++) {
        const struct model_block *other = &rig->model[i];
        blocks += (other->alive || other->block->resting) && other->phys / 4096 == model->phys / 4096 &&
                  other->key >> 32 == model->key >> 32;
    }
    struct code_version *version = code_cache_first_sibling(rig->cache, model->phys, model->key);
    for (; version != NULL; version = code_cache_next_sibling(version)) {
        assert_int_equal(version->page, model->phys / 4096);
        assert_int_equal(version->origin >> 32, model->key >> 32);
        assert_ptr_equal(code_cache_find_version(rig->cache, version->page * 4096, version->origin), version);
        assert_in_range(version->blocks, 1, blocks);
        blocks -= version->blocks;
    }
    assert_int_equal(blocks, 0);
}

/* The links between a block and those of other versions are undone. */
static void expect_no_crossing(struct rig *rig, uint32_t index)
{
    for (uint32_t i = rig->oldest; i < rig->count; i++) {
        for (unsigned site = 0; site < SITES; site++) {
            uint32_t to = rig->model[i].link[site];
            bool concerned = to != NOT_LINKED && (i == index || to == index);
            if (concerned && rig->model[i].block->version != rig->model[to].block->version) {
                rig->model[i].link[site] = NOT_LINKED;
            }
        }
    }
}

static void move_random(struct rig *rig)
{
    uint32_t chosen = pick_living(rig);
    if (chosen == NOT_LINKED) {
        return;
    }
    struct code_version *version = rig->model[chosen].block->version;
    uint64_t from = version->origin;
    uint64_t to = key_at(from >> 32, random_below(rig, 4), 0);
    if (code_cache_find_version(rig->cache, version->page * 4096, to) != NULL) {
        return;
    }
    uint64_t moves = rig->moves;
    uint64_t moved = 0;
    for (uint32_t i = rig->oldest; i < rig->count; i++) {
        struct model_block *model = &rig->model[i];
        if (model->block->version == version && model->alive) {
            if (model->block->movable) {
                expect_no_crossing(rig, i);
                moved++;
            } else {
                expect_death(rig, i);
            }
        }
    }
    bool is_there = code_cache_move(rig->cache, version, to);
    assert_int_equal(is_there, moved != 0);
    assert_int_equal(rig->moves, moves + moved);
    for (uint32_t i = rig->oldest; i < rig->count; i++) {
        struct model_block *model = &rig->model[i];
        if (model->alive && is_there && model->block->version == version) {
            assert_int_equal(code_origin(model->phys, model->key), from);
            model->key = (to & ~(uint64_t)UINT32_MAX) | (uint32_t)(to + (model->phys & 0xfff));
            check_block(rig, i);
        }
    }
    check_versions(rig, chosen);
}

/* Whether a block has a byte in [phys, phys + length). */
static uint64_t guest_byte(const struct model_block *model, unsigned i)
{
    uint64_t byte = model->phys + i;
    bool in_tail = model->tail != CODE_NO_TAIL && (byte ^ model->phys) >= 4096;
    return in_tail ? model->tail + byte % 4096 : byte;
}

static bool has_byte_in(const struct model_block *model, uint64_t phys, unsigned length)
{
    for (unsigned i = 0; i < model->length; i++) {
        if (guest_byte(model, i) - phys < length) {
            return true;
        }
    }
    return false;
}

/* Grows by the block's bytes on the page. */
static void grow_range(uint64_t *first, uint64_t *last, const struct model_block *model)
{
    for (unsigned i = 0; i < model->length; i++) {
        uint64_t byte = guest_byte(model, i);
        if (byte / 4096 == *first / 4096) {
            *first = byte < *first ? byte : *first;
            *last = byte > *last ? byte : *last;
        }
    }
}

static void invalidate_with(struct rig *rig, uint64_t phys, unsigned length,
                            struct code_range (*drop)(struct code_cache *cache, struct code_range range))
{
    uint64_t first = phys;
    uint64_t last = phys + length - 1;
    for (uint32_t i = rig->oldest; i < rig->count; i++) {
        if (rig->model[i].alive && has_byte_in(&rig->model[i], phys, length)) {
            grow_range(&first, &last, &rig->model[i]);
            expect_death(rig, i);
        }
    }
    struct code_range dropped = drop(rig->cache, (struct code_range){phys, length});
    assert_int_equal(dropped.phys, first);
    assert_int_equal(dropped.phys + dropped.length - 1, last);
}

static void invalidate(struct rig *rig, uint64_t phys, unsigned length)
{
    invalidate_with(rig, phys, length, code_cache_invalidate);
}

/* Those that rest for the place of `model`: dead ones, and few. */
static bool rests(struct rig *rig, const struct model_block *model)
{
    bool found = false;
    unsigned count = 0;
    struct code_block *block = first_resting(rig, model->phys, model->key);
    for (; block != NULL; block = code_cache_next_resting(block)) {
        assert_true(block->dead && block->resting && block->tail == CODE_NO_TAIL);
        assert_int_equal(block->phys, model->phys);
        assert_int_equal(block->key, model->key);
        assert_true(++count <= 4);
        found |= block == model->block;
    }
    return found;
}

static void revive_random(struct rig *rig)
{
    uint32_t index = rig->oldest;
    for (unsigned tries = 0; tries < 20 && !rig->model[index].block->resting; tries++) {
        index = rig->oldest + random_below(rig, rig->count - rig->oldest);
    }
    struct model_block *model = &rig->model[index];
    bool is_free = find_with_tail(rig, model->phys, CODE_NO_TAIL, model->key) == NULL;
    assert_int_equal(rests(rig, model), model->block->resting);
    if (model->block->resting && is_free) {
        assert_true(code_cache_revive(rig->cache, model->block));
        assert_false(rests(rig, model));
        model->alive = true;
        model->died = false;
        rig->revivals++;
        check_versions(rig, index);
    }
}

static void invalidate_random(struct rig *rig)
{
    uint32_t offset = random_below(rig, 4096);
    uint32_t longest = random_below(rig, 20) == 0 ? 4096 - offset : 8;
    uint32_t length = 1 + random_below(rig, longest);
    invalidate_with(rig, guest_page[random_below(rig, GUEST_PAGES)] + offset,
                    length < 4096 - offset ? length : 4096 - offset,
                    random_below(rig, 3) == 0 ? code_cache_invalidate : code_cache_put_to_rest);
}

static void any_history_agrees_with_the_model(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig, CODE_CACHE_SIZE_MIN + 12345);
    for (unsigned step = 0; step < 30000; step++) {
        uint32_t choice = random_below(&rig, 1000);
        if (choice < 300) {
            commit_random(&rig);
        } else if (choice < 500) {
            commit_random_with_tail(&rig);
        } else if (choice < 850) {
            link_random(&rig);
        } else if (choice < 900) {
            move_random(&rig);
        } else if (choice < 970) {
            invalidate_random(&rig);
        } else if (choice < 998) {
            if (rig.oldest < rig.count) {
                revive_random(&rig);
            }
        } else if (choice < 999) {
            code_cache_unlink_all(rig.cache);
            for (uint32_t i = rig.oldest; i < rig.count; i++) {
                rig.model[i].link[0] = rig.model[i].link[1] = NOT_LINKED;
            }
        } else {
            code_cache_clear(rig.cache);
            for (uint32_t i = rig.oldest; i < rig.count; i++) {
                expect_death(&rig, i);
            }
        }
        check_deaths(&rig);
        if (rig.oldest < rig.count) {
            check_block(&rig, rig.oldest + random_below(&rig, rig.count - rig.oldest));
        }
        if (step % 1000 == 999) {
            for (uint32_t i = rig.oldest; i < rig.count; i++) {
                check_block(&rig, i);
            }
        }
    }
    assert_true(rig.counters.value[COUNTER_BLOCKS_EVICTED] > 1000);
    assert_true(rig.counters.value[COUNTER_BLOCKS_INVALIDATED] > 1000);
    assert_true(rig.counters.value[COUNTER_BLOCKS_LINKED] > 1000);
    assert_true(rig.counters.value[COUNTER_BLOCKS_MOVED] > 100);
    assert_true(rig.counters.value[COUNTER_BLOCKS_REVIVED] > 100);
    assert_int_equal(rig.counters.value[COUNTER_BLOCKS_REVIVED], rig.revivals);
    assert_int_equal(rig.counters.value[COUNTER_BLOCKS_TRANSLATED], rig.count);
    destroy(&rig);
}

static void only_the_youngest_blocks_of_a_place_rest(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig, CODE_CACHE_SIZE_MIN);
    for (uint32_t i = 0; i < 6; i++) {
        commit(&rig, 0x1000, 1, 10, HOST_MIN);
        invalidate_with(&rig, 0x1009, 1, code_cache_put_to_rest);
        check_deaths(&rig);
    }
    struct code_block *block = first_resting(&rig, 0x1000, 1);
    for (uint32_t i = 6; i-- > 2; block = code_cache_next_resting(block)) {
        assert_ptr_equal(block, rig.model[i].block);
    }
    assert_null(block);
    destroy(&rig);
}

static void no_block_rests_that_was_dropped_for_good_or_has_a_tail_or_was_forgotten_or_evicted(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig, CODE_CACHE_SIZE_MIN);
    commit(&rig, 0x1000, 1, 10, HOST_MIN);
    invalidate(&rig, 0x1000, 1);
    assert_null(first_resting(&rig, 0x1000, 1));
    commit_with_tail(&rig, 0x1fff, 0x5000, 1, 2, HOST_MIN);
    invalidate_with(&rig, 0x1fff, 1, code_cache_put_to_rest);
    assert_null(first_resting(&rig, 0x1fff, 1));
    for (unsigned forgetting = 0; forgetting < 3; forgetting++) {
        commit(&rig, 0x1000, 1, 10, HOST_MIN);
        invalidate_with(&rig, 0x1000, 1, code_cache_put_to_rest);
        assert_non_null(first_resting(&rig, 0x1000, 1));
        switch (forgetting) {
        case 0: code_cache_forget_resting(rig.cache); break;
        case 1: code_cache_clear(rig.cache); break;
        default:
            for (uint32_t last = rig.count; rig.oldest < last;) {
                commit(&rig, 0x100000 + rig.count, 1, 1, 2000);
            }
        }
        assert_null(first_resting(&rig, 0x1000, 1));
        check_deaths(&rig);
    }
    destroy(&rig);
}

static void a_full_cache_loses_only_its_oldest_sixteenth(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig, 4 * CODE_CACHE_SIZE_MIN);
    while (rig.counters.value[COUNTER_BLOCKS_EVICTED] == 0) {
        commit(&rig, rig.count, 0, 1, 1024 - CODE_BLOCK_ALIGN);
    }
    /* 4 MiB hold 4096 blocks, but for what does not fit at the end of each segment. */
    assert_in_range(rig.count, 4096 - CODE_CACHE_SEGMENTS * (CODE_BLOCK_MAX / 1024), 4096);
    assert_in_range(rig.deaths, 1, 4096 / CODE_CACHE_SEGMENTS);
    check_deaths(&rig);
    destroy(&rig);
}

static void full_tables_make_room_like_full_code(void **state)
{
    (void)state;
    struct code_cache *cache;
    struct counters counters = {0};
    const struct code_cache_listener nobody = {0};
    struct status status = code_cache_create(CODE_CACHE_SIZE_MIN, &nobody, &counters, &cache);
    assert_true(status_is_ok(&status));
    uint64_t count = 0;
    while (counters.value[COUNTER_BLOCKS_EVICTED] == 0) {
        struct code_space space = code_cache_reserve(cache);
        assert_true(space.tables_size >= CODE_TABLES_MAX);
        memset(space.tables, 0x5a, CODE_TABLES_MAX);
        assert_non_null(code_cache_commit(cache, count++, CODE_NO_TAIL, 0, 1, 1, HOST_MIN, CODE_TABLES_MAX));
    }
    uint64_t most = CODE_CACHE_SIZE_MIN / CODE_TABLES_MAX;
    assert_in_range(count, most - CODE_CACHE_SEGMENTS, most + 1);
    assert_in_range(counters.value[COUNTER_BLOCKS_EVICTED], 1, most / CODE_CACHE_SEGMENTS);
    code_cache_destroy(cache);
}

static void a_store_to_a_page_without_blocks_drops_nothing(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig, CODE_CACHE_SIZE_MIN);
    commit(&rig, 0x5ff0, 1, 16, 64);
    commit(&rig, 0x7000, 1, 16, 64);
    invalidate(&rig, 0x6000, 4096);
    invalidate(&rig, 0x7010, 4096 - 16);
    invalidate(&rig, 0x5000, 0xff0);
    check_deaths(&rig);
    assert_int_equal(rig.deaths, 0);
    invalidate(&rig, 0x5fff, 1);
    invalidate(&rig, 0x7000, 1);
    check_deaths(&rig);
    assert_int_equal(rig.deaths, 2);
    destroy(&rig);
}

static void blocks_of_two_pages_die_of_stores_to_either(void **state)
{
    (void)state;
    static const uint64_t written[] = {0x5ffd, 0x5fff, 0x9000, 0x9003};
    struct rig rig;
    create(&rig, CODE_CACHE_SIZE_MIN);
    for (uint32_t i = 0; i < ARRAY_COUNT(written); i++) {
        commit_with_tail(&rig, 0x5ffd, 0x9000, 1, 7, 64);
        invalidate(&rig, 0x5ffc, 1);
        invalidate(&rig, 0x6000, 4096);
        invalidate(&rig, 0x9004, 4092);
        check_deaths(&rig);
        assert_int_equal(rig.deaths, i);
        invalidate(&rig, written[i], 1);
        check_deaths(&rig);
        assert_int_equal(rig.deaths, i + 1);
    }
    destroy(&rig);
}

static void blocks_with_different_tails_live_side_by_side(void **state)
{
    (void)state;
    static const uint64_t tail[] = {0x9000, 0x5000, 0xa000}; /* one is the page they begin on */
    struct rig rig;
    create(&rig, CODE_CACHE_SIZE_MIN);
    for (uint32_t i = 0; i < ARRAY_COUNT(tail); i++) {
        commit_with_tail(&rig, 0x5ffd, tail[i], 1, 7, 64);
    }
    for (uint32_t i = 0; i < ARRAY_COUNT(tail); i++) {
        check_block(&rig, i);
    }
    invalidate(&rig, 0x9000, 1);
    for (uint32_t i = 0; i < ARRAY_COUNT(tail); i++) {
        check_block(&rig, i);
    }
    assert_int_equal(rig.deaths, 1);
    invalidate(&rig, 0x5ffe, 1);
    assert_int_equal(rig.deaths, 3);
    assert_null(find(&rig, 0x5ffd, 1));
    destroy(&rig);
}

static void versions_that_share_a_bucket_are_told_apart(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig, CODE_CACHE_SIZE_MIN);
    uint64_t page = 1;
    uint64_t origin = 1;
    size_t bucket = code_version_bucket(rig.cache, 0, 0);
    while (code_version_bucket(rig.cache, 0, origin) != bucket) {
        origin++;
    }
    while (code_version_bucket(rig.cache, page, 0) != bucket) {
        page++;
    }
    commit(&rig, 0, 0, 1, HOST_MIN);
    assert_null(find(&rig, 0, origin));
    assert_null(find(&rig, page * 4096, 0));
    commit(&rig, 0, origin, 1, HOST_MIN);
    commit(&rig, page * 4096, 0, 1, HOST_MIN);
    for (uint32_t i = 0; i < 3; i++) {
        check_block(&rig, i);
    }
    invalidate(&rig, 0, 1);
    for (uint32_t i = 0; i < 3; i++) {
        check_block(&rig, i);
    }
    destroy(&rig);
}

/* However many there are, alive and at rest. */
static void a_version_finds_the_blocks_of_all_bytes_of_its_page(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig, 4 * CODE_CACHE_SIZE_MIN);
    for (uint32_t i = 0; i < 4096; i++) {
        commit(&rig, 0x5000 + i, 0x700000000u + i, 1, HOST_MIN);
    }
    for (uint32_t i = 0; i < 4096; i += 3) {
        invalidate_with(&rig, 0x5000 + i, 1, code_cache_put_to_rest);
    }
    const struct code_version *version = code_cache_find_version(rig.cache, 0x5000, 0x700000000u);
    for (uint32_t i = 0; i < 4096; i++) {
        assert_ptr_equal(rig.model[i].block->version, version);
        assert_ptr_equal(code_version_first_resting(version, 0x5000 + i),
                         i % 3 == 0 ? rig.model[i].block : NULL);
        check_block(&rig, i);
    }
    destroy(&rig);
}

static void fixed_code_outlives_everything(void **state)
{
    (void)state;
    struct rig rig;
    create(&rig, CODE_CACHE_SIZE_MIN);
    struct code_space space = code_cache_reserve_fixed(rig.cache);
    assert_int_equal(space.size, CODE_FIXED_MAX);
    memset(space.write, 0x5a, 100);
    const uint8_t *first = code_cache_commit_fixed(rig.cache, 100);
    assert_ptr_equal(first, space.exec);
    space = code_cache_reserve_fixed(rig.cache);
    assert_true(space.exec >= first + 100 && space.size >= CODE_FIXED_MAX - 100 - CODE_BLOCK_ALIGN);
    memset(space.write, 0xa5, space.size);
    assert_ptr_equal(code_cache_commit_fixed(rig.cache, space.size), space.exec);
    assert_int_equal(code_cache_reserve_fixed(rig.cache).size, 0);
    while (rig.counters.value[COUNTER_BLOCKS_EVICTED] == 0) {
        commit(&rig, rig.count, 0, 1, 30000);
    }
    code_cache_clear(rig.cache);
    for (unsigned i = 0; i < 100; i++) {
        assert_int_equal(first[i], 0x5a);
    }
    for (size_t i = 0; i < space.size; i++) {
        assert_int_equal(space.exec[i], 0xa5);
    }
    assert_null(code_cache_at(rig.cache, first));
    int here;
    assert_null(code_cache_at(rig.cache, (const uint8_t *)&here));
    assert_null(code_cache_at(rig.cache, NULL));
    destroy(&rig);
}

#if defined(__x86_64__)
/* mov eax, number; jmp stay; stay: ret. The jump's displacement is at offset 6. */
static struct code_block *commit_code(struct rig *rig, uint64_t phys, uint32_t number)
{
    uint8_t code[] = {0xb8, 0, 0, 0, 0, 0xe9, 0, 0, 0, 0, 0xc3};
    memcpy(code + 1, &number, sizeof number);
    commit(rig, phys, 0, 1, HOST_MIN);
    struct code_block *block = rig->model[rig->count - 1].block;
    memcpy(code_cache_writable(rig->cache, block), code, sizeof code);
    return block;
}

static uint32_t run(const struct code_block *block)
{
    uint32_t (*function)(void);
    memcpy(&function, &block->entry, sizeof function);
    return function();
}
#endif

static void committed_code_runs_linked_and_unlinked(void **state)
{
    (void)state;
#if defined(__x86_64__)
    struct rig rig;
    create(&rig, CODE_CACHE_SIZE_MIN);
    struct code_block *first = commit_code(&rig, 0x1000, 0x11111111);
    struct code_block *second = commit_code(&rig, 0x2000, 0x22222222);
    struct code_block *third = commit_code(&rig, 0x3000, 0x33333333);
    assert_int_equal(run(first), 0x11111111);
    code_cache_link(rig.cache, first, 6, second);
    assert_int_equal(run(first), 0x22222222);
    code_cache_link(rig.cache, second, 6, third);
    assert_int_equal(run(first), 0x33333333);
    code_cache_link(rig.cache, third, 6, second);                     /* an endless loop, */
    code_cache_link(rig.cache, second, 6, first);                     /* another one, */
    code_cache_invalidate(rig.cache, (struct code_range){0x1000, 1}); /* and neither */
    assert_int_equal(run(third), 0x22222222);
    assert_int_equal(run(first), 0x11111111); /* dead, but intact and on its own */
    code_cache_invalidate(rig.cache, (struct code_range){0x2000, 1});
    assert_int_equal(run(third), 0x33333333);
    assert_int_equal(run(second), 0x22222222);
    destroy(&rig);
#else
    print_message("SKIPPED: the code of this test is x86-64's\n");
    skip();
#endif
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_history_agrees_with_the_model),
        cmocka_unit_test(only_the_youngest_blocks_of_a_place_rest),
        cmocka_unit_test(no_block_rests_that_was_dropped_for_good_or_has_a_tail_or_was_forgotten_or_evicted),
        cmocka_unit_test(a_full_cache_loses_only_its_oldest_sixteenth),
        cmocka_unit_test(full_tables_make_room_like_full_code),
        cmocka_unit_test(a_store_to_a_page_without_blocks_drops_nothing),
        cmocka_unit_test(blocks_of_two_pages_die_of_stores_to_either),
        cmocka_unit_test(blocks_with_different_tails_live_side_by_side),
        cmocka_unit_test(versions_that_share_a_bucket_are_told_apart),
        cmocka_unit_test(a_version_finds_the_blocks_of_all_bytes_of_its_page),
        cmocka_unit_test(fixed_code_outlives_everything),
        cmocka_unit_test(committed_code_runs_linked_and_unlinked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

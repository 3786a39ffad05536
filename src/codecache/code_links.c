/* Jumps from block to block, patched and put back. */
#include "codecache/code_cache_internal.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static struct code_link *allocate_link(struct code_store *store)
{
    struct code_link *link = store->unused_links;
    if (link != NULL) {
        store->unused_links = link->out_next;
        return link;
    }
    return malloc(sizeof *link);
}

/* Puts the jump back. The link must have left the list of its source already. */
static void undo(struct code_store *store, struct code_link *link)
{
    memcpy(code_cache_writable(&store->cache, link->from) + link->site, link->original,
           sizeof link->original);
    if (link->crosses) {
        link->from->version->crossings--;
        link->to->version->crossings--;
    }
    *link->in_back = link->in_next;
    if (link->in_next != NULL) {
        link->in_next->in_back = link->in_back;
    }
    link->out_next = store->unused_links;
    store->unused_links = link;
}

static void forget_outgoing(struct code_link *link)
{
    struct code_link **at = &link->from->outgoing;
    while (*at != link) {
        at = &(*at)->out_next;
    }
    *at = link->out_next;
}

void code_links_drop_outgoing(struct code_store *store, struct code_block *block)
{
    while (block->outgoing != NULL) {
        struct code_link *link = block->outgoing;
        block->outgoing = link->out_next;
        undo(store, link);
    }
}

void code_links_drop(struct code_store *store, struct code_block *block)
{
    while (block->incoming != NULL) {
        struct code_link *link = block->incoming;
        forget_outgoing(link);
        undo(store, link);
    }
    code_links_drop_outgoing(store, block);
}

void code_links_drop_crossing(struct code_store *store, struct code_block *block)
{
    struct code_link *next;
    for (struct code_link *link = block->incoming; link != NULL; link = next) {
        next = link->in_next;
        if (link->crosses) {
            forget_outgoing(link);
            undo(store, link);
        }
    }
    for (struct code_link *link = block->outgoing; link != NULL; link = next) {
        next = link->out_next;
        if (link->crosses) {
            forget_outgoing(link);
            undo(store, link);
        }
    }
}

void code_cache_link(struct code_cache *cache, struct code_block *from, uint32_t site, struct code_block *to)
{
    struct code_store *store = (struct code_store *)cache;
    assert(!from->dead && !to->dead);
    assert(from->host_size >= 4 && site <= from->host_size - 4);
    for (struct code_link *link = from->outgoing; link != NULL; link = link->out_next) {
        if (link->site == site) {
            forget_outgoing(link);
            undo(store, link);
            break;
        }
    }
    struct code_link *link = allocate_link(store);
    if (link == NULL) {
        return;
    }
    *link = (struct code_link){.from = from,
                               .to = to,
                               .site = site,
                               .crosses = from->version != to->version,
                               .out_next = from->outgoing,
                               .in_next = to->incoming,
                               .in_back = &to->incoming};
    from->outgoing = link;
    from->version->crossings += link->crosses;
    to->version->crossings += link->crosses;
    if (to->incoming != NULL) {
        to->incoming->in_back = &link->in_next;
    }
    to->incoming = link;
    uint8_t *jump = code_cache_writable(cache, from) + site;
    memcpy(link->original, jump, sizeof link->original);
    ptrdiff_t distance = to->entry - (from->entry + site + 4);
    assert(distance == (int32_t)distance);
    int32_t displacement = (int32_t)distance;
    memcpy(jump, &displacement, sizeof displacement);
    counter_add(store->counters, COUNTER_BLOCKS_LINKED, 1);
}

unsigned code_cache_links_of(const struct code_block *block)
{
    unsigned count = 0;
    for (const struct code_link *link = block->outgoing; link != NULL; link = link->out_next) {
        count++;
    }
    return count;
}

void code_links_release(struct code_store *store)
{
    while (store->unused_links != NULL) {
        struct code_link *link = store->unused_links;
        store->unused_links = link->out_next;
        free(link);
    }
}

/* From guest bytes to the blocks made of them.
 *
 * A page is a set of 64 lines, each with a list of the blocks that begin in it. A store looks at the lines
 * where a block that reaches it can begin, which the longest block of the page tells. Blocks of two pages are
 * in one more list on the second, since they all begin there at its first byte. The two may be the same page.
 */
#include "codecache/code_cache_internal.h"

#include <assert.h>
#include <stdlib.h>

static unsigned page_bucket(uint64_t number)
{
    return (unsigned)(number * 0x9E3779B97F4A7C15u >> 32) & (CODE_PAGE_BUCKETS - 1);
}

static struct code_page **find_page(struct code_pages *pages, uint64_t number)
{
    struct code_page **at = &pages->bucket[page_bucket(number)];
    while (*at != NULL && (*at)->number != number) {
        at = &(*at)->next;
    }
    return at;
}

static void release_page(struct code_pages *pages, struct code_page **at)
{
    struct code_page *page = *at;
    *at = page->next;
    page->next = pages->unused;
    pages->unused = page;
}

/* A bit for each line from that of byte `first` to that of byte `last` of a page. */
static uint64_t line_mask(unsigned first, unsigned last)
{
    uint64_t from = ~(uint64_t)0 << (first >> CODE_LINE_SHIFT);
    uint64_t to = ~(uint64_t)0 >> (63 - (last >> CODE_LINE_SHIFT));
    return from & to;
}

static unsigned page_offset(uint64_t phys)
{
    return (unsigned)(phys & (CODE_PAGE_SIZE - 1));
}

static struct code_page *add_page(struct code_pages *pages, struct code_page **at, uint64_t number)
{
    struct code_page *page = pages->unused;
    if (page != NULL) {
        pages->unused = page->next;
    } else {
        page = malloc(sizeof *page);
        if (page == NULL) {
            return NULL;
        }
    }
    *page = (struct code_page){.number = number};
    *at = page;
    return page;
}

/* The page with this number, made when there is none; NULL: out of memory. */
static struct code_page *get_page(struct code_pages *pages, uint64_t number)
{
    struct code_page **at = find_page(pages, number);
    return *at != NULL ? *at : add_page(pages, at, number);
}

static void release_page_without_blocks(struct code_pages *pages, uint64_t number)
{
    struct code_page **at = find_page(pages, number);
    if (*at != NULL && (*at)->blocks == 0) {
        release_page(pages, at);
    }
}

/* Bytes on a block's first page, and on its second. */
static unsigned head_length(const struct code_block *block)
{
    unsigned room = CODE_PAGE_SIZE - page_offset(block->phys);
    return block->length < room ? block->length : room;
}

static unsigned tail_length(const struct code_block *block)
{
    return block->length - head_length(block);
}

struct code_range code_pages_bytes(const struct code_block *block, uint64_t page_number)
{
    bool has_head = block->phys >> CODE_PAGE_SHIFT == page_number;
    bool has_tail = block->tail != CODE_NO_TAIL && block->tail >> CODE_PAGE_SHIFT == page_number;
    uint64_t first = has_tail ? page_number << CODE_PAGE_SHIFT : block->phys;
    uint64_t end = has_head ? block->phys + head_length(block) : first + tail_length(block);
    return (struct code_range){.phys = first, .length = end - first};
}

static void add_head(struct code_page *page, struct code_block *block)
{
    unsigned first = page_offset(block->phys);
    unsigned length = head_length(block);
    unsigned line = first >> CODE_LINE_SHIFT;
    page->blocks++;
    page->covered |= line_mask(first, first + length - 1);
    page->occupied |= (uint64_t)1 << line;
    if (page->longest < length) {
        page->longest = length;
    }
    block->page_next = page->line[line];
    block->page_back = &page->line[line];
    if (block->page_next != NULL) {
        block->page_next->page_back = &block->page_next;
    }
    page->line[line] = block;
}

static void add_tail(struct code_page *page, struct code_block *block)
{
    page->blocks++;
    page->covered |= line_mask(0, tail_length(block) - 1);
    block->tail_next = page->tails;
    block->tail_back = &page->tails;
    if (block->tail_next != NULL) {
        block->tail_next->tail_back = &block->tail_next;
    }
    page->tails = block;
}

bool code_pages_add(struct code_pages *pages, struct code_block *block)
{
    struct code_page *page = get_page(pages, block->phys >> CODE_PAGE_SHIFT);
    if (page == NULL) {
        return false;
    }
    if (block->tail != CODE_NO_TAIL) {
        struct code_page *second = get_page(pages, block->tail >> CODE_PAGE_SHIFT);
        if (second == NULL) {
            release_page_without_blocks(pages, block->phys >> CODE_PAGE_SHIFT);
            return false;
        }
        add_tail(second, block);
    }
    add_head(page, block);
    return true;
}

static void remove_head(struct code_page *page, struct code_block *block)
{
    unsigned line = page_offset(block->phys) >> CODE_LINE_SHIFT;
    *block->page_back = block->page_next;
    if (block->page_next != NULL) {
        block->page_next->page_back = block->page_back;
    }
    block->page_back = NULL;
    if (page->line[line] == NULL) {
        page->occupied &= ~((uint64_t)1 << line);
    }
    page->blocks--;
}

static void remove_tail(struct code_page *page, struct code_block *block)
{
    *block->tail_back = block->tail_next;
    if (block->tail_next != NULL) {
        block->tail_next->tail_back = block->tail_back;
    }
    block->tail_back = NULL;
    page->blocks--;
}

void code_pages_remove(struct code_pages *pages, struct code_block *block)
{
    if (block->page_back != NULL) {
        remove_head(*find_page(pages, block->phys >> CODE_PAGE_SHIFT), block);
    }
    release_page_without_blocks(pages, block->phys >> CODE_PAGE_SHIFT);
    if (block->tail != CODE_NO_TAIL) {
        if (block->tail_back != NULL) {
            remove_tail(*find_page(pages, block->tail >> CODE_PAGE_SHIFT), block);
        }
        release_page_without_blocks(pages, block->tail >> CODE_PAGE_SHIFT);
    }
}

/* Takes the blocks that begin on `page` and have bytes from offset `first` to `last` of it. */
static struct code_block *take_heads(struct code_page *page, unsigned first, unsigned last)
{
    struct code_block *taken = NULL;
    unsigned earliest = first >= page->longest ? first - page->longest + 1 : 0;
    uint64_t lines = page->occupied & line_mask(earliest, last);
    for (; lines != 0; lines &= lines - 1) {
        struct code_block *next;
        for (struct code_block *block = page->line[__builtin_ctzll(lines)]; block != NULL; block = next) {
            next = block->page_next;
            unsigned begin = page_offset(block->phys);
            if (begin <= last && first < begin + head_length(block)) {
                remove_head(page, block);
                block->page_next = taken;
                taken = block;
            }
        }
    }
    return taken;
}

/* Adds to `taken` the blocks that end on `page` beyond offset `first`. */
static struct code_block *take_tails(struct code_pages *pages, struct code_page *page, unsigned first,
                                     struct code_block *taken)
{
    struct code_block *next;
    for (struct code_block *block = page->tails; block != NULL; block = next) {
        next = block->tail_next;
        if (first < tail_length(block)) {
            remove_tail(page, block);
            if (block->page_back != NULL) { /* not taken by its head */
                remove_head(*find_page(pages, block->phys >> CODE_PAGE_SHIFT), block);
                block->page_next = taken;
                taken = block;
            }
        }
    }
    return taken;
}

struct code_block *code_pages_take(struct code_pages *pages, uint64_t phys, uint64_t length)
{
    unsigned first = page_offset(phys);
    assert(length > 0 && length <= CODE_PAGE_SIZE - first);
    unsigned last = first + (unsigned)length - 1;
    struct code_page *page = *find_page(pages, phys >> CODE_PAGE_SHIFT);
    if (page == NULL || (page->covered & line_mask(first, last)) == 0) {
        return NULL;
    }
    struct code_block *taken = take_tails(pages, page, first, take_heads(page, first, last));
    for (struct code_block *block = taken; block != NULL; block = block->page_next) {
        if (block->tail != CODE_NO_TAIL) {
            code_pages_remove(pages, block);
        }
    }
    release_page_without_blocks(pages, phys >> CODE_PAGE_SHIFT);
    return taken;
}

static void free_list(struct code_page *page)
{
    while (page != NULL) {
        struct code_page *next = page->next;
        free(page);
        page = next;
    }
}

void code_pages_release(struct code_pages *pages)
{
    for (unsigned i = 0; i < CODE_PAGE_BUCKETS; i++) {
        free_list(pages->bucket[i]);
    }
    free_list(pages->unused);
}

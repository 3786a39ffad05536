/* A guest that does to its page tables whatever it may, at random, and knows what it must see.
 *
 * It is an image like those of the bench (bench/guest). In a few address spaces it maps pages of 4 KiB, which
 * share frames, and of 4 MiB; gives and takes rights, clears A and D bits, those above a page as well,
 * writes through aliases, puts code into frames and calls it; and tells the processor by INVLPG and by loads
 * of CR3, at once or later. Every access, from ring 0 and from ring 3, is checked against a model: the value,
 * whether it faults and with which error code, and which bits are set in the entries afterwards. Pages whose
 * entry was changed and of which the processor was not told are left alone meanwhile: what they show is
 * undefined (SDM 3A §4.10).
 *
 * Page faults are mended as a kernel's demand paging does, and the access is tried again. There are many
 * instructions for the same access, so that an engine that treats those specially that fault often does not
 * do so with all. Now and then so many single pages are mapped that no host has as many mappings.
 *
 * "failed ..." says what differed. Otherwise the checksum of everything that was read comes out. The script
 * that runs it writes the parameters into a copy of the image: they are behind the word PAGINGST.
 *
 * NOT IMPLEMENTED: PAE (tests/unit/mmu_view_paging_test.c has it). */
#include "paging.h"

#define SPACES         4u
#define PAGES          96u
#define TOGETHER       32u /* the first of them follow each other, the next are APART */
#define APART          0x201000u
#define GLOBAL_FIRST   80u /* pages from here on are the same in all spaces */
#define FRAMES         48u
#define LARGE_PAGES    2u
#define LARGE_AREAS    3u
#define LARGE_SLOTS    64u
#define LARGE_STEP     0xfe40u
#define BATCH          8u
#define STUBS          512u /* instructions for each kind of access */
#define STUB_SIZE      8u
#define CROWD          14336u /* pages, every other one */
#define CROWD_UNROLLED 512u
#define CODE_OFFSET    0x800u /* in frames */
#define CODE_SLOTS     2u
#define CODE_SIZE      16u
#define CODE_PAGES     6u

#define LINEAR_START  0x10000000u
#define LINEAR_APART  0x12000000u
#define LINEAR_GLOBAL 0x2f000000u
#define LINEAR_LARGE  0x30000000u
#define LINEAR_CROWD  0x38000000u

#define CR0_WP  0x00010000u
#define CR4_PGE 0x80u

#define PRESENT  GUEST_PAGE_PRESENT
#define WRITE    GUEST_PAGE_WRITE
#define USER     GUEST_PAGE_USER
#define ACCESSED GUEST_PAGE_ACCESSED
#define DIRTY    GUEST_PAGE_DIRTY

static volatile const struct {
    char magic[8];
    uint32_t seed, operations, spin;
    uint32_t global; /* CR4.PGE is on */
} parameters = {"PAGINGST", 1, 20000, 0, 1};

struct model {
    uint32_t entry; /* what must be in the table */
    bool told;      /* the processor cannot know an older one */
};

enum kind { LOAD4, LOAD2, LOAD1, STORE4, STORE2, STORE1, ADD4, KINDS };

struct access {
    enum kind kind;
    uint32_t linear, value, result;
    const uint8_t *stub;
};

static struct model model[SPACES][PAGES], large[SPACES][LARGE_PAGES];
static uint32_t linear_of[PAGES];
static uint32_t *spaces[SPACES];
static unsigned space;   /* the present one */
static uint32_t frames;  /* physical address of the first */
static uint32_t crowded; /* the same of those of the crowd, which hold no code */
static uint32_t areas;   /* of the first area of 4 MiB */
static uint8_t mirror[FRAMES][GUEST_PAGE_SIZE];
static uint32_t large_mirror[LARGE_AREAS][LARGE_SLOTS];
static struct access batch[BATCH];
static unsigned batch_length;
static volatile unsigned batch_at;
static bool in_user;
static uint32_t faults, checksum;
static uint64_t state;

/* Stubs: the address is in ECX, the value in EAX. */
extern const uint8_t paging_stubs[], paging_crowd[];
__asm__(".text\n"
        ".macro stubs instruction:vararg\n"
        ".rept 512\n"
        ".balign 8\n"
        "    \\instruction\n"
        "    ret\n"
        ".endr\n"
        ".endm\n"
        ".balign 8\n"
        "paging_stubs:\n"
        "    stubs movl (%ecx), %eax\n"
        "    stubs movzwl (%ecx), %eax\n"
        "    stubs movzbl (%ecx), %eax\n"
        "    stubs movl %eax, (%ecx)\n"
        "    stubs movw %ax, (%ecx)\n"
        "    stubs movb %al, (%ecx)\n"
        "    stubs addl %eax, (%ecx)\n"
        ".balign 8\n"
        "paging_crowd:\n"
        ".rept 512\n"
        "    movl %eax, (%ecx)\n"
        "    addl %edx, %ecx\n"
        ".endr\n"
        "    ret\n");

static uint32_t pick(uint32_t count)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)(state >> 33) % count;
}

static void note(uint32_t value)
{
    checksum = (checksum << 5 | checksum >> 27) ^ value;
}

static uint32_t read_cr0(void)
{
    uint32_t value;
    __asm__ volatile("movl %%cr0, %0" : "=r"(value));
    return value;
}

static void write_cr0(uint32_t value)
{
    __asm__ volatile("movl %0, %%cr0" : : "r"(value) : "memory");
}

static unsigned width_of(enum kind kind)
{
    static const uint8_t widths[KINDS] = {4, 2, 1, 4, 2, 1, 4};
    return widths[kind];
}

static bool stores(enum kind kind)
{
    return kind >= STORE4;
}

/* ---- entries */

static bool allows(uint32_t entry, bool store, bool user)
{
    bool writable = (entry & WRITE) || (!user && !(read_cr0() & CR0_WP));
    return (entry & PRESENT) && (!user || (entry & USER)) && (!store || writable);
}

static uint32_t frame_of(uint32_t entry)
{
    return ((entry & ~GUEST_PAGE_FLAGS) - frames) / GUEST_PAGE_SIZE;
}

static uint32_t random_entry(void)
{
    uint32_t rights = pick(4) != 0 ? PRESENT | WRITE | USER : pick(8);
    uint32_t bits = pick(2) != 0 ? 0 : pick(2) ? ACCESSED : ACCESSED | DIRTY;
    return (frames + pick(FRAMES) * GUEST_PAGE_SIZE) | rights | bits;
}

static void set_entry(unsigned in, unsigned page, uint32_t entry)
{
    *guest_page_entry(spaces[in], linear_of[page]) = entry;
    model[in][page] = (struct model){.entry = entry};
}

static void tell_page(unsigned page)
{
    guest_page_invalidate(linear_of[page] + pick(GUEST_PAGE_SIZE));
    model[space][page].told = true;
}

static void change_page(unsigned in, unsigned page)
{
    uint32_t entry = random_entry();
    if (page < GLOBAL_FIRST) {
        /* A page that was not present is in no TLB. */
        bool told = model[in][page].told && !(model[in][page].entry & PRESENT);
        set_entry(in, page, entry);
        model[in][page].told = told;
        if (in == space && pick(2)) {
            tell_page(page);
        }
        return;
    }
    for (unsigned i = 0; i < SPACES; i++) {
        set_entry(i, page, entry | GUEST_PAGE_GLOBAL);
        model[i][page].told = true;
    }
    tell_page(page);
}

static void clear_bits(unsigned in, unsigned page)
{
    uint32_t bits = pick(2) ? ACCESSED | DIRTY : DIRTY;
    if (page < GLOBAL_FIRST) {
        set_entry(in, page, model[in][page].entry & ~bits);
    }
}

static uint32_t *directory_entry(unsigned in, unsigned page)
{
    return &spaces[in][linear_of[page] / GUEST_LARGE_PAGE_SIZE];
}

/* The A bit above a page, and so above those around it. */
static void clear_directory_bit(unsigned in, unsigned page)
{
    if (page < GLOBAL_FIRST) {
        *directory_entry(in, page) &= ~ACCESSED;
        for (unsigned other = 0; other < GLOBAL_FIRST; other++) {
            model[in][other].told &= directory_entry(in, other) != directory_entry(in, page);
        }
    }
}

static void go_to(unsigned to)
{
    space = to;
    guest_space_load(spaces[to]);
    for (unsigned page = 0; page < PAGES; page++) {
        model[to][page].told = true;
    }
    for (unsigned page = 0; page < LARGE_PAGES; page++) {
        large[to][page].told = true;
    }
}

/* A global page's A and D bits are those of the space in which it was used: they are made the same. */
static void share_global(unsigned page)
{
    for (unsigned i = 0; page >= GLOBAL_FIRST && i < SPACES; i++) {
        *guest_page_entry(spaces[i], linear_of[page]) = model[space][page].entry;
        model[i][page].entry = model[space][page].entry;
    }
}

static void check_entry(unsigned in, unsigned page)
{
    if (*guest_page_entry(spaces[in], linear_of[page]) != model[in][page].entry) {
        workload_fail("an entry is not what it must be");
    }
}

/* The same behind an access. */
static void check_entries(unsigned in, unsigned page)
{
    check_entry(in, page);
    if (!(*directory_entry(in, page) & ACCESSED)) {
        workload_fail("an access that has set no bit in the directory");
    }
}

/* ---- accesses */

static unsigned page_at(uint32_t linear)
{
    if (linear - LINEAR_START < TOGETHER * GUEST_PAGE_SIZE) {
        return (linear - LINEAR_START) / GUEST_PAGE_SIZE;
    }
    if (linear - LINEAR_GLOBAL < (PAGES - GLOBAL_FIRST) * GUEST_PAGE_SIZE) {
        return GLOBAL_FIRST + (linear - LINEAR_GLOBAL) / GUEST_PAGE_SIZE;
    }
    unsigned page = TOGETHER + (linear - LINEAR_APART) / APART;
    return page < GLOBAL_FIRST && linear - linear_of[page] < GUEST_PAGE_SIZE ? page : PAGES;
}

static void mend_large(uint32_t linear, uint32_t error)
{
    unsigned page = (linear - LINEAR_LARGE) / GUEST_LARGE_PAGE_SIZE;
    bool store = error & GUEST_FAULT_WRITE;
    struct model *at = &large[space][page];
    if (page >= LARGE_PAGES || allows(at->entry, store, false)) {
        workload_fail("a page fault that must not be");
    }
    at->entry |= PRESENT | WRITE;
    spaces[space][linear / GUEST_LARGE_PAGE_SIZE] = at->entry;
    guest_page_invalidate(linear);
}

static void mend(uint32_t linear, uint32_t error)
{
    unsigned page = page_at(linear);
    bool store = error & GUEST_FAULT_WRITE;
    faults++;
    note(linear ^ error);
    if (page == PAGES) {
        mend_large(linear, error);
        return;
    }
    struct model *at = &model[space][page];
    const struct access *access = &batch[batch_at];
    if (!at->told || allows(at->entry, store, in_user) || store != stores(access->kind) ||
        linear - access->linear >= width_of(access->kind)) {
        workload_fail("a page fault that must not be");
    }
    uint32_t expected = (at->entry & PRESENT ? GUEST_FAULT_PRESENT : 0) | (store ? GUEST_FAULT_WRITE : 0) |
                        (in_user ? GUEST_FAULT_USER : 0);
    if (error != expected) {
        workload_fail("an error code that must not be");
    }
    /* Former accesses of the batch may have set bits. */
    uint32_t present = *guest_page_entry(spaces[space], linear_of[page]);
    if ((present ^ at->entry) & ~(ACCESSED | DIRTY)) {
        workload_fail("an entry is not what it must be");
    }
    set_entry(space, page, present | PRESENT | (store ? WRITE : 0) | (in_user ? USER : 0));
    share_global(page);
    tell_page(page);
}

static uint32_t run_batch(uint32_t length)
{
    for (unsigned i = 0; i < length; i++) {
        struct access *access = &batch[i];
        uint32_t value = access->value;
        batch_at = i;
        __asm__ volatile("call *%2" : "+a"(value) : "c"(access->linear), "r"(access->stub) : "memory", "cc");
        access->result = value;
    }
    return length;
}

static uint8_t *mirrored(uint32_t linear)
{
    uint32_t entry = model[space][page_at(linear)].entry;
    return &mirror[frame_of(entry)][linear % GUEST_PAGE_SIZE];
}

static uint32_t read_mirror(uint32_t linear, unsigned width)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        value |= (uint32_t)*mirrored(linear + i) << (8 * i);
    }
    return value;
}

static void note_bits(const struct access *access)
{
    bool store = stores(access->kind);
    for (uint32_t i = 0; i < width_of(access->kind); i++) {
        struct model *at = &model[space][page_at(access->linear + i)];
        if (!allows(at->entry, store, in_user)) {
            workload_fail("an access that must fault");
        }
        at->entry |= ACCESSED | (store ? DIRTY : 0);
    }
}

static void check_access(const struct access *access)
{
    unsigned width = width_of(access->kind);
    bool store = stores(access->kind);
    uint32_t before = read_mirror(access->linear, width);
    uint32_t value = access->kind == ADD4 ? before + access->value : access->value;
    if (!store && access->result != before) {
        workload_fail("a load that shows something else");
    }
    note(before);
    for (uint32_t i = 0; i < width; i++) {
        unsigned page = page_at(access->linear + i);
        check_entries(space, page);
        share_global(page);
        if (store) {
            *mirrored(access->linear + i) = (uint8_t)(value >> (8 * i));
        }
    }
}

/* False: a page that it needs may not be used now. */
static bool choose_access(struct access *access)
{
    unsigned page = pick(PAGES);
    uint32_t offset = pick(8) ? pick(CODE_OFFSET - 3) : GUEST_PAGE_SIZE - 1 - pick(4);
    enum kind kind = (enum kind)pick(KINDS);
    *access = (struct access){.kind = kind,
                              .linear = linear_of[page] + offset,
                              .value = pick(0x7fffffff),
                              .stub = paging_stubs + (kind * STUBS + pick(STUBS)) * STUB_SIZE};
    unsigned last = page_at(access->linear + width_of(kind) - 1);
    return last != PAGES && model[space][page].told && model[space][last].told;
}

static void access_pages(bool user)
{
    batch_length = 0;
    for (unsigned i = 0; i < BATCH; i++) {
        batch_length += choose_access(&batch[batch_length]);
    }
    in_user = user;
    if (user) {
        guest_run_user(run_batch, batch_length, 0);
    } else {
        run_batch(batch_length);
    }
    for (unsigned i = 0; i < batch_length; i++) {
        note_bits(&batch[i]);
    }
    for (unsigned i = 0; i < batch_length; i++) {
        check_access(&batch[i]);
    }
    in_user = false;
}

static void access_by_alias(void)
{
    unsigned frame = pick(FRAMES);
    uint32_t offset = pick(CODE_OFFSET);
    uint8_t *byte = (uint8_t *)(frames + frame * GUEST_PAGE_SIZE + offset);
    if (*byte != mirror[frame][offset]) {
        workload_fail("memory that must be something else");
    }
    *byte = mirror[frame][offset] = (uint8_t)pick(256);
}

/* Code for a frame, by its physical address, unless it is there: MOV EAX, number; RET, and in front of that,
 * when `called` is one, MOV ECX, called; CALL ECX. Returns the number. */
static uint32_t put_code(uint8_t *to, void (*called)(void))
{
    uint8_t *move = to + (called != 0 ? 7 : 0);
    if (*move != 0xb8 || pick(8) == 0) {
        if (called != 0) {
            to[0] = 0xb9;
            *(uint32_t *)(to + 1) = (uint32_t)called;
            to[5] = 0xff;
            to[6] = 0xd1;
        }
        move[0] = 0xb8;
        *(uint32_t *)(move + 1) = pick(0x7fffffff);
        move[5] = 0xc3;
    }
    return *(uint32_t *)(move + 1);
}

static uint8_t *code_of(unsigned in, unsigned page, uint32_t offset)
{
    return (uint8_t *)((model[in][page].entry & ~GUEST_PAGE_FLAGS) + offset);
}

/* In the present space, and the one in which it returns. */
static void check_code(unsigned page, uint32_t offset, uint32_t number)
{
    uint32_t (*function)(void) = (uint32_t(*)(void))(linear_of[page] + offset);
    unsigned in[2] = {space};
    uint32_t result = function();
    in[1] = space;
    for (unsigned i = 0; i < 2; i++) {
        model[in[i]][page].entry |= ACCESSED;
        check_entries(in[i], page);
    }
    share_global(page);
    if (result != number) {
        workload_fail("code that was something else");
    }
}

/* Mostly in the same few pages, so that there was code before, in this space or another. */
static unsigned pick_code_page(void)
{
    return pick(4) ? pick(CODE_PAGES) * (PAGES / CODE_PAGES) : pick(PAGES);
}

static void call_code(void)
{
    unsigned page = pick_code_page();
    uint32_t offset = CODE_OFFSET + pick(CODE_SLOTS) * CODE_SIZE;
    if (model[space][page].told && (model[space][page].entry & PRESENT)) {
        check_code(page, offset, put_code(code_of(space, page, offset), 0));
    }
}

static unsigned next_space;

static void go_to_next_space(void)
{
    go_to(next_space);
}

/* Code that finds itself in another space when it goes on. */
static void call_code_that_leaves(void)
{
    unsigned page = pick_code_page();
    uint32_t offset = CODE_OFFSET + (CODE_SLOTS + pick(CODE_SLOTS)) * CODE_SIZE;
    next_space = pick(SPACES);
    if (page < GLOBAL_FIRST && model[space][page].told && (model[space][page].entry & PRESENT) &&
        (model[next_space][page].entry & PRESENT)) {
        put_code(code_of(space, page, offset), go_to_next_space);
        check_code(page, offset, put_code(code_of(next_space, page, offset), go_to_next_space));
    }
}

/* ---- pages of 4 MiB */

static void change_large(unsigned in)
{
    unsigned page = pick(LARGE_PAGES);
    uint32_t linear = LINEAR_LARGE + page * GUEST_LARGE_PAGE_SIZE;
    uint32_t rights = PRESENT | GUEST_PAGE_LARGE | USER | (pick(2) ? WRITE : 0);
    uint32_t entry = (areas + pick(LARGE_AREAS) * GUEST_LARGE_PAGE_SIZE) | rights | (pick(2) ? ACCESSED : 0);
    large[in][page] = (struct model){.entry = entry};
    spaces[in][linear / GUEST_LARGE_PAGE_SIZE] = entry;
    if (in == space && pick(2)) {
        guest_page_invalidate(linear + pick(GUEST_LARGE_PAGE_SIZE));
        large[in][page].told = true;
    }
}

static void access_large(void)
{
    unsigned page = pick(LARGE_PAGES);
    struct model *at = &large[space][page];
    unsigned slot = pick(LARGE_SLOTS);
    uint32_t linear = LINEAR_LARGE + page * GUEST_LARGE_PAGE_SIZE;
    volatile uint32_t *word = (volatile uint32_t *)(linear + slot * LARGE_STEP);
    bool store = pick(2);
    if (!at->told) {
        return;
    }
    uint32_t *expected =
        &large_mirror[((at->entry & ~GUEST_PAGE_FLAGS) - areas) / GUEST_LARGE_PAGE_SIZE][slot];
    if (*word != *expected) {
        workload_fail("a large page that shows something else");
    }
    if (store) {
        *word = *expected = pick(0x7fffffff);
    }
    __asm__ volatile("" : : : "memory"); /* page faults have mended at->entry, the processor the tables */
    at->entry |= ACCESSED | (store ? DIRTY : 0);
    if (!allows(at->entry, store, false) || spaces[space][linear / GUEST_LARGE_PAGE_SIZE] != at->entry) {
        workload_fail("a large page's entry is not what it must be");
    }
}

/* ---- more pages than a host has mappings */

static void touch_crowd(uint32_t value)
{
    for (uint32_t done = 0; done < CROWD; done += CROWD_UNROLLED) {
        uint32_t linear = LINEAR_CROWD + done * 2 * GUEST_PAGE_SIZE + 0x10;
        __asm__ volatile("call paging_crowd"
                         : "+c"(linear)
                         : "a"(value), "d"(2 * GUEST_PAGE_SIZE)
                         : "memory", "cc");
    }
}

static void check_crowd(void)
{
    for (uint32_t i = 0; i < CROWD; i++) {
        uint32_t *entry = guest_page_entry(spaces[0], LINEAR_CROWD + i * 2 * GUEST_PAGE_SIZE);
        uint32_t expected = (crowded + i * 7 % FRAMES * GUEST_PAGE_SIZE) | PRESENT | WRITE | ACCESSED | DIRTY;
        if (*entry != expected) {
            workload_fail("an entry of the crowd is not what it must be");
        }
        *entry &= ~(ACCESSED | DIRTY);
    }
}

static void make_crowd(void)
{
    for (uint32_t i = 0; i < CROWD; i++) {
        guest_page_map(spaces[0], LINEAR_CROWD + i * 2 * GUEST_PAGE_SIZE,
                       crowded + i * 7 % FRAMES * GUEST_PAGE_SIZE, WRITE);
    }
}

static void crowd(void)
{
    go_to(0);
    for (unsigned i = 0; i < 2; i++) {
        uint32_t value = pick(0x7fffffff);
        touch_crowd(value);
        check_crowd();
        go_to(0);
        for (unsigned frame = 0; frame < FRAMES; frame++) {
            if (*(uint32_t *)(crowded + frame * GUEST_PAGE_SIZE + 0x10) != value) {
                workload_fail("memory that the crowd must have written");
            }
        }
    }
}

/* ---- everything */

static void do_anything(void)
{
    unsigned in = pick(SPACES);
    unsigned page = pick(PAGES);
    uint32_t what = pick(64);
    if (what < 8) {
        change_page(in, page);
    } else if (what < 10) {
        clear_bits(in, page);
    } else if (what < 11) {
        clear_directory_bit(in, page);
    } else if (what < 18) {
        tell_page(page);
    } else if (what < 22) {
        go_to(in);
    } else if (what < 23) {
        write_cr0(read_cr0() ^ CR0_WP);
    } else if (what < 27) {
        check_entry(in, page);
    } else if (what < 29) {
        change_large(in);
    } else if (what < 33) {
        access_large();
    } else if (what < 37) {
        access_by_alias();
    } else if (what < 43) {
        call_code();
    } else if (what < 45) {
        call_code_that_leaves();
    } else {
        access_pages(pick(2));
    }
}

static uint32_t spin(uint32_t rounds)
{
    volatile uint32_t *word = &batch[0].result;
    for (uint32_t i = 0; i < rounds; i++) {
        *word += i;
    }
    return *word;
}

static void prepare(void)
{
    state = parameters.seed;
    frames = (uint32_t)workload_memory(FRAMES * GUEST_PAGE_SIZE);
    crowded = (uint32_t)workload_memory(FRAMES * GUEST_PAGE_SIZE);
    uint32_t room = (uint32_t)workload_memory((LARGE_AREAS + 1) * GUEST_LARGE_PAGE_SIZE);
    areas = (room + GUEST_LARGE_PAGE_SIZE - 1) & ~(GUEST_LARGE_PAGE_SIZE - 1);
    memset((void *)frames, 0, FRAMES * GUEST_PAGE_SIZE);
    memset((void *)areas, 0, LARGE_AREAS * GUEST_LARGE_PAGE_SIZE);
    for (unsigned page = 0; page < PAGES; page++) {
        linear_of[page] = page < TOGETHER       ? LINEAR_START + page * GUEST_PAGE_SIZE
                          : page < GLOBAL_FIRST ? LINEAR_APART + (page - TOGETHER) * APART
                                                : LINEAR_GLOBAL + (page - GLOBAL_FIRST) * GUEST_PAGE_SIZE;
    }
    guest_paging_start(WRITE | USER | GUEST_PAGE_LARGE);
    if (parameters.global) {
        uint32_t cr4;
        __asm__ volatile("movl %%cr4, %0" : "=r"(cr4));
        __asm__ volatile("movl %0, %%cr4" : : "r"(cr4 | CR4_PGE));
    }
    guest_set_page_fault_handler(mend);
    for (unsigned i = 0; i < SPACES; i++) {
        spaces[i] = guest_space_create();
    }
    go_to(0);
    for (unsigned i = 0; i < SPACES; i++) {
        for (unsigned page = 0; page < PAGES; page++) {
            uint32_t frame = page < FRAMES ? page : page % FRAMES;
            set_entry(i, page, (frames + frame * GUEST_PAGE_SIZE) | (page < GLOBAL_FIRST ? PRESENT : 0));
        }
        /* A global page may be remembered from another space: whether this one's directory is read is open.
         */
        spaces[i][LINEAR_GLOBAL / GUEST_LARGE_PAGE_SIZE] |= ACCESSED;
        for (unsigned page = 0; page < LARGE_PAGES; page++) {
            uint32_t linear = LINEAR_LARGE + page * GUEST_LARGE_PAGE_SIZE;
            large[i][page].entry = areas | GUEST_PAGE_LARGE | PRESENT;
            spaces[i][linear / GUEST_LARGE_PAGE_SIZE] = large[i][page].entry;
        }
    }
    make_crowd();
    go_to(0);
}

uint32_t workload_run(void)
{
    prepare();
    guest_run_user(spin, parameters.spin, 0);
    for (uint32_t i = 0; i < parameters.operations; i++) {
        if (i % 100000 == 1000) {
            crowd();
        }
        do_anything();
    }
    if (faults < parameters.operations / 50) {
        workload_fail("too few page faults");
    }
    return checksum;
}

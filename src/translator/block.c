/* From guest bytes to a block of host code.
 *
 * A block is a run of instructions on one guest page, up to a control transfer or to something that changes
 * what the block assumes; conditional jumps forward are left behind as side exits. A loop whose end jumps to
 * the block's first instruction is repeated, as if the guest had unrolled it: the *rounds* of a block have
 * the same guest instructions, and what a block does at its beginning is done once for all of them. It begins
 * with the budget's check, r13 being the complement of what is left:
 *
 *     lead:  mov r11, tables; jmp service
 *     entry: lea r13, [r13 + count]; shrx rcx, r13, r15; jrcxz lead
 *
 * whose site is number 0, as rcx says then.
 * An instruction that crosses the page's end is a block by itself, whose tail is what the next linear page
 * was when it was made. That may change while the first page stays. Therefore such a block has a look at the
 * jump cache in front of all that, and linked jumps lead there: a slot for this EIP in the present context
 * proves that both pages were looked at in it, and names the block, this one or another, that has this tail.
 *
 * then come the instructions, and behind them, out of line, what the sites need: `mov cl, number; jmp lead`.
 * The sites themselves are in the block's tables, with a struct engine_block_notes, which says where the host
 * code of each instruction begins, and what relocate.c needs. */
#include <assert.h>
#include <limits.h>
#include <string.h>

#include "isa/isa.h"
#include "translator/builder.h"

/* Bytes that one instruction's own code takes at most; that of a site or a side exit. */
#define MAX_INSN_HOST_SIZE ENGINE_PIECE_HOST_MAX
#define MAX_SITE_HOST_SIZE 64u
#define MAX_TABLES_SIZE                                                                                      \
    (sizeof(struct block_tables) + MAX_BLOCK_SITES * sizeof(struct translator_site) +                        \
     sizeof(struct engine_block_notes) + MAX_BLOCK_INSNS * (sizeof(uint16_t) + INSN_MAX_LENGTH) +            \
     MAX_BLOCK_FIXUPS * sizeof(struct fixup))
_Static_assert(MAX_TABLES_SIZE <= CODE_TABLES_MAX, "there is always room for them");

/* How a translation function reaches guest memory. */
enum translation_access {
    ACCESSES_NOTHING,
    ACCESSES_DIRECTLY,  /* each access is followed by the one host instruction that makes it, with nothing of
                           the guest's changed before */
    ACCESSES_VARIOUSLY, /* likewise for some instructions: accesses_directly() */
    ACCESSES_OTHERWISE
};

enum {
#define TRANSLATOR(function, accesses) ACCESSES_OF_##function = accesses,
#define TRANSLATE(id, function)
#include "translator/translate.def"
#undef TRANSLATOR
#undef TRANSLATE
};

static const struct translation {
    translate_function *function;
    enum translation_access accesses;
} translations[INSN_COUNT] = {
#define TRANSLATOR(function, accesses)
#define TRANSLATE(id, function) [INSN_##id] = {function, (enum translation_access)ACCESSES_OF_##function},
#include "translator/translate.def"
#undef TRANSLATOR
#undef TRANSLATE
};

struct translator_site *builder_add_site(struct builder *b, enum site_kind kind, uint8_t *jump)
{
    assert(b->site_count < MAX_BLOCK_SITES);
    unsigned number = b->site_count++;
    bool in_insn = b->index < b->count;
    b->site_jumps[number] = jump;
    b->sites[number] = (struct translator_site){
        .kind = (unsigned)kind & 15,
        .offset = (uint16_t)(b->eip - b->first_eip),
        .length = (b->next_eip - b->eip) & 15,
        .number = number & 1023,
        .remaining = (uint8_t)(b->count - b->index),
        .insn = in_insn ? b->insns[b->index].id : (uint16_t)INSN_INVALID,
        .last = in_insn && builder_plan(b)->is_last,
        .grouped = groups_are_in_use(&b->groups),
    };
    return &b->sites[number];
}

void emit_callout_unless_zero(struct builder *b)
{
    uint8_t *zero = emit_jrcxz(&b->e);
    builder_add_site(b, SITE_CALLOUT, emit_jmp(&b->e));
    emit_bind8(&b->e, zero);
}

/* ---- which instructions */

/* Sensitive instructions whose function makes each access by one host instruction, with nothing of the
 * guest's changed before, but that a far pointer or a frame may be loaded by several. (Not SGDT and SIDT,
 * which store twice: where the second store faults, nothing may be there of the first.) */
static bool sensitive_accesses_directly(enum insn_id id)
{
    switch (id) {
    case INSN_PUSHF:
    case INSN_POPF:
    case INSN_PUSH_SEG:
    case INSN_POP_SEG:
    case INSN_MOV_SEG:
    case INSN_SLDT:
    case INSN_STR:
    case INSN_SMSW:
    case INSN_LAR:
    case INSN_LSL:
    case INSN_VERR:
    case INSN_VERW:
    case INSN_JMP_FAR:
    case INSN_CALL_FAR:
    case INSN_RETF:
    case INSN_IRET:
    case INSN_LDS:
    case INSN_LES:
    case INSN_LFS:
    case INSN_LGS:
    case INSN_LSS: return true;
    default: return false;
    }
}

/* ACCESSES_DIRECTLY, but for an XCHG with a byte, and where a bit string is changed. */
static bool accesses_directly(const struct insn *insn)
{
    switch (translations[insn->id].accesses) {
    case ACCESSES_DIRECTLY: return true;
    case ACCESSES_VARIOUSLY: break;
    default: return false;
    }
    switch (insn->id) {
    case INSN_XCHG: return insn->operand[0].size != 1;
    case INSN_BT: return true;
    case INSN_BTS:
    case INSN_BTR:
    case INSN_BTC: return insn->opcode == 0xba;
    default: return sensitive_accesses_directly((enum insn_id)insn->id);
    }
}

static bool insn_is_last(const struct builder *b, const struct insn *insn, bool exists)
{
    bool goes_forward = insn->id == INSN_J && (int32_t)(uint32_t)insn->immediate > 0;
    if (goes_forward && control_is_possible(b, insn)) {
        return false;
    }
    return (insn_info((enum insn_id)insn->id)->properties & INSN_ENDS_BLOCK) != 0 || !exists;
}

/* Those that change what a block assumes, but rarely, and leave it then by themselves. */
static bool insn_may_go_on(enum insn_id id)
{
    switch (id) {
    case INSN_POPF:
    case INSN_STI:
    case INSN_MOV_SEG:
    case INSN_POP_SEG:
    case INSN_LDS:
    case INSN_LES:
    case INSN_LFS:
    case INSN_LGS:
    case INSN_LSS:
    case INSN_CLTS: return true;
    default: return false;
    }
}

/* Whether the instruction, moved to another EIP, has the same operand, or one that has moved with it: not so
 * for EIPs of 16 bits and far ones. */
static bool insn_is_movable(const struct insn *insn)
{
    bool has_eip = insn->operand[0].kind == OPERAND_RELATIVE || insn->id == INSN_CALL_NEAR;
    bool is_far = insn->id == INSN_JMP_FAR || insn->id == INSN_CALL_FAR;
    return !is_far && !(has_eip && insn->operand_size == 2);
}

/* Plans the instruction at `eip`, behind which b->next_eip is. Returns whether the block ends with it. */
static bool plan_insn(struct builder *b, const struct insn *insn, uint32_t eip, struct insn_plan *plan)
{
    plan->exists = isa_has(b->t->cpu->model, insn);
    plan->is_last = insn_is_last(b, insn, plan->exists);
    plan->begins_round = false;
    plan->direct = (b->mode & MODE_DIRECT) && accesses_directly(insn) &&
                   translator_may_use_window(b->t, b->phys + (eip - b->first_eip));
    b->movable &= insn_is_movable(insn);
    b->has_checks |= !plan->direct && translations[insn->id].accesses != ACCESSES_NOTHING;
    return plan->is_last && !(plan->exists && insn_may_go_on((enum insn_id)insn->id));
}

/* Repeats a loop that has been discovered. */
static void add_rounds(struct builder *b)
{
    const struct insn *last = &b->insns[b->count - 1];
    bool may_repeat = !b->t->tracing && !b->t->unchained && !b->has_tail;
    if (!may_repeat || !control_goes_to_first(b, last)) {
        return;
    }
    unsigned most = b->most < MAX_LOOP_INSNS ? b->most : MAX_LOOP_INSNS;
    struct insn_plan ends = b->plans[b->count - 1];
    struct insn_plan goes_on = ends;
    goes_on.is_last = false;
    goes_on.begins_round = true;
    for (; b->count + b->round <= most; b->count += b->round) {
        memcpy(&b->insns[b->count], b->insns, b->round * sizeof b->insns[0]);
        memcpy(&b->plans[b->count], b->plans, b->round * sizeof b->plans[0]);
        b->plans[b->count - 1] = goes_on;
    }
    b->plans[b->count - 1] = ends;
}

/* How far the block may go before the probe is to be asked. */
static unsigned probe_room(const struct builder *b, const struct guest_code *code)
{
    const struct cpu_state *cpu = b->t->cpu;
    return mode_tells_linear(b->mode)
               ? cpu_probe_room_at_linear(cpu, (uint32_t)(cpu->segment[CPU_CS].base + b->first_eip))
               : cpu_probe_room(cpu, code->phys);
}

/* Decodes as many instructions as make a block; returns the bytes. */
static unsigned discover(struct builder *b, const struct guest_code *code)
{
    struct decode_mode mode = isa_decode_mode(b->t->cpu);
    unsigned room = probe_room(b, code);
    unsigned used = 0;
    bool ended = false;
    while (!ended && b->count < b->most && used < room) {
        struct insn *insn = &b->insns[b->count];
        bool decoded = decoder_decode(&mode, code->bytes + used, code->available - used, insn) == DECODE_OK;
        if (!decoded || (uint64_t)b->first_eip + used + insn->length - 1 > mode_last_eip(b->mode)) {
            break; /* the fallback's, with whatever it raises */
        }
        uint32_t eip = b->next_eip;
        used += insn->length;
        b->next_eip = b->first_eip + used;
        ended = plan_insn(b, insn, eip, &b->plans[b->count]);
        b->count++;
    }
    b->round = b->count;
    if (ended) {
        add_rounds(b);
    }
    return used;
}

/* ---- host code */

static void emit_tail_check(struct builder *b)
{
    struct translator_site *site =
        builder_add_site(b, SITE_JUMP, emit_jump_cache_look(b, b->place, b->first_eip));
    site->target = 0;
}

static void emit_budget_check(struct builder *b)
{
    struct emitter *e = &b->e;
    emit_lea64(e, HOST_R13, host_at(HOST_R13, (int32_t)b->count));
    emit_shrx64(e, HOST_RCX, HOST_R13, HOST_R15);
    emit_jrcxz_to(e, e->begin - CODE_BLOCK_LEAD);
}

static void emit_callout(struct builder *b)
{
    groups_forget(b);
    builder_add_site(b, SITE_CALLOUT, emit_jmp(&b->e));
    b->kind = PIECE_CALLOUT;
    b->ended = builder_plan(b)->is_last;
}

/* Sites of the present instruction go on behind it. */
static void bind_next(struct builder *b)
{
    for (unsigned i = b->insn_sites; i < b->site_count; i++) {
        struct translator_site *site = &b->sites[i];
        if (site->kind <= SITE_FLOAT) {
            site->next = (uint16_t)builder_position(b);
            site->float_parts = b->loaded_float & 3;
            site->grouped |= groups_are_in_use(&b->groups);
        }
    }
}

static void translate_insn(struct builder *b, const struct insn *insn)
{
    b->insn_sites = b->site_count;
    b->insn_fixups = b->fixup_count;
    b->ended = false;
    b->kind = PIECE_TRANSLATED;
    uint8_t *start = b->e.at;
    translate_function *function = translations[insn->id].function;
    bool repeats = b->t->one_by_one && (insn->prefixes & (PREFIX_REP | PREFIX_REPNE)) != 0;
    if (function == NULL || repeats || !builder_plan(b)->exists || !function(b, insn)) {
        b->e.at = start;
        b->site_count = b->insn_sites;
        b->fixup_count = b->insn_fixups;
        emit_callout(b);
    }
    bind_next(b);
    unsigned size = (unsigned)(b->e.at - start);
    assert(size <= ENGINE_PIECE_HOST_MAX && b->site_count - b->insn_sites <= MAX_INSN_SITES);
    b->pieces[b->index] = engine_piece_pack(
        (struct engine_piece){.guest_size = insn->length, .host_size = size, .kind = b->kind});
}

/* ---- out of line */

/* Code that sites share. */
struct hubs {
    const uint8_t *lead; /* goes to the service with rcx for the site's number; the nearest of its kind */
    uint8_t *store[ARRAY_COUNT(((struct translator *)0)->store_beside_code)]; /* NULL: none yet */
};

static void emit_tables_and_jump(struct builder *b, const struct block_tables *tables, const uint8_t *to)
{
    emit_mov_immediate64(&b->e, HOST_R11, (uint64_t)(uintptr_t)tables);
    emit_jmp_to(&b->e, to);
}

/* What stands in front of the entry. */
static void emit_lead(struct builder *b, const struct block_tables *tables)
{
    struct emitter lead = {.at = b->e.begin - CODE_BLOCK_LEAD,
                           .begin = b->e.begin - CODE_BLOCK_LEAD,
                           .end = b->e.begin,
                           .exec = b->e.exec - CODE_BLOCK_LEAD};
    emit_mov_immediate64(&lead, HOST_R11, (uint64_t)(uintptr_t)tables);
    emit_jmp_to(&lead, b->t->service);
    assert(lead.at == lead.end);
}

/* Which stub of t->store_beside_code the site goes to; that many as there are: to none. */
static unsigned store_stub_of(const struct translator_site *site)
{
    unsigned log2 = (unsigned)__builtin_ctz(site->width | 0x100u);
    bool is_store =
        site->kind == SITE_STORE && !site->window && site->detail == 0 && site->width == 1u << log2;
    return is_store ? log2 : UINT_MAX;
}

static void emit_site_stub(struct builder *b, const struct translator_site *site, struct hubs *hubs,
                           const struct block_tables *tables)
{
    struct emitter *e = &b->e;
    uint8_t *jump = b->site_jumps[site->number];
    if (jump == NULL) {
        return;
    }
    emit_bind32(e, jump);
    if (site->number > UINT8_MAX) {
        emit_mov_immediate64(e, HOST_RCX, (uint64_t)(uintptr_t)site);
        emit_jmp_to(e, b->t->service_of_site);
        return;
    }
    emit_u8(e, 0xb1); /* mov cl, number */
    emit_u8(e, site->number);
    unsigned stub = store_stub_of(site);
    if (stub < ARRAY_COUNT(hubs->store)) {
        if (hubs->store[stub] != NULL) {
            emit_jmp_back(e, hubs->store[stub]);
        } else {
            hubs->store[stub] = e->at;
            emit_tables_and_jump(b, tables, b->t->store_beside_code[stub]);
        }
        return;
    }
    if (site->kind == SITE_SEGMENT) {
        emit_tables_and_jump(b, tables, b->t->load_segment);
        return;
    }
    const uint8_t *here = e->at;
    emit_jmp_back(e, hubs->lead);
    if (e->at - here > 2) {
        hubs->lead = here;
    }
}

/* What follows the instructions. */
static void emit_stubs(struct builder *b, const struct block_tables *tables)
{
    struct hubs hubs = {.lead = b->e.begin - CODE_BLOCK_LEAD};
    emit_lead(b, tables);
    for (unsigned i = 0; i < b->site_count; i++) {
        emit_site_stub(b, &b->sites[i], &hubs, tables);
    }
}

/* Returns how many bytes. */
static size_t write_tables(const struct builder *b, struct block_tables *tables, unsigned length)
{
    tables->site_count = (uint16_t)b->site_count;
    const struct engine_block_notes notes = {.prologue = (uint16_t)b->prologue, .round = (uint16_t)b->round};
    uint8_t *at = (uint8_t *)&tables->sites[b->site_count];
    memcpy(at, &notes, sizeof notes);
    at += sizeof notes;
    memcpy(at, b->pieces, b->count * sizeof b->pieces[0]);
    at += b->count * sizeof b->pieces[0];
    memcpy(at, b->bytes, length);
    at += length;
    at += copy_fixups(b, at);
    return (size_t)(at - (uint8_t *)tables);
}

/* Whether one more instruction fits, and what is to follow them all. */
static bool has_room_for_another(const struct builder *b)
{
    unsigned sites = b->site_count + MAX_INSN_SITES + 2 * (b->side_exit_count + 2);
    return emit_has_room(&b->e, MAX_INSN_HOST_SIZE + sites * MAX_SITE_HOST_SIZE);
}

static bool emit_block(struct builder *b)
{
    groups_plan(b);
    groups_begin(b);
    builder_add_site(b, SITE_BUDGET, NULL);
    if (b->has_tail && !b->t->unchained) {
        emit_tail_check(b);
    }
    b->body = (unsigned)builder_position(b);
    emit_budget_check(b);
    b->prologue = (unsigned)builder_position(b);
    for (b->index = 0; b->index < b->count; b->index++) {
        const struct insn *insn = &b->insns[b->index];
        b->next_eip = b->eip + insn->length;
        translate_insn(b, insn);
        groups_advance(b, insn);
        b->eip = builder_plan(b)->begins_round ? b->first_eip : b->next_eip;
        if (!has_room_for_another(b)) {
            return false;
        }
    }
    if (!b->ended) {
        emit_exit(b, b->eip);
    }
    emit_side_exits(b);
    return true;
}

/* Stores to these bytes must be seen from now on. */
static void mark_code(struct translator *t, uint64_t phys, unsigned length)
{
    bool first_code_of_page = memory_bus_page(t->mmu->bus, phys)->code_lines == 0;
    memory_bus_mark_code(t->mmu->bus, phys, length);
    if (first_code_of_page) {
        mmu_protect_page(t->mmu, phys);
    }
}

static void begin_block(struct builder *b, struct code_space space, const struct guest_code *code,
                        uint32_t eip)
{
    size_t size = space.size < UINT16_MAX ? space.size : UINT16_MAX; /* positions in tables have 16 bits */
    b->e = (struct emitter){
        .at = space.write, .begin = space.write, .end = space.write + size, .exec = space.exec};
    b->first_eip = b->eip = b->next_eip = eip;
    b->page_offset = (unsigned)(code->phys & PAGE_MASK);
    b->has_tail = code->tail != CODE_NO_TAIL;
    b->index = b->count = b->round = 0;
    b->ended = b->has_checks = false;
    b->site_count = b->insn_sites = b->side_exit_count = 0;
    b->loaded_float = 0;
    b->fixup_count = b->insn_fixups = 0;
    b->movable = !b->has_tail && relocation_is_possible(b->mode);
}

/* Instructions whose code does not fit into a block, as only freak ones do, make shorter blocks. Returns the
 * guest bytes used; 0: not even one can be translated. */
static unsigned build(struct builder *b, struct code_space space, const struct guest_code *code, uint32_t eip)
{
    bool one = b->t->one_by_one || code->tail != CODE_NO_TAIL;
    for (b->most = one ? 1 : MAX_BLOCK_INSNS; b->most > 0; b->most /= 2) {
        begin_block(b, space, code, eip);
        unsigned length = discover(b, code);
        if (b->count == 0) {
            return 0;
        }
        if (emit_block(b)) {
            return length;
        }
    }
    return 0;
}

/* Marks what a block was made of. */
static void mark_block(struct translator *t, const struct code_block *block)
{
    unsigned room = PAGE_SIZE - (unsigned)(block->phys & PAGE_MASK);
    unsigned head = block->length < room ? block->length : room;
    mark_code(t, block->phys, head);
    if (block->tail != CODE_NO_TAIL) {
        mark_code(t, block->tail, block->length - head);
    }
}

struct code_block *translator_make_block(struct translator *t, const struct guest_code *code, uint32_t eip,
                                         uint32_t mode)
{
    struct builder *b = t->builder;
    struct code_space space = code_cache_reserve(t->cache);
    struct block_tables *tables = space.tables;
    b->t = t;
    b->mode = mode;
    b->place = (uint32_t)t->context;
    b->bytes = code->bytes;
    b->phys = code->phys;
    b->sites = tables->sites;
    unsigned length = build(b, space, code, eip);
    if (length == 0) {
        return NULL;
    }
    emit_stubs(b, tables);
    uint64_t key = translator_block_key(t, eip, mode);
    struct code_block *block =
        code_cache_commit(t->cache, code->phys, code->tail, key, length, b->count,
                          (size_t)(b->e.at - b->e.begin), write_tables(b, tables, length));
    if (block != NULL) {
        tables->block = block;
        tables->entry = block->entry;
        tables->eip = translator_block_eip(block);
        block->body = (uint8_t)b->body;
        block->version->used = (uint32_t)t->mmu->generations;
        block->movable = b->movable;
        mark_block(t, block);
        translator_log_block(t, block, code->bytes);
    }
    return block;
}

struct code_block *translator_revive_block(struct translator *t, const struct code_version *version,
                                           uint64_t phys, const uint8_t *bytes)
{
    struct code_block *block = code_version_first_resting(version, phys);
    while (block != NULL && memcmp(translator_guest_bytes(block), bytes, block->length) != 0) {
        block = code_cache_next_resting(block);
    }
    if (block == NULL || !code_cache_revive(t->cache, block)) {
        return NULL;
    }
    mark_block(t, block);
    return block;
}

/* Draws the items of a stream; see stream.h. */
#include <string.h>

#include "base/bits.h"
#include "cpu/cpu_state.h"
#include "host_oracle_float.h"
#include "host_oracle_random.h"
#include "insn_bytes.h"
#include "stream.h"

#define DRAWS 4000u

#define LOOP_COUNT_MAX  40u
#define LOOP_INSN_BYTES 12u /* three of them fit into an item */

struct generator {
    uint64_t random;
    struct stream *stream;
    const struct stream_kind *kind;
    uint32_t focus;
    struct stream_item *item;
    unsigned number; /* of the item */
};

static uint32_t draw(struct generator *g, uint32_t below)
{
    return random_draw(&g->random, below);
}

static bool chance(struct generator *g, unsigned percent)
{
    return random_chance(&g->random, percent);
}

/* ---- which instructions */

static bool has_operand_of(const struct insn *insn, enum register_class class)
{
    for (unsigned i = 0; i < insn->operand_count; i++) {
        if (insn->operand[i].kind == OPERAND_REGISTER && insn->operand[i].register_class == class) {
            return true;
        }
    }
    return false;
}

static enum stream_focus focus_of(const struct insn *insn)
{
    uint32_t properties = insn_info((enum insn_id)insn->id)->properties;
    if (properties & INSN_X87) {
        return FOCUS_X87;
    }
    if (properties & (INSN_MMX | INSN_SSE)) {
        bool is_mmx = has_operand_of(insn, REGISTER_MMX) || !(properties & INSN_SSE);
        return is_mmx && !has_operand_of(insn, REGISTER_XMM) ? FOCUS_MMX : FOCUS_SSE;
    }
    if (properties & (INSN_SENSITIVE | INSN_PRIVILEGED | INSN_IO_SENSITIVE)) {
        return FOCUS_SENSITIVE;
    }
    if (properties & INSN_STRING) {
        return FOCUS_STRING;
    }
    if (properties & INSN_BRANCH) {
        return FOCUS_BRANCH;
    }
    switch (insn->id) {
    case INSN_PUSH:
    case INSN_POP:
    case INSN_PUSHA:
    case INSN_POPA:
    case INSN_ENTER:
    case INSN_LEAVE: return FOCUS_STACK;
    case INSN_CPUID:
    case INSN_RDTSC: return FOCUS_SENSITIVE;
    case INSN_LEA:
    case INSN_NOP: return FOCUS_INTEGER;
    default: return insn_memory_operand(insn) != NULL ? FOCUS_MEMORY : FOCUS_INTEGER;
    }
}

/* What would end the test rather than be one: loads of the tables and registers the handlers rest on. */
static bool is_excluded(const struct generator *g, const struct insn *insn)
{
    switch (insn->id) {
    case INSN_INVALID:
    case INSN_LGDT:
    case INSN_LIDT:
    case INSN_LLDT:
    case INSN_LTR:
    case INSN_LMSW:
    case INSN_MOV_TR:
    case INSN_WRMSR:
    case INSN_RDMSR:
    case INSN_SYSENTER:
    case INSN_SYSEXIT:
    case INSN_SYSCALL:
    case INSN_SYSRET:
    case INSN_RSM:
    case INSN_MONITOR:
    case INSN_MWAIT:
    /* made on purpose, with targets that exist */
    case INSN_JMP_FAR:
    case INSN_CALL_FAR:
    case INSN_RETF:
    case INSN_IRET: return true;
    case INSN_MOV_CR:
    case INSN_MOV_DR: return insn->operand[0].register_class != REGISTER_GPR32;
    case INSN_POP_SEG:
    case INSN_LDS:
    case INSN_LES:
    case INSN_LFS:
    case INSN_LGS:
    case INSN_LSS: return g->kind->real || g->kind->v86;
    case INSN_MOV_SEG:
        return insn->operand[0].kind == OPERAND_REGISTER &&
               insn->operand[0].register_class == REGISTER_SEGMENT && (g->kind->real || g->kind->v86);
    default: return false;
    }
}

static bool names_register(const struct operand *operand, unsigned number)
{
    return operand->kind == OPERAND_REGISTER && operand->reg == number &&
           (operand->register_class == REGISTER_GPR16 || operand->register_class == REGISTER_GPR32);
}

/* Instructions that are possible, but make little of what follows meaningful. */
static bool is_unwanted(struct generator *g, const struct insn *insn)
{
    static const uint8_t pointers[] = {GPR_BX, GPR_BP, GPR_SI, GPR_DI};
    const struct operand *first = &insn->operand[0];
    if (insn->operand_count > 0 && names_register(first, GPR_SP) && insn->id != INSN_PUSH && chance(g, 92)) {
        return true;
    }
    for (unsigned i = 0; i < ARRAY_COUNT(pointers) && insn->operand_count > 0; i++) {
        if (names_register(first, pointers[i]) && insn->id != INSN_PUSH && chance(g, 70)) {
            return true;
        }
    }
    bool in_memory = insn_memory_operand(insn) != NULL;
    if (in_memory && !g->kind->based && insn->address_size == 2 && chance(g, 95)) {
        return true; /* reaches the tables below 64 KiB */
    }
    switch (insn->id) {
    case INSN_RET:
    case INSN_INT:
    case INSN_INT1:
    case INSN_INT3:
    case INSN_HLT:
    case INSN_LEAVE:
    case INSN_UD0:
    case INSN_UD1:
    case INSN_UD2: return chance(g, 80);
    case INSN_JMP_NEAR:
    case INSN_CALL_NEAR: return first->kind != OPERAND_RELATIVE && chance(g, 90);
    case INSN_CLTS:
    case INSN_INVD:
    case INSN_WBINVD:
    case INSN_INVLPG: return chance(g, 50);
    default: return (insn->prefixes & PREFIX_LOCK) != 0 && !in_memory && chance(g, 90);
    }
}

/* ---- bytes */

static void put(struct generator *g, uint32_t value, unsigned count)
{
    insn_put_bytes(g->item->bytes + g->item->length, value, count);
    g->item->length = (uint8_t)(g->item->length + count);
}

/* The prefix that makes operands `size` bytes wide. */
static void put_size(struct generator *g, unsigned size)
{
    if (g->kind->code_size != size) {
        put(g, 0x66, 1);
    }
}

static void put_move(struct generator *g, unsigned reg, uint32_t value, unsigned size)
{
    put_size(g, size);
    put(g, 0xb8 + reg, 1);
    put(g, value, size);
}

static unsigned draw_prefixes(struct generator *g, uint8_t *bytes)
{
    static const uint8_t segments[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    unsigned count = 0;
    bool mixed = g->kind->code_size == 2;
    if (chance(g, mixed ? 35 : 12)) {
        bytes[count++] = 0x66;
    }
    if (chance(g, mixed ? 25 : 6)) {
        bytes[count++] = 0x67;
    }
    if (chance(g, 8)) {
        bytes[count++] = segments[draw(g, ARRAY_COUNT(segments))];
    }
    if (chance(g, 6)) {
        bytes[count++] = chance(g, 65) ? 0xf3 : 0xf2;
    }
    if (chance(g, 3)) {
        bytes[count++] = 0xf0;
    }
    return count;
}

static void draw_string_bytes(struct generator *g, uint8_t *bytes)
{
    static const uint8_t opcodes[] = {0xa4, 0xa5, 0xa6, 0xa7, 0xaa, 0xab, 0xac, 0xad, 0xae, 0xaf, 0xa5, 0xab};
    unsigned count = draw_prefixes(g, bytes);
    if (chance(g, 60)) {
        bytes[count++] = chance(g, 70) ? 0xf3 : 0xf2;
    }
    bytes[count] = opcodes[draw(g, ARRAY_COUNT(opcodes))];
}

static void draw_branch_bytes(struct generator *g, uint8_t *bytes)
{
    unsigned count = chance(g, 90) ? 0 : draw_prefixes(g, bytes);
    switch (draw(g, 10)) {
    case 0: bytes[count] = 0xe8; return;
    case 1: bytes[count] = chance(g, 50) ? 0xe9 : 0xeb; return;
    case 2: bytes[count] = (uint8_t)(0xe0 + draw(g, 4)); return;
    case 3:
    case 4:
        bytes[count++] = 0x0f;
        bytes[count] = (uint8_t)(0x80 + draw(g, 16));
        return;
    default: bytes[count] = (uint8_t)(0x70 + draw(g, 16)); return;
    }
}

static void draw_bytes(struct generator *g, enum stream_focus focus, uint8_t *bytes)
{
    memset(bytes, 0, 2 * INSN_MAX_LENGTH);
    switch (focus) {
    case FOCUS_X87:
    case FOCUS_MMX:
    case FOCUS_SSE: float_draw_bytes(&g->random, bytes); return;
    case FOCUS_STRING: draw_string_bytes(g, bytes); return;
    case FOCUS_BRANCH: draw_branch_bytes(g, bytes); return;
    default: break;
    }
    unsigned count = draw_prefixes(g, bytes);
    if (chance(g, focus == FOCUS_SENSITIVE ? 45 : 25)) {
        bytes[count++] = 0x0f;
    }
    uint64_t random[2] = {random_draw64(&g->random), random_draw64(&g->random)};
    memcpy(bytes + count, random, 12);
}

static bool decode(const struct generator *g, const uint8_t *bytes, struct insn *insn)
{
    const struct decode_mode mode = {.code_size = g->kind->code_size};
    return decoder_decode(&mode, bytes, INSN_MAX_LENGTH, insn) == DECODE_OK;
}

/* ---- operands */

/* With events: what lies across the end of plain memory, or is code. */
static uint32_t draw_edge(struct generator *g)
{
    static const uint32_t edges[] = {STREAM_NEAR_DEVICE, STREAM_NEAR_DEVICE + STREAM_PAGE,
                                     STREAM_DEVICE,      STREAM_DEVICE + STREAM_PAGE,
                                     STREAM_RAM_BYTES,   STREAM_MISSING_PAGE + STREAM_PAGE};
    if (chance(g, 15)) {
        return STREAM_ALIAS + draw(g, STREAM_PAGE);
    }
    return edges[draw(g, g->kind->based ? 2 : ARRAY_COUNT(edges))] - 20 + draw(g, 40);
}

/* An offset in the data segment. */
static uint32_t draw_target(struct generator *g, const struct insn *insn)
{
    const struct operand *operand = insn_memory_operand(insn);
    bool vector = operand != NULL && operand->size == 16;
    uint32_t linear = STREAM_SCRATCH + 64 + draw(g, STREAM_SCRATCH_BYTES - 256);
    uint32_t choice = draw(g, 100);
    if (g->stream->events && chance(g, 15)) {
        linear = draw_edge(g);
    } else if (choice < 8) {
        linear = STREAM_SCRATCH + (1 + draw(g, 3)) * STREAM_PAGE - draw(g, 17);
    } else if (choice < 11) {
        linear = STREAM_MISSING_PAGE - 16 + draw(g, 24);
    } else if (choice < 14) {
        linear = STREAM_READ_ONLY_PAGE - 8 + draw(g, 24);
    } else if (choice < 16) {
        linear = STREAM_DATA + draw(g, 0x10000);
    } else if (choice < 19 && !g->kind->based) {
        linear = STREAM_DEVICE + draw(g, 64);
    } else if (choice < 20 && !g->kind->based) {
        linear = (uint32_t)random_draw64(&g->random);
    } else if (chance(g, 60)) {
        linear &= ~7u;
    }
    if (vector && chance(g, 85)) {
        linear &= ~15u;
    }
    return linear - stream_data_base(g->stream);
}

/* Prepares the registers of the operand's address, or changes its displacement. */
static void place_memory(struct generator *g, const struct insn *insn, uint8_t *bytes)
{
    unsigned at;
    unsigned size = insn_displacement_bytes(insn, bytes, &at);
    uint32_t target = draw_target(g, insn);
    unsigned base = insn->memory.base;
    unsigned index = insn->memory.index;
    uint32_t index_value = draw(g, 12);
    bool prepares = chance(g, 65);
    uint32_t index_part = index == GPR_NONE ? 0 : index_value << insn->memory.scale;
    if (index != GPR_NONE && index != base && prepares) {
        put_move(g, index, index_value, insn->address_size);
    }
    if (base == GPR_NONE) {
        if (size >= 2) {
            insn_put_bytes(bytes + at, target - index_part, size);
        }
    } else if (base == GPR_SP) {
        if (size >= 2) {
            insn_put_bytes(bytes + at, draw(g, 64), size);
        }
    } else if (prepares && base != index) {
        put_move(g, base, target - index_part - (uint32_t)insn->displacement, insn->address_size);
    } else if (size >= 2) {
        insn_put_bytes(bytes + at, draw(g, 64), size); /* the register may hold a pointer */
    }
}

static void place_string(struct generator *g, const struct insn *insn)
{
    if (chance(g, 75)) {
        put_move(g, GPR_SI, draw_target(g, insn), insn->address_size);
        put_move(g, GPR_DI, draw_target(g, insn), insn->address_size);
    }
    if ((insn->prefixes & (PREFIX_REP | PREFIX_REPNE)) && chance(g, 85)) {
        put_move(g, GPR_CX, chance(g, 80) ? draw(g, 24) : draw(g, 2000), insn->address_size);
    }
}

static void place_bit_index(struct generator *g, const struct insn *insn)
{
    const struct operand *index = &insn->operand[1];
    if (insn_memory_operand(insn) != NULL && index->kind == OPERAND_REGISTER && chance(g, 80)) {
        put_move(g, index->reg, draw(g, 600) - 300, index->register_class == REGISTER_GPR16 ? 2 : 4);
    }
}

static void place_operands(struct generator *g, const struct insn *insn, uint8_t *bytes)
{
    uint32_t properties = insn_info((enum insn_id)insn->id)->properties;
    switch (insn->id) {
    case INSN_BT:
    case INSN_BTC:
    case INSN_BTR:
    case INSN_BTS: place_bit_index(g, insn); break;
    case INSN_ENTER:
        bytes[insn->length - 1] = (uint8_t)draw(g, 4);
        insn_put_bytes(bytes + insn->length - 3, draw(g, 64), 2);
        break;
    case INSN_XLAT: put_move(g, GPR_BX, draw_target(g, insn), insn->address_size); return;
    case INSN_LOOP:
    case INSN_LOOPE:
    case INSN_LOOPNE:
        if (chance(g, 30)) {
            put_move(g, GPR_CX, draw(g, 6), insn->address_size);
        }
        break;
    default: break;
    }
    if (properties & INSN_STRING) {
        place_string(g, insn);
    } else if (insn_memory_operand(insn) != NULL) {
        place_memory(g, insn, bytes);
    }
}

/* ---- items */

/* Mostly forwards, so that little is left out and loops are short. */
static uint16_t draw_item(struct generator *g)
{
    uint32_t near = g->number + 1 + draw(g, 12);
    if (chance(g, 20)) {
        near = g->number >= 12 ? g->number - draw(g, 12) : g->number;
    } else if (chance(g, 15)) {
        near = draw(g, STREAM_ITEMS);
    }
    return (uint16_t)(near < STREAM_ITEMS ? near : STREAM_ITEMS - 1);
}

static void add_drawn(struct generator *g, enum stream_focus focus)
{
    for (unsigned tries = 0; tries < DRAWS; tries++) {
        uint8_t bytes[2 * INSN_MAX_LENGTH];
        struct insn insn;
        g->item->length = 0;
        draw_bytes(g, focus, bytes);
        if (!decode(g, bytes, &insn) || is_excluded(g, &insn) || focus_of(&insn) != focus ||
            is_unwanted(g, &insn)) {
            continue;
        }
        place_operands(g, &insn, bytes);
        unsigned start = g->item->length;
        memcpy(g->item->bytes + start, bytes, insn.length);
        g->item->length = (uint8_t)(start + insn.length);
        if (insn.operand_count > 0 && insn.operand[0].kind == OPERAND_RELATIVE) {
            bool near = insn.map == 1 || insn.opcode == 0xe8 || insn.opcode == 0xe9;
            unsigned size = near ? insn.operand_size : 1;
            g->item->patch = (struct stream_patch){.kind = PATCH_RELATIVE,
                                                   .at = (uint8_t)(g->item->length - size),
                                                   .size = (uint8_t)size,
                                                   .target = draw_item(g)};
        }
        return;
    }
    g->item->length = 0;
    put(g, 0x90, 1);
}

/* The address of an item as `size` bytes at the item's end. */
static void put_address(struct generator *g, unsigned size, unsigned back)
{
    g->item->patch = (struct stream_patch){.kind = PATCH_ADDRESS,
                                           .at = g->item->length,
                                           .size = (uint8_t)size,
                                           .back = (uint8_t)back,
                                           .target = draw_item(g)};
    put(g, 0, size);
}

/* The address of an item in a code segment that begins `moved` bytes earlier. */
static void put_moved_address(struct generator *g, unsigned size, uint32_t moved)
{
    put_address(g, size, 0);
    g->item->patch.moved = moved;
}

/* How far it is to one of the places where the code is. */
static uint32_t draw_alias(struct generator *g)
{
    bool has_aliases = g->stream->events && g->stream->paging && !g->kind->based;
    return has_aliases && chance(g, 60)
               ? STREAM_ALIASES - STREAM_CODE + draw(g, STREAM_ALIAS_COUNT) * STREAM_ALIAS_BYTES
               : 0;
}

/* JMP and CALL through a register or memory, RET. */
static void add_indirect(struct generator *g)
{
    uint32_t alias = draw_alias(g);
    unsigned size = g->kind->code_size;
    unsigned call = chance(g, 50) ? 2 : 4;
    static const uint8_t registers[] = {GPR_AX, GPR_CX, GPR_DX, GPR_BX};
    unsigned reg = registers[draw(g, ARRAY_COUNT(registers))];
    switch (draw(g, 3)) {
    case 0:
        put(g, 0xb8 + reg, 1);
        put_moved_address(g, size, alias);
        put(g, 0xff, 1);
        put(g, 0xc0 + call * 8 + reg, 1);
        break;
    case 1: {
        uint32_t at = STREAM_SCRATCH + 4 * draw(g, 256) - stream_data_base(g->stream);
        unsigned absolute = size == 2 ? 6 : 5;
        put(g, 0xc7, 1);
        put(g, absolute, 1);
        put(g, at, size);
        put_moved_address(g, size, alias);
        put(g, 0xff, 1);
        put(g, call * 8 + absolute, 1);
        put(g, at, size);
        break;
    }
    default:
        put(g, 0x68, 1);
        put_moved_address(g, size, alias);
        put(g, chance(g, 80) ? 0xc3 : 0xc2, 1);
        if (g->item->bytes[g->item->length - 1] == 0xc2) {
            put(g, draw(g, 4) * 4, 2);
        }
        break;
    }
}

/* LES, LDS, LFS or LGS of a far pointer on the stack's segment, whose offset is whatever is there. */
static void put_far_load(struct generator *g, uint16_t selector)
{
    static const uint8_t escaped[] = {0xb4, 0xb5};
    const unsigned stack = 0x36;
    const unsigned absolute = 6;
    unsigned size = chance(g, 80) ? 2 : 4;
    uint32_t at = STREAM_SCRATCH + draw(g, STREAM_SCRATCH_BYTES - 8) - stream_data_base(g->stream);
    static const uint8_t registers[] = {GPR_AX, GPR_CX, GPR_DX, GPR_BX, GPR_SI, GPR_DI};
    put(g, stack, 1);
    put(g, 0xc7, 1);
    put(g, absolute, 1);
    put(g, at + size, 2);
    put(g, selector, 2);
    put_size(g, size);
    put(g, stack, 1);
    if (chance(g, 70)) {
        put(g, chance(g, 50) ? 0xc4 : 0xc5, 1);
    } else {
        put(g, 0x0f, 1);
        put(g, escaped[draw(g, ARRAY_COUNT(escaped))], 1);
    }
    put(g, registers[draw(g, ARRAY_COUNT(registers))] * 8u + absolute, 1);
    put(g, at, 2);
}

/* A load of a segment register with something that is a segment, or rarely not. */
static void add_segment_load(struct generator *g)
{
    static const uint16_t in_gdt[] = {0x10, 0x23, 0x38, 0x4b, 0x50, 0x5b, 0x63, 0x6b, 0x73, 0x7b, 0, 0x1b};
    static const uint16_t paragraphs[] = {0x3000, 0x3010, 0x3001, 0x2000, 0x3400};
    static const uint8_t segments[] = {0, 3, 4, 5, 0, 3, 4, 5, 2};
    uint16_t selector = g->kind->real || g->kind->v86 ? paragraphs[draw(g, ARRAY_COUNT(paragraphs))]
                                                      : in_gdt[draw(g, ARRAY_COUNT(in_gdt))];
    unsigned segment = segments[draw(g, ARRAY_COUNT(segments))];
    if (g->stream->events && !g->kind->real && !g->kind->v86 && chance(g, 40)) {
        selector = chance(g, 30) ? 0xa9 : selector | 4; /* in the LDT */
    }
    if (segment == 2 && (g->kind->real || g->kind->v86)) {
        selector = 0x3000;
    }
    if ((g->kind->real || g->kind->v86) && chance(g, 30)) {
        put_far_load(g, selector);
    } else if (chance(g, 70)) {
        put_move(g, GPR_AX, selector, 4);
        put(g, 0x8e, 1);
        put(g, 0xc0 + segment * 8, 1);
    } else { /* PUSH DS; POP ES */
        static const uint8_t pops[] = {0x07, 0x1f};
        put(g, chance(g, 50) ? 0x1e : 0x06, 1);
        put(g, pops[draw(g, ARRAY_COUNT(pops))], 1);
    }
}

/* JMP and CALL through a far pointer in memory. */
static void put_far_indirect(struct generator *g, unsigned size, uint32_t selector, unsigned moved)
{
    uint32_t at = STREAM_SCRATCH + 8 * draw(g, 256) - stream_data_base(g->stream);
    unsigned wide = g->kind->code_size;
    unsigned absolute = wide == 2 ? 6 : 5;
    put_size(g, 2);
    put(g, 0xc7, 1);
    put(g, absolute, 1);
    put(g, at + size, wide);
    put(g, selector, 2);
    put_size(g, size);
    put(g, 0xc7, 1);
    put(g, absolute, 1);
    put(g, at, wide);
    put_moved_address(g, size, moved);
    put_size(g, size);
    put(g, 0xff, 1);
    put(g, (chance(g, 50) ? 3u : 5u) * 8 + absolute, 1);
    put(g, at, wide);
}

/* JMP, CALL, RETF and IRET to an item: in the same code segment, or, where a selector is an address,
 * sometimes in another that has the item as well. */
static void add_far(struct generator *g)
{
    static const uint16_t paragraphs[] = {0, 0, 0, 0, 1, 3, 0x10, 0x101};
    bool paragraph = g->kind->real || g->kind->v86;
    unsigned moved = paragraph ? paragraphs[draw(g, ARRAY_COUNT(paragraphs))] : 0;
    unsigned size = paragraph && chance(g, 20) ? 4 : g->kind->code_size;
    uint32_t selector = paragraph                 ? (STREAM_CODE >> 4) - moved
                        : !g->kind->based         ? (g->kind->cpl == 0   ? 0x08
                                                     : g->kind->cpl == 1 ? 0xa1
                                                                         : 0x1b)
                        : g->kind->code_size == 2 ? (g->kind->cpl == 0 ? 0x30 : 0x43)
                                                  : (g->kind->cpl == 0 ? 0x80 : 0x8b);
    unsigned kind = draw(g, 4);
    moved *= 16;
    switch (kind) {
    case 0:
        put_size(g, size);
        put(g, chance(g, 50) ? 0xea : 0x9a, 1);
        put_moved_address(g, size, moved);
        put(g, selector, 2);
        break;
    case 1: put_far_indirect(g, size, selector, moved); break;
    default:
        if (kind == 3) {
            put_size(g, size);
            put(g, 0x9c, 1);
        }
        put_size(g, size);
        put(g, 0x68, 1);
        put(g, selector, size);
        put_size(g, size);
        put(g, 0x68, 1);
        put_moved_address(g, size, moved);
        put_size(g, size);
        put(g, kind == 3 ? 0xcf : chance(g, 70) ? 0xcb : 0xca, 1);
        if (g->item->bytes[g->item->length - 1] == 0xca) {
            put(g, draw(g, 4) * 4, 2);
        }
        break;
    }
}

/* INT n, INT3 and INTO. */
static void add_interrupt(struct generator *g)
{
    switch (draw(g, 6)) {
    case 0: put(g, 0xcc, 1); break;
    case 1: put(g, 0xce, 1); break;
    default:
        put(g, 0xcd, 1);
        put(g, chance(g, 70) ? STREAM_INTERRUPT : draw(g, 256), 1);
        break;
    }
}

/* MOV BYTE [code], imm8: changes one of the last bytes of an item. */
static void add_self_modification(struct generator *g)
{
    unsigned size = g->kind->code_size;
    unsigned width = chance(g, 70) ? 1 : size;
    if (g->kind->based && !g->kind->real && !g->kind->v86) {
        put(g, 0x90, 1); /* protected segments of code cannot be written */
        return;
    }
    if (g->kind->based) {
        put(g, 0x2e, 1); /* CS: */
    }
    put(g, width == 1 ? 0xc6 : 0xc7, 1);
    put(g, size == 2 ? 6 : 5, 1);
    put_address(g, size, width == 1 ? 1 : size);
    put(g, (uint32_t)random_draw64(&g->random), width);
}

/* MOV EAX, CRn; XOR EAX, bits; MOV CRn, EAX. */
static void put_control_toggle(struct generator *g, unsigned number, uint32_t bits)
{
    put(g, 0x200f, 2);
    put(g, 0xc0 + number * 8, 1);
    put_size(g, 4);
    put(g, 0x35, 1);
    put(g, bits, 4);
    put(g, 0x220f, 2);
    put(g, 0xc0 + number * 8, 1);
}

/* MOV CR3, EAX with the root of one space, or of the one that the number of exceptions says. */
static void put_space_load(struct generator *g)
{
    if (!g->kind->based && chance(g, 40)) {
        put(g, 0xa1, 1); /* MOV EAX, [faults]; AND EAX, 1 */
        put(g, STREAM_FAULTS, 4);
        put(g, 0x01e083, 3);
        put(g, 0xc069, 2); /* IMUL EAX, EAX, distance; ADD EAX, first */
        put(g, STREAM_SPACE_BYTES, 4);
        put(g, 0x05, 1);
        put(g, STREAM_SPACES, 4);
    } else {
        put_move(g, GPR_AX, STREAM_SPACES + draw(g, 2) * STREAM_SPACE_BYTES, 4);
    }
    put(g, 0xd8220f, 3);
}

/* JMP or CALL to a task. */
static void put_task_switch(struct generator *g)
{
    put(g, chance(g, 70) ? 0xea : 0x9a, 1);
    put(g, 0, g->kind->code_size);
    put(g, chance(g, 50) ? STREAM_TASK_A : STREAM_TASK_B, 2);
}

/* What makes a device do something (stream_events.h), and what ring 0 has to do with paging. */
static void add_event(struct generator *g)
{
    bool is_system = g->stream->paging && g->kind->cpl == 0;
    uint32_t device = g->kind->based || chance(g, 50) ? STREAM_NEAR_DEVICE : STREAM_DEVICE;
    if (g->kind->cpl == 0 && chance(g, 8)) {
        put_control_toggle(g, 0, CR0_TS);
        return;
    }
    if (!g->kind->real && !g->kind->v86 && chance(g, 8)) {
        put_task_switch(g);
        return;
    }
    switch (draw(g, is_system ? 20 : 6)) {
    case 0:
    case 1:
    case 2:
    case 3:
        put_move(g, GPR_DX, draw(g, 0x10000), 2);
        put(g, chance(g, 50) ? 0xee : 0xef, 1); /* OUT DX */
        break;
    case 4:
    case 5:
        put(g, chance(g, 50) ? 0xa2 : 0xa3, 1); /* MOV [device], AL or eAX */
        put(g, device + draw(g, 64) - 2 - stream_data_base(g->stream), g->kind->code_size);
        break;
    case 6: put_control_toggle(g, 4, CR4_PGE); break;
    case 7: put_control_toggle(g, 0, chance(g, 6) ? (uint32_t)CR0_PG : CR0_WP); break;
    case 8:
        put(g, 0x010f, 2); /* INVLPG */
        put(g, 0x38 + (g->kind->code_size == 2 ? 6 : 5), 1);
        put(g, draw(g, 0x20) * STREAM_PAGE + STREAM_CODE - stream_data_base(g->stream), g->kind->code_size);
        break;
    default: put_space_load(g); break;
    }
}

/* Every so many items one is a function, around which the item before it jumps. */
#define FUNCTION_PERIOD 16u

static void put_relative(struct generator *g, uint8_t opcode, unsigned target)
{
    unsigned size = g->kind->code_size;
    put(g, opcode, 1);
    g->item->patch = (struct stream_patch){
        .kind = PATCH_RELATIVE, .at = g->item->length, .size = (uint8_t)size, .target = (uint16_t)target};
    put(g, 0, size);
}

static void add_function(struct generator *g)
{
    add_event(g);
    put(g, 0xc3, 1);
}

static void add_call(struct generator *g)
{
    unsigned number = draw(g, STREAM_ITEMS / FUNCTION_PERIOD) * FUNCTION_PERIOD + FUNCTION_PERIOD - 1;
    uint32_t alias = draw_alias(g);
    if (alias == 0) {
        put_relative(g, 0xe8, number);
        return;
    }
    put(g, 0xb8 + GPR_DX, 1);
    put_moved_address(g, 4, alias);
    g->item->patch.target = (uint16_t)number;
    put(g, 0xd2ff, 2); /* CALL EDX */
}

/* What there is with events only; false: something else is to follow. */
static bool add_with_events(struct generator *g)
{
    if (g->number % FUNCTION_PERIOD == FUNCTION_PERIOD - 1) {
        add_function(g);
    } else if (g->number % FUNCTION_PERIOD == FUNCTION_PERIOD - 2 && g->number + 2 < STREAM_ITEMS) {
        put_relative(g, 0xe9, g->number + 2);
    } else if (chance(g, 18)) {
        add_event(g);
    } else if (chance(g, 8)) {
        add_call(g);
    } else {
        return false;
    }
    return true;
}

/* An instruction of a loop's body, which leaves ECX alone. */
static void put_loop_instruction(struct generator *g)
{
    enum stream_focus focus = chance(g, 70) ? FOCUS_INTEGER : FOCUS_MEMORY;
    for (unsigned tries = 0; tries < DRAWS; tries++) {
        uint8_t bytes[2 * INSN_MAX_LENGTH];
        struct insn insn;
        draw_bytes(g, focus, bytes);
        if (!decode(g, bytes, &insn) || is_excluded(g, &insn) || focus_of(&insn) != focus ||
            is_unwanted(g, &insn) || insn.length > LOOP_INSN_BYTES) {
            continue;
        }
        bool counts = false;
        for (unsigned i = 0; i < insn.operand_count; i++) {
            counts |= names_register(&insn.operand[i], GPR_CX);
        }
        if (!counts) {
            memcpy(g->item->bytes + g->item->length, bytes, insn.length);
            g->item->length = (uint8_t)(g->item->length + insn.length);
            return;
        }
    }
}

/* A loop that jumps to its first instruction, as often as ECX says or less. */
static void add_loop(struct generator *g)
{
    static const uint8_t conditions[] = {0x4, 0x5, 0x5, 0x5, 0x5, 0x8, 0x9, 0xa, 0xb, 0xd, 0xf};
    unsigned size = g->kind->code_size;
    put_move(g, GPR_CX, 1 + draw(g, LOOP_COUNT_MAX), size);
    unsigned first = g->item->length;
    for (unsigned count = draw(g, 4); count > 0; count--) {
        put_loop_instruction(g);
    }
    if (chance(g, 40)) {
        put(g, 0xe0 + draw(g, 3), 1); /* LOOPNE, LOOPE, LOOP */
    } else {
        put(g, 0x48 + GPR_CX, 1); /* DEC */
        put(g, 0x70u + conditions[draw(g, ARRAY_COUNT(conditions))], 1);
    }
    put(g, first - (g->item->length + 1u), 1);
}

static enum stream_focus draw_focus(struct generator *g)
{
    static const uint8_t weight[FOCUS_COUNT] = {26, 26, 9, 16, 5, 7, 4, 7, 5, 1};
    uint32_t sum = 0;
    for (unsigned i = 0; i < FOCUS_COUNT; i++) {
        sum += g->focus >> i & 1 ? weight[i] : 0u;
    }
    uint32_t at = draw(g, sum);
    for (unsigned i = 0; i < FOCUS_COUNT; i++) {
        uint32_t share = g->focus >> i & 1 ? weight[i] : 0u;
        if (at < share) {
            return (enum stream_focus)i;
        }
        at -= share;
    }
    return FOCUS_INTEGER;
}

static void add_item(struct generator *g)
{
    enum stream_focus focus = draw_focus(g);
    *g->item = (struct stream_item){0};
    if (g->stream->events && add_with_events(g)) {
        return;
    }
    if (focus == FOCUS_BRANCH && chance(g, 30)) {
        add_indirect(g);
    } else if (focus == FOCUS_BRANCH && chance(g, 10)) {
        add_loop(g);
    } else if (focus == FOCUS_SENSITIVE && chance(g, 20)) {
        add_segment_load(g);
    } else if (focus == FOCUS_SENSITIVE && chance(g, 25)) {
        add_far(g);
    } else if (focus == FOCUS_SENSITIVE && chance(g, 8)) {
        add_interrupt(g);
    } else if (focus == FOCUS_SELFMOD) {
        add_self_modification(g);
    } else {
        add_drawn(g, focus);
    }
}

static const struct stream_kind *draw_kind(struct generator *g, uint32_t kinds, bool events)
{
    unsigned count = 0;
    while (stream_kind_at(count) != NULL && (events || !stream_kind_at(count)->needs_events)) {
        count++;
    }
    unsigned kind;
    do {
        kind = draw(g, count);
    } while (!(kinds >> kind & 1));
    return stream_kind_at(kind);
}

void stream_generate(uint64_t seed, uint64_t number, const struct stream_choice *choice,
                     struct stream *stream)
{
    struct generator g = {.random = (seed * 0x9e3779b97f4a7c15ull) ^ (number + 1) * 0xd1342543de82ef95ull,
                          .stream = stream,
                          .focus = choice->focus};
    g.random |= g.random == 0;
    for (unsigned i = 0; i < 4; i++) {
        random_draw64(&g.random);
    }
    memset(stream, 0, sizeof *stream);
    g.kind = draw_kind(&g, choice->kinds, choice->events);
    stream->kind = g.kind;
    stream->state_seed = random_draw64(&g.random) | 1;
    stream->paging = !g.kind->real && chance(&g, 50);
    stream->iopl = chance(&g, 50) ? 3 : 0;
    stream->events = choice->events;
    stream->pae = stream->events && stream->paging && chance(&g, 50);
    uint32_t first = g.kind->based ? 0 : STREAM_CODE;
    stream->start = first + 0x100 + draw(&g, 0x1000);
    for (g.number = 0; g.number < STREAM_ITEMS; g.number++) {
        g.item = &stream->items[g.number];
        add_item(&g);
    }
    for (unsigned i = 0; i < STREAM_RESUMES; i++) {
        stream->resume[i] = (uint16_t)draw(&g, STREAM_ITEMS);
    }
    stream_lay_out(stream);
}

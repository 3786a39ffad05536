/* The generator of the oracle's snippets; see host_oracle_snippet.h. */
#include "host_oracle_snippet.h"

#include <string.h>

#include "base/bits.h"
#include "cpu/cpu_state.h"
#include "host_oracle_float.h"
#include "host_oracle_random.h"
#include "insn_bytes.h"

#define PADDING_START  56u         /* branch targets lie from here to the end of a snippet's bytes */
#define LONGEST        46u         /* instructions end here, so that the jump to the end fits */
#define NOWHERE        0x40000000u /* 256 MiB in which nothing is mapped */
#define ALL_ARITHMETIC ((uint32_t)EFLAGS_ARITHMETIC)
#define DRAWS          100000u

struct generator {
    uint64_t random;
    uint32_t address;
    struct snippet *snippet;
    struct oracle_slot *slot;
    bool alone;    /* the snippet is this one instruction */
    bool floating; /* its instructions are mostly x87, MMX and SSE */
    bool first;
};

/* ---- random numbers */

static uint64_t draw64(struct generator *g)
{
    return random_draw64(&g->random);
}

static uint32_t draw(struct generator *g, uint32_t below)
{
    return random_draw(&g->random, below);
}

static bool chance(struct generator *g, unsigned percent)
{
    return random_chance(&g->random, percent);
}

/* Values at which carries and signs change are more frequent than chance would have them. */
static uint32_t draw_value(struct generator *g)
{
    static const uint32_t edges[] = {0,          1,          2,          0x7f,       0x80,       0xff,
                                     0x100,      0x7fff,     0x8000,     0xffff,     0x10000,    0x7fffffff,
                                     0x80000000, 0xfffffffe, 0xffffffff, 0x0f,       0x10,       0x1f,
                                     0x20,       0x99,       0x9a,       0xffffff80, 0xffff8000, 9};
    switch (draw(g, 4)) {
    case 0: return edges[draw(g, ARRAY_COUNT(edges))];
    case 1: return draw(g, 0x200);
    default: return (uint32_t)draw64(g);
    }
}

/* A data address: mostly well within the first window, sometimes at a border, sometimes nowhere. */
static uint32_t draw_data_address(struct generator *g)
{
    uint32_t choice = draw(g, 100);
    if (choice < 80) {
        return ORACLE_DATA + ORACLE_WINDOW1 + 16 + draw(g, ORACLE_WINDOW1_BYTES - 48);
    }
    if (choice < 88) {
        return ORACLE_DATA + ORACLE_PAGE - 8 + draw(g, 9); /* between the writable pages */
    }
    if (choice < 93) {
        return ORACLE_DATA + 2 * ORACLE_PAGE - 12 + draw(g, 16); /* at the read-only page */
    }
    if (choice < 96) {
        return ORACLE_DATA + 3 * ORACLE_PAGE - 12 + draw(g, 16); /* at the missing page */
    }
    /* Not across the end: whether that is a #GP depends on the processor (SDM 3A §5.3). */
    return choice < 99 ? NOWHERE + draw(g, 0x10000000) : 0xffffffc0u + draw(g, 32);
}

static uint32_t draw_code_address(struct generator *g)
{
    return chance(g, 85) ? g->address + PADDING_START + draw(g, ORACLE_CODE_BYTES - PADDING_START)
                         : NOWHERE + draw(g, 0x10000000);
}

/* ---- which instructions */

bool snippet_allows(const struct insn *insn)
{
    const struct insn_info *info = insn_info((enum insn_id)insn->id);
    if (info->properties & (INSN_X87 | INSN_MMX | INSN_SSE)) {
        return insn->level <= INSN_LEVEL_SSSE3 && float_allows(insn);
    }
    if (insn->level > INSN_LEVEL_P6) {
        return false;
    }
    switch (insn->id) {
    /* what depends on the operating system's tables, or enters it */
    case INSN_INVALID:
    case INSN_IRET:
    case INSN_SYSENTER:
    case INSN_SYSEXIT:
    case INSN_SYSCALL:
    case INSN_SYSRET:
    case INSN_RSM:
    case INSN_JMP_FAR:
    case INSN_CALL_FAR:
    case INSN_RETF:
    case INSN_POP_SEG:
    case INSN_LDS:
    case INSN_LES:
    case INSN_LFS:
    case INSN_LGS:
    case INSN_LSS:
    case INSN_LAR:
    case INSN_LSL:
    case INSN_VERR:
    case INSN_VERW:
    case INSN_SGDT:
    case INSN_SIDT:
    case INSN_SLDT:
    case INSN_STR:
    case INSN_SMSW:
    /* what tells one processor from another */
    case INSN_CPUID:
    case INSN_RDTSC:
    case INSN_RDPMC:
    case INSN_RDMSR:
    case INSN_WRMSR:
    case INSN_MOV_CR:
    case INSN_MOV_DR:
    case INSN_MOV_TR:
    case INSN_UD0:
    case INSN_UD1: return false;
    case INSN_MOV_SEG:
        return insn->operand[0].kind == OPERAND_MEMORY || insn->operand[0].register_class != REGISTER_SEGMENT;
    case INSN_PUSH_SEG: return insn->operand_size == 2; /* the upper half is written or not, by model */
    case INSN_BSWAP: return insn->operand_size == 4;
    default: return true;
    }
}

static bool is_dull(const struct insn *insn)
{
    const struct insn_info *info = insn_info((enum insn_id)insn->id);
    return (info->properties & (INSN_PRIVILEGED | INSN_IO_SENSITIVE)) != 0 && insn->id != INSN_PUSHF &&
           insn->id != INSN_POPF;
}

static bool is_string(const struct insn *insn)
{
    return (insn_info((enum insn_id)insn->id)->properties & INSN_STRING) != 0;
}

static bool is_repeated(const struct insn *insn)
{
    return is_string(insn) && (insn->prefixes & (PREFIX_REP | PREFIX_REPNE));
}

static bool names_stack_pointer(const struct insn *insn)
{
    for (unsigned i = 0; i < insn->operand_count; i++) {
        const struct operand *operand = &insn->operand[i];
        if (operand->kind == OPERAND_REGISTER && operand->reg == GPR_SP &&
            (operand->register_class == REGISTER_GPR16 || operand->register_class == REGISTER_GPR32)) {
            return true;
        }
    }
    return false;
}

/* ---- flags */

static uint32_t flags_of_condition(unsigned condition)
{
    static const uint32_t read[8] = {EFLAGS_OF,
                                     EFLAGS_CF,
                                     EFLAGS_ZF,
                                     EFLAGS_CF | EFLAGS_ZF,
                                     EFLAGS_SF,
                                     EFLAGS_PF,
                                     (uint32_t)EFLAGS_SF | EFLAGS_OF,
                                     (uint32_t)EFLAGS_ZF | EFLAGS_SF | EFLAGS_OF};
    return read[condition >> 1 & 7];
}

static uint32_t flags_read(const struct insn *insn)
{
    if (insn->id == INSN_J || insn->id == INSN_SET || insn->id == INSN_CMOV) {
        return flags_of_condition(insn->condition);
    }
    return insn_info((enum insn_id)insn->id)->flags_read & ALL_ARITHMETIC;
}

/* A shift's count: -1 when it is in CL and not known. */
static int shift_count(const struct generator *g, const struct insn *insn)
{
    const struct operand *operand = &insn->operand[insn->operand_count - 1];
    switch (operand->kind) {
    case OPERAND_CONSTANT: return 1;
    case OPERAND_IMMEDIATE: return (int)(insn->immediate & 31);
    default: return g->first ? (int)(g->slot->before.gpr[GPR_CX] & 31) : -1;
    }
}

/* The flags that are undefined after a shift that found `before` undefined. */
static uint32_t undefined_after_shift(const struct generator *g, const struct insn *insn, uint32_t before)
{
    const struct insn_info *info = insn_info((enum insn_id)insn->id);
    uint32_t written = info->flags_written;
    uint32_t undefined = info->flags_undefined;
    int count = shift_count(g, insn);
    int bits = insn->operand[0].size * 8;
    bool is_double = insn->id == INSN_SHLD || insn->id == INSN_SHRD;
    if (count < 0) {
        return before | undefined | (uint32_t)EFLAGS_CF;
    }
    if (count == 0) {
        return before;
    }
    if (is_double && count > bits) {
        return ALL_ARITHMETIC;
    }
    if (count == 1) {
        return (before & ~written) | (undefined & ~(uint32_t)EFLAGS_OF);
    }
    bool carry_lost = (insn->id == INSN_SHL || insn->id == INSN_SHR) && count >= bits;
    return (before & ~written) | undefined | (carry_lost ? (uint32_t)EFLAGS_CF : 0);
}

static uint32_t undefined_after(const struct generator *g, const struct insn *insn, uint32_t before)
{
    const struct insn_info *info = insn_info((enum insn_id)insn->id);
    if (!(info->properties & INSN_FLAGS_BY_COUNT)) {
        return ((before & ~(uint32_t)info->flags_written) | info->flags_undefined) & ALL_ARITHMETIC;
    }
    return is_string(insn) ? before : undefined_after_shift(g, insn, before) & ALL_ARITHMETIC;
}

uint32_t snippet_defined_flags(const struct snippet *snippet, uint32_t address, uint32_t eip, uint32_t vector)
{
    uint32_t undefined = 0;
    bool known = false;
    for (unsigned i = 0; i < snippet->count; i++) {
        if (eip == address + snippet->start[i] && vector != ORACLE_NO_VECTOR) {
            undefined = snippet->undefined_flags[i];
            undefined |= vector == 0 ? ALL_ARITHMETIC : 0; /* a division leaves all of them undefined */
            known = true;
        }
    }
    for (unsigned i = 0; !known && i <= snippet->count; i++) {
        undefined |= snippet->undefined_flags[i];
    }
    return ~(undefined | (uint32_t)EFLAGS_RF);
}

/* ---- the windows */

/* Where `bytes` bytes at a linear address lie in the window buffer; NULL when not wholly in one. */
static uint8_t *in_window(struct oracle_slot *slot, uint32_t linear, unsigned bytes)
{
    uint32_t offset = linear - (linear < 0x10000 ? ORACLE_LOW : ORACLE_DATA);
    if (offset >= ORACLE_WINDOW1 && offset + bytes <= ORACLE_WINDOW1 + ORACLE_WINDOW1_BYTES) {
        return slot->window_before + (offset - ORACLE_WINDOW1);
    }
    if (offset >= ORACLE_WINDOW2 && offset + bytes <= ORACLE_WINDOW2 + ORACLE_WINDOW2_BYTES) {
        return slot->window_before + ORACLE_WINDOW1_BYTES + (offset - ORACLE_WINDOW2);
    }
    return NULL;
}

/* ---- operands */

static uint32_t index_part(const struct oracle_slot *slot, const struct insn *insn)
{
    return insn->memory.index == GPR_NONE ? 0 : slot->before.gpr[insn->memory.index] << insn->memory.scale;
}

static uint32_t effective_address(const struct oracle_slot *slot, const struct insn *insn)
{
    uint32_t base = insn->memory.base == GPR_NONE ? 0 : slot->before.gpr[insn->memory.base];
    uint32_t address = base + index_part(slot, insn) + (uint32_t)insn->displacement;
    return insn->address_size == 2 ? address & 0xffff : address;
}

/* A bus lock across cache lines traps to the kernel on newer hosts, or worse. */
static bool locks_bus(const struct insn *insn)
{
    return insn_memory_operand(insn) != NULL && (insn->id == INSN_XCHG || (insn->prefixes & PREFIX_LOCK));
}

/* x87 numbers of 10 bytes, environments, states: processors differ in what they access first, which is seen
 * when a part of them faults. */
static bool is_long(const struct operand *operand)
{
    return operand != NULL && operand->size != 16 && operand->size > 8;
}

static uint32_t draw_operand_address(struct generator *g, const struct insn *insn)
{
    const struct operand *operand = insn_memory_operand(insn);
    if (is_long(operand)) {
        return ORACLE_DATA + ORACLE_WINDOW1 + draw(g, ORACLE_WINDOW1_BYTES - 128);
    }
    uint32_t address = draw_data_address(g);
    if (locks_bus(insn)) {
        address &= ~7u;
    }
    if (operand != NULL && operand->size == 16 && chance(g, 85)) {
        address &= ~15u; /* most of these want it */
    }
    return address;
}

/* An address that the instruction's addresses reach. */
static uint32_t draw_reachable(struct generator *g, const struct insn *insn)
{
    uint32_t address = draw_operand_address(g, insn);
    if (insn->address_size == 4) {
        return address;
    }
    uint32_t offset = address - ORACLE_DATA;
    return offset < 4 * ORACLE_PAGE ? ORACLE_LOW + offset : address & 0xffff;
}

static void set_register(struct generator *g, unsigned number, uint32_t value, unsigned size)
{
    uint32_t *reg = &g->slot->before.gpr[number];
    *reg = size == 2 ? (*reg & 0xffff0000u) | (value & 0xffff) : value;
}

/* Moves a ModRM or moffs operand to an address of our choice; false when that is not possible. */
static bool place_memory_operand(struct generator *g, const struct insn *insn, uint8_t *bytes,
                                 uint32_t target)
{
    unsigned at;
    unsigned size = insn_displacement_bytes(insn, bytes, &at);
    unsigned base = insn->memory.base;
    unsigned index = insn->memory.index;
    struct oracle_slot *slot = g->slot;
    if (size >= 2) {
        uint32_t base_part = base == GPR_NONE ? 0 : slot->before.gpr[base];
        insn_put_bytes(bytes + at, target - base_part - index_part(slot, insn), size);
        return true;
    }
    if (base != GPR_NONE && base != GPR_SP && base != index) {
        uint32_t value = target - (uint32_t)insn->displacement - index_part(slot, insn);
        set_register(g, base, value, insn->address_size);
        return true;
    }
    if (base == GPR_SP && index != GPR_NONE) {
        uint32_t value = target - slot->before.gpr[GPR_SP] - (uint32_t)insn->displacement;
        slot->before.gpr[index] = value >> insn->memory.scale;
        return true;
    }
    return base == GPR_SP;
}

/* In a sequence registers are not known any more: turns the operand into an absolute address. */
static bool make_absolute(struct generator *g, const struct insn *insn, uint8_t *bytes)
{
    unsigned at;
    if (insn->has_modrm) {
        unsigned modrm_at = insn->prefix_length + (insn->map == 0 ? 1u : insn->map == 1 ? 2u : 3u);
        unsigned rest = insn->length;
        unsigned old = insn_displacement_bytes(insn, bytes, &at);
        unsigned tail = rest - at - old; /* immediates */
        uint8_t immediate[8];
        memcpy(immediate, bytes + at + old, tail);
        bytes[modrm_at] = (uint8_t)((bytes[modrm_at] & 0x38) | (insn->address_size == 2 ? 6 : 5));
        insn_put_bytes(bytes + modrm_at + 1, draw_reachable(g, insn), insn->address_size);
        memcpy(bytes + modrm_at + 1 + insn->address_size, immediate, tail);
        return true;
    }
    unsigned size = insn_displacement_bytes(insn, bytes, &at);
    if (size == 0) {
        return false;
    }
    insn_put_bytes(bytes + at, draw_reachable(g, insn), size);
    return true;
}

static void place_string(struct generator *g, const struct insn *insn)
{
    struct oracle_slot *slot = g->slot;
    set_register(g, GPR_SI, draw_reachable(g, insn), insn->address_size);
    set_register(g, GPR_DI, draw_reachable(g, insn), insn->address_size);
    if (is_repeated(insn)) {
        set_register(g, GPR_CX, draw(g, 24), insn->address_size);
    }
    if ((insn->id == INSN_CMPS || insn->id == INSN_SCAS) && chance(g, 60)) {
        /* something to compare that is mostly equal */
        uint32_t value = draw(g, 256);
        memset(slot->window_before, (int)value, ORACLE_WINDOW_BYTES);
        slot->window_before[draw(g, ORACLE_WINDOW_BYTES)] = (uint8_t)draw(g, 256);
        slot->before.gpr[GPR_AX] = value * 0x01010101;
    }
}

/* Branches go into the padding behind the snippet, forwards only, or nowhere. */
static bool place_relative_target(struct generator *g, const struct insn *insn, uint8_t *bytes,
                                  unsigned start)
{
    unsigned size = insn->map == 0 && insn->opcode != 0xe8 && insn->opcode != 0xe9 ? 1 : insn->operand_size;
    uint32_t next = g->address + start + insn->length;
    uint32_t target = size == 1 ? g->address + PADDING_START + draw(g, ORACLE_CODE_BYTES - PADDING_START)
                                : draw_code_address(g);
    insn_put_bytes(bytes + insn->length - size, target - next, size);
    return true;
}

/* JMP and CALL through a register or memory, RET. */
static bool place_indirect_target(struct generator *g, const struct insn *insn, uint8_t *bytes)
{
    struct oracle_slot *slot = g->slot;
    uint32_t target = draw_code_address(g);
    uint32_t address = slot->before.gpr[GPR_SP];
    if (insn->id != INSN_RET && insn->operand[0].kind == OPERAND_REGISTER) {
        if (insn->operand[0].reg == GPR_SP) {
            return false;
        }
        slot->before.gpr[insn->operand[0].reg] = target;
        return true;
    }
    if (insn->id != INSN_RET) {
        if (!place_memory_operand(g, insn, bytes, draw_reachable(g, insn))) {
            return false;
        }
        struct insn placed;
        const struct decode_mode mode = {.code_size = 4};
        if (decoder_decode(&mode, bytes, INSN_MAX_LENGTH, &placed) != DECODE_OK) {
            return false;
        }
        address = effective_address(slot, &placed);
    }
    uint8_t *at = in_window(slot, address, insn->operand_size);
    if (at == NULL) {
        /* An address that faults is fine; one that gives unknown code is not. */
        return address - NOWHERE < 0x10000000u;
    }
    insn_put_bytes(at, target, insn->operand_size);
    return true;
}

/* TF steps over the next instruction; AC would make misaligned accesses fault. */
static bool place_popped_flags(struct generator *g, const struct insn *insn)
{
    uint8_t *at = in_window(g->slot, g->slot->before.gpr[GPR_SP], insn->operand_size);
    if (at == NULL) {
        return false;
    }
    uint32_t flags = (uint32_t)draw64(g) & ~((uint32_t)EFLAGS_AC | (chance(g, 90) ? (uint32_t)EFLAGS_TF : 0));
    insn_put_bytes(at, flags, insn->operand_size);
    return true;
}

static bool place_bit_string(struct generator *g, const struct insn *insn, uint8_t *bytes)
{
    const struct operand *index = &insn->operand[1];
    if (index->kind == OPERAND_REGISTER) {
        if (index->reg == insn->memory.base || index->reg == insn->memory.index || index->reg == GPR_SP) {
            return false;
        }
        g->slot->before.gpr[index->reg] = draw(g, 2000) - 1000;
    }
    uint32_t target = draw_reachable(g, insn);
    return target < 0xffffff00u && place_memory_operand(g, insn, bytes, target); /* not over the end either */
}

static void place_frame(struct generator *g, const struct insn *insn, uint8_t *bytes)
{
    g->slot->before.gpr[GPR_BP] = draw_data_address(g);
    if (insn->id == INSN_ENTER && chance(g, 90)) {
        insn_put_bytes(bytes + insn->length - 3, draw(g, 100), 2);
        bytes[insn->length - 1] = (uint8_t)(chance(g, 75) ? draw(g, 4) : draw(g, 256));
    }
}

static void place_dividend(struct generator *g)
{
    uint32_t *gpr = g->slot->before.gpr;
    if (chance(g, 60)) {
        gpr[GPR_DX] = chance(g, 50) ? draw(g, 16) : 0u - draw(g, 16);
        gpr[GPR_AX] &= chance(g, 50) ? 0xff0fu : UINT32_MAX;
    }
}

/* What only an instruction at a snippet's start may do: the state in front of it is known. */
static bool place_first(struct generator *g, const struct insn *insn, uint8_t *bytes)
{
    switch (insn->id) {
    case INSN_JMP_NEAR:
    case INSN_CALL_NEAR:
    case INSN_RET: return place_indirect_target(g, insn, bytes);
    case INSN_POPF: return place_popped_flags(g, insn);
    case INSN_BT:
    case INSN_BTC:
    case INSN_BTR:
    case INSN_BTS: return insn_memory_operand(insn) == NULL || place_bit_string(g, insn, bytes);
    case INSN_ENTER:
    case INSN_LEAVE: place_frame(g, insn, bytes); return g->alone;
    case INSN_XLAT:
        set_register(g, GPR_BX, draw_reachable(g, insn) - (g->slot->before.gpr[GPR_AX] & 0xff),
                     insn->address_size);
        return true;
    case INSN_MASKMOVQ:
    case INSN_MASKMOVDQU:
        /* well inside: which bytes fault that the mask leaves out differs between processors */
        g->slot->before.gpr[GPR_DI] = ORACLE_DATA + ORACLE_WINDOW1 + 16 + draw(g, ORACLE_WINDOW1_BYTES - 48);
        return insn->address_size == 4;
    case INSN_DIV:
    case INSN_IDIV: place_dividend(g); break;
    default: break;
    }
    if (is_string(insn)) {
        place_string(g, insn);
        return true;
    }
    return insn_memory_operand(insn) == NULL || insn->id == INSN_LEA ||
           place_memory_operand(g, insn, bytes, draw_reachable(g, insn));
}

static bool place_later(struct generator *g, const struct insn *insn, uint8_t *bytes)
{
    switch (insn->id) {
    case INSN_JMP_NEAR:
    case INSN_CALL_NEAR:
    case INSN_RET:
    case INSN_POPF:
    case INSN_ENTER:
    case INSN_LEAVE:
    case INSN_MASKMOVQ:
    case INSN_MASKMOVDQU:
    case INSN_XLAT: return false;
    case INSN_BT:
    case INSN_BTC:
    case INSN_BTR:
    case INSN_BTS:
        if (insn_memory_operand(insn) != NULL && insn->operand[1].kind == OPERAND_REGISTER) {
            return false;
        }
        break;
    default: break;
    }
    return !is_string(insn) &&
           (insn_memory_operand(insn) == NULL || insn->id == INSN_LEA || make_absolute(g, insn, bytes));
}

/* ---- drawing */

static unsigned draw_prefixes(struct generator *g, uint8_t *bytes)
{
    static const uint8_t segments[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    unsigned count = 0;
    if (chance(g, 20)) {
        bytes[count++] = 0x66;
    }
    if (chance(g, 12)) {
        bytes[count++] = 0x67;
    }
    if (chance(g, 5)) {
        bytes[count++] = segments[draw(g, ARRAY_COUNT(segments))];
    }
    if (chance(g, 12)) {
        bytes[count++] = chance(g, 65) ? 0xf3 : 0xf2;
    }
    if (chance(g, 4)) {
        bytes[count++] = 0xf0;
    }
    return count;
}

static bool decode(const uint8_t *bytes, struct insn *insn)
{
    const struct decode_mode mode = {.code_size = 4};
    return decoder_decode(&mode, bytes, INSN_MAX_LENGTH, insn) == DECODE_OK && snippet_allows(insn);
}

static bool draw_bytes(struct generator *g, uint8_t *bytes, struct insn *insn)
{
    uint64_t random[2] = {draw64(g), draw64(g)};
    memset(bytes, 0, 2 * INSN_MAX_LENGTH);
    if (g->floating && chance(g, 85)) {
        float_draw_bytes(&g->random, bytes);
        return decode(bytes, insn);
    }
    unsigned count = draw_prefixes(g, bytes);
    if (chance(g, 30)) {
        bytes[count++] = 0x0f;
    }
    memcpy(bytes + count, random, 10);
    return decode(bytes, insn);
}

/* One try at one instruction. */
static bool draw_instruction(struct generator *g, unsigned start, uint32_t undefined, uint8_t *bytes,
                             struct insn *insn)
{
    if (!draw_bytes(g, bytes, insn) || (is_dull(insn) && chance(g, 75)) || (flags_read(insn) & undefined) ||
        (!g->alone && names_stack_pointer(insn))) {
        return false;
    }
    bool relative = insn->operand_count > 0 && insn->operand[0].kind == OPERAND_RELATIVE;
    bool placed = relative   ? place_relative_target(g, insn, bytes, start)
                  : g->first ? place_first(g, insn, bytes)
                             : place_later(g, insn, bytes);
    if (!placed || !decode(bytes, insn) || start + insn->length > LONGEST) {
        return false;
    }
    if (locks_bus(insn) && (effective_address(g->slot, insn) & 7) != 0) {
        return false;
    }
    if (is_long(insn_memory_operand(insn)) &&
        in_window(g->slot, effective_address(g->slot, insn), 128) == NULL) {
        return false;
    }
    bool is_shift_double = insn->id == INSN_SHLD || insn->id == INSN_SHRD;
    if (is_shift_double && (shift_count(g, insn) < 0 || shift_count(g, insn) > insn->operand[0].size * 8)) {
        return false; /* the result is undefined */
    }
    return insn->id != INSN_INT || insn->immediate != 0x80; /* a system call */
}

static void draw_state(struct generator *g)
{
    struct oracle_slot *slot = g->slot;
    for (unsigned i = 0; i < 8; i++) {
        slot->before.gpr[i] = draw_value(g);
    }
    uint32_t top = chance(g, 94) ? ORACLE_WINDOW1 + 0x90 + draw(g, 0x100) : ORACLE_WINDOW2 + draw(g, 0x90);
    slot->before.gpr[GPR_SP] = ORACLE_DATA + (chance(g, 80) ? top & ~3u : top);
    slot->before.eip = g->address;
    slot->before.eflags =
        ((uint32_t)draw64(g) & (ALL_ARITHMETIC | (uint32_t)EFLAGS_DF)) | EFLAGS_IF | EFLAGS_FIXED;
    for (unsigned i = 0; i < ORACLE_WINDOW_BYTES; i += 8) {
        store_le64(slot->window_before + i, chance(g, 70) ? draw64(g) : draw_value(g));
    }
    float_draw_state(&g->random, slot->float_before);
    if (g->floating) {
        float_draw_memory(&g->random, slot->window_before, ORACLE_WINDOW_BYTES);
    }
}

void snippet_finish(struct snippet *snippet, uint32_t address, uint32_t end_address)
{
    uint8_t *at = snippet->bytes + snippet->length;
    memset(at, 0xcc, ORACLE_CODE_BYTES - snippet->length);
    *at = 0xe9;
    store_le32(at + 1, end_address - (address + snippet->length + 5));
}

void snippet_generate(uint64_t seed, uint64_t number, uint32_t address, uint32_t end_address,
                      struct snippet *snippet, struct oracle_slot *slot)
{
    struct generator g = {.random = (seed * 0x9e3779b97f4a7c15ull) ^ (number + 1) * 0xd1342543de82ef95ull,
                          .address = address,
                          .snippet = snippet,
                          .slot = slot};
    g.random |= g.random == 0;
    for (unsigned i = 0; i < 4; i++) {
        draw64(&g);
    }
    *snippet = (struct snippet){0};
    g.floating = chance(&g, 50);
    draw_state(&g);
    unsigned wanted = chance(&g, 55) ? 1 : 2 + draw(&g, SNIPPET_MAX_INSNS - 1);
    g.alone = wanted == 1;
    for (unsigned tries = 0; snippet->count < wanted && tries < DRAWS && snippet->length < LONGEST - 8;
         tries++) {
        uint8_t bytes[2 * INSN_MAX_LENGTH];
        struct insn insn;
        unsigned n = snippet->count;
        g.first = n == 0;
        if (draw_instruction(&g, snippet->length, snippet->undefined_flags[n], bytes, &insn)) {
            memcpy(snippet->bytes + snippet->length, bytes, insn.length);
            snippet->start[n] = (uint8_t)snippet->length;
            snippet->id[n] = insn.id;
            snippet->undefined_flags[n + 1] = undefined_after(&g, &insn, snippet->undefined_flags[n]);
            snippet->length += insn.length;
            snippet->count++;
        }
    }
    snippet_finish(snippet, address, end_address);
}

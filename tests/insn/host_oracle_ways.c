/* See host_oracle_ways.h. Linear addresses below ORACLE_LOW are not mapped. */
#include "host_oracle_ways.h"

#include <string.h>

#include "base/bits.h"
#include "cpu/cpu.h"
#include "cpu/x87.h"
#include "host_oracle_float.h"

#define MXCSR_MM (1u << 17) /* AMD64 manual 2 §3.1.8: SSE operands need not be aligned */

enum { NOWHERE = 0x1000, ELSEWHERE = 0x3000, TOP = 3 };
enum { FROM = 0x40, TO = FROM + 3 }; /* of a copy within the first window, whose bytes are 0, 1, 2, … */

struct way {
    const char *text;
    uint8_t code[8];
    uint8_t length;
    bool anywhere; /* matters wherever it stands in a snippet, and not only where the host left it */
    uint32_t ax, cx, si, di;
    bool (*has)(const struct oracle_slot *slot); /* from the outcome of `code` */
    /* Whether an instruction of a snippet that the host left as in the slot is of the kind. */
    bool (*concerns)(const struct insn *insn, const struct oracle_slot *slot);
};

static bool ends_in_access_fault(const struct oracle_slot *slot)
{
    uint32_t vector = slot->after.vector;
    return vector == VECTOR_SS || vector == VECTOR_GP || vector == VECTOR_PF || vector == VECTOR_AC;
}

static bool stores(const struct insn *insn)
{
    return insn->operand_count > 0 && insn->operand[0].kind == OPERAND_MEMORY;
}

static bool traps_in_front(const struct oracle_slot *slot)
{
    return slot->after.vector == VECTOR_DB && slot->after.eip == slot->before.eip;
}

static bool is_int1(const struct insn *insn, const struct oracle_slot *slot)
{
    return insn->id == INSN_INT1 && slot->after.vector == VECTOR_DB;
}

static bool leaves_top(const struct oracle_slot *slot)
{
    return (load_le16(slot->float_after + FX_STATUS) & X87_TOP) >> X87_TOP_SHIFT == TOP;
}

static bool is_mmx_store(const struct insn *insn, const struct oracle_slot *slot)
{
    return ends_in_access_fault(slot) && stores(insn) &&
           (insn_info((enum insn_id)insn->id)->properties & INSN_MMX);
}

static bool page_faults(const struct oracle_slot *slot)
{
    return slot->after.vector == VECTOR_PF;
}

static bool is_x87_store(const struct insn *insn, const struct oracle_slot *slot)
{
    switch (insn->id) {
    case INSN_FST:
    case INSN_FSTP:
    case INSN_FIST:
    case INSN_FISTP:
    case INSN_FISTTP:
    case INSN_FBSTP: return ends_in_access_fault(slot) && stores(insn);
    default: return false;
    }
}

static bool is_bound(const struct insn *insn, const struct oracle_slot *slot)
{
    return insn->id == INSN_BOUND && ends_in_access_fault(slot);
}

static bool loads_source_first(const struct oracle_slot *slot)
{
    return slot->after.cr2 == slot->before.gpr[GPR_SI];
}

static bool is_cmps(const struct insn *insn, const struct oracle_slot *slot)
{
    return insn->id == INSN_CMPS && ends_in_access_fault(slot);
}

static bool has_cleared_zf(const struct oracle_slot *slot)
{
    return slot->after.vector == VECTOR_PF && !(slot->after.eflags & EFLAGS_ZF);
}

static bool is_repeated(const struct insn *insn)
{
    return insn->prefixes & (PREFIX_REP | PREFIX_REPNE);
}

static bool is_repeated_comparison(const struct insn *insn, const struct oracle_slot *slot)
{
    return (insn->id == INSN_CMPS || insn->id == INSN_SCAS) && is_repeated(insn) &&
           ends_in_access_fault(slot);
}

static bool breaks(const struct oracle_slot *slot)
{
    return slot->after.vector == VECTOR_BP;
}

static bool is_repeated_loop(const struct insn *insn, const struct oracle_slot *slot)
{
    (void)slot;
    return (insn->id == INSN_LOOPE || insn->id == INSN_LOOPNE) && is_repeated(insn);
}

static bool misses_overlap(const struct oracle_slot *slot)
{
    const uint8_t *window = slot->window_after;
    return window[TO] == FROM && window[TO + TO - FROM] != FROM;
}

static bool is_move_by_16_bits(const struct insn *insn, const struct oracle_slot *slot)
{
    (void)slot;
    return insn->id == INSN_MOVS && is_repeated(insn) && insn->address_size == 2;
}

static bool loads_mm(const struct oracle_slot *slot)
{
    return load_le32(slot->float_after + FX_MXCSR) & MXCSR_MM;
}

static bool is_load_of_mm(const struct insn *insn, const struct oracle_slot *slot)
{
    return insn->id == INSN_LDMXCSR && loads_mm(slot);
}

#define WAY_REPEATED_LOOP 6u

static const struct way ways[ORACLE_WAYS] = {
    {.text = "INT1's trap points to the instruction",
     .code = {0xf1},
     .length = 1,
     .has = traps_in_front,
     .concerns = is_int1},
    {.text = "a store of an MMX register that faults leaves the x87's TOP alone",
     .code = {0x0f, 0x7f, 0x00}, /* movq [eax], mm0 */
     .length = 3,
     .ax = NOWHERE,
     .has = leaves_top,
     .concerns = is_mmx_store},
    {.text = "an x87 store faults before it raises an unmasked exception that would spare it the access",
     .code = {0xdb, 0x10}, /* fist dword [eax], of an empty register */
     .length = 2,
     .ax = NOWHERE,
     .has = page_faults,
     .concerns = is_x87_store},
    {.text = "BOUND reads the upper bound even if the index is below the lower one",
     .code = {0x62, 0x08}, /* bound ecx, [eax] */
     .length = 2,
     .ax = ORACLE_DATA + ORACLE_DATA_PAGES * ORACLE_PAGE - 4,
     .cx = (uint32_t)INT32_MIN,
     .has = page_faults,
     .concerns = is_bound},
    {.text = "CMPS reads its first operand first",
     .code = {0xa6},
     .length = 1,
     .si = NOWHERE,
     .di = ELSEWHERE,
     .has = loads_source_first,
     .concerns = is_cmps},
    {.text = "a repeated CMPS or SCAS that faults has noted the flags of the iterations before",
     .code = {0xf2, 0xae}, /* repne scasb: AL = 0 is not found in the last byte there is */
     .length = 2,
     .cx = 2,
     .di = ORACLE_DATA + ORACLE_DATA_PAGES * ORACLE_PAGE - 1,
     .has = has_cleared_zf,
     .concerns = is_repeated_comparison},
    [WAY_REPEATED_LOOP] = {.text = "a repeat prefix says which ZF lets LOOPE and LOOPNE loop",
                           .code = {0xf3, 0xe0,
                                    0x05}, /* repe loopne: to the INT3 behind the jump to the end */
                           .length = 3,
                           .anywhere = true,
                           .cx = 2,
                           .has = breaks,
                           .concerns = is_repeated_loop},
    {.text =
         "repeated MOVS compares more of its registers than 16-bit addresses have to see whether it overlaps",
     .code = {0x67, 0xf3, 0xa4}, /* rep movsb, DI three bytes behind SI */
     .length = 3,
     .anywhere = true,
     .cx = 32,
     .si = ORACLE_LOW + ORACLE_WINDOW1 + FROM,
     .di = 0x10000 + ORACLE_LOW + ORACLE_WINDOW1 + TO,
     .has = misses_overlap,
     .concerns = is_move_by_16_bits},
    {.text = "MXCSR has a bit 17 (MM)",
     .code = {0x0f, 0xae, 0x10}, /* ldmxcsr [eax] */
     .length = 3,
     .anywhere = true,
     .ax = ORACLE_DATA + ORACLE_WINDOW1,
     .has = loads_mm,
     .concerns = is_load_of_mm},
};

/* The prefixes in front of a LOOPE or LOOPNE become ones of a segment, which mean nothing there. */
static void avoid_repeated_loop(uint8_t *code)
{
    for (; *code != 0xe0 && *code != 0xe1; code++) {
        if (*code == 0xf2 || *code == 0xf3) {
            *code = 0x3e;
        }
    }
}

void oracle_ways_avoid(uint32_t ways_of_host, struct snippet *snippet)
{
    for (unsigned i = 0; i < snippet->count && (ways_of_host >> WAY_REPEATED_LOOP & 1); i++) {
        if (snippet->id[i] == INSN_LOOPE || snippet->id[i] == INSN_LOOPNE) {
            avoid_repeated_loop(snippet->bytes + snippet->start[i]);
        }
    }
}

void oracle_ways_ask(uint32_t end_address, struct oracle_slot *slots, uint8_t *code)
{
    for (unsigned i = 0; i < ORACLE_WAYS; i++) {
        const struct way *way = &ways[i];
        struct oracle_slot *slot = &slots[i];
        struct snippet snippet = {.length = way->length};
        uint32_t address = ORACLE_CODE + i * ORACLE_CODE_BYTES;
        memcpy(snippet.bytes, way->code, way->length);
        snippet_finish(&snippet, address, end_address);
        memcpy(code + (size_t)i * ORACLE_CODE_BYTES, snippet.bytes, ORACLE_CODE_BYTES);
        *slot = (struct oracle_slot){0};
        slot->before.eip = address;
        slot->before.eflags = EFLAGS_FIXED | EFLAGS_IF | EFLAGS_ZF;
        slot->before.gpr[GPR_AX] = way->ax;
        slot->before.gpr[GPR_CX] = way->cx;
        slot->before.gpr[GPR_SI] = way->si;
        slot->before.gpr[GPR_DI] = way->di;
        slot->before.gpr[GPR_SP] = ORACLE_DATA + ORACLE_WINDOW1 + ORACLE_WINDOW1_BYTES / 2;
        store_le16(slot->float_before + FX_CONTROL, X87_CONTROL_INIT & ~(unsigned)X87_IE);
        store_le16(slot->float_before + FX_STATUS, TOP << X87_TOP_SHIFT);
        store_le32(slot->float_before + FX_MXCSR, MXCSR_MASKS);
        for (unsigned at = 0; at < ORACLE_WINDOW1_BYTES; at++) {
            slot->window_before[at] = (uint8_t)at;
        }
        store_le32(slot->window_before, MXCSR_MASKS | MXCSR_MM);
    }
}

uint32_t oracle_ways_of(const struct oracle_slot *slots)
{
    uint32_t found = 0;
    for (unsigned i = 0; i < ORACLE_WAYS; i++) {
        found |= (uint32_t)ways[i].has(&slots[i]) << i;
    }
    return found;
}

unsigned oracle_way_met(uint32_t found, const struct snippet *snippet, uint32_t address,
                        const struct oracle_slot *slot)
{
    const struct decode_mode mode = {.code_size = 4};
    for (unsigned way = 0; found >> way != 0; way++) {
        for (unsigned i = 0; i < snippet->count; i++) {
            struct insn insn;
            unsigned start = snippet->start[i];
            if ((found >> way & 1) && (ways[way].anywhere || slot->after.eip == address + start) &&
                decoder_decode(&mode, snippet->bytes + start, INSN_MAX_LENGTH, &insn) == DECODE_OK &&
                ways[way].concerns(&insn, slot)) {
                return way;
            }
        }
    }
    return ORACLE_WAYS;
}

const char *oracle_way_text(unsigned way)
{
    return ways[way].text;
}

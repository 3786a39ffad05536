/* Iterations of repeated string instructions on host memory: as many at once as lie in one page of each
 * operand, found through the TLBs of translated code. Whatever needs more care (faults, devices, code pages,
 * elements across pages or limits) is left where it is, for the fallback. */
#include "translator/context.h"

#include <string.h>

/* The operands of an instruction, as `site` and the registers have them. */
struct string_state {
    struct translator *t;
    unsigned width;
    unsigned source_segment;
    uint32_t address_mask;
    bool down;          /* DF */
    bool until_differs; /* REPE */
    bool stopped;       /* REPE's or REPNE's condition has ended it */
    uint64_t a, b;      /* what CMPS or SCAS compared last */
};

static uint32_t minimum(uint64_t a, uint64_t b)
{
    return (uint32_t)(a < b ? a : b);
}

/* How many elements from where register `index` points can be accessed directly, at most `most`; *host is the
 * address of the first to be done. */
static uint32_t direct_run(const struct string_state *s, unsigned segment_number, unsigned index, bool store,
                           uint32_t most, uint8_t **host)
{
    struct translator *t = s->t;
    const struct segment *segment = &t->cpu->segment[segment_number];
    uint32_t offset = t->gpr[index] & s->address_mask;
    uint32_t first = store ? segment->write_first : segment->read_first;
    uint32_t last = minimum(store ? segment->write_last : segment->read_last, s->address_mask);
    uint32_t linear = (uint32_t)(segment->base + offset);
    uint32_t in_page = linear & (uint32_t)PAGE_MASK;
    if (offset < first || offset > last || last - offset < s->width - 1 || in_page + s->width > PAGE_SIZE) {
        return 0;
    }
    uint32_t fits =
        s->down ? minimum(in_page / s->width + 1, (offset - first) / s->width + 1)
                : minimum((PAGE_SIZE - in_page) / s->width, ((uint64_t)(last - offset) + 1) / s->width);
    uint32_t count = minimum(fits, most);
    uint32_t behind = s->down ? (count - 1) * s->width : 0; /* of the lowest element, to the first one */
    if (translator_host_memory(t, linear - behind, count * s->width, store, host)) {
        *host += behind;
        return count;
    }
    return count > 1 && translator_host_memory(t, linear, s->width, store, host) ? 1 : 0;
}

/* ---- MOVS */

static void copy_each(uint8_t *to, const uint8_t *from, uint32_t count, unsigned width, ptrdiff_t step)
{
    for (uint32_t i = 0; i < count; i++) {
        uint8_t element[4];
        memcpy(element, from, width);
        memcpy(to, element, width);
        from += step;
        to += step;
    }
}

/* Where the destination begins `distance` bytes into the source, and that is no less than an element, what
 * comes out is the source's beginning again and again. */
static void copy_pattern(uint8_t *to, const uint8_t *from, size_t length, size_t distance)
{
    for (size_t done = 0; done < length;) {
        size_t part = done + distance < length - done ? done + distance : length - done;
        memcpy(to + done, from, part);
        done += part;
    }
}

static void copy_up(uint8_t *to, const uint8_t *from, uint32_t count, unsigned width)
{
    size_t length = (size_t)count * width;
    size_t distance = (uintptr_t)to - (uintptr_t)from;
    if (distance == 0 || distance >= length) {
        memmove(to, from, length);
    } else if (distance >= width) {
        copy_pattern(to, from, length, distance);
    } else {
        copy_each(to, from, count, width, (ptrdiff_t)width);
    }
}

static void copy_down(uint8_t *to, const uint8_t *from, uint32_t count, unsigned width)
{
    size_t length = (size_t)count * width;
    size_t distance = (uintptr_t)from - (uintptr_t)to;
    if (distance == 0 || distance >= length) {
        memmove(to + width - length, from + width - length, length);
    } else {
        copy_each(to, from, count, width, -(ptrdiff_t)width);
    }
}

static uint32_t run_movs(struct string_state *s, uint32_t most)
{
    uint8_t *to = NULL;
    uint8_t *from = NULL;
    uint32_t count = direct_run(s, s->source_segment, CPU_SI, false, most, &from);
    if (count > 0) { /* not before the load is known not to fault: this may set the destination's D bit */
        count = direct_run(s, CPU_ES, CPU_DI, true, count, &to);
    }
    if (count > 0) {
        if (s->down) {
            copy_down(to, from, count, s->width);
        } else {
            copy_up(to, from, count, s->width);
        }
    }
    return count;
}

/* ---- STOS */

static uint32_t run_stos(struct string_state *s, uint32_t most)
{
    uint8_t *to = NULL;
    uint32_t value = s->t->gpr[CPU_AX];
    uint32_t count = direct_run(s, CPU_ES, CPU_DI, true, most, &to);
    if (count == 0) {
        return 0;
    }
    if (s->down) {
        to -= (count - 1) * s->width;
    }
    switch (s->width) {
    case 1: memset(to, (int)(value & 0xff), count); break;
    case 2:
        for (uint32_t i = 0; i < count; i++) {
            store_le16(to + 2 * (size_t)i, (uint16_t)value);
        }
        break;
    default:
        for (uint32_t i = 0; i < count; i++) {
            store_le32(to + 4 * (size_t)i, value);
        }
        break;
    }
    return count;
}

/* ---- CMPS, SCAS */

/* Compares up to `count` elements at `one` and `other` (or, with `scan`, the accumulator with those at
 * `other`); how many, the one that ended it included. */
ALWAYS_INLINE uint32_t compare_each(struct string_state *s, const uint8_t *one, const uint8_t *other,
                                    uint32_t count, unsigned width, bool scan)
{
    ptrdiff_t step = s->down ? -(ptrdiff_t)width : (ptrdiff_t)width;
    bool until_differs = s->until_differs;
    uint64_t a = s->t->gpr[CPU_AX] & bits_mask(8 * width);
    uint64_t b = 0;
    for (uint32_t i = 0; i < count; i++) {
        a = scan ? a : load_le(one, width);
        b = load_le(other, width);
        if ((a != b) == until_differs) {
            s->stopped = true;
            count = i + 1;
            break;
        }
        one += scan ? 0 : step;
        other += step;
    }
    s->a = a;
    s->b = b;
    return count;
}

/* How many whole elements at the beginning of two ranges are the same, by eight bytes at a time. */
static uint32_t count_same(const uint8_t *one, const uint8_t *other, uint32_t count, unsigned width)
{
    size_t length = (size_t)count * width;
    size_t at = 0;
    while (at + 8 <= length && load_le64(one + at) == load_le64(other + at)) {
        at += 8;
    }
    return (uint32_t)(at / width);
}

static uint32_t compare(struct string_state *s, const uint8_t *one, const uint8_t *other, uint32_t count)
{
    uint32_t same = 0;
    if (s->until_differs && !s->down) {
        same = count_same(one, other, count, s->width);
        same -= same == count; /* the last one makes the flags */
        one += same * s->width;
        other += same * s->width;
    }
    switch (s->width) {
    case 1: return same + compare_each(s, one, other, count - same, 1, false);
    case 2: return same + compare_each(s, one, other, count - same, 2, false);
    default: return same + compare_each(s, one, other, count - same, 4, false);
    }
}

static uint32_t run_cmps(struct string_state *s, uint32_t most)
{
    uint8_t *one = NULL;
    uint8_t *other = NULL;
    uint32_t count = direct_run(s, CPU_ES, CPU_DI, false, most, &other);
    if (count > 0) {
        count = direct_run(s, s->source_segment, CPU_SI, false, count, &one);
    }
    return count == 0 ? 0 : compare(s, one, other, count);
}

/* How many bytes in front of the accumulator's, which is looked for upwards. */
static uint32_t count_other(const struct string_state *s, const uint8_t *in, uint32_t count)
{
    const uint8_t *found = memchr(in, (int)(s->t->gpr[CPU_AX] & 0xff), count);
    return found != NULL ? (uint32_t)(found - in) : count - 1;
}

static uint32_t run_scas(struct string_state *s, uint32_t most)
{
    uint8_t *in = NULL;
    uint32_t count = direct_run(s, CPU_ES, CPU_DI, false, most, &in);
    if (count == 0) {
        return 0;
    }
    uint32_t skipped = s->width == 1 && !s->down && !s->until_differs ? count_other(s, in, count) : 0;
    switch (s->width) {
    case 1: return skipped + compare_each(s, NULL, in + skipped, count - skipped, 1, true);
    case 2: return compare_each(s, NULL, in, count, 2, true);
    default: return compare_each(s, NULL, in, count, 4, true);
    }
}

/* ---- repetition */

static void advance(const struct string_state *s, unsigned number, uint32_t by)
{
    uint32_t *reg = &s->t->gpr[number];
    *reg = (*reg & ~s->address_mask) | ((*reg + by) & s->address_mask);
}

/* One run; how many iterations, 0: none can be done here. */
static uint32_t run_once(struct string_state *s, enum insn_id id, uint32_t most)
{
    uint32_t count;
    switch (id) {
    case INSN_MOVS: count = run_movs(s, most); break;
    case INSN_STOS: count = run_stos(s, most); break;
    case INSN_CMPS: count = run_cmps(s, most); break;
    case INSN_SCAS: count = run_scas(s, most); break;
    default: return 0;
    }
    uint32_t distance = s->down ? 0 - count * s->width : count * s->width;
    advance(s, CPU_CX, 0 - count);
    advance(s, CPU_DI, distance);
    if (id == INSN_MOVS || id == INSN_CMPS) {
        advance(s, CPU_SI, distance);
    }
    return count;
}

static void set_flags(const struct string_state *s)
{
    struct lazy_flags flags;
    flags_set_sub(&flags, s->a, s->b, s->a - s->b, s->width * 8);
    s->t->flags = translator_host_flags(flags_to_eflags(&flags));
}

struct string_progress translator_repeat_string(struct translator *t, const struct translator_site *site)
{
    struct string_state s = {
        .t = t,
        .width = site->width,
        .source_segment = site->detail & STRING_SEGMENT,
        .address_mask = site->detail & STRING_ADDRESS16 ? 0xffffu : UINT32_MAX,
        .down = (t->cpu->eflags_other & EFLAGS_DF) != 0,
        .until_differs = !(site->detail & STRING_REPNE),
    };
    struct string_progress progress = {0};
    uint32_t beyond = (uint32_t)t->budget; /* iterations that may be added to the one that is counted */
    while (!progress.finished) {
        uint32_t left = t->gpr[CPU_CX] & s.address_mask;
        uint32_t most = left - 1 <= beyond ? left : beyond;
        uint32_t done = most != 0 ? run_once(&s, (enum insn_id)site->insn, most) : 0;
        if (done == 0) {
            break;
        }
        beyond -= done;
        progress.iterations += done;
        progress.finished = s.stopped || done == left;
    }
    if (progress.finished && (site->insn == INSN_CMPS || site->insn == INSN_SCAS)) {
        set_flags(&s);
    }
    return progress;
}

/* How far it is from where register `index` points to the end of its line of 64 bytes. */
static uint32_t left_of_line(const struct translator *t, const struct translator_site *site, unsigned segment,
                             unsigned index)
{
    uint32_t line = (1u << CODE_LINE_SHIFT) - 1;
    uint32_t at = (uint32_t)(t->cpu->segment[segment].base + t->gpr[index]) & line;
    uint32_t bytes = t->cpu->eflags_other & EFLAGS_DF ? at + site->width : line + 1 - at;
    return bytes < site->width ? 1 : bytes / site->width;
}

uint32_t translator_string_portion(const struct translator *t, const struct translator_site *site)
{
    if (site->insn == INSN_INS || site->insn == INSN_OUTS || site->insn == INSN_LODS) {
        return UINT32_MAX;
    }
    uint32_t portion = left_of_line(t, site, CPU_ES, CPU_DI);
    if (site->insn == INSN_STOS || site->insn == INSN_SCAS) {
        return portion;
    }
    return minimum(portion, left_of_line(t, site, site->detail & STRING_SEGMENT, CPU_SI));
}

/* See cpu_compare.h. One list of values serves comparison and printing; most are fields, as rows of a table.
 */
#include "machine/cpu_compare.h"

#include <inttypes.h>
#include <stddef.h>
#include <string.h>

#include "cpu/cpu.h"

/* A field, or `count` of them `stride` bytes apart. */
struct field {
    const char *name;
    uint16_t offset;
    uint8_t size;
    uint8_t count;
    uint8_t stride;
};

#define FIELD(name, member)                                                                                  \
    {                                                                                                        \
        name, offsetof(struct cpu_state, member), sizeof(((struct cpu_state *)NULL)->member), 1, 0           \
    }
#define FIELDS(name, array)                                                                                  \
    {                                                                                                        \
        name, offsetof(struct cpu_state, array), sizeof(((struct cpu_state *)NULL)->array[0]),               \
            ARRAY_COUNT(((struct cpu_state *)NULL)->array), sizeof(((struct cpu_state *)NULL)->array[0])     \
    }

static const struct field fields[] = {
    FIELD("RIP", rip),
    FIELD("mode", mode),
    FIELD("CPL", cpl),
    FIELD("code size", code_size),
    FIELD("stack size", stack_size),
    FIELD("stack mask", stack_mask),
    FIELD("alignment checks", alignment_checks),
    FIELD("GDTR base", gdtr.base),
    FIELD("GDTR limit", gdtr.limit),
    FIELD("IDTR base", idtr.base),
    FIELD("IDTR limit", idtr.limit),
    FIELD("CR0", cr0),
    FIELD("CR2", cr2),
    FIELD("CR3", cr3),
    FIELD("CR4", cr4),
    FIELDS("PDPTE", pdpte),
    FIELD("x87 control", x87.control),
    FIELD("x87 status", x87.status),
    FIELD("x87 full", x87.full),
    FIELD("x87 IGNNE", x87.ignne),
    FIELD("MXCSR", mxcsr),
    FIELDS("DR", dr),
    FIELD("EFER", efer),
    FIELD("pending DR6", pending_dr6),
    FIELD("halted", halted),
    FIELD("shutdown", shutdown),
    FIELD("NMI blocked", nmi_blocked),
    FIELD("retired", retired),
    FIELD("TSC offset", tsc_offset),
    FIELDS("random seed", random.seed),
    FIELD("random numbers", random.drawn),
    FIELD("SYSENTER CS", sysenter_cs),
    FIELD("SYSENTER ESP", sysenter_esp),
    FIELD("SYSENTER EIP", sysenter_eip),
    FIELD("APIC base", apic_base),
    FIELD("PAT", pat),
    FIELD("MTRR default", mtrr_def_type),
    FIELDS("MTRR fixed", mtrr_fixed),
    FIELDS("MTRR variable", mtrr_physical),
};

static const char *const register_names[] = {"EAX", "ECX", "EDX", "EBX", "ESP", "EBP", "ESI", "EDI"};
static const char *const segment_names[] = {"ES", "CS", "SS", "DS", "FS", "GS"};

static const void *field_at(const struct cpu_state *cpu, const struct field *field, unsigned index)
{
    return (const uint8_t *)cpu + field->offset + index * field->stride;
}

static uint64_t field_value(const struct cpu_state *cpu, const struct field *field, unsigned index)
{
    const void *at = field_at(cpu, field, index);
    uint8_t b;
    uint16_t w;
    uint32_t d;
    uint64_t q;
    switch (field->size) {
    case 1: memcpy(&b, at, sizeof b); return b;
    case 2: memcpy(&w, at, sizeof w); return w;
    case 4: memcpy(&d, at, sizeof d); return d;
    default: memcpy(&q, at, sizeof q); return q;
    }
}

static bool fields_equal(const struct cpu_state *one, const struct cpu_state *other)
{
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        if (memcmp(field_at(one, &fields[i], 0), field_at(other, &fields[i], 0),
                   (size_t)fields[i].size * fields[i].count) != 0) {
            return false;
        }
    }
    return true;
}

static bool registers_equal(const struct cpu_state *one, const struct cpu_state *other)
{
    return memcmp(one->gpr, other->gpr, 8 * sizeof one->gpr[0]) == 0;
}

static bool segment_equal(const struct segment *one, const struct segment *other)
{
    return one->selector == other->selector && one->attributes == other->attributes &&
           one->limit == other->limit && one->base == other->base && one->read_first == other->read_first &&
           one->read_last == other->read_last && one->write_first == other->write_first &&
           one->write_last == other->write_last;
}

static bool segments_equal(const struct cpu_state *one, const struct cpu_state *other)
{
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        if (!segment_equal(&one->segment[i], &other->segment[i])) {
            return false;
        }
    }
    return segment_equal(&one->ldtr, &other->ldtr) && segment_equal(&one->tr, &other->tr);
}

static bool float80_equal(struct float80 one, struct float80 other)
{
    return one.significand == other.significand && one.sign_exponent == other.sign_exponent;
}

static bool vectors_equal(const struct cpu_state *one, const struct cpu_state *other)
{
    for (unsigned i = 0; i < ARRAY_COUNT(one->x87.reg); i++) {
        if (!float80_equal(one->x87.reg[i], other->x87.reg[i])) {
            return false;
        }
    }
    return memcmp(one->xmm, other->xmm, sizeof one->xmm) == 0;
}

bool cpu_states_equal(const struct cpu_state *one, const struct cpu_state *other)
{
    return registers_equal(one, other) && one->rip == other->rip && cpu_eflags(one) == cpu_eflags(other) &&
           ((one->pending ^ other->pending) & CPU_COMPARE_PENDING) == 0 && fields_equal(one, other) &&
           segments_equal(one, other) && vectors_equal(one, other);
}

/* ---- printing */

static void print_pair(FILE *out, const char *name, uint64_t one, uint64_t other)
{
    fprintf(out, "%c %-18s %016" PRIx64 "  %016" PRIx64 "\n", one == other ? ' ' : '*', name, one, other);
}

static void print_flags(FILE *out, const struct cpu_state *one, const struct cpu_state *other)
{
    static const struct {
        uint32_t bit;
        char letter;
    } letters[] = {{EFLAGS_AC, 'c'}, {EFLAGS_VM, 'v'}, {EFLAGS_RF, 'r'}, {EFLAGS_NT, 'n'}, {EFLAGS_OF, 'O'},
                   {EFLAGS_DF, 'D'}, {EFLAGS_IF, 'I'}, {EFLAGS_TF, 'T'}, {EFLAGS_SF, 'S'}, {EFLAGS_ZF, 'Z'},
                   {EFLAGS_AF, 'A'}, {EFLAGS_PF, 'P'}, {EFLAGS_CF, 'C'}};
    const struct cpu_state *const sides[2] = {one, other};
    fprintf(out, "%c %-18s", cpu_eflags(one) == cpu_eflags(other) ? ' ' : '*', "EFLAGS");
    for (unsigned side = 0; side < 2; side++) {
        char text[ARRAY_COUNT(letters) + 1] = "";
        for (size_t i = 0; i < ARRAY_COUNT(letters); i++) {
            text[i] = cpu_eflags(sides[side]) & letters[i].bit ? letters[i].letter : '-';
        }
        fprintf(out, " %-17s", text);
    }
    fprintf(out, " (%08" PRIx32 ", %08" PRIx32 ")\n", cpu_eflags(one), cpu_eflags(other));
}

static void print_segment(FILE *out, const char *name, const struct segment *one, const struct segment *other)
{
    if (segment_equal(one, other)) {
        return;
    }
    const struct segment *const sides[2] = {one, other};
    fprintf(out, "* %-18s", name);
    for (unsigned side = 0; side < 2; side++) {
        const struct segment *s = sides[side];
        fprintf(out, " %04x base %08" PRIx64 " limit %08" PRIx32 " attributes %04x", s->selector, s->base,
                s->limit, s->attributes);
        fprintf(out, " read %" PRIx32 "-%" PRIx32 " write %" PRIx32 "-%" PRIx32 "%s", s->read_first,
                s->read_last, s->write_first, s->write_last, side == 0 ? ";" : "\n");
    }
}

static void print_fields(FILE *out, const struct cpu_state *one, const struct cpu_state *other)
{
    for (size_t i = 0; i < ARRAY_COUNT(fields); i++) {
        for (unsigned index = 0; index < fields[i].count; index++) {
            uint64_t values[2] = {field_value(one, &fields[i], index), field_value(other, &fields[i], index)};
            char name[32];
            snprintf(name, sizeof name, fields[i].count > 1 ? "%s%u" : "%s", fields[i].name, index);
            if (values[0] != values[1] || i == 0) {
                print_pair(out, name, values[0], values[1]);
            }
        }
    }
}

static void print_vectors(FILE *out, const struct cpu_state *one, const struct cpu_state *other)
{
    for (unsigned i = 0; i < ARRAY_COUNT(one->x87.reg); i++) {
        struct float80 a = one->x87.reg[i];
        struct float80 b = other->x87.reg[i];
        if (!float80_equal(a, b)) {
            fprintf(out, "* x87 R%u             %04x %016" PRIx64 "  %04x %016" PRIx64 "\n", i,
                    a.sign_exponent, a.significand, b.sign_exponent, b.significand);
        }
    }
    for (unsigned i = 0; i < CPU_XMM_SLOTS; i++) {
        const uint8_t *a = one->xmm[i].b;
        const uint8_t *b = other->xmm[i].b;
        if (memcmp(a, b, sizeof one->xmm[i].b) != 0) {
            fprintf(out,
                    "* XMM%-2u              %016" PRIx64 "%016" PRIx64 "  %016" PRIx64 "%016" PRIx64 "\n", i,
                    load_le64(a + 8), load_le64(a), load_le64(b + 8), load_le64(b));
        }
    }
}

void cpu_print_difference(FILE *out, const char *name, const struct cpu_state *one, const char *other_name,
                          const struct cpu_state *other)
{
    fprintf(out, "  %-18s %-17s %s\n", "", name, other_name);
    for (unsigned i = 0; i < ARRAY_COUNT(register_names); i++) {
        print_pair(out, register_names[i], one->gpr[i].q, other->gpr[i].q);
    }
    print_flags(out, one, other);
    print_fields(out, one, other);
    if ((one->pending ^ other->pending) & CPU_COMPARE_PENDING) {
        print_pair(out, "pending", one->pending & CPU_COMPARE_PENDING, other->pending & CPU_COMPARE_PENDING);
    }
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        print_segment(out, segment_names[i], &one->segment[i], &other->segment[i]);
    }
    print_segment(out, "LDTR", &one->ldtr, &other->ldtr);
    print_segment(out, "TR", &one->tr, &other->tr);
    print_vectors(out, one, other);
}

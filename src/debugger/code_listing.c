/* See code_listing.h. Sensitive instructions are those of Robin & Irvine's list (decoder/insn.def). */
#include "debugger/code_listing.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/disassembly.h"
#include "debugger/monitor_internal.h"
#include "debugger/style.h"
#include "decoder/decoder.h"

#define BYTES_SHOWN 8u     /* before the column of instructions moves */
#define DATA_LOWEST 0x1000 /* smaller numbers in operands are hardly addresses */

/* Code at `linear` = base + offset, the offset being what jumps in it count with. */
struct code_place {
    uint64_t base;
    uint64_t offset;
    bool in_segment; /* CS's own, of 16-bit code */
};

static struct code_place find_place(const struct cpu_state *cpu, uint64_t linear, unsigned bits)
{
    const struct segment *code = &cpu->segment[CPU_CS];
    uint64_t offset = (linear - code->base) & UINT32_MAX;
    if (bits != 16) {
        return (struct code_place){.base = code->base, .offset = offset};
    }
    if (offset <= 0xFFFF) {
        return (struct code_place){.base = code->base, .offset = offset, .in_segment = cpu->code_size == 2};
    }
    return (struct code_place){.base = linear & ~UINT64_C(0xFFFF), .offset = linear & 0xFFFF};
}

uint64_t code_listing_here(struct monitor *monitor)
{
    const struct cpu_state *cpu = machine_cpu(monitor->machine);
    return (cpu->segment[CPU_CS].base + (cpu->rip & bits_mask(8u * cpu->code_size))) & UINT32_MAX;
}

const char *code_listing_address(struct monitor *monitor, uint64_t linear, char *text, size_t size)
{
    const struct cpu_state *cpu = machine_cpu(monitor->machine);
    const struct code_place place = find_place(cpu, linear, cpu->code_size * 8u);
    if (place.in_segment) {
        snprintf(text, size, "%04x:%04x", cpu->segment[CPU_CS].selector, (unsigned)place.offset);
    } else {
        snprintf(text, size, "%08llx", (unsigned long long)linear);
    }
    return text;
}

/* Properties of the instruction (decoder/insn.h); 0 when it is none. */
static unsigned properties_of(unsigned bits, const uint8_t *bytes, size_t length)
{
    const struct decode_mode mode = {.code_size = (uint8_t)(bits / 8)};
    struct insn insn;
    return decoder_decode(&mode, bytes, length, &insn) == DECODE_OK
               ? (unsigned)insn_info((enum insn_id)insn.id)->properties
               : 0;
}

/* Bytes of the instruction; 1 when it is none. */
static unsigned length_of(unsigned bits, const uint8_t *bytes, size_t length)
{
    const struct decode_mode mode = {.code_size = (uint8_t)(bits / 8)};
    struct insn insn;
    return decoder_decode(&mode, bytes, length, &insn) == DECODE_OK ? insn.length : 1;
}

unsigned code_listing_length(struct monitor *monitor, uint64_t address)
{
    uint8_t bytes[INSN_MAX_LENGTH];
    size_t length = guest_memory_read(monitor->machine, GUEST_LINEAR, address, bytes, sizeof bytes);
    return length > 0 ? length_of(machine_cpu(monitor->machine)->code_size * 8u, bytes, length) : 0;
}

/* The address that an instruction names, as far as its text shows. */
static bool find_operand_address(const struct cpu_state *cpu, const struct code_place *place, bool branch,
                                 const char *operands, uint64_t *linear)
{
    /* capstone writes numbers below 10 without 0x */
    const char *number = branch && isdigit((unsigned char)*operands) ? operands : strstr(operands, "0x");
    if (number == NULL || (number > operands && number[-1] == '-')) {
        return false;
    }
    char *end;
    uint64_t value = strtoull(number, &end, 0);
    if (*end == ':') { /* a far pointer */
        *linear = (value << 4) + strtoull(end + 1, NULL, 0);
        return cpu->mode != CPU_MODE_PROTECTED;
    }
    bool target = branch && number == operands;
    *linear = ((target ? place->base : cpu->segment[CPU_DS].base) + value) & UINT32_MAX;
    return target || value >= DATA_LOWEST;
}

/* What an operand names, and whether the instruction is sensitive. */
static void add_remarks(struct monitor *monitor, const struct code_place *place, unsigned bits,
                        const struct disassembly *code, struct code_line *line)
{
    uint64_t address;
    unsigned properties = properties_of(bits, line->bytes, code->length);
    if (find_operand_address(machine_cpu(monitor->machine), place, (properties & INSN_BRANCH) != 0,
                             code->operands, &address)) {
        symbols_describe(monitor->symbols, address, line->symbol, sizeof line->symbol);
    }
    line->sensitive = (properties & INSN_SENSITIVE) != 0;
}

static void add_marks(struct monitor *monitor, uint64_t linear, struct code_line *line)
{
    const struct symbol *symbol = symbols_find_address(monitor->symbols, linear);
    if (symbol != NULL && symbol->address == linear) {
        snprintf(line->label, sizeof line->label, "%s", symbol->name);
    }
    line->here = linear == code_listing_here(monitor);
    line->breakpoint = debugger_has_code_breakpoint(monitor->debugger, (uint32_t)linear);
}

void code_listing_describe(struct monitor *monitor, enum guest_space space, uint64_t address, unsigned bits,
                           struct code_line *line)
{
    const struct cpu_state *cpu = machine_cpu(monitor->machine);
    bits = bits != 0 ? bits : cpu->code_size * 8u;
    const struct code_place place =
        space == GUEST_LINEAR ? find_place(cpu, address, bits) : (struct code_place){.offset = address};
    *line = (struct code_line){.length = 0};
    if (space == GUEST_LINEAR) {
        add_marks(monitor, address, line);
    }
    if (place.in_segment) {
        snprintf(line->address, sizeof line->address, "%04x:%04x", cpu->segment[CPU_CS].selector,
                 (unsigned)place.offset & 0xFFFFu);
    } else {
        snprintf(line->address, sizeof line->address, "%08llx", (unsigned long long)address);
    }
    size_t length = guest_memory_read(monitor->machine, space, address, line->bytes, sizeof line->bytes);
    if (length == 0) {
        return;
    }
    if (!disassembly_is_there()) {
        line->length = length_of(bits, line->bytes, length);
        return;
    }
    const struct disassembly code = disassembly_of(monitor->syntax, bits, place.offset, line->bytes, length);
    line->length = code.length;
    snprintf(line->text, sizeof line->text, "%s%s%s", code.mnemonic, code.operands[0] != '\0' ? " " : "",
             code.operands);
    add_remarks(monitor, &place, bits, &code, line);
}

static void print_line(FILE *out, const struct code_line *line)
{
    if (line->label[0] != '\0') {
        fprintf(out, "%s%s:%s\n", style_of(out, STYLE_LABEL), line->label, style_of(out, STYLE_PLAIN));
    }
    fprintf(out, "%s%c%c%s:", line->here ? style_of(out, STYLE_HERE) : "", line->here ? '>' : ' ',
            line->breakpoint ? '*' : ' ', line->address);
    if (line->length == 0) {
        fprintf(out, " ??%s\n", style_of(out, STYLE_PLAIN));
        return;
    }
    for (unsigned n = 0; n < line->length; n++) {
        fprintf(out, " %02x", line->bytes[n]);
    }
    fprintf(out, "%*s  %s%s", line->length < BYTES_SHOWN ? (int)(3 * (BYTES_SHOWN - line->length)) : 0, "",
            line->text, style_of(out, STYLE_PLAIN));
    if (line->symbol[0] != '\0' || line->sensitive) {
        fprintf(out, "  %s; %s%s%s%s", style_of(out, STYLE_REMARK), line->symbol,
                line->symbol[0] != '\0' && line->sensitive ? ", " : "", line->sensitive ? "sensitive" : "",
                style_of(out, STYLE_PLAIN));
    }
    fputc('\n', out);
}

struct status code_listing_print(struct monitor *monitor, FILE *out, enum guest_space space, uint64_t address,
                                 unsigned bits, unsigned count, uint64_t *next)
{
    *next = address;
    if (!disassembly_is_there()) {
        return status_error(STATUS_UNSUPPORTED, "this doppel was built without a disassembler (capstone)");
    }
    for (unsigned i = 0; i < count; i++) {
        struct code_line line;
        code_listing_describe(monitor, space, *next, bits, &line);
        print_line(out, &line);
        if (line.length == 0) {
            break;
        }
        *next = (*next + line.length) & UINT32_MAX;
    }
    return status_ok();
}

/* ---- commands */

#define DEFAULT_COUNT 10
#define COUNT_MAX     4096

/* /16, /32 or /64. */
static bool parse_bits(const char *word, unsigned *bits)
{
    static const unsigned sizes[] = {16, 32, 64};
    char *end;
    unsigned long value = strtoul(word + 1, &end, 10);
    for (size_t i = 0; i < ARRAY_COUNT(sizes); i++) {
        if (*end == '\0' && value == sizes[i]) {
            *bits = sizes[i];
            return true;
        }
    }
    return false;
}

struct status command_disassemble(struct monitor_session *session, int argc, char **argv)
{
    struct monitor *monitor = session->monitor;
    const uint64_t retired = machine_cpu(monitor->machine)->retired;
    uint64_t address = monitor->listed_at == retired && monitor->listing_goes_on ? monitor->listed_up_to
                                                                                 : code_listing_here(monitor);
    uint64_t count = DEFAULT_COUNT;
    unsigned bits = 0;
    int word = 1;
    struct status status = status_ok();
    if (argc > 1 && argv[1][0] == '/') {
        word = 2;
        if (!parse_bits(argv[1], &bits)) {
            return status_error(STATUS_INVALID_ARGUMENT, "\"%s\": code has /16, /32 or /64 bits", argv[1]);
        }
    }
    if (argc > word + 2) {
        return monitor_usage(argv[0]);
    }
    if (argc > word) {
        status = monitor_evaluate(monitor, argv[word], &address);
    }
    if (status_is_ok(&status) && argc > word + 1) {
        status = monitor_evaluate(monitor, argv[word + 1], &count);
    }
    if (status_is_ok(&status) && (count == 0 || count > COUNT_MAX)) {
        status = status_error(STATUS_INVALID_ARGUMENT, "the count is 1 to %d", COUNT_MAX);
    }
    if (status_is_ok(&status)) {
        status = code_listing_print(monitor, session->out, GUEST_LINEAR, address & UINT32_MAX, bits,
                                    (unsigned)count, &monitor->listed_up_to);
        monitor->listed_at = retired;
        monitor->listing_goes_on = true;
    }
    return status;
}

/* `backtrace`: who called whom, by two methods that each may be wrong and are shown apart.
 *
 * Frame pointers: EBP (BP on a 16-bit stack) leads to the caller's saved one, with the return address above
 * it. Where the instruction before a return address is a far CALL (or, of 16-bit code, only the pair of words
 * there is preceded by one), it is a far one. The chain ends where a frame does not lie above the one before.
 *
 * The scan: every word on the stack that is the address behind a CALL, near or far. It finds callers in code
 * without frames, and also what earlier calls left behind.
 *
 * NOT IMPLEMENTED: unwinding by debug information; frames of interrupt handlers. */
#include "debugger/code_listing.h"
#include "debugger/descriptor_table.h"
#include "debugger/monitor_internal.h"
#include "decoder/decoder.h"

#define FRAMES_DEFAULT  32
#define FRAMES_MAX      1000
#define SCAN_BYTES      1024u
#define LONGEST_CALL    7u
#define CALL_PREFIX_MAX 3u

enum call_kind { CALL_NONE, CALL_IS_NEAR, CALL_IS_FAR };

struct trace {
    struct monitor *monitor;
    FILE *out;
    uint64_t left; /* lines that may be printed yet */
    unsigned number;
};

/* Which kind of CALL of `code_size` bytes' code ends at `linear`. */
static enum call_kind call_before(struct machine *machine, uint64_t linear, unsigned code_size)
{
    const struct decode_mode mode = {.code_size = (uint8_t)code_size};
    for (unsigned length = 2; length <= LONGEST_CALL + CALL_PREFIX_MAX; length++) {
        uint8_t bytes[LONGEST_CALL + CALL_PREFIX_MAX];
        struct insn insn;
        if (guest_memory_read(machine, GUEST_LINEAR, linear - length, bytes, length) == length &&
            decoder_decode(&mode, bytes, length, &insn) == DECODE_OK && insn.length == length) {
            if (insn.id == INSN_CALL_NEAR) {
                return CALL_IS_NEAR;
            }
            if (insn.id == INSN_CALL_FAR) {
                return CALL_IS_FAR;
            }
        }
    }
    return CALL_NONE;
}

/* A code address SELECTOR:OFFSET as linear one; false: no such segment. */
static bool far_to_linear(struct machine *machine, uint16_t selector, uint64_t offset, uint64_t *linear)
{
    uint64_t base = (uint64_t)selector << 4;
    if (machine_cpu(machine)->mode == CPU_MODE_PROTECTED) {
        struct status status = descriptor_table_segment_base(machine, selector, &base);
        if (!status_is_ok(&status)) {
            return false;
        }
    }
    *linear = (base + offset) & UINT32_MAX;
    return true;
}

struct return_address {
    enum call_kind kind;
    uint64_t linear;
    uint16_t selector;
    uint64_t offset;
};

/* What the words at linear `at` return to, in code of `width` bytes' words. */
static struct return_address read_return(struct machine *machine, uint64_t at, unsigned width)
{
    const struct cpu_state *cpu = machine_cpu(machine);
    const struct segment *code = &cpu->segment[CPU_CS];
    struct return_address found = {.kind = CALL_NONE, .selector = code->selector};
    uint8_t bytes[8];
    size_t length = guest_memory_read(machine, GUEST_LINEAR, at, bytes, 2 * width);
    if (length < width) {
        return found;
    }
    found.offset = load_le(bytes, width);
    found.linear = (code->base + found.offset) & UINT32_MAX;
    if (found.offset <= code->limit && call_before(machine, found.linear, cpu->code_size) == CALL_IS_NEAR) {
        found.kind = CALL_IS_NEAR;
        return found;
    }
    uint64_t linear;
    uint16_t selector = load_le16(bytes + width);
    if (length == 2 * width && far_to_linear(machine, selector, found.offset, &linear) &&
        call_before(machine, linear, cpu->code_size) == CALL_IS_FAR) {
        found = (struct return_address){
            .kind = CALL_IS_FAR, .linear = linear, .selector = selector, .offset = found.offset};
    }
    return found;
}

/* The symbol of a frame. A call that never returns may be its function's last instruction, so callers are
 * looked up by the byte before the return address. */
static void name_frame(const struct trace *trace, const struct return_address *place, char *name, size_t size)
{
    const uint64_t inside = (place->linear - (place->kind != CALL_NONE ? 1 : 0)) & UINT32_MAX;
    const struct symbol *symbol = symbols_find_address(trace->monitor->symbols, inside);
    name[0] = '\0';
    if (symbol != NULL && symbol->address == place->linear) {
        snprintf(name, size, "%s", symbol->name);
    } else if (symbol != NULL) {
        snprintf(name, size, "%s+0x%llx", symbol->name,
                 (unsigned long long)(place->linear - symbol->address));
    }
}

static void print_frame(struct trace *trace, const struct return_address *place, const char *remark)
{
    char name[120];
    const unsigned digits = machine_cpu(trace->monitor->machine)->code_size == 2 ? 4 : 8;
    name_frame(trace, place, name, sizeof name);
    fprintf(trace->out, "#%-3u %04x:%0*llx%s%s%s\n", trace->number++, place->selector, (int)digits,
            (unsigned long long)place->offset, name[0] != '\0' ? "  " : "", name, remark);
    trace->left--;
}

/* Follows the frame pointers; the number of frames. */
static void follow_frames(struct trace *trace)
{
    struct machine *machine = trace->monitor->machine;
    const struct cpu_state *cpu = machine_cpu(machine);
    const unsigned width = cpu->code_size == 2 ? 2 : 4;
    const uint64_t stack = cpu->segment[CPU_SS].base;
    uint64_t frame = cpu->gpr[CPU_BP].q & cpu->stack_mask;
    while (trace->left > 0) {
        uint64_t caller = 0;
        struct status status = guest_memory_load(machine, GUEST_LINEAR, stack + frame, width, &caller);
        if (!status_is_ok(&status)) {
            break;
        }
        struct return_address place = read_return(machine, stack + frame + width, width);
        if (place.kind == CALL_NONE) {
            break;
        }
        print_frame(trace, &place, place.kind == CALL_IS_FAR ? "  (far)" : "");
        if (caller <= frame) {
            break;
        }
        frame = caller;
    }
}

static void scan_stack(struct trace *trace)
{
    struct machine *machine = trace->monitor->machine;
    const struct cpu_state *cpu = machine_cpu(machine);
    const unsigned width = cpu->code_size == 2 ? 2 : 4;
    const uint64_t top = cpu->gpr[CPU_SP].q & cpu->stack_mask;
    for (unsigned at = 0; at < SCAN_BYTES && trace->left > 0; at += width) {
        const uint64_t offset = (top + at) & cpu->stack_mask;
        struct return_address place =
            read_return(machine, (cpu->segment[CPU_SS].base + offset) & UINT32_MAX, width);
        if (place.kind != CALL_NONE) {
            char remark[40];
            snprintf(remark, sizeof remark, "%s  at %s+0x%x", place.kind == CALL_IS_FAR ? "  (far)" : "",
                     cpu->stack_size == 2 ? "sp" : "esp", at);
            print_frame(trace, &place, remark);
        }
    }
}

struct status command_backtrace(struct monitor_session *session, int argc, char **argv)
{
    const struct cpu_state *cpu = machine_cpu(session->monitor->machine);
    uint64_t count = FRAMES_DEFAULT;
    if (argc > 2) {
        return monitor_usage(argv[0]);
    }
    if (argc == 2) {
        struct status status = monitor_evaluate(session->monitor, argv[1], &count);
        if (status_is_ok(&status) && (count == 0 || count > FRAMES_MAX)) {
            status = status_error(STATUS_INVALID_ARGUMENT, "the count is 1 to %d", FRAMES_MAX);
        }
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    struct trace trace = {.monitor = session->monitor, .out = session->out, .left = count};
    const struct return_address here = {.linear = code_listing_here(session->monitor),
                                        .selector = cpu->segment[CPU_CS].selector,
                                        .offset = cpu->rip & bits_mask(8u * cpu->code_size)};
    print_frame(&trace, &here, "");
    follow_frames(&trace);
    fputs("behind calls on the stack:\n", session->out);
    trace = (struct trace){.monitor = session->monitor, .out = session->out, .left = count};
    scan_stack(&trace);
    return status_ok();
}

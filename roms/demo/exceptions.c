/*
 * See exceptions.h. Vectors, names and error codes: SDM 3A §6.15; page-fault error code: §4.7.
 *
 * The way back puts the machine into the state commands expect: paging and emulation off, all gates present.
 * What a command had half done stays half done.
 */
#include "exceptions.h"

#include <stdbool.h>

#include "console.h"
#include "screen.h"
#include "serial.h"
#include "text.h"
#include "x86.h"

#define VECTOR_PAGE_FAULT  14
#define VECTORS_WITH_ERROR 0x00027d00u /* bits 8, 10 to 14 and 17: as in entry.S */
#define CODE_BYTES         16
#define STACK_WORDS        6

struct exception_row {
    const char *mnemonic;
    const char *name;
    const char *meaning;
};

// clang-format off
static const struct exception_row exceptions[] = {
    [0]  = {"#DE", "divide error",           "A division by zero, or a quotient too large for its register."},
    [1]  = {"#DB", "debug",                  "A single step, a hardware breakpoint or a task switch with T set."},
    [2]  = {"NMI", "non-maskable interrupt", "The machine reports a hardware problem."},
    [3]  = {"#BP", "breakpoint",             "An INT3 instruction."},
    [4]  = {"#OF", "overflow",               "INTO with the overflow flag set."},
    [5]  = {"#BR", "bound range exceeded",   "BOUND with an index outside its limits."},
    [6]  = {"#UD", "invalid opcode",         "These bytes are no instruction of this processor."},
    [7]  = {"#NM", "device not available",   "A coprocessor instruction while CR0 says emulate, or task switched."},
    [8]  = {"#DF", "double fault",           "A second fault on the way to the handler of a first one."},
    [9]  = {"CSO", "coprocessor overrun",    "An operand of the coprocessor past the end of its segment."},
    [10] = {"#TS", "invalid TSS",            "A task state segment that cannot be switched to."},
    [11] = {"#NP", "segment not present",    "A segment or gate whose present bit is clear."},
    [12] = {"#SS", "stack fault",            "A stack segment that is not present, or an access past its limit."},
    [13] = {"#GP", "general protection",     "Something the protection rules forbid."},
    [14] = {"#PF", "page fault",             "A linear address without a page, or a page that forbids this access."},
    [16] = {"#MF", "floating-point error",   "An unmasked x87 exception."},
    [17] = {"#AC", "alignment check",        "An unaligned access while alignment checks are on."},
    [18] = {"#MC", "machine check",          "The processor reports an internal error."},
    [19] = {"#XM", "SIMD error",             "An unmasked SSE exception."},
};
// clang-format on

static struct {
    struct recovery_point point;
    bool guarded;
    bool reporting;
    struct console_view view;
} state;

static const struct exception_row *find_row(unsigned vector)
{
    static const struct exception_row reserved = {"#??", "reserved", "A vector this kernel does not know."};
    if (vector >= sizeof(exceptions) / sizeof(exceptions[0]) || exceptions[vector].name == NULL)
        return &reserved;
    return &exceptions[vector];
}

const char *exceptions_mnemonic(unsigned vector)
{
    return find_row(vector)->mnemonic;
}

const char *exceptions_name(unsigned vector)
{
    return find_row(vector)->name;
}

static void print_error_code(const struct interrupt_frame *frame)
{
    uint32_t error = frame->error;
    if ((VECTORS_WITH_ERROR >> frame->vector & 1) == 0)
        return;
    console_print("  error     %08x", error);
    if (frame->vector == VECTOR_PAGE_FAULT) {
        console_print("  %s, %s, address %08x", (error & 1) != 0 ? "protection" : "page not present",
                      (error & 2) != 0 ? "write" : "read", cr2_read());
    } else if (error != 0) {
        static const char *const tables[] = {"GDT", "IDT", "LDT", "IDT"};
        console_print("  %s entry %u%s", tables[error >> 1 & 3], error >> 3,
                      (error & 1) != 0 ? ", external" : "");
    }
    console_put('\n');
}

static void print_flags(uint32_t eflags)
{
    static const struct {
        uint8_t bit;
        const char *name;
    } flags[] = {{0, "CF"},  {2, "PF"},  {4, "AF"},  {6, "ZF"},  {7, "SF"},  {8, "TF"},  {9, "IF"},
                 {10, "DF"}, {11, "OF"}, {14, "NT"}, {16, "RF"}, {17, "VM"}, {18, "AC"}, {21, "ID"}};
    console_print("  eflags    %08x ", eflags);
    for (unsigned i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        if ((eflags >> flags[i].bit & 1) != 0)
            console_print(" %s", flags[i].name);
    }
    console_put('\n');
}

static void print_frame(const struct interrupt_frame *frame)
{
    /* No change of privilege: the processor pushed no ESP, the frame's end is where it was. */
    const uint32_t *stack = (const uint32_t *)(frame + 1);
    console_print("  eax %08x    ebx %08x    ecx %08x    edx %08x\n", frame->eax, frame->ebx, frame->ecx,
                  frame->edx);
    console_print("  esi %08x    edi %08x    ebp %08x    esp %08x\n", frame->esi, frame->edi, frame->ebp,
                  (uint32_t)stack);
    console_print("  eip %08x    cr0 %08x    cs %04x ds %04x es %04x\n\n", frame->eip, cr0_read(),
                  frame->cs & 0xffff, frame->ds & 0xffff, frame->es & 0xffff);
    print_flags(frame->eflags);
    print_error_code(frame);
    console_print("  code     ");
    for (unsigned i = 0; i < CODE_BYTES; i++)
        console_print(" %02x", ((const uint8_t *)frame->eip)[i]);
    console_print("\n  stack    ");
    for (unsigned i = 0; i < STACK_WORDS; i++)
        console_print(" %08x", stack[i]);
    console_put('\n');
}

bool exceptions_guard(void (*function)(void *argument), void *argument)
{
    struct recovery_point outer = state.point;
    bool was_guarded = state.guarded;
    bool was_resumed = recovery_save(&state.point) != 0;
    if (!was_resumed) {
        state.guarded = true;
        function(argument);
    }
    state.point = outer;
    state.guarded = was_guarded;
    state.reporting = false;
    return !was_resumed;
}

static void repair_machine(void)
{
    cr0_write(cr0_read() & ~(CR0_PG | CR0_EM));
    for (unsigned vector = 0; vector < 32; vector++)
        interrupts_set_present(vector, true);
    vga_leave_graphics();
}

static void emergency_stop(const struct interrupt_frame *frame)
{
    char text[VGA_COLUMNS];
    text_format_buffer(text, sizeof(text), "exception %u at %08x inside the report: stopped", frame->vector,
                       frame->eip);
    for (unsigned i = 0; text[i] != '\0'; i++) {
        vga_put(VGA_ROWS - 1, i, text[i], vga_attribute(VGA_WHITE, VGA_RED));
        serial_write(text[i]);
    }
    cpu_stop();
}

void exceptions_report(const struct interrupt_frame *frame)
{
    if (state.reporting)
        emergency_stop(frame);
    state.reporting = true;
    const struct exception_row *row = find_row(frame->vector);
    vga_leave_graphics();
    console_save_view(&state.view);
    console_set_color(VGA_WHITE, VGA_RED);
    console_clear();
    console_print("\n  Exception %u: %s, %s\n", frame->vector, row->mnemonic, row->name);
    console_set_color(VGA_LIGHT_GRAY, VGA_RED);
    console_print("  %s\n\n", row->meaning);
    console_set_color(VGA_WHITE, VGA_RED);
    print_frame(frame);
    repair_machine();
    console_set_color(VGA_YELLOW, VGA_RED);
    if (!state.guarded) {
        console_print("\n  Nobody was prepared for this. The machine has stopped.\n");
        cpu_stop();
    }
    console_print("\n  Press a key to return to the prompt. ");
    interrupts_restore(eflags_read() | EFLAGS_IF);
    (void)console_read_key(CONSOLE_FOREVER);
    console_put('\n');
    console_restore_view(&state.view);
    recovery_resume(&state.point);
}

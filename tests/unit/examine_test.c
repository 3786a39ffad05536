/* The debugger's commands that look at memory and code and change them: on a machine whose memory is made by
 * hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "debugger/disassembly.h"
#include "monitor_bench.h"

static void load_symbols(struct bench *bench, const char *lines)
{
    char path[] = "/tmp/doppel-symbols-XXXXXX", command[64];
    int fd = mkstemp(path);
    assert_int_equal(write(fd, lines, strlen(lines)), (ssize_t)strlen(lines));
    close(fd);
    snprintf(command, sizeof command, "symbols load %s", path);
    assert_contains(answer(bench, command), " symbols\n");
    unlink(path);
}

/* ---- memory */

static void find_sees_bytes_values_and_text(void **state)
{
    struct bench *bench = *state;
    memcpy(bench->machine->ram + 0x12ffe, "\x11\x22\x33\x44Hello", 9);
    assert_string_equal(answer(bench, "find 0 0x100000 0x11 0x22"), "00012ffe\n(doppel) ");
    assert_string_equal(answer(bench, "find/w 0 0x100000 0x44332211"), "00012ffe\n(doppel) ");
    assert_string_equal(answer(bench, "find/hp 0x10000 0x4000 0x4433"), "00013000\n(doppel) ");
    assert_string_equal(answer(bench, "find 0 0x100000 \"Hello\""), "00013002\n(doppel) ");
    assert_string_equal(answer(bench, "find 0 0x100000 0x44 \"Hell\" 'o'"), "00013001\n(doppel) ");
    assert_string_equal(answer(bench, "find 0 0x12fff 0x11 0x22"), "not found\n(doppel) ");
    assert_string_equal(answer(bench, "find 0 0x13000 0x11 0x22"), "00012ffe\n(doppel) ");
    assert_contains(answer(bench, "find 0 0x1000 0"), "(there may be more)");
}

/* The pattern lies on both sides of where one read ends and the next begins. */
static void find_sees_what_crosses_its_own_reads(void **state)
{
    struct bench *bench = *state;
    for (unsigned at = 0xfff8; at <= 0x10008; at++) {
        char expected[32];
        memset(bench->machine->ram + 0xff00, 0, 0x200);
        memcpy(bench->machine->ram + at, "needle", 6);
        snprintf(expected, sizeof expected, "%08x\n(doppel) ", at);
        assert_string_equal(answer(bench, "find 0 0x20000 \"needle\""), expected);
    }
}

static void find_passes_over_holes(void **state)
{
    struct bench *bench = *state;
    struct machine *machine = bench->machine;
    store_le32(machine->ram + 0x1000, 0x2003);
    store_le32(machine->ram + 0x2000 + 4 * 3, 0x5003);
    store_le32(machine->ram + 0x2000 + 4 * 9, 0x6003);
    machine->cpu.cr3 = 0x1000;
    machine->cpu.cr0 = CR0_PE | CR0_PG;
    memcpy(machine->ram + 0x5010, "word", 4);
    memcpy(machine->ram + 0x6020, "word", 4);
    assert_string_equal(answer(bench, "find 0 0x100000 \"word\""), "00003010\n00009020\n(doppel) ");
    assert_string_equal(answer(bench, "find/p 0 0x100000 \"word\""), "00005010\n00006020\n(doppel) ");
}

static void strings_are_listed(void **state)
{
    struct bench *bench = *state;
    memcpy(bench->machine->ram + 0x600, "abc\0defg\1hi jklm\xff", 18);
    assert_string_equal(answer(bench, "strings 0x600 0x20"), "00000604: defg\n00000609: hi jklm\n(doppel) ");
    assert_string_equal(answer(bench, "strings 0x600 0x20 8"), "(doppel) ");
    memset(bench->machine->ram + 0xff0, 'x', 300);
    assert_contains(answer(bench, "strings 0xf00 0x1000"), "00000ff0: xxxx");
    assert_contains(answer(bench, "strings 0xf00 0x1000 300"), "xxxx...\n");
    assert_string_equal(answer(bench, "strings 0xf00 0x1000 301"), "(doppel) ");
    assert_string_equal(answer(bench, "strings/p 0x600 2 2"), "00000600: ab\n(doppel) ");
}

static void bytes_are_printed_as_text(void **state)
{
    struct bench *bench = *state;
    memcpy(bench->machine->ram + 0x600, "Say \"hi\"\r\n", 10);
    bench->machine->cpu.gpr[CPU_CX].d = 10;
    assert_string_equal(answer(bench, "text 0x600 cx"), "\"Say \\\"hi\\\"\\x0d\\x0a\"\n(doppel) ");
    assert_string_equal(answer(bench, "text /p 60:0 3"), "\"Say\"\n(doppel) ");
    assert_string_equal(answer(bench, "text 0xfffff 2"), "\"\\x00\" ??\n(doppel) ");
}

static void memory_is_written_and_filled(void **state)
{
    struct bench *bench = *state;
    const uint8_t *ram = bench->machine->ram;
    assert_string_equal(answer(bench, "write 0x600 1 2 \"AB\" 0xff"), "(doppel) ");
    assert_memory_equal(ram + 0x600, "\1\2AB\xff\0", 6);
    answer(bench, "write/w 0x610 0x11223344 5");
    assert_memory_equal(ram + 0x610, "\x44\x33\x22\x11\5\0\0\0", 8);
    answer(bench, "fill/h 0x700 7 0x4142");
    assert_memory_equal(ram + 0x700, "BABABAB\0", 8);
    answer(bench, "set u16(0x46c) = 0x1234 + 1");
    assert_int_equal(load_le16(ram + 0x46c), 0x1235);
    answer(bench, "set u8(0x46c) = 1 == 1 ? 2 : 3");
    assert_int_equal(ram[0x46c], 2);
    answer(bench, "set eax=5");
    assert_int_equal(bench->machine->cpu.gpr[CPU_AX].d, 5);
    assert_contains(answer(bench, "write 0xfffff 1 2"), "no memory at physical address 0x100000");
    assert_contains(answer(bench, "set 5 = 6"), "can be set");
    assert_contains(answer(bench, "set eax == 6"), "usage: set");
}

static void note_write(void *opaque, uint64_t phys, unsigned length)
{
    (void)length;
    *(uint64_t *)opaque = phys;
}

/* As with DMA: what was made from the bytes has to go. */
static void writes_tell_whoever_holds_code(void **state)
{
    struct bench *bench = *state;
    uint64_t told = 0;
    const struct memory_listener listener = {.code_written = note_write, .opaque = &told};
    memory_bus_set_listener(bench->machine->memory, &listener);
    memory_bus_mark_code(bench->machine->memory, 0x1230, 4);
    answer(bench, "write 0x1200 1");
    assert_int_equal(told, 0);
    answer(bench, "set u8(0x1232) = 1");
    assert_int_equal(told, 0x1232);
}

static void memory_goes_to_files_and_back(void **state)
{
    struct bench *bench = *state;
    char path[] = "/tmp/doppel-memory-XXXXXX", command[96];
    int fd = mkstemp(path);
    close(fd);
    memcpy(bench->machine->ram + 0xff8, "some bytes of memory", 20);
    snprintf(command, sizeof command, "dump-memory %s 0xff8 20", path);
    assert_string_equal(answer(bench, command), "(doppel) ");
    snprintf(command, sizeof command, "load-memory %s 0x1ffc", path);
    assert_string_equal(answer(bench, command), "20 bytes\n(doppel) ");
    assert_memory_equal(bench->machine->ram + 0x1ffc, "some bytes of memory", 20);
    snprintf(command, sizeof command, "load-memory /l %s 0xffffe", path);
    assert_contains(answer(bench, command), "0x100000");
    snprintf(command, sizeof command, "dump-memory /l %s 0xffff0 0x20", path);
    assert_contains(answer(bench, command), "0x100000");
    unlink(path);
    assert_contains(answer(bench, command + strlen("dump-memory /l ")), "unknown command");
    assert_contains(answer(bench, "load-memory /nonexistent/file 0"), "cannot read");
}

static void formats_show_bits_and_symbols(void **state)
{
    struct bench *bench = *state;
    load_symbols(bench, "7c00 T start\n");
    store_le32(bench->machine->ram + 0x500, 0x7c05);
    assert_contains(answer(bench, "x/1tb 0x500"), "00000500: 0b00000101\n");
    assert_contains(answer(bench, "x/1a 0x500"), "00000500: 0x00007c05 <start+0x5>\n");
    assert_contains(answer(bench, "x/1xb start - 0x7700 + 1 # comment"), "00000501: 0x7c\n");
}

static uint64_t read_device(void *opaque, uint64_t offset, unsigned width)
{
    *(unsigned *)opaque += 1;
    return 0x11223300 + offset * 16 + width;
}

static void devices_are_read_only_when_it_is_asked_for(void **state)
{
    struct bench *bench = *state;
    unsigned reads = 0;
    const struct io_region region = {.name = "gadget",
                                     .base = 0x80000,
                                     .length = PAGE_SIZE,
                                     .max_width = 4,
                                     .read = read_device,
                                     .opaque = &reads};
    struct status status = memory_bus_claim(bench->machine->memory, &region);
    assert_true(status_is_ok(&status));
    assert_contains(answer(bench, "x/2xw 0x80000"), "00080000: ?? ??\n");
    assert_contains(answer(bench, "print u8(0x80000)"), "belongs to a device (gadget)");
    assert_contains(answer(bench, "set u8(0x80000) = 1"), "cannot be written");
    assert_int_equal(reads, 0);
    assert_contains(answer(bench, "x/2xwm 0x80000"), "00080000: 0x11223304 0x11223344\n");
    assert_contains(answer(bench, "xp/1xbm 0x80002"), "00080002: 0x21\n");
    assert_int_equal(reads, 3);
}

/* ---- symbols */

static void symbols_come_are_listed_and_go(void **state)
{
    struct bench *bench = *state;
    assert_contains(answer(bench, "symbols"), "no symbols are loaded");
    load_symbols(bench, "7c00 T start\n7c10 t loop\n8000 d buffer\n");
    assert_contains(answer(bench, "symbols"), "3 symbols  offset 0x0  /tmp/doppel-symbols-");
    assert_contains(answer(bench, "symbols list"), "00007c00  start\n00007c10  loop\n00008000  buffer\n");
    assert_string_equal(answer(bench, "symbols list *o*"), "00007c10  loop\n(doppel) ");
    assert_string_equal(answer(bench, "symbols list uff"), "00008000  buffer\n(doppel) ");
    assert_contains(answer(bench, "print buffer"), "0x8000 ");
    assert_contains(answer(bench, "symbols unload nothing"), "nothing was loaded");
    answer(bench, "symbols unload");
    assert_contains(answer(bench, "print buffer"), "neither a register nor a symbol");
    assert_contains(answer(bench, "symbols load /nonexistent"), "/nonexistent");
    assert_contains(answer(bench, "symbols frobnicate"), "usage: symbols");
}

/* ---- code */

/* 0x7c00: mov ax, 0x7c00; call 0x7c09; hlt; pushf; nop; ret */
static void put_code(struct bench *bench)
{
    struct cpu_state *cpu = &bench->machine->cpu;
    memcpy(bench->machine->ram + 0x7c00, "\xb8\x00\x7c\xe8\x03\x00\xf4\x9c\x90\xc3", 10);
    cpu->segment[CPU_CS] =
        (struct segment){.selector = 0x7c0, .base = 0x7c00, .limit = 0xffff, .attributes = 0x93};
    cpu->rip = 0;
}

static void code_is_listed_with_labels_marks_and_symbols(void **state)
{
    struct bench *bench = *state;
    if (!disassembly_is_there()) {
        skip();
    }
    put_code(bench);
    load_symbols(bench, "7c00 T start\n7c09 T sub\n");
    assert_string_equal(answer(bench, "u"),
                        "start:\n"
                        "> 07c0:0000: b8 00 7c                 mov ax, 0x7c00  ; start\n"
                        "  07c0:0003: e8 03 00                 call 9  ; sub\n"
                        "  07c0:0006: f4                       hlt\n"
                        "  07c0:0007: 9c                       pushf  ; sensitive\n"
                        "  07c0:0008: 90                       nop\n"
                        "sub:\n"
                        "  07c0:0009: c3                       ret\n"
                        "  07c0:000a: 00 00                    add byte ptr [bx + si], al\n"
                        "  07c0:000c: 00 00                    add byte ptr [bx + si], al\n"
                        "  07c0:000e: 00 00                    add byte ptr [bx + si], al\n"
                        "  07c0:0010: 00 00                    add byte ptr [bx + si], al\n"
                        "(doppel) ");
    assert_contains(answer(bench, "u"), "  07c0:0012: 00 00");
    answer(bench, "break 0x7c07");
    assert_contains(answer(bench, "u 0x7c06 2"), "  07c0:0006: f4                       hlt\n"
                                                 " *07c0:0007: 9c                       pushf");
    bench->machine->cpu.retired++;
    assert_contains(answer(bench, "disassemble"), "> 07c0:0000:");
    assert_contains(answer(bench, "x/2i sub"), "sub:\n  07c0:0009: c3");
    assert_contains(answer(bench, "u/32 start 1"), "> 00007c00: b8 00 7c e8 03           mov eax, 0x3e87c00");
    assert_contains(answer(bench, "u/64 0x7c08 2"), "nop");
    assert_contains(answer(bench, "u 0x200000 3"), "  00200000: ??\n");
    assert_contains(answer(bench, "xp/1i 0x7c09"), "  00007c09: c3");
}

static void far_calls_of_real_mode_name_their_target(void **state)
{
    struct bench *bench = *state;
    if (!disassembly_is_there()) {
        skip();
    }
    load_symbols(bench, "7c09 T sub\n");
    memcpy(bench->machine->ram + 0x500, "\x9a\x09\x00\xc0\x07", 5);
    assert_contains(answer(bench, "u/16 0x500 1"), "0x7c0:9  ; sub, sensitive\n");
}

static void code_has_two_syntaxes(void **state)
{
    struct bench *bench = *state;
    if (!disassembly_is_there()) {
        skip();
    }
    put_code(bench);
    answer(bench, "set disassembly att");
    assert_contains(answer(bench, "u cs:0 1"), "movw $0x7c00, %ax");
    answer(bench, "set disassembly intel");
    assert_contains(answer(bench, "u cs:0 1"), "mov ax, 0x7c00");
    assert_contains(answer(bench, "set disassembly masm"), "not a syntax");
    assert_contains(answer(bench, "u/17 0"), "/16, /32 or /64");
    assert_contains(answer(bench, "u 0 0"), "the count is 1 to");
}

/* ---- call stack */

/* Near calls at 7c03 and 7c06, a far one at 7c0a; two frames with pointers, the outer one far. */
static void callers_are_found_by_frames_and_by_what_lies_on_the_stack(void **state)
{
    struct bench *bench = *state;
    struct cpu_state *cpu = &bench->machine->cpu;
    uint8_t *ram = bench->machine->ram;
    put_code(bench);
    memcpy(ram + 0x7c00 + 0x20, "\xe8\x00\x00", 3);         /* call near, returns to 23 */
    memcpy(ram + 0x7c00 + 0x30, "\x9a\x09\x00\xc0\x07", 5); /* call far, returns to 7c0:35 */
    load_symbols(bench, "7c09 T sub\n7c20 T main\n");
    cpu->rip = 9;
    cpu->segment[CPU_SS].base = 0x1000;
    cpu->gpr[CPU_SP].d = 0xf0;
    cpu->gpr[CPU_BP].d = 0x100;
    store_le16(ram + 0x1100, 0x120); /* saved bp, near return */
    store_le16(ram + 0x1102, 0x23);
    store_le16(ram + 0x1120, 0); /* saved bp, far return */
    store_le16(ram + 0x1122, 0x35);
    store_le16(ram + 0x1124, 0x7c0);
    store_le16(ram + 0x10f8, 6); /* behind the call at 7c03 */
    const char *text = answer(bench, "bt");
    assert_string_equal(text, "#0   07c0:0009  sub\n"
                              "#1   07c0:0023  main+0x3\n"
                              "#2   07c0:0035  main+0x15  (far)\n"
                              "behind calls on the stack:\n"
                              "#0   07c0:0006  at sp+0x8\n"
                              "#1   07c0:0023  main+0x3  at sp+0x12\n"
                              "#2   07c0:0035  main+0x15  (far)  at sp+0x32\n"
                              "(doppel) ");
    assert_contains(answer(bench, "bt 1"), "#0   07c0:0009  sub\nbehind");
    assert_contains(answer(bench, "bt 0"), "the count is 1 to");
}

/* A frame that leads to itself or downwards ends the chain. */
static void frames_that_lead_nowhere_end_the_chain(void **state)
{
    struct bench *bench = *state;
    struct cpu_state *cpu = &bench->machine->cpu;
    put_code(bench);
    cpu->gpr[CPU_BP].d = 0x100;
    cpu->gpr[CPU_SP].d = 0x800;
    store_le16(bench->machine->ram + 0x100, 0x100);
    store_le16(bench->machine->ram + 0x102, 6);
    assert_contains(answer(bench, "bt"), "#1   07c0:0006\nbehind calls on the stack:\n(doppel) ");
}

static void callers_in_32_bit_code_are_found(void **state)
{
    struct bench *bench = *state;
    struct cpu_state *cpu = &bench->machine->cpu;
    uint8_t *ram = bench->machine->ram;
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        cpu->segment[i] = (struct segment){.selector = (uint16_t)(i == CPU_CS ? 8 : 0x10),
                                           .limit = UINT32_MAX,
                                           .attributes = (uint16_t)(i == CPU_CS ? 0xc09b : 0xc093)};
    }
    cpu->cr0 |= CR0_PE;
    cpu_update_mode(cpu);
    memcpy(ram + 0x4000, "\xff\x15\x00\x50\x00\x00", 6); /* call [0x5000] */
    memcpy(ram + 0x4100, "\xff\xd0", 2);                 /* call eax */
    cpu->rip = 0x4200;
    cpu->gpr[CPU_SP].d = 0x8000;
    cpu->gpr[CPU_BP].d = 0x8010;
    store_le32(ram + 0x8010, 0x8030);
    store_le32(ram + 0x8014, 0x4006);
    store_le32(ram + 0x8030, 0);
    store_le32(ram + 0x8034, 0x4102);
    assert_contains(answer(bench, "backtrace"),
                    "#0   0008:00004200\n#1   0008:00004006\n#2   0008:00004102\nbehind");
    assert_contains(answer(bench, "backtrace"), "#1   0008:00004102  at esp+0x34\n");
}

static void wrong_arguments_are_refused(void **state)
{
    static const char *const lines[] = {"find",
                                        "find 0 1",
                                        "find/z 0 1 1",
                                        "find 0 0 1",
                                        "find 0x100000000 1 1",
                                        "find 0 1 \"\"",
                                        "find 0 1 x",
                                        "strings 0",
                                        "text 0",
                                        "text 0 65537",
                                        "strings 0 1 2 3",
                                        "write 0",
                                        "write/q 0 1",
                                        "fill 0 1",
                                        "set",
                                        "set eax",
                                        "set = 1",
                                        "set eax =",
                                        "symbols load",
                                        "symbols list a b",
                                        "bt 1 2",
                                        "disassemble 1 2 3",
                                        "load-memory f",
                                        "load-memory /l f",
                                        "x/1z 0",
                                        "print",
                                        "info page",
                                        "info msr 0x123456",
                                        "info ivt 256",
                                        "info sse half"};
    for (size_t i = 0; i < ARRAY_COUNT(lines); i++) {
        struct bench *bench = *state;
        const char *text = answer(bench, lines[i]);
        size_t length = strlen(text);
        const char *end = strchr(text, '\n');
        if (length < 20 || end == NULL || strcmp(end, "\n(doppel) ") != 0) {
            fail_msg("\"%s\" is answered by \"%s\", not by one line", lines[i], text);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(find_sees_bytes_values_and_text),
        BENCH_TEST(find_sees_what_crosses_its_own_reads),
        BENCH_TEST(find_passes_over_holes),
        BENCH_TEST(strings_are_listed),
        BENCH_TEST(bytes_are_printed_as_text),
        BENCH_TEST(memory_is_written_and_filled),
        BENCH_TEST(writes_tell_whoever_holds_code),
        BENCH_TEST(memory_goes_to_files_and_back),
        BENCH_TEST(formats_show_bits_and_symbols),
        BENCH_TEST(devices_are_read_only_when_it_is_asked_for),
        BENCH_TEST(symbols_come_are_listed_and_go),
        BENCH_TEST(code_is_listed_with_labels_marks_and_symbols),
        BENCH_TEST(far_calls_of_real_mode_name_their_target),
        BENCH_TEST(code_has_two_syntaxes),
        BENCH_TEST(callers_are_found_by_frames_and_by_what_lies_on_the_stack),
        BENCH_TEST(frames_that_lead_nowhere_end_the_chain),
        BENCH_TEST(callers_in_32_bit_code_are_found),
        BENCH_TEST(wrong_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

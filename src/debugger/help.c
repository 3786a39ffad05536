/* `help`: commands by their row in command.def, some with more to say, and what expressions are. */
#include <string.h>

#include "debugger/monitor_internal.h"

/* What is printed behind a command's row, and topics that are no commands. */
static const struct help_text {
    const char *name, *text;
} help_texts[] = {
    {"expressions",
     "numbers    16 0x10 020 0b10000 'A'\n"
     "registers  eax ax al eip eflags flags.zf cs cs.base gdtr.limit cr0 dr7 st0 mm0 xmm0.d1 mxcsr cpl "
     "retired\n"
     "memory     u8(A) u16(A) u32(A) u64(A), signed i8(A) ..., *A is u32(A), physical pu8(A) ...\n"
     "addresses  SEGMENT:OFFSET without blanks, numbers hexadecimal: f000:fff0, ds:si, es:(di + 4)\n"
     "functions  phys(A) msr(N) str(A) == \"text\" str(A) != \"text\"\n"
     "symbols    by name, as address; &name where a register is called the same\n"
     "operators  - ~ ! * / % + - << >> < <= > >= == != & ^ | && || ?: ( ), as in C; signed, 64 bits\n"},
    {"print", "help expressions says what there is.\n"},
    {"x", "formats: x hexadecimal, d signed, u unsigned, o octal, t binary, c character, a address with its "
          "symbol,\n"
          "s string, i instruction; sizes: b 1 byte, h 2, w 4, g 8. Devices' memory shows as ??,\n"
          "with an m it is read as the guest would read it, and the device notices: x/80xbm 0xb8000\n"},
    {"find", "find 0 0x100000 \"COMMAND\"; find/w 0 0x100000 0x12345678; find/p 0 0x1000 0xeb 0x3c 0x90\n"},
    {"write", "write 0x7c00 0xeb 0xfe; write/h 0x46c 0 0; write ds:dx \"hello$\"\n"},
    {"fill", "fill 0x1000 0x1000 0; fill/w 0x1000 0x1000 0xdeadbeef\n"},
    {"set", "set eax = eax + 1; set flags.cf = 1; set u16(0x46c) = 0; set msr(0x10) = 0\n"
            "Registers are loaded as the guest's instructions would: what the CPU refuses is refused.\n"},
    {"disassemble", "u; u cs:eip 20; u/16 7c0:0. > marks the CPU's place, * a breakpoint. Without ADDRESS it "
                    "goes on behind the\n"
                    "last listing until the guest has executed something.\n"},
    {"backtrace", "The first part follows frame pointers; the second lists what on the stack is the address "
                  "behind a CALL,\n"
                  "which calls that are over have left there too.\n"},
    {"symbols",
     "symbols load vmlinux; symbols load prog.map 0x1a3f0; symbols list sys_*; symbols unload vmlinux\n"},
};

/* Behind which of the texts nothing else is to be found. */
static const char *find_text(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(help_texts); i++) {
        if (strcmp(help_texts[i].name, name) == 0) {
            return help_texts[i].text;
        }
    }
    return NULL;
}

/* Line by line, indented like a command's help. */
static void print_text(const char *text, FILE *out)
{
    while (*text != '\0') {
        int length = (int)strcspn(text, "\n");
        fprintf(out, "        %.*s\n", length, text);
        text += length + (text[length] == '\n');
    }
}

static void print_command(const struct monitor_command *command, FILE *out)
{
    fprintf(out, "%s%s%s%s%s\n        %s\n", command->name, command->alias != NULL ? "|" : "",
            command->alias != NULL ? command->alias : "", command->arguments[0] != '\0' ? " " : "",
            command->arguments, command->help);
}

struct status command_help(struct monitor_session *session, int argc, char **argv)
{
    if (argc == 1) {
        for (size_t i = 0; i < monitor_command_count; i++) {
            print_command(&monitor_commands[i], session->out);
        }
        return status_ok();
    }
    const struct monitor_command *command = monitor_find_command(argv[1]);
    const char *text = find_text(command != NULL ? command->name : argv[1]);
    if (command == NULL && text == NULL) {
        return status_error(STATUS_INVALID_ARGUMENT, "there is no command \"%s\"", argv[1]);
    }
    if (command != NULL) {
        print_command(command, session->out);
    }
    if (text != NULL) {
        print_text(text, session->out);
    }
    return status_ok();
}

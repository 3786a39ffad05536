/*
 * See shell.h. Every command runs under exceptions_guard: whatever it breaks, the prompt comes back.
 */
#include "shell.h"

#include "commands.h"
#include "console.h"
#include "exceptions.h"
#include "line_editor.h"
#include "text.h"

#define WORDS_MAX 16

static void command_help(int count, char **words);
static void command_echo(int count, char **words);
static void command_clear(int count, char **words);

struct command {
    const char *name;
    const char *arguments;
    const char *help;
    void (*run)(int count, char **words);
};

// clang-format off
static const struct command commands[] = {
    {"help",   "",              "this list",                                          command_help},
    {"mem",    "",              "the BIOS's memory map",                              command_mem},
    {"cpu",    "",              "the processor and what it can do",                   command_cpu},
    {"keys",   "",              "scan codes and names of the keys you press",         command_keys},
    {"colors", "[chart|demo]",  "all text colours, then 256 in mode 13h",             command_colors},
    {"bench",  "[rounds]",      "sieve, CRC-32, matrix and string loops, timed",      command_bench},
    {"fault",  "[name|number]", "make an exception happen and come back",             command_fault},
    {"time",   "",              "time of day, and since boot",                        command_time},
    {"date",   "",              "today",                                              command_date},
    {"ticks",  "",              "the timer's count, watched for a second",            command_ticks},
    {"echo",   "[text]",        "print text",                                         command_echo},
    {"clear",  "",              "empty the screen",                                   command_clear},
    {"reboot", "",              "start the machine again",                            command_reboot},
    {"off",    "",              "switch the machine off",                             command_off},
};
// clang-format on

#define COMMAND_COUNT (sizeof(commands) / sizeof(commands[0]))

struct call {
    const struct command *command;
    int count;
    char *words[WORDS_MAX + 1];
};

static void command_help(int count, char **words)
{
    (void)count;
    (void)words;
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        console_print_in(VGA_LIGHT_CYAN, "  %-7s", commands[i].name);
        console_print_in(VGA_LIGHT_BLUE, "%-15s", commands[i].arguments);
        console_print("%s\n", commands[i].help);
    }
    console_print_in(VGA_DARK_GRAY, "  Up and Down bring back earlier lines, Tab completes a command.\n");
}

static void command_echo(int count, char **words)
{
    for (int i = 1; i < count; i++)
        console_print("%s%s", words[i], i + 1 < count ? " " : "");
    console_put('\n');
}

static void command_clear(int count, char **words)
{
    (void)count;
    (void)words;
    console_clear();
}

static const char *complete_command(const char *prefix)
{
    const char *found = NULL;
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        if (!text_starts_with(commands[i].name, prefix))
            continue;
        if (found != NULL)
            return NULL;
        found = commands[i].name;
    }
    return found;
}

static int split(char *text, char **words)
{
    int count = 0;
    while (count < WORDS_MAX) {
        while (*text == ' ')
            *text++ = '\0';
        if (*text == '\0')
            break;
        words[count++] = text;
        while (*text != ' ' && *text != '\0')
            text++;
    }
    words[count] = NULL;
    return count;
}

static const struct command *find_command(const char *name)
{
    for (unsigned i = 0; i < COMMAND_COUNT; i++) {
        if (text_equal(commands[i].name, name))
            return &commands[i];
    }
    return NULL;
}

static void run_call(void *argument)
{
    struct call *call = argument;
    call->command->run(call->count, call->words);
}

static void run_line(const char *line)
{
    char text[LINE_SIZE];
    struct call call;
    text_format_buffer(text, sizeof(text), "%s", line);
    call.count = split(text, call.words);
    if (call.count == 0)
        return;
    call.command = find_command(call.words[0]);
    if (call.command == NULL) {
        console_print_in(VGA_LIGHT_RED, "There is no command \"%s\": help lists them.\n", call.words[0]);
        return;
    }
    exceptions_guard(run_call, &call);
    console_reset_color();
    console_fresh_line();
}

void shell_run(void)
{
    for (;;) {
        console_print_in(VGA_YELLOW, "doppel> ");
        run_line(line_editor_read(complete_command));
    }
}

/* Parsing the command line; see options.h. */
#include "app/options.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "app/options_boot.h"
#include "app/options_drive.h"
#include "app/options_engine.h"
#include "app/options_files.h"
#include "app/options_words.h"
#include "base/bits.h"
#include "base/option_parser.h"
#include "host/host_clock.h"
#include "machine/engine_factory.h"

#define DEFAULT_RAM          (64 * MIB)
#define REVERSE_MAX_MIB      1048576u
#define DEFAULT_ICOUNT_SHIFT 3
#define MAX_ICOUNT_SHIFT     20
#define FEATURE_COLUMNS      100
#define COUNTED_RTC_EPOCH    946684800u /* 2000-01-01 00:00:00 UTC */

#define OPTION(symbol, name, argument, section, help) static option_handler option_##symbol;
#include "app/option.def"
#undef OPTION

static const struct option_row option_rows[] = {
#define OPTION(symbol, name, argument, section, help) {name, argument, section, help, option_##symbol},
#include "app/option.def"
#undef OPTION
};

/* ---- one function per option */

static struct status option_memory(struct options *options, char *value)
{
    char *end = NULL;
    errno = 0;
    unsigned long long number = strtoull(value, &end, 10);
    uint64_t unit = MIB;
    switch (*end) {
    case 'k':
    case 'K': unit = KIB, end++; break;
    case 'm':
    case 'M': end++; break;
    case 'g':
    case 'G': unit = GIB, end++; break;
    default: break;
    }
    if (!isdigit((unsigned char)value[0]) || *end != '\0' || errno != 0 || number > UINT64_MAX / unit) {
        return status_error(STATUS_INVALID_ARGUMENT, "\"%s\" is not a memory size (examples: 64, 640K, 1G)",
                            value);
    }
    options->machine.ram_size = number * unit;
    return status_ok();
}

static struct status option_cpu(struct options *options, char *value)
{
    if (strcmp(value, "help") == 0) {
        options->action = OPTIONS_CPU_HELP;
    }
    options->machine.cpu = value;
    return status_ok();
}

static bool ask_for_choices(struct options *options, enum engine_axis axis, const char *value)
{
    if (strcmp(value, "help") != 0) {
        return false;
    }
    options->action = OPTIONS_ENGINE_HELP;
    options->help_axis = axis;
    return true;
}

static struct status option_engine(struct options *options, char *value)
{
    return ask_for_choices(options, ENGINE_AXIS_ENGINE, value)
               ? status_ok()
               : options_set_engine(&options->machine.engine, value);
}

static struct status option_mmu(struct options *options, char *value)
{
    return ask_for_choices(options, ENGINE_AXIS_MMU, value)
               ? status_ok()
               : options_set_mmu(&options->machine.engine, value);
}

static struct status option_sensitive(struct options *options, char *value)
{
    return ask_for_choices(options, ENGINE_AXIS_SENSITIVE, value)
               ? status_ok()
               : options_set_sensitive(&options->machine.engine, value);
}

static struct status option_chain(struct options *options, char *value)
{
    return ask_for_choices(options, ENGINE_AXIS_COUNT, value)
               ? status_ok()
               : options_set_chain(&options->machine.engine, value);
}

static struct status option_tb_size(struct options *options, char *value)
{
    return options_set_tb_size(&options->machine.engine, value);
}

static struct status option_tb_warm(struct options *options, char *value)
{
    return options_set_tb_warm(&options->machine.engine, value);
}

static struct status option_check(struct options *options, char *value)
{
    return options_set_check(&options->check, value);
}

static struct status option_bios(struct options *options, char *value)
{
    options->machine.bios = value;
    return status_ok();
}

static struct status option_vga_bios(struct options *options, char *value)
{
    options->machine.vga_bios = value;
    return status_ok();
}

static struct status option_boot(struct options *options, char *value)
{
    return options_set_boot(&options->machine.boot, value);
}

static struct status option_rtc(struct options *options, char *value)
{
    static const char prefix[] = "base=";
    const char *base = strncmp(value, prefix, strlen(prefix)) == 0 ? value + strlen(prefix) : value;
    options->rtc_given = true;
    if (strcmp(base, "utc") == 0) {
        options->machine.rtc_epoch = host_clock_epoch();
        return status_ok();
    }
    if (strcmp(base, "localtime") == 0) {
        options->machine.rtc_epoch = host_clock_local_epoch();
        return status_ok();
    }
    struct tm given = {0};
    const char *end = strptime(base, "%Y-%m-%d", &given);
    if (end != NULL && *end == 'T') {
        end = strptime(end + 1, "%H:%M:%S", &given);
    }
    const int day = given.tm_mday;
    time_t seconds = end != NULL && *end == '\0' ? timegm(&given) : -1;
    if (seconds < 0 || given.tm_mday != day) { /* timegm() makes March of February's 30th */
        return status_error(STATUS_INVALID_ARGUMENT,
                            "\"%s\" is not a time (utc, localtime or YYYY-MM-DD[THH:MM:SS] from 1970 on)",
                            base);
    }
    options->machine.rtc_epoch = (uint64_t)seconds;
    return status_ok();
}

static struct status option_icount(struct options *options, char *value)
{
    uint64_t number = DEFAULT_ICOUNT_SHIFT;
    bool shift = value == NULL || strncmp(value, "shift=", 6) == 0;
    bool good = value == NULL ||
                (shift ? options_parse_number(value + 6, 10, MAX_ICOUNT_SHIFT, &number)
                       : options_parse_number(value, 10, 1u << MAX_ICOUNT_SHIFT, &number) && number > 0);
    if (!good) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "\"%s\" is neither shift=0..%d nor 1..%u ns per instruction", value,
                            MAX_ICOUNT_SHIFT, 1u << MAX_ICOUNT_SHIFT);
    }
    options->icount_given = true;
    options->machine.counted = true;
    options->machine.ns_per_instruction = shift ? (uint64_t)1 << number : number;
    return status_ok();
}

static struct status option_reverse(struct options *options, char *value)
{
    uint64_t mib = 0;
    if (value != NULL && (!options_parse_number(value, 10, REVERSE_MAX_MIB, &mib) || mib == 0)) {
        return status_error(STATUS_INVALID_ARGUMENT, "\"%s\" is not 1 to %u MiB for history", value,
                            REVERSE_MAX_MIB);
    }
    options->reverse = true;
    options->reverse_mib = (uint32_t)mib;
    return status_ok();
}

static struct status option_name(struct options *options, char *value)
{
    options->name = value;
    return status_ok();
}

static struct status option_S(struct options *options, char *value)
{
    (void)value;
    options->start_paused = true;
    return status_ok();
}

static struct status option_record(struct options *options, char *value)
{
    options->record = value;
    return status_ok();
}

static struct status option_replay(struct options *options, char *value)
{
    options->replay = value;
    return status_ok();
}

static struct status option_no_reboot(struct options *options, char *value)
{
    (void)value;
    options->machine.no_reboot = true;
    return status_ok();
}

static struct status set_floppy(struct options *options, unsigned drive, char *value)
{
    struct machine_floppy_config *floppy = &options->machine.floppy[drive];
    if (floppy->path != NULL) {
        return status_error(STATUS_INVALID_ARGUMENT, "drive %c has two images: %s and %s", 'A' + (int)drive,
                            floppy->path, value);
    }
    char *comma = strrchr(value, ',');
    if (comma != NULL && strcmp(comma, ",readonly") == 0) {
        *comma = '\0';
        floppy->read_only = true;
    }
    floppy->path = value;
    return status_ok();
}

static struct status option_fda(struct options *options, char *value)
{
    return set_floppy(options, 0, value);
}

static struct status option_fdb(struct options *options, char *value)
{
    return set_floppy(options, 1, value);
}

static struct status option_hda(struct options *options, char *value)
{
    return options_set_disk(&options->machine, 0, value);
}

static struct status option_hdb(struct options *options, char *value)
{
    return options_set_disk(&options->machine, 1, value);
}

static struct status option_hdc(struct options *options, char *value)
{
    return options_set_disk(&options->machine, 2, value);
}

static struct status option_hdd(struct options *options, char *value)
{
    return options_set_disk(&options->machine, 3, value);
}

static struct status option_cdrom(struct options *options, char *value)
{
    return options_set_cdrom(&options->machine, value);
}

static struct status option_drive(struct options *options, char *value)
{
    return options_add_drive(&options->machine, value);
}

static struct status option_device(struct options *options, char *value)
{
    return options_add_device(&options->machine, value);
}

static struct status option_snapshot(struct options *options, char *value)
{
    (void)value;
    options->machine.snapshot = true;
    return status_ok();
}

static struct status option_kernel(struct options *options, char *value)
{
    options->machine.kernel.path = value;
    return status_ok();
}

static struct status option_initrd(struct options *options, char *value)
{
    options->machine.kernel.initrd = value;
    return status_ok();
}

static struct status option_append(struct options *options, char *value)
{
    options->machine.kernel.command_line = value;
    return status_ok();
}

static struct status option_display(struct options *options, char *value)
{
    options->display_given = true;
    return front_end_kind_from_name(value, &options->display);
}

static struct status option_serial(struct options *options, char *value)
{
    if (options->serial_count == MACHINE_SERIALS) {
        return status_error(STATUS_INVALID_ARGUMENT, "the machine has %d serial ports", MACHINE_SERIALS);
    }
    options->serial[options->serial_count++] = value;
    return status_ok();
}

static struct status option_debugcon(struct options *options, char *value)
{
    options->debug_console = value;
    return status_ok();
}

static struct status option_monitor(struct options *options, char *value)
{
    options->monitor_on_stdio = strcmp(value, "stdio") == 0;
    if (!options->monitor_on_stdio && strcmp(value, "none") != 0) {
        return status_error(STATUS_INVALID_ARGUMENT, "\"%s\" is not a place for the monitor (stdio, none)",
                            value);
    }
    return status_ok();
}

static struct status option_gdb(struct options *options, char *value)
{
    const bool none = strcmp(value, "none") == 0;
    const bool two_way = strncmp(value, "tcp:", 4) == 0 || strncmp(value, "unix:", 5) == 0 ||
                         strcmp(value, "pty") == 0 || strcmp(value, "stdio") == 0;
    options->gdb = none ? NULL : value;
    return none || two_way
               ? status_ok()
               : status_error(STATUS_INVALID_ARGUMENT,
                              "gdb cannot come by \"%.80s\" (tcp:[HOST]:PORT, unix:PATH, pty, stdio, none)",
                              value);
}

static struct status option_s(struct options *options, char *value)
{
    (void)value;
    options->gdb = "tcp::1234";
    return status_ok();
}

static struct status option_script(struct options *options, char *value)
{
    options->script = value;
    return status_ok();
}

static struct status option_d(struct options *options, char *value)
{
    if (strcmp(value, "help") == 0) {
        options->action = OPTIONS_LOG_HELP;
        return status_ok();
    }
    return log_enable_list(&options->machine.log, value);
}

static struct status option_D(struct options *options, char *value)
{
    options->log_file = value;
    return status_ok();
}

static struct status option_dfilter(struct options *options, char *value)
{
    return log_set_filter(&options->machine.log, value);
}

static struct status option_debug(struct options *options, char *value)
{
    (void)value;
    options->debug_screen = true;
    options->start_paused = true;
    return status_ok();
}

static struct status option_singlestep(struct options *options, char *value)
{
    (void)value;
    options->machine.log.each_instruction = true;
    return status_ok();
}

static struct status option_counters(struct options *options, char *value)
{
    options->counters_file = value;
    return status_ok();
}

static struct status option_version(struct options *options, char *value)
{
    (void)value;
    options->action = OPTIONS_VERSION;
    return status_ok();
}

static struct status option_help(struct options *options, char *value)
{
    (void)value;
    options->action = OPTIONS_HELP;
    return status_ok();
}

static struct status option_h(struct options *options, char *value)
{
    return option_help(options, value);
}

/* ---- the line as a whole */

/* What people who know QEMU look for under another name. */
static const struct {
    const char *name, *advice;
} other_ways[] = {
    {"nographic", "use -display none -serial stdio, or -display tty"},
    {"curses", "use -display tty"},
    {"no-shutdown", "a machine that is off ends doppel"},
    {"accel", "use -engine interp or -engine dbt"},
    {"enable-kvm", "the engines are those of -engine"},
    {"machine", "there is one board, with the 440FX"},
    {"M", "there is one board, with the 440FX"},
    {"smp", "there is one processor"},
    {"vga", "there is one adapter, a VGA with Bochs VBE"},
    {"hdachs", "use -drive file=FILE,cyls=C,heads=H,secs=S"},
    {"one-insn-per-tb", "use -singlestep"},
};

static const char *advise(const char *name)
{
    for (size_t i = 0; i < ARRAY_COUNT(other_ways); i++) {
        if (strcmp(name, other_ways[i].name) == 0) {
            return other_ways[i].advice;
        }
    }
    return NULL;
}

/* What --icount and --reverse take as their value: the word after them may as well be a file. */
static bool is_optional_value(const struct option_row *row, const char *word)
{
    return (row->parse == option_icount && strncmp(word, "shift=", 6) == 0) ||
           (word[0] != '\0' && strspn(word, "0123456789") == strlen(word));
}

static const struct option_parser parser = {.rows = option_rows,
                                            .count = ARRAY_COUNT(option_rows),
                                            .dashes = "-",
                                            .is_value = is_optional_value,
                                            .advise = advise};

static struct status parse_option(char **argv, int argc, int *index, struct options *options)
{
    struct option_found found;
    struct status status = option_parser_next(&parser, argc, argv, index, &found);
    return status_is_ok(&status) ? found.row->parse(options, found.value) : status;
}

static bool uses_stdio(const char *stream)
{
    return stream != NULL && strcmp(stream, "stdio") == 0;
}

/* Standard input and output can serve one purpose. */
static struct status settle_stdio(struct options *options)
{
    unsigned users = uses_stdio(options->debug_console);
    users += options->monitor_on_stdio;
    users += uses_stdio(options->gdb);
    for (unsigned i = 0; i < MACHINE_SERIALS; i++) {
        users += uses_stdio(options->serial[i]);
    }
    if (options->debug_screen) {
        if (options->display_given && options->display != FRONT_END_TTY) {
            return status_error(STATUS_INVALID_ARGUMENT,
                                "-debug uses the terminal: it goes with -display tty only");
        }
        options->display_given = true;
        options->display = FRONT_END_TTY;
    }
    if (!options->display_given) {
        options->display = front_end_default_kind();
        if (options->display == FRONT_END_TTY && users > 0) {
            options->display = FRONT_END_NONE;
        }
    }
    users += options->display == FRONT_END_TTY;
    if (users > 1) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "only one of -display tty, -debug, -monitor stdio, -serial stdio, -debugcon "
                            "stdio and -gdb stdio can have the terminal");
    }
    return status_ok();
}

/* Counted time, and images that are the same the next time. */
static void make_counted(struct options *options)
{
    if (!options->machine.counted) {
        options->machine.counted = true;
        options->machine.ns_per_instruction = 1u << DEFAULT_ICOUNT_SHIFT;
    }
}

static void make_repeatable(struct options *options)
{
    options->machine.snapshot = true;
    make_counted(options);
}

/* Nothing of the host may get into a run that is checked. */
static struct status settle_check(struct options *options)
{
    if (!options->check.lockstep) {
        return status_ok();
    }
    bool shows = options->display_given && options->display != FRONT_END_NONE;
    if (shows || options->monitor_on_stdio || options->gdb != NULL || options->start_paused) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "-check lockstep takes its input from -script only, without -display, -monitor, "
                            "-gdb and -S");
    }
    options->display_given = true;
    options->display = FRONT_END_NONE;
    make_repeatable(options);
    return status_ok();
}

/* A replay takes the times that it was not told from its file. */
static struct status settle_replay(struct options *options)
{
    if (options->record == NULL && options->replay == NULL) {
        return status_ok();
    }
    if (options->record != NULL && options->replay != NULL) {
        return status_error(STATUS_INVALID_ARGUMENT, "-record and -replay exclude each other");
    }
    if (options->check.lockstep) {
        return status_error(STATUS_INVALID_ARGUMENT, "-check lockstep excludes -record and -replay");
    }
    make_repeatable(options);
    options->machine.engine.ignores_x87_pointers = true; /* as any engine can do it */
    return status_ok();
}

static struct status settle_reverse(struct options *options)
{
    if (options->reverse && options->check.lockstep) {
        return status_error(STATUS_INVALID_ARGUMENT, "-check lockstep excludes -reverse");
    }
    if (options->reverse) {
        make_counted(options);
    }
    return status_ok();
}

struct status options_parse(int argc, char **argv, struct options *options)
{
    *options = (struct options){.machine = {.ram_size = DEFAULT_RAM, .engine = machine_engine_default()}};
    for (int index = 1; index < argc;) {
        struct status status = option_parser_is_option(argv[index])
                                   ? parse_option(argv, argc, &index, options)
                                   : set_floppy(options, 0, argv[index++]);
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    struct status status = settle_check(options);
    if (status_is_ok(&status)) {
        status = settle_replay(options);
    }
    if (status_is_ok(&status)) {
        status = settle_reverse(options);
    }
    if (status_is_ok(&status)) {
        status = options_check_files(options);
    }
    if (!status_is_ok(&status)) {
        return status;
    }
    if (!options->rtc_given) {
        options->machine.rtc_epoch = options->machine.counted ? COUNTED_RTC_EPOCH : host_clock_epoch();
    }
    status = settle_stdio(options);
    bool can_go_on = options->monitor_on_stdio || options->script != NULL || options->gdb != NULL ||
                     options->display != FRONT_END_NONE;
    if (status_is_ok(&status) && options->start_paused && !can_go_on) {
        status = status_error(
            STATUS_INVALID_ARGUMENT,
            "-S needs something that lets the machine go on: -monitor stdio, -script, -gdb or a display");
    }
    return status;
}

void options_print_help(FILE *out)
{
    fputs("doppel runs a whole PC: unmodified x86 operating systems from their disk images.\n\n"
          "usage: doppel [OPTION...] [FLOPPY-IMAGE]\n",
          out);
    option_parser_print_help(&parser, out);
    fputs("\nOptions may begin with one or two dashes. ROMs are looked for in $DOPPEL_ROMS, "
          "/usr/share/seabios and\n"
          "/usr/share/qemu.\n\n"
          "Exit status: 0 the guest switched itself off, the user left, or a script said `quit`; the N of "
          "`quit N`;\n"
          "1 the host failed, or a script's wait did; 2 the command line or a script could not be "
          "understood;\n"
          "128+N signal N ended doppel; value*2+1 the guest wrote to isa-debug-exit.\n",
          out);
}

static void print_features(FILE *out)
{
    fputs(
        "\nfeatures of those that have CPUID, to be added (pentium3,+rdrand or pentium3,rdrand=on) or taken "
        "away\n(pentium3,-sse or pentium3,sse=off); the 80386 and 80486 can do without fpu:",
        out);
    size_t column = FEATURE_COLUMNS;
    const char *name;
    for (size_t i = 0; (name = cpu_feature_name(i)) != NULL; i++) {
        column += 1 + strlen(name);
        if (column > FEATURE_COLUMNS) {
            column = strlen(name);
            fprintf(out, "\n%s", name);
        } else {
            fprintf(out, " %s", name);
        }
    }
    fputc('\n', out);
}

void options_print_cpus(FILE *out)
{
    const struct cpu_model *model;
    for (size_t i = 0; (model = cpu_model_at(i)) != NULL; i++) {
        fprintf(out, "%-12s %s%s\n", model->name, model->description,
                strcmp(model->name, cpu_model_default_name) == 0 ? " (default)" : "");
    }
    print_features(out);
}

void options_print_log_categories(FILE *out)
{
    for (enum log_category category = 0; category < LOG_CATEGORY_COUNT; category++) {
        fprintf(out, "%-14s %s\n", log_category_name(category), log_category_text(category));
    }
}

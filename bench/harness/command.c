/* Command lines of doppel, QEMU, Bochs and native programs; see command.h. */
#include "harness/command.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/bits.h"
#include "harness/memory.h"
#include "harness/screen.h"

#define FLOPPY_SIZE       1474560
#define LARGEST_FLOPPY    2949120
#define PROGRAM_MEMORY    256 /* MiB of a guest that runs a program of bench/workloads */
#define PARAMETERS_OFFSET (512 + 32)
#define PARAMETERS_MAGIC  "DPLBENCH"

#define BOCHS_SETUP    "bochsrc"
#define BOCHS_COMMANDS "commands"
#define DOPPEL_SCRIPT  "script"

#define BOCHS_STOP_INSTRUCTIONS 2000000u
#define BOCHS_STOPS             60000u

#define DEBUG_EXIT "isa-debug-exit,iobase=0xf4,iosize=4"

static void add(struct command *command, const char *word)
{
    if (command->count + 1 < COMMAND_WORDS) {
        command->argv[command->count++] = memory_text(word);
    }
}

static void add_words(struct command *command, const char *const *words)
{
    for (; *words != NULL; words++) {
        add(command, *words);
    }
}

static void add_number(struct command *command, const char *option, uint64_t value)
{
    char text[32];
    snprintf(text, sizeof text, "%" PRIu64, value);
    add(command, option);
    add(command, text);
}

void command_free(struct command *command)
{
    for (size_t i = 0; i < command->count; i++) {
        free(command->argv[i]);
    }
    *command = (struct command){0};
}

/* ---- files */

/* Anew: what has the name from an earlier run may be a link to a user's image. */
static struct status write_file(const char *work, const char *name, const void *bytes, size_t size)
{
    char *path = memory_format("%s/%s", work, name);
    struct status status = status_ok();
    unlink(path);
    FILE *file = fopen(path, "wx");
    bool written = file != NULL && fwrite(bytes, 1, size, file) == size;
    int error = errno;
    if (file != NULL && fclose(file) != 0) {
        written = false;
        error = errno;
    }
    if (!written) {
        status = status_from_errno(error, "cannot write %s", path);
    }
    free(path);
    return status;
}

static struct status write_text(const char *work, const char *name, const char *text)
{
    return write_file(work, name, text, strlen(text));
}

/* A floppy's image into memory of FLOPPY_SIZE or the file's own size, whichever is larger. */
static struct status read_floppy(const char *path, uint8_t **bytes, size_t *size)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        return status_from_errno(errno, "cannot read %s", path);
    }
    uint8_t *memory = memory_allocate(1, LARGEST_FLOPPY);
    size_t length = fread(memory, 1, LARGEST_FLOPPY, file);
    bool failed = ferror(file) != 0 || (length == LARGEST_FLOPPY && fgetc(file) != EOF);
    fclose(file);
    if (failed) {
        free(memory);
        return status_error(STATUS_CORRUPT, "%s is no floppy image", path);
    }
    *bytes = memory;
    *size = length > FLOPPY_SIZE ? length : FLOPPY_SIZE;
    return status_ok();
}

/* A copy of the program's image with the number of rounds in it, as large as a floppy. */
static struct status write_program_image(const char *programs, const char *name, uint64_t rounds,
                                         const char *work)
{
    char *path = memory_format("%s/%s.img", programs, name);
    uint8_t *bytes = NULL;
    size_t size = 0;
    struct status status = read_floppy(path, &bytes, &size);
    if (status_is_ok(&status)) {
        uint8_t *parameters = bytes + PARAMETERS_OFFSET;
        if (memcmp(parameters, PARAMETERS_MAGIC, 8) != 0 || load_le32(parameters + 8) != 1) {
            status = status_error(STATUS_CORRUPT, "%s is no workload's image", path);
        } else {
            store_le32(parameters + 12, (uint32_t)rounds);
            status = write_file(work, COMMAND_IMAGE, bytes, size);
        }
        free(bytes);
    }
    free(path);
    return status;
}

static struct status link_file(const char *path, const char *work, const char *name)
{
    char *link = memory_format("%s/%s", work, name);
    char *target = realpath(path, NULL);
    struct status status = status_ok();
    unlink(link);
    if (target == NULL || symlink(target, link) != 0) {
        status = status_from_errno(errno, "cannot use %s", path);
    }
    free(target);
    free(link);
    return status;
}

enum medium { MEDIUM_FLOPPY, MEDIUM_DISK, MEDIUM_CDROM };

/* By its size, and by the mark of ISO 9660 in its sector 16. */
static enum medium find_medium(const char *path)
{
    static const char mark[] = "CD001";
    struct stat information;
    if (stat(path, &information) == 0 && information.st_size <= LARGEST_FLOPPY) {
        return MEDIUM_FLOPPY;
    }
    char found[sizeof mark - 1] = "";
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        if (fseek(file, 16 * 2048 + 1, SEEK_SET) != 0 ||
            fread(found, 1, sizeof found, file) != sizeof found) {
            found[0] = '\0';
        }
        fclose(file);
    }
    return memcmp(found, mark, sizeof found) == 0 ? MEDIUM_CDROM : MEDIUM_DISK;
}

/* A floppy is copied, because Bochs writes to it; a disk, which may be large, is only named: every emulator
 * keeps its changes apart. */
static struct status provide_boot_image(const struct workload_boot *boot, const char *work)
{
    if (find_medium(boot->image) != MEDIUM_FLOPPY) {
        return link_file(boot->image, work, COMMAND_IMAGE);
    }
    uint8_t *bytes = NULL;
    size_t size = 0;
    struct status status = read_floppy(boot->image, &bytes, &size);
    if (status_is_ok(&status)) {
        struct stat information;
        if (stat(boot->image, &information) == 0 && information.st_size > 0) {
            size = (size_t)information.st_size; /* a format of its own, perhaps a small one */
        }
        status = write_file(work, COMMAND_IMAGE, bytes, size);
        free(bytes);
    }
    return status;
}

static struct status provide_kernel(const struct workload_boot *boot, const char *work)
{
    struct status status = link_file(boot->kernel, work, "kernel");
    if (status_is_ok(&status) && boot->initrd != NULL) {
        status = link_file(boot->initrd, work, "initrd");
    }
    return status;
}

/* ---- doppel and QEMU, which share most of their words */

static void add_boot_source(struct command *command, const struct workload_boot *boot)
{
    if (boot->kernel != NULL) {
        add_words(command, (const char *const[]){"-kernel", "kernel", NULL});
        if (boot->initrd != NULL) {
            add_words(command, (const char *const[]){"-initrd", "initrd", NULL});
        }
        if (boot->command_line != NULL) {
            add_words(command, (const char *const[]){"-append", boot->command_line, NULL});
        }
    }
}

/* Where the marks come from goes to standard output. */
static void add_marker_stream(struct command *command, enum workload_marker where)
{
    switch (where) {
    case MARKER_SERIAL: add_words(command, (const char *const[]){"-serial", "stdio", NULL}); break;
    case MARKER_DEBUG_PORT: add_words(command, (const char *const[]){"-debugcon", "stdio", NULL}); break;
    case MARKER_SCREEN: break;
    }
}

/* What the user wants of a boot; otherwise a Pentium III, and the least that has SSE2 where that is asked
 * for.
 */
static const char *processor_for(const struct workload *workload, enum configuration_kind kind)
{
    if (workload->boot != NULL && workload->boot->cpu != NULL) {
        return workload->boot->cpu;
    }
    bool sse2 = (workload->properties & WORKLOAD_SSE2) != 0;
    switch (kind) {
    case CONFIGURATION_QEMU: return sse2 ? "pentium3,+sse2" : "pentium3";
    case CONFIGURATION_BOCHS: return sse2 ? "p4_willamette" : "p3_katmai";
    default: return sse2 ? "pentium4" : "pentium3";
    }
}

static void add_strategies(struct command *command, const struct configuration *configuration)
{
    for (size_t i = 0; i < STRATEGY_AXIS_COUNT; i++) {
        if (configuration->strategies[i] != NULL) {
            char *option = memory_format("-%s", strategy_axis_name((enum strategy_axis)i));
            add(command, option);
            add(command, configuration->strategies[i]->name);
            free(option);
        }
    }
}

/* A text in the quotes of doppel's scripts. */
static char *quote(const char *text)
{
    char *quoted = memory_allocate(2 * strlen(text) + 3, 1);
    char *to = quoted;
    *to++ = '"';
    for (; *text != '\0'; text++) {
        if (*text == '"' || *text == '\\') {
            *to++ = '\\';
        }
        *to++ = *text;
    }
    *to = '"';
    return quoted;
}

static struct status write_script(const struct workload_boot *boot, const char *work)
{
    char *marker = quote(boot->marker_end);
    char *script = memory_format("wait-screen %s 86400\nquit\n", marker);
    struct status status = write_text(work, DOPPEL_SCRIPT, script);
    free(script);
    free(marker);
    return status;
}

static struct status add_doppel_words(struct command *command, const struct workload *workload,
                                      const struct configuration *configuration, const char *work)
{
    const struct workload_boot *boot = workload->boot;
    add_strategies(command, configuration);
    add_words(command, (const char *const[]){"-cpu", processor_for(workload, configuration->kind), "-display",
                                             "none", "-counters", COMMAND_COUNTERS, NULL});
    add_number(command, "-m", boot != NULL ? boot->memory_mib : PROGRAM_MEMORY);
    if (boot == NULL) {
        add_words(command, (const char *const[]){"-kernel", COMMAND_IMAGE, "-debugcon", "stdio", "-device",
                                                 DEBUG_EXIT, NULL});
        return status_ok();
    }
    add_boot_source(command, boot);
    if (boot->image != NULL) {
        static const char *const options[] = {"-fda", "-hda", "-cdrom"};
        add_words(command,
                  (const char *const[]){options[find_medium(boot->image)], COMMAND_IMAGE, "-snapshot", NULL});
    }
    add_marker_stream(command, boot->where);
    if (boot->where == MARKER_SCREEN) {
        add_words(command, (const char *const[]){"-script", DOPPEL_SCRIPT, NULL});
        return write_script(boot, work);
    }
    return status_ok();
}

static void add_qemu_words(struct command *command, const struct workload *workload)
{
    const struct workload_boot *boot = workload->boot;
    add_words(command,
              (const char *const[]){"-accel", "tcg", "-cpu", processor_for(workload, CONFIGURATION_QEMU),
                                    "-display", "none", "-nic", "none", "-parallel", "none", NULL});
    add_number(command, "-m", boot != NULL ? boot->memory_mib : PROGRAM_MEMORY);
    if (boot == NULL) {
        add_words(command, (const char *const[]){"-kernel", COMMAND_IMAGE, "-debugcon", "stdio", "-device",
                                                 DEBUG_EXIT, "-serial", "none", "-monitor", "none", NULL});
        return;
    }
    add_boot_source(command, boot);
    if (boot->image != NULL) {
        static const char *const drives[] = {"if=floppy", "if=ide", "if=ide,media=cdrom"};
        char drive[128];
        snprintf(drive, sizeof drive, "file=%s,format=raw,%s", COMMAND_IMAGE,
                 drives[find_medium(boot->image)]);
        add_words(command, (const char *const[]){"-drive", drive, "-snapshot", NULL});
    }
    add_marker_stream(command, boot->where);
    add_words(command, (const char *const[]){"-monitor",
                                             boot->where == MARKER_SCREEN ? "unix:" COMMAND_MONITOR
                                                                            ",server=on,wait=off"
                                                                          : "none",
                                             NULL});
}

/* ---- Bochs */

/* Debian's Bochs begins in its debugger and is told to continue. For a text on the screen it stops again and
 * again to save the screen: about twenty times a second, for an hour or more. */
static struct status write_bochs_commands(const struct workload_boot *boot, const char *work)
{
    if (boot == NULL || boot->where != MARKER_SCREEN) {
        return write_text(work, BOCHS_COMMANDS, "c\n");
    }
    char once[128];
    size_t length = (size_t)snprintf(once, sizeof once, "sb %u\nc\nwritemem \"%s\" %#x %u\n",
                                     BOCHS_STOP_INSTRUCTIONS, SCREEN_FILE, SCREEN_ADDRESS, SCREEN_SIZE);
    char *commands = memory_allocate(BOCHS_STOPS, length);
    for (size_t i = 0; i < BOCHS_STOPS; i++) {
        memcpy(commands + i * length, once, length);
    }
    struct status status = write_file(work, BOCHS_COMMANDS, commands, BOCHS_STOPS * length);
    free(commands);
    return status;
}

static struct status add_bochs_words(struct command *command, const struct workload *workload,
                                     const char *work)
{
    const struct workload_boot *boot = workload->boot;
    static const char *const drives[] = {"floppya: 1_44=" COMMAND_IMAGE ", status=inserted",
                                         "ata0-master: type=disk, path=" COMMAND_IMAGE ", mode=volatile",
                                         "ata0-master: type=cdrom, path=" COMMAND_IMAGE ", status=inserted"};
    static const char *const names[] = {"floppy", "disk", "cdrom"};
    enum medium medium = boot == NULL ? MEDIUM_FLOPPY : find_medium(boot->image);
    char *setup = memory_format("megs: %u\n"
                                "cpu: model=%s, ips=50000000\n"
                                "romimage: file=/usr/share/bochs/BIOS-bochs-latest\n"
                                "vgaromimage: file=/usr/share/bochs/VGABIOS-lgpl-latest\n"
                                "%s\n"
                                "boot: %s\n"
                                "%s\n"
                                "log: bochs.log\n"
                                "panic: action=fatal\n"
                                "clock: sync=none\n"
                                "sound: driver=dummy\n"
                                "display_library: sdl2\n",
                                boot != NULL ? boot->memory_mib : PROGRAM_MEMORY,
                                processor_for(workload, CONFIGURATION_BOCHS), drives[medium], names[medium],
                                boot == NULL || boot->where == MARKER_DEBUG_PORT
                                    ? "port_e9_hack: enabled=1"
                                    : "com1: enabled=1, mode=file, dev=/dev/stdout");
    struct status status = write_text(work, BOCHS_SETUP, setup);
    free(setup);
    if (status_is_ok(&status)) {
        status = write_bochs_commands(boot, work);
    }
    add_words(command, (const char *const[]){"-q", "-f", BOCHS_SETUP, "-rc", BOCHS_COMMANDS, NULL});
    command->environment[0] = "SDL_VIDEODRIVER=dummy";
    command->environment[1] = "SDL_AUDIODRIVER=dummy";
    return status;
}

/* ---- all of them */

bool command_is_applicable(const struct workload *workload, const struct configuration *configuration)
{
    const struct workload_boot *boot = workload->boot;
    switch (configuration->kind) {
    case CONFIGURATION_NATIVE: return boot == NULL && (workload->properties & WORKLOAD_NATIVE);
    case CONFIGURATION_BOCHS: return boot == NULL || (boot->kernel == NULL && boot->cpu == NULL);
    default: return true;
    }
}

static struct status provide_files(const struct workload *workload, uint64_t rounds, const char *programs,
                                   const char *work)
{
    const struct workload_boot *boot = workload->boot;
    if (boot == NULL) {
        return write_program_image(programs, workload->name, rounds, work);
    }
    if (boot->image == NULL && boot->kernel == NULL) {
        return status_error(STATUS_NOT_FOUND, "there is no image of it");
    }
    struct status status = status_ok();
    if (boot->image != NULL) {
        status = provide_boot_image(boot, work);
    }
    if (status_is_ok(&status) && boot->kernel != NULL) {
        status = provide_kernel(boot, work);
    }
    return status;
}

static struct status prepare_native(const struct workload *workload, uint64_t rounds, const char *programs,
                                    struct command *command)
{
    char number[32];
    char *path = memory_format("%s/%s", programs, workload->name);
    struct status status = status_ok();
    snprintf(number, sizeof number, "%" PRIu64, rounds);
    add(command, path);
    add(command, number);
    if (access(path, X_OK) != 0) {
        status = status_from_errno(errno, "cannot run %s", path);
    }
    free(path);
    return status;
}

struct status command_prepare(const struct workload *workload, const struct configuration *configuration,
                              uint64_t rounds, const char *programs, const char *work,
                              struct command *command)
{
    *command = (struct command){0};
    if (configuration->kind == CONFIGURATION_NATIVE) {
        return prepare_native(workload, rounds, programs, command);
    }
    struct status status = provide_files(workload, rounds, programs, work);
    if (!status_is_ok(&status)) {
        return status;
    }
    add(command, configuration->program);
    switch (configuration->kind) {
    case CONFIGURATION_DOPPEL: return add_doppel_words(command, workload, configuration, work);
    case CONFIGURATION_BOCHS: return add_bochs_words(command, workload, work);
    default: add_qemu_words(command, workload); return status_ok();
    }
}

/* See options_files.h. Files are compared as the host knows them, so that links and other paths to one file
 * do not matter; what is no file on a disk (/dev/null, a terminal, a pipe) may be written to by many. */
#include "app/options_files.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/bits.h"

struct named_file {
    const char *what; /* for messages */
    const char *path; /* NULL: none */
};

static bool is_same_file(const char *one, const char *other)
{
    struct stat a;
    struct stat b;
    if (stat(one, &a) != 0 || stat(other, &b) != 0) {
        return strcmp(one, other) == 0;
    }
    return a.st_dev == b.st_dev && a.st_ino == b.st_ino && (S_ISREG(a.st_mode) || S_ISBLK(a.st_mode));
}

/* The PATH of a stream file:PATH. */
static const char *stream_path(const char *stream)
{
    static const char prefix[] = "file:";
    return stream != NULL && strncmp(stream, prefix, strlen(prefix)) == 0 ? stream + strlen(prefix) : NULL;
}

struct status options_check_files(const struct options *options)
{
    const struct machine_config *machine = &options->machine;
    const struct named_file written[] = {
        {"-record", options->record},
        {"-D", options->log_file},
        {"-counters", options->counters_file},
        {"-serial", stream_path(options->serial[0])},
        {"-serial", stream_path(options->serial[1])},
        {"-debugcon", stream_path(options->debug_console)},
    };
    const struct named_file read[] = {
        {"the image of floppy drive A", machine->floppy[0].path},
        {"the image of floppy drive B", machine->floppy[1].path},
        {"the image of hda", machine->ide[0].path},
        {"the image of hdb", machine->ide[1].path},
        {"the image of hdc", machine->ide[2].path},
        {"the image of hdd", machine->ide[3].path},
        {"the kernel", machine->kernel.path},
        {"the initial RAM disk", machine->kernel.initrd},
        {"the system ROM", machine->bios},
        {"the VGA BIOS", machine->vga_bios},
        {"the script", options->script},
        {"the recording to be replayed", options->replay},
    };
    for (size_t i = 0; i < ARRAY_COUNT(written); i++) {
        const struct named_file *file = &written[i];
        for (size_t j = 0; file->path != NULL && j < ARRAY_COUNT(read); j++) {
            if (read[j].path != NULL && is_same_file(file->path, read[j].path)) {
                return status_error(STATUS_INVALID_ARGUMENT, "%s would overwrite %.160s, %s", file->what,
                                    file->path, read[j].what);
            }
        }
        for (size_t j = 0; file->path != NULL && j < i; j++) {
            if (written[j].path != NULL && is_same_file(file->path, written[j].path)) {
                return status_error(STATUS_INVALID_ARGUMENT, "%s and %s cannot both write to %.160s",
                                    written[j].what, file->what, file->path);
            }
        }
    }
    return status_ok();
}

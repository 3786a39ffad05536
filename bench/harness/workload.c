/* The list of what can be measured; see workload.h. */
#include "harness/workload.h"

#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/bits.h"
#include "harness/memory.h"

/* Names of properties as workloads.def has them. */
enum { GUEST = WORKLOAD_GUEST, NATIVE = WORKLOAD_NATIVE, QUICK = WORKLOAD_QUICK, SSE2 = WORKLOAD_SSE2 };

#define STRINGIFY(text) #text

static const struct workload programs[] = {
#define WORKLOAD(group, name, text, checksum, properties)                                                    \
    {STRINGIFY(group), STRINGIFY(name), text, checksum, (properties), NULL},
#include "workloads/workloads.def"
#undef WORKLOAD
};

static struct workload *append(struct workload_list *list)
{
    list->items = memory_resize(list->items, list->count + 1, sizeof *list->items);
    return &list->items[list->count++];
}

struct workload_list workload_list_create(void)
{
    struct workload_list list = {0};
    for (size_t i = 0; i < ARRAY_COUNT(programs); i++) {
        *append(&list) = programs[i];
    }
    return list;
}

static void free_strings(const struct workload_boot *boot)
{
    free(boot->image);
    free(boot->kernel);
    free(boot->initrd);
    free(boot->command_line);
    free(boot->marker_start);
    free(boot->marker_end);
    free(boot->result);
}

void workload_list_destroy(struct workload_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].boot != NULL) {
            free_strings(list->items[i].boot);
            free(list->items[i].boot);
        }
    }
    free(list->items);
    *list = (struct workload_list){0};
}

void workload_list_add_boot(struct workload_list *list, const char *group, const char *name, const char *text,
                            unsigned properties, const struct workload_boot *boot)
{
    struct workload_boot *copy = memory_allocate(1, sizeof *copy);
    *copy = *boot;
    *append(list) =
        (struct workload){.group = group, .name = name, .text = text, .properties = properties, .boot = copy};
}

/* The file's path when it is there, which the caller owns; or NULL. `directory` may be NULL. */
static char *find_file(const char *directory, const char *name)
{
    if (directory == NULL) {
        return NULL;
    }
    char *path = memory_format("%s/%s", directory, name);
    if (access(path, R_OK) == 0) {
        return path;
    }
    free(path);
    return NULL;
}

static char *copy_or_null(const char *text)
{
    return text != NULL ? memory_text(text) : NULL;
}

static struct workload_boot copy_boot(const struct workload_boot *boot)
{
    struct workload_boot copy = *boot;
    copy.image = copy_or_null(boot->image);
    copy.kernel = copy_or_null(boot->kernel);
    copy.initrd = copy_or_null(boot->initrd);
    copy.command_line = copy_or_null(boot->command_line);
    copy.marker_start = copy_or_null(boot->marker_start);
    copy.marker_end = copy_or_null(boot->marker_end);
    return copy;
}

void workload_list_add_results(struct workload_list *list, const char *group, const char *names,
                               const char *text, unsigned properties, const struct workload_boot *boot)
{
    char *copy_of_names = memory_text(names);
    char *rest = copy_of_names;
    for (char *name = strsep(&rest, ","); name != NULL; name = strsep(&rest, ",")) {
        struct workload_boot copy = copy_boot(boot);
        copy.result = memory_text(name);
        workload_list_add_boot(list, group, copy.result, text, properties, &copy);
    }
    free(copy_of_names);
    free_strings(boot);
}

size_t workload_guest_end(const struct workload_list *list, size_t index)
{
    const struct workload *first = &list->items[index];
    size_t end = index + 1;
    while (first->boot != NULL && first->boot->result != NULL && end < list->count &&
           list->items[end].boot != NULL && list->items[end].boot->result != NULL &&
           strcmp(list->items[end].group, first->group) == 0) {
        end++;
    }
    return end;
}

static void add_debian(struct workload_list *list, const char *directory)
{
    workload_list_add_boot(list, "boots", "debian", "Debian from a disk, to its login prompt", WORKLOAD_GUEST,
                           &(struct workload_boot){.image = find_file(directory, "debian.img"),
                                                   .where = MARKER_SERIAL,
                                                   .marker_end = memory_text("login:"),
                                                   .memory_mib = 512,
                                                   .timeout_seconds = 3600,
                                                   .repeat = 1});
    workload_list_add_results(list, "debian",
                              "gcc-w,gcc-q,x87-math,int-sort,sha256,7zr,python,fork,syscalls,gzip",
                              "a program of Debian's, in one run with the others", WORKLOAD_GUEST,
                              &(struct workload_boot){.image = find_file(directory, "debian-bench.img"),
                                                      .where = MARKER_SERIAL,
                                                      .marker_start = memory_text("BOOTED"),
                                                      .marker_end = memory_text("DONE"),
                                                      .memory_mib = 512,
                                                      .timeout_seconds = 4 * 3600,
                                                      .repeat = 1});
}

void workload_list_add_known_boots(struct workload_list *list, const struct workload_places *places)
{
    workload_list_add_boot(list, "boots", "freedos", "FreeDOS from a floppy, to its prompt", WORKLOAD_GUEST,
                           &(struct workload_boot){.image = find_file(places->guests, "freedos-1440k.img"),
                                                   .where = MARKER_SCREEN,
                                                   .marker_end = memory_text("A:\\>"),
                                                   .memory_mib = 64});
    workload_list_add_boot(list, "boots", "linux", "Linux with busybox from a CD-ROM, to its first program",
                           WORKLOAD_GUEST,
                           &(struct workload_boot){.image = find_file(places->downloads, "bench-linux.iso"),
                                                   .where = MARKER_SERIAL,
                                                   .marker_end = memory_text("INIT DONE"),
                                                   .memory_mib = 128});
    add_debian(list, places->debian);
}

bool workload_matches(const struct workload *workload, const char *pattern)
{
    char *full = memory_format("%s/%s", workload->group, workload->name);
    bool matches = fnmatch(pattern, full, 0) == 0 || fnmatch(pattern, workload->group, 0) == 0 ||
                   (strchr(pattern, '/') == NULL && fnmatch(pattern, workload->name, 0) == 0);
    free(full);
    return matches;
}

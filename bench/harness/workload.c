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

void workload_list_destroy(struct workload_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct workload_boot *boot = list->items[i].boot;
        if (boot != NULL) {
            free(boot->image);
            free(boot->kernel);
            free(boot->initrd);
            free(boot->command_line);
            free(boot->marker_start);
            free(boot->marker_end);
            free(boot);
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

/* The file's path when it is there, which the caller owns; or NULL. */
static char *find_file(const char *directory, const char *name)
{
    char *path = memory_format("%s/%s", directory, name);
    if (access(path, R_OK) == 0) {
        return path;
    }
    free(path);
    return NULL;
}

void workload_list_add_known_boots(struct workload_list *list, const char *guests, const char *downloads)
{
    workload_list_add_boot(list, "boots", "freedos", "FreeDOS from a floppy, to its prompt", WORKLOAD_GUEST,
                           &(struct workload_boot){.image = find_file(guests, "freedos-1440k.img"),
                                                   .where = MARKER_SCREEN,
                                                   .marker_end = memory_text("A:\\>"),
                                                   .memory_mib = 64});
    workload_list_add_boot(list, "boots", "linux", "Linux with busybox from a CD-ROM, to its first program",
                           WORKLOAD_GUEST,
                           &(struct workload_boot){.image = find_file(downloads, "bench-linux.iso"),
                                                   .where = MARKER_SERIAL,
                                                   .marker_end = memory_text("INIT DONE"),
                                                   .memory_mib = 128});
}

bool workload_matches(const struct workload *workload, const char *pattern)
{
    char *full = memory_format("%s/%s", workload->group, workload->name);
    bool matches = fnmatch(pattern, full, 0) == 0 || fnmatch(pattern, workload->group, 0) == 0 ||
                   (strchr(pattern, '/') == NULL && fnmatch(pattern, workload->name, 0) == 0);
    free(full);
    return matches;
}

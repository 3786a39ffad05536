/* The host, from uname(2), sysconf(3) and Linux's /proc; see host_info.h. */
#include "harness/host_info.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "harness/commit.h"
#include "harness/memory.h"

/* The value of the first line of `path` that begins with `key`, without the separators in front of it and the
 * quotes around it; or an empty string. The caller owns it. */
static char *find_line(const char *path, const char *key)
{
    FILE *file = fopen(path, "r");
    char line[512];
    char *found = NULL;
    while (file != NULL && found == NULL && fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, key, strlen(key)) == 0) {
            char *value = line + strlen(key);
            value += strspn(value, " \t:=\"");
            value[strcspn(value, "\"\n")] = '\0';
            found = memory_text(value);
        }
    }
    if (file != NULL) {
        fclose(file);
    }
    return found != NULL ? found : memory_text("");
}

static void take(char **string, char *owned)
{
    free(*string);
    *string = owned;
}

double host_info_load(void)
{
    double load;
    return getloadavg(&load, 1) == 1 ? load : -1;
}

void host_info_read(struct results_host *host)
{
    struct utsname name;
    if (uname(&name) == 0) {
        take(&host->kernel, memory_format("%s %s %s", name.sysname, name.release, name.machine));
    }
    take(&host->cpu, find_line("/proc/cpuinfo", "model name"));
    take(&host->system, find_line("/etc/os-release", "PRETTY_NAME"));
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    long pages = sysconf(_SC_PHYS_PAGES);
    long page_size = sysconf(_SC_PAGESIZE);
    host->cores = cores > 0 ? (unsigned)cores : 1;
    host->memory_kib = pages > 0 && page_size > 0 ? (uint64_t)pages * ((uint64_t)page_size / 1024) : 0;
    host->load_before = host_info_load();
    char date[32];
    time_t now = time(NULL);
    struct tm broken_down;
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &broken_down));
    results_set(&host->date, date);
    results_set(&host->commit, DOPPEL_COMMIT);
    results_set(&host->version, DOPPEL_VERSION);
}

/* See counters_file.h. */
#include "app/counters_file.h"

#include <errno.h>

#include "base/counters.h"
#include "machine/machine.h"

struct status counters_file_open(const char *path, FILE **file)
{
    *file = path != NULL ? fopen(path, "w") : NULL;
    return path == NULL || *file != NULL ? status_ok()
                                         : status_from_errno(errno, "cannot write the counters %s", path);
}

static void write_counters(struct machine *machine, FILE *out)
{
    const struct counters *counters = machine_counters(machine);
    fprintf(out, "instructions %llu\n", (unsigned long long)machine_retired(machine));
    for (enum counter counter = 0; counter < COUNTER_COUNT; counter++) {
        fprintf(out, "%s %llu\n", counter_name(counter), (unsigned long long)counters->value[counter]);
    }
}

void counters_file_close(FILE *file, const char *path, struct machine *machine, struct status *status)
{
    if (file == NULL) {
        return;
    }
    if (machine != NULL) {
        write_counters(machine, file);
    }
    bool failed = ferror(file) != 0;
    errno = 0;
    failed |= fclose(file) != 0;
    if (failed && status_is_ok(status)) {
        *status = status_from_errno(errno != 0 ? errno : EIO, "cannot write the counters %s", path);
    }
}

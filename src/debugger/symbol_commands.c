/* `symbols`: names for addresses come and go. */
#include <fnmatch.h>
#include <string.h>

#include "debugger/code_listing.h"
#include "debugger/monitor_internal.h"

static struct status load(struct monitor_session *session, int argc, char **argv)
{
    uint64_t offset = 0;
    size_t count = 0;
    struct status status = argc == 4 ? monitor_evaluate(session->monitor, argv[3], &offset) : status_ok();
    if (status_is_ok(&status)) {
        status = symbols_load(session->monitor->symbols, argv[2], offset, &count);
    }
    if (status_is_ok(&status)) {
        fprintf(session->out, "%zu symbols\n", count);
    }
    return status;
}

static void list(const struct symbols *symbols, const char *pattern, FILE *out)
{
    char part[MONITOR_LINE_MAX + 2];
    bool has_wildcard = strpbrk(pattern, "*?[") != NULL;
    snprintf(part, sizeof part, has_wildcard ? "%s" : "*%s*", pattern);
    for (size_t i = 0; i < symbols_count(symbols); i++) {
        const struct symbol *symbol = symbols_at(symbols, i);
        if (fnmatch(part, symbol->name, 0) == 0) {
            fprintf(out, "%08llx  %s\n", (unsigned long long)symbol->address, symbol->name);
        }
    }
}

static void list_files(const struct symbols *symbols, FILE *out)
{
    const char *path;
    size_t count;
    uint64_t offset;
    for (size_t n = 0; (path = symbols_file(symbols, n, &count, &offset)) != NULL; n++) {
        fprintf(out, "%8zu symbols  offset 0x%llx  %s\n", count, (unsigned long long)offset, path);
    }
    if (symbols_count(symbols) == 0) {
        fputs("no symbols are loaded\n", out);
    }
}

void monitor_load_kernel_symbols(struct monitor *monitor, const char *path)
{
    uint8_t magic[4] = {0};
    FILE *file = fopen(path, "rb");
    if (file == NULL) {
        return;
    }
    const size_t length = fread(magic, 1, sizeof magic, file);
    fclose(file);
    if (symbols_is_elf(magic, length)) {
        size_t count;
        struct status status = symbols_load(monitor->symbols, path, 0, &count);
        (void)status; /* most kernels are stripped: nothing to be told of */
    }
}

struct status command_symbols(struct monitor_session *session, int argc, char **argv)
{
    struct symbols *symbols = session->monitor->symbols;
    if (argc == 1) {
        list_files(symbols, session->out);
    } else if (strcmp(argv[1], "load") == 0 && (argc == 3 || argc == 4)) {
        return load(session, argc, argv);
    } else if (strcmp(argv[1], "list") == 0 && argc <= 3) {
        list(symbols, argc == 3 ? argv[2] : "*", session->out);
    } else if (strcmp(argv[1], "unload") == 0 && argc <= 3) {
        if (!symbols_unload(symbols, argc == 3 ? argv[2] : NULL)) {
            return status_error(STATUS_NOT_FOUND, "nothing was loaded from there (symbols lists the files)");
        }
    } else {
        return monitor_usage(argv[0]);
    }
    return status_ok();
}

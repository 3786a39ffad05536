/* Preloaded into a program, makes the host one with less. LESSER_HOST, in the environment, says what is
 * missing:
 *
 *   mappings   so many are made that only LEFT remain until vm.max_map_count
 *   fsgsbase   the kernel does not say that programs may write GS's base themselves
 *   memfd      the guest's memory has no file behind it (translated code still has: without, there is none)
 *
 * What was asked for in vain is told on standard error, once. */
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#define LEFT                 3000u
#define HOST_PAGE            ((size_t)4096)
#define HWCAP2_WITH_FSGSBASE 2ul

static bool is_missing(const char *what)
{
    const char *missing = getenv("LESSER_HOST");
    return missing != NULL && strcmp(missing, what) == 0;
}

static size_t number_in(const char *path)
{
    size_t number = 0;
    FILE *file = fopen(path, "r");
    if (file != NULL) {
        if (fscanf(file, "%zu", &number) != 1) {
            number = 0;
        }
        fclose(file);
    }
    return number;
}

__attribute__((constructor)) static void use_mappings(void)
{
    size_t count = is_missing("mappings") ? number_in("/proc/sys/vm/max_map_count") : 0;
    size_t pages = count > LEFT ? count - LEFT : 0;
    uint8_t *bytes = pages == 0
                         ? MAP_FAILED
                         : mmap(NULL, pages * HOST_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; bytes != MAP_FAILED && i < pages; i += 2) {
        if (mprotect(bytes + i * HOST_PAGE, HOST_PAGE, PROT_READ) != 0) {
            return;
        }
    }
}

unsigned long getauxval(unsigned long type)
{
    unsigned long (*real)(unsigned long) = (unsigned long (*)(unsigned long))dlsym(RTLD_NEXT, "getauxval");
    unsigned long value = real(type);
    if (type == AT_HWCAP2 && is_missing("fsgsbase")) {
        fprintf(stderr, "lesser host: without FSGSBASE\n");
        value &= ~HWCAP2_WITH_FSGSBASE;
    }
    return value;
}

int memfd_create(const char *name, unsigned flags)
{
    int (*real)(const char *, unsigned) = (int (*)(const char *, unsigned))dlsym(RTLD_NEXT, "memfd_create");
    if (is_missing("memfd") && strcmp(name, "doppel") == 0) {
        errno = ENOSYS;
        return -1;
    }
    return real(name, flags);
}

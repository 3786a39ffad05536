/* Preloaded into a program, leaves it few of the host's mappings: so many are made that only LEFT remain
 * until vm.max_map_count. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>

#define LEFT      3000u
#define HOST_PAGE ((size_t)4096)

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
    size_t count = number_in("/proc/sys/vm/max_map_count");
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

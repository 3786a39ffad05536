/* Memory: private and shared mappings, copies on write, code that is written and run, and files in memory. */
#include "checks.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE  4096u
#define PAGES 1024u

static uint32_t *map_pages(int sharing)
{
    return mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, sharing | MAP_ANONYMOUS, -1, 0);
}

static uint32_t sum_of(const uint32_t *pages)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < PAGES; i++) {
        sum = sum * 31 + pages[i * (PAGE / 4) + i % (PAGE / 4)];
    }
    return sum;
}

static void fill(uint32_t *pages, uint32_t seed)
{
    for (size_t i = 0; i < PAGES; i++) {
        pages[i * (PAGE / 4) + i % (PAGE / 4)] = seed + (uint32_t)i * 2654435761u;
    }
}

static void check_copies(void)
{
    uint32_t *private = map_pages(MAP_PRIVATE);
    uint32_t *shared = map_pages(MAP_SHARED);
    check_equal("fresh memory is zero", sum_of(private), 0);
    fill(private, 1);
    uint32_t before = sum_of(private);
    for (uint32_t round = 0; round < 3; round++) {
        pid_t child = fork();
        if (child == 0) {
            bool same = sum_of(private) == before;
            fill(private, round + 7);
            fill(shared, round + 7);
            _exit(same && sum_of(private) == sum_of(shared) ? 0 : 1);
        }
        int status = -1;
        waitpid(child, &status, 0);
        check_equal("a child sees its parent's memory", status, 0);
        check_equal("and writes copies of it", sum_of(private), before);
    }
    fill(private, 9);
    check_equal("shared memory is shared", sum_of(shared), sum_of(private));
    madvise(private, PAGES * PAGE, MADV_DONTNEED);
    check_equal("memory given back is zero again", sum_of(private), 0);
    shared = mremap(shared, PAGES * PAGE, 2 * PAGES * PAGE, MREMAP_MAYMOVE);
    fill(private, 9);
    check(shared != MAP_FAILED && sum_of(shared) == sum_of(private), "a mapping moves with its pages",
          "sums differ");
    munmap(shared, 2 * PAGES * PAGE);
    munmap(private, PAGES * PAGE);
}

/* Code that is changed between and during its calls. */
static void check_code(void)
{
    uint8_t *code =
        mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    static const uint8_t return_number[] = {0xb8, 0, 0, 0, 0, 0xc3}; /* mov eax, 0; ret */
    uint8_t *function = code + PAGE - 3;                             /* the number's bytes lie in two pages */
    memcpy(function, return_number, sizeof(return_number));
    int wrong = 0;
    for (uint32_t i = 0; i < 500; i++) {
        uint32_t number = i * 0x01020304;
        memcpy(function + 1, &number, 4);
        wrong += ((uint32_t(*)(void))(uintptr_t)function)() != number;
    }
    check_equal("code is what was last written", wrong, 0);
    /* call +0; pop edx; mov byte [edx+10], 42; mov eax, 0 -> 42; ret */
    static const uint8_t changes_itself[] = {0xe8, 0,    0,    0, 0, 0x5a, 0xc6, 0x42, 0x06,
                                             42,   0x90, 0xb8, 0, 0, 0,    0,    0xc3};
    memcpy(code, changes_itself, sizeof(changes_itself));
    code[8] = 7; /* from the POP to the number's first byte */
    check_equal("code changes the next instruction but one", ((int (*)(void))(uintptr_t)code)(), 42);
    munmap(code, 2 * PAGE);
}

static void check_files(void)
{
    char name[] = "/tmp/checksXXXXXX";
    int file = mkstemp(name);
    unlink(name);
    uint32_t words[PAGE / 4];
    for (uint32_t page = 0; page < 64; page++) {
        for (uint32_t i = 0; i < PAGE / 4; i++) {
            words[i] = page * 65537 + i;
        }
        if (write(file, words, sizeof(words)) != (ssize_t)sizeof(words)) {
            check(false, "a file is written", "page %u", page);
            return;
        }
    }
    uint32_t *mapping = mmap(NULL, 64 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    int wrong = 0;
    for (uint32_t i = 0; i < 64 * PAGE / 4; i++) {
        wrong += mapping[i] != i / (PAGE / 4) * 65537 + i % (PAGE / 4);
        mapping[i] = ~mapping[i];
    }
    check_equal("a mapping shows the file", wrong, 0);
    check(pread(file, words, sizeof(words), 63 * PAGE) == (ssize_t)sizeof(words) &&
              words[5] == ~(63u * 65537 + 5),
          "and changes it", "%x", words[5]);
    munmap(mapping, 64 * PAGE);
    close(file);
}

static void check_heap(void)
{
    static char *blocks[512];
    uint32_t random = 1;
    int wrong = 0;
    for (unsigned i = 0; i < 4000; i++) {
        random = random * 1664525 + 1013904223;
        unsigned which = random >> 23;
        size_t size = (random >> 8) % 3000 + 2;
        if (blocks[which] != NULL) {
            wrong += blocks[which][0] != (char)which;
            free(blocks[which]);
        }
        blocks[which] = malloc(size);
        memset(blocks[which], (int)which, size);
    }
    check_equal("the heap keeps what is in it", wrong, 0);
}

void check_memory(void)
{
    check_copies();
    check_code();
    check_files();
    check_heap();
}

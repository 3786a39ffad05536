/* Code and the data that it writes in one page, in turns every 64 bytes: what old compilers, assembly
 * programs and boot loaders do, and what emulators that watch whole pages pay for. */
#include "workload.h"

#define PIECES 48u
#define ROUNDS 4000u

static uint8_t *page;

/* Piece n, 64 bytes: add [its counter], eax; add eax, 3; jmp to the next piece; the last one returns. The
 * counter is in the piece's last four bytes. */
static void write_piece(uint32_t n)
{
    uint8_t *at = page + 64 * n;
    uint32_t counter = (uint32_t)(at + 60);
    at[0] = 0x01; /* add [counter], eax */
    at[1] = 0x05;
    memcpy(at + 2, &counter, 4);
    at[6] = 0x83; /* add eax, 3 */
    at[7] = 0xc0;
    at[8] = 0x03;
    at[9] = n == PIECES - 1 ? 0xc3 : 0xeb; /* ret, or jmp over the rest */
    at[10] = 64 - 11;
}

void workload_prepare(void)
{
    page = workload_memory(4096);
    for (uint32_t n = 0; n < PIECES; n++) {
        write_piece(n);
    }
}

uint32_t workload_run(void)
{
    uint32_t hash = WORKLOAD_HASH_START;
    for (uint32_t n = 0; n < PIECES; n++) {
        memset(page + 64 * n + 60, 0, 4);
    }
    for (uint32_t i = 0; i < ROUNDS; i++) {
        uint32_t value = i;
        __asm__ volatile("call *%1" : "+a"(value) : "r"(page) : "memory", "cc");
        hash = workload_hash(hash, value);
    }
    for (uint32_t n = 0; n < PIECES; n++) {
        uint32_t counter;
        memcpy(&counter, page + 64 * n + 60, 4);
        hash = workload_hash(hash, counter);
    }
    return hash;
}

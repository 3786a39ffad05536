/*
 * The bench command: four integer loops that do the same work every round on every machine, so that checksums
 * can be compared and rounds counted. With a number it runs that many rounds of each; without, about a second
 * of each.
 */
#include "commands.h"
#include "console.h"
#include "scratch.h"
#include "text.h"
#include "timer.h"

#define BENCH_MICROSECONDS 1000000
#define MICROSECONDS_MAX   4000000000u
#define CRC_POLYNOMIAL     0xedb88320u
#define MATRIX_SIZE        48
#define RANDOM_FACTOR      1664525u /* Numerical Recipes' generator */
#define RANDOM_INCREMENT   1013904223u

/* Primes below 65,536: their number and their sum. */
static uint32_t bench_sieve(void)
{
    memset(scratch_a, 1, SCRATCH_SIZE);
    uint32_t sum = 0;
    uint32_t primes = 0;
    for (uint32_t i = 2; i < SCRATCH_SIZE; i++) {
        if (scratch_a[i] == 0)
            continue;
        primes++;
        sum += i;
        for (uint32_t multiple = i * 2; multiple < SCRATCH_SIZE; multiple += i)
            scratch_a[multiple] = 0;
    }
    return primes ^ sum;
}

/* CRC-32 (IEEE 802.3) of 64 KiB of pseudo-random bytes, with a table made on the way. */
static uint32_t bench_crc32(void)
{
    uint32_t *table = (uint32_t *)(void *)scratch_b;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t value = i;
        for (int bit = 0; bit < 8; bit++)
            value = (value & 1) != 0 ? value >> 1 ^ CRC_POLYNOMIAL : value >> 1;
        table[i] = value;
    }
    uint32_t random = 1;
    uint32_t crc = UINT32_MAX;
    for (uint32_t i = 0; i < SCRATCH_SIZE; i++) {
        random = random * RANDOM_FACTOR + RANDOM_INCREMENT;
        crc = crc >> 8 ^ table[(crc ^ random >> 24) & 255];
    }
    return ~crc;
}

/* The product of two 48 by 48 matrices of 32-bit integers. */
static uint32_t bench_matrix(void)
{
    uint32_t *a = (uint32_t *)(void *)scratch_a;
    uint32_t *b = a + MATRIX_SIZE * MATRIX_SIZE;
    for (uint32_t i = 0; i < MATRIX_SIZE * MATRIX_SIZE; i++) {
        a[i] = i * 7 + 1;
        b[i] = i ^ 0x55;
    }
    uint32_t sum = 0;
    for (uint32_t row = 0; row < MATRIX_SIZE; row++) {
        for (uint32_t column = 0; column < MATRIX_SIZE; column++) {
            uint32_t cell = 0;
            for (uint32_t i = 0; i < MATRIX_SIZE; i++)
                cell += a[row * MATRIX_SIZE + i] * b[i * MATRIX_SIZE + column];
            sum = (sum << 1 | sum >> 31) ^ cell;
        }
    }
    return sum;
}

/* STOS, MOVS, SCAS and CMPS over 64 KiB. */
static uint32_t bench_strings(void)
{
    uint32_t sum = 0;
    for (uint32_t round = 1; round <= 8; round++) {
        memset(scratch_a, (int)round, SCRATCH_SIZE);
        scratch_a[round * 8000] = 0;
        memcpy(scratch_b, scratch_a, SCRATCH_SIZE);

        const uint8_t *at = scratch_b;
        uint32_t left = SCRATCH_SIZE;
        __asm__ volatile("repne scasb" : "+D"(at), "+c"(left) : "a"(0) : "memory", "cc");
        sum = sum * 31 + left;

        scratch_b[SCRATCH_SIZE - round * 100] = 0xff;
        const uint8_t *source = scratch_a;
        at = scratch_b;
        left = SCRATCH_SIZE;
        __asm__ volatile("repe cmpsb" : "+S"(source), "+D"(at), "+c"(left) : : "memory", "cc");
        sum = sum * 31 + left;
    }
    return sum;
}

struct bench {
    const char *name;
    uint32_t (*run)(void);
};

/* rounds 0: as many as fit in the time. False if the person had enough. */
static bool run_bench(const struct bench *bench, uint32_t rounds)
{
    uint32_t start = timer_microseconds();
    uint32_t elapsed = 0;
    uint32_t done = 0;
    uint32_t checksum = 0;
    bool is_steady = true;
    console_print("  %-9s", bench->name);
    do {
        uint32_t result = bench->run();
        is_steady = is_steady && (done == 0 || result == checksum);
        checksum = result;
        done++;
        elapsed = timer_microseconds() - start;
        if (console_poll_break())
            return false;
    } while (rounds != 0 ? done < rounds && elapsed < MICROSECONDS_MAX : elapsed < BENCH_MICROSECONDS);

    uint32_t milliseconds = (elapsed + 500) / 1000;
    console_print("%8u  %5u.%03u s  ", done, milliseconds / 1000, milliseconds % 1000);
    if (milliseconds == 0)
        console_print("%12s", "-");
    else if (done < UINT32_MAX / 10000)
        console_print("%10u.%u", done * 1000 / milliseconds, done * 10000 / milliseconds % 10);
    else
        console_print("%12u", done / milliseconds * 1000);
    console_print("   %08x", checksum);
    if (!is_steady)
        console_print_in(VGA_LIGHT_RED, "  rounds differ!");
    console_put('\n');
    return true;
}

void command_bench(int count, char **words)
{
    static const struct bench benches[] = {
        {"sieve", bench_sieve}, {"crc32", bench_crc32}, {"matrix", bench_matrix}, {"strings", bench_strings}};
    uint32_t rounds = 0;
    if (count > 1 && (!text_parse_number(words[1], &rounds) || rounds == 0)) {
        console_print("bench, or bench and a number of rounds\n");
        return;
    }
    console_print_in(VGA_WHITE, "  loop       rounds        time      rounds/s   checksum\n");
    for (unsigned i = 0; i < sizeof(benches) / sizeof(benches[0]); i++) {
        if (!run_bench(&benches[i], rounds)) {
            console_print("stopped\n");
            return;
        }
    }
}

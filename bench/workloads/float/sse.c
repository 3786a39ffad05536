/* SSE and SSE2: dot products of vectors of floats and of doubles, and a picture that is blurred in floats and
 * converted to integers. No sum's order is left to the compiler, so that the results are the same bits
 * everywhere. */
#include "workload.h"

typedef float floats __attribute__((vector_size(16)));
typedef float floats_anywhere __attribute__((vector_size(16), aligned(4), may_alias));
typedef double doubles __attribute__((vector_size(16)));
typedef int32_t integers __attribute__((vector_size(16)));

#define LENGTH       4096u
#define DOT_PRODUCTS 700u
#define WIDTH        256u
#define HEIGHT       128u
#define MARGIN       4u /* to the left and right of the picture */
#define PITCH        (WIDTH + 2 * MARGIN)
#define BLURS        40u

static floats one[LENGTH / 4];
static floats other[LENGTH / 4];
static doubles wide_one[LENGTH / 2];
static doubles wide_other[LENGTH / 2];
static float picture[HEIGHT + 2][PITCH] __attribute__((aligned(16)));
static float blurred[HEIGHT + 2][PITCH] __attribute__((aligned(16)));

static uint32_t hash_floats(uint32_t hash, floats value)
{
    uint32_t words[4];
    memcpy(words, &value, sizeof words);
    return workload_hash(workload_hash(workload_hash(workload_hash(hash, words[0]), words[1]), words[2]),
                         words[3]);
}

static floats dot_floats(uint32_t shift)
{
    floats even = {0, 0, 0, 0};
    floats odd = {0, 0, 0, 0};
    for (uint32_t i = 0; i < LENGTH / 4; i += 2) {
        even += one[i] * other[(i + shift) % (LENGTH / 4)];
        odd += one[i + 1] * other[(i + 1 + shift) % (LENGTH / 4)];
    }
    return even + odd;
}

static doubles dot_doubles(uint32_t shift)
{
    doubles sum = {0, 0};
    for (uint32_t i = 0; i < LENGTH / 2; i++) {
        sum += wide_one[i] * wide_other[(i + shift) % (LENGTH / 2)];
    }
    return sum;
}

static floats load(const float *at)
{
    return *(const floats_anywhere *)at;
}

/* Each point's new value: its own with half the weight, its four neighbours' with an eighth each. */
static void blur(float to[HEIGHT + 2][PITCH], float from[HEIGHT + 2][PITCH])
{
    const floats half = {0.5f, 0.5f, 0.5f, 0.5f};
    const floats eighth = {0.125f, 0.125f, 0.125f, 0.125f};
    for (uint32_t y = 1; y <= HEIGHT; y++) {
        for (uint32_t x = MARGIN; x < MARGIN + WIDTH; x += 4) {
            floats beside = load(&from[y][x - 1]) + load(&from[y][x + 1]);
            floats above = load(&from[y - 1][x]) + load(&from[y + 1][x]);
            *(floats_anywhere *)&to[y][x] = load(&from[y][x]) * half + (beside + above) * eighth;
        }
    }
}

static float random_float(uint32_t *random)
{
    return (float)(int32_t)(workload_random(random) >> 16) * (1.0f / 65536.0f);
}

/* Not inlined: nothing of it may come before the check. */
__attribute__((noinline)) static void fill_vectors(void)
{
    uint32_t random = 161803;
    for (uint32_t i = 0; i < LENGTH; i++) {
        one[i / 4][i % 4] = random_float(&random);
        other[i / 4][i % 4] = random_float(&random) - 0.5f;
        wide_one[i / 2][i % 2] = (double)random_float(&random);
        wide_other[i / 2][i % 2] = (double)random_float(&random) - 0.5;
    }
}

void workload_prepare(void)
{
    if (!(workload_cpu_features() & WORKLOAD_CPU_SSE2)) {
        workload_fail("unsupported: the processor has no SSE2");
    }
    fill_vectors();
}

uint32_t workload_run(void)
{
    uint32_t hash = WORKLOAD_HASH_START;
    floats sum = {0, 0, 0, 0};
    doubles wide_sum = {0, 0};
    for (uint32_t i = 0; i < DOT_PRODUCTS; i++) {
        sum += dot_floats(i);
        wide_sum += dot_doubles(i);
    }
    hash = hash_floats(hash, sum);
    hash = hash_floats(hash, (floats)wide_sum);

    uint32_t random = 57721;
    memset(picture, 0, sizeof picture);
    for (uint32_t y = 1; y <= HEIGHT; y++) {
        for (uint32_t x = MARGIN; x < MARGIN + WIDTH; x++) {
            picture[y][x] = random_float(&random) * 256.0f;
        }
    }
    for (uint32_t i = 0; i < BLURS; i += 2) {
        blur(blurred, picture);
        blur(picture, blurred);
    }
    integers total = {0, 0, 0, 0};
    for (uint32_t y = 1; y <= HEIGHT; y++) {
        for (uint32_t x = MARGIN; x < MARGIN + WIDTH; x += 4) {
            total = total * 3 + __builtin_convertvector(load(&picture[y][x]) * 16.0f, integers);
        }
    }
    return hash_floats(hash, (floats)total);
}

/* Pictures of 32-bit pixels blended on the MMX unit: bytes unpacked to words, multiplied, shifted and packed
 * again, and saturating additions. A blend in plain C says beforehand what has to come out. */
#include "workload.h"

#define PIXELS  16384u
#define BLENDS  60u
#define BYTES   (4 * PIXELS)
#define SAMPLES 64u /* pixels compared with the blend in plain C */

static uint8_t front[BYTES] __attribute__((aligned(16)));
static uint8_t back[BYTES] __attribute__((aligned(16)));
static uint8_t result[BYTES] __attribute__((aligned(16)));

/* result = back + (front - back) * weight / 256, and the eighth of the front picture added to that with
 * saturation; two pixels in each round of the loop. `weight` is at most 255. */
static void blend(uint32_t weight)
{
    const uint8_t *from = front;
    const uint8_t *onto = back;
    uint8_t *to = result;
    uint32_t count = BYTES / 8;
    uint64_t weights = 0x0001000100010001ull * weight;
    static const uint64_t low_five_bits = 0x1f1f1f1f1f1f1f1full;
    __asm__ volatile("movq %[weights], %%mm7\n\t"
                     "movq %[mask], %%mm6\n\t"
                     "pxor %%mm5, %%mm5\n"
                     "1:\n\t"
                     "movq (%[from]), %%mm0\n\t"
                     "movq (%[onto]), %%mm1\n\t"
                     "movq %%mm0, %%mm2\n\t"
                     "movq %%mm1, %%mm3\n\t"
                     "movq %%mm0, %%mm4\n\t"
                     "punpcklbw %%mm5, %%mm0\n\t"
                     "punpcklbw %%mm5, %%mm1\n\t"
                     "punpckhbw %%mm5, %%mm2\n\t"
                     "punpckhbw %%mm5, %%mm3\n\t"
                     "psubw %%mm1, %%mm0\n\t"
                     "psubw %%mm3, %%mm2\n\t"
                     "pmullw %%mm7, %%mm0\n\t"
                     "pmullw %%mm7, %%mm2\n\t"
                     "psrlw $8, %%mm0\n\t"
                     "psrlw $8, %%mm2\n\t"
                     "paddb %%mm1, %%mm0\n\t"
                     "paddb %%mm3, %%mm2\n\t"
                     "packuswb %%mm2, %%mm0\n\t"
                     "psrlq $3, %%mm4\n\t"
                     "pand %%mm6, %%mm4\n\t"
                     "paddusb %%mm4, %%mm0\n\t"
                     "movq %%mm0, (%[to])\n\t"
                     "addl $8, %[from]\n\t"
                     "addl $8, %[onto]\n\t"
                     "addl $8, %[to]\n\t"
                     "decl %[count]\n\t"
                     "jnz 1b\n\t"
                     "emms"
                     : [from] "+r"(from), [onto] "+r"(onto), [to] "+r"(to), [count] "+r"(count)
                     : [weights] "m"(weights), [mask] "m"(low_five_bits)
                     : "memory", "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)");
}

static uint8_t blend_byte(uint8_t over, uint8_t under, uint32_t weight)
{
    uint32_t product = ((uint32_t)over - under) * weight;
    uint32_t sum = ((under + (product >> 8)) & 0xff) + (over >> 3);
    return (uint8_t)(sum > 255 ? 255 : sum);
}

void workload_prepare(void)
{
    if (!(workload_cpu_features() & WORKLOAD_CPU_MMX)) {
        workload_fail("unsupported: the processor has no MMX");
    }
    uint32_t random = 141421;
    for (uint32_t i = 0; i < BYTES; i++) {
        uint32_t value = workload_random(&random);
        front[i] = (uint8_t)value;
        back[i] = (uint8_t)(value >> 8);
    }
}

uint32_t workload_run(void)
{
    uint32_t hash = WORKLOAD_HASH_START;
    for (uint32_t i = 0; i < BLENDS; i++) {
        uint32_t weight = i * 255 / (BLENDS - 1);
        blend(weight);
        for (uint32_t at = i; at < BYTES; at += BYTES / SAMPLES) {
            if (result[at] != blend_byte(front[at], back[at], weight)) {
                workload_fail("a pixel is wrong");
            }
            hash = workload_hash(hash, result[at]);
        }
    }
    for (uint32_t at = 0; at < BYTES; at += 61) {
        hash = workload_hash(hash, result[at]);
    }
    return hash;
}

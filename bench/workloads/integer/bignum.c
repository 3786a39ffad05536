/* Products of 12,288-bit integers, by Karatsuba's method above 24 words and by the schoolbook's below: MUL,
 * and additions and subtractions with carry. Each product is checked modulo 65521. */
#include "workload.h"

#define WORDS      384u
#define SCHOOLBOOK 24u
#define PRODUCTS   120u
#define MODULUS    65521u

static uint32_t factor_a[WORDS];
static uint32_t factor_b[WORDS];
static uint32_t product[2 * WORDS];
static uint32_t scratch[4 * WORDS];

/* to[0..count) += from[0..count); returns the carry. */
static uint32_t add(uint32_t *to, const uint32_t *from, uint32_t count)
{
    uint32_t carry = 0;
    uint32_t word;
    uint32_t at = 0;
    __asm__ volatile("clc\n"
                     "1: movl (%[from],%[at],4), %[word]\n\t"
                     "adcl %[word], (%[to],%[at],4)\n\t"
                     "leal 1(%[at]), %[at]\n\t"
                     "decl %[count]\n\t" /* leaves CF alone */
                     "jnz 1b\n\t"
                     "adcl $0, %[carry]"
                     : [word] "=&r"(word), [at] "+r"(at), [count] "+r"(count), [carry] "+r"(carry)
                     : [to] "r"(to), [from] "r"(from)
                     : "memory", "cc");
    return carry;
}

/* to[0..count) -= from[0..count); returns the borrow. */
static uint32_t subtract(uint32_t *to, const uint32_t *from, uint32_t count)
{
    uint32_t borrow = 0;
    uint32_t word;
    uint32_t at = 0;
    __asm__ volatile("clc\n"
                     "1: movl (%[from],%[at],4), %[word]\n\t"
                     "sbbl %[word], (%[to],%[at],4)\n\t"
                     "leal 1(%[at]), %[at]\n\t"
                     "decl %[count]\n\t"
                     "jnz 1b\n\t"
                     "adcl $0, %[borrow]"
                     : [word] "=&r"(word), [at] "+r"(at), [count] "+r"(count), [borrow] "+r"(borrow)
                     : [to] "r"(to), [from] "r"(from)
                     : "memory", "cc");
    return borrow;
}

static void add_word(uint32_t *to, uint32_t word)
{
    for (; word != 0; to++) {
        *to += word;
        word = *to < word;
    }
}

static void multiply_schoolbook(uint32_t *to, const uint32_t *a, const uint32_t *b, uint32_t count)
{
    memset(to, 0, 8 * count);
    for (uint32_t i = 0; i < count; i++) {
        uint32_t carry = 0;
        for (uint32_t j = 0; j < count; j++) {
            uint64_t sum = (uint64_t)a[i] * b[j] + to[i + j] + carry;
            to[i + j] = (uint32_t)sum;
            carry = (uint32_t)(sum >> 32);
        }
        to[i + count] = carry;
    }
}

/* to = |a - b|; returns whether a < b. */
static bool difference(uint32_t *to, const uint32_t *a, const uint32_t *b, uint32_t count)
{
    uint32_t at = count;
    while (at > 0 && a[at - 1] == b[at - 1]) {
        at--;
    }
    bool less = at > 0 && a[at - 1] < b[at - 1];
    memcpy(to, less ? b : a, 4 * count);
    subtract(to, less ? a : b, count);
    return less;
}

/* to[0..2*count) = a * b, with 4*count words to work in. With a = a1 x + a0 and b = b1 x + b0 the product is
 * a1 b1 x^2 + (a1 b1 + a0 b0 - (a1 - a0)(b1 - b0)) x + a0 b0. */
static void multiply(uint32_t *to, const uint32_t *a, const uint32_t *b, uint32_t count, uint32_t *work)
{
    if (count <= SCHOOLBOOK) {
        multiply_schoolbook(to, a, b, count);
        return;
    }
    const uint32_t half = count / 2;
    bool negative = difference(to, a + half, a, half);
    negative ^= difference(to + half, b + half, b, half);
    multiply(work, to, to + half, half, work + count);
    multiply(to, a, b, half, work + count);
    multiply(to + count, a + half, b + half, half, work + count);

    uint32_t *middle = work + count;
    memcpy(middle, to, 4 * count);
    uint32_t carry = add(middle, to + count, count);
    if (negative) {
        carry += add(middle, work, count);
    } else {
        carry -= subtract(middle, work, count);
    }
    carry += add(to + half, middle, count);
    add_word(to + half + count, carry);
}

static uint32_t modulo(const uint32_t *number, uint32_t count)
{
    uint32_t rest = 0;
    while (count-- > 0) {
        rest = (rest << 16 | number[count] >> 16) % MODULUS;
        rest = (rest << 16 | (number[count] & 0xffff)) % MODULUS;
    }
    return rest;
}

uint32_t workload_run(void)
{
    uint32_t random = 12345;
    for (uint32_t i = 0; i < WORDS; i++) {
        factor_a[i] = workload_random(&random);
        factor_b[i] = workload_random(&random);
    }
    uint32_t hash = WORKLOAD_HASH_START;
    for (uint32_t i = 0; i < PRODUCTS; i++) {
        multiply(product, factor_a, factor_b, WORDS, scratch);
        if (modulo(factor_a, WORDS) * modulo(factor_b, WORDS) % MODULUS != modulo(product, 2 * WORDS)) {
            workload_fail("a product is wrong");
        }
        hash = workload_hash(hash, product[i]);
        hash = workload_hash(hash, product[WORDS]);
        memcpy(factor_a, product + WORDS / 2, sizeof factor_a);
        memcpy(factor_b, product + WORDS, sizeof factor_b);
    }
    return hash;
}

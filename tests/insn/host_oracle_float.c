/* See host_oracle_float.h.
 *
 * Left out: what stores the last instruction's addresses (FNSTENV, FNSAVE, FXSAVE: processors differ in when
 * they note them), and, where the portable floating point is built, what it may compute with another last
 * bit. */
#include "host_oracle_float.h"

#include <stdio.h>
#include <string.h>

#include "base/bits.h"
#include "cpu/x87.h"
#include "host_oracle_random.h"

#define FX_REGISTER_BYTES 10u
#define FX_SLOT_BYTES     16u

bool float_allows(const struct insn *insn)
{
    switch (insn->id) {
    case INSN_FNSTENV:
    case INSN_FNSAVE:
    case INSN_FXSAVE:
    case INSN_FXRSTOR:
    case INSN_MONITOR:
    case INSN_MWAIT: return false;
#if !DOPPEL_HOST_X87
    case INSN_F2XM1:
    case INSN_FCOS:
    case INSN_FPATAN:
    case INSN_FPTAN:
    case INSN_FSIN:
    case INSN_FSINCOS:
    case INSN_FYL2X:
    case INSN_FYL2XP1:
    case INSN_RCPPS:
    case INSN_RCPSS:
    case INSN_RSQRTPS:
    case INSN_RSQRTSS: return false;
#endif
    default: return true;
    }
}

/* ---- instructions */

static unsigned draw_vector_opcode(uint64_t *random, uint8_t *bytes)
{
    static const uint8_t ranges[][2] = {{0x10, 0x17}, {0x28, 0x2f}, {0x50, 0x77}, {0x7c, 0x7f},
                                        {0xc2, 0xc6}, {0xd0, 0xff}, {0x50, 0x5f}, {0xd0, 0xff}};
    static const uint8_t prefixes[] = {0x66, 0xf2, 0xf3};
    unsigned count = 0;
    if (random_chance(random, 65)) {
        bytes[count++] = prefixes[random_draw(random, ARRAY_COUNT(prefixes))];
    }
    bytes[count++] = 0x0f;
    if (random_chance(random, 12)) {
        bool immediate = random_chance(random, 15);
        bytes[count++] = immediate ? 0x3a : 0x38;
        bytes[count++] = immediate ? 0x0f : (uint8_t)random_draw(random, 0x1f);
        return count;
    }
    const uint8_t *range = ranges[random_draw(random, ARRAY_COUNT(ranges))];
    bytes[count++] = (uint8_t)(range[0] + random_draw(random, range[1] - range[0] + 1u));
    return count;
}

void float_draw_bytes(uint64_t *random, uint8_t *bytes)
{
    unsigned count = 0;
    if (random_chance(random, 50)) {
        bytes[count++] = (uint8_t)(0xd8 + random_draw(random, 8));
    } else if (random_chance(random, 3)) {
        bytes[count++] = 0x9b;
    } else {
        count = draw_vector_opcode(random, bytes);
    }
    uint64_t rest = random_draw64(random);
    memcpy(bytes + count, &rest, sizeof rest);
    if (random_chance(random, 50)) {
        bytes[count] |= 0xc0;
    }
}

/* ---- numbers */

/* An exponent and fraction of `exponent_bits` and `fraction_bits`: special values, neighbours of one,
 * extremes. */
static uint64_t draw_fraction(uint64_t *random, unsigned bits)
{
    switch (random_draw(random, 6)) {
    case 0: return 0;
    case 1: return bits_mask(bits);
    case 2: return (uint64_t)1 << random_draw(random, bits);
    case 3: return bits_mask(bits) & ~bits_mask(random_draw(random, bits));
    default: return random_draw64(random) & bits_mask(bits);
    }
}

static uint32_t draw_exponent(uint64_t *random, unsigned bits)
{
    uint32_t largest = (uint32_t)bits_mask(bits);
    uint32_t bias = largest >> 1;
    switch (random_draw(random, 10)) {
    case 0: return 0;
    case 1: return largest;
    case 2: return 1 + random_draw(random, 3);
    case 3: return largest - 1 - random_draw(random, 3);
    case 4: return random_draw(random, largest + 1);
    default: return bias - 8 + random_draw(random, 72) % (bias + 8);
    }
}

static void draw_float(uint64_t *random, uint8_t *to, unsigned exponent_bits, unsigned fraction_bits)
{
    uint64_t value = draw_fraction(random, fraction_bits) | (uint64_t)draw_exponent(random, exponent_bits)
                                                                << fraction_bits;
    value |= (uint64_t)random_draw(random, 2) << (exponent_bits + fraction_bits);
    store_le(to, (exponent_bits + fraction_bits + 1) / 8, value);
}

/* Mostly as the FPU would make them: the integer bit is set unless the exponent is 0. */
static void draw_float80(uint64_t *random, uint8_t *to)
{
    uint32_t exponent = draw_exponent(random, 15);
    bool integer = random_chance(random, 4) ? random_chance(random, 50) : exponent != 0;
    store_le64(to, draw_fraction(random, 63) | (uint64_t)integer << 63);
    store_le16(to + 8, (uint16_t)(exponent | random_draw(random, 2) << 15));
}

static void draw_decimal(uint64_t *random, uint8_t *to)
{
    for (unsigned i = 0; i < 9; i++) {
        to[i] = (uint8_t)(random_draw(random, 10) << 4 | random_draw(random, 10));
    }
    to[9] = random_chance(random, 50) ? 0x80 : 0;
}

void float_draw_memory(uint64_t *random, uint8_t *bytes, unsigned size)
{
    for (unsigned at = 0; at + 16 <= size; at += 8u + 8 * random_draw(random, 2)) {
        switch (random_draw(random, 7)) {
        case 0: draw_float(random, bytes + at, 8, 23); break;
        case 1: draw_float(random, bytes + at + 4, 8, 23); break;
        case 2:
        case 3: draw_float(random, bytes + at, 11, 52); break;
        case 4: draw_float80(random, bytes + at); break;
        case 5: draw_decimal(random, bytes + at); break;
        default: store_le64(bytes + at, random_draw64(random)); break;
        }
    }
}

/* ---- registers */

static void draw_xmm(uint64_t *random, uint8_t *to)
{
    unsigned kind = random_draw(random, 4);
    for (unsigned i = 0; i < 16; i += 4) {
        if (kind < 2) {
            draw_float(random, to + i, 8, 23);
        } else if (kind == 2 && i % 8 == 0) {
            draw_float(random, to + i, 11, 52);
        } else if (kind == 3) {
            store_le32(to + i, (uint32_t)random_draw64(random));
        }
    }
}

/* What is unmasked is not pending, or nearly always: else every x87 instruction would do nothing but fault.
 * ES and B follow from that. */
static uint16_t draw_status(uint64_t *random, uint16_t control)
{
    uint32_t status = (uint32_t)random_draw64(random) & 0x7fff & ~(uint32_t)X87_ES;
    if (random_chance(random, 96)) {
        status &= control | ~(uint32_t)X87_EXCEPTIONS;
    }
    if ((status & X87_EXCEPTIONS) & ~(uint32_t)control) {
        status |= (uint32_t)X87_ES | X87_B;
    }
    return (uint16_t)status;
}

static uint8_t draw_tags(uint64_t *random)
{
    switch (random_draw(random, 4)) {
    case 0: return (uint8_t)random_draw(random, 256);
    case 1: return 0;
    default: return 0xff;
    }
}

void float_draw_state(uint64_t *random, uint8_t *image)
{
    memset(image, 0, ORACLE_FXSAVE_BYTES);
    uint32_t masks = random_chance(random, 75) ? X87_EXCEPTIONS : random_draw(random, 64);
    uint32_t precision = random_chance(random, 60) ? 3 : random_draw(random, 2) * 2;
    uint16_t control = (uint16_t)(masks | X87_CONTROL_ONE | precision << X87_PRECISION_SHIFT |
                                  random_draw(random, 4) << X87_ROUNDING_SHIFT);
    store_le16(image + FX_CONTROL, control);
    store_le16(image + FX_STATUS, draw_status(random, control));
    image[FX_TAGS] = draw_tags(random);
    uint32_t mxcsr =
        random_chance(random, 75) ? (uint32_t)MXCSR_MASKS : random_draw(random, 64) << MXCSR_MASK_SHIFT;
    mxcsr |= random_draw(random, 64) | random_draw(random, 4) << MXCSR_ROUNDING_SHIFT;
    mxcsr |= random_chance(random, 15) ? (uint32_t)MXCSR_FZ : 0;
    mxcsr |= random_chance(random, 15) ? (uint32_t)MXCSR_DAZ : 0;
    store_le32(image + FX_MXCSR, mxcsr);
    for (unsigned i = 0; i < 8; i++) {
        draw_float80(random, image + FX_REGISTERS + i * FX_SLOT_BYTES);
        draw_xmm(random, image + FX_XMM + i * FX_SLOT_BYTES);
    }
}

/* ---- comparison */

static bool same_bytes(const uint8_t *one, const uint8_t *other, unsigned at, unsigned size)
{
    return memcmp(one + at, other + at, size) == 0;
}

bool float_same_state(const uint8_t *one, const uint8_t *other)
{
    bool same = same_bytes(one, other, FX_CONTROL, 5) && same_bytes(one, other, FX_MXCSR, 4) &&
                same_bytes(one, other, FX_XMM, 8 * FX_SLOT_BYTES);
    for (unsigned i = 0; i < 8; i++) {
        same = same && same_bytes(one, other, FX_REGISTERS + i * FX_SLOT_BYTES, FX_REGISTER_BYTES);
    }
    return same;
}

static void print_number(const uint8_t *image, unsigned at, unsigned size)
{
    putchar(' ');
    for (unsigned i = size; i-- > 0;) {
        printf("%02x", image[at + i]);
    }
}

static void print_if_different(const char *name, unsigned number, const uint8_t *const image[3], unsigned at,
                               unsigned size)
{
    if (same_bytes(image[1], image[2], at, size)) {
        return;
    }
    printf("  %s%u: was", name, number);
    print_number(image[0], at, size);
    printf(", host");
    print_number(image[1], at, size);
    printf(", engine");
    print_number(image[2], at, size);
    printf("\n");
}

void float_print_difference(const uint8_t *before, const uint8_t *host, const uint8_t *ours)
{
    const uint8_t *const image[3] = {before, host, ours};
    if (float_same_state(host, ours)) {
        return;
    }
    printf("  before: control %04x status %04x tags %02x MXCSR %08x\n", load_le16(before + FX_CONTROL),
           load_le16(before + FX_STATUS), before[FX_TAGS], (unsigned)load_le32(before + FX_MXCSR));
    print_if_different("control", 0, image, FX_CONTROL, 2);
    print_if_different("status", 0, image, FX_STATUS, 2);
    print_if_different("tags", 0, image, FX_TAGS, 1);
    print_if_different("mxcsr", 0, image, FX_MXCSR, 4);
    for (unsigned i = 0; i < 8; i++) {
        print_if_different("st", i, image, FX_REGISTERS + i * FX_SLOT_BYTES, FX_REGISTER_BYTES);
    }
    for (unsigned i = 0; i < 8; i++) {
        print_if_different("xmm", i, image, FX_XMM + i * FX_SLOT_BYTES, FX_SLOT_BYTES);
    }
    printf("  all: st before ");
    for (unsigned i = 0; i < 8; i++) {
        print_number(before, FX_REGISTERS + i * FX_SLOT_BYTES, FX_REGISTER_BYTES);
    }
    printf("\n       xmm before");
    for (unsigned i = 0; i < 8; i++) {
        print_number(before, FX_XMM + i * FX_SLOT_BYTES, FX_SLOT_BYTES);
    }
    printf("\n");
}

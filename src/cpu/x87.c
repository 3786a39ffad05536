/* The state of the floating-point unit as guests see it in memory; see x87.h.
 *
 * FSAVE's four formats: SDM 1 §8.1.10. FXSAVE: SDM 2. Selectors and offsets of the last instruction are kept
 * apart; the real-mode formats hold linear addresses, which load as an offset with selector 0. */
#include "cpu/x87.h"

#include <inttypes.h>

#include "cpu/cpu.h"

enum register_tag { TAG_VALID, TAG_ZERO, TAG_SPECIAL, TAG_EMPTY };

#define REGISTER_BYTES 10

void x87_initialize(struct x87_state *x87)
{
    x87->control = X87_CONTROL_INIT;
    x87->status = 0;
    x87->full = 0;
    x87->ignne = false;
    x87->opcode = 0;
    x87->instruction_selector = x87->data_selector = 0;
    x87->instruction_offset = x87->data_offset = 0;
}

void cpu_reset_floating_point(struct cpu_state *cpu)
{
    cpu->x87 = (struct x87_state){.control = X87_CONTROL_ONE, .full = 0xff};
    cpu->mxcsr = MXCSR_INIT;
    memset(cpu->xmm, 0, sizeof cpu->xmm);
}

void cpu_assert_ignne(struct cpu_state *cpu)
{
    cpu->x87.ignne = (cpu->x87.status & X87_ES) != 0;
}

static enum register_tag register_tag(const struct x87_state *x87, unsigned n)
{
    if (!(x87->full >> n & 1)) {
        return TAG_EMPTY;
    }
    switch (float80_classify(x87->reg[n])) {
    case FLOAT_NORMAL: return TAG_VALID;
    case FLOAT_ZERO: return TAG_ZERO;
    default: return TAG_SPECIAL;
    }
}

uint16_t x87_tag_word(const struct x87_state *x87)
{
    unsigned tags = 0;
    for (unsigned n = 0; n < 8; n++) {
        tags |= (unsigned)register_tag(x87, n) << (2 * n);
    }
    return (uint16_t)tags;
}

static void set_tag_word(struct x87_state *x87, unsigned tags)
{
    unsigned full = 0;
    for (unsigned n = 0; n < 8; n++) {
        full |= (tags >> (2 * n) & 3) == TAG_EMPTY ? 0 : 1u << n;
    }
    x87->full = (uint8_t)full;
}

/* ---- FSTENV, FSAVE
 * -------------------------------------------------------------------------------------------------------------
 */

static uint32_t linear_address(uint16_t selector, uint32_t offset)
{
    return ((uint32_t)selector << 4) + offset;
}

static void store_pointers_16(const struct x87_state *x87, bool real, uint8_t *image)
{
    if (real) {
        uint32_t instruction = linear_address(x87->instruction_selector, x87->instruction_offset);
        uint32_t data = linear_address(x87->data_selector, x87->data_offset);
        store_le16(image + 6, (uint16_t)instruction);
        store_le16(image + 8, (uint16_t)((instruction >> 4 & 0xf000u) | x87->opcode));
        store_le16(image + 10, (uint16_t)data);
        store_le16(image + 12, (uint16_t)(data >> 4 & 0xf000u));
    } else {
        store_le16(image + 6, (uint16_t)x87->instruction_offset);
        store_le16(image + 8, x87->instruction_selector);
        store_le16(image + 10, (uint16_t)x87->data_offset);
        store_le16(image + 12, x87->data_selector);
    }
}

static void store_pointers_32(const struct x87_state *x87, bool real, uint8_t *image)
{
    if (real) {
        uint32_t instruction = linear_address(x87->instruction_selector, x87->instruction_offset);
        uint32_t data = linear_address(x87->data_selector, x87->data_offset);
        store_le32(image + 12, 0xffff0000u | (instruction & 0xffff));
        store_le32(image + 16, (instruction >> 16) << 12 | x87->opcode);
        store_le32(image + 20, 0xffff0000u | (data & 0xffff));
        store_le32(image + 24, (data >> 16) << 12);
    } else {
        store_le32(image + 12, x87->instruction_offset);
        store_le32(image + 16, (uint32_t)x87->opcode << 16 | x87->instruction_selector);
        store_le32(image + 20, x87->data_offset);
        store_le32(image + 24, 0xffff0000u | x87->data_selector);
    }
}

void x87_store_environment(const struct x87_state *x87, unsigned operand_size, bool real, uint8_t *image)
{
    uint16_t tags = x87_tag_word(x87);
    if (operand_size == 2) {
        store_le16(image, x87->control);
        store_le16(image + 2, x87->status);
        store_le16(image + 4, tags);
        store_pointers_16(x87, real, image);
    } else {
        store_le32(image, 0xffff0000u | x87->control);
        store_le32(image + 4, 0xffff0000u | x87->status);
        store_le32(image + 8, 0xffff0000u | tags);
        store_pointers_32(x87, real, image);
    }
}

static void load_pointers_16(struct x87_state *x87, bool real, const uint8_t *image)
{
    x87->instruction_offset = load_le16(image + 6);
    x87->instruction_selector = load_le16(image + 8);
    x87->data_offset = load_le16(image + 10);
    x87->data_selector = load_le16(image + 12);
    if (real) {
        x87->opcode = x87->instruction_selector & 0x7ff;
        x87->instruction_offset |= (x87->instruction_selector & 0xf000u) << 4;
        x87->data_offset |= (x87->data_selector & 0xf000u) << 4;
        x87->instruction_selector = x87->data_selector = 0;
    }
}

static void load_pointers_32(struct x87_state *x87, bool real, const uint8_t *image)
{
    uint32_t second = load_le32(image + 16);
    uint32_t fourth = load_le32(image + 24);
    if (real) {
        x87->opcode = second & 0x7ff;
        x87->instruction_offset = load_le16(image + 12) | (second & 0x0ffff000u) << 4;
        x87->data_offset = load_le16(image + 20) | (fourth & 0x0ffff000u) << 4;
        x87->instruction_selector = x87->data_selector = 0;
    } else {
        x87->opcode = second >> 16 & 0x7ff;
        x87->instruction_offset = load_le32(image + 12);
        x87->instruction_selector = (uint16_t)second;
        x87->data_offset = load_le32(image + 20);
        x87->data_selector = (uint16_t)fourth;
    }
}

void x87_load_environment(struct x87_state *x87, unsigned operand_size, bool real, const uint8_t *image)
{
    unsigned step = operand_size == 2 ? 2 : 4;
    x87->status = load_le16(image + step);
    set_tag_word(x87, load_le16(image + 2 * step));
    if (operand_size == 2) {
        load_pointers_16(x87, real, image);
    } else {
        load_pointers_32(x87, real, image);
    }
    x87_set_control(x87, load_le16(image));
}

static void store_register(struct float80 value, uint8_t *image)
{
    store_le64(image, value.significand);
    store_le16(image + 8, value.sign_exponent);
}

static struct float80 load_register(const uint8_t *image)
{
    return (struct float80){.significand = load_le64(image), .sign_exponent = load_le16(image + 8)};
}

void x87_store_registers(const struct x87_state *x87, uint8_t *image)
{
    for (unsigned i = 0; i < 8; i++) {
        store_register(x87->reg[x87_register(x87, i)], image + REGISTER_BYTES * i);
    }
}

void x87_load_registers(struct x87_state *x87, const uint8_t *image)
{
    for (unsigned i = 0; i < 8; i++) {
        x87->reg[x87_register(x87, i)] = load_register(image + REGISTER_BYTES * i);
    }
}

/* ---- FXSAVE
 * --------------------------------------------------------------------------------------------------------------------
 */

enum fxsave_offset {
    FXSAVE_CONTROL = 0,
    FXSAVE_STATUS = 2,
    FXSAVE_FULL = 4,
    FXSAVE_OPCODE = 6,
    FXSAVE_INSTRUCTION = 8,
    FXSAVE_DATA = 16,
    FXSAVE_MXCSR = 24,
    FXSAVE_MXCSR_MASK = 28,
    FXSAVE_REGISTERS = 32,
    FXSAVE_XMM = 160
};
#define FXSAVE_SLOT    16
#define XMM_REGISTERS  8
#define MXCSR_MASK_SSE 0xffbfu /* what a mask of zero stands for */

uint32_t cpu_mxcsr_mask(const struct cpu_state *cpu)
{
    return cpu_model_has(cpu->model, FEATURE_SSE2) ? 0xffffu : MXCSR_MASK_SSE;
}

void cpu_store_fxsave(const struct cpu_state *cpu, bool xmm, uint8_t *image)
{
    const struct x87_state *x87 = &cpu->x87;
    store_le16(image + FXSAVE_CONTROL, x87->control);
    store_le16(image + FXSAVE_STATUS, x87->status);
    store_le16(image + FXSAVE_FULL, x87->full);
    store_le16(image + FXSAVE_OPCODE, x87->opcode);
    store_le32(image + FXSAVE_INSTRUCTION, x87->instruction_offset);
    store_le32(image + FXSAVE_INSTRUCTION + 4, x87->instruction_selector);
    store_le32(image + FXSAVE_DATA, x87->data_offset);
    store_le32(image + FXSAVE_DATA + 4, x87->data_selector);
    for (unsigned i = 0; i < 8; i++) {
        uint8_t *slot = image + FXSAVE_REGISTERS + FXSAVE_SLOT * i;
        store_register(x87->reg[x87_register(x87, i)], slot);
        memset(slot + REGISTER_BYTES, 0, FXSAVE_SLOT - REGISTER_BYTES);
    }
    if (cpu_model_has(cpu->model, FEATURE_SSE)) {
        store_le32(image + FXSAVE_MXCSR, cpu->mxcsr);
        store_le32(image + FXSAVE_MXCSR_MASK,
                   cpu_mxcsr_mask(cpu) == MXCSR_MASK_SSE ? 0 : cpu_mxcsr_mask(cpu));
        if (xmm) {
            memcpy(image + FXSAVE_XMM, cpu->xmm, XMM_REGISTERS * sizeof cpu->xmm[0]);
        }
    }
}

bool cpu_load_fxsave(struct cpu_state *cpu, bool xmm, const uint8_t *image)
{
    struct x87_state *x87 = &cpu->x87;
    uint32_t mxcsr = load_le32(image + FXSAVE_MXCSR);
    bool has_sse = cpu_model_has(cpu->model, FEATURE_SSE);
    if (has_sse && xmm && (mxcsr & ~cpu_mxcsr_mask(cpu))) {
        return false;
    }
    x87->status = load_le16(image + FXSAVE_STATUS);
    x87->full = image[FXSAVE_FULL];
    x87->opcode = load_le16(image + FXSAVE_OPCODE) & 0x7ff;
    x87->instruction_offset = load_le32(image + FXSAVE_INSTRUCTION);
    x87->instruction_selector = load_le16(image + FXSAVE_INSTRUCTION + 4);
    x87->data_offset = load_le32(image + FXSAVE_DATA);
    x87->data_selector = load_le16(image + FXSAVE_DATA + 4);
    for (unsigned i = 0; i < 8; i++) {
        x87->reg[x87_register(x87, i)] = load_register(image + FXSAVE_REGISTERS + FXSAVE_SLOT * i);
    }
    x87_set_control(x87, load_le16(image + FXSAVE_CONTROL));
    if (has_sse && xmm) {
        cpu->mxcsr = mxcsr;
        memcpy(cpu->xmm, image + FXSAVE_XMM, XMM_REGISTERS * sizeof cpu->xmm[0]);
    }
    return true;
}

/* ---- for people
 * ----------------------------------------------------------------------------------------------------------------
 */

static void describe_xmm(const struct cpu_state *cpu, FILE *out)
{
    fprintf(out, "MXCSR=%08" PRIx32 "\n", cpu->mxcsr);
    for (unsigned i = 0; i < XMM_REGISTERS; i++) {
        const uint8_t *bytes = cpu->xmm[i].b;
        fprintf(out, "XMM%u=%016" PRIx64 "%016" PRIx64 "%s", i, load_le64(bytes + 8), load_le64(bytes),
                i & 1 ? "\n" : " ");
    }
}

void cpu_describe_floating_point(const struct cpu_state *cpu, FILE *out)
{
    static const char *const tag_names[] = {"valid", "zero", "special", "empty"};
    const struct x87_state *x87 = &cpu->x87;
    if (!cpu_model_has(cpu->model, FEATURE_FPU)) {
        return;
    }
    fprintf(out,
            "FCW=%04x FSW=%04x [ST=%u] FTW=%04x FOP=%03x FIP=%04x:%08" PRIx32 " FDP=%04x:%08" PRIx32 "\n",
            x87->control, x87->status, x87_top(x87), x87_tag_word(x87), x87->opcode,
            x87->instruction_selector, x87->instruction_offset, x87->data_selector, x87->data_offset);
    for (unsigned i = 0; i < 8; i++) {
        unsigned n = x87_register(x87, i);
        fprintf(out, "ST%u=%04x %016" PRIx64 " %-7s%s", i, x87->reg[n].sign_exponent, x87->reg[n].significand,
                tag_names[register_tag(x87, n)], i & 1 ? "\n" : " ");
    }
    if (cpu_model_has(cpu->model, FEATURE_SSE)) {
        describe_xmm(cpu, out);
    }
}

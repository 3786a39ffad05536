/* When floating-point registers are the guest's; see float.h. */
#include "translator/float.h"

#include <stddef.h>

#include "cpu/x87.h"

/* ---- which part may be loaded */

static bool x87_is_masked(const struct cpu_state *cpu)
{
    return (cpu->x87.control & X87_EXCEPTIONS) == X87_EXCEPTIONS && !(cpu->x87.status & X87_ES);
}

static bool sse_is_masked(const struct cpu_state *cpu)
{
    return (cpu->mxcsr & MXCSR_MASKS) == MXCSR_MASKS;
}

static bool are_masked(const struct cpu_state *cpu, unsigned parts)
{
    return (!(parts & FLOAT_X87) || x87_is_masked(cpu)) && (!(parts & FLOAT_SSE) || sse_is_masked(cpu));
}

static bool are_usable(const struct cpu_state *cpu, unsigned parts)
{
    if (cpu->cr0 & (CR0_EM | CR0_TS)) {
        return false;
    }
    return (!(parts & FLOAT_SSE) || (cpu->cr4 & CR4_OSFXSR)) && are_masked(cpu, parts);
}

/* ---- the x87: FNSAVE's image is the go-between, and FNSAVE leaves the host's x87 as C expects it */

struct x87_image {
    uint8_t environment[X87_ENVIRONMENT_32];
    uint8_t registers[X87_REGISTERS];
};

static void load_x87(const struct x87_state *x87)
{
    struct x87_image image;
    x87_store_environment(x87, 4, false, image.environment);
    x87_store_registers(x87, image.registers);
    __asm__ volatile("frstor %0" : : "m"(image));
}

static void store_x87(struct x87_state *x87)
{
    struct x87_image image;
    __asm__ volatile("fnsave %0" : "=m"(image));
    const struct x87_state before = *x87;
    x87_load_environment(x87, 4, false, image.environment);
    x87_load_registers(x87, image.registers);
    x87->opcode = before.opcode;
    x87->instruction_selector = before.instruction_selector;
    x87->instruction_offset = before.instruction_offset;
    x87->data_selector = before.data_selector;
    x87->data_offset = before.data_offset;
}

/* ---- loading and storing */

static unsigned loaded_parts(const struct translator *t)
{
    return (t->x87_absent == 0 ? (unsigned)FLOAT_X87 : 0) | (t->sse_absent == 0 ? (unsigned)FLOAT_SSE : 0);
}

void translator_store_float(struct translator *t)
{
    if (t->x87_absent == 0) {
        store_x87(&t->cpu->x87);
    }
    t->x87_absent = t->sse_absent = 1;
}

bool translator_load_float(struct translator *t, unsigned parts)
{
    unsigned missing = parts & ~loaded_parts(t);
    if (missing == 0) {
        return true;
    }
    if (!are_usable(t->cpu, missing)) {
        return false;
    }
    if (missing & FLOAT_X87) {
        load_x87(&t->cpu->x87);
        t->x87_absent = 0;
    }
    if (missing & FLOAT_SSE) {
        t->sse_absent = 0;
    }
    return true;
}

/* ---- the check */

/* Behind the check of one instruction the part is there for the rest of the block, unless the guest was
 * found with unmasked exceptions: then each instruction checks, and as a callout does not end the block. */
static void emit_part_check(struct builder *b, enum float_part part, size_t absent)
{
    if (b->loaded_float & part) {
        return;
    }
    emit_load(&b->e, HOST_RCX, host_at(HOST_R14, (int32_t)absent));
    uint8_t *present = emit_jrcxz(&b->e);
    struct translator_site *site = builder_add_site(b, SITE_FLOAT, emit_jmp(&b->e));
    emit_bind8(&b->e, present);
    site->direct = (uint16_t)builder_position(b);
    site->width = (uint8_t)part;
    if (are_masked(b->t->cpu, part)) {
        b->loaded_float |= part;
        site->last = true;
    }
}

bool emit_float_check(struct builder *b, unsigned parts)
{
    const struct cpu_model *model = b->t->cpu->model;
    if (!cpu_model_has(model, FEATURE_FPU) ||
        (parts == (FLOAT_X87 | FLOAT_SSE) && !are_masked(b->t->cpu, parts))) {
        return false;
    }
    if (parts & FLOAT_X87) {
        emit_part_check(b, FLOAT_X87, offsetof(struct translator, x87_absent));
    }
    if (parts & FLOAT_SSE) {
        emit_part_check(b, FLOAT_SSE, offsetof(struct translator, sse_absent));
    }
    return true;
}

struct host_address emit_masks_check(struct builder *b, struct host_address at, unsigned width, uint32_t mask,
                                     uint32_t wanted)
{
    struct emitter *e = &b->e;
    uint32_t bits = 0; /* `wanted` as PEXT gathers it */
    unsigned count = 0;
    for (unsigned i = 0; i < 32; i++) {
        if (mask >> i & 1) {
            bits |= (wanted >> i & 1) << count++;
        }
    }
    emit_load_width(e, HOST_RCX, at, width);
    at = emit_lea_address(e, HOST_R11, at);
    emit_mov_immediate(e, HOST_R10, mask);
    emit_pext(e, HOST_RCX, HOST_RCX, HOST_R10);
    emit_lea(e, HOST_RCX, host_at(HOST_RCX, -(int32_t)bits));
    emit_callout_unless_zero(b);
    return at;
}

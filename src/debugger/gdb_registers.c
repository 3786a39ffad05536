/* See gdb_registers.h. */
#include "debugger/gdb_registers.h"

#include <assert.h>
#include <string.h>

#include "base/bits.h"
#include "cpu/x87.h"
#include "debugger/registers.h"

static const struct gdb_register registers[GDB_REGISTER_COUNT] = {
#define GDB_REGISTER(feature, name, bits, type, group, kind, index, source)                                  \
    {GDB_FEATURE_##feature, name, (bits) / 8, type, group, GDB_##kind, index, source},
#include "debugger/gdb_register.def"
#undef GDB_REGISTER
};

const struct gdb_register *gdb_register_at(uint64_t number)
{
    return number < GDB_REGISTER_COUNT ? &registers[number] : NULL;
}

uint32_t gdb_program_counter(const struct cpu_state *cpu)
{
    return (uint32_t)(cpu->segment[CPU_CS].base + cpu->rip);
}

static uint32_t stack_pointer(const struct cpu_state *cpu)
{
    return (uint32_t)(cpu->segment[CPU_SS].base + (cpu->gpr[CPU_SP].d & cpu->stack_mask));
}

static struct register_ref find_source(const struct gdb_register *which)
{
    struct register_ref ref;
    const bool found = register_find(which->source, strlen(which->source), &ref);
    assert(found);
    (void)found;
    return ref;
}

/* Of registers of up to 64 bits. */
static uint64_t read_number(const struct cpu_state *cpu, const struct gdb_register *which)
{
    switch (which->kind) {
    case GDB_NAMED: return register_read(cpu, find_source(which));
    case GDB_PROGRAM_COUNTER: return gdb_program_counter(cpu);
    case GDB_STACK_POINTER: return stack_pointer(cpu);
    case GDB_CODE_SIZE: return cpu->code_size;
    case GDB_X87_TAGS: return x87_tag_word(&cpu->x87);
    case GDB_X87_CODE_SELECTOR: return cpu->x87.instruction_selector;
    case GDB_X87_CODE_OFFSET: return cpu->x87.instruction_offset;
    case GDB_X87_DATA_SELECTOR: return cpu->x87.data_selector;
    case GDB_X87_DATA_OFFSET: return cpu->x87.data_offset;
    case GDB_X87_OPCODE: return cpu->x87.opcode;
    case GDB_X87_STACK:
    case GDB_SSE_REGISTER: break;
    }
    return 0;
}

void gdb_register_read(const struct cpu_state *cpu, const struct gdb_register *which, uint8_t *bytes)
{
    if (which->kind == GDB_SSE_REGISTER) {
        memcpy(bytes, cpu->xmm[which->index].b, which->bytes);
    } else if (which->kind == GDB_X87_STACK) {
        const struct float80 *value = &cpu->x87.reg[x87_register(&cpu->x87, which->index)];
        store_le64(bytes, value->significand);
        store_le16(bytes + 8, value->sign_exponent);
    } else {
        store_le(bytes, which->bytes, read_number(cpu, which));
    }
}

static struct status write_program_counter(struct cpu_state *cpu, uint32_t linear)
{
    const uint32_t offset = linear - (uint32_t)cpu->segment[CPU_CS].base;
    if (offset > bits_mask(8u * cpu->code_size)) {
        return status_error(STATUS_INVALID_ARGUMENT, "0x%x is not in the segment of cs", linear);
    }
    cpu->rip = offset;
    return status_ok();
}

static struct status write_stack_pointer(struct cpu_state *cpu, uint32_t linear)
{
    const uint32_t offset = linear - (uint32_t)cpu->segment[CPU_SS].base;
    if (offset > cpu->stack_mask) {
        return status_error(STATUS_INVALID_ARGUMENT, "0x%x is not in the segment of ss", linear);
    }
    cpu->gpr[CPU_SP].d = (cpu->gpr[CPU_SP].d & ~(uint32_t)cpu->stack_mask) | offset;
    return status_ok();
}

/* As FLDENV: only whether a register is empty is kept. */
static void write_tags(struct x87_state *x87, unsigned tags)
{
    x87->full = 0;
    for (unsigned i = 0; i < 8; i++) {
        x87->full |= (uint8_t)((tags >> 2 * i & 3) != 3 ? 1u << i : 0);
    }
}

static struct status write_number(struct cpu_state *cpu, const struct gdb_register *which, uint64_t value)
{
    switch (which->kind) {
    case GDB_NAMED: return register_write(cpu, find_source(which), value);
    case GDB_PROGRAM_COUNTER: return write_program_counter(cpu, (uint32_t)value);
    case GDB_STACK_POINTER: return write_stack_pointer(cpu, (uint32_t)value);
    case GDB_X87_TAGS: write_tags(&cpu->x87, (unsigned)value); return status_ok();
    case GDB_X87_CODE_SELECTOR: cpu->x87.instruction_selector = (uint16_t)value; return status_ok();
    case GDB_X87_CODE_OFFSET: cpu->x87.instruction_offset = (uint32_t)value; return status_ok();
    case GDB_X87_DATA_SELECTOR: cpu->x87.data_selector = (uint16_t)value; return status_ok();
    case GDB_X87_DATA_OFFSET: cpu->x87.data_offset = (uint32_t)value; return status_ok();
    case GDB_X87_OPCODE: cpu->x87.opcode = (uint16_t)(value & 0x7ff); return status_ok();
    case GDB_CODE_SIZE:
    case GDB_X87_STACK:
    case GDB_SSE_REGISTER: break;
    }
    return status_error(STATUS_UNSUPPORTED, "%s cannot be set", which->name);
}

struct status gdb_register_write(struct cpu_state *cpu, const struct gdb_register *which,
                                 const uint8_t *bytes)
{
    if (which->kind == GDB_SSE_REGISTER) {
        memcpy(cpu->xmm[which->index].b, bytes, which->bytes);
        return status_ok();
    }
    if (which->kind == GDB_X87_STACK) {
        cpu->x87.reg[x87_register(&cpu->x87, which->index)] =
            (struct float80){.significand = load_le64(bytes), .sign_exponent = load_le16(bytes + 8)};
        return status_ok();
    }
    return write_number(cpu, which, load_le(bytes, which->bytes));
}

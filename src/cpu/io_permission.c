/* Whether IN and OUT are allowed: IOPL and the TSS's I/O permission bitmap (SDM 1 §19.5). */
#include "cpu/descriptor.h"

#define TSS_IO_BASE_FIELD 0x66

void cpu_check_io(struct cpu_state *cpu, uint16_t port, unsigned width)
{
    if (cpu->mode == CPU_MODE_REAL || (cpu->mode == CPU_MODE_PROTECTED && cpu->cpl <= cpu_iopl(cpu))) {
        return;
    }
    const struct segment *tr = &cpu->tr;
    if (!(tr->attributes & SYSTEM_WIDE_BIT) || tr->limit < TSS_IO_BASE_FIELD + 1) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    uint64_t field = (tr->base + TSS_IO_BASE_FIELD) & UINT32_MAX;
    uint32_t byte = (uint32_t)cpu->memory_ops->read(cpu, field, 2, false) + port / 8u;
    if (byte + 1 > tr->limit) { /* two bytes are always read: the ports may straddle */
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    uint64_t map = cpu->memory_ops->read(cpu, (tr->base + byte) & UINT32_MAX, 2, false);
    if ((map >> (port & 7)) & bits_mask(width)) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
}

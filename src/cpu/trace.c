/* -d exec, cpu and in_asm: what is executed and decoded, in the lines that QEMU 7.2 writes.
 *
 *   Trace 0: 0x0000000fe05b [000f0000/000fe05b/00000040/2]
 *
 * is a block at that physical address, with CS's base, the linear address, mode bits, and how many
 * instructions run. QEMU has a host address in the first place and more mode bits; those shown here mean
 * there what they mean here (bits 0-1 CPL, 3 interrupts are held off, 4 and 5 32-bit code and stack, 7
 * protected mode, 8 TF, 17 V86). Blocks end where it suits an engine: with instructions one by one two traces
 * have the same second places. */
#include "cpu/trace.h"

#include "cpu/cpu.h"

static uint32_t linear_rip(const struct cpu_state *cpu)
{
    return (uint32_t)(cpu->segment[CPU_CS].base + cpu->rip);
}

static uint32_t mode_bits(const struct cpu_state *cpu)
{
    return cpu->cpl | (uint32_t)((cpu->pending & CPU_PENDING_SHADOW) != 0) << 3 |
           (uint32_t)(cpu->code_size == 4) << 4 | (uint32_t)(cpu->stack_size == 4) << 5 |
           (uint32_t)((cpu->cr0 & CR0_PE) != 0) << 7 | (cpu->eflags_other & (EFLAGS_TF | EFLAGS_VM));
}

void cpu_trace_block(const struct cpu_state *cpu, uint64_t phys, unsigned count)
{
    if (!log_wants_address(cpu->log, linear_rip(cpu))) {
        return;
    }
    log_line(cpu->log, LOG_EXEC, "Trace 0: 0x%012llx [%08x/%08x/%08x/%x] ", (unsigned long long)phys,
             (unsigned)cpu->segment[CPU_CS].base, linear_rip(cpu), mode_bits(cpu), count);
    if (log_is_enabled(cpu->log, LOG_CPU)) {
        cpu_describe(cpu, log_sink(cpu->log));
    }
}

void cpu_trace_code(const struct cpu_state *cpu, uint64_t rip, const uint8_t *bytes, unsigned length)
{
    uint32_t linear = (uint32_t)(cpu->segment[CPU_CS].base + rip);
    const struct log *log = cpu->log;
    if (!log_is_enabled(log, LOG_IN_ASM) || !log_wants_address(log, linear)) {
        return;
    }
    FILE *sink = log_sink(log);
    fputs("----------------\nIN: \n", sink);
    if (log->disassembler != NULL) {
        log->disassembler(sink, linear, bytes, length, cpu->code_size * 8u);
    } else {
        fprintf(sink, "0x%08x: ", linear);
        for (unsigned i = 0; i < length; i++) {
            fprintf(sink, " %02x", bytes[i]);
        }
        fputc('\n', sink);
    }
    fputc('\n', sink);
}

/* What engines and the machine ask of the CPU beyond plain register arithmetic.
 *
 * Complex semantics live here once and are called by every engine: life cycle, exceptions and interrupts,
 * segment loads, far transfers, task switches, control/debug/model-specific registers, CPUID. See cpu_state.h
 * for the convention on faults. */
#ifndef DOPPEL_CPU_CPU_H
#define DOPPEL_CPU_CPU_H

#include <stdio.h>

#include "cpu/cpu_state.h"
#include "cpu/flags.h"
#include "cpu/model.h"

#define CPU_RANDOM_SEED 32 /* bytes */

/* ---- life cycle */

/* Prepares *cpu for `model` and resets it. memory_ops, memory, pins, log and counters are set by the caller
 * beforehand or afterwards; `log` and `counters` must be valid before the CPU runs. */
void cpu_init(struct cpu_state *cpu, const struct cpu_model *model);

/* RESET: SDM 3A table 9-1 (8086: CS=FFFF, IP=0; later: base FFFF0000, IP=FFF0). Counters of time go
 * on. */
void cpu_reset(struct cpu_state *cpu);

/* INIT: what a reset leaves, except that floating point, MSRs, the time stamp and CR0.CD and NW stay (SDM 3A
 * table 9-1). */
void cpu_initialize(struct cpu_state *cpu);

/* Recomputes mode, cpl, code_size, stack_size, stack_mask from CR0, EFLAGS.VM, CS and SS. */
void cpu_update_mode(struct cpu_state *cpu);

/* Prints registers in the layout people know from other emulators (`info registers`, -d cpu, state dumps). */
void cpu_describe(const struct cpu_state *cpu, FILE *out);

/* ---- exceptions and interrupts (exception.c; SDM 3A chapter 6) */

enum cpu_vector {
    VECTOR_DE = 0,
    VECTOR_DB = 1,
    VECTOR_NMI = 2,
    VECTOR_BP = 3,
    VECTOR_OF = 4,
    VECTOR_BR = 5,
    VECTOR_UD = 6,
    VECTOR_NM = 7,
    VECTOR_DF = 8,
    VECTOR_TS = 10,
    VECTOR_NP = 11,
    VECTOR_SS = 12,
    VECTOR_GP = 13,
    VECTOR_PF = 14,
    VECTOR_MF = 16,
    VECTOR_AC = 17,
    VECTOR_MC = 18,
    VECTOR_XM = 19
};

/* Leave the current instruction through cpu->unwind with the exception recorded in cpu->exception. */
_Noreturn void cpu_raise(struct cpu_state *cpu, enum cpu_vector vector);
_Noreturn void cpu_raise_error(struct cpu_state *cpu, enum cpu_vector vector, uint32_t error_code);
/* Sets CR2 as well. */
_Noreturn void cpu_raise_page_fault(struct cpu_state *cpu, uint64_t linear, uint32_t error_code);

/* Delivers cpu->exception, raised by the instruction at cpu->rip: fault semantics (the handler returns to
 * rip), except #DB traps that the engine raises with rip already past the instruction. A fault while
 * delivering becomes #DF or the second exception as SDM 3A table 6-5 says; a third one sets cpu->shutdown.
 * Called with cpu->unwind unset; installs its own. */
void cpu_deliver_exception(struct cpu_state *cpu);

/* Delivers an external interrupt or NMI between instructions. Wakes a halted CPU. Same handling of faults. */
void cpu_deliver_interrupt(struct cpu_state *cpu, uint8_t vector);
void cpu_deliver_nmi(struct cpu_state *cpu);

enum cpu_software_interrupt { SOFTWARE_INT_N, SOFTWARE_INT3, SOFTWARE_INTO, SOFTWARE_INT1 };

/* INT n, INT3, INTO (already decided), INT1 (ICEBP): checks IOPL in V86, gate DPL, VME redirection; pushes
 * next_rip. May raise. */
void cpu_software_interrupt(struct cpu_state *cpu, uint8_t vector, enum cpu_software_interrupt kind,
                            uint64_t next_rip);

/* ---- stack (stack.c) */

/* PUSH/POP of `width` bytes (2, 4, 8) on the current stack with all checks (#SS). SP changes last. */
void cpu_push(struct cpu_state *cpu, uint64_t value, unsigned width);
uint64_t cpu_pop(struct cpu_state *cpu, unsigned width);

/* Reads `width` bytes at SP + offset without changing SP. */
uint64_t cpu_stack_peek(struct cpu_state *cpu, uint64_t offset, unsigned width);

static inline void cpu_set_sp(struct cpu_state *cpu, uint64_t sp)
{
    cpu->gpr[CPU_SP].q = (cpu->gpr[CPU_SP].q & ~cpu->stack_mask) | (sp & cpu->stack_mask);
}

/* ---- memory through segments (segmentation.c) */

/* seg:offset to linear, checking limit, type and usability: #GP(0), or #SS(0) for the stack segment. `width`
 * > 0 bytes. */
uint64_t cpu_segment_to_linear(struct cpu_state *cpu, enum cpu_segment segment, uint64_t offset,
                               unsigned width, bool write);
uint64_t cpu_segment_read(struct cpu_state *cpu, enum cpu_segment segment, uint64_t offset, unsigned width);
void cpu_segment_write(struct cpu_state *cpu, enum cpu_segment segment, uint64_t offset, unsigned width,
                       uint64_t value);

/* #AC unless alignment checks are off here or `linear` is a multiple of `alignment`, a power of two (SDM 3A
 * §6.15, interrupt 17). `ext`: the error code. */
static inline void cpu_check_alignment(struct cpu_state *cpu, uint64_t linear, unsigned alignment,
                                       uint32_t ext)
{
    if (__builtin_expect(cpu->alignment_checks, 0) && cpu->cpl == 3 && (linear & (alignment - 1)) != 0) {
        cpu_raise_error(cpu, VECTOR_AC, ext);
    }
}

/* The derived bounds of a segment after base, limit or attributes changed. */
void segment_update_bounds(struct segment *segment);

/* MOV/POP/Lxx to ES, SS, DS, FS, GS (CS: #UD is the engine's business): real, V86 and protected mode rules,
 * #GP/#NP/#SS. Sets the accessed bit. SS in protected mode changes stack_size. Does not set the interrupt
 * shadow. */
void cpu_load_segment(struct cpu_state *cpu, enum cpu_segment segment, uint16_t selector);

/* LLDT, LTR (privilege checked by the engine through INSN_PRIVILEGED). */
void cpu_load_ldt(struct cpu_state *cpu, uint16_t selector);
void cpu_load_task_register(struct cpu_state *cpu, uint16_t selector);

/* LAR, LSL: true when the descriptor is accessible; then *result holds the access rights (as LAR with a
 * 32-bit operand gives them) or the byte limit. VERR/VERW: true when readable/writable. None of them faults
 * on bad selectors. */
bool cpu_load_access_rights(struct cpu_state *cpu, uint16_t selector, uint32_t *result);
bool cpu_load_limit(struct cpu_state *cpu, uint16_t selector, uint32_t *result);
bool cpu_verify_segment(struct cpu_state *cpu, uint16_t selector, bool write);

/* ---- far transfers (far_transfer.c; SDM 3A §5.8, SDM 2 CALL/JMP/RET/IRET) */

/* All modes, code segments, call gates, task gates, TSSs. `operand_size` 2, 4 (8). next_rip: return address.
 */
void cpu_jump_far(struct cpu_state *cpu, uint16_t selector, uint64_t offset, unsigned operand_size,
                  uint64_t next_rip);
void cpu_call_far(struct cpu_state *cpu, uint16_t selector, uint64_t offset, unsigned operand_size,
                  uint64_t next_rip);
/* RETF imm16: `release` extra bytes. */
void cpu_return_far(struct cpu_state *cpu, unsigned operand_size, uint16_t release);
void cpu_return_from_interrupt(struct cpu_state *cpu, unsigned operand_size, uint64_t next_rip);
void cpu_sysenter(struct cpu_state *cpu);
void cpu_sysexit(struct cpu_state *cpu);

/* Checks a near branch target against CS's limit: #GP(0) when beyond. */
void cpu_check_code_limit(struct cpu_state *cpu, uint64_t target);

/* POPF of `operand_size`: which bits change depends on mode, CPL and IOPL; #GP(0) in V86 with IOPL < 3
 * (unless VME). */
void cpu_pop_flags(struct cpu_state *cpu, unsigned operand_size);
/* PUSHF, same rules. */
void cpu_push_flags(struct cpu_state *cpu, unsigned operand_size);
/* CLI and STI with IOPL, PVI and VME rules; STI sets the shadow only when IF was clear. */
void cpu_clear_interrupt_flag(struct cpu_state *cpu);
void cpu_set_interrupt_flag(struct cpu_state *cpu);

/* ---- task switch (task_switch.c; SDM 3A chapter 7) */

enum cpu_task_switch { TASK_SWITCH_JUMP, TASK_SWITCH_CALL, TASK_SWITCH_IRET, TASK_SWITCH_INTERRUPT };

/* Switches to the TSS that `selector` names (16- or 32-bit); next_rip goes into the outgoing TSS. When
 * `error_code` is not NULL it is pushed on the new task's stack. Raises what is wrong in the outgoing task; a
 * fault in the new task (its segments, its stack) is delivered there before the function returns. This holds
 * for every function above that may switch tasks. */
void cpu_switch_task(struct cpu_state *cpu, uint16_t selector, enum cpu_task_switch reason, uint64_t next_rip,
                     const uint32_t *error_code);

/* ---- I/O permission (io_permission.c; SDM 1 §19.5) */

/* #GP(0) unless IN/OUT of `width` bytes at `port` is allowed (IOPL, TSS bitmap). */
void cpu_check_io(struct cpu_state *cpu, uint16_t port, unsigned width);

/* ---- control registers and friends (control.c, msr.c; SDM 3A §2.5) */

/* MOV to CRn (privilege checked by the engine), DRn (checked here). #UD for registers the model lacks, #GP(0)
 * for impossible values. */
void cpu_write_control(struct cpu_state *cpu, unsigned number, uint64_t value);
uint64_t cpu_read_control(struct cpu_state *cpu, unsigned number);
void cpu_write_debug(struct cpu_state *cpu, unsigned number, uint64_t value);
uint64_t cpu_read_debug(struct cpu_state *cpu, unsigned number);
/* After CR0.AM or EFLAGS.AC may have changed. */
void cpu_update_alignment_checks(struct cpu_state *cpu);
void cpu_load_machine_status_word(struct cpu_state *cpu, uint16_t value); /* LMSW: cannot clear PE */
uint64_t cpu_read_msr(struct cpu_state *cpu, uint32_t number);
void cpu_write_msr(struct cpu_state *cpu, uint32_t number, uint64_t value);
/* IA32_APIC_BASE (SDM 3A §10.4.4): the local APIC's page, and whether there is one. */
uint64_t cpu_apic_page(const struct cpu_state *cpu);
bool cpu_apic_is_enabled(const struct cpu_state *cpu);
uint64_t cpu_read_time_stamp(struct cpu_state *cpu); /* RDTSC's value; CR4.TSD checked by the caller */

/* CPUID: EAX and ECX in, EAX EBX ECX EDX out, written to the registers. */
void cpu_identify(struct cpu_state *cpu);

/* What RDRAND says from now on follows from `seed`; cpu_init() takes zeros. A reset changes nothing. */
void cpu_seed_random(struct cpu_state *cpu, const uint8_t seed[CPU_RANDOM_SEED]);

/* RDRAND's next number, which changes `cpu`. */
uint32_t cpu_draw_random(struct cpu_state *cpu);

#endif

/* Debug registers: bits of DR6 and DR7, and what breakpoints cost (SDM 3B chapter 17).
 *
 * While DR7 enables a breakpoint, CPU_PENDING_DEBUG is set: engines then execute one instruction at a time,
 * ask cpu_meets_breakpoint() before each, and keep the pages that cpu_page_is_watched() names off their fast
 * paths, so that every access to them passes cpu_note_access(). Nothing is asked while DR7 enables nothing.
 *
 * Data and I/O breakpoints are traps: they leave bits in cpu->pending_dr6 and set CPU_PENDING_TRAP. The match
 * is exact whatever LE and GE say, as on every processor since the P6. */
#ifndef DOPPEL_CPU_DEBUG_REGISTERS_H
#define DOPPEL_CPU_DEBUG_REGISTERS_H

#include "cpu/cpu_state.h"

enum dr6_bit {
    DR6_BREAKPOINTS = 0xf,
    DR6_BD = 1u << 13, /* debug registers touched while DR7.GD was set */
    DR6_BS = 1u << 14, /* single step */
    DR6_BT = 1u << 15, /* task switch with the T bit */
    DR6_ONES = 0xffff0ff0u
};

enum dr7_bit {
    DR7_ENABLES = 0xff, /* L0 G0 … L3 G3 */
    DR7_LOCAL = 0x155,  /* L0-L3, LE: cleared by a task switch */
    DR7_ONES = 1u << 10,
    DR7_GD = 1u << 13,
    DR7_ZEROS = 0xd000
};

/* Sets DR7 and with it CPU_PENDING_DEBUG; forgets translations where that matters. */
void debug_set_control(struct cpu_state *cpu, uint64_t dr7);

/* Whether a data breakpoint lies in the page of `linear`. */
bool cpu_page_is_watched(const struct cpu_state *cpu, uint64_t linear);

/* An access of `width` bytes has been made: traps after the instruction when it met a data breakpoint. */
void cpu_note_access(struct cpu_state *cpu, uint64_t linear, unsigned width, bool write);

/* The same for a port (CR4.DE). */
void cpu_note_io(struct cpu_state *cpu, uint16_t port, unsigned width);

/* Whether the instruction at CS:RIP meets an instruction breakpoint that EFLAGS.RF does not suppress; DR6
 * says which. The engine then raises #DB before executing any of it. */
bool cpu_meets_breakpoint(struct cpu_state *cpu);

#endif

/* The choice of a handler for a decoded instruction: one function per family of instructions, one row of the
 * table in lower.c per instruction. A function returns NULL where the instruction does not exist in that
 * form: it becomes #UD. */
#ifndef DOPPEL_INTERPRETER_SELECT_H
#define DOPPEL_INTERPRETER_SELECT_H

#include "interpreter/uop.h"

typedef uop_handler *uop_selector(const struct insn *insn, const struct cpu_model *model);

/* Widths 1, 2, 4 as table indices 0, 1, 2. */
static inline unsigned width_index(unsigned width)
{
    return width == 1 ? 0 : width == 2 ? 1 : 2;
}

/* Whether operand `n` is in memory. */
static inline bool operand_in_memory(const struct insn *insn, unsigned n)
{
    return insn->operand[n].kind == OPERAND_MEMORY;
}

/* alu.c */
uop_selector select_binary; /* ADD OR ADC SBB AND SUB XOR CMP TEST */
uop_selector select_unary;  /* INC DEC NEG NOT */
/* move.c */
uop_selector select_mov, select_movx, select_lea, select_xchg, select_xlat, select_bswap, select_convert,
    select_cmov, select_set, select_nop, select_movbe, select_movnti;
/* stack.c */
uop_selector select_push, select_pop, select_push_all, select_pop_all, select_enter, select_leave,
    select_push_flags, select_pop_flags;
/* shift.c */
uop_selector select_shift, select_double_shift;
/* multiply.c */
uop_selector select_multiply, select_divide, select_decimal;
/* bit.c */
uop_selector select_bit_test, select_bit_scan, select_exchange_add, select_flag, select_popcnt;
/* branch.c */
uop_selector select_jump, select_call, select_return, select_jcc, select_loop, select_far_jump,
    select_far_call, select_far_return, select_interrupt, select_iret, select_bound, select_fast_call;
/* string.c */
uop_selector select_string;
/* escape.c */
uop_selector select_escape;
/* x87.c, x87_transfer.c, x87_control.c */
uop_selector select_x87_arithmetic, select_x87_compare, select_x87_operation, select_x87_load,
    select_x87_store, select_x87_move, select_x87_control, select_fxsave;
/* simd_integer.c, simd_move.c, simd_float.c */
uop_selector select_vector, select_simd_move, select_simd_move_low, select_simd_move_part, select_simd_bits,
    select_simd_state, select_simd_arithmetic, select_simd_horizontal, select_simd_compare,
    select_simd_convert;
/* lower.c */
uop_selector select_undefined;
/* system.c */
uop_selector select_segment_move, select_load_far_pointer, select_io, select_interrupt_flag, select_halt,
    select_table_register, select_selector_query, select_machine_status, select_control, select_cache,
    select_cpuid, select_msr;

#endif

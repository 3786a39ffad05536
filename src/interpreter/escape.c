/* Coprocessor escapes on a CPU whose coprocessor is absent (Intel 80386 Programmer's Reference chapter 11).
 *
 * With CR0.EM or CR0.TS set they raise #NM, so that an operating system can emulate or switch the
 * coprocessor; otherwise the CPU forms the address, reads the memory operand for the coprocessor and goes on.
 * The x87 itself is in x87*.c. */
#include "interpreter/operand.h"
#include "interpreter/select.h"

static inline void require_coprocessor(struct cpu_state *cpu, struct interpreter *in, uint64_t cr0_bits)
{
    if (cpu->cr0 & cr0_bits) {
        uop_sync(cpu, in);
        cpu_raise(cpu, VECTOR_NM);
    }
}

static void escape_register(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    require_coprocessor(cpu, in, CR0_EM | CR0_TS);
    uop_next(cpu, uop, in);
}

static void escape_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    require_coprocessor(cpu, in, CR0_EM | CR0_TS);
    memory_load(cpu, uop, in, 2);
    uop_next(cpu, uop, in);
}

/* WAIT heeds TS only when CR0.MP says that a coprocessor is monitored. */
static void wait(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    if (cpu->cr0 & CR0_MP) {
        require_coprocessor(cpu, in, CR0_TS);
    }
    uop_next(cpu, uop, in);
}

uop_handler *select_escape(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    if (insn->id == INSN_FWAIT) {
        return wait;
    }
    bool memory = insn->has_modrm && (insn->modrm >> 6) != 3;
    return memory ? escape_memory : escape_register;
}

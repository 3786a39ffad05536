/* The emulation of sensitive and system instructions, called from translated code.
 *
 * Each has one plain function over the CPU's state, which calls cpu/ for everything with rules. A function
 * that raises has changed nothing (cpu_state.h): the fault is delivered here, as the interpreter would.
 *
 * Data breakpoints and alignment of segment accesses are the business of cpu/ and mmu/; while DR7 enables a
 * breakpoint no translated code runs. */
#include "translator/sensitive.h"

#include <setjmp.h>

#include "cpu/cpu.h"
#include "translator/float.h"

/* ---- operands */

static bool in_memory(const struct translator_site *site)
{
    return site->operand.segment != OPERAND_SEGMENT_NONE;
}

static uint64_t read_operand(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    if (in_memory(site)) {
        return cpu_segment_read(cpu, (enum cpu_segment)site->operand.segment, offset, 2);
    }
    return cpu->gpr[site->operand.rm].w;
}

static void write_register(struct cpu_state *cpu, unsigned number, unsigned width, uint64_t value)
{
    switch (width) {
    case 1:
        if (number < 4) {
            cpu->gpr[number].l = (uint8_t)value;
        } else {
            cpu->gpr[number - 4].h = (uint8_t)value;
        }
        break;
    case 2: cpu->gpr[number].w = (uint16_t)value; break;
    default: cpu->gpr[number].q = (uint32_t)value; break;
    }
}

/* Memory takes 16 bits, a register as many as the operand size says. */
static void write_operand(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset,
                          uint64_t value)
{
    if (in_memory(site)) {
        cpu_segment_write(cpu, (enum cpu_segment)site->operand.segment, offset, 2, value & 0xffff);
    } else {
        write_register(cpu, site->operand.rm, site->width, value);
    }
}

struct far_pointer {
    uint32_t offset;
    uint16_t selector;
};

static struct far_pointer far_operand(struct cpu_state *cpu, const struct translator_site *site,
                                      uint32_t offset)
{
    if (!in_memory(site)) {
        return (struct far_pointer){.offset = site->target, .selector = site->operand.immediate};
    }
    enum cpu_segment segment = (enum cpu_segment)site->operand.segment;
    uint32_t mask = site->operand.address16 ? 0xffff : UINT32_MAX;
    return (struct far_pointer){
        .offset = (uint32_t)cpu_segment_read(cpu, segment, offset, site->width),
        .selector = (uint16_t)cpu_segment_read(cpu, segment, (offset + site->width) & mask, 2)};
}

static void require_supervisor(struct cpu_state *cpu)
{
    if (cpu->cpl != 0) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
}

static void require_protected_mode(struct cpu_state *cpu)
{
    if (cpu->mode != CPU_MODE_PROTECTED) {
        cpu_raise(cpu, VECTOR_UD);
    }
}

/* ---- flags */

static void push_flags(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    (void)offset;
    cpu_push_flags(cpu, site->width);
}

static void pop_flags(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    (void)offset;
    cpu_pop_flags(cpu, site->width);
}

static void interrupt_flag(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    (void)offset;
    if (site->insn == INSN_STI) {
        cpu_set_interrupt_flag(cpu);
    } else {
        cpu_clear_interrupt_flag(cpu);
    }
}

/* ---- system registers */

static void store_table(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    const struct descriptor_table *table = site->insn == INSN_SGDT ? &cpu->gdtr : &cpu->idtr;
    enum cpu_segment segment = (enum cpu_segment)site->operand.segment;
    uint64_t linear = cpu_segment_to_linear(cpu, segment, offset, 6, true);
    bool user = cpu->cpl == 3;
    cpu_check_alignment(cpu, linear, 4, 0);
    cpu->memory_ops->probe_write(cpu, linear, 6, user);
    uint64_t image = (table->base & UINT32_MAX) << 16 | table->limit; /* a device sees four bytes, then two */
    cpu->memory_ops->write(cpu, linear, 4, image & UINT32_MAX, user);
    cpu->memory_ops->write(cpu, (linear + 4) & UINT32_MAX, 2, image >> 32, user);
}

static void store_selector(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    require_protected_mode(cpu);
    write_operand(cpu, site, offset, site->insn == INSN_SLDT ? cpu->ldtr.selector : cpu->tr.selector);
}

static void machine_status(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    write_operand(cpu, site, offset, cpu->cr0);
}

/* ---- segment registers */

static void move_from_segment(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    write_operand(cpu, site, offset, cpu->segment[site->operand.reg].selector);
}

static void load_segment(struct cpu_state *cpu, const struct translator_site *site, uint16_t selector)
{
    cpu_load_segment(cpu, (enum cpu_segment)site->operand.reg, selector);
    if (site->operand.reg == CPU_SS) {
        cpu->pending |= CPU_PENDING_SHADOW | CPU_PENDING_STACK_SHADOW;
    }
}

static void move_segment(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    if (site->operand.variant) {
        load_segment(cpu, site, (uint16_t)read_operand(cpu, site, offset));
    } else {
        move_from_segment(cpu, site, offset);
    }
}

static void push_segment(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    (void)offset;
    cpu_push(cpu, cpu->segment[site->operand.reg].selector, site->width);
}

/* SP moves on by the width of the stack that it was popped from. */
static void pop_segment(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    (void)offset;
    uint64_t mask = cpu->stack_mask;
    uint64_t sp = cpu->gpr[CPU_SP].q;
    load_segment(cpu, site, (uint16_t)cpu_stack_peek(cpu, 0, site->width));
    cpu->gpr[CPU_SP].q = (sp & ~mask) | ((sp + site->width) & mask);
}

static void load_far_pointer(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    struct far_pointer pointer = far_operand(cpu, site, offset);
    cpu_load_segment(cpu, (enum cpu_segment)site->operand.reg, pointer.selector);
    write_register(cpu, site->operand.rm, site->width, pointer.offset);
}

/* ---- LAR, LSL, VERR, VERW */

static void query_selector(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    require_protected_mode(cpu);
    uint16_t selector = (uint16_t)read_operand(cpu, site, offset);
    uint32_t result = 0;
    bool valid;
    switch (site->insn) {
    case INSN_LAR: valid = cpu_load_access_rights(cpu, selector, &result); break;
    case INSN_LSL: valid = cpu_load_limit(cpu, selector, &result); break;
    default: valid = cpu_verify_segment(cpu, selector, site->insn == INSN_VERW); break;
    }
    if (valid && (site->insn == INSN_LAR || site->insn == INSN_LSL)) {
        write_register(cpu, site->operand.reg, site->width, result);
    }
    uint32_t eflags = flags_to_eflags(&cpu->flags) & ~(uint32_t)EFLAGS_ZF;
    flags_from_eflags(&cpu->flags, eflags | (valid ? EFLAGS_ZF : 0));
}

/* ---- transfers */

static void jump_far(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    struct far_pointer to = far_operand(cpu, site, offset);
    cpu_jump_far(cpu, to.selector, to.offset, site->width, site_next_eip(site));
}

static void call_far(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    struct far_pointer to = far_operand(cpu, site, offset);
    cpu_call_far(cpu, to.selector, to.offset, site->width, site_next_eip(site));
}

static void return_far(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    (void)offset;
    cpu_return_far(cpu, site->width, (uint16_t)site->target);
}

static void interrupt_return(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    (void)offset;
    cpu_return_from_interrupt(cpu, site->width, site_next_eip(site));
}

static void interrupt(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    (void)offset;
    switch (site->insn) {
    case INSN_INT:
        cpu_software_interrupt(cpu, (uint8_t)site->target, SOFTWARE_INT_N, site_next_eip(site));
        break;
    case INSN_INT3: cpu_software_interrupt(cpu, VECTOR_BP, SOFTWARE_INT3, site_next_eip(site)); break;
    default:
        if (flags_of(&cpu->flags)) {
            cpu_software_interrupt(cpu, VECTOR_OF, SOFTWARE_INTO, site_next_eip(site));
        } else {
            cpu->rip = site_next_eip(site);
        }
        break;
    }
}

static void fast_call(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    (void)offset;
    if (site->insn == INSN_SYSENTER) {
        cpu_sysenter(cpu);
    } else {
        cpu_sysexit(cpu);
    }
}

/* ---- control registers and the rest */

static void move_control(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    (void)offset;
    require_supervisor(cpu);
    if (site->operand.variant) {
        cpu_write_control(cpu, site->operand.reg, cpu->gpr[site->operand.rm].d);
    } else {
        write_register(cpu, site->operand.rm, 4, cpu_read_control(cpu, site->operand.reg));
    }
}

static void clear_task_switched(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    (void)site;
    (void)offset;
    require_supervisor(cpu);
    cpu->cr0 &= ~(uint64_t)CR0_TS;
}

static void invalidate_page(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    require_supervisor(cpu);
    uint64_t linear = cpu->segment[site->operand.segment].base + offset;
    cpu->memory_ops->flush_page(cpu, linear & UINT32_MAX);
}

static void identify(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    (void)site;
    (void)offset;
    cpu_identify(cpu);
}

static void read_time_stamp(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    (void)site;
    (void)offset;
    if ((cpu->cr4 & CR4_TSD) && cpu->cpl != 0) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    uint64_t value = cpu_read_time_stamp(cpu);
    write_register(cpu, CPU_AX, 4, value & UINT32_MAX);
    write_register(cpu, CPU_DX, 4, value >> 32);
}

static void port_access(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    (void)offset;
    uint16_t port = site->operand.variant ? cpu->gpr[CPU_DX].w : (uint16_t)site->target;
    uint32_t mask = (uint32_t)bits_mask(site->width * 8u);
    cpu_check_io(cpu, port, site->width);
    if (site->insn == INSN_IN) {
        uint32_t value = cpu->pins.port_read(cpu->pins.opaque, port, site->width);
        write_register(cpu, CPU_AX, site->width, value & mask);
    } else {
        cpu->pins.port_write(cpu->pins.opaque, port, site->width, cpu->gpr[CPU_AX].d & mask);
    }
}

/* ---- dispatch */

typedef void emulate_function(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset);

static const struct emulation {
    emulate_function *function;
    bool transfers; /* sets cpu->rip */
} emulations[INSN_COUNT] = {
    [INSN_PUSHF] = {push_flags, false},       [INSN_POPF] = {pop_flags, false},
    [INSN_CLI] = {interrupt_flag, false},     [INSN_STI] = {interrupt_flag, false},
    [INSN_SGDT] = {store_table, false},       [INSN_SIDT] = {store_table, false},
    [INSN_SLDT] = {store_selector, false},    [INSN_STR] = {store_selector, false},
    [INSN_SMSW] = {machine_status, false},    [INSN_MOV_SEG] = {move_segment, false},
    [INSN_PUSH_SEG] = {push_segment, false},  [INSN_POP_SEG] = {pop_segment, false},
    [INSN_LDS] = {load_far_pointer, false},   [INSN_LES] = {load_far_pointer, false},
    [INSN_LFS] = {load_far_pointer, false},   [INSN_LGS] = {load_far_pointer, false},
    [INSN_LSS] = {load_far_pointer, false},   [INSN_LAR] = {query_selector, false},
    [INSN_LSL] = {query_selector, false},     [INSN_VERR] = {query_selector, false},
    [INSN_VERW] = {query_selector, false},    [INSN_JMP_FAR] = {jump_far, true},
    [INSN_CALL_FAR] = {call_far, true},       [INSN_RETF] = {return_far, true},
    [INSN_IRET] = {interrupt_return, true},   [INSN_INT] = {interrupt, true},
    [INSN_INT3] = {interrupt, true},          [INSN_INTO] = {interrupt, true},
    [INSN_SYSENTER] = {fast_call, true},      [INSN_SYSEXIT] = {fast_call, true},
    [INSN_MOV_CR] = {move_control, false},    [INSN_CLTS] = {clear_task_switched, false},
    [INSN_INVLPG] = {invalidate_page, false}, [INSN_CPUID] = {identify, false},
    [INSN_RDTSC] = {read_time_stamp, false},  [INSN_IN] = {port_access, false},
    [INSN_OUT] = {port_access, false},
};

bool sensitive_is_transfer(enum insn_id id)
{
    return emulations[id].transfers;
}

/* False when it raised: cpu->exception says what. */
static bool emulate(struct cpu_state *cpu, const struct translator_site *site, uint32_t offset)
{
    jmp_buf unwind;
    if (setjmp(unwind) != 0) {
        cpu->unwind = NULL;
        return false;
    }
    cpu->unwind = &unwind;
    emulations[site->insn].function(cpu, site, offset);
    cpu->unwind = NULL;
    return true;
}

bool sensitive_execute(struct translator *t, const struct translator_site *site)
{
    struct cpu_state *cpu = t->cpu;
    if (site->insn == INSN_IN || site->insn == INSN_OUT) {
        translator_store_float(t); /* devices may do anything */
    }
    bool done = emulate(cpu, site, (uint32_t)t->address);
    if (!done) {
        cpu_deliver_exception(cpu);
    } else if (!emulations[site->insn].transfers) {
        cpu->rip = site_next_eip(site);
    }
    cpu->retired++;
    return done;
}

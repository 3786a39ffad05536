/* Segment registers, I/O, system registers (SDM 2: MOV Sreg, LDS…LSS, IN, OUT, CLI, STI, HLT, SGDT…LMSW, LAR,
 * LSL, VERR, VERW, ARPL, MOV CR/DR/TR, CLTS, INVD, INVLPG, WBINVD, CPUID, RDTSC, RDRAND, RDMSR, WRMSR).
 *
 * The rules live in cpu/; here are operands and the checks common to all privileged instructions. */
#include "cpu/debug_registers.h"
#include "interpreter/operand.h"
#include "interpreter/select.h"

static inline void require_supervisor(struct cpu_state *cpu, struct interpreter *in)
{
    uop_sync(cpu, in);
    if (cpu->cpl != 0) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
}

static inline void require_protected_mode(struct cpu_state *cpu, struct interpreter *in)
{
    uop_sync(cpu, in);
    if (cpu->mode != CPU_MODE_PROTECTED) {
        cpu_raise(cpu, VECTOR_UD);
    }
}

/* ---- MOV to and from segment registers, LDS…LSS */

static void mov_segment_to_register(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    register_write(cpu, uop->destination, uop->operand_size, cpu->segment[uop->number].selector);
    uop_next(cpu, uop, in);
}

static void mov_segment_to_memory(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    memory_store(cpu, uop, in, 2, cpu->segment[uop->number].selector);
    uop_next(cpu, uop, in);
}

static void load_data_segment(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                              bool memory)
{
    uint16_t selector = (uint16_t)operand_read(cpu, uop, in, memory, uop->source, 2);
    uop_sync(cpu, in);
    cpu_load_segment(cpu, (enum cpu_segment)uop->number, selector);
    uop_next(cpu, uop, in);
}

static void mov_register_to_segment(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    load_data_segment(cpu, uop, in, false);
}

static void mov_memory_to_segment(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    load_data_segment(cpu, uop, in, true);
}

/* SS holds interrupts off for one instruction; CS (8086) changes what comes next. Both end the block. */
static void load_special_segment(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                 bool memory)
{
    uint16_t selector = (uint16_t)operand_read(cpu, uop, in, memory, uop->source, 2);
    uop_sync(cpu, in);
    cpu_load_segment(cpu, (enum cpu_segment)uop->number, selector);
    if (uop->number == CPU_SS) {
        cpu->pending |= CPU_PENDING_SHADOW | CPU_PENDING_STACK_SHADOW;
    }
    uop_leave_to_next(cpu, uop, in);
}

static void mov_register_to_special(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    load_special_segment(cpu, uop, in, false);
}

static void mov_memory_to_special(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    load_special_segment(cpu, uop, in, true);
}

uop_handler *select_segment_move(const struct insn *insn, const struct cpu_model *model)
{
    if (insn->operand[0].register_class != REGISTER_SEGMENT || insn->operand[0].kind != OPERAND_REGISTER) {
        return operand_in_memory(insn, 0) ? mov_segment_to_memory : mov_segment_to_register;
    }
    bool memory = operand_in_memory(insn, 1);
    switch (insn->operand[0].reg) {
    case SEGMENT_CS:
        if (model->generation > CPU_8086) {
            return NULL;
        }
        return memory ? mov_memory_to_special : mov_register_to_special;
    case SEGMENT_SS: return memory ? mov_memory_to_special : mov_register_to_special;
    default: return memory ? mov_memory_to_segment : mov_register_to_segment;
    }
}

static void load_far_pointer(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint32_t at = effective_address(cpu, uop);
    uint64_t offset = segment_load(cpu, in, uop->segment, at, uop->operand_size);
    uint32_t selector_at = (at + uop->operand_size) & uop_address_mask(uop);
    uint16_t selector = (uint16_t)segment_load(cpu, in, uop->segment, selector_at, 2);
    uop_sync(cpu, in);
    cpu_load_segment(cpu, (enum cpu_segment)uop->number, selector);
    register_write(cpu, uop->destination, uop->operand_size, offset);
    uop_leave_to_next(cpu, uop, in);
}

uop_handler *select_load_far_pointer(const struct insn *insn, const struct cpu_model *model)
{
    (void)insn;
    (void)model;
    return load_far_pointer;
}

/* ---- IN, OUT */

/* Ends the block: a device may have raised an interrupt or changed the memory map. */
static void port_in(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint16_t port = uop->source != 0 ? cpu->gpr[CPU_DX].w : (uint8_t)uop->immediate;
    uop_sync(cpu, in);
    cpu_check_io(cpu, port, uop->number);
    register_write(cpu, uop->destination, uop->number,
                   cpu->pins.port_read(cpu->pins.opaque, port, uop->number));
    cpu_note_io(cpu, port, uop->number);
    uop_leave_to_next(cpu, uop, in);
}

static void port_out(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uint16_t port = uop->destination != 0 ? cpu->gpr[CPU_DX].w : (uint8_t)uop->immediate;
    uop_sync(cpu, in);
    cpu_check_io(cpu, port, uop->number);
    uint32_t value = (uint32_t)register_read(cpu, uop->source, uop->number);
    cpu->pins.port_write(cpu->pins.opaque, port, uop->number, value);
    cpu_note_io(cpu, port, uop->number);
    uop_leave_to_next(cpu, uop, in);
}

uop_handler *select_io(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return insn->id == INSN_IN ? port_in : port_out;
}

/* ---- CLI, STI, HLT */

static void cli(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_sync(cpu, in);
    cpu_clear_interrupt_flag(cpu);
    uop_next(cpu, uop, in);
}

static void sti(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_sync(cpu, in);
    cpu_set_interrupt_flag(cpu);
    uop_leave_to_next(cpu, uop, in);
}

uop_handler *select_interrupt_flag(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return insn->id == INSN_CLI ? cli : sti;
}

static void hlt(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    require_supervisor(cpu, in);
    cpu->halted = true;
    cpu->pending |= CPU_PENDING_ENGINE;
    uop_leave_to_next(cpu, uop, in);
}

uop_handler *select_halt(const struct insn *insn, const struct cpu_model *model)
{
    (void)insn;
    (void)model;
    return hlt;
}

/* ---- SGDT, SIDT, LGDT, LIDT */

/* 16-bit operands move a 24-bit base; on a store the 80286 puts FFh in the sixth byte, later processors all
 * 32 bits. */
static void store_table(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    const struct descriptor_table *table = uop->insn == INSN_SGDT ? &cpu->gdtr : &cpu->idtr;
    uint64_t base = cpu->model->generation <= CPU_80286 ? table->base | 0xff000000u : table->base;
    uint8_t bytes[6];
    store_le16(bytes, table->limit);
    store_le32(bytes + 2, (uint32_t)base);
    operand_store_block(cpu, uop, in, bytes, sizeof bytes);
    uop_next(cpu, uop, in);
}

static void load_table(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    require_supervisor(cpu, in);
    struct descriptor_table *table = uop->insn == INSN_LGDT ? &cpu->gdtr : &cpu->idtr;
    uint32_t at = effective_address(cpu, uop);
    uint16_t limit = (uint16_t)segment_load(cpu, in, uop->segment, at, 2);
    uint64_t base = segment_load(cpu, in, uop->segment, (at + 2) & uop_address_mask(uop), 4);
    table->limit = limit;
    table->base = uop->operand_size == 2 ? base & 0xffffff : base;
    uop_leave_to_next(cpu, uop, in);
}

/* ---- SLDT, STR, LLDT, LTR */

static void store_selector(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, bool memory)
{
    require_protected_mode(cpu, in);
    uint16_t selector = uop->insn == INSN_SLDT ? cpu->ldtr.selector : cpu->tr.selector;
    operand_write(cpu, uop, in, memory, uop->destination, memory ? 2 : uop->operand_size, selector);
    uop_next(cpu, uop, in);
}

static void store_selector_r(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    store_selector(cpu, uop, in, false);
}

static void store_selector_m(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    store_selector(cpu, uop, in, true);
}

static void load_selector(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, bool memory)
{
    require_protected_mode(cpu, in);
    require_supervisor(cpu, in);
    uint16_t selector = (uint16_t)operand_read(cpu, uop, in, memory, uop->destination, 2);
    if (uop->insn == INSN_LLDT) {
        cpu_load_ldt(cpu, selector);
    } else {
        cpu_load_task_register(cpu, selector);
    }
    uop_leave_to_next(cpu, uop, in);
}

static void load_selector_r(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    load_selector(cpu, uop, in, false);
}

static void load_selector_m(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    load_selector(cpu, uop, in, true);
}

uop_handler *select_table_register(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    bool memory = operand_in_memory(insn, 0);
    switch (insn->id) {
    case INSN_SGDT:
    case INSN_SIDT: return store_table;
    case INSN_LGDT:
    case INSN_LIDT: return load_table;
    case INSN_SLDT:
    case INSN_STR: return memory ? store_selector_m : store_selector_r;
    default: return memory ? load_selector_m : load_selector_r;
    }
}

/* ---- LAR, LSL, VERR, VERW, ARPL */

static void put_zf(struct cpu_state *cpu, bool zf)
{
    uint32_t eflags = flags_to_eflags(&cpu->flags) & ~(uint32_t)EFLAGS_ZF;
    flags_from_eflags(&cpu->flags, eflags | (zf ? EFLAGS_ZF : 0));
}

static void query_to_register(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                              bool memory)
{
    require_protected_mode(cpu, in);
    unsigned width = memory ? 2 : uop->operand_size;
    uint16_t selector = (uint16_t)operand_read(cpu, uop, in, memory, uop->source, width);
    uint32_t result = 0;
    bool valid = uop->insn == INSN_LAR ? cpu_load_access_rights(cpu, selector, &result)
                                       : cpu_load_limit(cpu, selector, &result);
    if (valid) {
        register_write(cpu, uop->destination, uop->operand_size, result);
    }
    put_zf(cpu, valid);
    heed_device(cpu, in);
    uop_next(cpu, uop, in);
}

static void query_to_register_r(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    query_to_register(cpu, uop, in, false);
}

static void query_to_register_m(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    query_to_register(cpu, uop, in, true);
}

static void verify(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, bool memory)
{
    require_protected_mode(cpu, in);
    uint16_t selector = (uint16_t)operand_read(cpu, uop, in, memory, uop->destination, 2);
    put_zf(cpu, cpu_verify_segment(cpu, selector, uop->insn == INSN_VERW));
    heed_device(cpu, in);
    uop_next(cpu, uop, in);
}

static void verify_r(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    verify(cpu, uop, in, false);
}

static void verify_m(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    verify(cpu, uop, in, true);
}

static void adjust_rpl(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, bool memory)
{
    require_protected_mode(cpu, in);
    uint64_t selector = operand_read(cpu, uop, in, memory, uop->destination, 2);
    uint64_t rpl = register_read(cpu, uop->source, 2) & 3;
    bool raise = (selector & 3) < rpl;
    if (raise) {
        operand_write(cpu, uop, in, memory, uop->destination, 2, (selector & ~(uint64_t)3) | rpl);
    }
    put_zf(cpu, raise);
    uop_next(cpu, uop, in);
}

static void adjust_rpl_r(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    adjust_rpl(cpu, uop, in, false);
}

static void adjust_rpl_m(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    adjust_rpl(cpu, uop, in, true);
}

uop_handler *select_selector_query(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    switch (insn->id) {
    case INSN_LAR:
    case INSN_LSL: return operand_in_memory(insn, 1) ? query_to_register_m : query_to_register_r;
    case INSN_ARPL: return operand_in_memory(insn, 0) ? adjust_rpl_m : adjust_rpl_r;
    default: return operand_in_memory(insn, 0) ? verify_m : verify_r;
    }
}

/* ---- SMSW, LMSW, CLTS */

/* A 32-bit register gets the whole of CR0; the bits the 80286 lacks read as ones there. */
static void smsw(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, bool memory)
{
    uint64_t value = cpu->model->generation <= CPU_80286 ? cpu->cr0 | 0xfff0 : cpu->cr0;
    operand_write(cpu, uop, in, memory, uop->destination, memory ? 2 : uop->operand_size, value);
    uop_next(cpu, uop, in);
}

static void smsw_r(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    smsw(cpu, uop, in, false);
}

static void smsw_m(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    smsw(cpu, uop, in, true);
}

static void lmsw(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in, bool memory)
{
    require_supervisor(cpu, in);
    cpu_load_machine_status_word(cpu, (uint16_t)operand_read(cpu, uop, in, memory, uop->destination, 2));
    uop_leave_to_next(cpu, uop, in);
}

static void lmsw_r(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    lmsw(cpu, uop, in, false);
}

static void lmsw_m(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    lmsw(cpu, uop, in, true);
}

static void clts(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    require_supervisor(cpu, in);
    cpu->cr0 &= ~(uint64_t)CR0_TS;
    uop_leave_to_next(cpu, uop, in);
}

uop_handler *select_machine_status(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    bool memory = operand_in_memory(insn, 0);
    switch (insn->id) {
    case INSN_SMSW: return memory ? smsw_m : smsw_r;
    case INSN_LMSW: return memory ? lmsw_m : lmsw_r;
    default: return clts;
    }
}

/* ---- MOV CR, DR, TR */

static void read_control(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    require_supervisor(cpu, in);
    register_write(cpu, uop->destination, 4, cpu_read_control(cpu, uop->number));
    uop_leave_to_next(cpu, uop, in);
}

static void write_control(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    require_supervisor(cpu, in);
    cpu_write_control(cpu, uop->number, register_read(cpu, uop->source, 4));
    uop_leave_to_next(cpu, uop, in);
}

static void read_debug(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_sync(cpu, in);
    register_write(cpu, uop->destination, 4, cpu_read_debug(cpu, uop->number));
    uop_leave_to_next(cpu, uop, in);
}

static void write_debug(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_sync(cpu, in);
    cpu_write_debug(cpu, uop->number, register_read(cpu, uop->source, 4));
    uop_leave_to_next(cpu, uop, in);
}

/* The test registers of the 80386 and 80486 drive a TLB and cache test interface that has no effect here:
 * reads give zero. */
static void read_test(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    require_supervisor(cpu, in);
    register_write(cpu, uop->destination, 4, 0);
    uop_leave_to_next(cpu, uop, in);
}

static void write_test(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    require_supervisor(cpu, in);
    uop_leave_to_next(cpu, uop, in);
}

static uop_handler *select_test_register(const struct insn *insn, const struct cpu_model *model, bool reads)
{
    unsigned number = insn->operand[reads ? 1 : 0].reg;
    unsigned first = model->generation == CPU_80386 ? 6 : 3;
    if (model->generation > CPU_80486 || number < first) {
        return NULL;
    }
    return reads ? read_test : write_test;
}

uop_handler *select_control(const struct insn *insn, const struct cpu_model *model)
{
    bool reads = insn->operand[0].register_class == REGISTER_GPR32;
    switch (insn->id) {
    case INSN_MOV_CR: return reads ? read_control : write_control;
    case INSN_MOV_DR: return reads ? read_debug : write_debug;
    default: return select_test_register(insn, model, reads);
    }
}

/* ---- INVD, WBINVD, INVLPG */

/* There are no caches to write back. */
static void invalidate_caches(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    require_supervisor(cpu, in);
    uop_leave_to_next(cpu, uop, in);
}

static void invlpg(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    require_supervisor(cpu, in);
    uint64_t linear = cpu->segment[uop->segment].base + effective_address(cpu, uop);
    cpu->memory_ops->flush_page(cpu, linear & 0xffffffffu);
    uop_leave_to_next(cpu, uop, in);
}

uop_handler *select_cache(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return insn->id == INSN_INVLPG ? invlpg : invalidate_caches;
}

/* ---- CPUID, RDTSC, RDPMC, RDRAND, MSRs */

static void cpuid(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_sync(cpu, in);
    cpu_identify(cpu);
    uop_next(cpu, uop, in);
}

static void write_edx_eax(struct cpu_state *cpu, uint64_t value)
{
    cpu->gpr[CPU_AX].d = (uint32_t)value;
    cpu->gpr[CPU_DX].d = (uint32_t)(value >> 32);
}

static void rdtsc(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_sync(cpu, in);
    if ((cpu->cr4 & CR4_TSD) && cpu->cpl != 0) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    write_edx_eax(cpu, cpu_read_time_stamp(cpu));
    uop_next(cpu, uop, in);
}

/* Two counters that never count: performance events are not modelled. */
static void rdpmc(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    uop_sync(cpu, in);
    bool allowed = (cpu->cr4 & CR4_PCE) || cpu->cpl == 0;
    if (!allowed || cpu->gpr[CPU_CX].d > 1) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    write_edx_eax(cpu, 0);
    uop_next(cpu, uop, in);
}

/* There is always a number to be had: CF = 1, and the other flags are 0 (SDM 2, RDRAND). */
static void rdrand(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    register_write(cpu, uop->destination, uop->operand_size, cpu_draw_random(cpu));
    flags_from_eflags(&cpu->flags, EFLAGS_CF);
    uop_next(cpu, uop, in);
}

uop_handler *select_cpuid(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    switch (insn->id) {
    case INSN_CPUID: return cpuid;
    case INSN_RDTSC: return rdtsc;
    case INSN_RDPMC: return rdpmc;
    default: return rdrand;
    }
}

static void rdmsr(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    require_supervisor(cpu, in);
    write_edx_eax(cpu, cpu_read_msr(cpu, cpu->gpr[CPU_CX].d));
    uop_next(cpu, uop, in);
}

static void wrmsr(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)
{
    require_supervisor(cpu, in);
    cpu_write_msr(cpu, cpu->gpr[CPU_CX].d, (uint64_t)cpu->gpr[CPU_DX].d << 32 | cpu->gpr[CPU_AX].d);
    uop_leave_to_next(cpu, uop, in);
}

uop_handler *select_msr(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    return insn->id == INSN_RDMSR ? rdmsr : wrmsr;
}

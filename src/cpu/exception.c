/* Raising exceptions; delivering exceptions and interrupts through the IVT or the IDT.
 *
 * SDM 3A chapter 6 (in particular §6.12-§6.15 and table 6-5 for faults during delivery), SDM 2 INT n, SDM 3B
 * §20.3 (V86 and the redirection of INT n). Delivery is atomic: all descriptors are checked and the whole
 * frame is reserved before anything but accessed bits changes; only a task gate can fault in the new task's
 * context.
 *
 * NOT IMPLEMENTED: machine checks as aborts with state loss. */
#include <inttypes.h>

#include "cpu/debug_registers.h"
#include "cpu/descriptor.h"
#include "cpu/probe.h"
#include "cpu/stack.h"
#include "cpu/system_flags.h"
#include "cpu/task_switch.h"

enum event_kind {
    EVENT_EXCEPTION, /* and INT1, NMI */
    EVENT_EXTERNAL,
    EVENT_SOFTWARE /* INT n, INT3, INTO: the gate's DPL is checked, EXT is 0 */
};

struct event {
    enum event_kind kind;
    uint8_t vector;
    bool has_error_code;
    uint32_t error_code;
    uint64_t return_rip;
    uint32_t eflags; /* the image to push */
    uint32_t ext;
    bool by_instruction; /* INT n, INT3, INTO, INT1: what it raises is the instruction's fault */
};

_Noreturn void cpu_raise(struct cpu_state *cpu, enum cpu_vector vector)
{
    cpu->exception = (struct cpu_exception){.vector = (uint8_t)vector};
    longjmp(*cpu->unwind, 1);
}

_Noreturn void cpu_raise_error(struct cpu_state *cpu, enum cpu_vector vector, uint32_t error_code)
{
    cpu->exception =
        (struct cpu_exception){.vector = (uint8_t)vector, .has_error_code = true, .error_code = error_code};
    longjmp(*cpu->unwind, 1);
}

_Noreturn void cpu_raise_page_fault(struct cpu_state *cpu, uint64_t linear, uint32_t error_code)
{
    cpu->cr2 = linear;
    cpu_raise_error(cpu, VECTOR_PF, error_code);
}

/* Real mode: FLAGS, CS, IP from the four-byte vector table at IDTR. A vector beyond IDTR's limit is interrupt
 * 8 on the 80286 and 80386 ("interrupt table limit too small"), #GP later; neither pushes an error code. */
static void deliver_real(struct cpu_state *cpu, const struct event *event)
{
    uint32_t slot = event->vector * 4u;
    struct stack_cursor stack;
    if (slot + 3 > cpu->idtr.limit) {
        cpu_raise_error(cpu, cpu->model->generation <= CPU_80386 ? VECTOR_DF : VECTOR_GP, 0);
    }
    uint64_t target = cpu->memory_ops->read(cpu, (cpu->idtr.base + slot) & UINT32_MAX, 4, false);
    stack_cursor_current(cpu, &stack, 0);
    stack_reserve(cpu, &stack, 3, 2);
    cpu_check_code_limit(cpu, target & 0xffff);

    stack_push(cpu, &stack, event->eflags, 2);
    stack_push(cpu, &stack, cpu->segment[CPU_CS].selector, 2);
    stack_push(cpu, &stack, event->return_rip, 2);
    stack_commit(cpu, &stack, false);
    cpu->eflags_other &= ~(uint32_t)(EFLAGS_IF | EFLAGS_TF | EFLAGS_RF | EFLAGS_AC);
    cpu_update_alignment_checks(cpu);
    segment_install_real(cpu, CPU_CS, (uint16_t)(target >> 16));
    cpu->rip = target & 0xffff;
    cpu_update_mode(cpu);
}

static void deliver_task_gate(struct cpu_state *cpu, const struct event *event, const struct descriptor *gate)
{
    struct task_switch request = {.selector = gate->gate_selector,
                                  .reason = TASK_SWITCH_INTERRUPT,
                                  .next_rip = event->return_rip,
                                  .eflags = event->eflags,
                                  .ext = event->ext,
                                  .delivering = !event->by_instruction,
                                  .error_code = event->has_error_code ? &event->error_code : NULL};
    task_switch_execute(cpu, &request);
}

/* The handler's code segment; returns its privilege level. */
static unsigned fetch_handler(struct cpu_state *cpu, const struct event *event, uint16_t selector,
                              struct descriptor *code)
{
    if (selector_is_null(selector)) {
        cpu_raise_error(cpu, VECTOR_GP, event->ext);
    }
    if (!descriptor_fetch(cpu, selector, code) || !attributes_are_code(code->attributes) ||
        descriptor_dpl(code) > cpu->cpl) {
        descriptor_raise(cpu, VECTOR_GP, selector, event->ext);
    }
    if (!descriptor_is_present(code)) {
        descriptor_raise(cpu, VECTOR_NP, selector, event->ext);
    }
    unsigned cpl = attributes_are_conforming(code->attributes) ? cpu->cpl : descriptor_dpl(code);
    if (cpu->mode == CPU_MODE_V86 && cpl != 0) {
        descriptor_raise(cpu, VECTOR_GP, selector, event->ext);
    }
    return cpl;
}

static void deliver_gate(struct cpu_state *cpu, const struct event *event, const struct descriptor *gate,
                         unsigned type)
{
    const unsigned width = type & SYSTEM_WIDE_BIT ? 4 : 2;
    const bool from_v86 = cpu->mode == CPU_MODE_V86;
    struct descriptor code;
    struct stack_cursor stack;
    unsigned cpl = fetch_handler(cpu, event, gate->gate_selector, &code);
    bool inner = cpl < cpu->cpl;
    if (inner) {
        stack_cursor_inner(cpu, &stack, cpl, event->ext);
    } else {
        stack_cursor_current(cpu, &stack, event->ext);
    }
    stack_reserve(cpu, &stack, 3u + (inner ? 2 : 0) + (from_v86 ? 4 : 0) + event->has_error_code, width);
    if (gate->gate_offset > code.limit) {
        cpu_raise_error(cpu, VECTOR_GP, event->ext);
    }
    descriptor_mark_accessed(cpu, &code);

    if (from_v86) {
        stack_push(cpu, &stack, cpu->segment[CPU_GS].selector, width);
        stack_push(cpu, &stack, cpu->segment[CPU_FS].selector, width);
        stack_push(cpu, &stack, cpu->segment[CPU_DS].selector, width);
        stack_push(cpu, &stack, cpu->segment[CPU_ES].selector, width);
        segment_install_null(&cpu->segment[CPU_GS], 0);
        segment_install_null(&cpu->segment[CPU_FS], 0);
        segment_install_null(&cpu->segment[CPU_DS], 0);
        segment_install_null(&cpu->segment[CPU_ES], 0);
    }
    if (inner) {
        stack_push(cpu, &stack, cpu->segment[CPU_SS].selector, width);
        stack_push(cpu, &stack, cpu->gpr[CPU_SP].d, width);
    }
    stack_push(cpu, &stack, event->eflags, width);
    stack_push(cpu, &stack, cpu->segment[CPU_CS].selector, width);
    stack_push(cpu, &stack, event->return_rip, width);
    if (event->has_error_code) {
        stack_push(cpu, &stack, event->error_code, width);
    }
    stack_commit(cpu, &stack, inner);
    cpu->eflags_other &= ~(uint32_t)(EFLAGS_TF | EFLAGS_NT | EFLAGS_RF | EFLAGS_VM);
    if (!(type & 1)) {
        cpu->eflags_other &= ~(uint32_t)EFLAGS_IF;
    }
    segment_install_code(cpu, &code, cpl);
    cpu->rip = gate->gate_offset;
    cpu_update_mode(cpu);
}

static void deliver_protected(struct cpu_state *cpu, const struct event *event)
{
    const uint32_t slot = event->vector * 8u;
    const uint32_t error_code = slot | SELECTOR_ERROR_IDT | event->ext;
    struct descriptor gate;
    if (slot + 7 > cpu->idtr.limit) {
        cpu_raise_error(cpu, VECTOR_GP, error_code);
    }
    descriptor_read(cpu, cpu->idtr.base + slot, &gate);
    unsigned type = descriptor_system_type(cpu, &gate);
    unsigned narrow_type = type & ~SYSTEM_WIDE_BIT;
    if (type != SYSTEM_TASK_GATE && narrow_type != SYSTEM_INTERRUPT_GATE16 &&
        narrow_type != SYSTEM_TRAP_GATE16) {
        cpu_raise_error(cpu, VECTOR_GP, error_code);
    }
    if (event->kind == EVENT_SOFTWARE && descriptor_dpl(&gate) < cpu->cpl) {
        cpu_raise_error(cpu, VECTOR_GP, error_code);
    }
    if (!descriptor_is_present(&gate)) {
        cpu_raise_error(cpu, VECTOR_NP, error_code);
    }
    if (type == SYSTEM_TASK_GATE) {
        deliver_task_gate(cpu, event, &gate);
    } else {
        deliver_gate(cpu, event, &gate, type);
    }
}

static void deliver_event(struct cpu_state *cpu, const struct event *event)
{
    if (cpu->mode == CPU_MODE_REAL) {
        deliver_real(cpu, event);
    } else {
        deliver_protected(cpu, event);
    }
    cpu->pending &= ~(uint32_t)(CPU_PENDING_SHADOW | CPU_PENDING_STACK_SHADOW);
}

/* False when delivery raised: cpu->exception says what. */
static bool event_try(struct cpu_state *cpu, const struct event *event)
{
    jmp_buf here;
    jmp_buf *const engines = cpu->unwind;
    cpu->unwind = &here;
    if (setjmp(here) != 0) {
        cpu->unwind = engines;
        return false;
    }
    deliver_event(cpu, event);
    cpu->unwind = engines;
    return true;
}

enum exception_class { CLASS_BENIGN, CLASS_CONTRIBUTORY, CLASS_PAGE_FAULT, CLASS_DOUBLE_FAULT };

static enum exception_class classify(uint8_t vector)
{
    switch (vector) {
    case VECTOR_DE:
    case VECTOR_TS:
    case VECTOR_NP:
    case VECTOR_SS:
    case VECTOR_GP: return CLASS_CONTRIBUTORY;
    case VECTOR_PF: return CLASS_PAGE_FAULT;
    case VECTOR_DF: return CLASS_DOUBLE_FAULT;
    default: return CLASS_BENIGN;
    }
}

/* SDM 3A table 6-5. */
static bool is_double_fault(enum exception_class first, enum exception_class second)
{
    if (first == CLASS_CONTRIBUTORY) {
        return second == CLASS_CONTRIBUTORY;
    }
    return first == CLASS_PAGE_FAULT && (second == CLASS_CONTRIBUTORY || second == CLASS_PAGE_FAULT);
}

/* RF is pushed as one for faults, so that the instruction is not stopped at its breakpoint again (SDM 3B
 * §17.3.1.1); traps, instruction breakpoints and aborts leave it as it is. */
static bool exception_is_fault(const struct cpu_exception *exception)
{
    switch (exception->vector) {
    case VECTOR_DB: return !exception->between;
    case VECTOR_NMI:
    case VECTOR_BP:
    case VECTOR_OF:
    case VECTOR_DF:
    case VECTOR_MC: return false;
    default: return true;
    }
}

static struct event event_from_exception(const struct cpu_state *cpu, const struct cpu_exception *exception)
{
    uint32_t eflags = cpu_eflags(cpu);
    if (exception_is_fault(exception)) {
        eflags |= cpu->model->eflags_writable & EFLAGS_RF;
    }
    return (struct event){.kind = EVENT_EXCEPTION,
                          .vector = exception->vector,
                          .has_error_code = exception->has_error_code,
                          .error_code = exception->error_code,
                          .return_rip = cpu->rip,
                          .eflags = eflags,
                          .ext = SELECTOR_ERROR_EXT};
}

/* -d int, as QEMU writes it: the IP is that of the instruction that faults, is interrupted or asks (INT n).
 */
static void log_event(const struct cpu_state *cpu, const struct event *event)
{
    if (!log_is_enabled(cpu->log, LOG_INT)) {
        return;
    }
    char last[32];
    if (event->kind == EVENT_EXCEPTION && event->vector == VECTOR_PF) {
        snprintf(last, sizeof last, "CR2=%08" PRIx64, cpu->cr2);
    } else {
        snprintf(last, sizeof last, "env->regs[R_EAX]=%08" PRIx32, cpu->gpr[CPU_AX].d);
    }
    uint64_t *count = &cpu->counters->value[COUNTER_EVENTS_LOGGED];
    log_line(cpu->log, LOG_INT,
             "%6" PRIu64 ": v=%02x e=%04" PRIx32 " i=%d cpl=%d IP=%04x:%08" PRIx64 " pc=%08" PRIx64
             " SP=%04x:%08" PRIx32 " %s",
             (*count)++, event->vector, event->error_code, event->kind == EVENT_SOFTWARE, cpu->cpl,
             cpu->segment[CPU_CS].selector, cpu->rip, (cpu->segment[CPU_CS].base + cpu->rip) & UINT32_MAX,
             cpu->segment[CPU_SS].selector, cpu->gpr[CPU_SP].d, last);
    cpu_describe(cpu, log_sink(cpu->log));
}

static void note_event(const struct cpu_state *cpu, const struct event *event)
{
    static const enum cpu_event events[] = {[EVENT_EXTERNAL] = CPU_EVENT_INTERRUPT,
                                            [EVENT_SOFTWARE] = CPU_EVENT_SOFTWARE,
                                            [EVENT_EXCEPTION] = CPU_EVENT_EXCEPTION};
    log_event(cpu, event);
    cpu_probe_note_event(cpu, events[event->kind], event->vector, event->error_code);
}

/* Delivers `first` and whatever its delivery raises, until something is delivered or the CPU shuts down. */
static void event_deliver(struct cpu_state *cpu, const struct event *first)
{
    struct event event = *first;
    enum exception_class class = event.kind == EVENT_EXCEPTION ? classify(event.vector) : CLASS_BENIGN;
    cpu->halted = false;
    note_event(cpu, &event);
    while (!event_try(cpu, &event)) {
        struct cpu_exception next = cpu->exception;
        enum exception_class next_class = classify(next.vector);
        if (class == CLASS_DOUBLE_FAULT && next_class != CLASS_BENIGN) {
            cpu_probe_note_event(cpu, CPU_EVENT_SHUTDOWN, event.vector, 0);
            cpu->shutdown = true;
            cpu->pending |= CPU_PENDING_ENGINE;
            return;
        }
        if (is_double_fault(class, next_class)) {
            next = (struct cpu_exception){.vector = VECTOR_DF, .has_error_code = true};
        }
        class = classify(next.vector);
        event = event_from_exception(cpu, &next);
        counter_add(cpu->counters, COUNTER_EXCEPTIONS, 1);
        note_event(cpu, &event);
    }
    if (event.kind == EVENT_EXCEPTION && event.vector == VECTOR_DB) {
        cpu->dr[7] &= ~(uint64_t)DR7_GD; /* enables nothing: no debug_set_control() */
    }
}

void cpu_deliver_exception(struct cpu_state *cpu)
{
    struct event event = event_from_exception(cpu, &cpu->exception);
    counter_add(cpu->counters, COUNTER_EXCEPTIONS, 1);
    cpu->taken += cpu->exception.between;
    if (event.vector == VECTOR_DB) {
        cpu->dr[6] |= cpu->pending_dr6;
        cpu->pending_dr6 = 0;
        cpu->pending &= ~(uint32_t)CPU_PENDING_TRAP;
    }
    event_deliver(cpu, &event);
}

void cpu_deliver_interrupt(struct cpu_state *cpu, uint8_t vector)
{
    log_line(cpu->log, LOG_INT, "Servicing hardware INT=0x%02x", vector);
    struct event event = {.kind = EVENT_EXTERNAL,
                          .vector = vector,
                          .return_rip = cpu->rip,
                          .eflags = cpu_eflags(cpu),
                          .ext = SELECTOR_ERROR_EXT};
    cpu->taken++;
    counter_add(cpu->counters, COUNTER_INTERRUPTS, 1);
    event_deliver(cpu, &event);
}

void cpu_deliver_nmi(struct cpu_state *cpu)
{
    struct event event = {.kind = EVENT_EXTERNAL,
                          .vector = VECTOR_NMI,
                          .return_rip = cpu->rip,
                          .eflags = cpu_eflags(cpu),
                          .ext = SELECTOR_ERROR_EXT};
    cpu->taken++;
    counter_add(cpu->counters, COUNTER_INTERRUPTS, 1);
    cpu->pending &= ~(uint32_t)CPU_PENDING_NMI;
    cpu->nmi_blocked = true;
    event_deliver(cpu, &event);
}

/* The interrupt redirection bitmap lies in the 32 bytes below the I/O bitmap; a clear bit sends INT n to the
 * 8086 program's own handler. */
static bool int_is_redirected(struct cpu_state *cpu, uint8_t vector)
{
    const uint32_t io_base_field = 0x66;
    if (!(cpu->tr.attributes & SYSTEM_WIDE_BIT) || cpu->tr.limit < io_base_field + 1) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    uint64_t linear = (cpu->tr.base + io_base_field) & UINT32_MAX;
    uint32_t io_base = (uint32_t)cpu->memory_ops->read(cpu, linear, 2, false);
    uint32_t byte = io_base - 32 + vector / 8u;
    if (io_base < 32 || byte > cpu->tr.limit) {
        cpu_raise_error(cpu, VECTOR_GP, 0);
    }
    uint64_t map = cpu->memory_ops->read(cpu, (cpu->tr.base + byte) & UINT32_MAX, 1, false);
    return !(map >> (vector & 7) & 1);
}

/* INT n to the V86 task's own vector table at linear address 0 (SDM 3B §20.3.3, methods 5 and 6). */
static void deliver_redirected(struct cpu_state *cpu, uint8_t vector, uint64_t next_rip)
{
    bool virtual = cpu_iopl(cpu) < 3;
    uint32_t eflags = cpu_eflags(cpu);
    struct stack_cursor stack;
    uint64_t target = cpu->memory_ops->read(cpu, vector * 4u, 4, true);
    stack_cursor_current(cpu, &stack, 0);
    stack_reserve(cpu, &stack, 3, 2);
    cpu_check_code_limit(cpu, target & 0xffff);

    stack_push(cpu, &stack, virtual ? flags_virtual_image(eflags) : eflags, 2);
    stack_push(cpu, &stack, cpu->segment[CPU_CS].selector, 2);
    stack_push(cpu, &stack, next_rip, 2);
    stack_commit(cpu, &stack, false);
    cpu->eflags_other &= ~((uint32_t)EFLAGS_TF | EFLAGS_RF | (uint32_t)(virtual ? EFLAGS_VIF : EFLAGS_IF));
    segment_install_real(cpu, CPU_CS, (uint16_t)(target >> 16));
    cpu->rip = target & 0xffff;
    cpu_update_mode(cpu);
}

/* The DOS idle interrupt and the "release time slice" call that multitaskers answer, in the modes DOS
 * programs run in. */
static bool is_idle_call(const struct cpu_state *cpu, uint8_t vector)
{
    return cpu->mode != CPU_MODE_PROTECTED &&
           (vector == 0x28 || (vector == 0x2f && cpu->gpr[CPU_AX].w == 0x1680));
}

void cpu_software_interrupt(struct cpu_state *cpu, uint8_t vector, enum cpu_software_interrupt kind,
                            uint64_t next_rip)
{
    struct event event = {.kind = kind == SOFTWARE_INT1 ? EVENT_EXCEPTION : EVENT_SOFTWARE,
                          .vector = vector,
                          .return_rip = next_rip,
                          .eflags = cpu_eflags(cpu),
                          .ext = kind == SOFTWARE_INT1 ? SELECTOR_ERROR_EXT : 0,
                          .by_instruction = true};
    cpu->idle_hints += is_idle_call(cpu, vector);
    if (cpu->mode == CPU_MODE_V86 && kind == SOFTWARE_INT_N) {
        if ((cpu->cr4 & CR4_VME) && int_is_redirected(cpu, vector)) {
            note_event(cpu, &event);
            deliver_redirected(cpu, vector, next_rip);
            return;
        }
        if (cpu_iopl(cpu) < 3) {
            cpu_raise_error(cpu, VECTOR_GP, 0);
        }
    }
    note_event(cpu, &event);
    deliver_event(cpu, &event);
}

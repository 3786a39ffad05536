/* See cpu_harness.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "cpu_harness.h"

static void check_page(struct cpu_state *cpu, uint64_t linear, unsigned width, bool write, bool user)
{
    const struct machine *m = cpu->memory;
    uint32_t code = (write ? 2u : 0) | (user ? 4u : 0);
    for (uint64_t at = linear; at < linear + width; at++) {
        if (user && at >= GDT_BASE && at < SUPERVISOR_END) {
            cpu_raise_page_fault(cpu, at, code | 1);
        }
        if (at >> 12 == m->absent_page) {
            cpu_raise_page_fault(cpu, at, code);
        }
        if (write && at >> 12 == m->readonly_page) {
            cpu_raise_page_fault(cpu, at, code | 1);
        }
    }
}

static uint64_t ram_read(struct cpu_state *cpu, uint64_t linear, unsigned width, bool user)
{
    const struct machine *m = cpu->memory;
    check_page(cpu, linear, width, false, user);
    return linear + width <= RAM_SIZE ? load_le(m->ram + linear, width) : bits_mask(8 * width);
}

static void ram_write(struct cpu_state *cpu, uint64_t linear, unsigned width, uint64_t value, bool user)
{
    struct machine *m = cpu->memory;
    check_page(cpu, linear, width, true, user);
    if (linear + width <= RAM_SIZE) {
        store_le(m->ram + linear, width, value);
    }
}

static void ram_probe(struct cpu_state *cpu, uint64_t linear, unsigned length, bool user)
{
    check_page(cpu, linear, length, true, user);
}

static void count_flush(struct cpu_state *cpu, bool including_global)
{
    struct machine *m = cpu->memory;
    m->flushes++;
    m->global_flushes += including_global;
}

static void ignore_page_flush(struct cpu_state *cpu, uint64_t linear)
{
    (void)cpu;
    (void)linear;
}

static uint64_t physical_read(struct cpu_state *cpu, uint64_t phys)
{
    const struct machine *m = cpu->memory;
    return phys + 8 <= RAM_SIZE ? load_le(m->ram + phys, 8) : UINT64_MAX;
}

static const struct cpu_memory_ops ram_ops = {.read = ram_read,
                                              .write = ram_write,
                                              .probe_write = ram_probe,
                                              .flush_tlb = count_flush,
                                              .flush_page = ignore_page_flush,
                                              .read_physical = physical_read};

struct machine *machine_create(const char *model)
{
    struct machine *m = calloc(1, sizeof *m);
    assert_non_null(m);
    struct status status = cpu_model_parse(model == NULL ? cpu_model_default_name : model, &m->model);
    assert_string_equal(status.message, "");
    m->absent_page = m->readonly_page = UINT64_MAX;
    m->cpu.memory_ops = &ram_ops;
    m->cpu.memory = m;
    m->cpu.log = &m->log;
    m->cpu.counters = &m->counters;
    m->cpu.has_local_apic = true;
    cpu_init(&m->cpu, &m->model);
    return m;
}

void machine_free(struct machine *m)
{
    free(m);
}

uint32_t machine_read(const struct machine *m, uint64_t address, unsigned width)
{
    return (uint32_t)load_le(m->ram + address, width);
}

void machine_write(struct machine *m, uint64_t address, unsigned width, uint64_t value)
{
    store_le(m->ram + address, width, value);
}

static uint8_t *descriptor_at(struct machine *m, uint16_t selector)
{
    return m->ram + (selector & 4 ? LDT_BASE : GDT_BASE) + (selector & 0xfff8);
}

void put_segment(struct machine *m, uint16_t selector, uint32_t base, uint32_t limit, unsigned access,
                 unsigned flags)
{
    uint8_t *at = descriptor_at(m, selector);
    store_le16(at, (uint16_t)limit);
    store_le32(at + 2, base);
    at[5] = (uint8_t)access;
    at[6] = (uint8_t)(flags << 4 | (limit >> 16 & 0xf));
    at[7] = (uint8_t)(base >> 24);
}

static void store_gate(uint8_t *at, unsigned access, uint16_t target, uint32_t offset, unsigned parameters)
{
    store_le16(at, (uint16_t)offset);
    store_le16(at + 2, target);
    at[4] = (uint8_t)parameters;
    at[5] = (uint8_t)access;
    store_le16(at + 6, (uint16_t)(offset >> 16));
}

void put_gate(struct machine *m, uint16_t selector, unsigned access, uint16_t target, uint32_t offset,
              unsigned parameters)
{
    store_gate(descriptor_at(m, selector), access, target, offset, parameters);
}

void put_idt_gate(struct machine *m, unsigned vector, unsigned access, uint16_t target, uint32_t offset)
{
    store_gate(m->ram + IDT_BASE + (size_t)vector * 8, access, target, offset, 0);
}

unsigned descriptor_access(const struct machine *m, uint16_t selector)
{
    return m->ram[(selector & 4 ? LDT_BASE : GDT_BASE) + (selector & 0xfff8) + 5];
}

static void lay_out_tables(struct machine *m, bool wide)
{
    static const uint16_t codes[] = {CODE0, CODE1, CODE2, CODE3};
    static const uint16_t datas[] = {DATA0, DATA1, DATA2, DATA3};
    static const uint32_t stacks[] = {STACK0, STACK1, STACK2};
    const unsigned flags = wide ? FLAT : FLAG_NONE;
    const uint32_t limit = wide ? 0xfffff : 0xffff;
    for (unsigned dpl = 0; dpl < 4; dpl++) {
        put_segment(m, codes[dpl], 0, limit, access_dpl(ACCESS_CODE_XR, dpl), flags);
        put_segment(m, datas[dpl], 0, limit, access_dpl(ACCESS_DATA_RW, dpl), flags);
    }
    put_segment(m, CONFORMING0, 0, limit, ACCESS_CODE_CONFORMING, flags);
    put_segment(m, CODE0_16, 0, 0xffff, ACCESS_CODE_XR, FLAG_NONE);
    put_segment(m, DATA0_16, 0, 0xffff, ACCESS_DATA_RW, FLAG_NONE);
    put_segment(m, TASK_A, TSS_A, 0x7ff, wide ? ACCESS_TSS32 : ACCESS_TSS16, FLAG_NONE);
    put_segment(m, TASK_B, TSS_B, 0x7ff, ACCESS_TSS32, FLAG_NONE);
    put_segment(m, TASK_C, TSS_C, 0x2b, ACCESS_TSS16, FLAG_NONE);
    put_segment(m, LDT, LDT_BASE, TABLE_LIMIT, ACCESS_LDT, FLAG_NONE);
    for (unsigned level = 0; level < 3; level++) {
        unsigned width = wide ? 4 : 2;
        uint32_t field = (wide ? 4u : 2u) + level * 2 * width;
        machine_write(m, TSS_A + field, width, stacks[level]);
        machine_write(m, TSS_A + field + width, 2, datas[level]);
    }
    machine_write(m, TSS_A + 0x66, 2, 0x88); /* I/O bitmap, interrupt redirection bitmap at 68h */
    m->cpu.gdtr = (struct descriptor_table){.base = GDT_BASE, .limit = TABLE_LIMIT};
    m->cpu.idtr = (struct descriptor_table){.base = IDT_BASE, .limit = TABLE_LIMIT};
}

static void enter_protected(struct machine *m, bool wide)
{
    lay_out_tables(m, wide);
    cpu_load_machine_status_word(&m->cpu, CR0_PE);
    expect_success(m, "enter CS", act_jump, (struct arguments){.a = CODE0, .b = 0x100, .c = 2});
    cpu_load_segment(&m->cpu, CPU_SS, DATA0);
    cpu_load_segment(&m->cpu, CPU_DS, DATA0);
    cpu_load_segment(&m->cpu, CPU_ES, DATA0);
    cpu_load_ldt(&m->cpu, LDT);
    cpu_load_task_register(&m->cpu, TASK_A);
    m->cpu.gpr[CPU_SP].q = STACK0;
}

struct machine *machine_protected_model(const char *model)
{
    struct machine *m = machine_create(model);
    enter_protected(m, m->cpu.model->generation >= CPU_80386);
    return m;
}

struct machine *machine_protected(unsigned cpl)
{
    struct machine *m = machine_protected_model(NULL);
    machine_enter_level(m, cpl);
    return m;
}

void machine_enter_level(struct machine *m, unsigned cpl)
{
    static const uint16_t codes[] = {CODE0, CODE1, CODE2, CODE3};
    static const uint16_t datas[] = {DATA0, DATA1, DATA2, DATA3};
    static const uint32_t stacks[] = {STACK0, STACK1, STACK2, STACK3};
    if (cpl > 0) {
        uint64_t frame[] = {datas[cpl], stacks[cpl], cpu_eflags(&m->cpu), codes[cpl], 0x100};
        push_values(m, 4, frame, 5);
        expect_success(m, "enter level", act_iret, (struct arguments){.a = 4});
        cpu_load_segment(&m->cpu, CPU_DS, datas[cpl]);
        cpu_load_segment(&m->cpu, CPU_ES, datas[cpl]);
    }
    assert_int_equal(m->cpu.cpl, cpl);
}

struct machine *machine_v86(uint32_t eflags)
{
    struct machine *m = machine_protected(0);
    uint64_t frame[] = {0x1000, 0x1000, 0x1000, 0x1000, 0x1000, 0x8000, eflags | EFLAGS_VM, 0x1000, 0x100};
    push_values(m, 4, frame, 9);
    expect_success(m, "enter V86", act_iret, (struct arguments){.a = 4});
    assert_int_equal(m->cpu.mode, CPU_MODE_V86);
    return m;
}

bool attempt_partial(struct machine *m, action_function *action, struct arguments arguments)
{
    jmp_buf here;
    m->cpu.unwind = &here;
    if (setjmp(here) != 0) {
        m->cpu.unwind = NULL;
        return true;
    }
    action(&m->cpu, &arguments);
    m->cpu.unwind = NULL;
    return false;
}

struct snapshot {
    struct cpu_state cpu;
    uint8_t ram[RAM_SIZE];
};

static bool is_descriptor_access_byte(size_t address)
{
    return address >= GDT_BASE && address < IDT_BASE && (address & 7) == 5;
}

static void check_unchanged(const struct machine *m, struct snapshot *before)
{
    before->cpu.exception = m->cpu.exception;
    before->cpu.cr2 = m->cpu.cr2;
    before->cpu.dr[6] = m->cpu.dr[6];
    before->cpu.nmi_blocked = m->cpu.nmi_blocked;
    before->cpu.unwind = m->cpu.unwind;
    assert_memory_equal(&before->cpu, &m->cpu, sizeof m->cpu);
    for (size_t i = 0; i < RAM_SIZE; i++) {
        uint8_t ignored = is_descriptor_access_byte(i) ? 1 : 0;
        if ((m->ram[i] | ignored) != (before->ram[i] | ignored)) {
            fail_msg("memory at %05zx changed from %02x to %02x before a fault", i, before->ram[i],
                     m->ram[i]);
        }
    }
}

bool attempt(struct machine *m, action_function *action, struct arguments arguments)
{
    struct snapshot *before = malloc(sizeof *before);
    assert_non_null(before);
    memcpy(&before->cpu, &m->cpu, sizeof m->cpu);
    memcpy(before->ram, m->ram, RAM_SIZE);
    bool raised = attempt_partial(m, action, arguments);
    if (raised) {
        check_unchanged(m, before);
    }
    free(before);
    return raised;
}

void expect_fault(struct machine *m, const char *what, action_function *action, struct arguments arguments,
                  unsigned vector, int64_t error_code)
{
    if (!attempt(m, action, arguments)) {
        fail_msg("%s: no exception, expected vector %u", what, vector);
    }
    const struct cpu_exception *exception = &m->cpu.exception;
    int64_t got = exception->has_error_code ? (int64_t)exception->error_code : -1;
    if (exception->vector != vector || got != error_code) {
        fail_msg("%s: vector %u error %llx, expected vector %u error %llx", what, exception->vector,
                 (unsigned long long)got, vector, (unsigned long long)error_code);
    }
}

void expect_success(struct machine *m, const char *what, action_function *action, struct arguments arguments)
{
    if (attempt(m, action, arguments)) {
        fail_msg("%s: vector %u error %x, expected none", what, m->cpu.exception.vector,
                 m->cpu.exception.error_code);
    }
}

void act_jump(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_jump_far(cpu, (uint16_t)arguments->a, arguments->b, (unsigned)arguments->c, cpu->rip + 7);
}

void act_call(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_call_far(cpu, (uint16_t)arguments->a, arguments->b, (unsigned)arguments->c, cpu->rip + 7);
}

void act_return(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_return_far(cpu, (unsigned)arguments->a, (uint16_t)arguments->b);
}

void act_iret(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_return_from_interrupt(cpu, (unsigned)arguments->a, cpu->rip + 1);
}

void act_interrupt(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_software_interrupt(cpu, (uint8_t)arguments->a, (enum cpu_software_interrupt)arguments->b,
                           cpu->rip + 2);
}

void act_load_segment(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_load_segment(cpu, (enum cpu_segment)arguments->a, (uint16_t)arguments->b);
}

void act_push(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_push(cpu, arguments->a, (unsigned)arguments->b);
}

void act_pop_flags(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_pop_flags(cpu, (unsigned)arguments->a);
}

void act_push_flags(struct cpu_state *cpu, const struct arguments *arguments)
{
    cpu_push_flags(cpu, (unsigned)arguments->a);
}

void push_values(struct machine *m, unsigned width, const uint64_t *values, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        expect_success(m, "push", act_push, (struct arguments){.a = values[i], .b = width});
    }
}

uint64_t stack_item(struct machine *m, unsigned index, unsigned width)
{
    uint64_t offset = (m->cpu.gpr[CPU_SP].q + (uint64_t)index * width) & m->cpu.stack_mask;
    return load_le(m->ram + m->cpu.segment[CPU_SS].base + offset, width);
}

/* A CPU over flat RAM for the tests of src/cpu: no mmu, descriptor tables and TSSs laid out by helpers.
 *
 * attempt() runs one function of the module and tells whether it raised. When it did, it also proves that the
 * function was atomic: no architectural state and no memory but accessed bits may differ. */
#ifndef DOPPEL_TESTS_CPU_HARNESS_H
#define DOPPEL_TESTS_CPU_HARNESS_H

#include "cpu/cpu.h"

enum harness_layout {
    RAM_SIZE = 0x20000,
    GDT_BASE = 0x1000,
    LDT_BASE = 0x2000,
    IDT_BASE = 0x3000,
    TSS_A = 0x4000,          /* 32-bit, current */
    TSS_B = 0x4800,          /* 32-bit */
    TSS_C = 0x5000,          /* 16-bit */
    SUPERVISOR_END = 0x5800, /* user accesses from GDT_BASE up to here raise #PF */
    STACK0 = 0x8000,
    STACK1 = 0x9000,
    STACK2 = 0xa000,
    STACK3 = 0xb000,
    V86_BASE = 0x10000, /* segment 1000h */
    TABLE_LIMIT = 0x7ff
};

/* Selectors that machine_create() fills in. */
enum harness_selector {
    CODE0 = 0x08,
    DATA0 = 0x10,
    CODE1 = 0x18 | 1,
    DATA1 = 0x20 | 1,
    CODE2 = 0x28 | 2,
    DATA2 = 0x30 | 2,
    CODE3 = 0x38 | 3,
    DATA3 = 0x40 | 3,
    CONFORMING0 = 0x48,
    TASK_A = 0x50,
    TASK_B = 0x58,
    TASK_C = 0x60,
    LDT = 0x68,
    CODE0_16 = 0x70,
    DATA0_16 = 0x78,
    FREE = 0x100 /* from here on for the tests */
};

/* Access bytes: P, S, type; add DPL with ACCESS_DPL. */
enum harness_access {
    ACCESS_DATA_RO = 0x90,
    ACCESS_DATA_RW = 0x92,
    ACCESS_DATA_DOWN_RW = 0x96,
    ACCESS_CODE_XO = 0x98,
    ACCESS_CODE_XR = 0x9a,
    ACCESS_CODE_CONFORMING = 0x9e,
    ACCESS_TSS16 = 0x81,
    ACCESS_LDT = 0x82,
    ACCESS_TSS16_BUSY = 0x83,
    ACCESS_CALL_GATE16 = 0x84,
    ACCESS_TASK_GATE = 0x85,
    ACCESS_INTERRUPT_GATE16 = 0x86,
    ACCESS_TRAP_GATE16 = 0x87,
    ACCESS_TSS32 = 0x89,
    ACCESS_TSS32_BUSY = 0x8b,
    ACCESS_CALL_GATE32 = 0x8c,
    ACCESS_INTERRUPT_GATE32 = 0x8e,
    ACCESS_TRAP_GATE32 = 0x8f,
    ACCESS_PRESENT = 0x80
};

enum harness_flags { FLAG_NONE = 0, FLAG_BIG = 4, FLAG_PAGES = 8, FLAT = FLAG_BIG | FLAG_PAGES };

struct machine {
    struct cpu_state cpu;
    uint8_t ram[RAM_SIZE];
    uint64_t absent_page;   /* accesses to this page raise #PF; UINT64_MAX: none */
    uint64_t readonly_page; /* writes to this page raise #PF */
    unsigned flushes, global_flushes;
    struct log log;
    struct counters counters;
    struct cpu_model model;
};

static inline uint8_t access_dpl(unsigned access, unsigned dpl)
{
    return (uint8_t)(access | dpl << 5);
}

/* A CPU of the default model, or of `model` (what cpu_model_parse() reads), at reset. machine_free() when
 * done. */
struct machine *machine_create(const char *model);
void machine_free(struct machine *m);

/* Descriptor tables, TSS_A loaded, and flat segments at privilege `cpl` with ESP at that ring's stack top. */
struct machine *machine_protected(unsigned cpl);
/* The same on another model; descriptors of 16-bit models have no flags. */
struct machine *machine_protected_model(const char *model);
/* In V86 mode: all segments 1000h, SP 8000h, IP 0100h, the EFLAGS given (VM is added). */
struct machine *machine_v86(uint32_t eflags);
/* Changes the level of a protected-mode machine through IRET. */
void machine_enter_level(struct machine *m, unsigned cpl);

uint32_t machine_read(const struct machine *m, uint64_t address, unsigned width);
void machine_write(struct machine *m, uint64_t address, unsigned width, uint64_t value);

void put_segment(struct machine *m, uint16_t selector, uint32_t base, uint32_t limit, unsigned access,
                 unsigned flags);
void put_gate(struct machine *m, uint16_t selector, unsigned access, uint16_t target, uint32_t offset,
              unsigned parameters);
void put_idt_gate(struct machine *m, unsigned vector, unsigned access, uint16_t target, uint32_t offset);
/* The type byte (P, DPL, S, type) of the descriptor in the GDT or LDT. */
unsigned descriptor_access(const struct machine *m, uint16_t selector);

struct arguments {
    uint64_t a, b, c, d;
};
typedef void action_function(struct cpu_state *cpu, const struct arguments *arguments);

/* True when the action raised: m->cpu.exception says what. Fails the test when it raised after changing
 * state. */
bool attempt(struct machine *m, action_function *action, struct arguments arguments);
/* The same for actions that may fault in the middle (task switches). */
bool attempt_partial(struct machine *m, action_function *action, struct arguments arguments);
/* Fails unless the action raises `vector` with `error_code` (-1: none). */
void expect_fault(struct machine *m, const char *what, action_function *action, struct arguments arguments,
                  unsigned vector, int64_t error_code);
/* Fails unless the action succeeds. */
void expect_success(struct machine *m, const char *what, action_function *action, struct arguments arguments);

/* a: selector, b: offset, c: operand size; the return address is rip + 7. */
void act_jump(struct cpu_state *cpu, const struct arguments *arguments);
void act_call(struct cpu_state *cpu, const struct arguments *arguments);
/* a: operand size, b: bytes to release. */
void act_return(struct cpu_state *cpu, const struct arguments *arguments);
void act_iret(struct cpu_state *cpu, const struct arguments *arguments);
/* a: vector, b: enum cpu_software_interrupt; the return address is rip + 2. */
void act_interrupt(struct cpu_state *cpu, const struct arguments *arguments);
/* a: enum cpu_segment, b: selector. */
void act_load_segment(struct cpu_state *cpu, const struct arguments *arguments);
/* a: value, b: width. */
void act_push(struct cpu_state *cpu, const struct arguments *arguments);
/* a: operand size. */
void act_pop_flags(struct cpu_state *cpu, const struct arguments *arguments);
void act_push_flags(struct cpu_state *cpu, const struct arguments *arguments);

/* Pushes `count` values of `width` bytes, the last one ending on top. */
void push_values(struct machine *m, unsigned width, const uint64_t *values, unsigned count);
/* The item at SS:SP + index * width of the current stack. */
uint64_t stack_item(struct machine *m, unsigned index, unsigned width);

#endif

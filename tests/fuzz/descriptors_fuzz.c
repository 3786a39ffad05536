/* Hostile descriptor tables, gates and tasks: whatever the GDT, LDT, IDT and the TSSs hold, far transfers,
 * segment loads, interrupts and task switches end in an architectural state.
 *
 * The input is a program of records: descriptors, gates, TSS fields, stack contents and registers, raw or
 * made of likely parts; instructions that use them, one after the other; and runs of the interpreter over
 * these. The tables begin as sensible ones, so that random changes lead somewhere. After each run the CPU's
 * derived fields must be what their sources say (cpu_state.h), and the fixed flags fixed. */
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "cpu_bench.h"
#include "fuzz_input.h"

#define RAM_SIZE (128 * KIB)

enum layout {
    TASK32 = 0x0c80, /* an available 32-bit TSS; the bench's own is BENCH_TSS */
    TASK16 = 0x0d00,
    LDT = 0x0e00,
    CODE_BYTES = 0x1000,
    GDT_ENTRIES = 32,
    LDT_ENTRIES = 16
};

/* Selectors in the GDT behind the bench's. */
enum selector {
    SELECTOR_TASK32 = 0x30,
    SELECTOR_TASK16 = 0x38,
    SELECTOR_LDT = 0x40,
    SELECTOR_CALL32 = 0x48,
    SELECTOR_TASK_GATE = 0x50,
    SELECTOR_CONFORMING = 0x58,
    SELECTOR_CALL16 = 0x60,
    SELECTOR_CODE16 = 0x68,
    SELECTOR_DATA16 = 0x70,
    SELECTOR_EXPAND_DOWN = 0x78,
    SELECTOR_CODE1 = 0x80,
    SELECTOR_DATA1 = 0x88,
    SELECTOR_CODE2 = 0x90,
    SELECTOR_DATA2 = 0x98
};

struct rig {
    struct cpu_bench *bench;
    struct fuzz_input input;
    unsigned code_length;
    unsigned run_from; /* instructions from here on have not been run */
};

static void put_descriptor(struct rig *rig, uint32_t at, uint32_t base, uint32_t limit, uint8_t access,
                           uint8_t flags)
{
    cpu_bench_write(rig->bench, at, 4, base << 16 | (limit & 0xffff));
    cpu_bench_write(rig->bench, at + 4, 4,
                    (base & 0xff000000u) | (uint32_t)(flags & 0xf) << 20 | (limit & 0xf0000u) |
                        (uint32_t)access << 8 | (base >> 16 & 0xff));
}

static void put_gate(struct rig *rig, uint32_t at, uint16_t selector, uint32_t offset, uint8_t access,
                     uint8_t parameters)
{
    cpu_bench_write(rig->bench, at, 4, (uint32_t)selector << 16 | (offset & 0xffff));
    cpu_bench_write(rig->bench, at + 4, 4, (offset & 0xffff0000u) | (uint32_t)access << 8 | parameters);
}

static void fill_task32(struct rig *rig, uint32_t at)
{
    static const uint8_t segments[] = {BENCH_DATA0, BENCH_CODE0, BENCH_DATA0, BENCH_DATA0, 0, 0};
    for (uint32_t ring = 0; ring < 3; ring++) {
        cpu_bench_write(rig->bench, at + 4 + 8 * ring, 4, BENCH_STACK0);
        cpu_bench_write(rig->bench, at + 8 + 8 * ring, 4,
                        BENCH_DATA0 + (ring == 0 ? 0 : 0x68 + 0x10 * ring + ring));
    }
    cpu_bench_write(rig->bench, at + 0x20, 4, BENCH_CODE);
    cpu_bench_write(rig->bench, at + 0x24, 4, EFLAGS_FIXED);
    cpu_bench_write(rig->bench, at + 0x38, 4, BENCH_STACK);
    for (uint32_t i = 0; i < ARRAY_COUNT(segments); i++) {
        cpu_bench_write(rig->bench, at + 0x48 + 4 * i, 4, segments[i]);
    }
}

static void fill_task16(struct rig *rig, uint32_t at)
{
    static const uint16_t words[] = {0,
                                     BENCH_STACK0,
                                     BENCH_DATA0,
                                     BENCH_STACK0,
                                     SELECTOR_DATA1 + 1,
                                     BENCH_STACK0,
                                     SELECTOR_DATA2 + 2,
                                     BENCH_CODE,
                                     EFLAGS_FIXED,
                                     0,
                                     0,
                                     0,
                                     0,
                                     BENCH_STACK,
                                     0,
                                     0,
                                     0,
                                     BENCH_DATA0,
                                     SELECTOR_CODE16,
                                     BENCH_DATA0,
                                     BENCH_DATA0,
                                     0};
    for (uint32_t i = 0; i < ARRAY_COUNT(words); i++) {
        cpu_bench_write(rig->bench, at + 2 * i, 2, words[i]);
    }
}

static void fill_tables(struct rig *rig)
{
    static const struct {
        uint8_t selector, access, flags;
    } flat[] = {{SELECTOR_CONFORMING, 0x9e, 0xc},
                {SELECTOR_CODE16, 0x9a, 0x8},
                {SELECTOR_DATA16, 0x92, 0x8},
                {SELECTOR_CODE1, 0xba, 0xc},
                {SELECTOR_DATA1, 0xb2, 0xc},
                {SELECTOR_CODE2, 0xda, 0xc},
                {SELECTOR_DATA2, 0xd2, 0xc},
                /* without names: other types, privileges, sizes; not present */
                {0xa0, 0xfa, 0x8},
                {0xa8, 0xf2, 0x8},
                {0xb0, 0xfe, 0xc},
                {0xb8, 0x90, 0xc},
                {0xc0, 0x98, 0xc},
                {0xc8, 0x12, 0xc},
                {0xd0, 0x1a, 0xc},
                {0xd8, 0x92, 0x0},
                {0xe0, 0xf6, 0x4}};
    for (unsigned i = 0; i < ARRAY_COUNT(flat); i++) {
        put_descriptor(rig, BENCH_GDT + flat[i].selector, 0, 0xfffff, flat[i].access, flat[i].flags);
    }
    put_descriptor(rig, BENCH_GDT + SELECTOR_TASK32, TASK32, 0x67, 0x89, 0);
    put_descriptor(rig, BENCH_GDT + SELECTOR_TASK16, TASK16, 0x2b, 0x81, 0);
    put_descriptor(rig, BENCH_GDT + SELECTOR_LDT, LDT, 8 * LDT_ENTRIES - 1, 0x82, 0);
    put_descriptor(rig, BENCH_GDT + SELECTOR_EXPAND_DOWN, 0, 3, 0x96, 0xc);
    put_gate(rig, BENCH_GDT + SELECTOR_CALL32, BENCH_CODE0, BENCH_HANDLERS, 0xec, 2);
    put_gate(rig, BENCH_GDT + SELECTOR_CALL16, SELECTOR_CODE16, BENCH_HANDLERS, 0xe4, 1);
    put_gate(rig, BENCH_GDT + SELECTOR_TASK_GATE, SELECTOR_TASK32, 0, 0xe5, 0);
    put_gate(rig, BENCH_GDT + 0xe8, SELECTOR_CODE1, BENCH_HANDLERS, 0xec, 0);
    put_gate(rig, BENCH_GDT + 0xf0, SELECTOR_CONFORMING, BENCH_HANDLERS, 0xec, 3);
    put_descriptor(rig, BENCH_GDT + 0xf8, TASK32, 0x67, 0xe9, 0);
    fill_task32(rig, TASK32);
    fill_task16(rig, TASK16);
    for (uint32_t i = 0; i < LDT_ENTRIES; i++) {
        put_descriptor(rig, LDT + 8 * i, 0, 0xfffff, (uint8_t)(0x90 | (i & 3) << 5 | (i >> 2) << 1), 0xc);
    }
}

/* Stands before an empty program at privilege 0 or 3. */
static void start(struct rig *rig, unsigned cpl)
{
    rig->bench->cpu.pending = 0;
    cpu_bench_enter_flat(rig->bench, 4, cpl);
    fill_tables(rig);
    rig->code_length = rig->run_from = 0;
    memset(rig->bench->ram + BENCH_CODE, 0, CODE_BYTES);
    cpu_load_ldt(&rig->bench->cpu, SELECTOR_LDT);
}

static uint16_t take_selector(struct rig *rig)
{
    static const uint16_t usual[] = {BENCH_CODE0,
                                     BENCH_DATA0,
                                     BENCH_CODE3,
                                     BENCH_DATA3,
                                     SELECTOR_DATA16,
                                     SELECTOR_CODE16,
                                     SELECTOR_CALL32,
                                     SELECTOR_CALL32 + 3,
                                     SELECTOR_TASK32,
                                     SELECTOR_TASK16,
                                     SELECTOR_TASK_GATE + 3,
                                     SELECTOR_CONFORMING + 3,
                                     SELECTOR_CALL16,
                                     SELECTOR_EXPAND_DOWN,
                                     SELECTOR_CODE1 + 1,
                                     SELECTOR_DATA1 + 1,
                                     SELECTOR_CODE2 + 2,
                                     SELECTOR_DATA2 + 2,
                                     SELECTOR_LDT,
                                     BENCH_TASK,
                                     0,
                                     0xa3, /* code and data for privilege 3, 16 bits */
                                     0xab,
                                     0xd8, /* the same for 0, 64 KiB */
                                     0xe8,
                                     0xf3,
                                     0xfb};
    uint8_t choice = fuzz_byte(&rig->input);
    if (choice == 0xff) {
        return (uint16_t)fuzz_word(&rig->input, 2);
    }
    if (choice < 0xa0) {
        return usual[choice % ARRAY_COUNT(usual)];
    }
    /* any other entry: index, table, privilege */
    uint8_t rest = fuzz_byte(&rig->input);
    return (uint16_t)((choice & 0x1f) << 3 | (rest & 7));
}

static uint32_t take_address(struct rig *rig)
{
    static const uint32_t usual[] = {0,         BENCH_GDT,   BENCH_TSS,  TASK32,     TASK16,     LDT,
                                     BENCH_IDT, BENCH_STACK, BENCH_CODE, BENCH_DATA, 0xfffffff0, 0xfffff};
    uint8_t choice = fuzz_byte(&rig->input);
    if (choice >> 4 >= ARRAY_COUNT(usual)) {
        return (uint32_t)fuzz_word(&rig->input, 4);
    }
    return usual[choice >> 4] + (choice & 15);
}

static uint32_t take_table_entry(struct rig *rig)
{
    uint8_t choice = fuzz_byte(&rig->input);
    return choice & 0x20 ? LDT + 8u * (choice % LDT_ENTRIES) : BENCH_GDT + 8u * (choice % GDT_ENTRIES);
}

static void change_tables(struct rig *rig, unsigned what)
{
    struct fuzz_input *input = &rig->input;
    struct cpu_state *cpu = &rig->bench->cpu;
    uint32_t at;
    switch (what) {
    case 0:
        at = take_table_entry(rig);
        cpu_bench_write(rig->bench, at, 4, (uint32_t)fuzz_word(input, 4));
        cpu_bench_write(rig->bench, at + 4, 4, (uint32_t)fuzz_word(input, 4));
        break;
    case 1: {
        at = take_table_entry(rig);
        uint32_t base = take_address(rig);
        uint32_t limit = (uint32_t)fuzz_word(input, 2);
        uint8_t access = fuzz_byte(input);
        put_descriptor(rig, at, base, limit, access, fuzz_byte(input));
        break;
    }
    case 2: {
        uint8_t vector = fuzz_byte(input);
        at = vector & 0x80 ? take_table_entry(rig) : BENCH_IDT + 8u * (vector & 0x3f);
        uint16_t selector = take_selector(rig);
        uint32_t offset = take_address(rig);
        uint8_t access = fuzz_byte(input);
        put_gate(rig, at, selector, offset, access, fuzz_byte(input) & 0x3f);
        break;
    }
    case 3: {
        static const uint32_t tasks[] = {BENCH_TSS, TASK32, TASK16, TASK32};
        uint8_t choice = fuzz_byte(input);
        at = tasks[choice >> 6] + (choice & 0x3f) * 2u;
        cpu_bench_write(rig->bench, at, 2, choice & 1 ? take_selector(rig) : (uint32_t)fuzz_word(input, 2));
        break;
    }
    case 4: { /* what a handler does */
        static const uint8_t bodies[][4] = {
            {0xf4}, {0xcf}, {0x58, 0xcf}, {0xcb}, {0x66, 0xcf}, {0xcc}, {0x83, 0xc4, 0x04, 0xcf}, {0xca, 8}};
        at = BENCH_HANDLERS + 8u * (fuzz_byte(input) & 0x3f);
        cpu_bench_load(rig->bench, at, bodies[fuzz_byte(input) % ARRAY_COUNT(bodies)], 4);
        break;
    }
    default:
        cpu->gdtr.limit = (uint16_t)(fuzz_byte(input) * 2u + 1);
        cpu->idtr.limit = (uint16_t)(fuzz_byte(input) * 8u + 7);
        break;
    }
}

static void change_state(struct rig *rig, unsigned what)
{
    struct fuzz_input *input = &rig->input;
    struct cpu_state *cpu = &rig->bench->cpu;
    uint32_t sp = cpu->gpr[CPU_SP].d % RAM_SIZE;
    uint8_t choice = fuzz_byte(input);
    switch (what) {
    case 0: cpu->gpr[choice & 7].q = choice & 0x80 ? take_selector(rig) : take_address(rig); break;
    case 1: /* what a far return, IRET or POP finds */
        for (unsigned i = 0; i < (choice & 15u); i++) {
            uint8_t kind = fuzz_byte(input);
            uint32_t value = kind & 1   ? take_selector(rig)
                             : kind & 2 ? take_address(rig)
                                        : (uint32_t)fuzz_word(input, 4);
            cpu_bench_write(rig->bench, sp + 4 * i, 4, value);
        }
        break;
    default: /* flags that POPF or IRET could have set */
        cpu_set_eflags(
            cpu, (cpu_eflags(cpu) & EFLAGS_VM) |
                     ((uint32_t)fuzz_word(input, 4) & cpu->model->eflags_writable & ~(uint32_t)EFLAGS_VM));
        cpu_update_alignment_checks(cpu);
        break;
    }
}

static void emit(struct rig *rig, const uint8_t *bytes, unsigned length)
{
    if (rig->code_length + length <= CODE_BYTES) {
        cpu_bench_load(rig->bench, BENCH_CODE + rig->code_length, bytes, length);
        rig->code_length += length;
    }
}

static void emit_value(struct rig *rig, uint32_t value, unsigned width)
{
    uint8_t bytes[4];
    store_le32(bytes, value);
    emit(rig, bytes, width);
}

/* MOV EAX, imm32 */
static void emit_load(struct rig *rig, uint32_t value)
{
    emit(rig, BENCH_BYTES(0xb8));
    emit_value(rig, value, 4);
}

static void emit_transfer(struct rig *rig)
{
    uint8_t choice = fuzz_byte(&rig->input);
    if (choice & 0x80) {
        emit(rig, BENCH_BYTES(0x66));
    }
    switch (choice & 7) {
    case 0:
    case 1:
    case 2: /* JMP and CALL ptr16:16/32 */
        emit_value(rig, choice & 1 ? 0xea : 0x9a, 1);
        emit_value(rig, take_address(rig), choice & 0x80 ? 2 : 4);
        emit_value(rig, take_selector(rig), 2);
        break;
    case 3: emit(rig, BENCH_BYTES(0xcd, fuzz_byte(&rig->input) & 0x3f)); break;
    case 4: emit(rig, BENCH_BYTES(0xcf)); break;
    case 5: emit(rig, BENCH_BYTES(0xca, fuzz_byte(&rig->input), 0)); break;
    case 6: emit_value(rig, choice & 8 ? 0x340f : 0x350f, 2); break;                   /* SYSENTER, SYSEXIT */
    default: emit_value(rig, choice & 8 ? 0xcb : choice & 16 ? 0xcc : 0xf1, 1); break; /* RETF, INT3, INT1 */
    }
}

static void emit_segment_use(struct rig *rig)
{
    static const uint8_t operations[][3] = {
        {0x8e, 0xc0, 0x90}, {0x8e, 0xd0, 0x90},
        {0x8e, 0xd8, 0x90}, {0x8e, 0xe0, 0x90}, /* MOV ES SS DS FS, AX */
        {0x0f, 0x00, 0xd0}, {0x0f, 0x00, 0xd8}, /* LLDT, LTR AX */
        {0x0f, 0x02, 0xc8}, {0x0f, 0x03, 0xc8}, /* LAR, LSL ECX, EAX */
        {0x0f, 0x00, 0xe0}, {0x0f, 0x00, 0xe8}, /* VERR, VERW AX */
        {0x50, 0x17, 0x90}, {0x50, 0x07, 0x90}, /* PUSH EAX; POP SS, ES */
        {0x63, 0xc1, 0x90}, {0x0f, 0x00, 0xc0}, /* ARPL CX, AX; SLDT EAX */
        {0x0f, 0x01, 0xf0}, {0x0f, 0x00, 0xc8}, /* LMSW AX; STR EAX */
    };
    uint8_t choice = fuzz_byte(&rig->input);
    if (choice & 0x80) {
        emit_load(rig, take_selector(rig));
    }
    emit(rig, operations[choice & 15], 3);
}

static void emit_memory_use(struct rig *rig)
{
    static const uint8_t overrides[] = {0x26, 0x2e, 0x36, 0x3e, 0x64, 0x65};
    static const uint8_t operations[][2] = {{0x89, 0x05}, {0x8b, 0x05}, {0xff, 0x1d}, {0xff, 0x2d},
                                            {0xc5, 0x05}, {0xff, 0x35}, {0x8f, 0x05}, {0xfe, 0x05},
                                            {0x8e, 0x05}, {0x66, 0x90}};
    uint8_t choice = fuzz_byte(&rig->input);
    const uint8_t *operation = operations[(choice & 15) % ARRAY_COUNT(operations)];
    emit(rig, &overrides[(choice >> 4) % ARRAY_COUNT(overrides)], 1);
    emit(rig, operation, 2);
    if (operation[0] != 0x66) {
        emit_value(rig, take_address(rig), 4);
    }
}

static void emit_system(struct rig *rig)
{
    uint8_t choice = fuzz_byte(&rig->input);
    switch (choice & 7) {
    case 0: emit(rig, BENCH_BYTES(0x9c)); break;
    case 1: emit(rig, BENCH_BYTES(0x9d)); break;
    case 2: emit_value(rig, choice & 8 ? 0xfa : 0xfb, 1); break;
    case 3: emit_value(rig, choice & 8 ? 0x70e4 : 0xef90, 2); break;
    case 4:
        emit_load(rig, (uint32_t)fuzz_word(&rig->input, 4) & ~(uint32_t)CR0_PG);
        emit_value(rig, choice & 8 ? 0xc0220f : 0xe0220f, 3); /* MOV CR0, CR4 */
        break;
    case 5: /* WRMSR of SYSENTER's three */
        emit(rig, BENCH_BYTES(0xb9, (uint8_t)(0x74 + choice / 8 % 3), 1, 0, 0));
        emit_load(rig, choice & 64 ? take_address(rig) : take_selector(rig));
        emit(rig, BENCH_BYTES(0x0f, 0x30));
        break;
    case 6: /* LGDT, LIDT of what stands where the input wants */
        emit(rig, BENCH_BYTES(0x0f, 0x01, choice & 8 ? 0x15 : 0x1d));
        emit_value(rig, take_address(rig), 4);
        break;
    default:
        emit_load(rig, (uint32_t)fuzz_word(&rig->input, 4));
        emit(rig, BENCH_BYTES(0x0f, 0x23, (uint8_t)(0xc0 | (choice & 0x38)))); /* MOV DRn, EAX */
        break;
    }
}

static void require(bool condition)
{
    if (!condition) {
        abort();
    }
}

/* What other fields determine has not been forgotten. */
static void check_derived_fields(const struct cpu_state *cpu)
{
    struct cpu_state *again = malloc(sizeof *again);
    require(again != NULL);
    *again = *cpu;
    cpu_update_mode(again);
    require(again->mode == cpu->mode && again->cpl == cpu->cpl && again->code_size == cpu->code_size);
    require(again->stack_size == cpu->stack_size && again->stack_mask == cpu->stack_mask);
    cpu_update_alignment_checks(again);
    require(again->alignment_checks == cpu->alignment_checks);
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        struct segment *segment = &again->segment[i];
        segment_update_bounds(segment);
        require(memcmp(&segment->read_first, &cpu->segment[i].read_first, 4 * sizeof(uint32_t)) == 0);
    }
    free(again);
}

static void check_state(const struct cpu_state *cpu)
{
    const uint32_t zeros = 1u << 3 | 1u << 5 | 1u << 15 | 0xffc00000u;
    uint32_t eflags = cpu_eflags(cpu);
    require((eflags & (EFLAGS_FIXED | zeros)) == EFLAGS_FIXED);
    require(!(eflags & EFLAGS_VM) || cpu->mode == CPU_MODE_V86);
    for (unsigned i = 0; i < 8; i++) {
        require(cpu->gpr[i].q <= UINT32_MAX);
    }
    require(cpu->gpr[CPU_ZERO].q == 0 && cpu->rip <= UINT32_MAX);
    check_derived_fields(cpu);
}

static void run(struct rig *rig)
{
    struct cpu_state *cpu = &rig->bench->cpu;
    uint8_t choice = fuzz_byte(&rig->input);
    if (choice & 0x80) {
        rig->bench->interrupt_vector = fuzz_byte(&rig->input) & 0x3f;
        cpu->pending |= CPU_PENDING_INTERRUPT;
    }
    cpu->pending |= choice & 0x40 ? CPU_PENDING_NMI : 0u;
    if (cpu->halted && cpu->segment[CPU_CS].base == 0) { /* as if the handler jumped there */
        cpu->halted = false;
        cpu->rip = BENCH_CODE + rig->run_from;
    }
    rig->run_from = rig->code_length;
    cpu_bench_run(rig->bench, 1 + (choice & 0x1f));
    if (!cpu->shutdown) { /* a task switch that ends there is not finished */
        check_state(cpu);
    }
    if (cpu->shutdown || (choice & 0x20)) {
        start(rig, fuzz_byte(&rig->input) & 1 ? 3 : 0);
    }
}

static void act(struct rig *rig)
{
    uint8_t record = fuzz_byte(&rig->input);
    switch (record & 15) {
    case 0:
    case 1:
    case 2:
    case 3:
    case 4:
    case 5: change_tables(rig, record & 15u); break;
    case 6:
    case 7:
    case 8: change_state(rig, (record & 15u) - 6); break;
    case 9:
    case 10: emit_transfer(rig); break;
    case 11: emit_segment_use(rig); break;
    case 12: emit_memory_use(rig); break;
    case 13:
        if (record & 16) {
            emit_system(rig);
        } else {
            emit_value(rig, (uint32_t)fuzz_word(&rig->input, 4), 4);
        }
        break;
    default: run(rig); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const models[] = {"80386", "80486", "pentium", "pentium2", "pentium4"};
    struct rig rig = {.input = {.bytes = data, .left = size}};
    uint8_t choice = fuzz_byte(&rig.input);
    rig.bench = cpu_bench_create(cpu_model_find(models[choice % ARRAY_COUNT(models)]), RAM_SIZE);
    start(&rig, choice & 0x80 ? 3 : 0);
    while (rig.input.left > 0) {
        act(&rig);
    }
    run(&rig);
    cpu_bench_destroy(rig.bench);
    return 0;
}

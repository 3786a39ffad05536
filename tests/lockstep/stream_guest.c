/* See stream_guest.h. The handlers are machine code, put together here byte by byte. */
#include "stream_guest.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cpu/x87.h"
#include "host_oracle_float.h"
#include "host_oracle_random.h"
#include "insn_bytes.h"
#include "stream_events.h"

#define TASK_B            0x0d00u /* its TSS */
#define RESUME_HANDLER    0x3000u /* linear; all vectors lead here */
#define INTERRUPTS_PERIOD 8u      /* every so many stores to the device ask for an interrupt */

/* Descriptors beyond the bench's own. Based segments begin at STREAM_CODE and STREAM_DATA. */
enum stream_selector {
    CODE16_0 = 0x30,
    DATA16_0 = 0x38,
    CODE16_3 = 0x43,
    DATA16_3 = 0x4b,
    RANDOM_A = 0x53,
    RANDOM_B = 0x5b,
    READ_ONLY = 0x63,
    EXPAND_DOWN = 0x6b,
    NOT_PRESENT = 0x73,
    CONFORMING = 0x7b,
    CODE32_0 = 0x80,
    CODE32_3 = 0x8b,
    DATA32_0 = 0x90,
    DATA32_3 = 0x9b,
    CODE_1 = 0xa1,
    DATA_1 = 0xa9
};

/* ---- the device */

static uint64_t read_device(void *opaque, uint64_t offset, unsigned width)
{
    const struct stream_guest *guest = opaque;
    return (guest->device * 0x9e3779b9u + offset * 0x85ebca6bu + width) ^ guest->device >> 16;
}

static void write_device(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct stream_guest *guest = opaque;
    guest->device = guest->device * 33 + (uint32_t)(value + offset + width);
    if (++guest->device_writes % INTERRUPTS_PERIOD == 0) {
        guest->bench->cpu.pending |= CPU_PENDING_INTERRUPT;
    }
    if (guest->has_events) {
        stream_events_happen(guest, guest->device);
    }
}

static void claim_device(struct stream_guest *guest, uint32_t base)
{
    const struct io_region region = {.name = "device",
                                     .base = base,
                                     .length = PAGE_SIZE,
                                     .max_width = 4,
                                     .read = read_device,
                                     .write = write_device,
                                     .opaque = guest};
    struct status status = memory_bus_claim(guest->bench->bus, &region);
    if (!status_is_ok(&status)) {
        fprintf(stderr, "%s\n", status.message);
        exit(EXIT_FAILURE);
    }
}

struct stream_guest *stream_guest_create(const struct cpu_model *model, const struct engine_config *config,
                                         bool events)
{
    struct stream_guest *guest = calloc(1, sizeof *guest);
    if (guest == NULL) {
        fprintf(stderr, "out of memory\n");
        exit(EXIT_FAILURE);
    }
    guest->bench = cpu_bench_create_with(model, events ? STREAM_EVENTS_RAM_BYTES : STREAM_RAM_BYTES, config);
    guest->bench->interrupt_vector = STREAM_INTERRUPT;
    claim_device(guest, STREAM_DEVICE);
    if (events) {
        claim_device(guest, STREAM_NEAR_DEVICE);
        stream_events_begin(guest);
    }
    return guest;
}

void stream_guest_destroy(struct stream_guest *guest)
{
    cpu_bench_destroy(guest->bench);
    free(guest);
}

/* ---- memory */

static void write_descriptor(struct cpu_bench *bench, uint16_t selector, uint32_t base, uint32_t limit,
                             unsigned access, unsigned flags)
{
    uint32_t at = BENCH_GDT + (selector & 0xfff8u);
    cpu_bench_write(bench, at, 4, (base & 0xffff) << 16 | (limit & 0xffff));
    cpu_bench_write(bench, at + 4, 4,
                    (base & 0xff000000u) | flags << 20 | (limit & 0xf0000u) | access << 8 |
                        (base >> 16 & 0xff));
}

static void write_descriptors(struct cpu_bench *bench, uint64_t *random)
{
    const unsigned big = 4; /* D/B */
    write_descriptor(bench, CODE16_0, STREAM_CODE, 0xffff, 0x9b, 0);
    write_descriptor(bench, DATA16_0, STREAM_DATA, 0xffff, 0x93, 0);
    write_descriptor(bench, CODE16_3, STREAM_CODE, 0xffff, 0xfb, 0);
    write_descriptor(bench, DATA16_3, STREAM_DATA, 0xffff, 0xf3, 0);
    write_descriptor(bench, CODE32_0, STREAM_CODE, 0xffff, 0x9b, big);
    write_descriptor(bench, DATA32_0, STREAM_DATA, 0xffff, 0x93, big);
    write_descriptor(bench, CODE32_3, STREAM_CODE, 0xffff, 0xfb, big);
    write_descriptor(bench, DATA32_3, STREAM_DATA, 0xffff, 0xf3, big);
    write_descriptor(bench, RANDOM_A, random_draw(random, 0x200) * 16, random_draw(random, 0x100000), 0xf2,
                     big);
    write_descriptor(bench, RANDOM_B, random_draw(random, 0x20000), 0xfffff, 0xf2, big | 8);
    write_descriptor(bench, READ_ONLY, 0, 0xfffff, 0xf0, big | 8);
    write_descriptor(bench, EXPAND_DOWN, STREAM_DATA, random_draw(random, 0x4100), 0xf6,
                     random_chance(random, 50) ? big : 0);
    write_descriptor(bench, NOT_PRESENT, 0, 0xfffff, 0x72, big | 8);
    write_descriptor(bench, CONFORMING, 0, 0xfffff, 0x9e, big | 8);
    write_descriptor(bench, BENCH_CODE0, 0, 0xfffff, 0x9b, big | 8);
    write_descriptor(bench, BENCH_DATA0, 0, 0xfffff, 0x93, big | 8);
    write_descriptor(bench, BENCH_CODE3, 0, 0xfffff, 0xfb, big | 8);
    write_descriptor(bench, CODE_1, 0, 0xfffff, 0xbb, big | 8);
    write_descriptor(bench, DATA_1, 0, 0xfffff, 0xb3, big | 8);
    write_descriptor(bench, BENCH_DATA3, 0, 0xfffff, 0xf3, big | 8);
}

static void write_data(struct cpu_bench *bench, uint64_t *random)
{
    uint8_t scratch[STREAM_SCRATCH_BYTES];
    for (unsigned i = 0; i < sizeof scratch; i += 8) {
        store_le64(scratch + i, random_draw64(random));
    }
    float_draw_memory(random, scratch, sizeof scratch / 2);
    memcpy(scratch + 3 * sizeof scratch / 4, scratch, sizeof scratch / 4); /* for CMPS */
    cpu_bench_load(bench, STREAM_SCRATCH, scratch, sizeof scratch);
}

/* ---- tasks */

/* The second task begins with the handler, and the first one is what it was when it is come back to; each has
 * an address space. */
static void write_tasks(struct cpu_bench *bench, const struct stream *stream)
{
    enum {
        CR3 = 0x1c,
        EIP = 0x20,
        EFLAGS = 0x24,
        ESP = 0x38,
        ES = 0x48,
        CS = 0x4c,
        SS = 0x50,
        DS = 0x54,
        LDT = 0x60
    };
    const unsigned available = 0xe9;
    const unsigned busy = 0xeb;
    write_descriptor(bench, STREAM_TASK_A, BENCH_TSS, 0x67, busy, 0);
    write_descriptor(bench, STREAM_TASK_B, TASK_B, 0x67, available, 0);
    write_descriptor(bench, STREAM_LDT, BENCH_GDT, 0xff, 0x82, 0);
    bench->cpu.tr.attributes |= SEGMENT_DPL;
    cpu_load_ldt(&bench->cpu, STREAM_LDT);
    for (uint32_t at = 4; at < 12; at += 4) {
        cpu_bench_write(bench, TASK_B + at, 4, cpu_bench_read(bench, BENCH_TSS + at, 4)); /* SS0:ESP0 */
    }
    cpu_bench_write(bench, BENCH_TSS + CR3, 4, stream->paging ? (uint32_t)STREAM_SPACES : 0);
    cpu_bench_write(bench, TASK_B + CR3, 4, stream->paging ? STREAM_SPACES + STREAM_SPACE_BYTES : 0u);
    cpu_bench_write(bench, TASK_B + EIP, 4, RESUME_HANDLER);
    cpu_bench_write(bench, TASK_B + EFLAGS, 4, EFLAGS_FIXED);
    cpu_bench_write(bench, TASK_B + ESP, 4, BENCH_STACK);
    cpu_bench_write(bench, TASK_B + ES, 4, BENCH_DATA0);
    cpu_bench_write(bench, TASK_B + CS, 4, BENCH_CODE0);
    cpu_bench_write(bench, TASK_B + SS, 4, BENCH_DATA0);
    cpu_bench_write(bench, TASK_B + DS, 4, BENCH_DATA0);
    cpu_bench_write(bench, TASK_B + LDT, 4, STREAM_LDT);
    cpu_bench_write(bench, TASK_B + 0x66, 2, 0x68); /* no I/O permission bitmap */
}

/* ---- handlers */

struct assembler {
    uint8_t bytes[256];
    unsigned length;
};

static void put(struct assembler *a, uint32_t value, unsigned count)
{
    insn_put_bytes(a->bytes + a->length, value, count);
    a->length += count;
}

#define PUT(a, ...) put_all(a, (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__}))

static void put_all(struct assembler *a, const uint8_t *bytes, size_t count)
{
    memcpy(a->bytes + a->length, bytes, count);
    a->length += (unsigned)count;
}

/* What the pointer registers hold after an exception, and at the beginning. */
static const struct {
    uint8_t reg;
    uint32_t linear;
} pointers[] = {{CPU_BX, STREAM_SCRATCH + 0x800},
                {CPU_BP, STREAM_SCRATCH + 0x1800},
                {CPU_SI, STREAM_SCRATCH + 0x2800},
                {CPU_DI, STREAM_SCRATCH + 0x3000}};

/* What follows uses the FPU. */
static void put_task_switched(const struct stream *stream, struct assembler *a)
{
    if (stream->events) {
        PUT(a, 0x0f, 0x06); /* clts */
    }
}

/* 32-bit code, CPL 0, flat; the stack may be anything. */
static void assemble_protected(const struct stream *stream, struct assembler *a)
{
    const struct stream_kind *kind = stream->kind;
    uint32_t base = stream_data_base(stream);
    uint32_t flags = EFLAGS_FIXED | EFLAGS_IF | (uint32_t)stream->iopl << EFLAGS_IOPL_SHIFT;
    uint16_t code = kind->cpl == 0 ? BENCH_CODE0 : kind->cpl == 1 ? CODE_1 : BENCH_CODE3;
    uint16_t data = kind->cpl == 0 ? BENCH_DATA0 : kind->cpl == 1 ? DATA_1 : BENCH_DATA3;
    if (kind->based) {
        bool narrow = kind->code_size == 2;
        code = kind->cpl == 0 ? (narrow ? CODE16_0 : CODE32_0) : (narrow ? CODE16_3 : CODE32_3);
        data = kind->cpl == 0 ? (narrow ? DATA16_0 : DATA32_0) : (narrow ? DATA16_3 : DATA32_3);
    }
    put_task_switched(stream, a);
    PUT(a, 0x66, 0xb8, BENCH_DATA0, 0, 0x8e, 0xd8); /* mov ax, data0; mov ds, ax */
    PUT(a, 0xdb, 0xe2, 0xff, 0x05);                 /* fnclex; inc dword [faults] */
    put(a, STREAM_FAULTS, 4);
    PUT(a, 0xa1); /* mov eax, [faults] */
    put(a, STREAM_FAULTS, 4);
    PUT(a, 0x83, 0xe0, STREAM_RESUMES - 1, 0x8b, 0x0c, 0x85); /* and eax, 31; mov ecx, [resume + 4 * eax] */
    put(a, STREAM_RESUME, 4);
    if (kind->cpl == 0) {
        PUT(a, 0x66, 0xb8); /* mov ax, data; mov ss, ax; mov esp, stack */
        put(a, data, 2);
        PUT(a, 0x8e, 0xd0, 0xbc);
        put(a, STREAM_STACK - base, 4);
    } else {
        for (unsigned i = 0; kind->v86 && i < 4; i++) {
            PUT(a, 0x68); /* push gs, fs, ds, es */
            put(a, STREAM_DATA >> 4, 4);
        }
        PUT(a, 0x68);
        put(a, kind->v86 ? STREAM_DATA >> 4 : data, 4);
        PUT(a, 0x68);
        put(a, STREAM_STACK - base, 4);
    }
    PUT(a, 0x68);
    put(a, flags | (kind->v86 ? (uint32_t)EFLAGS_VM : 0), 4);
    PUT(a, 0x68);
    put(a, kind->v86 ? STREAM_CODE >> 4 : code, 4);
    PUT(a, 0x51, 0x66, 0xb8); /* push ecx; mov ax, data */
    put(a, data, 2);
    PUT(a, 0x8e, 0xd8, 0x8e, 0xc0, 0x66, 0xb8); /* mov ds, ax; mov es, ax; mov ax, RANDOM_A */
    put(a, kind->based ? data : RANDOM_A, 2);
    PUT(a, 0x8e, 0xe0, 0x66, 0xb8); /* mov fs, ax; mov ax, RANDOM_B */
    put(a, RANDOM_B, 2);
    PUT(a, 0x8e, 0xe8); /* mov gs, ax */
    for (unsigned i = 0; i < ARRAY_COUNT(pointers); i++) {
        put(a, 0xb8u + pointers[i].reg, 1);
        put(a, pointers[i].linear - base, 4);
    }
    PUT(a, 0xcf);
}

/* 16-bit code, in segment 0. */
static void assemble_real(const struct stream *stream, struct assembler *a)
{
    uint32_t base = stream_data_base(stream);
    put_task_switched(stream, a);
    PUT(a, 0xb8); /* mov ax, data */
    put(a, STREAM_DATA >> 4, 2);
    PUT(a, 0x8e, 0xd8, 0x8e, 0xc0, 0x8e, 0xe0, 0x8e, 0xe8, 0x8e, 0xd0, 0xbc); /* ds es fs gs ss; mov sp, … */
    put(a, STREAM_STACK - base, 2);
    PUT(a, 0xdb, 0xe2, 0xff, 0x06); /* fnclex; inc word [faults] */
    put(a, STREAM_FAULTS - base, 2);
    PUT(a, 0x8b, 0x1e); /* mov bx, [faults] */
    put(a, STREAM_FAULTS - base, 2);
    PUT(a, 0x83, 0xe3, STREAM_RESUMES - 1, 0x01, 0xdb, 0x01, 0xdb, 0x68); /* and bx, 31; add bx, bx twice */
    put(a, EFLAGS_FIXED | EFLAGS_IF, 2);
    PUT(a, 0x68);
    put(a, STREAM_CODE >> 4, 2);
    PUT(a, 0xff, 0xb7); /* push word [bx + resume] */
    put(a, STREAM_RESUME - base, 2);
    for (unsigned i = 0; i < ARRAY_COUNT(pointers); i++) {
        PUT(a, 0x66);
        put(a, 0xb8u + pointers[i].reg, 1);
        put(a, pointers[i].linear - base, 4);
    }
    PUT(a, 0xcf);
}

static void write_handlers(struct cpu_bench *bench, const struct stream *stream)
{
    struct assembler handler = {.length = 0};
    if (stream->kind->real) {
        assemble_real(stream, &handler);
    } else {
        assemble_protected(stream, &handler);
    }
    cpu_bench_load(bench, RESUME_HANDLER, handler.bytes, handler.length);
    unsigned offset_bytes = stream->kind->real ? 2 : 4;
    for (uint32_t vector = 0; vector < 256; vector++) {
        uint32_t at = BENCH_HANDLERS + 8 * vector;
        uint8_t bytes[8] = {0x6a, (uint8_t)vector, 0xe9}; /* push vector; jmp handler */
        insn_put_bytes(bytes + 3, RESUME_HANDLER - (at + 3 + offset_bytes), offset_bytes);
        if (vector == STREAM_INTERRUPT) {
            bytes[0] = 0xcf;
        }
        cpu_bench_load(bench, at, bytes, sizeof bytes);
    }
}

static void write_resumes(struct cpu_bench *bench, const struct stream *stream)
{
    for (unsigned i = 0; i < STREAM_RESUMES; i++) {
        cpu_bench_write(bench, STREAM_RESUME + 4 * i, 4, stream->offset[stream->resume[i]]);
    }
}

/* ---- code */

/* Half of the streams with paging have two pages of their code exchanged, so that what crosses a page's end
 * does not go on behind it in memory. */
uint32_t stream_guest_page(const struct stream *stream, uint32_t linear)
{
    uint32_t page = linear & ~(uint32_t)PAGE_MASK;
    bool exchanged = stream->paging && stream->state_seed >> 32 & 1;
    return exchanged && page == STREAM_CODE + STREAM_PAGE       ? page + STREAM_PAGE
           : exchanged && page == STREAM_CODE + 2 * STREAM_PAGE ? page - STREAM_PAGE
                                                                : page;
}

static void write_code(struct cpu_bench *bench, const struct stream *stream)
{
    uint32_t base = stream_code_base(stream) + stream->start;
    for (uint32_t i = 0; i < stream->length;) {
        uint32_t offset = (base + i) & (uint32_t)PAGE_MASK;
        uint32_t room = STREAM_PAGE - offset;
        uint32_t count = stream->length - i < room ? stream->length - i : room;
        cpu_bench_load(bench, stream_guest_page(stream, base + i) + offset, stream->bytes + i, count);
        i += count;
    }
}

/* ---- the CPU */

/* "Unreal mode": some data segments have another limit than 64 KiB, and keep it whatever is loaded. */
static void draw_real_limits(struct cpu_state *cpu, uint64_t *random)
{
    static const uint32_t limits[] = {UINT32_MAX, UINT32_MAX, 0xfffff, 0xf7ff};
    if (random_chance(random, 70)) {
        return;
    }
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        if (i != CPU_CS && random_chance(random, 70)) {
            cpu->segment[i].limit = limits[random_draw(random, ARRAY_COUNT(limits))];
            segment_update_bounds(&cpu->segment[i]);
        }
    }
}

static void enter(struct stream_guest *guest, const struct stream *stream, uint64_t *random)
{
    struct cpu_bench *bench = guest->bench;
    struct cpu_state *cpu = &bench->cpu;
    uint8_t image[ORACLE_FXSAVE_BYTES];
    if (stream->kind->real) {
        cpu_bench_enter_real(bench);
        draw_real_limits(cpu, random);
    } else {
        cpu_bench_enter_flat(bench, 4, 0);
    }
    cpu->memory_ops->flush_tlb(cpu, true);
    if (stream->paging && stream->events) {
        stream_events_enable_paging(guest, stream);
    } else if (stream->paging) {
        cpu_bench_enable_paging(bench);
        cpu_bench_map(bench, STREAM_MISSING_PAGE, 0, 0);
        /* a stream that changed its tables behind the TLB's back would see how large TLBs are */
        cpu_bench_map(bench, BENCH_DIRECTORY, BENCH_DIRECTORY, PAGE_PRESENT);
        cpu_bench_map(bench, BENCH_TABLE, BENCH_TABLE, PAGE_PRESENT);
        cpu_bench_map(bench, STREAM_READ_ONLY_PAGE, STREAM_READ_ONLY_PAGE, PAGE_PRESENT | PAGE_USER);
        for (uint32_t page = STREAM_CODE; page < STREAM_CODE + 3 * STREAM_PAGE; page += STREAM_PAGE) {
            cpu_bench_map(bench, page, stream_guest_page(stream, page), PAGE_ALL);
        }
        cpu_bench_map(bench, STREAM_SCRATCH + 0x1000, STREAM_SCRATCH + 0x2000, PAGE_ALL);
    }
    cpu_write_control(cpu, 4, cpu->cr4 | CR4_OSFXSR | CR4_OSXMMEXCPT);
    cpu_write_control(cpu, 0, cpu->cr0 | CR0_NE | CR0_MP);
    if (stream->events) {
        stream_events_set_up(cpu, stream);
    }
    float_draw_state(random, image);
    cpu_load_fxsave(cpu, true, image);
    for (unsigned i = 0; i < 8; i++) {
        cpu->gpr[i].q = (uint32_t)random_draw64(random);
    }
    cpu->gpr[CPU_SP].q = BENCH_STACK;
    cpu->pending &= ~(uint32_t)(CPU_PENDING_INTERRUPT | CPU_PENDING_NMI);
    cpu->rip = RESUME_HANDLER;
}

/* But for what devices hide. */
static void clear_memory(struct cpu_bench *bench)
{
    static const uint8_t zeros[PAGE_SIZE];
    for (uint32_t page = 0; page < STREAM_RAM_BYTES; page += PAGE_SIZE) {
        if (memory_bus_page(bench->bus, page)->write != NULL) {
            cpu_bench_load(bench, page, zeros, PAGE_SIZE);
        }
    }
}

void stream_guest_load(struct stream_guest *guest, const struct stream *stream)
{
    struct cpu_bench *bench = guest->bench;
    uint64_t random = stream->state_seed;
    guest->device = (uint32_t)random_draw64(&random);
    guest->device_writes = 0;
    guest->random = stream->state_seed;
    if (guest->has_events) {
        stream_events_reset(guest);
    }
    clear_memory(bench);
    enter(guest, stream, &random);
    if (!stream->kind->real) {
        write_descriptors(bench, &random);
    }
    if (stream->events && !stream->kind->real) {
        write_tasks(bench, stream);
    }
    write_data(bench, &random);
    write_handlers(bench, stream);
    write_resumes(bench, stream);
    write_code(bench, stream);
    guest->tables_are_lost = false;
    if (guest->has_events) {
        stream_events_write_shadows(guest, stream);
    }
}

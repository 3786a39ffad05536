/* String instructions, alone and repeated (SDM 2: MOVS STOS LODS CMPS SCAS INS OUTS REP).
 *
 * Each iteration commits SI, DI and CX after its accesses, so a fault leaves a state from which the
 * instruction restarts. Each iteration counts as a retired instruction; a repetition gives way when the
 * budget or in->repeat_limit is used up: RIP then still points at the instruction, and interrupts and time
 * get their turn. It therefore ends its block. Runs of MOVS and STOS within one page are done on host memory
 * directly, and so are those of INS and OUTS where the device hands over many elements at once. */
#include "cpu/debug_registers.h"
#include "interpreter/operand.h"
#include "interpreter/select.h"

static inline unsigned address_width(const struct uop *uop)
{
    return uop_address_mask(uop) == 0xffff ? 2 : 4;
}

static inline void advance(struct cpu_state *cpu, const struct uop *uop, unsigned number, uint32_t bytes)
{
    uint32_t step = cpu->eflags_other & EFLAGS_DF ? 0 - bytes : bytes;
    gpr_write(cpu, number, address_width(uop), cpu->gpr[number].d + step);
}

/* A repeated instruction on the 80286 has counted the iteration when its load faults (but not CMPS), and the
 * next one too when its store does. */
static inline void count_before_load(struct cpu_state *cpu, uint32_t count)
{
    if (cpu->model->generation == CPU_80286) {
        cpu->gpr[CPU_CX].w = (uint16_t)(count - 1);
    }
}

static inline void count_before_store(struct cpu_state *cpu, const struct uop *uop)
{
    if (cpu->model->generation == CPU_80286 && uop->number != 0) {
        cpu->gpr[CPU_CX].w--;
    }
}

/* The 80286 has moved the index on when the access faults; later processors have not, so that the instruction
 * can be restarted. */
static inline uint32_t take_index(struct cpu_state *cpu, const struct uop *uop, unsigned number,
                                  unsigned width)
{
    uint32_t offset = cpu->gpr[number].d & uop_address_mask(uop);
    if (cpu->model->generation <= CPU_80286) {
        advance(cpu, uop, number, width);
    }
    return offset;
}

static inline void commit_index(struct cpu_state *cpu, const struct uop *uop, unsigned number, unsigned width)
{
    if (cpu->model->generation > CPU_80286) {
        advance(cpu, uop, number, width);
    }
}

/* ---- one iteration of each */

static inline void movs_once(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                             unsigned width)
{
    uint64_t value = segment_load(cpu, in, uop->segment, take_index(cpu, uop, CPU_SI, width), width);
    count_before_store(cpu, uop);
    segment_store(cpu, in, CPU_ES, take_index(cpu, uop, CPU_DI, width), width, value);
    commit_index(cpu, uop, CPU_SI, width);
    commit_index(cpu, uop, CPU_DI, width);
}

static inline void stos_once(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                             unsigned width)
{
    count_before_store(cpu, uop);
    segment_store(cpu, in, CPU_ES, take_index(cpu, uop, CPU_DI, width), width, cpu->gpr[CPU_AX].d);
    commit_index(cpu, uop, CPU_DI, width);
}

static inline void write_accumulator(struct cpu_state *cpu, unsigned width, uint64_t value)
{
    if (width == 1) {
        cpu->gpr[CPU_AX].l = (uint8_t)value;
    } else {
        gpr_write(cpu, CPU_AX, width, (uint32_t)value);
    }
}

static inline void lods_once(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                             unsigned width)
{
    uint64_t value = segment_load(cpu, in, uop->segment, take_index(cpu, uop, CPU_SI, width), width);
    write_accumulator(cpu, width, value);
    commit_index(cpu, uop, CPU_SI, width);
}

static inline void cmps_once(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                             unsigned width, struct lazy_flags *flags)
{
    uint64_t b = segment_load(cpu, in, CPU_ES, take_index(cpu, uop, CPU_DI, width), width);
    uint64_t a = segment_load(cpu, in, uop->segment, take_index(cpu, uop, CPU_SI, width), width);
    flags_set_sub(flags, a, b, a - b, width * 8);
    commit_index(cpu, uop, CPU_SI, width);
    commit_index(cpu, uop, CPU_DI, width);
}

static inline void scas_once(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                             unsigned width, struct lazy_flags *flags)
{
    uint64_t a = cpu->gpr[CPU_AX].d & bits_mask(width * 8);
    uint64_t b = segment_load(cpu, in, CPU_ES, take_index(cpu, uop, CPU_DI, width), width);
    flags_set_sub(flags, a, b, a - b, width * 8);
    commit_index(cpu, uop, CPU_DI, width);
}

/* The destination is found writable before the port is read: a port read cannot be taken back. */
static inline void ins_once(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                            unsigned width)
{
    uint16_t port = cpu->gpr[CPU_DX].w;
    uint32_t offset = take_index(cpu, uop, CPU_DI, width);
    uop_sync(cpu, in);
    cpu_check_io(cpu, port, width);
    count_before_store(cpu, uop);
    uint64_t linear = cpu_segment_to_linear(cpu, CPU_ES, offset, width, true);
    cpu_check_alignment(cpu, linear, width, 0);
    cpu->memory_ops->probe_write(cpu, linear, width, cpu->cpl == 3);
    segment_store(cpu, in, CPU_ES, offset, width, cpu->pins.port_read(cpu->pins.opaque, port, width));
    cpu_note_io(cpu, port, width);
    commit_index(cpu, uop, CPU_DI, width);
}

static inline void outs_once(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                             unsigned width)
{
    uint16_t port = cpu->gpr[CPU_DX].w;
    uop_sync(cpu, in);
    cpu_check_io(cpu, port, width);
    uint64_t value = segment_load(cpu, in, uop->segment, take_index(cpu, uop, CPU_SI, width), width);
    cpu->pins.port_write(cpu->pins.opaque, port, width, (uint32_t)value);
    cpu_note_io(cpu, port, width);
    commit_index(cpu, uop, CPU_SI, width);
}

/* CMPS and SCAS leave their flags in *flags. */
static inline void string_once(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                               enum insn_id id, unsigned width, struct lazy_flags *flags)
{
    switch (id) {
    case INSN_MOVS: movs_once(cpu, uop, in, width); break;
    case INSN_STOS: stos_once(cpu, uop, in, width); break;
    case INSN_LODS: lods_once(cpu, uop, in, width); break;
    case INSN_CMPS: cmps_once(cpu, uop, in, width, flags); break;
    case INSN_SCAS: scas_once(cpu, uop, in, width, flags); break;
    case INSN_INS: ins_once(cpu, uop, in, width); break;
    default: outs_once(cpu, uop, in, width); break;
    }
}

/* ---- runs on host memory */

static uint32_t minimum(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* How many elements, upwards from where register `number` points, lie in one directly accessible page, within
 * the segment, and before the index wraps; at most `most`. *host is their address. */
static uint32_t direct_run(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                           unsigned segment, unsigned number, unsigned width, bool store, uint32_t most,
                           uint8_t **host)
{
    uint32_t offset = cpu->gpr[number].d & uop_address_mask(uop);
    const struct segment *s = &cpu->segment[segment];
    uint32_t first = store ? s->write_first : s->read_first;
    uint32_t last = minimum(store ? s->write_last : s->read_last, uop_address_mask(uop));
    uint32_t linear = (uint32_t)(s->base + offset);
    const struct tlb_entry *entry = tlb_entry_for(in->tlb, linear);
    uint64_t tag = store ? entry->store_tag : entry->load_tag;
    if (offset < first || offset > last || tag != (linear & ~PAGE_MASK)) {
        return 0;
    }
    uint32_t in_page = (uint32_t)(PAGE_SIZE - (linear & PAGE_MASK));
    uint32_t in_segment = last - offset < in_page ? last - offset + 1 : in_page;
    *host = entry->host + (linear & PAGE_MASK);
    return minimum(minimum(in_page, in_segment) / width, most);
}

/* A forward copy, element by element where the destination overlaps the source ahead of it. */
static void copy_forward(uint8_t *to, const uint8_t *from, size_t length, unsigned width)
{
    if (to <= from || to >= from + length) {
        memmove(to, from, length);
        return;
    }
    for (size_t i = 0; i < length; i += width) {
        uint8_t element[4];
        memcpy(element, from + i, width);
        memcpy(to + i, element, width);
    }
}

/* Does up to `most` iterations of a forward MOVS or STOS at once; returns how many (0: do one the slow way).
 */
static uint32_t string_bulk(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                            enum insn_id id, unsigned width, uint32_t most)
{
    uint8_t *to = NULL;
    uint8_t *from = NULL;
    uint32_t count = direct_run(cpu, uop, in, CPU_ES, CPU_DI, width, true, most, &to);
    if (count > 0 && id == INSN_MOVS) {
        count = direct_run(cpu, uop, in, uop->segment, CPU_SI, width, false, count, &from);
    }
    if (count == 0) {
        return 0;
    }
    if (id == INSN_MOVS) {
        copy_forward(to, from, (size_t)count * width, width);
        advance(cpu, uop, CPU_SI, count * width);
    } else if (width == 1) {
        memset(to, cpu->gpr[CPU_AX].l, count);
    } else {
        for (uint32_t i = 0; i < count; i++) {
            store_le(to + i * width, width, cpu->gpr[CPU_AX].d);
        }
    }
    advance(cpu, uop, CPU_DI, count * width);
    return count;
}

/* Whether repetitions of INS or OUTS may go by at once: an I/O breakpoint has to see each. */
static bool streams_through_port(const struct cpu_state *cpu, enum insn_id id)
{
    bool possible = id == INSN_INS ? cpu->pins.port_read_block != NULL
                                   : id == INSN_OUTS && cpu->pins.port_write_block != NULL;
    return possible && !(cpu->pending & CPU_PENDING_DEBUG);
}

/* The same for INS and OUTS, as far as the device goes along. */
static uint32_t string_stream(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                              enum insn_id id, unsigned width, uint32_t most)
{
    uint16_t port = cpu->gpr[CPU_DX].w;
    bool store = id == INSN_INS;
    unsigned index = store ? CPU_DI : CPU_SI;
    uint8_t *host = NULL;
    uop_sync(cpu, in);
    cpu_check_io(cpu, port, width);
    uint32_t count =
        direct_run(cpu, uop, in, store ? CPU_ES : uop->segment, index, width, store, most, &host);
    if (count > 0) {
        count = store ? cpu->pins.port_read_block(cpu->pins.opaque, port, width, host, count)
                      : cpu->pins.port_write_block(cpu->pins.opaque, port, width, host, count);
        advance(cpu, uop, index, count * width);
    }
    return count;
}

/* Does up to `most` iterations of a repeated instruction at once, if that is possible; returns how many. */
static inline uint32_t string_at_once(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                      enum insn_id id, unsigned width, uint32_t most)
{
    return id == INSN_MOVS || id == INSN_STOS ? string_bulk(cpu, uop, in, id, width, most)
                                              : string_stream(cpu, uop, in, id, width, most);
}

/* ---- repetition */

static inline void string_single(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                 enum insn_id id, unsigned width)
{
    string_once(cpu, uop, in, id, width, &cpu->flags);
    if (id == INSN_INS || id == INSN_OUTS) {
        uop_leave_to_next(cpu, uop, in); /* as behind IN and OUT */
    } else {
        uop_next(cpu, uop, in);
    }
}

/* Whether REPE/REPNE stops after an iteration; other instructions go by the count alone. */
static inline bool repeat_condition_fails(const struct lazy_flags *flags, const struct uop *uop,
                                          enum insn_id id)
{
    if (id != INSN_CMPS && id != INSN_SCAS) {
        return false;
    }
    return flags_zf(flags) != ((uop->number & PREFIX_REP) != 0);
}

/* The flags change when the instruction is done: a fault finds those from before it (SDM 2, REP), and so does
 * whoever looks while it gives way. */
static inline void string_repeated(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in,
                                   enum insn_id id, unsigned width)
{
    unsigned count_width = address_width(uop);
    uint64_t left = in->stop_at - in->block_retired - uop->position;
    uint32_t budget = left < in->repeat_limit ? (uint32_t)left : in->repeat_limit;
    bool bulk = (id == INSN_MOVS || id == INSN_STOS || streams_through_port(cpu, id)) &&
                !(cpu->eflags_other & EFLAGS_DF);
    uint32_t count = gpr_read(cpu, CPU_CX, count_width);
    struct lazy_flags flags = cpu->flags;
    if (count == 0) {
        if (id == INSN_INS || id == INSN_OUTS) {
            uop_sync(cpu, in);
            cpu_check_io(cpu, cpu->gpr[CPU_DX].w, width); /* checked even when nothing is to be done */
        }
        uop_leave_to_next(cpu, uop, in);
        return;
    }
    while (count != 0 && budget != 0) {
        uint32_t done =
            bulk && count > 1 ? string_at_once(cpu, uop, in, id, width, minimum(count, budget)) : 0;
        if (done == 0) {
            if (id != INSN_CMPS) {
                count_before_load(cpu, count);
            }
            string_once(cpu, uop, in, id, width, &flags);
            done = 1;
            budget = UNLIKELY(cpu_needs_attention(cpu)) ? 1 : budget;
        }
        count -= done;
        budget -= done;
        in->block_retired += done;
        gpr_write(cpu, CPU_CX, count_width, count);
        if (repeat_condition_fails(&flags, uop, id)) {
            count = 0;
        }
    }
    in->block_retired--; /* the last iteration is counted by leaving the uop */
    if (count == 0) {
        cpu->flags = flags;
        uop_leave_to_next(cpu, uop, in);
    } else {
        cpu->rip = in->block_rip + uop->offset;
        cpu->eflags_other |=
            cpu->model->eflags_writable & EFLAGS_RF; /* between iterations (SDM 3B §17.3.1.1) */
        uop_leave(uop, in);
    }
}

#define STRING_HANDLERS(ID, width)                                                                           \
    static void ID##_single_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)    \
    {                                                                                                        \
        string_single(cpu, uop, in, INSN_##ID, width);                                                       \
    }                                                                                                        \
    static void ID##_repeated_##width(struct cpu_state *cpu, const struct uop *uop, struct interpreter *in)  \
    {                                                                                                        \
        string_repeated(cpu, uop, in, INSN_##ID, width);                                                     \
    }
#define STRING_OPERATION(ID) STRING_HANDLERS(ID, 1) STRING_HANDLERS(ID, 2) STRING_HANDLERS(ID, 4)

STRING_OPERATION(MOVS)
STRING_OPERATION(STOS)
STRING_OPERATION(LODS)
STRING_OPERATION(CMPS)
STRING_OPERATION(SCAS)
STRING_OPERATION(INS)
STRING_OPERATION(OUTS)

#define STRING_ROWS(ID)                                                                                      \
    [INSN_##ID] = {{ID##_single_1, ID##_single_2, ID##_single_4},                                            \
                   {ID##_repeated_1, ID##_repeated_2, ID##_repeated_4}}

static uop_handler *const string_handlers[INSN_COUNT][2][3] = {
    STRING_ROWS(MOVS), STRING_ROWS(STOS), STRING_ROWS(LODS), STRING_ROWS(CMPS),
    STRING_ROWS(SCAS), STRING_ROWS(INS),  STRING_ROWS(OUTS),
};

uop_handler *select_string(const struct insn *insn, const struct cpu_model *model)
{
    (void)model;
    bool repeated = (insn->prefixes & (PREFIX_REP | PREFIX_REPNE)) != 0;
    unsigned memory_operand = operand_in_memory(insn, 0) ? 0 : 1;
    return string_handlers[insn->id][repeated][width_index(insn->operand[memory_operand].size)];
}

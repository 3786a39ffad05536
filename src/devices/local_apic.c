/* The local APIC; see local_apic.h. Section numbers are those of SDM 3A.
 *
 * INTR is a function of the whole state, and driven anew by update_intr() after every change. The timer's
 * expiry is the truth about its count; the event only makes the interrupt. */
#include "devices/local_apic.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

/* Numbers of registers: offset / 16. */
enum apic_register {
    REGISTER_ID = 0x02,
    REGISTER_VERSION = 0x03,
    REGISTER_TPR = 0x08,
    REGISTER_APR = 0x09,
    REGISTER_PPR = 0x0A,
    REGISTER_EOI = 0x0B,
    REGISTER_REMOTE_READ = 0x0C,
    REGISTER_LDR = 0x0D,
    REGISTER_DFR = 0x0E,
    REGISTER_SVR = 0x0F,
    REGISTER_ISR = 0x10, /* 8 each */
    REGISTER_TMR = 0x18,
    REGISTER_IRR = 0x20,
    REGISTER_ESR = 0x28,
    REGISTER_ICR_LOW = 0x30,
    REGISTER_ICR_HIGH = 0x31,
    REGISTER_LVT = 0x32, /* LVT_ENTRIES */
    REGISTER_INITIAL_COUNT = 0x38,
    REGISTER_CURRENT_COUNT = 0x39,
    REGISTER_DIVIDE = 0x3E
};

enum lvt_entry { LVT_TIMER, LVT_THERMAL, LVT_PERFORMANCE, LVT_LINT0, LVT_LINT1, LVT_ERROR, LVT_ENTRIES };

#define VERSION (0x14u | (LVT_ENTRIES - 1u) << 16)

#define ID_SHIFT 24
#define ID_ALL   0xFFu /* a physical destination: everybody */

#define LVT_REMOTE_IRR 0x4000u
#define LVT_LEVEL      0x8000u
#define LVT_MASKED     0x10000u
#define LVT_PERIODIC   0x20000u

#define ICR_LOGICAL         0x800u
#define ICR_ASSERT          0x4000u
#define ICR_LEVEL           0x8000u
#define ICR_SHORTHAND_SHIFT 18
#define ICR_WRITABLE        0xCCFFFu

enum icr_shorthand { SHORTHAND_NONE, SHORTHAND_SELF, SHORTHAND_ALL, SHORTHAND_OTHERS };

#define SVR_ENABLED  0x100u
#define SVR_WRITABLE 0x3FFu
#define SVR_RESET    0xFFu

#define DFR_FIXED 0x0FFFFFFFu
#define DFR_FLAT  0xF0000000u

#define ESR_SEND_ILLEGAL_VECTOR     0x20u
#define ESR_RECEIVED_ILLEGAL_VECTOR 0x40u
#define ESR_ILLEGAL_REGISTER        0x80u

#define FIRST_LEGAL_VECTOR 16
#define VECTOR_WORDS       8

struct apic_timer {
    uint32_t initial;
    uint32_t divide;
    bool running;
    uint64_t expiry; /* virtual ns at which the count reaches 0; periodic: some such time */
    struct clock_event event;
};

/* What RESET and INIT set. */
struct apic_registers {
    uint32_t tpr, ldr, dfr, svr;
    uint32_t isr[VECTOR_WORDS], tmr[VECTOR_WORDS], irr[VECTOR_WORDS];
    uint32_t esr;    /* what software sees */
    uint32_t errors; /* since it last wrote there */
    bool error_told; /* one interrupt until then */
    uint32_t icr_low, icr_high;
    uint32_t lvt[LVT_ENTRIES];
    bool external_message; /* someone sent an ExtINT that was not acknowledged yet */
};

struct local_apic {
    struct device device;
    struct device_host host;
    struct local_apic_config config;
    bool enabled; /* globally */
    uint64_t base;
    uint32_t id;
    bool lint[2]; /* levels of the pins */
    struct apic_registers registers;
    struct apic_timer timer;
};

// clang-format off
static const struct lvt_shape {
    const char *name;
    uint32_t writable;
} lvt_shapes[LVT_ENTRIES] = {
    [LVT_TIMER]       = {"timer",       0x300FF},
    [LVT_THERMAL]     = {"thermal",     0x107FF},
    [LVT_PERFORMANCE] = {"performance", 0x107FF},
    [LVT_LINT0]       = {"lint0",       0x1A7FF},
    [LVT_LINT1]       = {"lint1",       0x1A7FF},
    [LVT_ERROR]       = {"error",       0x100FF},
};
// clang-format on

static bool is_software_enabled(const struct local_apic *apic)
{
    return apic->registers.svr & SVR_ENABLED;
}

/* ---- sets of vectors */

static bool vectors_contain(const uint32_t *set, unsigned vector)
{
    return set[vector / 32] >> (vector % 32) & 1;
}

static void vectors_change(uint32_t *set, unsigned vector, bool member)
{
    uint32_t bit = (uint32_t)1 << (vector % 32);
    set[vector / 32] = member ? set[vector / 32] | bit : set[vector / 32] & ~bit;
}

/* The highest member, which is the most urgent; -1: none. */
static int vectors_highest(const uint32_t *set)
{
    for (int word = VECTOR_WORDS - 1; word >= 0; word--) {
        for (int bit = 31; set[word] != 0 && bit >= 0; bit--) {
            if (set[word] >> bit & 1) {
                return 32 * word + bit;
            }
        }
    }
    return -1;
}

/* ---- priority and the INTR output (§10.8.3) */

static uint32_t priority_class(int vector)
{
    return vector < 0 ? 0 : (uint32_t)vector & 0xF0;
}

static uint32_t processor_priority(const struct local_apic *apic)
{
    uint32_t tpr = apic->registers.tpr;
    uint32_t in_service = priority_class(vectors_highest(apic->registers.isr));
    return (tpr & 0xF0) >= in_service ? tpr : in_service;
}

/* The request that is to be served now; -1: none. */
static int deliverable(const struct local_apic *apic)
{
    int request = vectors_highest(apic->registers.irr);
    return priority_class(request) > (processor_priority(apic) & 0xF0) ? request : -1;
}

static uint32_t lvt_delivery(uint32_t entry)
{
    return entry >> 8 & 7;
}

static uint32_t lint_entry(const struct local_apic *apic, unsigned number)
{
    return apic->registers.lvt[LVT_LINT0 + number];
}

/* The 8259's interrupts do not take part in priorities: they go to the core as they are. */
static bool external_waits(const struct local_apic *apic)
{
    if (!apic->enabled) {
        return apic->lint[0];
    }
    bool waits = apic->registers.external_message;
    for (unsigned number = 0; number < 2; number++) {
        uint32_t entry = lint_entry(apic, number);
        waits |= apic->lint[number] && !(entry & LVT_MASKED) && lvt_delivery(entry) == INTERRUPT_EXTINT;
    }
    return waits;
}

static void update_intr(struct local_apic *apic)
{
    bool waits = external_waits(apic) || (apic->enabled && deliverable(apic) >= 0);
    irq_line_set(&apic->config.intr, waits);
}

int local_apic_acknowledge(struct local_apic *apic)
{
    struct apic_registers *registers = &apic->registers;
    if (external_waits(apic) || !apic->enabled) {
        registers->external_message = false;
        int vector = apic->config.acknowledge_external(apic->config.opaque);
        update_intr(apic);
        return vector;
    }
    int vector = deliverable(apic);
    if (vector < 0) {
        return (int)(registers->svr & 0xFF);
    }
    vectors_change(registers->irr, (unsigned)vector, false);
    vectors_change(registers->isr, (unsigned)vector, true);
    update_intr(apic);
    return vector;
}

/* ---- accepting interrupts (§10.8.4) and errors (§10.5.3) */

static void note_error(struct local_apic *apic, uint32_t error);

static void accept(struct local_apic *apic, unsigned vector, bool level)
{
    struct apic_registers *registers = &apic->registers;
    if (!is_software_enabled(apic)) {
        return;
    }
    if (vector < FIRST_LEGAL_VECTOR) {
        note_error(apic, ESR_RECEIVED_ILLEGAL_VECTOR);
        return;
    }
    vectors_change(registers->irr, vector, true);
    vectors_change(registers->tmr, vector, level);
    update_intr(apic);
}

static void accept_local(struct local_apic *apic, enum lvt_entry source)
{
    uint32_t entry = apic->registers.lvt[source];
    if (!(entry & LVT_MASKED)) {
        accept(apic, entry & 0xFF, false);
    }
}

static void note_error(struct local_apic *apic, uint32_t error)
{
    struct apic_registers *registers = &apic->registers;
    registers->errors |= error;
    if (!registers->error_told) {
        registers->error_told = true;
        accept_local(apic, LVT_ERROR);
    }
}

static bool is_logical_destination(const struct local_apic *apic, uint8_t destination)
{
    uint8_t own = (uint8_t)(apic->registers.ldr >> ID_SHIFT);
    if ((apic->registers.dfr & DFR_FLAT) == DFR_FLAT) {
        return own & destination;
    }
    bool same_cluster = (destination ^ own) < 0x10 || destination >> 4 == 0xF;
    return same_cluster && own & destination & 0xF;
}

static bool is_destination(const struct local_apic *apic, const struct interrupt_message *message)
{
    return message->logical ? is_logical_destination(apic, message->destination)
                            : message->destination == ID_ALL || message->destination == apic->id >> ID_SHIFT;
}

static void receive(struct local_apic *apic, const struct interrupt_message *message)
{
    switch (message->delivery) {
    case INTERRUPT_FIXED:
    case INTERRUPT_LOWEST_PRIORITY: accept(apic, message->vector, message->level); break;
    case INTERRUPT_SMI: irq_line_pulse(&apic->config.smi); break;
    case INTERRUPT_NMI: irq_line_pulse(&apic->config.nmi); break;
    case INTERRUPT_INIT: irq_line_pulse(&apic->config.init); break;
    case INTERRUPT_EXTINT:
        apic->registers.external_message |= is_software_enabled(apic);
        update_intr(apic);
        break;
    default: break; /* start-up: the processor runs already */
    }
}

static void deliver(void *opaque, const struct interrupt_message *message)
{
    struct local_apic *apic = opaque;
    if (apic->enabled && is_destination(apic, message)) {
        receive(apic, message);
    }
}

struct interrupt_sink local_apic_sink(struct local_apic *apic)
{
    return (struct interrupt_sink){.deliver = deliver, .opaque = apic};
}

/* ---- sending: the interrupt command register (§10.6) */

static bool is_for_self(const struct local_apic *apic, const struct interrupt_message *message)
{
    switch (apic->registers.icr_low >> ICR_SHORTHAND_SHIFT & 3) {
    case SHORTHAND_SELF:
    case SHORTHAND_ALL: return true;
    case SHORTHAND_OTHERS: return false;
    default: return is_destination(apic, message);
    }
}

static void send(struct local_apic *apic)
{
    uint32_t command = apic->registers.icr_low;
    const struct interrupt_message message = {.vector = (uint8_t)command,
                                              .delivery = (uint8_t)(command >> 8 & 7),
                                              .destination = (uint8_t)(apic->registers.icr_high >> ID_SHIFT),
                                              .logical = command & ICR_LOGICAL};
    bool has_vector = message.delivery == INTERRUPT_FIXED || message.delivery == INTERRUPT_LOWEST_PRIORITY;
    if (has_vector && message.vector < FIRST_LEGAL_VECTOR) {
        note_error(apic, ESR_SEND_ILLEGAL_VECTOR);
    }
    bool only_arbitrates =
        message.delivery == INTERRUPT_INIT && (command & ICR_LEVEL) && !(command & ICR_ASSERT);
    if (is_for_self(apic, &message) && !only_arbitrates) {
        receive(apic, &message);
    }
}

/* ---- the pins */

/* A level-triggered pin requests while it is high, and once more after each EOI. */
static void service_level(struct local_apic *apic, unsigned number)
{
    uint32_t *entry = &apic->registers.lvt[LVT_LINT0 + number];
    bool requests = apic->lint[number] && *entry & LVT_LEVEL && lvt_delivery(*entry) == INTERRUPT_FIXED &&
                    !(*entry & (LVT_MASKED | LVT_REMOTE_IRR));
    if (requests && is_software_enabled(apic)) {
        *entry |= LVT_REMOTE_IRR;
        accept(apic, *entry & 0xFF, true);
    }
}

static void pin_rose(struct local_apic *apic, unsigned number)
{
    uint32_t entry = lint_entry(apic, number);
    if (entry & LVT_MASKED) {
        return;
    }
    switch (lvt_delivery(entry)) {
    case INTERRUPT_FIXED:
        if (!(entry & LVT_LEVEL)) {
            accept(apic, entry & 0xFF, false);
        }
        break;
    case INTERRUPT_SMI: irq_line_pulse(&apic->config.smi); break;
    case INTERRUPT_NMI: irq_line_pulse(&apic->config.nmi); break;
    case INTERRUPT_INIT: irq_line_pulse(&apic->config.init); break;
    default: break;
    }
}

static void set_lint(void *opaque, unsigned number, bool level)
{
    struct local_apic *apic = opaque;
    bool rises = level && !apic->lint[number];
    apic->lint[number] = level;
    if (!apic->enabled) {
        if (rises && number == 1) {
            irq_line_pulse(&apic->config.nmi);
        }
    } else {
        if (rises) {
            pin_rose(apic, number);
        }
        service_level(apic, number);
    }
    update_intr(apic);
}

struct irq_line local_apic_lint(struct local_apic *apic, unsigned number)
{
    assert(number < 2);
    return (struct irq_line){.set = set_lint, .opaque = apic, .number = number};
}

static void end_of_interrupt(struct local_apic *apic)
{
    struct apic_registers *registers = &apic->registers;
    int vector = vectors_highest(registers->isr);
    if (vector < 0) {
        return;
    }
    vectors_change(registers->isr, (unsigned)vector, false);
    update_intr(apic);
    if (!vectors_contain(registers->tmr, (unsigned)vector)) {
        return;
    }
    for (unsigned number = 0; number < 2; number++) {
        uint32_t *entry = &registers->lvt[LVT_LINT0 + number];
        if (*entry & LVT_REMOTE_IRR && (int)(*entry & 0xFF) == vector) {
            *entry &= ~LVT_REMOTE_IRR;
            service_level(apic, number);
        }
    }
    apic->config.end_of_interrupt(apic->config.opaque, (uint8_t)vector);
}

/* ---- the timer (§10.5.4) */

static bool timer_is_periodic(const struct local_apic *apic)
{
    return apic->registers.lvt[LVT_TIMER] & LVT_PERIODIC;
}

/* Bits 0, 1 and 3: 2, 4 ... 128, 1. */
static uint64_t timer_tick_ns(const struct apic_timer *timer)
{
    uint32_t code = (timer->divide & 3) | (timer->divide >> 1 & 4);
    return (uint64_t)LOCAL_APIC_TICK_NS << ((code + 1) & 7);
}

static uint64_t timer_period_ns(const struct apic_timer *timer)
{
    return timer->initial * timer_tick_ns(timer);
}

static uint32_t timer_count(const struct local_apic *apic)
{
    const struct apic_timer *timer = &apic->timer;
    if (!timer->running) {
        return 0;
    }
    uint64_t now = event_clock_now(apic->host.clock);
    uint64_t left = 0;
    if (now < timer->expiry) {
        left = timer->expiry - now;
    } else if (timer_is_periodic(apic)) {
        uint64_t period = timer_period_ns(timer);
        left = period - (now - timer->expiry) % period;
    }
    uint64_t tick = timer_tick_ns(timer);
    return (uint32_t)((left + tick - 1) / tick);
}

static void timer_schedule(struct local_apic *apic)
{
    struct apic_timer *timer = &apic->timer;
    if (!timer->running) {
        event_clock_cancel(apic->host.clock, &timer->event);
        return;
    }
    uint64_t deadline = timer->expiry;
    if (timer_is_periodic(apic) && timer_period_ns(timer) < LOCAL_APIC_SHORTEST_NS) {
        uint64_t earliest = event_clock_now(apic->host.clock) + LOCAL_APIC_SHORTEST_NS;
        deadline = deadline < earliest ? earliest : deadline;
    }
    event_clock_schedule(apic->host.clock, &timer->event, deadline);
}

/* Counts down from `count` beginning now; 0 stops it. */
static void timer_start(struct local_apic *apic, uint32_t count)
{
    struct apic_timer *timer = &apic->timer;
    timer->running = count != 0;
    timer->expiry = event_clock_now(apic->host.clock) + count * timer_tick_ns(timer);
    timer_schedule(apic);
}

static void timer_expired(void *opaque)
{
    struct local_apic *apic = opaque;
    struct apic_timer *timer = &apic->timer;
    timer->running = timer_is_periodic(apic);
    if (timer->running) {
        uint64_t now = event_clock_now(apic->host.clock);
        uint64_t period = timer_period_ns(timer);
        uint64_t late = now > timer->expiry ? now - timer->expiry : 0;
        timer->expiry += (late / period + 1) * period;
        timer_schedule(apic);
    }
    accept_local(apic, LVT_TIMER);
}

static void timer_set_divide(struct local_apic *apic, uint32_t value)
{
    bool was_running = apic->timer.running;
    uint32_t count = timer_count(apic);
    apic->timer.divide = value & 0xB;
    if (was_running) {
        timer_start(apic, count != 0 ? count : 1);
    }
}

/* ---- registers */

static void write_lvt(struct local_apic *apic, enum lvt_entry number, uint32_t value)
{
    uint32_t *entry = &apic->registers.lvt[number];
    uint32_t writable = lvt_shapes[number].writable;
    *entry = (value & writable) | (*entry & LVT_REMOTE_IRR);
    if (!is_software_enabled(apic)) {
        *entry |= LVT_MASKED;
    }
    if (number == LVT_LINT0 || number == LVT_LINT1) {
        if (!(*entry & LVT_LEVEL)) {
            *entry &= ~LVT_REMOTE_IRR;
        }
        service_level(apic, number - LVT_LINT0);
        update_intr(apic);
    }
}

static void write_svr(struct local_apic *apic, uint32_t value)
{
    apic->registers.svr = value & SVR_WRITABLE;
    if (!is_software_enabled(apic)) {
        for (unsigned i = 0; i < LVT_ENTRIES; i++) {
            apic->registers.lvt[i] |= LVT_MASKED;
        }
        update_intr(apic);
    }
}

static uint32_t read_register(struct local_apic *apic, unsigned number)
{
    const struct apic_registers *registers = &apic->registers;
    if (number >= REGISTER_ISR && number < REGISTER_ESR) {
        unsigned word = number % VECTOR_WORDS;
        return number < REGISTER_TMR   ? registers->isr[word]
               : number < REGISTER_IRR ? registers->tmr[word]
                                       : registers->irr[word];
    }
    if (number >= REGISTER_LVT && number < REGISTER_LVT + LVT_ENTRIES) {
        return registers->lvt[number - REGISTER_LVT];
    }
    switch (number) {
    case REGISTER_ID: return apic->id;
    case REGISTER_VERSION: return VERSION;
    case REGISTER_TPR: return registers->tpr;
    case REGISTER_PPR: return processor_priority(apic);
    case REGISTER_LDR: return registers->ldr;
    case REGISTER_DFR: return registers->dfr;
    case REGISTER_SVR: return registers->svr;
    case REGISTER_ESR: return registers->esr;
    case REGISTER_ICR_LOW: return registers->icr_low;
    case REGISTER_ICR_HIGH: return registers->icr_high;
    case REGISTER_INITIAL_COUNT: return apic->timer.initial;
    case REGISTER_CURRENT_COUNT: return timer_count(apic);
    case REGISTER_DIVIDE: return apic->timer.divide;
    case REGISTER_APR: /* the Pentium 4 has neither of these two, and no error for them */
    case REGISTER_REMOTE_READ:
    case REGISTER_EOI: return 0;
    default: note_error(apic, ESR_ILLEGAL_REGISTER); return 0;
    }
}

static bool is_read_only(unsigned number)
{
    return (number >= REGISTER_ISR && number < REGISTER_ESR) || number == REGISTER_VERSION ||
           number == REGISTER_APR || number == REGISTER_PPR || number == REGISTER_REMOTE_READ ||
           number == REGISTER_CURRENT_COUNT;
}

static void write_register(struct local_apic *apic, unsigned number, uint32_t value)
{
    struct apic_registers *registers = &apic->registers;
    if (number >= REGISTER_LVT && number < REGISTER_LVT + LVT_ENTRIES) {
        write_lvt(apic, number - REGISTER_LVT, value);
        return;
    }
    switch (number) {
    case REGISTER_ID: apic->id = value & UINT32_C(0xFF) << ID_SHIFT; break;
    case REGISTER_TPR:
        registers->tpr = value & 0xFF;
        update_intr(apic);
        break;
    case REGISTER_EOI: end_of_interrupt(apic); break;
    case REGISTER_LDR: registers->ldr = value & UINT32_C(0xFF) << ID_SHIFT; break;
    case REGISTER_DFR: registers->dfr = value | DFR_FIXED; break;
    case REGISTER_SVR: write_svr(apic, value); break;
    case REGISTER_ESR:
        registers->esr = registers->errors;
        registers->errors = 0;
        registers->error_told = false;
        break;
    case REGISTER_ICR_LOW:
        registers->icr_low = value & ICR_WRITABLE;
        send(apic);
        break;
    case REGISTER_ICR_HIGH: registers->icr_high = value & UINT32_C(0xFF) << ID_SHIFT; break;
    case REGISTER_INITIAL_COUNT:
        apic->timer.initial = value;
        timer_start(apic, value);
        break;
    case REGISTER_DIVIDE: timer_set_divide(apic, value); break;
    default:
        if (!is_read_only(number)) {
            note_error(apic, ESR_ILLEGAL_REGISTER);
        }
        break;
    }
}

static uint64_t memory_read(void *opaque, uint64_t offset, unsigned width)
{
    unsigned byte = (unsigned)offset & 0xF;
    (void)width;
    return byte < 4 ? (uint64_t)read_register(opaque, (unsigned)offset >> 4) >> (8 * byte) : 0;
}

static void memory_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    if (width == 4 && offset % 16 == 0) {
        write_register(opaque, (unsigned)offset >> 4, (uint32_t)value);
    }
}

/* ---- the device */

void local_apic_initialize(struct local_apic *apic)
{
    struct apic_registers *registers = &apic->registers;
    *registers = (struct apic_registers){.dfr = UINT32_MAX, .svr = SVR_RESET};
    for (unsigned i = 0; i < LVT_ENTRIES; i++) {
        registers->lvt[i] = LVT_MASKED;
    }
    registers->lvt[LVT_LINT0] = INTERRUPT_EXTINT << 8;
    apic->timer.initial = 0;
    apic->timer.divide = 0;
    timer_start(apic, 0);
    update_intr(apic);
}

void local_apic_set_base(struct local_apic *apic, uint64_t base, bool enabled)
{
    memory_bus_release(apic->host.memory, apic->base, apic);
    apic->base = base;
    if (!enabled && apic->enabled) {
        local_apic_initialize(apic);
    }
    apic->enabled = enabled;
    if (enabled) {
        const struct io_region region = {.name = "lapic",
                                         .base = base,
                                         .length = PAGE_SIZE,
                                         .max_width = 4,
                                         .read = memory_read,
                                         .write = memory_write,
                                         .opaque = apic};
        struct status status = memory_bus_claim(apic->host.memory, &region);
        if (!status_is_ok(&status)) {
            log_printf(apic->host.log, LOG_GUEST_ERROR, "%s", status.message);
        }
    }
    update_intr(apic);
}

static void local_apic_reset(struct device *device)
{
    struct local_apic *apic = CONTAINER_OF(device, struct local_apic, device);
    apic->id = 0;
    local_apic_initialize(apic);
}

static void describe_set(const char *name, const uint32_t *set, FILE *out)
{
    fprintf(out, "    %s:", name);
    for (unsigned vector = 0; vector < 32 * VECTOR_WORDS; vector++) {
        if (vectors_contain(set, vector)) {
            fprintf(out, " %02x", vector);
        }
    }
    fputc('\n', out);
}

static void local_apic_describe(struct device *device, FILE *out)
{
    struct local_apic *apic = CONTAINER_OF(device, struct local_apic, device);
    const struct apic_registers *registers = &apic->registers;
    fprintf(out, "lapic: id %u at %llx, %s%s\n", (unsigned)(apic->id >> ID_SHIFT),
            (unsigned long long)apic->base, apic->enabled ? "enabled" : "disabled",
            is_software_enabled(apic) ? "" : ", by software disabled");
    fprintf(out, "    tpr %02x ppr %02x ldr %02x dfr %x spurious %02x esr %02x icr %08x:%08x\n",
            (unsigned)registers->tpr, (unsigned)processor_priority(apic),
            (unsigned)(registers->ldr >> ID_SHIFT), (unsigned)(registers->dfr >> 28),
            (unsigned)(registers->svr & 0xFF), (unsigned)registers->esr, (unsigned)registers->icr_high,
            (unsigned)registers->icr_low);
    for (unsigned i = 0; i < LVT_ENTRIES; i++) {
        uint32_t entry = registers->lvt[i];
        fprintf(out, "    %-12s%05x%s\n", lvt_shapes[i].name, (unsigned)entry,
                entry & LVT_MASKED ? " masked" : "");
    }
    fprintf(out, "    count %u of %u, tick %llu ns\n", (unsigned)timer_count(apic),
            (unsigned)apic->timer.initial, (unsigned long long)timer_tick_ns(&apic->timer));
    describe_set("in service", registers->isr, out);
    describe_set("requests", registers->irr, out);
}

static void local_apic_destroy(struct device *device)
{
    struct local_apic *apic = CONTAINER_OF(device, struct local_apic, device);
    event_clock_cancel(apic->host.clock, &apic->timer.event);
    memory_bus_release(apic->host.memory, apic->base, apic);
    free(apic);
}

static const struct device_class local_apic_class = {.name = "lapic",
                                                     .reset = local_apic_reset,
                                                     .describe = local_apic_describe,
                                                     .destroy = local_apic_destroy,
                                                     .state_size = sizeof(struct local_apic)};

struct status local_apic_create(const struct device_host *host, const struct local_apic_config *config,
                                struct local_apic **created)
{
    *created = NULL;
    struct local_apic *apic = calloc(1, sizeof *apic);
    if (apic == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the local APIC");
    }
    apic->device.class = &local_apic_class;
    apic->host = *host;
    apic->config = *config;
    apic->base = LOCAL_APIC_BASE;
    clock_event_init(&apic->timer.event, "lapic", timer_expired, apic);
    local_apic_reset(&apic->device);
    *created = apic;
    return status_ok();
}

struct device *local_apic_device(struct local_apic *apic)
{
    return &apic->device;
}

/* Life cycle and run loop of a machine; see machine.h. What is soldered to what stands in machine_pc.c.
 *
 * Realtime: the engine runs in chunks of about CHUNK_NS, or up to the next event if that comes first, and
 * between chunks events that are due fire. How many instructions that is, is guessed from how long the last
 * chunks took: an interrupt is late by what the guess is wrong. Counted: the budget ends exactly at the next
 * event, so that events fall between the same two instructions in every run; the end of a slice is an event
 * too, which makes halted time pass in the same steps. */
#include "machine/machine.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "devices/vga.h"
#include "host/host_clock.h"
#include "host/host_random.h"
#include "machine/engine_factory.h"
#include "machine/machine_internal.h"

#define CHUNK_NS               (50 * NS_PER_MICROSECOND)
#define CHUNK_INSTRUCTIONS     20000u /* at most, in counted time */
#define CHUNK_INSTRUCTIONS_MIN 100u   /* in realtime */
#define CHUNK_INSTRUCTIONS_MAX 60000u
#define POLLS_PER_LOOK         16u

#define INSTRUCTIONS_PER_GATHERING ((uint64_t)2 << 20) /* a look takes as long as some thousand of them */

/* So many DOS idle calls in so many instructions are a program waiting for a key: the host naps, and wakes
 * for input and events. */
#define IDLE_WINDOW 20000u
#define IDLE_HINTS  16u
#define IDLE_NAP_NS (2 * NS_PER_MILLISECOND)

/* A guest that polls a chip sees it change when it does, not at the end of a chunk: events that are due fire
 * first. A look at the host's clock takes as long as all the rest of the access; with the next event a chunk
 * away, every few accesses have one. Counted time needs no such care: its chunks end at the next event. */
static uint32_t pin_port_read(void *opaque, uint16_t port, unsigned width)
{
    struct machine *machine = opaque;
    if (!event_clock_is_counted(machine->clock) &&
        (machine->event_is_near || ++machine->polls % POLLS_PER_LOOK == 0)) {
        event_clock_run_due(machine->clock);
    }
    uint32_t value = port_bus_read(machine->ports, port, width);
    machine_note_port(machine, port, width, false, value);
    return value;
}

static void pin_port_write(void *opaque, uint16_t port, unsigned width, uint32_t value)
{
    struct machine *machine = opaque;
    machine_note_port(machine, port, width, true, value);
    port_bus_write(machine->ports, port, width, value);
}

static uint32_t pin_port_read_block(void *opaque, uint16_t port, unsigned width, void *to, uint32_t count)
{
    struct machine *machine = opaque;
    uint32_t done = port_bus_read_block(machine->ports, port, width, to, count);
    if (done > 0) {
        machine_note_port(machine, port, width, false, (uint32_t)load_le(to, width));
    }
    return done;
}

static uint32_t pin_port_write_block(void *opaque, uint16_t port, unsigned width, const void *from,
                                     uint32_t count)
{
    struct machine *machine = opaque;
    uint32_t done = port_bus_write_block(machine->ports, port, width, from, count);
    if (done > 0) {
        machine_note_port(machine, port, width, true, (uint32_t)load_le(from, width));
    }
    return done;
}

/* The time-stamp counter ticks once a virtual nanosecond: a 1 GHz processor, whatever the host is. */
static uint64_t pin_time_stamp(void *opaque)
{
    struct machine *machine = opaque;
    return event_clock_now(machine->clock);
}

static int pin_interrupt_acknowledge(void *opaque)
{
    return machine_interrupts_acknowledge(opaque);
}

static void pin_apic_base(void *opaque)
{
    machine_interrupts_set_apic_base(opaque);
}

static bool pin_a20(void *opaque)
{
    const struct machine *machine = opaque;
    return memory_bus_a20(machine->memory);
}

static void pin_ferr(void *opaque, bool level)
{
    machine_pc_set_ferr(opaque, level);
}

static void memory_code_written(void *opaque, uint64_t phys, unsigned length)
{
    struct machine *machine = opaque;
    const struct engine_range written = {.phys = phys, .length = length};
    struct engine_range dropped = machine->engine->ops->invalidate(machine->engine, written);
    memory_bus_unmark_code(machine->memory, dropped.phys, (unsigned)dropped.length);
}

static void memory_watched(void *opaque, uint64_t phys, uint64_t length)
{
    struct machine *machine = opaque;
    mmu_protect_pages(machine->mmu, phys, length);
}

static void memory_map_changed(void *opaque)
{
    struct machine *machine = opaque;
    mmu_flush(machine->mmu);
    machine->engine->ops->flush(machine->engine);
}

static void note_next_event(struct machine *machine)
{
    machine->event_is_near = event_clock_next_deadline(machine->clock) < machine->chunk_end + CHUNK_NS;
}

/* The engine comes back, and gets a budget that ends at the event. */
static void earlier_event(void *opaque)
{
    struct machine *machine = opaque;
    note_next_event(machine);
    if (event_clock_is_counted(machine->clock) ||
        event_clock_next_deadline(machine->clock) < machine->chunk_end) {
        machine->cpu.pending |= CPU_PENDING_STOP;
    }
}

static struct status create_clock(struct machine *machine, const struct machine_config *config)
{
    machine->clock = config->counted
                         ? event_clock_create_counted(&machine->cpu.retired, config->ns_per_instruction)
                         : event_clock_create_realtime(host_clock_monotonic_ns, NULL);
    if (machine->clock == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    event_clock_set_listener(machine->clock, earlier_event, machine);
    return status_ok();
}

/* Counted runs are the same each time: they go on with the seed that cpu_init() takes. */
static struct status seed_random(struct machine *machine, const struct machine_config *config)
{
    uint8_t seed[CPU_RANDOM_SEED];
    struct status status = config->counted ? status_ok() : host_random_bytes(seed, sizeof seed);
    if (status_is_ok(&status) && !config->counted) {
        cpu_seed_random(&machine->cpu, seed);
    }
    return status;
}

/* CPU, memory and ports: what every chip is attached to. */
static struct status create_core(struct machine *machine, const struct machine_config *config)
{
    const struct cpu_model *model = &machine->model;
    struct status status = machine_config_model(config, &machine->model);
    if (status_is_ok(&status)) {
        /* Display memory follows, so that shadow page tables can map it too. */
        status = host_memory_allocate(config->ram_size + VGA_DEFAULT_VRAM, &machine->ram);
    }
    if (!status_is_ok(&status)) {
        return status;
    }
    machine->memory = memory_bus_create(machine->ram.bytes, config->ram_size, model->address_bits,
                                        &machine->log, &machine->counters);
    machine->ports = port_bus_create(&machine->log, &machine->counters);
    machine->cpu.log = &machine->log;
    machine->cpu.counters = &machine->counters;
    machine->cpu.pins = (struct cpu_pins){.port_read = pin_port_read,
                                          .port_write = pin_port_write,
                                          .port_read_block = pin_port_read_block,
                                          .port_write_block = pin_port_write_block,
                                          .interrupt_acknowledge = pin_interrupt_acknowledge,
                                          .time_stamp = pin_time_stamp,
                                          .ferr = pin_ferr,
                                          .apic_base = pin_apic_base,
                                          .a20 = pin_a20,
                                          .opaque = machine};
    machine->cpu.has_local_apic = cpu_model_has(model, FEATURE_APIC);
    cpu_init(&machine->cpu, model);
    status = seed_random(machine, config);
    if (!status_is_ok(&status)) {
        return status;
    }
    if (machine->memory != NULL) {
        machine->mmu = mmu_create(&machine->cpu, machine->memory);
    }
    if (machine->ports == NULL || machine->mmu == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    machine->mmu->ram_fd = machine->ram.fd;
    machine->mmu->ram_fd_size = machine->ram.length;
    status = (config->create_engine != NULL ? config->create_engine : machine_engine_create)(
        &config->engine, &machine->cpu, machine->mmu, &machine->engine);
    if (!status_is_ok(&status)) {
        return status;
    }
    memory_bus_set_listener(machine->memory, &(struct memory_listener){.code_written = memory_code_written,
                                                                       .map_changed = memory_map_changed,
                                                                       .watched = memory_watched,
                                                                       .opaque = machine});
    return create_clock(machine, config);
}

static void slice_ended(void *opaque)
{
    (void)opaque; /* the deadline itself is what matters */
}

struct status machine_create(const struct machine_config *config, struct machine **machine)
{
    *machine = NULL;
    struct status status = machine_config_check(config);
    if (!status_is_ok(&status)) {
        return status;
    }
    struct machine *created = calloc(1, sizeof *created);
    if (created == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    created->log = config->log;
    created->engine_config = config->engine;
    created->no_reboot = config->no_reboot;
    created->debug_exit = config->debug_exit;
    created->rtc_epoch = config->rtc_epoch;
    created->ns_per_instruction = config->ns_per_instruction;
    created->stop_reason = "";
    created->chunk = CHUNK_INSTRUCTIONS_MIN;
    clock_event_init(&created->slice_event, "slice", slice_ended, NULL);
    status = create_core(created, config);
    if (status_is_ok(&status)) {
        status = machine_pc_create(created, config);
    }
    if (!status_is_ok(&status)) {
        machine_destroy(created);
        return status;
    }
    machine_reset_now(created);
    *machine = created;
    return status_ok();
}

void machine_destroy(struct machine *machine)
{
    if (machine == NULL) {
        return;
    }
    machine_replay_destroy(machine);
    machine_history_destroy(machine);
    machine_pc_destroy(machine);
    if (machine->engine != NULL) {
        memory_bus_set_listener(machine->memory, &(struct memory_listener){0});
        machine->engine->ops->destroy(machine->engine);
    }
    if (machine->mmu != NULL) {
        mmu_destroy(machine->mmu);
    }
    memory_bus_destroy(machine->memory);
    port_bus_destroy(machine->ports);
    event_clock_destroy(machine->clock);
    host_memory_release(&machine->ram);
    free(machine);
}

void machine_reset_now(struct machine *machine)
{
    machine->reset_request = MACHINE_RESET_NONE;
    if (machine->was_on) {
        machine_boot_forget_once(machine);
    }
    machine->was_on = true;
    machine_pc_reset(machine);
    machine->cpu.pending &= ~(uint32_t)(CPU_PENDING_RESET | CPU_PENDING_STOP);
    cpu_reset(&machine->cpu);
    machine_interrupts_set_apic_base(machine);
    mmu_flush(machine->mmu);
    machine->engine->ops->flush(machine->engine);
    if (machine->break_requested) { /* by what led to the reset */
        machine->cpu.pending |= CPU_PENDING_STOP;
    }
}

/* ---- running */

void machine_request_reset(struct machine *machine, enum machine_reset_request request, const char *reason)
{
    if (request > machine->reset_request) {
        machine->reset_request = request;
        machine->stop_reason = reason;
    }
    machine->cpu.pending |= CPU_PENDING_RESET;
}

/* Carries out the reset that was requested: of the CPU alone, as 80286 programs use it to leave protected
 * mode and BIOSes to reboot, or of everything. */
static enum machine_stop reset_as_requested(struct machine *machine)
{
    enum machine_reset_request request = machine->reset_request;
    bool resumes = request == MACHINE_RESET_CPU && machine_pc_resumes_after_reset(machine);
    log_printf(&machine->log, LOG_RESET, "%s", machine->stop_reason);
    machine->cpu.taken++;
    if (machine->no_reboot && !resumes) {
        machine->powered_off = true;
        return MACHINE_POWER_OFF;
    }
    if (request == MACHINE_RESET_ALL) {
        machine_reset_now(machine);
    } else {
        machine->reset_request = MACHINE_RESET_NONE;
        machine->cpu.pending &= ~(uint32_t)CPU_PENDING_RESET;
        if (!resumes) {
            machine_boot_forget_once(machine);
        }
        cpu_initialize(&machine->cpu);
        machine_interrupts_initialize(machine);
        mmu_flush(machine->mmu);
    }
    return MACHINE_GUEST_RESET;
}

void machine_request_power_off(struct machine *machine, const char *reason)
{
    machine->powered_off = true;
    machine->stop_reason = reason;
    machine->cpu.pending |= CPU_PENDING_STOP;
}

/* Instructions up to the nearer limit. */
static uint64_t left_to_limit(const struct machine *machine)
{
    const uint64_t limits[2] = {machine->instruction_limit, machine->step_limit};
    uint64_t retired = machine->cpu.retired;
    uint64_t left = UINT64_MAX;
    for (unsigned i = 0; i < ARRAY_COUNT(limits); i++) {
        if (limits[i] != 0) {
            uint64_t to_this = limits[i] > retired ? limits[i] - retired : 0;
            left = to_this < left ? to_this : left;
        }
    }
    return left;
}

/* Whether the machine is to stop at a limit, not to wait there for an interrupt or for time to pass. */
static bool limits_count(struct machine *machine)
{
    return machine->cpu.taken >= machine->wanted_taken &&
           event_clock_now(machine->clock) >= machine->wanted_time;
}

/* Realtime: what takes CHUNK_NS at the speed of late, or the time to the next event. */
static uint64_t realtime_budget(const struct machine *machine, uint64_t now)
{
    uint64_t deadline = event_clock_next_deadline(machine->clock);
    uint64_t left = deadline > now ? deadline - now : 0;
    uint64_t budget = machine->chunk * (left < CHUNK_NS ? left : CHUNK_NS) / CHUNK_NS;
    return budget < CHUNK_INSTRUCTIONS_MIN ? CHUNK_INSTRUCTIONS_MIN : budget;
}

static uint64_t next_budget(struct machine *machine, uint64_t now)
{
    uint64_t budget = event_clock_is_counted(machine->clock)
                          ? event_clock_budget(machine->clock, CHUNK_INSTRUCTIONS)
                          : realtime_budget(machine, now);
    uint64_t left = left_to_limit(machine);
    return left < budget ? left : budget;
}

/* The CPU waits for an interrupt. True when it has to go on waiting on the host. */
static bool must_idle(struct machine *machine)
{
    bool is_due = event_clock_skip_to_deadline(machine->clock);
    return !is_due && !event_clock_is_counted(machine->clock);
}

/* The engine has retired `count` instructions since `start`: a quarter of what that says about its speed goes
 * into the next chunk. */
static void fit_chunk(struct machine *machine, uint64_t start, uint64_t count)
{
    uint64_t took = event_clock_now(machine->clock) - start;
    if (took < CHUNK_NS / 8 && count < machine->chunk / 4) {
        return; /* a short run says little */
    }
    uint64_t fitting = count * CHUNK_NS / (took + 1);
    uint64_t chunk = (3 * machine->chunk + fitting) / 4;
    chunk = chunk < CHUNK_INSTRUCTIONS_MAX ? chunk : CHUNK_INSTRUCTIONS_MAX;
    machine->chunk = chunk > CHUNK_INSTRUCTIONS_MIN ? chunk : CHUNK_INSTRUCTIONS_MIN;
}

static bool guest_only_waits(struct machine *machine)
{
    const struct cpu_state *cpu = &machine->cpu;
    if (event_clock_is_counted(machine->clock) || cpu->retired - machine->window_start < IDLE_WINDOW) {
        return false;
    }
    bool waits = cpu->idle_hints - machine->window_hints >= IDLE_HINTS;
    machine->window_start = cpu->retired;
    machine->window_hints = cpu->idle_hints;
    return waits;
}

static enum machine_stop run_until(struct machine *machine, uint64_t end)
{
    for (;;) {
        event_clock_run_due(machine->clock);
        if (machine->powered_off) {
            return MACHINE_POWER_OFF;
        }
        if (machine->replay != NULL && machine_replay_take_inputs(machine)) {
            return MACHINE_BREAK;
        }
        if (machine->history != NULL) {
            machine_history_note(machine);
        }
        if (left_to_limit(machine) == 0 && limits_count(machine)) {
            return MACHINE_BREAK;
        }
        uint64_t now = event_clock_now(machine->clock);
        if (now >= end) {
            return MACHINE_SLICE;
        }
        machine->napping = false;
        machine->chunk_end = now + CHUNK_NS;
        note_next_event(machine);
        uint64_t retired = machine->cpu.retired;
        uint64_t budget = next_budget(machine, now);
        enum stop_reason reason = machine->engine->ops->run(machine->engine, budget);
        machine->chunk_end = 0;
        switch (reason) {
        case STOP_BUDGET:
            if (budget == 0) { /* at a limit where nothing comes any more */
                return MACHINE_BREAK;
            }
            fit_chunk(machine, now, machine->cpu.retired - retired);
            if (guest_only_waits(machine)) {
                machine->napping = true;
                return MACHINE_IDLE;
            }
            break;
        case STOP_REQUEST:
            if (machine_take_break(machine)) {
                return MACHINE_BREAK;
            }
            break;
        case STOP_HALTED:
            if (must_idle(machine)) {
                counter_add(&machine->counters, COUNTER_HALTS, 1);
                return MACHINE_IDLE;
            }
            break;
        case STOP_SHUTDOWN:
            if (machine_take_break(machine)) { /* the CPU stays as it is until it is to go on */
                return MACHINE_BREAK;
            }
            machine_request_reset(machine, MACHINE_RESET_CPU, "triple fault");
            return reset_as_requested(machine);
        case STOP_RESET: return reset_as_requested(machine);
        }
    }
}

/* However short the slices are. */
static void gather_memory(struct machine *machine)
{
    if (machine->cpu.retired - machine->gathered >= INSTRUCTIONS_PER_GATHERING) {
        machine->gathered = machine->cpu.retired;
        host_memory_gather(&machine->ram);
    }
}

enum machine_stop machine_run(struct machine *machine, uint64_t slice_ns)
{
    assert(!machine->paused);
    gather_memory(machine);
    if (machine->idle) {
        event_clock_skip_to_deadline(machine->clock);
    }
    if (machine->history != NULL) {
        machine_history_begin_run(machine);
    }
    uint64_t end = event_clock_now(machine->clock) + slice_ns;
    if (event_clock_is_counted(machine->clock)) {
        event_clock_schedule(machine->clock, &machine->slice_event, end);
    }
    enum machine_stop stop = run_until(machine, end);
    machine->idle = stop == MACHINE_IDLE;
    event_clock_cancel(machine->clock, &machine->slice_event);
    if (stop == MACHINE_POWER_OFF && machine->replay != NULL) {
        machine_replay_note_power_off(machine);
    }
    return stop;
}

int machine_exit_status(const struct machine *machine)
{
    return machine->exit_status;
}

struct status machine_image_failure(const struct machine *machine)
{
    return machine->image_failure;
}

const char *machine_stop_reason(const struct machine *machine)
{
    return machine->stop_reason;
}

uint64_t machine_idle_ns(struct machine *machine)
{
    uint64_t longest = machine->napping ? IDLE_NAP_NS : UINT64_MAX;
    uint64_t deadline = event_clock_next_deadline(machine->clock);
    if (deadline == EVENT_CLOCK_NEVER) {
        return longest;
    }
    uint64_t now = event_clock_now(machine->clock);
    uint64_t wait = deadline > now ? deadline - now : 0;
    return wait < longest ? wait : longest;
}

void machine_set_instruction_limit(struct machine *machine, uint64_t count)
{
    machine->instruction_limit = count;
}

void machine_set_step_limit(struct machine *machine, uint64_t count)
{
    machine->step_limit = count;
}

void machine_pause(struct machine *machine)
{
    machine->paused = true;
    event_clock_stop(machine->clock);
}

void machine_resume(struct machine *machine)
{
    machine->paused = false;
    event_clock_start(machine->clock);
}

bool machine_is_paused(const struct machine *machine)
{
    return machine->paused;
}

/* ---- views */

struct cpu_state *machine_cpu(struct machine *machine)
{
    return &machine->cpu;
}

struct mmu *machine_mmu(struct machine *machine)
{
    return machine->mmu;
}

struct memory_bus *machine_memory(struct machine *machine)
{
    return machine->memory;
}

struct port_bus *machine_ports(struct machine *machine)
{
    return machine->ports;
}

const struct engine_config *machine_engine_config(const struct machine *machine)
{
    return &machine->engine_config;
}

bool machine_for_each_block(struct machine *machine, engine_block_visitor *visit, void *opaque)
{
    const struct cpu_engine_ops *ops = machine->engine->ops;
    if (ops->for_each_block != NULL) {
        ops->for_each_block(machine->engine, visit, opaque);
    }
    return ops->for_each_block != NULL;
}

const uint64_t *machine_insn_counts(const struct machine *machine, enum engine_count what)
{
    const struct cpu_engine_ops *ops = machine->engine->ops;
    return ops->insn_counts != NULL ? ops->insn_counts(machine->engine, what) : NULL;
}

struct log *machine_log(struct machine *machine)
{
    return &machine->log;
}

uint64_t machine_retired(const struct machine *machine)
{
    return machine->cpu.retired;
}

struct counters *machine_counters(struct machine *machine)
{
    return &machine->counters;
}

uint64_t machine_now(struct machine *machine)
{
    return event_clock_now(machine->clock);
}

size_t machine_serial_output(struct machine *machine, unsigned port, uint64_t *from, uint8_t *to, size_t size)
{
    return serial_history_copy(&machine->serial[port].history, from, to, size);
}

bool machine_describe_device(struct machine *machine, const char *name, FILE *out)
{
    bool found = false;
    for (size_t i = 0; i < machine->device_count; i++) {
        struct device *device = machine->devices[i];
        if (strcmp(device->class->name, name) == 0) {
            device->class->describe(device, out);
            found = true;
        }
    }
    return found;
}

const char *machine_device_name(const struct machine *machine, size_t index)
{
    return index < machine->device_count ? machine->devices[index]->class->name : NULL;
}

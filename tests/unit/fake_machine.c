/* See fake_machine.h. */
#include "fake_machine.h"

#include <stdlib.h>
#include <string.h>

#define COLUMNS 80
#define ROWS    25

static void render(void *opaque, struct display_frame *frame, bool force)
{
    (void)force;
    const struct machine *machine = opaque;
    display_frame_resize(frame, 720, 400);
    frame->text.active = machine->screen != NULL;
    frame->text.columns = COLUMNS;
    frame->text.rows = ROWS;
    for (unsigned row = 0; row < ROWS; row++) {
        for (unsigned column = 0; column < COLUMNS; column++) {
            frame->text.cells[row][column].character = ' ';
        }
    }
    unsigned row = 0, column = 0;
    for (const char *at = machine->screen; at != NULL && *at != '\0'; at++) {
        if (*at == '\n') {
            row++;
            column = 0;
        } else {
            frame->text.cells[row][column++].character = (uint8_t)*at;
        }
    }
}

static void read_text(void *opaque, struct display_frame *frame)
{
    render(opaque, frame, true);
}

static void take_key(void *opaque, enum key key, bool pressed)
{
    struct machine *machine = opaque;
    if (machine->key_count < FAKE_EVENTS) {
        machine->keys[machine->key_count++] =
            (struct fake_key){.key = key, .pressed = pressed, .when = machine->now};
    }
}

static void take_mouse(void *opaque, int dx, int dy, int wheel, unsigned buttons)
{
    struct machine *machine = opaque;
    if (machine->mouse_count < FAKE_EVENTS) {
        machine->mice[machine->mouse_count++] =
            (struct fake_mouse){.dx = dx, .dy = dy, .wheel = wheel, .buttons = buttons};
    }
}

struct machine *fake_machine_create(void)
{
    struct machine *machine = calloc(1, sizeof *machine);
    machine->ram = calloc(1, FAKE_RAM);
    machine->input_ready = true;
    machine->display = (struct display_source){.render = render, .read_text = read_text, .opaque = machine};
    machine->input = (struct input_sink){.key = take_key, .mouse = take_mouse, .opaque = machine};
    machine->memory = memory_bus_create(machine->ram, FAKE_RAM, 32, &machine->log, &machine->counters);
    memory_bus_map_ram(machine->memory, 0, FAKE_RAM, 0);
    machine->ports = port_bus_create(&machine->log, &machine->counters);
    machine->cpu.log = &machine->log;
    machine->cpu.counters = &machine->counters;
    cpu_init(&machine->cpu, cpu_model_find("pentium3"));
    machine->mmu = mmu_create(&machine->cpu, machine->memory);
    return machine;
}

void fake_machine_destroy(struct machine *machine)
{
    mmu_destroy(machine->mmu);
    port_bus_destroy(machine->ports);
    memory_bus_destroy(machine->memory);
    free(machine->ram);
    free(machine);
}

void machine_set_instruction_limit(struct machine *machine, uint64_t count)
{
    machine->instruction_limit = count;
}

void machine_reset(struct machine *machine)
{
    machine->resets++;
}

void machine_pause(struct machine *machine)
{
    machine->paused = true;
}

void machine_resume(struct machine *machine)
{
    machine->paused = false;
}

bool machine_is_paused(const struct machine *machine)
{
    return machine->paused;
}

struct cpu_state *machine_cpu(struct machine *machine)
{
    return &machine->cpu;
}

const struct engine_config *machine_engine_config(const struct machine *machine)
{
    return &machine->engine;
}

const uint64_t *machine_insn_counts(const struct machine *machine, enum engine_count what)
{
    return machine->insn_counts[what];
}

bool machine_for_each_block(struct machine *machine, engine_block_visitor *visit, void *opaque)
{
    for (size_t i = 0; i < machine->block_count && visit(opaque, &machine->blocks[i]); i++) {
    }
    return machine->block_count != 0;
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

void machine_describe_post_codes(struct machine *machine, FILE *out)
{
    (void)machine;
    fputs("17 2a\n", out);
}

struct log *machine_log(struct machine *machine)
{
    return &machine->log;
}

struct counters *machine_counters(struct machine *machine)
{
    return &machine->counters;
}

const struct display_source *machine_display(struct machine *machine)
{
    return &machine->display;
}

const struct input_sink *machine_input(struct machine *machine)
{
    return &machine->input;
}

uint64_t machine_now(struct machine *machine)
{
    return machine->now;
}

bool machine_input_ready(struct machine *machine)
{
    return machine->input_ready;
}

size_t machine_serial_output(struct machine *machine, unsigned port, uint64_t *from, uint8_t *to, size_t size)
{
    const char *sent = machine->serial[port] != NULL ? machine->serial[port] : "";
    size_t length = strlen(sent);
    size_t left = *from < length ? length - (size_t)*from : 0;
    size_t copied = left < size ? left : size;
    memcpy(to, sent + length - left, copied);
    return copied;
}

bool machine_describe_device(struct machine *machine, const char *name, FILE *out)
{
    (void)machine;
    if (strcmp(name, "pic") != 0) {
        return false;
    }
    fputs("pic0: all quiet\n", out);
    return true;
}

const char *machine_device_name(const struct machine *machine, size_t index)
{
    (void)machine;
    return index == 0 ? "pic" : NULL;
}

struct status machine_change_floppy(struct machine *machine, unsigned drive, const char *path, bool read_only)
{
    if (strcmp(path, "bad.img") == 0) {
        return status_error(STATUS_NOT_FOUND, "no such image");
    }
    snprintf(machine->changed, sizeof machine->changed, "%u %.32s %s", drive, path, read_only ? "ro" : "rw");
    return status_ok();
}

void machine_eject_floppy(struct machine *machine, unsigned drive)
{
    snprintf(machine->changed, sizeof machine->changed, "%u eject", drive);
}

void machine_describe_floppies(struct machine *machine, FILE *out)
{
    (void)machine;
    fputs("floppy a: empty\n", out);
}

struct status machine_change_cdrom(struct machine *machine, unsigned drive, const char *path, bool force)
{
    snprintf(machine->changed, sizeof machine->changed, "cd%u %.32s %s", drive, path,
             force ? "force" : "gently");
    return status_ok();
}

struct status machine_eject_cdrom(struct machine *machine, unsigned drive, bool force)
{
    if (!force) {
        return status_error(STATUS_CONFLICT, "locked");
    }
    snprintf(machine->changed, sizeof machine->changed, "cd%u eject", drive);
    return status_ok();
}

void machine_describe_ide(struct machine *machine, FILE *out)
{
    (void)machine;
    fputs("hda (disk): c.img\n", out);
}

void machine_press_power_button(struct machine *machine)
{
    machine->power_presses++;
}

void machine_set_step_limit(struct machine *machine, uint64_t count)
{
    machine->step_limit = count;
}

void machine_set_probe(struct machine *machine, const struct machine_probe *probe)
{
    machine->has_probe = probe != NULL;
    if (probe != NULL) {
        machine->probe = *probe;
    }
}

void machine_request_break(struct machine *machine)
{
    machine->break_requested = true;
}

uint64_t machine_retired(const struct machine *machine)
{
    return machine->cpu.retired;
}

void machine_cancel_break(struct machine *machine)
{
    machine->break_requested = false;
}

bool machine_has_history(const struct machine *machine)
{
    return machine->has_history;
}

bool machine_is_in_past(struct machine *machine)
{
    return machine->in_past;
}

int machine_place_compare(const struct machine_place *a, const struct machine_place *b)
{
    return (a->retired > b->retired) - (a->retired < b->retired);
}

struct machine_place machine_place(struct machine *machine)
{
    return (struct machine_place){.retired = machine->cpu.retired};
}

struct machine_place machine_history_first(struct machine *machine)
{
    (void)machine;
    return (struct machine_place){0};
}

struct machine_place machine_history_end(struct machine *machine)
{
    return machine->moments != NULL ? (struct machine_place){.retired = machine->moment_count - 1}
                                    : machine_place(machine);
}

bool machine_history_before(struct machine *machine, const struct machine_place *place,
                            struct machine_place *checkpoint)
{
    const uint64_t interval = machine->checkpoint_interval;
    *checkpoint = (struct machine_place){0};
    if (interval != 0 && place->retired > 0) {
        checkpoint->retired = (place->retired - 1) / interval * interval;
    }
    return place->retired > 0;
}

/* The CPU as it is after so many instructions. */
static void go_to_moment(struct machine *machine, uint64_t retired)
{
    machine->cpu.retired = retired;
    if (machine->moments != NULL) {
        machine->cpu.rip = machine->moments[retired].eip;
        machine->cpu.gpr[CPU_SP].d = machine->moments[retired].sp;
        machine->cpu.gpr[CPU_CX].d = machine->moments[retired].count;
        machine->cpu.gpr[CPU_DI].d = 0x1000 - machine->moments[retired].count;
    }
}

struct status machine_history_restore(struct machine *machine, const struct machine_place *place)
{
    go_to_moment(machine, place->retired);
    return status_ok();
}

struct status machine_history_seek(struct machine *machine, const struct machine_place *place)
{
    go_to_moment(machine, place->retired);
    return status_ok();
}

void machine_history_forget(struct machine *machine)
{
    machine->forgotten++;
}

struct machine_history_info machine_history_info(const struct machine *machine)
{
    (void)machine;
    return (struct machine_history_info){.checkpoints = 1, .bytes_allowed = MIB};
}

static bool stops_here(struct machine *machine)
{
    const uint64_t linear = machine->cpu.segment[CPU_CS].base + machine->cpu.rip;
    const struct cpu_probe *probe = &machine->probe.cpu;
    return machine->has_probe && (probe->offsets[linear % CPU_PROBE_PAGE / 64] >> linear % 64 & 1) != 0 &&
           probe->at_code(probe->opaque);
}

static void tell_store(struct machine *machine, uint32_t address)
{
    const struct cpu_probe *probe = &machine->probe.cpu;
    for (unsigned i = 0; machine->has_probe && i < probe->watch_count; i++) {
        if (probe->watch[i].first <= address && address <= probe->watch[i].last) {
            probe->at_data(probe->opaque, address, 1, true);
        }
    }
}

enum machine_stop machine_run(struct machine *machine, uint64_t slice_ns)
{
    (void)slice_ns;
    while (machine->cpu.retired + 1 < machine->moment_count) {
        const bool is_over = machine->step_limit != 0 && machine->cpu.retired >= machine->step_limit;
        if (is_over || machine->break_requested || stops_here(machine)) {
            machine->break_requested = false;
            return MACHINE_BREAK;
        }
        if (machine->moments[machine->cpu.retired].stored != 0) {
            tell_store(machine, machine->moments[machine->cpu.retired].stored);
        }
        go_to_moment(machine, machine->cpu.retired + 1);
    }
    return MACHINE_POWER_OFF;
}

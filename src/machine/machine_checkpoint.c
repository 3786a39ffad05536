/* Copying a machine and putting the copy back; see machine_checkpoint.h. */
#include "machine/machine_checkpoint.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "machine/machine_internal.h"

struct machine_layout {
    unsigned references;
    struct memory_layout *map;
    uint64_t version; /* of the bus when it was last like this */
};

/* ---- what a machine consists of */

static void visit_device(struct device *device, const struct state_visitor *visitor)
{
    const struct device_class *class = device->class;
    assert(class->state_size > 0 || class->visit_state != NULL);
    if (class->state_size > 0) {
        state_visit(visitor, device, class->state_size);
    }
    if (class->visit_state != NULL) {
        class->visit_state(device, visitor);
    }
}

static void visit_board(struct machine *machine, const struct state_visitor *visitor)
{
    state_visit(visitor, &machine->boot, sizeof machine->boot);
    state_visit(visitor, &machine->a20_keyboard, sizeof machine->a20_keyboard);
    state_visit(visitor, &machine->a20_port92, sizeof machine->a20_port92);
    state_visit(visitor, machine->timer_lines, sizeof machine->timer_lines);
    state_visit(visitor, machine->clock_lines, sizeof machine->clock_lines);
    state_visit(visitor, &machine->legacy_replacement, sizeof machine->legacy_replacement);
    state_visit(visitor, &machine->shutdown_letters, sizeof machine->shutdown_letters);
    state_visit(visitor, &machine->vga_function, sizeof machine->vga_function);
    for (unsigned i = 0; i < MACHINE_SERIALS; i++) {
        state_visit(visitor, &machine->serial[i].history, sizeof machine->serial[i].history);
    }
    state_visit(visitor, &machine->debug_sent, sizeof machine->debug_sent);
    state_visit(visitor, &machine->slice_event, sizeof machine->slice_event);
    state_visit(visitor, &machine->powered_off, sizeof machine->powered_off);
    state_visit(visitor, &machine->was_on, sizeof machine->was_on);
    state_visit(visitor, &machine->reset_request, sizeof machine->reset_request);
    state_visit(visitor, &machine->stop_reason, sizeof machine->stop_reason);
    state_visit(visitor, &machine->exit_status, sizeof machine->exit_status);
}

static void visit_machine(struct machine *machine, const struct state_visitor *visitor)
{
    state_visit(visitor, &machine->cpu, sizeof machine->cpu);
    event_clock_visit_state(machine->clock, visitor);
    port_bus_visit_state(machine->ports, visitor);
    pci_bus_visit_state(machine->chips.pci, visitor);
    for (size_t i = 0; i < machine->device_count; i++) {
        visit_device(machine->devices[i], visitor);
    }
    visit_board(machine, visitor);
    machine_replay_visit_state(machine, visitor);
}

/* ---- as bytes */

static void add_length(void *opaque, void *bytes, size_t length)
{
    (void)bytes;
    size_t *sum = opaque;
    *sum += length;
}

static void copy_out(void *opaque, void *bytes, size_t length)
{
    uint8_t **to = opaque;
    memcpy(*to, bytes, length);
    *to += length;
}

static void copy_in(void *opaque, void *bytes, size_t length)
{
    const uint8_t **from = opaque;
    memcpy(bytes, *from, length);
    *from += length;
}

/* A buffer for all of the state, whole pages and zeros; no bytes when out of memory. */
static struct host_memory state_buffer(struct machine *machine)
{
    size_t length = 0;
    visit_machine(machine, &(struct state_visitor){.visit = add_length, .opaque = &length});
    length = (length + PAGE_STORE_PAGE - 1) / PAGE_STORE_PAGE * PAGE_STORE_PAGE;
    return (struct host_memory){.bytes = calloc(1, length), .length = length, .fd = -1};
}

static struct page_set *copy_state(struct machine *machine, struct page_store *store,
                                   const struct page_set *like)
{
    struct host_memory buffer = state_buffer(machine);
    if (buffer.bytes == NULL) {
        return NULL;
    }
    uint8_t *to = buffer.bytes;
    visit_machine(machine, &(struct state_visitor){.visit = copy_out, .opaque = &to});
    struct page_set *set = page_set_create(store, &buffer, like);
    free(buffer.bytes);
    return set;
}

/* ---- the memory map */

static struct machine_layout *take_layout(const struct machine *machine, struct machine_layout *like)
{
    uint64_t version = memory_bus_layout_version(machine->memory);
    if (like != NULL && like->version == version) {
        like->references++;
        return like;
    }
    struct machine_layout *layout = malloc(sizeof *layout);
    struct memory_layout *map = memory_bus_copy_layout(machine->memory);
    if (layout == NULL || map == NULL) {
        free(layout);
        memory_layout_destroy(map);
        return NULL;
    }
    *layout = (struct machine_layout){.references = 1, .map = map, .version = version};
    return layout;
}

static void release_layout(struct machine_layout *layout)
{
    if (layout != NULL && --layout->references == 0) {
        memory_layout_destroy(layout->map);
        free(layout);
    }
}

static void put_back_layout(struct machine *machine, struct machine_layout *layout)
{
    if (layout->version != memory_bus_layout_version(machine->memory)) {
        memory_bus_set_layout(machine->memory, layout->map);
        layout->version = memory_bus_layout_version(machine->memory);
    }
}

/* ---- checkpoints */

struct machine_checkpoint *machine_checkpoint_create(struct machine *machine, struct page_store *store,
                                                     const struct machine_checkpoint *like)
{
    struct machine_checkpoint *checkpoint = calloc(1, sizeof *checkpoint);
    if (checkpoint == NULL) {
        return NULL;
    }
    checkpoint->place = machine_place(machine);
    checkpoint->a20 = memory_bus_a20(machine->memory);
    checkpoint->inputs = machine_replay_position(machine);
    checkpoint->layout = take_layout(machine, like != NULL ? like->layout : NULL);
    checkpoint->memory = page_set_create(store, &machine->ram, like != NULL ? like->memory : NULL);
    checkpoint->state = copy_state(machine, store, like != NULL ? like->state : NULL);
    if (checkpoint->layout == NULL || checkpoint->memory == NULL || checkpoint->state == NULL) {
        machine_checkpoint_destroy(store, checkpoint);
        return NULL;
    }
    return checkpoint;
}

void machine_checkpoint_destroy(struct page_store *store, struct machine_checkpoint *checkpoint)
{
    if (checkpoint != NULL) {
        page_set_destroy(store, checkpoint->memory);
        page_set_destroy(store, checkpoint->state);
        release_layout(checkpoint->layout);
        free(checkpoint);
    }
}

/* Display memory's code and watches are dropped as a whole. */
static void page_changes(void *opaque, uint64_t offset)
{
    struct machine *machine = opaque;
    if (offset < memory_bus_ram_size(machine->memory)) {
        memory_bus_forget_page(machine->memory, offset);
    }
}

static void put_back_state(struct machine *machine, const struct host_memory *buffer)
{
    const struct cpu_probe *probe = machine->cpu.probe;
    const uint8_t *from = buffer->bytes;
    visit_machine(machine, &(struct state_visitor){.visit = copy_in, .opaque = &from});
    machine->cpu.probe = probe;
    machine->cpu.unwind = NULL;
    machine->cpu.pending &= ~(uint32_t)CPU_PENDING_STOP;
    machine->cpu.pending |= CPU_PENDING_ENGINE;
    machine->break_requested = false;
    event_clock_cancel(machine->clock, &machine->slice_event);
}

bool machine_checkpoint_put_back(struct machine *machine, const struct machine_checkpoint *checkpoint)
{
    struct host_memory buffer = state_buffer(machine);
    if (buffer.bytes == NULL) {
        return false;
    }
    page_set_put_back(checkpoint->state, &buffer, NULL, NULL);
    memory_bus_set_a20(machine->memory, true);
    put_back_layout(machine, checkpoint->layout);
    memory_bus_forget_device_memory(machine->memory);
    page_set_put_back(checkpoint->memory, &machine->ram, page_changes, machine);
    put_back_state(machine, &buffer);
    free(buffer.bytes);
    memory_bus_set_a20(machine->memory, checkpoint->a20);
    for (size_t i = 0; i < machine->device_count; i++) {
        struct device *device = machine->devices[i];
        if (device->class->state_restored != NULL) {
            device->class->state_restored(device);
        }
    }
    machine_replay_set_position(machine, checkpoint->inputs);
    machine->cpu.memory_ops->flush_tlb(&machine->cpu, true);
    machine->engine->ops->flush(machine->engine);
    return true;
}

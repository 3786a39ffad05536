/* The bench of the local APIC's tests; see local_apic_rig.h. */
#include "local_apic_rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static int acknowledge_pic(void *opaque)
{
    struct apic_rig *rig = opaque;
    rig->pic_acknowledges++;
    return PIC_VECTOR;
}

static void end_of_interrupt(void *opaque, uint8_t vector)
{
    struct apic_rig *rig = opaque;
    rig->ends++;
    rig->last_ended = vector;
}

int apic_rig_setup(void **state)
{
    struct apic_rig *rig = test_calloc(1, sizeof *rig);
    rig->bench = bench_create();
    const struct local_apic_config config = {.intr = bench_line_connect(&rig->intr),
                                             .nmi = bench_line_connect(&rig->nmi),
                                             .smi = bench_line_connect(&rig->smi),
                                             .init = bench_line_connect(&rig->init),
                                             .acknowledge_external = acknowledge_pic,
                                             .end_of_interrupt = end_of_interrupt,
                                             .opaque = rig};
    bench_check(local_apic_create(&rig->bench->host, &config, &rig->apic));
    local_apic_set_base(rig->apic, LOCAL_APIC_BASE, true);
    *state = rig;
    return 0;
}

int apic_rig_setup_enabled(void **state)
{
    apic_rig_setup(state);
    apic_set(*state, APIC_SVR, 0x100 | SPURIOUS_VECTOR);
    apic_set(*state, APIC_LVT_LINT0, APIC_MASKED);
    return 0;
}

int apic_rig_teardown(void **state)
{
    struct apic_rig *rig = *state;
    struct device *device = local_apic_device(rig->apic);
    device->class->destroy(device);
    bench_destroy(rig->bench);
    test_free(rig);
    return 0;
}

uint32_t apic_get(struct apic_rig *rig, unsigned offset)
{
    return (uint32_t)memory_bus_read(rig->bench->host.memory, LOCAL_APIC_BASE + offset, 4);
}

void apic_set(struct apic_rig *rig, unsigned offset, uint32_t value)
{
    memory_bus_write(rig->bench->host.memory, LOCAL_APIC_BASE + offset, 4, value);
}

void apic_send_message(struct apic_rig *rig, const struct interrupt_message *message)
{
    struct interrupt_sink sink = local_apic_sink(rig->apic);
    interrupt_sink_deliver(&sink, message);
}

void apic_send(struct apic_rig *rig, uint8_t vector)
{
    apic_send_message(rig, &(struct interrupt_message){.vector = vector, .destination = 0xFF});
}

void apic_send_level(struct apic_rig *rig, uint8_t vector)
{
    apic_send_message(rig, &(struct interrupt_message){.vector = vector, .destination = 0xFF, .level = true});
}

void apic_drive_lint(struct apic_rig *rig, unsigned number, bool level)
{
    struct irq_line line = local_apic_lint(rig->apic, number);
    irq_line_set(&line, level);
}

bool apic_set_holds(struct apic_rig *rig, unsigned offset, uint8_t vector)
{
    return apic_get(rig, offset + vector / 32u * 16) >> (vector % 32) & 1;
}

/* Any sequence of accesses to local APIC, I/O APIC and HPET, of lines, time and acknowledges leaves them
 * sane: no sanitizer report, no endless message, no event storm, and INTR is not high for nothing.
 *
 * The input is a program: one byte chooses the action, the next ones are its operands; it ends with the
 * input. */
#include <stdlib.h>

#include "base/bits.h"
#include "devices/hpet.h"
#include "devices/ioapic.h"
#include "devices/local_apic.h"
#include "fuzz_devices.h"
#include "fuzz_input.h"

#define MAX_STEP_NS (4 * NS_PER_MILLISECOND)
#define MAX_EVENTS  4000 /* of one step: four timers, each every 10 us at most, with room for one-shots */
#define MAX_NESTING 64
#define PIC_VECTOR  8

struct board {
    struct bench *bench;
    struct local_apic *apic;
    struct ioapic *ioapic;
    struct hpet *hpet;
    struct bench_line intr, nmi, smi, init, replacement;
    unsigned sends; /* nested ones */
};

static int acknowledge_pic(void *opaque)
{
    (void)opaque;
    return PIC_VECTOR;
}

static void end_of_interrupt(void *opaque, uint8_t vector)
{
    const struct board *board = opaque;
    ioapic_end_of_interrupt(board->ioapic, vector);
}

static void deliver(void *opaque, const struct interrupt_message *message)
{
    struct board *board = opaque;
    if (++board->sends > MAX_NESTING) {
        abort();
    }
    struct interrupt_sink sink = local_apic_sink(board->apic);
    interrupt_sink_deliver(&sink, message);
    board->sends--;
}

static void create(struct board *board)
{
    board->bench = bench_create();
    const struct device_host *host = &board->bench->host;
    const struct local_apic_config apic = {.intr = bench_line_connect(&board->intr),
                                           .nmi = bench_line_connect(&board->nmi),
                                           .smi = bench_line_connect(&board->smi),
                                           .init = bench_line_connect(&board->init),
                                           .acknowledge_external = acknowledge_pic,
                                           .end_of_interrupt = end_of_interrupt,
                                           .opaque = board};
    bench_check(local_apic_create(host, &apic, &board->apic));
    local_apic_set_base(board->apic, LOCAL_APIC_BASE, true);
    const struct interrupt_sink sink = {.deliver = deliver, .opaque = board};
    bench_check(ioapic_create(host, &sink, &board->ioapic));
    struct hpet_config hpet = {.legacy = {ioapic_input(board->ioapic, 2), ioapic_input(board->ioapic, 8)},
                               .legacy_replacement = bench_line_connect(&board->replacement),
                               .route_mask = 0x00FF0000};
    for (unsigned input = 16; input < IOAPIC_INPUTS; input++) {
        hpet.routes[input] = ioapic_input(board->ioapic, input);
    }
    bench_check(hpet_create(host, &hpet, &board->hpet));
}

static void destroy(struct board *board)
{
    struct device *devices[] = {hpet_device(board->hpet), ioapic_device(board->ioapic),
                                local_apic_device(board->apic)};
    for (size_t i = 0; i < ARRAY_COUNT(devices); i++) {
        devices[i]->class->destroy(devices[i]);
    }
    fuzz_require_no_events(board->bench);
    bench_destroy(board->bench);
}

static void access_register(struct board *board, struct fuzz_input *input, bool write)
{
    static const uint32_t bases[] = {LOCAL_APIC_BASE, LOCAL_APIC_BASE, IOAPIC_BASE, HPET_BASE};
    uint8_t choice = fuzz_byte(input);
    unsigned width = choice & 0x70 ? 4 : 1u << (choice >> 2 & 3);
    unsigned offset = (unsigned)fuzz_byte(input) << ((choice & 3) < 2 ? 4 : 1);
    uint64_t address = bases[choice & 3] + offset;
    if (choice & 0x80) {
        address += fuzz_byte(input) & 7;
    }
    if (write) {
        memory_bus_write(board->bench->host.memory, address, width, fuzz_word32(input, width));
    } else {
        (void)memory_bus_read(board->bench->host.memory, address, width);
    }
}

static void acknowledge(struct board *board)
{
    bool waits = board->intr.level;
    int vector = local_apic_acknowledge(board->apic);
    if (vector < 0 || vector > 255 || (waits && vector < 16 && vector != PIC_VECTOR)) {
        abort();
    }
}

static void step(struct board *board, struct fuzz_input *input)
{
    struct irq_line line;
    uint8_t action = fuzz_byte(input);
    switch (action & 15) {
    case 0: access_register(board, input, false); break;
    case 1:
        line = local_apic_lint(board->apic, action >> 4 & 1);
        irq_line_set(&line, action & 0x80);
        break;
    case 2:
    case 3:
        line = ioapic_input(board->ioapic, fuzz_byte(input) % IOAPIC_INPUTS);
        irq_line_set(&line, action & 0x80);
        break;
    case 4:
    case 5: acknowledge(board); break;
    case 6: fuzz_pass_time(board->bench, MAX_EVENTS, fuzz_word32(input, 3) % MAX_STEP_NS); break;
    case 7: bench_jump_to(board->bench, board->bench->host_ns + fuzz_word32(input, 4)); break;
    case 8:
        local_apic_set_base(board->apic, action & 0x10 ? LOCAL_APIC_BASE : fuzz_word32(input, 3) << 12,
                            action & 0x20);
        break;
    case 9: local_apic_initialize(board->apic); break;
    default: access_register(board, input, true); break;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct board board = {0};
    struct fuzz_input input = {.bytes = data, .left = size < 4096 ? size : 4096};
    create(&board);
    while (input.left > 0) {
        step(&board, &input);
    }
    destroy(&board);
    return 0;
}

/* The two 8259As; see i8259.h. Datasheet terms are used throughout: IRR, ISR, IMR, ICW, OCW. */
#include "devices/i8259.h"

#include <assert.h>
#include <stdlib.h>

#include "base/bits.h"
#include "devices/device_ports.h"

#define CASCADE_INPUT 2

#define ICW1_IC4  0x01
#define ICW1_SNGL 0x02
#define ICW1      0x10
#define ICW4_AEOI 0x02
#define ICW4_SFNM 0x10
#define OCW3      0x08
#define OCW3_RIS  0x01
#define OCW3_RR   0x02
#define OCW3_POLL 0x04
#define OCW3_SMM  0x20
#define OCW3_ESMM 0x40

enum init_step { INIT_DONE, INIT_ICW2, INIT_ICW3, INIT_ICW4 };

struct i8259 {
    struct i8259_pair *pair;
    uint8_t lines;       /* inputs as they are now */
    uint8_t edges;       /* inputs that rose and were not acknowledged yet: the edge sense latches */
    uint8_t level_mask;  /* ELCR: inputs that are level-triggered */
    uint8_t elcr_usable; /* ELCR bits that exist */
    uint8_t imr;
    uint8_t isr;
    uint8_t vector_base;
    uint8_t lowest_priority; /* the input that is least urgent: 7 unless rotated */
    enum init_step init_step;
    bool needs_icw3;
    bool needs_icw4;
    bool auto_eoi;
    bool rotate_on_auto_eoi;
    bool special_mask;
    bool special_fully_nested;
    bool read_isr;
    bool poll;
};

struct i8259_pair {
    struct device device;
    struct device_host host;
    struct irq_line to_cpu;
    struct i8259 chips[2];
    struct io_region regions[3];
};

static bool chip_is_master(const struct i8259 *chip)
{
    return chip == &chip->pair->chips[0];
}

static uint8_t chip_requests(const struct i8259 *chip)
{
    return (uint8_t)(chip->lines & (chip->edges | chip->level_mask));
}

/* How urgent the most urgent input of `set` is, 0 (most) to 7; 8 for the empty set. */
static unsigned chip_priority(const struct i8259 *chip, uint8_t set)
{
    for (unsigned priority = 0; priority < 8; priority++) {
        if ((set >> ((chip->lowest_priority + 1 + priority) & 7)) & 1) {
            return priority;
        }
    }
    return 8;
}

static unsigned chip_input_at(const struct i8259 *chip, unsigned priority)
{
    return (chip->lowest_priority + 1u + priority) & 7;
}

/* The input that INT is high for, or -1. */
static int chip_pending(const struct i8259 *chip)
{
    unsigned wanted = chip_priority(chip, (uint8_t)(chip_requests(chip) & ~chip->imr));
    uint8_t in_service = chip->isr;
    if (chip->special_mask) {
        in_service = (uint8_t)(in_service & ~chip->imr);
    }
    if (chip->special_fully_nested && chip_is_master(chip)) {
        in_service = (uint8_t)(in_service & ~(1u << CASCADE_INPUT));
    }
    return wanted < chip_priority(chip, in_service) ? (int)chip_input_at(chip, wanted) : -1;
}

static void chip_set_line(struct i8259 *chip, unsigned input, bool level)
{
    uint8_t bit = (uint8_t)(1u << input);
    if (!level) {
        chip->lines = (uint8_t)(chip->lines & ~bit);
        chip->edges = (uint8_t)(chip->edges & ~bit);
    } else if (!(chip->lines & bit)) {
        chip->lines |= bit;
        chip->edges |= bit;
    }
}

static void pair_update(struct i8259_pair *pair)
{
    struct i8259 *master = &pair->chips[0];
    bool slave_int = chip_pending(&pair->chips[1]) >= 0;
    chip_set_line(master, CASCADE_INPUT, slave_int);
    if (slave_int) {
        master->edges |= 1u << CASCADE_INPUT;
    }
    irq_line_set(&pair->to_cpu, chip_pending(master) >= 0);
}

/* First INTA: the pending input goes in service. Returns it, or 7 when there is none. */
static unsigned chip_acknowledge(struct i8259 *chip)
{
    int pending = chip_pending(chip);
    if (pending < 0) {
        return 7;
    }
    uint8_t bit = (uint8_t)(1u << pending);
    chip->edges = (uint8_t)(chip->edges & ~bit);
    if (!chip->auto_eoi) {
        chip->isr |= bit;
    } else if (chip->rotate_on_auto_eoi) {
        chip->lowest_priority = (uint8_t)pending;
    }
    return (unsigned)pending;
}

int i8259_pair_acknowledge(struct i8259_pair *pair)
{
    struct i8259 *chip = &pair->chips[0];
    bool real = chip_pending(chip) >= 0;
    unsigned input = chip_acknowledge(chip);
    if (real && input == CASCADE_INPUT) {
        chip = &pair->chips[1];
        input = chip_acknowledge(chip);
    }
    pair_update(pair);
    return chip->vector_base | (int)input;
}

static void chip_end_of_interrupt(struct i8259 *chip, unsigned input, bool rotate)
{
    chip->isr = (uint8_t)(chip->isr & ~(1u << input));
    if (rotate) {
        chip->lowest_priority = (uint8_t)input;
    }
}

static void chip_end_most_urgent(struct i8259 *chip, bool rotate)
{
    uint8_t candidates = chip->special_mask ? (uint8_t)(chip->isr & ~chip->imr) : chip->isr;
    unsigned priority = chip_priority(chip, candidates);
    if (priority < 8) {
        chip_end_of_interrupt(chip, chip_input_at(chip, priority), rotate);
    }
}

static void chip_write_icw1(struct i8259 *chip, uint8_t value)
{
    chip->edges = 0;
    chip->imr = 0;
    chip->isr = 0;
    chip->lowest_priority = 7;
    chip->special_mask = false;
    chip->read_isr = false;
    chip->poll = false;
    chip->auto_eoi = false;
    chip->rotate_on_auto_eoi = false;
    chip->special_fully_nested = false;
    chip->needs_icw3 = !(value & ICW1_SNGL);
    chip->needs_icw4 = value & ICW1_IC4;
    chip->init_step = INIT_ICW2;
}

static void chip_write_ocw2(struct i8259 *chip, uint8_t value)
{
    unsigned input = value & 7;
    switch (value >> 5) {
    case 0: chip->rotate_on_auto_eoi = false; break;
    case 1: chip_end_most_urgent(chip, false); break;
    case 3: chip_end_of_interrupt(chip, input, false); break;
    case 4: chip->rotate_on_auto_eoi = true; break;
    case 5: chip_end_most_urgent(chip, true); break;
    case 6: chip->lowest_priority = (uint8_t)input; break;
    case 7: chip_end_of_interrupt(chip, input, true); break;
    default: break;
    }
}

static void chip_write_ocw3(struct i8259 *chip, uint8_t value)
{
    if (value & OCW3_ESMM) {
        chip->special_mask = value & OCW3_SMM;
    }
    if (value & OCW3_RR) {
        chip->read_isr = value & OCW3_RIS;
    }
    chip->poll = value & OCW3_POLL;
}

static void chip_write_data(struct i8259 *chip, uint8_t value)
{
    switch (chip->init_step) {
    case INIT_DONE: chip->imr = value; break;
    case INIT_ICW2:
        chip->vector_base = value & 0xf8;
        chip->init_step = chip->needs_icw3 ? INIT_ICW3 : chip->needs_icw4 ? INIT_ICW4 : INIT_DONE;
        break;
    case INIT_ICW3: chip->init_step = chip->needs_icw4 ? INIT_ICW4 : INIT_DONE; break;
    case INIT_ICW4:
        chip->auto_eoi = value & ICW4_AEOI;
        chip->special_fully_nested = value & ICW4_SFNM;
        chip->init_step = INIT_DONE;
        break;
    }
}

static void chip_write(void *opaque, uint64_t offset, unsigned width, uint64_t wide_value)
{
    struct i8259 *chip = opaque;
    uint8_t value = (uint8_t)wide_value;
    (void)width;
    if (offset == 1) {
        chip_write_data(chip, value);
    } else if (value & ICW1) {
        chip_write_icw1(chip, value);
    } else if (value & OCW3) {
        chip_write_ocw3(chip, value);
    } else {
        chip_write_ocw2(chip, value);
    }
    pair_update(chip->pair);
}

static uint64_t chip_read(void *opaque, uint64_t offset, unsigned width)
{
    struct i8259 *chip = opaque;
    (void)width;
    if (chip->poll) {
        chip->poll = false;
        bool pending = chip_pending(chip) >= 0;
        uint8_t answer = pending ? (uint8_t)(0x80 | chip_acknowledge(chip)) : 0;
        pair_update(chip->pair);
        return answer;
    }
    if (offset == 1) {
        return chip->imr;
    }
    return chip->read_isr ? chip->isr : chip_requests(chip);
}

static uint64_t elcr_read(void *opaque, uint64_t offset, unsigned width)
{
    struct i8259_pair *pair = opaque;
    (void)width;
    return pair->chips[offset & 1].level_mask;
}

static void elcr_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct i8259_pair *pair = opaque;
    struct i8259 *chip = &pair->chips[offset & 1];
    (void)width;
    chip->level_mask = (uint8_t)(value & chip->elcr_usable);
    pair_update(pair);
}

static void pair_set_input(void *opaque, unsigned irq, bool level)
{
    struct i8259_pair *pair = opaque;
    chip_set_line(&pair->chips[irq >> 3], irq & 7, level);
    pair_update(pair);
}

struct irq_line i8259_pair_input(struct i8259_pair *pair, unsigned irq)
{
    assert(irq < 16);
    return (struct irq_line){.set = pair_set_input, .opaque = pair, .number = irq == CASCADE_INPUT ? 9 : irq};
}

/* The 8259A has no reset pin; the chipset's reset leaves everything masked until ICW1. */
static void pair_reset(struct device *device)
{
    struct i8259_pair *pair = CONTAINER_OF(device, struct i8259_pair, device);
    for (unsigned i = 0; i < ARRAY_COUNT(pair->chips); i++) {
        struct i8259 *chip = &pair->chips[i];
        chip_write_icw1(chip, ICW1);
        chip->init_step = INIT_DONE;
        chip->imr = 0xff;
        chip->vector_base = 0;
        chip->level_mask = 0;
    }
    pair_update(pair);
}

static void pair_describe(struct device *device, FILE *out)
{
    struct i8259_pair *pair = CONTAINER_OF(device, struct i8259_pair, device);
    for (unsigned i = 0; i < ARRAY_COUNT(pair->chips); i++) {
        const struct i8259 *chip = &pair->chips[i];
        fprintf(out, "pic%u: lines %02x irr %02x imr %02x isr %02x elcr %02x base %02x lowest %u%s%s%s%s\n",
                i, chip->lines, chip_requests(chip), chip->imr, chip->isr, chip->level_mask,
                chip->vector_base, chip->lowest_priority, chip->auto_eoi ? " auto-eoi" : "",
                chip->special_mask ? " special-mask" : "", chip->special_fully_nested ? " sfnm" : "",
                chip->init_step == INIT_DONE ? "" : " initialising");
    }
}

static void pair_destroy(struct device *device)
{
    struct i8259_pair *pair = CONTAINER_OF(device, struct i8259_pair, device);
    device_ports_release(pair->host.ports, pair->regions, ARRAY_COUNT(pair->regions));
    free(pair);
}

static const struct device_class i8259_class = {.name = "pic",
                                                .reset = pair_reset,
                                                .describe = pair_describe,
                                                .destroy = pair_destroy,
                                                .state_size = sizeof(struct i8259_pair)};

struct status i8259_pair_create(const struct device_host *host, const struct irq_line *to_cpu,
                                struct i8259_pair **pair)
{
    struct i8259_pair *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the interrupt controllers");
    }
    made->device.class = &i8259_class;
    made->host = *host;
    made->to_cpu = *to_cpu;
    made->chips[0].pair = made->chips[1].pair = made;
    made->chips[0].elcr_usable = 0xf8; /* IRQ0, 1, 2 are always edges */
    made->chips[1].elcr_usable = 0xde; /* IRQ8 and 13 too */
    struct io_region chip = {.name = "pic", .length = 2, .read = chip_read, .write = chip_write};
    made->regions[0] = made->regions[1] = chip;
    made->regions[0].base = 0x20;
    made->regions[0].opaque = &made->chips[0];
    made->regions[1].base = 0xa0;
    made->regions[1].opaque = &made->chips[1];
    made->regions[2] = (struct io_region){
        .name = "elcr", .base = 0x4d0, .length = 2, .read = elcr_read, .write = elcr_write, .opaque = made};
    struct status status = device_ports_claim(host->ports, made->regions, ARRAY_COUNT(made->regions));
    if (!status_is_ok(&status)) {
        free(made);
        return status;
    }
    pair_reset(&made->device);
    *pair = made;
    return status_ok();
}

struct device *i8259_pair_device(struct i8259_pair *pair)
{
    return &pair->device;
}

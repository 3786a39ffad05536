/* ACPI power management; see piix4_pm.h. */
#include "devices/piix4_pm.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"
#include "devices/device_ports.h"
#include "devices/oscillator.h"

/* PCI configuration */
#define CONFIG_PM_BASE      0x40
#define CONFIG_DEVICES      0x58 /* to 7Fh: DEVACTB and device resources */
#define CONFIG_APMC_EN      0x5B
#define CONFIG_APMC_EN_BIT  0x02
#define CONFIG_PARALLEL     0x5F
#define CONFIG_SERIAL       0x67
#define CONFIG_PM_ENABLE    0x80
#define CONFIG_SMBUS_BASE   0x90
#define CONFIG_SMBUS_ENABLE 0xD2

#define PM_PORTS    64u
#define SMBUS_PORTS 16u

/* From PMBASE on */
#define PM1_STATUS  0x00
#define PM1_ENABLE  0x02
#define PM1_CONTROL 0x04
#define PM_TIMER    0x08

#define PM1_TIMER_BIT    0x0001u
#define PM1_GLOBAL       0x0020u
#define PM1_POWER_BUTTON 0x0100u
#define PM1_RTC          0x0400u
#define PM1_WAKE         0x8000u
#define PM1_STATUS_BITS  (PM1_TIMER_BIT | 0x0010u | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_RTC | PM1_WAKE)
#define PM1_ENABLE_BITS  (PM1_TIMER_BIT | PM1_GLOBAL | PM1_POWER_BUTTON | PM1_RTC)

#define CONTROL_SCI_EN    0x0001u
#define CONTROL_STORED    0x1C03u
#define CONTROL_SLEEP_NOW 0x20u /* in the high byte, as the type */

#define SLEEP_S5 0
#define SLEEP_S3 1
#define SLEEP_S4 2

#define TIMER_MASK       0xFFFFFFu
#define TIMER_HALF_SHIFT 23 /* the status bit is set whenever bit 23 changes */

#define APM_PORT         0xB2
#define APM_ACPI_ENABLE  0xF1
#define APM_ACPI_DISABLE 0xF0

#define GPE_PORT     0xAFE0
#define HOTPLUG_PORT 0xAE00

#define SMBUS_STATUS       0
#define SMBUS_CONTROL      2
#define SMBUS_START        0x40
#define SMBUS_DEVICE_ERROR 0x04
#define SMBUS_STATUS_BITS  0x1E

enum { REGION_APM, REGION_GPE, REGION_HOTPLUG, REGION_COUNT };

struct piix4_pm {
    struct device device;
    struct device_host host;
    struct piix4_pm_config config;
    struct pci_function function;
    struct io_region regions[REGION_COUNT];
    struct io_region pm_region, smbus_region; /* base 0: not claimed */

    uint16_t status, enable, control;
    int64_t timer_halves; /* half turns of the timer when its status was cleared */
    struct clock_event timer_event;
    bool sci;
    uint8_t other[PM_PORTS]; /* registers that hold what is written */
    uint8_t apm[2];
    uint8_t gpe[4];
    uint8_t smbus[SMBUS_PORTS];
};

/* ---- the timer and the SCI */

static int64_t timer_ticks(const struct piix4_pm *pm)
{
    return oscillator_ticks(event_clock_now(pm->host.clock), PIIX4_PM_TIMER_HZ);
}

static uint16_t current_status(const struct piix4_pm *pm)
{
    bool turned = timer_ticks(pm) >> TIMER_HALF_SHIFT != pm->timer_halves;
    return (uint16_t)(pm->status | (turned ? PM1_TIMER_BIT : 0));
}

static void update_sci(struct piix4_pm *pm)
{
    uint16_t status = current_status(pm);
    bool level = pm->control & CONTROL_SCI_EN && (status & pm->enable & PM1_ENABLE_BITS) != 0;
    if (level != pm->sci) {
        pm->sci = level;
        irq_line_set(&pm->config.sci, level);
    }
    if (pm->enable & PM1_TIMER_BIT && !(status & PM1_TIMER_BIT)) {
        int64_t next = (pm->timer_halves + 1) << TIMER_HALF_SHIFT;
        event_clock_schedule(pm->host.clock, &pm->timer_event, oscillator_time(next, PIIX4_PM_TIMER_HZ));
    } else {
        event_clock_cancel(pm->host.clock, &pm->timer_event);
    }
}

static void timer_turned(void *opaque)
{
    update_sci(opaque);
}

void piix4_pm_press_power_button(struct piix4_pm *pm)
{
    pm->status |= PM1_POWER_BUTTON;
    update_sci(pm);
}

/* ---- PM1 and its neighbours */

static void clear_status(struct piix4_pm *pm, uint16_t bits)
{
    pm->status &= (uint16_t)~bits;
    if (bits & PM1_TIMER_BIT) {
        pm->timer_halves = timer_ticks(pm) >> TIMER_HALF_SHIFT;
    }
}

static void go_to_sleep(struct piix4_pm *pm, unsigned type)
{
    switch (type) {
    case SLEEP_S5:
    case SLEEP_S4:
        if (pm->config.power_off != NULL) {
            pm->config.power_off(pm->config.opaque);
        }
        break;
    case SLEEP_S3:
        log_printf(pm->host.log, LOG_UNIMP, "pm: suspend to RAM; wakes at once");
        pm->status |= PM1_WAKE;
        break;
    default: log_printf(pm->host.log, LOG_GUEST_ERROR, "pm: sleep type %u does not exist", type); break;
    }
}

static uint16_t replace_byte(uint16_t old, unsigned offset, uint8_t value)
{
    return (offset & 1) != 0 ? (uint16_t)((old & 0x00FF) | value << 8) : (uint16_t)((old & 0xFF00) | value);
}

/* GPEN to PCNTRL, global and device enables and controls, GPO. */
static bool is_stored(unsigned offset)
{
    return (offset >= 0x0E && offset < 0x14) || (offset >= 0x20 && offset < 0x30) ||
           (offset >= 0x34 && offset < 0x38);
}

static void write_pm_byte(struct piix4_pm *pm, unsigned offset, uint8_t value)
{
    switch (offset) {
    case PM1_STATUS:
    case PM1_STATUS + 1: clear_status(pm, replace_byte(0, offset, value) & PM1_STATUS_BITS); break;
    case PM1_ENABLE:
    case PM1_ENABLE + 1: pm->enable = replace_byte(pm->enable, offset, value) & PM1_ENABLE_BITS; break;
    case PM1_CONTROL: pm->control = replace_byte(pm->control, offset, value) & CONTROL_STORED; break;
    case PM1_CONTROL + 1:
        pm->control = replace_byte(pm->control, offset, value) & CONTROL_STORED;
        if (value & CONTROL_SLEEP_NOW) {
            go_to_sleep(pm, value >> 2 & 7);
        }
        break;
    default:
        if (is_stored(offset)) {
            pm->other[offset] = value;
        }
        break;
    }
}

static void pm_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    struct piix4_pm *pm = opaque;
    for (unsigned i = 0; i < width; i++) {
        write_pm_byte(pm, (unsigned)offset + i, (uint8_t)(value >> (8 * i)));
    }
    update_sci(pm);
}

/* One byte of a register; all bytes of an access see the same time. */
static uint8_t pm_byte(const struct piix4_pm *pm, unsigned offset, uint16_t status, uint32_t timer)
{
    unsigned shift = 8 * (offset & 3);
    switch (offset & ~3u) {
    case PM1_STATUS: return (uint8_t)((status | (uint32_t)pm->enable << 16) >> shift);
    case PM1_CONTROL: return (uint8_t)((uint32_t)pm->control >> shift);
    case PM_TIMER: return (uint8_t)(timer >> shift);
    default: return pm->other[offset];
    }
}

static uint64_t pm_read(void *opaque, uint64_t offset, unsigned width)
{
    const struct piix4_pm *pm = opaque;
    uint16_t status = current_status(pm);
    uint32_t timer = (uint32_t)timer_ticks(pm) & TIMER_MASK;
    uint32_t value = 0;
    for (unsigned i = 0; i < width; i++) {
        value |= (uint32_t)pm_byte(pm, (unsigned)offset + i, status, timer) << (8 * i);
    }
    return value;
}

/* ---- APM, GPE, hot plug, SMBus: registers of one byte */

static uint64_t apm_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)width;
    return ((const struct piix4_pm *)opaque)->apm[offset];
}

static void apm_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)width;
    struct piix4_pm *pm = opaque;
    pm->apm[offset] = (uint8_t)value;
    if (offset != 0) {
        return;
    }
    if (value == APM_ACPI_ENABLE) {
        pm->control |= CONTROL_SCI_EN;
    } else if (value == APM_ACPI_DISABLE) {
        pm->control &= (uint16_t)~CONTROL_SCI_EN;
    }
    update_sci(pm);
}

static uint64_t gpe_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)width;
    return ((const struct piix4_pm *)opaque)->gpe[offset];
}

static void gpe_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)width;
    if (offset >= 2) { /* the status bits are never set */
        ((struct piix4_pm *)opaque)->gpe[offset] = (uint8_t)value;
    }
}

static uint64_t hotplug_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)opaque, (void)offset, (void)width;
    return 0;
}

static uint64_t smbus_read(void *opaque, uint64_t offset, unsigned width)
{
    (void)width;
    return ((const struct piix4_pm *)opaque)->smbus[offset];
}

/* Whoever is addressed does not answer. */
static void smbus_write(void *opaque, uint64_t offset, unsigned width, uint64_t value)
{
    (void)width;
    struct piix4_pm *pm = opaque;
    switch (offset) {
    case SMBUS_STATUS: pm->smbus[offset] &= (uint8_t) ~(value & SMBUS_STATUS_BITS); break;
    case SMBUS_CONTROL:
        pm->smbus[offset] = (uint8_t)(value & ~(uint64_t)SMBUS_START);
        if (value & SMBUS_START) {
            pm->smbus[SMBUS_STATUS] |= SMBUS_DEVICE_ERROR;
        }
        break;
    default: pm->smbus[offset] = (uint8_t)value; break;
    }
}

/* ---- where the two windows are */

/* Makes `region` answer at `base` (0: nowhere). */
static void move_region(struct piix4_pm *pm, struct io_region *region, uint32_t base)
{
    if (region->base == base) {
        return;
    }
    if (region->base != 0) {
        port_bus_release(pm->host.ports, region->base, pm);
    }
    region->base = base;
    if (base == 0) {
        return;
    }
    struct status status = port_bus_claim(pm->host.ports, region);
    if (!status_is_ok(&status)) {
        log_printf(pm->host.log, LOG_GUEST_ERROR, "pm: %s", status.message);
        region->base = 0;
    }
}

static void place_regions(struct piix4_pm *pm)
{
    const uint8_t *config = pm->function.config;
    uint32_t pm_base = load_le16(config + CONFIG_PM_BASE) & 0xFFC0u;
    uint32_t smbus_base = load_le16(config + CONFIG_SMBUS_BASE) & 0xFFF0u;
    bool smbus_on = config[CONFIG_SMBUS_ENABLE] & 1;
    move_region(pm, &pm->pm_region, config[CONFIG_PM_ENABLE] & 1 ? pm_base : 0);
    move_region(pm, &pm->smbus_region, smbus_on ? smbus_base : 0);
}

static void config_written(void *opaque, unsigned offset, unsigned width)
{
    (void)offset, (void)width;
    place_regions(opaque);
}

/* ---- the device */

static void pm_reset(struct device *device)
{
    struct piix4_pm *pm = CONTAINER_OF(device, struct piix4_pm, device);
    uint8_t *config = pm->function.config;
    pci_function_reset(&pm->function);
    memset(config + CONFIG_PM_BASE, 0, PCI_CONFIG_SIZE - CONFIG_PM_BASE);
    config[CONFIG_PM_BASE] = 1; /* ports */
    config[CONFIG_SMBUS_BASE] = 1;
    config[CONFIG_APMC_EN] = CONFIG_APMC_EN_BIT;
    config[CONFIG_PARALLEL] = (uint8_t)(0x10 | (pm->config.has_parallel ? 0x80 : 0));
    config[0x63] = 0x60;
    config[CONFIG_SERIAL] =
        (uint8_t)((pm->config.has_serial[0] ? 0x08 : 0) | (pm->config.has_serial[1] ? 0x90 : 0));
    place_regions(pm);
    pm->status = pm->enable = pm->control = 0;
    clear_status(pm, PM1_TIMER_BIT);
    memset(pm->other, 0, sizeof pm->other);
    memset(pm->apm, 0, sizeof pm->apm);
    memset(pm->gpe, 0, sizeof pm->gpe);
    memset(pm->smbus, 0, sizeof pm->smbus);
    update_sci(pm);
}

static void pm_describe(struct device *device, FILE *out)
{
    const struct piix4_pm *pm = CONTAINER_OF(device, struct piix4_pm, device);
    fprintf(out, "pm: ports %04x, smbus %04x; status %04x enable %04x control %04x%s, timer %06x\n",
            (unsigned)pm->pm_region.base, (unsigned)pm->smbus_region.base, current_status(pm), pm->enable,
            pm->control, pm->sci ? ", sci" : "", (unsigned)timer_ticks(pm) & TIMER_MASK);
}

static void pm_destroy(struct device *device)
{
    struct piix4_pm *pm = CONTAINER_OF(device, struct piix4_pm, device);
    pci_bus_detach(&pm->function);
    event_clock_cancel(pm->host.clock, &pm->timer_event);
    move_region(pm, &pm->pm_region, 0);
    move_region(pm, &pm->smbus_region, 0);
    device_ports_release(pm->host.ports, pm->regions, REGION_COUNT);
    free(pm);
}

static const struct device_class pm_class = {.name = "pm",
                                             .reset = pm_reset,
                                             .describe = pm_describe,
                                             .destroy = pm_destroy,
                                             .state_size = sizeof(struct piix4_pm)};

static void set_up_regions(struct piix4_pm *pm)
{
    pm->regions[REGION_APM] = (struct io_region){
        .name = "apm", .base = APM_PORT, .length = 2, .read = apm_read, .write = apm_write, .opaque = pm};
    pm->regions[REGION_GPE] = (struct io_region){
        .name = "gpe0", .base = GPE_PORT, .length = 4, .read = gpe_read, .write = gpe_write, .opaque = pm};
    pm->regions[REGION_HOTPLUG] = (struct io_region){
        .name = "pci-hotplug", .base = HOTPLUG_PORT, .length = 16, .read = hotplug_read, .opaque = pm};
    pm->pm_region = (struct io_region){
        .name = "pm", .length = PM_PORTS, .max_width = 4, .read = pm_read, .write = pm_write, .opaque = pm};
    pm->smbus_region = (struct io_region){
        .name = "smbus", .length = SMBUS_PORTS, .read = smbus_read, .write = smbus_write, .opaque = pm};
}

static void set_up_function(struct piix4_pm *pm)
{
    struct pci_function *function = &pm->function;
    pci_function_init(function, "pm", 0x8086, 0x7113, 0x068000, 3, 1);
    function->config[PCI_STATUS] = 0x80;
    function->config[PCI_STATUS + 1] = 0x02;
    store_le16(function->writable + CONFIG_PM_BASE, 0xFFC0);
    pci_function_allow_write(function, CONFIG_DEVICES, 0x28);
    function->writable[CONFIG_PM_ENABLE] = 0x01;
    store_le16(function->writable + CONFIG_SMBUS_BASE, 0xFFF0);
    function->writable[CONFIG_SMBUS_ENABLE] = 0x0F;
    function->config_written = config_written;
    function->opaque = pm;
}

struct status piix4_pm_create(const struct device_host *host, struct pci_bus *pci,
                              const struct piix4_pm_config *config, struct piix4_pm **created)
{
    *created = NULL;
    struct piix4_pm *pm = calloc(1, sizeof *pm);
    if (pm == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for power management");
    }
    pm->device.class = &pm_class;
    pm->host = *host;
    pm->config = *config;
    clock_event_init(&pm->timer_event, "pm timer", timer_turned, pm);
    set_up_regions(pm);
    set_up_function(pm);
    struct status status = device_ports_claim(host->ports, pm->regions, REGION_COUNT);
    if (status_is_ok(&status)) {
        status = pci_bus_attach(pci, &pm->function, config->slot, config->function);
        if (!status_is_ok(&status)) {
            device_ports_release(host->ports, pm->regions, REGION_COUNT);
        }
    }
    if (!status_is_ok(&status)) {
        free(pm);
        return status;
    }
    pm_reset(&pm->device);
    *created = pm;
    return status_ok();
}

struct device *piix4_pm_device(struct piix4_pm *pm)
{
    return &pm->device;
}

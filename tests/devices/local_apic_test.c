/* The local APIC: registers, priorities, pins, messages, IPIs and errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "local_apic_rig.h"

#define LEVEL      0x8000u
#define ASSERT_BIT 0x4000u
#define MODE_SMI   0x200u
#define MODE_NMI   0x400u
#define MODE_INIT  0x500u
#define MODE_START 0x600u
#define MODE_EXT   0x700u
#define TO_SELF    0x40000u
#define TO_ALL     0x80000u
#define TO_OTHERS  0xC0000u
#define LOGICAL    0x800u

static void registers_have_their_reset_values(void **state)
{
    struct apic_rig *rig = *state;
    static const struct {
        unsigned offset;
        uint32_t value;
    } rows[] = {{APIC_ID, 0},
                {APIC_VERSION, 0x00050014},
                {APIC_TPR, 0},
                {APIC_PPR, 0},
                {APIC_LDR, 0},
                {APIC_DFR, 0xFFFFFFFF},
                {APIC_SVR, 0xFF},
                {APIC_ESR, 0},
                {APIC_ICR_LOW, 0},
                {APIC_LVT_TIMER, APIC_MASKED},
                {APIC_LVT_LINT0, MODE_EXT},
                {APIC_LVT_LINT1, APIC_MASKED},
                {APIC_LVT_ERROR, APIC_MASKED},
                {APIC_CURRENT_COUNT, 0}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(apic_get(rig, rows[i].offset), rows[i].value);
    }
    apic_set(rig, APIC_VERSION, 0);
    assert_int_equal(apic_get(rig, APIC_VERSION), 0x00050014);
}

static void only_aligned_32_bit_stores_count(void **state)
{
    struct apic_rig *rig = *state;
    struct memory_bus *memory = rig->bench->host.memory;
    apic_set(rig, APIC_ICR_HIGH, 0x12345678);
    assert_int_equal(apic_get(rig, APIC_ICR_HIGH), 0x12000000);
    memory_bus_write(memory, LOCAL_APIC_BASE + APIC_ICR_HIGH, 1, 0xFF);
    memory_bus_write(memory, LOCAL_APIC_BASE + APIC_ICR_HIGH + 3, 1, 0xFF);
    memory_bus_write(memory, LOCAL_APIC_BASE + APIC_ICR_HIGH + 4, 4, 0xFFFFFFFF);
    assert_int_equal(apic_get(rig, APIC_ICR_HIGH), 0x12000000);
    assert_int_equal(memory_bus_read(memory, LOCAL_APIC_BASE + APIC_ICR_HIGH + 3, 1), 0x12);
}

/* ---- priority */

static void request_waits_for_the_core_and_goes_in_service(void **state)
{
    struct apic_rig *rig = *state;
    apic_send(rig, 0x41);
    assert_true(rig->intr.level);
    assert_true(apic_set_holds(rig, APIC_IRR, 0x41));
    assert_int_equal(local_apic_acknowledge(rig->apic), 0x41);
    assert_false(rig->intr.level);
    assert_false(apic_set_holds(rig, APIC_IRR, 0x41));
    assert_true(apic_set_holds(rig, APIC_ISR, 0x41));
    assert_int_equal(apic_get(rig, APIC_PPR), 0x40);
    apic_set(rig, APIC_EOI, 0);
    assert_false(apic_set_holds(rig, APIC_ISR, 0x41));
    assert_int_equal(apic_get(rig, APIC_PPR), 0);
}

static void more_urgent_class_interrupts_the_one_in_service(void **state)
{
    struct apic_rig *rig = *state;
    apic_send(rig, 0x41);
    assert_int_equal(local_apic_acknowledge(rig->apic), 0x41);
    apic_send(rig, 0x4F); /* the same class */
    assert_false(rig->intr.level);
    apic_send(rig, 0x31);
    assert_false(rig->intr.level);
    apic_send(rig, 0x50);
    assert_true(rig->intr.level);
    assert_int_equal(local_apic_acknowledge(rig->apic), 0x50);
    assert_int_equal(apic_get(rig, APIC_PPR), 0x50);
    apic_set(rig, APIC_EOI, 0); /* of 50 */
    assert_false(rig->intr.level);
    apic_set(rig, APIC_EOI, 0); /* of 41 */
    assert_int_equal(local_apic_acknowledge(rig->apic), 0x4F);
    apic_set(rig, APIC_EOI, 0);
    assert_int_equal(local_apic_acknowledge(rig->apic), 0x31);
}

static void task_priority_holds_back_its_class_and_below(void **state)
{
    struct apic_rig *rig = *state;
    apic_set(rig, APIC_TPR, 0x40);
    apic_send(rig, 0x4E);
    assert_false(rig->intr.level);
    assert_int_equal(apic_get(rig, APIC_PPR), 0x40);
    apic_set(rig, APIC_TPR, 0x3F);
    assert_true(rig->intr.level);
    assert_int_equal(apic_get(rig, APIC_PPR), 0x3F);
    apic_set(rig, APIC_TPR, 0xFF);
    assert_false(rig->intr.level);
    apic_set(rig, APIC_TPR, 0);
    assert_true(rig->intr.level);
}

static void withdrawn_request_is_answered_with_the_spurious_vector(void **state)
{
    struct apic_rig *rig = *state;
    apic_send(rig, 0x41);
    apic_set(rig, APIC_TPR, 0x40);
    assert_int_equal(local_apic_acknowledge(rig->apic), SPURIOUS_VECTOR);
    for (unsigned offset = APIC_ISR; offset < APIC_TMR; offset += 16) {
        assert_int_equal(apic_get(rig, offset), 0);
    }
    apic_set(rig, APIC_TPR, 0);
    assert_int_equal(local_apic_acknowledge(rig->apic), 0x41);
}

static void only_level_triggered_vectors_are_ended_at_the_sender(void **state)
{
    struct apic_rig *rig = *state;
    apic_send(rig, 0x41);
    local_apic_acknowledge(rig->apic);
    assert_false(apic_set_holds(rig, APIC_TMR, 0x41));
    apic_set(rig, APIC_EOI, 0);
    assert_int_equal(rig->ends, 0);
    apic_send_level(rig, 0x41);
    local_apic_acknowledge(rig->apic);
    assert_true(apic_set_holds(rig, APIC_TMR, 0x41));
    assert_int_equal(rig->ends, 0);
    apic_set(rig, APIC_EOI, 0);
    assert_int_equal(rig->ends, 1);
    assert_int_equal(rig->last_ended, 0x41);
    apic_set(rig, APIC_EOI, 0); /* nothing is in service */
    assert_int_equal(rig->ends, 1);
}

/* ---- who is addressed */

static bool is_taken(struct apic_rig *rig, uint8_t destination, bool logical)
{
    apic_send_message(
        rig, &(struct interrupt_message){.vector = 0x61, .destination = destination, .logical = logical});
    if (!rig->intr.level) {
        return false;
    }
    assert_int_equal(local_apic_acknowledge(rig->apic), 0x61);
    apic_set(rig, APIC_EOI, 0);
    return true;
}

static void physical_destination_is_the_id_or_everyone(void **state)
{
    struct apic_rig *rig = *state;
    apic_set(rig, APIC_ID, 0x05000000);
    assert_true(is_taken(rig, 5, false));
    assert_true(is_taken(rig, 0xFF, false));
    assert_false(is_taken(rig, 4, false));
    assert_false(is_taken(rig, 0, false));
}

static void flat_logical_destination_is_a_set(void **state)
{
    struct apic_rig *rig = *state;
    apic_set(rig, APIC_LDR, 0x04000000);
    assert_true(is_taken(rig, 0x06, true));
    assert_true(is_taken(rig, 0xFF, true));
    assert_false(is_taken(rig, 0xFB, true));
    apic_set(rig, APIC_LDR, 0);
    assert_false(is_taken(rig, 0xFF, true));
}

static void clustered_logical_destination_is_a_set_in_a_cluster(void **state)
{
    struct apic_rig *rig = *state;
    apic_set(rig, APIC_DFR, 0);
    assert_int_equal(apic_get(rig, APIC_DFR), 0x0FFFFFFF);
    apic_set(rig, APIC_LDR, 0x24000000);
    assert_true(is_taken(rig, 0x26, true));
    assert_true(is_taken(rig, 0xFF, true));
    assert_false(is_taken(rig, 0x2B, true));
    assert_false(is_taken(rig, 0x34, true));
    assert_false(is_taken(rig, 0x06, true));
}

/* ---- IPIs */

static void ipi_to_self_by_shorthand_and_by_destination(void **state)
{
    struct apic_rig *rig = *state;
    static const uint32_t commands[] = {TO_SELF | 0x71, TO_ALL | 0x71, 0x71, LOGICAL | 0x71,
                                        0x100 | 0x71 /* lowest priority */};
    apic_set(rig, APIC_LDR, 0x01000000);
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        apic_set(rig, APIC_ICR_HIGH, commands[i] & LOGICAL ? 0x01000000 : 0);
        apic_set(rig, APIC_ICR_LOW, commands[i]);
        assert_true(rig->intr.level);
        assert_int_equal(apic_get(rig, APIC_ICR_LOW), commands[i]); /* idle */
        assert_int_equal(local_apic_acknowledge(rig->apic), 0x71);
        apic_set(rig, APIC_EOI, 0);
    }
    apic_set(rig, APIC_ICR_HIGH, 0x07000000);
    apic_set(rig, APIC_ICR_LOW, 0x71);
    apic_set(rig, APIC_ICR_LOW, TO_OTHERS | 0x71);
    assert_false(rig->intr.level);
}

static void ipis_that_start_processors_reach_nobody(void **state)
{
    struct apic_rig *rig = *state;
    apic_set(rig, APIC_ICR_LOW, TO_OTHERS | MODE_INIT | ASSERT_BIT);
    apic_set(rig, APIC_ICR_LOW, TO_OTHERS | MODE_START | ASSERT_BIT | 0x9F);
    apic_set(rig, APIC_ICR_LOW, TO_ALL | MODE_INIT | LEVEL); /* de-assert: IDs are arbitrated anew */
    assert_int_equal(rig->init.rises, 0);
    assert_false(rig->intr.level);
    apic_set(rig, APIC_ICR_LOW, MODE_INIT | ASSERT_BIT); /* the ID of this one */
    assert_int_equal(rig->init.rises, 1);
}

static void ipi_carries_nmi_and_smi(void **state)
{
    struct apic_rig *rig = *state;
    apic_set(rig, APIC_TPR, 0xFF);
    apic_set(rig, APIC_ICR_LOW, MODE_NMI);
    assert_int_equal(rig->nmi.rises, 1);
    apic_set(rig, APIC_ICR_LOW, MODE_SMI);
    assert_int_equal(rig->smi.rises, 1);
    assert_false(rig->intr.level);
}

/* ---- the pins */

static void external_interrupt_passes_by_the_priorities(void **state)
{
    struct apic_rig *rig = *state;
    apic_set(rig, APIC_LVT_LINT0, MODE_EXT);
    apic_set(rig, APIC_TPR, 0xFF);
    apic_drive_lint(rig, 0, true);
    assert_true(rig->intr.level);
    assert_int_equal(local_apic_acknowledge(rig->apic), PIC_VECTOR);
    assert_int_equal(rig->pic_acknowledges, 1);
    assert_int_equal(apic_get(rig, APIC_PPR), 0xFF);
    apic_drive_lint(rig, 0, false);
    assert_false(rig->intr.level);
    apic_drive_lint(rig, 0, true);
    apic_set(rig, APIC_LVT_LINT0, MODE_EXT | APIC_MASKED);
    assert_false(rig->intr.level);
    apic_set(rig, APIC_LVT_LINT0, MODE_EXT); /* it is a level */
    assert_true(rig->intr.level);
}

static void external_interrupt_comes_before_a_request(void **state)
{
    struct apic_rig *rig = *state;
    apic_set(rig, APIC_LVT_LINT0, MODE_EXT);
    apic_send(rig, 0xF1);
    apic_drive_lint(rig, 0, true);
    assert_int_equal(local_apic_acknowledge(rig->apic), PIC_VECTOR);
    apic_drive_lint(rig, 0, false);
    assert_int_equal(local_apic_acknowledge(rig->apic), 0xF1);
}

static void external_interrupt_may_come_as_a_message(void **state)
{
    struct apic_rig *rig = *state;
    apic_send_message(rig, &(struct interrupt_message){.delivery = INTERRUPT_EXTINT, .destination = 0xFF});
    assert_true(rig->intr.level);
    assert_int_equal(local_apic_acknowledge(rig->apic), PIC_VECTOR);
    assert_false(rig->intr.level);
}

static void after_reset_the_8259_has_its_way(void **state)
{
    struct apic_rig *rig = *state;
    apic_drive_lint(rig, 0, true);
    assert_true(rig->intr.level);
    assert_int_equal(local_apic_acknowledge(rig->apic), PIC_VECTOR);
    apic_drive_lint(rig, 0, false);
    apic_send(rig, 0x41); /* not before software enables it */
    assert_false(rig->intr.level);
}

static void globally_disabled_the_pins_are_the_cores(void **state)
{
    struct apic_rig *rig = *state;
    apic_send(rig, 0x41);
    local_apic_set_base(rig->apic, LOCAL_APIC_BASE, false);
    assert_false(rig->intr.level);
    apic_drive_lint(rig, 0, true);
    assert_true(rig->intr.level);
    assert_int_equal(local_apic_acknowledge(rig->apic), PIC_VECTOR);
    apic_drive_lint(rig, 1, true);
    assert_int_equal(rig->nmi.rises, 1);
    assert_int_equal(apic_get(rig, APIC_VERSION), 0xFFFFFFFF); /* nobody answers */
    local_apic_set_base(rig->apic, LOCAL_APIC_BASE, true);
    assert_int_equal(apic_get(rig, APIC_SVR), 0xFF);
    assert_false(apic_set_holds(rig, APIC_IRR, 0x41));
}

static void lint1_is_the_nmi_as_its_entry_says(void **state)
{
    struct apic_rig *rig = *state;
    apic_drive_lint(rig, 1, true);
    apic_drive_lint(rig, 1, false);
    assert_int_equal(rig->nmi.rises, 0);
    apic_set(rig, APIC_LVT_LINT1, MODE_NMI);
    apic_drive_lint(rig, 1, true);
    apic_drive_lint(rig, 1, true);
    assert_int_equal(rig->nmi.rises, 1);
}

static void fixed_edge_on_a_pin_requests_once(void **state)
{
    struct apic_rig *rig = *state;
    apic_set(rig, APIC_LVT_LINT0, 0x81);
    apic_drive_lint(rig, 0, true);
    assert_int_equal(local_apic_acknowledge(rig->apic), 0x81);
    apic_set(rig, APIC_EOI, 0);
    assert_false(rig->intr.level);
    assert_int_equal(rig->pic_acknowledges, 0);
    assert_int_equal(rig->ends, 0);
}

static void fixed_level_on_a_pin_requests_until_it_falls(void **state)
{
    struct apic_rig *rig = *state;
    apic_set(rig, APIC_LVT_LINT0, LEVEL | 0x81);
    apic_drive_lint(rig, 0, true);
    assert_int_equal(apic_get(rig, APIC_LVT_LINT0), LEVEL | 0x4081); /* remote IRR */
    assert_int_equal(local_apic_acknowledge(rig->apic), 0x81);
    assert_false(rig->intr.level);
    apic_set(rig, APIC_EOI, 0);
    assert_true(rig->intr.level);
    assert_int_equal(local_apic_acknowledge(rig->apic), 0x81);
    apic_drive_lint(rig, 0, false);
    apic_set(rig, APIC_EOI, 0);
    assert_false(rig->intr.level);
    assert_int_equal(apic_get(rig, APIC_LVT_LINT0), LEVEL | 0x81);
}

/* ---- enabling and errors */

static void software_disable_masks_all_entries(void **state)
{
    struct apic_rig *rig = *state;
    apic_set(rig, APIC_LVT_LINT1, MODE_NMI);
    apic_set(rig, APIC_LVT_ERROR, 0x91);
    apic_send(rig, 0x41);
    apic_set(rig, APIC_SVR, SPURIOUS_VECTOR);
    assert_int_equal(apic_get(rig, APIC_LVT_LINT1), MODE_NMI | APIC_MASKED);
    apic_set(rig, APIC_LVT_LINT1, MODE_NMI);
    assert_int_equal(apic_get(rig, APIC_LVT_LINT1), MODE_NMI | APIC_MASKED);
    apic_send(rig, 0x42);
    assert_false(apic_set_holds(rig, APIC_IRR, 0x42));
    assert_true(apic_set_holds(rig, APIC_IRR, 0x41)); /* what was there stays */
    assert_int_equal(local_apic_acknowledge(rig->apic), 0x41);
}

static void errors_show_after_a_write(void **state)
{
    struct apic_rig *rig = *state;
    apic_set(rig, APIC_LVT_ERROR, 0x91);
    apic_set(rig, APIC_ICR_LOW, TO_OTHERS | 0x0F);
    assert_int_equal(apic_get(rig, APIC_ESR), 0);
    assert_int_equal(local_apic_acknowledge(rig->apic), 0x91);
    apic_set(rig, APIC_EOI, 0);
    apic_send(rig, 0x0E); /* a second error does not interrupt again */
    assert_false(rig->intr.level);
    apic_set(rig, APIC_ESR, 0);
    assert_int_equal(apic_get(rig, APIC_ESR), 0x60); /* sent and received illegal vector */
    apic_set(rig, APIC_ESR, 0);
    assert_int_equal(apic_get(rig, APIC_ESR), 0);
    (void)apic_get(rig, 0x40);
    assert_int_equal(local_apic_acknowledge(rig->apic), 0x91);
    apic_set(rig, APIC_ESR, 0);
    assert_int_equal(apic_get(rig, APIC_ESR), 0x80); /* illegal register */
}

static void illegal_vector_is_never_requested(void **state)
{
    struct apic_rig *rig = *state;
    apic_set(rig, APIC_LVT_ERROR, 0x05); /* not even by its own error */
    apic_set(rig, APIC_ICR_LOW, TO_SELF | 0x0F);
    apic_send(rig, 0);
    assert_false(rig->intr.level);
    assert_int_equal(apic_get(rig, APIC_IRR), 0);
    apic_set(rig, APIC_ESR, 0);
    assert_int_equal(apic_get(rig, APIC_ESR), 0x60);
}

static void initialising_keeps_the_id(void **state)
{
    struct apic_rig *rig = *state;
    apic_set(rig, APIC_ID, 0x03000000);
    apic_send(rig, 0x41);
    local_apic_initialize(rig->apic);
    assert_int_equal(apic_get(rig, APIC_ID), 0x03000000);
    assert_int_equal(apic_get(rig, APIC_SVR), 0xFF);
    assert_false(rig->intr.level);
    struct device *device = local_apic_device(rig->apic);
    device->class->reset(device);
    assert_int_equal(apic_get(rig, APIC_ID), 0);
}

static void registers_move_with_their_base(void **state)
{
    struct apic_rig *rig = *state;
    struct memory_bus *memory = rig->bench->host.memory;
    memory_bus_write(memory, 0x3000, 4, 0xCAFE);
    local_apic_set_base(rig->apic, 0x3000, true);
    assert_int_equal(memory_bus_read(memory, 0x3000 + APIC_VERSION, 4), 0x00050014);
    assert_int_equal(apic_get(rig, APIC_VERSION), 0xFFFFFFFF);
    local_apic_set_base(rig->apic, UINT64_C(0xFFFFFF000), true); /* not addressable here */
    assert_int_equal(memory_bus_read(memory, 0x3000, 4), 0xCAFE);
    local_apic_set_base(rig->apic, LOCAL_APIC_BASE, true);
    assert_int_equal(apic_get(rig, APIC_SVR), 0x100 | SPURIOUS_VECTOR);
}

int main(void)
{
#define RESET(name)   cmocka_unit_test_setup_teardown(name, apic_rig_setup, apic_rig_teardown)
#define ENABLED(name) cmocka_unit_test_setup_teardown(name, apic_rig_setup_enabled, apic_rig_teardown)
    const struct CMUnitTest tests[] = {
        RESET(registers_have_their_reset_values),
        ENABLED(only_aligned_32_bit_stores_count),
        ENABLED(request_waits_for_the_core_and_goes_in_service),
        ENABLED(more_urgent_class_interrupts_the_one_in_service),
        ENABLED(task_priority_holds_back_its_class_and_below),
        ENABLED(withdrawn_request_is_answered_with_the_spurious_vector),
        ENABLED(only_level_triggered_vectors_are_ended_at_the_sender),
        ENABLED(physical_destination_is_the_id_or_everyone),
        ENABLED(flat_logical_destination_is_a_set),
        ENABLED(clustered_logical_destination_is_a_set_in_a_cluster),
        ENABLED(ipi_to_self_by_shorthand_and_by_destination),
        ENABLED(ipis_that_start_processors_reach_nobody),
        ENABLED(ipi_carries_nmi_and_smi),
        ENABLED(external_interrupt_passes_by_the_priorities),
        ENABLED(external_interrupt_comes_before_a_request),
        ENABLED(external_interrupt_may_come_as_a_message),
        RESET(after_reset_the_8259_has_its_way),
        ENABLED(globally_disabled_the_pins_are_the_cores),
        ENABLED(lint1_is_the_nmi_as_its_entry_says),
        ENABLED(fixed_edge_on_a_pin_requests_once),
        ENABLED(fixed_level_on_a_pin_requests_until_it_falls),
        ENABLED(software_disable_masks_all_entries),
        ENABLED(errors_show_after_a_write),
        ENABLED(illegal_vector_is_never_requested),
        ENABLED(initialising_keeps_the_id),
        ENABLED(registers_move_with_their_base),
    };
#undef RESET
#undef ENABLED
    return cmocka_run_group_tests(tests, NULL, NULL);
}

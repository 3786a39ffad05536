/* What reaches the machine from outside: keys, mouse, serial input, media, buttons. Here each becomes a
 * record, whoever it comes from, and here a record becomes what it does to a chip; machine_replay.h says what
 * may lie between the two. */
#include <string.h>

#include "devices/floppy.h"
#include "devices/piix4_pm.h"
#include "devices/ps2_keyboard.h"
#include "devices/ps2_mouse.h"
#include "machine/machine_history.h"
#include "machine/machine_internal.h"

/* ---- what a record does */

/* A path as a string; false: it does not fit. */
static bool path_of(const struct input_record *record, char path[INPUT_LOG_BYTES_MAX + 1])
{
    if (record->length > INPUT_LOG_BYTES_MAX) {
        return false;
    }
    if (record->length > 0) {
        memcpy(path, record->bytes, record->length);
    }
    path[record->length] = '\0';
    return true;
}

static struct status apply_floppy(struct machine *machine, const struct input_record *record)
{
    char path[INPUT_LOG_BYTES_MAX + 1];
    unsigned drive = record->numbers[0];
    if (record->length == 0) {
        machine_history_forget(machine);
        floppy_eject(machine->chips.floppy, drive);
        return status_ok();
    }
    if (!path_of(record, path) || floppy_type(machine->chips.floppy, drive) == FLOPPY_DRIVE_NONE) {
        return status_error(STATUS_NOT_FOUND, "there is no floppy drive %u", drive);
    }
    return machine_insert_floppy(machine, drive, path, record->numbers[1] != 0, &record->numbers[2]);
}

static struct status apply_disc(struct machine *machine, const struct input_record *record)
{
    char path[INPUT_LOG_BYTES_MAX + 1];
    unsigned drive = record->numbers[0];
    bool force = record->numbers[1] != 0;
    if (!path_of(record, path) || !machine_has_cdrom(machine, drive)) {
        return status_error(STATUS_NOT_FOUND, "there is no CD-ROM drive hd%c", 'a' + (int)drive);
    }
    bool is_refused = !force && machine_disc_is_locked(machine, drive);
    struct status status = record->length == 0
                               ? machine_remove_disc(machine, drive, force)
                               : machine_insert_disc(machine, drive, path, force, &record->numbers[2]);
    /* That the guest was asked for its disc in vain is what happened. */
    return is_refused && status.code == STATUS_CONFLICT ? status_ok() : status;
}

struct status machine_apply_input(struct machine *machine, const struct input_record *record)
{
    const uint32_t *numbers = record->numbers;
    struct machine_chips *chips = &machine->chips;
    switch (record->kind) {
    case INPUT_KEY: ps2_keyboard_key(chips->keyboard, input_record_key(record), numbers[0] != 0); break;
    case INPUT_MOUSE:
        ps2_mouse_move(chips->mouse, (int)numbers[0], (int)numbers[1], (int)numbers[2], numbers[3]);
        break;
    case INPUT_SERIAL: machine_serial_deliver(machine, numbers[0], record->bytes, record->length); break;
    case INPUT_FLOPPY: return apply_floppy(machine, record);
    case INPUT_DISC: return apply_disc(machine, record);
    case INPUT_RESET: machine_reset_now(machine); break;
    case INPUT_POWER_BUTTON: piix4_pm_press_power_button(chips->pm); break;
    case INPUT_END:
    case INPUT_KIND_COUNT: break;
    }
    return status_ok();
}

/* ---- where records come from */

void machine_submit_input(struct machine *machine, const struct input_record *record)
{
    if (machine_is_in_past(machine)) {
        return;
    }
    if (machine_queues_inputs(machine)) {
        machine_replay_queue(machine, record);
    } else if (!machine_is_replaying(machine)) {
        struct status status = machine_apply_input(machine, record);
        (void)status; /* media, which can fail, are applied by their own functions */
    }
}

static void take_key(void *opaque, enum key key, bool pressed)
{
    const char *name = key_name(key);
    machine_submit_input(opaque,
                         &(struct input_record){
                             .kind = INPUT_KEY, .numbers = {pressed}, .bytes = name, .length = strlen(name)});
}

static void take_mouse(void *opaque, int dx, int dy, int wheel, unsigned buttons)
{
    machine_submit_input(opaque,
                         &(struct input_record){.kind = INPUT_MOUSE,
                                                .numbers = {(uint32_t)dx, (uint32_t)dy, (uint32_t)wheel,
                                                            buttons & INPUT_LOG_MOUSE_BUTTONS}});
}

void machine_input_create(struct machine *machine)
{
    machine->input = (struct input_sink){.key = take_key, .mouse = take_mouse, .opaque = machine};
}

const struct input_sink *machine_input(struct machine *machine)
{
    return &machine->input;
}

bool machine_input_ready(struct machine *machine)
{
    return ps2_keyboard_ready(machine->chips.keyboard);
}

void machine_reset(struct machine *machine)
{
    machine_submit_input(machine, &(struct input_record){.kind = INPUT_RESET});
}

void machine_press_power_button(struct machine *machine)
{
    machine_submit_input(machine, &(struct input_record){.kind = INPUT_POWER_BUTTON});
}

/* ---- media */

static struct status refuse_while_replaying(struct machine *machine)
{
    if (machine_is_recording(machine) && machine_is_in_past(machine)) {
        return status_error(STATUS_CONFLICT, "the recording has what was in the drives here");
    }
    return machine_is_replaying(machine)
               ? status_error(STATUS_CONFLICT,
                              "what is in the drives is said by the recording that is replayed")
               : status_ok();
}

static struct status record_media(struct machine *machine, const struct input_record *record)
{
    if (record->length > INPUT_LOG_BYTES_MAX) {
        return status_error(STATUS_UNSUPPORTED, "a path of more than %u bytes cannot be recorded",
                            INPUT_LOG_BYTES_MAX);
    }
    machine_submit_input(machine, record);
    return status_ok();
}

struct status machine_change_floppy(struct machine *machine, unsigned drive, const char *path, bool read_only)
{
    if (floppy_type(machine->chips.floppy, drive) == FLOPPY_DRIVE_NONE) {
        return status_error(STATUS_NOT_FOUND, "this machine has no drive %c (start it with -fd%c FILE)",
                            'A' + (int)drive, 'a' + (int)drive);
    }
    struct status status = refuse_while_replaying(machine);
    if (!status_is_ok(&status)) {
        return status;
    }
    if (!machine_is_recording(machine)) {
        return machine_insert_floppy(machine, drive, path, read_only, NULL);
    }
    uint32_t crc;
    status = machine_check_floppy(machine, drive, path, read_only, &crc);
    return status_is_ok(&status)
               ? record_media(machine, &(struct input_record){.kind = INPUT_FLOPPY,
                                                              .numbers = {drive, read_only, crc},
                                                              .bytes = path,
                                                              .length = strlen(path)})
               : status;
}

void machine_eject_floppy(struct machine *machine, unsigned drive)
{
    const struct input_record record = {.kind = INPUT_FLOPPY, .numbers = {drive}};
    if (machine_is_recording(machine)) {
        machine_submit_input(machine, &record);
    } else if (!machine_is_replaying(machine)) {
        struct status status = machine_apply_input(machine, &record);
        (void)status; /* a disk can always be taken out */
    }
}

/* The guest is told that somebody wants its disc, at the time of the record, and whoever wants it at once. */
static struct status record_disc(struct machine *machine, const struct input_record *record)
{
    struct status status = record_media(machine, record);
    if (status_is_ok(&status) && record->numbers[1] == 0 &&
        machine_disc_is_locked(machine, record->numbers[0])) {
        status =
            status_error(STATUS_CONFLICT, "the guest has locked the drive; it was asked to eject the disc");
    }
    return status;
}

struct status machine_change_cdrom(struct machine *machine, unsigned drive, const char *path, bool force)
{
    if (!machine_has_cdrom(machine, drive)) {
        return status_error(STATUS_NOT_FOUND, "hd%c is no CD-ROM drive (start the machine with -cdrom FILE)",
                            'a' + (int)drive);
    }
    struct status status = refuse_while_replaying(machine);
    if (!status_is_ok(&status)) {
        return status;
    }
    if (!machine_is_recording(machine)) {
        return machine_insert_disc(machine, drive, path, force, NULL);
    }
    uint32_t crc;
    status = machine_check_disc(machine, drive, path, &crc);
    return status_is_ok(&status) ? record_disc(machine, &(struct input_record){.kind = INPUT_DISC,
                                                                               .numbers = {drive, force, crc},
                                                                               .bytes = path,
                                                                               .length = strlen(path)})
                                 : status;
}

struct status machine_eject_cdrom(struct machine *machine, unsigned drive, bool force)
{
    if (!machine_has_cdrom(machine, drive)) {
        return status_error(STATUS_NOT_FOUND, "hd%c is no CD-ROM drive", 'a' + (int)drive);
    }
    struct status status = refuse_while_replaying(machine);
    if (!status_is_ok(&status)) {
        return status;
    }
    return machine_is_recording(machine)
               ? record_disc(machine, &(struct input_record){.kind = INPUT_DISC, .numbers = {drive, force}})
               : machine_remove_disc(machine, drive, force);
}

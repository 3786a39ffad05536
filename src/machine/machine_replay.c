/* Inputs with their times: from outside into a file, or from a file into the machine; see machine_replay.h.
 *
 * The time of the next input is an event of the clock, so that the engine's budget ends there. Nothing
 * happens in the event: inputs are applied behind all events of their time, in machine_run()'s loop. It is
 * scheduled only when the next input has become another, since scheduling makes the engine come back.
 *
 * With history (machine_history.h), inputs wait as they do for a recording, and those that were applied are
 * kept: when the machine has gone back they are applied again, before any others. */
#include "machine/machine_replay.h"

#include <assert.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/crc32.h"
#include "cpu/cpu.h"
#include "machine/machine_history.h"
#include "machine/machine_internal.h"

/* An input that waits for its time, or was applied. */
struct waiting_input {
    struct waiting_input *next;
    struct input_record record; /* .bytes is `bytes` */
    uint8_t bytes[];
};

struct machine_replay {
    struct clock_event due;
    enum { RECORDING, REPLAYING, OVER } mode;
    enum machine_replay_state state;
    struct status failure;
    /* recording */
    struct input_log_writer *writer;
    struct waiting_input *first, **end;
    bool has_end; /* the INPUT_END is written */
    /* replaying */
    struct input_log *log;
    struct input_record next;
    /* with history: what was applied, to be applied again from kept[kept_next] on */
    bool keeps;
    struct waiting_input **kept;
    size_t kept_count, kept_next, kept_capacity;
};

static void time_has_come(void *opaque)
{
    (void)opaque; /* the deadline itself is what matters */
}

static struct machine_replay *create(const struct machine *machine)
{
    bool may_begin = machine->replay == NULL && event_clock_is_counted(machine->clock);
    assert(may_begin);
    (void)may_begin;
    struct machine_replay *replay = calloc(1, sizeof *replay);
    if (replay != NULL) {
        clock_event_init(&replay->due, "input", time_has_come, NULL);
        replay->end = &replay->first;
        replay->failure = status_ok();
    }
    return replay;
}

static void forget_kept(struct machine_replay *replay)
{
    while (replay->kept_count > 0) {
        free(replay->kept[--replay->kept_count]);
    }
    replay->kept_next = 0;
}

static void forget_waiting(struct machine_replay *replay)
{
    while (replay->first != NULL) {
        struct waiting_input *gone = replay->first;
        replay->first = gone->next;
        free(gone);
    }
    replay->end = &replay->first;
}

static void destroy(struct machine_replay *replay)
{
    forget_kept(replay);
    free(replay->kept);
    forget_waiting(replay);
    input_log_close(replay->log);
    free(replay);
}

void machine_replay_destroy(struct machine *machine)
{
    if (machine->replay != NULL) {
        struct status status = input_log_finish(machine->replay->writer);
        (void)status; /* who wants to know asks machine_finish_recording() before */
        event_clock_cancel(machine->clock, &machine->replay->due);
        destroy(machine->replay);
        machine->replay = NULL;
    }
}

static void keep_failure(struct machine_replay *replay, const struct status *status)
{
    if (status_is_ok(&replay->failure)) {
        replay->failure = *status;
    }
}

bool machine_queues_inputs(const struct machine *machine)
{
    return machine->replay != NULL && machine->replay->mode == RECORDING;
}

bool machine_is_recording(const struct machine *machine)
{
    return machine_queues_inputs(machine) && machine->replay->writer != NULL;
}

bool machine_is_replaying(const struct machine *machine)
{
    return machine->replay != NULL && machine->replay->mode == REPLAYING;
}

enum machine_replay_state machine_replay_state(const struct machine *machine)
{
    return machine->replay != NULL ? machine->replay->state : MACHINE_REPLAY_NONE;
}

struct status machine_replay_failure(const struct machine *machine)
{
    return machine->replay != NULL ? machine->replay->failure : status_ok();
}

/* ---- checksums */

static uint32_t floating_point_crc(const struct cpu_state *cpu)
{
    uint8_t bytes[8 * 10 + 8];
    uint8_t *at = bytes;
    for (unsigned i = 0; i < 8; i++, at += 10) {
        store_le64(at, cpu->x87.reg[i].significand);
        store_le16(at + 8, cpu->x87.reg[i].sign_exponent);
    }
    store_le16(at, cpu->x87.control);
    store_le16(at + 2, cpu->x87.status);
    store_le32(at + 4, cpu->mxcsr);
    return crc32_append(crc32_append(0, bytes, sizeof bytes), cpu->xmm, sizeof cpu->xmm);
}

/* The registers and the chips as people see them. The floppy drives' description names the image's file,
 * which may be called otherwise the next time. */
static uint32_t description_crc(struct machine *machine)
{
    char *text = NULL;
    size_t length = 0;
    uint32_t crc = 0;
    FILE *out = open_memstream(&text, &length);
    if (out != NULL) {
        cpu_describe(&machine->cpu, out);
        for (size_t i = 0; i < machine->device_count; i++) {
            struct device *device = machine->devices[i];
            if (device != machine->chips.floppy) {
                device->class->describe(device, out);
            }
        }
        fclose(out);
        crc = crc32_append(0, text, length);
    }
    free(text);
    return crc;
}

struct machine_checksums machine_checksum(struct machine *machine)
{
    uint64_t ram_size = memory_bus_ram_size(machine->memory);
    uint8_t parts[8];
    store_le32(parts, floating_point_crc(&machine->cpu));
    store_le32(parts + 4, description_crc(machine));
    uint32_t display =
        crc32_append(0, machine->ram.bytes + ram_size, (size_t)(machine->ram.length - ram_size));
    return (struct machine_checksums){.ram = crc32_append(0, machine->ram.bytes, (size_t)ram_size),
                                      .rest = crc32_append(display, parts, sizeof parts)};
}

/* ---- the next input */

static struct waiting_input *copy_record(const struct input_record *record)
{
    struct waiting_input *copy = malloc(sizeof *copy + record->length);
    if (copy != NULL) {
        copy->next = NULL;
        copy->record = *record;
        copy->record.bytes = copy->bytes;
        if (record->length > 0) {
            memcpy(copy->bytes, record->bytes, record->length);
        }
    }
    return copy;
}

/* Behind the time at which it is switched off, the machine has missed that. */
static uint64_t time_of(const struct input_record *record)
{
    return record->kind == INPUT_END && record->numbers[2] != 0 ? record->time + 1 : record->time;
}

static uint64_t next_time(const struct machine_replay *replay)
{
    if (replay->kept_next < replay->kept_count) {
        return replay->kept[replay->kept_next]->record.time;
    }
    switch (replay->mode) {
    case RECORDING: return replay->first != NULL ? replay->first->record.time : EVENT_CLOCK_NEVER;
    case REPLAYING: return time_of(&replay->next);
    case OVER: break;
    }
    return EVENT_CLOCK_NEVER;
}

static void schedule_next(struct machine *machine)
{
    event_clock_schedule(machine->clock, &machine->replay->due, next_time(machine->replay));
}

/* ---- what was applied before */

/* Applied for the first time. */
static void keep_input(struct machine *machine, const struct input_record *record)
{
    struct machine_replay *replay = machine->replay;
    if (!replay->keeps) {
        return;
    }
    if (replay->kept_count == replay->kept_capacity) {
        size_t capacity = replay->kept_capacity == 0 ? 64 : 2 * replay->kept_capacity;
        struct waiting_input **kept = realloc(replay->kept, capacity * sizeof(struct waiting_input *));
        if (kept == NULL) {
            machine_history_forget(machine);
            return;
        }
        replay->kept = kept;
        replay->kept_capacity = capacity;
    }
    struct waiting_input *copy = copy_record(record);
    if (copy == NULL) {
        machine_history_forget(machine);
        return;
    }
    copy->record.retired = machine->cpu.retired;
    replay->kept[replay->kept_count++] = copy;
    replay->kept_next = replay->kept_count;
}

/* Applies what is due once more. */
static void repeat_inputs(struct machine *machine)
{
    struct machine_replay *replay = machine->replay;
    while (replay->kept_next < replay->kept_count &&
           replay->kept[replay->kept_next]->record.time <= event_clock_now(machine->clock)) {
        const struct input_record *record = &replay->kept[replay->kept_next++]->record;
        if (record->retired != machine->cpu.retired) {
            machine_history_note_difference(machine);
        }
        struct status status = machine_apply_input(machine, record);
        (void)status; /* what became of it the first time becomes of it now */
        schedule_next(machine);
        event_clock_run_due(machine->clock);
    }
}

struct status machine_replay_keep(struct machine *machine)
{
    if (machine->replay == NULL) {
        machine->replay = create(machine);
        if (machine->replay == NULL) {
            return status_error(STATUS_NO_MEMORY, "out of memory for the machine's history");
        }
    }
    struct machine_replay *replay = machine->replay;
    replay->keeps = true;
    replay->mode = replay->mode == OVER ? RECORDING : replay->mode;
    forget_kept(replay);
    schedule_next(machine);
    return status_ok();
}

void machine_replay_forget_kept(struct machine *machine, bool in_past)
{
    struct machine_replay *replay = machine->replay;
    forget_kept(replay);
    if (!in_past) {
        return;
    }
    if (machine_is_recording(machine)) {
        keep_failure(replay, &(struct status){STATUS_CONFLICT,
                                              "the recorded machine was changed in its past: the recording "
                                              "is of no use"});
    }
    forget_waiting(replay);
    schedule_next(machine);
}

size_t machine_replay_position(const struct machine *machine)
{
    return machine->replay->kept_next;
}

void machine_replay_set_position(struct machine *machine, size_t position)
{
    assert(position <= machine->replay->kept_count);
    machine->replay->kept_next = position;
    schedule_next(machine);
}

void machine_replay_visit_state(struct machine *machine, const struct state_visitor *visitor)
{
    state_visit(visitor, &machine->replay->due, sizeof machine->replay->due);
}

/* ---- recording */

void machine_replay_queue(struct machine *machine, const struct input_record *record)
{
    struct machine_replay *replay = machine->replay;
    struct waiting_input *waiting = copy_record(record);
    if (waiting == NULL) {
        keep_failure(replay, &(struct status){STATUS_NO_MEMORY, "out of memory for the recording"});
        return;
    }
    waiting->record.time = event_clock_now(machine->clock) + 1;
    *replay->end = waiting;
    replay->end = &waiting->next;
    schedule_next(machine);
}

size_t machine_replay_serial_waiting(const struct machine *machine, unsigned port)
{
    size_t length = 0;
    const struct waiting_input *waiting = machine->replay != NULL ? machine->replay->first : NULL;
    for (; waiting != NULL; waiting = waiting->next) {
        if (waiting->record.kind == INPUT_SERIAL && waiting->record.numbers[0] == port) {
            length += waiting->record.length;
        }
    }
    return length;
}

static void write_end(struct machine *machine, uint64_t time, bool switched_off)
{
    struct machine_checksums sums = machine_checksum(machine);
    input_log_write(machine->replay->writer,
                    &(struct input_record){.kind = INPUT_END,
                                           .time = time,
                                           .retired = machine->cpu.retired,
                                           .numbers = {sums.ram, sums.rest, switched_off}});
    machine->replay->has_end = true;
}

static void record_one(struct machine *machine)
{
    struct machine_replay *replay = machine->replay;
    struct waiting_input *input = replay->first;
    replay->first = input->next;
    if (replay->first == NULL) {
        replay->end = &replay->first;
    }
    if (input->record.kind == INPUT_END) {
        write_end(machine, input->record.time, false);
    } else {
        input->record.retired = machine->cpu.retired;
        keep_input(machine, &input->record);
        struct status status = machine_apply_input(machine, &input->record);
        if (replay->writer != NULL) {
            input_log_write(replay->writer, &input->record);
        }
        if (!status_is_ok(&status)) {
            keep_failure(replay, &status);
        }
    }
    free(input);
}

static bool record_inputs(struct machine *machine)
{
    struct machine_replay *replay = machine->replay;
    while (replay->first != NULL && replay->first->record.time <= event_clock_now(machine->clock)) {
        record_one(machine);
        schedule_next(machine);
        event_clock_run_due(machine->clock);
    }
    return replay->has_end;
}

struct status machine_start_recording(struct machine *machine, const char *path)
{
    char *text = NULL;
    struct machine_replay *replay = create(machine);
    struct status status = replay == NULL ? status_error(STATUS_NO_MEMORY, "out of memory for a recording")
                                          : machine_identity(machine, &text);
    if (status_is_ok(&status)) {
        const struct input_log_header header = {
            .rtc_epoch = machine->rtc_epoch, .ns_per_instruction = machine->ns_per_instruction, .text = text};
        status = input_log_create(path, &header, &replay->writer);
    }
    free(text);
    if (status_is_ok(&status)) {
        replay->mode = RECORDING;
        machine->replay = replay;
    } else if (replay != NULL) {
        destroy(replay);
    }
    return status;
}

/* Goes on to the end that waits for its time. */
static void run_to_end(struct machine *machine)
{
    machine_set_probe(machine, NULL);
    machine_set_instruction_limit(machine, 0);
    machine_set_step_limit(machine, 0);
    machine_resume(machine);
    while (machine_is_in_past(machine) && !machine->powered_off) {
        (void)machine_run(machine, NS_PER_MILLISECOND);
    }
    machine_replay_queue(machine, &(struct input_record){.kind = INPUT_END});
    while (machine->replay->first != NULL && !machine->powered_off) {
        (void)machine_run(machine, NS_PER_MILLISECOND);
    }
}

struct status machine_finish_recording(struct machine *machine)
{
    if (!machine_is_recording(machine)) {
        return status_ok();
    }
    struct machine_replay *replay = machine->replay;
    if (!machine->powered_off) {
        run_to_end(machine);
    }
    if (!replay->has_end) {
        write_end(machine, event_clock_now(machine->clock), true);
    }
    struct status status = input_log_finish(replay->writer);
    replay->writer = NULL;
    replay->has_end = false;
    replay->mode = replay->keeps ? RECORDING : OVER;
    return status_is_ok(&replay->failure) ? status : replay->failure;
}

/* ---- replaying */

static void end_replay(struct machine *machine, enum machine_replay_state state, const struct status *failure)
{
    struct machine_replay *replay = machine->replay;
    replay->mode = replay->keeps ? RECORDING : OVER;
    replay->state = state;
    if (failure != NULL) {
        replay->failure = *failure;
    }
    schedule_next(machine);
}

static void fail_replay(struct machine *machine, const char *how)
{
    struct status failure = status_error(
        STATUS_CORRUPT, "the replay differs from the recording after %" PRIu64 " instructions: %s",
        machine->cpu.retired, how);
    end_replay(machine, MACHINE_REPLAY_FAILED, &failure);
}

static bool counts_are_equal(struct machine *machine)
{
    if (machine->replay->next.retired == machine->cpu.retired) {
        return true;
    }
    char how[96];
    snprintf(how, sizeof how, "at %" PRIu64 " ns there were %" PRIu64, machine->replay->next.time,
             machine->replay->next.retired);
    fail_replay(machine, how);
    return false;
}

/* The recording ends here. */
static void check_end(struct machine *machine)
{
    const uint32_t *expected = machine->replay->next.numbers;
    struct machine_checksums sums = machine_checksum(machine);
    if (!counts_are_equal(machine)) {
        return;
    }
    if (expected[0] != sums.ram || expected[1] != sums.rest) {
        char how[96];
        snprintf(how, sizeof how, "checksums are %08" PRIx32 " %08" PRIx32 ", not %08" PRIx32 " %08" PRIx32,
                 sums.ram, sums.rest, expected[0], expected[1]);
        fail_replay(machine, how);
        return;
    }
    end_replay(machine, MACHINE_REPLAY_ENDED, NULL);
}

static void replay_one(struct machine *machine)
{
    struct machine_replay *replay = machine->replay;
    if (replay->next.kind == INPUT_END) {
        if (replay->next.numbers[2] != 0) {
            fail_replay(machine, "the guest switched the machine off, and does not now");
        } else {
            check_end(machine);
        }
        return;
    }
    if (!counts_are_equal(machine)) {
        return;
    }
    keep_input(machine, &replay->next);
    struct status status = machine_apply_input(machine, &replay->next);
    if (!status_is_ok(&status)) {
        end_replay(machine, MACHINE_REPLAY_FAILED, &status);
        return;
    }
    bool is_there = input_log_next(replay->log, &replay->next);
    assert(is_there); /* a log's last record is its end */
    (void)is_there;
}

static bool replay_inputs(struct machine *machine)
{
    struct machine_replay *replay = machine->replay;
    while (replay->mode == REPLAYING && time_of(&replay->next) <= event_clock_now(machine->clock)) {
        replay_one(machine);
        if (replay->mode == REPLAYING) {
            schedule_next(machine);
            event_clock_run_due(machine->clock);
        }
    }
    return replay->mode != REPLAYING;
}

bool machine_replay_take_inputs(struct machine *machine)
{
    repeat_inputs(machine);
    if (machine->replay->kept_next < machine->replay->kept_count) {
        return false;
    }
    switch (machine->replay->mode) {
    case RECORDING: return record_inputs(machine);
    case REPLAYING: return replay_inputs(machine);
    case OVER: break;
    }
    return false;
}

void machine_replay_note_power_off(struct machine *machine)
{
    struct machine_replay *replay = machine->replay;
    if (replay->mode != REPLAYING) {
        return;
    }
    if (replay->next.kind == INPUT_END && replay->next.numbers[2] != 0) {
        check_end(machine);
    } else {
        fail_replay(machine, "the guest has switched the machine off");
    }
}

struct status machine_start_replay(struct machine *machine, struct input_log *log)
{
    char *text = NULL;
    struct machine_replay *replay = create(machine);
    if (replay == NULL) {
        input_log_close(log);
        return status_error(STATUS_NO_MEMORY, "out of memory for a recording");
    }
    replay->log = log;
    struct status status = machine_identity(machine, &text);
    if (status_is_ok(&status)) {
        status = machine_identity_compare(input_log_header(log)->text, text);
    }
    free(text);
    if (!status_is_ok(&status) || !input_log_next(log, &replay->next)) {
        destroy(replay);
        return status;
    }
    replay->mode = REPLAYING;
    replay->state = MACHINE_REPLAY_RUNNING;
    machine->replay = replay;
    schedule_next(machine);
    return status;
}

/* Packets in and out, registers, memory and running; see gdb_server.h. */
#include "debugger/gdb_server.h"

#include <stdlib.h>
#include <string.h>

#include "debugger/gdb_internal.h"
#include "debugger/gdb_registers.h"
#include "debugger/guest_memory.h"
#include "machine/machine.h"
#include "machine/machine_history.h"

#define NO_MEMORY_THERE  "E0e" /* gdb takes no words here */
#define SIGNAL_INTERRUPT "T02"
#define SIGNAL_TRAP      "T05"

/* ---- out */

static void send_byte(struct gdb_server *server, char byte)
{
    server->host.send(server->host.opaque, (const uint8_t *)&byte, 1);
}

void gdb_send(struct gdb_server *server, const struct gdb_text *data)
{
    server->packet_length = gdb_packet_frame(data->data, data->length, server->packet);
    server->host.send(server->host.opaque, server->packet, server->packet_length);
}

void gdb_add_malformed(struct gdb_text *reply)
{
    gdb_text_add(reply, "E01");
}

void gdb_add_error(struct gdb_text *reply, const struct status *error)
{
    gdb_text_add(reply, "E.");
    for (const char *at = error->message; *at != '\0'; at++) {
        const char letter[] = {*at, '\0'};
        if (strchr("#$}*", *at) == NULL) { /* they cannot stand in a text that gdb shows as it is */
            gdb_text_add(reply, letter);
        }
    }
}

/* An answer that is OK or says what went wrong. */
static bool add_result(struct gdb_text *reply, const struct status *status)
{
    if (status_is_ok(status)) {
        gdb_text_add(reply, "OK");
    } else {
        gdb_add_error(reply, status);
    }
    return true;
}

static bool add_malformed(struct gdb_text *reply)
{
    gdb_add_malformed(reply);
    return true;
}

/* ---- stops */

static void add_stop_register(struct gdb_server *server, struct gdb_text *reply, unsigned number)
{
    const struct gdb_register *which = gdb_register_at(number);
    uint8_t bytes[GDB_REGISTER_BYTES];
    const uint8_t index = (uint8_t)number;
    gdb_register_read(machine_cpu(server->host.machine), which, bytes);
    gdb_text_add_hex(reply, &index, 1);
    gdb_text_add(reply, ":");
    gdb_text_add_hex(reply, bytes, which->bytes);
    gdb_text_add(reply, ";");
}

static void add_stop_reason(struct gdb_server *server, struct gdb_text *reply,
                            const struct debugger_stop *stop)
{
    static const char *const watches[] = {
        [GDB_WATCH_WRITE] = "watch:", [GDB_WATCH_READ] = "rwatch:", [GDB_WATCH_ACCESS] = "awatch:"};
    const struct gdb_point *point = stop != NULL ? gdb_find_stop(server, stop) : NULL;
    if (stop != NULL && stop->reason == STOPPED_BEGINNING) {
        gdb_text_add(reply, "replaylog:begin;");
    }
    if (point == NULL) {
        return;
    }
    switch (point->type) {
    case GDB_SOFTWARE_BREAK: gdb_text_add(reply, server->wants_software_breaks ? "swbreak:;" : ""); return;
    case GDB_HARDWARE_BREAK: gdb_text_add(reply, server->wants_hardware_breaks ? "hwbreak:;" : ""); return;
    case GDB_WATCH_WRITE:
    case GDB_WATCH_READ:
    case GDB_WATCH_ACCESS: break;
    }
    gdb_text_add(reply, watches[point->type]);
    /* gdb looks for the watchpoint at this address: an access may begin below it. */
    gdb_text_add_number(reply, stop->address > point->address ? stop->address : point->address);
    gdb_text_add(reply, ";");
}

static void add_stop(struct gdb_server *server, struct gdb_text *reply)
{
    const struct debugger_stop *stop = debugger_last_stop(server->host.debugger);
    const bool on_request = server->interrupted && (stop == NULL || stop->reason == STOPPED_REQUEST);
    gdb_text_add(reply, on_request ? SIGNAL_INTERRUPT : SIGNAL_TRAP);
    add_stop_register(server, reply, GDB_EBP);
    add_stop_register(server, reply, GDB_ESP);
    add_stop_register(server, reply, GDB_EIP);
    gdb_text_add(reply, "thread:1;");
    add_stop_reason(server, reply, stop);
    server->interrupted = false;
    server->owes_stop = false;
}

static bool handle_reason(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    (void)words;
    if (!machine_is_paused(server->host.machine)) {
        server->owes_stop = true;
        return false;
    }
    add_stop(server, reply);
    return true;
}

/* ---- running */

/* What lets the guest go expects it to stand: the monitor may have let it go before. */
static void hold(struct gdb_server *server)
{
    if (!machine_is_paused(server->host.machine)) {
        machine_pause(server->host.machine);
    }
}

static void resume(struct gdb_server *server, bool step)
{
    hold(server);
    server->owes_stop = true;
    if (step) {
        debugger_step(server->host.debugger, 1);
    } else {
        debugger_continue(server->host.debugger);
    }
}

/* An optional address to go on from. */
static bool resume_from(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply, bool step)
{
    if (gdb_words_left(words) != 0) {
        uint64_t address;
        uint8_t bytes[4];
        if (!gdb_words_take_number(words, &address) || gdb_words_left(words) != 0) {
            return add_malformed(reply);
        }
        for (unsigned i = 0; i < sizeof bytes; i++) {
            bytes[i] = (uint8_t)(address >> 8 * i);
        }
        (void)debugger_forget_history(server->host.debugger);
        struct status status =
            gdb_register_write(machine_cpu(server->host.machine), gdb_register_at(GDB_EIP), bytes);
        if (!status_is_ok(&status)) {
            return add_result(reply, &status);
        }
    }
    resume(server, step);
    return false;
}

static bool handle_continue(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    return resume_from(server, words, reply, false);
}

static bool handle_step(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    return resume_from(server, words, reply, true);
}

/* SIGNAL[;ADDRESS]: a CPU has no signals. */
static bool skip_signal(struct gdb_words *words)
{
    uint64_t signal;
    return gdb_words_take_number(words, &signal) &&
           (gdb_words_left(words) == 0 || gdb_words_take(words, ";"));
}

static bool handle_continue_signal(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    return skip_signal(words) ? resume_from(server, words, reply, false) : add_malformed(reply);
}

static bool handle_step_signal(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    return skip_signal(words) ? resume_from(server, words, reply, true) : add_malformed(reply);
}

/* A thread of ours, or all of them: 0 is any, -1 all, 1 the only one. */
static bool take_thread(struct gdb_words *words)
{
    uint64_t thread;
    return gdb_words_take(words, "-1") || (gdb_words_take_number(words, &thread) && thread <= 1);
}

static bool handle_vcont_query(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    (void)server;
    (void)words;
    gdb_text_add(reply, "vCont;c;C;s;S");
    return true;
}

/* ;ACTION[:THREAD]…: the first action that is for our thread counts. */
static bool handle_vcont(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    while (gdb_words_take(words, ";")) {
        uint64_t signal;
        const char action = gdb_words_left(words) > 0 ? *words->at++ : '\0';
        if ((action == 'C' || action == 'S') && !gdb_words_take_number(words, &signal)) {
            return add_malformed(reply);
        }
        if (action == '\0' || strchr("cCsS", action) == NULL) {
            return add_malformed(reply);
        }
        bool ours = true;
        if (gdb_words_take(words, ":")) {
            const struct gdb_words thread = *words;
            ours = take_thread(words);
            *words = ours ? *words : thread;
            while (!ours && gdb_words_left(words) > 0 && *words->at != ';') {
                words->at++;
            }
        }
        if (ours) {
            resume(server, action == 's' || action == 'S');
            return false;
        }
    }
    return add_malformed(reply);
}

/* Back to where a breakpoint was met last, or by one instruction. */
static bool go_back(struct gdb_server *server, const struct gdb_words *words, struct gdb_text *reply,
                    struct status (*how)(struct debugger *debugger, struct debugger_stop *stop))
{
    struct debugger_stop stop;
    if (!machine_has_history(server->host.machine)) {
        return true; /* gdb was not told that we know this packet */
    }
    if (gdb_words_left(words) != 0) {
        return add_malformed(reply);
    }
    hold(server);
    struct status status = how(server->host.debugger, &stop);
    if (!status_is_ok(&status)) {
        return add_result(reply, &status);
    }
    server->interrupted = stop.reason == STOPPED_REQUEST;
    monitor_show_stop(server->host.monitor, &stop);
    add_stop(server, reply);
    return true;
}

static bool handle_reverse_continue(struct gdb_server *server, struct gdb_words *words,
                                    struct gdb_text *reply)
{
    return go_back(server, words, reply, debugger_reverse_continue);
}

static struct status step_back(struct debugger *debugger, struct debugger_stop *stop)
{
    return debugger_reverse_step(debugger, 1, stop);
}

static bool handle_reverse_step(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    return go_back(server, words, reply, step_back);
}

/* ---- registers */

static bool handle_read_all(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    const struct gdb_register *which;
    (void)words;
    for (unsigned number = 0; (which = gdb_register_at(number)) != NULL; number++) {
        uint8_t bytes[GDB_REGISTER_BYTES];
        gdb_register_read(machine_cpu(server->host.machine), which, bytes);
        gdb_text_add_hex(reply, bytes, which->bytes);
    }
    return true;
}

static bool is_segment(unsigned number)
{
    return number >= GDB_CS && number <= GDB_GS;
}

/* Writes registers that are to have other values than they had, the segments first: where pc and sp are
 * depends on them. */
static struct status change_registers(struct cpu_state *cpu, uint8_t values[][GDB_REGISTER_BYTES],
                                      unsigned count)
{
    uint8_t before[GDB_REGISTER_COUNT][GDB_REGISTER_BYTES];
    struct status status = status_ok();
    for (unsigned number = 0; number < count; number++) {
        gdb_register_read(cpu, gdb_register_at(number), before[number]);
    }
    for (unsigned pass = 0; pass < 2; pass++) {
        for (unsigned number = 0; number < count && status_is_ok(&status); number++) {
            const struct gdb_register *which = gdb_register_at(number);
            if (is_segment(number) == (pass == 0) &&
                memcmp(before[number], values[number], which->bytes) != 0) {
                status = gdb_register_write(cpu, which, values[number]);
            }
        }
    }
    return status;
}

/* As many registers as gdb gives, from the first on. */
static bool handle_write_all(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    uint8_t values[GDB_REGISTER_COUNT][GDB_REGISTER_BYTES];
    unsigned count = 0;
    while (gdb_words_left(words) > 0) {
        const struct gdb_register *which = gdb_register_at(count);
        if (which == NULL || !gdb_words_take_hex(words, values[count], which->bytes)) {
            return add_malformed(reply);
        }
        count++;
    }
    (void)debugger_forget_history(server->host.debugger);
    struct status status = change_registers(machine_cpu(server->host.machine), values, count);
    return add_result(reply, &status);
}

static bool handle_read_one(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    uint64_t number;
    const bool parsed = gdb_words_take_number(words, &number) && gdb_words_left(words) == 0;
    const struct gdb_register *which = parsed ? gdb_register_at(number) : NULL;
    if (which == NULL) {
        return add_malformed(reply);
    }
    uint8_t bytes[GDB_REGISTER_BYTES];
    gdb_register_read(machine_cpu(server->host.machine), which, bytes);
    gdb_text_add_hex(reply, bytes, which->bytes);
    return true;
}

static bool handle_write_one(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    uint64_t number;
    uint8_t bytes[GDB_REGISTER_BYTES];
    const bool parsed = gdb_words_take_number(words, &number) && gdb_words_take(words, "=");
    const struct gdb_register *which = parsed ? gdb_register_at(number) : NULL;
    if (which == NULL || !gdb_words_take_hex(words, bytes, which->bytes) || gdb_words_left(words) != 0) {
        return add_malformed(reply);
    }
    (void)debugger_forget_history(server->host.debugger);
    struct status status = gdb_register_write(machine_cpu(server->host.machine), which, bytes);
    return add_result(reply, &status);
}

/* ---- memory */

/* ADDRESS,LENGTH. */
static bool take_range(struct gdb_words *words, uint64_t *address, uint64_t *length)
{
    return gdb_words_take_number(words, address) && gdb_words_take(words, ",") &&
           gdb_words_take_number(words, length);
}

static bool handle_read_memory(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    uint64_t address, length;
    if (!take_range(words, &address, &length) || gdb_words_left(words) != 0) {
        return add_malformed(reply);
    }
    uint8_t bytes[GDB_PACKET_MAX / 2];
    const size_t wanted = length < sizeof bytes ? (size_t)length : sizeof bytes;
    const size_t read = guest_memory_read(server->host.machine, GUEST_LINEAR, address, bytes, wanted);
    if (read == 0 && wanted > 0) {
        gdb_text_add(reply, NO_MEMORY_THERE);
        return true;
    }
    gdb_text_add_hex(reply, bytes, read);
    return true;
}

static bool write_memory(struct gdb_server *server, uint64_t address, const void *bytes, size_t length,
                         struct gdb_text *reply)
{
    struct machine *machine = server->host.machine;
    if (length > 0) { /* gdb asks by an empty packet whether it is known */
        (void)debugger_forget_history(server->host.debugger);
    }
    const size_t written = guest_memory_write(machine, GUEST_LINEAR, address, bytes, length);
    gdb_text_add(reply, written == length ? "OK" : NO_MEMORY_THERE);
    return true;
}

static bool handle_write_memory(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    uint64_t address, length;
    uint8_t bytes[GDB_PACKET_MAX / 2];
    if (!take_range(words, &address, &length) || !gdb_words_take(words, ":") ||
        gdb_words_left(words) / 2 != length || !gdb_words_take_hex(words, bytes, (size_t)length) ||
        gdb_words_left(words) != 0) {
        return add_malformed(reply);
    }
    return write_memory(server, address, bytes, (size_t)length, reply);
}

static bool handle_write_binary(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    uint64_t address, length;
    if (!take_range(words, &address, &length) || !gdb_words_take(words, ":") ||
        gdb_words_left(words) != length) {
        return add_malformed(reply);
    }
    return write_memory(server, address, words->at, (size_t)length, reply);
}

/* ---- threads, and the end */

static bool handle_thread(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    (void)server;
    const bool good = take_thread(words) && gdb_words_left(words) == 0;
    gdb_text_add(reply, good ? "OK" : "E01");
    return true;
}

/* Hg and Hc: for which thread the next packets are. */
static bool handle_set_thread(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    if (!gdb_words_take(words, "g") && !gdb_words_take(words, "c")) {
        return add_malformed(reply);
    }
    return handle_thread(server, words, reply);
}

static bool handle_detach(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    (void)words;
    gdb_remove_all_points(server);
    hold(server);
    debugger_continue(server->host.debugger);
    server->attached = false;
    server->owes_stop = false;
    gdb_text_add(reply, "OK");
    return true;
}

static bool handle_kill(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    (void)words;
    (void)reply;
    server->quit = true;
    return false;
}

/* ---- in */

/* The first row whose name a packet begins with. */
static const struct {
    const char *name;
    gdb_handler *handle;
} packets[] = {
    {"qSupported", gdb_query_supported},
    {"qXfer:", gdb_query_xfer},
    {"qAttached", gdb_query_attached},
    {"qfThreadInfo", gdb_query_first_threads},
    {"qsThreadInfo", gdb_query_more_threads},
    {"qThreadExtraInfo,", gdb_query_thread_info},
    {"qRcmd,", gdb_query_monitor},
    {"qC", gdb_query_thread},
    {"QStartNoAckMode", gdb_start_no_acks},
    {"vCont?", handle_vcont_query},
    {"vCont", handle_vcont},
    {"?", handle_reason},
    {"g", handle_read_all},
    {"G", handle_write_all},
    {"p", handle_read_one},
    {"P", handle_write_one},
    {"m", handle_read_memory},
    {"M", handle_write_memory},
    {"X", handle_write_binary},
    {"c", handle_continue},
    {"C", handle_continue_signal},
    {"s", handle_step},
    {"S", handle_step_signal},
    {"bc", handle_reverse_continue},
    {"bs", handle_reverse_step},
    {"Z", gdb_insert_point},
    {"z", gdb_remove_point},
    {"H", handle_set_thread},
    {"T", handle_thread},
    {"D", handle_detach},
    {"k", handle_kill},
};

static void handle_packet(struct gdb_server *server)
{
    struct gdb_words words = {.at = server->reader.data, .end = server->reader.data + server->reader.length};
    char data[GDB_PACKET_MAX];
    struct gdb_text reply = {.data = data, .size = sizeof data};
    bool answered = true;
    if (!server->attached) {
        server->attached = true;
        if (!machine_is_paused(server->host.machine)) {
            debugger_pause(server->host.debugger);
        }
    }
    for (size_t i = 0; i < ARRAY_COUNT(packets); i++) {
        if (gdb_words_take(&words, packets[i].name)) {
            answered = packets[i].handle(server, &words, &reply);
            break;
        }
    }
    if (answered) {
        gdb_send(server, &reply);
    }
}

static void refuse_packet(struct gdb_server *server)
{
    char data[8];
    struct gdb_text reply = {.data = data, .size = sizeof data};
    gdb_add_malformed(&reply);
    gdb_send(server, &reply);
}

static void interrupt(struct gdb_server *server)
{
    if (server->attached && !machine_is_paused(server->host.machine)) {
        server->interrupted = true;
        debugger_pause(server->host.debugger);
    }
}

/* The last packet once more, unless it has arrived: gdb also complains when it has waited long for an answer.
 */
static void repeat_packet(struct gdb_server *server)
{
    if (!server->no_acks && server->packet_length > 0) {
        server->host.send(server->host.opaque, server->packet, server->packet_length);
    }
}

static void act(struct gdb_server *server, enum gdb_packet_event event)
{
    switch (event) {
    case GDB_PACKET_NOTHING: return;
    case GDB_PACKET_ACK: server->packet_length = 0; return;
    case GDB_PACKET_NAK: repeat_packet(server); return;
    case GDB_PACKET_INTERRUPT: interrupt(server); return;
    case GDB_PACKET_DAMAGED:
        if (!server->no_acks) {
            send_byte(server, '-');
        }
        return;
    case GDB_PACKET_COMPLETE:
    case GDB_PACKET_TOO_LONG: break;
    }
    server->packet_length = 0;
    if (!server->no_acks) {
        send_byte(server, '+');
    }
    if (event == GDB_PACKET_TOO_LONG) {
        refuse_packet(server);
    } else {
        handle_packet(server);
    }
}

void gdb_server_receive(struct gdb_server *server, const uint8_t *bytes, size_t length)
{
    for (size_t i = 0; i < length; i++) {
        act(server, gdb_packet_read(&server->reader, bytes[i]));
    }
}

void gdb_server_poll(struct gdb_server *server)
{
    gdb_poll_monitor(server);
    if (server->owes_stop && machine_is_paused(server->host.machine)) {
        char data[512];
        struct gdb_text packet = {.data = data, .size = sizeof data};
        add_stop(server, &packet);
        gdb_send(server, &packet);
    }
}

bool gdb_server_is_busy(const struct gdb_server *server)
{
    return server->command.session != NULL;
}

void gdb_server_note_power_off(struct gdb_server *server, int exit_status)
{
    if (server->owes_stop) {
        const uint8_t status = (uint8_t)exit_status;
        char data[8];
        struct gdb_text packet = {.data = data, .size = sizeof data};
        gdb_text_add(&packet, "W");
        gdb_text_add_hex(&packet, &status, 1);
        gdb_send(server, &packet);
        server->owes_stop = false;
    }
}

bool gdb_server_wants_quit(const struct gdb_server *server)
{
    return server->quit;
}

/* ---- life */

struct gdb_server *gdb_server_create(const struct gdb_server_host *host)
{
    struct gdb_server *server = calloc(1, sizeof *server);
    if (server != NULL) {
        server->host = *host;
    }
    return server;
}

void gdb_server_disconnect(struct gdb_server *server)
{
    gdb_end_monitor(server);
    gdb_remove_all_points(server);
}

void gdb_server_connect(struct gdb_server *server)
{
    const struct gdb_server_host host = server->host;
    gdb_server_disconnect(server);
    memset(server, 0, sizeof *server);
    server->host = host;
}

void gdb_server_destroy(struct gdb_server *server)
{
    if (server != NULL) {
        gdb_server_disconnect(server);
        free(server);
    }
}

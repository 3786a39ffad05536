/* Packets that ask for things: what the server can, descriptions, threads, and `monitor`. */
#include <stdlib.h>
#include <string.h>

#include "debugger/gdb_internal.h"
#include "machine/machine.h"
#include "machine/machine_history.h"

#define MONITOR_CHUNK (GDB_PACKET_MAX / 2 - 1) /* bytes of output in one packet */

/* ---- what the server can */

bool gdb_query_supported(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    while (gdb_words_take(words, ":") || gdb_words_take(words, ";")) {
        server->wants_software_breaks |= gdb_words_take(words, "swbreak+");
        server->wants_hardware_breaks |= gdb_words_take(words, "hwbreak+");
        while (gdb_words_left(words) > 0 && *words->at != ';') {
            words->at++;
        }
    }
    gdb_text_add(reply, "PacketSize=");
    gdb_text_add_number(reply, GDB_PACKET_MAX);
    gdb_text_add(reply, ";QStartNoAckMode+;qXfer:features:read+;qXfer:memory-map:read+;swbreak+;hwbreak+;"
                        "vContSupported+");
    gdb_text_add(reply, machine_has_history(server->host.machine) ? ";ReverseStep+;ReverseContinue+" : "");
    return true;
}

bool gdb_start_no_acks(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    (void)words;
    server->no_acks = true;
    gdb_text_add(reply, "OK");
    return true;
}

/* ---- descriptions */

/* A part of `text`, with the letter that says whether it is the last. */
static void add_part(struct gdb_text *reply, const char *text, size_t length, uint64_t offset,
                     uint64_t wanted)
{
    const size_t from = offset < length ? (size_t)offset : length;
    const size_t most = wanted < length - from ? (size_t)wanted : length - from;
    gdb_text_add(reply, "l");
    const size_t added = gdb_text_add_escaped(reply, text + from, most);
    reply->full = false;
    if (from + added < length) {
        reply->data[0] = 'm';
    }
}

/* OFFSET,LENGTH. */
static bool parse_part(struct gdb_words *words, uint64_t *offset, uint64_t *wanted)
{
    return gdb_words_take_number(words, offset) && gdb_words_take(words, ",") &&
           gdb_words_take_number(words, wanted) && gdb_words_left(words) == 0;
}

bool gdb_query_xfer(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    uint64_t offset, wanted;
    if (gdb_words_take(words, "features:read:target.xml:")) {
        if (!parse_part(words, &offset, &wanted)) {
            gdb_add_malformed(reply);
            return true;
        }
        if (offset == 0) { /* the parts of one description fit together */
            server->description_length =
                gdb_target_xml_write(machine_cpu(server->host.machine)->code_size, server->description);
        }
        add_part(reply, server->description, server->description_length, offset, wanted);
    } else if (gdb_words_take(words, "memory-map:read::")) {
        const char *map = gdb_memory_map_xml();
        if (!parse_part(words, &offset, &wanted)) {
            gdb_add_malformed(reply);
            return true;
        }
        add_part(reply, map, strlen(map), offset, wanted);
    } else if (gdb_words_take(words, "features:read:")) {
        gdb_text_add(reply, "E00"); /* no such part */
    }
    return true;
}

/* ---- threads: the CPU is number 1 */

bool gdb_query_attached(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    (void)server;
    (void)words;
    gdb_text_add(reply, "1"); /* it was there before: gdb detaches when it ends, and does not kill */
    return true;
}

bool gdb_query_thread(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    (void)server;
    if (gdb_words_left(words) == 0) {
        gdb_text_add(reply, "QC1");
    }
    return true;
}

bool gdb_query_first_threads(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    (void)server;
    (void)words;
    gdb_text_add(reply, "m1");
    return true;
}

bool gdb_query_more_threads(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    (void)server;
    (void)words;
    gdb_text_add(reply, "l");
    return true;
}

bool gdb_query_thread_info(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    static const char *const modes[] = {
        [CPU_MODE_REAL] = "real", [CPU_MODE_V86] = "virtual-8086", [CPU_MODE_PROTECTED] = "protected"};
    const struct cpu_state *cpu = machine_cpu(server->host.machine);
    char text[80];
    (void)words;
    int length = snprintf(text, sizeof text, "%s mode, ring %u%s", modes[cpu->mode], cpu->cpl,
                          cpu->halted ? ", halted" : "");
    gdb_text_add_hex(reply, text, (size_t)length);
    return true;
}

/* ---- monitor */

void gdb_end_monitor(struct gdb_server *server)
{
    struct gdb_monitor_command *command = &server->command;
    if (command->session != NULL) {
        monitor_close(command->session);
        fclose(command->out);
        free(command->text);
    }
    *command = (struct gdb_monitor_command){0};
}

bool gdb_query_monitor(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    struct gdb_monitor_command *command = &server->command;
    char line[GDB_PACKET_MAX / 2];
    const size_t length = gdb_words_left(words) / 2;
    if (gdb_words_left(words) % 2 != 0 || !gdb_words_take_hex(words, line, length)) {
        gdb_add_malformed(reply);
        return true;
    }
    gdb_end_monitor(server); /* gdb does not wait for another one any more */
    command->out = open_memstream(&command->text, &command->length);
    command->session = command->out != NULL ? monitor_open_console(server->host.monitor, command->out) : NULL;
    if (command->session == NULL) {
        const struct status status = status_error(STATUS_NO_MEMORY, "out of memory");
        if (command->out != NULL) {
            fclose(command->out);
            free(command->text);
        }
        *command = (struct gdb_monitor_command){0};
        gdb_add_error(reply, &status);
        return true;
    }
    monitor_feed(command->session, line, length);
    monitor_feed_end(command->session);
    monitor_poll(server->host.monitor);
    return false;
}

static void send_output(struct gdb_server *server)
{
    struct gdb_monitor_command *command = &server->command;
    char data[GDB_PACKET_MAX];
    while (command->sent < command->length && server->host.keeps_up(server->host.opaque)) {
        struct gdb_text packet = {.data = data, .size = sizeof data};
        const size_t left = command->length - command->sent;
        const size_t part = left < MONITOR_CHUNK ? left : MONITOR_CHUNK;
        gdb_text_add(&packet, "O");
        gdb_text_add_hex(&packet, command->text + command->sent, part);
        gdb_send(server, &packet);
        command->sent += part;
    }
}

void gdb_poll_monitor(struct gdb_server *server)
{
    struct gdb_monitor_command *command = &server->command;
    if (command->session == NULL) {
        return;
    }
    fflush(command->out);
    send_output(server);
    int status;
    const bool over =
        monitor_session_is_over(command->session) || monitor_wants_quit(server->host.monitor, &status);
    if (over && command->sent == command->length) {
        char data[2];
        struct gdb_text packet = {.data = data, .size = sizeof data};
        gdb_end_monitor(server);
        gdb_text_add(&packet, "OK");
        gdb_send(server, &packet);
    }
}

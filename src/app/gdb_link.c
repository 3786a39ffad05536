/* See gdb_link.h. */
#include "app/gdb_link.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "debugger/gdb_packet.h"
#include "debugger/gdb_server.h"
#include "debugger/monitor.h"

#define READ_SIZE  4096u
#define EARLY_SIZE 4096u /* that can come while the server is busy */

struct gdb_link {
    struct char_device *stream;
    struct gdb_server *server;
    uint64_t connection; /* the one that the server knows of */
    /* While the server acts on something: what has come since, and whether gdb wants it to be interrupted. */
    bool is_serving, is_interrupted;
    uint8_t early[EARLY_SIZE];
    size_t early_length;
    struct gdb_packet_reader early_reader;
};

/* ---- the server's side */

static void send(void *opaque, const uint8_t *bytes, size_t length)
{
    struct gdb_link *link = opaque;
    char_device_write(link->stream, bytes, length);
}

static bool keeps_up(void *opaque)
{
    struct gdb_link *link = opaque;
    return char_device_keeps_up(link->stream);
}

/* ---- the stream's side */

static void note_connection(struct gdb_link *link)
{
    const uint64_t present = char_device_connection(link->stream);
    if (present == link->connection) {
        return;
    }
    if (present != 0) {
        gdb_server_connect(link->server);
    } else {
        gdb_server_disconnect(link->server);
    }
    link->connection = present;
}

/* A gdb that does not read its answers is not listened to. The next one waits until the server knows of it.
 */
static size_t room(void *opaque)
{
    const struct gdb_link *link = opaque;
    if (link->is_serving) {
        return char_device_connection(link->stream) == link->connection ? EARLY_SIZE - link->early_length : 0;
    }
    return keeps_up(opaque) ? READ_SIZE : 0;
}

static void keep_early(struct gdb_link *link, const uint8_t *bytes, size_t length)
{
    memcpy(link->early + link->early_length, bytes, length);
    link->early_length += length;
    for (size_t i = 0; i < length; i++) {
        link->is_interrupted |= gdb_packet_read(&link->early_reader, bytes[i]) == GDB_PACKET_INTERRUPT;
    }
}

static void begin_serving(struct gdb_link *link)
{
    link->is_serving = true;
    link->is_interrupted = false;
    memset(&link->early_reader, 0, sizeof link->early_reader);
}

/* Hands over what has come meanwhile. */
static void end_serving(struct gdb_link *link)
{
    while (link->early_length > 0) {
        uint8_t bytes[EARLY_SIZE];
        const size_t length = link->early_length;
        memcpy(bytes, link->early, length);
        link->early_length = 0;
        gdb_server_receive(link->server, bytes, length);
    }
    link->is_serving = false;
}

static void receive(void *opaque, const uint8_t *bytes, size_t length)
{
    struct gdb_link *link = opaque;
    if (link->is_serving) {
        keep_early(link, bytes, length);
        return;
    }
    note_connection(link);
    begin_serving(link);
    gdb_server_receive(link->server, bytes, length);
    end_serving(link);
}

/* ---- */

/* The address as char_device_open() wants it; false: too long. */
static bool complete(const char *specification, char *to, size_t size)
{
    static const char here[] = "tcp::";
    const bool local = strncmp(specification, here, strlen(here)) == 0;
    const bool socket = strncmp(specification, "tcp:", 4) == 0 || strncmp(specification, "unix:", 5) == 0;
    const int length =
        snprintf(to, size, "%s%s%s", local ? "tcp:127.0.0.1:" : "",
                 local ? specification + strlen(here) : specification, socket ? ",server" : "");
    return length >= 0 && (size_t)length < size;
}

struct status gdb_link_open(const char *specification, struct machine *machine, struct monitor *monitor,
                            struct gdb_link **link)
{
    char address[512], notice[256];
    struct gdb_link *opened = calloc(1, sizeof *opened);
    *link = NULL;
    const struct gdb_server_host host = {.machine = machine,
                                         .debugger = monitor_debugger(monitor),
                                         .monitor = monitor,
                                         .send = send,
                                         .keeps_up = keeps_up,
                                         .opaque = opened};
    struct gdb_server *server = opened != NULL ? gdb_server_create(&host) : NULL;
    struct status status = server != NULL ? status_ok() : status_error(STATUS_NO_MEMORY, "out of memory");
    if (status_is_ok(&status) && !complete(specification, address, sizeof address)) {
        status = status_error(STATUS_INVALID_ARGUMENT, "%.40s...: the address is too long", specification);
    }
    if (status_is_ok(&status)) {
        status = char_device_open(address, &opened->stream, notice, sizeof notice);
    }
    if (!status_is_ok(&status)) {
        gdb_server_destroy(server);
        free(opened);
        struct status named = status;
        snprintf(named.message, sizeof named.message, "-gdb: %.*s", (int)sizeof named.message - 7,
                 status.message);
        return named;
    }
    if (notice[0] != '\0') {
        fprintf(stderr, "doppel: gdb: %s\n", notice);
    }
    opened->server = server;
    const struct char_sink sink = {.room = room, .receive = receive, .opaque = opened};
    char_device_set_sink(opened->stream, &sink);
    *link = opened;
    return status_ok();
}

void gdb_link_close(struct gdb_link *link)
{
    if (link != NULL) {
        gdb_server_destroy(link->server);
        char_device_close(link->stream);
        free(link);
    }
}

size_t gdb_link_poll_fds(const struct gdb_link *link, struct pollfd fds[CHAR_DEVICE_MAX_FDS])
{
    return link != NULL ? char_device_poll_fds(link->stream, fds) : 0;
}

void gdb_link_poll(struct gdb_link *link)
{
    if (link != NULL) {
        begin_serving(link);
        gdb_server_poll(link->server);
        end_serving(link);
        char_device_poll(link->stream);
        note_connection(link);
    }
}

bool gdb_link_interrupts(struct gdb_link *link)
{
    if (link == NULL || !link->is_serving) {
        return false;
    }
    char_device_poll(link->stream);
    return link->is_interrupted || char_device_connection(link->stream) != link->connection;
}

bool gdb_link_is_busy(const struct gdb_link *link)
{
    return link != NULL && gdb_server_is_busy(link->server);
}

void gdb_link_note_power_off(struct gdb_link *link, int exit_status)
{
    if (link != NULL) {
        gdb_server_note_power_off(link->server, exit_status);
    }
}

bool gdb_link_wants_quit(const struct gdb_link *link)
{
    return link != NULL && gdb_server_wants_quit(link->server);
}

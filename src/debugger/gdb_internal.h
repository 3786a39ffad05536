/* What the files of the gdb server share. Private to this module. */
#ifndef DOPPEL_DEBUGGER_GDB_INTERNAL_H
#define DOPPEL_DEBUGGER_GDB_INTERNAL_H

#include <stdio.h>

#include "base/status.h"
#include "debugger/debugger.h"
#include "debugger/gdb_packet.h"
#include "debugger/gdb_server.h"
#include "debugger/gdb_target_xml.h"
#include "debugger/monitor.h"

/* Of Z and z packets. */
enum gdb_point_type {
    GDB_SOFTWARE_BREAK,
    GDB_HARDWARE_BREAK,
    GDB_WATCH_WRITE,
    GDB_WATCH_READ,
    GDB_WATCH_ACCESS
};

/* A breakpoint that gdb has put in. */
struct gdb_point {
    enum gdb_point_type type;
    uint32_t address;
    uint32_t length; /* of a watchpoint; otherwise 1 */
    unsigned number; /* the debugger's */
};

/* A line of `monitor`, and what it has printed. */
struct gdb_monitor_command {
    struct monitor_session *session; /* NULL: none is being carried out */
    FILE *out;
    char *text;
    size_t length;
    size_t sent; /* bytes of `text` that gdb has got */
};

struct gdb_server {
    struct gdb_server_host host;
    bool attached;
    bool no_acks;
    bool wants_software_breaks, wants_hardware_breaks; /* gdb knows these reasons */
    bool owes_stop;                                    /* gdb waits for the guest to stop */
    bool interrupted;                                  /* gdb has asked for that */
    bool quit;
    struct gdb_monitor_command command;
    struct gdb_point points[BREAKPOINTS_MAX];
    size_t point_count;
    char description[GDB_TARGET_XML_MAX]; /* what this gdb was told */
    size_t description_length;
    struct gdb_packet_reader reader;
    uint8_t packet[GDB_PACKET_MAX + 4]; /* the last one that was sent, while it may be wanted again */
    size_t packet_length;
};

/* Sends a packet. */
void gdb_send(struct gdb_server *server, const struct gdb_text *data);

/* Answers that say what went wrong. */
void gdb_add_malformed(struct gdb_text *reply);
void gdb_add_error(struct gdb_text *reply, const struct status *error);

/* Packets. `words` is what follows the packet's name. False: the reply comes later, or never. */
typedef bool gdb_handler(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply);

/* Z and z (gdb_points.c). */
gdb_handler gdb_insert_point, gdb_remove_point;
void gdb_remove_all_points(struct gdb_server *server);
/* The one that a stop is due to; NULL: none of gdb's. */
const struct gdb_point *gdb_find_stop(const struct gdb_server *server, const struct debugger_stop *stop);

/* Packets that begin with q and Q (gdb_query.c). */
gdb_handler gdb_query_supported, gdb_query_xfer, gdb_query_attached, gdb_query_thread,
    gdb_query_first_threads, gdb_query_more_threads, gdb_query_thread_info, gdb_query_monitor,
    gdb_start_no_acks;
/* Goes on with what `monitor` has begun. */
void gdb_poll_monitor(struct gdb_server *server);
void gdb_end_monitor(struct gdb_server *server);

#endif

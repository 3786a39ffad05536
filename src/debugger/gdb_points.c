/* gdb's breakpoints and watchpoints: Z and z packets, as hidden breakpoints of the debugger.
 *
 * Software and hardware breakpoints are the same here; gdb is told which it has met, since it asked for one
 * of them. */
#include "debugger/gdb_internal.h"
#include "debugger/gdb_registers.h"
#include "machine/machine.h"

static bool is_watch(enum gdb_point_type type)
{
    return type >= GDB_WATCH_WRITE;
}

/* What follows Z or z: TYPE,ADDRESS,KIND. */
static bool parse_point(struct gdb_words *words, struct gdb_point *point)
{
    uint64_t type, address, kind;
    if (!gdb_words_take_number(words, &type) || !gdb_words_take(words, ",") ||
        !gdb_words_take_number(words, &address) || !gdb_words_take(words, ",") ||
        !gdb_words_take_number(words, &kind) || gdb_words_left(words) != 0 || type > GDB_WATCH_ACCESS ||
        address > UINT32_MAX) {
        return false;
    }
    *point = (struct gdb_point){.type = (enum gdb_point_type)type, .address = (uint32_t)address, .length = 1};
    if (is_watch(point->type)) {
        if (kind == 0 || kind > BREAKPOINT_DATA_BYTES || address + kind - 1 > UINT32_MAX) {
            return false;
        }
        point->length = (uint32_t)kind;
    }
    return true;
}

static struct gdb_point *find_point(struct gdb_server *server, const struct gdb_point *like)
{
    for (size_t i = 0; i < server->point_count; i++) {
        struct gdb_point *point = &server->points[i];
        if (point->type == like->type && point->address == like->address && point->length == like->length) {
            return point;
        }
    }
    return NULL;
}

static struct breakpoint_spec specify(const struct gdb_point *point)
{
    static const unsigned accesses[] = {
        [GDB_WATCH_WRITE] = ACCESS_WRITE,
        [GDB_WATCH_READ] = ACCESS_READ,
        [GDB_WATCH_ACCESS] = ACCESS_READ | ACCESS_WRITE,
    };
    struct breakpoint_spec spec = {.kind = is_watch(point->type) ? BREAKPOINT_DATA : BREAKPOINT_CODE,
                                   .first = point->address,
                                   .last = point->address + point->length - 1,
                                   .hidden = true};
    spec.access = is_watch(point->type) ? accesses[point->type] : 0;
    return spec;
}

bool gdb_insert_point(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    struct gdb_point point;
    if (!parse_point(words, &point)) {
        gdb_add_malformed(reply);
        return true;
    }
    if (find_point(server, &point) != NULL) { /* gdb may say so twice */
        gdb_text_add(reply, "OK");
        return true;
    }
    struct status status = status_error(STATUS_NO_MEMORY, "too many breakpoints");
    if (server->point_count < BREAKPOINTS_MAX) {
        const struct breakpoint_spec spec = specify(&point);
        status = debugger_add(server->host.debugger, &spec, NULL, &point.number);
    }
    if (!status_is_ok(&status)) {
        gdb_add_error(reply, &status);
        return true;
    }
    server->points[server->point_count++] = point;
    gdb_text_add(reply, "OK");
    return true;
}

bool gdb_remove_point(struct gdb_server *server, struct gdb_words *words, struct gdb_text *reply)
{
    struct gdb_point like;
    if (!parse_point(words, &like)) {
        gdb_add_malformed(reply);
        return true;
    }
    struct gdb_point *point = find_point(server, &like);
    if (point != NULL) {
        (void)debugger_remove(server->host.debugger, point->number);
        *point = server->points[--server->point_count];
    }
    gdb_text_add(reply, "OK");
    return true;
}

void gdb_remove_all_points(struct gdb_server *server)
{
    while (server->point_count > 0) {
        (void)debugger_remove(server->host.debugger, server->points[--server->point_count].number);
    }
}

const struct gdb_point *gdb_find_stop(const struct gdb_server *server, const struct debugger_stop *stop)
{
    const uint32_t pc = gdb_program_counter(machine_cpu(server->host.machine));
    if (stop->reason != STOPPED_BREAKPOINT) {
        return NULL;
    }
    for (size_t i = 0; i < server->point_count; i++) {
        const struct gdb_point *point = &server->points[i];
        const bool met = stop->kind == BREAKPOINT_CODE ? !is_watch(point->type) && point->address == pc
                                                       : point->number == stop->breakpoint;
        if (met) {
            return point;
        }
    }
    return NULL;
}

/* TCP and unix sockets as character devices, both roles, against real sockets of this host. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chardev/char_device.h"

struct receiver {
    size_t length;
    uint8_t bytes[256];
};

static size_t receiver_room(void *opaque)
{
    return sizeof((struct receiver *)opaque)->bytes - ((struct receiver *)opaque)->length;
}

static void receiver_receive(void *opaque, const uint8_t *bytes, size_t length)
{
    struct receiver *receiver = opaque;
    memcpy(receiver->bytes + receiver->length, bytes, length);
    receiver->length += length;
}

static struct char_device *open_device(const char *specification, struct receiver *receiver, char *notice)
{
    struct char_device *device;
    struct status status = char_device_open(specification, &device, notice, 256);
    if (!status_is_ok(&status)) {
        fail_msg("%s: %s", specification, status.message);
    }
    struct char_sink sink = {.room = receiver_room, .receive = receiver_receive, .opaque = receiver};
    char_device_set_sink(device, &sink);
    return device;
}

/* Waits until one of the devices has something to do, then lets both do it. */
static void wait_and_poll(struct char_device *a, struct char_device *b)
{
    struct pollfd fds[2 * CHAR_DEVICE_MAX_FDS];
    size_t count = char_device_poll_fds(a, fds);
    count += b ? char_device_poll_fds(b, fds + count) : 0;
    assert_true(count > 0);
    assert_true(poll(fds, count, -1) > 0);
    char_device_poll(a);
    if (b) {
        char_device_poll(b);
    }
}

static void exchange(struct char_device *server, struct receiver *at_server, struct char_device *client,
                     struct receiver *at_client)
{
    at_server->length = 0;
    at_client->length = 0;
    char_device_write(client, (const uint8_t *)"ping", 4);
    while (at_server->length < 4) {
        wait_and_poll(server, client);
    }
    assert_memory_equal(at_server->bytes, "ping", 4);
    char_device_write(server, (const uint8_t *)"pong!", 5);
    while (at_client->length < 5) {
        wait_and_poll(server, client);
    }
    assert_memory_equal(at_client->bytes, "pong!", 5);
    assert_int_equal(at_server->length, 4);
}

static void serve_two_clients_in_turn(const char *server_specification, const char *client_format)
{
    struct receiver at_server = {0}, at_client = {0};
    char notice[256], client_specification[256], ignored[256];
    struct char_device *server = open_device(server_specification, &at_server, notice);
    const char *address = strstr(notice, "listening on ");
    assert_non_null(address);
    snprintf(client_specification, sizeof client_specification, client_format,
             address + strlen("listening on "));

    char_device_write(server, (const uint8_t *)"nobody", 6);
    char_device_poll(server);
    assert_int_equal(char_device_dropped(server), 6);
    assert_int_equal(char_device_connection(server), 0);

    struct char_device *client = open_device(client_specification, &at_client, ignored);
    exchange(server, &at_server, client, &at_client);
    const uint64_t first = char_device_connection(server);
    assert_int_not_equal(first, 0);
    char_device_close(client);

    client = open_device(client_specification, &at_client, ignored);
    exchange(server, &at_server, client, &at_client);
    assert_int_not_equal(char_device_connection(server), 0);
    assert_int_not_equal(char_device_connection(server), first);
    char_device_close(client);
    char_device_close(server);
}

static void a_tcp_server_serves_one_client_after_another(void **state)
{
    (void)state;
    serve_two_clients_in_turn("tcp:127.0.0.1:0,server=on,wait=off", "tcp:%s");
}

static void an_empty_tcp_host_is_this_one(void **state)
{
    (void)state;
    struct receiver receiver = {0};
    char notice[256];
    struct char_device *server = open_device("tcp::0,server,nowait", &receiver, notice);
    assert_true(strstr(notice, "127.0.0.1:") || strstr(notice, "[::1]:"));
    char_device_close(server);
}

static void a_unix_server_serves_one_client_after_another(void **state)
{
    (void)state;
    char directory[] = "/tmp/doppel-socket-XXXXXX", specification[128], path[96];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/serial", directory);
    snprintf(specification, sizeof specification, "unix:%s,server", path);
    serve_two_clients_in_turn(specification, "unix:%s");
    assert_int_equal(access(path, F_OK), -1); /* removed at the end */
    assert_int_equal(rmdir(directory), 0);
}

static void a_second_tcp_client_waits_for_the_first_to_leave(void **state)
{
    (void)state;
    struct receiver at_server = {0}, at_first = {0}, at_second = {0};
    char notice[256], specification[256], ignored[256];
    struct char_device *server = open_device("tcp:127.0.0.1:0,server", &at_server, notice);
    snprintf(specification, sizeof specification, "tcp:%s", notice + strlen("listening on "));
    struct char_device *first = open_device(specification, &at_first, ignored);
    exchange(server, &at_server, first, &at_first);
    struct char_device *second = open_device(specification, &at_second, ignored);
    char_device_write(second, (const uint8_t *)"me", 2);
    char_device_poll(second);
    exchange(server, &at_server, first, &at_first);
    char_device_close(first);
    at_server.length = 0;
    while (at_server.length < 2) {
        wait_and_poll(server, NULL);
    }
    assert_memory_equal(at_server.bytes, "me", 2);
    char_device_close(second);
    char_device_close(server);
}

static void a_client_whose_server_leaves_drops_output(void **state)
{
    (void)state;
    struct receiver at_server = {0}, at_client = {0};
    char notice[256], specification[256], ignored[256];
    struct char_device *server = open_device("tcp:127.0.0.1:0,server", &at_server, notice);
    snprintf(specification, sizeof specification, "tcp:%s", notice + strlen("listening on "));
    struct char_device *client = open_device(specification, &at_client, ignored);
    exchange(server, &at_server, client, &at_client);
    char_device_close(server);
    wait_and_poll(client, NULL);
    struct pollfd fds[CHAR_DEVICE_MAX_FDS];
    assert_int_equal(char_device_poll_fds(client, fds), 0);
    char_device_write(client, (const uint8_t *)"gone", 4);
    assert_int_equal(char_device_dropped(client), 4);
    struct status status = char_device_status(client);
    assert_int_equal(status.code, STATUS_OK);
    char_device_close(client);
}

static void a_peer_that_does_not_read_costs_the_newest_bytes_only(void **state)
{
    (void)state;
    struct receiver at_server = {0}, at_client = {0};
    char notice[256], specification[256], ignored[256];
    struct char_device *server = open_device("tcp:127.0.0.1:0,server", &at_server, notice);
    snprintf(specification, sizeof specification, "tcp:%s", notice + strlen("listening on "));
    struct char_device *client = open_device(specification, &at_client, ignored);
    exchange(server, &at_server, client, &at_client);
    uint8_t chunk[1024];
    memset(chunk, 'x', sizeof chunk);
    uint64_t written = 0;
    while (char_device_dropped(client) == 0) {
        char_device_write(client, chunk, sizeof chunk);
        written += sizeof chunk;
    }
    assert_true(written > 64 * 1024);
    at_server.length = 0;
    uint64_t arrived = 0, expected = written - char_device_dropped(client);
    while (arrived < expected) {
        wait_and_poll(server, client);
        arrived += at_server.length;
        at_server.length = 0;
    }
    assert_int_equal(arrived, expected);
    char_device_close(client);
    char_device_close(server);
}

static void taken_addresses_are_refused_by_name(void **state)
{
    (void)state;
    struct receiver receiver = {0};
    char notice[256], specification[256], ignored[256];
    struct char_device *server = open_device("tcp:127.0.0.1:0,server", &receiver, notice);
    snprintf(specification, sizeof specification, "tcp:%s,server", notice + strlen("listening on "));
    struct char_device *second;
    struct status status = char_device_open(specification, &second, ignored, sizeof ignored);
    assert_int_equal(status.code, STATUS_IO_ERROR);
    assert_non_null(strstr(status.message, "cannot listen on 127.0.0.1:"));
    assert_non_null(strstr(status.message, "in use"));
    char_device_close(server);

    specification[strlen(specification) - strlen(",server")] = '\0';
    status = char_device_open(specification, &second, ignored, sizeof ignored);
    assert_int_equal(status.code, STATUS_IO_ERROR);
    assert_non_null(strstr(status.message, "cannot connect to 127.0.0.1:"));
    assert_non_null(strstr(status.message, "refused"));
}

static void a_stale_unix_socket_is_replaced_but_not_a_file(void **state)
{
    (void)state;
    char directory[] = "/tmp/doppel-socket-XXXXXX", path[96], specification[128], notice[256];
    assert_non_null(mkdtemp(directory));
    snprintf(path, sizeof path, "%s/serial", directory);
    snprintf(specification, sizeof specification, "unix:%s,server", path);

    FILE *file = fopen(path, "w");
    assert_non_null(file);
    fclose(file);
    struct char_device *device;
    struct status status = char_device_open(specification, &device, notice, sizeof notice);
    assert_int_equal(status.code, STATUS_IO_ERROR);
    assert_int_equal(unlink(path), 0);

    struct receiver receiver = {0};
    struct char_device *live = open_device(specification, &receiver, notice);
    status = char_device_open(specification, &device, notice, sizeof notice);
    assert_int_equal(status.code, STATUS_IO_ERROR); /* somebody serves there */
    char moved[112];
    snprintf(moved, sizeof moved, "%s.kept", path);
    assert_int_equal(rename(path, moved), 0);
    char_device_close(live); /* closes the socket; its file was moved away */
    assert_int_equal(rename(moved, path), 0);

    device = open_device(specification, &receiver, notice);
    char_device_close(device);
    assert_int_equal(rmdir(directory), 0);
}

static void a_server_waits_for_clients_through_its_listening_socket(void **state)
{
    (void)state;
    struct receiver receiver = {0};
    char notice[256];
    struct char_device *server = open_device("tcp:127.0.0.1:0,server", &receiver, notice);
    struct pollfd fds[CHAR_DEVICE_MAX_FDS];
    assert_int_equal(char_device_poll_fds(server, fds), 1);
    assert_int_equal(fds[0].events, POLLIN);
    bool wants_write;
    assert_int_equal(char_device_poll_fd(server, &wants_write), fds[0].fd);
    assert_false(wants_write);
    char_device_close(server);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tcp_server_serves_one_client_after_another),
        cmocka_unit_test(an_empty_tcp_host_is_this_one),
        cmocka_unit_test(a_unix_server_serves_one_client_after_another),
        cmocka_unit_test(a_second_tcp_client_waits_for_the_first_to_leave),
        cmocka_unit_test(a_client_whose_server_leaves_drops_output),
        cmocka_unit_test(a_peer_that_does_not_read_costs_the_newest_bytes_only),
        cmocka_unit_test(taken_addresses_are_refused_by_name),
        cmocka_unit_test(a_stale_unix_socket_is_replaced_but_not_a_file),
        cmocka_unit_test(a_server_waits_for_clients_through_its_listening_socket),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

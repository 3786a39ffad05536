/* Processes in numbers: forks, programs started, trees of children, and data through chains of pipes. */
#include "checks.h"

#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define FORKS    300
#define PROGRAMS 60
#define DEPTH    5
#define CHAIN    6
#define BYTES    (256 * 1024)

static void check_forks(void)
{
    int wrong = 0;
    for (int i = 0; i < FORKS; i++) {
        pid_t child = fork();
        if (child == 0) {
            _exit(i & 0x7f);
        }
        int status = -1;
        wrong +=
            waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) != (i & 0x7f);
    }
    check_equal("forked children return their status", wrong, 0);
    wrong = 0;
    for (int i = 0; i < PROGRAMS; i++) {
        pid_t child = fork();
        if (child == 0) {
            char number[] = {(char)('1' + i % 9), '\0'};
            execl("/proc/self/exe", "checks", number, (char *)NULL);
            _exit(99);
        }
        int status = -1;
        waitpid(child, &status, 0);
        wrong += !WIFEXITED(status) || WEXITSTATUS(status) != 1 + i % 9;
    }
    check_equal("programs return their status", wrong, 0);
}

/* The number of processes in a binary tree of this depth, each of which forks two at once. */
static int tree(int depth)
{
    if (depth == 0) {
        return 1;
    }
    int total = 1;
    pid_t children[2];
    for (int i = 0; i < 2; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            _exit(tree(depth - 1));
        }
    }
    for (int i = 0; i < 2; i++) {
        int status = 0;
        waitpid(children[i], &status, 0);
        total += WEXITSTATUS(status);
    }
    return total;
}

static uint8_t byte_at(uint32_t i)
{
    return (uint8_t)(i * 31 + (i >> 8));
}

/* Adds 1 to each byte on its way. */
static void relay(int from, int to)
{
    uint8_t buffer[3000];
    ssize_t length;
    while ((length = read(from, buffer, sizeof(buffer))) > 0) {
        for (ssize_t i = 0; i < length; i++) {
            buffer[i]++;
        }
        if (write(to, buffer, (size_t)length) != length) {
            _exit(1);
        }
    }
    _exit(0);
}

static void check_pipes(void)
{
    int ends[CHAIN + 1][2];
    pid_t children[CHAIN];
    for (int i = 0; i <= CHAIN; i++) {
        if (pipe(ends[i]) != 0) {
            check(false, "pipes", "pipe %d", i);
            return;
        }
    }
    for (int i = 0; i < CHAIN; i++) {
        children[i] = fork();
        if (children[i] == 0) {
            for (int j = 0; j <= CHAIN; j++) {
                if (j != i) {
                    close(ends[j][0]);
                }
                if (j != i + 1) {
                    close(ends[j][1]);
                }
            }
            relay(ends[i][0], ends[i + 1][1]);
        }
    }
    for (int i = 0; i <= CHAIN; i++) {
        if (i < CHAIN) {
            close(ends[i][0]);
        }
        if (i > 0) {
            close(ends[i][1]);
        }
    }
    uint8_t buffer[4096];
    uint32_t sent = 0;
    uint32_t received = 0;
    int wrong = 0;
    struct pollfd ready[2] = {{.fd = ends[0][1], .events = POLLOUT},
                              {.fd = ends[CHAIN][0], .events = POLLIN}};
    while (poll(ready, 2, -1) > 0) {
        if (ready[0].revents & POLLOUT) {
            for (uint32_t i = 0; i < sizeof(buffer); i++) {
                buffer[i] = byte_at(sent + i);
            }
            ssize_t length = write(ends[0][1], buffer, sizeof(buffer));
            sent += length > 0 ? (uint32_t)length : 0;
            if (sent >= BYTES) {
                close(ends[0][1]);
                ready[0].fd = -1;
            }
        }
        if (ready[1].revents != 0) {
            ssize_t length = read(ends[CHAIN][0], buffer, sizeof(buffer));
            if (length <= 0) {
                break;
            }
            for (ssize_t i = 0; i < length; i++) {
                wrong += buffer[i] != (uint8_t)(byte_at(received++) + CHAIN);
            }
        }
    }
    close(ends[CHAIN][0]);
    for (int i = 0; i < CHAIN; i++) {
        waitpid(children[i], NULL, 0);
    }
    check_equal("bytes come through a chain of pipes", received, BYTES);
    check_equal("as they should be", wrong, 0);
}

static void check_sockets(void)
{
    int ends[2];
    socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends);
    pid_t child = fork();
    if (child == 0) {
        uint32_t number;
        while (read(ends[1], &number, sizeof(number)) == sizeof(number) && number != 0) {
            number = number * 3 + 1;
            if (write(ends[1], &number, sizeof(number)) != sizeof(number)) {
                break;
            }
        }
        _exit(0);
    }
    int wrong = 0;
    for (uint32_t i = 1; i <= 300; i++) {
        uint32_t reply = 0;
        wrong += write(ends[0], &i, sizeof(i)) != sizeof(i) ||
                 read(ends[0], &reply, sizeof(reply)) != sizeof(reply) || reply != i * 3 + 1;
    }
    uint32_t stop = 0;
    wrong += write(ends[0], &stop, sizeof(stop)) != sizeof(stop);
    waitpid(child, NULL, 0);
    check_equal("two processes talk through sockets", wrong, 0);
}

void check_processes(void)
{
    check_forks();
    check_equal("a tree of processes", tree(DEPTH), (2 << DEPTH) - 1);
    check_pipes();
    check_sockets();
}

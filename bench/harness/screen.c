/* The text screen of a guest on QEMU or Bochs; see screen.h. */
#include "harness/screen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "harness/command.h"
#include "harness/memory.h"

#define SCREEN_CELLS (SCREEN_SIZE / 2)

void screen_open(struct screen *screen, const char *work, bool has_monitor)
{
    *screen = (struct screen){.work = work, .has_monitor = has_monitor, .socket = -1};
}

void screen_close(struct screen *screen)
{
    if (screen->socket >= 0) {
        close(screen->socket);
    }
    screen->socket = -1;
}

static void connect_to_monitor(struct screen *screen)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int length = snprintf(address.sun_path, sizeof address.sun_path, "%s/" COMMAND_MONITOR, screen->work);
    if (length < 0 || (size_t)length >= sizeof address.sun_path) {
        return;
    }
    int descriptor = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (descriptor >= 0 && connect(descriptor, (const struct sockaddr *)&address, sizeof address) == 0) {
        screen->socket = descriptor;
    } else if (descriptor >= 0) {
        close(descriptor);
    }
}

/* The characters of the screen, and whether they are all there. */
static bool read_screen(const struct screen *screen, char *text)
{
    unsigned char cells[SCREEN_SIZE];
    char *path = memory_format("%s/" SCREEN_FILE, screen->work);
    FILE *file = fopen(path, "r");
    bool complete = file != NULL && fread(cells, 1, sizeof cells, file) == sizeof cells;
    if (file != NULL) {
        fclose(file);
        unlink(path);
    }
    free(path);
    for (size_t i = 0; complete && i < SCREEN_CELLS; i++) {
        text[i] = cells[2 * i] != 0 ? (char)cells[2 * i] : ' ';
    }
    text[SCREEN_CELLS] = '\0';
    return complete;
}

bool screen_shows(struct screen *screen, const char *text)
{
    char shown[SCREEN_CELLS + 1];
    if (screen->has_monitor && screen->socket < 0) {
        connect_to_monitor(screen);
    }
    bool found = read_screen(screen, shown) && strstr(shown, text) != NULL;
    if (screen->socket >= 0 && !found) {
        char command[80];
        char answer[4096];
        int length = snprintf(command, sizeof command, "pmemsave %#x %u " SCREEN_FILE "\n", SCREEN_ADDRESS,
                              SCREEN_SIZE);
        while (recv(screen->socket, answer, sizeof answer, MSG_DONTWAIT) > 0) {
        }
        if (send(screen->socket, command, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT) < 0) {
            screen_close(screen);
        }
    }
    return found;
}

/* The window front end on SDL's dummy video driver: events that SDL reports reach the guest, pictures reach
 * the window.
 *
 * The guest here is a thread that does what the machine's thread does; the window runs on the main thread, as
 * SDL wants. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define SDL_MAIN_HANDLED
#include <SDL.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "ui/sdl_keys.h"
#include "ui/sdl_window.h"

struct guest {
    struct front_end *front_end;
    struct display_source display;
    struct input_sink input;
    void (*script)(struct guest *guest);
    uint32_t width, height, colour;
    unsigned renders;
    char events[4096]; /* "+a -a mouse(3,-1,0,1)" */
    char requests[16];
};

static void note(struct guest *guest, const char *text)
{
    size_t used = strlen(guest->events);
    snprintf(guest->events + used, sizeof guest->events - used, "%s%s", used ? " " : "", text);
}

static void guest_render(void *opaque, struct display_frame *frame, bool force)
{
    (void)force;
    struct guest *guest = opaque;
    guest->renders++;
    if (display_frame_resize(frame, guest->width, guest->height)) {
        for (size_t i = 0; i < (size_t)guest->width * guest->height; i++) {
            frame->pixels[i] = guest->colour;
        }
    }
    frame->aspect_width = 4;
    frame->aspect_height = 3;
    frame->generation = guest->colour;
}

static void guest_key(void *opaque, enum key key, bool pressed)
{
    char text[32];
    snprintf(text, sizeof text, "%c%s", pressed ? '+' : '-', key_name(key));
    note(opaque, text);
}

static void guest_mouse(void *opaque, int dx, int dy, int wheel, unsigned buttons)
{
    char text[64];
    snprintf(text, sizeof text, "mouse(%d,%d,%d,%u)", dx, dy, wheel, buttons);
    note(opaque, text);
}

static bool guest_ready(void *opaque)
{
    (void)opaque;
    return true;
}

static void take_request(void *opaque, enum front_end_request request)
{
    struct guest *guest = opaque;
    size_t used = strlen(guest->requests);
    snprintf(guest->requests + used, sizeof guest->requests - used, "%c",
             request == FRONT_END_QUIT ? 'q' : 'm');
}

static uint64_t host_ns(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

/* One turn of the machine's loop: sleeps until input arrives, at most one interval, and updates. */
static void turn(struct guest *guest)
{
    struct pollfd fds[FRONT_END_MAX_FDS];
    size_t count = front_end_poll_fds(guest->front_end, fds);
    (void)poll(fds, count, 10);
    front_end_update(guest->front_end, host_ns());
}

static void wait_for_events(struct guest *guest, const char *expected)
{
    while (strlen(guest->events) < strlen(expected)) {
        turn(guest);
    }
}

static void push_key(SDL_Scancode scancode, bool pressed, bool repeat)
{
    SDL_Event event = {0};
    event.type = pressed ? SDL_KEYDOWN : SDL_KEYUP;
    event.key.state = pressed ? SDL_PRESSED : SDL_RELEASED;
    event.key.repeat = repeat;
    event.key.keysym.scancode = scancode;
    SDL_PushEvent(&event);
}

static void push_simple(uint32_t type)
{
    SDL_Event event = {0};
    event.type = type;
    SDL_PushEvent(&event);
}

static void push_motion(int dx, int dy, uint32_t buttons)
{
    SDL_Event event = {0};
    event.type = SDL_MOUSEMOTION;
    event.motion.xrel = dx;
    event.motion.yrel = dy;
    event.motion.state = buttons;
    SDL_PushEvent(&event);
}

static void *guest_thread(void *opaque)
{
    struct guest *guest = opaque;
    guest->script(guest);
    front_end_finish(guest->front_end);
    return NULL;
}

/* Runs `script` as the machine's thread with a window on this one. */
static void run_script(struct guest *guest, void (*script)(struct guest *guest))
{
    *guest = (struct guest){.script = script, .width = 720, .height = 400, .colour = 0x123456};
    guest->display = (struct display_source){.render = guest_render, .opaque = guest};
    guest->input = (struct input_sink){.key = guest_key, .mouse = guest_mouse, .opaque = guest};
    struct front_end_host host = {.display = &guest->display,
                                  .input = &guest->input,
                                  .input_ready = guest_ready,
                                  .request = take_request,
                                  .opaque = guest};
    struct status status = front_end_create(FRONT_END_SDL, &host, &guest->front_end);
    if (!status_is_ok(&status)) {
        fail_msg("%s", status.message);
    }
    assert_true(front_end_needs_main_thread(guest->front_end));
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, guest_thread, guest), 0);
    front_end_run(guest->front_end);
    pthread_join(thread, NULL);
    front_end_destroy(guest->front_end);
}

static void type_and_hold(struct guest *guest)
{
    push_key(SDL_SCANCODE_A, true, false);
    push_key(SDL_SCANCODE_A, true, true); /* the host's repeat is not the guest's */
    push_key(SDL_SCANCODE_A, false, false);
    push_key(SDL_SCANCODE_RCTRL, true, false);
    push_key(SDL_SCANCODE_KP_ENTER, true, false);
    SDL_Event event = {0};
    event.type = SDL_WINDOWEVENT;
    event.window.event = SDL_WINDOWEVENT_FOCUS_LOST;
    SDL_PushEvent(&event);
    wait_for_events(guest, "+a -a +ctrl_r +kp_enter -kp_enter -ctrl_r");
}

static void keys_reach_the_guest_and_are_released_with_the_focus(void **state)
{
    (void)state;
    struct guest guest;
    run_script(&guest, type_and_hold);
    assert_string_equal(guest.events, "+a -a +ctrl_r +kp_enter -kp_enter -ctrl_r");
}

static void use_the_mouse(struct guest *guest)
{
    push_motion(5, 5, 0); /* not grabbed: the host's */
    push_simple(SDL_MOUSEBUTTONDOWN);
    push_key(SDL_SCANCODE_X, true, false);
    wait_for_events(guest, "+x"); /* grabbing forgets movements from before */
    push_motion(3, -1, SDL_BUTTON_LMASK);
    SDL_Event event = {0};
    event.type = SDL_MOUSEWHEEL;
    event.wheel.y = 2; /* away from the user */
    SDL_PushEvent(&event);
    wait_for_events(guest, "+x mouse(3,-1,0,1) mouse(0,0,-2,0)");
    push_key(SDL_SCANCODE_LCTRL, true, false);
    push_key(SDL_SCANCODE_LALT, true, false);
    push_key(SDL_SCANCODE_G, true, false);
    push_key(SDL_SCANCODE_G, false, false);
    push_motion(9, 9, 0);
    push_key(SDL_SCANCODE_LALT, false, false);
    push_key(SDL_SCANCODE_LCTRL, false, false);
    wait_for_events(guest, "+x mouse(3,-1,0,1) mouse(0,0,-2,0) +ctrl +alt mouse(0,0,0,0) -alt -ctrl");
}

static void a_click_grabs_the_mouse_and_the_hotkey_lets_it_go(void **state)
{
    (void)state;
    struct guest guest;
    run_script(&guest, use_the_mouse);
    assert_string_equal(guest.events,
                        "+x mouse(3,-1,0,1) mouse(0,0,-2,0) +ctrl +alt mouse(0,0,0,0) -alt -ctrl");
}

static void ask_for_things(struct guest *guest)
{
    push_key(SDL_SCANCODE_LCTRL, true, false);
    push_key(SDL_SCANCODE_LALT, true, false);
    push_key(SDL_SCANCODE_M, true, false);
    push_key(SDL_SCANCODE_M, false, false);
    push_simple(SDL_QUIT);
    while (strlen(guest->requests) < 2) {
        turn(guest);
    }
}

static void closing_the_window_and_the_monitor_key_are_requests(void **state)
{
    (void)state;
    struct guest guest;
    run_script(&guest, ask_for_things);
    assert_string_equal(guest.requests, "mq");
    assert_string_equal(guest.events, "+ctrl +alt");
}

static void wait_for_renders(struct guest *guest, unsigned count)
{
    unsigned target = guest->renders + count;
    while (guest->renders < target) {
        turn(guest);
    }
}

static void change_modes(struct guest *guest)
{
    static const struct {
        uint32_t width, height;
    } modes[] = {{720, 400}, {320, 200}, {0, 0}, {1024, 768}, {1, 1}, {640, 480}};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        guest->width = modes[i].width;
        guest->height = modes[i].height;
        guest->colour++;
        wait_for_renders(guest, 3);
        front_end_set_state(guest->front_end, i % 2 ? FRONT_END_STOPPED : FRONT_END_RUNNING);
    }
}

static void pictures_of_all_sizes_are_asked_for_and_shown(void **state)
{
    (void)state;
    struct guest guest;
    run_script(&guest, change_modes);
    assert_true(guest.renders >= 18);
}

static void save_a_screenshot(struct guest *guest)
{
    guest->colour = 0xABCDEF;
    wait_for_renders(guest, 3);
    push_key(SDL_SCANCODE_LCTRL, true, false);
    push_key(SDL_SCANCODE_LALT, true, false);
    push_key(SDL_SCANCODE_S, true, false);
    push_key(SDL_SCANCODE_X, true, false);
    wait_for_events(guest, "+ctrl +alt +x");
}

static void the_screenshot_key_saves_a_picture(void **state)
{
    (void)state;
    char directory[] = "/tmp/doppel-sdl-XXXXXX", before[1024];
    assert_non_null(getcwd(before, sizeof before));
    assert_non_null(mkdtemp(directory));
    assert_int_equal(chdir(directory), 0);
    struct guest guest;
    run_script(&guest, save_a_screenshot);
    FILE *list = popen("ls doppel-*.png", "r");
    char name[128] = "";
    assert_int_equal(fscanf(list, "%127s", name), 1);
    pclose(list);
    assert_int_equal(unlink(name), 0);
    assert_int_equal(chdir(before), 0);
    assert_int_equal(rmdir(directory), 0);
}

static void every_key_of_a_pc_keyboard_has_one_scancode(void **state)
{
    (void)state;
    unsigned count[KEY_COUNT] = {0};
    for (int scancode = 0; scancode < SDL_NUM_SCANCODES; scancode++) {
        count[sdl_key_from_scancode((SDL_Scancode)scancode)]++;
    }
    for (unsigned key = KEY_NONE + 1; key < KEY_COUNT; key++) {
        /* The 105-key keyboard's extra backslash position has two usages; SDL has no wake key. */
        unsigned expected = key == KEY_BACKSLASH ? 2 : key == KEY_WAKE ? 0 : 1;
        if (count[key] != expected) {
            fail_msg("%s: %u scancodes", key_name((enum key)key), count[key]);
        }
    }
    assert_int_equal(sdl_key_from_scancode((SDL_Scancode)-1), KEY_NONE);
    assert_int_equal(sdl_key_from_scancode((SDL_Scancode)100000), KEY_NONE);
}

static void a_missing_display_is_an_error_that_says_so(void **state)
{
    (void)state;
    setenv("SDL_VIDEODRIVER", "no-such-driver", 1);
    struct front_end_host host = {0};
    struct front_end *front_end;
    struct status status = front_end_create(FRONT_END_SDL, &host, &front_end);
    setenv("SDL_VIDEODRIVER", "dummy", 1);
    assert_int_equal(status.code, STATUS_UNSUPPORTED);
    assert_non_null(strstr(status.message, "-display sdl: cannot start SDL"));
}

int main(void)
{
    setenv("SDL_VIDEODRIVER", "dummy", 1);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(keys_reach_the_guest_and_are_released_with_the_focus),
        cmocka_unit_test(a_click_grabs_the_mouse_and_the_hotkey_lets_it_go),
        cmocka_unit_test(closing_the_window_and_the_monitor_key_are_requests),
        cmocka_unit_test(pictures_of_all_sizes_are_asked_for_and_shown),
        cmocka_unit_test(the_screenshot_key_saves_a_picture),
        cmocka_unit_test(every_key_of_a_pc_keyboard_has_one_scancode),
        cmocka_unit_test(a_missing_display_is_an_error_that_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

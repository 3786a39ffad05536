/* The guest's screen in an SDL 2 window; see sdl_window.h. */
#define SDL_MAIN_HANDLED
#include "ui/sdl_window.h"

#include <SDL.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#include "ui/frame_exchange.h"
#include "ui/input_queue.h"
#include "ui/picture_fit.h"
#include "ui/png_file.h"
#include "ui/sdl_keys.h"

#define TICK_MS        16
#define MESSAGE_MS     4000
#define FIRST_WIDTH    720 /* before the first picture: the size of a VGA text screen, 4:3 */
#define FIRST_HEIGHT   540
#define SMALLEST_WIDTH 512 /* pictures narrower than this get twice their size */
#define SCALE_MAX      8

struct sdl_window {
    struct front_end front_end;

    /* Machine's thread. */
    struct front_end_host host;
    struct display_frame frame;
    bool published; /* at least once */
    uint64_t published_generation;
    uint64_t next_publish_ns;

    /* Shared. */
    struct frame_exchange *frames;
    struct input_queue *input;
    atomic_bool finished;
    atomic_int state; /* enum front_end_state */

    /* Main thread. */
    SDL_Window *window;
    SDL_Renderer *renderer;
    SDL_Texture *picture;  /* the frame, 1:1 */
    SDL_Texture *enlarged; /* the frame times `scale`, pixels kept sharp; NULL while scale is 1 */
    uint32_t picture_width, picture_height;
    uint32_t scale;
    const struct display_frame *shown; /* lent by `frames` until the next take */
    uint32_t natural_width, natural_height;
    bool held[KEY_COUNT];
    bool grabbed;
    bool full_screen;
    bool redraw;
    char message[128]; /* in the title until message_end */
    uint64_t message_end;
    char title[192];
};

static struct sdl_window *window_from(struct front_end *front_end)
{
    return (struct sdl_window *)front_end;
}

/* Machine's thread */

static void deliver(const struct front_end_host *host, const struct input_event *event)
{
    switch (event->kind) {
    case INPUT_EVENT_KEY: host->input->key(host->input->opaque, event->key, event->pressed); break;
    case INPUT_EVENT_MOUSE:
        host->input->mouse(host->input->opaque, event->dx, event->dy, event->wheel, event->buttons);
        break;
    default: host->request(host->opaque, event->request); break;
    }
}

static void publish_if_wanted(struct sdl_window *window, uint64_t now_ns)
{
    if (now_ns < window->next_publish_ns || !frame_exchange_wanted(window->frames)) {
        return;
    }
    const struct display_source *display = window->host.display;
    display->render(display->opaque, &window->frame, !window->published);
    if ((!window->published || window->frame.generation != window->published_generation) &&
        frame_exchange_publish(window->frames, &window->frame)) {
        window->published = true;
        window->published_generation = window->frame.generation;
    }
    window->next_publish_ns = now_ns + FRONT_END_INTERVAL_NS;
}

static void window_update(struct front_end *front_end, uint64_t now_ns)
{
    struct sdl_window *window = window_from(front_end);
    struct input_event event;
    while (input_queue_take(window->input, &event)) {
        deliver(&window->host, &event);
    }
    publish_if_wanted(window, now_ns);
}

static size_t window_poll_fds(const struct front_end *front_end, struct pollfd fds[FRONT_END_MAX_FDS])
{
    const struct sdl_window *window = (const struct sdl_window *)front_end;
    fds[0] = (struct pollfd){.fd = input_queue_fd(window->input), .events = POLLIN};
    return 1;
}

static void window_set_state(struct front_end *front_end, enum front_end_state state)
{
    atomic_store(&window_from(front_end)->state, (int)state);
}

static void window_finish(struct front_end *front_end)
{
    atomic_store(&window_from(front_end)->finished, true);
}

/* Main thread: title and messages */

static void update_title(struct sdl_window *window)
{
    char title[sizeof window->title];
    bool stopped = atomic_load(&window->state) == FRONT_END_STOPPED;
    char name[64] = "doppel";
    if (window->host.name != NULL) {
        snprintf(name, sizeof name, "doppel (%.48s)", window->host.name);
    }
    if (SDL_GetTicks64() < window->message_end) {
        snprintf(title, sizeof title, "%s - %.100s", name, window->message);
    } else {
        snprintf(title, sizeof title, "%s%s - %s, Ctrl+Alt+F full screen, Ctrl+Alt+M monitor", name,
                 stopped ? " (stopped)" : "",
                 window->grabbed ? "Ctrl+Alt+G releases the mouse" : "click to use the mouse");
    }
    if (strcmp(title, window->title) != 0) {
        strcpy(window->title, title);
        SDL_SetWindowTitle(window->window, title);
    }
}

static void save_screenshot(struct sdl_window *window)
{
    static const struct display_frame nothing = {0};
    char name[SCREENSHOT_NAME_MAX];
    struct status status = png_file_write_screenshot(window->shown ? window->shown : &nothing, name);
    if (status_is_ok(&status)) {
        snprintf(window->message, sizeof window->message, "saved %s", name);
    } else {
        snprintf(window->message, sizeof window->message, "%.120s", status.message);
    }
    window->message_end = SDL_GetTicks64() + MESSAGE_MS;
}

/* Main thread: the picture */

static void drop_textures(struct sdl_window *window)
{
    if (window->picture) {
        SDL_DestroyTexture(window->picture);
    }
    if (window->enlarged) {
        SDL_DestroyTexture(window->enlarged);
    }
    window->picture = NULL;
    window->enlarged = NULL;
    window->picture_width = 0;
    window->picture_height = 0;
    window->scale = 1;
}

/* Follows the guest's mode with the window's size, unless the user chose another one. */
static void follow_picture_size(struct sdl_window *window, const struct display_frame *frame)
{
    uint32_t width = frame->width < SMALLEST_WIDTH ? 2 * frame->width : frame->width;
    uint32_t height = frame->width < SMALLEST_WIDTH ? 2 * frame->height : frame->height;
    /* Enlarge the side that the aspect says is too short; pixels are never shrunk. */
    struct picture_size by_width = picture_fit(frame, width, UINT16_MAX);
    struct picture_size size = by_width.height >= height ? by_width : picture_fit(frame, UINT16_MAX, height);
    int present_width, present_height;
    SDL_GetWindowSize(window->window, &present_width, &present_height);
    bool is_natural =
        present_width == (int)window->natural_width && present_height == (int)window->natural_height;
    bool is_free = !window->full_screen && !(SDL_GetWindowFlags(window->window) & SDL_WINDOW_MAXIMIZED);
    bool changed = size.width != window->natural_width || size.height != window->natural_height;
    if (is_natural && is_free && changed) {
        window->natural_width = size.width;
        window->natural_height = size.height;
        SDL_SetWindowSize(window->window, (int)size.width, (int)size.height);
    }
}

static void upload_picture(struct sdl_window *window)
{
    const struct display_frame *frame = window->shown;
    if (window->picture_width != frame->width || window->picture_height != frame->height) {
        drop_textures(window);
        follow_picture_size(window, frame);
        window->picture =
            SDL_CreateTexture(window->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_STREAMING,
                              (int)frame->width, (int)frame->height);
        if (!window->picture) {
            return; /* tried again with the next picture */
        }
        window->picture_width = frame->width;
        window->picture_height = frame->height;
    }
    SDL_UpdateTexture(window->picture, NULL, frame->pixels, (int)(frame->stride * sizeof *frame->pixels));
}

/* Makes `enlarged` hold the picture times a whole number, so that scaling the rest smoothly leaves pixels
 * crisp. Returns what to draw. */
static SDL_Texture *enlarge_picture(struct sdl_window *window, struct picture_size shown)
{
    uint32_t across = (shown.width + window->picture_width - 1) / window->picture_width;
    uint32_t down = (shown.height + window->picture_height - 1) / window->picture_height;
    uint32_t scale = across > down ? across : down;
    scale = scale > SCALE_MAX ? SCALE_MAX : scale;
    if (scale != window->scale) {
        if (window->enlarged) {
            SDL_DestroyTexture(window->enlarged);
            window->enlarged = NULL;
        }
        window->scale = scale;
        if (scale > 1) {
            window->enlarged = SDL_CreateTexture(
                window->renderer, SDL_PIXELFORMAT_RGB888, SDL_TEXTUREACCESS_TARGET,
                (int)(window->picture_width * scale), (int)(window->picture_height * scale));
        }
    }
    if (!window->enlarged || SDL_SetRenderTarget(window->renderer, window->enlarged) != 0) {
        SDL_SetTextureScaleMode(window->picture, SDL_ScaleModeLinear);
        return window->picture;
    }
    SDL_SetTextureScaleMode(window->picture, SDL_ScaleModeNearest);
    SDL_RenderCopy(window->renderer, window->picture, NULL, NULL);
    SDL_SetRenderTarget(window->renderer, NULL);
    SDL_SetTextureScaleMode(window->enlarged, SDL_ScaleModeLinear);
    return window->enlarged;
}

static void draw(struct sdl_window *window)
{
    int width = 0, height = 0;
    SDL_GetRendererOutputSize(window->renderer, &width, &height);
    bool has_picture = window->picture && width > 0 && height > 0;
    struct picture_size size = {0};
    SDL_Texture *texture = NULL;
    if (has_picture) {
        size = picture_fit(window->shown, (uint32_t)width, (uint32_t)height);
        texture = enlarge_picture(window, size);
    }
    SDL_SetRenderDrawColor(window->renderer, 0, 0, 0, SDL_ALPHA_OPAQUE);
    SDL_RenderClear(window->renderer);
    if (has_picture) {
        SDL_Rect place = {(width - (int)size.width) / 2, (height - (int)size.height) / 2, (int)size.width,
                          (int)size.height};
        SDL_RenderCopy(window->renderer, texture, NULL, &place);
    }
    SDL_RenderPresent(window->renderer);
}

static void show_newest_picture(struct sdl_window *window)
{
    const struct display_frame *newest = frame_exchange_take(window->frames);
    if (newest) {
        window->shown = newest;
        if (newest->width == 0 || newest->height == 0) {
            drop_textures(window);
        } else {
            upload_picture(window);
        }
        window->redraw = true;
    }
    if (window->redraw) {
        draw(window);
        window->redraw = false;
    }
}

/* Main thread: input */

static void post_key(struct sdl_window *window, enum key key, bool pressed)
{
    if (window->held[key] != pressed) {
        struct input_event event = {.kind = INPUT_EVENT_KEY, .key = key, .pressed = pressed};
        window->held[key] = input_queue_post(window->input, &event) ? pressed : false;
    }
}

static void release_held_keys(struct sdl_window *window)
{
    for (unsigned key = KEY_NONE + 1; key < KEY_COUNT; key++) {
        post_key(window, (enum key)key, false);
    }
}

static void post_request(struct sdl_window *window, enum front_end_request request)
{
    struct input_event event = {.kind = INPUT_EVENT_REQUEST, .request = request};
    (void)input_queue_post(window->input, &event);
}

static unsigned button_set(uint32_t sdl_buttons)
{
    return (sdl_buttons & SDL_BUTTON_LMASK ? MOUSE_BUTTON_LEFT : 0u) |
           (sdl_buttons & SDL_BUTTON_RMASK ? MOUSE_BUTTON_RIGHT : 0u) |
           (sdl_buttons & SDL_BUTTON_MMASK ? MOUSE_BUTTON_MIDDLE : 0u);
}

static void post_mouse(struct sdl_window *window, int dx, int dy, int wheel, unsigned buttons)
{
    struct input_event event = {
        .kind = INPUT_EVENT_MOUSE, .dx = dx, .dy = dy, .wheel = wheel, .buttons = buttons};
    (void)input_queue_post(window->input, &event);
}

static void set_grab(struct sdl_window *window, bool grab)
{
    if (window->grabbed == grab) {
        return;
    }
    window->grabbed = grab;
    SDL_SetWindowGrab(window->window, grab ? SDL_TRUE : SDL_FALSE);
    SDL_SetRelativeMouseMode(grab ? SDL_TRUE : SDL_FALSE);
    if (!grab) {
        post_mouse(window, 0, 0, 0, 0); /* no button stays pressed */
    }
}

static void toggle_full_screen(struct sdl_window *window)
{
    bool wanted = !window->full_screen;
    if (SDL_SetWindowFullscreen(window->window, wanted ? SDL_WINDOW_FULLSCREEN_DESKTOP : 0) == 0) {
        window->full_screen = wanted;
        window->redraw = true;
    }
}

/* The window's own keys, with Ctrl and Alt held. False: the guest's. */
static bool run_hotkey(struct sdl_window *window, SDL_Scancode scancode)
{
    switch (scancode) {
    case SDL_SCANCODE_G: set_grab(window, !window->grabbed); return true;
    case SDL_SCANCODE_F: toggle_full_screen(window); return true;
    case SDL_SCANCODE_S: save_screenshot(window); return true;
    case SDL_SCANCODE_M:
        set_grab(window, false);
        post_request(window, FRONT_END_MONITOR);
        return true;
    default: return false;
    }
}

static void handle_key(struct sdl_window *window, const SDL_KeyboardEvent *event)
{
    bool pressed = event->state == SDL_PRESSED;
    bool control = window->held[KEY_CTRL] || window->held[KEY_CTRL_R];
    bool alt = window->held[KEY_ALT] || window->held[KEY_ALT_R];
    if (event->repeat || (pressed && control && alt && run_hotkey(window, event->keysym.scancode))) {
        return;
    }
    enum key key = sdl_key_from_scancode(event->keysym.scancode);
    if (key != KEY_NONE) {
        post_key(window, key, pressed);
    }
}

static void handle_button(struct sdl_window *window)
{
    if (window->grabbed) {
        post_mouse(window, 0, 0, 0, button_set(SDL_GetMouseState(NULL, NULL)));
    }
}

static void handle_window_event(struct sdl_window *window, const SDL_WindowEvent *event)
{
    switch (event->event) {
    case SDL_WINDOWEVENT_FOCUS_LOST:
        release_held_keys(window);
        set_grab(window, false);
        break;
    case SDL_WINDOWEVENT_EXPOSED:
    case SDL_WINDOWEVENT_SIZE_CHANGED: window->redraw = true; break;
    default: break;
    }
}

static void handle_event(struct sdl_window *window, const SDL_Event *event)
{
    switch (event->type) {
    case SDL_KEYDOWN:
    case SDL_KEYUP: handle_key(window, &event->key); break;
    case SDL_MOUSEBUTTONDOWN:
        if (!window->grabbed) {
            set_grab(window, true); /* the click itself is not the guest's */
            break;
        }
        handle_button(window);
        break;
    case SDL_MOUSEBUTTONUP: handle_button(window); break;
    case SDL_MOUSEMOTION:
        if (window->grabbed) {
            post_mouse(window, event->motion.xrel, event->motion.yrel, 0, button_set(event->motion.state));
        }
        break;
    case SDL_MOUSEWHEEL:
        if (window->grabbed) {
            post_mouse(window, 0, 0, -event->wheel.y, button_set(SDL_GetMouseState(NULL, NULL)));
        }
        break;
    case SDL_WINDOWEVENT: handle_window_event(window, &event->window); break;
    case SDL_RENDER_TARGETS_RESET: window->redraw = true; break;
    case SDL_RENDER_DEVICE_RESET:
        drop_textures(window);
        if (window->shown && window->shown->width != 0 && window->shown->height != 0) {
            upload_picture(window);
        }
        window->redraw = true;
        break;
    case SDL_QUIT: post_request(window, FRONT_END_QUIT); break;
    default: break;
    }
}

static void window_run(struct front_end *front_end)
{
    struct sdl_window *window = window_from(front_end);
    while (!atomic_load(&window->finished)) {
        SDL_Event event;
        if (SDL_WaitEventTimeout(&event, TICK_MS)) {
            do {
                handle_event(window, &event);
            } while (SDL_PollEvent(&event));
        }
        show_newest_picture(window);
        update_title(window);
    }
    release_held_keys(window);
    set_grab(window, false);
}

/* Opening and closing */

static void window_destroy(struct front_end *front_end)
{
    struct sdl_window *window = window_from(front_end);
    drop_textures(window);
    if (window->renderer) {
        SDL_DestroyRenderer(window->renderer);
    }
    if (window->window) {
        SDL_DestroyWindow(window->window);
    }
    SDL_QuitSubSystem(SDL_INIT_VIDEO);
    frame_exchange_destroy(window->frames);
    input_queue_destroy(window->input);
    display_frame_release(&window->frame);
    free(window);
}

static const struct front_end_ops window_ops = {
    .poll_fds = window_poll_fds,
    .update = window_update,
    .set_state = window_set_state,
    .finish = window_finish,
    .run = window_run,
    .destroy = window_destroy,
};

static struct status sdl_failure(const char *what)
{
    return status_error(STATUS_UNSUPPORTED, "-display sdl: cannot %s: %s", what, SDL_GetError());
}

/* Without a desktop SDL may fall back on drivers that show nothing; who wants one of them says so. */
static bool is_seen(void)
{
    const char *driver = SDL_GetCurrentVideoDriver();
    return getenv("SDL_VIDEODRIVER") != NULL ||
           (strcmp(driver, "offscreen") != 0 && strcmp(driver, "dummy") != 0 && strcmp(driver, "evdev") != 0);
}

static struct status open_window(struct sdl_window *window)
{
    SDL_SetMainReady();
    SDL_SetHint(SDL_HINT_NO_SIGNAL_HANDLERS, "1");
    SDL_SetHint(SDL_HINT_GRAB_KEYBOARD, "1");
    SDL_SetHint(SDL_HINT_WINDOWS_NO_CLOSE_ON_ALT_F4, "1");
    if (SDL_InitSubSystem(SDL_INIT_VIDEO) != 0) {
        return sdl_failure("start SDL");
    }
    if (!is_seen()) {
        return status_error(STATUS_UNSUPPORTED,
                            "-display sdl: there is no desktop to open a window on (DISPLAY "
                            "and WAYLAND_DISPLAY); use -display tty or none");
    }
    SDL_EnableScreenSaver();
    window->natural_width = FIRST_WIDTH;
    window->natural_height = FIRST_HEIGHT;
    window->window = SDL_CreateWindow("doppel", SDL_WINDOWPOS_UNDEFINED, SDL_WINDOWPOS_UNDEFINED, FIRST_WIDTH,
                                      FIRST_HEIGHT, SDL_WINDOW_RESIZABLE);
    if (!window->window) {
        return sdl_failure("open a window");
    }
    window->renderer = SDL_CreateRenderer(window->window, -1, 0);
    if (!window->renderer) {
        return sdl_failure("draw in a window");
    }
    return status_ok();
}

struct status sdl_window_create(const struct front_end_host *host, struct front_end **front_end)
{
    struct sdl_window *window = calloc(1, sizeof *window);
    if (!window) {
        return status_error(STATUS_NO_MEMORY, "out of memory");
    }
    window->front_end.ops = &window_ops;
    window->host = *host;
    window->scale = 1;
    window->redraw = true;
    window->frames = frame_exchange_create();
    struct status status = input_queue_create(&window->input);
    if (status_is_ok(&status) && !window->frames) {
        status = status_error(STATUS_NO_MEMORY, "out of memory");
    }
    if (status_is_ok(&status)) {
        status = open_window(window);
    }
    if (!status_is_ok(&status)) {
        window_destroy(&window->front_end);
        return status;
    }
    *front_end = &window->front_end;
    return status_ok();
}

/* The mouse; see ps2_mouse.h. */
#include "devices/ps2_mouse.h"

#include <stdlib.h>
#include <string.h>

#include "base/bits.h"

#define QUEUE_SIZE   16
#define SELF_TEST_NS (5 * NS_PER_MILLISECOND)
#define MOTION_LIMIT 8192 /* what may wait to be reported, per axis */

#define ID_STANDARD 0
#define ID_WHEEL    3
#define ID_EXPLORER 4

#define ANSWER_ACK          0xfa
#define ANSWER_RESEND       0xfe
#define ANSWER_SELF_TEST_OK 0xaa

enum mouse_mode { MODE_STREAM, MODE_REMOTE };

struct ps2_mouse {
    struct device device;
    struct device_host host;
    struct irq_line request;

    uint8_t queue[QUEUE_SIZE];
    unsigned queue_count;
    uint8_t last_sent;

    enum mouse_mode mode;
    bool wrap;
    bool reporting;
    bool double_scaling;
    uint8_t id;
    uint8_t resolution;
    uint8_t sample_rate;     /* per second, > 0 */
    uint8_t rate_history[2]; /* the two rates set before */
    uint8_t command;         /* waits for its argument; 0: none */

    int dx, dy, wheel; /* not yet reported */
    unsigned buttons;
    unsigned reported_buttons;
    struct clock_event sample_event;
    struct clock_event self_test_event;
};

static void mouse_update_request(struct ps2_mouse *mouse)
{
    irq_line_set(&mouse->request, mouse->queue_count > 0);
}

static void mouse_queue(struct ps2_mouse *mouse, uint8_t byte)
{
    if (mouse->queue_count < QUEUE_SIZE) {
        mouse->queue[mouse->queue_count++] = byte;
    }
}

static int clamp(int value, int low, int high)
{
    return value < low ? low : value > high ? high : value;
}

/* 2:1 scaling (stream mode only): 0 1 1 3 6 9, then doubled. */
static int mouse_scale(const struct ps2_mouse *mouse, int counts)
{
    static const int8_t small[] = {0, 1, 1, 3, 6, 9};
    if (!mouse->double_scaling || mouse->mode != MODE_STREAM) {
        return counts;
    }
    int size = abs(counts);
    int scaled = size < (int)ARRAY_COUNT(small) ? small[size] : 2 * size;
    return counts < 0 ? -scaled : scaled;
}

static void mouse_queue_report(struct ps2_mouse *mouse)
{
    int limit = mouse->double_scaling ? 127 : 255;
    int x = clamp(mouse->dx, -limit, limit);
    int y = clamp(mouse->dy, -limit, limit);
    int wheel = clamp(mouse->wheel, -8, 7);
    mouse->dx -= x;
    mouse->dy -= y;
    mouse->wheel -= wheel;
    mouse->reported_buttons = mouse->buttons;
    x = mouse_scale(mouse, x);
    y = mouse_scale(mouse, -y); /* up is positive on the wire */
    mouse_queue(mouse, (uint8_t)((mouse->buttons & 7) | 8u | (x < 0 ? 0x10 : 0) | (y < 0 ? 0x20 : 0)));
    mouse_queue(mouse, (uint8_t)x);
    mouse_queue(mouse, (uint8_t)y);
    if (mouse->id == ID_WHEEL) {
        mouse_queue(mouse, (uint8_t)wheel);
    } else if (mouse->id == ID_EXPLORER) {
        mouse_queue(mouse, (uint8_t)((wheel & 15) | (mouse->buttons & 0x18) << 1));
    }
}

static bool mouse_has_news(const struct ps2_mouse *mouse)
{
    return mouse->dx != 0 || mouse->dy != 0 || mouse->wheel != 0 || mouse->buttons != mouse->reported_buttons;
}

static bool mouse_is_streaming(const struct ps2_mouse *mouse)
{
    return mouse->mode == MODE_STREAM && mouse->reporting && !mouse->wrap;
}

static void mouse_schedule_sample(struct ps2_mouse *mouse)
{
    if (mouse_is_streaming(mouse) && mouse_has_news(mouse) &&
        !clock_event_is_scheduled(&mouse->sample_event)) {
        event_clock_schedule(mouse->host.clock, &mouse->sample_event,
                             event_clock_now(mouse->host.clock) + NS_PER_SECOND / mouse->sample_rate);
    }
}

static void sample_fire(void *opaque)
{
    struct ps2_mouse *mouse = opaque;
    if (mouse_is_streaming(mouse) && mouse_has_news(mouse) && mouse->queue_count == 0) {
        mouse_queue_report(mouse);
        mouse_update_request(mouse);
    }
    mouse_schedule_sample(mouse);
}

void ps2_mouse_move(struct ps2_mouse *mouse, int dx, int dy, int wheel, unsigned buttons)
{
    dx = clamp(dx, -MOTION_LIMIT, MOTION_LIMIT);
    dy = clamp(dy, -MOTION_LIMIT, MOTION_LIMIT);
    wheel = clamp(wheel, -MOTION_LIMIT, MOTION_LIMIT);
    mouse->buttons = buttons & 0x1f;
    if (mouse->id != ID_EXPLORER) {
        mouse->buttons &= 7;
    }
    if (mouse->mode == MODE_STREAM && !mouse->reporting) {
        mouse->reported_buttons = mouse->buttons; /* nobody listens */
        return;
    }
    mouse->dx = clamp(mouse->dx + dx, -MOTION_LIMIT, MOTION_LIMIT);
    mouse->dy = clamp(mouse->dy + dy, -MOTION_LIMIT, MOTION_LIMIT);
    if (mouse->id != ID_STANDARD) {
        mouse->wheel = clamp(mouse->wheel + wheel, -MOTION_LIMIT, MOTION_LIMIT);
    }
    mouse_schedule_sample(mouse);
}

static void mouse_forget_motion(struct ps2_mouse *mouse)
{
    mouse->dx = mouse->dy = mouse->wheel = 0;
    mouse->reported_buttons = mouse->buttons;
}

static void mouse_set_defaults(struct ps2_mouse *mouse)
{
    mouse->mode = MODE_STREAM;
    mouse->wrap = false;
    mouse->reporting = false;
    mouse->double_scaling = false;
    mouse->resolution = 2;
    mouse->sample_rate = 100;
    mouse->command = 0;
    mouse_forget_motion(mouse);
}

static void self_test_fire(void *opaque)
{
    struct ps2_mouse *mouse = opaque;
    mouse_queue(mouse, ANSWER_SELF_TEST_OK);
    mouse_queue(mouse, ID_STANDARD);
    mouse_update_request(mouse);
}

static void mouse_set_rate(struct ps2_mouse *mouse, uint8_t rate)
{
    mouse->sample_rate = rate == 0 ? 1 : rate;
    if (mouse->rate_history[0] == 200 && mouse->rate_history[1] == 100 && rate == 80) {
        mouse->id = ID_WHEEL;
    } else if (mouse->rate_history[0] == 200 && mouse->rate_history[1] == 200 && rate == 80) {
        mouse->id = ID_EXPLORER;
    }
    mouse->rate_history[0] = mouse->rate_history[1];
    mouse->rate_history[1] = rate;
}

static void mouse_queue_status(struct ps2_mouse *mouse)
{
    unsigned buttons = mouse->buttons;
    mouse_queue(mouse, (uint8_t)((mouse->mode == MODE_REMOTE ? 0x40 : 0) | (mouse->reporting ? 0x20 : 0) |
                                 (mouse->double_scaling ? 0x10 : 0) | (buttons & 1 ? 4 : 0) |
                                 (buttons & 4 ? 2 : 0) | (buttons & 2 ? 1 : 0)));
    mouse_queue(mouse, mouse->resolution);
    mouse_queue(mouse, mouse->sample_rate);
}

static void mouse_take_command(struct ps2_mouse *mouse, uint8_t command)
{
    if (command == 0xfe) {
        mouse_queue(mouse, mouse->last_sent);
        return;
    }
    mouse_queue(mouse, ANSWER_ACK);
    switch (command) {
    case 0xe6: mouse->double_scaling = false; break;
    case 0xe7: mouse->double_scaling = true; break;
    case 0xe8:
    case 0xf3: mouse->command = command; break;
    case 0xe9: mouse_queue_status(mouse); break;
    case 0xea:
        mouse->mode = MODE_STREAM;
        mouse_forget_motion(mouse);
        break;
    case 0xeb: mouse_queue_report(mouse); break;
    case 0xec: mouse->wrap = false; break;
    case 0xee: mouse->wrap = true; break;
    case 0xf0:
        mouse->mode = MODE_REMOTE;
        mouse_forget_motion(mouse);
        break;
    case 0xf2: mouse_queue(mouse, mouse->id); break;
    case 0xf4:
        mouse->reporting = true;
        mouse_forget_motion(mouse);
        break;
    case 0xf5:
        mouse->reporting = false;
        mouse_forget_motion(mouse);
        break;
    case 0xf6: mouse_set_defaults(mouse); break;
    case 0xff:
        mouse_set_defaults(mouse);
        mouse->id = ID_STANDARD;
        event_clock_schedule(mouse->host.clock, &mouse->self_test_event,
                             event_clock_now(mouse->host.clock) + SELF_TEST_NS);
        break;
    default: mouse->queue[mouse->queue_count - 1] = ANSWER_RESEND; break;
    }
}

static void mouse_receive(void *opaque, uint8_t byte)
{
    struct ps2_mouse *mouse = opaque;
    mouse->queue_count = 0; /* a command cuts off what was being sent */
    if (mouse->wrap && byte != 0xec && byte != 0xff) {
        mouse_queue(mouse, byte);
    } else if (mouse->command == 0xe8) {
        mouse->command = 0;
        mouse->resolution = byte & 3;
        mouse_queue(mouse, ANSWER_ACK);
    } else if (mouse->command == 0xf3) {
        mouse->command = 0;
        mouse_set_rate(mouse, byte);
        mouse_queue(mouse, ANSWER_ACK);
    } else {
        mouse_take_command(mouse, byte);
    }
    mouse_update_request(mouse);
}

static bool mouse_take_byte(void *opaque, uint8_t *byte)
{
    struct ps2_mouse *mouse = opaque;
    if (mouse->queue_count == 0) {
        return false;
    }
    *byte = mouse->queue[0];
    mouse->queue_count--;
    memmove(mouse->queue, mouse->queue + 1, mouse->queue_count);
    mouse->last_sent = *byte;
    mouse_update_request(mouse);
    return true;
}

struct ps2_link ps2_mouse_link(struct ps2_mouse *mouse)
{
    return (struct ps2_link){.send = mouse_receive, .take = mouse_take_byte, .opaque = mouse};
}

static void mouse_reset(struct device *device)
{
    struct ps2_mouse *mouse = CONTAINER_OF(device, struct ps2_mouse, device);
    event_clock_cancel(mouse->host.clock, &mouse->sample_event);
    event_clock_cancel(mouse->host.clock, &mouse->self_test_event);
    mouse_set_defaults(mouse);
    mouse->id = ID_STANDARD;
    mouse->rate_history[0] = mouse->rate_history[1] = 0;
    mouse->queue_count = 0;
    mouse->last_sent = ANSWER_SELF_TEST_OK;
    mouse_update_request(mouse);
}

static void mouse_describe(struct device *device, FILE *out)
{
    const struct ps2_mouse *mouse = CONTAINER_OF(device, struct ps2_mouse, device);
    fprintf(out, "mouse: id %u %s mode, %u samples/s, %s%s, waiting %d %d %d, buttons %x\n", mouse->id,
            mouse->mode == MODE_REMOTE ? "remote" : "stream", mouse->sample_rate,
            mouse->reporting ? "reporting" : "silent", mouse->wrap ? ", wrap" : "", mouse->dx, mouse->dy,
            mouse->wheel, mouse->buttons);
}

static void mouse_destroy(struct device *device)
{
    struct ps2_mouse *mouse = CONTAINER_OF(device, struct ps2_mouse, device);
    event_clock_cancel(mouse->host.clock, &mouse->sample_event);
    event_clock_cancel(mouse->host.clock, &mouse->self_test_event);
    free(mouse);
}

static const struct device_class ps2_mouse_class = {.name = "mouse",
                                                    .reset = mouse_reset,
                                                    .describe = mouse_describe,
                                                    .destroy = mouse_destroy,
                                                    .state_size = sizeof(struct ps2_mouse)};

struct status ps2_mouse_create(const struct device_host *host, const struct irq_line *request,
                               struct ps2_mouse **mouse)
{
    struct ps2_mouse *made = calloc(1, sizeof *made);
    if (made == NULL) {
        return status_error(STATUS_NO_MEMORY, "out of memory for the mouse");
    }
    made->device.class = &ps2_mouse_class;
    made->host = *host;
    made->request = *request;
    clock_event_init(&made->sample_event, "mouse-sample", sample_fire, made);
    clock_event_init(&made->self_test_event, "mouse-self-test", self_test_fire, made);
    mouse_reset(&made->device);
    *mouse = made;
    return status_ok();
}

struct device *ps2_mouse_device(struct ps2_mouse *mouse)
{
    return &mouse->device;
}

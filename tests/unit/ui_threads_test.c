/* What crosses threads: the input queue and the frame exchange. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "ui/frame_exchange.h"
#include "ui/input_queue.h"

static struct input_queue *create_queue(void)
{
    struct input_queue *queue;
    struct status status = input_queue_create(&queue);
    assert_int_equal(status.code, STATUS_OK);
    return queue;
}

static bool post_key(struct input_queue *queue, enum key key, bool pressed)
{
    struct input_event event = {.kind = INPUT_EVENT_KEY, .key = key, .pressed = pressed};
    return input_queue_post(queue, &event);
}

static bool post_mouse(struct input_queue *queue, int dx, int dy, unsigned buttons)
{
    struct input_event event = {
        .kind = INPUT_EVENT_MOUSE, .dx = dx, .dy = dy, .wheel = 1, .buttons = buttons};
    return input_queue_post(queue, &event);
}

static bool is_readable(const struct input_queue *queue)
{
    struct pollfd ready = {.fd = input_queue_fd(queue), .events = POLLIN};
    return poll(&ready, 1, 0) == 1;
}

static void events_come_out_in_order(void **state)
{
    (void)state;
    struct input_queue *queue = create_queue();
    struct input_event event;
    assert_false(input_queue_take(queue, &event));
    assert_true(post_key(queue, KEY_A, true));
    assert_true(post_key(queue, KEY_A, false));
    event = (struct input_event){.kind = INPUT_EVENT_REQUEST, .request = FRONT_END_MONITOR};
    assert_true(input_queue_post(queue, &event));
    assert_true(input_queue_take(queue, &event));
    assert_true(event.kind == INPUT_EVENT_KEY && event.key == KEY_A && event.pressed);
    assert_true(input_queue_take(queue, &event));
    assert_true(event.kind == INPUT_EVENT_KEY && event.key == KEY_A && !event.pressed);
    assert_true(input_queue_take(queue, &event));
    assert_true(event.kind == INPUT_EVENT_REQUEST && event.request == FRONT_END_MONITOR);
    assert_false(input_queue_take(queue, &event));
    input_queue_destroy(queue);
}

static void the_descriptor_is_readable_exactly_while_events_wait(void **state)
{
    (void)state;
    struct input_queue *queue = create_queue();
    struct input_event event;
    assert_false(is_readable(queue));
    post_key(queue, KEY_A, true);
    post_key(queue, KEY_B, true);
    assert_true(is_readable(queue));
    input_queue_take(queue, &event);
    assert_true(is_readable(queue));
    input_queue_take(queue, &event);
    assert_false(is_readable(queue));
    post_key(queue, KEY_C, true);
    assert_true(is_readable(queue));
    input_queue_destroy(queue);
}

static void movements_merge_until_a_button_changes(void **state)
{
    (void)state;
    struct input_queue *queue = create_queue();
    struct input_event event;
    post_mouse(queue, 3, -1, 0);
    post_mouse(queue, 4, -2, 0);
    post_mouse(queue, 1, 1, MOUSE_BUTTON_LEFT);
    post_key(queue, KEY_A, true);
    post_mouse(queue, 1, 1, MOUSE_BUTTON_LEFT);
    assert_true(input_queue_take(queue, &event));
    assert_true(event.dx == 7 && event.dy == -3 && event.wheel == 2 && event.buttons == 0);
    assert_true(input_queue_take(queue, &event));
    assert_true(event.dx == 1 && event.buttons == MOUSE_BUTTON_LEFT);
    assert_true(input_queue_take(queue, &event));
    assert_int_equal(event.kind, INPUT_EVENT_KEY);
    assert_true(input_queue_take(queue, &event));
    assert_int_equal(event.kind, INPUT_EVENT_MOUSE);
    assert_false(input_queue_take(queue, &event));
    input_queue_destroy(queue);
}

static void a_full_queue_refuses_presses_but_takes_releases_and_requests(void **state)
{
    (void)state;
    struct input_queue *queue = create_queue();
    while (post_key(queue, KEY_A, true)) {
    }
    assert_false(post_mouse(queue, 1, 1, 0));
    for (unsigned key = KEY_NONE + 1; key < KEY_COUNT; key++) {
        assert_true(post_key(queue, (enum key)key, false));
    }
    struct input_event event = {.kind = INPUT_EVENT_REQUEST, .request = FRONT_END_QUIT};
    assert_true(input_queue_post(queue, &event));
    while (input_queue_take(queue, &event)) {
    }
    assert_int_equal(event.kind, INPUT_EVENT_REQUEST);
    assert_true(post_key(queue, KEY_A, true));
    input_queue_destroy(queue);
}

#define POSTS 20000

static void *post_many(void *opaque)
{
    struct input_queue *queue = opaque;
    for (unsigned i = 0; i < POSTS; i++) {
        while (!post_key(queue, (enum key)(1 + i % (KEY_COUNT - 1)), true)) {
        }
    }
    return NULL;
}

static void nothing_is_lost_or_reordered_between_two_threads(void **state)
{
    (void)state;
    struct input_queue *queue = create_queue();
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, post_many, queue), 0);
    for (unsigned i = 0; i < POSTS;) {
        struct pollfd ready = {.fd = input_queue_fd(queue), .events = POLLIN};
        assert_int_equal(poll(&ready, 1, -1), 1);
        struct input_event event;
        while (input_queue_take(queue, &event)) {
            assert_int_equal(event.key, 1 + i % (KEY_COUNT - 1));
            i++;
        }
    }
    pthread_join(thread, NULL);
    input_queue_destroy(queue);
}

static struct display_frame *create_picture(uint32_t width, uint32_t height, uint32_t colour,
                                            uint64_t generation)
{
    struct display_frame *frame = calloc(1, sizeof *frame);
    assert_non_null(frame);
    assert_true(display_frame_resize(frame, width, height));
    for (size_t i = 0; i < (size_t)width * height; i++) {
        frame->pixels[i] = colour;
    }
    frame->generation = generation;
    return frame;
}

static void free_picture(struct display_frame *frame)
{
    display_frame_release(frame);
    free(frame);
}

static void a_picture_is_wanted_once_the_window_looked_for_one(void **state)
{
    (void)state;
    struct frame_exchange *exchange = frame_exchange_create();
    assert_false(frame_exchange_wanted(exchange));
    assert_null(frame_exchange_take(exchange));
    assert_true(frame_exchange_wanted(exchange));
    struct display_frame *frame = create_picture(4, 2, 0x112233, 1);
    assert_true(frame_exchange_publish(exchange, frame));
    assert_false(frame_exchange_wanted(exchange));
    const struct display_frame *taken = frame_exchange_take(exchange);
    assert_non_null(taken);
    assert_int_equal(taken->width, 4);
    assert_int_equal(taken->pixels[7], 0x112233);
    assert_true(frame_exchange_wanted(exchange));
    assert_null(frame_exchange_take(exchange));
    assert_int_equal(taken->pixels[7], 0x112233); /* still lent */
    free_picture(frame);
    frame_exchange_destroy(exchange);
}

static void only_the_newest_picture_is_taken(void **state)
{
    (void)state;
    struct frame_exchange *exchange = frame_exchange_create();
    struct display_frame *first = create_picture(4, 2, 1, 1), *second = create_picture(8, 4, 2, 2);
    frame_exchange_publish(exchange, first);
    frame_exchange_publish(exchange, second);
    const struct display_frame *taken = frame_exchange_take(exchange);
    assert_int_equal(taken->generation, 2);
    assert_int_equal(taken->width, 8);
    assert_null(frame_exchange_take(exchange));
    free_picture(first);
    free_picture(second);
    frame_exchange_destroy(exchange);
}

struct publisher {
    struct frame_exchange *exchange;
    atomic_bool stop;
};

static void *publish_many(void *opaque)
{
    struct publisher *publisher = opaque;
    struct display_frame *sizes[2] = {create_picture(64, 48, 0, 0), create_picture(48, 64, 0, 0)};
    for (uint32_t n = 1; !atomic_load(&publisher->stop); n++) {
        struct display_frame *frame = sizes[n % 2];
        for (size_t i = 0; i < (size_t)64 * 48; i++) {
            frame->pixels[i] = n;
        }
        frame->generation = n;
        frame_exchange_publish(publisher->exchange, frame);
    }
    free_picture(sizes[0]);
    free_picture(sizes[1]);
    return NULL;
}

static void pictures_are_never_torn_between_two_threads(void **state)
{
    (void)state;
    struct publisher publisher = {.exchange = frame_exchange_create()};
    pthread_t thread;
    assert_int_equal(pthread_create(&thread, NULL, publish_many, &publisher), 0);
    uint64_t last = 0;
    bool torn = false, backwards = false;
    for (unsigned taken_count = 0; taken_count < 500;) {
        const struct display_frame *taken = frame_exchange_take(publisher.exchange);
        if (!taken) {
            continue;
        }
        taken_count++;
        backwards = backwards || taken->generation <= last;
        last = taken->generation;
        for (size_t i = 0; i < (size_t)taken->width * taken->height; i++) {
            torn = torn || taken->pixels[i] != taken->generation;
        }
    }
    atomic_store(&publisher.stop, true);
    pthread_join(thread, NULL);
    frame_exchange_destroy(publisher.exchange);
    assert_false(torn);
    assert_false(backwards);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(events_come_out_in_order),
        cmocka_unit_test(the_descriptor_is_readable_exactly_while_events_wait),
        cmocka_unit_test(movements_merge_until_a_button_changes),
        cmocka_unit_test(a_full_queue_refuses_presses_but_takes_releases_and_requests),
        cmocka_unit_test(nothing_is_lost_or_reordered_between_two_threads),
        cmocka_unit_test(a_picture_is_wanted_once_the_window_looked_for_one),
        cmocka_unit_test(only_the_newest_picture_is_taken),
        cmocka_unit_test(pictures_are_never_torn_between_two_threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

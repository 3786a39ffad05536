/*
 * The colors command: the 256 text attributes, then a plasma and a set of swinging bars in mode 13h behind
 * the word mark, and back to text.
 *
 * The pictures are made of table look-ups and additions only. Each pixel's palette index is a level of the
 * picture plus what the mask says is in front of it there: nothing, the shadow of a letter, or a letter.
 */
#include "commands.h"
#include "console.h"
#include "scratch.h"
#include "screen.h"
#include "text.h"
#include "timer.h"

#define CHART_WAIT_TICKS (8 * TIMER_HZ)
#define SCENE_TICKS      (7 * TIMER_HZ)
#define FRAME_TICKS      3
#define FADE_TICKS       40

#define LEVELS    64 /* of one picture; the palette has it plain, in shadow and in letters */
#define IN_SHADOW 64
#define IN_LETTER 128

#define LOGO_SCALE 6
#define LOGO_LEFT  ((VGA_PIXELS_ACROSS - LOGO_WIDTH * LOGO_SCALE) / 2)
#define LOGO_TOP   ((VGA_PIXELS_DOWN - LOGO_HEIGHT * LOGO_SCALE) / 2)

#define BAR_COUNT  7
#define BAR_HEIGHT 18

_Static_assert(VGA_PIXELS <= SCRATCH_SIZE, "a frame has to fit in the scratch memory");

static uint8_t *const frame = scratch_a;
static uint8_t *const mask = scratch_b;

static void print_chart(void)
{
    console_clear();
    console_print_in(VGA_DARK_GRAY, "              ");
    for (unsigned i = 0; i < 16; i++)
        console_print_in(VGA_DARK_GRAY, " _%X ", i);
    console_put('\n');
    for (unsigned background = 0; background < 16; background++) {
        console_print_in(VGA_DARK_GRAY, "           %X_ ", background);
        for (unsigned foreground = 0; foreground < 16; foreground++) {
            console_set_color(foreground, background);
            console_print(" %X%X ", background, foreground);
        }
        console_reset_color();
        console_put('\n');
    }
}

/* A sine of 256 steps a turn, from 0 to 255, made of two parabolas. */
static uint8_t wave(uint32_t angle)
{
    int32_t x = (int32_t)(angle & 127) - 64;
    int32_t arc = 127 - x * x * 127 / 4096;
    return (uint8_t)((angle & 128) == 0 ? 128 + arc : 127 - arc);
}

static void draw_mask(void)
{
    memset(mask, 0, VGA_PIXELS);
    for (unsigned y = 0; y < LOGO_HEIGHT * LOGO_SCALE; y++) {
        uint8_t *row = mask + (LOGO_TOP + y) * VGA_PIXELS_ACROSS + LOGO_LEFT;
        for (unsigned x = 0; x < LOGO_WIDTH * LOGO_SCALE; x++) {
            enum logo_pixel pixel = screen_logo_pixel(x / LOGO_SCALE, y / LOGO_SCALE);
            row[x] = pixel == LOGO_LETTER ? IN_LETTER : pixel == LOGO_SHADOW ? IN_SHADOW : 0;
        }
    }
}

struct color {
    uint32_t red, green, blue; /* 0 to 63 */
};

/* brightness: 0 to 64 */
static void set_level(uint32_t level, struct color color, uint32_t brightness)
{
    uint32_t red = color.red * brightness / 64;
    uint32_t green = color.green * brightness / 64;
    uint32_t blue = color.blue * brightness / 64;
    vga_set_color((uint8_t)level, (uint8_t)red, (uint8_t)green, (uint8_t)blue);
    vga_set_color((uint8_t)(IN_SHADOW + level), (uint8_t)(red / 4), (uint8_t)(green / 4),
                  (uint8_t)(blue / 4));
    /* Letters: the picture seen through milk glass. */
    uint32_t white = 40 * brightness / 64;
    vga_set_color((uint8_t)(IN_LETTER + level), (uint8_t)(white + red * 23 / 63),
                  (uint8_t)(white + green * 23 / 63), (uint8_t)(white + blue * 23 / 63));
}

/* A ring of key colours, eight steps from each to the next, which turns with time. */
static void plasma_palette(uint32_t time, uint32_t brightness)
{
    static const struct color ring[] = {{3, 5, 22},   {8, 18, 46},  {12, 46, 60}, {10, 24, 54},
                                        {28, 10, 48}, {54, 12, 42}, {63, 38, 28}, {36, 8, 42}};
    for (uint32_t i = 0; i < LEVELS; i++) {
        uint32_t place = (i + time / 8) % LEVELS;
        const struct color *from = &ring[place / 8];
        const struct color *to = &ring[(place / 8 + 1) % 8];
        uint32_t part = place % 8;
        struct color color = {(from->red * (8 - part) + to->red * part) / 8,
                              (from->green * (8 - part) + to->green * part) / 8,
                              (from->blue * (8 - part) + to->blue * part) / 8};
        set_level(i, color, brightness);
    }
}

static void plasma_draw(uint32_t time)
{
    uint8_t columns[VGA_PIXELS_ACROSS];
    uint8_t diagonal[256];
    for (uint32_t x = 0; x < VGA_PIXELS_ACROSS; x++)
        columns[x] = (uint8_t)(wave(x + time * 2) / 2 + wave(x * 2 - time) / 4);
    for (uint32_t i = 0; i < 256; i++)
        diagonal[i] = wave(i) / 2;
    const uint8_t *front = mask;
    uint8_t *pixel = frame;
    for (uint32_t y = 0; y < VGA_PIXELS_DOWN; y++) {
        uint8_t row = (uint8_t)(wave(y * 2 - time * 3) / 2 + wave(y + time) / 2);
        uint8_t angle = (uint8_t)(y + wave(y + time) / 2);
        for (uint32_t x = 0; x < VGA_PIXELS_ACROSS; x++) {
            uint8_t level = (uint8_t)(columns[x] + row + diagonal[angle]);
            *pixel++ = (uint8_t)(level / 4 + *front++);
            angle++;
        }
    }
}

/* Level 0 to 7: the night behind; then a ramp of 8 levels for each bar. */
static void bars_palette(uint32_t time, uint32_t brightness)
{
    static const struct color hues[BAR_COUNT] = {{63, 20, 24}, {63, 40, 12}, {56, 56, 16}, {20, 58, 28},
                                                 {12, 52, 60}, {28, 34, 63}, {52, 24, 62}};
    (void)time;
    for (uint32_t i = 0; i < 8; i++)
        set_level(i, (struct color){2 + i / 2, 2 + i / 2, 6 + i}, brightness);
    for (uint32_t i = 8; i < LEVELS; i++) {
        const struct color *hue = &hues[i / 8 - 1];
        uint32_t step = i % 8 + 2;
        set_level(i, (struct color){hue->red * step / 9, hue->green * step / 9, hue->blue * step / 9},
                  brightness);
    }
}

static void bars_draw(uint32_t time)
{
    uint8_t levels[VGA_PIXELS_DOWN];
    for (uint32_t y = 0; y < VGA_PIXELS_DOWN; y++)
        levels[y] = (uint8_t)(y / 25);
    for (uint32_t bar = 0; bar < BAR_COUNT; bar++) {
        uint32_t top = wave(time * 2 + bar * 14) * (VGA_PIXELS_DOWN - BAR_HEIGHT) / 255u;
        for (uint32_t i = 0; i < BAR_HEIGHT; i++) {
            uint32_t from_edge = i < BAR_HEIGHT / 2 ? i : BAR_HEIGHT - 1 - i;
            levels[top + i] = (uint8_t)((bar + 1) * 8 + (from_edge < 8 ? from_edge : 7));
        }
    }
    const uint8_t *front = mask;
    uint8_t *pixel = frame;
    for (uint32_t y = 0; y < VGA_PIXELS_DOWN; y++) {
        for (uint32_t x = 0; x < VGA_PIXELS_ACROSS; x++)
            *pixel++ = (uint8_t)(levels[y] + *front++);
    }
}

struct scene {
    void (*set_palette)(uint32_t time, uint32_t brightness);
    void (*draw)(uint32_t time);
};

/* Returns the key that ended the scene early, or KEY_NONE. */
static int play(const struct scene *scene)
{
    uint32_t start = timer_ticks();
    for (;;) {
        uint32_t now = timer_ticks();
        uint32_t elapsed = now - start;
        if (elapsed >= SCENE_TICKS)
            return KEY_NONE;
        uint32_t left = SCENE_TICKS - elapsed;
        uint32_t nearest = elapsed < left ? elapsed : left;
        uint32_t brightness = nearest >= FADE_TICKS ? 64 : nearest * 64 / FADE_TICKS;
        scene->draw(elapsed / 2);
        scene->set_palette(elapsed / 2, brightness);
        vga_show_pixels(frame);
        timer_sleep_until(now + FRAME_TICKS);
        int key = console_read_key(0);
        if (key != KEY_NONE)
            return key;
    }
}

static void run_demo(void)
{
    static const struct scene scenes[] = {{plasma_palette, plasma_draw}, {bars_palette, bars_draw}};
    if (!vga_enter_graphics()) {
        console_print("Mode 13h needs a VGA.\n");
        return;
    }
    draw_mask();
    int key = KEY_NONE;
    for (unsigned i = 0; i < sizeof(scenes) / sizeof(scenes[0]) && key == KEY_NONE; i++)
        key = play(&scenes[i]);
    vga_leave_graphics();
    console_print("Back from 320x200: registers, palette and font as they were.\n");
}

void command_colors(int count, char **words)
{
    bool wants_chart = count == 1 || text_equal(words[1], "chart");
    bool wants_demo = count == 1 || text_equal(words[1], "demo");
    if (!wants_chart && !wants_demo) {
        console_print("colors, colors chart or colors demo\n");
        return;
    }
    if (wants_chart)
        print_chart();
    if (wants_chart && wants_demo) {
        console_print_in(VGA_DARK_GRAY, "Any key for 256 colours, Esc for the prompt ");
        int key = console_read_key(CHART_WAIT_TICKS);
        console_put('\n');
        if (key == KEY_ESCAPE || key == KEY_CONTROL('C'))
            return;
    }
    if (wants_demo)
        run_demo();
}

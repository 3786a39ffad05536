/*
 * See screen.h. A text cell holds two logo pixels, one above the other: the upper half block (DFh in code
 * page 437) in the colour of one on a background of the other.
 */
#include "screen.h"

#include "boot_info.h"
#include "cpu.h"
#include "memory.h"
#include "rtc.h"
#include "text.h"
#include "timer.h"

#define UPPER_HALF_BLOCK    '\xdf'
#define LOGO_LETTERS_WIDTH  42
#define LOGO_LETTERS_HEIGHT 9
#define LOGO_COLUMN         3
#define LOGO_TOP            1 /* pixels; above it y wraps round and is no letter */
#define FACTS_COLUMN        49

// clang-format off
static const char logo[LOGO_LETTERS_HEIGHT][LOGO_LETTERS_WIDTH + 1] = {
    "    ##                                  ##",
    "    ##                                  ##",
    " #####   ####   #####   #####    ####   ##",
    "##  ##  ##  ##  ##  ##  ##  ##  ##  ##  ##",
    "##  ##  ##  ##  ##  ##  ##  ##  ######  ##",
    "##  ##  ##  ##  ##  ##  ##  ##  ##      ##",
    " #####   ####   #####   #####    #####  ##",
    "                ##      ##                ",
    "                ##      ##                ",
};
// clang-format on

static uint32_t status_second;
static bool status_drawn;

static bool is_letter(unsigned x, unsigned y)
{
    return x < LOGO_LETTERS_WIDTH && y < LOGO_LETTERS_HEIGHT && logo[y][x] == '#';
}

enum logo_pixel screen_logo_pixel(unsigned x, unsigned y)
{
    if (is_letter(x, y))
        return LOGO_LETTER;
    return x > 0 && y > 0 && is_letter(x - 1, y - 1) ? LOGO_SHADOW : LOGO_NOTHING;
}

static void put_text(unsigned row, unsigned column, uint8_t attribute, const char *text)
{
    for (; *text != '\0' && column < VGA_COLUMNS; text++)
        vga_put(row, column++, *text, attribute);
}

static enum vga_color logo_color(unsigned x, unsigned y)
{
    switch (screen_logo_pixel(x, y)) {
    case LOGO_LETTER: return y < 3 ? VGA_WHITE : y < 6 ? VGA_LIGHT_CYAN : VGA_LIGHT_BLUE;
    case LOGO_SHADOW: return VGA_BLACK;
    case LOGO_NOTHING: break;
    }
    return VGA_BLUE;
}

static void draw_logo(void)
{
    for (unsigned row = 0; row < SCREEN_HEADER_ROWS; row++) {
        for (unsigned x = 0; x < LOGO_WIDTH; x++) {
            enum vga_color upper = logo_color(x, row * 2 - LOGO_TOP);
            enum vga_color lower = logo_color(x, row * 2 + 1 - LOGO_TOP);
            if (upper != VGA_BLUE || lower != VGA_BLUE)
                vga_put(row, LOGO_COLUMN + x, UPPER_HALF_BLOCK, vga_attribute(upper, lower));
        }
    }
}

static void draw_facts(void)
{
    uint8_t dim = vga_attribute(VGA_LIGHT_GRAY, VGA_BLUE);
    char text[VGA_COLUMNS - FACTS_COLUMN + 1];
    put_text(1, FACTS_COLUMN, vga_attribute(VGA_WHITE, VGA_BLUE), "the built-in demo guest");
    text_format_buffer(text, sizeof(text), "%s, 32-bit", cpu_describe()->summary);
    put_text(2, FACTS_COLUMN, dim, text);
    uint32_t kb = memory_total_kb();
    if (kb >= 10240)
        text_format_buffer(text, sizeof(text), "%u MiB of memory", (kb + 1023) / 1024);
    else
        text_format_buffer(text, sizeof(text), "%u KiB of memory", kb);
    put_text(3, FACTS_COLUMN, dim, text);
}

void screen_draw_header(void)
{
    vga_fill(0, SCREEN_HEADER_ROWS, vga_attribute(VGA_WHITE, VGA_BLUE));
    draw_logo();
    draw_facts();
    status_drawn = false;
    screen_update_status();
}

void screen_update_status(void)
{
    uint32_t seconds = timer_ticks() / TIMER_HZ;
    if (status_drawn && seconds == status_second)
        return;
    status_drawn = true;
    status_second = seconds;

    struct rtc_time now;
    rtc_read(&now);
    char text[VGA_COLUMNS + 1];
    uint8_t attribute = vga_attribute(VGA_BLACK, VGA_CYAN);
    vga_fill(SCREEN_STATUS_ROW, 1, attribute);
    put_text(SCREEN_STATUS_ROW, 3, attribute, "help lists the commands");
    size_t length = text_format_buffer(
        text, sizeof(text), "up %u:%02u:%02u  \xb3  %.3s %04u-%02u-%02u  \xb3  %02u:%02u:%02u",
        seconds / 3600, seconds / 60 % 60, seconds % 60, rtc_weekday_name(rtc_weekday(&now)), now.year,
        now.month, now.day, now.hour, now.minute, now.second);
    put_text(SCREEN_STATUS_ROW, (unsigned)(VGA_COLUMNS - 3 - length), attribute, text);
}

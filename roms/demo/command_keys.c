/*
 * The keys command: what arrives from keyboard and serial line, undecorated.
 */
#include "commands.h"
#include "console.h"
#include "keyboard.h"
#include "serial.h"

static void print_key(int key)
{
    if (key > ' ' && key <= '~')
        console_print("  '%c'", key);
    else if (key > 0 && key < ' ' && key != KEY_ENTER)
        console_print("  ^%c", key + '@');
}

static void print_event(const struct key_event *event)
{
    console_print_in(event->is_pressed ? VGA_LIGHT_GREEN : VGA_DARK_GRAY, "  %-9s",
                     event->is_pressed ? "pressed" : "released");
    console_print("%s %02x   %-14s", event->is_extended ? "e0" : "  ",
                  event->is_pressed ? event->code : event->code | 0x80u, event->name);
    if (event->is_pressed)
        print_key(event->key);
    console_put('\n');
}

void command_keys(int count, char **words)
{
    (void)count;
    (void)words;
    console_print("Press keys to see their scan codes (set 1); Esc ends.\n");
    for (;;) {
        console_wait_for_input(CONSOLE_FOREVER);
        struct key_event event;
        while (keyboard_read_event(&event)) {
            print_event(&event);
            if (event.is_pressed && event.key == KEY_ESCAPE)
                return;
        }
        uint8_t byte;
        while (serial_read(&byte)) {
            console_print_in(VGA_LIGHT_BLUE, "  %-9s", "serial");
            console_print("   %02x   %-14s", byte, "");
            print_key(byte);
            console_put('\n');
            if (byte == KEY_ESCAPE)
                return;
        }
    }
}

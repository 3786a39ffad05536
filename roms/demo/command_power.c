/*
 * The reboot and off commands.
 *
 * There is no ACPI interpreter here: off tries the ports at which well-known machines listen, each harmless
 * where nobody does.
 *
 * NOT IMPLEMENTED: finding PM1a_CNT in the FADT, APM.
 */
#include "commands.h"
#include "console.h"
#include "text.h"
#include "timer.h"
#include "x86.h"

#define KBC_STATUS      0x64
#define KBC_INPUT_FULL  0x02
#define KBC_PULSE_RESET 0xfe
#define KBC_POLLS       10000

#define ACPI_PM1A_PIIX4 0x604  /* PM1 control with SeaBIOS's base of 600h */
#define ACPI_PM1A_OLD   0xb004 /* the same with a base of B000h */
#define ACPI_SLEEP_S5   0x2000 /* SLP_EN with sleep type 0 */
#define SHUTDOWN_PORT   0x8900 /* takes the letters of a word */
#define DEBUG_EXIT_PORT 0xf4   /* the emulator ends with status 2n+1 */

static void wait_a_moment(void)
{
    timer_sleep_until(timer_ticks() + TIMER_HZ / 5);
}

void command_reboot(int count, char **words)
{
    (void)count;
    (void)words;
    console_print("Rebooting.\n");
    wait_a_moment();
    for (int i = 0; i < KBC_POLLS && (port_read8(KBC_STATUS) & KBC_INPUT_FULL) != 0; i++)
        continue;
    port_write8(KBC_STATUS, KBC_PULSE_RESET);
    wait_a_moment();

    /* Nobody at the 8042: no handler for an exception, none for the fault that follows, and the processor
     * gives up. */
    struct {
        uint16_t limit;
        uint32_t base;
    } __attribute__((packed)) no_idt = {0, 0};
    __asm__ volatile("cli\n\tlidt %0\n\tint3" : : "m"(no_idt));
}

static void show_safe_to_turn_off(void)
{
    static const char message[] = "It is now safe to turn off your computer.";
    console_print("%s\n", message);
    vga_fill(0, VGA_ROWS, vga_attribute(VGA_YELLOW, VGA_BLACK));
    unsigned column = (unsigned)(VGA_COLUMNS - text_length(message)) / 2;
    for (unsigned i = 0; message[i] != '\0'; i++)
        vga_put(VGA_ROWS / 2, column + i, message[i], vga_attribute(VGA_YELLOW, VGA_BLACK));
    vga_set_cursor(VGA_ROWS, 0);
}

void command_off(int count, char **words)
{
    (void)count;
    (void)words;
    console_print("Good bye.\n");
    wait_a_moment();
    port_write16(ACPI_PM1A_PIIX4, ACPI_SLEEP_S5);
    wait_a_moment();
    port_write16(ACPI_PM1A_OLD, ACPI_SLEEP_S5);
    wait_a_moment();
    for (const char *letter = "Shutdown"; *letter != '\0'; letter++)
        port_write8(SHUTDOWN_PORT, (uint8_t)*letter);
    wait_a_moment();
    port_write32(DEBUG_EXIT_PORT, 0);
    wait_a_moment();
    show_safe_to_turn_off();
    cpu_stop();
}

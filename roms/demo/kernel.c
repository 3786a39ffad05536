/*
 * The demo guest: a kernel without processes, files or paging, which shows a machine off to who just started
 * it.
 *
 * This is the C entry, called by entry.S in 32-bit protected mode with flat segments, a stack, a zeroed .bss
 * and interrupts off. It brings the parts up in the order they need each other and hands over to the shell.
 * Everything runs in ring 0 on one stack; interrupt handlers queue or count and do nothing else.
 *
 * The kernel uses no instruction that an 80386 lacks, and no coprocessor. State lives in its modules' file
 * scope: one kernel has one machine.
 */
#include <stddef.h>

#include "boot_info.h"
#include "console.h"
#include "cpu.h"
#include "interrupts.h"
#include "keyboard.h"
#include "screen.h"
#include "serial.h"
#include "shell.h"
#include "timer.h"
#include "vga.h"
#include "x86.h"

_Static_assert(offsetof(struct boot_info, range_count) == BOOT_INFO_COUNT, "boot_info.h");
_Static_assert(offsetof(struct boot_info, base_kb) == BOOT_INFO_BASE_KB, "boot_info.h");
_Static_assert(offsetof(struct boot_info, ext88_kb) == BOOT_INFO_88_KB, "boot_info.h");
_Static_assert(offsetof(struct boot_info, e801_kb) == BOOT_INFO_E801_KB, "boot_info.h");
_Static_assert(offsetof(struct boot_info, e801_64kb) == BOOT_INFO_E801_64KB, "boot_info.h");
_Static_assert(offsetof(struct boot_info, boot_drive) == BOOT_INFO_DRIVE, "boot_info.h");
_Static_assert(offsetof(struct boot_info, has_vga) == BOOT_INFO_VGA, "boot_info.h");
_Static_assert(offsetof(struct boot_info, a20) == BOOT_INFO_A20, "boot_info.h");
_Static_assert(offsetof(struct boot_info, ranges) == BOOT_INFO_RANGES, "boot_info.h");
_Static_assert(sizeof(struct boot_info) == BOOT_INFO_SIZE, "boot_info.h");

void kernel_main(void) __attribute__((noreturn));

void kernel_main(void)
{
    interrupts_init();
    timer_init();
    keyboard_init();
    serial_init();
    cpu_init();
    vga_init(boot_info()->has_vga != 0);
    interrupts_restore(eflags_read() | EFLAGS_IF);

    screen_draw_header();
    console_init();
    console_print_in(VGA_WHITE, "\nWelcome to doppel.\n");
    console_print("This little kernel was loaded from a floppy by the machine's own BIOS.\n"
                  "Type help and press Enter; colors and bench are good ones to begin with.\n\n");
    console_print_in(VGA_LIGHT_GREEN, "doppel demo guest ready\n");
    shell_run();
}

/*
 * What setup.S learns from the BIOS in real mode and the kernel reads in protected mode, at a fixed address
 * below the kernel. The offsets are for the assembler; the assertions in kernel.c tie them to the structure.
 */
#ifndef DEMO_BOOT_INFO_H
#define DEMO_BOOT_INFO_H

#define BOOT_INFO_ADDRESS    0x8000
#define BOOT_INFO_COUNT      0
#define BOOT_INFO_BASE_KB    2
#define BOOT_INFO_88_KB      4
#define BOOT_INFO_E801_KB    6
#define BOOT_INFO_E801_64KB  8
#define BOOT_INFO_DRIVE      10
#define BOOT_INFO_VGA        11
#define BOOT_INFO_A20        12
#define BOOT_INFO_RANGES     16
#define BOOT_INFO_RANGES_MAX 64
#define BOOT_INFO_SIZE       (BOOT_INFO_RANGES + BOOT_INFO_RANGES_MAX * 24)

/* How the A20 gate was opened: enum would not reach the assembler. */
#define A20_CLOSED       0
#define A20_OPEN_ALREADY 1
#define A20_BY_BIOS      2
#define A20_BY_8042      3
#define A20_BY_PORT_92   4

#ifndef __ASSEMBLER__
#include <stdint.h>

/* One answer of INT 15h E820h (ACPI specification §15.3); bytes, not pages. */
struct boot_range {
    uint64_t base;
    uint64_t length;
    uint32_t type;       /* 1 usable, 2 reserved, 3 ACPI tables, 4 ACPI NVS, 5 bad */
    uint32_t attributes; /* ACPI 3.0 extended attributes */
};

struct boot_info {
    uint16_t range_count; /* 0: no E820h, use the older answers below */
    uint16_t base_kb;     /* INT 12h */
    uint16_t ext88_kb;    /* INT 15h 88h: KiB above 1 MiB, 64 MiB at most */
    uint16_t e801_kb;     /* INT 15h E801h: KiB from 1 to 16 MiB, 0 if not supported */
    uint16_t e801_64kb;   /* the same: 64 KiB units above 16 MiB */
    uint8_t boot_drive;   /* BIOS number: 00h is floppy A:, 80h the first hard disk */
    uint8_t has_vga;
    uint8_t a20; /* A20_... */
    uint8_t unused[3];
    struct boot_range ranges[BOOT_INFO_RANGES_MAX];
};

/* The one instance, valid from the first C instruction on. */
static inline const struct boot_info *boot_info(void)
{
    return (const struct boot_info *)BOOT_INFO_ADDRESS;
}
#endif

#endif

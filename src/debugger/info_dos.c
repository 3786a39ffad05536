/* `info ivt|bda|dos`: what BIOS and DOS keep in low memory.
 *
 * The interrupt vectors of real mode; the BIOS data area at 40:0 (IBM PC AT Technical Reference, BIOS
 * listing); DOS's chain of memory control blocks, which is found by what such a chain looks like, since the
 * pointer to its head is told only by INT 21h AH=52h, which would have to be executed: each block begins with
 * M, the last with Z, and leads to the next; owners are 8 (DOS) or program segments, whose first two bytes
 * are INT 20h.
 *
 * In V86 mode low memory is that of the running task, in protected mode physical memory.
 *
 * NOT IMPLEMENTED: blocks in upper memory that DOS has not linked to the chain; open files, drives. */
#include <ctype.h>

#include "debugger/guest_memory.h"
#include "debugger/monitor_internal.h"

#define LOW_END 0x110000u

struct low_memory {
    struct machine *machine;
    enum guest_space space;
};

static struct low_memory low_memory_of(struct monitor *monitor)
{
    const bool protected = machine_cpu(monitor->machine)->mode == CPU_MODE_PROTECTED;
    return (struct low_memory){.machine = monitor->machine,
                               .space = protected ? GUEST_PHYSICAL : GUEST_LINEAR};
}

static bool read_low(const struct low_memory *memory, uint32_t address, void *to, size_t length)
{
    return address + length <= LOW_END &&
           guest_memory_read(memory->machine, memory->space, address, to, length) == length;
}

/* Bytes of DOS as text: up to a zero, what cannot be printed as a dot. */
static void print_text(FILE *out, const uint8_t *text, size_t length)
{
    for (size_t i = 0; i < length && text[i] != 0; i++) {
        fputc(isprint(text[i]) ? text[i] : '.', out);
    }
}

/* ---- interrupt vectors */

static const struct vector_name {
    uint8_t first, last;
    const char *name;
} vector_names[] = {
    {0x00, 0x00, "divide error"},
    {0x01, 0x01, "single step"},
    {0x02, 0x02, "NMI"},
    {0x03, 0x03, "breakpoint"},
    {0x04, 0x04, "overflow"},
    {0x05, 0x05, "print screen, BOUND"},
    {0x06, 0x06, "invalid code"},
    {0x07, 0x07, "no coprocessor"},
    {0x08, 0x08, "IRQ 0 timer"},
    {0x09, 0x09, "IRQ 1 keyboard"},
    {0x0a, 0x0a, "IRQ 2"},
    {0x0b, 0x0b, "IRQ 3 COM2"},
    {0x0c, 0x0c, "IRQ 4 COM1"},
    {0x0d, 0x0d, "IRQ 5"},
    {0x0e, 0x0e, "IRQ 6 floppy"},
    {0x0f, 0x0f, "IRQ 7 printer"},
    {0x10, 0x10, "BIOS video"},
    {0x11, 0x11, "BIOS equipment"},
    {0x12, 0x12, "BIOS memory size"},
    {0x13, 0x13, "BIOS disk"},
    {0x14, 0x14, "BIOS serial"},
    {0x15, 0x15, "BIOS system"},
    {0x16, 0x16, "BIOS keyboard"},
    {0x17, 0x17, "BIOS printer"},
    {0x18, 0x18, "BIOS no boot disk"},
    {0x19, 0x19, "BIOS boot"},
    {0x1a, 0x1a, "BIOS time, PCI"},
    {0x1b, 0x1b, "Ctrl-Break"},
    {0x1c, 0x1c, "timer tick"},
    {0x1d, 0x1d, "(video parameters)"},
    {0x1e, 0x1e, "(floppy parameters)"},
    {0x1f, 0x1f, "(upper font)"},
    {0x20, 0x20, "DOS terminate"},
    {0x21, 0x21, "DOS functions"},
    {0x22, 0x22, "(DOS terminate address)"},
    {0x23, 0x23, "DOS Ctrl-C"},
    {0x24, 0x24, "DOS critical error"},
    {0x25, 0x25, "DOS absolute read"},
    {0x26, 0x26, "DOS absolute write"},
    {0x27, 0x27, "DOS stay resident"},
    {0x28, 0x28, "DOS idle"},
    {0x29, 0x29, "DOS fast output"},
    {0x2e, 0x2e, "DOS command"},
    {0x2f, 0x2f, "multiplex"},
    {0x33, 0x33, "mouse"},
    {0x41, 0x41, "(disk 0 parameters)"},
    {0x43, 0x43, "(font)"},
    {0x46, 0x46, "(disk 1 parameters)"},
    {0x4a, 0x4a, "RTC alarm"},
    {0x67, 0x67, "EMS"},
    {0x70, 0x70, "IRQ 8 RTC"},
    {0x71, 0x71, "IRQ 9"},
    {0x72, 0x72, "IRQ 10"},
    {0x73, 0x73, "IRQ 11"},
    {0x74, 0x74, "IRQ 12 mouse"},
    {0x75, 0x75, "IRQ 13 coprocessor"},
    {0x76, 0x76, "IRQ 14 disk"},
    {0x77, 0x77, "IRQ 15 disk"},
};

static const char *name_vector(unsigned vector)
{
    for (size_t i = 0; i < ARRAY_COUNT(vector_names); i++) {
        if (vector >= vector_names[i].first && vector <= vector_names[i].last) {
            return vector_names[i].name;
        }
    }
    return "";
}

static void print_vector(struct monitor *monitor, unsigned vector, const uint8_t *entry, FILE *out)
{
    char name[120];
    const unsigned segment = load_le16(entry + 2), offset = load_le16(entry);
    symbols_describe(monitor->symbols, ((uint64_t)segment << 4) + offset, name, sizeof name);
    fprintf(out, "%02x  %04x:%04x  %s%s%s\n", vector, segment, offset, name_vector(vector),
            name[0] != '\0' ? "  " : "", name);
}

struct status monitor_info_ivt(struct monitor *monitor, const char *argument, FILE *out)
{
    const struct cpu_state *cpu = machine_cpu(monitor->machine);
    const struct low_memory memory = low_memory_of(monitor);
    const uint64_t base = cpu->mode == CPU_MODE_REAL ? cpu->idtr.base : 0;
    uint64_t only = 0;
    uint8_t table[256][4];
    if (argument != NULL) {
        struct status status = monitor_evaluate(monitor, argument, &only);
        if (status_is_ok(&status) && only > 0xFF) {
            status = status_error(STATUS_INVALID_ARGUMENT, "vectors end at 0xff");
        }
        if (!status_is_ok(&status)) {
            return status;
        }
    }
    size_t got = guest_memory_read(memory.machine, memory.space, base, table, sizeof table);
    if (got < sizeof table) {
        return guest_memory_unreadable(memory.machine, memory.space, base + got);
    }
    for (unsigned i = 0; i < ARRAY_COUNT(table); i++) {
        if (argument != NULL ? i == only : load_le32(table[i]) != 0) {
            print_vector(monitor, i, table[i], out);
        }
    }
    return status_ok();
}

/* ---- the BIOS data area */

static const struct bda_field {
    uint8_t offset;
    uint8_t width;
    uint8_t count;
    const char *name;
} bda_fields[] = {
    {0x00, 2, 4, "COM ports"},
    {0x08, 2, 3, "LPT ports"},
    {0x0e, 2, 1, "extended BIOS data segment"},
    {0x10, 2, 1, "equipment"},
    {0x13, 2, 1, "KiB of base memory"},
    {0x17, 1, 2, "keyboard flags"},
    {0x1a, 2, 1, "keyboard buffer head"},
    {0x1c, 2, 1, "keyboard buffer tail"},
    {0x1e, 2, 16, "keyboard buffer"},
    {0x3e, 1, 1, "floppy: drives that need no recalibration"},
    {0x3f, 1, 1, "floppy motors"},
    {0x40, 1, 1, "floppy motor timeout"},
    {0x41, 1, 1, "floppy status"},
    {0x49, 1, 1, "video mode"},
    {0x4a, 2, 1, "columns"},
    {0x4c, 2, 1, "bytes of a page"},
    {0x4e, 2, 1, "start of the page shown"},
    {0x50, 2, 8, "cursor positions (row, column)"},
    {0x60, 2, 1, "cursor shape"},
    {0x62, 1, 1, "page shown"},
    {0x63, 2, 1, "CRTC port"},
    {0x6c, 4, 1, "timer ticks"},
    {0x70, 1, 1, "midnight passed"},
    {0x71, 1, 1, "Ctrl-Break"},
    {0x72, 2, 1, "reset flag (1234: warm)"},
    {0x74, 1, 1, "disk status"},
    {0x75, 1, 1, "disks"},
    {0x80, 2, 1, "keyboard buffer start"},
    {0x82, 2, 1, "keyboard buffer end"},
    {0x84, 1, 1, "last row"},
    {0x85, 2, 1, "lines of a character"},
    {0x87, 1, 2, "video options and switches"},
    {0x96, 1, 2, "keyboard status"},
};

struct status monitor_info_bda(struct monitor *monitor, const char *argument, FILE *out)
{
    (void)argument;
    const struct low_memory memory = low_memory_of(monitor);
    uint8_t bytes[256];
    if (!read_low(&memory, 0x400, bytes, sizeof bytes)) {
        return guest_memory_unreadable(memory.machine, memory.space, 0x400);
    }
    for (size_t i = 0; i < ARRAY_COUNT(bda_fields); i++) {
        const struct bda_field *field = &bda_fields[i];
        fprintf(out, "40:%02x  %-42s", field->offset, field->name);
        for (unsigned n = 0; n < field->count; n++) {
            fprintf(out, " %0*llx", field->width * 2,
                    (unsigned long long)load_le(bytes + field->offset + n * field->width, field->width));
        }
        fputc('\n', out);
    }
    return status_ok();
}

/* ---- DOS */

#define MCB_SIZE        16u
#define MCB_DOS         8u /* owner of DOS's own blocks; also 6, 7 and upwards of 0xfff0 by memory managers */
#define PARAGRAPHS      0x10000u
#define FIRST_PLAUSIBLE 0x50u
#define LAST_PLAUSIBLE  0x3000u
#define CHAIN_LEAST     3u
#define PSP_INT20       0x20cdu

struct mcb {
    uint16_t segment; /* of the block's memory: one behind its header */
    uint16_t owner;
    uint16_t paragraphs;
    bool last;
    uint8_t name[8];
};

static bool read_mcb(const struct low_memory *memory, uint32_t paragraph, struct mcb *mcb)
{
    uint8_t bytes[MCB_SIZE];
    if (paragraph >= PARAGRAPHS - 1 || !read_low(memory, paragraph << 4, bytes, sizeof bytes) ||
        (bytes[0] != 'M' && bytes[0] != 'Z')) {
        return false;
    }
    *mcb = (struct mcb){.segment = (uint16_t)(paragraph + 1),
                        .owner = load_le16(bytes + 1),
                        .paragraphs = load_le16(bytes + 3),
                        .last = bytes[0] == 'Z'};
    memcpy(mcb->name, bytes + 8, sizeof mcb->name);
    return paragraph + 1 + mcb->paragraphs <= PARAGRAPHS;
}

static bool is_psp(const struct low_memory *memory, uint16_t segment)
{
    uint8_t bytes[2];
    return read_low(memory, (uint32_t)segment << 4, bytes, sizeof bytes) && load_le16(bytes) == PSP_INT20;
}

/* How many blocks a chain that begins there has; 0: none, or it does not end with Z at 640 KiB or above. A
 * system has a block of DOS and a program's. */
static unsigned chain_length(const struct low_memory *memory, uint32_t paragraph)
{
    struct mcb mcb;
    unsigned blocks = 0;
    bool has_dos = false, has_program = false;
    while (read_mcb(memory, paragraph, &mcb)) {
        blocks++;
        has_dos |= mcb.owner == MCB_DOS;
        has_program |= mcb.owner == mcb.segment && is_psp(memory, mcb.segment);
        paragraph += 1u + mcb.paragraphs;
        if (mcb.last) {
            return has_dos && has_program && paragraph >= 0x9000 && blocks >= CHAIN_LEAST ? blocks : 0;
        }
    }
    return 0;
}

/* The paragraph of the first block of the longest chain; 0: there is none. */
static uint32_t find_chain(const struct low_memory *memory)
{
    uint32_t found = 0;
    unsigned most = 0;
    for (uint32_t paragraph = FIRST_PLAUSIBLE; paragraph < LAST_PLAUSIBLE; paragraph++) {
        unsigned blocks = chain_length(memory, paragraph);
        if (blocks > most) {
            most = blocks;
            found = paragraph;
        }
    }
    return found;
}

static void print_owner(const struct low_memory *memory, const struct mcb *mcb, FILE *out)
{
    struct mcb program;
    if (mcb->owner == 0) {
        fputs("free", out);
    } else if (mcb->owner <= MCB_DOS) {
        fputs("DOS", out);
        if (mcb->name[0] == 'S') { /* SC: system code, SD: system data */
            fputs(mcb->name[1] == 'C' ? " code" : mcb->name[1] == 'D' ? " data" : "", out);
        }
    } else if (read_mcb(memory, mcb->owner - 1u, &program) && program.owner == mcb->owner) {
        print_text(out, program.name, sizeof program.name);
        fputs(mcb->segment != mcb->owner ? "" : is_psp(memory, mcb->owner) ? " (program)" : "", out);
    } else {
        fputs("?", out);
    }
}

/* Program segment prefix: parent at 16h, environment at 2Ch, command line at 80h. */
static void print_program(const struct low_memory *memory, uint16_t segment, FILE *out)
{
    uint8_t psp[256];
    if (!read_low(memory, (uint32_t)segment << 4, psp, sizeof psp)) {
        return;
    }
    fprintf(out, "           parent %04x, environment %04x, arguments \"", load_le16(psp + 0x16),
            load_le16(psp + 0x2c));
    const size_t length = psp[0x80] < 0x7f ? psp[0x80] : 0x7f;
    print_text(out, psp + 0x81, length);
    fputs("\"\n", out);
}

struct status monitor_info_dos(struct monitor *monitor, const char *argument, FILE *out)
{
    (void)argument;
    const struct low_memory memory = low_memory_of(monitor);
    struct mcb mcb;
    uint32_t paragraph = find_chain(&memory);
    if (paragraph == 0) {
        return status_error(STATUS_NOT_FOUND, "no chain of memory control blocks: DOS does not seem to run");
    }
    fputs("block owner   bytes\n", out);
    do {
        if (!read_mcb(&memory, paragraph, &mcb)) {
            break;
        }
        fprintf(out, "%04x  %04x %8u  ", mcb.segment, mcb.owner, mcb.paragraphs * 16u);
        print_owner(&memory, &mcb, out);
        fputc('\n', out);
        if (mcb.owner == mcb.segment && is_psp(&memory, mcb.segment)) {
            print_program(&memory, mcb.segment, out);
        }
        paragraph += 1u + mcb.paragraphs;
    } while (!mcb.last);
    return status_ok();
}

/* The debugger's `info` topics about the CPU and about low memory, on states that are made by hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "cpu/x87.h"
#include "monitor_bench.h"

static void segments_show_hidden_parts(void **state)
{
    struct bench *bench = *state;
    struct cpu_state *cpu = &bench->machine->cpu;
    cpu->segment[CPU_DS] = (struct segment){.selector = 0x23, .limit = UINT32_MAX, .attributes = 0xc0f3};
    cpu->segment[CPU_FS] = (struct segment){.selector = 0};
    const char *text = answer(bench, "info segments");
    assert_contains(text, "ds   0023  base 00000000 limit ffffffff ring 3 data32 writable accessed\n");
    assert_contains(text,
                    "fs   0000  base 00000000 limit 00000000 ring 0 reserved type, not present (unusable)\n");
    assert_contains(text, "idtr       base 00000000 limit ffff\n");
}

/* GDT at 900: null, code, data (not present), call gate, TSS, LDT. */
static void enter_protected_mode(struct machine *machine)
{
    static const uint8_t gdt[] = {0,    0,    0,    0,    0,    0,    0,    0, // clang-format off
        0xff, 0xff, 0, 0, 0, 0x9a, 0xcf, 0,                   /* 08 code32 */
        0xff, 0x0f, 0x34, 0x12, 0, 0x72, 0x40, 0,             /* 10 data, absent */
        0x78, 0x56, 0x08, 0x00, 0x03, 0xec, 0x34, 0x12,       /* 18 call gate */
        0x67, 0, 0x00, 0x0a, 0, 0x8b, 0, 0,                   /* 20 busy TSS at a00 */
        0x0f, 0, 0x00, 0x0b, 0, 0x82, 0, 0}; // clang-format on
    struct cpu_state *cpu = &machine->cpu;
    memcpy(machine->ram + 0x900, gdt, sizeof gdt);
    cpu->gdtr = (struct descriptor_table){.base = 0x900, .limit = sizeof gdt - 1};
    cpu->cr0 |= CR0_PE;
    cpu_update_mode(cpu);
    cpu->tr = (struct segment){.selector = 0x20, .base = 0xa00, .limit = 0x67, .attributes = 0x8b};
}

static void descriptors_are_decoded(void **state)
{
    struct bench *bench = *state;
    enter_protected_mode(bench->machine);
    assert_string_equal(answer(bench, "info gdt"),
                        "base 00000900, 6 entries\n"
                        "0008  base 00000000 limit ffffffff ring 0 code32 readable\n"
                        "0010  base 00001234 limit 00000fff ring 3 data32 writable, not present\n"
                        "0018  0008:12345678 ring 3 call gate 32, 3 parameters\n"
                        "0020  base 00000a00 limit 00000067 ring 0 TSS32 busy\n"
                        "0028  base 00000b00 limit 0000000f ring 0 LDT\n"
                        "(1 empty entries)\n(doppel) ");
    assert_contains(answer(bench, "info gdt 0x1b"), "0018  0008:12345678");
    assert_contains(answer(bench, "info gdt 0x30"), "beyond the table's limit");
    assert_contains(answer(bench, "info ldt"), "there is no LDT");
    bench->machine->cpu.ldtr =
        (struct segment){.selector = 0x28, .base = 0xb00, .limit = 0xf, .attributes = 0x82};
    memcpy(bench->machine->ram + 0xb08, "\xff\xff\0\0\0\xf2\x8f\0", 8);
    assert_contains(answer(bench, "info ldt"), "000c  base 00000000 limit ffffffff ring 3 data16 writable\n");
}

static void interrupt_tables_are_decoded(void **state)
{
    struct bench *bench = *state;
    assert_contains(answer(bench, "info idt"), "no IDT of descriptors in real mode");
    enter_protected_mode(bench->machine);
    memcpy(bench->machine->ram + 0x2000 + 8 * 0x80, "\x10\x20\x08\0\0\xef\0\0", 8);
    memcpy(bench->machine->ram + 0x2000 + 8, "\0\0\x20\0\0\x85\0\0", 8);
    bench->machine->cpu.idtr = (struct descriptor_table){.base = 0x2000, .limit = 0x7ff};
    assert_string_equal(answer(bench, "info idt"), "base 00002000, 256 entries\n"
                                                   "01  0020           ring 0 task gate\n"
                                                   "80  0008:00002010 ring 3 trap gate 32\n"
                                                   "(254 empty entries)\n(doppel) ");
    assert_contains(answer(bench, "info idt 0x80"), "80  0008:00002010");
    bench->machine->cpu.idtr = (struct descriptor_table){.base = 0xffff8, .limit = 0x7ff};
    assert_contains(answer(bench, "info idt"), "no memory at physical address 0x100000\n");
}

static void task_state_is_shown(void **state)
{
    struct bench *bench = *state;
    assert_contains(answer(bench, "info tss"), "names no TSS");
    enter_protected_mode(bench->machine);
    store_le32(bench->machine->ram + 0xa04, 0xc0401000);
    store_le16(bench->machine->ram + 0xa08, 0x10);
    const char *text = answer(bench, "info tss");
    assert_contains(text, "selector 0020 base 00000a00 limit 00000067 ring 0 TSS32 busy\n");
    assert_contains(text, "esp0   c0401000  ss0    0010");
    assert_contains(answer(bench, "info tss 8"), "names no TSS");
    assert_contains(answer(bench, "info tss 0x20"), "esp0   c0401000");
}

static void control_registers_are_named_bit_by_bit(void **state)
{
    struct bench *bench = *state;
    struct cpu_state *cpu = &bench->machine->cpu;
    cpu->cr0 = CR0_PE | CR0_PG | CR0_WP;
    cpu->cr4 = CR4_PAE | CR4_PGE;
    cpu->pdpte[2] = 0x5001;
    const char *text = answer(bench, "info control");
    assert_contains(text, "cr0    80010001 PE WP PG\n");
    assert_contains(text, "cr4    000000a0 PAE PGE\n");
    assert_contains(text, "pdpte2 0000000000005001\n");
    cpu->dr[1] = 0x1234;
    cpu->dr[7] = 0x400 | 3u << 2 | 0xdu << 20;
    text = answer(bench, "info debug");
    assert_contains(text, "dr0 00000000  off\n");
    assert_contains(text, "dr1 00001234  write of 4 bytes, local global\n");
}

static void model_specific_registers_are_listed(void **state)
{
    struct bench *bench = *state;
    bench->machine->cpu.sysenter_eip = 0xc0102030;
    assert_contains(answer(bench, "info msr"), "00000176  00000000c0102030  SYSENTER EIP\n");
    assert_contains(answer(bench, "info msr 0x176"), "00000176  00000000c0102030\n");
    cpu_init(&bench->machine->cpu, cpu_model_find("80386"));
    assert_contains(answer(bench, "info msr"), "a 80386 has no model-specific registers");
}

static void floating_point_registers_are_numbers(void **state)
{
    struct bench *bench = *state;
    struct cpu_state *cpu = &bench->machine->cpu;
    x87_initialize(&cpu->x87);
    cpu->x87.status = 7 << X87_TOP_SHIFT | X87_IE | X87_C3;
    cpu->x87.full = 0x81;
    cpu->x87.reg[7] = (struct float80){.significand = UINT64_C(0xa000000000000000), .sign_exponent = 0xc000};
    cpu->x87.reg[0] = float80_infinity(false);
    const char *text = answer(bench, "info fpu");
    assert_contains(text, "control 037f  precision 64 bits, rounding nearest, masked IDZOUP\n");
    assert_contains(text, "top 7, C3=1 C2=0 C1=0 C0=0, raised I-----");
    assert_contains(text, "st0  c000 a000000000000000  valid   -2.5\n");
    assert_contains(text, "st1  7fff 8000000000000000  special +infinity\n");
    assert_contains(text, "st2  0000 0000000000000000  empty");
}

static void sse_registers_have_types(void **state)
{
    struct bench *bench = *state;
    struct cpu_state *cpu = &bench->machine->cpu;
    store_le32(cpu->xmm[2].b, 0x3fc00000);
    store_le64(cpu->xmm[3].b + 8, UINT64_C(0xc000000000000000));
    cpu->xmm[4].b[1] = 0xfe;
    assert_contains(answer(bench, "info sse"), "xmm2  0000000000000000 000000003fc00000  float 1.5 0 0 0\n");
    assert_contains(answer(bench, "info sse double"), "xmm3  0 -2\n");
    assert_contains(answer(bench, "info sse i8"), "xmm4  0 -2 0");
    assert_contains(answer(bench, "info sse d"), "xmm2  3fc00000 00000000 00000000 00000000\n");
}

static void page_walks_show_every_level(void **state)
{
    struct bench *bench = *state;
    struct machine *machine = bench->machine;
    struct cpu_state *cpu = &machine->cpu;
    assert_contains(answer(bench, "info page 0x1234"), "paging is off\nphysical 00001234\n");
    store_le32(machine->ram + 0x1000 + 4 * 0x300, 0x2027);
    store_le32(machine->ram + 0x2000 + 4 * 5, 0x3161);
    store_le32(machine->ram + 0x1000 + 4 * 0x301, 0x004001e3);
    cpu->cr3 = 0x1000;
    cpu->cr0 = CR0_PE | CR0_PG | CR0_WP;
    cpu->cr4 = CR4_PSE;
    assert_string_equal(answer(bench, "info page 0xc0005678"),
                        "linear c0005678, cr3 00001000, 32-bit paging\n"
                        "directory entry 768 at 00001c00: 00002027 writable user accessed\n"
                        "table entry 5 at 00002014: 00003161 read-only supervisor accessed dirty global\n"
                        "supervisor: read, execute; user: nothing\n"
                        "physical 00003678\n(doppel) ");
    assert_contains(answer(bench, "info page 0xc0412345"), "dirty global page of 4 MiB\n");
    assert_contains(answer(bench, "info page 0xc0412345"), "physical 00412345\n");
    assert_contains(answer(bench, "info page 0xc0006000"),
                    "table entry 6 at 00002018: 00000000 not present\nnot mapped\n");
    cpu->cr4 = 0; /* without PSE, bit 7 means nothing */
    assert_contains(answer(bench, "info page 0xc0412345"), "table entry 18 at 00400048: there is no memory");
    cpu->cr3 = 0x200000;
    assert_contains(answer(bench, "info page 0"), "directory entry 0 at 00200000: there is no memory");
}

static void mapped_ranges_have_rights(void **state)
{
    struct bench *bench = *state;
    struct machine *machine = bench->machine;
    assert_contains(answer(bench, "info map"), "paging is off");
    store_le32(machine->ram + 0x1000, 0x2007);
    for (unsigned i = 5; i < 8; i++) {
        store_le32(machine->ram + 0x2000 + 4 * i, i << 12 | (i < 7 ? 5 : 3));
    }
    store_le32(machine->ram + 0x1000 + 4 * 0x3ff, 0x83);
    machine->cpu.cr3 = 0x1000;
    machine->cpu.cr0 = CR0_PE | CR0_PG | CR0_WP;
    machine->cpu.cr4 = CR4_PSE;
    assert_string_equal(answer(bench, "info map"),
                        "00005000-00006fff        8 KiB  supervisor r-x  user r-x\n"
                        "00007000-00007fff        4 KiB  supervisor rwx  user ---\n"
                        "ffc00000-ffffffff     4096 KiB  supervisor rwx  user ---\n(doppel) ");
}

static void remembered_translations_are_shown(void **state)
{
    struct bench *bench = *state;
    struct machine *machine = bench->machine;
    assert_contains(answer(bench, "info tlb"), "supervisor: 0 of 1024 entries; of translated code: 0 of 0\n");
    store_le32(machine->ram + 0x1000, 0x2003);
    store_le32(machine->ram + 0x2000 + 4 * 5, 0x3103);
    machine->cpu.cr3 = 0x1000;
    machine->cpu.cr0 = CR0_PE | CR0_PG;
    machine->cpu.cr4 = CR4_PGE;
    mmu_load(machine->mmu, 0x5123, 1, false);
    store_le32(machine->ram + 0x2000 + 4 * 5, 0); /* the guest has not flushed */
    const char *text = answer(bench, "info tlb");
    assert_contains(text, "00005000 -> 00003000  supervisor r-x global\n");
    assert_contains(text, "supervisor: 1 of 1024 entries");
    text = answer(bench, "info tlb 0x5fff");
    assert_contains(text, "00005000 -> 00003000  supervisor");
    assert_contains(text, "00005000: not there for a user\n");
    assert_contains(answer(bench, "info tlb 0x405000"), "00405000: not there for a supervisor\n");
}

static void page_walks_of_pae_have_pointers_and_no_execute(void **state)
{
    struct bench *bench = *state;
    struct machine *machine = bench->machine;
    struct cpu_state *cpu = &machine->cpu;
    cpu->cr0 = CR0_PE | CR0_PG;
    cpu->cr4 = CR4_PAE;
    cpu->efer = EFER_NXE;
    cpu->pdpte[3] = 0x2001;
    store_le64(machine->ram + 0x2000, 0x3007);
    store_le64(machine->ram + 0x2008, UINT64_C(0x80000000006000e7));
    store_le64(machine->ram + 0x3000 + 8 * 4, UINT64_C(0x8000000000005a05));
    const char *text = answer(bench, "info page 0xc0004010");
    assert_contains(text, "pointer 3, loaded with cr3: 0000000000002001\n");
    assert_contains(text,
                    "table entry 4 at 00003020: 8000000000005a05 read-only user no-execute available=5\n");
    assert_contains(text, "supervisor: read, write; user: read\nphysical 00005010\n");
    text = answer(bench, "info page 0xc0212345");
    assert_contains(text, "page of 2 MiB\n");
    assert_contains(text, "physical 00612345\n");
    assert_contains(answer(bench, "info page 0"),
                    "pointer 0, loaded with cr3: 0000000000000000 not present\nnot mapped\n");
}

static void vectors_and_bios_data_are_named(void **state)
{
    struct bench *bench = *state;
    store_le32(bench->machine->ram + 4 * 0x13, 0xf000e3fe);
    store_le32(bench->machine->ram + 0x46c, 0x1234);
    assert_string_equal(answer(bench, "info ivt"), "13  f000:e3fe  BIOS disk\n(doppel) ");
    assert_contains(answer(bench, "info ivt 0x14"), "14  0000:0000  BIOS serial\n");
    assert_contains(answer(bench, "info bda"),
                    "40:6c  timer ticks                                00001234\n");
}

static void put_mcb(struct machine *machine, uint16_t paragraph, char kind, uint16_t owner, uint16_t size,
                    const char *name)
{
    uint8_t *at = machine->ram + paragraph * 16;
    at[0] = (uint8_t)kind;
    store_le16(at + 1, owner);
    store_le16(at + 3, size);
    memcpy(at + 8, name, strlen(name));
}

static void dos_memory_blocks_are_found(void **state)
{
    struct bench *bench = *state;
    struct machine *machine = bench->machine;
    assert_contains(answer(bench, "info dos"), "DOS does not seem to run");
    put_mcb(machine, 0x200, 'M', 8, 0xff, "SD");
    put_mcb(machine, 0x300, 'M', 0x301, 0xff, "COMMAND");
    put_mcb(machine, 0x400, 'M', 0, 0x3ff, "");
    put_mcb(machine, 0x800, 'Z', 0x301, 0x97ff, "");
    uint8_t *psp = machine->ram + 0x3010;
    store_le16(psp, 0x20cd);
    store_le16(psp + 0x16, 0x301);
    store_le16(psp + 0x2c, 0x801);
    memcpy(psp + 0x80, "\x03 /P", 4);
    assert_string_equal(answer(bench, "info dos"),
                        "block owner   bytes\n"
                        "0201  0008     4080  DOS data\n"
                        "0301  0301     4080  COMMAND (program)\n"
                        "           parent 0301, environment 0801, arguments \" /P\"\n"
                        "0401  0000    16368  free\n"
                        "0801  0301   622576  COMMAND\n(doppel) ");
    machine->ram[0x8000] = 'X'; /* a broken chain is none */
    assert_contains(answer(bench, "info dos"), "DOS does not seem to run");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        BENCH_TEST(segments_show_hidden_parts),
        BENCH_TEST(descriptors_are_decoded),
        BENCH_TEST(interrupt_tables_are_decoded),
        BENCH_TEST(task_state_is_shown),
        BENCH_TEST(control_registers_are_named_bit_by_bit),
        BENCH_TEST(model_specific_registers_are_listed),
        BENCH_TEST(floating_point_registers_are_numbers),
        BENCH_TEST(sse_registers_have_types),
        BENCH_TEST(page_walks_show_every_level),
        BENCH_TEST(mapped_ranges_have_rights),
        BENCH_TEST(remembered_translations_are_shown),
        BENCH_TEST(page_walks_of_pae_have_pointers_and_no_execute),
        BENCH_TEST(vectors_and_bios_data_are_named),
        BENCH_TEST(dos_memory_blocks_are_found),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/*
 * See cpu.h. SDM 1 §20.1.2 (telling early processors apart), SDM 2A, CPUID.
 */
#include "cpu.h"

#include "text.h"
#include "x86.h"

static struct cpu_description description;

static bool eflags_bit_toggles(uint32_t bit)
{
    uint32_t before = eflags_read();
    eflags_write(before ^ bit);
    uint32_t after = eflags_read();
    eflags_write(before);
    return ((before ^ after) & bit) != 0;
}

static void cpuid(uint32_t leaf, uint32_t registers[4])
{
    __asm__ volatile(".byte 0x0f, 0xa2" /* cpuid, which the assembler refuses for an 80386 */
                     : "=a"(registers[0]), "=b"(registers[1]), "=c"(registers[2]), "=d"(registers[3])
                     : "a"(leaf), "c"(0));
}

/* FNINIT and FNSTSW do nothing without a coprocessor: the word keeps what was put there. */
static bool probe_fpu(void)
{
    uint16_t status = 0x5a5a;
    uint32_t cr0 = cr0_read();
    cr0_write(cr0 & ~CR0_EM);
    __asm__ volatile(".byte 0xdb, 0xe3\n\t" /* fninit */
                     ".byte 0xdd, 0x38"     /* fnstsw [eax] */
                     :
                     : "a"(&status)
                     : "memory");
    cr0_write(cr0);
    return status == 0;
}

static void read_brand(void)
{
    uint32_t words[12];
    for (uint32_t i = 0; i < 3; i++)
        cpuid(0x80000002 + i, words + i * 4);
    char text[sizeof(description.brand)];
    memcpy(text, words, sizeof(words));
    text[sizeof(text) - 1] = '\0';
    const char *start = text;
    while (*start == ' ')
        start++;
    text_format_buffer(description.brand, sizeof(description.brand), "%s", start);
}

static void read_cpuid(void)
{
    uint32_t registers[4];
    cpuid(0, registers);
    description.max_leaf = registers[0];
    memcpy(description.vendor, &registers[1], 4);
    memcpy(description.vendor + 4, &registers[3], 4);
    memcpy(description.vendor + 8, &registers[2], 4);

    cpuid(1, registers);
    description.stepping = registers[0] & 15;
    description.model = registers[0] >> 4 & 15;
    description.family = registers[0] >> 8 & 15;
    if (description.family == 6 || description.family == 15)
        description.model |= registers[0] >> 12 & 0xf0;
    if (description.family == 15)
        description.family += registers[0] >> 20 & 0xff;
    description.features.leaf1_ecx = registers[2];
    description.features.leaf1_edx = registers[3];

    cpuid(0x80000000, registers);
    if ((registers[0] & 0xffff0000) != 0x80000000)
        return;
    description.max_extended_leaf = registers[0];
    if (registers[0] >= 0x80000001) {
        cpuid(0x80000001, registers);
        description.features.extended_ecx = registers[2];
        description.features.extended_edx = registers[3];
    }
    if (description.max_extended_leaf >= 0x80000004)
        read_brand();
}

void cpu_init(void)
{
    description.has_fpu = probe_fpu();
    description.has_cpuid = eflags_bit_toggles(EFLAGS_ID);
    if (description.has_cpuid) {
        read_cpuid();
        text_format_buffer(description.summary, sizeof(description.summary), "%s family %u",
                           description.vendor, description.family);
        return;
    }
    description.family = eflags_bit_toggles(EFLAGS_AC) ? 4 : 3;
    text_format_buffer(description.summary, sizeof(description.summary), "80%u86", description.family);
}

const struct cpu_description *cpu_describe(void)
{
    return &description;
}

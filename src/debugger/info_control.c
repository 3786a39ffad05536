/* `info control|debug|msr`: registers that say how the CPU works, bit by bit (SDM 3A §2.5, 3B §17.2, SDM 4).
 */
#include "cpu/debug_registers.h"
#include "debugger/monitor_internal.h"
#include "debugger/registers.h"

struct bit_name {
    uint32_t bit;
    const char *name;
};

static const struct bit_name cr0_bits[] = {{CR0_PE, "PE"}, {CR0_MP, "MP"}, {CR0_EM, "EM"}, {CR0_TS, "TS"},
                                           {CR0_ET, "ET"}, {CR0_NE, "NE"}, {CR0_WP, "WP"}, {CR0_AM, "AM"},
                                           {CR0_NW, "NW"}, {CR0_CD, "CD"}, {CR0_PG, "PG"}};
static const struct bit_name cr4_bits[] = {{CR4_VME, "VME"},
                                           {CR4_PVI, "PVI"},
                                           {CR4_TSD, "TSD"},
                                           {CR4_DE, "DE"},
                                           {CR4_PSE, "PSE"},
                                           {CR4_PAE, "PAE"},
                                           {CR4_MCE, "MCE"},
                                           {CR4_PGE, "PGE"},
                                           {CR4_PCE, "PCE"},
                                           {CR4_OSFXSR, "OSFXSR"},
                                           {CR4_OSXMMEXCPT, "OSXMMEXCPT"}};
static const struct bit_name eflags_bits[] = {
    {EFLAGS_CF, "CF"}, {EFLAGS_PF, "PF"},   {EFLAGS_AF, "AF"},   {EFLAGS_ZF, "ZF"},
    {EFLAGS_SF, "SF"}, {EFLAGS_TF, "TF"},   {EFLAGS_IF, "IF"},   {EFLAGS_DF, "DF"},
    {EFLAGS_OF, "OF"}, {EFLAGS_NT, "NT"},   {EFLAGS_RF, "RF"},   {EFLAGS_VM, "VM"},
    {EFLAGS_AC, "AC"}, {EFLAGS_VIF, "VIF"}, {EFLAGS_VIP, "VIP"}, {EFLAGS_ID, "ID"}};
static const struct bit_name efer_bits[] = {{EFER_NXE, "NXE"}};
static const struct bit_name dr6_bits[] = {{1, "B0"},      {2, "B1"},      {4, "B2"},     {8, "B3"},
                                           {DR6_BD, "BD"}, {DR6_BS, "BS"}, {DR6_BT, "BT"}};

static void print_bits(const char *name, uint64_t value, const struct bit_name *bits, size_t count, FILE *out)
{
    fprintf(out, "%-6s %08llx", name, (unsigned long long)value);
    for (size_t i = 0; i < count; i++) {
        fprintf(out, "%s%s", value & bits[i].bit ? " " : "", value & bits[i].bit ? bits[i].name : "");
    }
    fputc('\n', out);
}

struct status monitor_info_control(struct monitor *monitor, const char *argument, FILE *out)
{
    (void)argument;
    const struct cpu_state *cpu = machine_cpu(monitor->machine);
    print_bits("cr0", cpu->cr0, cr0_bits, ARRAY_COUNT(cr0_bits), out);
    fprintf(out, "cr2    %08llx\ncr3    %08llx\n", (unsigned long long)cpu->cr2,
            (unsigned long long)cpu->cr3);
    print_bits("cr4", cpu->cr4, cr4_bits, ARRAY_COUNT(cr4_bits), out);
    print_bits("efer", cpu->efer, efer_bits, ARRAY_COUNT(efer_bits), out);
    print_bits("eflags", cpu_eflags(cpu), eflags_bits, ARRAY_COUNT(eflags_bits), out);
    fprintf(out, "iopl   %u\ncpl    %u\n", cpu_iopl(cpu), cpu->cpl);
    if ((cpu->cr0 & CR0_PG) && (cpu->cr4 & CR4_PAE)) {
        for (unsigned i = 0; i < ARRAY_COUNT(cpu->pdpte); i++) {
            fprintf(out, "pdpte%u %016llx\n", i, (unsigned long long)cpu->pdpte[i]);
        }
    }
    return status_ok();
}

struct status monitor_info_debug(struct monitor *monitor, const char *argument, FILE *out)
{
    (void)argument;
    static const char *const kinds[] = {"execution", "write", "port access", "read or write"};
    static const unsigned lengths[] = {1, 2, 8, 4};
    const struct cpu_state *cpu = machine_cpu(monitor->machine);
    const uint64_t dr7 = cpu->dr[7];
    for (unsigned i = 0; i < 4; i++) {
        const uint64_t enable = bits_extract(dr7, 2 * i, 2);
        fprintf(out, "dr%u %08llx  ", i, (unsigned long long)cpu->dr[i]);
        if (enable == 0) {
            fputs("off\n", out);
            continue;
        }
        fprintf(out, "%s of %u bytes,%s%s\n", kinds[bits_extract(dr7, 16 + 4 * i, 2)],
                lengths[bits_extract(dr7, 18 + 4 * i, 2)], enable & 1 ? " local" : "",
                enable & 2 ? " global" : "");
    }
    print_bits("dr6", cpu->dr[6], dr6_bits, ARRAY_COUNT(dr6_bits), out);
    fprintf(out, "%-6s %08llx%s\n", "dr7", (unsigned long long)dr7, dr7 & DR7_GD ? " GD" : "");
    return status_ok();
}

/* Those that have a function here; others can be asked for by number. */
static const struct msr_name {
    uint32_t number;
    const char *name;
} msr_names[] = {
    {0x10, "time stamp counter"},
    {0x1b, "APIC base"},
    {0xfe, "MTRR capabilities"},
    {0x174, "SYSENTER CS"},
    {0x175, "SYSENTER ESP"},
    {0x176, "SYSENTER EIP"},
    {0x179, "machine check capabilities"},
    {0x200, "MTRR variable base 0"},
    {0x201, "MTRR variable mask 0"},
    {0x202, "MTRR variable base 1"},
    {0x203, "MTRR variable mask 1"},
    {0x250, "MTRR fixed 64K 00000"},
    {0x258, "MTRR fixed 16K 80000"},
    {0x259, "MTRR fixed 16K A0000"},
    {0x268, "MTRR fixed 4K C0000"},
    {0x26f, "MTRR fixed 4K F8000"},
    {0x277, "page attribute table"},
    {0x2ff, "MTRR default type"},
    {0xc0000080, "EFER"},
};

struct status monitor_info_msr(struct monitor *monitor, const char *argument, FILE *out)
{
    struct cpu_state *cpu = machine_cpu(monitor->machine);
    uint64_t number = 0, value = 0;
    if (argument != NULL) {
        struct status status = monitor_evaluate(monitor, argument, &number);
        if (status_is_ok(&status) && number > UINT32_MAX) {
            status = status_error(STATUS_INVALID_ARGUMENT, "MSR numbers have 32 bits");
        }
        if (status_is_ok(&status)) {
            status = register_read_msr(cpu, (uint32_t)number, &value);
        }
        if (status_is_ok(&status)) {
            fprintf(out, "%08llx  %016llx\n", (unsigned long long)number, (unsigned long long)value);
        }
        return status;
    }
    unsigned shown = 0;
    for (size_t i = 0; i < ARRAY_COUNT(msr_names); i++) {
        struct status status = register_read_msr(cpu, msr_names[i].number, &value);
        if (status_is_ok(&status)) {
            fprintf(out, "%08x  %016llx  %s\n", msr_names[i].number, (unsigned long long)value,
                    msr_names[i].name);
            shown++;
        }
    }
    return shown != 0
               ? status_ok()
               : status_error(STATUS_NOT_FOUND, "a %s has no model-specific registers", cpu->model->name);
}

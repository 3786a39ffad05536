/* The register dump of `info registers`, -d cpu and -d int, laid out as QEMU 7.2's, whose lines CCS= are
 * QEMU's own business and missing. A segment's last number is the upper word of its descriptor without the
 * base. */
#include <inttypes.h>

#include "cpu/cpu.h"
#include "cpu/descriptor.h"

static void describe_rights(uint16_t attributes, FILE *out)
{
    static const char *const system_types[16] = {"Reserved",   "TSS16-avl", "LDT",       "TSS16-busy",
                                                 "CallGate16", "TaskGate",  "IntGate16", "TrapGate16",
                                                 "Reserved",   "TSS32-avl", "Reserved",  "TSS32-busy",
                                                 "CallGate32", "Reserved",  "IntGate32", "TrapGate32"};
    fprintf(out, " DPL=%u ", attributes_dpl(attributes));
    if (!(attributes & SEGMENT_S)) {
        fputs(system_types[attributes & SEGMENT_TYPE], out);
        return;
    }
    bool code = attributes_are_code(attributes);
    bool big = (attributes & SEGMENT_BIG) != 0;
    const char *kind = code ? (big ? "CS32" : "CS16") : (big ? "DS  " : "DS16");
    char second = attributes & SEGMENT_CONFORMING ? (code ? 'C' : 'E') : '-'; /* or expand-down */
    char third = attributes & SEGMENT_READABLE ? (code ? 'R' : 'W') : '-';    /* or writable */
    fprintf(out, "%s [%c%c%c]", kind, second, third, attributes & SEGMENT_ACCESSED ? 'A' : '-');
}

static void describe_segment(const struct cpu_state *cpu, const struct segment *segment, const char *name,
                             FILE *out)
{
    uint32_t units = segment->attributes & SEGMENT_GRANULARITY ? segment->limit >> 12 : segment->limit;
    uint32_t flags = (uint32_t)segment->attributes << 8 | (units & 0xf0000u);
    fprintf(out, "%-3s=%04x %08" PRIx64 " %08" PRIx32 " %08" PRIx32, name, segment->selector, segment->base,
            segment->limit, flags);
    if ((cpu->cr0 & CR0_PE) && (segment->attributes & SEGMENT_PRESENT)) {
        describe_rights(segment->attributes, out);
    }
    fputc('\n', out);
}

void cpu_describe(const struct cpu_state *cpu, FILE *out)
{
    static const char *const segment_names[CPU_SEGMENTS] = {"ES", "CS", "SS", "DS", "FS", "GS"};
    uint32_t eflags = cpu_eflags(cpu);
    bool a20 = cpu->pins.a20 == NULL || cpu->pins.a20(cpu->pins.opaque);
    fprintf(out, "EAX=%08" PRIx32 " EBX=%08" PRIx32 " ECX=%08" PRIx32 " EDX=%08" PRIx32 "\n",
            cpu->gpr[CPU_AX].d, cpu->gpr[CPU_BX].d, cpu->gpr[CPU_CX].d, cpu->gpr[CPU_DX].d);
    fprintf(out, "ESI=%08" PRIx32 " EDI=%08" PRIx32 " EBP=%08" PRIx32 " ESP=%08" PRIx32 "\n",
            cpu->gpr[CPU_SI].d, cpu->gpr[CPU_DI].d, cpu->gpr[CPU_BP].d, cpu->gpr[CPU_SP].d);
    fprintf(out, "EIP=%08" PRIx64 " EFL=%08" PRIx32 " [%c%c%c%c%c%c%c] CPL=%d II=%d A20=%d SMM=0 HLT=%d\n",
            cpu->rip, eflags, eflags & EFLAGS_DF ? 'D' : '-', eflags & EFLAGS_OF ? 'O' : '-',
            eflags & EFLAGS_SF ? 'S' : '-', eflags & EFLAGS_ZF ? 'Z' : '-', eflags & EFLAGS_AF ? 'A' : '-',
            eflags & EFLAGS_PF ? 'P' : '-', eflags & EFLAGS_CF ? 'C' : '-', cpu->cpl,
            (cpu->pending & CPU_PENDING_SHADOW) != 0, a20, cpu->halted);
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        describe_segment(cpu, &cpu->segment[i], segment_names[i], out);
    }
    describe_segment(cpu, &cpu->ldtr, "LDT", out);
    describe_segment(cpu, &cpu->tr, "TR", out);
    fprintf(out, "GDT=     %08" PRIx64 " %08x\n", cpu->gdtr.base, cpu->gdtr.limit);
    fprintf(out, "IDT=     %08" PRIx64 " %08x\n", cpu->idtr.base, cpu->idtr.limit);
    fprintf(out, "CR0=%08" PRIx64 " CR2=%08" PRIx64 " CR3=%08" PRIx64 " CR4=%08" PRIx64 "\n", cpu->cr0,
            cpu->cr2, cpu->cr3, cpu->cr4);
    fprintf(out, "DR0=%08" PRIx64 " DR1=%08" PRIx64 " DR2=%08" PRIx64 " DR3=%08" PRIx64 " \n", cpu->dr[0],
            cpu->dr[1], cpu->dr[2], cpu->dr[3]);
    fprintf(out, "DR6=%08" PRIx64 " DR7=%08" PRIx64 "\n", cpu->dr[6], cpu->dr[7]);
    fprintf(out, "EFER=%016" PRIx64 "\n", cpu->efer);
}

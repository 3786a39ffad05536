/* See registers.h. */
#include "debugger/registers.h"

#include <ctype.h>
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cpu/cpu.h"
#include "cpu/x87.h"

enum register_kind {
    GPR_32,
    GPR_16,
    GPR_LOW,
    GPR_HIGH,
    EIP,
    EFLAGS,
    FLAG, /* index: the lowest bit, part: bits */
    SELECTOR,
    SEGMENT_BASE,
    SEGMENT_LIMIT,
    SEGMENT_ATTRIBUTES,
    TABLE_BASE,
    TABLE_LIMIT,
    CONTROL,
    DEBUG,
    EFER,
    ST,
    MM,
    XMM, /* part: the byte it begins at */
    FPU_CONTROL,
    FPU_STATUS,
    FPU_TAG,
    MXCSR,
    CPL,
    RETIRED
};

#define INDEX_LDTR CPU_SEGMENTS
#define INDEX_TR   (CPU_SEGMENTS + 1)

static const struct named_register {
    const char *name;
    struct register_ref ref;
} registers[] = {
    // clang-format off
    {"eax", {GPR_32, CPU_AX, 0, 4}}, {"ecx", {GPR_32, CPU_CX, 0, 4}}, {"edx", {GPR_32, CPU_DX, 0, 4}},
    {"ebx", {GPR_32, CPU_BX, 0, 4}}, {"esp", {GPR_32, CPU_SP, 0, 4}}, {"ebp", {GPR_32, CPU_BP, 0, 4}},
    {"esi", {GPR_32, CPU_SI, 0, 4}}, {"edi", {GPR_32, CPU_DI, 0, 4}},
    {"ax", {GPR_16, CPU_AX, 0, 2}}, {"cx", {GPR_16, CPU_CX, 0, 2}}, {"dx", {GPR_16, CPU_DX, 0, 2}},
    {"bx", {GPR_16, CPU_BX, 0, 2}}, {"sp", {GPR_16, CPU_SP, 0, 2}}, {"bp", {GPR_16, CPU_BP, 0, 2}},
    {"si", {GPR_16, CPU_SI, 0, 2}}, {"di", {GPR_16, CPU_DI, 0, 2}},
    {"al", {GPR_LOW, CPU_AX, 0, 1}}, {"cl", {GPR_LOW, CPU_CX, 0, 1}}, {"dl", {GPR_LOW, CPU_DX, 0, 1}},
    {"bl", {GPR_LOW, CPU_BX, 0, 1}}, {"ah", {GPR_HIGH, CPU_AX, 0, 1}}, {"ch", {GPR_HIGH, CPU_CX, 0, 1}},
    {"dh", {GPR_HIGH, CPU_DX, 0, 1}}, {"bh", {GPR_HIGH, CPU_BX, 0, 1}},
    {"eip", {EIP, 0, 0, 4}}, {"ip", {EIP, 0, 0, 2}}, {"eflags", {EFLAGS, 0, 0, 4}}, {"flags", {EFLAGS, 0, 0, 2}},
    {"flags.cf", {FLAG, 0, 1, 0}}, {"flags.pf", {FLAG, 2, 1, 0}}, {"flags.af", {FLAG, 4, 1, 0}},
    {"flags.zf", {FLAG, 6, 1, 0}}, {"flags.sf", {FLAG, 7, 1, 0}}, {"flags.tf", {FLAG, 8, 1, 0}},
    {"flags.if", {FLAG, 9, 1, 0}}, {"flags.df", {FLAG, 10, 1, 0}}, {"flags.of", {FLAG, 11, 1, 0}},
    {"flags.iopl", {FLAG, 12, 2, 0}}, {"flags.nt", {FLAG, 14, 1, 0}}, {"flags.rf", {FLAG, 16, 1, 0}},
    {"flags.vm", {FLAG, 17, 1, 0}}, {"flags.ac", {FLAG, 18, 1, 0}}, {"flags.vif", {FLAG, 19, 1, 0}},
    {"flags.vip", {FLAG, 20, 1, 0}}, {"flags.id", {FLAG, 21, 1, 0}},
    {"es", {SELECTOR, CPU_ES, 0, 2}}, {"cs", {SELECTOR, CPU_CS, 0, 2}}, {"ss", {SELECTOR, CPU_SS, 0, 2}},
    {"ds", {SELECTOR, CPU_DS, 0, 2}}, {"fs", {SELECTOR, CPU_FS, 0, 2}}, {"gs", {SELECTOR, CPU_GS, 0, 2}},
    {"ldtr", {SELECTOR, INDEX_LDTR, 0, 2}}, {"tr", {SELECTOR, INDEX_TR, 0, 2}},
    {"gdtr", {TABLE_BASE, 0, 0, 4}}, {"idtr", {TABLE_BASE, 1, 0, 4}},
    {"gdtr.base", {TABLE_BASE, 0, 0, 4}}, {"idtr.base", {TABLE_BASE, 1, 0, 4}},
    {"gdtr.limit", {TABLE_LIMIT, 0, 0, 2}}, {"idtr.limit", {TABLE_LIMIT, 1, 0, 2}},
    {"cr0", {CONTROL, 0, 0, 4}}, {"cr2", {CONTROL, 2, 0, 4}}, {"cr3", {CONTROL, 3, 0, 4}}, {"cr4", {CONTROL, 4, 0, 4}},
    {"dr0", {DEBUG, 0, 0, 4}}, {"dr1", {DEBUG, 1, 0, 4}}, {"dr2", {DEBUG, 2, 0, 4}}, {"dr3", {DEBUG, 3, 0, 4}},
    {"dr6", {DEBUG, 6, 0, 4}}, {"dr7", {DEBUG, 7, 0, 4}}, {"efer", {EFER, 0, 0, 8}},
    {"fpu.control", {FPU_CONTROL, 0, 0, 2}}, {"fpu.status", {FPU_STATUS, 0, 0, 2}}, {"fpu.tag", {FPU_TAG, 0, 0, 2}},
    {"mxcsr", {MXCSR, 0, 0, 4}}, {"cpl", {CPL, 0, 0, 1}}, {"retired", {RETIRED, 0, 0, 8}},
    // clang-format on
};

static const char *const segment_names[CPU_SEGMENTS] = {"es", "cs", "ss", "ds", "fs", "gs"};

const char *register_segment_name(enum cpu_segment segment)
{
    return segment_names[segment];
}

const char *register_name(size_t n)
{
    return n < ARRAY_COUNT(registers) ? registers[n].name : NULL;
}

const char *register_exception_name(unsigned vector)
{
    static const char *const names[] = {"#DE", "#DB", "NMI",     "#BP", "#OF", "#BR", "#UD",
                                        "#NM", "#DF", "overrun", "#TS", "#NP", "#SS", "#GP",
                                        "#PF", NULL,  "#MF",     "#AC", "#MC", "#XM"};
    return vector < ARRAY_COUNT(names) ? names[vector] : NULL;
}

static bool same(const char *name, const char *text, size_t length)
{
    return strlen(name) == length && strncasecmp(name, text, length) == 0;
}

bool register_find_segment(const char *name, size_t length, enum cpu_segment *segment)
{
    for (unsigned i = 0; i < CPU_SEGMENTS; i++) {
        if (same(segment_names[i], name, length)) {
            *segment = (enum cpu_segment)i;
            return true;
        }
    }
    return false;
}

/* "cs.base" and its like. */
static bool find_hidden_part(const char *name, size_t length, struct register_ref *found)
{
    static const struct {
        const char *name;
        struct register_ref ref;
    } parts[] = {{"selector", {SELECTOR, 0, 0, 2}},
                 {"base", {SEGMENT_BASE, 0, 0, 4}},
                 {"limit", {SEGMENT_LIMIT, 0, 0, 4}},
                 {"attributes", {SEGMENT_ATTRIBUTES, 0, 0, 2}}};
    const char *dot = memchr(name, '.', length);
    struct register_ref owner;
    if (dot == NULL || !register_find(name, (size_t)(dot - name), &owner) || owner.kind != SELECTOR) {
        return false;
    }
    for (size_t i = 0; i < ARRAY_COUNT(parts); i++) {
        if (same(parts[i].name, dot + 1, length - (size_t)(dot + 1 - name))) {
            *found = parts[i].ref;
            found->index = owner.index;
            return true;
        }
    }
    return false;
}

/* st3, mm3, xmm3.d0. */
static bool find_numbered(const char *name, size_t length, struct register_ref *found)
{
    char word[12];
    if (length < 3 || length >= sizeof word) {
        return false;
    }
    for (size_t i = 0; i < length; i++) {
        word[i] = (char)tolower((unsigned char)name[i]);
    }
    word[length] = '\0';
    bool st = word[0] == 's' && word[1] == 't';
    bool mm = word[0] == 'm' && word[1] == 'm';
    if ((st || mm) && length == 3 && word[2] >= '0' && word[2] <= '7') {
        *found = (struct register_ref){st ? ST : MM, (uint8_t)(word[2] - '0'), 0, 8};
        return true;
    }
    static const char letters[] = "bwdq";
    const char *letter = length >= 7 ? strchr(letters, word[5]) : NULL;
    if (letter == NULL || strncmp(word, "xmm", 3) != 0 || word[3] < '0' || word[3] > '7' || word[4] != '.') {
        return false;
    }
    char *end;
    unsigned width = 1u << (letter - letters);
    unsigned long part = isdigit((unsigned char)word[6]) ? strtoul(word + 6, &end, 10) : 16;
    if (part >= 16 / width || *end != '\0') {
        return false;
    }
    *found = (struct register_ref){XMM, (uint8_t)(word[3] - '0'), (uint8_t)(part * width), (uint8_t)width};
    return true;
}

bool register_find(const char *name, size_t length, struct register_ref *found)
{
    static const char long_prefix[] = "eflags.";
    if (length > strlen(long_prefix) && strncasecmp(name, long_prefix, strlen(long_prefix)) == 0) {
        name++;
        length--;
    }
    for (size_t i = 0; i < ARRAY_COUNT(registers); i++) {
        if (same(registers[i].name, name, length)) {
            *found = registers[i].ref;
            return true;
        }
    }
    return find_hidden_part(name, length, found) || find_numbered(name, length, found);
}

/* ---- reading */

static const struct segment *segment_of(const struct cpu_state *cpu, unsigned index)
{
    return index == INDEX_LDTR ? &cpu->ldtr : index == INDEX_TR ? &cpu->tr : &cpu->segment[index];
}

/* Towards zero; what has no such number (NaNs, too large) is the most negative one, as FISTTP has it. */
static int64_t float80_to_integer(struct float80 number)
{
    int exponent = (int)(number.sign_exponent & FLOAT80_EXPONENT) - FLOAT80_BIAS;
    if (exponent < 0) {
        return 0;
    }
    if (exponent > 62) {
        return INT64_MIN;
    }
    int64_t magnitude = (int64_t)(number.significand >> (63 - exponent));
    return float80_sign(number) ? -magnitude : magnitude;
}

static uint64_t read_control(const struct cpu_state *cpu, unsigned number)
{
    return number == 0 ? cpu->cr0 : number == 2 ? cpu->cr2 : number == 3 ? cpu->cr3 : cpu->cr4;
}

uint64_t register_read(const struct cpu_state *cpu, struct register_ref ref)
{
    switch ((enum register_kind)ref.kind) {
    case GPR_32: return cpu->gpr[ref.index].d;
    case GPR_16: return cpu->gpr[ref.index].w;
    case GPR_LOW: return cpu->gpr[ref.index].l;
    case GPR_HIGH: return cpu->gpr[ref.index].h;
    case EIP: return cpu->rip & bits_mask(8u * ref.width);
    case EFLAGS: return cpu_eflags(cpu) & bits_mask(8u * ref.width);
    case FLAG: return bits_extract(cpu_eflags(cpu), ref.index, ref.part);
    case SELECTOR: return segment_of(cpu, ref.index)->selector;
    case SEGMENT_BASE: return segment_of(cpu, ref.index)->base;
    case SEGMENT_LIMIT: return segment_of(cpu, ref.index)->limit;
    case SEGMENT_ATTRIBUTES: return segment_of(cpu, ref.index)->attributes;
    case TABLE_BASE: return ref.index == 0 ? cpu->gdtr.base : cpu->idtr.base;
    case TABLE_LIMIT: return ref.index == 0 ? cpu->gdtr.limit : cpu->idtr.limit;
    case CONTROL: return read_control(cpu, ref.index);
    case DEBUG: return cpu->dr[ref.index];
    case EFER: return cpu->efer;
    case ST: return (uint64_t)float80_to_integer(cpu->x87.reg[x87_register(&cpu->x87, ref.index)]);
    case MM: return cpu->x87.reg[ref.index].significand;
    case XMM: return load_le(&cpu->xmm[ref.index].b[ref.part], ref.width);
    case FPU_CONTROL: return cpu->x87.control;
    case FPU_STATUS: return cpu->x87.status;
    case FPU_TAG: return x87_tag_word(&cpu->x87);
    case MXCSR: return cpu->mxcsr;
    case CPL: return cpu->cpl;
    case RETIRED: return cpu->retired;
    }
    return 0;
}

/* ---- writing */

/* An access that may raise an exception, carried out between instructions. */
struct attempt {
    void (*access)(struct cpu_state *cpu, unsigned number, uint64_t *value);
    unsigned number;
    uint64_t value;
};

/* False: it raised, and cpu->exception says what. */
static bool try_access(struct cpu_state *cpu, struct attempt *attempt)
{
    jmp_buf here;
    jmp_buf *const outer = cpu->unwind;
    cpu->unwind = &here;
    if (setjmp(here) != 0) {
        cpu->unwind = outer;
        return false;
    }
    attempt->access(cpu, attempt->number, &attempt->value);
    cpu->unwind = outer;
    return true;
}

static void load_selector(struct cpu_state *cpu, unsigned number, uint64_t *value)
{
    const uint16_t selector = (uint16_t)*value;
    if (number == INDEX_LDTR) {
        cpu_load_ldt(cpu, selector);
    } else if (number == INDEX_TR) {
        cpu_load_task_register(cpu, selector);
    } else if (number == CPU_CS) {
        cpu_jump_far(cpu, selector, cpu->rip, 4, cpu->rip);
    } else {
        cpu_load_segment(cpu, (enum cpu_segment)number, selector);
    }
}

static void load_control(struct cpu_state *cpu, unsigned number, uint64_t *value)
{
    cpu_write_control(cpu, number, *value);
}

static void load_debug(struct cpu_state *cpu, unsigned number, uint64_t *value)
{
    cpu_write_debug(cpu, number, *value);
}

static void read_msr(struct cpu_state *cpu, unsigned number, uint64_t *value)
{
    *value = cpu_read_msr(cpu, number);
}

static void write_msr(struct cpu_state *cpu, unsigned number, uint64_t *value)
{
    cpu_write_msr(cpu, number, *value);
}

static struct status load(struct cpu_state *cpu, struct attempt attempt)
{
    if (try_access(cpu, &attempt)) {
        return status_ok();
    }
    return status_error(STATUS_UNSUPPORTED, "the CPU refuses 0x%llx: %s", (unsigned long long)attempt.value,
                        register_exception_name(cpu->exception.vector));
}

static struct status write_flags(struct cpu_state *cpu, uint32_t eflags)
{
    if ((eflags ^ cpu->eflags_other) & EFLAGS_VM) {
        return status_error(STATUS_UNSUPPORTED, "VM changes with segments only, by IRET or a task switch");
    }
    static const uint32_t known = 0x3f7fd5;
    cpu_set_eflags(cpu, eflags & known);
    cpu_update_mode(cpu);
    cpu_update_alignment_checks(cpu);
    return status_ok();
}

static struct status write_msr_or_complain(struct cpu_state *cpu, uint32_t number, uint64_t value)
{
    struct attempt attempt = {.access = write_msr, .number = number, .value = value};
    if (!try_access(cpu, &attempt)) {
        return status_error(STATUS_UNSUPPORTED, "the CPU refuses 0x%llx in MSR 0x%x: %s",
                            (unsigned long long)value, number,
                            register_exception_name(cpu->exception.vector));
    }
    return status_ok();
}

struct status register_read_msr(struct cpu_state *cpu, uint32_t number, uint64_t *value)
{
    struct attempt attempt = {.access = read_msr, .number = number};
    if (!try_access(cpu, &attempt)) {
        return status_error(STATUS_NOT_FOUND, "a %s has no MSR 0x%x", cpu->model->name, number);
    }
    *value = attempt.value;
    return status_ok();
}

struct status register_write_msr(struct cpu_state *cpu, uint32_t number, uint64_t value)
{
    uint64_t before = 0;
    struct status status = register_read_msr(cpu, number, &before);
    return status_is_ok(&status) ? write_msr_or_complain(cpu, number, value) : status;
}

static void write_table(struct descriptor_table *table, bool limit, uint64_t value)
{
    if (limit) {
        table->limit = (uint16_t)value;
    } else {
        table->base = value;
    }
}

struct status register_write(struct cpu_state *cpu, struct register_ref ref, uint64_t value)
{
    if (ref.width != 0) {
        value &= bits_mask(8u * ref.width);
    }
    switch ((enum register_kind)ref.kind) {
    case GPR_32: cpu->gpr[ref.index].d = (uint32_t)value; return status_ok();
    case GPR_16: cpu->gpr[ref.index].w = (uint16_t)value; return status_ok();
    case GPR_LOW: cpu->gpr[ref.index].l = (uint8_t)value; return status_ok();
    case GPR_HIGH: cpu->gpr[ref.index].h = (uint8_t)value; return status_ok();
    case EIP: cpu->rip = (cpu->rip & ~bits_mask(8u * ref.width)) | value; return status_ok();
    case EFLAGS: return write_flags(cpu, (uint32_t)((cpu_eflags(cpu) & ~bits_mask(8u * ref.width)) | value));
    case FLAG: {
        uint64_t field = bits_mask(ref.part) << ref.index;
        return write_flags(cpu, (uint32_t)((cpu_eflags(cpu) & ~field) | (value << ref.index & field)));
    }
    case SELECTOR:
        return load(cpu, (struct attempt){.access = load_selector, .number = ref.index, .value = value});
    case TABLE_BASE:
    case TABLE_LIMIT:
        write_table(ref.index == 0 ? &cpu->gdtr : &cpu->idtr, ref.kind == TABLE_LIMIT, value);
        return status_ok();
    case CONTROL:
        return load(cpu, (struct attempt){.access = load_control, .number = ref.index, .value = value});
    case DEBUG: return load(cpu, (struct attempt){.access = load_debug, .number = ref.index, .value = value});
    case MM: cpu->x87.reg[ref.index].significand = value; return status_ok();
    case XMM: store_le(&cpu->xmm[ref.index].b[ref.part], ref.width, value); return status_ok();
    case FPU_CONTROL: x87_set_control(&cpu->x87, (unsigned)value); return status_ok();
    case FPU_STATUS:
        cpu->x87.status = (uint16_t)value;
        x87_update_summary(&cpu->x87);
        return status_ok();
    case MXCSR: cpu->mxcsr = (uint32_t)value & cpu_mxcsr_mask(cpu); return status_ok();
    case EFER: return register_write_msr(cpu, 0xc0000080u, value);
    case SEGMENT_BASE:
    case SEGMENT_LIMIT:
    case SEGMENT_ATTRIBUTES: break;
    case ST:
    case FPU_TAG:
    case CPL:
    case RETIRED: break;
    }
    return status_error(STATUS_UNSUPPORTED, "this register cannot be set");
}

/* `info fpu` and `info sse`: floating-point registers as numbers (SDM 1 chapters 8 and 10). */
#include <math.h>

#include "cpu/model.h"
#include "cpu/x87.h"
#include "debugger/monitor_internal.h"

static const char *const rounding_names[] = {"nearest", "down", "up", "towards zero"};
static const char exception_letters[] = "IDZOUP";

static void print_exceptions(FILE *out, unsigned bits)
{
    for (unsigned i = 0; i < 6; i++) {
        fputc(bits >> i & 1 ? exception_letters[i] : '-', out);
    }
}

/* What people read. Digits beyond the host's long double are lost where that is shorter. */
static void print_float80(FILE *out, struct float80 number)
{
    static const char *const names[] = {[FLOAT_UNSUPPORTED] = "unsupported",
                                        [FLOAT_INFINITY] = "infinity",
                                        [FLOAT_QUIET_NAN] = "quiet NaN",
                                        [FLOAT_SIGNALLING_NAN] = "signalling NaN"};
    const enum float_class class = float80_classify(number);
    const char *sign = float80_sign(number) ? "-" : "+";
    if (class == FLOAT_UNSUPPORTED || class >= FLOAT_INFINITY) {
        fprintf(out, "%s%s", sign, names[class]);
        return;
    }
    const int exponent = (int)(number.sign_exponent & FLOAT80_EXPONENT);
    const long double value =
        ldexpl((long double)number.significand, (exponent != 0 ? exponent : 1) - FLOAT80_BIAS - 63);
    fprintf(out, "%s%.19Lg%s", sign, value, class == FLOAT_DENORMAL ? " (denormal)" : "");
}

static struct status refuse(const struct cpu_state *cpu, const char *what)
{
    return status_error(STATUS_NOT_FOUND, "a %s has no %s", cpu->model->name, what);
}

struct status monitor_info_fpu(struct monitor *monitor, const char *argument, FILE *out)
{
    (void)argument;
    static const char *const precisions[] = {"24 bits", "reserved", "53 bits", "64 bits"};
    static const char *const tags[] = {"valid", "zero", "special", "empty"};
    const struct cpu_state *cpu = machine_cpu(monitor->machine);
    const struct x87_state *x87 = &cpu->x87;
    if (cpu->model->generation < CPU_80386) {
        return refuse(cpu, "coprocessor here");
    }
    fprintf(out, "control %04x  precision %s, rounding %s, masked ", x87->control,
            precisions[x87->control >> X87_PRECISION_SHIFT & 3],
            rounding_names[x87->control >> X87_ROUNDING_SHIFT & 3]);
    print_exceptions(out, x87->control);
    fprintf(out, "\nstatus  %04x  top %u, C3=%u C2=%u C1=%u C0=%u, raised ", x87->status, x87_top(x87),
            (x87->status & X87_C3) != 0, (x87->status & X87_C2) != 0, (x87->status & X87_C1) != 0,
            (x87->status & X87_C0) != 0);
    print_exceptions(out, x87->status);
    fprintf(out, "%s%s\n", x87->status & X87_SF ? " stack fault" : "",
            x87->status & X87_ES ? ", error pending" : "");
    const uint16_t tag_word = x87_tag_word(x87);
    fprintf(out, "tags    %04x\nopcode  %03x at %04x:%08x, data %04x:%08x\n", tag_word, x87->opcode & 0x7ffu,
            x87->instruction_selector, x87->instruction_offset, x87->data_selector, x87->data_offset);
    for (unsigned i = 0; i < 8; i++) {
        const unsigned physical = x87_register(x87, i);
        const struct float80 number = x87->reg[physical];
        fprintf(out, "st%u  %04x %016llx  %-8s", i, number.sign_exponent,
                (unsigned long long)number.significand, tags[tag_word >> 2 * physical & 3]);
        print_float80(out, number);
        fputc('\n', out);
    }
    return status_ok();
}

/* ---- SSE */

struct sse_type {
    const char *name;
    unsigned size;
    char format; /* f: a number with a fraction, x, d */
};

static const struct sse_type sse_types[] = {
    {"float", 4, 'f'}, {"double", 8, 'f'}, {"b", 1, 'x'},   {"w", 2, 'x'},   {"d", 4, 'x'},
    {"q", 8, 'x'},     {"i8", 1, 'd'},     {"i16", 2, 'd'}, {"i32", 4, 'd'}, {"i64", 8, 'd'}};

static void print_element(FILE *out, const struct sse_type *type, const uint8_t *bytes)
{
    const uint64_t bits = load_le(bytes, type->size);
    if (type->format == 'f' && type->size == 4) {
        const uint32_t word = (uint32_t)bits;
        float value;
        memcpy(&value, &word, sizeof value);
        fprintf(out, " %.9g", (double)value);
    } else if (type->format == 'f') {
        double value;
        memcpy(&value, &bits, sizeof value);
        fprintf(out, " %.17g", value);
    } else if (type->format == 'd') {
        fprintf(out, " %lld", (long long)bits_sign_extend(bits, 8 * type->size));
    } else {
        fprintf(out, " %0*llx", (int)type->size * 2, (unsigned long long)bits);
    }
}

/* The elements in order of their numbers: the lowest first. */
static void print_xmm(FILE *out, const struct xmm_register *xmm, const struct sse_type *type)
{
    for (unsigned at = 0; at < sizeof xmm->b; at += type->size) {
        print_element(out, type, &xmm->b[at]);
    }
}

struct status monitor_info_sse(struct monitor *monitor, const char *argument, FILE *out)
{
    const struct cpu_state *cpu = machine_cpu(monitor->machine);
    const struct sse_type *type = NULL;
    if (!cpu_model_has(cpu->model, FEATURE_SSE)) {
        return refuse(cpu, "SSE");
    }
    for (size_t i = 0; i < ARRAY_COUNT(sse_types) && argument != NULL; i++) {
        type = strcmp(argument, sse_types[i].name) == 0 ? &sse_types[i] : type;
    }
    if (argument != NULL && type == NULL) {
        return status_error(STATUS_INVALID_ARGUMENT,
                            "\"%.40s\" is not a type (float double b w d q i8 i16 i32 i64)", argument);
    }
    fprintf(out, "mxcsr %08x  rounding %s, masked ", cpu->mxcsr,
            rounding_names[cpu->mxcsr >> MXCSR_ROUNDING_SHIFT & 3]);
    print_exceptions(out, cpu->mxcsr >> MXCSR_MASK_SHIFT);
    fputs(", raised ", out);
    print_exceptions(out, cpu->mxcsr);
    fprintf(out, "%s%s\n", cpu->mxcsr & MXCSR_DAZ ? ", DAZ" : "", cpu->mxcsr & MXCSR_FZ ? ", FZ" : "");
    for (unsigned i = 0; i < 8; i++) {
        const struct xmm_register *xmm = &cpu->xmm[i];
        fprintf(out, "xmm%u ", i);
        if (type != NULL) {
            print_xmm(out, xmm, type);
        } else {
            fprintf(out, " %016llx %016llx  float", (unsigned long long)load_le64(xmm->b + 8),
                    (unsigned long long)load_le64(xmm->b));
            print_xmm(out, xmm, &sse_types[0]);
        }
        fputc('\n', out);
    }
    return status_ok();
}

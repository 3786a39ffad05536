/* The x87 operations on the host's own x87: the one place of this module that knows the host's instruction
 * set.
 *
 * Each operation loads its operands on an empty host stack, executes the instruction under the guest's
 * rounding and precision with all exceptions masked, and reads the status word back, so that results are
 * those of an Intel processor to the last bit. When an exception is raised that the guest has not masked, the
 * operation is done again with the guest's masks in front of FNSAVE, which is not a waiting instruction and
 * therefore sees the unmasked response without the host's exception being delivered. Underflow means
 * something else when it is unmasked, so that only the second way is right then.
 *
 * Between operations the host's control word is that of the ABI (037Fh) and its flags are clear, except for
 * #P: it is raised by nearly every operation, clearing it costs more than the operation, and it does no harm
 * while the guest's own flag is set. */
#include "cpu/x87_arithmetic.h"

#if defined(__i386__) || defined(__x86_64__)

#define HOST_CONTROL 0x037fu
#define HOST_REPORTS ((unsigned)X87_EXCEPTIONS | X87_CODES)

struct host_operands {
    struct float80 a, b, result;
};

/* What FNSAVE stores in 32- and 64-bit mode. */
struct host_image {
    uint32_t control, status, tags, pointers[4];
    uint8_t stack[X87_REGISTERS];
};

/* Executes one instruction on ST(0) = a, ST(1) = b; returns the status word. */
typedef uint16_t host_masked(struct host_operands *operands);
/* The same under `control`, everything saved. */
typedef void host_saved(struct host_operands *operands, const uint16_t *control, struct host_image *image);

struct host_operation {
    host_masked *masked; /* NULL: the number of results depends on the operand */
    host_saved *saved;
};

#define X87_CLOBBERS "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)", "memory"

#define HOST_MASKED(name, load_b, instruction, drop_b)                                                       \
    static uint16_t name##_masked(struct host_operands *operands)                                            \
    {                                                                                                        \
        uint16_t status;                                                                                     \
        __asm__ volatile(load_b "fldt %2\n\t" instruction "\n\tfnstsw %0\n\tfstpt %1\n\t" drop_b             \
                         : "=a"(status), "=m"(operands->result)                                              \
                         : "m"(operands->a), "m"(operands->b)                                                \
                         : X87_CLOBBERS);                                                                    \
        return status;                                                                                       \
    }
#define HOST_SAVED(name, load_b, instruction)                                                                \
    static void name##_saved(struct host_operands *operands, const uint16_t *control,                        \
                             struct host_image *image)                                                       \
    {                                                                                                        \
        __asm__ volatile("fninit\n\t" load_b "fldt %2\n\tfldcw %1\n\t" instruction "\n\tfnsave %0"           \
                         : "=m"(*image)                                                                      \
                         : "m"(*control), "m"(operands->a), "m"(operands->b)                                 \
                         : X87_CLOBBERS);                                                                    \
    }
#define HOST_OPERATION(name, load_b, instruction, drop_b)                                                    \
    HOST_MASKED(name, load_b, instruction, drop_b)                                                           \
    HOST_SAVED(name, load_b, instruction)                                                                    \
    static const struct host_operation name = {name##_masked, name##_saved};
#define HOST_PAIR(name, instruction)                                                                         \
    HOST_SAVED(name, "", instruction)                                                                        \
    static const struct host_operation name = {NULL, name##_saved};
#define HOST_UNARY(name, instruction)    HOST_OPERATION(name, "", instruction, "")
#define HOST_BINARY(name, instruction)   HOST_OPERATION(name, "fldt %3\n\t", instruction, "fstp %%st(0)")
#define HOST_REDUCING(name, instruction) HOST_OPERATION(name, "fldt %3\n\t", instruction, "")

// clang-format off
HOST_BINARY(host_add, "fadd %%st(1),%%st")
HOST_BINARY(host_subtract, "fsub %%st(1),%%st")
HOST_BINARY(host_multiply, "fmul %%st(1),%%st")
HOST_BINARY(host_divide, "fdiv %%st(1),%%st")
HOST_BINARY(host_scale, "fscale")
HOST_BINARY(host_remainder_truncated, "fprem")
HOST_BINARY(host_remainder_nearest, "fprem1")
HOST_UNARY(host_square_root, "fsqrt")
HOST_UNARY(host_round_to_integer, "frndint")
HOST_UNARY(host_exponential, "f2xm1")
HOST_UNARY(host_sine, "fsin")
HOST_UNARY(host_cosine, "fcos")
HOST_REDUCING(host_logarithm, "fyl2x")
HOST_REDUCING(host_logarithm_plus_one, "fyl2xp1")
HOST_REDUCING(host_arc_tangent, "fpatan")
HOST_PAIR(host_sine_cosine, "fsincos")
HOST_PAIR(host_tangent, "fptan")
// clang-format on

static void host_load_control(uint16_t control)
{
    __asm__ volatile("fldcw %0" : : "m"(control));
}

static void host_clear_exceptions(void)
{
    __asm__ volatile("fnclex");
}

/* Makes the host ready for an operation; returns the control word to use. */
static uint16_t host_enter(const struct x87_state *x87)
{
    uint16_t control = (uint16_t)(x87->control | X87_EXCEPTIONS | X87_CONTROL_ONE);
    if (!(x87->status & x87->control & X87_PE)) {
        host_clear_exceptions();
    }
    if (control != HOST_CONTROL) {
        host_load_control(control);
    }
    return control;
}

static unsigned host_leave(unsigned status, uint16_t control)
{
    if (control != HOST_CONTROL) {
        host_load_control(HOST_CONTROL);
    }
    if (status & (X87_EXCEPTIONS & ~(unsigned)X87_PE)) {
        host_clear_exceptions();
    }
    return status & HOST_REPORTS;
}

static bool host_is_unmasked(const struct x87_state *x87, unsigned flags)
{
    return (flags & ~(unsigned)x87->control & X87_EXCEPTIONS) != 0;
}

/* The unmasked response; FNSAVE leaves the host initialized. */
static unsigned host_run_saved(const struct x87_state *x87, const struct host_operation *operation,
                               struct host_operands *operands, struct host_image *image)
{
    uint16_t control = x87->control;
    operation->saved(operands, &control, image);
    return image->status & HOST_REPORTS;
}

static struct float80 host_stack_item(const struct host_image *image, unsigned i)
{
    struct float80 value = {0};
    memcpy(&value, image->stack + 10 * i, 10);
    return value;
}

static unsigned host_run(const struct x87_state *x87, const struct host_operation *operation,
                         struct host_operands *operands, struct float80 *result)
{
    unsigned flags = X87_UE;
    if (x87->control & X87_UE) {
        uint16_t control = host_enter(x87);
        flags = host_leave(operation->masked(operands), control);
        *result = operands->result;
    }
    if (host_is_unmasked(x87, flags)) {
        struct host_image image;
        flags = host_run_saved(x87, operation, operands, &image);
        *result = host_stack_item(&image, 0);
    }
    return flags;
}

/* FSINCOS and FPTAN: the number of results depends on the operand, so the whole stack is looked at. */
static unsigned host_run_pair(const struct x87_state *x87, const struct host_operation *operation,
                              struct float80 a, struct float80 *result, struct float80 *pushed)
{
    struct host_operands operands = {.a = a};
    struct host_image image;
    unsigned flags = host_run_saved(x87, operation, &operands, &image);
    bool was_pushed = (image.status >> X87_TOP_SHIFT & 7) == 6;
    *result = host_stack_item(&image, was_pushed ? 1 : 0);
    *pushed = host_stack_item(&image, 0);
    return flags;
}

#define X87_UNARY(name)                                                                                      \
    unsigned x87_host_##name(const struct x87_state *x87, struct float80 a, struct float80 *result)          \
    {                                                                                                        \
        struct host_operands operands = {.a = a};                                                            \
        return host_run(x87, &host_##name, &operands, result);                                               \
    }
#define X87_BINARY(name)                                                                                     \
    unsigned x87_host_##name(const struct x87_state *x87, struct float80 a, struct float80 b,                \
                             struct float80 *result)                                                         \
    {                                                                                                        \
        struct host_operands operands = {.a = a, .b = b};                                                    \
        return host_run(x87, &host_##name, &operands, result);                                               \
    }
#define X87_PAIR(name)                                                                                       \
    unsigned x87_host_##name(const struct x87_state *x87, struct float80 a, struct float80 *result,          \
                             struct float80 *pushed)                                                         \
    {                                                                                                        \
        return host_run_pair(x87, &host_##name, a, result, pushed);                                          \
    }
#include "cpu/x87_operation.def"
#undef X87_UNARY
#undef X87_BINARY
#undef X87_PAIR

unsigned x87_host_to_float32(const struct x87_state *x87, struct float80 a, uint32_t *bits)
{
    uint16_t control = host_enter(x87);
    uint16_t status;
    uint32_t result;
    __asm__ volatile("fldt %2\n\tfstps %1\n\tfnstsw %0" : "=a"(status), "=m"(result) : "m"(a) : X87_CLOBBERS);
    unsigned flags = host_leave(status, control);
    *bits = result;
    bool unmasked = host_is_unmasked(x87, flags | X87_UE);
    return unmasked ? x87_soft_to_float32(x87, a, bits) : flags;
}

unsigned x87_host_to_float64(const struct x87_state *x87, struct float80 a, uint64_t *bits)
{
    uint16_t control = host_enter(x87);
    uint16_t status;
    uint64_t result;
    __asm__ volatile("fldt %2\n\tfstpl %1\n\tfnstsw %0" : "=a"(status), "=m"(result) : "m"(a) : X87_CLOBBERS);
    unsigned flags = host_leave(status, control);
    *bits = result;
    bool unmasked = host_is_unmasked(x87, flags | X87_UE);
    return unmasked ? x87_soft_to_float64(x87, a, bits) : flags;
}

#endif

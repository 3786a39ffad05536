/* The host CPU as oracle for x87, MMX and SSE: random instructions on random register files, run natively and
 * by the interpreter; registers, status, tags, memory and flags must agree to the last bit.
 *
 * usage: fpu_host_test [SEED [CASES]]. x86-64 hosts only (exit status 77 elsewhere); the encodings are the
 * same in 32- and 64-bit mode. Memory operands are [EBX], general registers EAX, ECX and EDX. Left out:
 * instructions that show instruction addresses (FNSTENV, FNSAVE, FXSAVE) or load state that can fault; they
 * have tests of their own. Operation and address of the last x87 instruction are not compared: processors
 * differ in when they record them. */
#include <inttypes.h>
#include <stdio.h>

#if defined(__x86_64__)

#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>

#include "cpu/x87.h"
#include "cpu_bench.h"
#include "decoder/decoder.h"
#include "fpu_values.h"

#define USUAL_CASES  2000000u
#define SNIPPETS     4096u
#define SNIPPET_SIZE 64u
#define RAM_SIZE     (2 * MIB)
#define GUEST_CODE   0x100000u
#define DATA_SIZE    64u

struct machine_state {
    _Alignas(16) uint8_t image[FXSAVE_SIZE];
    _Alignas(16) uint8_t data[DATA_SIZE];
    uint32_t gpr[3]; /* EAX ECX EDX */
    uint32_t eflags;
    bool raised; /* #XM */
};

struct snippet {
    uint8_t bytes[INSN_MAX_LENGTH];
    unsigned length;
    struct insn insn;
};

struct oracle {
    struct cpu_bench *bench;
    struct fpu_random random;
    uint8_t *code; /* executable */
    struct snippet snippets[SNIPPETS];
    unsigned failures;
    bool reported[INSN_COUNT]; /* one difference of each instruction is enough to read */
};

/* What the signal handler needs to find. */
static sigjmp_buf escape;
static uint8_t faulted_image[FXSAVE_SIZE];

static void on_sigfpe(int signal_number, siginfo_t *info, void *context)
{
    const ucontext_t *ucontext = context;
    (void)signal_number, (void)info;
    memcpy(faulted_image, ucontext->uc_mcontext.fpregs, FXSAVE_SIZE);
    siglongjmp(escape, 1);
}

/* ---- snippets
 * ------------------------------------------------------------------------------------------------------------------
 */

/* Instructions whose results are only close to the host's when the interpreter does not use the host's x87
 * and SSE. */
static bool is_approximate(const struct insn *insn)
{
    switch (insn->id) {
    case INSN_F2XM1:
    case INSN_FYL2X:
    case INSN_FYL2XP1:
    case INSN_FPATAN:
    case INSN_FPTAN:
    case INSN_FSIN:
    case INSN_FCOS:
    case INSN_FSINCOS:
    case INSN_RCPPS:
    case INSN_RCPSS:
    case INSN_RSQRTPS:
    case INSN_RSQRTSS: return !DOPPEL_HOST_X87;
    default: return false;
    }
}

static bool is_left_out(const struct insn *insn)
{
    switch (insn->id) {
    case INSN_FLDENV:
    case INSN_FNSTENV:
    case INSN_FNSAVE:
    case INSN_FRSTOR:
    case INSN_FXSAVE:
    case INSN_FXRSTOR:
    case INSN_LDMXCSR:
    case INSN_MASKMOVQ:
    case INSN_MASKMOVDQU: return true;
    case INSN_FSTP:
        return insn->opcode == 0xd9 && insn->modrm >= 0xc0; /* undocumented, of an empty register */
    default: return false;
    }
}

static bool operands_fit(const struct insn *insn)
{
    for (unsigned i = 0; i < insn->operand_count; i++) {
        const struct operand *operand = &insn->operand[i];
        if (operand->kind == OPERAND_REGISTER && operand->register_class <= REGISTER_GPR64 &&
            operand->reg > 2) {
            return false;
        }
        if (operand->kind == OPERAND_MEMORY && (insn->modrm & 0xc7) != 3) {
            return false;
        }
    }
    return true;
}

static bool is_wanted(const struct insn *insn)
{
    uint32_t properties = insn_info((enum insn_id)insn->id)->properties;
    return (properties & (INSN_X87 | INSN_MMX | INSN_SSE)) && insn->level <= INSN_LEVEL_SSSE3 &&
           !is_left_out(insn) && !is_approximate(insn) && operands_fit(insn);
}

static unsigned random_encoding(struct fpu_random *random, uint8_t *bytes)
{
    static const uint8_t prefixes[] = {0, 0, 0x66, 0xf3, 0xf2};
    unsigned n = 0;
    uint64_t r = fpu_random(random);
    if (r % 2 == 0) {
        bytes[n++] = (uint8_t)(0xd8 | (r >> 8 & 7));
    } else {
        uint8_t prefix = prefixes[(r >> 16) % ARRAY_COUNT(prefixes)];
        if (prefix != 0) {
            bytes[n++] = prefix;
        }
        bytes[n++] = 0x0f;
        if ((r >> 24) % 8 == 0) {
            bytes[n++] = (r >> 32) % 8 == 0 ? 0x3a : 0x38;
            bytes[n++] = (uint8_t)((r >> 40) % 0x20);
        } else {
            bytes[n++] = (uint8_t)(r >> 40);
        }
    }
    bytes[n++] = (r >> 50) % 4 == 0 ? (uint8_t)(3 | (r >> 53 & 0x38)) : (uint8_t)(0xc0 | (r >> 53 & 0x3f));
    bytes[n++] = (uint8_t)(r >> 56);
    return n;
}

static void generate_snippet(struct fpu_random *random, struct snippet *snippet)
{
    const struct decode_mode mode = {.code_size = 4, .max_length = 15};
    for (;;) {
        unsigned available = random_encoding(random, snippet->bytes);
        if (decoder_decode(&mode, snippet->bytes, available, &snippet->insn) == DECODE_OK &&
            is_wanted(&snippet->insn)) {
            snippet->length = snippet->insn.length;
            return;
        }
    }
}

/* push r9; popfq; fxrstor [rdi]; the instruction; pushfq; pop r8; fxsave [rsi]; fninit; ret */
static void emit_native(uint8_t *at, const struct snippet *snippet)
{
    static const uint8_t before[] = {0x41, 0x51, 0x9d, 0x0f, 0xae, 0x0f};
    static const uint8_t after[] = {0x9c, 0x41, 0x58, 0x0f, 0xae, 0x06, 0xdb, 0xe3, 0xc3};
    memcpy(at, before, sizeof before);
    memcpy(at + sizeof before, snippet->bytes, snippet->length);
    memcpy(at + sizeof before + snippet->length, after, sizeof after);
}

/* ---- running
 * -------------------------------------------------------------------------------------------------------------------
 */

static void call_native(const uint8_t *code, const struct machine_state *before, struct machine_state *after)
{
    uint64_t eax = before->gpr[0], ecx = before->gpr[1], edx = before->gpr[2];
    uint32_t host_mxcsr = MXCSR_INIT;
    register uint64_t flags_out __asm__("r8") = 0;
    register uint64_t flags_in __asm__("r9") = before->eflags;
    __asm__ volatile("subq $256, %%rsp\n\tcall *%[code]\n\taddq $256, %%rsp\n\tldmxcsr %[host]"
                     : "+a"(eax), "+c"(ecx), "+d"(edx), "+r"(flags_out), "+r"(flags_in)
                     : [code] "r"(code), "D"(before->image), "S"(after->image),
                       "b"(after->data), [host] "m"(host_mxcsr)
                     : "memory", "cc", "st", "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)",
                       "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7");
    after->gpr[0] = (uint32_t)eax;
    after->gpr[1] = (uint32_t)ecx;
    after->gpr[2] = (uint32_t)edx;
    after->eflags = (uint32_t)flags_out & EFLAGS_ARITHMETIC;
}

static void run_native(const uint8_t *code, const struct machine_state *before, struct machine_state *after)
{
    *after = *before;
    if (sigsetjmp(escape, 0) == 0) {
        call_native(code, before, after);
    } else {
        uint32_t host_mxcsr = MXCSR_INIT;
        __asm__ volatile("fninit; ldmxcsr %0; cld" : : "m"(host_mxcsr));
        memcpy(after->image, faulted_image, FXSAVE_SIZE);
        after->raised = true;
    }
}

static void run_interpreted(struct oracle *oracle, unsigned n, const struct machine_state *before,
                            struct machine_state *after)
{
    struct cpu_bench *bench = oracle->bench;
    struct cpu_state *cpu = &bench->cpu;
    *after = *before;
    cpu_load_fxsave(cpu, true, before->image);
    for (unsigned i = 0; i < 3; i++) {
        cpu->gpr[i].q = before->gpr[i];
    }
    cpu->gpr[CPU_BX].q = BENCH_DATA;
    cpu->gpr[CPU_SP].q = BENCH_STACK;
    cpu_set_eflags(cpu, before->eflags);
    cpu->rip = GUEST_CODE + n * SNIPPET_SIZE;
    memcpy(bench->ram + BENCH_DATA, before->data, DATA_SIZE);
    cpu_bench_run(bench, 1);
    after->raised = cpu->rip == BENCH_HANDLERS + 8 * VECTOR_XM;
    cpu_store_fxsave(cpu, true, after->image);
    memcpy(after->data, bench->ram + BENCH_DATA, DATA_SIZE);
    for (unsigned i = 0; i < 3; i++) {
        after->gpr[i] = cpu->gpr[i].d;
    }
    after->eflags = after->raised ? before->eflags : cpu_eflags(cpu) & EFLAGS_ARITHMETIC;
    if (!after->raised && cpu->rip != GUEST_CODE + n * SNIPPET_SIZE + oracle->snippets[n].length) {
        printf("stands at %" PRIx64 " after snippet %u\n", cpu->rip, n);
        after->eflags = UINT32_MAX;
    }
}

/* ---- states
 * --------------------------------------------------------------------------------------------------------------------
 */

static void generate_state(struct fpu_random *random, struct machine_state *state)
{
    uint64_t r = fpu_random(random);
    uint16_t control = fpu_random_control(random);
    unsigned status = (unsigned)(r & (X87_TOP | X87_CODES)) | (r >> 20 & control & X87_EXCEPTIONS);
    memset(state, 0, sizeof *state);
    store_le16(state->image, control);
    store_le16(state->image + 2, (uint16_t)status);
    state->image[4] = r >> 30 & 3 ? 0xff : (uint8_t)(r >> 40);
    store_le32(state->image + 24, fpu_random_mxcsr(random) | (r >> 50 & X87_EXCEPTIONS));
    for (unsigned i = 0; i < 8; i++) {
        struct float80 value = fpu_random_float80(random);
        store_le64(state->image + 32 + 16 * i, value.significand);
        store_le16(state->image + 40 + 16 * i, value.sign_exponent);
        store_le64(state->image + 160 + 16 * i, fpu_random_vector(random));
        store_le64(state->image + 168 + 16 * i, fpu_random_vector(random));
    }
    for (unsigned i = 0; i < DATA_SIZE; i += 8) {
        store_le64(state->data + i, fpu_random_vector(random));
    }
    if (r >> 60 == 0) {
        struct float80 value = fpu_random_float80(random);
        store_le64(state->data, value.significand);
        store_le16(state->data + 8, value.sign_exponent);
    }
    for (unsigned i = 0; i < 3; i++) {
        state->gpr[i] = (uint32_t)fpu_random(random);
    }
    state->eflags = (uint32_t)fpu_random(random) & EFLAGS_ARITHMETIC;
}

/* ---- comparing
 * -----------------------------------------------------------------------------------------------------------------
 */

static void print_difference(const char *what, uint64_t before, uint64_t native, uint64_t interpreted)
{
    if (native != interpreted) {
        printf("  %-7s before %016" PRIx64 " native %016" PRIx64 " interpreted %016" PRIx64 "\n", what,
               before, native, interpreted);
    }
}

static void report(const struct snippet *snippet, const struct machine_state *before,
                   const struct machine_state *native, const struct machine_state *interpreted,
                   uint64_t number)
{
    char name[16];
    printf("case %" PRIu64 ": %s (", number, insn_info((enum insn_id)snippet->insn.id)->mnemonic);
    for (unsigned i = 0; i < snippet->length; i++) {
        printf("%02x", snippet->bytes[i]);
    }
    printf(") control %04x status %04x full %02x mxcsr %04x\n", load_le16(before->image),
           load_le16(before->image + 2), before->image[4], load_le32(before->image + 24));
    print_difference("raised", 0, native->raised, interpreted->raised);
    print_difference("control", load_le16(before->image), load_le16(native->image),
                     load_le16(interpreted->image));
    print_difference("status", load_le16(before->image + 2), load_le16(native->image + 2),
                     load_le16(interpreted->image + 2));
    print_difference("full", before->image[4], native->image[4], interpreted->image[4]);
    print_difference("mxcsr", load_le32(before->image + 24), load_le32(native->image + 24),
                     load_le32(interpreted->image + 24));
    print_difference("eflags", before->eflags, native->eflags, interpreted->eflags);
    for (unsigned i = 0; i < 3; i++) {
        snprintf(name, sizeof name, "gpr%u", i);
        print_difference(name, before->gpr[i], native->gpr[i], interpreted->gpr[i]);
    }
    for (unsigned i = 0; i < DATA_SIZE; i += 8) {
        snprintf(name, sizeof name, "[%u]", i);
        print_difference(name, load_le64(before->data + i), load_le64(native->data + i),
                         load_le64(interpreted->data + i));
    }
    for (unsigned i = 0; i < 16; i++) {
        const unsigned at = 32 + 16 * i;
        snprintf(name, sizeof name, "%s%u", i < 8 ? "st" : "xmm", i & 7);
        if (memcmp(native->image + at, interpreted->image + at, i < 8 ? 10 : 16) != 0) {
            print_difference(name, load_le64(before->image + at), load_le64(native->image + at),
                             load_le64(interpreted->image + at));
            snprintf(name, sizeof name, "%s%u+8", i < 8 ? "st" : "xmm", i & 7);
            print_difference(name, load_le64(before->image + at + 8), load_le64(native->image + at + 8),
                             load_le64(interpreted->image + at + 8));
        }
    }
    for (unsigned i = 0; i < 2; i++) {
        const unsigned at = 32 + 16 * i;
        printf("  st%u was %04x %016" PRIx64 "\n", i, load_le16(before->image + at + 8),
               load_le64(before->image + at));
    }
    printf("  source was xmm%u %016" PRIx64 "%016" PRIx64 ", destination xmm%u %016" PRIx64 "%016" PRIx64
           "\n",
           snippet->insn.modrm & 7, load_le64(before->image + 168 + 16 * (snippet->insn.modrm & 7)),
           load_le64(before->image + 160 + 16 * (snippet->insn.modrm & 7)), snippet->insn.modrm >> 3 & 7,
           load_le64(before->image + 168 + 16 * (snippet->insn.modrm >> 3 & 7)),
           load_le64(before->image + 160 + 16 * (snippet->insn.modrm >> 3 & 7)));
    printf("  memory was %016" PRIx64 "%016" PRIx64 "\n", load_le64(before->data + 8),
           load_le64(before->data));
}

/* Clears what is not compared. */
static void blank(struct machine_state *state)
{
    memset(state->image + 5, 0, 19); /* reserved, FOP, FIP, FDP */
    memset(state->image + 28, 0, 4); /* MXCSR_MASK */
    for (unsigned i = 0; i < 8; i++) {
        memset(state->image + 42 + 16 * i, 0, 6);
    }
    memset(state->image + 288, 0, FXSAVE_SIZE - 288);
}

static bool is_equal(const struct machine_state *a, const struct machine_state *b)
{
    return a->raised == b->raised && a->eflags == b->eflags && memcmp(a->gpr, b->gpr, sizeof a->gpr) == 0 &&
           memcmp(a->data, b->data, DATA_SIZE) == 0 && memcmp(a->image, b->image, FXSAVE_SIZE) == 0;
}

static void run_case(struct oracle *oracle, uint64_t number)
{
    unsigned n = (unsigned)(fpu_random(&oracle->random) >> 40) % SNIPPETS;
    struct machine_state before, native, interpreted;
    generate_state(&oracle->random, &before);
    run_native(oracle->code + n * SNIPPET_SIZE, &before, &native);
    run_interpreted(oracle, n, &before, &interpreted);
    if (native.raised) {
        native.eflags = before.eflags;
    }
    blank(&native);
    blank(&interpreted);
    if (!is_equal(&native, &interpreted)) {
        oracle->failures++;
        if (!oracle->reported[oracle->snippets[n].insn.id]) {
            oracle->reported[oracle->snippets[n].insn.id] = true;
            report(&oracle->snippets[n], &before, &native, &interpreted, number);
        }
    }
}

int main(int argc, char **argv)
{
    struct oracle *oracle = calloc(1, sizeof *oracle);
    uint64_t cases = fpu_cases(argc, argv, USUAL_CASES);
    const size_t code_size = SNIPPETS * SNIPPET_SIZE;
    struct sigaction action = {.sa_sigaction = on_sigfpe, .sa_flags = SA_SIGINFO | SA_NODEFER};
    oracle->random.state = fpu_seed(argc, argv);
    oracle->code =
        mmap(NULL, code_size, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (oracle->code == MAP_FAILED) {
        printf("SKIPPED: the host allows no pages that are writable and executable\n");
        return 77;
    }
    sigaction(SIGFPE, &action, NULL);
    oracle->bench = cpu_bench_create(cpu_model_find("max"), RAM_SIZE);
    cpu_bench_enter_flat(oracle->bench, 4, 0);
    oracle->bench->cpu.cr0 |= CR0_NE;
    oracle->bench->cpu.cr4 |= CR4_OSFXSR | CR4_OSXMMEXCPT;
    for (unsigned n = 0; n < SNIPPETS; n++) {
        struct snippet *snippet = &oracle->snippets[n];
        generate_snippet(&oracle->random, snippet);
        emit_native(oracle->code + n * SNIPPET_SIZE, snippet);
        cpu_bench_load(oracle->bench, GUEST_CODE + n * SNIPPET_SIZE, snippet->bytes, snippet->length);
    }
    for (uint64_t i = 0; i < cases; i++) {
        run_case(oracle, i);
    }
    printf("%" PRIu64 " cases, %u differences\n", cases, oracle->failures);
    unsigned failures = oracle->failures;
    cpu_bench_destroy(oracle->bench);
    munmap(oracle->code, code_size);
    free(oracle);
    return failures != 0;
}

#else

int main(void)
{
    printf("SKIPPED: the host is not an x86-64 processor\n");
    return 77;
}

#endif

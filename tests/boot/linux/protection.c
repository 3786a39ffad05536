/* Exceptions of the processor as programs see them: which signal, at which address, with which error code,
 * and that the interrupted instruction can be carried on. Also what user programs may ask the kernel for:
 * ports, descriptors, debug registers, alignment checks. */
#include "checks.h"

#include <asm/ldt.h>
#include <errno.h>
#include <fcntl.h>
#include <fenv.h>
#include <setjmp.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

static sigjmp_buf recovery;
static struct {
    volatile int signal;
    volatile int code;
    volatile uintptr_t address;
    volatile uintptr_t ip;
    volatile int trap;
    volatile int error;
} seen;

static void on_fault(int signal, siginfo_t *info, void *opaque)
{
    const ucontext_t *context = opaque;
    seen.signal = signal;
    seen.code = info->si_code;
    seen.address = (uintptr_t)info->si_addr;
    seen.ip = (uintptr_t)context->uc_mcontext.gregs[REG_EIP];
    seen.trap = context->uc_mcontext.gregs[REG_TRAPNO];
    seen.error = context->uc_mcontext.gregs[REG_ERR];
    siglongjmp(recovery, 1);
}

static void on_all_faults(void (*handler)(int, siginfo_t *, void *))
{
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO};
    sigemptyset(&action.sa_mask);
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGFPE, &action, NULL);
    sigaction(SIGILL, &action, NULL);
    sigaction(SIGTRAP, &action, NULL);
}

/* Runs `statement`, which must raise this exception with this signal and code. */
#define EXPECT_FAULT(name, expected_signal, expected_code, vector, statement)                                \
    do {                                                                                                     \
        memset((void *)&seen, 0, sizeof(seen));                                                              \
        if (sigsetjmp(recovery, 1) == 0) {                                                                   \
            statement;                                                                                       \
        }                                                                                                    \
        check_fault(name, expected_signal, expected_code, vector);                                           \
    } while (0)

static void check_fault(const char *name, int signal, int code, int vector)
{
    check(seen.signal == signal && seen.code == code && seen.trap == vector, name,
          "signal %d code %d exception %d at %lx instead of signal %d code %d exception %d", seen.signal,
          seen.code, seen.trap, (unsigned long)seen.ip, signal, code, vector);
}

static void check_page_faults(void)
{
    char *page = mmap(NULL, 3 * 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    page[0] = 1;
    mprotect(page, 4096, PROT_READ);
    munmap(page + 2 * 4096, 4096);
    EXPECT_FAULT("reading nothing", SIGSEGV, SEGV_MAPERR, 14, (void)*(volatile char *)(page + 2 * 4096 + 5));
    check_equal("its address", (long)(seen.address - (uintptr_t)page), 2 * 4096 + 5);
    check_equal("its error code", seen.error, 4);
    EXPECT_FAULT("writing what is read-only", SIGSEGV, SEGV_ACCERR, 14, *(volatile char *)(page + 7) = 1);
    check_equal("its address", (long)(seen.address - (uintptr_t)page), 7);
    check_equal("its error code", seen.error, 7);
    EXPECT_FAULT("an access across two pages", SIGSEGV, SEGV_MAPERR, 14,
                 *(volatile int *)(page + 2 * 4096 - 2) = 1);
    check_equal("has the second one's address", (long)(seen.address - (uintptr_t)page), 2 * 4096);
    check_equal("and changed nothing", *(short *)(page + 2 * 4096 - 2), 0);
    EXPECT_FAULT("jumping nowhere", SIGSEGV, SEGV_MAPERR, 14, ((void (*)(void))(page + 2 * 4096 + 16))());
    check(seen.ip == (uintptr_t)page + 2 * 4096 + 16 && seen.address == seen.ip, "its instruction pointer",
          "%lx", (unsigned long)seen.ip);
    EXPECT_FAULT("the kernel's memory", SIGSEGV, SEGV_MAPERR, 14, (void)*(volatile char *)0xc0100000);
    check_equal("its error code", seen.error & ~1, 4);
    munmap(page, 2 * 4096);

    char name[] = "/tmp/checksXXXXXX";
    int file = mkstemp(name);
    unlink(name);
    char *mapping = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
    EXPECT_FAULT("a mapping beyond the file's end", SIGBUS, BUS_ADRERR, 14, (void)*(volatile char *)mapping);
    munmap(mapping, 4096);
    close(file);
}

static char *repair; /* page that the handler makes accessible */
static volatile int repairs;

static void on_repair(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    repairs++;
    uintptr_t page = (uintptr_t)info->si_addr & ~4095ul;
    mprotect((void *)page, 4096, PROT_READ | PROT_WRITE);
}

static void check_restarts(void)
{
    repair = mmap(NULL, 4 * 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    static char source[3 * 4096];
    for (size_t i = 0; i < sizeof(source); i++) {
        source[i] = (char)(i * 7);
    }
    on_all_faults(on_repair);
    char *to = repair + 100;
    const char *from = source;
    size_t count = sizeof(source);
    __asm__ volatile("rep movsb" : "+D"(to), "+S"(from), "+c"(count) : : "memory");
    check(to == repair + 100 + sizeof(source) && count == 0 &&
              memcmp(repair + 100, source, sizeof(source)) == 0,
          "a faulting string move goes on where it stopped", "%zu bytes left", count);
    check_equal("after one fault per page", repairs, 4);
    mprotect(repair, 4 * 4096, PROT_NONE);
    uint32_t sum = 1;
    __asm__ volatile("addl %0, %1" : : "r"(sum), "m"(*(uint32_t *)(repair + 4096 - 2)) : "memory");
    uint32_t expected;
    memcpy(&expected, source + 4096 - 2 - 100, 4);
    uint32_t found;
    memcpy(&found, repair + 4096 - 2, 4);
    check_equal("a read-modify-write across two pages happens once", found, expected + 1);
    munmap(repair, 4 * 4096);
    on_all_faults(on_fault);
}

static void check_instructions(void)
{
    EXPECT_FAULT("dividing by zero", SIGFPE, FPE_INTDIV, 0,
                 __asm__ volatile("divl %0"
                                  :
                                  : "r"(0), "a"(1), "d"(0)));
    EXPECT_FAULT("a quotient that is too large", SIGFPE, FPE_INTDIV, 0,
                 __asm__ volatile("idivl %0"
                                  :
                                  : "r"(1), "a"(0), "d"(0x40000000)));
    EXPECT_FAULT("UD2", SIGILL, ILL_ILLOPN, 6, __asm__ volatile("ud2"));
    check(seen.address == seen.ip && seen.ip != 0, "its address", "%lx", (unsigned long)seen.address);
    EXPECT_FAULT("an opcode with a LOCK it cannot have", SIGILL, ILL_ILLOPN, 6,
                 __asm__ volatile(".byte 0xf0, 0x90"));
    EXPECT_FAULT("INT3", SIGTRAP, SI_KERNEL, 3, __asm__ volatile("int3"));
    EXPECT_FAULT("INTO after an overflow", SIGSEGV, SI_KERNEL, 4,
                 __asm__ volatile("movb $0x7f, %%al; incb %%al; into"
                                  :
                                  :
                                  : "eax", "cc"));
    static const int bounds[2] = {3, 5};
    EXPECT_FAULT("BOUND", SIGSEGV, SI_KERNEL, 5, __asm__ volatile("bound %0, %1" : : "r"(6), "m"(bounds)));
    EXPECT_FAULT("HLT is not for users", SIGSEGV, SI_KERNEL, 13, __asm__ volatile("hlt"));
    EXPECT_FAULT("CLI is not for users", SIGSEGV, SI_KERNEL, 13, __asm__ volatile("cli"));
    EXPECT_FAULT("nor are control registers", SIGSEGV, SI_KERNEL, 13,
                 __asm__ volatile("movl %%eax, %%cr3"
                                  :
                                  :
                                  : "memory"));
    EXPECT_FAULT("an interrupt that is not for users", SIGSEGV, SI_KERNEL, 13, __asm__ volatile("int $0x40"));
    check_equal("its error code", seen.error, 0x40 << 3 | 2);
    EXPECT_FAULT("an instruction of 16 bytes", SIGSEGV, SI_KERNEL, 13,
                 __asm__ volatile(".fill 15, 1, 0x66; nop"));
    EXPECT_FAULT("a null selector", SIGSEGV, SI_KERNEL, 13,
                 __asm__ volatile("movw %%ax, %%fs; movl %%fs:0, %%eax"
                                  : "+a"((int){0})
                                  :
                                  :));
    EXPECT_FAULT("a segment of the kernel", SIGSEGV, SI_KERNEL, 13,
                 __asm__ volatile("movw %w0, %%fs"
                                  :
                                  : "r"(0x60)));
    check_equal("its error code", seen.error, 0x60);

    EXPECT_FAULT("x87 division by zero, unmasked", SIGFPE, FPE_FLTDIV, 16,
                 __asm__ volatile("fnclex; fldcw %0; fld1; fldz; fdivrp; fwait"
                                  :
                                  : "m"((uint16_t){0x037b})));
    __asm__ volatile("fninit");
    EXPECT_FAULT(
        "x87 stack overflow, unmasked", SIGFPE, FPE_FLTINV, 16,
        __asm__ volatile("fninit; fldcw %0; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fld1; fwait"
                         :
                         : "m"((uint16_t){0x037e})));
    __asm__ volatile("fninit");
    if (__builtin_cpu_supports("sse")) {
        EXPECT_FAULT(
            "SSE division by zero, unmasked", SIGFPE, FPE_FLTDIV, 19,
            __asm__ volatile("ldmxcsr %0; xorps %%xmm1, %%xmm1; movss %1, %%xmm0; divss %%xmm1, %%xmm0"
                             :
                             : "m"((uint32_t){0x1d80}), "m"((float){1})));
        __asm__ volatile("ldmxcsr %0" : : "m"((uint32_t){0x1f80}));
        static char unaligned[32] __attribute__((aligned(16)));
        EXPECT_FAULT("MOVAPS to an odd address", SIGSEGV, SI_KERNEL, 13,
                     __asm__ volatile("movaps %%xmm0, %0"
                                      : "=m"(unaligned[1])));
    }

    static uint32_t words[2];
    EXPECT_FAULT("an alignment check", SIGBUS, BUS_ADRALN, 17,
                 __asm__ volatile("pushf; orl $0x40000, (%%esp); popf; movl 1(%0), %%eax"
                                  :
                                  : "r"(words)
                                  : "eax", "cc"));
    __asm__ volatile("pushf; andl $~0x40000, (%%esp); popf" : : : "cc", "memory");
}

static volatile int steps;

static void on_step(int signal, siginfo_t *info, void *context)
{
    (void)signal;
    (void)context;
    steps += info->si_code == TRAP_TRACE;
}

static void check_single_steps(void)
{
    on_all_faults(on_step);
    __asm__ volatile("pushf; orl $0x100, (%%esp); popf\n\t"
                     "nop; movl $3, %%ecx; 1: loop 1b; nop\n\t"
                     "pushf; andl $~0x100, (%%esp); popf"
                     :
                     :
                     : "ecx", "cc", "memory");
    /* The instruction after the POPF that sets TF is the first, the POPF that clears it the last that traps.
     */
    check_equal("every instruction is single-stepped", steps, 9);
    on_all_faults(on_fault);
}

static void check_ports(void)
{
    EXPECT_FAULT("ports are not for users", SIGSEGV, SI_KERNEL, 13, outb(0, 0x80));
    check_equal("unless the kernel opens one", ioperm(0x80, 1, 1), 0);
    EXPECT_FAULT("that one", 0, 0, 0, outb(0, 0x80));
    EXPECT_FAULT("its neighbour stays closed", SIGSEGV, SI_KERNEL, 13, outb(0, 0x81));
    EXPECT_FAULT("also as half of a word", SIGSEGV, SI_KERNEL, 13, outw(0, 0x80));
    ioperm(0x80, 1, 0);
    EXPECT_FAULT("and it can be closed", SIGSEGV, SI_KERNEL, 13, outb(0, 0x80));
}

static void check_descriptors(void)
{
    static uint8_t data[64];
    memset(data, 0x5a, sizeof(data));
    struct user_desc descriptor = {
        .entry_number = 0, .base_addr = (unsigned)(uintptr_t)data, .limit = 15, .seg_32bit = 1, .useable = 1};
    if (syscall(SYS_modify_ldt, 1, &descriptor, sizeof(descriptor)) != 0) {
        check(errno == ENOSYS, "a local descriptor table", "modify_ldt: error %d", errno);
        return;
    }
    uint32_t value = 0;
    __asm__ volatile("movw %w1, %%fs; movl %%fs:12, %0" : "=r"(value) : "r"(7));
    check_equal("a segment of one's own", value, 0x5a5a5a5a);
    EXPECT_FAULT("has a limit", SIGSEGV, SI_KERNEL, 13,
                 __asm__ volatile("movw %w1, %%fs; movl %%fs:13, %0"
                                  : "=r"(value)
                                  : "r"(7)));
    descriptor.read_exec_only = 1;
    syscall(SYS_modify_ldt, 1, &descriptor, sizeof(descriptor));
    EXPECT_FAULT("may be read-only", SIGSEGV, SI_KERNEL, 13,
                 __asm__ volatile("movw %w0, %%fs; movl $1, %%fs:0"
                                  :
                                  : "r"(7)));
    __asm__ volatile("movw %w0, %%fs" : : "r"(0));
}

static volatile int watched[4];

/* A child whose parent sets a breakpoint on data in its debug registers. */
static void check_debug_registers(void)
{
    pid_t child = fork();
    if (child == 0) {
        ptrace(PTRACE_TRACEME, 0, NULL, NULL);
        raise(SIGSTOP);
        watched[0] = 1;
        watched[2] = 2;
        watched[3] = 3;
        _exit(9);
    }
    int status;
    waitpid(child, &status, 0);
    size_t registers = offsetof(struct user, u_debugreg);
    long set = ptrace(PTRACE_POKEUSER, child, (void *)registers, (void *)&watched[2]);
    set |= ptrace(PTRACE_POKEUSER, child, (void *)(registers + 7 * 4),
                  (void *)0xd0001); /* DR0, 4 bytes, writes */
    ptrace(PTRACE_CONT, child, NULL, NULL);
    waitpid(child, &status, 0);
    long value = ptrace(PTRACE_PEEKDATA, child, (void *)&watched[2], NULL);
    long other = ptrace(PTRACE_PEEKDATA, child, (void *)&watched[3], NULL);
    check(set == 0 && WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP && value == 2 && other == 0,
          "a debug register watches a variable", "error %ld, status %x, values %ld %ld", set,
          (unsigned)status, value, other);
    ptrace(PTRACE_CONT, child, NULL, NULL);
    waitpid(child, &status, 0);
    check(WIFEXITED(status) && WEXITSTATUS(status) == 9, "and the program goes on", "status %x",
          (unsigned)status);
}

void check_protection(void)
{
    on_all_faults(on_fault);
    check_page_faults();
    check_restarts();
    check_instructions();
    check_single_steps();
    check_ports();
    check_descriptors();
    check_debug_registers();
}

/* Host faults: that a thread's handler gets the faults of that thread, all of them and nobody else's, and
 * that what it does not claim still ends the process as if there were no handler. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#include "host/executable_memory.h"
#include "host/fault_signal.h"

#define EXIT_RETURNED   41 /* the fault did not end the process */
#define EXIT_PREVIOUSLY 42 /* the disposition from before had it */

/* What a handler of these tests does and saw. */
struct witness {
    uint8_t *page; /* made accessible when that is what faults */
    size_t page_size;
    volatile unsigned claimed;
    volatile unsigned refused;
    volatile bool on_alternate_stack;
    struct fault_context last;
};

static uint8_t *map_page(size_t *size)
{
    *size = (size_t)sysconf(_SC_PAGESIZE);
    void *page = mmap(NULL, *size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(page, MAP_FAILED);
    return page;
}

static bool open_page(void *opaque, struct fault_context *context)
{
    struct witness *witness = opaque;
    stack_t stack;
    sigaltstack(NULL, &stack);
    witness->on_alternate_stack = (stack.ss_flags & SS_ONSTACK) != 0;
    witness->last = *context;
    if (context->signal != SIGSEGV || context->address - (uintptr_t)witness->page >= witness->page_size) {
        witness->refused++;
        return false;
    }
    mprotect(witness->page, witness->page_size, PROT_READ | PROT_WRITE);
    witness->claimed++;
    return true;
}

static struct fault_thread *create(bool (*handle)(void *, struct fault_context *), void *opaque)
{
    struct fault_handler handler = {.handle = handle, .opaque = opaque};
    struct fault_thread *thread;
    struct status status = fault_signal_create(&handler, &thread);
    assert_int_equal(status.code, STATUS_OK);
    return thread;
}

static void a_claimed_fault_is_resumed(void **state)
{
    (void)state;
    struct witness witness = {0};
    witness.page = map_page(&witness.page_size);
    struct fault_thread *thread = create(open_page, &witness);
    fault_signal_enter(thread);
    *(volatile uint8_t *)(witness.page + 5) = 77;
    fault_signal_leave(thread);
    fault_signal_destroy(thread);
    assert_int_equal(witness.page[5], 77);
    assert_int_equal(witness.claimed, 1);
    assert_int_equal(witness.refused, 0);
    assert_int_equal(witness.last.signal, SIGSEGV);
    assert_int_equal(witness.last.code, SEGV_ACCERR);
    /* s390x tells the page and no more. */
    assert_in_range(witness.last.address, (uintptr_t)witness.page, (uintptr_t)witness.page + 5);
    assert_true(witness.on_alternate_stack);
    munmap(witness.page, witness.page_size);
}

#if defined(__x86_64__) && defined(__linux__)
/* The code that a test runs, and where it goes on after the fault. */
struct detour {
    struct executable_memory memory;
    const uint8_t *resume;
    int signal;
    const uint8_t *pc;
    long long rax;
};

static bool take_detour(void *opaque, struct fault_context *context)
{
    struct detour *detour = opaque;
    detour->signal = context->signal;
    detour->pc = (const uint8_t *)(uintptr_t)context->registers[REG_RIP];
    detour->rax = context->registers[REG_RAX];
    context->registers[REG_RIP] = (long long)(uintptr_t)detour->resume;
    context->registers[REG_RSP] = context->registers[REG_R8];
    context->registers[REG_RAX] = 0x600d;
    return true;
}

/* Runs `code`, which faults with RAX = 0xbad at offset `pc`, and expects to come back by the RET that follows
 * it. R8 has the stack pointer. */
static void expect_detour(const char *code, size_t length, int signal, size_t pc)
{
    static const uint8_t begin[] = {0x49, 0x89, 0xe0,             /* mov r8, rsp */
                                    0xb8, 0xad, 0x0b, 0x00, 0x00, /* mov eax, 0xbad */
                                    0x31, 0xc9, 0x31, 0xd2};      /* xor ecx, ecx; xor edx, edx */
    struct detour detour = {0};
    struct status status = executable_memory_allocate(4096, &detour.memory);
    assert_int_equal(status.code, STATUS_OK);
    memcpy(detour.memory.write, begin, sizeof begin);
    memcpy(detour.memory.write + sizeof begin, code, length);
    detour.memory.write[sizeof begin + length] = 0x0f; /* ud2, which must be jumped over */
    detour.memory.write[sizeof begin + length + 1] = 0x0b;
    detour.memory.write[sizeof begin + length + 2] = 0xc3;
    detour.resume = detour.memory.exec + sizeof begin + length + 2;
    struct fault_thread *thread = create(take_detour, &detour);
    unsigned (*function)(void);
    memcpy(&function, &detour.memory.exec, sizeof function);
    fault_signal_enter(thread);
    unsigned result = function();
    fault_signal_leave(thread);
    fault_signal_destroy(thread);
    assert_int_equal(result, 0x600d);
    assert_int_equal(detour.signal, signal);
    assert_ptr_equal(detour.pc, detour.memory.exec + sizeof begin + pc);
    assert_int_equal(detour.rax, 0xbad);
    executable_memory_release(&detour.memory);
}
#endif

static void code_is_resumed_elsewhere_after_each_signal(void **state)
{
    (void)state;
#if defined(__x86_64__) && defined(__linux__)
    expect_detour("\x8b\x09", 2, SIGSEGV, 0);        /* mov ecx, [rcx] */
    expect_detour("\xf7\xf1", 2, SIGFPE, 0);         /* div ecx */
    expect_detour("\x0f\x0b", 2, SIGILL, 0);         /* ud2 */
    expect_detour("\xcc", 1, SIGTRAP, 1);            /* int3 */
    expect_detour("\x31\xe4\x0f\x0b", 4, SIGILL, 2); /* xor esp, esp; ud2: without any stack */
    expect_detour("\x31\xe4\x50", 3, SIGSEGV, 2);    /* xor esp, esp; push rax */
#else
    print_message("SKIPPED: the registers of this host cannot be changed\n");
    skip();
#endif
}

static void executable_memory_is_never_writable_and_executable(void **state)
{
    (void)state;
#if defined(__linux__)
    struct executable_memory memory;
    struct status status = executable_memory_allocate(3 * 4096 + 1, &memory);
    assert_int_equal(status.code, STATUS_OK);
    FILE *maps = fopen("/proc/self/maps", "r");
    assert_non_null(maps);
    char line[512];
    unsigned seen = 0;
    while (fgets(line, sizeof line, maps) != NULL) {
        unsigned long long begin;
        unsigned long long end;
        char rights[5];
        assert_int_equal(sscanf(line, "%llx-%llx %4s", &begin, &end, rights), 3);
        if (begin == (uintptr_t)memory.write) {
            assert_string_equal(rights, "rw-s");
            seen++;
        } else if (begin == (uintptr_t)memory.exec) {
            assert_string_equal(rights, "r-xs");
            seen++;
        }
    }
    fclose(maps);
    assert_int_equal(seen, 2);
    memory.write[3 * 4096] = 0x5a;
    assert_int_equal(memory.exec[3 * 4096], 0x5a);
    executable_memory_release(&memory);
    assert_null(memory.write);
    executable_memory_release(&memory);
#else
    print_message("SKIPPED: machine code needs Linux\n");
    skip();
#endif
}

static void executable_memory_keeps_its_bytes_when_pages_grow(void **state)
{
    (void)state;
#if defined(__linux__)
    enum { SIZE = (5 << 20) + 1, STEP = 4093 };
    struct executable_memory memory;
    struct status status = executable_memory_allocate(SIZE, &memory);
    assert_int_equal(status.code, STATUS_OK);
    for (uint32_t end = 1; end < SIZE; end += STEP) {
        memory.write[end - 1] = (uint8_t)(end | 1);
        executable_memory_reach(&memory, end);
    }
    executable_memory_reach(&memory, SIZE);
    for (uint32_t at = 0; at < SIZE; at++) {
        assert_int_equal(memory.exec[at], at % STEP == 0 && at + 1 < SIZE ? (uint8_t)((at + 1) | 1) : 0);
    }
    executable_memory_release(&memory);
#else
    print_message("SKIPPED: machine code needs Linux\n");
    skip();
#endif
}

/* Each thread faults on its own page again and again. */
static void *fault_repeatedly(void *opaque)
{
    struct witness *witness = opaque;
    struct fault_thread *thread = create(open_page, witness);
    for (unsigned i = 0; i < 2000; i++) {
        fault_signal_enter(thread);
        *(volatile uint8_t *)(witness->page + i % 4096) = 1;
        mprotect(witness->page, witness->page_size, PROT_NONE);
        fault_signal_leave(thread);
    }
    fault_signal_destroy(thread);
    return NULL;
}

static void threads_get_their_own_faults_and_no_others(void **state)
{
    (void)state;
    struct witness witness[3] = {0};
    pthread_t threads[3];
    for (unsigned i = 0; i < 3; i++) {
        witness[i].page = map_page(&witness[i].page_size);
        assert_int_equal(pthread_create(&threads[i], NULL, fault_repeatedly, &witness[i]), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(witness[i].claimed, 2000);
        assert_int_equal(witness[i].refused, 0);
        assert_true(witness[i].on_alternate_stack);
        munmap(witness[i].page, witness[i].page_size);
    }
}

static void registrations_are_limited_and_reused(void **state)
{
    (void)state;
    struct witness witness = {0};
    struct fault_thread *threads[FAULT_THREADS_MAX];
    struct fault_thread *one_more;
    struct fault_handler handler = {.handle = open_page, .opaque = &witness};
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < FAULT_THREADS_MAX; i++) {
            threads[i] = create(open_page, &witness);
        }
        struct status status = fault_signal_create(&handler, &one_more);
        assert_int_equal(status.code, STATUS_NO_MEMORY);
        assert_null(one_more);
        for (unsigned i = 0; i < FAULT_THREADS_MAX; i++) {
            fault_signal_destroy(threads[i]);
        }
    }
}

/* How a child ends that runs `body` with the default dispositions and no core file. */
static int ending_of(void (*body)(int), int argument)
{
    fflush(NULL);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const int signals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
        for (unsigned i = 0; i < 5; i++) {
            signal(signals[i], SIG_DFL);
        }
        setrlimit(RLIMIT_CORE, &(struct rlimit){0});
        body(argument);
        _exit(EXIT_RETURNED);
    }
    int ending;
    assert_int_equal(waitpid(child, &ending, 0), child);
    return ending;
}

static void expect_killed(void (*body)(int), int argument, int signal)
{
    int ending = ending_of(body, argument);
    assert_true(WIFSIGNALED(ending));
    assert_int_equal(WTERMSIG(ending), signal);
}

static bool claim_nothing(void *opaque, struct fault_context *context)
{
    (void)opaque;
    (void)context;
    return false;
}

static bool claim_everything(void *opaque, struct fault_context *context)
{
    (void)opaque;
    (void)context;
    return true;
}

static volatile uint8_t *inaccessible(void)
{
    size_t size;
    return map_page(&size);
}

/* The page after the end of a file. */
static volatile uint8_t *beyond_the_end(void)
{
    FILE *file = tmpfile();
    if (file == NULL) {
        _exit(EXIT_RETURNED);
    }
    void *page = mmap(NULL, (size_t)sysconf(_SC_PAGESIZE), PROT_READ, MAP_SHARED, fileno(file), 0);
    return page;
}

static void fault(int signal)
{
    switch (signal) {
    case SIGSEGV: (void)*inaccessible(); break;
    case SIGBUS: (void)*beyond_the_end(); break;
#if defined(__x86_64__)
    case SIGFPE: __asm__ volatile("xorl %%ecx, %%ecx\n\tdivl %%ecx" ::: "eax", "ecx", "edx", "cc"); break;
    case SIGILL: __asm__ volatile("ud2"); break;
    case SIGTRAP: __asm__ volatile("int3"); break;
#endif
    default: _exit(EXIT_RETURNED);
    }
}

static void fault_unclaimed(int signal)
{
    fault_signal_enter(create(claim_nothing, NULL));
    fault(signal);
}

static void fault_after_leaving(int signal)
{
    struct fault_thread *thread = create(claim_everything, NULL);
    fault_signal_enter(thread);
    fault_signal_leave(thread);
    fault(signal);
}

static void *fault_in_thread(void *unused)
{
    (void)unused;
    fault(SIGSEGV);
    return NULL;
}

static void fault_in_another_thread(int unused)
{
    (void)unused;
    fault_signal_enter(create(claim_everything, NULL));
    pthread_t other;
    if (pthread_create(&other, NULL, fault_in_thread, NULL) == 0) {
        pthread_join(other, NULL);
    }
}

static bool fault_again(void *opaque, struct fault_context *context)
{
    (void)context;
    unsigned *calls = opaque;
    if (++*calls > 1) {
        _exit(EXIT_RETURNED);
    }
    fault(SIGSEGV);
    return true;
}

static void fault_in_the_handler(int signal)
{
    unsigned calls = 0;
    fault_signal_enter(create(fault_again, &calls));
    fault(signal);
}

static void send_to_oneself(int signal)
{
    fault_signal_enter(create(claim_everything, NULL));
    raise(signal);
}

static void faults_that_nobody_claims_end_the_process(void **state)
{
    (void)state;
    static const int signals[] = {
        SIGSEGV,
        SIGBUS,
#if defined(__x86_64__)
        SIGFPE,
        SIGILL,
        SIGTRAP
#endif
    };
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
        expect_killed(fault_unclaimed, signals[i], signals[i]);
        expect_killed(fault_after_leaving, signals[i], signals[i]);
        expect_killed(send_to_oneself, signals[i], signals[i]);
        expect_killed(fault_in_the_handler, signals[i], SIGSEGV);
    }
    expect_killed(fault_in_another_thread, 0, SIGSEGV);
}

static void previously(int signal)
{
    (void)signal;
    _exit(EXIT_PREVIOUSLY);
}

static void previously_with_details(int signal, siginfo_t *info, void *ucontext)
{
    (void)ucontext;
    _exit(info->si_signo == signal ? EXIT_PREVIOUSLY : EXIT_RETURNED);
}

static void fault_with_another_disposition(int number)
{
    signal(number, previously);
    fault_signal_enter(create(claim_nothing, NULL));
    fault(number);
}

/* Also when a first registration had installed our handlers before. */
static void fault_after_somebody_replaced_us(int number)
{
    struct fault_thread *thread = create(claim_nothing, NULL);
    struct sigaction action = {.sa_sigaction = previously_with_details, .sa_flags = SA_SIGINFO};
    sigaction(number, &action, NULL);
    fault_signal_destroy(thread);
    fault_signal_enter(create(claim_nothing, NULL));
    fault(number);
}

static void the_disposition_from_before_gets_what_nobody_claims(void **state)
{
    (void)state;
    static void (*const bodies[])(int) = {fault_with_another_disposition, fault_after_somebody_replaced_us};
    for (unsigned i = 0; i < 4; i++) {
        int ending = ending_of(bodies[i / 2], i % 2 != 0 ? SIGSEGV : SIGBUS);
        assert_true(WIFEXITED(ending));
        assert_int_equal(WEXITSTATUS(ending), EXIT_PREVIOUSLY);
    }
}

static void replaced_handlers_are_installed_again(void **state)
{
    (void)state;
    struct witness witness = {0};
    witness.page = map_page(&witness.page_size);
    fault_signal_destroy(create(open_page, &witness));
    struct sigaction action = {.sa_sigaction = previously_with_details, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, NULL);
    struct fault_thread *thread = create(open_page, &witness);
    fault_signal_enter(thread);
    *(volatile uint8_t *)witness.page = 1;
    fault_signal_leave(thread);
    fault_signal_destroy(thread);
    assert_int_equal(witness.claimed, 1);
    munmap(witness.page, witness.page_size);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_claimed_fault_is_resumed),
        cmocka_unit_test(code_is_resumed_elsewhere_after_each_signal),
        cmocka_unit_test(executable_memory_is_never_writable_and_executable),
        cmocka_unit_test(executable_memory_keeps_its_bytes_when_pages_grow),
        cmocka_unit_test(threads_get_their_own_faults_and_no_others),
        cmocka_unit_test(registrations_are_limited_and_reused),
        cmocka_unit_test(faults_that_nobody_claims_end_the_process),
        cmocka_unit_test(the_disposition_from_before_gets_what_nobody_claims),
        cmocka_unit_test(replaced_handlers_are_installed_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}

/* Signals that the program asks for: handlers, alternative stacks, masks, timers, and the state of x87 and
 * SSE registers across handlers and between processes that use them at the same time. */
#include "checks.h"

#include <fenv.h>
#include <limits.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t received;
static volatile double scratch;
static void *volatile handler_stack;

static void handle(int signal, void (*handler)(int), int flags)
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = flags};
    sigemptyset(&action.sa_mask);
    sigaction(signal, &action, NULL);
}

static void on_count(int signal)
{
    (void)signal;
    received++;
    handler_stack = __builtin_frame_address(0);
    scratch = sqrt(scratch + 2) * 3; /* clobbers the floating-point registers of whom it interrupts */
    fesetround(FE_UPWARD);
}

static void check_masks(void)
{
    handle(SIGUSR1, on_count, 0);
    received = 0;
    for (int i = 0; i < 200; i++) {
        raise(SIGUSR1);
    }
    check_equal("every raised signal is handled", received, 200);
    sigset_t set;
    sigset_t pending;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigprocmask(SIG_BLOCK, &set, NULL);
    received = 0;
    raise(SIGUSR1);
    raise(SIGUSR1);
    sigpending(&pending);
    check(received == 0 && sigismember(&pending, SIGUSR1) == 1, "a blocked signal waits", "%d handled",
          received);
    sigprocmask(SIG_UNBLOCK, &set, NULL);
    check_equal("and comes once when it may", received, 1);
}

static sigjmp_buf recovery;

static void on_overflow(int signal)
{
    on_count(signal);
    siglongjmp(recovery, 1);
}

static int __attribute__((noinline)) recurse(volatile char *above, int depth)
{
    volatile char frame[4096];
    frame[0] = above[0];
    return depth == 0 ? 0 : recurse(frame, depth - 1) + frame[0];
}

static void check_stacks(void)
{
    static char stack[64 * 1024];
    stack_t alternative = {.ss_sp = stack, .ss_size = sizeof(stack)};
    sigaltstack(&alternative, NULL);
    handle(SIGSEGV, on_overflow, SA_ONSTACK);
    handler_stack = NULL;
    if (sigsetjmp(recovery, 1) == 0) {
        char start = 0;
        recurse(&start, INT_MAX);
    }
    uintptr_t frame = (uintptr_t)handler_stack;
    check(frame > (uintptr_t)stack && frame < (uintptr_t)stack + sizeof(stack),
          "a full stack is handled on another one", "the handler's frame was at %p", handler_stack);
    handle(SIGSEGV, SIG_DFL, 0);
}

static void check_timers(void)
{
    handle(SIGALRM, on_count, 0);
    received = 0;
    struct itimerval every = {.it_interval = {.tv_usec = 20000}, .it_value = {.tv_usec = 20000}};
    long long before = microseconds();
    setitimer(ITIMER_REAL, &every, NULL);
    while (received < 5) {
        pause();
    }
    long long waited = microseconds() - before;
    every = (struct itimerval){0};
    setitimer(ITIMER_REAL, &every, NULL);
    check(waited >= 99000 && waited < 300000, "five alarms of 20 ms", "took %lld us", waited);

    received = 0;
    handle(SIGVTALRM, on_count, 0);
    every = (struct itimerval){.it_value = {.tv_usec = 30000}};
    setitimer(ITIMER_VIRTUAL, &every, NULL);
    while (received == 0) {
        scratch = scratch + 1;
    }
    check_equal("an alarm interrupts a loop", received, 1);

    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGUSR2};
    struct itimerspec once = {.it_value = {.tv_nsec = 10 * 1000 * 1000}};
    timer_t timer;
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR2);
    sigprocmask(SIG_BLOCK, &set, NULL);
    timer_create(CLOCK_MONOTONIC, &event, &timer);
    before = microseconds();
    timer_settime(timer, 0, &once, NULL);
    int which = 0;
    sigwait(&set, &which);
    waited = microseconds() - before;
    check(which == SIGUSR2 && waited >= 9900 && waited < 100000, "a POSIX timer of 10 ms",
          "signal %d after %lld us", which, waited);
}

/* Sums that use every x87 register, with a result that only an undisturbed computation has. */
static double long_sum(int seed)
{
    long double sum = seed;
    for (int i = 1; i < 30000; i++) {
        sum += (long double)seed / i + sqrtl((long double)i) * 1e-3L;
    }
    return (double)sum;
}

static void check_float_state(void)
{
    handle(SIGALRM, on_count, 0);
    received = 0;
    double undisturbed = long_sum(3);
    struct itimerval every = {.it_interval = {.tv_usec = 4000}, .it_value = {.tv_usec = 4000}};
    setitimer(ITIMER_REAL, &every, NULL);
    bool same = true;
    for (int i = 0; i < 100 && received < 8; i++) {
        same &= long_sum(3) == undisturbed;
    }
    every = (struct itimerval){0};
    setitimer(ITIMER_REAL, &every, NULL);
    check(same && received >= 8, "handlers that compute leave x87 and SSE registers as they were",
          "%s, %d signals", same ? "same" : "another sum", received);
    check_equal("and the rounding mode", fegetround(), FE_TONEAREST);

    pid_t children[4];
    for (int child = 0; child < 4; child++) {
        children[child] = fork();
        if (children[child] == 0) {
            double first = long_sum(child);
            for (int i = 0; i < 4; i++) {
                if (long_sum(child) != first) {
                    _exit(1);
                }
            }
            _exit(0);
        }
    }
    int wrong = 0;
    for (int child = 0; child < 4; child++) {
        int status = 1;
        waitpid(children[child], &status, 0);
        wrong += status != 0;
    }
    check_equal("four processes compute at once", wrong, 0);
}

void check_signals(void)
{
    check_masks();
    check_timers();
    check_float_state();
    check_stacks();
}

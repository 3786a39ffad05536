/* Dispatch of host faults to the threads that run translated code; see fault_signal.h.
 *
 * `fault_table` is the one mutable object at file scope in all of doppel (tests/layering/object_rules.sh
 * knows it by name): a signal handler is given nothing else that leads to a machine. A slot belongs to one
 * registration. Its `thread` is the pthread that is within, and only that pthread writes it, so that a signal
 * handler that finds itself there can rely on the rest of the slot.
 */
#include "host/fault_signal.h"

#include <assert.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define STACK_SIZE ((size_t)128 << 10)
#define SIGNALS    5u

static const int fault_signals[SIGNALS] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};

struct fault_thread {
    _Atomic(uintptr_t) thread; /* who is within: a pthread_t, 0: nobody */
    bool used;
    struct fault_handler handler;
};

static struct {
    pthread_mutex_t lock; /* for all but what threads that entered do with their slots */
    bool has_stack_key;
    pthread_key_t stack_key; /* of each thread: its struct alternate_stack */
    struct sigaction previous[SIGNALS];
    struct fault_thread slots[FAULT_THREADS_MAX];
} fault_table = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* At the beginning of its own memory. The page that follows is never accessible, then comes the stack. */
struct alternate_stack {
    stack_t previous;
    size_t size; /* of everything */
};

static uintptr_t this_thread(void)
{
    return (uintptr_t)pthread_self();
}

static bool offer(struct fault_thread *thread, const siginfo_t *info, void *ucontext)
{
    struct fault_context context = {.signal = info->si_signo,
                                    .code = info->si_code,
                                    .address = (uintptr_t)info->si_addr,
                                    .ucontext = ucontext};
#if defined(__x86_64__) && defined(__linux__)
    context.registers = ((ucontext_t *)ucontext)->uc_mcontext.gregs;
#endif
    return thread->handler.handle(thread->handler.opaque, &context);
}

static void on_fault(int signal, siginfo_t *info, void *ucontext)
{
    int error = errno;
    bool sent = info->si_code <= 0; /* POSIX: by kill(), sigqueue() and their like */
    for (unsigned i = 0; i < FAULT_THREADS_MAX && !sent; i++) {
        struct fault_thread *slot = &fault_table.slots[i];
        if (atomic_load_explicit(&slot->thread, memory_order_relaxed) == this_thread()) {
            if (offer(slot, info, ucontext)) {
                errno = error;
                return;
            }
            break;
        }
    }
    for (unsigned i = 0; i < SIGNALS; i++) {
        if (fault_signals[i] == signal) {
            sigaction(signal, &fault_table.previous[i], NULL);
        }
    }
    /* On return the instruction faults again, or the signal that is pending now arrives. */
    if (sent || signal == SIGTRAP) {
        raise(signal);
    }
    errno = error;
}

static void install_handlers(void)
{
    struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigemptyset(&action.sa_mask);
    for (unsigned i = 0; i < SIGNALS; i++) {
        sigaddset(&action.sa_mask, fault_signals[i]);
    }
    for (unsigned i = 0; i < SIGNALS; i++) {
        struct sigaction present;
        sigaction(fault_signals[i], NULL, &present);
        if ((present.sa_flags & SA_SIGINFO) == 0 || present.sa_sigaction != on_fault) {
            fault_table.previous[i] = present;
            sigaction(fault_signals[i], &action, NULL);
        }
    }
}

static void release_stack(void *memory)
{
    struct alternate_stack *stack = memory;
    sigaltstack(&stack->previous, NULL);
    munmap(stack, stack->size);
}

static void give_stack(void)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t size = 2 * page + STACK_SIZE;
    void *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) {
        return;
    }
    uint8_t *guard = (uint8_t *)memory + page;
    struct alternate_stack *stack = memory;
    stack->size = size;
    stack_t alternate = {.ss_sp = guard + page, .ss_size = STACK_SIZE};
    if (mprotect(guard, page, PROT_NONE) != 0 || sigaltstack(&alternate, &stack->previous) != 0) {
        munmap(memory, size);
        return;
    }
    if (pthread_setspecific(fault_table.stack_key, stack) != 0) {
        release_stack(stack);
    }
}

struct status fault_signal_create(const struct fault_handler *handler, struct fault_thread **result)
{
    *result = NULL;
    pthread_mutex_lock(&fault_table.lock);
    if (!fault_table.has_stack_key) {
        fault_table.has_stack_key = pthread_key_create(&fault_table.stack_key, release_stack) == 0;
    }
    for (unsigned i = 0; i < FAULT_THREADS_MAX && fault_table.has_stack_key && *result == NULL; i++) {
        if (!fault_table.slots[i].used) {
            *result = &fault_table.slots[i];
            (*result)->used = true;
            (*result)->handler = *handler;
        }
    }
    if (*result != NULL) {
        install_handlers();
    }
    pthread_mutex_unlock(&fault_table.lock);
    if (*result == NULL) {
        return status_error(STATUS_NO_MEMORY, "more than %u machines with translated code in one process",
                            FAULT_THREADS_MAX);
    }
    return status_ok();
}

void fault_signal_destroy(struct fault_thread *thread)
{
    if (thread == NULL) {
        return;
    }
    assert(atomic_load(&thread->thread) == 0);
    pthread_mutex_lock(&fault_table.lock);
    thread->used = false;
    pthread_mutex_unlock(&fault_table.lock);
}

void fault_signal_enter(struct fault_thread *thread)
{
    assert(atomic_load_explicit(&thread->thread, memory_order_relaxed) == 0);
    if (pthread_getspecific(fault_table.stack_key) == NULL) {
        give_stack();
    }
    atomic_store_explicit(&thread->thread, this_thread(), memory_order_relaxed);
    atomic_signal_fence(memory_order_seq_cst);
}

void fault_signal_leave(struct fault_thread *thread)
{
    assert(atomic_load_explicit(&thread->thread, memory_order_relaxed) == this_thread());
    atomic_signal_fence(memory_order_seq_cst);
    atomic_store_explicit(&thread->thread, 0, memory_order_release);
}

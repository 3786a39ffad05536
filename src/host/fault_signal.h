/* Faults of the host's CPU (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP) that translated code means to happen.
 *
 * A thread that is about to run translated code *enters* with a handler, and leaves afterwards. A fault in
 * between is shown to that thread's handler, which claims it and says where to go on, by changing registers
 * or what was in the way. Any other fault is a bug: the disposition from before is put back (the sanitizers
 * have theirs) and takes the fault over, so that the process ends as it would without us.
 *
 * - Handlers of the process are installed with the first registration, and again whenever one is made and
 *   somebody replaced them since.
 * - They run on an alternate stack, which a thread gets when it first enters and keeps until it ends: the
 *   stack pointer of translated code may point anywhere. Should the host have no memory for it, they run on
 *   the thread's own stack.
 * - While one runs, all five signals are blocked: a fault in a handler ends the process.
 * - Signals that somebody sent (kill) are not faults, and are never shown to a handler.
 *
 * NOT IMPLEMENTED: entering twice in one thread; access to the registers of hosts other than x86-64 Linux.
 */
#ifndef DOPPEL_HOST_FAULT_SIGNAL_H
#define DOPPEL_HOST_FAULT_SIGNAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

#define FAULT_THREADS_MAX 64u /* registrations in one process */

struct fault_context {
    int signal;           /* SIGSEGV, … */
    int code;             /* siginfo_t's si_code */
    uintptr_t address;    /* SIGSEGV, SIGBUS: the memory accessed, or no more than its page */
    void *ucontext;       /* a ucontext_t; what is changed in it is what the thread goes on with */
    long long *registers; /* its gregs, by REG_RIP and so on (<ucontext.h>); NULL: not x86-64 Linux */
};

struct fault_handler {
    /* On the faulting thread, with what is allowed in a signal handler. True: handled, the thread goes on
     * with the context as it is now. After SIGTRAP by an INT3 the RIP is behind it already. */
    bool (*handle)(void *opaque, struct fault_context *context);
    void *opaque;
};

struct fault_thread;

/* Registers a handler for a thread that will enter; `handler` is copied. STATUS_NO_MEMORY also when there are
 * FAULT_THREADS_MAX already; *result is NULL then. */
struct status fault_signal_create(const struct fault_handler *handler,
                                  struct fault_thread **result) STATUS_MUST_CHECK;

/* Nobody may be within. NULL is allowed. */
void fault_signal_destroy(struct fault_thread *thread);

/* From here on the faults of the calling thread are the handler's, until it leaves. Cheap: no system call,
 * but for a thread's first time. Any thread may enter, one at a time. */
void fault_signal_enter(struct fault_thread *thread);
void fault_signal_leave(struct fault_thread *thread);

#endif

/* Threads: mutexes, condition variables, barriers, semaphores, futexes with and without a time limit, atomic
 * operations of 1 to 8 bytes, and thread-local variables (which live behind GS). */
#include "checks.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define THREADS 6
#define ROUNDS  2000

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t semaphore;
static int turn;
static long locked_sum;
static uint8_t atomic8;
static uint16_t atomic16;
static uint32_t atomic32;
static uint64_t atomic64;
static uint32_t exchanged;
static __thread long local_sum;
static long local_sums[THREADS];

static void *count(void *argument)
{
    long number = (long)argument;
    pthread_barrier_wait(&barrier);
    for (int i = 0; i < ROUNDS; i++) {
        pthread_mutex_lock(&mutex);
        locked_sum += number;
        pthread_mutex_unlock(&mutex);
        local_sum += number;
        __atomic_fetch_add(&atomic8, 1, __ATOMIC_SEQ_CST);
        __atomic_fetch_add(&atomic16, 3, __ATOMIC_SEQ_CST);
        __atomic_fetch_xor(&atomic32, 1u << (i % 32), __ATOMIC_SEQ_CST);
        uint64_t old = __atomic_load_n(&atomic64, __ATOMIC_SEQ_CST);
        while (!__atomic_compare_exchange_n(&atomic64, &old, old + 0x80000001, false, __ATOMIC_SEQ_CST,
                                            __ATOMIC_SEQ_CST)) {
        }
        if (i % 256 == 0) {
            sched_yield();
        }
    }
    exchanged += __atomic_exchange_n(&turn, 0, __ATOMIC_SEQ_CST) == 0;
    local_sums[number] = local_sum;
    sem_post(&semaphore);
    return (void *)(number * 7);
}

static void check_counters(void)
{
    pthread_t threads[THREADS];
    long joined = 0;
    long locals = 0;
    pthread_barrier_init(&barrier, NULL, THREADS);
    sem_init(&semaphore, 0, 0);
    for (long i = 0; i < THREADS; i++) {
        int error = pthread_create(&threads[i], NULL, count, (void *)i);
        if (error != 0) {
            check(false, "threads start", "pthread_create: error %d", error);
            return;
        }
    }
    for (int i = 0; i < THREADS; i++) {
        sem_wait(&semaphore);
    }
    for (int i = 0; i < THREADS; i++) {
        void *result;
        pthread_join(threads[i], &result);
        joined += (long)result;
        locals += local_sums[i];
    }
    const long sum = THREADS * (THREADS - 1) / 2;
    check_equal("a mutex protects a counter", locked_sum, sum * ROUNDS);
    check_equal("thread-local variables are apart", locals, sum * ROUNDS);
    check_equal("threads return values", joined, sum * 7);
    check_equal("LOCK on bytes", atomic8, (uint8_t)(THREADS * ROUNDS));
    check_equal("LOCK on words", atomic16, (uint16_t)(3 * THREADS * ROUNDS));
    check_equal("LOCK on dwords", atomic32, 0);
    check_equal("CMPXCHG8B", (long long)atomic64, 0x80000001LL * THREADS * ROUNDS);
    check_equal("XCHG", exchanged, THREADS);
}

static void *answer(void *argument)
{
    long *rounds = argument;
    pthread_mutex_lock(&mutex);
    for (long i = 0; i < *rounds; i++) {
        while (turn != 1) {
            pthread_cond_wait(&changed, &mutex);
        }
        turn = 0;
        pthread_cond_signal(&changed);
    }
    pthread_mutex_unlock(&mutex);
    return NULL;
}

static void check_ping_pong(void)
{
    long rounds = 300;
    long done = 0;
    pthread_t thread;
    turn = 0;
    pthread_create(&thread, NULL, answer, &rounds);
    pthread_mutex_lock(&mutex);
    for (long i = 0; i < rounds; i++) {
        turn = 1;
        pthread_cond_signal(&changed);
        while (turn != 0) {
            pthread_cond_wait(&changed, &mutex);
        }
        done++;
    }
    pthread_mutex_unlock(&mutex);
    pthread_join(thread, NULL);
    check_equal("condition variables pass a turn", done, rounds);
}

static void check_futex(void)
{
    uint32_t word = 5;
    struct timespec limit = {.tv_nsec = 30 * 1000 * 1000};
    long long before = microseconds();
    long result = syscall(SYS_futex, &word, FUTEX_WAIT, 5, &limit, NULL, 0);
    int error = errno;
    long long waited = microseconds() - before;
    check(result == -1 && error == ETIMEDOUT && waited >= 30000, "a futex gives up in time",
          "result %ld, error %d after %lld us", result, error, waited);
    result = syscall(SYS_futex, &word, FUTEX_WAIT, 6, &limit, NULL, 0);
    check(result == -1 && errno == EAGAIN, "a futex with another value does not wait", "result %ld, error %d",
          result, errno);
}

void check_threads(void)
{
    check_counters();
    check_ping_pong();
    check_futex();
}

/* The sensitive instructions, each in a loop by itself: what they cost on a machine where user code may
 * execute them unnoticed, and under emulators that have to notice (Robin & Irvine, USENIX Security 2000).
 *
 * Variants are INSTRUCTION_kernel, in ring 0, and INSTRUCTION_user, in ring 3. The loop is the same for all;
 * what an instruction gave is part of the checksum where all processors give the same. */
#include "guest.h"

#define ITERATIONS 50000u /* of four instructions each */

/* ---- one execution of each */

struct table_register {
    uint16_t limit;
    uint32_t base;
} __attribute__((packed));

static inline uint32_t execute_sgdt(void)
{
    struct table_register value;
    __asm__ volatile("sgdt %0" : "=m"(value));
    return value.limit;
}

static inline uint32_t execute_sidt(void)
{
    struct table_register value;
    __asm__ volatile("sidt %0" : "=m"(value));
    return value.limit;
}

static inline uint32_t execute_sldt(void)
{
    uint32_t value;
    __asm__ volatile("sldt %0" : "=r"(value));
    return value & 0xffff;
}

static inline uint32_t execute_str(void)
{
    uint32_t value;
    __asm__ volatile("str %0" : "=r"(value));
    return value & 0xffff;
}

static inline uint32_t execute_smsw(void)
{
    uint32_t value;
    __asm__ volatile("smsw %0" : "=r"(value));
    return value & 15;
}

static inline uint32_t execute_pushf(void)
{
    uint32_t value;
    __asm__ volatile("pushfl; popl %0" : "=r"(value));
    return value & 0x7000; /* IOPL and NT */
}

static inline uint32_t execute_popf(void)
{
    __asm__ volatile("pushl $2; popfl" : : : "cc");
    return 0;
}

static inline uint32_t execute_lar(void)
{
    uint32_t value = 0;
    __asm__ volatile("lar %1, %0" : "+r"(value) : "r"(GUEST_USER_CODE) : "cc");
    return value & 0xf0fe00; /* neither what is undefined nor the accessed bit, which QEMU does not set */
}

static inline uint32_t execute_lsl(void)
{
    uint32_t value = 0;
    __asm__ volatile("lsl %1, %0" : "+r"(value) : "r"(GUEST_USER_DATA) : "cc");
    return value;
}

static inline uint32_t execute_verr(void)
{
    uint8_t readable;
    __asm__ volatile("verr %w1; setz %0" : "=q"(readable) : "r"(GUEST_USER_CODE) : "cc");
    return readable;
}

static inline uint32_t execute_verw(void)
{
    uint8_t writable;
    __asm__ volatile("verw %w1; setz %0" : "=q"(writable) : "r"(GUEST_USER_CODE) : "cc");
    return writable;
}

static inline uint32_t execute_pushseg(void)
{
    uint32_t value;
    __asm__ volatile("pushl %%es; popl %0" : "=r"(value));
    return value & 0xffff;
}

static inline uint32_t execute_popseg(void)
{
    __asm__ volatile("pushl %0; popl %%fs" : : "i"(GUEST_USER_DATA));
    return 0;
}

static inline uint32_t execute_movfromseg(void)
{
    uint32_t value;
    __asm__ volatile("movl %%ds, %0" : "=r"(value));
    return value & 0xffff;
}

static inline uint32_t execute_movtoseg(void)
{
    __asm__ volatile("movw %w0, %%gs" : : "r"(GUEST_USER_DATA));
    return 0;
}

/* A far pointer to the instruction behind the transfer. */
#define FAR_POINTER "movl $1f, (%0); movw %%cs, 4(%0);"

static inline uint32_t execute_jmpfar(void)
{
    uint32_t pointer[2];
    __asm__ volatile(FAR_POINTER "ljmp *(%0); 1:" : : "r"(pointer) : "memory");
    return 0;
}

static inline uint32_t execute_callfar(void)
{
    uint32_t pointer[2];
    __asm__ volatile(FAR_POINTER "lcall *(%0); 1: addl $8, %%esp" : : "r"(pointer) : "memory", "cc");
    return 0;
}

static inline uint32_t execute_retfar(void)
{
    __asm__ volatile("pushl %%cs; pushl $1f; lret; 1:" : : : "memory");
    return 0;
}

static inline uint32_t execute_iret(void)
{
    __asm__ volatile("pushfl; pushl %%cs; pushl $1f; iret; 1:" : : : "memory", "cc");
    return 0;
}

static inline uint32_t execute_int(void)
{
    uint32_t value = 1;
    __asm__ volatile("int $0x80" : "+a"(value) : : "memory");
    return value;
}

/* INT 80h: EAX doubled. */
void sensitive_interrupt(void);
__asm__(".text\n"
        "sensitive_interrupt:\n"
        "    addl %eax, %eax\n"
        "    iret\n");

/* ---- the loops */

static inline __attribute__((always_inline)) uint32_t loop(uint32_t iterations, uint32_t (*execute)(void))
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < iterations; i++) {
        sum += execute();
        sum += execute();
        sum += execute();
        sum += execute();
    }
    return sum;
}

#define VARIANTS(name)                                                                                       \
    static __attribute__((unused)) uint32_t loop_##name(uint32_t iterations)                                 \
    {                                                                                                        \
        return loop(iterations, execute_##name);                                                             \
    }                                                                                                        \
    static __attribute__((unused)) uint32_t run_##name##_kernel(void)                                        \
    {                                                                                                        \
        return loop_##name(ITERATIONS);                                                                      \
    }                                                                                                        \
    static __attribute__((unused)) uint32_t run_##name##_user(void)                                          \
    {                                                                                                        \
        return guest_run_user(loop_##name, ITERATIONS, 0);                                                   \
    }

VARIANTS(sgdt)
VARIANTS(sidt)
VARIANTS(sldt)
VARIANTS(str)
VARIANTS(smsw)
VARIANTS(pushf)
VARIANTS(popf)
VARIANTS(lar)
VARIANTS(lsl)
VARIANTS(verr)
VARIANTS(verw)
VARIANTS(pushseg)
VARIANTS(popseg)
VARIANTS(movfromseg)
VARIANTS(movtoseg)
VARIANTS(jmpfar)
VARIANTS(callfar)
VARIANTS(retfar)
VARIANTS(iret)
VARIANTS(int)

void workload_prepare(void)
{
    guest_set_gate(0x80, sensitive_interrupt, 3);
}

#define PASTE_(a, b) a##_##b
#define PASTE(a, b)  PASTE_(a, b)

uint32_t workload_run(void)
{
    return workload_hash(WORKLOAD_HASH_START, PASTE(run, WORKLOAD_VARIANT)());
}

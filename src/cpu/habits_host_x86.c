/* The host processor's habits (habits.h): it is asked, by an instruction for each.
 *
 * Operands and flags are such that the possible answers differ. A processor with still other habits gets the
 * nearest ones; tests/lockstep then tells in what it differs. */
#include "cpu/habits.h"

#if defined(__i386__) || defined(__x86_64__)

#include "cpu/cpu_state.h"

#define CLEARED ((unsigned long)EFLAGS_FIXED)
#define SET     (CLEARED | EFLAGS_CF | EFLAGS_PF | EFLAGS_AF | EFLAGS_ZF | EFLAGS_SF)

/* Executes `instruction` with the EFLAGS register [flags], which gets what it leaves. The compiler may keep
 * variables below the stack pointer, in the ABI's red zone. */
#ifdef __x86_64__
#define BELOW_RED_ZONE "lea -128(%%rsp), %%rsp\n\t"
#define BACK           "lea 128(%%rsp), %%rsp"
#else
#define BELOW_RED_ZONE ""
#define BACK           ""
#endif
#define WITH_FLAGS(instruction)                                                                              \
    BELOW_RED_ZONE "push %[flags]\n\tpopf\n\t" instruction "\n\tpushf\n\tpop %[flags]\n\t" BACK

static uint32_t multiply_habits(void)
{
    const unsigned long undefined = EFLAGS_PF | EFLAGS_AF | EFLAGS_ZF | EFLAGS_SF;
    unsigned long flags = SET;
    uint32_t product = 1;
    __asm__ volatile(WITH_FLAGS("imul %[product], %[product]")
                     : [flags] "+r"(flags), [product] "+r"(product)
                     :
                     : "cc");
    return (flags & undefined) == undefined ? HABIT_MULTIPLY_KEEPS_FLAGS : 0;
}

static uint32_t divide_habits(void)
{
    unsigned long flags = SET & ~(unsigned long)EFLAGS_AF;
    uint32_t low = 7;
    uint32_t high = 0;
    __asm__ volatile(WITH_FLAGS("div %[divisor]")
                     : [flags] "+r"(flags), "+a"(low), "+d"(high)
                     : [divisor] "r"(low)
                     : "cc");
    return flags & EFLAGS_AF ? HABIT_DIVIDE_SETS_FLAGS : 0;
}

static uint32_t shift_habits(void)
{
    unsigned long flags = CLEARED;
    uint32_t value = 0xc0000000;
    __asm__ volatile(WITH_FLAGS("shl $2, %[value]") : [flags] "+r"(flags), [value] "+r"(value) : : "cc");
    return (flags & EFLAGS_AF ? HABIT_SHIFT_SETS_AF : 0u) |
           (flags & EFLAGS_OF ? HABIT_SHIFT_OVERFLOW_OF_LAST_STEP : 0u);
}

static uint32_t double_shift_habits(void)
{
    unsigned long flags = CLEARED;
    uint32_t value = 0xc0000000;
    uint16_t narrow = 0;
    __asm__ volatile(WITH_FLAGS("shld $2, %[source], %[value]")
                     : [flags] "+r"(flags), [value] "+r"(value)
                     : [source] "r"(0)
                     : "cc");
    __asm__("shldw $17, %[source], %[narrow]"
            : [narrow] "+r"(narrow)
            : [source] "r"((uint16_t)0x8000)
            : "cc");
    return (flags & EFLAGS_OF ? HABIT_DOUBLE_SHIFT_OVERFLOW_OF_LAST_STEP : 0u) |
           (narrow != 0 ? HABIT_DOUBLE_SHIFT_REPEATS_SOURCE : 0u);
}

uint32_t cpu_habits_of_host(void)
{
    return multiply_habits() | divide_habits() | shift_habits() | double_shift_habits();
}

#else

uint32_t cpu_habits_of_host(void)
{
    return 0;
}

#endif

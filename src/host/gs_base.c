/* GS; see gs_base.h. */
#include "host/gs_base.h"

#if defined(__x86_64__) && defined(__linux__)

#include <asm/prctl.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

#define HWCAP2_WITH_FSGSBASE 2u /* <asm/hwcap2.h>, which old headers do not have */

bool host_gs_base_is_cheap(void)
{
    return (getauxval(AT_HWCAP2) & HWCAP2_WITH_FSGSBASE) != 0;
}

bool host_gs_base_set(const void *base, bool cheap)
{
    if (cheap) {
        __asm__ volatile("wrgsbase %0" : : "r"(base));
        return true;
    }
    return syscall(SYS_arch_prctl, ARCH_SET_GS, (uintptr_t)base) == 0;
}

#else

bool host_gs_base_is_cheap(void)
{
    return false;
}

bool host_gs_base_set(const void *base, bool cheap)
{
    (void)base, (void)cheap;
    return false;
}

#endif

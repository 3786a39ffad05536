/*
 * See memory.h.
 */
#include "memory.h"

#include "boot_info.h"

#define RANGE_USABLE 1

uint32_t memory_total_kb(void)
{
    const struct boot_info *info = boot_info();
    uint32_t total = 0;
    for (unsigned i = 0; i < info->range_count; i++) {
        if (info->ranges[i].type == RANGE_USABLE)
            total += (uint32_t)(info->ranges[i].length >> 10);
    }
    if (info->range_count != 0)
        return total;
    if (info->e801_kb != 0)
        return info->base_kb + info->e801_kb + info->e801_64kb * 64u;
    return (uint32_t)info->base_kb + info->ext88_kb;
}

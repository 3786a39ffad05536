/* Reads of an I/O port: the 8042's status register, which every emulator has and none has to think about
 * (Adams & Agesen, "in"). */
#include "guest.h"

#define READS 20000u

uint32_t workload_run(void)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < READS; i++) {
        sum += guest_port_read(0x64) & 0x40u; /* no time-out */
    }
    return workload_hash(WORKLOAD_HASH_START, sum + READS);
}

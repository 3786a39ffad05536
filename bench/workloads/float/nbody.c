/* The n-body problem in double precision on the x87. */
#define nbody_real double
#include "nbody.h"

#define STEPS 10000u

void workload_prepare(void)
{
    x87_set_control(X87_DOUBLE);
}

uint32_t workload_run(void)
{
    struct nbody bodies[NBODY_BODIES];
    uint32_t hash = WORKLOAD_HASH_START;
    nbody_start(bodies);
    for (uint32_t i = 0; i < STEPS; i++) {
        nbody_step(bodies, (nbody_real)0.001953125);
    }
    for (uint32_t i = 0; i < NBODY_BODIES; i++) {
        for (uint32_t k = 0; k < 3; k++) {
            hash = x87_hash_double(hash, bodies[i].position[k]);
            hash = x87_hash_double(hash, bodies[i].velocity[k]);
        }
    }
    return hash;
}

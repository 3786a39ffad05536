/* The sun and its planets under Newton's law, one step after the other (x87: multiplications, additions, a
 * square root and a division for each pair). A workload defines `nbody_real`, its floating-point type, before
 * it includes this. Units: AU, years, masses of the sun times 4 pi^2. */
#ifndef DOPPEL_BENCH_NBODY_H
#define DOPPEL_BENCH_NBODY_H

#include "x87.h"

#define NBODY_BODIES 7u

struct nbody {
    nbody_real position[3], velocity[3], mass;
};

#define NBODY_SUN ((nbody_real)39.47841760435743)

/* Each planet on a circle about the sun, at its place on the x or y axis, and the sun moving so that the
 * whole rests. */
static inline void nbody_start(struct nbody bodies[NBODY_BODIES])
{
    static const struct {
        float radius, mass; /* AU; masses of the sun */
    } planets[NBODY_BODIES - 1] = {{0.723f, 2.45e-6f}, {1.0f, 3.04e-6f},  {1.524f, 3.23e-7f},
                                   {5.2f, 9.55e-4f},   {9.55f, 2.86e-4f}, {19.2f, 4.37e-5f}};
    memset(bodies, 0, NBODY_BODIES * sizeof bodies[0]);
    bodies[0].mass = NBODY_SUN;
    for (uint32_t i = 1; i < NBODY_BODIES; i++) {
        struct nbody *body = &bodies[i];
        nbody_real radius = planets[i - 1].radius;
        nbody_real speed = (nbody_real)x87_sqrt(NBODY_SUN / radius);
        uint32_t axis = i & 1;
        body->mass = NBODY_SUN * planets[i - 1].mass;
        body->position[axis] = radius;
        body->velocity[1 - axis] = axis ? -speed : speed;
        body->velocity[2] = speed / (nbody_real)(16 * i);
        for (uint32_t k = 0; k < 3; k++) {
            bodies[0].velocity[k] -= body->velocity[k] * body->mass / NBODY_SUN;
        }
    }
}

static inline void nbody_step(struct nbody bodies[NBODY_BODIES], nbody_real time)
{
    for (uint32_t i = 0; i < NBODY_BODIES; i++) {
        struct nbody *a = &bodies[i];
        for (uint32_t j = i + 1; j < NBODY_BODIES; j++) {
            struct nbody *b = &bodies[j];
            nbody_real x = a->position[0] - b->position[0];
            nbody_real y = a->position[1] - b->position[1];
            nbody_real z = a->position[2] - b->position[2];
            nbody_real square = x * x + y * y + z * z;
            nbody_real pull = time / (square * (nbody_real)x87_sqrt(square));
            nbody_real on_a = b->mass * pull;
            nbody_real on_b = a->mass * pull;
            a->velocity[0] -= x * on_a;
            a->velocity[1] -= y * on_a;
            a->velocity[2] -= z * on_a;
            b->velocity[0] += x * on_b;
            b->velocity[1] += y * on_b;
            b->velocity[2] += z * on_b;
        }
    }
    for (uint32_t i = 0; i < NBODY_BODIES; i++) {
        for (uint32_t k = 0; k < 3; k++) {
            bodies[i].position[k] += time * bodies[i].velocity[k];
        }
    }
}

#endif

/* The host's source of random numbers. */
#ifndef DOPPEL_HOST_HOST_RANDOM_H
#define DOPPEL_HOST_HOST_RANDOM_H

#include <stddef.h>

#include "base/status.h"

/* Fills `size` bytes, at most 256, with numbers that nobody can guess. */
struct status host_random_bytes(void *bytes, size_t size) STATUS_MUST_CHECK;

#endif

// SPDX-License-Identifier: Apache-2.0
// The clock of waits, rates and profiles.
#ifndef WEIR_BASE_CLOCK_H
#define WEIR_BASE_CLOCK_H

#include <time.h>

// Seconds since some moment; never steps back.
static inline double weir_clock(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

#endif

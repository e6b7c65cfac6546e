// SPDX-License-Identifier: Apache-2.0
// Initial values: Philox words keyed by (seed, name), shaped in double by + - * / sqrt and dmath
// only, so that every machine starts from the same bits.
#include "nn/init.h"

#include <math.h>

#include "base/dmath.h"
#include "base/hash.h"
#include "scalar.h"

// The two 32-bit words of pair `j` as uniforms in (0, 1).
static void uniform_pair(uint64_t seed, uint32_t stream, int64_t j, double u[2])
{
    uint32_t lo = (uint32_t)seed, hi = (uint32_t)(seed >> 32);
    for (int k = 0; k < 2; k++) {
        uint32_t w = weir_random_word((uint32_t)(2 * j + k), (uint32_t)((uint64_t)(2 * j) >> 32), 0,
                                      stream, lo, hi);
        u[k] = ((double)w + 0.5) * 0x1p-32;
    }
}

void weir_init_fill(const struct weir_init *init, uint64_t seed, const char *name, float *dst,
                    int64_t n)
{
    uint32_t stream = weir_hash32(name);
    for (int64_t i = 0; i < n; i += 2) {
        double u[2], v[2] = { 0, 0 };
        switch (init->kind) {
        case WEIR_INIT_ZEROS:
            break;
        case WEIR_INIT_ONES:
            v[0] = v[1] = 1;
            break;
        case WEIR_INIT_UNIFORM:
            uniform_pair(seed, stream, i / 2, u);
            for (int k = 0; k < 2; k++)
                v[k] = init->scale * (2 * u[k] - 1);
            break;
        case WEIR_INIT_NORMAL:
            uniform_pair(seed, stream, i / 2, u);
            double r = init->scale * sqrt(-2 * weir_d_log(u[0]));
            double angle = 6.283185307179586 * u[1];
            v[0] = r * weir_d_cos(angle);
            v[1] = r * weir_d_sin(angle);
            break;
        }
        for (int k = 0; k < 2 && i + k < n; k++)
            dst[i + k] = (float)v[k];
    }
}

// SPDX-License-Identifier: Apache-2.0
// Random inputs find rounding faults only where the exact result lies close to a tie, and subnormal
// faults only where subnormals occur: so most triples are built to be there.
#include "device/selftest_inputs.h"

#include <string.h>

#include "base/compiler.h"

#define SEED 0x5765697253656c66u

static uint64_t next(uint64_t *state) // splitmix64
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

static float from_bits(uint32_t u)
{
    float f;
    memcpy(&f, &u, sizeof f);
    return f;
}

static uint32_t to_bits(float f)
{
    uint32_t u;
    memcpy(&u, &f, sizeof u);
    return u;
}

// A random sign and fraction with an exponent from lo to hi (of 2; below -126: subnormal).
static float draw(uint64_t *state, int lo, int hi)
{
    uint64_t r = next(state);
    int e = lo + (int)(r >> 40) % (hi - lo + 1);
    uint32_t sign = (uint32_t)r & 0x80000000u, fraction = (uint32_t)r & 0x7fffffu;
    if (e >= -126)
        return from_bits(sign | (uint32_t)(e + 127) << 23 | fraction);
    int shift = -126 - e > 23 ? 23 : -126 - e;
    return from_bits(sign | (fraction | 0x800000u) >> shift);
}

// `f` moved by up to 2 units in the last place.
static float nudge(uint64_t *state, float f)
{
    return from_bits(to_bits(f) + (uint32_t)(next(state) % 5) - 2);
}

static const uint32_t edges[] = {
    0x00000000, 0x80000000, 0x00000001, 0x80000001, 0x00400000, 0x007fffff, 0x807fffff, 0x00800000,
    0x00800001, 0x34000000, 0x3effffff, 0x3f000000, 0x3f7fffff, 0x3f800000, 0xbf800000, 0x3f800001,
    0x3fc00000, 0x40200000, 0x4b000000, 0x4b000001, 0x4b800000, 0xcb800000, 0x4effffff, 0x7f7fffff,
    0xff7fffff, 0x7f800000, 0xff800000, 0x7fc00000,
};

static void triple(uint64_t *s, int i, float *x, float *y, float *z)
{
    uint64_t r = next(s);
    *x = draw(s, -20, 20);
    *y = draw(s, -20, 20);
    *z = draw(s, -20, 20);
    switch (i % 8) {
    case 0:
        *x = from_bits((uint32_t)r);
        *y = from_bits((uint32_t)(r >> 32));
        *z = from_bits((uint32_t)next(s));
        break;
    case 1:
        *z = nudge(s, -(*x * *y));
        break;
    case 2:
        *x = draw(s, -60, 100);
        *y = draw(s, -149, -127);
        *z = r & 1 ? nudge(s, -(*x * *y)) : draw(s, -149, -100);
        break;
    case 3:
        *x = draw(s, -80, -60);
        *y = draw(s, -80, -60);
        *z = draw(s, -149, -120);
        break;
    case 4:
        *z = draw(s, 22, 50);
        *x = draw(s, 0, 12);
        *y = from_bits((to_bits(*z / (*x * 0x1p24f)) & 0xff800000u) | ((uint32_t)r & 3));
        break;
    case 5:
        *x = nudge(s, *x * *y);
        break;
    case 6:
        *x = from_bits(edges[(unsigned)(i / 8) % WEIR_COUNT(edges)]);
        *y = from_bits(edges[r % WEIR_COUNT(edges)]);
        *z = from_bits(edges[(r >> 32) % WEIR_COUNT(edges)]);
        break;
    case 7:
        *x = (float)((int32_t)(r & 0x3ffffff) - 0x2000000) * 0.5f;
        break;
    }
}

void weir_selftest_fill_usual(float *x, float *y, float *z, int n)
{
    uint64_t state = SEED;
    for (int i = 0; i < n; i++) {
        x[i] = draw(&state, -24, 7);
        y[i] = draw(&state, -6, 4);
        z[i] = draw(&state, -24, 24);
        if (i % 16 == 0) // angles beyond simple reduction, arguments that overflow
            x[i] = draw(&state, 8, 127);
    }
}

void weir_selftest_fill(float *x, float *y, float *z, int n)
{
    uint64_t state = SEED;
    for (int i = 0; i < n; i++)
        triple(&state, i, &x[i], &y[i], &z[i]);
}

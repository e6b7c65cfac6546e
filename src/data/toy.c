// SPDX-License-Identifier: Apache-2.0
// The toy densities of FFJORD (lib/toy_data.py), as densities: where that code lays points on a
// regular grid of angles, ours are uniform. Item i is a function of (seed, name, i) alone: Philox
// with counter (block, i low, i high, hash of "data.<name>"), in double by base/dmath, then rounded
// to f32, so it has the same bits on every machine.
//
// Entropies, in nats, are Monte Carlo means of -log p over 3 million points of each generator (30
// million for 8gaussians; s.e. at most 0.0006), p exact or by quadrature; checkerboard is uniform
// on an area of 32: ln 32.
#include "data/toy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/dmath.h"
#include "base/hash.h"
#include "base/log.h"
#include "scalar.h"

#define PI 3.14159265358979323846

struct draws;

// What a row holds: the sampler, which gives the point and its component.
struct density {
    int (*sample)(struct draws *d, double x[2]);
    int n_classes; // components; 0 = none to tell apart
};

struct toy {
    const struct density *density;
    uint32_t key[2], stream;
};

// The stream of numbers behind one item.
struct draws {
    const struct toy *toy;
    uint64_t item;
    uint32_t block;
};

// Two numbers in [0, 1) of 53 bits.
static void uniform2(struct draws *d, double u[2])
{
    uint32_t w[4];
    weir_philox(d->block++, (uint32_t)d->item, (uint32_t)(d->item >> 32), d->toy->stream,
                d->toy->key[0], d->toy->key[1], &w[0], &w[1], &w[2], &w[3]);
    for (int i = 0; i < 2; i++)
        u[i] = ((double)(w[2 * i] >> 5) * 0x1p26 + (double)(w[2 * i + 1] >> 6)) * 0x1p-53;
}

// Two independent normals: Box-Muller.
static void normal2(struct draws *d, double z[2])
{
    double u[2];
    uniform2(d, u);
    double r = weir_d_sqrt(-2.0 * weir_d_log(1.0 - u[0])), angle = 2.0 * PI * u[1];
    z[0] = r * weir_d_cos(angle);
    z[1] = r * weir_d_sin(angle);
}

// ---- one function a density ----

// Radius 4, standard deviation .5, all / 1.414; the components in the order of the angles.
static int sample_8gaussians(struct draws *d, double x[2])
{
    double u[2], z[2];
    uniform2(d, u);
    normal2(d, z);
    int label = (int)(u[0] * 8.0);
    double angle = 0.25 * PI * label;
    x[0] = (4.0 * weir_d_cos(angle) + 0.5 * z[0]) / 1.414;
    x[1] = (4.0 * weir_d_sin(angle) + 0.5 * z[1]) / 1.414;
    return label;
}

// x ~ U(-2, 2), y = U(0, 1) - 2 {0, 1} + floor(x) mod 2; all times 2.
static int sample_checkerboard(struct draws *d, double x[2])
{
    double u[2], v[2];
    uniform2(d, u);
    uniform2(d, v);
    double across = 4.0 * u[0] - 2.0;
    int odd = (int)floor(across) & 1, lower = v[1] < 0.5;
    x[0] = 2.0 * across;
    x[1] = 2.0 * (v[0] - 2.0 * lower + odd);
    return lower;
}

// Circles of radius 1 and .5, noise .08; all times 3.
static int sample_circles(struct draws *d, double x[2])
{
    double u[2], z[2];
    uniform2(d, u);
    normal2(d, z);
    int inner = u[0] < 0.5;
    double radius = inner ? 0.5 : 1.0, angle = 2.0 * PI * u[1];
    x[0] = 3.0 * (radius * weir_d_cos(angle) + 0.08 * z[0]);
    x[1] = 3.0 * (radius * weir_d_sin(angle) + 0.08 * z[1]);
    return inner;
}

// Half circles, noise .1; times 2, then moved by (-1, -.2).
static int sample_moons(struct draws *d, double x[2])
{
    double u[2], z[2];
    uniform2(d, u);
    normal2(d, z);
    int lower = u[0] < 0.5;
    double c = weir_d_cos(PI * u[1]), s = weir_d_sin(PI * u[1]);
    x[0] = 2.0 * ((lower ? 1.0 - c : c) + 0.1 * z[0]) - 1.0;
    x[1] = 2.0 * ((lower ? 0.5 - s : s) + 0.1 * z[1]) - 0.2;
    return lower;
}

// Five arms: radius 1 + .3 N, across .1 N, turned by .25 exp(radius) more; all times 2.
static int sample_pinwheel(struct draws *d, double x[2])
{
    double u[2], z[2];
    uniform2(d, u);
    normal2(d, z);
    int label = (int)(u[0] * 5.0);
    double along = 1.0 + 0.3 * z[0], across = 0.1 * z[1];
    double angle = 0.4 * PI * label + 0.25 * weir_d_exp(along);
    double c = weir_d_cos(angle), s = weir_d_sin(angle);
    x[0] = 2.0 * (along * c + across * s);
    x[1] = 2.0 * (across * c - along * s);
    return label;
}

// Radii .75, 1.5, 2.25, 3; noise .08.
static int sample_rings(struct draws *d, double x[2])
{
    double u[2], z[2];
    uniform2(d, u);
    normal2(d, z);
    int label = (int)(u[0] * 4.0);
    double radius = 0.75 * (label + 1), angle = 2.0 * PI * u[1];
    x[0] = radius * weir_d_cos(angle) + 0.08 * z[0];
    x[1] = radius * weir_d_sin(angle) + 0.08 * z[1];
    return label;
}

// n = 3 pi sqrt(U); (-n cos n + .5 U, n sin n + .5 U) / 3 or its opposite; plus .1 N.
static int sample_2spirals(struct draws *d, double x[2])
{
    double u[2], v[2], z[2];
    uniform2(d, u);
    uniform2(d, v);
    normal2(d, z);
    double n = 3.0 * PI * weir_d_sqrt(u[0]);
    int opposite = u[1] < 0.5;
    double sign = opposite ? -1.0 : 1.0;
    x[0] = sign * (0.5 * v[0] - n * weir_d_cos(n)) / 3.0 + 0.1 * z[0];
    x[1] = sign * (0.5 * v[1] + n * weir_d_sin(n)) / 3.0 + 0.1 * z[1];
    return opposite;
}

// t = 1.5 pi (1 + 2 U); (t cos t + N, t sin t + N) / 5.
static int sample_swissroll(struct draws *d, double x[2])
{
    double u[2], z[2];
    uniform2(d, u);
    normal2(d, z);
    double t = 1.5 * PI * (1.0 + 2.0 * u[0]);
    x[0] = (t * weir_d_cos(t) + z[0]) / 5.0;
    x[1] = (t * weir_d_sin(t) + z[1]) / 5.0;
    return 0;
}

// ---- rows ----

static enum weir_status get_item(const struct weir_dataset *data, int64_t index, float *item,
                                 int32_t *label)
{
    const struct toy *toy = data->priv;
    enum weir_status status = WEIR_OK;
    weir_require(data->log, index >= 0);
    struct draws d = {.toy = toy, .item = (uint64_t)index};
    double x[2];
    int component = toy->density->sample(&d, x);
    item[0] = (float)x[0];
    item[1] = (float)x[1];
    *label = data->n_classes ? component : 0;
error:
    return status;
}

static void close_toy(struct weir_dataset *data)
{
    free(data->priv);
}

static enum weir_status open_toy(const struct weir_log *log,
                                 const struct weir_dataset_params *params,
                                 const struct weir_dataset_kind *kind, struct weir_dataset *data)
{
    struct toy *toy = malloc(sizeof(*toy));
    char stream[64];
    if (!toy)
        return weir_fail(log, WEIR_NOMEM, "out of memory: data '%s'", kind->name);
    snprintf(stream, sizeof(stream), "data.%s", kind->name);
    *toy = (struct toy){.density = kind->priv,
                        .key = {(uint32_t)params->seed, (uint32_t)(params->seed >> 32)},
                        .stream = weir_hash32(stream)};
    data->get = get_item;
    data->item = (struct weir_shape){.rank = 1, .dim = {2}};
    data->n_classes = toy->density->n_classes;
    data->entropy = kind->entropy;
    data->priv = toy;
    return WEIR_OK;
}

const struct weir_dataset_kind weir_toy_8gaussians = {
    .name = "8gaussians",
    .desc = "eight Gaussians on a circle",
    .entropy = 2.832,
    .open = open_toy,
    .close = close_toy,
    .priv = &(const struct density){.sample = sample_8gaussians, .n_classes = 8},
};

const struct weir_dataset_kind weir_toy_checkerboard = {
    .name = "checkerboard",
    .desc = "eight squares of a checkerboard (uniform)",
    .entropy = 3.4657359027997265,
    .open = open_toy,
    .close = close_toy,
    .priv = &(const struct density){.sample = sample_checkerboard, .n_classes = 0},
};

const struct weir_dataset_kind weir_toy_circles = {
    .name = "circles",
    .desc = "two noisy circles",
    .entropy = 3.268,
    .open = open_toy,
    .close = close_toy,
    .priv = &(const struct density){.sample = sample_circles, .n_classes = 2},
};

const struct weir_dataset_kind weir_toy_moons = {
    .name = "moons",
    .desc = "two noisy half circles",
    .entropy = 2.394,
    .open = open_toy,
    .close = close_toy,
    .priv = &(const struct density){.sample = sample_moons, .n_classes = 2},
};

const struct weir_dataset_kind weir_toy_pinwheel = {
    .name = "pinwheel",
    .desc = "five bent arms",
    .entropy = 2.318,
    .open = open_toy,
    .close = close_toy,
    .priv = &(const struct density){.sample = sample_pinwheel, .n_classes = 5},
};

const struct weir_dataset_kind weir_toy_rings = {
    .name = "rings",
    .desc = "four noisy rings",
    .entropy = 2.623,
    .open = open_toy,
    .close = close_toy,
    .priv = &(const struct density){.sample = sample_rings, .n_classes = 4},
};

const struct weir_dataset_kind weir_toy_2spirals = {
    .name = "2spirals",
    .desc = "two noisy spirals",
    .entropy = 2.646,
    .open = open_toy,
    .close = close_toy,
    .priv = &(const struct density){.sample = sample_2spirals, .n_classes = 2},
};

const struct weir_dataset_kind weir_toy_swissroll = {
    .name = "swissroll",
    .desc = "one noisy spiral",
    .entropy = 2.670,
    .open = open_toy,
    .close = close_toy,
    .priv = &(const struct density){.sample = sample_swissroll, .n_classes = 0},
};

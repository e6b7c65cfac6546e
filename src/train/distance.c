// SPDX-License-Identifier: Apache-2.0
// Wasserstein distances of point sets.
#include "train/distance.h"

#include <math.h>
#include <stdlib.h>

#include "base/log.h"
#include "nn/init.h"

// With numbers that are not finite no augmenting path would end.
static enum weir_status check(const struct weir_log *log, const char *name, const float *a,
                              const float *b, int64_t n, int64_t d)
{
    if (n < 1 || d < 1)
        return weir_fail(log, WEIR_INVALID, "%s: %lld points of %lld numbers", name, (long long)n,
                         (long long)d);
    for (int64_t i = 0; i < n * d; i++)
        if (!isfinite(a[i]) || !isfinite(b[i]))
            return weir_fail(log, WEIR_NONFINITE, "%s: point %lld of the %s set is not finite",
                             name, (long long)(i / d), isfinite(a[i]) ? "second" : "first");
    return WEIR_OK;
}

static double squared(const float *a, const float *b, int64_t d)
{
    double s = 0;
    for (int64_t k = 0; k < d; k++)
        s += ((double)a[k] - b[k]) * ((double)a[k] - b[k]);
    return s;
}

struct assignment {
    const double *cost; // n x n
    int64_t n;
    double *u, *v, *shortest; // duals of rows and columns, path lengths; index 0 is a sentinel
    int64_t *row_of, *before; // row_of[column], before[column] on the path
    char *done;
};

// Adds `row` (1-based) to the matching along a shortest augmenting path.
static void augment(struct assignment *p, int64_t row)
{
    int64_t n = p->n, j0 = 0;
    p->row_of[0] = row;
    for (int64_t j = 0; j <= n; j++) {
        p->shortest[j] = INFINITY;
        p->done[j] = 0;
    }
    do {
        int64_t i0 = p->row_of[j0], j1 = 0;
        double delta = INFINITY;
        p->done[j0] = 1;
        for (int64_t j = 1; j <= n; j++) {
            if (p->done[j])
                continue;
            double c = p->cost[(i0 - 1) * n + j - 1] - p->u[i0] - p->v[j];
            if (c < p->shortest[j]) {
                p->shortest[j] = c;
                p->before[j] = j0;
            }
            if (p->shortest[j] < delta) {
                delta = p->shortest[j];
                j1 = j;
            }
        }
        for (int64_t j = 0; j <= n; j++) {
            if (p->done[j]) {
                p->u[p->row_of[j]] += delta;
                p->v[j] -= delta;
            } else {
                p->shortest[j] -= delta;
            }
        }
        j0 = j1;
    } while (p->row_of[j0]);
    while (j0) {
        int64_t j1 = p->before[j0];
        p->row_of[j0] = p->row_of[j1];
        j0 = j1;
    }
}

enum weir_status weir_w2(const struct weir_log *log, const float *a, const float *b, int64_t n,
                         int64_t d, double *out)
{
    if (n > WEIR_W2_MOST)
        return weir_fail(log, WEIR_INVALID,
                         "w2: %lld points; the exact assignment takes 1 to %d (use swd)",
                         (long long)n, WEIR_W2_MOST);
    enum weir_status status = check(log, "w2", a, b, n, d);
    if (status)
        return status;
    size_t m = (size_t)n + 1;
    double *cost = malloc((size_t)(n * n) * sizeof(*cost)), *reals = calloc(3 * m, sizeof(*reals));
    int64_t *ints = calloc(2 * m, sizeof(*ints));
    char *done = calloc(m, 1);
    status = cost && reals && ints && done ? WEIR_OK : weir_fail(log, WEIR_NOMEM, "no memory for w2");
    for (int64_t i = 0; i < n && !status; i++)
        for (int64_t j = 0; j < n; j++)
            cost[i * n + j] = squared(a + i * d, b + j * d, d);
    struct assignment p = { cost, n, reals, reals + m, reals + 2 * m, ints, ints + m, done };
    for (int64_t i = 1; i <= n && !status; i++)
        augment(&p, i);
    double sum = 0;
    for (int64_t j = 1; j <= n && !status; j++)
        sum += cost[(p.row_of[j] - 1) * n + j - 1];
    if (!status)
        *out = sqrt(sum / (double)n);
    free(cost);
    free(reals);
    free(ints);
    free(done);
    return status;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void project(const float *x, const float *direction, int64_t n, int64_t d, double *dst)
{
    for (int64_t i = 0; i < n; i++) {
        dst[i] = 0;
        for (int64_t k = 0; k < d; k++)
            dst[i] += (double)x[i * d + k] * direction[k];
    }
    qsort(dst, (size_t)n, sizeof(*dst), compare);
}

enum weir_status weir_sliced_w2(const struct weir_log *log, const float *a, const float *b,
                                int64_t n, int64_t d, int directions, uint64_t seed, double *out)
{
    enum weir_status status = check(log, "swd", a, b, n, d);
    if (!status && directions < 1)
        status = weir_fail(log, WEIR_INVALID, "swd: %d directions", directions);
    if (status)
        return status;
    float *direction = malloc((size_t)d * sizeof(*direction));
    double *pa = malloc((size_t)n * sizeof(*pa)), *pb = malloc((size_t)n * sizeof(*pb)), sum = 0;
    status = direction && pa && pb ? WEIR_OK : weir_fail(log, WEIR_NOMEM, "no memory for swd");
    const struct weir_init normal = { WEIR_INIT_NORMAL, 1 };
    for (int k = 0; k < directions && !status; k++) {
        double square = 0;
        weir_init_fill(&normal, seed + (uint64_t)k, "direction", direction, d);
        for (int64_t i = 0; i < d; i++)
            square += (double)direction[i] * direction[i];
        project(a, direction, n, d, pa);
        project(b, direction, n, d, pb);
        for (int64_t i = 0; i < n; i++)
            sum += (pa[i] - pb[i]) * (pa[i] - pb[i]) / (square * (double)n);
    }
    if (!status)
        *out = sqrt(sum / directions);
    free(direction);
    free(pa);
    free(pb);
    return status;
}

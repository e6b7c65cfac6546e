// SPDX-License-Identifier: Apache-2.0
// weir bench: medians, spread and drift of timed runs, the rows of the result file, the progress
// line.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bench.h"

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(const double *s, int n)
{
    double sorted[BENCH_MAX_REPEATS];
    memcpy(sorted, s, (size_t)n * sizeof(*s));
    qsort(sorted, (size_t)n, sizeof(*sorted), by_size);
    return n % 2 ? sorted[n / 2] : .5 * (sorted[n / 2 - 1] + sorted[n / 2]);
}

double bench_spread(const double *s, int n)
{
    double low = s[0], high = s[0];
    for (int i = 1; i < n; i++) {
        low = fmin(low, s[i]);
        high = fmax(high, s[i]);
    }
    return (high - low) / bench_median(s, n);
}

double bench_drift(const double *s, int n)
{
    int third = n / 3 > 0 ? n / 3 : 1;
    return bench_median(s + n - third, third) / bench_median(s, third) - 1;
}

const char *bench_drift_note(const double *s, int n, char *dst, size_t size)
{
    double drift = bench_drift(s, n);
    dst[0] = 0;
    if (fabs(drift) > BENCH_DRIFT)
        snprintf(dst, size, "  drifts by %+.0f %%", 100 * drift);
    return dst;
}

void bench_add_row(const struct bench_params *p, const char *name, const double *s, int n,
                   json_t *more)
{
    json_t *row = json_object(), *times = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(times, json_real(s[i]));
    json_object_set_new(row, "name", json_string(name));
    json_object_set_new(row, "s", times);
    if (n > 1) {
        double drift = bench_drift(s, n);
        json_object_set_new(row, "drift", json_real(drift));
        json_object_set_new(row, "drifts", json_boolean(fabs(drift) > BENCH_DRIFT));
    }
    json_object_update(row, more);
    json_decref(more);
    json_array_append_new(p->rows, row);
}

void bench_progress(const char *name, int i, int n)
{
    if (!isatty(STDERR_FILENO))
        return;
    if (name)
        fprintf(stderr, "\r%s, %d of %d\033[K", name, i, n);
    else
        fprintf(stderr, "\r\033[K");
}

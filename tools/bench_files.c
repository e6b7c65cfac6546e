// SPDX-License-Identifier: Apache-2.0
// weir bench compare: two result files of --json beside each other, row by row. The devices may
// differ.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/json.h"
#include "base/log.h"
#include "bench.h"

struct result {
    json_t *root, *rows;
    const char *path;
};

static enum weir_status load(const struct bench_params *p, const char *path, struct result *out)
{
    struct weir_json_at at;
    int64_t schema = 0;
    out->path = path;
    enum weir_status status = weir_json_load(&p->log, path, &out->root);
    if (!status)
        status = weir_json_root(&p->log, path, out->root, &at);
    if (!status)
        status = weir_json_get_i64(&at, "schema", 0, INT64_MAX, &schema);
    if (status)
        return status;
    out->rows = json_object_get(out->root, "rows");
    if (schema != BENCH_SCHEMA || !json_is_array(out->rows) ||
        !json_is_object(json_object_get(out->root, "device")))
        return weir_fail(&p->log, WEIR_INVALID,
                         "%s: not a result file of `weir bench --json` of schema %d", path,
                         BENCH_SCHEMA);
    return WEIR_OK;
}

// The timed runs of a row; their number, 0 when it has none.
static int times_of(const json_t *row, double *s)
{
    const json_t *times = json_object_get(row, "s");
    int n = (int)json_array_size(times), good = 0;
    for (int i = 0; i < n && i < BENCH_MAX_REPEATS; i++) {
        double t = json_number_value(json_array_get(times, (size_t)i));
        if (t > 0)
            s[good++] = t;
    }
    return good;
}

static const char *name_of(const json_t *row)
{
    const char *name = json_string_value(json_object_get(row, "name"));
    return name ? name : "";
}

static const json_t *find(const json_t *rows, const char *name)
{
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (!strcmp(name_of(json_array_get(rows, i)), name))
            return json_array_get(rows, i);
    return NULL;
}

static void show_head(const struct result *r, char letter)
{
    const json_t *device = json_object_get(r->root, "device");
    const char *name = json_string_value(json_object_get(device, "name"));
    const char *platform = json_string_value(json_object_get(device, "platform"));
    printf("%c: %s, %s, %s\n", letter, r->path, name ? name : "?",
           platform && *platform ? platform : "no platform");
}

// A row of `roofline`: a rate, or a launch's seconds.
static void show_values(const char *name, const json_t *a, const json_t *b)
{
    double x = json_number_value(json_object_get(a, "value")),
           y = json_number_value(json_object_get(b, "value"));
    if (x > 0 && y > 0)
        printf("%-44s %13.4g %13.4g %7.3f\n", name, x, y, x / y);
}

// Prints the row's line; its ratio, or 0 where it has no times.
static double show_row(const char *name, const json_t *a, const json_t *b)
{
    double s[BENCH_MAX_REPEATS], median[2] = { 0 };
    char note[2][32] = { "", "" };
    const json_t *row[] = { a, b };
    for (int k = 0; k < 2; k++) {
        int n = times_of(row[k], s);
        if (n == 0) {
            show_values(name, a, b);
            return 0;
        }
        median[k] = bench_median(s, n);
        bench_drift_note(s, n, note[k], sizeof(note[k]));
    }
    printf("%-44s %10.3f ms %10.3f ms %7.3f", name, 1e3 * median[0], 1e3 * median[1],
           median[0] / median[1]);
    for (int k = 0; k < 2; k++)
        if (note[k][0])
            printf("  %c%s", 'A' + k, note[k] + 1);
    printf("\n");
    return median[0] / median[1];
}

static void show(const struct result *a, const struct result *b)
{
    double logs = 0;
    int n = 0;
    show_head(a, 'A');
    show_head(b, 'B');
    printf("%-44s %13s %13s %7s\n", "", "A", "B", "A/B");
    for (size_t i = 0; i < json_array_size(a->rows); i++) {
        const json_t *row = json_array_get(a->rows, i), *other = find(b->rows, name_of(row));
        double ratio = other ? show_row(name_of(row), row, other) : 0;
        if (!other)
            printf("%-44s only in A\n", name_of(row));
        logs += ratio > 0 ? log(ratio) : 0;
        n += ratio > 0;
    }
    for (size_t i = 0; i < json_array_size(b->rows); i++)
        if (!find(a->rows, name_of(json_array_get(b->rows, i))))
            printf("%-44s only in B\n", name_of(json_array_get(b->rows, i)));
    if (n > 1)
        printf("%-44s %35.3f\n", "geometric mean", exp(logs / n));
}

enum weir_status bench_compare(struct bench_params *p)
{
    struct result a = { 0 }, b = { 0 };
    enum weir_status status = load(p, p->words[0], &a);
    if (!status)
        status = load(p, p->words[1], &b);
    if (!status)
        show(&a, &b);
    json_decref(a.root);
    json_decref(b.root);
    return status;
}

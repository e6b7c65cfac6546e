// SPDX-License-Identifier: Apache-2.0
// weir bench: how fast this device is at a training step and at single operations.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "bench.h"
#include "commands.h"

enum { JSON_SCHEMA = 1 };

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double bench_median(double *s, int n, double *spread)
{
    qsort(s, (size_t)n, sizeof(*s), by_size);
    double median = n % 2 ? s[n / 2] : .5 * (s[n / 2 - 1] + s[n / 2]);
    *spread = (s[n - 1] - s[0]) / median;
    return median;
}

void bench_add_row(const struct bench_params *p, const char *name, const double *s, int n, json_t *more)
{
    json_t *row = json_object(), *times = json_array();
    for (int i = 0; i < n; i++)
        json_array_append_new(times, json_real(s[i]));
    json_object_set_new(row, "name", json_string(name));
    json_object_set_new(row, "s", times);
    json_object_update(row, more);
    json_decref(more);
    json_array_append_new(p->rows, row);
}

static enum weir_status save(const struct bench_params *p, const char *path)
{
    const struct weir_device_info *d = weir_device_info(p->dev);
    json_t *root = json_pack("{s:i, s:s, s:{s:s, s:s, s:s, s:s}, s:I, s:O}", "schema", JSON_SCHEMA, "weir", weir_version(),
                             "device", "backend", d->backend, "name", d->name, "platform", d->platform, "driver", d->driver,
                             "time", (json_int_t)time(NULL), "rows", p->rows);
    enum weir_status status = weir_json_save(&p->log, path, root);
    json_decref(root);
    return status;
}

static int run(int argc, char **argv)
{
    const char *words[2], *device = NULL, *repeats = NULL, *json = NULL, *sets[64];
    int n_words, n_sets = 0;
    struct bench_params p = { .log = cli_log(WEIR_LOG_INFO), .repeats = 9 };
    struct weir_recipe recipe;
    const struct cli_option options[] = {
        { "set", .list = sets, .list_max = 64, .n_list = &n_sets },
        { "device", .value = &device },
        { "repeats", .value = &repeats },
        { "json", .value = &json },
    };
    if (!cli_parse(&weir_command_bench, argc, argv, options, WEIR_COUNT(options), words, 2, &n_words))
        return EXIT_USAGE;
    bool model = n_words == 2 && !strcmp(words[0], "model"), roofline = n_words == 1 && !strcmp(words[0], "roofline");
    if (!model && !roofline && !(n_words >= 1 && !strcmp(words[0], "op"))) {
        fprintf(stderr, "weir bench: expected `model RECIPE`, `op [NAME]` or `roofline`\n");
        return EXIT_USAGE;
    }
    if (repeats && ((p.repeats = atoi(repeats)) < 1 || p.repeats > 1000)) {
        fprintf(stderr, "weir bench: --repeats %s: expected 1 to 1000\n", repeats);
        return EXIT_USAGE;
    }
    p.filter = n_words == 2 ? words[1] : NULL;
    enum weir_status status = model ? cli_load_recipe(&p.log, words[1], &recipe) : WEIR_OK;
    for (int i = 0; i < n_sets && !status && model; i++)
        status = weir_recipe_set(&p.log, &recipe, sets[i]);
    if (!status)
        status = cli_open_device(&p.log, device, &p.dev);
    p.rows = json_array();
    if (!status)
        status = model ? bench_model(&p, &recipe) : roofline ? bench_roofline(&p, true) : bench_op(&p);
    if (!status && json)
        status = save(&p, json);
    json_decref(p.rows);
    weir_device_close(&p.dev);
    return cli_exit_code(status);
}

const struct weir_command weir_command_bench = {
    .name = "bench",
    .args = "model RECIPE | op [NAME] | roofline",
    .desc = "time a training step, or single operations",
    .help = "  model RECIPE      a training step: compile time, milliseconds, memory, launches, time by kernel\n"
            "  op [NAME]         single operations whose name contains NAME (default: all), beside what the device\n"
            "                    can do at most; bandwidth counts operands and results once\n"
            "  roofline          fused multiply-adds, copies, and the cost of a launch on this device\n"
            "  --repeats N       timed runs, of which the median is shown (default 9)\n"
            "  --json FILE       also write every timed run there\n"
            "  --set KEY=VALUE   model: change a key of the recipe (repeatable)\n"
            "  --device SEL      host, opencl:N, part of a name, auto (default)\n",
    .run = run,
};

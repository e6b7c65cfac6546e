// SPDX-License-Identifier: Apache-2.0
// weir bench: how fast this device is at a training step and at single operations.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/json.h"
#include "bench.h"
#include "commands.h"

static const struct benchmark {
    const char *name;
    int min_words, max_words;
    enum weir_status (*run)(struct bench_params *p);
    const char *options[8]; // that it reads
} benchmarks[] = {
    { "model", 1, 1, bench_model, { "device", "numerics", "repeats", "json", "set", "off", "memory", "tune" } },
    { "sample", 1, 1, bench_sample, { "device", "numerics", "repeats", "json", "set", "tune" } },
    { "op", 0, BENCH_MAX_WORDS, bench_op, { "device", "numerics", "repeats", "json", "svg", "list", "tune" } },
    { "roofline", 0, 0, bench_roofline, { "device", "repeats", "json" } },
    { "compare", 2, 2, bench_compare, { NULL } },
    { "export", 1, 2, bench_export, { "device", "numerics", "out", "set", "off", "memory" } },
};

enum weir_status bench_recipe(const struct bench_params *p, struct weir_recipe *out)
{
    enum weir_status status = cli_load_recipe(&p->log, p->words[0], out);
    for (int i = 0; i < p->n_sets && !status; i++)
        status = weir_recipe_set(&p->log, out, p->sets[i]);
    return status ? status : cli_set_numerics(&p->log, p->numerics, out);
}

static enum weir_status save(const struct bench_params *p, const char *path, double wall, json_t *before)
{
    const struct weir_device_info *d = weir_device_info(p->dev);
    json_t *root = json_pack("{s:i, s:s, s:{s:s, s:s, s:s, s:s}, s:I, s:f, s:{s:O, s:o}, s:O}", "schema", BENCH_SCHEMA,
                             "weir", weir_version(), "device", "backend", d->backend, "name", d->name, "platform",
                             d->platform, "driver", d->driver, "time", (json_int_t)time(NULL), "wall_s", wall, "system",
                             "before", before, "after", bench_system("/sys"), "rows", p->rows);
    enum weir_status status = weir_json_save(&p->log, path, root);
    json_decref(root);
    return status;
}

static bool turn_off(struct bench_params *p, const char *const *off, int n)
{
    const struct { const char *name; bool *flag; } parts[] = {
        { "fusion", &p->compile.no_fusion }, { "plan", &p->compile.no_plan }, { "replay", &p->compile.no_replay },
        { "recompute", &p->compile.no_recompute }, { "merge", &p->compile.no_merge },
    };
    for (int i = 0; i < n; i++) {
        size_t k = 0;
        if (!strcmp(off[i], "tuner")) {
            p->compile.tune = WEIR_TUNE_OFF;
            continue;
        }
        while (k < WEIR_COUNT(parts) && strcmp(off[i], parts[k].name))
            k++;
        if (k == WEIR_COUNT(parts)) {
            fprintf(stderr, "weir bench: --off %s: expected fusion, plan, replay, recompute, tuner or merge\n", off[i]);
            return false;
        }
        *parts[k].flag = true;
    }
    return true;
}

static enum weir_status measure(struct bench_params *p, const struct benchmark *b, const char *device, const char *json)
{
    json_t *before = bench_system("/sys");
    double start = weir_clock();
    struct weir_recipe recipe = weir_recipe_defaults; // of single operations
    p->rows = json_array();
    enum weir_status status = cli_set_numerics(&p->log, p->numerics, &recipe);
    if (!status)
        status = weir_recipe_numerics(&p->log, &recipe, &p->compile.numerics);
    if (!status && b->run != bench_compare)
        status = cli_tune_open(&p->log, device, &p->tune, &p->dev);
    if (!status)
        status = b->run(p);
    bench_progress(NULL, 0, 0);
    if (!status && json && !p->compile_only)
        status = save(p, json, weir_clock() - start, before);
    json_decref(before);
    json_decref(p->rows);
    weir_device_close(&p->dev);
    return status;
}

static const struct benchmark *find(const char *const *words, int n)
{
    for (size_t i = 0; i < WEIR_COUNT(benchmarks) && n > 0; i++)
        if (!strcmp(words[0], benchmarks[i].name) && n > benchmarks[i].min_words && n - 1 <= benchmarks[i].max_words)
            return &benchmarks[i];
    return NULL;
}

static bool reads(const struct benchmark *b, const char *option)
{
    for (int i = 0; i < (int)WEIR_COUNT(b->options) && b->options[i]; i++)
        if (!strcmp(b->options[i], option))
            return true;
    return false;
}

static bool is_given(const struct cli_option *o)
{
    return (o->value && *o->value) || (o->flag && *o->flag) || (o->list && *o->n_list > 0);
}

// Every option given is one that this benchmark reads; the list of operations goes without others.
static bool check_options(const struct benchmark *b, const struct cli_option *options, int n, bool list)
{
    for (int i = 0; i < n; i++) {
        bool fits = reads(b, options[i].name) && (!list || !strcmp(options[i].name, "list"));
        if (fits || !is_given(&options[i]))
            continue;
        fprintf(stderr, "weir bench: --%s does not go with `%s%s`, but with", options[i].name, b->name,
                list && reads(b, "list") ? " --list" : "");
        const char *comma = "";
        for (size_t k = 0; k < WEIR_COUNT(benchmarks); k++)
            if (reads(&benchmarks[k], options[i].name)) {
                fprintf(stderr, "%s `%s`", comma, benchmarks[k].name);
                comma = ",";
            }
        fputc('\n', stderr);
        return false;
    }
    return true;
}

static int run(int argc, char **argv)
{
    const char *words[BENCH_MAX_WORDS + 1], *device = NULL, *repeats = NULL, *json = NULL, *memory = NULL, *off[8];
    const char *tune = NULL;
    int n_words, n_off = 0;
    bool list = false;
    struct bench_params p = { .log = cli_log(cli_tune_is_worker() ? WEIR_LOG_WARN : WEIR_LOG_INFO), .repeats = 9 };
    const struct cli_option options[] = {
        { "set", .list = p.sets, .list_max = (int)WEIR_COUNT(p.sets), .n_list = &p.n_sets },
        { "device", .value = &device },
        { "repeats", .value = &repeats },
        { "json", .value = &json },
        { "svg", .value = &p.svg },
        { "out", .value = &p.out },
        { "off", .list = off, .list_max = (int)WEIR_COUNT(off), .n_list = &n_off },
        { "memory", .value = &memory },
        { "numerics", .value = &p.numerics },
        { "tune", .value = &tune },
        { "list", .flag = &list },
    };
    if (!cli_parse(&weir_command_bench, argc, argv, options, WEIR_COUNT(options), words, BENCH_MAX_WORDS + 1, &n_words))
        return EXIT_USAGE;
    const struct benchmark *b = find(words, n_words);
    if (!b) {
        fprintf(stderr, "weir bench: expected `model RECIPE`, `sample RECIPE`, `op [NAME...]`, `roofline`, `compare A "
                        "B` or `export RECIPE [KERNEL]` (weir bench --help)\n");
        return EXIT_USAGE;
    }
    if (!check_options(b, options, WEIR_COUNT(options), list))
        return EXIT_USAGE;
    if (repeats && ((p.repeats = atoi(repeats)) < 1 || p.repeats > BENCH_MAX_REPEATS)) {
        fprintf(stderr, "weir bench: --repeats %s: expected 1 to %d\n", repeats, BENCH_MAX_REPEATS);
        return EXIT_USAGE;
    }
    if (!turn_off(&p, off, n_off) || !cli_tune_parse(&weir_command_bench, tune, &p.tune) ||
        (memory && !cli_parse_bytes(&weir_command_bench, "memory", memory, &p.compile.memory)))
        return EXIT_USAGE;
    if (tune && p.compile.tune == WEIR_TUNE_OFF && p.tune.mode != WEIR_TUNE_OFF) {
        fprintf(stderr, "weir bench: --off tuner and --tune %s exclude each other\n", tune);
        return EXIT_USAGE;
    }
    if (list) {
        if (n_words > 1) {
            fprintf(stderr, "weir bench: `op --list` lists all; it takes no name\n");
            return EXIT_USAGE;
        }
        bench_list_ops();
        return EXIT_OK;
    }
    p.n_words = n_words - 1;
    memcpy(p.words, words + 1, (size_t)p.n_words * sizeof(*words));
    p.compile_only = cli_tune_is_worker();
    int code = cli_tune_run(&weir_command_bench, argc, argv, &p.tune);
    cli_tune_finish(&p.tune);
    return code != EXIT_OK ? code : cli_exit_code(measure(&p, b, device, json));
}

const struct weir_command weir_command_bench = {
    .name = "bench",
    .args = "model|sample|op|roofline|compare|export",
    .desc = "time training steps, sampling and single operations",
    .help = "  model RECIPE      a training step: compile time, milliseconds, memory, launches, time by kernel\n"
            "  sample RECIPE     a batch of samples (sample.batch) from the initial weights\n"
            "  op [NAME...]      single operations, by name or a part of it (default: all), beside what the device\n"
            "                    can do at most; bandwidth counts operands and results once\n"
            "  roofline          fused multiply-adds, copies, and the cost of a launch on this device\n"
            "  compare A B       the ratios of two result files of --json, row by row\n"
            "  export RECIPE [KERNEL]\n"
            "                    a kernel of the training step (default: the slowest) as a C program and a .cl file\n"
            "                    that need nothing of Weir, with its timing\n"
            "  --repeats N       model, sample, op, roofline: timed runs, of which the median is shown (default 9); a row\n"
            "                    whose last runs differ from its first by more than 5 % says so\n"
            "  --json FILE       model, sample, op, roofline: also write every timed run there, with device, wall time,\n"
            "                    clocks and temperature\n"
            "  --list            op: the names of all, as JSON, and nothing else\n"
            "  --svg FILE        op: draw the roofline with a point for each row\n"
            "  --off PART        model, export: compile without fusion, plan, replay, recompute, tuner or merge (repeatable)\n"
            "  --tune HOW        model, sample, op: off, cached (default), full: as of weir train\n"
            "  --memory N[M|G]   model, export: the most bytes of device memory, as of weir train\n"
            "  --numerics MODE   model, sample, op, export: exact or fast (default: as the recipe says)\n"
            "  --out DIR         export: the folder to write to (default: this one)\n"
            "  --set KEY=VALUE   model, sample, export: change a key of the recipe (repeatable)\n"
            "  --device SEL      all but compare: host, opencl:N, part of a name, auto (default)\n",
    .run = run,
};

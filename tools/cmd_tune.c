// SPDX-License-Identifier: Apache-2.0
// weir tune: measures candidate kernels for the contractions of a recipe or of single operations,
// keeps the fastest for later compilations, and shows what they gain.
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "base/log.h"
#include "bench.h"
#include "commands.h"
#include "train/train.h"
#include "tune.h"

struct options {
    const char *words[BENCH_MAX_WORDS], *sets[64], *device, *limit, *most, *numerics;
    int n_words, n_sets;
    bool full;
};

static bool is_recipe(const char *name)
{
    char path[1024];
    snprintf(path, sizeof(path), "%s/%s.json", cli_recipe_dir(), name);
    return weir_file_exists(path) || (weir_file_exists(name) && !weir_dir_exists(name));
}

static bool takes_recipe(const struct options *o)
{
    return o->n_words == 1 && is_recipe(o->words[0]);
}

static enum weir_status tune_recipe(const struct weir_log *log, const struct options *o,
                                    weir_device *dev)
{
    struct weir_train_params params = {.dev = dev};
    enum weir_status status = cli_load_recipe(log, o->words[0], &params.recipe);
    for (int i = 0; i < o->n_sets && !status; i++)
        status = weir_recipe_set(log, &params.recipe, o->sets[i]);
    if (!status)
        status = cli_set_numerics(log, o->numerics, &params.recipe);
    return status ? status : weir_train_dump(log, &params);
}

static enum weir_status tune_ops(const struct weir_log *log, const struct options *o,
                                 weir_device *dev)
{
    struct bench_params p = {.log = *log, .dev = dev, .n_words = o->n_words};
    struct weir_recipe recipe = weir_recipe_defaults;
    enum weir_status status = cli_set_numerics(log, o->numerics, &recipe);
    if (!status)
        status = weir_recipe_numerics(log, &recipe, &p.compile.numerics);
    memcpy(p.words, o->words, sizeof(p.words));
    return status ? status : bench_compile_ops(&p);
}

static int work(const struct options *o)
{
    const struct weir_log log = cli_log(WEIR_LOG_WARN);
    const struct weir_tuner how = {
        .thorough = o->full, .again = o->full, .most = o->most ? atoi(o->most) : 0};
    weir_device *dev = NULL;
    enum weir_status status = cli_open_device(&log, o->device, &dev);
    if (!status && weir_device_is_host(dev))
        status = weir_fail(
            &log, WEIR_UNSUPPORTED,
            "`weir tune` takes an OpenCL device: the host has one kernel for each operation");
    if (!status)
        status = cli_tune_attach(dev, &how);
    if (!status)
        status = takes_recipe(o) ? tune_recipe(&log, o, dev) : tune_ops(&log, o, dev);
    weir_device_close(&dev);
    return cli_exit_code(status);
}

// What the model's choice takes, over what the best one takes.
static double ratio_of(const struct cli_tune_row *r)
{
    return r->model_s > 0 && r->s > 0 ? r->model_s / r->s : 0;
}

static void summarize(const struct cli_tune *t)
{
    const struct cli_tune_row *worst = NULL;
    double logs = 0;
    int n = 0;
    for (int i = 0; i < t->n_rows; i++) {
        double ratio = ratio_of(&t->rows[i]);
        if (ratio <= 0)
            continue;
        if (!worst || ratio > ratio_of(worst))
            worst = &t->rows[i];
        logs += log(ratio);
        n++;
    }
    printf("%d shape%s", t->n_rows, t->n_rows == 1 ? "" : "s");
    if (worst)
        printf("; untuned / tuned: geometric mean %.3f, worst %.3f (%s)", exp(logs / n), ratio_of(worst), worst->shape);
    putchar('\n');
    if (t->bad > 0)
        printf("%d candidate%s took a process down and will not be tried again\n", t->bad,
               t->bad == 1 ? "" : "s");
}

static void show(const struct cli_tune *t)
{
    printf("%-48s %12s %12s %15s  %s\n", "shape", "untuned ms", "tuned ms", "untuned / tuned", "choice");
    for (int i = 0; i < t->n_rows; i++) {
        const struct cli_tune_row *r = &t->rows[i];
        bool same = !strcmp(r->model, r->choice);
        printf("%-48s %12.3f %12.3f %15.3f  %s\n", r->shape, 1e3 * r->model_s, 1e3 * r->s, ratio_of(r),
               same ? "as untuned" : r->choice);
    }
    summarize(t);
}

static int run(int argc, char **argv)
{
    struct options o = {0};
    struct cli_tune tune = {.mode = WEIR_TUNE_FULL};
    const struct cli_option options[] = {
        {"set", .list = o.sets, .list_max = (int)WEIR_COUNT(o.sets), .n_list = &o.n_sets},
        {"device", .value = &o.device},
        {"full", .flag = &o.full},
        {"numerics", .value = &o.numerics},
        {"limit", .value = &o.limit},
        {"most", .value = &o.most},
    };
    if (!cli_parse(&weir_command_tune, argc, argv, options, WEIR_COUNT(options), o.words,
                   BENCH_MAX_WORDS, &o.n_words))
        return EXIT_USAGE;
    if (o.n_words == 0) {
        fprintf(stderr, "weir tune: which recipe, or which operations? (`weir recipes` and `weir "
                        "bench op --list` list them)\n");
        return EXIT_USAGE;
    }
    if ((o.limit && (tune.limit = atoi(o.limit)) < 1) || (o.most && atoi(o.most) < 1)) {
        fprintf(stderr, "weir tune: --%s: expected a number from 1 on\n",
                o.limit && tune.limit < 1 ? "limit" : "most");
        return EXIT_USAGE;
    }
    if (o.n_sets && !takes_recipe(&o)) {
        fprintf(stderr, "weir tune: --set changes a recipe, and '%s' is none\n", o.words[0]);
        return EXIT_USAGE;
    }
    if (cli_tune_is_worker())
        return work(&o);
    int code = cli_tune_run(&weir_command_tune, argc, argv, &tune);
    if (tune.n_rows > 0 || code == EXIT_OK)
        show(&tune);
    cli_tune_finish(&tune);
    return code;
}

const struct weir_command weir_command_tune = {
    .name = "tune",
    .args = "RECIPE|OPERATION... [OPTIONS]",
    .desc = "find the fastest kernels for this device",
    .help = "Measures kernels for the matrix products and convolutions of a recipe's training step\n"
            "and sampling, or of operations as `weir bench op` names them, and how much of their\n"
            "larger maps, sums and norms a work-item takes. Each must give the same bits first.\n"
            "What is fastest is kept beside the compiled programs, for this device and driver, and\n"
            "every later run takes it (--tune cached); without a folder to keep it in nothing is\n"
            "measured. The last line has what untuned kernels take over tuned ones.\n\n"
            "  --full            more candidates, and shapes that are known too\n"
            "  --limit S         seconds that building, checking or timing a candidate may take (default\n"
            "                    60); what takes longer, or crashes, is written down and not tried again\n"
            "  --most N          candidates of a shape at most\n"
            "  --numerics MODE   exact or fast (default: as the recipe says), with results each\n"
            "  --set KEY=VALUE   change a key of the recipe (repeatable); not with operations\n"
            "  --device SEL      opencl:N, part of a name, auto (default)\n",
    .run = run,
};

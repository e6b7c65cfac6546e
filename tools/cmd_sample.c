// SPDX-License-Identifier: Apache-2.0
// weir sample: samples of a trained run as a picture or an array.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "commands.h"
#include "train/train.h"
#include "tune.h"
#include "weir/formats.h"

struct options {
    const char *device, *solver, *steps, *guidance, *class_, *seeds, *out, *batch, *checkpoint, *numerics, *tune;
    bool raw_weights;
};

// "5", "0-63": n seeds from first on. False when malformed.
static bool parse_seeds(const char *text, uint64_t *first, int64_t *n)
{
    char *end;
    unsigned long long a = strtoull(text, &end, 10), b = a;
    if (end == text)
        return false;
    if (*end == '-') {
        const char *from = end + 1;
        b = strtoull(from, &end, 10);
        if (end == from)
            return false;
    }
    if (*end || b < a || b - a >= 1000000)
        return false;
    *first = a;
    *n = (int64_t)(b - a + 1);
    return true;
}

// Options given on the command line change the recipe the run was trained with.
static enum weir_status apply(const struct weir_log *log, const struct options *o, struct weir_recipe *recipe)
{
    const struct { const char *key, *value; } sets[] = {
        { "sample.solver", o->solver },
        { "sample.steps", o->steps },
        { "sample.guidance_scale", o->guidance },
        { "sample.batch", o->batch },
    };
    enum weir_status status = WEIR_OK;
    for (size_t i = 0; i < WEIR_COUNT(sets) && !status; i++) {
        char text[256];
        if (!sets[i].value)
            continue;
        snprintf(text, sizeof(text), "%s=%s", sets[i].key, sets[i].value);
        status = weir_recipe_set(log, recipe, text);
    }
    return status ? status : cli_set_numerics(log, o->numerics, recipe);
}

static void show(void *cookie, int64_t done, int64_t n)
{
    fprintf(stderr, "sampled %" PRId64 "/%" PRId64 "\n", done, n);
}

static enum weir_status write_out(const struct weir_log *log, const char *path, const struct weir_setup *setup,
                                  const float *x, const int32_t *labels, int64_t n)
{
    size_t length = strlen(path);
    if (length < 4 || strcmp(path + length - 4, ".npz"))
        return weir_samples_png(log, path, setup, x, n);
    struct weir_shape shape = { .rank = setup->config.item.rank + 1, .dim = { n } };
    memcpy(&shape.dim[1], setup->config.item.dim, (size_t)setup->config.item.rank * sizeof(shape.dim[0]));
    const struct weir_file_array arrays[] = {
        { .name = "samples", .dtype = WEIR_FILE_F32, .shape = shape, .data = x },
        { .name = "labels", .dtype = WEIR_FILE_I32, .shape = weir_shape(n), .data = labels },
    };
    return weir_npz_write(log, path, arrays, setup->classes ? 2 : 1);
}

static enum weir_status sample(const struct weir_log *log, const struct options *o, const char *run_dir,
                               weir_device *dev)
{
    struct weir_checkpoint_info info = { 0 };
    struct weir_recipe recipe;
    struct weir_run_state run = { 0 };
    enum weir_status status = WEIR_OK;
    uint64_t first = 0, *seeds = NULL;
    int32_t *labels = NULL;
    float *x = NULL;
    if (o->checkpoint)
        snprintf(info.path, sizeof(info.path), "%s", o->checkpoint);
    else
        status = weir_checkpoint_find(log, run_dir, &info);
    if (!status)
        status = weir_checkpoint_read_state(log, &info, true, &recipe);
    if (!status)
        status = apply(log, o, &recipe);
    if (status)
        return status;
    int64_t n = recipe.sample.n, nfe = 0;
    if (o->seeds && !parse_seeds(o->seeds, &first, &n))
        return weir_fail(log, WEIR_INVALID, "--seeds %s: expected a number or a range as 0-63", o->seeds);
    status = weir_run_init_sampling(log, dev, &recipe, &info, &run);
    if (!status)
        status = weir_checkpoint_load(log, &info, run.params, false);
    if (status || cli_tune_is_worker()) {
        run.setup.recipe.sample.n = n;
        status = status ? status : weir_sample_dump(log, dev, &run.setup, run.params, !o->raw_weights, NULL);
        goto error;
    }
    size_t item = (size_t)weir_shape_size(&run.setup.config.item);
    seeds = calloc((size_t)n, sizeof(*seeds));
    labels = calloc((size_t)n, sizeof(*labels));
    x = calloc((size_t)n * item, sizeof(*x));
    if (!seeds || !labels || !x) {
        status = weir_fail(log, WEIR_NOMEM, "no memory for %" PRId64 " samples", n);
        goto error;
    }
    weir_grid_labels(&run.setup, n, labels);
    if (o->class_) {
        char *end;
        long c = strtol(o->class_, &end, 10);
        if (*end || c < 0 || c >= (run.setup.classes ? run.setup.classes : 1)) {
            status = weir_fail(log, WEIR_INVALID, "--class %s: expected 0 to %d", o->class_, run.setup.classes - 1);
            goto error;
        }
        for (int64_t i = 0; i < n; i++)
            labels[i] = (int32_t)c;
    }
    for (int64_t i = 0; i < n; i++)
        seeds[i] = first + (uint64_t)i;
    struct weir_sample_params sp = { .n = n, .seeds = seeds, .labels = run.setup.classes ? labels : NULL,
                                     .use_ema = !o->raw_weights, .progress = show };
    status = weir_sample(log, dev, &run.setup, run.params, &sp, x, &nfe);
    char path[600];
    snprintf(path, sizeof(path), "%s/samples.png", run_dir);
    if (!status)
        status = write_out(log, o->out ? o->out : path, &run.setup, x, labels, n);
    if (!status)
        printf("%s  %" PRId64 " samples of step %" PRId64 "  %" PRId64 " network evaluations  digest %016" PRIx64 "\n",
               o->out ? o->out : path, n, info.step, nfe, weir_hash64(x, (size_t)n * item * sizeof(*x), 0));
error:
    weir_run_finish(&run);
    free(seeds);
    free(labels);
    free(x);
    return status;
}

static int run(int argc, char **argv)
{
    const char *words[1];
    int n_words;
    struct options o = { 0 };
    const struct cli_option options[] = {
        { "device", .value = &o.device }, { "solver", .value = &o.solver }, { "steps", .value = &o.steps },
        { "guidance-scale", .value = &o.guidance }, { "class", .value = &o.class_ }, { "seeds", .value = &o.seeds },
        { "out", .value = &o.out }, { "batch", .value = &o.batch }, { "checkpoint", .value = &o.checkpoint },
        { "numerics", .value = &o.numerics },
        { "raw-weights", .flag = &o.raw_weights },
        { "tune", .value = &o.tune },
    };
    if (!cli_parse(&weir_command_sample, argc, argv, options, WEIR_COUNT(options), words, 1, &n_words))
        return EXIT_USAGE;
    if (n_words != 1) {
        fprintf(stderr, "weir sample: which run? (a folder as runs/NAME)\n");
        return EXIT_USAGE;
    }
    struct cli_tune tune;
    if (!cli_tune_parse(&weir_command_sample, o.tune, &tune))
        return EXIT_USAGE;
    int code = cli_tune_run(&weir_command_sample, argc, argv, &tune);
    cli_tune_finish(&tune);
    if (code != EXIT_OK)
        return code;
    struct weir_log log = cli_log(cli_tune_is_worker() ? WEIR_LOG_WARN : WEIR_LOG_INFO);
    weir_device *dev = NULL;
    enum weir_status status = cli_tune_open(&log, o.device, &tune, &dev);
    if (!status)
        status = sample(&log, &o, words[0], dev);
    weir_device_close(&dev);
    return cli_exit_code(status);
}

const struct weir_command weir_command_sample = {
    .name = "sample",
    .args = "RUN [OPTIONS]",
    .desc = "draw samples from a run's newest checkpoint",
    .help = "  --solver NAME        euler, midpoint, heun, rk4, dopri5, edm-heun\n"
            "  --steps N            steps of a fixed-step solver\n"
            "  --guidance-scale W   u + W (c - u): 1 = conditional, more = closer to the class\n"
            "  --class C            all samples of one class (default: one row a class)\n"
            "  --seeds A-B          one sample a seed; a sample depends on its seed and class only\n"
            "  --batch N            samples computed at once (does not change them)\n"
            "  --out FILE           .png or .npz (default RUN/samples.png)\n"
            "  --checkpoint DIR     another checkpoint than the newest\n"
            "  --raw-weights        the last weights instead of their moving average\n"
            "  --numerics MODE      exact or fast (default: as the run was trained)\n"
            "  --tune HOW           off, cached (default), full: as of weir train\n"
            "  --device SEL         host, opencl:N, part of a name, auto (default)\n",
    .run = run,
};

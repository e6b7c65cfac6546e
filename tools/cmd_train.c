// SPDX-License-Identifier: Apache-2.0
// weir train: runs a recipe.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/files.h"
#include "commands.h"
#include "train/train.h"
#include "tune.h"

static void duration(char *dst, size_t n, double s)
{
    int t = (int)(s + .5);
    if (t >= 3600)
        snprintf(dst, n, "%d:%02d:%02d", t / 3600, t / 60 % 60, t % 60);
    else
        snprintf(dst, n, "%d:%02d", t / 60, t % 60);
}

// One line that rewrites itself on a terminal; whole lines elsewhere.
static void show_progress(void *cookie, const struct weir_progress *p)
{
    char eta[32], spent[32], scaling[64] = "";
    bool terminal = isatty(STDERR_FILENO);
    duration(eta, sizeof(eta), p->rate > 0 ? (double)(p->steps - p->step) / p->rate : 0);
    duration(spent, sizeof(spent), p->seconds);
    if (p->loss_scale > 0)
        snprintf(scaling, sizeof(scaling), "  scale %g  skipped %" PRId64, p->loss_scale, p->skipped);
    fprintf(stderr, "%sstep %" PRId64 "/%" PRId64 "  loss %.4f  grad %.3f  lr %.2e%s  %.2f it/s  %s  ETA %s%s",
            terminal ? "\r\033[K" : "", p->step, p->steps, p->loss, p->grad_norm, p->learning_rate, scaling, p->rate, spent,
            eta, terminal ? "" : "\n");
    fflush(stderr);
}

static void show_note(void *cookie, const char *text)
{
    fprintf(stderr, "%s%s\n", isatty(STDERR_FILENO) ? "\r\033[K" : "", text);
}

// Without training: the recipe as text, and with --dump the programs, if `caps` says so those of a device that
// is not here.
static int dry_run(const struct weir_log *log, struct weir_train_params *params, const char *selector,
                   const struct weir_caps *caps, const struct cli_tune *tune)
{
    struct weir_strbuf text = { 0 };
    enum weir_status status = weir_recipe_text(&params->recipe, &text);
    if (!status)
        printf("%s", text.s);
    weir_strbuf_free(&text);
    if (params->dump_dir && !status) {
        struct weir_device_params planned = { .log = *log, .planned = caps };
        status = weir_mkdirs(log, params->dump_dir);
        if (!status)
            status = caps ? weir_device_open(&planned, &params->dev) : cli_tune_open(log, selector, tune, &params->dev);
        if (!status)
            status = weir_train_dump(log, params);
        weir_device_close(&params->dev);
    }
    return cli_exit_code(status);
}

static int train(const struct weir_log *log, struct weir_train_params *params, const char *device,
                 const struct cli_tune *tune)
{
    enum weir_status status = cli_tune_open(log, device, tune, &params->dev);
    if (!status && cli_tune_is_worker()) {
        params->note = NULL;
        params->dump_dir = NULL; // written by the process that takes what this one finds
        status = weir_train_dump(log, params);
    } else if (!status) {
        params->stop = cli_stop();
        status = weir_train(log, params);
    }
    weir_device_close(&params->dev);
    return cli_exit_code(status);
}

static int run(int argc, char **argv)
{
    const char *words[1], *device = NULL, *out = NULL, *dump = NULL, *memory = NULL, *numerics = NULL, *caps = NULL;
    const char *tuning = NULL, *sets[64];
    int n_words, n_sets = 0;
    bool resume = false, dry = false, any_numerics = false, no_device = false;
    const struct cli_option options[] = {
        { "set", .list = sets, .list_max = 64, .n_list = &n_sets },
        { "device", .value = &device },
        { "out", .value = &out },
        { "dump", .value = &dump },
        { "memory", .value = &memory },
        { "numerics", .value = &numerics },
        { "tune", .value = &tuning },
        { "resume", .flag = &resume },
        { "dry-run", .flag = &dry },
        { "any-numerics", .flag = &any_numerics },
        { "no-device", .flag = &no_device },
        { "caps", .value = &caps },
    };
    if (!cli_parse(&weir_command_train, argc, argv, options, WEIR_COUNT(options), words, 1, &n_words))
        return EXIT_USAGE;
    if (n_words != 1) {
        fprintf(stderr, "weir train: which recipe? (`weir recipes` lists them)\n");
        return EXIT_USAGE;
    }
    struct weir_log log = cli_log(cli_tune_is_worker() ? WEIR_LOG_WARN : WEIR_LOG_INFO);
    struct weir_train_params params = { .resume = resume, .any_numerics = any_numerics, .dump_dir = dump,
                                        .progress = show_progress, .note = show_note };
    struct cli_tune tune;
    char dir[512];
    enum weir_status status = cli_load_recipe(&log, words[0], &params.recipe);
    for (int i = 0; i < n_sets && !status; i++)
        status = weir_recipe_set(&log, &params.recipe, sets[i]);
    if (!status)
        status = cli_set_numerics(&log, numerics, &params.recipe);
    if (status)
        return cli_exit_code(status);
    snprintf(dir, sizeof(dir), "runs/%s", params.recipe.name);
    params.out_dir = out ? out : dir;
    struct weir_caps planned = weir_caps_gpu;
    if ((memory && !cli_parse_bytes(&weir_command_train, "memory", memory, &params.memory)) ||
        (caps && !cli_parse_caps(&weir_command_train, "caps", caps, &planned.features)) ||
        !cli_tune_parse(&weir_command_train, tuning, &tune))
        return EXIT_USAGE;
    if (planned.features & WEIR_CAP_SUBGROUPS)
        planned.sub_group = 16; // as Intel's GPUs have them; others are better off without
    if (no_device && (!dry || !dump)) {
        fprintf(stderr, "weir train: --no-device goes with --dry-run --dump DIR\n");
        return EXIT_USAGE;
    }
    if (caps && !no_device) {
        fprintf(stderr, "weir train: --caps goes with --no-device\n");
        return EXIT_USAGE;
    }
    if (tuning && dry && (no_device || !dump)) {
        fprintf(stderr, "weir train: --tune goes with --dry-run where that compiles for a device: with --dump DIR, without "
                        "--no-device\n");
        return EXIT_USAGE;
    }
    int code = cli_tune_run(&weir_command_train, argc, argv, &tune);
    cli_tune_finish(&tune);
    if (code != EXIT_OK)
        return code;
    return dry && !cli_tune_is_worker() ? dry_run(&log, &params, device, no_device ? &planned : NULL, &tune)
                                        : train(&log, &params, device, &tune);
}

const struct weir_command weir_command_train = {
    .name = "train",
    .args = "RECIPE|FILE [OPTIONS]",
    .desc = "train a model as a recipe says",
    .help = "  --set KEY=VALUE   change a key of the recipe, e.g. train.steps=100 (repeatable)\n"
            "  --device SEL      host, opencl:N, part of a name, auto (default)\n"
            "  --out DIR         the run's folder (default runs/NAME)\n"
            "  --resume          go on from the newest checkpoint of the run\n"
            "  --numerics MODE   exact: the same bits on every device (default); fast: any order of sums and the\n"
            "                    device's own functions, within error bounds\n"
            "  --any-numerics    resume although the numerics version or mode differs (other bits)\n"
            "  --memory N[M|G]   the most bytes of device memory for parameters and training step (M: millions):\n"
            "                    recomputes more, the tighter it is; sampling on the way comes on top\n"
            "  --tune HOW        kernels of contractions: off (as a model has them), cached (default: as `weir tune` found\n"
            "                    them), full (measure what is not known first)\n"
            "  --dump DIR        write every pass, the schedule and the kernels as text\n"
            "  --dry-run         print the complete recipe and stop; with --dump also compile, and write that\n"
            "  --no-device       with both: write the kernels that a GPU would get, with no device at hand\n"
            "  --caps F,F        with that: features (weir devices -v) that it has beside the least, e.g. mma-sync\n",
    .run = run,
};

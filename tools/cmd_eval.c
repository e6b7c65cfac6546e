// SPDX-License-Identifier: Apache-2.0
// weir eval: likelihood (nll) and distances (w2, swd) of a trained run against its data.
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "commands.h"
#include "train/distance.h"
#include "train/train.h"

struct eval {
    struct weir_log log;
    weir_device *dev;
    struct weir_run_state run;
    int64_t n;
    bool exact, raw_weights;
    const char *numerics;
    float *data;      // n items the network has not been trained on where the data has such a part
    int32_t *labels;
};

static enum weir_status load_data(struct eval *e, const struct weir_recipe *recipe)
{
    struct weir_dataset *data = NULL;
    struct weir_dataset_params dp = { .name = recipe->data.name,
                                      .path = *recipe->data.path ? recipe->data.path : NULL,
                                      .labels = *recipe->data.labels ? recipe->data.labels : NULL,
                                      .test = true,
                                      .seed = (uint64_t)recipe->train.seed + 1 };
    enum weir_status status = weir_dataset_open(&e->log, &dp, &data);
    if (status)
        return status;
    int64_t item = weir_shape_size(&data->item);
    if (data->n && e->n > data->n)
        e->n = data->n;
    e->data = calloc((size_t)(e->n * item), sizeof(float));
    e->labels = calloc((size_t)e->n, sizeof(int32_t));
    if (!e->data || !e->labels)
        status = weir_fail(&e->log, WEIR_NOMEM, "no memory for %" PRId64 " items", e->n);
    for (int64_t i = 0; i < e->n && !status; i++)
        status = data->get(data, i, e->data + i * item, &e->labels[i]);
    double entropy = data->entropy;
    weir_dataset_destroy(&data);
    e->run.data->entropy = entropy;
    return status;
}

static enum weir_status eval_nll(struct eval *e)
{
    double *nll = calloc((size_t)e->n, sizeof(*nll)), sum = 0, square = 0;
    int64_t nfe = 0, item = weir_shape_size(&e->run.setup.config.item);
    struct weir_nll_params p = { .n = e->n,
                                 .data = e->data,
                                 .labels = e->run.setup.classes ? e->labels : NULL,
                                 .exact = e->exact,
                                 .use_ema = !e->raw_weights,
                                 .seed = 1 };
    if (!nll)
        return weir_fail(&e->log, WEIR_NOMEM, "no memory for %" PRId64 " likelihoods", e->n);
    enum weir_status status =
        weir_nll(&e->log, e->dev, &e->run.setup, e->run.params, &p, nll, &nfe);
    for (int64_t i = 0; i < e->n; i++)
        sum += nll[i];
    double mean = sum / (double)e->n;
    for (int64_t i = 0; i < e->n; i++)
        square += (nll[i] - mean) * (nll[i] - mean);
    if (!status) {
        printf("nll %.4f nats  s.e. %.4f  (%.4f bits/dim)  n %" PRId64
               "  %s divergence  NFE %" PRId64,
               mean, sqrt(square / (double)e->n / (double)e->n), mean / ((double)item * log(2)),
               e->n, e->exact ? "exact" : "Hutchinson", nfe);
        double floor = e->run.data->entropy;
        if (isfinite(floor))
            printf("  gap to floor %.4f", mean - floor);
        printf("\n");
    }
    free(nll);
    return status;
}

static enum weir_status eval_distance(struct eval *e, bool sliced)
{
    int64_t item = weir_shape_size(&e->run.setup.config.item), nfe = 0;
    uint64_t *seeds = calloc((size_t)e->n, sizeof(*seeds));
    float *x = calloc((size_t)(e->n * item), sizeof(*x));
    double distance = 0;
    enum weir_status status =
        seeds && x ? WEIR_OK : weir_fail(&e->log, WEIR_NOMEM, "no memory for the samples");
    for (int64_t i = 0; i < e->n && !status; i++)
        seeds[i] = (uint64_t)i;
    struct weir_sample_params sp = { .n = e->n,
                                     .seeds = seeds,
                                     .labels = e->run.setup.classes ? e->labels : NULL,
                                     .use_ema = !e->raw_weights };
    if (!status)
        status = weir_sample(&e->log, e->dev, &e->run.setup, e->run.params, &sp, x, &nfe);
    if (!status)
        status = sliced ? weir_sliced_w2(&e->log, x, e->data, e->n, item, 256, 1, &distance)
                        : weir_w2(&e->log, x, e->data, e->n, item, &distance);
    if (!status)
        printf("%s %.5f  n %" PRId64 "  NFE %" PRId64 "\n", sliced ? "swd" : "w2", distance, e->n,
               nfe);
    free(seeds);
    free(x);
    return status;
}

static enum weir_status eval(struct eval *e, const char *run_dir, const char *what,
                             const char *solver)
{
    struct weir_checkpoint_info info = { 0 };
    struct weir_recipe recipe;
    char text[300];
    enum weir_status status = weir_checkpoint_find(&e->log, run_dir, &info);
    if (!status)
        status = weir_checkpoint_read_state(&e->log, &info, true, &recipe);
    snprintf(text, sizeof(text), "sample.solver=%s", solver ? solver : "");
    if (!status && solver)
        status = weir_recipe_set(&e->log, &recipe, text);
    if (!status)
        status = cli_set_numerics(&e->log, e->numerics, &recipe);
    if (!status)
        status = weir_run_init(&e->log, e->dev, &recipe, false, &e->run);
    if (!status)
        status = weir_checkpoint_load(&e->log, &info, e->run.params, false);
    if (!status)
        status = load_data(e, &recipe);
    if (!status)
        status = !strcmp(what, "nll") ? eval_nll(e) : eval_distance(e, !strcmp(what, "swd"));
    weir_run_finish(&e->run);
    free(e->data);
    free(e->labels);
    return status;
}

static int run(int argc, char **argv)
{
    const char *words[2], *device = NULL, *n = NULL, *solver = NULL;
    int n_words;
    bool hutchinson = false;
    struct eval e = { .log = cli_log(WEIR_LOG_INFO), .n = 1000 };
    const struct cli_option options[] = {
        { "device", .value = &device },        { "n", .value = &n },
        { "solver", .value = &solver },        { "numerics", .value = &e.numerics },
        { "hutchinson", .flag = &hutchinson }, { "raw-weights", .flag = &e.raw_weights },
    };
    if (!cli_parse(&weir_command_eval, argc, argv, options, WEIR_COUNT(options), words, 2,
                   &n_words))
        return EXIT_USAGE;
    if (n_words != 2 ||
        (strcmp(words[1], "nll") && strcmp(words[1], "w2") && strcmp(words[1], "swd"))) {
        fprintf(stderr, "weir eval: expected a run and one of nll, w2, swd\n");
        return EXIT_USAGE;
    }
    if (n && ((e.n = atoll(n)) < 1 || e.n > 10000000)) {
        fprintf(stderr, "weir eval: --n %s: expected 1 to 10000000\n", n);
        return EXIT_USAGE;
    }
    if (hutchinson && strcmp(words[1], "nll")) {
        fprintf(stderr, "weir eval: --hutchinson goes with nll, not with %s\n", words[1]);
        return EXIT_USAGE;
    }
    if (!strcmp(words[1], "w2") && e.n > WEIR_W2_MOST) {
        fprintf(stderr, "weir eval: --n %s: w2 takes 1 to %d, swd more\n", n, WEIR_W2_MOST);
        return EXIT_USAGE;
    }
    e.exact = !hutchinson;
    enum weir_status status = cli_open_device(&e.log, device, &e.dev);
    if (!status)
        status = eval(&e, words[0], words[1], solver);
    weir_device_close(&e.dev);
    return cli_exit_code(status);
}

const struct weir_command weir_command_eval = {
    .name = "eval",
    .args = "RUN nll|w2|swd [OPTIONS]",
    .desc = "likelihood, or distance of samples to data",
    .help = "  nll              negative log-likelihood, and the gap to the data's entropy where "
            "it is known\n"
            "  w2               2-Wasserstein distance of samples to data (exact assignment, n up "
            "to 2000)\n"
            "  swd              sliced 2-Wasserstein distance, 256 directions\n"
            "  --n N            items (default 1000)\n"
            "  --solver NAME    instead of the recipe's\n"
            "  --hutchinson     nll: estimated instead of exact divergence\n"
            "  --raw-weights    the last weights instead of their moving average\n"
            "  --numerics MODE  exact or fast (default: as the run was trained)\n"
            "  --device SEL     host, opencl:N, part of a name, auto (default)\n",
    .run = run,
};

// SPDX-License-Identifier: Apache-2.0
// weir bench sample: how long a recipe's network with its initial weights takes to draw a batch of
// samples. Batches are drawn behind one another; the first, with all compiling, warms up.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "bench.h"
#include "train/train.h"

struct clock {
    double s[BENCH_MAX_REPEATS], last;
    int n; // batches done, the first included
};

static void batch_done(void *cookie, int64_t done, int64_t n)
{
    struct clock *c = cookie;
    double now = weir_clock();
    if (c->n++ > 0)
        c->s[c->n - 2] = now - c->last;
    bench_progress("sample", (int)done, (int)n);
    c->last = weir_clock();
}

static enum weir_status draw(struct bench_params *p, const struct weir_run_state *run,
                             struct clock *c)
{
    const struct weir_recipe *r = &run->setup.recipe;
    int64_t batch = r->sample.batch, n = batch * (p->repeats + 1), nfe = 0;
    float *x = calloc((size_t)(n * weir_shape_size(&run->setup.config.item)), sizeof(*x));
    uint64_t *seeds = calloc((size_t)n, sizeof(*seeds));
    int32_t *labels = calloc((size_t)n, sizeof(*labels));
    enum weir_status status =
        x && seeds && labels ? WEIR_OK : weir_fail(&p->log, WEIR_NOMEM, "no memory for samples");
    for (int64_t i = 0; i < n && !status; i++) {
        seeds[i] = (uint64_t)i;
        labels[i] = run->setup.classes ? (int32_t)(i % run->setup.classes) : 0;
    }
    struct weir_sample_params sp = { .n = n,
                                     .seeds = seeds,
                                     .labels = run->setup.classes ? labels : NULL,
                                     .progress = batch_done,
                                     .cookie = c };
    if (!status)
        status = weir_sample(&p->log, p->dev, &run->setup, run->params, &sp, x, &nfe);
    if (!status) {
        char drift[32];
        double median = bench_median(c->s, p->repeats);
        nfe /= p->repeats + 1;
        bench_progress(NULL, 0, 0);
        printf("%" PRId64 " samples by %s, %" PRId64
               " network evaluations: %.1f ms, median of %d (spread %.1f %%)%s\n",
               batch, run->setup.solver->name, nfe, 1e3 * median, p->repeats,
               100 * bench_spread(c->s, p->repeats),
               bench_drift_note(c->s, p->repeats, drift, sizeof(drift)));
        bench_add_row(p, r->name, c->s, p->repeats,
                      json_pack("{s:I, s:I}", "samples", (json_int_t)batch, "network_evaluations",
                                (json_int_t)nfe));
    }
    free(x);
    free(seeds);
    free(labels);
    return status;
}

enum weir_status bench_sample(struct bench_params *p)
{
    struct weir_recipe recipe;
    struct weir_run_state run;
    struct clock *c = calloc(1, sizeof(*c));
    enum weir_status status = c ? WEIR_OK : weir_fail(&p->log, WEIR_NOMEM, "no memory for timings");
    if (!status)
        status = bench_recipe(p, &recipe);
    if (!status)
        status = weir_run_init(&p->log, p->dev, &recipe, false, &run);
    if (!status) {
        run.setup.recipe.sample.n = run.setup.recipe.sample.batch;
        status = p->compile_only ? weir_sample_dump(&p->log, p->dev, &run.setup, run.params, false, NULL) : draw(p, &run, c);
        weir_run_finish(&run);
    }
    free(c);
    return status;
}

// SPDX-License-Identifier: Apache-2.0
// The training loop: batches in, updates out, logs and checkpoints between. The host looks at results
// only when it writes a log row, so steps are queued ahead.
#include "train/train.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "data/csv.h"
#include "data/events.h"
#include "weir/formats.h"

// The last two are those of f16 runs.
enum { COL_LOSS, COL_GRAD, COL_LR, COL_SECONDS, COL_SCALE, COL_SKIPPED, N_COLUMNS, N_UNSCALED = COL_SCALE };
static const char *const columns[N_COLUMNS] = { "loss", "grad_norm", "learning_rate", "seconds", "loss_scale", "skipped" };

struct training {
    struct weir_log log;
    const struct weir_train_params *p;
    struct weir_recipe recipe;
    struct weir_run_state run;
    weir_step *step;
    weir_loader *loader;
    weir_csv *csv;
    weir_events *events;
    float *data[WEIR_STEP_MAX_ACCUMULATE];
    int32_t *label[WEIR_STEP_MAX_ACCUMULATE];
    int64_t done;     // updates done
    int64_t position; // of the loader after them
    double start, last_time;
    int64_t last_step;
    struct weir_scaler_state scaler; // after the last update looked at
};

static double learning_rate(const struct training *t, int64_t index)
{
    const struct weir_recipe *r = &t->recipe;
    return r->optimizer.learning_rate * weir_schedule_factor(t->run.setup.schedule, index, r->train.steps,
                                                             r->optimizer.warmup, r->optimizer.schedule_floor);
}

static void note(const struct training *t, const char *text)
{
    if (t->p->note)
        t->p->note(t->p->cookie, text);
}

static enum weir_status open_logs(struct training *t, int64_t last_step)
{
    char path[600];
    snprintf(path, sizeof(path), "%s/log.csv", t->p->out_dir);
    int n = t->run.setup.precision == WEIR_F16 ? N_COLUMNS : N_UNSCALED;
    enum weir_status status = weir_csv_open(&t->log, path, columns, n, last_step, &t->csv);
    snprintf(path, sizeof(path), "%s/events.out.tfevents.0.weir", t->p->out_dir);
    if (!status)
        status = weir_events_open(&t->log, path, (double)time(NULL), last_step, &t->events);
    return status;
}

static enum weir_status open_loader(struct training *t)
{
    const struct weir_recipe *r = &t->recipe;
    struct weir_loader_params lp = { .data = t->run.data, .batch = r->train.batch, .seed = (uint64_t)r->train.seed,
                                     .position = t->position };
    size_t item = (size_t)weir_shape_size(&t->run.setup.config.item), rows = (size_t)r->train.batch;
    for (int i = 0; i < r->train.accumulate; i++) {
        t->data[i] = calloc(rows * item, sizeof(float));
        t->label[i] = calloc(rows, sizeof(int32_t));
        if (!t->data[i] || !t->label[i])
            return weir_fail(&t->log, WEIR_NOMEM, "no memory for a batch of %zu items", rows);
    }
    return weir_loader_create(&t->log, &lp, &t->loader);
}

// Fresh: an existing run is not overwritten without being told so. Resumed: the checkpoint's recipe
// must be the one asked for, but for its length and its logging.
static enum weir_status choose_start(struct training *t, struct weir_checkpoint_info *info)
{
    const char *dir = t->p->out_dir;
    struct weir_recipe saved;
    char path[600];
    snprintf(path, sizeof(path), "%s/checkpoints", dir);
    if (!t->p->resume) {
        if (weir_dir_exists(path))
            return weir_fail(&t->log, WEIR_INVALID, "%s: there is a run here already: --resume goes on with it, --out "
                             "names another folder", dir);
        return weir_mkdirs(&t->log, dir);
    }
    weir_checkpoint_sweep(&t->log, dir);
    enum weir_status status = weir_checkpoint_find(&t->log, dir, info);
    if (!status)
        status = weir_checkpoint_read_state(&t->log, info, t->p->any_numerics, &saved);
    if (status)
        return status;
    if (strcmp(saved.numerics, t->recipe.numerics) && !t->p->any_numerics)
        return weir_fail(&t->log, WEIR_UNSUPPORTED, "%s: trained with %s numerics, and asked to go on with %s: other bits "
                         "(--numerics %s goes on as it was, --any-numerics goes on all the same)", info->path,
                         saved.numerics, t->recipe.numerics, saved.numerics);
    struct weir_recipe a = saved, b = t->recipe;
    memcpy(a.numerics, b.numerics, sizeof(a.numerics));
    a.train.steps = b.train.steps;
    a.train.save_every = b.train.save_every;
    a.train.sample_every = b.train.sample_every;
    a.train.log_every = b.train.log_every;
    a.train.keep = b.train.keep;
    a.sample = b.sample;
    struct weir_strbuf ta = { 0 }, tb = { 0 };
    weir_recipe_text(&a, &ta);
    weir_recipe_text(&b, &tb);
    bool same = ta.s && tb.s && !strcmp(ta.s, tb.s);
    weir_strbuf_free(&ta);
    weir_strbuf_free(&tb);
    if (!same)
        return weir_fail(&t->log, WEIR_INVALID, "%s: the checkpoint was trained with another recipe; only train.steps, "
                         "save_every, sample_every, log_every, keep and sample.* may change", info->path);
    t->scaler = info->scaler;
    t->done = info->step;
    t->position = info->position;
    return WEIR_OK;
}

static enum weir_status write_recipe(struct training *t)
{
    char path[600];
    struct weir_strbuf text = { 0 };
    snprintf(path, sizeof(path), "%s/recipe.json", t->p->out_dir);
    enum weir_status status = weir_recipe_text(&t->recipe, &text);
    if (!status)
        status = weir_file_write(&t->log, path, text.s, text.n);
    weir_strbuf_free(&text);
    return status;
}

static void note_step(const struct weir_train_params *p, const struct weir_run_state *run, const weir_step *step)
{
    const struct weir_program_info *pi = weir_step_info(step);
    double n = (double)weir_params_elements(run->params) * 1e-6;
    char text[320];
    int at = snprintf(text, sizeof(text), "%s, %s numerics: %.2f M parameters, %s; a step is %d launches, %.0f MB of tensors planned in %.0f MB, "
                      "%.0f MB of device memory with states and inputs; compiled in %.1f s", run->setup.recipe.model.name, run->setup.recipe.numerics, n,
                      run->setup.recipe.train.precision, pi->launches, 1e-6 * (double)pi->live, 1e-6 * (double)pi->peak,
                      1e-6 * (double)(pi->peak + pi->inputs + pi->constants + pi->states), pi->compile_s);
    if (pi->recomputed)
        snprintf(text + at, sizeof(text) - (size_t)at, "; %d operations computed again rather than kept: %.2f GFLOP, %.0f MB",
                 pi->recomputed, 1e-9 * pi->recomputed_flop, 1e-6 * (double)pi->recomputed_bytes);
    if (p->note)
        p->note(p->cookie, text);
}

static enum weir_status start(struct training *t)
{
    struct weir_checkpoint_info info = { 0 };
    enum weir_status status = choose_start(t, &info);
    if (!status)
        status = weir_run_init(&t->log, t->p->dev, &t->recipe, true, &t->run);
    if (!status && t->p->resume)
        status = weir_checkpoint_load(&t->log, &info, t->run.params, true);
    if (!status)
        status = write_recipe(t);
    if (!status)
        status = open_logs(t, t->p->resume ? t->done : -1);
    if (!status)
        status = open_loader(t);
    if (!status)
        status = weir_step_create(&t->log, t->p->dev, &t->run.setup, t->run.params,
                                  &(struct weir_compile_params) { .dump_dir = t->p->dump_dir, .memory = t->p->memory },
                                  &t->step);
    if (!status && t->p->resume)
        status = weir_step_set_scaler(t->step, &t->scaler);
    if (status)
        return status;
    note_step(t->p, &t->run, t->step);
    t->start = t->last_time = weir_clock();
    t->last_step = t->done;
    return WEIR_OK;
}

static enum weir_status one_step(struct training *t)
{
    size_t item = (size_t)weir_shape_size(&t->run.setup.config.item), rows = (size_t)t->recipe.train.batch;
    for (int i = 0; i < t->recipe.train.accumulate; i++) {
        const float *x;
        const int32_t *label;
        enum weir_status status = weir_loader_next(t->loader, &x, &label);
        if (status)
            return status;
        memcpy(t->data[i], x, rows * item * sizeof(*x));
        memcpy(t->label[i], label, rows * sizeof(*label));
    }
    enum weir_status status = weir_step_run(t->step, t->done, (const float *const *)t->data,
                                            (const int32_t *const *)t->label);
    if (!status) {
        t->done++;
        t->position = weir_loader_position(t->loader);
    }
    return status;
}

static enum weir_status save(struct training *t, const char *why)
{
    struct weir_checkpoint_info info = { .step = t->done, .position = t->position, .item = t->run.data->item,
                                         .classes = t->run.data->n_classes, .scaler = t->scaler };
    enum weir_status status = weir_checkpoint_save(&t->log, t->p->out_dir, &t->recipe, t->run.params,
                                                   t->recipe.train.keep, &info);
    char text[700];
    snprintf(text, sizeof(text), "saved %s (%s), digest %016" PRIx64, info.path, why, info.digest);
    if (!status)
        note(t, text);
    return status;
}

// A loss or gradient was not finite: the device kept the state of the last good step.
static enum weir_status not_finite(struct training *t, const struct weir_step_result *r)
{
    int bad = weir_step_bad_param(t->step);
    int64_t seen = t->done;
    t->scaler = r->scaler;
    t->done = r->bad_step;
    t->position = r->bad_step * t->recipe.train.batch * t->recipe.train.accumulate;
    enum weir_status saved = save(t, "the last good state");
    return weir_fail(&t->log, WEIR_NONFINITE, "step %" PRId64 ": loss %g, gradient norm %g at step %" PRId64 "; first tensor "
                     "with a gradient that is not finite: %s. %s", r->bad_step, (double)r->loss, (double)r->grad_norm,
                     seen - 1, bad >= 0 ? weir_params_row(t->run.params, bad)->name : "none, the loss itself",
                     saved ? "The last good state could not be saved." : "The state before that step was saved; a lower "
                     "learning rate or a smaller optimizer.clip may help.");
}

static enum weir_status log_row(struct training *t)
{
    struct weir_step_result r;
    enum weir_status status = weir_step_result(t->step, &r);
    if (status)
        return status;
    if (!r.ok)
        return not_finite(t, &r);
    t->scaler = r.scaler;
    double at = weir_clock(), lr = learning_rate(t, t->done - 1), wall = (double)time(NULL);
    struct weir_progress p = { .step = t->done, .steps = t->recipe.train.steps, .loss = r.loss, .grad_norm = r.grad_norm,
                               .learning_rate = lr, .loss_scale = r.scaler.scale, .skipped = r.scaler.skipped,
                               .seconds = at - t->start };
    p.rate = at > t->last_time && t->done > t->last_step ? (double)(t->done - t->last_step) / (at - t->last_time) : 0;
    t->last_time = at;
    t->last_step = t->done;
    if (t->p->progress)
        t->p->progress(t->p->cookie, &p);
    status = weir_csv_row(t->csv, t->done, (const double[N_COLUMNS]) { r.loss, r.grad_norm, lr, p.seconds, p.loss_scale, (double)p.skipped });
    if (!status)
        status = weir_events_scalar(t->events, wall, t->done, "loss", r.loss);
    if (!status)
        status = weir_events_scalar(t->events, wall, t->done, "grad_norm", r.grad_norm);
    if (!status)
        status = weir_events_scalar(t->events, wall, t->done, "learning_rate", (float)lr);
    if (!status && p.loss_scale > 0)
        status = weir_events_scalar(t->events, wall, t->done, "loss_scale", r.scaler.scale);
    if (!status && p.loss_scale > 0)
        status = weir_events_scalar(t->events, wall, t->done, "skipped", (float)p.skipped);
    return status;
}

static enum weir_status add_event_image(struct training *t, const char *path)
{
    struct weir_image image = { 0 };
    unsigned char *png = NULL;
    size_t size = 0;
    enum weir_status status = weir_png_read(&t->log, path, &image);
    if (!status)
        status = weir_png_encode(&t->log, &image, NULL, 0, &png, &size);
    if (!status)
        status = weir_events_image(t->events, (double)time(NULL), t->done, "samples", image.width, image.height,
                                   image.channels, png, size);
    free(png);
    weir_image_finish(&image);
    return status;
}

static enum weir_status sample_grid(struct training *t, const char *path)
{
    const struct weir_setup *setup = &t->run.setup;
    int64_t n = setup->recipe.sample.n, item = weir_shape_size(&setup->config.item);
    uint64_t *seeds = calloc((size_t)n, sizeof(*seeds));
    int32_t *labels = calloc((size_t)n, sizeof(*labels));
    float *x = calloc((size_t)(n * item), sizeof(*x));
    enum weir_status status = seeds && labels && x ? WEIR_OK : weir_fail(&t->log, WEIR_NOMEM, "no memory for samples");
    for (int64_t i = 0; i < n && !status; i++)
        seeds[i] = (uint64_t)i;
    if (!status) {
        weir_grid_labels(setup, n, labels);
        note(t, "sampling");
        struct weir_sample_params sp = { .n = n, .seeds = seeds, .labels = setup->classes ? labels : NULL, .use_ema = true };
        status = weir_sample(&t->log, t->p->dev, setup, t->run.params, &sp, x, NULL);
    }
    if (!status)
        status = weir_samples_png(&t->log, path, setup, x, n);
    if (!status)
        status = add_event_image(t, path);
    free(seeds);
    free(labels);
    free(x);
    t->last_time = weir_clock();
    t->last_step = t->done;
    return status;
}

static bool every(int64_t step, int64_t n)
{
    return n > 0 && step % n == 0;
}

// Drivers go on compiling while the first step runs: it is waited for, said, and left out of the rate.
static enum weir_status first_step(struct training *t)
{
    struct weir_step_result r;
    char text[64];
    enum weir_status status = one_step(t);
    if (!status)
        status = weir_step_result(t->step, &r);
    snprintf(text, sizeof(text), "first step in %.1f s", weir_clock() - t->last_time);
    t->last_time = weir_clock();
    t->last_step = t->done;
    if (!status)
        note(t, text);
    return status;
}

static enum weir_status loop(struct training *t)
{
    const struct weir_recipe *r = &t->recipe;
    enum weir_status status = WEIR_OK;
    char path[600];
    bool first = true;
    while (t->done < r->train.steps && !status) {
        status = first ? first_step(t) : one_step(t);
        first = false;
        bool last = t->done == r->train.steps, stop = t->p->stop && *t->p->stop;
        bool saves = last || stop || every(t->done, r->train.save_every);
        if (!status && (saves || every(t->done, r->train.log_every)))
            status = log_row(t);
        if (!status && saves)
            status = save(t, last ? "the end" : stop ? "interrupted" : "periodic");
        if (!status && stop && !last)
            return weir_fail(&t->log, WEIR_INTERRUPTED, "interrupted after step %" PRId64 "; --resume goes on from there", t->done);
        if (!status && !last && every(t->done, r->train.sample_every)) {
            snprintf(path, sizeof(path), "%s/samples-%09" PRId64 ".png", t->p->out_dir, t->done);
            status = sample_grid(t, path);
        }
    }
    snprintf(path, sizeof(path), "%s/samples.png", t->p->out_dir);
    if (!status)
        status = sample_grid(t, path);
    if (!status) {
        char text[700];
        snprintf(text, sizeof(text), "wrote %s", path);
        note(t, text);
    }
    return status;
}

// The device is gone, as after a driver's reset: what was trained since the last checkpoint is, too.
static void name_last_checkpoint(const struct training *t)
{
    struct weir_checkpoint_info info = { 0 };
    if (weir_checkpoint_find(NULL, t->p->out_dir, &info) == WEIR_OK)
        weir_logf(&t->log, WEIR_LOG_ERROR, "the device failed after step %" PRId64 "; the last checkpoint is %s: --resume goes "
                  "on from it", t->done, info.path);
    else
        weir_logf(&t->log, WEIR_LOG_ERROR, "the device failed after step %" PRId64 ", before the first checkpoint", t->done);
}

enum weir_status weir_train(const struct weir_log *log, const struct weir_train_params *params)
{
    struct training *t = calloc(1, sizeof(*t));
    if (!t)
        return weir_fail(log, WEIR_NOMEM, "no memory for a training run");
    if (log)
        t->log = *log;
    t->p = params;
    t->recipe = params->recipe;
    enum weir_status status = start(t);
    if (!status)
        status = loop(t);
    if (status == WEIR_DEVICE)
        name_last_checkpoint(t);
    weir_loader_destroy(&t->loader);
    weir_step_destroy(&t->step);
    weir_csv_close(&t->csv);
    weir_events_close(&t->events);
    weir_run_finish(&t->run);
    for (int i = 0; i < WEIR_STEP_MAX_ACCUMULATE; i++) {
        free(t->data[i]);
        free(t->label[i]);
    }
    free(t);
    return status;
}

enum weir_status weir_train_dump(const struct weir_log *log, const struct weir_train_params *params)
{
    struct weir_run_state run = { 0 };
    weir_step *step = NULL;
    enum weir_status status = weir_run_init(log, params->dev, &params->recipe, true, &run);
    if (!status)
        status = weir_step_create(log, params->dev, &run.setup, run.params,
                                  &(struct weir_compile_params) { .dump_dir = params->dump_dir, .memory = params->memory },
                                  &step);
    if (!status)
        note_step(params, &run, step);
    if (!status)
        status = weir_sample_dump(log, params->dev, &run.setup, run.params, params->recipe.train.ema > 0,
                                  params->dump_dir);
    weir_step_destroy(&step);
    weir_run_finish(&run);
    return status;
}

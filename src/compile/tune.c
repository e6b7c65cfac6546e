// SPDX-License-Identifier: Apache-2.0
// The tuner's search. Candidates meet in heats: those of a heat are built, checked and then timed
// in turn, run by run, so that a machine that slows down slows them all. The first heat has the
// choice of each kernel's own model; the next ones what differs from the best so far in one thing.
// The model's choice is in every heat, and is what stays unless another is clearly faster.
#include "compile/tune.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compile/contract_parts.h"
#include "compile/tune_op.h"
#include "graph/ops/rows.h"

// Timed runs of each candidate of a heat, of which the median counts; one that is slower than the
// best by DROP in the first run gets no more. GAIN: what a candidate must be faster than the
// model's choice.
enum { HEAT = 40, RUNS = 5, DUELS = 9, MAX_FORCED = 4, HEATS = 4 };
#define DROP 1.4
#define GAIN .97
#define RUN_S .01

struct entry {
    struct weir_candidate candidate;
    char text[160];
    weir_program *program;
    int replays; // a timed run
    double s[RUNS], median;
};

// The search for one gather.
struct search {
    struct weir_tune_op *op;
    const struct weir_tuner *tuner;
    struct weir_emit e; // as `like`, for questions: with the tuner's kernels
    uint64_t key;
    const struct weir_gather *g;
    char shape[96];
    struct weir_forced
        forced[MAX_FORCED]; // the last is the candidate's; those before lead to this gather
    int n_forced;
    struct entry heat[HEAT];
    int n;
    char (*tried)[160];
    int n_tried, cap_tried;
};

static const struct weir_tuner defaults;

const struct weir_tuner *weir_tuner_of(const struct weir_tuning *t)
{
    return t->tuner ? t->tuner : &defaults;
}

void weir_tune_tell(const struct weir_tuner *tuner, const struct weir_tune_event *event)
{
    if (tuner->event)
        tuner->event(tuner->cookie, event);
}

double weir_tune_median(const double *s, int n)
{
    double sorted[WEIR_TUNE_RUNS];
    for (int i = 0; i < n; i++) {
        int at = i;
        for (; at > 0 && sorted[at - 1] > s[i]; at--)
            sorted[at] = sorted[at - 1];
        sorted[at] = s[i];
    }
    return sorted[n / 2];
}

static bool was_tried(const struct search *s, const char *text)
{
    for (int i = 0; i < s->n_tried; i++)
        if (!strcmp(s->tried[i], text))
            return true;
    return false;
}

static bool remember(struct search *s, const char *text)
{
    if (s->n_tried == s->cap_tried) {
        int cap = s->cap_tried ? 2 * s->cap_tried : 64;
        void *grown = realloc(s->tried, (size_t)cap * sizeof(*s->tried));
        if (!grown)
            return false;
        s->tried = grown;
        s->cap_tried = cap;
    }
    snprintf(s->tried[s->n_tried++], sizeof(*s->tried), "%s", text);
    return true;
}

// Says what comes next, so that who watches knows what hangs or crashes.
static void announce(const struct search *s, const struct entry *x, enum weir_tune_trial trial)
{
    struct weir_tune_event event = {.what = WEIR_TUNE_TRY,
                                    .trial = trial,
                                    .key = s->key,
                                    .shape = s->shape,
                                    .candidate = x->text};
    weir_tune_tell(s->tuner, &event);
}

enum weir_status weir_tune_reject(weir_device *dev, const struct weir_tuner *tuner, uint64_t key, const char *shape,
                                  const char *text, const char *why)
{
    struct weir_tune_event event = {
        .what = WEIR_TUNE_REJECTED, .key = key, .shape = shape, .candidate = text};
    weir_logf(&dev->log, WEIR_LOG_WARN, "tuning %s: %s %s; it will not be taken", shape, text, why);
    weir_tune_tell(tuner, &event);
    return weir_tuning_mark_bad(dev, key, text);
}

static enum weir_status reject(struct search *s, const char *text, const char *why)
{
    return weir_tune_reject(s->op->dev, s->tuner, s->key, s->shape, text, why);
}

static enum weir_status time_entry(struct search *s, const struct entry *x, int replays,
                                   double *seconds)
{
    announce(s, x, WEIR_TUNE_TIME);
    return weir_tune_time(s->op->dev, x->program, replays, seconds);
}

// That a candidate does not build is no error of the user's: nothing is logged.
static enum weir_status build_and_check(struct search *s, struct entry *x, bool *good)
{
    struct weir_seen seen = {0};
    weir_device *dev = s->op->dev;
    const struct weir_log log = dev->log;
    dev->log = (struct weir_log){0};
    announce(s, x, WEIR_TUNE_BUILD);
    s->forced[s->n_forced - 1] = (struct weir_forced){s->key, x->candidate};
    enum weir_status status = weir_tune_op_build(s->op, s->forced, s->n_forced, &seen, &x->program);
    if (status == WEIR_OK) {
        announce(s, x, WEIR_TUNE_CHECK);
        status = weir_tune_op_verify(s->op, x->program, x->candidate.kernel->rounding, good);
    }
    dev->log = log;
    return status;
}

// Builds and checks; the entry has no program if it is not to be timed.
static enum weir_status prepare(struct search *s, struct entry *x)
{
    bool good = false;
    enum weir_status status = build_and_check(s, x, &good), kept = WEIR_OK;
    if (status == WEIR_OK && good) {
        double once = 1, run = s->tuner->run_s > 0 ? s->tuner->run_s : RUN_S;
        status = time_entry(s, x, 1, &once);
        x->replays = once * 1000 > run ? 1 + (int)(run / once) : 1000;
        return status;
    }
    weir_program_destroy(&x->program);
    if (status == WEIR_OK)
        kept = reject(s, x->text,
                      s->op->like->fast ? "is too far from the host's result"
                                        : "gives other bits than the host");
    else if (status != WEIR_NOMEM) // that may be better the next time
        kept = reject(s, x->text, "does not build or run");
    // A launch that the driver refuses is the candidate's fault; a device that is gone is not.
    return status == WEIR_DEVICE && weir_device_finish(s->op->dev) != WEIR_OK ? status : kept;
}

// Enters a candidate unless it was tried, or is not to be.
static enum weir_status enter(struct search *s, const struct weir_candidate *candidate)
{
    struct entry *x = &s->heat[s->n];
    struct weir_candidate c = *candidate;
    if (s->n == HEAT || (s->tuner->most && s->n_tried >= s->tuner->most) ||
        !weir_candidate_fits(&s->e, s->g, &c))
        return WEIR_OK;
    if (c.kernel->model)
        c.kernel->model(&s->e, s->g, c.knob);
    *x = (struct entry){.candidate = c};
    weir_candidate_text(&c, x->text, sizeof(x->text));
    if (was_tried(s, x->text) || weir_tuning_is_bad(weir_tuning_of(s->op->dev), s->key, x->text))
        return WEIR_OK;
    if (!remember(s, x->text))
        return WEIR_NOMEM;
    enum weir_status status = prepare(s, x);
    s->n += x->program != NULL;
    return status;
}

// Times the heat; those that are slow in the first run are left at that.
static enum weir_status run_heat(struct search *s)
{
    double best = 0;
    for (int run = 0; run < RUNS; run++)
        for (int i = 0; i < s->n; i++) {
            struct entry *x = &s->heat[i];
            x->s[run] = x->s[0];
            if (run > 0 && x->s[0] > DROP * best)
                continue;
            enum weir_status status = time_entry(s, x, x->replays, &x->s[run]);
            if (status != WEIR_OK)
                return status;
            if (run == 0 && (best == 0 || x->s[0] < best))
                best = x->s[0];
        }
    for (int i = 0; i < s->n; i++)
        s->heat[i].median = weir_tune_median(s->heat[i].s, RUNS);
    return WEIR_OK;
}

// Keeps the model's choice (entry 0) and the best one, which is entry s->n - 1 then.
static void keep_best(struct search *s)
{
    int best = 0;
    for (int i = 1; i < s->n; i++)
        if (s->heat[i].median < s->heat[best].median)
            best = i;
    struct entry winner = s->heat[best];
    for (int i = 1; i < s->n; i++)
        if (i != best)
            weir_program_destroy(&s->heat[i].program);
    s->n = best ? 2 : 1;
    s->heat[s->n - 1] = winner;
}

static enum weir_status enter_variations(struct search *s, const struct weir_candidate from)
{
    struct weir_candidate list[2 * HEAT];
    struct weir_variations v = {.list = list, .max = 2 * HEAT, .thorough = s->tuner->thorough};
    enum weir_status status = WEIR_OK;
    if (from.kernel->vary)
        from.kernel->vary(&s->e, s->g, &from, &v);
    for (int i = 0; i < v.n && status == WEIR_OK; i++)
        status = enter(s, &v.list[i]);
    return status;
}

// The first heat: what the models say.
static enum weir_status enter_models(struct search *s)
{
    const struct weir_contract_kernel *const *kernels = s->e.kernels;
    struct weir_candidate c = weir_candidate_model(&s->e, s->g);
    enum weir_status status = c.kernel ? enter(s, &c) : WEIR_OK;
    const struct weir_candidate model = c;
    for (int i = 0; kernels[i] && status == WEIR_OK; i++) {
        c.kernel = kernels[i];
        for (int k = 0; k < WEIR_MAX_KNOBS; k++)
            c.knob[k] = WEIR_AUTO;
        status = enter(s, &c);
    }
    if (status == WEIR_OK && s->n == 0 &&
        model.kernel) { // they are bad: what is near the first, then
        c = model;
        if (c.kernel->model)
            c.kernel->model(&s->e, s->g, c.knob);
        status = enter_variations(s, c);
    }
    return status;
}

// The first and the last entry once more, run against run: of many candidates one that was lucky
// looks best, and here luck has to strike again. *gain: median of the ratios of neighbouring runs.
static enum weir_status duel(struct search *s, double *gain)
{
    struct entry *best = &s->heat[s->n - 1], *model = &s->heat[0];
    double ratio[DUELS], a[DUELS], b[DUELS];
    enum weir_status status = WEIR_OK;
    for (int i = 0; i < DUELS && status == WEIR_OK; i++) {
        status = time_entry(s, model, model->replays, &a[i]);
        if (status == WEIR_OK)
            status = time_entry(s, best, best->replays, &b[i]);
        ratio[i] = status == WEIR_OK ? b[i] / a[i] : 0;
    }
    if (status != WEIR_OK)
        return status;
    *gain = weir_tune_median(ratio, DUELS);
    model->median = weir_tune_median(a, DUELS);
    best->median = weir_tune_median(b, DUELS);
    return WEIR_OK;
}

static enum weir_status keep(struct search *s)
{
    struct entry *best = &s->heat[s->n - 1], *model = &s->heat[0];
    struct weir_candidate c = weir_candidate_model(&s->e, s->g);
    char text[160];
    double gain = 0;
    if (c.kernel && c.kernel->model)
        c.kernel->model(&s->e, s->g, c.knob);
    weir_candidate_text(&c, text, sizeof(text));
    bool there = !strcmp(model->text, text); // the model's choice may have been rejected
    enum weir_status status = there && best != model ? duel(s, &gain) : WEIR_OK;
    if (status != WEIR_OK)
        return status;
    if (there && gain > GAIN)
        best = model;
    struct weir_tuned row = {.shape = s->shape,
                             .choice = best->text,
                             .model = text,
                             .s = best == model || !there ? best->median : gain * model->median,
                             .model_s = there ? model->median : 0,
                             .tried = s->n_tried};
    weir_tune_tell(s->tuner, &(struct weir_tune_event){
                       .what = WEIR_TUNE_MEASURED, .key = s->key, .shape = s->shape});
    return weir_tuning_put(s->op->dev, s->key, &row);
}

static enum weir_status run_search(struct search *s)
{
    enum weir_status status = enter_models(s);
    char before[160] = "";
    for (int heat = 0; status == WEIR_OK && s->n > 0; heat++) {
        status = run_heat(s);
        if (status != WEIR_OK)
            break;
        keep_best(s);
        bool same = !strcmp(before, s->heat[s->n - 1].text);
        if (same || heat == (s->tuner->thorough ? HEATS : 1))
            break;
        snprintf(before, sizeof(before), "%s", s->heat[s->n - 1].text);
        status = enter_variations(s, s->heat[s->n - 1].candidate);
    }
    if (status == WEIR_OK && s->n > 0)
        status = keep(s);
    for (int i = 0; i < s->n; i++)
        weir_program_destroy(&s->heat[i].program);
    free(s->tried);
    return status;
}

static enum weir_status tune_seen(struct weir_tune_op *op, const struct weir_forced *forced,
                                  int n_forced);

// An image with a border is a candidate too, whose own gather comes first.
static enum weir_status tune_gather(struct weir_tune_op *op, uint64_t key,
                                    const struct weir_gather *g, const struct weir_forced *forced,
                                    int n_forced)
{
    struct weir_tuning *t = weir_tuning_of(op->dev);
    struct search *s = calloc(1, sizeof(*s));
    if (!s)
        return weir_fail(&op->dev->log, WEIR_NOMEM, "no memory to tune");
    *s = (struct search){.op = op,
                         .tuner = weir_tuner_of(t),
                         .e = *op->like,
                         .key = key,
                         .g = g,
                         .n_forced = n_forced + 1};
    s->e.kernels = s->tuner->kernels ? s->tuner->kernels : weir_contract_kernels;
    for (int i = 0; i < n_forced; i++)
        s->forced[i] = forced[i];
    weir_gather_describe(g, s->shape, sizeof(s->shape));
    weir_tuning_set_done(t, key);
    enum weir_status status = WEIR_OK;
    struct weir_forced with[MAX_FORCED];
    for (int i = 0; s->e.kernels[i] && status == WEIR_OK && n_forced + 2 < MAX_FORCED; i++) {
        struct weir_candidate c = {.kernel = s->e.kernels[i]};
        if (c.kernel->emit || !weir_candidate_fits(&s->e, g, &c))
            continue;
        memcpy(with, s->forced, sizeof(with));
        with[n_forced] = (struct weir_forced){key, c};
        status = tune_seen(op, with, n_forced + 1);
    }
    if (status == WEIR_OK)
        status = run_search(s);
    free(s);
    return status;
}

static bool is_forced(const struct weir_forced *forced, int n, uint64_t key)
{
    for (int i = 0; i < n; i++)
        if (forced[i].key == key)
            return true;
    return false;
}

// Tunes every gather of the contraction under these choices. The choice for one may bring others
// up.
static enum weir_status tune_seen(struct weir_tune_op *op, const struct weir_forced *forced,
                                  int n_forced)
{
    struct weir_tuning *t = weir_tuning_of(op->dev);
    const struct weir_tuner *tuner = weir_tuner_of(t);
    for (;;) {
        struct weir_seen seen = {0};
        struct weir_tuned row;
        enum weir_status status = weir_tune_op_build(op, forced, n_forced, &seen, NULL);
        int next = 0;
        while (next < seen.n &&
               (is_forced(forced, n_forced, seen.at[next].key) ||
                weir_tuning_is_done(t, seen.at[next].key)))
            next++;
        if (status != WEIR_OK || next == seen.n)
            return status;
        uint64_t key = seen.at[next].key;
        if (!weir_tuning_choice(t, key) || tuner->again) {
            status = weir_tune_op_load(op);
            if (status == WEIR_OK)
                status = tune_gather(op, key, &seen.at[next].gather, forced, n_forced);
            if (status != WEIR_OK)
                return status;
        }
        weir_tuning_set_done(t, key);
        if (weir_tuning_find(t, key, &row) && row.choice) {
            struct weir_tune_event event = {
                .what = WEIR_TUNE_DONE, .key = key, .shape = row.shape, .row = row};
            weir_tune_tell(tuner, &event);
        }
    }
}

static bool is_number(const struct weir_operand *o)
{
    return o->dtype == WEIR_F32 || weir_is_storage(o->dtype);
}

enum weir_status weir_tune(const struct weir_emit *e)
{
    struct weir_tune_op op;
    // A claimed attention is a contraction too, of more operands, and has one kernel.
    if (!weir_tuning_of(e->dev) || e->epilogue || e->n_in != 2 || !is_number(&e->in[0]) ||
        !is_number(&e->in[1]) || weir_shape_size(&e->out[0].shape) == 0)
        return WEIR_OK;
    struct weir_emit like = *e;
    like.tuning = weir_tuning_of(e->dev);
    like.kernels = weir_tuner_of(like.tuning)->kernels;
    enum weir_status status = weir_tune_op_init(&op, &like);
    if (status == WEIR_OK)
        status = tune_seen(&op, NULL, 0);
    weir_tune_op_finish(&op);
    return status;
}

// SPDX-License-Identifier: Apache-2.0
// The tuner of groups other than contractions: a group is written again and again with other knobs, each time
// as a program of its own over operands of its own. Knobs decide how much a work-item takes, so what counts as
// right are the bits of the kernel that the writer's own model gives, which tests hold to the host's.
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "compile/group_choice.h"
#include "compile/tune_op.h"
#include "graph/graph.h"
#include "graph/ops/rows.h"

// Smaller groups take as long as their launch. The others: as in tune.c.
enum { LEAST_BYTES = 1 << 20, DUELS = 9 };
#define DROP 1.4
#define GAIN .97
#define RUN_S .01

struct bench {
    struct weir_emit_state *c;
    const struct weir_group *g;
    weir_group_writer *write;
    const struct weir_tuner *tuner;
    uint64_t key;
    char shape[96];
    weir_state **state; // by slot of c; NULL: not touched
    void **want;        // by slot: what the model's kernels give; NULL: not written
    void *got;
    int n, tried;
};

// A way to write the group.
struct way {
    struct weir_candidate candidate;
    char text[160];
    weir_program *program;
    int replays;
    double s;
};

static size_t elements_of(const struct weir_slot *s)
{
    return s->size / weir_dtype_size(s->dtype);
}

// Positive numbers of size one, so that logarithms and roots have some, or small whole ones.
static void fill(void *data, const struct weir_slot *s, uint64_t seed)
{
    for (size_t i = 0, n = elements_of(s); i < n; i++) {
        seed = seed * 6364136223846793005u + 1442695040888963407u;
        uint32_t r = (uint32_t)(seed >> 41);
        if (s->dtype == WEIR_F32)
            ((float *)data)[i] = .5f + (float)r * 0x1p-24f;
        else if (weir_is_storage(s->dtype)) // f16: 1/2 to 1; bf16: 1/2 to 2
            ((uint16_t *)data)[i] = (uint16_t)(s->dtype == WEIR_F16 ? 0x3800 | (r & 0x3ff) : 0x3f00 | (r & 0xff));
        else if (weir_dtype_size(s->dtype) == 4)
            ((uint32_t *)data)[i] = r & 7;
        else
            ((uint8_t *)data)[i] = r & 1;
    }
}

// The slot's memory on this bench: made at the first call, with numbers in it.
static enum weir_status operand(struct bench *b, int slot)
{
    const struct weir_slot *s = &b->c->slots[slot];
    if (b->state[slot])
        return WEIR_OK;
    void *data = malloc(s->size);
    enum weir_status status = data ? WEIR_OK : WEIR_NOMEM;
    if (!status)
        status = weir_state_create(b->c->dev, s->dtype, weir_shape((int64_t)elements_of(s)), "operand",
                                   &b->state[slot]);
    if (!status) {
        fill(data, s, (uint64_t)slot);
        status = weir_state_write(b->state[slot], data);
    }
    free(data);
    return status;
}

// All that the launches touch: tensors of the program as states, scratch side by side.
static enum weir_status bind(struct bench *b, struct weir_emit_state *t)
{
    enum weir_status status = WEIR_OK;
    for (int i = 0; i < t->n_launches; i++)
        for (int a = 0; a < t->launches[i].n_args && !status; a++) {
            int slot = t->launches[i].args[a].slot;
            struct weir_slot *s = &t->slots[slot];
            if (slot >= b->n)
                continue;
            status = operand(b, slot);
            *s = (struct weir_slot){.home = WEIR_SLOT_STATE, .dtype = s->dtype, .size = s->size, .alias = -1,
                                    .scope = -1, .first = -1, .last = -1, .state = b->state[slot], .name = s->name};
        }
    for (int i = 0; i < b->n; i++) // what they do not touch takes no place
        if (t->slots[i].home == WEIR_SLOT_ARENA)
            t->slots[i].size = 0;
    weir_tune_place(t);
    return status;
}

// An empty compilation beside c, whose tensors it knows. False: out of memory.
static bool begin(const struct bench *b, const int *knobs, struct weir_emit_state *t)
{
    static const struct weir_compile_params defaults;
    const struct weir_emit_state *c = b->c;
    *t = (struct weir_emit_state){.dev = c->dev, .params = &defaults, .scope = c->scope, .fast = c->fast,
                                  .call_status = c->call_status, .group_knobs = knobs,
                                  .n_slots = b->n, .cap_slots = b->n};
    t->arena = weir_arena_create();
    t->scratch = weir_arena_create();
    t->scope.loop = -1;
    t->scope.n_outputs = 0;
    if (!t->arena || !t->scratch)
        return false;
    t->slots = weir_arena_memdup(t->arena, c->slots, (size_t)b->n * sizeof(*t->slots));
    t->scope.slot_of = weir_arena_memdup(t->arena, c->scope.slot_of, (size_t)c->scope.n_live * sizeof(int));
    return t->slots && t->scope.slot_of;
}

static enum weir_status build(struct bench *b, const int *knobs, weir_program **program)
{
    struct weir_emit_state t;
    struct weir_program *p = calloc(1, sizeof(*p));
    enum weir_status status = begin(b, knobs, &t) && p ? WEIR_OK : WEIR_NOMEM;
    if (status == WEIR_OK)
        status = b->write(&t, b->g);
    if (status == WEIR_OK)
        status = t.status;
    if (status == WEIR_OK)
        status = bind(b, &t);
    if (status == WEIR_OK)
        status = weir_write_module(&t);
    if (p) {
        p->dev = t.dev;
        p->arena = t.arena;
        p->label = "tuner";
    } else {
        weir_arena_destroy(&t.arena);
    }
    if (status == WEIR_OK)
        status = weir_record(&t, p);
    weir_strbuf_free(&t.text);
    weir_arena_destroy(&t.scratch);
    if (status == WEIR_OK)
        *program = p;
    else
        weir_program_destroy(&p);
    return status;
}

// Runs it over poisoned results; *good: they are those of the first that ran.
static enum weir_status check(struct bench *b, weir_program *program, bool first, bool *good)
{
    enum weir_status status = WEIR_OK;
    *good = true;
    for (int i = 0; i < b->n && !status; i++)
        if (b->want[i])
            status = weir_buf_fill(b->state[i]->home->buf, 0, 0x7fc12345u, b->state[i]->room);
    if (!status)
        status = weir_list_replay(b->c->dev, program->list);
    for (int i = 0; i < b->n && !status; i++) {
        const struct weir_slot *s = &b->c->slots[i];
        void *to = first ? b->want[i] : b->got;
        if (!b->want[i])
            continue;
        status = weir_buf_read(b->state[i]->home->buf, 0, to, s->size);
        weir_one_nan(s->dtype, to, (int64_t)elements_of(s));
        *good = *good && !memcmp(to, b->want[i], s->size);
    }
    return status;
}

static void announce(const struct bench *b, const struct way *w, enum weir_tune_trial trial)
{
    weir_tune_tell(b->tuner, &(struct weir_tune_event){.what = WEIR_TUNE_TRY, .trial = trial, .key = b->key,
                                                       .shape = b->shape, .candidate = w->text});
}

static enum weir_status time_way(const struct bench *b, const struct way *w, double *s)
{
    announce(b, w, WEIR_TUNE_TIME);
    return weir_tune_time(b->c->dev, w->program, w->replays, s);
}

// The way has no program if it is not to be timed.
static enum weir_status prepare(struct bench *b, struct way *w, bool first)
{
    weir_device *dev = b->c->dev;
    const struct weir_log log = dev->log;
    bool good = false;
    double run = b->tuner->run_s > 0 ? b->tuner->run_s : RUN_S;
    weir_candidate_text(&w->candidate, w->text, sizeof(w->text));
    if (weir_tuning_is_bad(weir_tuning_of(dev), b->key, w->text))
        return WEIR_OK;
    b->tried++;
    announce(b, w, WEIR_TUNE_BUILD);
    dev->log = (struct weir_log){0};
    enum weir_status status = build(b, w->candidate.knob, &w->program);
    if (status == WEIR_OK) {
        announce(b, w, WEIR_TUNE_CHECK);
        status = check(b, w->program, first, &good);
    }
    dev->log = log;
    if (status == WEIR_OK && good) {
        w->replays = 1;
        status = time_way(b, w, &w->s);
        w->replays = w->s * 1000 > run ? 1 + (int)(run / w->s) : 1000;
        return status;
    }
    weir_program_destroy(&w->program);
    if (status == WEIR_NOMEM) // that may be better the next time
        return WEIR_OK;
    // A launch that the driver refuses is the way's fault; a device that is gone is not.
    enum weir_status kept = weir_tune_reject(dev, b->tuner, b->key, b->shape, w->text,
                                             status == WEIR_OK ? "gives other bits than untuned"
                                                               : "does not build or run");
    return status == WEIR_DEVICE && weir_device_finish(dev) != WEIR_OK ? status : kept;
}

// *ratio: median of b's time over a's, run against run.
static enum weir_status duel(const struct bench *b, struct way *model, struct way *other, double *ratio)
{
    double ratios[DUELS], of_model[DUELS], of_other[DUELS];
    enum weir_status status = WEIR_OK;
    for (int i = 0; i < DUELS && !status; i++) {
        status = time_way(b, model, &of_model[i]);
        if (!status)
            status = time_way(b, other, &of_other[i]);
        ratios[i] = status == WEIR_OK ? of_other[i] / of_model[i] : 0;
    }
    if (status != WEIR_OK)
        return status;
    model->s = weir_tune_median(of_model, DUELS);
    other->s = weir_tune_median(of_other, DUELS);
    *ratio = weir_tune_median(ratios, DUELS);
    return WEIR_OK;
}

// Takes the place of *best if it is faster.
static enum weir_status try_way(struct bench *b, struct way *model, struct way *best, double *least, struct way *w)
{
    double ratio = 1;
    enum weir_status status = prepare(b, w, false);
    if (status == WEIR_OK && w->program && w->s < DROP * model->s)
        status = duel(b, model, w, &ratio);
    if (status == WEIR_OK && ratio < *least) {
        struct way slower = *best;
        *best = *w;
        *w = slower;
        *least = ratio;
    }
    weir_program_destroy(&w->program);
    return status;
}

static enum weir_status search(struct bench *b, struct way *model, struct way *best)
{
    static const struct {
        int up, down;
    } factors[] = {{2, 1}, {1, 2}, {4, 1}, {1, 4}};
    double least = GAIN;
    enum weir_status status = prepare(b, model, true);
    for (int knob = 0; knob < WEIR_GROUP_KNOBS; knob++)
        for (size_t f = 0; f < WEIR_COUNT(factors) && !status && model->program; f++) {
            int64_t value = b->c->group_models[knob] * factors[f].up / factors[f].down;
            struct way w = {.candidate = model->candidate};
            if (value < 1 || value > INT32_MAX || (b->tuner->most && b->tried >= b->tuner->most))
                continue;
            w.candidate.knob[knob] = (int)value;
            status = try_way(b, model, best, &least, &w);
        }
    if (status == WEIR_OK && best->program) // once more: it may have been lucky
        status = duel(b, model, best, &least);
    if (status != WEIR_OK || !model->program)
        return status;
    const struct way *choice = best->program && least < GAIN ? best : model;
    const struct weir_tuned row = {.shape = b->shape, .choice = choice->text, .model = model->text,
                                   .s = choice == best ? least * model->s : model->s, .model_s = model->s,
                                   .tried = b->tried};
    weir_tune_tell(b->tuner,
                   &(struct weir_tune_event){.what = WEIR_TUNE_MEASURED, .key = b->key, .shape = b->shape});
    return weir_tuning_put(b->c->dev, b->key, &row);
}

// What the group's launches touch, and which of it they write.
static enum weir_status bench_init(struct bench *b, int first)
{
    size_t largest = 0;
    b->n = b->c->n_slots;
    b->state = calloc((size_t)b->n, sizeof(*b->state));
    b->want = calloc((size_t)b->n, sizeof(*b->want));
    if (!b->state || !b->want)
        return WEIR_NOMEM;
    for (int i = first; i < b->c->n_launches; i++)
        for (int a = 0; a < b->c->launches[i].n_args; a++) {
            const struct weir_emit_arg *arg = &b->c->launches[i].args[a];
            const struct weir_slot *s = &b->c->slots[arg->slot];
            bool kept = false; // scratch is written anew by each way
            for (int v = 0; v < b->c->scope.n_live; v++)
                kept = kept || b->c->scope.slot_of[v] == arg->slot;
            if (arg->only_read || !kept || b->want[arg->slot])
                continue;
            b->want[arg->slot] = malloc(s->size);
            largest = s->size > largest ? s->size : largest;
            if (!b->want[arg->slot])
                return WEIR_NOMEM;
        }
    b->got = malloc(largest + 1);
    return b->got ? WEIR_OK : WEIR_NOMEM;
}

static void bench_finish(struct bench *b)
{
    for (int i = 0; i < b->n && b->state && b->want; i++) {
        weir_state_destroy(&b->state[i]);
        free(b->want[i]);
    }
    free(b->state);
    free(b->want);
    free(b->got);
}

static size_t bytes_of(const struct weir_emit_state *c, int first)
{
    size_t bytes = 0;
    for (int i = first; i < c->n_launches; i++)
        for (int a = 0; a < c->launches[i].n_args; a++)
            bytes += c->slots[c->launches[i].args[a].slot].size;
    return bytes;
}

static enum weir_status measure(struct bench *b, int first)
{
    struct way model, best = {.program = NULL};
    weir_candidate_parse(weir_group_kernels, "group", &best.candidate);
    model = best;
    enum weir_status status = bench_init(b, first);
    if (status == WEIR_OK)
        status = search(b, &model, &best);
    weir_program_destroy(&model.program);
    weir_program_destroy(&best.program);
    bench_finish(b);
    return status;
}

enum weir_status weir_tune_group(struct weir_emit_state *c, const struct weir_group *g, weir_group_writer *write,
                                 int first, uint64_t key)
{
    struct weir_tuning *t = weir_tuning_of(c->dev);
    struct weir_tuned row;
    struct bench b = {.c = c, .g = g, .write = write, .key = key};
    // In fast mode vectors and single elements may differ in their bits; what exact mode finds is good there too.
    if (!t || c->fast || weir_tuning_is_done(t, key) || bytes_of(c, first) < LEAST_BYTES)
        return WEIR_OK;
    b.tuner = weir_tuner_of(t);
    weir_tuning_set_done(t, key);
    weir_group_describe(g, b.shape, sizeof(b.shape));
    if (!weir_tuning_choice(t, key) || b.tuner->again) {
        enum weir_status status = measure(&b, first);
        if (status != WEIR_OK)
            return status;
    }
    if (weir_tuning_find(t, key, &row) && row.choice)
        weir_tune_tell(b.tuner, &(struct weir_tune_event){
                                    .what = WEIR_TUNE_DONE, .key = key, .shape = row.shape, .row = row});
    return WEIR_OK;
}

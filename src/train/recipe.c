// SPDX-License-Identifier: Apache-2.0
// Recipes: the table of keys and what follows from it.
#include "train/recipe.h"

#include <float.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json.h"

const struct weir_recipe weir_recipe_defaults = {
    .name = "unnamed",
    .numerics = "exact",
    .model = { .name = "mlp" },
    .data = { .name = "moons" },
    .objective = { .name = "cfm", .times = "uniform", .time_std = 1, .p_mean = -1.2, .p_std = 1.2, .sigma_data = .5,
                   .sigma_min = .002, .sigma_max = 80, .rho = 7, .label_drop = .1 },
    .optimizer = { .name = "adamw", .learning_rate = 1e-3, .beta1 = .9, .beta2 = .999, .eps = 1e-8, .momentum = .9,
                   .schedule = "constant", .clip = 1 },
    .train = { .steps = 1000, .batch = 64, .accumulate = 1, .seed = 1, .ema = .999, .precision = "f32", .loss_scale = 65536, .save_every = 500,
               .log_every = 10, .keep = 3 },
    .sample = { .solver = "euler", .steps = 50, .n = 64, .batch = 64, .guidance_scale = 1, .rtol = 1e-5, .atol = 1e-5,
                .churn_max = 1e30, .churn_noise = 1 },
};

enum key_type { KEY_INT, KEY_REAL, KEY_BOOL, KEY_TEXT, KEY_INTS };

struct key {
    const char *path;
    enum key_type type;
    size_t offset;
    double min, max; // KEY_INTS: of each number
    const char *desc;
};

#define AT(member) offsetof(struct weir_recipe, member)
#define INT(path, member, min, max, desc) { path, KEY_INT, AT(member), min, max, desc }
#define REAL(path, member, min, max, desc) { path, KEY_REAL, AT(member), min, max, desc }
#define BOOL(path, member, desc) { path, KEY_BOOL, AT(member), 0, 1, desc }
#define TEXT(path, member, desc) { path, KEY_TEXT, AT(member), 0, 0, desc }

#define BIG 1e15 // practically unlimited counts

static const struct key keys[] = {
    TEXT("name", name, "names the run's folder"),
    TEXT("numerics", numerics, "exact: the same bits on every device; fast: within error bounds"),
    TEXT("model.name", model.name, "`weir list models`"),
    BOOL("model.class_conditional", model.class_conditional, "the network gets the label"),
    INT("model.width", model.width, 0, 65536, "channels (0 = the model's default)"),
    INT("model.depth", model.depth, 0, 1024, "mlp: hidden layers; dit: blocks (0 = default)"),
    INT("model.layers", model.layers, 0, 16, "unet: residual blocks a level (0 = 2)"),
    INT("model.groups", model.groups, 0, 1024, "unet: groups of the norms (0 = 8)"),
    INT("model.heads", model.heads, 0, 256, "attention heads (0 = default)"),
    INT("model.patch", model.patch, 0, 64, "dit: patch edge (0 = 2)"),
    { "model.mult", KEY_INTS, AT(model.mult), 1, 64, "unet: width multiplier of each level ([] = 1 2 4)" },
    BOOL("model.learned_positions", model.learned_positions, "dit: learned instead of sin-cos positions"),
    BOOL("model.zero_init", model.zero_init, "unet: zero-initialised last convolution of each block"),
    TEXT("data.name", data.name, "a toy density, fashion-mnist, idx, npz or folder"),
    TEXT("data.path", data.path, "file or folder (\"\" = the dataset's own place)"),
    TEXT("data.labels", data.labels, "idx: the file of labels (\"\" = none)"),
    TEXT("objective.name", objective.name, "`weir list objectives`"),
    TEXT("objective.times", objective.times, "cfm: uniform or logit-normal"),
    REAL("objective.time_mean", objective.time_mean, -100, 100, "logit-normal: mean of logit t"),
    REAL("objective.time_std", objective.time_std, 0, 100, "logit-normal: its standard deviation"),
    REAL("objective.p_mean", objective.p_mean, -100, 100, "edm: mean of ln sigma"),
    REAL("objective.p_std", objective.p_std, 0, 100, "edm: its standard deviation"),
    REAL("objective.sigma_data", objective.sigma_data, 1e-6, 1e6, "edm: standard deviation of the data"),
    REAL("objective.sigma_min", objective.sigma_min, 1e-9, 1e9, "edm: last noise level of sampling"),
    REAL("objective.sigma_max", objective.sigma_max, 1e-9, 1e9, "edm: first noise level of sampling"),
    REAL("objective.rho", objective.rho, 1, 100, "edm: curvature of the sampling grid"),
    REAL("objective.label_drop", objective.label_drop, 0, 1, "probability of training on the null label"),
    TEXT("optimizer.name", optimizer.name, "`weir list optimizers`"),
    REAL("optimizer.learning_rate", optimizer.learning_rate, 0, 1000, "after warm-up"),
    REAL("optimizer.beta1", optimizer.beta1, 0, 1, "adamw"),
    REAL("optimizer.beta2", optimizer.beta2, 0, 1, "adamw"),
    REAL("optimizer.eps", optimizer.eps, 0, 1, "adamw"),
    REAL("optimizer.weight_decay", optimizer.weight_decay, 0, 1000, "decoupled for adamw; on weights, not biases"),
    REAL("optimizer.momentum", optimizer.momentum, 0, 1, "sgd"),
    BOOL("optimizer.nesterov", optimizer.nesterov, "sgd"),
    INT("optimizer.warmup", optimizer.warmup, 0, BIG, "steps of linear warm-up"),
    TEXT("optimizer.schedule", optimizer.schedule, "constant or cosine"),
    REAL("optimizer.schedule_floor", optimizer.schedule_floor, 0, 1, "cosine: last factor"),
    REAL("optimizer.clip", optimizer.clip, 0, 1e9, "largest global gradient norm (0 = no clipping)"),
    INT("train.steps", train.steps, 1, BIG, "optimizer updates"),
    INT("train.batch", train.batch, 1, 1 << 24, "rows of a microbatch"),
    INT("train.accumulate", train.accumulate, 1, 16, "microbatches a step, a power of two"),
    INT("train.seed", train.seed, 0, 4e15, "seed of everything random"),
    REAL("train.ema", train.ema, 0, 1, "largest decay of the moving average (0 = none)"),
    TEXT("train.precision", train.precision, "f32, bf16 or f16: what linear layers, convolutions and attention take and give"),
    REAL("train.loss_scale", train.loss_scale, 1, 1e30, "f16: the loss scale to begin with, a power of two"),
    INT("train.save_every", train.save_every, 0, BIG, "steps between checkpoints (0 = only the last)"),
    INT("train.sample_every", train.sample_every, 0, BIG, "steps between sample grids (0 = only at the end)"),
    INT("train.log_every", train.log_every, 1, BIG, "steps between log rows"),
    INT("train.keep", train.keep, 1, 1000000, "checkpoints kept"),
    TEXT("sample.solver", sample.solver, "`weir list solvers`"),
    INT("sample.steps", sample.steps, 1, 1000000, "steps of a fixed-step solver"),
    INT("sample.n", sample.n, 1, 1000000, "samples of a grid"),
    INT("sample.batch", sample.batch, 1, 65536, "samples computed at once (no influence on the bits)"),
    REAL("sample.guidance_scale", sample.guidance_scale, 0, 1000, "u + w (c - u); 1 = conditional"),
    REAL("sample.rtol", sample.rtol, 1e-9, 1, "dopri5: relative tolerance"),
    REAL("sample.atol", sample.atol, 1e-9, 1, "dopri5: absolute tolerance"),
    REAL("sample.churn", sample.churn, 0, 1e9, "edm-heun: S_churn"),
    REAL("sample.churn_min", sample.churn_min, 0, 1e30, "edm-heun: S_min"),
    REAL("sample.churn_max", sample.churn_max, 0, 1e30, "edm-heun: S_max"),
    REAL("sample.churn_noise", sample.churn_noise, 0, 100, "edm-heun: S_noise"),
};

static const struct key *find_key(const char *path)
{
    for (size_t i = 0; i < WEIR_COUNT(keys); i++)
        if (!strcmp(keys[i].path, path))
            return &keys[i];
    return NULL;
}

static bool is_block(const char *name)
{
    size_t n = strlen(name);
    for (size_t i = 0; i < WEIR_COUNT(keys); i++)
        if (!strncmp(keys[i].path, name, n) && keys[i].path[n] == '.')
            return true;
    return false;
}

static enum weir_status unknown_key(const struct weir_log *log, const char *file, const char *path)
{
    const char *names[WEIR_COUNT(keys) + 1] = { NULL };
    for (size_t i = 0; i < WEIR_COUNT(keys); i++)
        names[i] = keys[i].path;
    return weir_fail(log, WEIR_INVALID, "%s: unknown key '%s' (did you mean '%s'?)", file, path,
                     weir_nearest(path, names));
}

static enum weir_status wrong(const struct weir_log *log, const char *file, const struct key *key, const json_t *value)
{
    char *found = json_dumps(value, JSON_ENCODE_ANY);
    static const char *const wanted[] = { "an integer", "a number", "true or false", "a text", "a list of at most 8 integers" };
    enum weir_status status;
    if (key->type == KEY_INT || key->type == KEY_REAL || key->type == KEY_INTS)
        status = weir_fail(log, WEIR_INVALID, "%s: %s: expected %s from %g to %g, found %s", file, key->path,
                           wanted[key->type], key->min, key->max, found ? found : "?");
    else
        status = weir_fail(log, WEIR_INVALID, "%s: %s: expected %s, found %s", file, key->path, wanted[key->type],
                           found ? found : "?");
    free(found);
    return status;
}

static bool in_range(const struct key *key, double v)
{
    return v >= key->min && v <= key->max;
}

static bool store_ints(const struct key *key, int64_t *dst, const json_t *value)
{
    size_t n = json_array_size(value);
    if (!json_is_array(value) || n > 8)
        return false;
    int64_t v[8] = { 0 };
    for (size_t i = 0; i < n; i++) {
        json_t *e = json_array_get(value, i);
        if (!json_is_integer(e) || !in_range(key, (double)json_integer_value(e)))
            return false;
        v[i] = json_integer_value(e);
    }
    memcpy(dst, v, sizeof(v));
    return true;
}

static bool store(const struct key *key, struct weir_recipe *r, const json_t *value)
{
    void *dst = (char *)r + key->offset;
    switch (key->type) {
    case KEY_INT:
        if (!json_is_integer(value) || !in_range(key, (double)json_integer_value(value)))
            return false;
        *(int64_t *)dst = json_integer_value(value);
        return true;
    case KEY_REAL:
        if (!json_is_number(value) || !in_range(key, json_number_value(value)))
            return false;
        *(double *)dst = json_number_value(value);
        return true;
    case KEY_BOOL:
        if (!json_is_boolean(value))
            return false;
        *(bool *)dst = json_is_true(value);
        return true;
    case KEY_TEXT:
        if (!json_is_string(value) || json_string_length(value) >= WEIR_RECIPE_TEXT)
            return false;
        memset(dst, 0, WEIR_RECIPE_TEXT);
        strcpy(dst, json_string_value(value));
        return true;
    case KEY_INTS:
        return store_ints(key, dst, value);
    }
    return false;
}

static enum weir_status apply(const struct weir_log *log, const char *file, struct weir_recipe *r, const char *path,
                              const json_t *value)
{
    const struct key *key = find_key(path);
    if (!key)
        return unknown_key(log, file, path);
    return store(key, r, value) ? WEIR_OK : wrong(log, file, key, value);
}

static enum weir_status apply_object(const struct weir_log *log, const char *file, struct weir_recipe *r,
                                     const char *prefix, json_t *object)
{
    const char *name;
    json_t *value;
    json_object_foreach(object, name, value) {
        char path[256];
        snprintf(path, sizeof(path), "%s%s%s", prefix, *prefix ? "." : "", name);
        enum weir_status status;
        if (!*prefix && is_block(name)) {
            if (!json_is_object(value))
                return weir_fail(log, WEIR_INVALID, "%s: %s: expected an object", file, name);
            status = apply_object(log, file, r, name, value);
        } else {
            status = apply(log, file, r, path, value);
        }
        if (status)
            return status;
    }
    return WEIR_OK;
}

enum weir_status weir_recipe_parse(const struct weir_log *log, const char *file, const char *text, size_t size,
                                   struct weir_recipe *out)
{
    json_t *root = NULL;
    enum weir_status status = weir_json_parse(log, file, text, size, &root);
    if (status)
        return status;
    struct weir_recipe r = weir_recipe_defaults;
    if (!json_is_object(root))
        status = weir_fail(log, WEIR_INVALID, "%s: a recipe is a JSON object", file);
    else
        status = apply_object(log, file, &r, "", root);
    json_decref(root);
    if (!status)
        *out = r;
    return status;
}

enum weir_status weir_recipe_set(const struct weir_log *log, struct weir_recipe *recipe, const char *assignment)
{
    const char *eq = strchr(assignment, '=');
    char path[128];
    if (!eq || eq == assignment || (size_t)(eq - assignment) >= sizeof(path))
        return weir_fail(log, WEIR_INVALID, "--set %s: expected key=value", assignment);
    snprintf(path, sizeof(path), "%.*s", (int)(eq - assignment), assignment);
    json_t *value = json_loads(eq + 1, JSON_DECODE_ANY, NULL);
    if (!value)
        value = json_string(eq + 1);
    if (!value)
        return weir_fail(log, WEIR_INVALID, "--set %s: the value is not UTF-8 text", assignment);
    enum weir_status status = apply(log, "--set", recipe, path, value);
    json_decref(value);
    return status;
}

static json_t *load(const struct key *key, const struct weir_recipe *r)
{
    const void *src = (const char *)r + key->offset;
    switch (key->type) {
    case KEY_INT:
        return json_integer(*(const int64_t *)src);
    case KEY_REAL:
        return json_real(*(const double *)src);
    case KEY_BOOL:
        return json_boolean(*(const bool *)src);
    case KEY_TEXT:
        return json_string(src);
    case KEY_INTS: {
        json_t *list = json_array();
        for (int i = 0; i < 8 && ((const int64_t *)src)[i]; i++)
            json_array_append_new(list, json_integer(((const int64_t *)src)[i]));
        return list;
    }
    }
    return NULL;
}

enum weir_status weir_recipe_text(const struct weir_recipe *recipe, struct weir_strbuf *out)
{
    json_t *root = json_object();
    for (size_t i = 0; i < WEIR_COUNT(keys); i++) {
        const char *dot = strchr(keys[i].path, '.');
        json_t *block = root;
        if (dot) {
            char name[32];
            snprintf(name, sizeof(name), "%.*s", (int)(dot - keys[i].path), keys[i].path);
            block = json_object_get(root, name);
            if (!block) {
                json_object_set_new(root, name, json_object());
                block = json_object_get(root, name);
            }
        }
        json_object_set_new(block, dot ? dot + 1 : keys[i].path, load(&keys[i], recipe));
    }
    char *text = json_dumps(root, JSON_INDENT(2) | JSON_REAL_PRECISION(17));
    json_decref(root);
    if (!text)
        return WEIR_NOMEM;
    weir_strbuf_puts(out, text);
    weir_strbuf_puts(out, "\n");
    free(text);
    return out->failed ? WEIR_NOMEM : WEIR_OK;
}

void weir_recipe_keys_markdown(struct weir_strbuf *out)
{
    static const char *const types[] = { "integer", "number", "true/false", "text", "list of integers" };
    for (size_t i = 0; i < WEIR_COUNT(keys); i++) {
        json_t *value = load(&keys[i], &weir_recipe_defaults);
        char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
        weir_strbuf_printf(out, "| `%s` | %s", keys[i].path, types[keys[i].type]);
        if (keys[i].type != KEY_BOOL && keys[i].type != KEY_TEXT)
            weir_strbuf_printf(out, ", %g to %g", keys[i].min, keys[i].max);
        weir_strbuf_printf(out, " | `%s` | %s |\n", text ? text : "", keys[i].desc);
        free(text);
        json_decref(value);
    }
}

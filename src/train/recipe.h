// SPDX-License-Identifier: Apache-2.0
// A recipe: everything that decides a training run, from a JSON file and --set key=value. One table
// (recipe_keys.c) lists every key with its type, range, default and description; parsing, writing,
// checking and docs/recipes.md all follow from it.
#ifndef WEIR_TRAIN_RECIPE_H
#define WEIR_TRAIN_RECIPE_H

#include "base/strbuf.h"
#include "weir/flow.h"
#include "weir/models.h"
#include "weir/optim.h"

enum { WEIR_RECIPE_TEXT = 256 };

struct weir_recipe {
    char name[WEIR_RECIPE_TEXT];
    char numerics[WEIR_RECIPE_TEXT]; // exact, fast
    struct {
        char name[WEIR_RECIPE_TEXT];
        bool class_conditional;
        int64_t width, depth, layers, groups, heads, patch;
        int64_t mult[8];
        bool learned_positions, zero_init;
    } model;
    struct {
        char name[WEIR_RECIPE_TEXT]; // a row of the dataset registry or of the toy densities
        char path[WEIR_RECIPE_TEXT];   // "" = the row's own place
        char labels[WEIR_RECIPE_TEXT]; // idx: the file of labels
    } data;
    struct {
        char name[WEIR_RECIPE_TEXT];
        char times[WEIR_RECIPE_TEXT]; // uniform, logit-normal
        double time_mean, time_std, p_mean, p_std, sigma_data, sigma_min, sigma_max, rho;
        double label_drop;
    } objective;
    struct {
        char name[WEIR_RECIPE_TEXT];
        double learning_rate, beta1, beta2, eps, weight_decay, momentum;
        bool nesterov;
        int64_t warmup;
        char schedule[WEIR_RECIPE_TEXT]; // constant, cosine
        double schedule_floor;
        double clip; // 0 = no clipping
    } optimizer;
    struct {
        int64_t steps, batch, accumulate, seed;
        double ema; // largest decay, 0 = none
        char precision[WEIR_RECIPE_TEXT]; // f32, bf16, f16
        double loss_scale;
        int64_t save_every, sample_every, log_every, keep;
    } train;
    struct {
        char solver[WEIR_RECIPE_TEXT];
        int64_t steps, n, batch;
        double guidance_scale, rtol, atol;
        double churn, churn_min, churn_max, churn_noise;
    } sample;
};

extern const struct weir_recipe weir_recipe_defaults;

// Reads JSON text (`file` is the name in messages) over the defaults.
enum weir_status weir_recipe_parse(const struct weir_log *log, const char *file, const char *text, size_t size,
                                   struct weir_recipe *out);
// Applies "train.steps=100". The value is JSON; what is not JSON is taken as a string.
enum weir_status weir_recipe_set(const struct weir_log *log, struct weir_recipe *recipe, const char *assignment);
// Every key with its value, as indented JSON that parses back to the same recipe.
enum weir_status weir_recipe_text(const struct weir_recipe *recipe, struct weir_strbuf *out);
// One Markdown row a key: | key | type and range | default | meaning |
void weir_recipe_keys_markdown(struct weir_strbuf *out);

#endif

// SPDX-License-Identifier: Apache-2.0
// Training on the host: what a run leaves in its folder beside checkpoints, grids of samples and TensorBoard's
// events; microbatches, whose gradients fold as a tree.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/compiler.h"
#include "base/files.h"
#include "support/events.h"
#include "support/support.h"
#include "train/train.h"
#include "weir/formats.h"

// --- a run ---

enum { SIDE = 8, IMAGES = 12, SAMPLES = 10, STEPS = 5 };
// 10 samples of no class: 4 columns, 3 rows, 2 black pixels around each.
enum { GRID_WIDTH = 4 * (SIDE + 2) + 2, GRID_HEIGHT = 3 * (SIDE + 2) + 2 };

static const char run_text[] =
    "{\"model\": {\"name\": \"unet\", \"width\": 8, \"mult\": [1], \"layers\": 1, \"groups\": 4, \"heads\": 2},"
    " \"data\": {\"name\": \"idx\"}, \"train\": {\"batch\": 2, \"steps\": 5, \"save_every\": 0, \"log_every\": 2},"
    " \"sample\": {\"solver\": \"euler\", \"steps\": 2, \"n\": 10, \"batch\": 10}}";

static void write_images(const char *path)
{
    unsigned char file[16 + IMAGES * SIDE * SIDE] = { 0, 0, 8, 3, 0, 0, 0, IMAGES, 0, 0, 0, SIDE, 0, 0, 0, SIDE };
    uint64_t state = 9;
    for (size_t i = 16; i < sizeof(file); i++)
        file[i] = (unsigned char)(test_next(&state) >> 56);
    test_write(path, file, sizeof(file));
}

// Trains into `dir`; the digest of what it ends with.
static uint64_t train(const char *dir, int sample_every)
{
    struct weir_train_params p = { .dev = test_device("host", 0), .out_dir = dir };
    struct weir_checkpoint_info info = { 0 };
    struct weir_recipe saved;
    const char *images = test_path("images.idx");
    write_images(images);
    test_ok(weir_recipe_parse(&test_log, "run", run_text, strlen(run_text), &p.recipe));
    snprintf(p.recipe.data.path, sizeof(p.recipe.data.path), "%s", images);
    p.recipe.train.sample_every = sample_every;
    test_ok(weir_train(&test_log, &p));
    weir_device_close(&p.dev);
    test_ok(weir_checkpoint_find(&test_log, dir, &info));
    test_ok(weir_checkpoint_read_state(&test_log, &info, false, &saved));
    return info.digest;
}

static void check_grid(const char *path)
{
    struct weir_image image = { 0 };
    test_ok(weir_png_read(&test_log, path, &image));
    ck_assert_int_eq(image.width, GRID_WIDTH);
    ck_assert_int_eq(image.height, GRID_HEIGHT);
    ck_assert_int_eq(image.channels, 1);
    int lit = 0;
    for (int y = 0; y < GRID_HEIGHT; y++)
        for (int x = 0; x < GRID_WIDTH; x++) {
            bool inside = y % (SIDE + 2) >= 2 && x % (SIDE + 2) >= 2;
            int sample = y / (SIDE + 2) * 4 + x / (SIDE + 2);
            lit += image.pixels[y * GRID_WIDTH + x] > 0;
            ck_assert(image.pixels[y * GRID_WIDTH + x] == 0 || (inside && sample < SAMPLES));
        }
    ck_assert_int_gt(lit, SAMPLES * SIDE * SIDE / 2);
    weir_image_finish(&image);
}

START_TEST(grids_while_training)
{
    char dir[256], path[300];
    snprintf(dir, sizeof(dir), "%s", test_path("grids"));
    uint64_t digest = train(dir, 2);
    for (int step = 1; step <= STEPS; step++) { // the last one is samples.png
        snprintf(path, sizeof(path), "%s/samples-%09d.png", dir, step);
        ck_assert_int_eq(weir_file_exists(path), step % 2 == 0);
        if (step % 2 == 0)
            check_grid(path);
    }
    snprintf(path, sizeof(path), "%s/samples.png", dir);
    check_grid(path);
    ck_assert_uint_eq(train(test_path("none"), 0), digest); // sampling changes nothing in training
}
END_TEST

// What the records of a run have to be, in order.
static const struct {
    int step;
    const char *tag;
} wanted[] = {
    { 2, "loss" }, { 2, "grad_norm" }, { 2, "learning_rate" }, { 2, "samples" },
    { 4, "loss" }, { 4, "grad_norm" }, { 4, "learning_rate" }, { 4, "samples" },
    { 5, "loss" }, { 5, "grad_norm" }, { 5, "learning_rate" }, { 5, "samples" },
};

// The number in column `column` of the row of `step` in log.csv.
static float logged(const char *log, int step, int column)
{
    char start[16];
    snprintf(start, sizeof(start), "\n%d,", step);
    const char *at = strstr(log, start);
    for (at = at ? at + 1 : NULL; at && column > 0; column--)
        at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL;
    ck_assert_ptr_nonnull(at);
    return strtof(at, NULL);
}

static void check_event(const unsigned char *p, size_t size, int k, const char *log)
{
    uint64_t step, n, length, bits;
    const unsigned char *summary, *value, *tag, *image;
    ck_assert(test_proto_field(p, size, 2, &step) && step == (uint64_t)wanted[k].step);
    ck_assert_ptr_nonnull(summary = test_proto_field(p, size, 5, &n));
    ck_assert_ptr_nonnull(value = test_proto_field(summary, n, 1, &n));
    ck_assert_ptr_nonnull(tag = test_proto_field(value, n, 1, &length));
    ck_assert_msg(length == strlen(wanted[k].tag) && !memcmp(tag, wanted[k].tag, length), "%.*s, not %s", (int)length,
                  (const char *)tag, wanted[k].tag);
    if (!strcmp(wanted[k].tag, "samples")) {
        uint64_t height, width, png_size;
        ck_assert_ptr_nonnull(image = test_proto_field(value, n, 4, &n));
        ck_assert(test_proto_field(image, n, 1, &height) && height == GRID_HEIGHT);
        ck_assert(test_proto_field(image, n, 2, &width) && width == GRID_WIDTH);
        const unsigned char *png = test_proto_field(image, n, 4, &png_size);
        ck_assert_ptr_nonnull(png);
        test_write(test_path("event.png"), png, png_size);
        check_grid(test_path("event.png"));
        return;
    }
    float f;
    ck_assert_ptr_nonnull(test_proto_field(value, n, 2, &bits));
    memcpy(&f, &(uint32_t) { (uint32_t)bits }, sizeof(f));
    ck_assert_float_eq(f, logged(log, wanted[k].step, 1 + k % 4));
}

START_TEST(events_of_a_run)
{
    char dir[256], path[300];
    size_t size, n;
    snprintf(dir, sizeof(dir), "%s", test_path("events"));
    train(dir, 2);
    snprintf(path, sizeof(path), "%s/log.csv", dir);
    char *log = test_read(path, &size);
    snprintf(path, sizeof(path), "%s/events.out.tfevents.0.weir", dir);
    unsigned char *file = (unsigned char *)test_read(path, &size);
    ck_assert(log && file);
    for (int k = 0; k < (int)WEIR_COUNT(wanted); k++) {
        const unsigned char *p = test_record(file, size, 1 + k, &n); // the first names the format
        ck_assert_msg(p != NULL, "%d events, not %zu", k, WEIR_COUNT(wanted));
        check_event(p, n, k, log);
    }
    ck_assert_ptr_null(test_record(file, size, 1 + (int)WEIR_COUNT(wanted), &n));
    free(log);
    free(file);
}
END_TEST

// --- microbatches ---

enum { PARTS = 4, ROWS = 4 };

// Nothing random in it, so that a microbatch's gradient is the same wherever it stands. mean |net(x, 1/2) + 3 x|²
static weir_value *plain_loss(const struct weir_objective_config *c, const struct weir_net *net,
                              const struct weir_random *r, weir_value *data, weir_value *label)
{
    weir_value *half = weir_broadcast(weir_f32(weir_value_graph(data), .5), weir_shape(weir_dim(data, 0)));
    return weir_mse(net->fn(net->ctx, data, half, label), weir_mul_c(data, -3));
}

static const struct weir_objective plain = { .name = "plain", .desc = "", .loss = plain_loss };

static const struct {
    const char *model;
    struct weir_shape item;
} folded[] = {
    { "\"name\": \"mlp\", \"width\": 16, \"depth\": 1", { 1, { 2 } } },
    { "\"name\": \"unet\", \"width\": 8, \"mult\": [1, 2], \"layers\": 1, \"groups\": 4, \"heads\": 2, \"zero_init\": false",
      { 3, { 4, 4, 1 } } },
};

struct run {
    struct weir_recipe recipe;
    struct weir_setup setup;
    weir_params *params;
    weir_step *step;
};

// With momentum 0 and no weight decay the optimizer's one slot is the gradient, and at rate 0 nothing moves.
static void run_init(struct run *r, weir_device *dev, int row, int accumulate)
{
    char text[600];
    snprintf(text, sizeof(text), "{\"model\": {%s, \"class_conditional\": false}, \"data\": {\"name\": \"moons\"},"
             " \"optimizer\": {\"name\": \"sgd\", \"learning_rate\": 0, \"momentum\": 0, \"weight_decay\": 0, \"clip\": 0},"
             " \"train\": {\"batch\": %d, \"accumulate\": %d, \"ema\": 0}}", folded[row].model, ROWS, accumulate);
    *r = (struct run) { 0 };
    test_ok(weir_recipe_parse(&test_log, "folded", text, strlen(text), &r->recipe));
    test_ok(weir_setup_init(&test_log, &r->recipe, &folded[row].item, 0, &r->setup));
    r->setup.objective = &plain;
    test_ok(weir_params_create(&test_log, &r->params));
    test_ok(weir_model_declare(r->setup.model, &r->setup.config, &test_log, r->params));
    test_ok(weir_params_allocate(r->params, dev, 1, false, r->setup.optimizer->n_slots));
    test_ok(weir_step_create(&test_log, dev, &r->setup, r->params, NULL, &r->step));
}

static void run_finish(struct run *r)
{
    weir_step_destroy(&r->step);
    weir_params_destroy(&r->params);
}

// All gradients of one update, malloc'd; *n of them.
static float *gradients(struct run *r, const float *const *data, float *loss, int64_t *n)
{
    struct weir_step_result result;
    float *all = NULL;
    *n = 0;
    test_ok(weir_step_run(r->step, 0, data, NULL));
    test_ok(weir_step_result(r->step, &result));
    *loss = result.loss;
    for (int i = 0; i < weir_params_count(r->params); i++) {
        weir_state *slot = weir_params_row(r->params, i)->slot[0];
        int64_t size = weir_shape_size(weir_state_shape(slot));
        all = realloc(all, (size_t)(*n + size) * sizeof(*all));
        test_ok(weir_state_read(slot, all + *n));
        *n += size;
    }
    return all;
}

// 4 microbatches of 4 rows: the bits of ((0 + 1) + (2 + 3)) / 4, by hand from each alone. That a chain has
// others is seen to. Items are powers of two, so that each loss is a sum times a power of two, too.
START_TEST(microbatches_fold_as_a_tree)
{
    enum { MOST = ROWS * 16 };
    float data[PARTS][MOST], loss[PARTS], all_loss, *part[PARTS];
    const float *rows[PARTS];
    uint64_t state = 12;
    int64_t n;
    int others = 0;
    struct run all, one;
    weir_device *dev = test_device("host", 0);
    for (int k = 0; k < PARTS; k++) {
        rows[k] = data[k];
        for (int i = 0; i < MOST; i++)
            data[k][i] = (float)(int64_t)(test_next(&state) >> 40) * 0x1p-23f - 1.0f;
    }
    run_init(&all, dev, _i, PARTS);
    run_init(&one, dev, _i, 1);
    for (int k = 0; k < PARTS; k++)
        part[k] = gradients(&one, &rows[k], &loss[k], &n);
    float *got = gradients(&all, rows, &all_loss, &n);
    for (int64_t i = 0; i < n; i++) {
        float want = ((part[0][i] + part[1][i]) + (part[2][i] + part[3][i])) * .25f;
        ck_assert_msg(got[i] == want, "gradient %" PRId64 " is %a, not %a", i, (double)got[i], (double)want);
        others += got[i] != (((part[0][i] + part[1][i]) + part[2][i]) + part[3][i]) * .25f;
    }
    ck_assert_float_eq(all_loss, ((loss[0] + loss[1]) + (loss[2] + loss[3])) * .25f);
    ck_assert_int_gt(others, n / 20);
    for (int k = 0; k < PARTS; k++)
        free(part[k]);
    free(got);
    run_finish(&one);
    run_finish(&all);
    weir_device_close(&dev);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("train");
    TCase *tcase = tcase_create("train");
    tcase_set_timeout(tcase, 120);
    tcase_add_test(tcase, grids_while_training);
    tcase_add_test(tcase, events_of_a_run);
    tcase_add_loop_test(tcase, microbatches_fold_as_a_tree, 0, (int)WEIR_COUNT(folded));
    suite_add_tcase(suite, tcase);
    return test_main(suite);
}

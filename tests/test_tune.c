// SPDX-License-Identifier: Apache-2.0
// The tuner on $WEIR_TEST_DEVICE (the host: only what is kept of it): results are found again and
// survive other writers, at the same time too, and damage; candidates are found, each named before it is built,
// checked or timed, and kept; one with wrong bits and one that does not build are left out; a compilation takes
// what is kept, with the same bits.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/files.h"
#include "compile/contract_parts.h"
#include "compile/tune.h"
#include "support/support.h"
#include "weir/ops.h"

enum { M = 24, K = 70, N = 40, MOST = 2, WRITERS = 4, WRITES = 8, GROUPS = 4, GROUP_SIZE = 16 * 17 * 17 * 64 };

static const char *selector;
static char said[4096]; // by the compilation

static weir_device *open_device(const char *folder, uint32_t hidden)
{
    weir_device *dev = NULL;
    struct weir_device_params params = {.selector = selector,
                                        .cache_dir = folder,
                                        .log = test_log,
                                        .caps_mask = hidden,
                                        .skip_selftest = true};
    test_ok(weir_device_open(&params, &dev));
    return dev;
}

// The one file of results in `folder`, changed: cut to `size` bytes unless that is 0, byte `at`
// flipped.
static void damage(const char *folder, size_t at, size_t size)
{
    char path[4096] = "", **names = NULL;
    size_t n = 0, length = 0;
    weir_arena *arena = weir_arena_create();
    test_ok(weir_dir_list(&test_log, folder, arena, &names, &n));
    for (size_t i = 0; i < n; i++)
        if (strncmp(names[i], "tuning-", 7) == 0 && strstr(names[i], ".bin"))
            snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
    char *data = test_read(path, &length);
    ck_assert_ptr_nonnull(data);
    ck_assert_uint_lt(at, length);
    data[at] ^= 1;
    test_write(path, data, size ? size : length);
    free(data);
    weir_arena_destroy(&arena);
}

static const char *choice(weir_device *dev, uint64_t key)
{
    const char *text = weir_tuning_choice(weir_tuning_of(dev), key);
    return text ? text : "";
}

// --- what is kept ---

START_TEST(found_again)
{
    const char *folder = test_path("kept");
    weir_device *one = open_device(folder, 0), *two = open_device(folder, 0), *three;
    struct weir_tuned row = {.shape = "matmul",
                             .choice = "wide:h=2",
                             .model = "wide:h=1",
                             .s = .5,
                             .model_s = .75,
                             .tried = 3},
                      got;
    ck_assert_str_eq(choice(one, 1), "");
    ck_assert_str_eq(choice(two, 1), "");
    test_ok(weir_tuning_put(one, 1, &row));
    test_ok(weir_tuning_mark_bad(two, 1, "wide:h=3")); // knows nothing of the other's yet
    test_ok(weir_tuning_mark_bad(two, 2, "block"));
    row.choice = "wide:h=4";
    test_ok(weir_tuning_put(two, 3, &row));
    three = open_device(folder, 0);
    ck_assert(weir_tuning_find(weir_tuning_of(three), 1, &got));
    ck_assert_str_eq(got.choice, "wide:h=2");
    ck_assert_str_eq(got.model, "wide:h=1");
    ck_assert_str_eq(got.shape, "matmul");
    ck_assert(got.s == .5 && got.model_s == .75 && got.tried == 3);
    ck_assert_str_eq(choice(three, 3), "wide:h=4");
    ck_assert(weir_tuning_is_bad(weir_tuning_of(three), 1, "wide:h=3"));
    ck_assert(!weir_tuning_is_bad(weir_tuning_of(three), 1, "wide:h=2"));
    ck_assert(weir_tuning_find(weir_tuning_of(three), 2, &got) && !got.choice);
    ck_assert(!weir_tuning_find(weir_tuning_of(three), 4, &got));
    weir_device_close(&one);
    weir_device_close(&two);
    weir_device_close(&three);
}
END_TEST

// Whichever of two processes comes first, and also where only one of them knows.
START_TEST(a_bad_choice_is_none)
{
    const char *folder = test_path("bad");
    weir_device *one = open_device(folder, 0), *two = open_device(folder, 0), *three;
    const struct weir_tuned row = {.shape = "matmul", .choice = "wide:h=2", .model = "wide"};
    ck_assert_str_eq(choice(one, 1), "");
    ck_assert_str_eq(choice(two, 1), "");
    test_ok(weir_tuning_put(one, 1, &row));
    test_ok(weir_tuning_mark_bad(two, 1, "wide:h=2"));
    test_ok(weir_tuning_mark_bad(two, 2, "wide:h=2"));
    test_ok(weir_tuning_put(one, 2, &row)); // has not heard of it
    test_ok(weir_tuning_mark_bad(one, 3, "wide:h=1"));
    three = open_device(folder, 0);
    for (uint64_t key = 1; key <= 2; key++) {
        ck_assert_str_eq(choice(one, key), "");
        ck_assert_str_eq(choice(three, key), "");
        ck_assert(weir_tuning_is_bad(weir_tuning_of(three), key, "wide:h=2"));
    }
    ck_assert(weir_tuning_is_bad(weir_tuning_of(three), 3, "wide:h=1"));
    weir_device_close(&one);
    weir_device_close(&two);
    weir_device_close(&three);
}
END_TEST

// What a process of the next test does: rows of its own, and a mark each on the first writer's rows.
static void write_rows(const char *folder, int writer)
{
    weir_device *dev = open_device(folder, 0);
    for (int i = 0; i < WRITES; i++) {
        char text[32];
        snprintf(text, sizeof(text), "wide:h=%d", writer + 1);
        const struct weir_tuned row = {.shape = "matmul", .choice = text, .model = "wide"};
        enum weir_status status = weir_tuning_put(dev, (uint64_t)(writer * WRITES + i), &row);
        snprintf(text, sizeof(text), "block:rows=%d", writer + 1);
        if (status != WEIR_OK || weir_tuning_mark_bad(dev, (uint64_t)i, text) != WEIR_OK)
            _exit(1);
    }
    weir_device_close(&dev);
    _exit(0);
}

START_TEST(writers_at_once)
{
    const char *folder = test_path("writers");
    if (strcmp(selector, "host") != 0)
        return; // a driver need not survive a fork
    for (int w = 0; w < WRITERS; w++) {
        pid_t pid = fork();
        ck_assert_int_ge(pid, 0);
        if (pid == 0)
            write_rows(folder, w);
    }
    for (int w = 0; w < WRITERS; w++) {
        int state = 1;
        ck_assert_int_gt(wait(&state), 0);
        ck_assert_int_eq(state, 0);
    }
    weir_device *dev = open_device(folder, 0);
    for (int w = 0; w < WRITERS; w++)
        for (int i = 0; i < WRITES; i++) {
            char text[32];
            snprintf(text, sizeof(text), "wide:h=%d", w + 1);
            ck_assert_str_eq(choice(dev, (uint64_t)(w * WRITES + i)), text);
            snprintf(text, sizeof(text), "block:rows=%d", w + 1);
            ck_assert(weir_tuning_is_bad(weir_tuning_of(dev), (uint64_t)i, text));
        }
    weir_device_close(&dev);
}
END_TEST

START_TEST(lost_results_are_an_error)
{
    char folder[4096];
    const char *file = test_path("file");
    const struct weir_tuned row = {.shape = "matmul", .choice = "wide", .model = "wide"};
    test_write(file, "", 1);
    snprintf(folder, sizeof(folder), "%s/cache", file);
    weir_device *dev = open_device(folder, 0);
    test_status(weir_tuning_put(dev, 1, &row), WEIR_IO, "cannot be kept in");
    test_status(weir_tuning_mark_bad(dev, 1, "block"), WEIR_IO, "cannot be kept in");
    weir_device_close(&dev);
    dev = open_device(NULL, 0); // asked for: in memory
    test_ok(weir_tuning_put(dev, 1, &row));
    ck_assert_str_eq(choice(dev, 1), "wide");
    weir_device_close(&dev);
}
END_TEST

// Another version of Weir, driver or set of features has another key; see device/cache.c for the
// first two.
START_TEST(damage_is_nothing_known)
{
    const char *folder = test_path("damaged");
    const struct weir_tuned row = {.shape = "matmul", .choice = "wide", .model = "wide"};
    for (int how = 0; how < 5; how++) {
        weir_device *dev = open_device(folder, 0);
        weir_tuning_put(dev, 7, &row);
        weir_device_close(&dev);
        if (how == 1)
            damage(folder, 0, 0); // the head
        else if (how == 2)
            damage(folder, 60, 0); // what it holds
        else if (how == 3)
            damage(folder, 0, 20);
        dev = open_device(folder, how == 4 ? WEIR_CAP_FMA : 0);
        ck_assert_str_eq(choice(dev, 7), how == 0 ? "wide" : "");
        weir_device_close(&dev);
    }
}
END_TEST

START_TEST(candidates_as_text)
{
    struct weir_candidate c;
    char text[160];
    static const char *const good[] = {
        "wide", "wide:h=2,w=7,v=2", "block:rows=36", "border", "library",
        "grouped:rows=16,cols=16,step=8,per_row=4,per_col=4,buffers=1,split=0"};
    static const char *const bad[] = {
        "",        "wid",      "wider",     "wide:",     "wide:x=1",   "wide:h",
        "wide:h=", "wide:h=a", "wide:h=-1", "wide:h=1;", "border:h=1", "wide:h=99999999999"};
    for (size_t i = 0; i < WEIR_COUNT(good); i++) {
        ck_assert_msg(weir_candidate_parse(weir_contract_kernels, good[i], &c), "%s", good[i]);
        ck_assert_str_eq(weir_candidate_text(&c, text, sizeof(text)), good[i]);
    }
    for (size_t i = 0; i < WEIR_COUNT(bad); i++)
        ck_assert_msg(!weir_candidate_parse(weir_contract_kernels, bad[i], &c), "%s", bad[i]);
}
END_TEST

// --- tuning ---

struct log {
    int tries, rejected, done;
    struct weir_tune_event last; // DONE
    char rejects[1024];
    char order[4096]; // b, c, t of each trial, and the first letter of the event for the others
    char named[MOST + 1][160]; // candidates, as they came up
    int times[MOST + 1];
};

static void on_trial(struct log *l, const struct weir_tune_event *event)
{
    int i = 0;
    while (i < l->tries && i < MOST && strcmp(l->named[i], event->candidate) != 0)
        i++;
    if (i == l->tries && i < MOST)
        snprintf(l->named[i], sizeof(l->named[i]), "%s", event->candidate);
    l->times[i] += event->trial == WEIR_TUNE_TIME;
    l->tries += event->trial == WEIR_TUNE_BUILD;
    snprintf(l->order + strlen(l->order), sizeof(l->order) - strlen(l->order), "%c%d", "bct"[event->trial], i);
}

static void on_event(void *cookie, const struct weir_tune_event *event)
{
    struct log *l = cookie;
    if (event->what == WEIR_TUNE_TRY)
        on_trial(l, event);
    else
        strncat(l->order, event->what == WEIR_TUNE_REJECTED ? "R" : event->what == WEIR_TUNE_MEASURED ? "M" : "D",
                sizeof(l->order) - strlen(l->order) - 1);
    if (event->what == WEIR_TUNE_REJECTED) {
        l->rejected++;
        strncat(l->rejects, event->candidate, sizeof(l->rejects) - strlen(l->rejects) - 1);
    }
    if (event->what == WEIR_TUNE_DONE) {
        l->done++;
        l->last = *event;
    }
}

// a b with numbers of its own, which are rounded to `dtype` first.
static void multiply_as(weir_device *dev, enum weir_dtype dtype, const struct weir_compile_params *params, float *dst)
{
    static float a[M * K], b[K * N];
    uint64_t seed = 3;
    weir_graph *g = NULL;
    weir_program *p = NULL;
    for (int i = 0; i < M * K; i++)
        a[i] = (float)(int32_t)(test_next(&seed) >> 32) * 0x1p-31f;
    for (int i = 0; i < K * N; i++)
        b[i] = (float)(int32_t)(test_next(&seed) >> 32) * 0x1p-31f;
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *x = weir_input(g, WEIR_F32, weir_shape(M, K), "a"),
               *w = weir_input(g, WEIR_F32, weir_shape(K, N), "b");
    weir_value *y = dtype == WEIR_F32 ? weir_matmul(x, w, false, false)
                                      : weir_matmul(weir_cast(x, dtype), weir_cast(w, dtype), false, false);
    test_log_clear();
    enum weir_status status = weir_compile(dev, &y, 1, params, &p);
    snprintf(said, sizeof(said), "%s", test_log_text());
    ck_assert_msg(status == WEIR_OK, "%s", said);
    test_ok(weir_run(p, (struct weir_binding[]){{x, a}, {w, b}}, 2));
    test_ok(weir_read(p, 0, dst));
    weir_program_destroy(&p);
    weir_graph_destroy(&g);
}

// `dump`: the folder for texts, or NULL.
static void multiply(weir_device *dev, enum weir_tune tune, const char *dump, float *dst)
{
    multiply_as(dev, WEIR_F32, &(struct weir_compile_params){.tune = tune, .dump_dir = dump}, dst);
}

static void set_tuner(weir_device *dev, const struct weir_tuner *tuner)
{
    weir_tuning_of(dev)->tuner = tuner;
}

static uint32_t mask_of(int grouped)
{
    return grouped ? WEIR_CAP_WIDE : 0;
}

START_TEST(tuned_once_then_taken)
{
    const char *folder = test_path(_i ? "grouped" : "wide"), *dump = test_path("dump");
    float model[M * N], first[M * N], second[M * N];
    weir_device *dev = open_device(folder, mask_of(_i));
    struct log log = {0};
    struct weir_tuner tuner = {.most = MOST, .run_s = 1e-4, .event = on_event, .cookie = &log};
    if (weir_device_is_host(dev)) {
        printf("# skipped: the host has no candidates\n");
        weir_device_close(&dev);
        return;
    }
    multiply(dev, WEIR_TUNE_OFF, NULL, model);
    set_tuner(dev, &tuner);
    multiply(dev, WEIR_TUNE_FULL, NULL, first);
    ck_assert_mem_eq(first, model, sizeof(model));
    ck_assert_msg(log.tries > 1 && log.tries <= MOST && log.done == 1 && log.rejected == 0,
                  "%d tried, %d done, %d rejected", log.tries, log.done, log.rejected);
    // Each is built, checked and timed alone before it runs against others.
    ck_assert_msg(strncmp(log.order, "b0c0t0", 6) == 0 && strstr(log.order, "b1c1t1t"), "%s", log.order);
    ck_assert_msg(strcmp(log.order + strlen(log.order) - 2, "MD") == 0, "%s", log.order);
    ck_assert_msg(log.times[0] >= 6 && log.times[1] >= 2, "timed %d and %d times", log.times[0], log.times[1]);
    multiply(dev, WEIR_TUNE_FULL, NULL, first);
    ck_assert_int_le(log.tries, MOST); // known by now
    uint64_t key = log.last.key;
    ck_assert_str_ne(choice(dev, key), "");
    weir_device_close(&dev);
    // A choice that no model makes.
    const char *odd = _i ? "grouped:rows=4,cols=4,step=8,per_row=4,per_col=4,buffers=1,split=0"
                         : "wide:h=1,w=2,v=1,pack=1,split=0,repeat=3";
    const char *mark = _i ? "#define CT_TILE_ROWS (4)\n" : "#define CT_TILE_W 2\n"; // a model has 8
    for (int taken = 1; taken >= 0; taken--) {
        char path[4200];
        size_t size;
        dev = open_device(folder, mask_of(_i));
        weir_tuning_put(dev, key,
                        &(struct weir_tuned){.shape = "matmul", .choice = odd, .model = ""});
        multiply(dev, taken ? WEIR_TUNE_CACHED : WEIR_TUNE_OFF, dump, second);
        ck_assert_mem_eq(second, model, sizeof(model));
        snprintf(path, sizeof(path), "%s/program.kernels.cl", dump);
        char *text = test_read(path, &size);
        ck_assert_msg(text && !strstr(text, mark) == !taken, "tune %d: not as '%s'", taken, mark);
        free(text);
        snprintf(path, sizeof(path), "%s/program.choices.txt", dump);
        text = test_read(path, &size);
        ck_assert_msg(text && strstr(text, taken ? " tuned " : " model ") && !strstr(text, taken ? " model " : " tuned ") &&
                          !strstr(text, odd) == !taken,
                      "tune %d: %s", taken, text);
        free(text);
        weir_device_close(&dev);
    }
}
END_TEST

// Tuned as well; test_fast_kernels has the library.
START_TEST(operands_of_16_bits)
{
    static const struct {
        enum weir_dtype dtype;
        enum weir_numerics numerics;
    } cases[] = {{WEIR_BF16, WEIR_NUMERICS_EXACT}, {WEIR_F16, WEIR_NUMERICS_FAST}};
    float model[M * N], tuned[M * N];
    weir_device *dev = open_device(NULL, 0);
    struct log log = {0};
    struct weir_tuner tuner = {.most = MOST, .run_s = 1e-4, .event = on_event, .cookie = &log};
    struct weir_compile_params params = {.numerics = cases[_i].numerics, .tune = WEIR_TUNE_OFF};
    if (weir_device_is_host(dev)) {
        weir_device_close(&dev);
        return;
    }
    multiply_as(dev, cases[_i].dtype, &params, model);
    set_tuner(dev, &tuner);
    params.tune = WEIR_TUNE_FULL;
    multiply_as(dev, cases[_i].dtype, &params, tuned);
    if (params.numerics == WEIR_NUMERICS_EXACT)
        ck_assert_mem_eq(tuned, model, sizeof(model));
    ck_assert_msg(log.done == 1 && log.rejected == 0 && log.tries == MOST, "%d tried, %d rejected: %s", log.tries,
                  log.rejected, log.rejects);
    weir_device_close(&dev);
}
END_TEST

// Work of a map, of rows, of columns and of channels, each large enough to be worth measuring.
static void run_groups(weir_device *dev, const struct weir_compile_params *params, float *const *dst)
{
    weir_graph *g = NULL;
    weir_program *p = NULL;
    weir_value *y[GROUPS];
    float *data = malloc(GROUP_SIZE * sizeof(*data));
    uint64_t seed = 5;
    for (int i = 0; i < GROUP_SIZE; i++)
        data[i] = (float)(int32_t)(test_next(&seed) >> 32) * 0x1p-31f;
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *x = weir_input(g, WEIR_F32, weir_shape(16, 17, 17, 64), "x");
    y[0] = weir_exp(x);
    y[1] = weir_softmax(weir_reshape(x, weir_shape(16 * 17, 17 * 64)), 1);
    y[2] = weir_sum(weir_reshape(x, weir_shape(17 * 64, 16 * 17)), weir_axes(0), false);
    y[3] = weir_group_norm(x, 8, NULL, NULL, 1e-5);
    test_ok(weir_compile(dev, y, GROUPS, params, &p));
    test_ok(weir_run(p, &(struct weir_binding){x, data}, 1));
    for (int i = 0; i < GROUPS; i++)
        test_ok(weir_read(p, i, dst[i]));
    weir_program_destroy(&p);
    weir_graph_destroy(&g);
    free(data);
}

struct groups {
    int n, tried, rejected;
    uint64_t key[16];
    char knob[16][16]; // of the last candidate that was no model's
};

static void see_groups(void *cookie, const struct weir_tune_event *event)
{
    struct groups *l = cookie;
    l->tried += event->what == WEIR_TUNE_TRY && event->trial == WEIR_TUNE_BUILD;
    l->rejected += event->what == WEIR_TUNE_REJECTED;
    if (event->what == WEIR_TUNE_TRY)
        sscanf(event->candidate, "group:%15[^=]", l->knob[l->n]);
    if (event->what == WEIR_TUNE_DONE && l->n < 15)
        l->key[l->n++] = event->key;
}

// What other groups than contractions find is used, and has the same bits, whatever it is.
START_TEST(groups_too)
{
    static const char *const knobs[GROUPS] = {"strip", "rows", "vectors", "slice"};
    float *bits[GROUPS], *got[GROUPS];
    const char *dump = test_path("groups");
    weir_device *dev = open_device(NULL, 0);
    struct groups log = {0};
    struct weir_tuner tuner = {.most = 3, .run_s = 1e-4, .event = see_groups, .cookie = &log};
    if (weir_device_is_host(dev)) {
        weir_device_close(&dev);
        return;
    }
    for (int i = 0; i < GROUPS; i++) {
        bits[i] = calloc(GROUP_SIZE, sizeof(float));
        got[i] = calloc(GROUP_SIZE, sizeof(float));
    }
    run_groups(dev, &(struct weir_compile_params){.tune = WEIR_TUNE_OFF}, bits);
    set_tuner(dev, &tuner);
    run_groups(dev, &(struct weir_compile_params){.tune = WEIR_TUNE_FULL}, got);
    for (int i = 0; i < GROUPS; i++)
        ck_assert_mem_eq(got[i], bits[i], GROUP_SIZE * sizeof(float));
    ck_assert_msg(log.n >= GROUPS && log.rejected == 0 && log.tried >= 2 * GROUPS, "%d shapes, %d tried, %d rejected",
                  log.n, log.tried, log.rejected);
    for (int k = 0; k < GROUPS; k++) {
        bool there = false;
        for (int i = 0; i < log.n; i++)
            there = there || !strcmp(log.knob[i], knobs[k]);
        ck_assert_msg(there, "no candidate with another %s", knobs[k]);
    }
    for (int how = 0; how < 2; how++) { // numbers that no model gives, and such as a file may hold
        static const char *const odd[] = {"group:strip=192,rows=3,vectors=5,slice=1",
                                          "group:strip=2147483647,rows=2147483647,vectors=65,slice=3"};
        char path[4200];
        size_t size;
        for (int i = 0; i < log.n; i++)
            test_ok(weir_tuning_put(dev, log.key[i], &(struct weir_tuned){.shape = "", .choice = odd[how], .model = ""}));
        run_groups(dev, &(struct weir_compile_params){.tune = WEIR_TUNE_CACHED, .dump_dir = dump}, got);
        for (int i = 0; i < GROUPS; i++)
            ck_assert_mem_eq(got[i], bits[i], GROUP_SIZE * sizeof(float));
        snprintf(path, sizeof(path), "%s/program.choices.txt", dump);
        char *text = test_read(path, &size);
        ck_assert_msg(text && strstr(text, odd[how]), "%s", text);
        free(text);
    }
    for (int i = 0; i < GROUPS; i++) {
        free(bits[i]);
        free(got[i]);
    }
    weir_device_close(&dev);
}
END_TEST

// It has one kernel, and more operands than a tuner looks at.
START_TEST(attention_is_left_alone)
{
    enum { TOKENS = 17, DEPTH = 16 };
    static float data[TOKENS * DEPTH];
    float out[2][TOKENS * DEPTH];
    weir_device *dev = open_device(NULL, 0);
    struct log log = {0};
    struct weir_tuner tuner = {.event = on_event, .cookie = &log};
    const struct weir_emit nothing_behind = {.dev = dev, .n_in = 3};
    test_ok(weir_tune(&nothing_behind));
    set_tuner(dev, &tuner);
    if (weir_device_is_host(dev)) {
        weir_device_close(&dev);
        return;
    }
    for (int i = 0; i < TOKENS * DEPTH; i++)
        data[i] = (float)(i * 37 % 101) * 0x1p-6f;
    for (int tuned = 0; tuned < 2; tuned++) {
        weir_graph *g = NULL;
        weir_program *p = NULL;
        weir_value *x[3];
        test_ok(weir_graph_create(&test_log, &g));
        for (int i = 0; i < 3; i++)
            x[i] = weir_input(g, WEIR_F32, weir_shape(1, 1, TOKENS, DEPTH), "x");
        weir_value *y = weir_attention(x[0], x[1], x[2], NULL, 0);
        test_ok(weir_compile(dev, &y, 1, &(struct weir_compile_params){.tune = tuned ? WEIR_TUNE_FULL : WEIR_TUNE_OFF},
                             &p));
        test_ok(weir_run(p, (struct weir_binding[]){{x[0], data}, {x[1], data}, {x[2], data}}, 3));
        test_ok(weir_read(p, 0, out[tuned]));
        weir_program_destroy(&p);
        weir_graph_destroy(&g);
    }
    ck_assert_mem_eq(out[0], out[1], sizeof(out[0]));
    ck_assert_str_eq(log.order, "");
    weir_device_close(&dev);
}
END_TEST

// A term too few.
static enum weir_status emit_wrong(struct weir_emit *e, const struct weir_gather *g,
                                   const int *knob)
{
    struct weir_gather less = *g;
    less.term[3].n--;
    struct weir_candidate c = weir_candidate_model(e, &less);
    if (c.kernel->model)
        c.kernel->model(e, &less, c.knob);
    return c.kernel->emit(e, &less, c.knob);
}

static enum weir_status emit_rubbish(struct weir_emit *e, const struct weir_gather *g,
                                     const int *knob)
{
    const char *name = weir_emit_kernel(
        e, "rubbish", "kernel void $K(global float *p0, ulong o0) { p0[o0] = ; }\n");
    struct weir_emit_arg arg = weir_emit_arg(&e->out[0]);
    weir_emit_launch(e, &(struct weir_emit_launch){
                            .kernel = name, .n_args = 1, .args = &arg, .global = {1, 1, 1}});
    return WEIR_OK;
}

// More work-items in a group than the driver takes.
static enum weir_status emit_large(struct weir_emit *e, const struct weir_gather *g, const int *knob)
{
    const char *name = weir_emit_kernel(
        e, "large", "kernel void $K(global float *p0, ulong o0) { p0[o0] = 1.0f; }\n");
    struct weir_emit_arg arg = weir_emit_arg(&e->out[0]);
    const size_t items = 2 * (size_t)e->dev->info.caps.max_group;
    weir_emit_launch(e, &(struct weir_emit_launch){.kernel = name,
                                                   .n_args = 1,
                                                   .args = &arg,
                                                   .global = {items, 1, 1},
                                                   .local = {items, 1, 1}});
    return WEIR_OK;
}

static bool any_fits(const struct weir_emit *e, const struct weir_gather *g, const int *knob)
{
    return true;
}

START_TEST(faulty_ones_are_left_out)
{
    static const struct weir_contract_kernel wrong = {.name = "wrong",
                                                      .fits = any_fits,
                                                      .emit = emit_wrong},
                                             rubbish = {.name = "rubbish",
                                                        .fits = any_fits,
                                                        .emit = emit_rubbish},
                                             large = {.name = "large",
                                                      .fits = any_fits,
                                                      .emit = emit_large};
    static const struct weir_contract_kernel *const kernels[] = {&weir_contract_wide, &wrong,
                                                                 &rubbish, &large, NULL};
    const char *folder = test_path("faulty");
    float model[M * N], tuned[M * N];
    weir_device *dev = open_device(folder, 0);
    struct log log = {0};
    struct weir_tuner tuner = {
        .most = 4, .run_s = 1e-4, .kernels = kernels, .event = on_event, .cookie = &log};
    if (weir_device_is_host(dev)) {
        printf("# skipped: the host has no candidates\n");
        weir_device_close(&dev);
        return;
    }
    multiply(dev, WEIR_TUNE_OFF, NULL, model);
    set_tuner(dev, &tuner);
    multiply(dev, WEIR_TUNE_FULL, NULL, tuned);
    ck_assert_mem_eq(tuned, model, sizeof(model));
    ck_assert_str_eq(log.rejects, "wrongrubbishlarge");
    ck_assert_msg(strstr(said, "wrong gives other bits than the host"), "%s", said);
    ck_assert_msg(strstr(said, "rubbish does not build"), "%s", said);
    ck_assert_msg(strstr(said, "large does not build or run"), "%s", said);
    ck_assert(strncmp(choice(dev, log.last.key), "wide:", 5) == 0);
    weir_device_close(&dev);
    // Not tried again, although measured again.
    dev = open_device(folder, 0);
    ck_assert(weir_tuning_is_bad(weir_tuning_of(dev), log.last.key, "wrong"));
    log = (struct log){0};
    tuner.again = true;
    set_tuner(dev, &tuner);
    multiply(dev, WEIR_TUNE_FULL, NULL, tuned);
    ck_assert_int_eq(log.rejected, 0);
    ck_assert_int_ge(log.tries, 1);
    weir_device_close(&dev);
}
END_TEST

int main(void)
{
    selector = getenv("WEIR_TEST_DEVICE");
    selector = selector ? selector : "host";
    Suite *suite = suite_create("tune");
    TCase *kept = tcase_create("kept"), *tuned = tcase_create("tuned");
    tcase_add_test(kept, found_again);
    tcase_add_test(kept, a_bad_choice_is_none);
    tcase_add_test(kept, writers_at_once);
    tcase_add_test(kept, lost_results_are_an_error);
    tcase_add_test(kept, damage_is_nothing_known);
    tcase_add_test(kept, candidates_as_text);
    tcase_set_timeout(tuned, 60);
    tcase_add_loop_test(tuned, tuned_once_then_taken, 0, 2);
    tcase_add_test(tuned, faulty_ones_are_left_out);
    tcase_add_loop_test(tuned, operands_of_16_bits, 0, 2);
    tcase_add_test(tuned, attention_is_left_alone);
    tcase_add_test(tuned, groups_too);
    suite_add_tcase(suite, kept);
    suite_add_tcase(suite, tuned);
    return test_main(suite);
}

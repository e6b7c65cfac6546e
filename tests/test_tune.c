// SPDX-License-Identifier: Apache-2.0
// The tuner on $WEIR_TEST_DEVICE (the host: only what is kept of it): results are found again and
// survive other writers and damage; candidates are found, checked and kept; one with wrong bits and
// one that does not build are left out; a compilation takes what is kept, with the same bits.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"
#include "compile/contract_parts.h"
#include "compile/tune.h"
#include "support/support.h"
#include "weir/ops.h"

enum { M = 24, K = 70, N = 40, MOST = 2 };

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
        if (strncmp(names[i], "tuning-", 7) == 0)
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
    weir_tuning_put(one, 1, &row);
    weir_tuning_mark_bad(two, 1, "wide:h=3"); // knows nothing of the other's yet
    weir_tuning_mark_bad(two, 2, "block");
    row.choice = "wide:h=4";
    weir_tuning_put(two, 3, &row);
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
        "wide", "wide:h=2,w=7,v=2", "block:rows=36", "border",
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
};

static void on_event(void *cookie, const struct weir_tune_event *event)
{
    struct log *l = cookie;
    l->tries += event->what == WEIR_TUNE_TRY;
    if (event->what == WEIR_TUNE_REJECTED) {
        l->rejected++;
        strncat(l->rejects, event->candidate, sizeof(l->rejects) - strlen(l->rejects) - 1);
    }
    if (event->what == WEIR_TUNE_DONE) {
        l->done++;
        l->last = *event;
    }
}

// a b with numbers of its own; `dump`: the folder for texts, or NULL.
static void multiply(weir_device *dev, enum weir_tune tune, const char *dump, float *dst)
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
    weir_value *y = weir_matmul(x, w, false, false);
    test_log_clear();
    enum weir_status status =
        weir_compile(dev, &y, 1, &(struct weir_compile_params){.tune = tune, .dump_dir = dump}, &p);
    snprintf(said, sizeof(said), "%s", test_log_text());
    ck_assert_msg(status == WEIR_OK, "%s", said);
    test_ok(weir_run(p, (struct weir_binding[]){{x, a}, {w, b}}, 2));
    test_ok(weir_read(p, 0, dst));
    weir_program_destroy(&p);
    weir_graph_destroy(&g);
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
        weir_device_close(&dev);
        return;
    }
    multiply(dev, WEIR_TUNE_OFF, NULL, model);
    set_tuner(dev, &tuner);
    multiply(dev, WEIR_TUNE_FULL, NULL, first);
    ck_assert_mem_eq(first, model, sizeof(model));
    ck_assert_msg(log.tries > 1 && log.tries <= MOST && log.done == 1 && log.rejected == 0,
                  "%d tried, %d done, %d rejected", log.tries, log.done, log.rejected);
    multiply(dev, WEIR_TUNE_FULL, NULL, first);
    ck_assert_int_le(log.tries, MOST); // known by now
    uint64_t key = log.last.key;
    ck_assert_str_ne(choice(dev, key), "");
    weir_device_close(&dev);
    // A choice that no model makes.
    const char *odd = _i ? "grouped:rows=4,cols=4,step=8,per_row=4,per_col=4,buffers=1,split=0"
                         : "wide:h=1,w=2,v=1,pack=1,split=0,repeat=3";
    const char *mark = _i ? "#define CT_TILE_ROWS (4)\n" : "#define CT_REPEAT (3)\n";
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
        ck_assert_msg(text && !strstr(text, mark) == !taken, "tune %d: %s", taken, text);
        free(text);
        weir_device_close(&dev);
    }
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
                                                        .emit = emit_rubbish};
    static const struct weir_contract_kernel *const kernels[] = {&weir_contract_wide, &wrong,
                                                                 &rubbish, NULL};
    const char *folder = test_path("faulty");
    float model[M * N], tuned[M * N];
    weir_device *dev = open_device(folder, 0);
    struct log log = {0};
    struct weir_tuner tuner = {
        .most = 3, .run_s = 1e-4, .kernels = kernels, .event = on_event, .cookie = &log};
    if (weir_device_is_host(dev)) {
        weir_device_close(&dev);
        return;
    }
    multiply(dev, WEIR_TUNE_OFF, NULL, model);
    set_tuner(dev, &tuner);
    multiply(dev, WEIR_TUNE_FULL, NULL, tuned);
    ck_assert_mem_eq(tuned, model, sizeof(model));
    ck_assert_str_eq(log.rejects, "wrongrubbish");
    ck_assert_msg(strstr(said, "wrong gives other bits than the host"), "%s", said);
    ck_assert_msg(strstr(said, "rubbish does not build"), "%s", said);
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
    tcase_add_test(kept, damage_is_nothing_known);
    tcase_add_test(kept, candidates_as_text);
    tcase_set_timeout(tuned, 60);
    tcase_add_loop_test(tuned, tuned_once_then_taken, 0, 2);
    tcase_add_test(tuned, faulty_ones_are_left_out);
    suite_add_tcase(suite, kept);
    suite_add_tcase(suite, tuned);
    return test_main(suite);
}

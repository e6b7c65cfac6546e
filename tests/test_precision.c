// SPDX-License-Identifier: Apache-2.0
// Training in 16 bits: the state of loss scaling against GradScaler's rule, PyTorch's statement of the same
// casts, the device's bits against the host's for networks with every layer, and what the plan saves. On
// $WEIR_TEST_DEVICE, else on the host; in grouped form where $WEIR_TEST_MASK is `grouped`.
#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/eval.h"
#include "support/error_bound.h"
#include "support/small_unet.h"
#include "support/support.h"
#include "train/scaler.h"
#include "weir/formats.h"

// --- the scaler ---

// torch/amp/grad_scaler.py and _amp_update_scale_: growth 2, backoff 1/2, interval 2000.
static void by_rule(struct weir_scaler_state *s, bool going, bool finite)
{
    if (!going)
        return;
    if (!finite) {
        s->scale *= .5f;
        s->good = 0;
        s->skipped++;
    } else if (++s->good == 2000) {
        if (isfinite(s->scale * 2))
            s->scale *= 2;
        s->good = 0;
    }
}

struct scaling {
    weir_device *dev;
    weir_graph *graph;
    weir_program *program;
    weir_value *going, *finite;
    struct weir_scaler scaler;
};

static void scaling_init(struct scaling *t)
{
    const struct weir_scaler_state start = { .scale = 65536 };
    t->dev = test_device("host", 0);
    test_ok(weir_graph_create(&test_log, &t->graph));
    test_ok(weir_scaler_init(t->dev, &start, &t->scaler));
    t->going = weir_input(t->graph, WEIR_U32, weir_scalar_shape, "going");
    t->finite = weir_input(t->graph, WEIR_U32, weir_scalar_shape, "finite");
    weir_value *zero = weir_u32(t->graph, 0), *out = weir_scaler_may_shrink(&t->scaler, t->graph);
    weir_scaler_update(&t->scaler, weir_ne(t->going, zero), weir_ne(t->finite, zero));
    test_ok(weir_compile(t->dev, &out, 1, NULL, &t->program));
}

// One update; whether the scale before it may shrink.
static bool scaling_step(struct scaling *t, struct weir_scaler_state *want, bool going, bool finite)
{
    uint32_t words[2] = { going, finite };
    uint8_t may;
    struct weir_scaler_state got;
    struct weir_binding bind[2] = { { t->going, &words[0] }, { t->finite, &words[1] } };
    test_ok(weir_run(t->program, bind, 2));
    test_ok(weir_read(t->program, 0, &may));
    by_rule(want, going, finite);
    test_ok(weir_scaler_read(&t->scaler, &got));
    ck_assert_msg(got.scale == want->scale && got.good == want->good && got.skipped == want->skipped,
                  "scale %g, good %u, skipped %u; should be %g, %u, %u", (double)got.scale, got.good, got.skipped,
                  (double)want->scale, want->good, want->skipped);
    return may;
}

START_TEST(scaler_follows_the_rule)
{
    static const struct weir_scaler_state starts[] = {
        { 65536, 0, 0 },      { 65536, 1995, 3 },  { 0x1p127f, 1998, 0 }, // cannot grow
        { 0x1p-13f, 1999, 9 }, { 1, 1990, 0xfffffffeu },
    };
    struct scaling t = { 0 };
    uint64_t seed = 11;
    scaling_init(&t);
    for (size_t k = 0; k < WEIR_COUNT(starts); k++) {
        struct weir_scaler_state want = starts[k];
        test_ok(weir_scaler_write(&t.scaler, &want));
        for (int i = 0; i < 40; i++) {
            float before = want.scale;
            uint64_t r = test_next(&seed) >> 32;
            bool may = scaling_step(&t, &want, i < 15 || r % 5 != 0, i < 15 || r % 3 != 0);
            ck_assert_int_eq(may, before > 0x1p-14f);
        }
    }
    weir_program_destroy(&t.program);
    weir_graph_destroy(&t.graph);
    weir_scaler_finish(&t.scaler);
    weir_device_close(&t.dev);
}
END_TEST

// --- PyTorch's statement of the casts (tools/parity/precision.py) ---

// Both round the same numbers to the same 16 bits (the script keeps them from the middles), which leaves no error
// behind (test_bound_rounds). So what differs is f32 arithmetic since the last rounding, by the bound of each element:
// nothing in the output, a sum of 4 exact products in a weight's gradient, sums of at most 16 and an activation's
// derivative in a bias's. A rounding more or fewer is 2^-9 of a number, or 2^-12.
enum { MAX_LEAVES = 16 };

struct golden {
    struct weir_safetensors *file;
    weir_graph *graph;
    weir_params *params;
    struct weir_eval_leaf leaf[MAX_LEAVES], leaf64[MAX_LEAVES]; // for float and for the oracle
    int n_leaves;
    weir_value *weight[MAX_LEAVES], *grad[MAX_LEAVES];
    int n;
};

static const struct weir_file_array *array_of(const struct golden *t, const char *prefix, const char *name)
{
    char path[256];
    snprintf(path, sizeof(path), "%s%s", prefix, name);
    const struct weir_file_array *a = weir_safetensors_find(t->file, path);
    ck_assert_msg(a && a->dtype == WEIR_FILE_F64, "the golden file has no %s", path);
    return a;
}

// A leaf with the file's numbers, which are f32.
static void add_leaf(struct golden *t, weir_value *v, const char *name)
{
    const struct weir_file_array *a = array_of(t, "", name);
    int64_t n = weir_shape_size(&a->shape);
    float *data = malloc((size_t)n * sizeof(*data));
    ck_assert_int_eq(n, weir_shape_size(weir_value_shape(v)));
    for (int64_t i = 0; i < n; i++)
        data[i] = (float)((const double *)a->data)[i];
    t->leaf64[t->n_leaves] = (struct weir_eval_leaf) { v, a->data };
    t->leaf[t->n_leaves++] = (struct weir_eval_leaf) { v, data };
}

static weir_value *input(struct golden *t, const char *name)
{
    const struct weir_file_array *a = array_of(t, "", name);
    weir_value *v = weir_input(t->graph, WEIR_F32, a->shape, name);
    add_leaf(t, v, name);
    return v;
}

// A value on the host, `got`, is within its bound of the oracle, and the oracle is PyTorch's number: double for
// double, by the same bound of arithmetic with 29 bits more, once for each side.
static void check_tensor(const struct golden *t, const char *prefix, const char *name, weir_value *v, const float *got)
{
    const struct weir_file_array *a = array_of(t, prefix, name);
    struct test_bound o;
    char text[160];
    double worst = 0;
    ck_assert_int_eq(weir_value_dtype(v), WEIR_F32); // gradients arrive in f32
    test_bound_run(v, t->leaf64, t->n_leaves, &o);
    ck_assert_int_eq(o.n, weir_shape_size(&a->shape));
    int64_t bad = test_bound_check(&o, got, &worst, text, sizeof(text));
    ck_assert_msg(bad < 0, "%s%s[%lld]: %s", prefix, name, (long long)bad, text);
    for (int64_t i = 0; i < o.n; i++) {
        double want = ((const double *)a->data)[i];
        ck_assert_msg(fabs(o.value[i] - want) <= 2 * 0x1p-29 * o.bound[i], "%s%s[%lld]: %.17g, PyTorch %.17g", prefix,
                      name, (long long)i, o.value[i], want);
    }
    test_bound_free(&o);
}

START_TEST(casts_as_in_pytorch)
{
    static const enum weir_dtype types[] = { WEIR_BF16, WEIR_F16 };
    char path[512], prefix[16];
    struct golden t = { 0 };
    struct weir_model_config config = { .item = weir_shape(2), .width = 16, .depth = 2 };
    snprintf(path, sizeof(path), "%s/precision.safetensors", WEIR_TEST_DATA);
    test_ok(weir_safetensors_read(&test_log, path, &t.file));
    test_ok(weir_graph_create(&test_log, &t.graph));
    test_ok(weir_params_create(&test_log, &t.params));
    ck_assert_ptr_null(weir_model_mlp.configure(&config));
    struct weir_nn nn = { t.params, t.graph, false, types[_i] };
    weir_value *x = input(&t, "in.x"), *time = input(&t, "in.t"), *c = input(&t, "in.c");
    int first = t.graph->n_values;
    weir_value *y = weir_model_mlp.build(&nn, &config, x, time, NULL);
    for (int i = first; i < t.graph->n_values; i++)
        if (t.graph->values[i]->op == weir_op_find("input")) {
            t.weight[t.n++] = t.graph->values[i];
            add_leaf(&t, t.graph->values[i], t.graph->values[i]->name);
        }
    ck_assert_int_eq(t.n, 6);
    weir_grad(weir_sum(weir_mul(y, c), weir_all_axes, false), t.weight, t.grad, t.n);
    weir_value *values[MAX_LEAVES + 1] = { y };
    void *out[MAX_LEAVES + 1];
    memcpy(values + 1, t.grad, (size_t)t.n * sizeof(*values));
    for (int i = 0; i <= t.n; i++)
        out[i] = calloc((size_t)weir_shape_size(weir_value_shape(values[i])), sizeof(float));
    test_ok(weir_eval(values, t.n + 1, weir_isa_best(), 1, t.leaf, t.n_leaves, out));
    snprintf(prefix, sizeof(prefix), "%s.", weir_dtype_name(types[_i]));
    test_bound_rounds = true;
    check_tensor(&t, prefix, "out.y", y, out[0]);
    for (int i = 0; i < t.n; i++) {
        char name[64];
        snprintf(name, sizeof(name), "grad.%s", t.weight[i]->name);
        check_tensor(&t, prefix, name, t.grad[i], out[i + 1]);
    }
    test_bound_rounds = false;
    for (int i = 0; i <= t.n; i++)
        free(out[i]);
    for (int i = 0; i < t.n_leaves; i++)
        free((void *)t.leaf[i].data);
    weir_params_destroy(&t.params);
    weir_graph_destroy(&t.graph);
    weir_safetensors_destroy(&t.file);
}
END_TEST

// --- steps ---

#define DIT "model.name=dit", "model.width=16", "model.depth=1", "model.heads=2", "model.mult=[]"
static const struct {
    const char *sets[8];
} steps[] = {
    { { "train.precision=bf16" } },
    { { "train.precision=f16" } },
    { { "train.precision=bf16", DIT } },
    { { "train.precision=f16", DIT } },
};

static size_t train(weir_device *dev, const char *const *sets, char **bits)
{
    struct small_unet u;
    test_ok(small_unet_create_as(dev, NULL, sets, &u));
    size_t size = small_unet_run(&u, bits);
    small_unet_finish(&u);
    return size;
}

START_TEST(a_step_has_the_hosts_bits)
{
    char *want, *got;
    weir_device *host = test_device("host", 0), *dev = test_device(NULL, 0);
    size_t size = train(host, steps[_i].sets, &want);
    ck_assert_uint_eq(train(dev, steps[_i].sets, &got), size);
    ck_assert_mem_eq(want, got, size);
    free(got);
    weir_device_close(&dev);
    ck_assert_uint_eq(train(host, steps[_i].sets + 1, &got), size); // without the precision
    ck_assert_mem_ne(want, got, size);
    free(want);
    free(got);
    weir_device_close(&host);
}
END_TEST

// For a GPU that is not here: nothing is built, so a batch may be of a size at which activations count.
static size_t planned_peak(const char *precision)
{
    struct weir_device_params params = { .log = test_log, .planned = &weir_caps_gpu };
    struct small_unet u;
    weir_device *dev = NULL;
    test_ok(weir_device_open(&params, &dev));
    test_ok(small_unet_create_as(dev, NULL, (const char *const[]) { precision, "train.batch=512", "train.accumulate=1",
                                                                    NULL }, &u));
    size_t peak = weir_step_info(u.step)->peak;
    small_unet_finish(&u);
    weir_device_close(&dev);
    return peak;
}

START_TEST(what_is_kept_is_smaller)
{
    size_t f32 = planned_peak("train.precision=f32"), bf16 = planned_peak("train.precision=bf16");
    ck_assert_msg(bf16 < f32 && planned_peak("train.precision=f16") == bf16, "f32 %zu bytes, bf16 %zu", f32, bf16);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("precision");
    TCase *tc = tcase_create("precision");
    tcase_set_timeout(tc, 280);
    if (!getenv("WEIR_TEST_DEVICE")) { // what does not depend on the device
        tcase_add_test(tc, scaler_follows_the_rule);
        tcase_add_loop_test(tc, casts_as_in_pytorch, 0, 2);
        tcase_add_test(tc, what_is_kept_is_smaller);
    }
    tcase_add_loop_test(tc, a_step_has_the_hosts_bits, 0, (int)WEIR_COUNT(steps));
    suite_add_tcase(suite, tc);
    return test_main(suite);
}

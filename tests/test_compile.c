// SPDX-License-Identifier: Apache-2.0
// Programs: random graphs give the same bits on the host and on a device, fused and not, with and
// without a memory plan, in wide and grouped form; states, in-place updates, views, host calls and
// bad input. Usage: test-compile [SELECTOR [SEED]]; seeds 1.. are walked otherwise. Exits 77 where there is no
// such device, once all is tested that the host can do.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile/compile.h"
#include "device/opencl/opencl.h"
#include "support/op_case.h"
#include "support/support.h"
#include "weir/weir.h"

enum { VALUES = 48, OUTPUTS = 6, SEEDS = 8, STATES = 3, TIGHT = 1 };

static const char *selector = "opencl:0";
static bool missing; // no such device
static uint64_t only_seed;
static int recomputed; // operations, in all programs so far

struct random_graph {
    weir_graph *g;
    weir_value *v[VALUES * 4], *out[OUTPUTS], *input[3];
    weir_state *state[STATES];
    int n;
    uint64_t seed;
};

static int64_t pick(struct random_graph *r, int64_t n)
{
    return (int64_t)(test_next(&r->seed) >> 20) % n;
}

static weir_value *any(struct random_graph *r)
{
    int from = r->n > 12 && pick(r, 3) ? r->n - 12 : 0; // mostly recent values: long chains
    return r->v[from + pick(r, r->n - from)];
}

// A value that broadcasts with x: x's own shape, a reduced one, or its last axis.
static weir_value *mate(struct random_graph *r, weir_value *x)
{
    for (int i = 0; i < 12; i++) {
        weir_value *y = any(r);
        if (weir_shape_equal(weir_value_shape(x), weir_value_shape(y)))
            return y;
    }
    int rank = weir_value_shape(x)->rank;
    return rank > 0 ? weir_sum(x, weir_axes((int)pick(r, rank)), true) : weir_f32(r->g, 0.5);
}

static weir_value *grow_map(struct random_graph *r, weir_value *x)
{
    switch (pick(r, 12)) {
    case 0:
        return weir_add(x, mate(r, x));
    case 1:
        return weir_sub(mate(r, x), x);
    case 2:
        return weir_mul(x, mate(r, x));
    case 3:
        return weir_tanh(x);
    case 4:
        return weir_sigmoid(x);
    case 5:
        return weir_select(weir_lt(x, mate(r, x)), weir_mul_c(x, 0.5), weir_neg(x));
    case 6:
        return weir_cast(weir_cast(x, pick(r, 2) ? WEIR_BF16 : WEIR_F16), WEIR_F32);
    case 7:
        if (weir_value_shape(x)->rank == 0)
            return weir_neg(x);
        return weir_add(x, weir_iota(r->g, WEIR_F32, *weir_value_shape(x),
                                     (int)pick(r, weir_value_shape(x)->rank)));
    case 8:
        return weir_max(x, mate(r, x));
    case 9:
        return weir_div(x, weir_add_c(weir_square(mate(r, x)), 1.0));
    default:
        return weir_fma(x, mate(r, x), x);
    }
}

static weir_value *grow_view(struct random_graph *r, weir_value *x)
{
    const struct weir_shape *s = weir_value_shape(x);
    int axis = (int)pick(r, s->rank), other = (int)pick(r, s->rank);
    struct weir_shape flat = { 1, { weir_shape_size(s) } }, split = { 0 };
    switch (pick(r, 6)) {
    case 0:
        return weir_transpose(x, axis, other);
    case 1:
        return weir_flip(x, axis);
    case 2:
        return s->dim[axis] > 2 ? weir_slice(x, axis, 1, INT64_MAX, 1 + pick(r, 2)) : x;
    case 3:
        return weir_reshape(x, flat);
    case 4:
        for (int i = 0; i < s->rank && split.rank < 6; i++) {
            if (s->dim[i] % 4 == 0 && s->dim[i] > 4 && split.rank < 5)
                split.dim[split.rank++] = s->dim[i] / 4;
            split.dim[split.rank++] = s->dim[i] % 4 == 0 && s->dim[i] > 4 ? 4 : s->dim[i];
        }
        return split.rank <= 6 && weir_shape_size(&split) == weir_shape_size(s)
                   ? weir_reshape(x, split)
                   : x;
    default:
        return weir_broadcast(weir_sum(x, weir_axes(axis), true), *s);
    }
}

static weir_value *grow_reduce(struct random_graph *r, weir_value *x)
{
    int rank = weir_value_shape(x)->rank;
    bool keep = pick(r, 2);
    switch (pick(r, 8)) {
    case 0:
        return weir_reduce_max(x, weir_axes(rank - 1), keep);
    case 1:
        return weir_softmax(x, -1);
    case 2:
        return rank > 1 ? weir_layer_norm(x, NULL, NULL, 1e-5) : x;
    case 3:
        return weir_cast(weir_argmax(x, (int)pick(r, rank), keep), WEIR_F32);
    case 4:
        return weir_sum(x, weir_all_axes, keep);
    case 5:
        return rank > 1 ? weir_sum(x, weir_axes(0, 1), keep) : weir_sum(x, weir_axes(0), keep);
    case 6:
        return rank > 2 && weir_dim(x, -1) % 4 == 0 ? weir_group_norm(x, 4, NULL, NULL, 1e-5) : x;
    default:
        return weir_sum(x, weir_axes((int)pick(r, rank)), keep);
    }
}

static weir_value *grow_other(struct random_graph *r, weir_value *x)
{
    const struct weir_shape *s = weir_value_shape(x);
    int64_t lo[WEIR_MAX_RANK] = { 0 }, hi[WEIR_MAX_RANK] = { 0 };
    int axis = (int)pick(r, s->rank);
    weir_value *both[2] = { x, mate(r, x) };
    lo[axis] = pick(r, 3);
    hi[axis] = pick(r, 3);
    switch (pick(r, 4)) {
    case 0:
        return s->rank >= 2 && s->dim[s->rank - 1] <= 64 && s->dim[s->rank - 2] <= 64
                   ? weir_matmul(x, x, false, true)
                   : x;
    case 1:
        return weir_pad(x, lo, hi, NULL, 0.25);
    case 2:
        return weir_shape_equal(s, weir_value_shape(both[1])) ? weir_concat(both, 2, axis) : x;
    default:
        return weir_cumsum(x, axis);
    }
}

// Values stay finite and small: squashed before they are used again.
static void grow(struct random_graph *r)
{
    weir_value *x = any(r);
    const struct weir_shape *s = weir_value_shape(x);
    int64_t kind = pick(r, 10);
    if (s->rank == 0 || weir_shape_size(s) > 20000)
        kind = 0;
    weir_value *y = kind < 5   ? grow_map(r, x)
                    : kind < 7 ? grow_view(r, x)
                    : kind < 9 ? grow_reduce(r, x)
                               : grow_other(r, x);
    r->v[r->n++] = y;
}

static const struct weir_shape shapes[3] = { { 4, { 8, 5, 4, 32 } },
                                             { 2, { 33, 40 } },
                                             { 1, { 4100 } } };

static void make_states(struct random_graph *r, weir_device *dev)
{
    float data[1320];
    for (int i = 0; i < STATES; i++) {
        test_ok(weir_state_create(dev, WEIR_F32, shapes[1], "s", &r->state[i]));
        for (int k = 0; k < 1320; k++)
            data[k] = (float)((k * 7 + i * 3) % 31) * 0.0625f - 1.0f;
        test_ok(weir_state_write(r->state[i], data));
    }
}

static void build(struct random_graph *r, weir_device *dev, uint64_t seed)
{
    memset(r, 0, sizeof(*r));
    r->seed = seed;
    make_states(r, dev);
    ck_assert_int_eq(weir_graph_create(&test_log, &r->g), WEIR_OK);
    for (int i = 0; i < 3; i++)
        r->v[r->n++] = r->input[i] = weir_input(r->g, WEIR_F32, shapes[i], "x");
    for (int i = 0; i < STATES; i++)
        r->v[r->n++] = weir_state_value(r->g, r->state[i]);
    weir_value **state = &r->v[3];
    while (r->n < VALUES)
        grow(r);
    for (int i = 0; i < OUTPUTS; i++)
        r->out[i] = r->v[r->n - 1 - i * 5];
    // States 0 and 1 swap, one of them through arithmetic in place; state 2 takes a far reader's
    // value.
    weir_assign(r->state[0], weir_tanh(weir_add(state[0], weir_mul_c(state[1], 0.5))));
    weir_assign(r->state[1], state[0]);
    weir_value *far = weir_mul(state[2], weir_sigmoid(weir_sum(r->out[0], weir_all_axes, false)));
    weir_assign(r->state[2], weir_add(far, weir_flip(state[2], 1)));
    ck_assert_msg(weir_graph_status(r->g) == WEIR_OK, "seed %llu: %s", (unsigned long long)seed,
                  weir_graph_message(r->g));
}

static size_t value_size(const weir_value *v)
{
    return (size_t)weir_shape_size(weir_value_shape(v)) * 4;
}

struct results {
    float *out[OUTPUTS + STATES];
    int64_t n[OUTPUTS + STATES];
};

// The least that the refusal of a limit of one byte names.
static size_t least_memory(weir_device *dev, const struct random_graph *r)
{
    weir_program *p = NULL;
    size_t least = 0;
    test_log_clear();
    ck_assert_int_eq(
        weir_compile(dev, r->out, OUTPUTS, &(struct weir_compile_params) { .memory = TIGHT }, &p),
        WEIR_NOMEM);
    const char *said = strstr(test_log_text(), "the limit is ");
    ck_assert_msg(said && sscanf(said, "the limit is 1 bytes; %zu is the least", &least) == 1, "%s",
                  test_log_text());
    return least;
}

// Two runs with different inputs: what a run leaves behind must not matter but for the states.
static void run(weir_device *dev, uint64_t seed, const struct weir_compile_params *params,
                struct results *res)
{
    static struct random_graph r;
    static float data[3][5120];
    weir_program *p = NULL;
    struct weir_binding bind[3];
    build(&r, dev, seed);
    for (int i = 0; i < 3; i++)
        bind[i] = (struct weir_binding) { r.input[i], data[i] };
    test_log_clear();
    struct weir_compile_params with = params ? *params : (struct weir_compile_params) { 0 };
    if (with.memory == TIGHT)
        with.memory = least_memory(dev, &r);
    test_log_clear();
    ck_assert_msg(weir_compile(dev, r.out, OUTPUTS, &with, &p) == WEIR_OK, "seed %llu: %s",
                  (unsigned long long)seed, test_log_text());
    recomputed += weir_program_info(p)->recomputed;
    for (int k = 0; k < 2; k++) {
        for (int i = 0; i < 3; i++)
            for (int j = 0; j < 5120; j++)
                data[i][j] = (float)((j * 37 + i * 11 + k * 5) % 101) * 0.03125f - 1.5f;
        ck_assert_int_eq(weir_run(p, bind, 3), WEIR_OK);
    }
    for (int i = 0; i < OUTPUTS; i++) {
        res->n[i] = (int64_t)value_size(r.out[i]) / 4;
        res->out[i] = malloc(value_size(r.out[i]) + 4);
        ck_assert_int_eq(weir_read(p, i, res->out[i]), WEIR_OK);
    }
    for (int i = 0; i < STATES; i++) {
        res->n[OUTPUTS + i] = 1320;
        res->out[OUTPUTS + i] = malloc(1320 * 4);
        ck_assert_int_eq(weir_state_read(r.state[i], res->out[OUTPUTS + i]), WEIR_OK);
    }
    weir_graph_destroy(&r.g);
    weir_program_destroy(&p);
    for (int i = 0; i < STATES; i++)
        weir_state_destroy(&r.state[i]);
}

static void compare(const struct results *a, const struct results *b, uint64_t seed,
                    const char *what)
{
    char text[256];
    for (int i = 0; i < OUTPUTS + STATES; i++) {
        int64_t at =
            test_first_difference(WEIR_F32, a->out[i], b->out[i], a->n[i], text, sizeof(text));
        ck_assert_msg(at < 0, "seed %llu, %s: %s %d differs at %lld: %s", (unsigned long long)seed,
                      what, i < OUTPUTS ? "output" : "state", i < OUTPUTS ? i : i - OUTPUTS,
                      (long long)at, text);
    }
}

static void free_results(struct results *r)
{
    for (int i = 0; i < OUTPUTS + STATES; i++)
        free(r->out[i]);
}

static weir_device *open_device(const char *sel, uint32_t hidden)
{
    struct weir_device_params params = { .selector = sel, .log = test_log, .caps_mask = hidden,
                                         .allow_fast = true };
    weir_device *dev = NULL;
    if (weir_device_open(&params, &dev) != WEIR_OK) {
        fprintf(stderr, "# no device for %s: skipped\n", sel);
        missing = true;
    }
    return dev;
}

static const struct {
    const char *what;
    bool device;
    uint32_t hidden;
    struct weir_compile_params params;
} variants[] = {
    { "host between guards", false, 0, { .guards = true } },
    { "host in little memory", false, 0, { .memory = TIGHT } },
    { "host, keeping little", false, 0, { .keep_price = 1e3 } },
    { "fused", true, 0, { 0 } },
    { "fused, keeping little", true, 0, { .keep_price = 1e3 } },
    { "unfused", true, 0, { .no_fusion = true } },
    { "not merged", true, 0, { .no_merge = true } },
    { "recorded anew", true, 0, { .no_replay = true } },
    { "fused between guards", true, 0, { .guards = true } },
    { "grouped", true, WEIR_CAP_WIDE, { 0 } },
};

START_TEST(random_graphs)
{
    weir_device *host = open_device("host", 0);
    ck_assert_ptr_nonnull(host);
    for (size_t v = 0; v < WEIR_COUNT(variants); v++) {
        weir_device *dev = variants[v].device ? open_device(selector, variants[v].hidden) : host;
        recomputed = 0;
        for (uint64_t seed = 1; seed <= SEEDS && dev; seed++) {
            struct results want, got;
            if (only_seed && seed != only_seed)
                continue;
            run(host, seed, NULL, &want);
            run(dev, seed, &variants[v].params, &got);
            compare(&want, &got, seed, variants[v].what);
            free_results(&want);
            free_results(&got);
        }
        if (dev && variants[v].params.keep_price > 0 && !only_seed)
            ck_assert_int_gt(recomputed, 4 * SEEDS);
        if (variants[v].device)
            weir_device_close(&dev);
    }
    weir_device_close(&host);
}
END_TEST

enum { MANY = 24, MANY_MAX = 9000 };

// As an optimizer does: many vectors of different lengths, all scaled by the norm of all, and states that read
// each other's old values. out: the norm, then each state after two runs.
static int buffers; // command buffers that its last run was left with
static int many_vectors(weir_device *dev, const struct weir_compile_params *params, bool together, float **out)
{
    static float data[MANY_MAX];
    weir_graph *g = NULL;
    weir_program *p = NULL;
    weir_state *state[MANY] = { NULL };
    struct weir_state_params of[MANY];
    weir_value *x = NULL, *v[MANY], *square[MANY];
    int launches;
    test_ok(weir_graph_create(&test_log, &g));
    x = weir_input(g, WEIR_F32, weir_shape(MANY_MAX), "x");
    for (int i = 0; i < MANY; i++) // pairs of one length
        of[i] = (struct weir_state_params) { WEIR_F32, weir_shape(1 + (i / 2) * (i / 2) * 67), NULL };
    if (together)
        test_ok(weir_states_create(dev, of, MANY, state));
    for (int i = 0; i < MANY && !together; i++)
        test_ok(weir_state_create(dev, of[i].dtype, of[i].shape, of[i].name, &state[i]));
    for (int i = 0; i < MANY_MAX; i++)
        data[i] = (float)(i * 31 % 97) * 0.03f - 1.0f;
    for (int i = 0; i < MANY; i++) {
        test_ok(weir_state_write(state[i], data + i));
        v[i] = weir_mul(weir_state_value(g, state[i]), weir_slice(x, 0, 0, weir_shape_size(&of[i].shape), 1));
        square[i] = weir_reshape(weir_sum(weir_square(v[i]), weir_all_axes, false), weir_shape(1));
    }
    for (int i = 0; i < MANY; i += 8)
        square[i / 8] = weir_concat(square + i, 8, 0);
    weir_value *norm = weir_sqrt(weir_sum(weir_concat(square, MANY / 8, 0), weir_all_axes, false));
    for (int i = 0; i < MANY; i++) // each takes what its twin was
        weir_assign(state[i], weir_add(weir_mul_c(weir_state_value(g, state[i ^ 1]), 0.5), weir_div(v[i], norm)));
    test_ok(weir_compile(dev, &norm, 1, params, &p));
    for (int k = 0; k < 2; k++)
        test_ok(weir_run(p, &(struct weir_binding) { x, data }, 1));
    launches = weir_program_info(p)->launches;
    buffers = weir_device_is_host(dev) ? 0 : weir_cl_list_buffers(p->list);
    *out = calloc(1 + MANY * MANY_MAX, sizeof(float));
    test_ok(weir_read(p, 0, *out));
    for (int i = 0; i < MANY; i++)
        test_ok(weir_state_read(state[i], *out + 1 + i * MANY_MAX));
    weir_program_destroy(&p);
    weir_graph_destroy(&g);
    for (int i = 0; i < MANY; i++)
        weir_state_destroy(&state[i]);
    ck_assert_uint_eq(dev->bytes_live, 0);
    return launches;
}

static cl_int CL_API_CALL refuse(cl_uint n, cl_command_queue *queues, weir_cl_command_buffer buffer, cl_uint n_wait,
                                 const cl_event *wait, cl_event *event)
{
    return CL_INVALID_OPERATION;
}

// Replay by command buffers, also where a quirk says that it does not pay; and when the driver refuses them.
START_TEST(command_buffers)
{
    weir_device *host = open_device("host", 0), *dev = open_device(selector, 0);
    float *want, *got;
    if (!dev || weir_device_is_host(dev) || !weir_cl(dev)->commands.there) {
        fprintf(stderr, "# no command buffers: skipped\n");
        weir_device_close(&dev);
        weir_device_close(&host);
        return;
    }
    dev->info.caps.features |= WEIR_CAP_COMMAND_BUFFER;
    many_vectors(host, NULL, true, &want);
    for (int k = 0; k < 4; k++) { // 2: not twice in the queue; 3: refused
        weir_cl(dev)->commands.simultaneous &= k < 2;
        if (k == 3)
            weir_cl(dev)->commands.enqueue = refuse;
        many_vectors(dev, &(struct weir_compile_params) { .no_merge = k == 0 }, true, &got);
        ck_assert_mem_eq(want, got, (1 + MANY * MANY_MAX) * sizeof(float));
        ck_assert_int_eq(buffers, k < 3);
        free(got);
    }
    free(want);
    weir_device_close(&dev);
    weir_device_close(&host);
}
END_TEST

START_TEST(small_launches_are_one)
{
    static const struct {
        uint32_t hidden;
        bool together;
        struct weir_compile_params params;
    } ways[] = {
        { 0, true, { 0 } }, { 0, false, { 0 } }, { 0, true, { .guards = true } }, { 0, true, { .no_plan = true } },
        { WEIR_CAP_WIDE, true, { .launch_ms = 0.002 } },
    };
    weir_device *host = open_device("host", 0);
    float *want, *got;
    many_vectors(host, NULL, true, &want);
    for (size_t k = 0; k < WEIR_COUNT(ways); k++) {
        weir_device *dev = open_device(selector, ways[k].hidden);
        if (!dev)
            continue;
        int alone = many_vectors(dev, &(struct weir_compile_params) { .no_merge = true }, ways[k].together, &got);
        ck_assert_mem_eq(want, got, (1 + MANY * MANY_MAX) * sizeof(float));
        free(got);
        int merged = many_vectors(dev, &ways[k].params, ways[k].together, &got);
        ck_assert_mem_eq(want, got, (1 + MANY * MANY_MAX) * sizeof(float));
        free(got);
        ck_assert_msg(ways[k].hidden ? merged < alone - MANY / 2 : merged < alone / 4, "way %zu: %d launches become %d",
                      k, alone, merged);
        weir_device_close(&dev);
    }
    free(want);
    weir_device_close(&host);
}
END_TEST

// The plan: memory is shared, and never more than all tensors together.
START_TEST(memory)
{
    weir_device *dev = open_device("host", 0);
    weir_graph *g = NULL;
    weir_program *p = NULL, *q = NULL;
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *x = weir_input(g, WEIR_F32, weir_shape(1000), "x"), *y = x;
    for (int i = 0; i < 20; i++)
        y = weir_tanh(y);
    test_ok(weir_compile(dev, &y, 1, NULL, &p));
    test_ok(weir_compile(dev, &y, 1, &(struct weir_compile_params) { .no_plan = true }, &q));
    ck_assert_uint_eq(weir_program_info(p)->peak, 4096); // in place all the way: one tensor,
                                                         // aligned
    ck_assert_uint_eq(weir_program_info(p)->live, 20 * 4096);
    ck_assert_uint_eq(weir_program_info(q)->peak, 20 * 4096);
    weir_program_destroy(&p);
    weir_program_destroy(&q);
    weir_graph_destroy(&g);
    weir_device_close(&dev);
}
END_TEST

// x + flip(x) must not overwrite x while it is read elsewhere.
START_TEST(in_place_hazard)
{
    const char *names[] = { "host", selector };
    for (int d = 0; d < 2; d++) {
        weir_device *dev = open_device(names[d], 0);
        weir_graph *g = NULL;
        weir_program *p = NULL;
        static float data[4096], got[4096];
        if (!dev)
            continue;
        test_ok(weir_graph_create(&test_log, &g));
        weir_value *x = weir_input(g, WEIR_F32, weir_shape(4096), "x");
        weir_value *y = weir_cumsum(x, 0), *z = weir_add(y, weir_flip(y, 0));
        test_ok(weir_compile(dev, &z, 1, NULL, &p));
        for (int i = 0; i < 4096; i++)
            data[i] = 1.0f;
        test_ok(weir_run(p, &(struct weir_binding) { x, data }, 1));
        test_ok(weir_read(p, 0, got));
        for (int i = 0; i < 4096; i++)
            ck_assert_float_eq(got[i], 4097.0f);
        weir_program_destroy(&p);
        weir_graph_destroy(&g);
        weir_device_close(&dev);
    }
}
END_TEST

// A kernel that sums over rows, few or so many that runs of them come first, leaves what it sums in
// the place of its operand.
START_TEST(column_in_place)
{
    enum { MOST = 1500, C = 64 };
    const int64_t n = _i ? MOST : 300;
    const size_t size = (size_t)n * C * sizeof(float);
    const char *names[] = { "host", selector };
    static float data[MOST * C], got[2][2][MOST * C];
    weir_device *dev = NULL;
    for (int i = 0; i < MOST * C; i++)
        data[i] = (float)(i % 37) * 0.01f - 0.2f;
    for (int d = 0; d < 2; d++) {
        weir_graph *g = NULL;
        weir_program *p = NULL;
        dev = open_device(names[d], 0);
        if (!dev)
            return;
        test_ok(weir_graph_create(&test_log, &g));
        weir_value *x = weir_input(g, WEIR_F32, weir_shape(n, C), "x"),
                   *y = weir_tanh(weir_cumsum(x, 1));
        weir_value *out[2] = { y, weir_sum(y, weir_axes(0), false) };
        test_ok(weir_compile(dev, out, 2, NULL, &p));
        if (d == 1 && weir_device_has(dev, WEIR_CAP_WIDE))
            ck_assert_uint_lt(weir_program_info(p)->peak, 2 * size);
        test_ok(weir_run(p, &(struct weir_binding) { x, data }, 1));
        test_ok(weir_read(p, 0, got[d][0]));
        test_ok(weir_read(p, 1, got[d][1]));
        weir_program_destroy(&p);
        weir_graph_destroy(&g);
        weir_device_close(&dev);
    }
    ck_assert_mem_eq(got[0][0], got[1][0], size);
    ck_assert_mem_eq(got[0][1], got[1][1], C * sizeof(float));
}
END_TEST

// New states that are views of a value, in another order or a part of it, cannot be written at
// once.
START_TEST(new_states_may_be_views)
{
    const char *names[] = { "host", selector };
    for (int d = 0; d < 2; d++) {
        weir_device *dev = open_device(names[d], 0);
        weir_graph *g = NULL;
        weir_program *p = NULL;
        weir_state *turned = NULL, *part = NULL;
        float x[6] = { 1, 2, 3, 4, 5, 6 }, got[6], sum;
        if (!dev)
            continue;
        test_ok(weir_graph_create(&test_log, &g));
        test_ok(weir_state_create(dev, WEIR_F32, weir_shape(2, 3), "turned", &turned));
        test_ok(weir_state_create(dev, WEIR_F32, weir_shape(2, 2), "part", &part));
        weir_value *in = weir_input(g, WEIR_F32, weir_shape(3, 2), "x");
        weir_value *y = weir_cumsum(in, 0), *z = weir_cumsum(in, 1);
        weir_value *out = weir_sum(weir_mul(y, z), weir_all_axes, false);
        weir_assign(turned, weir_transpose(y, 0, 1));
        weir_assign(part, weir_slice(z, 0, 1, 3, 1));
        test_ok(weir_compile(dev, &out, 1, NULL, &p));
        test_ok(weir_run(p, &(struct weir_binding) { in, x }, 1));
        test_ok(weir_read(p, 0, &sum));
        ck_assert_float_eq(sum, 1 * 1 + 2 * 3 + 4 * 3 + 6 * 7 + 9 * 5 + 12 * 11);
        test_ok(weir_state_read(turned, got));
        ck_assert_mem_eq(got, ((float[]) { 1, 4, 9, 2, 6, 12 }), sizeof(got));
        test_ok(weir_state_read(part, got));
        ck_assert_mem_eq(got, ((float[]) { 3, 7, 5, 11 }), 4 * sizeof(float));
        weir_program_destroy(&p);
        weir_state_destroy(&turned);
        weir_state_destroy(&part);
        weir_graph_destroy(&g);
        weir_device_close(&dev);
    }
}
END_TEST

static enum weir_status twice(void *ctx, const void *const *in, void *const *out)
{
    int *calls = ctx;
    for (int i = 0; i < 10; i++)
        ((float *)out[0])[i] = 2.0f * ((const float *)in[0])[i];
    return ++*calls == 3 ? WEIR_IO : WEIR_OK;
}

START_TEST(host_calls)
{
    const char *names[] = { "host", selector };
    for (int d = 0; d < 2; d++) {
        weir_device *dev = open_device(names[d], 0);
        weir_graph *g = NULL;
        weir_program *p = NULL;
        int calls = 0;
        float data[10], got[10];
        if (!dev)
            continue;
        test_ok(weir_graph_create(&test_log, &g));
        weir_value *x = weir_input(g, WEIR_F32, weir_shape(10), "x"), *y = weir_neg(x);
        weir_value *z = weir_host_call(g, twice, &calls, &y, 1, WEIR_F32, weir_shape(10));
        z = weir_add_c(z, 1.0);
        test_ok(weir_compile(dev, &z, 1, NULL, &p));
        weir_graph_destroy(&g);
        for (int i = 0; i < 10; i++)
            data[i] = (float)i;
        for (int k = 0; k < 2; k++)
            test_ok(weir_run(p, &(struct weir_binding) { x, data }, 1));
        test_ok(weir_read(p, 0, got));
        for (int i = 0; i < 10; i++)
            ck_assert_float_eq(got[i], 1.0f - 2.0f * (float)i);
        ck_assert_int_eq(calls, 2);
        enum weir_status status = weir_run(p, &(struct weir_binding) { x, data }, 1);
        ck_assert(status == WEIR_IO || weir_read(p, 0, got) == WEIR_IO); // the call's own failure
        weir_program_destroy(&p);
        weir_device_close(&dev);
    }
}
END_TEST

START_TEST(bad_input)
{
    weir_device *dev = open_device("host", 0);
    weir_graph *g = NULL, *other = NULL;
    weir_program *p = NULL;
    float data[6] = { 0 };
    test_ok(weir_graph_create(&test_log, &g));
    test_ok(weir_graph_create(&test_log, &other));
    weir_value *x = weir_input(g, WEIR_F32, weir_shape(2, 3), "the input");
    weir_value *unused = weir_input(g, WEIR_F32, weir_shape(2), "unused");
    weir_value *y = weir_neg(x), *foreign = weir_input(other, WEIR_F32, weir_shape(2), "foreign");
    test_status(weir_compile(dev, &y, 0, NULL, &p), WEIR_INVALID, "n > 0");
    test_status(weir_compile(dev, (weir_value *[]) { y, foreign }, 2, NULL, &p), WEIR_INVALID,
                "outputs[0]->graph");
    test_ok(weir_compile(dev, &y, 1, NULL, &p));
    test_status(weir_run(p, NULL, 0), WEIR_INVALID, "the input was never bound");
    test_status(weir_run(p, &(struct weir_binding) { foreign, data }, 1), WEIR_INVALID,
                "not an input of this program");
    test_status(weir_run(p, &(struct weir_binding) { x, NULL }, 1), WEIR_INVALID, "data != NULL");
    test_status(weir_run(p, (struct weir_binding[]) { { x, data }, { foreign, data } }, 2), WEIR_INVALID,
                "not an input of this program");
    test_status(weir_run(p, NULL, 0), WEIR_INVALID, "the input was never bound"); // x was not taken
    test_ok(weir_run(p, (struct weir_binding[]) { { x, data }, { unused, data } }, 2));
    test_ok(weir_run(p, NULL, 0)); // the last binding holds
    test_status(weir_read(p, 1, data), WEIR_INVALID, "n_outputs");
    weir_program_destroy(&p);
    weir_add(y, weir_input(g, WEIR_F32, weir_shape(7), "odd"));
    test_status(weir_compile(dev, &y, 1, NULL, &p), WEIR_INVALID, "broadcast");
    ck_assert_ptr_null(p);
    weir_graph_destroy(&g);
    weir_graph_destroy(&other);
    weir_device_close(&dev);
}
END_TEST

START_TEST(empty_tensors)
{
    const char *names[] = { "host", selector };
    for (int d = 0; d < 2; d++) {
        weir_device *dev = open_device(names[d], 0);
        weir_graph *g = NULL;
        weir_program *p = NULL;
        float none[1] = { 0 }, got[8];
        if (!dev)
            continue;
        test_ok(weir_graph_create(&test_log, &g));
        weir_value *x = weir_input(g, WEIR_F32, weir_shape(0, 4), "x");
        weir_value *y = weir_tanh(weir_add_c(x, 1.0));
        weir_value *out[] = { weir_sum(y, weir_axes(0), false),
                              weir_reduce_max(y, weir_axes(0), false), y };
        test_ok(weir_compile(dev, out, 3, NULL, &p));
        test_ok(weir_run(p, &(struct weir_binding) { x, none }, 1));
        test_ok(weir_read(p, 0, got));
        test_ok(weir_read(p, 1, got + 4));
        test_ok(weir_read(p, 2, got));
        for (int i = 0; i < 4; i++)
            ck_assert(got[i] == 0.0f && got[4 + i] < -1e38f);
        weir_program_destroy(&p);
        weir_graph_destroy(&g);
        weir_device_close(&dev);
    }
}
END_TEST

START_TEST(dumps)
{
    weir_device *dev = open_device("host", 0);
    weir_graph *g = NULL;
    weir_program *p = NULL;
    size_t size;
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *x = weir_input(g, WEIR_F32, weir_shape(2, 3), "x"), *y = weir_exp(x);
    const char *folder = test_path("dump");
    struct weir_compile_params params = { .dump_dir = folder, .label = "small" };
    test_ok(weir_compile(dev, &y, 1, &params, &p));
    static const struct { const char *file, *text; } wants[] = {
        { "small.values.txt", "exp f32 (2, 3)" }, { "small.schedule.txt", "-> memory" },
        { "small.launches.txt", "exp" }, { "small.plan.txt", "arena" } };
    for (size_t i = 0; i < WEIR_COUNT(wants); i++) {
        char path[512];
        snprintf(path, sizeof(path), "%s/%s", folder, wants[i].file);
        char *text = test_read(path, &size);
        ck_assert_msg(text && strstr(text, wants[i].text), "%s lacks '%s'", path, wants[i].text);
        free(text);
        remove(path);
    }
    weir_program_destroy(&p);
    weir_graph_destroy(&g);
    weir_device_close(&dev);
}
END_TEST

// For a device that is not here: kernels are written, nothing is built, and running is refused.
START_TEST(planned)
{
    struct weir_device_params as_gpu = { .log = test_log, .planned = &weir_caps_gpu };
    weir_device *dev = NULL;
    weir_graph *g = NULL;
    weir_program *p = NULL;
    size_t size;
    float in[6] = { 0 };
    test_ok(weir_device_open(&as_gpu, &dev));
    test_ok(weir_graph_create(&test_log, &g));
    weir_value *x = weir_input(g, WEIR_F32, weir_shape(2, 3), "x"), *y = weir_exp(x);
    const char *folder = test_path("planned");
    struct weir_compile_params params = { .dump_dir = folder, .label = "small" };
    test_ok(weir_compile(dev, &y, 1, &params, &p));
    ck_assert_int_eq(weir_run(p, &(struct weir_binding) { x, in }, 1), WEIR_UNSUPPORTED);
    ck_assert_int_ne(weir_read(p, 0, in), WEIR_OK);
    char path[512];
    snprintf(path, sizeof(path), "%s/small.kernels.cl", folder);
    char *text = test_read(path, &size);
    ck_assert_msg(text && strstr(text, "\nWEIR_KERNEL void exp_0("), "%s has no kernel", path);
    free(text);
    weir_program_destroy(&p);
    weir_graph_destroy(&g);
    weir_device_close(&dev);
    as_gpu.planned = &(struct weir_caps) { .max_group = 0 };
    ck_assert_int_eq(weir_device_open(&as_gpu, &dev), WEIR_INVALID);
}
END_TEST

int main(int argc, char **argv)
{
    if (argc > 1)
        selector = argv[1];
    if (argc > 2)
        only_seed = strtoull(argv[2], NULL, 10);
    Suite *suite = suite_create("compile");
    TCase *tcase = tcase_create("programs");
    tcase_set_timeout(tcase, 600);
    tcase_add_test(tcase, memory);
    tcase_add_test(tcase, in_place_hazard);
    tcase_add_loop_test(tcase, column_in_place, 0, 2);
    tcase_add_test(tcase, new_states_may_be_views);
    tcase_add_test(tcase, host_calls);
    tcase_add_test(tcase, small_launches_are_one);
    tcase_add_test(tcase, command_buffers);
    tcase_add_test(tcase, bad_input);
    tcase_add_test(tcase, empty_tensors);
    tcase_add_test(tcase, dumps);
    tcase_add_test(tcase, planned);
    tcase_add_test(tcase, random_graphs);
    suite_add_tcase(suite, tcase);
    int status = test_main(suite);
    return missing && !status ? TEST_SKIPPED : status;
}

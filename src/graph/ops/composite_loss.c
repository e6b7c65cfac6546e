// SPDX-License-Identifier: Apache-2.0
// Losses and labels: mean squared error, cross-entropy, one-hot, and a draw from a softmax.
#include <stdio.h>
#include <string.h>

#include "graph/diff.h"
#include "graph/ops/rows.h"

// --- mse = sum(d d) · (1/n), d = a - b ---

weir_value *weir_mse(weir_value *a, weir_value *b)
{
    weir_value *arg[] = {a, b};
    weir_value *d = weir_sub(a, b);
    if (weir_is_poison(d))
        return d;
    return weir_op_make_composite(&weir_op_mse, arg, 2, NULL,
                                  weir_mean(weir_mul(d, d), weir_all_axes, false));
}

// d · (2/n), the coefficient rounded once.
static weir_value *mse_slope(const weir_value *v)
{
    weir_value *d = weir_sub(v->arg[0], v->arg[1]);
    return weir_mul_c(d, 2.0 / (double)weir_shape_size(&d->type.shape));
}

static void mse_vjp(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    weir_value *t = weir_mul(mse_slope(v), dy[0]);
    dx[0] = weir_unbroadcast(t, &v->arg[0]->type.shape);
    dx[1] = weir_unbroadcast(weir_neg(t), &v->arg[1]->type.shape);
}

static void mse_jvp(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    weir_value *t = !dx[1] ? dx[0] : !dx[0] ? weir_neg(dx[1]) : weir_sub(dx[0], dx[1]);
    dy[0] = weir_sum(weir_mul(mse_slope(v), t), weir_all_axes, false);
}

static weir_value *build_mse(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    return weir_mse(in[0], in[1]);
}

static bool cases_mse(int idx, struct weir_op_case *c)
{
    static const int64_t dims[][5] = {{1, -1}, {5, 13, -1}, {3, 5, 67, 5, -1}, {9, 600, -1}};
    if (idx >= 4)
        return false;
    c->build = build_mse;
    c->no_grad = idx == 3;
    snprintf(c->label, sizeof(c->label), "shape %d", idx);
    weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, dims[idx]);
    weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, dims[idx] + (idx == 1)); // b broadcasts there
    return true;
}

const struct weir_op weir_op_mse = {.name = "mse",
                                    .desc = "mean of (a - b)²",
                                    .arity = 2,
                                    .cls = WEIR_OP_COMPOSITE,
                                    .vjp = mse_vjp,
                                    .jvp = mse_jvp,
                                    .cases = cases_mse};

// --- one_hot ---

// True where the last axis's index is the label; labels outside match nothing.
static weir_value *matches(weir_value *label, int64_t n)
{
    struct weir_shape shape = label->type.shape;
    shape.dim[shape.rank++] = 1;
    weir_value *column = weir_reshape(label, shape);
    shape.dim[shape.rank - 1] = n;
    return weir_eq(weir_iota(label->graph, WEIR_I32, shape, -1), column);
}

weir_value *weir_one_hot(weir_value *idx, int64_t n)
{
    if (weir_is_poison(idx))
        return idx;
    if (idx->type.dtype != WEIR_I32 || idx->type.shape.rank >= WEIR_MAX_RANK || n < 0)
        return weir_graph_fail(idx->graph, "one_hot: needs i32 labels and room for an axis");
    return weir_op_make_composite(&weir_op_one_hot, &idx, 1, NULL,
                                  weir_cast(matches(idx, n), WEIR_F32));
}

static weir_value *build_one_hot(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    return weir_one_hot(in[0], c->index_range);
}

static bool cases_one_hot(int idx, struct weir_op_case *c)
{
    static const int64_t dims[][3] = {{1, -1}, {37, -1}, {3, 5, -1}, {0, -1}};
    if (idx >= 4)
        return false;
    c->build = build_one_hot;
    c->index_range = idx == 2 ? 1 : 10;
    c->no_grad = true;
    snprintf(c->label, sizeof(c->label), "shape %d", idx);
    weir_case_input(c, WEIR_I32, WEIR_FILL_INDEX, dims[idx]);
    return true;
}

const struct weir_op weir_op_one_hot = {.name = "one_hot",
                                        .desc = "1 at the label along a new last axis, else 0",
                                        .arity = 1,
                                        .cls = WEIR_OP_COMPOSITE,
                                        .cases = cases_one_hot};

// --- cross_entropy = log(sum exp z) - z[label], z = x - max x ---

static weir_value *shifted(weir_value *x)
{
    return weir_sub(x, weir_reduce_max(x, weir_axes(1), true));
}

weir_value *weir_cross_entropy(weir_value *logits, weir_value *label)
{
    weir_value *arg[] = {logits, label};
    if (weir_is_poison(logits) || weir_is_poison(label))
        return logits ? logits->graph->poison : NULL;
    if (logits->type.shape.rank != 2 || label->type.shape.rank != 1 ||
        label->type.dtype != WEIR_I32 || weir_dim(label, 0) != weir_dim(logits, 0))
        return weir_graph_fail(logits->graph,
                               "cross_entropy: needs logits (rows, n), i32 labels (rows)");
    weir_value *z = shifted(logits), *zero = weir_f32(logits->graph, 0.0);
    // The sum picks one element: every other term is +0.
    weir_value *picked =
        weir_sum(weir_select(matches(label, weir_dim(z, 1)), z, zero), weir_axes(1), false);
    weir_value *y = weir_sub(weir_log(weir_sum(weir_exp(z), weir_axes(1), false)), picked);
    return weir_op_make_composite(&weir_op_cross_entropy, arg, 2, NULL, y);
}

// softmax(x) - one_hot(label); a label outside (which picks nothing) leaves the maximum's slope:
// the body is log(sum exp z) there, so its gradient is softmax(x) minus 1 at the maximum.
static weir_value *entropy_slope(const weir_value *v)
{
    weir_value *x = v->arg[0], *label = v->arg[1], *one = weir_f32(v->graph, 1.0);
    weir_value *e = weir_exp(shifted(x));
    weir_value *p = weir_div(e, weir_sum(e, weir_axes(1), true));
    int32_t n = (int32_t)weir_dim(x, 1);
    weir_value *inside =
        weir_and(weir_ge(label, weir_i32(v->graph, 0)), weir_lt(label, weir_i32(v->graph, n)));
    weir_value *at = weir_select(inside, label, weir_argmax(x, 1, false));
    return weir_select(matches(at, n), weir_sub(p, one), p);
}

static weir_value *as_column(weir_value *rows)
{
    return weir_reshape(rows, weir_shape(weir_dim(rows, 0), 1));
}

static void cross_entropy_vjp(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[0] = weir_mul(entropy_slope(v), as_column(dy[0]));
}

static void cross_entropy_jvp(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    if (dx[0])
        dy[0] = weir_sum(weir_mul(entropy_slope(v), dx[0]), weir_axes(1), false);
}

static weir_value *build_cross_entropy(weir_graph *g, weir_value *const *in,
                                       const struct weir_op_case *c)
{
    return weir_cross_entropy(in[0], in[1]);
}

static bool cases_cross_entropy(int idx, struct weir_op_case *c)
{
    static const int64_t dims[][3] = {{1, 1, -1}, {7, 10, -1}, {5, 67, -1}, {65, 131, -1}};
    if (idx >= 4)
        return false;
    c->build = build_cross_entropy;
    c->index_range = dims[idx][1];
    c->no_grad = idx == 3;
    snprintf(c->label, sizeof(c->label), "shape %d", idx);
    weir_case_input(c, WEIR_F32, idx == 3 ? WEIR_FILL_EXTREME : WEIR_FILL_NORMAL, dims[idx]);
    weir_case_input(c, WEIR_I32, WEIR_FILL_INDEX, weir_dims(dims[idx][0]));
    return true;
}

const struct weir_op weir_op_cross_entropy = {.name = "cross_entropy",
                                              .desc = "-log softmax(logits)[label], row by row",
                                              .arity = 2,
                                              .cls = WEIR_OP_COMPOSITE,
                                              .vjp = cross_entropy_vjp,
                                              .jvp = cross_entropy_jvp,
                                              .cases = cases_cross_entropy};

// --- categorical: argmax(logits - log(-log u)), the Gumbel trick; u = 0 never wins ---

weir_value *weir_categorical(weir_value *logits, weir_value *seed, weir_value *step,
                             weir_value *row0, const char *stream)
{
    weir_value *arg[] = {logits, seed, step, row0};
    if (weir_is_poison(logits))
        return logits;
    if (logits->type.shape.rank != 2)
        return weir_graph_fail(logits->graph, "categorical: needs logits (rows, n)");
    weir_value *u = weir_random_uniform(seed, step, row0, logits->type.shape, stream);
    weir_value *score = weir_sub(logits, weir_log(weir_neg(weir_log(u))));
    return weir_op_make_composite(&weir_op_categorical, arg, 4, NULL, weir_argmax(score, 1, false));
}

static weir_value *build_categorical(weir_graph *g, weir_value *const *in,
                                     const struct weir_op_case *c)
{
    return weir_categorical(in[0], in[1], in[2], in[3], "test");
}

static bool cases_categorical(int idx, struct weir_op_case *c)
{
    static const int64_t dims[][3] = {{1, 1, -1}, {37, 10, -1}, {3, 131, -1}}, scalar[] = {-1};
    if (idx >= 3)
        return false;
    c->build = build_categorical;
    c->no_grad = true;
    snprintf(c->label, sizeof(c->label), "shape %d", idx);
    weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, dims[idx]);
    weir_case_input(c, WEIR_U32, WEIR_FILL_NORMAL, weir_dims(2));
    weir_case_input(c, WEIR_U32, WEIR_FILL_NORMAL, scalar);
    weir_case_input(c, WEIR_U32, WEIR_FILL_NORMAL, scalar);
    return true;
}

const struct weir_op weir_op_categorical = {
    .name = "categorical",
    .desc = "an index with probability softmax(logits), row by row",
    .arity = 4,
    .cls = WEIR_OP_COMPOSITE,
    .cases = cases_categorical};

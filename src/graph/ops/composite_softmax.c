// SPDX-License-Identifier: Apache-2.0
// softmax, log-softmax, logsumexp along one axis. With m = max x (so that nothing overflows):
//
//   softmax(x)     = e / sum e                    e = exp(x - m)
//   log_softmax(x) = z - log(sum exp z)           z = x - m
//   logsumexp(x)   = m + log(sum exp(x - m))      m = 0 where the maximum is not finite
#include <stdio.h>
#include <string.h>

#include "graph/diff.h"
#include "graph/ops/rows.h"

static weir_value *make(const struct weir_op *op, weir_value *x, int axis, weir_value *body)
{
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.any.i[0] = axis;
    return weir_op_make_composite(op, &x, 1, &attrs, body);
}

static struct weir_axes axis_of(const weir_value *v)
{
    return weir_axes(v->attrs.any.i[0]);
}

// Checks x and turns the axis positive; false after failing.
static bool check(weir_value *x, int *axis, const char *what)
{
    if (weir_is_poison(x))
        return false;
    int a = weir_axis_of(x, *axis);
    if (a < 0)
        weir_graph_fail(x->graph, "%s: no axis %d in rank %d", what, *axis, x->type.shape.rank);
    *axis = a;
    return a >= 0;
}

static weir_value *poison(weir_value *x)
{
    return x ? x->graph->poison : NULL;
}

weir_value *weir_softmax(weir_value *x, int axis)
{
    if (!check(x, &axis, "softmax"))
        return poison(x);
    struct weir_axes along = weir_axes(axis);
    weir_value *e = weir_exp(weir_sub(x, weir_reduce_max(x, along, true)));
    return make(&weir_op_softmax, x, axis, weir_div(e, weir_sum(e, along, true)));
}

// y (t - sum(t y)): the Jacobian is symmetric.
static weir_value *softmax_along(weir_value *y, weir_value *t)
{
    return weir_mul(y, weir_sub(t, weir_sum(weir_mul(t, y), axis_of(y), true)));
}

static void softmax_vjp(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[0] = softmax_along(v, dy[0]);
}

static void softmax_jvp(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = softmax_along(v, dx[0]);
}

weir_value *weir_log_softmax(weir_value *x, int axis)
{
    if (!check(x, &axis, "log_softmax"))
        return poison(x);
    struct weir_axes along = weir_axes(axis);
    weir_value *z = weir_sub(x, weir_reduce_max(x, along, true));
    weir_value *y = weir_sub(z, weir_log(weir_sum(weir_exp(z), along, true)));
    return make(&weir_op_log_softmax, x, axis, y);
}

// dx = dy - softmax(x) sum dy
static void log_softmax_vjp(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    weir_value *minus = weir_neg(weir_sum(dy[0], axis_of(v), true));
    dx[0] = weir_add(dy[0], weir_mul(weir_exp(v), minus));
}

static void log_softmax_jvp(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_sub(dx[0], weir_sum(weir_mul(weir_exp(v), dx[0]), axis_of(v), true));
}

static weir_value *finite_or_zero(weir_value *x)
{
    return weir_select(weir_is_finite(x), x, weir_f32(x->graph, 0.0));
}

weir_value *weir_logsumexp(weir_value *x, int axis, bool keep)
{
    if (!check(x, &axis, "logsumexp"))
        return poison(x);
    struct weir_axes along = weir_axes(axis);
    weir_value *m = finite_or_zero(weir_reduce_max(x, along, true));
    weir_value *s = weir_sum(weir_exp(weir_sub(x, m)), along, true);
    weir_value *y = make(&weir_op_logsumexp, x, axis, weir_add(m, weir_log(s)));
    if (keep || weir_is_poison(y))
        return y;
    struct weir_shape shape = {.rank = x->type.shape.rank - 1};
    for (int a = 0; a < shape.rank; a++)
        shape.dim[a] = x->type.shape.dim[a + (a >= axis)];
    return weir_reshape(y, shape);
}

// softmax(x) from the result; 0 in a row that holds nothing but -inf.
static weir_value *weights(weir_value *v)
{
    return weir_exp(weir_sub(v->arg[0], finite_or_zero(v)));
}

static void logsumexp_vjp(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    dx[0] = weir_mul(dy[0], weights(v));
}

static void logsumexp_jvp(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    dy[0] = weir_sum(weir_mul(weights(v), dx[0]), axis_of(v), true);
}

// Cases: p[0] = axis.
static bool cases(int idx, struct weir_op_case *c)
{
    static const struct {
        int64_t dims[4];
        int axis;
        enum weir_fill fill;
    } rows[] = {{{1, 1, -1}, 1, WEIR_FILL_NORMAL},
                {{5, 10, -1}, -1, WEIR_FILL_NORMAL},
                {{3, 67, 4, -1}, 1, WEIR_FILL_NORMAL},
                {{7, 131, -1}, 1, WEIR_FILL_EXTREME},
                {{0, 5, -1}, 1, WEIR_FILL_NORMAL}};
    if (idx >= (int)WEIR_COUNT(rows))
        return false;
    snprintf(c->label, sizeof(c->label), "shape %d, axis %d", idx, rows[idx].axis);
    c->p[0] = rows[idx].axis;
    c->no_grad = rows[idx].fill == WEIR_FILL_EXTREME;
    weir_case_input(c, WEIR_F32, rows[idx].fill, rows[idx].dims);
    return true;
}

static weir_value *build_softmax(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    return weir_softmax(in[0], (int)c->p[0]);
}

static weir_value *build_log_softmax(weir_graph *g, weir_value *const *in,
                                     const struct weir_op_case *c)
{
    return weir_log_softmax(in[0], (int)c->p[0]);
}

static weir_value *build_logsumexp(weir_graph *g, weir_value *const *in,
                                   const struct weir_op_case *c)
{
    return weir_logsumexp(in[0], (int)c->p[0], true);
}

#define CASES(name)                                                                                \
    static bool cases_##name(int idx, struct weir_op_case *c)                                      \
    {                                                                                              \
        c->build = build_##name;                                                                   \
        return cases(idx, c);                                                                      \
    }
CASES(softmax)
CASES(log_softmax)
CASES(logsumexp)

const struct weir_op weir_op_softmax = {.name = "softmax",
                                        .desc = "exp(x - m) / sum exp(x - m) along an axis",
                                        .arity = 1,
                                        .cls = WEIR_OP_COMPOSITE,
                                        .vjp = softmax_vjp,
                                        .jvp = softmax_jvp,
                                        .cases = cases_softmax};
const struct weir_op weir_op_log_softmax = {.name = "log_softmax",
                                            .desc = "log of softmax along an axis",
                                            .arity = 1,
                                            .cls = WEIR_OP_COMPOSITE,
                                            .vjp = log_softmax_vjp,
                                            .jvp = log_softmax_jvp,
                                            .cases = cases_log_softmax};
const struct weir_op weir_op_logsumexp = {.name = "logsumexp",
                                          .desc = "log sum exp along an axis, kept with size 1",
                                          .arity = 1,
                                          .cls = WEIR_OP_COMPOSITE,
                                          .vjp = logsumexp_vjp,
                                          .jvp = logsumexp_jvp,
                                          .cases = cases_logsumexp};

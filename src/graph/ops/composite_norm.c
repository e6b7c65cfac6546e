// SPDX-License-Identifier: Apache-2.0
// Normalisations. With M(x) = sum(x) · (1/n) over the declared axes, 1/n rounded to f32:
//
//   xc = x - M(x)    rstd = rsqrt(M(xc xc) + eps)    xh = xc rstd    y = fma(xh, gamma, beta)
//
// (without gamma y = fma(xc, rstd, beta), without beta no fma). The products are rounded before
// they are summed. rms_norm has xc = x. Declared axes: layer and rms norm the last one; instance
// norm all spatial axes; group norm the spatial axes and the last one of x seen as (N, spatial..,
// groups, C / groups).
//
// Backward, with g = dy gamma:
//
//   dx = rstd (g - M(g) - xh M(g xh))    dgamma = sum(dy xh)    dbeta = sum(dy)
//
// the last two over all axes but the channels', declared at once. xh and rstd are built again by
// the rule; CSE makes them the forward's own, so what lives on between the two is M(x) and rstd.
#include <stdio.h>
#include <string.h>

#include "graph/diff.h"
#include "graph/ops/rows.h"

// How a row is normalised: x is seen in `shape` (rank 0 = as it is), statistics run over `axes`,
// and gamma and beta are seen in `affine`.
struct norm {
    struct weir_shape shape, affine;
    struct weir_axes axes;
    int64_t n; // elements behind one statistic
    bool centered;
    double eps;
};

// What is built for one x: the normalised value in norm.shape and 1 / the deviation.
struct stats {
    weir_value *xh, *rstd;
};

// Composite attributes: i[0] groups, i[1] has gamma, i[2] has beta; f[0] eps.
static weir_value *gamma_of(const weir_value *v)
{
    return v->attrs.any.i[1] ? v->arg[1] : NULL;
}

static int beta_index(const weir_value *v)
{
    return v->attrs.any.i[1] ? 2 : 1;
}

static struct norm last_axis(const weir_value *x, double eps, bool centered)
{
    int last = x->type.shape.rank - 1;
    int64_t c = x->type.shape.dim[last];
    return (struct norm){.shape = x->type.shape,
                         .affine = weir_shape(c),
                         .axes = weir_axes(last),
                         .n = c,
                         .centered = centered,
                         .eps = eps};
}

static struct norm spatial_axes(const weir_value *x, double eps)
{
    const struct weir_shape *s = &x->type.shape;
    struct norm how = {.shape = *s,
                       .affine = weir_shape(s->dim[s->rank - 1]),
                       .n = 1,
                       .centered = true,
                       .eps = eps};
    for (int a = 1; a < s->rank - 1; a++) {
        how.axes.axis[how.axes.n++] = a;
        how.n *= s->dim[a];
    }
    return how;
}

static struct norm grouped(const weir_value *x, int groups, double eps)
{
    struct norm how = spatial_axes(x, eps);
    int c = how.shape.rank - 1;
    int64_t each = how.shape.dim[c] / groups;
    how.shape.dim[c] = groups;
    how.shape.dim[how.shape.rank++] = each;
    how.affine = weir_shape(groups, each);
    how.axes.axis[how.axes.n++] = c + 1;
    how.n *= each;
    return how;
}

static weir_value *mean(weir_value *x, const struct norm *how)
{
    return weir_mul_c(weir_sum(x, how->axes, true), 1.0 / (double)how->n);
}

// x centered over the axes (where the norm is) and without its part along xh. Both corrections are
// negated while they are small, so that no full-sized negation stands in the way of fusing.
static weir_value *project(weir_value *x, weir_value *xh, const struct norm *how)
{
    double minus = -1.0 / (double)how->n;
    weir_value *along = weir_mul_c(weir_sum(weir_mul(x, xh), how->axes, true), minus);
    weir_value *rest = x;
    if (how->centered)
        rest = weir_add(x, weir_mul_c(weir_sum(x, how->axes, true), minus));
    return weir_add(rest, weir_mul(xh, along));
}

static struct stats normalise(weir_value *x, const struct norm *how)
{
    x = weir_reshape(x, how->shape);
    weir_value *xc = how->centered ? weir_sub(x, mean(x, how)) : x;
    weir_value *variance = mean(weir_mul(xc, xc), how);
    weir_value *rstd = weir_rsqrt(weir_add_c(variance, how->eps));
    return (struct stats){.xh = weir_mul(xc, rstd), .rstd = rstd};
}

static weir_value *build_norm(weir_value *x, weir_value *gamma, weir_value *beta,
                              const struct norm *how)
{
    struct stats s = normalise(x, how);
    weir_value *y = s.xh;
    if (gamma)
        y = weir_mul(y, weir_reshape(gamma, how->affine));
    if (beta)
        y = weir_add(y, weir_reshape(beta, how->affine));
    return weir_reshape(y, x->type.shape);
}

// sum of t over everything but the channels, in the shape of a parameter.
static weir_value *to_channels(weir_value *t, const struct norm *how, const weir_value *parameter)
{
    uint32_t mask = (1u << (how->shape.rank - how->affine.rank)) - 1;
    weir_value *sum = mask ? weir_sum(t, weir_axes_of(mask), false) : t;
    return weir_reshape(sum, parameter->type.shape);
}

static void norm_vjp(weir_value *v, weir_value *dy, weir_value **dx, const struct norm *how)
{
    struct stats s = normalise(v->arg[0], how);
    weir_value *gamma = gamma_of(v), *t = weir_reshape(dy, how->shape);
    weir_value *g = gamma ? weir_mul(t, weir_reshape(gamma, how->affine)) : t;
    dx[0] = weir_reshape(weir_mul(project(g, s.xh, how), s.rstd), v->type.shape);
    if (gamma)
        dx[1] = to_channels(weir_mul(t, s.xh), how, gamma);
    if (v->attrs.any.i[2])
        dx[beta_index(v)] = to_channels(t, how, v->arg[beta_index(v)]);
}

// The same map as in the backward pass: it is symmetric.
static void norm_jvp(weir_value *v, weir_value *const *dx, weir_value **dy, const struct norm *how)
{
    struct stats s = normalise(v->arg[0], how);
    weir_value *gamma = gamma_of(v), *out = NULL;
    if (dx[0]) {
        weir_value *t = weir_reshape(dx[0], how->shape);
        out = weir_mul(project(t, s.xh, how), s.rstd);
        if (gamma)
            out = weir_mul(out, weir_reshape(gamma, how->affine));
    }
    if (gamma && dx[1])
        out = weir_accumulate(out, weir_mul(s.xh, weir_reshape(dx[1], how->affine)));
    weir_value *dbeta = v->attrs.any.i[2] ? dx[beta_index(v)] : NULL;
    if (dbeta) {
        dbeta = weir_broadcast(weir_reshape(dbeta, how->affine), how->shape);
        out = weir_accumulate(out, dbeta);
    }
    dy[0] = weir_reshape(out, v->type.shape);
}

static bool fits(weir_value *parameter, const weir_value *x)
{
    return !parameter ||
           (parameter->type.shape.rank == 1 && weir_dim(parameter, 0) == weir_dim(x, -1));
}

// NULL where x, gamma and beta can be normalised, else the poison to return.
static weir_value *check(const char *what, weir_value *x, weir_value *gamma, weir_value *beta,
                         int min_rank, int groups)
{
    if (weir_is_poison(x))
        return x;
    if ((gamma && weir_is_poison(gamma)) || (beta && weir_is_poison(beta)))
        return x->graph->poison;
    if (x->type.shape.rank < min_rank || x->type.shape.rank >= WEIR_MAX_RANK)
        return weir_graph_fail(x->graph, "%s: rank %d", what, x->type.shape.rank);
    if (!fits(gamma, x) || !fits(beta, x))
        return weir_graph_fail(x->graph,
                               "%s: gamma and beta must have the last axis's %lld elements", what,
                               (long long)weir_dim(x, -1));
    if (groups < 1 || weir_dim(x, -1) % groups)
        return weir_graph_fail(x->graph, "%s: %lld channels do not split into %d groups", what,
                               (long long)weir_dim(x, -1), groups);
    return NULL;
}

static weir_value *make(const struct weir_op *op, weir_value *x, weir_value *gamma,
                        weir_value *beta, int groups, const struct norm *how)
{
    weir_value *arg[3] = {x};
    int n = 1;
    if (gamma)
        arg[n++] = gamma;
    if (beta)
        arg[n++] = beta;
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.any.i[0] = groups;
    attrs.any.i[1] = gamma != NULL;
    attrs.any.i[2] = beta != NULL;
    attrs.any.f[0] = how->eps;
    return weir_op_make_composite(op, arg, n, &attrs, build_norm(x, gamma, beta, how));
}

weir_value *weir_layer_norm(weir_value *x, weir_value *gamma, weir_value *beta, double eps)
{
    weir_value *bad = check("layer_norm", x, gamma, beta, 1, 1);
    if (bad || !x)
        return bad;
    struct norm how = last_axis(x, eps, true);
    return make(&weir_op_layer_norm, x, gamma, beta, 1, &how);
}

weir_value *weir_rms_norm(weir_value *x, weir_value *gamma, double eps)
{
    weir_value *bad = check("rms_norm", x, gamma, NULL, 1, 1);
    if (bad || !x)
        return bad;
    struct norm how = last_axis(x, eps, false);
    return make(&weir_op_rms_norm, x, gamma, NULL, 1, &how);
}

weir_value *weir_group_norm(weir_value *x, int groups, weir_value *gamma, weir_value *beta,
                            double eps)
{
    weir_value *bad = check("group_norm", x, gamma, beta, 2, groups);
    if (bad || !x)
        return bad;
    struct norm how = grouped(x, groups, eps);
    return make(&weir_op_group_norm, x, gamma, beta, groups, &how);
}

weir_value *weir_instance_norm(weir_value *x, weir_value *gamma, weir_value *beta, double eps)
{
    weir_value *bad = check("instance_norm", x, gamma, beta, 3, 1);
    if (bad || !x)
        return bad;
    struct norm how = spatial_axes(x, eps);
    return make(&weir_op_instance_norm, x, gamma, beta, 1, &how);
}

static struct norm norm_of(const weir_value *v)
{
    const weir_value *x = v->arg[0];
    double eps = v->attrs.any.f[0];
    if (v->op == &weir_op_group_norm)
        return grouped(x, v->attrs.any.i[0], eps);
    if (v->op == &weir_op_instance_norm)
        return spatial_axes(x, eps);
    return last_axis(x, eps, v->op == &weir_op_layer_norm);
}

static void vjp(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    struct norm how = norm_of(v);
    norm_vjp(v, dy[0], dx, &how);
}

static void jvp(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    struct norm how = norm_of(v);
    norm_jvp(v, dx, dy, &how);
}

// Cases: p[0] which norm, p[1] groups, p[2] with gamma, p[3] with beta.
enum { LAYER, RMS, GROUP, INSTANCE };

static weir_value *build(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    weir_value *gamma = c->p[2] ? in[1] : NULL, *beta = c->p[3] ? in[c->n_in - 1] : NULL;
    switch (c->p[0]) {
    case LAYER:
        return weir_layer_norm(in[0], gamma, beta, 1e-5);
    case RMS:
        return weir_rms_norm(in[0], gamma, 1e-5);
    case GROUP:
        return weir_group_norm(in[0], (int)c->p[1], gamma, beta, 1e-5);
    default:
        return weir_instance_norm(in[0], gamma, beta, 1e-5);
    }
}

static bool cases(int idx, struct weir_op_case *c, int which)
{
    static const struct {
        int64_t dims[6];
        int groups;
        bool gamma, beta;
        enum weir_fill fill;
    } rows[] = {{{2, 3, 5, 8, -1}, 4, true, true, WEIR_FILL_NORMAL},
                {{3, 7, 6, -1}, 2, false, false, WEIR_FILL_NORMAL},
                {{2, 5, 67, -1}, 1, true, false, WEIR_FILL_NORMAL},
                {{1, 9, 13, 4, -1}, 4, false, true, WEIR_FILL_NORMAL},
                {{2, 1, 1, 3, -1}, 1, true, true, WEIR_FILL_NORMAL},
                {{2, 4, 129, 12, -1}, 3, true, true, WEIR_FILL_EXTREME}};
    if (idx >= (int)WEIR_COUNT(rows))
        return false;
    c->build = build;
    c->p[0] = which;
    c->p[1] = rows[idx].groups;
    c->p[2] = rows[idx].gamma;
    c->p[3] = rows[idx].beta && which != RMS;
    c->no_grad = rows[idx].fill == WEIR_FILL_EXTREME;
    snprintf(c->label, sizeof(c->label), "shape %d%s%s", idx, c->p[2] ? " gamma" : "",
             c->p[3] ? " beta" : "");
    weir_case_input(c, WEIR_F32, rows[idx].fill, rows[idx].dims);
    int64_t channels[] = {c->in[0].shape.dim[c->in[0].shape.rank - 1], -1};
    if (c->p[2])
        weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, channels);
    if (c->p[3])
        weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, channels);
    return true;
}

#define ROW(name_, which, desc_)                                                                   \
    static bool cases_##name_(int idx, struct weir_op_case *c)                                     \
    {                                                                                              \
        return cases(idx, c, which);                                                               \
    }                                                                                              \
    const struct weir_op weir_op_##name_ = {.name = #name_,                                        \
                                            .desc = desc_,                                         \
                                            .arity = -1,                                           \
                                            .cls = WEIR_OP_COMPOSITE,                              \
                                            .vjp = vjp,                                            \
                                            .jvp = jvp,                                            \
                                            .cases = cases_##name_};
ROW(layer_norm, LAYER, "(x - mean) / sqrt(var + eps) gamma + beta over the last axis")
ROW(rms_norm, RMS, "x / sqrt(mean(x x) + eps) gamma over the last axis")
ROW(group_norm, GROUP, "the same over spatial axes and the channels of a group")
ROW(instance_norm, INSTANCE, "the same over spatial axes, channel by channel")

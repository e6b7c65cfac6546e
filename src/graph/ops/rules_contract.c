// SPDX-License-Identifier: Apache-2.0
// Derivatives of matmul and the convolutions. Both sets are closed: the derivative of a matmul is
// two matmuls, that of a convolution the other two of {conv, input gradient, weight gradient}.
#include "graph/diff.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

static int64_t batch_size(const weir_value *x)
{
    int64_t n = 1;
    for (int a = 0; a < x->type.shape.rank - 2; a++)
        n *= x->type.shape.dim[a];
    return n;
}

// (.., M, K) -> (.. M, K)
static weir_value *stacked(weir_value *x)
{
    int64_t last = weir_dim(x, -1);
    return weir_reshape(x, weir_shape(batch_size(x) * weir_dim(x, -2), last));
}

// A matrix shared by a whole batch (a layer's weight): its gradient contracts over the stacked rows
// in one chain, (b, m) in row-major order, instead of summing one product a batch entry.
static weir_value *shared_weight_grad(weir_value *a, weir_value *dy, bool tb, const weir_value *b)
{
    weir_value *rows = stacked(a), *drows = stacked(dy);
    weir_value *db =
        tb ? weir_matmul(drows, rows, true, false) : weir_matmul(rows, drows, true, false);
    return weir_unbroadcast(db, &b->type.shape);
}

void weir_vjp_matmul(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    weir_value *a = v->arg[0], *b = v->arg[1], *t = dy[0];
    bool ta = v->attrs.matmul.ta, tb = v->attrs.matmul.tb;
    if (!weir_is_float(a->type.dtype))
        return;
    weir_value *da = ta ? weir_matmul(b, t, tb, true) : weir_matmul(t, b, false, !tb);
    dx[0] = weir_unbroadcast(da, &a->type.shape);
    if (batch_size(b) == 1 && batch_size(a) > 1 && !ta) {
        dx[1] = shared_weight_grad(a, t, tb, b);
        return;
    }
    weir_value *db = tb ? weir_matmul(t, a, true, ta) : weir_matmul(a, t, !ta, false);
    dx[1] = weir_unbroadcast(db, &b->type.shape);
}

void weir_jvp_matmul(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    bool ta = v->attrs.matmul.ta, tb = v->attrs.matmul.tb;
    dy[0] = weir_accumulate(dx[0] ? weir_matmul(dx[0], v->arg[1], ta, tb) : NULL,
                            dx[1] ? weir_matmul(v->arg[0], dx[1], ta, tb) : NULL);
}

static struct weir_conv_params params_of(const weir_value *v)
{
    const struct weir_conv_attrs *attrs = &v->attrs.conv;
    struct weir_conv_params p = {.groups = attrs->groups};
    for (int i = 0; i < attrs->nd; i++) {
        p.stride[i] = attrs->stride[i];
        p.dilation[i] = attrs->dilation[i];
        p.pad_lo[i] = attrs->pad_lo[i];
        p.pad_hi[i] = attrs->pad_hi[i];
    }
    return p;
}

// Spatial extents of x (N, spatial.., C) or of a weight (O, kernel.., C).
static const int64_t *spatial(const weir_value *x)
{
    return x->type.shape.dim + 1;
}

void weir_vjp_conv(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    weir_value *x = v->arg[0], *w = v->arg[1];
    struct weir_conv_params p = params_of(v);
    dx[0] = weir_conv_input_grad(dy[0], w, spatial(x), &p);
    dx[1] = weir_conv_weight_grad(x, dy[0], spatial(w), &p);
}

void weir_jvp_conv(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    struct weir_conv_params p = params_of(v);
    dy[0] = weir_accumulate(dx[0] ? weir_conv(dx[0], v->arg[1], &p) : NULL,
                            dx[1] ? weir_conv(v->arg[0], dx[1], &p) : NULL);
}

// v = input_grad(e, w); t has v's shape: <t, input_grad(e, w)> = <conv(t, w), e>.
void weir_vjp_conv_input_grad(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    weir_value *e = v->arg[0], *w = v->arg[1];
    struct weir_conv_params p = params_of(v);
    dx[0] = weir_conv(dy[0], w, &p);
    dx[1] = weir_conv_weight_grad(dy[0], e, spatial(w), &p);
}

void weir_jvp_conv_input_grad(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    struct weir_conv_params p = params_of(v);
    const int64_t *size = spatial(v);
    dy[0] = weir_accumulate(dx[0] ? weir_conv_input_grad(dx[0], v->arg[1], size, &p) : NULL,
                            dx[1] ? weir_conv_input_grad(v->arg[0], dx[1], size, &p) : NULL);
}

// v = weight_grad(x, e); t has v's shape: <t, weight_grad(x, e)> = <conv(x, t), e>.
void weir_vjp_conv_weight_grad(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    weir_value *x = v->arg[0], *e = v->arg[1];
    struct weir_conv_params p = params_of(v);
    dx[0] = weir_conv_input_grad(e, dy[0], spatial(x), &p);
    dx[1] = weir_conv(x, dy[0], &p);
}

void weir_jvp_conv_weight_grad(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    struct weir_conv_params p = params_of(v);
    const int64_t *kernel = spatial(v);
    dy[0] = weir_accumulate(dx[0] ? weir_conv_weight_grad(dx[0], v->arg[1], kernel, &p) : NULL,
                            dx[1] ? weir_conv_weight_grad(v->arg[0], dx[1], kernel, &p) : NULL);
}

// SPDX-License-Identifier: Apache-2.0
// Attention, by definition its decompose:
//
//   s = (q kᵀ) c    masked: -inf    m = max s    p = exp(s - m)    l = sum p    o = (p v) / l
//
// With a mask, m = 0 where it is -inf and l = 1 where it is 0, so a row without an unmasked key
// gives 0.
//
// Backward: D = sum(dO O), P = p / l, dV = Pᵀ dO, dS = (P (dO vᵀ - D)) c, dQ = dS k, dK = dSᵀ q.
// Only m and l live on from the forward pass: the scores and p are rebuilt in a recompute region.
// Where q, k and v are of 16 bits, so are p, P, dO and dS as operands of the products (weir_matmul rounds
// them), and so is o; everything else is f32.
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "graph/diff.h"
#include "graph/ops/rows.h"

struct strip {
    weir_value *m, *l; // row maximum, row sum, both (.., n, 1)
};

static weir_value *scores(weir_value *q, weir_value *k, weir_value *mask, double c)
{
    weir_value *s = weir_mul_c(weir_matmul(q, k, false, true), c);
    return mask ? weir_select(mask, s, weir_f32(q->graph, -INFINITY)) : s;
}

static struct strip strip_of(weir_value *s, bool masked)
{
    struct strip t;
    weir_value *zero = weir_f32(s->graph, 0.0);
    t.m = weir_reduce_max(s, weir_axes(-1), true);
    if (masked)
        t.m = weir_select(weir_eq(t.m, weir_f32(s->graph, -INFINITY)), zero, t.m);
    t.l = weir_sum(weir_exp(weir_sub(s, t.m)), weir_axes(-1), true);
    if (masked)
        t.l = weir_select(weir_eq(t.l, zero), weir_f32(s->graph, 1.0), t.l);
    return t;
}

weir_value *weir_attention(weir_value *q, weir_value *k, weir_value *v, weir_value *mask,
                           double scale)
{
    weir_value *arg[] = {q, k, v, mask};
    for (int i = 0; i < (mask ? 4 : 3); i++)
        if (weir_is_poison(arg[i]))
            return q ? q->graph->poison : NULL;
    if (q->type.shape.rank < 2)
        return weir_graph_fail(q->graph, "attention: q needs two axes");
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.any.i[0] = mask != NULL;
    attrs.any.f[0] = scale != 0.0 ? scale : 1.0 / sqrt((double)weir_dim(q, -1));
    weir_value *s = scores(q, k, mask, attrs.any.f[0]);
    if (weir_is_poison(s))
        return s;
    struct strip t = strip_of(s, mask != NULL);
    weir_value *p = weir_exp(weir_sub(s, t.m));
    weir_value *o = weir_cast(weir_div(weir_matmul(p, v, false, false), t.l), v->type.dtype);
    return weir_op_make_composite(&weir_op_attention, arg, mask ? 4 : 3, &attrs, o);
}

// m and l as the forward pass has them.
static struct strip kept_strip(weir_value *y, weir_value *mask)
{
    struct strip t =
        strip_of(scores(y->arg[0], y->arg[1], mask, y->attrs.any.f[0]), mask != NULL);
    t.m = weir_op_make_composite(&weir_op_attention_max, &y, 1, NULL, t.m);
    t.l = weir_op_make_composite(&weir_op_attention_sum, &y, 1, NULL, t.l);
    return t;
}

// P, normalised, from the saved m and l; what is built here is not merged with the forward's.
static weir_value *weights(weir_value *y, weir_value *mask, const struct strip *t)
{
    weir_graph *g = y->graph;
    int outer = g->recompute;
    g->recompute = ++g->n_recompute;
    weir_value *s = scores(y->arg[0], y->arg[1], mask, y->attrs.any.f[0]);
    weir_value *p = weir_div(weir_exp(weir_sub(s, t->m)), t->l);
    g->recompute = outer;
    return p;
}

static void attention_vjp(weir_value *y, weir_value *const *dy, weir_value **dx)
{
    weir_value *q = y->arg[0], *k = y->arg[1], *v = y->arg[2], *t = dy[0];
    weir_value *mask = y->attrs.any.i[0] ? y->arg[3] : NULL;
    struct strip kept = kept_strip(y, mask);
    weir_value *p = weights(y, mask, &kept);
    weir_value *d = weir_sum(weir_mul(t, weir_cast(y, WEIR_F32)), weir_axes(-1), true);
    weir_value *dp = weir_matmul(t, v, false, true);
    weir_value *ds = weir_mul_c(weir_mul(p, weir_sub(dp, d)), y->attrs.any.f[0]);
    weir_value *of[] = {y, t, kept.m, kept.l, d};
    weir_value *dq = weir_op_make_composite(&weir_op_attention_dq, of, 5, NULL,
                                            weir_matmul(ds, k, false, false));
    weir_value *dk = weir_op_make_composite(&weir_op_attention_dk, of, 5, NULL,
                                            weir_matmul(ds, q, true, false));
    weir_value *dv = weir_op_make_composite(&weir_op_attention_dv, of, 5, NULL,
                                            weir_matmul(p, weir_cast(t, v->type.dtype), true, false));
    dx[0] = weir_unbroadcast(dq, &q->type.shape);
    dx[1] = weir_unbroadcast(dk, &k->type.shape);
    dx[2] = weir_unbroadcast(dv, &v->type.shape);
}

// dO = dP v + P dV with dP = P (dS - sum(P dS)).
static void attention_jvp(weir_value *y, weir_value *const *dx, weir_value **dy)
{
    weir_value *q = y->arg[0], *k = y->arg[1], *v = y->arg[2];
    weir_value *mask = y->attrs.any.i[0] ? y->arg[3] : NULL;
    struct strip kept = kept_strip(y, mask);
    weir_value *p = weights(y, mask, &kept);
    weir_value *ds = weir_accumulate(dx[0] ? weir_matmul(dx[0], k, false, true) : NULL,
                                     dx[1] ? weir_matmul(q, dx[1], false, true) : NULL);
    if (ds) {
        ds = weir_mul_c(ds, y->attrs.any.f[0]);
        weir_value *mean = weir_sum(weir_mul(p, ds), weir_axes(-1), true);
        dy[0] = weir_matmul(weir_mul(p, weir_sub(ds, mean)), v, false, false);
    }
    if (dx[2])
        dy[0] = weir_accumulate(dy[0], weir_matmul(weir_cast(p, v->type.dtype), dx[2], false, false));
}

// Cases: p[0] whether there is a mask.
static weir_value *build(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    return weir_attention(in[0], in[1], in[2], c->p[0] ? in[3] : NULL, c->p[1] ? 0.25 : 0.0);
}

static bool cases(int idx, struct weir_op_case *c)
{
    static const struct {
        int64_t batch, n, m, d, e;
        bool mask;
        enum weir_fill fill;
    } rows[] = {{1, 1, 1, 1, 1, false, WEIR_FILL_NORMAL},
                {2, 7, 5, 4, 3, false, WEIR_FILL_NORMAL},
                {3, 5, 67, 8, 8, false, WEIR_FILL_NORMAL},
                {2, 6, 3, 4, 5, true, WEIR_FILL_NORMAL},
                {2, 33, 17, 4, 4, true, WEIR_FILL_EXTREME}};
    if (idx >= (int)WEIR_COUNT(rows))
        return false;
    int64_t b = rows[idx].batch, n = rows[idx].n, m = rows[idx].m, d = rows[idx].d;
    c->build = build;
    c->p[0] = rows[idx].mask;
    c->p[1] = idx == 2;
    c->no_grad = rows[idx].fill == WEIR_FILL_EXTREME;
    snprintf(c->label, sizeof(c->label), "%lld queries, %lld keys%s", (long long)n, (long long)m,
             rows[idx].mask ? ", masked" : "");
    weir_case_input(c, WEIR_F32, rows[idx].fill, weir_dims(b, n, d));
    weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, weir_dims(b, m, d));
    weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, weir_dims(b, m, rows[idx].e));
    if (rows[idx].mask)
        weir_case_input(c, WEIR_BOOL, WEIR_FILL_NORMAL, weir_dims(b, n, m));
    return true;
}

const struct weir_op weir_op_attention = {.name = "attention",
                                          .desc = "softmax(scale q kT + mask) v",
                                          .arity = -1,
                                          .cls = WEIR_OP_COMPOSITE,
                                          .vjp = attention_vjp,
                                          .jvp = attention_jvp,
                                          .cases = cases};

#define PART(what, text, n)                                                                      \
    const struct weir_op weir_op_attention_##what = {                                            \
        .name = "attention_" #what, .desc = text, .arity = n, .cls = WEIR_OP_COMPOSITE};
PART(max, "the row maxima of an attention", 1)
PART(sum, "the row sums of an attention", 1)
PART(dq, "the gradient of an attention to its queries", 5)
PART(dk, "the gradient of an attention to its keys", 5)
PART(dv, "the gradient of an attention to its values", 5)
#undef PART

// SPDX-License-Identifier: Apache-2.0
// weir_loop: iterations built one after the other. The row marks where a value enters an iteration:
// it is its argument, but no product for the contraction of weir_add and weir_sub, so that every
// iteration computes the same function of what it is given.
#include "weir/loop.h"

#include <stdio.h>
#include <string.h>

#include "graph/ops/composite.h"
#include "graph/ops/rows.h"

enum { STACK = 16 }; // results that one concat joins, slices that one block holds

static weir_value *enter(weir_value *x)
{
    return weir_op_make_composite(&weir_op_loop, &x, 1, NULL, x);
}

static bool same_type(const weir_value *a, const weir_value *b)
{
    return a->type.dtype == b->type.dtype && weir_shape_equal(&a->type.shape, &b->type.shape);
}

// Slice i of xs, without the axis. It is cut from a block of STACK slices, so that a gradient with
// respect to xs pads and adds n small blocks and n / STACK whole tensors, not n whole ones.
static weir_value *slice(weir_value *xs, weir_value **block, int64_t i)
{
    struct weir_shape s = xs->type.shape;
    int64_t first = i % STACK, end = i + STACK < s.dim[0] ? i + STACK : s.dim[0];
    if (first == 0)
        *block = weir_slice(xs, 0, i, end, 1);
    memmove(s.dim, s.dim + 1, (size_t)--s.rank * sizeof(s.dim[0]));
    s.dim[s.rank] = 0;
    return enter(weir_reshape(weir_slice(*block, 0, first, first + 1, 1), s));
}

// n values as one with a new first axis, a few at a time: launches take a bounded number of
// buffers. Overwrites v.
static weir_value *stack(weir_value **v, int64_t n)
{
    for (int64_t i = 0; i < n; i++) {
        struct weir_shape s = v[i]->type.shape;
        if (s.rank == WEIR_MAX_RANK)
            return weir_graph_fail(v[i]->graph,
                                   "loop: a stacked result would have more than 8 axes");
        memmove(s.dim + 1, s.dim, (size_t)s.rank++ * sizeof(s.dim[0]));
        s.dim[0] = 1;
        v[i] = weir_reshape(v[i], s);
    }
    while (n > 1) {
        int64_t joined = 0;
        for (int64_t i = 0; i < n; i += STACK)
            v[joined++] = weir_concat(v + i, (int)(n - i < STACK ? n - i : STACK), 0);
        n = joined;
    }
    return v[0];
}

struct loop {
    weir_graph *g;
    weir_value **carry, **x, **next, **y; // of one iteration
    weir_value **block;                   // of each xs, what holds the current slice
    weir_value **ys;                      // (n_ys, n)
};

static weir_graph *graph_of(const struct weir_loop_params *p)
{
    for (int k = 0; k < p->n_carry; k++)
        if (p->carry[k])
            return p->carry[k]->graph;
    for (int k = 0; k < p->n_xs; k++)
        if (p->xs[k])
            return p->xs[k]->graph;
    return NULL;
}

static bool any_poison(weir_value *const *v, int n)
{
    for (int k = 0; k < n; k++)
        if (weir_is_poison(v[k]))
            return true;
    return false;
}

static bool check(const struct weir_loop_params *p, weir_graph *g)
{
    if (weir_graph_status(g) != WEIR_OK)
        return false;
    if (any_poison(p->carry, p->n_carry) || any_poison(p->xs, p->n_xs))
        return !weir_graph_fail(g, "loop: an argument is NULL");
    if (p->n < 1 || p->n > INT32_MAX || !p->body)
        return !weir_graph_fail(g, "loop: a body and at least one iteration are needed");
    for (int k = 0; k < p->n_xs; k++)
        if (p->xs[k]->type.shape.rank < 1 || p->xs[k]->type.shape.dim[0] != p->n)
            return !weir_graph_fail(
                g, "loop: the first axis of xs[%d] is not the number of iterations", k);
    return true;
}

static bool iterate(const struct weir_loop_params *p, struct loop *l, int64_t i)
{
    for (int k = 0; k < p->n_carry; k++)
        l->carry[k] = enter(l->next[k]);
    for (int k = 0; k < p->n_xs; k++)
        l->x[k] = slice(p->xs[k], &l->block[k], i);
    memset(l->next, 0, (size_t)p->n_carry * sizeof(*l->next));
    memset(l->y, 0, (size_t)p->n_ys * sizeof(*l->y));
    p->body(p->ctx, l->carry, l->x, l->next, l->y);
    if (any_poison(l->next, p->n_carry) || any_poison(l->y, p->n_ys))
        return !weir_graph_fail(l->g, "loop: the body left a result unset");
    for (int k = 0; k < p->n_carry; k++)
        if (!same_type(l->next[k], p->carry[k]))
            return !weir_graph_fail(l->g, "loop: the body changes the type of carry %d", k);
    for (int k = 0; k < p->n_ys; k++) {
        l->ys[k * p->n + i] = l->y[k];
        if (!same_type(l->y[k], l->ys[k * p->n]))
            return !weir_graph_fail(l->g, "loop: result %d has not one type in all iterations", k);
    }
    return true;
}

static bool run(const struct weir_loop_params *p, struct loop *l)
{
    if (!check(p, l->g))
        return false;
    struct weir_arena *a = l->g->arena;
    size_t size = sizeof(weir_value *), n_carry = (size_t)p->n_carry, n_ys = (size_t)p->n_ys;
    l->carry = weir_arena_array(a, n_carry, size);
    l->next = weir_arena_array(a, n_carry, size);
    l->x = weir_arena_array(a, (size_t)p->n_xs, size);
    l->block = weir_arena_array(a, (size_t)p->n_xs, size);
    l->y = weir_arena_array(a, n_ys, size);
    l->ys = weir_arena_array(a, n_ys * (size_t)p->n, size);
    if (!l->carry || !l->next || !l->x || !l->block || !l->y || !l->ys)
        return !weir_graph_fail(l->g, "loop: out of memory");
    if (p->n_carry)
        memcpy(l->next, p->carry, n_carry * size);
    for (int64_t i = 0; i < p->n; i++)
        if (!iterate(p, l, i))
            return false;
    return true;
}

void weir_loop(const struct weir_loop_params *params, weir_value **carry, weir_value **ys)
{
    struct loop l = {.g = graph_of(params)};
    bool ok = l.g && run(params, &l);
    for (int k = 0; k < params->n_carry; k++)
        carry[k] = ok ? enter(l.next[k]) : l.g ? l.g->poison : NULL;
    for (int k = 0; k < params->n_ys; k++)
        ys[k] = ok ? stack(l.ys + k * params->n, params->n) : l.g ? l.g->poison : NULL;
}

// --- cases: p[0] = iterations, p[1] = the carry or the stacked results ---

static void damped(void *ctx, weir_value *const *carry, weir_value *const *x, weir_value **next,
                   weir_value **y)
{
    weir_value *w = ctx;
    y[0] = weir_sin(weir_add(carry[0], x[0]));
    next[0] = weir_mul(w, weir_add(carry[0], weir_mul(x[0], y[0]))); // a product is carried on
}

static weir_value *build(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    weir_value *carry, *ys;
    weir_loop(&(struct weir_loop_params){.n = c->p[0],
                                         .carry = in,
                                         .n_carry = 1,
                                         .xs = in + 1,
                                         .n_xs = 1,
                                         .n_ys = 1,
                                         .body = damped,
                                         .ctx = in[2]},
              &carry, &ys);
    return c->p[1] ? ys : carry;
}

static bool cases(int idx, struct weir_op_case *c)
{
    static const int iterations[] = {1, 2, 5, 37};
    if (idx >= 2 * (int)WEIR_COUNT(iterations))
        return false;
    c->p[0] = iterations[idx / 2];
    c->p[1] = idx % 2;
    c->build = build;
    weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, weir_dims(19));
    weir_case_input(c, WEIR_F32, WEIR_FILL_NORMAL, weir_dims(c->p[0], 19));
    weir_case_input(c, WEIR_F32, WEIR_FILL_UNIT, weir_dims(19));
    snprintf(c->label, sizeof(c->label), "%d iterations%s", (int)c->p[0],
             c->p[1] ? ", stacked" : "");
    return true;
}

const struct weir_op weir_op_loop = {
    .name = "loop",
    .desc = "a value between two iterations: itself, but no product node",
    .arity = 1,
    .cls = WEIR_OP_COMPOSITE,
    .cases = cases,
};

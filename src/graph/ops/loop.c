// SPDX-License-Identifier: Apache-2.0
// weir_loop: one LOOP value whose body is built once, in a graph of its own (graph/loop.h). The
// iteration's number is a carried value of its own, made when somebody asks for it.
#include "weir/loop.h"

#include <stdio.h>
#include <string.h>

#include "graph/diff.h"
#include "graph/loop.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

static bool same_type(const weir_value *a, const weir_value *b)
{
    return a->type.dtype == b->type.dtype && weir_shape_equal(&a->type.shape, &b->type.shape);
}

// --- construction, for weir_loop and for the rules ---

bool weir_loop_begin(struct weir_loop_builder *b, weir_graph *g, int64_t n, bool reverse,
                     int max_carry, int max_xs, int max_ys)
{
    struct weir_arena *a = g->arena;
    size_t size = sizeof(weir_value *),
           carries = (size_t)max_carry + 1; // and the iteration's number
    *b = (struct weir_loop_builder){.g = g, .l = {.n = n, .reverse = reverse}};
    b->first = weir_arena_array(a, carries, size);
    b->l.param = weir_arena_array(a, carries, size);
    b->l.next = weir_arena_array(a, carries, size);
    b->xs = weir_arena_array(a, (size_t)max_xs, size);
    b->slice = weir_arena_array(a, (size_t)max_xs, size);
    b->l.y = weir_arena_array(a, (size_t)max_ys, size);
    if (!b->first || !b->l.param || !b->l.next || !b->xs || !b->slice || !b->l.y)
        return !weir_graph_fail(g, "loop: out of memory");
    b->body = b->l.body = weir_body_open(g);
    return b->body != NULL;
}

weir_value *weir_loop_carry(struct weir_loop_builder *b, weir_value *first)
{
    int k = b->l.n_carry++;
    b->first[k] = first;
    b->l.param[k] = weir_body_param(b->body, first->type.dtype, &first->type.shape);
    return b->l.param[k];
}

weir_value *weir_loop_slice(struct weir_loop_builder *b, weir_value *xs)
{
    int k = b->l.n_xs++;
    struct weir_shape s = xs->type.shape;
    memmove(s.dim, s.dim + 1, (size_t)--s.rank * sizeof(s.dim[0]));
    b->xs[k] = xs;
    b->slice[k] = weir_body_param(b->body, xs->type.dtype, &s);
    return b->slice[k];
}

void weir_loop_result(struct weir_loop_builder *b, weir_value *y)
{
    b->l.y[b->l.n_ys++] = weir_lift(b->g, y);
}

weir_value *weir_loop_end(struct weir_loop_builder *b)
{
    struct weir_body_of *of = b->body->of;
    struct weir_loop *l = weir_arena_memdup(b->g->arena, &b->l, sizeof(*l));
    int n = b->l.n_carry + b->l.n_xs + of->n_captured;
    weir_value **arg = weir_arena_array(b->g->arena, (size_t)n, sizeof(*arg));
    weir_value **param = weir_arena_array(b->g->arena, (size_t)n, sizeof(*param));
    for (int k = 0; k < b->l.n_carry; k++)
        b->l.next[k] = weir_lift(b->g, b->l.next[k]);
    weir_body_close(b->body);
    if (!l || !arg || !param)
        return weir_graph_fail(b->g, "loop: out of memory");
    n = 0;
    for (int k = 0; k < l->n_carry; k++, n++)
        arg[n] = b->first[k], param[n] = l->param[k];
    for (int k = 0; k < l->n_xs; k++, n++)
        arg[n] = b->xs[k], param[n] = b->slice[k];
    for (int k = 0; k < of->n_captured; k++, n++)
        arg[n] = (weir_value *)(uintptr_t)of->captured[k].outer, param[n] = of->captured[k].inner;
    l->n_captures = of->n_captured;
    l->param = param;
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.loop.l = l;
    return weir_op_make(b->g, &weir_op_loop, arg, n, &attrs);
}

static const char *infer_loop(weir_value *v)
{
    const struct weir_loop *l = v->attrs.loop.l;
    v->n_parts = l->n_carry + l->n_ys;
    v->parts = weir_arena_array(v->graph->arena, (size_t)v->n_parts, sizeof(*v->parts));
    if (!v->parts)
        return "out of memory";
    for (int k = 0; k < v->n_parts; k++) {
        bool stacked = k >= l->n_carry;
        struct weir_type *t = &v->parts[k];
        *t = stacked ? l->y[k - l->n_carry]->type : l->param[k]->type;
        if (!stacked)
            continue;
        if (t->shape.rank == WEIR_MAX_RANK)
            return "a stacked result would have more than 8 axes";
        memmove(t->shape.dim + 1, t->shape.dim, (size_t)t->shape.rank++ * sizeof(t->shape.dim[0]));
        t->shape.dim[0] = l->n;
    }
    return NULL;
}

// --- the call ---

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
    if (p->n < 0 || p->n > INT32_MAX || !p->body)
        return !weir_graph_fail(g, "loop: a body and a number of iterations from 0 are needed");
    if (p->n_carry + p->n_ys == 0)
        return !weir_graph_fail(g, "loop: no results");
    for (int k = 0; k < p->n_xs; k++)
        if (p->xs[k]->type.shape.rank < 1 || p->xs[k]->type.shape.dim[0] != p->n)
            return !weir_graph_fail(
                g, "loop: the first axis of xs[%d] is not the number of iterations", k);
    return true;
}

weir_value *weir_loop_index(weir_value *v)
{
    if (weir_is_poison(v))
        return v;
    struct weir_body_of *of = v->graph->of;
    if (of && !of->index && of->counts) {
        weir_graph *open = v->graph->root->open;
        of->index = weir_body_param(v->graph, WEIR_U32, &weir_scalar_shape);
        v->graph->root->open = open;
    }
    if (!of || !of->index)
        return weir_graph_fail(v->graph, "loop_index: not a value of the body of a loop");
    return of->index;
}

// The number of the iteration as a carried value, if the body asked for it.
static void carry_index(struct weir_loop_builder *b)
{
    weir_value *index = b->body->of->index;
    if (!index)
        return;
    int k = b->l.n_carry++;
    b->l.param[k] = index;
    b->l.next[k] = weir_add(index, weir_u32(b->g, 1));
    b->body->root->open = b->body->of->parent;
    b->first[k] = weir_u32(b->g, 0);
    b->body->root->open = b->body;
}

static bool build_body(const struct weir_loop_params *p, struct weir_loop_builder *b,
                       weir_value **y)
{
    p->body(p->ctx, b->l.param, b->slice, b->l.next, y);
    if (weir_graph_status(b->g) != WEIR_OK)
        return false;
    if (any_poison(b->l.next, p->n_carry) || any_poison(y, p->n_ys))
        return !weir_graph_fail(b->g, "loop: the body left a result unset");
    for (int k = 0; k < p->n_carry; k++)
        if (!same_type(b->l.next[k], p->carry[k]))
            return !weir_graph_fail(b->g, "loop: the body changes the type of carry %d", k);
    for (int k = 0; k < p->n_ys; k++)
        weir_loop_result(b, y[k]);
    carry_index(b);
    return true;
}

static weir_value *make(const struct weir_loop_params *p, weir_graph *g)
{
    struct weir_loop_builder b;
    weir_value **y = weir_arena_array(g->arena, (size_t)p->n_ys, sizeof(*y));
    if (!check(p, g) || !y || !weir_loop_begin(&b, g, p->n, false, p->n_carry, p->n_xs, p->n_ys))
        return weir_graph_fail(g, "loop: out of memory"); // silent if an error came before
    for (int k = 0; k < p->n_carry; k++)
        weir_loop_carry(&b, p->carry[k]);
    for (int k = 0; k < p->n_xs; k++)
        weir_loop_slice(&b, p->xs[k]);
    b.body->of->counts = true;
    if (build_body(p, &b, y))
        return weir_loop_end(&b);
    weir_body_close(b.body);
    return g->poison;
}

void weir_loop(const struct weir_loop_params *params, weir_value **carry, weir_value **ys)
{
    weir_graph *g = graph_of(params);
    weir_value *v = g ? make(params, g) : NULL;
    int skip = weir_is_poison(v) ? 0 : v->attrs.loop.l->n_carry;
    for (int k = 0; k < params->n_carry; k++)
        carry[k] = weir_part(v, k);
    for (int k = 0; k < params->n_ys; k++)
        ys[k] = weir_part(v, skip + k);
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
    .desc = "a body repeated over carried values and slices",
    .arity = -1,
    .cls = WEIR_OP_LOOP,
    .infer = infer_loop,
    .vjp = weir_vjp_loop,
    .jvp = weir_jvp_loop,
    .cases = cases,
};

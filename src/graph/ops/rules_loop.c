// SPDX-License-Identifier: Apache-2.0
// Derivatives of loops, which are loops again.
//
// jvp: the body and its tangents, in the same order. vjp: the other way round; an iteration is
// computed again from the carried values it began with (stacked by the first loop, which is given
// these results when it is differentiated), then its vjp is taken. The cotangents of carried values
// are carried, those of captures are summed in a carried value, those of slices are stacked. A
// tangent or cotangent that is absent where the loop begins is -0, to which any sum may be added
// without a trace.
#include <string.h>

#include "graph/diff.h"
#include "graph/loop.h"
#include "graph/ops/rows.h"
#include "graph/ops/rules.h"

static weir_value *nothing(const weir_value *like)
{
    return weir_broadcast(weir_f32(like->graph, -0.0), like->type.shape);
}

// As above, made where the loop stands.
static weir_value *nothing_before(struct weir_loop_builder *b, const weir_value *like)
{
    weir_graph *root = b->body->root;
    root->open = b->body->of->parent;
    weir_value *v = nothing(like);
    root->open = b->body;
    return v;
}

static weir_value **list(weir_graph *g, int n)
{
    weir_value **v = weir_arena_array(g->arena, (size_t)n + 1, sizeof(*v));
    if (!v)
        weir_graph_fail(g, "loop: out of memory");
    return v;
}

// Carried value k as each iteration of v found it, stacked; v gets the result if it has none such.
static weir_value *stacked(weir_value *v, int k)
{
    struct weir_loop *l = v->attrs.loop.l;
    weir_graph *g = v->graph;
    int j = 0;
    while (j < l->n_ys && l->y[j] != l->param[k])
        j++;
    if (j == l->n_ys) {
        struct weir_type t = l->param[k]->type;
        weir_value **y = list(g, l->n_ys + 1);
        struct weir_type *parts =
            weir_arena_array(g->arena, (size_t)v->n_parts + 1, sizeof(*parts));
        if (!y || !parts || t.shape.rank == WEIR_MAX_RANK)
            return weir_graph_fail(g,
                                   "loop: a carried value of 8 axes cannot be kept for a gradient");
        memcpy(y, l->y, (size_t)l->n_ys * sizeof(*y));
        memcpy(parts, v->parts, (size_t)v->n_parts * sizeof(*parts));
        memmove(t.shape.dim + 1, t.shape.dim, (size_t)t.shape.rank++ * sizeof(t.shape.dim[0]));
        t.shape.dim[0] = l->n;
        parts[v->n_parts++] = t;
        y[l->n_ys++] = l->param[k];
        v->parts = parts;
        l->y = y;
    }
    return weir_part(v, l->n_carry + j);
}

// --- jvp ---

struct forward {
    weir_value *v;
    weir_value *const *dx;
    bool *moves;  // carried values that have a tangent
    int *tangent; // of each, its place among the carried values; -1 = none
    struct weir_loop_builder b;
    weir_value **y, **dy; // results of the body (next, then y) and their tangents
};

static bool build_forward(struct forward *f)
{
    weir_value *v = f->v;
    const struct weir_loop *l = v->attrs.loop.l;
    int n = v->arity, n_move = 0;
    weir_value **map = list(v->graph, l->body->n_values), **x = list(v->graph, n),
               **dot = list(v->graph, n);
    if (!map || !x || !dot ||
        !weir_loop_begin(&f->b, v->graph, l->n, l->reverse, 2 * l->n_carry, 2 * l->n_xs, l->n_ys))
        return false;
    for (int k = 0; k < n; k++) {
        bool carry = k < l->n_carry, xs = !carry && k < l->n_carry + l->n_xs;
        weir_value *a = v->arg[k], *in;
        in = carry ? weir_loop_carry(&f->b, a)
             : xs  ? weir_loop_slice(&f->b, a)
                   : weir_lift(a->graph, a);
        map[l->param[k]->id] = x[n_move] = in;
        if (carry && f->moves[k]) {
            f->tangent[k] = f->b.l.n_carry;
            dot[n_move++] = weir_loop_carry(&f->b, f->dx[k] ? f->dx[k] : nothing_before(&f->b, a));
        } else if (!carry && f->dx[k]) {
            dot[n_move++] = xs ? weir_loop_slice(&f->b, f->dx[k]) : weir_lift(a->graph, f->dx[k]);
        }
    }
    if (!weir_body_copy(l->body, f->b.body, map))
        return false;
    for (int k = 0; k < v->n_parts; k++)
        f->y[k] = map[(k < l->n_carry ? l->next[k] : l->y[k - l->n_carry])->id];
    weir_jvp_absent(f->y, f->dy, v->n_parts, x, dot, n_move);
    return true;
}

// A carried value whose next one moves must be given a tangent; true if that is news.
static bool spreads(struct forward *f)
{
    bool news = false;
    for (int k = 0; k < f->v->attrs.loop.l->n_carry; k++)
        if (f->dy[k] && !f->moves[k])
            news = f->moves[k] = true;
    return news;
}

static void finish_forward(struct forward *f, weir_value **dy)
{
    const struct weir_loop *l = f->v->attrs.loop.l;
    int n_ys = 0;
    for (int k = 0, at = 0; k < l->n_carry; k++) {
        f->b.l.next[at++] = f->y[k];
        if (f->moves[k])
            f->b.l.next[at++] = f->dy[k] ? f->dy[k] : nothing(l->param[k]);
    }
    for (int k = l->n_carry; k < f->v->n_parts; k++)
        if (f->dy[k])
            weir_loop_result(&f->b, f->dy[k]);
    weir_value *d = weir_loop_end(&f->b);
    for (int k = 0; k < f->v->n_parts; k++) {
        if (k < l->n_carry && f->moves[k])
            dy[k] = weir_part(d, f->tangent[k]);
        else if (k >= l->n_carry && f->dy[k])
            dy[k] = weir_part(d, f->b.l.n_carry + n_ys++);
    }
}

void weir_jvp_loop(weir_value *v, weir_value *const *dx, weir_value **dy)
{
    const struct weir_loop *l = v->attrs.loop.l;
    weir_graph *g = v->graph;
    struct forward f = {.v = v, .dx = dx};
    f.moves = weir_arena_array(g->arena, (size_t)l->n_carry + 1, sizeof(*f.moves));
    f.tangent = weir_arena_array(g->arena, (size_t)l->n_carry + 1, sizeof(*f.tangent));
    f.y = list(g, v->n_parts);
    f.dy = list(g, v->n_parts);
    if (!f.moves || !f.tangent || !f.y || !f.dy) {
        weir_graph_fail(g, "loop: out of memory");
        return;
    }
    for (int k = 0; k < l->n_carry; k++) {
        f.moves[k] = dx[k] != NULL;
        if (l->n == 0)
            dy[k] = dx[k];
    }
    if (l->n == 0)
        return;
    bool ok = build_forward(&f);
    while (ok && spreads(&f)) {
        weir_body_close(f.b.body);
        ok = build_forward(&f);
    }
    if (ok)
        finish_forward(&f, dy);
    else if (f.b.body)
        weir_body_close(f.b.body);
}

// --- vjp ---

struct backward {
    weir_value *v;
    const struct weir_loop *l;
    int n_ys;          // of v before results were added
    weir_value **kept; // its carried values, stacked
    struct weir_loop_builder b;
    weir_value **map;     // from v's body into the new one
    weir_value **y, **dy; // seeds
    int n_y;
    weir_value **x, **d; // what is differentiated with respect to; its cotangent
    int *at;             // of each argument of v, its place in x; -1 = none
    int n_x;
    weir_value **sum; // of each argument that is carried: its cotangent so far
};

static void seed(struct backward *r, weir_value *y, weir_value *dy)
{
    r->y[r->n_y] = y;
    r->dy[r->n_y++] = dy;
}

// The new body's params: cotangents carried, what v's body is given, cotangents of stacked results.
static void give_params(struct backward *r, weir_value *const *dy, weir_value **cot)
{
    weir_value *v = r->v;
    const struct weir_loop *l = r->l;
    int n_given = l->n_carry + l->n_xs;
    for (int k = 0; k < v->arity; k++) {
        weir_value *a = v->arg[k], *p = l->param[k], *in;
        bool carry = k < l->n_carry, captured = k >= n_given;
        in = carry      ? weir_loop_slice(&r->b, r->kept[k])
             : captured ? weir_lift(a->graph, a)
                        : weir_loop_slice(&r->b, a);
        r->map[p->id] = in;
        r->at[k] = -1;
        if (!weir_is_float(p->type.dtype))
            continue;
        r->at[k] = r->n_x;
        r->x[r->n_x++] = in;
        if (carry || captured)
            r->sum[k] = weir_loop_carry(&r->b, carry && dy[k] ? dy[k] : nothing_before(&r->b, p));
    }
    for (int k = 0; k < r->n_ys; k++)
        if (dy[l->n_carry + k])
            cot[k] = weir_loop_slice(&r->b, dy[l->n_carry + k]);
}

// What comes first in a cotangent's sum: what later iterations left, then stacked results.
static void give_seeds(struct backward *r, weir_value **cot)
{
    const struct weir_loop *l = r->l;
    for (int k = l->n_carry + l->n_xs; k < r->v->arity; k++)
        if (r->sum[k])
            seed(r, r->map[l->param[k]->id], r->sum[k]);
    for (int k = 0; k < r->n_ys; k++)
        if (cot[k])
            seed(r, r->map[l->y[k]->id], cot[k]);
    for (int k = 0; k < l->n_carry; k++)
        if (r->sum[k])
            seed(r, r->map[l->next[k]->id], r->sum[k]);
}

static void finish_backward(struct backward *r, weir_value **dx)
{
    const struct weir_loop *l = r->l;
    int n_next = 0, n_ys = 0;
    for (int k = 0; k < r->v->arity; k++) {
        weir_value *d = r->at[k] >= 0 ? r->d[r->at[k]] : NULL;
        if (r->sum[k])
            r->b.l.next[n_next++] = d ? d : nothing(l->param[k]);
        else if (d)
            weir_loop_result(&r->b, d);
    }
    weir_value *loop = weir_loop_end(&r->b);
    n_next = 0;
    for (int k = 0; k < r->v->arity; k++) {
        weir_value *d = r->at[k] >= 0 ? r->d[r->at[k]] : NULL;
        bool untouched = k >= l->n_carry && d == r->sum[k]; // a capture that no result depends on
        if (r->sum[k] && d && !untouched)
            dx[k] = weir_part(loop, n_next);
        else if (!r->sum[k] && d)
            dx[k] = weir_part(loop, r->b.l.n_carry + n_ys++);
        n_next += r->sum[k] != NULL;
    }
}

static bool init_backward(struct backward *r)
{
    const struct weir_loop *l = r->l;
    weir_graph *g = r->v->graph;
    int n = r->v->arity + r->v->n_parts;
    r->kept = list(g, l->n_carry);
    r->map = list(g, l->body->n_values);
    r->y = list(g, n);
    r->dy = list(g, n);
    r->x = list(g, n);
    r->d = list(g, n);
    r->sum = list(g, n);
    r->at = weir_arena_array(g->arena, (size_t)n, sizeof(*r->at));
    if (!r->kept || !r->map || !r->y || !r->dy || !r->x || !r->d || !r->sum || !r->at)
        return false;
    for (int k = 0; k < l->n_carry; k++)
        if (weir_is_poison(r->kept[k] = stacked(r->v, k)))
            return false;
    return true;
}

void weir_vjp_loop(weir_value *v, weir_value *const *dy, weir_value **dx)
{
    const struct weir_loop *l = v->attrs.loop.l;
    struct backward r = {.v = v, .l = l, .n_ys = l->n_ys};
    weir_value **cot = list(v->graph, l->n_ys);
    for (int k = 0; k < l->n_carry && l->n == 0; k++)
        dx[k] = dy[k];
    if (l->n == 0 || !cot || !init_backward(&r) ||
        !weir_loop_begin(&r.b, v->graph, l->n, !l->reverse, v->arity, v->arity + r.n_ys, v->arity))
        return;
    give_params(&r, dy, cot);
    if (!weir_body_copy(l->body, r.b.body, r.map)) {
        weir_body_close(r.b.body);
        return;
    }
    give_seeds(&r, cot);
    if (r.n_y > 0)
        weir_vjp_absent(r.y, r.dy, r.n_y, r.x, r.d, r.n_x);
    finish_backward(&r, dx);
}

// SPDX-License-Identifier: Apache-2.0
// Reverse mode, graph to graph. The walk goes over the values as they were built, from the last to
// the first, so the cotangents of a value are added in descending consumer index (a consumer that
// uses a value twice adds its arguments' cotangents in argument order; a seed in dy comes before
// all). An absent cotangent is absent, never a tensor of zeros. The sums are weir_add calls, which
// contract as any call of weir_add does.
//
// Cotangents of f16 and bf16 values are f32: rounding to a storage type counts as the identity, and
// only f32 can be added.
#include <stdlib.h>

#include "graph/diff.h"
#include "graph/loop.h"
#include "graph/ops/rows.h"

// The state of one walk. Arrays are indexed by value id.
struct walk {
    weir_graph *g;
    int n;               // values that existed when the walk began; rules append more behind them
    bool *needs;         // depends on a wrt value through differentiable steps
    bool *reached;       // y depends on it
    weir_value **cot;    // cotangent so far (of a value with one result), or NULL
    weir_value ***parts; // the same for values with several results
};

bool weir_is_float(enum weir_dtype dtype)
{
    return dtype == WEIR_F32 || dtype == WEIR_F16 || dtype == WEIR_BF16;
}

bool weir_has_float_result(const weir_value *v)
{
    if (!weir_in_parts(v))
        return weir_is_float(v->type.dtype);
    for (int k = 0; k < v->n_parts; k++)
        if (weir_is_float(v->parts[k].dtype))
            return true;
    return false;
}

weir_value *weir_zeros(weir_graph *g, struct weir_shape shape)
{
    return weir_broadcast(weir_f32(g, 0.0), shape);
}

weir_value *weir_or_zeros(weir_value *x, const weir_value *like)
{
    return x ? x : weir_zeros(like->graph, like->type.shape);
}

weir_value *weir_accumulate(weir_value *sum, weir_value *term)
{
    return !sum ? term : !term ? sum : weir_add(sum, term);
}

struct weir_axes weir_axes_of(uint32_t mask)
{
    struct weir_axes axes = {0};
    for (int a = 0; a < WEIR_MAX_RANK; a++)
        if (mask >> a & 1)
            axes.axis[axes.n++] = a;
    return axes;
}

weir_value *weir_unbroadcast(weir_value *dy, const struct weir_shape *shape)
{
    const struct weir_shape *from = &dy->type.shape;
    int extra = from->rank - shape->rank;
    uint32_t mask = 0;
    for (int a = 0; a < from->rank; a++)
        if (from->dim[a] != 1 && (a < extra || shape->dim[a - extra] == 1))
            mask |= 1u << a;
    if (mask)
        dy = weir_sum(dy, weir_axes_of(mask), true);
    return weir_shape_equal(&dy->type.shape, shape) ? dy : weir_reshape(dy, *shape);
}

static bool is_checkpoint(const weir_value *v)
{
    return v->op == &weir_op_custom && v->attrs.custom.checkpoint;
}

// A composite whose gradient is that of its body.
static bool is_transparent(const weir_value *v)
{
    bool no_rule = !v->op->vjp || (v->op == &weir_op_custom && !v->attrs.custom.vjp);
    return v->op->cls == WEIR_OP_COMPOSITE && no_rule;
}

static void walk_finish(struct walk *w)
{
    free(w->needs);
    free(w->reached);
    free(w->cot);
    free(w->parts);
}

static bool walk_init(struct walk *w, weir_graph *g)
{
    *w = (struct walk){.g = g, .n = g->n_values};
    size_t n = (size_t)w->n + 1;
    w->needs = calloc(n, sizeof(*w->needs));
    w->reached = calloc(n, sizeof(*w->reached));
    w->cot = calloc(n, sizeof(*w->cot));
    w->parts = calloc(n, sizeof(*w->parts));
    if (w->needs && w->reached && w->cot && w->parts)
        return true;
    walk_finish(w);
    return false;
}

// Marks what depends on x. Values are in topological order, so one pass does it.
static void mark_needs(struct walk *w, weir_value *const *x, int n_x)
{
    int first = w->n;
    for (int i = 0; i < n_x; i++) {
        w->needs[x[i]->id] = weir_is_float(x[i]->type.dtype);
        first = x[i]->id < first ? x[i]->id : first;
    }
    for (int id = first; id < w->n; id++) {
        const weir_value *v = w->g->values[id];
        if (w->needs[id] || !weir_has_float_result(v))
            continue;
        if (is_transparent(v)) {
            w->needs[id] = w->needs[v->body->id];
            continue;
        }
        bool differentiable = v->op->vjp || v->op->cls == WEIR_OP_PART;
        for (int i = 0; i < v->arity && differentiable && !w->needs[id]; i++)
            w->needs[id] = w->needs[v->arg[i]->id];
    }
}

static void seed(struct walk *w, weir_value *y, weir_value *dy)
{
    if (!w->needs[y->id])
        return;
    if (!dy)
        dy = weir_broadcast(weir_f32(w->g, 1.0), y->type.shape);
    w->reached[y->id] = true;
    w->cot[y->id] = weir_accumulate(w->cot[y->id], dy);
}

static void give(struct walk *w, weir_value *to, weir_value *dx)
{
    if (!dx || !w->needs[to->id])
        return;
    w->reached[to->id] = true;
    w->cot[to->id] = weir_accumulate(w->cot[to->id], dx);
}

// The cotangent of one result travels to the op that has several.
static void step_part(struct walk *w, weir_value *v)
{
    weir_value *op = v->arg[0];
    if (!w->needs[op->id])
        return;
    if (!w->parts[op->id])
        w->parts[op->id] = weir_arena_array(w->g->arena, (size_t)op->n_parts, sizeof(weir_value *));
    if (!w->parts[op->id]) {
        weir_graph_fail(w->g, "out of memory");
        return;
    }
    weir_value **slot = &w->parts[op->id][v->attrs.part.index];
    *slot = weir_accumulate(*slot, w->cot[v->id]);
    w->reached[op->id] = true;
}

// Collects into list the values made before `start` that v is built from; returns their number.
// seen has an entry for every value of the graph, all false.
static int frontier(weir_value *v, int start, bool *seen, weir_value **list)
{
    weir_graph *g = v->graph;
    int n_list = 0;
    seen[v->id] = true;
    for (int id = v->id; id >= start; id--) {
        const weir_value *u = g->values[id];
        if (!seen[id])
            continue;
        int n = u->arity + (u->body ? 1 : 0);
        for (int i = 0; i < n; i++) {
            weir_value *a = i < u->arity ? u->arg[i] : u->body;
            if (a->id < start && !seen[a->id])
                list[n_list++] = a;
            seen[a->id] = true;
        }
    }
    return n_list;
}

static void walk_down(weir_value *const *y, weir_value *const *dy, int n_y, weir_value *const *x,
                      weir_value **dx, int n_x, int first);

// A checkpoint: the body is built again in a recompute region of its own, which simplify never
// merges with the original, and the walk goes through that copy. Values the body captured count as
// arguments.
static void step_checkpoint(struct walk *w, weir_value *v)
{
    weir_graph *g = w->g;
    int outer = g->recompute, start = g->n_values;
    g->recompute = ++g->n_recompute;
    weir_value *again = v->attrs.custom.build(v->attrs.custom.ctx, v->arg);
    g->recompute = outer;
    if (weir_is_poison(again))
        return;
    if (again->id < start) { // the body returns one of its arguments
        give(w, again, w->cot[v->id]);
        return;
    }
    bool *seen = calloc((size_t)g->n_values, sizeof(*seen));
    weir_value **from = calloc((size_t)start + 1, 2 * sizeof(*from));
    if (!seen || !from) {
        weir_graph_fail(g, "out of memory");
    } else {
        weir_value **x = from, **dx = from + start;
        int n = frontier(again, start, seen, x), n_x = 0;
        for (int i = 0; i < n; i++)
            if (w->needs[x[i]->id])
                x[n_x++] = x[i];
        // Not below the body: one captured value may be built from another.
        walk_down(&again, &w->cot[v->id], 1, x, dx, n_x, start);
        for (int i = 0; i < n_x; i++)
            give(w, x[i], dx[i]);
    }
    free(seen);
    free(from);
}

// Applies v's rule. Values made by the rule belong to v's recompute region, so that they share what
// v's own body computed (a norm's mean, say) whether that is the original or a recomputed one.
static void step_rule(struct walk *w, weir_value *v)
{
    weir_value *few[8] = {0};
    weir_value **dx = v->arity <= 8 ? few : calloc((size_t)v->arity, sizeof(*dx));
    if (!dx) {
        weir_graph_fail(w->g, "out of memory");
        return;
    }
    int outer = w->g->recompute;
    w->g->recompute = v->recompute;
    v->op->vjp(v, weir_in_parts(v) ? w->parts[v->id] : &w->cot[v->id], dx);
    w->g->recompute = outer;
    for (int i = 0; i < v->arity; i++)
        give(w, v->arg[i], dx[i]);
    if (dx != few)
        free(dx);
}

// False for a wrt value that nothing below it needs.
static bool leads_on(const struct walk *w, const weir_value *v)
{
    if (is_transparent(v))
        return w->needs[v->body->id];
    for (int i = 0; i < v->arity; i++)
        if (w->needs[v->arg[i]->id])
            return true;
    return false;
}

static void step(struct walk *w, weir_value *v)
{
    if (!leads_on(w, v))
        return;
    weir_at(v->file, v->line);
    if (v->op->cls == WEIR_OP_PART)
        step_part(w, v);
    else if (is_checkpoint(v) && w->g->root->open == w->g)
        step_checkpoint(w, v);
    else if (is_transparent(v))
        give(w, v->body, w->cot[v->id]);
    else if (v->op->vjp)
        step_rule(w, v);
}

// Whether v are of g or of graphs around it.
static bool all_usable(weir_value *const *v, int n, weir_graph *g)
{
    for (int i = 0; i < n; i++)
        if (v[i] && (weir_is_poison(v[i]) || !weir_is_inside(g, v[i]->graph)))
            return false;
    return true;
}

// Cotangents may come from inside the body of a loop that is being built.
static bool seeds_usable(weir_value *const *dy, int n, const weir_graph *g)
{
    for (int i = 0; i < n && dy; i++)
        if (dy[i] && (weir_is_poison(dy[i]) || dy[i]->graph->root != g->root))
            return false;
    return true;
}

static bool seeds_fit(weir_value *const *y, weir_value *const *dy, int n_y)
{
    for (int i = 0; i < n_y; i++) {
        if (dy && dy[i] && !weir_shape_equal(&dy[i]->type.shape, &y[i]->type.shape)) {
            weir_graph_fail(y[i]->graph, "vjp: a cotangent's shape differs from its value's");
            return false;
        }
        if ((!dy || !dy[i]) && weir_shape_size(&y[i]->type.shape) != 1) {
            weir_graph_fail(y[i]->graph,
                            "grad: the loss is not a scalar; give its cotangent to weir_vjp");
            return false;
        }
    }
    return true;
}

// The walk goes down to value `first`.
static void walk_down(weir_value *const *y, weir_value *const *dy, int n_y, weir_value *const *x,
                      weir_value **dx, int n_x, int first)
{
    weir_graph *g = y[0]->graph;
    struct walk w;
    for (int i = 0; i < n_x; i++)
        dx[i] = NULL;
    if (!walk_init(&w, g)) {
        weir_graph_fail(g, "out of memory");
        return;
    }
    mark_needs(&w, x, n_x);
    for (int i = 0; i < n_y; i++)
        seed(&w, y[i], dy ? dy[i] : NULL);
    // At most one rule per value is applied, whichever the number of uses: every consumer has a
    // larger id and is done by then. A wrt value passes its cotangent on, another wrt may lie below
    // it.
    for (int id = w.n - 1; id >= first; id--)
        if (w.reached[id] && w.needs[id])
            step(&w, g->values[id]);
    for (int i = 0; i < n_x; i++)
        dx[i] = w.cot[x[i]->id];
    walk_finish(&w);
}

void weir_vjp_absent(weir_value *const *y, weir_value *const *dy, int n_y, weir_value *const *x,
                     weir_value **dx, int n_x)
{
    int first = y[0]->graph->n_values;
    for (int i = 0; i < n_x; i++)
        first = x[i]->id < first ? x[i]->id : first;
    walk_down(y, dy, n_y, x, dx, n_x, first);
}

// y of g, x of g or of graphs around it: the walk goes through g to what it captured, then on
// outside.
static void walk_out(weir_graph *g, weir_value *const *y, weir_value *const *dy, int n_y,
                     weir_value *const *x, weir_value **dx, int n_x)
{
    int n_captured = g->of ? g->of->n_captured : 0, n = n_captured, n_out = 0, n_far = 0;
    size_t most = (size_t)(n_captured + n_x) + 1;
    weir_value **in = weir_arena_array(g->arena, 5 * most, sizeof(*in));
    int *place = weir_arena_array(g->arena, most, sizeof(*place));
    if (!in || !place) {
        weir_graph_fail(g, "out of memory");
        return;
    }
    weir_value **d = in + most, **out = d + most, **far = out + most, **dfar = far + most;
    for (int k = 0; k < n_captured; k++)
        in[k] = g->of->captured[k].inner;
    for (int i = 0; i < n_x; i++) {
        weir_value *v = weir_lifted(g, x[i]);
        bool counts = v && (x[i]->graph == g || v->op != &weir_op_param); // a view, rebuilt inside
        place[i] = counts ? n : -1;
        if (counts)
            in[n++] = v;
        if (x[i]->graph != g)
            far[n_far++] = x[i];
    }
    weir_vjp_absent(y, dy, n_y, in, d, n);
    for (int i = 0; i < n_x; i++)
        dx[i] = place[i] >= 0 ? d[place[i]] : NULL;
    for (int k = 0; k < n_captured; k++)
        if (d[k]) {
            out[n_out] = (weir_value *)(uintptr_t)g->of->captured[k].outer;
            d[n_out++] = d[k];
        }
    if (n_out == 0 || n_far == 0)
        return;
    walk_out(g->of->parent, out, d, n_out, far, dfar, n_far);
    for (int i = 0, k = 0; i < n_x; i++)
        if (x[i]->graph != g)
            dx[i] = weir_accumulate(dx[i], dfar[k++]);
}

static void walk_any(weir_graph *g, weir_value *const *y, weir_value *const *dy, int n_y,
                     weir_value *const *x, weir_value **dx, int n_x)
{
    weir_value *const *inner = weir_lift_all(g, y, n_y, x, n_x);
    if (inner == y)
        weir_vjp_absent(y, dy, n_y, x, dx, n_x);
    else if (inner)
        walk_out(g, inner, dy, n_y, x, dx, n_x);
}

void weir_vjp(weir_value *const *y, weir_value *const *dy, int n_y, weir_value *const *x,
              weir_value **dx, int n_x)
{
    if (n_y <= 0 || n_x <= 0)
        return;
    weir_graph *g = weir_meeting(y, n_y);
    bool usable = all_usable(y, n_y, g) && all_usable(x, n_x, g) &&
                  seeds_usable(dy, n_y, g) && seeds_fit(y, dy, n_y);
    for (int i = 0; i < n_x && usable; i++)
        dx[i] = NULL;
    if (usable)
        walk_any(g, y, dy, n_y, x, dx, n_x);
    for (int i = 0; i < n_x; i++) {
        if (!usable)
            dx[i] = weir_graph_fail(g, "vjp: an argument is poisoned or belongs to another graph");
        else if (!dx[i])
            dx[i] = weir_zeros(g, x[i]->type.shape);
    }
}

void weir_grad(weir_value *loss, weir_value *const *x, weir_value **dx, int n_x)
{
    weir_vjp(&loss, NULL, 1, x, dx, n_x);
}

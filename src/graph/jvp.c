// SPDX-License-Identifier: Apache-2.0
// Forward mode, graph to graph: tangents are built in the order of the values. A tangent that is
// zero everywhere is absent until the caller asks for it. Tangents of f16 and bf16 values are f32.
#include <stdlib.h>

#include "graph/diff.h"
#include "graph/loop.h"
#include "graph/ops/rows.h"

// The state of one walk. Arrays are indexed by value id.
struct walk {
    weir_graph *g;
    int n;               // values that existed when the walk began
    bool *wanted;        // y depends on it
    weir_value **dot;    // tangent of a value with one result, or NULL
    weir_value ***parts; // tangents of a value with several results, or NULL
};

static void walk_finish(struct walk *w)
{
    free(w->wanted);
    free(w->dot);
    free(w->parts);
}

static bool walk_init(struct walk *w, weir_graph *g)
{
    *w = (struct walk){.g = g, .n = g->n_values};
    size_t n = (size_t)w->n + 1;
    w->wanted = calloc(n, sizeof(*w->wanted));
    w->dot = calloc(n, sizeof(*w->dot));
    w->parts = calloc(n, sizeof(*w->parts));
    if (w->wanted && w->dot && w->parts)
        return true;
    walk_finish(w);
    return false;
}

// A composite without a rule of its own moves as its body does.
static bool is_transparent(const weir_value *v)
{
    return v->op->cls == WEIR_OP_COMPOSITE && !v->op->jvp;
}

// Marks what y is built from, down to the earliest x.
static void mark_wanted(struct walk *w, weir_value *const *y, int n_y, int first)
{
    int last = -1;
    for (int i = 0; i < n_y; i++) {
        w->wanted[y[i]->id] = true;
        last = y[i]->id > last ? y[i]->id : last;
    }
    for (int id = last; id >= first; id--) {
        const weir_value *v = w->g->values[id];
        if (!w->wanted[id])
            continue;
        if (is_transparent(v)) {
            w->wanted[v->body->id] = true;
            continue;
        }
        for (int i = 0; i < v->arity; i++)
            w->wanted[v->arg[i]->id] = true;
    }
}

static void step_rule(struct walk *w, weir_value *v)
{
    weir_value *few[8] = {0};
    weir_value **dx = v->arity <= 8 ? few : calloc((size_t)v->arity, sizeof(*dx));
    weir_value **dy = weir_in_parts(v)
                          ? weir_arena_array(w->g->arena, (size_t)v->n_parts, sizeof(*dy))
                          : &w->dot[v->id];
    if (!dx || !dy) {
        weir_graph_fail(w->g, "out of memory");
    } else {
        bool moves = false;
        for (int i = 0; i < v->arity; i++) {
            dx[i] = w->dot[v->arg[i]->id];
            moves |= dx[i] != NULL;
        }
        int outer = w->g->recompute;
        w->g->recompute = v->recompute; // shares what v's own body computed, see grad.c
        if (moves)
            v->op->jvp(v, dx, dy);
        w->g->recompute = outer;
        if (weir_in_parts(v) && moves)
            w->parts[v->id] = dy;
    }
    if (dx != few)
        free(dx);
}

static void step(struct walk *w, weir_value *v)
{
    weir_at(v->file, v->line);
    if (v->op->cls == WEIR_OP_PART) {
        weir_value **parts = w->parts[v->arg[0]->id];
        w->dot[v->id] = parts ? parts[v->attrs.part.index] : NULL;
    } else if (is_transparent(v)) {
        w->dot[v->id] = w->dot[v->body->id];
    } else if (v->op->jvp && weir_has_float_result(v)) {
        step_rule(w, v);
    }
}

static bool check(weir_graph *g, weir_value *const *y, int n_y, weir_value *const *x,
                  weir_value *const *dx, int n_x)
{
    bool ok = true;
    for (int i = 0; i < n_y && ok; i++)
        ok = !weir_is_poison(y[i]) && weir_is_inside(g, y[i]->graph);
    for (int i = 0; i < n_x && ok; i++)
        ok = !weir_is_poison(x[i]) && weir_is_inside(g, x[i]->graph) && !weir_is_poison(dx[i]) &&
             dx[i]->graph->root == g->root;
    if (!ok) {
        weir_graph_fail(g, "jvp: an argument is poisoned or belongs to another graph");
        return false;
    }
    for (int i = 0; i < n_x; i++)
        if (!weir_shape_equal(&x[i]->type.shape, &dx[i]->type.shape)) {
            weir_graph_fail(g, "jvp: a tangent's shape differs from its value's");
            return false;
        }
    return true;
}

static void walk_forward(struct walk *w, weir_value *const *y, int n_y, weir_value *const *x,
                         weir_value *const *dx, int n_x)
{
    int first = w->n;
    for (int i = 0; i < n_x; i++) {
        first = x[i]->id < first ? x[i]->id : first;
        if (weir_is_float(x[i]->type.dtype))
            w->dot[x[i]->id] = dx[i];
    }
    mark_wanted(w, y, n_y, first);
    // A value that is itself moved keeps the given tangent, whatever it was built from.
    for (int id = first; id < w->n; id++)
        if (w->wanted[id] && !w->dot[id])
            step(w, w->g->values[id]);
}

void weir_jvp_absent(weir_value *const *y, weir_value **dy, int n_y, weir_value *const *x,
                     weir_value *const *dx, int n_x)
{
    struct walk w;
    weir_graph *g = y[0]->graph;
    for (int i = 0; i < n_y; i++)
        dy[i] = NULL;
    if (!walk_init(&w, g)) {
        weir_graph_fail(g, "out of memory");
        return;
    }
    walk_forward(&w, y, n_y, x, dx, n_x);
    for (int i = 0; i < n_y; i++)
        dy[i] = w.dot[y[i]->id];
    walk_finish(&w);
}

// y of g, x of g or of graphs around it: what g captured moves first, as outside.
static void walk_in(weir_graph *g, weir_value *const *y, weir_value **dy, int n_y,
                    weir_value *const *x, weir_value *const *dx, int n_x)
{
    int n_captured = g->of ? g->of->n_captured : 0, n = 0, n_far = 0;
    size_t most = (size_t)(n_captured + n_x) + 1;
    weir_value **in = weir_arena_array(g->arena, 6 * most, sizeof(*in));
    if (!in) {
        weir_graph_fail(g, "out of memory");
        return;
    }
    weir_value **din = in + most, **out = din + most, **dout = out + most, **far = dout + most;
    weir_value **dfar = far + most;
    for (int i = 0; i < n_x; i++) {
        weir_value *v = weir_lifted(g, x[i]);
        if (x[i]->graph != g) {
            far[n_far] = x[i];
            dfar[n_far++] = dx[i];
        }
        if (v && (x[i]->graph == g || v->op != &weir_op_param)) { // a view, rebuilt inside
            in[n] = v;
            din[n++] = dx[i];
        }
    }
    for (int k = 0; k < n_captured; k++)
        out[k] = (weir_value *)(uintptr_t)g->of->captured[k].outer;
    if (n_captured > 0 && n_far > 0)
        walk_in(g->of->parent, out, dout, n_captured, far, dfar, n_far);
    for (int k = 0; k < n_captured; k++)
        if (dout[k]) {
            in[n] = g->of->captured[k].inner;
            din[n++] = dout[k];
        }
    weir_jvp_absent(y, dy, n_y, in, din, n);
}

static void walk_any(weir_graph *g, weir_value *const *y, weir_value **dy, int n_y,
                     weir_value *const *x, weir_value *const *dx, int n_x)
{
    weir_value *const *inner = weir_lift_all(g, y, n_y, x, n_x);
    if (inner == y)
        weir_jvp_absent(y, dy, n_y, x, dx, n_x);
    else if (inner)
        walk_in(g, inner, dy, n_y, x, dx, n_x);
}

void weir_jvp(weir_value *const *y, weir_value **dy, int n_y, weir_value *const *x,
              weir_value *const *dx, int n_x)
{
    if (n_y <= 0)
        return;
    weir_graph *g = weir_meeting(y, n_y);
    bool ok = g && check(g, y, n_y, x, dx, n_x);
    for (int i = 0; i < n_y; i++)
        dy[i] = NULL;
    if (ok)
        walk_any(g, y, dy, n_y, x, dx, n_x);
    for (int i = 0; i < n_y; i++)
        if (!ok)
            dy[i] = g ? g->poison : NULL;
        else if (!dy[i])
            dy[i] = weir_zeros(g, y[i]->type.shape);
}

// SPDX-License-Identifier: Apache-2.0
// Graphs of loop bodies: opening, lifting values of outer graphs into them, copying (graph/loop.h).
#include <string.h>

#include "graph/loop.h"
#include "graph/ops/rows.h"

static weir_value *no_memory(weir_graph *g)
{
    return weir_graph_fail(g, "no memory for the body of a loop");
}

weir_graph *weir_body_open(weir_graph *g)
{
    weir_graph *root = g->root, *body = weir_arena_alloc(root->arena, sizeof(*body));
    struct weir_body_of *of = weir_arena_alloc(root->arena, sizeof(*of));
    if (!body || !of) {
        no_memory(g);
        return NULL;
    }
    *of = (struct weir_body_of){.parent = root->open};
    *body = (weir_graph){.root = root,
                         .arena = root->arena,
                         .log = root->log,
                         .poison = root->poison,
                         .bodies = root->bodies,
                         .of = of};
    root->bodies = root->open = body;
    return body;
}

void weir_body_close(weir_graph *body)
{
    body->root->open = body->of->parent;
    body->of->counts = false;
}

weir_value *weir_body_param(weir_graph *body, enum weir_dtype dtype, const struct weir_shape *shape)
{
    weir_value *v = weir_arena_alloc(body->arena, sizeof(*v));
    if (!v)
        return no_memory(body);
    *v = (weir_value){.graph = body, .op = &weir_op_param, .n_parts = 1};
    v->type.dtype = dtype;
    v->type.shape.rank = shape->rank; // entries beyond the rank stay 0: types compare with memcmp
    memcpy(v->type.shape.dim, shape->dim, (size_t)shape->rank * sizeof(shape->dim[0]));
    v->attrs.input.index = body->of->n_params++;
    return weir_graph_append(body, v) ? v : no_memory(body);
}

static bool note(weir_graph *g, struct weir_lifted **list, int *n, int *cap,
                 const weir_value *outer, weir_value *inner)
{
    if (*n == *cap) {
        int more = *cap ? 2 * *cap : 32;
        struct weir_lifted *grown = weir_arena_array(g->arena, (size_t)more, sizeof(*grown));
        if (!grown)
            return false;
        if (*n > 0)
            memcpy(grown, *list, (size_t)*n * sizeof(*grown));
        *list = grown;
        *cap = more;
    }
    (*list)[(*n)++] = (struct weir_lifted){outer, inner};
    return true;
}

// A duplicate of v in g with these arguments.
static weir_value *duplicate(weir_graph *g, const weir_value *v, weir_value **arg)
{
    weir_value *copy = weir_arena_memdup(g->arena, v, sizeof(*v));
    if (!copy)
        return NULL;
    copy->graph = g;
    copy->arg = arg;
    return weir_graph_append(g, copy) ? copy : NULL;
}

weir_value *weir_lifted(weir_graph *g, const weir_value *v)
{
    if (v->graph == g)
        return g->values[v->id];
    for (int i = 0; g->of && i < g->of->n_lifted; i++)
        if (g->of->lifted[i].outer == v)
            return g->of->lifted[i].inner;
    weir_value *u = g->of && g->of->origin ? weir_lifted(g->of->origin, v) : NULL;
    return u ? g->of->copied[u->id] : NULL;
}

bool weir_is_inside(const weir_graph *g, const weir_graph *outer)
{
    while (g->of && g != outer)
        g = g->of->parent;
    return g == outer;
}

weir_graph *weir_meeting(weir_value *const *v, int n)
{
    weir_graph *g = v[0] ? v[0]->graph : NULL;
    for (int i = 1; i < n && g; i++)
        if (!weir_is_poison(v[i]) && weir_is_inside(v[i]->graph, g))
            g = v[i]->graph;
    return g;
}

// Outer value o, of the parent, inside g.
static weir_value *enter(weir_graph *g, weir_value *o);

static weir_value *lift(weir_graph *g, weir_value *v)
{
    weir_value *known = weir_lifted(g, v);
    if (known || !g->of)
        return known;
    weir_value *o = lift(g->of->parent, v), *inner;
    if (!o || weir_is_poison(o))
        return o;
    inner = o != v && (known = weir_lifted(g, o)) ? known : enter(g, o);
    if (!inner)
        return no_memory(g);
    struct weir_body_of *of = g->of;
    bool noted = note(g, &of->lifted, &of->n_lifted, &of->cap_lifted, v, inner);
    if (noted && o != v && !known)
        noted = note(g, &of->lifted, &of->n_lifted, &of->cap_lifted, o, inner);
    return noted ? inner : no_memory(g);
}

static weir_value *enter(weir_graph *g, weir_value *o)
{
    struct weir_body_of *of = g->of;
    if (o->op == &weir_op_constant)
        return duplicate(g, o, NULL);
    if (o->op->cls == WEIR_OP_VIEW) {
        weir_value **arg = weir_arena_array(g->arena, 1, sizeof(*arg));
        weir_value *view = arg && (arg[0] = lift(g, o->arg[0])) ? duplicate(g, o, arg) : NULL;
        if (view)
            view->recompute = g->recompute;
        return view;
    }
    weir_value *param = weir_body_param(g, o->type.dtype, &o->type.shape);
    if (weir_is_poison(param) ||
        !note(g, &of->captured, &of->n_captured, &of->cap_captured, o, param))
        return NULL;
    param->name = o->name;
    return param;
}

weir_value *weir_lift(weir_graph *g, weir_value *v)
{
    weir_graph *open = g->root->open;
    if (weir_is_poison(v) || v->graph == open)
        return v;
    weir_value *inner = lift(open, v);
    return inner ? inner : weir_graph_fail(g, "a value of a loop's body is used outside of it");
}

static weir_value *copy_one(const weir_value *v, weir_graph *to, weir_value *const *map)
{
    weir_value **arg = weir_arena_array(to->arena, (size_t)v->arity, sizeof(*arg));
    if (!arg)
        return NULL;
    for (int i = 0; i < v->arity; i++)
        arg[i] = map[v->arg[i]->id];
    weir_value *copy = duplicate(to, v, arg);
    if (copy && v->body)
        copy->body = map[v->body->id];
    if (copy && v->op->cls == WEIR_OP_LOOP)
        copy->attrs.loop.l =
            weir_arena_memdup(to->arena, v->attrs.loop.l, sizeof(struct weir_loop));
    return copy && v->op->cls == WEIR_OP_LOOP && !copy->attrs.loop.l ? NULL : copy;
}

bool weir_body_copy(weir_graph *from, weir_graph *to, weir_value **map)
{
    to->of->origin = from;
    to->of->copied = map;
    to->n_recompute = from->n_recompute;
    for (int id = 0; id < from->n_values; id++) {
        if (!map[id])
            map[id] = copy_one(from->values[id], to, map);
        if (!map[id])
            return !no_memory(to);
        if (weir_is_poison(map[id]))
            return false;
    }
    if (from->of->index)
        to->of->index = map[from->of->index->id];
    return true;
}

weir_value *const *weir_lift_all(weir_graph *g, weir_value *const *y, int n_y, weir_value *const *x,
                                 int n_x)
{
    bool same = true;
    for (int i = 0; i < n_y + n_x; i++)
        same &= (i < n_y ? y[i] : x[i - n_y])->graph == g;
    if (same)
        return y;
    weir_value **inner = weir_arena_array(g->arena, (size_t)n_y, sizeof(*inner));
    for (int i = 0; inner && i < n_y; i++)
        inner[i] = y[i]->graph == g ? y[i] : weir_lift(g, y[i]);
    if (inner && weir_graph_status(g) == WEIR_OK)
        return inner;
    weir_graph_fail(g, "out of memory");
    return NULL;
}

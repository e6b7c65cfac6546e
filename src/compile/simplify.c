// SPDX-License-Identifier: Apache-2.0
// The pass: copies the wanted values of a graph in order, each through the rewrites, the folding of
// constants and the table of values seen so far (CSE), then drops what became dead.
//
// A value made in a recompute region has that region in its CSE key, so it never merges with its
// original; leaves are the same everywhere. Host calls and assigns are never merged.
#include "compile/simplify.h"

#include <string.h>

#include "base/hash.h"
#include "base/log.h"
#include "compile/rewrite.h"
#include "graph/ops/rows.h"

struct weir_rewriter {
    weir_graph *g;
    weir_arena *arena;
    const struct weir_simplify_params *params;
    bool *used;        // by id in g
    weir_value **to;   // by id in g: the copy
    weir_value **list; // the copies, in order; list[i]->id == i
    int n, cap;
    int *table;     // open addressing over the list: index + 1, 0 = free
    size_t n_table; // a power of two
    bool failed;    // out of memory
};

// --- the list and its table ---

static bool is_leaf(const weir_value *v)
{
    return v->op->cls == WEIR_OP_LEAF;
}

static bool mergeable(const weir_value *v)
{
    enum weir_op_class c = v->op->cls;
    return c != WEIR_OP_ASSIGN && c != WEIR_OP_CALL && c != WEIR_OP_LOOP && c != WEIR_OP_COMPOSITE;
}

static uint64_t hash(const weir_value *v)
{
    uint64_t h = weir_hash64(&v->op, sizeof(v->op), 0);
    int region = is_leaf(v) ? 0 : v->recompute;
    h = weir_hash64(&region, sizeof(region), h);
    for (int i = 0; i < v->arity; i++)
        h = weir_hash64(&v->arg[i]->id, sizeof(v->arg[i]->id), h);
    if (v->op == &weir_op_constant)
        return weir_hash64(v->attrs.constant.data, v->attrs.constant.size, h);
    return weir_hash64(&v->attrs, sizeof(v->attrs), h);
}

static bool same(const weir_value *a, const weir_value *b)
{
    if (a->op != b->op || a->arity != b->arity || a->n_parts != b->n_parts ||
        a->type.dtype != b->type.dtype || !weir_shape_equal(&a->type.shape, &b->type.shape) ||
        (!is_leaf(a) && a->recompute != b->recompute))
        return false;
    for (int i = 0; i < a->arity; i++)
        if (a->arg[i] != b->arg[i])
            return false;
    if (a->op == &weir_op_constant)
        return memcmp(a->attrs.constant.data, b->attrs.constant.data, a->attrs.constant.size) == 0;
    return memcmp(&a->attrs, &b->attrs, sizeof(a->attrs)) == 0;
}

// The slot of an equal value, or the free one where v belongs.
static int *find(struct weir_rewriter *r, const weir_value *v)
{
    size_t mask = r->n_table - 1, at = (size_t)hash(v) & mask;
    while (r->table[at] && !same(r->list[r->table[at] - 1], v))
        at = (at + 1) & mask;
    return &r->table[at];
}

static bool grow(struct weir_rewriter *r)
{
    if (r->n < r->cap)
        return true;
    int cap = r->cap ? 2 * r->cap : 256;
    weir_value **list = weir_arena_array(r->arena, (size_t)cap, sizeof(*list));
    int *table = weir_arena_array(r->arena, 4 * (size_t)cap, sizeof(*table));
    if (!list || !table)
        return false;
    if (r->n > 0)
        memcpy(list, r->list, (size_t)r->n * sizeof(*list));
    r->list = list;
    r->cap = cap;
    r->table = table;
    r->n_table = 4 * (size_t)cap;
    for (int i = 0; i < r->n; i++)
        if (mergeable(r->list[i]))
            *find(r, r->list[i]) = i + 1;
    return true;
}

// v (on the stack) as it is into the list, or the equal value that is there already.
static weir_value *append(struct weir_rewriter *r, const weir_value *v)
{
    if (!grow(r)) {
        r->failed = true;
        return NULL;
    }
    int *slot = mergeable(v) && !r->params->no_rewrites ? find(r, v) : NULL;
    if (slot && *slot)
        return r->list[*slot - 1];
    weir_value *copy = weir_arena_memdup(r->arena, v, sizeof(*v));
    if (copy && v->arity > 0)
        copy->arg = weir_arena_memdup(r->arena, v->arg, (size_t)v->arity * sizeof(*v->arg));
    if (copy && v->parts)
        copy->parts = weir_arena_memdup(r->arena, v->parts, (size_t)v->n_parts * sizeof(*v->parts));
    if (copy && v->name)
        copy->name = weir_arena_strdup(r->arena, v->name);
    if (copy && v->op == &weir_op_constant && v->attrs.constant.size > 0)
        copy->attrs.constant.data =
            weir_arena_memdup(r->arena, v->attrs.constant.data, v->attrs.constant.size);
    if (!copy || (v->arity > 0 && !copy->arg) || (v->parts && !copy->parts) ||
        (v->op == &weir_op_constant && !copy->attrs.constant.data)) {
        r->failed = true;
        return NULL;
    }
    copy->id = r->n;
    r->list[r->n++] = copy;
    if (slot)
        *slot = r->n;
    return copy;
}

// v's replacement by the first rewrite that applies, or v itself.
static weir_value *place(struct weir_rewriter *r, weir_value *v)
{
    if (r->failed)
        return NULL;
    if (r->params->no_rewrites)
        return append(r, v);
    for (const struct weir_rewrite *const *row = weir_rewrites; *row; row++) {
        weir_value *instead = (*row)->apply(r, v);
        if (instead || r->failed)
            return instead;
    }
    const void *data = weir_fold(v, r->arena);
    return data ? weir_rewrite_constant(r, &v->type, data, v) : append(r, v);
}

weir_value *weir_rewrite_make(struct weir_rewriter *r, const struct weir_op *op,
                              weir_value *const *arg, int arity, const union weir_attrs *attrs,
                              const struct weir_type *type, const weir_value *like)
{
    weir_value *args[4] = {0};
    weir_value v = {.graph = r->g,
                    .op = op,
                    .recompute = like->recompute,
                    .type = *type,
                    .n_parts = 1,
                    .arity = arity,
                    .arg = args,
                    .name = like->name,
                    .file = like->file,
                    .line = like->line};
    for (int i = 0; i < arity; i++)
        args[i] = arg[i];
    if (attrs)
        memcpy(&v.attrs, attrs, sizeof(v.attrs));
    return place(r, &v);
}

weir_value *weir_rewrite_constant(struct weir_rewriter *r, const struct weir_type *type,
                                  const void *data, const weir_value *like)
{
    weir_value v = {.graph = r->g,
                    .op = &weir_op_constant,
                    .type = *type,
                    .n_parts = 1,
                    .name = like->name,
                    .file = like->file,
                    .line = like->line};
    v.attrs.constant.data = data;
    v.attrs.constant.size = (size_t)weir_shape_size(&type->shape) * weir_dtype_size(type->dtype);
    return append(r, &v);
}

// --- the pass ---

static bool claimed(const struct weir_rewriter *r, const weir_value *v)
{
    return r->params->claims && r->params->claims(r->params->ctx, v);
}

static bool is_replaced(const struct weir_rewriter *r, const weir_value *v)
{
    return v->op->cls == WEIR_OP_COMPOSITE && !claimed(r, v);
}

static void mark_used(struct weir_rewriter *r, weir_value *const *outputs, int n_outputs)
{
    weir_graph *g = r->g;
    for (int i = 0; i < n_outputs; i++)
        r->used[outputs[i]->id] = true;
    for (int i = 0; i < g->n_assigns; i++)
        r->used[g->assigns[i]->id] = true;
    for (int id = g->n_values - 1; id >= 0; id--) {
        const weir_value *v = g->values[id];
        if (!r->used[id])
            continue;
        if (is_replaced(r, v)) {
            r->used[v->body->id] = true;
            continue;
        }
        for (int i = 0; i < v->arity; i++)
            r->used[v->arg[i]->id] = true;
    }
}

// The copy of one value of g whose arguments are copied already.
static weir_value *copy(struct weir_rewriter *r, const weir_value *v)
{
    if (is_replaced(r, v))
        return r->to[v->body->id];
    weir_value *few[8];
    weir_value **arg =
        v->arity <= 8 ? few : weir_arena_array(r->arena, (size_t)v->arity, sizeof(*arg));
    if (!arg) {
        r->failed = true;
        return NULL;
    }
    for (int i = 0; i < v->arity; i++)
        arg[i] = r->to[v->arg[i]->id];
    weir_value w = *v;
    w.arg = arg;
    w.body = NULL;
    return place(r, &w);
}

// Keeps what the outputs and assigns need, in order, numbered from 0.
static int drop_dead(struct weir_rewriter *r, weir_value **outputs, int n_outputs)
{
    bool *live = weir_arena_array(r->arena, (size_t)r->n + 1, sizeof(*live));
    if (!live) {
        r->failed = true;
        return 0;
    }
    for (int i = 0; i < n_outputs; i++)
        live[outputs[i]->id] = true;
    for (int id = r->n - 1; id >= 0; id--) {
        const weir_value *v = r->list[id];
        live[id] |= v->op->cls == WEIR_OP_ASSIGN;
        if (live[id] && v->op->cls == WEIR_OP_LOOP)
            r->failed |= !weir_prune_loop(r->arena, r->list[id], r->list, r->n, live);
        for (int i = 0; i < v->arity && live[id]; i++)
            live[v->arg[i]->id] = true;
    }
    int n = 0;
    for (int id = 0; id < r->n; id++)
        if (live[id])
            r->list[n++] = r->list[id];
    for (int id = 0; id < n; id++)
        r->list[id]->id = id;
    return n;
}

enum weir_status weir_simplify(weir_graph *g, weir_value *const *outputs, int n_outputs,
                               weir_arena *arena, weir_value ***live, int *n_live,
                               weir_value **new_outputs, const struct weir_simplify_params *params)
{
    static const struct weir_simplify_params defaults;
    if (weir_graph_status(g) != WEIR_OK)
        return weir_graph_status(g);
    struct weir_rewriter r = {.g = g, .arena = arena, .params = params ? params : &defaults};
    r.used = weir_arena_array(arena, (size_t)g->n_values + 1, sizeof(*r.used));
    r.to = weir_arena_array(arena, (size_t)g->n_values + 1, sizeof(*r.to));
    r.failed = !r.used || !r.to;
    if (!r.failed)
        mark_used(&r, outputs, n_outputs);
    for (int id = 0; id < g->n_values && !r.failed; id++)
        if (r.used[id])
            r.to[id] = copy(&r, g->values[id]);
    int n = 0;
    if (!r.failed) {
        for (int i = 0; i < n_outputs; i++)
            new_outputs[i] = r.to[outputs[i]->id];
        n = drop_dead(&r, new_outputs, n_outputs);
    }
    if (r.failed)
        return weir_fail(&g->log, WEIR_NOMEM, "simplify: no memory for %d values", g->n_values);
    *live = r.list;
    *n_live = n;
    if (r.params->dump)
        weir_simplify_dump(r.list, n, r.params->dump);
    return WEIR_OK;
}

void weir_simplify_dump(weir_value *const *live, int n_live, struct weir_strbuf *out)
{
    char shape[160];
    for (int i = 0; i < n_live; i++) {
        const weir_value *v = live[i];
        weir_strbuf_printf(out, "%%%d = %s %s %s", v->id, v->op->name,
                           weir_dtype_name(v->type.dtype),
                           weir_shape_text(&v->type.shape, shape, sizeof(shape)));
        for (int k = 0; k < v->arity; k++)
            weir_strbuf_printf(out, " %%%d", v->arg[k]->id);
        if (v->recompute)
            weir_strbuf_printf(out, " recompute %d", v->recompute);
        if (v->op->cls == WEIR_OP_PART)
            weir_strbuf_printf(out, " part %d", v->attrs.part.index);
        if (v->name)
            weir_strbuf_printf(out, "  \"%s\"", v->name);
        if (v->file)
            weir_strbuf_printf(out, "  (%s:%d)", v->file, v->line);
        weir_strbuf_puts(out, "\n");
    }
}

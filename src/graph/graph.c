// SPDX-License-Identifier: Apache-2.0
// Graphs: a growing list of value nodes in one arena, made by one constructor, and the sticky
// error.
#include "graph/graph.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "graph/loop.h"
#include "graph/op.h"

static WEIR_THREAD_LOCAL const char *site_file;
static WEIR_THREAD_LOCAL int site_line;

void weir_at(const char *file, int line)
{
    site_file = file;
    site_line = line;
}

static const struct weir_op poison_op = { .name = "poison", .cls = WEIR_OP_POISON };

enum weir_status weir_graph_create(const struct weir_log *log, weir_graph **out)
{
    struct weir_arena *arena = weir_arena_create();
    weir_graph *g = weir_arena_alloc(arena, sizeof(*g));
    weir_value *poison = weir_arena_alloc(arena, sizeof(*poison));
    if (!g || !poison) {
        weir_arena_destroy(&arena);
        return weir_fail(log, WEIR_NOMEM, "no memory for a graph");
    }
    g->root = g->open = g;
    g->arena = arena;
    if (log)
        g->log = *log;
    poison->graph = g;
    poison->op = &poison_op;
    poison->id = -1;
    poison->n_parts = 1;
    g->poison = poison;
    *out = g;
    return WEIR_OK;
}

void weir_graph_destroy(weir_graph **graph)
{
    if (!graph || !*graph)
        return;
    weir_graph *g = *graph;
    struct weir_arena *arena = g->arena; // the graph itself lies in it
    for (weir_graph *b = g->bodies; b; b = b->bodies)
        free(b->values);
    free(g->values);
    free(g->assigns);
    weir_arena_destroy(&arena);
    *graph = NULL;
}

enum weir_status weir_graph_status(const weir_graph *graph)
{
    return graph ? graph->root->status : WEIR_INVALID;
}

const char *weir_graph_message(const weir_graph *graph)
{
    return graph ? graph->root->message : "";
}

weir_graph *weir_value_graph(const weir_value *v)
{
    return v ? v->graph : NULL;
}

enum weir_dtype weir_value_dtype(const weir_value *v)
{
    return v ? v->type.dtype : WEIR_F32;
}

const struct weir_shape *weir_value_shape(const weir_value *v)
{
    static const struct weir_shape none;
    return v ? &v->type.shape : &none;
}

int64_t weir_dim(const weir_value *v, int axis)
{
    const struct weir_shape *s = weir_value_shape(v);
    if (axis < 0)
        axis += s->rank;
    return axis >= 0 && axis < s->rank ? s->dim[axis] : 1;
}

weir_value *weir_name(weir_value *v, const char *name)
{
    if (v && !weir_is_poison(v) && name)
        v->name = weir_arena_strdup(v->graph->arena, name);
    return v;
}

bool weir_is_poison(const weir_value *v)
{
    return !v || v->op->cls == WEIR_OP_POISON;
}

static weir_value *fail(weir_graph *g, enum weir_status status, const char *text)
{
    if (!g)
        return NULL;
    g = g->root;
    if (g->status == WEIR_OK) {
        g->status = status;
        if (site_file)
            snprintf(g->message, sizeof(g->message), "%s:%d: %s", site_file, site_line, text);
        else
            snprintf(g->message, sizeof(g->message), "%s", text);
        weir_logf(&g->log, WEIR_LOG_ERROR, "%s", g->message);
    }
    return g->poison;
}

weir_value *weir_graph_fail(weir_graph *g, const char *format, ...)
{
    char text[896];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof(text), format, args);
    va_end(args);
    return fail(g, WEIR_INVALID, text);
}

// "add(f32 (2, 3), f32 (4)): shapes do not broadcast"
static weir_value *fail_infer(weir_graph *g, const weir_value *v, const char *why)
{
    char text[768], shape[128];
    size_t at = (size_t)snprintf(text, sizeof(text), "%s(", v->op->name);
    for (int i = 0; i < v->arity && at < sizeof(text); i++)
        at += (size_t)snprintf(text + at, sizeof(text) - at, "%s%s %s", i ? ", " : "",
                               weir_dtype_name(v->arg[i]->type.dtype),
                               weir_shape_text(&v->arg[i]->type.shape, shape, sizeof(shape)));
    if (at < sizeof(text))
        snprintf(text + at, sizeof(text) - at, "): %s", why);
    return fail(g, WEIR_INVALID, text);
}

bool weir_graph_append(weir_graph *g, weir_value *v)
{
    if (g->n_values == g->cap) {
        int cap = g->cap ? 2 * g->cap : 256;
        weir_value **values = realloc(g->values, (size_t)cap * sizeof(*values));
        if (!values)
            return false;
        g->values = values;
        g->cap = cap;
    }
    v->id = g->n_values;
    g->values[g->n_values++] = v;
    return true;
}

// Finds the one root of all arguments; NULL where there is none, *poisoned when one is poison.
static weir_graph *common_graph(weir_graph *g, weir_value *const *args, int n_args, bool *poisoned,
                                bool *mixed)
{
    for (int i = 0; i < n_args; i++) {
        if (!args[i]) {
            *poisoned = true;
            continue;
        }
        if (!g)
            g = args[i]->graph;
        *mixed |= g->root != args[i]->graph->root;
        *poisoned |= weir_is_poison(args[i]);
    }
    return g ? g->root : NULL;
}

static const char *check_shape(const weir_value *v)
{
    for (int p = 0; p < v->n_parts; p++) {
        const struct weir_type *t = v->parts ? &v->parts[p] : &v->type;
        int64_t n = 1;
        if (t->shape.rank < 0 || t->shape.rank > WEIR_MAX_RANK)
            return "more than 8 axes";
        if ((unsigned)t->dtype >= WEIR_N_DTYPES)
            return "unknown dtype";
        for (int i = 0; i < t->shape.rank; i++) {
            if (t->shape.dim[i] < 0)
                return "negative extent";
            if (t->shape.dim[i] > 0 && n > INT64_MAX / 16 / t->shape.dim[i])
                return "too many elements";
            n *= t->shape.dim[i] > 0 ? t->shape.dim[i] : 1;
        }
    }
    return NULL;
}

static weir_value *make(weir_graph *g, const struct weir_op *op, weir_value *const *args,
                        int n_args, const union weir_attrs *attrs, weir_value *body)
{
    bool poisoned = false, mixed = false;
    g = common_graph(g, args, n_args, &poisoned, &mixed);
    if (!g)
        return NULL;
    if (mixed)
        return weir_graph_fail(g, "%s: arguments belong to different graphs", op->name);
    if (poisoned || g->status != WEIR_OK) {
        weir_graph_fail(g, "%s: an argument is NULL", op->name); // silent if an error came before
        return g->poison;
    }
    if (op->arity >= 0 && op->arity != n_args)
        return weir_graph_fail(g, "%s takes %d arguments, not %d", op->name, op->arity, n_args);

    weir_value *v = weir_arena_alloc(g->arena, sizeof(*v));
    weir_value **arg = weir_arena_array(g->arena, (size_t)n_args, sizeof(*arg));
    if (!v || !arg)
        return fail(g, WEIR_NOMEM, "no memory for a value");
    for (int i = 0; i < n_args; i++)
        if (weir_is_poison(arg[i] = weir_lift(g, args[i])))
            return g->poison;
    if (body && weir_is_poison(body = weir_lift(g, body)))
        return g->poison;
    g = g->open;
    *v = (weir_value) { .graph = g, .op = op, .recompute = g->recompute, .n_parts = 1,
                        .arity = n_args, .arg = arg, .body = body, .file = site_file,
                        .line = site_line };
    if (attrs)
        memcpy(&v->attrs, attrs, sizeof(*attrs));
    if (body)
        v->type = body->type;
    const char *why = op->infer ? op->infer(v) : NULL;
    if (!why)
        why = check_shape(v);
    if (g->root->status != WEIR_OK) // infer itself ran into an error
        return g->poison;
    if (why)
        return fail_infer(g, v, why);
    if (v->parts)
        v->type = v->parts[0];
    return weir_graph_append(g, v) ? v : fail(g, WEIR_NOMEM, "no memory for a value");
}

weir_value *weir_op_make(weir_graph *g, const struct weir_op *op, weir_value *const *args,
                         int n_args, const union weir_attrs *attrs)
{
    return make(g, op, args, n_args, attrs, NULL);
}

weir_value *weir_op_make_composite(const struct weir_op *op, weir_value *const *args, int n_args,
                                   const union weir_attrs *attrs, weir_value *body)
{
    if (weir_is_poison(body))
        return body;
    return make(body->graph, op, args, n_args, attrs, body);
}

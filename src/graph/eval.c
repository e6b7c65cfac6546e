// SPDX-License-Identifier: Apache-2.0
// The direct evaluator. Values get memory in order of creation; views are read through their
// strides, composites through their bodies.
#include "graph/eval.h"

#include <scalar.h>
#include <stdlib.h>
#include <string.h>

#include "graph/loop.h"
#include "graph/ops/rows.h"
#include "graph/view.h"

struct eval {
    weir_graph *graph;
    enum weir_isa isa;
    int threads;
    const struct weir_eval_leaf *leaves;
    int n_leaves;
    bool *needed;          // by id
    unsigned char **mem;   // by id: row-major; parts one after another
    bool *owned;           // by id: mem is ours
};

static const struct weir_type *part_type(const weir_value *v, int part)
{
    return v->parts ? &v->parts[part] : &v->type;
}

static size_t bytes_of(const struct eval *e, const struct weir_type *t)
{
    return (size_t)weir_shape_size(&t->shape) * weir_isa_elem_size(e->isa, t->dtype);
}

// Where part k of a value begins in its memory.
static size_t part_offset(const struct eval *e, const weir_value *v, int part)
{
    size_t at = 0;
    for (int i = 0; i < part; i++)
        at += (bytes_of(e, part_type(v, i)) + 63) & ~(size_t)63;
    return at;
}

// Whether the loop nest of v takes strided arguments.
static bool takes_views(const weir_value *v)
{
    return v->op->cls == WEIR_OP_MAP || v->op->cls == WEIR_OP_REDUCE;
}

static weir_value *base_of(weir_value *v)
{
    struct weir_layout l;
    weir_layout_of(v, NULL, NULL, &l);
    return l.base;
}

static void mark(struct eval *e, weir_value *v)
{
    if (v->op->cls == WEIR_OP_COMPOSITE)
        e->needed[v->body->id] = true;
    else if (v->op->cls == WEIR_OP_VIEW)
        e->needed[base_of(v)->id] = true;
    else
        for (int i = 0; i < v->arity; i++)
            e->needed[takes_views(v) ? base_of(v->arg[i])->id : v->arg[i]->id] = true;
}

static bool allocate(struct eval *e, const weir_value *v)
{
    e->mem[v->id] = calloc(1, part_offset(e, v, v->n_parts) + 64);
    e->owned[v->id] = e->mem[v->id] != NULL;
    return e->owned[v->id];
}

static void to_doubles(enum weir_dtype t, const void *src, double *dst, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        dst[i] = t == WEIR_F32   ? (double)((const float *)src)[i]
                 : t == WEIR_F16 ? (double)weir_f16_to_f32(((const uint16_t *)src)[i])
                                 : (double)weir_bf16_to_f32(((const uint16_t *)src)[i]);
}

static enum weir_status eval_leaf(struct eval *e, weir_value *v)
{
    if (v->op == &weir_op_constant) {
        enum weir_dtype t = v->type.dtype;
        if (e->isa != WEIR_ISA_F64 || weir_isa_elem_size(e->isa, t) == weir_dtype_size(t)) {
            e->mem[v->id] = (unsigned char *)(uintptr_t)v->attrs.constant.data;
            return WEIR_OK;
        }
        if (!allocate(e, v))
            return WEIR_NOMEM;
        to_doubles(t, v->attrs.constant.data, (double *)(void *)e->mem[v->id],
                   weir_shape_size(&v->type.shape));
        if (v->attrs.constant.has_exact) // the oracle computes with the number that was meant
            *(double *)(void *)e->mem[v->id] = v->attrs.constant.exact;
        return WEIR_OK;
    }
    for (int i = 0; i < e->n_leaves; i++)
        if (e->leaves[i].value == v) {
            e->mem[v->id] = (unsigned char *)(uintptr_t)e->leaves[i].data;
            return WEIR_OK;
        }
    return weir_fail(&e->graph->log, WEIR_INVALID, "no data for the %s %s", v->op->name,
                     v->name ? v->name : "without a name");
}

// Describes an argument: its strides (views: over their base) and the address of element 0.
static void operand(struct eval *e, weir_value *v, bool strided, struct weir_nd *nd, void **ptr)
{
    struct weir_layout l = { .base = v };
    if (strided)
        weir_layout_of(v, NULL, NULL, &l);
    else
        weir_strides(&v->type.shape, l.stride);
    nd->dtype = v->type.dtype;
    nd->rank = v->type.shape.rank;
    memcpy(nd->dim, v->type.shape.dim, sizeof(nd->dim));
    memcpy(nd->stride, l.stride, sizeof(nd->stride));
    *ptr = e->mem[l.base->id] + l.offset * (int64_t)weir_isa_elem_size(e->isa, nd->dtype);
}

static enum weir_status eval_nest(struct eval *e, weir_value *v)
{
    bool view = v->op->cls == WEIR_OP_VIEW, strided = view || takes_views(v);
    int n_in = view ? 1 : v->arity, n = n_in + v->n_parts;
    weir_host_fn *fn = v->op->host.isa[e->isa];
    if (!fn)
        return weir_fail(&e->graph->log, WEIR_UNSUPPORTED, "%s has no loop nest", v->op->name);
    struct weir_nd *nd = calloc((size_t)n, sizeof(*nd));
    void **ptr = calloc((size_t)n + 1, sizeof(*ptr));
    size_t scratch = v->op->scratch ? 2 * v->op->scratch(v) : 0; // doubles may need twice as much
    if (ptr)
        ptr[n] = malloc(scratch + 64);
    enum weir_status status = nd && ptr && ptr[n] && allocate(e, v) ? WEIR_OK : WEIR_NOMEM;
    if (status == WEIR_OK) {
        for (int i = 0; i < n_in; i++)
            operand(e, view ? v : v->arg[i], strided, &nd[i], &ptr[i]);
        for (int i = 0; i < v->n_parts; i++) {
            const struct weir_type *t = part_type(v, i);
            struct weir_nd *o = &nd[n_in + i];
            o->dtype = t->dtype;
            o->rank = t->shape.rank;
            memcpy(o->dim, t->shape.dim, sizeof(o->dim));
            weir_strides(&t->shape, o->stride);
            ptr[n_in + i] = e->mem[v->id] + part_offset(e, v, i);
        }
        struct weir_nest_call call = { n_in, v->n_parts, nd, nd + n_in, v->attrs, e->threads };
        fn(&call, ptr);
    }
    if (ptr)
        free(ptr[n]);
    free(ptr);
    free(nd);
    return status;
}

static enum weir_status eval_call(struct eval *e, weir_value *v)
{
    const void **in = calloc((size_t)v->arity + 1, sizeof(*in));
    void *out[1];
    if (e->isa == WEIR_ISA_F64 || !in || !allocate(e, v)) {
        free(in);
        return e->isa == WEIR_ISA_F64 ? WEIR_UNSUPPORTED : WEIR_NOMEM;
    }
    for (int i = 0; i < v->arity; i++)
        in[i] = e->mem[v->arg[i]->id];
    out[0] = e->mem[v->id];
    enum weir_status status = v->attrs.call.fn(v->attrs.call.ctx, in, out);
    free(in);
    return status;
}

// The body is evaluated once an iteration; carried values live in the loop's own parts.
static enum weir_status eval_loop(struct eval *e, weir_value *v)
{
    const struct weir_loop *l = v->attrs.loop.l;
    size_t n_out = (size_t)v->n_parts, n_leaves = (size_t)v->arity;
    weir_value **values = calloc(n_out + 1, sizeof(*values));
    struct weir_eval_leaf *leaves = calloc(n_leaves + 1, sizeof(*leaves));
    unsigned char **out = calloc(n_out + 1, sizeof(*out)), *next = NULL;
    enum weir_status status = values && leaves && out && allocate(e, v) ? WEIR_OK : WEIR_NOMEM;
    if (status == WEIR_OK)
        next = calloc(1, part_offset(e, v, l->n_carry) + 64);
    for (int k = 0; k < v->arity && next; k++) {
        bool carry = k < l->n_carry;
        leaves[k] = (struct weir_eval_leaf){l->param[k], e->mem[v->arg[k]->id]};
        if (carry) {
            leaves[k].data = memcpy(e->mem[v->id] + part_offset(e, v, k), leaves[k].data,
                                    bytes_of(e, part_type(v, k)));
            out[k] = next + part_offset(e, v, k);
        }
    }
    for (int k = 0; k < v->n_parts; k++)
        values[k] = k < l->n_carry ? l->next[k] : l->y[k - l->n_carry];
    for (int64_t i = 0; i < l->n && status == WEIR_OK; i++) {
        int64_t at = l->reverse ? l->n - 1 - i : i;
        for (int k = 0; k < l->n_xs; k++) {
            const weir_value *xs = v->arg[l->n_carry + k];
            size_t size = bytes_of(e, &xs->type) / (size_t)l->n;
            leaves[l->n_carry + k].data = e->mem[xs->id] + (size_t)at * size;
        }
        for (int k = l->n_carry; k < v->n_parts; k++)
            out[k] = e->mem[v->id] + part_offset(e, v, k) +
                     (size_t)at * (bytes_of(e, part_type(v, k)) / (size_t)l->n);
        status = next ? weir_eval(values, v->n_parts, e->isa, e->threads, leaves, v->arity,
                                  (void *const *)out)
                      : WEIR_NOMEM;
        for (int k = 0; k < l->n_carry && status == WEIR_OK; k++)
            memcpy(e->mem[v->id] + part_offset(e, v, k), out[k], bytes_of(e, part_type(v, k)));
    }
    free(next);
    free(out);
    free(leaves);
    free(values);
    return status;
}

static enum weir_status eval_one(struct eval *e, weir_value *v)
{
    switch (v->op->cls) {
    case WEIR_OP_LEAF:
        return eval_leaf(e, v);
    case WEIR_OP_COMPOSITE:
        e->mem[v->id] = e->mem[v->body->id];
        return WEIR_OK;
    case WEIR_OP_PART:
        e->mem[v->id] = e->mem[v->arg[0]->id] + part_offset(e, v->arg[0], v->attrs.part.index);
        return WEIR_OK;
    case WEIR_OP_CALL:
        return eval_call(e, v);
    case WEIR_OP_LOOP:
        return eval_loop(e, v);
    default:
        return weir_shape_size(&v->type.shape) == 0 && v->n_parts == 1
                   ? (allocate(e, v) ? WEIR_OK : WEIR_NOMEM)
                   : eval_nest(e, v);
    }
}

static enum weir_status run(struct eval *e, weir_value *const *values, int n, void *const *out)
{
    int last = -1;
    enum weir_status status = WEIR_OK;
    for (int i = 0; i < n; i++) {
        e->needed[values[i]->id] = true;
        last = values[i]->id > last ? values[i]->id : last;
    }
    for (int id = last; id >= 0; id--)
        if (e->needed[id])
            mark(e, e->graph->values[id]);
    for (int id = 0; id <= last && status == WEIR_OK; id++)
        if (e->needed[id])
            status = eval_one(e, e->graph->values[id]);
    for (int i = 0; i < n && status == WEIR_OK; i++)
        memcpy(out[i], e->mem[values[i]->id], bytes_of(e, &values[i]->type));
    return status;
}

enum weir_status weir_eval(weir_value *const *values, int n, enum weir_isa isa, int threads,
                           const struct weir_eval_leaf *leaves, int n_leaves, void *const *out)
{
    for (int i = 0; i < n; i++)
        if (weir_is_poison(values[i]))
            return values[i] ? weir_graph_status(values[i]->graph) : WEIR_INVALID;
    if (n == 0)
        return WEIR_OK;
    struct eval e = { .graph = values[0]->graph, .isa = isa, .threads = threads > 0 ? threads : 1,
                      .leaves = leaves, .n_leaves = n_leaves };
    size_t count = (size_t)e.graph->n_values;
    e.needed = calloc(count, sizeof(*e.needed));
    e.mem = calloc(count, sizeof(*e.mem));
    e.owned = calloc(count, sizeof(*e.owned));
    enum weir_status status = e.needed && e.mem && e.owned ? run(&e, values, n, out) : WEIR_NOMEM;
    for (size_t i = 0; e.mem && e.owned && i < count; i++)
        if (e.owned[i])
            free(e.mem[i]);
    free(e.owned);
    free(e.mem);
    free(e.needed);
    return status;
}

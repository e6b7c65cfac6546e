// SPDX-License-Identifier: Apache-2.0
// Claims attention: where a device has a kernel for it, the composite stays whole when the others are
// replaced by their bodies, and becomes one operation with several results (its output, the row maxima,
// the row sums). What stands for the last two in a backward pass reads them there.
#include "compile/attention.h"

#include <math.h>
#include <string.h>

#include "base/log.h"
#include "compile/simplify.h"
#include "graph/ops/composite.h"
#include "graph/ops/rows.h"

// Whether the kernels of wide devices compute it.
static bool fits_wide(const struct weir_attention *a)
{
    return a->depth >= 16 && a->depth <= 128 && a->depth % 16 == 0 && a->width >= 16 &&
           a->width <= 128 && a->width % 16 == 0 && weir_attention_vecs(a->keys) > 0;
}

// Whether there is a kernel for attention y (a composite). Where v alone has some leading axis, there
// would be several outputs for the same scores.
static bool fits(const struct weir_emit_state *c, const weir_value *y)
{
    const weir_value *q = y->arg[0], *k = y->arg[1], *v = y->arg[2];
    for (int i = 0; i < 3; i++)
        if (y->arg[i]->type.dtype != WEIR_F32)
            return false;
    for (int i = 0; i + 1 < y->type.shape.rank; i++)
        if (q->type.shape.rank != y->type.shape.rank ||
            q->type.shape.dim[i] != y->type.shape.dim[i])
            return false;
    if (!isfinite((float)y->attrs.any.f[0]) || weir_dim(k, -2) != weir_dim(v, -2) ||
         (y->attrs.any.i[0] && y->arg[3]->type.shape.rank < 1))
        return false;
    struct weir_attention a = weir_attention_of(y);
    if (weir_shape_size(&y->type.shape) == 0 || a.keys == 0 || a.depth == 0 ||
        a.queries > INT32_MAX / 256)
        return false;
    return weir_device_has(c->dev, WEIR_CAP_WIDE) ? fits_wide(&a) : weir_attention_room(c->dev, &a, false);
}

// What a composite stands for in an attention's backward pass; GRADIENTS: from here on.
enum part { MAX = 1, SUM, DQ, DK, DV, GRADIENTS = DQ, NONE = 0 };

static enum part part_of(const weir_value *v)
{
    static const struct weir_op *const ops[] = {
        [MAX] = &weir_op_attention_max, [SUM] = &weir_op_attention_sum, [DQ] = &weir_op_attention_dq,
        [DK] = &weir_op_attention_dk,   [DV] = &weir_op_attention_dv};
    for (enum part i = MAX; i <= DV; i++)
        if (v->op == ops[i])
            return i;
    return NONE;
}

// Whether there is a kernel for the gradients of attention y. On wide devices a work-item takes all
// of a batch, so there should be as many as the device has units.
static bool gradients_fit(const struct weir_emit_state *c, const weir_value *y)
{
    struct weir_attention a = weir_attention_of(y);
    return weir_device_has(c->dev, WEIR_CAP_WIDE) ? a.batches >= c->dev->info.caps.compute_units
                                                  : weir_attention_room(c->dev, &a, true);
}

// The parts are claimed with their attention, which is their first argument (in a loop's body it may
// be a captured value instead).
static bool claims(const void *ctx, const weir_value *v)
{
    const struct weir_emit_state *c = ctx;
    enum part part = part_of(v);
    const weir_value *y = part ? v->arg[0] : v;
    if (y->op != &weir_op_attention || !fits(c, y))
        return false;
    if (part < GRADIENTS)
        return true;
    return gradients_fit(c, y) && part_of(v->arg[2]) == MAX && v->arg[2]->arg[0] == y &&
           part_of(v->arg[3]) == SUM && v->arg[3]->arg[0] == y;
}

static weir_value *make_kernel(struct weir_emit_state *c, const weir_value *like,
                               const struct weir_op *op, weir_value *const *arg, int arity,
                               const struct weir_type *parts)
{
    weir_value *k = weir_arena_memdup(c->arena, like, sizeof(*like));
    if (!k)
        return NULL;
    k->op = op;
    k->arity = arity;
    k->arg = weir_arena_memdup(c->arena, arg, (size_t)arity * sizeof(*arg));
    k->parts = weir_arena_memdup(c->arena, parts, 3 * sizeof(*parts));
    k->n_parts = 3;
    k->type = parts[0];
    return k->arg && k->parts ? k : NULL;
}

static weir_value *forward_kernel(struct weir_emit_state *c, const weir_value *y)
{
    struct weir_type parts[3] = {y->type, y->type, y->type};
    parts[1].shape.dim[y->type.shape.rank - 1] = parts[2].shape.dim[y->type.shape.rank - 1] = 1;
    return make_kernel(c, y, &weir_op_attention_kernel, y->arg, y->arity, parts);
}

// v is one of the gradients; its attention is the first part of a kernel by now.
static weir_value *gradient_kernel(struct weir_emit_state *c, const weir_value *v)
{
    const weir_value *y = v->arg[0]->arg[0];
    weir_value *arg[8];
    struct weir_type parts[3];
    int n = 0;
    for (int i = 0; i < y->arity; i++)
        arg[n++] = y->arg[i];
    for (int i = 1; i < 5; i++)
        arg[n++] = v->arg[i];
    for (int i = 0; i < 3; i++) {
        parts[i] = y->type;
        for (int a = 1; a <= 2; a++)
            parts[i].shape.dim[y->type.shape.rank - a] = weir_dim(y->arg[i], -a);
    }
    weir_value *k = make_kernel(c, v, &weir_op_attention_grad_kernel, arg, n, parts);
    if (k)
        k->attrs = y->attrs;
    return k;
}

// The kernel among n values that has v's arguments already.
static weir_value *find_kernel(weir_value *const *list, int n, const weir_value *v)
{
    const weir_value *y = v->arg[0]->arg[0];
    for (int i = n - 1; i > y->id; i--) {
        weir_value *k = list[i];
        if (k->op == &weir_op_attention_grad_kernel && k->arg[0] == y->arg[0] &&
            memcmp(k->arg + y->arity, v->arg + 1, 4 * sizeof(*v->arg)) == 0)
            return k;
    }
    return NULL;
}

// v becomes the index-th result of `of`.
static bool make_part(struct weir_emit_state *c, weir_value *v, weir_value *of, int index)
{
    v->op = &weir_op_part;
    v->arity = 1;
    v->arg = weir_arena_memdup(c->arena, &of, sizeof(of));
    memset(&v->attrs, 0, sizeof(v->attrs));
    v->attrs.part.index = index;
    return v->arg != NULL;
}

static bool append(weir_value **list, int *n, weir_value *v)
{
    if (!v)
        return false;
    v->id = *n;
    list[(*n)++] = v;
    return true;
}

// v, if it is a composite that was kept, becomes a result of a kernel, which is appended before it.
static bool replace(struct weir_emit_state *c, weir_value **list, int *n, weir_value *v)
{
    enum part part = part_of(v);
    if (v->op == &weir_op_attention) {
        weir_value *k = forward_kernel(c, v);
        return append(list, n, k) && make_part(c, v, k, 0);
    }
    if (part == NONE)
        return true;
    if (part < GRADIENTS)
        return make_part(c, v, v->arg[0]->arg[0], part);
    weir_value *k = find_kernel(list, *n, v);
    if (!k) {
        k = gradient_kernel(c, v);
        if (!append(list, n, k))
            return false;
    }
    return make_part(c, v, k, (int)part - GRADIENTS);
}

static bool replace_all(struct weir_emit_state *c)
{
    struct weir_scope *s = &c->scope;
    weir_value **list = weir_arena_array(c->arena, 2 * (size_t)s->n_live + 1, sizeof(*list));
    int n = 0;
    for (int i = 0; i < s->n_live; i++)
        if (!list || !replace(c, list, &n, s->live[i]) || !append(list, &n, s->live[i]))
            return false;
    s->live = list;
    s->n_live = n;
    return list != NULL;
}

enum weir_status weir_values_make(struct weir_emit_state *c, weir_graph *g,
                                  weir_value *const *outputs, int n_outputs,
                                  struct weir_strbuf *dump)
{
    bool fused = !c->params->no_fusion && !weir_device_is_host(c->dev);
    struct weir_simplify_params simplify = {
        .claims = fused ? claims : NULL, .ctx = c, .dump = c->params->dump_dir ? dump : NULL};
    enum weir_status status = weir_simplify(g, outputs, n_outputs, c->arena, &c->scope.live,
                                            &c->scope.n_live, c->scope.outputs, &simplify);
    if (status == WEIR_OK && fused && !replace_all(c))
        status = weir_fail(&c->log, WEIR_NOMEM, "no memory for %d values", c->scope.n_live);
    return status;
}

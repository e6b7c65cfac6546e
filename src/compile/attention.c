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

static bool is_head(int64_t width)
{
    return width >= 16 && width <= 128 && width % 16 == 0;
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
    if (!isfinite(y->attrs.any.f[0]) || (y->attrs.any.i[0] && y->arg[3]->type.shape.rank < 1))
        return false;
    return weir_device_has(c->dev, WEIR_CAP_WIDE) && is_head(weir_dim(q, -1)) &&
           is_head(weir_dim(v, -1)) && weir_shape_size(&y->type.shape) > 0 &&
           weir_dim(k, -2) > 0 && weir_dim(q, -2) <= INT32_MAX / 256 &&
           weir_attention_vecs(weir_dim(k, -2)) > 0;
}

// A composite that stands for a row's maximum or sum is claimed with its attention, its argument.
static bool claims(const void *ctx, const weir_value *v)
{
    const struct weir_emit_state *c = ctx;
    if (v->op == &weir_op_attention_max || v->op == &weir_op_attention_sum)
        v = v->arg[0];
    return v->op == &weir_op_attention && fits(c, v);
}

static weir_value *kernel_of(struct weir_emit_state *c, const weir_value *y)
{
    weir_value *k = weir_arena_memdup(c->arena, y, sizeof(*y));
    struct weir_type *part = weir_arena_array(c->arena, 3, sizeof(*part));
    if (!k || !part)
        return NULL;
    part[0] = part[1] = part[2] = y->type;
    for (int i = 1; i < 3; i++)
        part[i].shape.dim[y->type.shape.rank - 1] = 1;
    k->op = &weir_op_attention_kernel;
    k->parts = part;
    k->n_parts = 3;
    return k;
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

// The composites that were kept become operations and their results.
static bool replace(struct weir_emit_state *c)
{
    struct weir_scope *s = &c->scope;
    weir_value **list = weir_arena_array(c->arena, 2 * (size_t)s->n_live + 1, sizeof(*list));
    int n = 0;
    for (int i = 0; i < s->n_live && list; i++) {
        weir_value *v = s->live[i];
        bool ok = true;
        if (v->op == &weir_op_attention) {
            weir_value *k = kernel_of(c, v);
            list[n++] = k;
            ok = k && make_part(c, v, k, 0);
        } else if (v->op == &weir_op_attention_max || v->op == &weir_op_attention_sum) {
            ok = make_part(c, v, v->arg[0]->arg[0], v->op == &weir_op_attention_max ? 1 : 2);
        }
        if (!ok)
            return false;
        list[n++] = v;
    }
    for (int i = 0; i < n; i++)
        list[i]->id = i;
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
    if (status == WEIR_OK && fused && !replace(c))
        status = weir_fail(&c->log, WEIR_NOMEM, "no memory for %d values", c->scope.n_live);
    return status;
}

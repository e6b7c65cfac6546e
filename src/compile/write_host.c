// SPDX-License-Identifier: Apache-2.0
// The host's writer: one launch of a loop nest an operation, with its description baked. Also the
// launches that are C functions on every device: host calls.
#include <string.h>

#include "base/log.h"
#include "compile/compile.h"
#include "graph/nest.h"

static void to_nd(const struct weir_operand *o, struct weir_nd *nd)
{
    nd->dtype = o->dtype;
    nd->rank = o->shape.rank;
    memcpy(nd->dim, o->shape.dim, sizeof(nd->dim));
    memcpy(nd->stride, o->stride, sizeof(nd->stride));
}

// Operands in, results out (row-major), then scratch, as loop nests and host calls take them.
struct call {
    int n_in, n_out, n;
    struct weir_operand *o; // n_in + n_out
    struct weir_emit_arg *args; // and one more for scratch
};

static enum weir_status collect(struct weir_emit_state *c, weir_value *v, struct call *k)
{
    k->n_in = v->arity;
    k->n_out = v->n_parts;
    k->n = k->n_in + k->n_out;
    k->o = weir_arena_array(c->arena, (size_t)k->n, sizeof(*k->o));
    k->args = weir_arena_array(c->arena, (size_t)k->n + 1, sizeof(*k->args));
    if (!k->o || !k->args)
        return WEIR_NOMEM;
    for (int i = 0; i < k->n_in; i++)
        weir_operand_of(c, v->arg[i], &k->o[i]);
    for (int i = 0; i < k->n_out; i++)
        weir_result_of(c, v, i, &k->o[k->n_in + i]);
    for (int i = 0; i < k->n; i++)
        k->args[i] = weir_emit_arg(&k->o[i]);
    return WEIR_OK;
}

// Another operand in the same memory might be read at other indices.
static bool read_once(const struct call *k, int operand)
{
    for (int i = 0; i < k->n_in; i++)
        if (i != operand && k->o[i].slot == k->o[operand].slot)
            return false;
    return true;
}

static enum weir_status write_nest(struct weir_emit_state *c, weir_value *v)
{
    struct call k;
    if (collect(c, v, &k) != WEIR_OK)
        return WEIR_NOMEM;
    weir_host_fn *fn = v->op->host.isa[weir_isa_best()];
    struct weir_nest_call *call = weir_arena_alloc(c->arena, sizeof(*call));
    struct weir_nd *nd = weir_arena_array(c->arena, (size_t)k.n, sizeof(*nd));
    if (!call || !nd)
        return WEIR_NOMEM;
    if (!fn)
        return weir_fail(&c->log, WEIR_UNSUPPORTED, "%s has no loop nest", v->op->name);
    for (int i = 0; i < k.n; i++)
        to_nd(&k.o[i], &nd[i]);
    *call = (struct weir_nest_call) { k.n_in, k.n_out, nd, nd + k.n_in, v->attrs, c->dev->threads };
    size_t scratch = v->op->scratch ? v->op->scratch(v) : 0;
    if (scratch > 0) {
        struct weir_slot slot = { .dtype = WEIR_I8, .size = scratch, .name = "scratch" };
        k.args[k.n++] = (struct weir_emit_arg) { weir_slot_add(c, &slot), WEIR_I8, 0 };
    }
    struct weir_planned l = { .fn = fn, .desc = call, .n_args = k.n, .args = k.args,
                              .label = v->op->name };
    for (int i = 0; i < k.n_in && v->op->cls == WEIR_OP_MAP; i++)
        if (read_once(&k, i))
            weir_may_share(c, c->n_launches, &k.o[k.n_in], &k.o[i]);
    return weir_launch_add(c, &l) ? WEIR_OK : WEIR_NOMEM;
}

struct host_call {
    weir_host_call_fn *fn;
    void *ctx;
    int n_in;
    enum weir_status *status; // of the program: the first failure stays
};

static void run_host_call(const void *desc, void *const *ptr)
{
    const struct host_call *h = desc;
    if (*h->status != WEIR_OK)
        return;
    *h->status = h->fn(h->ctx, (const void *const *)ptr, ptr + h->n_in);
}

enum weir_status weir_write_call(struct weir_emit_state *c, weir_value *v)
{
    struct call k;
    struct host_call *h = weir_arena_alloc(c->arena, sizeof(*h));
    if (!h || collect(c, v, &k) != WEIR_OK)
        return WEIR_NOMEM;
    *h = (struct host_call) { v->attrs.call.fn, v->attrs.call.ctx, k.n_in, c->call_status };
    struct weir_planned l = { .fn = run_host_call, .desc = h, .host_callback = true, .n_args = k.n,
                              .args = k.args, .label = v->op->name };
    l.written = ((1u << k.n_out) - 1) << k.n_in;
    if (k.n > WEIR_LAUNCH_MAX_BUFS || k.n >= 32)
        return weir_fail(&c->log, WEIR_UNSUPPORTED, "host call with %d operands", k.n);
    return weir_launch_add(c, &l) ? WEIR_OK : WEIR_NOMEM;
}

// The copy nest: any strided operand to a row-major one.
struct copy {
    size_t size; // bytes of an element
    int rank;
    int64_t dim[WEIR_MAX_RANK], stride[WEIR_MAX_RANK];
};

static void copy_axis(const struct copy *k, int axis, const unsigned char *src, unsigned char **dst)
{
    if (axis == k->rank) {
        memcpy(*dst, src, k->size);
        *dst += k->size;
    } else if (axis == k->rank - 1 && k->stride[axis] == 1) {
        memcpy(*dst, src, (size_t)k->dim[axis] * k->size);
        *dst += (size_t)k->dim[axis] * k->size;
    } else {
        for (int64_t i = 0; i < k->dim[axis]; i++)
            copy_axis(k, axis + 1, src + i * k->stride[axis] * (int64_t)k->size, dst);
    }
}

static void run_copy(const void *desc, void *const *ptr)
{
    unsigned char *dst = ptr[1];
    copy_axis(desc, 0, ptr[0], &dst);
}

enum weir_status weir_write_copy_host(struct weir_emit_state *c, const struct weir_group *g)
{
    struct copy *k = weir_arena_alloc(c->arena, sizeof(*k));
    if (!k)
        return WEIR_NOMEM;
    const struct weir_operand *from = &g->from;
    k->size = weir_dtype_size(from->dtype);
    k->rank = from->shape.rank;
    memcpy(k->dim, from->shape.dim, sizeof(k->dim));
    memcpy(k->stride, from->stride, sizeof(k->stride));
    struct weir_emit_arg args[2] = { weir_emit_arg(from), { g->copy_to, from->dtype, 0 } };
    struct weir_planned l = { .fn = run_copy, .desc = k, .n_args = 2, .args = args, .label = "copy",
                              .copy = g->copy };
    if (weir_shape_size(&from->shape) == 0)
        return WEIR_OK;
    return weir_launch_add(c, &l) ? WEIR_OK : WEIR_NOMEM;
}

static bool writes_nothing(const weir_value *v)
{
    for (int i = 0; i < v->n_parts; i++)
        if (weir_shape_size(v->parts ? &v->parts[i].shape : &v->type.shape) > 0)
            return false;
    return true;
}

enum weir_status weir_write_groups_host(struct weir_emit_state *c)
{
    for (int i = 0; i < c->scope.n_groups; i++) {
        struct weir_group *g = &c->scope.groups[i];
        enum weir_status status = WEIR_OK;
        g->first_launch = c->n_launches;
        if (g->kind == WEIR_GROUP_COPY)
            status = weir_write_copy_host(c, g);
        else if (g->kind == WEIR_GROUP_CALL)
            status = weir_write_call(c, g->nodes[0]);
        else if (g->kind == WEIR_GROUP_LOOP)
            status = weir_write_loop(c, g->nodes[0]);
        else if (!writes_nothing(g->nodes[0]))
            status = write_nest(c, g->nodes[0]);
        if (status == WEIR_OK)
            status = c->status;
        if (status != WEIR_OK)
            return status;
        g->n_launches = c->n_launches - g->first_launch;
    }
    return WEIR_OK;
}

enum weir_status weir_write_host(struct weir_emit_state *c)
{
    return weir_write_groups(c);
}

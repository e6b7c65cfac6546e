// SPDX-License-Identifier: Apache-2.0
// Loops, on any device. The body goes through the same passes as a program: simplify, groups,
// launches; its launches stand between the loop's first and end in the one list that the plan sees,
// and are recorded once. What an iteration reads and writes:
//
//   carried value   one slot: the loop's result. Before the loop the first value is copied there,
//   at an
//                   iteration's end the next one; the plan drops that copy where the next value can
//                   be written there at once
//   slice, result   a window on the stacked tensor, which moves by a slice an iteration
//   capture         the outer value's own slot
//
// Slots made in a body belong to one iteration; those from outside keep their memory throughout the
// loop.
#include <string.h>

#include "base/log.h"
#include "compile/attention.h"
#include "compile/compile.h"
#include "graph/loop.h"
#include "graph/ops/rows.h"

struct loop {
    weir_value *v;
    const struct weir_loop *l;
    int id; // in c->loops
    struct weir_operand *arg;
    int *param; // slots of the body's params
    int *part;  // slots of the loop's parts
};

static size_t bytes(const struct weir_type *t)
{
    return (size_t)weir_shape_size(&t->shape) * weir_dtype_size(t->dtype);
}

static int part_slot(struct weir_emit_state *c, const weir_value *v, int k)
{
    for (int i = v->id + 1; i < c->scope.n_live; i++)
        if (c->scope.live[i]->op->cls == WEIR_OP_PART && c->scope.live[i]->arg[0] == v &&
            c->scope.live[i]->attrs.part.index == k)
            return weir_slot_of(c, c->scope.live[i]);
    struct weir_slot carried = {
        .dtype = v->parts[k].dtype, .size = bytes(&v->parts[k]), .name = "carried"};
    return weir_slot_add(c, &carried);
}

static enum weir_status copy(struct weir_emit_state *c, const struct weir_operand *from, int to,
                             enum weir_copy_kind kind)
{
    struct weir_group g = {.kind = WEIR_GROUP_COPY, .id = -1, .from = *from, .copy_to = to};
    g.copy = weir_copy_is_whole(c, from, to) ? kind : WEIR_COPY_PLAIN;
    if (weir_shape_size(&from->shape) == 0)
        return WEIR_OK;
    return weir_device_is_host(c->dev) ? weir_write_copy_host(c, &g) : weir_write_copy(c, &g);
}

// Slice i of n in `of`, from byte `shift` on.
static int moving_window(struct weir_emit_state *c, const struct loop *p, int of, int64_t shift,
                         const struct weir_type *slice)
{
    int64_t size = (int64_t)bytes(slice);
    struct weir_slot w = {.home = WEIR_SLOT_WINDOW,
                          .dtype = slice->dtype,
                          .size = (size_t)size,
                          .of = of,
                          .loop = p->id,
                          .shift = shift,
                          .step = size,
                          .name = "slice"};
    if (p->l->reverse) {
        w.shift += (p->l->n - 1) * size;
        w.step = -size;
    }
    return weir_slot_add(c, &w);
}

static int captured(struct weir_emit_state *c, const struct loop *p, const struct weir_operand *o)
{
    struct weir_slot w = {.home = WEIR_SLOT_WINDOW,
                          .dtype = o->dtype,
                          .of = o->slot,
                          .loop = p->id,
                          .name = "captured"};
    w.size = (size_t)weir_shape_size(&o->shape) * weir_dtype_size(o->dtype);
    w.shift = o->offset * (int64_t)weir_dtype_size(o->dtype);
    return o->offset == 0 ? o->slot : weir_slot_add(c, &w);
}

static enum weir_status init(struct weir_emit_state *c, weir_value *v, struct loop *p)
{
    const struct weir_loop *l = v->attrs.loop.l;
    *p = (struct loop){.v = v, .l = l};
    p->arg = weir_arena_array(c->arena, (size_t)v->arity + 1, sizeof(*p->arg));
    p->param = weir_arena_array(c->arena, (size_t)v->arity + 1, sizeof(*p->param));
    p->part = weir_arena_array(c->arena, (size_t)v->n_parts + 1, sizeof(*p->part));
    if (!p->arg || !p->param || !p->part)
        return WEIR_NOMEM;
    for (int k = 0; k < v->n_parts; k++)
        p->part[k] = part_slot(c, v, k);
    for (int k = 0; k < v->arity; k++)
        weir_operand_of(c, v->arg[k], &p->arg[k]);
    for (int k = 0; k < l->n_carry; k++) {
        enum weir_status status = copy(c, &p->arg[k], p->part[k], WEIR_COPY_PLAIN);
        if (status != WEIR_OK)
            return status;
    }
    return c->status;
}

static enum weir_status begin(struct weir_emit_state *c, struct loop *p)
{
    int depth = c->scope.loop < 0 ? 0 : c->loops[c->scope.loop].depth + 1;
    if (depth == WEIR_LOOP_MAX_DEPTH)
        return weir_fail(&c->log, WEIR_UNSUPPORTED, "loops in one another more than %d deep",
                         WEIR_LOOP_MAX_DEPTH);
    if (!weir_grow(c->arena, (void **)&c->loops, c->n_loops, &c->cap_loops, sizeof(*c->loops)))
        return WEIR_NOMEM;
    p->id = c->n_loops++;
    c->loops[p->id] = (struct weir_planned_loop){
        .parent = c->scope.loop, .depth = depth, .n = p->l->n, .first = c->n_launches};
    c->scope.loop = p->id;
    for (int k = 0; k < p->v->arity; k++)
        p->param[k] =
            k < p->l->n_carry ? p->part[k]
            : k < p->l->n_carry + p->l->n_xs
                ? moving_window(c, p, p->arg[k].slot,
                                p->arg[k].offset * (int64_t)weir_dtype_size(p->arg[k].dtype),
                                &p->l->param[k]->type)
                : captured(c, p, &p->arg[k]);
    return WEIR_OK;
}

// The body takes the place of the live list.
static enum weir_status enter_body(struct weir_emit_state *c, const struct loop *p)
{
    const struct weir_loop *l = p->l;
    int n = l->n_carry + l->n_ys;
    weir_value **outputs = weir_arena_array(c->arena, (size_t)n + 1, sizeof(*outputs));
    c->scope.outputs = weir_arena_array(c->arena, (size_t)n + 1, sizeof(*c->scope.outputs));
    if (!outputs || !c->scope.outputs)
        return WEIR_NOMEM;
    for (int k = 0; k < n; k++)
        outputs[k] = k < l->n_carry ? l->next[k] : l->y[k - l->n_carry];
    c->scope.n_outputs = n;
    c->scope.groups = NULL;
    c->scope.era = NULL;
    c->scope.n_groups = c->scope.cap_groups = 0;
    if (c->params->dump_dir) {
        weir_strbuf_printf(&c->dump_bodies, "\nbody of loop %d, %lld iterations:\n", p->id,
                           (long long)l->n);
        weir_strbuf_printf(&c->dump_schedule, "body of loop %d:\n", p->id);
    }
    enum weir_status status = weir_values_make(c, l->body, outputs, n, &c->dump_bodies);
    if (status == WEIR_OK)
        status = weir_groups_make(c);
    for (int i = 0; i < c->scope.n_live && status == WEIR_OK; i++)
        for (int k = 0; k < p->v->arity && c->scope.live[i]->op == &weir_op_param; k++)
            if (l->param[k]->attrs.input.index == c->scope.live[i]->attrs.input.index)
                c->scope.slot_of[i] = p->param[k];
    if (status == WEIR_OK && c->params->dump_dir)
        weir_groups_describe(c);
    return status;
}

static bool is_carried(const struct loop *p, int slot)
{
    for (int k = 0; k < p->l->n_carry; k++)
        if (p->part[k] == slot)
            return true;
    return false;
}

// Results that are what the iteration was given go first: then the next carried values can take
// the place of these; the rest when they are computed.
static enum weir_status copy_results(struct weir_emit_state *c, const struct loop *p, bool given)
{
    enum weir_status status = WEIR_OK;
    for (int k = 0; k < p->l->n_ys && status == WEIR_OK; k++) {
        weir_value *y = c->scope.outputs[p->l->n_carry + k];
        struct weir_operand from;
        weir_operand_of(c, y, &from);
        if (is_carried(p, from.slot) != given)
            continue;
        int to = moving_window(c, p, p->part[p->l->n_carry + k], 0, &y->type);
        status = copy(c, &from, to, WEIR_COPY_RESULT);
    }
    return status;
}

// Two carried values may swap: what is read from one goes through a copy of its own.
static enum weir_status copy_carried(struct weir_emit_state *c, const struct loop *p)
{
    enum weir_status status = WEIR_OK;
    int n = p->l->n_carry;
    struct weir_operand *from = weir_arena_array(c->arena, (size_t)n + 1, sizeof(*from));
    bool *stays = weir_arena_array(c->arena, (size_t)n + 1, sizeof(*stays));
    if (!from || !stays)
        return WEIR_NOMEM;
    for (int k = 0; k < n && status == WEIR_OK; k++) {
        weir_operand_of(c, c->scope.outputs[k], &from[k]);
        stays[k] =
            from[k].slot == p->part[k] && from[k].offset == 0 && weir_operand_contiguous(&from[k]);
        if (stays[k] || !is_carried(p, from[k].slot))
            continue;
        const struct weir_type *t = &p->v->parts[k];
        struct weir_slot temporary = {.dtype = t->dtype, .size = bytes(t), .name = "next"};
        int slot = weir_slot_add(c, &temporary);
        status = copy(c, &from[k], slot, WEIR_COPY_PLAIN);
        from[k] = (struct weir_operand){slot, t->dtype, t->shape, 0, {0}};
        weir_strides(&t->shape, from[k].stride);
    }
    for (int k = 0; k < n && status == WEIR_OK; k++)
        if (!stays[k])
            status = copy(c, &from[k], p->part[k], WEIR_COPY_CARRY);
    return status;
}

static enum weir_status write_body(struct weir_emit_state *c, struct loop *p)
{
    enum weir_status status = enter_body(c, p);
    if (status == WEIR_OK)
        status = copy_results(c, p, true);
    if (status == WEIR_OK)
        status = weir_write_groups(c);
    if (status == WEIR_OK)
        status = copy_results(c, p, false);
    if (status == WEIR_OK)
        status = copy_carried(c, p);
    return status == WEIR_OK ? c->status : status;
}

enum weir_status weir_write_loop(struct weir_emit_state *c, weir_value *v)
{
    struct loop p;
    enum weir_status status = init(c, v, &p);
    if (status != WEIR_OK || p.l->n == 0)
        return status;
    const struct weir_scope outer = c->scope;
    status = begin(c, &p);
    if (status != WEIR_OK)
        return status;
    status = write_body(c, &p);
    c->loops[p.id].end = c->n_launches;
    c->n_body_groups += c->scope.n_groups;
    c->scope = outer;
    return status;
}

// SPDX-License-Identifier: Apache-2.0
// Slots (a tensor's memory), operands (a value resolved to a slot and strides) and launches: what the
// passes of the compiler have in common.
#include <string.h>

#include "compile/compile.h"
#include "graph/ops/rows.h"

bool weir_grow(weir_arena *arena, void **array, int n, int *cap, size_t size)
{
    if (n < *cap)
        return true;
    int more = *cap ? 2 * *cap : 64;
    void *grown = weir_arena_array(arena, (size_t)more, size);
    if (!grown)
        return false;
    if (n > 0)
        memcpy(grown, *array, (size_t)n * size);
    *array = grown;
    *cap = more;
    return true;
}

int weir_slot_add(struct weir_emit_state *c, const struct weir_slot *slot)
{
    if (!weir_grow(c->arena, (void **)&c->slots, c->n_slots, &c->cap_slots, sizeof(*c->slots))) {
        c->status = WEIR_NOMEM;
        return 0;
    }
    struct weir_slot *s = &c->slots[c->n_slots];
    *s = *slot;
    s->alias = -1;
    s->scope = c->scope.loop;
    s->first = s->last = -1;
    if (s->size == 0)
        s->size = weir_dtype_size(s->dtype); // empty tensors still have an address
    return c->n_slots++;
}

int weir_slot_base(const struct weir_emit_state *c, int slot)
{
    for (const struct weir_slot *s = &c->slots[slot];; s = &c->slots[slot]) {
        if (s->alias >= 0)
            slot = s->alias;
        else if (s->home == WEIR_SLOT_WINDOW)
            slot = s->of;
        else
            return slot;
    }
}

size_t weir_slot_place(const struct weir_emit_state *c, int slot)
{
    int64_t at = 0;
    for (const struct weir_slot *s = &c->slots[slot];; s = &c->slots[slot]) {
        if (s->alias < 0 && s->home != WEIR_SLOT_WINDOW)
            return (size_t)(at + (int64_t)s->offset);
        at += s->alias < 0 ? s->shift : 0;
        slot = s->alias >= 0 ? s->alias : s->of;
    }
}

static int add_value_slot(struct weir_emit_state *c, const weir_value *v)
{
    struct weir_slot slot = { .home = WEIR_SLOT_ARENA, .dtype = v->type.dtype, .name = v->name };
    slot.size = (size_t)weir_shape_size(&v->type.shape) * weir_dtype_size(v->type.dtype);
    if (!slot.name)
        slot.name = v->op->name;
    if (v->op == &weir_op_constant) {
        slot.home = WEIR_SLOT_CONSTANT;
        slot.data = slot.size > 0 ? v->attrs.constant.data : NULL;
    } else if (v->op == &weir_op_state) {
        slot.home = WEIR_SLOT_STATE;
        slot.state = v->attrs.state.state;
    } else if (v->op == &weir_op_input) {
        slot.home = WEIR_SLOT_INPUT;
        slot.input = v->attrs.input.index;
    }
    return weir_slot_add(c, &slot);
}

// Several reads of one part are one tensor.
static const weir_value *first_read(const struct weir_emit_state *c, const weir_value *v)
{
    if (v->op->cls == WEIR_OP_PART)
        for (int i = v->arg[0]->id + 1; i < v->id; i++)
            if (c->scope.live[i]->op->cls == WEIR_OP_PART && c->scope.live[i]->arg[0] == v->arg[0] &&
                c->scope.live[i]->attrs.part.index == v->attrs.part.index)
                return c->scope.live[i];
    return v;
}

int weir_slot_of(struct weir_emit_state *c, const weir_value *v)
{
    v = first_read(c, v);
    if (c->trial)
        return v->id;
    if (c->scope.slot_of[v->id] < 0)
        c->scope.slot_of[v->id] = add_value_slot(c, v);
    return c->scope.slot_of[v->id];
}

struct stop {
    const struct weir_emit_state *c;
    const weir_value *except;
};

static bool has_memory(void *ctx, const weir_value *v)
{
    const struct stop *stop = ctx;
    return v != stop->except && stop->c->scope.has_memory[v->id];
}

static void operand(struct weir_emit_state *c, weir_value *v, const weir_value *except,
                    struct weir_operand *out)
{
    struct weir_layout l;
    struct stop stop = { c, except };
    weir_layout_of(v, has_memory, &stop, &l);
    *out = (struct weir_operand) { weir_slot_of(c, l.base), v->type.dtype, v->type.shape, l.offset,
                                   { 0 } };
    memcpy(out->stride, l.stride, (size_t)v->type.shape.rank * sizeof(l.stride[0]));
}

void weir_operand_of(struct weir_emit_state *c, weir_value *v, struct weir_operand *out)
{
    operand(c, v, NULL, out);
}

void weir_operand_through(struct weir_emit_state *c, weir_value *v, struct weir_operand *out)
{
    operand(c, v, v, out);
}

void weir_result_of(struct weir_emit_state *c, weir_value *v, int k, struct weir_operand *out)
{
    const struct weir_type *t = v->parts ? &v->parts[k] : &v->type;
    int slot = -1;
    if (v->n_parts == 1)
        slot = weir_slot_of(c, v);
    for (int i = v->id + 1; i < c->scope.n_live && slot < 0; i++)
        if (c->scope.live[i]->op->cls == WEIR_OP_PART && c->scope.live[i]->arg[0] == v &&
            c->scope.live[i]->attrs.part.index == k)
            slot = weir_slot_of(c, c->scope.live[i]);
    if (slot < 0) { // a part that nobody reads
        struct weir_slot unread = { .dtype = t->dtype, .name = "unread part" };
        unread.size = (size_t)weir_shape_size(&t->shape) * weir_dtype_size(t->dtype);
        slot = weir_slot_add(c, &unread);
    }
    *out = (struct weir_operand) { slot, t->dtype, t->shape, 0, { 0 } };
    weir_strides(&t->shape, out->stride);
}

bool weir_operand_contiguous(const struct weir_operand *o)
{
    int64_t step = 1;
    for (int i = o->shape.rank - 1; i >= 0; i--) {
        if (o->shape.dim[i] == 0)
            return true;
        if (o->shape.dim[i] > 1 && o->stride[i] != step)
            return false;
        step *= o->shape.dim[i];
    }
    return true;
}

bool weir_copy_is_whole(const struct weir_emit_state *c, const struct weir_operand *from, int to)
{
    return from->offset == 0 && weir_operand_contiguous(from) &&
           c->slots[from->slot].size == c->slots[to].size;
}

void weir_may_share(struct weir_emit_state *c, int launch, const struct weir_operand *out,
                    const struct weir_operand *in)
{
    if (out->slot == in->slot || in->offset != 0 || out->offset != 0 ||
        weir_dtype_size(in->dtype) != weir_dtype_size(out->dtype) ||
        weir_shape_size(&in->shape) != weir_shape_size(&out->shape) || !weir_operand_contiguous(in) ||
        !weir_operand_contiguous(out))
        return;
    if (!weir_grow(c->arena, (void **)&c->in_place, c->n_in_place, &c->cap_in_place,
                   sizeof(*c->in_place))) {
        c->status = WEIR_NOMEM;
        return;
    }
    c->in_place[c->n_in_place++] = (struct weir_in_place) { launch, out->slot, in->slot };
}

struct weir_planned *weir_launch_add(struct weir_emit_state *c, const struct weir_planned *l)
{
    if (!weir_grow(c->arena, (void **)&c->launches, c->n_launches, &c->cap_launches,
                   sizeof(*c->launches))) {
        c->status = WEIR_NOMEM;
        return NULL;
    }
    struct weir_planned *added = &c->launches[c->n_launches];
    *added = *l;
    added->loop = c->scope.loop;
    added->args = weir_arena_memdup(c->arena, l->args, (size_t)l->n_args * sizeof(*l->args));
    if (!added->args && l->n_args > 0) {
        c->status = WEIR_NOMEM;
        return NULL;
    }
    c->n_launches++;
    return added;
}

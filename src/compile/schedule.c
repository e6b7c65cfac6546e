// SPDX-License-Identifier: Apache-2.0
// Groups: which values are computed together, in which order, and which of them get memory. Without
// fusion (and always on the host) a group is one operation. Views never get memory unless strides
// cannot express them or a reader wants its argument contiguous; then a COPY group makes them so.
// Last come the copies of outputs that have no memory of their own, then those of new states.
#include "base/log.h"
#include "compile/body.h"
#include "compile/compile.h"
#include "compile/fuse.h"
#include "graph/loop.h"
#include "graph/ops/rows.h"

static bool is_memory(void *ctx, const weir_value *v)
{
    return ((const bool *)ctx)[v->id];
}

static bool wants_contiguous(const weir_value *v, int arg, bool fused)
{
    if (fused && weir_is_gather(v))
        return false;
    if (v->op->cls == WEIR_OP_LOOP) // the first carried values are copied in any case
        return arg >= v->attrs.loop.l->n_carry;
    return v->op->cls == WEIR_OP_OPAQUE || v->op->cls == WEIR_OP_CALL;
}

static bool layout_contiguous(const struct weir_layout *l, const struct weir_shape *shape)
{
    struct weir_operand o = { .shape = *shape };
    for (int i = 0; i < shape->rank; i++)
        o.stride[i] = l->stride[i];
    return weir_operand_contiguous(&o);
}

// Marks the views that have to be copied.
static void mark_views(struct weir_emit_state *c, bool fused)
{
    for (int i = 0; i < c->scope.n_live; i++) {
        weir_value *v = c->scope.live[i];
        struct weir_layout l;
        if (v->op->cls == WEIR_OP_VIEW) {
            weir_layout_of(v, is_memory, c->scope.has_memory, &l);
            if (l.base->op->cls == WEIR_OP_VIEW)
                c->scope.has_memory[l.base->id] = true;
        }
        for (int a = 0; a < v->arity; a++) {
            weir_value *x = v->arg[a];
            if (!wants_contiguous(v, a, fused) || x->op->cls != WEIR_OP_VIEW ||
                c->scope.has_memory[x->id])
                continue;
            weir_layout_of(x, is_memory, c->scope.has_memory, &l);
            if (!layout_contiguous(&l, &x->type.shape))
                c->scope.has_memory[x->id] = true;
        }
    }
}

struct weir_group *weir_group_add(struct weir_emit_state *c, enum weir_group_kind kind)
{
    if (!weir_grow(c->arena, (void **)&c->scope.groups, c->scope.n_groups, &c->scope.cap_groups,
                   sizeof(*c->scope.groups))) {
        c->status = WEIR_NOMEM;
        return NULL;
    }
    struct weir_group *g = &c->scope.groups[c->scope.n_groups];
    *g = (struct weir_group) { .kind = kind, .id = c->scope.n_groups++, .copy_to = -1 };
    return g;
}

enum weir_group_kind weir_group_kind_of(const weir_value *v)
{
    switch (v->op->cls) {
    case WEIR_OP_REDUCE:
        return WEIR_GROUP_REDUCE;
    case WEIR_OP_CONTRACT:
        return WEIR_GROUP_CONTRACT;
    case WEIR_OP_OPAQUE:
        return WEIR_GROUP_OPAQUE;
    case WEIR_OP_CALL:
        return WEIR_GROUP_CALL;
    case WEIR_OP_LOOP:
        return WEIR_GROUP_LOOP;
    default:
        return WEIR_GROUP_MAP;
    }
}

bool weir_group_single(struct weir_emit_state *c, weir_value *v)
{
    struct weir_group *g = weir_group_add(c, weir_group_kind_of(v));
    weir_value **node = weir_arena_memdup(c->arena, &v, sizeof(v));
    if (!g || !node)
        return false;
    g->nodes = g->outputs = node;
    g->n_nodes = g->n_outputs = 1;
    return true;
}

bool weir_group_copy(struct weir_emit_state *c, weir_value *v)
{
    struct weir_operand from;
    weir_operand_through(c, v, &from);
    int to = weir_slot_of(c, v);
    struct weir_group *g = weir_group_add(c, WEIR_GROUP_COPY);
    weir_value **node = weir_arena_memdup(c->arena, &v, sizeof(v));
    if (!g || !node)
        return false;
    g->nodes = g->outputs = node;
    g->n_nodes = g->n_outputs = 1;
    g->from = from;
    g->copy_to = to;
    return true;
}

bool weir_has_group(const struct weir_emit_state *c, const weir_value *v)
{
    switch (v->op->cls) {
    case WEIR_OP_LEAF:
    case WEIR_OP_PART:
    case WEIR_OP_ASSIGN:
        return false;
    case WEIR_OP_VIEW:
        return c->scope.has_memory[v->id];
    default:
        return true;
    }
}

static enum weir_status unfused(struct weir_emit_state *c)
{
    for (int i = 0; i < c->scope.n_live; i++) {
        weir_value *v = c->scope.live[i];
        if (!weir_has_group(c, v))
            continue;
        if (!(v->op->cls == WEIR_OP_VIEW ? weir_group_copy(c, v) : weir_group_single(c, v)))
            return WEIR_NOMEM;
    }
    return WEIR_OK;
}

static int copy_to_slot(struct weir_emit_state *c, const struct weir_operand *from, weir_value *v,
                        const struct weir_slot *slot)
{
    int to = weir_slot_add(c, slot);
    struct weir_group *g = weir_group_add(c, WEIR_GROUP_COPY);
    weir_value **node = weir_arena_memdup(c->arena, &v, sizeof(v));
    if (!g || !node)
        return -1;
    g->nodes = node;
    g->n_nodes = 1;
    g->from = *from;
    g->copy_to = to;
    return to;
}

static bool owns_slot(const struct weir_emit_state *c, const weir_value *v)
{
    return v->op->cls != WEIR_OP_LEAF && c->scope.has_memory[v->id];
}

// A view that is all of a value in the same order needs no copy.
static weir_value *whole(struct weir_emit_state *c, weir_value *v)
{
    struct weir_layout l;
    weir_layout_of(v, is_memory, c->scope.has_memory, &l);
    bool same = l.offset == 0 && layout_contiguous(&l, &v->type.shape) &&
                weir_shape_size(&v->type.shape) == weir_shape_size(&l.base->type.shape);
    return same ? l.base : v;
}

// Outputs are read after the run: those that live elsewhere (leaves, views) are copied out.
static enum weir_status add_outputs(struct weir_emit_state *c)
{
    for (int i = 0; i < c->scope.n_outputs; i++) {
        weir_value *v = whole(c, c->scope.outputs[i]);
        if (owns_slot(c, v)) {
            c->scope.output_slot[i] = weir_slot_of(c, v);
            c->slots[c->scope.output_slot[i]].home = WEIR_SLOT_KEEP;
            continue;
        }
        struct weir_operand from;
        struct weir_slot slot = { .home = WEIR_SLOT_KEEP,
                                  .dtype = v->type.dtype,
                                  .name = "output" };
        slot.size = (size_t)weir_shape_size(&v->type.shape) * weir_dtype_size(v->type.dtype);
        weir_operand_of(c, v, &from);
        c->scope.output_slot[i] = copy_to_slot(c, &from, v, &slot);
        if (c->scope.output_slot[i] < 0)
            return WEIR_NOMEM;
    }
    return WEIR_OK;
}

// A new state that is (a view of) a leaf goes through a copy of its own: two states may swap.
static enum weir_status add_assigns(struct weir_emit_state *c)
{
    int first = c->scope.n_live, n = 0;
    struct weir_operand *from = weir_arena_array(c->arena, (size_t)first + 1, sizeof(*from));
    weir_value **assign = weir_arena_array(c->arena, (size_t)first + 1, sizeof(*assign));
    if (!from || !assign)
        return WEIR_NOMEM;
    for (int i = 0; i < c->scope.n_live; i++) {
        weir_value *v = c->scope.live[i];
        if (v->op->cls != WEIR_OP_ASSIGN)
            continue;
        weir_operand_of(c, v->arg[0], &from[n]);
        if (c->slots[from[n].slot].home == WEIR_SLOT_STATE) {
            struct weir_slot slot = { .dtype = v->type.dtype, .name = "new state" };
            slot.size = (size_t)weir_shape_size(&v->type.shape) * weir_dtype_size(v->type.dtype);
            from[n].slot = copy_to_slot(c, &from[n], v->arg[0], &slot);
            from[n].offset = 0;
            weir_strides(&v->type.shape, from[n].stride);
            if (from[n].slot < 0)
                return WEIR_NOMEM;
        }
        assign[n++] = v;
    }
    for (int i = 0; i < n; i++) {
        struct weir_slot slot = { .home = WEIR_SLOT_STATE, .dtype = assign[i]->type.dtype };
        slot.state = assign[i]->attrs.state.state;
        slot.name = weir_state_name(slot.state);
        slot.size = (size_t)weir_shape_size(&slot.state->shape) * weir_dtype_size(slot.dtype);
        for (int j = 0; j < c->scope.n_live; j++) // the slot that readers of the old value have, if
                                                  // any
            if (c->scope.live[j]->op == &weir_op_state &&
                c->scope.live[j]->attrs.state.state == slot.state)
                slot.input = 1 + weir_slot_of(c, c->scope.live[j]);
        int known = slot.input - 1;
        slot.input = 0;
        int to = known >= 0 ? known : weir_slot_add(c, &slot);
        struct weir_group *g = weir_group_add(c, WEIR_GROUP_COPY);
        if (!g)
            return WEIR_NOMEM;
        g->nodes = &assign[i];
        g->n_nodes = 1;
        g->from = from[i];
        g->copy_to = to;
        g->copy = weir_copy_is_whole(c, &from[i], to) ? WEIR_COPY_STATE : WEIR_COPY_PLAIN;
    }
    return WEIR_OK;
}

void weir_groups_describe(struct weir_emit_state *c)
{
    static const char *const kinds[] = { "map",    "row",  "reduce", "contract",
                                         "opaque", "copy", "call",   "loop" };
    char shape[160];
    for (int i = 0; i < c->scope.n_groups; i++) {
        const struct weir_group *g = &c->scope.groups[i];
        weir_strbuf_printf(&c->dump_schedule, "group %d: %s%s\n", i, kinds[g->kind],
                           g->copy == WEIR_COPY_STATE ? " to state" : "");
        for (int k = 0; k < g->n_nodes; k++) {
            const weir_value *v = g->nodes[k];
            weir_strbuf_printf(&c->dump_schedule, "  %%%d = %s %s %s", v->id, v->op->name,
                               weir_dtype_name(v->type.dtype),
                               weir_shape_text(&v->type.shape, shape, sizeof(shape)));
            for (int a = 0; a < v->arity; a++)
                weir_strbuf_printf(&c->dump_schedule, " %%%d", v->arg[a]->id);
            for (int o = 0; o < g->n_outputs; o++)
                if (g->outputs[o] == v)
                    weir_strbuf_puts(&c->dump_schedule, "  -> memory");
            weir_strbuf_printf(&c->dump_schedule, "%s%s\n", v->name ? "  # " : "",
                               v->name ? v->name : "");
        }
    }
}

enum weir_status weir_groups_make(struct weir_emit_state *c)
{
    c->scope.has_memory =
        weir_arena_array(c->arena, (size_t)c->scope.n_live + 1, sizeof(*c->scope.has_memory));
    c->scope.slot_of =
        weir_arena_array(c->arena, (size_t)c->scope.n_live + 1, sizeof(*c->scope.slot_of));
    c->scope.step_of =
        weir_arena_array(c->arena, (size_t)c->scope.n_live + 1, sizeof(*c->scope.step_of));
    c->scope.output_slot =
        weir_arena_array(c->arena, (size_t)c->scope.n_outputs + 1, sizeof(*c->scope.output_slot));
    if (!c->scope.has_memory || !c->scope.slot_of || !c->scope.step_of || !c->scope.output_slot)
        return weir_fail(&c->log, WEIR_NOMEM, "no memory to schedule %d values", c->scope.n_live);
    for (int i = 0; i < c->scope.n_live; i++) {
        c->scope.slot_of[i] = -1;
        c->scope.has_memory[i] = c->scope.live[i]->op->cls != WEIR_OP_VIEW;
    }
    bool fused = !c->params->no_fusion && !weir_device_is_host(c->dev);
    mark_views(c, fused);
    return fused ? weir_fuse(c) : unfused(c);
}

enum weir_status weir_schedule(struct weir_emit_state *c)
{
    enum weir_status status = weir_groups_make(c);
    if (status == WEIR_OK)
        status = add_outputs(c);
    if (status == WEIR_OK)
        status = add_assigns(c);
    if (status == WEIR_OK)
        status = c->status;
    if (status != WEIR_OK)
        return weir_fail(&c->log, status, "scheduling failed");
    if (c->params->dump_dir)
        weir_groups_describe(c);
    return WEIR_OK;
}

// SPDX-License-Identifier: Apache-2.0
// Resolves the operands of a group's values over one iteration space.
#include "compile/body.h"

#include <string.h>

#include "base/log.h"
#include "graph/ops/rows.h"

static int64_t full_size(const weir_value *v)
{
    return weir_shape_size(&(v->op->cls == WEIR_OP_REDUCE ? v->arg[0] : v)->type.shape);
}

// Two ways to use the axes agree when the same are kept and the same column axes stand alone.
static bool labels_agree(const struct weir_body *b, const int *is)
{
    for (int d = 0; d < b->space.rank; d++) {
        bool column = is[d] >= WEIR_AXIS_COLUMN;
        if (column != (b->label[d] >= WEIR_AXIS_COLUMN) || (!column && is[d] != b->label[d]))
            return false;
        if (d > 0 && (is[d] == is[d - 1]) != (b->label[d] == b->label[d - 1]))
            return false;
    }
    return true;
}

// Whether a reduction keeps the axis that the others sum as a row: one value a channel.
static bool keeps_row(const struct weir_body *b, const int *is)
{
    for (int d = 0; d < b->space.rank; d++) {
        bool column = is[d] >= WEIR_AXIS_COLUMN, next = d > 0 && is[d - 1] >= WEIR_AXIS_COLUMN;
        if (column != (b->label[d] >= WEIR_AXIS_COLUMN) || is[d] == WEIR_AXIS_ROW)
            return false;
        if (column && next && (is[d] == is[d - 1]) != (b->label[d] == b->label[d - 1]))
            return false;
    }
    return true;
}

// The axes of the space as reduction v uses them.
static void label_axes(const struct weir_body *b, const weir_value *v, int *is)
{
    const struct weir_shape *s = &v->arg[0]->type.shape;
    int label[WEIR_MAX_RANK], axis = s->rank - 1;
    bool trailing = true;
    for (int i = s->rank - 1; i >= 0; i--) {
        bool reduced = v->attrs.reduce.axes >> i & 1;
        if (!reduced && s->dim[i] != 1)
            trailing = false;
        label[i] = !reduced ? WEIR_AXIS_KEPT : trailing ? WEIR_AXIS_ROW : WEIR_AXIS_COLUMN + i;
    }
    int64_t inside = 1;
    for (int d = b->space.rank - 1; d >= 0; d--) {
        while (axis >= 0 && s->dim[axis] == inside) {
            axis--;
            inside = 1;
        }
        is[d] = axis >= 0 ? label[axis] : WEIR_AXIS_KEPT;
        inside *= b->space.dim[d];
    }
}

// The reduction that leaves least decides; the others reduce the same axes, or keep its row.
static bool label_space(struct weir_body *b, weir_value **nodes, int n)
{
    const weir_value *least = NULL;
    int is[WEIR_SPACE_MAX];
    for (int i = 0; i < n; i++)
        if (nodes[i]->op->cls == WEIR_OP_REDUCE &&
            (!least ||
             weir_shape_size(&nodes[i]->type.shape) < weir_shape_size(&least->type.shape)))
            least = nodes[i];
    if (!least)
        return true;
    label_axes(b, least, b->label);
    b->reduces = true;
    for (int i = 0; i < n; i++) {
        if (nodes[i]->op->cls != WEIR_OP_REDUCE)
            continue;
        label_axes(b, nodes[i], is);
        if (!labels_agree(b, is) && !keeps_row(b, is))
            return false;
    }
    return true;
}

static bool make_space(struct weir_body *b, weir_value **nodes, int n)
{
    int64_t size = 0;
    for (int i = 0; i < n; i++)
        size = full_size(nodes[i]) > size ? full_size(nodes[i]) : size;
    b->space = (struct weir_space) { 1, { size } };
    for (int i = 0; i < n; i++) {
        const weir_value *x = nodes[i]->op->cls == WEIR_OP_REDUCE ? nodes[i]->arg[0] : nodes[i];
        if (weir_shape_size(&x->type.shape) == size &&
            !weir_space_refine(&b->space, &x->type.shape))
            return false;
    }
    if (!label_space(b, nodes, n))
        return false;
    b->row_space.rank = 0;
    for (int d = 0; d < b->space.rank; d++)
        if (b->label[d] == WEIR_AXIS_KEPT)
            b->row_space.dim[b->row_space.rank++] = b->space.dim[d];
    return true;
}

// What a tensor has an element for.
enum domain { ELEMENT, ROW, CHANNEL };
static enum domain domain_of(const struct weir_step *s)
{
    return s->channel ? CHANNEL : s->row ? ROW : ELEMENT;
}

static bool in_domain(const struct weir_body *b, enum domain domain, int d)
{
    return domain == ELEMENT || b->label[d] == WEIR_AXIS_KEPT ||
           (domain == CHANNEL && b->label[d] == WEIR_AXIS_ROW);
}

// Spreads strides over the axes of a domain to all axes.
static void spread(const struct weir_body *b, enum domain domain, const int64_t *some, int64_t *out)
{
    for (int d = 0, k = 0; d < b->space.rank; d++)
        out[d] = in_domain(b, domain, d) ? some[k++] : 0;
}

// Strides over the space of a tensor of `shape`.
static bool strides_of(const struct weir_body *b, const struct weir_shape *shape,
                       const int64_t *stride, enum domain domain, int64_t *out)
{
    struct weir_space space = { 0 };
    for (int d = 0; d < b->space.rank; d++)
        if (in_domain(b, domain, d))
            space.dim[space.rank++] = b->space.dim[d];
    struct weir_space fine = space;
    int64_t some[WEIR_SPACE_MAX];
    if (!weir_space_refine(&fine, shape) || fine.rank != space.rank)
        return false; // its axes are finer than the space's
    weir_space_strides(&space, shape, stride, some);
    spread(b, domain, some, out);
    return true;
}

static int append_access(struct weir_body *b, const struct weir_access *a)
{
    if (!weir_grow(b->c->scratch, (void **)&b->access, b->n_access, &b->cap_access, sizeof(*a))) {
        b->c->status = WEIR_NOMEM;
        return -1;
    }
    b->access[b->n_access] = *a;
    return b->n_access++;
}

static int add_access(struct weir_body *b, const struct weir_operand *o, bool written,
                      enum domain domain)
{
    struct weir_access a = { .operand = *o, .written = written };
    if (!strides_of(b, &o->shape, o->stride, domain, a.stride))
        return -1;
    for (int i = 0; i < b->n_access; i++) {
        const struct weir_access *x = &b->access[i];
        if (!x->index && !x->guarded && x->written == written && x->operand.slot == o->slot &&
            x->operand.offset == o->offset && x->operand.dtype == o->dtype &&
            memcmp(x->stride, a.stride, (size_t)b->space.rank * sizeof(a.stride[0])) == 0)
            return i;
    }
    return append_access(b, &a);
}

static int add_index(struct weir_body *b)
{
    for (int i = 0; i < b->n_access; i++)
        if (b->access[i].index)
            return i;
    if (!weir_grow(b->c->scratch, (void **)&b->access, b->n_access, &b->cap_access,
                   sizeof(*b->access))) {
        b->c->status = WEIR_NOMEM;
        return -1;
    }
    struct weir_access *a = &b->access[b->n_access];
    *a = (struct weir_access) { .index = true };
    int64_t step = 1;
    for (int d = b->space.rank - 1; d >= 0; d--) {
        a->stride[d] = step;
        step *= b->space.dim[d];
    }
    return b->n_access++;
}

static bool is_memory(void *ctx, const weir_value *v)
{
    return ((const struct weir_body *)ctx)->c->scope.has_memory[v->id];
}

// A row's value seen by all elements of the row: strides over the kept axes only.
static bool broadcasts_row(const struct weir_body *b, const struct weir_layout *l,
                           const struct weir_shape *shape)
{
    int64_t stride[WEIR_SPACE_MAX], rows[WEIR_SPACE_MAX], want[WEIR_SPACE_MAX], step = 1;
    for (int d = b->row_space.rank - 1; d >= 0; d--) {
        rows[d] = step;
        step *= b->row_space.dim[d];
    }
    spread(b, ROW, rows, want);
    if (l->offset != 0 || !strides_of(b, shape, l->stride, ELEMENT, stride))
        return false;
    for (int d = 0; d < b->space.rank; d++)
        if (b->space.dim[d] != 1 && stride[d] != want[d])
            return false;
    return true;
}

static bool aligned(const struct weir_layout *l, const struct weir_shape *shape)
{
    struct weir_operand o = { .shape = *shape };
    memcpy(o.stride, l->stride, (size_t)shape->rank * sizeof(o.stride[0]));
    return l->offset == 0 && weir_operand_contiguous(&o) &&
           weir_shape_size(shape) == weir_shape_size(&l->base->type.shape);
}

static bool resolve(struct weir_body *b, weir_value *x, bool row, struct weir_use *use)
{
    struct weir_layout l;
    weir_layout_of(x, is_memory, b, &l);
    int step = b->step_of[l.base->id];
    if (step >= 0) {
        bool row_value = b->step[step].row;
        if (b->step[step].channel)
            return false; // only stored
        *use = (struct weir_use) { row_value ? WEIR_USE_ROW : WEIR_USE_NODE, l.base->id, NULL };
        return row_value == row ? aligned(&l, &x->type.shape)
                                : row_value && broadcasts_row(b, &l, &x->type.shape);
    }
    if (l.base->op == &weir_op_constant && weir_shape_size(&l.base->type.shape) == 1) {
        *use = (struct weir_use) { WEIR_USE_LITERAL, 0, l.base };
        return true;
    }
    struct weir_operand o;
    weir_operand_of(b->c, x, &o);
    *use =
        (struct weir_use) { WEIR_USE_ACCESS, add_access(b, &o, false, row ? ROW : ELEMENT), NULL };
    return use->index >= 0;
}

// Keys of a random op as two operands of the result's shape, then step and first row as scalars.
static bool resolve_random(struct weir_body *b, struct weir_step *s, bool row)
{
    struct weir_operand seed;
    weir_operand_of(b->c, s->v->arg[0], &seed);
    int last = seed.shape.rank - 1;
    int64_t next = seed.stride[last];
    struct weir_operand key = { seed.slot, seed.dtype, s->v->type.shape, seed.offset, { 0 } };
    if (last == 1)
        key.stride[0] = seed.stride[0];
    for (int i = 0; i < 2; i++, key.offset += next)
        s->use[i] = (struct weir_use) { WEIR_USE_ACCESS,
                                        add_access(b, &key, false, row ? ROW : ELEMENT), NULL };
    for (int i = 1; i < 3; i++) {
        struct weir_operand o;
        weir_operand_of(b->c, s->v->arg[i], &o);
        o.shape = s->v->type.shape;
        memset(o.stride, 0, sizeof(o.stride));
        s->use[1 + i] = (struct weir_use) { WEIR_USE_ACCESS,
                                            add_access(b, &o, false, row ? ROW : ELEMENT), NULL };
    }
    s->n_use = 4;
    for (int i = 0; i < 4; i++)
        if (s->use[i].index < 0)
            return false;
    return true;
}

bool weir_is_gather(const weir_value *v)
{
    if (v->type.dtype == WEIR_BOOL)
        return false;
    if (v->op == &weir_op_concat)
        return v->arity <= WEIR_STEP_USES;
    if (v->op != &weir_op_pad)
        return false;
    for (int i = 0; i < v->type.shape.rank; i++)
        if (v->attrs.pad.interior[i] != 0)
            return false;
    return true;
}

// The range [lo, hi) of shape axes in the axes of the space; false where it cuts through a split
// axis.
static bool guard(const struct weir_body *b, const struct weir_shape *shape, const int64_t *lo,
                  const int64_t *hi, struct weir_access *a)
{
    int axis = shape->rank - 1;
    int64_t inside = 1, from = 0, to = 0;
    for (int d = b->space.rank - 1; d >= 0; d--) {
        while (axis >= 0 && shape->dim[axis] == inside) {
            axis--;
            inside = 1;
        }
        if (inside == 1) {
            from = lo[axis];
            to = hi[axis];
        }
        int64_t m = b->space.dim[d];
        inside *= m;
        if (inside == shape->dim[axis]) { // the outermost part of the axis
            a->lo[d] = from;
            a->hi[d] = to;
        } else if (from % m == 0 && to % m == 0) {
            a->lo[d] = 0;
            a->hi[d] = m;
            from /= m;
            to /= m;
        } else {
            return false;
        }
    }
    return true;
}

// One argument of a gather, whose elements lie at [lo, lo + its extent) of v's shape.
static bool gather_from(struct weir_body *b, struct weir_step *s, weir_value *x, const int64_t *lo)
{
    const struct weir_shape *shape = &s->v->type.shape;
    struct weir_access a = { .guarded = true };
    struct weir_layout l;
    int64_t hi[WEIR_MAX_RANK];
    weir_layout_of(x, is_memory, b, &l);
    if (b->step_of[l.base->id] >= 0)
        return false; // computed in this kernel, at other indices
    if (weir_shape_size(&x->type.shape) == 0)
        return true;
    weir_operand_of(b->c, x, &a.operand);
    for (int i = 0; i < shape->rank; i++) {
        hi[i] = lo[i] + x->type.shape.dim[i];
        a.shift += lo[i] * a.operand.stride[i];
    }
    if (!strides_of(b, shape, a.operand.stride, ELEMENT, a.stride) || !guard(b, shape, lo, hi, &a))
        return false;
    s->use[s->n_use] = (struct weir_use) { WEIR_USE_ACCESS, append_access(b, &a), NULL };
    return s->use[s->n_use++].index >= 0;
}

static bool resolve_gather(struct weir_body *b, struct weir_step *s)
{
    int64_t lo[WEIR_MAX_RANK] = { 0 };
    s->gather = true;
    if (s->v->op == &weir_op_pad)
        return gather_from(b, s, s->v->arg[0], s->v->attrs.pad.lo);
    for (int i = 0; i < s->v->arity; i++) {
        if (!gather_from(b, s, s->v->arg[i], lo))
            return false;
        lo[s->v->attrs.axis.axis] += s->v->arg[i]->type.shape.dim[s->v->attrs.axis.axis];
    }
    return true;
}

static int level_of(const struct weir_body *b, const struct weir_use *u)
{
    return u->kind == WEIR_USE_NODE || u->kind == WEIR_USE_ROW ? b->step[b->step_of[u->index]].level
                                                               : 0;
}

static int64_t domain_size(const struct weir_body *b, enum domain domain)
{
    int64_t n = 1;
    for (int d = 0; d < b->space.rank; d++)
        n *= in_domain(b, domain, d) ? b->space.dim[d] : 1;
    return n;
}

static bool add_step(struct weir_body *b, weir_value *v, int64_t size)
{
    struct weir_step *s = &b->step[b->n_steps];
    bool reduce = v->op->cls == WEIR_OP_REDUCE;
    *s = (struct weir_step) { .v = v, .store = -1, .flat = -1 };
    int64_t own = weir_shape_size(&v->type.shape);
    s->row = reduce || own != size;
    s->channel = reduce && own != domain_size(b, ROW);
    if (s->row && (!b->reduces || own != domain_size(b, domain_of(s))))
        return false;
    if (v->op->cls == WEIR_OP_GEN) {
        s->flat = add_index(b);
        if (s->flat < 0 || s->row || (v->arity > 0 && !resolve_random(b, s, s->row)))
            return false;
    } else if (weir_is_gather(v)) {
        if (s->row || !resolve_gather(b, s))
            return false;
    } else {
        s->n_use = v->arity;
        if (v->arity > WEIR_STEP_USES)
            return false;
        for (int i = 0; i < v->arity; i++) {
            if (!resolve(b, v->arg[i], s->row && !reduce, &s->use[i]))
                return false;
            int level = level_of(b, &s->use[i]) + reduce;
            s->level = level > s->level ? level : s->level;
        }
    }
    b->step_of[v->id] = b->n_steps++;
    return true;
}

static bool add_outputs(struct weir_body *b, weir_value **outputs, int n)
{
    for (int i = 0; i < n; i++) {
        struct weir_operand o;
        struct weir_step *s = &b->step[b->step_of[outputs[i]->id]];
        weir_result_of(b->c, outputs[i], 0, &o);
        s->store = add_access(b, &o, true, domain_of(s));
        if (s->store < 0)
            return false;
    }
    return true;
}

enum weir_status weir_body_init(struct weir_body *b, struct weir_emit_state *c, weir_value **nodes,
                                int n_nodes, weir_value **outputs, int n_outputs)
{
    memset(b, 0, sizeof(*b));
    b->c = c;
    b->step = weir_arena_array(c->scratch, (size_t)n_nodes + 1, sizeof(*b->step));
    b->step_of = c->scope.step_of;
    if (!b->step)
        return WEIR_NOMEM;
    for (int i = 0; i < c->scope.n_live; i++)
        b->step_of[i] = -1;
    if (!make_space(b, nodes, n_nodes))
        return WEIR_UNSUPPORTED;
    int64_t size = 1;
    for (int d = 0; d < b->space.rank; d++)
        size *= b->space.dim[d];
    if (size > INT32_MAX)
        return weir_fail(&c->log, WEIR_UNSUPPORTED, "%s: more than 2^31 elements in one tensor",
                         nodes[0]->op->name);
    for (int i = 0; i < n_nodes; i++)
        if (!add_step(b, nodes[i], size))
            return c->status != WEIR_OK ? c->status : WEIR_UNSUPPORTED;
    if (!add_outputs(b, outputs, n_outputs))
        return c->status != WEIR_OK ? c->status : WEIR_UNSUPPORTED;
    return WEIR_OK;
}

enum weir_status weir_body_init_copy(struct weir_body *b, struct weir_emit_state *c,
                                     const struct weir_operand *from, int to)
{
    static const struct weir_op copy = { .name = "copy", .cls = WEIR_OP_MAP, .arity = 1 };
    memset(b, 0, sizeof(*b));
    b->c = c;
    weir_value *v = weir_arena_alloc(c->scratch, sizeof(*v));
    b->step = weir_arena_alloc(c->scratch, sizeof(*b->step));
    b->step_of = c->scope.step_of;
    if (!v || !b->step)
        return WEIR_NOMEM;
    *v = (weir_value) { .op = &copy, .id = c->scope.n_live, .arity = 1,
                        .type = { from->dtype, from->shape } };
    b->space = (struct weir_space) { 1, { weir_shape_size(&from->shape) } };
    if (!weir_space_refine(&b->space, &from->shape))
        return WEIR_UNSUPPORTED;
    struct weir_operand dst = { to, from->dtype, from->shape, 0, { 0 } };
    weir_strides(&from->shape, dst.stride);
    *b->step = (struct weir_step) { .v = v, .n_use = 1, .flat = -1 };
    b->step->use[0] =
        (struct weir_use) { WEIR_USE_ACCESS, add_access(b, from, false, ELEMENT), NULL };
    b->step->store = add_access(b, &dst, true, ELEMENT);
    b->n_steps = 1;
    return c->status;
}

void weir_body_want(const struct weir_body *b, const struct weir_step *s, bool *want)
{
    want[s - b->step] = true;
    if (s == b->kept.step && b->phase == b->kept.from)
        return;
    for (int i = 0; i < s->n_use; i++)
        if (s->use[i].kind == WEIR_USE_NODE)
            weir_body_want(b, &b->step[b->step_of[s->use[i].index]], want);
}

static int innermost_column(const struct weir_body *b)
{
    for (int d = b->space.rank - 1; d >= 0; d--)
        if (b->label[d] >= WEIR_AXIS_COLUMN)
            return b->label[d];
    return -1;
}

// A row-major access over the axes without `label`; all axes where label is -1.
static int add_plain(struct weir_body *b, enum weir_dtype dtype, int slot, int label, bool written)
{
    struct weir_operand o = { .slot = slot, .dtype = dtype, .shape = { 1, { 1 } } };
    int64_t stride[WEIR_SPACE_MAX] = { 0 }, n = 1;
    for (int d = b->space.rank - 1; d >= 0; d--) {
        if (b->label[d] == label)
            continue;
        stride[d] = n;
        n *= b->space.dim[d];
    }
    o.shape.dim[0] = n;
    o.stride[0] = 1;
    if (!weir_grow(b->c->scratch, (void **)&b->access, b->n_access, &b->cap_access,
                   sizeof(*b->access))) {
        b->c->status = WEIR_NOMEM;
        return -1;
    }
    b->access[b->n_access] = (struct weir_access) { .operand = o, .written = written };
    memcpy(b->access[b->n_access].stride, stride, sizeof(stride));
    return b->n_access++;
}

int weir_body_column_result(struct weir_body *b, enum weir_dtype dtype, int slot)
{
    return add_plain(b, dtype, slot, innermost_column(b), true);
}

int weir_body_row_result(struct weir_body *b, weir_value *v, int slot)
{
    struct weir_step *s = &b->step[b->step_of[v->id]];
    s->store = add_plain(b, v->type.dtype, slot, WEIR_AXIS_ROW, true);
    return s->store;
}

static enum weir_status init_single(struct weir_body *b, struct weir_emit_state *c, weir_value *v,
                                    int slot)
{
    b->c = c;
    b->reduces = true;
    b->step = weir_arena_alloc(c->scratch, sizeof(*b->step));
    b->step_of = c->scope.step_of;
    if (!b->step)
        return WEIR_NOMEM;
    for (int i = 0; i < c->scope.n_live; i++)
        b->step_of[i] = -1;
    b->step_of[v->id] = 0;
    b->n_steps = 1;
    int access = add_plain(b, v->arg[0]->type.dtype, slot, -1, false);
    *b->step = (struct weir_step) { .v = v, .n_use = 1, .store = -1, .flat = -1, .level = 1,
                                    .row = true };
    b->step->use[0] = (struct weir_use) { WEIR_USE_ACCESS, access, NULL };
    return c->status;
}

enum weir_status weir_body_init_runs(struct weir_body *b, const struct weir_body *before,
                                     weir_value *v, int64_t runs, int slot)
{
    int done = innermost_column(before);
    bool seen = runs == 1;
    memset(b, 0, sizeof(*b));
    for (int d = 0; d < before->space.rank; d++) {
        bool column = before->label[d] == done;
        if (column && seen)
            continue;
        seen |= column;
        b->label[b->space.rank] = before->label[d];
        b->space.dim[b->space.rank++] = column ? runs : before->space.dim[d];
    }
    return init_single(b, before->c, v, slot);
}

enum weir_status weir_body_init_rest(struct weir_body *b, const struct weir_body *before,
                                     weir_value *v, int slot)
{
    return weir_body_init_runs(b, before, v, 1, slot);
}

enum weir_status weir_body_init_rows(struct weir_body *b, struct weir_emit_state *c, weir_value *v,
                                     int64_t rows, int64_t n, int slot)
{
    memset(b, 0, sizeof(*b));
    b->space = (struct weir_space) { 2, { rows, n } };
    b->label[1] = WEIR_AXIS_ROW;
    return init_single(b, c, v, slot);
}

int weir_body_plain_result(struct weir_body *b, enum weir_dtype dtype, int slot)
{
    int access = add_plain(b, dtype, slot, -1, true);
    if (access >= 0)
        memset(b->access[access].stride, 0, sizeof(b->access[access].stride));
    return access;
}

enum weir_status weir_body_init_plain(struct weir_body *b, struct weir_emit_state *c, weir_value *v,
                                      int slot)
{
    memset(b, 0, sizeof(*b));
    b->c = c;
    if (!make_space(b, &v, 1))
        return WEIR_UNSUPPORTED;
    return init_single(b, c, v, slot);
}

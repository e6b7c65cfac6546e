// SPDX-License-Identifier: Apache-2.0
// Leaves (input, constant, state), assignment to a state, and the k-th part of a result with
// several.
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "graph/ops/rows.h"

static const char *infer_leaf(weir_value *v)
{
    return NULL; // the type was checked and is set by make_leaf
}

const struct weir_op weir_op_input = {
    .name = "input", .desc = "data given at each run", .cls = WEIR_OP_LEAF, .infer = infer_leaf };
const struct weir_op weir_op_constant = {
    .name = "constant", .desc = "data folded into the program", .cls = WEIR_OP_LEAF,
    .infer = infer_leaf };
const struct weir_op weir_op_state = {
    .name = "state", .desc = "a device buffer shared by programs, as before the run",
    .cls = WEIR_OP_LEAF, .infer = infer_leaf };

static bool shape_ok(const struct weir_shape *s)
{
    if (s->rank < 0 || s->rank > WEIR_MAX_RANK)
        return false;
    int64_t n = 1;
    for (int i = 0; i < s->rank; i++) {
        if (s->dim[i] < 0 || (s->dim[i] > 0 && n > INT64_MAX / 16 / s->dim[i]))
            return false;
        n *= s->dim[i] > 0 ? s->dim[i] : 1;
    }
    return true;
}

static weir_value *make_leaf(weir_graph *g, const struct weir_op *op, enum weir_dtype dtype,
                             const struct weir_shape *shape, const union weir_attrs *attrs)
{
    if (!g)
        return NULL;
    if ((unsigned)dtype >= WEIR_N_DTYPES)
        return weir_graph_fail(g, "%s: unknown dtype %d", op->name, (int)dtype);
    if (!shape_ok(shape)) {
        char text[160];
        return weir_graph_fail(g, "%s: bad shape %s", op->name,
                               weir_shape_text(shape, text, sizeof(text)));
    }
    weir_value *v = weir_op_make(g, op, NULL, 0, attrs);
    if (!weir_is_poison(v)) {
        v->type.dtype = dtype;
        v->type.shape.rank =
            shape->rank; // entries beyond the rank stay 0: types compare with memcmp
        memcpy(v->type.shape.dim, shape->dim, (size_t)shape->rank * sizeof(shape->dim[0]));
    }
    return v;
}

// In the root, also from the body of a loop, which captures it.
static weir_value *make_outside(weir_graph *root, const struct weir_op *op, enum weir_dtype dtype,
                                const struct weir_shape *shape, const union weir_attrs *attrs)
{
    weir_graph *open = root->open;
    root->open = root;
    weir_value *v = make_leaf(root, op, dtype, shape, attrs);
    root->open = open;
    return v;
}

weir_value *weir_input(weir_graph *g, enum weir_dtype dtype, struct weir_shape shape,
                       const char *name)
{
    if (!g)
        return NULL;
    g = g->root;
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.input.index = g->n_inputs;
    weir_value *v = make_outside(g, &weir_op_input, dtype, &shape, &attrs);
    if (weir_is_poison(v))
        return v;
    g->n_inputs++;
    return weir_name(v, name);
}

weir_value *weir_constant(weir_graph *g, enum weir_dtype dtype, struct weir_shape shape,
                          const void *data)
{
    if (!g)
        return NULL;
    if ((unsigned)dtype >= WEIR_N_DTYPES || !shape_ok(&shape))
        return make_leaf(g, &weir_op_constant, dtype, &shape, NULL); // fails with its message
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.constant.size = (size_t)weir_shape_size(&shape) * weir_dtype_size(dtype);
    if (!data && attrs.constant.size > 0)
        return weir_graph_fail(g, "constant: data is NULL");
    attrs.constant.data = attrs.constant.size > 0
        ? weir_arena_memdup(g->arena, data, attrs.constant.size)
        : weir_arena_alloc(g->arena, 0);
    if (!attrs.constant.data)
        return weir_graph_fail(g, "constant: no memory for %zu bytes", attrs.constant.size);
    return make_leaf(g, &weir_op_constant, dtype, &shape, &attrs);
}

weir_value *weir_f32(weir_graph *g, double value)
{
    float f = (float)value;
    weir_value *v = weir_constant(g, WEIR_F32, weir_scalar_shape, &f);
    if (v && v->op == &weir_op_constant) {
        v->attrs.constant.exact = value;
        v->attrs.constant.has_exact = true;
    }
    return v;
}

weir_value *weir_i32(weir_graph *g, int32_t value)
{
    return weir_constant(g, WEIR_I32, weir_scalar_shape, &value);
}

weir_value *weir_u32(weir_graph *g, uint32_t value)
{
    return weir_constant(g, WEIR_U32, weir_scalar_shape, &value);
}

weir_value *weir_state_value(weir_graph *g, weir_state *state)
{
    if (!g)
        return NULL;
    if (!state)
        return weir_graph_fail(g, "state: NULL");
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.state.state = state;
    g = g->root;
    for (int i = 0; i < g->n_values; i++) // one node a state: reads are all of the same moment
        if (g->values[i]->op == &weir_op_state && g->values[i]->attrs.state.state == state)
            return g->values[i];
    weir_value *v =
        make_outside(g, &weir_op_state, weir_state_dtype(state), weir_state_shape(state), &attrs);
    return weir_name(v, weir_state_name(state));
}

static const char *infer_assign(weir_value *v)
{
    v->type = v->arg[0]->type;
    if (v->type.dtype != weir_state_dtype(v->attrs.state.state))
        return "the state has another dtype";
    if (!weir_shape_equal(&v->type.shape, weir_state_shape(v->attrs.state.state)))
        return "the state has another shape";
    return NULL;
}

const struct weir_op weir_op_assign = {
    .name = "assign", .desc = "state := argument after all reads of the run", .arity = 1,
    .cls = WEIR_OP_ASSIGN, .infer = infer_assign };

void weir_assign(weir_state *state, weir_value *value)
{
    if (weir_is_poison(value))
        return;
    weir_graph *g = value->graph->root;
    if (g->open != g) {
        weir_graph_fail(g, "assign: not in the body of a loop");
        return;
    }
    if (!state) {
        weir_graph_fail(g, "assign: the state is NULL");
        return;
    }
    for (int i = 0; i < g->n_assigns; i++)
        if (g->assigns[i]->attrs.state.state == state) {
            weir_graph_fail(g, "assign: state %s is assigned twice", weir_state_name(state));
            return;
        }
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.state.state = state;
    weir_value *v = weir_op_make(g, &weir_op_assign, &value, 1, &attrs);
    if (weir_is_poison(v))
        return;
    if (g->n_assigns == g->cap_assigns) {
        int cap = g->cap_assigns ? 2 * g->cap_assigns : 64;
        weir_value **assigns = realloc(g->assigns, (size_t)cap * sizeof(*assigns));
        if (!assigns) {
            weir_graph_fail(g, "assign: no memory");
            return;
        }
        g->assigns = assigns;
        g->cap_assigns = cap;
    }
    g->assigns[g->n_assigns++] = v;
}

const struct weir_op weir_op_param = {
    .name = "param", .desc = "what an iteration of a loop is given", .cls = WEIR_OP_LEAF,
    .infer = infer_leaf };

static const char *infer_part(weir_value *v)
{
    const weir_value *x = v->arg[0];
    if (v->attrs.part.index < 0 || v->attrs.part.index >= x->n_parts)
        return "no such part";
    v->type = x->parts ? x->parts[v->attrs.part.index] : x->type;
    return NULL;
}

const struct weir_op weir_op_part = {
    .name = "part", .desc = "one result of an operation with several", .arity = 1,
    .cls = WEIR_OP_PART, .infer = infer_part };

weir_value *weir_part(weir_value *v, int k)
{
    bool only = v && v->op->cls != WEIR_OP_LOOP && v->n_parts == 1 && k == 0;
    if (weir_is_poison(v) || only)
        return v;
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.part.index = k;
    weir_graph *root = v->graph->root, *open = root->open;
    root->open = v->graph; // a body captures the part, not all of v
    weir_value *part = weir_op_make(NULL, &weir_op_part, &v, 1, &attrs);
    root->open = open;
    return part;
}

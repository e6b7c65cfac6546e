// SPDX-License-Identifier: Apache-2.0
// Values made from the index of an element: iota and the counter-based random words and normals.
#include <stdio.h>
#include <string.h>

#include "base/hash.h"
#include "graph/nest.h"
#include "graph/ops/rows.h"

WEIR_NEST_DECLARE(iota)
WEIR_NEST_DECLARE(random_bits)
WEIR_NEST_DECLARE(random_normal)

weir_value *weir_iota(weir_graph *g, enum weir_dtype dtype, struct weir_shape shape, int axis)
{
    if (!g)
        return NULL;
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.gen.shape = shape;
    attrs.gen.dtype = dtype;
    attrs.gen.axis = axis < 0 ? axis + shape.rank : axis;
    return weir_op_make(g, &weir_op_iota, NULL, 0, &attrs);
}

static void take_shape(weir_value *v)
{
    const struct weir_shape *s = &v->attrs.gen.shape;
    v->type.shape.rank = s->rank;
    for (int i = 0; i < s->rank && i < WEIR_MAX_RANK; i++)
        v->type.shape.dim[i] = s->dim[i];
}

static const char *infer_iota(weir_value *v)
{
    enum weir_dtype t = v->attrs.gen.dtype;
    take_shape(v);
    v->type.dtype = t;
    if (t != WEIR_F32 && t != WEIR_I32 && t != WEIR_U32)
        return "only f32, i32 or u32";
    if (v->attrs.gen.axis < 0 || v->attrs.gen.axis >= v->type.shape.rank)
        return "no such axis";
    return NULL;
}

static weir_value *build_iota(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    static const enum weir_dtype dtypes[] = { WEIR_F32, WEIR_I32, WEIR_U32 };
    return weir_iota(g, dtypes[c->p[0] % 3], weir_shape(3, c->p[1], 5), (int)(c->p[0] / 3));
}

static bool cases_iota(int idx, struct weir_op_case *c)
{
    if (idx >= 9)
        return false;
    c->build = build_iota;
    c->p[0] = idx;
    c->p[1] = idx == 8 ? 0 : 37;
    c->no_grad = true;
    snprintf(c->label, sizeof(c->label), "axis %d", idx / 3);
    return true;
}

const struct weir_op weir_op_iota = {
    .name = "iota", .desc = "an element's index along an axis", .arity = 0, .cls = WEIR_OP_GEN,
    .scalar = "iota", .instructions = 1, .infer = infer_iota, .host = WEIR_NESTS(iota),
    .cases = cases_iota };

static weir_value *make_random(const struct weir_op *op, weir_value *seed, weir_value *step,
                               weir_value *row0, const struct weir_shape *shape, const char *stream)
{
    weir_value *arg[] = { seed, step, row0 };
    union weir_attrs attrs;
    memset(&attrs, 0, sizeof(attrs));
    attrs.gen.shape = *shape;
    attrs.gen.stream = weir_hash32(stream ? stream : "");
    attrs.gen.per_row = !weir_is_poison(seed) && seed->type.shape.rank == 2;
    return weir_op_make(NULL, op, arg, 3, &attrs);
}

weir_value *weir_random_bits(weir_value *seed, weir_value *step, weir_value *row0,
                             struct weir_shape shape, const char *stream)
{
    return make_random(&weir_op_random_bits, seed, step, row0, &shape, stream);
}

weir_value *weir_random_normal(weir_value *seed, weir_value *step, weir_value *row0,
                               struct weir_shape shape, const char *stream)
{
    return make_random(&weir_op_random_normal, seed, step, row0, &shape, stream);
}

weir_value *weir_random_uniform(weir_value *seed, weir_value *step, weir_value *row0,
                                struct weir_shape shape, const char *stream)
{
    weir_value *bits = weir_random_bits(seed, step, row0, shape, stream);
    if (weir_is_poison(bits))
        return bits;
    weir_value *top = weir_shr(bits, weir_u32(bits->graph, 8));
    return weir_mul_c(weir_cast(top, WEIR_F32), 0x1p-24);
}

static const char *infer_random(weir_value *v)
{
    const struct weir_type *seed = &v->arg[0]->type;
    take_shape(v);
    v->type.dtype = v->op == &weir_op_random_bits ? WEIR_U32 : WEIR_F32;
    for (int i = 0; i < 3; i++)
        if (v->arg[i]->type.dtype != WEIR_U32 || (i > 0 && v->arg[i]->type.shape.rank != 0))
            return "seed, step and row0 must be u32, step and row0 scalars";
    const struct weir_shape *s = &seed->shape;
    if (s->rank == 1 && s->dim[0] == 2)
        return NULL;
    if (s->rank == 2 && s->dim[1] == 2 && v->type.shape.rank > 0 &&
        s->dim[0] == v->type.shape.dim[0])
        return NULL;
    return "seed must be (2) or (rows, 2)";
}

static weir_value *build_random(weir_graph *g, weir_value *const *in, const struct weir_op_case *c)
{
    struct weir_shape shape = { .rank = (int)c->p[1], .dim = { c->p[2], c->p[3], c->p[4] } };
    return (c->p[0] ? weir_random_normal : weir_random_bits)(in[0], in[1], in[2], shape, "test");
}

static bool random_case(int idx, struct weir_op_case *c, bool normal)
{
    static const int64_t shapes[][4] = { { 0 }, { 1, 5 }, { 2, 3, 131 }, { 3, 7, 2, 3 },
                                         { 2, 0, 4 }, { 2, 4, 1024 }, { 2, 5, 67 },
                                         { 2, 5, 80 }, { 2, 3, 5008 }, { 2, 5, 80 } };
    if (idx >= 10)
        return false;
    c->build = build_random;
    c->p[0] = normal;
    for (int i = 0; i < 4; i++)
        c->p[1 + i] = shapes[idx][i];
    c->no_grad = true;
    bool per_row = idx == 6 || idx == 7;
    snprintf(c->label, sizeof(c->label), "shape %d%s", idx, per_row ? ", a seed per row" : "");
    weir_case_input(c, WEIR_U32, WEIR_FILL_NORMAL, per_row ? weir_dims(5, 2) : weir_dims(2));
    weir_case_input(c, WEIR_U32, WEIR_FILL_NORMAL, weir_dims(-1));
    weir_case_input(c, WEIR_U32, WEIR_FILL_NORMAL, weir_dims(-1));
    return true;
}

static bool cases_bits(int idx, struct weir_op_case *c)
{
    return random_case(idx, c, false);
}

static bool cases_normal(int idx, struct weir_op_case *c)
{
    return random_case(idx, c, true);
}

const struct weir_op weir_op_random_bits = {
    .name = "random_bits", .desc = "Philox words by (element, row, step, stream)", .arity = 3,
    .cls = WEIR_OP_GEN, .scalar = "random_word", .instructions = 21, .infer = infer_random,
    .host = WEIR_NESTS(random_bits), .cases = cases_bits };
const struct weir_op weir_op_random_normal = {
    .name = "random_normal", .desc = "standard normals by Box-Muller on those words", .arity = 3,
    .cls = WEIR_OP_GEN, .scalar = "random_normal", .instructions = 79, .infer = infer_random,
    .host = WEIR_NESTS(random_normal), .cases = cases_normal };

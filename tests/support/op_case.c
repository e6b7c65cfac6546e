// SPDX-License-Identifier: Apache-2.0
// Fills and builds the cases of op rows (op_case.h).
#include "support/op_case.h"

#include <math.h>
#include <scalar.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/hash.h"
#include "support/support.h"

bool test_is_real(enum weir_dtype t)
{
    return t == WEIR_F32 || t == WEIR_F16 || t == WEIR_BF16;
}

static double unit(uint64_t *s)
{
    return ((double)(test_next(s) >> 11) + 0.5) * 0x1p-53;
}

static double normal(uint64_t *s)
{
    double r = sqrt(-2.0 * log(unit(s)));
    return r * cos(6.283185307179586 * unit(s));
}

static float extreme(uint64_t *s)
{
    static const uint32_t edges[] = {
        0x00000000u, 0x80000000u, 0x00000001u, 0x80000001u, 0x007fffffu, 0x807fffffu, 0x00800000u,
        0x80800000u, 0x3f800000u, 0xbf800000u, 0x3f7fffffu, 0x3f800001u, 0x7f7fffffu, 0xff7fffffu,
        0x7f800000u, 0xff800000u, 0x7fc00000u, 0x4b000000u, 0x4f000000u, 0xcf000000u, 0x5f000000u,
        0x3f000000u, 0x40490fdbu, 0x42b17218u, 0xc2aeac50u, 0x33800000u};
    uint64_t r = test_next(s);
    if (r % 4 == 0) // any bits
        return weir_as_f((uint32_t)(r >> 32));
    if (r % 4 == 1)
        return weir_as_f(edges[(r >> 32) % WEIR_COUNT(edges)]);
    return (float)normal(s);
}

static float fill_float(enum weir_fill fill, uint64_t *s)
{
    switch (fill) {
    case WEIR_FILL_UNIT:
        return (float)(0.001 + 0.998 * unit(s));
    case WEIR_FILL_POSITIVE:
        return (float)exp(normal(s));
    case WEIR_FILL_EXTREME:
        return extreme(s);
    case WEIR_FILL_INTS:
        return (float)((int)(test_next(s) % 17) - 8);
    default:
        return (float)normal(s);
    }
}

static uint32_t fill_int(const struct weir_op_case *c, enum weir_fill fill, enum weir_dtype t,
                         uint64_t *s)
{
    static const uint32_t edges[] = {0, 1, 0xffffffffu, 0x7fffffffu, 0x80000000u, 31, 32, 33};
    uint64_t r = test_next(s);
    if (fill == WEIR_FILL_INDEX)
        return (uint32_t)((int64_t)(r % (uint64_t)(c->index_range + 4)) - 2);
    if (fill == WEIR_FILL_INTS)
        return (uint32_t)((int)(r % 17) - 8);
    if (fill == WEIR_FILL_EXTREME && r % 2)
        return edges[(r >> 32) % WEIR_COUNT(edges)];
    if (fill == WEIR_FILL_EXTREME || (t == WEIR_U32 && r % 4 == 0))
        return (uint32_t)(r >> 32);
    int small = (int)(r >> 32 & 63);
    return (uint32_t)(t == WEIR_U32 || fill == WEIR_FILL_POSITIVE ? small : small - 32);
}

static void fill_one(struct test_op_case *t, int i, int64_t k, uint64_t *s)
{
    const struct weir_op_case *c = &t->c;
    enum weir_dtype type = c->in[i].dtype;
    void *data = t->data[i];
    double *wide = t->data64[i];
    if (test_is_real(type)) {
        float x = fill_float(c->fill[i], s);
        if (type == WEIR_F32)
            ((float *)data)[k] = x;
        else if (type == WEIR_F16)
            x = weir_f16_to_f32(((uint16_t *)data)[k] = weir_f32_to_f16(x));
        else
            x = weir_bf16_to_f32(((uint16_t *)data)[k] = weir_f32_to_bf16(x));
        wide[k] = x;
    } else if (type == WEIR_BOOL) {
        ((uint8_t *)data)[k] = test_next(s) >> 40 & 1;
    } else if (type == WEIR_I8) {
        ((int8_t *)data)[k] = (int8_t)fill_int(c, c->fill[i], type, s);
    } else {
        ((uint32_t *)data)[k] = fill_int(c, c->fill[i], type, s);
    }
}

static void fill_input(struct test_op_case *t, int i)
{
    uint64_t seed = weir_hash64(t->op->name, strlen(t->op->name), (uint64_t)(t->idx * 8 + i));
    int64_t n = weir_shape_size(&t->c.in[i].shape);
    bool real = test_is_real(t->c.in[i].dtype);
    t->data[i] = calloc((size_t)n + 1, weir_dtype_size(t->c.in[i].dtype));
    t->data64[i] = real ? calloc((size_t)n + 1, sizeof(double)) : t->data[i];
    ck_assert(t->data[i] && t->data64[i]);
    for (int64_t k = 0; k < n; k++)
        fill_one(t, i, k, &seed);
    t->leaves[i] = (struct weir_eval_leaf){t->in[i], t->data[i]};
    t->leaves64[i] = (struct weir_eval_leaf){t->in[i], t->data64[i]};
}

bool test_op_case_make_in(const struct weir_op *op, int idx, weir_graph *g, struct test_op_case *t)
{
    memset(t, 0, sizeof(*t));
    t->op = op;
    t->idx = idx;
    if (!op->cases(idx, &t->c))
        return false;
    t->g = g;
    t->own_graph = !g;
    if (!g)
        ck_assert_int_eq(weir_graph_create(&test_log, &t->g), WEIR_OK);
    for (int i = 0; i < t->c.n_in; i++) {
        char name[8];
        snprintf(name, sizeof(name), "in%d", i);
        t->in[i] = weir_input(t->g, t->c.in[i].dtype, t->c.in[i].shape, name);
        fill_input(t, i);
    }
    t->out = t->c.build(t->g, t->in, &t->c);
    ck_assert_msg(!weir_is_poison(t->out), "%s, case %d (%s): %s", op->name, idx, t->c.label,
                  weir_graph_message(t->g));
    return true;
}

bool test_op_case_make(const struct weir_op *op, int idx, struct test_op_case *t)
{
    return test_op_case_make_in(op, idx, NULL, t);
}

void test_op_case_free(struct test_op_case *t)
{
    for (int i = 0; i < t->c.n_in; i++) {
        if (t->data64[i] != t->data[i])
            free(t->data64[i]);
        free(t->data[i]);
    }
    if (t->own_graph)
        weir_graph_destroy(&t->g);
}

static bool is_nan(enum weir_dtype t, const void *data, int64_t i)
{
    if (t == WEIR_F32)
        return (((const uint32_t *)data)[i] & 0x7fffffffu) > 0x7f800000u;
    if (t == WEIR_F16)
        return (((const uint16_t *)data)[i] & 0x7fff) > 0x7c00;
    return t == WEIR_BF16 && (((const uint16_t *)data)[i] & 0x7fff) > 0x7f80;
}

int64_t test_first_difference(enum weir_dtype t, const void *a, const void *b, int64_t n,
                              char *text, size_t text_size)
{
    size_t size = weir_dtype_size(t);
    for (int64_t i = 0; i < n; i++) {
        const unsigned char *x = (const unsigned char *)a + (size_t)i * size;
        const unsigned char *y = (const unsigned char *)b + (size_t)i * size;
        if (memcmp(x, y, size) == 0 || (is_nan(t, a, i) && is_nan(t, b, i)))
            continue;
        if (t == WEIR_F32)
            snprintf(text, text_size, "%.9g (%a) and %.9g (%a)", ((const float *)a)[i],
                     ((const float *)a)[i], ((const float *)b)[i], ((const float *)b)[i]);
        else
            snprintf(text, text_size, "0x%02x%02x.. and 0x%02x%02x.. (%zu bytes)", x[0],
                     size > 1 ? x[1] : 0, y[0], size > 1 ? y[1] : 0, size);
        return i;
    }
    return -1;
}

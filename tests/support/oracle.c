// SPDX-License-Identifier: Apache-2.0
// See oracle.h.
#include "oracle.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double test_uniform(uint64_t *state)
{
    return ((double)(test_next(state) >> 12) + 0.5) * 0x1p-52;
}

double test_normal(uint64_t *state)
{
    double u = test_uniform(state), v = test_uniform(state);
    return sqrt(-2.0 * log(u)) * cos(6.283185307179586 * v);
}

static double draw_float(enum weir_fill fill, uint64_t *state)
{
    switch (fill) {
    case WEIR_FILL_UNIT:
        return test_uniform(state);
    case WEIR_FILL_POSITIVE:
        return exp(test_normal(state));
    case WEIR_FILL_INTS:
        return (double)(int)(test_next(state) % 17) - 8.0;
    default:
        return test_normal(state);
    }
}

static int32_t draw_int(enum weir_fill fill, int64_t range, uint64_t *state)
{
    if (fill == WEIR_FILL_INDEX)
        return (int32_t)(test_next(state) % (uint64_t)(range + 4)) - 2;
    return (int32_t)(test_next(state) % 17) - 8;
}

static void *fill_input(const struct weir_type *t, enum weir_fill fill, int64_t range,
                        uint64_t *state)
{
    int64_t n = weir_shape_size(&t->shape);
    void *data = calloc((size_t)n + 1, 8);
    ck_assert_ptr_nonnull(data);
    for (int64_t i = 0; i < n; i++) {
        if (t->dtype == WEIR_F32 || t->dtype == WEIR_F16 || t->dtype == WEIR_BF16)
            ((double *)data)[i] = draw_float(fill, state);
        else if (t->dtype == WEIR_BOOL)
            ((uint8_t *)data)[i] = test_next(state) & 1;
        else if (t->dtype == WEIR_I8)
            ((int8_t *)data)[i] = (int8_t)draw_int(fill, range, state);
        else
            ((int32_t *)data)[i] = draw_int(fill, range, state);
    }
    return data;
}

void oracle_init(struct oracle *o, const struct weir_op_case *c, uint64_t seed)
{
    memset(o, 0, sizeof(*o));
    o->c = *c;
    test_ok(weir_graph_create(&test_log, &o->g));
    for (int i = 0; i < c->n_in; i++) {
        o->in[i] = weir_input(o->g, c->in[i].dtype, c->in[i].shape, NULL);
        o->data[i] = fill_input(&c->in[i], c->fill[i], c->index_range, &seed);
    }
    o->n = c->n_in;
}

weir_value *oracle_input(struct oracle *o, struct weir_shape shape, uint64_t *seed)
{
    struct weir_type t = {.dtype = WEIR_F32, .shape = shape};
    ck_assert_int_lt(o->n, (int)WEIR_COUNT(o->in));
    o->in[o->n] = weir_input(o->g, WEIR_F32, shape, NULL);
    o->data[o->n] = fill_input(&t, WEIR_FILL_NORMAL, 0, seed);
    return o->in[o->n++];
}

void oracle_finish(struct oracle *o)
{
    for (int i = 0; i < o->n; i++)
        free(o->data[i]);
    weir_graph_destroy(&o->g);
}

double *oracle_eval(struct oracle *o, weir_value *v)
{
    struct weir_eval_leaf leaves[WEIR_COUNT(o->in)];
    for (int i = 0; i < o->n; i++)
        leaves[i] = (struct weir_eval_leaf){o->in[i], o->data[i]};
    ck_assert_msg(!weir_is_poison(v), "%s: %s", o->c.label, weir_graph_message(o->g));
    double *out = calloc((size_t)weir_shape_size(&v->type.shape) + 1, sizeof(*out));
    ck_assert_ptr_nonnull(out);
    enum weir_status status = weir_eval(&v, 1, WEIR_ISA_F64, 1, leaves, o->n, (void *[]){out});
    ck_assert_msg(status == WEIR_OK, "%s: %s; %s", o->c.label, weir_status_name(status),
                  test_log_text());
    return out;
}

bool oracle_is_float(const weir_value *v)
{
    return v->type.dtype == WEIR_F32;
}

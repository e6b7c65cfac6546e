// SPDX-License-Identifier: Apache-2.0
// Loop nests of indexed moves. A tensor is seen as (outer, n, inner) around the axis; m indices
// select along it. "along" forms have an index for every (outer, inner). Reads clamp their index,
// writes drop what is out of range; writes happen in index order, so the last one stays and sums
// are in order.
#include "graph/ops/nest_iter.h"

struct span {
    int64_t outer, n, inner, m;
    bool along;
};

static struct span span_of(const struct weir_nest_call *c)
{
    const struct weir_nd *x = &c->in[0], *idx = &c->in[1];
    struct span s = {1, x->dim[c->attrs.axis.axis], 1, nest_count(idx), c->attrs.axis.along};
    for (int a = 0; a < x->rank; a++) {
        s.outer *= a < c->attrs.axis.axis ? x->dim[a] : 1;
        s.inner *= a > c->attrs.axis.axis ? x->dim[a] : 1;
    }
    if (s.along)
        s.m = idx->dim[c->attrs.axis.axis];
    return s;
}

static inline int64_t clamp(int64_t i, int64_t hi)
{
    return i < 0 ? 0 : i > hi ? hi : i;
}

WEIR_NEST(take)
{
    const struct weir_nest_call *c = desc;
    const struct span s = span_of(c);
    const size_t size = nest_elem_size(c->in[0].dtype), row = (size_t)s.inner * size;
    const int32_t *idx = ptr[1];
#pragma omp parallel for num_threads(nest_threads(c, s.outer *s.m *s.inner))
    for (int64_t t = 0; t < s.outer * s.m; t++) {
        int64_t from = t / s.m * s.n + clamp(idx[t % s.m], s.n - 1);
        memcpy((char *)ptr[2] + (size_t)t * row, (const char *)ptr[0] + (size_t)from * row, row);
    }
}

WEIR_NEST(take_along)
{
    const struct weir_nest_call *c = desc;
    const struct span s = span_of(c);
    const size_t size = nest_elem_size(c->in[0].dtype);
    const int32_t *idx = ptr[1];
#pragma omp parallel for num_threads(nest_threads(c, s.outer *s.m *s.inner))
    for (int64_t t = 0; t < s.outer * s.m; t++)
        for (int64_t i = 0; i < s.inner; i++) {
            int64_t to = t * s.inner + i;
            int64_t from = (t / s.m * s.n + clamp(idx[to], s.n - 1)) * s.inner + i;
            memcpy((char *)ptr[2] + (size_t)to * size, (const char *)ptr[0] + (size_t)from * size,
                   size);
        }
}

enum update { STORE, ADD_REAL, ADD_INT };

// dst (inner) := or += src (inner).
static void update_row(enum update how, char *dst, const char *src, int64_t inner, size_t size)
{
    if (how == STORE)
        memcpy(dst, src, (size_t)inner * size);
    else if (how == ADD_REAL)
        for (int64_t i = 0; i < inner; i++)
            ((weir_real *)(void *)dst)[i] += ((const weir_real *)(const void *)src)[i];
    else
        for (int64_t i = 0; i < inner; i++)
            ((uint32_t *)(void *)dst)[i] += ((const uint32_t *)(const void *)src)[i];
}

static void scatter(const struct weir_nest_call *c, void *const *ptr, enum update how)
{
    const struct span s = span_of(c);
    const size_t size = nest_elem_size(c->in[0].dtype), slab = (size_t)(s.n * s.inner) * size;
    const int64_t step = s.along ? 1 : s.inner; // elements that share an index
    const int32_t *index = ptr[1];
#pragma omp parallel for num_threads(nest_threads(c, nest_count(&c->in[0]) + nest_count(&c->in[2])))
    for (int64_t o = 0; o < s.outer; o++) {
        char *dst = (char *)ptr[3] + (size_t)o * slab;
        const char *src = (const char *)ptr[2] + (size_t)(o * s.m * s.inner) * size;
        memcpy(dst, (const char *)ptr[0] + (size_t)o * slab, slab);
        for (int64_t j = 0; j < s.m; j++)
            for (int64_t i = 0; i < s.inner; i += step) {
                int64_t to = s.along ? index[(o * s.m + j) * s.inner + i] : index[j];
                if (to >= 0 && to < s.n)
                    update_row(how, dst + (size_t)(to * s.inner + i) * size,
                               src + (size_t)(j * s.inner + i) * size, step, size);
            }
    }
}

static enum update sum_of(const struct weir_nest_call *c)
{
    return c->in[0].dtype == WEIR_F32 ? ADD_REAL : ADD_INT;
}

WEIR_NEST(scatter)
{
    scatter(desc, ptr, STORE);
}

WEIR_NEST(scatter_add)
{
    scatter(desc, ptr, sum_of(desc));
}

WEIR_NEST(scatter_add_along)
{
    scatter(desc, ptr, sum_of(desc));
}

// Copies the box `size` between two tensors of one rank; x is the larger one, entered at `start`.
static void copy_box(const struct weir_nd *x, const struct weir_nd *box, const int32_t *start,
                     char *px, char *pbox, bool to_box)
{
    const size_t size = nest_elem_size(x->dtype);
    int64_t n = nest_count(box), last = box->rank ? box->dim[box->rank - 1] : 1;
    for (int64_t t = 0; t < n; t += last) {
        int64_t at = 0, rest = t;
        for (int a = x->rank - 1; a >= 0; a--) {
            at += (rest % box->dim[a] + clamp(start[a], x->dim[a] - box->dim[a])) * x->stride[a];
            rest /= box->dim[a];
        }
        char *p = px + (size_t)at * size, *q = pbox + (size_t)t * size;
        memcpy(to_box ? q : p, to_box ? p : q, (size_t)last * size);
    }
}

WEIR_NEST(dynamic_slice)
{
    const struct weir_nest_call *c = desc;
    copy_box(&c->in[0], &c->out[0], ptr[1], ptr[0], ptr[2], true);
}

WEIR_NEST(dynamic_update)
{
    const struct weir_nest_call *c = desc;
    size_t bytes = (size_t)nest_count(&c->in[0]) * nest_elem_size(c->in[0].dtype);
    if (bytes)
        memcpy(ptr[3], ptr[0], bytes);
    copy_box(&c->in[0], &c->in[1], ptr[2], ptr[3], ptr[1], false);
}

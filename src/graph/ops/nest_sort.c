// SPDX-License-Identifier: Apache-2.0
// Loop nests of sort and argsort: a stable bottom-up merge sort of integer keys whose order is
// -inf < .. < -0 < +0 < .. < inf < NaN, every NaN being the same. Rows may be strided; the result
// and the scratch take turns as source and destination so that the last merge ends in the result.
#include "graph/ops/nest_iter.h"

#ifdef WEIR_REAL_DOUBLE
typedef uint64_t sort_key;
#else
typedef uint32_t sort_key;
#endif

static const sort_key top_bit = (sort_key)1 << (8 * sizeof(sort_key) - 1);

static sort_key key_of_real(weir_real x)
{
    sort_key u;
    memcpy(&u, &x, sizeof(u));
    if (x != x)
        return ~(sort_key)0;
    return u & top_bit ? ~u : u | top_bit;
}

static weir_real real_of_key(sort_key u)
{
    weir_real x;
    if (u == ~(sort_key)0) {
#ifdef WEIR_REAL_DOUBLE
        u = 0x7ff8000000000000u;
#else
        u = 0x7fc00000u;
#endif
    } else {
        u = u & top_bit ? u & ~top_bit : ~u;
    }
    memcpy(&x, &u, sizeof(x));
    return x;
}

static sort_key key_at(const void *x, enum weir_dtype dtype, int64_t i)
{
    if (dtype == WEIR_F32)
        return key_of_real(((const weir_real *)x)[i]);
    return ((const uint32_t *)x)[i] ^ (dtype == WEIR_I32 ? 0x80000000u : 0);
}

// Rows of n elements, `step` apart, at r / inner * n * inner + r % inner.
struct rows {
    int64_t n, step, count;
};

static struct rows rows_of(const struct weir_nest_call *c)
{
    const struct weir_nd *x = &c->in[0];
    struct rows r = {x->dim[c->attrs.axis.axis], 1, 0};
    for (int a = c->attrs.axis.axis + 1; a < x->rank; a++)
        r.step *= x->dim[a];
    r.count = r.n ? nest_count(x) / r.n : 0;
    return r;
}

static int64_t row_start(const struct rows *r, int64_t i)
{
    return i / r->step * r->n * r->step + i % r->step;
}

static bool odd_passes(int64_t n)
{
    bool odd = false;
    for (int64_t width = 1; width < n; width *= 2)
        odd = !odd;
    return odd;
}

#define MERGE(type, before)                                                                        \
    for (int64_t width = 1; width < n; width *= 2) {                                               \
        for (int64_t lo = 0; lo < n; lo += 2 * width) {                                            \
            int64_t mid = lo + width < n ? lo + width : n;                                         \
            int64_t hi = lo + 2 * width < n ? lo + 2 * width : n, i = lo, j = mid;                 \
            for (int64_t k = lo; k < hi; k++) {                                                    \
                bool second = i == mid || (j < hi && before(src[j * step], src[i * step]));        \
                dst[k * step] = second ? src[j++ * step] : src[i++ * step];                        \
            }                                                                                      \
        }                                                                                          \
        type *swap = src;                                                                          \
        src = dst;                                                                                 \
        dst = swap;                                                                                \
    }

static void merge_keys(sort_key *src, sort_key *dst, int64_t n, int64_t step)
{
#define BEFORE(a, b) ((a) < (b))
    MERGE(sort_key, BEFORE)
#undef BEFORE
}

static void merge_indices(int32_t *src, int32_t *dst, int64_t n, int64_t step, const void *x,
                          enum weir_dtype dtype, int64_t start){
#define KEY(i) key_at(x, dtype, start + (i)*step)
#define BEFORE(a, b) (KEY(a) < KEY(b))
    MERGE(int32_t, BEFORE)
#undef BEFORE
#undef KEY
}

WEIR_NEST(sort)
{
    const struct weir_nest_call *c = desc;
    const struct rows r = rows_of(c);
    const enum weir_dtype dtype = c->in[0].dtype;
    const size_t size = nest_elem_size(dtype);
    const bool odd = odd_passes(r.n);
#pragma omp parallel for num_threads(nest_threads(c, nest_count(&c->in[0])))
    for (int64_t row = 0; row < r.count; row++) {
        const int64_t start = row_start(&r, row);
        // Keys of both turns lie in scratch: an integer's key may be wider than the result's
        // element.
        sort_key *keys = (sort_key *)ptr[2] + start, *other = keys + r.n * r.count;
        for (int64_t i = 0; i < r.n; i++)
            keys[i * r.step] = key_at(ptr[0], dtype, start + i * r.step);
        merge_keys(keys, other, r.n, r.step);
        for (int64_t i = 0; i < r.n; i++) {
            sort_key key = (odd ? other : keys)[i * r.step];
            weir_real real = real_of_key(key);
            uint32_t word = (uint32_t)key ^ (dtype == WEIR_I32 ? 0x80000000u : 0);
            memcpy((char *)ptr[1] + (size_t)(start + i * r.step) * size,
                   dtype == WEIR_F32 ? (void *)&real : (void *)&word, size);
        }
    }
}

WEIR_NEST(argsort)
{
    const struct weir_nest_call *c = desc;
    const struct rows r = rows_of(c);
    const bool odd = odd_passes(r.n);
#pragma omp parallel for num_threads(nest_threads(c, nest_count(&c->in[0])))
    for (int64_t row = 0; row < r.count; row++) {
        const int64_t start = row_start(&r, row);
        int32_t *out = (int32_t *)ptr[1] + start, *other = (int32_t *)ptr[2] + start;
        int32_t *src = odd ? other : out;
        for (int64_t i = 0; i < r.n; i++)
            src[i * r.step] = (int32_t)i;
        merge_indices(src, odd ? out : other, r.n, r.step, ptr[0], c->in[0].dtype, start);
    }
}

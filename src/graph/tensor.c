// SPDX-License-Identifier: Apache-2.0
// Dtypes and shapes: names, sizes, comparison, text; one NaN for all.
#include "weir/tensor.h"

#include <stdio.h>
#include <string.h>

#include "graph/graph.h"

const char *weir_dtype_name(enum weir_dtype dtype)
{
    static const char *const names[] = {
#define X(name, text, size) text,
        WEIR_DTYPE_MAP(X)
#undef X
    };
    return (unsigned)dtype < WEIR_N_DTYPES ? names[dtype] : "?";
}

size_t weir_dtype_size(enum weir_dtype dtype)
{
    static const size_t sizes[] = {
#define X(name, text, size) size,
        WEIR_DTYPE_MAP(X)
#undef X
    };
    return (unsigned)dtype < WEIR_N_DTYPES ? sizes[dtype] : 0;
}

int64_t weir_shape_size(const struct weir_shape *shape)
{
    int64_t n = 1;
    for (int i = 0; i < shape->rank; i++)
        n *= shape->dim[i];
    return n;
}

bool weir_shape_equal(const struct weir_shape *a, const struct weir_shape *b)
{
    if (a->rank != b->rank)
        return false;
    for (int i = 0; i < a->rank; i++)
        if (a->dim[i] != b->dim[i])
            return false;
    return true;
}

char *weir_shape_text(const struct weir_shape *shape, char *dst, size_t n)
{
    size_t at = 0;
    if (n == 0)
        return dst;
    dst[0] = 0;
    for (int i = 0; i <= shape->rank && at < n; i++) {
        if (i < shape->rank)
            at += (size_t)snprintf(dst + at, n - at, "%s%lld", i ? ", " : "(",
                                   (long long)shape->dim[i]);
        else
            at += (size_t)snprintf(dst + at, n - at, "%s", shape->rank ? ")" : "()");
    }
    return dst;
}

// Through memcpy: the caller's memory may be of any type and place.
#define ONE_NAN(name, T)                                                          \
    static void name(void *data, int64_t n, T magnitude, T infinity, T nan)       \
    {                                                                             \
        for (int64_t i = 0; i < n; i++) {                                         \
            T x;                                                                  \
            memcpy(&x, (char *)data + (size_t)i * sizeof(x), sizeof(x));          \
            x = (T)(x & magnitude) > infinity ? nan : x;                          \
            memcpy((char *)data + (size_t)i * sizeof(x), &x, sizeof(x));          \
        }                                                                         \
    }
ONE_NAN(one_nan16, uint16_t)
ONE_NAN(one_nan32, uint32_t)

void weir_one_nan(enum weir_dtype dtype, void *data, int64_t n)
{
    if (dtype == WEIR_F32)
        one_nan32(data, n, 0x7fffffffu, 0x7f800000u, 0x7fc00000u);
    if (dtype == WEIR_F16)
        one_nan16(data, n, 0x7fff, 0x7c00, 0x7e00);
    if (dtype == WEIR_BF16)
        one_nan16(data, n, 0x7fff, 0x7f80, 0x7fc0);
}

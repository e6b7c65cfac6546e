// SPDX-License-Identifier: Apache-2.0
// Dtypes and shapes: names, sizes, comparison, text.
#include "weir/tensor.h"

#include <stdio.h>

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

// SPDX-License-Identifier: Apache-2.0
// Element types and shapes: what a graph value, a buffer and a file have in common.
#ifndef WEIR_TENSOR_H
#define WEIR_TENSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define WEIR_MAX_RANK 8

// X(name, text, bytes in memory). F16, BF16 and I8 are storage types: cast before computing
// (I8 is also an operand of weir_matmul). BOOL is one byte, 0 or 1.
#define WEIR_DTYPE_MAP(X) \
    X(F32, "f32", 4)      \
    X(I32, "i32", 4)      \
    X(U32, "u32", 4)      \
    X(BOOL, "bool", 1)    \
    X(F16, "f16", 2)      \
    X(BF16, "bf16", 2)    \
    X(I8, "i8", 1)

enum weir_dtype {
#define X(name, text, size) WEIR_##name,
    WEIR_DTYPE_MAP(X)
#undef X
    WEIR_N_DTYPES
};

const char *weir_dtype_name(enum weir_dtype dtype); // "f32"
size_t weir_dtype_size(enum weir_dtype dtype);      // bytes of one element in device memory

// Row-major extents; rank 0 is a scalar. Extents may be 0.
struct weir_shape {
    int rank;
    int64_t dim[WEIR_MAX_RANK];
};

#ifdef __cplusplus
#define weir_shape(...) (weir_shape_make({__VA_ARGS__}))
#else
// weir_shape(64, 28, 28, 1); for a scalar use weir_scalar_shape.
#define weir_shape(...)                                                           \
    ((struct weir_shape) { (int)(sizeof((int64_t[]) { __VA_ARGS__ }) / sizeof(int64_t)), \
                           { __VA_ARGS__ } })
#define weir_scalar_shape ((struct weir_shape) { 0 })
#endif

int64_t weir_shape_size(const struct weir_shape *shape); // number of elements (rank 0: 1)
bool weir_shape_equal(const struct weir_shape *a, const struct weir_shape *b);
// Writes "(64, 28, 28, 1)" into dst (n bytes at most, always terminated); returns dst.
char *weir_shape_text(const struct weir_shape *shape, char *dst, size_t n);

#ifdef __cplusplus
}

#include <initializer_list>
static inline struct weir_shape weir_shape_make(std::initializer_list<int64_t> dims)
{
    struct weir_shape s = {};
    for (int64_t d : dims)
        s.dim[s.rank++] = d;
    return s;
}
#endif
#endif

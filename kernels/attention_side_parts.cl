// SPDX-License-Identifier: Apache-2.0
// Template of attention_group_parts.cl: what is done along one side of the matrices, AT_SIDE, of
// AT_N columns.
#define AT_SIDE_FN(name) AT_JOIN(AT_FN(name), AT_SIDE)
#define AT_LOADS (64 * AT_STEP / AT_ITEMS)
#define AT_COLS AT_ACROSS(AT_N)
#define AT_QUADS (AT_N % (4 * AT_X) == 0)
#define AT_RESULT(j) (AT_QUADS ? AT_COLUMN(j) : (j) * AT_X + lx)
#define AT_WIDE (AT_COLS * AT_X)
#define AT_WIDE_LOADS (AT_STEP * AT_WIDE / AT_ITEMS)

// A block of x from row `first` of n on, the last row repeated beyond it.
static inline void AT_SIDE_FN(hold)(global const float *x, int first, int n, AT_INT row, AT_INT col,
                                    int id, local float *to)
{
    for (int i = id; i < AT_ROWS * AT_PADDED(AT_N); i += AT_ITEMS) {
        const int r = i / AT_PADDED(AT_N), d = i % AT_PADDED(AT_N);
        to[d * AT_LINE + r] = d < AT_N ? x[(AT_INT)min(first + r, n - 1) * row + d * col] : 0.0f;
    }
}

// Columns d .. of the tile of x from row `first` of n on; zeros beyond the last one.
static inline void AT_SIDE_FN(fetch)(global const float *x, int first, int n, AT_INT row,
                                     AT_INT col, int d, int id, float *next)
{
#pragma unroll
    for (int j = 0; j < AT_LOADS; j++) {
        const int i = id + j * AT_ITEMS, at = d + i % AT_STEP;
        next[j] = at < AT_N ? x[(AT_INT)min(first + i / AT_STEP, n - 1) * row + at * col] : 0.0f;
    }
}

// s = the products of the held block and the tile of x from row `first` of n on, a chain of
// multiply-adds each (no side has more than 512 columns). Begins with a barrier.
AT_INLINE void AT_SIDE_FN(products)(local const float *held, global const float *x, int first,
                                    int n, AT_INT row, AT_INT col, int lx, int ly,
                                    local float *stage, float *s)
{
    const int id = ly * AT_X + lx;
    float next[AT_LOADS];
    AT_SIDE_FN(fetch)(x, first, n, row, col, 0, id, next);
#pragma unroll
    for (int i = 0; i < 4 * AT_PER; i++)
        s[i] = 0.0f;
#pragma unroll 1
    for (int d = 0; d < AT_PADDED(AT_N); d += AT_STEP) {
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int j = 0; j < AT_LOADS; j++) {
            const int i = id + j * AT_ITEMS;
            stage[i % AT_STEP * AT_TILE_LINE + i / AT_STEP] = next[j];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (d + AT_STEP < AT_PADDED(AT_N))
            AT_SIDE_FN(fetch)(x, first, n, row, col, d + AT_STEP, id, next);
        for (int t = 0; t < AT_STEP; t++) {
            float a[4], b[4];
            AT_QUAD(a, held + (d + t) * AT_LINE + 4 * ly)
#pragma unroll
            for (int q = 0; q < AT_PER / 4; q++) {
                AT_QUAD(b, stage + t * AT_TILE_LINE + q * 4 * AT_X + 4 * lx)
#pragma unroll
                for (int i = 0; i < 16; i++)
                    s[16 * q + i] = AT_FMA(a[i % 4], b[i / 4], s[16 * q + i]);
            }
        }
    }
#pragma unroll
    for (int i = 0; i < 4 * AT_PER; i++)
        s[i] = 0.0f + s[i];
}

// Rows first + k .. of x, zeros beyond the last of n: there the weights are 0, too.
static inline void AT_SIDE_FN(fetch_rows)(global const float *x, int first, int n, AT_INT row,
                                          AT_INT col, int id, float *next)
{
#pragma unroll
    for (int j = 0; j < AT_WIDE_LOADS; j++) {
        const int i = id + j * AT_ITEMS, r = first + i / AT_WIDE, c = i % AT_WIDE;
        next[j] = r < n && c < AT_N ? x[(AT_INT)r * row + c * col] : 0.0f;
    }
}

// acc (4 rows, AT_COLS) += weights (64 lines) times the tile of x from row `first` of n on, in the
// order of its rows. Begins with a barrier.
AT_INLINE void AT_SIDE_FN(add)(local const float *weight, global const float *x, int first, int n,
                               AT_INT row, AT_INT col, int lx, int ly, local float *stage,
                               float *acc)
{
    const int id = ly * AT_X + lx;
    float next[AT_WIDE_LOADS];
    AT_SIDE_FN(fetch_rows)(x, first, n, row, col, id, next);
#pragma unroll 1
    for (int k = 0; k < 64; k += AT_STEP) {
        barrier(CLK_LOCAL_MEM_FENCE);
#pragma unroll
        for (int j = 0; j < AT_WIDE_LOADS; j++) {
            const int i = id + j * AT_ITEMS;
            stage[i / AT_WIDE * AT_WIDE_LINE(AT_N) + i % AT_WIDE] = next[j];
        }
        barrier(CLK_LOCAL_MEM_FENCE);
        if (k + AT_STEP < 64)
            AT_SIDE_FN(fetch_rows)(x, first + k + AT_STEP, n, row, col, id, next);
        for (int t = 0; first + k < n && t < AT_STEP; t++) {
            float w[4], v[AT_COLS];
            local const float *from = stage + t * AT_WIDE_LINE(AT_N);
            AT_QUAD(w, weight + (k + t) * AT_LINE + 4 * ly)
#if AT_QUADS
#pragma unroll
            for (int q = 0; q < AT_COLS / 4; q++)
                AT_QUAD(v + 4 * q, from + q * 4 * AT_X + 4 * lx)
#else
#pragma unroll
            for (int j = 0; j < AT_COLS; j++)
                v[j] = from[j * AT_X + lx];
#endif
#pragma unroll
            for (int i = 0; i < 4 * AT_COLS; i++)
                acc[i] = AT_FMA(w[i % 4], v[i / 4], acc[i]);
        }
    }
}

// The column of an item's j-th results.
static inline int AT_SIDE_FN(result)(int j, int lx)
{
    return AT_RESULT(j);
}

// An item's results of a block, at `to` in rows of AT_N.
static inline void AT_SIDE_FN(store)(const float *x, global float *to, int first, int n, int lx,
                                     int ly)
{
#pragma unroll
    for (int j = 0; j < AT_COLS; j++)
#pragma unroll
        for (int r = 0; r < 4; r++)
            if (first + 4 * ly + r < n && AT_RESULT(j) < AT_N)
                to[(AT_INT)(first + 4 * ly + r) * AT_N + AT_RESULT(j)] = x[AT_AT(r, j)];
}
#undef AT_SIDE_FN
#undef AT_LOADS
#undef AT_COLS
#undef AT_QUADS
#undef AT_RESULT
#undef AT_WIDE
#undef AT_WIDE_LOADS
#undef AT_SIDE
#undef AT_N

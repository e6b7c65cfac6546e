// SPDX-License-Identifier: Apache-2.0
// What the attention kernels of wide devices share: a strip of rows turned round, and a tile of products
// of the rows of one matrix with such a strip. Functions are the kernel's own, as their knobs are.
#define AT_LANES (16 * AT_VECS)
#define AT_JOIN2(a, b) a##_##b
#define AT_JOIN(a, b) AT_JOIN2(a, b)
#define AT_FN(name) AT_JOIN(AT_NAME, name)

// to (column, lane): AT_LANES rows of x from `first` on, the last row repeated beyond it.
static inline void AT_FN(turn)(global const float *x, int first, AT_INT row, AT_INT col, int n,
                               float16 *to)
{
    for (int t = 0; t < AT_VECS; t++)
        for (int d = 0; d < n; d += 16) {
            float16 r[16];
#pragma unroll
            for (int i = 0; i < 16; i++)
                r[i] = AT_LOAD16(x + (AT_INT)min(first + 16 * t + i, AT_QUERIES - 1) * row + d * col,
                                 col);
            weir_turn16(r);
#pragma unroll
            for (int i = 0; i < 16; i++)
                to[(d + i) * AT_VECS + t] = r[i];
        }
}

// out (row, lane) = sum over n columns of AT_TILE_KEYS rows of x times the strip.
static inline void AT_FN(products)(global const float *x, AT_INT row, AT_INT col, int n,
                                   const float16 *strip, float16 *out)
{
    float16 acc[AT_TILE_KEYS * AT_VECS];
#pragma unroll
    for (int i = 0; i < AT_TILE_KEYS * AT_VECS; i++)
        acc[i] = (float16)(0.0f);
    for (int d = 0; d < n; d++) {
        float16 s[AT_VECS];
#pragma unroll
        for (int t = 0; t < AT_VECS; t++)
            s[t] = strip[d * AT_VECS + t];
#pragma unroll
        for (int r = 0; r < AT_TILE_KEYS; r++) {
            const float16 a = (float16)(x[(AT_INT)r * row]);
#pragma unroll
            for (int t = 0; t < AT_VECS; t++)
                acc[r * AT_VECS + t] = AT_FMA16(a, s[t], acc[r * AT_VECS + t]);
        }
        x += col;
    }
#pragma unroll
    for (int i = 0; i < AT_TILE_KEYS * AT_VECS; i++)
        out[i] = 0.0f + acc[i];
}

// acc (row, column) = sum over n keys: AT_TILE_ROWS weights of a strip (key, lane) times 16 AT_TILE_VECS
// columns of the key's row of x.
static inline void AT_FN(weigh)(const float *weight, global const float *x, AT_INT row, AT_INT col, int n,
                                float16 *acc)
{
#pragma unroll
    for (int i = 0; i < AT_TILE_ROWS * AT_TILE_VECS; i++)
        acc[i] = (float16)(0.0f);
    for (int key = 0; key < n; key++) {
        float16 xv[AT_TILE_VECS];
#pragma unroll
        for (int t = 0; t < AT_TILE_VECS; t++)
            xv[t] = AT_LOAD16(x + 16 * t * col, col);
#pragma unroll
        for (int r = 0; r < AT_TILE_ROWS; r++) {
            const float16 w = (float16)(weight[r]);
#pragma unroll
            for (int t = 0; t < AT_TILE_VECS; t++)
                acc[r * AT_TILE_VECS + t] = AT_FMA16(w, xv[t], acc[r * AT_TILE_VECS + t]);
        }
        weight += AT_LANES;
        x += row;
    }
}

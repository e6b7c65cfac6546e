// SPDX-License-Identifier: Apache-2.0
// What the attention kernels of grouped devices share. A group of AT_X x AT_Y work-items holds a
// block of AT_ROWS = 4 AT_Y rows of one matrix in local memory and streams another through it, a
// tile of 64 rows at a time: their products are a tile of AT_ROWS x 64, 4 rows x AT_PER columns a
// work-item. 64 columns, because column c then always is lane c of the row rule.
//
// In local memory a block or tile lies turned round, in lines: its rows at one column, four floats
// more than there are rows, so that stores of neighbouring columns meet different banks. Columns of
// a tile come in quads, read as one vector: quad q of item x is q 4 AT_X + 4 x .. + 3, so that
// neighbouring items read neighbouring vectors. Functions are the kernel's own, as their knobs are.
#define AT_ITEMS (AT_X * AT_Y)
#define AT_ROWS (4 * AT_Y)
#define AT_LINE (AT_ROWS + 4)
#define AT_PER (64 / AT_X)
#define AT_COLUMN(c) ((c) / 4 * (4 * AT_X) + 4 * lx + (c) % 4)
// Terms of a sum that are staged at a time, and the room for them: of 64 rows, or of AT_STEP rows
// of either width; of a float for each row and x.
#define AT_STEP 16
#define AT_TILE_LINE (64 + 4)
#define AT_ACROSS(n) (((n) + AT_X - 1) / AT_X)
#define AT_WIDE_LINE(n) (AT_ACROSS(n) * AT_X + 4)
#define AT_PADDED(n) (((n) + AT_STEP - 1) / AT_STEP * AT_STEP)
#define AT_LARGER(a, b) ((a) > (b) ? (a) : (b))
#define AT_STAGE                                                                                 \
    AT_LARGER(AT_X *AT_ROWS,                                                                     \
              AT_STEP *AT_LARGER(AT_TILE_LINE, AT_LARGER(AT_WIDE_LINE(AT_DEPTH),                 \
                                                         AT_WIDE_LINE(AT_WIDTH))))
#define AT_JOIN2(a, b) a##_##b
#define AT_JOIN(a, b) AT_JOIN2(a, b)
#define AT_FN(name) AT_JOIN(AT_NAME, name)
// PoCL 3.1 gives wrong results where a function with barriers has two calls and is not said to be
// inlined.
#define AT_INLINE static inline __attribute__((always_inline))
// Four rows of a line, as elements of an array.
#define AT_QUAD(to, p)                                                                           \
    {                                                                                            \
        const float4 quad = *(local const float4 *)(p);                                          \
        (to)[0] = quad.s0;                                                                       \
        (to)[1] = quad.s1;                                                                       \
        (to)[2] = quad.s2;                                                                       \
        (to)[3] = quad.s3;                                                                       \
    }
#define AT_PUT_QUAD(p, x)                                                                        \
    (*(local float4 *)(p) = (float4)((x)[0], (x)[1], (x)[2], (x)[3]))
// Index of row r, column c among an item's elements of a tile: a column's rows are neighbours.
#define AT_AT(r, c) (4 * (c) + (r))

#if AT_MASKED
// Whether a query sees a key; the last ones stand for those beyond.
static inline int AT_FN(sees)(global const uchar *mask, int query, int key)
{
    return mask[(AT_INT)min(query, AT_QUERIES - 1) * AT_M_ROW +
                (AT_INT)min(key, AT_KEYS - 1) * AT_M_COL] != 0;
}
#endif

#define AT_SIDE depth
#define AT_N AT_DEPTH
#include "attention_side_parts.cl"
#define AT_SIDE width
#define AT_N AT_WIDTH
#include "attention_side_parts.cl"

// The next tile's chunk of 512 terms is another one.
static inline void AT_FN(next_chunk)(float *acc, float *sum, int n)
{
#pragma unroll
    for (int i = 0; i < n; i++) {
        sum[i] = sum[i] + acc[i];
        acc[i] = 0.0f;
    }
}

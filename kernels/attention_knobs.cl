// SPDX-License-Identifier: Apache-2.0
// Knobs of the attention skeletons, with the defaults that let each file compile alone.
//
//   q (.., AT_QUERIES, AT_DEPTH)   k (.., AT_KEYS, AT_DEPTH)   v (.., AT_KEYS, AT_WIDTH)
//   mask (.., AT_QUERIES, AT_KEYS), bool, with AT_MASKED 1
//
// An operand X has AT_X_ROW elements from row to row, AT_X_COL from column to column, and the rows of
// batch z (all leading axes in one) begin at AT_X_BATCH(z). Results are row-major.
#ifndef AT_NAME
#define AT_NAME attention
#endif
#ifndef AT_INT
#define AT_INT int
#endif
#ifndef AT_QUERIES
#define AT_QUERIES 196
#endif
#ifndef AT_KEYS
#define AT_KEYS 196
#endif
#ifndef AT_DEPTH
#define AT_DEPTH 64
#endif
#ifndef AT_WIDTH
#define AT_WIDTH 64
#endif
#ifndef AT_SCALE
#define AT_SCALE 0.125f
#endif
#ifndef AT_MASKED
#define AT_MASKED 0
#endif
#ifndef AT_Q_ROW
#define AT_Q_ROW AT_DEPTH
#define AT_Q_COL 1
#define AT_Q_BATCH(z) ((z) * AT_QUERIES * AT_DEPTH)
#define AT_K_ROW AT_DEPTH
#define AT_K_COL 1
#define AT_K_BATCH(z) ((z) * AT_KEYS * AT_DEPTH)
#define AT_V_ROW AT_WIDTH
#define AT_V_COL 1
#define AT_V_BATCH(z) ((z) * AT_KEYS * AT_WIDTH)
#endif
#ifndef AT_M_ROW
#define AT_M_ROW AT_KEYS
#define AT_M_COL 1
#define AT_M_BATCH(z) ((z) * AT_QUERIES * AT_KEYS)
#endif
// Backward: the output's gradient, row maxima, row sums, and D, rows of one column.
#ifndef AT_G_ROW
#define AT_G_ROW AT_WIDTH
#define AT_G_COL 1
#define AT_G_BATCH(z) ((z) * AT_QUERIES * AT_WIDTH)
#define AT_TOP_ROW 1
#define AT_TOP_COL 0
#define AT_TOP_BATCH(z) ((z) * AT_QUERIES)
#define AT_TOTAL_ROW 1
#define AT_TOTAL_COL 0
#define AT_TOTAL_BATCH(z) ((z) * AT_QUERIES)
#define AT_SHIFT_ROW 1
#define AT_SHIFT_COL 0
#define AT_SHIFT_BATCH(z) ((z) * AT_QUERIES)
#endif
// More than 512 queries, so that sums over them need a place beside their result.
#ifndef AT_SPLIT
#define AT_SPLIT 0
#endif
// Wide kernels: vectors of queries in a strip, the first query of this kernel's strips, and tiles:
// keys of one of scores, queries and vectors of columns of one of results, vectors of columns of one of
// sums over queries.
#ifndef AT_VECS
#define AT_VECS 2
#endif
#ifndef AT_FIRST
#define AT_FIRST 0
#endif
#ifndef AT_TILE_KEYS
#define AT_TILE_KEYS 14
#endif
#ifndef AT_TILE_ROWS
#define AT_TILE_ROWS 8
#endif
#ifndef AT_TILE_VECS
#define AT_TILE_VECS 2
#endif
#ifndef AT_SUM_VECS
#define AT_SUM_VECS 2
#endif
// Grouped kernels: work-items of a group, whether the scores of all keys are kept, and which
// gradients.
#ifndef AT_X
#define AT_X 16
#define AT_Y 8
#define AT_KEEP 0
#define AT_OF_KEYS 0
#endif
// The multiply-adds of one float and of sixteen; a device whose own is not single-rounding for
// every input takes those of scalar.h, which come before.
#ifndef AT_FMA
#ifdef WEIR_SOFT_FMA
#define AT_FMA(a, b, c) weir_soft_fma_f(a, b, c)
#define AT_FMA16(a, b, c) weir_soft_fma_fv(a, b, c)
#else
#define AT_FMA(a, b, c) fma(a, b, c)
#define AT_FMA16(a, b, c) fma(a, b, c)
#endif
#endif
// The mask of one key (p) for query n, or the last one, and for sixteen from n on.
#ifndef AT_MASK16
#define AT_MASK1(p, n) (p)[(AT_INT)min((n), AT_QUERIES - 1) * AT_M_ROW]
#define AT_MASK4(p, n)                                                                           \
    AT_MASK1(p, n), AT_MASK1(p, (n) + 1), AT_MASK1(p, (n) + 2), AT_MASK1(p, (n) + 3)
#define AT_MASK16(p, n)                                                                          \
    (AT_M_ROW == 0 ? (uchar16)((p)[0])                                                           \
                   : (uchar16)(AT_MASK4(p, n), AT_MASK4(p, (n) + 4), AT_MASK4(p, (n) + 8),       \
                               AT_MASK4(p, (n) + 12)))
#endif
// Sixteen neighbouring columns of a row of X.
#ifndef AT_LOAD16
#define AT_GATHER16(p, s)                                                                        \
    (float16)((p)[0], (p)[(s)], (p)[2 * (s)], (p)[3 * (s)], (p)[4 * (s)], (p)[5 * (s)],          \
              (p)[6 * (s)], (p)[7 * (s)], (p)[8 * (s)], (p)[9 * (s)], (p)[10 * (s)],             \
              (p)[11 * (s)], (p)[12 * (s)], (p)[13 * (s)], (p)[14 * (s)], (p)[15 * (s)])
#define AT_LOAD16(p, s) ((s) == 1 ? WEIR_LOAD16(p) : AT_GATHER16(p, s))
#endif

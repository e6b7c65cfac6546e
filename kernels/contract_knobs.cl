// SPDX-License-Identifier: Apache-2.0
// Knobs of the contraction skeletons, with the defaults that let each file compile alone.
//
// Every contraction (matmul, convolution and its two gradients) is one affine gather:
//   out[O + batch + row + col] = sum over the terms, in order, of
//       a[A + batch + row + term] * b[B + batch + col + term]
// where each of batch, row, col and term is a small nest of loops with literal extents and strides
// in elements (0 = outermost). Rows read scalars of a, columns read vectors of b. The canonical sum
// is cut into chunks of 512 terms: P_c = fma chain from +0, result = ((0 + P_0) + P_1) + ... Where
// some terms are absent for all outputs (a phase of a strided input gradient), CT_CUT says how many
// of the terms that are left lie before the end of chunk c.
// Name of the kernel; type of offsets inside a buffer (long where 32 bits do not reach).
#ifndef CT_NAME
#define CT_NAME contract
#endif
#ifndef CT_INT
#define CT_INT int
#endif
// Types of a and b in memory, and how an element, four neighbours and sixteen of them are read as
// floats. Those of 16 bits need prelude.cl before.
#ifndef CT_A_T
#define CT_A_T float
#define CT_A_LOAD(p) (*(p))
#define CT_A_LOAD4(p) (*(global const float4 *)(p))
#define CT_A_LOAD16(p) WEIR_LOAD16(p)
#endif
#ifndef CT_B_T
#define CT_B_T float
#define CT_B_LOAD(p) (*(p))
#define CT_B_LOAD4(p) (*(global const float4 *)(p))
#define CT_B_LOAD16(p) WEIR_LOAD16(p)
#endif
// Rows: extents, strides in a and in the output.
#ifndef CT_ROW0
#define CT_ROW0 1
#endif
#ifndef CT_ROW1
#define CT_ROW1 1
#endif
#ifndef CT_ROW2
#define CT_ROW2 1
#endif
#ifndef CT_ROW3
#define CT_ROW3 1
#endif
#ifndef CT_A_ROW0
#define CT_A_ROW0 0
#endif
#ifndef CT_A_ROW1
#define CT_A_ROW1 0
#endif
#ifndef CT_A_ROW2
#define CT_A_ROW2 0
#endif
#ifndef CT_A_ROW3
#define CT_A_ROW3 1
#endif
#ifndef CT_O_ROW0
#define CT_O_ROW0 0
#endif
#ifndef CT_O_ROW1
#define CT_O_ROW1 0
#endif
#ifndef CT_O_ROW2
#define CT_O_ROW2 0
#endif
#ifndef CT_O_ROW3
#define CT_O_ROW3 1
#endif
// Columns: extents, strides in b and in the output.
#ifndef CT_COL0
#define CT_COL0 1
#endif
#ifndef CT_COL1
#define CT_COL1 1
#endif
#ifndef CT_COL2
#define CT_COL2 1
#endif
#ifndef CT_COL3
#define CT_COL3 1
#endif
#ifndef CT_B_COL0
#define CT_B_COL0 0
#endif
#ifndef CT_B_COL1
#define CT_B_COL1 0
#endif
#ifndef CT_B_COL2
#define CT_B_COL2 0
#endif
#ifndef CT_B_COL3
#define CT_B_COL3 1
#endif
#ifndef CT_O_COL0
#define CT_O_COL0 0
#endif
#ifndef CT_O_COL1
#define CT_O_COL1 0
#endif
#ifndef CT_O_COL2
#define CT_O_COL2 0
#endif
#ifndef CT_O_COL3
#define CT_O_COL3 1
#endif
// Terms: extents, strides in a and in b.
#ifndef CT_TERM0
#define CT_TERM0 1
#endif
#ifndef CT_TERM1
#define CT_TERM1 1
#endif
#ifndef CT_TERM2
#define CT_TERM2 1
#endif
#ifndef CT_TERM3
#define CT_TERM3 1
#endif
#ifndef CT_A_TERM0
#define CT_A_TERM0 0
#endif
#ifndef CT_A_TERM1
#define CT_A_TERM1 0
#endif
#ifndef CT_A_TERM2
#define CT_A_TERM2 0
#endif
#ifndef CT_A_TERM3
#define CT_A_TERM3 1
#endif
#ifndef CT_B_TERM0
#define CT_B_TERM0 0
#endif
#ifndef CT_B_TERM1
#define CT_B_TERM1 0
#endif
#ifndef CT_B_TERM2
#define CT_B_TERM2 0
#endif
#ifndef CT_B_TERM3
#define CT_B_TERM3 1
#endif
// Batch: extents, strides in a, b and the output.
#ifndef CT_BATCH0
#define CT_BATCH0 1
#endif
#ifndef CT_BATCH1
#define CT_BATCH1 1
#endif
#ifndef CT_BATCH2
#define CT_BATCH2 1
#endif
#ifndef CT_BATCH3
#define CT_BATCH3 1
#endif
#ifndef CT_BATCH4
#define CT_BATCH4 1
#endif
#ifndef CT_BATCH5
#define CT_BATCH5 1
#endif
#ifndef CT_A_BATCH0
#define CT_A_BATCH0 0
#endif
#ifndef CT_A_BATCH1
#define CT_A_BATCH1 0
#endif
#ifndef CT_A_BATCH2
#define CT_A_BATCH2 0
#endif
#ifndef CT_A_BATCH3
#define CT_A_BATCH3 0
#endif
#ifndef CT_A_BATCH4
#define CT_A_BATCH4 0
#endif
#ifndef CT_A_BATCH5
#define CT_A_BATCH5 0
#endif
#ifndef CT_B_BATCH0
#define CT_B_BATCH0 0
#endif
#ifndef CT_B_BATCH1
#define CT_B_BATCH1 0
#endif
#ifndef CT_B_BATCH2
#define CT_B_BATCH2 0
#endif
#ifndef CT_B_BATCH3
#define CT_B_BATCH3 0
#endif
#ifndef CT_B_BATCH4
#define CT_B_BATCH4 0
#endif
#ifndef CT_B_BATCH5
#define CT_B_BATCH5 0
#endif
#ifndef CT_O_BATCH0
#define CT_O_BATCH0 0
#endif
#ifndef CT_O_BATCH1
#define CT_O_BATCH1 0
#endif
#ifndef CT_O_BATCH2
#define CT_O_BATCH2 0
#endif
#ifndef CT_O_BATCH3
#define CT_O_BATCH3 0
#endif
#ifndef CT_O_BATCH4
#define CT_O_BATCH4 0
#endif
#ifndef CT_O_BATCH5
#define CT_O_BATCH5 0
#endif
// Offsets of element 0.
#ifndef CT_A
#define CT_A 0
#endif
#ifndef CT_B
#define CT_B 0
#endif
#ifndef CT_O
#define CT_O 0
#endif
#define CT_TERMS (CT_TERM0 * CT_TERM1 * CT_TERM2 * CT_TERM3)
#define CT_BATCHES (CT_BATCH0 * CT_BATCH1 * CT_BATCH2 * CT_BATCH3 * CT_BATCH4 * CT_BATCH5)
// Chunks of 512 canonical terms, and the terms present before the end of chunk c.
#ifndef CT_CHUNKS
#define CT_CHUNKS ((CT_TERMS + 511) / 512)
#endif
#ifndef CT_CUT
#define CT_CUT(c) min(((c) + 1) * 512, CT_TERMS)
#endif
// CT_SPLIT 1: one chunk a work-item, its sum stored at output + (chunk - first) * CT_PARTIAL; the
// kernel then takes the index of its first chunk as an integer argument and contract_fold.cl adds
// the sums.
#ifndef CT_SPLIT
#define CT_SPLIT 0
#endif
#ifndef CT_PARTIAL
#define CT_PARTIAL 0
#endif
// The multiply-adds of one float and of sixteen; a device whose own is not single-rounding for
// every input takes those of scalar.h, which come before. Fast mode takes a product and a sum where
// fma is slow.
#ifndef CT_FMA
#if defined(WEIR_FAST) && !defined(FP_FAST_FMAF)
#define CT_FMA(a, b, c) ((a) * (b) + (c))
#define CT_FMA16(a, b, c) ((a) * (b) + (c))
#elif defined(WEIR_SOFT_FMA) && !defined(WEIR_FAST)
#define CT_FMA(a, b, c) weir_soft_fma_f(a, b, c)
#define CT_FMA16(a, b, c) weir_soft_fma_fv(a, b, c)
#else
#define CT_FMA(a, b, c) fma(a, b, c)
#define CT_FMA16(a, b, c) fma(a, b, c)
#endif
#endif
// What is done with results: CT_PUT takes x at element o of the output, CT_PUT16 sixteen
// neighbours, o to o + 15. A fused epilogue defines the three together; its parameters follow those
// of a and b.
#ifndef CT_PARAMS
#define CT_PARAMS , global float *p2, ulong o2
#define CT_PUT(x, o) p2[o2 + (o)] = (x)
#define CT_PUT16(x, o) WEIR_STORE16(p2 + o2 + (o), (x))
#endif
#define CT_DIV_UP(a, b) (((a) + (b) - 1) / (b))
// Declares z0 to z5, the indices of the batch loops, of batch z; CT_AT_BATCH(A): what they are in a.
#define CT_BATCH_OF(z)                                                                          \
    const CT_INT z5 = (z) % CT_BATCH5, z4 = (z) / CT_BATCH5 % CT_BATCH4,                        \
                 z3 = (z) / (CT_BATCH5 * CT_BATCH4) % CT_BATCH3,                                \
                 z2 = (z) / (CT_BATCH5 * CT_BATCH4 * CT_BATCH3) % CT_BATCH2,                    \
                 z1 = (z) / (CT_BATCH5 * CT_BATCH4 * CT_BATCH3 * CT_BATCH2) % CT_BATCH1,        \
                 z0 = (z) / (CT_BATCH5 * CT_BATCH4 * CT_BATCH3 * CT_BATCH2 * CT_BATCH1) %       \
                     CT_BATCH0
#define CT_AT_BATCH(x)                                                                          \
    (z0 * CT_##x##_BATCH0 + z1 * CT_##x##_BATCH1 + z2 * CT_##x##_BATCH2 +                       \
     z3 * CT_##x##_BATCH3 + z4 * CT_##x##_BATCH4 + z5 * CT_##x##_BATCH5)
// Wide kernels: vectors of a panel, rows of a tile, panels of a work-item, elements from panel to
// panel.
#ifndef CT_VECS
#define CT_VECS 2
#endif
#ifndef CT_TILE_W
#define CT_TILE_W 1
#endif
#ifndef CT_ACROSS
#define CT_ACROSS 1
#endif
#ifndef CT_PANEL
#define CT_PANEL 0
#endif
#define CT_PANELS CT_DIV_UP(CT_COL3, 16 * CT_VECS)
// An operand that is an image without a border: along axis i, result r and kernel pixel k meet at
// pixel r CT_STRIDE<i> + k CT_DILATION<i> + CT_ORIGIN<i>, inside from 0 to CT_IN<i> - 1.
#ifndef CT_STRIDE0
#define CT_STRIDE0 1
#define CT_STRIDE1 1
#define CT_STRIDE2 1
#define CT_DILATION0 1
#define CT_DILATION1 1
#define CT_DILATION2 1
#define CT_ORIGIN0 0
#define CT_ORIGIN1 0
#define CT_ORIGIN2 0
#define CT_IN0 1
#define CT_IN1 1
#define CT_IN2 1
#endif
#define CT_PIXEL(i, r, k) ((r) * CT_STRIDE##i + (k) * CT_DILATION##i + CT_ORIGIN##i)
#define CT_INSIDE(i, x) ((x) >= 0 && (x) < CT_IN##i)
// Wide kernels: stores sixteen neighbouring columns x, of which `left` exist, from element o on.
#ifndef CT_STORE
#define CT_STORE(x, o, left)                                                        \
    {                                                                               \
        if (CT_O_COL3 == 1 && (CT_COL3 % (16 * CT_VECS) == 0 || (left) >= 16)) {    \
            CT_PUT16(x, (o));                                                       \
        } else {                                                                    \
            union {                                                                 \
                float16 v;                                                          \
                float s[16];                                                        \
            } lanes;                                                                \
            lanes.v = x;                                                            \
            for (int l = 0; l < min((int)(left), 16); l++) {                        \
                CT_PUT(lanes.s[l], (o) + l * CT_O_COL3);                            \
            }                                                                       \
        }                                                                           \
    }
#endif

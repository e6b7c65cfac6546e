// SPDX-License-Identifier: Apache-2.0
// Contraction by a matrix engine (fast mode, grouped devices): the text of an engine comes before
// this one. A work-group computes a tile of CT_TILE_ROWS x CT_TILE_COLS results, each of its
// sub-groups CT_SUB_ROWS x CT_SUB_COLS of them in fragments of EN_M x EN_N. CT_STEP terms of both
// operands at a time are staged in local memory, rounded to what the engine multiplies, while the
// next ones are on their way to registers; with two buffers a step costs one barrier. Sums run over
// all terms in the engine's own order and precision, so the bits are the device's own; the error
// has the bound of fast mode.
//
// An engine defines, for its type (EN_TYPE 0: f32 or tf32, 1: bf16, 2: f16):
//   EN_M, EN_N, EN_K      rows, columns, terms of one instruction, by EN_LANES work-items
//   EN_LANE, EN_SUB       lane of a work-item, its sub-group (where not the local ids 0 and 1)
//   EN_A_WORDS, EN_B_WORDS, EN_RESULTS   32-bit words and floats of results that a lane holds
//   EN_LOAD_A(to, p, pitch, lane)        a lane's words of EN_M rows; p: word 0 of the first row
//   EN_LOAD_B(to, p, pitch, lane)        of EN_N columns
//   EN_MAD(d, a, b)       d = d + a b, by the whole sub-group
//   EN_ROW(lane, i), EN_COL(lane, i)     where result i of a lane lies in the fragment
//   EN_ROUND(x)           EN_TYPE 0: the bits of a float made those that are multiplied
//   EN_ATTRIBUTES, EN_LOCALS             of the kernel, local memory of its own (nothing)
// In local memory a line (row of a, column of b) has its terms next to each other, one in a word of
// type 0, else two with the first in the lower half, and CT_PITCH words to the next line: the four
// words between lines keep fragments in different banks.
//
// Both operands are read through their strides (contract_knobs.cl; contract_stage.cl: in which
// order). CT_A_VECTOR, CT_B_VECTOR, CT_RAGGED, CT_RUN, CT_UNROLL: as in contract_grouped.cl.
// CT_A_HALF, CT_B_HALF 1: the operand in memory is of the engine's own 16-bit type. Local memory:
// CT_BUFFERS x CT_PITCH x (CT_TILE_ROWS + CT_TILE_COLS) words. Geometry: local EN_LANES,
// sub-groups, 1; global = the same for each tile across, down; batches (x chunks). Any part of it,
// by an offset, is fine.
#ifndef WEIR_FAST
#pragma OPENCL FP_CONTRACT OFF
#endif
#include "vector16.cl"
#include "contract_knobs.cl"
#include "engine_none.cl"
#ifndef CT_TILE_ROWS
#define CT_TILE_ROWS 32
#define CT_TILE_COLS 32
#define CT_STEP 16
#define CT_SUB_ROWS 16
#define CT_SUB_COLS 16
#define CT_BUFFERS 2
#define CT_A_VECTOR 0
#define CT_B_VECTOR 0
#define CT_A_HALF 0
#define CT_B_HALF 0
#define CT_RAGGED 1
#define CT_RUN 0
#define CT_UNROLL 0
#endif
#include "contract_stage.cl"
#define CT_ACROSS_SUBS (CT_TILE_COLS / CT_SUB_COLS)
#define CT_SUBS (CT_TILE_ROWS / CT_SUB_ROWS * CT_ACROSS_SUBS)
#define CT_ITEMS (EN_LANES * CT_SUBS)
#define CT_FRAG_ROWS (CT_SUB_ROWS / EN_M)
#define CT_FRAG_COLS (CT_SUB_COLS / EN_N)
#define CT_ROWS (CT_ROW0 * CT_ROW1 * CT_ROW2 * CT_ROW3)
#define CT_COLS (CT_COL0 * CT_COL1 * CT_COL2 * CT_COL3)
#define CT_WORD (EN_TYPE == 0 ? 1 : 2) // terms
#define CT_PITCH (CT_STEP / CT_WORD + 4)
#define CT_A_TILE (CT_TILE_ROWS * CT_PITCH)
#define CT_B_TILE (CT_TILE_COLS * CT_PITCH)
// Loads of each operand in one step, of all work-items and of one; terms of a load.
#define CT_A_TERMS (CT_A_VECTOR ? 4 : 1)
#define CT_B_TERMS (CT_B_VECTOR ? 4 : 1)
#define CT_A_ALL (CT_TILE_ROWS * CT_STEP / CT_A_TERMS)
#define CT_B_ALL (CT_TILE_COLS * CT_STEP / CT_B_TERMS)
#define CT_A_LOADS CT_DIV_UP(CT_A_ALL, CT_ITEMS)
#define CT_B_LOADS CT_DIV_UP(CT_B_ALL, CT_ITEMS)
#define CT_LOADS(i, all) ((int)((all) % CT_ITEMS == 0) | ((i) < (all)))

#ifndef WEIR_ENGINE
#define WEIR_ENGINE
// To nearest, ties to even; NaN stays NaN.
static inline uint weir_engine_tf32(uint x)
{
    return (x & 0x7fffffffu) > 0x7f800000u ? 0x7fffe000u
                                           : (x + 0xfffu + (x >> 13 & 1)) & 0xffffe000u;
}

static inline uint weir_engine_bf16(uint x)
{
    return (x & 0x7fffffffu) > 0x7f800000u ? 0x7fc0u : (x + 0x7fffu + (x >> 16 & 1)) >> 16;
}

static inline uint weir_engine_f16(uint x)
{
    ushort h;
    vstore_half_rte(as_float(x), 0, (half *)&h);
    return h;
}

// Load j: four terms or one, or zeros.
static inline void weir_take_f32(uint *to, int j, int vector, global const float *p, bool aligned,
                                 bool there)
{
    if (vector) {
        float4 x = (float4)(0.0f);
        if (there && aligned)
            x = *(global const float4 *)p;
        else if (there) // not vload4: compilers join the two into one load that is not aligned
            x = (float4)(p[0], p[1], p[2], p[3]);
        to[4 * j] = as_uint(x.s0);
        to[4 * j + 1] = as_uint(x.s1);
        to[4 * j + 2] = as_uint(x.s2);
        to[4 * j + 3] = as_uint(x.s3);
    } else {
        to[j] = there ? as_uint(*p) : 0;
    }
}

static inline void weir_take_half(uint *to, int j, int vector, global const ushort *p, bool aligned,
                                  bool there)
{
    if (vector) {
        ushort4 x = (ushort4)(0);
        if (there && aligned)
            x = *(global const ushort4 *)p;
        else if (there)
            x = (ushort4)(p[0], p[1], p[2], p[3]);
        to[4 * j] = x.s0;
        to[4 * j + 1] = x.s1;
        to[4 * j + 2] = x.s2;
        to[4 * j + 3] = x.s3;
    } else {
        to[j] = there ? *p : 0;
    }
}

// A load to its line in local memory, made what the engine multiplies before. type: EN_TYPE.
static inline void weir_keep(local uint *line, int pitch, int term, int vector, int type,
                             const uint *x)
{
    if (vector == 1 && type == 0) {
        *(local uint4 *)(line + term) = (uint4)(x[0], x[1], x[2], x[3]);
    } else if (vector == 1) {
        *(local uint2 *)(line + term / 2) = (uint2)(x[0] | x[1] << 16, x[2] | x[3] << 16);
    } else {
        for (int i = 0; i < (vector ? 4 : 1); i++) // lines of one term
            if (type == 0)
                line[i * pitch + term] = x[i];
            else
                ((local ushort *)line)[2 * i * pitch + term] = (ushort)x[i];
    }
}
#endif
#if EN_TYPE == 0
#define CT_BITS(x, half) EN_ROUND(x)
#elif EN_TYPE == 1
#define CT_BITS(x, half) (half ? (x) : weir_engine_bf16(x))
#else
#define CT_BITS(x, half) (half ? (x) : weir_engine_f16(x))
#endif
#if CT_A_HALF
#define CT_A_ELEMENT ushort
#define CT_A_TAKE weir_take_half
#else
#define CT_A_ELEMENT float
#define CT_A_TAKE weir_take_f32
#endif
#if CT_B_HALF
#define CT_B_ELEMENT ushort
#define CT_B_TAKE weir_take_half
#else
#define CT_B_ELEMENT float
#define CT_B_TAKE weir_take_f32
#endif

kernel __attribute__((reqd_work_group_size(EN_LANES, CT_SUBS, 1))) EN_ATTRIBUTES
void CT_NAME(global const CT_A_ELEMENT *p0, ulong o0,
             global const CT_B_ELEMENT *p1, ulong o1 CT_PARAMS
#if CT_SPLIT
             , int first_chunk
#endif
             )
{
    local uint4 tiles[CT_BUFFERS * (CT_A_TILE + CT_B_TILE) / 4];
    EN_LOCALS
    const int lx = get_local_id(0), ly = get_local_id(1), id = ly * EN_LANES + lx;
    const int lane = EN_LANE, sub = EN_SUB;
    const int sub_row = sub / CT_ACROSS_SUBS * CT_SUB_ROWS,
              sub_col = sub % CT_ACROSS_SUBS * CT_SUB_COLS;
    const CT_INT m0 = ((CT_INT)get_global_id(1) - ly) / CT_SUBS * CT_TILE_ROWS;
    const CT_INT n0 = ((CT_INT)get_global_id(0) - lx) / EN_LANES * CT_TILE_COLS;
    const CT_INT t = get_global_id(2);
#if CT_SPLIT
    const int chunk = t / CT_BATCHES + first_chunk;
    CT_INT k = chunk ? CT_CUT(chunk - 1) : 0;
    const CT_INT end = CT_CUT(chunk), partial = (chunk - first_chunk) * (CT_INT)CT_PARTIAL;
#else
    CT_INT k = 0;
    const CT_INT end = CT_CHUNKS ? CT_TERMS : 0, partial = 0;
#endif
    CT_BATCH_OF(t);
    global const CT_A_ELEMENT *a = p0 + o0 + CT_A + CT_AT_BATCH(A);
    global const CT_B_ELEMENT *b = p1 + o1 + CT_B + CT_AT_BATCH(B);
    const CT_INT out = CT_O + CT_AT_BATCH(O) + partial;
    const bool a_aligned = o0 % 4 == 0, b_aligned = o1 % 4 == 0;

    CT_INT a_line[CT_A_LOADS], b_line[CT_B_LOADS];
#pragma unroll
    CT_STAGE_LINES(a_line, CT_A_LOADS, m0, CT_ROWS, CT_A_VECTOR, CT_A_TERM3, CT_TILE_ROWS, CT_ROW,
                   CT_A_ROW)
#pragma unroll
    CT_STAGE_LINES(b_line, CT_B_LOADS, n0, CT_COLS, CT_B_VECTOR, CT_B_TERM3, CT_TILE_COLS, CT_COL,
                   CT_B_COL)
    float acc[CT_FRAG_ROWS * CT_FRAG_COLS * EN_RESULTS];
#pragma unroll
    for (int i = 0; i < CT_FRAG_ROWS * CT_FRAG_COLS * EN_RESULTS; i++)
        acc[i] = 0.0f;

    // Each turn fetches a step, computes the one fetched before and puts the new one in its place.
    local uint *const words = (local uint *)tiles;
    uint a_next[CT_A_LOADS * CT_A_TERMS], b_next[CT_B_LOADS * CT_B_TERMS];
    int at = 0;
    bool first = true, running = true;
#pragma unroll 1
    while (running) {
        running = k < end;
        if (running) {
#pragma unroll
            for (int j = 0; j < CT_A_LOADS; j++) {
                const int i = id + j * CT_ITEMS,
                          s = CT_STAGE_TERM(i, CT_A_VECTOR, CT_A_TERM3, CT_TILE_ROWS);
                CT_A_TAKE(a_next, j, CT_A_VECTOR, a + a_line[j] + CT_TERM_AT(k, s, CT_A_TERM),
                          a_aligned, CT_LOADS(i, CT_A_ALL) && (!CT_RAGGED || k + s < end));
            }
#pragma unroll
            for (int j = 0; j < CT_B_LOADS; j++) {
                const int i = id + j * CT_ITEMS,
                          s = CT_STAGE_TERM(i, CT_B_VECTOR, CT_B_TERM3, CT_TILE_COLS);
                CT_B_TAKE(b_next, j, CT_B_VECTOR, b + b_line[j] + CT_TERM_AT(k, s, CT_B_TERM),
                          b_aligned, CT_LOADS(i, CT_B_ALL) && (!CT_RAGGED || k + s < end));
            }
        }
        if (!first) {
            local const uint *as = words + at + sub_row * CT_PITCH;
            local const uint *bs = words + at + CT_A_TILE + sub_col * CT_PITCH;
#if CT_UNROLL
#pragma unroll
#endif
            for (int s = 0; s < CT_STEP / CT_WORD; s += EN_K / CT_WORD) {
                uint av[CT_FRAG_ROWS * EN_A_WORDS], bv[CT_FRAG_COLS * EN_B_WORDS];
#pragma unroll
                for (int i = 0; i < CT_FRAG_ROWS; i++)
                    EN_LOAD_A(av + i * EN_A_WORDS, as + i * EN_M * CT_PITCH + s, CT_PITCH, lane);
#pragma unroll
                for (int j = 0; j < CT_FRAG_COLS; j++)
                    EN_LOAD_B(bv + j * EN_B_WORDS, bs + j * EN_N * CT_PITCH + s, CT_PITCH, lane);
#if CT_UNROLL
#pragma unroll
#endif
                for (int i = 0; i < CT_FRAG_ROWS; i++)
#if CT_UNROLL
#pragma unroll
#endif
                    for (int j = 0; j < CT_FRAG_COLS; j++)
                        EN_MAD(acc + (i * CT_FRAG_COLS + j) * EN_RESULTS, av + i * EN_A_WORDS,
                               bv + j * EN_B_WORDS);
            }
        }
#if CT_BUFFERS == 2
        at = CT_A_TILE + CT_B_TILE - at;
#else
        barrier(CLK_LOCAL_MEM_FENCE);
#endif
        if (running) {
#pragma unroll
            for (int j = 0; j < CT_A_LOADS; j++) {
                const int i = id + j * CT_ITEMS;
#pragma unroll
                for (int l = 0; l < CT_A_TERMS; l++)
                    a_next[j * CT_A_TERMS + l] = CT_BITS(a_next[j * CT_A_TERMS + l], CT_A_HALF);
                if (CT_LOADS(i, CT_A_ALL))
                    weir_keep(words + at +
                                  CT_STAGE_LINE(i, CT_A_VECTOR, CT_A_TERM3, CT_TILE_ROWS) *
                                      CT_PITCH,
                              CT_PITCH, CT_STAGE_TERM(i, CT_A_VECTOR, CT_A_TERM3, CT_TILE_ROWS),
                              CT_A_VECTOR, EN_TYPE, a_next + j * CT_A_TERMS);
            }
#pragma unroll
            for (int j = 0; j < CT_B_LOADS; j++) {
                const int i = id + j * CT_ITEMS;
#pragma unroll
                for (int l = 0; l < CT_B_TERMS; l++)
                    b_next[j * CT_B_TERMS + l] = CT_BITS(b_next[j * CT_B_TERMS + l], CT_B_HALF);
                if (CT_LOADS(i, CT_B_ALL))
                    weir_keep(words + at + CT_A_TILE +
                                  CT_STAGE_LINE(i, CT_B_VECTOR, CT_B_TERM3, CT_TILE_COLS) *
                                      CT_PITCH,
                              CT_PITCH, CT_STAGE_TERM(i, CT_B_VECTOR, CT_B_TERM3, CT_TILE_COLS),
                              CT_B_VECTOR, EN_TYPE, b_next + j * CT_B_TERMS);
            }
            k = min(k + CT_STEP, end);
        }
        first = false;
        barrier(CLK_LOCAL_MEM_FENCE);
    }

#pragma unroll
    for (int i = 0; i < CT_FRAG_ROWS * CT_FRAG_COLS; i++)
#pragma unroll
        for (int r = 0; r < EN_RESULTS; r++) {
            const CT_INT m = m0 + sub_row + i / CT_FRAG_COLS * EN_M + EN_ROW(lane, r);
            const CT_INT n = n0 + sub_col + i % CT_FRAG_COLS * EN_N + EN_COL(lane, r);
            if ((CT_ROWS % CT_TILE_ROWS == 0 || m < CT_ROWS) &&
                (CT_COLS % CT_TILE_COLS == 0 || n < CT_COLS)) {
                CT_PUT(acc[i * EN_RESULTS + r],
                       out + CT_AT(m, CT_ROW, CT_O_ROW) + CT_AT(n, CT_COL, CT_O_COL));
            }
        }
}
#undef CT_BITS
#undef CT_A_ELEMENT
#undef CT_B_ELEMENT
#undef CT_A_TAKE
#undef CT_B_TAKE
#undef CT_TILE_ROWS
#undef CT_TILE_COLS
#undef CT_SUB_ROWS
#undef CT_SUB_COLS
#undef CT_BUFFERS
#undef CT_A_VECTOR
#undef CT_B_VECTOR
#undef CT_A_HALF
#undef CT_B_HALF
#undef CT_RAGGED
#undef CT_RUN
#undef CT_UNROLL
#undef CT_ACROSS_SUBS
#undef CT_SUBS
#undef CT_ITEMS
#undef CT_FRAG_ROWS
#undef CT_FRAG_COLS
#undef CT_COLS
#undef CT_WORD
#undef CT_PITCH
#undef CT_A_TILE
#undef CT_B_TILE
#undef CT_A_TERMS
#undef CT_B_TERMS
#undef CT_A_ALL
#undef CT_B_ALL
#undef CT_A_LOADS
#undef CT_B_LOADS
#undef CT_LOADS
#include "engine_end.cl"
#include "contract_end.cl"

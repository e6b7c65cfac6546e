// SPDX-License-Identifier: Apache-2.0
// Winograd's F(2x2, 3x3) for convolutions of stride 1 (Lavin and Gray, "Fast Algorithms for
// Convolutional Neural Networks", 2016), in fast mode: of an image's tiles d of 4 x 4 pixels, two
// apart, and kernels g,
//   y = A' [ sum over channels of (G g G') (B' d B) ] A,   2 x 2 pixels each,
//   G = 1 0 0; .5 .5 .5; .5 -.5 .5; 0 0 1   B' = 1 0 -1 0; 0 1 1 0; 0 -1 1 0; 0 1 0 -1
//   A' = 1 1 1 0; 0 1 -1 -1
// with 16 multiplications where the definition has 36. Error bound: docs/numerics.md, section 15.
//
// WG_PART 1: the kernels' transform U, in panels of WG_WIDTH outputs: (WG_COUT / WG_WIDTH, 16,
//            WG_CIN, WG_WIDTH). WG_LANES 0: geometry outputs, inputs (channels); 1: sixteen inputs
//            at a time, which lie next to each other, geometry outputs; 2: sixteen outputs,
//            geometry inputs (wide).
// WG_PART 2: all the rest, for wide devices: a work-item takes WG_BLOCK tiles, their transform in
//            private memory, and for each panel 16 products of matrices in registers. WG_WIDTH =
//            16 WG_VECS; channels by 16. Geometry: blocks of tiles; local 1.
// WG_PART 3: the image's transform V (16, tiles, WG_CIN), for grouped devices. Geometry: channels,
//            tiles.
// WG_PART 4: y from the products M (16, tiles, WG_COUT). Geometry: channels, tiles.
// Tiles: WG_N images of WG_DOWN x WG_ACROSS. A pixel outside the image is 0.
#ifndef WEIR_FAST
#pragma OPENCL FP_CONTRACT OFF
#endif
#include "vector16.cl"
#ifndef WG_NAME
#define WG_NAME winograd
#define WG_PART 2
#define WG_INT int
#define WG_N 1
#define WG_DOWN 1
#define WG_ACROSS 1
#define WG_IN_H 4
#define WG_IN_W 4
#define WG_OUT_H 2
#define WG_OUT_W 2
#define WG_PAD_H 0
#define WG_PAD_W 0
#define WG_CIN 16
#define WG_COUT 16
#define WG_WIDTH 16
#define WG_VECS 1
#define WG_BLOCK 4
#define WG_LANES 1
#define WG_X_N 256
#define WG_X_H 64
#define WG_X_W 16
#define WG_X_C 1
#define WG_W 0
#define WG_W_I 1
#define WG_W_O 144
#define WG_W_H 48
#define WG_W_W 16
#endif
#define WG_TILES (WG_N * WG_DOWN * WG_ACROSS)

// B' d and B' (d') alike: four of one line.
#define WG_B(to, s, d, t)                \
    {                                    \
        (to)[0] = (d)[0] - (d)[2 * (t)]; \
        (to)[s] = (d)[t] + (d)[2 * (t)]; \
        (to)[2 * (s)] = (d)[2 * (t)] - (d)[t]; \
        (to)[3 * (s)] = (d)[t] - (d)[3 * (t)]; \
    }
// d = BT d B of a tile of 4 x 4, by way of e; written out, so that both stay in registers.
#define WG_TURN_IN(d, e)                  \
    {                                     \
        WG_B(e, 4, d, 4)                  \
        WG_B(e + 1, 4, d + 1, 4)          \
        WG_B(e + 2, 4, d + 2, 4)          \
        WG_B(e + 3, 4, d + 3, 4)          \
        WG_B(d, 1, e, 1)                  \
        WG_B(d + 4, 1, e + 4, 1)          \
        WG_B(d + 8, 1, e + 8, 1)          \
        WG_B(d + 12, 1, e + 12, 1)        \
    }

#if WG_PART == 1
#if WG_LANES
#define WG_T float16
#define WG_LOAD(p) WEIR_LOAD16(p)
#else
#define WG_T float
#define WG_LOAD(p) (*(p))
#endif
// Element k of U for input i and output o.
#define WG_U(k, i, o)                                                                \
    ((((o) / WG_WIDTH * 16 + (k)) * (WG_INT)WG_CIN + (i)) * WG_WIDTH + (o) % WG_WIDTH)
#define WG_G(to, s, a, b, c)              \
    {                                     \
        (to)[0] = a;                      \
        (to)[s] = 0.5f * ((a + c) + b);   \
        (to)[2 * (s)] = 0.5f * ((a + c) - b); \
        (to)[3 * (s)] = c;                \
    }

kernel void WG_NAME(global const float *p0, ulong o0, global float *p1, ulong o1)
{
#if WG_LANES == 1
    const WG_INT o = get_global_id(0);
    for (WG_INT i = 0; i < WG_CIN; i += 16) {
#elif WG_LANES == 2
    const WG_INT i = get_global_id(0);
    for (WG_INT o = 0; o < WG_COUT; o += 16) {
#else
    const WG_INT o = get_global_id(0), i = get_global_id(1);
    if (o < WG_COUT) {
#endif
        global const float *w = p0 + o0 + WG_W + i * WG_W_I + o * WG_W_O;
        global float *u = p1 + o1;
        WG_T t[12], x[16];
#pragma unroll
        for (int k = 0; k < 3; k++) {
            const WG_T a = WG_LOAD(w + k * WG_W_W), b = WG_LOAD(w + WG_W_H + k * WG_W_W);
            const WG_T c = WG_LOAD(w + 2 * WG_W_H + k * WG_W_W);
            WG_G(t + k, 3, a, b, c)
        }
#pragma unroll
        for (int k = 0; k < 4; k++)
            WG_G(x + 4 * k, 1, t[3 * k], t[3 * k + 1], t[3 * k + 2])
#pragma unroll
        for (int k = 0; k < 16; k++) {
#if WG_LANES == 1
            union {
                float16 v;
                float s[16];
            } lanes;
            lanes.v = x[k];
            for (int l = 0; l < 16; l++)
                u[WG_U(k, i + l, o)] = lanes.s[l];
#elif WG_LANES == 2
            WEIR_STORE16(u + WG_U(k, i, o), x[k]);
#else
            u[WG_U(k, i, o)] = x[k];
#endif
        }
    }
}
#undef WG_T
#undef WG_LOAD
#undef WG_U
#undef WG_G

#elif WG_PART == 2
kernel __attribute__((reqd_work_group_size(1, 1, 1)))
void WG_NAME(global const float *p0, ulong o0, global const float *p1, ulong o1, global float *p2,
             ulong o2)
{
    const WG_INT first = (WG_INT)get_global_id(0) * WG_BLOCK;
    float v[16 * WG_BLOCK * WG_CIN];
    float16 m[16 * WG_BLOCK * WG_VECS];
    for (int t = 0; t < WG_BLOCK; t++) {
        const WG_INT tile = min(first + t, (WG_INT)(WG_TILES - 1));
        const int left = tile % WG_ACROSS * 2 - WG_PAD_W;
        const int top = tile / WG_ACROSS % WG_DOWN * 2 - WG_PAD_H;
        global const float *x = p0 + o0 + tile / (WG_ACROSS * WG_DOWN) * (WG_INT)WG_X_N;
        for (int c = 0; c < WG_CIN; c += 16) {
            float16 d[16], e[16];
#pragma unroll
            for (int k = 0; k < 16; k++) {
                const int h = top + k / 4, w = left + k % 4;
                d[k] = (float16)(0.0f);
                if (h >= 0 && h < WG_IN_H && w >= 0 && w < WG_IN_W)
                    d[k] = WEIR_LOAD16(x + h * (WG_INT)WG_X_H + w * (WG_INT)WG_X_W + c);
            }
            WG_TURN_IN(d, e)
#pragma unroll
            for (int k = 0; k < 16; k++)
                WEIR_KEEP16(v + (k * WG_BLOCK + t) * WG_CIN + c, d[k]);
        }
    }
    for (int panel = 0; panel < WG_COUT / WG_WIDTH; panel++) {
        global const float *u = p1 + o1 + panel * (WG_INT)(16 * WG_CIN * WG_WIDTH);
        for (int k = 0; k < 16; k++) {
            float16 acc[WG_BLOCK * WG_VECS];
#pragma unroll
            for (int i = 0; i < WG_BLOCK * WG_VECS; i++)
                acc[i] = (float16)(0.0f);
            const float *vk = v + k * (WG_BLOCK * WG_CIN);
            for (int c = 0; c < WG_CIN; c++) {
                float16 b[WG_VECS];
#pragma unroll
                for (int i = 0; i < WG_VECS; i++)
                    b[i] = WEIR_LOAD16(u + 16 * i);
#pragma unroll
                for (int t = 0; t < WG_BLOCK; t++) {
                    const float16 a = (float16)(vk[t * WG_CIN + c]);
#pragma unroll
                    for (int i = 0; i < WG_VECS; i++)
                        acc[t * WG_VECS + i] = fma(a, b[i], acc[t * WG_VECS + i]);
                }
                u += WG_WIDTH;
            }
#pragma unroll
            for (int i = 0; i < WG_BLOCK * WG_VECS; i++)
                m[k * (WG_BLOCK * WG_VECS) + i] = acc[i];
        }
        for (int t = 0; t < WG_BLOCK && first + t < WG_TILES; t++) {
            const WG_INT tile = first + t;
            const int w = tile % WG_ACROSS * 2, h = tile / WG_ACROSS % WG_DOWN * 2;
            global float *y = p2 + o2 + panel * WG_WIDTH +
                ((tile / (WG_ACROSS * WG_DOWN) * (WG_INT)WG_OUT_H + h) * WG_OUT_W + w) * WG_COUT;
#pragma unroll
            for (int i = 0; i < WG_VECS; i++) {
                const float16 *at = m + t * WG_VECS + i;
                float16 s[8];
#pragma unroll
                for (int k = 0; k < 4; k++) {
                    const int row = 4 * WG_BLOCK * WG_VECS;
                    const float16 a = at[k * (WG_BLOCK * WG_VECS)];
                    const float16 b = at[k * (WG_BLOCK * WG_VECS) + row];
                    const float16 c = at[k * (WG_BLOCK * WG_VECS) + 2 * row];
                    const float16 d = at[k * (WG_BLOCK * WG_VECS) + 3 * row];
                    s[k] = (a + b) + c;
                    s[4 + k] = (b - c) - d;
                }
#pragma unroll
                for (int k = 0; k < 2; k++) {
                    if (h + k >= WG_OUT_H)
                        continue;
                    global float *to = y + k * (WG_OUT_W * WG_COUT) + 16 * i;
                    WEIR_STORE16(to, (s[4 * k] + s[4 * k + 1]) + s[4 * k + 2]);
                    if (w + 1 < WG_OUT_W)
                        WEIR_STORE16(to + WG_COUT, (s[4 * k + 1] - s[4 * k + 2]) - s[4 * k + 3]);
                }
            }
        }
    }
}

#elif WG_PART == 3
kernel void WG_NAME(global const float *p0, ulong o0, global float *p1, ulong o1)
{
    const WG_INT c = get_global_id(0), tile = get_global_id(1);
    if (c >= WG_CIN)
        return;
    const int left = tile % WG_ACROSS * 2 - WG_PAD_W;
    const int top = tile / WG_ACROSS % WG_DOWN * 2 - WG_PAD_H;
    global const float *x = p0 + o0 + tile / (WG_ACROSS * WG_DOWN) * (WG_INT)WG_X_N + c * WG_X_C;
    float d[16], e[16];
#pragma unroll
    for (int k = 0; k < 16; k++) {
        const int h = top + k / 4, w = left + k % 4;
        d[k] = 0.0f;
        if (h >= 0 && h < WG_IN_H && w >= 0 && w < WG_IN_W)
            d[k] = x[h * (WG_INT)WG_X_H + w * (WG_INT)WG_X_W];
    }
    WG_TURN_IN(d, e)
#pragma unroll
    for (int k = 0; k < 16; k++)
        p1[o1 + (k * (WG_INT)WG_TILES + tile) * WG_CIN + c] = d[k];
}

#else
kernel void WG_NAME(global const float *p0, ulong o0, global float *p1, ulong o1)
{
    const WG_INT c = get_global_id(0), tile = get_global_id(1);
    if (c >= WG_COUT)
        return;
    const int w = tile % WG_ACROSS * 2, h = tile / WG_ACROSS % WG_DOWN * 2;
    global const float *m = p0 + o0 + tile * WG_COUT + c;
    float s[8];
#pragma unroll
    for (int k = 0; k < 4; k++) {
        const WG_INT row = 4 * WG_TILES * WG_COUT;
        global const float *from = m + k * ((WG_INT)WG_TILES * WG_COUT);
        const float a = from[0], b = from[row], e = from[2 * row], f = from[3 * row];
        s[k] = (a + b) + e;
        s[4 + k] = (b - e) - f;
    }
    global float *y = p1 + o1 + c +
        ((tile / (WG_ACROSS * WG_DOWN) * (WG_INT)WG_OUT_H + h) * WG_OUT_W + w) * WG_COUT;
#pragma unroll
    for (int k = 0; k < 2; k++) {
        if (h + k >= WG_OUT_H)
            continue;
        y[k * (WG_OUT_W * WG_COUT)] = (s[4 * k] + s[4 * k + 1]) + s[4 * k + 2];
        if (w + 1 < WG_OUT_W)
            y[(k * WG_OUT_W + 1) * WG_COUT] = (s[4 * k + 1] - s[4 * k + 2]) - s[4 * k + 3];
    }
}
#endif
#undef WG_NAME
#undef WG_PART
#undef WG_INT
#undef WG_N
#undef WG_DOWN
#undef WG_ACROSS
#undef WG_IN_H
#undef WG_IN_W
#undef WG_OUT_H
#undef WG_OUT_W
#undef WG_PAD_H
#undef WG_PAD_W
#undef WG_CIN
#undef WG_COUT
#undef WG_WIDTH
#undef WG_VECS
#undef WG_BLOCK
#undef WG_LANES
#undef WG_X_N
#undef WG_X_H
#undef WG_X_W
#undef WG_X_C
#undef WG_W
#undef WG_W_I
#undef WG_W_O
#undef WG_W_H
#undef WG_W_W
#undef WG_TILES
#undef WG_B
#undef WG_TURN_IN

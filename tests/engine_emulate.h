// SPDX-License-Identifier: Apache-2.0
// Matrix engines as their makers document them, for C and OpenCL C alike: for each term of an
// operand the lane and the 32-bit word that hold it, for each result of a lane its row and column.
// Written from the documents, term by term, where the kernel files say it lane by lane:
//   16 x 8: PTX ISA, "Matrix fragments for mma.m16n8k8" (tf32) and ".. mma.m16n8k16" (bf16, f16)
//   8 x 8, 8 x 16: cl_intel_subgroup_matrix_multiply_accumulate and .._tf32
//   16 x 16: AMD's matrix instruction calculator, v_wmma_f32_16x16x16_* (32 lanes),
//   v_mfma_f32_16x16x*
// ENGINE_WORDS is the type of a pointer to the words of all lanes, each lane's next to each other,
// ENGINE_FN how a function begins.

// Type 2: a half as float.
static inline float emulated_half(uint h)
{
    const uint e = h >> 10 & 31, m = h & 1023, sign = (h & 0x8000u) << 16;
    if (e == 0)
        return (sign ? -1.0f : 1.0f) * (float)m * 0x1p-24f;
    return as_float(sign | (e == 31 ? 0x7f800000u : (e + 112) << 23) | m << 13);
}

// type 0: the whole word, of which tf32 engines read 19 bits; 1, 2: 16 bits of it.
static inline float emulated_term(uint word, int type, int upper, int tf32)
{
    const uint half_word = upper ? word >> 16 : word & 0xffffu;
    if (type == 0)
        return as_float(tf32 ? word & 0xffffe000u : word);
    return type == 1 ? as_float(half_word << 16) : emulated_half(half_word);
}

// d = d + a b for one lane; the sum in order of k, each term by an fma.
ENGINE_FN void emulated_mad(int m, int n, int lanes, int type, ENGINE_WORDS a, ENGINE_WORDS b,
                            float *d, int lane)
{
    const int nvidia = m == 16 && n == 8, intel = m == 8, wmma = n == 16 && lanes == 32;
    const int wide = type == 0, terms = wide ? (lanes == 64 ? 4 : 8) : 16;
    const int a_words = nvidia ? 4 : intel ? (wide ? 4 : 8) : wmma ? 8 : wide ? 1 : 2;
    const int b_words = nvidia ? 2 : intel ? 8 : a_words;
    for (int i = 0; i < m * n / lanes; i++) {
        const int row = nvidia  ? (lane >> 2) + (i >= 2 ? 8 : 0)
                        : intel ? i
                        : wmma  ? 2 * i + lane / 16
                                : 4 * (lane / 16) + i;
        const int col = nvidia ? 2 * (lane & 3) + (i & 1) : intel ? lane : lane % 16;
        float sum = d[i];
        for (int k = 0; k < terms; k++) {
            int al, aw, bl, bw, upper = k & 1, a_upper = k & 1;
            if (nvidia) { // a0 .. a3 and b0, b1 in turn: rows + 8, then terms + half of them
                const int pair = wide ? k % 4 : k % 8 / 2, far = k / (terms / 2);
                al = row % 8 * 4 + pair;
                aw = row / 8 + 2 * far;
                bl = col * 4 + pair;
                bw = far;
            } else if (intel) { // a column of b a lane
                al = wide ? row % 2 * 8 + k : lanes == 16 ? k : k / 2;
                aw = wide ? row / 2 : row;
                a_upper = lanes == 16 ? 0 : k & 1;
                bl = col;
                bw = wide ? k : k / 2;
            } else if (wmma) { // each half of the wave reads its own copy
                al = row + lane / 16 * 16;
                bl = col + lane / 16 * 16;
                aw = bw = k / 2;
            } else {
                al = row + 16 * (wide ? k : k / 4);
                bl = col + 16 * (wide ? k : k / 4);
                aw = bw = wide ? 0 : k % 4 / 2;
            }
            sum = fma(emulated_term(a[al * a_words + aw], type, a_upper, lanes != 64),
                      emulated_term(b[bl * b_words + bw], type, upper, lanes != 64), sum);
        }
        d[i] = sum;
    }
}

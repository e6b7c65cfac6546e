// SPDX-License-Identifier: Apache-2.0
// Where in global memory the terms of a step lie that a work-group stages in local memory: shared
// by the contractions of grouped devices (contract_grouped.cl, contract_engine.cl). Lines of a tile
// are rows of a, columns of b. contract_end.cl takes the names back.

// The offset of flat index i in a nest of four loops of extents X0..X3 and strides S0..S3.
#define CT_AT(i, X, S)                                                                    \
    ((i) % X##3 * S##3 + (i) / X##3 % X##2 * S##2 + (i) / (X##3 * X##2) % X##1 * S##1 +   \
     (i) / (X##3 * X##2 * X##1) * S##0)
#if CT_TERM0 * CT_TERM1 * CT_TERM2 == 1
#define CT_TERM_AT(k, s, S) (((k) + (s)) * S##3)
#elif CT_RUN
#define CT_TERM_AT(k, s, S) (CT_AT(k, CT_TERM, S) + (s) * S##3)
#else
#define CT_TERM_AT(k, s, S) CT_AT((k) + (s), CT_TERM, S)
#endif

// The first term and the first line of load i of a step, neighbours being next to each other in
// global memory where they can be. `vector`: CT_A_VECTOR or CT_B_VECTOR.
#define CT_STAGE_TERM(i, vector, stride, lines)                                  \
    ((vector) == 1        ? (i) % (CT_STEP / 4) * 4                              \
         : (vector) == 2  ? (i) / ((lines) / 4)                                  \
         : (stride) == 1  ? (i) % CT_STEP                                        \
                          : (i) / (lines))
#define CT_STAGE_LINE(i, vector, stride, lines)                                  \
    ((vector) == 1        ? (i) / (CT_STEP / 4)                                  \
         : (vector) == 2  ? (i) % ((lines) / 4) * 4                              \
         : (stride) == 1  ? (i) / CT_STEP                                        \
                          : (i) % (lines))

// to[j]: where the line of load j of work-item `id` begins in memory, of the tile whose first line is
// `first` of `all`. Lines beyond the edge repeat the last ones; their results are not stored.
#define CT_STAGE_LINES(to, loads, first, all, vector, stride, lines, X, S)                     \
    for (int j = 0; j < (loads); j++) {                                                        \
        const CT_INT line = min(                                                               \
            (first) + CT_STAGE_LINE(id + j * CT_ITEMS, vector, stride, lines),                 \
            (CT_INT)((all) - ((vector) == 2 ? 4 : 1)));                                        \
        (to)[j] = CT_AT(line, X, S);                                                           \
    }

// SPDX-License-Identifier: Apache-2.0
// What stands for a matrix engine where none came before, one multiply-add of one work-item, so that
// the kernels that use engines compile alone; and what an engine may leave out. engine_end.cl takes
// the names back.
#ifndef EN_TYPE
#define EN_TYPE 0
#define EN_LANES 1
#define EN_M 1
#define EN_N 1
#define EN_K 1
#define EN_A_WORDS 1
#define EN_B_WORDS 1
#define EN_RESULTS 1
#define EN_ROW(lane, i) 0
#define EN_COL(lane, i) 0
#define EN_LOAD_A(to, p, pitch, lane) (to)[0] = (p)[0]
#define EN_LOAD_B(to, p, pitch, lane) (to)[0] = (p)[0]
#define EN_ROUND(x) (x)
#define EN_MAD(d, a, b) (d)[0] = fma(as_float((a)[0]), as_float((b)[0]), (d)[0])
#endif
#ifndef EN_LANE
#define EN_LANE get_local_id(0)
#define EN_SUB get_local_id(1)
#endif
#ifndef EN_ATTRIBUTES
#define EN_ATTRIBUTES
#endif
#ifndef EN_LOCALS
#define EN_LOCALS
#endif

// SPDX-License-Identifier: Apache-2.0
// What every program begins with: the maths of scalar.h and loads and stores of one and of sixteen
// elements of each type. In registers f16 and bf16 are float, i8 is int, a bool is an int of 0 and 1
// (lanes: 0 and -1).
#include "scalar.h"
#include "vector16.cl"

#ifdef WEIR_NO_VECTOR_DEREF
#define WEIR_LOADI16(p) vload16(0, (p))
#define WEIR_LOADU16(p) vload16(0, (p))
#define WEIR_STOREI16(p, x) vstore16((x), 0, (p))
#define WEIR_STOREU16(p, x) vstore16((x), 0, (p))
#else
typedef int16 weir_i16u __attribute__((aligned(4)));
typedef uint16 weir_u16u __attribute__((aligned(4)));
#define WEIR_LOADI16(p) (*(global const weir_i16u *)(p))
#define WEIR_LOADU16(p) (*(global const weir_u16u *)(p))
#define WEIR_STOREI16(p, x) (*(global weir_i16u *)(p) = (x))
#define WEIR_STOREU16(p, x) (*(global weir_u16u *)(p) = (x))
#endif

#define weir_ld_f32(p) (*(p))
#define weir_ld_i32(p) (*(p))
#define weir_ld_u32(p) (*(p))
#define weir_ld_bool(p) weir_load_bool(*(p))
#define weir_ld_f16(p) weir_f16_to_f32(*(p))
#define weir_ld_bf16(p) weir_bf16_to_f32(*(p))
#define weir_ld_i8(p) weir_i8_to_i32(*(p))

#define weir_ldv_f32(p) WEIR_LOAD16(p)
#define weir_ldv_i32(p) WEIR_LOADI16(p)
#define weir_ldv_u32(p) WEIR_LOADU16(p)
#define weir_ldv_bool(p) weir_load_boolv(vload16(0, (p)))
#define weir_ldv_f16(p) weir_f16_to_f32v(vload16(0, (p)))
#define weir_ldv_bf16(p) weir_bf16_to_f32v(vload16(0, (p)))
#define weir_ldv_i8(p) weir_i8_to_i32v(vload16(0, (p)))

#define weir_st_f32(p, x) (*(p) = (x))
#define weir_st_i32(p, x) (*(p) = (x))
#define weir_st_u32(p, x) (*(p) = (x))
#define weir_st_bool(p, x) (*(p) = weir_store_bool(x))
#define weir_st_f16(p, x) (*(p) = weir_f32_to_f16(x))
#define weir_st_bf16(p, x) (*(p) = weir_f32_to_bf16(x))
#define weir_st_i8(p, x) (*(p) = weir_i32_to_i8(x))

#define weir_stv_f32(p, x) WEIR_STORE16(p, x)
#define weir_stv_i32(p, x) WEIR_STOREI16(p, x)
#define weir_stv_u32(p, x) WEIR_STOREU16(p, x)
#define weir_stv_bool(p, x) vstore16(weir_store_boolv(x), 0, (p))
#define weir_stv_f16(p, x) vstore16(weir_f32_to_f16v(x), 0, (p))
#define weir_stv_bf16(p, x) vstore16(weir_f32_to_bf16v(x), 0, (p))
#define weir_stv_i8(p, x) vstore16(weir_i32_to_i8v(x), 0, (p))

// Sixteen elements s apart.
#define WEIR_GATHER16(V, p, s)                                                                   \
    (V)((p)[0], (p)[(s)], (p)[2 * (s)], (p)[3 * (s)], (p)[4 * (s)], (p)[5 * (s)], (p)[6 * (s)],  \
        (p)[7 * (s)], (p)[8 * (s)], (p)[9 * (s)], (p)[10 * (s)], (p)[11 * (s)], (p)[12 * (s)],   \
        (p)[13 * (s)], (p)[14 * (s)], (p)[15 * (s)])
#define weir_ldg_f32(p, s) WEIR_GATHER16(float16, p, s)
#define weir_ldg_i32(p, s) WEIR_GATHER16(int16, p, s)
#define weir_ldg_u32(p, s) WEIR_GATHER16(uint16, p, s)
#define weir_ldg_bool(p, s) weir_load_boolv(WEIR_GATHER16(uchar16, p, s))
#define weir_ldg_f16(p, s) weir_f16_to_f32v(WEIR_GATHER16(ushort16, p, s))
#define weir_ldg_bf16(p, s) weir_bf16_to_f32v(WEIR_GATHER16(ushort16, p, s))
#define weir_ldg_i8(p, s) weir_i8_to_i32v(WEIR_GATHER16(char16, p, s))

#define WEIR_LANES ((int16)(0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15))

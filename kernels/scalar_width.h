// SPDX-License-Identifier: Apache-2.0
// The words of the template (scalar.h) for one width: WEIR_V 1 scalar, 16 vector, 0 none (clean
// up).
//
// VF VI VU are float, int, uint of this width; VH VC VO ushort, char, uchar (memory only). A bool
// is a VI. VN(name) is the function's name at this width; KF KI KU make constants.
#undef VF
#undef VI
#undef VU
#undef VH
#undef VC
#undef VO
#undef VN
#undef KF
#undef KI
#undef KU
#undef AS_F
#undef AS_I
#undef AS_U
#undef TO_F
#undef TO_I
#undef TO_U
#undef TO_H
#undef TO_C
#undef TO_O
#undef I_TO_U
#undef U_TO_I
#undef WEIR_FMA
#undef WEIR_DIV
#undef WEIR_SQRT

#if WEIR_V == 1

#define VF weir_f
#define VI weir_i
#define VU weir_u
#define VH weir_h
#define VC weir_c
#define VO weir_o
#define VN(name) weir_##name
#define AS_F(x) weir_as_f(x)
#define AS_I(x) weir_as_i(x)
#define AS_U(x) weir_as_u(x)
#define TO_F(x) ((weir_f)(x))
#define TO_I(x) ((weir_i)(x))
#define TO_U(x) ((weir_u)(x))
#define TO_H(x) ((weir_h)(x))
#define TO_C(x) ((weir_c)(x))
#define TO_O(x) ((weir_o)(x))
#define I_TO_U(x) ((weir_u)(x))
#define U_TO_I(x) ((weir_i)(x))

#elif WEIR_V == 16

#define VF float16
#define VI int16
#define VU uint16
#define VH ushort16
#define VC char16
#define VO uchar16
#define VN(name) weir_##name##v
#define AS_F(x) as_float16(x)
#define AS_I(x) as_int16(x)
#define AS_U(x) as_uint16(x)
#define TO_F(x) convert_float16(x)
#define TO_I(x) convert_int16(x)
#define TO_U(x) convert_uint16(x)
#define TO_H(x) convert_ushort16(x)
#define TO_C(x) convert_char16(x)
#define TO_O(x) convert_uchar16(x)
#define I_TO_U(x) as_uint16(x)
#define U_TO_I(x) as_int16(x)

#endif

#if WEIR_V
#define KF(x) ((VF)(x))
#define KI(x) ((VI)(x))
#define KU(x) ((VU)(x))

#ifdef WEIR_SOFT_FMA
#define WEIR_FMA(a, b, c) VN(soft_fma_f)(a, b, c)
#else
#define WEIR_FMA(a, b, c) weir_hw_fma(a, b, c)
#endif
#ifdef WEIR_SOFT_DIV
#define WEIR_DIV(a, b) VN(soft_div_f)(a, b)
#define WEIR_SQRT(x) VN(soft_sqrt_f)(x)
#else
#define WEIR_DIV(a, b) ((a) / (b))
#define WEIR_SQRT(x) weir_hw_sqrt(x)
#endif
#endif

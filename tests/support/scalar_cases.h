// SPDX-License-Identifier: Apache-2.0
// Every function of kernels/scalar.h as CASE(id, kind, expression), for comparing its builds. The
// same text is compiled as C and, by #expression, as OpenCL C for one and for sixteen lanes.
//
// N(name) is the function at the width at hand. The inputs are A B C (float), IA IB (int), UA UB UC
// (uint), BA BB (bool: odd), HA (ushort), CA (char); kind f, i, u, b is the result's type, h
// ushort.
#ifndef WEIR_TESTS_SCALAR_CASES_H
#define WEIR_TESTS_SCALAR_CASES_H

#define SCALAR_CASES_FLOAT(CASE)                                                                   \
    CASE(neg, f, N(neg_f)(A))                                                                      \
    CASE(abs, f, N(abs_f)(A))                                                                      \
    CASE(exp, f, N(exp_f)(A))                                                                      \
    CASE(expm1, f, N(expm1_f)(A))                                                                  \
    CASE(log, f, N(log_f)(A))                                                                      \
    CASE(log1p, f, N(log1p_f)(A))                                                                  \
    CASE(sin, f, N(sin_f)(A))                                                                      \
    CASE(cos, f, N(cos_f)(A))                                                                      \
    CASE(tanh, f, N(tanh_f)(A))                                                                    \
    CASE(erf, f, N(erf_f)(A))                                                                      \
    CASE(erfinv, f, N(erfinv_f)(A))                                                                \
    CASE(sigmoid, f, N(sigmoid_f)(A))                                                              \
    CASE(softplus, f, N(softplus_f)(A))                                                            \
    CASE(sqrt, f, N(sqrt_f)(A))                                                                    \
    CASE(rsqrt, f, N(rsqrt_f)(A))                                                                  \
    CASE(square, f, N(square_f)(A))                                                                \
    CASE(reciprocal, f, N(reciprocal_f)(A))                                                        \
    CASE(floor, f, N(floor_f)(A))                                                                  \
    CASE(ceil, f, N(ceil_f)(A))                                                                    \
    CASE(rint, f, N(rint_f)(A))                                                                    \
    CASE(sign, f, N(sign_f)(A))                                                                    \
    CASE(lgamma, f, N(lgamma_f)(A))                                                                \
    CASE(digamma, f, N(digamma_f)(A))                                                              \
    CASE(i0e, f, N(i0e_f)(A))                                                                      \
    CASE(is_finite, b, N(is_finite_f)(A))                                                          \
    CASE(add, f, N(add_f)(A, B))                                                                   \
    CASE(sub, f, N(sub_f)(A, B))                                                                   \
    CASE(mul, f, N(mul_f)(A, B))                                                                   \
    CASE(div, f, N(div_f)(A, B))                                                                   \
    CASE(min, f, N(min_f)(A, B))                                                                   \
    CASE(max, f, N(max_f)(A, B))                                                                   \
    CASE(mod, f, N(mod_f)(A, B))                                                                   \
    CASE(pow, f, N(pow_f)(A, B))                                                                   \
    CASE(atan2, f, N(atan2_f)(A, B))                                                               \
    CASE(igamma, f, N(igamma_f)(A, B))                                                             \
    CASE(copysign, f, N(copysign_f)(A, B))                                                         \
    CASE(fma, f, N(fma_f)(A, B, C))                                                                \
    CASE(select, f, N(select_f)(BA, B, C))                                                         \
    CASE(eq, b, N(eq_f)(A, B))                                                                     \
    CASE(ne, b, N(ne_f)(A, B))                                                                     \
    CASE(lt, b, N(lt_f)(A, B))                                                                     \
    CASE(le, b, N(le_f)(A, B))                                                                     \
    CASE(gt, b, N(gt_f)(A, B))                                                                     \
    CASE(ge, b, N(ge_f)(A, B))                                                                     \
    CASE(f2i, i, N(f2i)(A))                                                                        \
    CASE(f2u, u, N(f2u)(A))                                                                        \
    CASE(f2b, b, N(f2b)(A))                                                                        \
    CASE(i2f, f, N(i2f)(IA))                                                                       \
    CASE(u2f, f, N(u2f)(UA))                                                                       \
    CASE(b2f, f, N(b2f)(BA))                                                                       \
    CASE(round_f16, f, N(round_f16)(A))                                                            \
    CASE(round_bf16, f, N(round_bf16)(A))                                                          \
    CASE(f32_to_f16, h, N(f32_to_f16)(A))                                                          \
    CASE(f32_to_bf16, h, N(f32_to_bf16)(A))                                                        \
    CASE(f16_to_f32, f, N(f16_to_f32)(HA))                                                         \
    CASE(bf16_to_f32, f, N(bf16_to_f32)(HA))                                                       \
    CASE(canon, f, N(canon_f)(A))                                                                  \
    CASE(word_uniform, f, N(word_uniform)(UA))                                                     \
    CASE(random_normal, f, N(random_normal_f)(UA, UB, UC, UB ^ UA, UC, UA))

#define SCALAR_CASES_INT(CASE)                                                                     \
    CASE(add_i, i, N(add_i)(IA, IB))                                                               \
    CASE(sub_i, i, N(sub_i)(IA, IB))                                                               \
    CASE(mul_i, i, N(mul_i)(IA, IB))                                                               \
    CASE(div_i, i, N(div_i)(IA, IB))                                                               \
    CASE(mod_i, i, N(mod_i)(IA, IB))                                                               \
    CASE(min_i, i, N(min_i)(IA, IB))                                                               \
    CASE(max_i, i, N(max_i)(IA, IB))                                                               \
    CASE(neg_i, i, N(neg_i)(IA))                                                                   \
    CASE(abs_i, i, N(abs_i)(IA))                                                                   \
    CASE(square_i, i, N(square_i)(IA))                                                             \
    CASE(sign_i, i, N(sign_i)(IA))                                                                 \
    CASE(eq_i, b, N(eq_i)(IA, IB))                                                                 \
    CASE(ne_i, b, N(ne_i)(IA, IB))                                                                 \
    CASE(lt_i, b, N(lt_i)(IA, IB))                                                                 \
    CASE(le_i, b, N(le_i)(IA, IB))                                                                 \
    CASE(gt_i, b, N(gt_i)(IA, IB))                                                                 \
    CASE(ge_i, b, N(ge_i)(IA, IB))                                                                 \
    CASE(and_i, i, N(and_i)(IA, IB))                                                               \
    CASE(or_i, i, N(or_i)(IA, IB))                                                                 \
    CASE(xor_i, i, N(xor_i)(IA, IB))                                                               \
    CASE(not_i, i, N(not_i)(IA))                                                                   \
    CASE(shl_i, i, N(shl_i)(IA, IB))                                                               \
    CASE(shr_i, i, N(shr_i)(IA, IB))                                                               \
    CASE(select_i, i, N(select_i)(BA, IA, IB))                                                     \
    CASE(add_u, u, N(add_u)(UA, UB))                                                               \
    CASE(sub_u, u, N(sub_u)(UA, UB))                                                               \
    CASE(mul_u, u, N(mul_u)(UA, UB))                                                               \
    CASE(div_u, u, N(div_u)(UA, UB))                                                               \
    CASE(mod_u, u, N(mod_u)(UA, UB))                                                               \
    CASE(min_u, u, N(min_u)(UA, UB))                                                               \
    CASE(max_u, u, N(max_u)(UA, UB))                                                               \
    CASE(square_u, u, N(square_u)(UA))                                                             \
    CASE(eq_u, b, N(eq_u)(UA, UB))                                                                 \
    CASE(ne_u, b, N(ne_u)(UA, UB))                                                                 \
    CASE(lt_u, b, N(lt_u)(UA, UB))                                                                 \
    CASE(le_u, b, N(le_u)(UA, UB))                                                                 \
    CASE(gt_u, b, N(gt_u)(UA, UB))                                                                 \
    CASE(ge_u, b, N(ge_u)(UA, UB))                                                                 \
    CASE(and_u, u, N(and_u)(UA, UB))                                                               \
    CASE(or_u, u, N(or_u)(UA, UB))                                                                 \
    CASE(xor_u, u, N(xor_u)(UA, UB))                                                               \
    CASE(not_u, u, N(not_u)(UA))                                                                   \
    CASE(shl_u, u, N(shl_u)(UA, UB))                                                               \
    CASE(shr_u, u, N(shr_u)(UA, UB))                                                               \
    CASE(select_u, u, N(select_u)(BA, UA, UB))                                                     \
    CASE(and_b, b, N(and_b)(BA, BB))                                                               \
    CASE(or_b, b, N(or_b)(BA, BB))                                                                 \
    CASE(xor_b, b, N(xor_b)(BA, BB))                                                               \
    CASE(not_b, b, N(not_b)(BA))                                                                   \
    CASE(eq_b, b, N(eq_b)(BA, BB))                                                                 \
    CASE(ne_b, b, N(ne_b)(BA, BB))                                                                 \
    CASE(select_b, b, N(select_b)(BA, BB, N(not_b)(BB)))                                           \
    CASE(i2u, u, N(i2u)(IA))                                                                       \
    CASE(u2i, i, N(u2i)(UA))                                                                       \
    CASE(b2i, i, N(b2i)(BA))                                                                       \
    CASE(b2u, u, N(b2u)(BA))                                                                       \
    CASE(i2b, b, N(i2b)(IA))                                                                       \
    CASE(u2b, b, N(u2b)(UA))                                                                       \
    CASE(i8_to_i32, i, N(i8_to_i32)(CA))                                                           \
    CASE(i32_to_i8, i, N(i8_to_i32)(N(i32_to_i8)(IA)))                                             \
    CASE(random_word, u, N(random_word)(UA, UB, UC, UA ^ UC, UB, UC))

#endif

// SPDX-License-Identifier: Apache-2.0
// Operations. Exact bits of each are defined in docs/numerics.md; every one is differentiable by
// weir_grad and weir_jvp unless its line says so. Binary operations broadcast as NumPy does.
// Errors stick to the graph (graph.h). An axis may be negative (counted from the end).
#ifndef WEIR_OPS_H
#define WEIR_OPS_H

#include "weir/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

// A set of axes: weir_axes(1, 2), weir_all_axes.
struct weir_axes {
    int n;
    int axis[WEIR_MAX_RANK];
};
#define weir_axes(...)                                                    \
    ((struct weir_axes) { (int)(sizeof((int[]) { __VA_ARGS__ }) / sizeof(int)), { __VA_ARGS__ } })
#define weir_all_axes ((struct weir_axes) { -1, { 0 } })

// --- map, one argument. f32; neg abs square sign also i32. ---
weir_value *weir_neg(weir_value *x);
weir_value *weir_abs(weir_value *x);
weir_value *weir_exp(weir_value *x);
weir_value *weir_expm1(weir_value *x);
weir_value *weir_log(weir_value *x);
weir_value *weir_log1p(weir_value *x);
weir_value *weir_sin(weir_value *x);
weir_value *weir_cos(weir_value *x);
weir_value *weir_tanh(weir_value *x);
weir_value *weir_erf(weir_value *x);
weir_value *weir_erfinv(weir_value *x);
weir_value *weir_sigmoid(weir_value *x);
weir_value *weir_softplus(weir_value *x);
weir_value *weir_sqrt(weir_value *x);
weir_value *weir_rsqrt(weir_value *x);
weir_value *weir_square(weir_value *x);
weir_value *weir_reciprocal(weir_value *x);
weir_value *weir_floor(weir_value *x);
weir_value *weir_ceil(weir_value *x);
weir_value *weir_rint(weir_value *x);
weir_value *weir_sign(weir_value *x);
weir_value *weir_lgamma(weir_value *x);
weir_value *weir_digamma(weir_value *x); // not differentiable (polygamma is not a primitive)
weir_value *weir_i0e(weir_value *x);
weir_value *weir_is_finite(weir_value *x); // bool
weir_value *weir_not(weir_value *x);       // bool, i32, u32

// --- map, two arguments. add..mod: f32, i32, u32. ---
weir_value *weir_add(weir_value *a, weir_value *b); // contracts: docs/numerics.md
weir_value *weir_sub(weir_value *a, weir_value *b); // contracts
weir_value *weir_mul(weir_value *a, weir_value *b);
weir_value *weir_div(weir_value *a, weir_value *b);
weir_value *weir_min(weir_value *a, weir_value *b);
weir_value *weir_max(weir_value *a, weir_value *b);
weir_value *weir_mod(weir_value *a, weir_value *b); // floored
weir_value *weir_pow(weir_value *a, weir_value *b);
weir_value *weir_atan2(weir_value *a, weir_value *b);
weir_value *weir_igamma(weir_value *a, weir_value *x); // differentiable in x
weir_value *weir_eq(weir_value *a, weir_value *b);     // compares: bool, also of bools for eq, ne
weir_value *weir_ne(weir_value *a, weir_value *b);
weir_value *weir_lt(weir_value *a, weir_value *b);
weir_value *weir_le(weir_value *a, weir_value *b);
weir_value *weir_gt(weir_value *a, weir_value *b);
weir_value *weir_ge(weir_value *a, weir_value *b);
weir_value *weir_and(weir_value *a, weir_value *b); // bool, i32, u32
weir_value *weir_or(weir_value *a, weir_value *b);
weir_value *weir_xor(weir_value *a, weir_value *b);
weir_value *weir_shl(weir_value *a, weir_value *b); // i32, u32; by b mod 32
weir_value *weir_shr(weir_value *a, weir_value *b);

// --- map, three arguments ---
weir_value *weir_fma(weir_value *a, weir_value *b, weir_value *c);         // a*b + c, one rounding
weir_value *weir_select(weir_value *cond, weir_value *a, weir_value *b);   // cond ? a : b
weir_value *weir_cast(weir_value *x, enum weir_dtype dtype);

// With a constant second operand (f32).
weir_value *weir_add_c(weir_value *x, double c);
weir_value *weir_mul_c(weir_value *x, double c);

// --- reductions over a set of axes; keep = reduced axes stay with size 1 ---
weir_value *weir_sum(weir_value *x, struct weir_axes axes, bool keep);  // f32, i32, u32
weir_value *weir_mean(weir_value *x, struct weir_axes axes, bool keep); // sum * (1/n), 1/n rounded to f32
weir_value *weir_reduce_max(weir_value *x, struct weir_axes axes, bool keep);
weir_value *weir_reduce_min(weir_value *x, struct weir_axes axes, bool keep);
weir_value *weir_any(weir_value *x, struct weir_axes axes, bool keep); // bool
weir_value *weir_all(weir_value *x, struct weir_axes axes, bool keep); // bool
weir_value *weir_argmax(weir_value *x, int axis, bool keep); // i32
weir_value *weir_argmin(weir_value *x, int axis, bool keep); // i32
weir_value *weir_cumsum(weir_value *x, int axis);            // f32, i32, u32

// --- views: free ---
weir_value *weir_reshape(weir_value *x, struct weir_shape shape); // one extent may be -1
weir_value *weir_permute(weir_value *x, const int *perm);         // rank entries: out axis i = in axis perm[i]
weir_value *weir_transpose(weir_value *x, int a, int b);
weir_value *weir_broadcast(weir_value *x, struct weir_shape shape); // as NumPy
weir_value *weir_slice(weir_value *x, int axis, int64_t start, int64_t stop, int64_t step); // step > 0; stop may be INT64_MAX
weir_value *weir_flip(weir_value *x, int axis);

// --- move ---
weir_value *weir_pad(weir_value *x, const int64_t *lo, const int64_t *hi, const int64_t *interior, double value); // rank entries each, >= 0; NULL = zeros
weir_value *weir_concat(weir_value *const *x, int n, int axis);
weir_value *weir_iota(weir_graph *g, enum weir_dtype dtype, struct weir_shape shape, int axis); // f32, i32, u32
// take: x's axis replaced by idx's axes (embedding lookup at axis 0). Indices clamp.
weir_value *weir_take(weir_value *x, weir_value *idx, int axis);
// take_along: idx has x's rank; out[i..] = x[.. idx[i..] ..] along axis.
weir_value *weir_take_along(weir_value *x, weir_value *idx, int axis);
// base with updates added (scatter_add) or stored (scatter), in index order; out of range drops.
// updates have the shape weir_take(base, idx, axis) would have; idx is i32 of any shape.
weir_value *weir_scatter_add(weir_value *base, weir_value *idx, weir_value *updates, int axis);
weir_value *weir_scatter(weir_value *base, weir_value *idx, weir_value *updates, int axis);
weir_value *weir_scatter_add_along(weir_value *base, weir_value *idx, weir_value *updates, int axis);
weir_value *weir_dynamic_slice(weir_value *x, weir_value *start, const int64_t *size); // start i32 (rank), clamped
weir_value *weir_dynamic_update(weir_value *x, weir_value *update, weir_value *start);
weir_value *weir_one_hot(weir_value *idx, int64_t n);  // f32, new last axis
weir_value *weir_sort(weir_value *x, int axis);        // ascending, stable, NaN last
weir_value *weir_argsort(weir_value *x, int axis);     // i32

// --- contract ---
// Batched a (.., M, K) · b (.., K, N) -> (.., M, N); ta: a is (.., K, M); tb: b is (.., N, K). Batch axes
// broadcast. f32, or both i8 with an i32 result. f16 and bf16 operands, of this and of the convolutions, widen
// exactly to f32, in which the sum and the result are; an f32 operand beside one is rounded to its type.
weir_value *weir_matmul(weir_value *a, weir_value *b, bool ta, bool tb);

// Convolution of x (N, spatial.., C) with w (O, kernel.., C/groups) -> (N, out.., O); 1 to 3 spatial
// axes. out = (in + lo + hi - dilation (kernel - 1) - 1) / stride + 1. Zeroed params are the defaults.
struct weir_conv_params {
    int64_t stride[3];   // 0 = 1
    int64_t dilation[3]; // 0 = 1
    int64_t pad_lo[3], pad_hi[3];
    int64_t groups;      // 0 = 1
};
weir_value *weir_conv(weir_value *x, weir_value *w, const struct weir_conv_params *params); // NULL = defaults
// Gradients of weir_conv, also the transposed convolution: dx (N, size.., C) from dy (N, out.., O).
weir_value *weir_conv_input_grad(weir_value *dy, weir_value *w, const int64_t *size, const struct weir_conv_params *params);
// dw (O, kernel.., C/groups) from x and dy.
weir_value *weir_conv_weight_grad(weir_value *x, weir_value *dy, const int64_t *kernel, const struct weir_conv_params *params);
// Pooling over the spatial axes of x (N, spatial.., C): window w, stride, padding (max: -inf; mean: counts w).
weir_value *weir_max_pool(weir_value *x, const int64_t *window, const int64_t *stride, const int64_t *pad);
weir_value *weir_mean_pool(weir_value *x, const int64_t *window, const int64_t *stride, const int64_t *pad);

// --- linear algebra, batched over leading axes ---
weir_value *weir_cholesky(weir_value *a); // lower
weir_value *weir_triangular_solve(weir_value *a, weir_value *b, bool lower, bool transpose, bool unit); // a x = b
weir_value *weir_lu(weir_value *a, weir_value **pivots); // packed L\U; pivots i32 (.., n): row swapped at step k
weir_value *weir_log_det(weir_value *a, weir_value **sign); // through LU; sign may be NULL
weir_value *weir_fft(weir_value *x, bool inverse); // x (.., n, 2): complex as a trailing axis of 2; inverse divides by n

// --- random: docs/numerics.md. Axis 0 is the row. seed u32 (2), or (rows, 2): then a row's numbers do not
// depend on its place; step, row0 u32 scalars. ---
weir_value *weir_random_bits(weir_value *seed, weir_value *step, weir_value *row0, struct weir_shape shape, const char *stream);
weir_value *weir_random_uniform(weir_value *seed, weir_value *step, weir_value *row0, struct weir_shape shape, const char *stream);
weir_value *weir_random_normal(weir_value *seed, weir_value *step, weir_value *row0, struct weir_shape shape, const char *stream);
// i32 (rows): an index drawn with probability softmax(logits (rows, n)).
weir_value *weir_categorical(weir_value *logits, weir_value *seed, weir_value *step, weir_value *row0, const char *stream);

// --- composites ---
weir_value *weir_softmax(weir_value *x, int axis);
weir_value *weir_log_softmax(weir_value *x, int axis);
weir_value *weir_logsumexp(weir_value *x, int axis, bool keep);
weir_value *weir_silu(weir_value *x);
weir_value *weir_relu(weir_value *x);
weir_value *weir_gelu(weir_value *x);      // erf form
weir_value *weir_gelu_tanh(weir_value *x); // tanh form
// y = (x - mean) / sqrt(var + eps) * gamma + beta, biased variance. gamma, beta (C) or NULL.
weir_value *weir_layer_norm(weir_value *x, weir_value *gamma, weir_value *beta, double eps); // last axis
weir_value *weir_rms_norm(weir_value *x, weir_value *gamma, double eps);                     // last axis
weir_value *weir_group_norm(weir_value *x, int groups, weir_value *gamma, weir_value *beta, double eps); // (N, .., C)
weir_value *weir_instance_norm(weir_value *x, weir_value *gamma, weir_value *beta, double eps); // (N, .., C)
// softmax(scale q·kᵀ + mask) v.  q (.., n, d)  k (.., m, d)  v (.., m, e); mask bool (.., n, m) or NULL:
// false = masked; a row without an unmasked key gives 0. scale 0 = 1/sqrt(d). f16 or bf16 q, k, v give that type.
weir_value *weir_attention(weir_value *q, weir_value *k, weir_value *v, weir_value *mask, double scale);
weir_value *weir_mse(weir_value *a, weir_value *b);                    // scalar mean of squares
weir_value *weir_cross_entropy(weir_value *logits, weir_value *label); // (rows, n), i32 (rows) -> (rows)

// Host work inside a program: fn reads inputs and fills outputs (contiguous host memory). Not differentiable.
typedef enum weir_status weir_host_call_fn(void *ctx, const void *const *in, void *const *out);
weir_value *weir_host_call(weir_graph *g, weir_host_call_fn *fn, void *ctx, weir_value *const *in, int n_in,
                           enum weir_dtype dtype, struct weir_shape shape);

#ifdef __cplusplus
}
#endif
// The call site: with these macros an error names the line of the caller's file that built the value
// (weir_at). A function's address is still taken by its plain name. WEIR_NO_SITES turns them off.
#ifndef WEIR_NO_SITES
#define WEIR_AT_(call) (weir_at(__FILE__, __LINE__), call)
#define weir_neg(...) WEIR_AT_(weir_neg(__VA_ARGS__))
#define weir_abs(...) WEIR_AT_(weir_abs(__VA_ARGS__))
#define weir_exp(...) WEIR_AT_(weir_exp(__VA_ARGS__))
#define weir_expm1(...) WEIR_AT_(weir_expm1(__VA_ARGS__))
#define weir_log(...) WEIR_AT_(weir_log(__VA_ARGS__))
#define weir_log1p(...) WEIR_AT_(weir_log1p(__VA_ARGS__))
#define weir_sin(...) WEIR_AT_(weir_sin(__VA_ARGS__))
#define weir_cos(...) WEIR_AT_(weir_cos(__VA_ARGS__))
#define weir_tanh(...) WEIR_AT_(weir_tanh(__VA_ARGS__))
#define weir_erf(...) WEIR_AT_(weir_erf(__VA_ARGS__))
#define weir_erfinv(...) WEIR_AT_(weir_erfinv(__VA_ARGS__))
#define weir_sigmoid(...) WEIR_AT_(weir_sigmoid(__VA_ARGS__))
#define weir_softplus(...) WEIR_AT_(weir_softplus(__VA_ARGS__))
#define weir_sqrt(...) WEIR_AT_(weir_sqrt(__VA_ARGS__))
#define weir_rsqrt(...) WEIR_AT_(weir_rsqrt(__VA_ARGS__))
#define weir_square(...) WEIR_AT_(weir_square(__VA_ARGS__))
#define weir_reciprocal(...) WEIR_AT_(weir_reciprocal(__VA_ARGS__))
#define weir_floor(...) WEIR_AT_(weir_floor(__VA_ARGS__))
#define weir_ceil(...) WEIR_AT_(weir_ceil(__VA_ARGS__))
#define weir_rint(...) WEIR_AT_(weir_rint(__VA_ARGS__))
#define weir_sign(...) WEIR_AT_(weir_sign(__VA_ARGS__))
#define weir_lgamma(...) WEIR_AT_(weir_lgamma(__VA_ARGS__))
#define weir_digamma(...) WEIR_AT_(weir_digamma(__VA_ARGS__))
#define weir_i0e(...) WEIR_AT_(weir_i0e(__VA_ARGS__))
#define weir_is_finite(...) WEIR_AT_(weir_is_finite(__VA_ARGS__))
#define weir_not(...) WEIR_AT_(weir_not(__VA_ARGS__))
#define weir_add(...) WEIR_AT_(weir_add(__VA_ARGS__))
#define weir_sub(...) WEIR_AT_(weir_sub(__VA_ARGS__))
#define weir_mul(...) WEIR_AT_(weir_mul(__VA_ARGS__))
#define weir_div(...) WEIR_AT_(weir_div(__VA_ARGS__))
#define weir_min(...) WEIR_AT_(weir_min(__VA_ARGS__))
#define weir_max(...) WEIR_AT_(weir_max(__VA_ARGS__))
#define weir_mod(...) WEIR_AT_(weir_mod(__VA_ARGS__))
#define weir_pow(...) WEIR_AT_(weir_pow(__VA_ARGS__))
#define weir_atan2(...) WEIR_AT_(weir_atan2(__VA_ARGS__))
#define weir_igamma(...) WEIR_AT_(weir_igamma(__VA_ARGS__))
#define weir_eq(...) WEIR_AT_(weir_eq(__VA_ARGS__))
#define weir_ne(...) WEIR_AT_(weir_ne(__VA_ARGS__))
#define weir_lt(...) WEIR_AT_(weir_lt(__VA_ARGS__))
#define weir_le(...) WEIR_AT_(weir_le(__VA_ARGS__))
#define weir_gt(...) WEIR_AT_(weir_gt(__VA_ARGS__))
#define weir_ge(...) WEIR_AT_(weir_ge(__VA_ARGS__))
#define weir_and(...) WEIR_AT_(weir_and(__VA_ARGS__))
#define weir_or(...) WEIR_AT_(weir_or(__VA_ARGS__))
#define weir_xor(...) WEIR_AT_(weir_xor(__VA_ARGS__))
#define weir_shl(...) WEIR_AT_(weir_shl(__VA_ARGS__))
#define weir_shr(...) WEIR_AT_(weir_shr(__VA_ARGS__))
#define weir_fma(...) WEIR_AT_(weir_fma(__VA_ARGS__))
#define weir_select(...) WEIR_AT_(weir_select(__VA_ARGS__))
#define weir_cast(...) WEIR_AT_(weir_cast(__VA_ARGS__))
#define weir_add_c(...) WEIR_AT_(weir_add_c(__VA_ARGS__))
#define weir_mul_c(...) WEIR_AT_(weir_mul_c(__VA_ARGS__))
#define weir_sum(...) WEIR_AT_(weir_sum(__VA_ARGS__))
#define weir_mean(...) WEIR_AT_(weir_mean(__VA_ARGS__))
#define weir_reduce_max(...) WEIR_AT_(weir_reduce_max(__VA_ARGS__))
#define weir_reduce_min(...) WEIR_AT_(weir_reduce_min(__VA_ARGS__))
#define weir_any(...) WEIR_AT_(weir_any(__VA_ARGS__))
#define weir_all(...) WEIR_AT_(weir_all(__VA_ARGS__))
#define weir_argmax(...) WEIR_AT_(weir_argmax(__VA_ARGS__))
#define weir_argmin(...) WEIR_AT_(weir_argmin(__VA_ARGS__))
#define weir_cumsum(...) WEIR_AT_(weir_cumsum(__VA_ARGS__))
#define weir_reshape(...) WEIR_AT_(weir_reshape(__VA_ARGS__))
#define weir_permute(...) WEIR_AT_(weir_permute(__VA_ARGS__))
#define weir_transpose(...) WEIR_AT_(weir_transpose(__VA_ARGS__))
#define weir_broadcast(...) WEIR_AT_(weir_broadcast(__VA_ARGS__))
#define weir_slice(...) WEIR_AT_(weir_slice(__VA_ARGS__))
#define weir_flip(...) WEIR_AT_(weir_flip(__VA_ARGS__))
#define weir_pad(...) WEIR_AT_(weir_pad(__VA_ARGS__))
#define weir_concat(...) WEIR_AT_(weir_concat(__VA_ARGS__))
#define weir_iota(...) WEIR_AT_(weir_iota(__VA_ARGS__))
#define weir_take(...) WEIR_AT_(weir_take(__VA_ARGS__))
#define weir_take_along(...) WEIR_AT_(weir_take_along(__VA_ARGS__))
#define weir_scatter_add(...) WEIR_AT_(weir_scatter_add(__VA_ARGS__))
#define weir_scatter(...) WEIR_AT_(weir_scatter(__VA_ARGS__))
#define weir_scatter_add_along(...) WEIR_AT_(weir_scatter_add_along(__VA_ARGS__))
#define weir_dynamic_slice(...) WEIR_AT_(weir_dynamic_slice(__VA_ARGS__))
#define weir_dynamic_update(...) WEIR_AT_(weir_dynamic_update(__VA_ARGS__))
#define weir_one_hot(...) WEIR_AT_(weir_one_hot(__VA_ARGS__))
#define weir_sort(...) WEIR_AT_(weir_sort(__VA_ARGS__))
#define weir_argsort(...) WEIR_AT_(weir_argsort(__VA_ARGS__))
#define weir_matmul(...) WEIR_AT_(weir_matmul(__VA_ARGS__))
#define weir_conv(...) WEIR_AT_(weir_conv(__VA_ARGS__))
#define weir_conv_input_grad(...) WEIR_AT_(weir_conv_input_grad(__VA_ARGS__))
#define weir_conv_weight_grad(...) WEIR_AT_(weir_conv_weight_grad(__VA_ARGS__))
#define weir_max_pool(...) WEIR_AT_(weir_max_pool(__VA_ARGS__))
#define weir_mean_pool(...) WEIR_AT_(weir_mean_pool(__VA_ARGS__))
#define weir_cholesky(...) WEIR_AT_(weir_cholesky(__VA_ARGS__))
#define weir_triangular_solve(...) WEIR_AT_(weir_triangular_solve(__VA_ARGS__))
#define weir_lu(...) WEIR_AT_(weir_lu(__VA_ARGS__))
#define weir_log_det(...) WEIR_AT_(weir_log_det(__VA_ARGS__))
#define weir_fft(...) WEIR_AT_(weir_fft(__VA_ARGS__))
#define weir_random_bits(...) WEIR_AT_(weir_random_bits(__VA_ARGS__))
#define weir_random_uniform(...) WEIR_AT_(weir_random_uniform(__VA_ARGS__))
#define weir_random_normal(...) WEIR_AT_(weir_random_normal(__VA_ARGS__))
#define weir_categorical(...) WEIR_AT_(weir_categorical(__VA_ARGS__))
#define weir_softmax(...) WEIR_AT_(weir_softmax(__VA_ARGS__))
#define weir_log_softmax(...) WEIR_AT_(weir_log_softmax(__VA_ARGS__))
#define weir_logsumexp(...) WEIR_AT_(weir_logsumexp(__VA_ARGS__))
#define weir_silu(...) WEIR_AT_(weir_silu(__VA_ARGS__))
#define weir_relu(...) WEIR_AT_(weir_relu(__VA_ARGS__))
#define weir_gelu(...) WEIR_AT_(weir_gelu(__VA_ARGS__))
#define weir_gelu_tanh(...) WEIR_AT_(weir_gelu_tanh(__VA_ARGS__))
#define weir_layer_norm(...) WEIR_AT_(weir_layer_norm(__VA_ARGS__))
#define weir_rms_norm(...) WEIR_AT_(weir_rms_norm(__VA_ARGS__))
#define weir_group_norm(...) WEIR_AT_(weir_group_norm(__VA_ARGS__))
#define weir_instance_norm(...) WEIR_AT_(weir_instance_norm(__VA_ARGS__))
#define weir_attention(...) WEIR_AT_(weir_attention(__VA_ARGS__))
#define weir_mse(...) WEIR_AT_(weir_mse(__VA_ARGS__))
#define weir_cross_entropy(...) WEIR_AT_(weir_cross_entropy(__VA_ARGS__))
#define weir_host_call(...) WEIR_AT_(weir_host_call(__VA_ARGS__))
#endif

#endif

// SPDX-License-Identifier: Apache-2.0
// The only place for compiler extensions.
#ifndef WEIR_BASE_COMPILER_H
#define WEIR_BASE_COMPILER_H

#if defined(__GNUC__)
#define WEIR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define WEIR_UNUSED __attribute__((unused))
#define WEIR_THREAD_LOCAL __thread
#define WEIR_INLINE inline __attribute__((always_inline))
#else
#define WEIR_PRINTF(fmt, args)
#define WEIR_UNUSED
#define WEIR_THREAD_LOCAL _Thread_local
#define WEIR_INLINE inline
#endif

// The x86-64 micro-architecture level of this CPU (v4 = AVX-512, v3 = AVX2 and FMA), 1 elsewhere.
static inline int weir_x86_level(void)
{
#if defined(__GNUC__) && defined(__x86_64__)
    if (!__builtin_cpu_supports("avx2") || !__builtin_cpu_supports("fma") ||
        !__builtin_cpu_supports("bmi2"))
        return 1;
    return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                   __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") &&
                   __builtin_cpu_supports("avx512cd")
               ? 4
               : 3;
#else
    return 1;
#endif
}

#define WEIR_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif

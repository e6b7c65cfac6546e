// SPDX-License-Identifier: Apache-2.0
// The only place for compiler extensions.
#ifndef WEIR_BASE_COMPILER_H
#define WEIR_BASE_COMPILER_H

#if defined(__GNUC__)
#define WEIR_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#define WEIR_UNUSED __attribute__((unused))
#define WEIR_THREAD_LOCAL __thread
#else
#define WEIR_PRINTF(fmt, args)
#define WEIR_UNUSED
#define WEIR_THREAD_LOCAL _Thread_local
#endif

#define WEIR_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif

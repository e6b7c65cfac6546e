// SPDX-License-Identifier: Apache-2.0
// Element types of files: look-up by name, and sizes that cannot overflow.
#ifndef WEIR_DATA_DTYPE_H
#define WEIR_DATA_DTYPE_H

#include <stdbool.h>

#include "base/log.h"
#include "weir/formats.h"

// By safetensors' word or by NumPy's; WEIR_N_FILE_DTYPES when unknown.
enum weir_file_dtype weir_file_dtype_find(const char *name);
enum weir_file_dtype weir_file_dtype_find_numpy(const char *word, size_t n);
const char *weir_file_dtype_numpy(enum weir_file_dtype dtype); // "" = NumPy has none

// Bytes of an array; false when an extent is negative or the product does not fit.
bool weir_file_array_size(enum weir_file_dtype dtype, const struct weir_shape *shape, size_t *size);

// "(3, 28, 28)" into dst, always terminated; returns dst.
char *weir_file_shape_text(const struct weir_shape *shape, char *dst, size_t n);

// Bytes of an array given to a writer. INVALID when `size` is neither 0 nor what the shape says.
enum weir_status weir_file_array_check(const struct weir_log *log,
                                       const struct weir_file_array *array, size_t *size);

#endif

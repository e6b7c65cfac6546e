// SPDX-License-Identifier: Apache-2.0
// One NumPy array: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html
#ifndef WEIR_DATA_NPY_H
#define WEIR_DATA_NPY_H

#include "base/log.h"
#include "base/strbuf.h"
#include "weir/formats.h"

// Understands `size` bytes at `bytes`; fills dtype, shape, data (pointing into them) and size of
// *array. `where` names the bytes in messages.
enum weir_status weir_npy_parse(const struct weir_log *log, const char *where, const void *bytes,
                                size_t size, struct weir_file_array *array);

// Appends the header of an array, all that stands before its bytes. Errors: UNSUPPORTED (bf16).
enum weir_status weir_npy_header(const struct weir_log *log, const struct weir_file_array *array,
                                 struct weir_strbuf *out);

#endif

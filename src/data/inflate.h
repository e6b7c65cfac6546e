// SPDX-License-Identifier: Apache-2.0
// Decompression in memory to a size known beforehand.
#ifndef WEIR_DATA_INFLATE_H
#define WEIR_DATA_INFLATE_H

#include <stdbool.h>
#include <stddef.h>

enum weir_inflate_kind { WEIR_INFLATE_GZIP, WEIR_INFLATE_RAW };

// Writes at most dst_size bytes; *got = how many. NULL when the stream is sound so far; else what
// is wrong with it, in words. *ended: the end of the stream was reached, its checksum was right and
// nothing follows it.
const char *weir_inflate(enum weir_inflate_kind kind, const void *src, size_t src_size, void *dst,
                         size_t dst_size, size_t *got, bool *ended);

// No deflate stream of src_size bytes can hold more than this.
size_t weir_inflate_limit(size_t src_size);

#endif

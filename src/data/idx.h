// SPDX-License-Identifier: Apache-2.0
// The idx format of MNIST and its relatives: http://yann.lecun.com/exdb/mnist (end of the page).
#ifndef WEIR_DATA_IDX_H
#define WEIR_DATA_IDX_H

#include "base/log.h"
#include "weir/tensor.h"

struct weir_idx {
    struct weir_shape shape;
    unsigned char *data; // row-major bytes; the caller frees it
};

// Unsigned bytes only (other element types are UNSUPPORTED); gzip is told by content.
enum weir_status weir_idx_read(const struct weir_log *log, const char *path, struct weir_idx *idx);

#endif

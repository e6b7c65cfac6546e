// SPDX-License-Identifier: Apache-2.0
// A row kernel being written, in its two shapes: a work-item a row (write_row.c), a group of
// work-items a row (write_row_grouped.c).
#ifndef WEIR_COMPILE_ROW_H
#define WEIR_COMPILE_ROW_H

#include "compile/reduce.h"

enum { WEIR_ROW_CHUNK = 4096 };

struct weir_row {
    struct weir_body *b;
    int64_t rows, n; // n: extent of the reduced axis
    int64_t per_item;
    int phases;
    bool *want; // by step
};

// Stores the results of this phase only, though earlier ones may be evaluated again.
void weir_row_store(const struct weir_row *r, int p, bool wide, const char *indent,
                    struct weir_strbuf *out);

// The row's own values with `level` reductions behind them, and their stores, each behind `guard`.
void weir_row_values(const struct weir_row *r, int level, const char *indent, const char *guard,
                     struct weir_strbuf *out);

// Whether this device takes a group a row.
bool weir_rows_are_grouped(const weir_device *dev);
enum weir_status weir_write_row_groups(struct weir_row *r, const struct weir_group *g);
// One group a chunk of 4096; chunk results go to access `partial`, row by row.
enum weir_status weir_write_chunk_groups(struct weir_row *r, const struct weir_group *g,
                                         int partial, const struct weir_fold *f);

#endif

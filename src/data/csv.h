// SPDX-License-Identifier: Apache-2.0
// A log of training as CSV: one header, one row a step, each on the disk's way as soon as written.
#ifndef WEIR_DATA_CSV_H
#define WEIR_DATA_CSV_H

#include <stdint.h>

#include "base/log.h"

typedef struct weir_csv weir_csv;

// Opens `path` for adding rows. The first column is the step; `columns` (n names, borrowed for the
// call) are the others. last_step < 0: a new file. Else an existing file is cut back to its rows of
// steps <= last_step (a resumed run writes the later ones again; an unfinished line goes too) and
// the call fails with FORMAT if its columns are others. Errors: IO, FORMAT, NOMEM.
enum weir_status weir_csv_open(const struct weir_log *log, const char *path,
                               const char *const *columns, int n, int64_t last_step,
                               weir_csv **csv);

// values (n); NaN leaves the field empty. 9 significant digits: a float comes back as it was.
enum weir_status weir_csv_row(weir_csv *csv, int64_t step, const double *values);

void weir_csv_close(weir_csv **csv); // accepts a pointer to NULL

#endif

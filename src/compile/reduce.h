// SPDX-License-Identifier: Apache-2.0
// How the reductions are written: combining function, identity, and the kernels of single steps.
#ifndef WEIR_COMPILE_REDUCE_H
#define WEIR_COMPILE_REDUCE_H

#include "compile/body.h"

// A reduction as a fold. any and all fold ints of 0 and 1 with max and min.
struct weir_fold {
    const char *combine;  // "add", "max", "min"
    char letter;          // f i u
    const char *identity; // what a missing lane holds
    const char *empty;    // the result of no terms
    bool truth;           // terms are bools
};
struct weir_fold weir_fold_of(const weir_value *reduce);
enum weir_dtype weir_fold_dtype(const struct weir_fold *f); // of its terms
const char *weir_fold_ctype(const struct weir_fold *f, bool wide);

// "weir_add_fv(a, term)", the term taken from use u.
void weir_fold_term(const struct weir_body *b, const struct weir_fold *f, const struct weir_use *u,
                    const char *acc, bool wide, struct weir_strbuf *out);

// One column step over the innermost column axis of b; the result (in v's fold type) has all other
// axes, row-major, in slot `to`.
enum weir_status weir_write_column(struct weir_body *b, const struct weir_group *g,
                                   const weir_value *reduce, int to);

// How many runs of 64 terms that step is written by first, a work-item each, because there are too
// few columns; 0 = none. Their results, in `to`, are the terms of the step that is left.
int64_t weir_column_runs(const struct weir_body *b, const weir_value *reduce, int64_t *results);
enum weir_status weir_write_column_runs(struct weir_body *b, const struct weir_group *g,
                                        const weir_value *reduce, int64_t runs, int to);

// A row group over channels, collapsed; UNSUPPORTED where it has not that form.
enum weir_status weir_write_channels(struct weir_body *b, const struct weir_group *g);
// A constant slot with the result of no terms.
int weir_fold_empty_slot(struct weir_emit_state *c, const weir_value *reduce);
// A group that ends in argmax or argmin.
enum weir_status weir_write_arg(struct weir_emit_state *c, const struct weir_group *g);

#endif

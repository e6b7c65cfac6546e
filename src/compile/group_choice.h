// SPDX-License-Identifier: Apache-2.0
// Knobs of the kernels of maps, rows, columns and channels: how much a work-item takes. They decide speed only;
// a model in each writer says what they are where tuning has found nothing better.
#ifndef WEIR_COMPILE_GROUP_CHOICE_H
#define WEIR_COMPILE_GROUP_CHOICE_H

#include "compile/compile.h"
#include "compile/contract.h"

enum weir_group_knob {
    WEIR_KNOB_STRIP,   // map: elements of a row that a work-item takes
    WEIR_KNOB_ROWS,    // row: rows
    WEIR_KNOB_VECTORS, // column: vectors of columns
    WEIR_KNOB_SLICE,   // channels: vectors that go through an image together
    WEIR_GROUP_KNOBS,
};

// For the text of candidates only: "group:rows=8".
extern const struct weir_contract_kernel *const weir_group_kernels[];

// What the knob is in the group being written: `model`, unless a candidate has another number from 1 to `most`.
int64_t weir_group_knob(struct weir_emit_state *c, enum weir_group_knob knob, int64_t model, int64_t most);

typedef enum weir_status weir_group_writer(struct weir_emit_state *c, const struct weir_group *g);
// Writes the group with the knobs that tuning found best, measuring them first where that is asked for.
enum weir_status weir_group_write(struct weir_emit_state *c, const struct weir_group *g, weir_group_writer *write);

// What was written for a group from launch `first` on: work that is equal has equal keys.
uint64_t weir_group_key(const struct weir_emit_state *c, int first);
// "row mul 196 x 768".
void weir_group_describe(const struct weir_group *g, char *dst, size_t size);

// tune_group.c: measures knobs of the group that c has just been written from launch `first` on. Errors: as
// weir_tune.
enum weir_status weir_tune_group(struct weir_emit_state *c, const struct weir_group *g, weir_group_writer *write,
                                 int first, uint64_t key);

#endif

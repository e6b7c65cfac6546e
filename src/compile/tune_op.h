// SPDX-License-Identifier: Apache-2.0
// One contraction on a bench: operands with made-up numbers, the result that the host computes, and
// programs that compute it with a candidate forced.
#ifndef WEIR_COMPILE_TUNE_OP_H
#define WEIR_COMPILE_TUNE_OP_H

#include "compile/tune.h"

struct weir_tune_op {
    weir_device *dev;
    const struct weir_emit *like; // borrowed
    weir_arena *arena;            // of what emissions leave behind
    struct weir_operand in[2], out;
    weir_state *state[3]; // a, b, out
    void *data[2]; // f32, or the 16 bits of its type
    float *want, *got;
    void *scratch;   // of the host's loop nest
    float *terms, *size; // fast mode: how many products a sum has, and the sum of their magnitudes
    size_t n;            // elements of out
};

enum weir_status weir_tune_op_init(struct weir_tune_op *op, const struct weir_emit *like);
// Makes the operands and the result that is wanted, at the first call; needed before a program is
// built.
enum weir_status weir_tune_op_load(struct weir_tune_op *op);
void weir_tune_op_finish(struct weir_tune_op *op);
// The contraction with candidates forced. `seen` receives the gathers (it must be zeroed);
// `program` may be NULL: then nothing is built.
enum weir_status weir_tune_op_build(struct weir_tune_op *op, const struct weir_forced *forced,
                                    int n_forced, struct weir_seen *seen, weir_program **program);
// Runs it over a poisoned result; *good: the bits are the host's. In fast mode: each element is as
// near to the host's as any order of float sums is, its operands rounded by `rounding` (relative).
enum weir_status weir_tune_op_verify(struct weir_tune_op *op, weir_program *program,
                                     double rounding, bool *good);
// Seconds of a run, one of n.
enum weir_status weir_tune_time(weir_device *dev, weir_program *program, int n, double *s);
// Gives the slots in the program's memory their places, side by side.
void weir_tune_place(struct weir_emit_state *c);

#endif

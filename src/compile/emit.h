// SPDX-License-Identifier: Apache-2.0
// What a kernel writer is given: the operands of one group, a module text to append kernels to, and a
// list of launches. Buffers are named by slots; the plan gives slots their addresses later, so that a
// kernel's text never depends on where its operands lie and equal texts are built once.
#ifndef WEIR_COMPILE_EMIT_H
#define WEIR_COMPILE_EMIT_H

#include "base/arena.h"
#include "base/strbuf.h"
#include "graph/op.h"

// A tensor in memory: element (i0, i1, ..) is element offset + sum i_k stride[k] of `slot`.
struct weir_operand {
    int slot;
    enum weir_dtype dtype;
    struct weir_shape shape;
    int64_t offset, stride[WEIR_MAX_RANK];
};

// One buffer argument of a launch: the kernel sees `global T *p_i, ulong o_i` with o_i in elements of
// dtype, already including `offset` (elements).
struct weir_emit_arg {
    int slot;
    enum weir_dtype dtype;
    int64_t offset;
    bool only_read; // filled in when the launch is added; else it may be written, too
};

struct weir_emit_launch {
    const char *kernel; // as weir_emit_kernel returned it
    const struct weir_gemm *gemm; // instead of a kernel; lives in the arena
    const char *label;
    int n_args, n_ints;
    struct weir_emit_arg *args;
    int32_t ints[WEIR_LAUNCH_MAX_INTS];
    size_t global[3], local[3]; // as in struct weir_launch
    double flops; // about how many, where they and not the operands' size say how long it takes
};

// What is done with each result of a contraction before it is stored. Results arrive as (x, o, c): the
// value (float, or 16 neighbours along the last axis), its row-major index in v's shape, and its index
// along the last axis (o % last extent). The writer appends `params` to the kernel's parameter list
// and `args` to the launch's arguments, and defines its store macros as put(x, o, c), put16(x, o, c):
// statements that end in a store of their own. Its own output operand is then unused (out[] still
// describes v's type; out[0].slot is -1).
struct weir_emit_epilogue {
    const char *params; // ", global float *e0, ulong f0, ..."
    const char *decls;  // text before the kernel: two functions with unique names (may be "")
    const char *put, *put16; // macro bodies in terms of x, o, c
    const struct weir_emit_arg *args;
    int n_args;
};

struct weir_contract_kernel;
struct weir_forced;
struct weir_seen;
struct weir_tuning;

struct weir_emit {
    weir_device *dev;            // for its capabilities
    struct weir_arena *arena;    // lives as long as the compilation
    const weir_value *v;         // the op to write
    int n_in, n_out;             // n_out = v->n_parts
    const struct weir_operand *in, *out; // OPAQUE: contiguous, offset may be non-zero; out: contiguous
    const struct weir_emit_epilogue *epilogue; // CONTRACT only, or NULL
    bool fast;                 // fast mode: any order of sums, operands rounded as its bound allows
    // CONTRACT, which kernel to take (contract.h); all may be NULL.
    const struct weir_tuning *tuning;  // what was measured
    const struct weir_forced *forced;  // n_forced of them
    int n_forced;
    const struct weir_contract_kernel *const *kernels; // NULL: weir_contract_kernels
    struct weir_seen *seen;            // receives what was asked
    struct weir_strbuf *choices;       // and this a line for it, for dumps
    int library, winograd;     // as in weir_compile_params
    struct weir_emit_state *state;
};

// Appends a kernel to the program's module, whose prelude (scalar.h, vector16.cl and the typedefs of
// prelude.cl) is already there. In `text` every "$K" stands for the kernel's name (also inside other
// names, "$K_helper"); an equal text added before is not added again. `hint` becomes part of the name.
// Returns the kernel's name, or NULL when out of memory (sticky: the compilation then fails).
const char *weir_emit_kernel(struct weir_emit *e, const char *hint, const char *text);

// As above for a text that is malloc'd in a strbuf, which is emptied.
const char *weir_emit_kernel_buf(struct weir_emit *e, const char *hint, struct weir_strbuf *text);

// Scratch of n elements that lives during this group only; returns its slot.
int weir_emit_scratch(struct weir_emit *e, enum weir_dtype dtype, int64_t n);

// Appends a launch (copied; l->args too). A global size of 0 is skipped.
void weir_emit_launch(struct weir_emit *e, const struct weir_emit_launch *l);

// The operand as a launch argument.
static inline struct weir_emit_arg weir_emit_arg(const struct weir_operand *o)
{
    return (struct weir_emit_arg) { o->slot, o->dtype, o->offset };
}

// Writes the kernels and launches of one group. WEIR_UNSUPPORTED: no kernel for this case.
enum weir_status weir_contract_emit(struct weir_emit *e); // contract.c
enum weir_status weir_opaque_emit(struct weir_emit *e);   // opaque.c

#endif

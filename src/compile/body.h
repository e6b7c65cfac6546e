// SPDX-License-Identifier: Apache-2.0
// The text of a group's elementwise part, shared by map, row and column kernels: operands as accesses
// in the axes of one iteration space, operations as steps, and the C text of each.
#ifndef WEIR_COMPILE_BODY_H
#define WEIR_COMPILE_BODY_H

#include "compile/compile.h"

enum { WEIR_SPACE_MAX = 16 };

// The axes that a kernel iterates: the common refinement of the shapes of its values, so that every
// axis of theirs is a product of neighbours here.
struct weir_space {
    int rank;
    int64_t dim[WEIR_SPACE_MAX];
};

// Splits axes of `space` so that `shape` (same number of elements) fits; false if none do.
bool weir_space_refine(struct weir_space *space, const struct weir_shape *shape);
// Strides of a tensor of `shape` in the axes of `space`.
void weir_space_strides(const struct weir_space *space, const struct weir_shape *shape,
                        const int64_t *stride, int64_t *out);

// A tensor that the kernel reads or writes, as kernel parameters p<i> and o<i>.
struct weir_access {
    struct weir_operand operand;
    int64_t stride[WEIR_SPACE_MAX];
    int cls;      // accesses with equal strides share the index variable i<cls>
    bool written;
    bool index;   // not a tensor: the row-major index itself
    int param;    // parameters p<param>, o<param>
    // GATHER: only elements with lo <= index < hi along every axis lie here, `shift` elements back.
    bool guarded;
    int64_t lo[WEIR_SPACE_MAX], hi[WEIR_SPACE_MAX], shift;
    int64_t group_stride; // channel kernels: varies only from one group of channels to the next
};

enum weir_use_kind {
    WEIR_USE_NODE,    // v<step>: computed in the same evaluation
    WEIR_USE_ROW,     // r_<step>: a value of the row, computed before
    WEIR_USE_ACCESS,  // x<access>
    WEIR_USE_LITERAL, // a constant of one element
};
struct weir_use {
    enum weir_use_kind kind;
    int index; // value id or access
    const weir_value *literal;
};

enum { WEIR_STEP_USES = 8 };
struct weir_step {
    weir_value *v;
    struct weir_use use[WEIR_STEP_USES];
    int n_use;
    int store;  // access written, or -1
    bool gather; // pad or concat: uses are guarded accesses, elements of none have the pad's value
    int flat;   // GEN: the index access
    int level;  // ROW kernels: how many reductions deep
    bool row;   // ROW kernels: a value of the row
    bool channel; // a reduction that keeps the row axis: a value of each channel, only stored
};

// How an axis of the space is used. Several reductions in one kernel reduce the same axes.
enum weir_label {
    WEIR_AXIS_KEPT,
    WEIR_AXIS_ROW,    // in the trailing block, reduced by the row rule
    WEIR_AXIS_COLUMN, // + axis of the reduced shape: reduced alone, by the column rule
};

// A value of phase `in` that phase `from` reads again instead of computing it again (keep.c).
struct weir_kept {
    const struct weir_step *step; // NULL: none
    int access;                   // where it lies meanwhile
    int in, from;
};

struct weir_body {
    struct weir_emit_state *c;
    struct weir_space space, row_space; // row_space: the kept axes
    int label[WEIR_SPACE_MAX];
    bool reduces;
    bool channels;     // the innermost axis is the channels of write_channels.c
    int64_t n_groups, per_group; // of channels: the reduction's kept axis and its row axis
    bool in_turn; // neighbours are evaluated one vector after the other: what is made for several may be kept
    bool padded; // the innermost axis has one element on purpose
    int32_t ints[2]; // n_ints integers of the launch, the kernel's n0, n1: so that sizes are not in its text
    int n_ints;
    struct weir_access *access;
    int n_access, cap_access;
    struct weir_step *step;
    int n_steps;
    int *step_of; // by value id: step, or -1
    int n_classes, class_example[64]; // an access of each class
    int phase;         // ROW kernels: the one that is written
    struct weir_kept kept;
};

// Pads without interior and short concats read their arguments in place, guarded by index ranges.
bool weir_is_gather(const weir_value *v);

// Makes the steps of `nodes`, resolving every operand; outputs[] get memory. Nodes come in order of
// execution. Reductions among them become row steps. UNSUPPORTED when the values do not fit together.
enum weir_status weir_body_init(struct weir_body *b, struct weir_emit_state *c, weir_value **nodes,
                                int n_nodes, weir_value **outputs, int n_outputs);
// One step that copies `from` to the row-major slot `to`.
enum weir_status weir_body_init_copy(struct weir_body *b, struct weir_emit_state *c,
                                     const struct weir_operand *from, int to);
// Adds an innermost axis of one element, which collapsing keeps.
void weir_body_pad_axis(struct weir_body *b);
// Merges neighbouring axes with equal labels where all accesses allow, and gives accesses classes.
void weir_body_collapse(struct weir_body *b);

// Whether a collapsed space has the form that write_channels.c takes: outer kept axes, column axes of at
// most 64, channels (groups, then the row axis inside a group), a multiple of 16.
bool weir_body_is_channels(const struct weir_body *b);
// Makes the channels one axis. UNSUPPORTED where an operand cannot be read along it.
enum weir_status weir_body_channels(struct weir_body *b);

// "global const float *p0, ulong o0, ..., int n0" and "p0 += o0;" lines.
void weir_body_params(const struct weir_body *b, struct weir_strbuf *out);
void weir_body_offsets(const struct weir_body *b, struct weir_strbuf *out);
// Appends the launch; n_items work-items in groups of `local`.
void weir_body_launch(struct weir_body *b, const struct weir_group *g, const char *kernel,
                      const size_t global[3], const size_t local[3]);

// Says for a kernel that evaluates every element once, by one work-item, that a result may take the place of
// an operand that the same element alone reads (write_map.c).
void weir_body_share(struct weir_body *b, int launch);

// "const int i0 = r0*64 + r1;" for each class, from index variables r<axis> of axes in `axes` (a mask).
void weir_body_bases(const struct weir_body *b, uint32_t axes, const char *indent,
                     struct weir_strbuf *out);
// "const int r0 = i / 12, r1 = i % 12;" for the axes in `axes`, from one number named `from`.
void weir_body_decode(const struct weir_body *b, uint32_t axes, const char *from, const char *indent,
                      struct weir_strbuf *out);
// Declares what evaluations keep for the next ones (in_turn).
void weir_body_kept(const struct weir_body *b, const char *indent, struct weir_strbuf *out);
// Loads of what does not vary along the innermost axis: "const float s3 = ...".
void weir_body_hoist(const struct weir_body *b, const char *indent, struct weir_strbuf *out);

// Sets want[]: what phase p of a row kernel evaluates for its reductions and results; false if it has none. p is
// the phase that weir_body_eval writes from then on.
bool weir_phase_want(struct weir_body *b, int p, bool *want);
// Looks for what a phase should keep for a later one. Of a space in which a work-item comes back to an element
// while it is in a cache.
void weir_body_keep(struct weir_body *b, int phases);
// Says that a result may take the place of an operand that is not read after the result is first written.
void weir_phases_share(struct weir_body *b, int phases, int launch);

// Marks `s` and the element steps that it needs.
void weir_body_want(const struct weir_body *b, const struct weir_step *s, bool *want);
// Adds the result of the next column step: all axes but the innermost column axis, row-major in `slot`.
int weir_body_column_result(struct weir_body *b, enum weir_dtype dtype, int slot);
// What is left of reduction v after that step: the same axes without that one, read from `slot`.
enum weir_status weir_body_init_rest(struct weir_body *b, const struct weir_body *before,
                                     weir_value *v, int slot);
// The same reduction with `runs` terms along the innermost column axis, all row-major in `slot`.
enum weir_status weir_body_init_runs(struct weir_body *b, const struct weir_body *before,
                                     weir_value *v, int64_t runs, int slot);
// Reduction v of a row-major copy of its argument in `slot`.
enum weir_status weir_body_init_plain(struct weir_body *b, struct weir_emit_state *c, weir_value *v,
                                      int slot);
// Reduction v of (rows, n) terms in `slot`.
enum weir_status weir_body_init_rows(struct weir_body *b, struct weir_emit_state *c, weir_value *v,
                                     int64_t rows, int64_t n, int slot);
// An access written by hand, at whatever index the kernel likes.
int weir_body_plain_result(struct weir_body *b, enum weir_dtype dtype, int slot);
// Stores the result of reduction v in `slot`, row-major over the kept axes; returns the access.
int weir_body_row_result(struct weir_body *b, weir_value *v, int slot);

// One evaluation of the chosen steps at inner index j (16 lanes or 1): loads, computes. `want` (by
// step) says which; NULL = all. Of a reduction only the loads it needs are written.
void weir_body_eval(struct weir_body *b, const bool *want, bool wide, const char *indent,
                    struct weir_strbuf *out);
// Stores of the chosen steps that have memory.
void weir_body_store(const struct weir_body *b, const bool *want, bool wide, const char *indent,
                     struct weir_strbuf *out);
// One step, "const float16 v7 = ...;", and the loads it needs that are not in loaded[] (by access) yet.
void weir_body_step(const struct weir_body *b, const struct weir_step *s, bool wide,
                    const char *indent, struct weir_strbuf *out);
void weir_body_load(const struct weir_body *b, const struct weir_use *u, bool *loaded, bool wide,
                    const char *indent, struct weir_strbuf *out);
// Expression of a use at this width; needs its loads done.
void weir_body_use(const struct weir_body *b, const struct weir_use *u, bool wide,
                   struct weir_strbuf *out);

const char *weir_ctype(enum weir_dtype t, bool wide); // of a register: "float16"
const char *weir_memory_ctype(enum weir_dtype t);     // of memory: "ushort"
char weir_type_letter(enum weir_dtype t);             // f i u b

#endif

// SPDX-License-Identifier: Apache-2.0
// The graph's inside: value nodes, attributes, the one constructor every operation goes through.
#ifndef WEIR_GRAPH_GRAPH_H
#define WEIR_GRAPH_GRAPH_H

#include "base/arena.h"
#include "base/log.h"
#include "weir/grad.h"
#include "weir/graph.h"
#include "weir/ops.h"

struct weir_op;
struct weir_op_case;
struct weir_loop;

struct weir_type {
    enum weir_dtype dtype;
    struct weir_shape shape;
};

// Makes every NaN of n elements the one of docs/numerics.md (7fc00000, 7e00, 7fc0): what leaves a
// device goes through here, since devices keep or make NaNs with other signs and payloads.
void weir_one_nan(enum weir_dtype dtype, void *data, int64_t n);

struct weir_conv_attrs {
    int nd; // spatial axes
    int64_t stride[3], dilation[3], pad_lo[3], pad_hi[3], groups;
    int64_t size[3]; // input gradient: spatial extents of x; weight gradient: of the kernel
};

// What an op needs beside its arguments. Always zeroed first, so that attributes compare with
// memcmp.
union weir_attrs {
    struct { uint32_t axes; } reduce;                       // bit a = axis a
    struct { int axis; bool along, descending; } axis;      // gather, scatter, sort, cumsum,
                                                            // concat, iota, arg
    struct { int perm[WEIR_MAX_RANK]; } permute;
    struct weir_shape shape;                                // reshape, broadcast: of the result
    struct { // n: extents of the result; step < 0 flips
        int64_t start[WEIR_MAX_RANK], step[WEIR_MAX_RANK], n[WEIR_MAX_RANK];
    } slice;
    struct {
        int64_t lo[WEIR_MAX_RANK], hi[WEIR_MAX_RANK], interior[WEIR_MAX_RANK];
        double value;
    } pad;
    struct { bool ta, tb; } matmul;
    struct weir_conv_attrs conv;
    struct { bool lower, transpose, unit; } solve;
    struct { bool inverse; } fft;
    struct { // iota, random
        struct weir_shape shape;
        enum weir_dtype dtype;
        int axis;
        uint32_t stream;
        bool per_row;
    } gen;
    struct { int index; } part;
    struct { enum weir_dtype dtype; } cast;
    // data in the graph's arena; exact: before rounding, for the oracle
    struct { const void *data; size_t size; double exact; bool has_exact; } constant;
    struct { weir_state *state; } state;                    // leaf and assign
    struct { int index; } input;                            // n-th input of the graph (param: of
                                                            // the body)
    struct { weir_host_call_fn *fn; void *ctx; } call;
    struct { struct weir_loop *l; } loop;                   // graph/loop.h
    struct { weir_body_fn *build; weir_body_vjp_fn *vjp; void *ctx; bool checkpoint; } custom;
    struct { int i[8]; int64_t l[8]; double f[4]; } any;    // composites
};

struct weir_value {
    weir_graph *graph;
    const struct weir_op *op;
    int id;                 // position in graph->values; arguments have smaller ids
    int recompute;          // 0 = original; otherwise the recompute region that made it (never CSEd
                            // across)
    struct weir_type type;  // of the result (of part 0)
    int n_parts;            // 1, or more for ops with several results (read through WEIR_OP_PART)
    struct weir_type *parts; // n_parts entries when n_parts > 1
    int arity;
    weir_value **arg;
    union weir_attrs attrs;
    weir_value *body;       // COMPOSITE: what it stands for
    const char *name;       // or NULL
    const char *file;       // where it was made
    int line;
};

struct weir_graph {
    weir_graph *root;       // itself; of a loop's body the outermost graph, whose arena and errors
                            // it shares
    struct weir_arena *arena;
    struct weir_log log;
    weir_value **values;    // in order of creation
    int n_values, cap;
    int n_inputs;
    weir_value **assigns;   // ASSIGN values in order
    int n_assigns, cap_assigns;
    int recompute;          // current recompute region, 0 outside
    int n_recompute;
    weir_value *poison;
    enum weir_status status; // of the root
    char message[1024];
    weir_graph *open;       // of the root: where new values go, itself or the innermost body being
                            // built
    weir_graph *bodies;     // of the root: all bodies, by ->bodies
    struct weir_body_of *of; // of a body: graph/loop.h
};

// The one constructor. Checks arity, poison and graph, copies attrs (NULL = zero), runs infer.
// On error: sticky message, poison returned. n_args may be 0 (g is needed then; otherwise NULL is
// fine).
weir_value *weir_op_make(weir_graph *g, const struct weir_op *op, weir_value *const *args,
                         int n_args, const union weir_attrs *attrs);
// As above for composites: `body` is the built decomposition.
weir_value *weir_op_make_composite(const struct weir_op *op, weir_value *const *args, int n_args,
                                   const union weir_attrs *attrs, weir_value *body);
// Appends v (in the arena) to g as it is.
bool weir_graph_append(weir_graph *g, weir_value *v);
// Records an error at the current call site; returns g's poison.
weir_value *weir_graph_fail(weir_graph *g, const char *format, ...) WEIR_PRINTF(2, 3);
bool weir_is_poison(const weir_value *v);
// The k-th result of an op with several.
weir_value *weir_part(weir_value *v, int k);

// The states' interface that graphs need (src/compile/state.c defines the struct).
enum weir_dtype weir_state_dtype(const weir_state *state);
const struct weir_shape *weir_state_shape(const weir_state *state);
const char *weir_state_name(const weir_state *state);

#endif

// SPDX-License-Identifier: Apache-2.0
// The op row: everything one operation is, in one const struct. weir_ops[] (graph/ops/table.c)
// lists all rows; the tests walk it, so a row without cases does not pass.
#ifndef WEIR_GRAPH_OP_H
#define WEIR_GRAPH_OP_H

#include "device/device.h"
#include "graph/graph.h"

enum weir_op_class {
    WEIR_OP_LEAF,      // input, constant, state
    WEIR_OP_MAP,       // elementwise over equal shapes; `scalar` names the function in
                       // kernels/scalar.h
    WEIR_OP_GEN,       // elementwise in the output's index: iota, random bits and normal
    WEIR_OP_VIEW,      // costs nothing: a new layout of its argument (view.c resolves it)
    WEIR_OP_REDUCE,    // over axes, kept with size 1
    WEIR_OP_CONTRACT,  // matmul, the three convolutions, attention and its gradients
    WEIR_OP_OPAQUE,    // a loop nest and a kernel skeleton of its own; arguments arrive contiguous
    WEIR_OP_COMPOSITE, // stands for `body`, built eagerly; may have a vjp; the compiler may claim
                       // it
    WEIR_OP_PART,      // the attrs.part.index-th result of its argument
    WEIR_OP_ASSIGN,    // effect: state := argument
    WEIR_OP_CALL,      // host call
    WEIR_OP_LOOP,
    WEIR_OP_POISON,
};

// Loop nests are compiled once an instruction set, and once for double as the tests' oracle, where
// f32, f16 and bf16 tensors hold doubles. nest.h has the macros.
enum weir_isa { WEIR_ISA_BASE, WEIR_ISA_V3, WEIR_ISA_V4, WEIR_ISA_F64, WEIR_N_ISA };
struct weir_nests {
    weir_host_fn *isa[WEIR_N_ISA]; // desc is a struct weir_nest_call
};

// A strided operand: element strides, which may be 0 (broadcast) or negative (flip).
struct weir_nd {
    enum weir_dtype dtype;
    int rank;
    int64_t dim[WEIR_MAX_RANK], stride[WEIR_MAX_RANK];
};

// The constant description of one call of a loop nest. ptr[] holds inputs, then outputs, then
// scratch. Input pointers point at element 0 of the view. Outputs are contiguous unless their nd
// says otherwise.
struct weir_nest_call {
    int n_in, n_out;
    const struct weir_nd *in, *out;
    union weir_attrs attrs;
    int threads; // OpenMP threads to use
};

struct weir_op {
    const char *name;
    const char *desc;
    int arity;                  // -1: any number
    enum weir_op_class cls;
    const char *scalar;         // MAP: base name, e.g. "tanh" for weir_tanh_f / weir_tanh_fv
    int instructions;           // MAP, GEN: of an element, as tools/instructions counts them
    double (*flop)(const weir_value *v); // CONTRACT: of what is neither matmul nor convolution
    // Checks arguments and attrs, sets v->type (or v->parts); returns NULL or what is wrong.
    const char *(*infer)(weir_value *v);
    struct weir_nests host;
    // OPAQUE on OpenCL: kernels/<skeleton>.cl filled with shapes and attrs; `items` work-items.
    const char *skeleton;
    int64_t (*items)(const weir_value *v);
    size_t (*scratch)(const weir_value *v); // bytes of scratch memory for host and device (NULL =
                                            // 0)
    // Differentiation: dx[i] (dy[k]) stays NULL where there is no gradient (tangent). NULL = none.
    void (*vjp)(weir_value *v, weir_value *const *dy, weir_value **dx);
    void (*jvp)(weir_value *v, weir_value *const *dx, weir_value **dy);
    // Tests: builds the idx-th case into c; false when there are no more. Never NULL for MAP, GEN,
    // VIEW, REDUCE, CONTRACT, OPAQUE and COMPOSITE rows.
    bool (*cases)(int idx, struct weir_op_case *c);
};

extern const struct weir_op *const weir_ops[]; // NULL-ended
const struct weir_op *weir_op_find(const char *name);

// One test case: a graph builder over inputs with given types and fills.
enum weir_fill {
    WEIR_FILL_NORMAL,   // standard normal (floats), small signed (ints), random bools
    WEIR_FILL_UNIT,     // uniform in (0, 1)
    WEIR_FILL_POSITIVE, // exp(normal)
    WEIR_FILL_EXTREME,  // +-0, subnormals, huge, Inf, NaN, ordinary ones mixed in
    WEIR_FILL_INDEX,    // i32 in [-2, n + 2) with n = case.index_range
    WEIR_FILL_INTS,     // integers in [-8, 8] (exact in every order)
};
struct weir_op_case {
    char label[64];
    int n_in;
    struct weir_type in[6];
    enum weir_fill fill[6];
    int64_t index_range;
    // Builds the value under test from the inputs (graph of in[0], or of g when n_in is 0).
    weir_value *(*build)(weir_graph *g, weir_value *const *in, const struct weir_op_case *c);
    int64_t p[32];       // parameters for build
    bool no_grad;        // skip derivative checks (kinks, integer results)
    uint32_t fixed;      // bit i: the row has no derivative with respect to input i
};

#endif

// SPDX-License-Identifier: Apache-2.0
// Graphs and values. A value is a node: it has a type but no memory until weir_compile.
//
// Errors stick: a call that cannot work logs once, marks the graph and returns a poisoned value,
// which every later call passes on; weir_compile (or weir_graph_status) returns the first error
// with op, shapes, file and line. So code that builds needs no checks. Values live as long as the
// graph. Thread-safety: one thread at a time per graph.
#ifndef WEIR_GRAPH_H
#define WEIR_GRAPH_H

#include "weir/log.h"
#include "weir/status.h"
#include "weir/tensor.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weir_graph weir_graph;
typedef struct weir_value weir_value;
typedef struct weir_state weir_state; // see program.h

enum weir_status weir_graph_create(const struct weir_log *log, weir_graph **out); // log may be NULL
void weir_graph_destroy(weir_graph **graph);
enum weir_status weir_graph_status(const weir_graph *graph); // the first error, or WEIR_OK
const char *weir_graph_message(const weir_graph *graph);     // its text, or ""

weir_graph *weir_value_graph(const weir_value *v);
enum weir_dtype weir_value_dtype(const weir_value *v);
const struct weir_shape *weir_value_shape(const weir_value *v);
int64_t weir_dim(const weir_value *v, int axis); // negative counts from the end
// Names a value for dumps and messages (copied). Returns v.
weir_value *weir_name(weir_value *v, const char *name);

// The call site recorded for values made next on this thread; the macros in ops.h set it.
void weir_at(const char *file, int line);

// Leaves. An input gets its data at each run; a constant is folded into the program (data copied);
// a state is a device buffer shared by programs, read here as it was before the run.
weir_value *weir_input(weir_graph *g, enum weir_dtype dtype, struct weir_shape shape,
                       const char *name);
weir_value *weir_constant(weir_graph *g, enum weir_dtype dtype, struct weir_shape shape,
                          const void *data);
weir_value *weir_f32(weir_graph *g, double value); // scalars (rank 0); rounded to nearest f32
weir_value *weir_i32(weir_graph *g, int32_t value);
weir_value *weir_u32(weir_graph *g, uint32_t value);
weir_value *weir_state_value(weir_graph *g, weir_state *state);
// After all reads of a run, state := value (same dtype and shape). At most one per state and graph.
void weir_assign(weir_state *state, weir_value *value);

#ifdef __cplusplus
}
#endif
// The call site of these too (ops.h says how).
#ifndef WEIR_NO_SITES
#define weir_input(...) (weir_at(__FILE__, __LINE__), weir_input(__VA_ARGS__))
#define weir_constant(...) (weir_at(__FILE__, __LINE__), weir_constant(__VA_ARGS__))
#define weir_state_value(...) (weir_at(__FILE__, __LINE__), weir_state_value(__VA_ARGS__))
#define weir_assign(...) (weir_at(__FILE__, __LINE__), weir_assign(__VA_ARGS__))
#endif

#endif

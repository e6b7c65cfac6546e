// SPDX-License-Identifier: Apache-2.0
// Loops inside: a LOOP value and the graph of its body.
//
// The body is a graph of its own in the root's arena, built once: its leaves are params (carried
// values, slices, captures), its results stand in struct weir_loop. While it is being built
// (root->open) all new values go there, whatever graph their arguments are of: a value of an outer
// graph is lifted, that is, captured by a param. Constants and views are rebuilt inside instead, so
// that the body sees them.
//
// A derivative is a loop whose body is a copy of the first one with more values behind; what a
// callback captured when the first was built (weir_checkpoint, weir_custom_vjp) is found again in
// the copy.
#ifndef WEIR_GRAPH_LOOP_H
#define WEIR_GRAPH_LOOP_H

#include "graph/graph.h"

// A LOOP value has n_carry + n_xs + n_captures arguments (first carried values, stacked xs,
// captures) and n_carry + n_ys parts, always read through weir_part. Each value has a struct of its
// own; bodies are shared by the copies of a loop and never change once they are closed.
struct weir_loop {
    weir_graph *body;
    int64_t n;
    bool reverse; // slices of xs and ys from the last to the first
    int n_carry, n_xs, n_captures, n_ys;
    weir_value **param;     // as the arguments
    weir_value **next, **y; // n_carry, n_ys
};

// A value of an outer graph and what stands for it in the body.
struct weir_lifted {
    const weir_value *outer;
    weir_value *inner;
};

struct weir_body_of {
    weir_graph *parent; // the graph that the loop stands in
    weir_graph *origin; // of a copy: of what, and the copies by id there
    weir_value **copied;
    struct weir_lifted *lifted, *captured; // captured: those that are params, outer in the parent
    int n_lifted, cap_lifted, n_captured, cap_captured;
    weir_value *index; // u32 scalar: the iteration, or NULL while nobody asked
    bool counts;       // a param for it can still be made
    int n_params;
};

// Opens a body in what is open now; new values go there until it is closed. NULL: out of memory,
// sticky.
weir_graph *weir_body_open(weir_graph *g);
void weir_body_close(weir_graph *body);
weir_value *weir_body_param(weir_graph *body, enum weir_dtype dtype,
                            const struct weir_shape *shape);
// What stands for v in g already, or NULL.
weir_value *weir_lifted(weir_graph *g, const weir_value *v);
// Whether g is `outer` or a body somewhere inside of it.
bool weir_is_inside(const weir_graph *g, const weir_graph *outer);
// The innermost graph of these values, or of the first.
weir_graph *weir_meeting(weir_value *const *v, int n);
// v as values made now see it; poison if v is of a closed body (sticky). Poison stays poison.
weir_value *weir_lift(weir_graph *g, weir_value *v);
// y as values of g; y itself where all of y and x are of g already. NULL: sticky.
weir_value *const *weir_lift_all(weir_graph *g, weir_value *const *y, int n_y, weir_value *const *x,
                                 int n_x);
// Copies the values of a closed body into an open one. map[id], n_values of `from` in the arena,
// has what the params become and receives the rest. False: out of memory, sticky.
bool weir_body_copy(weir_graph *from, weir_graph *to, weir_value **map);

// A loop under construction: arrays for as many entries as weir_loop_begin was told.
struct weir_loop_builder {
    weir_graph *g, *body;
    struct weir_loop l;
    weir_value **first, **xs; // arguments so far
    weir_value **slice;       // params of xs
};
bool weir_loop_begin(struct weir_loop_builder *b, weir_graph *g, int64_t n, bool reverse,
                     int max_carry, int max_xs, int max_ys);
// The param of a new carried value, set b->l.next[k] later; of a new slice; a new stacked result.
weir_value *weir_loop_carry(struct weir_loop_builder *b, weir_value *first);
weir_value *weir_loop_slice(struct weir_loop_builder *b, weir_value *xs);
void weir_loop_result(struct weir_loop_builder *b, weir_value *y);
// Closes the body; the LOOP value, or poison.
weir_value *weir_loop_end(struct weir_loop_builder *b);

#endif

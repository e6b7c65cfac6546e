// SPDX-License-Identifier: Apache-2.0
// Compiling and running. A program is a compiled graph: kernels recorded once, memory planned once,
// replayed at each run without allocation. States are device buffers shared by programs.
#ifndef WEIR_PROGRAM_H
#define WEIR_PROGRAM_H

#include "weir/device.h"
#include "weir/graph.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct weir_program weir_program;

// A device tensor that outlives runs (a parameter, a moment, a counter). Created zeroed.
enum weir_status weir_state_create(weir_device *dev, enum weir_dtype dtype, struct weir_shape shape,
                                   const char *name, weir_state **out);
// Several at once, side by side in as few buffers as they fit, so that one kernel can reach many of them. Each
// is destroyed as if it were alone.
struct weir_state_params {
    enum weir_dtype dtype;
    struct weir_shape shape;
    const char *name; // copied (NULL = "state")
};
enum weir_status weir_states_create(weir_device *dev, const struct weir_state_params *params, int n,
                                    weir_state **out);
void weir_state_destroy(weir_state **state); // after the programs that use it
enum weir_status weir_state_write(weir_state *state, const void *src); // whole tensor, row-major
// Waits for pending runs. Here and in weir_read every NaN is the one of docs/numerics.md.
enum weir_status weir_state_read(weir_state *state, void *dst);
const char *weir_state_name(const weir_state *state);
enum weir_dtype weir_state_dtype(const weir_state *state);
const struct weir_shape *weir_state_shape(const weir_state *state);

struct weir_compile_params {
    const char *dump_dir; // write each pass's text, the schedule and the kernels there (NULL = no)
    bool no_fusion;       // one group an operation, and what no_merge says
    bool no_merge;        // small launches that do not need each other stay launches of their own
    bool no_plan;         // no memory reuse
    bool no_recompute;    // what the backward pass reads is kept, not computed again
    double keep_price;    // bytes moved that a byte kept for the backward pass is worth: the higher, the more is
                          // computed again (0 = 0.25, and more where `memory` asks for it; where nothing
                          // is fused, 0 is nothing and only `memory` asks)
    bool no_replay;       // record the launches anew in each run (benchmarks)
    bool guards;          // debugging: every tensor alone between bands of a pattern, looked at after each
                          // run; weir_wait and weir_read give DEVICE and log who wrote beside a tensor
    size_t memory;        // bytes of buffers that the device may hold with this program, those that are there
                          // already (states) among them: what is cheap is computed again in the backward
                          // pass rather than kept, the more the tighter it is; NOMEM, with the least that
                          // is possible in the log, where that does not do (0 = no limit)
    const char *label;    // for messages and dumps (NULL = "program")
    int library;          // fast mode, products of matrices by the device's library (WEIR_CAP_GEMM): 0 = where a
                          // rule says that it wins, 1 = all that it can do, -1 = none
    int winograd;         // fast mode, 3 x 3 convolutions of stride 1 by Winograd's F(2x2, 3x3): as `library`
    enum weir_numerics numerics; // a device that failed its self-test takes WEIR_NUMERICS_FAST only
    enum weir_tune tune;  // which kernels contractions get
    double launch_ms;     // GPUs: a launch that might take longer runs in parts, so that a desktop stays alive;
                          // the same bits (0 = 100)
};

// Compiles `outputs` and every assign of their graph. The graph is not needed afterwards.
// Errors: the graph's own first error, BUILD, NOMEM (the plan is logged), UNSUPPORTED (a device that cannot run
// exact mode, ...).
enum weir_status weir_compile(weir_device *dev, weir_value *const *outputs, int n_outputs,
                              const struct weir_compile_params *params, weir_program **out);
void weir_program_destroy(weir_program **program);

struct weir_binding {
    weir_value *input; // a weir_input of the compiled graph (only its identity is used)
    const void *data;  // row-major; borrowed for the call
};

// Writes the bound inputs and enqueues one run; does not wait. An input never bound is INVALID.
enum weir_status weir_run(weir_program *program, const struct weir_binding *bindings, int n);
// The i-th output of the last run; waits for it.
enum weir_status weir_read(weir_program *program, int output, void *dst);
enum weir_status weir_wait(weir_program *program);

struct weir_program_info {
    int launches, groups;
    int parts;        // launches that the driver is given, loops' counted once
    size_t peak;      // bytes of the arena
    size_t live;      // bytes of all intermediate tensors if none shared memory
    size_t inputs, constants; // bytes of the buffers beside the arena
    size_t states;    // bytes of the states that the program reads and writes
    size_t allocated; // bytes of buffers that the device made for it: peak + inputs + constants
    double flop;      // arithmetic of a run: two a term of a contraction, one a term of a reduction, in
                      // elementwise operations each instruction; loops and opaque operations not counted
    int recomputed;   // operations of the forward pass that are done again in the backward pass
    double recomputed_flop;  // what they cost a run
    size_t recomputed_bytes; // and write
    double compile_s; // seconds spent compiling
};
const struct weir_program_info *weir_program_info(const weir_program *program);

struct weir_launch_time {
    const char *label; // the kernel's or loop nest's name; borrowed from the program
    double s;          // seconds by the device's own clock
};
// Runs once more on the inputs bound last (states move on), timing each launch; waits. `rows` has
// info.launches entries. The sum is less than a run takes: launches cost time between them.
enum weir_status weir_program_profile(weir_program *program, struct weir_launch_time *rows);

#ifdef __cplusplus
}
#endif
#endif

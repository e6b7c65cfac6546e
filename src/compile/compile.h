// SPDX-License-Identifier: Apache-2.0
// The compiler's inside. Passes, in order, each one file with one entry point and a text dump:
//   simplify   legal rewrites, dead values               graph  -> list of live values
//   widen      f32 of 16 bits is made by its readers        list   -> list
//   recompute  what is computed again behind the peak      list   -> list
//   schedule   groups (map, row, contract, opaque, ...)  values -> groups, and which values get memory
//   write      kernel text and launches (OpenCL), or loop nests with descriptions (host)
//   merge      small launches that do not need each other into batches
//   plan       lifetimes of slots -> offsets in one arena
//   record     buffers, module, launches with arguments; replayed
// The host path is the same pipeline without fusion: one group an operation, loop nests as code.
#ifndef WEIR_COMPILE_COMPILE_H
#define WEIR_COMPILE_COMPILE_H

#include "base/arena.h"
#include "base/strbuf.h"
#include "compile/emit.h"
#include "graph/op.h"
#include "graph/view.h"
#include "weir/program.h"

// A buffer of one state or of several.
struct weir_state_home {
    weir_buf *buf;
    int states;
};

struct weir_state {
    weir_device *dev;
    enum weir_dtype dtype;
    struct weir_shape shape;
    char *name;
    struct weir_state_home *home;
    size_t offset, room; // its bytes there, with what keeps the next one aligned
};

enum weir_slot_home {
    WEIR_SLOT_ARENA,    // placed by the plan, shared over time
    WEIR_SLOT_KEEP,     // placed by the plan, lives from its launch to the next run (an output)
    WEIR_SLOT_CONSTANT, // in the program's buffer of constants
    WEIR_SLOT_INPUT,    // in the program's staging buffer
    WEIR_SLOT_STATE,    // in a state's buffer, which it may share
    WEIR_SLOT_WINDOW,   // part of another slot, which may move from one iteration of a loop to the next
};

// One tensor's memory.
struct weir_slot {
    enum weir_slot_home home;
    enum weir_dtype dtype;
    size_t size;          // bytes, at least one element
    size_t offset;        // in its buffer
    weir_state *state;    // STATE
    const void *data;     // CONSTANT: the bytes
    int input;            // INPUT: the graph's index of it
    int alias;            // lives inside another slot from its first launch on (-1 = none)
    int taken;            // 1 + the launch in which a result took its place (0 = none)
    int first, last;      // launches that write it first and touch it last; first = -1: never written
    int scope;            // the loop whose iterations it belongs to (-1 = none)
    int of, loop;         // WINDOW: the slot, and the loop in whose iteration i it lies
    int64_t shift, step;  // at shift + i * step bytes
    const char *name;     // for messages
};

// A loop being compiled: its launches are [first, end), those of loops inside among them.
struct weir_planned_loop {
    int parent;           // or -1
    int depth;            // 0 = outermost
    int64_t n;
    int first, end;
};

enum weir_group_kind {
    WEIR_GROUP_MAP,      // elementwise over one iteration space, views as index arithmetic
    WEIR_GROUP_ROW,      // reductions along inner axes with the maps around them
    WEIR_GROUP_REDUCE,   // one reduction with the maps before it
    WEIR_GROUP_CONTRACT, // matmul or convolution, with fused epilogue
    WEIR_GROUP_OPAQUE,   // an op with a skeleton of its own
    WEIR_GROUP_COPY,     // makes a view contiguous, copies to a state or to an output
    WEIR_GROUP_CALL,     // host call
    WEIR_GROUP_LOOP,     // a body of its own
};

// What a COPY, or its launch, may turn out not to be needed for.
enum weir_copy_kind {
    WEIR_COPY_PLAIN,
    WEIR_COPY_STATE,  // a new value to its state; these are the last launches of a program
    WEIR_COPY_CARRY,  // a new value to the carried one; these are the last launches of a body
    WEIR_COPY_RESULT, // an iteration's result to its place in the stack
};

struct weir_group {
    enum weir_group_kind kind;
    int id;
    weir_value **nodes;   // in order of execution
    int n_nodes;
    weir_value **outputs; // the nodes that get memory
    int n_outputs;
    struct weir_operand from; // COPY: what is read
    int copy_to;          // COPY: the slot written, row-major
    enum weir_copy_kind copy;
    int first_launch, n_launches;
};

// A launch before it has addresses.
struct weir_planned {
    const char *kernel;       // OpenCL; NULL for C functions
    const struct weir_gemm *gemm; // instead of a kernel
    weir_host_fn *fn;
    const void *desc;
    bool host_callback;
    uint32_t written;         // bit i: argument i is written
    int n_args, n_ints;
    struct weir_emit_arg *args;
    int32_t ints[WEIR_LAUNCH_MAX_INTS];
    size_t global[3], local[3];
    double flops;             // about, for its duration; 0: as long as its operands take
    const char *label;
    int group;
    int loop;                 // the innermost one around it, -1 = none
    enum weir_copy_kind copy; // args[0] to args[1]
    bool dropped;             // the plan found it unnecessary
    int batch;                // 1 + the batch it is of (0 = none)
};

// Neighbours in the list that run as one launch (merge.c). If fewer than two are left undropped they go alone.
struct weir_batch {
    int first, end;
    int table;          // slot of what tells its work-groups what they are
    const char *kernel; // NULL: those that are left go alone
    int n_bufs, buf[WEIR_LAUNCH_MAX_BUFS]; // a slot in each of the buffers that it touches
    size_t groups, local[3];
    double flops, bytes; // of all members
};

// Stands in the text of a kernel that can be one of several in a launch (kernels/place.cl).
#define WEIR_MERGEABLE " WEIR_PLACE)"
// And of one that is too large to be built again beside others.
#define WEIR_MERGED_WITH_EQUALS "WEIR_KERNEL_LARGE\n"

// A value whose memory may take the place of another that dies in the same launch: both are touched
// at the same index only.
struct weir_in_place {
    int launch, out, in; // slots
};

struct weir_kernel_entry {
    const char *name, *text; // text has "$K" for the name
};

// The graph whose groups are being made and written: the program's, or a loop's body.
struct weir_scope {
    weir_value **live;
    int n_live;
    weir_value **outputs;
    int n_outputs;
    bool *has_memory;  // by value id: the value (or its parts) is stored
    int *slot_of;      // by value id; -1 = none
    int *output_slot;  // n_outputs
    int *step_of;      // by value id, of the kernel body at hand
    int *era;          // by value id: cuts before it (recompute.c); NULL = none
    struct weir_group *groups;
    int n_groups, cap_groups;
    int loop;          // the one being written, -1 = none
};

// What is computed a second time.
struct weir_recomputed {
    int values;
    double flop;
    size_t bytes; // of results that have to be written again
};

struct weir_emit_state {
    weir_device *dev;
    const struct weir_compile_params *params;
    struct weir_log log;
    weir_arena *arena; // owned by the program: descriptions of host calls live in it
    weir_arena *scratch; // what is needed to write one kernel, or to find out whether it can be
    enum weir_status status; // the first failure of a writer

    struct weir_scope scope;
    struct weir_slot *slots;
    int n_slots, cap_slots;
    struct weir_planned *launches;
    int n_launches, cap_launches;
    struct weir_in_place *in_place;
    int n_in_place, cap_in_place;
    struct weir_planned_loop *loops;
    int n_loops, cap_loops;
    int n_body_groups;  // of bodies of loops
    struct weir_batch *batches;
    int n_batches, cap_batches;

    struct weir_strbuf text; // of the module: the kernels that are launched
    struct weir_kernel_entry *kernels;
    int n_kernels, cap_kernels;

    const int *group_knobs;    // of a candidate, by enum weir_group_knob; NULL: as the models have them
    int64_t group_models[4];   // what they said for the group being written; 0: not asked

    bool fast;     // params->numerics, on a device that has a fast mode
    bool trial;    // fusion asks whether a kernel can be written: slots are not made

    double price; // of a byte kept for the backward pass, in bytes moved (recompute.c); < 0 = all is kept
    double flop; // of the graph as simplified, without what is computed again
    struct weir_recomputed recomputed;
    size_t arena_size, live_size, inputs_size, constants_size, states_size;
    enum weir_status *call_status; // of the program: where host calls leave theirs
    struct weir_strbuf dump_values, dump_recompute, dump_schedule, dump_choices, dump_merge, dump_plan, dump_bodies;
};

// Grows an array of the arena so that one more entry fits; false when out of memory.
bool weir_grow(weir_arena *arena, void **array, int n, int *cap, size_t size);

// The next multiple of `align`.
static inline size_t weir_align_up(size_t n, size_t align)
{
    return (n + align - 1) / align * align;
}

// slots.c
int weir_slot_add(struct weir_emit_state *c, const struct weir_slot *slot);
int weir_slot_of(struct weir_emit_state *c, const weir_value *v); // of a value with memory
// The slot that a slot without memory of its own lies in: what it takes the place of, what it is part of.
int weir_slot_base(const struct weir_emit_state *c, int slot);
// Where v's elements lie: v may be a view, a leaf, or any value with memory.
void weir_operand_of(struct weir_emit_state *c, weir_value *v, struct weir_operand *out);
// What v reads, although v has memory of its own (a view to be copied).
void weir_operand_through(struct weir_emit_state *c, weir_value *v, struct weir_operand *out);
struct weir_planned *weir_launch_add(struct weir_emit_state *c, const struct weir_planned *l);
bool weir_operand_contiguous(const struct weir_operand *o);
// Where a slot begins in its buffer, in the first iteration of all loops, once there is a plan.
size_t weir_slot_place(const struct weir_emit_state *c, int slot);
// Whether a copy of `from` to slot `to` has all of its source in the same order, so that the source may
// be written there in the first place.
bool weir_copy_is_whole(const struct weir_emit_state *c, const struct weir_operand *from, int to);
// Says that in `launch` (an index) `out` and `in` are touched at the same row-major index only, so
// that they may share memory. Ignored unless both are whole and row-major.
void weir_may_share(struct weir_emit_state *c, int launch, const struct weir_operand *out,
                    const struct weir_operand *in);

// The k-th result of an op with memory, row-major.
void weir_result_of(struct weir_emit_state *c, weir_value *v, int k, struct weir_operand *out);
void weir_plan_explain(const struct weir_emit_state *c); // logs who wants how much

// Groups (schedule.c). weir_groups_make: of the live list, with memory for its outputs' sake.
enum weir_status weir_groups_make(struct weir_emit_state *c);
void weir_groups_describe(struct weir_emit_state *c);
struct weir_group *weir_group_add(struct weir_emit_state *c, enum weir_group_kind kind);
bool weir_group_single(struct weir_emit_state *c, weir_value *v); // of one operation
bool weir_group_copy(struct weir_emit_state *c, weir_value *v);   // of a view with memory
enum weir_group_kind weir_group_kind_of(const weir_value *v); // unfused
bool weir_has_group(const struct weir_emit_state *c, const weir_value *v);

// Kernel texts (write_cl.c): as weir_emit_kernel.
const char *weir_kernel_add(struct weir_emit_state *c, const char *hint, const char *text);
const char *weir_kernel_add_buf(struct weir_emit_state *c, const char *hint, struct weir_strbuf *text);
// OpenCL writers, one a kind of group.
enum weir_status weir_write_map(struct weir_emit_state *c, const struct weir_group *g);
enum weir_status weir_write_row(struct weir_emit_state *c, const struct weir_group *g);
enum weir_status weir_write_copy(struct weir_emit_state *c, const struct weir_group *g);

// Launches of all groups, as the device wants them (write_host.c, write_cl.c).
enum weir_status weir_write_groups(struct weir_emit_state *c);
enum weir_status weir_write_groups_host(struct weir_emit_state *c);
enum weir_status weir_write_copy_host(struct weir_emit_state *c, const struct weir_group *g);
enum weir_status weir_write_loop(struct weir_emit_state *c, weir_value *v); // write_loop.c

// The passes in turn, within params->memory (passes.c). c is zeroed but for dev, params, log, call_status and
// the number of outputs, and is finished by the caller, errors or not.
enum weir_status weir_passes(struct weir_emit_state *c, weir_graph *g, weir_value *const *outputs);
void weir_passes_finish(struct weir_emit_state *c);

// The passes.
enum weir_status weir_widen_late(struct weir_emit_state *c); // widen.c
enum weir_status weir_recompute(struct weir_emit_state *c);  // recompute.c
enum weir_status weir_schedule(struct weir_emit_state *c);   // schedule.c
enum weir_status weir_write_host(struct weir_emit_state *c); // write_host.c
enum weir_status weir_write_call(struct weir_emit_state *c, weir_value *v); // a host call, any device
enum weir_status weir_merge(struct weir_emit_state *c);      // merge.c
enum weir_status weir_plan(struct weir_emit_state *c);       // plan.c
enum weir_status weir_write_merged(struct weir_emit_state *c); // write_merged.c: the kernels of batches
enum weir_status weir_write_module(struct weir_emit_state *c); // write_cl.c: all that is launched, as one text

// Words of a launch's record in the table of its batch (write_merged.c).
size_t weir_merged_record(const struct weir_planned *l);

// A compiled graph. Everything it needs is its own: the graph may be gone.
struct weir_program_input {
    const weir_value *identity; // of the graph; never dereferenced
    const char *name;
    size_t offset, size;
    bool used, bound;
};

// A tensor between guards (guards.c).
struct weir_guarded {
    weir_buf *buf;
    size_t offset, size;
    const char *name, *writer;
};

struct weir_program {
    weir_device *dev;
    bool fast;
    weir_arena *arena;
    weir_buf *constants, *inputs, *memory; // NULL where nothing of the kind is needed
    weir_module *module;
    weir_list *list;
    struct weir_program_input *input;
    int n_inputs;
    struct weir_program_output {
        weir_buf *buf;
        size_t offset, size;
        enum weir_dtype dtype;
    } *output;
    int n_outputs;
    enum weir_status call_status; // of host calls, sticky within a run
    struct weir_program_info info;
    const char *label;
    struct weir_guarded *guarded; // NULL: no guards
    int n_guarded, pattern;
    bool unchecked; // a run was made since the guards were looked at
    struct weir_launch *launches; // with no_replay: kept, n_launches of them; else NULL
    int n_launches;
    const struct weir_kernel_entry *kernels; // of `launches`
    int n_kernels;
};

// With no_replay: the complete text of one of the program's kernels, to be compiled alone (write_cl.c).
// Errors: INVALID (no such kernel), NOMEM.
enum weir_status weir_program_kernel_text(const struct weir_program *p, const char *kernel, struct weir_strbuf *out);

// Guards (guards.c): bytes on each side of a tensor.
enum { WEIR_GUARD_SIZE = 256 };
void weir_guards_place(const struct weir_emit_state *c, struct weir_slot *s, size_t *end); // behind *end
enum weir_status weir_guards_fill(weir_buf *buf, int pattern); // NULL is no buffer
enum weir_status weir_guards_take(const struct weir_emit_state *c, struct weir_program *p);
enum weir_status weir_guards_before_run(struct weir_program *p);
enum weir_status weir_guards_after_run(struct weir_program *p);

// How many parts a launch is to run in so that none takes too long: at least 1, not rounded (record.c).
double weir_launch_parts(const struct weir_emit_state *c, double flops, double bytes);
enum weir_status weir_record(struct weir_emit_state *c, struct weir_program *p); // record.c
void weir_dump(const struct weir_emit_state *c); // dump.c

#endif

// SPDX-License-Identifier: Apache-2.0
// Contraction kernels against the host's loop nests, bit for bit: what the tests of their shapes, tiles,
// engines and storage types share. The program is its own little compiler (compiler.c) and runs cases
// (cases.c): scratch and outputs poisoned and fenced. Seed of all data: 7.
#ifndef CONTRACT_CONTRACT_H
#define CONTRACT_CONTRACT_H
#include "base/arena.h"
#include "compile/contract_parts.h"
#include "device/engine.h"
#include "support/support.h"

#define GUARD 64           // floats before and after each buffer that is written
#define POISON 0x7fc12345u // a NaN that no kernel makes
#define MAX_SLOTS 32
#define MAX_LAUNCHES 64

struct slot {
    weir_buf *buf;
    size_t size; // bytes without guards
    bool fenced;
};

struct weir_emit_state {
    struct slot slot[MAX_SLOTS];
    int n_slots;
    struct weir_emit_launch launch[MAX_LAUNCHES];
    struct weir_emit_arg arg[MAX_LAUNCHES][WEIR_LAUNCH_MAX_BUFS];
    int n_launches;
};

enum kind { MATMUL, CONV, INPUT_GRAD, WEIGHT_GRAD };

struct spec {
    enum kind kind;
    int batch_a[2], batch_b[2], m, k, n; // matmul; batch 0 = absent
    bool ta, tb;
    int images, in[3], cin, cout, ker[3]; // convolutions; in 0 = absent
    struct weir_conv_params p;
    bool views;    // operands lie transposed in memory
    bool epilogue; // out = result * 2 + column
    bool i8;
};

struct test {
    struct spec s;
    weir_value *v;
    struct weir_emit_state state;
    struct weir_emit e;
    struct weir_operand in[2], out;
    struct weir_emit_epilogue epilogue;
    struct weir_emit_arg epilogue_arg;
    void *data[2]; // of the operands, host copies of the slots
    void *expect;
    weir_list *list;
};

// One convolution and both of its gradients.
#define EACH(...) {CONV, __VA_ARGS__}, {INPUT_GRAD, __VA_ARGS__}, {WEIGHT_GRAD, __VA_ARGS__},

// What the tests set before a run, and back after it.
struct contract_settings {
    const char *selector; // of the device
    bool every;           // all cases of each tile, engine, type
    struct weir_forced forced; // for every gather that it fits
    bool is_forced;
    const struct weir_engine *engine; // in fast mode, emulated; or NULL
    int engine_kernels, subgroup_kernels; // how many had an engine, sub-groups
    float tolerance;                  // relative; of results that are one product each
    enum weir_dtype storage;          // of all float operands; F32 is 0
    bool long_offsets; // every kernel counts in 64 bits, as operands of 4 GiB and more make it
};
extern struct contract_settings contract;

// How many texts with a line there were: that a case takes the kernel that it is for.
enum { SEEN_WINDOWS, SEEN_BOUND, SEEN_UNBOUND, CONTRACT_SEEN };
struct contract_seen {
    const char *line;
    int n;
};
extern struct contract_seen contract_seen[CONTRACT_SEEN];

extern struct weir_strbuf contract_source; // of the kernels of all cases so far
void contract_forget(void);                // them and their names
int contract_add_slot(struct weir_emit *e, size_t size, bool fenced);

bool contract_has_device(void);
// Opens the device, with features hidden.
weir_device *contract_device(uint32_t hidden);
// Emits all cases into one module, then runs and compares each; `after` (or NULL) sees it recorded.
void contract_run(weir_device *dev, const struct spec *list, int n,
                  void (*after)(struct test *, weir_device *));

// The cases that every form of the kernels runs.
extern const struct spec contract_specs[];
extern const int contract_n_specs;

void contract_tiles_tests(Suite *suite);
void contract_engines_tests(Suite *suite);
void contract_storage_tests(Suite *suite);
void contract_subgroups_tests(Suite *suite);
#endif

// SPDX-License-Identifier: Apache-2.0
// What the kernels of a gather share, on wide devices (contract_wide.c, contract_block.c,
// contract_window.c) and grouped ones (contract_grouped.c): the knobs of its text, and sums that are
// split over chunks.
#ifndef WEIR_COMPILE_CONTRACT_PARTS_H
#define WEIR_COMPILE_CONTRACT_PARTS_H

#include "compile/contract.h"
#include "device/engine.h"

// Sizes that CPUs' caches are taken to have: a core's own, what is still near, what is left in the last
// one. Only speed depends on them.
#define WEIR_CORE_CACHE (1 << 20)
#define WEIR_NEAR_CACHE (4 << 20)
#define WEIR_LAST_CACHE (16 << 20)

static inline int64_t div_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static inline int64_t extent(const struct weir_axis *x, int n)
{
    int64_t size = 1;
    for (int i = 0; i < n; i++)
        size *= x[i].n;
    return size;
}

static inline void define1(struct weir_strbuf *t, const char *name, int64_t value)
{
    weir_strbuf_printf(t, "#define CT_%s (%lld)\n", name, (long long)value);
}

// How the chunks of a gather are spread over launches; batch = 0: not split.
struct weir_split {
    int64_t batch;   // chunks a launch
    int64_t results; // elements of the output
    struct weir_emit_arg partial, running;
};

// A phase has part of the results only, and chunk sums are laid out like all of them.
bool weir_split_possible(const struct weir_emit *e, const struct weir_gather *g);
// With scratch for the chunk sums.
struct weir_split weir_split_make(struct weir_emit *e, const struct weir_gather *g);

// Whether an index of any operand may be too large for int.
bool weir_gather_needs_long(const struct weir_gather *g);
// How operand `which` ('A', 'B') is read where it has 16 bits; contract_knobs.cl has floats.
void weir_gather_define_type(struct weir_strbuf *t, char which, enum weir_dtype dtype);
// The knobs of contract_knobs.cl for this gather.
void weir_gather_define(struct weir_strbuf *t, const struct weir_gather *g);
// Adds what a main kernel's text and launch need beside its tile: results, or chunk sums if split.
void weir_gather_begin(struct weir_emit *e, const struct weir_gather *g, const struct weir_split *s,
                       struct weir_strbuf *t, struct weir_emit_launch *l);
// Launches main kernels; z batches each, chunk batches in turn with a fold after each.
void weir_gather_launch(struct weir_emit *e, const struct weir_gather *g,
                        const struct weir_split *s, struct weir_emit_launch *l, int n);

// Copies columns of b into panels of 16 vecs; g is changed to read those. Returns their distance.
int64_t weir_gather_pack(struct weir_emit *e, struct weir_gather *g, int vecs);
// An f32 copy of operand a, or b, if it is of 16 bits; g is changed to read that.
void weir_gather_widen(struct weir_emit *e, struct weir_gather *g, bool b);
void weir_bound_define(struct weir_strbuf *t, const struct weir_bound *b);
// Drops loops of extent 1 and joins those that can be walked as one.
void weir_gather_simplify(struct weir_gather *g);

// The rows of weir_contract_kernels.
extern const struct weir_contract_kernel weir_contract_library, weir_contract_window,
    weir_contract_border, weir_contract_block, weir_contract_wide, weir_contract_engine,
    weir_contract_subgroup, weir_contract_grouped;

// Whether the device has a matrix engine, which large products in fast mode then go to.
static inline bool has_engine(const weir_device *dev)
{
    return (dev->info.caps.features & weir_engine_caps()) != 0;
}

// A convolution of stride 1 by 3 x 3 kernels, in fast mode (winograd.c): strides and offsets in elements.
struct weir_winograd {
    int64_t n, in[2], out[2], pad[2], cin, cout;
    int64_t sn, sh, sw, sc;             // of the image
    int64_t w0, w_in, w_out, w_h, w_w;  // of the kernels
    struct weir_emit_arg x, w;
};
bool weir_winograd_fits(const struct weir_emit *e, const struct weir_winograd *w);
enum weir_status weir_winograd_emit(struct weir_emit *e, const struct weir_winograd *w);

// How the kernels of grouped devices read an operand (CT_A_VECTOR, CT_B_VECTOR of contract_grouped.cl), and
// whether a step may reach beyond the end of a chunk (CT_RAGGED).
enum weir_gather_operand { WEIR_GATHER_A, WEIR_GATHER_B, WEIR_GATHER_OUT };
int weir_gather_vector(const struct weir_gather *g, enum weir_gather_operand which);
bool weir_gather_ragged(const struct weir_gather *g, int step);

#endif

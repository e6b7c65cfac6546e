// SPDX-License-Identifier: Apache-2.0
// Contractions as affine gathers, the form that kernels/contract_*.cl compute:
//   out[o0 + batch + row + col] = canonical sum over the terms of a[a0 + batch + row + term] *
//                                                                 b[b0 + batch + col + term]
// contract.c turns an op into gathers; contract_gather.c turns a gather into kernels and launches.
#ifndef WEIR_COMPILE_CONTRACT_H
#define WEIR_COMPILE_CONTRACT_H

#include "compile/emit.h"

// Extent of one loop, and its strides (elements) in the operands it walks.
struct weir_axis {
    int64_t n, a, b, o;
};

// Where an operand of a gather lies.
struct weir_gather_source {
    struct weir_emit_arg arg;
    bool slack; // 15 floats beyond its last element may be read
};

// An operand that is an image without a border. A pixel of the result (loop r) and a kernel pixel
// (loop k) meet along spatial axis i at pixel r stride + k dilation + origin, which is there from 0
// to in - 1 only. WEIR_BOUND_A: rows are images and three spatial loops, terms three kernel loops
// and channels. WEIR_BOUND_B: terms are images and three spatial loops, columns three kernel loops
// and channels. Only the kernels of wide devices know it.
struct weir_bound {
    enum { WEIR_BOUND_NONE, WEIR_BOUND_A, WEIR_BOUND_B } of;
    int64_t stride[3], dilation[3], origin[3], in[3];
    int64_t pixel[3]; // from pixel to pixel, elements
};

// Unused axes have n = 1; the innermost loop is the last entry.
struct weir_gather {
    struct weir_axis row[4], col[4], term[4], batch[6];
    int64_t a0, b0, o0;
    int64_t chunks; // of 512 canonical terms
    const int64_t
        *cut; // chunks entries: terms present before the end of chunk c; NULL = all present
    struct weir_gather_source a, b;
    struct weir_bound bound;
    const char *hint; // part of kernel names
};

// Appends what computes one gather. Several gathers may fill one output between them (phases).
enum weir_status weir_gather_emit(struct weir_emit *e, const struct weir_gather *g);

// --- candidates: the ways to compute a gather; which one is taken decides speed only ---

enum { WEIR_MAX_KNOBS = 8, WEIR_AUTO = -1 };

// A kernel and its knobs. As text: "wide:h=2,w=7,v=2,pack=0"; a knob that is not there is
// WEIR_AUTO.
struct weir_candidate {
    const struct weir_contract_kernel *kernel; // NULL: none
    int knob[WEIR_MAX_KNOBS]; // in the order of kernel->knobs; WEIR_AUTO: as the kernel's model has
                              // it
};

// Knobs that differ from others, for a tuner to try.
struct weir_variations {
    struct weir_candidate *list;
    int n, max;
    bool thorough; // more of them
};
// Adds `from`, with knob i made `value`.
void weir_vary(struct weir_variations *v, const struct weir_candidate *from, int i, int value);

// A row of weir_contract_kernels.
struct weir_contract_kernel {
    const char *name;
    const char *const *knobs; // their names, NULL-ended; NULL: it has none
    // Whether it computes this gather with these knobs. A text may come from a file: anything is
    // asked.
    bool (*fits)(const struct weir_emit *e, const struct weir_gather *g, const int *knob);
    // Whether it is taken if nothing was measured: the first row that wants to be and fits (asked in this
    // order: fits may try something on the device). NULL: never.
    bool (*wants)(const struct weir_emit *e, const struct weir_gather *g);
    // Knobs that are WEIR_AUTO and not better left to emit. NULL: nothing to do.
    void (*model)(const struct weir_emit *e, const struct weir_gather *g, int *knob);
    // What else a tuner should try; what does not fit is left out by it. NULL: nothing.
    void (*vary)(const struct weir_emit *e, const struct weir_gather *g,
                 const struct weir_candidate *from, struct weir_variations *v);
    double rounding; // fast mode: of operands, relative, where the kernel rounds them to a shorter
                     // type (0 = not)
    // NULL: the image of g.bound gets a border instead, and the gather of that is asked anew.
    enum weir_status (*emit)(struct weir_emit *e, const struct weir_gather *g, const int *knob);
};
extern const struct weir_contract_kernel *const weir_contract_kernels[]; // NULL-ended

// A candidate to be taken for the gathers of `key` (0 = all) that it fits.
struct weir_forced {
    uint64_t key;
    struct weir_candidate candidate;
};

// The gathers for which a candidate was asked, in turn.
enum { WEIR_MAX_SEEN = 24 };
struct weir_seen {
    int n;
    struct {
        uint64_t key;
        struct weir_gather gather;
    } at[WEIR_MAX_SEEN];
};

// What was forced, else measured, else what the models of the kernels say. No kernel: none fits.
struct weir_candidate weir_candidate_for(struct weir_emit *e, const struct weir_gather *g);
struct weir_candidate weir_candidate_model(const struct weir_emit *e, const struct weir_gather *g);
bool weir_candidate_fits(const struct weir_emit *e, const struct weir_gather *g,
                         const struct weir_candidate *c);
const char *weir_candidate_text(const struct weir_candidate *c, char *dst, size_t size);
// False: no such kernel or knob.
bool weir_candidate_parse(const struct weir_contract_kernel *const *kernels, const char *text,
                          struct weir_candidate *c);
// "conv 50176 x 32 x 288": rows, columns, terms, and how many of them.
void weir_gather_describe(const struct weir_gather *g, char *dst, size_t size);
// Equal for equal work: all that a kernel's text depends on beside the candidate.
uint64_t weir_gather_key(const struct weir_emit *e, const struct weir_gather *g);

// Work-items of a group: an edge of square groups, and of groups along one axis. A CPU driver may
// take fewer for a kernel than it says for the device (llvmpipe 22.3: 32 of 1024).
static inline int weir_group_edge(const weir_device *dev)
{
    int edge = dev->info.caps.is_gpu ? 8 : 4;
    while (edge > 1 && edge * edge > dev->info.caps.max_group)
        edge /= 2;
    return edge;
}

static inline int weir_group_flat(const weir_device *dev)
{
    return weir_group_edge(dev) * weir_group_edge(dev);
}

// A tile of a grouped kernel: rows x cols results a work-group, per_row x per_col a work-item,
// `step` terms at a time in `buffers` places of local memory. A row of weir_grouped_tiles; the last
// has no name.
struct weir_grouped_tile {
    const char *name;
    int rows, cols, step, per_row, per_col, buffers;
};
extern const struct weir_grouped_tile weir_grouped_tiles[];
void weir_grouped_knobs(const struct weir_grouped_tile *t,
                        int *knob); // the tile as knobs of weir_contract_grouped

// Whether the device says that it runs such groups.
bool weir_grouped_tile_fits(const weir_device *dev, const struct weir_grouped_tile *t);

// A tile of a matrix engine's kernel: rows x cols results a work-group, `each` a work-item, in `buffers`
// places of local memory. A row of weir_engine_tiles; the last has no name.
struct weir_engine_tile {
    const char *name;
    int rows, cols, each, buffers;
};
extern const struct weir_engine_tile weir_engine_tiles[];
// The tile as knobs of weir_contract_engine.
void weir_engine_knobs(const struct weir_engine_tile *t, int *knob);

// What the choice of a tile, and of splitting the sums over work-groups, depends on.
struct weir_grouped_work {
    int64_t rows, cols, batches, terms, chunks;
    bool may_split;
};
struct weir_grouped_choice {
    const struct weir_grouped_tile *tile; // NULL: none fits
    bool split;
};
struct weir_grouped_choice weir_grouped_choose(const weir_device *dev,
                                               const struct weir_grouped_work *w);

// A register tile of a wide kernel: th x tw of the two innermost row loops, 16 * vecs columns; the
// columns that do not fill whole panels take a kernel of their own with tail_vecs.
struct weir_wide_tile {
    int th, tw, vecs;
    int64_t panels; // whole panels of 16 * vecs
    int tail_vecs;  // 0 = no columns left
};
struct weir_wide_tile weir_wide_tile(int64_t rows_h, int64_t rows_w, int64_t cols, int64_t run,
                                     bool along); // along: of equal ones that with the smallest th
// That of these extents.
struct weir_wide_tile weir_wide_tile_of(int th, int tw, int vecs, int64_t cols);
bool weir_wide_tile_fits(int th, int tw, int vecs, int64_t rows_h, int64_t rows_w);
// Of each number of vectors and several numbers of accumulators the best; returns how many (at most
// WEIR_WIDE_TILES).
enum { WEIR_WIDE_TILES = 24 };
int weir_wide_tiles(int64_t rows_h, int64_t rows_w, int64_t cols, int64_t run, bool thorough,
                    struct weir_wide_tile *dst);

#endif

// SPDX-License-Identifier: Apache-2.0
// Kernels and launches of one gather on grouped devices (GPUs): both operands are read through their
// strides into tiles in local memory (kernels/contract_grouped.cl). Which tile decides speed only.
#include "compile/contract_parts.h"

#include <string.h>

#include "base/log.h"
#include "device/kernel_text.h"

// Quads of lines a work-item and whole vectors a load: rows, cols, per_row and per_col are multiples
// of 4, and rows * step and cols * step multiples of 4 times the number of work-items; 512 is a
// multiple of step.
const struct weir_grouped_tile weir_grouped_tiles[] = {
    {"128x128x8-8x8", 128, 128, 8, 8, 8, 2},
    {"128x128x16-8x8", 128, 128, 16, 8, 8, 2},
    {"128x64x16-8x8", 128, 64, 16, 8, 8, 2},
    {"128x64x16-8x4", 128, 64, 16, 8, 4, 2},
    {"64x64x16-4x4", 64, 64, 16, 4, 4, 2},
    {"64x64x8-8x8", 64, 64, 8, 8, 8, 2},
    {"128x32x16-8x4", 128, 32, 16, 8, 4, 2},
    {"32x128x16-4x8", 32, 128, 16, 4, 8, 2},
    {"128x16x16-8x4", 128, 16, 16, 8, 4, 2},
    {"32x32x16-4x4", 32, 32, 16, 4, 4, 2},
    {"16x16x8-4x4", 16, 16, 8, 4, 4, 2},
    {"16x16x8-4x4-single", 16, 16, 8, 4, 4, 1}, // half the local memory
    {"4x4x8-4x4-single", 4, 4, 8, 4, 4, 1},     // for the least of devices
    {0},
};

static int items_of(const struct weir_grouped_tile *t)
{
    return t->rows / t->per_row * (t->cols / t->per_col);
}

static uint64_t local_bytes(const struct weir_grouped_tile *t)
{
    return sizeof(float) * (uint64_t)(t->buffers * t->step * (t->rows + t->cols + 8));
}

bool weir_grouped_tile_fits(const weir_device *dev, const struct weir_grouped_tile *t)
{
    const struct weir_caps *caps = &dev->info.caps;
    return items_of(t) <= caps->max_group && local_bytes(t) <= caps->local_size;
}

// --- choice ---

// A model of a GPU's compute unit, in its clock cycles: 128 multiply-adds a cycle if enough work-items
// are there to hide latencies, fewer the more of them are loads from local memory; so many floats a
// cycle from the cache. Round figures of today's GPUs: only the order of candidates depends on them.
enum { UNIT_FMAS = 128, UNIT_ITEMS = 256, UNIT_FLOATS = 10, UNIT_RESIDENT = 512, LAUNCH_CYCLES = 8000 };

static int64_t min64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

// Cycles of `groups` work-groups of `terms` terms each on `units` units.
static double groups_cost(const struct weir_grouped_tile *t, int64_t groups, int64_t terms, bool sums,
                          int units)
{
    double per_item = t->per_row * t->per_col, loads = t->per_row + t->per_col;
    double fma = (double)(t->rows * t->cols) / UNIT_FMAS * (per_item + loads) / per_item;
    double read = (double)(t->rows + t->cols) / UNIT_FLOATS;
    double cycles = (double)terms * (fma > read ? fma : read);
    // Twice the accumulators let half as many of the largest groups reside in a unit.
    int64_t a_unit = div_up(groups, units), resident = UNIT_RESIDENT / items_of(t);
    if (sums && per_item > 32)
        resident /= 2;
    double there = (double)(min64(a_unit, resident > 1 ? resident : 1) * items_of(t)) / UNIT_ITEMS;
    return cycles * (double)a_unit / (there < 1 ? there : 1);
}

struct weir_grouped_choice weir_grouped_choose(const weir_device *dev,
                                               const struct weir_grouped_work *w)
{
    const struct weir_caps *caps = &dev->info.caps;
    struct weir_grouped_choice best = {0};
    double best_cost = 0;
    for (const struct weir_grouped_tile *t = weir_grouped_tiles; t->name; t++) {
        // A CPU driver may take fewer work-items for a kernel than it says for the device (llvmpipe
        // 22.3: 32 of 1024), and a software fma is long.
        bool small = t->per_row * t->per_col <= 16 && items_of(t) <= 16;
        if (!weir_grouped_tile_fits(dev, t) ||
            (!small && (!caps->is_gpu || !weir_device_has(dev, WEIR_CAP_FMA))))
            continue;
        int64_t tiles = div_up(w->rows, t->rows) * div_up(w->cols, t->cols) * w->batches;
        int64_t chunk = w->terms < 512 ? w->terms : 512;
        double cost[2] = {groups_cost(t, tiles, w->terms, w->chunks > 1, caps->compute_units), 0};
        if (w->may_split) // chunk sums are written, then read by a launch of its own
            cost[1] = groups_cost(t, tiles * w->chunks, chunk, false, caps->compute_units) +
                      2.0 * (double)(w->rows * w->cols * w->batches * w->chunks) /
                          (UNIT_FLOATS * caps->compute_units) +
                      LAUNCH_CYCLES;
        for (int split = 0; split <= w->may_split; split++)
            if (!best.tile || cost[split] < best_cost) {
                best = (struct weir_grouped_choice){t, split != 0};
                best_cost = cost[split];
            }
    }
    return best;
}

// --- text ---

static int64_t stride_of(const struct weir_axis *x, enum weir_gather_operand which)
{
    return which == WEIR_GATHER_A ? x->a : which == WEIR_GATHER_B ? x->b : x->o;
}

// Whether each of these loops moves the operand by a multiple of four.
static bool by_fours(const struct weir_axis *x, int n, enum weir_gather_operand which)
{
    for (int i = 0; i < n; i++)
        if (x[i].n > 1 && stride_of(&x[i], which) % 4)
            return false;
    return true;
}

int weir_gather_vector(const struct weir_gather *g, enum weir_gather_operand which)
{
    const struct weir_axis *line = which == WEIR_GATHER_A ? g->row : g->col;
    if (!by_fours(g->batch, 6, which) || (which == WEIR_GATHER_A ? g->a0 : g->b0) % 4)
        return 0;
    bool cuts = true;
    for (int64_t c = 0; g->cut && c < g->chunks; c++)
        cuts &= g->cut[c] % 4 == 0;
    if (stride_of(&g->term[3], which) == 1 && g->term[3].n % 4 == 0 && cuts &&
        by_fours(g->term, 3, which) && by_fours(line, 4, which))
        return 1;
    if (stride_of(&line[3], which) == 1 && line[3].n % 4 == 0 && by_fours(g->term, 4, which) &&
        by_fours(line, 3, which))
        return 2;
    return 0;
}

static bool vector_out(const struct weir_emit *e, const struct weir_gather *g,
                       const struct weir_split *s)
{
    return (!e->epilogue || s->batch) && g->col[3].o == 1 && g->col[3].n % 4 == 0 && g->o0 % 4 == 0 &&
           by_fours(g->col, 3, WEIR_GATHER_OUT) && by_fours(g->row, 4, WEIR_GATHER_OUT) &&
           by_fours(g->batch, 6, WEIR_GATHER_OUT) && s->results % 4 == 0;
}

bool weir_gather_ragged(const struct weir_gather *g, int step)
{
    bool even = g->chunks > 0 && extent(g->term, 4) % step == 0;
    for (int64_t c = 0; g->cut && c < g->chunks; c++)
        even &= g->cut[c] % step == 0;
    return !even;
}

static void define_tile(struct weir_strbuf *t, const struct weir_emit *e, const struct weir_gather *g,
                        const struct weir_split *s, const struct weir_grouped_tile *tile)
{
    bool loose = weir_gather_ragged(g, tile->step);
    define1(t, "TILE_ROWS", tile->rows);
    define1(t, "TILE_COLS", tile->cols);
    define1(t, "STEP", tile->step);
    define1(t, "PER_ROW", tile->per_row);
    define1(t, "PER_COL", tile->per_col);
    define1(t, "BUFFERS", tile->buffers);
    define1(t, "A_VECTOR", weir_gather_vector(g, WEIR_GATHER_A));
    define1(t, "B_VECTOR", weir_gather_vector(g, WEIR_GATHER_B));
    define1(t, "O_VECTOR", vector_out(e, g, s));
    define1(t, "RAGGED", loose);
    define1(t, "RUN", !loose && g->term[3].n % tile->step == 0);
    define1(t, "UNROLL", e->dev->info.caps.is_gpu);
}

// --- the row ---

enum { ROWS, COLS, STEP, PER_ROW, PER_COL, BUFFERS, SPLIT };
static const char *const knobs[] = {"rows",    "cols",    "step",  "per_row",
                                    "per_col", "buffers", "split", NULL};

void weir_grouped_knobs(const struct weir_grouped_tile *t, int *k)
{
    k[ROWS] = t->rows;
    k[COLS] = t->cols;
    k[STEP] = t->step;
    k[PER_ROW] = t->per_row;
    k[PER_COL] = t->per_col;
    k[BUFFERS] = t->buffers;
}

// The row of the table that the knobs are; all WEIR_AUTO: the first one that the device has room for.
static const struct weir_grouped_tile *tile_of(const struct weir_emit *e, const int *k)
{
    for (const struct weir_grouped_tile *t = weir_grouped_tiles; t->name; t++) {
        int row[WEIR_MAX_KNOBS];
        weir_grouped_knobs(t, row);
        if ((k[ROWS] == WEIR_AUTO || !memcmp(row, k, SPLIT * sizeof(*k))) &&
            weir_grouped_tile_fits(e->dev, t))
            return t;
    }
    return NULL;
}

static bool fits(const struct weir_emit *e, const struct weir_gather *g, const int *k)
{
    return !weir_device_has(e->dev, WEIR_CAP_WIDE) && g->bound.of == WEIR_BOUND_NONE &&
           tile_of(e, k) && (k[SPLIT] < 1 || weir_split_possible(e, g));
}

static struct weir_grouped_work work_of(const struct weir_emit *e, const struct weir_gather *g)
{
    return (struct weir_grouped_work){extent(g->row, 4),  extent(g->col, 4), extent(g->batch, 6),
                                      extent(g->term, 4), g->chunks,         weir_split_possible(e, g)};
}

static bool wants(const struct weir_emit *e, const struct weir_gather *g)
{
    struct weir_grouped_work w = work_of(e, g);
    return weir_grouped_choose(e->dev, &w).tile != NULL;
}

static void model(const struct weir_emit *e, const struct weir_gather *g, int *k)
{
    struct weir_grouped_work w = work_of(e, g);
    struct weir_grouped_choice choice = weir_grouped_choose(e->dev, &w);
    if (k[ROWS] == WEIR_AUTO)
        weir_grouped_knobs(choice.tile ? choice.tile : tile_of(e, k), k);
    if (k[SPLIT] == WEIR_AUTO)
        k[SPLIT] = choice.split;
}

static void vary(const struct weir_emit *e, const struct weir_gather *g,
                 const struct weir_candidate *from, struct weir_variations *v)
{
    weir_vary(v, from, SPLIT, !from->knob[SPLIT]);
    for (const struct weir_grouped_tile *t = weir_grouped_tiles; t->name; t++) {
        struct weir_candidate c = *from;
        weir_grouped_knobs(t, c.knob);
        weir_vary(v, &c, SPLIT, from->knob[SPLIT]);
        if (v->thorough)
            weir_vary(v, &c, SPLIT, !from->knob[SPLIT]);
    }
}

static enum weir_status emit(struct weir_emit *e, const struct weir_gather *g, const int *k)
{
    const struct weir_grouped_tile *tile = tile_of(e, k);
    struct weir_split s = {0};
    if (k[SPLIT])
        s = weir_split_make(e, g);
    struct weir_emit_arg args[WEIR_LAUNCH_MAX_BUFS] = {g->a.arg, g->b.arg};
    struct weir_emit_launch l = {.label = g->hint, .n_args = 2, .args = args};
    struct weir_strbuf t = {0};
    weir_gather_begin(e, g, &s, &t, &l);
    define_tile(&t, e, g, &s, tile);
    weir_strbuf_puts(&t, weir_kernel_text("contract_grouped.cl"));
    l.kernel = weir_emit_kernel_buf(e, g->hint, &t);
    l.local[0] = (size_t)(tile->cols / tile->per_col);
    l.local[1] = (size_t)(tile->rows / tile->per_row);
    l.local[2] = 1;
    l.global[0] = (size_t)div_up(extent(g->col, 4), tile->cols) * l.local[0];
    l.global[1] = (size_t)div_up(extent(g->row, 4), tile->rows) * l.local[1];
    weir_gather_launch(e, g, &s, &l, 1);
    return WEIR_OK;
}

const struct weir_contract_kernel weir_contract_grouped = {.name = "grouped",
                                                           .knobs = knobs,
                                                           .fits = fits,
                                                           .wants = wants,
                                                           .model = model,
                                                           .vary = vary,
                                                           .emit = emit};

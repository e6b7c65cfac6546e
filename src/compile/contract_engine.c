// SPDX-License-Identifier: Apache-2.0
// Gathers by a device's matrix engine, in fast mode on grouped devices
// (kernels/contract_engine.cl): which engine multiplies the operands without losing more than fast
// mode may, which tile, and its text.
#include "compile/contract_parts.h"

#include <string.h>

#include "device/kernel_text.h"
#include "graph/ops/rows.h"

const struct weir_engine_tile weir_engine_tiles[] = {
    {"engine-128x128", 128, 128, 64, 2},
    {"engine-128x128-single", 128, 128, 64, 1},
    {"engine-128x64", 128, 64, 64, 2},
    {"engine-64x128", 64, 128, 64, 2},
    {"engine-64x64", 64, 64, 32, 2},
    {"engine-64x64-16", 64, 64, 16, 2},
    {"engine-128x32", 128, 32, 32, 2},
    {"engine-32x128", 32, 128, 32, 2},
    {"engine-128x16", 128, 16, 16, 2},
    {"engine-16x128", 16, 128, 16, 2},
    {"engine-32x32", 32, 32, 16, 2},
    {"engine-16x16-8", 16, 16, 8, 1},
    {"engine-16x16-4", 16, 16, 4, 1},
    {0},
};
enum { STEP_WORDS = 16, PITCH_WORDS = STEP_WORDS + 4 };

// A tile for one engine: its sub-groups, and the results of each.
struct layout {
    const struct weir_engine_tile *tile;
    int subs, sub_rows, sub_cols;
};

// Cuts the tile among sub-groups so that each reads the fewest lines; false where they do not fit.
static bool lay_out(const weir_device *dev, const struct weir_engine *g,
                    const struct weir_engine_tile *t, struct layout *out)
{
    const struct weir_caps *caps = &dev->info.caps;
    int subs = t->rows * t->cols / (g->lanes * t->each), best = 0;
    uint64_t bytes =
        (uint64_t)t->buffers * (uint64_t)(t->rows + t->cols) * PITCH_WORDS * sizeof(uint32_t);
    if (subs == 0 || t->each > g->most || subs * g->lanes > caps->max_group ||
        bytes > caps->local_size)
        return false;
    for (int down = 1; down <= subs; down++) {
        int rows = t->rows / down, cols = t->cols / (subs / down);
        if (subs % down || t->rows % (down * g->m) || t->cols % (subs / down * g->n))
            continue;
        if (best == 0 || rows + cols < best) {
            best = rows + cols;
            *out = (struct layout){t, subs, rows, cols};
        }
    }
    return best > 0;
}

// --- choice ---

// A model of a GPU's compute unit, as in contract_grouped.c: multiply-adds of its engine and floats
// from the cache a clock cycle, work-items that hide latencies. Only the order of candidates
// depends on it.
enum {
    UNIT_FMAS = 1024,
    UNIT_FLOATS = 16,
    UNIT_ITEMS = 256,
    UNIT_RESIDENT = 512,
    LAUNCH_CYCLES = 8000
};

static double cost_of(const struct layout *l, int lanes, int64_t groups, int64_t terms, int units)
{
    const struct weir_engine_tile *t = l->tile;
    double mad = (double)(t->rows * t->cols) / UNIT_FMAS,
           read = (double)(t->rows + t->cols) / UNIT_FLOATS;
    int64_t items = l->subs * lanes, a_unit = div_up(groups, units),
            resident = UNIT_RESIDENT / items;
    resident = resident < 1 ? 1 : resident > a_unit ? a_unit : resident;
    double there = (double)(resident * items) / UNIT_ITEMS;
    return (double)terms * (mad > read ? mad : read) * (double)a_unit / (there < 1 ? there : 1);
}

enum { ROWS, COLS, EACH, BUFFERS, SPLIT };
static const char *const knobs[] = {"rows", "cols", "each", "buffers", "split", NULL};

void weir_engine_knobs(const struct weir_engine_tile *t, int *k)
{
    k[ROWS] = t->rows;
    k[COLS] = t->cols;
    k[EACH] = t->each;
    k[BUFFERS] = t->buffers;
}

// The cheapest of the tiles that the knobs allow, and whether to split the sums.
static bool choose(const struct weir_emit *e, const struct weir_engine *engine,
                   const struct weir_gather *g, const int *k, struct layout *best, bool *split)
{
    int64_t rows = extent(g->row, 4), cols = extent(g->col, 4), z = extent(g->batch, 6),
            terms = extent(g->term, 4);
    const int units = e->dev->info.caps.compute_units;
    const bool may_split = weir_split_possible(e, g);
    double least = 0;
    best->tile = NULL;
    for (const struct weir_engine_tile *t = weir_engine_tiles; t->name; t++) {
        struct layout l;
        int row[WEIR_MAX_KNOBS];
        weir_engine_knobs(t, row);
        if ((k[ROWS] != WEIR_AUTO && memcmp(row, k, SPLIT * sizeof(*k))) ||
            !lay_out(e->dev, engine, t, &l))
            continue;
        int64_t groups = div_up(rows, t->rows) * div_up(cols, t->cols) * z;
        double cost = cost_of(&l, engine->lanes, groups, terms, units), apart = cost;
        if (may_split)
            apart = cost_of(&l, engine->lanes, groups * g->chunks, 512, units) + LAUNCH_CYCLES +
                    2.0 * (double)(rows * cols * z * g->chunks) / (UNIT_FLOATS * units);
        bool cut = k[SPLIT] == WEIR_AUTO ? apart < cost : k[SPLIT] != 0;
        cost = cut ? apart : cost;
        if (best->tile && cost >= least)
            continue;
        *best = l, *split = cut, least = cost;
    }
    return best->tile != NULL;
}

// --- which engine ---

// The 16-bit type whose values an operand of f32 has, being widened from it; else its own.
static enum weir_dtype values_of(const weir_value *v)
{
    while (v->op->cls == WEIR_OP_VIEW)
        v = v->arg[0];
    if (v->type.dtype == WEIR_F32 && v->op == &weir_op_cast) {
        enum weir_dtype from = v->arg[0]->type.dtype;
        return from == WEIR_BF16 || from == WEIR_F16 ? from : WEIR_F32;
    }
    return v->type.dtype;
}

// Whether the engine reads the operand as it lies in memory.
static bool reads(const struct weir_engine *g, enum weir_dtype stored)
{
    return stored == WEIR_F32 || stored == g->dtype;
}

static const struct weir_engine *engine_for(const struct weir_emit *e, const struct weir_gather *g)
{
    enum weir_dtype a = values_of(e->v->arg[0]), b = values_of(e->v->arg[1]);
    enum weir_dtype want[2] = {a == b ? a : WEIR_F32, WEIR_F32};
    for (int i = 0; i < 2 && e->fast; i++)
        for (const struct weir_engine *x = weir_engines; x->name; x++)
            if (x->dtype == want[i] && weir_device_has(e->dev, x->cap) &&
                reads(x, g->a.arg.dtype) && reads(x, g->b.arg.dtype))
                return x;
    return NULL;
}

// --- text ---

static void define_layout(struct weir_strbuf *t, const struct weir_emit *e,
                          const struct weir_gather *g, const struct weir_engine *engine,
                          const struct layout *l, bool split)
{
    int step = engine->dtype == WEIR_F32 ? STEP_WORDS : 2 * STEP_WORDS;
    bool loose = split ? weir_gather_ragged(g, step) : extent(g->term, 4) % step != 0;
    define1(t, "TILE_ROWS", l->tile->rows);
    define1(t, "TILE_COLS", l->tile->cols);
    define1(t, "SUB_ROWS", l->sub_rows);
    define1(t, "SUB_COLS", l->sub_cols);
    define1(t, "STEP", step);
    define1(t, "BUFFERS", l->tile->buffers);
    define1(t, "A_VECTOR", weir_gather_vector(g, WEIR_GATHER_A));
    define1(t, "B_VECTOR", weir_gather_vector(g, WEIR_GATHER_B));
    define1(t, "A_HALF", g->a.arg.dtype != WEIR_F32);
    define1(t, "B_HALF", g->b.arg.dtype != WEIR_F32);
    define1(t, "RAGGED", loose);
    define1(t, "RUN", !loose && g->term[3].n % step == 0);
    define1(t, "UNROLL", e->dev->info.caps.is_gpu);
}

// --- the row ---

static bool fits(const struct weir_emit *e, const struct weir_gather *g, const int *k)
{
    struct layout l;
    bool split;
    const struct weir_engine *engine = engine_for(e, g);
    return engine && !weir_device_has(e->dev, WEIR_CAP_WIDE) && g->bound.of == WEIR_BOUND_NONE &&
           (k[SPLIT] < 1 || weir_split_possible(e, g)) && choose(e, engine, g, k, &l, &split);
}

static bool wants(const struct weir_emit *e, const struct weir_gather *g)
{
    return true;
}

static void model(const struct weir_emit *e, const struct weir_gather *g, int *k)
{
    struct layout l;
    bool split;
    if (!choose(e, engine_for(e, g), g, k, &l, &split))
        return;
    weir_engine_knobs(l.tile, k);
    k[SPLIT] = split;
}

static void vary(const struct weir_emit *e, const struct weir_gather *g,
                 const struct weir_candidate *from, struct weir_variations *v)
{
    weir_vary(v, from, SPLIT, !from->knob[SPLIT]);
    for (const struct weir_engine_tile *t = weir_engine_tiles; t->name; t++) {
        struct weir_candidate c = *from;
        weir_engine_knobs(t, c.knob);
        weir_vary(v, &c, SPLIT, from->knob[SPLIT]);
        if (v->thorough)
            weir_vary(v, &c, SPLIT, !from->knob[SPLIT]);
    }
}

static enum weir_status emit(struct weir_emit *e, const struct weir_gather *g, const int *k)
{
    const struct weir_engine *engine = engine_for(e, g);
    struct layout l;
    bool split = false;
    if (!engine || !choose(e, engine, g, k, &l, &split))
        return WEIR_UNSUPPORTED;
    struct weir_split s = {0};
    if (split)
        s = weir_split_make(e, g);
    struct weir_emit_arg args[WEIR_LAUNCH_MAX_BUFS] = {g->a.arg, g->b.arg};
    struct weir_emit_launch launch = {.label = g->hint, .n_args = 2, .args = args};
    struct weir_strbuf t = {0};
    weir_gather_begin(e, g, &s, &t, &launch);
    weir_engine_define(&t, engine);
    define_layout(&t, e, g, engine, &l, split);
    weir_strbuf_puts(&t, weir_kernel_text(engine->text));
    weir_strbuf_puts(&t, weir_kernel_text("contract_engine.cl"));
    launch.kernel = weir_emit_kernel_buf(e, g->hint, &t);
    launch.local[0] = (size_t)engine->lanes;
    launch.local[1] = (size_t)l.subs;
    launch.local[2] = 1;
    launch.global[0] = (size_t)(div_up(extent(g->col, 4), l.tile->cols) * engine->lanes);
    launch.global[1] = (size_t)(div_up(extent(g->row, 4), l.tile->rows) * l.subs);
    weir_gather_launch(e, g, &s, &launch, 1);
    return WEIR_OK;
}

// The tuner's numbers are no multiples of any 16-bit unit: bf16 rounds them most.
const struct weir_contract_kernel weir_contract_engine = {.name = "engine",
                                                          .knobs = knobs,
                                                          .fits = fits,
                                                          .wants = wants,
                                                          .model = model,
                                                          .vary = vary,
                                                          .rounding = 0x1p-9,
                                                          .emit = emit};

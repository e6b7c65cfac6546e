// SPDX-License-Identifier: Apache-2.0
// Kernels and launches of one gather on wide devices (CPUs). The right operand is packed into
// panels (contract_pack.c) unless it streams well as it lies. Long sums with few outputs are split.
#include <stdlib.h>

#include "compile/contract_parts.h"
#include "device/kernel_text.h"

// What a block of tiles reads of a: a part of a core's cache.
#define BLOCK_BYTES (WEIR_CORE_CACHE / 4)

// Multiply-adds of vectors that a work-item should have: 2^16 and fewer lose to a driver's own work
// on PoCL, 2^17 and 2^18 do not.
#define ITEM_FMAS (1 << 18)
// And those that a core has done by the time that another one was woken for its part: 64 x 32 x 128
// (1.8e4) is 8-20 % faster on one core; at 7e4 a product alone still is, one among others no more.
#define ALONE_FMAS (1 << 15)

// Cycles that a tile of `rows` x 16 `vecs` takes a term: two multiply-adds and two loads each, at
// least four for the latency of a chain; a run of terms costs some more to begin, the more the
// larger the tile. Fitted to PoCL on a CPU with 512-bit vectors; only speed depends on it.
static double tile_cost(int rows, int vecs, int64_t run)
{
    double cost = rows * vecs / 2.0, loads = (rows + vecs) / 2.0;
    cost = cost > loads ? cost : loads;
    cost = cost > 4 ? cost : 4;
    if (vecs > 2 && run < 64)
        cost *= 1.3;
    return cost + 0.3 * vecs + (10.0 + rows * vecs) / (double)run;
}

// accumulators, one row of b and one value of a share 32 registers
static const int most_rows[5] = {0, 16, 14, 9, 6};

struct weir_wide_tile weir_wide_tile_of(int th, int tw, int vecs, int64_t cols)
{
    int64_t panels = cols / (16 * vecs);
    int tail = (int)div_up(cols - panels * 16 * vecs, 16);
    return (struct weir_wide_tile){th, tw, vecs, panels, tail};
}

bool weir_wide_tile_fits(int th, int tw, int vecs, int64_t rows_h, int64_t rows_w)
{
    return th > 0 && tw > 0 && vecs > 0 && vecs <= 4 && th <= rows_h && tw <= rows_w &&
           (int64_t)th * tw <= most_rows[vecs];
}

static double cost_of(const struct weir_wide_tile *t, int64_t rows_h, int64_t rows_w, int64_t run)
{
    double tiles = (double)(div_up(rows_h, t->th) * div_up(rows_w, t->tw)), cost = 0;
    cost += tiles * (double)t->panels * tile_cost(t->th * t->tw, t->vecs, run);
    if (t->tail_vecs)
        cost += tiles * tile_cost(t->th * t->tw, t->tail_vecs, run);
    if (t->tail_vecs && t->panels)
        cost *= 1.05; // two kernels to build and start instead of one
    return cost;
}

struct weir_wide_tile weir_wide_tile(int64_t rows_h, int64_t rows_w, int64_t cols, int64_t run,
                                     bool along)
{
    struct weir_wide_tile best = {0};
    double best_cost = 0;
    for (int vecs = 1; vecs <= 4; vecs++)
        for (int tw = 1; weir_wide_tile_fits(1, tw, vecs, rows_h, rows_w); tw++)
            for (int th = 1; weir_wide_tile_fits(th, tw, vecs, rows_h, rows_w); th++) {
                struct weir_wide_tile t = weir_wide_tile_of(th, tw, vecs, cols);
                double cost = cost_of(&t, rows_h, rows_w, run);
                bool better = cost < best_cost || (cost == best_cost && along && th < best.th);
                if (best.vecs && !better)
                    continue;
                best = t;
                best_cost = cost;
            }
    return best;
}

// The best tile of `vecs` vectors with at most so many accumulators; none: vecs = 0.
static struct weir_wide_tile best_within(int64_t rows_h, int64_t rows_w, int64_t cols, int64_t run,
                                         int vecs, int accumulators)
{
    struct weir_wide_tile best = {0};
    for (int tw = 1; weir_wide_tile_fits(1, tw, vecs, rows_h, rows_w); tw++)
        for (int th = 1; weir_wide_tile_fits(th, tw, vecs, rows_h, rows_w); th++) {
            struct weir_wide_tile t = weir_wide_tile_of(th, tw, vecs, cols);
            if (th * tw * vecs <= accumulators &&
                (!best.vecs ||
                 cost_of(&t, rows_h, rows_w, run) < cost_of(&best, rows_h, rows_w, run)))
                best = t;
        }
    return best;
}

int weir_wide_tiles(int64_t rows_h, int64_t rows_w, int64_t cols, int64_t run, bool thorough,
                    struct weir_wide_tile *dst)
{
    // Accumulators for devices of 32 registers as long as a vector, and of fewer or shorter ones.
    static const int accumulators[] = {28, 12, 6, 20, 16, 8};
    int n = 0;
    for (size_t i = 0; i < (thorough ? WEIR_COUNT(accumulators) : 2); i++)
        for (int vecs = 1; vecs <= 4; vecs++) {
            struct weir_wide_tile t = best_within(rows_h, rows_w, cols, run, vecs, accumulators[i]);
            bool there = t.vecs == 0 || (vecs > 1 && cols <= 16 * (vecs - 1));
            for (int k = 0; k < n; k++)
                there |= dst[k].th == t.th && dst[k].tw == t.tw && dst[k].vecs == t.vecs;
            if (!there)
                dst[n++] = t;
        }
    return n;
}

// True if columns of b are floats side by side, so that whole panels of them can be read.
static bool in_order(const struct weir_gather *g)
{
    return g->b.arg.dtype == WEIR_F32 && g->col[3].b == 1;
}

// True if panels of b can be read where they lie.
static bool readable(const struct weir_gather *g)
{
    return in_order(g) && (g->col[3].n % 16 == 0 || g->b.slack);
}

// True if it pays to pack b: far apart terms cost a cache line or a page each, where many rows read
// them.
static bool pays_to_pack(const struct weir_gather *g)
{
    return extent(g->col, 3) == 1 && llabs(g->term[3].b) > 256 && extent(g->row, 4) >= 128;
}

// Bytes between the ends of what these loops read of a.
static int64_t span_a(const struct weir_axis *rows, const struct weir_axis *terms)
{
    int64_t last = 0;
    for (int i = 0; i < 4; i++)
        last += llabs(rows[i].a) * (rows[i].n - 1) + llabs(terms[i].a) * (terms[i].n - 1);
    return 4 * (last + 1);
}

// Tiles of rows that go through all panels together: so many that what they read of a stays in a
// core's cache. Only where a does not lie near anyway, and b fits beside it or a lies in no cache.
static int64_t block_of(const struct weir_gather *g, int th, int tw, int64_t tiles)
{
    struct weir_axis rows[4] = {{.n = 1}, {.n = 1}, g->row[2], g->row[3]};
    rows[2].n = th;
    rows[3].n = tw;
    int64_t bytes = span_a(g->row, g->term), b_bytes = 4 * extent(g->term, 4) * g->col[3].n;
    if (bytes <= WEIR_NEAR_CACHE || (bytes <= WEIR_LAST_CACHE && b_bytes > WEIR_CORE_CACHE / 2))
        return tiles;
    int64_t block = BLOCK_BYTES / span_a(rows, g->term);
    return block < 1 ? 1 : block < tiles ? block : tiles;
}

// Tiles that a work-item takes: a tile of few terms is over in less time than a driver needs to
// begin the next work-item.
static int64_t repeat_of(const struct weir_emit *e, const struct weir_gather *g, int64_t tiles,
                         const struct weir_split *s, int rows, int vecs)
{
    int64_t terms = s->batch ? 512 : extent(g->term, 4), fmas = terms * rows * vecs;
    int64_t others = extent(g->col, 3) * extent(g->batch, 6) * (s->batch ? s->batch : 1);
    int64_t most = tiles * others / (16 * e->dev->info.caps.compute_units);
    int64_t repeat = ITEM_FMAS / (fmas + 1);
    if (fmas * tiles * others <= ALONE_FMAS)
        return tiles;
    repeat = repeat < most ? repeat : most;
    return repeat < 1 ? 1 : repeat < tiles ? repeat : tiles;
}

enum { H, W, V, PACK, SPLIT, BLOCK, REPEAT };
static const char *const knobs[] = {"h", "w", "v", "pack", "split", "block", "repeat", NULL};
// PACK: b is read where it lies, from panels packed by a kernel before, or each work-item turns its own
// panel round.
enum { IN_PLACE, PACKED, OWN };

// True if a work-item can keep a panel of b that it turns round itself: the terms of a column lie next to
// each other, and the panel stays in a core's cache.
static bool may_turn(const struct weir_gather *g, int vecs)
{
    const struct weir_axis *term = &g->term[3];
    return g->col[3].b != 1 && term->b == 1 && extent(g->term, 3) == 1 && term->n % 16 == 0 &&
           term->n * 64 * vecs <= WEIR_CORE_CACHE / 16;
}

// Few rows: a launch more costs more than what several items might share.
static bool pays_to_turn(const struct weir_emit *e, const struct weir_gather *g, int vecs)
{
    int64_t items = div_up(g->col[3].n, 16 * vecs) * extent(g->batch, 6);
    return extent(g->row, 4) <= 512 && items >= e->dev->info.caps.compute_units;
}

// The kernel for one run of columns of the gather (all of them, whole panels, or what is left).
static void wide_kernel(struct weir_emit *e, struct weir_gather g, const struct weir_split *s,
                        const int *k, int vecs, struct weir_emit_launch *l)
{
    int64_t panel = 16 * vecs;
    bool own = k[PACK] == OWN;
    if (k[PACK] == PACKED || (!own && !readable(&g)))
        panel = weir_gather_pack(e, &g, vecs);
    l->args[l->n_args++] = g.a.arg;
    l->args[l->n_args++] = g.b.arg;
    struct weir_strbuf t = {0};
    weir_gather_begin(e, &g, s, &t, l);
    weir_strbuf_printf(&t, "#define CT_TILE_H %d\n#define CT_TILE_W %d\n#define CT_VECS %d\n", k[H],
                       k[W], vecs);
    int64_t tiles = g.row[0].n * g.row[1].n * div_up(g.row[2].n, k[H]) * div_up(g.row[3].n, k[W]);
    int64_t block = k[BLOCK] == WEIR_AUTO ? block_of(&g, k[H], k[W], tiles) : k[BLOCK];
    define1(&t, "PANEL", panel);
    define1(&t, "BLOCK", block < tiles && !own ? block : tiles);
    int64_t panel_tiles = tiles;
    tiles *= div_up(g.col[3].n, 16 * vecs);
    int64_t repeat =
        k[REPEAT] == WEIR_AUTO ? repeat_of(e, &g, tiles, s, k[H] * k[W], vecs) : k[REPEAT];
    repeat = own ? panel_tiles : repeat < tiles ? repeat : tiles;
    weir_strbuf_puts(&t, own ? "#define CT_OWN_PANEL 1\n" : "");
    define1(&t, "REPEAT", repeat);
    weir_strbuf_puts(&t, weir_kernel_text("contract_wide.cl"));
    l->kernel = weir_emit_kernel_buf(e, g.hint, &t);
    l->label = g.hint;
    l->global[0] = (size_t)div_up(tiles, repeat);
    l->global[1] = (size_t)extent(g.col, 3);
    l->local[0] = l->local[1] = l->local[2] = 1;
}

// Packing knows one loop of columns only: the outer ones become batches over which a stands.
static void outer_columns_to_batch(struct weir_gather *g)
{
    for (int i = 0, free = 0; i < 3; i++) {
        if (g->col[i].n == 1)
            continue;
        while (g->batch[free].n != 1)
            free++;
        g->batch[free] = g->col[i];
        g->col[i] = (struct weir_axis){.n = 1};
    }
}

static bool fits(const struct weir_emit *e, const struct weir_gather *g, const int *k)
{
    int spare = 0; // batch loops less outer columns
    for (int i = 0; i < 6; i++)
        spare += g->batch[i].n == 1;
    for (int i = 0; i < 3; i++)
        spare -= g->col[i].n != 1;
    bool tile = (k[H] == WEIR_AUTO && k[W] == WEIR_AUTO && k[V] == WEIR_AUTO) ||
                weir_wide_tile_fits(k[H], k[W], k[V], g->row[2].n, g->row[3].n);
    bool pack = k[PACK] == WEIR_AUTO || (k[PACK] == IN_PLACE ? in_order(g) : spare >= 0);
    if (k[PACK] == OWN)
        pack = pack && k[SPLIT] < 1 && may_turn(g, k[V] == WEIR_AUTO ? 1 : k[V]);
    return weir_device_has(e->dev, WEIR_CAP_WIDE) && g->bound.of == WEIR_BOUND_NONE && tile &&
           pack && (k[SPLIT] < 1 || weir_split_possible(e, g)) && k[BLOCK] != 0 && k[REPEAT] != 0;
}

static bool wants(const struct weir_emit *e, const struct weir_gather *g)
{
    return true;
}

// Sums over thousands of terms stream both operands again for each tile unless chunks come first.
static bool pays_to_split(const struct weir_emit *e, const struct weir_gather *g, const int *k)
{
    struct weir_wide_tile tile = weir_wide_tile_of(k[H], k[W], k[V], g->col[3].n);
    int64_t tiles = extent(g->batch, 6) * extent(g->col, 3) * g->row[0].n * g->row[1].n *
                    div_up(g->row[2].n, tile.th) * div_up(g->row[3].n, tile.tw) *
                    (tile.panels + (tile.tail_vecs > 0));
    return tiles < 8 * e->dev->info.caps.compute_units || g->chunks >= 8;
}

static void model(const struct weir_emit *e, const struct weir_gather *g, int *k)
{
    if (k[V] == WEIR_AUTO) {
        // Of tiles that cost the same, one along a row of pixels is faster where the row is long
        // and the terms walk forward (3-5 % on PoCL), one down a column elsewhere.
        bool along = g->row[3].n >= 14 && g->term[1].a >= 0 && g->term[2].a >= 0;
        struct weir_wide_tile tile =
            weir_wide_tile(g->row[2].n, g->row[3].n, g->col[3].n, g->term[3].n, along);
        k[H] = tile.th;
        k[W] = tile.tw;
        k[V] = tile.vecs;
    }
    if (k[PACK] == WEIR_AUTO) {
        struct weir_gather t = *g;
        if (!readable(&t))
            outer_columns_to_batch(&t);
        k[PACK] = in_order(&t) && !pays_to_pack(&t) ? IN_PLACE : PACKED;
        if (k[PACK] == PACKED && k[SPLIT] < 1 && !weir_split_possible(e, g) &&
            may_turn(&t, k[V]) && pays_to_turn(e, &t, k[V]))
            k[PACK] = OWN;
    }
    if (k[SPLIT] == WEIR_AUTO)
        k[SPLIT] = k[PACK] != OWN && weir_split_possible(e, g) && pays_to_split(e, g, k);
}

static void vary(const struct weir_emit *e, const struct weir_gather *g,
                 const struct weir_candidate *from, struct weir_variations *v)
{
    static const int blocks[] = {1 << 20, 1, 4, 16, 64}, repeats[] = {1, 4, 16, 64};
    struct weir_wide_tile tiles[WEIR_WIDE_TILES];
    int n =
        weir_wide_tiles(g->row[2].n, g->row[3].n, g->col[3].n, g->term[3].n, v->thorough, tiles);
    weir_vary(v, from, SPLIT, !from->knob[SPLIT]);
    for (int pack = IN_PLACE; pack <= OWN; pack++)
        if (pack != from->knob[PACK])
            weir_vary(v, from, PACK, pack);
    for (int i = 0; i < n; i++) {
        struct weir_candidate c = *from;
        c.knob[H] = tiles[i].th;
        c.knob[W] = tiles[i].tw;
        weir_vary(v, &c, V, tiles[i].vecs);
    }
    for (size_t i = 0; i < (v->thorough ? WEIR_COUNT(blocks) : 2); i++)
        weir_vary(v, from, BLOCK, blocks[i]);
    for (size_t i = 0; i < (v->thorough ? WEIR_COUNT(repeats) : 2); i++)
        weir_vary(v, from, REPEAT, repeats[i]);
}

static enum weir_status emit(struct weir_emit *e, const struct weir_gather *from, const int *k)
{
    struct weir_gather g = *from;
    weir_gather_widen(e, &g, false);
    if (k[PACK] || !readable(&g))
        outer_columns_to_batch(&g);
    struct weir_wide_tile tile = weir_wide_tile_of(k[H], k[W], k[V], g.col[3].n);
    struct weir_split s = {0};
    if (k[SPLIT])
        s = weir_split_make(e, &g);
    struct weir_emit_arg args[2][WEIR_LAUNCH_MAX_BUFS];
    struct weir_emit_launch l[2] = {{.args = args[0]}, {.args = args[1]}};
    int n = 0;
    int64_t whole = tile.panels * 16 * tile.vecs;
    struct weir_gather part = g;
    part.col[3].n = whole;
    if (whole)
        wide_kernel(e, part, &s, k, tile.vecs, &l[n++]);
    part.col[3].n = g.col[3].n - whole;
    part.b0 += whole * part.col[3].b;
    part.o0 += whole * part.col[3].o;
    if (tile.tail_vecs)
        wide_kernel(e, part, &s, k, tile.tail_vecs, &l[n++]);
    weir_gather_launch(e, &g, &s, l, n);
    return WEIR_OK;
}

const struct weir_contract_kernel weir_contract_wide = {.name = "wide",
                                                        .knobs = knobs,
                                                        .fits = fits,
                                                        .wants = wants,
                                                        .model = model,
                                                        .vary = vary,
                                                        .emit = emit};

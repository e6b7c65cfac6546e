// SPDX-License-Identifier: Apache-2.0
// Kernels and launches of one gather on wide devices (CPUs). The right operand is packed into panels
// unless it streams well as it lies. Long sums with few outputs are split.
#include <stdlib.h>

#include "compile/contract_parts.h"
#include "device/kernel_text.h"

// What a block of tiles reads of a: a part of a core's cache.
#define BLOCK_BYTES (WEIR_CORE_CACHE / 4)

// Multiply-adds of vectors that a work-item should have: 2^16 and fewer lose to a driver's own work on
// PoCL, 2^17 and 2^18 do not.
#define ITEM_FMAS (1 << 18)

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

struct weir_wide_tile weir_wide_tile(int64_t rows_h, int64_t rows_w, int64_t cols, int64_t run,
                                     bool along)
{
    // accumulators, one row of b and one value of a share 32 registers
    static const int most_rows[5] = {0, 16, 14, 9, 6};
    struct weir_wide_tile best = {0};
    double best_cost = 0;
    for (int vecs = 1; vecs <= 4; vecs++) {
        int64_t panels = cols / (16 * vecs);
        int tail = (int)div_up(cols - panels * 16 * vecs, 16);
        for (int tw = 1; tw <= rows_w && tw <= most_rows[vecs]; tw++)
            for (int th = 1; th <= rows_h && th * tw <= most_rows[vecs]; th++) {
                double tiles = (double)(div_up(rows_h, th) * div_up(rows_w, tw)), cost = 0;
                cost += tiles * (double)panels * tile_cost(th * tw, vecs, run);
                if (tail)
                    cost += tiles * tile_cost(th * tw, tail, run);
                if (tail && panels)
                    cost *= 1.05; // two kernels to build and start instead of one
                bool better = cost < best_cost || (cost == best_cost && along && th < best.th);
                if (best.vecs && !better)
                    continue;
                best = (struct weir_wide_tile){th, tw, vecs, panels, tail};
                best_cost = cost;
            }
    }
    return best;
}

// tiles: work-items that one chunk of the gather keeps busy.
static struct weir_split choose_split(struct weir_emit *e, const struct weir_gather *g,
                                      int64_t tiles)
{
    int64_t units = e->dev->info.caps.compute_units;
    // Sums over thousands of terms stream both operands again for each tile unless chunks come
    // first.
    if (!weir_split_possible(e, g) || (tiles >= 8 * units && g->chunks < 8))
        return (struct weir_split){0};
    return weir_split_make(e, g);
}

int64_t weir_gather_pack(struct weir_emit *e, struct weir_gather *g, int vecs)
{
    const int step = 16;
    int64_t width = 16 * vecs, panels = div_up(g->col[3].n, width), terms = extent(g->term, 4);
    struct weir_gather p = *g; // a batch axis along which b stands still needs one copy
    for (int i = 0; i < 6; i++)
        if (p.batch[i].b == 0)
            p.batch[i].n = 1;
    for (int i = 0; i < 4; i++) // the texts of equal packings are equal
        p.row[i] = (struct weir_axis){.n = 1};
    for (int i = 0; i < 4; i++)
        p.term[i].a = p.col[i].o = 0;
    for (int i = 0; i < 6; i++)
        p.batch[i].a = p.batch[i].o = 0;
    p.a0 = p.o0 = 0;
    p.a.arg.dtype = WEIR_F32;
    p.cut = NULL;
    int64_t z = extent(p.batch, 6), size = z * panels * terms * width;
    struct weir_strbuf t = {0};
    weir_gather_define(&t, &p);
    weir_strbuf_printf(&t, "#define CT_VECS %d\n#define CT_STEP %d\n", vecs, step);
    weir_strbuf_puts(&t, weir_kernel_text("contract_pack.cl"));
    struct weir_emit_arg args[2] = {g->b.arg, {weir_emit_scratch(e, WEIR_F32, size), WEIR_F32, 0}};
    struct weir_emit_launch l = {.kernel = weir_emit_kernel_buf(e, "pack", &t),
                                 .label = "pack",
                                 .n_args = 2,
                                 .args = args,
                                 .global = {(size_t)div_up(terms, step), (size_t)panels, (size_t)z},
                                 .local = {1, 1, 1}};
    weir_emit_launch(e, &l);
    g->b = (struct weir_gather_source){args[1], true};
    g->b0 = 0;
    int64_t stride = width;
    for (int i = 3; i >= 0; i--) {
        g->term[i].b = stride;
        stride *= g->term[i].n;
    }
    stride *= panels;
    for (int i = 5; i >= 0; i--) {
        if (g->batch[i].b == 0)
            continue;
        g->batch[i].b = stride;
        stride *= g->batch[i].n;
    }
    return terms * width; // from panel to panel
}

// True if panels of b can be read where they lie.
static bool in_place(const struct weir_gather *g)
{
    if (g->b.arg.dtype != WEIR_F32 || g->col[3].b != 1 || (g->col[3].n % 16 && !g->b.slack))
        return false;
    // Far apart terms cost a cache line or a page each; a copy pays where many rows read it.
    return extent(g->col, 3) > 1 || llabs(g->term[3].b) <= 256 || extent(g->row, 4) < 128;
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

// Tiles that a work-item takes: a tile of few terms is over in less time than a driver needs to begin
// the next work-item.
static int64_t repeat_of(const struct weir_emit *e, const struct weir_gather *g, int64_t tiles,
                         const struct weir_split *s, int rows, int vecs)
{
    int64_t terms = s->batch ? 512 : extent(g->term, 4), fmas = terms * rows * vecs;
    int64_t others = extent(g->col, 3) * extent(g->batch, 6) * (s->batch ? s->batch : 1);
    int64_t most = tiles * others / (16 * e->dev->info.caps.compute_units);
    int64_t repeat = ITEM_FMAS / (fmas + 1);
    repeat = repeat < most ? repeat : most;
    return repeat < 1 ? 1 : repeat < tiles ? repeat : tiles;
}

// The kernel for one run of columns of the gather (all of them, whole panels, or what is left).
static void wide_kernel(struct weir_emit *e, struct weir_gather g, const struct weir_split *s, int th,
                        int tw, int vecs, struct weir_emit_launch *l)
{
    int64_t panel = 16 * vecs;
    if (!in_place(&g))
        panel = weir_gather_pack(e, &g, vecs);
    l->args[l->n_args++] = g.a.arg;
    l->args[l->n_args++] = g.b.arg;
    struct weir_strbuf t = {0};
    weir_gather_begin(e, &g, s, &t, l);
    weir_strbuf_printf(&t, "#define CT_TILE_H %d\n#define CT_TILE_W %d\n#define CT_VECS %d\n", th,
                       tw, vecs);
    int64_t tiles = g.row[0].n * g.row[1].n * div_up(g.row[2].n, th) * div_up(g.row[3].n, tw);
    define1(&t, "PANEL", panel);
    define1(&t, "BLOCK", block_of(&g, th, tw, tiles));
    tiles *= div_up(g.col[3].n, 16 * vecs);
    int64_t repeat = repeat_of(e, &g, tiles, s, th * tw, vecs);
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

enum weir_status weir_gather_emit_wide(struct weir_emit *e, struct weir_gather *g)
{
    weir_gather_widen(e, g, false);
    if (!in_place(g))
        outer_columns_to_batch(g);
    // Of tiles that cost the same, one along a row of pixels is faster where the row is long and
    // the terms walk forward (3-5 % on PoCL), one down a column elsewhere.
    bool along = g->row[3].n >= 14 && g->term[1].a >= 0 && g->term[2].a >= 0;
    struct weir_wide_tile tile =
        weir_wide_tile(g->row[2].n, g->row[3].n, g->col[3].n, g->term[3].n, along);
    int64_t tiles = extent(g->batch, 6) * extent(g->col, 3) * g->row[0].n * g->row[1].n *
                    div_up(g->row[2].n, tile.th) * div_up(g->row[3].n, tile.tw) *
                    (tile.panels + (tile.tail_vecs > 0));
    struct weir_split s = choose_split(e, g, tiles);
    struct weir_emit_arg args[2][WEIR_LAUNCH_MAX_BUFS];
    struct weir_emit_launch l[2] = {{.args = args[0]}, {.args = args[1]}};
    int n = 0;
    int64_t whole = tile.panels * 16 * tile.vecs;
    if (whole) {
        struct weir_gather part = *g;
        part.col[3].n = whole;
        wide_kernel(e, part, &s, tile.th, tile.tw, tile.vecs, &l[n++]);
    }
    if (tile.tail_vecs) {
        struct weir_gather part = *g;
        part.col[3].n -= whole;
        part.b0 += whole * part.col[3].b;
        part.o0 += whole * part.col[3].o;
        wide_kernel(e, part, &s, tile.th, tile.tw, tile.tail_vecs, &l[n++]);
    }
    weir_gather_launch(e, g, &s, l, n);
    return WEIR_OK;
}

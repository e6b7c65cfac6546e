// SPDX-License-Identifier: Apache-2.0
// Gathers on wide devices whose left operand is walked across its memory (a transposed matrix, the
// weight gradient of a convolution): kernels/contract_block.cl.
#include <stdlib.h>

#include "compile/contract_parts.h"
#include "device/kernel_text.h"

// Rows whose part of a chunk a work-item copies (2 KiB each), and the bytes of sums that it keeps.
#define ROWS_MAX 36
#define ROWS_MOST 72 // of any candidate
#define SUMS_MAX (32 << 10)

enum { W, V, ROWS, ACROSS, SPLIT };
static const char *const knobs[] = {"w", "v", "rows", "across", "split", NULL};

static bool fits(const struct weir_emit *e, const struct weir_gather *g, const int *k)
{
    bool readable = g->col[3].b == 1 && (g->col[3].n % 16 == 0 || g->b.slack);
    bool gather = g->bound.of == WEIR_BOUND_B ||
                  (g->bound.of == WEIR_BOUND_NONE && !g->cut && g->chunks > 0 && readable);
    bool tile = (k[W] == WEIR_AUTO && k[V] == WEIR_AUTO && k[ROWS] == WEIR_AUTO) ||
                weir_wide_tile_fits(1, k[W], k[V], 1, g->row[3].n);
    bool rows = k[ROWS] == WEIR_AUTO || (k[ROWS] > 0 && tile && k[ROWS] % k[W] == 0 &&
                                         k[ROWS] <= ROWS_MOST && k[ROWS] <= g->row[3].n);
    return weir_device_has(e->dev, WEIR_CAP_WIDE) && gather && tile && rows && k[ACROSS] != 0 &&
           (k[SPLIT] < 1 || weir_split_possible(e, g));
}

static bool wants(const struct weir_emit *e, const struct weir_gather *g)
{
    if (g->bound.of == WEIR_BOUND_B)
        return true;
    // Copying pays where many panels read a copy, and sums are so long that a core's cache holds
    // neither operand.
    return g->row[3].a == 1 && llabs(g->term[3].a) > 1 && g->row[3].n > 1 && g->chunks >= 8 &&
           g->col[3].n >= 128;
}

// What a work-item takes.
struct part {
    int tile, vecs;
    int64_t rows, across, items; // items: one batch, one chunk
};

static struct part choose_part(const struct weir_gather *g, const int *k, int vecs, int64_t panels)
{
    const int tile = k[W];
    struct part p = {.tile = tile, .vecs = vecs, .rows = k[ROWS]};
    int64_t tiles = div_up(g->row[3].n, tile), best = 1;
    for (int64_t n = 2; n * tile <= ROWS_MAX && n * tile <= g->row[3].n; n++)
        if (div_up(tiles, n) * n <= div_up(tiles, best) * best)
            best = n;
    if (k[ROWS] == WEIR_AUTO)
        p.rows = best * tile;
    int64_t all = extent(g->col, 3) * panels, most = SUMS_MAX / (p.rows * vecs * 64);
    most = k[ACROSS] != WEIR_AUTO && k[ACROSS] < most ? k[ACROSS] : most;
    most = most < 1 ? 1 : most;
    p.across = div_up(all, div_up(all, most));
    p.items = extent(g->row, 3) * div_up(g->row[3].n, p.rows) * div_up(all, p.across);
    return p;
}

// The kernel for whole panels, or for the columns that are left.
static void block_kernel(struct weir_emit *e, const struct weir_gather *g,
                         const struct weir_split *s, const struct part *p,
                         struct weir_emit_launch *l)
{
    l->args[l->n_args++] = g->a.arg;
    l->args[l->n_args++] = g->b.arg;
    struct weir_strbuf t = {0};
    weir_gather_begin(e, g, s, &t, l);
    define1(&t, "TILE_W", p->tile);
    define1(&t, "VECS", p->vecs);
    define1(&t, "ROWS", p->rows);
    define1(&t, "ACROSS", p->across);
    define1(&t, "BOUND", g->bound.of == WEIR_BOUND_B);
    if (g->bound.of == WEIR_BOUND_B)
        weir_bound_define(&t, &g->bound);
    weir_strbuf_puts(&t, weir_kernel_text("contract_block.cl"));
    l->kernel = weir_emit_kernel_buf(e, g->hint, &t);
    l->label = g->hint;
    l->global[0] = (size_t)(extent(g->row, 3) * div_up(g->row[3].n, p->rows));
    l->global[1] = (size_t)div_up(extent(g->col, 3) * div_up(g->col[3].n, 16 * p->vecs), p->across);
    l->local[0] = l->local[1] = l->local[2] = 1;
}

// The parts, their gathers and how many work-items they have; returns how many parts.
static int parts_of(const struct weir_gather *g, const int *k, struct part *parts,
                    struct weir_gather *gathers, int64_t *items)
{
    struct weir_wide_tile tile = weir_wide_tile_of(1, k[W], k[V], g->col[3].n);
    int64_t whole = tile.panels * 16 * tile.vecs;
    int n = 0;
    *items = 0;
    gathers[0] = gathers[1] = *g;
    if (whole) {
        gathers[n].col[3].n = whole;
        parts[n] = choose_part(g, k, tile.vecs, tile.panels);
        *items += parts[n++].items;
    }
    if (tile.tail_vecs) {
        gathers[n].col[3].n -= whole;
        gathers[n].b0 += whole * g->col[3].b;
        gathers[n].o0 += whole * g->col[3].o;
        parts[n] = choose_part(g, k, tile.tail_vecs, 1);
        *items += parts[n++].items;
    }
    return n;
}

static void model(const struct weir_emit *e, const struct weir_gather *g, int *k)
{
    if (k[V] == WEIR_AUTO) {
        struct weir_wide_tile tile = weir_wide_tile(1, g->row[3].n, g->col[3].n, 512, true);
        k[W] = tile.tw;
        k[V] = tile.vecs;
    }
    if (k[SPLIT] != WEIR_AUTO)
        return;
    struct part parts[2];
    struct weir_gather gathers[2];
    int64_t items, bytes = 4 * (extent(g->row, 4) + g->col[3].n) * extent(g->term, 4);
    parts_of(g, k, parts, gathers, &items);
    k[SPLIT] = weir_split_possible(e, g) &&
               (bytes > WEIR_NEAR_CACHE ||
                items * extent(g->batch, 6) < 4 * e->dev->info.caps.compute_units);
}

static void vary(const struct weir_emit *e, const struct weir_gather *g,
                 const struct weir_candidate *from, struct weir_variations *v)
{
    struct weir_wide_tile tiles[WEIR_WIDE_TILES];
    int n = weir_wide_tiles(1, g->row[3].n, g->col[3].n, 512, v->thorough, tiles);
    weir_vary(v, from, SPLIT, !from->knob[SPLIT]);
    for (int i = 0; i < n; i++) {
        struct weir_candidate c = *from;
        c.knob[V] = tiles[i].vecs;
        c.knob[ROWS] = WEIR_AUTO;
        weir_vary(v, &c, W, tiles[i].tw);
    }
    for (int rows = from->knob[W]; rows <= ROWS_MOST; rows *= 2)
        weir_vary(v, from, ROWS, rows);
    for (int across = 1; across <= 16 && v->thorough; across *= 2)
        weir_vary(v, from, ACROSS, across);
}

static enum weir_status emit(struct weir_emit *e, const struct weir_gather *from, const int *k)
{
    struct weir_gather gathers[2], g = *from;
    struct part parts[2];
    int64_t items;
    weir_gather_widen(e, &g, false);
    weir_gather_widen(e, &g, true);
    int n = parts_of(&g, k, parts, gathers, &items);
    struct weir_split s = {0};
    if (k[SPLIT])
        s = weir_split_make(e, &g);
    struct weir_emit_arg args[2][WEIR_LAUNCH_MAX_BUFS];
    struct weir_emit_launch l[2] = {{.args = args[0]}, {.args = args[1]}};
    for (int i = 0; i < n; i++)
        block_kernel(e, &gathers[i], &s, &parts[i], &l[i]);
    weir_gather_launch(e, &g, &s, l, n);
    return WEIR_OK;
}

const struct weir_contract_kernel weir_contract_block = {.name = "block",
                                                         .knobs = knobs,
                                                         .fits = fits,
                                                         .wants = wants,
                                                         .model = model,
                                                         .vary = vary,
                                                         .emit = emit};

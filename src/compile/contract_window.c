// SPDX-License-Identifier: Apache-2.0
// Convolutions and input gradients on wide devices that read an image without a border:
// kernels/contract_window.cl.
#include <stdlib.h>

#include "compile/contract_parts.h"
#include "device/kernel_text.h"

// What a work-item may copy of an image: a part of a core's own cache, and at least one row of
// windows, which no stack has trouble with.
#define WINDOW_BYTES (64 << 10)
#define WINDOW_MOST (192 << 10)

// Bytes that the windows of `down` rows of pixels cover.
static int64_t window_bytes(const struct weir_gather *g, int64_t down)
{
    int64_t pixels = 1;
    for (int i = 0; i < 3; i++) {
        int64_t results = i == 0 ? 1 : i == 1 ? down : g->row[3].n;
        pixels *= (results - 1) * g->bound.stride[i] +
                  (g->term[i].n - 1) * llabs(g->bound.dilation[i]) + 1;
    }
    return 4 * pixels * g->term[3].n;
}

static int64_t work(const struct weir_gather *g, int64_t down)
{
    return extent(g->batch, 6) * extent(g->row, 2) * div_up(g->row[2].n, down);
}

enum { W, V, DOWN, ACROSS };
static const char *const knobs[] = {"w", "v", "down", "across", NULL};

static bool fits(const struct weir_emit *e, const struct weir_gather *g, const int *k)
{
    bool tile = (k[W] == WEIR_AUTO && k[V] == WEIR_AUTO) ||
                weir_wide_tile_fits(1, k[W], k[V], 1, g->row[3].n);
    return weir_device_has(e->dev, WEIR_CAP_WIDE) && g->bound.of == WEIR_BOUND_A && !g->cut &&
           g->chunks > 0 && g->term[3].a == 1 && tile && k[DOWN] != 0 && k[ACROSS] != 0 &&
           k[DOWN] <= g->row[2].n &&
           window_bytes(g, k[DOWN] == WEIR_AUTO ? 1 : k[DOWN]) <= WINDOW_MOST;
}

static bool wants(const struct weir_emit *e, const struct weir_gather *g)
{
    return g->term[3].n >= 8 &&
           work(g, 1) * div_up(g->col[3].n, 32) >= 8 * e->dev->info.caps.compute_units;
}

// Terms that lie side by side.
static int64_t run_of(const struct weir_gather *g)
{
    return g->bound.dilation[2] == 1 ? g->term[2].n * g->term[3].n : g->term[3].n;
}

static void model(const struct weir_emit *e, const struct weir_gather *g, int *k)
{
    if (k[V] != WEIR_AUTO)
        return;
    struct weir_wide_tile tile = weir_wide_tile(1, g->row[3].n, g->col[3].n, run_of(g), true);
    k[W] = tile.tw;
    k[V] = tile.vecs;
}

static void vary(const struct weir_emit *e, const struct weir_gather *g,
                 const struct weir_candidate *from, struct weir_variations *v)
{
    struct weir_wide_tile tiles[WEIR_WIDE_TILES];
    int n = weir_wide_tiles(1, g->row[3].n, g->col[3].n, run_of(g), v->thorough, tiles);
    for (int i = 0; i < n; i++) {
        struct weir_candidate c = *from;
        c.knob[V] = tiles[i].vecs;
        weir_vary(v, &c, W, tiles[i].tw);
    }
    static const int downs[] = {1, 2, 4, 7, 14, 28}, across[] = {1, 2, 4};
    for (size_t i = 0; i < WEIR_COUNT(downs); i++)
        weir_vary(v, from, DOWN, downs[i]);
    for (size_t i = 0; i < WEIR_COUNT(across) && v->thorough; i++)
        weir_vary(v, from, ACROSS, across[i]);
}

static void define_window(struct weir_strbuf *t, const struct weir_bound *b)
{
    for (int i = 0; i < 3; i++)
        weir_strbuf_printf(t, "#define CT_A_PIXEL%d (%lld)\n", i, (long long)b->pixel[i]);
    weir_bound_define(t, b);
}

// Rows of windows, and panels, that a work-item takes.
struct part {
    int64_t down, across;
};

static struct part choose_part(const struct weir_emit *e, const struct weir_gather *g, int64_t panels,
                               const int *k)
{
    const int64_t least = 8 * e->dev->info.caps.compute_units;
    struct part p = {k[DOWN], k[ACROSS] < panels ? k[ACROSS] : panels};
    if (k[DOWN] == WEIR_AUTO) {
        p.down = 1;
        while (p.down < g->row[2].n && window_bytes(g, p.down + 1) <= WINDOW_BYTES &&
               work(g, p.down + 1) * panels >= least)
            p.down++;
    }
    p.down = div_up(g->row[2].n, div_up(g->row[2].n, p.down));
    if (k[ACROSS] == WEIR_AUTO) {
        p.across = panels;
        while (p.across > 1 && work(g, p.down) * div_up(panels, p.across) < least)
            p.across = div_up(p.across, 2);
    }
    return p;
}

// The kernel for whole panels, or for the columns that are left.
static void window_kernel(struct weir_emit *e, struct weir_gather g, const int *k, int vecs,
                          struct weir_emit_launch *l)
{
    int64_t panels = div_up(g.col[3].n, 16 * vecs);
    struct part p = choose_part(e, &g, panels, k);
    int64_t panel = weir_gather_pack(e, &g, vecs);
    l->args[l->n_args++] = g.a.arg;
    l->args[l->n_args++] = g.b.arg;
    struct weir_strbuf t = {0};
    weir_gather_begin(e, &g, &(struct weir_split){0}, &t, l);
    define1(&t, "TILE_W", k[W]);
    define1(&t, "VECS", vecs);
    define1(&t, "DOWN", p.down);
    define1(&t, "ACROSS", p.across);
    define1(&t, "PANEL", panel);
    define_window(&t, &g.bound);
    weir_strbuf_puts(&t, weir_kernel_text("contract_window.cl"));
    l->kernel = weir_emit_kernel_buf(e, g.hint, &t);
    l->label = g.hint;
    l->global[0] = (size_t)(extent(g.row, 2) * div_up(g.row[2].n, p.down));
    l->global[1] = (size_t)div_up(panels, p.across);
    l->local[0] = l->local[1] = l->local[2] = 1;
}

static enum weir_status emit(struct weir_emit *e, const struct weir_gather *g, const int *k)
{
    struct weir_wide_tile tile = weir_wide_tile_of(1, k[W], k[V], g->col[3].n);
    int64_t whole = tile.panels * 16 * tile.vecs;
    struct weir_emit_arg args[2][WEIR_LAUNCH_MAX_BUFS];
    struct weir_emit_launch l[2] = {{.args = args[0]}, {.args = args[1]}};
    struct weir_gather part = *g;
    int n = 0;
    part.col[3].n = whole;
    if (whole)
        window_kernel(e, part, k, tile.vecs, &l[n++]);
    part.col[3].n = g->col[3].n - whole;
    part.b0 += whole * g->col[3].b;
    part.o0 += whole * g->col[3].o;
    if (tile.tail_vecs)
        window_kernel(e, part, k, tile.tail_vecs, &l[n++]);
    weir_gather_launch(e, g, &(struct weir_split){0}, l, n);
    return WEIR_OK;
}

const struct weir_contract_kernel weir_contract_window = {.name = "window",
                                                          .knobs = knobs,
                                                          .fits = fits,
                                                          .wants = wants,
                                                          .model = model,
                                                          .vary = vary,
                                                          .emit = emit};

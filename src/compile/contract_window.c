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

bool weir_window_fits(const struct weir_emit *e, const struct weir_gather *g)
{
    return weir_device_has(e->dev, WEIR_CAP_WIDE) && !g->cut && g->chunks > 0 && g->term[3].a == 1 &&
           g->term[3].n >= 8 && window_bytes(g, 1) <= WINDOW_MOST &&
           work(g, 1) * div_up(g->col[3].n, 32) >= 8 * e->dev->info.caps.compute_units;
}

static void define_window(struct weir_strbuf *t, const struct weir_bound *b)
{
    for (int i = 0; i < 3; i++)
        weir_strbuf_printf(t, "#define CT_A_PIXEL%d (%lld)\n", i, (long long)b->pixel[i]);
    weir_bound_define(t, b);
}

// The kernel for whole panels, or for the columns that are left.
static void window_kernel(struct weir_emit *e, struct weir_gather g, int tile, int vecs,
                          struct weir_emit_launch *l)
{
    const int64_t least = 8 * e->dev->info.caps.compute_units;
    int64_t down = 1, panels = div_up(g.col[3].n, 16 * vecs), across = panels;
    while (down < g.row[2].n && window_bytes(&g, down + 1) <= WINDOW_BYTES &&
           work(&g, down + 1) * panels >= least)
        down++;
    down = div_up(g.row[2].n, div_up(g.row[2].n, down));
    while (across > 1 && work(&g, down) * div_up(panels, across) < least)
        across = div_up(across, 2);
    int64_t panel = weir_gather_pack(e, &g, vecs);
    l->args[l->n_args++] = g.a.arg;
    l->args[l->n_args++] = g.b.arg;
    struct weir_strbuf t = {0};
    weir_gather_begin(e, &g, &(struct weir_split){0}, &t, l);
    define1(&t, "TILE_W", tile);
    define1(&t, "VECS", vecs);
    define1(&t, "DOWN", down);
    define1(&t, "ACROSS", across);
    define1(&t, "PANEL", panel);
    define_window(&t, &g.bound);
    weir_strbuf_puts(&t, weir_kernel_text("contract_window.cl"));
    l->kernel = weir_emit_kernel_buf(e, g.hint, &t);
    l->label = g.hint;
    l->global[0] = (size_t)(extent(g.row, 2) * div_up(g.row[2].n, down));
    l->global[1] = (size_t)div_up(panels, across);
    l->local[0] = l->local[1] = l->local[2] = 1;
}

enum weir_status weir_gather_emit_window(struct weir_emit *e, const struct weir_gather *g)
{
    int64_t run = g->bound.dilation[2] == 1 ? g->term[2].n * g->term[3].n : g->term[3].n;
    struct weir_wide_tile tile = weir_wide_tile(1, g->row[3].n, g->col[3].n, run, true);
    int64_t whole = tile.panels * 16 * tile.vecs;
    struct weir_emit_arg args[2][WEIR_LAUNCH_MAX_BUFS];
    struct weir_emit_launch l[2] = {{.args = args[0]}, {.args = args[1]}};
    struct weir_gather part = *g;
    int n = 0;
    part.col[3].n = whole;
    if (whole)
        window_kernel(e, part, tile.tw, tile.vecs, &l[n++]);
    part.col[3].n = g->col[3].n - whole;
    part.b0 += whole * g->col[3].b;
    part.o0 += whole * g->col[3].o;
    if (tile.tail_vecs)
        window_kernel(e, part, tile.tw, tile.tail_vecs, &l[n++]);
    weir_gather_launch(e, g, &(struct weir_split){0}, l, n);
    return WEIR_OK;
}

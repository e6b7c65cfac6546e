// SPDX-License-Identifier: Apache-2.0
// Fast mode: convolutions of stride 1 with 3 x 3 kernels, and their input gradients, by
// kernels/winograd.cl. Wide devices do all but the kernels' transform in one launch; grouped ones
// write both transforms and leave the sixteen products to the kernels of every other gather.
#include <stdlib.h>

#include "compile/contract_parts.h"
#include "device/kernel_text.h"

// Registers of a wide tile: WG_BLOCK x WG_VECS accumulators beside a row of U and one value of V.
enum { ACCUMULATORS = 24, MOST_BLOCK = 12, MOST_PRIVATE = 128 << 10 };

// Where it is taken unasked. Below so many channels the transforms of the image cost what the
// products save; with fewer tiles a channel that of the kernels does; and tiles must not reach far
// over the edge. Fitted roughly on PoCL; on GPUs nobody has measured it yet.
enum { LEAST_WIDE = 32, LEAST_GROUPED = 128, TILES_A_CHANNEL = 2 };
#define MOST_WASTE 1.35

// Tiles of 2 x 2 results.
static int64_t tiles_of(const struct weir_winograd *w)
{
    return w->n * div_up(w->out[0], 2) * div_up(w->out[1], 2);
}

struct wide_shape {
    int vecs, block;
};

static struct wide_shape wide_shape(const struct weir_winograd *w)
{
    int64_t room = MOST_PRIVATE / (16 * 4 * w->cin);
    struct wide_shape s = {.vecs = w->cout % 32 == 0 ? 2 : 1};
    s.block = ACCUMULATORS / s.vecs < MOST_BLOCK ? ACCUMULATORS / s.vecs : MOST_BLOCK;
    s.block = room < s.block ? (int)room : s.block;
    return s;
}

static bool wins(const struct weir_emit *e, const struct weir_winograd *w, bool wide)
{
    if (!wide && has_engine(e->dev))
        return false;
    int64_t least = wide ? LEAST_WIDE : LEAST_GROUPED, most = w->cin > w->cout ? w->cin : w->cout;
    double results = (double)(w->n * w->out[0] * w->out[1]);
    return (wide || e->dev->info.caps.is_gpu) && w->cin >= least && w->cout >= least &&
           tiles_of(w) >= TILES_A_CHANNEL * most && 4 * (double)tiles_of(w) <= MOST_WASTE * results;
}

bool weir_winograd_fits(const struct weir_emit *e, const struct weir_winograd *w)
{
    bool wide = weir_device_has(e->dev, WEIR_CAP_WIDE);
    if (!e->fast || e->winograd < 0 || e->epilogue || e->in[0].dtype != WEIR_F32 ||
        e->in[1].dtype != WEIR_F32 || e->out[0].dtype != WEIR_F32 ||
        w->n * w->out[0] * w->out[1] == 0 || w->cin == 0)
        return false;
    if (16 * tiles_of(w) * (w->cin > w->cout ? w->cin : w->cout) > INT32_MAX / 4)
        return false;
    if (wide && (w->cin % 16 || w->cout % 16 || w->sc != 1 || wide_shape(w).block < 4))
        return false;
    return e->winograd > 0 || wins(e, w, wide);
}

// Along which channels the kernels' transform goes by sixteen.
static int lanes_of(const struct weir_winograd *w, const struct wide_shape *s)
{
    return !s ? 0 : w->w_in == 1 ? 1 : w->w_out == 1 ? 2 : 0;
}

static void define(struct weir_strbuf *t, const char *name, int64_t value)
{
    weir_strbuf_printf(t, "#define WG_%s (%lld)\n", name, (long long)value);
}

static const char *kernel(struct weir_emit *e, const struct weir_winograd *w, int part,
                          int64_t width, const struct wide_shape *s)
{
    struct weir_strbuf t = {0};
    weir_strbuf_printf(&t, "#define WG_NAME $K\n#define WG_PART %d\n#define WG_INT int\n", part);
    define(&t, "N", w->n);
    define(&t, "DOWN", div_up(w->out[0], 2));
    define(&t, "ACROSS", div_up(w->out[1], 2));
    define(&t, "IN_H", w->in[0]);
    define(&t, "IN_W", w->in[1]);
    define(&t, "OUT_H", w->out[0]);
    define(&t, "OUT_W", w->out[1]);
    define(&t, "PAD_H", w->pad[0]);
    define(&t, "PAD_W", w->pad[1]);
    define(&t, "CIN", w->cin);
    define(&t, "COUT", w->cout);
    define(&t, "WIDTH", width);
    define(&t, "VECS", s ? s->vecs : 1);
    define(&t, "BLOCK", s ? s->block : 1);
    define(&t, "LANES", lanes_of(w, s));
    define(&t, "X_N", w->sn);
    define(&t, "X_H", w->sh);
    define(&t, "X_W", w->sw);
    define(&t, "X_C", w->sc);
    define(&t, "W", w->w0);
    define(&t, "W_I", w->w_in);
    define(&t, "W_O", w->w_out);
    define(&t, "W_H", w->w_h);
    define(&t, "W_W", w->w_w);
    weir_strbuf_puts(&t, weir_kernel_text("winograd.cl"));
    return weir_emit_kernel_buf(e, "winograd", &t);
}

// One work-item for each of x, y. Groups along x on grouped devices.
static void launch(struct weir_emit *e, const char *kernel, const char *label,
                   struct weir_emit_arg *args, int n, int64_t x, int64_t y)
{
    int64_t group = weir_device_has(e->dev, WEIR_CAP_WIDE) ? 1 : weir_group_flat(e->dev);
    struct weir_emit_launch l = {.kernel = kernel,
                                 .label = label,
                                 .n_args = n,
                                 .args = args,
                                 .global = {(size_t)(div_up(x, group) * group), (size_t)y, 1},
                                 .local = {(size_t)group, 1, 1}};
    weir_emit_launch(e, &l);
}

static struct weir_emit_arg scratch(struct weir_emit *e, int64_t n)
{
    return (struct weir_emit_arg){weir_emit_scratch(e, WEIR_F32, n), WEIR_F32, 0};
}

static enum weir_status emit_wide(struct weir_emit *e, const struct weir_winograd *w)
{
    const struct wide_shape s = wide_shape(w);
    const int64_t width = 16 * s.vecs;
    struct weir_emit_arg u = scratch(e, 16 * w->cin * w->cout);
    struct weir_emit_arg transform[2] = {w->w, u}, all[3] = {w->x, u, weir_emit_arg(&e->out[0])};
    int lanes = lanes_of(w, &s);
    launch(e, kernel(e, w, 1, width, &s), "winograd_weights", transform, 2,
           lanes == 2 ? w->cin : w->cout, lanes ? 1 : w->cin);
    launch(e, kernel(e, w, 2, width, &s), "winograd", all, 3, div_up(tiles_of(w), s.block), 1);
    return WEIR_OK;
}

// The sixteen products m[k] (tiles x cout) = v[k] (tiles x cin) u[k] (cin x cout).
static enum weir_status emit_products(struct weir_emit *e, const struct weir_winograd *w,
                                      struct weir_emit_arg v, struct weir_emit_arg u,
                                      struct weir_emit_arg m)
{
    int64_t tiles = tiles_of(w);
    struct weir_gather g = {
        .hint = "winograd_products", .a.arg = v, .b.arg = u, .chunks = div_up(w->cin, 512)};
    struct weir_operand out = {m.slot,
                               WEIR_F32,
                               {.rank = 3, .dim = {16, tiles, w->cout}},
                               0,
                               {tiles * w->cout, w->cout, 1}};
    struct weir_emit inner = *e;
    inner.out = &out;
    inner.fast = false; // no engine: what it rounds its operands to, the transforms would magnify
    for (int i = 0; i < 4; i++)
        g.row[i] = g.col[i] = g.term[i] = (struct weir_axis){.n = 1};
    for (int i = 0; i < 6; i++)
        g.batch[i] = (struct weir_axis){.n = 1};
    g.batch[5] = (struct weir_axis){16, tiles * w->cin, w->cin * w->cout, tiles * w->cout};
    g.row[3] = (struct weir_axis){tiles, w->cin, 0, w->cout};
    g.col[3] = (struct weir_axis){w->cout, 0, 1, 1};
    g.term[3] = (struct weir_axis){w->cin, 1, w->cout, 0};
    return weir_gather_emit(&inner, &g);
}

static enum weir_status emit_grouped(struct weir_emit *e, const struct weir_winograd *w)
{
    int64_t tiles = tiles_of(w);
    struct weir_emit_arg u = scratch(e, 16 * w->cin * w->cout), v = scratch(e, 16 * tiles * w->cin);
    struct weir_emit_arg m = scratch(e, 16 * tiles * w->cout);
    struct weir_emit_arg weights[2] = {w->w, u}, image[2] = {w->x, v},
                         back[2] = {m, weir_emit_arg(&e->out[0])};
    launch(e, kernel(e, w, 1, w->cout, NULL), "winograd_weights", weights, 2, w->cout, w->cin);
    launch(e, kernel(e, w, 3, w->cout, NULL), "winograd_image", image, 2, w->cin, tiles);
    enum weir_status status = emit_products(e, w, v, u, m);
    if (status == WEIR_OK)
        launch(e, kernel(e, w, 4, w->cout, NULL), "winograd_back", back, 2, w->cout, tiles);
    return status;
}

enum weir_status weir_winograd_emit(struct weir_emit *e, const struct weir_winograd *w)
{
    return weir_device_has(e->dev, WEIR_CAP_WIDE) ? emit_wide(e, w) : emit_grouped(e, w);
}

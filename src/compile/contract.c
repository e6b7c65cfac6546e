// SPDX-License-Identifier: Apache-2.0
// Matmul and the three convolutions as gathers. Images get a border of zeros (in scratch, only
// where a window reaches outside), so that every address is affine. The input gradient of a strided
// convolution is one gather a phase (output position mod stride), each with the taps that reach it;
// the chunks of 512 still count the absent ones.
#include "compile/contract_parts.h"

#include <stdlib.h>

#include "base/log.h"
#include "compile/attention.h"
#include "device/kernel_text.h"
#include "graph/ops/rows.h"

// Above this many phases the gradient is spread with zeros between instead: one kernel, more terms.
#define MAX_PHASES 9

// (n, d, h, w, c); missing spatial axes have extent 1.
struct image {
    struct weir_gather_source source;
    int64_t n, c, dim[3];
    int64_t sn, sc, stride[3];
    int64_t lo[3]; // pixel 0 lies at lo
};

// A convolution's geometry over three spatial axes.
struct conv {
    int64_t stride[3], dilation[3], pad[3], in[3], out[3], ker[3];
    int64_t groups, cin, cout; // channels of one group
    int64_t w_o, w_c, w_k[3];  // strides of w or dw (O, kernel.., C)
};

static struct image image_of(const struct weir_operand *t)
{
    int nd = t->shape.rank - 2, lead = 3 - nd;
    struct image m = {.source.arg = weir_emit_arg(t),
                      .n = t->shape.dim[0],
                      .sn = t->stride[0],
                      .c = t->shape.dim[nd + 1],
                      .sc = t->stride[nd + 1]};
    for (int i = 0; i < 3; i++) {
        m.dim[i] = i < lead ? 1 : t->shape.dim[1 + i - lead];
        m.stride[i] = i < lead ? 0 : t->stride[1 + i - lead];
    }
    return m;
}

static void conv_of(const struct weir_value *v, const struct weir_operand *x,
                    const struct weir_operand *w, const struct weir_operand *y, struct conv *c)
{
    const struct weir_conv_attrs *p = &v->attrs.conv;
    int lead = 3 - p->nd, last = p->nd + 1;
    *c = (struct conv){.groups = p->groups,
                       .cin = w->shape.dim[last],
                       .cout = w->shape.dim[0] / p->groups,
                       .w_o = w->stride[0],
                       .w_c = w->stride[last]};
    for (int i = 0; i < 3; i++) {
        bool used = i >= lead;
        c->stride[i] = used ? p->stride[i - lead] : 1;
        c->dilation[i] = used ? p->dilation[i - lead] : 1;
        c->pad[i] = used ? p->pad_lo[i - lead] : 0;
        c->in[i] = used ? x->shape.dim[1 + i - lead] : 1;
        c->out[i] = used ? y->shape.dim[1 + i - lead] : 1;
        c->ker[i] = used ? w->shape.dim[1 + i - lead] : 1;
        c->w_k[i] = used ? w->stride[1 + i - lead] : 0;
    }
}

// Makes m a dense copy, of floats, in which pixels min[i] .. max[i] exist, its own pixels being step[i] apart.
static void pad_image(struct weir_emit *e, struct image *m, const int64_t *min, const int64_t *max,
                      const int64_t *step)
{
    int64_t out[3], lo[3], size = m->n * m->c, far = (m->n - 1) * m->sn + (m->c - 1) * m->sc;
    for (int i = 0; i < 3; i++) {
        int64_t last = m->dim[i] ? (m->dim[i] - 1) * step[i] : -1;
        lo[i] = min[i] < 0 ? -min[i] : 0;
        out[i] = lo[i] + (max[i] > last ? max[i] : last) + 1;
        size *= out[i];
        far += llabs(last) * llabs(m->stride[i]);
    }
    bool flat = !weir_device_has(e->dev, WEIR_CAP_WIDE);
    struct weir_strbuf t = {0};
    weir_strbuf_printf(&t, "#define PAD_NAME $K\n#define PAD_FLAT %d\n#define PAD_INT %s\n", flat,
                       size < INT32_MAX && far < INT32_MAX ? "int" : "long");
    const char *type = weir_dtype_name(m->source.arg.dtype);
    if (weir_is_storage(m->source.arg.dtype))
        weir_strbuf_printf(&t, "#define PAD_T ushort\n#define PAD_LOAD weir_ld_%s\n#define PAD_LOAD16 weir_ldv_%s\n",
                           type, type);
    else
        weir_strbuf_puts(&t, "#define PAD_T float\n#define PAD_LOAD(p) (*(p))\n#define PAD_LOAD16(p) WEIR_LOAD16(p)\n");
    weir_strbuf_printf(&t, "#define PAD_C %lld\n#define PAD_START 0\n", (long long)m->c);
    weir_strbuf_printf(&t, "#define PAD_STRIDE_N (%lld)\n#define PAD_STRIDE_C (%lld)\n",
                       (long long)m->sn, (long long)m->sc);
    for (int i = 0; i < 3; i++)
        weir_strbuf_printf(&t,
                           "#define PAD_IN%d %lld\n#define PAD_LO%d %lld\n#define PAD_OUT%d %lld\n"
                           "#define PAD_STEP%d %lld\n#define PAD_STRIDE%d (%lld)\n",
                           i, (long long)m->dim[i], i, (long long)lo[i], i, (long long)out[i], i,
                           (long long)step[i], i, (long long)m->stride[i]);
    weir_strbuf_puts(&t, weir_kernel_text("contract_pad.cl"));
    // Sixteen floats more than the image, because panels of columns are read by whole vectors.
    int slot = weir_emit_scratch(e, WEIR_F32, size + 16);
    struct weir_emit_arg args[2] = {m->source.arg, {slot, WEIR_F32, 0}};
    struct weir_emit_launch l = {
        .kernel = weir_emit_kernel_buf(e, "pad", &t), .label = "pad", .n_args = 2, .args = args};
    size_t rows = (size_t)out[1], planes = (size_t)out[0], row = (size_t)(out[2] * m->c);
    size_t group = (size_t)weir_group_flat(e->dev);
    l.global[0] = flat ? (row + group - 1) / group * group : rows;
    l.global[1] = flat ? rows * planes : planes;
    l.global[2] = (size_t)m->n;
    l.local[0] = flat ? group : 1;
    l.local[1] = l.local[2] = 1;
    weir_emit_launch(e, &l);
    m->source = (struct weir_gather_source){args[1], true};
    m->sc = 1;
    m->stride[2] = m->c;
    m->stride[1] = out[2] * m->stride[2];
    m->stride[0] = out[1] * m->stride[1];
    m->sn = out[0] * m->stride[0];
    for (int i = 0; i < 3; i++) {
        m->dim[i] = out[i];
        m->lo[i] = lo[i];
    }
}

static const int64_t by_one[3] = {1, 1, 1};

static bool has_pixels(const struct image *m, const int64_t *min, const int64_t *max)
{
    bool inside = true;
    for (int i = 0; i < 3; i++)
        inside &= min[i] >= 0 && max[i] < m->dim[i];
    return inside;
}

// Pads m if pixels min .. max are not all inside, or if several gathers would make a copy of it.
static void need_pixels(struct weir_emit *e, struct image *m, const int64_t *min,
                        const int64_t *max)
{
    bool widens = weir_device_has(e->dev, WEIR_CAP_WIDE) && m->source.arg.dtype != WEIR_F32;
    if (!has_pixels(m, min, max) || widens)
        pad_image(e, m, min, max, by_one);
}

static int64_t origin(const struct image *m, const int64_t *first)
{
    int64_t at = 0;
    for (int i = 0; i < 3; i++)
        at += (first[i] + m->lo[i]) * m->stride[i];
    return at;
}

static void unit_axes(struct weir_gather *g)
{
    for (int i = 0; i < 4; i++)
        g->row[i] = g->col[i] = g->term[i] = (struct weir_axis){.n = 1};
    for (int i = 0; i < 6; i++)
        g->batch[i] = (struct weir_axis){.n = 1};
}

// The window of a forward convolution in x: pixels min .. max.
static void window(const struct conv *c, int64_t *min, int64_t *max)
{
    for (int i = 0; i < 3; i++) {
        min[i] = -c->pad[i];
        max[i] = -c->pad[i] + (c->out[i] - 1) * c->stride[i] + (c->ker[i] - 1) * c->dilation[i];
    }
}

static struct weir_bound bound_of(const struct conv *c, const struct image *x)
{
    struct weir_bound b = {0};
    for (int i = 0; i < 3; i++) {
        b.stride[i] = c->stride[i];
        b.dilation[i] = c->dilation[i];
        b.origin[i] = -c->pad[i];
        b.in[i] = x->dim[i];
        b.pixel[i] = x->stride[i];
    }
    return b;
}

static struct weir_gather conv_gather(const struct weir_emit *e, const struct conv *c,
                                      const struct image *x, const int64_t *first)
{
    struct weir_gather g = {.hint = "conv", .a = x->source, .b.arg = weir_emit_arg(&e->in[1])};
    int64_t cout = c->groups * c->cout, pixels = c->out[0] * c->out[1] * c->out[2];
    unit_axes(&g);
    g.a0 = origin(x, first);
    g.batch[5] = (struct weir_axis){c->groups, c->cin * x->sc, c->cout * c->w_o, c->cout};
    g.row[0] = (struct weir_axis){x->n, x->sn, 0, pixels * cout};
    g.col[3] = (struct weir_axis){c->cout, 0, c->w_o, 1};
    g.term[3] = (struct weir_axis){c->cin, x->sc, c->w_c, 0};
    for (int i = 2; i >= 0; i--) {
        g.row[1 + i] = (struct weir_axis){c->out[i], c->stride[i] * x->stride[i], 0, 0};
        g.term[i] = (struct weir_axis){c->ker[i], c->dilation[i] * x->stride[i], c->w_k[i], 0};
    }
    g.row[3].o = cout;
    g.row[2].o = c->out[2] * cout;
    g.row[1].o = c->out[1] * c->out[2] * cout;
    g.chunks = (c->ker[0] * c->ker[1] * c->ker[2] * c->cin + 511) / 512;
    return g;
}

// True if g, which reads pixels that are not there, is to be computed by a kernel that knows where
// they end, and not from an image with a border.
static bool without_border(struct weir_emit *e, const struct weir_gather *g)
{
    struct weir_gather asked = *g;
    weir_gather_simplify(&asked);
    const struct weir_contract_kernel *kernel = weir_candidate_for(e, &asked).kernel;
    return kernel && kernel->emit;
}

// The same for an image on the left; g is of no use if not.
static bool take_bound(struct weir_emit *e, struct weir_gather *g, struct weir_bound bound)
{
    g->bound = bound;
    g->bound.of = WEIR_BOUND_A;
    g->a0 = 0;
    return without_border(e, g);
}

// Whether it is one that Winograd's algorithm takes: c's, over the image m; forward, or the input
// gradient, which is a convolution with the kernels turned and their channels exchanged.
static bool winograd_of(const struct weir_emit *e, const struct conv *c, const struct image *m,
                        bool forward, struct weir_winograd *w)
{
    bool fits =
        c->groups == 1 && c->in[0] == 1 && c->out[0] == 1 && c->ker[0] == 1 && c->pad[0] == 0;
    for (int i = 1; i < 3; i++)
        fits &= c->ker[i] == 3 && c->stride[i] == 1 && c->dilation[i] == 1 && c->pad[i] >= 0 &&
                c->pad[i] <= 2;
    *w = (struct weir_winograd){.n = m->n,
                                .sn = m->sn,
                                .sh = m->stride[1],
                                .sw = m->stride[2],
                                .sc = m->sc,
                                .x = m->source.arg,
                                .w = weir_emit_arg(&e->in[1]),
                                .w_in = forward ? c->w_c : c->w_o,
                                .w_out = forward ? c->w_o : c->w_c,
                                .w_h = forward ? c->w_k[1] : -c->w_k[1],
                                .w_w = forward ? c->w_k[2] : -c->w_k[2],
                                .w0 = forward ? 0 : 2 * (c->w_k[1] + c->w_k[2]),
                                .cin = forward ? c->cin : c->cout,
                                .cout = forward ? c->cout : c->cin};
    for (int i = 0; i < 2; i++) {
        w->in[i] = forward ? c->in[1 + i] : c->out[1 + i];
        w->out[i] = forward ? c->out[1 + i] : c->in[1 + i];
        w->pad[i] = forward ? c->pad[1 + i] : 2 - c->pad[1 + i];
    }
    return fits && weir_winograd_fits(e, w);
}

static enum weir_status emit_conv(struct weir_emit *e)
{
    struct conv c;
    struct weir_winograd winograd;
    conv_of(e->v, &e->in[0], &e->in[1], &e->out[0], &c);
    struct image x = image_of(&e->in[0]);
    if (winograd_of(e, &c, &x, true, &winograd))
        return weir_winograd_emit(e, &winograd);
    int64_t min[3], max[3];
    window(&c, min, max);
    struct weir_gather g = conv_gather(e, &c, &x, min);
    if (!has_pixels(&x, min, max) && !take_bound(e, &g, bound_of(&c, &x))) {
        pad_image(e, &x, min, max, by_one);
        g = conv_gather(e, &c, &x, min);
    }
    return weir_gather_emit(e, &g);
}

// dw: the sums run over output pixels.
static struct weir_gather weight_gather(const struct conv *c, const struct image *x,
                                        const struct image *y, const int64_t *first)
{
    struct weir_gather g = {.hint = "conv_weight_grad", .a = y->source, .b = x->source};
    unit_axes(&g);
    g.b0 = origin(x, first);
    g.batch[5] = (struct weir_axis){c->groups, c->cout * y->sc, c->cin * x->sc, c->cout * c->w_o};
    g.row[3] = (struct weir_axis){c->cout, y->sc, 0, c->w_o};
    g.col[3] = (struct weir_axis){c->cin, 0, x->sc, c->w_c};
    g.term[0] = (struct weir_axis){x->n, y->sn, x->sn, 0};
    for (int i = 0; i < 3; i++) {
        g.col[i] = (struct weir_axis){c->ker[i], 0, c->dilation[i] * x->stride[i], c->w_k[i]};
        g.term[1 + i] = (struct weir_axis){c->out[i], y->stride[i], c->stride[i] * x->stride[i], 0};
    }
    g.chunks = (x->n * c->out[0] * c->out[1] * c->out[2] + 511) / 512;
    return g;
}

// Rows become columns; the sums are the same ones.
static struct weir_gather transposed(const struct weir_gather *g)
{
    struct weir_gather s = *g;
    s.a = g->b, s.b = g->a, s.a0 = g->b0, s.b0 = g->a0;
    for (int i = 0; i < 4; i++) {
        s.row[i] = (struct weir_axis){g->col[i].n, g->col[i].b, 0, g->col[i].o};
        s.col[i] = (struct weir_axis){g->row[i].n, 0, g->row[i].a, g->row[i].o};
        s.term[i] = (struct weir_axis){g->term[i].n, g->term[i].b, g->term[i].a, 0};
    }
    s.batch[5].a = g->batch[5].b, s.batch[5].b = g->batch[5].a;
    return s;
}

static enum weir_status emit_conv_weight_grad(struct weir_emit *e)
{
    struct conv c;
    conv_of(e->v, &e->in[0], &e->out[0], &e->in[1], &c);
    struct image x = image_of(&e->in[0]), y = image_of(&e->in[1]);
    // Few input channels would leave vectors over them empty, so then the columns are output channels.
    bool channels_in_rows = c.cin < 16 && c.cout > c.cin;
    bool wide = weir_device_has(e->dev, WEIR_CAP_WIDE) && !channels_in_rows;
    bool by_vectors = x.sc == 1 && c.cin % 16 == 0 && x.source.arg.dtype == WEIR_F32;
    int64_t min[3], max[3];
    window(&c, min, max);
    if (wide && by_vectors && c.ker[0] * c.ker[1] * c.ker[2] > 1) {
        struct weir_gather g = weight_gather(&c, &x, &y, min);
        g.bound = bound_of(&c, &x);
        g.bound.of = WEIR_BOUND_B;
        if (without_border(e, &g))
            return weir_gather_emit(e, &g);
    }
    if (wide && !by_vectors)
        pad_image(e, &x, min, max, by_one);
    else
        need_pixels(e, &x, min, max);
    struct weir_gather g = weight_gather(&c, &x, &y, min);
    if (channels_in_rows)
        g = transposed(&g);
    return weir_gather_emit(e, &g);
}

// One spatial axis of one phase of the input gradient: pixels f, f + stride, .. of x are reached by
// taps tap0, tap0 + tap_step, .., whose pixels in dy are y0 + j - t * back.
struct phase {
    int64_t first, pixels, tap0, tap_step, taps, y0, back;
};

static struct phase phase_of(const struct conv *c, int i, int64_t f)
{
    int64_t s = c->stride[i], d = c->dilation[i];
    struct phase p = {.first = f, .pixels = f < c->in[i] ? (c->in[i] - f + s - 1) / s : 0};
    p.tap_step = 1;
    while (p.tap_step * d % s)
        p.tap_step++;
    p.back = p.tap_step * d / s;
    while (p.tap0 < p.tap_step && (f + c->pad[i] - p.tap0 * d) % s)
        p.tap0++;
    if (p.tap0 < p.tap_step && p.tap0 < c->ker[i])
        p.taps = (c->ker[i] - p.tap0 + p.tap_step - 1) / p.tap_step;
    p.y0 = p.taps ? (f + c->pad[i] - p.tap0 * d) / s : 0;
    return p;
}

// How many of the present terms lie before the end of each chunk.
static const int64_t *cuts(struct weir_emit *e, const struct conv *c, const struct phase *p,
                           int64_t chunks)
{
    int64_t *cut = weir_arena_array(e->arena, (size_t)chunks, sizeof(*cut));
    for (int64_t k = 0; cut && k < chunks; k++) {
        cut[k] = 0;
        for (int64_t t = 0; t < p[0].taps * p[1].taps * p[2].taps; t++) {
            int64_t t2 = t % p[2].taps, t1 = t / p[2].taps % p[1].taps,
                    t0 = t / (p[2].taps * p[1].taps);
            int64_t tap =
                ((p[0].tap0 + t0 * p[0].tap_step) * c->ker[1] + p[1].tap0 + t1 * p[1].tap_step) *
                    c->ker[2] +
                p[2].tap0 + t2 * p[2].tap_step;
            int64_t before = 512 * (k + 1) - tap * c->cout;
            cut[k] += before < 0 ? 0 : before < c->cout ? before : c->cout;
        }
    }
    return cut;
}

static enum weir_status phase_gather(struct weir_emit *e, const struct conv *c,
                                     const struct image *y, const struct phase *p,
                                     struct weir_gather *out)
{
    struct weir_gather g = {
        .hint = "conv_input_grad", .a = y->source, .b.arg = weir_emit_arg(&e->in[1])};
    int64_t cin = c->groups * c->cin, at = cin, taps = 1, all = 1;
    unit_axes(&g);
    g.batch[5] = (struct weir_axis){c->groups, c->cout * y->sc, c->cout * c->w_o, c->cin};
    g.col[3] = (struct weir_axis){c->cin, 0, c->w_c, 1};
    g.term[3] = (struct weir_axis){c->cout, y->sc, c->w_o, 0};
    for (int i = 2; i >= 0; i--) {
        g.row[1 + i] = (struct weir_axis){p[i].pixels, y->stride[i], 0, c->stride[i] * at};
        g.term[i] =
            (struct weir_axis){p[i].taps, -p[i].back * y->stride[i], p[i].tap_step * c->w_k[i], 0};
        g.a0 += (p[i].y0 + y->lo[i]) * y->stride[i];
        g.b0 += p[i].tap0 * c->w_k[i];
        g.o0 += p[i].first * at;
        at *= c->in[i];
        taps *= p[i].taps;
        all *= c->ker[i];
    }
    g.row[0] = (struct weir_axis){y->n, y->sn, 0, at};
    g.chunks = (all * c->cout + 511) / 512;
    if (taps == 0) { // nothing reaches these pixels: +0 by an empty sum
        for (int i = 0; i < 4; i++)
            g.term[i].n = 1;
        g.chunks = g.a0 = g.b0 = 0;
    } else if (taps != all && g.chunks > 1) {
        g.cut = cuts(e, c, p, g.chunks);
        if (!g.cut)
            return WEIR_NOMEM;
    }
    *out = g;
    return WEIR_OK;
}

static struct weir_bound phase_bound(const struct phase *p, const struct image *y)
{
    struct weir_bound b = {0};
    for (int i = 0; i < 3; i++) {
        b.stride[i] = 1;
        b.dilation[i] = -p[i].back;
        b.origin[i] = p[i].y0;
        b.in[i] = y->dim[i];
        b.pixel[i] = y->stride[i];
    }
    return b;
}

// The pixels of dy that the phases read.
static void phase_range(const struct conv *c, int64_t *min, int64_t *max)
{
    for (int i = 0; i < 3; i++) {
        min[i] = 0, max[i] = 0;
        for (int64_t f = 0; f < c->stride[i]; f++) {
            struct phase p = phase_of(c, i, f);
            if (!p.taps || !p.pixels)
                continue;
            int64_t lo = p.y0 - (p.taps - 1) * p.back, hi = p.y0 + p.pixels - 1;
            min[i] = lo < min[i] ? lo : min[i];
            max[i] = hi > max[i] ? hi : max[i];
        }
    }
}

// Phase f of as many as the strides' product.
static void phases_of(const struct conv *c, int64_t f, struct phase *p)
{
    p[0] = phase_of(c, 0, f / (c->stride[2] * c->stride[1]));
    p[1] = phase_of(c, 1, f / c->stride[2] % c->stride[1]);
    p[2] = phase_of(c, 2, f % c->stride[2]);
}

// dy spread out by the stride, with zeros between: then an ordinary convolution of stride 1 over it.
static void spread_image(struct weir_emit *e, struct conv *c, struct image *y)
{
    int64_t min[3], max[3], step[3];
    for (int i = 0; i < 3; i++) {
        step[i] = c->stride[i];
        min[i] = c->pad[i] - (c->ker[i] - 1) * c->dilation[i];
        max[i] = c->in[i] - 1 + c->pad[i];
        c->stride[i] = 1;
    }
    pad_image(e, y, min, max, step);
}

static enum weir_status emit_conv_input_grad(struct weir_emit *e)
{
    struct conv c;
    conv_of(e->v, &e->out[0], &e->in[1], &e->in[0], &c);
    struct image y = image_of(&e->in[0]);
    struct weir_winograd winograd;
    if (winograd_of(e, &c, &y, false, &winograd))
        return weir_winograd_emit(e, &winograd);
    int64_t min[3], max[3], phases = c.stride[0] * c.stride[1] * c.stride[2];
    struct phase p[3];
    struct weir_gather g;
    if (phases > MAX_PHASES) {
        spread_image(e, &c, &y);
        phases = 1;
    } else {
        phase_range(&c, min, max);
        if (phases == 1 && !has_pixels(&y, min, max)) {
            phases_of(&c, 0, p);
            enum weir_status status = phase_gather(e, &c, &y, p, &g);
            if (status != WEIR_OK)
                return status;
            if (take_bound(e, &g, phase_bound(p, &y)))
                return weir_gather_emit(e, &g);
        }
        need_pixels(e, &y, min, max);
    }
    for (int64_t f = 0; f < phases; f++) {
        phases_of(&c, f, p);
        enum weir_status status = phase_gather(e, &c, &y, p, &g);
        if (status == WEIR_OK)
            status = weir_gather_emit(e, &g);
        if (status != WEIR_OK)
            return status;
    }
    return WEIR_OK;
}

// A batch axis over which b stays the same is more rows.
static void batch_axis(struct weir_gather *g, struct weir_axis x)
{
    if (x.b == 0)
        for (int i = 2; i >= 0; i--)
            if (g->row[i].n == 1) {
                g->row[i] = x;
                return;
            }
    for (int i = 5; i >= 0; i--)
        if (g->batch[i].n == 1) {
            g->batch[i] = x;
            return;
        }
}

static enum weir_status emit_matmul(struct weir_emit *e)
{
    const struct weir_operand *a = &e->in[0], *b = &e->in[1], *out = &e->out[0];
    bool ta = e->v->attrs.matmul.ta, tb = e->v->attrs.matmul.tb;
    int ar = a->shape.rank - 2, br = b->shape.rank - 2, rank = out->shape.rank - 2;
    struct weir_gather g = {.hint = "matmul", .a.arg = weir_emit_arg(a), .b.arg = weir_emit_arg(b)};
    unit_axes(&g);
    g.row[3] = (struct weir_axis){out->shape.dim[rank], a->stride[ar + ta], 0, out->stride[rank]};
    g.col[3] = (struct weir_axis){out->shape.dim[rank + 1], 0, b->stride[br + !tb], 1};
    g.term[3] =
        (struct weir_axis){a->shape.dim[ar + !ta], a->stride[ar + !ta], b->stride[br + tb], 0};
    for (int i = rank - 1; i >= 0; i--) {
        int ia = i - rank + ar, ib = i - rank + br;
        struct weir_axis x = {.n = out->shape.dim[i], .o = out->stride[i]};
        if (x.n == 1)
            continue;
        if (ia >= 0 && a->shape.dim[ia] != 1)
            x.a = a->stride[ia];
        if (ib >= 0 && b->shape.dim[ib] != 1)
            x.b = b->stride[ib];
        batch_axis(&g, x);
    }
    g.chunks = (g.term[3].n + 511) / 512;
    return weir_gather_emit(e, &g);
}

enum weir_status weir_contract_emit(struct weir_emit *e)
{
    if (e->v->op == &weir_op_matmul)
        return emit_matmul(e);
    if (e->v->op == &weir_op_conv)
        return emit_conv(e);
    if (e->v->op == &weir_op_conv_input_grad)
        return emit_conv_input_grad(e);
    if (e->v->op == &weir_op_conv_weight_grad)
        return emit_conv_weight_grad(e);
    if (e->v->op == &weir_op_attention_kernel || e->v->op == &weir_op_attention_grad_kernel)
        return weir_attention_emit(e);
    return weir_fail(&e->dev->log, WEIR_UNSUPPORTED, "%s is not a contraction", e->v->op->name);
}

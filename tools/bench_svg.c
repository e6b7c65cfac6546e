// SPDX-License-Identifier: Apache-2.0
// weir bench op --svg: the roofline of this device with a point for each row. Work per byte to the
// right, work per second upwards, both on logarithmic axes; an instruction counts as two FLOP, as a
// fused multiply-add does.
#include <math.h>
#include <stdlib.h>

#include "base/files.h"
#include "base/log.h"
#include "base/strbuf.h"
#include "bench.h"

enum { WIDTH = 1000, HEIGHT = 640, LEFT = 80, TOP = 40, PLOT_W = 720, PLOT_H = 530 };

struct plot {
    struct weir_strbuf text;
    double x0, x1, y0, y1; // exponents of 2 and of 10
};

static double at_x(const struct plot *p, double intensity)
{
    double e = fmin(fmax(log2(intensity), p->x0), p->x1);
    return LEFT + PLOT_W * (e - p->x0) / (p->x1 - p->x0);
}

static double at_y(const struct plot *p, double rate)
{
    double e = fmin(fmax(log10(rate), p->y0), p->y1);
    return TOP + PLOT_H * (p->y1 - e) / (p->y1 - p->y0);
}

static void grid_line(struct plot *p, double x1, double y1, double x2, double y2)
{
    weir_strbuf_printf(&p->text,
                       "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"#ddd\"/>\n",
                       x1, y1, x2, y2);
}

// `how`: further attributes.
static void open_text(struct plot *p, double x, double y, const char *how)
{
    weir_strbuf_printf(&p->text, "<text x=\"%.1f\" y=\"%.1f\" %s>", x, y, how);
}

#define MIDDLE "text-anchor=\"middle\""
#define END "text-anchor=\"end\""

static void axes(struct plot *p)
{
    for (double e = p->x0; e <= p->x1; e += 2) {
        double x = at_x(p, exp2(e));
        grid_line(p, x, TOP, x, TOP + PLOT_H);
        open_text(p, x, TOP + PLOT_H + 20, MIDDLE);
        weir_strbuf_printf(&p->text, "%g</text>\n", exp2(e));
    }
    for (double e = p->y0; e <= p->y1; e += 1) {
        double y = at_y(p, pow(10, e));
        grid_line(p, LEFT, y, LEFT + PLOT_W, y);
        open_text(p, LEFT - 8, y + 5, END);
        weir_strbuf_printf(&p->text, "%g</text>\n", pow(10, e - 9));
    }
    open_text(p, LEFT + PLOT_W / 2, TOP + PLOT_H + 46, MIDDLE);
    weir_strbuf_puts(&p->text, "FLOP a byte</text>\n");
    open_text(p, LEFT - 8, TOP - 16, END);
    weir_strbuf_puts(&p->text, "GFLOP/s</text>\n");
}

// The least of bandwidth · intensity and the peak.
static void roof(struct plot *p, double bandwidth, double peak, const char *name, bool dashed)
{
    double knee = peak / bandwidth, from = exp2(p->x0);
    if (bandwidth * from < pow(10, p->y0)) // below the picture: begin where it comes in
        from = pow(10, p->y0) / bandwidth;
    weir_strbuf_printf(
        &p->text,
        "<polyline points=\"%.1f,%.1f %.1f,%.1f %.1f,%.1f\" fill=\"none\" stroke=\"#333\" "
        "stroke-width=\"2\" stroke-dasharray=\"%s\"/>\n",
        at_x(p, from), at_y(p, bandwidth * from), at_x(p, knee), at_y(p, peak),
        at_x(p, exp2(p->x1)), at_y(p, peak), dashed ? "7 5" : "none");
    double middle = sqrt(from * knee);
    if (dashed) // the upper one: its name above it, the other's below
        open_text(p, at_x(p, middle) - 8, at_y(p, bandwidth * middle) - 8, END);
    else
        open_text(p, at_x(p, middle) + 8, at_y(p, bandwidth * middle) + 20, "");
    weir_strbuf_printf(&p->text, "%s %.0f GB/s</text>\n", name, 1e-9 * bandwidth);
}

// A text as XML has it; control characters and quotes are dropped.
static void plain(struct weir_strbuf *t, const char *s)
{
    for (; *s; s++)
        if (*s == '<' || *s == '>' || *s == '&')
            weir_strbuf_puts(t, *s == '<' ? "&lt;" : *s == '>' ? "&gt;" : "&amp;");
        else if (*s >= ' ' && *s != '"')
            weir_strbuf_write(t, s, 1);
}

static void point(struct plot *p, const struct bench_point *at)
{
    weir_strbuf_printf(
        &p->text,
        "<circle cx=\"%.1f\" cy=\"%.1f\" r=\"4.5\" fill=\"%s\" fill-opacity=\".75\"><title>",
        at_x(p, at->work / at->bytes), at_y(p, at->work / at->s), at->table->color);
    plain(&p->text, at->name);
    weir_strbuf_printf(&p->text, ": %.3f ms, %.1f GFLOP/s, %.1f GB/s</title></circle>\n",
                       1e3 * at->s, 1e-9 * at->work / at->s, 1e-9 * at->bytes / at->s);
}

static void points(struct plot *p, const struct bench_point *at, int n)
{
    for (const struct bench_table *t = bench_tables; t->group; t++) {
        int x = LEFT + PLOT_W + 30, y = TOP + 30 + 26 * (int)(t - bench_tables);
        weir_strbuf_printf(&p->text, "<circle cx=\"%d\" cy=\"%d\" r=\"6\" fill=\"%s\"/>\n", x,
                           y - 5, t->color);
        open_text(p, x + 14, y, "");
        weir_strbuf_printf(&p->text, "%s</text>\n", t->group);
        for (int i = 0; i < n; i++)
            if (at[i].table == t && at[i].work > 0) // what only moves data lies on no roof
                point(p, &at[i]);
    }
}

enum weir_status bench_svg(const struct bench_params *p, const struct bench_point *at, int n)
{
    const struct bench_roof *r = &p->roof;
    if (!(r->flops > 0 && r->copy > 0 && r->cached > 0))
        return weir_fail(&p->log, WEIR_UNSUPPORTED,
                         "--svg: the host has no roofline to draw (--device opencl:0)");
    double top = ceil(log10(1.5 * r->flops));
    struct plot plot = { .x0 = -4, .x1 = 10, .y0 = top - 4, .y1 = top };
    struct weir_strbuf *t = &plot.text;
    weir_strbuf_printf(
        t,
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<svg xmlns=\"http://www.w3.org/2000/svg\" "
        "viewBox=\"0 0 %d %d\" font-family=\"sans-serif\" font-size=\"15\">\n"
        "<rect width=\"%d\" height=\"%d\" fill=\"#fff\"/>\n",
        WIDTH, HEIGHT, WIDTH, HEIGHT);
    open_text(&plot, LEFT + 20, 24, "font-size=\"17\"");
    plain(t, weir_device_info(p->dev)->name);
    weir_strbuf_puts(t, ", ");
    plain(t, weir_device_info(p->dev)->platform);
    weir_strbuf_puts(t, "</text>\n");
    axes(&plot);
    roof(&plot, r->copy, r->flops, "memory", false);
    roof(&plot, r->cached, r->flops, "L2 cache", true);
    open_text(&plot, LEFT + PLOT_W - 8, at_y(&plot, r->flops) - 8, END);
    weir_strbuf_printf(t, "fused multiply-adds %.0f GFLOP/s</text>\n", 1e-9 * r->flops);
    points(&plot, at, n);
    weir_strbuf_puts(t, "</svg>\n");
    size_t size = t->n;
    char *text = weir_strbuf_finish(t);
    enum weir_status status = text ? weir_file_write(&p->log, p->svg, text, size) : WEIR_NOMEM;
    free(text);
    return status;
}

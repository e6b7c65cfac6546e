// SPDX-License-Identifier: Apache-2.0
// Map groups: every element alone. On wide devices a work-item takes a strip of a few thousand
// elements with vectors of 16 and a scalar tail; on grouped devices a work-item takes one element.
#include <string.h>

#include "base/log.h"
#include "compile/body.h"
#include "compile/group_choice.h"

enum { STRIP_MAX = 8192, STRIP_MIN = 1024, STRIP_TUNED = 1 << 20, GROUP = 64 };

struct geometry {
    int64_t rows, n;      // all axes but the innermost; the innermost
    int64_t per_row_item; // rows a work-item takes
    int64_t strip;        // of the innermost axis a work-item takes
};

static int64_t div_up(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static struct geometry geometry_of(const struct weir_body *b)
{
    struct geometry g = { .rows = 1, .n = b->space.dim[b->space.rank - 1] };
    for (int d = 0; d + 1 < b->space.rank; d++)
        g.rows *= b->space.dim[d];
    int64_t strip = div_up(div_up(g.rows * g.n, 16), 64) * 64;
    strip = strip > STRIP_MAX ? STRIP_MAX : strip < STRIP_MIN ? STRIP_MIN : strip;
    if (weir_device_has(b->c->dev, WEIR_CAP_WIDE))
        strip = div_up(weir_group_knob(b->c, WEIR_KNOB_STRIP, strip, STRIP_TUNED), 64) * 64;
    g.strip = g.n < 2 * strip ? g.n : strip;
    g.per_row_item = g.strip < g.n || g.n >= strip ? 1 : strip / g.n;
    if (g.rows == 1)
        g.strip = g.n < strip ? g.n : strip;
    return g;
}

static void element(struct weir_body *b, bool wide, struct weir_strbuf *out)
{
    weir_body_eval(b, NULL, wide, "            ", out);
    weir_body_store(b, NULL, wide, "            ", out);
}

static void loops(struct weir_body *b, const struct geometry *g, struct weir_strbuf *out)
{
    bool tail = g->n % 16 != 0 || g->strip % 16 != 0;
    if (g->n >= 16) {
        weir_strbuf_puts(out, "        for (; j + 16 <= end; j += 16) {\n");
        element(b, true, out);
        weir_strbuf_puts(out, "        }\n");
    }
    if (tail) {
        weir_strbuf_puts(out, "        for (; j < end; j++) {\n");
        element(b, false, out);
        weir_strbuf_puts(out, "        }\n");
    }
}

static void write_wide(struct weir_body *b, const struct geometry *g, struct weir_strbuf *out)
{
    uint32_t outer = (1u << (b->space.rank - 1)) - 1;
    weir_strbuf_puts(out, "WEIR_KERNEL_ALONE\nvoid $K(");
    weir_body_params(b, out);
    weir_strbuf_puts(out, " WEIR_PLACE)\n{\n");
    weir_body_offsets(b, out);
    b->in_turn = true;
    weir_body_kept(b, "    ", out);
    weir_strbuf_printf(out, "    const int first = (int)WEIR_AT(1) * %lld;\n"
                            "    const int last = min(first + %lld, %lld);\n",
                       (long long)g->per_row_item, (long long)g->per_row_item, (long long)g->rows);
    weir_strbuf_puts(out, "    for (int row = first; row < last; row++) {\n");
    weir_body_decode(b, outer, "row", "        ", out);
    weir_body_bases(b, outer, "        ", out);
    weir_body_hoist(b, "        ", out);
    if (b->n_ints)
        weir_strbuf_puts(out, "        int j = (int)WEIR_AT(0) * n1;\n        const int end = min(j + n1, n0);\n");
    else
        weir_strbuf_printf(out, "        int j = (int)WEIR_AT(0) * %lld;\n"
                                "        const int end = min(j + %lld, %lld);\n",
                           (long long)g->strip, (long long)g->strip, (long long)g->n);
    loops(b, g, out);
    weir_strbuf_puts(out, "    }\n}\n");
}

static void write_grouped(struct weir_body *b, const struct geometry *g, struct weir_strbuf *out)
{
    int last = b->space.rank - 1;
    uint32_t outer = (1u << last) - 1;
    weir_strbuf_puts(out, "WEIR_KERNEL void $K(");
    weir_body_params(b, out);
    weir_strbuf_puts(out, " WEIR_PLACE)\n{\n");
    weir_body_offsets(b, out);
    weir_strbuf_puts(out, "    const int at = WEIR_AT(0);\n");
    if (b->n_ints)
        weir_strbuf_puts(out, "    if (at < n0) {\n");
    else
        weir_strbuf_printf(out, "    if (at < %lld) {\n", (long long)(g->rows * g->n));
    weir_body_decode(b, outer | 1u << last, "at", "        ", out);
    weir_strbuf_printf(out, "        const int j = r%d;\n", last);
    weir_body_bases(b, outer, "        ", out);
    weir_body_hoist(b, "        ", out);
    element(b, false, out);
    weir_strbuf_puts(out, "    }\n}\n");
}

// All its readers may have computed it again, as they do with an index.
static bool stores_nothing(const struct weir_body *b)
{
    for (int s = 0; s < b->n_steps; s++)
        if (b->step[s].store >= 0)
            return false;
    return true;
}

static enum weir_status write_body(struct weir_body *b, const struct weir_group *g, const char *hint)
{
    if (stores_nothing(b))
        return WEIR_OK;
    weir_body_collapse(b);
    struct geometry geo = geometry_of(b);
    struct weir_strbuf text = { 0 };
    bool wide = weir_device_has(b->c->dev, WEIR_CAP_WIDE);
    if (b->space.rank == 1) { // vectors of different lengths have the same text
        b->n_ints = wide ? 2 : 1;
        b->ints[0] = (int32_t)geo.n;
        b->ints[1] = (int32_t)geo.strip;
    }
    if (wide)
        write_wide(b, &geo, &text);
    else
        write_grouped(b, &geo, &text);
    size_t items = (size_t)(geo.rows * geo.n);
    const size_t global_wide[3] = { (size_t)div_up(geo.n, geo.strip),
                                    (size_t)div_up(geo.rows, geo.per_row_item), 1 };
    const size_t global_grouped[3] = { (items + GROUP - 1) / GROUP * GROUP, 1, 1 };
    const size_t local_wide[3] = { 1, 1, 1 }, local_grouped[3] = { GROUP, 1, 1 };
    const char *kernel = weir_kernel_add_buf(b->c, hint, &text);
    weir_body_launch(b, g, kernel, wide ? global_wide : global_grouped,
                     wide ? local_wide : local_grouped);
    return b->c->status;
}

static bool read_once(const struct weir_body *b, int access)
{
    for (int i = 0; i < b->n_access; i++)
        if (i != access && !b->access[i].index && !b->access[i].written &&
            b->access[i].operand.slot == b->access[access].operand.slot)
            return false;
    return true;
}

void weir_body_share(struct weir_body *b, int launch)
{
    for (int s = 0; s < b->n_steps; s++)
        for (int i = 0; i < b->n_access && b->step[s].store >= 0; i++)
            if (!b->access[i].written && !b->access[i].index && read_once(b, i))
                weir_may_share(b->c, launch, &b->access[b->step[s].store].operand,
                               &b->access[i].operand);
}

enum weir_status weir_write_map(struct weir_emit_state *c, const struct weir_group *g)
{
    struct weir_body b;
    enum weir_status status = weir_body_init(&b, c, g->nodes, g->n_nodes, g->outputs, g->n_outputs);
    if (status != WEIR_OK)
        return status;
    weir_body_share(&b, c->n_launches);
    return write_body(&b, g, g->n_nodes == 1 ? g->nodes[0]->op->name : "map");
}

enum weir_status weir_write_copy(struct weir_emit_state *c, const struct weir_group *g)
{
    struct weir_body b;
    enum weir_status status = weir_body_init_copy(&b, c, &g->from, g->copy_to);
    if (status != WEIR_OK)
        return status;
    int launch = c->n_launches;
    status = write_body(&b, g, "copy");
    if (status == WEIR_OK && c->n_launches > launch)
        c->launches[launch].copy = g->copy;
    return status;
}

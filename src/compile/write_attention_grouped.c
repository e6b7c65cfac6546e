// SPDX-License-Identifier: Apache-2.0
// Attention on grouped devices (kernels/attention_grouped*.cl): how many work-items a group has,
// whether there is the local memory, and the launches. A choice decides speed only.
#include "compile/attention_parts.h"
#include "compile/contract_parts.h"
#include "device/kernel_text.h"
#include "graph/flop.h"

// Work-items of a group, across a tile and down a block's rows, 4 rows each. More rows read less.
struct group {
    int across, down;
};
static const struct group groups[] = {{16, 8}, {16, 4}, {4, 4}};

// As attention_group_parts.cl has them.
enum { TILE = 64, STEP = 16, PAD = 4 };

// Local memory of a group of which a compute unit has room for several.
#define WANTED (32 << 10)

// The row rule's chunk, and what private memory holds of a side.
enum { MOST_KEYS = 4096, MOST_COLUMNS = 128 };

static int64_t max64(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

static int64_t line(const struct group *g)
{
    return 4 * g->down + PAD;
}

// Floats of a block of rows of n columns.
static int64_t held(const struct group *g, int64_t n)
{
    return div_up(n, STEP) * STEP * line(g);
}

static int64_t wide(const struct group *g, int64_t n)
{
    return div_up(n, g->across) * g->across;
}

static int64_t staged(const struct group *g, const struct weir_attention *a)
{
    int64_t columns = max64(wide(g, a->depth), wide(g, a->width));
    return max64(g->across * 4 * g->down, STEP * (max64(TILE, columns) + PAD));
}

// The kernels: forward, also where it keeps the scores of all keys; dq; dk and dv.
enum kind { FORWARD, KEEPING, OF_QUERIES, OF_KEYS };

// Bytes of local memory of a group.
static uint64_t bytes(const struct group *g, const struct weir_attention *a, enum kind kind)
{
    int64_t tiles = div_up(a->keys, TILE), ints = a->masked ? 2 * tiles + wide(g, a->width) : 0;
    int64_t floats =
        held(g, a->depth) + (kind == KEEPING ? tiles : 1) * TILE * line(g) + staged(g, a);
    floats += kind < OF_QUERIES ? 4 * g->down + ints : held(g, a->width);
    return sizeof(float) * (uint64_t)(div_up(floats, 4) * 4);
}

// Rows that blocks are of.
static int64_t rows_of(const struct weir_attention *a, enum kind kind)
{
    return kind == OF_KEYS ? a->keys : a->queries;
}

static bool usable(const weir_device *dev, const struct weir_attention *a, const struct group *g,
                   enum kind kind)
{
    // A CPU driver may take fewer work-items than it says, and a software fma is long.
    bool runs =
        g->across * g->down <= 16 || (dev->info.caps.is_gpu && weir_device_has(dev, WEIR_CAP_FMA));
    return runs && g->across * g->down <= dev->info.caps.max_group &&
           bytes(g, a, kind) <= dev->info.caps.local_size;
}

// The largest group of which there are enough to fill the device, and several a compute unit.
static const struct group *choose(const weir_device *dev, const struct weir_attention *a,
                                  enum kind kind)
{
    const struct group *best = NULL;
    for (size_t i = 0; i < WEIR_COUNT(groups); i++) {
        const struct group *g = &groups[i];
        if (!usable(dev, a, g, kind))
            continue;
        if (best && g->across < best->across)
            break;
        best = g;
        if (bytes(g, a, kind) <= WANTED &&
            div_up(rows_of(a, kind), 4 * g->down) * a->batches >= dev->info.caps.compute_units)
            break;
    }
    return best;
}

// Whether the scores of all keys may stay: there is one tile, or room beside other groups.
static bool keeps(const weir_device *dev, const struct weir_attention *a, const struct group *g)
{
    uint64_t all = bytes(g, a, KEEPING);
    return a->keys <= TILE || (all <= WANTED && all <= dev->info.caps.local_size);
}

bool weir_attention_room(const weir_device *dev, const struct weir_attention *a, bool gradients)
{
    if (a->depth > MOST_COLUMNS || a->width > MOST_COLUMNS || a->keys > MOST_KEYS)
        return false;
    return gradients ? choose(dev, a, OF_QUERIES) && choose(dev, a, OF_KEYS)
                     : choose(dev, a, FORWARD) != NULL;
}

// The kernel of this kind, whose results are out[first] and `results` - 1 more.
static void launch(struct weir_emit *e, const struct weir_attention *a, enum kind kind, int first,
                   int results, double flops)
{
    const struct group *g = choose(e->dev, a, kind);
    const char *label = kind < OF_QUERIES ? "attention"
                        : kind == OF_KEYS ? "attention_dkv"
                                          : "attention_dq";
    struct weir_emit_arg args[16];
    struct weir_strbuf t = {0};
    int n = 0;
    for (int i = 0; i < e->n_in; i++)
        args[n++] = weir_emit_arg(&e->in[i]);
    for (int i = first; i < first + results; i++)
        args[n++] = weir_emit_arg(&e->out[i]);
    weir_attention_knobs(&t, e, a);
    knob(&t, "X", g->across);
    knob(&t, "Y", g->down);
    knob(&t, "KEEP", kind < OF_QUERIES && keeps(e->dev, a, g));
    knob(&t, "OF_KEYS", kind == OF_KEYS);
    weir_strbuf_puts(&t, weir_kernel_text(kind < OF_QUERIES ? "attention_grouped.cl"
                                                            : "attention_grouped_grad.cl"));
    struct weir_emit_launch l = {
        .kernel = weir_emit_kernel_buf(e, label, &t),
        .label = label,
        .n_args = n,
        .args = args,
        .global = {(size_t)g->across, (size_t)(div_up(rows_of(a, kind), 4 * g->down) * g->down),
                   (size_t)a->batches},
        .local = {(size_t)g->across, (size_t)g->down, 1},
        .flops = flops};
    weir_emit_launch(e, &l);
}

void weir_attention_grouped(struct weir_emit *e, const struct weir_attention *a)
{
    launch(e, a, FORWARD, 0, e->n_out, weir_value_flop(e->v));
}

// Of five products that are counted dq takes three; dk and dv, with scores and dp again, four.
void weir_attention_grouped_grad(struct weir_emit *e, const struct weir_attention *a)
{
    double flops = weir_value_flop(e->v);
    launch(e, a, OF_QUERIES, 0, 1, flops * 3 / 5);
    launch(e, a, OF_KEYS, 1, 2, flops * 4 / 5);
}

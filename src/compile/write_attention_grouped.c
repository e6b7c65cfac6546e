// SPDX-License-Identifier: Apache-2.0
// Attention on grouped devices (kernels/attention_grouped.cl): how many work-items a group has,
// whether there is the local memory, and the launch. A choice decides speed only.
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

// Bytes of local memory of the kernel; `keep`: it keeps the scores of all keys.
static uint64_t bytes(const struct group *g, const struct weir_attention *a, bool keep)
{
    int64_t tiles = div_up(a->keys, TILE), ints = a->masked ? 2 * tiles + wide(g, a->width) : 0;
    int64_t strip = (keep ? tiles : 1) * TILE * line(g);
    return sizeof(float) *
           (uint64_t)(div_up(held(g, a->depth) + strip + staged(g, a) + 4 * g->down + ints, 4) * 4);
}

static bool usable(const weir_device *dev, const struct weir_attention *a, const struct group *g)
{
    // A CPU driver may take fewer work-items than it says, and a software fma is long.
    bool runs =
        g->across * g->down <= 16 || (dev->info.caps.is_gpu && weir_device_has(dev, WEIR_CAP_FMA));
    return runs && g->across * g->down <= dev->info.caps.max_group &&
           bytes(g, a, false) <= dev->info.caps.local_size;
}

// The largest group of which there are enough to fill the device, and several a compute unit.
static const struct group *choose(const weir_device *dev, const struct weir_attention *a)
{
    const struct group *best = NULL;
    for (size_t i = 0; i < WEIR_COUNT(groups); i++) {
        const struct group *g = &groups[i];
        if (!usable(dev, a, g))
            continue;
        if (best && g->across < best->across)
            break;
        best = g;
        if (bytes(g, a, false) <= WANTED &&
            div_up(a->queries, 4 * g->down) * a->batches >= dev->info.caps.compute_units)
            break;
    }
    return best;
}

// Whether the scores of all keys may stay: there is one tile, or room beside other groups.
static bool keeps(const weir_device *dev, const struct weir_attention *a, const struct group *g)
{
    uint64_t all = bytes(g, a, true);
    return a->keys <= TILE || (all <= WANTED && all <= dev->info.caps.local_size);
}

bool weir_attention_room(const weir_device *dev, const struct weir_attention *a)
{
    return a->depth <= MOST_COLUMNS && a->width <= MOST_COLUMNS && a->keys <= MOST_KEYS &&
           choose(dev, a) != NULL;
}

void weir_attention_grouped(struct weir_emit *e, const struct weir_attention *a)
{
    const struct group *g = choose(e->dev, a);
    struct weir_emit_arg args[8];
    struct weir_strbuf t = {0};
    weir_attention_knobs(&t, e, a);
    knob(&t, "X", g->across);
    knob(&t, "Y", g->down);
    knob(&t, "KEEP", keeps(e->dev, a, g));
    weir_strbuf_puts(&t, weir_kernel_text("attention_grouped.cl"));
    struct weir_emit_launch l = {.kernel = weir_emit_kernel_buf(e, "attention", &t),
                                 .label = "attention",
                                 .n_args = weir_attention_arguments(e, args),
                                 .args = args,
                                 .global = {(size_t)g->across,
                                            (size_t)(div_up(a->queries, 4 * g->down) * g->down),
                                            (size_t)a->batches},
                                 .local = {(size_t)g->across, (size_t)g->down, 1}};
    l.flops = weir_value_flop(e->v);
    weir_emit_launch(e, &l);
}
